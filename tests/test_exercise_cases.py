"""What single exercises promise beyond what every exercise does: which answers they tell apart."""

import copy

import pytest
import torch

from course_utils import exercises
from course_utils.exercises.core import RIGHT, WRONG, judge


def verdict(name, attempt, seed=0):
    return judge(exercises.find(name), attempt, seed)


def test_a_rule_of_the_wrong_shape_is_told_which_part_is_wrong():
    best = exercises.find("best_additive_rule").reference
    wrong = lambda fits, misfits: (best(fits, misfits)[0], best(fits, misfits)[1][None])  # noqa: E731
    told = verdict("best_additive_rule", wrong)
    assert told.kind == WRONG
    assert told.sentence.startswith("The shape of v is")


@pytest.mark.parametrize("shift", [0.25, -7.0])
def test_any_best_rule_is_right_whatever_its_numbers(shift):
    best = exercises.find("best_additive_rule").reference

    def shifted(fits, misfits):
        u, v = best(fits, misfits)
        return (u + shift).float(), (v - shift).tolist()

    assert verdict("best_additive_rule", shifted).kind == RIGHT


def test_the_optimizer_of_a_step_remembers_what_its_copy_met():
    rng = torch.Generator().manual_seed(0)
    for model, batch, optimizer in exercises.find("training_step").cases(rng):
        copied_model, copied_batch, copied = copy.deepcopy((model, batch, optimizer))
        exercises.find("training_step").reference(copied_model, copied_batch, copied)
        assert copied.param_groups[0]["met"] == ["gradients"]
        assert optimizer.param_groups[0]["met"] == []


def test_a_count_of_epochs_is_not_taken_for_yes_or_no():
    def waited(scores, patience):
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0

    assert "bool" in verdict("should_stop", waited).sentence


@pytest.mark.parametrize("offset", ["3.0", [3.0], ..., None])
def test_a_dial_that_is_no_number_is_called_so_by_its_name(offset):
    told = verdict("enough_to_add", lambda: {"offset": offset})
    assert told.kind == WRONG
    assert "offset" in told.sentence
    assert "number" in told.sentence
    assert "Error" not in told.sentence
