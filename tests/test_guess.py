"""A guess is typed, kept and settled; whatever is typed gets a sentence and never an error."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils import guess, progress, settle

WORDS = ("image", "text", "both of them")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """An empty store for each test."""
    monkeypatch.setattr(progress, "_in_memory", {})


@pytest.fixture
def said(capsys):
    """What was said since it was last asked for."""
    return lambda: capsys.readouterr().out


def kept(name="twins"):
    return progress.entries().guesses.get(name, progress.Guess())


# typing a guess


def test_dots_are_no_guess_and_say_what_to_type(said):
    guess("twins", ...)
    assert "No guess yet. Put a number in place of the dots, and run this cell" in said()
    guess("winner", ..., WORDS)
    assert 'Put one of `"image"`, `"text"`, `"both of them"` in place of the dots' in said()
    assert progress.entries() == progress.Progress()


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (0.5, 0.5),
        (3, 3),
        (-1e-9, -1e-9),
        (Fraction(1, 4), 0.25),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (torch.tensor(0.5), 0.5),
        (torch.tensor([2]), 2),
    ],
)
def test_a_number_of_any_kind_is_kept(said, answer, number):
    guess("twins", answer)
    assert kept().answer == number
    assert type(kept().answer) in (int, float)
    assert f"Your guess: {number:g}" in said()


class Silent:
    def __repr__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("0.5", "`'0.5'` is text: write the number without quotation marks."),
        ((0, 9), "`(0, 9)` is two things or more: is a comma there for a point?"),
        (math.nan, "`nan` is no number."),
        (math.inf, "is no number."),
        (True, "`True` is no number."),
        (None, "`None` is no number."),
        (10**400, "is no number."),
        pytest.param(10**5000, "is no number.", id="more digits than Python writes"),
        (1j, "`1j` is no number."),
        (torch.tensor([0.1, 0.2]), "is no number."),
        (Silent(), "is no number."),
    ],
)
def test_what_is_no_number_gets_a_sentence_and_is_not_kept(said, answer, sentence):
    guess("twins", answer)
    text = said()
    assert text.startswith("No guess yet.")
    assert sentence in text
    assert "Put a number in its place, and run this cell again." in text
    assert kept() == progress.Guess()


@pytest.mark.parametrize("answer", ["both of them", " Both  of THEM ", np.str_("both of them")])
def test_case_and_blanks_of_a_word_do_not_matter(answer):
    guess("winner", answer, WORDS)
    assert kept("winner").answer == "both of them"


@pytest.mark.parametrize("answer", ["both", "", 1, ("image",), Silent(), None, True])
def test_a_word_that_is_none_of_the_options_gets_a_sentence(said, answer):
    guess("winner", answer, WORDS)
    assert 'is none of these. Put one of `"image"`' in said()
    assert kept("winner") == progress.Guess()


@pytest.mark.parametrize("options", [("yes", "no"), ("True", "False")])
def test_true_and_false_stand_for_the_words(options, said):
    guess("learns", True, options)
    assert kept("learns").answer == options[0]
    settle("learns", torch.tensor([1.0]).sum() > 2)
    assert '"learns" came out as no. You guessed' in said()
    assert kept("learns").near is False


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text()
    | st.binary() | st.lists(st.floats(), max_size=3) | st.tuples(st.integers())
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2) | st.just(Silent())
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANYTHING, ANYTHING, st.sampled_from([(), WORDS]))
def test_nothing_that_is_typed_and_nothing_that_comes_raises(capsys, answer, value, options):
    progress._in_memory.clear()
    guess("any", answer, options)
    assert capsys.readouterr().out.count(".") >= 1
    before = kept("any").answer
    settle("any", value)
    assert capsys.readouterr().out.count(".") >= 1
    assert kept("any").answer == before


# settling it


def test_settle_says_what_was_guessed_what_came_and_whether_it_is_near(said):
    guess("twins", 0.9)
    guess("alike", 0.52)
    said()
    settle("twins", 0.5)
    far = said()
    assert '"twins" came out as 0.50. You guessed 0.9, 0.40 away' in far
    assert "at most 0.05 away counts as near" in far
    settle("alike", torch.tensor(0.5))
    assert said() == '"alike" came out as 0.50. You guessed 0.52: near.\n'
    assert (kept().near, kept("alike").near) == (False, True)


def test_without_a_guess_settle_shows_what_came(said):
    settle("twins", 0.5)
    assert said() == '"twins" came out as 0.50. There was no guess before it was shown.\n'
    assert kept() == progress.Guess(came=0.5, unit=0.05)


@pytest.mark.parametrize(
    ("answer", "value", "near", "hit"),
    [
        (0.55, 0.5, None, True),  # exactly as far as counts, whatever floats make of it
        (0.551, 0.5, None, False),
        (0.05, 0, None, True),
        (1.05, 1.0, None, True),
        (110, 100, None, True),
        (111, 100, None, False),
        (-0.2, -0.18, None, False),  # a tenth of it
        (-0.2, -0.18, 0.05, True),
        (7, 8, 0, False),
        (8, 8, 0, True),
        (0.4, 0.5, 0.1, True),
    ],
)
def test_what_counts_as_near(answer, value, near, hit):
    guess("twins", answer)
    settle("twins", value, near)
    assert kept().near is hit


def test_the_first_guess_is_settled_and_a_later_one_is_shown(said):
    guess("twins", 0.9)
    guess("twins", 0.5)
    assert "A later guess: 0.5. Your first one, 0.9, counts." in said()
    settle("twins", 0.5)
    text = said()
    assert "You guessed 0.9, 0.40 away" in text
    assert "(Your later guess, 0.5, does not count.)" in text
    assert kept().near is False


def test_a_guess_after_the_result_does_not_count(said):
    settle("twins", 0.5)
    guess("twins", 0.5)
    assert "so this guess does not count" in said()
    settle("twins", 0.5)
    assert "There was no guess before it was shown" in said()
    assert kept().near is None


def test_the_next_day_the_first_guess_and_the_first_result_stay():
    for value in (0.5, 0.88):
        guess("twins", 0.9)
        settle("twins", value)
    assert kept() == progress.Guess(0.9, None, 0.5, False, 0.05)


def test_a_percentage_for_a_share_is_remarked_on(said):
    guess("twins", 84)
    settle("twins", 0.84)
    assert "If you meant 84 %, type 0.84 next time." in said()


@pytest.mark.parametrize("value", [math.nan, None, [1, 2], torch.zeros(2), Silent()])
def test_a_result_that_is_no_number_and_no_word_is_said(value, said):
    guess("twins", 0.5)
    said()
    settle("twins", value)
    assert said().startswith('Nothing to settle for "twins". The result is ')
    assert kept() == progress.Guess(0.5)


def test_numbers_are_shown_as_finely_as_near_asks_for(said):
    settle("share", 0.51234)
    settle("large", 12345.6)
    settle("fine", 0.01234, near=0.001)
    settle("whole", 12)
    settle("immense", 10**300)
    assert [line.split(" as ")[1].split(". ")[0] for line in said().splitlines()] == [
        "0.51", "12,346", "0.012", "12", "1e+300",
    ]  # fmt: skip
