"""The numbers and drawings under lesson 10's interactive figure, without a browser."""

import numpy as np
import pandas as pd
import pytest

from course_utils.data import news_cards, spoilt_senses
from course_utils.data.batches import to_tensors
from course_utils.data.readers import ImageReader, TextReader, fit_readers
from course_utils.widgets import lesson10 as widgets

CURVE = pd.DataFrame({"CNN": [0.8, 0.83], "patches": [0.5, 0.7]}, index=[600, 6000])


def test_corrupted_cards_show_their_noise_and_a_mark_for_each_lost_word():
    rows = news_cards.rows_for(news_cards.make(4, 0), "match")
    before = list(rows["headline"])
    readers = fit_readers({"image": ImageReader(), "text": TextReader()}, rows)
    bad = spoilt_senses.corrupt(to_tensors(rows, readers), noise=0.5, lost=1.0)
    shown = widgets.as_corrupted(rows, bad, [2, 0], readers)
    assert (shown["image"][0] == bad["image"][2].permute(1, 2, 0).numpy()).all()
    assert set(shown["headline"][0].split()) == {"?"}
    assert len(shown["headline"][1].split()) == bad["text_length"][0]
    assert list(rows["headline"]) == before, "what was given is left alone"


def read(noise, lost):
    """A gate that believes the picture less, the noisier it is."""
    beliefs = {"sport": 1 - noise, "weather": noise}
    return widgets.Reading(np.zeros((4, 4, 3)), (round(5 * (1 - lost)), 5), 0.8 - noise, beliefs)


def test_the_card_the_curve_and_the_beliefs_stand_side_by_side():
    left, middle, right = widgets.draw_gate(0.2, 0.4, read).axes
    assert left.get_title() == "words known: 3 of 5"
    assert middle.lines[0].get_ydata()[0] == pytest.approx(0.8)
    assert [*middle.lines[1].get_xdata()] == [0.2]
    assert [bar.get_width() for bar in right.patches] == pytest.approx([0.8, 0.2])


def test_the_alt_text_says_what_the_gate_does_and_what_is_believed():
    said = widgets.describe_gate(0.2, 0.4, read)
    assert "0.60" in said
    assert "3 of 5 words" in said
    assert "believes in sport with 0.80" in said


def test_a_turned_slider_draws_anew():
    figure = widgets.make_gate_explorer(read, 0.1, 0.0)
    before = figure.picture.value
    figure.controls["noise"].value = 0.5
    assert figure.picture.value != before


def test_a_curve_has_a_line_a_reader_and_the_ceiling():
    axes = widgets.draw_curve(CURVE, 0.84).axes[0]
    assert [line.get_label() for line in axes.lines] == ["CNN", "patches", "ceiling"]
    said = widgets.describe_curve(CURVE, 0.84)
    assert "patches 0.50, 0.70" in said
    assert "600, 6,000" in said
