"""How large the inputs of a case are, by names that a learner understands."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor


def sizes_of(arguments: Mapping[str, Any]) -> dict[str, int]:
    """Sizes of a case's arguments: whole numbers, lengths of lists, lengths of axes."""
    found: dict[str, int] = {}
    for name, value in arguments.items():
        found.update(_sizes(f"`{name}`", value))
    return {name: size for name, size in found.items() if size > 0}


def _sizes(name: str, value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield name, value
    elif isinstance(value, Tensor):
        for axis, size in enumerate(value.shape):
            yield f"the length of {f'axis {axis} of ' if value.ndim > 1 else ''}{name}", size
        if value.ndim > 1:
            yield f"the count of all numbers in {name}", value.numel()
    elif isinstance(value, list | tuple):
        yield f"the number of items in {name}", len(value)
        if value and isinstance(value[0], Tensor):
            yield from _sizes(f"each of {name}", value[0])
    elif isinstance(value, dict):
        yield f"the number of items in {name}", len(value)
        for key, inner in value.items():
            yield from _sizes(f"{name[:-1]}[{key!r}]`", inner)
