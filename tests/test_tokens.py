"""Tokens: what encoders give for words and places, and that padding and absence take no part."""

import pytest
import torch
from torch import nn

from course_utils.attention import Tokens
from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches
from course_utils.encoders import (
    BagEncoder,
    CNNEncoder,
    LSTMEncoder,
    TransformerEncoder,
    encode,
    encode_all,
    join_rows,
)
from course_utils.experiment import (
    cache_features,
    models_fused,
    on_cached_features,
    scores_of_pairings,
)
from course_utils.fusion import ConcatFusion, JointAttentionFusion
from course_utils.measures import accuracy
from course_utils.training import predict

WORDS, DIM = 20, 8
LENGTH = torch.tensor([5, 1, 3, 4, 2, 5])
ROWS, LONGEST = len(LENGTH), int(LENGTH.max())
READERS_OF_TEXT = {
    "bag": lambda: BagEncoder(WORDS, DIM),
    "LSTM": lambda: LSTMEncoder(WORDS, DIM, 6),
    "transformer": lambda: TransformerEncoder(WORDS, DIM, heads=2, layers=2),
    "causal transformer": lambda: TransformerEncoder(WORDS, DIM, heads=2, causal=True),
}


@pytest.fixture(autouse=True)
def _seeded(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    torch.manual_seed(0)


@pytest.fixture(params=READERS_OF_TEXT)
def reader(request):
    torch.manual_seed(1)
    return READERS_OF_TEXT[request.param]().eval()


@pytest.fixture
def text():
    ids = torch.randint(1, WORDS, (ROWS, LONGEST))
    return ids.masked_fill(torch.arange(LONGEST) >= LENGTH[:, None], 0)


@pytest.fixture
def batch(text):
    return {
        "image": torch.rand(ROWS, 3, 16, 16),
        "text": text,
        "text_length": LENGTH,
        "present": {
            "image": torch.tensor([True, False, True, True, False, True]),
            "text": torch.tensor([True, True, False, True, False, True]),
        },
        "label": torch.arange(ROWS) % 2,
    }


def make_cnn():
    return CNNEncoder(DIM, channels=(4, 6))


def cards_model(**options):
    encoders = {"image": make_cnn(), "text": TransformerEncoder(WORDS, DIM, heads=2)}
    joining = JointAttentionFusion({"image": DIM, "text": DIM}, dim=12, **options)
    return MultimodalClassifier(encoders, joining, 2).eval()


# --- what encoders give -------------------------------------------------------------------------


def test_a_word_is_a_token_and_padding_is_none(reader, text):
    tokens = reader.tokens(text, LENGTH)
    assert tokens.vectors.shape == (ROWS, LONGEST, DIM)
    assert tokens.real.dtype == torch.bool
    assert tokens.real.sum(dim=1).tolist() == LENGTH.tolist()
    assert not tokens.real[1, 1:].any()


@pytest.mark.parametrize("name", ["bag", "transformer", "causal transformer"])
def test_the_pooled_vector_is_the_mean_of_the_real_tokens(name, text):
    reader = READERS_OF_TEXT[name]().eval()
    tokens = reader.tokens(text, LENGTH)
    for row in range(ROWS):
        mean = tokens.vectors[row][tokens.real[row]].mean(dim=0)
        torch.testing.assert_close(reader(text, LENGTH)[row], mean)


def test_the_pooled_vector_of_an_lstm_is_its_last_real_token(text):
    reader = READERS_OF_TEXT["LSTM"]().eval()
    vectors = reader.tokens(text, LENGTH).vectors
    torch.testing.assert_close(reader(text, LENGTH), vectors[torch.arange(ROWS), LENGTH - 1])


def test_a_place_of_the_last_map_is_a_token_row_by_row():
    encoder, image = make_cnn().eval(), torch.rand(2, 3, 16, 24)
    tokens, maps = encoder.tokens(image), encoder.maps(image)
    assert maps.shape == (2, 6, 4, 6)
    assert tokens.vectors.shape == (2, 24, DIM)
    assert tokens.real.all()
    for y, x in ((0, 0), (1, 4), (3, 5)):
        torch.testing.assert_close(tokens.vectors[:, 6 * y + x], encoder.project(maps[:, :, y, x]))


def test_where_a_map_has_one_place_its_token_is_the_pooled_vector():
    encoder, image = make_cnn().eval(), torch.rand(3, 3, 4, 4)
    torch.testing.assert_close(encoder.tokens(image).vectors[:, 0], encoder(image))


def test_the_largest_over_places_before_the_map_to_dim_is_what_a_cnn_pools():
    """With the identity for that map, the pooled vector is the largest over the tokens."""
    encoder, image = CNNEncoder(6, channels=(4, 6)).eval(), torch.rand(3, 3, 16, 16)
    nn.init.eye_(encoder.project.weight)
    nn.init.zeros_(encoder.project.bias)
    torch.testing.assert_close(encoder.tokens(image).vectors.amax(dim=1), encoder(image))


# --- padded to different lengths ----------------------------------------------------------------


@pytest.mark.parametrize("more", [1, 7])
def test_more_padding_changes_no_real_token(reader, text, more):
    tokens = reader.tokens(text, LENGTH)
    padded = reader.tokens(nn.functional.pad(text, (0, more)), LENGTH)
    assert padded.real.sum(dim=1).tolist() == LENGTH.tolist()
    torch.testing.assert_close(padded.vectors[padded.real], tokens.vectors[tokens.real])


def test_a_text_has_the_same_tokens_alone_and_among_longer_ones(reader, text):
    together = reader.tokens(text, LENGTH)
    for row, n in enumerate(LENGTH):
        alone = reader.tokens(text[[row], :n], LENGTH[[row]])
        torch.testing.assert_close(alone.vectors[0, :n], together.vectors[row, :n])


def test_batches_of_different_length_are_joined_to_the_longest():
    parts = [Tokens(torch.randn(n, t, DIM), torch.rand(n, t) > 0.3) for n, t in ((2, 3), (1, 5))]
    joined = join_rows(parts)
    assert joined.vectors.shape == (3, 5, DIM)
    assert torch.equal(joined.vectors[:2, :3], parts[0].vectors)
    assert torch.equal(joined.real[:2, :3], parts[0].real)
    assert torch.equal(joined.vectors[2], parts[1].vectors[0])
    assert not joined.real[:2, 3:].any()


def test_all_rows_are_encoded_though_each_batch_is_as_long_as_its_own_longest(reader, text):
    batches = []
    for rows in ([1, 4], [0, 2, 3], [5]):
        longest = int(LENGTH[rows].max())
        batches.append({"text": text[rows, :longest], "text_length": LENGTH[rows],
                        "flag": torch.tensor(rows)})  # fmt: skip
    found = encode_all({"text": reader}, batches, as_tokens=["text"])
    order = found["flag"]
    torch.testing.assert_close(found["text"], reader(text, LENGTH)[order].detach())
    whole, joined = reader.tokens(text, LENGTH), found["text_tokens"]
    assert torch.equal(joined.real, whole.real[order])
    expected = whole.vectors.detach()[order][joined.real]
    torch.testing.assert_close(joined.vectors[joined.real], expected)


def test_batches_shuffle_vectors_and_what_is_real_alike():
    number = torch.arange(50)
    real = number[:, None] % torch.tensor([2, 3, 5]) == 0
    tokens = Tokens(number[:, None, None].expand(50, 3, 2).float(), real)
    batches = Batches({"words": tokens, "label": number}, 8, shuffle=True)
    seen = []
    for batch in batches:
        label = batch["label"]
        assert isinstance(batch["words"], Tokens)
        assert (batch["words"].vectors == label[:, None, None]).all()
        assert torch.equal(batch["words"].real, real[label])
        seen += label.tolist()
    assert seen != sorted(seen)
    assert sorted(seen) == number.tolist()


# --- joint attention ----------------------------------------------------------------------------


def make_tokens(**lengths):
    """Random tokens by name, each row of another length."""
    return {
        name: Tokens(
            torch.randn(ROWS, t, DIM), torch.arange(t) < 1 + torch.arange(ROWS)[:, None] % t
        )
        for name, t in lengths.items()
    }


def joint(**options):
    return JointAttentionFusion({"image": DIM, "text": DIM}, dim=12, **{"layers": 2, **options})


@pytest.mark.parametrize("noise", [1.0, 1e6])
def test_padded_tokens_take_no_part(noise):
    joining, features = joint(), make_tokens(image=4, text=5)
    changed = {
        name: Tokens(vectors + noise * torch.randn_like(vectors) * ~real[..., None], real)
        for name, (vectors, real) in features.items()
    }
    assert not torch.equal(changed["text"].vectors, features["text"].vectors)
    assert torch.equal(joining(changed), joining(features))


@pytest.mark.parametrize("name", ["image", "text"])
def test_an_absent_modality_takes_no_part_whatever_its_tokens(name):
    joining, features = joint(), make_tokens(image=4, text=5)
    there = torch.arange(ROWS) % 2 == 0
    vectors, real = features[name]
    noise = 10 * torch.randn_like(vectors)
    absent = features | {name: Tokens(vectors + noise * ~there[:, None, None], real)}
    before, after = (joining(each, {name: there}) for each in (features, absent))
    assert torch.equal(before, after)
    both = features | {name: Tokens(vectors + noise, real)}
    moved = (joining(both, {name: there}) != before).any(dim=1)
    assert torch.equal(moved, there)


def test_rows_alone_and_among_others_come_out_alike():
    joining, features = joint(), make_tokens(image=4, text=5)
    together = joining(features)
    for row in range(ROWS):
        alone = {
            name: Tokens(vectors[[row]][:, real[row]], real[[row]][:, real[row]])
            for name, (vectors, real) in features.items()
        }
        torch.testing.assert_close(joining(alone)[0], together[row])


def test_a_row_without_any_modality_stays_finite_with_finite_gradients():
    joining, features = joint(), make_tokens(image=4, text=5)
    vectors = [tokens.vectors.requires_grad_() for tokens in features.values()]
    there = torch.arange(ROWS) != 2
    joined = joining(features, {"image": there, "text": there})
    assert joined.isfinite().all()
    joined.square().sum().backward()
    for tensor in (*vectors, *joining.parameters()):
        assert tensor.grad.isfinite().all()
    for each in vectors:
        assert (each.grad[2] == 0).all()
        assert (each.grad[3] != 0).any()


def test_a_modality_that_comes_as_one_vector_is_one_token():
    joining, features = joint(), make_tokens(image=4, text=5)
    vector = torch.randn(ROWS, DIM)
    one = Tokens(vector[:, None], torch.ones(ROWS, 1, dtype=torch.bool))
    with_vector, with_token = (joining(features | {"image": each}) for each in (vector, one))
    assert torch.equal(with_vector, with_token)


def test_joint_attention_does_not_ask_in_which_order_tokens_of_a_modality_lie():
    joining, features = joint(), make_tokens(image=4, text=5)
    turned = {name: Tokens(*(part.flip(1) for part in each)) for name, each in features.items()}
    torch.testing.assert_close(joining(turned), joining(features))


def test_joint_attention_knows_which_modality_a_token_is_of():
    joining, features = joint(), make_tokens(image=4, text=4)
    joining.project["text"].load_state_dict(joining.project["image"].state_dict())
    swapped = {"image": features["text"], "text": features["image"]}
    assert not torch.allclose(joining(swapped), joining(features), atol=1e-3)


# --- live and cached ----------------------------------------------------------------------------


def test_a_fusion_of_tokens_gets_them_and_another_gets_vectors(batch):
    model = cards_model()
    kinds = {name: type(each) for name, each in model.features(batch).items()}
    assert kinds == {"image": Tokens, "text": Tokens}
    vectors = MultimodalClassifier(
        dict(model.encoders), ConcatFusion({"image": DIM, "text": DIM}), 2
    )
    assert all(each.shape == (ROWS, DIM) for each in vectors.features(batch).values())


def test_an_encoder_without_tokens_hands_on_its_vector(batch):
    class Counting(nn.Module):
        reads, dim = ("text_length",), 1

        def forward(self, length):
            return length[:, None].float()

    assert torch.equal(encode(Counting(), batch, as_tokens=True), LENGTH[:, None].float())


def test_live_and_cached_tokens_give_the_same_logits(batch):
    model = cards_model()
    cached = cache_features(dict(model.encoders), {"train": batch}, as_tokens=True)
    again = on_cached_features(model.fusion, cached, 2).eval()
    again.head = model.head
    assert again.reads == ("image_tokens", "text_tokens")
    torch.testing.assert_close(
        predict(again, Batches(cached["train"], 4)), predict(model, Batches(batch, 4))
    )


@pytest.mark.parametrize("name", ["image", "text"])
def test_an_absent_picture_or_text_changes_no_logit_of_a_model_of_tokens(batch, name):
    model, there = cards_model(), batch["present"][name]
    other = batch[name].flip(1)
    absent = torch.where(there.view(-1, *[1] * (other.ndim - 1)), batch[name], other)
    assert not torch.equal(absent, batch[name])
    before, after = (predict(model, [each]) for each in (batch, batch | {name: absent}))
    assert torch.equal(before, after)


def test_pairings_of_cached_tokens_are_those_of_the_cards(batch):
    model = cards_model()
    cached = cache_features(dict(model.encoders), {"train": batch}, as_tokens=True)
    again = on_cached_features(model.fusion, cached, 2).eval()
    again.head = model.head
    pairs = scores_of_pairings(again, cached["train"])
    assert pairs.shape == (ROWS, ROWS, 2)
    torch.testing.assert_close(pairs, scores_of_pairings(model, batch))


# --- what tokens are for ------------------------------------------------------------------------


def planted(n, seed, kinds=4, places=4):
    """A picture with one motif at some place, a text with one word that tells; do they fit?

    The pooled vectors, means over the tokens, hold the same, but no sum of the two knows.
    """
    g = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 2, (n,), generator=g)
    motif = torch.randint(0, kinds, (n,), generator=g)
    other = (motif + torch.randint(1, kinds, (n,), generator=g)) % kinds
    tensors = {"label": label}
    for name, what in (("image", motif), ("text", torch.where(label == 1, motif, other))):
        vectors = 0.1 * torch.randn(n, places, DIM, generator=g)
        place = torch.randint(0, places, (n,), generator=g)
        vectors[torch.arange(n), place, what] += 4
        real = torch.ones(n, places, dtype=torch.bool)
        tensors |= {name: vectors.mean(dim=1), f"{name}_tokens": Tokens(vectors, real)}
    return tensors


def test_joint_attention_tells_whether_tokens_fit_where_concat_cannot():
    splits = {s: planted(n, k) for k, (s, n) in enumerate(
        {"train": 1000, "validation": 300, "test": 600}.items())}  # fmt: skip
    found = models_fused(
        {"concat": ConcatFusion, "joint": lambda dims: JointAttentionFusion(dims, 16, heads=2)},
        splits, 2, names=["image", "text"],
        options={"epochs": 10, "learning_rate": 1e-2, "batch_size": 32},
    )  # fmt: skip
    scores = {n: accuracy(one.logits, splits["test"]["label"]) for n, one in found.items()}
    assert scores["joint"] > 0.85
    assert scores["joint"] > scores["concat"] + 0.2
