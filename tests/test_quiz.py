"""The quizzes: their files, the lessons that show them, and what a reader gets to see."""

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import board, progress, quiz
from course_utils.environment import course_root
from course_utils.exercises import quiz as quiz_module
from course_utils.exercises.quiz import (
    as_html,
    as_text,
    count_right,
    letters_of,
    load,
    quiz_file,
    right_letters,
)

LESSONS = sorted((course_root() / "solutions").glob("[0-9][0-9]_*.py"))
FILES = sorted((course_root() / "data" / "quizzes").glob("*.json"))


def option(text="An answer", right=False, why="For this reason."):
    return {"text": text, "right": right, "why": why}


def entry(question="A question?", options=None):
    given = [option("first", True), option("second"), option("third")]
    return {"question": question, "options": given if options is None else options}


@pytest.fixture
def written(tmp_path):
    """Write a quiz file of these entries, or of this text, and give its path."""

    def write(entries):
        path = tmp_path / "42.json"
        path.write_text(entries if isinstance(entries, str) else json.dumps(entries), "utf-8")
        return path

    return write


# --- the course's own quizzes ----------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_lesson_has_a_quiz_and_shows_its_own(lesson):
    number = lesson.name[:2]
    assert quiz_file(number).exists()
    shown = re.findall(r'^quiz\("(.*)"\)$', lesson.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown.count(number) == 1
    assert all(quiz_file(name).exists() and name.startswith(number) for name in shown)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestFile:
    def test_has_four_to_six_questions(self, path):
        assert 4 <= len(load(path)) <= 6

    def test_no_question_stands_twice(self, path):
        questions = [question.text for question in load(path)]
        assert len(set(questions)) == len(questions)

    def test_options_and_reasons_differ_within_a_question(self, path):
        for question in load(path):
            texts = {plain(option.text) for option in question.options}
            reasons = {plain(option.why) for option in question.options}
            assert len(texts) == len(reasons) == len(question.options), question.text

    def test_the_right_option_stands_in_different_places(self, path):
        places = [place_of_right(question) for question in load(path)]
        assert len(set(places)) >= 3
        assert all(places.count(place) <= len(places) / 2 for place in places)

    def test_the_longest_option_is_no_hint(self, path):
        questions = load(path)
        longest = sum(
            max(question.options, key=lambda option: len(option.text)).right
            for question in questions
        )
        assert longest <= len(questions) / 2

    def test_marks_come_in_pairs(self, path):
        for question in load(path):
            for text in texts_of(question):
                assert text.count("`") % 2 == 0, text
                assert text.count("$") % 2 == 0, text

    def test_every_word_of_it_is_shown(self, path):
        questions = load(path)
        page = bare(text_of(as_html(questions)))
        for question in questions:
            for text in texts_of(question):
                assert bare(text) in page


def bare(text):
    """Without spaces and marks; a star may stand for italics, and may be a product."""
    return re.sub(r"[`*\s]", "", text.lower())


def place_of_right(question):
    return [option.right for option in question.options].index(True)


def texts_of(question):
    return [question.text, *(part for o in question.options for part in (o.text, o.why))]


def plain(text):
    return " ".join(text.lower().split())


class _Reader(HTMLParser):
    """Collects the text of a page, and which tags are open at its end."""

    def __init__(self):
        super().__init__()
        self.text, self.open, self.tags = "", [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(markup):
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader


def text_of(markup):
    return plain(read(markup).text)


# --- what a reader sees ----------------------------------------------------------------------


def test_html_is_closed_and_holds_no_script_link_or_handler(written):
    reader = read(as_html(load(written([entry()] * 4))))
    assert reader.open == []
    allowed = {"div", "p", "b", "i", "code", "details", "summary"}
    assert {tag for tag, _ in reader.tags} <= allowed
    assert {name for _, attributes in reader.tags for name in attributes} == {"style"}


def test_an_option_opens_on_its_own_and_all_start_closed(written):
    tags = read(as_html(load(written([entry(), entry()])))).tags
    assert [tag for tag, _ in tags].count("details") == 6
    assert [tag for tag, _ in tags].count("summary") == 6
    assert not any("open" in attributes for _, attributes in tags)


def test_words_and_not_colour_alone_tell_right_from_wrong(written):
    text = text_of(as_html(load(written([entry()]))))
    assert text.count("right. for this reason.") == 1
    assert text.count("not quite. for this reason.") == 2


def test_html_in_a_quiz_is_escaped_and_backticks_are_code(written):
    nasty = entry("Is `a < b` & <script>alert(1)</script>?")
    markup = as_html(load(written([nasty])))
    assert "<script" not in markup
    assert "<code>a &lt; b</code> &amp; &lt;script&gt;" in markup


def test_the_same_file_gives_the_same_page():
    assert as_html(load(FILES[0])) == as_html(load(FILES[0]))


def test_plain_text_shows_questions_and_options(written):
    text = as_text(load(written([entry("One?"), entry("Two?")])))
    assert text.startswith("1. One?\n   A. first\n   B. second\n")
    assert text.endswith("\n2. Two?\n   A. first\n   B. second\n   C. third")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plain_text_gives_no_answer_away(path):
    questions = load(path)
    shown = bare(as_text(questions))
    for question in questions:
        assert bare(question.text) in shown
        for option in question.options:
            assert bare(option.text) in shown
            assert bare(option.why) not in shown
    assert "not quite" not in as_text(questions).lower()


def test_quiz_shows_a_lesson_by_its_number(capsys):
    quiz("00")
    by_name = capsys.readouterr().out
    quiz(0)
    assert capsys.readouterr().out == by_name
    assert "\n1. " in by_name


def test_a_lesson_without_a_quiz_is_told_in_a_sentence(capsys):
    quiz("99")
    said = capsys.readouterr().out
    assert "Lesson `99` has no quiz in this copy" in said
    assert "00, 01" in said


def test_in_a_notebook_the_bundle_holds_both_forms(monkeypatch):
    shown = []
    monkeypatch.setattr(
        quiz_module, "display_html", lambda markup, plain: shown.append((markup, plain))
    )
    quiz("00")
    ((markup, text),) = shown
    assert "<details" in markup
    assert text.startswith("Choose first")
    assert "\n1. " in text


# --- typed answers ---------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch, written):
    """Two questions of three options as the quiz of lesson 42, and an empty store."""
    second = entry("Two?", [option("x"), option("y", True, "It is y."), option("z", why="Not z.")])
    path = written([entry("One?"), second])
    monkeypatch.setattr(quiz_module, "quiz_file", lambda lesson: path)
    monkeypatch.setattr(progress, "_in_memory", {})


@pytest.mark.parametrize("typed", ["a b", "AB", " A,b ", "a; b.", "a\nb"])
def test_typed_answers_are_judged_each_with_its_reason(asked, capsys, typed):
    quiz("42", typed)
    said = capsys.readouterr().out
    assert said.startswith("2 of 2 right. These answers count on your board.")
    assert "2 B. Right. It is y." in said
    assert progress.entries().quiz == {"42": "ab"}


def test_a_wrong_answer_says_why_and_does_not_name_the_right_one(asked, capsys):
    quiz("42", "- c")
    said = capsys.readouterr().out
    assert said.startswith("0 of 2 right.")
    assert "1. No answer. One?" in said
    assert "2 C. Not quite. Not z." in said
    assert "It is y." not in said


def test_the_first_answers_count(asked, capsys):
    quiz("42", "b b")
    capsys.readouterr()
    quiz("42", "a b")
    said = capsys.readouterr().out
    assert said.startswith("2 of 2 right. Your first answers count on your board: `b b`, 1 right.")
    assert progress.entries().quiz == {"42": "bb"}


def test_the_board_counts_the_answers_that_are_said_to_count_and_no_others(capsys, monkeypatch):
    for path in FILES:
        monkeypatch.setattr(progress, "_in_memory", {})
        quiz(path.stem, right_letters(load(path)))
        said = capsys.readouterr().out
        board()
        counted = (
            f"{len(load(path))} of {len(load(path))}" in capsys.readouterr().out.split("\nall")[0]
        )
        assert ("count on your board" in said) == counted, path.stem
        assert ("the board does not count it" in said) == (not counted), path.stem


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("a", "There are 2 questions, and you gave 1 answer."),
        ("", "There are 2 questions, and you gave 0 answers."),
        ("a b c", "There are 2 questions, and you gave 3 answers."),
        ("a d", "Question 2 has the options a, b or c, and no `d`."),
        ("1 2", "Question 1 has the options a, b or c, and no `1`."),
        (["a", "b"], "Answers are letters between quotation marks."),
        (None, "Answers are letters between quotation marks."),
    ],
)
def test_what_is_no_answer_gets_a_sentence_and_is_not_kept(asked, capsys, typed, sentence):
    quiz("42", typed)
    said = capsys.readouterr().out
    assert said.startswith("These are no answers.")
    assert sentence in said
    assert 'quiz("42", "a c b ...")' in said
    assert progress.entries().quiz == {}


@given(st.text(max_size=8) | st.text("abcd- ,", max_size=8))
def test_what_is_typed_is_a_letter_for_each_question_or_no_answer(typed):
    questions = load(FILES[0])
    try:
        letters = letters_of(typed, questions)
    except ValueError:  # with a sentence, as the test above sees
        return
    assert len(letters) == len(questions)
    assert 0 <= count_right(letters, questions) <= len(questions)


def test_the_right_letters_are_all_right():
    for path in FILES:
        questions = load(path)
        assert count_right(right_letters(questions), questions) == len(questions)


def test_the_page_of_typed_answers_is_closed_and_holds_no_script(monkeypatch, asked):
    shown = []
    monkeypatch.setattr(
        quiz_module, "display_html", lambda markup, plain: shown.append((markup, plain))
    )
    quiz("42", "ac")
    ((markup, text),) = shown
    reader = read(markup)
    assert reader.open == []
    assert {tag for tag, _ in reader.tags} <= {"div", "p", "b", "i", "code"}
    assert "Not z." in reader.text
    assert "Not z." in text


# --- faulty files end in one sentence --------------------------------------------------------

FAULTS = {
    "no JSON": ('[{"question": }]', r"42\.json, line 1: this is not JSON .*; mend the line"),
    "no list": ({"question": "?"}, r"42\.json: a quiz is a list of questions"),
    "empty": ([], r"42\.json: a quiz is a list of questions"),
    "no dict": (["What?"], r"42\.json, question 1: write a dict with the keys question, options"),
    "question missing": ([{"options": []}], r"question 1: `question` is missing; add it"),
    "options missing": ([entry(), {"question": "?"}], r"question 2: `options` is missing"),
    "question empty": ([entry(" ")], r"question 1: `question` is empty; write a sentence"),
    "unknown key": ([entry() | {"hint": "no"}], r"question 1: `hint` is unknown; use only"),
    "two options": ([entry(options=[option(right=True), option()])], r"2 options; write three"),
    "five options": ([entry(options=[option()] * 5)], r"question 1: 5 options; write three"),
    "none right": ([entry(options=[option()] * 3)], r"question 1: 0 options are right"),
    "two right": ([entry(options=[option(right=True)] * 3)], r"question 1: 3 options are right"),
    "no reason": (
        [entry(options=[option(), option(why=""), option()])],
        r"question 1, option B: `why` is empty; write a sentence",
    ),
    "right as a word": (
        [entry(options=[option(right="yes"), option(), option()])],
        r"question 1, option A: `right` must be true or false in JSON; change it",
    ),
    "option is a string": (
        [entry(options=["yes", "no", "perhaps"])],
        r"question 1, option A: write a dict with the keys text, right, why",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_file_is_named_with_the_place_and_what_to_do(written, content, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        load(written(content))
    assert "\n" not in str(raised.value)


def test_a_file_in_another_encoding_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "42.json"
    path.write_bytes(json.dumps([entry("Grün?")], ensure_ascii=False).encode("latin-1"))
    with pytest.raises(ValueError, match=r"42\.json: this is not UTF-8; save it as UTF-8"):
        load(path)
