"""The headlines that only word order can tell apart."""

import numpy as np
import pytest

from course_utils.data import word_order
from course_utils.data.rows import column_of


def test_twins_hold_the_same_words_and_different_winners():
    rows = word_order.make(200, seed=1)
    for first, second in zip(rows["headline"][::2], rows["headline"][1::2], strict=True):
        assert first != second
        assert sorted(first.split()) == sorted(second.split())
    assert (rows["winner"][::2] != rows["winner"][1::2]).all()


def test_the_winner_is_the_team_that_comes_first():
    rows = word_order.make(200)
    for headline, winner in zip(rows["headline"], rows["winner"], strict=True):
        words = headline.split()
        assert words.index(word_order.TEAMS[winner]) < words.index("beat")
        assert words.index("beat") < words.index(word_order.TEAMS[1 - winner])
        assert 3 <= len(words) <= 11


def test_twins_stay_in_one_split():
    rows = word_order.make(400)
    assert (rows["split"][::2] == rows["split"][1::2]).all()
    assert set(rows["split"]) == {"train", "validation", "test"}


def test_the_label_is_the_winner_and_its_classes_are_the_teams():
    rows = word_order.make(20)
    assert (rows["label"] == rows["winner"]).all()
    assert rows.classes == word_order.TEAMS
    assert column_of(rows, "text") == "headline"


def test_the_same_seed_makes_the_same_headlines():
    one, same, other = (word_order.make(20, seed) for seed in (3, 3, 4))
    assert one["headline"] == same["headline"] != other["headline"]
    np.testing.assert_array_equal(one["split"], same["split"])


@pytest.mark.parametrize("n", [0, -2, 7])
def test_an_odd_number_of_headlines_is_refused(n):
    with pytest.raises(ValueError, match="positive even number"):
        word_order.make(n)
