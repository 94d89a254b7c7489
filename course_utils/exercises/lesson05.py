"""The exercises of lesson 05, Interactions."""

from itertools import permutations
from numbers import Real

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import fusion, measures
from course_utils.data import dial
from course_utils.exercises.core import Broken, Exercise, Mistake
from course_utils.fusion import outer_fusion as outer
from course_utils.fusion import with_one, zero_absent

# --- interaction_strength ------------------------------------------------------------------------


def mixed_differences(scores):
    """The mixed difference of every entry, averaged over partners, (n, m)."""
    return scores - scores.mean(dim=0) - scores.mean(dim=1, keepdim=True) + scores.mean()


def of_moving_scores(measure):
    """The measure as the lesson's first two lines make it: 0 for scores that are all equal."""

    def guarded(scores):
        return 0.0 if (scores == scores[0, 0]).all() else measure(scores)

    return guarded


@of_moving_scores
def strength_by_quadruples(scores):
    partners = (
        scores[:, :, None, None]
        - scores.T[None, :, :, None]
        - scores[:, None, None, :]
        + scores[None, None, :, :]
    )
    mixed = partners.mean(dim=(2, 3))
    return (mixed.square().mean() / (scores - scores.mean()).square().mean()).item()


def share_of(mixed, scores):
    return (mixed.square().mean() / scores.var(correction=0)).item()


@of_moving_scores
def strength_by_sample_variances(scores):
    """Both divide by one less than the number of scores, and so the ratio is the same."""
    return (mixed_differences(scores).var() / scores.var()).item()


@of_moving_scores
def strength_by_centring(scores):
    centred = scores - scores.mean(dim=0, keepdim=True)
    centred = centred - centred.mean(dim=1, keepdim=True)
    return (centred.square().sum() / (scores - scores.mean()).square().sum()).item()


def along_the_wrong_axes(scores):
    columns, rows = scores.mean(dim=0).unsqueeze(1), scores.mean(dim=1).unsqueeze(0)
    return share_of(scores - columns - rows + scores.mean(), scores)


def with_the_first_alone(scores):
    return share_of(scores - scores[:1] - scores[:, :1] + scores[0, 0], scores)


def of_sums(scores):
    sums = scores.sum(dim=0) + scores.sum(dim=1, keepdim=True)
    return share_of(scores - sums + scores.sum(), scores)


def squared_one_by_one(scores):
    """4 times the answer, exactly: of independent parts, each of the four terms adds its share."""
    partners = (
        scores[:, :, None, None]
        - scores.T[None, :, :, None]
        - scores[:, None, None, :]
        + scores[None, None, :, :]
    )
    return (partners.square().mean() / scores.var(correction=0)).item()


def without_keepdim(scores):
    mixed = scores - scores.mean(dim=0) - scores.mean(dim=1) + scores.mean()
    return share_of(mixed, scores)


def as_a_number(result, scores):
    """A learner's answer, refused where it is still a tensor: later cells round it."""
    if torch.is_tensor(result) and result.numel() == 1:
        raise TypeError("this is a tensor of one number; return a float: .item()")
    return result


def score_cases(rng):
    """Scores off zero, few and many, in several units; one row; a sum; a constant.

    Never as many rows as columns, so that a forgotten ``keepdim`` cannot broadcast in silence.
    """
    for (n, m), unit in {(2, 3): 1, (4, 3): 0.1, (5, 6): 20}.items():
        yield (3 + unit * torch.randn(n, m, generator=rng).double(),)
    yield (torch.randn(3, 2, generator=rng),)  # of single precision, as the lesson's tables are
    yield (torch.randn(1, 4, generator=rng).double(),)  # with one row nothing is exchanged
    yield (torch.randn(4, 1, generator=rng).double() + torch.randn(1, 3, generator=rng).double(),)
    yield (torch.full((3, 4), 2.0).double(),)


interaction_strength = Exercise(
    reference=measures.interaction_strength,
    cases=score_cases,
    observe=as_a_number,
    also_right=(
        strength_by_quadruples,
        strength_by_centring,
        strength_by_sample_variances,
    ),
    hints=(
        "Average the mixed difference over all a' and b': what becomes of f(a', b), of f(a, b') "
        "and of f(a', b')? Three means, one of each column, one of each row, one of all.",
        "`scores.mean(dim=0)` is the mean over a', for each b. `scores.mean(dim=1, keepdim=True)` "
        "is the mean over b', for each a. Square what you get, take the mean, and divide by "
        "`scores.var(correction=0)`.",
    ),
    mistakes=(
        Mistake(
            of_moving_scores(lambda scores: torch.tensor(strength_by_quadruples(scores))),
            "This is a tensor of one number. Return a float: `.item()`.",
        ),
        Mistake(
            of_moving_scores(without_keepdim),
            "`scores.mean(dim=1)` has the shape (n,), and is taken for one number a column. With "
            "`keepdim=True` it is (n, 1), one number for each row.",
        ),
        Mistake(
            lambda scores: share_of(mixed_differences(scores), scores),
            "Scores that are all equal have no variance to divide by, so this is nan. Keep the "
            "first two lines: a constant has no interaction, 0.",
        ),
        Mistake(
            of_moving_scores(
                lambda scores: share_of(mixed_differences(scores) - scores.mean(), scores)
            ),
            "The last term is missing: what belongs to neither a nor b was taken away twice, so "
            "add the mean of all scores.",
        ),
        Mistake(
            of_moving_scores(
                lambda scores: share_of(mixed_differences(scores) - 2 * scores.mean(), scores)
            ),
            "The last term has the wrong sign. f(a', b') is added, so its mean is too.",
        ),
        Mistake(
            of_moving_scores(lambda scores: mixed_differences(scores).square().mean().item()),
            "This is the mean square of the mixed differences. Divide it by the variance of the "
            "scores, or it changes with their unit.",
        ),
        Mistake(
            of_moving_scores(
                lambda scores: (mixed_differences(scores).square().mean() / scores.var()).item()
            ),
            "`scores.var()` divides by one less than the number of scores. Here the variance is "
            "the plain mean of squares around the mean: `scores.var(correction=0)`.",
        ),
        Mistake(
            of_moving_scores(lambda scores: share_of(mixed_differences(scores), scores) ** 0.5),
            "You took the root. A share of variance is a ratio of squares and stays as it is.",
        ),
        Mistake(
            of_moving_scores(lambda scores: 1 - share_of(mixed_differences(scores), scores)),
            "This is the share that a sum does explain; the exercise asks for the other part.",
        ),
        Mistake(
            of_moving_scores(
                lambda scores: (
                    scores.var(correction=0) / mixed_differences(scores).square().mean()
                ).item()
            ),
            "The fraction is upside down: the variance of the scores stands below.",
        ),
        Mistake(
            of_moving_scores(lambda scores: share_of(scores - scores.mean(dim=0), scores)),
            "You took away the mean over a' alone. What a adds by itself is still there; take away "
            "the mean over b' too, and add the mean of all.",
        ),
        Mistake(
            of_moving_scores(
                lambda scores: share_of(scores - scores.mean(dim=1, keepdim=True), scores)
            ),
            "You took away the mean over b' alone. What b adds by itself is still there; take away "
            "the mean over a' too, and add the mean of all.",
        ),
        Mistake(
            of_moving_scores(lambda scores: mixed_differences(scores).mean().item()),
            "Your answer is always 0: mixed differences cancel in their mean. Square each of them "
            "before you take the mean.",
        ),
        Mistake(
            of_moving_scores(along_the_wrong_axes),
            "The means lie along the wrong axes: `scores.mean(dim=0)` is one number for each "
            "column, (1, m), and `scores.mean(dim=1)` one for each row, (n, 1).",
        ),
        Mistake(
            of_moving_scores(lambda scores: share_of(scores - scores.mean(), scores)),
            "Only the mean of all scores is taken away, so this is variance over variance, always "
            "1. Take away what a and what b add by themselves.",
        ),
        Mistake(
            of_moving_scores(with_the_first_alone),
            "You exchanged with the first row and the first column alone. All partners count: "
            "average over them.",
        ),
        Mistake(
            of_moving_scores(of_sums),
            "You took sums over the partners where means are due, so the terms do not balance.",
        ),
        Mistake(
            of_moving_scores(squared_one_by_one),
            "This is 4 times the answer: the mean square of single mixed differences. Average an "
            "entry's differences over all its partners first, which gives D, and square D.",
        ),
        Mistake(
            of_moving_scores(
                lambda scores: (
                    mixed_differences(scores).square().mean() / scores.std(correction=0)
                ).item()
            ),
            "You divided by the standard deviation; the variance is its square.",
        ),
        Mistake(
            of_moving_scores(
                lambda scores: (
                    mixed_differences(scores).square().mean() / scores.square().mean()
                ).item()
            ),
            "You divided by the mean square of the scores. Their variance is the mean squared "
            "distance from their *mean*: `scores.var(correction=0)`.",
        ),
    ),
)

# --- best_additive_rule --------------------------------------------------------------------------


def what_a_rule_does(rule, fits, misfits):
    """How often a learner's rule is right: any of the best ones will do.

    Of one that is not the best, also where it says yes, so that two rules which are right equally
    often by chance are told apart.
    """
    u, v = (torch.as_tensor(part, dtype=torch.double) for part in rule)
    shapes = {"The shape of u": str(tuple(u.shape)), "The shape of v": str(tuple(v.shape))}
    if (u.shape, v.shape) != (fits.shape[:1], fits.shape[1:]):
        return shapes | {SHARE: None, "Where it says yes": None}
    best = measures.rule_accuracy(*measures.best_additive_rule(fits, misfits), fits, misfits)
    share = measures.rule_accuracy(u, v, fits, misfits)
    yes = None if share > best - 1e-9 else u[:, None] + v > 0
    return shapes | {SHARE: share, "Where it says yes": yes}


SHARE = "The share of cards that your rule gets right"


def staircase(gain, order, place=0.5):
    """u, v and gain of the best rule whose v falls along ``order``."""
    stretches = F.pad(gain[:, order].cumsum(dim=1), (1, 0))
    most, lengths = stretches.max(dim=1)
    v = torch.empty(gain.shape[1], dtype=gain.dtype)
    v[order] = -(torch.arange(gain.shape[1], dtype=gain.dtype) + place)
    return lengths.to(gain.dtype), v, most.sum().item()


def best_staircase(fits, misfits, place=0.5):
    gain = fits - misfits
    orders = map(list, permutations(range(gain.shape[1])))
    return max((staircase(gain, order, place) for order in orders), key=lambda s: s[2])[:2]


def by_first_empty_place(fits, misfits):
    return best_staircase(fits, misfits, place=0.0)


def by_rows(fits, misfits):
    """Orders of the rows in place of orders of the columns."""
    v, u = best_staircase(fits.T, misfits.T)
    return u, v


def by_sums(fits, misfits):
    gain = fits - misfits
    return gain.sum(dim=1), gain.sum(dim=0)


def in_given_order(fits, misfits):
    return staircase(fits - misfits, list(range(fits.shape[1])))[:2]


def in_order_of_sums(fits, misfits):
    gain = fits - misfits
    return staircase(gain, gain.sum(dim=0).argsort(descending=True).tolist())[:2]


def places_for_columns(fits, misfits):
    """The k-th value of v goes to the place that the order names the other way round."""
    u, v = best_staircase(fits, misfits)
    return u, v.sort(descending=True).values[v.argsort(descending=True)]


def one_column_at_least(fits, misfits):
    """The best stretches of length 1, 2, ..., J: a row cannot say no everywhere."""
    gain = fits - misfits
    best = -torch.inf
    for order in map(list, permutations(range(gain.shape[1]))):
        most, place = gain[:, order].cumsum(dim=1).max(dim=1)
        if most.sum() > best:
            best, u, by_v = most.sum(), place.double() + 1, order
    v = torch.empty(gain.shape[1], dtype=gain.dtype)
    v[by_v] = -torch.arange(0.5, len(by_v), dtype=v.dtype)
    return u, v


def one_too_short(fits, misfits):
    """As above, and the place is taken for the length."""
    u, v = one_column_at_least(fits, misfits)
    return u - 1, v


def always_yes(fits, misfits):
    return torch.ones(fits.shape[0]), torch.ones(fits.shape[1])


def always_no(fits, misfits):
    return -torch.ones(fits.shape[0]), -torch.ones(fits.shape[1])


def of_the_last_order(fits, misfits):
    """v of the best order, u of the one that was tried last."""
    last = staircase(fits - misfits, list(range(fits.shape[1]))[::-1])[0]
    return last, best_staircase(fits, misfits)[1]


def last_order(fits, misfits):
    """The order that ``permutations`` gives last."""
    return staircase(fits - misfits, list(range(fits.shape[1]))[::-1])[:2]


def by_means(fits, misfits):
    gain = fits - misfits
    return gain.mean(dim=1), gain.mean(dim=0)


def by_largest(fits, misfits):
    gain = fits - misfits
    return gain.max(dim=1).values, gain.max(dim=0).values


def of_fits_alone(fits, misfits):
    u, v = by_sums(fits, torch.zeros_like(misfits))
    return u - u.mean(), v - v.mean()


def worst_order(fits, misfits):
    gain = fits - misfits
    orders = map(list, permutations(range(gain.shape[1])))
    return min((staircase(gain, order) for order in orders), key=lambda s: s[2])[:2]


def upside_down(fits, misfits):
    u, v = best_staircase(fits, misfits)
    return -u, -v


def table_cases(rng):
    """Diagonals that stand out of noise, columns shuffled, so that no order is right by luck.

    The first row tends to yes and the last to no: totals alone do not say the same everywhere.
    In the fifth a rule can do the better thing in every cell, and one column's large total is made
    by a single cell. Then small tables, of one row and of one column too, and empty cells.
    """
    for rows, columns in [(4, 4), (5, 5), (3, 4), (5, 4)]:
        fits, misfits = (torch.rand(rows, columns, generator=rng).double() for _ in range(2))
        fits += torch.eye(max(rows, columns)).double()[:rows, :columns]
        fits[0] += 0.5
        misfits[-1] += 0.9
        shuffled = torch.randperm(columns, generator=rng)
        yield fits[:, shuffled], misfits[:, shuffled]
    gain = 2 * torch.ones(4, 4).double().tril() - 1
    gain[3, 3] = 10
    shuffled = torch.tensor([3, 0, 1, 2]).roll(int(torch.randint(1, 4, (), generator=rng)))
    # A tenth of a card on both sides, so that a yes that forgets misfits gains in every cell.
    yield gain.clamp(min=0)[:, shuffled] + 0.1, (-gain).clamp(min=0)[:, shuffled] + 0.1
    # Here a row's total and its mean say different things; then a row whose best stretch is empty.
    for gain in ([[1] * 4, [-4] * 4], [[5, -9], [5, -9], [-3, 1]]):
        gain = torch.tensor(gain).double()
        yield gain.clamp(min=0) + 0.1, (-gain).clamp(min=0) + 0.1
    for rows, columns in [(1, 3), (3, 1)]:
        fits, misfits = (torch.rand(rows, columns, generator=rng).double() for _ in range(2))
        fits.view(-1)[0], misfits.view(-1)[-1] = 2, 2  # a yes and a no
        yield fits, misfits
    # Counts, some of them 0 and some equal, so that several rules are the best.
    fits, misfits = (torch.randint(0, 3, (3, 3), generator=rng).double() for _ in range(2))
    fits[:, 2], misfits[:, 2] = 0, 1
    yield fits + torch.tensor([[1, 0, 0], [0, 0, 0], [0, 0, 0]]), misfits


best_additive_rule = Exercise(
    reference=measures.best_additive_rule,
    cases=table_cases,
    observe=what_a_rule_does,
    also_right=(
        best_staircase,
        by_first_empty_place,
        by_rows,
        lambda fits, misfits: [part.tolist() for part in best_staircase(fits, misfits)],
    ),
    unaffected={
        "another dtype": "Any u and v will do whose rule is right most often, whatever their kind.",
    },
    hints=(
        "Sort the columns by v, largest first. Whatever u_i is, row i says yes on the first k_i "
        "of them and no on the rest. So choose an order, and then the best k_i for each row.",
        "For one order: `stretches = F.pad(gain[:, order].cumsum(dim=1), (1, 0))` holds what each "
        "row gains by a yes on the first 0, 1, ..., J columns, and `stretches.max(dim=1)` the "
        "best of them and its k_i. Keep the order with the largest sum. Then u_i = k_i, and v = "
        "-0.5, -1.5, ... along the order.",
    ),
    mistakes=(
        Mistake(
            by_sums,
            "You took each row's and each column's total. They tell what a modality knows alone, "
            "which may be nothing; search the orders instead.",
        ),
        Mistake(
            in_given_order,
            "You tried one order of the columns, the one they stand in. Another may be better: "
            "try all of them.",
        ),
        Mistake(
            in_order_of_sums,
            "You sorted the columns by their totals. The best order need not follow them: try all.",
        ),
        Mistake(
            places_for_columns,
            "The values of v are at the wrong columns. `v[order] = values` gives the k-th value to "
            "column `order[k]`; `values[order]` does the reverse.",
        ),
        Mistake(
            one_column_at_least,
            "Each row of yours says yes on one column at least. A row may say no everywhere: let "
            "a stretch of length 0, which gains 0, be among the choices.",
        ),
        Mistake(
            always_yes,
            "This rule says yes to everything. v has to fall along the order, -0.5, -1.5, ..., so "
            "that u_i = k_i says yes on the first k_i columns alone.",
        ),
        Mistake(
            lambda fits, misfits: best_staircase(fits, torch.zeros_like(misfits)),
            "In your search no yes ever costs anything: are the `misfits` taken away? A yes gains "
            "a cell `fits - misfits`.",
        ),
        Mistake(
            by_means,
            "You took the mean of each row and of each column. They tell what a modality knows "
            "alone, which may be nothing; search the orders instead.",
        ),
        Mistake(
            by_largest,
            "You took the largest gain of each row and of each column. One cell does not make a "
            "rule; search the orders instead.",
        ),
        Mistake(
            of_fits_alone,
            "These are totals of `fits`, row by row and column by column. `misfits` is left out, "
            "and totals tell what a modality knows alone; search the orders of the gains.",
        ),
        Mistake(
            worst_order,
            "This is the order with the *smallest* sum of gains; the largest is wanted.",
        ),
        Mistake(
            last_order,
            "These are u and v of the order that was tried last. Is `best` raised whenever an "
            "order is better?",
        ),
        Mistake(
            of_the_last_order,
            "u belongs to the order that was tried last, v to the best one. Keep both whenever an "
            "order is better than the best so far.",
        ),
        Mistake(
            always_no,
            "This rule says no to everything.",
        ),
        Mistake(
            lambda fits, misfits: best_staircase(fits, misfits, place=1.0),
            "Each row stops one column too early: at u_i + v_j = 0 the rule says no. Put v half "
            "way between two values of u, at -0.5, -1.5, ...",
        ),
        Mistake(
            lambda fits, misfits: best_staircase(fits, misfits)[::-1],
            "You returned v and then u; the rule wants u, one number a row, and then v.",
        ),
        Mistake(
            one_too_short,
            "u is the place of the best stretch among those of length 1 and more, so it is one "
            "too small. Put a stretch of length 0 before them: `F.pad(..., (1, 0))`.",
        ),
        Mistake(
            upside_down,
            "Yes and no are exchanged: your rule is wrong where the best one is right.",
        ),
    ),
)

# --- outer_fusion --------------------------------------------------------------------------------


def without_ones(features):
    product = features[0]
    for feature in features[1:]:
        product = (product[:, :, None] * feature[:, None, :]).flatten(start_dim=1)
    return product


def with_ones_behind(features):
    return without_ones([torch.cat([f, torch.ones_like(f[:, :1])], dim=1) for f in features])


def product_then_one(features):
    return with_one(without_ones(features))


def one_before_the_first(features):
    return without_ones([with_one(features[0]), *features[1:]])


def by_einsum(features):
    product = F.pad(features[0], (1, 0), value=1.0)
    for feature in features[1:]:
        extended = F.pad(feature, (1, 0), value=1.0)
        product = torch.einsum("bi,bj->bij", product, extended).reshape(len(feature), -1)
    return product


def row_by_row(features):
    def of_row(parts):
        product = torch.ones(1)
        for part in parts:
            product = torch.kron(product, torch.cat([torch.ones(1), part]))
        return product

    return torch.stack([of_row(parts) for parts in zip(*features, strict=True)])


def of_two(features):
    return outer([features[0], features[1]])


def of_exactly_two(features):
    one, two = features
    return outer([one, two])


def with_zeros(features):
    """A 0 in place of each 1."""
    return without_ones([F.pad(feature, (1, 0)) for feature in features])


def ones_at_every_turn(features):
    """A 1 before the finished product each time, and one before each later modality."""
    product = features[0]
    for feature in features[1:]:
        product = without_ones([with_one(product), with_one(feature)])
    return product


def never_flat(features):
    product = torch.ones(len(features[0]), 1)
    for feature in features:
        product = product[:, :, None] * with_one(feature)[:, None, :]
    return product


def added(features):
    product = torch.zeros(len(features[0]), 1)
    for feature in features:
        product = (product[:, :, None] + with_one(feature)[:, None, :]).flatten(start_dim=1)
    return product


def features_of(rng, *dims, rows):
    return [torch.randn(rows, dim, generator=rng) for dim in dims]


def outer_cases(rng):
    """Two modalities to four; lengths equal and not, 1 too; one row, and as many as features."""
    for rows, *dims in [(3, 2, 3), (1, 3, 2), (3, 3, 3), (2, 2, 3, 4), (4, 1, 2, 1, 3)]:
        yield (features_of(rng, *dims, rows=rows),)


outer_fusion = Exercise(
    reference=fusion.outer_fusion,
    cases=outer_cases,
    also_right=(by_einsum, row_by_row),
    hints=(
        "Put a column of ones before each modality: `torch.cat([ones, feature], dim=1)`, where "
        "`ones` has the shape (B, 1).",
        "`a[:, :, None] * b[:, None, :]` holds all products of the entries of a and b, row by row; "
        "`.flatten(start_dim=1)` lays them flat. With a third modality, do it again.",
    ),
    mistakes=(
        Mistake(
            without_ones,
            "The ones are left out. Without them the products are there, but neither modality by "
            "itself.",
        ),
        Mistake(
            with_ones_behind,
            "The ones stand behind the features; put them before, so that [1; F] begins with 1.",
        ),
        Mistake(
            product_then_one,
            "One 1 was put before the finished product. It belongs before each modality, so that "
            "1 times a feature is among the products.",
        ),
        Mistake(
            one_before_the_first,
            "Only the first modality got its 1, so the features of the first are never alone.",
        ),
        Mistake(
            lambda features: outer(features[::-1]),
            "The flattening runs the wrong way: the index of the last modality runs fastest.",
        ),
        Mistake(
            lambda features: outer(features).flatten(),
            "You flattened the rows of the batch too. Keep them: `flatten(start_dim=1)`.",
        ),
        Mistake(
            lambda features: torch.cat([with_one(feature) for feature in features], dim=1),
            "These are the features side by side. Multiply every entry of one with every entry of "
            "the other.",
        ),
        Mistake(
            of_two,
            "Only the first two modalities take part. Go through the whole list, however long it "
            "is: multiply the result by the third, and so on.",
        ),
        Mistake(
            of_exactly_two,
            "You opened the list into two names, and there may be three modalities or more. Go "
            "through the list in a loop.",
        ),
        Mistake(
            lambda features: with_one(features[0]),
            "Only the first modality has been worked in: does a `return` stand inside the loop?",
        ),
        Mistake(
            with_zeros,
            "There is a 0 before each modality where a 1 belongs, so all that it multiplies is 0.",
        ),
        Mistake(
            ones_at_every_turn,
            "A 1 goes before the product of the modalities so far, time and again. Put it before "
            "each modality once, before anything is multiplied.",
        ),
        Mistake(
            never_flat,
            "The products of two modalities are still (B, n, m) when the third comes. Flatten "
            "after each product: `.flatten(start_dim=1)`.",
        ),
        Mistake(
            added,
            "You added the entries; the outer product multiplies them.",
        ),
    ),
)

# --- LowRankFusion -------------------------------------------------------------------------------


class InAList(fusion.LowRankFusion):
    def __init__(self, dims, dim=64, rank=4):
        super().__init__(dims, dim, rank)
        factors = list(self.factors)
        del self.factors
        self.factors = factors


class WithoutOnes(fusion.LowRankFusion):
    def __init__(self, dims, dim=64, rank=4):
        super().__init__(dims, dim, rank)
        self.factors = nn.ParameterList(torch.randn(rank, size, dim) for size in dims.values())


class RanksAddedFirst(fusion.LowRankFusion):
    def forward(self, features, present=None):
        return torch.stack([part.sum(dim=0) for part in self.parts(features, present)]).prod(dim=0)

    def parts(self, features, present):
        """Each modality's [1; F] through its factors, (rank, B, dim)."""
        given = map(with_one, zero_absent(features, self.names, present))
        return [feature @ factor for feature, factor in zip(given, self.factors, strict=True)]


class ModalitiesAdded(RanksAddedFirst):
    def forward(self, features, present=None):
        return sum(self.parts(features, present)).sum(dim=0)


class RanksMultiplied(RanksAddedFirst):
    def forward(self, features, present=None):
        return torch.stack(self.parts(features, present)).prod(dim=0).prod(dim=0)


class RanksAveraged(RanksAddedFirst):
    def forward(self, features, present=None):
        return torch.stack(self.parts(features, present)).prod(dim=0).mean(dim=0)


class ForgetsPresent(RanksAddedFirst):
    def forward(self, features, present=None):
        return torch.stack(self.parts(features, None)).prod(dim=0).sum(dim=0)


class TwoModalitiesOnly(RanksAddedFirst):
    def forward(self, features, present=None):
        return torch.stack(self.parts(features, present)[:2]).prod(dim=0).sum(dim=0)


class OnesBehind(RanksAddedFirst):
    def parts(self, features, present):
        behind = [f.roll(-1, dims=1) for f in map(with_one, zero_absent(features, self.names))]
        if present is not None:
            absent = [torch.eye(f.shape[1])[-1] for f in behind]
            there = [present[name][:, None] for name in self.names]
            behind = [torch.where(t, f, a) for t, f, a in zip(there, behind, absent, strict=True)]
        return [feature @ factor for feature, factor in zip(behind, self.factors, strict=True)]

    def forward(self, features, present=None):
        return torch.stack(self.parts(features, present)).prod(dim=0).sum(dim=0)


class RankByRank(RanksAddedFirst):
    def forward(self, features, present=None):
        total = 0
        for rank in range(len(self.factors[0])):
            product = 1
            for part in self.parts(features, present):
                product = product * part[rank]
            total = total + product
        return total


class AllZeros(fusion.LowRankFusion):
    def __init__(self, dims, dim=64, rank=4):
        super().__init__(dims, dim, rank)
        for factor in self.factors:
            nn.init.zeros_(factor)


class OneAtZero(fusion.LowRankFusion):
    """The first factor starts at 0 and the others do not, so that it gets going first."""

    def __init__(self, dims, dim=64, rank=4):
        super().__init__(dims, dim, rank)
        nn.init.zeros_(self.factors[0])


class WithoutRoot(fusion.LowRankFusion):
    def __init__(self, dims, dim=64, rank=4):
        super().__init__(dims, dim, rank)
        for factor in self.factors:
            nn.init.normal_(factor)


class DividedBySize(fusion.LowRankFusion):
    def __init__(self, dims, dim=64, rank=4):
        super().__init__(dims, dim, rank)
        for factor in self.factors:
            nn.init.normal_(factor, std=1 / factor.shape[1])


class Uniform(fusion.LowRankFusion):
    """As ``torch.rand`` makes them: never negative, around 0.5 before the division."""

    def __init__(self, dims, dim=64, rank=4):
        super().__init__(dims, dim, rank)
        for factor in self.factors:
            nn.init.uniform_(factor, 0, factor.shape[1] ** -0.5)


class FirstFactorsOnly(RanksAddedFirst):
    def forward(self, features, present=None):
        return self.parts(features, present)[0].sum(dim=0)


class RanksKept(RanksAddedFirst):
    def forward(self, features, present=None):
        return torch.stack(self.parts(features, present)).prod(dim=0)


class RowsAdded(RanksAddedFirst):
    def forward(self, features, present=None):
        return torch.stack(self.parts(features, present)).prod(dim=0).sum(dim=1)


class AllOnes(fusion.LowRankFusion):
    def __init__(self, dims, dim=64, rank=4):
        super().__init__(dims, dim, rank)
        for factor in self.factors:
            nn.init.ones_(factor)


def low_rank_seen(result, module, features, present=None):
    """What came out, and whether a module that is built anew, with its own start, can learn.

    The module itself was given the reference's factors, so it says nothing about its start.
    """
    torch.manual_seed(0)
    dims = {name: feature.shape[1] for name, feature in features.items()}
    fresh = type(module)(dims, module.dim_out, len(module.factors[0]))
    start = [factor.detach().clone() for factor in fresh.factors]
    learns = step_down(fresh, {name: feature.detach() for name, feature in features.items()})
    moved = [  # without any gradient the check of gradients says why, in better words
        new.requires_grad
        and (not learns or bool(new.isfinite().all() and (new - old).abs().max() > 1e-6))
        for new, old in zip(fresh.factors, start, strict=True)
    ]
    ranks = any(factor.std(dim=0, correction=0).max().item() > 1e-6 for factor in start)
    return {
        "Your answer": result,
        "Whether each factor moves": moved,
        "Whether ranks differ": ranks,
        "The factors at the start": starting_size(type(module), features),
    }


def starting_size(kind, names, size=99):
    """Whether factors are too large, too small or off 0 at first, by more than a factor of 2.

    Built anew with many numbers, so that chance has no say. A factor of zeros may be meant.
    """
    built = [factor.detach() for factor in kind(dict.fromkeys(names, size), 16, 3).factors]
    scales = [factor.std().item() * (size + 1) ** 0.5 for factor in built]
    if any(factor.mean().abs() > factor.std() > 1e-6 for factor in built):
        return "not around 0"
    if max(scales) > 2:
        return "too large"
    return "too small" if any(1e-4 < scale < 0.5 for scale in scales) else "about right"


def step_down(module, features, steps=2):
    """Steps of gradient descent on a loss that weighs the outputs differently, as a head does.

    Two steps, since one factor may well start at 0 if the others do not, and gets going first.
    Returns False where the output carries no gradient to go down.
    """
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        output = module(features)
        if not output.requires_grad:
            return False
        (torch.linspace(1, 2, output.shape[1]) * output).mean().backward()
        optimizer.step()
    return True


def low_rank_cases(rng):
    """Two modalities and three, rank 1 to 3, one row and one output too; each time some lack."""
    for dims, dim, rank in [({"image": 4, "text": 3}, 2, 3), ({"a": 2, "b": 3, "c": 2}, 4, 2)]:
        features = {name: torch.randn(4, size, generator=rng) for name, size in dims.items()}
        yield (dims, dim, rank), (features,)
        one = {name: feature[:1] for name, feature in features.items()}
        yield (dims, 1, 1), (one,)
        present = {name: torch.ones(4, dtype=torch.bool) for name in dims}
        for row, name in zip((1, 2), dims, strict=False):
            present[name][row] = False
        yield (dims, dim, rank), (features, present)


LowRankFusion = Exercise(
    reference=fusion.LowRankFusion,
    cases=low_rank_cases,
    module=True,
    observe=low_rank_seen,
    also_right=(RankByRank, OneAtZero),
    hints=(
        "The constructor makes one tensor (rank, dims[i] + 1, dim) for each modality: normal "
        "random numbers over the root of dims[i] + 1. What kind of list makes them parameters?",
        "`nn.ParameterList(torch.randn(s) / s[1] ** 0.5 for s in shapes)`. In forward, "
        "`vector @ factor` gives (rank, B, dim) for each modality; multiply these over the "
        "modalities, then `.sum(dim=0)` over the ranks.",
    ),
    mistakes=(
        Mistake(
            AllZeros,
            "All factors start at 0. Each one's gradient holds the other as a factor, so it is 0 "
            "too, and nothing ever moves. Start them at random numbers.",
        ),
        Mistake(
            WithoutRoot,
            "The factors are too large at the start: divide normal random numbers by the root of "
            "size + 1, the middle number of the shape.",
        ),
        Mistake(
            DividedBySize,
            "The factors are too small at the start: normal random numbers (`torch.randn`) over "
            "the root of size + 1, and over nothing else.",
        ),
        Mistake(
            Uniform,
            "The factors are not spread around 0 at the start, as `torch.rand` is not, which draws "
            "from 0 to 1. Normal random numbers are `torch.randn`.",
        ),
        Mistake(
            AllOnes,
            "All ranks start with the same numbers, so they get the same gradients and stay the "
            "same: R times rank 1. Start the factors at random numbers.",
        ),
        Mistake(
            InAList,
            "The factors stand in a plain Python list or dict. The module does not know them: they "
            "are not counted, not saved, and no optimiser ever moves them. Use nn.ParameterList.",
        ),
        Mistake(
            WithoutOnes,
            "The factors have one row too few: each modality is [1; F], one longer than F.",
        ),
        Mistake(
            RanksAddedFirst,
            "You added the ranks up before multiplying. That is one product of sums, rank 1 in "
            "disguise; multiply the modalities first, rank by rank, and add the ranks last.",
        ),
        Mistake(
            ModalitiesAdded,
            "You added the modalities. That is additive again: multiply them.",
        ),
        Mistake(
            TwoModalitiesOnly,
            "Only the first two modalities take part. Multiply over all of them, a third one too.",
        ),
        Mistake(
            RanksMultiplied,
            "You multiplied over the ranks too; they are added.",
        ),
        Mistake(
            RanksAveraged,
            "You averaged over the ranks; the formula adds them.",
        ),
        Mistake(
            ForgetsPresent,
            "An absent modality still takes part. Let `zero_absent` have `present` too.",
        ),
        Mistake(
            FirstFactorsOnly,
            "Only the first modality has been worked in: does a `return` stand inside the loop?",
        ),
        Mistake(
            RanksKept,
            "The ranks are still there, (rank, B, dim): add them up, axis 0.",
        ),
        Mistake(
            RowsAdded,
            "You added up over axis 1, the rows of the batch. The ranks are axis 0.",
        ),
        Mistake(
            OnesBehind,
            "The 1 stands behind each feature; [1; F] begins with it, as `with_one` makes it.",
        ),
    ),
)

# --- enough_to_add: break this claim -------------------------------------------------------------

ROWS, TRAIN = 5000, 3000
GAP, SOLVED = 0.05, 0.75


def linear_accuracies(rows):
    """Accuracy of a linear model on concat, and of one on all products, [1; a] times [1; b]."""
    from sklearn.linear_model import LogisticRegression

    senses = [torch.from_numpy(rows[sense]) for sense in dial.SENSES]
    label = rows["label"]
    for features in (torch.cat(senses, dim=1), outer(senses)):
        model = LogisticRegression(max_iter=1000).fit(features[:TRAIN], label[:TRAIN])
        yield float(model.score(features[TRAIN:], label[TRAIN:]))


def adding_is_enough(dials, seed):
    """Whether concat + linear comes within GAP of a head that interacts, on fresh rows."""
    for name, value in dials.items():
        if value is ...:
            return f"Put a number in place of the dots of {name}, or leave {name} out."
        if not isinstance(value, Real):
            return f"{name} is a number, such as 3.0; yours is {value!r}."
    others = [name for name in ("redundant", "unique_first", "unique_second") if dials.get(name)]
    if others:
        return f"{others[0]} is not 0: then the label is more than a product. Leave it at 0."
    if dials.get("offset", 0) > 5:
        return "Keep offset at 5 or less."
    rows = dial.make(ROWS, seed, **dials)
    if len(set(rows["label"].tolist())) < 2:
        return "With these dials every row has the same label."
    added, interacting = linear_accuracies(rows)
    if interacting < SOLVED:
        return (
            f"The product is too small beside the noise: even the head that interacts gets "
            f"{interacting:.2f} here, and it has to reach {SOLVED}."
        )
    numbers = f"{added:.2f} for concat + linear, {interacting:.2f} for the head that interacts"
    if interacting - added < GAP:
        return Broken(numbers)
    return f"The claim still holds: {numbers}."


enough_to_add = Exercise(
    verify=adding_is_enough,
    right_dials={"offset": 3.0},
    wrong_dials=(
        {},
        {"product": 3.0},
        {"offset": 0.3},
        {"noise": 3.0},
        {"product": 0.1, "noise": 1.0},
        {"unique_first": 2.0},
        {"redundant": 1.0, "product": 0.1},
        {"offset": 40.0},
        {"product": 0.0, "noise": 0.0},
        {"strength": 1.0},
        {"offset": "3.0"},
        {"offset": [3.0]},
        {"product": ..., "offset": 3.0},
    ),
    hints=(
        "Turning `product` or `noise` changes how loud the product is, not what it is. When does "
        "the product of two numbers grow with each of them, whatever the other is?",
        "Where both factors are nearly always positive, a larger factor always means a larger "
        "product, as in a sum. `offset` is the mean of both factors.",
    ),
)
