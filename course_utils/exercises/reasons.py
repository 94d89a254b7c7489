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
from course_utils.exercises.running import Elsewhere, Unfit
from course_utils.exercises.which_inputs import inputs_tell, right_for_some

# Sentences on the form of an answer, or on NaN in it, that are reasons themselves.
_OF_THE_FORM = re.compile(r" lacks |should not be there|returned None| is an? |The inputs go from")


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
    if "in place" in problem:
        return problem
    mended = repair(evidence)
    if evidence.raised():
        return _joined(problem, mended or right_for_some(evidence) or meaning(evidence))
    seen = shown(evidence)
    if mended or seen or _OF_THE_FORM.search(problem):
        own = problem if _OF_THE_FORM.search(problem) and not seen else None
        return _joined(own, seen, mended)
    ways = (right_for_some, comes_out_when, inputs_tell)
    return next(filter(None, (way(evidence) for way in ways)), problem)


def _joined(*sentences: str | None) -> str:
    return " ".join(filter(None, sentences))
