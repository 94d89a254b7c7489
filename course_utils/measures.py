"""Numbers that say how good a model is, from its scores and the labels: accuracy, gain, interval.

What the model said comes first, the label after it, as in ``F.cross_entropy``.
"""

from itertools import permutations
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


def accuracy(logits: Tensor, label: Tensor) -> float:
    """Share of rows that are right: logits (n, C), label (n,) long.

    The largest of several logits names the class. One column (n, 1) is a yes-or-no model's: it
    names class 1 where its logit is positive, else class 0.

    Raises ValueError for other shapes.
    """
    if logits.ndim != 2 or label.shape != logits.shape[:1]:
        raise ValueError(
            f"accuracy needs logits (n, C) and label (n,); "
            f"it got {tuple(logits.shape)} and {tuple(label.shape)}"
        )
    named = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(dim=1)
    return (named == label).double().mean().item()


def macro_f1(predicted: Tensor, label: Tensor, classes: int) -> float:
    """The mean of the classes' F1 scores, each class counting alike.

    predicted, label (n,) long. F1 = 2 TP / (2 TP + FP + FN); a class that occurs in neither
    counts as 0, as in scikit-learn's ``f1_score(average="macro", zero_division=0)`` when its
    ``labels`` name all classes.

    Raises ValueError for other shapes.
    """
    if label.ndim != 1 or predicted.shape != label.shape:
        raise ValueError(
            f"macro_f1 needs predicted (n,) and label (n,), class numbers both; "
            f"it got {tuple(predicted.shape)} and {tuple(label.shape)}"
        )
    return float(np.mean([score.f1 for score in class_scores(predicted, label, classes)]))


class ClassScore(NamedTuple):
    """How one class fares: its rows, and precision, recall and F1, from 0 to 1 each."""

    rows: int
    precision: float
    recall: float
    f1: float


def class_scores(predicted: Tensor, label: Tensor, classes: int) -> list[ClassScore]:
    """Each class's rows, precision, recall and F1; a share of nothing counts as 0.

    predicted, label (n,) long. Recall is the share of a class's rows that were found, precision
    the share of what was called so that is so.
    """
    scores = []
    for number in range(classes):
        hits = int(((label == number) & (predicted == number)).sum())
        real, called = int((label == number).sum()), int((predicted == number).sum())
        scores.append(ClassScore(real, hits / max(called, 1), hits / max(real, 1),
                                 2 * hits / max(real + called, 1)))  # fmt: skip
    return scores


def paired_gain(right_a: Tensor, right_b: Tensor) -> tuple[float, float, float]:
    """How much more often model a is right than model b, on the same rows: gain, low, high.

    right_a, right_b (n,) bool. The interval is gain ± 1.96 standard errors of the mean of the
    row-by-row differences (95 %, normal approximation), which is narrower than two separate
    intervals suggest wherever the models are right on the same rows.

    Raises ValueError for other shapes, or for less than two rows.
    """
    if right_a.ndim != 1 or right_a.shape != right_b.shape or len(right_a) < 2:
        raise ValueError(
            f"paired_gain needs two (n,) of the same rows, n at least 2; "
            f"it got {tuple(right_a.shape)} and {tuple(right_b.shape)}"
        )
    return _mean_with_interval(right_a.double() - right_b.double())


def _mean_with_interval(values: Tensor) -> tuple[float, float, float]:
    """The mean of (n,) numbers, and 1.96 standard errors to both sides."""
    mean, margin = values.mean().item(), 1.96 * values.std().item() / len(values) ** 0.5
    return mean, mean - margin, mean + margin


def permutation_drop(right: Tensor, shuffled: Tensor) -> tuple[float, float, float]:
    """How much accuracy falls when one modality is shuffled among the rows: drop, low, high.

    right (n,) bool: which rows the model gets right as they are; shuffled (K, n) bool: the same
    with the modality of other rows, in K shuffles. The interval (95 %, normal approximation) is
    over rows; what is taken for each row is the mean of its K differences. Breiman, Random Forests,
    Machine Learning 45, 2001, for a column of a table.

    Raises ValueError for other shapes, or for less than two rows.
    """
    if right.ndim != 1 or shuffled.ndim != 2 or shuffled.shape[1:] != right.shape or len(right) < 2:
        raise ValueError(
            f"permutation_drop needs right (n,) and shuffled (K, n), n at least 2; "
            f"it got {tuple(right.shape)} and {tuple(shuffled.shape)}"
        )
    return _mean_with_interval(right.double() - shuffled.double().mean(dim=0))


def wilson_interval(right: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share, ``right`` of ``rows``: low, high.

    Unlike share ± 1.96 standard errors it stays within 0 and 1, and says something where all or
    none are right. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22, 1927.

    Raises ValueError where there is no row, or more are right than there are.
    """
    if not 0 <= right <= rows or rows < 1:
        raise ValueError(f"a share is that of 0 to n rows among n, not of {right} among {rows}")
    share, z2 = right / rows, 1.96**2
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    margin = (z2 * share * (1 - share) / rows + (z2 / (2 * rows)) ** 2) ** 0.5 / (1 + z2 / rows)
    # Where none or all are right an end is the share itself, but for rounding.
    return max(0.0, min(share, middle - margin)), min(1.0, max(share, middle + margin))


def interaction_strength(scores: Tensor) -> float:
    """The share of a score's variance that no sum g(a) + h(b) explains, from 0 to 1.

    scores (n, m): one score f(a, b) for each of n inputs a with each of m inputs b. The mixed
    difference f(a,b) - f(a',b) - f(a,b') + f(a',b'), averaged over all a' and b', is squared and
    averaged over all a and b, and divided by the variance of the scores. It is 0 exactly where
    f(a, b) = g(a) + h(b) on these inputs (a constant too), and does not change when the scores
    are multiplied by a number or shifted. In a two-way analysis of variance it is the
    interaction's share of the sum of squares.

    Raises ValueError for another shape.
    """
    if scores.ndim != 2:
        raise ValueError(f"interaction_strength needs scores (n, m), not {tuple(scores.shape)}")
    scores = scores.double()
    variance = scores.var(correction=0)
    if variance <= 1e-12 * scores.square().mean():  # they do not move, but for rounding
        return 0.0
    mixed = scores - scores.mean(dim=0) - scores.mean(dim=1, keepdim=True) + scores.mean()
    return (mixed.square().mean() / variance).item()


def best_additive_rule(fits: Tensor, misfits: Tensor) -> tuple[Tensor, Tensor]:
    """The rule "yes where u_i + v_j > 0" that is right most often on a table of two answers.

    fits, misfits (I, J): how many rows (or which share) of each label stand in each cell, where i
    is what one modality says and j the other. Returns u (I,) and v (J,), of possibly many that are
    equally good. It tries all J! orders of the columns: sorted by v, each row of the table says yes
    on a first stretch of the columns, and which stretch is best each row can choose alone. So J is
    small, 7 at most.

    Raises ValueError for other shapes, and for more columns.
    """
    if fits.ndim != 2 or fits.shape != misfits.shape or fits.shape[1] > 7:
        raise ValueError(
            f"best_additive_rule needs two tables of the same shape (I, J), J at most 7; "
            f"it got {tuple(fits.shape)} and {tuple(misfits.shape)}"
        )
    gain = (fits - misfits).double()
    best = -torch.inf
    for order in map(list, permutations(range(gain.shape[1]))):
        # What each row gains by a yes on the first 0, 1, ..., J columns of this order.
        stretches = nn.functional.pad(gain[:, order].cumsum(dim=1), (1, 0))
        most, lengths = stretches.max(dim=1)
        if most.sum() > best + 1e-12:
            best, u, ordered = most.sum().item(), lengths.double(), order
    v = torch.empty_like(gain[0])
    v[ordered] = -torch.arange(0.5, len(ordered), dtype=v.dtype)
    return u, v


def rule_accuracy(u: Tensor, v: Tensor, fits: Tensor, misfits: Tensor) -> float:
    """The share of a table that "yes where u_i + v_j > 0" gets right: u (I,), v (J,), (I, J) both.

    With shares that sum to 1/2 each, this is the balanced accuracy, the mean over both labels.
    """
    yes = u[:, None] + v[None, :] > 0
    return (torch.where(yes, fits, misfits).sum() / (fits.sum() + misfits.sum())).item()


class ConfidenceBin(NamedTuple):
    """The rows whose confidence lies in one bin: how many, their mean confidence, their accuracy.

    Confidence is the probability of the class that is named.
    """

    rows: int
    confidence: float
    accuracy: float


def reliability(probabilities: Tensor, label: Tensor, bins: int = 15) -> list[ConfidenceBin]:
    """The rows by confidence, in bins of equal width from 0 to 1; bins without rows are left out.

    probabilities (n, C), each row of sum 1; label (n,) long. Guo, Pleiss, Sun and Weinberger, On
    Calibration of Modern Neural Networks, ICML 2017.

    Raises ValueError for other shapes.
    """
    if probabilities.ndim != 2 or label.shape != probabilities.shape[:1] or not len(label):
        raise ValueError(
            f"reliability needs probabilities (n, C) and label (n,), n at least 1; "
            f"it got {tuple(probabilities.shape)} and {tuple(label.shape)}"
        )
    confidence, named = probabilities.double().max(dim=1)
    right = (named == label).double()
    place = (confidence * bins).ceil().long().clamp(1, bins)  # (low, high], as in the paper
    members = [place == number for number in range(1, bins + 1)]
    return [
        ConfidenceBin(int(rows.sum()), confidence[rows].mean().item(), right[rows].mean().item())
        for rows in members
        if rows.any()
    ]


def expected_calibration_error(probabilities: Tensor, label: Tensor, bins: int = 15) -> float:
    """How far confidence is from accuracy: |accuracy - confidence|, the mean over rows by bin.

    Arguments and source as in ``reliability``. On few rows it is above 0 by chance alone.
    """
    found = reliability(probabilities, label, bins)
    return sum(one.rows * abs(one.accuracy - one.confidence) for one in found) / len(label)


def temperature(logits: Tensor, label: Tensor) -> float:
    """The number T > 0 that, dividing all logits, gives these rows the least cross-entropy.

    logits (n, C), label (n,) long, of validation rows. T > 1 makes a model less sure; which class
    is named does not change. As a function of 1 / T the cross-entropy is convex, so halving finds
    its bottom; T is kept within 0.05 and 20. Guo, Pleiss, Sun and Weinberger, ICML 2017.

    Raises ValueError for other shapes.
    """
    if logits.ndim != 2 or label.shape != logits.shape[:1] or not len(label):
        raise ValueError(
            f"temperature needs logits (n, C) and label (n,), n at least 1; "
            f"it got {tuple(logits.shape)} and {tuple(label.shape)}"
        )
    logits = logits.detach().double()
    own = logits.gather(1, label[:, None])[:, 0].mean()
    low, high = 1 / 20, 20.0  # of 1 / T
    for _ in range(60):
        middle = (low + high) / 2
        # The slope over 1 / T: the mean logit that is expected, less that of the true class.
        slope = ((logits * middle).softmax(dim=1) * logits).sum(dim=1).mean() - own
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 2 / (low + high)
