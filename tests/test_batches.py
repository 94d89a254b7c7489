"""Rows in memory to batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader
from course_utils.data.text import Vocabulary


@pytest.fixture
def rows():
    image = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    return {
        "image": image,
        "headline": ["rain", "a goal", "", "rain and snow", "snow"],
        "section": np.array([3, 0, 1, 3, 3]),
        "match": np.array([1, 1, 0, 1, 0]),
    }


@pytest.fixture
def tensors(rows):
    return to_tensors(rows, Vocabulary.from_texts(rows["headline"]))


def numbered(n):
    return {"label": torch.arange(n)}


def order(batches):
    return [number for batch in batches for number in batch["label"].tolist()]


# --- to_tensors -------------------------------------------------------------------------------


def test_tensors_have_the_names_shapes_and_kinds_of_a_batch(tensors):
    seen = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    assert seen == {
        "image": ((5, 3, 4, 6), torch.uint8),
        "text": ((5, 3), torch.long),
        "text_length": ((5,), torch.long),
        "label": ((5,), torch.long),
        "present": ((5, 2), torch.bool),
    }


def test_a_pixel_keeps_its_place_and_colour(rows, tensors):
    assert tensors["image"][2, 1, 3, 4] == rows["image"][2, 3, 4, 1]


def test_a_shrunk_picture_holds_the_mean_of_each_square_of_pixels():
    pictures = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    small = to_tensors({"image": pictures}, {"image": ImageReader(shrink=2)}, label=None)["image"]
    assert small.dtype == torch.uint8
    assert small.shape == (2, 3, 2, 3)
    assert small[1, 2, 0, 1] == np.rint(pictures[1, :2, 2:4, 2].mean())


def test_pictures_cannot_be_shrunk_to_nothing():
    with pytest.raises(ValueError, match="from 1 up"):
        ImageReader(shrink=0)


def test_all_modalities_of_these_rows_are_present(tensors):
    assert tensors["present"].all()


def test_the_label_is_the_column_that_was_asked_for(rows):
    assert to_tensors(rows, Vocabulary([]), label="match")["label"].tolist() == [1, 1, 0, 1, 0]


def test_a_modality_that_was_not_asked_for_is_left_out(rows):
    tensors = to_tensors(rows, Vocabulary([]), modalities=("image",))
    assert set(tensors) == {"image", "label", "present"}
    assert tensors["present"].shape == (5, 1)


def test_the_texts_may_lie_in_another_column(rows):
    rows["title"] = rows.pop("headline")
    assert to_tensors(rows, Vocabulary(["snow"]), text="title")["text"][4, 0] == 2


def test_a_column_that_is_missing_is_named_with_those_that_are_there(rows):
    with pytest.raises(ValueError, match="no column 'mood'; they have image, headline"):
        to_tensors(rows, Vocabulary([]), label="mood")


def test_a_modality_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="no modality 'smell'; there are image and text"):
        to_tensors({}, Vocabulary([]), modalities=("smell",))


def test_the_rows_stay_as_they_are(rows, tensors):
    before = rows["image"].copy()
    for batch in Batches(tensors, batch_size=2):
        batch["image"].zero_()
    assert (rows["image"] == before).all()


# --- Batches ----------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.booleans(), st.integers(0, 5))
def test_every_pass_gives_each_row_once(n, batch_size, shuffle, seed):
    batches = Batches(numbered(n), batch_size, shuffle, seed)
    for _ in range(2):
        assert sorted(order(batches)) == list(range(n))


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.booleans())
def test_there_are_as_many_batches_as_len_says_and_none_is_empty(n, batch_size, shuffle):
    batches = Batches(numbered(n), batch_size, shuffle)
    sizes = [len(batch["label"]) for batch in batches]
    assert len(sizes) == len(batches)
    assert all(1 <= size <= batch_size for size in sizes)
    assert all(size == batch_size for size in sizes[:-1])


def test_without_shuffling_rows_come_in_their_order():
    assert order(Batches(numbered(10), 4)) == list(range(10))


def test_each_pass_shuffles_anew():
    batches = Batches(numbered(50), shuffle=True)
    assert order(batches) != order(batches)


def test_the_same_seed_gives_the_same_orders_and_another_seed_others():
    one, twin, other = (Batches(numbered(50), 8, shuffle=True, seed=s) for s in (3, 3, 4))
    first = [order(one), order(one)]
    assert [order(twin), order(twin)] == first
    assert [order(other), order(other)] != first


def test_shuffling_leaves_the_global_random_numbers_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    order(Batches(numbered(50), shuffle=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_all_tensors_are_shuffled_alike():
    tensors = {"label": torch.arange(20), "text": torch.arange(20)[:, None] * 10}
    for batch in Batches(tensors, 6, shuffle=True):
        assert torch.equal(batch["text"][:, 0], batch["label"] * 10)


def test_a_saved_state_goes_on_with_the_same_orders():
    batches = Batches(numbered(50), 8, shuffle=True, seed=1)
    order(batches)
    state = batches.state_dict()
    expected = [order(batches), order(batches)]
    resumed = Batches(numbered(50), 8, shuffle=True, seed=99)
    resumed.load_state_dict(state)
    assert [order(resumed), order(resumed)] == expected


def test_pictures_come_out_as_float_from_0_to_1():
    image = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    (batch,) = Batches({"image": image})
    assert batch["image"].dtype == torch.float32
    torch.testing.assert_close(batch["image"].flatten(), torch.tensor([0, 0.2, 1]))
    assert image.flatten().tolist() == [0, 51, 255]


def test_other_kinds_of_tensors_come_out_as_they_are(tensors):
    (batch,) = Batches(tensors)
    for name in ("text", "text_length", "label", "present"):
        assert torch.equal(batch[name], tensors[name])
        assert batch[name].dtype == tensors[name].dtype


def test_tensors_that_disagree_about_the_rows_are_named():
    with pytest.raises(ValueError, match=r"same number of rows; they have .*'text': 4"):
        Batches({"label": torch.zeros(5), "text": torch.zeros(4, 2)})


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_without_a_row_is_refused(size):
    with pytest.raises(ValueError, match=f"at least one row, not {size}"):
        Batches(numbered(5), batch_size=size)
