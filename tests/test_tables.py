"""The fair table, and the one that grows through the lessons."""

import math

import numpy as np
import pandas as pd
import pytest

from course_utils import tables
from course_utils.data import news_cards
from course_utils.tables import fair_table, grow_table

# --- the fair table -----------------------------------------------------------------------------


def test_the_table_has_mean_and_spread_of_each_row_and_the_ceiling_last():
    table = fair_table({"majority": [0.2], "both": [0.8, 0.9]}, news_cards.ceiling())
    assert table.index.tolist() == [
        "majority", "both", "ceiling, image", "ceiling, text", "ceiling, both",
    ]  # fmt: skip
    assert table.loc["both", "mean"] == pytest.approx(0.85)
    assert table.loc["both", "spread"] == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert table.loc["both", ["seed 0", "seed 1"]].tolist() == [0.8, 0.9]
    assert table.loc["ceiling, image", "mean"] == pytest.approx(0.84)


def test_a_ceiling_has_a_row_for_each_reader_of_its_world_but_chance():
    table = fair_table({"both": [0.8]}, {"chance": 0.5, "first": 0.7, "all but sound": 0.9})
    assert table.index.tolist() == ["both", "ceiling, first", "ceiling, all but sound"]
    assert table["mean"].tolist() == [0.8, 0.7, 0.9]


def test_a_row_with_one_value_has_no_spread():
    table = fair_table({"majority": [0.2]})
    assert table.loc["majority", "mean"] == 0.2
    assert np.isnan(table.loc["majority", "spread"])


# --- the table that grows -----------------------------------------------------------------------


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path / "solutions").mkdir()
    monkeypatch.setattr(tables, "course_root", lambda: tmp_path)
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    monkeypatch.setenv("COURSE_BUILD", "1")
    return tmp_path


def stored(course):
    return pd.read_csv(course / "solutions" / "growing_table.csv", dtype={"lesson": str})


def test_the_table_grows_by_a_lessons_rows_when_it_is_built(course):
    grow_table("01", {"CNN": [0.8, 0.82]})
    table = grow_table("04", {"weighted": [0.9, 0.91]})
    assert table.index.tolist() == [("01", "CNN"), ("04", "weighted")]
    assert stored(course)["mean"].tolist() == pytest.approx([0.81, 0.905])
    assert stored(course)["seeds"].tolist() == [2, 2]


def test_a_lesson_built_again_replaces_its_rows(course):
    grow_table("01", {"CNN": [0.7, 0.7]})
    grow_table("01", {"CNN": [0.8, 0.8]})
    assert stored(course)["mean"].tolist() == [0.8]


def test_a_lesson_does_not_show_the_rows_of_later_ones(course):
    grow_table("04", {"weighted": [0.9]})
    assert grow_table("01", {"CNN": [0.8]}).index.tolist() == [("01", "CNN")]
    assert stored(course)["lesson"].tolist() == ["01", "04"]


@pytest.mark.parametrize(("name", "value"), [("COURSE_BUILD", "0"), ("COURSE_SMOKE", "1")])
def test_outside_a_full_build_the_file_stays_as_it_is(course, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    table = grow_table("01", {"CNN": [0.8]})
    assert not (course / "solutions" / "growing_table.csv").exists()
    assert math.isclose(table["mean"].iloc[0], 0.8)
