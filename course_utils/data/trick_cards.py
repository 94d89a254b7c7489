"""Twelve news cards made by hand, each hard in its own way; they hang on a wall in every lesson.

They are drawn from the generator's parts. The files in ``data/trick_cards`` are what lessons
read; ``draw`` makes them again.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from course_utils.data.news_cards import MODALITIES, SECTIONS, add_noise
from course_utils.data.news_pictures import Box, add_mark, draw_picture
from course_utils.data.rows import Rows
from course_utils.environment import course_root


@dataclass(frozen=True)
class Trick:
    """What one card shows and says; ``motif`` None for a picture without one."""

    trick: str
    section: str
    headline: str
    motif: str | None
    box: Box = (12, 12, 36, 36)
    match: int = 1
    noise: float = 0.12
    clutter: int = 3
    mark: bool = False


TRICKS = (
    Trick("nothing hidden", "sport", "young coach meets crowd after late goal", "sport"),
    Trick("picture without motif", "weather", "storm surprises quiet village and family", None),
    Trick("headline without section word", "science",
          "first letter changes answer for small group", "science"),
    Trick("motif in a corner", "travel", "leader follows famous tourist near bridge", "travel",
          box=(0, 0, 14, 14)),
    Trick("headline with two sections", "business", "profit follows goal against late plan",
          "business"),
    Trick("outvoted by distractors", "science", "bank meets investor without new theory",
          "science"),
    Trick("noisy picture", "weather", "minister needs answer before local rain", "weather",
          noise=0.45),
    Trick("typo in the only clue", "travel", "toruist meets young leader near kitchen", None),
    Trick("planted mark, no other clue", "sport", "big council without answer for street", None,
          mark=True),
    Trick("no clue at all", "business", "quiet teacher follows song over garden", None),
    Trick("headline of another section", "sport", "flood changes city after early forecast",
          "sport", match=0),
    Trick("no motif, headline of another section", "travel",
          "young investor surprises small market", None, match=0),
)  # fmt: skip


def draw() -> Rows:
    """The twelve cards, drawn anew: rows as ``news_cards.rows_for`` has them for ``section``.

    And ``trick``, and ``answer``, the section in words, for the wall.
    """
    images = []
    for number, trick in enumerate(TRICKS):
        dice = iter(np.random.default_rng([12, number]).random(70).tolist())
        motif = None if trick.motif is None else SECTIONS.index(trick.motif)
        picture, _ = draw_picture(dice, motif, trick.clutter, trick.box)
        if trick.mark:
            add_mark(picture)
        images.append(add_noise(np.asarray(picture)[None], trick.noise, seed=number)[0])
    columns = {
        "image": np.stack(images),
        "headline": [trick.headline for trick in TRICKS],
        "match": np.array([trick.match for trick in TRICKS]),
        "split": np.array(["test"] * len(TRICKS)),
        "trick": [trick.trick for trick in TRICKS],
    }
    return _as_cards(columns, [trick.section for trick in TRICKS])


def _as_cards(columns: dict, sections: list[str]) -> Rows:
    """Rows with the section as a number, as the label, and in words."""
    section = np.array([SECTIONS.index(name) for name in sections])
    labels = {"section": section, "label": section, "answer": sections}
    return Rows(columns | labels, SECTIONS, modalities=MODALITIES)


def folder() -> Path:
    """Where the twelve cards lie as files."""
    return course_root() / "data" / "trick_cards"


def read() -> Rows:
    """The twelve cards from their files: rows as ``draw`` gives them."""
    with (folder() / "headlines.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    columns = {
        "image": np.stack([np.asarray(Image.open(folder() / row["file"])) for row in table]),
        "headline": [row["headline"] for row in table],
        "match": np.array([int(row["match"]) for row in table]),
        "split": np.array([row["split"] for row in table]),
        "trick": [row["trick"] for row in table],
    }
    return _as_cards(columns, [row["section"] for row in table])
