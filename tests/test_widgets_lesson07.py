"""The shape tracer of lesson 07: numbers, drawing and alt text, without a browser."""

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from course_utils.display import PALETTE
from course_utils.exercises.lesson07 import (
    Flattened,
    NotPooled,
    Published,
    TuplePassed,
    WordsNotPooled,
)
from course_utils.widgets.lesson07 import (
    NOT_REACHED,
    REACHED,
    STOPPED,
    describe_pairing,
    describe_trace,
    draw_pairing,
    draw_trace,
    joined_features,
    pair_up,
    shape_of,
    trace_shapes,
)


def traced(model):
    return trace_shapes(model(9), torch.rand(2, 3, 8, 6), torch.tensor([[2, 3, 4], [5, 1, 1]]))


def states(trace, row):
    return [step.state for step in trace.steps if step.row == row]


def words_of(figure):
    return " ".join(text.get_text() for text in figure.axes[0].texts)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (torch.zeros(2, 3), "(2, 3)"),
        ((torch.zeros(2), torch.zeros(1)), "tuple of 2: (2,), ..."),
        (None, "NoneType"),
    ],
)
def test_a_shape_is_told_in_a_few_letters(value, shape):
    assert shape_of(value) == shape


def test_a_sound_model_is_traced_to_its_end():
    trace = traced(Published)
    assert trace.problem == ""
    assert not trace.between
    assert {step.state for step in trace.steps} == {REACHED}
    assert [step.layer for step in trace.steps if step.row == "image"] == [
        "Conv2d",
        "ReLU",
        "MaxPool2d",
    ]
    assert trace.steps[2].gives == "(2, 64, 4, 3)"
    assert (trace.steps[-1].given, trace.steps[-1].gives) == ("(2, 192)", "(2, 1)")


def test_a_layer_that_is_given_a_tuple_is_where_it_stops():
    trace = traced(TuplePassed)
    assert trace.problem.startswith("TypeError: linear()")
    assert states(trace, "text") == [REACHED, REACHED, STOPPED, NOT_REACHED, NOT_REACHED]
    stopped = next(step for step in trace.steps if step.state == STOPPED)
    assert stopped.given.startswith("tuple of 2: (2, 3, 256)")


def test_features_that_cannot_be_joined_stop_between_the_layers():
    trace = traced(NotPooled)
    assert trace.between
    assert "got 4 and 2" in trace.problem
    assert states(trace, "fusion") == [NOT_REACHED]


def test_a_fusion_layer_that_is_too_narrow_is_where_it_stops():
    trace = traced(Flattened)
    assert not trace.between
    assert states(trace, "fusion") == [STOPPED]
    assert trace.steps[-1].given == f"(2, {64 * 4 * 3 + 128})"


def test_tracing_leaves_no_hook_and_no_gradient_behind():
    model = Published(9)
    trace_shapes(model, torch.rand(1, 3, 4, 4), torch.tensor([[2]]))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_layers_outside_the_three_rows_are_left_out():
    class More(Published):
        def __init__(self, words):
            super().__init__(words)
            self.unused = nn.Linear(1, 1)

    assert len(traced(More).steps) == len(traced(Published).steps)


@pytest.mark.parametrize("model", [Published, TuplePassed, NotPooled, Flattened])
def test_the_drawing_marks_the_mismatch_in_words_not_by_colour_alone(model):
    trace = traced(model)
    figure = draw_trace(trace)
    assert isinstance(figure, Figure)
    assert ("stops" in words_of(figure)) == bool(trace.problem)
    title = figure.axes[0].title
    said = trace.problem or "No mismatch: the batch arrives."
    assert " ".join(title.get_text().split()) == said
    assert title.get_color() == PALETTE["text" if trace.problem else "both"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Published, "the batch arrives"),
        (TuplePassed, "Linear in the row text stops; it was given tuple of 2"),
        (NotPooled, "the batch stops where the features are joined"),
        (Flattened, "Linear in the row fusion stops"),
    ],
)
def test_the_alt_text_says_where_the_batch_gets(model, said):
    text = describe_trace(traced(model))
    assert said in text
    assert "MaxPool2d gives (2, 64, 4, 3)" in text


def test_pooling_between_two_layers_is_written_on_the_arrow():
    assert "pooled" in words_of(draw_trace(traced(Published)))
    assert "pooled" not in words_of(draw_trace(traced(TuplePassed)))


@pytest.mark.parametrize(
    ("model", "image"),
    [(Published, "image, pooled: (2, 64)"), (Flattened, "image, flattened: (2, 768)")],
)
def test_what_enters_the_fusion_layer_is_drawn_and_told(model, image):
    trace = traced(model)
    assert joined_features(trace) == (image, "text: (2, 128)")
    assert image in words_of(draw_trace(trace))
    assert image in describe_trace(trace)


@pytest.mark.parametrize("model", [TuplePassed, NotPooled])
def test_nothing_is_joined_where_the_fusion_layer_is_not_called(model):
    assert joined_features(traced(model)) == ()


def test_a_tuple_that_is_only_opened_is_not_called_pooled():
    said = words_of(draw_trace(traced(WordsNotPooled)))
    assert "opened" in said
    assert "pooled" not in said


# --- pairing ---------------------------------------------------------------------------------

FILES = ["train/sport/2.png", "train/business/7.png", "train/sport/1.png"]
SAMPLES = [("root\\business\\7.png", 0), ("root/sport/1.png", 1), ("root/sport/2.png", 1)]


def test_pairing_by_name_finds_each_rows_own_picture():
    pairing = pair_up(FILES, SAMPLES)
    assert [name for _, name in pairing.by_name] == list(pairing.rows)
    assert [place for place, _ in pairing.by_name] == [2, 0, 1]
    assert [name for _, name in pairing.by_position] == ["business/7.png", *pairing.rows[2::-2]]


def test_the_pairing_is_drawn_with_its_counts_in_words():
    figure = draw_pairing(pair_up(FILES, SAMPLES))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["by position: 0 of 3 right", "by name: 3 of 3 right"]


def test_the_pairings_alt_text_tells_the_places():
    text = describe_pairing(pair_up(FILES, SAMPLES))
    assert "0 are right" in text
    assert "2, 0, 1" in text
