"""Lesson 07: the shape tracer draws a model of two branches and marks where its shapes clash.

And a picture of two ways to pair a table's rows with a folder's pictures. Still figures, no
control: what changes is the model, and the learner writes that.
"""

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
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


def _sizes(shape: str) -> list[int]:
    return [int(size) for size in re.findall(r"\d+", shape.split(": ")[-1])]


def joined_features(trace: Trace) -> tuple[str, ...]:
    """What each branch gave to the fusion layer, such as "image, pooled: (4, 64)".

    Worked out from the layer's width, the text's feature and the image branch's last output.
    Empty where the fusion layer is not called.
    """
    fusion = next((step for step in trace.steps if step.row == "fusion" and step.given), None)
    image, text = (
        [_sizes(step.gives) for step in trace.steps if step.row == row and step.gives]
        for row in ("image", "text")
    )
    if fusion is None or not image or not text:
        return ()
    rows, width = _sizes(fusion.given)[0], _sizes(fusion.given)[-1] - text[-1][-1]
    how = {image[-1][1]: "pooled", math.prod(image[-1][1:]): "flattened"}.get(width, "changed")
    how = "" if [rows, width] == image[-1] else f", {how}"
    return f"image{how}: ({rows}, {width})", f"text: ({rows}, {text[-1][-1]})"


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
        if row == "fusion" and joined_features(trace):
            axes.annotate("\n".join(joined_features(trace)), (_WIDTH, 1.3 * height),
                          (_WIDTH + 0.6, 1.3 * height), va="center", fontsize=9,
                          arrowprops={"arrowstyle": "->", "color": "0.4"})  # fmt: skip
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
        between = _between(before, step.given)
        arrow = {"arrowstyle": "->", "color": "0.4", "ls": "--" if between else "-"}
        axes.annotate("", (left, height), (left - _APART + _WIDTH, height), arrowprops=arrow)
        axes.text(left - (_APART - _WIDTH) / 2, height + 0.06, between, ha="center", va="bottom",
                  fontsize=8.5, style="italic")  # fmt: skip
    changed = step.state == STOPPED or (step.gives and before not in (None, step.given))
    gives = f"gives {step.gives}" if changed and step.gives else step.gives
    lines = [f"given {step.given}", gives] if changed else [gives]
    said = "\n".join(filter(None, lines)).replace(": ", ":\n")  # a tuple's shape is too wide
    axes.text(middle, height - 0.36, said, ha="center", va="top", fontsize=8.5)


def _between(gave: str | None, given: str) -> str:
    """What happened between two layers of a row: "", "opened", "pooled" or "changed".

    gave: what ``shape_of`` says of the first layer's output; given: of the second's input.
    """
    if not given or gave in (None, "", given):
        return ""
    first, second = (re.findall(r"\d+", shape.split(": ")[-1]) for shape in (gave, given))
    if first == second:
        return "opened"
    # Places or words are gone, and each still has as many numbers.
    pooled = len(second) < len(first) and second[-1:] in (first[-1:], first[1:2])
    return "pooled" if pooled else "changed"


def describe_trace(trace: Trace) -> str:
    """The alt text of ``draw_trace``."""
    parts = []
    for row in ROWS:
        reached = [s for s in trace.steps if s.row == row and s.state == REACHED]
        shapes = ", ".join(f"{step.layer} gives {step.gives}" for step in reached)
        parts.append(f"{row}: {shapes or 'no layer is passed'}")
    if joined_features(trace):
        parts.append(f"joined for the fusion layer are {' and '.join(joined_features(trace))}")
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


# --- pairing ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairing:
    """The first rows of a table, and two pictures for each: by position and by name.

    rows: names such as "sport/0002.png". by_position, by_name: (place in the folder, name).
    """

    rows: tuple[str, ...]
    by_position: tuple[tuple[int, str], ...]
    by_name: tuple[tuple[int, str], ...]


def pair_up(files: Sequence[str], samples: Sequence[tuple[str, int]], count: int = 5) -> Pairing:
    """Pair the first ``count`` rows of a table with the pictures of an ImageFolder, in two ways.

    files: the table's file names; samples: the folder's (path, class number), in its order. Names
    are compared by their last two parts, section and file.
    """
    names = ["/".join(re.split(r"[/\\]", path)[-2:]) for path, _ in samples]
    rows = tuple("/".join(file.split("/")[-2:]) for file in files[:count])
    place = {name: number for number, name in enumerate(names)}
    return Pairing(
        rows,
        tuple(enumerate(names[: len(rows)])),
        tuple((place[row], row) for row in rows),
    )


def draw_pairing(pairing: Pairing) -> Figure:
    """Two panels: rows of the table on the left, pictures in the folder's order on the right."""
    figure = Figure(figsize=(10.5, 0.42 * len(pairing.rows) + 1.1), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, title, chosen in zip(
        panels, ("by position", "by name"), (pairing.by_position, pairing.by_name), strict=True
    ):
        _draw_pairs(axes, pairing.rows, chosen)
        right = sum(row == name for row, (_, name) in zip(pairing.rows, chosen, strict=True))
        axes.set_title(f"{title}: {right} of {len(chosen)} right", fontsize=11)
    return figure


def _draw_pairs(axes: Axes, rows: tuple[str, ...], chosen: tuple[tuple[int, str], ...]) -> None:
    ordered = sorted(chosen)
    for height, row in enumerate(rows):
        place, name = chosen[height]
        other = ordered.index((place, name))
        fits = row == name
        axes.plot([0, 1], [height, other], color=PALETTE["both" if fits else "text"],
                  ls="-" if fits else "--", lw=1.8)  # fmt: skip
        axes.text(-0.04, height, f"row {height}: {row}", ha="right", va="center", fontsize=9)
        axes.text(1.04, other, f"picture {place}: {name}", ha="left", va="center", fontsize=9)
    axes.text(-0.04, -0.9, "the table", ha="right", va="center", weight="bold", fontsize=9)
    axes.text(1.04, -0.9, "the folder", ha="left", va="center", weight="bold", fontsize=9)
    axes.set(xlim=(-1.5, 2.6), ylim=(len(rows) - 0.5, -1.3))
    axes.axis("off")


def describe_pairing(pairing: Pairing) -> str:
    """The alt text of ``draw_pairing``."""
    places = ", ".join(str(place) for place, _ in pairing.by_name)
    right = sum(
        row == name for row, (_, name) in zip(pairing.rows, pairing.by_position, strict=True)
    )
    return (
        f"The first {len(pairing.rows)} rows of the table. By position they meet the folder's "
        f"first pictures, and {right} are right; by name they meet the pictures at the places "
        f"{places}, and all are right."
    )
