"""One reader for each modality: names, shapes and kinds of tensors, and what is absent.

Files of pictures are read in ``test_folder.py``.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.readers import (
    ArrayReader,
    ColumnsReader,
    ImageReader,
    Reader,
    TextReader,
    filled,
    fit_readers,
)
from course_utils.data.rows import Rows
from course_utils.data.text import Vocabulary

free = settings(deadline=None, max_examples=60)
nan = float("nan")


def values(reader, column, name="x"):
    (tensor,) = reader({name: column}, name).values()
    return tensor


# --- all readers ----------------------------------------------------------------------------------


class Lengths(Reader):
    def read(self, cells):
        return {"": torch.tensor([len(cell or "") for cell in cells])}


def test_a_reader_of_ones_own_needs_read_alone():
    rows = Rows({"headline": ["a", None, "abc"]}, modalities={"text": "headline"})
    reader = Lengths()
    assert reader(rows, "text")["text"].tolist() == [1, 0, 3]
    assert reader.present(rows, "text").tolist() == [True, False, True]
    assert reader.fit(rows, "text") is reader
    with pytest.raises(NotImplementedError):
        Reader()(rows, "text")


def test_a_reader_reads_the_column_that_it_is_given_before_the_one_that_the_rows_name():
    rows = Rows({"headline": ["a"], "caption": ["abc"]}, modalities={"text": "headline"})
    assert Lengths()(rows, "text")["text"].tolist() == [1]
    assert Lengths("caption")(rows, "text")["text"].tolist() == [3]
    assert Lengths()(rows, "caption")["caption"].tolist() == [3]
    with pytest.raises(ValueError, match="no column 'captoin'; they have headline, caption"):
        Lengths("captoin")(rows, "text")


def test_readers_are_fitted_together():
    rows = {"text": ["rain"], "age": [1.0]}
    readers = {"text": TextReader(), "columns": ColumnsReader(numbers=["age"])}
    assert fit_readers(readers, rows) is readers
    assert "rain" in readers["text"].vocabulary.ids
    assert readers["columns"].width == 1


# --- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("together", [True, False])
def test_arrays_of_any_shape_become_floats(shape, together):
    column = np.arange(4 * int(np.prod(shape))).reshape(4, *shape)
    read = values(ArrayReader(), column if together else list(column))
    assert read.dtype == torch.float32
    assert read.tolist() == column.tolist()


@pytest.mark.parametrize("absent", [None, nan])
def test_where_an_array_is_absent_stand_zeros(absent):
    column = [absent, np.array([1.0, 2.0]), absent]
    assert values(ArrayReader(), column).tolist() == [[0, 0], [1, 2], [0, 0]]
    assert ArrayReader().present({"x": column}, "x").tolist() == [False, True, False]


def test_where_a_number_of_an_array_is_absent_stands_zero():
    column = np.array([1.0, nan, np.inf])
    assert values(ArrayReader(), column).tolist() == [1, 0, np.inf]
    assert np.isnan(column[1])


def test_arrays_of_different_kinds_lose_nothing():
    assert filled([np.array([1, 2]), None, np.array([0.5, 1.5])])[2].tolist() == [0.5, 1.5]
    assert filled([1, 2.5]).tolist() == [1, 2.5]


def test_arrays_that_disagree_are_named_by_their_rows():
    with pytest.raises(ValueError, match=r"row 3 has an array of shape \(3,\) and row 1 one of"):
        values(ArrayReader(), [None, np.ones(2), np.ones(2), np.ones(3)])


def test_arrays_that_are_all_absent_have_no_size():
    with pytest.raises(ValueError, match="no row has this modality, so the size"):
        values(ArrayReader(), [None, None])


# --- pictures -------------------------------------------------------------------------------------


def test_pictures_have_channels_first_and_stay_whole_numbers():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    for column in (pictures, list(pictures)):
        read = values(ImageReader(), column)
        assert read.shape == (2, 3, 4, 6)
        assert read.dtype == torch.uint8
        assert read.is_contiguous()
        assert (read.numpy().transpose(0, 2, 3, 1) == pictures).all()


def test_where_a_picture_is_absent_stand_zeros():
    column = [np.full((4, 4, 3), 7, np.uint8), None]
    read = values(ImageReader(), column)
    assert (read[0] == 7).all()
    assert (read[1] == 0).all()
    assert ImageReader().present({"x": column}, "x").tolist() == [True, False]


def test_a_picture_without_colours_is_answered_in_a_sentence():
    with pytest.raises(ValueError, match=r"is an array \(H, W, 3\), not one of \(4, 4\)"):
        values(ImageReader(), np.zeros((2, 4, 4), np.uint8))


# --- texts ----------------------------------------------------------------------------------------


def test_texts_become_ids_and_lengths():
    read = TextReader(Vocabulary(["rain", "snow"]))({"text": ["snow and rain", "rain"]}, "text")
    assert read["text"].tolist() == [[3, 1, 2], [2, 0, 0]]
    assert read["text_length"].tolist() == [3, 1]
    assert {tensor.dtype for tensor in read.values()} == {torch.long}


@free
@given(st.lists(st.one_of(st.none(), st.just(nan), st.text(max_size=20)), max_size=6))
def test_any_texts_can_be_read_and_absent_ones_are_one_unknown_word(texts):
    reader = TextReader().fit({"text": texts}, "text")
    read = reader({"text": texts}, "text")
    there = [isinstance(text, str) for text in texts]
    assert reader.present({"text": texts}, "text").tolist() == there
    for k in range(len(texts)):
        own = read["text"][k, : read["text_length"][k]]
        assert (own > 0).all()
        assert (read["text"][k, len(own) :] == 0).all()
        assert there[k] or own.tolist() == [1]


def test_the_vocabulary_is_that_of_the_rows_that_were_fitted():
    reader = TextReader(fewest=2).fit({"text": ["rain rain snow", None]}, "text")
    assert reader.vocabulary.words[2:] == ("rain",)
    assert reader({"text": ["snow rain fog"]}, "text")["text"].tolist() == [[1, 2, 1]]


def test_without_a_vocabulary_it_says_how_to_get_one():
    with pytest.raises(ValueError, match=r"no vocabulary: give one, or call fit\(training rows\)"):
        TextReader()({"text": ["rain"]}, "text")


def test_what_is_no_text_is_named_by_its_row():
    with pytest.raises(ValueError, match="row 1 holds 5 where a text should stand"):
        TextReader(Vocabulary([]))({"text": ["rain", 5]}, "text")
    with pytest.raises(ValueError, match="row 0 holds 5 where a text should stand"):
        TextReader().fit({"text": [5]}, "text")


# --- columns --------------------------------------------------------------------------------------

TABLE = {
    "price": [1.0, None, 3.0, "5"],
    "colour": ["red", "blue", None, "red"],
    "age": np.array([2, 2, 2, 2]),
}


def fitted(numbers=("price",), categories=("colour",), rows=TABLE):
    return ColumnsReader(numbers, categories).fit(rows, "columns")


def test_a_reader_of_texts_cuts_them_as_it_was_told():
    rows = {"text": ["Red Shirt XL", "Red Shoe"]}
    reader = TextReader(tokenize=str.split, longest=2, phrases=2).fit(rows, "text")
    assert {*reader.vocabulary.words[2:]} == {"Red", "Shirt", "Shoe", "Red Shirt", "Red Shoe"}
    assert reader(rows, "text")["text_length"].tolist() == [3, 3]
    assert TextReader(reader.vocabulary).fit(rows, "text").vocabulary.words == (
        reader.vocabulary.words
    )


def test_a_vocabulary_and_another_way_to_cut_are_refused_together():
    with pytest.raises(ValueError, match="a vocabulary says how texts are cut"):
        TextReader(Vocabulary(["rain"]), longest=5)


def test_a_remark_on_long_texts_is_made_once_for_the_same_rows(capsys):
    rows = {"text": ["word " * 600]}
    TextReader().fit(rows, "text")(rows, "text")
    assert capsys.readouterr().out.count("cut off") == 1


def test_numbers_and_categories_stand_side_by_side():
    read = fitted(("price", "age"))(TABLE, "columns")["columns"]
    step = 1.5**0.5  # 2 / the standard deviation of 1, 3 and 5
    assert read.dtype == torch.float32
    torch.testing.assert_close(
        read,
        torch.tensor([[-step, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0], [step, 0, 0, 1]]),
    )


def test_its_width_is_that_of_what_it_gives():
    reader = fitted(("price", "age"), ("colour", "split"), TABLE | {"split": list("abca")})
    assert reader.width == 2 + 2 + 3
    assert reader(TABLE | {"split": list("abca")}, "columns")["columns"].shape == (4, 7)


def test_scales_and_values_are_those_of_the_training_rows():
    reader = fitted()
    new = {"price": [3.0, 11.0, None], "colour": ["green", "blue", None]}
    read = reader(new, "columns")["columns"]
    assert read[:, 0].tolist() == pytest.approx([0, 4 * 1.5**0.5, 0])
    assert read[:, 1:].tolist() == [[0, 0], [1, 0], [0, 0]]
    assert torch.equal(reader(new, "columns")["columns"], read)  # and stay so


@pytest.mark.parametrize("empty", [None, nan, ""])
def test_a_row_is_absent_where_all_its_cells_are_empty(empty):
    rows = {"price": [empty, 1.0, empty], "colour": [empty, empty, "red"]}
    reader = fitted(rows=rows)
    assert reader.present(rows, "columns").tolist() == [False, True, True]
    assert reader(rows, "columns")["columns"].tolist() == [[0, 0], [0, 0], [0, 1]]
    assert reader.values == {"colour": ("red",)}


@pytest.mark.parametrize("empty", [None, nan, ""])
@pytest.mark.parametrize("word", ["None", "nan"])
def test_an_empty_category_is_not_the_word_for_it(empty, word):
    reader = fitted((), rows={"colour": [word, "red"]})
    assert reader({"colour": [empty]}, "columns")["columns"].tolist() == [[0, 0]]
    assert reader({"colour": [word]}, "columns")["columns"].sum() == 1


def test_categories_may_be_numbers():
    reader = fitted((), rows={"colour": np.array([3, 1, 3])})
    assert reader({"colour": [1, 3, 2]}, "columns")["columns"].tolist() == [[1, 0], [0, 1], [0, 0]]


def test_its_columns_are_those_of_their_very_names():
    rows = Rows({"text": ["a", "b"], "headline": ["x", "y"]}, modalities={"text": "headline"})
    assert fitted((), ("text",), rows).values == {"text": ("a", "b")}


number = st.floats(-1e6, 1e6).map(lambda value: round(value, 2))
cell = st.one_of(st.none(), st.just(nan), number, st.integers(-1000, 1000))
word = st.one_of(
    st.none(), st.just(""), st.sampled_from(["red", "blue", "None"]), st.integers(0, 2)
)


@free
@given(st.lists(st.tuples(cell, word), min_size=1, max_size=12))
def test_any_table_becomes_finite_numbers_of_mean_0_and_spread_1(pairs):
    rows = dict(zip(("price", "colour"), map(list, zip(*pairs, strict=True)), strict=True))
    reader = fitted(rows=rows)
    read = reader(rows, "columns")["columns"]
    assert read.shape == (len(pairs), reader.width)
    assert read.isfinite().all()
    filled_in = torch.tensor([number is not None and number == number for number, _ in pairs])
    numbers = read[filled_in, 0].double()
    if len({number for number, _ in pairs if number is not None and number == number}) == 1:
        assert (numbers == 0).all()
    elif filled_in.any():
        assert numbers.mean().item() == pytest.approx(0, abs=1e-3)
        assert numbers.std(correction=0).item() == pytest.approx(1, abs=1e-3)
    one_each = torch.tensor([0 if colour in (None, "") else 1 for _, colour in pairs])
    assert torch.equal(read[:, 1:].sum(dim=1).long(), one_each)


def test_a_constant_stays_zero_where_rounding_would_make_it_one():
    rows = {"price": [0.1, 0.1, 0.1]}
    assert np.std(rows["price"]) > 0  # 1e-17
    assert fitted((("price"),), (), rows)(rows, "columns")["columns"].tolist() == [[0], [0], [0]]


def test_a_column_of_numbers_that_is_always_empty_gives_zeros():
    rows = {"price": [None, None]}
    assert fitted(("price",), (), rows)(rows, "columns")["columns"].tolist() == [[0], [0]]


@pytest.mark.parametrize("bad", ["cheap", "1,5", [1], np.inf, "inf"])
def test_a_cell_that_is_no_number_is_named_by_its_row(bad):
    with pytest.raises(ValueError, match=r"'price' holds .* in row 1, which is no number .*categ"):
        fitted(rows={"price": [1, bad, 2], "colour": ["red"] * 3})


def test_a_missing_column_is_answered_with_those_that_are_there():
    with pytest.raises(ValueError, match="no column 'prize'; they have price, colour, age"):
        fitted(("prize",))


def test_before_it_is_fitted_it_says_so():
    with pytest.raises(ValueError, match=r"no scales and values yet: call fit\(training rows\)"):
        ColumnsReader(("price",), ("colour",))(TABLE, "columns")


def test_a_table_without_a_column_is_refused():
    with pytest.raises(ValueError, match="needs at least one column"):
        ColumnsReader()
