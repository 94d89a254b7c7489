"""Pictures of two things of different colours, with captions: which colour is whose?

A caption names both: "a red ball and a blue cloud". Its *swapped* twin has the same words, and the
colours have changed places: "a blue ball and a red cloud". Whatever looks at words without their
order cannot tell the two apart. There are 200 different pairs, so captions repeat: ``meaning`` says
which rows show the same.

The 200 are 100 *twins*: two pairs that differ in whose colour is whose. ``half`` says which of each
two a row is of; a world may show one half alone, so that no caption ever meets its twin.
"""

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from course_utils.data.news_cards import add_noise
from course_utils.data.news_headlines import COLOURS
from course_utils.data.news_pictures import (
    MOTIFS,
    PLAIN,
    SIZE,
    add_clutter,
    colours,
    place_apart,
)
from course_utils.data.read_dials import is_number, is_whole, read_dials
from course_utils.data.rows import SPLITS, Rows

THINGS = ("ball", "chart", "atom", "cloud", "mountain")  # in the order of news_pictures.MOTIFS
SHARES = (0.6, 0.15, 0.25)  # of the splits
MEANINGS = tuple(
    (pair, inks)
    for pair in combinations(range(len(THINGS)), 2)
    for inks in permutations(range(len(COLOURS)), 2)
)  # ((thing, thing), (colour, colour)), things in rising order
MOST_CLUTTER = 7


def _twin(number: int) -> int:
    """The meaning with the same things, and colours that have changed places."""
    things, inks = MEANINGS[number]
    return MEANINGS.index((things, inks[::-1]))


def _halves() -> np.ndarray:
    """Of each two twins one, by chance, is of half 0 and the other of half 1: (200,) int64."""
    dice, half = np.random.default_rng(17), np.full(len(MEANINGS), -1, dtype=np.int64)
    for number in range(len(MEANINGS)):
        if half[number] < 0:
            half[number] = dice.integers(2)
            half[_twin(number)] = 1 - half[number]
    return half


HALF = _halves()  # of each meaning


@dataclass(frozen=True)
class Dials:
    """What can be turned.

    image_noise: standard deviation of the pixels' noise, as a share of white.
    clutter: number of meaningless shapes in a picture, 0 to 7.
    half: 0 or 1, for pairs of that half alone; None for all.
    """

    image_noise: float = 0.12
    clutter: int = 2
    half: int | None = None

    def __post_init__(self) -> None:
        if not is_number(self.image_noise) or not 0 <= self.image_noise < float("inf"):
            raise ValueError(f"image_noise is a number from 0 up, not {self.image_noise!r}")
        if not is_whole(self.clutter) or not 0 <= self.clutter <= MOST_CLUTTER:
            raise ValueError(f"clutter is a whole number from 0 to {MOST_CLUTTER}, not "
                             f"{self.clutter!r}")  # fmt: skip
        if self.half is not None and (not is_whole(self.half) or self.half not in (0, 1)):
            raise ValueError(f"half is 0, 1 or None, not {self.half!r}")


def make(n: int, seed: int = 0, **dials: Any) -> Rows:
    """n pictures with captions; the same n, seed and dials always give the same.

    Row i does not depend on n, so ``make(100)`` is the beginning of ``make(1000)``.

    Returns Rows: ``image`` (n, 48, 48, 3) uint8; ``caption`` and ``swapped`` lists of n strings;
    ``split`` (n,). And the truth that a model does not see: ``things`` and ``colours`` (n, 2)
    int64, indices into THINGS and COLOURS, in the order of the caption; ``meaning`` (n,) int64,
    index into MEANINGS, whichever of the two is named first; ``half`` (n,) int64, 0 or 1.

    Raises ValueError for a negative n, and for dials out of range or unknown.
    """
    dial = read_dials(Dials, dials, "two_things")
    if n < 0:
        raise ValueError(f"n is the number of pictures and cannot be {n}")
    dice = np.random.default_rng([seed, 0]).random((n, 3)).T
    drawn = np.arange(len(MEANINGS)) if dial.half is None else np.flatnonzero(dial.half == HALF)
    meaning = drawn[(len(drawn) * dice[0]).astype(np.int64)]
    turned = dice[1] < 0.5  # the second thing is named first
    pairs = np.array(MEANINGS)[meaning]  # (n, 2, 2): things, colours
    pairs[turned] = pairs[turned][:, :, ::-1]
    things, inks = pairs[:, 0], pairs[:, 1]
    images = np.empty((n, SIZE, SIZE, 3), dtype=np.uint8)
    thrown = np.random.default_rng([seed, 1]).random((n, 70)).tolist()
    placed = np.random.default_rng([seed, 2]).random((n, 11)).tolist()
    for row in range(n):
        images[row] = draw(iter(thrown[row]), iter(placed[row]), things[row], inks[row],
                           dial.clutter)  # fmt: skip
    split = np.searchsorted(np.cumsum(SHARES)[:-1], dice[2], side="right")
    columns = {
        "image": add_noise(images, dial.image_noise, seed),
        "caption": [caption(*pair) for pair in zip(things, inks, strict=True)],
        "swapped": [caption(*pair) for pair in zip(things, inks[:, ::-1], strict=True)],
        "split": np.array(SPLITS)[split],
        "things": things,
        "colours": inks,
        "meaning": meaning,
        "half": HALF[meaning],
    }
    return Rows(columns, THINGS, modalities={"image": "image", "text": "caption",
                                             "swapped": "swapped"})  # fmt: skip


def draw(dice, placing, things, inks, clutter: int) -> np.ndarray:
    """A picture (SIZE, SIZE, 3) uint8 of two things, each in a quarter of its own."""
    paper = min(colours(dice), key=sum)
    picture = Image.new("RGB", (SIZE, SIZE), paper)
    pen = ImageDraw.Draw(picture)
    add_clutter(pen, dice, clutter)
    for box, thing, ink in zip(place_apart(placing, 2, 1), things, inks, strict=True):
        MOTIFS[thing](pen, box, PLAIN[ink], paper)
    return np.asarray(picture)


def caption(things, inks) -> str:
    """ "a red ball and a blue cloud" """
    return " and ".join(f"a {COLOURS[i]} {THINGS[t]}" for t, i in zip(things, inks, strict=True))
