"""The numbers and drawings under lesson 09's interactive figure, without a browser."""

import numpy as np
import pytest

from course_utils.data import dial
from course_utils.widgets import lesson09 as widgets


def test_the_first_table_is_the_twin_and():
    np.testing.assert_allclose(widgets.joint_of(*widgets.AND, 0.5), dial.TWINS["and"])


def test_bits_that_are_always_equal_hold_no_synergy():
    *_, synergy, lost = widgets.numbers_of(0, 1, 0, 1, alike=1)
    assert (synergy, lost) == pytest.approx((0, 0), abs=1e-6)


def test_the_lessons_table_has_synergy_that_no_head_needs():
    *_, synergy, lost = widgets.numbers_of(0.05, 0.5, 0.5, 0.95, alike=0.5)
    assert synergy > 0.2
    assert lost < 1e-6


def test_the_alt_text_says_what_the_bars_show():
    assert "synergy 0.50, lost by adding 0.00" in widgets.describe_bits()
    assert len(widgets.draw_bits().axes[1].patches) == 5


def test_the_sliders_draw_what_they_say():
    figure = widgets.make_bits_explorer(widgets.AND, 0.5)
    figure.controls["p01"].value = 1.0
    assert "synergy" in figure.picture.value
    assert widgets.describe_bits(0, 1, 0, 1, 0.5) in figure.picture.value


def test_a_map_of_blocks_names_the_one_that_tells():
    found = {(row, column): 0.5 for row in range(6) for column in range(6)} | {(5, 0): 0.8}
    assert "row 5, column 0" in widgets.describe_blocks(found)
    assert len(widgets.draw_blocks(found, np.zeros((48, 48, 3))).axes[1].texts) == 36
