"""Why an attempt is wrong, where no declared mistake says so.

Nothing here knows an exercise. Three ways to a reason, each true by construction: one change in
the learner's source that makes all answers right; a relation of the answers to the right ones or
to the inputs; a slip in a right answer that leads to the same. Of an error that none of them
explains, what it means.
"""

import re

from course_utils.exercises.detectors import shown
from course_utils.exercises.evidence import Evidence
from course_utils.exercises.limits import TooLong
from course_utils.exercises.raised import meaning
from course_utils.exercises.repairs import comes_out_when, repair
from course_utils.exercises.returning import way_to_none
from course_utils.exercises.running import Elsewhere, Unfit
from course_utils.exercises.which_inputs import inputs_tell, right_for_two

_EXTREMES = " The inputs go from"
# What a case says by itself that is a reason, or part of one: the form of an answer, NaN in it.
_OF_THE_FORM = re.compile(
    rf" lacks |should not be there|returned None| is an? | has dtype |{_EXTREMES}"
)
_NO_ANSWER, _NO_RETURN = "returned None", "without a `return`"
_PARTS_APART = re.compile(r" lacks |should not be there")
_USUAL = {"builtins", "collections", "course_utils", "numpy", "pandas", "torch"}
_LONG = 10_000  # characters
_A_WHILE = 0.8  # seconds in which a line is looked for where something is known already


def reason(evidence: Evidence, problem: str) -> str:
    """Why the attempt is wrong, in a sentence or a few.

    problem: what the case that is shown says by itself; given back where nothing more is known.
    """
    errors = [outcome.error for outcome in evidence.given]
    # After too long a run each further one costs as long; what does not fit says so itself.
    if isinstance(evidence.attempt, Elsewhere) or any(
        isinstance(error, TooLong | Unfit) for error in errors
    ):
        return problem
    if "in place" in problem or not all(map(_of_a_usual_kind, evidence.given)):
        return problem
    return _of_errors(evidence, problem) if evidence.raised() else _of_values(evidence, problem)


def _of_a_usual_kind(outcome):
    """Whether what came out can be looked at some hundred times: no text without end, no stranger.

    A class that the attempt made itself may print a flood, or run code, whenever it is looked at.
    """
    if outcome.error is not None:
        values = (outcome.error, *outcome.error.args)
    else:
        seen = outcome.seen
        values = (seen, *(seen[:20] if isinstance(seen, list | tuple) else ()))
    return all(
        type(value).__module__.partition(".")[0] in _USUAL
        and len(type(value).__name__) < 100
        and not (isinstance(value, str) and len(value) > _LONG)
        for value in values
    )


def _of_errors(evidence, problem):
    for way in (repair, right_for_two, meaning):
        if found := way(evidence):
            return f"{problem} {found}"
    return problem


def _of_values(evidence, problem):
    seen = shown(evidence)
    mended = repair(evidence, _A_WHILE) if seen else repair(evidence)
    if _NO_ANSWER in problem and (way := way_to_none(evidence)):
        problem = f"{problem.partition(_NO_ANSWER)[0]}{_NO_ANSWER}. {way}"
        mended = None if mended and _NO_RETURN in mended else mended  # that is what the way says
    own = problem if _OF_THE_FORM.search(problem) else ""
    if mended or seen:
        if "in this precision" not in own:  # a line says more than what the inputs are like
            own = own.partition(_EXTREMES)[0]
        return " ".join(filter(None, (own, seen, mended)))
    if own and not _PARTS_APART.search(problem):
        return problem
    for way in (right_for_two, comes_out_when, inputs_tell):
        if found := way(evidence):
            return f"{own} {found}".strip()
    return problem
