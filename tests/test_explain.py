"""Maps of what a model looks at: against Captum, and on truth that is known."""

import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam, Occlusion
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import explain
from course_utils.attention import MultiHeadAttention, padding_mask
from course_utils.classifier import MultimodalClassifier
from course_utils.encoders import CNNEncoder, TransformerEncoder
from course_utils.fusion import ConcatFusion


@pytest.fixture(scope="module")
def eye():
    torch.manual_seed(0)
    model = MultimodalClassifier({"image": CNNEncoder(8)}, ConcatFusion({"image": 8}), 3)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def ear():
    torch.manual_seed(0)
    encoder = TransformerEncoder(20, 8, heads=2)
    return MultimodalClassifier({"text": encoder}, ConcatFusion({"text": 8}), 3).eval()


@pytest.fixture(scope="module")
def cards():
    rng = torch.Generator().manual_seed(1)
    text = torch.randint(2, 20, (4, 6), generator=rng)
    length = torch.tensor([6, 3, 1, 5])
    text = text.masked_fill(torch.arange(6) >= length[:, None], 0)
    image = torch.rand(4, 3, 16, 24, generator=rng)
    return {"image": image, "text": text, "text_length": length}, torch.tensor([0, 2, 1, 1])


def near(one, two):
    torch.testing.assert_close(one, two, rtol=0, atol=1e-4)


@pytest.mark.parametrize("steps", [2, 7, 32])
def test_integrated_gradients_are_captums(eye, cards, steps):
    image, target = cards[0]["image"], cards[1]
    scores, baseline = explain.scores_of(eye), explain.median_colour(image).expand_as(image)
    theirs = IntegratedGradients(scores).attribute(
        image, baseline, target=target, n_steps=steps, method="riemann_middle"
    )
    near(explain.integrated_gradients(scores, image, baseline, target, steps), theirs)


@pytest.mark.parametrize("block", [3, 7, 11])
def test_grad_cam_is_captums_with_its_relu(eye, cards, block):
    image, target = cards[0]["image"], cards[1]
    scores, layer = explain.scores_of(eye), eye.encoders["image"].blocks[block]
    theirs = LayerGradCam(scores, layer).attribute(image, target, relu_attributions=True)
    ours = explain.grad_cam(*explain.maps_and_gradients(scores, layer, image, target))
    near(ours, theirs[:, 0].detach())


@pytest.mark.parametrize(("patch", "stride"), [(8, 4), (8, 8), (5, 3), (16, 7)])
def test_occlusion_is_captums(eye, cards, patch, stride):
    image, target = cards[0]["image"], cards[1]
    scores, fill = explain.scores_of(eye), explain.median_colour(image).expand_as(image)
    theirs = Occlusion(scores).attribute(
        image, (3, patch, patch), strides=(3, stride, stride), baselines=fill, target=target
    )
    near(explain.occlusion(scores, image, target, fill, patch, stride), theirs[:, 0])


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_of_a_linear_model_one_step_is_complete(seed, rows, numbers):
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(numbers, 3, generator=rng)
    x, baseline = torch.randn(2, rows, numbers, generator=rng)
    target = torch.randint(3, (rows,), generator=rng)
    found = explain.integrated_gradients(lambda x: x @ weight, x, baseline, target, steps=1)
    torch.testing.assert_close(found, (x - baseline) * weight.T[target], rtol=1e-4, atol=1e-5)


def test_a_hit_is_the_largest_number_in_the_box_its_last_row_and_column_too():
    map_ = torch.zeros(3, 5, 6)
    map_[0, 4, 3] = map_[1, 1, 2] = map_[2, 0, 2] = 1
    box = torch.tensor([[2, 1, 3, 4]]).expand(3, 4)
    assert explain.hits(map_, box).tolist() == [True, True, False]


def test_overlap_is_one_for_the_box_itself_and_a_third_for_half_of_it():
    box = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1]])
    map_ = torch.zeros(2, 4, 4)
    map_[0, :2, :2] = 1
    map_[1, :2, 0] = map_[1, 3, :2] = 1
    assert explain.overlap(map_, box).tolist() == pytest.approx([1, 1 / 3])


def test_maps_without_a_model_find_a_square_and_the_middle():
    image = torch.full((1, 3, 9, 9), 0.2)
    image[0, :, 5:8, 1:4] = 0.9
    assert explain.contrast(image)[0].gt(0).sum() == 9
    assert explain.edges(image)[0, 6, 2] < 1e-6
    assert explain.edges(image)[0, 5, 2] > 0.1
    assert explain.centre(image)[0].argmax() == 4 * 9 + 4
    assert torch.equal(explain.at_random(image, 3), explain.at_random(image, 3))


def test_one_square_is_hidden_and_nothing_else():
    image = torch.rand(2, 3, 16, 16)
    hidden = explain.without_patch(image, torch.tensor([[0, 1], [1, 0]]), torch.zeros(1, 3, 1, 1))
    changed = (hidden != image).any(dim=1)
    assert changed[0, :8, 8:].all()
    assert changed[1, 8:, :8].all()
    assert changed.sum() == 128


def test_the_largest_square_is_the_one_that_deletion_hides():
    map_ = torch.zeros(1, 16, 24)
    map_[0, 9, 17] = 1
    assert explain.largest_patch(map_).tolist() == [[1, 2]]


def test_deletion_of_what_a_model_reads_changes_its_answers():
    image = torch.zeros(5, 3, 16, 16)
    image[:, :, 9, 9] = 1

    def scores(x):
        return torch.stack([x[:, 0, 9, 9], torch.full((len(x),), 0.5)], dim=1)

    paper = torch.zeros(1, 3, 1, 1)
    assert explain.deletion(scores, image, image[:, 0], paper)[0] == 1
    assert explain.deletion(scores, image, explain.centre(image).flip(1), paper)[0] in (0, 1)


def test_a_hidden_word_is_unknown_and_padding_never_counts(ear, cards):
    batch, target = cards
    falls = explain.word_falls(ear, batch, target)
    real = torch.arange(6) < batch["text_length"][:, None]
    assert torch.equal(falls > -torch.inf, real)
    text = batch["text"].clone()
    text[1, 2] = explain.UNKNOWN
    before, after = ear(batch)[1, 2], ear({**batch, "text": text})[1, 2]
    torch.testing.assert_close(falls[1, 2], (before - after).detach())


def test_scores_of_vectors_are_the_models_own(ear, cards):
    batch, _ = cards
    scores, vectors = explain.scores_of_vectors(ear, batch)
    torch.testing.assert_close(scores(vectors), ear(batch))
    assert not ear.encoders["text"].embed._forward_hooks


def test_attention_can_be_changed_and_comes_back(ear, cards):
    batch, _ = cards
    layer = ear.encoders["text"].layers[0].attend
    before = ear(batch)
    with explain.attention_changed(layer, lambda weights: weights):
        torch.testing.assert_close(ear(batch), before)
    with explain.attention_changed(layer, explain.uniform):
        ear(batch)
        weights = layer.weights
    length = batch["text_length"]
    assert weights[1, 0, 0].tolist() == pytest.approx([1 / 3] * 3 + [0] * 3)
    assert explain.received_attention(layer, length)[2].tolist() == [1.0] + [-torch.inf] * 5
    torch.testing.assert_close(ear(batch), before)


def test_shuffled_attention_keeps_each_querys_weights_among_real_words():
    torch.manual_seed(0)
    layer, length = MultiHeadAttention(8, 2), torch.tensor([5, 3])
    layer(torch.randn(2, 5, 8), padding_mask(length, 5))
    found = explain.shuffled(layer.weights)
    assert (found[1, :, :, 3:] == 0).all()
    torch.testing.assert_close(found.sort(dim=-1).values, layer.weights.sort(dim=-1).values)
    assert not torch.equal(found, layer.weights)


class Corner(nn.Module):
    """Names class 1 where a pixel of the corner is white, whatever the headline."""

    def forward(self, batch):
        white = batch["image"][:, 0, 0, 0] > 0.9
        return torch.stack([torch.zeros(len(white)), white * 2.0 - 1], dim=1)


def test_an_audit_says_that_a_modality_is_unused(cards):
    batch = cards[0] | {"label": torch.tensor([0, 1, 0, 1])}
    batch["image"] = batch["image"].clone()
    batch["image"][[1, 3], :, 0, 0] = 1.0
    batch["image"][[0, 2], :, 0, 0] = 0.0
    found = explain.audit(Corner(), batch)
    assert (found["fault"], found["where"]) == ("unused", "text")
    assert found["worth"] == {"image": 1.0, "text": 0.0}
    assert found["places"].shape == (2, 2, 3)
    assert found["places"][1].flatten().tolist() == pytest.approx([2, 0, 0, 0, 0, 0])


def test_what_stands_out_is_a_classes_largest_fall_over_its_second():
    falls = torch.tensor([[1.0, 2, -5, 1.5], [0, 0.5, 0.1, -9]])
    times, place = explain.stands_out(falls)
    assert times == pytest.approx(5)
    assert place == 1


def test_one_class_for_each_row_or_a_sentence():
    with pytest.raises(ValueError, match=r"logits \(B, C\) and target \(B,\)"):
        explain.chosen(torch.zeros(3, 2), torch.zeros(2, dtype=torch.long))
