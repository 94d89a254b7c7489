"""What a learner did is kept whole, lost by nobody, and never stops a lesson."""

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import progress
from course_utils.progress import (
    Guess,
    Progress,
    entries,
    record_guess,
    record_quiz,
    record_settled,
    record_solved,
)

WRITER = """
import sys
from course_utils.progress import record_guess, record_solved
for number in range(20):
    record_solved(f"{sys.argv[1]}_{number}")
    record_guess(f"{sys.argv[1]} {number}", number)
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """A session of its own for each test."""
    monkeypatch.setattr(progress, "_in_memory", {})
    monkeypatch.setattr(progress, "_said", set())


@pytest.fixture
def file(monkeypatch, tmp_path):
    path = tmp_path / "mine.json"
    monkeypatch.setenv("COURSE_PROGRESS", str(path))
    return path


def record_something():
    record_solved("first")
    record_guess("bag on twins", 0.9)
    record_settled("bag on twins", 0.5, near=False, unit=0.05)
    record_quiz("04", "bca-")


SOMETHING = Progress(
    ["first"], {"bag on twins": Guess(0.9, None, 0.5, False, 0.05)}, {"04": "bca-"}
)


# what counts


def test_what_was_recorded_is_there_in_the_next_session(file, monkeypatch):
    record_something()
    monkeypatch.setattr(progress, "_in_memory", {})
    assert entries() == SOMETHING
    assert progress.lasts()


def test_the_first_guess_counts_and_a_later_one_is_shown_as_such(file):
    record_guess("a", 0.9)
    assert record_guess("a", 0.9) == Guess(0.9)
    assert record_guess("a", 0.5) == Guess(0.9, later=0.5)
    record_settled("a", 0.5, near=False, unit=0.05)
    assert record_guess("a", 0.4) == Guess(0.9, 0.4, 0.5, False, 0.05)


def test_a_guess_after_the_result_was_shown_is_a_later_one(file):
    record_settled("a", 0.5)
    assert record_guess("a", 0.5) == Guess(None, later=0.5, came=0.5)


def test_what_came_first_stays_when_a_lesson_is_run_again(file):
    record_something()
    record_settled("bag on twins", 0.88, near=True, unit=0.05)
    record_quiz("04", "abcd")
    assert entries() == SOMETHING


# the file


def test_a_file_is_written_whole_or_not_at_all(file, monkeypatch, capsys):
    record_something()
    before = file.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    record_solved("second")
    record_solved("third")
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir() if path.suffix == ".part"] == []
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "cannot be kept in" in said
    assert "No space left on device" in said
    assert "COURSE_PROGRESS" in said
    assert entries().solved == ["first", "second", "third"]  # it counts until the kernel ends
    assert not progress.lasts()


def test_a_folder_that_cannot_be_written_costs_one_sentence(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "file" / "mine.json"))
    record_something()
    assert entries() == SOMETHING
    assert capsys.readouterr().out.count("\n") == 1


def test_notebooks_that_write_at_once_lose_nothing_of_each_other(file, root):
    environment = os.environ | {"PYTHONPATH": str(root)}
    each = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], env=environment)
        for name in ("one", "two", "three")
    ]
    assert [process.wait(timeout=120) for process in each] == [0, 0, 0]
    held = entries()
    assert len(held.solved) == len(held.guesses) == 3 * 20


def test_a_notebook_that_was_halted_while_it_wrote_holds_up_nobody(file, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.1)
    with progress._alone(file):
        record_solved("first")
    assert entries().solved == ["first"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"format": 1, "solved": ["a"', "is damaged"),
        ("", "is damaged"),
        ('{"format": 2, "rooms": []}', "was written by a newer version of the course"),
        ('{"format": 1, "solved": "a", "guesses": {}, "quiz": {}}', "is damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_kept_aside_and_said_once(file, capsys, text, why):
    file.write_text(text)
    entries()
    record_solved("first")
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert why in said
    aside = file.with_name("mine-old-1.json")
    assert str(aside) in said
    assert aside.read_text() == text
    assert entries().solved == ["first"]
    file.write_text("damaged again")
    entries()
    assert file.with_name("mine-old-2.json").read_text() == "damaged again"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3)
    ),
    max_leaves=8,
)
GUESSES = st.fixed_dictionaries(dict.fromkeys(("answer", "later", "came", "near", "unit"), VALUES))
FILES = st.fixed_dictionaries(
    {
        "format": st.just(1) | VALUES,
        "solved": VALUES | st.lists(VALUES, max_size=3),
        "guesses": VALUES | st.dictionaries(st.text(max_size=5), VALUES | GUESSES, max_size=3),
        "quiz": VALUES | st.dictionaries(st.text(max_size=5), VALUES, max_size=3),
    }
)


@given(st.binary(max_size=40) | (FILES | VALUES).map(lambda held: json.dumps(held).encode()))
def test_no_file_whatever_it_holds_stops_a_lesson_or_is_lost(content):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder, "mine.json")
        file.write_bytes(content)
        patch.setenv("COURSE_PROGRESS", str(file))
        patch.setattr(progress, "_in_memory", {})
        before = entries()
        record_something()
        after = entries()
        assert {"first", *before.solved} == {*after.solved}
        assert before.guesses.keys() | {"bag on twins"} == after.guesses.keys()
        aside = Path(folder, "mine-old-1.json")
        if aside.exists():
            assert aside.read_bytes() == content
            assert after == SOMETHING
        else:
            json.loads(content)


# where it lies


def test_off_keeps_nothing_beyond_the_session(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    monkeypatch.setattr(progress, "course_root", lambda: tmp_path)
    record_something()
    assert entries() == SOMETHING
    assert list(tmp_path.iterdir()) == []
    assert not progress.lasts()


def test_the_file_lies_beside_the_learners_copies(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setattr(progress, "course_root", lambda: tmp_path)
    record_something()
    assert json.loads((tmp_path / "progress.json").read_text())["solved"] == ["first"]


def test_a_folder_may_be_named_in_place_of_a_file(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path))
    record_something()
    assert (tmp_path / "progress.json").is_file()


def test_on_colab_a_mounted_drive_holds_it(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr(progress, "course_root", lambda: tmp_path / "wiped")
    monkeypatch.setattr(progress, "DRIVE", tmp_path / "MyDrive")
    record_solved("before the Drive was mounted")
    assert not progress.lasts()
    (tmp_path / "MyDrive").mkdir()
    record_solved("after")
    assert progress.lasts()
    held = json.loads((tmp_path / "MyDrive/multimodal_course/progress.json").read_text())
    assert held["solved"] == ["after"]


def test_answers_that_nbgrader_runs_are_not_the_instructors(file, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    record_something()
    assert not file.exists()


def test_git_ignores_the_file_and_what_lies_beside_it(root):
    names = ["progress.json", "progress.json.lock", "progress.json.12.part", "progress-old-1.json"]
    run = subprocess.run(["git", "check-ignore", *names], cwd=root, capture_output=True, text=True)
    assert run.stdout.split() == names


def test_it_leans_on_the_standard_library_alone_and_on_no_network(root):
    code = "import sys, course_utils.progress; print(*{n.split('.')[0] for n in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert loaded - {"course_utils", "__main__"} <= set(sys.stdlib_module_names)
    # What it imports itself; older Pythons load sockets for the versions of packages.
    tree = ast.parse((root / "course_utils/progress.py").read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not re.search(r"socket|ssl|http|urllib|requests", " ".join(map(ast.unparse, imports)))


RUNS_NOTEBOOKS = ("NotebookClient(", "ExecutePreprocessor(", "--nbval")


def test_whatever_runs_notebooks_keeps_nobodys_progress(root):
    files = [*root.glob("course_utils/**/*.py"), *root.glob("benchmarks/*.py")]
    running = [f for f in files if any(mark in f.read_text("utf-8") for mark in RUNS_NOTEBOOKS)]
    assert {path.name for path in running} >= {"authoring.py", "commands.py", "claims.py"}
    for path in running:
        assert '"COURSE_PROGRESS"' in path.read_text("utf-8"), path.name
    assert os.environ["COURSE_PROGRESS"] == "off"


# what records


def test_a_right_answer_is_recorded_and_no_other(file):
    from course_utils.exercises import core, find

    exercise = find("weighted_fusion")
    core.check(exercise, "weighted_fusion", exercise.mistakes[0].fn, seed=0)
    core.check(exercise, "weighted_fusion", core.stand_in(exercise, "weighted_fusion"), seed=0)
    assert not file.exists()
    core.check(exercise, "weighted_fusion", exercise.reference, seed=0)
    assert entries().solved == ["weighted_fusion"]
