"""Attention by its formula, beside PyTorch's own, and the encoder that is built on it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.attention import (
    EncoderLayer,
    MultiHeadAttention,
    attention,
    causal_mask,
    padding_mask,
    sinusoidal_positions,
)
from course_utils.encoders import TransformerEncoder

LENGTHS = torch.tensor([5, 3, 1])


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def text():
    return torch.tensor([[2, 3, 4, 5, 6], [7, 8, 9, 0, 0], [4, 0, 0, 0, 0]])


def copy_weights(theirs: nn.TransformerEncoderLayer, ours: EncoderLayer) -> None:
    pairs = {
        ours.attend.out: theirs.self_attn.out_proj,
        ours.norm_1: theirs.norm1,
        ours.norm_2: theirs.norm2,
        ours.feed[0]: theirs.linear1,
        ours.feed[2]: theirs.linear2,
    }
    for mine, other in pairs.items():
        mine.load_state_dict(other.state_dict())
    with torch.no_grad():
        ours.attend.project.weight.copy_(theirs.self_attn.in_proj_weight)
        ours.attend.project.bias.copy_(theirs.self_attn.in_proj_bias)


# --- attention -------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [None, causal_mask(5), padding_mask(LENGTHS, 5)])
def test_attention_is_pytorchs_own(mask):
    query, key, value = torch.randn(3, 3, 2, 5, 4)
    output, weights = attention(query, key, value, mask)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 2, 5))


def test_queries_keys_and_values_may_differ_in_number_and_size():
    output, weights = attention(torch.randn(2, 4), torch.randn(3, 4), torch.randn(3, 7))
    assert output.shape == (2, 7)
    assert weights.shape == (2, 3)


def test_a_hidden_key_gets_no_weight():
    _, weights = attention(*torch.randn(3, 3, 2, 5, 4), padding_mask(LENGTHS, 5))
    for row, length in zip(weights, LENGTHS, strict=True):
        assert (row[..., length:] == 0).all()


def test_a_query_that_may_look_at_nothing_is_nan_here_and_zero_in_pytorchs_own():
    query, key, value = torch.randn(3, 1, 1, 3, 4)
    mask = torch.zeros(3, 3)
    mask[1] = -torch.inf
    output, _ = attention(query, key, value, mask)
    theirs = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert output[0, 0, 1].isnan().all()
    assert (theirs[0, 0, 1] == 0).all()
    torch.testing.assert_close(output[0, 0, ::2], theirs[0, 0, ::2])


# --- positions -------------------------------------------------------------------------------


def test_positions_are_the_published_waves():
    waves = sinusoidal_positions(50, 6)
    for position, i in [(0, 0), (7, 1), (49, 2)]:
        angle = torch.tensor(position / 10_000 ** (2 * i / 6))
        torch.testing.assert_close(waves[position, 2 * i], angle.sin(), rtol=0, atol=1e-5)
        torch.testing.assert_close(waves[position, 2 * i + 1], angle.cos(), rtol=0, atol=1e-5)


def test_an_odd_dim_has_no_positions():
    with pytest.raises(ValueError, match="come in pairs"):
        sinusoidal_positions(4, 5)


# --- the layer -------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
def test_the_layer_is_pytorchs_with_its_weights_at_real_words(causal):
    theirs = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    ours = EncoderLayer(8, 2, 16)
    copy_weights(theirs, ours)
    x = torch.randn(3, 5, 8)
    mask = padding_mask(LENGTHS, 5) + (causal_mask(5) if causal else 0)
    expected = theirs(
        x,
        src_mask=causal_mask(5) if causal else None,
        src_key_padding_mask=torch.where(torch.arange(5) < LENGTHS[:, None], 0, -torch.inf),
    )
    real = torch.arange(5) < LENGTHS[:, None]
    torch.testing.assert_close(ours(x, mask)[real], expected[real], rtol=0, atol=1e-5)


def test_the_layer_keeps_how_each_head_attended():
    attend = MultiHeadAttention(8, 2)
    attend(torch.randn(3, 5, 8))
    assert attend.weights.shape == (3, 2, 5, 5)
    assert not attend.weights.requires_grad


def test_heads_must_share_the_dimensions_equally():
    with pytest.raises(ValueError, match="dim 8 is no multiple of 3"):
        MultiHeadAttention(8, 3)


# --- the encoder -----------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_padding_changes_nothing(text, positions, causal, layers):
    encoder = TransformerEncoder(12, 8, 2, layers, positions=positions, causal=causal).eval()
    alone = [encoder(row[None, :n], n[None]) for row, n in zip(text, LENGTHS, strict=True)]
    together = encoder(text, LENGTHS)
    assert together.shape == (3, 8)
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("positions", "causal", "blind"),
    [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
def test_only_without_positions_and_causal_mask_is_the_encoder_blind_to_order(
    positions, causal, blind
):
    encoder = TransformerEncoder(12, 8, 2, positions=positions, causal=causal).eval()
    text, length = torch.tensor([[2, 3, 4, 5], [4, 3, 5, 2]]), torch.tensor([4, 4])
    one, other = encoder(text, length)
    assert torch.allclose(one, other, atol=1e-5) == blind


def test_every_weight_that_can_matter_gets_a_gradient(text):
    encoder = TransformerEncoder(12, 8, 2, layers=2)
    encoder(text, LENGTHS).square().sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
