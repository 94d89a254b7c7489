"""What is measured for a report: rivals, answers and parts are chosen without the test rows."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import findings
from course_utils.data.rows import Rows
from course_utils.findings import Line, choose_answers, gains, part_of, some_of, without
from course_utils.model_file import Answer, Classifier


def line(kind, name, share, validation):
    return Line(kind, name, torch.arange(100) < 100 * share, validation)


def test_the_rival_is_the_one_that_validation_rows_prefer():
    lines = [line("majority", "majority", 0.2, float("nan")), line("linear", "a", 0.6, 0.9),
             line("linear", "b", 0.8, 0.5), line("network", "c", 0.5, 0.4)]  # fmt: skip
    chosen = line("fusion", "both", 0.7, 0.8)
    found = {gain.over: gain.gain for gain in gains([*lines, chosen], chosen)}
    assert found == pytest.approx({"a": 0.1, "c": 0.2})


def test_a_model_is_no_rival_of_itself():
    chosen = line("network", "image", 0.7, 0.8)
    assert gains([chosen], chosen) == []


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 9))
def test_a_part_holds_the_smaller_parts_and_every_class(labels, seed):
    rows = Rows({"label": np.array(labels), "place": np.arange(len(labels))})
    parts = [set(part_of(rows, share, seed)["place"].tolist()) for share in (0.125, 0.25, 0.5, 1)]
    for smaller, larger in itertools.pairwise(parts):
        assert smaller <= larger
    assert parts[-1] == set(range(len(labels)))
    for part in parts:
        assert {labels[k] for k in part} == {*labels}


def test_every_choice_of_some_modalities_is_asked_once():
    assert some_of("ab") == [("a",), ("b",)]
    assert len(some_of("abc")) == 6
    assert some_of("a") == []


class Stub(Classifier):
    """A classifier whose two models need no network."""

    def __init__(self):
        model = torch.nn.Module()
        model.encoders = {"image": torch.nn.Module(), "text": torch.nn.Module()}
        model.encoders["image"].reads = ("image",)
        model.encoders["text"].reads = ("text", "text_words")
        super().__init__(("x", "y"), dict.fromkeys(["image", "text", "text_words"]),
                         {"chosen": ({}, model)})  # fmt: skip

    def tensors(self, rows):
        there = torch.ones(4, dtype=torch.bool)
        return {"present": {"image": there, "text": there, "text_words": there}}, None


def test_a_modality_is_taken_away_from_all_its_readers():
    classifier = Stub()
    less = without(classifier, classifier.tensors({})[0], ("image",))["present"]
    assert {name: bool(there.all()) for name, there in less.items()} == {
        "image": True, "text": False, "text_words": False}  # fmt: skip


@pytest.mark.parametrize(("accuracies", "who"), [
    ({"chosen": 0.5, "image": 0.7}, "image"), ({"chosen": 0.7, "image": 0.5}, "chosen"),
    ({"chosen": 0.6, "image": 0.6}, "chosen"),
])  # fmt: skip
def test_who_answers_is_right_most_often_on_validation_rows(accuracies, who, monkeypatch):
    monkeypatch.setattr(findings, "accuracies_given", lambda *_: accuracies)
    best = max(accuracies.values())
    assert choose_answers(Stub(), {"label": [0, 1, 0, 1]}) == [
        Answer(("image",), who, best, 4), Answer(("text",), who, best, 4)]  # fmt: skip
