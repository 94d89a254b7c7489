"""The order in which modalities are written changes nothing: they are asked by name everywhere."""

import inspect
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import fusion as fusions
from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ColumnsReader, ImageReader, TextReader, fit_readers
from course_utils.data.rows import Rows
from course_utils.data.text import Vocabulary
from course_utils.encoders import BagEncoder, CachedEncoder, CNNEncoder, ColumnsEncoder, reading
from course_utils.experiment import compare, compare_frozen, needed
from course_utils.training import predict

DIMS = {"image": 4, "text": 3, "table": 5}
NAMES = tuple(DIMS)
ORDERS = [*permutations(NAMES)]
KINDS = [
    kind
    for _, kind in inspect.getmembers(fusions, inspect.isclass)
    if issubclass(kind, nn.Module) and kind.__module__ == fusions.__name__
    if kind is not fusions.Fusion  # says nothing of how to join
]
N = 24


@pytest.fixture(autouse=True)
def _full_size(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)


# --- one fusion, written in two orders ----------------------------------------------------------


def make(kind, names):
    dims = {name: DIMS[name] for name in names}
    return kind(dims, dim=8) if "dim" in inspect.signature(kind).parameters else kind(dims)


def columns(names, order):
    """Where the columns of ``order`` stand when features lie side by side as in ``names``."""
    starts = dict(zip(names, np.cumsum([0, *(DIMS[n] for n in names)]), strict=False))
    return torch.cat([starts[name] + torch.arange(DIMS[name]) for name in order])


def reordered_pairs(state, names, order):
    """Bilinear weights (dim, one, other) of each pair; one that stands the other way is turned."""
    known = {pair: state[f"pairs.{k}.weight"] for k, pair in enumerate(combinations(names, 2))}
    turned = {pair[::-1]: weight.transpose(1, 2) for pair, weight in known.items()}
    return {
        f"pairs.{k}.weight": (known | turned)[pair] for k, pair in enumerate(combinations(order, 2))
    }


# How weights that stand by place, and not by name, go from one order to another.
STATE = {
    fusions.WeightedFusion: lambda state, names, order: (
        state | {"weights": state["weights"][[names.index(name) for name in order]]}
    ),
    fusions.ConcatMLPFusion: lambda state, names, order: (
        state | {"hidden.weight": state["hidden.weight"][:, columns(names, order)]}
    ),
    fusions.BilinearFusion: reordered_pairs,
    fusions.LowRankFusion: lambda state, names, order: {
        f"factors.{k}": state[f"factors.{names.index(name)}"] for k, name in enumerate(order)
    },
}
# How what comes out goes from one order to another.
OUT = {
    fusions.ConcatFusion: lambda out, names, order: out[:, columns(names, order)],
    fusions.TensorFusion: lambda out, names, order: (
        out.unflatten(1, (9, 9, 9))
        .permute(0, *(1 + names.index(name) for name in order))
        .flatten(start_dim=1)
    ),
}


def random_features(seed=0):
    g = torch.Generator().manual_seed(seed)
    return {name: torch.randn(N, dim, generator=g) for name, dim in DIMS.items()}


def random_present(seed=1):
    g = torch.Generator().manual_seed(seed)
    return {name: torch.rand(N, generator=g) > 0.4 for name in DIMS}


def test_the_fusions_are_found():
    assert len(KINDS) >= 10
    assert {fusions.SumFusion, fusions.ConcatFusion, fusions.JointAttentionFusion} <= {*KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_fusion_joins_alike_in_whichever_order_it_was_written(kind, order):
    torch.manual_seed(0)
    first, other = make(kind, NAMES), make(kind, order)
    with torch.no_grad():  # what starts equal for all modalities could be mixed up unseen
        for parameter in first.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    state = first.state_dict()
    other.load_state_dict(STATE.get(kind, lambda state, *_: state)(state, NAMES, order))
    features, present = random_features(), random_present()
    shuffled = {name: present[name] for name in (*order[1:], order[0])}
    expected = OUT.get(kind, lambda out, *_: out)(first(features, present), NAMES, order)
    torch.testing.assert_close(other(features, shuffled), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ORDERS)
def test_in_every_order_the_modality_that_is_named_absent_takes_no_part(kind, order):
    torch.manual_seed(0)
    joining, features = make(kind, order), random_features()
    for gone in NAMES:
        present = {name: torch.full((N,), name != gone) for name in NAMES}
        before = joining(features, present)
        for name in NAMES:
            moved = features | {name: features[name] + 3 * torch.randn(N, DIMS[name])}
            same = torch.equal(joining(moved, present), before)
            assert same == (name == gone), (name, gone)


@pytest.mark.parametrize("kind", KINDS)
def test_modalities_that_a_fusion_does_not_join_are_not_asked_for(kind):
    torch.manual_seed(0)
    joining, features, present = make(kind, NAMES), random_features(), random_present()
    more = {"sound": torch.zeros(N, dtype=torch.bool)} | present
    assert torch.equal(
        joining(features | {"sound": torch.randn(N, 2)}, more), joining(features, present)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "columns_of_truth", [torch.ones(N, 3, dtype=torch.bool), [[True] * 3] * N, [True] * 3]
)
def test_presence_without_names_is_refused_in_a_sentence(kind, columns_of_truth):
    with pytest.raises(ValueError, match=r"present is a dict .* by their names") as caught:
        make(kind, NAMES)(random_features(), columns_of_truth)
    assert "\n" not in str(caught.value)


def test_text_before_image_with_the_text_absent_leaves_the_image():
    rows = {
        "image": np.full((2, 8, 8, 3), 255, np.uint8),
        "headline": [None, None],
        "label": [0] * 2,
    }
    readers = {"image": ImageReader(), "text": TextReader(Vocabulary(["word"]), "headline")}
    joining = fusions.SumFusion({"text": 4, "image": 4}, dim=4)
    for linear in joining.project.values():
        nn.init.eye_(linear.weight)
        nn.init.zeros_(linear.bias)
    features = {"image": torch.ones(2, 4), "text": torch.full((2, 4), 10.0)}
    for order in (["image", "text"], ["text", "image"]):
        tensors = to_tensors(rows, {name: readers[name] for name in order})
        assert (joining(features, tensors["present"]) == 1).all()


# --- the whole way, in every order --------------------------------------------------------------


def make_rows(n, seed):
    """Red or blue, good or bad, dear or cheap, each often absent; most votes win."""
    dice = np.random.default_rng(seed)
    vote, here = dice.choice([-1, 1], (3, n)), dice.random((3, n)) > 0.3
    colour = np.where(vote[0][:, None] > 0, [220, 0, 0], [0, 0, 220]).astype(np.uint8)
    pictures = np.broadcast_to(colour[:, None, None], (n, 8, 8, 3))
    return Rows({
        "image": [p if h else None for p, h in zip(pictures, here[0], strict=True)],
        "text": [("bad", "good")[int(v > 0)] if h else None
                 for v, h in zip(vote[1], here[1], strict=True)],
        "price": np.where(here[2], vote[2] + dice.normal(0, 0.1, n), np.nan),
        "label": ((vote * here).sum(axis=0) + dice.normal(0, 0.1, n) > 0).astype(np.int64),
        "truth": here.T,
    })  # fmt: skip


ROWS = {split: make_rows(n, k) for k, (split, n) in enumerate(
    {"train": 96, "validation": 32, "test": 64}.items())}  # fmt: skip
READERS = fit_readers(
    {"image": ImageReader(), "text": TextReader(), "table": ColumnsReader(numbers=("price",))},
    ROWS["train"],
)


def splits_in(order):
    readers = {name: READERS[name] for name in order}
    return {split: to_tensors(rows, readers) for split, rows in ROWS.items()}


def seeded(name, make_module):
    """A module whose weights hang on its name, not on what was made before it."""
    torch.manual_seed(NAMES.index(name))
    return make_module()


def encoders_in(order):
    makers = {
        "image": lambda: CNNEncoder(DIMS["image"], channels=(4,)),
        "text": lambda: BagEncoder(len(READERS["text"].vocabulary), DIMS["text"]),
        "table": lambda: reading(ColumnsEncoder(1, DIMS["table"]), "table"),
    }
    return {name: seeded(name, makers[name]) for name in order}


def fusion_of(kind):
    """The fusion with weights by name: made in one order, then carried to the order asked for."""

    def make_fusion(dims):
        order = tuple(dims)
        torch.manual_seed(5)
        state = make(kind, NAMES).state_dict()
        joining = make(kind, order)
        joining.load_state_dict(STATE.get(kind, lambda state, *_: state)(state, NAMES, order))
        torch.manual_seed(6)  # the head is made next
        return joining

    return make_fusion


# A head on these reads places, not names: it starts otherwise in another order.
LEARNT_BY_PLACE = (fusions.ConcatFusion, fusions.TensorFusion)
COMPARED = {kind.__name__: fusion_of(kind) for kind in KINDS if kind not in LEARNT_BY_PLACE}
OPTIONS = {"epochs": 1, "learning_rate": 0.01, "batch_size": 32, "device": "cpu"}


def compared(order):
    return compare(lambda: encoders_in(order), COMPARED, splits_in(order), 2, seed_count=1,
                   options=OPTIONS, fusion_options=OPTIONS)  # fmt: skip


def frozen(order):
    return compare_frozen([{name: one.eval() for name, one in encoders_in(order).items()}],
                          COMPARED, splits_in(order), 2, options=OPTIONS)  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_tensors_and_presence_are_the_same_in_whichever_order_readers_come(order):
    tensors = splits_in(order)["test"]
    truth = dict(zip(NAMES, ROWS["test"]["truth"].T, strict=True))
    for name in NAMES:
        assert tensors["present"][name].tolist() == truth[name].tolist()
    for name, value in splits_in(NAMES)["test"].items():
        if name != "present":
            assert torch.equal(tensors[name], value)


@pytest.mark.parametrize("order", ORDERS)
def test_what_a_model_needs_is_the_same_in_every_order(order):
    encoders = encoders_in(order)
    pair = {name: encoders[name] for name in order[:2]}
    model = MultimodalClassifier(pair, make(fusions.SumFusion, order[:2]), 2).eval()
    parts = {part for encoder in pair.values() for part in encoder.reads}
    batches = []
    for written in ORDERS:
        tensors = splits_in(written)["test"]
        own = needed(model, tensors)
        assert set(own) == parts | {"label", "present"}
        batches += [Batches(own, 64), Batches(tensors, 64)]
    first, *others = (predict(model, each) for each in batches)
    assert all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("run", [compared, frozen])
def test_a_comparison_gives_the_same_logits_in_every_order(run):
    first, *others = map(run, ORDERS)
    for order, other in zip(ORDERS[1:], others, strict=True):
        assert set(other.logits) == set(first.logits)
        for name, (logits,) in first.logits.items():
            torch.testing.assert_close(
                other.logits[name][0], logits, atol=1e-4, rtol=1e-3, msg=f"{name} {order}"
            )
            assert logits.std() > 0.01, name  # rows that all get one answer would show nothing


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_of_another_name_is_absent_where_what_it_reads_is(kind):
    """Two encoders of one picture: both have nothing to read where the picture is absent."""
    torch.manual_seed(0)
    encoders = {"image": CNNEncoder(4, (4,)), "patches": CNNEncoder(4, (4,)),
                "text": BagEncoder(9, 4)}  # fmt: skip
    dims = {name: encoder.dim for name, encoder in encoders.items()}
    joining = kind(dims, dim=8) if "dim" in inspect.signature(kind).parameters else kind(dims)
    model = MultimodalClassifier(encoders, joining, 2)
    tensors = {
        "image": torch.rand(6, 3, 8, 8),
        "text": torch.randint(1, 9, (6, 3)),
        "text_length": torch.full((6,), 3),
        "present": {"image": torch.arange(6) % 2 == 0, "text": torch.arange(6) > 2},
    }
    before = predict(model, Batches(tensors))
    tensors["image"][1::2] = torch.rand(3, 3, 8, 8)
    assert torch.equal(predict(model, Batches(tensors)), before)


def test_a_cached_encoder_is_asked_for_by_its_name():
    model = MultimodalClassifier({"image": CachedEncoder("image_tokens", 4)},
                                 fusions.SumFusion({"image": 4}, 4), 2)  # fmt: skip
    batch = {"image_tokens": torch.randn(2, 4), "present": {"image": torch.tensor([True, False])}}
    before = predict(model, [batch])
    batch["image_tokens"][1] += 5
    assert torch.equal(predict(model, [batch]), before)
