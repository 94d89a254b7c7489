"""What lesson 05 reads from data/results/05.csv: heads on frozen encoders, and heads on the dial.

    make results LESSON=05

Five seeds, each with encoders, cards and heads of its own. The encoders of seeds 0 to 2 are those
of data/encoders; 3 and 4 are trained here by the same recipe. Heads learn from the cards that the
encoders were made with, keep the epoch that is best on validation cards, and are tested on fresh
cards: 10,000 for ``match``, 5,000 for ``section``, 5,000 rows of the dial.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from heads import NAMES, TASKS, heads_alone, heads_named
from room import Part, Plan, on, within
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils import frozen
from course_utils.baselines import majority_baseline
from course_utils.data import dial, news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ArrayReader
from course_utils.data.results import Run
from course_utils.data.rows import split_rows
from course_utils.exercises.lesson05 import InAList
from course_utils.experiment import (
    Trained,
    cache_features,
    models_fused,
    on_cached_features,
    scores_of_pairings,
)
from course_utils.fusion import ConcatFusion, LowRankFusion, ProductFusion
from course_utils.measures import (
    accuracy,
    best_additive_rule,
    interaction_strength,
    paired_gain,
    rule_accuracy,
)
from course_utils.training import fit, predict

SEEDS = range(5)
CARDS, DIAL = "news_cards", "dial"
MARGIN = {"accuracy": 0.02}  # on 5,000 rows of the dial, on another machine
FRESH = {
    "section": lambda seed: news_cards.make(5_000, seed + 1000, mismatch=0),
    "match": lambda seed: news_cards.make(10_000, seed + 1000),
}

# --- the heads of the lesson -----------------------------------------------------------------


class BareProduct(ProductFusion):
    """The entry-wise product of two projections that have no biases."""

    def __init__(self, dims: dict[str, int], dim: int = 64):
        super().__init__(dims, dim)
        self.project = nn.ModuleDict({n: nn.Linear(d, dim, bias=False) for n, d in dims.items()})


ALONE = heads_alone(NAMES)
HEADS = heads_named(
    "concat + linear", "product", "maximum", "bilinear", "tensor", "low rank", "concat + MLP"
)
CHOSEN, RATES = 5e-3, (2e-3, 5e-3, 1e-2)  # chosen for all heads, on validation cards
LEARN = {"epochs": 12, "learning_rate": CHOSEN, "batch_size": 128}
LOW_RANK = {
    f"{name}, {dim} outputs, rank {rank}": partial(kind, dim=dim, rank=rank)
    for dim, rank in ((64, 4), (8, 1))
    for name, kind in (("ParameterList", LowRankFusion), ("Python list", InAList))
}

# --- cards -----------------------------------------------------------------------------------


class World(NamedTuple):
    """One seed's features of all cards under its frozen encoders.

    clear: which of match's fresh cards have both clues, a motif and a word of a section, (n,).
    cached: {task: {split: {name: (n, 64), "label": (n,)}}}, where "test" are the fresh cards.
    """

    seed: int
    made: frozen.Frozen
    clear: np.ndarray
    cached: dict[str, dict[str, dict[str, Tensor]]]


@lru_cache(maxsize=1)
def world_of(seed: int) -> World:
    """One seed's encoders, cards and fresh cards, read once."""
    made = frozen.of_seed(seed)
    cards = news_cards.make(made.recipe.cards, seed)
    fresh = {task: news_cards.rows_for(make(seed), task) for task, make in FRESH.items()}
    cached = {}
    for task, test in fresh.items():
        rows = split_rows(news_cards.rows_for(cards, task)) | {"test": test}
        tensors = {split: to_tensors(part, made.readers) for split, part in rows.items()}
        cached[task] = cache_features(made.encoders, tensors)
    both = fresh["match"]
    clear = (both["motif_box"][:, 0] >= 0) & (np.array(both["section_word"]) != "")
    return World(seed, made, clear, cached)


# --- experiments on cards --------------------------------------------------------------------


def trained(world: World, heads: Mapping[str, Any], task: str, **other: Any) -> dict[str, Trained]:
    """Each head on one seed's features, tested on the fresh cards; it reads features."""
    options = {"seed": world.seed, "options": LEARN | other}
    return models_fused(heads, world.cached[task], TASKS[task], names=NAMES, **options)


def on_cards(experiment: str, world: World, rows: int) -> Callable[..., Run]:
    """What makes a line of the file from model, measure and value."""

    def line(model: str, measure: str, value: float, rows: int = rows, setting: str = "") -> Run:
        return Run(experiment, CARDS, "", model, setting, world.seed, rows, measure, value)

    return line


def heads(world: World) -> Iterator[Run]:
    """All heads on both tasks; on ``section``, what each gains over adding on the same cards."""
    for task in TASKS:
        cached = world.cached[task]
        label = cached["test"]["label"]
        line = on_cards(task, world, len(label))
        found = trained(world, ALONE | HEADS, task)
        yield line("majority", "accuracy", majority_baseline(cached["train"]["label"], label))
        for name, one in found.items():
            yield line(name, "accuracy", accuracy(one.logits, label))
            yield line(name, "cross-entropy", F.cross_entropy(one.logits, label).item())
            yield line(name, "parameters", count_parameters(one.model), rows=0)
        if task == "match":
            for name in HEADS:
                yield from of_interaction(world, name, found[name], line)
        else:
            yield from gains(found, label, on_cards("gain over adding", world, len(label)))


def count_parameters(model: nn.Module) -> int:
    """How many numbers fusion and head learn."""
    return sum(parameter.numel() for parameter in model.parameters())


def of_interaction(world: World, name: str, one: Trained, line: Any) -> Iterator[Run]:
    """Interaction strength over 100 x 100 pairs; the shares of clear fits and misfits seen."""
    test = world.cached["match"]["test"]
    scores = scores_of_pairings(one.model, test, rows=100)
    strength = interaction_strength(scores[:, :, 1] - scores[:, :, 0])
    yield line(name, "strength", strength, rows=scores[:, :, 0].numel())
    right = (one.logits.argmax(dim=1) == test["label"]).numpy()
    for answer, measure in enumerate(("misfits seen", "fits seen")):
        these = world.clear & (test["label"].numpy() == answer)
        yield line(name, measure, float(right[these].mean()), rows=int(these.sum()))


def gains(found: Mapping[str, Trained], label: Tensor, line: Any) -> Iterator[Run]:
    """How much more often each head is right than the one that adds, with an interval of 95 %."""
    right = {name: found[name].logits.argmax(dim=1) == label for name in HEADS}
    for name in [*HEADS][1:]:
        interval = paired_gain(right[name], right["concat + linear"])
        for measure, value in zip(("gain", "low", "high"), interval, strict=True):
            yield line(name, measure, value)


def rates(world: World) -> Iterator[Run]:
    """The validation accuracy of each head at three learning rates, by which one was chosen."""
    for task in TASKS:
        line = on_cards(f"{task}, rates", world, len(world.cached[task]["validation"]["label"]))
        for rate in RATES:
            for name, one in trained(world, HEADS, task, learning_rate=rate).items():
                best = max(one.history.validation_accuracy)
                yield line(name, "validation accuracy", best, setting=f"learning rate {rate:g}")


def few_factors(world: World) -> Iterator[Run]:
    """Low rank, rightly and with its factors in a list, at two sizes; and one product alone."""
    label = world.cached["match"]["test"]["label"]
    narrow = {"one product": partial(ProductFusion, dim=1)}
    for experiment, some in {"low rank bug": LOW_RANK, "one product": narrow}.items():
        line = on_cards(experiment, world, len(label))
        for name, one in trained(world, some, "match").items():
            yield line(name, "accuracy", accuracy(one.logits, label))


def last_epoch(world: World) -> Iterator[Run]:
    """Concat + linear on ``match`` as it is after the last epoch, and not at the best one."""
    cached = world.cached["match"]
    torch.manual_seed(world.seed)
    dims = {name: cached["train"][name].shape[1] for name in NAMES}
    model = on_cached_features(ConcatFusion(dims), cached, classes=2)
    options = {name: value for name, value in LEARN.items() if name != "batch_size"}
    batches = Batches(cached["train"], LEARN["batch_size"], shuffle=True, seed=world.seed)
    fit(model, batches, seed=world.seed, **options)
    label = cached["test"]["label"]
    value = accuracy(predict(model, Batches(cached["test"], 256)), label)
    yield on_cards("last epoch", world, len(label))("concat + linear", "accuracy", value)


def additive_rules(world: World) -> Iterator[Run]:
    """Rules that add what each sense names: searched on training cards, and made by hand."""
    train, test = (named_cells(world, split) for split in ("train", "test"))
    stairs = torch.arange(5.0), 0.5 - torch.arange(5.0)
    rules = {"searched on training cards": best_additive_rule(*train), "stairs": stairs}
    line = on_cards("additive rules", world, int(sum(map(torch.sum, test))))
    for name, rule in rules.items():
        yield line(name, "accuracy", rule_accuracy(*rule, *test))


def named_cells(world: World, split: str) -> tuple[Tensor, Tensor]:
    """How many cards fit, how many do not, by the pair of sections that are named: (5, 5) each."""
    part = world.cached["match"][split]
    shown, told = (world.made.alone[name].head(part[name]).argmax(dim=1) for name in NAMES)
    cell = 25 * part["label"] + 5 * shown + told
    misfits, fits = cell.bincount(minlength=50).double().view(2, 5, 5)
    return fits, misfits


# --- experiments on the dial -----------------------------------------------------------------

BEST = "ceiling"
STRENGTHS = tuple(round(0.1 * step, 1) for step in range(11))
OFFSETS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
MAPPED = HEADS | {"product, no bias": BareProduct}
QUICK = {"epochs": 12, "learning_rate": 2e-2, "batch_size": 256}


def dials_for(product: float) -> dict[str, float]:
    """The four weights, the three others alike; their squares sum to 1."""
    rest = ((1 - product**2) / 3) ** 0.5
    return {"product": product} | dict.fromkeys(
        ("redundant", "unique_first", "unique_second"), rest
    )


def drawn_splits(dials: Mapping[str, float], seed: int) -> dict[str, Any]:
    """3,000 rows of the dial, whose test rows are replaced by 5,000 fresh ones, as tensors."""
    rows = split_rows(dial.make(3_000, seed, **dials))
    rows["test"] = dial.make(5_000, seed + 1000, **dials)
    readers = {sense: ArrayReader() for sense in dial.SENSES}
    return {split: to_tensors(part, readers) for split, part in rows.items()}


def on_dial(
    experiment: str, dials: Mapping[str, float], seed: int, fusions: Mapping[str, Any], said: str
) -> Iterator[Run]:
    """Accuracy of each head on one setting of the dial; ``said`` is how the file names it."""
    splits = drawn_splits(dials, seed)
    label = splits["test"]["label"]
    found = models_fused(fusions, splits, 2, names=dial.SENSES, seed=seed, options=QUICK)
    for name, one in found.items():
        value = accuracy(one.logits, label)
        yield Run(experiment, DIAL, said, name, "", seed, len(label), "accuracy", value)


def dial_map(seed: int, strengths: tuple[float, ...] = STRENGTHS) -> Iterator[Run]:
    """All heads over the weight of the product."""
    for product in strengths:
        yield from on_dial("map", dials_for(product), seed, MAPPED, f"product={product:g}")


def ceilings() -> Iterator[Run]:
    """The best that can be done at each weight of the product."""
    for product in STRENGTHS:
        best = dial.ceiling(**dials_for(product))["both"]
        yield Run("map", DIAL, f"product={product:g}", BEST, "", 0, dial.DRAWS, "accuracy", best)


def offsets(seed: int) -> Iterator[Run]:
    """Adding and all products, where factors are negative in fewer and fewer rows."""
    pair = {name: HEADS[name] for name in ("concat + linear", "tensor")}
    for offset in OFFSETS:
        yield from on_dial("offsets", {"offset": offset}, seed, pair, f"offset={offset:g}")


# --- all of it -------------------------------------------------------------------------------


PLAN = Plan(
    "05",
    [
        Part("heads", on(world_of, heads), within(*TASKS, "gain over adding"), SEEDS),
        Part("rates", on(world_of, rates), within("section, rates", "match, rates"), SEEDS),
        Part(
            "few-factors", on(world_of, few_factors), within("low rank bug", "one product"), SEEDS
        ),
        Part("last-epoch", on(world_of, last_epoch), within("last epoch"), SEEDS),
        Part("additive-rules", on(world_of, additive_rules), within("additive rules"), SEEDS),
        Part("map", dial_map, within("map", but=BEST), SEEDS),
        Part("offsets", offsets, within("offsets"), SEEDS),
    ],
    [Part("ceilings", ceilings, within("map", model=BEST))],
)


def again() -> Iterator[Run]:
    """One cell of the map anew, all heads."""
    yield from dial_map(0, strengths=(0.8,))


if __name__ == "__main__":
    PLAN.main()
