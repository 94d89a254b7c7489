"""The interactive figures, each in three layers: numbers, a drawing, and a thin layer of widgets.

The numbers and the drawing need no browser and are tested without one. A drawing is a
``matplotlib.figure.Figure`` and never touches pyplot, because sliders may call back from another
thread. Under each interactive figure stands ``InteractiveFigure``, which redraws it with an
alt text that says what it shows now. A lesson shows a still twin of it first:
``show(draw_...(...), alt=describe_...(...))``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.display import PALETTE, image_bundle

# --- the common thin layer ----------------------------------------------------------------------


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
        self.picture.value = image_bundle(self.draw(**values), self.describe(**values))["text/html"]

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


# --- lesson 01: a kernel steps over a photograph ------------------------------------------------

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


# --- lesson 04: how much each sensor counts -----------------------------------------------------

SENSORS = ("sensor 1", "sensor 2", "sensor 3")
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])  # of the triangle, (3, 2)


def error_covariance(sigma: Sequence[float], rho: float = 0.0) -> np.ndarray:
    """Covariance (M, M) of M sensors' errors, every two of them correlated by rho.

    Raises ValueError for a sigma that is not positive, and where no such errors exist.
    """
    sigma = np.asarray(sigma, dtype=float)
    correlation = np.full((len(sigma), len(sigma)), float(rho))
    np.fill_diagonal(correlation, 1.0)
    if (sigma <= 0).any() or np.linalg.eigvalsh(correlation)[0] < 1e-9:
        raise ValueError(
            f"sigma {sigma.tolist()} with rho {rho:g} does not describe errors; every sigma must "
            "be positive and rho nearer to 0"
        )
    return np.outer(sigma, sigma) * correlation


def fusion_error(alpha: Any, sigma: Sequence[float], rho: float = 0.0) -> np.ndarray:
    """Mean squared error of sum_i alpha_i reading_i, for unbiased sensors.

    alpha: (..., M), each row summing to 1; sigma: (M,). Returns (...), in sigma's unit squared.
    """
    return np.einsum("...i,ij,...j->...", alpha, error_covariance(sigma, rho), np.asarray(alpha))


def best_alpha(sigma: Sequence[float], rho: float = 0.0) -> np.ndarray:
    """Weights (M,), summing to 1 and of any sign, that make ``fusion_error`` least."""
    raw = np.linalg.solve(error_covariance(sigma, rho), np.ones(len(sigma)))
    return raw / raw.sum()


def draw_alpha_curve(alpha: float, sigma_1: float, sigma_2: float, rho: float) -> Figure:
    """The squared error of alpha * sensor 1 + (1 - alpha) * sensor 2, for all alpha."""
    sigma = sigma_1, sigma_2
    first = np.linspace(-0.5, 1.5, 201)
    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(0, 1, color="0.92", label="weights from 0 to 1")
    axes.plot(first, fusion_error(np.stack([first, 1 - first], axis=1), sigma, rho), color="black")
    for place, name in ((1.0, SENSORS[0]), (0.0, SENSORS[1])):
        height = float(fusion_error((place, 1 - place), sigma, rho))
        axes.plot(place, height, "s", color=PALETTE["text"])
        axes.annotate(f"{name} alone", (place, height), xytext=(8, -17 * place),
                      textcoords="offset points")  # fmt: skip
    best = best_alpha(sigma, rho)
    axes.plot(best[0], fusion_error(best, sigma, rho), "*", ms=15, color=PALETTE["both"],
              label=f"best: alpha = {two_decimals(best[0])}")  # fmt: skip
    axes.plot(alpha, fusion_error((alpha, 1 - alpha), sigma, rho), "o", ms=9, mfc="none", mew=2,
              color=PALETTE["image"], label=f"chosen: alpha = {two_decimals(alpha)}")  # fmt: skip
    axes.set(xlabel="alpha, the weight of sensor 1", ylabel="mean squared error (unit²)",
             xlim=(-0.5, 1.5), ylim=(0, 1.5 * max(sigma) ** 2))  # fmt: skip
    axes.legend(loc="upper right", fontsize=9)
    return figure


def describe_alpha_curve(alpha: float, sigma_1: float, sigma_2: float, rho: float) -> str:
    """The alt text of ``draw_alpha_curve``."""
    sigma = sigma_1, sigma_2
    best = best_alpha(sigma, rho)
    inside = "inside" if -1e-9 <= best[0] <= 1 + 1e-9 else "outside"
    return (
        f"A bowl over the weight of sensor 1. Sensor 1 alone has a squared error of "
        f"{two_decimals(sigma_1**2)}, sensor 2 alone {two_decimals(sigma_2**2)}. At the chosen "
        f"weight {two_decimals(alpha)} it is "
        f"{two_decimals(fusion_error((alpha, 1 - alpha), sigma, rho))}. The least, "
        f"{two_decimals(fusion_error(best, sigma, rho))}, lies at {two_decimals(best[0])}, "
        f"{inside} the range from 0 to 1."
    )


def alpha_explorer(
    alpha: float = 0.5, sigma_1: float = 1.0, sigma_2: float = 2.0, rho: float = 0.0
) -> Any:
    """Move the weight of the first of two sensors over its error, and change the sensors.

    Returns the widget that a cell ends in.
    """
    return make_alpha_explorer(alpha, sigma_1, sigma_2, rho).box


def make_alpha_explorer(
    alpha: float, sigma_1: float, sigma_2: float, rho: float
) -> InteractiveFigure:
    """The figure behind ``alpha_explorer``, with its controls wired up."""
    controls = {
        "alpha": _slider(alpha, -0.5, 1.5, "alpha"),
        "sigma_1": _slider(sigma_1, 0.2, 3.0, "sigma 1"),
        "sigma_2": _slider(sigma_2, 0.2, 3.0, "sigma 2"),
        "rho": _slider(rho, -0.95, 0.95, "rho"),
    }
    return InteractiveFigure(draw_alpha_curve, describe_alpha_curve, controls)


def _slider(value: float, low: float, high: float, name: str) -> Any:
    import ipywidgets as w

    return w.FloatSlider(value, min=low, max=high, step=0.01, description=name,
                         continuous_update=False)  # fmt: skip


def shares(weights: Sequence[float]) -> np.ndarray:
    """Weights (M,), none negative, divided by their sum; equal ones where all are 0."""
    weights = np.asarray(weights, dtype=float)
    return weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1 / len(weights))


def simplex_grid(steps: int = 60) -> np.ndarray:
    """Weights (n, 3) that sum to 1, evenly spaced over the triangle."""
    first, second = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij")
    inside = first + second <= steps
    first, second = first[inside], second[inside]
    return np.stack([first, second, steps - first - second], axis=1) / steps


def draw_alpha_triangle(
    weight_1: float, weight_2: float, weight_3: float,
    sigma_1: float, sigma_2: float, sigma_3: float,
) -> Figure:  # fmt: skip
    """The root mean squared error of three sensors with independent errors, over all weights."""
    sigma = sigma_1, sigma_2, sigma_3
    grid, chosen, best = simplex_grid(), shares((weight_1, weight_2, weight_3)), best_alpha(sigma)
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.subplots()
    picture = axes.tricontourf(*(grid @ CORNERS).T, fusion_error(grid, sigma) ** 0.5, 14,
                               cmap="cividis")  # fmt: skip
    figure.colorbar(picture, ax=axes, label="root mean squared error (unit)")
    for corner, name, one in zip(CORNERS, SENSORS, sigma, strict=True):
        above = corner[1] > 0
        axes.annotate(f"{name} alone: {two_decimals(one)}", corner, ha="center",
                      xytext=(0, 6 if above else -16), textcoords="offset points")  # fmt: skip
    axes.plot(*(best @ CORNERS), "*", ms=16, color="white", mec="black", ls="none",
              label=f"best: {_listed(best)}")  # fmt: skip
    axes.plot(*(chosen @ CORNERS), "o", ms=9, color=PALETTE["text"], mec="white", ls="none",
              label=f"chosen: {_listed(chosen)}")  # fmt: skip
    axes.set(xlim=(-0.2, 1.2), ylim=(-0.1, 1.15), aspect="equal")
    axes.axis("off")
    axes.legend(loc="upper center", ncols=2, fontsize=9, frameon=False)
    return figure


def describe_alpha_triangle(
    weight_1: float, weight_2: float, weight_3: float,
    sigma_1: float, sigma_2: float, sigma_3: float,
) -> str:  # fmt: skip
    """The alt text of ``draw_alpha_triangle``."""
    sigma = sigma_1, sigma_2, sigma_3
    chosen, best = shares((weight_1, weight_2, weight_3)), best_alpha(sigma)
    return (
        f"A triangle whose corners are three sensors with errors of {_listed(sigma)}. At the "
        f"chosen weights {_listed(chosen)} the error is "
        f"{two_decimals(fusion_error(chosen, sigma) ** 0.5)}; it is least, "
        f"{two_decimals(fusion_error(best, sigma) ** 0.5)}, at {_listed(best)}."
    )


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(two_decimals(number) for number in numbers)


def triangle_explorer(
    weights: Sequence[float] = (1.0, 1.0, 1.0), sigma: Sequence[float] = (1.0, 2.0, 1.5)
) -> Any:
    """Weigh three sensors and watch the point move over the triangle of their error.

    weights: any numbers from 0 to 1, made to sum to 1. Returns the widget that a cell ends in.
    """
    return make_triangle_explorer(weights, sigma).box


def make_triangle_explorer(weights: Sequence[float], sigma: Sequence[float]) -> InteractiveFigure:
    """The figure behind ``triangle_explorer``, with its controls wired up."""
    import ipywidgets as w

    first = {f"weight_{i}": _slider(one, 0, 1, f"weight {i}") for i, one in enumerate(weights, 1)}
    second = {f"sigma_{i}": _slider(one, 0.2, 3, f"sigma {i}") for i, one in enumerate(sigma, 1)}
    columns = w.HBox([w.VBox(list(part.values())) for part in (first, second)])
    return InteractiveFigure(
        draw_alpha_triangle, describe_alpha_triangle, first | second, layout=columns
    )


# --- lesson 08: compose a card and ask the models -------------------------------------------------


def compose_card(
    motif: str, left: int, top: int, side: int, noise: float = 0.12, seed: int = 8
) -> np.ndarray:
    """A picture made to order, (48, 48, 3) uint8, as ``news_cards`` would draw it.

    motif: a name in ``news_cards.SECTIONS``, or "none". left, top, side: its box in pixels, moved
    inside the picture where it would stick out. noise: as the dial ``image_noise``.
    """
    from course_utils.data import news_cards, news_pictures

    side = min(max(side, 4), news_pictures.SIZE)
    left, top = (min(max(start, 0), news_pictures.SIZE - side) for start in (left, top))
    dice = iter(np.random.default_rng(seed).random(70).tolist())
    shown = None if motif == "none" else news_cards.SECTIONS.index(motif)
    box = (left, top, left + side, top + side)
    picture, _ = news_pictures.draw_picture(dice, shown, clutter=3, box=box)
    return news_cards.add_noise(np.asarray(picture)[None], noise, seed)[0]


def card_probabilities(
    models: Mapping[str, Any], vocabulary: Any, image: np.ndarray, headline: str
) -> dict[str, np.ndarray]:
    """What each model makes of one card: {model name: probabilities (C,)}.

    models: {name: MultimodalClassifier of image, text or both}, in evaluation mode.
    image (H, W, 3) uint8.
    """
    import torch

    from course_utils.data.batches import Batches, to_tensors

    rows = {"image": image[None], "headline": [headline], "section": np.zeros(1, dtype=np.int64)}
    said = {}
    for name, model in models.items():
        tensors = to_tensors(rows, vocabulary, modalities=model.fusion.names)
        with torch.no_grad():
            said[name] = model(next(iter(Batches(tensors)))).softmax(dim=1)[0].numpy()
    return said


def draw_composed_card(
    image: np.ndarray, headline: str, probabilities: Mapping[str, np.ndarray], classes: tuple
) -> Figure:
    """The card on the left, each model's probabilities (C,) as bars on the right."""
    figure = Figure(figsize=(7.5, 2.8))
    card, bars = figure.subplots(1, 2, width_ratios=(1, 1.8))
    card.imshow(image)
    card.set(xticks=[], yticks=[])
    card.set_xlabel(headline or "(no headline)", fontsize=8)
    places = np.arange(len(classes))
    height = 0.8 / len(probabilities)
    for line, (name, values) in enumerate(probabilities.items()):
        colour = PALETTE[name.split()[0]] if name.split()[0] in PALETTE else PALETTE["highlight"]
        bars.barh(places + line * height, values, height, label=name, color=colour,
                  hatch=("", "//", "..")[line % 3], edgecolor="white")  # fmt: skip
    bars.set(yticks=places + 0.4 - height / 2, yticklabels=classes, xlim=(0, 1),
             xlabel="probability")  # fmt: skip
    bars.invert_yaxis()
    bars.legend(fontsize=8, loc="lower right")
    figure.subplots_adjust(wspace=0.35)
    return figure


def describe_composed_card(
    headline: str, probabilities: Mapping[str, np.ndarray], classes: tuple
) -> str:
    """The alt text: what each model takes the card for."""
    said = [f"{name} says {classes[int(np.argmax(values))]} ({two_decimals(values.max())})"
            for name, values in probabilities.items()]  # fmt: skip
    return f"A card with the headline “{headline}”: {', '.join(said)}."


def card_composer(models: Mapping[str, Any], vocabulary: Any, headline: str) -> Any:
    """Choose and place a motif, type a headline, and see what each model makes of it.

    Returns the widget that a cell ends in.
    """
    return make_card_composer(models, vocabulary, headline).box


def make_card_composer(
    models: Mapping[str, Any], vocabulary: Any, headline: str
) -> InteractiveFigure:
    """The figure behind ``card_composer``, with its controls wired up."""
    import ipywidgets as w

    from course_utils.data.news_cards import SECTIONS

    def slider(value: int, low: int, high: int, name: str) -> Any:
        return w.IntSlider(value, low, high, description=name, continuous_update=False)

    controls = {
        "motif": w.Dropdown(options=[*SECTIONS, "none"], value="sport", description="motif"),
        "left": slider(12, 0, 34, "left"),
        "top": slider(12, 0, 34, "top"),
        "side": slider(24, 8, 40, "side"),
        "noise": w.FloatSlider(0.12, min=0, max=0.6, step=0.06, description="noise",
                               continuous_update=False),
        "headline": w.Text(headline, description="headline", continuous_update=False,
                           layout=w.Layout(width="95%")),
    }  # fmt: skip

    def answers(headline: str, **picture: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        image = compose_card(**picture)
        return image, card_probabilities(models, vocabulary, image, headline)

    def draw(headline: str, **picture: Any) -> Figure:
        image, probabilities = answers(headline, **picture)
        return draw_composed_card(image, headline, probabilities, SECTIONS)

    def describe(headline: str, **picture: Any) -> str:
        return describe_composed_card(headline, answers(headline, **picture)[1], SECTIONS)

    return InteractiveFigure(draw, describe, controls)
