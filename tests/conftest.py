"""A course of three lessons, two of them written, for the tests of the build: a second to run."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

os.environ["COURSE_PROGRESS"] = "off"  # whoever runs the tests keeps their own

ROOT = Path(__file__).resolve().parent.parent

FIRST = '''\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Squares
#     minutes: {read: 5, exercises: 3}
#     needs: []
#     teaches: [square]
# ---

# %% [markdown]
# # Squares
#
# What is nine the square of?

# %% [markdown] slideshow={"slide_type": "notes"}
# Only the instructor reads this.

# %%
def check(name):
    fn = globals()[name]
    try:
        right = fn(3) == 9
    except NotImplementedError:
        right = False
    return fn if right else (lambda x: x * x)

# %% [markdown]
# ### Exercise 1: `square` · 3 min · easy


# %% tags=["exercise"]
def square(x):
    """The square of x."""
    ### BEGIN SOLUTION
    return x**2
    ### END SOLUTION


# %% tags=["check"]
square = check(square)

# %% tags=["nbval-check-output"]
print(square(4))

# %% tags=["volatile"]
import sys

print(sys.version)

# %%
print(square(4))

# %% [markdown]
# ## Recap
'''
SECOND = """\
# ---
# jupyter:
#   lesson:
#     title: Cubes
#     minutes: {read: 7}
#     needs: [squares]
#     teaches: []
# ---

# %% [markdown]
# # Cubes

# %%
27
"""
LESSONS = """\
lessons = [
  { number = "00", title = "Numbers" },
  { number = "01", title = "Squares" },
  { number = "04", title = "Cubes" },
]
"""
README = "# Toy\n\n<!-- lessons:begin -->\n<!-- lessons:end -->\n\nThe end.\n"


def write_toy(root: Path) -> Path:
    """Write the authored files of the toy course."""
    for name, text in {
        "solutions/01_squares.py": FIRST,
        "solutions/04_cubes.py": SECOND,
        "README.md": README,
        "pyproject.toml": '[project]\nname = "toy"\n\n[tool.course]\n# empty\nrepository = ""\n',
        "course_utils/thing.py": "x = 1\n",
        "course_utils/exercises/lesson04.py": "y = 1\n",
        "data/lessons.toml": LESSONS,
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def _built_once(tmp_path_factory):
    from course_utils.authoring import build

    root = write_toy(tmp_path_factory.mktemp("toy"))
    build(root)
    return root


@pytest.fixture
def built_toy(_built_once, tmp_path):
    """A built toy course that a test may change."""
    return Path(shutil.copytree(_built_once, tmp_path / "course"))


@pytest.fixture
def toy(tmp_path):
    """A toy course that is not built."""
    return write_toy(tmp_path / "course")


@pytest.fixture(autouse=True)
def _nothing_is_left_running():
    """A trace or a handler that a check leaves slows or stops tests that come long after it."""
    trace, handler = sys.gettrace(), _handler_of_alarms()
    yield
    assert sys.gettrace() is trace, "left by this test"
    # pytest-timeout puts its own handler away as soon as a test fails.
    assert _handler_of_alarms() in (handler, signal.SIG_DFL), "left by this test"


def _handler_of_alarms():
    return signal.getsignal(signal.SIGALRM) if hasattr(signal, "SIGALRM") else signal.SIG_DFL


@pytest.fixture
def patient(monkeypatch):
    """Searches for the reason of a wrong answer end at what they find, not at the clock."""
    from course_utils.exercises.evidence import Clock

    monkeypatch.setattr(Clock, "patience", 8.0)


@pytest.fixture(scope="session")
def root():
    """The folder of the course itself."""
    return ROOT
