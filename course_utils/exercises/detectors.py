"""What the numbers show of a wrong attempt: how its answers follow from the right ones.

A relation counts only if it holds in every case, those of two more seeds among them, and tells
the two answers apart in some. So it is a fact about the attempt, whatever its source says.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.exercises.evidence import Evidence, telling, unheard
from course_utils.exercises.running import Outcome
from course_utils.exercises.sizes import sizes_of


@dataclass(frozen=True)
class Pair:
    """One case: its sizes by name, the right answer, the attempt's, and tensors of the inputs."""

    sizes: Mapping[str, int]
    expected: Any
    given: Any
    inputs: Mapping[str, Tensor] = field(default_factory=dict)


def shown(evidence: Evidence) -> str | None:
    """A sentence on how the attempt's answers follow from the right ones, or None."""
    with unheard():
        pairs = _pairs(evidence)
        return _explained(pairs, evidence.exercise, "Your answer") if pairs else None


def _pairs(evidence):
    """All cases, or none where something was raised."""
    pairs = []
    for part in (evidence, *evidence.fresh):
        for case, expected, given in zip(part.cases, part.expected, part.given, strict=False):
            if given.error or expected.error:
                return []
            arguments = part.arguments(case)
            inputs = dict(_tensors(arguments))
            pairs.append(Pair(sizes_of(arguments), expected.seen, given.seen, inputs))
    return pairs


def _tensors(arguments):
    """Tensors among the arguments, and in dicts among them, by the names that code gives them."""
    for name, value in arguments.items():
        inside = value.items() if isinstance(value, dict) else ()
        named = [(name, value), *((f"{name}[{key!r}]", inner) for key, inner in inside)]
        yield from ((f"`{text}`", held) for text, held in named if isinstance(held, Tensor))


def _explained(pairs, exercise, what):
    for find in _FINDERS:
        sentence = find(pairs, exercise, what)
        if sentence:
            return sentence
    return None


# --- numbers of any kind ---------------------------------------------------------------------


def _numbers(value: Any, of_tensors: bool = False) -> Tensor | None:
    """A number, an array or a list of numbers as a tensor of doubles; None for anything else.

    of_tensors: whether a list of tensors of one shape counts, as the tensor of all of them.
    """
    if of_tensors and isinstance(value, list) and _of_one_shape(value):
        value = torch.stack(value)
    if isinstance(value, list | tuple) and not all(isinstance(v, int | float) for v in value):
        return None
    if isinstance(value, Tensor):
        value = value.detach()
    elif not isinstance(value, int | float | list | tuple | np.ndarray | np.number | np.bool_):
        return None
    try:
        return torch.as_tensor(value, dtype=torch.double)
    except (TypeError, ValueError, RuntimeError):
        return None


def _of_one_shape(values):
    return bool(values) and all(
        isinstance(v, Tensor) and v.shape == values[0].shape for v in values
    )


def _close(some: Tensor | None, other: Tensor | None, exercise) -> bool:
    if some is None or other is None or some.shape != other.shape:
        return False
    near = {"rtol": max(exercise.rtol, 1e-5), "atol": max(exercise.atol, 1e-7)}
    return torch.allclose(some, other, **near, equal_nan=True)


def _as_numbers(pairs):
    """(right, given) as tensors of doubles for all pairs, or None where one is no number."""
    found = [
        (_numbers(pair.expected), _numbers(pair.given, isinstance(pair.expected, Tensor)))
        for pair in pairs
    ]
    return None if any(a is None or b is None for a, b in found) else found


def _whole_story(change: Callable[[Tensor], Tensor], numbers, exercise) -> bool:
    """Whether ``change`` makes every given answer of the right one, and is no mere nothing."""
    tells = []
    for right, given in numbers:
        try:
            made = change(right)
        except (RuntimeError, IndexError, ValueError):
            return False
        if not _close(given, made, exercise):
            return False
        if not _close(right, made, exercise) and made.isfinite().any():
            tells.append((_plain(right), _plain(given)))
    return telling(tells)


def _plain(numbers):
    """One number as itself, rounded, several as they are: equal ones are told apart by it."""
    if numbers.numel() != 1:
        return numbers
    number = round(numbers.item(), 5) if math.isfinite(numbers.item()) else numbers.item()
    return bool(number) if number in (0, 1) else number


# --- the answer as a whole -------------------------------------------------------------------


def _kinds(pairs, exercise, what):
    """The right numbers as something else: another dtype, a list, an axis too many."""
    numbers = _as_numbers(pairs)
    if not numbers:
        return None
    if all(_close(given, right, exercise) for right, given in numbers):
        return _another_kind(pairs, what)
    if all(right.numel() == given.numel() for right, given in numbers):
        return _another_shape(numbers, exercise, what)
    return None


def _another_kind(pairs, what):
    names = [(_kind(pair.expected), _kind(pair.given)) for pair in pairs]
    wrong = [(want, have) for want, have in names if want != have]
    if not wrong:
        return None
    some = ", and of the right kind for other inputs" if len(wrong) < len(names) else ""
    return f"The numbers are right{some}."


def _kind(value):
    if isinstance(value, Tensor):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return "a numpy array"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _another_shape(numbers, exercise, what):
    """The same numbers in the same order, in other axes."""
    if not all(_close(given.reshape(right.shape), right, exercise) for right, given in numbers):
        return None
    shapes = [(tuple(r.shape), tuple(g.shape)) for r, g in numbers if r.shape != g.shape]
    if not shapes:
        return None
    want, have = max(shapes, key=lambda pair: math.prod(pair[0]))
    short = [[size for size in shape if size != 1] for shape in (want, have)]
    if short[0] == short[1]:
        more = "many" if len(have) > len(want) else "few"
        why = f"there is an axis of length 1 too {more}"
        if len(have) == len(want):
            why = "an axis of length 1 stands in the wrong place"
    else:
        why = "axes are flattened together or apart"
    return f"{what} has the right numbers in the wrong shape, {have} for {want}: {why}."


def _parts(pairs, exercise, what):
    """Answers of several parts: their order, one of them alone, what is wrong with which."""
    expected = [pair.expected for pair in pairs]
    if all(isinstance(e, tuple | list) and len(e) == len(expected[0]) for e in expected):
        return _parts_of_sequences(pairs, exercise, what)
    maps = all(isinstance(e, Mapping) for e in expected)
    common = [key for key in expected[0] if all(key in e for e in expected)] if maps else []
    if len(common) > 1 and not all(isinstance(e[common[0]], int) for e in expected):
        named = {k: _name_of(k, what, exercise) for k in common}
        # What is observed of a case that goes wrong in its own way may have another form.
        plain = [
            p for p in pairs if isinstance(p.given, Mapping) and p.given.keys() == p.expected.keys()
        ]
        return _wrong_parts(plain, exercise, named) if 2 * len(plain) > len(pairs) else None
    if maps:
        return _numbers_by_key(pairs, exercise, what)
    return None


def _name_of(key, what, exercise):
    """What messages call a part; of what the exercise observes the keys are names themselves."""
    if not exercise.observe:
        return f"{what}[{key!r}]"
    return str(key) if str(key)[:1].isupper() else f"In your answer, {key}"


def _parts_of_sequences(pairs, exercise, what):
    size = len(pairs[0].expected)
    if not 1 < size <= 6 or any(_numbers(p.expected) is not None and size > 3 for p in pairs):
        return None
    for index in range(size):
        if all(_same(p.given, p.expected[index], exercise) for p in pairs):
            return f"This is part {index + 1} of the answer alone, of {size} that are asked for."
    if not all(isinstance(p.given, tuple | list) and len(p.given) == size for p in pairs):
        return None
    for order in itertools.permutations(range(size)):
        parts = [(p.given, [p.expected[index] for index in order]) for p in pairs]
        if list(order) != sorted(order) and all(
            _same(g, e, exercise) for given, wanted in parts
            for g, e in zip(given, wanted, strict=True)
        ):  # fmt: skip
            return "The parts of your answer are right, in the wrong order."
    return _wrong_parts(pairs, exercise, {i: f"Part {i + 1} of your answer" for i in range(size)})


def _same(some, other, exercise):
    return _close(_numbers(some), _numbers(other), exercise)


def _wrong_parts(pairs, exercise, names):
    """What is wrong with the one part that is, or with the first of them."""
    wrong = [
        key
        for key in names
        if not all(_alike(p.given[key], p.expected[key], exercise) for p in pairs)
    ]
    if not wrong or (len(wrong) == len(names) and len(names) > 2):
        return None
    key = wrong[0]
    if exercise.observe and isinstance(pairs[0].expected[key], bool | str):
        return None  # a mark that the exercise sets; its name says what is wrong
    inside = [replace(p, expected=p.expected[key], given=p.given[key]) for p in pairs]
    sentence = _explained(inside, exercise, str(names[key]))
    if sentence and len(wrong) == 1 and len(names) > 1:
        return f"{sentence} The rest is right."
    return sentence


def _alike(some, other, exercise):
    numbers = _numbers(some), _numbers(other)
    if any(part is None for part in numbers):
        return exercise.differs(Outcome(seen=some), Outcome(seen=other)) is None
    return _close(*numbers, exercise)


def _numbers_by_key(pairs, exercise, what):
    """Dicts from anything to numbers: other keys, or other numbers over the same keys."""
    if not all(isinstance(pair.given, Mapping) for pair in pairs):
        return None
    inside = []
    for pair in pairs:
        if pair.given.keys() != pair.expected.keys():
            return _other_keys(pairs)
        keys = list(pair.expected)
        values = [[side[key] for key in keys] for side in (pair.expected, pair.given)]
        inside.append(Pair(pair.sizes, *values))
    numbers = _as_numbers(inside)
    if not numbers:
        return None
    whole = _shift(inside, exercise, "Each number of your answer")
    return whole or _not_consecutive(inside) or _reordered(inside, exercise, what)


def _other_keys(pairs):
    """Keys that are letters of the right ones, or several of them in one."""
    found = [(key, pair) for pair in pairs for key in pair.given if key not in pair.expected]
    if not found or not all(isinstance(key, str) for key, _ in found):
        return None
    if all(len(key) == 1 for key, _ in found):
        return (
            "Single letters are keys of your answer: a text that is gone through, or given to a "
            "Counter, falls into its letters."
        )
    for key, pair in found:
        cuts = ((key[:i], key[i:]) for i in range(1, len(key)))
        for one, other in cuts:
            if one in pair.expected and other in pair.expected:
                return f"{key!r} is {one!r} and {other!r} in one: texts run together somewhere."
    return None


def _not_consecutive(pairs):
    """Numbers with gaps or repeats, where the right ones are 0, 1, 2 and on."""
    if not all(sorted(p.expected) == list(range(len(p.expected))) for p in pairs):
        return None
    for pair in pairs:
        given = sorted(pair.given)
        if len(set(given)) < len(given):
            return "Two keys of your answer have the same number."
        if given[0] == 0 and given != list(range(len(given))):
            before, after = next((a, b) for a, b in itertools.pairwise(given) if b != a + 1)
            return f"Your numbers leave gaps: after {before} comes {after}."
    return None


# --- relations without a number in them ------------------------------------------------------


def _relations(right: Tensor) -> Iterator[tuple[str, Callable[[Tensor], Tensor]]]:
    """What might have been done to a right answer, commonest first."""
    yield "has the opposite sign", lambda x: -x
    yield "is the right one turned round: true and false are exchanged", _negated
    yield "is 1 minus the right one", lambda x: 1 - x
    yield "is the square of the right one", torch.square
    yield "is the root of the right one; a last square is missing", lambda x: x.sqrt()
    yield "is 1 divided by the right one", lambda x: 1 / x
    yield "is the exponential of the right one", torch.exp
    yield "is the logarithm of the right one", torch.log
    yield "is the right one without its sign", torch.abs
    yield "is the right one rounded down", torch.floor
    yield "is the right one rounded up", torch.ceil
    yield "is the right one rounded", torch.round
    yield "is the right one after a sigmoid", torch.sigmoid
    for axis in range(right.ndim):
        yield from _along(axis, right.ndim)
    for order in itertools.permutations(range(right.ndim)):
        turned = "transposed" if right.ndim == 2 else f"with its axes in the order {order}"
        yield f"is the right one {turned}", lambda x, order=order: x.permute(order)


def _negated(x):
    if not ((x == 0) | (x == 1)).all():
        raise ValueError
    return 1 - x


def _along(axis, axes):
    """Relations along one axis; of a row of numbers the axis needs no name."""
    on = f" along axis {axis}" if axes > 1 else ""
    yield f"is the right one after a softmax{on}", lambda x: x.softmax(axis)
    yield f"is the right one after a log_softmax{on}", lambda x: x.log_softmax(axis)
    yield f"is the right one in reverse{on}", lambda x: x.flip(axis)
    for step, where in ((1, "later"), (-1, "earlier")):
        yield f"has each entry one place {where}{on}", lambda x, s=step: x.roll(s, axis)
    yield f"lacks the first entry{on}", lambda x: x.narrow(axis, 1, x.shape[axis] - 1)
    yield f"lacks the last entry{on}", lambda x: x.narrow(axis, 0, x.shape[axis] - 1)
    yield f"is the first entry of the right one{on} alone", lambda x: x.select(axis, 0)
    yield f"is the first entry of the right one{on} alone", lambda x: x.narrow(axis, 0, 1)
    yield f"is the sum of the right one{on}", lambda x: x.sum(axis)
    yield f"is the mean of the right one{on}", lambda x: x.mean(axis)
    yield f"is the largest of the right one{on}", lambda x: x.amax(axis)
    yield f"is where the right one is largest{on}", lambda x: x.argmax(axis).double()
    yield f"is the running sum of the right one{on}", lambda x: x.cumsum(axis)
    yield f"is the right one, sorted{on}", lambda x: x.sort(axis).values


def _relation(pairs, exercise, what):
    numbers = _as_numbers(pairs)
    if not numbers:
        return None
    if all(r.shape == g.shape for r, g in numbers) and _never_changes(numbers, exercise):
        return None  # many changes of a right answer come to the same number everywhere
    for name, change in _relations(numbers[0][0]):
        if _whole_story(change, numbers, exercise):
            return f"{what} {name}."
    return _not_yet(pairs, numbers, exercise, what)


def _never_changes(numbers, exercise):
    """Whether one number stands at all places of all answers."""
    first = next((given.flatten()[0].item() for _, given in numbers if given.numel()), 0)
    return all(_close(given, torch.full_like(given, first), exercise) for _, given in numbers)


def _not_yet(pairs, numbers, exercise, what):
    """The right answer is what is still to be done to the given one."""
    if any(isinstance(pair.given, list) for pair in pairs):
        what = "What your list holds"
    turned = [(given, right) for right, given in numbers]
    for axis in range(turned[0][0].ndim):
        for verb, change in (
            ("added up", lambda x, axis=axis: x.sum(axis)),
            ("averaged", lambda x, axis=axis: x.mean(axis)),
            ("cut to its first entry", lambda x, axis=axis: x.select(axis, 0)),
            ("cut to its last entry", lambda x, axis=axis: x.select(axis, -1)),
        ):
            if turned[0][0].shape != turned[0][1].shape and _whole_story(change, turned, exercise):
                return f"{what} is nearly there: it is still to be {verb} along axis {axis}."
    diagonal = [(g, r) for g, r in turned if g.ndim == 2 and g.shape[0] == g.shape[1]]
    if len(diagonal) == len(turned) and _whole_story(torch.diagonal, turned, exercise):
        return f"{what} has every row against every other; the right numbers are its diagonal."
    return None


def _reordered(pairs, exercise, what):
    """The right numbers, or the right rows, at other places."""
    numbers = _as_numbers(pairs)
    if not numbers:
        return None
    flat = [(r.flatten().sort().values, g.flatten().sort().values) for r, g in numbers]
    if not all(_close(g, r, exercise) for r, g in flat) or min(len(r) for r, _ in flat) < 2:
        return None
    if sum(not _close(g, r, exercise) for r, g in numbers) < 2:
        return None
    return f"{what} holds the right numbers, in another order."


# --- factors and terms -----------------------------------------------------------------------


def _factor(pairs, exercise, what):
    """The right answer times a number, or times or divided by a size."""
    ratios = _ratios(pairs, exercise)
    if not ratios:
        return None
    if all(math.isclose(ratio, 1, rel_tol=1e-3) for ratio in ratios):
        return None
    if max(ratios) - min(ratios) <= 1e-4 * abs(ratios[0]):
        return f"{what} is the right one times {_named(ratios[0])}." if len(ratios) > 1 else None
    names = {
        "times {}": lambda n: n, "divided by {}": lambda n: 1 / n,
        "times the root of {}": lambda n: n**0.5, "divided by the root of {}": lambda n: n**-0.5,
        "times the square of {}": lambda n: n**2, "divided by the square of {}": lambda n: n**-2,
        "times n / (n - 1), for n {}": lambda n: n / (n - 1),
        "times (n - 1) / n, for n {}": lambda n: (n - 1) / n,
    }  # fmt: skip
    found = _size_that_fits(pairs, ratios, names)
    return f"{what} is the right one {found}." if found else None


def _ratios(pairs, exercise):
    """given / right, one number a case; empty where it is not one number."""
    ratios = []
    if any(_is_bool(pair.expected) for pair in pairs):
        return []
    for right, given in _as_numbers(pairs) or ():
        if right.shape != given.shape or not given.isfinite().all():
            return []
        there = right.abs() > 1e-6
        if not there.any() or not _close(given[~there], right[~there], exercise):
            return []
        ratio = given[there] / right[there]
        if (ratio - ratio[0]).abs().max() > 1e-3 * ratio[0].abs() + 1e-9 or not ratio[0]:
            return []
        ratios.append(ratio.mean().item())
    return ratios


def _is_bool(value):
    return isinstance(value, bool) or getattr(value, "dtype", None) == torch.bool


def _named(number):
    for whole in (number, 1 / number):
        if abs(whole - round(whole)) < 1e-3 and abs(round(whole)) < 1000:
            return str(round(whole)) if whole == number else f"1 / {round(whole)}"
    return f"{number:.4g}"


def _size_that_fits(pairs, values, names):
    """A sentence's end on the size of the inputs that gives these values in every case."""
    for size in pairs[0].sizes:
        if not all(size in pair.sizes for pair in pairs):
            continue
        for name, make in names.items():
            try:
                made = [make(pair.sizes[size]) for pair in pairs]
            except ZeroDivisionError:
                continue
            if all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(made, values, strict=True)):
                return name.format(size)
    return None


def _shift(pairs, exercise, what):
    """The right answer plus a number, or plus a size."""
    numbers = _as_numbers(pairs)
    if not numbers or any(r.shape != g.shape for r, g in numbers) or _is_bool(pairs[0].expected):
        return None
    shifts = [(given - right).flatten() for right, given in numbers if right.numel()]
    if not shifts or any((s - s[0]).abs().max() > 1e-4 * (1 + s[0].abs()) for s in shifts):
        return None
    values = [shift[0].item() for shift in shifts]
    if max(values) - min(values) < 1e-4 * (1 + abs(values[0])) and abs(values[0]) > 1e-6:
        more = "too large" if values[0] > 0 else "too small"
        return f"{what} is {more} by {abs(values[0]):.4g}, for all inputs."
    names = {"plus {}": lambda n: n, "minus {}": lambda n: -n, "plus {} less 1": lambda n: n - 1}
    if len(shifts) < len(pairs):
        return None
    found = _size_that_fits(pairs, values, names)
    return f"{what} is the right one {found}." if found else None


def _by_rows(pairs, exercise, what):
    """Each row right up to one factor, or up to one number added: what normalising takes away."""
    numbers = _as_numbers(pairs)
    if not numbers or any(r.shape != g.shape or r.ndim < 1 for r, g in numbers):
        return None
    if not all(isinstance(pair.expected, Tensor) for pair in pairs):
        return None
    wide = [(r, g) for r, g in numbers if r.shape[-1] > 2]
    if len(wide) < 2 or not all(g.isfinite().all() and r.isfinite().all() for r, g in numbers):
        return None
    several = numbers[0][0].ndim > 1
    if all(_even(g - r) for r, g in numbers):
        each = "in each row off by one number" if several else "off by one number"
        return f"{what} is {each} that is added to all of it: something is not normalised."
    if all((r.abs() > 1e-9).all() and (g != 0).all() and _even(g / r) for r, g in numbers):
        each, it = ("one factor for each row", "each row") if several else ("one factor", "it")
        return f"{what} is right up to {each}: look at what {it} is divided by."
    return None


def _vector_apart(pairs, exercise, what):
    """The same vector too much or too little in every row."""
    numbers = _as_numbers(pairs)
    if not numbers or any(r.shape != g.shape or r.ndim < 2 for r, g in numbers):
        return None
    apart = [(g - r).flatten(0, -2) for r, g in numbers]
    telling_ones = [rows for rows in apart if len(rows) > 1 and not _even(rows)]
    if len(telling_ones) < 2 or not all(a.isfinite().all() and _even(a.mT) for a in apart):
        return None
    return f"{what} is off by one and the same vector in every row: is a bias left out, or a term?"


def _count(pairs, exercise, what):
    """One number, where there are as many as some size of the inputs."""
    numbers = _as_numbers(pairs)
    if not numbers or any(g.ndim or r.ndim != 1 for r, g in numbers):
        return None
    lengths = [len(r) for r, _ in numbers]
    due = _size_that_fits(pairs, lengths, {"{}": lambda n: n})
    if not due or max(lengths) == min(lengths):
        return None
    return f"{what} is one number, and several are due: as many as {due}."


def _even(values):
    return bool(((values - values[..., :1]).abs() < 1e-4 * (1 + values[..., :1].abs())).all())


# --- wrong at some places --------------------------------------------------------------------


def _somewhere(pairs, exercise, what):
    """What the places have in common at which the answer is wrong."""
    numbers = _as_numbers(pairs)
    if not numbers or any(r.shape != g.shape or r.ndim < 1 for r, g in numbers):
        return None
    wrong = [~torch.isclose(g, r, rtol=1e-3, atol=1e-5, equal_nan=True) for r, g in numbers]
    if not all((~w).any() for w in wrong if w.numel() > 1):
        return None
    there = [g[w] for (_, g), w in zip(numbers, wrong, strict=True) if w.any()]
    where = _region(wrong)
    if where and all(values.isnan().all() for values in there):
        return f"{what} is NaN {where}, and right elsewhere."
    if where and all((values == 0).all() for values in there):
        return f"{what} is right but for zeros {where}: nothing was written there."
    return f"{what} is wrong {where}, and right elsewhere." if where else None


def _region(wrong: Sequence[Tensor]) -> str | None:
    """The row, column or diagonal in which all wrong places lie, in every case."""
    axes = wrong[0].ndim
    if any(w.ndim != axes for w in wrong):
        return None
    for axis in range(axes):
        for index, name in ((0, "first"), (-1, "last")):
            outside = [_without(w, axis, index) for w in wrong]
            if not any(w.any() for w in outside) and max(w.shape[axis] for w in wrong) > 2:
                return f"in the {name} entry along axis {axis}"
    if axes == 2 and all(not (w & ~torch.eye(*w.shape).bool()).any() for w in wrong):
        return "on the diagonal"
    return None


def _without(values, axis, index):
    kept = [i for i in range(values.shape[axis]) if i != index % values.shape[axis]]
    return values.index_select(axis, torch.tensor(kept, dtype=torch.long))


def _against_inputs(pairs, exercise, what):
    """Wrong only where an input should stay as it is, or only where it should not."""
    numbers = _as_numbers(pairs)
    if not numbers or any(r.shape != g.shape or r.ndim < 1 for r, g in numbers):
        return None
    wrong = [~torch.isclose(g, r, rtol=1e-3, atol=1e-5, equal_nan=True) for r, g in numbers]
    for name in pairs[0].inputs:
        kept = [_kept(pair, name, right) for pair, (right, _) in zip(pairs, numbers, strict=True)]
        if any(k is None for k in kept) or not any(k.any() and not k.all() for k in kept):
            continue
        if not any((w & k).any() for w, k in zip(wrong, kept, strict=True)):
            return f"{what} is right where {name} stays as it is, and wrong where it changes."
        if not any((w & ~k).any() for w, k in zip(wrong, kept, strict=True)):
            return (
                f"{what} is right where {name} has to change, and changes it elsewhere too, "
                "where it should stay as it is."
            )
    return None


def _kept(pair, name, right):
    """Where the right answer is the input itself; None where the two have different shapes."""
    value = pair.inputs.get(name)
    if value is None or value.shape != right.shape:
        return None
    return value.detach() == right


def _unchanged(pairs, exercise, what):
    """An input, as it came."""
    numbers = _as_numbers(pairs)
    for name in pairs[0].inputs if numbers else ():
        same = [(n, _numbers(p.inputs.get(name))) for n, p in zip(numbers, pairs, strict=True)]
        if all(_close(given, value, exercise) for (_, given), value in same) and (
            sum(not _close(right, given, exercise) for right, given in numbers) > 1
        ):
            return f"{what} is {name} as it came."
    return None


_FINDERS = (
    _kinds, _parts, _unchanged, _relation, _factor, _shift, _by_rows, _vector_apart, _somewhere,
    _against_inputs, _reordered, _count,
)  # fmt: skip
