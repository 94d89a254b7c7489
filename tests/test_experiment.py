"""What trains models to compare them, on models so small that they take no time."""

import contextlib
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from course_utils import display, experiment
from course_utils.attention import Tokens
from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader, TextReader
from course_utils.data.rows import split_rows
from course_utils.data.text import Vocabulary
from course_utils.encoders import BagEncoder, CachedEncoder, CNNEncoder
from course_utils.experiment import (
    answers,
    cache_features,
    compare,
    compare_frozen,
    in_units,
    models_alone,
    models_fused,
    needed,
    on_cached_features,
    train_on,
)
from course_utils.fusion import ConcatFusion, JointAttentionFusion, SumFusion
from course_utils.training import predict

QUIET = {"progress": False}


# --- one model ----------------------------------------------------------------------------------


def text_alone(side=()):
    model = nn.Identity()
    model.reads = ("text", "text_length", *side)
    return model


def test_a_model_is_given_what_it_reads_the_label_and_what_is_there():
    tensors = {
        "image": torch.zeros(2, 1), "text": torch.ones(2, 3), "text_length": torch.ones(2),
        "age": torch.ones(2), "label": torch.arange(2),
        "present": {"image": torch.tensor([True, False]), "text": torch.tensor([True, True])},
    }  # fmt: skip
    assert set(needed(text_alone(), tensors)) == {"text", "text_length", "label", "present"}
    assert "age" in needed(text_alone(side=("age",)), tensors)
    assert needed(text_alone(), tensors)["present"] == tensors["present"]
    assert needed(nn.Identity(), tensors) is tensors


def test_features_in_units_are_divided_split_by_split_and_all_else_stays():
    cached = {
        split: {"image": torch.full((2, 3), 6.0), "text": torch.ones(2, 4), "label": torch.ones(2)}
        for split in ("train", "test")
    }
    divided = in_units(cached, {"image": 3.0})
    for split, part in divided.items():
        assert part["image"].eq(2).all(), split
        assert part["text"] is cached[split]["text"]
        assert part["label"] is cached[split]["label"]
    assert cached["train"]["image"].eq(6).all(), "the features given stay as they were"


def test_a_part_that_is_not_there_is_named():
    with pytest.raises(KeyError, match="reads 'text_length', but the tensors are text, label"):
        needed(text_alone(), {"text": torch.ones(2), "label": torch.ones(2)})


# --- worlds of numbers: as fast as it goes --------------------------------------------------------


class Linear(nn.Module):
    """An encoder of numbers, for worlds without pictures and texts."""

    def __init__(self, name, size=3, dim=4):
        super().__init__()
        self.reads, self.dim = (name,), dim
        self.map = nn.Linear(size, dim)

    def forward(self, numbers):
        return self.map(numbers)


def numbers(names=("one", "other"), rows=40):
    """Splits of a world of random numbers; the label is the sign of the first one."""
    generator = torch.Generator().manual_seed(0)
    splits = {}
    for split in ("train", "validation", "test"):
        tensors = {name: torch.randn(rows, 3, generator=generator) for name in names}
        tensors["label"] = (tensors[names[0]][:, 0] > 0).long()
        tensors["present"] = {name: torch.rand(rows, generator=generator) > 0.2 for name in names}
        splits[split] = tensors
    return splits


def linear_encoders():
    return {name: Linear(name) for name in ("one", "other")}


FUSIONS = {"concat": ConcatFusion, "sum": SumFusion}


@pytest.fixture
def full_size(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)


def epochs(trained):
    return {name: model.history.epochs for name, model in trained.items()}


def test_training_gives_the_logits_of_the_test_rows_and_how_it_went(full_size):
    splits = numbers()
    model = MultimodalClassifier({"one": Linear("one")}, SumFusion({"one": 4}), classes=2)
    trained = train_on(model, splits, epochs=2, batch_size=7, **QUIET)
    assert trained.model is model
    assert trained.history.epochs == 2
    assert torch.equal(trained.logits, predict(model, Batches(splits["test"], 7)))


def test_each_encoder_alone_can_have_options_of_its_own(full_size):
    own = {"other": {"epochs": 3, "batch_size": 5}}
    alone = models_alone(
        linear_encoders(), numbers(), 2, options=QUIET | {"epochs": 1}, options_for=own
    )
    assert epochs(alone) == {"one": 1, "other": 3}


def test_encoders_are_changed_in_place_and_their_models_answer_with_them(full_size):
    encoders, splits = linear_encoders(), numbers()
    before = encoders["one"].map.weight.clone()
    alone = models_alone(encoders, splits, 2, options=QUIET | {"epochs": 1})
    assert alone["one"].model.encoders["one"] is encoders["one"]
    assert not torch.equal(encoders["one"].map.weight, before)


def test_one_modality_alone_is_told_where_it_is_absent(full_size):
    splits = numbers()
    alone = models_alone(linear_encoders(), splits, 2, options=QUIET | {"epochs": 1})
    absent = ~splits["test"]["present"]["other"]
    assert absent.any()
    bias = alone["other"].model.head.bias
    torch.testing.assert_close(
        alone["other"].logits[absent], bias.detach().expand(int(absent.sum()), -1)
    )


# --- fusions on cached features -------------------------------------------------------------------


def test_fused_models_read_cached_features_where_there_are_no_encoders(full_size):
    splits = numbers()
    fused = models_fused(FUSIONS, splits, 2, names=["one", "other"], options=QUIET | {"epochs": 1})
    for model, logits, _ in fused.values():
        assert all(isinstance(encoder, CachedEncoder) for encoder in model.encoders.values())
        assert not model.training
        torch.testing.assert_close(predict(model, Batches(splits["test"])), logits)


def test_fused_models_share_the_encoders_and_read_what_these_read(full_size):
    encoders, splits = linear_encoders(), numbers()
    cached = cache_features(encoders, splits)
    fused = models_fused(FUSIONS, cached, 2, encoders=encoders, options=QUIET | {"epochs": 1})
    for model, logits, _ in fused.values():
        assert {name: model.encoders[name] for name in model.encoders} == encoders
        torch.testing.assert_close(predict(model, Batches(splits["test"])), logits)


def test_with_or_without_encoders_the_weights_are_the_same(full_size):
    encoders = linear_encoders()
    cached = cache_features(encoders, numbers())
    options = QUIET | {"epochs": 2}
    one = models_fused(FUSIONS, cached, 2, encoders=encoders, options=options)
    other = models_fused(FUSIONS, cached, 2, names=[*encoders], options=options)
    for name in FUSIONS:
        assert torch.equal(one[name].logits, other[name].logits)


def test_each_fusion_can_have_options_of_its_own(full_size):
    fused = models_fused(
        FUSIONS, numbers(), 2, names=["one", "other"], options=QUIET | {"epochs": 1},
        options_for={"sum": {"epochs": 2}},
    )  # fmt: skip
    assert epochs(fused) == {"concat": 1, "sum": 2}


def test_without_encoders_and_names_nobody_knows_what_to_fuse():
    with pytest.raises(ValueError, match=r"needs encoders=\.\.\., or the modalities as names="):
        models_fused(FUSIONS, numbers(), 2)


def test_tokens_are_cached_of_the_encoders_that_have_them_when_asked():
    torch.manual_seed(0)
    encoders = {"one": Linear("one"), "text": BagEncoder(9, 4)}
    splits = numbers()
    for tensors in splits.values():
        tensors["text"] = torch.randint(1, 9, (40, 5))
        tensors["text_length"] = torch.randint(1, 6, (40,))
    assert "text_tokens" not in cache_features(encoders, splits)["train"]
    cached = cache_features(encoders, splits, as_tokens=True)["train"]
    assert isinstance(cached["text_tokens"], Tokens)
    assert "one_tokens" not in cached
    model = on_cached_features(JointAttentionFusion({"one": 4, "text": 4}), {"train": cached}, 2)
    assert model.reads == ("one", "text_tokens")
    assert on_cached_features(ConcatFusion({"text": 4}), {"train": cached}, 2).reads == ("text",)


# --- the fair table -------------------------------------------------------------------------------


class World(NamedTuple):
    splits: dict[str, Any]
    make_encoders: Any
    readers: dict[str, Any]


@pytest.fixture(scope="module")
def world():
    """A small and easy world, with what reads it."""
    rows = news_cards.make(500, seed=1, image_noise=0, clutter=0, mismatch=0.3)
    vocabulary = Vocabulary.from_texts(rows["headline"])
    readers = {"image": ImageReader(), "text": TextReader(vocabulary)}
    parts = split_rows(news_cards.rows_for(rows, "section"))
    splits = {split: to_tensors(part, readers) for split, part in parts.items()}
    return World(
        splits,
        lambda: {"image": CNNEncoder(8, (4, 8)), "text": BagEncoder(len(vocabulary), 8)},
        readers,
    )


@pytest.fixture(scope="module")
def smoke_run(world):
    """What compare finds under COURSE_SMOKE=1: one seed, one epoch, few batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_SMOKE", "1")
        return compare(
            world.make_encoders, {"concat": ConcatFusion, "sum": SumFusion}, world.splits,
            classes=5, ceiling=news_cards.ceiling(), options={"progress": False},
            fusion_options={"progress": False},
        )  # fmt: skip


def test_compare_gives_majority_each_modality_each_fusion_and_the_ceiling(smoke_run):
    assert smoke_run.table.index.tolist() == [
        "majority", "image alone", "text alone", "concat", "sum",
        "ceiling, image", "ceiling, text", "ceiling, both",
    ]  # fmt: skip
    assert smoke_run.table["mean"].between(0, 1).all()


def test_compare_hands_back_how_every_training_went(smoke_run):
    assert smoke_run.histories.keys() == smoke_run.models.keys()
    for name, (history,) in smoke_run.histories.items():
        assert smoke_run.validation[name] == [max(history.validation_accuracy)]
        assert history.epochs == 1


def test_compare_uses_one_seed_in_a_smoke_run(smoke_run):
    assert {len(models) for models in smoke_run.models.values()} == {1}


def test_compare_says_which_rows_each_model_got_right(smoke_run, world):
    right = smoke_run.right("concat")
    assert right.shape == world.splits["test"]["label"].shape
    assert right.double().mean().item() == pytest.approx(smoke_run.mean("concat"))


def test_a_compared_model_reads_batches_of_cards_and_gives_the_same_answers(smoke_run, world):
    model = smoke_run.models["concat"][0]
    logits = predict(model, Batches(world.splits["test"], 64))
    torch.testing.assert_close(logits, smoke_run.logits["concat"][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["image alone", "text alone", "sum"])
def test_a_compared_model_answers_for_rows_of_cards(smoke_run, world, name):
    rows = news_cards.make(6, seed=9)
    named = answers(smoke_run.models[name][0], rows, world.readers)
    assert named.shape == (6,)
    assert named.dtype == torch.long
    assert named.max() < 5


def test_a_comparison_shows_as_a_table_on_a_page(smoke_run):
    assert "<table" in smoke_run._repr_html_()
    assert "NaN" not in smoke_run._repr_html_()


def test_frozen_encoders_stay_as_they_are(smoke_run, world, monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    encoders = smoke_run.encoders[0]
    before = {n: v.clone() for n, v in nn.ModuleDict(encoders).state_dict().items()}
    frozen = compare_frozen(
        [encoders], {"concat": ConcatFusion}, world.splits, 5, options={"progress": False}
    )
    assert [*frozen.logits] == ["concat"]
    for name, value in nn.ModuleDict(encoders).state_dict().items():
        assert torch.equal(value, before[name]), name


def test_compare_leaves_a_trained_table_when_run_at_full_size(world, monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    run = {"epochs": 15, "learning_rate": 0.02, "progress": False}
    found = compare(
        world.make_encoders, {"concat": ConcatFusion}, world.splits, classes=5, seed_count=2,
        options=run, fusion_options=run,
    )  # fmt: skip
    assert len(found.accuracies["concat"]) == 2
    assert found.mean("text alone") > found.majority + 0.1
    assert found.mean("concat") > found.majority + 0.2
    assert found.table.loc["concat", ["seed 0", "seed 1"]].notna().all()


@pytest.fixture
def small_run(full_size):
    """A run of ``compare`` on a world of numbers, with the seeds and options that it is given."""

    def run(fusions=FUSIONS, **asked):
        common = {"options": QUIET | {"epochs": 1}, "fusion_options": QUIET | {"epochs": 1}}
        return compare(linear_encoders, fusions, numbers(), 2, **common | {"seed_count": 1} | asked)

    return run


def rows_epochs(found):
    return {name: [history.epochs for history in each] for name, each in found.histories.items()}


def test_each_encoder_and_each_fusion_can_have_options_of_its_own_in_a_comparison(small_run):
    found = small_run(
        seed_count=2,
        options_for={"other": {"epochs": 2}},
        fusion_options_for={"sum": {"epochs": 3}},
    )
    assert rows_epochs(found) == {
        "one alone": [1, 1], "other alone": [2, 2], "concat": [1, 1], "sum": [3, 3]
    }  # fmt: skip


def test_a_first_seed_goes_on_where_other_runs_ended(small_run):
    three = small_run(seed_count=3)
    last = small_run(seed_count=2, first_seed=1)
    assert last.table.columns.tolist() == ["mean", "spread", "seed 1", "seed 2"]
    for name, logits in three.logits.items():
        assert not torch.equal(logits[0], logits[1]), name
        for seed in (1, 2):
            assert torch.equal(logits[seed], last.logits[name][seed - 1]), name


def test_frozen_comparisons_have_a_first_seed_too(small_run):
    encoders = small_run().encoders
    run = {"options": QUIET | {"epochs": 1}}
    zero, five = (
        compare_frozen(encoders, FUSIONS, numbers(), 2, first_seed=seed, **run) for seed in (0, 5)
    )
    again = compare_frozen(encoders, FUSIONS, numbers(), 2, first_seed=5, **run)
    assert not torch.equal(zero.logits["sum"][0], five.logits["sum"][0])
    assert torch.equal(again.logits["sum"][0], five.logits["sum"][0])


def test_each_set_of_frozen_encoders_may_have_tensors_of_its_own(small_run):
    encoders, run = small_run(seed_count=2).encoders, {"options": QUIET | {"epochs": 1}}
    alike = compare_frozen(encoders, FUSIONS, [numbers(), numbers()], 2, **run)
    shared = compare_frozen(encoders, FUSIONS, numbers(), 2, **run)
    assert alike.accuracies == shared.accuracies
    blank = numbers()
    blank["test"] = blank["test"] | {"one": torch.zeros_like(blank["test"]["one"])}
    other = compare_frozen(encoders, FUSIONS, [numbers(), blank], 2, **run)
    assert torch.equal(other.logits["sum"][0], shared.logits["sum"][0])
    assert not torch.equal(other.logits["sum"][1], shared.logits["sum"][1])


def test_splits_that_fit_no_one_table_are_refused(small_run):
    encoders = small_run(seed_count=2).encoders
    with pytest.raises(ValueError, match="2 sets of encoders need as many splits, not 1"):
        compare_frozen(encoders, FUSIONS, [numbers()], 2)
    flipped = numbers()
    flipped["test"] = flipped["test"] | {"label": 1 - flipped["test"]["label"]}
    with pytest.raises(ValueError, match="one set of test rows"):
        compare_frozen(encoders, FUSIONS, [numbers(), flipped], 2)


def test_frozen_comparisons_take_options_for_each_fusion_too(small_run):
    found = compare_frozen(
        small_run().encoders, FUSIONS, numbers(), 2, options=QUIET | {"epochs": 1},
        options_for={"concat": {"epochs": 2}},
    )  # fmt: skip
    assert rows_epochs(found) == {"concat": [2], "sum": [1]}


def test_the_validation_score_is_that_of_the_model_that_was_kept(small_run):
    found = small_run(seed_count=2, options={"epochs": 4, "learning_rate": 0.1, **QUIET})
    splits = numbers()
    for name, models in found.models.items():
        for seed, model in enumerate(models):
            batches = Batches(needed(model, splits["validation"]))
            right = predict(model, batches).argmax(dim=1) == splits["validation"]["label"]
            assert right.double().mean().item() == pytest.approx(found.validation[name][seed])


def test_without_fusions_the_table_has_each_modality_alone(small_run):
    assert small_run(fusions={}).table.index.tolist() == ["majority", "one alone", "other alone"]


def test_a_comparison_with_a_fusion_of_tokens_answers_for_batches_as_for_cached_ones(
    world, monkeypatch
):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    fusions = {
        "joint": lambda dims: JointAttentionFusion(dims, dim=8, heads=2), "concat": ConcatFusion
    }  # fmt: skip
    found = compare(world.make_encoders, fusions, world.splits, 5, options=QUIET,
                    fusion_options=QUIET)  # fmt: skip
    for name in fusions:
        logits = predict(found.models[name][0], Batches(world.splits["test"], 64))
        torch.testing.assert_close(logits, found.logits[name][0], rtol=1e-4, atol=1e-5)


def test_one_bar_counts_all_models_of_a_comparison(small_run, monkeypatch):
    seen = []

    @contextlib.contextmanager
    def watched(total, what, unit):
        bar = display.ProgressBar(total, what, unit, 0, False)
        yield bar
        seen.append((bar.total, bar.n, bar.text))

    monkeypatch.setattr(experiment, "progress_bar", watched)
    found = small_run(seed_count=2)
    models = sum(map(len, found.models.values()))
    assert seen == [(models, models, [*found.models][-1])]


def test_models_alone_have_a_bar_of_their_own(full_size, monkeypatch):
    seen = []

    @contextlib.contextmanager
    def watched(total, what, unit):
        bar = display.ProgressBar(total, what, unit, 0, False)
        yield bar
        seen.append((bar.total, bar.n))

    monkeypatch.setattr(experiment, "progress_bar", watched)
    models_alone(linear_encoders(), numbers(), 2, options=QUIET | {"epochs": 1})
    assert seen == [(2, 2)]
