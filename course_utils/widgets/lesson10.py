"""Lesson 10: what a gate does as one card's picture drowns in noise and its words are lost."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from course_utils.data.batches import Batches
from course_utils.data.rows import Rows, take
from course_utils.data.spoilt_senses import UNKNOWN, corrupt
from course_utils.display import PALETTE
from course_utils.widgets.core import InteractiveFigure, slider, two_decimals

STEPS = 9  # noises on the curve
MOST_NOISE = 0.6


class Reading(NamedTuple):
    """What a gate makes of one card.

    picture: (H, W, 3) from 0 to 1. words: how many of the headline's are known, and of how many.
    weight: the picture's, the mean over the gate's entries. beliefs: {section: probability}.
    """

    picture: np.ndarray
    words: tuple[int, int]
    weight: float
    beliefs: dict[str, float]


Reader = Callable[[float, float], Reading]


def reader_of(
    model: nn.Module, tensors: Mapping[str, Any], row: int, classes: Sequence[str]
) -> Reader:
    """A function of (noise, lost): what the model, with a ``GatedFusion``, makes of one row then.

    model: with encoders in front, so that it reads pictures and words. tensors: as ``to_tensors``
    gives them. The same noise always gives the same grain.
    """
    card = {name: tensors[name][row : row + 1] for name in ("image", "text", "text_length")}
    length = int(card["text_length"])

    @torch.no_grad()
    def read(noise: float, lost: float) -> Reading:
        spoilt = corrupt(card, noise, lost)
        batch = next(iter(Batches(spoilt, 1)))
        beliefs = model.eval()(batch).softmax(dim=1)[0].tolist()
        known = int((batch["text"][0, :length] > 1).sum())
        weight = model.fusion.weights[0, 0].mean().item()
        picture = batch["image"][0].permute(1, 2, 0).numpy()
        return Reading(picture, (known, length), weight, dict(zip(classes, beliefs, strict=True)))

    return read


def as_corrupted(
    rows: Rows, tensors: Mapping[str, Any], chosen: Sequence[int], readers: Mapping[str, Any]
) -> Rows:
    """Some rows with the pictures and headlines that their corrupted tensors show.

    tensors: of all rows, as ``corrupt`` gives them. readers: the ones that made them. A word that
    the vocabulary lacks, or that was lost, is a "?".
    """
    some, words = take(rows, chosen), readers["text"].vocabulary.words
    some["image"] = tensors["image"][list(chosen)].permute(0, 2, 3, 1).numpy()
    for at, ids in enumerate(tensors["text"][list(chosen)].tolist()):
        some["headline"][at] = " ".join("?" if i == UNKNOWN else words[i] for i in ids if i)
    return some


def draw_gate(noise: float, lost: float, read: Reader) -> Figure:
    """The card's picture, the picture's weight over all noises, and what the model believes."""
    seen = read(noise, lost)
    noises = np.linspace(0, MOST_NOISE, STEPS)
    figure = Figure(figsize=(9.5, 2.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.6, 1.6))
    left.imshow(seen.picture)
    left.set(title="words known: {} of {}".format(*seen.words), xticks=[], yticks=[])
    curve = [read(one, lost).weight for one in noises]
    middle.plot(noises, curve, color=PALETTE["image"])
    middle.plot(noise, seen.weight, "o", ms=9, color=PALETTE["text"])
    middle.set(
        xlabel="noise in the picture (white is 1)", ylabel="weight of the picture", ylim=(0, 1)
    )
    right.barh([*seen.beliefs], [*seen.beliefs.values()], color=PALETTE["both"])
    right.set(xlabel="what the model believes (probability)", xlim=(0, 1))
    right.invert_yaxis()
    return figure


def describe_gate(noise: float, lost: float, read: Reader) -> str:
    """The alt text of ``draw_gate``."""
    seen = read(noise, lost)
    first = max(seen.beliefs, key=seen.beliefs.get)
    clean, worst = read(0.0, lost).weight, read(MOST_NOISE, lost).weight
    return (
        f"A card with noise {two_decimals(noise)} in its picture and {seen.words[0]} of "
        f"{seen.words[1]} words known. The gate gives the picture {two_decimals(seen.weight)}; "
        f"without noise it gives {two_decimals(clean)}, with noise {two_decimals(MOST_NOISE)} "
        f"{two_decimals(worst)}. The model believes in {first} with "
        f"{two_decimals(seen.beliefs[first])}."
    )


def draw_curve(curve: Any, ceiling: float) -> Figure:
    """Accuracy over training pictures, a line for each column; curve: a DataFrame by pictures."""
    figure = Figure(figsize=(6, 2.8), layout="constrained")
    axes = figure.subplots()
    for name, style in zip(curve, ("o-", "s--", "^:"), strict=False):
        axes.plot(curve.index, curve[name], style, label=name)
    axes.axhline(ceiling, color="black", lw=1, label="ceiling")
    axes.set(xscale="log", xlabel="training pictures", ylabel="accuracy (share of pictures)")
    axes.set_xticks(curve.index, labels=[f"{cards:,}" for cards in curve.index])
    axes.minorticks_off()
    axes.legend()
    return figure


def describe_curve(curve: Any, ceiling: float) -> str:
    """The alt text of ``draw_curve``."""
    told = "; ".join(
        f"{name} {', '.join(map(two_decimals, curve[name]))}" for name in curve.columns
    )
    cards = ", ".join(f"{one:,}" for one in curve.index)
    return f"Accuracy over {cards} training pictures: {told}; ceiling {two_decimals(ceiling)}."


def gate_explorer(read: Reader, noise: float = 0.3, lost: float = 0.0) -> Any:
    """Put noise into a card's picture, take its words away, and watch the gate.

    read: as ``reader_of`` gives it. Returns the widget that a cell ends in.
    """
    return make_gate_explorer(read, noise, lost).box


def make_gate_explorer(read: Reader, noise: float, lost: float) -> InteractiveFigure:
    """The figure behind ``gate_explorer``, with its controls wired up."""
    controls = {
        "noise": slider(noise, 0.0, MOST_NOISE, "noise"),
        "lost": slider(lost, 0.0, 1.0, "words lost"),
    }

    def draw(noise: float, lost: float) -> Figure:
        return draw_gate(noise, lost, read)

    def describe(noise: float, lost: float) -> str:
        return describe_gate(noise, lost, read)

    return InteractiveFigure(draw, describe, controls)
