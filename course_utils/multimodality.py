"""Is a result multimodal? Projections of scores, Shapley values, and a report on one page.

A *score* here is any function of two batches, one of each modality, that gives logits:
``score(first (n, ...), second (n, ...)) -> (n, C)``. Nothing is asked of the model behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from course_utils.measures import accuracy, paired_gain, permutation_drop

Score = Callable[[Tensor, Tensor], Tensor]
Interval = tuple[float, float, float]
AT_ONCE = 10_000  # pairs that a model scores in one call


# --- pairs of rows that never met -----------------------------------------------------------------


@torch.no_grad()
def pair_scores(score: Score, first: Tensor, second: Tensor) -> Tensor:
    """The logits of every pairing: first (n, ...), second (m, ...) -> (n, m, C).

    Entry [i, j] is row i's first with row j's second. Blocks of rows are scored together.
    """
    m, found = len(second), []
    for block in first.split(max(1, AT_ONCE // m)):
        left = block.repeat_interleave(m, dim=0)
        right = second.repeat(len(block), *[1] * (second.ndim - 1))
        found.append(score(left, right).view(len(block), m, -1))
    return torch.cat(found)


def emap(scores: Tensor) -> Tensor:
    """The nearest additive scores, at the pairs that belong together: (n, n, C) -> (n, C).

    scores: entry [i, j] are the logits of row i's first modality with row j's second. The empirical
    multimodally-additive projection of Hessel and Lee, Does my multimodal model learn cross-modal
    interactions? It's harder to tell than you might think!, EMNLP 2020: mean over the seconds, plus
    mean over the firsts, less mean over all. Of all scores g(a) + h(b) these are nearest to the
    given ones, in the mean square over the n * n pairs.

    Raises ValueError for another shape.
    """
    if scores.ndim != 3 or scores.shape[0] != scores.shape[1] or not len(scores):
        raise ValueError(f"emap needs the scores of all pairings (n, n, C), n at least 1; it got "
                         f"{tuple(scores.shape)}")  # fmt: skip
    return scores.mean(dim=1) + scores.mean(dim=0) - scores.mean(dim=(0, 1))


def emap_against(
    score: Score, first: Tensor, second: Tensor, partners: int = 100, seed: int = 0
) -> Tensor:
    """EMAP of many rows at the price of a few partners: (n, ...) twice -> (n, C).

    Means are taken over ``partners`` rows, drawn once, in place of all n: 2 * n * partners pairs in
    place of n * n. With as many partners as rows it is ``emap`` exactly. Few partners are a noisy
    mean: try twice as many, and see whether the answer stays.
    """
    rng = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(first), generator=rng)[:partners]
    of_first = pair_means(score, first, second[drawn])
    of_second = pair_means(lambda a, b: score(b, a), second, first[drawn])
    return of_first + of_second - of_first[drawn].mean(dim=0)


@torch.no_grad()
def emap_of_means(score: Score, first: Tensor, second: Tensor) -> Tensor:
    """EMAP of a score that is linear in either modality while the other stays: (n, C).

    Such a score's mean over all partners is its score of the mean partner, so 2 * n + 1 rows do for
    n * n pairs, exactly. Products and outer products of features are of this kind; anything with a
    ReLU or a maximum behind the join is not.
    """
    mean_first = first.mean(dim=0, keepdim=True)
    mean_second = second.mean(dim=0, keepdim=True)
    of_first = score(first, mean_second.expand_as(second))
    of_second = score(mean_first.expand_as(first), second)
    return of_first + of_second - score(mean_first, mean_second)


def pair_means(score: Score, first: Tensor, second: Tensor) -> Tensor:
    """The mean of each first's logits over all seconds: (n, ...), (m, ...) -> (n, C)."""
    blocks = first.split(max(1, AT_ONCE // len(second)))
    return torch.cat([pair_scores(score, block, second).mean(dim=1) for block in blocks])


# --- who contributed ------------------------------------------------------------------------------


def modality_shapley(value: Mapping[frozenset[str], float]) -> dict[str, float]:
    """What each modality adds, on average over all orders in which they could come: {name: share}.

    value: {frozenset of names: how good the modalities in it are together}, for every set of
    them, the empty one too. The shares sum to value(all) - value(none). Shapley, A value for
    n-person games, Contributions to the Theory of Games II, Princeton University Press, 1953.

    Raises ValueError where the value of a set is missing.
    """
    names = sorted(max(value, key=len, default=()))
    orders = list(permutations(names))
    if len(value) < 2 ** len(names):
        raise ValueError(f"{len(names)} modalities have {2 ** len(names)} sets, and each needs a "
                         f"value; there are {len(value)}")  # fmt: skip
    shares = dict.fromkeys(names, 0.0)
    for order in orders:
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            shares[name] += (value[before | {name}] - value[before]) / len(orders)
    return shares


# --- the report -----------------------------------------------------------------------------------


def multimodality_report(
    score: Score,
    first: Tensor,
    second: Tensor,
    label: Tensor,
    alone: Mapping[str, Tensor],
    orders: Tensor,
) -> dict[str, Any]:
    """Whether a result is multimodal, from a model and a set.

    score: gives logits (n, C) for first and second (n, ...); label (n,).
    alone: {name: (n,) bool}, which rows a model without one of the senses gets right; the
        commonest class may stand among them.
    orders: (K, n) long, K shuffles of the rows.

    Returns a dict: ``accuracy``; ``rival``, the name in ``alone`` that is right most often, and
    ``gain`` over it on the same rows; ``first_drop`` and ``second_drop``, what shuffling costs;
    ``interaction``, how much more often the model is right than its EMAP, (value, low, high) each;
    and ``verdict``: "no better than RIVAL" where the gain's interval reaches down to 0, else
    "interacts" where that of the interaction lies above 0, else "adds".
    """
    with torch.no_grad():
        logits = score(first, second)
        shuffled_first = [score(first[order], second) for order in orders]
        shuffled_second = [score(first, second[order]) for order in orders]
    right = logits.argmax(dim=1) == label
    rival = max(alone, key=lambda name: alone[name].double().mean().item())
    added = emap(pair_scores(score, first, second)).argmax(dim=1) == label
    found = {
        "accuracy": accuracy(logits, label),
        "rival": rival,
        "gain": paired_gain(right, alone[rival]),
        "first_drop": permutation_drop(right, right_in(shuffled_first, label)),
        "second_drop": permutation_drop(right, right_in(shuffled_second, label)),
        "interaction": paired_gain(right, added),
    }
    return found | {"verdict": verdict(found["gain"], found["interaction"], rival)}


def right_in(each: Sequence[Tensor], label: Tensor) -> Tensor:
    """Which rows are right in each of K logits (n, C): (K, n) bool."""
    return torch.stack([logits.argmax(dim=1) == label for logits in each])


def verdict(gain: Interval, interaction: Interval, rival: str) -> str:
    """The report's last line, from two intervals (value, low, high)."""
    if gain[1] <= 0:
        return f"no better than {rival}"
    return "interacts" if interaction[1] > 0 else "adds"


def report_page(title: str, found: Mapping[str, Any], names: Sequence[str]) -> str:
    """A report as one page of text; names: of the first and the second modality."""
    first, second = names
    lines = {
        f"better than {found['rival']} by": found["gain"],
        f"lost when {first} is shuffled": found["first_drop"],
        f"lost when {second} is shuffled": found["second_drop"],
        "lost when it may only add": found["interaction"],
    }
    width = max(map(len, lines))
    body = [f"  {name:{width}} {value:+.2f}  [{low:+.2f}, {high:+.2f}]"
            for name, (value, low, high) in lines.items()]  # fmt: skip
    return "\n".join([f"{title}: accuracy {found['accuracy']:.2f}", *body,
                      f"  verdict: {found['verdict']}"])  # fmt: skip
