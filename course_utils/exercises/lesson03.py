"""The exercises of lesson 03, Attention."""

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
    weights = weights * torch.as_tensor(mask).exp()
    return weights @ value, weights


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
    hidden = torch.as_tensor(mask == 0)
    weights = scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)
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


def attention_cases(rng):
    """L queries, S keys, sizes d and d_value all different; masks of 0 and -inf, no row all -inf.

    The mask hides one key from all, others from some, so that its place and its axis show.
    """
    for batch, queries, keys, dim, wide in [
        ((), 3, 4, 5, 2),
        ((2,), 2, 3, 6, 4),
        ((3,), 4, 5, 2, 3),
    ]:
        query = torch.randn(*batch, queries, dim, generator=rng)
        key = torch.randn(*batch, keys, dim, generator=rng)
        value = torch.randn(*batch, keys, wide, generator=rng)
        mask = torch.zeros(queries, keys)
        mask[:, -1] = mask[0, 1] = -torch.inf
        yield query, key, value, mask
    query, key, value = torch.randn(3, 4, 3, generator=rng)
    yield query, key, value, package.causal_mask(4)


attention = Exercise(
    reference=package.attention,
    cases=attention_cases,
    also_right=(attention_by_loop,),
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
            lambda query, key, value, mask=0: from_scores(query, key, value, 0, key.shape[-1] ** 0.5),
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
    yield Layer("x @ matrix", lambda x: x @ matrix)
    yield Layer("attention(x, x, x)", lambda x: package.attention(x, x, x)[0])
    yield Layer("x.cumsum(dim=0)", lambda x: x.cumsum(dim=0))
    yield Layer("x * places", lambda x: x * places)
    yield Layer("x + places", lambda x: x + places)


def gap_cases(rng):
    """Orders that are not their own inverse, so that the two directions differ."""
    for length, dim in [(4, 3), (5, 2), (6, 4)]:
        order = torch.arange(length)
        while (order[order] == torch.arange(length)).all():
            order = torch.randperm(length, generator=rng)
        for layer in gap_layers(rng, length, dim):
            yield layer, torch.randn(length, dim, generator=rng), order


def as_number(result, *_):
    """A tensor without axes is a number too."""
    scalar = isinstance(result, torch.Tensor) and result.ndim == 0
    return result.item() if scalar else result


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
            "You compared row by row without reordering the output. Row i of `layer(x[order])` "
            "belongs to word `order[i]`: compare with `layer(x)[order]`.",
        ),
        Mistake(
            lambda layer, x, order: (
                (layer(x[order]) - layer(x)[order.argsort()]).abs().max().item()
            ),
            "You put the output into the inverse order. The same `order` goes with words and "
            "outputs: `layer(x[order])` and `layer(x)[order]`.",
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


sinusoidal_positions = Exercise(
    reference=package.sinusoidal_positions,
    cases=lambda rng: iter([(5, 6), (3, 8), (12, 4)]),
    also_right=(waves_by_loop,),
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
            "Your exponent is 4i / dim: `torch.arange(0, dim, 2)` is 2i already, so do not "
            "double it again.",
        ),
        Mistake(
            lambda longest, dim: interleaved(*waves(longest, dim)).T,
            "Positions go down and columns across: (longest, dim), not the other way round.",
        ),
    ),
)
