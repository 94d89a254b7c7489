"""Accuracy, macro F1 and the paired gain. Measures of interaction: ``test_interactions.py``."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from course_utils.measures import accuracy, macro_f1, paired_gain


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


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_macro_f1_equals_scikit_learns(pairs):
    label, predicted = torch.tensor(pairs).T
    theirs = f1_score(label, predicted, labels=range(4), average="macro", zero_division=0)
    assert macro_f1(predicted, label, classes=4) == pytest.approx(theirs, abs=1e-6)


def test_naming_one_class_always_has_a_low_macro_f1_and_a_high_accuracy():
    label = torch.tensor([0] * 9 + [1])
    assert macro_f1(torch.zeros(10, dtype=torch.long), label, 2) == pytest.approx(0.9 / 1.9)


def test_predictions_of_another_shape_are_refused_before_they_broadcast():
    with pytest.raises(ValueError, match=r"macro_f1 needs predicted .*got \(3, 1\) and \(3,\)"):
        macro_f1(torch.zeros(3, 1).long(), torch.zeros(3).long(), 2)


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
