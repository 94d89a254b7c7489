"""What lesson 02 adds to the encoders: the masked mean and the text CNN."""

import pytest
import torch
from torch import nn

from course_utils.encoders import TextCNNEncoder, encode, masked_mean, positions_within

TEXT = torch.tensor(
    [[2, 3, 4, 5, 6, 7], [5, 0, 0, 0, 0, 0], [1, 6, 0, 0, 0, 0], [7, 8, 9, 2, 0, 0]]
)
LENGTH = torch.tensor([6, 1, 2, 4])


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def make(**options):
    return TextCNNEncoder(12, 8, 6, channels=4, **options).eval()


# --- the masked mean ----------------------------------------------------------------------------


def test_the_masked_mean_is_each_rows_own_mean():
    vectors, length = torch.randn(3, 5, 4), torch.tensor([5, 1, 3])
    means = masked_mean(vectors, length)
    for row, n in enumerate(length):
        torch.testing.assert_close(means[row], vectors[row, :n].mean(dim=0))


@pytest.mark.parametrize("value", [100.0, torch.inf, torch.nan])
def test_the_masked_mean_does_not_look_at_padding(value):
    vectors, length = torch.randn(2, 4, 3), torch.tensor([2, 3])
    means = masked_mean(vectors, length)
    vectors[0, 2:], vectors[1, 3:] = value, value
    torch.testing.assert_close(masked_mean(vectors, length), means)


def test_no_gradient_reaches_padding_through_the_masked_mean():
    vectors = torch.randn(1, 4, 3, requires_grad=True)
    masked_mean(vectors, torch.tensor([2])).sum().backward()
    assert (vectors.grad[0, :2] == 0.5).all()
    assert (vectors.grad[0, 2:] == 0).all()


def test_positions_within_a_length_come_before_it():
    real = positions_within(torch.tensor([0, 2, 3]), 3)
    assert real.tolist() == [[False] * 3, [True, True, False], [True] * 3]


# --- the text CNN -------------------------------------------------------------------------------


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("more", [1, 20])
def test_padding_does_not_change_a_text_cnn(more, wide):
    encoder = make(wide=wide)
    padded = nn.functional.pad(TEXT, (0, more))
    torch.testing.assert_close(encoder(padded, LENGTH), encoder(TEXT, LENGTH))


@pytest.mark.parametrize("wide", [False, True])
def test_what_stands_behind_a_text_does_not_change_a_text_cnn(wide):
    encoder, noisy = make(wide=wide), TEXT.clone()
    noisy[TEXT == 0] = 9
    torch.testing.assert_close(encoder(noisy, LENGTH), encoder(TEXT, LENGTH))


@pytest.mark.parametrize("wide", [False, True])
def test_a_text_cnn_reads_a_row_alike_alone_and_among_others(wide):
    encoder = make(wide=wide)
    together = encoder(TEXT, LENGTH)
    for row, n in enumerate(LENGTH):
        torch.testing.assert_close(encoder(TEXT[[row], :n], LENGTH[[row]])[0], together[row])


def test_a_text_shorter_than_the_filters_is_read():
    assert make(widths=(2, 7))(torch.tensor([[3]]), torch.tensor([1])).shape == (1, 8)


def test_a_text_cnn_keeps_the_largest_answer_of_each_filter():
    encoder = make(widths=(3,))
    vectors = encoder.embed(TEXT[0])  # (6, 6)
    conv = encoder.filters[0]
    answers = [(conv.weight * vectors[i : i + 3].T).sum(dim=(1, 2)) + conv.bias for i in range(4)]
    largest = torch.stack(answers).amax(dim=0).relu()
    expected = encoder.project(largest)
    torch.testing.assert_close(encoder(TEXT[:1], LENGTH[:1])[0], expected)


def test_a_wide_text_cnn_reads_windows_that_begin_before_a_text_and_end_behind_it():
    encoder = make(widths=(3,), wide=True)
    conv, none = encoder.filters[0], torch.zeros(2, 6)
    for row in (0, 1, 3):
        vectors = torch.cat([none, encoder.embed(TEXT[row, : LENGTH[row]]), none])
        windows = [vectors[i : i + 3].T for i in range(len(vectors) - 2)]
        answers = [(conv.weight * window).sum(dim=(1, 2)) + conv.bias for window in windows]
        expected = encoder.project(torch.stack(answers).amax(dim=0).relu())
        torch.testing.assert_close(encoder(TEXT, LENGTH)[row], expected)


def test_a_text_cnn_sees_order_within_its_windows_alone():
    encoder = make(widths=(2, 3))
    near = torch.tensor([[2, 3, 9, 9], [3, 2, 9, 9]])
    one, other = encoder(near, torch.tensor([4, 4]))
    assert not torch.allclose(one, other)
    far = torch.tensor([[9, 9, 2, 9, 9, 9, 3, 9, 9], [9, 9, 3, 9, 9, 9, 2, 9, 9]])
    one, other = encoder(far, torch.tensor([9, 9]))
    torch.testing.assert_close(one, other)


def test_every_weight_of_a_text_cnn_gets_a_gradient():
    encoder = make()
    encoder(TEXT, LENGTH).square().sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().sum() > 0, name


def test_a_text_cnn_has_the_widths_channels_and_dim_that_it_is_asked_for():
    encoder = make(widths=(1, 2, 6))
    assert [tuple(conv.weight.shape) for conv in encoder.filters] == [
        (4, 6, 1), (4, 6, 2), (4, 6, 6)
    ]  # fmt: skip
    assert encoder.project.weight.shape == (8, 12)
    assert encoder.dim == 8
    assert encode(encoder, {"text": TEXT, "text_length": LENGTH}).shape == (4, 8)


def test_dropout_is_on_in_training_alone():
    encoder = make(dropout=0.9)
    torch.testing.assert_close(encoder(TEXT, LENGTH), encoder(TEXT, LENGTH))
    encoder.train()
    assert not torch.allclose(encoder(TEXT, LENGTH), encoder(TEXT, LENGTH))
