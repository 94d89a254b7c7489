"""Lesson 01: a kernel steps over a photograph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from course_utils.widgets.core import InteractiveFigure, number_grid, outline, two_decimals

KERNELS = {
    "vertical edge": ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)),
    "horizontal edge": ((-1, -1, -1), (0, 0, 0), (1, 1, 1)),
    "spot": ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
    "blur": ((0.11, 0.11, 0.11), (0.11, 0.11, 0.11), (0.11, 0.11, 0.11)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "copy": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
}


def photograph(name: str = "china.jpg", shrink: int = 1) -> np.ndarray:
    """A photograph that comes with scikit-learn, (H, W, 3) float32 in [0, 1].

    name: ``"china.jpg"`` or ``"flower.jpg"``, 427 × 640 pixels. shrink: how many pixels, each
    way, are averaged into one; rows and columns that are left over are cut off.
    """
    from sklearn.datasets import load_sample_image

    pixels = np.asarray(load_sample_image(name), dtype=np.float32) / 255
    height, width = (side // shrink for side in pixels.shape[:2])
    blocks = pixels[: height * shrink, : width * shrink]
    return blocks.reshape(height, shrink, width, shrink, 3).mean(axis=(1, 3))


def photograph_crop(size: int = 32, top: int = 5, left: int = 18, shrink: int = 6) -> np.ndarray:
    """A grey square of the shrunken photograph of the pagoda, (size, size) float32 in [0, 1].

    Raises ValueError when the square reaches out of the photograph.
    """
    grey = photograph(shrink=shrink).mean(axis=2)
    crop = grey[top : top + size, left : left + size]
    if top < 0 or left < 0 or crop.shape != (size, size):
        raise ValueError(
            f"a square of {size} pixels at row {top}, column {left} does not fit on the "
            f"photograph of {grey.shape[0]} x {grey.shape[1]}; move it or make it smaller"
        )
    return crop


@dataclass(frozen=True)
class KernelStep:
    """What a kernel does at one place of an image.

    window, products: (k, k); total: their sum; output: the whole output (H - k + 1, W - k + 1).
    """

    window: np.ndarray
    products: np.ndarray
    total: float
    output: np.ndarray


def kernel_step(image: np.ndarray, kernel: Any, row: int, column: int) -> KernelStep:
    """Cross-correlate image (H, W) with kernel (k, k), and look closely at one output place.

    Raises ValueError when the place is not on the output.
    """
    kernel = np.asarray(kernel, dtype=float)
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    rows, columns = windows.shape[:2]
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(
            f"the output has {rows} rows and {columns} columns, so row {row}, column {column} is "
            "not on it; count from 0"
        )
    window = windows[row, column]
    output = np.einsum("ijuv,uv->ij", windows, kernel)
    products = window * kernel
    return KernelStep(window, products, float(products.sum()), output)


def seen_so_far(output: np.ndarray, row: int, column: int) -> np.ndarray:
    """The output up to and including one place in reading order, NaN after it."""
    places = np.arange(output.size).reshape(output.shape)
    return np.where(places <= places[row, column], output, np.nan)


def draw_kernel_step(image: np.ndarray, kernel: Any, row: int, column: int) -> Figure:
    """The image with the window framed; window, kernel and products; the output so far."""
    step, kernel = kernel_step(image, kernel, row, column), np.asarray(kernel, dtype=float)
    figure = Figure(figsize=(11, 3), layout="constrained")
    axes = figure.subplots(1, 5, width_ratios=(1.5, 1, 1, 1, 1.5))
    axes[0].imshow(image, cmap="gray", vmin=0, vmax=1)
    axes[0].set(title="image and window", xlabel="column (pixels)", ylabel="row (pixels)")
    outline(axes[0], row, column, *kernel.shape)
    largest = max(abs(kernel).max(), abs(step.products).max(), 0.1)
    number_grid(axes[1], step.window, "window", "gray", 1)
    number_grid(axes[2], kernel, "× kernel", "PuOr", largest)
    number_grid(axes[3], step.products, "= products", "PuOr", largest)
    axes[3].set_xlabel(f"sum = {two_decimals(step.total)}", fontsize=12)
    reach = max(abs(step.output).max(), 1e-6)
    seen = seen_so_far(step.output, row, column)
    axes[4].set_facecolor("0.8")
    picture = axes[4].imshow(seen, cmap="PuOr", vmin=-reach, vmax=reach)
    axes[4].set(title="output so far (grey: not yet)", xlabel="column", ylabel="row")
    outline(axes[4], row, column, 1, 1)
    figure.colorbar(picture, ax=axes[4], label="sum of products")
    return figure


def describe_kernel_step(image: np.ndarray, kernel: Any, row: int, column: int) -> str:
    """The alt text of ``draw_kernel_step``."""
    step = kernel_step(image, kernel, row, column)
    kernel_rows = "; ".join(
        ", ".join(f"{number:g}" for number in line) for line in np.asarray(kernel, dtype=float)
    )
    return (
        f"The kernel ({kernel_rows}) lies on the window at row {row}, column {column}. The nine "
        f"products add up to {two_decimals(step.total)}, which is one number of the output; over "
        f"the whole output the sums run from {two_decimals(step.output.min())} to "
        f"{two_decimals(step.output.max())}."
    )


def next_place(row: int, column: int, rows: int, columns: int) -> tuple[int, int]:
    """The next place in reading order on a grid; after the last comes the first."""
    return divmod((row * columns + column + 1) % (rows * columns), columns)


def kernel_explorer(
    image: np.ndarray | None = None, preset: str = "vertical edge", row: int = 10, column: int = 25
) -> Any:
    """Edit a 3 × 3 kernel, step it over an image (H, W) in [0, 1], and watch the sum.

    image: a crop of a photograph if left out. preset: a name in ``KERNELS``.
    Returns the widget that a cell ends in.
    """
    return make_kernel_explorer(image, preset, row, column).box


def make_kernel_explorer(
    image: np.ndarray | None, preset: str, row: int, column: int
) -> InteractiveFigure:
    """The figure behind ``kernel_explorer``, with its controls wired up."""
    import ipywidgets as w

    image = photograph_crop() if image is None else image
    rows, columns = image.shape[0] - 2, image.shape[1] - 2
    small = w.Layout(width="72px")
    fields = [w.FloatText(number, step=0.5, layout=small) for number in np.ravel(KERNELS[preset])]
    controls = {f"w{number}": field for number, field in enumerate(fields)}
    controls["row"] = w.IntSlider(row, 0, rows - 1, description="row", continuous_update=False)
    controls["column"] = w.IntSlider(
        column, 0, columns - 1, description="column", continuous_update=False
    )
    chooser = w.Dropdown(options=list(KERNELS), value=preset, description="kernel")
    button = w.Button(description="Step", tooltip="Move the kernel to the next place")
    grid = w.GridBox(fields, layout=w.Layout(grid_template_columns="repeat(3, 80px)"))
    places = w.VBox([chooser, controls["row"], controls["column"], button])

    def with_kernel(function: Callable) -> Callable:
        def call(row: int, column: int, **numbers: float) -> Any:
            return function(image, np.reshape(list(numbers.values()), (3, 3)), row, column)

        return call

    figure = InteractiveFigure(
        with_kernel(draw_kernel_step),
        with_kernel(describe_kernel_step),
        controls,
        layout=w.HBox([places, grid]),
    )

    def choose(change: Any) -> None:
        with figure.together():
            for field, number in zip(fields, np.ravel(KERNELS[change.new]), strict=True):
                field.value = number

    def step(_: Any) -> None:
        at = next_place(controls["row"].value, controls["column"].value, rows, columns)
        with figure.together():
            controls["row"].value, controls["column"].value = at

    chooser.observe(choose, names="value")
    button.on_click(step)
    return figure
