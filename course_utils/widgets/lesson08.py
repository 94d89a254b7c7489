"""Lesson 08: compose a card and ask the models."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from course_utils.display import PALETTE
from course_utils.fonts import as_written, drawable, wrapped
from course_utils.widgets.core import InteractiveFigure, two_decimals


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
    models: Mapping[str, Any], readers: Mapping[str, Any], image: np.ndarray, headline: str
) -> dict[str, np.ndarray]:
    """What each model makes of one card: {model name: probabilities (C,)}.

    models: {name: MultimodalClassifier of image, text or both}, in evaluation mode.
    readers: {modality: its reader}, as for ``to_tensors``. image (H, W, 3) uint8.
    """
    import torch

    from course_utils.data.batches import Batches, to_tensors
    from course_utils.data.news_cards import MODALITIES
    from course_utils.data.rows import Rows

    rows = Rows({"image": image[None], "headline": [headline]}, modalities=MODALITIES)
    said = {}
    for name, model in models.items():
        own = {name: readers[name] for name in model.encoders}
        tensors = to_tensors(rows, own, label=None)
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
    card.set_xlabel(wrapped(drawable(headline), 40, 4) or "(no headline)", fontsize=8)
    places = np.arange(len(classes))
    height = 0.8 / len(probabilities)
    for line, (name, values) in enumerate(probabilities.items()):
        colour = PALETTE[name.split()[0]] if name.split()[0] in PALETTE else PALETTE["highlight"]
        bars.barh(places + line * height, values, height, label=name, color=colour,
                  hatch=("", "//", "..")[line % 3], edgecolor="white")  # fmt: skip
    bars.set(yticks=places + 0.4 - height / 2, yticklabels=classes, xlim=(0, 1),
             xlabel="probability")  # fmt: skip
    bars.invert_yaxis()
    # Above the bars, since any of them can reach any corner.
    bars.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
    figure.subplots_adjust(wspace=0.35)
    return as_written(figure)


def describe_composed_card(
    headline: str, probabilities: Mapping[str, np.ndarray], classes: tuple
) -> str:
    """The alt text: what each model takes the card for."""
    said = [f"{name} says {classes[int(np.argmax(values))]} ({two_decimals(values.max())})"
            for name, values in probabilities.items()]  # fmt: skip
    card = f"A card with the headline “{headline}”" if headline else "A card without a headline"
    return f"{card}: {', '.join(said)}."


def card_composer(models: Mapping[str, Any], readers: Mapping[str, Any], headline: str) -> Any:
    """Choose and place a motif, type a headline, and see what each model makes of it.

    Returns the widget that a cell ends in.
    """
    return make_card_composer(models, readers, headline).box


def make_card_composer(
    models: Mapping[str, Any], readers: Mapping[str, Any], headline: str
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
        return image, card_probabilities(models, readers, image, headline)

    def draw(headline: str, **picture: Any) -> Figure:
        image, probabilities = answers(headline, **picture)
        return draw_composed_card(image, headline, probabilities, SECTIONS)

    def describe(headline: str, **picture: Any) -> str:
        return describe_composed_card(headline, answers(headline, **picture)[1], SECTIONS)

    return InteractiveFigure(draw, describe, controls)
