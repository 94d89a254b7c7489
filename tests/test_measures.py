"""Accuracy, macro F1, gains and drops, intervals, calibration.

Measures of interaction: ``test_interactions.py``.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support

from course_utils.measures import (
    accuracy,
    class_scores,
    expected_calibration_error,
    macro_f1,
    paired_gain,
    permutation_drop,
    reliability,
    wilson_interval,
)


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


# --- intervals, drops, calibration ----------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_each_classs_scores_are_scikit_learns(pairs):
    label, predicted = torch.tensor(pairs).T
    theirs = precision_recall_fscore_support(label, predicted, labels=range(4), zero_division=0)
    for score, *their in zip(class_scores(predicted, label, 4), *theirs, strict=True):
        assert (*score[1:], score.rows) == pytest.approx(tuple(their), abs=1e-9)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_holds_the_share_and_has_width_at_both_ends(counts):
    right, rows = counts
    low, high = wilson_interval(right, rows)
    assert 0 <= low <= right / rows <= high <= 1
    assert high - low > 1 / (rows + 4)
    mirrored = wilson_interval(rows - right, rows)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


def test_the_interval_is_the_one_in_textbooks():
    # Agresti and Coull, The American Statistician 52, 1998, begin with no success in 10
    assert wilson_interval(0, 10) == pytest.approx((0, 0.278), abs=5e-4)
    assert wilson_interval(5, 10) == pytest.approx((0.237, 0.763), abs=5e-4)


@pytest.mark.parametrize(("right", "rows"), [(0, 0), (3, 2), (-1, 4)])
def test_a_share_of_nothing_has_no_interval(right, rows):
    with pytest.raises(ValueError, match=rf"not of {right} among {rows}"):
        wilson_interval(right, rows)


def test_the_interval_covers_the_true_share_nineteen_times_in_twenty():
    drawn = np.random.default_rng(0).binomial(60, 0.9, size=4000)
    inside = [low <= 0.9 <= high for low, high in (wilson_interval(int(k), 60) for k in drawn)]
    assert 0.92 < np.mean(inside) < 0.98


def test_what_a_model_does_not_read_can_be_shuffled_without_a_drop():
    right = torch.rand(50) < 0.7
    assert permutation_drop(right, right.expand(3, -1)) == (0, 0, 0)


def test_the_drop_is_the_mean_over_shuffles_and_rows():
    right = torch.tensor([1, 1, 1, 0]).bool()
    shuffled = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 0]]).bool()
    drop, low, high = permutation_drop(right, shuffled)
    assert drop == pytest.approx(0.75 - 3 / 8)
    assert low < drop < high
    with pytest.raises(ValueError, match=r"shuffled \(K, n\), n at least 2; it got \(4,\)"):
        permutation_drop(right, shuffled[:, :3])


def test_a_model_that_is_right_as_often_as_it_says_is_calibrated():
    sure = torch.full((100, 2), 0.2)
    sure[:, 1] = 0.8
    label = torch.tensor([1] * 80 + [0] * 20)
    assert expected_calibration_error(sure, label) == pytest.approx(0, abs=1e-6)
    (only,) = reliability(sure, label)
    assert (only.rows, only.confidence, only.accuracy) == pytest.approx((100, 0.8, 0.8))
    assert expected_calibration_error(sure, 1 - label) == pytest.approx(0.6)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_no_row_is_lost_between_the_bins(seed, bins):
    generator = torch.Generator().manual_seed(seed)
    probabilities = (3 * torch.randn(50, 3, generator=generator)).softmax(dim=1)
    label = torch.randint(3, (50,), generator=generator)
    found = reliability(probabilities, label, bins)
    assert sum(one.rows for one in found) == 50
    right = sum(one.rows * one.accuracy for one in found) / 50
    assert right == pytest.approx(accuracy(probabilities, label))
    assert 0 <= expected_calibration_error(probabilities, label, bins) <= 1


@pytest.mark.parametrize("edge", [1.0, 0.5])
def test_confidences_on_a_bins_edge_have_a_bin(edge):
    probabilities = torch.tensor([[edge, 1 - edge]])
    assert reliability(probabilities, torch.tensor([0]), 2)[0].rows == 1
    with pytest.raises(ValueError, match="n at least 1; it got"):
        reliability(probabilities[:0], torch.zeros(0, dtype=torch.long))
