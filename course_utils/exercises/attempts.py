"""Where graded attempts run: a process of their own, which knows no expected answer.

It gets the text of an answer and the cases, runs the one on the other, and sends back plain values.
What has to see live objects runs here too: an exercise's ``observe``, gradients, and the ``do`` of
a build's parts. The lesson's module is taken apart before the answer runs, so that no reference, no
other right way and no check is in reach; stand-ins of the *other* exercises are there where the
answer uses them.
"""

import contextlib
import dataclasses
import importlib
import linecache
import sys
from typing import Any

from course_utils import exercises
from course_utils.exercises import core, handed_in, processes, wire
from course_utils.exercises.gradient import run_leaves
from course_utils.exercises.limits import TooLong, call_within, plain_defaults
from course_utils.exercises.running import Outcome, Unfit

_DECLARED = dict(exercises.declared())


def main() -> None:
    """Answer the questions of ``judging``, one a line."""
    exercises.find = _not_here
    processes.serve(answer, apart=True)


def _not_here(name: str) -> None:
    raise LookupError("No exercise can be looked up while answers are graded.")


def answer(question: dict) -> dict[str, Any]:
    """What the answer to an exercise does.

    question: ``name``; ``cell``, ``above`` and ``uses``, as in ``cells.Answer``; ``how``, one of
    ``_WAYS``; ``cases`` (as ``wire.pack`` gives them) and ``seed``; ``state``, for each case the
    parameters and buffers of the reference, where that is a module; ``part``, of a build.

    Returns ``outcomes``, one for each case, and with leaves as many ``carries`` and ``gradients``.
    """
    exercise, others, kind = _prepared(question)
    told = _defined(question, others, exercise.seconds)
    if not isinstance(told, Outcome) and (problem := handed_in.unusable(told, kind)):
        told = Outcome(error=Unfit(problem))
    if isinstance(told, Outcome):
        return {"outcomes": [wire.encode_outcome(told)]}
    with plain_defaults():
        return _WAYS[question["how"]](exercise, told, question)


# --- what is there before the answer runs ----------------------------------------------------


def _prepared(question):
    """The exercise without its answers, the stand-ins of others, and what kind is asked for."""
    lesson = f"course_utils.exercises.{_DECLARED[question['name']]}"
    for module in [module for module in sys.modules if module.startswith(f"{lesson[:-2]}")]:
        del sys.modules[module]
    module = importlib.import_module(lesson)
    question["cases"] = wire.unpack(question["cases"])
    exercise = getattr(module, question["name"])
    bare, kind = _bare(exercise, question["state"]), exercise.asks_for
    del exercise
    others = (set(question["uses"]) & _DECLARED.keys()) - {question["name"]}
    stand_ins = {other: _stand_in(other) for other in others}
    _take_apart(module)
    return bare, stand_ins, kind


def _bare(exercise, state):
    """The exercise as far as it is needed to run an answer."""
    replaced = {"cases": _no_reference, "verify": None} if exercise.verify else {}
    return dataclasses.replace(
        exercise,
        reference=_Given([_Held(each) for each in state]) if exercise.module else _no_reference,
        also_right=(),
        mistakes=(),
        right_dials={},
        wrong_dials=(),
        **replaced,
    )


def _no_reference(*_):
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


def _defined(question: dict, others: dict, seconds: float) -> Any:
    """What the cells define under the name, or an Outcome that says why nothing is there."""
    name, namespace = question["name"], {"__name__": "__main__", **others}
    error = None
    try:
        with plain_defaults():
            error = call_within(seconds, _execute_all, question, namespace, others)
    except TooLong as late:
        return Outcome(error=late)
    if name in namespace:  # a call below the function may well have failed
        return namespace[name]
    return Outcome(error=error or NameError(f"name '{name}' is not defined"))


def _execute_all(question, namespace, others):
    for text in question["above"]:
        with contextlib.suppress(Exception):  # what the answer lacks, it will name itself
            _execute(text, namespace)
    namespace.update(others)  # of other exercises the course's answer, not the notebook's
    try:
        _execute(question["cell"], namespace)
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


def _run(exercise, attempt, question):
    outcomes = exercise.run(attempt, question["cases"], question["seed"])
    return {"outcomes": [wire.encode_outcome(outcome) for outcome in outcomes]}


def _run_part(exercise, attempt, question):
    outcome = exercise.run_part(question["part"], attempt, question["seed"])
    return {"outcomes": [wire.encode_outcome(outcome)]}


def _run_leaves(exercise, attempt, question):
    runs = run_leaves(exercise, attempt, question["cases"], question["seed"])
    return {
        "outcomes": [wire.encode_outcome(run.outcome) for run in runs],
        "carries": [bool(run.carries) for run in runs],
        "gradients": [wire.encode(run.gradients) for run in runs],
    }


_WAYS = {"run": _run, "part": _run_part, "leaves": _run_leaves}
