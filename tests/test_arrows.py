"""Arrows: what is drawn, what is said, and what a flip of the pair leaves true."""

import numpy as np
import pytest
import torch

from course_utils.data import arrows
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader, TextReader, fit_readers


@pytest.fixture
def batch():
    rows = arrows.make(40, seed=3)
    readers = fit_readers({"image": ImageReader(), "text": TextReader()}, rows)
    return next(iter(Batches(to_tensors(rows, readers), 40))), readers["text"].vocabulary


def test_the_label_says_whether_text_and_picture_agree():
    rows = arrows.make(200, seed=1)
    agree = [points in text for points, text in zip(rows["points"], rows["text"], strict=True)]
    assert rows["label"].tolist() == [int(one) for one in agree]
    assert {0, 1} == set(rows["label"].tolist())


def test_each_side_is_drawn_with_its_tip_there():
    rows = arrows.make(60, seed=2)
    for image, points in zip(rows["image"], rows["points"], strict=True):
        dark = image.sum(axis=2) < 3 * 130
        heights = dark.sum(axis=0)[dark.any(axis=0)]  # of each column of the arrowhead
        wide = "left" if heights[0] > heights[-1] else "right"
        assert wide != points


def test_an_arrow_stands_at_no_side_rather_than_the_other():
    dark = arrows.make(600, seed=6)["image"].sum(axis=3) < 3 * 130
    middle = [np.flatnonzero(one.any(axis=0)).mean() for one in dark]
    assert abs(np.mean(middle) - (arrows.SIZE - 1) / 2) < 0.6


def test_the_same_seed_gives_the_same_arrows():
    one, other = arrows.make(5, seed=4), arrows.make(5, seed=4)
    assert np.array_equal(one["image"], other["image"])
    assert one["text"] == other["text"]


def test_a_flipped_pair_still_tells_the_truth(batch):
    batch, vocabulary = batch
    left, right = (vocabulary.ids[side] for side in arrows.SIDES)
    flipped = torch.arange(40) % 2 == 0
    before = {name: batch[name].clone() for name in ("image", "text")}
    after = arrows.flip_pairs(batch, flipped, left, right)
    assert torch.equal(after["image"][flipped], batch["image"][flipped].flip(-1))
    assert torch.equal(after["text"][~flipped], batch["text"][~flipped])
    assert torch.equal(after["text"][flipped] == left, batch["text"][flipped] == right)
    assert torch.equal(after["label"], batch["label"])
    assert all(torch.equal(batch[name], value) for name, value in before.items())


def test_two_flips_give_back_the_batch(batch):
    batch, vocabulary = batch
    every = torch.ones(40, dtype=torch.bool)
    sides = [vocabulary.ids[side] for side in arrows.SIDES]
    twice = arrows.flip_pairs(arrows.flip_pairs(batch, every, *sides), every, *sides)
    assert torch.equal(twice["image"], batch["image"])
    assert torch.equal(twice["text"], batch["text"])


def test_no_arrows_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="positive"):
        arrows.make(0)
