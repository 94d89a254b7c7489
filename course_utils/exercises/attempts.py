"""Where graded attempts run: a process of their own, which knows no expected answer.

It gets a notebook's cells, an exercise's name and the cases, runs the answer, and sends back plain
values. What has to see live objects runs here too: an exercise's ``observe`` and the ``do`` of a
build's parts. The lesson's module is taken apart before the answer runs, so that no reference,
no other right way and no check is in reach; stand-ins of the *other* exercises are there where
the answer uses them.
"""

import contextlib
import dataclasses
import importlib
import linecache
import sys
from typing import Any

from course_utils import exercises
from course_utils.exercises import core, processes, wire
from course_utils.exercises.cells import Answer, find_answer
from course_utils.exercises.limits import TooLong, call_within, plain_defaults
from course_utils.exercises.running import Outcome

_DECLARED = dict(exercises.declared())


def main() -> None:
    """Answer the questions of ``judging``, one a line."""
    exercises.find = _not_here
    processes.serve(answer)


def _not_here(name: str) -> None:
    raise LookupError("No exercise can be looked up while answers are graded.")


def answer(question: dict) -> dict[str, Any]:
    """What the answer to an exercise does.

    question: ``cells``, ``name``, ``cases`` (as ``wire.pack`` gives them), ``seed``, ``state`` (for
    each case the parameters and buffers of the reference, where that is a module) and ``part``
    (the place of a build's part, or None).

    Returns ``outcomes``, or the ``sentence`` of why there is nothing to run and its ``kind``;
    ``spent``: this process held what a later answer must not find.
    """
    name = question["name"]
    found = find_answer(question["cells"], name)
    if found is None:
        return {"kind": core.NOT_ATTEMPTED, "sentence": f"No cell above defines `{name}`."}
    if found.broken:
        return {
            "kind": core.WRONG,
            "sentence": f"The cell that defines `{name}` is not Python: {found.broken}.",
        }
    exercise, cases, others = _prepared(question, found)
    told = _defined(found, name, others, exercise.seconds)
    outcomes = [told] if isinstance(told, Outcome) else _run(exercise, told, cases, question)
    return {
        "outcomes": [wire.encode_outcome(outcome) for outcome in outcomes],
        "spent": bool(others),
    }


# --- what is there before the answer runs ----------------------------------------------------


def _prepared(question, found: Answer):
    """The exercise without its answers, the cases, and the stand-ins of others by name."""
    lesson = f"course_utils.exercises.{_DECLARED[question['name']]}"
    for module in [module for module in sys.modules if module.startswith(f"{lesson[:-2]}")]:
        del sys.modules[module]
    module = importlib.import_module(lesson)
    cases = wire.unpack(question["cases"])
    bare = _bare(getattr(module, question["name"]), question["state"])
    others = (found.uses & _DECLARED.keys()) - {question["name"]}
    stand_ins = {other: _stand_in(other) for other in others}
    _take_apart(module)
    return bare, cases, stand_ins


def _bare(exercise, state):
    """The exercise as far as it is needed to run an answer."""
    replaced = {"cases": _absent, "verify": None} if exercise.verify else {}
    return dataclasses.replace(
        exercise,
        reference=_Given([_Held(each) for each in state]) if exercise.module else _absent,
        also_right=(),
        mistakes=(),
        right_dials={},
        wrong_dials=(),
        **replaced,
    )


def _absent(*_):
    raise LookupError("The reference is not here.")


class _Given:
    """Stands for the reference's class: at each call, the next case's parameters and buffers."""

    def __init__(self, held):
        self._held = iter(held)

    def __call__(self, *_):
        return next(self._held)


class _Held:
    """Parameters and buffers by name, as a module gives them."""

    def __init__(self, state):
        self._parameters, self._buffers = map(wire.decode, state)

    def named_parameters(self):
        return self._parameters.items()

    def named_buffers(self):
        return self._buffers.items()


def _stand_in(name):
    module = f"course_utils.exercises.{_DECLARED[name]}"
    return core.stand_in(getattr(importlib.import_module(module), name), name)


def _take_apart(module):
    """Remove exercises, references and other right ways from a lesson's module."""
    answers = set()
    declared = {k: v for k, v in vars(module).items() if isinstance(v, core.Exercise)}
    for exercise in declared.values():
        answers |= {id(exercise.reference), *map(id, exercise.also_right)}
    for name, value in list(vars(module).items()):
        if name in declared or id(value) in answers:
            delattr(module, name)


# --- the answer ------------------------------------------------------------------------------


def _defined(found: Answer, name: str, others: dict, seconds: float) -> Any:
    """What the cells define under the name, or an Outcome that says why nothing is there."""
    namespace = {"__name__": "__main__", **others}
    error = None
    try:
        with plain_defaults():
            error = call_within(seconds, _execute_all, found, namespace, others)
    except TooLong as late:
        return Outcome(error=late)
    if name in namespace:  # a call below the function may well have failed
        return namespace[name]
    return Outcome(error=error or NameError(f"name '{name}' is not defined"))


def _execute_all(found, namespace, others):
    for text in found.above:
        with contextlib.suppress(Exception):  # what the answer lacks, it will name itself
            _execute(text, namespace)
    namespace.update(others)  # of other exercises the course's answer, not the notebook's
    try:
        _execute(found.cell, namespace)
    except (KeyboardInterrupt, TooLong):
        raise
    except BaseException as error:
        return error
    return None


def _execute(text, namespace):
    """Run a cell as IPython does: its lines are at hand when an error is told."""
    filename = f"<cell {abs(hash(text)):x}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), namespace)


def _run(exercise, attempt, cases, question):
    with plain_defaults():
        if question["part"] is not None:
            return [exercise.run_part(question["part"], attempt, question["seed"])]
        return exercise.run(attempt, cases, question["seed"])
