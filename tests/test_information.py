"""Information in bits: the textbook's numbers, and what holds for any table."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from course_utils import information
from course_utils.data import dial


@pytest.mark.parametrize("name", list(dial.TWINS))
def test_the_twins_partial_information_is_the_textbooks(name):
    np.testing.assert_allclose(
        information.partial_information(dial.TWINS[name]), dial.EXACT[name], atol=1e-6
    )


@pytest.mark.parametrize("name", ["xor", "and", "or", "copy", "equal"])
def test_there_the_two_measures_agree(name):
    np.testing.assert_allclose(
        information.williams_beer(dial.TWINS[name]), dial.EXACT[name], atol=1e-9
    )


def test_two_bits_copied_are_where_the_measures_differ():
    assert information.williams_beer(dial.TWINS["pair"]) == pytest.approx((1, 0, 0, 1))
    assert information.partial_information(dial.TWINS["pair"]) == pytest.approx(
        (0, 1, 1, 0), abs=1e-6
    )


def test_two_independent_sensors_of_one_bit_have_synergy_too():
    parts = information.partial_information(dial.two_sensors(0.2))
    assert parts.redundant == pytest.approx(0.278, abs=1e-3)
    assert parts.synergy == pytest.approx(0.183, abs=1e-3)
    assert parts.unique_first == pytest.approx(0, abs=1e-6)


joints = st.lists(st.floats(0, 1), min_size=8, max_size=8).filter(lambda p: sum(p) > 0.1)


@settings(deadline=None, max_examples=25)
@given(joints)
@example([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1e-300, 1e-300])  # whose rounding is negative
@example([1e-300, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])  # whose products are too small for a float
def test_the_parts_are_never_negative_and_sum_to_all_there_is(numbers):
    joint = np.array(numbers).reshape(2, 2, 2) / sum(numbers)
    first, second = joint.sum(axis=1), joint.sum(axis=0)
    for measure in (information.partial_information, information.williams_beer):
        parts = measure(joint)
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(
            information.mutual_information(joint.reshape(4, -1)), abs=1e-5
        )
        known = parts.redundant + parts.unique_first
        assert known == pytest.approx(information.mutual_information(first), abs=1e-5)
        known = parts.redundant + parts.unique_second
        assert known == pytest.approx(information.mutual_information(second), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_joint_with_the_same_margins_tells_less(seed):
    joint = np.random.default_rng(seed).dirichlet(np.full(8, 0.5)).reshape(2, 2, 2)
    least = information.least_telling(joint)
    np.testing.assert_allclose(least.sum(axis=1), joint.sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(least.sum(axis=0), joint.sum(axis=0), atol=1e-9)
    found = information.mutual_information(least.reshape(4, -1))
    swap = np.array([[1, -1], [-1, 1]])  # keeps both margins
    for step in itertools.product(np.linspace(-0.5, 0.5, 41), repeat=2):
        other = joint + swap[:, :, None] * np.array(step)
        if other.min() >= 0:
            assert information.mutual_information(other.reshape(4, -1)) >= found - 1e-9


def test_tables_that_are_no_probabilities_are_answered_in_a_sentence():
    with pytest.raises(ValueError, match="not \\(2, 3, 2\\)"):
        information.partial_information(np.full((2, 3, 2), 1 / 12))
    with pytest.raises(ValueError, match="these sum to 2"):
        information.williams_beer(np.full((2, 2, 2), 0.25))
