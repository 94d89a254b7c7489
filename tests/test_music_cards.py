"""The world of music cards: what its dials promise, and that its ceiling is one."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import music_cards, music_clips, music_covers
from course_utils.data.music_cards import (
    COVER_TWIN,
    GENRES,
    NOTHING,
    SOUND_TWIN,
    TASKS,
    ceiling,
    make,
    oracle,
    posteriors,
    rows_for,
)
from course_utils.data.rows import SPLITS, split_rows, take
from course_utils.fusion import add_log_posteriors
from course_utils.sound import log_mel, mel_filters

SHARES = ("cover_twin", "sound_twin", "without_motif", "without_music", "review_noise")
SHARE = st.sampled_from([0.0, 0.12, 0.35, 0.5, 0.9, 1.0])


def truth(n, seed, **dials):
    """Rows without covers and clips: all that an oracle looks at."""
    return music_cards.throw_labels(n, seed, music_cards.Dials(**dials))


def differ_in(one, other):
    return {name for name in one if not np.array_equal(one[name], other[name])}


# --- the same cards again --------------------------------------------------------------------


def test_the_same_seed_gives_the_same_cards():
    assert differ_in(make(12, seed=3), make(12, seed=3)) == set()


def test_another_seed_gives_other_cards():
    assert {"cover", "clip", "genre", "split"} <= differ_in(make(12, 3), make(12, 4))


def test_a_card_does_not_depend_on_how_many_are_made():
    few, many = make(7, seed=3, snr=(-10, 10)), make(20, seed=3, snr=(-10, 10))
    assert differ_in(few, take(many, np.arange(7))) == set()


def test_making_cards_leaves_the_global_random_numbers_alone():
    np.random.seed(0)
    torch.manual_seed(0)
    before, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()
    make(3)
    assert np.array_equal(np.random.get_state()[1], before)
    assert torch.equal(torch.get_rng_state(), torchs)


@pytest.mark.parametrize(
    ("dials", "changed"),
    [
        ({"image_noise": 0.3}, {"cover"}),
        ({"clutter": 0}, {"cover"}),
        ({"snr": 0.0}, {"clip", "snr"}),
        ({"cover_twin": 1.0}, {"cover", "cover_style"}),
        ({"sound_twin": 1.0}, {"clip", "sound_style"}),
        ({"without_motif": 0.9}, {"cover", "cover_style"}),
        ({"without_music": 0.9}, {"clip", "sound_style"}),
        ({"review_noise": 0.9}, {"review"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_dial_changes_its_own_matter_and_nothing_else(dials, changed):
    assert differ_in(make(24, seed=1), make(24, seed=1, **dials)) == changed


# --- what a row holds ------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 5])
def test_columns_have_their_shapes_and_kinds(n):
    rows = make(n)
    seen = {name: (column.shape, column.dtype.kind) for name, column in rows.items()}
    whole = dict.fromkeys(
        ("genre", "review", "cover_style", "sound_style", "bright", "lively"), ((n,), "i")
    )
    assert seen == whole | {
        "cover": ((n, 48, 48, 3), "u"),
        "clip": ((n, 12000), "i"),
        "split": ((n,), "U"),
        "snr": ((n,), "f"),
    }
    assert (rows["cover"].dtype, rows["clip"].dtype) == (np.uint8, np.int16)
    assert rows.classes == GENRES


@pytest.mark.parametrize("task", TASKS)
def test_the_rows_of_a_task_have_its_label_and_its_classes(task):
    rows = rows_for(make(30, 2), task, "train")
    assert np.array_equal(rows["label"], rows[task])
    assert rows.classes == TASKS[task]
    assert set(rows["split"]) == {"train"}


def test_an_unknown_task_is_told_in_a_sentence():
    for ask in (lambda: ceiling("mood"), lambda: rows_for(make(1), "mood")):
        with pytest.raises(ValueError, match="no task 'mood'; there are genre and review"):
            ask()


def test_shares_are_those_that_the_dials_say():
    rows = truth(20_000, 1, cover_twin=0.3, sound_twin=0.2, without_motif=0.1, without_music=0.25)
    near = {"abs": 0.015}
    for split, share in zip(SPLITS, music_cards.SHARES, strict=True):
        assert (rows["split"] == split).mean() == pytest.approx(share, **near)
    told = (("cover_style", COVER_TWIN, 0.3, 0.1), ("sound_style", SOUND_TWIN, 0.2, 0.25))
    for name, twins, twin, without in told:
        style, genre = rows[name], rows["genre"]
        assert (style == NOTHING).mean() == pytest.approx(without, **near)
        shown, with_twin = style != NOTHING, np.take(twins, genre) != genre
        other = style[shown & with_twin] != genre[shown & with_twin]
        assert other.mean() == pytest.approx(twin, **near)
        assert (style[shown & ~with_twin] == genre[shown & ~with_twin]).all()
    agree = rows["bright"] == rows["lively"]
    assert (rows["review"] == agree).mean() == pytest.approx(0.9, **near)
    for name in ("bright", "lively", "review"):
        assert rows[name].mean() == pytest.approx(0.5, **near)


def test_twins_of_covers_are_not_those_of_clips_and_come_in_pairs():
    for twins in (COVER_TWIN, SOUND_TWIN):
        assert np.array_equal(np.take(twins, twins), np.arange(5))
        assert sum(twin == own for own, twin in enumerate(twins)) == 1
    pairs = [{(own, twin) for own, twin in enumerate(twins) if own != twin}
             for twins in (COVER_TWIN, SOUND_TWIN)]  # fmt: skip
    assert not pairs[0] & pairs[1]


def test_ratios_lie_between_the_ends():
    snr = truth(2000, 1, snr=(-25, 20))["snr"]
    assert -25 <= snr.min() < -24
    assert 19 < snr.max() <= 20


# --- what is drawn and played ----------------------------------------------------------------


def test_covers_take_no_more_dice_than_they_are_given():
    for style, bright in itertools.product((None, 0, 1, 2, 3, 4), (False, True)):
        dice = iter([0.999] * music_covers.MOST_DICE)
        cover = music_covers.draw_cover(dice, style, bright, music_covers.MOST_CLUTTER)
        assert cover.size == (48, 48)


def test_a_cover_that_shows_a_motif_differs_from_the_same_without():
    for style in range(5):
        one, other = (np.asarray(music_covers.draw_cover(iter([0.4] * 80), shown, True, 3))
                      for shown in (style, None))  # fmt: skip
        assert (one != other).any(axis=2).sum() > 30, GENRES[style]


def test_bright_covers_are_lighter_than_dark_ones():
    rows = make(60, 4, image_noise=0)
    light = rows["cover"].mean(axis=(1, 2, 3))
    assert light[rows["bright"] == 1].min() > light[rows["bright"] == 0].max()


@pytest.mark.parametrize("style", range(5))
@pytest.mark.parametrize("lively", [False, True])
def test_clips_are_music_all_through(style, lively):
    for seed in range(6):
        clip = music_clips.play(np.random.default_rng(seed), style, lively)
        assert (clip.shape, clip.dtype) == ((music_clips.SAMPLES,), np.float32)
        assert np.sqrt(np.mean(clip**2)) == pytest.approx(music_clips.LOUDNESS, rel=1e-3)
        thirds = np.abs(clip).reshape(3, -1).max(axis=1)
        assert thirds.min() > 0.02, "half a second of silence"


def test_clips_of_a_style_differ_from_each_other_and_notes_are_kept_as_they_are():
    first = music_clips.play(np.random.default_rng(0), 1, True)
    second = music_clips.play(np.random.default_rng(1), 1, True)
    again = music_clips.play(np.random.default_rng(0), 1, True)
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5


@pytest.mark.parametrize("instrument", music_clips.INSTRUMENTS)
def test_an_instrument_sounds_at_the_frequency_of_its_note(instrument):
    note = music_clips.note(instrument, 24)[:8000]  # two octaves above the lowest: 329.6 Hz
    spectrum = np.abs(np.fft.rfft(note * np.hanning(8000)))
    loud = np.flatnonzero(spectrum > 0.2 * spectrum.max())  # in Hz: 8,000 samples are a second
    root = music_clips.hertz(24)
    off = np.abs(loud / root - np.round(loud / root))
    if instrument == "power":  # root and fifth have their common root an octave below
        off = np.abs(loud / root * 2 - np.round(loud / root * 2)) / 2
    assert off.max() < 0.06, loud


@pytest.mark.parametrize("name", music_clips.DRUMS)
def test_drums_have_takes_that_differ_and_die_away(name):
    takes = [music_clips.drum(name, take) for take in range(music_clips.TAKES)]
    for one in takes:
        assert np.abs(one[-1000:]).max() < 0.02 * np.abs(one).max() + 1e-3
    assert not any(np.array_equal(*pair) for pair in itertools.combinations(takes, 2))


def test_a_lively_clip_has_more_strokes_than_a_calm_one():
    """Sudden rises of loudness, counted in clips of techno, whose kick falls on every beat."""

    def strokes(lively):
        clips = [music_clips.play(np.random.default_rng(seed), 4, lively) for seed in range(12)]
        loud = log_mel(torch.tensor(np.stack(clips)), mel_filters())[:, :3].mean(dim=1)
        return (loud.diff(dim=1) > 1.5).float().sum(dim=1).mean()

    assert strokes(True) > 1.4 * strokes(False)


def test_the_noise_has_the_ratio_that_the_row_says():
    clean, noisy = make(6, 5, snr=100), make(6, 5, snr=0)
    for one, other in zip(clean["clip"], noisy["clip"], strict=True):
        along = np.corrcoef(one, other)[0, 1]
        assert along**2 == pytest.approx(0.5, abs=0.05)  # half of the power is the music's


# --- dials -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dials", "said"),
    [
        ({"cover_twin": 1.2}, "cover_twin is a share: give a number from 0 to 1, not 1.2"),
        ({"sound_twin": -1}, "sound_twin is a share"),
        ({"without_motif": "0.1"}, "without_motif is a share"),
        ({"without_music": None}, "without_music is a share"),
        ({"review_noise": float("nan")}, "review_noise is a share"),
        ({"review_noise": True}, "review_noise is a share"),
        ({"image_noise": -0.1}, "image_noise is a number from 0 up"),
        ({"image_noise": float("inf")}, "image_noise is a number from 0 up"),
        ({"clutter": 8}, "clutter is a whole number from 0 to 7, not 8"),
        ({"clutter": 2.5}, "clutter is a whole number"),
        ({"snr": "20"}, "snr is a number of decibels"),
        ({"snr": (20, -20)}, "the smaller first"),
        ({"snr": (0, 10, 20)}, "snr is a number of decibels"),
        ({"snr": float("inf")}, "snr is a number of decibels"),
        ({"loudness": 3}, "music_cards has no dial 'loudness'; it has cover_twin, sound_twin"),
    ],
)
def test_a_bad_dial_gets_a_sentence(dials, said):
    for use in (lambda: make(2, **dials), lambda: ceiling(**dials)):
        with pytest.raises(ValueError, match=said):
            use()


def test_a_number_of_cards_below_zero_gets_a_sentence():
    with pytest.raises(ValueError, match="n is the number of cards and cannot be -1"):
        make(-1)


# --- the best that can be done ---------------------------------------------------------------


def test_the_ceilings_at_the_default_dials():
    # Cover or clip: 4 genres in 5 have a twin, and are told at .88 times the larger of .65 and
    # .35; one has none. What shows nothing is guessed, one in five.
    alone = 0.88 * (4 * 0.65 + 1) / 5 + 0.12 / 5
    assert [ceiling()[name] for name in ("image", "audio")] == pytest.approx([alone, alone])
    assert ceiling()["both"] == pytest.approx(0.929, abs=5e-4)
    assert ceiling()["chance"] == pytest.approx(0.2)
    review = ceiling("review")
    assert review == pytest.approx(
        {"chance": 0.5, "image": 0.5, "audio": 0.5, "both": 0.88 * 0.9 + 0.12 * 0.5}
    )


@given(
    dials=st.fixed_dictionaries(dict.fromkeys(SHARES, SHARE)),
    task=st.sampled_from([*TASKS]),
    seed=st.integers(0, 50),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_whoever_knows_the_truth_answers_as_often_right_as_the_ceiling_says(dials, task, seed):
    rows = truth(4000, seed, **dials)
    best = ceiling(task, **dials)
    for reader, answers in oracle(rows, task, **dials).items():
        right = (answers == rows[task]).mean()
        spread = max((best[reader] * (1 - best[reader]) / 4000) ** 0.5, 1e-9)
        assert abs(right - best[reader]) < 5 * spread + 1e-9
        assert best["chance"] - 1e-9 <= best[reader] <= best["both"] + 1e-9


def test_adding_log_posteriors_of_the_genre_is_the_best_that_can_be_done():
    """Cover and clip are independent given the genre, whatever the dials."""
    rows = truth(500, 1)
    known = {name: torch.tensor(p) for name, p in posteriors(rows).items()}
    logs = [known[name].clamp(min=1e-300).log() for name in ("image", "audio")]
    added = add_log_posteriors(logs, torch.full((5,), 0.2, dtype=torch.double)).exp()
    torch.testing.assert_close(added, known["both"])


def test_noise_and_clutter_leave_the_ceiling_alone():
    assert ceiling(image_noise=2.0, clutter=7, snr=-50) == ceiling()


def test_splits_of_the_cards_are_whole():
    parts = split_rows(make(20, 6))
    assert sum(len(part["genre"]) for part in parts.values()) == 20
