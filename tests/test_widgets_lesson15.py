"""The numbers and drawings under lesson 15's interactive figure, without a browser."""

import numpy as np
import pytest
import torch

from course_utils.data import motion_clips
from course_utils.widgets import lesson15 as widgets


@pytest.fixture(scope="module")
def rows():
    return motion_clips.make(3, seed=5, without=0, twin=0)


@pytest.fixture(scope="module")
def clip(rows):
    return rows["clip"][0]


def test_shuffling_keeps_the_average_and_changes_what_moves(clip):
    plain, mixed = widgets.in_time(clip, False), widgets.in_time(clip, True)
    torch.testing.assert_close(plain.mean(dim=0), mixed.mean(dim=0))
    change = [np.mean([widgets.moved(one, k) for k in range(1, 16)]) for one in (plain, mixed)]
    assert change[1] > change[0] + 0.005


def test_a_clip_beside_its_reversal_has_the_same_average_and_other_frames(clip):
    two = {"first": clip, "second": clip[::-1]}
    figure = widgets.draw_strips(two, count=4)
    assert len(figure.axes) == 10
    np.testing.assert_allclose(figure.axes[4].images[0].get_array(),
                               figure.axes[9].images[0].get_array())  # fmt: skip
    assert "the same in all lines" in widgets.describe_strips(two)


def test_averages_that_differ_are_told(rows):
    two = {"first": rows["clip"][0], "second": rows["clip"][1]}
    assert "not the same in all lines" in widgets.describe_strips(two)


def test_the_scrubber_redraws_figure_and_alt_text(clip):
    figure = widgets.make_scrubber(clip)
    assert "in order. From place 7 to 8" in figure.picture.value
    figure.controls["moment"].value = 15
    figure.controls["shuffled"].value = True
    assert "shuffled. From place 14 to 15" in figure.picture.value
    assert "differs from that of the clip in order by 0.00" in figure.picture.value


def test_the_scrubber_shows_the_frame_less_the_one_before(clip):
    drawn = widgets.draw_scrub(clip, 3).axes[2].images[0].get_array()
    expected = (clip[3].astype(float) - clip[2]) / 255
    np.testing.assert_allclose(drawn, expected, atol=1e-6)


def test_rows_are_drawn_with_poster_frames_and_wave(rows):
    assert len(widgets.draw_rows(rows, [0, 2]).axes) == 10
    assert rows["caption"][2] in widgets.describe_rows(rows, [0, 2])


def test_a_row_tells_whether_each_sense_is_silent_or_tells_the_event_or_a_twin():
    loud = motion_clips.make(4, seed=1, without=0, twin=0)
    assert widgets.says(loud, 1, "image") == "event"
    turned = motion_clips.make(4, seed=1, without=0, twin=1)
    assert widgets.says(turned, 1, "audio") == "twin"
    assert "clip silent" in widgets.describe_rows(motion_clips.make(4, seed=1, without=1), [0])


def test_accuracies_stand_beside_their_ceilings():
    found, ceilings = {"a": [0.5, 0.7], "a + b": [0.8, 0.9]}, {"a": 0.65}
    assert len(widgets.draw_under_ceilings(found, ceilings, 0.25).axes[0].lines) == 4
    told = widgets.describe_under_ceilings(found, ceilings, 0.25)
    assert "a 0.60, ceiling 0.65; a + b 0.85. Chance is 0.25" in told


def test_orders_are_told_as_they_are_and_shuffled():
    plain, mixed = {"average": [0.5, 0.5], "GRU": [0.9, 1.0]}, {"average": [0.5], "GRU": [0.52]}
    assert len(widgets.draw_orders(plain, mixed).axes[0].lines) == 5
    told = widgets.describe_orders(plain, mixed)
    assert "average 0.50, shuffled 0.50; GRU 0.95, shuffled 0.52" in told
