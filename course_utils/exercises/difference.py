"""Do two answers agree, and if not, where: said in a sentence that a learner can read."""

import dataclasses
import inspect
import numbers
import re
import reprlib
import types
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import torch

_ADDRESS = re.compile(r" (?:object )?at 0x[0-9a-fA-F]+")
_SHOWN = 12  # longer tensors are shown by their shape and their first values


class CannotCompare(TypeError):
    """Two objects of a kind that has no notion of "equal": an author's mistake, not a learner's."""


def difference(
    got: Any, expected: Any, rtol: float, atol: float, where: str = "Your answer"
) -> str | None:
    """A sentence that says how ``got`` differs from ``expected``; None where it does not.

    Looks at type, shape, dtype and values. NaN agrees with NaN, and a number within
    ``atol + rtol * |expected|`` of the expected one agrees with it. A list agrees with a tuple of
    the same items, and where a number is expected, so does a tensor of no dimension that carries
    no gradient; a number never stands for a tensor. ``where`` names the place.

    Raises CannotCompare for an ``expected`` that has no notion of "equal".
    """
    kind = _kind(expected)
    if not kind.accepts(got, expected):
        why = " (are brackets missing?)" if isinstance(got, tuple(_CALLED)) else ""
        return f"{where} is {described(got)}{why}; expected is {described(expected)}"
    try:
        return kind.differ(got, expected, rtol, atol, where)
    except CannotCompare:
        raise
    except Exception as error:  # an answer may be of a class that fails when it is looked at
        return f"{where} could not be compared with the expected one ({type(error).__name__})"


# --- one pair of functions for each kind of answer -------------------------------------------


def _differ_tensors(got, expected, rtol, atol, where):
    got, expected = got.detach(), expected.detach()
    for aspect in ("shape", "dtype", "device", "layout"):
        mine, theirs = getattr(got, aspect), getattr(expected, aspect)
        if mine != theirs:
            return f"{where} has {aspect} {_plain(mine)}; expected is {_plain(theirs)}"
    if got.layout != torch.strided:
        got, expected = got.to_dense(), expected.to_dense()
    close = torch.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    return _differ_places(got, expected, close.cpu().numpy(), where)


def _differ_arrays(got, expected, rtol, atol, where):
    if got.shape != expected.shape:
        return f"{where} has shape {got.shape}; expected is {expected.shape}"
    same = got.dtype.kind == expected.dtype.kind
    # The width of an integer or of a text depends on the machine or on the longest entry.
    if not same or (expected.dtype.kind in "fc" and got.dtype != expected.dtype):
        return f"{where} has dtype {got.dtype}; expected is {expected.dtype}"
    if expected.dtype.kind in "fc":
        close = np.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    elif expected.dtype.kind == "O":
        return difference(got.tolist(), expected.tolist(), rtol, atol, where)
    else:
        close = got == expected
    return _differ_places(got, expected, close, where)


def _differ_places(got, expected, close, where):
    """The first place where two arrays of one shape differ, and at how many of how many."""
    if close.all():
        return None
    place = tuple(int(i) for i in np.argwhere(~close)[0])
    at = f"{where}[{', '.join(map(str, place))}]" if place else where
    share = f" ({int((~close).sum())} of {close.size} values differ)" if close.size > 1 else ""
    return f"{at} is {_number(got[place])}; expected is {_number(expected[place])}{share}"


def _differ_numbers(got, expected, rtol, atol, where):
    if isinstance(got, torch.Tensor):
        got = got.item()
    if isinstance(expected, numbers.Integral):
        same = got == expected
    else:
        same = np.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    return None if same else f"{where} is {_number(got)}; expected is {_number(expected)}"


def _differ_sequences(got, expected, rtol, atol, where):
    if len(got) != len(expected):
        return f"{where} has {len(got)} items; expected are {len(expected)}"
    for index, (mine, theirs) in enumerate(zip(got, expected, strict=True)):
        sentence = difference(mine, theirs, rtol, atol, f"{where}[{index}]")
        if sentence:
            return sentence
    return None


def _differ_mappings(got, expected, rtol, atol, where):
    missing, extra = expected.keys() - got.keys(), got.keys() - expected.keys()
    if extra and not where:  # what the exercise observed has a name of its own
        key = next(key for key in got if key in extra)
        return f"{key}: {got[key] if isinstance(got[key], str) else shorten(got[key])}"
    if missing:
        return f"{where} lacks {reprlib.repr(sorted(missing, key=str))}"
    if extra:
        return f"{where} has {reprlib.repr(sorted(extra, key=str))}, which should not be there"
    for key in expected:
        # Without a name for the whole, the keys are the names of the places.
        inside = f"{where}[{key!r}]" if where else str(key)
        sentence = difference(got[key], expected[key], rtol, atol, inside)
        if sentence:
            return sentence
    return None


def _differ_pandas(got, expected, rtol, atol, where):
    from pandas import testing

    name = type(expected).__name__
    compare = getattr(testing, f"assert_{name.removeprefix('Data').lower()}_equal")
    try:
        compare(got, expected, check_exact=False, rtol=rtol, atol=atol)
    except AssertionError as error:
        return f"{where} differs from the expected {name}: {' '.join(str(error).split())}"
    return None


def _differ_states(got, expected, rtol, atol, where):
    return difference(got.state_dict(), expected.state_dict(), rtol, atol, where)


def _differ_fields(got, expected, rtol, atol, where):
    for field in dataclasses.fields(expected):
        mine, theirs = getattr(got, field.name), getattr(expected, field.name)
        sentence = difference(mine, theirs, rtol, atol, f"{where}.{field.name}")
        if sentence:
            return sentence
    return None


def _differ_plainly(got, expected, rtol, atol, where):
    if bool(got == expected):
        return None
    return f"{where} is {shorten(got)}; expected is {shorten(expected)}"


# --- which pair goes with which answer -------------------------------------------------------


def _same_class(got, expected):
    return isinstance(got, type(expected))


def _number_like(got, expected):
    """Whether ``got`` can stand for a Python number of the same kind: bool, whole or real.

    A tensor of no dimension may, because it works wherever the number does; the reverse is not
    true, so a tensor is never replaced by a number. A whole number may stand for a real one.
    """
    if isinstance(got, torch.Tensor) and got.ndim == 0 and not got.requires_grad:
        got = got.item()
    if isinstance(expected, bool | np.bool_):
        return isinstance(got, bool | np.bool_)
    wanted = numbers.Integral if isinstance(expected, numbers.Integral) else numbers.Number
    return isinstance(got, wanted) and not isinstance(got, bool | np.bool_)


def _both(*classes):
    return lambda got, expected: isinstance(got, classes)


@dataclasses.dataclass(frozen=True)
class _Kind:
    fits: Any  # expected -> bool: is this the kind of the expected answer?
    differ: Any  # how two of this kind differ
    accepts: Any = _same_class  # (got, expected) -> bool: can they be compared at all?


_KINDS = (
    _Kind(lambda x: isinstance(x, torch.Tensor), _differ_tensors, _both(torch.Tensor)),
    _Kind(lambda x: isinstance(x, np.ndarray), _differ_arrays),
    _Kind(lambda x: isinstance(x, numbers.Number | np.bool_), _differ_numbers, _number_like),
    _Kind(lambda x: isinstance(x, str | bytes | type(None) | Set | range), _differ_plainly),
    _Kind(lambda x: hasattr(x, "_fields"), _differ_sequences),  # its items are asked for by name
    _Kind(lambda x: isinstance(x, list | tuple), _differ_sequences, _both(list, tuple)),
    _Kind(lambda x: isinstance(x, Mapping), _differ_mappings, _both(Mapping)),
    _Kind(lambda x: hasattr(x, "state_dict"), _differ_states),
    _Kind(lambda x: type(x).__name__ in ("DataFrame", "Series", "Index"), _differ_pandas),
    _Kind(dataclasses.is_dataclass, _differ_fields),
    _Kind(lambda x: type(x).__eq__ is not object.__eq__, _differ_plainly),
)


def _kind(expected: Any) -> _Kind:
    for kind in _KINDS:
        if kind.fits(expected):
            return kind
    raise CannotCompare(
        f"answers of class {type(expected).__name__} cannot be compared; "
        "give the exercise an `observe` that returns tensors or numbers"
    )


# --- values in few words ---------------------------------------------------------------------


def short(text: str, longest: int) -> str:
    """The text without addresses in memory, cut off where it is too long."""
    text = _ADDRESS.sub("", str(text))
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def shorten(value: Any, depth: int = 0) -> str:
    """The value in at most a line: small tensors whole, large ones by shape and first values."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return _short_array(value)
    if isinstance(value, str):
        return repr(short(value, 120))
    if isinstance(value, float | np.floating):
        return _number(value)
    few = isinstance(value, Mapping | list | tuple) and len(value) <= 6
    if few and depth < 3:  # it may hold itself
        return _short_items(value, depth + 1)
    return _own_text(value)


def _short_items(value, depth):
    if isinstance(value, Mapping):
        inside = (f"{shorten(key, depth)}: {shorten(value[key], depth)}" for key in value)
        return "{" + ", ".join(inside) + "}"
    left, right = "[]" if isinstance(value, list) else "()"
    return left + ", ".join(shorten(item, depth) for item in value) + right


class _Brief(reprlib.Repr):
    """Python's own brief texts, without addresses and pages of layers."""

    def repr_instance(self, value: Any, level: int) -> str:
        """What an object says of itself, if that is a line; else its class."""
        plain = f"an object of class {type(value).__name__[:60]}"
        try:
            text = repr(value)
        except Exception:  # a learner's class may fail to print itself
            return plain
        # A module or an optimizer prints itself over several lines, and cut off it says less than
        # its name; of a plain object Python says only where in memory it lies.
        if "\n" in text:
            return f"{type(value).__name__[:60]}(...)"
        if _ADDRESS.search(text):
            named = described(value)
            return named if named.startswith("the ") else plain
        return short(text, 60)


def _own_text(value):
    try:
        return _Brief().repr(value)
    except Exception:  # a number of too many digits, a list of a class that fails
        return f"an object of class {type(value).__name__[:60]}"


def narrowed(got: Any, expected: Any, rtol: float, atol: float) -> tuple[str, Any, Any]:
    """Of two answers that differ, the first part that does: its place and the two parts.

    The place is "" where they differ as wholes, " (loss)" or " [1]" inside a dict or a list of
    tensors, dicts and lists.
    """
    pairs = _parts(got, expected)
    for key, mine, theirs in pairs:
        if difference(mine, theirs, rtol, atol):
            place = f" ({key})" if isinstance(expected, Mapping) else f" [{key}]"
            inside, mine, theirs = narrowed(mine, theirs, rtol, atol)
            return place + inside, mine, theirs
    return "", got, expected


def _parts(got, expected):
    """Keys and pairs of the parts of two answers that are of one form; none of a flat list."""
    if isinstance(expected, Mapping):
        same = isinstance(got, Mapping) and got.keys() == expected.keys()
        return [(key, got[key], expected[key]) for key in expected] if same else []
    nested = torch.Tensor | np.ndarray | Mapping | list | tuple
    both = isinstance(expected, list | tuple) and isinstance(got, list | tuple)
    if not both or len(got) != len(expected) or not any(isinstance(x, nested) for x in expected):
        return []
    return list(zip(range(len(got)), got, expected, strict=True))


def extent(value: Any) -> int:
    """How many numbers and texts there are to read in a value, for choosing the smallest."""
    if isinstance(value, torch.Tensor):
        return value.numel()
    if isinstance(value, np.ndarray):
        return value.size
    if isinstance(value, Mapping):
        return sum(map(extent, value.values()))
    if isinstance(value, list | tuple | Set):
        return sum(map(extent, value))
    return 1


def _short_array(value):
    name = "tensor" if isinstance(value, torch.Tensor) else "array"
    head = f"{name} {tuple(value.shape)} {_plain(value.dtype)}"
    try:
        flat = value.detach().cpu().flatten() if name == "tensor" else value.ravel()
        shown = [_number(x) for x in flat[:_SHOWN].tolist()]
    except Exception:  # sparse, quantised, on the meta device: the head says enough
        return head
    if len(flat) > _SHOWN:
        return f"{head}, first values {', '.join(shown[:4])}"
    return f"{head} {_nested(shown, tuple(value.shape))}"


def _nested(items, shape):
    """``items`` in the brackets of ``shape``: [[1, 2], [3, 4]]."""
    if not shape:
        return items[0]
    step = len(items) // shape[0] if shape[0] else 0
    rows = (_nested(items[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0]))
    return f"[{', '.join(rows)}]"


def _number(value):
    if isinstance(value, torch.Tensor | np.generic):
        value = value.item()
    if not isinstance(value, float):
        return repr(value)
    text = f"{value:.5g}"
    return f"{text}.0" if text.removeprefix("-").isdigit() else text


def _plain(value):
    """Shapes as tuples, dtypes and layouts without their module's name."""
    return str(tuple(value)) if isinstance(value, tuple) else str(value).removeprefix("torch.")


def described(value: Any) -> str:
    """The kind of a value with its article: "a tensor (3,)", "an int", "the class `Net`"."""
    if value is None or value is NotImplemented:
        return str(value)
    if isinstance(value, torch.Tensor):
        return f"a tensor {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a numpy array {value.shape}"
    if inspect.iscoroutine(value):
        value.close()  # it will never be awaited, and Python would warn of that
    if isinstance(value, types.GeneratorType):
        return "a generator (is there a `yield` where a `return` belongs?)"
    name = reprlib.repr(getattr(value, "__name__", "")).strip("'")
    for kind, noun in _CALLED.items():
        if isinstance(value, kind):
            return f"the {noun} `{name}` itself"
    name = type(value).__name__[:60]
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


_CALLED = {
    type: "class",
    types.FunctionType: "function",
    types.BuiltinFunctionType: "function",
    types.MethodType: "function",
}
