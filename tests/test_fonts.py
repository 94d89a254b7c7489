"""Text of data in figures: as it stands, in any script that a font here has."""

import io
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from course_utils import fonts
from course_utils.display import image_tag
from course_utils.fonts import (
    as_written,
    choose_fonts,
    drawable,
    shortened,
    width_of,
    wrapped,
)

RARE = "ᶁ"  # in a font that matplotlib brings, and not in its usual one


@pytest.fixture(autouse=True)
def _a_new_session(monkeypatch):
    monkeypatch.setattr(fonts, "_family_of", {})
    monkeypatch.setattr(fonts, "_said", set())


@pytest.fixture
def without_fonts(monkeypatch):
    monkeypatch.setattr(fonts, "_fonts", lambda: iter(()))


def figure_of(words):
    figure = Figure(figsize=(2, 1))
    figure.text(0, 0.5, words)
    return figure


def warnings_of(draw):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        draw()
    return [str(one.message) for one in said]


def test_a_letter_that_the_usual_font_lacks_gets_a_font_that_has_it(capsys):
    figure = figure_of(f"a {RARE} b")
    for _ in range(2):
        choose_fonts(figure)
        assert len(figure.texts[0].get_fontfamily()) == 2
    assert warnings_of(lambda: figure.savefig(io.BytesIO())) == []
    assert capsys.readouterr().out == ""


def test_a_text_that_the_usual_font_has_keeps_it():
    figure = figure_of("Ñandú, Ελλάδα")
    usual = figure.texts[0].get_fontfamily()
    choose_fonts(figure)
    assert figure.texts[0].get_fontfamily() == usual


def test_letters_without_a_font_get_one_sentence_a_session(without_fonts, capsys):
    for words in ("红色连衣裙", "ひらがな 蓝", "红"):
        figure = figure_of(words)
        assert warnings_of(lambda figure=figure: image_tag(figure, "x")) == []
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "install Noto Sans CJK" in said


@pytest.mark.parametrize(
    ("letter", "font"),
    [("ह", "Noto Sans Devanagari"), ("ก", "Noto Sans Thai"), ("🦘", "Noto Emoji")],
)
def test_the_font_to_install_goes_by_the_script(letter, font, without_fonts, capsys):
    choose_fonts(figure_of(letter))
    assert f"install {font}," in capsys.readouterr().out


def test_no_text_of_data_is_a_formula():
    figure = as_written(figure_of("$10% off$ and $_^"))
    assert not figure.texts[0].get_parse_math()
    image_tag(figure, "x")


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=8))
def test_any_text_can_be_drawn(words):
    image_tag(as_written(figure_of(drawable(words))), "x")


def test_control_characters_and_halves_of_signs_have_a_stand_in():
    assert drawable("a\x00b\ud83d\nc\td") == "a�b� c d"


def test_letters_of_east_asia_are_two_wide_and_marks_none():
    assert width_of("ab红e\u0301") == 5


@given(st.text(max_size=60), st.integers(3, 30))
def test_a_shortened_text_is_no_wider_and_a_short_one_stays(words, width):
    assert width_of(shortened(words, width)) <= max(width, 1)
    if width_of(words) <= width:
        assert shortened(words, width) == words


def test_names_that_differ_at_their_end_differ_when_shortened():
    names = [f"a very long name of a class, number {k}" for k in range(20)]
    assert len({shortened(name, 20) for name in names}) == 20


@given(st.text(max_size=200).map(drawable), st.integers(4, 30), st.integers(1, 4))
def test_wrapped_lines_are_as_many_and_as_wide_as_was_said(words, width, lines):
    found = wrapped(words, width, lines).split("\n")
    assert len(found) <= lines
    assert all(width_of(line) <= width for line in found)
    if not found[-1].endswith(" …"):
        assert "".join(found).replace(" ", "") == words.replace(" ", "")


def test_lines_break_at_blanks_and_inside_a_word_that_is_too_wide():
    assert wrapped("ab cd ef", 5, 4) == "ab cd\nef"
    assert wrapped("红色连衣裙", 4, 4) == "红色\n连衣\n裙"
    assert wrapped("ab cd ef", 5, 1) == "ab …"
