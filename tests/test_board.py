"""The board counts what was done, and its figure says in words what it shows."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import board, progress
from course_utils.exercises import board as room
from course_utils.exercises import declared
from course_utils.lessons import guesses, titles

ASKED = {"00": ("one", "two"), "04": ("twins", "winner", "not tried")}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """An empty store, and a course in which two lessons have guesses."""
    monkeypatch.setattr(progress, "_in_memory", {})
    monkeypatch.setattr(room, "guesses", lambda: ASKED)


def some_of_it():
    first = [name for name, lesson in declared().items() if lesson == "lesson04"][:2]
    for name in first:
        progress.record_solved(name)
    progress.record_guess("twins", 0.9)
    progress.record_settled("twins", 0.5, False, 0.05)
    progress.record_guess("winner", "text")
    progress.record_settled("winner", "text", True)
    progress.record_guess("one", 10)
    progress.record_settled("one", 10.5, True, 1)
    progress.record_guess("two", 3)
    progress.record_quiz("00", "zzzzzz")


def rows_of(text):
    return {
        line.split(" | ")[0]: line.split(" | ")[1:] for line in text.splitlines() if "|" in line
    }


def test_an_empty_board_says_what_it_will_show(capsys):
    board()
    said = capsys.readouterr().out
    assert said.startswith("Your board. It is empty so far. It will show, lesson by lesson")
    assert "ends with this session" in said


def test_it_counts_what_was_solved_guessed_and_answered(capsys):
    some_of_it()
    board()
    rows = rows_of(capsys.readouterr().out)
    exercises = [*declared().values()]
    quizzes = room.load(room.quiz_file("04"))
    here = exercises.count("lesson04")
    assert rows["04 Weighted fusion"] == [
        f"2 of {here}", "2 of 3", "1 of 2", f"0 of {len(quizzes)}",
    ]  # fmt: skip
    assert rows["00 Start here"][1:3] == ["2 of 2", "1 of 2"]
    assert rows["all"][:3] == [f"2 of {len(exercises)}", "4 of 5", "2 of 4"]


def test_it_shows_every_lesson_with_something_to_do_in_reading_order(capsys):
    some_of_it()
    board()
    shown = [name[:2] for name in rows_of(capsys.readouterr().out)][1:-1]
    written = {lesson.removeprefix("lesson") for lesson in declared().values()}
    assert shown == [number for number in titles() if number in written]


def test_right_answers_to_a_quiz_are_counted(capsys):
    questions = room.load(room.quiz_file("00"))
    right = "".join("abcd"[[o.right for o in q.options].index(True)] for q in questions)
    progress.record_quiz("00", right[:-1] + "-")
    board()
    rows = rows_of(capsys.readouterr().out)
    assert rows["00 Start here"][-1] == f"{len(right) - 1} of {len(right)}"


def test_names_that_the_course_no_longer_knows_count_nowhere(capsys):
    some_of_it()
    board()
    before = capsys.readouterr().out
    progress.record_solved("gone")
    progress.record_guess("gone", 0.5)
    progress.record_settled("gone", 0.5, True, 0.05)
    board()
    assert capsys.readouterr().out == before


def test_the_page_holds_a_table_and_a_figure_with_its_text(monkeypatch):
    shown = []
    monkeypatch.setattr(room, "display_html", lambda markup, plain: shown.append((markup, plain)))
    some_of_it()
    board()
    ((markup, plain),) = shown
    alt = re.search('<img alt="([^"]*)"', markup)[1]
    assert alt == (
        "Of 2 guesses, 1 near, 0 too low, 1 too high. Distances in units of what counts as near: "
        "one (00) -0.5; twins (04) +8.0."
    )
    assert alt in plain
    assert markup.count("<tr>") == len(rows_of(plain))
    assert len(markup) < 40_000
    assert "<script" not in markup


DISTANCES = st.lists(
    st.tuples(
        st.sampled_from(["00", "04", "08"]), st.text("ab ", min_size=1), st.floats(-1e9, 1e9)
    ),
    min_size=1,
    max_size=12,
)


@given(DISTANCES)
def test_the_figure_has_a_dot_for_each_guess_and_its_text_agrees(settled):
    figure = room.distances(settled)
    (axes,) = figure.axes
    dots = axes.lines
    assert len(dots) == len(settled)
    near = [dot for dot in dots if abs(dot.get_xdata()[0]) <= 1]
    assert [dot.get_fillstyle() == "full" for dot in dots] == [dot in near for dot in dots]
    assert len({tuple(dot.get_xydata()[0]) for dot in dots}) == len(dots)  # none hides another
    low, high = axes.get_xlim()
    assert all(low < dot.get_xdata()[0] < high for dot in dots)
    counts = [int(n) for n in re.findall(r"(\d+) (?:near|too low|too high)", _counted(settled))]
    assert counts[0] == len(near)
    assert sum(counts) == len(settled)


def _counted(settled):
    return room.distances_in_words(settled).split(". ")[0]


# where guesses are known from


def notebook(*cells):
    made = [{"metadata": {"tags": tags}, "source": source} for tags, source in cells]
    return json.dumps({"cells": made})


def test_guesses_are_known_from_the_notebooks_even_where_a_learner_typed(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    typed = 'guess("bag on twins", 0.9)'
    asking = ["from course_utils import guess\n", "\n", 'guess("who wins", ..., ["a", "b"])']
    told = 'guess("not this one", ...)'
    text = notebook((["guess"], typed), ([], told), (["guess"], asking))
    (folder / "04_any.ipynb").write_text(text, encoding="utf-8")
    (folder / "05_broken.ipynb").write_text('{"cells": [', encoding="utf-8")
    (folder / "06_odd.ipynb").write_text('{"cells": 3}', encoding="utf-8")
    found = guesses(tmp_path)
    assert found == {"04": ("bag on twins", "who wins"), "05": (), "06": ()}
