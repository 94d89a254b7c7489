"""Rows: columns by name, and what stays beside them."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.rows import (
    Rows,
    SkippedRow,
    SkippedRows,
    column_of,
    count_rows,
    named_column,
    present_in,
    split_rows,
    take,
)

LEFT_OUT = [SkippedRow(3, "b.png", "missing image", "it is not there")]
BESIDE = (("sport", "travel"), SkippedRows(LEFT_OUT), {"text": "headline"}, ["two look alike"])


@pytest.fixture
def rows():
    columns = {
        "headline": ["one", "two", None, "four"],
        "label": np.array([0, 1, 1, 0]),
        "table": np.arange(8).reshape(4, 2),
        "split": ["train", "test", "train", "validation"],
    }
    return Rows(columns, *BESIDE)


def beside(rows):
    return rows.classes, rows.skipped, rows.modalities, rows.remarks


# --- what stays beside the columns ----------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: take(rows, [1, 0]),
        lambda rows: split_rows(rows)["train"],
        lambda rows: rows | {"more": [1, 2, 3, 4]},
        lambda rows: rows.copy(),
        lambda rows: rows.with_columns({"headline": ["one"]}),
        copy.copy,
        copy.deepcopy,
        lambda rows: pickle.loads(pickle.dumps(rows)),
    ],
)
def test_classes_what_was_left_out_modalities_and_remarks_stay(rows, change):
    changed = change(rows)
    assert isinstance(changed, Rows)
    assert beside(changed) == BESIDE
    assert str(changed.skipped) == "left out 1 row: 1 missing image (line 3)"


def test_added_columns_replace_those_of_the_same_name_and_leave_the_rows_alone(rows):
    more = rows | {"label": [5, 6, 7, 8], "age": [1, 2, 3, 4]}
    assert [*more] == ["headline", "label", "table", "split", "age"]
    assert more["label"] == [5, 6, 7, 8]
    assert rows["label"].tolist() == [0, 1, 1, 0]


def test_a_copy_can_be_changed_alone(rows):
    other = rows.copy()
    other["age"] = [1, 2, 3, 4]
    other.modalities["columns"] = "age"
    other.remarks.append("of the copy alone")
    assert "age" not in rows
    assert rows.remarks == ["two look alike"]
    assert rows.modalities == {"text": "headline"}


def test_rows_of_no_more_than_columns_have_nothing_beside_them():
    assert beside(Rows({"a": [1]})) == ((), [], {}, [])
    assert str(Rows().skipped) == "no row was left out"


# --- another label --------------------------------------------------------------------------------


def test_a_column_of_words_becomes_the_label_with_its_classes(rows):
    liked = (rows | {"liked": ["yes", "no", " yes", "NO"]}).labelled("liked")
    assert liked.classes == ("NO", "no", "yes")
    assert liked["label"].tolist() == [2, 1, 2, 0]
    assert liked["liked"] == ["yes", "no", " yes", "NO"]
    assert any("'NO' (1 row) and 'no' (1 row) look alike" in one for one in liked.remarks)
    assert (rows.classes, rows["label"].tolist()) == (("sport", "travel"), [0, 1, 1, 0])


@pytest.mark.parametrize("empty", [None, float("nan"), "", " ", "\u200b"])
def test_rows_without_the_label_are_left_out_with_a_remark(rows, empty):
    liked = (rows | {"liked": ["yes", empty, "no", "yes"]}).labelled("liked")
    assert liked["headline"] == ["one", None, "four"]
    assert liked["label"].tolist() == [1, 0, 1]
    assert "1 row without 'liked' left out" in liked.remarks
    assert liked.skipped == rows.skipped


@pytest.mark.parametrize(
    "column",
    [[10, 9, 10, 9], np.array([10, 9, 10, 9]), np.array([10.0, 9, 10, 9]), ["10", "9"] * 2],
)
def test_numbers_are_classes_by_their_size(rows, column):
    scored = (rows | {"score": column}).labelled("score")
    assert scored.classes == ("9", "10")
    assert scored["label"].tolist() == [1, 0, 1, 0]


def test_the_classes_can_be_given_in_an_order(rows):
    liked = rows | {"liked": ["yes", "no", "yes", "no"]}
    assert liked.labelled("liked", ("yes", "maybe", "no"))["label"].tolist() == [0, 2, 0, 2]
    with pytest.raises(ValueError, match="'liked' holds 'no', which is none of the classes yes"):
        liked.labelled("liked", ["yes"])


def test_a_label_that_is_not_there_is_said(rows):
    with pytest.raises(ValueError, match="no column 'liked'; they have headline"):
        rows.labelled("liked")
    with pytest.raises(ValueError, match="'liked' is empty in every row"):
        (rows | {"liked": ["", None, "", ""]}).labelled("liked")


# --- some of the rows -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
@pytest.mark.parametrize("index", [[3, 1], [False, True, False, True], [-1, 1], []])
def test_rows_are_taken_by_position_or_by_a_truth_value_each(rows, kind, index):
    taken = take(rows, kind(index))
    order = [k % 4 for k in index] if bool not in map(type, index) else [1, 3]
    assert taken["headline"] == [rows["headline"][k] for k in order]
    assert taken["label"].tolist() == [rows["label"][k] for k in order]
    assert (taken["table"] == rows["table"][order]).all()
    assert taken["table"].shape == (len(order), 2)


@pytest.mark.parametrize("index", [[1, 2, 3], [False, True, True, True], [2]])
def test_arrays_of_rows_that_follow_each_other_are_not_copied(rows, index):
    assert np.shares_memory(take(rows, index)["table"], rows["table"])
    assert not np.shares_memory(take(rows, [*index, index[0]] if 2 in index else [3, 1])["table"],
                                rows["table"])  # fmt: skip


def test_rows_of_a_plain_dict_can_be_taken_too():
    taken = take({"a": [1, 2, 3], "b": np.array([1, 2, 3])}, [2])
    assert isinstance(taken, Rows)
    assert (taken["a"], taken["b"].tolist()) == ([3], [3])


@pytest.mark.parametrize("count", [1, 3, 5])
def test_truth_values_of_other_rows_are_refused(rows, count):
    with pytest.raises(ValueError, match=rf"4 rows need as many truth values, not \({count},\)"):
        take(rows, [True] * count)


@pytest.mark.parametrize("index", [[4], [0.5], ["one"]])
def test_what_is_no_position_is_refused(rows, index):
    with pytest.raises((IndexError, TypeError, ValueError)):
        take(rows, index)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["train", "validation", "test"]), max_size=20))
def test_the_splits_hold_every_row_once_in_its_order(names):
    parts = split_rows({"split": names, "number": [*range(len(names))]})
    assert [*parts] == ["train", "validation", "test"]
    for name, part in parts.items():
        assert part["number"] == [k for k, own in enumerate(names) if own == name]


def test_an_unknown_split_is_refused_since_its_rows_would_be_lost(rows):
    rows["split"][2] = "dev"
    with pytest.raises(ValueError, match="is train, validation or test, not 'dev'"):
        split_rows(rows)


def test_rows_are_counted_and_columns_of_other_lengths_are_named(rows):
    assert count_rows(rows) == 4
    with pytest.raises(ValueError, match=r"same number of rows; they have .*'more': 1"):
        count_rows(rows | {"more": [1]})
    with pytest.raises(ValueError, match="same number of rows"):
        count_rows({})


# --- columns --------------------------------------------------------------------------------------


def test_a_modality_is_found_where_the_rows_say_or_under_its_own_name(rows):
    assert column_of(rows, "text") == "headline"
    assert column_of(rows, "table") == "table"
    assert column_of({"text": ["a"]}, "text") == "text"


def test_a_modality_without_a_column_is_answered_with_those_that_are_there(rows):
    with pytest.raises(ValueError, match="no column 'image' for 'image'; they have headline, la"):
        column_of(rows, "image")
    del rows["headline"]
    with pytest.raises(ValueError, match="no column 'headline' for 'text'"):
        column_of(rows, "text")


def test_a_column_is_found_by_its_very_name_alone(rows):
    assert named_column(rows, "headline") is rows["headline"]
    with pytest.raises(ValueError, match="no column 'text'; they have headline, label"):
        named_column(rows, "text")


@pytest.mark.parametrize(
    ("column", "there"),
    [
        (["a", None, ""], [True, False, True]),
        ([1, None, float("nan"), np.float32("nan"), 0], [True, False, False, False, True]),
        ([np.ones(2), None], [True, False]),
        (np.array(["a", None], dtype=object), [True, False]),
        (np.array([1.0, np.nan, 0.0]), [True, False, True]),
        (np.array([1.0, np.nan], dtype=np.float32), [True, False]),
        (np.array([3, 0]), [True, True]),
        (np.array(["a", ""]), [True, True]),
        (np.array([[np.nan, np.nan], [np.nan, 1.0]]), [False, True]),
        ([], []),
    ],
)
def test_an_entry_is_absent_where_it_is_none_or_not_a_number(column, there):
    found = present_in(column)
    assert found.dtype == bool
    assert found.tolist() == there
