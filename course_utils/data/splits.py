"""Which rows train, which validate, which test: the division of a table that has none.

A division rests on a hash of the pictures' names, so that the same rows are divided alike on every
machine and in any order, and a row that comes in later moves no other class.
"""

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

from course_utils.data.layout import PROPORTIONS, Layout, Row
from course_utils.data.look_alikes import clean_label, counted_rows
from course_utils.data.rows import SPLITS, BadData
from course_utils.data.table import LEAVE_OUT, Sieve

SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "val", "valid", "validate", "dev", "development"),
    "test": ("test", "testing", "tst"),
}
SPLIT_CALLED = {alias: name for name, aliases in SPLIT_WORDS.items() for alias in aliases}
Proportions = tuple[float, float, float]

# --- the splits of a table --------------------------------------------------------------------


def in_splits(rows: list[Row], layout: Layout, sieve: Sieve, remarks: list[str]) -> list[Row]:
    """The rows, each with its split."""
    if layout.split_column is None:
        _divide(rows, layout, layout.proportions)
        return rows
    rows = _translate(rows, layout, sieve, remarks)
    if not any(row.split == "validation" for row in rows):
        _validation_from_train(rows, layout, remarks)
    return rows


def _translate(rows: list[Row], layout: Layout, sieve: Sieve, remarks: list[str]) -> list[Row]:
    """The rows whose word for a split is known."""
    own = {clean_label(str(word)).lower(): name for word, name in layout.split_words.items()}
    known = {**SPLIT_CALLED, **own}
    words = {id(row): clean_label(row.cells[layout.split_column]) for row in rows}
    unknown = Counter(word for word in words.values() if word.lower() not in known)

    def judge(row: Row) -> None:
        if (word := words[id(row)]) in unknown:
            raise _unknown_split(layout, row, word, unknown[word])
        row.split = known[word.lower()]

    if rows and not any(known.get(word.lower()) == "train" for word in words.values()):
        raise _no_training_row(layout, Counter(words.values()))
    kept = [row for row, _ in sieve(judge, rows)]
    if named := [word for word in unknown if word]:
        count = counted_rows(sum(unknown[word] for word in named))
        remarks.append(f"{count} left out because {layout.split_column!r} holds "
                       f"{', '.join(map(repr, named[:3]))}; say what each means, "
                       f"{_way_out(named)}")  # fmt: skip
    return kept


def _unknown_split(layout: Layout, row: Row, word: str, count: int) -> BadData:
    if not word:
        return row.bad(layout, "unknown split", f"the cell {layout.split_column!r} is empty, which "
                       f"is none of {', '.join(SPLITS)}; fill it in, {LEAVE_OUT}")  # fmt: skip
    return row.bad(layout, "unknown split", f"the split {word!r} ({counted_rows(count)}) is none "
                   f"of {', '.join(SPLITS)}; say which it is, {_way_out([word])}, or correct "
                   f"it, {LEAVE_OUT}")  # fmt: skip


def _no_training_row(layout: Layout, words: Counter[str]) -> BadData:
    held = ", ".join(f"{word!r} ({counted_rows(n)})" for word, n in words.most_common(4))
    return layout.bad("no training row", f"no row of the column {layout.split_column!r} is train; "
                      f"it holds {held}; say which word means it, {_way_out([*words], 'train')}, "
                      "or pass split_column=None to have the rows divided")  # fmt: skip


def _way_out(words: list[str], meant: str = "test") -> str:
    said = ", ".join(f'"{word}": "{meant}"' for word in words[:3])
    others = " or ".join(f'"{name}"' for name in SPLITS if name != meant)
    return f"as split_words={{{said}}} (or {others})"


def _divide(rows: list[Row], layout: Layout, proportions: Proportions) -> None:
    """Give every row a split; one without a picture goes by its text."""
    names = [row.file or f"text: {row.text}" for row in rows]
    group = layout.group_column
    groups = [row.cells[group] for row in rows] if group else None
    try:
        labels = [row.label for row in rows]
        own = divide(names, labels, groups, proportions, layout.split_seed)
    except ValueError as fault:
        raise layout.bad("too few groups", f"the column {group!r} cannot divide the rows: {fault}"
                         ) from None  # fmt: skip
    for row, split in zip(rows, own, strict=True):
        row.split = split


def _validation_from_train(rows: list[Row], layout: Layout, remarks: list[str]) -> None:
    """A table with train and test alone: validation rows are taken from the training rows."""
    train = [row for row in rows if row.split == "train"]
    share = PROPORTIONS[1] / (PROPORTIONS[0] + PROPORTIONS[1])
    _divide(train, layout, (1 - share, share, 0))
    if taken := sum(row.split == "validation" for row in train):
        remarks.append(f"no row of the column {layout.split_column!r} is validation, so {taken} of "
                       f"its {len(train)} train rows were taken for it")  # fmt: skip


def learnable(rows: list[Row], layout: Layout, sieve: Sieve) -> list[Row]:
    """The rows whose label occurs in a training row: no model can learn the others."""
    trained = {row.label for row in rows if row.split == "train"}

    def judge(row: Row) -> None:
        if row.label not in trained:
            raise row.bad(layout, "label not in training", f"no training row has the label "
                          f"{row.label!r} of this {row.split} row; move one of its rows to "
                          f"train, {LEAVE_OUT}")  # fmt: skip

    return [row for row, _ in sieve(judge, rows)]


# --- a division -------------------------------------------------------------------------------


def divide(
    pictures: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    proportions: Proportions = (0.7, 0.1, 0.2),
    seed: int = 0,
) -> list[str]:
    """The split of each row. Rows of one picture, and of one group, stay together.

    pictures: a name for each row, the picture's; labels: its class; groups: its group, or "".
    proportions: of train, validation and test. Without groups they hold in each class; with them
        as nearly as whole groups allow, over all classes at once.
    seed: another one gives another division.

    Raises ValueError where there are fewer groups than splits that are to get rows.
    """
    together = _together(pictures, groups)
    rows_of = defaultdict(list)
    for row, unit in enumerate(together):
        rows_of[unit].append(row)
    units = sorted(rows_of.values(), key=lambda rows: _hash(min(pictures[r] for r in rows), seed))
    parts = (_by_class if groups is None else _by_group)(units, labels, proportions)
    splits = [""] * len(pictures)
    for name, part in zip(SPLITS, parts, strict=True):
        for row in (row for unit in part for row in unit):
            splits[row] = name
    return splits


def _hash(name: str, seed: int) -> bytes:
    """Of the name in one normal form: a file's name may change its form on another system."""
    name = unicodedata.normalize("NFC", name)
    name = f"{seed}\0{name}" if seed else name
    return hashlib.sha256(name.encode(errors="surrogatepass")).digest()


def _together(pictures: Sequence[str], groups: Sequence[str] | None) -> list[Hashable]:
    """For each row a name of the rows that it stays with: over its picture, over its group."""
    if groups is None:
        return [*pictures]
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def top(name: tuple[str, str]) -> tuple[str, str]:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = parent[above]
            name = above
        return name

    for picture, group in zip(pictures, groups, strict=True):
        if group.strip():
            parent[top(("picture", picture))] = top(("group", group.strip()))
    return [top(("picture", picture)) for picture in pictures]


Units = list[list[int]]


def _by_class(units: Units, labels: Sequence[str], proportions: Proportions) -> list[Units]:
    """Of each class its shares, in the order of the units; a mixed unit goes with most of it."""
    by_label = defaultdict(list)
    for unit in units:
        counts = Counter(labels[row] for row in unit)
        by_label[min(counts, key=lambda label: (-counts[label], label))].append(unit)
    parts: list[Units] = [[], [], []]
    for members in by_label.values():
        test, validation = (round(proportions[k] * len(members)) for k in (2, 1))
        test = min(test, len(members) - 1)  # one at least trains, or nobody learns the class
        validation = min(validation, len(members) - 1 - test)
        for place, unit in enumerate(members):
            parts[2 if place < test else 1 if place < test + validation else 0].append(unit)
    return parts


def _by_group(units: Units, labels: Sequence[str], proportions: Proportions) -> list[Units]:
    """Unit by unit to where its classes are shortest of their share."""
    wanted = [k for k in range(3) if proportions[k] > 0]
    if len(units) < len(wanted):
        raise ValueError(f"there are {len(units)} groups for {len(wanted)} splits; name a column "
                         "of more groups, or give a split the proportion 0")  # fmt: skip
    whole, held = Counter(labels), [Counter(), Counter(), Counter()]
    parts: list[Units] = [[], [], []]
    for unit in units:
        counts = Counter(labels[row] for row in unit)

        def fill(k: int, counts: Mapping[str, int] = counts) -> float:
            shares = ((held[k][c] + n / 2) / whole[c] * n for c, n in counts.items())
            return sum(shares) / proportions[k]

        best = min(wanted, key=fill)
        held[best] += counts
        parts[best].append(unit)
    _fill_empty(parts, wanted)
    return parts


def _fill_empty(parts: list[Units], wanted: Sequence[int]) -> None:
    """Give an empty part the smallest unit of the part that has most units."""
    for k in wanted:
        if not parts[k]:
            richest = max(parts, key=len)
            parts[k].append(richest.pop(richest.index(min(richest, key=len))))


def empty_split_remark(
    splits: Sequence[str], proportions: Proportions = (0.7, 0.1, 0.2), divided: bool = True
) -> str | None:
    """A sentence where a split has no row, though it was to get some; else None.

    divided: whether ``divide`` made the splits, and not a column of the table.
    """
    asked = [name for name, share in zip(SPLITS, proportions, strict=True) if share or not divided]
    if not (empty := [name for name in asked if name not in splits]):
        return None
    if not divided:
        return (f"no row is {' or '.join(empty)}, and validation rows choose, test rows judge; "
                "name words that mean them in split_words={...}, or pass split_column=None to have "
                "all rows divided")  # fmt: skip
    needed = ", ".join(f"{_fewest(proportions[SPLITS.index(name)])} for {name}" for name in empty)
    return (f"no row is {' or '.join(empty)}: each class is divided for itself, and the largest "
            f"is too small (a class needs {needed}); add rows, or give larger proportions=(train, "
            "validation, test)")  # fmt: skip


def _fewest(share: float) -> int:
    """How many pictures a class needs until this share of it is one."""
    return next(n for n in range(1, 10**6) if round(share * n) >= 1) if share > 2e-6 else 0
