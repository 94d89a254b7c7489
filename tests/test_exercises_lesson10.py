"""What the build of lesson 10 says to answers that people hand in."""

import pytest

from course_utils import exercises
from course_utils.exercises.core import RIGHT, WRONG, judge
from course_utils.exercises.lesson10 import MaskedOnce
from course_utils.fusion import JointAttentionFusion

BUILD = exercises.find("JointAttentionFusion")


class ListOfNames(JointAttentionFusion):
    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__(dims, dim, heads, layers)
        self.names = list(dims)


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_that_reaches_the_first_layer_alone_is_refused(seed):
    told = judge(BUILD, MaskedOnce, seed)
    assert told.kind == WRONG
    assert "Hand the same mask to every layer" in told.sentence


def test_names_in_a_list_are_not_the_tuple_asked_for():
    told = judge(BUILD, ListOfNames, seed=3)
    assert told.kind == WRONG
    assert "`names` should be a tuple" in told.sentence


@pytest.mark.parametrize("seed", range(5))
def test_the_reference_is_right_at_any_seed(seed):
    assert judge(BUILD, JointAttentionFusion, seed).kind == RIGHT
