"""What lesson 00 reads from data/results: its fair table, and whom its models believe.

    make results LESSON=00

Five seeds, each with cards, words and first weights of its own: ``make(6000, seed)`` teaches, and
its validation rows choose epochs and settings. What is reported is measured on 5,000 fresh cards,
those of seed + 1000: cards that fit for ``section``, half of them for wrong pairs.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
import torch
from room import Part, Plan, within
from sklearn.linear_model import RidgeClassifier
from torch import Tensor, nn

from course_utils.baselines import linear_baselines, majority_baseline
from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import Batch, Batches, to_tensors
from course_utils.data.readers import ImageReader, TextReader
from course_utils.data.results import Run
from course_utils.data.rows import split_rows
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.exercises.lesson00 import mispaired as find_mispaired
from course_utils.experiment import train_on
from course_utils.fusion import ConcatFusion
from course_utils.measures import accuracy
from course_utils.training import predict

SEEDS = range(5)
CARDS, FRESH = 6000, 5000
KINDS = {"image alone": ("image",), "text alone": ("text",), "both": ("image", "text")}
LEARN = {"epochs": 6, "learning_rate": 0.01, "batch_size": 32}
RARE = 0.01  # wrong pairs in a tidy folder
MARGIN = {"accuracy": 0.01}  # on another machine


class World:
    """One seed's cards, read; the test rows are fresh ones."""

    def __init__(self, seed: int):
        self.seed = seed
        rows = split_rows(news_cards.rows_for(news_cards.make(CARDS, seed), "section"))
        fresh = news_cards.make(FRESH, seed + 1000, mismatch=0)
        self.rows = rows | {"test": news_cards.rows_for(fresh, "section")}
        text = TextReader(fewest=2).fit(rows["train"], "text")
        self.readers = {"image": ImageReader(), "text": text}

    @cached_property
    def splits(self) -> dict[str, Batch]:
        """The cards as tensors."""
        return {name: to_tensors(part, self.readers) for name, part in self.rows.items()}

    def trained(self, kind: str) -> nn.Module:
        """The lesson's model that reads one modality, or both."""
        torch.manual_seed(self.seed)
        words = len(self.readers["text"].vocabulary)
        encoders = {"image": CNNEncoder(64, channels=(8, 16, 32)), "text": BagEncoder(words)}
        own = {name: encoders[name] for name in KINDS[kind]}
        model = MultimodalClassifier(own, ConcatFusion(dict.fromkeys(own, 64)), 5)
        return train_on(model, self.splits, self.seed, **LEARN).model

    def line(self, experiment: str, model: str, value: float, measure: str = "accuracy",
             rows: int = FRESH) -> Run:  # fmt: skip
        """A line of the file."""
        return Run(experiment, "news cards", "", model, "", self.seed, rows, measure, float(value))


def all_of(world: World) -> Iterator[Run]:
    """Everything of one seed."""
    models = {kind: world.trained(kind) for kind in KINDS}
    test = Batches(world.splits["test"], 256)
    logits = {kind: predict(model, test) for kind, model in models.items()}
    yield from section(world, logits)
    yield from linear(world)
    yield from believed(world, models, logits)
    yield from mispaired(world, models)


def section(world: World, logits: Mapping[str, Tensor]) -> Iterator[Run]:
    """The fair table's rows; logits: {kind: (n, 5)}."""
    train, test = (world.splits[part]["label"] for part in ("train", "test"))
    yield world.line("section", "majority", majority_baseline(train, test))
    for kind, scores in logits.items():
        yield world.line("section", kind, accuracy(scores, test))


def linear(world: World) -> Iterator[Run]:
    """Linear models of words and of main directions of the pixels, and of all pixels."""
    for name, value in linear_baselines(world.rows, world.readers).items():
        yield world.line("linear", name, value)
    yield all_pixels(world)


def all_pixels(world: World) -> Run:
    """Ridge regression on the 6,912 numbers of a picture."""
    x, y = {}, {}
    for part in ("train", "test"):
        image = world.rows[part]["image"]
        x[part], y[part] = image.reshape(len(image), -1) / 255, world.rows[part]["label"]
    ridge = RidgeClassifier(alpha=1000).fit(x["train"], y["train"])
    return world.line("linear", "all pixels", ridge.score(x["test"], y["test"]))


def believed(
    world: World, models: Mapping[str, nn.Module], logits: Mapping[str, Tensor]
) -> Iterator[Run]:
    """Who is right where one sense is right and one wrong, and what a clue changes."""
    test = world.rows["test"]
    right = {kind: scores.argmax(dim=1) == test["label"] for kind, scores in logits.items()}
    sure = {kind: scores.softmax(dim=1).amax(dim=1) for kind, scores in logits.items()}
    image, text = right["image alone"], right["text alone"]
    surer = torch.where(sure["image alone"] > sure["text alone"], image, text)
    for who, hits in (("both", right["both"]), ("surer", surer)):
        value = hits[image != text].double().mean()
        yield world.line("believed", who, value, f"{who} right", int((image != text).sum()))
    clue = {"image": torch.as_tensor(test["motif_box"][:, 0] >= 0),
            "text": torch.as_tensor(np.array(test["section_word"]) != "")}  # fmt: skip
    one, seen = sure["image alone"], clue["image"]
    lost = one[seen].median() - one[~seen].median()
    yield world.line("believed", "image alone", lost, "sureness lost")
    for name, apart in ranges(models["both"], world.splits["test"]).items():
        ratio = apart[clue[name]].median() / apart[~clue[name]].median()
        yield world.line("believed", "both", ratio, f"{name} apart")


@torch.no_grad()
def ranges(model: MultimodalClassifier, cards: Batch) -> dict[str, Tensor]:
    """How far apart the five scores are that each modality adds, {name: (n,)}."""
    features = [model.features(batch) for batch in Batches(cards, 256)]
    weights = dict(zip(("image", "text"), model.head.weight.split(64, dim=1), strict=True))
    scores = {n: torch.cat([one[n] for one in features]) @ w.T for n, w in weights.items()}
    return {name: one.amax(dim=1) - one.amin(dim=1) for name, one in scores.items()}


def mispaired(world: World, models: Mapping[str, nn.Module]) -> Iterator[Run]:
    """Pairs of which both single readers are sure, and of different sections."""
    rows = news_cards.rows_for(news_cards.make(FRESH, world.seed + 1000), "match")
    pairs = Batches(to_tensors(rows, world.readers), 256)
    chances = (predict(models[f"{n} alone"], pairs).softmax(dim=1) for n in ("image", "text"))
    alarm, wrong = torch.zeros(FRESH, dtype=torch.bool), torch.as_tensor(rows["match"] == 0)
    alarm[find_mispaired(*chances)] = True
    hit, false_alarm = (alarm[some].double().mean() for some in (wrong, ~wrong))
    tidy = RARE * hit / (RARE * hit + (1 - RARE) * false_alarm)
    found = {"named, wrong": (wrong[alarm].double().mean(), alarm), "tidy": (tidy, alarm),
             "wrong, named": (hit, wrong), "good, named": (false_alarm, ~wrong)}  # fmt: skip
    for measure, (value, of) in found.items():
        yield world.line("mispaired", "find_mispaired", value, measure, int(of.sum()))


def again() -> Iterator[Run]:
    """One seed's headlines, read anew."""
    world = World(0)
    test = Batches(world.splits["test"], 256)
    value = accuracy(predict(world.trained("text alone"), test), world.splits["test"]["label"])
    yield world.line("section", "text alone", value)


PLAN = Plan("00", [Part("cards", lambda seed: all_of(World(seed)), within(), SEEDS)])

if __name__ == "__main__":
    PLAN.main()
