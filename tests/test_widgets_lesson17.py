"""The numbers and drawings under lesson 17's interactive figure, without a browser."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from course_utils.contrastive import matching_loss
from course_utils.data import news_cards
from course_utils.widgets import lesson17 as widgets


@pytest.fixture
def matrix():
    cosines = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.1, 0.6], [0.0, -0.5, 0.8]])
    return widgets.Matrix(np.zeros((3, 4, 4, 3), np.uint8), ["one", "two", "three"], cosines)


def test_a_low_temperature_gives_all_to_the_largest_and_a_high_one_the_same_to_each(matrix):
    cold, warm = widgets.shares(matrix, 0.01), widgets.shares(matrix, 1000.0)
    torch.testing.assert_close(cold.argmax(1), torch.tensor([0, 2, 2]))
    assert cold.amax(1).min() > 0.99
    torch.testing.assert_close(warm, torch.full((3, 3), 1 / 3), atol=1e-3, rtol=0)
    assert widgets.loss_at(matrix, 1000.0) == pytest.approx(math.log(3), abs=1e-3)
    assert widgets.loss_at(matrix, 0.1) == pytest.approx(matching_loss(matrix.cosines * 10).item())


def test_moving_the_temperature_redraws_matrix_and_alt_text(matrix):
    figure = widgets.make_temperature_explorer(matrix)
    assert "For 2 pictures the largest cosine is that of their own text" in figure.picture.value
    before = figure.picture.value
    figure.controls["temperature"].value = 1.0
    assert "At temperature 1.00" in figure.picture.value
    assert figure.picture.value != before


def test_every_sentence_has_its_row_of_pictures():
    found = {"red": np.zeros((3, 4, 4, 3), np.uint8), "blue": np.zeros((2, 4, 4, 3), np.uint8)}
    figure = widgets.draw_found(found)
    assert [axes.get_title(loc="left") for axes in figure.axes[::3]] == ["red", "blue"]
    said = widgets.describe_found(found, {"red": "3 red ones", "blue": "none"})
    assert "for 'red', 3 red ones; for 'blue', none" in said


def test_curves_are_told_from_their_first_epoch_to_their_last():
    curves = pd.DataFrame({"colour": [0.2, 0.9], "section": [0.2, 0.31]}, index=[0, 12])
    chance = {"colour": 0.2, "section": 0.2}
    assert len(widgets.draw_curves(curves, chance).axes[0].lines) == 4
    said = widgets.describe_curves(curves, chance)
    assert "from epoch 0 to 12: colour from 0.20 to 0.90 (chance 0.20); section" in said


def test_cards_are_told_by_what_they_show():
    cards = news_cards.make(40, 3, attributes=True, typos=0)
    shown = int(np.flatnonzero(cards["count"] >= 0)[0])
    bare = int(np.flatnonzero(cards["count"] < 0)[0])
    said = widgets.in_words(cards, [shown, bare])
    first = " ".join(cards["headline"][shown].split()[:3])
    assert said == f"{first} {news_cards.SECTIONS[cards['true_section'][shown]]}, no motif"
