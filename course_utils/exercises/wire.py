"""Values on their way between processes.

From an attempt come plain values alone, written as JSON: reading them runs no code of anybody.
To an attempt go the cases, pickled: they come from the course, and may hold layers and optimizers
that share parameters.
"""

import base64
import builtins
import importlib
import io
import linecache
import marshal
import pickle
import types
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.exercises.limits import TooLong
from course_utils.exercises.running import Outcome, Unfit, own_line

_DEEPEST = 60
_LONGEST = 1_000_000  # items or characters
_LARGEST = 50_000_000  # bytes of one tensor or array

# --- plain values ----------------------------------------------------------------------------


def encode(value: Any, depth: int = 0) -> Any:
    """A value as JSON holds it; of what is not plain, the name of its class."""
    if value is None or type(value) in (bool, int, float):
        return value
    if depth > _DEEPEST or _is_long(value):
        return _foreign(value)
    writer = next((write for kinds, write in _WRITERS if isinstance(value, kinds)), None)
    if writer is None:
        return _foreign(value)
    return writer(value, lambda inner: encode(inner, depth + 1))


def _is_long(value):
    sized = isinstance(value, str | bytes | list | tuple | set | frozenset | Mapping)
    return sized and len(value) > _LONGEST


def _foreign(value):
    return {"foreign": type(value).__name__}


def _write_tensor(value, _):
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain or value.numel() * value.element_size() > _LARGEST:
        return _foreign(value)
    bare = value.as_subclass(Tensor).detach().resolve_conj().resolve_neg()
    inside = bare.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    kind = str(value.dtype).removeprefix("torch.")
    return {"tensor": [kind, list(value.shape), bool(value.requires_grad), _as_text(inside)]}


def _write_array(value, _):
    if value.dtype.kind not in "biufcUS" or value.nbytes > _LARGEST:
        return _foreign(value)
    return {"array": [value.dtype.str, list(value.shape), _as_text(value.tobytes())]}


def _write_items(kind):
    return lambda value, write: {kind: [write(item) for item in value]}


def _write_mapping(value, write):
    return {"dict": [[write(key), write(value[key])] for key in value]}


# In this order: a number of numpy is a number of Python's too, and a bool is an int.
_WRITERS: tuple[tuple[Any, Callable], ...] = (
    (Tensor, _write_tensor),
    (np.ndarray, _write_array),
    (np.generic, lambda value, write: {"scalar": write(np.asarray(value))}),
    (bool, lambda value, _: bool(value)),
    (int, lambda value, _: int(value)),
    (float, lambda value, _: float(value)),
    (complex, lambda value, _: {"complex": [value.real, value.imag]}),
    (str, lambda value, _: str.__str__(value)),
    (bytes, lambda value, _: {"bytes": _as_text(value)}),
    (range, lambda value, _: {"range": [value.start, value.stop, value.step]}),
    (list, _write_items("list")),
    (tuple, _write_items("tuple")),
    (set, _write_items("set")),
    (frozenset, _write_items("frozenset")),
    (Mapping, _write_mapping),
)


def decode(written: Any) -> Any:
    """The value that ``encode`` wrote. Raises ValueError for anything else."""
    if not isinstance(written, dict):
        if isinstance(written, list):
            raise ValueError("a bare list")
        return written
    try:
        ((kind, inside),) = written.items()
        return _READERS[kind](inside)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"not a value: {type(error).__name__}") from None


def _read_tensor(inside):
    kind, shape, needs_gradient, text = inside
    dtype = getattr(torch, kind)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"not a dtype: {kind}")
    raw = torch.frombuffer(bytearray(base64.b64decode(text)) or bytearray(1), dtype=torch.uint8)
    flat = raw.view(dtype) if text else torch.empty(0, dtype=dtype)
    tensor = flat.reshape(shape).clone()
    return tensor.requires_grad_() if needs_gradient else tensor


def _read_array(inside):
    kind, shape, text = inside
    dtype = np.dtype(kind)
    if dtype.kind not in "biufcUS":
        raise ValueError(f"not a plain array: {kind}")
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy()


_READERS: dict[str, Callable] = {
    "tensor": _read_tensor,
    "array": _read_array,
    "scalar": lambda inside: decode(inside)[()],
    "complex": lambda inside: complex(*inside),
    "bytes": base64.b64decode,
    "range": lambda inside: range(*inside),
    "list": lambda inside: [decode(item) for item in inside],
    "tuple": lambda inside: tuple(decode(item) for item in inside),
    "set": lambda inside: {decode(item) for item in inside},
    "frozenset": lambda inside: frozenset(decode(item) for item in inside),
    "dict": lambda inside: {decode(key): decode(item) for key, item in inside},
    "foreign": lambda inside: type(str(inside), (), {})(),
}


def _as_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


# --- what a run led to -----------------------------------------------------------------------


def encode_outcome(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON holds it; of an error its class, its text and its line."""
    written = {field.name: encode(getattr(outcome, field.name)) for field in fields(Outcome)}
    return written | {"error": outcome.error and _encode_error(outcome.error)}


def _encode_error(error):
    try:
        arguments, text = encode(tuple(error.args)), str(error)[:2000]
    except Exception:  # a class of the learner's own may fail to tell itself
        arguments, text = encode(()), ""
    line = own_line(error)
    return {"class": type(error).__name__, "arguments": arguments, "text": text, "line": line}


def decode_outcome(written: Mapping[str, Any]) -> Outcome:
    """The outcome that ``encode_outcome`` wrote. Raises ValueError for anything else."""
    try:
        values = {field.name: written[field.name] for field in fields(Outcome)}
        error = values.pop("error")
        plain = {name: decode(value) for name, value in values.items()}
        return Outcome(**plain, error=_decode_error(error) if error else None)
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not an outcome: {problem}") from None


_KNOWN = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
} | {"Unfit": Unfit, "TooLong": TooLong}


def _decode_error(written):
    kind = _KNOWN.get(written["class"]) or type(str(written["class"]), (Exception,), {})
    try:
        error = kind(*decode(written["arguments"]))
        if str(error) != written["text"]:
            raise ValueError("told otherwise")
    except Exception:
        error = type(kind.__name__, (Exception,), {})(written["text"])
    return _raised_at(error, written["line"]) if written["line"] else error


def _raised_at(error, line):
    """The error as if raised at that line of the attempt, so that messages can name the line."""
    number, text = min(max(int(line[0]), 1), 10_000), str(line[1])[:300]
    filename = f"<line {number}: {text}>"
    linecache.cache[filename] = (0, None, ["\n"] * (number - 1) + [text], filename)
    try:
        exec(compile("\n" * (number - 1) + "raise error", filename, "exec"), {"error": error})
    except type(error) as raised:
        return raised


# --- cases -----------------------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """Also takes functions without a name, and keeps the gradients of parameters."""

    def reducer_override(self, value):
        if isinstance(value, nn.Parameter) and value.grad is not None:
            return _parameter, (value.data, value.requires_grad, value.grad)
        if isinstance(value, types.FunctionType) and "<" in value.__qualname__:
            return _function, _taken_apart(value)
        return NotImplemented


def _parameter(data, requires_grad, gradient):
    parameter = nn.Parameter(data, requires_grad)
    parameter.grad = gradient
    return parameter


def _taken_apart(fn):
    closure = tuple(cell.cell_contents for cell in fn.__closure__ or ())
    return marshal.dumps(fn.__code__), fn.__module__, fn.__defaults__, fn.__kwdefaults__, closure


def _function(code, module, defaults, named_defaults, closure):
    there = vars(importlib.import_module(module))
    cells = tuple(types.CellType(value) for value in closure)
    fn = types.FunctionType(marshal.loads(code), there, None, defaults, cells)
    fn.__kwdefaults__ = named_defaults
    return fn


def pack(cases: list[tuple]) -> str:
    """The cases of an exercise as text. Only for the way from the course to an attempt."""
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(cases)
    return _as_text(buffer.getvalue())


def unpack(text: str) -> list[tuple]:
    """The cases that ``pack`` wrote."""
    return pickle.loads(base64.b64decode(text))
