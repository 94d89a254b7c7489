"""Rows: columns by name, and what belongs to them. Every data set of the course comes as ``Rows``.

A column is an array or a list with one entry for each row. An entry that is ``None`` (in an array
of numbers: NaN) is absent: a card without a picture, a text that nobody wrote, an empty cell.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from course_utils.data.look_alikes import (
    clean_label,
    counted_rows,
    joined_remarks,
    label_remarks,
    one_name_each,
)

SPLITS = ("train", "validation", "test")


class BadData(ValueError):
    """Data that cannot be used, in one sentence: what is wrong, where, and what to do.

    ``reason`` names the kind of fault in two or three words, ``line`` is the line of the table
    (1 is the header; 0 where no line is to blame), ``file`` the picture as the table names it.
    """

    def __init__(self, sentence: str, reason: str = "", line: int = 0, file: str = ""):
        super().__init__(sentence)
        self.reason, self.line, self.file = reason, line, file


class SkippedRow(NamedTuple):
    """A row that was left out: its line, its file, the kind of fault, and the sentence."""

    line: int
    file: str
    reason: str
    sentence: str


class SkippedRows(list[SkippedRow]):
    """The rows that were left out. ``str`` of it is a summary, ``counts`` the reasons' counts."""

    @property
    def counts(self) -> Counter[str]:
        """How many rows were left out for each reason."""
        return Counter(row.reason for row in self)

    def __str__(self) -> str:
        if not self:
            return "no row was left out"
        lines = defaultdict(list)
        for row in self:
            lines[row.reason].append(row.line)
        parts = [f"{len(lines[reason])} {reason} ({_lines(lines[reason])})"
                 for reason, _ in self.counts.most_common()]  # fmt: skip
        return f"left out {len(self)} row{'s' * (len(self) > 1)}: {', '.join(parts)}"


def _lines(lines: list[int]) -> str:
    few = ", ".join(str(line) for line in lines[:3]) + (", ..." if len(lines) > 3 else "")
    return f"line{'s' * (len(lines) > 1)} {few}"


class Rows(dict[str, Any]):
    """Columns by name, each with one entry for each row, and four things beside them.

    classes: the names of the labels; label k of the column ``label`` is ``classes[k]``.
    skipped: the rows that were left out, and why; ``print(rows.skipped)`` sums them up.
    modalities: {modality: its column}, as {"image": "image", "text": "headline"}, so that a
        reader or a figure finds the pictures and the texts whatever their columns are called.
    remarks: sentences on what looks doubtful in the data, as labels that look alike.
    """

    def __init__(
        self,
        columns: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        classes: Iterable[str] = (),
        skipped: Iterable[SkippedRow] = (),
        modalities: Mapping[str, str] | None = None,
        remarks: Iterable[str] = (),
    ):
        super().__init__(columns)
        self.classes, self.skipped = tuple(classes), SkippedRows(skipped)
        self.modalities, self.remarks = dict(modalities or {}), [*remarks]

    def with_columns(self, columns: Mapping[str, Any]) -> "Rows":
        """These rows with exactly these columns; what stands beside them stays."""
        return Rows(columns, self.classes, self.skipped, self.modalities, self.remarks)

    def __or__(self, more: Mapping[str, Any]) -> "Rows":
        """These rows with columns added or replaced."""
        return self.with_columns({**self, **more})

    def copy(self) -> "Rows":
        """A shallow copy, with what stands beside the columns."""
        return self.with_columns(self)

    def labelled(self, column: str, classes: Iterable[str] | None = None) -> "Rows":
        """These rows with ``label`` and ``classes`` taken from another column, of words or numbers.

        column: its entries become the classes; rows where it is empty are left out, with a remark.
        classes: their names in the order that you want; all that occur, sorted, if None.

        Raises ValueError for a column that is not there, for an entry that is none of ``classes``,
        and where every entry is empty.
        """
        labels = [_as_label(entry) for entry in named_column(self, column)]
        here = [row for row, label in enumerate(labels) if label]
        if not here:
            raise ValueError(f"the column {column!r} is empty in every row; name another one")
        names = one_name_each((labels[row] for row in here), classes or ())
        named = [names[labels[row]] for row in here]
        order = tuple(classes) if classes else tuple(sorted({*named}, key=_by_number))
        if unknown := sorted({*named} - {*order}):
            raise ValueError(f"the column {column!r} holds {unknown[0]!r}, which is none of the "
                             f"classes {', '.join(order)}; name it, or leave such rows out with "
                             "take(rows, ...)")  # fmt: skip
        rows = self if len(here) == len(labels) else take(self, here)
        number = {name: k for k, name in enumerate(order)}
        rows = rows | {"label": np.array([number[name] for name in named], dtype=np.int64)}
        rows.classes = order
        if gone := len(labels) - len(here):
            rows.remarks.append(f"{counted_rows(gone)} without {column!r} left out")
        rows.remarks += joined_remarks(names) + label_remarks(Counter(named))
        return rows


def _as_label(entry: Any) -> str:
    """An entry as the name of a class; "" where it is empty."""
    if _is_absent(entry):
        return ""
    whole = isinstance(entry, float | np.floating) and float(entry).is_integer()
    return clean_label(str(int(entry) if whole else entry))


def _by_number(name: str) -> tuple[bool, float, str]:
    """Sorts names that are numbers by their size, before those that are words."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def count_rows(rows: Mapping[str, Any]) -> int:
    """How many rows there are.

    Raises ValueError where the columns disagree, or where there is none.
    """
    counts = {name: len(column) for name, column in rows.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"every column needs the same number of rows; they have {counts}")
    return next(iter(counts.values()))


def take(rows: Mapping[str, Any], index: Any) -> Rows:
    """Some rows, by position or by a truth value for each row, of every column.

    index: an array, a tensor or a list of positions, or of n truth values.
    Returns Rows; what stands beside the columns stays. Of rows that follow each other, arrays are
    views, as of a slice: the pictures of a split are not held twice.

    Raises ValueError for truth values that are not one for each row.
    """
    index = _positions(np.asarray(index), rows)
    some = _as_slice(index)
    columns = {
        name: column[some] if isinstance(column, np.ndarray) else [column[i] for i in index]
        for name, column in rows.items()
    }
    return rows.with_columns(columns) if isinstance(rows, Rows) else Rows(columns)


def _positions(index: np.ndarray, rows: Mapping[str, Any]) -> np.ndarray:
    if index.dtype != bool:
        return index.astype(np.intp, casting="same_kind" if index.size else "unsafe")
    if index.shape != (count_rows(rows),):
        raise ValueError(f"{count_rows(rows)} rows need as many truth values, not {index.shape}")
    return np.flatnonzero(index)


def _as_slice(index: np.ndarray) -> np.ndarray | slice:
    """Positions that follow each other as a slice."""
    if not index.size or index.ndim != 1 or index[0] < 0 or (np.diff(index) != 1).any():
        return index
    return slice(int(index[0]), int(index[-1]) + 1)


def split_rows(rows: Mapping[str, Any]) -> dict[str, Rows]:
    """The rows of each split, by their column ``split``: {"train": ..., "validation": ..., ...}.

    Raises ValueError for a split that is none of the three: its rows would be lost.
    """
    split = np.asarray(rows["split"])
    if unknown := sorted(set(split.tolist()) - set(SPLITS)):
        raise ValueError(f"a split is {', '.join(SPLITS[:2])} or {SPLITS[2]}, not {unknown[0]!r}")
    return {name: take(rows, split == name) for name in SPLITS}


def named_column(rows: Mapping[str, Any], name: str) -> Any:
    """The column of this very name. Raises ValueError with the columns that are there."""
    if name not in rows:
        raise ValueError(f"the rows have no column {name!r}; they have {', '.join(rows)}")
    return rows[name]


def column_of(rows: Mapping[str, Any], modality: str) -> str:
    """The column that holds a modality: the one that the rows name, else one of its own name.

    Raises ValueError with the columns that are there.
    """
    column = getattr(rows, "modalities", {}).get(modality, modality)
    if column not in rows:
        raise ValueError(
            f"the rows have no column {column!r} for {modality!r}; they have {', '.join(rows)}; "
            "say which one is meant"
        )
    return column


def present_in(column: Any) -> np.ndarray:
    """Which entries of a column are there, (n,) bool: not None, not NaN, not an array of NaN."""
    if isinstance(column, np.ndarray) and column.dtype != object:
        if column.dtype.kind == "f":
            return ~np.isnan(column).all(axis=tuple(range(1, column.ndim)))
        return np.ones(len(column), dtype=bool)
    return np.array([not _is_absent(entry) for entry in column], dtype=bool)


def _is_absent(entry: Any) -> bool:
    return entry is None or (isinstance(entry, (float, np.floating)) and bool(np.isnan(entry)))
