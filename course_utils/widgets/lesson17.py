"""Lesson 17: a matrix of similarities under a temperature, pictures that a sentence finds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.contrastive import matching_loss
from course_utils.data.news_cards import ATTRIBUTES, SECTIONS
from course_utils.display import PALETTE
from course_utils.fonts import as_written
from course_utils.widgets.core import InteractiveFigure, two_decimals

COLDEST, WARMEST = 0.01, 2.0
NAMES = {  # of the table of sections: as the results file calls a model, and as a reader
    "majority": "majority",
    "linear, image": "image, linear on pixels, labels",
    "linear, text": "text, linear, labels",
    "the same eye, with labels": "image, CNN, labels",
    "linear, the space's pictures": "image, probe, labels",
    "by sentences, headline": "text, by sentences",
    "softmax": "image, by sentences",
}

# --- pictures that a sentence finds -----------------------------------------------------------


def draw_found(found: Mapping[str, np.ndarray]) -> Figure:
    """A row of pictures for each sentence: {sentence: images (k, H, W, 3)}, the best first."""
    most = max(len(images) for images in found.values())
    figure = Figure(figsize=(1.25 * most + 0.2, 1.55 * len(found)), layout="constrained")
    places = figure.subplots(len(found), most, squeeze=False)
    for line, (sentence, images) in zip(places, found.items(), strict=True):
        for axes in line:
            axes.set_axis_off()
        for axes, image in zip(line, images, strict=False):
            axes.imshow(image)
        line[0].set_title(sentence, fontsize=10, loc="left")
    return as_written(figure)


def describe_found(found: Mapping[str, np.ndarray], told: Mapping[str, str]) -> str:
    """The alt text of ``draw_found``; told: what the pictures of each sentence show."""
    rows = "; ".join(f"for {sentence!r}, {told[sentence]}" for sentence in found)
    return f"Pictures that fit a sentence best: {rows}."


def in_words(cards: Mapping[str, Any], rows: Sequence[int]) -> str:
    """What these cards show: "two huge yellow sport, two huge yellow travel, no motif"."""
    told = []
    for row in [int(row) for row in rows]:
        said = [words[cards[name][row]] for name, words in ATTRIBUTES.items()]
        shown = cards["count"][row] >= 0
        told.append(
            " ".join([*said, SECTIONS[cards["true_section"][row]]]) if shown else "no motif"
        )
    return ", ".join(told)


# --- a matrix and its temperature -------------------------------------------------------------


class Matrix(NamedTuple):
    """B pairs: pictures (B, H, W, 3), what to call their texts, and cosines (B, B)."""

    images: np.ndarray
    texts: Sequence[str]
    cosines: Tensor


def shares(matrix: Matrix, temperature: float) -> Tensor:
    """What each picture gives to each text: (B, B), rows of sum 1."""
    return (matrix.cosines / temperature).softmax(dim=1)


def loss_at(matrix: Matrix, temperature: float) -> float:
    """The loss of CLIP on these pairs at a temperature."""
    return matching_loss(matrix.cosines / temperature).item()


def draw_matrix(matrix: Matrix, temperature: float = 0.07) -> Figure:
    """Cosines, and beside them the softmax of each row at a temperature; the right ones framed."""
    count = len(matrix.texts)
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    strip, left, right = figure.subplots(1, 3, width_ratios=(0.13, 1, 1))
    strip.imshow(np.concatenate(list(matrix.images)), aspect="auto")
    strip.set(xticks=[], yticks=[], title="pictures")
    panels = {
        "cosine": (left, matrix.cosines.numpy(), -1, 1),
        f"share of the row at temperature {temperature:.2f}": (
            right, shares(matrix, temperature).numpy(), 0, 1),
    }  # fmt: skip
    for title, (axes, numbers, low, high) in panels.items():
        drawn = axes.imshow(numbers, cmap="cividis", vmin=low, vmax=high, aspect="auto")
        ticks = np.linspace(low, high, 5)
        figure.colorbar(drawn, ax=axes, location="bottom", shrink=0.8, label=title, ticks=ticks)
        axes.set_xticks(range(count), matrix.texts, rotation=90, fontsize=8)
        axes.xaxis.tick_top()
        axes.set(yticks=[])
        axes.plot(range(count), range(count), "s", ms=11, mfc="none", mec=PALETTE["text"], mew=1.5)
    loss, nothing = loss_at(matrix, temperature), math.log(count)
    figure.suptitle(f"loss {loss:.2f}; ln {count} = {nothing:.2f}", fontsize=11)
    return as_written(figure)


def describe_matrix(matrix: Matrix, temperature: float = 0.07) -> str:
    """The alt text of ``draw_matrix``."""
    found, count = shares(matrix, temperature), len(matrix.texts)
    best = int((found.argmax(dim=1) == torch.arange(count)).sum())
    own = found.diagonal().mean().item()
    return (
        f"{count} pictures against {count} texts. For {best} pictures the largest cosine is that "
        f"of their own text. At temperature {two_decimals(temperature)} a picture gives its own "
        f"text a share of {two_decimals(own)} on average; the loss is "
        f"{two_decimals(loss_at(matrix, temperature))}, and the logarithm of {count} is "
        f"{two_decimals(math.log(count))}."
    )


def temperature_explorer(matrix: Matrix) -> Any:
    """Move the temperature and see what becomes of the rows; the widget that a cell ends in."""
    return make_temperature_explorer(matrix).box


def make_temperature_explorer(matrix: Matrix) -> InteractiveFigure:
    """The figure behind ``temperature_explorer``, with its control wired up."""
    import ipywidgets as w

    control = w.FloatLogSlider(
        0.07, base=10, min=math.log10(COLDEST), max=math.log10(WARMEST), step=0.05,
        description="temperature", continuous_update=False, readout_format=".3f",
        style={"description_width": "initial"},  # or the label is cut off
    )  # fmt: skip
    return InteractiveFigure(
        lambda temperature: draw_matrix(matrix, temperature),
        lambda temperature: describe_matrix(matrix, temperature),
        {"temperature": control},
    )


# --- what is learnt when ----------------------------------------------------------------------


def draw_curves(curves: Any, chance: Mapping[str, float]) -> Figure:
    """Share named rightly over epochs; curves: a DataFrame, index epoch, a column each thing."""
    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    axes = figure.subplots()
    marks = {"colour": "o", "size": "s", "count": "^", "section": "D"}
    colours = dict(zip(marks, ("image", "text", "both", "majority"), strict=True))
    for name in curves.columns:
        colour = PALETTE[colours[name]]
        axes.plot(curves.index, curves[name], marker=marks[name], color=colour, label=name)
        axes.axhline(chance[name], color=colour, lw=0.8, ls=":")
    axes.set(xlabel="epochs", ylabel="named rightly (share of cards)", ylim=(0, 1.05))
    axes.legend(title="dotted: chance", fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return as_written(figure)


def describe_curves(curves: Any, chance: Mapping[str, float]) -> str:
    """The alt text of ``draw_curves``."""
    first, last = curves.index[0], curves.index[-1]
    told = "; ".join(
        f"{name} from {two_decimals(curves[name].loc[first])} to "
        f"{two_decimals(curves[name].loc[last])} (chance {two_decimals(chance[name])})"
        for name in curves.columns
    )
    return f"Share of cards named rightly, from epoch {first} to {last}: {told}."
