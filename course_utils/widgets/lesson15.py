"""Lesson 15: clips as strips of frames, what is known from which senses, and a frame scrubber."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import motion_clips
from course_utils.display import PALETTE
from course_utils.fonts import as_written
from course_utils.video import frame_difference, sample_positions, shuffle_frames
from course_utils.widgets.core import InteractiveFigure, two_decimals

SHOWN = 8  # frames of a strip
SHUFFLE = 3  # the seed of the order in which the scrubber shuffles

# --- strips -----------------------------------------------------------------------------------


def draw_strips(clips: Mapping[str, np.ndarray], count: int = SHOWN) -> Figure:
    """A line for each clip (F, H, W) uint8: ``count`` of its frames, then the average of all."""
    figure = Figure(figsize=(1.05 * (count + 1.4), 1.25 * len(clips) + 0.2), layout="constrained")
    places = figure.subplots(len(clips), count + 1, squeeze=False)
    for line, (name, clip) in zip(places, clips.items(), strict=True):
        # From end to end, so that a clip and its reversal show the same pictures.
        moments = np.linspace(0, len(clip) - 1, count).round().astype(int)
        for axes, moment in zip(line, moments.tolist(), strict=False):
            axes.imshow(clip[moment], cmap="gray", vmin=0, vmax=255)
            axes.set_xlabel(f"frame {moment}", fontsize=8)
        line[-1].imshow(clip.mean(axis=0), cmap="gray", vmin=0, vmax=255)
        line[-1].set_xlabel("average", fontsize=8, weight="bold")
        line[0].set_ylabel(name, fontsize=10)
        for axes in line:
            axes.set(xticks=[], yticks=[])
    return as_written(figure)


def describe_strips(clips: Mapping[str, np.ndarray], count: int = SHOWN) -> str:
    """The alt text of ``draw_strips``."""
    averages = [clip.mean(axis=0) for clip in clips.values()]
    apart = max(float(np.abs(one - averages[0]).max()) for one in averages)
    alike = "the same in all lines" if apart < 1e-6 else "not the same in all lines"
    return (
        f"{len(clips)} clips, {', '.join(clips)}, with {count} frames each in which a light shape "
        f"moves, and the average of all frames, which is {alike}."
    )


# --- one row of the world ---------------------------------------------------------------------


def says(rows: Mapping[str, Any], row: int, modality: str) -> str:
    """What a sense of a row tells: the row's event, another one (its twin), or nothing."""
    told = int(rows[motion_clips.TOLD[modality]][row])
    if told == motion_clips.NOTHING:
        return "silent"
    return "event" if told == int(rows["content"][row]) else "twin"


def draw_rows(rows: Mapping[str, Any], picked: Sequence[int], rate: int = 8000) -> Figure:
    """Rows of motion clips: poster, three frames, the beeps' wave, and the caption above it.

    Beside each row stands its event; with each sense, whether it tells that, a twin, or nothing.
    """
    figure = Figure(figsize=(8.4, 1.75 * len(picked)), layout="constrained")
    lines = figure.subplots(len(picked), 5, squeeze=False, width_ratios=(1, 1, 1, 1, 1.8))
    for line, row in zip(lines, picked, strict=True):
        clip, track = rows["clip"][row], rows["beeps"][row]
        line[0].imshow(rows["poster"][row])
        line[0].set_ylabel(motion_clips.EVENTS[int(rows["content"][row])], fontsize=9)
        line[0].set_xlabel(says(rows, row, "image"), fontsize=8)
        moments = sample_positions(len(clip), 3).tolist()
        for axes, moment in zip(line[1:4], moments, strict=True):
            axes.imshow(clip[moment], cmap="gray", vmin=0, vmax=255)
            axes.set_xlabel(f"frame {moment}", fontsize=8)
        line[2].set_xlabel(f"frame {moments[1]}: {says(rows, row, 'frames')}", fontsize=8)
        time = np.arange(len(track)) / rate
        line[4].plot(time, track / 32768, color=PALETTE["audio"], lw=0.4)
        line[4].set(ylim=(-0.4, 0.4), xlabel=f"seconds: {says(rows, row, 'audio')}", yticks=[])
        line[4].set_title(f"{rows['caption'][row]}: {says(rows, row, 'text')}", fontsize=8)
        for axes in line[:4]:
            axes.set(xticks=[], yticks=[])
    lines[0][0].set_title("poster", fontsize=9)
    lines[0][2].set_title("clip", fontsize=9)
    return as_written(figure)


def describe_rows(rows: Mapping[str, Any], picked: Sequence[int]) -> str:
    """The alt text of ``draw_rows``."""
    captions = "; ".join(
        f"{rows['caption'][row]} (event: {motion_clips.EVENTS[int(rows['content'][row])]}; "
        + ", ".join(f"{shown} {says(rows, row, name)}"
                    for name, shown in motion_clips.MODALITIES.items())
        + ")"
        for row in picked
    )  # fmt: skip
    return (
        f"{len(picked)} rows: a poster with or without a badge on a coloured ground, three frames "
        f"of a grey clip, a wave with beeps or without. Captions: {captions}."
    )


# --- accuracies under their ceilings ----------------------------------------------------------


def draw_under_ceilings(
    found: Mapping[str, Sequence[float]], ceilings: Mapping[str, float], chance: float
) -> Figure:
    """A line for each reader: a dot for each seed, and a stroke where its ceiling is."""
    figure = Figure(figsize=(7, 0.42 * len(found) + 0.9), layout="constrained")
    axes = figure.subplots()
    for place, (name, values) in enumerate(found.items()):
        axes.plot(values, [place] * len(values), "o", ms=6, mfc="none", mew=1.6,
                  color=PALETTE["both"], label="a seed" if place == 0 else None)  # fmt: skip
        if name in ceilings:
            axes.plot(ceilings[name], place, "|", ms=17, mew=3, color=PALETTE["ceiling"],
                      label="ceiling" if place == 0 else None)  # fmt: skip
    axes.axvline(chance, color=PALETTE["majority"], ls=":", label="chance")
    axes.set(yticks=range(len(found)), yticklabels=list(found), xlabel="accuracy (share of rows)",
             xlim=(min(0.2, chance - 0.05), 1))  # fmt: skip
    axes.invert_yaxis()
    axes.legend(fontsize=8, loc="lower left")
    return as_written(figure)


def describe_under_ceilings(
    found: Mapping[str, Sequence[float]], ceilings: Mapping[str, float], chance: float
) -> str:
    """The alt text of ``draw_under_ceilings``."""
    told = [
        f"{name} {two_decimals(np.mean(values))}"
        + (f", ceiling {two_decimals(ceilings[name])}" if name in ceilings else "")
        for name, values in found.items()
    ]
    return f"Mean accuracies over seeds: {'; '.join(told)}. Chance is {two_decimals(chance)}."


# --- who needs the order ----------------------------------------------------------------------


Accuracies = Mapping[str, Sequence[float]]  # {encoder: one for each seed}


def draw_orders(plain: Accuracies, mixed: Accuracies) -> Figure:
    """Accuracy on direction, a line for each encoder and a mark for each seed.

    A dot: frames in order; a cross: the same model with frames shuffled.
    """
    names = [*plain]
    figure = Figure(figsize=(7, 0.42 * len(names) + 0.9), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names):
        for values, mark, colour, said in (
            (plain[name], "o", PALETTE["image"], "in order"),
            (mixed[name], "x", PALETTE["text"], "shuffled"),
        ):
            axes.plot(values, [place] * len(values), mark, ms=7, mfc="none", mew=1.6, color=colour,
                      label=said if place == 0 else None)  # fmt: skip
    axes.axvline(0.5, color=PALETTE["majority"], ls=":", label="a coin")
    axes.set(yticks=range(len(names)), yticklabels=names, xlim=(0.4, 1.03),
             xlabel="accuracy on direction (share of clips)")  # fmt: skip
    axes.invert_yaxis()
    axes.legend(fontsize=8, loc="center")
    return as_written(figure)


def describe_orders(plain: Accuracies, mixed: Accuracies) -> str:
    """The alt text of ``draw_orders``."""
    means = {name: [two_decimals(np.mean(one[name])) for one in (plain, mixed)] for name in plain}
    told = [f"{name} {ordered}, shuffled {other}" for name, (ordered, other) in means.items()]
    return f"Mean accuracies on direction over seeds: {'; '.join(told)}."


# --- a scrubber -------------------------------------------------------------------------------


def in_time(clip: np.ndarray, shuffled: bool) -> Tensor:
    """The clip (F, H, W) uint8 as floats in [0, 1], its frames shuffled or not."""
    frames = torch.tensor(np.asarray(clip)) / 255
    if shuffled:
        rng = torch.Generator().manual_seed(SHUFFLE)
        frames = shuffle_frames(frames[None], rng)[0]
    return frames


def draw_scrub(clip: np.ndarray, moment: int = 8, shuffled: bool = False) -> Figure:
    """The frame at this place, the average of all frames, and the frame less the one before it."""
    frames = in_time(clip, shuffled)
    change = frame_difference(frames[None])[0, moment - 1]
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.imshow(frames[moment].numpy(), cmap="gray", vmin=0, vmax=1)
    middle.imshow(frames.mean(dim=0).numpy(), cmap="gray", vmin=0, vmax=1)
    drawn = right.imshow(change.numpy(), cmap="PuOr", vmin=-1, vmax=1)
    figure.colorbar(drawn, ax=right, label="lighter or darker")
    left.set_title(f"frame at place {moment}", fontsize=10)
    middle.set_title("average of all frames", fontsize=10)
    right.set_title(f"place {moment} less place {moment - 1}", fontsize=10)
    for axes in (left, middle, right):
        axes.set(xticks=[], yticks=[])
    figure.suptitle("frames shuffled" if shuffled else "frames in order", fontsize=10)
    return as_written(figure)


def moved(frames: Tensor, moment: int) -> float:
    """How much changes from one place to the next, a mean over pixels."""
    return frame_difference(frames[None])[0, moment - 1].abs().mean().item()


def describe_scrub(clip: np.ndarray, moment: int = 8, shuffled: bool = False) -> str:
    """The alt text of ``draw_scrub``."""
    frames = in_time(clip, shuffled)
    every = [moved(frames, place) for place in range(1, len(frames))]
    gap = float((frames.mean(dim=0) - in_time(clip, False).mean(dim=0)).abs().max())
    return (
        f"A clip of {len(frames)} frames, {'shuffled' if shuffled else 'in order'}. From place "
        f"{moment - 1} to {moment} the pixels change by {two_decimals(moved(frames, moment))} on "
        f"average, over all places by {two_decimals(np.mean(every))}. The average of all frames "
        f"differs from that of the clip in order by {two_decimals(gap)}."
    )


def scrubber(clip: np.ndarray) -> Any:
    """Move through a clip's frames and shuffle them. Returns the widget that a cell ends in."""
    return make_scrubber(clip).box


def make_scrubber(clip: np.ndarray) -> InteractiveFigure:
    """The figure behind ``scrubber``, with its controls wired up."""
    import ipywidgets as w

    controls = {
        "moment": w.IntSlider(8, min=1, max=len(clip) - 1, description="place",
                              continuous_update=False),
        "shuffled": w.Checkbox(False, description="shuffle the frames"),
    }  # fmt: skip
    return InteractiveFigure(
        lambda **values: draw_scrub(clip, **values),
        lambda **values: describe_scrub(clip, **values),
        controls,
    )
