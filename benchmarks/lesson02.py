"""What lesson 02 reads: bag, LSTM and text CNN on two tasks, and an LSTM that is not packed.

    make results LESSON=02

Five seeds, each with headlines and first weights of its own; settings are the lesson's. All is
scored on 5,000 fresh headlines, those of seed + 1000.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from room import Part, Plan, within
from torch import Tensor, nn

from course_utils.baselines import majority_baseline
from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards, word_order
from course_utils.data.batches import Batch, to_tensors
from course_utils.data.readers import TextReader
from course_utils.data.results import Run
from course_utils.data.rows import split_rows
from course_utils.encoders import BagEncoder, LSTMEncoder, TextCNNEncoder
from course_utils.experiment import Trained, models_alone
from course_utils.measures import accuracy
from course_utils.training import predict

SEEDS = range(5)
CARDS, GAMES, FRESH = 6000, 2000, 5000
CLASSES = {"order": 2, "section": 5}
LENGTHS = (None, 11, 13, 16, 21, 31)  # places that rows are padded to; None: each read alone
MARGIN = {"accuracy": 0.02}  # between two machines


class UnpackedLSTM(LSTMEncoder):
    """The state after the last column, word or padding."""

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        _, (state, _) = self.lstm(self.embed(text))
        return state[-1]


FAST, SLOW = ({"epochs": 6, "learning_rate": rate} for rate in (1e-2, 3e-3))
ENCODERS: dict[str, tuple[Callable[[int], nn.Module], dict]] = {
    "bag": (lambda words: BagEncoder(words, 64), FAST),
    "LSTM": (lambda words: LSTMEncoder(words, 64, 64), SLOW),
    "text CNN": (lambda words: TextCNNEncoder(words, 64, 64), SLOW),
}
PADDED = {
    "not packed": (lambda words: UnpackedLSTM(words, 64, 64), SLOW),
    "packed": ENCODERS["LSTM"],
}


def read(task: str, seed: int) -> tuple[int, dict[str, Batch]]:
    """Number of words and the tensors of each split; the test rows are fresh ones."""
    if task == "order":
        rows, fresh = word_order.make(GAMES, seed), word_order.make(FRESH, seed + 1000)
    else:
        cards = news_cards.make(CARDS, seed), news_cards.make(FRESH, seed + 1000, mismatch=0)
        rows, fresh = (news_cards.rows_for(part, task) for part in cards)
    parts = split_rows(rows) | {"test": fresh}
    text = TextReader(fewest=2).fit(parts["train"], "text")
    tensors = {split: to_tensors(part, {"text": text}) for split, part in parts.items()}
    return len(text.vocabulary), tensors


def train(kind: tuple, words: int, splits: dict[str, Batch], classes: int, seed: int) -> Trained:
    """A text encoder with a linear layer, trained; kind: how to make it, and ``fit``'s options."""
    make, options = kind
    torch.manual_seed(seed)
    encoder = {"text": make(words)}
    return models_alone(encoder, splits, classes, seed=seed, options=options)["text"]


def line(experiment: str, model: str, seed: int, value: float, dials: str = "") -> Run:
    world = "news cards" if experiment == "section" else "word order"
    return Run(experiment, world, dials, model, "", seed, FRESH, "accuracy", value)


def fair(task: str, seed: int, names: Iterable[str] = ENCODERS) -> Iterator[Run]:
    """The commonest class, and the encoders alone."""
    words, splits = read(task, seed)
    label = splits["test"]["label"]
    yield line(task, "majority", seed, majority_baseline(splits["train"]["label"], label))
    for name in names:
        one = train(ENCODERS[name], words, splits, CLASSES[task], seed)
        yield line(task, name, seed, accuracy(one.logits, label))
        if (task, name) == ("section", "bag"):
            yield of_unknown(one.model, seed)


def of_unknown(model: MultimodalClassifier, seed: int) -> Run:
    """The highest probability that a bag gives to a section where it reads one unknown word."""
    word = {"text": torch.tensor([[1]]), "text_length": torch.tensor([1])}
    value = predict(model, [word]).softmax(dim=1).max().item()
    return Run("unknown word", "news cards", "", "bag", "", seed, 1, "probability", value)


def padding(seed: int) -> Iterator[Run]:
    """Who won, read in rows of other lengths than in training, and one row at a time."""
    words, splits = read("order", seed)
    for name, kind in PADDED.items():
        model = train(kind, words, splits, CLASSES["order"], seed).model
        for longest in LENGTHS:
            value = padded_to(model, splits["test"], longest)
            yield line("padding", name, seed, value, "alone" if longest is None else str(longest))


def padded_to(model: MultimodalClassifier, tensors: Batch, longest: int | None) -> float:
    """Accuracy with rows padded to ``longest`` places, or each read alone (None)."""
    text, lengths = tensors["text"], tensors["text_length"]
    if longest is None:
        batches = [
            {"text": text[[i], :n], "text_length": lengths[[i]]}
            for i, n in enumerate(lengths.tolist())
        ]
    else:
        text = F.pad(text, (0, longest - text.shape[1]))
        batches = [{"text": text, "text_length": lengths}]
    return accuracy(predict(model, batches), tensors["label"])


def again() -> Iterator[Run]:
    """Bag and LSTM on the order task."""
    yield from fair("order", 0, ("bag", "LSTM"))


PLAN = Plan(
    "02",
    [
        Part("order", partial(fair, "order"), within("order"), SEEDS),
        Part("section", partial(fair, "section"), within("section", "unknown word"), SEEDS),
        Part("padding", padding, within("padding"), SEEDS),
    ],
)

if __name__ == "__main__":
    PLAN.main()
