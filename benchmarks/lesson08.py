"""What lesson 08 reads from data/results: its experiments over several seeds, on fresh cards.

    make results LESSON=08      # about 13 minutes of one core

Each seed has cards of its own, ``make(6000, seed)``: their training rows teach, their validation
rows choose epochs and settings. What is reported is scored on 5,000 fresh cards of the task. The
frozen encoders of seeds 0 to 2 are those of data/encoders; those of seeds 3 and 4 are trained here
by the same recipe. Readers of pictures and the dearer settings of training from scratch have three
seeds, the learning curve has eight.
"""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from heads import heads_alone
from room import Part, Plan, within
from torch import Tensor, nn

from course_utils import frozen
from course_utils.baselines import majority_baseline, tuned_linear
from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import to_tensors
from course_utils.data.folder import read_folder
from course_utils.data.readers import ImageReader, Reader, TextReader, fit_readers
from course_utils.data.results import Run
from course_utils.data.rows import Rows, split_rows, take
from course_utils.encoders import (
    BagEncoder,
    CNNEncoder,
    LSTMEncoder,
    ResNetEncoder,
    TextCNNEncoder,
    TransformerEncoder,
)
from course_utils.environment import course_root
from course_utils.experiment import (
    Trained,
    answers,
    cache_features,
    compare_frozen,
    models_alone,
    models_fused,
    train_on,
)
from course_utils.fusion import (
    BilinearFusion,
    ConcatFusion,
    ConcatMLPFusion,
    LowRankFusion,
    MaximumFusion,
    ProductFusion,
    SumFusion,
    TensorFusion,
    WeightedFusion,
)
from course_utils.measures import accuracy, paired_gain
from course_utils.search import search

SEEDS = range(5)
DEAR_SEEDS = range(3)
CURVE_SEEDS = range(8)
CARDS, FRESH = 6000, 5000
CLASSES = {"section": 5, "match": 2}
DIMS = {"image": 64, "text": 64}
FUSIONS = {
    "concat": ConcatFusion,
    "weighted": WeightedFusion,
    "sum": SumFusion,
    "product": ProductFusion,
    "maximum": MaximumFusion,
    "concat + MLP": ConcatMLPFusion,
    "bilinear": lambda dims: BilinearFusion(dims, dim=8),
    "tensor": TensorFusion,
    "low rank": LowRankFusion,
}
RATES = (1e-3, 3e-3, 1e-2)
TEXT_READERS = {
    "bag": lambda words: BagEncoder(words, 64),
    "LSTM": lambda words: LSTMEncoder(words, 64, 64),
    "text CNN": lambda words: TextCNNEncoder(words, 64),
    "transformer": lambda words: TransformerEncoder(words, 64),
}
HEADS = {
    "section": {"epochs": 8, "learning_rate": 5e-3, "batch_size": 128},
    "match": {"epochs": 8, "learning_rate": 1e-2, "batch_size": 256},
}
END_TO_END = {"learning_rate": 1e-3, "batch_size": 32}
LENGTHS = (4, 8)  # epochs of training end to end
PAIRS = (
    ("weighted", "image alone"),
    ("weighted", "concat"),
    *((f"end to end, {epochs} epochs", "weighted") for epochs in LENGTHS),
)
# Training cards, and how often each is seen. None: all of them.
SIZES = {60: 16, 120: 10, 300: 6, 600: 4, None: 3}
# Fusion, options, seeds; a longer run goes on where a shorter one of the same options ended.
SCRATCH = (
    ("product", {"learning_rate": 1e-3}, {9: SEEDS, 24: DEAR_SEEDS}),
    ("product", {"learning_rate": 5e-4}, {6: DEAR_SEEDS}),
    ("concat + MLP", {"learning_rate": 1e-3}, {9: DEAR_SEEDS}),
)
LIKED_FUSIONS = {"concat": ConcatFusion, "bilinear": BilinearFusion}
SHOP_BUDGET = 8  # models of one search
SHOP_PARTS = (0.125, 0.25, 0.5, 1)  # of the training families
MARGIN = {"accuracy": 0.01}  # between two machines

Tables = dict[str, Rows]


# --- cards, encoders, lines ----------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def read_rows(task: str, seed: int) -> Tables:
    """The rows of each split of one seed's cards; the test rows are fresh ones."""
    rows = split_rows(news_cards.rows_for(news_cards.make(CARDS, seed), task))
    dials = {"mismatch": 0.0} if task == "section" else {}
    fresh = news_cards.make(FRESH, seed + 1000, **dials)
    return rows | {"test": news_cards.rows_for(fresh, task)}


frozen_encoders = functools.cache(frozen.of_seed)


def tensors_of(rows: Tables, readers: dict[str, Reader]) -> dict[str, dict]:
    return {split: to_tensors(part, readers) for split, part in rows.items()}


def untrained(words: int) -> dict[str, nn.Module]:
    return {"image": CNNEncoder(64), "text": TransformerEncoder(words, 64)}


def told(options: dict) -> str:
    """Options as a setting: "4 epochs, learning rate 0.01, batches of 64"."""
    size = options.get("batch_size", 64)
    return (f"{options['epochs']} epochs, learning rate {options['learning_rate']:g}, "
            f"batches of {size}")  # fmt: skip


def line(experiment: str, model: str, seed: int, value: float, setting: str = "",
         measure: str = "accuracy", rows: int = FRESH) -> Run:  # fmt: skip
    return Run(experiment, "news cards", "", model, setting, seed, rows, measure, value)


def lines_of(experiment: str, model: str, seed: int, one: Trained, label: Tensor, options: dict,
             chosen_by: int) -> Iterator[Run]:  # fmt: skip
    """Test accuracy, and that of the kept epoch on the validation rows (chosen_by of them)."""
    best = max(one.history.validation_accuracy)
    yield line(experiment, model, seed, accuracy(one.logits, label), told(options))
    yield line(experiment, model, seed, best, told(options), "validation", chosen_by)


# --- the experiments, one seed each --------------------------------------------------------------


def readers_of_words(seed: int) -> Iterator[Run]:
    """Four readers of headlines, each alone with a linear head, by learning rate."""
    rows, kept = read_rows("section", seed), frozen_encoders(seed)
    text = kept.readers["text"]
    splits = tensors_of(rows, {"text": text})
    for name, make in TEXT_READERS.items():
        for rate in RATES:
            options = {"epochs": 4, "learning_rate": rate}
            torch.manual_seed(seed)
            encoder = {"text": make(len(text.vocabulary))}
            one = models_alone(encoder, splits, 5, seed=seed, options=options)["text"]
            yield from lines_of("readers of words", name, seed, one, splits["test"]["label"],
                                options, len(splits["validation"]["label"]))  # fmt: skip


def readers_of_pictures(seed: int) -> Iterator[Run]:
    """The small CNN and a ResNet-18, both from random first weights, three epochs each."""
    splits = tensors_of(read_rows("section", seed), {"image": ImageReader()})
    for name, make, rate in (("CNN", CNNEncoder, 3e-3), ("ResNet-18", ResNetEncoder, 1e-3)):
        options = {"epochs": 3, "learning_rate": rate}
        torch.manual_seed(seed)
        one = models_alone({"image": make(64)}, splits, 5, seed=seed, options=options)["image"]
        yield from lines_of("readers of pictures", name, seed, one, splits["test"]["label"],
                            options, len(splits["validation"]["label"]))  # fmt: skip


def section(seed: int) -> Iterator[Run]:
    """The fair table of `section`, and what one model gains over another on the same cards."""
    rows, kept = read_rows("section", seed), frozen_encoders(seed)
    splits, options = tensors_of(rows, kept.readers), HEADS["section"]
    label, chosen_by = splits["test"]["label"], len(splits["validation"]["label"])
    named = {f"{name} alone": answers(model, rows["test"], kept.readers)
             for name, model in kept.alone.items()}  # fmt: skip
    for name, said in named.items():
        yield line("section", name, seed, _share(said == label), told(vars(kept.recipe)))
    found = compare_frozen([kept.encoders], FUSIONS, splits, 5, first_seed=seed, options=options)
    heads = {name: Trained(found.models[name][0], found.logits[name][0], found.histories[name][0])
             for name in FUSIONS}  # fmt: skip
    for name, one in heads.items():
        yield from lines_of("section", name, seed, one, label, options, chosen_by)
    heads |= end_to_end(splits, len(kept.readers["text"].vocabulary), seed)
    for epochs in LENGTHS:
        yield from lines_of("section", f"end to end, {epochs} epochs", seed,
                            heads[f"end to end, {epochs} epochs"], label,
                            {"epochs": epochs, **END_TO_END}, chosen_by)  # fmt: skip
    named |= {name: one.logits.argmax(dim=1) for name, one in heads.items()}
    for a, b in PAIRS:
        gain = paired_gain(named[a] == label, named[b] == label)
        for measure, value in zip(("gain", "low", "high"), gain, strict=True):
            yield line("gains", f"{a} over {b}", seed, value, measure=measure)
    yield from perfect_reader("section", seed)


def end_to_end(splits: dict[str, dict], words: int, seed: int) -> dict[str, Trained]:
    """The weighted fusion and both encoders under one loss; the longer run goes on."""
    torch.manual_seed(seed)
    model, found = MultimodalClassifier(untrained(words), WeightedFusion(DIMS), 5), {}
    with tempfile.TemporaryDirectory() as folder:
        for epochs in LENGTHS:
            options = {"epochs": epochs, **END_TO_END, "checkpoint": Path(folder) / "run.pt"}
            found[f"end to end, {epochs} epochs"] = train_on(model, splits, seed, **options)
    return found


def without_network(seed: int) -> Iterator[Run]:
    """The commonest section, and linear models whose settings the validation rows chose."""
    rows, kept = read_rows("section", seed), frozen_encoders(seed)
    train, test = (torch.as_tensor(rows[split]["label"]) for split in ("train", "test"))
    yield line("section", "majority", seed, majority_baseline(train, test))
    for name, one in tuned_linear(rows, kept.readers).items():
        yield line("section", f"linear, {name}", seed, one.accuracy, "tuned on validation rows")


def perfect_reader(task: str, seed: int) -> Iterator[Run]:
    """What the best reader of each modality, and of both, gets on the very same cards."""
    test = read_rows(task, seed)["test"]
    for name, said in news_cards.oracle(test, task).items():
        yield line(task, f"perfect reader, {name}", seed, _share(said == test["label"]))


def few_cards(seed: int) -> Iterator[Run]:
    """The learning curve: everything anew from some of the training cards."""
    whole = read_rows("section", seed)
    for size, epochs in SIZES.items():
        n = size or len(whole["train"]["label"])
        options = {"epochs": epochs, "learning_rate": 3e-3, "batch_size": 16}
        some = np.random.default_rng(seed).permutation(len(whole["train"]["label"]))[:n]
        rows = whole | {"train": take(whole["train"], some)}
        # Who has 60 cards to learn from has no more of them to choose an epoch by.
        held_out = len(whole["validation"]["label"])
        rows["validation"] = take(whole["validation"], range(min(n, held_out)))
        text = TextReader(fewest=2).fit(rows["train"], "text")
        splits = tensors_of(rows, {"image": ImageReader(), "text": text})
        torch.manual_seed(seed)
        encoders = untrained(len(text.vocabulary))
        found = models_alone(encoders, splits, 5, seed=seed, options=options)
        cached = cache_features(encoders, splits)
        found |= models_fused({"both": ConcatFusion}, cached, 5, names=[*encoders], seed=seed,
                              options=options)  # fmt: skip
        setting, label = str(size or "all"), splits["test"]["label"]
        for name, one in found.items():
            yield line("few cards", name, seed, accuracy(one.logits, label), setting)
        with torch.no_grad():
            at_home = found["text"].model.head(cached["train"]["text"])
        known = accuracy(at_home, splits["train"]["label"])
        yield line("few cards", "text", seed, known, setting, "on its own cards", n)


def match(seed: int) -> Iterator[Run]:
    """The fair table of `match` on the same encoders, the rule, and the perfect reader."""
    rows, kept = read_rows("match", seed), frozen_encoders(seed)
    splits, options = tensors_of(rows, kept.readers), HEADS["match"]
    label, chosen_by = splits["test"]["label"], len(splits["validation"]["label"])
    yield line("match", "majority", seed, majority_baseline(splits["train"]["label"], label))
    heads = heads_alone(DIMS) | FUSIONS
    found = compare_frozen([kept.encoders], heads, splits, 2, first_seed=seed, options=options)
    for name in heads:
        one = Trained(found.models[name][0], found.logits[name][0], found.histories[name][0])
        yield from lines_of("match", name, seed, one, label, options, chosen_by)
    yield from rule(seed)
    yield from perfect_reader("match", seed)


def rule(seed: int) -> Iterator[Run]:
    """Name the section twice, by picture and by headline: do the two agree?"""
    test, kept = read_rows("match", seed)["test"], frozen_encoders(seed)
    picture, headline = (answers(model, test, kept.readers) for model in kept.alone.values())
    fits = torch.as_tensor(test["label"]) == 1
    right = _share((picture == headline) == fits)
    yield line("match", "the rule", seed, right, "no training")


def from_scratch(seed: int) -> Iterator[Run]:
    """`match` learnt end to end, nothing carried over."""
    rows, kept = read_rows("match", seed), frozen_encoders(seed)
    splits, words = tensors_of(rows, kept.readers), len(kept.readers["text"].vocabulary)
    label, chosen_by = splits["test"]["label"], len(splits["validation"]["label"])
    for name, own, lengths in SCRATCH:
        torch.manual_seed(seed)
        model = MultimodalClassifier(untrained(words), FUSIONS[name](DIMS), 2)
        with tempfile.TemporaryDirectory() as folder:
            for epochs in (n for n, some in lengths.items() if seed in some):
                options = {"epochs": epochs, "batch_size": 32, **own}
                one = train_on(model, splits, seed, **options, checkpoint=Path(folder) / "run.pt")
                yield from lines_of("from scratch", name, seed, one, label, options, chosen_by)
                by_heart = one.history.train_accuracy[-1]
                yield line("from scratch", name, seed, by_heart, told(options), "training rows",
                           len(splits["train"]["label"]))  # fmt: skip


# --- the shop -----------------------------------------------------------------------------------


def read_shop(seed: int, group: str | None = "family") -> Tables:
    """The rows of data/shop by split, divided anew for each seed."""
    with contextlib.redirect_stdout(None):  # its remarks, again and again
        rows = read_folder(
            course_root() / "data" / "shop", "products.csv", image_column="id",
            image_pattern="photos/{id}.jpg", text_column="title", label_column="season",
            split_column=None, group_column=group, split_seed=seed, size=(64, 64), on_bad="skip",
        )  # fmt: skip
    return split_rows(rows)


def of_the_shop(rows: Tables, seed: int) -> dict[str, float]:
    """Test accuracy of the model that a search chooses, of each modality alone, of linear ones."""
    label = torch.as_tensor(rows["test"]["label"])
    found = search(rows, budget=SHOP_BUDGET, minutes=60, seed=seed)
    named = {f"{name} alone": accuracy(one.logits, label) for name, one in found.alone.items()}
    own = fit_readers({"image": ImageReader(), "text": TextReader()}, rows["train"])
    named |= {f"linear, {name}": one.accuracy for name, one in tuned_linear(rows, own).items()}
    return named | {"chosen": accuracy(found.logits, label)}


def shop_few_rows(seed: int) -> Iterator[Run]:
    """The learning curve of the shop: all anew from some of its families."""
    whole = read_shop(seed)
    families = np.random.default_rng(seed).permutation(np.unique(whole["train"]["family"]))
    for part in SHOP_PARTS:
        some = np.isin(whole["train"]["family"], families[: round(part * len(families))])
        rows = whole | {"train": take(whole["train"], some)}
        for name, value in of_the_shop(rows, seed).items():
            yield Run("shop, few rows", "shop", f"{part:g} of the families", name, "", seed,
                      len(rows["test"]["label"]), "accuracy", value)  # fmt: skip


def shop_twins(seed: int) -> Iterator[Run]:
    """What listings of one product on both sides of a split are worth."""
    for told, group in (("by family", "family"), ("row by row", None)):
        rows = read_shop(seed, group)
        for name, value in of_the_shop(rows, seed).items():
            yield Run("shop, twins", "shop", told, name, "", seed, len(rows["test"]["label"]),
                      "accuracy", value)  # fmt: skip


def shop_liked(seed: int) -> Iterator[Run]:
    """The second label: a match of title and cloth, learnt end to end by two fusions."""
    rows = {split: part.labelled("liked") for split, part in read_shop(seed).items()}
    label = torch.as_tensor(rows["test"]["label"])

    def run(model: str, value: float, setting: str = "") -> Run:
        return Run("shop, liked", "shop", "", model, setting, seed, len(label), "accuracy", value)

    yield run("majority", majority_baseline(torch.as_tensor(rows["train"]["label"]), label))
    readers = fit_readers({"image": ImageReader(), "text": TextReader()}, rows["train"])
    for name, one in tuned_linear(rows, readers).items():
        yield run(f"linear, {name}", one.accuracy)
    splits, words = tensors_of(rows, readers), len(readers["text"].vocabulary)
    options = {"epochs": 25, "learning_rate": 2e-3, "batch_size": 32}
    for name in ("concat", "bilinear"):
        torch.manual_seed(seed)
        encoders = {"image": CNNEncoder(64), "text": BagEncoder(words, 64)}
        model = MultimodalClassifier(encoders, LIKED_FUSIONS[name](DIMS), 2)
        one = train_on(model, splits, seed, **options)
        yield run(name, accuracy(one.logits, label), told(options))
    found = search(rows, minutes=60, budget=2 * SHOP_BUDGET, seed=seed)
    yield run("search", accuracy(found.logits, label), found.settings["fusion"])


def _share(right: Tensor | np.ndarray) -> float:
    return float(torch.as_tensor(right).double().mean())


# --- all of them, and a few again ----------------------------------------------------------------


def of_no_network(run: Run) -> bool:
    """Whether a line is one of ``without_network``."""
    return within("section", model="majority")(run) or within("section", model="linear, *")(run)


def of_networks(run: Run) -> bool:
    return within("section", "gains")(run) and not of_no_network(run)


PLAN = Plan(
    "08",
    [Part("readers-of-words", readers_of_words, within("readers of words"), SEEDS)],
    [Part("readers-of-pictures", readers_of_pictures, within("readers of pictures"), DEAR_SEEDS)],
    [Part("without-network", without_network, of_no_network, SEEDS)],
    [Part("section", section, of_networks, SEEDS)],
    [Part("few-cards", few_cards, within("few cards"), CURVE_SEEDS)],
    [Part("match", match, within("match"), SEEDS)],
    [Part("from-scratch", from_scratch, within("from scratch"), SEEDS)],
    [Part("shop-few-rows", shop_few_rows, within("shop, few rows"), DEAR_SEEDS)],
    [Part("shop-twins", shop_twins, within("shop, twins"), SEEDS)],
    [Part("shop-liked", shop_liked, within("shop, liked"), DEAR_SEEDS)],
)


def again() -> Iterator[Run]:
    """A cheap line of the file: what the shipped models say of 5,000 fresh cards."""
    yield from rule(0)


if __name__ == "__main__":
    PLAN.main()
