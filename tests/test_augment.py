"""Training pictures that change at each pass."""

import pytest
import torch

from course_utils.data.augment import CropAndFlip
from course_utils.data.batches import Batches


def pictures(n=40, height=6, width=8):
    return {"image": torch.arange(n * 3 * height * width).view(n, 3, height, width) % 251 / 251,
            "label": torch.arange(n)}  # fmt: skip


def test_a_flip_turns_about_half_of_the_pictures_and_nothing_else():
    batch = pictures(200)
    changed = CropAndFlip(pad=0)(batch)["image"]
    turned = [torch.equal(new, old.flip(2)) for new, old in
              zip(changed, batch["image"], strict=True)]  # fmt: skip
    same = [torch.equal(new, old) for new, old in zip(changed, batch["image"], strict=True)]
    assert all(one or other for one, other in zip(turned, same, strict=True))
    assert 70 < sum(turned) < 130


def test_a_crop_shifts_a_whole_picture_and_repeats_its_edge():
    image = torch.zeros(60, 3, 9, 9)
    image[:, :, 4, 4] = 1
    image[:, 0, 0] = 0.5  # an upper edge of its own
    places = set()
    for picture in CropAndFlip(pad=2, flip=False)({"image": image})["image"]:
        (y, x) = (picture[1] == 1).nonzero()[0].tolist()
        places.add((y, x))
        assert torch.equal(picture[1], picture[2])
        rows_of_edge = (picture[0, :, 0] == 0.5).sum().item()
        assert rows_of_edge == max(0, y - 4 + 1)
    assert places <= {(y, x) for y in range(2, 7) for x in range(2, 7)}
    assert len(places) > 12


def test_without_flips_left_stays_left():
    image = torch.zeros(50, 3, 8, 8)
    image[..., :3] = 1
    changed = CropAndFlip(pad=2, flip=False)({"image": image})["image"]
    assert (changed[..., 0] == 1).all()
    assert (changed[..., -1] == 0).all()


def test_what_came_in_stays_as_it_is_and_all_else_goes_along():
    batch = pictures()
    before = batch["image"].clone()
    changed = CropAndFlip()(batch)
    assert torch.equal(batch["image"], before)
    assert changed["label"] is batch["label"]
    assert changed["image"].shape == before.shape


def test_the_same_seed_gives_the_same_changes_and_leaves_other_random_numbers_alone():
    before = torch.get_rng_state()
    one, twin, other = (CropAndFlip(seed=s)(pictures())["image"] for s in (1, 1, 2))
    assert torch.equal(one, twin)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_without_such_pictures_is_named():
    with pytest.raises(ValueError, match=r"no pictures .* called 'photo' in a batch of image, lab"):
        CropAndFlip(name="photo")(pictures())
    with pytest.raises(ValueError, match="from 0 up, not -1"):
        CropAndFlip(pad=-1)


def test_batches_change_their_pictures_at_each_pass_and_keep_the_rows():
    tensors = pictures()
    batches = Batches(tensors, 8, shuffle=True, augment=CropAndFlip())
    first, second = (torch.cat([b["image"] for b in batches]) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(tensors["image"], pictures()["image"])
    labels = torch.cat([batch["label"] for batch in batches])
    assert sorted(labels.tolist()) == list(range(40))


def test_a_saved_state_goes_on_with_the_same_changes():
    batches = Batches(pictures(), 8, shuffle=True, augment=CropAndFlip())
    assert len([*batches]) == 5
    state = batches.state_dict()
    expected = [batch["image"] for batch in batches]
    resumed = Batches(pictures(), 8, shuffle=True, seed=9, augment=CropAndFlip(seed=9))
    resumed.load_state_dict(state)
    found = [batch["image"] for batch in resumed]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_any_function_will_do_as_a_change():
    batches = Batches(pictures(), augment=lambda batch: {**batch, "label": batch["label"] * 0})
    assert not torch.cat([batch["label"] for batch in batches]).any()
    batches.load_state_dict(batches.state_dict())
