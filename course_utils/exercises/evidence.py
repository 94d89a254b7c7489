"""What a check has seen of a wrong attempt, for those who look for the reason.

Functions can be run again on the same cases here, each within a moment.
"""

import contextlib
import dataclasses
import functools
import inspect
import io
import time
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from course_utils.exercises.difference import CannotCompare, extent
from course_utils.exercises.limits import TooLong
from course_utils.exercises.running import Outcome, parameters_of

_SECONDS_AGAIN = 1.0  # for an attempt on the cases of another seed


@dataclass(frozen=True)
class Evidence:
    """A wrong attempt, and what came out.

    exercise: as declared (`core.Exercise`); cases, expected, given: one entry for each case, what
    the reference did and what the attempt did; seed: that of the cases.
    problem: ``problem(case, expected, given)``, a sentence on what is wrong in one case, or None.
    """

    exercise: Any
    attempt: Callable
    cases: list[tuple]
    expected: list[Outcome]
    given: list[Outcome]
    seed: int
    problem: Callable[[tuple, Outcome, Outcome], str | None]

    def run(self, fn: Callable, case: tuple, index: int, seconds: float = 0.5) -> Outcome:
        """What ``fn`` does with one case, which stands in for the case of that number."""
        quick = dataclasses.replace(self.exercise, seconds=seconds)
        return quick.run(fn, [case], self.seed + index)[0]

    def right(self, index: int, outcome: Outcome) -> bool:
        """Whether an outcome is right for the case of that number."""
        return self.problem(self.cases[index], self.expected[index], outcome) is None

    def arguments(self, case: tuple) -> dict[str, Any]:
        """The values of a case by the learner's own names; of a module, for both its calls."""
        return {
            name: value
            for names, values in zip(self._names, self._calls(case), strict=True)
            for name, value in zip(names[: len(values)], values, strict=True)
        }

    def with_argument(self, case: tuple, name: str, value: Any) -> tuple:
        """A case in which one argument has another value."""
        calls = [
            tuple(
                value if n == name else v for n, v in zip(names[: len(values)], values, strict=True)
            )
            for names, values in zip(self._names, self._calls(case), strict=True)
        ]
        return tuple(calls) if self.exercise.module else calls[0]

    def default_of(self, name: str) -> Any:
        """A parameter's default in the reference; None where it has none."""
        for fn, names in zip(self._callees(self.exercise.reference), self._names, strict=True):
            parameters = [p for p in inspect.signature(fn).parameters.values() if p.name != "self"]
            for own, parameter in zip(names, parameters, strict=False):
                if own == name and parameter.default is not parameter.empty:
                    return parameter.default
        return None

    def _calls(self, case):
        return case if self.exercise.module else (case,)

    def _callees(self, fn):
        return (fn, fn.forward) if self.exercise.module else (fn,)

    @functools.cached_property
    def _names(self):
        """Names of the parameters of each call, the learner's where these are enough."""
        counts = [max(map(len, calls)) for calls in zip(*map(self._calls, self.cases), strict=True)]
        theirs = self._callees(self.attempt) if _fits(self.attempt, self.exercise) else ()
        names = []
        for index, fn in enumerate(self._callees(self.exercise.reference)):
            wanted = parameters_of(fn, counts[index])
            own = _parameters(theirs[index]) if theirs else []
            names.append(own if len(own) >= counts[index] else wanted)
        return names

    def wrong_cases(self) -> list[int]:
        """Numbers of the cases in which the attempt is wrong; those not reached count too."""
        reached = len(self.given)
        return [
            index
            for index in range(len(self.cases))
            if index >= reached or not self.right(index, self.given[index])
        ]

    def agree(self, some: Any, other: Any) -> bool:
        """Whether two answers are the same, by the exercise's own comparison."""
        pair = Outcome(returned=True, seen=some), Outcome(returned=True, seen=other)
        try:
            return not self.exercise.differs(*pair) and not self.exercise.differs(*pair[::-1])
        except (CannotCompare, RecursionError):
            return False

    def first_problem(self) -> str:
        """What the first wrong case says, "" where none was reached."""
        trials = zip(self.cases, self.expected, self.given, strict=False)
        return next(filter(None, (self.problem(*trial) for trial in trials)), "")

    def raised(self) -> list[int]:
        """Numbers of the cases in which the attempt raised, the smallest case first."""
        found = [
            i for i, outcome in enumerate(self.given) if outcome.error and not outcome.returned
        ]
        return sorted(found, key=lambda index: extent(self.cases[index]))

    @functools.cached_property
    def fresh(self) -> tuple["Evidence", ...]:
        """The same attempt on cases of other seeds: what is true of all is no coincidence."""
        return tuple(self._again(self.seed + step) for step in (7919, 104729))

    def with_fresh(self) -> Iterator["Evidence"]:
        """This evidence, and that on cases of other seeds as soon as it is asked for."""
        yield self
        for part in self.fresh:
            if not any(isinstance(outcome.error, TooLong) for outcome in part.given):
                yield part

    def _again(self, seed):
        cases = self.exercise.draw(seed)
        with unheard():
            expected = self.exercise.run(self.exercise.reference, cases, seed)
            quick = dataclasses.replace(self.exercise, seconds=_SECONDS_AGAIN)
            given = quick.run(self.attempt, cases, seed)
        return dataclasses.replace(self, cases=cases, expected=expected, given=given, seed=seed)


def _parameters(fn):
    """Names of all parameters that take one value each."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(fn).parameters.values()
    return [p.name for p in parameters if p.kind in kinds and p.name != "self"]


def _fits(attempt, exercise):
    """Whether the attempt is of the kind that is asked for, so that its names can be used."""
    if exercise.module:
        return isinstance(attempt, type) and callable(getattr(attempt, "forward", None))
    return isinstance(attempt, types.FunctionType)


def telling(answers: list[tuple[Any, Any]]) -> bool:
    """Whether so many different pairs of a right and a given answer are no coincidence.

    Of answers that are one number or one of a few, equal ones come about by chance.
    """
    if len(answers) < 2:
        return False
    if any(_richness(given) > 1 for _, given in answers):
        return True
    different = {repr(pair) for pair in answers}
    few = all(isinstance(part, bool) for pair in answers for part in pair)
    return len(answers) >= 8 if few else len(different) >= 4


def _richness(value):
    """How many numbers agree by chance at most: of named parts, in the richest of them."""
    if isinstance(value, Mapping):
        return max(map(_richness, value.values()), default=0)
    return extent(value)


class _Nowhere(io.TextIOBase):
    """A stream that keeps nothing: an attempt that floods is run many times."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Nothing that is printed or warned of in here reaches the learner, who did not ask for it."""
    with (
        contextlib.redirect_stdout(_Nowhere()),
        contextlib.redirect_stderr(_Nowhere()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


class Clock:
    """Seconds of work that may still be done, so that a busy machine finds what an idle one does.

    Waiting counts too, but half as much. All times are ``patience`` times as long: tests of what a
    search finds set it higher, so that no slow machine makes it give up.
    """

    patience = 1.0

    def __init__(self, seconds: float):
        seconds *= self.patience
        self._worked, self._waited = time.thread_time() + seconds, time.monotonic() + 2 * seconds

    @property
    def left(self) -> float:
        """Seconds left; not positive where the time is over."""
        return min(self._worked - time.thread_time(), self._waited - time.monotonic())
