"""The drawings of lesson 18, and the card that can be asked, without a browser."""

import numpy as np
import pytest

from course_utils import answering
from course_utils.data import news_cards
from course_utils.seeing import prefix_mask
from course_utils.widgets import lesson18 as widgets


@pytest.fixture(scope="module")
def cards():
    return news_cards.make(4, 3, **answering.WORLD)


class Parrot:
    """Answers with the last two words of the question; a question of one word is none."""

    def words(self, image, question):
        assert image.shape == (48, 48, 3)
        words = question.split()
        if len(words) < 2:
            raise ValueError("a question has 2 words <or> more")
        yield from words[-2:]


def test_questions_and_answers_stand_by_their_pictures(cards):
    told = ["two tiny red balls", "no"]
    asked = ["describe the picture", "is there a ball?"]
    figure = widgets.draw_asked(cards["image"][:2], asked, told)
    assert len([axes for axes in figure.axes if axes.images]) == 2
    alt = widgets.describe_asked(asked, told)
    assert alt.startswith("2 cards")
    assert "is there a ball? no" in alt


def test_a_mask_shows_a_dot_where_one_may_look():
    mask, names = prefix_mask(2, 2), ["image 1", "image 2", "what", "ball"]
    axes = widgets.draw_mask(mask, names).axes[0]
    assert len(axes.lines) == int((mask == 0).sum())
    alt = widgets.describe_mask(mask, names)
    assert "image 1 looks at image 1, image 2;" in alt
    assert "ball looks at image 1, image 2, what, ball." in alt


def test_curves_say_where_they_rise():
    panels = {"naming": {"thing": [0.2, 0.9, 0.95], "count": [0.3, 0.3, 0.8]}}
    figure = widgets.draw_curves(panels, [100, 200, 300], "accuracy")
    assert len(figure.axes[0].lines) == 2
    alt = widgets.describe_curves(panels, [100, 200, 300], "accuracy")
    assert "thing from 0.20 at 100 to 0.95, most between 100 and 200" in alt
    assert "count from 0.30 at 100 to 0.80, most between 200 and 300" in alt


def test_lines_differ_in_more_than_colour():
    lines = widgets.draw_curves({"a": {"x": [0, 1], "y": [1, 0]}}, [1, 2], "share").axes[0].lines
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_an_answer_comes_word_by_word(cards):
    asked, seen = widgets.AskACard(Parrot(), cards), []
    asked.answer.observe(lambda change: seen.append(change["new"]), names="value")
    asked.question.value = "is there a ball?"
    asked.ask()
    assert seen == ["<b>…</b>", "<b>a</b>", "<b>a ball?</b>"]


def test_a_sentence_says_what_cannot_be_asked(cards):
    asked = widgets.AskACard(Parrot(), cards)
    asked.question.value = "ball"
    asked.ask()
    assert asked.answer.value == "a question has 2 words &lt;or&gt; more"


def test_another_card_brings_its_own_headline_and_no_old_answer(cards):
    asked = widgets.AskACard(Parrot(), cards)
    asked.ask()
    asked.card.value = 2
    assert asked.answer.value == ""
    assert f"does the headline fit: {cards['headline'][2]}" in asked.question.options
    assert cards["headline"][2] in asked.picture.value
    assert np.isin(widgets.CHOICES, asked.question.options).all()
