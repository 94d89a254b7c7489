"""Lesson 18: cards with what a model says of them, who looks at whom, curves, and a card to ask."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.display import PALETTE, card_wall, image_tag
from course_utils.fonts import as_written
from course_utils.widgets.core import two_decimals

LINES = ("-", "--", ":", "-.")
LEAST_RISE = 0.05  # between two points of a curve, to be worth telling
CHOICES = (
    "what colour do you see?", "how many are there?", "what is shown?", "describe the picture",
    "is there a ball?", "is there a cloud?",
)  # fmt: skip

# --- cards and answers ------------------------------------------------------------------------


def draw_asked(images: Sequence[np.ndarray], asked: Sequence[str], told: Sequence[str]) -> Figure:
    """Pictures (48, 48, 3), each under its question and over the answer that a model gave."""
    wall = {"image": list(images), "headline": [f"→ {answer}" for answer in told]}
    return card_wall(wall, titles=list(asked), image="image", text="headline")


def describe_asked(asked: Sequence[str], told: Sequence[str]) -> str:
    """The alt text of ``draw_asked``."""
    pairs = "; ".join(f"{question} {answer}" for question, answer in zip(asked, told, strict=True))
    return f"{len(told)} cards, each with a question and a model's answer: {pairs}."


# --- who looks at whom ------------------------------------------------------------------------


def draw_mask(mask: Tensor, names: Sequence[str]) -> Figure:
    """A mask (P, P) of 0 and -inf: row by row, at which places a place may look."""
    figure = Figure(figsize=(4.4, 3.9), layout="constrained")
    axes = figure.subplots()
    axes.imshow((mask == 0).numpy(), cmap="cividis", vmin=0, vmax=1)
    for row, column in np.argwhere((mask == 0).numpy()):
        axes.plot(column, row, "o", ms=4, color=PALETTE["text"])
    places = range(len(names))
    axes.set_xticks(places, names, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(places, names, fontsize=8)
    axes.set(xlabel="looked at", ylabel="who looks")
    return as_written(figure)


def describe_mask(mask: Tensor, names: Sequence[str]) -> str:
    """The alt text of ``draw_mask``."""
    told = []
    for name, row in zip(names, (mask == 0).tolist(), strict=True):
        seen = [other for other, may in zip(names, row, strict=True) if may]
        told.append(f"{name} looks at {', '.join(seen)}")
    return f"Who may look at whom: {'; '.join(told)}."


# --- curves -----------------------------------------------------------------------------------


def draw_curves(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    steps: Sequence[int],
    label: str,
) -> Figure:
    """Lines over the steps of a training; panels: {title: {name of a line: a value a step}}."""
    figure = Figure(figsize=(4.4 * len(panels), 3.2), layout="constrained")
    colours = list(dict.fromkeys(PALETTE.values()))
    for axes, (title, lines) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for place, (name, values) in enumerate(lines.items()):
            axes.plot(steps[: len(values)], values, LINES[place % len(LINES)], label=name, lw=2,
                      color=colours[place % len(colours)])  # fmt: skip
        axes.set(title=title, xlabel="batches of 64 questions", ylabel=label, ylim=(0, 1.03))
        axes.legend(fontsize=8)
    return as_written(figure)


def describe_curves(
    panels: Mapping[str, Mapping[str, Sequence[float]]], steps: Sequence[int], label: str
) -> str:
    """The alt text of ``draw_curves``: each line's first value, its last, and the steepest rise."""
    told = []
    for title, lines in panels.items():
        for name, values in lines.items():
            rise = np.abs(np.diff(values))
            steep = int(rise.argmax()) if len(rise) else 0
            told.append(f"{title}, {name} from {two_decimals(values[0])} at {steps[0]} to "
                        f"{two_decimals(values[-1])}")  # fmt: skip
            if len(rise) and rise[steep] > LEAST_RISE:
                told[-1] += f", most between {steps[steep]} and {steps[steep + 1]}"
    return f"{label} over batches. {'; '.join(told)}."


# --- ask a card -------------------------------------------------------------------------------


def draw_card(image: np.ndarray) -> Figure:
    """One picture, large enough to see."""
    figure = Figure(figsize=(2.2, 2.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow(image)
    axes.set(xticks=[], yticks=[])
    return figure


class AskACard:
    """A card, a question typed or chosen, and an answer that comes word by word.

    answering: eyes and decoder with ``words(image, question)``; rows: cards, with ``image`` and
    ``headline``. ``box`` is what a cell ends in. What the model cannot read is said in a sentence.
    """

    def __init__(self, answering: Any, rows: Mapping[str, Any]):
        import ipywidgets as w

        self.answering, self.rows = answering, rows
        self.card = w.BoundedIntText(0, min=0, max=len(rows["headline"]) - 1, description="card")
        self.question = w.Combobox(
            value=CHOICES[3],
            options=self.choices(),
            description="question",
            ensure_option=False,
            layout=w.Layout(width="480px"),
        )
        self.button = w.Button(description="ask")
        self.picture, self.answer = w.HTML(), w.HTML()
        self.card.observe(self.turn, names="value")
        self.button.on_click(self.ask)
        self.turn()
        self.box = w.VBox([w.HBox([self.card, self.button]), self.question, self.answer,
                           self.picture])  # fmt: skip

    def choices(self) -> tuple[str, ...]:
        """Questions to choose from, two of them about the card's own headline."""
        headline = self.rows["headline"][self.card.value if hasattr(self, "card") else 0]
        return (*CHOICES, f"does the headline fit: {headline}",
                f"what is the headline about: {headline}")  # fmt: skip

    def turn(self, change: Any = None) -> None:
        """Show the card, and what its headline makes of the last two questions."""
        headline = self.rows["headline"][self.card.value]
        alt = f"Card {self.card.value}; its headline: {headline}."
        self.picture.value = (
            image_tag(draw_card(self.rows["image"][self.card.value]), alt)
            + f"<p>{html.escape(headline)}</p>"
        )
        self.question.options = self.choices()
        self.answer.value = ""

    def ask(self, button: Any = None) -> None:
        """Answer, word by word."""
        told: list[str] = []
        self.answer.value = "<b>…</b>"
        try:
            image = self.rows["image"][self.card.value]
            for word in self.answering.words(image, self.question.value):
                told.append(word)
                self.answer.value = f"<b>{html.escape(' '.join(told))}</b>"
        except ValueError as problem:
            self.answer.value = html.escape(str(problem))


def ask_a_card(answering: Any, rows: Mapping[str, Any]) -> Any:
    """Choose a card, type or choose a question, and read the answer. Gives the widget."""
    return AskACard(answering, rows).box
