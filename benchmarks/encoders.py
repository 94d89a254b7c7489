"""Readers of pictures and of words beside each other: accuracy on `section`, parameters, seconds.

python benchmarks/encoders.py [SEEDS]
"""

import sys
import time

import torch

from course_utils.data import news_cards
from course_utils.data.batches import to_tensors
from course_utils.data.text import Vocabulary
from course_utils.encoders import BagEncoder, CNNEncoder, LSTMEncoder, ResNetEncoder
from course_utils.evaluation import accuracy, train_alone

DIM = 64
SPLITS = ("train", "validation", "test")


def main(seeds: int = 3) -> None:
    cards = news_cards.make(6000, seed=0)
    rows = {split: news_cards.rows_for(cards, "section", split) for split in SPLITS}
    vocabulary = Vocabulary.from_texts(rows["train"]["headline"], fewest=2)
    words = len(vocabulary)
    readers = {
        "CNN": ("image", lambda: CNNEncoder(DIM), 3e-3),
        "ResNet-18, untrained": ("image", lambda: ResNetEncoder(DIM), 1e-3),
        "bag": ("text", lambda: BagEncoder(words, DIM), 1e-2),
        "LSTM": ("text", lambda: LSTMEncoder(words, DIM, DIM), 3e-3),
    }
    print(f"{len(rows['train']['headline'])} training cards, 6 epochs, {seeds} seeds, "
          f"{torch.get_num_threads()} threads; ceilings {news_cards.ceiling()}")  # fmt: skip
    for name, (modality, make, learning_rate) in readers.items():
        tensors = {s: to_tensors(rows[s], vocabulary, modalities=(modality,)) for s in SPLITS}
        started, scores = time.perf_counter(), []
        for seed in range(seeds):
            torch.manual_seed(seed)
            encoder = make()
            logits = train_alone(
                {modality: encoder}, tensors, 5, seed, epochs=6, learning_rate=learning_rate
            )[modality]
            scores.append(accuracy(logits, tensors["test"]["label"]))
        size = sum(parameter.numel() for parameter in encoder.parameters())
        print(f"{name:22} accuracy {sum(scores) / seeds:.2f} ({min(scores):.2f} to "
              f"{max(scores):.2f}), {size:>10,} parameters, "
              f"{(time.perf_counter() - started) / seeds:5.1f} s a run", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
