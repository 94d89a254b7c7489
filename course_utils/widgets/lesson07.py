"""Lesson 07: the shape tracer draws a model of two branches and marks where its shapes clash.

A still figure, no control: what changes is the model, and the learner writes that.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from course_utils.display import PALETTE

# The rows of the drawing, and the first part of the names of the layers that stand in them.
ROWS = {
    "image": ("image_branch",),
    "text": ("text_branch", "embedding", "lstm"),
    "fusion": ("fusion_layer",),
}
REACHED, STOPPED, NOT_REACHED = "reached", "stops here", "not reached"
_WIDTH, _HEIGHT, _APART = 1.5, 0.62, 2.35  # of a box, and from one box to the next


@dataclass
class Step:
    """One layer: its row in the drawing, its class, the shapes it is given and gives, its state."""

    row: str
    layer: str
    given: str = ""
    gives: str = ""
    state: str = NOT_REACHED


@dataclass(frozen=True)
class Trace:
    """The way of one batch through a model: the layers in order, and what stopped it, if any did.

    problem: class and message of the error, empty without one.
    """

    steps: tuple[Step, ...]
    problem: str = ""

    @property
    def between(self) -> bool:
        """Whether the error arose outside the layers, where the branches are joined."""
        return bool(self.problem) and all(step.state != STOPPED for step in self.steps)


def shape_of(value: Any) -> str:
    """The shape of a tensor as text; of a tuple its length and its first part's shape."""
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if isinstance(value, tuple) and value:
        return f"tuple of {len(value)}: {shape_of(value[0])}, ..."
    return type(value).__name__


def trace_shapes(model: nn.Module, image: Tensor, text: Tensor) -> Trace:
    """Send one batch through a model and note every layer's shapes; an error ends the trace.

    model: called as ``model(image, text)``; its layers are the children named in ``ROWS``.
    image (B, 3, H, W) float, text (B, L) long. The model is used as it is, without gradients.
    """
    with _watched(model) as steps:
        try:
            with torch.no_grad():
                model(image, text)
        except Exception as error:  # whatever a faulty model raises is what we want to show
            return Trace(tuple(steps), f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return Trace(tuple(steps))


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[Step]]:
    """Steps for the layers of a model, which fill in their shapes as they are called."""
    steps, handles = [], []
    for name, layer in model.named_modules():
        row = next((row for row, names in ROWS.items() if name.split(".")[0] in names), None)
        if row is None or next(layer.children(), None) is not None:
            continue
        steps.append(Step(row, type(layer).__name__))
        handles += _hooks(layer, steps[-1])
    try:
        yield steps
    finally:
        for handle in handles:
            handle.remove()


def _hooks(layer: nn.Module, step: Step) -> list[Any]:
    def before(_, given):
        step.given, step.state = shape_of(given[0]), STOPPED  # until it has returned

    def after(_, given, gives):
        step.gives, step.state = shape_of(gives), REACHED

    return [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]


def draw_trace(trace: Trace) -> Figure:
    """One row of boxes for each branch, shapes beside the arrows, the mismatch marked in words."""
    longest = max(sum(step.row == row for step in trace.steps) for row in ROWS)
    figure = Figure(figsize=(1.95 * longest + 1.0, 3.9), layout="constrained")
    axes = figure.subplots()
    for height, row in enumerate(reversed(ROWS)):
        axes.text(-0.25, 1.3 * height, row, ha="right", va="center", fontsize=11, weight="bold")
        steps = [step for step in trace.steps if step.row == row]
        earlier = ["" if row == "fusion" else None, *(step.gives for step in steps)]
        for place, step in enumerate(steps):
            _draw_step(axes, step, earlier[place], _APART * place, 1.3 * height)
        if row == "fusion" and trace.between:
            axes.text(_WIDTH + 0.35, 1.3 * height, "stops before this layer: the features\n"
                      "cannot be joined", va="center", color=PALETTE["text"], weight="bold",
                      fontsize=9)  # fmt: skip
    said = textwrap.fill(trace.problem or "No mismatch: the batch arrives.", 24 * longest)
    axes.set_title(said, fontsize=10, color=PALETTE["text" if trace.problem else "both"])
    axes.set(xlim=(-1.05, _APART * longest), ylim=(-0.6, 3.35))
    axes.axis("off")
    return figure


def _draw_step(axes: Axes, step: Step, before: str | None, left: float, height: float) -> None:
    """A box with the layer's name; below it what it gives, and what it was given if that is news.

    before: what the layer before it in the row gave; None for a row's first.
    """
    colour = {REACHED: PALETTE["image"], STOPPED: PALETTE["text"], NOT_REACHED: "0.7"}[step.state]
    style = {"ls": "--" if step.state == NOT_REACHED else "-", "lw": 3 if step.state == STOPPED
             else 1.5}  # fmt: skip
    corner = (left, height - _HEIGHT / 2)
    axes.add_patch(Rectangle(corner, _WIDTH, _HEIGHT, fc="white", ec=colour, **style))
    words = step.layer if step.state == REACHED else f"{step.layer}\n{step.state}"
    middle = left + _WIDTH / 2
    axes.text(middle, height, words, ha="center", va="center", color=colour, fontsize=10)
    if left:
        axes.annotate("", (left, height), (left - _APART + _WIDTH, height),
                      arrowprops={"arrowstyle": "->", "color": "0.4"})  # fmt: skip
    changed = step.state == STOPPED or (step.gives and before not in (None, step.given))
    gives = f"gives {step.gives}" if changed and step.gives else step.gives
    lines = [f"given {step.given}", gives] if changed else [gives]
    axes.text(middle, height - 0.36, "\n".join(lines), ha="center", va="top", fontsize=8.5)


def describe_trace(trace: Trace) -> str:
    """The alt text of ``draw_trace``."""
    parts = []
    for row in ROWS:
        reached = [s for s in trace.steps if s.row == row and s.state == REACHED]
        shapes = ", ".join(f"{step.layer} gives {step.gives}" for step in reached)
        parts.append(f"{row}: {shapes or 'no layer is passed'}")
    stopped = next((step for step in trace.steps if step.state == STOPPED), None)
    if stopped:
        parts.append(
            f"{stopped.layer} in the row {stopped.row} stops; it was given {stopped.given}"
        )
    elif trace.between:
        parts.append("the batch stops where the features are joined")
    else:
        parts.append("the batch arrives")
    return "; ".join(parts) + "."
