"""Does the gradient get through an answer that is right in value?

Attempt and reference run once more, on inputs moved by a hair, with the float inputs and the
parameters as leaves. Where two functions give the same values all around a point, their gradients
there are the same too, unless one of them is cut off on the way; and moved inputs have no ties, at
which right answers may well differ in their gradients.
"""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.exercises.faults import tensors
from course_utils.exercises.limits import TooLong, call_within
from course_utils.exercises.running import Elsewhere, LeafRun, parameters_of, run_case

_CULPRITS = (
    "Look for `.detach()`, `.item()`, `float(...)`, `torch.no_grad()`, a trip through numpy, or "
    "`torch.tensor(...)` of a number."
)
NO_GRADIENT = f"The values are right, but your answer carries no gradient. {_CULPRITS}"
_HAIR = 0.01  # how far inputs are moved, as a share of their size


def gradient_problem(exercise: Any, attempt: Callable, cases: list[tuple], seed: int) -> str | None:
    """A sentence on the gradient of an attempt that is right in value; None where it is right too.

    exercise: as in ``core``. Where what is compared carries no gradient of a float input or a
    parameter, none is asked for. Inputs of whole numbers, such as masks and counts, are no leaves.
    """
    expected = run_leaves(exercise, exercise.reference, cases, seed)
    if not any(_can_be_asked(run) for run in expected):
        return None
    given = run_leaves(exercise, attempt, cases, seed)
    # An attempt that took too long here has fewer runs; the first time it was fast enough.
    pairs = zip(given, expected, strict=False)
    problems = (_problem(exercise, *pair) for pair in pairs if _can_be_asked(pair[1]))
    return next(filter(None, problems), None)


def _can_be_asked(expected):
    return not expected.outcome.error and any(map(_arrives, expected.gradients.values()))


def _problem(exercise, given, expected):
    error = given.outcome.error
    if error:  # only what needs a plain tensor fails where the inputs carry gradients
        return NO_GRADIENT if "requires grad" in str(error) else None
    if not given.carries:
        return NO_GRADIENT
    if exercise.differs(given.outcome, expected.outcome):
        return None  # right only for inputs of a special kind: their gradients may differ
    for place, wanted in expected.gradients.items():
        mine = given.gradients.get(place)
        if _arrives(wanted) and (problem := _of_leaf(_name(exercise, place), mine, wanted)):
            return problem
    return None


def _name(exercise, place):
    """A leaf as a learner knows it, by its place: "0[1]" is in the first argument."""
    number, inside = re.match(r"(\d*)(.*)", place, re.DOTALL).groups()
    if not number:
        return f"the parameter `{inside}`"
    return f"`{parameters_of(exercise.called, int(number) + 1)[-1]}{inside}`"


def _of_leaf(name, mine, wanted):
    if mine is None or not _arrives(mine, but_zero=True):
        return f"The values are right, but no gradient reaches {name}. {_CULPRITS}"
    finite = wanted.isfinite()
    if mine[finite].isnan().any():
        return (
            f"The values are right, but the gradient that reaches {name} is NaN. A nan or an "
            "infinity that is replaced at the end still spoils the steps before it on the way "
            "back: replace it where it arises, before the next step uses it."
        )
    scale = wanted[finite].abs().max()
    if ((mine - wanted)[finite].abs() > 0.01 * scale + 1e-6).any():
        return (
            f"The values are right, but part of the gradient of {name} is lost on the way. "
            f"{_CULPRITS}"
        )
    return None


def _arrives(gradient, but_zero=False):
    """Whether a gradient says anything; ``but_zero``: also where it is tiny or NaN."""
    if but_zero:
        return bool((gradient != 0).any())
    finite = gradient[gradient.isfinite()]
    return bool(len(finite) and finite.abs().max() > 1e-6)


# --- a run with leaves -----------------------------------------------------------------------


def run_leaves(exercise: Any, fn: Callable, cases: list[tuple], seed: int) -> list[LeafRun]:
    """Call ``fn`` on each case with leaves, within the exercise's seconds; one run for each."""
    if isinstance(fn, Elsewhere):
        return fn.run_leaves(cases, seed)
    runs: list[LeafRun] = []

    def go() -> None:
        for index, case in enumerate(cases):
            runs.append(_run(exercise, fn, case, (seed + index) % 2**31))

    with warnings.catch_warnings(), contextlib.suppress(TooLong):
        warnings.simplefilter("ignore")  # they were shown at the first run
        call_within(exercise.seconds, go)
    return runs


def _run(exercise, fn, case, seed):
    leaves: dict[str, Tensor] = {}

    def prepare(module, arguments):
        moved = torch.Generator().manual_seed(seed)
        if module is not None:
            leaves.update(_parameters(module, "", moved))
        return tuple(
            _with_leaves(argument, str(place), leaves, moved)
            for place, argument in enumerate(arguments)
        )

    run = LeafRun(run_case(fn, case, seed, exercise.observe, exercise.like, prepare))
    if not run.outcome.error:
        _take_gradients(run, leaves)
    return run


def _take_gradients(run, leaves):
    outputs = [x for x in tensors(run.outcome.seen) if x.requires_grad and x.is_floating_point()]
    wanted = {place: leaf for place, leaf in leaves.items() if leaf.requires_grad}
    run.carries = bool(outputs)
    if not outputs or not wanted:
        return
    # Weights differ from place to place: the plain sum of a softmax has no gradient at all.
    weights = [torch.linspace(1, 2, x.numel(), dtype=x.dtype).view_as(x) for x in outputs]
    total = sum((weight * x).sum() for weight, x in zip(weights, outputs, strict=True))
    with contextlib.suppress(RuntimeError):  # `observe` went backwards: it compares by itself
        found = torch.autograd.grad(total, list(wanted.values()), allow_unused=True)
        pairs = zip(wanted, found, strict=True)
        run.gradients = {place: value for place, value in pairs if value is not None}


def _with_leaves(value: Any, place: str, leaves: dict, moved: torch.Generator) -> Any:
    """The value with moved leaves in place of its float tensors, which ``leaves`` then holds."""
    if isinstance(value, nn.Module):
        leaves.update(_parameters(value, f"{place}.", moved))
    elif isinstance(value, Tensor) and _is_real(value):
        leaf = value.detach() if value.requires_grad else value
        value = leaves[place] = _moved(leaf, moved).requires_grad_()
    elif isinstance(value, Mapping):
        return {
            key: _with_leaves(item, f"{place}[{key!r}]", leaves, moved)
            for key, item in value.items()
        }
    elif isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        items = (_with_leaves(item, f"{place}[{i}]", leaves, moved) for i, item in enumerate(value))
        return type(value)(items)
    return value


def _is_real(tensor):
    """Whether a tensor holds real numbers, not counts or marks written as floats."""
    if not tensor.is_floating_point() or not tensor.numel() or tensor.layout != torch.strided:
        return False
    return not torch.equal(tensor.nan_to_num(), tensor.nan_to_num().round())


def _parameters(module: nn.Module, where: str, moved: torch.Generator) -> Iterator:
    """Place and parameter of those that train, each moved by a hair in place."""
    for name, parameter in sorted(module.named_parameters()):
        if parameter.requires_grad and parameter.is_floating_point():
            with torch.no_grad():
                parameter.copy_(_moved(parameter, moved))
            yield where + name, parameter


def _moved(tensor: Tensor, rng: torch.Generator) -> Tensor:
    """A copy in which no two entries are the same; signs stay, and zeros become tiny."""
    noise = _HAIR * torch.randn(tensor.shape, generator=rng).to(tensor.dtype)
    return torch.where(tensor == 0, noise, tensor * (1 + noise))
