"""Any folder of pictures with a CSV table, in the layouts that people have.

``read_folder`` takes columns by name and gives the rows that generated cards have too, so that
the course's own sample, a public data set and a learner's own folder go the same way from here.
``read_news_cards``, ``read_emoji`` and ``read_kaggle`` are its presets.

What cannot be used ends in one sentence with the file and the line, as a ``BadData`` error or,
with ``on_bad="skip"``, in ``rows.skipped``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.data.layout import PROPORTIONS, Layout, Row, filled_pattern
from course_utils.data.look_alikes import (
    clean_label,
    joined_remarks,
    label_remarks,
    one_name_each,
)
from course_utils.data.picture_files import with_pictures
from course_utils.data.readers import read_image
from course_utils.data.remarks import across_splits, apart_advice, two_labels
from course_utils.data.rows import SPLITS, BadData, Rows, SkippedRow, SkippedRows
from course_utils.data.splits import empty_split_remark, in_splits, learnable
from course_utils.data.table import LEAVE_OUT, Sieve, column_names, without_leaving_out
from course_utils.display import progress_bar
from course_utils.environment import course_root

MOST_REMARKS = 6  # that are printed


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


def read_folder(
    folder: str | Path,
    table: str = "headlines.csv",
    *,
    image_column: str = "file",
    text_column: str | Sequence[str] = "headline",
    label_column: str = "section",
    split_column: str | None = "split",
    image_pattern: str | None = None,
    size: tuple[int, int] = (48, 48),
    encoding: str = "utf-8",
    delimiter: str = ",",
    quoting: str | None = None,
    classes: Sequence[str] | None = None,
    drop_labels: Sequence[str] = (),
    on_bad: str = "error",
    missing: str = "error",
    proportions: tuple[float, float, float] = PROPORTIONS,
    group_column: str | None = None,
    split_seed: int = 0,
    split_words: Mapping[str, str] | None = None,
) -> Rows:
    """Read a folder of pictures and the CSV table that describes them.

    folder, table: the folder, and the table's name in it.
    image_column: the picture's path inside the folder or, with ``image_pattern``, its id. A
        picture may stand in several rows, as one with several captions does.
    image_pattern: "images/{id}.jpg"; other columns may stand in it, "images/{season}/{id}.jpg".
    text_column, label_column: the text, and the class by name. Several text columns are joined
        by a blank under the name "text", and stay under their own names too. Labels are read in
        composed form (NFC), without blanks and invisible characters at their ends; those that
        differ in blanks or a .0 alone are one class, with a remark.
    split_column: train, validation (or val, dev) and test; ``split_words`` says what other words
        mean, as {"eval": "test"}. A column without validation rows gets some of its train rows.
    proportions, group_column, split_seed: how rows are divided where split_column is None. Of each
        class its shares of train, validation and test, by a hash of the file name and the seed:
        the same rows are divided alike each time, whatever their order. Rows of one picture, and
        of one value in ``group_column``, stay in one split.
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
    missing: with "absent", a row without a text, or without a picture, stays, and has None there;
        with "error" it is a bad row.

    Returns columns of n rows, those of train first, then validation, then test, and in the order
    of the table within: ``image`` (n, H, W, 3) uint8, a list where some are None; the text, a list
    under its column's name; ``label`` (n,) int64, again under its column's name; ``split`` (n,)
    strings; ``file``, a list of paths inside the folder; every further column of the table under
    its own name (with "_" behind it where that is taken), int64 where all cells are whole numbers,
    else a list. A row that repeats another in every cell is left out. ``rows.remarks`` tells, and
    the reading prints, what looks doubtful, as labels that look alike.

    Raises BadData, one sentence with file and line, for bad data; ValueError for bad arguments.
    """
    layout = Layout(
        Path(folder).expanduser(), table, image_column, text_column, label_column, split_column,
        image_pattern, encoding, delimiter, quoting, classes, drop_labels, size, on_bad, missing,
        proportions, group_column, split_seed, split_words or {},
    )  # fmt: skip
    sieve, remarks = Sieve(on_bad), []
    try:
        rows, images = _read(layout, sieve, remarks)
    except BadData as fault:
        if on_bad == "error":
            raise
        told = without_leaving_out(fault)  # that is done already, and does not help
        raise BadData(told, fault.reason, fault.line, fault.file) from None
    whole = _assemble(rows, images, layout, sieve.skipped)
    whole.remarks = layout.source.remarks + remarks + _remarks(rows, images, layout)
    _tell(layout, whole)
    return whole


def _read(layout: Layout, sieve: Sieve, remarks: list[str]) -> tuple[list[Row], np.ndarray]:
    """The good rows, those of one split together, and their pictures."""
    rows = _read_table(layout, sieve, remarks)
    rows = learnable(in_splits(rows, layout, sieve, remarks), layout, sieve)
    rows.sort(key=lambda row: SPLITS.index(row.split))  # so that a split is a view of the pictures
    rows, images = _read_images(rows, layout, sieve)
    positions = {id(row): k for k, row in enumerate(rows)}
    rows = learnable(rows, layout, sieve)  # a class may have lost its last training picture
    images = _only(images, [positions[id(row)] for row in rows])
    sieve.skipped.sort()
    if not rows:
        raise layout.bad("no rows", f"no row is left to use; {sieve.skipped}")
    return rows, images


def _tell(layout: Layout, rows: Rows) -> None:
    """Print what was left out, and what looks doubtful."""
    said = [str(rows.skipped)] * bool(rows.skipped) + rows.remarks[:MOST_REMARKS]
    if (more := len(rows.remarks) - MOST_REMARKS) > 0:
        said.append(f"{more} more in rows.remarks")
    for sentence in said:
        print(f"{layout.table}: {sentence}")


def _read_table(layout: Layout, sieve: Sieve, remarks: list[str]) -> list[Row]:
    """The rows whose cells are in order and whose picture exists, each once."""
    records = layout.source.records()
    line, header = next(records, (1, []))
    header = _check_header(layout, line, header)
    parsed = [row for _, row in sieve(lambda record: _parse(layout, header, *record), records)]
    if not parsed and not sieve.skipped:
        raise layout.bad("no rows", "the table has a header and no rows; add one row a picture")
    kept = _with_classes(parsed, layout, sieve, remarks)
    if parsed and not kept and not sieve.skipped:
        raise layout.bad("no rows", "drop_labels leaves no row; leave a class in")
    return _once(with_pictures(kept, layout, sieve, remarks), layout, sieve)


def _check_header(layout: Layout, line: int, header: list[str] | BadData) -> list[str]:
    """The column names, each once, without blanks around them."""
    if isinstance(header, BadData):
        # A header cannot be left out as a row can.
        raise BadData(without_leaving_out(header), header.reason, header.line, header.file)
    if not header:
        raise layout.bad("no rows", "the table is empty; it needs a header and one row a picture")
    names, remarks = column_names(header, layout.needed)
    for name in layout.needed:
        if names.count(name) > 1:
            raise layout.bad("column twice", f"two columns are called {name!r}; rename one", line)
        if name not in names:
            raise _missing_column(layout, name, names, line)
    layout.source.remarks.extend(remarks)
    return names


def _missing_column(layout: Layout, name: str, names: list[str], line: int) -> BadData:
    fault = layout.source.missing_column(name, layout.needed, names, line)
    if name != layout.split_column:
        return fault
    advice = f"{fault}, or pass split_column=None to have the rows divided"
    return BadData(advice, fault.reason, line)


def _parse(layout: Layout, header: list[str], line: int, cells: list[str] | BadData) -> Row:
    """One record as a row, or BadData."""
    if isinstance(cells, BadData):
        raise cells
    if len(cells) != len(header):
        raise layout.source.wrong_number(cells, len(header), line)
    values = dict(zip(header, cells, strict=True))
    texts = [values[name] for name in layout.text_columns]
    text = texts[0] if len(texts) == 1 else " ".join(one.strip() for one in texts if one.strip())
    file, label = values[layout.image_column].strip(), clean_label(values[layout.label_column])
    if file and layout.image_pattern:
        file = filled_pattern(layout.image_pattern, file, values)
    row = Row(line, file, text if text.strip() else None, label, "", values)
    _check_cells(layout, row)
    return row


def _check_cells(layout: Layout, row: Row) -> None:
    """Are picture, text and label there?"""
    if not row.label:
        raise _empty(layout, row, "empty label", layout.label_column)
    if layout.missing == "absent":
        if not row.file and row.text is None:
            raise row.bad(layout, "empty row", "there is neither a picture nor a text; fill one "
                          f"in, {LEAVE_OUT}")  # fmt: skip
        return
    if not row.file:
        raise _empty(layout, row, "no image name", layout.image_column)
    if row.text is None:
        raise _empty(layout, row, "empty text", *layout.text_columns)


def _empty(layout: Layout, row: Row, reason: str, *columns: str) -> BadData:
    cells = f"the cell {columns[0]!r} is" if len(columns) == 1 else \
        f"the cells {', '.join(map(repr, columns))} are"  # fmt: skip
    keep = "" if reason == "empty label" else ', or keep such rows with missing="absent"'
    return row.bad(layout, reason, f"{cells} empty; fill it in{keep}, {LEAVE_OUT}")


def _with_classes(rows: list[Row], layout: Layout, sieve: Sieve, remarks: list[str]) -> list[Row]:
    """The rows of the classes that are wanted, spellings of one label joined."""
    classes = [*map(clean_label, layout.classes or ())]
    drop = {*map(clean_label, layout.drop_labels)}
    names = one_name_each((row.label for row in rows), [*classes, *drop])
    for row in rows:
        row.label = names[row.label]
    remarks += joined_remarks(names)

    def judge(row: Row) -> None:
        if classes and row.label not in classes:
            raise row.bad(layout, "unknown label", f"the label {row.label!r} is none of "
                          f"{', '.join(classes)}; correct it, {LEAVE_OUT}")  # fmt: skip

    return [row for row, _ in sieve(judge, (row for row in rows if row.label not in drop))]


def _once(rows: list[Row], layout: Layout, sieve: Sieve) -> list[Row]:
    """Leave out, with a word and no error, a row that repeats another in every cell."""
    first: dict[tuple[str, ...], int] = {}
    kept = []
    for row in rows:
        cells = {**row.cells, layout.image_column: row.file, layout.label_column: row.label}
        line = first.setdefault(tuple(cells.values()), row.line)
        if line == row.line:
            kept.append(row)
            continue
        fault = row.bad(layout, "duplicate row", f"line {line} is the same in every cell; it is "
                        "kept, and this one is not")  # fmt: skip
        sieve.skipped.append(SkippedRow(row.line, row.file, fault.reason, str(fault)))
    return kept


def _read_images(rows: list[Row], layout: Layout, sieve: Sieve) -> tuple[list[Row], np.ndarray]:
    """The rows whose picture can be read, and the pictures, (rows, H, W, 3) uint8.

    In memory each picture has its channels first, as a batch has them, so that tensors of it are
    no copy. A picture of several rows is read once.
    """
    images = np.zeros((len(rows), 3, *layout.size), dtype=np.uint8).transpose(0, 2, 3, 1)
    place = {id(row): k for k, row in enumerate(rows)}
    read: dict[str, int] = {}

    def judge(row: Row) -> int:
        here = place[id(row)]
        if row.file in read:
            images[here] = images[read[row.file]]
        elif row.file:
            images[here] = _picture(layout, row)
            read[row.file] = here
        return here

    # In the order of the table, so that the first bad row is the first that is named.
    in_order = sorted(rows, key=lambda row: row.line)
    with progress_bar(len(rows), "images", "image") as bar:
        kept = sorted(here for _, here in sieve(judge, bar.over(in_order)))
    return [rows[k] for k in kept], _only(images, kept)


def _picture(layout: Layout, row: Row) -> np.ndarray:
    path = layout.folder / row.file
    try:
        return read_image(path, layout.size)
    except BadData as fault:
        said = str(fault).removeprefix(f"the picture {path} ")
        reason = "locked image" if fault.reason.startswith("may not") else "broken image"
        raise row.bad(layout, reason, f"the image {said}, {LEAVE_OUT}") from None


def _only(images: np.ndarray, kept: list[int]) -> np.ndarray:
    """The pictures at these ascending positions, moved to the front: no second array is made."""
    for k, position in enumerate(kept):
        if k != position:
            images[k] = images[position]
    return images[: len(kept)]


def _assemble(rows: list[Row], images: np.ndarray, layout: Layout, skipped: SkippedRows) -> Rows:
    """The rows as columns."""
    classes = tuple(map(clean_label, layout.classes or sorted({row.label for row in rows})))
    number = {name: k for k, name in enumerate(classes)}
    label = np.array([number[row.label] for row in rows], dtype=np.int64)
    columns = {
        "image": _or_none(images, [bool(row.file) for row in rows]),
        layout.text_name: [row.text for row in rows],
        layout.label_column: label,
        "label": label,
        "split": np.array([row.split for row in rows]),
        "file": [row.file for row in rows],
    }
    used = {layout.image_column, layout.label_column, layout.split_column, "",
            *(layout.text_columns if len(layout.text_columns) == 1 else ())}  # fmt: skip
    for name in rows[0].cells:
        if name not in used:
            free = name
            while free in columns:
                free += "_"
            columns[free] = _typed([row.cells[name] for row in rows])
    modalities = {"image": "image", "text": layout.text_name}
    return Rows(columns, classes, skipped, modalities)


def _or_none(images: np.ndarray, there: list[bool]) -> np.ndarray | list[np.ndarray | None]:
    """One array, or a list of pictures where some are absent."""
    if all(there):
        return images
    return [image if here else None for image, here in zip(images, there, strict=True)]


def _remarks(rows: list[Row], images: np.ndarray, layout: Layout) -> list[str]:
    """What looks doubtful in labels, texts and pictures."""
    file, label = [row.file for row in rows], [row.label for row in rows]
    there = _or_none(images, [bool(name) for name in file])
    text = [row.text for row in rows]
    split = [row.split for row in rows]
    empty = empty_split_remark(split, layout.proportions, layout.split_column is None)
    alike = label_remarks(Counter(sorted(label))) + two_labels(file, label)
    return (
        [empty] * bool(empty)
        + alike
        + across_splits(
            there, text, split, file, apart_advice(layout.split_column, layout.group_column)
        )
    )


def _typed(cells: list[str]) -> np.ndarray | list[str]:
    """Whole numbers as int64; everything else ("007", "1.50", "") as it stands."""
    try:
        numbers = np.array([int(cell) for cell in cells], dtype=np.int64)
    except (ValueError, OverflowError):
        return cells
    return numbers if [str(number) for number in numbers] == cells else cells
