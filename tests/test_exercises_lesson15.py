"""Lesson 15's exercises on answers that its author did not declare."""

import pytest
import torch

from course_utils.data import motion_clips
from course_utils.exercises import lesson15
from course_utils.exercises.core import RIGHT, WRONG, judge

pytest.importorskip("av")
SEEDS = range(8)


def told(name, attempt, seed=0):
    """The sentence on a wrong attempt."""
    verdict = judge(getattr(lesson15, name), attempt, seed)
    assert verdict.kind == WRONG
    return verdict.sentence


def test_absolute_differences_are_told_as_such():
    def frame_difference(frames):
        return torch.diff(frames, dim=1).abs()

    assert "Keep the sign" in told("frame_difference", frame_difference)


def test_a_gap_of_the_batch_turned_round_is_told():
    def reversal_gap(call, frames):
        with torch.no_grad():
            return float((call(frames) - call(torch.flip(frames, (0,)))).abs().max())

    assert "axis 0" in told("reversal_gap", reversal_gap)


def test_a_maximum_over_zeros_is_told():
    def temporal_pool(vectors, real, how="mean"):
        masked = vectors * real.unsqueeze(-1)
        if how == "max":
            return masked.max(dim=1).values
        return masked.sum(dim=1) / real.sum(dim=1, keepdim=True)

    assert "put -inf there" in told("temporal_pool", temporal_pool)


@pytest.mark.parametrize("low", [-10, -100, -1000])
def test_a_maximum_over_small_numbers_is_told(low):
    def temporal_pool(vectors, real, how="mean"):
        if how == "max":
            return torch.where(real[..., None], vectors, low).max(dim=1).values
        weight = real.to(vectors)[..., None]
        return (vectors * weight).sum(dim=1) / weight.sum(dim=1)

    assert "a finite number stands at padding" in told("temporal_pool", temporal_pool)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_reader_that_catches_only_the_library_s_own_errors_is_told(seed):
    import av

    own = lesson15.slipped(caught=av.error.FFmpegError)
    assert "stopped your reader (IndexError)" in told("read_clips", own, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_drawn_folder_has_films_shorter_and_longer_than_what_is_asked_for(seed):
    lengths = {len(clip) for clip in lesson15.drawn_clips(seed).values()}
    assert min(lengths) < lesson15._COUNT < max(lengths)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_drawn_folder_has_an_ending_in_capitals(seed):
    assert any(place.endswith(".MP4") for place in lesson15.drawn_clips(seed))


def test_files_named_by_their_name_alone_are_told():
    def read_clips(folder, count, size):
        found = lesson15.clips_of_folder(folder, count, size)
        return found | {"file": [place.split("/")[1] for place in found["file"]]}

    assert "the place of each video in the folder" in told("read_clips", read_clips)


def test_labels_that_count_files_are_told():
    def read_clips(folder, count, size):
        found = lesson15.clips_of_folder(folder, count, size)
        return found | {"label": torch.arange(len(found["label"]))}

    assert "places in `classes`" in told("read_clips", read_clips)


def test_the_last_frames_are_told():
    last = lesson15.slipped(
        places=lambda total, count: (torch.arange(count) + total - count).clamp(min=0)
    )
    assert "the last frames" in told("read_clips", last)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reader_of_the_lesson_is_right_on_every_draw(seed):
    assert judge(lesson15.read_clips, lesson15.clips_by_hand, seed).kind == RIGHT


def test_the_claim_on_order_is_false_only_where_twins_are_as_likely_as_events():
    """Of a grid of dials those alone that hint at: a clip as often turned round as not."""
    broken = []
    for twin in (0.0, 0.2, 0.4, 0.5, 0.6, 1.0):
        dials = {"twin": twin, "without": 0.2}
        verdict = judge(lesson15.order_for_nothing, lambda dials=dials: dict(dials), 0)
        broken += [twin] * (verdict.kind == RIGHT)
    assert broken == [0.5]
    known = [motion_clips.ceiling(twin=0.5, without=0.2, ordered=o) for o in (True, False)]
    assert known[0]["image + frames"] == pytest.approx(known[1]["image + frames"])
