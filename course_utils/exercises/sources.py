"""The text of an attempt where no notebook runs, for a script that executes cells by itself.

A notebook knows its cells. A script that runs them with ``exec``, and keeps their text in
``linecache`` as IPython does, knows them too: the attempt's own cell, those of the functions that
it uses, and of the rest what an import or a written value can make again.
"""

import ast
import importlib
import linecache
import os
import types
from typing import Any

from course_utils.exercises.cells import used_names


class _Unknown(Exception):
    """A value of which there is no text."""


def cells_of(attempt: Any) -> list[str]:
    """Cells that define an attempt anew; empty where they are not known.

    Another function of the course, or one without a text, is left out: what uses it then fails.
    """
    cells: list[str] = []
    try:
        _add_cell(attempt, cells, set())
    except (_Unknown, SyntaxError, RecursionError):
        return []
    return cells


def _add_cell(fn, cells, done):
    """The cell of a function or class, below what it uses."""
    code = _code(fn)
    text = "".join(linecache.getlines(code.co_filename)) if code else ""
    if not text or os.path.exists(code.co_filename):  # a file is more than a cell
        raise _Unknown
    namespace = _method(fn).__globals__
    for name in sorted(used_names(text) & namespace.keys() - done):
        done.add(name)
        _add_value(name, namespace[name], cells, done, code.co_filename)
    cells.append(text)


def _add_value(name, value, cells, done, here):
    if isinstance(value, types.ModuleType):
        cells.append(f"import {value.__name__} as {name}")
    elif _is_importable(value):
        cells.append(f"from {value.__module__} import {value.__name__} as {name}")
    elif callable(value):
        code = _code(value)
        if code and code.co_filename != here and not os.path.exists(code.co_filename):
            _add_cell(value, cells, done)
    elif name != "__builtins__":
        cells.append(f"{name} = {_written(value)}")


def _is_importable(value):
    try:
        module = importlib.import_module(value.__module__)
        return getattr(module, value.__name__) is value
    except Exception:
        return False


def _written(value):
    try:
        text = repr(value)
        if ast.literal_eval(text) == value:
            return text
    except Exception:
        pass
    raise _Unknown


def _method(fn):
    """A function with the code of an attempt: itself, or a method of a class."""
    if isinstance(fn, type):
        own = [member for member in vars(fn).values() if isinstance(member, types.FunctionType)]
        fn = own[0] if own else None
    if not isinstance(fn, types.FunctionType):
        raise _Unknown
    return fn


def _code(fn):
    try:
        return _method(fn).__code__
    except _Unknown:
        return None
