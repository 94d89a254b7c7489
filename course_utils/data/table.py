"""A CSV table with faults: its text, its records, and one sentence for what cannot be used.

Python's csv module reads the table and not pandas, because pandas hides the line on which a row
stands, and joins rows across a broken quote.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from course_utils.data.rows import BadData, SkippedRow, SkippedRows

LEAVE_OUT = 'or leave such rows out with on_bad="skip"'

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Table:
    """A table in a folder, and how it is written."""

    folder: Path
    name: str
    encoding: str = "utf-8"
    delimiter: str = ","

    def bad(self, reason: str, what: str, line: int = 0, file: str = "") -> BadData:
        """The error for a fault in the table, or in one line of it."""
        where = (
            f"{self.name}{f', line {line}' if line else ''}{f' ({shown(file)})' if file else ''}"
        )
        return BadData(f"{where}: {what}", reason, line, file)

    def records(self) -> Iterator[tuple[int, list[str] | None]]:
        """Each record, the header first, with the line on which it begins.

        None stands for one whose quotes are broken. Raises BadData where there is no such table,
        or none that can be read as text.
        """
        yield from _records(_read_text(self), self.delimiter)


class Sieve:
    """Lets good rows through; a bad one stops the reading or is counted, as ``on_bad`` says."""

    def __init__(self, on_bad: str):
        self.on_bad, self.skipped = on_bad, SkippedRows()

    def __call__(
        self, judge: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        for item in items:
            try:
                result = judge(item)
            except BadData as fault:
                if self.on_bad == "error":
                    raise
                self.skipped.append(SkippedRow(fault.line, fault.file, fault.reason, str(fault)))
            else:
                yield item, result


def _read_text(table: Table) -> str:
    """The table as text, or the sentence that says why not."""
    folder, path = table.folder, table.folder / table.name
    if not folder.is_dir():
        raise BadData(f"there is no folder {folder}; give the folder that holds {table.name}")
    if not path.is_file():
        others = sorted(found.name for found in folder.glob("*.csv"))
        found = f"it has {', '.join(others)}" if others else "it has no CSV file"
        empty = "" if any(folder.iterdir()) else " is empty and"
        raise BadData(f'the folder {folder}{empty} has no table {table.name} ({found}); put it '
                      'there, or give its name with table="..."', "no table")  # fmt: skip
    return _decode(table, path.read_bytes())


def _decode(table: Table, raw: bytes) -> str:
    try:
        is_utf8 = codecs.lookup(table.encoding).name == "utf-8"
        return raw.decode("utf-8-sig" if is_utf8 else table.encoding)
    except UnicodeError as error:
        line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
        marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        other = "utf-16" if raw.startswith(marks) else "latin-1"
        advice = "save it as UTF-8" if table.encoding == other else f'try encoding="{other}"'
        raise table.bad("wrong encoding", f"the text is not {table.encoding}; {advice}",
                         line) from None  # fmt: skip
    except LookupError:
        raise ValueError(f"there is no text encoding {table.encoding!r}; tables are mostly "
                         '"utf-8" or "latin-1"') from None  # fmt: skip


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Each record with the line on which it begins; None for one whose quotes are broken.

    A broken quote swallows the lines after it, so reading starts anew on the next line.
    """
    lines = list(io.StringIO(text, newline=""))
    start = 0
    while start < len(lines):
        tail = (lines[k] for k in range(start, len(lines)))
        reader = csv.reader(tail, delimiter=delimiter, strict=True)
        begin = start
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield begin + 1, cells
                begin = start + reader.line_num
            return
        except csv.Error:
            yield begin + 1, None
            start = begin + 1


def shown(name: str) -> str:
    """A name from the table for a sentence: on one line, and not too long."""
    name = name if name.isprintable() else ascii(name)
    return name if len(name) <= 100 else f"{name[:60]}...{name[-30:]}"
