"""What lesson 16 reads from data/results/16.csv, and the small models of data/models/16.

    make results LESSON=16      # about five minutes of one core for each seed

Two worlds of headlines. ``cards``: those of the news cards with three section words, where words
are enough. ``order``: two sections are named and the first counts. For each seed: a BERT of one
layer learns masked words from 10,000 headlines without labels; then 50, 200 and 1,000 labels. The
rows beside it get the same labels: the same BERT from scratch, TF-IDF (words, or pairs too), and
word vectors counted on the same 10,000 headlines. Whoever has settings has them chosen on the same
300 validation rows: scratch among four (two rates, two spreads of its first weights), the other
networks among two rates each, linear rows among strengths and features. 3,000 fresh test rows.

One layer of 64 numbers, words that come out with vectors of their own (untied), rate 3e-3, three
section words: from a trial on a throw-away world. How pretraining passes its plateau was found on
seed 0, mostly on the world of order: with .3 of the words chosen, or first weights of spread .02,
or a dropout of .1, it still lay there after 128,000 headlines. With .15, .1 and none it passes.
Seeds 1 and 2 are fresh. Seed 2 of order is still on its plateau after 192,000 headlines; in a look
beside this file it passed with 384,000 (loss 2.66), and was then as good as the others.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from room import Part, Plan, within
from torch import Tensor

from course_utils import pretrained
from course_utils.baselines import best_strength, majority_baseline, tuned_linear
from course_utils.counting import count_vectors, half_vectors, mean_vectors
from course_utils.data import first_named, news_cards
from course_utils.data.batches import Batch, to_tensors
from course_utils.data.news_headlines import ADJECTIVES, LINKS, NEUTRAL_WORDS, SECTION_WORDS
from course_utils.data.readers import TextReader
from course_utils.data.results import Run
from course_utils.data.rows import Rows, take
from course_utils.data.text import Vocabulary
from course_utils.huggingface import LanguageEncoder, from_configuration
from course_utils.language import (
    HIDDEN,
    Curve,
    MaskedWords,
    held_out_loss,
    next_words,
    pretrain,
    with_ends,
)
from course_utils.measures import accuracy
from course_utils.pretrained import WAYS, Kept, adapt, encoder_of

SEEDS = range(5)
PRETRAINED = range(3)  # of SEEDS, for what pretrains: it is dear
UNLABELLED, VALIDATION, TEST = 10_000, 300, 3_000
LABELS = (50, 200, 1000)
EPOCHS, BATCH = {50: 30, 200: 15, 1000: 8}, {50: 16, 200: 16, 1000: 32}
FEWEST = 5  # times that a word must occur among the unlabelled headlines
SHARE = 0.15
WORLDS = {"cards": {"words_per_headline": 3, "mismatch": 0.0}, "order": {}}
TEXTS = 192_000  # read in pretraining
SHORT = (32_000,)  # pretraining that stops early
STARTS = (0.02, 0.1)  # spread of a model's first weights
START = 0.1  # of those that are pretrained
SIZES = {"dim": 64, "layers": 1, "heads": 4, "longest": 32, "dropout": 0.0}
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
        self.mask = len(self.vocabulary)
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

    def fresh(self, start: float) -> Any:
        """An untrained BERT for these words and one that hides them."""
        sizes = {"words": self.mask + 1, **SIZES, "start": start, "seed": self.seed}
        return from_configuration("BERT", **sizes)

    @property
    def task(self) -> MaskedWords:
        return MaskedWords(self.mask, self.mask, SHARE)


@cache
def world_of(name: str, seed: int) -> World:
    return World(name, seed)


@cache
def learnt(name: str, seed: int, texts: int) -> tuple[Kept, Curve]:
    """A BERT that guessed masked words of so many headlines, and how its loss fell."""
    world = world_of(name, seed)
    model = world.fresh(START)
    curve = pretrain(model, world.text, world.length, world.task, texts=texts, seed=seed)
    test = world.tensors["test"]
    loss = held_out_loss(model, test["text"], test["text_length"], world.task, seed)
    recipe = {"world": name, "seed": seed, "texts": texts, "share": SHARE, "loss": loss,
              "more": {"mask": world.mask}}  # fmt: skip
    sizes = {"words": world.mask + 1, **SIZES}
    return Kept(model, "BERT", sizes, world.vocabulary, recipe), curve


# --- few labels ----------------------------------------------------------------------------------


def how(labels: int, seed: int) -> dict[str, Any]:
    """Passes and batches, alike for all networks."""
    return {"epochs": EPOCHS[labels], "batch_size": BATCH[labels], "seed": seed}


def right(logits: Tensor, world: World) -> float:
    return accuracy(logits, world.tensors["test"]["label"])


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


def networks(name: str, seed: int) -> Iterator[Run]:
    """50, 200 and 1,000 labels for a BERT from scratch, and for a pretrained one in three ways."""
    world = world_of(name, seed)
    kept, _ = learnt(name, seed, TEXTS)
    for labels in LABELS:
        said, splits, options = f"{labels} labels", world.splits(labels), how(labels, seed)
        starts = {
            str(start): lambda start=start: LanguageEncoder(world.fresh(start)) for start in STARTS
        }
        found = adapt(starts, splits, 5, **options)
        yield line("few labels", name, "scratch", seed, right(found.logits, world), said)
        for way in WAYS:
            found = adapt(encoder_of(kept), splits, 5, way, **options)
            value = right(found.logits, world)
            yield line("few labels", name, f"pretrained, {way}", seed, value, said)
            if labels == LABELS[0]:
                yield line("numbers", name, way, seed, found.learns, measure="that learn")


def ceilings() -> Iterator[Run]:
    """The best that can be done, exactly."""
    best = news_cards.ceiling("section", **WORLDS["cards"])
    yield line("few labels", "cards", "ceiling", 0, best["text"], "exact", 0)
    for reader, value in first_named.ceiling().items():
        if reader != "chance":
            yield line("few labels", "order", f"ceiling, {reader}", 0, value, "exact", 0)


# --- the curve of pretraining --------------------------------------------------------------------


def plateau(name: str, seed: int) -> Iterator[Run]:
    """Masked-word loss by headlines read, and what 50 labels make of models that stopped early."""
    world, labels = world_of(name, seed), LABELS[0]
    splits = world.splits(labels)
    for texts in (*SHORT, TEXTS):
        kept, curve = learnt(name, seed, texts)
        said = f"{texts} texts"
        yield line("plateau", name, "BERT", seed, kept.recipe["loss"], said, measure="loss")
        found = adapt(encoder_of(kept), splits, 5, **how(labels, seed))
        yield line(
            "plateau", name, "pretrained, fine-tuned", seed, right(found.logits, world), said
        )
        if texts == TEXTS:
            for read, loss in zip(curve.texts, curve.loss, strict=True):
                yield line("curve", name, "BERT", seed, loss, f"{read} texts", UNLABELLED,
                           "training loss")  # fmt: skip


def kind_of(word: str, sections: bool = True) -> str:
    """What the generator made a word as: a link, an adjective, a noun, of which section."""
    for name, words in {"link": LINKS, "adjective": ADJECTIVES, "neutral": NEUTRAL_WORDS}.items():
        if word in words:
            return name
    for section, words in enumerate(SECTION_WORDS):
        if word in words:
            return f"noun {section}" if sections else "noun"
    return "other"  # a typo


def levels(name: str, seed: int) -> Iterator[Run]:
    """What masked words cost who names them as often as they occur, whatever stands around them; as
    often as they stand between neighbours of such kinds; and by one who is told a word's own kind
    and section.

    On the unlabelled headlines, with all neighbours in sight; a model sees some of them hidden.
    """
    world = world_of(name, seed)
    places = [
        (word, (before, after), kind_of(word))
        for row in world.text.tolist()
        for word, before, after in between([world.vocabulary.words[one] for one in row if one])
    ]
    known = {
        "frequencies": lambda place: None,
        "neighbours' kinds": lambda place: place[1],
        "own kind and section": lambda place: place[2],
    }
    for model, knows in known.items():
        loss = level([(place[0], knows(place)) for place in places], world.mask - 2)
        yield line("levels", name, model, seed, loss, rows=UNLABELLED, measure="loss")


def between(words: list[str]) -> Iterator[tuple[str, str, str]]:
    """Each word with the kinds of those before and behind it."""
    kinds = ["edge", *(kind_of(word, sections=False) for word in words), "edge"]
    return zip(words, kinds, kinds[2:], strict=False)


def level(places: list[tuple[str, Any]], others: int) -> float:
    """The least mean loss at chosen words for who knows each place's group and no more.

    places: (word, group). Most chosen words are hidden; what stands in place of the rest is the
    word itself as often as one of ``others`` at random, so that who sees it knows a little more.
    """
    groups: dict[Any, Counter] = {}
    for word, group in places:
        groups.setdefault(group, Counter())[word] += 1
    total = 0.0
    for counts in groups.values():
        p = np.array([*counts.values()]) / counts.total()
        hidden = -(p * np.log(p)).sum()
        # Of a word and what stands there, which may be of another group.
        both = np.diag(p) / 2 + p[:, None] / (2 * others)
        seen = -(both * np.log(both / both.sum(axis=0))).sum()
        seen += (others - len(p)) / (2 * others) * hidden
        total += counts.total() * (HIDDEN * hidden + (1 - HIDDEN) * seen)
    return total / len(places)


# --- the decoder ---------------------------------------------------------------------------------

DECODER = {"dim": 96, "layers": 2, "heads": 4, "longest": 48, "dropout": 0.0}
DECODER_TEXTS = 32_000


@cache
def decoded(seed: int, texts: int = DECODER_TEXTS) -> tuple[Kept, dict[str, float]]:
    """A GPT-2 that guessed the next words of default headlines; its loss beside a bigram's."""
    told = news_cards.make_headlines(12_000, 5000 + seed, mismatch=0.0)["headline"]
    vocabulary = Vocabulary.from_texts(told[:UNLABELLED], fewest=FEWEST)
    begin, end = len(vocabulary), len(vocabulary) + 1
    text, length = with_ends(*vocabulary.encode(told), begin, end)
    sizes = {"words": end + 1, **DECODER}
    model = from_configuration("GPT-2", **sizes, seed=seed)
    learn, test = slice(0, UNLABELLED), slice(UNLABELLED, None)
    pretrain(model, text[learn], length[learn], next_words, texts=texts, seed=seed)
    loss = held_out_loss(model, text[test], length[test], next_words)
    recipe = {"world": "news cards", "seed": seed, "texts": texts, "loss": loss,
              "more": {"begin": begin, "end": end}}  # fmt: skip
    beside = pair_loss(text[learn], text[test], end + 1)
    return Kept(model, "GPT-2", sizes, vocabulary, recipe), {"GPT-2": loss, **beside}


def pair_loss(learn: Tensor, test: Tensor, words: int) -> dict[str, float]:
    """Next-word losses by counting: of words alone, and of words after the word before them."""

    def pairs(text: Tensor) -> tuple[Tensor, Tensor]:
        before, after = text[:, :-1].flatten(), text[:, 1:].flatten()
        return before[after > 0], after[after > 0]

    before, after = pairs(learn)
    single = (after.bincount(minlength=words).double() + 1) / (len(after) + words)
    table = (before * words + after).bincount(minlength=words**2).view(words, words).double()
    table = (table + 10 * single) / (table.sum(dim=1, keepdim=True) + 10)
    before, after = pairs(test)
    return {
        "single words counted": -single[after].log().mean().item(),
        "pairs counted": -table[before, after].log().mean().item(),
    }


def decoder(seed: int) -> Iterator[Run]:
    """Losses of next words on fresh headlines."""
    for model, loss in decoded(seed)[1].items():
        yield line("decoder", "cards", model, seed, loss, rows=2_000, measure="loss")


def models() -> Iterator[Run]:
    """Make the files of data/models/16: seed 0 of each."""
    for name in WORLDS:
        kept, _ = learnt(name, 0, TEXTS)
        pretrained.save(kept, pretrained.path_of(f"masked_{name}"))
        yield line("models", name, "BERT", 0, kept.recipe["loss"], measure="loss")
    kept, losses = decoded(0)
    pretrained.save(kept, pretrained.path_of("decoder"))
    yield line("models", "cards", "GPT-2", 0, losses["GPT-2"], rows=2_000, measure="loss")


# --- all of it -----------------------------------------------------------------------------------


def of(name: str, measure: Any) -> Any:
    return lambda seed: measure(name, seed)


BESIDE = ("majority", "TF-IDF", "counting*")


def beside(run: Run) -> bool:
    """Whether a line is of a model without a network."""
    return any(within("few labels", model=model)(run) for model in BESIDE)


def by_networks(run: Run) -> bool:
    known = within("few labels", "numbers", but="ceiling*")(run)
    return known and not beside(run)


def on_world(name: str, lines: Any) -> Any:
    return lambda run: run.world == name and lines(run)


PLAN = Plan(
    "16",
    [
        Part(f"{name}-{part}", of(name, measure), on_world(name, lines), seeds)
        for name in WORLDS
        for part, measure, lines, seeds in (
            ("beside", without_networks, beside, SEEDS),
            ("networks", networks, by_networks, PRETRAINED),
            ("plateau", plateau, within("plateau", "curve"), PRETRAINED),
            ("levels", levels, within("levels"), SEEDS),
        )
    ],
    [Part("decoder", decoder, within("decoder"), SEEDS)],
    [
        Part("ceilings", ceilings, within("few labels", model="ceiling*")),
        Part("models", models, within("models")),
    ],
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
