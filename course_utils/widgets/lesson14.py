"""Lesson 14: covers beside spectrograms, and a card whose clip goes under in noise."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils import listener, sound
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.music_cards import GENRES
from course_utils.data.rows import Rows, take
from course_utils.display import PALETTE
from course_utils.fonts import as_written
from course_utils.widgets.core import InteractiveFigure, two_decimals

RATE = 8000  # samples a second
SENSES = {"image": "the cover", "audio": "the clip", "both": "both"}

# --- sounds as pictures -----------------------------------------------------------------------


def mel_of(wave: Tensor) -> np.ndarray:
    """The log-mel spectrogram (bands, frames) of one sound (T,)."""
    return sound.log_mel(wave[None], sound.mel_filters())[0].numpy()


def draw_spectrogram(axes: Any, spectrogram: np.ndarray, bands: bool = True) -> None:
    """A spectrogram (bands or bins, frames) over seconds, low sounds below."""
    seconds = (spectrogram.shape[1] * sound.HOP) / RATE
    top = len(spectrogram) if bands else RATE / 2000
    axes.imshow(spectrogram, origin="lower", aspect="auto", cmap="cividis",
                extent=(0, seconds, 0, top))  # fmt: skip
    axes.set(xlabel="time (s)", ylabel="mel band" if bands else "frequency (kHz)")


def draw_cards(image: Tensor, wave: Sequence[Tensor], titles: Sequence[str]) -> Figure:
    """Covers (B, 3, H, W), and under each the log-mel spectrogram of its clip (T,)."""
    figure = Figure(figsize=(3.0 * len(image), 4.6), layout="constrained")
    covers, spectrograms = figure.subplots(2, len(image), squeeze=False)
    for k, title in enumerate(titles):
        covers[k].imshow(image[k].permute(1, 2, 0).numpy())
        covers[k].set(title=title, xticks=[], yticks=[])
        draw_spectrogram(spectrograms[k], mel_of(wave[k]))
    return as_written(figure)


def draw_steps(wave: Tensor) -> Figure:
    """A sound (T,) three times: as samples, as log power of its frames, in mel bands."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(np.arange(len(wave)) / RATE, wave.numpy(), lw=0.5, color=PALETTE["audio"])
    left.set(title="samples", xlabel="time (s)", ylabel="sound")
    power = sound.stft(wave[None]).abs().square()[0]
    draw_spectrogram(middle, (power + sound.FLOOR).log().numpy(), bands=False)
    middle.set(title=f"log power, {len(power)} frequencies")
    mel = mel_of(wave)
    draw_spectrogram(right, mel)
    right.set(title=f"log-mel, {len(mel)} bands")
    return as_written(figure)


def describe_steps(wave: Tensor) -> str:
    """The alt text of ``draw_steps``."""
    mel = mel_of(wave)
    return (
        f"A sound of {len(wave) / RATE:.1f} seconds as a wave; as log power at 129 frequencies, "
        f"where tones are level lines; and in {len(mel)} mel bands and {mel.shape[1]} frames: "
        f"band {int(mel.mean(axis=1).argmax()) + 1} is the loudest on average."
    )


# --- accuracy over noise ----------------------------------------------------------------------


TAUGHT = {"20 dB": ("highlight", "quiet"), "-25 to 20 dB": ("both", "audio")}  # and colours


def noise_lines(mean: Any, cover: float) -> dict[str, dict[float, float]]:
    """Lines of the figure: {name: {snr: accuracy}}.

    mean: a table of accuracies, a row for each ratio, columns (taught at, model). cover: of the
    cover alone, which hears nothing.
    """
    lines = {"cover alone": dict.fromkeys(mean.index, cover)}
    for setting in TAUGHT:
        for name, model in (("both", "concat + linear"), ("clip", "audio alone")):
            lines[f"{name}, taught at {setting}"] = mean[setting, model].to_dict()
    return lines


def draw_noise(lines: Mapping[str, Mapping[float, float]]) -> Figure:
    """Accuracy over the signal-to-noise ratio in decibels, for ``noise_lines``."""
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    colours = ["image", *(name for pair in TAUGHT.values() for name in pair)]
    for (name, points), colour, mark in zip(lines.items(), colours, "osDv^", strict=True):
        snr = sorted(points)
        axes.plot(snr, [points[one] for one in snr], marker=mark, label=name,
                  ls="--" if name.startswith("clip") else "-", color=PALETTE[colour])  # fmt: skip
    axes.axhline(1 / len(GENRES), color=PALETTE["majority"], ls=":", lw=1,
                 label="chance")  # fmt: skip
    axes.set(xlabel="signal-to-noise ratio of the clips (dB)", ylabel="accuracy", ylim=(0, 1))
    axes.legend(fontsize=8, loc="lower right")
    return as_written(figure)


def describe_noise(lines: Mapping[str, Mapping[float, float]]) -> str:
    """The alt text of ``draw_noise``."""
    told = []
    for name, points in lines.items():
        least, most = min(points), max(points)
        ends = two_decimals(points[least]), two_decimals(points[most])
        told.append(f"{name} {ends[0]} at {least:g} dB and {ends[1]} at {most:g} dB")
    return f"Accuracy over the signal-to-noise ratio: {'; '.join(told)}."


# --- a card in noise --------------------------------------------------------------------------


def heard(rows: Rows, row: int, snr: float) -> Rows:
    """One card with noise at this ratio; the noise is always the same."""
    return listener.with_noise(take(rows, np.array([row])), (snr, snr), [row, 7])


@torch.no_grad()
def answers(who: Any, card: Rows) -> dict[str, np.ndarray]:
    """What the cover, the clip and both say of a card: {name: probabilities (5,)}."""
    batch = next(iter(Batches(to_tensors(card, who.readers, None), 1)))
    return {name: who.models[name](batch).softmax(dim=1)[0].numpy() for name in SENSES}


def draw_hearing(who: Any, rows: Rows, row: int = 0, snr: float = 20) -> Figure:
    """A card, its clip with noise as a spectrogram, and what each of the three models says."""
    card = heard(rows, row, snr)
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    cover, clip, *bars = figure.subplots(1, 5, width_ratios=(0.9, 1.3, 1, 1, 1))
    cover.imshow(card["cover"][0])
    cover.set(title=f"a {GENRES[int(card['genre'][0])]} card", xticks=[], yticks=[])
    draw_spectrogram(clip, mel_of(torch.from_numpy(card["clip"][0])))
    clip.set_title(f"{snr:g} dB")
    for axes, (name, p) in zip(bars, answers(who, card).items(), strict=True):
        colours = [PALETTE[name] if one == p.max() else PALETTE["majority"] for one in p]
        axes.barh(GENRES, p, color=colours)
        axes.invert_yaxis()
        axes.set(title=f"from {SENSES[name]}", xlabel="probability", xlim=(0, 1))
        if name != "image":
            axes.set_yticklabels([])
    return as_written(figure)


def describe_hearing(who: Any, rows: Rows, row: int = 0, snr: float = 20) -> str:
    """The alt text of ``draw_hearing``."""
    card = heard(rows, row, snr)
    told = [
        f"{SENSES[name]} says {GENRES[int(p.argmax())]} with {two_decimals(p.max())}"
        for name, p in answers(who, card).items()
    ]
    genre = GENRES[int(card["genre"][0])]
    return f"A {genre} card, its clip in noise at {snr:g} dB: {', '.join(told)}."


def noise_explorer(who: Any, rows: Rows) -> Any:
    """Turn the noise on a card's clip. Returns the widget that a cell ends in."""
    return make_noise_explorer(who, rows).box


def make_noise_explorer(who: Any, rows: Rows) -> InteractiveFigure:
    """The figure behind ``noise_explorer``, with its controls wired up."""
    import ipywidgets as w

    names = [(f"{k}: {GENRES[int(one)]}", k) for k, one in enumerate(rows["genre"])]
    controls = {
        "row": w.Dropdown(options=names, description="card"),
        "snr": w.IntSlider(20, min=-30, max=30, step=5, description="dB",
                           continuous_update=False),
    }  # fmt: skip
    return InteractiveFigure(
        lambda row, snr: draw_hearing(who, rows, row, snr),
        lambda row, snr: describe_hearing(who, rows, row, snr),
        controls,
    )
