"""Encoders + fusion + head."""

import pytest
import torch
import torch.nn.functional as F

from course_utils.classifier import MultimodalClassifier
from course_utils.encoders import BagEncoder, CNNEncoder, LSTMEncoder
from course_utils.fusion import (
    ConcatFusion,
    JointAttentionFusion,
    MaximumFusion,
    ProductFusion,
    SumFusion,
    WeightedFusion,
)

FUSIONS = (
    ConcatFusion, MaximumFusion, ProductFusion, SumFusion, WeightedFusion, JointAttentionFusion
)  # fmt: skip


def build(fusion=ConcatFusion, text=BagEncoder, classes=3):
    torch.manual_seed(0)
    encoders = {"image": CNNEncoder(8, channels=(4, 8)), "text": text(20, 6)}
    dims = {name: encoder.dim for name, encoder in encoders.items()}
    return MultimodalClassifier(encoders, fusion(dims), classes)


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return {
        "image": torch.rand(6, 3, 12, 12),
        "text": torch.randint(1, 20, (6, 4)),
        "text_length": torch.full((6,), 4),
        "label": torch.arange(6) % 3,
        "present": {name: torch.ones(6, dtype=torch.bool) for name in ("image", "text")},
    }


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("text", [BagEncoder, LSTMEncoder])
def test_a_batch_gives_one_score_for_each_row_and_class(fusion, text, batch):
    assert build(fusion, text, classes=5)(batch).shape == (6, 5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_weight_learns(fusion, batch):
    model = build(fusion)
    F.cross_entropy(model(batch), batch["label"]).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize("fusion", FUSIONS)
def test_it_can_learn_one_batch_by_heart(fusion, batch):
    model = build(fusion)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(batch), batch["label"]).backward()
        optimizer.step()
    assert (model(batch).argmax(dim=1) == batch["label"]).all()


def test_its_features_are_what_each_encoder_makes_of_the_batch(batch):
    model = build().eval()
    features = model.features(batch)
    assert set(features) == {"image", "text"}
    torch.testing.assert_close(features["image"], model.encoders["image"](batch["image"]))


def test_a_batch_without_presence_counts_as_complete(batch):
    model = build().eval()
    with_mask = model(batch)
    del batch["present"]
    torch.testing.assert_close(model(batch), with_mask)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_picture_that_is_absent_does_not_matter(fusion, batch):
    model = build(fusion).eval()
    batch["present"]["image"][:] = False
    before = model(batch)
    torch.testing.assert_close(model(batch | {"image": torch.rand(6, 3, 12, 12)}), before)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_order_in_which_presence_is_given_does_not_matter(fusion, batch):
    model = build(fusion).eval()
    batch["present"]["image"][:3] = False
    expected = model(batch)
    turned = dict(reversed(batch["present"].items()))
    assert [*turned] == ["text", "image"]
    assert torch.equal(model(batch | {"present": turned}), expected)


def test_a_fuller_batch_changes_nothing(batch):
    model = build().eval()
    more = {"sound": torch.rand(6, 2), "present": batch["present"] | {"sound": torch.zeros(6) > 0}}
    assert torch.equal(model(batch | more), model(batch))
    assert model.reads == ("image", "text", "text_length")


class Faded(ConcatFusion):
    """Features that count less the older the row is: a fusion with a side channel."""

    reads = ("age",)

    def forward(self, features, present=None, *, age):
        return super().forward(features, present) * 0.5 ** age[:, None]


def test_a_side_channel_reaches_the_fusion_that_asks_for_it(batch):
    model, plain = build(Faded).eval(), build().eval()
    assert model.reads == ("image", "text", "text_length", "age")
    batch["age"] = torch.zeros(6)
    assert torch.equal(model(batch), plain(batch))
    batch["age"] = torch.full((6,), 60.0)
    torch.testing.assert_close(model(batch), model.head.bias.expand(6, -1))


def test_a_fusion_of_tokens_gets_them_from_the_encoders_that_have_them(batch):
    model = build(JointAttentionFusion).eval()
    features = model.features(batch)
    assert features["image"].vectors.shape == (6, 3 * 3, 8)
    assert features["text"].vectors.shape == (6, 4, 6)
    assert features["text"].real.all()


def test_the_label_is_not_looked_at(batch):
    model = build().eval()
    with_label = model(batch)
    del batch["label"]
    torch.testing.assert_close(model(batch), with_label)


def test_a_part_that_the_batch_lacks_is_named(batch):
    del batch["image"]
    with pytest.raises(KeyError, match="CNNEncoder reads 'image'"):
        build()(batch)


def test_its_weights_can_be_saved_and_loaded(batch, tmp_path):
    model, other = build(), build()
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(1)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other.load_state_dict(torch.load(tmp_path / "model.pt"))
    torch.testing.assert_close(other.eval()(batch), model.eval()(batch))


def statistics(model):
    """What the BatchNorms of the image encoder have kept."""
    kept = model.encoders["image"].state_dict()
    return {name: value.clone() for name, value in kept.items() if "running" in name}


@pytest.mark.parametrize("fusion", [ConcatFusion, JointAttentionFusion])
def test_absent_pictures_do_not_count_in_the_batch_norm(fusion, batch):
    batch["present"]["image"] = torch.arange(6) % 2 == 0
    kept = []
    for black in (0.0, 1.0):
        model = build(fusion).train()
        image = batch["image"].where(batch["present"]["image"][:, None, None, None], black)
        logits = model(batch | {"image": image})
        F.cross_entropy(logits, batch["label"]).backward()
        kept.append((statistics(model), logits, model.encoders["image"].project.weight.grad))
    torch.testing.assert_close(kept[0], kept[1])
    alone = build(fusion).train()
    alone.encoders["image"](batch["image"][batch["present"]["image"]])
    torch.testing.assert_close(statistics(alone), kept[0][0])


@pytest.mark.parametrize("there", [0, 1])
def test_with_too_few_pictures_a_batch_leaves_the_batch_norm_as_it_was(there, batch):
    model = build().train()
    batch["present"]["image"] = torch.arange(6) < there
    before = statistics(model)
    F.cross_entropy(model(batch), batch["label"]).backward()
    assert all(torch.equal(value, before[name]) for name, value in statistics(model).items())
    assert all(part.training for part in model.modules())
    assert model.encoders["image"].project.weight.grad.any() == bool(there)


def test_a_mask_that_does_not_fit_is_named_while_it_learns_too(batch):
    batch["present"]["image"] = torch.ones(5, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"present\['image'\] has the shape"):
        build().train()(batch)
