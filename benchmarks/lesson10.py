"""What lesson 10 reads from data/results/10.csv: gates, FiLM and attention, at equal weights.

    make results LESSON=10      # about twenty-five minutes of one core

Five seeds, each with encoders, cards and heads of its own. Heads learn on cached features of the
cards that the encoders were made with, keep the epoch that is best on validation cards, and are
tested on fresh cards: 10,000 for ``match``, the half of them that fits for ``section``. Every head
but concat + linear has about as many weights as concat + MLP, and gets the same number of tries:
three learning rates, of which the validation cards of the first seed choose one. Corruption, flags
and patches have one fixed rate each, not tuned. The tuned linear model is tested on 5,000 fresh
cards.

Emoji are read where COURSE_DATA_DIR holds them; without them the lines in the file are kept.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import torch
from emoji import TRAINING as READING
from heads import MakeFusion, heads_alone
from room import Part, Plan, emoji_are_here, within
from ten_splits import divided
from ten_splits import emoji as emoji_rows
from torch import Tensor, nn

from course_utils import frozen
from course_utils.baselines import majority_baseline, tuned_linear
from course_utils.data import news_cards, spoilt_senses
from course_utils.data.batches import Batches, on_tensors, to_tensors
from course_utils.data.readers import ImageReader, TextReader, fit_readers
from course_utils.data.results import Run
from course_utils.data.rows import count_rows, split_rows
from course_utils.encoders import BagEncoder, CNNEncoder, PatchEncoder
from course_utils.experiment import Trained, cache_features, models_alone, models_fused
from course_utils.fusion import (
    ConcatFusion,
    ConcatMLPFusion,
    JointAttentionFusion,
    ProductFusion,
    WeightedFusion,
)
from course_utils.measures import accuracy
from course_utils.token_fusion import (
    BottleneckFusion,
    CrossAttentionFusion,
    FiLMFusion,
    GatedFusion,
    coarser,
)
from course_utils.training import predict

SEEDS = range(5)
FRESH = 10_000
NAMES = ("image", "text")
CLASSES = {"section": 5, "match": 2}
WEIGHTS = 8_500  # of fusion and head together, about those of concat + MLP with 64 units
RATES = (1e-3, 3e-3, 1e-2)
LEARN = {"epochs": 12, "batch_size": 128}
CARDS, SPOILT, EMOJI = "news_cards", "spoilt_senses", "emoji"
MARGIN = {"accuracy": 0.02}

Features = dict[str, dict[str, Any]]

# --- the heads, and what is equal about them -------------------------------------------------


def of_vectors(dims: dict[str, int], dim: int = 64) -> nn.Module:
    """Joint attention that gets each modality's one vector as a token."""
    fusion = JointAttentionFusion(dims, dim)
    fusion.reads_tokens = False
    return fusion


SIZED = {
    "weighted average": WeightedFusion,
    "product": ProductFusion,
    "self-attention": JointAttentionFusion,
    "gate": GatedFusion,
    "FiLM": FiLMFusion,
    "cross-attention": CrossAttentionFusion,
    "bottleneck": BottleneckFusion,
    "self-attention, two vectors": of_vectors,
    "concat + MLP": ConcatMLPFusion,
}
TOKENS = ("self-attention", "cross-attention", "bottleneck")
ALONE = heads_alone(NAMES)


def count_parameters(model: nn.Module) -> int:
    """How many numbers fusion and head learn."""
    return sum(parameter.numel() for parameter in model.parameters())


def sized(make: Callable[..., nn.Module], classes: int) -> MakeFusion:
    """The fusion at the width that brings it, with its head, nearest to ``WEIGHTS`` weights."""

    def weights(dims: dict[str, int], dim: int) -> int:
        fusion = make(dims, dim)
        return count_parameters(fusion) + (fusion.dim_out + 1) * classes

    def build(dims: dict[str, int]) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            dim = min(range(4, 129, 4), key=lambda dim: abs(weights(dims, dim) - WEIGHTS))
        return make(dims, dim)

    return build


def heads_for(classes: int, names: Sequence[str]) -> dict[str, MakeFusion]:
    """The heads of the lesson's table at equal weights, and concat + linear as it is."""
    equal = {name: sized(SIZED[name], classes) for name in names if name in SIZED}
    return equal | ({"concat + linear": ConcatFusion} if "concat + linear" in names else {})


# --- cards -----------------------------------------------------------------------------------


made_for = cache(frozen.of_seed)  # those of seeds 3 and 4 are trained


@lru_cache(maxsize=2)  # those at hand, and those of the first seed, which choose the rates
def cards_of(seed: int) -> Features:
    """One seed's cached cards."""
    return cached_cards(made_for(seed))


def cached_cards(made: frozen.Frozen, fresh: int = FRESH) -> Features:
    """All cards' features and tokens, the picture's 6 x 6 places pooled to 9: the task is match."""
    rows = split_rows(
        news_cards.rows_for(news_cards.make(made.recipe.cards, made.recipe.seed), "match")
    )
    rows["test"] = news_cards.rows_for(news_cards.make(fresh, made.recipe.seed + 1000), "match")
    tensors = {split: to_tensors(part, made.readers) for split, part in rows.items()}
    cached = cache_features(made.encoders, tensors, as_tokens=True)
    for split, part in cached.items():
        part["image_tokens"] = coarser(part["image_tokens"], side=6)
        part["section"] = torch.as_tensor(rows[split]["section"])
    return cached


def for_task(cached: Features, task: str) -> Features:
    """The rows of one task: of section those that fit, with the section for a label."""
    if task == "match":
        return cached
    found = {}
    for split, part in cached.items():
        fits = part["label"] == 1
        found[split] = on_tensors(part, lambda tensor, fits=fits: tensor[fits])
        found[split]["label"] = found[split]["section"]
    return found


def first_rows(cached: Features, cards: int) -> Features:
    """With the first ``cards`` training rows alone."""
    return {**cached, "train": on_tensors(cached["train"], lambda tensor: tensor[:cards])}


def trained(
    heads: Mapping[str, MakeFusion], cached: Features, classes: int, seed: int,
    rates: Mapping[str, float], **other: Any,
) -> dict[str, Trained]:  # fmt: skip
    """Each head on cached features, at its own learning rate."""
    own = {name: {"learning_rate": rates[name]} for name in heads}
    names = [name for name in (*NAMES, "flag", "bad") if name in cached["train"]]
    return models_fused(heads, cached, classes, names=names, seed=seed, options=LEARN | other,
                        options_for=own)  # fmt: skip


def chosen_rates(
    heads: Mapping[str, MakeFusion], cached: Features, classes: int, seed: int, **other: Any
) -> dict[str, float]:
    """For each head the learning rate, of three, with the best validation accuracy."""
    best: dict[str, tuple[float, float]] = {}
    for rate in RATES:
        found = trained(heads, cached, classes, seed, dict.fromkeys(heads, rate), **other)
        for name, one in found.items():
            score = max(one.history.validation_accuracy)
            best[name] = max(best.get(name, (0.0, 0.0)), (score, rate), key=lambda pair: pair[0])
    return {name: rate for name, (_, rate) in best.items()}


# --- the main table --------------------------------------------------------------------------


def main_table(task: str, seed: int) -> Iterator[Run]:
    """All heads at equal weights on one task."""
    own, classes = for_task(cards_of(seed), task), CLASSES[task]
    heads = ALONE | heads_for(classes, [*SIZED, "concat + linear"])
    del heads["bottleneck"]  # dear: see ``bottlenecks``
    if seed == SEEDS[0]:
        rates = chosen_rates(heads, own, classes, seed)
        for name, rate in rates.items():
            yield Run("rates", CARDS, "", name, task, seed, len(own["validation"]["label"]),
                      "learning rate", rate)  # fmt: skip
    else:
        known = filter(within("rates", setting=task), PLAN.known("tables"))
        rates = {run.model: run.value for run in known}
    label = own["test"]["label"]

    def line(name: str, measure: str, value: float) -> Run:
        return Run(task, CARDS, "", name, "", seed, len(label), measure, value)

    yield line("majority", "accuracy", majority_baseline(own["train"]["label"], label))
    found = trained(heads, own, classes, seed, rates)
    for name, one in found.items():
        yield line(name, "accuracy", accuracy(one.logits, label))
        yield line(name, "weights", count_parameters(one.model))


def tables(seed: int) -> Iterator[Run]:
    """Both tasks' tables, with the tuned linear model."""
    for task in CLASSES:
        yield from main_table(task, seed)
    yield from linear(made_for(seed), seed)


def linear(made: frozen.Frozen, seed: int, fresh: int = 5000) -> Iterator[Run]:
    """The tuned linear model on words and pixels, on both tasks."""
    for task in CLASSES:
        rows = made.rows(task)
        cards = news_cards.make(fresh, seed + 1000, mismatch=0 if task == "section" else 0.5)
        rows["test"] = news_cards.rows_for(cards, task)
        found = tuned_linear(rows, made.readers)["both"]
        yield Run(task, CARDS, "", "linear, both", "", seed, count_rows(rows["test"]), "accuracy",
                  found.accuracy)  # fmt: skip


def bottlenecks(seed: int) -> Iterator[Run]:
    """Bottleneck tokens on ``match``, with one layer and with two, at equal weights."""
    cached = cards_of(seed)
    label = cached["test"]["label"]
    heads = {
        "bottleneck": sized(BottleneckFusion, 2),
        "bottleneck, one layer": partial(BottleneckFusion, dim=24, layers=1),
    }
    rates = chosen_rates({"bottleneck": heads["bottleneck"]}, cached, 2, seed)
    rates["bottleneck, one layer"] = 3e-3
    for name, one in trained(heads, cached, 2, seed, rates).items():
        yield Run("bottleneck", CARDS, "", name, "", seed, len(label), "accuracy",
                  accuracy(one.logits, label))  # fmt: skip


# --- few cards -------------------------------------------------------------------------------

CURVE = ("self-attention", "self-attention, two vectors", "concat + MLP")
SIZES = {300: 40, 1000: 24}  # training cards -> epochs, so that fewer cards are seen more often


@cache
def few_rates(cards: int) -> dict[str, float]:
    """The rates that the first seed chooses where so many cards teach."""
    some = first_rows(cards_of(SEEDS[0]), cards)
    return chosen_rates(heads_for(2, CURVE), some, 2, SEEDS[0], epochs=SIZES[cards])


def few_cards(seed: int) -> Iterator[Run]:
    """Attention and concat + MLP on ``match``, taught by fewer and fewer cards."""
    cached, heads = cards_of(seed), heads_for(2, CURVE)
    label = cached["test"]["label"]
    for cards, epochs in SIZES.items():
        some, rates = first_rows(cached, cards), few_rates(cards)
        for name, one in trained(heads, some, 2, seed, rates, epochs=epochs).items():
            yield Run("few cards", CARDS, str(cards), name, "", seed, len(label), "accuracy",
                      accuracy(one.logits, label))  # fmt: skip
            yield Run("few cards", CARDS, str(cards), name, "", seed, cards, "training accuracy",
                      max(one.history.train_accuracy))  # fmt: skip


# --- reliability in a side channel -----------------------------------------------------------

FLAG = ("flag",)


def without_flag(make: MakeFusion) -> MakeFusion:
    return lambda dims: make({name: dims[name] for name in NAMES})


def plain(kind: Any, **options: Any) -> MakeFusion:
    """Of picture and headline; gate and FiLM read the flag where ``reads`` says so."""
    return without_flag(partial(kind, **options))


FLAGGED = {
    "weighted average": plain(WeightedFusion),
    "gate": plain(GatedFusion, dim=32),
    "weighted average + flag": WeightedFusion,  # the flag is one more modality
    "concat + linear + flag": ConcatFusion,
    "concat + MLP + flag": ConcatMLPFusion,
    "gate + flag": plain(GatedFusion, dim=32, reads=FLAG),
    "FiLM + flag": plain(FiLMFusion, dim=44, reads=FLAG),
}
DIALS = ((1.0, 1.0), (0.5, 1.0), (0.25, 1.0), (1.0, 0.9), (1.0, 0.5))
FLAG_RATE = 5e-3
PATIENT = 60


def spoilt(cached: Features, q: float, r: float, seed: int) -> Features:
    return {
        split: spoilt_senses.spoil(part, q, r, 10 * seed + place)
        for place, (split, part) in enumerate(for_task(cached, "section").items())
    }


def flags(seed: int, dials: Any = DIALS) -> Iterator[Run]:
    """Heads without and with the flag; at q = 1 also concat + MLP and the gate with more time."""
    for q, r in dials:
        own = spoilt(cards_of(seed), q, r, seed)
        label = own["test"]["label"]
        line = partial(Run, "flag", SPOILT, f"q={q:g} r={r:g}")
        for name, one in trained(FLAGGED, own, 5, seed, dict.fromkeys(FLAGGED, FLAG_RATE)).items():
            yield line(name, "", seed, len(label), "accuracy", accuracy(one.logits, label))
            if name.startswith("gate"):
                yield from weight_by_flag(name, one, own["test"], line, seed)
        if (q, r) == (1, 1):
            longer = {name: FLAGGED[name] for name in ("concat + MLP + flag", "gate + flag")}
            found = trained(longer, own, 5, seed, dict.fromkeys(longer, FLAG_RATE), epochs=PATIENT)
            for name, one in found.items():
                yield line(name, f"{PATIENT} epochs", seed, len(label), "accuracy",
                           accuracy(one.logits, label))  # fmt: skip


def weight_by_flag(name: str, one: Trained, test: Any, line: Any, seed: int) -> Iterator[Run]:
    """The gate's mean weight of the picture where the flag doubts the picture, and elsewhere."""
    weight = picture_weight(one.model, test)
    for place, doubted in enumerate(("headline", "picture")):
        these = test["flag"][:, 0] == place
        yield line(name, f"{doubted} in doubt", seed, int(these.sum()), "picture's weight",
                   weight[these].mean().item())  # fmt: skip


@torch.no_grad()
def picture_weight(model: nn.Module, part: Any) -> Tensor:
    """The weight of the picture in each row, the mean over the gate's entries: (n,)."""
    model.eval()(part)
    return model.fusion.weights[:, 0].mean(dim=1)


def ceilings() -> Iterator[Run]:
    for q, r in DIALS:
        for reader, best in spoilt_senses.ceiling(q, r).items():
            dials, model = f"q={q:g} r={r:g}", f"ceiling, {reader}"
            yield Run("flag", SPOILT, dials, model, "", 0, 0, "accuracy", best)


# --- corruption that shows -------------------------------------------------------------------

NOISE, LOST, SHARE = 0.5, 0.8, 0.4
BAD = ("bad",)
SHOWS = {
    "weighted average": plain(WeightedFusion),
    "weighted average + flags": lambda dims: WeightedFusion(dims),
    "concat + linear": plain(ConcatFusion),
    "gate": plain(GatedFusion, dim=32),
    "gate + flags": plain(GatedFusion, dim=32, reads=BAD, width=2),
    "concat + MLP": plain(ConcatMLPFusion),
    "product": plain(ProductFusion),
}


def corruption(seed: int, fresh: int = 5000) -> Iterator[Run]:
    """Heads on corrupted cards behind readers that never saw such cards, and retrained on them."""
    made = made_for(seed)
    rows = made.rows()
    rows["test"] = news_cards.rows_for(news_cards.make(fresh, seed + 1000, mismatch=0), "section")
    tensors = {
        split: spoilt_senses.corrupt(
            to_tensors(part, made.readers), NOISE, LOST, SHARE, 10 * seed + place
        )
        for place, (split, part) in enumerate(rows.items())
    }
    words = len(made.readers["text"].vocabulary)
    again = frozen._untrained(made.recipe, words)
    options = {
        name: getattr(made.recipe, name) for name in ("epochs", "learning_rate", "batch_size")
    }
    retrained = models_alone(again, tensors, 5, seed=seed, options=options)
    taught = {name: one.model for name, one in retrained.items()}
    yield from honesty({"never saw it": made.alone, "retrained": taught}, tensors, seed)
    for readers, encoders in {"never saw it": made.encoders, "retrained": again}.items():
        cached = cache_features(encoders, tensors)
        test = cached["test"]
        line = partial(Run, "corruption", CARDS, f"noise {NOISE}, words {LOST}, share {SHARE}")
        heads = ALONE | SHOWS
        for name, one in trained(heads, cached, 5, seed, dict.fromkeys(heads, 5e-3)).items():
            yield line(name, readers, seed, fresh, "accuracy", accuracy(one.logits, test["label"]))
            if name == "gate":
                weight = picture_weight(one.model, test)
                for what, which in {"both fine": (0, 0), "picture bad": (1, 0),
                                    "headline bad": (0, 1)}.items():  # fmt: skip
                    these = (test["bad"] == torch.tensor(which)).all(dim=1)
                    yield line(name, readers, seed, int(these.sum()), f"picture's weight, {what}",
                               weight[these].mean().item())  # fmt: skip


def honesty(pairs: Mapping[str, Any], tensors: Any, seed: int) -> Iterator[Run]:
    """How honest readers are about corrupted pictures, and what a plain sum of them gets.

    pairs: {"never saw it": {modality: reader with its head}, "retrained": ...}. Nothing is learnt
    here: log-posteriors are added, and the log of the sections' shares is taken away once.
    """
    test = tensors["test"]
    label, bad = test["label"], test["bad"] == 1
    prior = tensors["train"]["label"].bincount(minlength=5).double()
    batches = Batches(test, 256)
    for readers, alone in pairs.items():
        line = partial(Run, "honesty", CARDS, f"noise {NOISE}, words {LOST}, share {SHARE}")
        logs = {name: predict(one, batches).log_softmax(dim=1) for name, one in alone.items()}
        total = sum(logs.values()) - (prior / prior.sum()).log()
        yield line("plain sum", readers, seed, len(label), "accuracy", accuracy(total, label))
        length = cache_features({"image": alone["image"].encoders["image"]}, tensors)["test"]
        length = length["image"].norm(dim=1)
        for kind, these in {"fine": ~bad[:, 0], "noisy": bad[:, 0]}.items():
            own = partial(line, f"{kind} pictures", readers, seed, int(these.sum()))
            yield own("right", accuracy(logs["image"][these], label[these]))
            yield own("believes", logs["image"][these].exp().amax(dim=1).mean().item())
            yield own("length", length[these].mean().item())


# --- a patch encoder from scratch ------------------------------------------------------------

PATCHES = {600: 20, 1858: 12, 6000: 8}  # training pictures -> epochs
PATCH_SEEDS = SEEDS
PATCH_RATES = {"CNN": 3e-3, "patches": 1e-3}


def patches(seed: int) -> Iterator[Run]:
    """A CNN and a transformer over patches, from scratch, on more and more pictures."""
    cards = news_cards.make(10_000, seed + 2000, mismatch=0)
    rows = split_rows(news_cards.rows_for(cards, "section"))
    rows["test"] = news_cards.rows_for(news_cards.make(5000, seed + 1000, mismatch=0), "section")
    tensors = {split: to_tensors(part, {"image": ImageReader()}) for split, part in rows.items()}
    tensors["validation"] = on_tensors(tensors["validation"], lambda tensor: tensor[:600])
    own = {name: {"learning_rate": rate} for name, rate in PATCH_RATES.items()}
    for cards, epochs in PATCHES.items():
        torch.manual_seed(seed)
        some = first_rows(tensors, cards)
        options = {"epochs": epochs, "batch_size": 32}
        encoders = {"CNN": CNNEncoder(), "patches": PatchEncoder()}
        found = models_alone(encoders, some, 5, seed=seed, options=options, options_for=own)
        for name, one in found.items():
            yield Run("patches", CARDS, str(cards), name, "", seed, 5000, "accuracy",
                      accuracy(one.logits, tensors["test"]["label"]))  # fmt: skip
            yield Run("patches", CARDS, str(cards), name, "", seed, 0, "weights",
                      count_parameters(one.model))  # fmt: skip


# --- emoji -----------------------------------------------------------------------------------

EMOJI_SEEDS = SEEDS
EMOJI_HEADS = ("weighted average", "product", "self-attention", "gate", "FiLM",
               "concat + MLP", "concat + linear")  # fmt: skip


class Read(NamedTuple):
    """The emoji of one division: rows, readers, networks of one sense, and their features."""

    rows: dict[str, Any]
    readers: dict[str, Any]
    alone: dict[str, Trained]
    cached: Features
    classes: int


@lru_cache(maxsize=1)
def read_emoji(seed: int) -> Read:
    """One division, read by networks that learnt here."""
    rows = divided(emoji_rows("name"), seed)
    readers = fit_readers({"image": ImageReader(), "text": TextReader()}, rows["train"])
    tensors = {split: to_tensors(part, readers) for split, part in rows.items()}
    classes = len(rows["train"].classes)
    torch.manual_seed(seed)
    encoders = {"image": CNNEncoder(), "text": BagEncoder(len(readers["text"].vocabulary))}
    alone = models_alone(encoders, tensors, classes, seed=seed, options=READING)
    cached = cache_features(encoders, tensors, as_tokens=True)
    for part in cached.values():
        side = int(part["image_tokens"].real.shape[1] ** 0.5)
        part["image_tokens"] = coarser(part["image_tokens"], side)
    return Read(rows, readers, alone, cached, classes)


@cache
def emoji_rates() -> dict[str, float]:
    """The rates that the first division chooses."""
    first = read_emoji(EMOJI_SEEDS[0])
    heads = heads_for(first.classes, EMOJI_HEADS)
    return chosen_rates(heads, first.cached, first.classes, EMOJI_SEEDS[0])


def emoji(seed: int) -> Iterator[Run]:
    """The table's heads on the group of an emoji, from picture and name."""
    rates = emoji_rates()
    rows, readers, alone, cached, classes = read_emoji(seed)
    heads, label = heads_for(classes, EMOJI_HEADS), cached["test"]["label"]
    line = partial(Run, EMOJI, EMOJI, "", setting="", seed=seed, rows=len(label))
    yield line(model="majority", measure="accuracy",
               value=majority_baseline(cached["train"]["label"], label))  # fmt: skip
    found = {f"{name} alone": one for name, one in alone.items()}
    found |= trained(heads, cached, classes, seed, rates)
    for name, one in found.items():
        yield line(model=name, measure="accuracy", value=accuracy(one.logits, label))
        if name in heads:
            yield line(model=name, measure="weights", value=count_parameters(one.model))
    for name, one in tuned_linear(rows, readers).items():
        yield line(model=f"linear, {name}", measure="accuracy", value=one.accuracy)


# --- all of it -------------------------------------------------------------------------------


def small_slice(seed: int = 0) -> Iterator[Run]:
    """What the lesson trains: heads that are told, tested on the encoders' own test cards."""
    made = frozen.of_seed(seed)
    tensors = {split: to_tensors(part, made.readers) for split, part in made.rows().items()}
    cached = {
        split: spoilt_senses.spoil(part, 1, 1, place)
        for place, (split, part) in enumerate(cache_features(made.encoders, tensors).items())
    }
    heads = {name: FLAGGED[name] for name in ("concat + linear + flag", "gate + flag")}
    label = cached["test"]["label"]
    for name, one in trained(heads, cached, 5, seed, dict.fromkeys(heads, FLAG_RATE)).items():
        yield Run("flag, a slice", SPOILT, "q=1 r=1", name, "", seed, len(label), "accuracy",
                  accuracy(one.logits, label))  # fmt: skip


CEILINGS = "ceiling, *"
PLAN = Plan(
    "10",
    [
        Part("tables", tables, within("rates", *CLASSES), SEEDS),
        Part("bottlenecks", bottlenecks, within("bottleneck"), SEEDS),
        Part("few-cards", few_cards, within("few cards"), SEEDS),
        Part("flags", flags, within("flag", but=CEILINGS), SEEDS),
        Part("corruption", corruption, within("corruption", "honesty"), SEEDS),
    ],
    [Part("ceilings", ceilings, within("flag", model=CEILINGS))],
    [Part("patches", patches, within("patches"), PATCH_SEEDS)],
    [Part("slice", small_slice, within("flag, a slice"))],
    [Part("emoji", emoji, within(EMOJI), EMOJI_SEEDS, emoji_are_here)],
)


def again() -> Iterator[Run]:
    """The slice anew."""
    yield from small_slice()


if __name__ == "__main__":
    PLAN.main()
