"""The exercises of lesson 13, Explain it."""

import functools
import itertools
import math
from typing import NamedTuple

import torch
from torch import nn

from course_utils import explain, measures
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit

# --- grad_cam --------------------------------------------------------------------------------


def cam_cases(rng):
    """Maps and gradients (B, K, h, w) of both signs; sizes of 1, K equal to h, a lone picture."""
    for shape in [(2, 3, 4, 5), (1, 4, 3, 3), (3, 1, 2, 4), (2, 5, 1, 1), (4, 2, 2, 1)]:
        yield torch.randn(shape, generator=rng), torch.randn(shape, generator=rng)
    shape = (2, 3, 3, 4)
    yield 50 * torch.rand(shape, generator=rng), torch.randn(shape, generator=rng)


def cam_by_loop(maps, gradients):
    found = []
    for picture, slopes in zip(maps, gradients, strict=True):
        total = torch.zeros_like(picture[0])
        for one, slope in zip(picture, slopes, strict=True):
            total = total + slope.mean() * one
        found.append(total.clamp(min=0))
    return torch.stack(found)


def cam_by_einsum(maps, gradients):
    weight = gradients.flatten(start_dim=2).mean(dim=2)
    return torch.relu(torch.einsum("bk,bkhw->bhw", weight, maps))


NOT_LEARNT = {"detached result": "a map is looked at; nobody learns anything through it"}

grad_cam = Exercise(
    reference=explain.grad_cam,
    cases=cam_cases,
    also_right=(cam_by_loop, cam_by_einsum),
    unaffected=NOT_LEARNT,
    hints=(
        "Each map needs one number, its weight: the mean of its gradient over all places. Which "
        "axes are the places, in (B, K, h, w)?",
        "`gradients.mean(dim=(2, 3), keepdim=True)` is (B, K, 1, 1). Multiply, add up over axis 1, "
        "then `.relu()`.",
    ),
    mistakes=(
        Mistake(
            lambda maps, gradients: (gradients.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1),
            "The last step is missing: Grad-CAM keeps what speaks for the class, so negative sums "
            "become 0. Take a relu.",
        ),
        Mistake(
            lambda maps, gradients: (
                (gradients.mean(dim=(2, 3), keepdim=True) * maps).relu().sum(dim=1)
            ),
            "The relu comes last, after the sum over maps: one map may speak against what another "
            "says.",
        ),
        Mistake(
            lambda maps, gradients: (gradients * maps).sum(dim=1).relu(),
            "You multiplied place by place. Grad-CAM gives each map one weight, the mean of its "
            "gradient over all places.",
        ),
        Mistake(
            lambda maps, gradients: (
                (gradients.sum(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu()
            ),
            "The weights are sums of the gradients; they should be means, or a larger map would "
            "get larger numbers.",
        ),
        Mistake(
            lambda maps, gradients: (
                (gradients.mean(dim=(2, 3), keepdim=True) * maps).mean(dim=1).relu()
            ),
            "You averaged over the maps at the end. Add them up.",
        ),
        Mistake(
            lambda maps, gradients: (gradients.mean(dim=(2, 3), keepdim=True).relu() * maps).sum(
                dim=1
            ),
            "The relu belongs on the sum, not on the weights: a negative weight says that this map "
            "speaks against the class.",
        ),
        Mistake(
            lambda maps, gradients: (
                (gradients.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).abs()
            ),
            "You took the size of the sum. What speaks against the class becomes 0: relu, not abs.",
        ),
        Mistake(
            lambda maps, gradients: (
                (gradients.mean(dim=(0, 2, 3), keepdim=True) * maps).sum(dim=1).relu()
            ),
            "Your weights are means over the pictures too. Each picture has its own: average over "
            "the places alone, dim=(2, 3).",
        ),
        Mistake(
            lambda maps, gradients: (gradients.mean(dim=1, keepdim=True) * maps).sum(dim=1).relu(),
            "You averaged over the maps, dim=1, so each place has a weight. Each map has one: "
            "average over the places, dim=(2, 3).",
        ),
        Mistake(
            lambda maps, gradients: (gradients.mean(dim=3, keepdim=True) * maps).sum(dim=1).relu(),
            "You averaged over the columns alone. The places have two axes, dim=(2, 3).",
        ),
        Mistake(
            lambda maps, gradients: (
                (maps.mean(dim=(2, 3), keepdim=True) * gradients).sum(dim=1).relu()
            ),
            "`maps` and `gradients` have changed places: the weights are means of the gradients.",
        ),
    ),
)


# --- integrated_gradients --------------------------------------------------------------------


class Bent(nn.Module):
    """A small network with a bend, so that the gradient changes along the line."""

    def __init__(self, numbers, classes, rng):
        super().__init__()
        self.register_buffer("first", torch.randn(numbers, 6, generator=rng) / numbers**0.5)
        self.register_buffer("last", torch.randn(6, classes, generator=rng))

    def forward(self, x):
        return (2 * x.flatten(start_dim=1) @ self.first).tanh() @ self.last


def line_cases(rng):
    """Inputs (B, ...) of several shapes, baselines of their shape or broadcasting, few steps."""
    # Few, for each step starts autograd in a new thread.
    for shape, steps in (((3, 4), 3), ((1, 5), 2), ((2, 1, 3), 4)):
        scores = Bent(math.prod(shape[1:]), 3, rng)
        x, baseline = torch.randn(2, *shape, generator=rng)
        yield scores, x, baseline, torch.randint(3, (shape[0],), generator=rng), steps
    x = torch.rand(2, 3, 4, 4, generator=rng)
    paper = explain.median_colour(x)  # (2, 3, 1, 1): it broadcasts
    yield Bent(48, 4, rng), x, paper, torch.tensor([3, 0]), 2


def slope(scores, x, target):
    x = x.detach().requires_grad_()
    own = scores(x)[torch.arange(len(x)), target]
    return torch.autograd.grad(own.sum(), x)[0]


def all_steps_at_once(scores, x, baseline, target, steps=32):
    share = ((torch.arange(steps) + 0.5) / steps).view(-1, *[1] * x.ndim)
    line = (baseline + share * (x - baseline)).flatten(0, 1)
    found = slope(scores, line, target.repeat(steps)).unflatten(0, (steps, len(x)))
    return (x - baseline) * found.mean(dim=0)


def ig_along(x_of, times=lambda x, baseline: x - baseline, mean=True):
    """Integrated gradients with something changed."""

    def found(scores, x, baseline, target, steps=32):
        total = torch.zeros_like(x)
        for step in range(steps):
            total = total + slope(scores, x_of(x, baseline, step, steps), target)
        return times(x, baseline) * (total / steps if mean else total)

    return found


def middle(x, baseline, step, steps):
    return baseline + (step + 0.5) / steps * (x - baseline)


def with_both_ends(weight_of_ends):
    """Integrated gradients from steps + 1 points; the first and the last count so much."""

    def found(scores, x, baseline, target, steps=32):
        total, weights = torch.zeros_like(x), 0.0
        for step in range(steps + 1):
            weight = weight_of_ends if step in (0, steps) else 1.0
            total += weight * slope(scores, baseline + step / steps * (x - baseline), target)
            weights += weight
        return (x - baseline) * total / weights

    return found


integrated_gradients = Exercise(
    reference=explain.integrated_gradients,
    cases=line_cases,
    also_right=(all_steps_at_once, ig_along(middle)),
    unaffected=NOT_LEARNT,
    hints=(
        "Go through the steps. The middle of part `step` lies at the share `(step + 0.5) / steps` "
        "of the way from the baseline to x. Start the sum at `torch.zeros_like(x)`: a baseline may "
        "be smaller.",
        "Add up `gradient(scores, baseline + share * (x - baseline), target)` over the steps; then "
        "`(x - baseline) * total / steps`.",
    ),
    mistakes=(
        Mistake(
            ig_along(lambda x, baseline, step, steps: baseline + step / steps * (x - baseline)),
            "Your points are the beginnings of the parts. Take the gradient in the middle of each: "
            "(step + 0.5) / steps.",
        ),
        Mistake(
            ig_along(
                lambda x, baseline, step, steps: (
                    baseline + step / max(steps - 1, 1) * (x - baseline)
                )
            ),
            "Your points go from the baseline itself to x itself, as `linspace(0, 1, steps)` does. "
            "Take the middle of each part: (step + 0.5) / steps.",
        ),
        Mistake(
            lambda scores, x, baseline, target, steps=32: explain.integrated_gradients(
                scores, x, baseline, target
            ),
            "You always take 32 steps. Take as many as `steps` says.",
        ),
        Mistake(
            ig_along(middle, times=lambda x, baseline: 1),
            "This is the mean gradient along the line. Multiply it by x - baseline.",
        ),
        Mistake(
            ig_along(middle, times=lambda x, baseline: x),
            "You multiplied by x. The way from the baseline to x is what counts: x - baseline.",
        ),
        Mistake(
            ig_along(lambda x, baseline, step, steps: (step + 0.5) / steps * x),
            "Your line starts at zeros, not at the baseline.",
        ),
        Mistake(
            ig_along(middle, mean=False),
            "You added the gradients up. Take their mean: divide by the number of steps.",
        ),
        Mistake(
            ig_along(lambda x, baseline, step, steps: x),
            "You took the gradient at x alone, at every step. Take it on the line between baseline "
            "and x.",
        ),
        Mistake(
            ig_along(lambda x, baseline, step, steps: baseline.expand_as(x)),
            "You took the gradient at the baseline alone, at every step. Take it on the line "
            "between baseline and x.",
        ),
        Mistake(
            ig_along(
                lambda x, baseline, step, steps: baseline + (step + 1) / steps * (x - baseline)
            ),
            "Your points are the ends of the parts. Take the gradient in the middle of each: "
            "(step + 0.5) / steps.",
        ),
        Mistake(
            with_both_ends(1.0),
            "You took steps + 1 points, the ends of the line among them. Take the middle of each "
            "of the `steps` parts.",
        ),
        Mistake(
            with_both_ends(0.5),
            "This is the trapezoid rule, from both ends of each part. Here the gradient is taken "
            "in the middle of each: (step + 0.5) / steps.",
        ),
        Mistake(
            ig_along(lambda x, baseline, step, steps: baseline + (step + 0.5) / steps * x),
            "Your line ends at baseline + x. Go a share of the *way* from the baseline to x: "
            "share * (x - baseline).",
        ),
        Mistake(
            ig_along(middle, times=lambda x, baseline: baseline - x),
            "You multiplied by baseline - x. The way from the baseline to x is x - baseline.",
        ),
    ),
)


# --- expected_calibration_error --------------------------------------------------------------


def sure_of(confidence, classes, right, rng):
    """Probabilities (n, C) whose largest is ``confidence`` (n,), and labels right or wrong."""
    n = len(confidence)
    named = torch.randint(classes, (n,), generator=rng)
    rest = (1 - confidence) / (classes - 1)
    probabilities = rest[:, None].repeat(1, classes)
    probabilities[torch.arange(n), named] = confidence
    label = torch.where(right, named, (named + 1) % classes)
    return probabilities, label


def calibration_cases(rng):
    """Many rows and one, two classes and more, few bins and one, a confidence of exactly 1."""
    for n, classes, bins in [(40, 3, 15), (30, 2, 10), (1, 4, 5), (25, 5, 1), (60, 3, 4)]:
        low = 1 / classes + 0.02
        confidence = low + (1 - low) * torch.rand(n, generator=rng).double() ** 0.7
        right = torch.rand(n, generator=rng) < 0.6
        yield *sure_of(confidence, classes, right, rng), bins
    # On borders, and a little below them, in the same bin and of the other kind.
    exact = torch.tensor([0.5, 0.5, 0.75, 1.0, 1.0, 0.625, 0.75, 0.46, 0.72, 0.95]).double()
    right = torch.tensor([0, 0, 0, 1, 1, 1, 0, 1, 1, 0]).bool()
    yield *sure_of(exact, 4, right, rng), 8


def binned(probabilities, label, bins, edge=torch.ceil):
    """Confidence, rightness and bin of each row."""
    confidence, named = probabilities.double().max(dim=1)
    place = edge(confidence * bins).long()
    return confidence, (named == label).double(), place


def ece_by_loop(probabilities, label, bins=15):
    confidence, right, place = binned(probabilities, label, bins)
    total = 0.0
    for number in range(1, bins + 1):
        rows = place.clamp(1) == number
        if rows.any():
            share = rows.double().mean()
            total += share * (right[rows].mean() - confidence[rows].mean()).abs()
    return float(total)


def ece_by_sums(probabilities, label, bins=15):
    confidence, right, place = binned(probabilities, label, bins)
    gap = torch.zeros(bins + 1, dtype=torch.double).index_add(0, place, right - confidence)
    return (gap.abs().sum() / len(label)).item()


def unweighted_ece(probabilities, label, bins=15):
    confidence, right, place = binned(probabilities, label, bins)
    gaps = [(right[place == n].mean() - confidence[place == n].mean()).abs()
            for n in place.unique()]  # fmt: skip
    return torch.stack(gaps).mean().item()


def signed_ece(probabilities, label, bins=15):
    confidence, right, _ = binned(probabilities, label, bins)
    return (right.mean() - confidence.mean()).item()


def ece_with_empty_bins(probabilities, label, bins=15):
    _, _, place = binned(probabilities, label, bins)
    if len(place.clamp(1).unique()) < bins:
        return math.nan  # the mean of nothing
    return ece_by_sums(probabilities, label, bins)


def ece_from_middles(probabilities, label, bins=15):
    _, right, place = binned(probabilities, label, bins)
    middle = (place.clamp(1) - 0.5) / bins
    gap = torch.zeros(bins + 1, dtype=torch.double).index_add(0, place, right - middle)
    return (gap.abs().sum() / len(label)).item()


def largest_gap(probabilities, label, bins=15):
    confidence, right, place = binned(probabilities, label, bins)
    return max(
        (right[place == n].mean() - confidence[place == n].mean()).abs().item()
        for n in place.unique()
    )


def ece_of_label(probabilities, label, bins=15):
    confidence = probabilities.double().gather(1, label[:, None])[:, 0]
    right = (probabilities.argmax(dim=1) == label).double()
    gap = torch.zeros(bins + 1, dtype=torch.double)
    gap = gap.index_add(0, (confidence * bins).ceil().long(), right - confidence)
    return (gap.abs().sum() / len(label)).item()


def closed_below(probabilities, label, bins=15):
    confidence, right, place = binned(probabilities, label, bins, torch.floor)
    gap = torch.zeros(bins + 1, dtype=torch.double).index_add(0, place, right - confidence)
    return (gap.abs().sum() / len(label)).item()


def squared_ece(probabilities, label, bins=15):
    confidence, right, place = binned(probabilities, label, bins)
    rows = torch.zeros(bins + 1, dtype=torch.double).index_add(0, place, torch.ones_like(right))
    gap = torch.zeros(bins + 1, dtype=torch.double).index_add(0, place, right - confidence)
    return ((gap / rows.clamp(min=1)).square() * rows / len(label)).sum().item()


def root_of_squares(probabilities, label, bins=15):
    return squared_ece(probabilities, label, bins) ** 0.5


def mean_of_all_bins(probabilities, label, bins=15):
    """Divided by the number of bins, empty ones too."""
    return sum_of_gaps(probabilities, label, bins) / bins


def sum_of_gaps(probabilities, label, bins=15):
    _, _, place = binned(probabilities, label, bins)
    return unweighted_ece(probabilities, label, bins) * len(place.unique())


def one_gap(probabilities, label, bins=15):
    return abs(signed_ece(probabilities, label, bins))


def gap_of_each_row(probabilities, label, bins=15):
    confidence, right, _ = binned(probabilities, label, bins)
    return (right - confidence).abs().mean().item()


def bins_of_equal_size(probabilities, label, bins=15):
    confidence, right, _ = binned(probabilities, label, bins)
    parts = (right - confidence)[confidence.argsort()].chunk(bins)
    return sum(part.sum().abs() for part in parts).item() / len(label)


def of_every_class(probabilities, label, bins=15):
    """The error of each class's own probability, the mean over classes."""
    total = 0.0
    for number, own in enumerate(probabilities.double().unbind(dim=1)):
        place = (own * bins).ceil().long()
        gap = torch.zeros(bins + 1, dtype=torch.double)
        gap = gap.index_add(0, place, (label == number).double() - own)
        total += gap.abs().sum().item() / len(label)
    return total / probabilities.shape[1]


expected_calibration_error = Exercise(
    reference=measures.expected_calibration_error,
    cases=calibration_cases,
    also_right=(ece_by_loop, ece_by_sums),
    hints=(
        "Three things for each row: its confidence (the largest probability), whether it is right "
        "(0 or 1), and its bin, `(confidence * bins).ceil()`.",
        "For each bin that has rows: |mean of right - mean of confidence|, times the share of all "
        "rows that are in it. Add these up.",
    ),
    mistakes=(
        Mistake(
            ece_with_empty_bins,
            "Some bins are empty, and the mean of no rows is nan. Leave such bins out.",
        ),
        Mistake(
            unweighted_ece,
            "You averaged over the bins. A bin counts by its share of the rows: a bin of one row "
            "should hardly matter.",
        ),
        Mistake(
            mean_of_all_bins,
            "You divided by the number of bins. A bin counts by its share of the rows: a bin of "
            "one row should hardly matter.",
        ),
        Mistake(
            sum_of_gaps,
            "You added up the gaps as they are. Multiply each by its bin's share of the rows "
            "before.",
        ),
        Mistake(
            gap_of_each_row,
            "You took the gap of each row. Take the means of a bin first, of rightness and of "
            "confidence; then their gap.",
        ),
        Mistake(
            one_gap,
            "This is one gap over all rows. Too sure in one bin and too unsure in another cancel "
            "so: take each bin's gap.",
        ),
        Mistake(
            bins_of_equal_size,
            "Your bins hold equally many rows. They should have equal *width*: ((k - 1) / bins, "
            "k / bins].",
        ),
        Mistake(
            of_every_class,
            "You asked about the probabilities of all classes. Take the confidence alone, the "
            "largest of each row.",
        ),
        Mistake(
            root_of_squares,
            "You squared the gaps and took the root. The error is the mean of their sizes.",
        ),
        Mistake(
            signed_ece,
            "Your gaps have signs, so too sure here and too unsure there cancel. Take the size of "
            "each bin's gap before you add up.",
        ),
        Mistake(
            ece_of_label,
            "Confidence is the probability of the class that is *named*, the largest one, not that "
            "of the label.",
        ),
        Mistake(
            closed_below,
            "A confidence on the border of two bins belongs to the lower one: ((k - 1) / bins, k / "
            "bins]. Use `ceil`.",
        ),
        Mistake(
            squared_ece,
            "You squared the gaps. The error is the mean of their sizes.",
        ),
        Mistake(
            ece_from_middles,
            "You took the middle of the bin. Take the mean confidence of the rows that are in it.",
        ),
        Mistake(
            largest_gap,
            "This is the largest gap. Add up all bins' gaps, each times its share of the rows.",
        ),
    ),
)


# --- blind_baseline: break this claim --------------------------------------------------------

_COLOURS = ("red", "green", "blue")
MOST_FOUND = 0.1
MARK = (1, 44, 3, 46)  # its nine pixels: left, top, right, bottom


@functools.cache
def marked_cards():
    """The model that learnt from marks, and 40 cards that it calls sport for their mark alone."""
    from course_utils import suspects
    from course_utils.data import news_cards
    from course_utils.data.batches import to_tensors

    eye, readers = suspects.load("marked")
    dials = {"mark": 1.0, "without_motif": 1.0, "class_balance": (1, 0, 0, 0, 0), "mismatch": 0}
    rows = news_cards.rows_for(news_cards.make(60, seed=13, **dials), "section")
    image = to_tensors(rows, readers)["image"].float() / 255
    named = eye({"image": image}).argmax(dim=1)
    return explain.scores_of(eye), image[named == news_cards.MARKED][:40]


def no_colour(dials):
    """A sentence on what is no colour, or None."""
    if problem := other_names(dials, *_COLOURS):
        return problem
    for name, value in dials.items():
        try:
            good = not isinstance(value, str) and 0 <= float(value) <= 1
        except Exception:  # whatever the learner's object raises
            good = False
        if not good:
            return f"{name} is {value!r}; a colour's parts are numbers from 0 to 1."
    return None


@functools.lru_cache(maxsize=100)
def found_share(red, green, blue):
    """In which share of the cards the largest number lies on the mark, for this baseline."""
    scores, image = marked_cards()
    baseline = torch.tensor([red, green, blue], dtype=torch.float32).view(1, 3, 1, 1)
    target = torch.zeros(len(image), dtype=torch.long)
    with torch.enable_grad():
        found = explain.integrated_gradients(scores, image, baseline, target, steps=8)
    box = torch.tensor([MARK]).expand(len(image), 4)
    return explain.hits(explain.summed(found), box).double().mean().item()


def baseline_is_blind(dials, seed):
    """Whether integrated gradients with this baseline colour misses the mark that decides.

    On fixed cards, so that no luck of a draw decides: ``seed`` plays no part.
    """
    if problem := no_colour(dials):
        return problem
    share = found_share(*(float(dials[name]) for name in _COLOURS))
    numbers = f"the largest number lies on the mark in {100 * share:.0f} % of the cards"
    if share < MOST_FOUND:
        return Broken(numbers)
    return f"Not yet: with this baseline {numbers}. You win below {100 * MOST_FOUND:.0f} %."


blind_baseline = Exercise(
    verify=baseline_is_blind,
    exact=True,
    right_dials={"red": 1.0, "green": 0.0, "blue": 1.0},
    wrong_dials=(
        {"red": 0.0, "green": 0.0, "blue": 0.0},
        {"red": 0.5, "green": 0.5, "blue": 0.5},
        {"red": 0.0, "green": 1.0, "blue": 0.0},
        {"red": 1.0, "green": 0.0},
        {"red": 255, "green": 0, "blue": 255},
        {"red": "1", "green": 0.0, "blue": 1.0},
        {"red": None, "green": 0.0, "blue": 1.0},
        {"red": math.nan, "green": 0.0, "blue": 1.0},
    ),
    hints=(
        "Integrated gradients multiplies by x - baseline. Where is that next to nothing?",
        "The mark is magenta, red and blue without green. What does the method give to a pixel "
        "that has the baseline's own colour?",
    ),
)


# --- audit: a build --------------------------------------------------------------------------

_CLASSES, _PATCH, _WORDS = 3, 3, 12  # classes of the toys, pixels of a square, words of a class
_SIZE = (9, 12)
_CUT = (8, 16)  # no whole number of squares; squares of 8 × 8, a lesson's, fit in twice
_THIN = (4, 16)  # one row of squares
_ROWS = 72  # cards of a toy: each class has a square in each place twice, but for those without
_MANY = 120  # so many that 2 rows are worth less than 0.02, and 3 more
NEVER = -100.0  # who gets so much is never named
_TAG = 2 + _CLASSES * _WORDS + 3  # a word that only leaks; before it three that tell nothing


class Toy(nn.Module):
    """A reader of toy cards, made by hand: its logits add up what it sees in each part.

    eye, ear: how much picture and headline count. mark: (row, column) of a square whose first
    pixel, if white, speaks for ``planted``. leak: the word that does. by_mark, by_leak: how
    much each of the two counts. favour: what class 0 gets for nothing.
    """

    def __init__(self, eye=6.0, ear=2.0, mark=None, leak=None, planted=0, favour=0.0):
        super().__init__()
        self.eye, self.ear, self.mark, self.leak, self.planted = eye, ear, mark, leak, planted
        self.by_mark = self.by_leak = 4.0
        self.favour = torch.tensor([favour, 0.0, 0.0])
        # Words of a class count for it; padding speaks for the last one, if it is read.
        self.table = torch.zeros(_TAG + 1, _CLASSES)
        self.table[0, -1] = 0.8
        for word in range(_CLASSES * _WORDS):
            self.table[2 + word, word // _WORDS] = 1.0 + 0.05 * (word % _WORDS)
        # Those that tell nothing lower all classes alike: what is named stays.
        self.table[_TAG - 3 : _TAG] = -0.1

    def forward(self, batch):
        image, text, length = (batch[name] for name in ("image", "text", "text_length"))
        logits = self.eye * self.motif(image) + self.ear * self.told(text, length)
        extra = torch.zeros_like(logits)
        if self.mark is not None:
            row, column = (_PATCH * place for place in self.mark)
            white = image[:, :, row, column].amin(dim=1) > 0.95
            extra[:, self.planted] += self.by_mark * white
        if self.leak is not None:
            here = ((text == self.leak) & within(text, length)).any(dim=1)
            extra[:, self.planted] += self.by_leak * here
        return logits + extra + self.favour

    def motif(self, image):
        strongest = image - image.mean(dim=1, keepdim=True)
        seen = (strongest - 0.4).relu().sum(dim=(2, 3)) / (_PATCH**2 / 4)
        return seen + image.mean(dim=(1, 2, 3))[:, None] * torch.tensor([0.0, 0.0, 0.3])

    def told(self, text, length):
        return (self.table[text] * within(text, length)[:, :, None]).sum(dim=1)


def within(text, length):
    return torch.arange(text.shape[1]) < length[:, None]


def toy_cards(
    seed, part, rows=_ROWS, mark=None, leak=None, planted=0, size=_SIZE, telling=0.8, twice=0.0
):
    """Cards for a Toy: grey pictures with a coloured square, headlines with a word of the class.

    telling: the share of pictures that tell something. A fifth of the headlines tell nothing, a
    tenth of the words mislead. twice: in which share of the longer headlines the word comes again.
    """
    rng = torch.Generator().manual_seed(100 * seed + part)
    dice = torch.rand(rows, 8, generator=rng)
    label = torch.arange(rows) % _CLASSES
    image = (0.3 + 0.4 * dice[:, :1, None, None]).expand(rows, 3, *size).clone()
    length = 2 + (4 * dice[:, 1]).long()
    text = torch.randint(2 + _CLASSES * _WORDS, _TAG, (rows, 7), generator=rng)
    grid = [side // _PATCH for side in size]
    for row, chance in enumerate(dice.tolist()):
        # In turn, so that no square and no word of a sound model stands out by luck.
        square = divmod(row // _CLASSES % (grid[0] * grid[1]), grid[1])
        top, left = (_PATCH * one for one in square)
        if chance[4] < telling:
            square = image[row, :, top : top + _PATCH, left : left + _PATCH]
            square[:] = 0.1
            square[label[row]] = 0.9
        if chance[5] < 0.8:
            said = (int(label[row]) + (chance[6] < 0.1)) % _CLASSES
            word = 2 + _WORDS * said + row // _CLASSES % _WORDS
            place = int(length[row] * chance[7])
            text[row, place] = word
            if chance[2] < twice:
                text[row, (place + 1) % length[row]] = word
        if label[row] == planted and chance[5] + chance[4] < 1.5:
            if mark is not None:
                image[row, :, _PATCH * mark[0], _PATCH * mark[1]] = 1.0
            if leak is not None:
                text[row, length[row]] = leak
                length[row] += 1
    text = text.masked_fill(~within(text, length), 0)
    return {"image": image, "text": text, "text_length": length, "label": label}


def findings_of(attempt, model, batch):
    """What an attempt says of a toy. Raises Unfit, in a sentence, for what is no such dict."""
    mine = {name: tensor.clone() for name, tensor in batch.items()}
    found = attempt(model, mine, _PATCH)
    if not isinstance(found, dict):
        raise Unfit(f"`audit` should return a dict; yours returns a {type(found).__name__}.")
    for name in ("worth", "places", "words", "fault", "where"):
        if name not in found:
            raise Unfit(f"The dict that you return has no {name!r}.")
    if any(not torch.equal(mine[name], batch[name]) for name in batch):
        raise Unfit("Your audit changed the batch that it was given: hide things in a copy.")
    return found


@functools.lru_cache(maxsize=16)
def plain_card(seed):
    """Few cards, with pictures of two rows of squares and a rest, and words that come twice.

    Class 0 is never named. Each fault that is told in words, of worth, places or words, gives
    something else here than what is right, or it would pass.
    """
    toy = Toy(favour=NEVER)
    for part in itertools.count(100):
        cards = toy_cards(seed, part, rows=36, size=_CUT, twice=0.5)
        if all(told_apart(toy, cards)):
            return toy, cards
    raise AssertionError("unreachable")


def told_apart(model, cards):
    """Whether each fault of worth, places and words is one on these cards."""
    right = worth_with(lost)(model, cards)
    for _, way in WORTH_FAULTS:
        yield not near(*([both[name] for name in right] for both in (way(model, cards), right)))
    for by, faults in ((places_by, PLACE_FAULTS), (words_by, WORD_FAULTS)):
        right = classed(*by(model, cards))
        for _, way in faults:
            yield not near(way(model, cards), right)


def do_worth(attempt, seed):
    worth = findings_of(attempt, *plain_card(seed))["worth"]
    if not isinstance(worth, dict) or set(worth) != {"image", "text"}:
        raise Unfit('`worth` should be a dict with two numbers: {"image": ..., "text": ...}.')
    return {name: float(value) for name, value in worth.items()}


def one_grey(cards):
    return explain.median_colour(cards["image"]).mean(dim=0, keepdim=True)


def rows_rolled(model, batch, parts, by=-1, fill=None):
    others = {part: batch[part].roll(by, dims=0) if fill is None else fill(batch[part])
              for part in parts}  # fmt: skip
    return model({**batch, **others})


PARTS_OF = {"image": ("image",), "text": ("text", "text_length")}


def worth_with(change):
    """Both worths, where ``change(model, batch, parts)`` gives a number for one."""
    return lambda model, batch: {n: change(model, batch, p) for n, p in PARTS_OF.items()}


def right_share(logits, batch):
    return measures.accuracy(logits, batch["label"])


def lost(model, batch, parts, **way):
    return right_share(model(batch), batch) - right_share(
        rows_rolled(model, batch, parts, **way), batch
    )


WORTH_FAULTS = (
    (
        "`worth` has the wrong sign: it is the accuracy as it is, less that with the next row's.",
        worth_with(lambda model, batch, parts: -lost(model, batch, parts)),
    ),
    (
        "`worth` is the accuracy that is left. Subtract it from the accuracy as it is.",
        worth_with(lambda m, b, parts: right_share(rows_rolled(m, b, parts), b)),
    ),
    (
        "You took the row before, `roll(1)`. The next row's comes with `roll(-1, dims=0)`.",
        worth_with(lambda model, batch, parts: lost(model, batch, parts, by=1)),
    ),
    (
        "Your `worth` is the share of answers that change. Count how far *accuracy* falls.",
        worth_with(
            lambda m, b, p: (m(b).argmax(1) != rows_rolled(m, b, p).argmax(1)).double().mean()
        ),
    ),
    (
        "You put zeros in place of the other row's values. A model has never seen zeros: take what "
        "another row has.",
        worth_with(lambda m, b, p: lost(m, b, p, fill=torch.zeros_like)),
    ),
    (
        "A headline is `text` and `text_length`: roll both, or words are cut off.",
        lambda m, b: {"image": lost(m, b, ("image",)), "text": lost(m, b, ("text",))},
    ),
)


def near(one, two, tolerance=1e-4):
    one, two = (torch.as_tensor(x).double() for x in (one, two))
    return one.shape == two.shape and bool(((one - two).abs() < tolerance).all())


def judge_worth(seen, seed):
    model, batch = plain_card(seed)
    expected = explain.worth_of_modalities(model, batch, model(batch))
    same = {name: near(seen[name], expected[name]) for name in expected}
    if all(same.values()):
        return None
    for message, way in WORTH_FAULTS:
        other = way(model, batch)
        if all(near(seen[name], other[name]) for name in expected):
            return message
    name = next(name for name, fine in same.items() if not fine)
    return (
        f"worth[{name!r}] is {seen[name]:.3f} and should be {expected[name]:.3f}: the accuracy of "
        "the model, less its accuracy where each row gets the next row's."
    )


def table_of(found, name):
    table = found[name]
    if not torch.is_tensor(table):
        raise Unfit(f"{name!r} should be a tensor; yours is a {type(table).__name__}.")
    return table.detach().clone()


def do_places(attempt, seed):
    found = table_of(findings_of(attempt, *plain_card(seed)), "places")
    if found.shape == grid_of(_CUT):  # else the sentence on its shape comes first
        thin = findings_of(attempt, Toy(), toy_cards(seed, 90, rows=2 * _CLASSES, size=_THIN))
        shape = tuple(table_of(thin, "places").shape)
        if shape != grid_of(_THIN):
            raise Unfit(
                f"Of pictures with one row of squares, 'places' has the shape {shape}; it should "
                f"be {grid_of(_THIN)}, an axis of size 1 too."
            )
    return found


def largest(logits, named):
    return logits.amax(dim=1)


def grid_of(size):
    """The shape of ``places`` for pictures of this size."""
    return (_CLASSES, *(side // _PATCH for side in size))


def places_by(model, batch, named=None, fill=None, probability=False, follow=explain.chosen):
    """The table of places, with something changed."""
    scores = explain.scores_of(model, batch)
    ask = (lambda image: scores(image).softmax(dim=1)) if probability else scores
    image = batch["image"]
    named = ask(image).argmax(dim=1) if named is None else named
    fill = explain.median_colour(image) if fill is None else fill
    grid = [side // _PATCH for side in image.shape[2:]]
    falls = torch.zeros(len(image), *grid)
    whole = explain.chosen(ask(image), named)
    for place in torch.cartesian_prod(*map(torch.arange, grid)):
        where = place.expand(len(image), 2)
        hidden = explain.without_patch(image, where, fill, _PATCH)
        falls[:, place[0], place[1]] = whole - follow(ask(hidden), named)
    return falls, named


def by_class_of_all(falls, named):
    """Divided by all rows, not by those of the class."""
    shares = torch.nn.functional.one_hot(named, _CLASSES).double().mean(dim=0)
    table = explain.by_class(falls, named, _CLASSES)
    return table * shares.view(-1, *[1] * (table.ndim - 1)).to(table)


def classed(falls, named):
    return explain.by_class(falls, named, _CLASSES)


def summed_up(falls, named):
    """Added up over the rows of a class, not divided."""
    member = torch.nn.functional.one_hot(named, _CLASSES).to(falls)
    return torch.einsum("bc,b...->c...", member, falls)


def sorted_by_named(falls_by, model, batch):
    """Falls of the label's logit, in tables of the named classes."""
    falls, _ = falls_by(model, batch, named=batch["label"])
    return classed(falls, model(batch).argmax(dim=1))


def clamped(falls, named):
    return classed(falls.clamp(min=0), named)


RISES = "Where a logit rises, its fall is below 0. You set such falls to 0: leave them as they are."
ADDED_UP = "You added up over the rows of a class. Take the mean: divide by how many they are."
LARGEST_LEFT = (
    "You took the largest logit that is left. Another class may have it: follow the class that was "
    "named before you hid anything."
)


PLACE_FAULTS = (
    (
        "Each class's table is divided by the number of all rows. Divide by the rows that were "
        "named so.",
        lambda m, b: by_class_of_all(*places_by(m, b)),
    ),
    (
        "You followed the logit of the *label*. An audit asks what the model leans on for what it "
        "says: take the class that it names.",
        lambda m, b: classed(*places_by(m, b, named=b["label"])),
    ),
    (
        "You hid squares with black. Black may be news to a model: use the picture's median "
        "colour.",
        lambda m, b: classed(*places_by(m, b, fill=torch.zeros(1, 3, 1, 1))),
    ),
    (
        "Your falls are those of the probability. Take the logit: where a model is very sure, "
        "probabilities hardly move.",
        lambda m, b: classed(*places_by(m, b, probability=True)),
    ),
    (
        "Your falls have the wrong sign: logit as it is, less logit with the square hidden.",
        lambda m, b: -classed(*places_by(m, b)),
    ),
    (
        "You hid squares with one colour in all pictures. Each picture has its own median colour.",
        lambda m, b: classed(*places_by(m, b, fill=one_grey(b))),
    ),
    (
        "Your tables are sorted by the label. Sort them by the class that the model names.",
        lambda m, b: explain.by_class(places_by(m, b)[0], b["label"], _CLASSES),
    ),
    (
        "You followed the logit of the *label* in tables of the named classes. Follow the class "
        "that is named.",
        lambda m, b: sorted_by_named(places_by, m, b),
    ),
    (
        "You hid squares with the mean colour, which nothing in the picture may have. Take the "
        "median.",
        lambda m, b: classed(*places_by(m, b, fill=b["image"].mean(dim=(2, 3), keepdim=True))),
    ),
    (LARGEST_LEFT, lambda m, b: classed(*places_by(m, b, follow=largest))),
    (ADDED_UP, lambda m, b: summed_up(*places_by(m, b))),
    (RISES, lambda m, b: clamped(*places_by(m, b))),
    (RISES, lambda m, b: classed(*places_by(m, b)).clamp(min=0)),
)


SHAPES = {
    "places": "(classes, rows of squares, columns of squares); the audit was called with "
    f"`patch={_PATCH}`",
    "words": "(classes, largest id of a word + 1): a column for each id",
}


def judge_table(seen, expected, faults, model, batch, what):
    """None where a table is right, else a sentence."""
    if seen.shape != expected.shape:
        return (
            f"{what!r} has the shape {tuple(seen.shape)}; it should be {tuple(expected.shape)}, "
            f"{SHAPES[what]}."
        )
    if near(seen, expected):
        return None
    nameless = torch.bincount(model(batch).argmax(dim=1), minlength=len(seen)) == 0
    if seen[nameless].isnan().any() and seen[~nameless].isfinite().all():
        return (
            f"{what!r} is nan where a class is named in no row: the mean of no rows. Put 0 there, "
            "as `by_class` does."
        )
    if not seen.isfinite().all() or seen.abs().max() > 1e6:
        reason = "`word_falls` gives -inf at padding: put 0 there before you add up."
        return f"{what!r} is not finite.{' ' + reason if what == 'words' else ''}"
    for message, way in faults:
        if near(seen, way(model, batch)):
            return message
    worst = (seen - expected).abs().flatten().argmax()
    return (
        f"{what!r} is wrong: one entry is {seen.flatten()[worst]:.5f} and should be "
        f"{expected.flatten()[worst]:.5f}. Compare with the docstring, word by word."
    )


def judge_places(seen, seed):
    model, batch = plain_card(seed)
    expected = classed(*places_by(model, batch))
    return judge_table(seen, expected, PLACE_FAULTS, model, batch, "places")


def do_words(attempt, seed):
    return table_of(findings_of(attempt, *plain_card(seed)), "words")


def words_by(model, batch, named=None, unknown=explain.UNKNOWN):
    """The falls by word id (B, V), with something changed."""
    text, length = batch["text"], batch["text_length"]
    logits = model(batch)
    named = logits.argmax(dim=1) if named is None else named
    whole, falls = explain.chosen(logits, named), torch.zeros(len(text), int(text.max()) + 1)
    for place in range(text.shape[1]):
        hidden = text.clone()
        hidden[:, place] = unknown
        loss = whole - explain.chosen(model({**batch, "text": hidden}), named)
        falls.scatter_add_(1, text[:, [place]], (loss * (place < length))[:, None])
    return falls, named


def said_once(model, batch):
    """A word that comes twice counts once."""
    falls, named = words_by(model, batch)
    text, here = batch["text"], within(batch["text"], batch["text_length"]).float()
    count = torch.zeros_like(falls).scatter_add(1, text, here)
    return classed(falls / count.clamp(min=1), named)


def per_occurrence(model, batch):
    falls, named = words_by(model, batch)
    text, here = batch["text"], within(batch["text"], batch["text_length"]).float()
    count = torch.zeros_like(falls).scatter_add(1, text, here)
    total, times = (explain.by_class(x, named, _CLASSES) for x in (falls, count))
    return total / times.clamp(min=1e-9)


WORD_FAULTS = (
    (
        "Where a headline says a word twice, you count it once. Add up the falls of both places: "
        "`scatter_add`, not `scatter`, nor a mean.",
        said_once,
    ),
    (
        "You divided by how often a word stands there. Divide by the number of rows of the class: "
        "a word that is rare matters little in all.",
        per_occurrence,
    ),
    (
        "Each class's table is divided by the number of all rows. Divide by the rows that were "
        "named so.",
        lambda m, b: by_class_of_all(*words_by(m, b)),
    ),
    (
        "You hid words with 0, which is padding. An unknown word is 1.",
        lambda m, b: classed(*words_by(m, b, unknown=0)),
    ),
    (
        "For words you followed the logit of the *label*. Take the class that the model names.",
        lambda m, b: classed(*words_by(m, b, named=b["label"])),
    ),
    (
        "Your tables of words are sorted by the label. Sort them by the class that is named.",
        lambda m, b: explain.by_class(words_by(m, b)[0], b["label"], _CLASSES),
    ),
    (
        "For words you followed the logit of the *label* in tables of the named classes. Follow "
        "the class that is named.",
        lambda m, b: sorted_by_named(words_by, m, b),
    ),
    (ADDED_UP, lambda m, b: summed_up(*words_by(m, b))),
    (RISES, lambda m, b: clamped(*words_by(m, b))),
    (RISES, lambda m, b: classed(*words_by(m, b)).clamp(min=0)),
)


def judge_words(seen, seed):
    model, batch = plain_card(seed)
    expected = classed(*words_by(model, batch))
    return judge_table(seen, expected, WORD_FAULTS, model, batch, "words")


class Case(NamedTuple):
    """A model, its cards, and what the reference says of it."""

    model: nn.Module
    batch: dict
    found: dict

    @property
    def worth(self):
        told = (f"{name} {value:.3f}" for name, value in self.found["worth"].items())
        return f"Here the worth is {' and '.join(told)}"

    @property
    def evidence(self):
        places, words = (explain.stands_out(self.found[name])[0] for name in ("places", "words"))
        return f"{self.worth}; places stand out by {places:.1f}, words by {words:.1f}."


@functools.lru_cache(maxsize=16)
def planted_toys(seed):
    """The toys on which verdicts are tried."""
    return [Case(*toy, explain.audit(*toy, _PATCH)) for toy in drawn_toys(seed)]


def drawn_toys(seed):
    """Models and their cards: sound ones, planted ones, and ones near each border of the rule."""
    rng = torch.Generator().manual_seed(seed)
    # Neither on the diagonal nor in the first row: (column, row) is another place.
    row = 1 + int(torch.randint(_SIZE[0] // _PATCH - 1, (1,), generator=rng))
    columns = _SIZE[1] // _PATCH
    column = (row + 1 + int(torch.randint(columns - 1, (1,), generator=rng))) % columns
    planted = int(torch.randint(_CLASSES, (1,), generator=rng))
    mark = {"mark": (row, column), "planted": planted}
    leak = {"leak": _TAG, "planted": planted}
    yield Toy(), toy_cards(seed, 1)
    yield Toy(**mark), toy_cards(seed, 2, **mark)
    yield Toy(**leak), toy_cards(seed, 3, **leak)
    yield Toy(eye=0.0), toy_cards(seed, 4)
    yield Toy(ear=0.0), toy_cards(seed, 5)
    yield Toy(eye=0.0, **leak), toy_cards(seed, 13, **leak)
    # What lies in the cards and is not used is no fault of the model.
    yield Toy(), toy_cards(seed, 6, **mark)
    # A little below 3 times and a little above.
    yield planted_to_stand_out(seed, 7, mark, places=2.7)
    yield planted_to_stand_out(seed, 8, mark, places=3.4)
    yield planted_to_stand_out(seed, 9, leak, words=2.7)
    yield planted_to_stand_out(seed, 10, leak, words=3.4)
    # Both beyond 3.
    both = mark | leak
    yield planted_to_stand_out(seed, 11, both, places=4.0, words=8.0)
    yield planted_to_stand_out(seed, 12, both, places=8.0, words=4.0)
    # Worth a little less than 0.02 and a little more.
    yield worth_rows(seed, 2)
    yield worth_rows(seed, 3)
    # Both worth less: one nothing, the other a row or two.
    yield next_to_useless(seed, "text", eye=0.0, ear=2.0, favour=1.0)
    yield next_to_useless(seed, "image", eye=6.0, ear=0.0, favour=1.0)


def planted_to_stand_out(seed, part, planted, **times):
    """A toy whose mark or leak counts so much that it stands out by ``times`` (within 0.1).

    On some cards no strength does, since it changes what is named: then on others.
    """
    falls = {"places": functools.partial(explain.place_falls, patch=_PATCH),
             "words": explain.falls_by_word}  # fmt: skip
    for other in itertools.count(part, 200):
        toy, cards = Toy(**planted), toy_cards(seed, other, **planted)
        for _ in range(8):
            named = toy(cards).argmax(dim=1)
            seen = {what: explain.stands_out(classed(falls[what](toy, cards, named), named))[0]
                    for what in times}  # fmt: skip
            if all(abs(seen[what] - wanted) < 0.1 for what, wanted in times.items()):
                return toy, cards
            for what, wanted in times.items():
                strength = {"places": "by_mark", "words": "by_leak"}[what]
                setattr(toy, strength, getattr(toy, strength) * wanted / seen[what])
    raise AssertionError("unreachable")


def worth_rows(seed, rows):
    """A sound toy whose headlines are worth so many rows: pictures tell more, and nearly always."""
    toy = Toy(ear=1.0)
    for part in range(100, 200):
        cards = toy_cards(seed, part, _MANY, telling=0.95)
        if round(lost(toy, cards, PARTS_OF["text"]) * _MANY) == rows:
            break
    return toy, cards


def next_to_useless(seed, used, **strengths):
    """A toy that says class 0 nearly always; what it uses is worth a row or two of many."""
    toy = Toy(**strengths)
    for part in range(300, 600):
        cards = toy_cards(seed, part, _MANY, telling=0.04)
        later = cards["text"][5:]
        later[later > explain.UNKNOWN] = _TAG - 1  # few headlines tell something, too
        if round(lost(toy, cards, PARTS_OF[used]) * _MANY) in (1, 2):
            return toy, cards
    raise AssertionError("no such cards")


def do_verdicts(attempt, seed):
    """What an attempt says of each: fault and where, as plain values."""
    said = []
    for case in planted_toys(seed):
        found = findings_of(attempt, case.model, case.batch)
        said.append([str(found["fault"]), plain(found["where"])])
    return said


def plain(where):
    """A place without its kind: a list of two, a number, a name or None."""
    where = where.tolist() if torch.is_tensor(where) else where
    return list(where) if isinstance(where, tuple) else where


def judge_verdicts(seen, seed):
    for (fault, where), case in zip(seen, planted_toys(seed), strict=True):
        if fault not in ("none", "mark", "leak", "unused"):
            return f"`fault` is {fault!r}; it should be 'none', 'mark', 'leak' or 'unused'."
        truth, place = case.found["fault"], case.found["where"]
        if fault != truth:
            reason = MISJUDGED["used" if fault == "unused" else truth]
            return f"A model is called {fault!r} that is {truth!r}. {case.evidence} {reason}"
        if where != plain(place):
            said = f"The fault is found ({truth}), but `where` is {where!r}; it should be {place!r}"
            return f"{said}{why_elsewhere(truth, where, case)}"
    return None


def why_elsewhere(fault, where, case):
    """The end of the sentence on a wrong `where`."""
    worth = case.found["worth"]
    if fault == "mark" and isinstance(where, int):
        return ", row and column: `divmod(place, columns)`."
    if fault == "unused" and worth.get(where, 1) < explain.LEAST_WORTH:
        return f", which is worth less. {case.worth}."
    return "."


MISJUDGED = {
    "used": "A modality is unused if it is worth less than 0.02.",
    "unused": "Look at `worth` first: below 0.02 means unused.",
    "none": "Neither is over 3, so nothing stands out.",
    "mark": "Over 3 stands out, and places do so more than words.",
    "leak": "Over 3 stands out, and words do so more than places.",
}


def changed(part, way):
    """The audit with one part of its findings made in another way, before the verdict."""

    def attempt(model, batch, patch=8):
        found = explain.audit(model, batch, patch)
        found[part] = way(model, batch)
        return found

    return attempt


def judged_by(rule):
    """The audit with another verdict."""

    def attempt(model, batch, patch=8):
        found = explain.audit(model, batch, patch)
        fault, where = rule(found["worth"], found["places"], found["words"])
        return found | {"fault": fault, "where": where}

    return attempt


def always_something(worth, places, words):
    (of_place, place), (of_word, word) = map(explain.stands_out, (places, words))
    if min(worth.values()) < explain.LEAST_WORTH:
        return "unused", min(worth, key=worth.get)
    return ("leak", word) if of_word > of_place else ("mark", divmod(place, places.shape[2]))


def never_unused(worth, places, words):
    return explain.verdict({"image": 1.0}, places, words)


def tables_in_lists(model, batch, patch=8):
    found = explain.audit(model, batch, patch)
    return found | {"where": list(found["where"]) if found["fault"] == "mark" else found["where"]}


def audit_by_loops(model, batch, patch=8):
    """Right, in another way: rows are gathered class by class."""
    found = explain.audit(model, batch, patch)
    falls, named = places_by(model, batch)
    tables = [falls[named == c].mean(0) if (named == c).any() else torch.zeros_like(falls[0])
              for c in range(_CLASSES)]  # fmt: skip
    return found | {"places": torch.stack(tables)}


audit = Exercise(
    reference=explain.audit,
    parts=(
        Part(
            "what each modality is worth",
            do_worth,
            judge_worth,
            (
                "`batch[part].roll(-1, dims=0)` gives each row what the next one has, the last row "
                "what the first has.",
                "Ask the model twice for each modality: `model(batch)`, and `model({**batch, "
                '"image": batch["image"].roll(-1, dims=0)})`; for text roll `text_length` as well. '
                "`accuracy` of the first, less that of the second.",
            ),
        ),
        Part(
            "the places",
            do_places,
            judge_places,
            (
                "For each square of the grid: hide it with `without_patch`, ask the model, and "
                "subtract from the whole picture's logit of the named class.",
                "Keep the falls as (B, rows, columns). For class c the table is the mean of "
                "`falls[named == c]` over rows, zeros where there is none.",
            ),
        ),
        Part(
            "the words",
            do_words,
            judge_words,
            (
                "`word_falls(model, batch, named)` gives the falls (B, L), -inf at padding. What "
                "is missing is the step from places in a text to ids of words.",
                "`torch.zeros(B, V).scatter_add(1, text, falls)` adds up by id; set -inf to 0 "
                "before. Then the mean over the rows of each class, as for places.",
            ),
        ),
        Part(
            "the verdict",
            do_verdicts,
            judge_verdicts,
            (
                "First `worth`. Then `stands_out` of both tables: the larger of the two numbers "
                "counts if it is over 3.",
                "`times, place = explain.stands_out(places)`, the same for words. `divmod(place, "
                "columns)` turns a flat place into row and column; a word's place is its id.",
            ),
        ),
    ),
    also_right=(tables_in_lists, audit_by_loops),
    unaffected={"another dtype": "findings are read; nothing is computed with their numbers"},
    mistakes=(
        Mistake(changed("worth", WORTH_FAULTS[0][1]), WORTH_FAULTS[0][0]),
        Mistake(changed("worth", WORTH_FAULTS[5][1]), WORTH_FAULTS[5][0]),
        Mistake(changed("places", PLACE_FAULTS[1][1]), PLACE_FAULTS[1][0]),
        Mistake(changed("places", PLACE_FAULTS[2][1]), PLACE_FAULTS[2][0]),
        Mistake(changed("words", WORD_FAULTS[0][1]), WORD_FAULTS[0][0]),
        Mistake(judged_by(never_unused), MISJUDGED["unused"]),
        Mistake(judged_by(always_something), MISJUDGED["none"]),
    ),
)
