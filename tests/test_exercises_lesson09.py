"""What the build and the leak of lesson 09 say to answers that people hand in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import exercises
from course_utils.data import planted
from course_utils.exercises import lesson09
from course_utils.exercises.core import RIGHT, WRONG, Broken, judge
from course_utils.exercises.lesson09 import headline_tells
from course_utils.information import mutual_information
from course_utils.measures import permutation_drop
from course_utils.multimodality import emap, multimodality_report

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
    assert isinstance(found, Broken) or (isinstance(found, str) and found.endswith("."))


OTHERS = [
    ({"second_drop": lesson09.drop_with_label_moved(1)}, "shuffle the label along"),
    ({"second_drop": lesson09.drop_of(lesson09.first_shuffled)}, "first sense for 'second_drop'"),
    ({"second_drop": lesson09.drop_of(lesson09.both_shuffled)}, "both senses for 'second_drop'"),
    ({"interaction": lesson09.interaction_of_shares}, "EMAP of the probabilities"),
    ({"interaction": lesson09.interaction_over_rival(turned=True)}, "EMAP with the rival"),
    ({"interaction": lambda *given: multimodality_report(*given)["gain"]}, "rival once more"),
    ({"interaction": lesson09.interaction_of_means}, "linear in each sense"),
    ({"interaction": lesson09.interaction_with(lesson09.mean_partners)}, "counts twice"),
    ({"interaction": lesson09.table_with(lambda t: t.mean(1))}, "three means"),
    ({"interaction": lesson09.table_with(lambda t: t.mean(0))}, "three means"),
    (
        {"interaction": lesson09.table_with(lambda t: emap(lesson09.answers_of(t)))},
        "EMAP of the answers",
    ),
    ({"interaction": lesson09.drop_of(lesson09.first_shuffled)}, "what shuffling a sense costs"),
    ({"rival": lesson09.rival_by(lesson09.worst_in)}, "right least often"),
    ({"rival": lesson09.rival_by(lambda alone: next(iter(alone)))}, "the first name"),
    ({"verdict": lesson09.verdict_by_drops(0)}, "Using both senses is not comparing"),
    ({"verdict": lesson09.verdict_by_drops(1)}, "Using both senses is not comparing"),
    ({"verdict": lesson09.verdict_by_drops(1, gain_too=False)}, "not comparing"),
    ({"verdict": lesson09.verdict_with_ties(False, True)}, "ask for `> 0`"),
    ({"verdict": lesson09.verdict_with_ties(True, True)}, "ask for `<= 0`"),
    ({"verdict": lesson09.interaction_first}, "about the interaction first"),
    ({"verdict": lesson09.verdict_by(2, 1)}, "low end of the gain's interval"),
]


@pytest.mark.parametrize(("ways", "said"), OTHERS)
def test_natural_slips_of_the_report_are_named(ways, said):
    for seed in (3, 4):
        assert said in judge(BUILD, lesson09.reported(**ways), seed).sentence


@pytest.mark.parametrize("seed", range(10))
def test_the_mean_partner_is_told_from_emap_at_any_seed(seed):
    report = lesson09.reported(interaction=lesson09.interaction_of_means)
    told = judge(BUILD, report, seed)
    assert told.kind == WRONG
    assert lesson09.MEAN_PARTNER in told.sentence


@pytest.mark.parametrize("seed", range(3))
def test_emap_of_probabilities_by_a_line_before_the_return_is_told_as_one(seed):
    def attempt(scores):
        scores = scores.softmax(-1)
        return scores.mean(1) + scores.mean(0) - scores.mean((0, 1))

    told = judge(exercises.find("emap"), attempt, seed)
    assert "softmax" in told.sentence
    assert "changed places" not in told.sentence


def test_an_error_behind_the_first_entries_is_not_laid_to_the_first_part():
    def report(score, first, second, label, alone, orders):
        found = multimodality_report(score, first, second, label, alone, orders)
        return found | {"first_drop": permutation_drop(label == 0, [True, False])}

    assert judge(BUILD, report, seed=3).sentence.startswith("Your code raised")


@pytest.mark.parametrize("seed", range(10))
def test_questions_in_the_wrong_order_are_found_at_any_seed(seed):
    ways = {"verdict": lesson09.interaction_first}
    report, sets = lesson09.reported(**ways), lesson09.verdict_sets(seed)
    wanted = [multimodality_report(*one)["verdict"] for one in sets]
    assert [report(*one)["verdict"] for one in sets] != wanted


@pytest.mark.parametrize(
    "whole",
    [lambda joint: joint.reshape(len(joint), -1), lambda joint: joint.flatten(1, 2)],
)
def test_a_table_of_both_that_is_cut_in_the_wrong_place_is_said_so(whole):
    def attempt(joint):
        both = mutual_information(whole(joint))
        return both - mutual_information(joint.sum(1)) - mutual_information(joint.sum(0))

    told = judge(exercises.find("interaction_information"), attempt, seed=3)
    assert "flatten axes 0 and 1" in told.sentence


def test_a_table_of_three_axes_is_told_that_two_are_wanted():
    def attempt(joint):
        return mutual_information(joint) - 1.0

    told = judge(exercises.find("interaction_information"), attempt, seed=3)
    assert "two axes" in told.sentence


def test_shares_divided_by_the_number_of_senses_are_told_to_count_orders():
    def attempt(value):
        names = sorted(max(value, key=len))
        shares = dict.fromkeys(names, 0.0)
        for order in lesson09.permutations(names):
            seen = frozenset()
            for name in order:
                shares[name] += (value[seen | {name}] - value[seen]) / len(names)
                seen = seen | {name}
        return shares

    told = judge(exercises.find("modality_shapley"), attempt, seed=3)
    assert "number of orders" in told.sentence


def test_a_word_that_means_the_opposite_is_told_to_turn():
    assert "turn" in headline_tells({"word": planted.CUE, "means": 1}, seed=0)
