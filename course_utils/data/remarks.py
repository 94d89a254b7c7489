"""What looks doubtful in the rows of a folder: sentences, not errors.

A score on test rows that stood in training too is a score for memory.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from course_utils.data.rows import SPLITS
from course_utils.data.text import tokenize

SIDE = 12  # points a side; only pictures that agree in them are compared whole


def apart_advice(split_column: str | None = None, group_column: str | None = None) -> str:
    """What to do about rows that stand in two splits: what was not asked for already."""
    if group_column:
        return f"they stand in different groups of {group_column!r}: remove them, or give them one"
    divide = "" if split_column is None else "split_column=None and "
    return f"remove them, or keep near rows in one split with {divide}group_column=..."


def across_splits(
    images: Sequence[np.ndarray | None],
    texts: Sequence[str | None],
    split: Sequence[str],
    file: Sequence[str],
    advice: str | None = None,
) -> list[str]:
    """Sentences on validation and test rows whose picture or text stands in an earlier split.

    images: (H, W, 3) uint8 each; texts: compared token by token; file: the pictures' names;
    advice: what to do about them, ``apart_advice()`` by default.
    """
    advice = advice or apart_advice()
    remarks = []
    if rows := _repeated(_picture_keys(images, split), split):
        again = len({file[row] for row in rows})
        remarks.append(f"{_count(again, 'picture')} of validation or test {_stand(again)} in "
                       f"another split too (as {file[rows[0]]}): a model may know them by heart; "
                       f"{advice}")  # fmt: skip
    words = [tuple(tokenize(text)) if text else None for text in texts]
    if rows := _repeated([one or None for one in words], split):
        remarks.append(f"{_count(len(rows), 'text')} of validation or test {_stand(len(rows))} "
                       f"word for word in another split too (as {texts[rows[0]][:60]!r}); "
                       f"{advice}")  # fmt: skip
    return remarks


def _picture_keys(images: Sequence[np.ndarray | None], split: Sequence[str]) -> list[bytes | None]:
    """A hash of each picture of which some points stand in several splits; None for the others."""
    points = [None if image is None else _some_points(image) for image in images]
    splits_of = defaultdict(set)
    for key, name in zip(points, split, strict=True):
        splits_of[key].add(name)
    return [
        hashlib.sha256(image.tobytes()).digest() if key and len(splits_of[key]) > 1 else None
        for key, image in zip(points, images, strict=True)
    ]


def _some_points(image: np.ndarray) -> bytes:
    step = [max(1, side // SIDE) for side in image.shape[:2]]
    return image[:: step[0], :: step[1]].tobytes()


def _repeated(keys: Sequence[Hashable | None], split: Sequence[str]) -> list[int]:
    """The rows whose key an earlier split has."""
    earlier: set[Hashable] = set()
    again = []
    for name in SPLITS:
        own = [row for row, of in enumerate(split) if of == name and keys[row] is not None]
        again += [row for row in own if keys[row] in earlier]
        earlier |= {keys[row] for row in own}
    return again


def two_labels(file: Sequence[str], label: Sequence[str]) -> list[str]:
    """A sentence on pictures that stand under more than one label."""
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for name, own in zip(file, label, strict=True):
        if name:
            labels[name][own] += 1
    if not (several := [name for name in labels if len(labels[name]) > 1]):
        return []
    example = ", ".join(map(repr, sorted(labels[several[0]])))
    return [f"{_count(len(several), 'picture')} {_stand(len(several))} under more than one label "
            f"({several[0]}: {example}): a model of one label can learn one of them; keep the "
            "right row"]  # fmt: skip


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _stand(number: int) -> str:
    return "stands" if number == 1 else "stand"
