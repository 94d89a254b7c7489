"""How large the inputs of a case are, by names that a learner understands, and how code asks it."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor


def sizes_of(arguments: Mapping[str, Any]) -> dict[str, int]:
    """Sizes of a case's arguments: whole numbers, lengths of lists, lengths of axes."""
    found = {said: size for _, said, size in _all_sizes(arguments)}
    return {name: size for name, size in found.items() if size > 0}


def asked_sizes(arguments: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The same names, each with the ways of asking for it: "x.shape[0]", "len(x)"."""
    return {said: texts for texts, said, _ in _all_sizes(arguments)}


def _all_sizes(arguments):
    for name, value in arguments.items():
        yield from _sizes(name, f"`{name}`", value)


def _sizes(code: str, name: str, value: Any) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Of a value its sizes: as code, in words, and as numbers."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield (code,), name, value
    elif isinstance(value, Tensor):
        for axis, size in enumerate(value.shape):
            whose = f"axis {axis} of {name}" if value.ndim > 1 else name
            yield _asked(code, axis, value.ndim), f"the length of {whose}", size
        if value.ndim > 1:
            yield (f"{code}.numel()",), f"the count of all numbers in {name}", value.numel()
    elif isinstance(value, list | tuple):
        yield (f"len({code})",), f"the number of items in {name}", len(value)
        if value and isinstance(value[0], Tensor):
            yield from _sizes(f"{code}[0]", f"each of {name}", value[0])
    elif isinstance(value, dict):
        yield (f"len({code})",), f"the number of items in {name}", len(value)
        for key, inner in value.items():
            yield from _sizes(f"{code}[{key!r}]", f"{name[:-1]}[{key!r}]`", inner)


def _asked(code, axis, axes):
    places = (axis, axis - axes)
    texts = [text for i in places for text in (f"{code}.shape[{i}]", f"{code}.size({i})")]
    return (*texts, *([f"len({code})"] if axis == 0 else []))
