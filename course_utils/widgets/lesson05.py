"""Lesson 05: three ways to join two numbers, and what a sum of two parts can get right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from course_utils.data.news_cards import SECTIONS
from course_utils.display import PALETTE
from course_utils.widgets.core import InteractiveFigure

N = len(SECTIONS)
REACH = 5.0  # of the sliders
SAYS_FIT = "#BFE3F7"
JOINS = {"sum, p + q": np.add, "product, pq": np.multiply, "maximum, max(p, q)": np.maximum}


def draw_joins(reach: float = 2.0) -> Figure:
    """Level lines of sum, product and maximum of two numbers p and q from -reach to reach."""
    steps = np.linspace(-reach, reach, 201)
    figure = Figure(figsize=(8.4, 3.1), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (name, join) in zip(panels, JOINS.items(), strict=True):
        heights = join.outer(steps, steps).T  # lines of the picture are q, columns are p
        levels = np.arange(-4, 4.5, 1)
        filled = axes.contourf(steps, steps, heights, levels=levels, cmap="cividis")
        axes.contour(steps, steps, heights, levels=levels, colors="black", linewidths=0.8,
                     linestyles="solid")  # fmt: skip
        axes.set(title=name, xlabel="p, of the picture", aspect="equal")
    panels[0].set_ylabel("q, of the headline")
    figure.colorbar(filled, ax=panels, label="joined")
    return figure


def describe_joins() -> str:
    """The alt text of ``draw_joins``."""
    return (
        "Level lines over p and q. Of the sum: parallel slanting lines at equal distances "
        "everywhere. Of the product: curves in the four corners that bend the other way where a "
        "sign changes. Of the maximum: right angles, so that a step in p counts only where p is "
        "the larger one."
    )


def says_fit(u: Sequence[float], v: Sequence[float]) -> np.ndarray:
    """Where the additive rule says "fits": u_i + v_j > 0, (n, n) bool."""
    return np.add.outer(np.asarray(u, dtype=float), np.asarray(v, dtype=float)) > 1e-9


def share_right(u: Sequence[float], v: Sequence[float]) -> float:
    """Share of clean cards that the rule gets right, half of which fit.

    Each of the n cells on the diagonal holds 1 / (2n) of the cards, each other cell its part of
    the other half. So this is also the mean of the shares of either kind that are got right.
    """
    fits = np.eye(len(u), dtype=bool)
    right = says_fit(u, v) == fits
    return float((right[fits].mean() + right[~fits].mean()) / 2)


def draw_additive_table(u: Sequence[float], v: Sequence[float]) -> Figure:
    """The sums u_i + v_j in a table, coloured where they say "fits", each marked right or wrong."""
    totals, yes = np.add.outer(u, v), says_fit(u, v)
    figure = Figure(figsize=(6.2, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.imshow(yes, cmap=_two_colours(), vmin=0, vmax=1)
    for (i, j), total in np.ndenumerate(totals):
        wrong = yes[i, j] != (i == j)
        axes.text(j, i - 0.12, f"{total:+g}", ha="center", va="center")
        axes.text(j, i + 0.25, "wrong" if wrong else "right", ha="center", va="center",
                  fontsize=8, weight="bold" if wrong else "normal",
                  color=PALETTE["text"] if wrong else "0.35")  # fmt: skip
        if i == j:  # the cells that should say "fits"
            axes.add_patch(Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, fill=False, lw=2))
    axes.set(xticks=range(N), yticks=range(N), xlabel="what the headline says, with its v",
             ylabel="what the picture shows, with its u")  # fmt: skip
    axes.set_xticklabels([f"{name}\n{one:+g}" for name, one in zip(SECTIONS, v, strict=True)])
    axes.set_yticklabels([f"{name} {one:+g}" for name, one in zip(SECTIONS, u, strict=True)])
    axes.set_title(f"right on {share_right(u, v):.3g} of the cards")
    keys = Patch(fc=SAYS_FIT), Patch(fc="white", ec="black", lw=2)
    figure.legend(keys, ['says "fits": u + v above 0', 'should say "fits"'], ncols=2,
                  loc="outside lower center", frameon=False)  # fmt: skip
    return figure


def _two_colours() -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap(["white", SAYS_FIT])


def describe_additive_table(u: Sequence[float], v: Sequence[float]) -> str:
    """The alt text of ``draw_additive_table``."""
    yes = says_fit(u, v)
    diagonal = int(np.diag(yes).sum())
    return (
        f"A table of five sections shown by five sections told. The sum u + v says that they fit "
        f"in {diagonal} of the 5 cells on the diagonal, which is right, and in "
        f"{int(yes.sum()) - diagonal} of the 20 others, which is wrong. It is right on "
        f"{share_right(u, v):.3g} of the cards."
    )


def additive_explorer(u: Sequence[float] = (0,) * N, v: Sequence[float] = (0,) * N) -> Any:
    """Ten sliders, one for each section shown and each section told: separate the diagonal.

    Returns the widget that a cell ends in.
    """
    return make_additive_explorer(u, v).box


def make_additive_explorer(u: Sequence[float], v: Sequence[float]) -> InteractiveFigure:
    """The figure behind ``additive_explorer``, with its controls wired up."""
    import ipywidgets as w

    parts = {"u": u, "v": v}
    columns = {
        letter: {
            f"{letter}_{i}": w.FloatSlider(
                one,
                min=-REACH,
                max=REACH,
                step=0.5,
                description=f"{letter} {name}",
                continuous_update=False,
            )
            for i, (name, one) in enumerate(zip(SECTIONS, start, strict=True))
        }
        for letter, start in parts.items()
    }
    layout = w.HBox([w.VBox(list(column.values())) for column in columns.values()])

    def split(values: dict[str, float]) -> tuple[list[float], list[float]]:
        return tuple([values[f"{letter}_{i}"] for i in range(N)] for letter in parts)

    return InteractiveFigure(
        lambda **values: draw_additive_table(*split(values)),
        lambda **values: describe_additive_table(*split(values)),
        columns["u"] | columns["v"],
        layout=layout,
    )
