"""Generated headlines that name two sections, one after the other: they are about the first.

Nouns of one section stand before nouns of another. Which two sections these are is told by the
words; which of them the headline is about, the label, by their order alone. Every headline has a
*twin* in which the two groups of nouns change places, in the same split, so whatever looks at words
without their order is right on one of the two at most.

``two_sections`` is the dial between this and a world in which words are enough: the headlines that
do not name two sections name one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from course_utils.data.news_headlines import ADJECTIVES, LINKS, NEUTRAL_WORDS, SECTION_WORDS, pick
from course_utils.data.read_dials import read_dials
from course_utils.data.rows import SPLITS, Rows

SECTIONS = ("sport", "business", "science", "weather", "travel")
SHARES = (0.6, 0.15, 0.25)  # of the splits
MOST_NOUNS = 3  # of each group
THROWS = 40  # for a headline and its twin


@dataclass(frozen=True)
class Dials:
    """What can be turned in the world of two sections. Rates are shares in [0, 1].

    two_sections: share of headlines that name two sections; the others name one.
    nouns: nouns of each group, 1 to 3.
    label_noise: share of headlines whose label is replaced by another section.
    """

    two_sections: float = 1.0
    nouns: int = 2
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("two_sections", "label_noise"):
            share = getattr(self, name)
            if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share <= 1:
                raise ValueError(f"{name} is a share: give a number from 0 to 1, not {share!r}")
        count = self.nouns
        if (
            isinstance(count, bool)
            or not isinstance(count, Integral)
            or not 1 <= count <= MOST_NOUNS
        ):
            raise ValueError(f"nouns is a whole number from 1 to {MOST_NOUNS}, not {count!r}")


def make(n: int, seed: int = 0, **dials: Any) -> Rows:
    """Make n headlines, each next to its twin; the same n, seed and dials always give the same.

    Headline i does not depend on n, so ``make(100)`` is the beginning of ``make(1000)``.

    Returns Rows: ``headline`` list of n strings of 3 to 19 words; ``label`` (n,) int64, index into
    SECTIONS; ``split`` (n,) of "train", "validation", "test". And the truth that a model does not
    see: ``first`` and ``second`` (n,) int64, the sections of the two groups of nouns, equal where
    one section is named; ``pair`` (n,) int64, the same number for a headline and its twin.

    Raises ValueError when n is not a positive even number, and for dials out of range or unknown.
    """
    dial = read_dials(Dials, dials, "first_named")
    if n < 2 or n % 2:
        raise ValueError(f"n is a positive even number, since headlines come in pairs, not {n}")
    pairs = n // 2
    dice = np.random.default_rng([seed, 0]).random((pairs, 7)).T
    one = (5 * dice[0]).astype(int)
    other = np.where(dice[1] < dial.two_sections, (one + 1 + (4 * dice[2]).astype(int)) % 5, one)
    first = np.stack([one, other], axis=1).reshape(-1)
    second = np.stack([other, one], axis=1).reshape(-1)
    wrong = dice[3:5].T.reshape(-1) < dial.label_noise
    steps = 1 + (4 * dice[5:7]).astype(int).T.reshape(-1)
    split = np.array(SPLITS)[np.random.default_rng([seed, 1]).choice(3, size=pairs, p=SHARES)]
    headlines: list[str] = []
    throws = np.random.default_rng([seed, 2]).random((pairs, THROWS)).tolist()
    for row, numbers in enumerate(throws):
        headlines += write_pair(iter(numbers), int(one[row]), int(other[row]), dial.nouns)
    columns = {
        "headline": headlines,
        "label": np.where(wrong, (first + steps) % 5, first),
        "split": np.repeat(split, 2),
        "first": first,
        "second": second,
        "pair": np.repeat(np.arange(pairs), 2),
    }
    return Rows(columns, SECTIONS, modalities={"text": "headline"})


def write_pair(dice: Iterator[float], one: int, other: int, nouns: int) -> tuple[str, str]:
    """A headline that names ``one`` before ``other``, and its twin, of the same words."""
    first = choose_nouns(dice, one, nouns)
    second = choose_nouns(dice, other, nouns, without=first)
    places = 2 * nouns + int(2 * next(dice))  # sometimes a noun of no section, anywhere
    neutral = int(places * next(dice)) if places > 2 * nouns else None
    word = pick(NEUTRAL_WORDS, dice)
    links = [pick(LINKS, dice) for _ in range(places)]
    adjectives = [pick(ADJECTIVES, dice) if next(dice) < 0.2 else "" for _ in range(places)]

    def told(chain: list[str]) -> str:
        if neutral is not None:
            chain.insert(neutral, word)
        words: list[str] = []
        for place, noun in enumerate(chain):
            words += [links[place]] * (place > 0) + [adjectives[place]] + [noun]
        return " ".join(filter(None, words))

    return told(first + second), told(second + first)


def choose_nouns(
    dice: Iterator[float], section: int, count: int, without: list[str] = ()
) -> list[str]:
    """Different nouns of one section, none of ``without``."""
    left = [word for word in SECTION_WORDS[section] if word not in without]
    return [left.pop(int(len(left) * next(dice))) for _ in range(count)]


def ceiling(**dials: Any) -> dict[str, float]:
    """The best accuracy that any model could reach, computed exactly.

    ``words``: by a reader who knows which words a headline has, not their order; ``order``: by one
    who knows both. ``chance`` is what always naming one section gives.

    Raises ValueError for dials out of range or unknown.
    """
    dial = read_dials(Dials, dials, "first_named")
    right, wrong = 1 - dial.label_noise, dial.label_noise / 4
    whole = max(right, wrong)
    half = max((right + wrong) / 2, wrong)
    words = dial.two_sections * half + (1 - dial.two_sections) * whole
    return {"chance": 1 / len(SECTIONS), "words": words, "order": whole}
