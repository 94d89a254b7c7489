"""`check`, `hint` and `solution`: what a learner asks for, by the name of an exercise.

An exercise is found by its name, which is unique in the course, in the ``lessonNN.py`` files
beside this one. Only the lesson that declares it is imported.
"""

import ast
import difflib
import functools
import importlib
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from course_utils.environment import course_root
from course_utils.exercises import core, difference, grading, handed_in
from course_utils.exercises.telling import announce

_DECLARATION = re.compile(r"^(\w+) = Exercise\(", re.MULTILINE)
_MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")
_hints_given: Counter[str] = Counter()


def check(
    exercise: str | Callable, seed: int | None = None, grade: bool = False
) -> Callable | grading.Score:
    """Try an answer on fresh inputs beside the reference of its exercise.

    exercise: its name, as notebooks give it: the answer is what stands under this name where
    ``check`` is called. Or a function (a class) that has the exercise's name.

    Says whether it is not attempted, wrong (and why) or right. Returns the answer if it is right
    and the reference otherwise, so that the cells below can run. ``seed`` repeats the same inputs.

    With ``grade=True`` it returns the score, 1 or 0 (``grading.Score``), and raises nothing. Given
    the name alone, it also puts the answer (or the reference) under that name in the notebook.
    """
    namespace = sys._getframe(1).f_globals
    by_name = isinstance(exercise, str)
    name = _name(exercise)
    try:
        declaration = find(name)
    except LookupError as error:
        announce("No such exercise", str(error))
        return 0 if grade else namespace.get(name) if by_name else exercise
    attempt = exercise
    if by_name:
        attempt = handed_in.looked_up(name, namespace, grading.cells_so_far())
    given = core.check(declaration, name, attempt, seed, grade)
    if grade and by_name:
        namespace[name] = given.fn
    return given


def hint(exercise: str | Callable) -> None:
    """Show the next hint for an exercise, given by its name or as its function.

    Of a build it shows the hints of the part that the last check met.
    """
    name = _name(exercise)
    try:
        what, hints = core.hints_for(find(name), name)
    except LookupError as error:
        announce("No such exercise", str(error))
        return
    number = _hints_given[what]
    if number < len(hints):
        _hints_given[what] += 1
        announce(f"Hint {number + 1} of {len(hints)} for {what}", hints[number], colour="highlight")
    else:
        announce(
            f"No more hints for {what}",
            f"You have seen all {len(hints)}. `solution({name!r})` shows one way to do it.",
            colour="highlight",
        )


def solution(exercise: str | Callable) -> None:
    """Show how the lesson itself solves an exercise, given by its name or as its function."""
    name = _name(exercise)
    try:
        text = solution_text(name)
    except LookupError as error:
        announce("No solution to show", str(error))
        return
    announce(f"A solution of `{name}`", "There may be others.", code=text)


def solution_text(name: str) -> str:
    """The function (class) of that name in its lesson's source, without the solution markers.

    Raises LookupError, in a sentence, where there is no such exercise or no source.
    """
    find(name)
    number = declared()[name].removeprefix("lesson")
    for path in sorted((course_root() / "solutions").glob(f"{number}_*.py")):
        text = _definition(path.read_text(encoding="utf-8"), name)
        if text:
            return text
    raise LookupError(
        f"The solution of `{name}` is in the course's folder `solutions`, lesson {number}, "
        "which is not in this copy of the course."
    )


def _definition(source: str, name: str) -> str | None:
    """The top-level function or class ``name`` that holds a marked solution."""
    for node in ast.parse(source).body:
        if getattr(node, "name", None) == name:
            first = min([node.lineno, *(line.lineno for line in node.decorator_list)])
            lines = source.splitlines()[first - 1 : node.end_lineno]
            if any(line.strip() == _MARKERS[0] for line in lines):
                return "\n".join(line for line in lines if line.strip() not in _MARKERS)
    return None


# --- finding an exercise ---------------------------------------------------------------------


def find(name: str) -> core.Exercise:
    """The exercise of that name; imports its lesson's module.

    Raises LookupError, in a sentence that offers names like it, where there is none.
    """
    lessons = declared()
    if name not in lessons and not name.isidentifier():
        raise LookupError(
            f'An exercise is given by its name, in quotes, as in `check("{next(iter(lessons))}")`; '
            f"you gave {name[:60]}."
        )
    if name not in lessons:
        near = difflib.get_close_matches(name, lessons, n=3)
        instead = f" Did you mean {' or '.join(f'`{other}`' for other in near)}?" if near else ""
        raise LookupError(f"The course has no exercise called `{name[:60]}`.{instead}")
    return getattr(importlib.import_module(f"{__name__}.{lessons[name]}"), name)


@functools.cache
def declared() -> dict[str, str]:
    """The name of every exercise and the module that declares it, read without importing it.

    Raises ValueError if two lessons use one name.
    """
    lessons: dict[str, str] = {}
    for module in pkgutil.iter_modules(__path__):
        if re.fullmatch(r"lesson\d\d", module.name):
            path = Path(module.module_finder.path) / f"{module.name}.py"
            for name in _DECLARATION.findall(path.read_text(encoding="utf-8")):
                if name in lessons:
                    raise ValueError(f"{lessons[name]} and {module.name} both declare {name}")
                lessons[name] = module.name
    return lessons


def _name(exercise: str | Callable) -> str:
    """The name of an exercise; of what has none, words for its kind, which name no exercise."""
    if isinstance(exercise, str):
        return exercise
    name = getattr(exercise, "__name__", None)
    if name == "<lambda>":
        return "a lambda, which has no name of its own"
    return name if isinstance(name, str) else f"{difference.described(exercise)}, not a name"
