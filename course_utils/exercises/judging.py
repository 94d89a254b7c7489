"""Where graded answers are judged: a process that no answer ran in, and no notebook either.

It draws the cases, runs the reference, sends the cases to ``attempts`` and compares what comes
back, as ``core.judge`` does for a learner.
"""

import secrets
import tempfile
import warnings
from typing import Any

from course_utils import exercises
from course_utils.exercises import core, processes, wire
from course_utils.exercises.limits import plain_defaults, random_state_kept, seed_the_processor
from course_utils.exercises.running import Elsewhere, Outcome, TooLong, Unfit

_TOLERANCE = 5.0  # seconds beyond an exercise's own, after which the process is ended


def main() -> None:
    """Answer the questions of ``grading``, one a line."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        # An answer that records progress does not do so in the learner's own file.
        attempts = processes.Process("attempts", {"COURSE_PROGRESS": f"{folder}/progress"})
        try:
            processes.serve(lambda question: _answer(attempts, question))
        finally:
            attempts.stop()


def _answer(attempts: processes.Process, question: dict) -> dict[str, Any]:
    try:
        return vars(verdict(attempts, question["name"], question["cells"], question["seed"]))
    except Exception as error:  # the course's own fault, or an answer made to bring one about
        sentence = f"The answer could not be judged ({type(error).__name__})."
        return vars(core.Verdict(core.WRONG, sentence))


def verdict(
    attempts: processes.Process, name: str, cells: list[str], seed: int | None = None
) -> core.Verdict:
    """The verdict on the answer to an exercise that stands in these cells."""
    exercise = exercises.find(name)
    attempt = _Answer(attempts, exercise, {"name": name, "cells": cells})
    try:
        return core.judge(exercise, attempt, secrets.randbits(31) if seed is None else seed)
    except _NothingToRun as why:
        return core.Verdict(*why.args)


class _NothingToRun(Exception):
    """Kind and sentence of a verdict without a run."""


class _Answer(Elsewhere):
    """The answer in a notebook's cells, run by the process of attempts."""

    def __init__(self, attempts, exercise, question):
        self._attempts, self._exercise, self._question = attempts, exercise, question

    def run(self, cases: list[tuple], seed: int) -> list[Outcome]:
        state = _states(self._exercise, cases, seed) if self._exercise.module else []
        return self._ask(cases=wire.pack(cases), seed=seed, state=state, part=None)

    def run_part(self, place: int, seed: int) -> Outcome:
        (outcome,) = self._ask(cases=wire.pack([]), seed=seed, state=[], part=place)
        return outcome

    def _ask(self, **question):
        try:
            seconds = self._exercise.seconds + _TOLERANCE
            answer = self._attempts.ask(self._question | question, seconds)
        except processes.TooSlow:
            return [Outcome(error=TooLong())]
        except processes.Ended:
            return [Outcome(error=Unfit(_ENDED))]
        if answer.get("spent", True):
            self._attempts.stop()
        if "sentence" in answer:
            raise _NothingToRun(str(answer["kind"]), str(answer["sentence"]))
        return [wire.decode_outcome(each) for each in answer["outcomes"]]


_ENDED = (
    "Your code ended the process that it was run in. Leave out what does so (`os._exit`, `exit`, "
    "`quit`), and what needs more memory than there is."
)


def _states(exercise, cases, seed):
    """For each case the parameters and the buffers of the reference, as the answer gets them."""
    states = []
    with random_state_kept(), plain_defaults():
        for index, (arguments, _) in enumerate(wire.unpack(wire.pack(cases))):
            seed_the_processor((seed + index) % 2**31)
            model = exercise.reference(*arguments)
            named = (model.named_parameters(), model.named_buffers())
            states.append([wire.encode(dict(part)) for part in named])
    return states
