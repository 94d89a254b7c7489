"""What the generated worlds share: their dials, given by name."""

from collections.abc import Mapping
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
