"""What makes a lesson's stored outputs old, and what does not."""

import json

import pytest

from course_utils.staleness import built_from, is_stale, modules_behind, stale_notebooks

FIRST = '''\
# ---
# jupyter:
#   lesson:
#     title: Squares
# ---

# %% [markdown]
# # Squares

# %%
from course_utils import show


def draw():
    """A square."""
    from course_utils.data import worlds

    return worlds


# %% tags=["volatile"]
draw()  # twice
'''
SECOND = """\
# %% [markdown]
# # Cubes

# %%
import course_utils.training as training

rows = open("data/tables/cubes.csv")
"""
FILES = {
    "solutions/01_squares.py": FIRST,
    "solutions/04_cubes.py": SECOND,
    "course_utils/__init__.py": "",
    "course_utils/authoring.py": "from course_utils import training\n",
    "course_utils/display.py": 'def show():\n    """Show it."""\n    return "#", 1  # a remark\n',
    "course_utils/training.py": "import course_utils.display\n",
    "course_utils/fusion.py": "ALPHA = 1\n",
    "course_utils/data/__init__.py": "",
    "course_utils/data/worlds.py": 'def make():\n    import course_utils.words\n    "data/worlds"',
    "course_utils/words.py": "WORDS = ()\n",
    "course_utils/exercises/lesson04.py": "from course_utils.fusion import ALPHA\n",
    "course_utils/widgets/lesson01.py": "",
    "data/lessons.toml": "",
    "data/tables/cubes.csv": "a,b\n",
    "data/tables/README.md": "A data card.\n",
    "data/worlds/1.png": "",
    "data/others/1.png": "",
    "data/quizzes/01.json": "[]",
    "data/results/04.csv": "1\n",
    "data/models/04/a.pt": "1",
}


@pytest.fixture
def course(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return tmp_path


def bases(course):
    """``{number: hash}`` of the two lessons."""
    paths = (course / "solutions").glob("*.py")
    return {path.stem[:2]: built_from(course, path) for path in paths}


def changed_by(course, name, old, new):
    """The lessons whose basis changes with one edit."""
    before, path = bases(course), course / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new) if old else text + new, encoding="utf-8")
    return [number for number, basis in sorted(bases(course).items()) if basis != before[number]]


@pytest.mark.parametrize(
    ("name", "lessons"),
    [
        ("solutions/04_cubes.py", ["04"]),
        ("course_utils/display.py", ["01", "04"]),  # by its room, and through training
        ("course_utils/training.py", ["04"]),
        ("course_utils/data/worlds.py", ["01"]),  # imported inside a function
        ("course_utils/data/__init__.py", ["01"]),
        ("course_utils/words.py", ["01"]),
        ("course_utils/fusion.py", ["04"]),  # an exercise's reference
        ("course_utils/exercises/lesson04.py", ["04"]),
        ("course_utils/widgets/lesson01.py", ["01"]),
        ("course_utils/authoring.py", []),
        ("course_utils/__init__.py", []),
    ],
)
def test_code_makes_those_lessons_old_that_import_it(course, name, lessons):
    assert changed_by(course, name, "", "\nmore = 1\n") == lessons


@pytest.mark.parametrize(
    ("name", "lessons"),
    [
        ("data/tables/cubes.csv", ["04"]),
        ("data/worlds/1.png", ["01"]),  # named in a module that the lesson imports
        ("data/others/1.png", []),
        ("data/quizzes/01.json", ["01"]),
        ("data/results/04.csv", ["04"]),
        ("data/models/04/a.pt", ["04"]),
        ("data/lessons.toml", []),
        ("data/tables/README.md", []),
    ],
)
def test_data_make_those_lessons_old_that_can_read_them(course, name, lessons):
    assert changed_by(course, name, "", "more\n") == lessons


@pytest.mark.parametrize("name", ["data/tables/new.csv", "course_utils/data/worlds/__init__.py"])
def test_a_new_file_that_a_lesson_would_read_makes_it_old(course, name):
    before = bases(course)
    (course / name).parent.mkdir(exist_ok=True)
    (course / name).write_text("")
    assert bases(course) != before


@pytest.mark.parametrize(
    ("old", "new", "lessons"),
    [
        ("Show it.", "Show it\n\n    to a reader.", []),
        ("  # a remark", "", []),
        ("def show", "# Another remark.\n\n\ndef show", []),
        ('"#", 1', '"# ", 1', ["01", "04"]),
        ('"""Show it."""\n', "pass\n", ["01", "04"]),
    ],
)
def test_remarks_in_the_package_make_nothing_old_and_code_does(course, old, new, lessons):
    assert changed_by(course, "course_utils/display.py", old, new) == lessons


def test_remarks_count_where_the_lesson_shows_source(course):
    changed_by(course, "solutions/04_cubes.py", "rows =", "inspect.getsource(training)\nrows =")
    assert changed_by(course, "course_utils/display.py", "a remark", "another") == ["04"]


@pytest.mark.parametrize(
    ("old", "new", "lessons"),
    [
        ("title: Squares", "title: Dice", []),
        ("# # Squares", "# # Squares and more", []),
        ("# twice", "# thrice", ["01"]),  # outputs are kept by the exact text of their cell
        ('tags=["volatile"]', "", ["01"]),
    ],
)
def test_prose_makes_a_lesson_no_older_and_its_cells_do(course, old, new, lessons):
    assert changed_by(course, "solutions/01_squares.py", old, new) == lessons


def test_line_ends_of_windows_make_nothing_old(course):
    before = bases(course)
    for path in [*course.rglob("*.py"), *course.rglob("*.csv"), *course.rglob("*.json")]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert bases(course) == before


def test_a_module_that_does_not_parse_makes_its_lessons_old_and_stops_nothing(course):
    assert changed_by(course, "course_utils/training.py", "", "def (:\n") == ["04"]


def test_all_rooms_are_within_reach_of_a_bare_import(course):
    lesson = course / "solutions" / "04_cubes.py"
    lesson.write_text("# %%\nimport course_utils\n", encoding="utf-8")
    (course / "course_utils/environment.py").write_text("", encoding="utf-8")
    names = {path.name for path in modules_behind(course, lesson)}
    assert {"display.py", "environment.py"} <= names


def test_only_notebooks_that_are_there_and_old_are_named(course):
    first, second = sorted((course / "solutions").glob("*.py"))
    assert is_stale(course, first)
    assert stale_notebooks(course) == []
    for lesson, basis in ((first, built_from(course, first)), (second, "older")):
        stored = {"metadata": {"lesson": {"built_from": basis}}}
        lesson.with_suffix(".ipynb").write_text(json.dumps(stored), encoding="utf-8")
    assert stale_notebooks(course) == [
        "solutions/04_cubes.ipynb is older than what made it; run make notebooks LESSON=04"
    ]
