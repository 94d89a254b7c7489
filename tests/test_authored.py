"""The lessons' sources: what holds for every one of them before anything runs."""

import jupytext
import pytest

from course_utils.environment import course_root

LESSONS = sorted((course_root() / "solutions").glob("[0-9][0-9]_*.py"))
WIDEST = 88  # characters; a longer line is cut off on a slide and beside a sidebar


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_no_code_line_is_wider_than_a_page(lesson):
    code = [cell.source for cell in jupytext.read(lesson).cells if cell.cell_type == "code"]
    lines = "\n".join(code).split("\n")
    assert code
    assert [line for line in lines if len(line) > WIDEST] == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_no_words_stand_behind_the_mark_of_a_cell(lesson):
    # jupytext takes them for the cell's title, and the page begins in the middle of a sentence.
    cells = jupytext.read(lesson).cells
    assert [cell.metadata["title"] for cell in cells if "title" in cell.metadata] == []
