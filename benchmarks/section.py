"""`section` and `match` at default dials: each modality alone, all fusions, the ceilings.

    python benchmarks/section.py [SEEDS]          # frozen encoders that learnt `section`; 5 seeds
    python benchmarks/section.py scratch [SEEDS]  # `match` learnt end to end; 3 seeds

Each seed has cards of its own, so that the spread holds the luck of the data too.
"""

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.text import Vocabulary
from course_utils.encoders import CNNEncoder, TransformerEncoder
from course_utils.evaluation import accuracy, cache_features, fair_table, models_alone, models_fused
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
from course_utils.training import fit, predict

DIM = 64
DIMS = {"image": DIM, "text": DIM}
SPLITS = ("train", "validation", "test")
TASKS = {"section": 5, "match": 2}  # and their numbers of classes
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
# Fusion, learning rate, epochs; batches of 32. The first line is lesson 08's.
SCRATCH = (
    ("product", 1e-3, 9),
    ("product", 1e-3, 24),
    ("product", 5e-4, 6),
    ("concat + MLP", 1e-3, 9),
)

Tables = dict[str, dict[str, Tensor]]


def read_tasks(seed: int) -> tuple[dict[str, Tables], Vocabulary]:
    """{task: split: tensors} of fresh cards, and the words of those that fit."""
    cards = news_cards.make(6000, seed)
    rows = {task: {s: news_cards.rows_for(cards, task, s) for s in SPLITS} for task in TASKS}
    vocabulary = Vocabulary.from_texts(rows["section"]["train"]["headline"], fewest=2)
    tensors = {
        task: {split: to_tensors(part, vocabulary, label=task) for split, part in parts.items()}
        for task, parts in rows.items()
    }
    return tensors, vocabulary


def make_encoders(vocabulary: Vocabulary) -> dict[str, torch.nn.Module]:
    return {"image": CNNEncoder(DIM), "text": TransformerEncoder(len(vocabulary), DIM)}


def frozen(seed: int) -> dict[str, dict[str, float]]:
    """{task: test accuracies}, all on encoders that learnt `section`, each alone."""
    tensors, vocabulary = read_tasks(seed)
    torch.manual_seed(seed)
    encoders = make_encoders(vocabulary)
    learn = {"epochs": 3, "learning_rate": 3e-3, "batch_size": 32}
    alone = models_alone(encoders, tensors["section"], 5, seed, **learn)
    options = {"epochs": 8, "learning_rate": 5e-3, "batch_size": 128}
    found = {"section": {f"{name} alone": one for name, one in alone.items()}, "match": {}}
    for task, classes in TASKS.items():
        cached = cache_features(encoders, tensors[task])
        found[task] |= models_fused(encoders, cached, FUSIONS, classes, seed, options)
    return {
        task: {
            name: accuracy(one.logits, tensors[task]["test"]["label"]) for name, one in it.items()
        }
        for task, it in found.items()
    }


def from_scratch(seed: int) -> dict[str, dict[str, float]]:
    """Accuracies on `match`, end to end: test, best validation epoch, last epoch's training.

    Settings are to be compared by the validation rows; the best epoch's score flatters a little.
    """
    tensors, vocabulary = read_tasks(seed)
    match = tensors["match"]
    found: dict[str, dict[str, float]] = {"test": {}, "validation": {}, "train": {}}
    for name, learning_rate, epochs in SCRATCH:
        torch.manual_seed(seed)
        model = MultimodalClassifier(make_encoders(vocabulary), FUSIONS[name](DIMS), 2)
        train = Batches(match["train"], batch_size=32, shuffle=True, seed=seed)
        validation = Batches(match["validation"], batch_size=256)
        history = fit(
            model, train, validation, epochs=epochs, learning_rate=learning_rate, seed=seed
        )
        logits = predict(model, Batches(match["test"], batch_size=256))
        row = f"{name}, learning rate {learning_rate:g}, {epochs} epochs"
        found["test"][row] = accuracy(logits, match["test"]["label"])
        found["validation"][row] = max(history.validation_accuracy)
        found["train"][row] = history.train_accuracy[-1]
    return found


def report(run: Callable[[int], dict[str, dict[str, float]]], seeds: int) -> None:
    """One fair table for each thing that was measured, over the seeds."""
    started, scores = time.perf_counter(), {}
    for seed in range(seeds):
        for part, rows in run(seed).items():
            for name, value in rows.items():
                scores.setdefault(part, {}).setdefault(name, []).append(value)
    for part, rows in scores.items():
        ceiling = news_cards.ceiling(part) if part in TASKS else None
        print(f"{part}\n{fair_table(rows, ceiling).round(3).to_string(na_rep='')}\n")
    seconds = (time.perf_counter() - started) / seeds
    print(f"{seconds:.0f} s a seed, {torch.get_num_threads()} threads")


def main(*words: str) -> None:
    if words[:1] == ("scratch",):
        report(from_scratch, int(words[1]) if len(words) > 1 else 3)
    else:
        report(frozen, int(words[0]) if words else 5)


if __name__ == "__main__":
    main(*sys.argv[1:])
