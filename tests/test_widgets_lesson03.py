"""The numbers and drawings under lesson 03's interactive figure, without a browser."""

import numpy as np
import pytest
import torch

from course_utils.attention import causal_mask, padding_mask
from course_utils.classifier import MultimodalClassifier
from course_utils.data.text import Vocabulary
from course_utils.encoders import TransformerEncoder
from course_utils.fusion import ConcatFusion
from course_utils.training import predict
from course_utils.widgets import lesson03 as widgets

HEADLINE = "profit follows goal against late plan"


def make_model(**options):
    torch.manual_seed(0)
    encoder = {"text": TransformerEncoder(12, 8, 2, layers=2, **options)}
    return MultimodalClassifier(encoder, ConcatFusion({"text": 8}), 5).eval()


@pytest.fixture(params=[False, True], ids=["sees all", "causal"])
def model(request):
    return make_model(causal=request.param)


@pytest.fixture
def vocabulary():
    return Vocabulary.from_texts([HEADLINE])


def test_a_headline_is_read_as_the_model_reads_it(model, vocabulary):
    reading = widgets.read_headline(model, vocabulary, HEADLINE)
    text, length = vocabulary.encode([HEADLINE])
    expected = predict(model, [{"text": text, "text_length": length}], "cpu").softmax(dim=1)[0]
    np.testing.assert_allclose(reading.probabilities, expected, atol=1e-6)
    assert reading.words == HEADLINE.split()
    assert reading.weights.shape == (2, 6, 6)


def test_the_last_words_hidden_are_the_same_as_a_shorter_headline(model, vocabulary):
    hidden = widgets.read_headline(model, vocabulary, HEADLINE, hidden=[4, 5])
    shorter = widgets.read_headline(model, vocabulary, "profit follows goal against")
    np.testing.assert_allclose(hidden.probabilities, shorter.probabilities, atol=1e-6)
    np.testing.assert_allclose(hidden.seen()[:4, :4], shorter.seen(), atol=1e-6)


def test_the_weights_that_are_left_grow_by_one_factor(model, vocabulary):
    left = [0, 1, 3, 4, 5]
    before = widgets.read_headline(model, vocabulary, HEADLINE).weights[:, left]
    after = widgets.read_headline(model, vocabulary, HEADLINE, hidden=[2]).weights[:, left]
    assert (after[..., 2] == 0).all()
    np.testing.assert_allclose(after.sum(axis=-1), 1, atol=1e-6)
    factor = 1 / (1 - before[..., 2])
    np.testing.assert_allclose(after[..., 0], before[..., 0] * factor, atol=1e-6)


def test_a_causal_model_never_looks_ahead(vocabulary):
    weights = widgets.read_headline(make_model(causal=True), vocabulary, HEADLINE).weights
    assert (np.triu(weights, k=1) == 0).all()


@pytest.mark.parametrize("hidden", [[0], [2], [0, 5]])
def test_hidden_words_leave_an_answer(model, vocabulary, hidden):
    reading = widgets.read_headline(model, vocabulary, HEADLINE, hidden)
    assert np.isfinite(reading.probabilities).all()


def test_words_that_the_model_does_not_know_are_marked(model, vocabulary):
    reading = widgets.read_headline(model, vocabulary, "profit follows gaol", hidden=[2, 0])
    assert reading.names() == ["(profit)", "follows", "(gaol?)"]
    assert "does not know gaol" in widgets.describe_attention(reading)


@pytest.mark.parametrize("headline", ["", "goal", "goal goal"])
def test_any_headline_can_be_explored(model, vocabulary, headline):
    assert "<img" in widgets.make_attention_explorer(model, vocabulary, headline).picture.value


def test_one_head_or_the_mean_of_them_is_seen(model, vocabulary):
    reading = widgets.read_headline(model, vocabulary, HEADLINE)
    np.testing.assert_array_equal(reading.seen(2), reading.weights[1])
    np.testing.assert_allclose(reading.seen(), reading.weights.mean(axis=0))
    with_hidden = widgets.read_headline(model, vocabulary, HEADLINE, hidden=[1]).seen()
    assert np.isnan(with_hidden[1]).all()
    assert np.isnan(with_hidden[:, 1]).all()
    assert np.isfinite(np.delete(np.delete(with_hidden, 1, 0), 1, 1)).all()


def test_the_drawing_names_hidden_words_in_brackets_and_writes_a_weight_a_square(model, vocabulary):
    reading = widgets.read_headline(model, vocabulary, HEADLINE, hidden=[2])
    left, right, *_ = widgets.draw_attention(reading, head=1).axes
    assert [label.get_text() for label in left.get_xticklabels()][2] == "(goal)"
    assert len(left.texts) == (15 if reading.causal else 25)
    assert left.get_title() == "head 1"
    assert len(right.patches) == 5


def test_the_alt_text_says_who_gets_most_and_what_the_model_says(model, vocabulary):
    text = widgets.describe_attention(
        widgets.read_headline(model, vocabulary, HEADLINE, [0, 1, 2, 3, 4])
    )
    assert "with profit, follows, goal, against, late hidden" in text
    assert "plan gets 1.00" in text


def test_what_the_causal_mask_forbids_is_drawn_without_a_weight(vocabulary):
    reading = widgets.read_headline(make_model(causal=True), vocabulary, "profit follows goal")
    axes = widgets.draw_readings({"causal": reading}).axes[0]
    places = [tuple(map(int, text.get_position())) for text in axes.texts]  # (key, query)
    assert sorted(places) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    assert "after each query are grey" in widgets.describe_readings({"causal": reading})
    assert "after each query are grey" in widgets.describe_attention(reading)
    sees_all = widgets.read_headline(make_model(), vocabulary, "profit follows goal")
    assert "grey" not in widgets.describe_readings({"all": sees_all})


def test_readings_stand_side_by_side_under_their_titles(model, vocabulary):
    readings = {
        "all": widgets.read_headline(model, vocabulary, HEADLINE),
        "less": widgets.read_headline(model, vocabulary, HEADLINE, hidden=[0]),
    }
    titles = [axes.get_title() for axes in widgets.draw_readings(readings, head=2).axes]
    assert titles == ["all, head 2", "less, head 2"]
    text = widgets.describe_readings(readings)
    assert text.startswith("On the mean of the heads, of all attention. all: ")
    assert "; less: " in text


def test_with_all_words_hidden_there_is_no_answer_and_no_error(model, vocabulary):
    reading = widgets.read_headline(model, vocabulary, HEADLINE, range(6))
    assert np.isnan(reading.probabilities).all()
    assert "NaN" in widgets.describe_attention(reading)
    assert not widgets.draw_attention(reading).axes[0].texts
    assert "nothing is left" in widgets.describe_readings({"none": reading})


def test_no_position_of_the_controls_raises(model, vocabulary):
    figure = widgets.make_attention_explorer(model, vocabulary, HEADLINE)
    before = figure.picture.value
    for name, control in figure.controls.items():
        if name == "head":
            for _, number in control.options:
                control.value = number
        else:
            control.value = True
    assert figure.picture.value != before
    assert "NaN" in figure.picture.value


# --- the still drawings ----------------------------------------------------------------------


def test_a_mask_is_drawn_with_a_square_for_each_query_and_key():
    padding = padding_mask(torch.tensor([2]), 3)[0, 0]  # (1, 3), the same for every query
    figure = widgets.draw_masks({"padding": padding, "causal": causal_mask(3)})
    left, right = ([text.get_text() for text in axes.texts] for axes in figure.axes)
    assert left == ["0", "0", "−∞"] * 3
    assert right == ["0", "−∞", "−∞", "0", "0", "−∞", "0", "0", "0"]


def test_the_layer_is_drawn_with_its_parts_in_order():
    (axes,) = widgets.draw_layer().axes
    boxes = [text.get_text() for text in axes.texts if text.get_bbox_patch()]
    assert [name.split("\n")[0] for name in boxes] == [
        "words", "attention", "+", "LayerNorm", "feed-forward", "+", "LayerNorm",
    ]  # fmt: skip
