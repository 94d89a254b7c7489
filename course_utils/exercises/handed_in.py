"""What was handed in, before anything is run: is it there, and is it of the right kind?

A name may be undefined, taken by an import, or stand for a result in place of a function; a body
may be open, empty, or written above the line that marks it as open. Each gets a sentence.
"""

import ast
import contextlib
import dis
import inspect
import textwrap
import traceback
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from course_utils.exercises.cells import find_answer
from course_utils.exercises.difference import described

_DOES_NOTHING = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}


@dataclass(frozen=True)
class Missing:
    """There is nothing to try; ``why`` says so, to a learner."""

    why: str


def looked_up(name: str, namespace: Mapping[str, Any], cells: list[str]) -> Any:
    """What stands under the exercise's name, or Missing.

    cells: the text of the cells that were run so far, where it is known. The last one that is meant
    to define the name counts, even if Python could not read it and an older answer is still there.
    """
    found = None
    with contextlib.suppress(Exception):  # a cell may hold anything
        found = find_answer(cells, name)
    if found and found.broken:
        return Missing(
            f"Python cannot read the cell that defines `{name}`: {found.broken}. Mend it, run it, "
            "then run this one."
        )
    if name in namespace:
        return namespace[name]
    return Missing(
        f"There is no `{name}` yet: the cell above was not run, or it ended in an error. Run it, "
        "read what it says, then run this one."
    )


def unusable(attempt: Any, wanted: type) -> str | None:
    """A sentence where the attempt is not of the kind that is asked for, or None.

    wanted: ``nn.Module`` where a module class is asked for, ``object`` for a class of another
    kind, and ``types.FunctionType`` for a function.
    """
    function_due = wanted is types.FunctionType
    due = "a function" if function_due else "a class"
    if wanted is nn.Module:
        due = "a class that derives from `nn.Module`"
    if attempt is None:
        return f"This is None, and the exercise asks for {due}. Run the cell that defines it again."
    if isinstance(attempt, types.ModuleType):
        return (
            f"This is the Python module `{attempt.__name__}`: an import has taken the exercise's "
            "name. Run the cell that defines it again."
        )
    is_class = isinstance(attempt, type)
    if function_due == is_class or (is_class and not issubclass(attempt, wanted)):
        return f"This is {described(attempt)}; the exercise asks for {due}.{_built(attempt)}"
    if function_due and not callable(attempt):
        return (
            f"This is {described(attempt)} and not a function. Was the function called? Give the "
            "function itself: its name, without brackets."
        )
    return None


def _built(attempt):
    return " Give the class itself, without brackets." if isinstance(attempt, nn.Module) else ""


def nothing_in_it(attempt: Any) -> bool:
    """Whether a function, or the ``forward`` of a class, has a docstring for a body and no more."""
    fn = vars(attempt).get("forward") if isinstance(attempt, type) else attempt
    if not isinstance(fn, types.FunctionType) or fn.__name__ == "<lambda>":
        return False
    steps = list(dis.get_instructions(fn))
    returned = [step for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return {step.opname for step in steps} <= _DOES_NOTHING and all(
        step.argval is None for step in returned
    )


def open_gap(error: BaseException, attempt: Any) -> str:
    """A sentence on the `raise NotImplementedError` that was reached: what is still to be done."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    code = _code_of(error)
    name = code.co_name
    inside = isinstance(attempt, type) and any(
        getattr(member, "__code__", None) is code for member in vars(attempt).values()
    )
    if _has_lines_above(code, frame.lineno):
        return (
            f"`{name}` still reaches `raise NotImplementedError` (line {frame.lineno}). If its "
            "body is written, delete that line: it stands where your code belongs."
        )
    if inside:
        return f"`{name}` is still open: write its body in place of `raise NotImplementedError`."
    if name != getattr(attempt, "__name__", name):
        return f"`{name}`, which your code calls, is still open: do that exercise first."
    return "Write the body in the cell above, run it, then run this one."


def _code_of(error):
    step = error.__traceback__
    while step.tb_next:
        step = step.tb_next
    return step.tb_frame.f_code


def _has_lines_above(code, line):
    """Whether statements other than the docstring stand above this line of a function."""
    try:
        lines, first = inspect.getsourcelines(code)
        (tree,) = ast.parse(textwrap.dedent("".join(lines))).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return False
    body = tree.body[1:] if ast.get_docstring(tree, clean=False) is not None else tree.body
    return any(statement.lineno + first - 1 < line for statement in body)
