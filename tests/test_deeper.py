"""Sections that one may skip: each lesson runs without them, and they fold where they are read."""

import os
import re
from copy import deepcopy
from html.parser import HTMLParser
from unittest import mock

import jupytext
import nbformat
import pytest
from nbconvert.preprocessors import ExecutePreprocessor

from course_utils.authoring import (
    BuildError,
    build,
    learner_form,
    page,
    read_course,
    read_lesson,
    slides,
    without_deeper,
)
from course_utils.deeper import (
    deeper_faults,
    deeper_sections,
    fold_deeper,
    headings,
    names_of,
    with_details,
)
from course_utils.environment import course_root

COURSE = read_course(course_root())
SKIPPABLE = [lesson for lesson in COURSE.lessons if deeper_sections(lesson.cells)]
TEXT = """\
# %% [markdown]
# # A lesson

# %%
seen = [1]

# %% [markdown]
# ## Deeper: why `x < y`
#
# First words.

# %%
inner = 2

# %% [markdown]
# ### A part of it

# %%
seen.append(inner)

# %% [markdown]
# ## Deeper: more

# %%
further = 3

# %% [markdown]
# ## Recap

# %%
print(seen)
"""


def notebook(text=TEXT):
    cells = jupytext.reads(text, fmt="py:percent").cells
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return nbformat.v4.new_notebook(cells=cells)


# the lessons themselves


@pytest.mark.slow
@pytest.mark.parametrize("lesson", SKIPPABLE, ids=lambda lesson: lesson.stem)
def test_a_lesson_runs_with_its_deeper_sections_cut_out(lesson):
    shorter = without_deeper(learner_form(COURSE, lesson))
    assert deeper_sections(shorter.cells) == []
    runner = ExecutePreprocessor(timeout=300, kernel_name="python3")
    smoke = {"COURSE_SMOKE": "1", "COURSE_PROGRESS": "off", "OMP_NUM_THREADS": "1"}
    with mock.patch.dict(os.environ, smoke):
        runner.preprocess(shorter, {"metadata": {"path": str(course_root() / "notebooks")}})


def test_there_are_lessons_to_cut():
    assert SKIPPABLE


# what is a section


def test_a_section_reaches_to_the_next_heading_of_its_level():
    assert deeper_sections(notebook().cells) == [range(2, 6), range(6, 8)]


def test_a_section_may_be_the_last_and_ends_at_a_title():
    cells = notebook(TEXT.replace("## Recap", "# Part two")).cells
    assert deeper_sections(cells) == [range(2, 6), range(6, 8)]
    assert deeper_sections(cells[:8]) == [range(2, 6), range(6, 8)]


@pytest.mark.parametrize(
    "heading", ["### Deeper: no", "# Deeper: no", "## Deeper than that", "Deeper"]
)
def test_another_heading_begins_no_section(heading):
    assert deeper_sections([nbformat.v4.new_markdown_cell(heading)]) == []


def test_a_listing_holds_no_headings():
    cell = nbformat.v4.new_markdown_cell("```python\n# ## Deeper: no\n## Deeper: no\n```\n## Yes")
    assert [heading.text for heading in headings(cell)] == ["Yes"]


def test_without_deeper_only_the_sections_go_and_the_notebook_stays_as_it_was():
    whole = notebook()
    before = deepcopy(whole)
    shorter = without_deeper(whole)
    assert whole == before
    assert [cell.id for cell in shorter.cells] == ["cell-0", "cell-1", "cell-8", "cell-9"]


# folding


def test_the_heading_has_a_cell_of_its_own_so_that_all_below_it_is_hidden():
    folded = notebook()
    fold_deeper(folded)
    sources = [cell.source for cell in folded.cells]
    at = sources.index("## Deeper: why `x < y`")
    assert sources[at + 1 : at + 3] == ["First words.", "inner = 2"]
    assert len({cell.id for cell in folded.cells}) == len(folded.cells)
    assert [len(section) for section in deeper_sections(folded.cells)] == [5, 2]


def test_the_heading_is_marked_for_jupyterlab_and_colab():
    folded = notebook()
    fold_deeper(folded)
    nbformat.validate(folded)
    marked = [cell for cell in folded.cells if cell.metadata.get("jp-MarkdownHeadingCollapsed")]
    assert [cell.source for cell in marked] == ["## Deeper: why `x < y`", "## Deeper: more"]
    assert folded.metadata.colab.collapsed_sections == [cell.metadata.id for cell in marked]


def test_a_lesson_without_deeper_sections_has_no_colab_metadata():
    plain = notebook("# %% [markdown]\n# # A lesson\n")
    fold_deeper(plain)
    assert "colab" not in plain.metadata


class _Page(HTMLParser):
    """Collects the text that stands inside each <details>, its summary, and all other text."""

    def __init__(self):
        super().__init__()
        self.depth, self.in_summary, self.inside, self.outside = 0, False, [], ""
        self.summaries, self.opened = [], []

    def handle_starttag(self, tag, attrs):
        if tag == "details":
            self.depth += 1
            self.inside.append("")
            self.opened.append("open" in dict(attrs))
        self.in_summary |= tag == "summary"
        if tag == "summary":
            self.summaries.append("")

    def handle_endtag(self, tag):
        self.depth -= tag == "details"
        self.in_summary &= tag != "summary"

    def handle_data(self, data):
        if self.in_summary:
            self.summaries[-1] += data
        elif self.depth:
            self.inside[-1] += data
        else:
            self.outside += data


def test_on_a_page_a_section_is_a_details_that_starts_closed():
    whole = notebook()
    before = deepcopy(whole)
    read = _Page()
    read.feed(page(whole).split("<main>")[1])
    assert whole == before
    assert read.summaries == ["Deeper: why x < y", "Deeper: more"]
    assert read.opened == [False, False]
    assert "First words." in read.inside[0]
    assert "A part of it" in read.inside[0]
    assert "further" in read.inside[1]
    for text in ("A lesson", "Recap", "print"):
        assert text in read.outside
    assert "inner" not in read.outside
    nbformat.validate(with_details(whole))


@pytest.mark.parametrize("lesson", COURSE.lessons, ids=lambda lesson: lesson.stem)
def test_a_link_within_a_lesson_leads_to_a_heading_in_jupyterlab_and_on_a_page(lesson):
    cells = [cell for cell in lesson.cells if cell.cell_type == "markdown"]
    links = {link for cell in cells for link in re.findall(r"\]\(#([^)]*)\)", cell.source)}
    named = {heading.text.replace(" ", "-") for cell in cells for heading in headings(cell)}
    assert links <= named
    if links:
        shown = page(learner_form(COURSE, lesson))
        assert all(f'id="{link}"' in shown for link in links)


def test_slides_leave_the_sections_out(toy):
    path = toy / "solutions" / "04_cubes.py"
    text = path.read_text(encoding="utf-8").replace("{read: 7}", "{read: 7, deeper: 4}")
    path.write_text(f"{text}\n# %% [markdown]\n# ## Deeper: tesseracts\n\n# %%\n81\n", "utf-8")
    build(toy, only=["04"])
    slides(toy, toy / "slides")
    shown = (toy / "slides/04_cubes.slides.html").read_text(encoding="utf-8")
    assert "tesseracts" not in shown
    assert "27" in shown
    learner = nbformat.read(toy / "notebooks/04_cubes.ipynb", as_version=4)
    assert "**7 min** to read, **4 min** deeper" in learner.cells[1].source
    assert "| 7 min | | 4 min | | [" in (toy / "README.md").read_text(encoding="utf-8")
    (cell,) = [c for c in learner.cells if c.metadata.get("jp-MarkdownHeadingCollapsed")]
    assert learner.metadata.colab.collapsed_sections == [cell.id]
    # The board stands under a heading of its own, so that the fold does not swallow it.
    assert "board()" in without_deeper(learner).cells[-1].source


# what must hold

OUTSIDE = "print(seen)\n"


@pytest.mark.parametrize(
    "code",
    [
        "print(inner)",
        "inner += 1",
        "def use():\n    return inner\n",
        "[inner for _ in range(2)]",
        "class Use:\n    it = inner\n",
        "(lambda: inner)()",
        "inner = inner + 1",
        "f'{inner}'",
        "# %time\nprint(inner)",
    ],
)
def test_a_name_from_a_deeper_section_is_not_used_outside(code):
    (fault,) = deeper_faults(notebook(TEXT.replace(OUTSIDE, code)).cells)
    assert "needs `inner` from 'Deeper: why `x < y`'" in fault


@pytest.mark.parametrize(
    "code",
    [
        "inner = 5\nprint(inner)",
        "for inner in range(3):\n    print(inner)",
        "[inner for inner in range(3)]",
        "def use(inner):\n    return inner\n",
        "import inner\ninner.f()",
        "thing.inner",
        "f(inner=3)",
        "def inner():\n    return inner\n",
        "this is no Python",
    ],
)
def test_a_name_of_its_own_is_no_use_of_it(code):
    assert deeper_faults(notebook(TEXT.replace(OUTSIDE, code)).cells) == []


def test_a_value_that_a_deeper_section_changes_is_not_used_outside():
    text = TEXT.replace("inner = 2", "seen = [5]").replace("seen.append(inner)", "pass")
    (fault,) = deeper_faults(notebook(text).cells)
    assert "needs `seen`" in fault


def test_one_deeper_section_does_not_lean_on_another():
    (fault,) = deeper_faults(notebook(TEXT.replace("further = 3", "further = inner")).cells)
    assert "needs `inner`" in fault


def test_an_import_that_was_made_outside_may_be_made_again():
    text = TEXT.replace("seen = [1]", "import math\n\nseen = [1]")
    text = text.replace("inner = 2", "import math\n\ninner = 2")
    assert deeper_faults(notebook(text.replace(OUTSIDE, "math.pi\n")).cells) == []
    alone = TEXT.replace("inner = 2", "import math\n\ninner = 2")
    (fault,) = deeper_faults(notebook(alone.replace(OUTSIDE, "math.pi\n")).cells)
    assert "needs `math`" in fault


def test_names_of_a_cell():
    names = names_of("import a.b as c\nfor x in y:\n    z = x\nwith f() as g:\n    z += h\n")
    assert (names.imported, names.bound) == ({"c"}, {"c", "x", "z", "g"})
    assert names.used >= {"y", "f", "h"}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("# First words.", "# First words.\n#\n# ## More", "'More' must begin a cell of its own"),
        ("# # A lesson", "# # A lesson\n#\n# ## Deeper: no", "'Deeper: no' must begin a cell"),
        (
            "# %%\nseen.append(inner)",
            '# %% tags=["exercise"]\nseen.append(inner)',
            "the exercise under 'A part of it' stands in a deeper section",
        ),
    ],
)
def test_what_cannot_be_folded_or_skipped_is_named(old, new, sentence):
    assert any(sentence in fault for fault in deeper_faults(notebook(TEXT.replace(old, new)).cells))


def test_an_optional_exercise_may_stand_there():
    text = TEXT.replace("### A part of it", "### Exercise 9: `f` · 5 min · hard · optional")
    text = text.replace("# %%\nseen.append", '# %% tags=["exercise"]\nseen.append')
    assert deeper_faults(notebook(text).cells) == []


@pytest.mark.parametrize(
    ("minutes", "more"),
    [("{read: 7}", "# %% [markdown]\n# ## Deeper: x\n"), ("{read: 7, deeper: 3}", "")],
)
def test_minutes_and_sections_go_together(toy, minutes, more):
    path = toy / "solutions" / "04_cubes.py"
    text = path.read_text(encoding="utf-8").replace("{read: 7}", minutes)
    path.write_text(f"{text}\n{more}", encoding="utf-8")
    with pytest.raises(BuildError, match=r"04_cubes\.py: `deeper: \.\.` must stand in the header"):
        read_lesson(path)
