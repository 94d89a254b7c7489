"""What lesson 12 reads from data/results/12.csv: rare classes, and one sense ahead of another.

    make results LESSON=12

About 25 minutes on one quiet core: nothing here is frozen, every picture reader learns from
scratch. Knobs were chosen on cards of a seed of their own, 100, by 3,000 validation cards, three
values each. All else is tested on fresh cards, with five seeds.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from room import Part, Plan, within
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn import functional as F

from course_utils.baselines import majority_baseline, tuned_linear
from course_utils.data import news_cards
from course_utils.data.batches import Batch, Batches, to_tensors
from course_utils.data.readers import ImageReader, TextReader
from course_utils.data.results import Run
from course_utils.data.rows import Rows, split_rows
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.fusion import add_log_posteriors
from course_utils.imbalance import (
    AdditiveClassifier,
    BalancedBatches,
    best_threshold,
    brake,
    class_counts,
    class_weights,
    copy_in,
    linear_probe,
    shift_by_prior,
)
from course_utils.measures import accuracy, class_scores, macro_f1
from course_utils.training import fit, predict

SEEDS, TUNING = range(5), 100
MARGIN = {"accuracy": 0.02}  # on 3,000 cards, on another machine
CLEAR = {"words_per_headline": 3, "without_word": 0, "text_noise": 0}
SKEWED = {"class_balance": (1, 1, 1, 1, 0.05)}
RARE = 4  # travel
WORLDS = {"default cards": {}, "clear cards": CLEAR, "skewed cards": SKEWED}
EPOCHS = 5
RATE = {"SGD": 0.1, "Adam": 3e-3}

# --- cards and models ------------------------------------------------------------------------


class Cards(NamedTuple):
    """One seed's cards: rows and tensors of each split, and how many words the reader knows."""

    name: str
    seed: int
    rows: dict[str, Rows]
    tensors: dict[str, Batch]
    words: int


def cards(name: str, seed: int, made: int = 2000, fresh: int = 3000, validation: int = 0) -> Cards:
    """Cards to learn ``section`` from, three fifths of ``made``, and fresh ones to test on.

    validation: as many fresh cards to choose on, in place of those among ``made``.
    """
    dials = WORLDS[name] | {"mismatch": 0}
    rows = split_rows(news_cards.rows_for(news_cards.make(made, seed, **dials), "section"))
    for split, count, first in (("test", fresh, 1000), ("validation", validation, 2000)):
        if count:
            more = news_cards.make(count, seed + first, **dials)
            rows[split] = news_cards.rows_for(more, "section")
    text = TextReader().fit(rows["train"], "text")
    readers = {"image": ImageReader(), "text": text}
    tensors = {split: to_tensors(part, readers) for split, part in rows.items()}
    return Cards(name, seed, rows, tensors, len(text.vocabulary))


def untrained(of: Cards, *names: str, hide: Mapping[str, float] | None = None) -> Any:
    """A picture reader, a headline reader, or both with their parts added."""
    torch.manual_seed(of.seed)
    encoders = {"image": CNNEncoder(64), "text": BagEncoder(of.words, 64)}
    chosen = {name: encoders[name] for name in names or encoders}
    return AdditiveClassifier(chosen, 5, hide)


def optimizer_of(model: Any, kind: str, rate: float | None = None) -> torch.optim.Optimizer:
    rate = rate or RATE[kind]
    if kind == "SGD":
        return torch.optim.SGD(model.parameters(), lr=rate)
    return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0)


def train(model: Any, of: Cards, optimizer: Any, loss: Any = None, epochs: int = EPOCHS) -> Any:
    batches = Batches(of.tensors["train"], 32, shuffle=True, seed=of.seed)
    return fit(model, batches, epochs=epochs, optimizer=optimizer, loss=loss, seed=of.seed)


def alone(of: Cards, name: str, kind: str = "Adam", rate: float | None = None) -> Any:
    """One sense's reader with its head; a headline reader, which is small, takes larger steps."""
    model = untrained(of, name)
    if name == "text":
        train(model, of, optimizer_of(model, "Adam", 1e-2), epochs=10)
    else:
        train(model, of, optimizer_of(model, kind, rate))
    return model


def logits(model: Any, of: Cards, split: str = "test") -> Tensor:
    return predict(model, Batches(of.tensors[split], 256))


def line_of(experiment: str, of: Cards, split: str = "test") -> Callable[..., Run]:
    rows = len(of.tensors[split]["label"])

    def line(model: str, setting: str, measure: str, value: float) -> Run:
        return Run(experiment, "news_cards", of.name, model, setting, of.seed, rows, measure, value)

    return line


# --- classes ---------------------------------------------------------------------------------


def of_answers(line: Any, model: str, setting: str, said: Tensor, label: Tensor) -> Iterator[Run]:
    """What the lesson tells of named classes, (n,)."""
    rare = class_scores(said, label, 5)[RARE]
    found = {
        "accuracy": (said == label).double().mean().item(),
        "macro F1": macro_f1(said, label, 5),
        "rare recall": rare.recall,
        "rare precision": rare.precision,
        "rare F1": rare.f1,
    }
    for measure, value in found.items():
        yield line(model, setting, measure, value)


def of_scores(line: Any, model: str, setting: str, scores: Tensor, label: Tensor) -> Iterator[Run]:
    """How well logits (n, 5) rank the rows for the rare class, and how likely they call it."""
    chance, rare = scores.softmax(1)[:, RARE], label == RARE
    yield line(model, setting, "rare AP", float(average_precision_score(rare, chance)))
    yield line(model, setting, "rare probability", chance.mean().item())


def classes(seed: int) -> Iterator[Run]:
    """Plain, weights, draws, shifts and a threshold on skewed cards, each sense and both."""
    of = cards("skewed cards", seed, made=2500, fresh=6000)
    line, label = line_of("classes", of), of.tensors["test"]["label"]
    seen = of.tensors["train"]["label"]
    yield line("training cards", "", "rare", float((seen == RARE).sum()))
    yield line("training cards", "", "all", float(len(seen)))
    yield line("test cards", "", "rare share", (label == RARE).double().mean().item())
    yield from of_answers(line, "majority", "", torch.full_like(label, seen.bincount().argmax()),
                          label)  # fmt: skip
    readers = {"image": ImageReader(), "text": TextReader().fit(of.rows["train"], "text")}
    for name, one in tuned_linear(of.rows, readers).items():
        yield from of_answers(line, f"linear, {name}", "plain", one.predicted, label)
    for name, said in news_cards.oracle(of.rows["test"], **SKEWED, mismatch=0).items():
        yield from of_answers(line, f"ceiling, {name}", "plain", torch.as_tensor(said), label)
    plain = {}
    for name in ("image", "text"):
        for how in ("plain", "weights", "draws"):
            model = taught(of, name, how)
            found = logits(model, of)
            yield from of_answers(line, f"{name} alone", how, found.argmax(1), label)
            yield from of_scores(line, f"{name} alone", how, found, label)
            if how == "plain":
                plain[name] = found, logits(model, of, "validation")
    prior = class_counts(seen, 5) / len(seen)
    test, chosen_on = (
        add_log_posteriors([plain[name][k] for name in plain], prior) for k in (0, 1)
    )
    yield from of_answers(line, "both, log-posteriors", "plain", test.argmax(1), label)
    for name in plain:
        yield from shifted(of, f"{name} alone", *plain[name], line)
    yield from shifted(of, "both, log-posteriors", test, chosen_on, line)


def taught(of: Cards, name: str, how: str) -> Any:
    """One reader, trained plainly, with class weights, or on balanced draws."""
    train_rows, model = of.tensors["train"], untrained(of, name)
    weights = class_weights(train_rows["label"], 5) if how == "weights" else None
    make = BalancedBatches if how == "draws" else shuffled
    epochs, rate = (10, 1e-2) if name == "text" else (EPOCHS, None)
    fit(model, make(train_rows, 32, seed=of.seed), epochs=epochs, seed=of.seed,
        optimizer=optimizer_of(model, "Adam", rate), loss=weighted(weights))  # fmt: skip
    return model


def weighted(weights: Tensor | None) -> Callable[[Tensor, Batch], Tensor]:
    """The loss in which each row counts by its class."""
    return lambda said, batch: F.cross_entropy(said, batch["label"], weight=weights)


def shuffled(tensors: Batch, batch_size: int, seed: int) -> Batches:
    return Batches(tensors, batch_size, shuffle=True, seed=seed)


def shifted(of: Cards, model: str, test: Tensor, chosen_on: Tensor, line: Any) -> Iterator[Run]:
    """The full shift; one chosen by macro F1 on validation cards; a threshold chosen there."""
    label, own = (of.tensors[split]["label"] for split in ("test", "validation"))
    prior = class_counts(of.tensors["train"]["label"], 5) / len(of.tensors["train"]["label"])
    full = shift_by_prior(test, prior)
    yield from of_answers(line, model, "shift", full.argmax(1), label)
    yield from of_scores(line, model, "shift", full, label)
    strengths = [k / 10 for k in range(11)]
    best = max(strengths, key=lambda s: macro_f1(shift_by_prior(chosen_on, prior, s).argmax(1),
                                                 own, 5))  # fmt: skip
    tuned = shift_by_prior(test, prior, best).argmax(1)
    yield from of_answers(line, model, "shift tuned", tuned, label)
    yield line(model, "shift tuned", "strength", best)
    if (own == RARE).any():
        bar = best_threshold(chosen_on.softmax(1)[:, RARE], own == RARE)
        yield from of_answers(line, model, "threshold", with_threshold(test, bar), label)
        yield line(model, "threshold", "threshold", bar)


def with_threshold(scores: Tensor, bar: float) -> Tensor:
    """Rare where its probability reaches the bar, else the likeliest of the others."""
    others = scores.clone()
    others[:, RARE] = -torch.inf
    return torch.where(scores.softmax(1)[:, RARE] >= bar, RARE, others.argmax(1))


# --- modalities ------------------------------------------------------------------------------


def told(
    line: Any, of: Cards, model: Any, name: str, setting: str, split: str = "test"
) -> Iterator[Run]:
    """Probes of each encoder, accuracy, and how often the picture's part alone is right."""
    tensors, label = of.tensors, of.tensors[split]["label"]
    for sense, encoder in model.encoders.items():
        found = linear_probe(encoder, tensors["train"], tensors[split])
        yield line(name, setting, f"{sense} probe", found)
    yield line(name, setting, "accuracy", accuracy(logits(model, of, split), label))
    if len(model.encoders) > 1:
        yield line(name, setting, "image part", image_part(model, of, split))


def image_part(model: Any, of: Cards, split: str = "test") -> float:
    part = AdditiveClassifier({"image": model.encoders["image"]}, 5)
    part.heads = model.heads
    return accuracy(logits(part, of, split), of.tensors[split]["label"])


def joined(
    of: Cards,
    ready: Any,
    kind: str,
    mend: str = "nothing",
    knob: float = 0.0,
    strength: float = 1.0,
    rate: float | None = None,
) -> tuple[Any, float]:
    """Both senses learn together, the text reader copied from ``ready``; the loss at the start.

    ready: None to learn from scratch.
    """
    model = untrained(of)
    if ready is not None:
        copy_in(model, ready, strength)
    first = F.cross_entropy(logits(model, of, "train"), of.tensors["train"]["label"]).item()
    if mend == "text frozen":
        for part in (model.encoders["text"], model.heads["text"]):
            part.requires_grad_(False)
    optimizer = optimizer_of(model, kind, rate)
    loss = None
    if mend in ("OGM", "OGM-GE"):
        loss = brake(model, optimizer, knob, noise=mend == "OGM-GE")
    if mend == "image loss":
        model.own_loss, loss = {"image": knob}, model.loss
    if mend == "text hidden":
        model.hide = {"text": knob}
    late = int(knob) if mend == "text late" else 0
    if late:
        model.hide = {"text": 1.0}
        train(model, of, optimizer, epochs=late)
        model.hide = {}
    train(model, of, optimizer, loss, EPOCHS - late)
    return model, first


KNOBS = {
    "OGM": (0.1, 0.3, 1.0),
    "OGM-GE": (0.1, 0.3, 1.0),
    "image loss": (0.3, 1.0, 3.0),
    "text hidden": (0.1, 0.3, 0.5),
    "text late": (2.0, 3.0, 4.0),  # epochs without the text, of five
}
DIAL = (0.0, 0.1, 0.3, 0.5)  # and 1, which is "text ready"


def knobs() -> Iterator[Run]:
    """Three values of each mend's knob, on validation cards of the tuning seed."""
    of = cards("clear cards", TUNING, validation=3000, fresh=100)
    line, ready = line_of("knobs", of, "validation"), alone(of, "text")
    for mend, some in KNOBS.items():
        for knob in some:
            model, _ = joined(of, ready, "SGD", mend, knob)
            yield from told(line, of, model, mend, f"{knob:g}", "validation")
    # The largest weight fails. Is it the length of the steps?
    model, _ = joined(of, ready, "SGD", "image loss", 3.0, rate=0.03)
    yield from told(line, of, model, "image loss, rate 0.03", "3", "validation")


def chosen(lines: list[Run]) -> dict[str, float]:
    """The knob of each mend with the best probe of the picture reader."""
    found: dict[str, float] = {}
    for mend in KNOBS:
        tried = [r for r in lines if (r.model, r.measure) == (mend, "image probe")]
        found[mend] = float(max(tried, key=lambda r: r.value).setting)
    return found


def senses(world: str, seed: int) -> Iterator[Run]:
    """Each alone, together from scratch, together with a text reader that is ready."""
    of = cards(world, seed)
    line, label = line_of("senses", of), of.tensors["test"]["label"]
    yield line("majority", "", "accuracy", majority_baseline(of.tensors["train"]["label"], label))
    readers = {"image": ImageReader(), "text": TextReader().fit(of.rows["train"], "text")}
    for name, one in tuned_linear(of.rows, readers).items():
        yield line(f"linear, {name}", "", "accuracy", one.accuracy)
    fresh = untrained(of).eval()
    yield line("untrained", "", "image probe", linear_probe(
        fresh.encoders["image"], of.tensors["train"], of.tensors["test"]))  # fmt: skip
    ready = alone(of, "text")
    yield from told(line, of, ready, "text alone", "")
    yield line("text alone", "", "training accuracy", accuracy(
        logits(ready, of, "train"), of.tensors["train"]["label"]))  # fmt: skip
    for kind in RATE:
        small = untrained(of, "text")  # as long as the joint ones, and at their rate
        train(small, of, optimizer_of(small, kind))
        yield from told(line, of, small, "text alone", kind)
        one = alone(of, "image", kind)
        yield from told(line, of, one, "image alone", kind)
        pair = [logits(model, of) for model in (one, ready)]
        added = add_log_posteriors(pair, torch.full((5,), 0.2))
        yield line("both alone, added", kind, "accuracy", accuracy(added, label))
        for name, start in (("from scratch", None), ("text ready", ready)):
            model, first = joined(of, start, kind)
            yield from told(line, of, model, name, kind)
            yield line(name, kind, "first loss", first)


def dial(seed: int) -> Iterator[Run]:
    """The ready head times c."""
    of = cards("clear cards", seed)
    line, ready = line_of("dial", of), alone(of, "text")
    for strength in DIAL:
        model, first = joined(of, ready, "SGD", strength=strength)
        yield from told(line, of, model, "text ready", f"{strength:g}")
        yield line("text ready", f"{strength:g}", "first loss", first)


def mends(world: str, seed: int) -> Iterator[Run]:
    """What is done about it, each with its chosen knob."""
    of, knob = cards(world, seed), chosen(PLAN.known("knobs"))
    line, ready = line_of("mends", of), alone(of, "text")
    for mend, value in ({"text frozen": 0.0} | knob).items():
        model, _ = joined(of, ready, "SGD", mend, value)
        yield from told(line, of, model, mend, f"{value:g}")


def slow_end(seed: int) -> Iterator[Run]:
    """No mend, and those that bring the probe back, with one more pass at a tenth of the rate."""
    of, knob = cards("default cards", seed), chosen(PLAN.known("knobs"))
    line, ready = line_of("slow end", of), alone(of, "text")
    for mend in ("text ready", "image loss", "text hidden", "text late"):
        model, _ = joined(of, ready, "SGD", mend, knob.get(mend, 0.0))
        slow = optimizer_of(model, "SGD", RATE["SGD"] / 10)
        train(model, of, slow, model.loss, epochs=1)
        yield from told(line, of, model, mend, f"{knob.get(mend, 0.0):g}")


# --- all of it -------------------------------------------------------------------------------


PLAN = Plan(
    "12",
    [Part("knobs", knobs, within("knobs"))],
    [
        Part("classes", classes, within("classes"), SEEDS),
        Part(
            "senses", partial(senses, "clear cards"), within("senses", dials="clear cards"), SEEDS
        ),
    ],
    [
        Part(
            "senses",
            partial(senses, "default cards"),
            within("senses", dials="default cards"),
            SEEDS,
        ),
        Part("dial", dial, within("dial"), SEEDS),
        *(
            Part("mends", partial(mends, world), within("mends", dials=world), SEEDS)
            for world in ("clear cards", "default cards")
        ),
        Part("slow-end", slow_end, within("slow end"), SEEDS),
    ],
)


def again() -> Iterator[Run]:
    """The headline reader alone, on one seed of clear cards."""
    of = cards("clear cards", 0)
    line, ready = line_of("senses", of), alone(of, "text")
    yield line("text alone", "", "accuracy", accuracy(
        logits(ready, of), of.tensors["test"]["label"]))  # fmt: skip


if __name__ == "__main__":
    PLAN.main()
