"""Any folder of pictures with a CSV table, in the layouts that people have.

``read_folder`` takes columns by name and gives the rows that generated cards have too, so that
the course's own sample, a public data set and a learner's own folder go the same way from here.
``read_news_cards``, ``read_emoji`` and ``read_kaggle`` are its presets.

What cannot be used ends in one sentence with the file and the line, as a ``BadData`` error or,
with ``on_bad="skip"``, in ``rows.skipped``.
"""

import functools
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from course_utils.data.readers import read_image
from course_utils.data.rows import SPLITS, BadData, Rows, SkippedRows
from course_utils.data.table import LEAVE_OUT, Sieve, Table, column_names
from course_utils.display import progress_bar
from course_utils.environment import course_root

SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
SPLIT_CALLED = {alias: name for name, aliases in SPLIT_WORDS.items() for alias in aliases}
OWN_COLUMNS = ("image", "file", "split", "label")  # what the rows call their own


# --- the presets ------------------------------------------------------------------------------


def read_news_cards(folder: str | Path | None = None, **options: Any) -> Rows:
    """The sample of news cards that comes with the course; options as in ``read_folder``.

    Its columns are those of ``news_cards.make``: ``image``, ``headline``, ``section``, ``match``,
    ``split``; the classes stand in the order of ``news_cards.SECTIONS``.
    """
    from course_utils.data.news_cards import SECTIONS

    folder = course_root() / "data" / "news_cards" if folder is None else folder
    return read_folder(folder, **{"classes": SECTIONS, **options})


def read_emoji(folder: str | Path, text: str = "name", **options: Any) -> Rows:
    """The emoji set: picture, ``name`` or ``keywords``, and ``group``; see ``real.describe``.

    The group Flags is dropped: with eight pictures it is too small to learn or to test.
    """
    if text not in ("name", "keywords"):
        raise ValueError(f'the text of an emoji is its "name" or its "keywords", not {text!r}')
    layout = {"image_column": "image", "text_column": text, "label_column": "group",
              "drop_labels": ("Flags",)}  # fmt: skip
    return read_folder(folder, "metadata.csv", **{**layout, **options})


def read_kaggle(
    folder: str | Path,
    *,
    text_column: str = "productDisplayName",
    label_column: str = "masterCategory",
    **options: Any,
) -> Rows:
    """``images/<id>.jpg`` beside ``styles.csv``, as in Kaggle's Fashion Product Images.

    The published table holds a few rows with an unquoted comma in the name and a few without a
    picture, so ``on_bad`` is "skip" here unless you say otherwise; it has no splits, so the rows
    are divided as ``read_folder`` says.
    """
    layout = {"image_column": "id", "image_pattern": "images/{id}.jpg", "split_column": None,
              "on_bad": "skip"}  # fmt: skip
    columns = {"text_column": text_column, "label_column": label_column}
    return read_folder(folder, **{"table": "styles.csv", **layout, **columns, **options})


# --- reading ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """What ``read_folder`` was asked for, checked."""

    folder: Path
    table: str
    image_column: str
    text_column: str
    label_column: str
    split_column: str | None
    image_pattern: str | None
    encoding: str
    delimiter: str
    quoting: str | None
    classes: tuple[str, ...] | None
    drop_labels: tuple[str, ...]
    size: tuple[int, int]
    on_bad: str

    def __post_init__(self) -> None:
        if self.image_pattern is not None and "{id}" not in self.image_pattern:
            raise ValueError('image_pattern needs {id} where the id goes, as in "images/{id}.jpg"; '
                             f"it is {self.image_pattern!r}")  # fmt: skip
        for name in (self.text_column, self.label_column):
            if (name in OWN_COLUMNS and name != "label") or name == self.text_column == "label":
                raise ValueError(f"no text or label column can be called {name!r}: the rows keep "
                                 "this name for something else; rename the column")  # fmt: skip
        if self.text_column == self.label_column:
            raise ValueError(f"{self.text_column!r} cannot be both the text and the label")
        if not isinstance(self.size, tuple | list) or len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"size is (height, width) in pixels, not {self.size}")
        _ = self.source  # which has arguments of its own to check

    def bad(self, reason: str, what: str, line: int = 0, file: str = "") -> BadData:
        """The error for a fault in the table, or in one line of it."""
        return self.source.bad(reason, what, line, file)

    @functools.cached_property
    def source(self) -> Table:
        """The table itself."""
        return Table(self.folder, str(self.table), self.encoding, self.delimiter, self.quoting,
                     self.image_column)  # fmt: skip


@dataclass
class _Row:
    line: int
    file: str
    text: str
    label: str
    split: str
    cells: dict[str, str] = field(repr=False)
    path: Path = Path()

    def bad(self, layout: _Layout, reason: str, what: str) -> BadData:
        return layout.bad(reason, what, self.line, self.file)


def read_folder(
    folder: str | Path,
    table: str = "headlines.csv",
    *,
    image_column: str = "file",
    text_column: str = "headline",
    label_column: str = "section",
    split_column: str | None = "split",
    image_pattern: str | None = None,
    size: tuple[int, int] = (48, 48),
    encoding: str = "utf-8",
    delimiter: str = ",",
    quoting: str | None = None,
    classes: tuple[str, ...] | None = None,
    drop_labels: tuple[str, ...] = (),
    on_bad: str = "error",
) -> Rows:
    """Read a folder of pictures and the CSV table that describes them.

    folder, table: the folder, and the table's name in it.
    image_column: the picture's path inside the folder or, with ``image_pattern``
        ("images/{id}.jpg"), its id. Each picture may stand in one row.
    text_column, label_column: the text, and the class by name.
    split_column: train, validation (or val) and test. With None each class is divided, 7 of 10
        rows to train, 1 to validation, 2 to test, by a hash of the file name: the same rows
        are divided alike each time, whatever their order.
    size: height and width in pixels. Proportions are kept; what is left over is white, as is
        whatever was transparent. Pictures turned by a camera's mark are turned upright.
    encoding: of the table; "utf-8" is read with or without a byte order mark.
    delimiter: the one sign that parts the cells of a line.
    quoting: None reads cells in quotes, and stops at a quote that seems to swallow rows;
        "standard" believes every quote, "none" takes quotes as letters.
    classes: the labels in the order that you want; sorted by name if None.
    drop_labels: classes to leave out on purpose, uncounted.
    on_bad: "error" stops at the first bad row; "skip" leaves bad rows out and counts them in
        ``rows.skipped``. A fault of the whole table is an error in both.

    Returns columns of n rows: ``image`` (n, H, W, 3) uint8; the text, a list under its column's
    name; ``label`` (n,) int64, again under its column's name; ``split`` (n,) strings; ``file``,
    a list of paths inside the folder; every further column of the table under its own name (with
    "_" behind it where that is taken), int64 where all cells are whole numbers, else a list.

    Raises BadData, one sentence with file and line, for bad data; ValueError for bad arguments.
    """
    sieve = Sieve(on_bad)
    layout = _Layout(
        Path(folder).expanduser(), table, image_column, text_column, label_column, split_column,
        image_pattern, encoding, delimiter, quoting, classes, drop_labels, size, on_bad,
    )  # fmt: skip
    rows = _read_table(layout, sieve)
    if split_column is None:
        _divide(rows)
    rows = _learnable(rows, layout, sieve)
    rows, images = _read_images(rows, layout, sieve)
    if sieve.skipped:  # the last training row of a class may have lost its picture
        positions = {id(row): k for k, row in enumerate(rows)}
        rows = _learnable(rows, layout, sieve)
        images = images[[positions[id(row)] for row in rows]]
        sieve.skipped.sort()
        print(f"{table}: {sieve.skipped}")
    for remark in layout.source.remarks:
        print(f"{table}: {remark}")
    if not rows:
        raise layout.bad("no rows", f"no row is left to use; {sieve.skipped}")
    return _assemble(rows, images, layout, sieve.skipped)


def _read_table(layout: _Layout, sieve: Sieve) -> list[_Row]:
    """The rows whose cells are in order and whose picture exists."""
    records = layout.source.records()
    line, header = next(records, (1, []))
    header = _check_header(layout, line, header)
    parsed = sieve(lambda record: _parse(layout, header, *record), records)
    kept = [row for _, row in parsed if row.label not in layout.drop_labels]
    located = [row for row, _ in sieve(lambda row: _locate(layout, row), kept)]
    seen: dict[Path, int] = {}
    rows = [row for row, _ in sieve(lambda row: _once(layout, seen, row), located)]
    if not rows and not sieve.skipped:
        raise layout.bad("no rows", "the table has a header and no rows; add one row a picture")
    return rows


def _check_header(layout: _Layout, line: int, header: list[str] | BadData) -> list[str]:
    """The column names, each once, without blanks around them."""
    if isinstance(header, BadData):
        raise header
    if not header:
        raise layout.bad("no rows", "the table is empty; it needs a header and one row a picture")
    wanted = [layout.image_column, layout.text_column, layout.label_column]
    wanted += [layout.split_column] if layout.split_column else []
    names, remarks = column_names(header, wanted)
    for name in wanted:
        if names.count(name) > 1:
            raise layout.bad("column twice", f"two columns are called {name!r}; rename one", line)
        if name not in names:
            raise _missing_column(layout, name, wanted, names, line)
    layout.source.remarks.extend(remarks)
    return names


def _missing_column(
    layout: _Layout, name: str, wanted: list[str], names: list[str], line: int
) -> BadData:
    fault = layout.source.missing_column(name, wanted, names, line)
    if name != layout.split_column:
        return fault
    advice = f"{fault}, or pass split_column=None to have the rows divided"
    return BadData(advice, fault.reason, line)


def _parse(layout: _Layout, header: list[str], line: int, cells: list[str] | BadData) -> _Row:
    """One record as a row, or BadData."""
    if isinstance(cells, BadData):
        raise cells
    if len(cells) != len(header):
        raise layout.source.wrong_number(cells, len(header), line)
    values = dict(zip(header, cells, strict=True))
    file = values[layout.image_column].strip()
    if not file:
        raise layout.bad("no image name", f"the cell {layout.image_column!r} is empty; fill it in, "
                         f"{LEAVE_OUT}", line)  # fmt: skip
    if layout.image_pattern:
        file = layout.image_pattern.replace("{id}", file)
    label = values[layout.label_column].strip()
    row = _Row(line, file, values[layout.text_column], label, "", values)
    _check_cells(layout, row)
    return row


def _check_cells(layout: _Layout, row: _Row) -> None:
    """Text, label and split; the split is translated on the way."""
    for what, value in (("text", row.text), ("label", row.label)):
        if not value.strip():
            column = layout.text_column if what == "text" else layout.label_column
            raise row.bad(layout, f"empty {what}", f"the cell {column!r} is empty; fill it in, "
                          f"{LEAVE_OUT}")  # fmt: skip
    if layout.classes and row.label not in (*layout.classes, *layout.drop_labels):
        raise row.bad(layout, "unknown label", f"the label {row.label!r} is none of "
                      f"{', '.join(layout.classes)}; correct it, {LEAVE_OUT}")  # fmt: skip
    if layout.split_column:
        split = row.cells[layout.split_column].strip()
        row.split = SPLIT_CALLED.get(split.lower(), "")
        if not row.split:
            raise row.bad(layout, "unknown split", f"the split {split!r} is none of "
                          f"{', '.join(SPLITS)}; correct it, {LEAVE_OUT}")  # fmt: skip


def _locate(layout: _Layout, row: _Row) -> None:
    """Find the row's picture, inside the folder and nowhere else."""
    folder = layout.folder.resolve()
    missing = row.bad(layout, "missing image", "the image file is not there; put it there, "
                      f"{LEAVE_OUT}")  # fmt: skip
    try:
        path = (folder / row.file).resolve()
        if not path.exists():  # a table written on Windows
            path = (folder / row.file.replace("\\", "/")).resolve()
        rooted = row.file.startswith(("/", "\\")) or PureWindowsPath(row.file).is_absolute()
        if rooted or not path.is_relative_to(folder):
            raise row.bad(layout, "outside the folder", "the path leads out of the folder and is "
                          "not opened; give a path inside it, " + LEAVE_OUT)  # fmt: skip
        if not path.is_file():
            raise missing
    except BadData:
        raise
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, a link to itself
        raise missing from None
    row.path = path


def _once(layout: _Layout, seen: dict[Path, int], row: _Row) -> None:
    """Refuse a picture that an earlier row has."""
    first = seen.setdefault(row.path, row.line)
    if first != row.line:
        raise row.bad(layout, "duplicate id", f"line {first} has this image already; keep one of "
                      f"the two, {LEAVE_OUT}")  # fmt: skip


def _learnable(rows: list[_Row], layout: _Layout, sieve: Sieve) -> list[_Row]:
    """The rows whose label occurs in a training row: no model can learn the others."""
    trained = {row.label for row in rows if row.split == "train"}

    def judge(row: _Row) -> None:
        if row.label not in trained:
            raise row.bad(layout, "label not in training", f"no training row has the label "
                          f"{row.label!r} of this {row.split} row; move one of its rows to "
                          f"train, {LEAVE_OUT}")  # fmt: skip

    return [row for row, _ in sieve(judge, rows)]


def _divide(rows: list[_Row]) -> None:
    """Give every row a split: of each class a fifth to test and a tenth to validation."""
    by_label = defaultdict(list)
    for row in rows:
        by_label[row.label].append(row)
    for members in by_label.values():
        members.sort(key=lambda row: hashlib.sha256(row.file.encode()).digest())
        test, validation = round(0.2 * len(members)), round(0.1 * len(members))
        for place, row in enumerate(members):
            held_out = "test" if place < test else "validation"
            row.split = held_out if place < test + validation else "train"


def _read_images(rows: list[_Row], layout: _Layout, sieve: Sieve) -> tuple[list[_Row], np.ndarray]:
    """The rows whose picture can be read, and the pictures, (rows, H, W, 3) uint8."""

    def judge(row: _Row) -> np.ndarray:
        try:
            return read_image(row.path, layout.size)
        except BadData as fault:
            what = f"the image {fault.reason}; replace it, {LEAVE_OUT}"
            raise row.bad(layout, "broken image", what) from None

    images = np.empty((len(rows), *layout.size, 3), dtype=np.uint8)
    kept: list[_Row] = []
    with progress_bar(len(rows), "images", "image") as bar:
        for row, image in sieve(judge, bar.over(rows)):
            images[len(kept)] = image
            kept.append(row)
    return kept, images[: len(kept)]


def _assemble(rows: list[_Row], images: np.ndarray, layout: _Layout, skipped: SkippedRows) -> Rows:
    """The rows as columns."""
    classes = tuple(layout.classes or sorted({row.label for row in rows}))
    number = {name: k for k, name in enumerate(classes)}
    label = np.array([number[row.label] for row in rows], dtype=np.int64)
    columns = {
        "image": images,
        layout.text_column: [row.text for row in rows],
        layout.label_column: label,
        "label": label,
        "split": np.array([row.split for row in rows]),
        "file": [row.file for row in rows],
    }
    used = {layout.image_column, layout.text_column, layout.label_column, layout.split_column, ""}
    for name in rows[0].cells:
        if name not in used:
            free = name
            while free in columns:
                free += "_"
            columns[free] = _typed([row.cells[name] for row in rows])
    modalities = {"image": "image", "text": layout.text_column}
    return Rows(columns, classes, skipped, modalities)


def _typed(cells: list[str]) -> np.ndarray | list[str]:
    """Whole numbers as int64; everything else ("007", "1.50", "") as it stands."""
    try:
        numbers = np.array([int(cell) for cell in cells], dtype=np.int64)
    except (ValueError, OverflowError):
        return cells
    return numbers if [str(number) for number in numbers] == cells else cells
