"""The dial: a generated table of two feature vectors, where the way they matter can be turned.

A label may depend on something that both senses hold (*redundant*), on something that one of them
holds alone (*unique*), and on the *product* of two factors, one in each sense. Each has a dial.
What a sense holds is spread over its features by a fixed rotation, so no single feature is it.

Its binary twin has two senses of one bit each and a label that is a function of them; there the
partial information (redundant, unique, synergy) is known exactly: see ``TWINS``,
``partial_information`` and ``williams_beer``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from course_utils.data.read_dials import read_dials
from course_utils.data.rows import SPLITS, Rows

SENSES = ("first", "second")
SHARES = (0.6, 0.15, 0.25)  # of the splits
DIM = 8  # features of a sense: three hold something, mixed with five that hold nothing
DRAWS = 100_000  # over which the ceiling is averaged


@dataclass(frozen=True)
class Dials:
    """What can be turned. A row is labelled 1 where its score and some noise are above 0.

    redundant: weight in the score of a latent that both senses hold.
    unique_first, unique_second: weights of a latent that one sense holds alone.
    product: weight of the product of two factors, one in each sense.
    offset: mean of both factors, whose standard deviation is 1. At 0 their signs change freely;
        at 3 they are nearly always positive, and their product nearly a sum.
    noise: standard deviation of the noise on the score.

    Each of the four terms has mean 0 and standard deviation 1 before it is weighted.
    """

    redundant: float = 0.0
    unique_first: float = 0.0
    unique_second: float = 0.0
    product: float = 1.0
    offset: float = 0.0
    noise: float = 0.3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
                raise ValueError(f"{name} is a number, not {value!r}")
            if value < 0:
                raise ValueError(f"{name} is a number from 0 up, not {value!r}")


def make(n: int, seed: int = 0, **dials: Any) -> Rows:
    """n rows: ``first``, ``second`` (n, 8) float32, ``label`` (n,) int64, and ``split``.

    And what a model does not see: ``score`` (n,), without its noise. The rotations are the same
    for every seed. Raises ValueError for dials that do not exist or are below 0.
    """
    dial = read_dials(Dials, dials, "the dial")
    if n < 1:
        raise ValueError(f"n is the number of rows and cannot be {n}")
    rng = np.random.default_rng(seed)
    latents = draw_latents(rng, n)
    score = score_of(dial, latents)
    rows = {
        sense: (spread_out(rng, place, latents["both"], latents[sense])).astype(np.float32)
        for place, sense in enumerate(SENSES)
    }
    label = score + dial.noise * rng.standard_normal(n) > 0
    split = rng.choice(SPLITS, size=n, p=SHARES)
    return Rows(rows | {"label": label.astype(np.int64), "score": score, "split": split})


def draw_latents(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Standard normal numbers: ``both`` (n, 1), and of each sense (n, 2): unique, factor."""
    drawn = rng.standard_normal((n, 5))
    return {"both": drawn[:, :1], "first": drawn[:, 1:3], "second": drawn[:, 3:]}


def score_of(dial: Dials, latents: dict[str, np.ndarray]) -> np.ndarray:
    """The weighted sum of the four terms, (n,)."""
    (unique_first, one), (unique_second, other) = (latents[sense].T for sense in SENSES)
    product = (one + dial.offset) * (other + dial.offset) - dial.offset**2
    return (
        dial.redundant * latents["both"][:, 0]
        + dial.unique_first * unique_first
        + dial.unique_second * unique_second
        + dial.product * product / product_size(dial.offset)
    )


def product_size(offset: float) -> float:
    """Standard deviation of the product of two factors with this mean and deviation 1."""
    return (1 + 2 * offset**2) ** 0.5


def spread_out(rng: np.random.Generator, place: int, *held: np.ndarray) -> np.ndarray:
    """What a sense holds and some numbers that mean nothing, rotated into its (n, 8) features."""
    known = np.hstack(held)
    nothing = rng.standard_normal((len(known), DIM - known.shape[1]))
    return np.hstack([known, nothing]) @ rotation(place)


def rotation(place: int) -> np.ndarray:
    """A fixed random rotation of the features of a sense, (8, 8)."""
    return np.linalg.qr(np.random.default_rng([5, place]).standard_normal((DIM, DIM)))[0]


def ceiling(**dials: Any) -> dict[str, float]:
    """The best accuracy that any model could reach from ``first``, ``second`` and ``both``.

    The chance of the likelier label is known exactly for each row; it is averaged over 100,000
    rows, always the same, which leaves an error of about 0.001. ``chance``: the commoner label.
    """
    dial = read_dials(Dials, dials, "the dial")
    latents = draw_latents(np.random.default_rng(0), DRAWS)
    shown = {"both": (score_of(dial, latents), np.full(DRAWS, dial.noise))}
    for sense in SENSES:
        shown[sense] = seen_by_one(dial, latents, sense)
    chances = {reader: chance_above_0(*parts) for reader, parts in shown.items()}
    best = {reader: float(np.maximum(p, 1 - p).mean()) for reader, p in chances.items()}
    share = float(chances["both"].mean())
    return {"chance": max(share, 1 - share), **{who: best[who] for who in (*SENSES, "both")}}


def seen_by_one(
    dial: Dials, latents: dict[str, np.ndarray], sense: str
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the noisy score for a reader of one sense, (n,) each.

    Given that sense the score is linear in what the other holds, so it is normal.
    """
    hidden = {"first": "second", "second": "first"}[sense]
    known = latents | {hidden: np.zeros_like(latents[hidden])}
    slope = dial.product * (latents[sense][:, 1] + dial.offset) / product_size(dial.offset)
    unique = getattr(dial, f"unique_{hidden}")
    return score_of(dial, known), np.sqrt(slope**2 + unique**2 + dial.noise**2)


def chance_above_0(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """P(a normal number with this mean and deviation is above 0), (n,)."""
    ratio = mean / np.maximum(deviation, 1e-12) / 2**0.5
    return 0.5 * (1 + np.vectorize(math.erf)(ratio))


# --- the binary twin ------------------------------------------------------------------------------


class Information(NamedTuple):
    """What two senses tell about a label, in bits, in four parts that sum to I(label; both)."""

    redundant: float
    unique_first: float
    unique_second: float
    synergy: float


def from_rule(rule: Callable[[int, int], int], labels: int = 2) -> np.ndarray:
    """P(first, second, label), (2, 2, labels), for two fair, independent bits and a rule."""
    joint = np.zeros((2, 2, labels))
    for first in (0, 1):
        for second in (0, 1):
            joint[first, second, rule(first, second)] = 0.25
    return joint


def both_equal() -> np.ndarray:
    """P(first, second, label), (2, 2, 2), of one fair bit that stands in all three places."""
    joint = np.zeros((2, 2, 2))
    joint[0, 0, 0] = joint[1, 1, 1] = 0.5
    return joint


# P(first, second, label) of each twin. In "pair" the label names both bits, so it has four values.
TWINS = {
    "xor": from_rule(lambda first, second: first ^ second),
    "and": from_rule(lambda first, second: first & second),
    "or": from_rule(lambda first, second: first | second),
    "copy": from_rule(lambda first, second: first),
    "equal": both_equal(),
    "pair": from_rule(lambda first, second: 2 * first + second, labels=4),
}
QUARTER = 1.5 - 0.75 * math.log2(3)  # I(AND; one of its bits) = 0.311 bit
EXACT = {
    "xor": Information(0, 0, 0, 1),
    "and": Information(QUARTER, 0, 0, 0.5),
    "or": Information(QUARTER, 0, 0, 0.5),
    "copy": Information(0, 1, 0, 0),
    "equal": Information(1, 0, 0, 0),
    "pair": Information(0, 1, 1, 0),  # Williams and Beer: (1, 0, 0, 1)
}


def draw_twin(name: str, n: int, seed: int = 0) -> Rows:
    """n rows of a binary twin: ``first``, ``second`` and ``label``, (n,) int64 each."""
    if name not in TWINS:
        raise ValueError(f"there is no twin {name!r}; there are {', '.join(TWINS)}")
    joint = TWINS[name]
    drawn = np.random.default_rng(seed).choice(joint.size, size=n, p=joint.ravel())
    names = (*SENSES, "label")
    return Rows(zip(names, np.unravel_index(drawn, joint.shape), strict=True))


def partial_information(joint: np.ndarray) -> Information:
    """Redundant, unique and synergistic information of two bits about a label, in bits.

    joint: P(first, second, label), (2, 2, labels), sum 1. The measure is the one of Bertschinger,
    Rauh, Olbrich, Jost and Ay, Quantifying unique information, Entropy 16(4), 2014 (BROJA):
    synergy is what is lost where the senses keep each its own relation to the label, and their
    relation to each other is chosen such that together they tell least. Found to about 1e-7.

    Raises ValueError for another shape, and for numbers that are no probabilities.
    """
    joint = probabilities(joint)
    total = information(joint.reshape(4, -1))
    least = information(least_telling(joint).reshape(4, -1))
    first, second = information(joint.sum(axis=1)), information(joint.sum(axis=0))
    parts = (first + second - least, least - second, least - first, total - least)
    return Information(*(max(float(part), 0.0) for part in parts))


def williams_beer(joint: np.ndarray) -> Information:
    """The same four parts by the first measure: Williams and Beer, 2010, arXiv:1004.2515.

    There, redundant is the mean over labels of what the less telling sense says about that label,
    even where the two tell different things.
    """
    joint = probabilities(joint)
    first, second = joint.sum(axis=1), joint.sum(axis=0)
    both = np.minimum(about_each_label(first), about_each_label(second))
    redundant = float(joint.sum(axis=(0, 1)) @ both)
    unique = [information(one) - redundant for one in (first, second)]
    synergy = information(joint.reshape(4, -1)) - redundant - sum(unique)
    return Information(redundant, *(max(float(part), 0.0) for part in (*unique, synergy)))


def probabilities(joint: np.ndarray) -> np.ndarray:
    """The table as floats, or a sentence on what is wrong with it."""
    joint = np.asarray(joint, dtype=float)
    if joint.ndim != 3 or joint.shape[:2] != (2, 2):
        raise ValueError(f"joint is P(first, second, label), (2, 2, labels), not {joint.shape}")
    if (joint < 0).any() or not math.isclose(joint.sum(), 1, abs_tol=1e-9):
        raise ValueError(f"joint holds probabilities that sum to 1; these sum to {joint.sum():g}")
    return joint


def information(table: np.ndarray) -> float:
    """Mutual information in bits of the rows and columns of P(row, column)."""
    rows, columns = np.nonzero(table > 0)
    joint, row, column = table[rows, columns], table.sum(axis=1)[rows], table.sum(axis=0)[columns]
    # Logarithms one by one: the product of two very small shares would be 0.
    return float((joint * (np.log2(joint) - np.log2(row) - np.log2(column))).sum())


def about_each_label(table: np.ndarray) -> np.ndarray:
    """What a sense says about each label, in bits: P(seen, label) (2, labels) -> (labels,)."""
    label = table.sum(axis=0)
    told = []
    for column, share in zip(table.T, label, strict=True):
        there = column > 0
        seen = table.sum(axis=1)[there]
        given = column[there] / (share or 1.0)
        bits = np.log2(column[there]) - np.log2(seen) - np.log2(share) if there.any() else 0.0
        told.append(float((given * bits).sum()))
    return np.array(told)


def least_telling(joint: np.ndarray, rounds: int = 200) -> np.ndarray:
    """The joint that tells least of all with the same P(first, label) and P(second, label).

    With two bits one number a label is free: how much of it has both bits at 1. Information is
    convex in these numbers, so each in turn is moved to its best place until none moves.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and of use only here

    first, second = joint[1].sum(axis=0), joint[:, 1].sum(axis=0)  # P(bit is 1, label)
    share = joint.sum(axis=(0, 1))
    low = np.maximum(0, first + second - share)
    high = np.maximum(low, np.minimum(first, second))  # not below it by a rounding error
    ones = (low + high) / 2

    def rebuilt(ones: np.ndarray) -> np.ndarray:
        table = np.array([[share - first - second + ones, second - ones], [first - ones, ones]])
        return np.maximum(table, 0)

    def told(ones: np.ndarray, label: int, value: float) -> float:
        moved = np.where(np.arange(len(ones)) == label, value, ones)
        return information(rebuilt(moved).reshape(4, -1))

    for _ in range(rounds):
        before = ones.copy()
        for label in range(len(ones)):
            ones[label] = minimize_scalar(
                lambda value, at=label: told(ones, at, value),
                bounds=(low[label], high[label]),
                method="bounded",
                options={"xatol": 1e-12},
            ).x
        if np.abs(ones - before).max() < 1e-12:
            break
    return rebuilt(ones)
