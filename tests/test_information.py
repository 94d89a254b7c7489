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


# --- bits, and what adding loses ------------------------------------------------------------------


def test_entropy_is_the_textbooks():
    assert information.entropy(np.array([0.5, 0.5])) == pytest.approx(1)
    assert information.entropy(np.full((2, 4), 1 / 8)) == pytest.approx(3)
    assert information.entropy(np.array([1.0, 0.0])) == 0


@settings(deadline=None, max_examples=8)
@given(joints)
def test_interaction_information_is_synergy_less_redundancy(numbers):
    joint = np.array(numbers).reshape(2, 2, 2) / sum(numbers)
    parts = information.partial_information(joint)
    found = information.interaction_information(joint)
    assert found == pytest.approx(parts.synergy - parts.redundant, abs=1e-5)
    lost = information.bits_lost_by_adding(joint, rounds=500)
    assert lost <= parts.synergy + 0.01  # fitting may not have converged yet


@pytest.mark.parametrize(
    ("name", "lost"), [("xor", 1), ("and", 0), ("or", 0), ("copy", 0), ("equal", 0), ("pair", 0)]
)
def test_of_the_rules_xor_alone_needs_an_interaction(name, lost):
    assert information.bits_lost_by_adding(dial.TWINS[name]) == pytest.approx(lost, abs=1e-3)


def test_adding_loses_nothing_where_the_senses_are_independent_given_the_label():
    rng = np.random.default_rng(0)
    first, second = rng.dirichlet(np.ones(3), size=2), rng.dirichlet(np.ones(4), size=2)
    joint = 0.5 * np.einsum("yi,yj->ijy", first, second)
    assert information.bits_lost_by_adding(joint) == pytest.approx(0, abs=1e-6)


def test_the_bits_that_adding_loses_are_those_of_a_logistic_regression():
    from scipy.optimize import minimize

    joint = np.random.default_rng(3).dirichlet(np.ones(8)).reshape(2, 2, 2)
    a, b = np.indices((2, 2))

    def bits(weights):
        score = weights[0] + weights[1] * a + weights[2] * b
        one, other = np.logaddexp(0, -score), np.logaddexp(0, score)
        return float((joint[:, :, 1] * one + joint[:, :, 0] * other).sum()) / np.log(2)

    left = information.entropy(joint) - information.entropy(joint.sum(axis=2))
    least = minimize(bits, np.zeros(3)).fun
    assert information.bits_lost_by_adding(joint) == pytest.approx(least - left, abs=1e-5)


def test_a_table_of_another_shape_is_answered_in_a_sentence():
    with pytest.raises(ValueError, match=r"\(I, J, K\), not \(2, 2\)"):
        information.interaction_information(np.full((2, 2), 0.25))
    with pytest.raises(ValueError, match=r"the least is -0\.5"):
        information.entropy(np.array([1.5, -0.5]))


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2)])
def test_mutual_information_refuses_another_number_of_axes_with_a_sentence(shape):
    with pytest.raises(ValueError, match="two axes"):
        information.mutual_information(np.full(shape, 1 / np.prod(shape)))


def test_a_chance_near_the_least_double_loses_nothing_by_adding():
    joint = np.zeros((2, 2, 2))
    joint[0, 0, 0], joint[1, 1, 0] = 1, 2.3e-308
    assert information.bits_lost_by_adding(joint) == 0
