"""What lesson 18 reads from data/results/18.csv, and the model that it asks.

    make results LESSON=18                        # about half an hour of one core
    make results LESSON=18 PART=models            # the model in data/models/18, of seed 0

Cards with things in plain colours, ones to threes, tiny or huge; seven kinds of questions about
them. For each seed: eyes that learnt to name what 4,000 cards show, a decoder that learns from
questions about the same cards, 1,000 fresh cards with 700 questions of each kind to test it. An
answer is right when every word of it is. Accuracies on the way, "curve", are of 150 validation
questions a kind. Parts "prior", "eyes" and "stages" leave headlines out, which learns faster. The
learning rate was chosen on validation cards of seed 0, never on test cards; part "settings" asks
again, on the validation questions of a seed of its own, 100.

PLAN says what was measured so far: "prior", "stages" and "eyes" have one seed, "settings" none.
"""

import copy
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from room import Part, Plan, within
from torch import Tensor, nn

from course_utils import answering, frozen
from course_utils.answering import Answering, maps_of, pictures_of, teach_eyes
from course_utils.baselines import best_strength
from course_utils.data import news_cards, questions
from course_utils.data.questions import KINDS, NAMING
from course_utils.data.results import Run
from course_utils.data.rows import Rows
from course_utils.data.text import Vocabulary
from course_utils.encoders import CNNEncoder
from course_utils.measures import best_additive_rule, rule_accuracy
from course_utils.seeing import (
    Asked,
    Look,
    SeeingDecoder,
    answer_loss,
    as_tensors,
    first_words,
    hallucination_rate,
    said_right,
    teach,
)

SEEDS, TUNING = range(3), 100  # PLAN says which were measured
WORLD = "asked cards"
CARDS, FRESH, VALIDATED = 4000, 1000, 500
EACH, WATCHED = 700, 150  # questions of each kind, of the test and of a curve's points
STEPS, FEWER, BATCH, RATE, EVERY = 1000, 600, 64, 1e-3, 100
FEWEST = 3  # times that a word must occur to get a number
# Of the questions that teach: the kinds that learn slowly are asked more often.
SHARES = dict.fromkeys(NAMING, 1) | {"is there": 3, "fits": 4, "headline": 3}
SIX = {kind: share for kind, share in SHARES.items() if kind != "headline"}
SHORT = dict.fromkeys(NAMING, 1) | {"is there": 3}  # without headlines; these learn in FEWER steps
PRIORS = (0.3, 0.5, 0.7)
MARGIN = {"accuracy": 0.02}


def line_for(experiment: str, seed: int, dials: str = "", rows: int = EACH) -> Any:
    """What makes a line of the file."""

    def line(model: str, setting: str, value: float, measure: str = "accuracy") -> Run:
        return Run(experiment, WORLD, dials, model, setting, seed, rows, measure, float(value))

    return line


# --- one seed's cards, eyes and questions --------------------------------------------------------


class Questions(NamedTuple):
    """Questions of one split as rows and as tensors."""

    rows: Rows
    asked: Asked


class World(NamedTuple):
    """One seed's cards, what eyes make of them, and questions to watch and to test by."""

    seed: int
    cards: dict[str, Rows]
    images: dict[str, Tensor]
    eyes: CNNEncoder
    maps: dict[str, Tensor]
    vocabulary: Vocabulary
    watched: Questions
    test: Questions

    @property
    def words(self) -> int:
        return len(self.vocabulary) + 2

    def see(self, split: str) -> Look:
        return lambda card: self.maps[split][card]

    def ask(self, n: int, seed: int, kinds: Any = SHARES, yes: float = 0.5) -> Questions:
        """Questions about the training cards."""
        rows = questions.ask(self.cards["train"], n, seed, kinds, yes)
        return Questions(rows, as_tensors(rows, self.vocabulary))


def each_kind(cards: Rows, n: int, seed: int) -> Rows:
    """n questions of each kind, one kind after the other."""
    parts = [questions.ask(cards, n, seed + place, [kind]) for place, kind in enumerate(KINDS)]
    whole = {name: [value for part in parts for value in part[name]] for name in parts[0]}
    numbers = {name: np.array(whole[name]) for name in ("card", "kind", "there")}
    return Rows(whole | numbers)


@lru_cache(maxsize=1)
def world_of(seed: int) -> World:
    """One seed's world, made and read once."""
    sizes = {"train": CARDS, "validation": VALIDATED, "test": FRESH}
    cards = {
        split: news_cards.make(n, 1000 * place + seed, **answering.WORLD)
        for place, (split, n) in enumerate(sizes.items())
    }
    images = {split: pictures_of(rows) for split, rows in cards.items()}
    eyes = teach_eyes(cards["train"], seed=seed)
    maps = {split: maps_of(eyes, part) for split, part in images.items()}
    vocabulary = Vocabulary.from_texts(questions.texts_of(cards["train"]), fewest=FEWEST)
    made = {split: each_kind(cards[split], n, 10_000 + 100 * seed)
            for split, n in (("validation", WATCHED), ("test", EACH))}  # fmt: skip
    watched, test = (Questions(rows, as_tensors(rows, vocabulary)) for rows in made.values())
    return World(seed, cards, images, eyes, maps, vocabulary, watched, test)


def blind(card: Tensor) -> None:
    """No picture."""


def untaught(world: World) -> SeeingDecoder:
    torch.manual_seed(world.seed)
    return SeeingDecoder(world.words)


class Point(NamedTuple):
    """What a model says at a point of its training."""

    loss: float
    right: dict[str, float]
    hallucinates: float


def point(model: nn.Module, found: Questions, look: Look, vocabulary: Vocabulary) -> Point:
    """Loss, accuracy by kind, and how often it says yes to what is not there."""
    right = by_kind(said_right(model, found.asked, look), found.asked.kind)
    batch = found.asked
    loss = answer_loss(model(look(batch.card), batch.text), batch).item()
    return Point(loss, right, hallucinates(model, found, look, vocabulary)[0])


def by_kind(right: Tensor, kind: Tensor) -> dict[str, float]:
    """The share of right answers to each kind of question that was asked."""
    return {
        name: right[kind == number].double().mean().item()
        for number, name in enumerate(KINDS)
        if (kind == number).any()
    }


def hallucinates(
    model: nn.Module, found: Questions, look: Look, vocabulary: Vocabulary
) -> tuple[float, float]:
    """How often "is there" is answered by yes where it is not there, and where it is."""
    index = (found.asked.kind == KINDS.index("is there")).nonzero()[:, 0]
    there = torch.from_numpy(found.rows["there"])[index]
    said = first_words(model, found.asked.take(index), look) == vocabulary.ids["yes"]
    return hallucination_rate(said, there), hallucination_rate(said, ~there)


def learn(
    world: World,
    kinds: Any = SHARES,
    yes: float = 0.5,
    look: Look | None = None,
    start: SeeingDecoder | None = None,
    watch: bool = True,
    steps: int = STEPS,
    projector: bool = False,
    **options: Any,
) -> tuple[SeeingDecoder, Iterator[tuple[int, Point]]]:
    """A decoder that learnt from questions about the training cards, and its curve.

    look: how it sees the training cards, by default by the world's eyes; blind stays blind. start:
    a model that goes on learning, in place. projector: whether the projector learns alone.
    """
    taught = world.ask(steps * BATCH, world.seed + 1, kinds, yes).asked
    model = untaught(world) if start is None else start
    sees = blind if look is blind else world.see("validation")

    def watched() -> Point:
        return point(model, world.watched, sees, world.vocabulary)

    settings = {"learning_rate": RATE, "batch_size": BATCH, "every": EVERY, "seed": world.seed}
    settings["learns"] = model.projector if projector else None
    curve = teach(model, taught, look or world.see("train"), steps=steps,
                  watch=watched if watch else None, **(settings | options))  # fmt: skip
    return model, zip(curve.steps, curve.watched, strict=False)


def curve_lines(
    seed: int, name: str, curve: Iterator[tuple[int, Point]], kinds: Sequence[str] = KINDS
) -> Iterator[Run]:
    """The points of a curve: dials says after how many steps."""
    for step, found in curve:
        line = line_for("curve", seed, f"step {step}", WATCHED)
        yield line(name, "", found.loss, "loss")
        yield line(name, "is there", found.hallucinates, "hallucination")
        for kind in kinds:
            yield line(name, kind, found.right[kind])


# --- settings ------------------------------------------------------------------------------------


def settings(seed: int = TUNING) -> Iterator[Run]:
    """Learning rates, by the validation questions of a seed of their own."""
    world = world_of(seed)
    for rate in (1e-3, 2e-3):
        model, _ = learn(world, watch=False, learning_rate=rate)
        found = point(model, world.watched, world.see("validation"), world.vocabulary)
        line = line_for("settings", seed, rows=WATCHED)
        for kind, value in found.right.items():
            yield line(f"rate {rate:g}", kind, value, "validation accuracy")


# --- the table by kind ---------------------------------------------------------------------------


@lru_cache(maxsize=1)
def main_model(seed: int) -> tuple[SeeingDecoder, list[tuple[int, Point]]]:
    """The model of all seven kinds."""
    model, curve = learn(world_of(seed))
    return model, list(curve)


@lru_cache(maxsize=1)
def blind_model(seed: int) -> SeeingDecoder:
    """The same without pictures: a language model of questions and answers."""
    return learn(world_of(seed), look=blind, watch=False)[0]


def kinds(seed: int) -> Iterator[Run]:
    """The model on each kind, seeing, with others' pictures, and blind; and its curve."""
    world, line = world_of(seed), line_for("kinds", seed)
    model, curve = main_model(seed)
    asked, see = world.test.asked, world.see("test")
    moved = asked._replace(card=(asked.card + FRESH // 2) % FRESH)
    right = {
        "model": said_right(model, asked, see),
        "others' pictures": said_right(model, moved, see),
        "without a picture": said_right(model, asked, blind),
        "blind": said_right(blind_model(seed), asked, blind),
    }
    for name, found in right.items():
        for kind, value in by_kind(found, asked.kind).items():
            yield line(name, kind, value)
    for kind, value in majority(world).items():
        yield line("majority", kind, value)
    yield from curve_lines(seed, "seven kinds", iter(curve))


def majority(world: World) -> dict[str, float]:
    """How often the commonest answer to each kind among training questions is right."""
    found = {}
    for number, kind in enumerate(KINDS):
        taught = questions.ask(world.cards["train"], 2000, world.seed + 3, [kind])["answer"]
        commonest = max(sorted(set(taught)), key=taught.count)
        asked = np.array(world.test.rows["answer"])[world.test.rows["kind"] == number]
        found[kind] = float((asked == commonest).mean())
    return found


def linear(seed: int) -> Iterator[Run]:
    """Tuned linear models: words and picture added, and each alone.

    They choose among the answers of one word, so captions are left out. "picture" is told which
    kind is asked, and no word more.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    world, line = world_of(seed), line_for("kinds", seed)
    single = [kind for kind in KINDS if kind != "caption"]
    found = {
        "train": world.ask(8 * EACH, world.seed + 2, single),
        "validation": world.watched,
        "test": world.test,
    }
    rows = {
        split: np.flatnonzero(np.asarray(part.rows["kind"]) != KINDS.index("caption"))
        for split, part in found.items()
    }
    answers = {s: np.array(part.rows["answer"])[rows[s]] for s, part in found.items()}
    numbers = {word: number for number, word in enumerate(sorted(set(answers["train"])))}
    label = {s: np.array([numbers.get(word, -1) for word in each]) for s, each in answers.items()}
    kind = {s: np.asarray(part.rows["kind"])[rows[s]] for s, part in found.items()}
    with torch.no_grad():
        seen = {s: world.eyes.project(world.maps[s].amax(dim=(2, 3))).numpy() for s in found}
    seen = {s: seen[s][part.rows["card"][rows[s]]] for s, part in found.items()}
    centre, spread = seen["train"].mean(axis=0), seen["train"].std(axis=0) + 1e-6
    seen = {s: (each - centre) / spread / len(spread) ** 0.5 for s, each in seen.items()}
    bag = CountVectorizer(binary=True)
    texts = {s: [part.rows["question"][row] for row in rows[s]] for s, part in found.items()}
    said = {s: bag.fit_transform(t) if s == "train" else bag.transform(t) for s, t in texts.items()}
    said = {s: each.toarray() / 2 for s, each in said.items()}
    named = {s: np.eye(len(KINDS))[each] for s, each in kind.items()}
    features = {
        "linear, words": said,
        "linear, picture": {s: np.hstack([named[s], seen[s]]) for s in found},
        "linear, both": {s: np.hstack([said[s], seen[s]]) for s in found},
    }
    for name, each in features.items():
        best = best_strength(each, label, {})
        right = torch.as_tensor(np.asarray(best.predicted) == label["test"])
        for one, value in by_kind(right, torch.from_numpy(kind["test"])).items():
            yield line(name, one, value)


def ceilings() -> Iterator[Run]:
    """The best that can be done, exactly; and the best that adds what words and picture say."""
    line = line_for("ceilings", 0, rows=0)
    for kind in KINDS:
        for reader, best in questions.ceiling(kind, **answering.WORLD).items():
            yield line(f"ceiling, {reader}", kind, best)
    for kind, tables in (("is there", asked_things()), ("fits", quoted_headlines())):
        rule = best_additive_rule(*tables)
        yield line("best additive rule", kind, rule_accuracy(*rule, *tables))


def asked_things(yes: float = 0.5) -> tuple[Tensor, Tensor]:
    """Shares of "is there" questions by thing asked for and thing shown or none: yes, no (5, 6)."""
    dial, things = news_cards.Dials(**answering.WORLD), len(news_cards.SECTIONS)
    shown = 1 - dial.without_motif
    there = torch.eye(things, things + 1).double() * yes / things
    absent = (1 - torch.eye(things, things + 1)).double()
    absent[:, :things] *= (shown - yes) / (things * (things - 1))
    absent[:, things] *= dial.without_motif / things
    return there, absent


def quoted_headlines() -> tuple[Tensor, Tensor]:
    """Shares of "fits" questions by what headline and picture tell: yes, no (headlines, 6)."""
    joint = news_cards.joint_chances("match", news_cards.Dials(**answering.WORLD))
    pictures = list(dict.fromkeys(picture for picture, _ in joint))
    pictures = [one for one in pictures if any(joint[p, t].sum() > 0 for p, t in joint if p == one)]
    texts = list(dict.fromkeys(text for _, text in joint))
    table = torch.zeros(2, len(texts), len(pictures), dtype=torch.double)
    for (picture, text), (no, yes) in joint.items():
        if picture in pictures:
            table[:, texts.index(text), pictures.index(picture)] = torch.tensor([yes, no])
    return table[0], table[1]


# --- what else was tried -------------------------------------------------------------------------


def lines_of(
    experiment: str, world: World, name: str, model: nn.Module, look: Look | None = None,
    kinds: Sequence[str] = KINDS,
) -> Iterator[Run]:  # fmt: skip
    """A model's accuracy by kind, and its hallucinations, on the test questions."""
    line, look = line_for(experiment, world.seed), look or world.see("test")
    right = by_kind(said_right(model, world.test.asked, look), world.test.asked.kind)
    for kind in kinds:
        yield line(name, kind, right[kind])
    absent, there = hallucinates(model, world.test, look, world.vocabulary)
    yield line(name, "is there", absent, "hallucination")
    yield line(name, "is there", there, "yes to what is there")


def mixture(seed: int) -> Iterator[Run]:
    """Six kinds against seven, at equal numbers of questions in all."""
    world = world_of(seed)
    yield from lines_of("mixture", world, "seven kinds", main_model(seed)[0])
    model, curve = learn(world, SIX)
    yield from lines_of("mixture", world, "six kinds", model, kinds=tuple(SIX))
    yield from curve_lines(seed, "six kinds", curve, tuple(SIX))


# From here on without headlines.


@lru_cache(maxsize=1)
def short_model(seed: int) -> tuple[SeeingDecoder, list[tuple[int, Point]]]:
    """The model of the five kinds without headlines."""
    model, curve = learn(world_of(seed), SHORT, steps=FEWER, every=EVERY // 2)
    return model, list(curve)


def prior(seed: int) -> Iterator[Run]:
    """Shares of yes among the questions that teach; all are tested on the same ones."""
    world = world_of(seed)
    for yes in PRIORS:
        model, curve = (
            short_model(seed)
            if yes == 0.5
            else learn(world, SHORT, yes, steps=FEWER, every=EVERY // 2)
        )
        yield from lines_of("prior", world, f"yes {yes}", model, kinds=tuple(SHORT))
        yield from curve_lines(seed, f"yes {yes}", iter(curve), ("is there", "thing"))


def eyes(seed: int) -> Iterator[Run]:
    """Frozen eyes that learnt more, less, nothing; and eyes that learn along."""
    world = world_of(seed)
    told = {"kinds": tuple(SHORT)}
    yield from lines_of("eyes", world, "taught names", short_model(seed)[0], **told)
    torch.manual_seed(seed)
    fresh = CNNEncoder(64)
    for name, one in (
        ("taught sections", frozen.load(seed).encoders["image"]),
        ("random", settled(copy.deepcopy(fresh), world.images["train"])),
    ):
        maps = {split: maps_of(one, world.images[split]) for split in ("train", "test")}
        model, _ = learn(world, SHORT, look=lambda card, m=maps: m["train"][card], watch=False,
                         steps=FEWER)  # fmt: skip
        yield from lines_of("eyes", world, name, model, lambda card, m=maps: m["test"][card],
                            **told)  # fmt: skip
    model, images = untaught(world), world.images["train"]
    fresh.train()
    teach(
        model,
        world.ask(FEWER * BATCH, seed + 1, SHORT).asked,
        lambda card: fresh.maps(images[card].float() / 255),
        steps=FEWER,
        batch_size=BATCH,
        learning_rate=RATE,
        learns=[*model.parameters(), *fresh.parameters()],
        seed=seed,
    )
    maps = maps_of(fresh.eval(), world.images["test"])
    yield from lines_of("eyes", world, "learn along", model, lambda card: maps[card], **told)


@torch.no_grad()
def settled(one: CNNEncoder, images: Tensor) -> CNNEncoder:
    """Eyes whose BatchNorms know the pictures' means, and that know nothing else."""
    one.train()
    for _ in range(3):
        for part in images[:1024].split(256):
            one.maps(part.float() / 255)
    return one.eval()


def stages(seed: int) -> Iterator[Run]:
    """From a language model on: the projector alone, then all; all at once; the projector alone.

    The language model learnt the same questions blind, FEWER steps. Each has FEWER steps more, as
    many as the model that begins with nothing has in all.
    """
    world, told = world_of(seed), {"kinds": tuple(SHORT)}
    start, _ = learn(world, SHORT, look=blind, watch=False, steps=FEWER)
    yield from lines_of("stages", world, "from nothing", short_model(seed)[0], **told)
    model, _ = learn(world, SHORT, start=copy.deepcopy(start), watch=False, steps=FEWER)
    yield from lines_of("stages", world, "all at once", model, **told)
    for name, first in (("projector alone", FEWER), ("projector, then all", FEWER // 2)):
        model = copy.deepcopy(start)
        learn(world, SHORT, start=model, watch=False, steps=first, projector=True)
        if first < FEWER:
            learn(world, SHORT, start=model, watch=False, steps=FEWER - first)
        yield from lines_of("stages", world, name, model, **told)


def write_model(seed: int) -> Iterator[Run]:
    """The model of a seed, as a file; how good it is when it was read again."""
    world, (model, _) = world_of(seed), main_model(seed)
    recipe = {"seed": seed, "cards": CARDS, "steps": STEPS, "batch_size": BATCH, "rate": RATE}
    answering.save(Answering(world.eyes, model, world.vocabulary, recipe), answering.path_of())
    kept = answering.load()
    maps = maps_of(kept.eyes, world.images["test"])
    right = said_right(kept.model, world.test.asked, lambda card: maps[card])
    line = line_for("model", seed)
    for kind, value in by_kind(right, world.test.asked.kind).items():
        yield line("kept", kind, value)


def own(experiment: str, curve: str, but: str = "") -> Any:
    """Whether a line is of an experiment, or of the curve of its model."""
    lines, points = within(experiment, but=but), within("curve", model=curve)
    return lambda run: lines(run) or points(run)


BY_HAND = "linear, *"
ONE: Sequence[int] = SEEDS[:1]  # so far; the others wait
ASKED: Sequence[int] = ()  # of TUNING
PLAN = Plan(
    "18",
    [Part("settings", settings, within("settings"), ASKED)],
    [
        Part("kinds", kinds, own("kinds", "seven kinds", but=BY_HAND), SEEDS),
        Part("linear", linear, within("kinds", model=BY_HAND), SEEDS),
        Part("mixture", mixture, own("mixture", "six kinds"), SEEDS),
        Part("prior", prior, own("prior", "yes *"), ONE),
        Part("stages", stages, within("stages"), ONE),
        Part("eyes", eyes, within("eyes"), ONE),
        Part("models", write_model, within("model"), ONE),
    ],
    [Part("ceilings", ceilings, within("ceilings"))],
)


def again() -> Iterator[Run]:
    """The ceilings anew."""
    yield from ceilings()


if __name__ == "__main__":
    PLAN.main()
