"""``fit`` over a DataLoader: workers, texts padded batch by batch, presence by name, resuming."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler, default_collate

from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches
from course_utils.encoders import (
    BagEncoder,
    ColumnsEncoder,
    LSTMEncoder,
    TransformerEncoder,
    encode_all,
    reading,
)
from course_utils.fusion import JointAttentionFusion, ProductFusion
from course_utils.training import fit, predict

WORDS, N, BATCH = 30, 50, 16
MODELS = {  # readers of text, each with a fusion; the last reads tokens
    "bag": (lambda: BagEncoder(WORDS, 8), ProductFusion),
    "LSTM": (lambda: LSTMEncoder(WORDS, 8, 6), ProductFusion),
    "transformer": (lambda: TransformerEncoder(WORDS, 8, heads=2), JointAttentionFusion),
}


class Cards(Dataset):
    """One card at a time, as from files: a text of its own length, a table row, who is there."""

    def __init__(self, n=N):
        dice = np.random.default_rng(0)
        self.texts = [dice.integers(1, WORDS, dice.integers(1, 9)) for _ in range(n)]
        self.tables = torch.from_numpy(dice.normal(size=(n, 3))).float()
        self.there = dice.random((n, 2)) > 0.3

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, row):
        text = torch.as_tensor(self.texts[row])
        return {
            "text": text,
            "text_length": len(text),
            "table": self.tables[row],
            "present": {"text": bool(self.there[row, 0]), "table": bool(self.there[row, 1])},
            "label": int(self.tables[row, 0] > 0),
        }


def pad_texts(cards):
    """Cards -> a batch; texts are padded to the longest of this batch, and no further."""
    texts = [card.pop("text") for card in cards]
    padded = nn.utils.rnn.pad_sequence(texts, batch_first=True)
    return default_collate(cards) | {"text": padded}


class OrderOfBatches(Sampler):
    """Takes the rows in the order in which ``Batches`` with this seed takes them."""

    def __init__(self, n, seed):
        self.n, self.generator = n, torch.Generator().manual_seed(seed)

    def __len__(self):
        return self.n

    def __iter__(self):
        yield from torch.randperm(self.n, generator=self.generator).tolist()


@pytest.fixture(autouse=True)
def _one_thread_and_full_size(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_model(name="bag"):
    torch.manual_seed(0)
    make_reader, make_fusion = MODELS[name]
    encoders = {"text": make_reader(), "table": reading(ColumnsEncoder(3, 8), "table")}
    return MultimodalClassifier(encoders, make_fusion({"text": 8, "table": 8}, 8), 2)


def loader(workers=0, **options):
    options = {"batch_size": BATCH, "collate_fn": pad_texts, **options}
    return DataLoader(Cards(), num_workers=workers, **options)


def all_rows():
    """Every card in one dict, as ``Batches`` takes it: texts padded to the longest of all."""
    return pad_texts([Cards()[row] for row in range(N)])


def train(model, batches, epochs=2, **options):
    return fit(model, batches, epochs=epochs, learning_rate=0.01, device="cpu", **options)


def same(left, right):
    left, right = left.state_dict(), right.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left)


def test_batches_are_padded_to_lengths_of_their_own_and_presence_is_collated_by_name():
    batches = list(loader())
    assert len({batch["text"].shape[1] for batch in batches}) > 1
    present = torch.cat([batch["present"]["text"] for batch in batches])
    assert present.tolist() == Cards().there[:, 0].tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_trains_to_the_weights_that_batches_of_the_same_rows_give(workers):
    """Bit for bit: padded alike, the same numbers are added in the same order."""
    longest = max(map(len, Cards().texts))

    def pad_as_all(cards):
        batch = pad_texts(cards)
        missing = longest - batch["text"].shape[1]
        return batch | {"text": nn.functional.pad(batch["text"], (0, missing))}

    one, other = make_model("transformer"), make_model("transformer")
    history = train(one, loader(workers, sampler=OrderOfBatches(N, seed=3), collate_fn=pad_as_all))
    rows = Batches(all_rows(), BATCH, shuffle=True, seed=3)
    assert history == train(other, rows)
    assert same(one, other)
    assert not same(one, make_model("transformer"))


@pytest.mark.parametrize("name", MODELS)
def test_padding_batch_by_batch_trains_to_the_same_model(name):
    one, other = make_model(name), make_model(name)
    train(one, loader(sampler=OrderOfBatches(N, seed=3)))
    train(other, Batches(all_rows(), BATCH, shuffle=True, seed=3))
    for (name, mine), theirs in zip(
        one.state_dict().items(), other.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4, msg=name)


def own_generator(seed):
    return {"shuffle": True, "generator": torch.Generator().manual_seed(seed)}


def test_workers_change_nothing():
    models = [make_model(), make_model()]
    for model, workers in zip(models, (0, 2), strict=True):
        train(model, loader(workers, **own_generator(4)))
    assert same(*models)


def generator_of_the_sampler(seed):
    return {"sampler": RandomSampler(Cards(), generator=torch.Generator().manual_seed(seed))}


def order_of_fit(seed):
    torch.manual_seed(seed)  # must not matter
    return {"shuffle": True}


@pytest.mark.parametrize("order", [own_generator, generator_of_the_sampler, order_of_fit])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_is_taken_up_again_goes_on_with_the_same_orders(tmp_path, order, workers):
    whole, half, resumed = make_model(), make_model(), make_model()
    straight = train(whole, loader(**order(4)), epochs=3)
    path = tmp_path / "run.pt"
    train(half, loader(workers, **order(4)), epochs=1, checkpoint=path)
    assert not same(half, whole)
    history = train(resumed, loader(workers, **order(99)), epochs=3, checkpoint=path)
    assert history == straight
    assert same(resumed, whole)


def test_predict_and_encode_all_read_a_loader_row_for_row():
    model = make_model("transformer").eval()
    rows = Batches(all_rows(), N)
    torch.testing.assert_close(predict(model, loader(2), "cpu"), predict(model, rows, "cpu"))
    by_loader, whole = (
        encode_all(dict(model.encoders), each, as_tokens=["text"]) for each in (loader(2), rows)
    )
    torch.testing.assert_close(by_loader["text"], whole["text"])
    assert torch.equal(by_loader["text_tokens"].real, whole["text_tokens"].real)
    assert torch.equal(by_loader["present"]["table"], whole["present"]["table"])
