"""The numbers and drawings under lesson 13's interactive figure, without a browser."""

import numpy as np
import pytest
import torch

from course_utils import explain, frozen
from course_utils.data import news_cards
from course_utils.measures import ConfidenceBin
from course_utils.widgets import lesson13 as widgets


@pytest.fixture(scope="module")
def card():
    world, rows = frozen.load(0), news_cards.make(1, seed=5, mismatch=0)
    image = torch.from_numpy(rows["image"][0]).permute(2, 0, 1).float() / 255
    return widgets.Card(image, rows["headline"][0], world.alone["image"], world.alone["text"],
                        world.readers["text"].vocabulary)  # fmt: skip


def test_hidden_squares_have_the_pictures_median_colour(card):
    hidden = widgets.hidden_picture(card, [(0, 0), (5, 5)])
    fill = explain.median_colour(card.image[None])[0, :, 0, 0]
    assert torch.equal(hidden[0, :, 3, 3], fill)
    assert torch.equal(hidden[0, :, 47, 47], fill)
    assert torch.equal(hidden[0, :, 20, 20], card.image[:, 20, 20])


def test_hiding_a_word_changes_what_the_headline_says_and_nothing_else(card):
    whole, gone = widgets.answers(card), widgets.answers(card, words=[0, 2])
    np.testing.assert_array_equal(whole["picture"], gone["picture"])
    assert np.abs(whole["headline"] - gone["headline"]).max() > 0
    assert gone["headline"].sum() == pytest.approx(1, abs=1e-5)


def test_a_click_redraws_the_card_and_its_alt_text(card):
    figure = widgets.make_hide_explorer(card)
    assert "0 squares of the picture hidden; no word hidden" in figure.picture.value
    figure.controls["square_2_3"].value = True
    figure.controls["word_0"].value = True
    assert "1 square of the picture hidden" in figure.picture.value
    assert f"words hidden: {card.words[0]}" in figure.picture.value


def test_maps_are_drawn_beside_their_pictures_with_the_box_told(card):
    image, box = card.image[None].repeat(2, 1, 1, 1), torch.tensor([[0, 0, 47, 47]] * 2)
    maps = {"edges": explain.edges(image), "centre": explain.centre(image)}
    assert len(widgets.draw_maps(image, maps, box).axes) == 6
    assert "edges in 2, centre in 2, of 2" in widgets.describe_maps(image, maps, box)


def test_a_map_that_gives_nearly_all_to_one_pixel_still_shows_the_others(card):
    one = torch.zeros(48, 48)
    one[:4, :3], one[0, 0] = 1.0, 1000.0
    drawn = widgets.draw_maps(card.image[None], {"spike": one[None]}).axes[1].images[0]
    assert (drawn.norm(0.0), drawn.norm(1.0)) == (0, 1)


def test_the_bin_with_the_largest_gap_is_told():
    bins = {"one": [ConfidenceBin(10, 0.9, 0.5), ConfidenceBin(100, 0.6, 0.61)]}
    assert "confidence 0.90, where accuracy is 0.50, below" in widgets.describe_reliability(bins)
    assert widgets.draw_reliability(bins).axes[0].get_title() == "one"


def test_the_same_models_once_more_are_drawn_as_rings():
    bins = {"one": [ConfidenceBin(10, 0.9, 0.5)]}
    after = {"one": [ConfidenceBin(10, 0.7, 0.8)]}
    assert len(widgets.draw_reliability(bins, after).axes[0].collections) == 2
    told = widgets.describe_reliability(bins, after)
    assert "Dots: one, the gap" in told
    assert "Rings: one, the gap that counts most lies at confidence 0.70" in told
