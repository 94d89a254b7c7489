"""Exercises as data, and the verdict on an attempt.

An exercise is declared once, as ``name = Exercise(...)`` in ``lessonNN.py``; nothing here knows a
lesson. ``judge`` runs the attempt and the reference on the same fresh inputs and compares what
comes out. Where the two differ it runs the declared mistakes too, and the first one that gives
the attempt's own answers says what went wrong. ``check`` shows the verdict, and gives back a
function that works in any case, so that a notebook runs on below an unsolved exercise.
"""

import copy
import functools
import secrets
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.difference import difference, extent, shorten
from course_utils.exercises.evidence import Evidence
from course_utils.exercises.limits import (
    TooLong,
    call_within,
    plain_defaults,
    random_state_kept,
    seed_the_processor,
)
from course_utils.exercises.reasons import reason
from course_utils.exercises.running import Outcome, Unfit, is_stub, own_line, parameters_of, run_all
from course_utils.exercises.telling import announce, plain

RIGHT, WRONG, NOT_ATTEMPTED = "Right", "Wrong", "Not attempted"
_COLOURS = {RIGHT: "both", WRONG: "text", NOT_ATTEMPTED: "majority"}
_STAND_IN = "__course_stand_in__"

# --- what a lesson declares ------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    """A wrong way to do an exercise, and the sentence for a learner whose answers it gives."""

    fn: Callable
    message: str


@dataclass(frozen=True)
class Exercise:
    """What to do, how it is tried, and what goes wrong.

    Either a reference and cases:

    reference: a right function; for ``module=True`` a right ``nn.Module`` class.
    cases: takes a seeded torch.Generator and yields tuples of arguments; with ``module=True``
        pairs (constructor arguments, call arguments), both tuples. Small, and such that every
        mistake shows.
    also_right, mistakes: other functions (classes) that must be found right or wrong.
    observe: what is compared, in place of the returned value: called after each run as
        ``observe(result, *arguments)``, for a module as ``observe(result, module, *arguments)``.
        A dict gives each part a name that messages use.
    changes_input: whether the function is meant to change its arguments. Where it is not, an
        attempt that does so is wrong.
    rtol, atol: how near numbers must come: ``|got - expected| <= atol + rtol * |expected|``.

    Or, for *break this claim*, where the attempt takes no argument and returns a dict of dials:

    verify: ``verify(dials, seed)``, true if these dials make the claim false. Instead of False it
        may return a sentence that says why they do not. Tried over three seeds.
    exact: ``verify`` computes and does not draw, so one seed is enough.
    right_dials, wrong_dials: dials that do, and several that do not.

    hints: from a nudge to nearly the solution. seconds: the limit for an attempt on all cases.
    """

    reference: Callable | None = None
    cases: Callable[[torch.Generator], Iterable[tuple]] | None = None
    also_right: tuple[Callable, ...] = ()
    hints: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    observe: Callable[..., Any] | None = None
    module: bool = False
    changes_input: bool = False
    rtol: float = 1e-4
    atol: float = 1e-5
    seconds: float = 10.0
    verify: Callable[[dict, int], bool | str] | None = None
    exact: bool = False
    right_dials: Mapping[str, Any] = field(default_factory=dict)
    wrong_dials: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self):
        by_reference = self.reference is not None and self.cases is not None
        if by_reference == (self.verify is not None):
            raise TypeError("an exercise needs either `reference` and `cases`, or `verify`")

    def run(self, fn: Callable, cases: list[tuple], seed: int) -> list[Outcome]:
        """What ``fn`` does on each case, within the exercise's seconds."""
        like = self.reference if self.module else None
        return run_all(fn, cases, seed, self.seconds, self.observe, like)

    def draw(self, seed: int) -> list[tuple]:
        """The cases of one seed."""
        seed_the_processor(seed)  # a case may hold a layer, which draws from the global state
        return list(self.cases(torch.Generator().manual_seed(seed)))

    def differs(self, got: Outcome, expected: Outcome) -> str | None:
        """A sentence that says how two answers differ, or None."""
        named = self.observe and isinstance(expected.seen, Mapping)
        where = "" if named else "Your answer"
        return difference(got.seen, expected.seen, self.rtol, self.atol, where)


def gradients(output: Tensor, *inputs: Tensor) -> list[Tensor | None]:
    """Gradients of a weighted sum of ``output``, for an ``observe`` that compares them.

    One for each input, in its shape; None where no gradient arrives. The weights differ from
    place to place, since the plain sum of a softmax has no gradient at all.
    """
    if not output.requires_grad:
        return [None] * len(inputs)
    weights = torch.linspace(1, 2, output.numel(), dtype=output.dtype).view_as(output)
    return list(torch.autograd.grad((weights * output).sum(), inputs, allow_unused=True))


# --- what a learner meets --------------------------------------------------------------------


def check(
    exercise: Exercise, name: str, attempt: Callable, seed: int | None = None, grade: bool = False
) -> Callable:
    """Show the verdict on an attempt, and give back a function for the cells below.

    seed: of the inputs and of every random number; a fresh one where left out.
    grade: for automatic grading: raise AssertionError unless the attempt is right.

    Returns the attempt if it is right, else a marked copy of the reference (of a function that
    returns the right dials), which a later check knows from an attempt.
    """
    verdict = judge(exercise, attempt, secrets.randbits(31) if seed is None else seed)
    heading = f"{verdict.kind}: `{name}`"
    if grade and verdict.kind != RIGHT:
        raise AssertionError(plain(f"{heading}. {verdict.sentence}", verdict.details))
    more = () if verdict.kind == RIGHT else (("Stuck", f'hint("{name}")'),)
    announce(heading, verdict.sentence, (*verdict.details, *more), _COLOURS[verdict.kind])
    return attempt if verdict.kind == RIGHT else stand_in(exercise, name)


def stand_in(exercise: Exercise, name: str) -> Callable:
    """A marked function (class) under the exercise's name that does the exercise right."""
    if exercise.verify:

        def substitute():
            return copy.deepcopy(dict(exercise.right_dials))

    elif exercise.module:
        substitute = type(name, (exercise.reference,), {"__doc__": exercise.reference.__doc__})
    else:

        @functools.wraps(exercise.reference)
        def substitute(*arguments, **named):
            return exercise.reference(*arguments, **named)

    substitute.__name__ = substitute.__qualname__ = name
    setattr(substitute, _STAND_IN, True)
    return substitute


def is_stand_in(attempt: Callable) -> bool:
    """Whether ``check`` made this: a class that a learner derives from it is not one."""
    return _STAND_IN in getattr(attempt, "__dict__", {})


# --- the verdict -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """One of the three answers, and why. ``details`` are pairs of a label and a short text."""

    kind: str
    sentence: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Trial:
    """One case, what the reference did with it and what the attempt did."""

    case: tuple
    expected: Outcome
    given: Outcome


def judge(exercise: Exercise, attempt: Callable, seed: int) -> Verdict:
    """The verdict on an attempt; global random state and torch's defaults are left as found."""
    if is_stand_in(attempt):
        return Verdict(NOT_ATTEMPTED, "Run the cell above first, then this one.")
    with random_state_kept(), plain_defaults():
        return (_judge_dials if exercise.verify else _judge_answers)(exercise, attempt, seed)


def _judge_answers(exercise, attempt, seed):
    cases = exercise.draw(seed)
    expected = _run_ours(exercise, exercise.reference, cases, seed)
    for outcome in expected:
        if outcome.error:
            raise outcome.error  # the course's own fault, and its tests find it
    given = exercise.run(attempt, cases, seed)
    if any(is_stub(outcome.error) for outcome in given):
        return _not_attempted()
    wrong = wrong_trials(exercise, cases, expected, given)
    if not wrong:
        return Verdict(RIGHT, f"The same as the reference on {len(cases)} fresh inputs.")
    for mistake in exercise.mistakes:
        if _gives_the_same(exercise, mistake.fn, cases, given, seed):
            return Verdict(WRONG, mistake.message)
    # What raised comes before what is wrong in value, and of both the smallest case.
    trial, problem = min(wrong, key=lambda pair: (not _raised_in(pair[0]), extent(pair[0].case)))
    evidence = Evidence(exercise, attempt, cases, expected, given, seed, wrong_in(exercise))
    return Verdict(WRONG, _reason(evidence, problem), _details(exercise, trial, seed))


def _reason(evidence, problem):
    """The reason, if one is found; a search that stumbles over the attempt costs nobody a verdict.

    It looks at answers of any kind and runs code that nobody wrote.
    """
    try:
        return reason(evidence, problem)
    except Exception:
        return problem


def wrong_in(exercise: Exercise) -> Callable[[tuple, Outcome, Outcome], str | None]:
    """A function of (case, expected, given) that says what is wrong in one case, or None."""
    return lambda *parts: _problem(exercise, Trial(*parts))


def _raised_in(trial):
    return trial.given.error is not None and not trial.given.returned


def wrong_trials(
    exercise: Exercise, cases: list[tuple], expected: list[Outcome], given: list[Outcome]
) -> list[tuple[Trial, str]]:
    """The cases in which an attempt is wrong, each with a sentence that says what is."""
    # An attempt that took too long has fewer outcomes than there are cases.
    trials = [Trial(*parts) for parts in zip(cases, expected, given, strict=False)]
    return [(trial, problem) for trial in trials if (problem := _problem(exercise, trial))]


def _run_ours(exercise, fn, cases, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the learner did not write what would be warned of
        return exercise.run(fn, cases, seed)


def _gives_the_same(exercise, fn, cases, given, seed):
    """Whether ``fn`` does on every case what the attempt did; the first difference settles it."""
    return len(given) == len(cases) and all(
        _same(exercise, outcome, *_run_ours(exercise, fn, [case], seed + index))
        for index, (case, outcome) in enumerate(zip(cases, given, strict=True))
    )


def same_outcomes(exercise: Exercise, some: list[Outcome], others: list[Outcome]) -> bool:
    """Whether two functions did the same on every case, errors and changed inputs included."""
    return len(some) == len(others) and all(map(functools.partial(_same, exercise), some, others))


def _same(exercise, one, other):
    if one.error or other.error:
        return (type(one.error), str(one.error)) == (type(other.error), str(other.error))
    if not exercise.changes_input and one.changed != other.changed:
        return False
    return not exercise.differs(one, other) and not exercise.differs(other, one)


def _judge_dials(exercise, attempt, seed):
    (outcome,) = exercise.run(attempt, [()], seed)
    if is_stub(outcome.error):
        return _not_attempted()
    if outcome.error:
        return Verdict(WRONG, _raised(exercise, outcome), _where(outcome))
    if not isinstance(outcome.result, Mapping):
        return Verdict(WRONG, f"Return a dict of dials; this is {shorten(outcome.result)}.")
    for each in range(seed, seed + (1 if exercise.exact else 3)):
        problem = _dial_problem(exercise, dict(outcome.result), each)
        if problem:
            return Verdict(WRONG, problem, (("your dials", shorten(outcome.result)),))
    how = ", as the exact numbers say." if exercise.exact else " for each of three seeds."
    return Verdict(RIGHT, f"These dials make the claim false{how}")


def _dial_problem(exercise, dials, seed):
    """Why these dials do not break the claim at this seed, or None."""
    seed_the_processor(seed)
    try:
        broken = call_within(exercise.seconds, exercise.verify, copy.deepcopy(dials), seed)
    except TooLong:
        return f"With these dials the trial did not end within {exercise.seconds:g} seconds."
    except Exception as error:  # unknown names and impossible values end up here
        return f"These dials cannot be used: {_named(error)}"
    if isinstance(broken, str):
        return broken
    return None if broken else "With these dials the claim still holds."


# --- why it is wrong -------------------------------------------------------------------------


def _not_attempted():
    return Verdict(NOT_ATTEMPTED, "Write the body in the cell above, run it, then run this one.")


def _problem(exercise, trial):
    """A sentence on what is wrong in this trial, or None."""
    given, expected = trial.given, trial.expected
    if given.error and not given.returned:
        return _raised(exercise, given)
    if given.result is None and expected.result is not None:
        return "Your function returned None; is a `return` missing?"
    if given.error:  # what came back is so unlike the expected that it could not be looked at
        problem = difference(given.result, expected.result, exercise.rtol, exercise.atol)
        return _sentence(problem or f"What you returned cannot be used: {_named(given.error)}")
    problem = exercise.differs(given, expected)
    if problem:
        return _sentence(problem)
    if given.changed and not exercise.changes_input:
        names = parameters_of(_called(exercise), max(given.changed) + 1)
        changed = " and ".join(f"`{names[i]}`" for i in given.changed)
        return f"Your function changed its input {changed} in place; work on a copy of it."
    return None


def _raised(exercise, outcome):
    error = outcome.error
    if isinstance(error, Unfit):
        return str(error)
    if isinstance(error, TooLong):
        return f"It did not end within {exercise.seconds:g} seconds; is there an endless loop?"
    return f"Your code raised {_named(error)}"


def _named(error):
    """Class and message of an error, on one line that ends like a sentence."""
    return _sentence(": ".join(filter(None, (type(error).__name__, " ".join(str(error).split())))))


def _sentence(text):
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _details(exercise, trial, seed):
    """Of one trial: the line that raised, the inputs, and the two answers where there are two."""
    details = (*_where(trial.given), *_inputs(exercise, trial.case))
    if not trial.given.error and exercise.differs(trial.given, trial.expected):
        details += (
            ("expected", shorten(trial.expected.seen)),
            ("yours", shorten(trial.given.seen)),
        )
    return (*details, ("these inputs again", f"check(..., seed={seed})"))


def _where(outcome):
    line = own_line(outcome.error) if outcome.error else None
    return ((f"line {line[0]} of your code", line[1]),) if line else ()


def _inputs(exercise, case):
    if not exercise.module:
        return _assigned("with", exercise.reference, case)
    built, called = case
    return (
        *_assigned("built with", exercise.reference, built),
        *_assigned("called with", _called(exercise), called),
    )


def _called(exercise):
    return exercise.reference.forward if exercise.module else exercise.reference


def _assigned(verb, fn, values):
    names = parameters_of(fn, len(values))
    return tuple((f"{verb} {n}", shorten(v)) for n, v in zip(names, values, strict=True))
