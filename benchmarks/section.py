"""The `section` task at default dials: each modality alone, five fusions, the ceiling; five seeds.

    python benchmarks/section.py [SEEDS]

Each seed has cards of its own, so that the spread holds the luck of the data too.
"""

import sys
import time

import torch

from course_utils.data import news_cards
from course_utils.data.batches import to_tensors
from course_utils.data.text import Vocabulary
from course_utils.encoders import CNNEncoder, LSTMEncoder
from course_utils.evaluation import accuracy, cache_features, fair_table, models_alone, models_fused
from course_utils.fusion import (
    ConcatFusion,
    MaximumFusion,
    ProductFusion,
    SumFusion,
    WeightedFusion,
)

DIM = 64
SPLITS = ("train", "validation", "test")
FUSIONS = {
    "concat": ConcatFusion,
    "weighted": WeightedFusion,
    "sum": SumFusion,
    "product": ProductFusion,
    "maximum": MaximumFusion,
}


def one_seed(seed: int) -> dict[str, float]:
    cards = news_cards.make(6000, seed)
    rows = {split: news_cards.rows_for(cards, "section", split) for split in SPLITS}
    vocabulary = Vocabulary.from_texts(rows["train"]["headline"], fewest=2)
    tensors = {split: to_tensors(rows[split], vocabulary) for split in SPLITS}
    torch.manual_seed(seed)
    encoders = {"image": CNNEncoder(DIM), "text": LSTMEncoder(len(vocabulary), DIM, DIM)}
    alone = models_alone(encoders, tensors, 5, seed, epochs=6, learning_rate=3e-3)
    cached = cache_features(encoders, tensors)
    options = {"epochs": 12, "learning_rate": 3e-3}
    trained = {f"{name} alone": found for name, found in alone.items()}
    trained |= models_fused(encoders, cached, FUSIONS, 5, seed, options)
    label = tensors["test"]["label"]
    return {name: accuracy(found.logits, label) for name, found in trained.items()}


def main(seeds: int = 5) -> None:
    started, scores = time.perf_counter(), {}
    for seed in range(seeds):
        for name, value in one_seed(seed).items():
            scores.setdefault(name, []).append(value)
    print(fair_table(scores, news_cards.ceiling()).round(3).to_string(na_rep=""))
    seconds = (time.perf_counter() - started) / seeds
    print(f"{seconds:.0f} s a seed, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
