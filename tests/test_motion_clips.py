"""Motion clips: the world of clips, posters, captions and beeps keeps its promises."""

import itertools

import numpy as np
import pytest

from course_utils.data import motion_clips, motion_pictures
from course_utils.data.motion_clips import (
    EVENT_WORDS,
    EVENTS,
    NO_WISH,
    NOTHING,
    TASKS,
    TOLD,
    TWINS,
    WISH_WORDS,
    Dials,
    ceiling,
    make,
    posteriors,
    rows_for,
    subsets,
    with_reversals,
)
from course_utils.data.rows import SPLITS, Rows


def truth(n, seed=0, **dials):
    """The labels without a picture drawn."""
    return Rows(motion_clips.throw_labels(n, seed, Dials(**dials)))


# --- what make promises ----------------------------------------------------------------------


def test_rows_have_the_shapes_and_kinds_that_make_promises():
    rows = make(12, 3)
    assert rows["clip"].shape == (12, 16, 32, 32)
    assert rows["poster"].shape == (12, 48, 48, 3)
    assert rows["beeps"].shape == (12, 5120)
    assert [rows[name].dtype for name in ("clip", "poster", "beeps")] == [np.uint8] * 2 + [np.int16]
    assert len(rows["caption"]) == 12
    assert rows.classes == EVENTS
    assert {rows[name].dtype for name in (*TOLD.values(), "content", "pace")} == {np.dtype("int64")}


def test_a_row_does_not_depend_on_how_many_there_are_and_a_seed_gives_the_same_rows():
    few, many = make(4, 7), make(9, 7)
    for name, column in few.items():
        assert np.array_equal(column, many[name][:4]), name
    other = make(4, 8)
    assert not np.array_equal(few["clip"], other["clip"])
    assert len(make(0)["clip"]) == 0


def test_no_dial_of_the_pictures_moves_a_label():
    one, other = make(20, 1), make(20, 1, noise=0, clutter=5, frames=4)
    for name in set(one) - {"clip", "poster"}:
        assert np.array_equal(one[name], other[name]), name


def test_shares_are_those_that_the_dials_say():
    rows = truth(20_000, 1, twin=0.3, without=0.1, without_wish=0.25, sentiment_noise=0.2)
    near = {"abs": 0.015}
    for split, share in zip(SPLITS, motion_clips.SHARES, strict=True):
        assert (rows["split"] == split).mean() == pytest.approx(share, **near)
    for modality, name in TOLD.items():
        told, event = rows[name], rows["content"]
        assert (told == NOTHING).mean() == pytest.approx(0.1, **near)
        wrong = (told != event)[told != NOTHING]
        assert wrong.mean() == pytest.approx(0.3, **near)
        twin = np.take(TWINS[modality], event)
        assert ((told == event) | (told == twin) | (told == NOTHING)).all()
    for name in ("poster_wish", "caption_wish"):
        assert (rows[name] == NO_WISH).mean() == pytest.approx(0.25, **near)
    made = rows["caption_wish"] != NO_WISH
    kept = (rows["pace"] == rows["caption_wish"])[made] == rows["sentiment"][made]
    assert kept.mean() == pytest.approx(0.8, **near)
    for name in ("sentiment", "pace"):
        assert rows[name].mean() == pytest.approx(0.5, **near)
    assert np.bincount(rows["shape"]) / 20_000 == pytest.approx([0.25] * 4, **near)


def test_twins_are_mutual_and_a_clips_twin_is_its_reversal():
    for twins in TWINS.values():
        assert np.array_equal(np.take(twins, twins), np.arange(4))
        assert all(twin != own for own, twin in enumerate(twins))
    assert TWINS["frames"] == (1, 0, 3, 2)
    assert TWINS["image"] == TWINS["text"]
    assert len({TWINS[name] for name in ("frames", "text", "audio")}) == 3


@pytest.mark.parametrize(
    ("dials", "says"),
    [
        ({"twin": 1.2}, "twin is a share"),
        ({"without": True}, "without is a share"),
        ({"sentiment_noise": float("nan")}, "sentiment_noise is a share"),
        ({"noise": -1}, "noise is a number from 0 up"),
        ({"clutter": 8}, "clutter is a whole number from 0 to 7"),
        ({"frames": 1}, "frames is a whole number from 2 to 64"),
        ({"frames": 16.0}, "frames is a whole number"),
        ({"pace": 1}, "motion_clips has no dial 'pace'"),
    ],
)
def test_a_bad_dial_is_told_in_a_sentence(dials, says):
    for ask in (lambda: make(1, **dials), lambda: ceiling(**dials)):
        with pytest.raises(ValueError, match=says):
            ask()


def test_fewer_rows_than_none_are_refused():
    with pytest.raises(ValueError, match="cannot be -1"):
        make(-1)


# --- what is drawn, written and played -------------------------------------------------------


def middles(clip):
    """Where the light of each frame lies: (F, 2), row and column, in pixels."""
    light = clip.astype(float)
    places = np.arange(clip.shape[1])
    total = light.sum(axis=(1, 2))
    down = (light.sum(axis=2) * places).sum(axis=1) / total
    along = (light.sum(axis=1) * places).sum(axis=1) / total
    return np.stack([down, along], axis=1)


CLEAR = {"noise": 0, "clutter": 0, "twin": 0, "without": 0}


def test_clockwise_clips_turn_to_the_right_and_anticlockwise_ones_to_the_left():
    rows = make(80, 2, **CLEAR)
    for event, sign in ((0, 1), (1, -1)):
        for clip in rows["clip"][rows["motion"] == event]:
            down, along = (middles(clip) - middles(clip).mean(axis=0)).T
            turns = down[1:] * along[:-1] - down[:-1] * along[1:]  # above 0: clockwise on a screen
            assert np.sign(np.median(turns)) == sign


def test_growing_clips_grow_in_most_steps_and_shrinking_ones_shrink():
    rows = make(80, 2, **CLEAR)
    for event, sign in ((2, 1), (3, -1)):
        for clip in rows["clip"][rows["motion"] == event]:
            assert np.sign(np.median(np.diff(clip.astype(float).sum(axis=(1, 2))))) == sign


def test_fast_clips_change_more_from_frame_to_frame_than_slow_ones():
    rows = make(200, 3, **CLEAR)
    change = np.abs(np.diff(rows["clip"].astype(float), axis=1)).mean(axis=(1, 2, 3))
    for event in range(4):
        own = rows["motion"] == event
        fast = change[own & (rows["pace"] == 1)]
        assert np.median(fast) > 1.5 * np.median(change[own & (rows["pace"] == 0)])


def test_the_first_frame_does_not_give_the_direction_away():
    """Its light, its place and its size are spread alike in clips and in reversed ones."""
    rows = make(600, 4, **CLEAR)
    first = rows["clip"][:, 0].astype(float)
    for name in ("light", "down", "along"):
        value = {"light": first.sum(axis=(1, 2)), "down": middles(first)[:, 0],
                 "along": middles(first)[:, 1]}[name]  # fmt: skip
        for event in (0, 2):
            one, other = (value[rows["motion"] == which] for which in (event, event + 1))
            error = np.hypot(one.std() / len(one) ** 0.5, other.std() / len(other) ** 0.5)
            assert abs(one.mean() - other.mean()) < 4 * error, (name, event)


def test_a_clip_without_an_event_looks_the_same_backwards():
    """Its size goes to and fro: it grows in as many steps as it shrinks, over whole turns."""
    rng = np.random.default_rng(0)
    _, _, radius = motion_pictures.path(rng, None, np.linspace(0, 1, 17))
    assert radius == pytest.approx(radius[::-1])
    assert make(4, without=1)["motion"].tolist() == [NOTHING] * 4


def test_shapes_differ_and_noise_is_as_large_as_was_asked_for():
    drawn = [
        motion_pictures.draw_clip(np.random.default_rng(1), "orbit", shape, False, noise=0,
                                  clutter=0, frames=2)
        for shape in range(4)
    ]  # fmt: skip
    for one, other in itertools.combinations(drawn, 2):
        assert (np.abs(one.astype(int) - other) > 60).sum() > 10
    grain = [make(3, 5, noise=noise)["poster"].astype(float) for noise in (0, 0.05)]
    assert (grain[1] - grain[0]).std() == pytest.approx(0.05 * 255, rel=0.1)


def test_posters_show_a_badge_and_a_ground_that_promises():
    rows = make(120, 6, noise=0)
    red, blue = rows["poster"][:, 0, 0, 0].astype(int), rows["poster"][:, 0, 0, 2].astype(int)
    light = rows["poster"].max(axis=(1, 2, 3))
    assert (light[rows["badge"] != NOTHING] >= 150).all()
    assert (light[rows["badge"] == NOTHING] < 150).all()
    corner = light[:, None] == 0  # no badge reaches into the corner's own pixel
    assert not corner.any()
    assert (red > blue)[rows["poster_wish"] == 1].all()
    assert (red < blue)[rows["poster_wish"] == 0].all()


def test_captions_hold_the_words_that_they_tell_and_no_others():
    rows = make(200, 7)
    for caption, event, wish in zip(
        rows["caption"], rows["caption_event"], rows["caption_wish"], strict=True
    ):
        words = caption.split()
        for nouns, which in ((EVENT_WORDS, event), (WISH_WORDS, wish)):
            found = {k for k, group in enumerate(nouns) if {*group} & {*words}}
            assert found == ({which} if which < len(nouns) else set())
        assert 3 <= len(words) <= 8


def test_beeps_play_their_tune():
    rows = make(60, 8, without=0.3)
    for track, tune in zip(rows["beeps"], rows["tune"], strict=True):
        parts = track.reshape(4, -1)
        if tune == NOTHING:
            assert np.abs(track.astype(int)).max() < 0.15 * 32767
            continue
        spectra = np.abs(np.fft.rfft(parts * np.hanning(parts.shape[1]), 16_384, axis=1))
        pitch = spectra.argmax(axis=1)
        steps = 12 * np.log2(pitch / pitch[0])
        expected = np.array(motion_clips.TUNES[tune]) - motion_clips.TUNES[tune][0]
        assert steps == pytest.approx(expected, abs=0.5)


# --- rows of a task --------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_the_rows_of_a_task_have_its_label_and_its_classes(task):
    rows = rows_for(make(30, 2), task, "train")
    assert rows.classes == TASKS[task]
    assert set(rows["split"]) == {"train"}
    assert np.array_equal(rows["label"], rows[task])
    assert set(rows["label"]) <= {*range(len(TASKS[task]))}


def test_rows_of_direction_are_those_that_show_an_event():
    rows = rows_for(make(60, 2), "direction")
    assert NOTHING not in rows["motion"]
    assert np.array_equal(rows["label"], rows["motion"] % 2)


def test_an_unknown_task_is_told_in_a_sentence():
    with pytest.raises(ValueError, match="no task 'mood'; there are content, sentiment"):
        rows_for(make(1), "mood")
    with pytest.raises(ValueError, match="no ceiling of 'pace'"):
        ceiling("pace")


def test_each_clip_stands_beside_its_own_reversal():
    rows = make(40, 5)
    before = rows["clip"].copy()
    pairs = with_reversals(rows)
    assert np.array_equal(rows["clip"], before), "what was given is left alone"
    assert len(pairs["label"]) == 2 * (rows["motion"] != NOTHING).sum()
    clip, motion = pairs["clip"], pairs["motion"]
    assert np.array_equal(clip[1::2], clip[::2, ::-1])
    assert np.array_equal(motion[::2] // 2, motion[1::2] // 2)
    assert ((motion[::2] + motion[1::2]) % 2 == 1).all()
    for name in ("shape", "pace", "split"):
        assert np.array_equal(pairs[name][::2], pairs[name][1::2])
    # Whole numbers, so that the sums are the same whatever their order.
    assert np.array_equal(clip[::2].sum(axis=1), clip[1::2].sum(axis=1))
    assert "caption" not in pairs


# --- the best that can be done ---------------------------------------------------------------


def test_a_sense_alone_is_right_where_it_tells_the_event_or_is_silent_and_one_guesses():
    best = ceiling("content", twin=0.2, without=0.35)
    for name in TWINS:
        assert best[name] == pytest.approx(0.65 * 0.8 + 0.35 / 4)
    assert best["chance"] == pytest.approx(0.25)
    assert [*best] == ["chance", *(" + ".join(names) for names in subsets())]
    assert len(best) == 16


def test_senses_that_share_their_twins_add_less_to_each_other():
    best = ceiling("content")
    assert best["image + text"] < best["image + frames"] - 0.05
    assert best["image + frames"] == pytest.approx(best["frames + text"])


def test_who_does_not_see_the_order_loses_half_of_what_a_clip_tells():
    blind, seeing = ceiling(ordered=False), ceiling()
    assert blind["frames"] == pytest.approx(0.65 / 2 + 0.35 / 4)
    assert seeing["frames"] - blind["frames"] == pytest.approx(0.65 * (0.8 - 0.5))
    for name in seeing:
        if "frames" not in name:
            assert blind[name] == pytest.approx(seeing[name])
        else:
            assert blind[name] <= seeing[name]


def test_no_sense_alone_knows_anything_of_sentiment():
    best = ceiling("sentiment", without_wish=0.2, sentiment_noise=0.15)
    assert [best[name] for name in ("chance", *TWINS, "image + text")] == pytest.approx([0.5] * 6)
    pair = 0.8 * 0.85 + 0.2 / 2
    assert best["image + frames"] == pytest.approx(pair)
    assert best["frames + text"] == pytest.approx(pair)
    assert best["image + frames + text"] == pytest.approx(0.96 * 0.85 + 0.04 / 2)


def test_more_senses_are_never_worse():
    for task in ("content", "sentiment"):
        best = ceiling(task)
        for few, many in itertools.product(subsets(), repeat=2):
            if {*few} <= {*many}:
                assert best[" + ".join(few)] <= best[" + ".join(many)] + 1e-12


@pytest.mark.parametrize("task", ["content", "sentiment"])
def test_who_knows_what_is_told_answers_as_often_right_as_the_ceiling_says(task):
    dials = {"twin": 0.25, "without": 0.2, "without_wish": 0.3}
    rows = truth(20_000, 9, **dials)
    best = ceiling(task, **dials)
    for name, chances in posteriors(rows, task, **dials).items():
        assert chances.sum(axis=1) == pytest.approx(1)
        right = (chances.round(9).argmax(axis=1) == rows[task]).mean()
        assert right == pytest.approx(best[name], abs=0.015), name
