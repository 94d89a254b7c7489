"""A CSV table with faults: its text, its records, and one sentence for what cannot be used.

Neither pandas nor Python's csv module reads its rows: both join rows across a broken quote, and
pandas hides the line on which a row stands. What is a cell follows RFC 4180, with blanks around a
quoted cell allowed; a quote that would make one record of several rows is doubted, not believed.
"""

import bisect
import csv
import difflib
import functools
import glob
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from course_utils.data.decoding import UNDECODED, check_encoding, decode, doubts, shown
from course_utils.data.rows import BadData, SkippedRow, SkippedRows

LEAVE_OUT = 'or leave such rows out with on_bad="skip"'
QUOTING = (None, "none", "standard")
LINE_END = re.compile(r"\r\n|\r|\n")
PICTURE_NAME = re.compile(r"\S.*\.(?:png|jpe?g|jfif|gif|bmp|tiff?|webp|avif|heic)\b(?:#\d+)?\s*$",
                          re.IGNORECASE)  # fmt: skip
MARKS = ",;\t|:^~\x01 "  # that part the cells of tables, the likelier first
SPELLED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}  # in words

Cells = list[str] | BadData
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Table:
    """A table in a folder, and how it is written.

    quoting: "standard" where a cell in quotes may hold anything, line ends too; "none" where a
        quote is a letter like others; None reads quotes as "standard" does, and has doubts where
        a quote would swallow what looks like rows.
    key: the column by which a row is known as one, that of the pictures.
    remarks: what is doubtful in a table that could be read, a sentence each.
    """

    folder: Path
    name: str
    encoding: str = "utf-8"
    delimiter: str = ","
    quoting: str | None = None
    key: str | None = None
    remarks: list[str] = field(default_factory=list, compare=False)

    def __post_init__(self) -> None:
        check_encoding(self.encoding)
        if self.quoting not in QUOTING:
            raise ValueError(f'quoting is None, "none" or "standard", not {self.quoting!r}')
        mark = self.delimiter
        if not isinstance(mark, str) or len(mark) != 1 or mark in '"\r\n' or mark.isalnum():
            raise ValueError(_no_delimiter(mark))

    def bad(self, reason: str, what: str, line: int = 0, file: str = "") -> BadData:
        """The error for a fault in the table, or in one line of it."""
        where = (
            f"{self.name}{f', line {line}' if line else ''}{f' ({shown(file)})' if file else ''}"
        )
        return BadData(f"{where}: {what}", reason, line, file)

    def records(self) -> Iterator[tuple[int, Cells]]:
        """Each record, the header first, with the line on which it begins.

        A BadData stands for one whose quotes or bytes are broken. Empty cells beyond the header
        are no cells. Raises BadData where there is no such table, or none that is text.
        """
        yield from self._records

    @functools.cached_property
    def _records(self) -> list[tuple[int, Cells]]:
        return list(_in_columns(list(self._lines.records())))

    @functools.cached_property
    def text(self) -> str:
        """The whole table."""
        raw = _read_bytes(self)
        try:
            text = decode(raw, self.encoding)
        except BadData as fault:
            raise self.bad(fault.reason, str(fault), fault.line) from None
        self.remarks.extend(doubts(text, raw, self.encoding))
        return text

    @functools.cached_property
    def _lines(self) -> "_Lines":
        return _Lines(self)

    def wrong_number(self, cells: list[str], names: int, line: int) -> BadData:
        """The error for a row that has more or fewer cells than the header."""
        count = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
        return self.bad("wrong number of cells", f"the row has {count} and the header {names}; "
                        f"{self._advice_on_cells(cells, names)}, {LEAVE_OUT}", line)  # fmt: skip

    def _advice_on_cells(self, cells: list[str], names: int) -> str:
        mark = self._lines.mark
        named = mark_in_words(mark)
        if len(cells) == 1 and cells[0].count(mark) == names - 1:
            return "take away the quotes around the whole line"
        other = next((sign for sign in MARKS if cells[0].count(sign) == names - 1), None)
        if len(cells) == 1 and other:
            return f"part its cells by {named}, as in the header, and not by {other!r}"
        if len(cells) < names:
            return "add what is missing"
        if any(cell.strip().startswith(tuple("'‘‚“„«")) for cell in cells):
            return f'put a text with {named} in straight quotes, ", and no others'
        if self._all_longer:
            return ("every row has one cell more: if the first column is the one without a name, "
                    f"write {named} before the names")  # fmt: skip
        return f"put a text with {named} in quotes"

    @functools.cached_property
    def _all_longer(self) -> bool:
        header, *rows = [cells for _, cells in self._records if isinstance(cells, list)]
        return len(rows) > 1 and all(len(row) == len(header) + 1 for row in rows)

    def missing_column(self, name: str, wanted: list[str], names: list[str], line: int) -> BadData:
        """The error for a column that is not there, with what the table shows of the cause."""
        listed = f"there is no column {name!r} (it has {', '.join(map(shown, names[:20]))})"
        advice = (self._other_mark(name, names) or self._header_below(wanted, line)
                  or _no_header(wanted, names))  # fmt: skip
        if advice:
            return self.bad("missing column", f"{listed}; {advice}", line)
        if near := _near(name, names):
            return self.bad("missing column", f"there is no column {name!r}; did you mean {near}? "
                            "Write it as the table does", line)  # fmt: skip
        return self.bad("missing column", f"{listed}; name the right one", line)

    def likely_mark(self) -> str | None:
        """The delimiter that gives most of the first rows as many cells as the header, if any.

        Rows of one cell are none. None, too, where the table itself says its delimiter (sep=;).
        """
        if self._lines.first:
            return None
        lines = [f"{self._lines.line(k)}\n" for k in self._lines.first_lines(20)]
        agreeing = {mark: self._agreeing(lines, mark) for mark in MARKS if mark != " "}
        best = max(agreeing, key=lambda mark: agreeing[mark])
        return best if agreeing[best] > (0.5, 1) else None

    def _agreeing(self, lines: list[str], mark: str) -> tuple[float, int]:
        """The share of these rows that have as many cells as the header, and how many."""
        quotes = csv.QUOTE_NONE if self.quoting == "none" else csv.QUOTE_MINIMAL
        try:
            widths = [*map(len, csv.reader(lines, delimiter=mark, quoting=quotes))]
        except csv.Error:  # a cell longer than that module takes
            return 0, 0
        if not widths or widths[0] < 2:
            return 0, 0
        return widths.count(widths[0]) / len(widths), widths[0]

    def mark_advice(self, names: list[str]) -> str:
        """The advice to take another delimiter, where the table has one column and seems not to."""
        return self._other_mark("", names) if len(names) == 1 else ""

    def _other_mark(self, name: str, names: list[str]) -> str:
        """The advice to take another delimiter, where one gives the column."""
        lines = [self._lines.line(k) for k in self._lines.first_lines(6)]
        if len(names) == 1 and self._lines.mark in names[0]:
            return "take away the quotes around the whole line"
        for mark in MARKS.replace(self._lines.mark, ""):
            counts = {line.count(mark) for line in lines}
            alike = len(names) == 1 and len(counts) == 1 and mark != " " and counts != {0}
            cells = [_tidy(cell).strip('"') for cell in lines[0].split(mark)]
            if alike or (len(cells) > 1 and name in cells):
                runs = set(re.findall(f"{re.escape(mark)}+", lines[0]))
                if len(runs) == 1 and len(run := runs.pop()) > 1:
                    return f"its cells seem to be parted by {run!r}: replace it by one sign"
                return f"its cells seem to be parted by another mark: try delimiter={mark!r}"
        return ""

    def _header_below(self, wanted: list[str], line: int) -> str:
        for number in self._lines.first_lines(20):
            cells = map(_tidy, self._lines.line(number).split(self._lines.mark))
            if {*wanted} <= {cell.strip('"') for cell in cells} and number + 1 > line:
                return (f"the names of the columns stand in line {number + 1}: delete the lines "
                        "above it")  # fmt: skip
        return ""


class Sieve:
    """Lets good rows through; a bad one stops the reading or is counted, as ``on_bad`` says."""

    def __init__(self, on_bad: str):
        if on_bad not in ("error", "skip"):
            raise ValueError(f'on_bad is "error" or "skip", not {on_bad!r}')
        self.on_bad, self.skipped = on_bad, SkippedRows()

    def __call__(
        self, judge: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Each good item with what ``judge``, which raises BadData for a bad one, made of it."""
        for item in items:
            try:
                result = judge(item)
            except BadData as fault:
                if self.on_bad == "error":
                    raise
                sentence = without_leaving_out(fault)
                self.skipped.append(SkippedRow(fault.line, fault.file, fault.reason, sentence))
            else:
                yield item, result


def without_leaving_out(fault: BadData) -> str:
    """The sentence without the advice to leave bad rows out, where that is done or cannot be."""
    return str(fault).replace(f", {LEAVE_OUT}", "")


# --- the file ---------------------------------------------------------------------------------


def mark_in_words(mark: str) -> str:
    """A delimiter as a sentence names it."""
    return {",": "a comma", "\t": "a tab"}.get(mark, repr(mark))


def _no_delimiter(mark: object) -> str:
    """What to write in place of what is no delimiter."""
    said = f"delimiter is one sign, not {mark!r}"
    if isinstance(mark, str) and (meant := SPELLED.get(mark.strip().lower())):
        return f"{said}; for {mark_in_words(meant)} write delimiter={_in_quotes(meant)}"
    return (f'{said}; write one such as "," or ";" or "\\t" (a tab), and where several part the '
            "cells, replace them by one in the table")  # fmt: skip


def _in_quotes(sign: str) -> str:
    return f'"{repr(sign)[1:-1]}"'


def _read_bytes(table: Table) -> bytes:
    """What the file holds, or the sentence that says why not."""
    folder, path = table.folder, table.folder / table.name
    try:
        if not folder.is_dir():
            raise BadData(f"there is no folder {folder}; give the folder that holds {table.name}")
        if path.is_dir():
            raise BadData(f"{path} is a folder and no table; name the table inside it, such as "
                          f'table="{table.name}/NAME.csv"', "no table")  # fmt: skip
        if not path.is_file():
            raise _no_table(table)
        return path.read_bytes()
    except PermissionError as error:
        what = (f"it may not be read ({error.strerror}); close it in the program that holds it "
                "open, or mend its permissions")  # fmt: skip
        raise table.bad("locked table", what) from None
    except (OSError, ValueError) as error:
        if isinstance(error, BadData):
            raise
        reason = getattr(error, "strerror", None) or error
        raise table.bad("unreadable table", f"it cannot be read ({reason}); copy it to this "
                        "machine's disk and try again") from None  # fmt: skip


def _no_table(table: Table) -> BadData:
    """The error for a table that is not there, with what nearly is."""
    folder, name = table.folder, table.name
    here = sorted(path.name for path in folder.iterdir())
    deeper = [
        path.relative_to(folder).as_posix()
        for path in folder.glob(f"*/{glob.escape(Path(name).name)}")
    ]
    if near := sorted(deeper) + _alike(name, here):
        found = f"did you mean {', '.join(map(repr, map(shown, near[:3])))}?"
    else:
        tables = [other for other in here if other.lower().endswith((".csv", ".tsv"))]
        found = f"it has {', '.join(map(shown, tables[:10]))}" if tables else "it has no CSV file"
    empty = "" if here else " is empty and"
    return BadData(f'the folder {folder}{empty} has no table {name} ({found}); put it there, or '
                   'give its name with table="..."', "no table")  # fmt: skip


def _alike(name: str, others: list[str]) -> list[str]:
    """The names that differ in case, form, ending, or as copies do: "table (1).csv"."""

    def stem(other: str) -> str:
        other = re.sub(r"^(copy of |kopie von )|( ?\(\d+\)|[ _-]+copy)(?=\.|$)", "", _plain(other))
        return other.split(".")[0]

    found = [other for other in others if not PICTURE_NAME.match(other)]
    return [other for other in found if stem(other) == stem(name)]


# --- lines and records ------------------------------------------------------------------------


class _Lines:
    """The lines of a table, and the records that they make."""

    def __init__(self, table: Table):
        self.table, self.text = table, table.text
        ends = list(LINE_END.finditer(self.text))
        self.starts = [0, *(end.end() for end in ends)]
        if self.starts[-1] < len(self.text):
            self.starts.append(len(self.text))
        self.mark, self.first = table.delimiter, 0
        if self.count and (said := re.fullmatch(r'"?sep=(.)"?', self.line(0), re.IGNORECASE)):
            self.mark, self.first = said[1], 1  # a line for Excel, which says the delimiter
        self.lone_returns = (
            bool(ends) and ends[0][0] != "\r" and bool(re.search("\r(?!\n)", self.text))
        )
        self.damaged = UNDECODED.search(self.text) is not None
        self.header: list[str] = []  # empty while it is not known
        mark, blank = re.escape(self.mark), "[" + " \t".replace(self.mark, "") + "]*+"
        quoted = r'"([^"]*+(?:""[^"]*+)*+)"'
        self.parting = re.compile(rf"[\r\n{mark}]")
        self.quoted = re.compile(rf"{blank}{quoted}{blank}(?={mark}|[\r\n]|\Z)")
        self.plain = re.compile(rf"[^{mark}\r\n]*+")
        self.with_returns = re.compile(rf"(?:[^{mark}\r\n]|\r(?!\n))*+")

    @property
    def width(self) -> int:
        """How many cells the header has; 0 while it is not known."""
        return len(self.header)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.starts) - 1

    def line(self, number: int) -> str:
        """One line, counted from 0, without its end."""
        return self.text[self.starts[number] : self.starts[number + 1]].rstrip("\r\n")

    def first_lines(self, count: int) -> list[int]:
        """The numbers of the first lines that are not blank."""
        numbers = (k for k in range(self.first, self.count) if self.line(k).strip())
        return [k for k, _ in zip(numbers, range(count), strict=False)]

    def records(self) -> Iterator[tuple[int, Cells]]:
        """Each record that is not blank, with its line."""
        number = self.first
        while number < self.count:
            begin, (cells, number) = number, self._record(number)
            if isinstance(cells, list):
                if not any(map(str.strip, cells)):
                    continue
                if cells == self.header:
                    cells = self.table.bad("header again", "the row repeats the header; delete "
                                           f"it, {LEAVE_OUT}", begin + 1)  # fmt: skip
                elif self.damaged and any(map(UNDECODED.search, cells)):
                    cells = self._undecoded(begin, cells)
            yield begin + 1, cells
            if not self.header and isinstance(cells, list):
                self.header = cells

    def _record(self, number: int) -> tuple[Cells, int]:
        """The record that begins in this line, and the line behind it."""
        begin, end = self.starts[number], self.starts[number + 1]
        if self.lone_returns and self.text[end - 1] == "\r" and (whole := self._returning(begin)):
            return whole
        if self.table.quoting == "none" or self.text.find('"', begin, end) < 0:
            return self.line(number).split(self.mark), number + 1
        cells, place = self._cells(begin, self.plain)
        if cells is None:
            return self._broken(number), number + 1
        last = (
            bisect.bisect_right(self.starts, place - 1, lo=number) - 1 if place > begin else number
        )
        if last > number and self.table.quoting is None and self._swallows(number, last, cells):
            return self._swallowing(number, last), number + 1
        return cells, last + 1

    def _returning(self, begin: int) -> tuple[list[str], int] | None:
        """A record that holds lone carriage returns: they are text where this fits the header."""
        cells, place = self._cells(begin, self.with_returns)
        if cells is None or len(cells) != self.width:
            return None
        return cells, bisect.bisect_right(self.starts, place)

    def _cells(self, begin: int, plain: re.Pattern[str]) -> tuple[list[str] | None, int]:
        """The cells of the record that begins here, and where it ends; None if a quote is broken.

        It is broken, too, where further quotes go over line ends when the header's cells are
        all there: else each of many broken quotes would be followed to the end of the table.
        """
        cells: list[str] = []
        place, text, mark = begin, self.text, self.mark
        many = self.width or len(text)
        quotes = self.table.quoting != "none"
        while True:
            if quotes and (found := self.quoted.match(text, place)):
                if len(cells) > many and LINE_END.search(found[1]):
                    return None, place
                cells.append(found[1].replace('""', '"'))
            elif quotes and text.startswith('"', place):
                return None, place
            else:
                found = plain.match(text, place)
                cells.append(found[0])
            place = found.end()
            if not text.startswith(mark, place):
                return cells, place
            place += 1

    # --- what a quote that goes over line ends may have swallowed ---

    def _swallows(self, number: int, last: int, cells: list[str]) -> bool:
        """Whether a record of several lines seems to be several rows."""
        width = self.width or len(cells)
        over = [cell for cell in cells if LINE_END.search(cell)]
        inner = [piece for cell in over for piece in self.parting.split(cell)[1:-1]]
        # A part of a cell may end like a picture's name; a cell of its own may not.
        if any(PICTURE_NAME.match(piece) for piece in inner):
            return True
        lines = [line.split(self.mark) for k in range(number, last + 1) if (line := self.line(k))]
        if self.header and sum(map(self._has_key, lines)) > 1:
            return True
        right = [len(line) == width for line in lines]
        if len(cells) != width:
            return any(right[1:])
        return all(right) and not self._is_prose(lines)

    def _is_prose(self, lines: list[list[str]]) -> bool:
        """Whether blanks follow the commas, as in prose, in a table whose rows are known by more.

        They say nothing where the header has them too, or where any word may be a row's key.
        """
        _, shapes = self._keys if self.header else (0, set())
        if not any(map(_is_telling, shapes)) or any(cell.startswith(" ") for cell in self.header):
            return False
        return any(cell.startswith(" ") for line in lines for cell in line)

    def _has_key(self, cells: list[str]) -> bool:
        """Whether the cell of the key is like the keys of the rows whose lines hold no quote."""
        place, shapes = self._keys
        if len(cells) <= place or (shape := _shape(cells[place])) not in shapes:
            return False
        return len(cells) == self.width or _is_telling(shape)

    @functools.cached_property
    def _keys(self) -> tuple[int, set[str]]:
        """The column of the key, and the shapes of its cells."""
        names = [_tidy(cell) for cell in self.header]
        place = names.index(self.table.key) if self.table.key in names else 0
        lines = (self.line(k) for k in range(self.first, self.count))
        rows = (line.split(self.mark) for line in lines if '"' not in line)
        shapes = {_shape(row[place]) for row in rows if len(row) == self.width}
        return place, shapes - {"", _shape(self.header[place])}

    # --- sentences ---

    def _swallowing(self, number: int, last: int) -> BadData:
        lines = f"opens in line {number + 1} and closes in line {last + 1}"
        return self.table.bad(
            "broken quote", f"a quote {lines}, and what stands between looks like rows of the "
            'table; pass quoting="none" if quotes are letters here, quoting="standard" if the '
            f"text does go over these lines, or repair it, {LEAVE_OUT}", number + 1)  # fmt: skip

    def _broken(self, number: int) -> BadData:
        if not self.width:
            other = next((mark for mark in ";\t|," if self._is_quoted(number, mark)), None)
            advice = (f"its cells seem to be parted by another mark: try delimiter={other!r}"
                      if other else "repair it")  # fmt: skip
            return self.table.bad("broken quote", "a quote in the header never closes "
                                  f"at a {self.mark!r}; {advice}", number + 1)  # fmt: skip
        inside = ' (not \\")' if '\\"' in self.line(number) else ""
        return self.table.bad(
            "broken quote", "a quote opens and does not close at the end of its cell; write "
            f'"" for a quote inside one{inside}, pass quoting="none" if quotes are letters here, '
            f"{LEAVE_OUT}", number + 1)  # fmt: skip

    def _is_quoted(self, number: int, mark: str) -> bool:
        """Whether a line holds cells, some of them in quotes, that another mark parts."""
        cell = rf'(?:"[^"]*"|[^"{mark}]*)'
        return re.fullmatch(f"{cell}(?:{re.escape(mark)}{cell})+", self.line(number)) is not None

    def _undecoded(self, number: int, cells: list[str]) -> BadData:
        cell = next(filter(UNDECODED.search, cells))
        byte = ord(UNDECODED.search(cell)[0]) - 0xDC00
        before = UNDECODED.split(cell)[0][-20:]
        return self.table.bad(
            "wrong encoding", f"the byte 0x{byte:x} behind {before!r} is no utf-8, as the rest of "
            f"the table is; retype this sign and save the table as UTF-8, {LEAVE_OUT}",
            number + 1)  # fmt: skip


# --- columns ----------------------------------------------------------------------------------


def _in_columns(records: list[tuple[int, Cells]]) -> Iterator[tuple[int, Cells]]:
    """The records without the empty cells that commas at the ends of lines make.

    A column without a name that holds something stays: nothing is lost without a word.
    """
    if not records or isinstance(records[0][1], BadData):
        yield from records
        return
    header = records[0][1]
    rows = [cells for _, cells in records[1:] if isinstance(cells, list)]
    named = _length(header)
    if named == len(header) and all(len(row) == named for row in rows):
        yield from records
        return
    width = max([named, *(_length(row) for row in rows if len(row) <= len(header))])
    for line, cells in records:
        if isinstance(cells, list) and _length(cells) <= width and len(cells) >= named:
            cells = (cells + [""] * width)[:width]
        yield line, cells


def _length(cells: list[str]) -> int:
    """How many cells there are up to the last one that is not blank."""
    return next((k for k in range(len(cells), 0, -1) if cells[k - 1].strip()), 0)


def column_names(names: list[str], wanted: list[str]) -> tuple[list[str], list[str]]:
    """The names of the columns, each once, and a remark on each that had to be changed.

    names: as the header has them; one that looks like a wanted one and differs in signs that
    nobody sees (a byte order mark, a normal form) becomes it.
    """
    seen = {_tidy(name): name for name in wanted}
    free: list[str] = []
    remarks = []
    for place, cell in enumerate(names, start=1):
        name = given = seen.get(_tidy(cell), _tidy(cell))
        name = name or f"column {place}"
        while name in free and name not in wanted:
            name += "_"
        if not given:
            remarks.append(f"column {place} has no name and is called {name!r}")
        elif name != given:
            remarks.append(f"two columns are called {shown(given)!r}; the later is {name!r}")
        free.append(name)
    return free, remarks


def _no_header(wanted: list[str], names: list[str]) -> str:
    """The advice to write a header, where the first line looks like a row."""
    is_row = any(PICTURE_NAME.match(name) for name in names) or any(map(str.isdigit, names))
    if not is_row or {*wanted} & {*names}:
        return ""
    return ("its first line looks like a row and not like a header: put a line with the names of "
            "the columns on top")  # fmt: skip


def _near(name: str, names: list[str]) -> str:
    """The names that differ from a wanted one in case, blanks, hidden signs or a letter or two."""
    plain = {other: _plain(other, blanks="") for other in names if other}
    same = [other for other in plain if plain[other] == _plain(name, blanks="")]
    typed = difflib.get_close_matches(_plain(name, blanks=""), plain.values(), n=2, cutoff=0.8)
    found = same or [other for other in plain if plain[other] in typed]
    return " or ".join(repr(other[:100]) for other in found[:3])


def _plain(name: str, blanks: str = " ") -> str:
    """A name for comparison: in one normal form and case, without signs that nobody sees."""
    name = unicodedata.normalize("NFKC", _tidy(name)).casefold()
    return name if blanks else re.sub(r"[\W_]+", "", name)


def _tidy(name: str) -> str:
    """A name in one normal form, without blanks around it and without signs that nobody sees."""
    seen = "".join(sign for sign in name if unicodedata.category(sign) != "Cf")
    return unicodedata.normalize("NFC", seen).strip()


def _is_telling(shape: str) -> bool:
    """Whether a name of this shape is more than words, which any text may hold."""
    return not re.fullmatch("[a _-]*", shape)


def _shape(cell: str) -> str:
    """What a name is like: its ending, or its letters and digits each as one: "a_0"."""
    cell = cell.strip()
    if PICTURE_NAME.match(cell):
        return cell[cell.rindex(".") :].lower()
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", cell))
