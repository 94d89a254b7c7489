"""A folder of one's own: what of it is read, what of that was guessed, and what came of it.

What the command is asked for stands in a ``Reading``, plain values that a model file can keep, so
that a report reads the same rows again.
"""

import ast
import contextlib
import hashlib
import io
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.data.folder import read_folder
from course_utils.data.look_alikes import KEEP_APART
from course_utils.data.readers import ColumnsReader
from course_utils.data.rows import BadData, Rows, SkippedRows, split_rows
from course_utils.data.table import LEAVE_OUT, SPELLED, Table, mark_in_words, shown
from course_utils.own_table import Roles, guess_roles

ARGUMENT = re.compile(r"""\b([a-z_]+)=("[^"]*"|'[^']*'|None|\.\.\.|\{[^}]*\}|\([^)]*\))""")
OPTIONS = {
    "table": "--table", "encoding": "--encoding", "delimiter": "--delimiter",
    "image_pattern": "--image-pattern", "group_column": "--group", "split_column": "--split",
    "split_words": "--split-word", "drop_labels": "--drop", "quoting": "--quoting",
    "split_seed": "--seed",
    "proportions": "--proportions",
}  # fmt: skip
# What stands for a value where the advice leaves it open; NAME for the others.
BLANKS = {"split_words": "WORD=SPLIT", "proportions": "TRAIN VALIDATION TEST"}
Say = Callable[[str], Any]


@dataclass(frozen=True)
class Reading:
    """How a folder is read, in plain values, so that a model file can say it.

    table: its name in the folder. image, label: columns; text: a column, or several, whose texts
    are joined by a blank. split: a column, "none" to have the rows divided, "" to look for one;
    split_words: {its word: train, validation or test}; proportions, group: of the division, see
    ``read_folder``. drop: classes to leave out. image_pattern: where ``image`` holds
    ids. columns: of the table, read beside picture and text. size: of the pictures, in pixels.
    delimiter: the sign between cells; None to look for it.
    """

    folder: str
    table: str = ""
    image: str | None = None
    text: str | Sequence[str] | None = None
    label: str | None = None
    split: str = ""
    proportions: Sequence[float] = (0.7, 0.1, 0.2)
    group: str | None = None
    split_words: Mapping[str, str] = field(default_factory=dict)
    drop: Sequence[str] = ()
    image_pattern: str | None = None
    columns: Sequence[str] = ()
    size: int = 48
    encoding: str = "utf-8"
    delimiter: str | None = None
    quoting: str | None = None

    @property
    def split_column(self) -> str | None:
        """The column of splits; None where the rows are divided."""
        return self.split if self.split not in ("", "none") else None

    @property
    def mark(self) -> str:
        """The delimiter; a comma where none is known."""
        return "," if self.delimiter is None else self.delimiter

    @property
    def source(self) -> Table:
        """The table."""
        return Table(Path(self.folder), self.table, self.encoding, self.mark, self.quoting)


def as_reading(folder: str | Path, reading: Mapping[str, Any]) -> Reading:
    """A reading of this folder. Raises ValueError for an option that there is not."""
    known = [one.name for one in fields(Reading)][1:]
    if strangers := [name for name in reading if name not in known]:
        raise ValueError(f"train has no option {strangers[0]!r}; it has {', '.join(known)}")
    return Reading(str(Path(folder).expanduser().resolve()), **reading)


def fingerprint(asked: Reading) -> str:
    """Of the table, so that a report does not judge by rows that the model learnt from."""
    return hashlib.sha256((Path(asked.folder) / asked.table).read_bytes()).hexdigest()


# --- what is read ---------------------------------------------------------------------------------


def complete(asked: Reading, say: Say) -> Reading:
    """The reading with its table and columns, and a sentence on each that was guessed."""
    if not asked.table:
        asked = replace(asked, table=_only_table(Path(asked.folder)))
        say(f"table: {asked.table}, the only one in the folder; otherwise --table NAME")
    if asked.delimiter is None:
        asked = replace(asked, delimiter=_found_mark(asked.source, say))
    split = None if asked.split == "none" else asked.split
    if split is None and asked.split_words:
        raise ValueError("--split none has the rows divided, and --split-word tells the words of a "
                         "column of splits; leave one of them out")  # fmt: skip
    named = Roles(asked.image, asked.text, asked.label, split, asked.image_pattern)
    roles = guess_roles(asked.source, named, asked.split_words)
    for sentence in roles.said:
        say(sentence)
    return replace(asked, image=roles.image, text=roles.text, label=roles.label,
                   split=roles.split or "none", image_pattern=roles.image_pattern)  # fmt: skip


def _found_mark(source: Table, say: Say) -> str:
    """The delimiter that the first lines show, and a sentence on it; a comma where none does."""
    mark = source.likely_mark()
    if mark is not None:
        say(f"delimiter: {mark_in_words(mark)}; otherwise --delimiter SIGN")
    return mark or ","


def as_delimiter(given: str) -> str:
    r"""A delimiter as one can type it: ``;``, ``tab``, ``\t``, ``\x01``, ``comma`` and so on."""
    if escaped := re.fullmatch(r"\\x([0-9a-fA-F]{2})", given):
        return chr(int(escaped[1], 16))
    return SPELLED.get(given.lower(), given)


def _as_typed(mark: str) -> str:
    """A delimiter that no key types, in the words that ``as_delimiter`` takes."""
    if mark == "\t":
        return "tab"
    return mark if mark.isprintable() else ascii(mark)[1:-1]


def _only_table(folder: Path) -> str:
    if not folder.is_dir():
        raise BadData(f"there is no folder {folder}; give the one that holds pictures and table")
    tables = sorted(path.name for path in folder.iterdir()
                    if path.suffix.lower() in (".csv", ".tsv") and path.is_file())  # fmt: skip
    if len(tables) != 1:
        several = f"several tables: {', '.join(map(shown, tables[:10]))}" if tables else "no table"
        raise BadData(f"the folder {folder} has {several}; say which with --table NAME")
    return tables[0]


def read_splits(asked: Reading, seed: int, say: Say) -> dict[str, Rows]:
    """The folder's rows, split by split; those that cannot be used are left out, and said.

    seed: of the division, where the table has no splits.
    Raises BadData for what ``read_folder`` refuses, for one class alone, and for an empty split.
    """
    rows = _told(say, lambda: read_folder(
        asked.folder, asked.table, image_column=asked.image, text_column=asked.text,
        label_column=asked.label, split_column=asked.split_column,
        image_pattern=asked.image_pattern, size=(asked.size, asked.size), encoding=asked.encoding,
        delimiter=asked.mark, quoting=asked.quoting, on_bad="skip", missing="absent",
        proportions=tuple(asked.proportions), group_column=asked.group, split_seed=seed,
        split_words=asked.split_words, drop_labels=tuple(asked.drop),
    ))  # fmt: skip
    if len(rows.classes) < 2:
        raise BadData(f"{asked.table}: all rows have the {asked.label} {rows.classes[0]!r}; a "
                      "classifier needs two classes or more")  # fmt: skip
    rows.remarks = [*map(as_options, rows.remarks)]
    rows.skipped = SkippedRows(row._replace(sentence=as_options(row.sentence))
                               for row in rows.skipped)  # fmt: skip
    splits = split_rows(rows)
    for name, part in splits.items():
        if not len(part["label"]):
            raise BadData(f"{asked.table}: there is no {name} row; mark some, or have the rows "
                          "divided with --split none")  # fmt: skip
    return splits


def _told(say: Say, work: Callable[[], Rows]) -> Rows:
    """Do the work; what it prints goes to ``say``, with the command's options in it."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            return work()
    finally:
        for line in printed.getvalue().splitlines():
            say(as_options(line))


def as_options(sentence: str) -> str:
    """Advice that names Python's arguments, in the command's words."""
    for advice in (f", {LEAVE_OUT}", KEEP_APART):  # there is no option for the second
        sentence = sentence.replace(advice, "")
    return ARGUMENT.sub(_as_option, sentence)


def _as_option(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    if name not in OPTIONS:
        return found[0]
    unquoted = name in BLANKS and not re.search("[\"']", value)
    if unquoted or value in ("...", "(...)", "{...}", '"..."'):
        return f"{OPTIONS[name]} {BLANKS.get(name, 'NAME')}"
    try:
        value = ast.literal_eval(value)
    except (SyntaxError, ValueError):  # it only looks like Python
        return found[0]
    if isinstance(value, dict):
        return " ".join(f"{OPTIONS[name]} {shlex.quote(f'{k}={v}')}" for k, v in value.items())
    values = value if isinstance(value, tuple) else [value or "none"]
    if name == "delimiter":
        values = [*map(_as_typed, values)]
    return " ".join([OPTIONS[name], *(shlex.quote(str(one)) for one in values)])


def columns_reader(asked: Reading, rows: Rows) -> dict[str, ColumnsReader] | None:
    """{"columns": the reader of the named columns}: numbers where all cells are, else categories.

    None where no column was named. Raises ValueError for a column that is not there.
    """
    if not asked.columns:
        return None
    if missing := [name for name in asked.columns if name not in rows]:
        raise ValueError(f"{asked.table} has no column {missing[0]!r}; it has {', '.join(rows)}")
    numbers = [name for name in asked.columns if _are_numbers(rows[name])]
    categories = [name for name in asked.columns if name not in numbers]
    return {"columns": ColumnsReader(numbers, categories)}


def _are_numbers(column: Iterable[Any]) -> bool:
    try:
        return all(np.isfinite(float(cell)) for cell in column if cell not in (None, ""))
    except (TypeError, ValueError):
        return False


# --- what is said ---------------------------------------------------------------------------------


def in_words(asked: Reading, splits: Mapping[str, Rows]) -> str:
    """What was read, in a few lines."""
    train = splits["train"]
    counts = {split: len(rows["label"]) for split, rows in splits.items()}
    shares = np.bincount(train["label"], minlength=len(train.classes))
    classes = [
        f"{shown(name)} {count:,}" for name, count in zip(train.classes, shares, strict=True)
    ]
    several = f" and {len(classes) - 12} more" if len(classes) > 12 else ""
    texts = asked.text if isinstance(asked.text, str) else " + ".join(asked.text)
    columns = f", columns {', '.join(asked.columns)}" if asked.columns else ""
    lines = [
        f"{sum(counts.values()):,} rows: {counts['train']:,} to teach, {counts['validation']:,} to "
        f"choose, {counts['test']:,} to judge; pictures {asked.image}, texts {texts}{columns}",
        f"{len(classes)} classes of {asked.label}, training rows each: "
        f"{', '.join(classes[:12])}{several}",
    ]
    if counts["test"] < 100:
        lines.append(f"with {counts['test']} test rows the intervals will be wide")
    return "\n".join(lines)
