"""Does the gradient get through an answer that is right in value?

Attempt and reference run once more, on inputs moved by a hair, with the float inputs and the
parameters as leaves. Where two functions give the same values all around a point, their gradients
there are the same too, unless one of them is cut off on the way; and moved inputs have no ties, at
which right answers may well differ in their gradients.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.exercises.faults import tensors
from course_utils.exercises.limits import TooLong, call_within
from course_utils.exercises.running import Outcome, parameters_of, run_case

_CULPRITS = (
    "Look for `.detach()`, `.item()`, `float(...)`, `torch.no_grad()`, a trip through numpy, or "
    "`torch.tensor(...)` of a number."
)
NO_GRADIENT = f"The values are right, but your answer carries no gradient. {_CULPRITS}"
_HAIR = 0.01  # how far inputs are moved, as a share of their size


@dataclass
class _Run:
    """One call with leaves: what it led to, and the gradient of each leaf, by its name."""

    outcome: Outcome
    carries: bool = False
    gradients: dict[str, Tensor] = field(default_factory=dict)


def gradient_problem(exercise: Any, attempt: Callable, cases: list[tuple], seed: int) -> str | None:
    """A sentence on the gradient of an attempt that is right in value; None where it is right too.

    exercise: as in ``core``. Where what is compared carries no gradient of a float input or a
    parameter, none is asked for. Inputs of whole numbers, such as masks and counts, are no leaves.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were shown at the first run
            return call_within(exercise.seconds, _first_problem, exercise, attempt, cases, seed)
    except TooLong:  # the first run was in time
        return None


def _first_problem(exercise, attempt, cases, seed):
    for index, case in enumerate(cases):
        expected = _run(exercise, exercise.reference, case, (seed + index) % 2**31)
        if expected.outcome.error or not any(map(_arrives, expected.gradients.values())):
            continue
        given = _run(exercise, attempt, case, (seed + index) % 2**31)
        problem = _problem(exercise, given, expected)
        if problem:
            return problem
    return None


def _problem(exercise, given, expected):
    error = given.outcome.error
    if error:  # only what needs a plain tensor fails where the inputs carry gradients
        return NO_GRADIENT if "requires grad" in str(error) else None
    if not given.carries:
        return NO_GRADIENT
    if exercise.differs(given.outcome, expected.outcome):
        return None  # right only for inputs of a special kind: their gradients may differ
    for name, wanted in expected.gradients.items():
        if _arrives(wanted) and (problem := _of_leaf(name, given.gradients.get(name), wanted)):
            return problem
    return None


def _of_leaf(name, mine, wanted):
    if mine is None or not _arrives(mine, but_zero=True):
        return f"The values are right, but no gradient reaches {name}. {_CULPRITS}"
    finite = wanted.isfinite()
    if mine[finite].isnan().any():
        return f"The values are right, but the gradient that reaches {name} is NaN."
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


def _run(exercise, fn, case, seed):
    leaves: dict[str, Tensor] = {}

    def prepare(module, arguments):
        moved = torch.Generator().manual_seed(seed)
        if module is not None:
            leaves.update(_parameters(module, "", moved))
        names = parameters_of(exercise.called, len(arguments))
        return tuple(
            _with_leaves(argument, name, leaves, moved)
            for argument, name in zip(arguments, names, strict=True)
        )

    run = _Run(run_case(fn, case, seed, exercise.observe, exercise.like, prepare))
    if not run.outcome.error:
        _take_gradients(run, leaves)
    return run


def _take_gradients(run, leaves):
    outputs = [x for x in tensors(run.outcome.seen) if x.requires_grad and x.is_floating_point()]
    wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    run.carries = bool(outputs)
    if not outputs or not wanted:
        return
    # Weights differ from place to place: the plain sum of a softmax has no gradient at all.
    weights = [torch.linspace(1, 2, x.numel(), dtype=x.dtype).view_as(x) for x in outputs]
    total = sum((weight * x).sum() for weight, x in zip(weights, outputs, strict=True))
    try:
        found = torch.autograd.grad(total, list(wanted.values()), allow_unused=True)
    except RuntimeError:  # `observe` went backwards already: it compares gradients by itself
        return
    run.gradients = {
        name: value for name, value in zip(wanted, found, strict=True) if value is not None
    }


def _with_leaves(value: Any, name: str, leaves: dict, moved: torch.Generator) -> Any:
    """The value with moved leaves in place of its float tensors, which ``leaves`` then holds."""
    if isinstance(value, nn.Module):
        leaves.update(_parameters(value, f" of `{name}`", moved))
    elif isinstance(value, Tensor) and _is_real(value):
        leaf = value.detach() if value.requires_grad else value
        value = leaves[f"`{name}`"] = _moved(leaf, moved).requires_grad_()
    elif isinstance(value, Mapping):
        return {
            key: _with_leaves(item, f"{name}[{key!r}]", leaves, moved)
            for key, item in value.items()
        }
    elif isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        items = (_with_leaves(item, f"{name}[{i}]", leaves, moved) for i, item in enumerate(value))
        return type(value)(items)
    return value


def _is_real(tensor):
    """Whether a tensor holds real numbers, not counts or marks written as floats."""
    if not tensor.is_floating_point() or not tensor.numel() or tensor.layout != torch.strided:
        return False
    return not torch.equal(tensor.nan_to_num(), tensor.nan_to_num().round())


def _parameters(module: nn.Module, where: str, moved: torch.Generator) -> Iterator:
    """Name and parameter of those that train, each moved by a hair in place."""
    for name, parameter in sorted(module.named_parameters()):
        if parameter.requires_grad and parameter.is_floating_point():
            with torch.no_grad():
                parameter.copy_(_moved(parameter, moved))
            yield f"the parameter `{name}`{where}", parameter


def _moved(tensor: Tensor, rng: torch.Generator) -> Tensor:
    """A copy in which no two entries are the same; signs stay, and zeros become tiny."""
    noise = _HAIR * torch.randn(tensor.shape, generator=rng).to(tensor.dtype)
    return torch.where(tensor == 0, noise, tensor * (1 + noise))
