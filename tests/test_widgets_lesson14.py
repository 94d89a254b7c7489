"""The numbers and drawings under lesson 14's interactive figure, without a browser."""

import numpy as np
import pandas as pd
import pytest
import torch

from course_utils import listener
from course_utils.data import music_cards
from course_utils.widgets import lesson14 as widgets


@pytest.fixture(scope="module")
def who():
    return listener.load()


@pytest.fixture(scope="module")
def rows():
    return music_cards.make(3, seed=77, snr=listener.CLEAN)


def test_noise_changes_what_the_clip_says_and_not_what_the_cover_says(who, rows):
    soft, loud = (widgets.answers(who, widgets.heard(rows, 1, snr)) for snr in (20, -30))
    np.testing.assert_allclose(soft["image"], loud["image"], atol=1e-6)
    assert np.abs(soft["audio"] - loud["audio"]).max() > 0.05
    for said in soft.values():
        assert said.sum() == pytest.approx(1, abs=1e-5)


def test_the_slider_redraws_the_card_and_its_alt_text(who, rows):
    figure = widgets.make_noise_explorer(who, rows)
    genres = [music_cards.GENRES[one] for one in rows["genre"]]
    assert f"A {genres[0]} card, its clip in noise at 20 dB: the cover says" in figure.picture.value
    with figure.together():
        figure.controls["snr"].value = -25
        figure.controls["row"].value = 2
    assert f"A {genres[2]} card, its clip in noise at -25 dB" in figure.picture.value


def test_each_cover_stands_over_the_spectrogram_of_its_clip():
    drawn = widgets.draw_cards(torch.rand(2, 3, 8, 8), torch.randn(2, 3000), "AB")
    assert [axes.get_title() for axes in drawn.axes[:2]] == ["A", "B"]
    assert drawn.axes[2].images[0].get_array().shape == (40, 22)


def test_a_sound_is_told_by_its_loudest_band():
    tone = torch.cos(2 * torch.pi * 1000 * torch.arange(4000) / 8000)
    told = widgets.describe_steps(tone)
    middles = 2146.065 * np.arange(1, 41) / 41
    nearest = int(np.abs(middles - 2595 * np.log10(1 + 1000 / 700)).argmin()) + 1
    assert f"band {nearest} is the loudest" in told
    assert "0.5 seconds" in told
    assert len(widgets.draw_steps(tone).axes) == 3


def test_lines_over_noise_are_named_and_told_from_end_to_end():
    columns = pd.MultiIndex.from_product([widgets.TAUGHT, ["audio alone", "concat + linear"]])
    mean = pd.DataFrame([[0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9]], [-25, 20], columns)
    lines = widgets.noise_lines(mean, 0.65)
    assert lines["clip, taught at 20 dB"] == {-25: 0.2, 20: 0.6}
    assert lines["both, taught at -25 to 20 dB"] == {-25: 0.5, 20: 0.9}
    told = widgets.describe_noise(lines)
    assert "cover alone 0.65 at -25 dB and 0.65 at 20 dB" in told
    assert len(widgets.draw_noise(lines).axes[0].get_lines()) == 6
