"""The numbers and drawings under lesson 08's card composer, without a browser."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text

from course_utils.classifier import MultimodalClassifier
from course_utils.data.news_cards import SECTIONS
from course_utils.data.readers import ImageReader, TextReader
from course_utils.data.text import Vocabulary
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.fusion import ConcatFusion
from course_utils.widgets import lesson08 as widgets

HEADLINE = "late storm surprises village"


@pytest.fixture
def vocabulary():
    return Vocabulary.from_texts([HEADLINE])


@pytest.fixture
def readers(vocabulary):
    return {"image": ImageReader(), "text": TextReader(vocabulary)}


@pytest.fixture
def models(vocabulary):
    torch.manual_seed(0)
    alone = {"image": CNNEncoder(4, (4,)), "text": BagEncoder(len(vocabulary), 4)}

    def model(*names):
        encoders = {name: alone[name] for name in names}
        return MultimodalClassifier(encoders, ConcatFusion(dict.fromkeys(names, 4)), 5).eval()

    return {"image": model("image"), "text": model("text"), "both": model("image", "text")}


def test_dollars_in_a_headline_a_class_or_a_model_are_no_formula():
    picture, said = np.zeros((8, 8, 3), np.uint8), {"$a$": np.array([0.4, 0.6])}
    figure = widgets.draw_composed_card(picture, "$5 or $6", said, ("$0-$5", "$5-$9"))
    assert not any(text.get_parse_math() for text in figure.findobj(Text))


def test_a_composed_card_is_a_picture_as_the_generator_draws_it():
    image = widgets.compose_card("sport", 10, 10, 20)
    assert image.shape == (48, 48, 3)
    assert image.dtype == np.uint8


def test_the_motif_stands_where_it_was_put_and_nowhere_else():
    without = widgets.compose_card("none", 0, 0, 10, noise=0)
    image = widgets.compose_card("business", 30, 4, 12, noise=0)
    rows, columns = np.nonzero((image != without).any(axis=2))
    assert rows.min() >= 4
    assert rows.max() <= 16
    assert columns.min() >= 30
    assert columns.max() <= 42


def test_a_motif_that_would_stick_out_is_moved_inside():
    np.testing.assert_array_equal(
        widgets.compose_card("travel", 100, -5, 20), widgets.compose_card("travel", 28, 0, 20)
    )


def test_each_model_gives_probabilities_from_what_it_reads(models, readers):
    ball, cloud = (widgets.compose_card(motif, 8, 8, 30) for motif in ("sport", "weather"))
    one = widgets.card_probabilities(models, readers, ball, HEADLINE)
    two = widgets.card_probabilities(models, readers, cloud, HEADLINE)
    assert all(values.sum() == pytest.approx(1, abs=1e-5) for values in one.values())
    np.testing.assert_array_equal(one["text"], two["text"])
    assert not np.array_equal(one["image"], two["image"])
    assert not np.array_equal(one["both"], two["both"])


@pytest.mark.parametrize("headline", ["", "word that nobody knows", HEADLINE])
def test_any_headline_can_be_typed(models, readers, headline):
    image = widgets.compose_card("none", 0, 0, 10)
    said = widgets.card_probabilities(models, readers, image, headline)
    assert isinstance(widgets.draw_composed_card(image, headline, said, SECTIONS), Figure)


def test_the_alt_text_says_what_each_model_takes_the_card_for():
    said = {"image": np.eye(5)[0], "both": np.array([0.1, 0.1, 0.1, 0.6, 0.1])}
    text = widgets.describe_composed_card(HEADLINE, said, SECTIONS)
    assert HEADLINE in text
    assert "image says sport (1.00)" in text
    assert "both says weather (0.60)" in text
    without = widgets.describe_composed_card("", said, SECTIONS)
    assert without.startswith("A card without a headline: image says sport")


def test_the_legend_covers_no_bar():
    image = widgets.compose_card("none", 0, 0, 10)
    said = {name: np.full(5, 1.0) for name in ("image", "text", "both")}
    figure = widgets.draw_composed_card(image, HEADLINE, said, SECTIONS)
    figure.canvas.draw()
    legend = figure.axes[1].get_legend().get_window_extent()
    assert not legend.overlaps(figure.axes[1].get_window_extent())
    assert legend.y1 <= figure.bbox.y1


def test_moving_a_control_draws_the_card_anew(models, readers):
    figure = widgets.make_card_composer(models, readers, HEADLINE)
    before = figure.picture.value
    figure.controls["motif"].value = "none"
    between = figure.picture.value
    figure.controls["headline"].value = "village"
    assert len({before, between, figure.picture.value}) == 3


@pytest.mark.parametrize(
    "headline", ["tickets for $5 and $6", "storm $_{ bad $ village", "word " * 60]
)
def test_any_headline_can_be_drawn_as_it_is(models, readers, headline):
    image = widgets.compose_card("sport", 10, 10, 20)
    said = widgets.card_probabilities(models, readers, image, headline)
    figure = widgets.draw_composed_card(image, headline, said, SECTIONS)
    figure.canvas.draw()
    shown = figure.axes[0].xaxis.label
    assert shown.get_text().replace("\n", " ").split()[:3] == headline.split()[:3]
    assert not shown.get_parse_math()
