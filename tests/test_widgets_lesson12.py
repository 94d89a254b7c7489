"""The numbers and drawings under lesson 12's figures, without a browser."""

import pytest
import torch
from matplotlib.figure import Figure

from course_utils.imbalance import bell_scores
from course_utils.widgets import lesson12 as widgets

SCORE = torch.tensor([0.9, 0.8, 0.4, 0.2, 0.1])
RARE = torch.tensor([True, False, True, False, False])


def test_a_threshold_divides_the_rows_into_found_missed_and_called_wrongly():
    assert widgets.confusions(SCORE, RARE, 0.5) == {"found": 1, "missed": 1, "called wrongly": 1}
    assert widgets.confusions(SCORE, RARE, 0.95) == {"found": 0, "missed": 2, "called wrongly": 0}
    as_tensor = widgets.confusions(SCORE, RARE, torch.tensor(0.5))
    assert as_tensor == widgets.confusions(SCORE, RARE, 0.5)


def test_precision_and_recall_of_no_call_are_zero():
    counts = widgets.confusions(SCORE, RARE, 0.95)
    assert widgets.precision_and_recall(counts) == (0, 0)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_a_threshold_is_drawn_and_told(threshold):
    assert isinstance(widgets.draw_threshold(SCORE, RARE, threshold), Figure)
    assert f"threshold {threshold:.2f}" in widgets.describe_threshold(SCORE, RARE, threshold)


def test_moving_the_threshold_changes_what_is_told():
    made = widgets.make_threshold_explorer(SCORE, RARE, 0.5)
    before = made.picture.value
    made.controls["threshold"].value = 0.3
    assert made.picture.value != before


def test_full_weights_put_the_threshold_in_the_middle():
    rules = widgets.both_rules(0.05, 2.0)
    assert rules["full shift or weights"] == (1.0, bell_scores(0.05, 2.0, 0.0))
    assert rules["plain"][0] > 1.0


@pytest.mark.parametrize("at", [(0.01, 0.5), (0.25, 4.0)])
def test_bells_are_drawn_and_told(at):
    assert isinstance(widgets.draw_bells(*at), Figure)
    assert "Full shift or weights: called rare above" in widgets.describe_bells(*at)
    assert widgets.make_bells_explorer(*at).picture.value


def test_the_dial_is_drawn_and_told():
    at = [0.001, 1.6], [0.57, 0.83], 0.84, 0.53, ["1", "0"]
    points = {text.get_text(): text.xy for text in widgets.draw_dial(*at).axes[0].texts}
    assert points == {"c = 1": (0.001, 0.57), "c = 0": (1.6, 0.83)}
    assert "0.001 (c = 1): 0.57" in widgets.describe_dial(*at)


def test_the_longest_bar_and_its_number_stay_in_the_picture():
    many = torch.cat([SCORE, torch.ones(50)])
    rare = torch.cat([RARE, torch.zeros(50, dtype=torch.bool)])
    bars = widgets.draw_threshold(many, rare, 0.0).axes[1]
    assert bars.get_xlim()[1] > 1.1 * max(patch.get_width() for patch in bars.patches)
