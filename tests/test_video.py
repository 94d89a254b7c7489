"""Frames over time, and the encoders that read them."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.attention import Tokens
from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.motion_clips import make, rows_for
from course_utils.data.video_files import FramesReader
from course_utils.encoders import encode, masked_mean
from course_utils.fusion import ConcatFusion
from course_utils.training import fit, predict
from course_utils.video import (
    frame_difference,
    reversal_gap,
    sample_frames,
    sample_positions,
    shuffle_frames,
    temporal_pool,
)
from course_utils.video_encoders import (
    ENCODERS,
    Conv3dEncoder,
    Conv21dEncoder,
    StackedEncoder,
    TemporalAttentionEncoder,
    maps_between,
)

BLIND = ("one frame", "average", "bag of frames")


def clips(rows=3, frames=16, side=32, seed=0):
    return torch.rand(rows, frames, 1, side, side, generator=torch.Generator().manual_seed(seed))


def moving(rows=3, frames=16):
    """A light square that goes to the right, in each row from another height."""
    clips = torch.zeros(rows, frames, 1, 32, 32)
    for row, moment in itertools.product(range(rows), range(frames)):
        clips[row, moment, 0, 4 + 6 * row : 12 + 6 * row, moment : moment + 8] = 1
    return clips


# --- sampling --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "count", "positions"),
    [
        (16, 4, [2, 6, 10, 14]),
        (16, 16, [*range(16)]),
        (5, 1, [2]),
        (10, 3, [1, 5, 8]),
        (2, 4, [0, 0, 1, 1]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_the_middle_of_each_segment_is_taken(total, count, positions):
    assert sample_positions(total, count).tolist() == positions


def test_positions_are_those_of_the_middles_that_numpy_reckons():
    for total in range(1, 70):
        for count in range(1, 40):
            middles = np.floor(np.round((np.arange(count) + 0.5) * total / count, 9))
            assert sample_positions(total, count).tolist() == middles.tolist()


def test_with_dice_any_frame_of_a_segment_is_taken_and_none_of_another():
    rng = torch.Generator().manual_seed(0)
    drawn = torch.stack([sample_positions(16, 4, rng) for _ in range(300)])
    assert all(drawn[:, k].unique().tolist() == [*range(4 * k, 4 * k + 4)] for k in range(4))
    few = torch.stack([sample_positions(3, 7, rng) for _ in range(50)])
    assert (few.diff(dim=1) >= 0).all()
    assert few.max() == 2


def test_frames_are_sampled_from_their_first_axis():
    frames = torch.arange(10)[:, None, None].expand(10, 2, 3)
    assert sample_frames(frames, 5)[:, 0, 0].tolist() == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(("total", "count"), [(0, 3), (3, 0)])
def test_sampling_from_nothing_is_refused(total, count):
    with pytest.raises(ValueError, match="1 or more"):
        sample_positions(total, count)


# --- differences, shuffles, reversals, pools -------------------------------------------------


def test_the_difference_is_that_of_torch_with_its_sign():
    frames = clips()
    assert torch.equal(frame_difference(frames), torch.diff(frames, dim=1))
    assert torch.allclose(frame_difference(frames.flip(1)), -frame_difference(frames).flip(1))
    with pytest.raises(ValueError, match="F at least 2"):
        frame_difference(frames[:, :1])


def test_shuffled_clips_keep_their_frames_and_each_has_an_order_of_its_own():
    numbers = torch.arange(12).expand(50, 12)
    mixed = shuffle_frames(numbers, torch.Generator().manual_seed(1))
    assert torch.equal(mixed.sort(dim=1).values, numbers)
    assert len({tuple(row) for row in mixed.tolist()}) > 45
    again = shuffle_frames(numbers, torch.Generator().manual_seed(1))
    assert torch.equal(mixed, again)
    frames = clips()
    whole = shuffle_frames(frames, torch.Generator().manual_seed(2))
    torch.testing.assert_close(whole.sum(dim=1), frames.sum(dim=1))


def test_a_mean_has_no_reversal_gap_and_the_last_frame_has():
    frames = clips()
    assert reversal_gap(lambda x: x.mean(dim=1), frames) < 1e-6
    expected = (frames[:, -1] - frames[:, 0]).abs().max().item()
    assert reversal_gap(lambda x: x[:, -1], frames) == pytest.approx(expected)


def test_pools_are_torchs_own_where_all_frames_are_real():
    vectors = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(0))
    flat = vectors.transpose(1, 2)
    one = {"mean": nn.functional.adaptive_avg_pool1d, "max": nn.functional.adaptive_max_pool1d}
    for how, twin in one.items():
        expected = twin(flat, 1)[..., 0]
        torch.testing.assert_close(temporal_pool(vectors, how=how), expected, atol=1e-6, rtol=0)
    assert torch.equal(temporal_pool(vectors, how="last"), vectors[:, -1])


@pytest.mark.parametrize("how", ["mean", "max", "last"])
def test_padding_does_not_move_a_pool(how):
    vectors = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(1))
    length = torch.tensor([6, 2, 1])
    real = torch.arange(6) < length[:, None]
    pooled = temporal_pool(vectors, real, how)
    loud = torch.where(real[..., None], vectors, torch.full_like(vectors, 99.0))
    torch.testing.assert_close(temporal_pool(loud, real, how), pooled)
    alone = torch.stack([temporal_pool(row[None, :n], how=how)[0]
                         for row, n in zip(vectors, length, strict=True)])  # fmt: skip
    torch.testing.assert_close(pooled, alone)
    if how == "mean":
        torch.testing.assert_close(pooled, masked_mean(vectors, length))


def test_a_wrong_pool_is_told_in_a_sentence():
    vectors = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match="pooled by mean, max, last, not by 'sum'"):
        temporal_pool(vectors, how="sum")
    for real in (torch.ones(2, 4, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)):
        with pytest.raises(ValueError, match="one at least of each clip"):
            temporal_pool(vectors, real)


# --- encoders --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_is_called_alike_and_learns_in_all_its_parts(name):
    torch.manual_seed(0)
    encoder = ENCODERS[name]()
    found = encode(encoder, {"frames": clips()})
    assert found.shape == (3, encoder.dim)
    found.square().sum().backward()
    for part, weight in encoder.named_parameters():
        assert weight.grad is not None, part
        assert weight.grad.isfinite().all(), part


@pytest.mark.parametrize("name", ENCODERS)
def test_who_is_blind_to_order_says_the_same_of_a_reversed_clip(name):
    torch.manual_seed(0)
    encoder = ENCODERS[name]().double().eval()
    gap = reversal_gap(encoder, moving().double())
    if name == "one frame":  # it sees another frame of a reversed clip
        assert gap > 1e-3
    elif name in BLIND:
        assert gap < 1e-12
    else:
        assert gap > 1e-5


@pytest.mark.parametrize("name", ["bag of frames", "differences", "GRU", "temporal attention"])
def test_tokens_are_a_vector_for_each_moment_and_their_mean_is_the_clips(name):
    torch.manual_seed(0)
    encoder = ENCODERS[name]().eval()
    tokens = encode(encoder, {"frames": clips()}, as_tokens=True)
    assert isinstance(tokens, Tokens)
    assert tokens.vectors.shape == (3, 15 if name == "differences" else 16, 64)
    assert tokens.real.all()
    torch.testing.assert_close(encoder(clips()), tokens.vectors.mean(dim=1))


def test_attention_without_places_does_not_know_the_order():
    torch.manual_seed(0)
    encoder = TemporalAttentionEncoder(positions=False).eval()
    mixed = shuffle_frames(clips(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoder(mixed), encoder(clips()), atol=1e-5, rtol=0)


def test_a_convolution_over_time_and_space_holds_as_many_weights_as_its_two_halves():
    whole, halves = Conv3dEncoder(), Conv21dEncoder()
    for ins, outs, size in ((1, 8, (3, 5, 5)), (8, 16, (3, 3, 3)), (16, 32, (3, 3, 3))):
        one, two = whole.conv(ins, outs, size), halves.conv(ins, outs, size)
        count = sum(w.numel() for w in one.parameters() if w.ndim > 1)
        parts = sum(w.numel() for w in two.parameters() if w.ndim > 1)
        assert 0.8 * count < parts <= count
    assert maps_between(64, 64, (3, 3, 3)) == 144  # as in the paper


@pytest.mark.parametrize("name", ENCODERS)
def test_frames_of_colour_and_of_another_size_are_read(name):
    frames = torch.rand(2, 16, 3, 48, 40)
    torch.manual_seed(0)
    colours = {"colours": 3}
    assert type(ENCODERS[name]())(**colours)(frames).shape == (2, 64)


def test_clips_of_a_length_that_an_encoder_does_not_know_are_refused():
    with pytest.raises(ValueError, match="reads clips of 16 frames, not of 8"):
        StackedEncoder()(clips(frames=8))
    with pytest.raises(ValueError, match="knows 16 places in time, and the clip has 20"):
        TemporalAttentionEncoder()(clips(frames=20))
    assert TemporalAttentionEncoder()(clips(frames=8)).shape == (3, 64)


def test_a_clip_goes_from_rows_to_an_answer_and_a_few_are_learnt():
    rows = rows_for(make(48, 1, noise=0.02, clutter=0, without=0), "pace")
    tensors = to_tensors(rows, {"frames": FramesReader(shrink=2)})
    assert tensors["frames"].shape == (48, 16, 1, 16, 16)
    torch.manual_seed(0)
    model = MultimodalClassifier({"frames": StackedEncoder()}, ConcatFusion({"frames": 64}), 2)
    fit(model, Batches(tensors, 16, shuffle=True), epochs=12, learning_rate=3e-3)
    right = predict(model, Batches(tensors)).argmax(dim=1) == tensors["label"]
    assert right.double().mean() > 0.9
