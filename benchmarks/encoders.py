"""Readers of pictures and of words beside each other, each alone with a linear head, on `section`.

    python benchmarks/encoders.py [SEEDS]

For readers of words three learning rates are tried, and the one that does best on the validation
rows is marked. Six epochs for pictures, four for words.
"""

import sys
import time
from collections.abc import Callable

import torch

from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.text import Vocabulary
from course_utils.encoders import (
    BagEncoder,
    CNNEncoder,
    LSTMEncoder,
    ResNetEncoder,
    TextCNNEncoder,
    TransformerEncoder,
)
from course_utils.evaluation import accuracy
from course_utils.fusion import ConcatFusion
from course_utils.training import fit, predict

DIM = 64
SPLITS = ("train", "validation", "test")
RATES = (1e-3, 3e-3, 1e-2)
EPOCHS = {"image": 6, "text": 4}
Splits = dict[str, dict[str, torch.Tensor]]


def scores(
    make: Callable[[], torch.nn.Module],
    modality: str,
    splits: Splits,
    learning_rate: float,
    seed: int,
) -> tuple[float, float, int]:
    """Accuracy on the validation rows and on the test rows, and the encoder's parameters."""
    torch.manual_seed(seed)
    encoder = make()
    torch.manual_seed(seed)
    model = MultimodalClassifier({modality: encoder}, ConcatFusion({modality: DIM}), 5)
    train = Batches(splits["train"], shuffle=True, seed=seed)
    options = {"epochs": EPOCHS[modality], "learning_rate": learning_rate, "seed": seed}
    fit(model, train, Batches(splits["validation"]), **options)
    found = [
        accuracy(predict(model, Batches(splits[part], 256)), splits[part]["label"])
        for part in ("validation", "test")
    ]
    return *found, sum(parameter.numel() for parameter in encoder.parameters())


def measure(
    name: str, make: Callable[[], torch.nn.Module], modality: str, splits: Splits, rates, seeds: int
) -> None:
    """A line for each learning rate; the best on the validation rows has a star."""
    lines = {}
    for rate in rates:
        started = time.perf_counter()
        checked, tested, sizes = zip(
            *(scores(make, modality, splits, rate, seed) for seed in range(seeds)), strict=True
        )
        seconds = (time.perf_counter() - started) / seeds
        mean = sum(checked) / seeds
        lines[rate] = (
            mean,
            (
                f"rate {rate:<6g} validation {mean:.3f}, "
                f"test {sum(tested) / seeds:.3f} ({min(tested):.3f} to {max(tested):.3f}), "
                f"{sizes[0]:>10,} parameters, {seconds:5.1f} s a run"
            ),
        )
    best = max(lines, key=lambda rate: lines[rate][0])
    for rate, (_, line) in lines.items():
        print(f"{name:22}{'*' if rate == best else ' '} {line}", flush=True)


def main(seeds: int = 3) -> None:
    cards = news_cards.make(6000, seed=0)
    rows = {split: news_cards.rows_for(cards, "section", split) for split in SPLITS}
    vocabulary = Vocabulary.from_texts(rows["train"]["headline"], fewest=2)
    words = len(vocabulary)
    readers = {
        "CNN": ("image", lambda: CNNEncoder(DIM), (3e-3,)),
        "ResNet-18, untrained": ("image", lambda: ResNetEncoder(DIM), (1e-3,)),
        "bag": ("text", lambda: BagEncoder(words, DIM), RATES),
        "LSTM": ("text", lambda: LSTMEncoder(words, DIM, DIM), RATES),
        "text CNN": ("text", lambda: TextCNNEncoder(words, DIM), RATES),
        "transformer": ("text", lambda: TransformerEncoder(words, DIM), RATES),
    }
    print(f"{len(rows['train']['headline'])} training cards, {seeds} seeds, "
          f"{torch.get_num_threads()} threads; ceilings {news_cards.ceiling()}")  # fmt: skip
    for name, (modality, make, rates) in readers.items():
        splits = {s: to_tensors(rows[s], vocabulary, modalities=(modality,)) for s in SPLITS}
        measure(name, make, modality, splits, rates, seeds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
