"""Lesson 09: what two bits tell about a label, in parts; and which block of a picture tells it."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from course_utils.display import PALETTE
from course_utils.information import bits_lost_by_adding, partial_information
from course_utils.widgets.core import InteractiveFigure, number_grid, slider, two_decimals

PARTS = ("redundant", "unique\nimage", "unique\ntext", "synergy", "lost by\nadding")
AND = (0.0, 0.0, 0.0, 1.0)


def joint_of(p00: float, p01: float, p10: float, p11: float, alike: float) -> np.ndarray:
    """P(image, text, label), (2, 2, 2), of two fair bits.

    p00 ... p11: P(label is 1) where image and text have these values. alike: chance that the two
    bits are equal; at 0.5 they are independent.
    """
    one = np.array([[p00, p01], [p10, p11]], dtype=float)
    cells = np.array([[alike, 1 - alike], [1 - alike, alike]]) / 2
    return np.stack([cells * (1 - one), cells * one], axis=-1)


@functools.lru_cache(maxsize=32)  # a drawing and its alt text ask for the same numbers
def numbers_of(
    p00: float, p01: float, p10: float, p11: float, alike: float
) -> tuple[float, float, float, float, float]:
    """Redundant, unique of either sense, synergy, and what adding loses: in bits."""
    joint = joint_of(p00, p01, p10, p11, alike)
    return (*partial_information(joint), bits_lost_by_adding(joint, rounds=1000))


def draw_bits(
    p00: float = 0.0, p01: float = 0.0, p10: float = 0.0, p11: float = 1.0, alike: float = 0.5
) -> Figure:
    """The table of P(label is 1), and the five numbers as bars."""
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 2.2))
    number_grid(left, np.array([[p00, p01], [p10, p11]]), "P(label is 1)", "cividis", 1.0)
    left.set(xticks=(0, 1), yticks=(0, 1), xlabel="text", ylabel="image")
    bits = numbers_of(p00, p01, p10, p11, alike)
    colours = [PALETTE["both"]] * 4 + ["white"]
    bars = right.bar(PARTS, bits, color=colours, edgecolor="black")
    bars[-1].set_hatch("//")
    right.bar_label(bars, [two_decimals(one) for one in bits])
    right.set(ylim=(0, 1.15), ylabel="bits", title="what the data hold, and what adding loses")
    return figure


def describe_bits(
    p00: float = 0.0, p01: float = 0.0, p10: float = 0.0, p11: float = 1.0, alike: float = 0.5
) -> str:
    """The alt text of ``draw_bits``."""
    bits = numbers_of(p00, p01, p10, p11, alike)
    named = ", ".join(
        f"{name.replace(chr(10), ' ')} {two_decimals(one)}"
        for name, one in zip(PARTS, bits, strict=True)
    )
    return (
        f"A table of the chance that the label is 1: {p00:.2f} where both bits are 0, {p01:.2f} "
        f"and {p10:.2f} where they differ, {p11:.2f} where both are 1; the bits are equal with "
        f"chance {alike:.2f}. Bars, in bits: {named}."
    )


def bits_explorer(table: Sequence[float] = AND, alike: float = 0.5) -> Any:
    """Five sliders, the chance of the label in each cell and how often the bits are equal.

    Returns the widget that a cell ends in.
    """
    return make_bits_explorer(table, alike).box


def make_bits_explorer(table: Sequence[float], alike: float) -> InteractiveFigure:
    """The figure behind ``bits_explorer``, with its controls wired up."""
    names = ("p00", "p01", "p10", "p11")
    said = ("both 0", "only text 1", "only image 1", "both 1")
    controls = {
        name: slider(value, 0.0, 1.0, words)
        for name, value, words in zip(names, table, said, strict=True)
    }
    return InteractiveFigure(
        draw_bits, describe_bits, controls | {"alike": slider(alike, 0.0, 1.0, "agree")}
    )


# --- a map of blocks ------------------------------------------------------------------------------


def block_table(accuracies: Mapping[tuple[int, int], float]) -> np.ndarray:
    """Accuracies by (row, column) of a block, as a matrix."""
    rows = 1 + max(row for row, _ in accuracies)
    columns = 1 + max(column for _, column in accuracies)
    table = np.full((rows, columns), np.nan)
    for place, value in accuracies.items():
        table[place] = value
    return table


def draw_blocks(accuracies: Mapping[tuple[int, int], float], picture: Any) -> Figure:
    """A picture (H, W, 3), and how often a linear model of each of its blocks is right."""
    table = block_table(accuracies)
    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(picture)
    left.set(title="a card's picture", xticks=(), yticks=())
    drawn = right.imshow(table, cmap="cividis", vmin=0.45, vmax=0.85)
    for (row, column), value in np.ndenumerate(table):
        dark = value < 0.65
        right.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                   color="white" if dark else "black")  # fmt: skip
    right.set(title="right by one block alone", xlabel="column of blocks", ylabel="row of blocks")
    figure.colorbar(drawn, ax=right, label="share of cards that are right")
    return figure


def describe_blocks(accuracies: Mapping[tuple[int, int], float]) -> str:
    """The alt text of ``draw_blocks``."""
    table = block_table(accuracies)
    row, column = np.unravel_index(table.argmax(), table.shape)
    others = np.delete(table.ravel(), table.argmax())
    return (
        f"Beside a picture, a map of its {table.shape[0]} by {table.shape[1]} blocks. The block in "
        f"row {row}, column {column}, counted from 0 at the upper left, is right on "
        f"{table.max():.2f} of the cards; all others on {others.min():.2f} to {others.max():.2f}."
    )
