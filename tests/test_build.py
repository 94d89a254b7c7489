"""What the build promises: two forms of each lesson, the same on every machine."""

import base64
import os
import re
import socket
import sys

import matplotlib.figure
import nbformat
import pytest
from conftest import LESSONS, write_toy
from nbgrader.nbgraderformat.v3 import MetadataValidatorV3

from course_utils import authoring
from course_utils.authoring import BuildError, build, drift, is_stale, machine_traces

REVERSED = "\n".join(["lessons = [", *LESSONS.splitlines()[-2:0:-1], "]"])


def read(path):
    return nbformat.read(path, as_version=4)


def sources(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def cell_with(notebook, text):
    return next(cell for cell in notebook.cells if text in cell.source)


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def solution(built_toy):
    return read(built_toy / "solutions" / "01_squares.ipynb")


@pytest.fixture
def learner(built_toy):
    return read(built_toy / "notebooks" / "01_squares.ipynb")


@pytest.fixture
def never_run(monkeypatch):
    def refuse(*_):
        raise AssertionError("the lesson was run")

    monkeypatch.setattr(authoring, "execute", refuse)


# whose package


def test_a_build_in_one_copy_of_the_course_with_the_package_of_another_is_refused(
    tmp_path, monkeypatch, never_run
):
    for name in ("course_utils/authoring.py", "solutions/01_squares.py"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "solutions")
    with pytest.raises(SystemExit) as stopped:
        authoring.main(["build"])
    told = str(stopped.value)
    assert f"belongs to the course in {tmp_path}" in told
    assert f"imported is that of {authoring.course_root()}," in told


def test_a_build_in_a_folder_of_no_course_or_of_its_own_goes_on(tmp_path):
    root = authoring.course_root()
    for here in (tmp_path, root, root / "solutions"):
        authoring._require_own_package(here, root)


def test_a_lesson_runs_with_the_package_that_builds_it(tmp_path, monkeypatch):
    (tmp_path / "other" / "course_utils").mkdir(parents=True)
    (tmp_path / "other" / "course_utils" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    source = "from course_utils.environment import course_root\nprint(course_root())"
    cell = nbformat.v4.new_code_cell(source)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    monkeypatch.setattr(authoring, "machine_traces", lambda notebook: [])
    authoring.execute(notebook, tmp_path / "01_squares.ipynb")
    assert notebook.cells[0].outputs[0].text == f"{authoring.course_root()}\n"


# the two forms


def test_the_solution_keeps_markers_notes_and_outputs(solution):
    assert "### BEGIN SOLUTION" in sources(solution)
    assert "Only the instructor" in sources(solution)
    assert cell_with(solution, "print(square").outputs[0].text == "16\n"


def test_the_learners_form_has_no_solution_no_notes_and_no_outputs(learner):
    text = sources(learner)
    assert "SOLUTION" not in text
    assert "x**2" not in text
    assert "raise NotImplementedError" in text
    assert "Only the instructor" not in text
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in learner.cells)


def test_the_learners_form_has_no_output_to_compare_with(solution, learner):
    tag = "nbval-check-output"
    assert any(tag in authoring.tags(cell) for cell in solution.cells)
    assert not any(tag in authoring.tags(cell) for cell in learner.cells)


def test_the_output_of_a_volatile_cell_is_dropped(solution):
    assert cell_with(solution, "sys.version").outputs == []


def test_below_the_title_stand_minutes_and_the_neighbours_that_exist(built_toy):
    first = read(built_toy / "notebooks" / "01_squares.ipynb").cells[1].source
    second = read(built_toy / "notebooks" / "04_cubes.ipynb").cells[1].source
    assert first == "**5 min** to read, **3 min** of exercises · [Cubes →](04_cubes.ipynb)"
    assert second.startswith("**7 min** to read · [← Squares](01_squares.ipynb)")
    assert "squares" in second.splitlines()[-1]


def test_the_bootstrap_cell_is_the_first_code_cell_and_the_same_everywhere(built_toy):
    cells = [
        next(cell for cell in read(path).cells if cell.cell_type == "code")
        for path in built_toy.rglob("*.ipynb")
    ]
    assert len(cells) == 4
    assert all(cell == cells[0] | {"execution_count": cell.execution_count} for cell in cells)
    assert cells[0].metadata.tags == ["bootstrap"]


def test_there_is_no_jupytext_metadata_and_no_version(solution, learner):
    for notebook in (solution, learner):
        assert set(notebook.metadata) == {"kernelspec", "language_info", "lesson"}
        assert notebook.metadata.language_info == {"name": "python"}
        assert not any("lines_to_next_cell" in cell.metadata for cell in notebook.cells)


def test_exercise_and_check_are_nbgrader_cells_that_learners_can_edit(learner):
    MetadataValidatorV3().validate_nb(learner)
    exercise, check = (cell for cell in learner.cells if "nbgrader" in cell.metadata)
    assert exercise.metadata.nbgrader.solution
    assert check.metadata.nbgrader.grade
    assert check.metadata.nbgrader.locked
    assert not any("editable" in cell.metadata for cell in (exercise, check))


def test_cell_ids_follow_the_text_and_its_occurrence(solution, learner):
    ids = [cell.id for cell in solution.cells]
    assert len(set(ids)) == len(ids)
    assert cell_with(solution, "## Recap").id == cell_with(learner, "## Recap").id


# what is rebuilt, and that it comes out the same


def test_two_builds_are_identical(built_toy, tmp_path):
    other = write_toy(tmp_path / "other place")
    build(other)
    for path in built_toy.rglob("*.ipynb"):
        assert path.read_bytes() == (other / path.relative_to(built_toy)).read_bytes()


def test_a_second_build_runs_nothing_and_changes_nothing(built_toy, never_run):
    before = {path: path.read_bytes() for path in built_toy.rglob("*.*")}
    build(built_toy)
    assert {path: path.read_bytes() for path in built_toy.rglob("*.*")} == before


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("solutions/04_cubes.py", ["04"]),
        ("course_utils/thing.py", []),  # no lesson imports it
        ("course_utils/exercises/lesson04.py", ["04"]),
    ],
)
def test_what_a_lesson_rests_on_is_run_again(built_toy, monkeypatch, changed, stale):
    with (built_toy / changed).open("a", encoding="utf-8") as file:
        file.write("z = 1\n")
    ran = []
    monkeypatch.setattr(authoring, "execute", lambda notebook, path: ran.append(path.name[:2]))
    build(built_toy)
    assert ran == stale


def test_line_ends_of_windows_make_nothing_stale(built_toy):
    for path in built_toy.rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert not any(is_stale(built_toy, path) for path in (built_toy / "solutions").glob("*.py"))
    assert drift(built_toy) == []


def test_a_mended_word_is_not_run_again_and_keeps_the_outputs(built_toy, never_run):
    replace(built_toy / "solutions/01_squares.py", "nine", "sixteen")
    build(built_toy)
    solution = read(built_toy / "solutions/01_squares.ipynb")
    assert "sixteen" in sources(solution)
    assert cell_with(solution, "print(square").outputs[0].text == "16\n"
    assert drift(built_toy) == []


def test_building_one_lesson_mends_the_links_of_its_neighbours(built_toy, never_run, monkeypatch):
    text = (built_toy / "solutions/04_cubes.py").read_text(encoding="utf-8")
    for path in built_toy.rglob("04_cubes.*"):
        path.unlink()
    build(built_toy)
    assert "Cubes" not in sources(read(built_toy / "notebooks/01_squares.ipynb"))
    (built_toy / "solutions/04_cubes.py").write_text(text, encoding="utf-8")
    ran = []
    monkeypatch.setattr(authoring, "execute", lambda notebook, path: ran.append(path.name))
    build(built_toy, only=["04"])
    assert ran == ["04_cubes.ipynb"]
    assert drift(built_toy) == []
    solution = read(built_toy / "solutions/01_squares.ipynb")
    assert "[Cubes →](04_cubes.ipynb)" in solution.cells[1].source
    assert cell_with(solution, "print(square").outputs[0].text == "16\n"


def test_building_one_lesson_leaves_the_edits_of_another_alone(built_toy, never_run):
    before = (built_toy / "solutions/01_squares.ipynb").read_bytes()
    replace(built_toy / "solutions/01_squares.py", "nine", "sixteen")
    build(built_toy, only=["04"])
    assert (built_toy / "solutions/01_squares.ipynb").read_bytes() == before


def test_links_and_rows_follow_the_order_of_reading(built_toy, never_run):
    replace(built_toy / "data/lessons.toml", LESSONS, REVERSED)
    build(built_toy)
    cubes = read(built_toy / "notebooks/04_cubes.ipynb").cells[1].source
    assert "[Squares →](01_squares.ipynb)" in cubes
    assert "←" not in cubes
    text = (built_toy / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d\d) \|", text, re.MULTILINE) == ["04", "01", "00"]
    assert drift(built_toy) == []


def test_all_runs_every_lesson(built_toy, monkeypatch):
    ran = []
    monkeypatch.setattr(authoring, "execute", lambda notebook, path: ran.append(path.name))
    build(built_toy, everything=True)
    assert ran == ["01_squares.ipynb", "04_cubes.ipynb"]


# what cannot be built is said in a sentence


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("    minutes: {read: 5", "    time: {read: 5", "header needs .*minutes"),
        ("# # Squares\n", "# Squares\n", "first cell must be markdown with the title"),
        ('tags=["exercise"]', "", 'must have both the tag "exercise" and ### BEGIN SOLUTION'),
        ("### BEGIN SOLUTION", "#", 'must have both the tag "exercise" and ### BEGIN SOLUTION'),
        ('tags=["check"]', "", "must come a cell `name = check"),
        ("square = check(square)", "check(square)", "must come a cell `name = check"),
    ],
)
def test_a_lesson_of_the_wrong_form_is_named(toy, never_run, old, new, sentence):
    replace(toy / "solutions/01_squares.py", old.replace("    minutes", "    minutes"), new)
    with pytest.raises(BuildError, match=rf"01_squares\.py: .*{sentence}"):
        build(toy)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Cubes", "Dice", "its header says 'Cubes', and data/lessons.toml says 'Dice' for 04"),
        ('"04"', '"05"', "its header says 'Cubes', and data/lessons.toml says None for 04"),
        ('"04"', '"00"', "lesson 00 stands twice"),
    ],
)
def test_a_lesson_that_the_list_does_not_hold_so_is_an_error(toy, never_run, old, new, sentence):
    replace(toy / "data/lessons.toml", old, new)
    with pytest.raises(BuildError, match=sentence):
        build(toy)


def test_a_course_without_the_list_of_lessons_says_which_file_is_missing(toy, never_run):
    (toy / "data/lessons.toml").unlink()
    with pytest.raises(BuildError, match=r"lessons\.toml"):
        build(toy)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1 / 0", "a cell fails(.|\n)*ZeroDivisionError"),
        ("import warnings; warnings.warn('old')", "writes to stderr: .*old"),
        ("print(object())", "an address in memory"),
    ],
)
def test_a_lesson_that_runs_badly_leaves_nothing_behind(toy, line, sentence):
    replace(toy / "solutions/04_cubes.py", "27\n", f"{line}\n")
    with pytest.raises(BuildError, match=rf"04_cubes\.ipynb: .*{sentence}"):
        build(toy, only=["04"])
    assert not list(toy.rglob("*.ipynb"))


VERDICT = """    from IPython.display import display

    word = "Right" if right else {wrong!r}
    said = word + ": `" + name + "`. As it is."
    display({{"text/plain": said, "text/html": said}}, raw=True)
    return fn"""


@pytest.mark.parametrize("wrong", ["Wrong", "Not attempted"])
def test_a_solution_that_its_check_does_not_find_right_stops_the_build(toy, wrong):
    lesson = toy / "solutions/01_squares.py"
    replace(lesson, "    return fn", VERDICT.format(wrong=wrong) + "  #")
    build(toy, only=["01"])
    before = (toy / "solutions/01_squares.ipynb").read_bytes()
    replace(lesson, "x**2", "x + x")
    with pytest.raises(
        BuildError, match=rf"01_squares\.ipynb: a solution is not right\. {wrong}: "
    ):
        build(toy, only=["01"])
    assert (toy / "solutions/01_squares.ipynb").read_bytes() == before


# traces of a machine


def notebook_that_shows(**output):
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.from_dict(output)])
    return nbformat.v4.new_notebook(cells=[cell])


@pytest.mark.parametrize(
    "text",
    [
        f"Python {'.'.join(map(str, sys.version_info[:3]))}",
        f"numpy at {os.path.dirname(os.__file__)}/site-packages/x.py",
        "/home/ada/course/data",
        r"C:\Users\ada\course",
        "2031-02-03 10:11:12",
        "41.2 µs ± 3 µs per loop",
        "100%|███| 10/10 [00:01<00:00,  7.31it/s]",
        "<object object at 0x7f21aa34>",
    ],
)
def test_a_trace_of_a_machine_is_found(text):
    assert machine_traces(notebook_that_shows(output_type="stream", name="stdout", text=text))


def test_a_host_name_is_found(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "ada-laptop-2")
    shown = notebook_that_shows(output_type="stream", name="stdout", text="on ada-laptop-2 now")
    assert "a host name" in machine_traces(shown)[0]


def test_the_version_inside_a_picture_is_found(tmp_path):
    figure = matplotlib.figure.Figure(figsize=(1, 1))
    for name, metadata in {"tagged": {}, "bare": {"Software": None}}.items():
        figure.savefig(tmp_path / name, format="png", metadata=metadata)
        code = base64.b64encode((tmp_path / name).read_bytes()).decode()
        bundle = {"image/png": code, "text/html": f'<img src="data:image/png;base64,{code}">'}
        shown = notebook_that_shows(output_type="display_data", data=bundle, metadata={})
        assert bool(machine_traces(shown)) == (name == "tagged")


def test_numbers_that_a_lesson_prints_are_no_trace():
    text = "accuracy 0.84, 4.7 s at 8 kHz, epoch 3/8, shape (4, 3, 48, 48), 3.5x"
    shown = notebook_that_shows(output_type="stream", name="stdout", text=text)
    assert machine_traces(shown) == []


# drift


def test_a_built_course_has_no_drift(built_toy):
    assert drift(built_toy) == []


def test_outputs_are_no_drift(built_toy):
    replace(built_toy / "solutions/01_squares.ipynb", "16\\n", "17\\n")
    assert drift(built_toy) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("solutions/01_squares.py", "nine", "ten"),
        ("notebooks/01_squares.ipynb", "nine", "ten"),
        ("notebooks/01_squares.ipynb", '"exercise"', '"solved"'),
        ("solutions/04_cubes.ipynb", '"title": "Cubes"', '"title": "Dice"'),
        ("notebooks/04_cubes.ipynb", "COURSE_ADDRESS = ", "COURSE_ADDRESS  = "),
        ("README.md", "Cubes", "Dice"),
    ],
)
def test_an_edit_by_hand_is_drift(built_toy, name, old, new):
    replace(built_toy / name, old, new)
    assert drift(built_toy)


def test_missing_and_orphaned_notebooks_are_drift(built_toy):
    (built_toy / "notebooks/01_squares.ipynb").rename(built_toy / "notebooks/02_old.ipynb")
    found = drift(built_toy)
    assert found[0].startswith("notebooks/01_squares.ipynb is missing")
    assert found[1].startswith("notebooks/02_old.ipynb has no authored lesson")


def test_the_readme_lists_all_lessons_and_says_which_are_not_written(built_toy):
    text = (built_toy / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d\d \|.*$", text, re.MULTILINE)
    assert [row[2:4] for row in rows] == ["00", "01", "04"]
    assert rows[0] == "| 00 | Numbers | | | | | *not written yet* |"
    assert rows[1].startswith(
        "| 01 | **[Squares](notebooks/01_squares.ipynb)** | 5 min | 3 min | | | ["
    )
    assert text.endswith("\n\nThe end.\n")


def test_a_readme_without_the_marks_is_an_error(toy, never_run):
    (toy / "README.md").write_text("no table here\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"README\.md needs the lines"):
        drift(toy)


# the course itself


def test_the_course_has_no_drift(root):
    assert drift(root) == []


def test_no_notebook_of_the_course_names_a_machine(root):
    for path in [*(root / "solutions").glob("*.ipynb"), *(root / "notebooks").glob("*.ipynb")]:
        assert machine_traces(read(path)) == [], path.name


def test_no_solved_notebook_is_heavier_than_700_kilobytes(root):
    weights = {path.name: path.stat().st_size for path in (root / "solutions").glob("*.ipynb")}
    assert {name: size for name, size in weights.items() if size > 700_000} == {}


# the other forms


def test_slides_break_at_headings_and_leave_the_builds_cells_out(built_toy, tmp_path):
    authoring.slides(built_toy, tmp_path / "slides")
    page = (tmp_path / "slides/01_squares.slides.html").read_text(encoding="utf-8")
    assert "get_course_ready" not in page
    assert '<aside class="notes">' in page


def test_the_page_of_slides_lists_them_in_the_order_of_reading(built_toy, tmp_path):
    replace(built_toy / "data/lessons.toml", LESSONS, REVERSED)
    authoring.slides(built_toy, tmp_path / "slides")
    page = (tmp_path / "slides/index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="(.*?)">(.*?)<', page)
    assert links == [
        ("04_cubes.slides.html", "04 Cubes"),
        ("01_squares.slides.html", "01 Squares"),
    ]


def test_only_changed_lessons_are_drafted(built_toy, tmp_path):
    replace(built_toy / "solutions/04_cubes.py", "27", "28")
    authoring.draft(built_toy, tmp_path / "draft")
    assert {path.name for path in (tmp_path / "draft").rglob("*.ipynb")} == {"04_cubes.ipynb"}


def test_the_graded_form_ends_in_its_score_and_imports_what_it_uses(built_toy):
    course = authoring.read_course(built_toy)
    form = authoring.grading_form(course, course.lessons[0])
    (locked,) = (cell for cell in form.cells if cell.metadata.get("nbgrader", {}).get("locked"))
    assert locked.source == 'from course_utils import check\n\ncheck("square", grade=True)'
    assert "Only the instructor" not in sources(form)
    assert "### BEGIN SOLUTION" in sources(form)  # nbgrader itself takes it out
