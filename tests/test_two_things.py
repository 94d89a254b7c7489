"""Pictures of two things: their captions, and the twins that only the order of words tells."""

from collections import Counter

import numpy as np
import pytest

from course_utils.data import two_things
from course_utils.data.news_headlines import COLOURS
from course_utils.data.news_pictures import PLAIN, SIZE
from course_utils.data.rows import SPLITS, take
from course_utils.data.two_things import HALF, MEANINGS, THINGS, make


@pytest.fixture(scope="module")
def rows():
    return make(600, seed=3)


def differ(one, other):
    return {name for name in one if not np.array_equal(one[name], other[name])}


def test_the_same_seed_gives_the_same_rows_however_many_are_made():
    few, many = make(20, 1), make(60, 1)
    assert differ(few, take(many, np.arange(20))) == set()
    assert {"image", "caption"} <= differ(few, make(20, 2))


@pytest.mark.parametrize("n", [0, 1, 7])
def test_columns_have_their_shapes(n):
    rows = make(n)
    assert rows["image"].shape == (n, SIZE, SIZE, 3)
    assert rows["image"].dtype == np.uint8
    assert rows["things"].shape == rows["colours"].shape == (n, 2)
    assert rows["meaning"].dtype == rows["half"].dtype == np.int64
    assert len(rows["caption"]) == len(rows["swapped"]) == n


def test_a_caption_names_both_things_each_in_its_colour(rows):
    for caption, swapped, things, inks in zip(
        rows["caption"], rows["swapped"], rows["things"], rows["colours"], strict=True
    ):
        (one, other), (ink, paint) = [THINGS[t] for t in things], [COLOURS[i] for i in inks]
        assert caption == f"a {ink} {one} and a {paint} {other}"
        assert swapped == f"a {paint} {one} and a {ink} {other}"
        assert one != other
        assert ink != paint


def test_the_twin_has_the_same_words_and_another_meaning(rows):
    told = dict(zip(rows["caption"], rows["meaning"], strict=True))
    for caption, swapped, meaning in zip(
        rows["caption"], rows["swapped"], rows["meaning"], strict=True
    ):
        assert Counter(caption.split()) == Counter(swapped.split())
        assert told.get(swapped, -1) != meaning


def test_there_are_200_meanings_all_of_them_drawn_and_either_thing_comes_first(rows):
    assert len(MEANINGS) == len(set(MEANINGS)) == 200
    drawn = make(4000, 5)["meaning"]
    assert set(drawn.tolist()) == set(range(200))
    captions = {}
    for caption, meaning in zip(rows["caption"], rows["meaning"], strict=True):
        captions.setdefault(meaning, set()).add(caption)
    assert max(map(len, captions.values())) == 2


def test_both_colours_are_in_the_picture_each_in_a_quarter_of_its_own():
    rows = make(60, 4, image_noise=0, clutter=0)
    for image, inks in zip(rows["image"], rows["colours"], strict=True):
        quarters = []
        for ink in inks:
            there = (image == PLAIN[ink]).all(axis=-1).reshape(2, 24, 2, 24).any(axis=(1, 3))
            assert there.sum() == 1
            quarters.append(int(there.argmax()))
        assert quarters[0] != quarters[1]


def test_of_each_two_twins_one_is_in_either_half_and_a_world_may_show_one_half():
    for (things, inks), half in zip(MEANINGS, HALF, strict=True):
        assert HALF[MEANINGS.index((things, inks[::-1]))] == 1 - half
    one, other = (make(300, 2, half=half) for half in (0, 1))
    assert set(one["half"]) == {0}
    assert set(other["half"]) == {1}
    assert not set(one["caption"]) & set(one["swapped"])
    assert set(one["swapped"]) & set(other["caption"])
    # Colours and things are as common in both, so neither half is told by its words.
    for rows in (one, other):
        assert np.bincount(make(3000, 3, half=rows["half"][0])["colours"].ravel()).min() > 900


def test_splits_have_their_shares():
    split = make(4000, 6, clutter=0)["split"]
    for name, share in zip(SPLITS, two_things.SHARES, strict=True):
        assert (split == name).mean() == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    ("dials", "sentence"),
    [
        ({"image_noise": -1}, "image_noise is a number from 0 up, not -1"),
        ({"clutter": 8}, "clutter is a whole number from 0 to 7, not 8"),
        ({"half": 2}, "half is 0, 1 or None, not 2"),
        ({"noise": 1}, "two_things has no dial 'noise'; it has image_noise, clutter, half"),
    ],
)
def test_a_bad_dial_is_answered_in_a_sentence(dials, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(1, **dials)


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="cannot be -1"):
        make(-1)
