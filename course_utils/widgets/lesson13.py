"""Lesson 13: maps of what a model looks at, and a card whose parts can be hidden."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils import explain
from course_utils.data.news_cards import SECTIONS
from course_utils.display import PALETTE
from course_utils.fonts import as_written
from course_utils.widgets.core import InteractiveFigure, outline, two_decimals

PATCH = 8  # pixels of a square that can be hidden
TOP = 10  # pixels of a map that are drawn as bright as can be

# --- maps side by side ------------------------------------------------------------------------


def four_maps(model: Any, image: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Four maps of a reader of pictures, under letters: {letter: (B, H, W)}.

    model: a ``MultimodalClassifier`` of ``image`` alone, whose encoder has ``blocks``.
    """
    scores, layer = explain.scores_of(model), model.encoders["image"].blocks[-1]
    parts = explain.maps_and_gradients(scores, layer, image, target)
    return {
        "A": explain.saliency(scores, image, target),
        "B": explain.edges(image),
        "C": explain.enlarged(explain.grad_cam(*parts), tuple(image.shape[2:])),
        "D": explain.occlusion(scores, image, target, explain.median_colour(image)),
    }


def draw_maps(image: Tensor, maps: Mapping[str, Tensor], box: Tensor | None = None) -> Figure:
    """Pictures (B, 3, H, W), and beside each its map (B, H, W) under every name.

    Dark is a map's median and what is below; brightest is its tenth largest number and what is
    above, or a map that gives nearly all to a few pixels would show nothing else. box (B, 4) left,
    top, right, bottom: framed in every picture and map. A ring marks the largest number of each.
    """
    names = ["picture", *maps]
    figure = Figure(figsize=(1.75 * len(names), 1.85 * len(image)), layout="constrained")
    places = figure.subplots(len(image), len(names), squeeze=False)
    for row, line in enumerate(places):
        line[0].imshow(image[row].permute(1, 2, 0).numpy())
        for axes, one in zip(line[1:], maps.values(), strict=True):
            axes.imshow(one[row].numpy(), cmap="cividis", **_limits(one[row]))
            down, across = np.unravel_index(int(one[row].argmax()), one[row].shape)
            axes.plot(across, down, "o", ms=14, mfc="none", mec="white", mew=2)
            axes.plot(across, down, "o", ms=14, mfc="none", mec=PALETTE["text"], mew=1)
        for axes in line:
            axes.set(xticks=[], yticks=[])
            if box is not None:
                left, top, right, bottom = box[row].tolist()
                outline(axes, top, left, bottom - top + 1, right - left + 1)
    for axes, name in zip(places[0], names, strict=True):
        axes.set_title(name, fontsize=10)
    return as_written(figure)


def _limits(one: Tensor) -> dict[str, float]:
    """What is darkest and what is brightest in a map (H, W), for ``imshow``."""
    low, high = one.median().item(), one.flatten().topk(min(TOP, one.numel())).values[-1].item()
    return {"vmin": low, "vmax": high} if high > low else {}


def describe_maps(image: Tensor, maps: Mapping[str, Tensor], box: Tensor | None = None) -> str:
    """The alt text of ``draw_maps``."""
    told = f"{len(image)} pictures, and beside each one map for each of {', '.join(maps)}."
    if box is None:
        return told
    share = {name: int(explain.hits(one, box).sum()) for name, one in maps.items()}
    said = ", ".join(f"{name} in {count}" for name, count in share.items())
    return f"{told} The largest number lies in the frame: {said}, of {len(image)}."


# --- how sure ---------------------------------------------------------------------------------


def draw_reliability(
    bins: Mapping[str, Sequence[Any]], after: Mapping[str, Sequence[Any]] | None = None
) -> Figure:
    """Accuracy over confidence, one panel a model; bins: {name: what ``reliability`` gave}.

    A dot for each bin, as large as it has rows; on the line a model is as often right as it says.
    after: the same models once more, drawn as rings.
    """
    figure = Figure(figsize=(3.4 * len(bins), 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(bins), squeeze=False)[0], bins, strict=True):
        axes.plot([0, 1], [0, 1], color="black", lw=1, ls=":")
        _dots(axes, bins[name], color=PALETTE["image"], alpha=0.7)
        if after:
            _dots(axes, after[name], facecolors="none", edgecolors=PALETTE["text"], lw=1.5)
        axes.set(title=name, xlabel="confidence (probability)", xlim=(0, 1.08), ylim=(0, 1.08))
        axes.set_ylabel("accuracy (share of rows)")
    return as_written(figure)


def _dots(axes: Any, found: Sequence[Any], **style: Any) -> None:
    rows = sum(one.rows for one in found)
    axes.scatter(
        [one.confidence for one in found],
        [one.accuracy for one in found],
        s=[20 + 500 * one.rows / rows for one in found],
        **style,
    )


def describe_reliability(
    bins: Mapping[str, Sequence[Any]], after: Mapping[str, Sequence[Any]] | None = None
) -> str:
    """The alt text of ``draw_reliability``."""
    sets = {"Dots": bins} | ({"Rings": after} if after else {})
    told = [f"{kind}: {'; '.join(map(_worst, one, one.values()))}" for kind, one in sets.items()]
    return f"Accuracy over confidence. {'. '.join(told)}."


def _worst(name: str, found: Sequence[Any]) -> str:
    worst = max(found, key=lambda one: one.rows * abs(one.accuracy - one.confidence))
    side = "below" if worst.accuracy < worst.confidence else "above"
    return (
        f"{name}, the gap that counts most lies at confidence {worst.confidence:.2f}, where "
        f"accuracy is {worst.accuracy:.2f}, {side} the line"
    )


# --- a card whose parts can be hidden ----------------------------------------------------------


class Card(NamedTuple):
    """A card, and two models that read one part of it each.

    image (3, H, W) float; headline: its words; eye, ear: classifiers of ``image`` and of ``text``;
    vocabulary: what turns words into ids.
    """

    image: Tensor
    headline: str
    eye: Any
    ear: Any
    vocabulary: Any

    @property
    def words(self) -> list[str]:
        """The headline's words."""
        return self.headline.split()

    @property
    def squares(self) -> tuple[int, int]:
        """How many squares can be hidden, down and across."""
        return self.image.shape[1] // PATCH, self.image.shape[2] // PATCH


def hidden_picture(card: Card, squares: Sequence[tuple[int, int]]) -> Tensor:
    """The picture (1, 3, H, W) with these squares in its median colour."""
    image = card.image[None]
    fill = explain.median_colour(image)
    for square in squares:
        image = explain.without_patch(image, torch.tensor([square]), fill, PATCH)
    return image


@torch.no_grad()
def answers(
    card: Card, squares: Sequence[tuple[int, int]] = (), words: Sequence[int] = ()
) -> dict[str, np.ndarray]:
    """The probabilities (C,) of both models with these squares, and words by place, hidden."""
    text, length = card.vocabulary.encode([card.headline])
    text = text.clone()
    text[0, list(words)] = explain.UNKNOWN
    said = {
        "picture": card.eye({"image": hidden_picture(card, squares)}),
        "headline": card.ear({"text": text, "text_length": length}),
    }
    return {name: logits.softmax(dim=1)[0].numpy() for name, logits in said.items()}


def draw_hiding(
    card: Card, squares: Sequence[tuple[int, int]] = (), words: Sequence[int] = ()
) -> Figure:
    """The card with parts hidden, and what each model says of what is left."""
    figure = Figure(figsize=(9, 3.1), layout="constrained")
    left, *bars = figure.subplots(1, 3, width_ratios=(1.1, 1, 1))
    left.imshow(hidden_picture(card, squares)[0].permute(1, 2, 0).numpy())
    rows, columns = card.squares
    left.set(xticks=np.arange(columns) * PATCH + PATCH / 2 - 0.5, xticklabels=range(columns))
    left.set(yticks=np.arange(rows) * PATCH + PATCH / 2 - 0.5, yticklabels=range(rows))
    left.set(xlabel="column of squares", ylabel="row of squares")
    shown = [f"({w})" if place in words else w for place, w in enumerate(card.words)]
    middle = (len(shown) + 1) // 2
    figure.suptitle(f"{' '.join(shown[:middle])}\n{' '.join(shown[middle:])}", fontsize=10)
    for axes, (name, p) in zip(bars, answers(card, squares, words).items(), strict=True):
        colours = [PALETTE["both"] if one == p.max() else PALETTE["majority"] for one in p]
        axes.barh(SECTIONS, p, color=colours)
        axes.invert_yaxis()
        axes.set(title=f"from the {name}", xlabel="probability", xlim=(0, 1))
    return as_written(figure)


def describe_hiding(
    card: Card, squares: Sequence[tuple[int, int]] = (), words: Sequence[int] = ()
) -> str:
    """The alt text of ``draw_hiding``."""
    hidden = [card.words[place] for place in words]
    told = [
        f"from the {name} {SECTIONS[int(p.argmax())]} with {two_decimals(p.max())}"
        for name, p in answers(card, squares, words).items()
    ]
    squares_told = f"{len(squares)} square{'' if len(squares) == 1 else 's'} of the picture hidden"
    words_told = f"words hidden: {', '.join(hidden)}" if hidden else "no word hidden"
    return f"A card with {squares_told}; {words_told}. The models say {', '.join(told)}."


def hide_explorer(card: Card) -> Any:
    """Hide squares of the picture and words of the headline by clicking on them.

    Returns the widget that a cell ends in.
    """
    return make_hide_explorer(card).box


def make_hide_explorer(card: Card) -> InteractiveFigure:
    """The figure behind ``hide_explorer``, with its controls wired up."""
    import ipywidgets as w

    rows, columns = card.squares
    squares = {
        f"square_{row}_{column}": w.ToggleButton(
            False,
            description=f"{row},{column}",
            tooltip=f"hide the square in row {row}, column {column}",
            layout=w.Layout(width="44px", height="26px", margin="0", padding="0"),
        )
        for row in range(rows)
        for column in range(columns)
    }
    words = {
        f"word_{place}": w.ToggleButton(
            False, description=word, tooltip=f"hide {word}", layout=w.Layout(width="auto")
        )
        for place, word in enumerate(card.words)
    }
    grid = w.GridBox(
        [*squares.values()],
        layout=w.Layout(grid_template_columns=f"repeat({columns}, 46px)"),
    )
    line = w.HBox([*words.values()], layout=w.Layout(flex_flow="row wrap"))

    def chosen(values: Mapping[str, bool]) -> tuple[list[tuple[int, int]], list[int]]:
        on = [name.split("_") for name, pressed in values.items() if pressed]
        gone = [(int(part[1]), int(part[2])) for part in on if part[0] == "square"]
        return gone, [int(part[1]) for part in on if part[0] == "word"]

    return InteractiveFigure(
        lambda **values: draw_hiding(card, *chosen(values)),
        lambda **values: describe_hiding(card, *chosen(values)),
        squares | words,
        layout=w.VBox([line, grid]),
    )
