"""What all interactive figures share: the layer that redraws them, and small parts of drawings.

A figure has three layers: numbers, a drawing, and a thin layer of widgets. The numbers and the
drawing need no browser and are tested without one. A drawing is a ``matplotlib.figure.Figure`` and
never touches pyplot, because sliders may call back from another thread. Under each interactive
figure stands ``InteractiveFigure``, which redraws it with an alt text that says what it shows now.
A lesson shows a still twin of it first: ``show(draw_...(...), alt=describe_...(...))``.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.display import PALETTE, image_tag


class InteractiveFigure:
    """A figure that is drawn anew whenever one of its controls changes.

    controls: {name: ipywidget}; their values are the keyword arguments of the two functions.
    draw: gives the Figure; describe: gives its alt text.

    ``box`` is what a cell ends in. What a control sets off runs in the kernel, so an error in
    ``draw`` shows at once where the figure is made.
    """

    def __init__(
        self,
        draw: Callable[..., Figure],
        describe: Callable[..., str],
        controls: Mapping[str, Any],
        layout: Any = None,
    ):
        from ipywidgets import HTML, VBox

        self.draw, self.describe, self.controls = draw, describe, dict(controls)
        self.picture = HTML()
        self.waiting = False
        for control in self.controls.values():
            control.observe(self.redraw, names="value")
        self.redraw()
        self.box = VBox([layout or VBox(list(self.controls.values())), self.picture])

    def values(self) -> dict[str, Any]:
        """What the controls say now."""
        return {name: control.value for name, control in self.controls.items()}

    def redraw(self, change: Any = None) -> None:
        """Draw the figure for the controls' values, unless several are being set together."""
        if self.waiting:
            return
        values = self.values()
        self.picture.value = image_tag(self.draw(**values), self.describe(**values))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Set several controls inside this block and redraw once at its end."""
        self.waiting = True
        try:
            yield
        finally:
            self.waiting = False
        self.redraw()


def two_decimals(number: float) -> str:
    """A number as text, without a minus sign before 0.00."""
    return f"{round(float(number), 2) + 0.0:.2f}"


def outline(axes: Axes, row: float, column: float, height: float, width: float) -> None:
    """Frame a block of an ``imshow`` picture, given in rows and columns."""
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, width, height, fill=False, lw=2.5, ec="white"))
    axes.add_patch(Rectangle(corner, width, height, fill=False, lw=1.5, ec=PALETTE["text"]))


def number_grid(axes: Axes, numbers: np.ndarray, title: str, cmap: str, reach: float) -> None:
    """A small matrix (rows, columns) as coloured squares with the numbers written on them.

    Colours run from -reach to reach; the numbers are black on pale squares, white on dark ones.
    """
    picture = axes.imshow(numbers, cmap=cmap, vmin=-reach, vmax=reach)
    for (row, column), number in np.ndenumerate(numbers):
        red, green, blue, _ = picture.cmap(picture.norm(number))
        dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
        axes.text(column, row, two_decimals(number), ha="center", va="center", fontsize=9,
                  color="white" if dark else "black")  # fmt: skip
    axes.set(title=title, xticks=[], yticks=[])


def slider(value: float, low: float, high: float, name: str) -> Any:
    """A slider in steps of 0.01 that reports when it is let go."""
    import ipywidgets as w

    return w.FloatSlider(value, min=low, max=high, step=0.01, description=name,
                         continuous_update=False)  # fmt: skip
