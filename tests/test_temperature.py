"""Temperature scaling: the T with the least cross-entropy."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from course_utils.measures import temperature


def drawn(seed, hot, rows=4000):
    """Calibrated logits and labels drawn from them; the logits are then made ``hot`` as large."""
    rng = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(rows, 4, generator=rng)
    label = logits.softmax(dim=1).multinomial(1, generator=rng)[:, 0]
    return hot * logits, label


@pytest.mark.parametrize("hot", [0.3, 1.0, 2.5])
def test_the_temperature_undoes_what_made_logits_too_large(hot):
    assert temperature(*drawn(0, hot)) == pytest.approx(hot, rel=0.06)


@given(st.integers(0, 1000), st.floats(0.2, 5))
@settings(max_examples=20, deadline=None)
def test_no_neighbour_is_better(seed, hot):
    logits, label = drawn(seed, hot, rows=60)
    T = temperature(logits, label)
    best = cross_entropy(logits.double() / T, label)
    for other in (0.97 * T, 1.03 * T):
        if 0.05 <= other <= 20:
            assert cross_entropy(logits.double() / other, label) >= best - 1e-9


def test_rows_that_are_all_right_stay_within_bounds():
    assert temperature(torch.eye(3), torch.arange(3)) == pytest.approx(0.05)


def test_other_shapes_get_a_sentence():
    with pytest.raises(ValueError, match=r"temperature needs logits \(n, C\)"):
        temperature(torch.zeros(3, 2), torch.zeros(2, dtype=torch.long))
