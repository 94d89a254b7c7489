"""Headlines that name two sections and are about the first."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import first_named
from course_utils.data.news_headlines import NEUTRAL_WORDS, SECTION_WORDS
from course_utils.data.rows import column_of

OF = {word: section for section, words in enumerate(SECTION_WORDS) for word in words}


def sections_in(headline):
    return [OF[word] for word in headline.split() if word in OF]


def test_twins_hold_the_same_words_in_another_order_and_stand_in_one_split():
    rows = first_named.make(400, seed=1)
    for first, second in zip(rows["headline"][::2], rows["headline"][1::2], strict=True):
        assert first != second
        assert sorted(first.split()) == sorted(second.split())
    assert (rows["label"][::2] != rows["label"][1::2]).all()
    for column in ("split", "pair"):
        assert (rows[column][::2] == rows[column][1::2]).all()


@settings(max_examples=30, deadline=None)
@given(
    share=st.floats(0, 1), nouns=st.integers(1, 3), noise=st.floats(0, 1), seed=st.integers(0, 99)
)
def test_the_first_sections_nouns_stand_before_the_seconds_whatever_the_dials(
    share, nouns, noise, seed
):
    rows = first_named.make(20, seed, two_sections=share, nouns=nouns, label_noise=noise)
    for row, headline in enumerate(rows["headline"]):
        first, second = int(rows["first"][row]), int(rows["second"][row])
        assert sections_in(headline) == [first] * nouns + [second] * nouns
        words = [word for word in headline.split() if word in OF]
        assert len(set(words)) == len(words), "a noun that stands twice"
        assert 3 <= len(headline.split()) <= 19
    assert set(rows["label"]) <= set(range(5))
    if noise == 0:
        assert (rows["label"] == rows["first"]).all()
    if noise == 1:
        assert (rows["label"] != rows["first"]).all()


def test_the_dial_says_how_many_name_two_sections_and_how_many_labels_are_wrong():
    rows = first_named.make(8000, two_sections=0.3, label_noise=0.2)
    assert np.mean(rows["first"] != rows["second"]) == pytest.approx(0.3, abs=0.03)
    assert np.mean(rows["label"] != rows["first"]) == pytest.approx(0.2, abs=0.02)
    wrong = rows["label"] != rows["first"]
    steps = (rows["label"] - rows["first"])[wrong] % 5
    assert np.bincount(steps, minlength=5)[1:] / wrong.sum() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("dials", [
    {}, {"two_sections": 0.4}, {"label_noise": 0.3}, {"two_sections": 0.7, "label_noise": 0.9},
])  # fmt: skip
def test_the_ceiling_is_what_the_best_readers_reach(dials):
    rows = first_named.make(20_000, 3, **dials)
    best = first_named.ceiling(**dials)
    bags = {}
    for row in range(20_000):
        named = frozenset((int(rows["first"][row]), int(rows["second"][row])))
        bags.setdefault(named, np.zeros(5))[rows["label"][row]] += 1
    words = sum(count.max() for count in bags.values()) / 20_000
    orders = {}
    for row in range(20_000):
        named = int(rows["first"][row])
        orders.setdefault(named, np.zeros(5))[rows["label"][row]] += 1
    order = sum(count.max() for count in orders.values()) / 20_000
    assert words == pytest.approx(best["words"], abs=0.012)
    assert order == pytest.approx(best["order"], abs=0.012)
    assert best["chance"] == pytest.approx(0.2)


def test_no_reader_of_bags_is_right_on_more_than_half_of_the_twins():
    rows = first_named.make(600, seed=5)
    dice = np.random.default_rng(0)
    of_bag = {}  # any rule at all
    named = [
        of_bag.setdefault(" ".join(sorted(headline.split())), dice.integers(5))
        for headline in rows["headline"]
    ]
    assert np.mean(np.array(named) == rows["label"]) <= 0.5
    told = {" ".join(sorted(h.split())): y for h, y in zip(rows["headline"], rows["label"],
                                                           strict=True)}  # fmt: skip
    best = [told[" ".join(sorted(headline.split()))] for headline in rows["headline"]]
    assert np.mean(np.array(best) == rows["label"]) == 0.5


def test_a_neutral_noun_stands_anywhere_so_that_no_place_is_always_the_firsts():
    rows = first_named.make(2000)
    middles = [
        [word in OF for word in headline.split() if word in OF or word in NEUTRAL_WORDS].index(
            False
        )
        for headline in rows["headline"]
        if any(word in NEUTRAL_WORDS for word in headline.split())
    ]
    assert len(middles) > 600
    assert {0, 1, 2, 3} <= set(middles)


def test_more_headlines_begin_with_the_same_ones():
    few, many, other = first_named.make(20, 3), first_named.make(60, 3), first_named.make(20, 4)
    assert few["headline"] == many["headline"][:20] != other["headline"]
    for column in ("label", "split", "first"):
        np.testing.assert_array_equal(few[column], many[column][:20])
    assert few.classes == first_named.SECTIONS
    assert column_of(few, "text") == "headline"


@pytest.mark.parametrize(("dials", "said"), [
    ({"two_sections": 1.2}, "two_sections is a share"),
    ({"label_noise": "much"}, "label_noise is a share"),
    ({"nouns": 4}, "nouns is a whole number from 1 to 3, not 4"),
    ({"nouns": 1.5}, "nouns is a whole number"),
    ({"sections": 2}, "first_named has no dial 'sections'; it has two_sections, nouns"),
])  # fmt: skip
def test_a_wrong_dial_gets_a_sentence(dials, said):
    for function in (lambda **d: first_named.make(4, **d), first_named.ceiling):
        with pytest.raises(ValueError, match=said):
            function(**dials)


@pytest.mark.parametrize("n", [0, -2, 7])
def test_an_odd_number_of_headlines_is_refused(n):
    with pytest.raises(ValueError, match="positive even number"):
        first_named.make(n)


def test_ten_thousand_take_a_second_or_two():
    began = time.process_time()
    first_named.make(10_000)
    assert time.process_time() - began < 3
