"""Faults that the course lays over every right answer, whatever the exercise.

They are what goes wrong without a wrong thought: a lost gradient, a lost axis of size 1, an input
changed on the way. Each exercise has to refuse each of them, or to say in ``unaffected`` why it
does not matter there; a test holds this. Nothing here knows a lesson.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def laid(right: Callable, change: Callable[[Callable, tuple], Any]) -> Callable:
    """``right`` with ``change(call, arguments)`` in place of each call.

    right: a function, or a module class, whose ``forward`` is then meant.
    """
    if isinstance(right, type):

        class Faulty(right):
            def forward(self, *arguments):
                return change(super().forward, arguments)

        return Faulty

    @functools.wraps(right)
    def faulty(*arguments):
        return change(right, arguments)

    return faulty


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value: itself, or those in its lists, tuples, dicts and dataclasses."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from (found for item in value.values() for found in tensors(item))
    elif isinstance(value, list | tuple):
        yield from (found for item in value for found in tensors(item))
    elif _is_data(value):
        fields = dataclasses.fields(value)
        yield from (found for field in fields for found in tensors(getattr(value, field.name)))


def mapped(fn: Callable[[Tensor], Any], value: Any) -> Any:
    """The value with ``fn(tensor)`` in place of each tensor that ``tensors`` finds in it."""
    if isinstance(value, Tensor):
        return fn(value)
    if isinstance(value, Mapping):
        return {key: mapped(fn, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [mapped(fn, item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if _is_data(value):
        fields = dataclasses.fields(value)
        return dataclasses.replace(
            value, **{field.name: mapped(fn, getattr(value, field.name)) for field in fields}
        )
    return value


def _is_data(value):
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


# --- the faults ------------------------------------------------------------------------------


def _of_the_result(fn: Callable[[Tensor], Any]) -> Callable[[Callable], Callable]:
    """The fault that puts ``fn(tensor)`` in place of each tensor of the result."""
    return lambda right: laid(right, lambda call, arguments: mapped(fn, call(*arguments)))


def _other_dtype(tensor):
    return tensor.double() if tensor.dtype == torch.float32 else tensor.float()


def _input_changed(right):
    def change(call, arguments):
        result = call(*arguments)
        next(filter(None, map(_changer, arguments)), lambda: None)()
        return result

    return laid(right, change)


def _changer(argument):
    """A function that changes this argument a little, or None where it cannot be changed."""
    if isinstance(argument, nn.Module):
        argument = next(argument.parameters(), None)
    if isinstance(argument, Tensor) and argument.numel():
        return functools.partial(_change_tensor, argument)
    if isinstance(argument, list | dict) and argument:
        return argument.pop if isinstance(argument, list) else argument.popitem
    return None


@torch.no_grad()
def _change_tensor(tensor):
    tensor.copy_(~tensor if tensor.dtype == torch.bool else tensor + 1)


def _first_row_only(right):
    def change(call, arguments):
        if _rows(result := call(*arguments)):
            return _rows_like_the_first(result)
        return call(*_with_first_rows(arguments))

    return laid(right, change)


def _rows(result):
    """Whether a result has rows, of which the first can stand for all."""
    if _is_plain_list(result):
        return len(result) > 1
    return any(tensor.ndim and len(tensor) > 1 for tensor in tensors(result))


def _is_plain_list(result):
    """A list of numbers or texts, as against one of tensors."""
    return isinstance(result, list | tuple) and not _has_tensors(result)


def _has_tensors(value):
    return next(tensors(value), None) is not None


def _rows_like_the_first(result):
    if _is_plain_list(result):
        return type(result)(list(result[:1]) * len(result))
    return mapped(lambda x: x[:1].expand_as(x).clone() if x.ndim and len(x) else x, result)


def _with_first_rows(arguments):
    rows = _row_count(arguments)
    return mapped(lambda x: x[:1] if x.ndim and len(x) == rows else x, arguments)


def _row_count(arguments):
    """How many rows the arguments of a call have: the length of the first tensor."""
    return next((len(tensor) for tensor in tensors(arguments) if tensor.ndim), 0)


def _cached(right):
    answers = []

    def change(call, arguments):
        if not answers:
            answers.append(call(*arguments))
        return mapped(torch.clone, answers[0])

    return laid(right, change)


FAULTS: dict[str, Callable[[Callable], Callable]] = {
    "detached result": _of_the_result(torch.detach),
    "squeezed result": _of_the_result(torch.squeeze),
    "changed input": _input_changed,
    "another dtype": _of_the_result(_other_dtype),
    "first row only": _first_row_only,
    "cached first answer": _cached,
}

# What a learner reads whose answers are those of the reference with this fault. The other faults
# are told by what shows them: the gradient, the changed input, the dtype.
SENTENCES = {
    "squeezed result": (
        "An axis of size 1 is lost: `squeeze()` takes away every axis of size 1, also where there "
        "is only one row. Name the axis that you mean, as in `squeeze(dim=1)`."
    ),
    "first row only": "Only the first row is right: what holds for it is given for every row.",
    "cached first answer": (
        "You give the first answer again for each input; something is kept from one call to the "
        "next."
    ),
}


def can_be_laid(name: str, arguments: tuple, result: Any) -> bool:
    """Whether a fault can show in a call of this kind at all.

    A text has no gradient; a single number has no axis, and its dtype matters little. That no case
    happens to have an axis of size 1 is another matter: there the exercise has to be mended.
    """
    if name == "detached result":
        return any(tensor.requires_grad for tensor in tensors(result))
    if name in ("squeezed result", "another dtype"):
        return any(tensor.ndim for tensor in tensors(result))
    if name == "changed input":
        return any(map(_changer, arguments))
    if name == "first row only":
        return _rows(result) or (
            not isinstance(result, str | Mapping) and _row_count(arguments) > 1
        )
    return bool(arguments)
