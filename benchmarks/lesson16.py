"""What lesson 16 reads from data/results/16.csv: few labels, without networks.

    make results LESSON=16      # about two minutes of one core

Two worlds of headlines. ``cards``: those of the news cards with three section words, where words
are enough. ``order``: two sections are named and the first counts. For each seed 50, 200 and 1,000
labels, and beside them 10,000 headlines without labels, on which word vectors are counted.
Strengths and features are chosen on 300 validation rows; 3,000 fresh test rows.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from room import Part, Plan, within
from torch import Tensor

from course_utils.baselines import best_strength, majority_baseline, tuned_linear
from course_utils.counting import count_vectors, half_vectors, mean_vectors
from course_utils.data import first_named, news_cards
from course_utils.data.batches import Batch, to_tensors
from course_utils.data.readers import TextReader
from course_utils.data.results import Run
from course_utils.data.rows import Rows, take
from course_utils.data.text import Vocabulary

SEEDS = range(5)
UNLABELLED, VALIDATION, TEST = 10_000, 300, 3_000
LABELS = (50, 200, 1000)
FEWEST = 5  # times that a word must occur among the unlabelled headlines
WORLDS = {"cards": {"words_per_headline": 3, "mismatch": 0.0}, "order": {}}
MARGIN = {"accuracy": 0.02}


def line(experiment: str, world: str, model: str, seed: int, value: float, setting: str = "",
         rows: int = TEST, measure: str = "accuracy", dials: str = "") -> Run:  # fmt: skip
    return Run(experiment, world, dials, model, setting, seed, rows, measure, float(value))


# --- the two worlds ------------------------------------------------------------------------------


def headlines(world: str, n: int, seed: int) -> Rows:
    """Headlines with their labels: rows that fit, by their section."""
    if world == "order":
        return first_named.make(n, seed)
    rows = news_cards.make_headlines(n, seed, **WORLDS[world])
    return news_cards.rows_for(rows, "section")


class World:
    """One world's headlines of one seed, as tensors.

    text, length: the unlabelled ones. splits and rows: those with labels, so many to learn from.
    """

    def __init__(self, name: str, seed: int):
        unlabelled = headlines(name, UNLABELLED, 1000 + seed)["headline"]
        self.name, self.seed = name, seed
        self.vocabulary = Vocabulary.from_texts(unlabelled, fewest=FEWEST)
        self.text, self.length = self.vocabulary.encode(unlabelled)
        self.readers = {"text": TextReader(self.vocabulary)}
        self.of = {
            "train": headlines(name, max(LABELS), 2000 + seed),
            "validation": headlines(name, VALIDATION, 3000 + seed),
            "test": headlines(name, TEST, 4000 + seed),
        }
        self.tensors = {split: to_tensors(rows, self.readers) for split, rows in self.of.items()}

    def rows(self, labels: int) -> dict[str, Rows]:
        return self.of | {"train": take(self.of["train"], np.arange(labels))}

    def splits(self, labels: int) -> dict[str, Batch]:
        few = to_tensors(self.rows(labels)["train"], self.readers)
        return self.tensors | {"train": few}


@cache
def world_of(name: str, seed: int) -> World:
    return World(name, seed)


# --- few labels ----------------------------------------------------------------------------------


def without_networks(name: str, seed: int) -> Iterator[Run]:
    """50, 200 and 1,000 labels for the commonest class, TF-IDF, and word vectors by counting."""
    world = world_of(name, seed)
    vectors = count_vectors(world.text, len(world.vocabulary))
    for labels in LABELS:
        splits, said = world.splits(labels), f"{labels} labels"
        label = {split: part["label"] for split, part in splits.items()}
        majority = majority_baseline(label["train"], label["test"])
        yield line("few labels", name, "majority", seed, majority, said)
        linear = tuned_linear(world.rows(labels), world.readers)["text"]
        yield line("few labels", name, "TF-IDF", seed, linear.accuracy, said)
        for model, means in {"counting": mean_vectors, "counting, halves": half_vectors}.items():
            found = counted(vectors, means, splits)
            yield line("few labels", name, model, seed, found, said)


def counted(vectors: Tensor, means: Any, splits: dict[str, Batch]) -> float:
    """Accuracy on the test rows of a linear model on means of counted word vectors."""
    labels = {split: part["label"].numpy() for split, part in splits.items()}
    features = {
        split: means(vectors, part["text"], part["text_length"]).numpy()
        for split, part in splits.items()
    }
    return best_strength(features, labels, {}).accuracy


def ceilings() -> Iterator[Run]:
    """The best that can be done, exactly."""
    best = news_cards.ceiling("section", **WORLDS["cards"])
    yield line("few labels", "cards", "ceiling", 0, best["text"], "exact", 0)
    for reader, value in first_named.ceiling().items():
        if reader != "chance":
            yield line("few labels", "order", f"ceiling, {reader}", 0, value, "exact", 0)


# --- all of it -----------------------------------------------------------------------------------


def of(name: str, measure: Any) -> Any:
    return lambda seed: measure(name, seed)


PLAN = Plan(
    "16",
    [
        Part(
            f"{name}-beside",
            of(name, without_networks),
            within("few labels", world=name, but="ceiling*"),
            SEEDS,
        )
        for name in WORLDS
    ],
    [Part("ceilings", ceilings, within("few labels", model="ceiling*"))],
)


def again() -> list[Run]:
    """A slice that a test makes anew: counting at 50 labels, seed 0, on both worlds."""
    found = []
    for name in WORLDS:
        world = world_of(name, 0)
        vectors = count_vectors(world.text, len(world.vocabulary))
        value = counted(vectors, mean_vectors, world.splits(LABELS[0]))
        found.append(line("few labels", name, "counting", 0, value, f"{LABELS[0]} labels"))
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    PLAN.main()
