"""The dial: a generated table of two feature vectors, where the way they matter can be turned.

A label may depend on something that both senses hold (*redundant*), on something that one of them
holds alone (*unique*), and on the *product* of two factors, one in each sense. Each has a dial.
What a sense holds is spread over its features by a fixed rotation, so no single feature is it.

Its binary twin has two senses of one bit each and a label that is a function of them; there the
partial information (redundant, unique, synergy; ``course_utils.information``) is known exactly:
see ``TWINS`` and ``EXACT``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from course_utils.data.read_dials import read_dials
from course_utils.data.rows import SPLITS, Rows
from course_utils.information import Information

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


def two_sensors(flip: float = 0.2) -> np.ndarray:
    """P(first, second, label), (2, 2, 2), of a fair bit that two sensors report.

    Each reports the other value with the chance ``flip``, independently of the other sensor.
    """
    joint = np.zeros((2, 2, 2))
    for first, second, label in np.ndindex(joint.shape):
        chances = [1 - flip if seen == label else flip for seen in (first, second)]
        joint[first, second, label] = 0.5 * chances[0] * chances[1]
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
