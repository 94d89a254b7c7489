"""Lesson 12: a threshold over a rare class, two bell curves, and how far ahead a text reader is."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from course_utils.display import PALETTE
from course_utils.imbalance import Rare, bell_scores
from course_utils.widgets.core import InteractiveFigure, slider, two_decimals


def confusions(score: Any, positive: Any, threshold: float) -> dict[str, int]:
    """How many rows are found, missed, and called wrongly at a threshold.

    score (n,) float, positive (n,) bool.
    """
    called, positive = np.asarray(score) >= float(threshold), np.asarray(positive)
    return {
        "found": int((called & positive).sum()),
        "missed": int((~called & positive).sum()),
        "called wrongly": int((called & ~positive).sum()),
    }


def precision_and_recall(counts: dict[str, int]) -> tuple[float, float]:
    """Of ``confusions``; a share of nothing is 0."""
    found = counts["found"]
    return (
        found / max(found + counts["called wrongly"], 1),
        found / max(found + counts["missed"], 1),
    )


def draw_threshold(score: Any, positive: Any, threshold: float) -> Figure:
    """Precision over recall for all thresholds, one of them marked, and its counts."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(np.asarray(positive), np.asarray(score))
    counts = confusions(score, positive, threshold)
    here, found = precision_and_recall(counts)
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.step(recall, precision, where="post", color="black")
    left.plot(found, here, "o", ms=12, color=PALETTE["highlight"], clip_on=False,
              label=f"at {two_decimals(threshold)}")  # fmt: skip
    left.set(xlabel="recall (share of rare cards found)", xlim=(0, 1), ylim=(0, 1.03),
             ylabel="precision (share of calls right)")  # fmt: skip
    left.legend(loc="lower left")
    names = [*counts][::-1]
    bars = right.barh(names, [counts[name] for name in names], color=PALETTE["image"])
    right.bar_label(bars, padding=3)
    far = max(2 * int(np.asarray(positive).sum()), *counts.values())
    right.set(xlabel="cards", xlim=(0, 1.15 * far))  # with room for the longest bar's number
    return figure


def describe_threshold(score: Any, positive: Any, threshold: float) -> str:
    """The alt text of ``draw_threshold``."""
    counts = confusions(score, positive, threshold)
    precision, recall = precision_and_recall(counts)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return (
        f"A falling curve of precision over recall. At the threshold {two_decimals(threshold)} "
        f"precision is {two_decimals(precision)} and recall {two_decimals(recall)}: {told}."
    )


def threshold_explorer(score: Any, positive: Any, threshold: float = 0.5) -> Any:
    """Move the threshold and watch precision, recall and the counts.

    Returns the widget that a cell ends in.
    """
    return make_threshold_explorer(score, positive, threshold).box


def make_threshold_explorer(score: Any, positive: Any, threshold: float) -> InteractiveFigure:
    """The figure behind ``threshold_explorer``, with its control wired up."""
    return InteractiveFigure(
        lambda threshold: draw_threshold(score, positive, threshold),
        lambda threshold: describe_threshold(score, positive, threshold),
        {"threshold": slider(threshold, 0.0, 1.0, "threshold")},
    )


def both_rules(share: float, separation: float) -> dict[str, tuple[float, Rare]]:
    """The thresholds without and with full class weights, and what they lead to."""
    rules = {"plain": math.log((1 - share) / share), "full shift or weights": 0.0}
    return {
        name: (separation / 2 + odds / separation, bell_scores(share, separation, odds))
        for name, odds in rules.items()
    }


def draw_bells(share: float, separation: float) -> Figure:
    """Two bell curves, the rare one as small as it is, and the two thresholds."""
    bell, places = NormalDist(), np.linspace(-3.5, 8, 461)
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    for name, height, middle, colour in (
        ("common", 1 - share, 0.0, PALETTE["quiet"]),
        ("rare", share, separation, PALETTE["text"]),
    ):
        curve = height * np.array([bell.pdf(place - middle) for place in places])
        axes.fill_between(places, curve, color=colour, alpha=0.6, label=name)
    for (name, (at, rare)), style in zip(both_rules(share, separation).items(), ("-", "--"),
                                         strict=True):  # fmt: skip
        axes.axvline(
            at,
            color="black",
            ls=style,
            label=f"{name}: recall {rare.recall:.2f}, macro F1 {rare.macro_f1:.2f}",
        )
    axes.set(xlabel="score (widths of a curve)", ylabel="density of cards", xlim=(-3.5, 8))
    axes.legend(loc="upper right", fontsize=9)
    return figure


def describe_bells(share: float, separation: float) -> str:
    """The alt text of ``draw_bells``."""
    told = " ".join(
        f"{name.capitalize()}: called rare above {two_decimals(at)}, recall "
        f"{two_decimals(rare.recall)}, precision {two_decimals(rare.precision)}, macro F1 "
        f"{two_decimals(rare.macro_f1)}."
        for name, (at, rare) in both_rules(share, separation).items()
    )
    return (
        f"A large bell curve and a small one, of {two_decimals(share)} of the cards, "
        f"{two_decimals(separation)} widths to its right. {told}"
    )


def bells_explorer(share: float = 0.05, separation: float = 2.0) -> Any:
    """Make the rare class more or less rare, and easier or harder to tell.

    Returns the widget that a cell ends in.
    """
    return make_bells_explorer(share, separation).box


def make_bells_explorer(share: float, separation: float) -> InteractiveFigure:
    """The figure behind ``bells_explorer``, with its controls wired up."""
    controls = {
        "share": slider(share, 0.01, 0.25, "share"),
        "separation": slider(separation, 0.5, 4.0, "separation"),
    }
    return InteractiveFigure(draw_bells, describe_bells, controls)


def draw_dial(
    loss: Sequence[float],
    probe: Sequence[float],
    alone: float,
    untrained: float,
    strengths: Sequence[str],
) -> Figure:
    """What is read off the picture encoder, over how little loss the text left at the start.

    strengths: by what the ready head was multiplied at each point, in words.
    """
    figure = Figure(figsize=(6.5, 3.1), layout="constrained")
    axes = figure.subplots()
    axes.plot(loss, probe, "o-", color=PALETTE["image"], label="beside the text")
    for place, (x, y, strength) in enumerate(zip(loss, probe, strengths, strict=True)):
        off = (0, 7 if place % 2 else -15)  # neighbours may lie close together
        axes.annotate(f"c = {strength}", (x, y), off, textcoords="offset points",
                      fontsize=9, ha="center")  # fmt: skip
    axes.axhline(alone, color="black", lw=1, label="picture alone")
    axes.axhline(untrained, color="black", lw=1, ls=":", label="untrained")
    axes.set(xscale="log", xlabel="loss before the first step (nats)", ylim=(0.35, 0.9),
             ylabel="probe of the picture encoder\n(accuracy)")  # fmt: skip
    axes.legend(loc="lower right", fontsize=9)
    return figure


def describe_dial(
    loss: Sequence[float],
    probe: Sequence[float],
    alone: float,
    untrained: float,
    strengths: Sequence[str],
) -> str:
    """The alt text of ``draw_dial``."""
    told = ", ".join(
        f"{x:.3f} (c = {strength}): {y:.2f}"
        for x, y, strength in zip(loss, probe, strengths, strict=True)
    )
    return (
        f"The probe over the loss before the first step, {told}. The picture alone reaches "
        f"{alone:.2f}, an untrained encoder {untrained:.2f}."
    )
