"""Lesson 04: how much each sensor counts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from course_utils.display import PALETTE
from course_utils.widgets.core import InteractiveFigure, slider, two_decimals

SENSORS = ("sensor 1", "sensor 2", "sensor 3")
# Wide enough for the star: with |rho| up to 0.95 no best weight is above 2.11.
ALPHAS = -1.25, 2.25
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


def mean_squares(errors: Mapping[str, Any]) -> dict[str, float]:
    """The mean of the squared errors under each name; errors: (n,) each."""
    return {name: float((np.asarray(error) ** 2).mean()) for name, error in errors.items()}


def draw_errors(errors: Mapping[str, Any]) -> Figure:
    """A histogram of each of some sensors' errors, all on one scale; errors: (n,), in degrees."""
    figure = Figure(figsize=(10, 2.4), layout="tight")
    squares = mean_squares(errors)
    reach = 3 * max(squares.values()) ** 0.5  # a few of 1,000 lie outside
    places = figure.subplots(1, len(errors), sharey=True, squeeze=False)[0]
    for axes, (name, error) in zip(places, errors.items(), strict=True):
        axes.hist(np.asarray(error), bins=60, range=(-reach, reach), color=PALETTE["image"])
        axes.set(title=f"{name}: mean square {squares[name]:.2f}", xlabel="error (degrees)")
    places[0].set_ylabel("readings")
    return figure


def describe_errors(errors: Mapping[str, Any]) -> str:
    """The alt text of ``draw_errors``."""
    told = ", ".join(f"{name} {square:.2f}" for name, square in mean_squares(errors).items())
    return f"Histograms of errors around 0. Mean squares: {told}."


def draw_alpha_curve(alpha: float, sigma_1: float, sigma_2: float, rho: float) -> Figure:
    """The squared error of alpha * sensor 1 + (1 - alpha) * sensor 2, for all alpha."""
    sigma = sigma_1, sigma_2
    first = np.linspace(*ALPHAS, 351)
    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(0, 1, color="0.92", label="weights from 0 to 1")
    axes.plot(first, fusion_error(np.stack([first, 1 - first], axis=1), sigma, rho), color="black")
    best = best_alpha(sigma, rho)
    for place, name, rises in ((1.0, SENSORS[0], best[0] < 1.3), (0.0, SENSORS[1], best[0] > -0.3)):
        height = float(fusion_error((place, 1 - place), sigma, rho))
        axes.plot(place, height, "s", color=PALETTE["text"])
        # Beside the bowl, clear of the curve: below it where it soon rises, else above.
        axes.annotate(f"{name} alone", (place, height), ha="left" if place else "right",
                      va="top" if rises else "bottom", textcoords="offset points",
                      xytext=(16 * place - 8, -6 if rises else 4))  # fmt: skip
    axes.plot(best[0], fusion_error(best, sigma, rho), "*", ms=15, color=PALETTE["both"],
              label=f"best: alpha = {two_decimals(best[0])}")  # fmt: skip
    axes.plot(alpha, fusion_error((alpha, 1 - alpha), sigma, rho), "o", ms=13, mfc="none", mew=2,
              color=PALETTE["image"], label=f"chosen: alpha = {two_decimals(alpha)}")  # fmt: skip
    top = 1.5 * max(sigma) ** 2
    # Room below 0 for the name of a sensor whose error is small.
    axes.set(xlabel="alpha, the weight of sensor 1", ylabel="mean squared error (unit²)",
             xlim=ALPHAS, ylim=(-0.1 * top, top))  # fmt: skip
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
        "alpha": slider(alpha, *ALPHAS, "alpha"),
        "sigma_1": slider(sigma_1, 0.2, 5.0, "sigma 1"),
        "sigma_2": slider(sigma_2, 0.2, 5.0, "sigma 2"),
        "rho": slider(rho, -0.95, 0.95, "rho"),
    }
    return InteractiveFigure(draw_alpha_curve, describe_alpha_curve, controls)


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
    """The mean squared error of three sensors with independent errors, over all weights."""
    sigma = sigma_1, sigma_2, sigma_3
    grid, chosen, best = simplex_grid(), shares((weight_1, weight_2, weight_3)), best_alpha(sigma)
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.subplots()
    picture = axes.tricontourf(*(grid @ CORNERS).T, fusion_error(grid, sigma), 14,
                               cmap="cividis")  # fmt: skip
    figure.colorbar(picture, ax=axes, label="mean squared error (unit²)")
    for corner, name, one in zip(CORNERS, SENSORS, sigma, strict=True):
        above = corner[1] > 0
        axes.annotate(f"{name} alone: {two_decimals(one**2)}", corner, ha="center",
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
        f"A triangle whose corners are three sensors alone, with squared errors of "
        f"{_listed(np.square(sigma))}. At the chosen weights {_listed(chosen)} the squared error "
        f"is {two_decimals(fusion_error(chosen, sigma))}; it is least, "
        f"{two_decimals(fusion_error(best, sigma))}, at {_listed(best)}."
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

    first = {f"weight_{i}": slider(one, 0, 1, f"weight {i}") for i, one in enumerate(weights, 1)}
    second = {f"sigma_{i}": slider(one, 0.5, 3, f"sigma {i}") for i, one in enumerate(sigma, 1)}
    columns = w.HBox([w.VBox(list(part.values())) for part in (first, second)])
    return InteractiveFigure(
        draw_alpha_triangle, describe_alpha_triangle, first | second, layout=columns
    )
