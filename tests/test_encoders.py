"""One vector for each row, whatever the way of reading."""

import pytest
import torch
from torch import nn

from course_utils.data.batches import Batches
from course_utils.encoders import (
    BagEncoder,
    CachedEncoder,
    CNNEncoder,
    ColumnsEncoder,
    LSTMEncoder,
    ResNetEncoder,
    encode,
    encode_all,
    reading,
)

WORDS = 12
TEXT_ENCODERS = (BagEncoder, LSTMEncoder)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def batch():
    return {
        "image": torch.rand(4, 3, 24, 24),
        "text": torch.tensor([[2, 3, 4], [5, 0, 0], [1, 6, 0], [7, 8, 9]]),
        "text_length": torch.tensor([3, 1, 2, 3]),
        "label": torch.tensor([0, 1, 2, 0]),
        "present": {
            "image": torch.tensor([True, False, True, True]),
            "text": torch.ones(4, dtype=torch.bool),
        },
    }


def make(kind, dim=8):
    return kind(dim) if kind is CNNEncoder else kind(WORDS, dim)


@pytest.mark.parametrize("kind", [CNNEncoder, *TEXT_ENCODERS])
@pytest.mark.parametrize("dim", [1, 8])
def test_an_encoder_gives_one_vector_of_its_dim_for_each_row(kind, dim, batch):
    encoder = make(kind, dim)
    assert encoder.dim == dim
    assert encode(encoder, batch).shape == (4, dim)


@pytest.mark.parametrize("size", [(4, 4), (7, 20), (20, 7)])
def test_a_picture_that_is_too_small_to_be_halved_is_answered_in_a_sentence(size):
    with pytest.raises(ValueError, match=rf"3 blocks reads pictures of 8 x 8 .* not {size[0]} x"):
        CNNEncoder(8)(torch.rand(2, 3, *size))
    assert CNNEncoder(8, channels=(4, 4))(torch.rand(2, 3, 4, 4)).shape == (2, 8)
    assert CNNEncoder(8)(torch.rand(2, 3, 8, 8)).shape == (2, 8)


@pytest.mark.parametrize("kind", [CNNEncoder, *TEXT_ENCODERS])
def test_every_weight_of_an_encoder_gets_a_gradient(kind, batch):
    # While it trains, BatchNorm takes a convolution's bias out again: its gradient is then zero.
    encoder = make(kind).eval()
    encode(encoder, batch).square().sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", [CNNEncoder, *TEXT_ENCODERS])
def test_a_row_is_read_alike_alone_and_among_others(kind, batch):
    encoder = make(kind).eval()
    together = encode(encoder, batch)
    for row in range(4):
        alone = encode(encoder, Batches(batch).pick(torch.tensor([row])))
        torch.testing.assert_close(alone[0], together[row])


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (48, 48), (30, 51)])
def test_a_cnn_reads_pictures_of_any_size(size):
    assert CNNEncoder(dim=5)(torch.rand(2, 3, *size)).shape == (2, 5)


def test_a_cnn_reads_grey_pictures_when_built_for_one_colour():
    assert CNNEncoder(dim=5, colours=1)(torch.rand(2, 1, 16, 16)).shape == (2, 5)


def test_a_cnn_has_one_block_for_each_number_of_channels():
    encoder = CNNEncoder(channels=(4, 6))
    widths = [layer.out_channels for layer in encoder.blocks if isinstance(layer, nn.Conv2d)]
    assert widths == [4, 6]
    assert encoder(torch.rand(2, 3, 4, 4)).shape == (2, 64)


def test_a_cnn_finds_a_motif_wherever_it_stands():
    encoder = CNNEncoder(dim=5).eval()
    pictures = torch.zeros(2, 3, 48, 48)
    motif = torch.rand(3, 8, 8)
    pictures[0, :, 16:24, 16:24] = motif
    pictures[1, :, 24:32, 16:24] = motif  # 8 pixels lower: whole steps of three poolings
    one, other = encoder(pictures)
    torch.testing.assert_close(one, other)


# --- texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TEXT_ENCODERS)
@pytest.mark.parametrize("more", [1, 20])
def test_padding_changes_nothing(kind, more, batch):
    encoder = make(kind)
    padded = nn.functional.pad(batch["text"], (0, more))
    torch.testing.assert_close(
        encoder(padded, batch["text_length"]), encoder(batch["text"], batch["text_length"])
    )


@pytest.mark.parametrize("kind", TEXT_ENCODERS)
def test_the_vector_of_padding_is_zero_and_stays_so(kind, batch):
    encoder = make(kind)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        encode(encoder, batch).square().sum().backward()
        optimizer.step()
    assert (encoder.embed.weight[0] == 0).all()


@pytest.mark.parametrize("kind", TEXT_ENCODERS)
def test_word_vectors_start_small(kind):
    encoder = kind(1000, 32)
    assert encoder.embed.weight[1:].std().item() == pytest.approx(0.1, rel=0.05)


def test_a_bag_is_the_mean_of_its_word_vectors(batch):
    encoder = make(BagEncoder)
    mean = encoder.embed.weight[[1, 6]].mean(dim=0)
    torch.testing.assert_close(encode(encoder, batch)[2], mean)


def test_a_bag_does_not_see_the_order_of_words_and_an_lstm_does():
    text, length = torch.tensor([[2, 3, 4], [4, 3, 2]]), torch.tensor([3, 3])
    bag, lstm = make(BagEncoder)(text, length), make(LSTMEncoder)(text, length)
    torch.testing.assert_close(bag[0], bag[1])
    assert not torch.allclose(lstm[0], lstm[1])


def test_an_lstm_gives_its_state_at_each_rows_own_last_word(batch):
    encoder = make(LSTMEncoder)
    states, _ = encoder.lstm(encoder.embed(batch["text"]))
    last = states[torch.arange(4), batch["text_length"] - 1]
    torch.testing.assert_close(encode(encoder, batch), last)


# --- tables -------------------------------------------------------------------------------------


def test_columns_are_read_by_a_hidden_layer():
    encoder = ColumnsEncoder(3, dim=5)
    columns = torch.rand(4, 3)
    vectors = encode(encoder, {"columns": columns})
    assert vectors.shape == (4, encoder.dim) == (4, 5)
    double = encoder(2 * columns) - 2 * vectors + encoder(0 * columns)
    assert double.abs().max() > 1e-3  # a linear map would give zeros


# --- calling them -------------------------------------------------------------------------------


def test_a_part_that_the_batch_lacks_is_named(batch):
    del batch["text_length"]
    with pytest.raises(KeyError, match="BagEncoder reads 'text_length', but the batch holds image"):
        encode(make(BagEncoder), batch)


def test_an_encoder_can_be_set_to_read_another_modality(batch):
    encoder = make(BagEncoder)
    expected = encode(encoder, batch)
    assert reading(encoder, "caption") is encoder
    assert encoder.reads == ("caption", "caption_length")
    renamed = {"caption": batch["text"], "caption_length": batch["text_length"]}
    assert torch.equal(encode(encoder, renamed), expected)
    assert BagEncoder.reads == ("text", "text_length")  # of others


def test_cached_features_are_handed_on_as_they_are():
    features = torch.rand(4, 6)
    encoder = CachedEncoder("image", 6)
    assert encode(encoder, {"image": features}) is features
    assert encoder.dim == 6
    assert not list(encoder.parameters())


def test_encoding_all_batches_gives_every_row_in_order(batch):
    encoders = {"image": make(CNNEncoder), "text": make(BagEncoder, 5)}
    halves = list(Batches(batch, batch_size=2))
    features = encode_all(encoders, halves)
    assert features["image"].shape == (4, 8)
    assert features["text"].shape == (4, 5)
    assert torch.equal(features["label"], batch["label"])
    assert features["present"].keys() == batch["present"].keys()
    for name, there in batch["present"].items():
        assert torch.equal(features["present"][name], there)
    torch.testing.assert_close(features["image"], encode(encoders["image"], batch))


def test_side_channels_come_along_and_what_was_read_stays_behind(batch):
    batch["when"] = torch.tensor([4.0, 3.0, 2.0, 1.0])
    features = encode_all({"image": make(CNNEncoder)}, Batches(batch, batch_size=3))
    assert set(features) == {"image", "text", "text_length", "label", "present", "when"}
    assert torch.equal(features["when"], batch["when"])
    assert features["image"].shape == (4, 8)  # the vectors, not the pictures


def test_encoding_all_batches_is_frozen(batch):
    encoder = make(CNNEncoder)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    features = encode_all({"image": encoder}, [batch])
    assert not encoder.training
    assert not features["image"].requires_grad
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_resnet_becomes_an_encoder_of_our_size():
    encoder = ResNetEncoder(7).eval()
    with torch.no_grad():
        assert encoder(torch.rand(2, 3, 48, 48)).shape == (2, 7)


def test_a_resnet_starts_from_a_file_of_weights(tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    published = resnet18(weights=None)
    torch.save(published.state_dict(), tmp_path / "resnet18.pth")
    encoder = ResNetEncoder(7, weights=tmp_path / "resnet18.pth")
    torch.testing.assert_close(encoder.net.conv1.weight, published.conv1.weight)
