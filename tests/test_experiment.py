"""Measures, and the fair table on models so small that they take no time."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from torch import nn

from course_utils import evaluation
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.text import Vocabulary
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.evaluation import (
    accuracy,
    answers,
    compare,
    compare_frozen,
    fair_table,
    grow_table,
    linear_baselines,
    macro_f1,
    majority_baseline,
    only,
    paired_gain,
)
from course_utils.fusion import ConcatFusion, SumFusion
from course_utils.training import predict

free = settings(deadline=None)


# --- measures -----------------------------------------------------------------------------------


def test_accuracy_is_the_share_of_rows_whose_largest_score_is_the_labels():
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 4.0], [0.0, -1.0]])
    assert accuracy(logits, torch.tensor([0, 1, 0, 0])) == 0.75


def test_one_column_of_logits_answers_yes_where_it_is_positive():
    logits = torch.tensor([[0.3], [-0.2], [4.0], [-5.0]])
    assert accuracy(logits, torch.tensor([1, 0, 0, 0])) == 0.75
    assert accuracy(logits, torch.tensor([1.0, 0.0, 1.0, 0.0])) == 1


@pytest.mark.parametrize("shape", [(4, 1), (3,), ()])
def test_labels_of_another_shape_are_refused_before_they_broadcast(shape):
    with pytest.raises(ValueError, match=r"logits \(n, C\) and label \(n,\); it got \(4, 2\)"):
        accuracy(torch.zeros(4, 2), torch.zeros(shape, dtype=torch.long))


def test_the_majority_is_taken_from_the_training_rows():
    train, test = torch.tensor([2, 2, 1]), torch.tensor([1, 1, 1, 2])
    assert majority_baseline(train, test) == 0.25


def test_on_a_tie_the_smallest_class_is_named():
    assert majority_baseline(torch.tensor([1, 0]), torch.tensor([0, 0, 1])) == pytest.approx(2 / 3)


@free
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_macro_f1_equals_scikit_learns(pairs):
    label, predicted = torch.tensor(pairs).T
    theirs = f1_score(label, predicted, labels=range(4), average="macro", zero_division=0)
    assert macro_f1(label, predicted, classes=4) == pytest.approx(theirs, abs=1e-6)


def test_naming_one_class_always_has_a_low_macro_f1_and_a_high_accuracy():
    label = torch.tensor([0] * 9 + [1])
    assert macro_f1(label, torch.zeros(10, dtype=torch.long), 2) == pytest.approx(0.9 / 1.9)


def test_predictions_of_another_shape_are_refused_before_they_broadcast():
    with pytest.raises(ValueError, match=r"macro_f1 needs .*it got \(3,\) and \(3, 1\)"):
        macro_f1(torch.zeros(3).long(), torch.zeros(3, 1).long(), 2)


def test_the_paired_gain_is_the_difference_of_accuracies_within_its_interval():
    torch.manual_seed(0)
    a, b = torch.rand(200) < 0.8, torch.rand(200) < 0.7
    gain, low, high = paired_gain(a, b)
    assert gain == pytest.approx((a.double().mean() - b.double().mean()).item())
    assert low < gain < high


def test_the_interval_is_two_standard_errors_of_the_differences():
    a, b = torch.tensor([1, 1, 0, 1]).bool(), torch.tensor([0, 1, 0, 0]).bool()
    differences = np.array([1, 0, 0, 1])
    gain, low, high = paired_gain(a, b)
    assert gain == 0.5
    assert high - gain == pytest.approx(1.96 * differences.std(ddof=1) / 2)
    assert gain - low == pytest.approx(high - gain)


def test_models_that_are_right_on_the_same_rows_have_a_narrow_interval():
    a = torch.tensor([True, False] * 50)
    assert paired_gain(a, a) == (0, 0, 0)
    _, low, high = paired_gain(a, ~a)
    assert high - low > 0.3


def test_the_interval_holds_the_true_gain_in_95_of_100_samples():
    generator = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(1000):
        one, other = torch.rand(2, 300, generator=generator)
        other[:150] = one[:150]  # half of the rows are right or wrong together
        _, low, high = paired_gain(one < 0.8, other < 0.7)
        held += low <= 0.1 <= high
    assert held / 1000 == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize(("a", "b"), [((3,), (3, 1)), ((3,), (4,)), ((1,), (1,))])
def test_rows_that_cannot_be_paired_are_refused(a, b):
    with pytest.raises(ValueError, match="paired_gain needs two"):
        paired_gain(torch.ones(a, dtype=torch.bool), torch.ones(b, dtype=torch.bool))


# --- the fair table -----------------------------------------------------------------------------


def test_the_table_has_mean_and_spread_of_each_row_and_the_ceiling_last():
    table = fair_table({"majority": [0.2], "both": [0.8, 0.9]}, news_cards.ceiling())
    assert table.index.tolist() == [
        "majority", "both", "ceiling, image", "ceiling, text", "ceiling, both",
    ]  # fmt: skip
    assert table.loc["both", "mean"] == pytest.approx(0.85)
    assert table.loc["both", "spread"] == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert table.loc["both", ["seed 0", "seed 1"]].tolist() == [0.8, 0.9]
    assert table.loc["ceiling, image", "mean"] == pytest.approx(0.84)


def test_a_row_with_one_value_has_no_spread():
    table = fair_table({"majority": [0.2]})
    assert table.loc["majority", "mean"] == 0.2
    assert np.isnan(table.loc["majority", "spread"])


def test_only_keeps_one_modality_its_presence_and_the_label():
    tensors = {
        "image": torch.zeros(2, 1), "text": torch.ones(2, 3), "text_length": torch.ones(2),
        "label": torch.arange(2), "present": torch.tensor([[True, False], [True, True]]),
    }  # fmt: skip
    text = only(tensors, ["text"], ["image", "text"])
    assert set(text) == {"text", "text_length", "label", "present"}
    assert text["present"].tolist() == [[False], [True]]


@pytest.fixture(scope="module")
def world():
    """Splits of a small and easy world, and a function that makes encoders for it."""
    rows = news_cards.make(500, seed=1, image_noise=0, clutter=0, mismatch=0.3)
    vocabulary = Vocabulary.from_texts(rows["headline"])
    splits = {
        split: to_tensors(news_cards.rows_for(rows, "section", split), vocabulary)
        for split in ("train", "validation", "test")
    }
    words = len(vocabulary)
    return (
        splits,
        lambda: {"image": CNNEncoder(8, (4, 8)), "text": BagEncoder(words, 8)},
        vocabulary,
    )


@pytest.fixture(scope="module")
def smoke_run(world):
    """What compare finds under COURSE_SMOKE=1: one seed, one epoch, few batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_SMOKE", "1")
        return compare(
            world[0], world[1], {"concat": ConcatFusion, "sum": SumFusion}, classes=5,
            ceiling=news_cards.ceiling(), options={"progress": False},
            fusion_options={"progress": False},
        )  # fmt: skip


def test_compare_gives_majority_each_modality_each_fusion_and_the_ceiling(smoke_run):
    assert smoke_run.table.index.tolist() == [
        "majority", "image alone", "text alone", "concat", "sum",
        "ceiling, image", "ceiling, text", "ceiling, both",
    ]  # fmt: skip
    assert smoke_run.table["mean"].between(0, 1).all()


def test_compare_uses_one_seed_in_a_smoke_run(smoke_run):
    assert {len(models) for models in smoke_run.models.values()} == {1}


def test_compare_says_which_rows_each_model_got_right(smoke_run, world):
    right = smoke_run.right("concat")
    assert right.shape == world[0]["test"]["label"].shape
    assert right.double().mean().item() == pytest.approx(smoke_run.mean("concat"))


def test_a_compared_model_reads_batches_of_cards_and_gives_the_same_answers(smoke_run, world):
    model = smoke_run.models["concat"][0]
    logits = predict(model, Batches(world[0]["test"], 64))
    torch.testing.assert_close(logits, smoke_run.logits["concat"][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["image alone", "text alone", "sum"])
def test_a_compared_model_answers_for_rows_of_cards(smoke_run, world, name):
    rows = news_cards.make(6, seed=9)
    named = answers(smoke_run.models[name][0], rows, world[2])
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
        [encoders], world[0], {"concat": ConcatFusion}, 5, options={"progress": False}
    )
    assert [*frozen.logits] == ["concat"]
    for name, value in nn.ModuleDict(encoders).state_dict().items():
        assert torch.equal(value, before[name]), name


def test_compare_leaves_a_trained_table_when_run_at_full_size(world, monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    run = {"epochs": 15, "learning_rate": 0.02, "progress": False}
    found = compare(
        world[0], world[1], {"concat": ConcatFusion}, classes=5, seed_count=2,
        options=run, fusion_options=run,
    )  # fmt: skip
    assert len(found.accuracies["concat"]) == 2
    assert found.mean("text alone") > found.majority + 0.1
    assert found.mean("concat") > found.majority + 0.2
    assert found.table.loc["concat", ["seed 0", "seed 1"]].notna().all()


def test_linear_baselines_score_picture_words_and_both():
    rows = news_cards.make(300, seed=2, mismatch=0)
    split = {"train": news_cards.take(rows, np.arange(200)),
             "test": news_cards.take(rows, np.arange(200, 300))}  # fmt: skip
    scores = linear_baselines(split)
    assert [*scores] == ["image", "text", "both"]
    assert scores["text"] > 0.35  # chance is 0.2; 200 headlines are few
    assert all(0 <= score <= 1 for score in scores.values())


# --- the table that grows -----------------------------------------------------------------------


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path / "solutions").mkdir()
    monkeypatch.setattr(evaluation, "course_root", lambda: tmp_path)
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    monkeypatch.setenv("COURSE_BUILD", "1")
    return tmp_path


def stored(course):
    return pd.read_csv(course / "solutions" / "growing_table.csv", dtype={"lesson": str})


def test_the_table_grows_by_a_lessons_rows_when_it_is_built(course):
    grow_table("01", {"CNN": [0.8, 0.82]})
    table = grow_table("04", {"weighted": [0.9, 0.91]})
    assert table.index.tolist() == [("01", "CNN"), ("04", "weighted")]
    assert stored(course)["mean"].tolist() == pytest.approx([0.81, 0.905])
    assert stored(course)["seeds"].tolist() == [2, 2]


def test_a_lesson_built_again_replaces_its_rows(course):
    grow_table("01", {"CNN": [0.7, 0.7]})
    grow_table("01", {"CNN": [0.8, 0.8]})
    assert stored(course)["mean"].tolist() == [0.8]


def test_a_lesson_does_not_show_the_rows_of_later_ones(course):
    grow_table("04", {"weighted": [0.9]})
    assert grow_table("01", {"CNN": [0.8]}).index.tolist() == [("01", "CNN")]
    assert stored(course)["lesson"].tolist() == ["01", "04"]


@pytest.mark.parametrize(("name", "value"), [("COURSE_BUILD", "0"), ("COURSE_SMOKE", "1")])
def test_outside_a_full_build_the_file_stays_as_it_is(course, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    table = grow_table("01", {"CNN": [0.8]})
    assert not (course / "solutions" / "growing_table.csv").exists()
    assert math.isclose(table["mean"].iloc[0], 0.8)
