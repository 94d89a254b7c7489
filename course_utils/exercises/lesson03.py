"""The exercises of lesson 03, Attention."""

import math

import torch

from course_utils import attention as package
from course_utils.exercises.core import Exercise, Mistake

# --- attention -------------------------------------------------------------------------------


def attention_by_loop(query, key, value, mask=0):
    """One query at a time, for queries (L, d) and what broadcasts."""
    weights = torch.empty(*query.shape[:-1], key.shape[-2])
    for row in range(query.shape[-2]):
        scores = (query[..., row, None, :] * key).sum(dim=-1) / query.shape[-1] ** 0.5
        scores = scores + torch.as_tensor(mask).expand(*weights.shape)[..., row, :]
        # Without its largest score taken off, e to the power of a large one is inf.
        shares = (scores - scores.amax(dim=-1, keepdim=True)).exp()
        weights[..., row, :] = shares / shares.sum(dim=-1, keepdim=True)
    return torch.einsum("...ls,...sd->...ld", weights, value), weights


def attention_by_sums(query, key, value, mask=0):
    """No `@`: products number by number, summed over an axis that broadcasting made."""
    scores = (query[..., :, None, :] * key[..., None, :, :]).sum(dim=-1)
    weights = (scores * key.shape[-1] ** -0.5 + mask).softmax(dim=-1)
    return (weights[..., None] * value[..., None, :, :]).sum(dim=-2), weights


def attention_with_filled_mask(query, key, value, mask=0):
    """Fills where the mask hides, in place of adding it."""
    scores = query / key.shape[-1] ** 0.5 @ key.mT
    if torch.is_tensor(mask):
        scores = scores.masked_fill(mask == -torch.inf, -torch.inf)
    weights = scores.log_softmax(dim=-1).exp()
    return weights @ value, weights


def from_scores(query, key, value, mask, divisor):
    """Attention with another number under the scores."""
    weights = (query @ key.transpose(-2, -1) / divisor + mask).softmax(dim=-1)
    return weights @ value, weights


def over_queries(query, key, value, mask=0):
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask
    weights = scores.softmax(dim=-2)
    return weights @ value, weights


def masked_after_softmax(query, key, value, mask=0):
    weights = (query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5).softmax(dim=-1) + mask
    return weights @ value, weights


def zeroed_after_softmax(query, key, value, mask=0):
    weights = (query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5).softmax(dim=-1)
    weights = weights * (mask == 0)
    return weights @ value, weights


def filled_after_softmax(query, key, value, mask=0):
    weights = (query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5).softmax(dim=-1)
    weights = weights.masked_fill(mask == -torch.inf, 0)
    return weights @ value, weights


def filled_without_default(query, key, value, mask=0):
    """Right wherever the mask is a tensor."""
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5
    weights = scores.masked_fill(mask == -torch.inf, -torch.inf).softmax(dim=-1)
    return weights @ value, weights


def chosen_without_default(query, key, value, mask=0):
    """Right wherever the mask is a tensor."""
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5
    weights = torch.where(mask == 0, scores, -torch.inf).softmax(dim=-1)
    return weights @ value, weights


def with_overflow(query, key, value, mask=0):
    """The softmax as its formula has it, which divides inf by inf where a score is large."""
    scores = (query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask).exp()
    weights = scores / scores.sum(dim=-1, keepdim=True)
    return weights @ value, weights


def with_a_sum_that_lost_its_axis(query, key, value, mask=0):
    scores = (query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask).exp()
    weights = scores / scores.sum(dim=-1)
    return weights @ value, weights


def with_keys_as_they_stand(query, key, value, mask=0):
    weights = (query @ key / key.shape[-1] ** 0.5 + mask).softmax(dim=-1)
    return weights @ value, weights


def with_the_query_turned(query, key, value, mask=0):
    scores = query.transpose(-2, -1) @ key / key.shape[-1] ** 0.5 + mask
    return scores.softmax(dim=-1) @ value, scores.softmax(dim=-1)


def with_a_sigmoid(query, key, value, mask=0):
    weights = (query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask).sigmoid()
    return weights @ value, weights


def with_one_sum_for_all(query, key, value, mask=0):
    scores = (query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask).exp()
    weights = scores / scores.sum()
    return weights @ value, weights


def with_the_root_of_an_int(query, key, value, mask=0):
    return from_scores(query, key, value, mask, torch.sqrt(query.shape[-1]))


def with_scores_returned(query, key, value, mask=0):
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask
    return scores.softmax(dim=-1) @ value, scores


def with_keys_that_ask(query, key, value, mask=0):
    """Query and key have changed places."""
    return package.attention(key, query, value, mask)


def with_keys_for_values(query, key, value, mask=0):
    _, weights = package.attention(query, key, value, mask)
    return weights @ key, weights


def with_batches_alone(query, key, value, mask=0):
    """`torch.bmm` takes three axes, no more and no less."""
    weights = (torch.bmm(query, key.mT) / key.shape[-1] ** 0.5 + mask).softmax(dim=-1)
    return torch.bmm(weights, value), weights


def root_after_softmax(query, key, value, mask=0):
    weights = (query @ key.transpose(-2, -1) + mask).softmax(dim=-1) / key.shape[-1] ** 0.5
    return weights @ value, weights


def root_under_output(query, key, value, mask=0):
    weights = (query @ key.transpose(-2, -1) + mask).softmax(dim=-1)
    return weights @ value / key.shape[-1] ** 0.5, weights


def root_and_mask_after_softmax(query, key, value, mask=0):
    weights = (query @ key.transpose(-2, -1)).softmax(dim=-1) / key.shape[-1] ** 0.5 + mask
    return weights @ value, weights


def mask_times_scores(query, key, value, mask=0):
    weights = (query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 * mask).softmax(dim=-1)
    return weights @ value, weights


def masked_where_zero(query, key, value, mask=0):
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5
    weights = scores.masked_fill(mask == 0, -torch.inf).softmax(dim=-1)
    return weights @ value, weights


def all_axes_turned_round(query, key, value, mask=0):
    turned = key.permute(*reversed(range(key.ndim)))  # what `key.T` does, without its warning
    weights = (query @ turned / key.shape[-1] ** 0.5 + mask).softmax(dim=-1)
    return weights @ value, weights


def axes_from_the_front(query, key, value, mask=0):
    weights = (query @ key.transpose(0, 1) / key.shape[-1] ** 0.5 + mask).softmax(dim=-1)
    return weights @ value, weights


def softmax_over_axis_1(query, key, value, mask=0):
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask
    weights = scores.softmax(dim=1)
    return weights @ value, weights


def axes_of_a_batch(query, key, value, mask=0, root_of=-1):
    weights = (query @ key.transpose(1, 2) / key.shape[root_of] ** 0.5 + mask).softmax(dim=-1)
    return weights @ value, weights


def drawn(rng, batch, queries, keys, dim, wide):
    """Query, key and value for axes ``batch`` before, L queries, S keys, d and d_value numbers."""
    sizes = (queries, dim), (keys, dim), (keys, wide)
    return [torch.randn(*batch, *size, generator=rng) for size in sizes]


def attention_cases(rng):
    """L queries, S keys, sizes d and d_value all different; masks of 0 and -inf, no row all -inf.

    The mask hides one key from all, others from some, so that its place and its axis show. Then
    no mask, heads, a mask with axes of 1, sizes of 1, and scores that overflow an exponential.
    """
    for batch, queries, keys, dim, wide in [
        ((), 3, 4, 5, 2),
        ((2,), 2, 3, 6, 4),
        ((3,), 4, 5, 2, 3),
    ]:
        mask = torch.zeros(queries, keys)
        mask[:, -1] = mask[0, 1] = -torch.inf
        yield *drawn(rng, batch, queries, keys, dim, wide), mask
    query, key, value = torch.randn(3, 4, 3, generator=rng)
    yield query, key, value, package.causal_mask(4)
    yield tuple(drawn(rng, (2, 3), 4, 2, 3, 5))
    heads = drawn(rng, (2, 2), 3, 4, 2, 3)
    yield *heads, package.padding_mask(torch.tensor([2, 4]), longest=4)
    yield tuple(drawn(rng, (3, 1), 1, 2, 1, 1))
    # Whole numbers and a root of 2, so that large scores come out the same in any order of steps.
    query, key = (torch.randint(-3, 4, (2, n, 4), generator=rng).float() for n in (3, 5))
    query[..., 0] = key[..., 0] = 15
    value = torch.randn(2, 5, 2, generator=rng)
    yield query, key, value, package.padding_mask(torch.tensor([3, 5]), longest=5)[:, 0]


attention = Exercise(
    reference=package.attention,
    cases=attention_cases,
    also_right=(attention_by_loop, attention_by_sums, attention_with_filled_mask),
    hints=(
        "Four lines, one for each step of the formula: scores, mask, softmax, mean. `key` must be "
        "transposed in its last two axes alone: `key.transpose(-2, -1)`.",
        "`scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask` has the shape "
        "(..., L, S). Each query's weights sum to 1, so the softmax runs over the last axis. "
        "Return `weights @ value, weights`.",
    ),
    mistakes=(
        Mistake(
            lambda query, key, value, mask=0: from_scores(query, key, value, mask, 1),
            "The scores are not divided by the square root of d, the length of a query.",
        ),
        Mistake(
            lambda query, key, value, mask=0: from_scores(query, key, value, mask, key.shape[-1]),
            "You divided the scores by d; divide by its square root.",
        ),
        Mistake(
            lambda query, key, value, mask=0: from_scores(
                query, key, value, mask, key.shape[-2] ** 0.5
            ),
            "You took the root of the number of keys. d is the length of one query or key, the "
            "last axis.",
        ),
        Mistake(
            lambda query, key, value, mask=0: from_scores(
                query, key, value, mask, query.shape[-2] ** 0.5
            ),
            "You took the root of the number of queries. d is the length of one query, the last "
            "axis: `query.shape[-1]`.",
        ),
        Mistake(
            lambda query, key, value, mask=0: from_scores(
                query, key, value, mask, value.shape[-1] ** 0.5
            ),
            "You took the root of the length of a value. d is the length of a query or key, which "
            "may be another: `key.shape[-1]`.",
        ),
        Mistake(
            lambda query, key, value, mask=0: from_scores(
                query, key, value, mask, key.shape[-1] ** -0.5
            ),
            "You multiplied the scores by the square root of d; divide by it.",
        ),
        Mistake(
            lambda query, key, value, mask=0: from_scores(
                query, key, value, mask, 2 * key.shape[-1]
            ),
            "You divided the scores by 2 d, as `scores / d ** 1 / 2` does. The root is `d ** 0.5`.",
        ),
        Mistake(
            lambda query, key, value, mask=0: from_scores(
                query, key, value, mask, key.shape[-1] / 2
            ),
            "You divided the scores by d / 2, which is what `d ** 1 / 2` is. The root is "
            "`d ** 0.5`.",
        ),
        Mistake(
            with_keys_as_they_stand,
            "`query @ key` does not fit: query is (..., L, d) and key (..., S, d). Turn the key's "
            "last two axes: `key.transpose(-2, -1)`.",
        ),
        Mistake(
            with_the_query_turned,
            "You turned the query's axes; turn the key's, so that rows of both meet: "
            "`query @ key.transpose(-2, -1)` is (..., L, S).",
        ),
        Mistake(
            with_a_sigmoid,
            "Your weights come from a sigmoid, so those of a query do not sum to 1. Use a softmax "
            "over the keys.",
        ),
        Mistake(
            with_a_sum_that_lost_its_axis,
            "Your sum over the keys lost its axis, so each weight is divided by the sum of another "
            "query. Keep it with `keepdim=True`, or use `.softmax(dim=-1)`.",
        ),
        Mistake(
            with_the_root_of_an_int,
            "`torch.sqrt` takes a tensor, and `shape` holds plain numbers. Write `d ** 0.5`.",
        ),
        Mistake(
            with_overflow,
            "Your weights are NaN where scores are large: e^100 is inf in these numbers, and inf / "
            "inf is NaN. Use `.softmax(dim=-1)`, which takes the largest score off first.",
        ),
        Mistake(
            with_one_sum_for_all,
            "You divided by the sum over all queries. The weights of each query sum to 1: add up "
            "along the last axis, with `keepdim=True`.",
        ),
        Mistake(
            with_scores_returned,
            "The output is right. What you return beside it are the scores; return the weights, "
            "after the softmax.",
        ),
        Mistake(
            with_keys_that_ask,
            "Query and key have changed places: `query @ key.transpose(-2, -1)`, which is (..., L, "
            "S), a row for each query.",
        ),
        Mistake(
            with_keys_for_values,
            "The weights are right, and you took the mean of the keys with them. Take the mean of "
            "the values: `weights @ value`.",
        ),
        Mistake(
            with_batches_alone,
            "`torch.bmm` takes three axes alone, and there may be none or two before the last two. "
            "`@` leaves any axes before alone.",
        ),
        Mistake(
            filled_after_softmax,
            "You put 0 where the mask hides, after the softmax, so the weights that are left do "
            "not sum to 1. Add the mask to the scores, before the softmax.",
        ),
        Mistake(
            chosen_without_default,
            "`torch.where` wants a tensor, and the mask may be the number 0, its default. Adding "
            "the mask to the scores does for both.",
        ),
        Mistake(
            filled_without_default,
            "`masked_fill` wants a tensor, and the mask may be the number 0, its default. Adding "
            "the mask to the scores does for both.",
        ),
        Mistake(
            over_queries,
            "Your softmax runs over the queries (axis -2). Each query shares itself out over the "
            "keys, the last axis of the scores.",
        ),
        Mistake(
            masked_after_softmax,
            "You added the mask after the softmax, so hidden keys have the weight -inf. Add it to "
            "the scores; the softmax then makes e^-inf = 0 of it.",
        ),
        Mistake(
            zeroed_after_softmax,
            "You hid keys after the softmax, so the weights of those that are left do not sum to "
            "1. Add the mask to the scores, before the softmax.",
        ),
        Mistake(
            root_after_softmax,
            "You divided by the root after the softmax, so no row of weights sums to 1. Divide the "
            "scores.",
        ),
        Mistake(
            root_under_output,
            "You divided the output by the root; divide the scores, before the softmax.",
        ),
        Mistake(
            root_and_mask_after_softmax,
            "Root and mask came after the softmax. Both change the scores: divide, add the mask, "
            "and let the softmax be the last step.",
        ),
        Mistake(
            mask_times_scores,
            "You multiplied the scores by the mask. That makes 0 of every score that may stay, and "
            "-inf times a score can be +inf, so NaN comes out. Add the mask.",
        ),
        Mistake(
            masked_where_zero,
            "You hid the keys where the mask is 0. The mask is 0 where a query may look and -inf "
            "where it may not, so all it takes is to add it to the scores.",
        ),
        Mistake(
            all_axes_turned_round,
            "With more than two axes `key.T` turns all of them round, the batch too. Transpose the "
            "last two alone: `key.transpose(-2, -1)`.",
        ),
        Mistake(
            axes_from_the_front,
            "`key.transpose(0, 1)` counts axes from the front, where the batch stands. Count from "
            "the end: `key.transpose(-2, -1)`.",
        ),
        Mistake(
            softmax_over_axis_1,
            "`softmax(dim=1)` runs over the keys only where there is no batch. The keys are the "
            "last axis: `softmax(dim=-1)`.",
        ),
        Mistake(
            axes_of_a_batch,
            "`key.transpose(1, 2)` is right with one axis for the batch alone. Some inputs have no "
            "batch, others heads besides. Count from the end: `key.transpose(-2, -1)`.",
        ),
        Mistake(
            lambda *arguments: axes_of_a_batch(*arguments, root_of=1),
            "`key.transpose(1, 2)` and `key.shape[1]` count axes from the front, where the batch "
            "stands. Count from the end: `key.transpose(-2, -1)`, `key.shape[-1]`.",
        ),
        Mistake(
            lambda query, key, value, mask=0: from_scores(
                query, key, value, 0, key.shape[-1] ** 0.5
            ),
            "The mask does not come into it: hidden keys get weight. Add it to the scores.",
        ),
        Mistake(
            lambda query, key, value, mask=0: package.attention(query, key, value, mask)[0],
            "The output is right; return the weights too, as `output, weights`.",
        ),
        Mistake(
            lambda query, key, value, mask=0: package.attention(query, key, value, mask)[::-1],
            "Both are right, in the wrong order: return the output first, then the weights.",
        ),
    ),
)


# --- permutation_gap -------------------------------------------------------------------------


class Layer:
    """A function of a sequence with a name, so that a message can say which one it was."""

    def __init__(self, name, fn):
        self.name, self.fn = name, fn

    def __call__(self, x):
        return self.fn(x)

    def __repr__(self):
        return self.name


def gap_layers(rng, length, dim):
    """Some that do not mind the order of the rows, (length, dim) -> (length, out), and some do."""
    matrix = torch.randn(dim, 3, generator=rng)
    places = torch.randn(length, dim, generator=rng)
    yield Layer("x.cumsum(dim=0)", lambda x: x.cumsum(dim=0))
    yield Layer("x @ matrix", lambda x: x @ matrix)
    yield Layer("attention(x, x, x)", lambda x: package.attention(x, x, x)[0])
    yield Layer("x * places", lambda x: x * places)
    yield Layer("x + places", lambda x: x + places)


def gap_cases(rng):
    """Orders that are not their own inverse, so that the two directions differ.

    One number a word, words that stay as they are, and a single word.
    """
    for length, dim in [(4, 3), (5, 2), (6, 4), (3, 1)]:
        order = torch.arange(length)
        while (order[order] == torch.arange(length)).all():
            order = torch.randperm(length, generator=rng)
        for layer in gap_layers(rng, length, dim):
            yield layer, torch.randn(length, dim, generator=rng), order
    for length in (3, 1):
        layer = Layer("x.cumsum(dim=0)", lambda x: x.cumsum(dim=0))
        yield layer, torch.randn(length, 2, generator=rng), torch.arange(length)


def as_number(result, *_):
    """A tensor without axes is a number too."""
    scalar = isinstance(result, torch.Tensor) and result.ndim == 0
    return result.item() if scalar else result


def gap_by_matrix(layer, x, order):
    reorder = torch.eye(len(order))[order]
    return float((layer(reorder @ x) - reorder @ layer(x)).abs().max())


def gap_of_columns(layer, x, order):
    return (layer(x[:, order]) - layer(x)[:, order]).abs().max().item()


def gap_of_the_largest(layer, x, order):
    return (layer(x[order]).max() - layer(x)[order].max()).abs().item()


def gap_in_shares(layer, x, order):
    after, before = layer(x[order]), layer(x)[order]
    return ((after - before).abs() / before.abs()).max().item()


def gap_in_place(layer, x, order):
    before = layer(x)[order]
    x[:] = x[order]
    return (layer(x) - before).abs().max().item()


def gap_by_rows(layer, x, order):
    before, after = layer(x), layer(x[order])
    return max(
        (after[place] - before[came_from]).abs().max().item()
        for place, came_from in enumerate(order.tolist())
    )


permutation_gap = Exercise(
    reference=package.permutation_gap,
    cases=gap_cases,
    observe=as_number,
    also_right=(
        gap_by_rows,
        gap_by_matrix,
        lambda layer, x, order: (layer(x[order])[order.argsort()] - layer(x)).abs().max(),
    ),
    hints=(
        "Two ways to the same place: reorder the words and apply the layer, or apply the layer "
        "and reorder what comes out. How far apart do they end?",
        "`layer(x[order])` and `layer(x)[order]` have the same shape. Take the largest absolute "
        "difference: `.abs().max().item()`.",
    ),
    mistakes=(
        Mistake(
            lambda layer, x, order: (layer(x[order]) - layer(x)).abs().max().item(),
            "You compared row i of both outputs, and these belong to different words: row i of "
            "`layer(x[order])` is word `order[i]`. Compare it, as it stands, with "
            "`layer(x)[order]`.",
        ),
        Mistake(
            lambda layer, x, order: (
                (layer(x[order]) - layer(x)[order.argsort()]).abs().max().item()
            ),
            "Your two outputs are in inverse orders, as with `argsort`, or when the reordered one "
            "is reordered once more. The same `order` goes with words and outputs: "
            "`layer(x[order])` and `layer(x)[order]`.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order]) - layer(x)[order]).max().item(),
            "You took the largest difference with its sign, so a large negative one is lost. Take "
            "`.abs()` first.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order]) - layer(x)[order]).abs().mean().item(),
            "You took the mean of the differences; the exercise asks for the largest.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order]) - layer(x)[order]).abs().sum().item(),
            "You took the sum of the differences; the exercise asks for the largest.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order]) - layer(x)[order]).norm().item(),
            "You took the length of all differences as one vector; the exercise asks for the "
            "largest: `.abs().max()`.",
        ),
        Mistake(
            lambda layer, x, order: ((layer(x[order]) - layer(x)[order]) ** 2).mean().item(),
            "You took the mean of the squared differences; the exercise asks for the largest "
            "difference.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order]) - layer(x[order])[order]).abs().max().item(),
            "Your layer saw the reordered words alone. The other side is `layer(x)[order]`, from "
            "the words as they stood.",
        ),
        Mistake(
            gap_of_the_largest,
            "You compared the largest number of one side with the largest of the other, which may "
            "stand elsewhere. Subtract number by number, then take the largest.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order]).abs() - layer(x)[order].abs()).max().item(),
            "You took the absolute values before subtracting. Subtract first, then `.abs()`, then "
            "`.max()`.",
        ),
        Mistake(
            gap_in_shares,
            "You divided each difference by the number itself. The exercise asks for the "
            "difference, not for its share.",
        ),
        Mistake(
            lambda layer, x, order: 0.0,
            "Your gap is 0 for every layer: the two sides are one and the same. One is "
            "`layer(x[order])`, the other `layer(x)[order]`.",
        ),
        Mistake(
            lambda layer, x, order: torch.allclose(layer(x[order]), layer(x)[order]),
            "You said whether the two are alike; the exercise asks how far they are apart, a "
            "number.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order]) - layer(x)[order]).abs().amax(dim=1),
            "You gave the largest difference of each word; the exercise asks for one number, the "
            "largest of all: `.max()` without `dim`.",
        ),
        Mistake(
            gap_of_columns,
            "You reordered the columns, the numbers of a word. Words are rows: `x[order]`.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order])[0] - layer(x)[order[0]]).abs().max().item(),
            "You compared the first word alone; the exercise asks for the largest of all.",
        ),
        Mistake(
            gap_in_place,
            "`x[:] = x[order]` reorders the words for your caller too. Leave `x` as it is: "
            "`x[order]` gives a new tensor.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x)[order] - layer(x)).abs().max().item(),
            "Your layer never saw the reordered words: you only reordered its output. One of the "
            "two sides is `layer(x[order])`.",
        ),
        Mistake(
            lambda layer, x, order: (layer(x[order]).mean(0) - layer(x).mean(0)).abs().max().item(),
            "You averaged over the words first, which says whether the *mean* minds the order. The "
            "exercise asks word by word.",
        ),
    ),
)


# --- sinusoidal_positions --------------------------------------------------------------------


def waves_by_loop(longest, dim):
    waves = torch.zeros(longest, dim)
    for position in range(longest):
        for i in range(dim // 2):
            angle = torch.tensor(position / 10_000 ** (2 * i / dim))
            waves[position, 2 * i] = angle.sin()
            waves[position, 2 * i + 1] = angle.cos()
    return waves


def waves(longest, dim, first=0, exponent=lambda i, dim: -2 * i / dim, base=10_000.0):
    """Sine and cosine (longest, dim / 2) each, of angles that may be wrong."""
    position = torch.arange(first, first + longest)[:, None]
    angle = position * base ** exponent(torch.arange(dim // 2), dim)
    return angle.sin(), angle.cos()


def interleaved(one, other):
    return torch.stack([one, other], dim=-1).flatten(start_dim=1)


def each_column_its_own(longest, dim):
    angle = torch.arange(longest)[:, None] * 10_000.0 ** (-torch.arange(dim) / dim)
    return torch.where(torch.arange(dim) % 2 == 0, angle.sin(), angle.cos())


def each_column_its_own_twice(longest, dim):
    angle = torch.arange(longest)[:, None] * 10_000.0 ** (-2 * torch.arange(dim) / dim)
    return torch.where(torch.arange(dim) % 2 == 0, angle.sin(), angle.cos())


def angles_too_many(longest, dim):
    """As many angles as columns, so that half the columns cannot hold them."""
    angle = torch.arange(longest)[:, None] / 10_000 ** (torch.arange(dim) / dim)
    table = torch.empty(longest, dim)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
    return table


def waves_by_logarithm(longest, dim):
    """As many write it: 10000^(-2i / dim) as the exponential of a logarithm."""
    falling = torch.exp(torch.arange(0, dim, 2) * (-math.log(10_000) / dim))
    table = torch.zeros(longest, dim)
    table[:, 0::2] = torch.sin(torch.arange(longest)[:, None] * falling)
    table[:, 1::2] = torch.cos(torch.arange(longest)[:, None] * falling)
    return table


def waves_by_phase(longest, dim):
    """A cosine is a sine, a quarter of a turn ahead."""
    column = torch.arange(dim)
    angle = torch.arange(longest)[:, None] / 10_000 ** (column // 2 * 2 / dim)
    return torch.sin(angle + column % 2 * torch.pi / 2)


def waves_of_floats(longest, dim):
    """`torch.sin` of what is no tensor."""
    table = torch.zeros(longest, dim)
    for position in range(longest):
        for i in range(dim // 2):
            table[position, 2 * i] = torch.sin(position / 10_000 ** (2 * i / dim))
    return table


def waves_past_the_last_column(longest, dim):
    table = torch.zeros(longest, dim)
    for position in range(longest):
        for i in range(dim):
            angle = torch.tensor(position / 10_000 ** (2 * i / dim))
            table[position, 2 * i] = angle.sin()
            table[position, 2 * i + 1] = angle.cos()
    return table


def waves_over_each_other(longest, dim):
    """Columns i and i + 1, so that each sine but the first overwrites a cosine."""
    sines, cosines = waves(longest, dim)
    table = torch.zeros(longest, dim)
    table[:, : dim // 2] = sines
    table[:, dim // 2] = cosines[:, -1]
    return table


def waves_on_one_line(longest, dim):
    """Positions and pairs on one axis, which do not fit."""
    angle = torch.arange(longest) / 10_000 ** (torch.arange(0, dim, 2) / dim)
    table = torch.zeros(longest, dim)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
    return table


def without_brackets(longest, dim):
    angle = torch.arange(longest)[:, None] / 10_000**2 * torch.arange(dim // 2) / dim
    return interleaved(angle.sin(), angle.cos())


def waves_in_rows(longest, dim):
    """Even and odd rows in place of columns."""
    angle = torch.arange(longest)[:, None] / 10_000 ** (torch.arange(0, dim, 2) / dim)
    table = torch.zeros(longest, dim)
    table[0::2], table[1::2] = angle.sin(), angle.cos()
    return table


def waves_by_math(longest, dim):
    angle = torch.arange(longest)[:, None] / 10_000 ** (torch.arange(0, dim, 2) / dim)
    table = torch.zeros(longest, dim)
    table[:, 0::2], table[:, 1::2] = math.sin(angle), math.cos(angle)
    return table


def sines_alone(longest, dim):
    table = package.sinusoidal_positions(longest, dim)
    table[:, 1::2] = 0
    return table


sinusoidal_positions = Exercise(
    reference=package.sinusoidal_positions,
    cases=lambda rng: iter([(5, 6), (3, 8), (12, 4), (1, 4), (4, 2), (1, 2), (30, 12)]),
    also_right=(waves_by_loop, waves_by_logarithm, waves_by_phase),
    hints=(
        "Column 2i and column 2i + 1 share one angle. Compute the angles first, as a table of "
        "(longest, dim / 2): positions down, i across.",
        "`angle = torch.arange(longest)[:, None] / 10_000 ** (torch.arange(0, dim, 2) / dim)`. "
        "Then fill an empty (longest, dim) table: `table[:, 0::2] = angle.sin()`.",
    ),
    mistakes=(
        Mistake(
            lambda longest, dim: interleaved(*waves(longest, dim)[::-1]),
            "Sine and cosine are exchanged: the sine goes into the even columns 0, 2, 4 and so on.",
        ),
        Mistake(
            lambda longest, dim: torch.cat(waves(longest, dim), dim=1),
            "All sines stand in the left half and all cosines in the right. Here they take turns: "
            "even columns, odd columns.",
        ),
        Mistake(
            lambda longest, dim: interleaved(*waves(longest, dim, exponent=lambda i, d: -i / d)),
            "Your exponent is i / dim; it is 2i / dim, so that i counts pairs of columns.",
        ),
        Mistake(
            lambda longest, dim: interleaved(
                *waves(longest, dim, exponent=lambda i, d: -(2 * i // d))
            ),
            "All your pairs of columns hold the same wave, of the angle p. Divide p by "
            "10000^(2i / dim), and mind that `2 * i // dim` rounds down to 0.",
        ),
        Mistake(
            without_brackets,
            "`10000 ** 2 * i / dim` raises to the power of 2 alone, because `**` binds first. Put "
            "the exponent in brackets: `10000 ** (2 * i / dim)`.",
        ),
        Mistake(
            waves_of_floats,
            "`torch.sin` takes a tensor, and your angle is a plain number: use `math.sin`, or make "
            "the angles as one tensor.",
        ),
        Mistake(
            waves_past_the_last_column,
            "Your i runs too far: it counts pairs of columns, 0 .. dim / 2 - 1, and the last pair "
            "is columns dim - 2 and dim - 1.",
        ),
        Mistake(
            waves_over_each_other,
            "You wrote to the columns i and i + 1, so each pair overwrites half of the one before. "
            "Its columns are 2i and 2i + 1.",
        ),
        Mistake(
            waves_on_one_line,
            "Positions and pairs of columns stand on one axis, where they do not fit. Give the "
            "positions an axis of their own: `torch.arange(longest)[:, None]`.",
        ),
        Mistake(
            waves_in_rows,
            "`table[0::2]` is every second row. Positions are rows and waves are columns: "
            "`table[:, 0::2]`.",
        ),
        Mistake(
            waves_by_math,
            "`math.sin` takes one number, and your angles are a tensor: use `angle.sin()`.",
        ),
        Mistake(
            sines_alone,
            "The odd columns are 0; they hold the cosine of the same angle.",
        ),
        Mistake(
            lambda longest, dim: torch.stack(waves(longest, dim), dim=-1),
            "Each pair stands on an axis of its own, (longest, dim / 2, 2). Flatten the last two: "
            "`.flatten(start_dim=1)`.",
        ),
        Mistake(
            each_column_its_own,
            "Your odd columns have an angle of their own. Columns 2i and 2i + 1 share one, with "
            "the exponent 2i / dim.",
        ),
        Mistake(
            each_column_its_own_twice,
            "You took the column's number for i, so the exponent runs to nearly 2. i counts pairs "
            "of columns, 0 .. dim / 2 - 1: columns 2i and 2i + 1 share one angle.",
        ),
        Mistake(
            angles_too_many,
            "You have an angle for each column, (longest, dim), and only half the columns to put "
            "them in. There is one for each pair: i runs from 0 to dim / 2 - 1.",
        ),
        Mistake(
            lambda longest, dim: interleaved(*waves(longest, dim, exponent=lambda i, d: 2 * i / d)),
            "You multiplied by 10000^(2i / dim), so the waves get faster from left to right; "
            "divide by it.",
        ),
        Mistake(
            lambda longest, dim: interleaved(*waves(longest, dim, first=1)),
            "Your first row is position 1; positions count from 0.",
        ),
        Mistake(
            lambda longest, dim: interleaved(
                *waves(longest, dim, exponent=lambda i, d: -4 * i / d)
            ),
            "Your exponent is 4i / dim: what counts 0, 2, 4 and on is 2i already, so do not double "
            "it again.",
        ),
        Mistake(
            lambda longest, dim: interleaved(*waves(longest, dim)).T,
            "Positions go down and columns across: (longest, dim), not the other way round.",
        ),
    ),
)
