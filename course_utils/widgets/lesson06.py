"""Lesson 06: a step size and an optimiser, walking down a bowl."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.display import PALETTE
from course_utils.widgets.core import InteractiveFigure, slider

OPTIMIZERS = ("SGD", "Adam")
START = (-4.0, 1.5)  # off both axes, so that both directions have to be walked
STEPS = 60
FRAME = (5.0, 2.2)  # how far the drawing reaches from the middle, along each weight


def bowl_loss(weights: Any, steepness: float) -> np.ndarray:
    """The loss (w1² + steepness · w2²) / 2, least at 0: weights (..., 2) -> (...)."""
    weights = np.asarray(weights, dtype=float)
    with np.errstate(over="ignore"):  # a walk that diverges may end in infinity
        return (weights[..., 0] ** 2 + steepness * weights[..., 1] ** 2) / 2


def descend(
    optimizer: str,
    rate: float,
    steepness: float,
    momentum: float = 0.0,
    start: Sequence = START,
    steps: int = STEPS,
    scale: float = 1.0,
) -> np.ndarray:
    """Where PyTorch's own optimiser goes on the bowl: the path (steps + 1, ..., 2), start included.

    optimizer: "SGD" or "Adam"; momentum is SGD's, Adam keeps its own defaults.
    start: (..., 2); many starts walk at once, each as if it were alone.
    scale: the loss is multiplied by it.

    Raises ValueError for another optimiser.
    """
    weights = torch.tensor(np.asarray(start, dtype=float), requires_grad=True)
    walker = _walker(optimizer, [weights], rate, momentum)
    curvature = scale * torch.tensor([1.0, steepness], dtype=torch.float64)
    path = [weights.detach().clone()]
    for _ in range(steps):
        walker.zero_grad()
        (curvature * weights**2 / 2).sum().backward()
        walker.step()
        path.append(weights.detach().clone())
    return torch.stack(path).numpy()


def _walker(
    name: str, weights: list[torch.Tensor], rate: float, momentum: float
) -> torch.optim.Optimizer:
    if name == "SGD":
        return torch.optim.SGD(weights, lr=rate, momentum=momentum)
    if name == "Adam":
        return torch.optim.Adam(weights, lr=rate)
    raise ValueError(f"there is no optimiser {name!r} here; there are {', '.join(OPTIMIZERS)}")


def draw_descent(optimizer: str, rate: float, momentum: float, steepness: float) -> Figure:
    """The path of 60 steps over the bowl's contours, and the loss after each step."""
    path = descend(optimizer, rate, steepness, momentum)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    _draw_bowl(left, steepness)
    _draw_path(left, path)
    _draw_losses(right, bowl_loss(path, steepness))
    left.set_title(_setting(optimizer, rate, momentum), fontsize=10)
    return figure


def _draw_bowl(axes: Axes, steepness: float) -> None:
    across, up = (np.linspace(-reach, reach, 121) for reach in FRAME)
    grid = np.stack(np.meshgrid(across, up), axis=-1)
    losses = bowl_loss(grid, steepness)
    levels = bowl_loss(START, steepness) * 4.0 ** np.arange(-4, 2)
    axes.contour(across, up, losses, levels=levels, cmap="cividis", linewidths=1)
    axes.plot(0, 0, "*", ms=14, color=PALETTE["both"], label="lowest point")
    axes.set(xlabel="weight 1 (flat direction)", ylabel="weight 2 (steep direction)",
             xlim=(-FRAME[0], FRAME[0]), ylim=(-FRAME[1], FRAME[1]))  # fmt: skip


def _draw_path(axes: Axes, path: np.ndarray) -> None:
    # A walk that has left for good would fill the frame with lines: it is drawn until it has.
    outside = (np.abs(np.nan_to_num(path, nan=np.inf)) > 2 * np.array(FRAME)).any(axis=1)
    shown = path[: outside.argmax() + 1] if outside.any() else path
    axes.plot(*shown.T, "o-", ms=3, lw=1, color=PALETTE["text"], label="each step")
    axes.plot(*path[0], "s", ms=8, color="black", label="start")
    axes.legend(loc="upper right", fontsize=8, ncols=3)


def _draw_losses(axes: Axes, losses: np.ndarray) -> None:
    axes.axhline(losses[0], color=PALETTE["majority"], ls="--", label="loss at the start")
    # One scale for all settings, so that they can be compared by eye.
    low, high = losses[0] / 1e5, losses[0] * 1e3
    drawn = np.clip(np.nan_to_num(losses, nan=np.inf), low / 1e3, high * 1e3)
    axes.plot(drawn, color=PALETTE["text"], label="loss")
    axes.set(yscale="log", xlabel="step", ylabel="loss", xlim=(0, STEPS), ylim=(low, high))
    if not losses[-1] < high:
        axes.set_title("off the scale: it diverges", fontsize=10)
    axes.legend(loc="lower left", fontsize=8)


def describe_descent(optimizer: str, rate: float, momentum: float, steepness: float) -> str:
    """The alt text of ``draw_descent``."""
    losses = bowl_loss(descend(optimizer, rate, steepness, momentum), steepness)
    last = losses[-1]
    if not last < losses[0]:
        ending = "the walk does not come down: the loss is larger than at the start"
    elif last < losses[0] / 1000:
        ending = "it is less than a thousandth of that"
    else:
        ending = f"it is {last:.3g}"
    return (
        f"{_setting(optimizer, rate, momentum)}, on a bowl that is {steepness:.3g} times as steep "
        f"along weight 2 as along weight 1. The loss starts at {losses[0]:.3g}; after {STEPS} "
        f"steps {ending}."
    )


def _setting(optimizer: str, rate: float, momentum: float) -> str:
    with_momentum = f", momentum {momentum:.2f}" if optimizer == "SGD" and momentum else ""
    return f"{optimizer} with learning rate {rate:.3g}{with_momentum}"


def descent_explorer(
    optimizer: str = "SGD", rate: float = 0.005, momentum: float = 0.0, steepness: float = 100.0
) -> Any:
    """Choose an optimiser and its learning rate, and watch 60 steps over a bowl.

    Returns the widget that a cell ends in.
    """
    return make_descent_explorer(optimizer, rate, momentum, steepness).box


def make_descent_explorer(
    optimizer: str, rate: float, momentum: float, steepness: float
) -> InteractiveFigure:
    """The figure behind ``descent_explorer``, with its controls wired up."""
    controls = {
        "optimizer": _choice(optimizer),
        "rate": _log_slider(rate, -4, 0.5, "learning rate"),
        "momentum": slider(momentum, 0.0, 0.99, "momentum"),
        "steepness": _log_slider(steepness, 0, 2, "steepness"),
    }
    figure = InteractiveFigure(draw_descent, describe_descent, controls)

    def momentum_is_of_sgd(change: Any = None) -> None:
        controls["momentum"].disabled = controls["optimizer"].value != "SGD"

    controls["optimizer"].observe(momentum_is_of_sgd, names="value")
    momentum_is_of_sgd()
    return figure


def _choice(value: str) -> Any:
    import ipywidgets as w

    return w.ToggleButtons(options=OPTIMIZERS, value=value, description="optimiser")


def _log_slider(value: float, low: float, high: float, name: str) -> Any:
    """A slider over powers of ten, from 10^low to 10^high, that reports when it is let go."""
    import ipywidgets as w

    return w.FloatLogSlider(value, base=10, min=low, max=high, step=0.05, description=name,
                            readout_format=".3g", continuous_update=False,
                            style={"description_width": "initial"})  # fmt: skip
