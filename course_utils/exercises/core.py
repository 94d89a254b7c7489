"""Exercises as data, and the verdict on an attempt.

An exercise is declared once, as ``name = Exercise(...)`` in ``lessonNN.py``; nothing here knows a
lesson. ``judge`` runs the attempt and the reference on the same fresh inputs and compares what
comes out. Where the two differ it runs the declared mistakes too, and the first one that gives
the attempt's own answers says what went wrong. ``check`` shows the verdict, and gives back a
function that works in any case, so that a notebook runs on below an unsolved exercise.
"""

import contextlib
import copy
import dataclasses
import functools
import numbers
import re
import secrets
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course_utils import progress
from course_utils.exercises import faults, handed_in, repairs
from course_utils.exercises.difference import (
    described,
    difference,
    extent,
    narrowed,
    short,
    shorten,
)
from course_utils.exercises.evidence import Evidence
from course_utils.exercises.gradient import gradient_problem
from course_utils.exercises.limits import (
    TooLong,
    call_within,
    plain_defaults,
    random_state_kept,
    seed_the_processor,
)
from course_utils.exercises.reasons import reason
from course_utils.exercises.running import (
    Elsewhere,
    Outcome,
    Unfit,
    error_text,
    is_stub,
    own_line,
    parameters_of,
    run_all,
    run_part,
)
from course_utils.exercises.telling import announce
from course_utils.exercises.undisturbed import settings_kept

RIGHT, WRONG, NOT_ATTEMPTED = "Right", "Wrong", "Not attempted"
_COLOURS = {RIGHT: "both", WRONG: "text", NOT_ATTEMPTED: "majority"}
_EXP_ENDS = 88
_ANY = 1e30  # so far apart may values be where only kind and shape count
_LINES = 5  # of details; a hint makes the sixth
_STAND_IN = "__course_stand_in__"
_part_reached: dict[str, int] = {}  # by name of a build, since the last check

# --- what a lesson declares ------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    """A wrong way to do an exercise, and the sentence for a learner whose answers it gives."""

    fn: Callable
    message: str


@dataclass(frozen=True)
class Part:
    """One thing that a build has to do: what is tried, and what is said of what came out.

    name: in a few words, as messages give it ("an empty row").
    do: ``do(attempt, seed)`` runs the attempt and returns plain values: tensors, numbers, texts,
        lists and dicts of them. It may raise ``Unfit`` with a sentence for the learner.
    judge: ``judge(seen, seed)``, None where these values are right, else a sentence that says
        what is wrong. It gets no attempt, so the attempt may have run in another process.
    hints: for this part, from a nudge to nearly the solution.
    """

    name: str
    do: Callable[[Any, int], Any]
    judge: Callable[[Any, int], str | None]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Broken:
    """What ``verify`` returns where an answer makes the claim false.

    numbers: those that say so, as a clause that ends a sentence: "F1 is 0.44 without weights ...".
    """

    numbers: str


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
    unaffected: faults of ``faults.FAULTS`` that this exercise accepts, each with the reason why
        it does not matter here. With "detached result", gradients are not compared.

    Or, for a build, a reference and ``parts``, which are tried in order up to the first that does
    not hold. The message of each of its ``mistakes`` stands in what that part's ``judge`` says.

    Or, for *break this claim*, where the attempt takes no argument and returns a dict of dials:

    verify: ``verify(dials, seed)``, ``Broken(numbers)`` if these dials make the claim false, else a
        sentence that says why they do not. Tried over three seeds.
    exact: ``verify`` computes and does not draw, so one seed is enough.
    right_dials, wrong_dials: dials that do, and several that do not.

    hints: from a nudge to nearly the solution; a build has them in its parts.
    seconds: the limit for an attempt on all cases, or on one part.
    """

    reference: Callable | None = None
    cases: Callable[[torch.Generator], Iterable[tuple]] | None = None
    parts: tuple[Part, ...] = ()
    also_right: tuple[Callable, ...] = ()
    hints: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    observe: Callable[..., Any] | None = None
    module: bool = False
    changes_input: bool = False
    rtol: float = 1e-4
    atol: float = 1e-5
    seconds: float = 10.0
    unaffected: Mapping[str, str] = field(default_factory=dict)
    verify: Callable[[dict, int], Broken | str] | None = None
    exact: bool = False
    right_dials: Mapping[str, Any] = field(default_factory=dict)
    wrong_dials: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self):
        ways = (self.cases is not None, bool(self.parts), self.verify is not None)
        if sum(ways) != 1 or (self.reference is None) != (self.verify is not None):
            raise TypeError(
                "an exercise needs either `reference` and `cases`, or `reference` and `parts`, "
                "or `verify`"
            )
        if unknown := self.unaffected.keys() - faults.FAULTS.keys():
            raise TypeError(f"`unaffected` names faults that there are not: {sorted(unknown)}")

    @property
    def like(self) -> type[nn.Module] | None:
        """The module class whose parameters an attempt is given, where it is to be a module."""
        return self.reference if self.module else None

    @property
    def asks_for(self) -> type:
        """What an attempt is to be: ``nn.Module`` or ``object`` for a class, or a function."""
        if not isinstance(self.reference, type):
            return types.FunctionType
        return nn.Module if issubclass(self.reference, nn.Module) else object

    @property
    def called(self) -> Callable:
        """What is called with a case's arguments: the reference, or the module's ``forward``."""
        return self.reference.forward if self.module else self.reference

    def run(self, fn: Callable, cases: list[tuple], seed: int) -> list[Outcome]:
        """What ``fn`` does on each case, within the exercise's seconds."""
        if isinstance(fn, Elsewhere):
            return fn.run(cases, seed)
        return run_all(fn, cases, seed, self.seconds, self.observe, self.like)

    def run_part(self, place: int, fn: Callable, seed: int) -> Outcome:
        """What the part of a build at ``place`` led to with ``fn``."""
        if isinstance(fn, Elsewhere):
            return fn.run_part(place, seed)
        return run_part(self.parts[place].do, fn, seed, self.seconds)

    def draw(self, seed: int) -> list[tuple]:
        """The cases of one seed."""
        seed_the_processor(seed)  # a case may hold a layer, which draws from the global state
        return list(self.cases(torch.Generator().manual_seed(seed)))

    def differs(self, got: Outcome, expected: Outcome) -> str | None:
        """A sentence that says how two answers differ, or None."""
        named = self.observe and isinstance(expected.seen, Mapping)
        where = "" if named else "Your answer"
        return difference(got.seen, expected.seen, self.rtol, self.atol, where)


def other_names(dials: Mapping, *names: str) -> str | None:
    """For a ``verify``: a sentence where an answer has other names than these, or None."""
    if set(dials) == set(names):
        return None
    wanted = ", ".join(f"`{name}`" for name in names[:-1]) + f" and `{names[-1]}`"
    given = ", ".join(f"`{name}`" for name in dials) or "none"
    return f"Give {wanted}; you gave {given}."


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
    grade: for automatic grading: give the score, 1 or 0, as ``grading.score`` does.

    Returns the attempt if it is right, else a marked copy of the reference (of a function that
    returns the right dials), which a later check knows from an attempt.
    """
    if grade:
        from course_utils.exercises import grading  # which leans on this module

        return grading.score(exercise, name, attempt, seed)
    verdict = _judge_anything(exercise, attempt, secrets.randbits(31) if seed is None else seed)
    with contextlib.suppress(ValueError, OSError):  # the attempt closed what is written to
        tell(name, verdict)
    return attempt if verdict.kind == RIGHT else stand_in(exercise, name)


def _judge_anything(exercise, attempt, seed):
    """The verdict, also where an attempt brings the course's own code to fall."""
    try:
        return judge(exercise, attempt, seed)
    except Exception as error:
        return Verdict(
            WRONG,
            f"This answer could not be judged ({type(error).__name__}). If it gives plain tensors "
            "and numbers, the fault is the course's.",
        )


def tell(name: str, verdict: "Verdict") -> None:
    """Show a verdict to a learner; the hints that follow are those of the part that it met.

    A right answer is recorded as solved.
    """
    if verdict.kind == RIGHT:
        progress.record_solved(name)
    _part_reached[name] = verdict.part or 0
    if verdict.printed:
        print(verdict.printed, end="" if verdict.printed.endswith("\n") else "\n")
    details = [
        (label, text.replace("check(...", f'check("{name}"')) for label, text in verdict.details
    ]
    if verdict.kind != RIGHT:
        details.append(("Stuck", f'hint("{name}")'))
    heading, colour = f"{verdict.kind}: `{name}`", _COLOURS[verdict.kind]
    announce(heading, verdict.sentence, details, colour)


def hints_for(exercise: Exercise, name: str) -> tuple[str, tuple[str, ...]]:
    """Whose hints are due, and the hints: of a build, those of the part that the last check met."""
    if not exercise.parts:
        return f"`{name}`", exercise.hints
    part = exercise.parts[_part_reached.get(name, 0)]
    return f"`{name}`, {part.name}", part.hints


def stand_in(exercise: Exercise, name: str) -> Callable:
    """A marked function (class) under the exercise's name that does the exercise right."""
    if exercise.verify:

        def substitute():
            return copy.deepcopy(dict(exercise.right_dials))

    elif isinstance(exercise.reference, type):
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
    try:
        return _STAND_IN in vars(attempt)
    except Exception:  # no attributes, or an object that will not show them
        return False


# --- the verdict -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """One of the three answers, and why.

    details: pairs of a label and a short text. part: of a build, the place of the first part that
    does not hold. printed: what the attempt printed in the trial that the verdict tells of.
    """

    kind: str
    sentence: str
    details: tuple[tuple[str, str], ...] = ()
    part: int | None = None
    printed: str = ""


@dataclass(frozen=True)
class Trial:
    """One case, what the reference did with it and what the attempt did."""

    case: tuple
    expected: Outcome
    given: Outcome


def judge(exercise: Exercise, attempt: Callable, seed: int) -> Verdict:
    """The verdict on an attempt; random state and settings are left as they were found."""
    if isinstance(attempt, handed_in.Missing):
        return Verdict(NOT_ATTEMPTED, attempt.why)
    if is_stand_in(attempt):
        return Verdict(NOT_ATTEMPTED, "Run the cell above first, then this one.")
    if not isinstance(attempt, Elsewhere) and (verdict := _of_its_kind(exercise, attempt)):
        return verdict
    judges = {bool(exercise.parts): _judge_parts, exercise.verify is not None: _judge_dials}
    with settings_kept(), random_state_kept(), plain_defaults():
        verdict = judges.get(True, _judge_answers)(exercise, attempt, seed)
    return _fitted(verdict)


def _fitted(verdict):
    """The verdict in few words, whatever the attempt's own texts are like."""
    details = tuple((short(label, 60), short(text, 130)) for label, text in verdict.details)
    return dataclasses.replace(verdict, sentence=short(verdict.sentence, 600), details=details)


def _of_its_kind(exercise, attempt):
    """The verdict on an attempt that need not be run, or None."""
    if problem := handed_in.unusable(attempt, exercise.asks_for):
        return Verdict(WRONG, problem)
    if handed_in.nothing_in_it(attempt):
        sentence = "There is nothing in the body yet: write it in the cell above and run that."
        return Verdict(NOT_ATTEMPTED, sentence)
    return None


def _judge_answers(exercise, attempt, seed):
    cases = exercise.draw(seed)
    expected = _run_ours(exercise, exercise.reference, cases, seed)
    for outcome in expected:  # the course's own fault, and its tests find it
        if isinstance(outcome.error, TooLong):
            raise TimeoutError(f"the reference did not end within {exercise.seconds:g} seconds")
        if outcome.error:
            raise outcome.error
    given = exercise.run(attempt, cases, seed)
    if stubs := [outcome.error for outcome in given if is_stub(outcome.error)]:
        return _not_attempted(stubs[0], attempt)
    wrong = wrong_trials(exercise, cases, expected, given)
    if not wrong:
        verdict = _judge_gradient(exercise, attempt, cases, expected, given, seed)
        return dataclasses.replace(verdict, printed=given[0].printed)
    # What raised comes before what is wrong in value, and of both the smallest case.
    trial, problem = min(wrong, key=lambda pair: (not _raised_in(pair[0]), extent(pair[0].case)))
    evidence = Evidence(exercise, attempt, cases, expected, given, seed, wrong_in(exercise))
    for mistake in exercise.mistakes:
        if _always_the_same(evidence, mistake.fn):
            return Verdict(WRONG, mistake.message, printed=trial.given.printed)
    problem = _laid_fault(evidence) or _reason(evidence, problem)
    details = _details(exercise, trial, seed)
    return Verdict(WRONG, problem, details, printed=trial.given.printed)


def _judge_gradient(exercise, attempt, cases, expected, given, seed):
    """The verdict on an attempt that is right in value."""
    asked = not exercise.changes_input and "detached result" not in exercise.unaffected
    problem = gradient_problem(exercise, attempt, cases, seed) if asked else None
    if problem:
        evidence = Evidence(exercise, attempt, cases, expected, given, seed, wrong_in(exercise))
        line = _gradient_line(evidence)
        return Verdict(WRONG, f"{problem} {line}".strip(), (_again(seed),))
    return Verdict(RIGHT, f"The same as the reference on {len(cases)} fresh inputs.")


def _gradient_line(evidence):
    """The line that cuts the gradient off, "" where it is not found."""
    exercise, cases, seed = evidence.exercise, evidence.cases, evidence.seed
    try:
        return (
            repairs.repair_of_gradient(
                evidence, lambda fn: gradient_problem(exercise, fn, cases, seed) is None
            )
            or ""
        )
    except Exception:  # as in _reason
        return ""


def _laid_fault(evidence):
    """The sentence of a fault that, laid over the reference, gives the attempt's answers."""
    if any(outcome.error for outcome in evidence.given):
        return None
    first = evidence.given[0].seen
    constant = all(evidence.agree(outcome.seen, first) for outcome in evidence.given)
    alike = constant and any(
        evidence.agree(first, part.expected[0].seen) for part in evidence.fresh
    )
    for name, sentence in faults.SENTENCES.items():
        # What never changes is the same for each row, and may be right for first inputs by chance.
        chance = {"first row only": constant, "cached first answer": alike}.get(name, False)
        if not chance and _always_the_same(
            evidence, faults.FAULTS[name](evidence.exercise.reference)
        ):
            return sentence
    return None


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


def _always_the_same(evidence, fn):
    """Whether ``fn`` does what the attempt did, on cases of other seeds too.

    On those of one seed a few short answers agree by chance.
    """
    parts = (evidence,) if isinstance(evidence.attempt, Elsewhere) else evidence.with_fresh()
    return all(
        _gives_the_same(evidence.exercise, fn, part.cases, part.given, part.seed) for part in parts
    )


def same_outcomes(exercise: Exercise, some: list[Outcome], others: list[Outcome]) -> bool:
    """Whether two functions did the same on every case, errors and changed inputs included."""
    return len(some) == len(others) and all(map(functools.partial(_same, exercise), some, others))


def _same(exercise, one, other):
    if one.error or other.error:
        texts = (error_text(one.error), error_text(other.error))
        return type(one.error) is type(other.error) and texts[0] == texts[1]
    if not exercise.changes_input and one.changed != other.changed:
        return False
    if isinstance(one.seen, Tensor) and isinstance(other.seen, numbers.Number):
        return not exercise.differs(one, other)  # a tensor may stand for a number, not vice versa
    return not exercise.differs(one, other) and not exercise.differs(other, one)


def _judge_parts(exercise, attempt, seed):
    outcomes = []
    for place in range(len(exercise.parts)):
        outcomes.append(exercise.run_part(place, attempt, seed))
        verdict = judge_part(exercise, place, outcomes[-1], seed, attempt)
        if verdict:
            return dataclasses.replace(verdict, printed=outcomes[-1].printed)
    names = ", ".join(part.name for part in exercise.parts)
    sentence = f"All {len(exercise.parts)} parts hold: {names}."
    return Verdict(RIGHT, sentence, printed=outcomes[0].printed)


def judge_part(
    exercise: Exercise, place: int, outcome: Outcome, seed: int, attempt: Any
) -> Verdict | None:
    """The verdict on a build whose part at ``place`` led to ``outcome``; None if it holds."""
    part = exercise.parts[place]
    names = ", ".join(earlier.name for earlier in exercise.parts[:place])
    held = (("holds already", names),) if names else ()
    if is_stub(outcome.error):
        return Verdict(NOT_ATTEMPTED, _not_attempted(outcome.error, attempt).sentence, held, place)
    problem = _part_problem(exercise, part, outcome, seed)
    if problem is None:
        return None
    heading = f"Part {place + 1} of {len(exercise.parts)}, {part.name}: "
    if place == 0 and _may_be_of_any_part(exercise, outcome.error):
        heading = ""
    again = (("this trial again", f"check(..., seed={seed})"),)
    details = (*held, *_where(outcome), *again)
    return Verdict(WRONG, heading + _sentence(problem), details, place)


def _may_be_of_any_part(exercise, error):
    """Whether a line of one function for all parts raised it: the first part runs them all."""
    own = error is not None and not isinstance(error, Unfit | TooLong) and own_line(error)
    return bool(own) and len(exercise.parts) > 1 and exercise.asks_for is types.FunctionType


def _part_problem(exercise, part, outcome, seed):
    error = outcome.error
    if error and not isinstance(error, Unfit | TooLong) and own_line(error) is None:
        return f"What your code gave cannot be used: {_named(error)}"
    if error:
        return _raised(exercise, outcome)
    try:
        return part.judge(outcome.seen, seed)
    except Exception as error:  # values of a kind that the part does not expect
        return f"What came out cannot be judged: {_named(error)}"


def _judge_dials(exercise, attempt, seed):
    (outcome,) = exercise.run(attempt, [()], seed)
    return dataclasses.replace(
        _dials_verdict(exercise, attempt, outcome, seed), printed=outcome.printed
    )


def _dials_verdict(exercise, attempt, outcome, seed):
    if is_stub(outcome.error):
        return _not_attempted(outcome.error, attempt)
    if outcome.error:
        return Verdict(WRONG, _raised(exercise, outcome), _where(outcome))
    if not isinstance(outcome.result, Mapping):
        return Verdict(WRONG, f"Return a dict; this is {shorten(outcome.result)}.")
    seeds = range(seed, seed + (1 if exercise.exact else 3))
    for each in seeds:
        found = _tried_dials(exercise, dict(outcome.result), each)
        if not isinstance(found, Broken):
            return Verdict(WRONG, found, (("your answer", shorten(outcome.result)),))
    how = "" if exercise.exact else f" {len(seeds)} times out of {len(seeds)}. In the last trial"
    return Verdict(RIGHT, _ended(f"This makes the claim false{how}: {found.numbers}"))


def _tried_dials(exercise, dials, seed):
    """Broken, or why these dials do not break the claim at this seed."""
    seed_the_processor(seed)
    try:
        return call_within(exercise.seconds, exercise.verify, copy.deepcopy(dials), seed)
    except TooLong:
        return f"With this answer the trial did not end within {exercise.seconds:g} seconds."
    except Exception as error:  # unknown names and impossible values end up here
        return f"This answer cannot be used: {_named(error)}"


# --- why it is wrong -------------------------------------------------------------------------


def _not_attempted(error, attempt):
    if isinstance(attempt, Elsewhere):  # its frames are in another process
        return Verdict(NOT_ATTEMPTED, "Its body is not written yet.")
    return Verdict(NOT_ATTEMPTED, handed_in.open_gap(error, attempt))


def _problem(exercise, trial):
    """A sentence on what is wrong in this trial, or None."""
    given, expected = trial.given, trial.expected
    if given.error and not given.returned:
        return _raised(exercise, given)
    if given.result is None and expected.result is not None:
        return "Your function returned None; is a `return` missing?"
    if given.error:  # what came back is so unlike the expected that it could not be looked at
        # By kind and shape alone: other values may be right too, or `observe` would not be there.
        problem = difference(given.result, expected.result, rtol=0, atol=_ANY)
        return _sentence(problem or f"What you returned cannot be used: {_named(given.error)}")
    problem = exercise.differs(given, expected)
    if problem:
        return f"{_sentence(problem)}{_on_what_is_not_finite(exercise, trial)}"
    if given.changed and not exercise.changes_input:
        names = parameters_of(exercise.called, max(given.changed) + 1)
        changed = " and ".join(f"`{names[i]}`" for i in given.changed)
        return f"Your function changed its input {changed} in place; work on a copy of it."
    return None


def _on_what_is_not_finite(exercise, trial):
    """Where an answer holds NaN or inf and the expected one does not: what the inputs are like."""
    _, mine, theirs = narrowed(trial.given.seen, trial.expected.seen, exercise.rtol, exercise.atol)
    if not (_all(torch.isfinite, theirs) and _all(lambda x: ~x.isfinite().all(), mine)):
        return ""
    if torch.as_tensor(mine).shape != torch.as_tensor(theirs).shape:
        return ""  # the shape is the matter
    found = [x.detach() for x in faults.tensors(trial.case) if x.is_floating_point()]
    reals = [x[x.isfinite()] for x in found if x.isfinite().any()]  # a mask may hold -inf
    if not reals:
        return ""
    low, high = min(x.min().item() for x in reals), max(x.max().item() for x in reals)
    text = f" The inputs go from {shorten(low)} to {shorten(high)}"
    if max(-low, high) > _EXP_ENDS:
        return f"{text}; in this precision `exp` of more than {_EXP_ENDS} is infinite."
    if any(x.isinf().any() for x in found):
        return f"{text}, and some are infinite: what becomes of these?"
    if any((x == 0).any() for x in reals):
        return f"{text}, with a 0 among them: do you divide by it, or take its logarithm?"
    return f"{text}."


def _all(test, value):
    """Whether a tensor or a number passes a test; nothing else does."""
    try:
        return bool(test(torch.as_tensor(value)).all())
    except Exception:
        return False


def _raised(exercise, outcome):
    error = outcome.error
    if isinstance(error, Unfit):
        return str(error)
    if isinstance(error, TooLong):
        return f"It did not end within {exercise.seconds:g} seconds; is there an endless loop?"
    return f"Your code raised {_named(error)}"


def _named(error):
    """Class and message of an error, on one line that ends like a sentence."""
    return _ended(": ".join(filter(None, (type(error).__name__[:60], error_text(error)))))


def _sentence(text):
    """The text from a capital to a full stop; a name in code, such as `gradient[0]`, stays."""
    if re.match(r"[a-z]\w*[\[._]|[a-z]\w*_", text):
        text = f"In your answer, {text}"
    return _ended(text[:1].upper() + text[1:])


def _ended(text):
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _details(exercise, trial, seed):
    """What helps to find the fault; whatever the attempt's objects do when they are looked at."""
    try:
        return call_within(2.0, _details_of, exercise, trial, seed)
    except (Exception, TooLong):
        return (_again(seed),)


def _details_of(exercise, trial, seed):
    """Of one trial: the line that raised, the inputs, and the two answers where there are two."""
    where, answers = _where(trial.given), ()
    if not trial.given.error and exercise.differs(trial.given, trial.expected):
        answers = _answers(exercise, trial)
    room = _LINES - len(where) - len(answers) - 1
    return (*where, *_in_room(_inputs(exercise, trial.case), room), *answers, _again(seed))


def _answers(exercise, trial):
    """The two answers, or of an answer in parts the part that differs."""
    place, mine, theirs = narrowed(
        trial.given.seen, trial.expected.seen, exercise.rtol, exercise.atol
    )
    return ((f"expected{place}", shorten(theirs)), (f"yours{place}", shorten(mine)))


def _in_room(details, room):
    """As many details as there is room for; of the others the kind, in one line."""
    if len(details) <= room:
        return tuple((label, shorten(value)) for label, value in details)
    whole, others = details[: room - 1], details[room - 1 :]
    kinds = ", ".join(f"{label.split()[-1]} {_kind_of(value)}" for label, value in others)
    return (*((label, shorten(value)) for label, value in whole), ("and", kinds))


def _kind_of(value):
    """A number as it is; of anything else its kind: "tensor (3, 2)"."""
    if isinstance(value, numbers.Number):
        return shorten(value)
    return re.sub(r"^an? ", "", described(value))


def _again(seed):
    return ("these inputs again", f"check(..., seed={seed})")


def _where(outcome):
    line = own_line(outcome.error) if outcome.error else None
    return ((f"line {line[0]} of your code", line[1]),) if line else ()


def _inputs(exercise, case):
    if not exercise.module:
        return _assigned("with", exercise.reference, case)
    built, called = case
    return (
        *_assigned("built with", exercise.reference, built),
        *_assigned("called with", exercise.called, called),
    )


def _assigned(verb, fn, values):
    names = parameters_of(fn, len(values))
    return tuple((f"{verb} {n}", value) for n, value in zip(names, values, strict=True))
