"""What lesson 03 reads: seven readers on the order task, and a transformer on news cards.

    make results LESSON=03

Five seeds, each with headlines and first weights of its own; settings are the lesson's. All is
scored on 5,000 fresh headlines, those of seed + 1000, and the transformer's answers to the trick
cards are kept. The bag and the LSTM that stand beside it are those of lesson 02.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from room import Part, Plan, within
from torch import Tensor, nn

from course_utils.baselines import majority_baseline
from course_utils.data import news_cards, trick_cards, word_order
from course_utils.data.batches import Batch, to_tensors
from course_utils.data.readers import TextReader
from course_utils.data.results import Run
from course_utils.data.rows import Rows, split_rows
from course_utils.encoders import BagEncoder, LSTMEncoder, TransformerEncoder
from course_utils.experiment import Trained, answers, models_alone
from course_utils.measures import accuracy

SEEDS = range(5)
CARDS, GAMES, FRESH = 6000, 2000, 5000
MARGIN = {"accuracy": 0.02}  # between two machines
Make = Callable[[int], nn.Module]


def without_root(words: int) -> nn.Module:
    """An encoder of one head; its queries are multiplied by the root."""
    encoder = TransformerEncoder(words, dim=64, heads=1)
    factor = torch.tensor([8.0, 1.0, 1.0]).repeat_interleave(64)  # queries, keys, values

    def grow(part: nn.Module, given: tuple, output: Tensor) -> Tensor:
        return output * factor.to(output)

    encoder.layers[0].attend.project.register_forward_hook(grow)
    return encoder


SMALL = partial(TransformerEncoder, dim=32, heads=4)
KINDS: dict[str, Make] = {
    "bag": BagEncoder,
    "LSTM": LSTMEncoder,
    "attention, no positions": partial(SMALL, positions=False),
    "attention, positions": SMALL,
    "attention, causal, no positions": partial(SMALL, positions=False, causal=True),
    "one head of 64, positions": partial(TransformerEncoder, dim=64, heads=1),
    "one head of 64, positions, no root": without_root,
}


def read(rows: Rows, fresh: Rows, fewest: int) -> tuple[TextReader, dict[str, Batch]]:
    """A reader of words, and the tensors of each split; the test rows are the fresh ones."""
    parts = split_rows(rows) | {"test": fresh}
    text = TextReader(fewest=fewest).fit(parts["train"], "text")
    return text, {split: to_tensors(part, {"text": text}) for split, part in parts.items()}


def train(encoder: nn.Module, splits: dict[str, Batch], classes: int, seed: int,
          **options: float) -> Trained:  # fmt: skip
    """A text encoder with a linear head, trained."""
    return models_alone({"text": encoder}, splits, classes, seed=seed, options=options)["text"]


def order(seed: int, names: Iterable[str] = KINDS) -> Iterator[Run]:
    """The commonest class, and the readers, on who won."""
    games = word_order.make(GAMES, seed), word_order.make(FRESH, seed + 1000)
    text, splits = read(*games, fewest=1)
    label = splits["test"]["label"]

    def line(name: str, value: float) -> Run:
        return Run("order", "word order", "", name, "", seed, FRESH, "accuracy", value)

    yield line("majority", majority_baseline(splits["train"]["label"], label))
    for name in names:
        rate = 1e-2 if name == "bag" else 3e-3
        torch.manual_seed(seed)
        encoder = KINDS[name](len(text.vocabulary))
        one = train(encoder, splits, 2, seed, epochs=8, learning_rate=rate)
        yield line(name, accuracy(one.logits, label))


def news(seed: int) -> Iterator[Run]:
    """The transformer on `section`, and the section that it names on each trick card."""
    cards = news_cards.make(CARDS, seed), news_cards.make(FRESH, seed + 1000, mismatch=0)
    text, splits = read(*(news_cards.rows_for(part, "section") for part in cards), fewest=2)
    torch.manual_seed(seed)
    encoder = TransformerEncoder(len(text.vocabulary), dim=64, heads=4)
    one = train(encoder, splits, 5, seed, epochs=6, learning_rate=3e-3)
    value = accuracy(one.logits, splits["test"]["label"])
    name = "transformer"
    yield Run("section", "news cards", "", name, "", seed, FRESH, "accuracy", value)
    tricks = trick_cards.read()
    named = answers(one.model, tricks, {"text": text}).tolist()
    for trick, section in zip(tricks["trick"], named, strict=True):
        yield Run("tricks", "trick cards", trick, name, "", seed, 1, "section named", section)


def again() -> Iterator[Run]:
    """On the order task the bag, and attention with a causal mask in place of positions."""
    yield from order(0, ("bag", "attention, causal, no positions"))


PLAN = Plan(
    "03",
    [
        Part("order", order, within("order"), SEEDS),
        Part("news", news, within("section", "tricks"), SEEDS),
    ],
)

if __name__ == "__main__":
    PLAN.main()
