"""Lesson 16: what a language model puts in the place of a hidden word; curves of pretraining."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.display import PALETTE
from course_utils.fonts import as_written
from course_utils.widgets.core import InteractiveFigure, two_decimals

SHOWN = 8  # words of each list
HIDDEN = "____"

# --- a hidden word --------------------------------------------------------------------------------


class Reader(NamedTuple):
    """A masked language model, its words, and how often each occurs.

    model: as ``course_utils.pretrained.load`` gives it; mask: the number that hides a word;
    shares (V,): of the words in the headlines that it learnt from.
    """

    model: Any
    vocabulary: Any
    mask: int
    shares: Tensor


def reader_of(kept: Any, headlines: Sequence[str]) -> Reader:
    """A kept model beside the frequencies of the words in these headlines."""
    text, _ = kept.vocabulary.encode(headlines)
    counts = text[text > 0].bincount(minlength=len(kept.vocabulary)).float()
    return Reader(kept.model, kept.vocabulary, kept.recipe["more"]["mask"], counts / counts.sum())


@torch.no_grad()
def guesses(reader: Reader, headline: str, place: int) -> Tensor:
    """The probability (V,) of each word in this place of the headline, with its word hidden."""
    text, _ = reader.vocabulary.encode([headline])
    text = text.clone()
    text[0, place] = reader.mask
    logits = reader.model(input_ids=text, attention_mask=torch.ones_like(text)).logits
    return logits[0, place, : len(reader.vocabulary)].softmax(dim=0)


def likeliest(reader: Reader, p: Tensor) -> list[tuple[str, float]]:
    """The likeliest words and their probabilities, from the top."""
    top = p.topk(SHOWN)
    return [(reader.vocabulary.words[i], v) for v, i in zip(*map(Tensor.tolist, top), strict=True)]


def with_hidden(reader: Reader, p: Tensor, truth: str) -> list[tuple[str, float]]:
    """The likeliest words, and last the hidden one where it is known and not among them."""
    shown = likeliest(reader, p)
    if truth in reader.vocabulary.words and truth not in dict(shown):
        shown.append((truth, p[reader.vocabulary.words.index(truth)].item()))
    return shown


def with_gap(headline: str, place: int) -> str:
    """The headline with a gap in place of one word."""
    words = headline.split()
    words[place] = HIDDEN
    return " ".join(words)


def draw_guesses(reader: Reader, headline: str, place: int) -> Figure:
    """What the model puts in the gap, beside what is frequent; the true word is marked."""
    figure = Figure(figsize=(9, 3.3), layout="constrained")
    truth = headline.split()[place]
    figure.suptitle(f"{with_gap(headline, place)}   (hidden: {truth})", fontsize=11)
    lists = {
        "the model's guesses": guesses(reader, headline, place),
        "the most frequent words": reader.shares,
    }
    # One axis of probabilities for both, or their bars would look alike.
    for axes, (title, p) in zip(figure.subplots(1, 2, sharex=True), lists.items(), strict=True):
        words, values = zip(*with_hidden(reader, p, truth), strict=True)
        names = [f"{word}  ← hidden word" if word == truth else word for word in words]
        colours = [PALETTE["both" if word == truth else "majority"] for word in words]
        rows = range(len(words))
        axes.barh(rows, values, color=colours)
        axes.set(yticks=rows, yticklabels=names, title=title, xlabel="probability")
        axes.invert_yaxis()
    return as_written(figure)


def describe_guesses(reader: Reader, headline: str, place: int) -> str:
    """The alt text of ``draw_guesses``."""
    p, truth = guesses(reader, headline, place), headline.split()[place]
    said = ", ".join(f"{word} {two_decimals(value)}" for word, value in likeliest(reader, p)[:3])
    often = ", ".join(word for word, _ in likeliest(reader, reader.shares)[:3])
    known = truth in reader.vocabulary.words
    own = two_decimals(p[reader.vocabulary.words.index(truth)]) if known else "none"
    return (
        f"Headline: {with_gap(headline, place)}. The model's first guesses are {said}; the hidden "
        f"word, {truth}, gets {own}. The most frequent words are {often}."
    )


def guess_explorer(reader: Reader, headlines: Sequence[str]) -> Any:
    """Choose a headline and hide one of its words. Returns the widget that a cell ends in."""
    return make_guess_explorer(reader, headlines).box


def make_guess_explorer(reader: Reader, headlines: Sequence[str]) -> InteractiveFigure:
    """The figure behind ``guess_explorer``, with its controls wired up."""
    import ipywidgets as w

    longest = max(len(headline.split()) for headline in headlines)
    whole = {"description_width": "initial"}  # or the label is cut off
    controls = {
        "headline": w.Dropdown(options=list(headlines), description="headline",
                               layout=w.Layout(width="95%")),
        "place": w.IntSlider(0, min=0, max=longest - 1, description="hidden word", style=whole,
                             continuous_update=False),
    }  # fmt: skip

    def within(headline: str, place: int) -> tuple[Reader, str, int]:
        return reader, headline, min(place, len(headline.split()) - 1)

    return InteractiveFigure(
        lambda **values: draw_guesses(*within(**values)),
        lambda **values: describe_guesses(*within(**values)),
        controls,
    )


# --- curves of pretraining ------------------------------------------------------------------------


def draw_curves(curves: Mapping[str, Any], levels: Mapping[str, Mapping[str, float]]) -> Figure:
    """The loss of pretraining over headlines read, a panel for each world.

    curves: {world: DataFrame, a row for each number of headlines read, a column for each seed};
    levels: {world: {what is known: the loss of who knows that and no more}}.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    styles = ("-", "--", ":", "-.", (0, (5, 1)))
    for axes, world in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True):
        table = curves[world]
        for (seed, line), style in zip(table.items(), styles * len(table.columns), strict=False):
            axes.plot(table.index / 1000, line, color=PALETTE["image"], lw=1.2, ls=style,
                      label=f"seed {seed}")  # fmt: skip
        for name, level in levels[world].items():
            axes.axhline(level, color="black", lw=1, ls=":")
            axes.annotate(name, (table.index.max() / 1000, level), ha="right", va="bottom",
                          fontsize=8, bbox={"fc": "white", "ec": "none", "pad": 0.5})  # fmt: skip
        axes.legend(fontsize=8)
        axes.set(title=world, xlabel="headlines read (thousands)", ylabel="loss (cross-entropy)")
    return as_written(figure)


def describe_curves(curves: Mapping[str, Any], levels: Mapping[str, Mapping[str, float]]) -> str:
    """The alt text of ``draw_curves``."""
    told = []
    for world, table in curves.items():
        first, last = table.iloc[0], table.iloc[-1]
        said = ", ".join(f"{two_decimals(value)} {name}" for name, value in levels[world].items())
        ends = ", ".join(f"{value:.2f} (seed {seed})" for seed, value in last.items())
        told.append(
            f"{world}: the loss falls from {first.min():.2f} to {first.max():.2f} at first to "
            f"{ends}; lines at {said}."
        )
    return f"Loss over headlines read. {' '.join(told)}"
