"""What two senses tell about a label, in bits: entropy, mutual information, and their parts.

A table of probabilities goes in, a number of bits comes out; nothing is estimated from rows here.
Two different questions have answers here. *Synergy* belongs to the data: what the senses tell
together beyond what each could tell. *Interaction* belongs to a model: what no sum g(a) + h(b) can
say, however it is trained; see ``bits_lost_by_adding``.
"""

import math
from typing import NamedTuple

import numpy as np


def entropy(shares: np.ndarray) -> float:
    """The entropy of a table of probabilities of any shape, in bits; 0 log 0 counts as 0.

    Shannon, A Mathematical Theory of Communication, Bell System Technical Journal 27, 1948.

    Raises ValueError for numbers that are negative or do not sum to 1.
    """
    held = _checked(shares)
    held = held[held > 0]
    return max(float(-(held * np.log2(held)).sum()), 0.0)  # no minus sign before 0


def interaction_information(joint: np.ndarray) -> float:
    """I(label; both) - I(label; first) - I(label; second), in bits; it may be negative.

    joint: P(first, second, label), (I, J, K), sum 1. It is synergy less redundancy. McGill,
    Multivariate information transmission, Psychometrika 19, 1954.

    Raises ValueError for another shape, and for numbers that are no probabilities.
    """
    joint = _checked(joint, 3)
    both = joint.reshape(-1, joint.shape[2])
    alone = mutual_information(joint.sum(axis=1)) + mutual_information(joint.sum(axis=0))
    return mutual_information(both) - alone


def bits_lost_by_adding(joint: np.ndarray, rounds: int = 5000) -> float:
    """How much worse, in bits of cross-entropy, the best additive model is than the best model.

    joint: P(first, second, label), (I, J, K), sum 1. An additive model gives the label k the logit
    g_k(a) + h_k(b), with any numbers for each a and each b. The best of them keeps all three pair
    tables of the joint and has no interaction of three; it is found by fitting these tables in turn
    (Deming and Stephan, Annals of Mathematical Statistics 11, 1940). What is lost is the connected
    information of third order of Schneidman, Still, Berry and Bialek, Physical Review Letters 91,
    2003; it is never more than the synergy of ``partial_information``, which may move more freely.

    Raises ValueError for another shape, and for numbers that are no probabilities.
    """
    joint = _checked(joint, 3)
    fitted = np.full(joint.shape, 1 / joint.size)
    for _ in range(rounds):
        before = fitted
        for axis in range(3):
            now = fitted.sum(axis=axis, keepdims=True)
            asked = joint.sum(axis=axis, keepdims=True)
            fitted = fitted * np.divide(asked, now, out=np.zeros_like(asked), where=now > 0)
        if np.abs(fitted - before).max() < 1e-12:
            break
    there = (joint > 0) & (fitted > 0)  # fitting loses chances near the least double
    lost = joint[there] * (np.log2(joint[there]) - np.log2(fitted[there]))
    return max(float(lost.sum()), 0.0)


def _checked(shares: np.ndarray, axes: int | None = None) -> np.ndarray:
    """The table in doubles, or a sentence on what is wrong with it."""
    shares = np.asarray(shares, dtype=float)
    if axes is not None and shares.ndim != axes:
        raise ValueError(f"joint is P(first, second, label), (I, J, K), not {shares.shape}")
    if (shares < 0).any() or not math.isclose(shares.sum(), 1, abs_tol=1e-6):
        raise ValueError(f"probabilities are 0 or more and sum to 1; these sum to "
                         f"{shares.sum():g}, the least is {shares.min():g}")  # fmt: skip
    return shares


# --- in four parts --------------------------------------------------------------------------------


class Information(NamedTuple):
    """What two senses tell about a label, in bits, in four parts that sum to I(label; both)."""

    redundant: float
    unique_first: float
    unique_second: float
    synergy: float


def partial_information(joint: np.ndarray) -> Information:
    """Redundant, unique and synergistic information of two bits about a label, in bits.

    joint: P(first, second, label), (2, 2, labels), sum 1. The measure is the one of Bertschinger,
    Rauh, Olbrich, Jost and Ay, Quantifying unique information, Entropy 16(4), 2014 (BROJA):
    synergy is what is lost where the senses keep each its own relation to the label, and their
    relation to each other is chosen such that together they tell least. Found to about 1e-7.

    Raises ValueError for another shape, and for numbers that are no probabilities.
    """
    joint = probabilities(joint)
    total = mutual_information(joint.reshape(4, -1))
    least = mutual_information(least_telling(joint).reshape(4, -1))
    first, second = mutual_information(joint.sum(axis=1)), mutual_information(joint.sum(axis=0))
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
    redundant = max(float(joint.sum(axis=(0, 1)) @ both), 0.0)  # rounding can go below
    unique = [mutual_information(one) - redundant for one in (first, second)]
    synergy = mutual_information(joint.reshape(4, -1)) - redundant - sum(unique)
    return Information(redundant, *(max(float(part), 0.0) for part in (*unique, synergy)))


def probabilities(joint: np.ndarray) -> np.ndarray:
    """The table as floats, or a sentence on what is wrong with it."""
    joint = np.asarray(joint, dtype=float)
    if joint.ndim != 3 or joint.shape[:2] != (2, 2):
        raise ValueError(f"joint is P(first, second, label), (2, 2, labels), not {joint.shape}")
    if (joint < 0).any() or not math.isclose(joint.sum(), 1, abs_tol=1e-9):
        raise ValueError(f"joint holds probabilities that sum to 1; these sum to {joint.sum():g}")
    return joint


def mutual_information(table: np.ndarray) -> float:
    """How many bits the row tells about the column, and as many the other way.

    table: P(row, column), (n, m), sum 1, an array or a tensor. Shannon, A Mathematical Theory of
    Communication, Bell System Technical Journal 27, 1948.

    Raises ValueError for another number of axes.
    """
    table = np.asarray(table, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"mutual_information takes a table of two axes, P(row, column); this one "
                         f"has {table.ndim}: {table.shape}. Sum an axis away, or make one row of "
                         "each pair")  # fmt: skip
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
        return mutual_information(rebuilt(moved).reshape(4, -1))

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
