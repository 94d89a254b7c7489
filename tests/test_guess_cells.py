"""What the build asks of a lesson's guesses: one form, one name, settled below, not given away."""

import jupytext
import pytest

from course_utils.authoring import BuildError, read_course, read_lesson
from course_utils.guess_cells import guess_faults, guess_names
from course_utils.lessons import GUESS

GUESS_CELL = '# %% tags=["guess"]\nguess("twins", ...)\n\n'
SETTLE_CELL = '# %%\nsettle("twins", 0.5)\n\n'
PROSE = "# %% [markdown]\n# Now run.\n\n"
CLAIM = '# %%\nclaim("half are right", True)\n\n'
DEEPER = "# %% [markdown]\n# ## Deeper: more\n\n"
SECTION = "# %% [markdown]\n# ## Recap\n\n"


def cells(text):
    return jupytext.reads(text, fmt="py:percent").cells


GOOD = {
    "as agreed": GUESS_CELL + PROSE + SETTLE_CELL + CLAIM,
    "with words": '# %% tags=["guess"]\nguess("twins", ..., ["image", "text"])\n\n' + SETTLE_CELL,
    "options by name": '# %% tags=["guess"]\nguess("twins", ..., options=("a", "b"))\n\n'
    + SETTLE_CELL,
    "with its import": '# %% tags=["guess"]\nfrom course_utils import guess, settle\n\n'
    'guess("twins", ...)\n\n' + SETTLE_CELL,
    "over several lines": '# %% tags=["guess"]\nguess(\n    "twins", ..., ["a", "b"]\n)\n\n'
    + SETTLE_CELL,
    "below the result": GUESS_CELL + "# %%\nvalue = 1\n\n" + PROSE + SETTLE_CELL,
    "in a loop or a call": GUESS_CELL + '# %%\nshow(settle("twins", 0.5))\n\n',
    "both deeper": DEEPER + GUESS_CELL + SETTLE_CELL + SECTION,
    "a claim before": CLAIM + GUESS_CELL + SETTLE_CELL,
    "a magic line": "# %%\n# %load_ext tensorboard\n\n" + GUESS_CELL + SETTLE_CELL,
}
BAD = {
    "no tag": (GUESS_CELL.replace(' tags=["guess"]', "") + SETTLE_CELL, 'both the tag "guess" and'),
    "a tag alone": ('# %% tags=["guess"]\nx = 1\n', 'both the tag "guess" and'),
    "an answer": (GUESS_CELL.replace("...", "0.5") + SETTLE_CELL, "must be guess("),
    "no dots": (GUESS_CELL.replace(", ...", "") + SETTLE_CELL, "must be guess("),
    "something else": (GUESS_CELL.rstrip() + "\nx = 1\n\n" + SETTLE_CELL, "and nothing else"),
    "a computed name": (GUESS_CELL.replace('"twins"', "name") + SETTLE_CELL, "must be guess("),
    "another quote": (GUESS_CELL.replace('"twins"', "'twins'") + SETTLE_CELL, "must be guess("),
    "one option": (GUESS_CELL.replace("...)", '..., ["a"])') + SETTLE_CELL, "must be guess("),
    "an option twice": (GUESS_CELL.replace("...)", '..., ["a", "a"])') + SETTLE_CELL, "must be"),
    "computed options": (GUESS_CELL.replace("...)", "..., WORDS)") + SETTLE_CELL, "must be guess("),
    "never settled": (GUESS_CELL, "needs settle('twins', ...) in a cell below it"),
    "settled above": (SETTLE_CELL + GUESS_CELL, "needs settle('twins', ...) in a cell below it"),
    "another name": (GUESS_CELL + SETTLE_CELL.replace("twins", "twin"), "'twin', ...) has no"),
    "settled deeper": (GUESS_CELL + DEEPER + SETTLE_CELL, "both stand inside a deeper section"),
    "guessed deeper": (DEEPER + GUESS_CELL + SECTION + SETTLE_CELL, "both stand inside a deeper"),
    "a claim between": (GUESS_CELL + CLAIM + SETTLE_CELL, "gives the answer away"),
    "a claim beside": (
        GUESS_CELL + SETTLE_CELL.rstrip() + '\nclaim("half", True)\n', "gives the answer away",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_guess_of_the_agreed_form_is_let_through(text):
    assert guess_faults(cells(text)) == []
    assert guess_names(cells(text)) == ["twins"]


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_the_board_finds_the_names_that_the_build_finds(text):
    asking = [c for c in cells(text) if "guess" in c.metadata.get("tags", ())]
    assert [n for c in asking for n in GUESS.findall(c.source)] == guess_names(cells(text))


@pytest.mark.parametrize(("text", "sentence"), BAD.values(), ids=BAD)
def test_a_guess_that_readers_could_not_use_is_named(text, sentence):
    assert any(sentence in fault for fault in guess_faults(cells(text)))


def add(root, name, text):
    path = root / "solutions" / name
    path.write_text(path.read_text(encoding="utf-8") + "\n" + text, encoding="utf-8")
    return path


def test_the_build_says_which_lesson_has_the_fault(toy):
    path = add(toy, "01_squares.py", GUESS_CELL)
    with pytest.raises(BuildError, match=r"01_squares\.py: guess\('twins', \.\.\.\) needs settle"):
        read_lesson(path)


def test_a_name_stands_once_in_the_course(toy):
    add(toy, "01_squares.py", GUESS_CELL + SETTLE_CELL)
    read_course(toy)
    add(toy, "04_cubes.py", GUESS_CELL + SETTLE_CELL)
    with pytest.raises(BuildError, match=r"04_cubes\.py: a guess called 'twins' stands in 01_squ"):
        read_course(toy)
