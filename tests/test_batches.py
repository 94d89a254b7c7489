"""Rows in memory to batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import RandomSampler

from course_utils.attention import Tokens
from course_utils.data.batches import Batches, class_numbers, named_tensors, on_tensors, to_tensors
from course_utils.data.readers import ArrayReader, ImageReader, TextReader
from course_utils.data.rows import Rows
from course_utils.data.text import Vocabulary


@pytest.fixture
def rows():
    image = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    columns = {
        "image": image,
        "headline": ["rain", "a goal", "", "rain and snow", "snow"],
        "label": np.array([3, 0, 1, 3, 3]),
        "match": np.array([1, 1, 0, 1, 0]),
        "age": [0.5, 1.0, 2.0, 0.0, 4.0],
    }
    return Rows(columns, modalities={"text": "headline"})


def readers(*words):
    return {"image": ImageReader(), "text": TextReader(Vocabulary(words))}


@pytest.fixture
def tensors(rows):
    return to_tensors(rows, readers("rain", "snow"))


def kinds(tensors):
    return {name: (tuple(one.shape), one.dtype) for name, one in named_tensors(tensors)}


def numbered(n):
    return {"label": torch.arange(n)}


def order(batches):
    return [number for batch in batches for number in batch["label"].tolist()]


# --- to_tensors -------------------------------------------------------------------------------


def test_tensors_have_the_names_shapes_and_kinds_of_a_batch(tensors):
    assert kinds(tensors) == {
        "image": ((5, 3, 4, 6), torch.uint8),
        "text": ((5, 3), torch.long),
        "text_length": ((5,), torch.long),
        "label": ((5,), torch.long),
        "present.image": ((5,), torch.bool),
        "present.text": ((5,), torch.bool),
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
    assert all(there.all() for there in tensors["present"].values())


def test_a_modality_that_is_absent_in_a_row_is_so_under_its_name(rows):
    rows["headline"][1] = None
    rows["image"] = [None, *rows["image"][1:]]
    for names in (("image", "text"), ("text", "image")):
        present = to_tensors(rows, {n: readers()[n] for n in names})["present"]
        assert present["image"].tolist() == [False, True, True, True, True]
        assert present["text"].tolist() == [True, False, True, True, True]


def test_the_label_is_the_column_that_was_asked_for(rows):
    assert to_tensors(rows, readers(), label="match")["label"].tolist() == [1, 1, 0, 1, 0]


def test_rows_need_no_label(rows):
    del rows["label"]
    assert "label" not in to_tensors(rows, readers(), label=None)
    with pytest.raises(ValueError, match="no column 'label'; they have image, headline"):
        to_tensors(rows, readers())


def test_a_modality_that_was_not_asked_for_is_left_out(rows):
    tensors = to_tensors(rows, {"image": ImageReader()})
    assert set(tensors) == {"image", "label", "present"}
    assert set(tensors["present"]) == {"image"}


def test_the_texts_may_lie_in_another_column(rows):
    rows["title"] = rows.pop("headline")
    reader = TextReader(Vocabulary(["snow"]), column="title")
    assert to_tensors(rows, {"text": reader})["text"][4, 0] == 2


def test_side_channels_go_along_under_their_own_names(rows):
    tensors = to_tensors(rows, readers(), side=("age", "match"))
    assert tensors["age"].tolist() == rows["age"]
    assert tensors["age"].dtype == torch.float32
    assert tensors["match"].tolist() == [1, 1, 0, 1, 0]
    assert set(tensors["present"]) == {"image", "text"}


def test_two_texts_have_names_of_their_own(rows):
    rows["caption"] = ["snow"] * 5
    texts = {name: TextReader(Vocabulary(["snow"])) for name in ("text", "caption")}
    tensors = to_tensors(rows, texts)
    assert set(tensors) == {"text", "text_length", "caption", "caption_length", "label", "present"}
    assert (tensors["caption"] == 2).all()


@pytest.mark.parametrize("asked", [{"label": "mood"}, {"side": ["mood"]}])
def test_a_column_that_is_missing_is_named_with_those_that_are_there(rows, asked):
    with pytest.raises(ValueError, match="no column 'mood'; they have image, headline"):
        to_tensors(rows, readers(), **asked)


def test_a_modality_without_a_column_is_named(rows):
    with pytest.raises(ValueError, match="no column 'smell' for 'smell'; they have image, head"):
        to_tensors(rows, {"smell": ArrayReader()})


@pytest.mark.parametrize("column", [[0, None, 1, None], np.array([0, np.nan, 1, np.nan])])
def test_rows_without_a_label_are_counted_and_the_first_is_named(column):
    with pytest.raises(ValueError, match=r"2 rows have no 'mood' \(the first is row 1\); leave"):
        class_numbers(column, "mood")


@pytest.mark.parametrize(
    "column", [["rain", "snow"], np.array([0.5, 1]), np.array([[0, 1], [1, 0]])]
)
def test_labels_that_are_no_class_numbers_are_refused(column):
    with pytest.raises(ValueError, match=r"'mood' holds .* and not class numbers 0, 1"):
        class_numbers(column, "mood")


def test_labels_in_words_are_answered_with_what_to_do_and_it_works():
    rows = Rows({"liked": ["yes", "no", "yes"]})
    with pytest.raises(ValueError, match=r"rows = rows\.labelled\('liked'\)"):
        to_tensors(rows, {}, label="liked")
    assert to_tensors(rows.labelled("liked"), {})["label"].tolist() == [1, 0, 1]


def test_readers_without_names_are_answered_in_a_sentence(rows):
    with pytest.raises(ValueError, match=r"readers is .modality: its reader.*not a Vocabulary"):
        to_tensors(rows, Vocabulary(["rain"]))


@pytest.mark.parametrize("column", [[2, 0, 1], np.array([2, 0, 1], np.uint8), (2, 0, 1)])
def test_labels_become_whole_numbers(column):
    numbers = class_numbers(column, "label")
    assert numbers.dtype == torch.long
    assert numbers.tolist() == [2, 0, 1]


def test_the_rows_stay_as_they_are(rows, tensors):
    before = rows["image"].copy()
    for batch in Batches(tensors, batch_size=2):
        batch["image"].zero_()
    assert (rows["image"] == before).all()


@pytest.mark.parametrize(
    ("readers", "side"),
    [({"label": ArrayReader("x")}, ()), ({"present": ArrayReader("x")}, ()),
     ({"x": ArrayReader("x")}, ("x",))],
)  # fmt: skip
def test_two_tensors_of_one_name_are_refused(readers, side):
    rows = {"x": np.ones((2, 1)), "label": np.array([0, 1])}
    with pytest.raises(ValueError, match="two things in a batch would be called"):
        to_tensors(rows, readers, side=side)


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
    assert all(1 <= size <= batch_size + (shuffle and batch_size > 1) for size in sizes)
    assert all(size == batch_size for size in sizes[:-1])


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(2, 12))
def test_a_shuffled_pass_has_no_batch_of_a_single_row(n, batch_size):
    assert all(len(batch["label"]) > 1 for batch in Batches(numbered(n), batch_size, shuffle=True))


@pytest.fixture
def other_defaults():
    """torch as somebody may have set it: another precision, tensors made on another device."""
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)


def test_batches_follow_torchs_default_precision_and_not_its_device(other_defaults):
    image = torch.full((6, 3, 2, 2), 51, dtype=torch.uint8, device="cpu")
    first, _ = Batches({"image": image}, 3, shuffle=True)
    assert (first["image"].dtype, first["image"].device.type) == (torch.float64, "cpu")
    assert first["image"].flatten()[0].item() == 0.2


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


def test_dicts_and_tokens_are_shuffled_with_the_rows():
    numbers = torch.arange(20)
    tokens = Tokens(numbers[:, None, None].expand(-1, 3, 2), numbers[:, None] % 3 > torch.arange(3))
    tensors = {"label": numbers, "present": {"text": numbers % 2 == 0}, "words": tokens}
    seen = []
    for batch in Batches(tensors, 6, shuffle=True):
        label = batch["label"]
        assert torch.equal(batch["present"]["text"], label % 2 == 0)
        assert torch.equal(batch["words"].vectors[:, 0, 0], label)
        assert torch.equal(batch["words"].real, label[:, None] % 3 > torch.arange(3))
        seen += label.tolist()
    assert seen != sorted(seen)


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
    out, given = dict(named_tensors(batch)), dict(named_tensors(tensors))
    assert out.keys() == given.keys()
    for name in given.keys() - {"image"}:
        assert torch.equal(out[name], given[name])
        assert out[name].dtype == given[name].dtype


def test_tensors_that_disagree_about_the_rows_are_named():
    with pytest.raises(ValueError, match=r"same number of rows; they have .*'text': 4"):
        Batches({"label": torch.zeros(5), "text": torch.zeros(4, 2)})


def test_a_tensor_inside_that_disagrees_about_the_rows_is_named():
    with pytest.raises(ValueError, match=r"same number of rows; they have .*'present.text': 4"):
        Batches({"label": torch.zeros(5), "present": {"text": torch.zeros(4) > 0}})


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_without_a_row_is_refused(size):
    with pytest.raises(ValueError, match=f"at least one row, not {size}"):
        Batches(numbered(5), batch_size=size)


# --- what lies in a batch -----------------------------------------------------------------------


def test_a_change_reaches_every_tensor_and_nothing_else():
    value = {"a": torch.ones(2), "b": {"c": torch.ones(1)}, "d": Tokens(torch.ones(1), "x"), "e": 5}
    changed = on_tensors(value, lambda tensor: tensor + 1)
    assert changed["a"].tolist() == [2, 2]
    assert changed["b"]["c"].tolist() == [2]
    assert changed["d"] == Tokens(torch.tensor([2.0]), "x")
    assert changed["e"] == 5
    assert value["b"]["c"].tolist() == [1]


def test_tensors_inside_have_the_names_of_the_way_to_them():
    value = {"label": torch.ones(2), "present": {"text": torch.ones(1)},
             "words": Tokens(torch.ones(1), torch.ones(1))}  # fmt: skip
    names = [name for name, _ in named_tensors(value)]
    assert names == ["label", "present.text", "words.vectors", "words.real"]


# --- a sampler ----------------------------------------------------------------------------------


def test_a_sampler_says_which_rows_a_pass_takes():
    batches = Batches(numbered(5), 2, sampler=[4, 4, 0, 1])
    assert [batch["label"].tolist() for batch in batches] == [[4, 4], [0, 1]]
    assert len(batches) == 2


def test_a_single_row_that_a_sampler_leaves_over_joins_the_batch_before():
    assert [len(b["label"]) for b in Batches(numbered(9), 2, sampler=[8, 7, 6, 5, 4])] == [2, 3]


def test_the_sequence_of_a_sampler_goes_on_from_a_checkpoint():
    def drawn(seed):
        generator = torch.Generator().manual_seed(seed)
        return Batches(numbered(9), 4, sampler=RandomSampler(range(9), generator=generator))

    batches, again = drawn(0), drawn(1)
    first = order(batches)
    again.load_state_dict(batches.state_dict())
    assert order(again) == order(batches) != first


def test_a_sampler_does_not_go_with_shuffling():
    with pytest.raises(ValueError, match="a sampler has an order of its own; leave shuffle out"):
        Batches(numbered(3), 2, shuffle=True, sampler=[0, 1])
