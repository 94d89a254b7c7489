"""Where graded answers are judged: a process that no answer ran in, and no notebook either.

It draws the cases, runs the reference, sends the cases to ``attempts`` and compares what comes
back, as ``core.judge`` does for a learner.
"""

import secrets
import warnings
from typing import Any

from course_utils import exercises
from course_utils.exercises import core, handed_in, processes, wire
from course_utils.exercises.cells import find_answer
from course_utils.exercises.limits import plain_defaults, random_state_kept, seed_the_processor
from course_utils.exercises.running import Elsewhere, LeafRun, Outcome, TooLong, Unfit

_TOLERANCE = 5.0  # seconds beyond an exercise's own, after which the process is ended


def main() -> None:
    """Answer the questions of ``grading``, one a line."""
    warnings.simplefilter("ignore")
    # An answer that records progress does not do so in the learner's own file.
    attempts = processes.Process("attempts", {"COURSE_PROGRESS": "off"})
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
    found = find_answer(cells, name)
    if found is None or found.broken:
        return core.Verdict(core.NOT_ATTEMPTED, handed_in.looked_up(name, {}, cells).why)
    attempt = _Answer(attempts, name, found)
    try:
        exercise = exercises.find(name)
        return core.judge(exercise, attempt, secrets.randbits(31) if seed is None else seed)
    finally:
        if not processes.CAN_FORK:  # what this answer left behind is not for the next one
            attempts.stop()


class _Answer(Elsewhere):
    """The answer in a notebook's cells, run by the process of attempts."""

    def __init__(self, attempts, name, found):
        self._attempts, self._exercise = attempts, exercises.find(name)
        self._text = {"name": name, "cell": found.cell, "above": found.above}
        self._text["uses"] = sorted(found.uses)

    def run(self, cases: list[tuple], seed: int) -> list[Outcome]:
        outcomes = self._outcomes(self._ask_about(cases, seed, how="run"))
        if len(outcomes) != len(cases) and not any(outcome.error for outcome in outcomes):
            return [Outcome(error=Unfit(_ENDED))]  # a forged answer: nothing was run
        return outcomes

    def run_part(self, place: int, seed: int) -> Outcome:
        (outcome,) = self._outcomes(self._ask(how="part", seed=seed, part=place))
        return outcome

    def run_leaves(self, cases: list[tuple], seed: int) -> list[LeafRun]:
        answer = self._ask_about(cases, seed, how="leaves")
        came = (self._outcomes(answer), answer.get("carries", ()), answer.get("gradients", ()))
        runs = [
            LeafRun(outcome, bool(carries), wire.decode(gradients))
            for outcome, carries, gradients in zip(*came, strict=False)
        ]
        return runs + [LeafRun(Outcome())] * (len(cases) - len(runs))

    def _ask_about(self, cases, seed, how):
        state = _states(self._exercise, cases, seed) if self._exercise.module else []
        return self._ask(how=how, cases=wire.pack(cases), seed=seed, state=state)

    def _ask(self, **question):
        question = {"cases": wire.pack([]), "state": []} | self._text | question
        try:
            return self._attempts.ask(question, self._exercise.seconds + _TOLERANCE)
        except processes.TooSlow:
            return {"outcomes": [], "error": TooLong()}
        except processes.Ended:
            return {"outcomes": [], "error": Unfit(_ENDED)}

    def _outcomes(self, answer):
        if "error" in answer:
            return [Outcome(error=answer["error"])]
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
