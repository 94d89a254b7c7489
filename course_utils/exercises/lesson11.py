"""The exercises of lesson 11, Missing modalities."""

import csv
import functools
import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils import missing
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit
from course_utils.fusion import presence
from course_utils.measures import accuracy

# --- impute_mean -----------------------------------------------------------------------------


def with_holes(rows, dim, rng, share=0.3):
    """Random numbers (rows, dim) of which some are NaN, and the first row's first never."""
    table = 3 * torch.randn(rows, dim, generator=rng) + 5
    gone = torch.rand(rows, dim, generator=rng) < share
    gone[0, 0] = False
    return table.masked_fill(gone, math.nan)


def mean_cases(rng):
    """Tables with holes; the second has a column that no training row fills, the last no hole."""
    for n, m, d in ((6, 4, 3), (5, 3, 2), (3, 1, 1), (1, 3, 2), (4, 4, 4)):
        train = with_holes(n, d, rng)
        rows = with_holes(m, d, rng, share=0.5) - 4
        rows[-1, -1] = math.nan
        if (n, m) == (5, 3):
            train[:, 1] = math.nan
        yield train, rows
    yield with_holes(4, 2, rng), torch.randn(3, 2, generator=rng)


def mean_by_loop(train, rows):
    filled = rows.clone()
    for column in range(rows.shape[1]):
        known = train[:, column][~train[:, column].isnan()]
        value = known.mean() if len(known) else 0.0
        filled[filled[:, column].isnan(), column] = value
    return filled


def mean_by_sums(train, rows):
    there = ~train.isnan()
    means = train.nan_to_num().sum(dim=0) / there.sum(dim=0).clamp(min=1)
    return rows.where(~rows.isnan(), means.expand_as(rows))


def rows_with_holes_deleted(train, rows):
    whole = train[~train.isnan().any(dim=1)]
    return torch.where(rows.isnan(), whole.nanmean(dim=0).nan_to_num(), rows)


def medians(train, rows):
    return torch.where(rows.isnan(), train.nanmedian(dim=0).values, rows)


def own_mean(train, rows):
    return torch.where(rows.isnan(), rows.nanmean(dim=1, keepdim=True), rows)


OTHER_VALUES = {
    medians: "You fill with each column's median. The mean is asked for: `nanmean`",
    own_mean: "You fill with the mean of the row's own cells, which are of other columns: a price "
    "is no weight. Take each column's mean over the rows of `train`, `dim=0`",
}


impute_mean = Exercise(
    reference=missing.impute_mean,
    cases=mean_cases,
    also_right=(mean_by_loop, mean_by_sums),
    unaffected={"detached result": "holes are filled before anything is learnt"},
    hints=(
        "Whose mean? At the moment of use a test row may come alone: the only means that you "
        "have are those of `train`.",
        "`train.nanmean(dim=0)` leaves NaN out; `.nan_to_num()` makes 0 of a column without any "
        "number; `torch.where(rows.isnan(), means, rows)` puts them in.",
    ),
    mistakes=(
        Mistake(
            lambda train, rows: torch.where(rows.isnan(), rows.nanmean(dim=0).nan_to_num(), rows),
            "Your means are those of the rows that are filled. A test row may come alone, and "
            "must not learn from its neighbours: take the means of `train`.",
        ),
        Mistake(
            lambda train, rows: torch.where(
                rows.isnan(), torch.cat([train, rows]).nanmean(dim=0).nan_to_num(), rows
            ),
            "Your means are those of training and test rows together. Fit on `train` alone.",
        ),
        Mistake(
            lambda train, rows: torch.where(rows.isnan(), train.nan_to_num().mean(dim=0), rows),
            "Your means count each empty cell of `train` as 0. Leave them out: `nanmean`.",
        ),
        Mistake(
            lambda train, rows: torch.where(rows.isnan(), train.nanmean().nan_to_num(), rows),
            "You take one mean for all columns. Each column has its own: `dim=0`.",
        ),
        Mistake(
            lambda train, rows: rows.nan_to_num(),
            "Holes become 0 here. That is the mean only where columns are centred.",
        ),
        Mistake(
            lambda train, rows: torch.where(rows.isnan(), train.nanmean(dim=0), rows),
            "A column that is empty in all of `train` has no mean (NaN): give 0 there.",
        ),
        Mistake(
            lambda train, rows: torch.where(rows.isnan(), train.mean(dim=0), rows),
            "One NaN makes a column's `mean` NaN; `nanmean` leaves it out.",
        ),
        *(
            Mistake(lambda train, rows, made=made: made(train, rows).nan_to_num(), f"{why}.")
            for made, why in OTHER_VALUES.items()
        ),
        *(
            Mistake(
                made,
                f"{why}; and where there is no number to take it of, you leave a NaN: give 0.",
            )
            for made, why in OTHER_VALUES.items()
        ),
        Mistake(
            rows_with_holes_deleted,
            "You delete the training rows that have a hole. Their other cells are known: each "
            "column's mean is over all the numbers in it.",
        ),
    ),
)


# --- impute_ridge ----------------------------------------------------------------------------


def ridge_cases(rng):
    """Wanted is a line of seen with some noise, off centre; alpha from small to large.

    More rows than columns: without them a forgotten penalty gives whatever rounding leaves.
    """
    sizes = ((8, 3, 2, 4, 1.0), (6, 2, 3, 1, 0.1), (5, 1, 1, 3, 10.0), (12, 5, 1, 2, 0.5))
    for n, d, k, m, alpha in sizes:
        seen = torch.randn(n, d, generator=rng) + 3
        line = torch.randn(d, k, generator=rng)
        wanted = seen @ line + 0.3 * torch.randn(n, k, generator=rng) - 5
        yield seen, wanted, torch.randn(m, d, generator=rng) + 1, alpha


def ridge_by_inverse(seen, wanted, rows, alpha):
    x, y = seen - seen.mean(dim=0), wanted - wanted.mean(dim=0)
    slopes = (x.T @ x + alpha * torch.eye(x.shape[1])).inverse() @ x.T @ y
    return (rows - seen.mean(dim=0)) @ slopes + wanted.mean(dim=0)


def ridge_by_more_rows(seen, wanted, rows, alpha):
    """Least squares with sqrt(alpha) times the unit vectors as further rows."""
    x, y = seen - seen.mean(dim=0), wanted - wanted.mean(dim=0)
    x = torch.cat([x, alpha**0.5 * torch.eye(x.shape[1])])
    y = torch.cat([y, torch.zeros(x.shape[1], y.shape[1])])
    return (rows - seen.mean(dim=0)) @ torch.linalg.lstsq(x, y).solution + wanted.mean(dim=0)


def ridge_through_zero(seen, wanted, rows, alpha):
    penalty = alpha * torch.eye(seen.shape[1])
    return rows @ torch.linalg.solve(seen.T @ seen + penalty, seen.T @ wanted)


def ridge_own_centre(seen, wanted, rows, alpha):
    return missing.impute_ridge(seen, wanted, rows - rows.mean(0) + seen.mean(0), alpha)


def ridge_level_left_out(seen, wanted, rows, alpha):
    return missing.impute_ridge(seen, wanted - wanted.mean(dim=0), rows, alpha)


def ridge_eye_forgotten(seen, wanted, rows, alpha):
    x, y = seen - seen.mean(dim=0), wanted - wanted.mean(dim=0)
    slopes = torch.linalg.lstsq(x.T @ x + alpha, x.T @ y).solution
    return wanted.mean(dim=0) + (rows - seen.mean(dim=0)) @ slopes


def ridge_intercept_costs(seen, wanted, rows, alpha):
    def with_one(x):
        return torch.cat([x, torch.ones(len(x), 1)], dim=1)

    return ridge_through_zero(with_one(seen), wanted, with_one(rows), alpha)


def ridge_one_mean(seen, wanted, rows, alpha):
    x, y = seen - seen.mean(), wanted - wanted.mean()
    slopes = torch.linalg.solve(x.T @ x + alpha * torch.eye(x.shape[1]), x.T @ y)
    return wanted.mean() + (rows - seen.mean()) @ slopes


def ridge_of_mean_error(seen, wanted, rows, alpha):
    return missing.impute_ridge(seen, wanted, rows, alpha * len(seen))


def ridge_of_standard(correction):
    def attempt(seen, wanted, rows, alpha):
        scale = seen.std(dim=0, correction=correction)
        return missing.impute_ridge(seen / scale, wanted, rows / scale, alpha)

    return attempt


def ridge_rows_as_they_come(seen, wanted, rows, alpha):
    return missing.impute_ridge(seen, wanted, rows + seen.mean(dim=0), alpha)


impute_ridge = Exercise(
    reference=missing.impute_ridge,
    cases=ridge_cases,
    also_right=(ridge_by_inverse, ridge_by_more_rows),
    rtol=1e-3,
    atol=1e-3,
    unaffected={"detached result": "holes are filled before anything is learnt"},
    hints=(
        "Subtract the training means of both, solve for slopes, and put the means back: of "
        "`seen` below, of `wanted` above.",
        "`torch.linalg.solve(x.T @ x + alpha * torch.eye(d), x.T @ y)` gives the slopes (d, k); "
        "the answer is `wanted.mean(0) + (rows - seen.mean(0)) @ slopes`.",
    ),
    mistakes=(
        Mistake(
            ridge_through_zero,
            "Your line goes through zero: it has no intercept. Subtract both training means "
            "first, and add the mean of `wanted` at the end.",
        ),
        Mistake(
            lambda seen, wanted, rows, alpha: missing.impute_ridge(seen, wanted, rows, 0.0),
            "`alpha` does not come into your answer. Add `alpha * torch.eye(d)` to x.T @ x.",
        ),
        Mistake(
            ridge_own_centre,
            "You subtract the mean of `rows` from `rows`. At use there may be one row: take the "
            "training mean, that of `seen`.",
        ),
        Mistake(
            ridge_level_left_out,
            "The answer is centred at 0: add the mean of `wanted` at the end.",
        ),
        Mistake(
            lambda seen, wanted, rows, alpha: wanted.mean(dim=0).expand(len(rows), -1),
            "This is the mean of `wanted` for every row: what the rows have does not come into it.",
        ),
        Mistake(
            ridge_eye_forgotten,
            "You add `alpha` to every entry of x.T @ x. It belongs on the diagonal alone: "
            "`alpha * torch.eye(d)`.",
        ),
        Mistake(
            ridge_intercept_costs,
            "Your intercept is one of the slopes, and costs. It should cost nothing: subtract "
            "both training means, and add no column of ones.",
        ),
        Mistake(
            ridge_rows_as_they_come,
            "`rows` come in as they are. Your slopes are for rows less the mean of `seen`.",
        ),
        Mistake(
            ridge_one_mean,
            "You subtract one mean over the whole table. Each column has its own: `mean(dim=0)`.",
        ),
        Mistake(
            ridge_of_mean_error,
            "Your penalty is `alpha` times the number of rows. That goes with a *mean* of squared "
            "errors; here they are summed, so `alpha` stands alone.",
        ),
        *(
            Mistake(
                ridge_of_standard(correction),
                f"You divide by the standard deviation (correction={correction}). Then what a "
                "slope costs depends on its column's scale, unlike in the formula: subtract the "
                "means, and no more.",
            )
            for correction in (0, 1)
        ),
        Mistake(
            lambda seen, wanted, rows, alpha: missing.impute_ridge(seen, wanted, rows, 1.0),
            "Your penalty is 1, whatever `alpha` is. Multiply `torch.eye(d)` by `alpha`.",
        ),
    ),
)


# --- modality_dropout ------------------------------------------------------------------------


def dropout_cases(rng):
    """Rows with one to four modalities, some with none; some draws lose all; rates 0 and 1.

    The last is small: of three modalities exactly one goes, and a draw is the rate itself.
    """
    sizes = ((6, 2, 0.6), (5, 3, 0.8), (4, 1, 0.9), (1, 2, 0.5), (3, 4, 1.0), (4, 2, 0.0))
    for rows, modalities, rate in sizes:
        present = torch.rand(rows, modalities, generator=rng) < 0.7
        present[0] = True
        if rows > 3:
            present[-1] = False
        draws = 0.99 * torch.rand(rows, modalities, generator=rng)
        draws[0] *= rate or 1  # all below the rate, if it is not 0
        if rows > 2 and rate < 1:
            present[1], draws[1] = True, draws[1] * (1 - rate) + rate  # all above
        if rows > 3 and modalities > 1:
            # The largest draw is that of a modality which the row does not have.
            present[2] = torch.arange(modalities) > 0
            draws[2] = torch.linspace(0.9, 0.1, modalities) * (rate or 1)
        yield present, draws, rate
    low, middle, high = sorted((0.9 * torch.rand(3, generator=rng)).tolist())
    draws = torch.tensor(
        [[low / 2, 0.5 + middle / 2, 0.55 + high / 2], [0.5, 0.7, 0.9], [0.6, 0.8, 0.2]]
    )
    present = torch.tensor([[True, True, True], [True, True, False], [True, True, False]])
    order = torch.randperm(3, generator=rng)
    yield present[:, order], draws[:, order], 0.5


def dropped_by_loop(present, draws, rate):
    result = torch.zeros_like(present)
    for row in range(len(present)):
        own = [m for m in range(present.shape[1]) if present[row, m]]
        stays = [m for m in own if draws[row, m] >= rate]
        if own and not stays:
            stays = [max(own, key=lambda m: float(draws[row, m]))]
        result[row, stays] = True
    return result


def dropped_by_where(present, draws, rate):
    stays = present & (draws >= rate)
    best = draws.where(present, -1.0).amax(dim=1, keepdim=True)
    return torch.where(stays.any(dim=1, keepdim=True), stays, present & (draws == best))


def all_may_go(present, draws, rate):
    return present & (draws >= rate)


def absent_comes_back(present, draws, rate):
    stays = present & (draws >= rate)
    last = torch.zeros_like(present).scatter(1, draws.argmax(dim=1, keepdim=True), True)
    return stays | (last & ~stays.any(dim=1, keepdim=True))


def all_or_nothing(present, draws, rate):
    stays = present & (draws >= rate)
    return torch.where(stays.any(dim=1, keepdim=True), stays, present)


def nothing_becomes_one(present, draws, rate):
    stays = present & (draws >= rate)
    largest = draws.masked_fill(~present, -1).argmax(dim=1, keepdim=True)
    last = torch.zeros_like(present).scatter(1, largest, True)
    return stays | (last & ~stays.any(dim=1, keepdim=True))


def largest_of_all(present, draws, rate):
    stays = present & (draws >= rate)
    last = torch.zeros_like(present).scatter(1, draws.argmax(dim=1, keepdim=True), True)
    return stays | (last & present)


def keeps_the_smallest(present, draws, rate):
    stays = present & (draws >= rate)
    least = draws.masked_fill(~present, 2).argmin(dim=1, keepdim=True)
    last = torch.zeros_like(present).scatter(1, least, True) & present
    return stays | (last & ~stays.any(dim=1, keepdim=True))


def one_as_soon_as_any_goes(present, draws, rate):
    largest = draws.masked_fill(~present, -1).argmax(dim=1, keepdim=True)
    last = torch.zeros_like(present).scatter(1, largest, True) & present
    return torch.where((present & (draws < rate)).any(dim=1, keepdim=True), last, present)


def one_as_soon_as_any_draw_is_low(present, draws, rate):
    largest = draws.masked_fill(~present, -1).argmax(dim=1, keepdim=True)
    last = torch.zeros_like(present).scatter(1, largest, True) & present
    return torch.where((draws < rate).any(dim=1, keepdim=True), last, present)


def goes_at_the_rate_too(present, draws, rate):
    largest = draws.masked_fill(~present, -1).argmax(dim=1, keepdim=True)
    last = torch.zeros_like(present).scatter(1, largest, True) & present
    return present & (draws > rate) | last


def looks_at_draws_alone(present, draws, rate):
    stays = draws >= rate
    return stays | torch.zeros_like(stays).scatter(1, draws.argmax(1, keepdim=True), True)


NOT_PRESENT = (
    "You look at `draws` alone. A row comes out with a modality that it never had: what stays is "
    "`present & (draws >= rate)`."
)


def asks_the_whole_batch(present, draws, rate):
    stays = present & (draws >= rate)
    return stays if stays.any() else missing.modality_dropout(present, draws, rate)


modality_dropout = Exercise(
    reference=missing.modality_dropout,
    cases=dropout_cases,
    also_right=(dropped_by_loop, dropped_by_where),
    hints=(
        "First without the last sentence: what stays is there and has a draw of at least `rate`.",
        "Then the rows that lost all: `~stays.any(dim=1, keepdim=True)`. For the largest draw "
        "among what such a row *has*, set the others' draws to -1 before `argmax(dim=1)`; then "
        "`& present`, for a row that has none.",
    ),
    mistakes=(
        Mistake(
            all_may_go,
            "A row loses everything here. What should a model learn from a row with nothing in "
            "it? Such a row keeps the modality with the largest draw.",
        ),
        Mistake(
            lambda present, draws, rate: missing.modality_dropout(present, 1 - draws, rate),
            "It is the other way round: a modality goes where its draw is *below* `rate`.",
        ),
        Mistake(
            absent_comes_back,
            "A row that lost all gets back a modality that it never had: look for the largest "
            "draw among those that are there.",
        ),
        Mistake(
            all_or_nothing,
            "A row that lost all gets everything back. It should keep one, the one with the "
            "largest draw.",
        ),
        Mistake(
            nothing_becomes_one,
            "A row that had nothing comes out with its first modality. It has none to keep.",
        ),
        Mistake(
            largest_of_all,
            "The largest draw may be that of a modality which the row does not have; then it "
            "keeps nothing. Look among those that are there.",
        ),
        Mistake(
            keeps_the_smallest,
            "A row that lost all keeps the modality with the smallest draw. Keep the largest.",
        ),
        *(
            Mistake(
                one,
                "A row of which one modality goes keeps a single one here. Only what is drawn "
                "below `rate` goes: of three, two may stay. The largest draw matters only in a row "
                f"that would lose *all*.{more}",
            )
            for one, more in (
                (one_as_soon_as_any_goes, ""),
                (one_as_soon_as_any_draw_is_low, " And draws of what is absent do not count."),
            )
        ),
        Mistake(
            goes_at_the_rate_too,
            "A draw that *equals* `rate` is not below it, so that modality stays: `draws >= rate`.",
        ),
        Mistake(looks_at_draws_alone, NOT_PRESENT),
        Mistake(
            lambda present, draws, rate: draws >= rate,
            f"{NOT_PRESENT} And a row may lose all: see the docstring.",
        ),
        Mistake(
            asks_the_whole_batch,
            "You ask once whether the whole batch lost everything. Each row is asked for itself: "
            "`any(dim=1, keepdim=True)`.",
        ),
    ),
)


# --- missing_rate_curve ----------------------------------------------------------------------


class Adder:
    """Adds what it is shown of two modalities, (B, C) each: a stand-in for a trained model.

    A vector of its own stands where one is absent, as a learnt token would: who hands it zeros
    and no word of them gets something else.
    """

    def __call__(self, features, present):
        names = tuple(features)
        rows, classes = features[names[0]].shape
        there = presence(present, names, rows, torch.device("cpu"))
        token = torch.linspace(1, -1, classes)
        return sum(
            torch.where(there[:, [m]], features[name], token) for m, name in enumerate(names)
        )


def curve_cases(rng):
    """An adding model whose two modalities disagree often; rates in any order, 0 and 1 too."""
    for n, classes, rates in (
        (12, 3, [0.0, 0.5, 1.0]),
        (9, 2, [0.7, 0.2]),
        (1, 3, [0.5]),
        (15, 4, [0.0, 0.25, 0.5, 0.75, 1.0]),
    ):
        label = torch.randint(0, classes, (n,), generator=rng)
        sure = torch.nn.functional.one_hot(label, classes).float()
        features = {
            "sound": torch.randn(n, classes, generator=rng),
            "touch": 3 * sure + torch.randn(n, classes, generator=rng),
        }
        draws = torch.rand(n, generator=rng)
        if n > 1:
            # One is right only with its touch, and has it where rate and draw are both 0.
            draws[0], features["sound"][0] = 0.0, 2 * (1 - sure[0])
            features["touch"][0] = 5 * sure[0]
            # One row is right only with its touch, and lacks it early.
            draws[1], features["sound"][1] = 0.1, 2 * (1 - sure[1])
        yield Adder(), features, label, "touch", rates, draws


def curve_by_loop(answer, features, label, name, rates, draws):
    found = []
    for rate in rates:
        logits = answer(features, {name: ~(draws < rate)})
        found.append((logits.argmax(dim=1) == label).float().mean().item())
    return found


def curve_with_all_names(answer, features, label, name, rates, draws):
    found = []
    for rate in rates:
        present = {other: torch.ones_like(draws, dtype=torch.bool) for other in features}
        present[name] = draws >= rate
        found.append(accuracy(answer(features, present), label))
    return found


NONE_LEFT = " Where no row is left, a mean is NaN."


def curve_over(counted, empty):
    """Accuracy over the rows that ``counted(draws, rate)`` names; ``empty`` where there is none."""

    def attempt(answer, features, label, name, rates, draws):
        found = []
        for rate in rates:
            logits = answer(features, {name: draws >= rate})
            right = (logits.argmax(dim=1) == label)[counted(draws, rate)].double()
            found.append(right.mean().item() if len(right) else empty)
        return found

    return attempt


def curve_of_zeros(answer, features, label, name, rates, draws):
    found = []
    for rate in rates:
        there = (draws >= rate)[:, None]
        found.append(accuracy(answer({**features, name: features[name] * there}, {}), label))
    return found


missing_rate_curve = Exercise(
    reference=missing.missing_rate_curve,
    cases=curve_cases,
    also_right=(curve_by_loop, curve_with_all_names),
    hints=(
        "For each rate: which rows lack `name`? All rows are answered, and all are counted.",
        "`accuracy(answer(features, {name: draws >= rate}), label)` for each rate, in a list.",
    ),
    mistakes=(
        *(
            Mistake(
                curve_over(lambda draws, rate: draws >= rate, empty),
                "You leave out the rows that lack it. A test row cannot be deleted: somebody waits "
                f"for its answer. Count all.{more}",
            )
            for empty, more in ((0.0, ""), (math.nan, NONE_LEFT))
        ),
        *(
            Mistake(
                curve_over(lambda draws, rate: draws < rate, empty),
                "You count only the rows that lack it. A data set has the others too: count "
                f"all.{more}",
            )
            for empty, more in ((0.0, ""), (math.nan, NONE_LEFT))
        ),
        Mistake(
            lambda answer, features, label, name, rates, draws: [
                accuracy(answer(features, {name: draws > rate}), label) for rate in rates
            ],
            "A row whose draw *equals* the rate is not below it and has `name`: `draws >= rate`.",
        ),
        Mistake(
            lambda answer, features, label, name, rates, draws: [
                accuracy(answer(features, {name: draws < rate}), label) for rate in rates
            ],
            "Your mask is upside down: rows whose draw is *below* the rate lack it, and "
            "`present` says who *has* it.",
        ),
        Mistake(
            lambda answer, features, label, name, rates, draws: [
                accuracy(answer(features, dict.fromkeys(features, draws >= rate)), label)
                for rate in rates
            ],
            "All modalities go together here. Only `name` is missing.",
        ),
        Mistake(
            lambda answer, features, label, name, rates, draws: [
                accuracy(answer(features, {}), label) for _ in rates
            ],
            "Your rows lack nothing, so all rates give the same number: hand `{name: ...}` to "
            "`answer`.",
        ),
        Mistake(
            lambda answer, features, label, name, rates, draws: [
                1 - accuracy(answer(features, {name: draws >= rate}), label) for rate in rates
            ],
            "These are shares of wrong answers. The curve is the accuracy.",
        ),
        Mistake(
            curve_of_zeros,
            "You put zeros in yourself and do not say so. A model may have something else for a "
            "hole: hand `features` on as they are, and `{name: draws >= rate}`.",
        ),
    ),
)


# --- a_harmless_deletion: break this claim ---------------------------------------------------

CELLS = ("x0y0", "x0y1", "x1y0", "x1y1")
TRUE = (0.2, 0.8)  # p(y = 1 | x) of x = 0 and x = 1; both x are as likely
NEAR, MOST = 0.005, 0.6


def after_deletion(chances):
    """p(y = 1 | x = 0), p(y = 1 | x = 1) and p(y = 1) among the rows that are left."""
    joint = np.array([[1 - p, p] for p in TRUE]) / 2  # (x, y)
    left = joint * (1 - np.array([chances[cell] for cell in CELLS]).reshape(2, 2))
    return (*(left[:, 1] / left.sum(axis=1)), left[:, 1].sum() / left.sum())


def deletion_is_harmless(dials, seed):
    """Whether deletion leaves p(y|x) and lifts p(y = 1). ``seed`` plays no part."""
    if problem := other_names(dials, *CELLS):
        return problem
    for name, value in dials.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{name} is {repr(value)[:30]}; write a number."
        if not 0 <= value <= 0.95:
            return f"{name} is {value:g}; a chance of a hole lies from 0 to 0.95 here."
    first, second, share = after_deletion(dials)
    if max(abs(first - TRUE[0]), abs(second - TRUE[1])) > NEAR:
        return (
            f"p(y = 1 | x) has become {first:.2f} and {second:.2f}; it was 0.2 and 0.8, so "
            "deleting did harm. Within one x, what may the chance of a hole not depend on?"
        )
    if share < MOST:
        return (
            f"p(y | x) is kept, and p(y = 1) is {share:.2f} among the rows that are left. Bring it "
            "to 0.6 or more: which x has more rows with y = 1, and so should lose fewer?"
        )
    return Broken(f"p(y = 1 | x) is {first:.3f} and {second:.3f}, and p(y = 1) is {share:.3f}")


a_harmless_deletion = Exercise(
    verify=deletion_is_harmless,
    exact=True,
    right_dials={"x0y0": 0.8, "x0y1": 0.8, "x1y0": 0.1, "x1y1": 0.1},
    wrong_dials=(
        dict.fromkeys(CELLS, 0.5),
        {"x0y0": 0.0, "x0y1": 0.9, "x1y0": 0.0, "x1y1": 0.9},
        {"x0y0": 0.95, "x0y1": 0.0, "x1y0": 0.0, "x1y1": 0.95},
        {"x0y0": 0.1, "x0y1": 0.1, "x1y0": 0.9, "x1y1": 0.9},
        {"x0y0": 0.1, "x0y1": 0.2, "x1y0": 0.8, "x1y1": 0.8},
        {"x0y0": 0.1, "x0y1": 0.1, "x1y0": 1.0, "x1y1": 1.0},
        {"x0y0": 0.1, "x0y1": 0.1, "x1y0": 0.8},
        {"x0y0": "0.1", "x0y1": 0.1, "x1y0": 0.8, "x1y1": 0.8},
        {"x0y0": math.nan, "x0y1": 0.1, "x1y0": 0.8, "x1y1": 0.8},
        {"x0y0": None, "x0y1": 0.1, "x1y0": 0.8, "x1y1": 0.8},
    ),
    hints=(
        "p(y | x) compares rows of the same x. If both their kinds lose the same share, their "
        "ratio stays.",
        "Equal chances for y = 0 and y = 1 within each x; a large one for x = 0 and a small one "
        "for x = 1.",
    ),
)


# --- read_holes: a build ---------------------------------------------------------------------


def holes_of_folder(folder):
    """The reference of the build: a folder with holes as tensors, holes standardised to 0."""
    folder = Path(folder)
    with (folder / "products.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["season"] for row in rows})
    files = [folder / "photos" / f"{row['id']}.png" for row in rows]
    there = [file.is_file() for file in files]
    images = torch.zeros(len(rows), 3, 8, 8)
    for row, file in enumerate(files):
        if there[row]:
            pixels = np.asarray(Image.open(file).convert("RGB"))
            images[row] = torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255
    cells = [row["price"].strip() for row in rows]
    price = torch.tensor([float(cell) if cell else math.nan for cell in cells])
    known = ~price.isnan()
    teach = price[known & torch.tensor([row["split"] == "train" for row in rows])]
    scaled = (price - teach.mean()) / teach.std(correction=0)
    return {
        "image": images,
        "price": scaled.nan_to_num()[:, None],
        "label": torch.tensor([labels.index(row["season"]) for row in rows]),
        "present": {"image": torch.tensor(there), "price": known},
    }


def drawn_folder(seed):
    """The rows of a small folder, as (id, price, season, split, picture or None).

    The ids are in no order, and one has an umlaut; a price is 0, one is the training rows' mean,
    three are empty or blank; a picture is grey, one is black; a season stands in test rows alone.
    """
    rng = np.random.default_rng(seed)
    ids = [f"{100 + 7 * k}" for k in rng.permutation(9)]
    ids[0], ids[8] = "gr\u00fcn-9", "10"
    rows = []
    for k in range(9):
        price = "" if k in (2, 7) else "  " if k == 5 else f"{rng.uniform(5, 90):.2f}"
        picture = None if k in (1, 5) else rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        split = "train" if k in (0, 2, 3, 6) else "test"
        season = ("winter", "summer", "fall")[int(rng.integers(3))] if k > 2 else "winter"
        rows.append((ids[k], price, season, split, picture))
    rows[3] = (ids[3], "0", "summer", *rows[3][3:])
    rows[4] = (*rows[4][:2], "spring", "test", rows[4][4][:, :, 0])
    # Training prices are `one`, 0 and `other`: whole numbers, so their mean is exact.
    mean, one = int(rng.integers(25, 40)), int(rng.integers(5, 60))
    for row, price in ((0, one), (6, 3 * mean - one), (8, mean)):
        rows[row] = (rows[row][0], f"{price}.00", *rows[row][2:])
    rows[6] = (*rows[6][:4], np.zeros((8, 8, 3), dtype=np.uint8))
    return rows


def write_folder(folder, rows):
    """The folder on disk: products.csv, and photos/<id>.png where there is a picture."""
    (folder / "photos").mkdir()
    with (folder / "products.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "price", "season", "split"))
        table.writerows(row[:4] for row in rows)
    for name, *_, picture in rows:
        if picture is not None:
            Image.fromarray(picture).save(folder / "photos" / f"{name}.png")


def result_of(attempt, seed):
    """What the attempt makes of a folder, after another one: nothing may be kept in between."""
    for drawn in (seed + 1000, seed):
        with tempfile.TemporaryDirectory() as folder:
            write_folder(Path(folder), drawn_folder(drawn))
            found = attempt(Path(folder))
    if not isinstance(found, dict):
        raise Unfit(f"Return a dict, not a {type(found).__name__}.")
    if lacking := [name for name in ("image", "price", "label", "present") if name not in found]:
        raise Unfit(f"The dict has no {lacking[0]!r}; it needs image, price, label and present.")
    if not isinstance(found["present"], dict):
        raise Unfit("`present` is a dict, {'image': (n,) bool, 'price': (n,) bool}.")
    flat = {name: found[name] for name in ("image", "price", "label")}
    return flat | {f"present {name}": found["present"].get(name) for name in ("image", "price")}


@functools.lru_cache(maxsize=4)  # four parts ask for the same
def expected_of(seed):
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), drawn_folder(seed))
        right = holes_of_folder(Path(folder))
    flat = {name: right[name] for name in ("image", "price", "label")}
    return flat | {f"present {name}": value for name, value in right["present"].items()}


def about_tensor(seen, right, name):
    """A sentence where this is no tensor, or not of the shape and kind that is due."""
    got, due = seen[name], right[name]
    if not torch.is_tensor(got):
        return f"`{name}` should be a tensor; yours is a {type(got).__name__}."
    if len(got) != len(due):
        return (
            f"`{name}` has {len(got)} rows; the table has {len(due)}. A row with a hole stays: "
            "leaving it out is the article's first answer."
        )
    if got.shape != due.shape:
        return f"`{name}` has the shape {tuple(got.shape)}; it should be {tuple(due.shape)}."
    if (got.dtype == torch.bool) != (due.dtype == torch.bool) or (
        got.is_floating_point() != due.is_floating_point()
    ):
        return f"`{name}` holds {got.dtype}; it should hold {due.dtype}."
    return None


def judge_rows(seen, seed):
    right = expected_of(seed)
    if problem := about_tensor(seen, right, "label"):
        return problem
    if not torch.equal(seen["label"].long(), right["label"]):
        return (
            "The labels differ. Number all seasons, those of test rows too, in the order of the "
            "alphabet, and keep the rows in the order of the table."
        )
    return None


def why_there(name, row, right):
    """Why a row of the folder has its picture or price, or has none."""
    if right[f"present {name}"][row] and not right[name][row].any():
        return {
            "image": "Its picture is black, and a black picture is a picture: ask whether "
            "photos/<id>.png is a file, not what is in it.",
            "price": "Its price equals the training mean, so it is 0 after scaling, and is a price "
            "all the same: ask the cell.",
        }[name]
    return {
        "image": "A picture is there where photos/<id>.png is a file; the table is UTF-8.",
        "price": "A price is there where its cell holds more than blanks; 0 is a price.",
    }[name]


def judge_masks(seen, seed):
    right = expected_of(seed)
    for name in ("image", "price"):
        mask = f"present {name}"
        if problem := about_tensor(seen, right, mask):
            return problem
        if torch.equal(seen[mask], ~right[mask]):
            return f"`{mask}` is upside down: True means that the row has it."
        if not torch.equal(seen[mask], right[mask]):
            row = int((seen[mask] != right[mask]).nonzero()[0])
            return f"`{mask}` is wrong in row {row} of the table. {why_there(name, row, right)}"
    return None


def judge_pictures(seen, seed):
    right = expected_of(seed)
    if problem := about_tensor(seen, right, "image"):
        return problem
    got, due = seen["image"].float(), right["image"]
    there = right["present image"]
    if torch.allclose(got, due * 255, atol=1e-3):
        return "Your pixels run from 0 to 255; divide them by 255."
    if not torch.allclose(got[there], due[there], atol=1e-4):
        return (
            "The pictures that are there differ. Channels come first, (3, H, W), and rows stay in "
            "the order of the table: `permute(2, 0, 1)`, not a reshape."
        )
    if not torch.allclose(got, due, atol=1e-4):
        return "Where a picture is absent, zeros should stand."
    return None


def judge_prices(seen, seed):
    right = expected_of(seed)
    if problem := about_tensor(seen, right, "price"):
        return problem
    got, due, there = seen["price"].float(), right["price"], right["present price"]
    if got.isnan().any():
        return (
            "There is a NaN among the prices. One NaN makes every weight NaN at the first step: "
            "put the training mean in, which is 0 after scaling."
        )
    if torch.allclose(got[there], due[there], atol=1e-3):
        if torch.allclose(got, due, atol=1e-3):
            return None
        return (
            "An empty price should be the training mean, which is 0 *after* scaling. Yours is "
            "filled in before."
        )
    for used, why in other_scales(seed):
        if torch.allclose(got[there], used[there], atol=1e-3):
            return why
    return (
        "The prices are scaled by other numbers. Mean and standard deviation (correction=0) are "
        "those of the *training* rows that *have* a price; test rows and holes do not count."
    )


def other_scales(seed):
    """Prices (n, 1) scaled by the numbers that people take, each with what is wrong with them."""
    rows = drawn_folder(seed)
    price = torch.tensor([float(cell) if cell.strip() else math.nan for _, cell, *_ in rows])
    train = torch.tensor([row[3] == "train" for row in rows])
    known = ~price.isnan()
    own, zeros = price[train & known], price.nan_to_num()
    holes = "Empty prices count as 0 in your mean and standard deviation. Leave them out."
    tests = "Your mean and standard deviation are those of all rows. Test rows do not count."
    less = "Your standard deviation divides by one less than the number of prices: `correction=0`."
    for used, mean, correction, why in (
        (own, own.mean(), 1, less),
        (price[known], price[known].mean(), 0, tests),
        (price[known], price[known].mean(), 1, f"{tests} {less}"),
        (zeros[train], zeros[train].mean(), 0, holes),
        (zeros[train], zeros[train].mean(), 1, f"{holes} {less}"),
        (zeros, zeros.mean(), 0, f"{holes} {tests}"),
        (own, torch.tensor(0.0), 0, "You divide, and do not subtract the mean."),
    ):
        yield ((price - mean) / used.std(correction=correction))[:, None], why
    yield (price - own.mean())[:, None], "You subtract the mean, and do not divide."


def leaves_out_holes(folder):
    found = holes_of_folder(folder)
    whole = found["present"]["image"] & found["present"]["price"]
    present = {name: mask[whole] for name, mask in found["present"].items()}
    return {name: found[name][whole] for name in ("image", "price", "label")} | {"present": present}


def changed(change):
    """The reference with something else in one place."""

    def attempt(folder):
        found = holes_of_folder(folder)
        return found | change(found, Path(folder))

    return attempt


def prices_of(folder):
    with (folder / "products.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    cells = [row["price"].strip() for row in rows]
    price = torch.tensor([float(cell) if cell else math.nan for cell in cells])
    return price, torch.tensor([row["split"] == "train" for row in rows])


def scaled_by_all(found, folder):
    price, _ = prices_of(folder)
    known = price[~price.isnan()]
    return {"price": ((price - known.mean()) / known.std(correction=0)).nan_to_num()[:, None]}


def scaled_by_one_less(found, folder):
    price, train = prices_of(folder)
    known = price[train & ~price.isnan()]
    return {"price": ((price - known.mean()) / known.std()).nan_to_num()[:, None]}


def black_is_absent(found, folder):
    return {"present": found["present"] | {"image": found["image"].flatten(1).any(1)}}


def the_mean_is_absent(found, folder):
    return {"present": found["present"] | {"price": found["price"][:, 0] != 0}}


def holes_are_zero_euros(found, folder):
    price, train = prices_of(folder)
    price = price.nan_to_num()
    return {"price": ((price - price[train].mean()) / price[train].std(correction=0))[:, None]}


def holes_as_nan(found, folder):
    there = found["present"]["price"][:, None]
    return {"price": found["price"].masked_fill(~there, math.nan)}


def by_pandas(folder):
    """The same with pandas."""
    import pandas as pd

    table = pd.read_csv(Path(folder) / "products.csv", dtype=str, keep_default_na=False)
    price = pd.to_numeric(table["price"].str.strip(), errors="coerce")
    teach = price[table["split"] == "train"]
    scaled = ((price - teach.mean()) / teach.std(ddof=0)).fillna(0)
    pictures, there = [], []
    for name in table["id"]:
        file = Path(folder) / "photos" / f"{name}.png"
        there.append(file.exists())
        blank = np.zeros((8, 8, 3), dtype=np.uint8)
        pictures.append(np.array(Image.open(file).convert("RGB")) if there[-1] else blank)
    image = torch.from_numpy(np.stack(pictures)).float().div(255).permute(0, 3, 1, 2)
    return {
        "image": image,
        "price": torch.tensor(scaled.to_numpy(), dtype=torch.float32)[:, None],
        "label": torch.tensor(table["season"].astype("category").cat.codes.to_numpy()).long(),
        "present": {
            "image": torch.tensor(there),
            "price": torch.tensor(price.notna().to_numpy()),
        },
    }


read_holes = Exercise(
    reference=holes_of_folder,
    also_right=(by_pandas,),
    parts=(
        Part(
            "every row",
            result_of,
            judge_rows,
            (
                "`csv.DictReader(file)` gives a dict a row. Every row stays; `sorted({...})` of "
                "the seasons gives the classes.",
                '`labels = sorted({row["season"] for row in rows})`, and `labels.index(...)` of '
                "each row.",
            ),
        ),
        Part(
            "masks",
            result_of,
            judge_masks,
            (
                "Two questions a row: is there a file, is there a price?",
                '`(folder / "photos" / f"{row[\'id\']}.png").is_file()`, and '
                '`row["price"].strip() != ""`.',
            ),
        ),
        Part(
            "pictures",
            result_of,
            judge_pictures,
            (
                "Start with `torch.zeros(n, 3, 8, 8)` and fill in the rows that have a file.",
                '`torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1) '
                "/ 255`.",
            ),
        ),
        Part(
            "prices",
            result_of,
            judge_prices,
            (
                "Keep NaN in the holes until the scaling is done. Which rows may teach the mean?",
                "`teach` are the prices of training rows that are no NaN; `(price - "
                "teach.mean()) / teach.std(correction=0)`, then `nan_to_num()` and a second "
                "axis, `[:, None]`.",
            ),
        ),
    ),
    mistakes=(
        Mistake(leaves_out_holes, "leaving it out is the article's first answer."),
        Mistake(
            changed(lambda found, folder: {
                "present": {n: ~mask for n, mask in found["present"].items()}
            }),
            "is upside down: True means that the row has it.",
        ),
        Mistake(
            changed(lambda found, folder: {"image": found["image"] * 255}),
            "divide them by 255.",
        ),
        Mistake(changed(holes_as_nan), "There is a NaN among the prices."),
        Mistake(changed(scaled_by_all), "are those of all rows. Test rows do not count."),
        Mistake(
            changed(scaled_by_one_less),
            "divides by one less than the number of prices: `correction=0`.",
        ),
        Mistake(
            changed(holes_are_zero_euros),
            "Empty prices count as 0 in your mean and standard deviation.",
        ),
        Mistake(
            changed(black_is_absent),
            "ask whether photos/<id>.png is a file, not what is in it.",
        ),
        Mistake(
            changed(the_mean_is_absent),
            "so it is 0 after scaling, and is a price all the same: ask the cell.",
        ),
    ),
)  # fmt: skip
