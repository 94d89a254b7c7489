"""Lesson 11: accuracy over the share of headlines that are missing, by mechanism and by fill."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from course_utils.display import PALETTE
from course_utils.widgets.core import InteractiveFigure, two_decimals

# What is drawn of each fill: its colour, its marker and its line.
LOOKS = {
    "one": (PALETTE["audio"], "v", "-"),
    "zeros": (PALETTE["majority"], "s", "--"),
    "mean": (PALETTE["quiet"], "D", "-."),
    "ridge": (PALETTE["text"], "o", "-"),
    "modality dropout": (PALETTE["both"], "^", "-"),
}
# Fills that lie on one another are told apart by hollow markers of several sizes.
SIZES = {"mean": 13, "ridge": 9, "modality dropout": 5}
CEILING = "ceiling, with the mask"
MECHANISMS = ("at random", "on the other", "on itself", "on the label")
MODELS = ("product", "concat + linear")


def missing_curves(results: Any) -> dict[tuple[str, str], dict[str, dict[float, float]]]:
    """{(model, mechanism): {fill: {rate: mean accuracy over the seeds}}}, with the ceiling's.

    results: the experiment "curve" of lesson 11, as ``read_results`` gives it.
    """
    table = results.assign(
        mechanism=results["dials"].str.rsplit(", ", n=1).str[0],
        rate=results["dials"].str.rsplit(", ", n=1).str[1].astype(float),
    )
    mean = table.groupby(["model", "mechanism", "setting", "rate"])["value"].mean()
    found: dict[tuple[str, str], dict[str, dict[float, float]]] = {}
    for model in MODELS:
        for mechanism in MECHANISMS:
            own = mean[model, mechanism]
            fills = {fill: own[fill].to_dict() for fill in LOOKS if fill in own.index.levels[0]
                     and fill in own.index.get_level_values(0)}  # fmt: skip
            found[model, mechanism] = fills | {CEILING: mean[CEILING, mechanism, ""].to_dict()}
    return found


def by_fill(results: Any, world: str) -> Any:
    """Mean accuracies over the seeds: a row for each (what is missing, model), a column a fill.

    results: the experiment "complete" of lesson 11, as ``read_results`` gives it. world: whose.
    """
    own = results[(results["world"] == world) & (results["measure"] == "accuracy")]
    return own.pivot_table("value", ["dials", "model"], "setting")


def gaps(accuracy: Any, alone: Mapping[str, Sequence[float]]) -> Any:
    """Differences that the lesson speaks of: a DataFrame with a column for each missing sense.

    accuracy: what ``by_fill`` gives. alone: {"image alone": accuracies, "text alone": accuracies}.
    """
    import pandas as pd

    found = {}
    for gone, other in {"image missing": "text alone", "text missing": "image alone"}.items():
        product, adds = (accuracy.loc[gone].loc[model] for model in MODELS)
        sense = sum(alone[other]) / len(alone[other])
        found[gone] = {
            "product: one, less the other alone": product["one"] - sense,
            "product: ridge, less the other alone": product["ridge"] - sense,
            "product: dropout, less ridge": product["modality dropout"] - product["ridge"],
            "product: ridge, less mean": product["ridge"] - product["mean"],
            "product: black or unknown, less zeros": product["black, unknown"] - product["zeros"],
            "concat: black or unknown, less zeros": adds["black, unknown"] - adds["zeros"],
            "concat: mean, less zeros": adds["mean"] - adds["zeros"],
            "concat: zeros, less ridge": adds["zeros"] - adds["ridge"],
        }
    return pd.DataFrame(found)


def draw_missing(curves: Any, model: str, mechanism: str, rate: float) -> Figure:
    """All fills of one model under one mechanism, with the rate that is looked at."""
    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.subplots()
    for name, line in curves[model, mechanism].items():
        colour, marker, dash = LOOKS.get(name, (PALETTE["ceiling"], "", ":"))
        axes.plot(list(line), list(line.values()), dash, color=colour, marker=marker, label=name,
                  markersize=SIZES.get(name, 5), markerfacecolor="none")  # fmt: skip
    # One axis for all models: what falls from one drawing to the next has fallen.
    lowest = min(at for lines in curves.values() for line in lines.values() for at in line.values())
    axes.axvline(rate, color="0.6", linewidth=1)
    axes.set(xlabel="share of test headlines that are missing", ylabel="accuracy",
             xlim=(0, 1), ylim=(math.floor(10 * lowest) / 10, 1),
             title=f"{model}, missing {mechanism}")  # fmt: skip
    axes.legend(fontsize=8, loc="lower left")
    return figure


def describe_missing(curves: Any, model: str, mechanism: str, rate: float) -> str:
    """The alt text of ``draw_missing``: what each line says nearest to the rate."""
    said = []
    for name, line in curves[model, mechanism].items():
        near = min(line, key=lambda at: abs(at - rate))
        said.append(f"{name} {two_decimals(line[near])} at {near:g}")
    return (
        f"Accuracy of {model} over the share of headlines missing {mechanism}: {'; '.join(said)}."
    )


def missing_explorer(curves: Any) -> Any:
    """Two lists and a slider: model, mechanism, and the rate that is read off.

    Returns the widget that a cell ends in.
    """
    return make_missing_explorer(curves).box


def make_missing_explorer(curves: Any) -> InteractiveFigure:
    """The figure behind ``missing_explorer``, with its controls wired up."""
    import ipywidgets as w

    controls = {
        "model": w.Dropdown(options=MODELS, description="model"),
        "mechanism": w.Dropdown(options=MECHANISMS, description="missing"),
        "rate": w.FloatSlider(0.5, min=0.1, max=0.9, step=0.2, description="rate",
                              continuous_update=False),
    }  # fmt: skip
    return InteractiveFigure(
        lambda **values: draw_missing(curves, **values),
        lambda **values: describe_missing(curves, **values),
        controls,
    )
