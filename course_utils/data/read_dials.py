"""What the generated worlds share: their dials, given by name."""

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

D = TypeVar("D")


def read_dials(kind: type[D], dials: Mapping[str, Any], world: str) -> D:
    """The dials of a world by name; those left out stay at their default.

    kind: a dataclass with a field for each dial, which checks their values itself.
    world: its name in the sentence for a dial that does not exist.

    Raises ValueError for such a dial.
    """
    known = kind.__dataclass_fields__
    for name in dials:
        if name not in known:
            raise ValueError(f"{world} has no dial {name!r}; it has {', '.join(known)}")
    return kind(**dials)


def is_number(value: Any) -> bool:
    """Whether it is a number to reckon with: no truth value, no NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


def is_whole(value: Any) -> bool:
    """Whether it is a whole number of a kind that counts: no truth value, no 16.0."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def list_dials(kind: type) -> str:
    """The dials of a world, for a reader: a line for each with its default and what it does.

    kind: a dataclass with a field for each dial. What a dial does is the first sentence that the
        docstring gives for it, after its name (or several names) and a colon.
    """
    entries = re.findall(
        r"^(\w+(?:, \w+)*): (.*?)(?:\.\s|\.?\Z)", inspect.getdoc(kind), re.MULTILINE | re.DOTALL
    )
    told = {name: what for names, what in entries for name in names.split(", ")}
    lines = (
        f"{dial.name}={dial.default}: {' '.join(told[dial.name].split())}"
        for dial in dataclasses.fields(kind)
    )
    return "\n".join(textwrap.fill(line, 88, subsequent_indent="    ") for line in lines)
