"""What needs no network, and that the validation rows choose its settings, never the test rows."""

import numpy as np
import pytest
import torch

from course_utils import baselines
from course_utils.baselines import (
    STRENGTHS,
    features_of,
    linear_baselines,
    majority_baseline,
    tuned_linear,
)
from course_utils.data import news_cards, word_order
from course_utils.data.readers import ArrayReader, ColumnsReader, ImageReader, Reader, TextReader
from course_utils.data.rows import SPLITS, Rows, split_rows

CARDS = {"image": ImageReader(), "text": TextReader()}


@pytest.fixture(autouse=True)
def _full_size(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)


# --- the commonest class --------------------------------------------------------------------------


def test_the_majority_is_taken_from_the_training_rows():
    train, test = torch.tensor([2, 2, 1]), torch.tensor([1, 1, 1, 2])
    assert majority_baseline(train, test) == 0.25


def test_on_a_tie_the_smallest_class_is_named():
    assert majority_baseline(torch.tensor([1, 0]), torch.tensor([0, 0, 1])) == pytest.approx(2 / 3)


# --- linear models --------------------------------------------------------------------------------


def on_a_circle(n, rng):
    """Directions in the plane, labelled by a narrow sector: weights must be large."""
    angle = rng.uniform(-np.pi, np.pi, n)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1), (abs(angle) < 0.6).astype(np.int64)


def mostly_noise(n, rng):
    """One hint, wrong for a quarter of the rows, among 60 numbers: weights must not be large."""
    label = rng.integers(0, 2, n)
    numbers = rng.standard_normal((n, 60))
    numbers[:, 0] += np.where(rng.random(n) < 0.75, 2 * label - 1, 1 - 2 * label) * 3
    return numbers, label


def splits_of(world, n=120):
    return {
        split: dict(zip(("x", "label"), world(n, np.random.default_rng(seed)), strict=True))
        for seed, split in enumerate(SPLITS)
    }


@pytest.mark.parametrize(("world", "free"), [(on_a_circle, True), (mostly_noise, False)])
def test_the_validation_rows_choose_the_strength(world, free, monkeypatch):
    splits = splits_of(world)
    found = tuned_linear(splits, {"x": ArrayReader()})["x"]
    alone = {}
    for strength in STRENGTHS:
        monkeypatch.setattr(baselines, "STRENGTHS", (strength,))
        alone[strength] = tuned_linear(splits, {"x": ArrayReader()})["x"].validation
    assert found.validation == max(alone.values())
    assert found.settings == {"C": max(alone, key=alone.get)}  # the first of equals
    worst = STRENGTHS[0] if free else STRENGTHS[-1]
    assert alone[worst] < found.validation - 0.02
    assert (found.settings["C"] > 1) == free


def test_of_equal_strengths_the_most_regular_is_taken():
    splits = {split: {"x": np.array([-1.0, 1.0] * 20)[:, None], "label": np.array([0, 1] * 20)}
              for split in SPLITS}  # fmt: skip
    found = tuned_linear(splits, {"x": ArrayReader()})["x"]
    assert (found.validation, found.settings) == (1, {"C": STRENGTHS[0]})


def test_the_test_labels_choose_nothing():
    splits = splits_of(mostly_noise)
    one = tuned_linear(splits, {"x": ArrayReader()})["x"]
    rng = np.random.default_rng(9)
    splits["test"] = splits["test"] | {"label": rng.permutation(splits["test"]["label"])}
    other = tuned_linear(splits, {"x": ArrayReader()})["x"]
    assert other.accuracy != one.accuracy
    assert (other.settings, other.validation) == (one.settings, one.validation)
    assert torch.equal(other.predicted, one.predicted)


def test_the_accuracy_is_that_of_what_is_predicted_for_the_test_rows():
    splits = splits_of(on_a_circle)
    found = tuned_linear(splits, {"x": ArrayReader()})["x"]
    right = found.predicted == torch.from_numpy(splits["test"]["label"])
    assert found.accuracy == pytest.approx(right.double().mean().item())
    assert found.predicted.dtype == torch.long


def test_the_validation_rows_choose_whether_pairs_of_words_count(monkeypatch):
    splits = split_rows(word_order.make(600))
    found = tuned_linear(splits, {"text": TextReader()})["text"]
    monkeypatch.setattr(baselines, "PHRASES", (1,))
    words = tuned_linear(splits, {"text": TextReader()})["text"]
    assert found.settings["phrases"] == 2
    assert words.validation <= 0.5 < found.validation - 0.1


@pytest.fixture(scope="module")
def cards():
    return split_rows(news_cards.rows_for(news_cards.make(400, seed=2, mismatch=0), "section"))


def test_the_validation_rows_choose_how_many_directions_of_pictures_count(cards, monkeypatch):
    found = tuned_linear(cards, {"image": ImageReader()})["image"]
    alone = {}
    for count in baselines.DIRECTIONS:
        monkeypatch.setattr(baselines, "DIRECTIONS", (count,))
        alone[count] = tuned_linear(cards, {"image": ImageReader()})["image"].validation
    # Fewer directions are looked for one by one, and rounding may move a row.
    assert found.validation == pytest.approx(max(alone.values()), abs=0.02)
    assert alone[found.settings["directions"]] == pytest.approx(found.validation, abs=0.02)


def test_linear_baselines_score_picture_words_and_both(cards):
    scores = linear_baselines(cards, CARDS)
    assert [*scores] == ["image", "text", "both"]
    assert scores["text"] > 0.35  # chance is 0.2; 240 headlines are few
    assert all(0 <= score <= 1 for score in scores.values())


def test_a_third_modality_stands_beside_the_others(cards):
    rng = np.random.default_rng(0)
    told = {
        split: rows | {"hint": np.where(rng.random(len(rows["label"])) < 0.9, rows["label"], 0),
                       "age": rng.random(len(rows["label"]))}
        for split, rows in cards.items()
    }  # fmt: skip
    columns = ColumnsReader(["age"], ["hint"]).fit(told["train"], "columns")
    found = tuned_linear(told, CARDS | {"columns": columns})
    assert [*found] == ["image", "text", "columns", "all"]
    assert found["columns"].accuracy > 0.8
    assert found["all"].accuracy > found["text"].accuracy
    assert found["all"].settings["text"] == found["text"].settings
    assert found["all"].settings["C"] in STRENGTHS


def test_one_modality_has_nothing_to_stand_beside():
    assert [*tuned_linear(splits_of(on_a_circle), {"x": ArrayReader()})] == ["x"]


def test_texts_that_are_absent_are_empty_ones():
    texts = {"text": ["rain", None, "snow", float("nan")] * 5, "label": np.array([0, 1, 0, 1] * 5)}
    found = tuned_linear(dict.fromkeys(SPLITS, texts), {"text": TextReader()})["text"]
    assert found.predicted[1] == found.predicted[3]


def test_a_linear_model_reads_the_words_of_its_reader():
    texts = {"text": ["लाल", "नीला"] * 10, "label": np.array([0, 1] * 10)}
    ((_, features), *_) = features_of(TextReader(), dict.fromkeys(SPLITS, texts), "text")
    assert features["train"].shape == (20, 2)
    one_word = TextReader(tokenize=lambda text: ["x"])
    ((_, features), *_) = features_of(one_word, dict.fromkeys(SPLITS, texts), "text")
    assert features["train"].shape == (20, 1)


def test_tfidf_of_english_is_what_scikit_learn_makes_of_its_words(cards):
    from sklearn.feature_extraction.text import TfidfVectorizer

    reader = TextReader()
    for settings, features in features_of(reader, cards, "text"):
        own = TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, settings["phrases"]))
        train = own.fit_transform(cards["train"]["headline"])
        assert (features["train"] != train).nnz == 0
        assert (features["test"] != own.transform(cards["test"]["headline"])).nnz == 0


def test_texts_without_any_word_are_answered_in_a_sentence():
    texts = {"text": ["...", None] * 5, "label": np.array([0, 1] * 5)}
    with pytest.raises(ValueError, match="no training row has a word in its 'text'"):
        tuned_linear(dict.fromkeys(SPLITS, texts), {"text": TextReader()})


def test_a_smoke_run_tries_one_setting_of_each(cards, monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    found = tuned_linear(cards, CARDS)
    assert found["image"].settings == {"directions": baselines.DIRECTIONS[0], "C": 1.0}
    assert found["text"].settings == {"phrases": 1, "C": 1.0}


# --- features of readers of one's own -------------------------------------------------------------


class Frames(Reader):
    """Three frames of two numbers for each row, of which the first ``length`` are real."""

    def __init__(self, padding):
        super().__init__()
        self.padding = padding

    def read(self, cells):
        vectors = torch.full((len(cells), 3, 2), float(self.padding))
        for k, frames in enumerate(cells):
            vectors[k, : len(frames)] = torch.tensor(frames)
        return {"": vectors, "_length": torch.tensor([len(frames) for frames in cells])}


def test_a_sequence_is_the_mean_of_its_real_parts_brought_to_one_spread():
    rows = {"train": {"sound": [[[1.0, 1.0], [5.0, 7.0]], [[0.0, 2.0]]]}}
    for padding in (0, 99):
        ((settings, features),) = features_of(Frames(padding), rows, "sound")
        assert settings == {}
        # Means (3, 4) and (0, 2); less their mean, in units of their spread, over the root of 2.
        side = 0.5**0.5
        np.testing.assert_allclose(features["train"], [[side, side], [-side, -side]], rtol=1e-6)


def test_a_column_that_never_moves_becomes_zeros():
    rows = {"train": Rows({"x": np.array([[7.0, 0.0], [7.0, 4.0]])})}
    ((_, features),) = features_of(ArrayReader(), rows, "x")
    np.testing.assert_allclose(features["train"][:, 0], [0, 0])
    assert np.isfinite(features["train"]).all()
