"""The numbers and drawings under lesson 16's figures, without a browser."""

import pandas as pd
import pytest
import torch

pytest.importorskip("transformers")

from course_utils.data.text import Vocabulary
from course_utils.huggingface import from_configuration
from course_utils.pretrained import Kept
from course_utils.widgets import lesson16 as widgets

WORDS = [f"word{k}" for k in range(12)]
HEADLINES = ["word0 word1 word2", "word0 word3", "word0 word1 word4 word5"]


@pytest.fixture(scope="module")
def reader():
    vocabulary = Vocabulary(WORDS)
    sizes = {"words": len(vocabulary) + 1, "dim": 16, "heads": 2, "dropout": 0.0, "start": 0.5}
    model = from_configuration("BERT", **sizes)
    kept = Kept(model, "BERT", sizes, vocabulary, {"more": {"mask": len(vocabulary)}})
    return widgets.reader_of(kept, HEADLINES)


def test_a_guess_reads_the_other_words_and_not_the_hidden_one(reader):
    p = widgets.guesses(reader, "word0 word1 word2", 1)
    assert p.shape == (14,), "the mask itself is no guess"
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert torch.equal(p, widgets.guesses(reader, "word0 word9 word2", 1))
    assert not torch.allclose(p, widgets.guesses(reader, "word0 word1 word3", 1), atol=1e-4)


def test_shares_are_those_of_the_headlines_words(reader):
    assert reader.shares.sum() == pytest.approx(1)
    assert widgets.likeliest(reader, reader.shares)[0] == ("word0", pytest.approx(3 / 9))


def test_the_alt_text_names_the_gap_and_what_the_hidden_word_got(reader):
    told = widgets.describe_guesses(reader, "word0 word1 word2", 1)
    assert "word0 ____ word2" in told
    own = widgets.guesses(reader, "word0 word1 word2", 1)[3].item()
    assert f"the hidden word, word1, gets {own:.2f}" in told
    assert "gets none" in widgets.describe_guesses(reader, "word0 strange word2", 1)
    titles = [axes.get_title() for axes in widgets.draw_guesses(reader, HEADLINES[0], 0).axes]
    assert titles == ["the model's guesses", "the most frequent words"]


def test_the_hidden_word_has_a_bar_in_both_lists_on_one_axis(reader):
    left, right = widgets.draw_guesses(reader, "word0 word1 word11", 2).axes
    for axes in (left, right):
        assert any("word11  ← hidden word" in label.get_text() for label in axes.get_yticklabels())
    assert left.get_xlim() == right.get_xlim()


def test_a_place_beyond_a_shorter_headline_hides_its_last_word(reader):
    figure = widgets.make_guess_explorer(reader, HEADLINES)
    assert "____ word1 word2" in figure.picture.value
    figure.controls["place"].value = 3
    assert "word0 word1 ____" in figure.picture.value
    figure.controls["headline"].value = HEADLINES[1]
    assert "word0 ____" in figure.picture.value


def test_curves_are_drawn_with_their_levels_and_told():
    table = pd.DataFrame({0: [4.5, 3.0], 1: [4.4, 2.9]}, index=[1000, 2000])
    levels = {"order": {"frequencies": 4.45}}
    assert len(widgets.draw_curves({"order": table}, levels).axes[0].lines) == 3
    told = widgets.describe_curves({"order": table}, levels)
    assert "the loss falls from 4.40 to 4.50 at first to 3.00 (seed 0), 2.90 (seed 1)" in told
    assert "4.45 frequencies" in told
