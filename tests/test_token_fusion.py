"""Gates, FiLM and attention between modalities: what each promises."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.attention import CrossAttention, Tokens, cross_attention
from course_utils.classifier import MultimodalClassifier
from course_utils.encoders import CachedEncoder, PatchEncoder, patchify
from course_utils.fusion import JointAttentionFusion
from course_utils.token_fusion import (
    BottleneckFusion,
    CrossAttentionFusion,
    FiLMFusion,
    GatedFusion,
    coarser,
    film,
    gated_fusion,
)

DIMS = {"image": 6, "text": 4}
ALL = [GatedFusion, FiLMFusion, CrossAttentionFusion, BottleneckFusion]
OF_TOKENS = [CrossAttentionFusion, BottleneckFusion, JointAttentionFusion]


def made(kind, dims=DIMS, dim=8, **options):
    torch.manual_seed(0)
    return kind(dims, dim, **options).eval()


def vectors(rows=5, dims=DIMS):
    return {name: torch.randn(rows, size) for name, size in dims.items()}


def tokens(rows=3):
    real = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()[:rows]
    return {
        "image": Tokens(torch.randn(rows, 9, 6), torch.ones(rows, 9).bool()),
        "text": Tokens(torch.randn(rows, 4, 4), real),
    }


@pytest.mark.parametrize("kind", ALL)
def test_an_absent_modality_says_nothing_and_a_row_without_any_gives_numbers(kind):
    model, features = made(kind), vectors()
    present = {"text": torch.tensor([True, True, False, False, False])}
    before = model(features, present)
    features["text"] = torch.where(present["text"][:, None], features["text"], 9.0)
    torch.testing.assert_close(model(features, present), before)
    nothing = dict.fromkeys(DIMS, torch.zeros(5, dtype=torch.bool))
    assert model(features, nothing).isfinite().all()


@pytest.mark.parametrize("kind", ALL)
def test_a_name_that_present_lacks_counts_as_there(kind):
    model, features = made(kind), vectors()
    torch.testing.assert_close(model(features, {}), model(features))
    assert model(features).shape == (5, model.dim_out)


@pytest.mark.parametrize("kind", [GatedFusion, CrossAttentionFusion, BottleneckFusion])
def test_three_modalities_are_joined_as_two_are(kind):
    dims = DIMS | {"sound": 3}
    model = made(kind, dims)
    assert model(vectors(4, dims)).shape == (4, 8)


@pytest.mark.parametrize("kind", OF_TOKENS)
def test_padding_is_hidden(kind):
    model, features = made(kind), tokens()
    before = model(features)
    text = features["text"]
    filled = text.vectors.masked_fill(~text.real[..., None], 9.0)
    torch.testing.assert_close(model(features | {"text": Tokens(filled, text.real)}), before)


def test_a_gate_of_two_is_the_formula():
    model, features = made(GatedFusion), vectors()
    for layer in (*model.project.values(), model.gate):
        torch.nn.init.zeros_(layer.bias)
    weights = *(model.project[n].weight for n in DIMS), model.gate.weight
    torch.testing.assert_close(model(features), gated_fusion(*features.values(), *weights))


def test_the_weights_of_a_gate_sum_to_one_over_what_is_present():
    model = made(GatedFusion, DIMS | {"sound": 3})
    present = {"sound": torch.tensor([True, False])}
    model(vectors(2, DIMS | {"sound": 3}), present)
    torch.testing.assert_close(model.weights.sum(dim=1), torch.ones(2, 8))
    assert model.weights[1, 2].abs().max() == 0


@pytest.mark.parametrize("kind", [GatedFusion, FiLMFusion])
def test_a_side_channel_comes_by_its_name_as_a_number_or_as_columns(kind):
    batch = vectors() | {"flag": torch.randint(2, (5,))}
    encoders = {name: CachedEncoder(name, size) for name, size in DIMS.items()}
    model = MultimodalClassifier(encoders, made(kind, reads=("flag",)), 3).eval()
    assert "flag" in model.reads
    answers = model(batch)
    torch.testing.assert_close(model(batch | {"flag": batch["flag"][:, None]}), answers)
    assert (model(batch | {"flag": 1 - batch["flag"]}) - answers).abs().max() > 1e-4


def test_a_bottleneck_of_one_layer_only_adds_and_one_of_two_does_not():
    a, b = vectors(1), vectors(1)
    for layers in (1, 2):
        model = made(BottleneckFusion, layers=layers)
        mixed = (
            model(a)
            + model(b)
            - sum(model({"image": x["image"], "text": y["text"]}) for x, y in ((a, b), (b, a)))
        )
        assert (mixed.abs().max() < 1e-5) == (layers == 1)


def test_film_with_gamma_one_and_beta_zero_changes_nothing():
    maps = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(film(maps, torch.ones(2, 3), torch.zeros(2, 3)), maps)


@pytest.mark.parametrize("heads", [1, 4])
def test_cross_attention_is_pytorchs_masks_included(heads):
    torch.manual_seed(0)
    ours, theirs = CrossAttention(8, heads), torch.nn.MultiheadAttention(8, heads, batch_first=True)
    theirs.in_proj_weight, theirs.in_proj_bias = ours.project.weight, ours.project.bias
    theirs.out_proj = ours.out
    x, other = torch.randn(3, 5, 8), torch.randn(3, 4, 8)
    real = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [1, 0, 0, 0]]).bool()
    want, weights = theirs(x, other, other, key_padding_mask=~real, average_attn_weights=False)
    torch.testing.assert_close(ours(x, other, real), want)
    torch.testing.assert_close(ours.weights, weights)


def test_a_row_with_nothing_to_ask_is_told_zeros():
    real = torch.tensor([[True, False], [False, False]])
    output, weights = cross_attention(*torch.randn(3, 2, 2, 4), real)
    assert output[1].abs().max() == weights[1].abs().max() == 0


def test_cross_attention_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="equal share"):
        CrossAttention(6, 4)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_a_convolution_whose_stride_is_its_kernel_is_a_linear_layer_on_patches(
    size, down, across, c
):
    image = torch.rand(2, c, down * size, across * size)
    conv = torch.nn.Conv2d(c, 5, kernel_size=size, stride=size)
    want = conv(image).flatten(start_dim=2).transpose(1, 2)
    got = torch.nn.functional.linear(patchify(image, size), conv.weight.flatten(1), conv.bias)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_patches_that_do_not_fill_a_picture_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="do not fill"):
        patchify(torch.rand(1, 3, 9, 8), 4)
    with pytest.raises(ValueError, match="knows places"):
        PatchEncoder(8, 4, 16)(torch.rand(1, 3, 12, 12))


def test_a_patch_encoder_gives_a_token_a_patch_and_their_mean():
    encoder = PatchEncoder(8, 4, 16, heads=2)
    found = encoder.tokens(torch.rand(2, 3, 16, 16))
    assert found.vectors.shape == (2, 16, 8)
    assert found.real.all()
    assert encoder(torch.rand(2, 3, 16, 16)).shape == (2, 8)


def test_a_coarser_map_holds_the_means_of_four_places():
    places = torch.arange(16.0).view(1, 16, 1)
    found = coarser(Tokens(places, torch.ones(1, 16).bool()), side=4)
    assert found.vectors.flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert found.real.shape == (1, 4)
