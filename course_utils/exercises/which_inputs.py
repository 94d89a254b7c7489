"""What a wrong attempt makes of its inputs: one that does not count, one that is changed first.

Finds the inputs for which it is right, an input that makes no difference to it, and the right
answer to other inputs that is the attempt's answer to these.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.evidence import Clock, Evidence, telling, unheard

_SECONDS = 0.4


def right_for_two(evidence: Evidence) -> str | None:
    """Whether the attempt is right for two modalities alone, in a sentence, or None."""
    with unheard():
        return _right_for_two(evidence, Clock(_SECONDS))


def inputs_tell(evidence: Evidence) -> str | None:
    """A sentence on an input that the attempt leaves out or takes for another, or None."""
    clock = Clock(_SECONDS)
    with unheard():
        for find in (_all_ignored, _ignored, _another_input, _two_exchanged, _right_where):
            sentence = find(evidence, clock)
            if sentence:
                return sentence
    return None


def _trials(evidence) -> Iterator[tuple[Evidence, int, tuple]]:
    """Every case, those of fresh seeds too, with the evidence that it belongs to."""
    for part in (evidence, *evidence.fresh):
        for index, case in enumerate(part.cases):
            yield part, index, case


def _names(evidence):
    """Arguments that are there in every case."""
    all_cases = [evidence.arguments(case) for case in evidence.cases]
    return [name for name in all_cases[0] if all(name in case for case in all_cases)]


# --- right for some inputs only --------------------------------------------------------------


def _right_for_two(evidence, clock):
    """Whether it is right once a list is cut to two items, with all that is as long as it."""
    for name in _names(evidence):
        lists = [evidence.arguments(case)[name] for case in evidence.cases]
        tensors = all(isinstance(value, list) for value in lists)
        tensors = tensors and all(isinstance(item, Tensor) for value in lists for item in value)
        if tensors and max(map(len, lists)) > 2 and _cut_is_right(evidence, name, clock):
            return f"Your answer is right where `{name}` holds two, and for no other number."
    return None


def _cut_is_right(evidence, name, clock):
    for part, index, case in _trials(evidence):
        arguments = part.arguments(case)
        longer = len(arguments[name])
        if longer < 2:
            continue
        for other, value in arguments.items():
            if isinstance(value, list | Tensor) and len(value) == longer:
                case = part.with_argument(case, other, value[:2])
        expected = part.run(part.exercise.reference, case, index)
        given = part.run(part.attempt, case, index)
        if clock.left < 0 or expected.error or part.problem(case, expected, given):
            return False
    return True


def _right_where(evidence, clock):
    """The one number that tells cases in which it is right from all others."""
    rows = []
    for part, index, case in _trials(evidence):
        ok = index < len(part.given) and part.right(index, part.given[index])
        rows.append((_marks(part, case), ok))
    if min(sum(ok for _, ok in rows), sum(not ok for _, ok in rows)) < 3:
        return None
    marks = set.intersection(*(set(marks) for marks, _ in rows))
    found = sorted(mark for mark in marks if all(row[mark] == ok for row, ok in rows))
    if len(found) != 1:
        return None
    return f"Your answer is right where {found[0]}, and wrong elsewhere."


def _marks(evidence, case):
    """Facts of a case that may decide: a number is 0, or what it is unless it is given."""
    marks = {}
    for name, value in evidence.arguments(case).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            for special in {0, evidence.default_of(name)} - {None}:
                marks[f"`{name}` is {special}"] = value == special
    return marks


# --- an input that makes no difference -------------------------------------------------------


def _all_ignored(evidence, clock):
    """The same answer, or nothing but zeros, for all inputs, other and extreme ones too."""
    first = next((outcome for outcome in evidence.given if not outcome.error), None)
    right = [outcome.seen for part in (evidence, *evidence.fresh) for outcome in part.expected]
    if first is None or isinstance(right[0], bool) or len(right) < 4:
        return None
    if all(evidence.agree(right[0], other) for other in right):
        return None
    said = first.seen if isinstance(first.seen, int | float) else "the same"
    for alike, sentence in (
        (lambda seen: evidence.agree(seen, first.seen), f"Your answer is {said}"),
        (_is_zero, "Your answer is 0 everywhere"),
    ):
        if all(alike(outcome.seen) for outcome in _answers(evidence, clock)) and clock.left > 0:
            return f"{sentence}, whatever the inputs."
    return None


def _answers(evidence, clock):
    """What the attempt gives: for all cases, and where one argument is another, or far larger."""
    for part in (evidence, *evidence.fresh):
        yield from part.given
    for index, case in enumerate(evidence.cases):
        for name, value in evidence.arguments(case).items():
            large = isinstance(value, Tensor) and value.is_floating_point()
            for other in (*_others(value), *([100 * value, value - 100] if large else [])):
                if clock.left > 0:
                    changed = evidence.with_argument(case, name, other)
                    outcome = evidence.run(evidence.attempt, changed, index)
                    yield from () if outcome.error else (outcome,)


def _is_zero(answer):
    if isinstance(answer, Tensor):
        return bool(answer.numel() and (answer == 0).all())
    return type(answer) in (int, float) and answer == 0


def _ignored(evidence, clock):
    names = dict.fromkeys(name for case in evidence.cases for name in evidence.arguments(case))
    for name in names:
        values = [evidence.arguments(case).get(name) for case in evidence.cases]
        keys = {key for value in values if isinstance(value, dict) for key in value}
        for key in (*sorted(keys, key=str), None):
            if _makes_no_difference(evidence, name, key, clock):
                said = name if key is None else f"{name}[{key!r}]"
                return f"Your answer does not depend on `{said}`."
    return None


def _makes_no_difference(evidence, name, key, clock):
    """Whether other values in its place change right answers, and never the attempt's."""
    matters, tried = [], 0  # the kinds of other values that change the right answer
    for part, index, case in _trials(evidence):
        value = part.arguments(case).get(name)
        inner = value.get(key) if isinstance(value, dict) and key is not None else value
        if inner is None:
            continue
        if index >= len(part.given) or part.given[index].error:
            return False
        for kind, other in enumerate(_others(inner)):
            tried = max(tried, kind + 1)
            other = other if key is None else {**value, key: other}
            changed = part.with_argument(case, name, other)
            expected = part.run(part.exercise.reference, changed, index)
            given = part.run(part.attempt, changed, index)
            if clock.left < 0:
                return False
            if expected.error:  # no input that may come
                continue
            if not _same(part, given, part.given[index]):
                return False
            if not part.agree(expected.seen, part.expected[index].seen):
                matters.append(kind)
    # One kind alone proves little: a sum does not mind the order.
    return len(matters) >= 4 and len(set(matters)) >= min(2, tried)


def _same(evidence, some, other):
    """Whether two outcomes are the same, in what was returned and in what is looked at."""
    if some.error or other.error:
        return False
    return evidence.agree(some.seen, other.seen) and evidence.agree(some.result, other.result)


def _others(value: Any) -> Iterator[Any]:
    """Values of the same kind that may stand for one."""
    if isinstance(value, Tensor) and value.numel() > 1:
        yield value.flatten().flip(0).view_as(value)
        if value.dtype == torch.bool:
            yield ~value
        elif value.is_floating_point():
            yield (value + value.flatten().roll(1).view_as(value)) / 2
            yield value / 2
        else:
            yield torch.full_like(value, int(value.min()))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from (value + 1, value * 2, value / 2 if isinstance(value, float) else value // 2)
    elif isinstance(value, list) and len(value) > 1:
        yield from (value[::-1], value[:-1], value[:1])
        yield from ([other, *value[1:]] for other in _others(value[0]))
        yield from ([*value[:-1], other] for other in _others(value[-1]))
    elif isinstance(value, dict):
        yield {key: next(_others(inner), inner) for key, inner in value.items()}


# --- the right answer to another input -------------------------------------------------------


def _another_input(evidence, clock):
    """The attempt's answers are the right ones to inputs in which one is changed."""
    for name in _names(evidence):
        value = evidence.arguments(evidence.cases[0])[name]
        for what, change in _changes(evidence, name, value):
            if _right_for(evidence, lambda case, c=change, n=name: {n: c(case[n])}, clock):
                return f"Your answer is the right one for another `{name}`: {what}."
    return None


def _two_exchanged(evidence, clock):
    """The right answer with two inputs in each other's place."""
    names = _names(evidence)
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            if _right_for(evidence, lambda case, a=one, b=two: {a: case[b], b: case[a]}, clock):
                return f"Your answer is right if `{one}` and `{two}` are in each other's place."
    return None


def _right_for(evidence, changed: Callable[[dict], dict], clock):
    """Whether the reference gives the attempt's answers where some arguments are others."""
    tells = []
    for part, index, case in _trials(evidence):
        if clock.left < 0 or index >= len(part.given) or part.given[index].error:
            return False
        try:
            others = changed(part.arguments(case))
        except (RuntimeError, TypeError, IndexError, ValueError, AttributeError):
            return False
        if any(_is_broken(value) for value in others.values()):
            return False
        for name, value in others.items():
            case = part.with_argument(case, name, value)
        outcome = part.run(part.exercise.reference, case, index)
        expected, given = part.expected[index].seen, part.given[index].seen
        if outcome.error or not part.agree(outcome.seen, given):
            return False
        if not part.agree(outcome.seen, expected):
            tells.append((expected, given))
    return telling(tells)


def _is_broken(value):
    """Whether a change made NaN of numbers: the root or the logarithm of what has none."""
    return isinstance(value, Tensor) and bool(value.isnan().any())


def _changes(evidence, name, value) -> Iterator[tuple[str, Callable]]:
    if isinstance(value, Tensor):
        yield from _changes_of_tensors(value, _is_real(evidence.expected[0].seen))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        for constant in dict.fromkeys((evidence.default_of(name), 0, 1, 2)):
            if constant is not None:
                yield f"as if it were always {constant!r}", lambda x, c=constant: type(x)(c)
        yield "as if it were one more", lambda x: x + 1
        yield "as if it were one less", lambda x: x - 1
        yield "as if it were twice as large", lambda x: 2 * x
    elif isinstance(value, list):
        yield "only its first item", lambda x: x[:1]
        yield "only its last item", lambda x: x[-1:]
        yield "without its last item", lambda x: x[:-1]
        yield "without its first item", lambda x: x[1:]
        yield "in reverse order", lambda x: x[::-1]


def _is_real(answer):
    return isinstance(answer, float) or getattr(answer, "is_floating_point", lambda: True)()


def _changes_of_tensors(value, real):
    """real: whether answers are real numbers; of whole ones too many changes leave them alone."""
    if value.dtype == torch.bool:
        yield "true and false exchanged", lambda x: ~x
        yield "true everywhere", torch.ones_like
        return
    if value.is_floating_point() and real:
        yield "with the opposite sign", lambda x: -x
        yield "squared", lambda x: x.square()
        yield "its root", lambda x: x.sqrt()
        yield "its logarithm", lambda x: x.log()
        yield "its exponential, as if a logarithm of it were not taken", lambda x: x.exp()
        yield "after a sigmoid", lambda x: x.sigmoid()
        yield "after a softmax over the last axis", lambda x: x.softmax(-1)
        yield "without its sign", lambda x: x.abs()
        yield "1 minus it", lambda x: 1 - x
    elif not value.is_floating_point():
        yield "each number one more", lambda x: x + 1
        yield "each number one less", lambda x: x - 1
    yield "zeros everywhere", torch.zeros_like
    yield "ones everywhere", torch.ones_like
    for axis in range(value.ndim):
        along = f" along axis {axis}" if value.ndim > 1 else ""
        yield f"in reverse{along}", lambda x, axis=axis: x.flip(axis)
    if value.ndim == 2:
        yield "transposed", lambda x: x.T
