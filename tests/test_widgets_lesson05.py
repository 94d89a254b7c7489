"""The numbers and drawings under lesson 05's interactive figure, without a browser."""

import itertools

import numpy as np
import pytest
import torch

from course_utils.measures import best_additive_rule
from course_utils.widgets import lesson05 as widgets

ZEROS = (0.0,) * 5
STAIRS = (1.0, 2.0, 3.0, 4.0, 5.0), (-0.5, -1.5, -2.5, -3.5, -4.5)


def test_a_sum_above_zero_says_fit():
    assert widgets.says_fit((1, -1), (0, 2)).tolist() == [[True, True], [False, True]]


def test_half_the_cards_are_right_without_a_rule():
    assert widgets.share_right(ZEROS, ZEROS) == 0.5
    assert widgets.share_right((1,) * 5, ZEROS) == 0.5


def test_stairs_are_right_on_three_quarters():
    assert widgets.share_right(*STAIRS) == pytest.approx(0.75)


def test_no_sliders_do_better_than_the_best_rule():
    fits, misfits = torch.eye(5) / 10, (1 - torch.eye(5)) / 40
    u, v = (part.tolist() for part in best_additive_rule(fits, misfits))
    most = widgets.share_right(u, v)
    assert most == pytest.approx(0.75)
    rng = np.random.default_rng(0)
    tried = rng.uniform(-5, 5, (2000, 2, 5))
    assert max(itertools.starmap(widgets.share_right, tried)) <= most + 1e-9


def test_the_title_and_the_cells_say_what_is_right():
    axes = widgets.draw_additive_table(*STAIRS).axes[0]
    assert axes.get_title() == "right on 0.75 of the cards"
    words = [text.get_text() for text in axes.texts]
    assert words.count("wrong") == 10
    assert words.count("right") == 15
    assert "+0.5" in words


def test_a_legend_says_what_the_colour_and_the_frame_mean():
    figure = widgets.draw_additive_table(ZEROS, ZEROS)
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ['says "fits": u + v above 0', 'should say "fits"']


def test_the_three_joins_are_drawn_side_by_side_with_their_names():
    axes = widgets.draw_joins().axes[:3]
    assert [one.get_title() for one in axes] == list(widgets.JOINS)
    assert all(one.collections for one in axes)
    assert "maximum" in widgets.describe_joins()


def test_the_alt_text_counts_the_cells():
    text = widgets.describe_additive_table(*STAIRS)
    assert "in 5 of the 5 cells" in text
    assert "in 10 of the 20 others" in text
    assert "0.75" in text


def test_moving_a_slider_changes_the_count():
    figure = widgets.make_additive_explorer(ZEROS, ZEROS)
    assert "in 0 of the 5 cells" in figure.picture.value
    figure.controls["u_0"].value = 1.0
    assert "in 1 of the 5 cells" in figure.picture.value
    assert "in 4 of the 20 others" in figure.picture.value


def test_no_position_of_the_sliders_raises():
    figure = widgets.make_additive_explorer(ZEROS, ZEROS)
    for control in figure.controls.values():
        for edge in (control.min, control.max):
            control.value = edge
