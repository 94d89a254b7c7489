"""Lesson 03: how the words of a headline attend to each other, and what happens as some are hidden.

Works on a trained classifier whose text encoder is a TransformerEncoder; its first layer is shown.
Two still drawings, of masks and of a layer's parts, need no model.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from course_utils.attention import causal_mask
from course_utils.classifier import MultimodalClassifier
from course_utils.data.news_cards import SECTIONS
from course_utils.data.text import UNKNOWN, Vocabulary
from course_utils.display import PALETTE
from course_utils.widgets.core import InteractiveFigure, two_decimals

MEAN = 0  # "head 0" stands for the mean of all heads


@dataclass(frozen=True)
class Reading:
    """What a model makes of one headline of L words.

    hidden, unknown: places of words that are hidden, and that the model's vocabulary lacks.
    weights (H, L, L): for each head, how each word shares itself out over the words; hidden words
    get nothing from the others. probabilities (C,): of each class, NaN where every word is hidden.
    causal: whether the model hides from each word those after it.
    """

    words: list[str]
    hidden: tuple[int, ...]
    unknown: tuple[int, ...]
    weights: np.ndarray
    probabilities: np.ndarray
    causal: bool = False

    def names(self) -> list[str]:
        """The words as drawings write them: hidden ones in brackets, unknown ones with a "?"."""
        words = [f"{w}?" if i in self.unknown else w for i, w in enumerate(self.words)]
        return [f"({w})" if i in self.hidden else w for i, w in enumerate(words)]

    def seen(self, head: int = MEAN) -> np.ndarray:
        """The weights (L, L) of one head, counted from 1, or their mean; NaN at hidden words."""
        weights = self.weights.mean(axis=0) if head == MEAN else self.weights[head - 1]
        weights = weights.copy()
        weights[list(self.hidden)] = np.nan
        weights[:, list(self.hidden)] = np.nan
        return weights

    def allowed(self, head: int = MEAN) -> np.ndarray:
        """As ``seen``, with NaN also where the causal mask forbids a word to look."""
        weights = self.seen(head)
        if self.causal:
            weights[np.triu_indices(len(weights), k=1)] = np.nan
        return weights


@torch.no_grad()
def read_headline(
    model: MultimodalClassifier, vocabulary: Vocabulary, headline: str, hidden: Collection[int] = ()
) -> Reading:
    """What the model makes of a headline with the words at these places hidden.

    A hidden word is treated as padding is: no word may look at it, and it is left out of the mean.
    The others keep their places. A headline without a word is read as one unknown word.
    """
    encoder = model.encoders["text"]
    text, length = vocabulary.encode([headline])
    visible = torch.ones(int(length), dtype=torch.bool)
    visible[list(hidden)] = False
    vectors = encoder.in_context(text, _mask(visible, encoder.causal))[0]  # (L, dim)
    features = {"text": vectors[visible].mean(dim=0, keepdim=True)}
    logits = model.head(model.fusion(features, None))
    words = vocabulary.cut.tokens([headline])[0] or [UNKNOWN]
    return Reading(
        words=words,
        hidden=tuple(sorted(hidden)),
        unknown=tuple(i for i, word in enumerate(words) if word not in vocabulary.ids),
        weights=encoder.layers[0].attend.weights[0].numpy(),
        probabilities=logits.softmax(dim=1)[0].numpy(),
        causal=encoder.causal,
    )


def _mask(visible, causal):
    """Hides words (L,) from all others, and under ``causal`` what comes later: (1, 1, L, L).

    A hidden word sees itself, because a row of -inf would be NaN; what it makes of that is unread.
    """
    mask = torch.zeros(len(visible), len(visible)).masked_fill(~visible, -torch.inf)
    if causal:
        mask = mask + causal_mask(len(visible))
    return mask.fill_diagonal_(0)[None, None]


def draw_attention(reading: Reading, head: int = MEAN, classes: Sequence[str] = SECTIONS) -> Figure:
    """The weights as squares, a row for each word, beside the probability of each class."""
    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    _draw_weights(left, reading, head, "mean of the heads" if head == MEAN else f"head {head}")
    figure.colorbar(left.images[0], ax=left, label="weight (each row sums to 1)")
    places = np.arange(len(classes))
    right.barh(places, np.nan_to_num(reading.probabilities), color=PALETTE["text"])
    for place, p in zip(places, reading.probabilities, strict=True):
        right.text(min(np.nan_to_num(p), 0.8) + 0.02, place, two_decimals(p), va="center")
    right.set(xlim=(0, 1), xlabel="probability, says the model", yticks=places)
    right.set_yticklabels(classes)
    right.invert_yaxis()
    return figure


def draw_readings(readings: Mapping[str, Reading], head: int = MEAN) -> Figure:
    """The weights of several readings, given by their titles, side by side."""
    longest = max(len(reading.words) for reading in readings.values())
    width, height = 1.6 + 0.5 * longest, 1.9 + 0.3 * longest
    figure = Figure(figsize=(width * len(readings), height), layout="constrained")
    all_axes = figure.subplots(1, len(readings), squeeze=False)[0]
    for axes, (title, reading) in zip(all_axes, readings.items(), strict=True):
        which = "" if head == MEAN else f", head {head}"
        _draw_weights(axes, reading, head, f"{title}{which}")
    return figure


def _draw_weights(axes, reading: Reading, head: int, title: str) -> None:
    weights = reading.allowed(head)
    axes.imshow(weights, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    axes.set_facecolor("0.85")  # what shows through where a word may not look
    for (row, column), weight in np.ndenumerate(weights):
        if np.isfinite(weight):
            axes.text(column, row, two_decimals(weight), ha="center", va="center", fontsize=9,
                      color="black" if weight > 0.5 else "white")  # fmt: skip
    places = np.arange(len(reading.words))
    axes.set(xticks=places, yticks=places, xlabel="word that is looked at (key)",
             ylabel="word that looks (query)", title=title)  # fmt: skip
    axes.set_xticklabels(reading.names(), rotation=25, ha="right")
    axes.set_yticklabels(reading.names())


def describe_attention(
    reading: Reading, head: int = MEAN, classes: Sequence[str] = SECTIONS
) -> str:
    """The alt text of ``draw_attention``."""
    if len(reading.hidden) == len(reading.words):
        return "Every word is hidden: there are no weights, and the model's answer is NaN."
    which = "On the mean of the heads" if head == MEAN else f"In head {head}"
    hidden = [reading.words[place] for place in reading.hidden]
    without = f" with {', '.join(hidden)} hidden" if hidden else ""
    best = int(reading.probabilities.argmax())
    unknown = [reading.words[place] for place in reading.unknown]
    lacks = f" It does not know {', '.join(unknown)}." if unknown else ""
    return (
        f"{which}{without}, {_shares(reading, head)} of all attention.{_grey([reading])} The model "
        f"says {classes[best]} with a probability of {two_decimals(reading.probabilities[best])}."
        f"{lacks}"
    )


def describe_readings(readings: Mapping[str, Reading], head: int = MEAN) -> str:
    """The alt text of ``draw_readings``."""
    which = "On the mean of the heads" if head == MEAN else f"In head {head}"
    parts = [f"{title}: {_shares(reading, head)}" for title, reading in readings.items()]
    return f"{which}, of all attention. {'; '.join(parts)}.{_grey(readings.values())}"


def _grey(readings: Iterable[Reading]) -> str:
    causal = any(reading.causal for reading in readings)
    return " The keys after each query are grey, without a weight." if causal else ""


def _shares(reading: Reading, head: int) -> str:
    """Who gets most: "profit gets 0.70 and goal gets 0.29"."""
    visible = [i for i in range(len(reading.words)) if i not in reading.hidden]
    if not visible:
        return "nothing is left"
    received = np.zeros(len(reading.words))
    received[visible] = reading.seen(head)[np.ix_(visible, visible)].mean(axis=0)
    order = np.argsort(-received)[: min(2, len(visible))]
    return " and ".join(f"{reading.words[i]} gets {two_decimals(received[i])}" for i in order)


# --- the interactive figure ------------------------------------------------------------------


def attention_explorer(
    model: MultimodalClassifier,
    vocabulary: Vocabulary,
    headline: str,
    classes: Sequence[str] = SECTIONS,
) -> Any:
    """Hide words of a headline and watch the weights of the others grow, head by head.

    Returns the widget that a cell ends in.
    """
    return make_attention_explorer(model, vocabulary, headline, classes).box


def make_attention_explorer(
    model: MultimodalClassifier,
    vocabulary: Vocabulary,
    headline: str,
    classes: Sequence[str] = SECTIONS,
) -> InteractiveFigure:
    """The figure behind ``attention_explorer``, with its controls wired up."""
    import ipywidgets as w

    heads = model.encoders["text"].layers[0].attend.heads
    options = [("mean of the heads", MEAN), *((f"head {h}", h) for h in range(1, heads + 1))]
    hide = {
        f"hide_{i}": w.ToggleButton(value=False, description=word, layout=w.Layout(width="auto"))
        for i, word in enumerate(read_headline(model, vocabulary, headline).names())
    }
    controls = {"head": w.Dropdown(options=options, value=MEAN, description="show"), **hide}

    def read(hide):
        return read_headline(model, vocabulary, headline, [i for i, on in enumerate(hide) if on])

    row = w.HBox([w.Label("hide:"), *hide.values()], layout=w.Layout(flex_flow="row wrap"))
    return InteractiveFigure(
        lambda head, **hidden: draw_attention(read(hidden.values()), head, classes),
        lambda head, **hidden: describe_attention(read(hidden.values()), head, classes),
        controls,
        layout=w.VBox([controls["head"], row]),
    )


# --- two still drawings ----------------------------------------------------------------------


def draw_masks(masks: Mapping[str, torch.Tensor]) -> Figure:
    """Masks by their titles, each (1 or L, S) of 0 and -inf, as squares: dark is hidden."""
    figure = Figure(figsize=(2.9 * len(masks), 2.9), layout="constrained")
    all_axes = figure.subplots(1, len(masks), squeeze=False)[0]
    for axes, (title, mask) in zip(all_axes, masks.items(), strict=True):
        squares = mask.expand(mask.shape[-1], -1) if mask.shape[0] == 1 else mask
        hidden = squares.isinf().numpy()
        axes.imshow(hidden, cmap="Greys", vmin=0, vmax=1.3)
        for (row, column), hides in np.ndenumerate(hidden):
            axes.text(column, row, "−∞" if hides else "0", ha="center", va="center", fontsize=9,
                      color="white" if hides else "black")  # fmt: skip
        rows, columns = (np.arange(size) for size in hidden.shape)
        axes.set(title=title, xticks=columns, xticklabels=columns + 1, xlabel="key (place)",
                 yticks=rows, yticklabels=rows + 1, ylabel="query (place)")  # fmt: skip
    return figure


def draw_layer() -> Figure:
    """The parts of an encoder layer in the order in which a word's vector meets them."""
    figure = Figure(figsize=(9.5, 1.7))
    axes = figure.subplots()
    axes.set(xlim=(-0.4, 9.5), ylim=(-0.6, 1.3))
    axes.axis("off")
    parts = {0: "words", 1.7: "attention\n$H$ heads", 3: "+", 4.1: "LayerNorm",
             5.8: "feed-forward\nword by word", 7.2: "+", 8.3: "LayerNorm"}  # fmt: skip
    places = [*parts, 9.5]
    for x, text in parts.items():
        box = {"boxstyle": "circle" if text == "+" else "round", "fc": "0.93", "ec": "0.3"}
        axes.text(x, 0, text, ha="center", va="center", fontsize=10, bbox=box, zorder=3)
    for start, end in pairwise(places):
        _arrow(axes, (start, 0), (end, 0))
    for start, end in ((0.75, 3), (4.85, 7.2)):
        # The way round: what goes in is added to what comes out.
        axes.plot([start, start, end], [0, 1, 1], color=PALETTE["image"], lw=1.5)
        _arrow(axes, (end, 1), (end, 0.3), PALETTE["image"])
        axes.text((start + end) / 2, 1.05, "residual", ha="center", va="bottom", fontsize=9)
    return figure


def _arrow(axes, start, end, colour="0.3"):
    style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0, "lw": 1.5}
    axes.annotate("", xy=end, xytext=start, arrowprops=style, zorder=1)
