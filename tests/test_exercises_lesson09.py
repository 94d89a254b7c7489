"""What the build and the leak of lesson 09 say to answers that people hand in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import exercises
from course_utils.exercises.core import RIGHT, WRONG, judge
from course_utils.exercises.lesson09 import headline_tells
from course_utils.multimodality import multimodality_report

BUILD = exercises.find("multimodality_report")


def without(key):
    def report(*arguments):
        return {k: v for k, v in multimodality_report(*arguments).items() if k != key}

    return report


@pytest.mark.parametrize("key", ["accuracy", "rival", "gain", "second_drop", "verdict"])
def test_a_report_that_lacks_an_entry_is_told_which(key):
    told = judge(BUILD, without(key), seed=3)
    assert told.kind == WRONG
    assert f"Your report has no '{key}'" in told.sentence


def test_a_page_of_text_in_place_of_a_dict_is_told_so():
    told = judge(BUILD, lambda *arguments: "interacts", seed=3)
    assert "A report is a dict" in told.sentence


def test_an_entry_that_is_wrong_for_an_unknown_reason_is_shown_beside_the_right_one():
    def report(*arguments):
        return multimodality_report(*arguments) | {"accuracy": 0.123}

    assert "yours is 0.123" in judge(BUILD, report, seed=3).sentence


@pytest.mark.parametrize("seed", range(5))
def test_the_reference_is_right_at_any_seed(seed):
    assert judge(BUILD, multimodality_report, seed).kind == RIGHT


ANYTHING = st.one_of(st.floats(), st.integers(), st.text(max_size=4), st.none(), st.booleans())


@settings(deadline=None, max_examples=10)
@given(st.dictionaries(st.sampled_from(["word", "means", "x"]), ANYTHING))
def test_any_dials_get_a_sentence_or_win(dials):
    found = headline_tells(dials, seed=0)
    assert found is True or (isinstance(found, str) and found.endswith("."))
