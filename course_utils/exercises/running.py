"""Run a learner's function on a few inputs, and keep what it gave or what it raised.

Nothing that the function does comes out of ``run_all`` as an exception, but for the learner's own
KeyboardInterrupt: the stop button of the notebook has to work.
"""

import contextlib
import copy
import inspect
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.exercises.difference import CannotCompare, difference
from course_utils.exercises.limits import (
    TooLong,
    call_within,
    seed_the_processor,
    stop_button_known,
)
from course_utils.exercises.undisturbed import printing_held

# Where code lives that no learner wrote.
_NOT_THEIRS = (
    str(Path(__file__).parents[1]),
    str(Path(torch.__file__).parents[1]),
    *(sysconfig.get_paths()[part] for part in ("stdlib", "platstdlib", "purelib", "platlib")),
    "<frozen",
)


_LONGEST = 400  # characters of a text that an attempt made


class Unfit(Exception):
    """The attempt cannot be called as the exercise calls it; the message says why, to a learner."""


class Elsewhere:
    """An attempt that lives in another process and is run there."""

    def run(self, cases: Sequence[tuple], seed: int) -> "list[Outcome]":
        """One outcome for each case, or fewer."""
        raise NotImplementedError

    def run_part(self, place: int, seed: int) -> "Outcome":
        """What a build's part at this place led to."""
        raise NotImplementedError

    def run_leaves(self, cases: Sequence[tuple], seed: int) -> "list[LeafRun]":
        """What ``gradient.run_leaves`` gives for it: one run for each case, or fewer."""
        raise NotImplementedError


@dataclass
class Outcome:
    """What one call led to.

    result: what the function returned, if ``returned``; seen: what the exercise compares, which is
    the result or what ``observe`` makes of it; changed: the positions of the arguments that the
    call changed; error: what was raised, by the function or by ``observe``; printed: what was
    printed meanwhile, up to a screenful.
    """

    returned: bool = False
    result: Any = None
    seen: Any = None
    changed: tuple[int, ...] = ()
    error: BaseException | None = None
    printed: str = ""


@dataclass
class LeafRun:
    """A call with leaves for inputs: what it led to, and the gradient of each leaf by its place.

    carries: whether what the exercise compares carries a gradient at all.
    """

    outcome: Outcome
    carries: bool = False
    gradients: dict[str, Tensor] = field(default_factory=dict)


def run_all(
    fn: Callable,
    cases: Sequence[tuple],
    seed: int,
    seconds: float,
    observe: Callable | None = None,
    like: type[nn.Module] | None = None,
) -> list[Outcome]:
    """Call ``fn`` on a copy of each case, all within ``seconds``; one outcome for each case.

    After too long a call the last outcome's error is TooLong, and there may be fewer outcomes
    than cases. ``like``: the module class whose parameters ``fn``, a module class too, is given;
    each case is then (constructor arguments, call arguments).
    """
    outcomes: list[Outcome] = []

    def go() -> None:
        for index, case in enumerate(cases):
            outcomes.append(Outcome())
            run_case(fn, case, (seed + index) % 2**31, observe, like, outcome=outcomes[-1])

    try:
        call_within(seconds, go)
    except TooLong as error:
        printed = outcomes[-1].printed if outcomes else ""
        outcomes[-1:] = [Outcome(error=error, printed=printed)]
    return outcomes


def run_case(
    fn: Callable,
    case: tuple,
    seed: int,
    observe: Callable | None = None,
    like: type[nn.Module] | None = None,
    prepare: Callable[[nn.Module | None, tuple], tuple] | None = None,
    outcome: Outcome | None = None,
) -> Outcome:
    """Call ``fn`` on a copy of one case, as ``run_all`` does, but without a limit.

    prepare: takes the module that was built, if one was, and the call's arguments, and returns the
    arguments to call with. outcome: filled in and returned, in place of a new one.
    """
    outcome = outcome or Outcome()
    with _caught(outcome), torch.enable_grad():
        arguments = _copied(case)
        seed_the_processor(seed)
        if like is not None:
            fn = _built(fn, like, arguments[0], seed)
            case, arguments = case[1], arguments[1]
        _require_fit(fn, arguments)
        if prepare is not None:
            arguments = prepare(fn if like else None, arguments)
        outcome.result = fn(*arguments)
        outcome.returned = True
        outcome.changed = () if prepare else _changed(arguments, case)
        observed = (outcome.result, fn, *arguments) if like else (outcome.result, *arguments)
        outcome.seen = observe(*observed) if observe else outcome.result
    return outcome


def run_part(do: Callable, attempt: Any, seed: int, seconds: float) -> Outcome:
    """What ``do(attempt, seed)``, a part of a build, led to within ``seconds``."""
    outcome = Outcome()

    def go() -> None:
        seed_the_processor(seed)
        with _caught(outcome), torch.enable_grad():
            outcome.seen = outcome.result = do(attempt, seed)
            outcome.returned = True

    try:
        call_within(seconds, go)
    except TooLong as error:
        return Outcome(error=error, printed=outcome.printed)
    return outcome


@contextlib.contextmanager
def _caught(outcome):
    """Keep what is raised and printed, but for the stop button and the end of the time."""
    with stop_button_known() as button, printing_held() as held:
        try:
            yield
        except TooLong:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and button.pressed:
                raise
            outcome.error = error
        finally:
            outcome.printed = held.text


def _copied(case):
    """A deep copy that keeps the gradients of parameters, which deepcopy leaves out.

    A training step that forgets `zero_grad` shows only where an old gradient is there.
    """
    memo: dict = {}
    copied = copy.deepcopy(case, memo)
    for original in memo.get(id(memo), []):  # deepcopy keeps what it copied alive in this list
        if isinstance(original, nn.Parameter) and original.grad is not None:
            memo[id(original)].grad = original.grad.clone()
    return copied


def _changed(arguments, case):
    """Positions of the arguments that are no longer what the case says."""
    return tuple(i for i, pair in enumerate(zip(arguments, case, strict=True)) if _differs(*pair))


def _differs(after, before):
    try:
        return difference(after, before, rtol=0, atol=0) is not None
    except CannotCompare:
        return False


def _require_fit(fn, arguments):
    """Unfit, in a sentence, if ``fn`` cannot take so many arguments."""
    callee = fn.forward if isinstance(fn, nn.Module) else fn
    try:
        signature = inspect.signature(callee)
    except (TypeError, ValueError):  # some built-in functions do not tell
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        given = "1 argument" if len(arguments) == 1 else f"{len(arguments)} arguments"
        taken = _safely(str, signature)
        raise Unfit(
            f"Yours takes the arguments `{taken}`, but the exercise calls it with {given}."
        ) from None


def error_text(error: BaseException) -> str:
    """What an error says, on one line; empty where it cannot say anything."""
    return " ".join(_safely(str, error).split())


def _safely(write, value):
    """A text that somebody's class makes of a value: it may be long, or not come at all."""
    try:
        return str(write(value))[:_LONGEST]
    except Exception:
        return ""


def parameters_of(fn: Callable, count: int) -> list[str]:
    """Names of the first ``count`` parameters of a function or class, for messages."""
    names = [name for name in inspect.signature(fn).parameters if name != "self"]
    return (names + [f"argument {i + 1}" for i in range(len(names), count)])[:count]


def module_of(attempt: Any, *arguments: Any, **named: Any) -> nn.Module:
    """For a build: a module of the learner's class. Raises Unfit, in a sentence, if it is none."""
    if not (isinstance(attempt, type) and issubclass(attempt, nn.Module)):
        raise Unfit("The exercise asks for a class that derives from `nn.Module`.")
    _require_fit(attempt, arguments)
    try:
        return attempt(*arguments, **named)
    except AttributeError as error:
        if "before Module.__init__() call" not in str(error):
            raise
        raise Unfit(
            "The constructor has to begin with `super().__init__()`: before it there is no place "
            "where parameters and layers could be kept."
        ) from None


# --- modules: the attempt gets the reference's parameters ------------------------------------


def _built(cls, like, arguments, seed):
    """An instance of the attempt that holds the parameters and buffers of the reference."""
    model = like(*copy.deepcopy(arguments))
    _require_fit(cls, arguments)
    seed_the_processor(seed)
    module = cls(*arguments)
    _copy_state(model, module)
    # However many numbers the constructor drew; and not those from which it made its first weights,
    # or a layer that is made anew at each call would hold the right ones.
    seed_the_processor((seed + 1_000_003) % 2**31)
    return module


def _copy_state(model, module):
    wanted, given = dict(model.named_parameters()), dict(module.named_parameters())
    _require_names(wanted, given)
    buffers = dict(module.named_buffers())
    with torch.no_grad():
        for name, value in wanted.items():
            given[name].copy_(value)
        for name, value in model.named_buffers():
            if name in buffers and buffers[name].shape == value.shape:
                buffers[name].copy_(value)


def _require_names(wanted, given):
    """Unfit, in a sentence, if the parameters differ in name or shape."""
    missing, extra = wanted.keys() - given.keys(), given.keys() - wanted.keys()
    problems = []
    if missing:
        problems.append(f"has no parameter {_listed(missing, wanted)}")
    if extra:
        problems.append(f"has {_listed(extra, given)}, which the exercise does not ask for")
    if problems:
        raise Unfit(
            f"Your module {' and '.join(problems)}. A parameter takes its name from the attribute "
            "that holds it, and one in a plain list or dict is not found."
        )
    for name, value in wanted.items():
        if given[name].shape != value.shape:
            shapes = tuple(given[name].shape), tuple(value.shape)
            raise Unfit(
                f"Your module's parameter `{name}` has shape {shapes[0]}; expected is {shapes[1]}."
            )


def _listed(names, parameters):
    return ", ".join(f"`{name}` {tuple(parameters[name].shape)}" for name in sorted(names))


# --- where in the learner's own code ----------------------------------------------------------


def own_line(error: BaseException) -> tuple[int, str] | None:
    """Number and text of the last line of the learner's code on the way to ``error``.

    None where no such line took part. The text is empty where the source is not at hand.
    """
    theirs = [
        entry
        for entry in traceback.extract_tb(error.__traceback__)
        if not entry.filename.startswith(_NOT_THEIRS)
    ]
    return (theirs[-1].lineno or 0, theirs[-1].line or "") if theirs else None


def own_frame(error: BaseException) -> FrameType | None:
    """The learner's last frame on the way to ``error``, with the values of its names."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    theirs = [f for f in frames if not f.f_code.co_filename.startswith(_NOT_THEIRS)]
    return theirs[-1] if theirs else None


def is_stub(error: BaseException | None) -> bool:
    """Whether ``error`` is the NotImplementedError that stands where a body is to be written."""
    if not isinstance(error, NotImplementedError):
        return False
    # torch raises the same class for operations that it lacks; those lines do not name it.
    last = traceback.extract_tb(error.__traceback__)[-1]
    own = not last.filename.startswith(_NOT_THEIRS)
    return own and (not last.line or "NotImplementedError" in last.line)
