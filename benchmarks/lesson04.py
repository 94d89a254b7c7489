"""What lesson 04 reads from data/results/04.csv: fusions, calibration, and what moves alpha.

    make results LESSON=04      # under a minute of one core

Five seeds, each with frozen encoders and cards of its own: the cards that the encoders were made
with teach the heads, temperatures are chosen on validation cards, and everything is tested on
5,000 fresh ones.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

import torch
from room import Part, Plan, within
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, layer_norm

from course_utils import frozen
from course_utils.baselines import majority_baseline
from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.results import Run
from course_utils.experiment import cache_features, in_units, on_cached_features
from course_utils.fusion import (
    ConcatFusion,
    WeightedFusion,
    add_log_posteriors,
    average_probabilities,
)
from course_utils.measures import accuracy
from course_utils.training import fit, predict

SEEDS = range(5)
FRESH = 5000
DIMS = {"image": 64, "text": 64}
FACTORS = (0.1, 1, 10)
TRIED = torch.linspace(0.3, 5, 95).tolist()  # temperatures
MARGIN = {"accuracy": 0.01, "cross-entropy": 0.02, "unit": 0.005}  # between two machines

Features = dict[str, dict[str, Tensor]]  # split -> {name: (n, 64), "label": (n,)}


# --- the fusions of the lesson -------------------------------------------------------------------


def half_each(dims: dict[str, int]) -> WeightedFusion:
    """Weighted fusion that keeps the weights it starts with, one half each."""
    fusion = WeightedFusion(dims)
    fusion.weights.requires_grad_(False)
    return fusion


class NormedFusion(WeightedFusion):
    """Weighted fusion of features that pass through a LayerNorm first."""

    def forward(self, features, present=None):
        normed = {name: layer_norm(features[name], (64,)) for name in self.names}
        return super().forward(normed, present)


ALONE = {f"{name} alone": partial(ConcatFusion, {name: 64}) for name in DIMS}
FUSIONS = {
    "weighted, 0.5 and 0.5": partial(half_each, DIMS),
    "weighted, learnt": partial(WeightedFusion, DIMS),
    "concat": partial(ConcatFusion, DIMS),
}
KINDS = {"raw": partial(WeightedFusion, DIMS), "LayerNorm": partial(NormedFusion, DIMS)}

# --- features and heads --------------------------------------------------------------------------


class World(NamedTuple):
    """One seed's features, each sense divided by its unit, the spread on the training cards."""

    seed: int
    unit: dict[str, float]
    features: Features


@cache
def world_of(seed: int, names: tuple[str, ...] = tuple(DIMS)) -> World:
    """One seed's cards and fresh cards, read once by its frozen encoders of these senses."""
    made = frozen.of_seed(seed)
    fresh = news_cards.make(FRESH, seed + 1000, mismatch=0)
    rows = made.rows() | {"test": news_cards.rows_for(fresh, "section")}
    tensors = {split: to_tensors(part, made.readers) for split, part in rows.items()}
    cached = cache_features({name: made.encoders[name] for name in names}, tensors)
    unit = {name: cached["train"][name].std().item() for name in names}
    return World(seed, unit, in_units(cached, unit))


def trained(
    make: Callable[[], nn.Module], features: Features, seed: int, divisor: float = 1
) -> MultimodalClassifier:
    """A fusion and its head after twenty epochs; the last one is kept.

    divisor: the picture's projection starts and steps at one part in this many.
    """
    torch.manual_seed(seed)
    model = on_cached_features(make(), features, classes=5)
    groups = [{"params": model.parameters()}]
    if divisor != 1:
        projection = model.fusion.project["image"].weight
        with torch.no_grad():
            projection /= divisor
        rest = [weight for weight in model.parameters() if weight is not projection]
        groups = [{"params": rest}, {"params": [projection], "lr": 5e-3 / divisor}]
    optimizer = torch.optim.AdamW(groups, lr=5e-3, weight_decay=0)
    batches = Batches(features["train"], batch_size=128, shuffle=True, seed=seed)
    fit(model, batches, epochs=20, optimizer=optimizer, seed=seed)
    return model


def temperature(model: nn.Module, features: Features) -> float:
    """The T that gives the validation cards the least cross-entropy."""
    rows = features["validation"]
    logits = predict(model, [rows])
    return min(TRIED, key=lambda T: cross_entropy(logits / T, rows["label"]))


def late_fusions(logits: dict[str, Tensor], prior: Tensor) -> dict[str, Tensor]:
    """Both senses' logits joined by the two rules: {rule: log-probabilities (n, 5)}."""
    alone = [logits[name] for name in ALONE]
    return {
        "mean of probabilities": average_probabilities(alone).log(),
        "log-posteriors added": add_log_posteriors(alone, prior),
    }


# --- experiments ---------------------------------------------------------------------------------


def line(experiment: str, model: str, seed: int, measure: str, value: float, setting: str = "",
         rows: int = FRESH) -> Run:  # fmt: skip
    return Run(experiment, "news cards", "", model, setting, seed, rows, measure, value)


def table(seed: int) -> Iterator[Run]:
    """Units, temperatures, accuracies and cross-entropies of all fusions, raw and calibrated."""
    _, unit, features = world_of(seed)
    models = {name: trained(make, features, seed) for name, make in (ALONE | FUSIONS).items()}
    T = {name: temperature(model, features) for name, model in models.items()}
    train, validation, test = (features[split]["label"] for split in features)
    for name in unit:
        yield line("units", name, seed, "unit", unit[name], rows=len(train))
        hot = T[f"{name} alone"]
        yield line("units", name, seed, "temperature", hot, rows=len(validation))
    yield line("section", "majority", seed, "accuracy", majority_baseline(train, test))
    raw = {name: predict(model, [features["test"]]) for name, model in models.items()}
    calm = {name: logits / T[name] for name, logits in raw.items()}
    for setting, logits in {"raw": raw, "calibrated": calm}.items():
        logits |= late_fusions(logits, train.bincount() / len(train))
        for name, scores in logits.items():
            nats = cross_entropy(scores, test).item()
            yield line("section", name, seed, "cross-entropy", nats, setting)
            yield line("section", name, seed, "accuracy", accuracy(scores, test), setting)


def rescaled(seed: int) -> Iterator[Run]:
    """Alpha and accuracy where the picture's features are multiplied by a factor."""
    features = world_of(seed).features
    for factor in FACTORS:
        scaled = in_units(features, {"image": 1 / factor, "text": 1})
        runs = {name: trained(make, scaled, seed) for name, make in KINDS.items()}
        if factor == 10:
            runs["undone"] = trained(KINDS["raw"], scaled, seed, divisor=10)
        for name, model in runs.items():
            right = accuracy(predict(model, [scaled["test"]]), scaled["test"]["label"])
            alpha = model.fusion.alpha[0].item()
            yield line("rescaled", name, seed, "alpha", alpha, str(factor), rows=0)
            yield line("rescaled", name, seed, "accuracy", right, str(factor))


def again() -> Iterator[Run]:
    """Headlines alone of seed 0, whose features cost least."""
    _, unit, features = world_of(0, ("text",))
    label = features["test"]["label"]
    yield line("units", "text", 0, "unit", unit["text"], rows=len(features["train"]["label"]))
    logits = predict(trained(ALONE["text alone"], features, 0), [features["test"]])
    yield line("section", "text alone", 0, "accuracy", accuracy(logits, label), "raw")
    nats = cross_entropy(logits, label).item()
    yield line("section", "text alone", 0, "cross-entropy", nats, "raw")


PLAN = Plan(
    "04",
    [
        Part("table", table, within("units", "section"), SEEDS),
        Part("rescaled", rescaled, within("rescaled"), SEEDS),
    ],
)

if __name__ == "__main__":
    PLAN.main()
