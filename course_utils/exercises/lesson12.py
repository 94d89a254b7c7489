"""The exercises of lesson 12, Imbalance."""

import functools
import inspect
import math
import numbers

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import imbalance
from course_utils.encoders import encode
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit, module_of

# --- class_weights ---------------------------------------------------------------------------


def label_cases(rng):
    """Labels of two to six classes: all there, the first, one between or the last one absent.

    Then one class alone, one row alone, one class in all, and a class of one row among hundreds.
    """
    for counts in ((6, 2, 1), (1, 9), (0, 3, 5), (4, 0, 7, 1), (2, 8, 0), (5, 0), (0, 1, 0), (3,)):
        label = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        yield label[torch.randperm(len(label), generator=rng)], len(counts)
    label = torch.randint(1, 6, (400,), generator=rng)
    label[int(torch.randint(400, (1,), generator=rng))] = 0
    yield label, 6


def weights_by_loop(label, classes):
    occurring = len(set(label.tolist()))
    weights = torch.zeros(classes)
    for number in range(classes):
        count = int((label == number).sum())
        if count:
            weights[number] = len(label) / (occurring * count)
    return weights


def weights_by_share(label, classes):
    share = F.one_hot(label, classes).float().mean(dim=0)
    inverse = torch.where(share > 0, 1 / share, 0.0)
    return inverse / (share > 0).sum()


def counted(label, classes):
    return label.bincount(minlength=classes)


def weights_with(label, classes, absent):
    """The weights, with another one for a class without rows; None gives it that of one row."""
    counts = counted(label, classes)
    weights = len(label) / ((counts > 0).sum() * counts.clamp(min=1))
    return weights if absent is None else torch.where(counts > 0, weights, absent)


def safe(label, classes, weigh):
    """``weigh`` of the counts, 0 for a class without rows."""
    counts = counted(label, classes)
    return torch.where(counts > 0, weigh(counts.clamp(min=1).float()), 0.0)


class_weights = Exercise(
    reference=imbalance.class_weights,
    cases=label_cases,
    also_right=(weights_by_loop, weights_by_share),
    hints=(
        "`label.bincount(minlength=classes)` counts the rows of each class. How many of the counts "
        "are above 0?",
        "Divide `len(label)` by (the number of classes that occur times the counts). A count of 0 "
        "would give infinity: `torch.where(counts > 0, weights, 0.0)` puts 0 there.",
    ),
    mistakes=(
        Mistake(
            lambda label, classes: safe(label, classes, lambda counts: 1 / counts),
            "You have 1 / count. In proportion that is right, but the rows' mean weight is then "
            "far below 1, so the loss shrinks. Multiply by n / K.",
        ),
        Mistake(
            lambda label, classes: safe(label, classes, lambda counts: len(label) / counts),
            "You left out K: as it is, the rows' mean weight is the number of classes that occur.",
        ),
        Mistake(
            lambda label, classes: safe(
                label, classes, lambda counts: len(label) / (classes * counts)
            ),
            "Right where all classes occur. K counts those that do: `(counts > 0).sum()`.",
        ),
        Mistake(
            lambda label, classes: (
                len(label) / ((counted(label, classes) > 0).sum() * counted(label, classes).float())
            ),
            "A class without rows has the weight infinity. Put 0 there, with `torch.where`.",
        ),
        Mistake(
            lambda label, classes: weights_with(label, classes, absent=None),
            "A class without rows weighs n / K, as if it had a row. Put 0 there, with "
            "`torch.where`; `clamp` alone does not.",
        ),
        Mistake(
            lambda label, classes: weights_with(label, classes, absent=1.0),
            "A class without rows weighs 1. Its weight is 0: it has no row to weigh.",
        ),
        Mistake(
            lambda label, classes: weights_by_loop(label, classes)[label],
            "You give a weight for each row. Return one for each class, in the shape (classes,).",
        ),
        Mistake(
            lambda label, classes: len(label) / (len(label.bincount()) * label.bincount().float()),
            "`bincount()` stops at the largest label that occurs. `minlength=classes` makes one "
            "count for each class.",
        ),
        Mistake(
            lambda label, classes: counted(label, classes) / len(label),
            "These are the classes' shares: a rare class would count even less. Turn them over.",
        ),
        Mistake(
            lambda label, classes: (
                safe(label, classes, lambda counts: 1 / counts)
                / safe(label, classes, lambda counts: 1 / counts).sum()
            ),
            "Your weights sum to 1 over the classes. They are to be 1 on average over the rows.",
        ),
        Mistake(
            lambda label, classes: (
                safe(label, classes, lambda counts: 1 / counts)
                / safe(label, classes, lambda counts: 1 / counts).mean()
            ),
            "Your weights are 1 on average over the classes. They are to be so over the rows, "
            "`weights[label].mean()`.",
        ),
        Mistake(
            lambda label, classes: (
                safe(label, classes, lambda counts: 1 / counts)
                * (counted(label, classes) > 0).sum()
                / safe(label, classes, lambda counts: 1 / counts).sum()
            ),
            "Your weights are 1 on average over the classes that occur. They are to be so over the "
            "rows, `weights[label].mean()`.",
        ),
    ),
)


# --- best_threshold --------------------------------------------------------------------------


def score_cases(rng):
    """Scores, some of them equal, and which rows are positive: few, one, half, all; one row.

    Positive rows lie higher by more or less; scores may be negative, large, or all the same.
    """
    for rows, positives, apart, unit in (
        (40, 4, 1.0, 1.0),
        (60, 3, 2.0, 1.0),
        (12, 6, 0.5, 30.0),
        (25, 1, -1.0, 1.0),
        (8, 8, 0.0, 1.0),
        (1, 1, 0.0, 1.0),
    ):
        positive = torch.arange(rows) < positives
        score = torch.randn(rows, generator=rng) + apart * positive
        order = torch.randperm(rows, generator=rng)
        yield unit * (score * 4).round()[order] / 4, positive[order]
    yield torch.full((5,), 0.25), torch.tensor([False, True, False, False, True])
    # Scores close together: levels at equal distances, fine as they are, step over all of them.
    score = torch.tensor([1, 4e-5, 3e-5, 2e-5, 1e-5, 0])
    yield score, torch.tensor([False, True, True, True, False, False])
    # Many rows of one score, the positive one first or last: it cannot be called without them.
    score, first = torch.tensor([5.0] * 6 + [4, 3]), torch.arange(8) % 6 == 0
    yield score, first
    yield score, torch.arange(8) % 6 == 5 * (torch.arange(8) < 6)


def f1_at(score, positive, threshold):
    called = score >= threshold
    return 2 * float((called & positive).sum()) / float(called.sum() + positive.sum())


def reached(result, score, positive):
    """The F1 that a threshold reaches: of equally good ones any will do."""
    single = getattr(result, "ndim", None) == 0 or isinstance(result, numbers.Real)
    if not single or isinstance(result, bool):
        raise TypeError("a threshold is one number; return a float: .item()")
    return {"The F1 at your threshold": f1_at(score, positive, float(result))}


def threshold_by_loop(score, positive):
    return max(score.tolist(), key=lambda level: f1_at(score, positive, level))


def threshold_by_order(score, positive):
    """One pass over the sorted scores; where scores are equal, after the last of them."""
    ordered, order = score.sort(descending=True)
    hits = positive[order].cumsum(dim=0)
    f1 = 2 * hits / (torch.arange(1, len(score) + 1) + positive.sum())
    last = torch.cat([ordered[1:] != ordered[:-1], torch.tensor([True])])
    return ordered[torch.where(last, f1, -1.0).argmax()].item()


# How people sort scores from high to low. Rows of one score come in different orders.
_SORTED = (
    lambda score: score.argsort(descending=True, stable=True),
    lambda score: score.argsort(descending=True),
    lambda score: score.argsort(stable=True).flip(0),
    lambda score: torch.from_numpy(np.argsort(-score.numpy())),
)


def without_ties(order, last):
    """Counts one row after the other, as if each had a score of its own.

    order: the rows from the highest score to the lowest. last: of several best places the last.
    """

    def choose(score, positive):
        rows = order(score)
        hits = positive[rows].cumsum(dim=0)
        called = torch.arange(1, len(score) + 1)
        f1 = (2 * hits / (called + positive.sum())).tolist()
        place = max(range(len(f1)), key=lambda i: (f1[i], i if last else -i))
        return score[rows[place]].item()

    return choose


def threshold_on_a_grid(score, positive):
    levels = torch.linspace(0, 1, 101).tolist()
    return max(levels, key=lambda level: f1_at(score, positive, level))


def threshold_on_steps(score, positive):
    levels = torch.linspace(score.min(), score.max(), 200).tolist()
    return max(levels, key=lambda level: f1_at(score, positive, level))


def best_by(measure, lowest=False):
    """The threshold, among the scores, that is best by ``measure(called, positive)``.

    lowest: of several best ones the lowest, not the highest.
    """

    def choose(score, positive):
        return max(
            sorted(score.tolist(), reverse=not lowest),
            key=lambda level: float(measure(score >= level, positive)),
        )

    return choose


def is_accurate(called, positive):
    return (called == positive).float().mean()


def all_f1(score, positive, levels):
    return [f1_at(score, positive, level) for level in levels.tolist()]


def place_of_best(score, positive, levels):
    """Where the best level stands, in place of the level."""
    f1 = all_f1(score, positive, levels)
    return max(range(len(f1)), key=f1.__getitem__)


def between_scores(score, positive):
    """Takes what lies above the threshold, and gives the score itself."""
    levels = score.unique()
    f1 = [f1_at(score, positive, level + 1e-6) for level in levels.tolist()]
    return levels[max(range(len(f1)), key=f1.__getitem__)].item()


best_threshold = Exercise(
    reference=imbalance.best_threshold,
    cases=score_cases,
    observe=reached,
    also_right=(threshold_by_loop, threshold_by_order),
    hints=(
        "Only where the threshold passes a row does anything change, so it is enough to try the "
        "scores themselves. What is F1 from hits, called and positive rows?",
        "For each `level in score.unique()`: `called = score >= level`, `hits = (called & "
        "positive).sum()`, F1 is `2 * hits / (called.sum() + positive.sum())`. Keep the best.",
    ),
    mistakes=(
        Mistake(
            lambda score, positive: 0.5,
            "Your threshold is 0.5, whatever the rows say. Try each of the scores.",
        ),
        Mistake(
            best_by(is_accurate),
            "Your threshold has the best accuracy. Where positives are rare it calls hardly any; "
            "take F1.",
        ),
        Mistake(
            best_by(is_accurate, lowest=True),
            "Your threshold has the best accuracy. Where positives are rare it calls hardly any; "
            "take F1.",
        ),
        Mistake(
            lambda score, positive: max(all_f1(score, positive, score)),
            "You return the best F1 itself. Return the threshold at which it is reached.",
        ),
        *(
            Mistake(
                lambda score, positive, ordered=ordered: place_of_best(
                    score, positive, ordered(score)
                ),
                "You return the place of the best score. Return the score at this place.",
            )
            for ordered in (
                torch.unique,
                torch.clone,
                lambda score: score.sort(descending=True).values,
            )
        ),
        Mistake(
            best_by(lambda called, positive: (called & positive).sum() / called.sum()),
            "Your threshold has the best precision: it calls a row or two. F1 weighs recall too.",
        ),
        Mistake(
            lambda score, positive: score[positive].min().item(),
            "Your threshold finds every positive row, at whatever price in precision. Take F1.",
        ),
        Mistake(
            lambda score, positive: score.median().item(),
            "Your threshold is the median: half of the rows are called. Try each of the scores.",
        ),
        *(
            Mistake(
                without_ties(order, last),
                "You count row after row, also between rows of one score. A threshold calls all of "
                "them or none: count after the last of them.",
            )
            # The last of several best places differs from the first in one order alone.
            for order, last in (*((order, False) for order in _SORTED), (_SORTED[2], True))
        ),
        Mistake(
            threshold_on_a_grid,
            "You try a grid from 0 to 1, but scores are any numbers. Try the scores themselves.",
        ),
        Mistake(
            threshold_on_steps,
            "You try levels at equal distances. Where scores lie close together, the best one lies "
            "between two of your levels. Try the scores themselves.",
        ),
        Mistake(
            between_scores,
            "You count the rows above a score and return that score, but `score >= threshold` "
            "calls the row at the score too. Count with `>=`.",
        ),
    ),
)


# --- ogm_coefficient -------------------------------------------------------------------------


def parts_cases(rng):
    """Two parts of (B, C) under several names; the first ahead, then the other; equal ones.

    One row, two classes, logits that are large; alphas from 0.1 to 2.
    """
    for (one, other), rows, classes, ahead, alpha in (
        (("image", "text"), 6, 5, (0.0, 3.0), 0.1),
        (("image", "text"), 5, 3, (2.0, 0.0), 0.5),
        (("touch", "sound"), 1, 2, (0.5, 1.0), 1.0),
        (("sound", "image"), 4, 4, (12.0, 0.0), 0.3),
        (("text", "image"), 3, 2, (0.3, 0.0), 2.0),
    ):
        label = torch.randint(classes, (rows,), generator=rng)
        right = F.one_hot(label, classes).float()
        drawn = [torch.randn(rows, classes, generator=rng) + far * right for far in ahead]
        yield {one: drawn[0], other: drawn[1]}, label, alpha
    same = torch.randn(3, 4, generator=rng)
    yield {"image": same, "text": same.clone()}, torch.tensor([1, 0, 3]), 0.5


def as_numbers(result, *arguments):
    """{name: number}; a factor may be a float or a tensor that holds one."""
    if not isinstance(result, dict):
        raise TypeError("return a dict, {name: its factor}, with the names of `parts`")
    return {f"The factor of {name}": float(value) for name, value in result.items()}


def ogm_by_loop(parts, label, alpha):
    score = {
        name: sum(float(row.softmax(dim=0)[right]) for row, right in zip(part, label, strict=True))
        for name, part in parts.items()
    }
    factors = {}
    for name in parts:
        other = next(one for one in parts if one != name)
        ratio = score[name] / score[other]
        factors[name] = 1 - math.tanh(alpha * ratio) if ratio > 1 else 1.0
    return factors


def ogm_by_pick(parts, label, alpha):
    """By the cross-entropies of rows: their exponentials are the probabilities."""
    score = {
        name: F.cross_entropy(part, label, reduction="none").neg().exp().mean()
        for name, part in parts.items()
    }
    total = sum(score.values())
    ratio = {name: one / (total - one) for name, one in score.items()}
    return {n: 1 - torch.tanh(alpha * r) if r > 1 else torch.tensor(1.0) for n, r in ratio.items()}


def ogm_with(scored, factor):
    """Coefficients from another score of a part, or by another formula."""

    def coefficient(parts, label, alpha):
        score = {name: scored(part, label) for name, part in parts.items()}
        (one, first), (other, second) = score.items()
        return {one: factor(first / second, alpha), other: factor(second / first, alpha)}

    return coefficient


def true_probability(part, label):
    return part.softmax(dim=1)[torch.arange(len(label)), label].sum()


def ogm_by_rows(parts, label, alpha):
    """The ratio of each row's probabilities first, and then the mean over rows."""
    rows = torch.arange(len(label))
    (one, first), (other, second) = (
        (name, part.softmax(dim=1)[rows, label]) for name, part in parts.items()
    )
    return {
        one: braked((first / second).mean(), alpha),
        other: braked((second / first).mean(), alpha),
    }


def braked(ratio, alpha):
    return float(1 - torch.tanh(alpha * ratio)) if ratio > 1 else 1.0


ogm_coefficient = Exercise(
    reference=imbalance.ogm_coefficient,
    cases=parts_cases,
    observe=as_numbers,
    also_right=(ogm_by_loop, ogm_by_pick),
    hints=(
        "First one number for each part: the sum over rows of `part.softmax(dim=1)` at the true "
        "class. Then the ratio, from each one's side.",
        "`part.softmax(dim=1)[torch.arange(len(label)), label].sum()` is a score. With `ratio` the "
        "own score over the other's, the factor is `1 - tanh(alpha * ratio)` if `ratio > 1`, and 1 "
        "if not.",
    ),
    mistakes=(
        Mistake(
            ogm_with(true_probability, lambda ratio, alpha: float(1 - torch.tanh(alpha * ratio))),
            "You brake both. Only the one that is ahead, with a ratio above 1, gets less than 1.",
        ),
        Mistake(
            ogm_with(
                true_probability,
                lambda ratio, alpha: float(1 - torch.tanh(alpha / ratio)) if ratio < 1 else 1.0,
            ),
            "You brake the modality that is behind. The ratio is one's own score over the other's.",
        ),
        Mistake(
            ogm_with(
                true_probability,
                lambda ratio, alpha: (
                    float(1 - torch.tanh(alpha * (ratio - 1))) if ratio > 1 else 1.0
                ),
            ),
            "You have tanh(alpha (rho - 1)), which begins at 0. The formula of the paper has "
            "tanh(alpha rho), a jump at rho = 1.",
        ),
        Mistake(
            ogm_with(
                lambda part, label: part[torch.arange(len(label)), label].sum(),
                braked,
            ),
            "Your scores are sums of logits, which may be negative. Take a softmax first.",
        ),
        Mistake(
            ogm_with(lambda part, label: part.softmax(dim=1).amax(dim=1).sum(), braked),
            "You add up each row's largest probability. Take that of the true class, right or not.",
        ),
        Mistake(
            ogm_with(
                lambda part, label: part.softmax(dim=0)[torch.arange(len(label)), label].sum(),
                braked,
            ),
            "Your softmax runs over the rows of the batch. It belongs over the classes, dim=1.",
        ),
        Mistake(
            ogm_with(true_probability, lambda r, a: float(torch.tanh(a * r)) if r > 1 else 1.0),
            "You return tanh(alpha rho). The factor is 1 - tanh: further ahead, smaller.",
        ),
        Mistake(
            ogm_with(lambda part, label: (part.argmax(dim=1) == label).float().sum(), braked),
            "You count the rows that a part names rightly. A score adds up the probability that "
            "it gives to the truth, row by row.",
        ),
        Mistake(
            ogm_with(F.cross_entropy, braked),
            "Your scores are cross-entropies, small where a part is ahead. Add up the probability "
            "of the truth, not its logarithm.",
        ),
        Mistake(
            ogm_by_rows,
            "You take a ratio in each row, then their mean. First add up each part's probabilities "
            "over the rows; the ratio is that of the two sums.",
        ),
    ),
)


# --- weights_that_help: break this claim -----------------------------------------------------

LEAST_GAIN = 0.05
BOUNDS = {"share": (0.01, 0.25), "separation": (0.5, 4.0)}


def weights_help(dials, seed):
    """Whether full class weights raise macro F1 by ``LEAST_GAIN``, by the formula."""
    if problem := other_names(dials, *BOUNDS):
        return problem
    for name, (low, high) in BOUNDS.items():
        value = dials[name]
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or value != value:
            return f"{name} is {value!r}; write a number, without quotes."
        if not low <= value <= high:
            return f"{name} is {value:g}; keep it between {low:g} and {high:g}."
    share, separation = float(dials["share"]), float(dials["separation"])
    plain = imbalance.bell_scores(share, separation, math.log((1 - share) / share))
    weighted = imbalance.bell_scores(share, separation, 0.0)
    found = (
        f"macro F1 is {plain[2]:.3f} without weights and {weighted[2]:.3f} with them (recall "
        f"{plain[0]:.2f} and {weighted[0]:.2f}, precision {plain[1]:.2f} and {weighted[1]:.2f})"
    )
    if weighted[2] - plain[2] >= LEAST_GAIN:
        return Broken(
            f"{found}: plainly hardly any is found, and the class is not so rare that false alarms "
            "swamp the hits"
        )
    gain = weighted[2] - plain[2]
    moved = f"a gain of {gain:.3f}" if gain > 0 else f"a loss of {-gain:.3f}"
    return f"The claim holds here: {found}, {moved}. You win with a gain of {LEAST_GAIN:g}."


weights_that_help = Exercise(
    verify=weights_help,
    exact=True,
    right_dials={"share": 0.2, "separation": 0.6},
    wrong_dials=(
        {"share": 0.05, "separation": 1.0},  # a gain of 0.002
        {"share": 0.2, "separation": 1.0},  # a gain of 0.037: a near miss
        {"share": 0.05, "separation": 2.0},
        {"share": 0.01, "separation": 0.5},
        {"share": 0.25, "separation": 4.0},
        {"share": 0.5, "separation": 0.6},
        {"share": 0.2, "separation": 0.1},
        {"share": "0.2", "separation": 0.6},
        {"share": math.nan, "separation": 0.6},
        {"share": 0.2},
    ),
    hints=(
        "Weights can gain only where the plain threshold finds hardly any of the rare class, and "
        "where those that it calls wrongly are few beside it. Which share is that?",
        "Make the class not so rare, and hard to tell: a share near 0.2, and curves that overlap.",
    ),
)


# --- AdditiveClassifier: a build -------------------------------------------------------------

_DIMS = {"touch": 5, "image": 3, "sound": 6}
_CLASSES, _ROWS = 4, 400


class Toy(nn.Module):
    """An encoder for tests: one linear layer on the tensor of its own name."""

    def __init__(self, name, dim):
        super().__init__()
        self.reads, self.dim = (name,), dim
        self.layer = nn.Linear(2, dim)

    def forward(self, values):
        return self.layer(values)


def toy_encoders(seed, dims=None):
    torch.manual_seed(seed)
    return {name: Toy(name, dim) for name, dim in (dims or _DIMS).items()}


def toy_batch(seed, rows, dims=None):
    rng = torch.Generator().manual_seed(seed)
    batch = {name: torch.randn(rows, 2, generator=rng) for name in (dims or _DIMS)}
    return batch | {"label": torch.randint(_CLASSES, (rows,), generator=rng)}


def made(attempt, seed, **other):
    """The learner's module on toy encoders. Raises Unfit, in a sentence, where there is none."""
    try:
        inspect.signature(attempt).bind({}, _CLASSES, hide={}, own_loss={})
    except TypeError:
        raise Unfit(
            "The constructor should take four things: `def __init__(self, encoders, classes, "
            "hide=None, own_loss=None)`."
        ) from None
    torch.manual_seed(seed + 1)
    return module_of(attempt, toy_encoders(seed), _CLASSES, **other)


def what_is_made(attempt, seed):
    model = made(attempt, seed)
    return {
        "parameters": {name: list(p.shape) for name, p in model.named_parameters()},
        "kinds": {n: type(getattr(model, n, None)).__name__ for n in ("encoders", "heads")},
    }


def judge_made(seen, seed):
    for name, kind in seen["kinds"].items():
        if kind == "NoneType":
            return f"The module has no attribute `{name}`."
        if kind != "ModuleDict":
            return (
                f"`{name}` is a {kind}, and `.parameters()` should find what is in it under each "
                "name. Put it into an `nn.ModuleDict`."
            )
    for name, dim in _DIMS.items():
        shape = seen["parameters"].get(f"heads.{name}.weight")
        if shape is None:
            return f"There is no linear layer `heads[{name!r}]`: one for each encoder."
        if shape != [_CLASSES, dim]:
            return (
                f"`heads[{name!r}]` has weights of the shape {shape}; from {dim} features to "
                f"{_CLASSES} classes they are {[_CLASSES, dim]}. An encoder knows its `dim`."
            )
        if f"heads.{name}.bias" not in seen["parameters"]:
            return f"`heads[{name!r}]` has no bias; leave `nn.Linear` the one that it makes."
    if len(seen["parameters"]) > 4 * len(_DIMS):
        return "There are more parameters than those of the encoders and one head for each."
    return None


def what_is_said(attempt, seed):
    """Logits and parts of two batches, in training, without hiding."""
    model, seen = made(attempt, seed), []
    for rows in (3, 1):
        logits = model(toy_batch(seed + rows, rows))
        parts = getattr(model, "parts", None)
        parts = {n: p.detach().clone() for n, p in parts.items()} if isinstance(parts, dict) else {}
        grad = bool(getattr(logits, "requires_grad", False))
        seen.append({"logits": torch.as_tensor(logits).detach().clone(), "parts": parts,
                     "gradient": grad})  # fmt: skip
    return seen


def judge_said(seen, seed):
    reference = what_is_said(imbalance.AdditiveClassifier, seed)
    for got, wanted in zip(seen, reference, strict=True):
        if got["logits"].shape != wanted["logits"].shape:
            return (
                f"`forward` gave the shape {tuple(got['logits'].shape)}; expected is "
                f"{tuple(wanted['logits'].shape)}, (B, C)."
            )
        if got["parts"].keys() != wanted["parts"].keys():
            return (
                "After a call, `parts` should hold each modality's logits by name; it holds "
                f"{', '.join(got['parts']) or 'nothing'}."
            )
        if not bool(got["logits"].any()):
            return (
                "Without `hide` everything is hidden: kept and hidden are swapped. Keep a row "
                "where `torch.rand` is at least the share."
            )
        for name, part in wanted["parts"].items():
            if same(got["parts"][name], part.log_softmax(1)) or same(
                got["parts"][name], part.softmax(1)
            ):
                return f"`parts[{name!r}]` went through a softmax. A part is what its head gives."
            if not same(got["parts"][name], part):
                return f"`parts[{name!r}]` is not what `heads[{name!r}]` makes of its features."
        if same(got["logits"] * len(_DIMS), wanted["logits"]):
            return "The logits are the mean of the parts; they should be their sum."
        if any(
            same(got["logits"], sum(turned(part, dim=1) for part in wanted["parts"].values()))
            for turned in (torch.log_softmax, torch.softmax)
        ):
            return "You add up the parts after a softmax. Add what the heads give."
        if not same(got["logits"], wanted["logits"]):
            return "The logits are not the sum of all parts."
        if not got["gradient"]:
            return "No gradient comes back through the logits; is there a `detach` or `no_grad`?"
    return None


def same(one, other):
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5)


_HIDE = {"touch": 0.3, "sound": 1.0}


def what_is_hidden(attempt, seed):
    """Of many rows: the sum in training and in evaluation, and the parts that it was made of."""
    model, batch = made(attempt, seed, hide=dict(_HIDE)), toy_batch(seed, _ROWS)
    seen = {}
    for mode in ("training", "evaluation"):
        model.train(mode == "training")
        torch.manual_seed(seed)
        logits = model(batch).detach().clone()
        parts = {name: part.detach().clone() for name, part in model.parts.items()}
        seen[mode] = {"logits": logits, "parts": parts}
    both = made(attempt, seed, hide=dict.fromkeys(_HIDE, 0.5))
    torch.manual_seed(seed)
    seen["both"] = both(batch).detach().clone()
    return seen


def judge_hidden(seen, seed):
    batch, whole = toy_batch(seed, _ROWS), made(imbalance.AdditiveClassifier, seed).eval()
    with torch.no_grad():
        whole(batch)
    parts = whole.parts
    if not same(seen["evaluation"]["logits"], sum(parts.values())):
        return "In evaluation nothing is hidden: ask `self.training`."
    for mode in (seen["training"], seen["evaluation"]):
        if any(not same(mode["parts"][name], part) for name, part in parts.items()):
            return (
                "`parts` should stay whole, so that a part's own loss sees every row: hide in the "
                "sum alone."
            )
    # What is left of touch: sound is hidden in every row, image in none.
    left = (seen["training"]["logits"] - parts["image"]) / parts["touch"]
    near = (left - left.round()).abs().amax(dim=1) < 0.05
    if same(seen["training"]["logits"], sum(parts.values())):
        return "In training nothing is hidden, although `hide` names two modalities."
    other = left - parts["sound"] / parts["touch"]  # if sound were there in every row
    if bool(((other - other.round()).abs().amax(dim=1) < 0.05).float().mean() > 0.8):
        return "sound is hidden in no row, where its share is 1: is the comparison upside down?"
    if not bool(near.float().mean() > 0.8):
        return (
            "In training the parts that stay are changed, or one that is hidden is not 0. Hide the "
            "part, not the features: a head's bias would stay. No scaling, as `dropout` does it."
        )
    kept = left.round()[near]
    if bool((kept.amax(dim=1) != kept.amin(dim=1)).float().mean() > 0.2):
        return "You hide single logits of a row. A row's part is hidden as a whole: draw (B, 1)."
    share = float((kept.mean(dim=1) < 0.5).float().mean())
    if share in (0.0, 1.0):
        return "All rows share one fate. Draw a number for each row of the batch: (B, 1)."
    if abs(share - _HIDE["touch"]) > 0.12:
        return (
            f"touch is hidden in {share:.2f} of the rows, where its share is {_HIDE['touch']:g}: "
            "is the comparison upside down?"
        )
    if fate_shared(seen["both"] - parts["image"], parts["touch"], parts["sound"]):
        return "touch and sound vanish from the same rows. Draw anew for each modality."
    return None


def fate_shared(left, touch, sound):
    """Whether two parts, each hidden in half of the rows, are there or not there together."""
    ways = torch.stack([a * touch + b * sound for a in (0, 1) for b in (0, 1)])  # (4, B, C)
    nearest = (ways - left).abs().sum(dim=2).argmin(dim=0)
    alone = ((nearest == 1) | (nearest == 2)).float().mean()
    return bool(alone < 0.2)


_LOSSES = ({}, {"image": 0.5}, {"touch": 2.0, "sound": 1.0})


def what_is_lost(attempt, seed, apart=1.0):
    """The loss of logits that are, as in training with ``hide``, not the sum of the parts.

    apart: how far they are from it.
    """
    losses = []
    for own in _LOSSES:
        model, batch = made(attempt, seed, own_loss=dict(own)), toy_batch(seed, 6)
        logits = model(batch)
        logits = logits + apart * torch.arange(_CLASSES)
        losses.append(float(torch.as_tensor(model.loss(logits, batch)).detach()))
    return losses


def judge_lost(seen, seed):
    wanted = what_is_lost(imbalance.AdditiveClassifier, seed)
    whole = what_is_lost(imbalance.AdditiveClassifier, seed, apart=0.0)
    if math.isclose(seen[0], whole[0], rel_tol=1e-4):
        return (
            "`loss` makes logits of its own, from whole parts, so that nothing is hidden from it. "
            "Take the `logits` that it is given."
        )
    if not math.isclose(seen[0], wanted[0], rel_tol=1e-4):
        return "Without `own_loss`, `loss` should be the cross-entropy of the logits alone."
    unweighted = [2 * wanted[1] - wanted[0], None]
    for got, right, other, own in zip(seen[1:], wanted[1:], unweighted, _LOSSES[1:], strict=True):
        if math.isclose(got, right, rel_tol=1e-4):
            continue
        if math.isclose(got, wanted[0], rel_tol=1e-4):
            return "`own_loss` changes nothing: add the cross-entropies of the parts that it names."
        if other is not None and math.isclose(got, other, rel_tol=1e-4):
            return "Each part's cross-entropy counts by its weight in `own_loss`; yours counts 1."
        return (
            f"With own_loss = {own} the loss is {got:.3f}; expected is {right:.3f}, the "
            "cross-entropy of the logits and, by its weight, that of each named part."
        )
    return None


def learns(attempt, seed):
    """A ready part that is right and sure, and one that has all to learn, with its own loss."""
    rng = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (200,), generator=rng)
    side = (2.0 * label - 1)[:, None].expand(-1, 2)
    batch = {"touch": side, "image": side + torch.randn(200, 2, generator=rng), "label": label}
    torch.manual_seed(seed)
    encoders = toy_encoders(seed, {"touch": 2, "image": 3})
    model = attempt(encoders, 2, own_loss={"image": 1.0})
    with torch.no_grad():  # touch comes ready
        model.encoders["touch"].layer.weight.copy_(torch.eye(2))
        model.encoders["touch"].layer.bias.zero_()
        model.heads["touch"].weight.copy_(torch.tensor([[-6.0, -6.0], [6.0, 6.0]]))
        model.heads["touch"].bias.zero_()
        model.heads["image"].weight.mul_(0.1)
    before = model.encoders["image"].layer.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(30):
        loss = model.loss(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = (model.parts["image"].argmax(dim=1) == label).float().mean()
    moved = (model.encoders["image"].layer.weight.detach() - before).abs().max()
    return {"right": float(right), "moved": float(moved)}


@functools.cache
def reference_learns(seed):
    return learns(imbalance.AdditiveClassifier, seed)


def judge_learnt(seen, seed):
    reference = reference_learns(seed)
    if seen["right"] < reference["right"] - 0.1 or seen["moved"] < 0.3 * reference["moved"]:
        return (
            "Beside a part that is right and sure, the image's learns hardly anything, although "
            "`own_loss` names it: its own loss sends no gradient back. Keep `parts` as they are, "
            "without `detach`, `data` or `no_grad`."
        )
    return None


# --- ways to build it, right and wrong ---


class Zipped(nn.Module):
    """Another right way: parts in a loop, hidden rows by a mask of Bernoulli draws."""

    def __init__(self, encoders, classes, hide=None, own_loss=None):
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.heads = nn.ModuleDict()
        for name, encoder in encoders.items():
            self.heads[name] = nn.Linear(encoder.dim, classes)
        self.hide, self.own_loss = hide or {}, own_loss or {}

    def forward(self, batch):
        total, self.parts = 0.0, {}
        for name, encoder in self.encoders.items():
            part = self.parts[name] = self.heads[name](encode(encoder, batch))
            total = total + self.shown(name, part)
        return total

    def shown(self, name, part):
        if not self.training:
            return part
        hidden = torch.bernoulli(torch.full((len(part), 1), self.hide.get(name, 0.0)))
        return part.masked_fill(hidden.bool(), 0.0)

    def loss(self, logits, batch):
        total = F.cross_entropy(logits, batch["label"])
        for name, weight in self.own_loss.items():
            total = total + weight * F.cross_entropy(self.parts[name], batch["label"])
        return total


class PlainHeads(Zipped):
    def __init__(self, encoders, classes, hide=None, own_loss=None):
        super().__init__(encoders, classes, hide, own_loss)
        heads = dict(self.heads.items())
        del self.heads
        self.heads = heads


class Averaged(Zipped):
    def forward(self, batch):
        return super().forward(batch) / len(self.encoders)


class HidesInEvaluation(Zipped):
    def shown(self, name, part):
        return part * (torch.rand(len(part), 1) >= self.hide.get(name, 0.0))


class HidesEntries(Zipped):
    def shown(self, name, part):
        share = self.hide.get(name, 0.0)
        return part * (torch.rand_like(part) >= share) if self.training else part


class HidesTheBatch(Zipped):
    def shown(self, name, part):
        hidden = self.training and torch.rand(()) < self.hide.get(name, 0.0)
        return 0 * part if hidden else part


class HidesTogether(Zipped):
    def forward(self, batch):
        self.draw = torch.rand(len(batch["label"]), 1)
        return super().forward(batch)

    def shown(self, name, part):
        return part * (self.draw >= self.hide.get(name, 0.0)) if self.training else part


class Inverted(Zipped):
    def shown(self, name, part):
        kept = torch.rand(len(part), 1) < self.hide.get(name, 1.0)
        return part * kept if self.training else part


class HidesFeatures(Zipped):
    """Hides what goes into the head, whose bias stays."""

    def forward(self, batch):
        total, self.parts = 0.0, {}
        for name, encoder in self.encoders.items():
            features = encode(encoder, batch)
            self.parts[name] = self.heads[name](features)
            total = total + self.heads[name](self.shown(name, features))
        return total


class Dropped(Zipped):
    """Dropout of rows, which makes up for what it takes."""

    def shown(self, name, part):
        share = self.hide.get(name, 0.0)
        kept = torch.rand(len(part), 1) >= share
        return part * kept / max(1 - share, 1e-9) if self.training else part


class KeepsHiddenParts(Zipped):
    def forward(self, batch):
        total = super().forward(batch)
        if self.training:
            self.parts = {n: p * (torch.rand(len(p), 1) >= self.hide.get(n, 0.0))
                          for n, p in self.parts.items()}  # fmt: skip
        return total


class Cut(Zipped):
    def forward(self, batch):
        total = super().forward(batch)
        self.parts = {name: part.detach() for name, part in self.parts.items()}
        return total

    def loss(self, logits, batch):
        total = F.cross_entropy(logits, batch["label"])
        for name, weight in self.own_loss.items():
            total = total + weight * F.cross_entropy(self.parts[name], batch["label"])
        return total


class Unweighted(Zipped):
    def loss(self, logits, batch):
        self.own_loss = dict.fromkeys(self.own_loss, 1.0)
        return super().loss(logits, batch)


class LossOfTheParts(Zipped):
    """Its own sum, in which nothing is hidden."""

    def loss(self, logits, batch):
        return super().loss(sum(self.parts.values()), batch)


class LossOfAnotherCall(Zipped):
    def loss(self, logits, batch):
        return super().loss(self(batch), batch)


class HeadsWithoutBias(Zipped):
    def __init__(self, encoders, classes, hide=None, own_loss=None):
        super().__init__(encoders, classes, hide, own_loss)
        for name, encoder in encoders.items():
            self.heads[name] = nn.Linear(encoder.dim, classes, bias=False)


class KeepsTheShare(Zipped):
    """Keeps what it should hide: with no share, nothing is left."""

    def shown(self, name, part):
        kept = torch.rand(len(part), 1) < self.hide.get(name, 0.0)
        return part * kept if self.training else part


class AddsLogProbabilities(Zipped):
    def shown(self, name, part):
        return super().shown(name, part).log_softmax(dim=1)


class KeepsLogProbabilities(Zipped):
    def forward(self, batch):
        super().forward(batch)
        self.parts = {name: part.log_softmax(dim=1) for name, part in self.parts.items()}
        return sum(self.parts.values())


AdditiveClassifier = Exercise(
    reference=imbalance.AdditiveClassifier,
    parts=(
        Part(
            "constructor",
            what_is_made,
            judge_made,
            (
                "Begin with `super().__init__()`. Encoders and heads are modules by name: which "
                "container did lesson 04 keep such things in?",
                "`nn.ModuleDict({name: nn.Linear(encoder.dim, classes) for name, encoder in "
                "encoders.items()})` for `heads`; `self.hide = hide or {}`.",
            ),
        ),
        Part(
            "sum and parts",
            what_is_said,
            judge_said,
            (
                "`encode(encoder, batch)` gives an encoder's features; its head makes a part "
                "(B, C) of them.",
                "Keep the parts in a dict, `self.parts = {name: ...}`, and return "
                "`sum(self.parts.values())`.",
            ),
        ),
        Part(
            "hiding",
            what_is_hidden,
            judge_hidden,
            (
                "One draw a row, so (B, 1), and only while `self.training`. Leave `self.parts` "
                "whole.",
                "`part * (torch.rand(len(part), 1) >= share)` is 0 in a share of the rows.",
            ),
        ),
        Part(
            "loss",
            what_is_lost,
            judge_lost,
            (
                "`F.cross_entropy(logits, batch['label'])` first; then the same of the parts that "
                "`own_loss` names.",
                "Add `weight * F.cross_entropy(self.parts[name], batch['label'])` for each name "
                "and weight in `self.own_loss.items()`.",
            ),
        ),
        Part(
            "learning",
            learns,
            judge_learnt,
            (
                "The numbers are right, so follow the gradient: from a part's own loss back to its "
                "encoder. What cuts it off?",
                "`self.parts` has to hold the tensors themselves, as they came out of the heads.",
            ),
        ),
    ),
    also_right=(Zipped,),
    mistakes=(
        Mistake(PlainHeads, "Put it into an `nn.ModuleDict`."),
        Mistake(Averaged, "The logits are the mean of the parts; they should be their sum."),
        Mistake(HidesInEvaluation, "In evaluation nothing is hidden: ask `self.training`."),
        Mistake(HidesEntries, "You hide single logits of a row."),
        Mistake(HidesTheBatch, "All rows share one fate."),
        Mistake(Dropped, "No scaling, as `dropout` does it."),
        Mistake(HidesFeatures, "Hide the part, not the features: a head's bias would stay."),
        Mistake(Inverted, "is the comparison upside down?"),
        Mistake(HidesTogether, "Draw anew for each modality."),
        Mistake(KeepsHiddenParts, "hide in the sum alone."),
        Mistake(Cut, "its own loss sends no gradient back."),
        Mistake(
            Unweighted,
            "Each part's cross-entropy counts by its weight in `own_loss`; yours counts 1.",
        ),
        Mistake(LossOfTheParts, "Take the `logits` that it is given."),
        Mistake(LossOfAnotherCall, "Take the `logits` that it is given."),
        Mistake(HeadsWithoutBias, "has no bias; leave `nn.Linear` the one that it makes."),
        Mistake(
            KeepsTheShare,
            "kept and hidden are swapped. Keep a row where `torch.rand` is at least the share.",
        ),
        Mistake(AddsLogProbabilities, "You add up the parts after a softmax."),
        Mistake(KeepsLogProbabilities, "went through a softmax. A part is what its head gives."),
    ),
)
