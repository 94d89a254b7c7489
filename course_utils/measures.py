"""Numbers that say how good a model is, from its scores and the labels: accuracy, gain, interval.

What the model said comes first, the label after it, as in ``F.cross_entropy``.
"""

from itertools import permutations

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
    scores = []
    for number in range(classes):
        hits = ((label == number) & (predicted == number)).sum()
        claimed_or_true = (label == number).sum() + (predicted == number).sum()
        scores.append((2 * hits / claimed_or_true.clamp(min=1)).item())
    return float(np.mean(scores))


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
    difference = right_a.double() - right_b.double()
    gain = difference.mean().item()
    margin = 1.96 * difference.std().item() / len(difference) ** 0.5
    return gain, gain - margin, gain + margin


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
