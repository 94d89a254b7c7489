"""The build: one authored lesson becomes a solution notebook and a notebook for learners.

    python -m course_utils.authoring build [--all] [LESSON ...]   what `make notebooks` runs
    python -m course_utils.authoring publish OWNER/NAME           what `make publish` runs
    python -m course_utils.authoring grade FOLDER                 what `make grade` runs
    python -m course_utils.authoring handout FOLDER               a course without solutions
    python -m course_utils.authoring slides FOLDER                slides with speaker notes

``solutions/NN_slug.py`` (jupytext's percent format) is the only lesson text that people edit.
jupytext reads it, nbgrader clears the solutions, nbconvert runs the notebook. What is added here
is the cell below the title, the bootstrap cell, stable cell ids, and the removal of whatever
would differ from machine to machine.
"""

import argparse
import base64
import contextlib
import html
import importlib.metadata
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import jupytext
import nbformat
from nbconvert.exporters import HTMLExporter, SlidesExporter
from nbconvert.preprocessors import CellExecutionError, ExecutePreprocessor
from nbconvert.preprocessors.coalescestreams import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions
from traitlets.config import Config

from course_utils.deeper import (
    deeper_faults,
    deeper_sections,
    fold_deeper,
    with_details,
    without_deeper,
)
from course_utils.environment import PACKAGES, course_root
from course_utils.guess_cells import guess_faults, guess_names
from course_utils.lessons import titles
from course_utils.staleness import built_from, content, digest, is_stale

CLEARING = Config(
    ClearSolutions={"code_stub": {"python": "# Your code here.\nraise NotImplementedError"}}
)
# What a lesson's header counts in minutes, and how a reader is told.
MINUTES = {"read": "to read", "exercises": "of exercises", "deeper": "deeper", "build": "build"}
REGION = ("<!-- lessons:begin -->", "<!-- lessons:end -->")
# Words to ruff, noise to a learner.
FORMATTERS = re.compile(r"  # (?:fmt: skip|noqa: \w+)$", re.MULTILINE)
# nbconvert's page, but for its raw cells, which are the build's own: it would escape their tags.
PAGE = """{%- extends 'lab/index.html.j2' -%}
{%- block rawcell scoped -%}{{ cell.source }}{%- endblock -%}
{%- block notebook_css -%}{{ super() }}<style>
.deeper > summary { font: bold 1.2em sans-serif; margin: 1em 0 1em 4em; cursor: pointer; }
</style>{%- endblock -%}"""
DATA_URI = re.compile(r"(?<=;base64,)[A-Za-z0-9+/]+=*")
WIDGET = "application/vnd.jupyter.widget-view+json"
# What a built notebook must not hold, because it differs from machine to machine or day to day.
MACHINE = {
    "an address in memory": r"\bat 0x[0-9a-f]{6,}",
    "a path": r"site-packages|(?<![\w.])/(?:home|root|Users|tmp|usr|opt|var)/\w|[A-Z]:\\+Users",
    "a date with a time": r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d",
    "a running time": r"\d ?(?:s/it|it/s|[mµn]?s ±)|per loop|[Ww]all time|[Ee]lapsed",
}
# What learners get besides the notebooks.
HANDED_OUT = (
    "course_utils",
    "data",
    ".github/lesson.png",
    "Makefile",
    "pyproject.toml",
    "requirements.txt",
    "LICENSE",
    "LICENSE-content",
)
# The programs of the environment come first: nbgrader calls some of them by name. A lesson's cell
# may train for minutes. What the last line does stands in course_utils/autograding.py.
NBGRADER = """\
# Written by make grade.
import os
import sys
from pathlib import Path

root, python = {root!r}, {python!r}
os.environ["PATH"] = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")])
os.environ["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
os.environ["COURSE_PROGRESS"] = "off"
sys.path.insert(0, root)
from nbgrader.converters import Autograde

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "multimodal-learning"
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.Execute.timeout = 900
_, *steps = Autograde.autograde_preprocessors.default()
c.Autograde.autograde_preprocessors = ["course_utils.autograding.JudgeAndRun", *steps]
"""
# No progress bars, one order of hashing and nobody's guesses, so that two builds of a lesson are
# the same. A lesson runs in solutions/, where a PYTHONPATH such as "." would mean another folder.
QUIET = {"TQDM_DISABLE": "1", "PYTHONHASHSEED": "0", "COURSE_SMOKE": "0", "COURSE_BUILD": "1"}
QUIET |= {"COURSE_PROGRESS": "off"}


class BuildError(Exception):
    """A lesson that cannot be built, in a sentence that says which and what to do."""


@dataclass(frozen=True)
class Lesson:
    """An authored lesson: where it stands, what its header says, and its cells."""

    path: Path
    title: str
    minutes: dict[str, int]
    needs: list[str]
    teaches: list[str]
    cells: list[NotebookNode]

    @property
    def stem(self) -> str:
        """``NN_slug``."""
        return self.path.stem

    @property
    def number(self) -> str:
        """The two digits at the beginning of the file's name."""
        return self.stem[:2]


@dataclass(frozen=True)
class Course:
    """A course's folder, its public repository (``owner/name`` or empty), and its lessons.

    titles: by number, of all lessons; lessons: those that are written. Both in reading order.
    """

    root: Path
    repository: str
    titles: dict[str, str]
    lessons: list[Lesson]


# ------------------------------------------------------------------------ reading the lessons


def read_course(root: Path) -> Course:
    """Read every ``solutions/NN_slug.py``, the list of lessons and the address of the course.

    Raises BuildError if a lesson is not of the right form, or is not the one that the list names.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    repository = project.get("tool", {}).get("course", {}).get("repository", "")
    try:
        listed = titles(root)
    except (OSError, ValueError) as error:
        raise BuildError(str(error)) from None
    paths = sorted((root / "solutions").glob("[0-9][0-9]_*.py"))
    lessons = _in_reading_order([read_lesson(path) for path in paths], listed)
    _require_guesses_apart(lessons)
    return Course(root, repository, listed, lessons)


def _require_guesses_apart(lessons: Sequence[Lesson]) -> None:
    """Raises BuildError where two guesses have one name: they would be taken for one."""
    seen: dict[str, str] = {}
    for lesson in lessons:
        for name in guess_names(lesson.cells):
            if name in seen:
                raise BuildError(
                    f"{lesson.path.name}: a guess called {name!r} stands in {seen[name]} already; "
                    "each name stands once in the course"
                )
            seen[name] = lesson.path.name


def _in_reading_order(lessons: list[Lesson], listed: dict[str, str]) -> list[Lesson]:
    for lesson in lessons:
        if listed.get(lesson.number) != lesson.title:
            raise BuildError(
                f"{lesson.path.name}: its header says {lesson.title!r}, and data/lessons.toml "
                f"says {listed.get(lesson.number)!r} for {lesson.number}; make them agree"
            )
    order = list(listed)
    return sorted(lessons, key=lambda lesson: order.index(lesson.number))


def read_lesson(path: Path) -> Lesson:
    """Read one authored lesson.

    Raises BuildError if its header, its first cell, a guess or a deeper section is not right.
    """
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    header = notebook.metadata.get("lesson", {})
    minutes = header.get("minutes")
    if not header.get("title") or not isinstance(minutes, dict) or "read" not in minutes:
        raise BuildError(
            f"{path.name}: the header needs `lesson:` with `title` and "
            f"`minutes: {{read: .., {', '.join(f'{kind}: ..' for kind in [*MINUTES][1:])}}}`, "
            "under `jupyter:`"
        )
    if not (notebook.cells and re.match(r"# \S", notebook.cells[0].source)):
        raise BuildError(f"{path.name}: the first cell must be markdown with the title (`# ...`)")
    for fault in (*guess_faults(notebook.cells), *deeper_faults(notebook.cells)):
        raise BuildError(f"{path.name}: {fault}")
    if bool(deeper_sections(notebook.cells)) != ("deeper" in minutes):
        raise BuildError(
            f"{path.name}: `deeper: ..` must stand in the header's minutes where the lesson has "
            "sections `## Deeper: ...`, and only there"
        )
    return Lesson(
        path=path,
        title=str(header["title"]),
        minutes={kind: minutes.get(kind, 0) for kind in MINUTES},
        needs=[str(need) for need in header.get("needs") or []],
        teaches=[str(term) for term in header.get("teaches") or []],
        cells=_with_stable_ids(notebook.cells),
    )


def _with_stable_ids(cells: list[NotebookNode]) -> list[NotebookNode]:
    # jupytext makes new ids at each read; these follow the text and its occurrence.
    seen: Counter[str] = Counter()
    for cell in cells:
        kept = {k: v for k, v in cell.metadata.items() if k in ("tags", "slideshow", "jupyter")}
        cell.metadata = nbformat.from_dict(kept)
        cell.source = FORMATTERS.sub("", cell.source)
        text = f"{cell.cell_type}\n{cell.source}"
        seen[text] += 1
        cell.id = digest(text.encode(), str(seen[text]).encode())
    return cells


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


# ----------------------------------------------------------------------- the notebook's forms


def solution_form(course: Course, lesson: Lesson) -> NotebookNode:
    """The lesson with its solutions and speaker notes, not run."""
    return _assemble(course, lesson, "solutions", deepcopy(lesson.cells))


def learner_form(course: Course, lesson: Lesson) -> NotebookNode:
    """The lesson as learners get it: exercises to fill in, no notes, no outputs."""
    notebook = _assemble(course, lesson, "notebooks", _without_notes(lesson))
    for cell in notebook.cells:
        if "nbval-check-output" in tags(cell):  # there is no output to compare with
            cell.metadata.tags.remove("nbval-check-output")
    return ClearSolutions(config=CLEARING).preprocess(notebook, {})[0]


def grading_form(course: Course, lesson: Lesson) -> NotebookNode:
    """nbgrader's source form: solutions inside, and check cells that end in their score."""
    notebook = _assemble(course, lesson, "notebooks", _without_notes(lesson))
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            name = cell.metadata.nbgrader.grade_id.removeprefix("check-")
            # What a cell above calls `check` is of no account.
            cell.source = f'from course_utils import check\n\ncheck("{name}", grade=True)'
    return notebook


def _without_notes(lesson: Lesson) -> list[NotebookNode]:
    cells = deepcopy(lesson.cells)
    return [c for c in cells if c.metadata.get("slideshow", {}).get("slide_type") != "notes"]


def _assemble(
    course: Course, lesson: Lesson, folder: str, cells: list[NotebookNode]
) -> NotebookNode:
    """A notebook of these cells, marked for nbgrader, with the build's own two cells put in."""
    _mark_exercises(lesson, cells)
    first = next((i for i, cell in enumerate(cells) if cell.cell_type == "code"), len(cells))
    cells.insert(first, _bootstrap_cell(course))
    cells.insert(1, _navigation_cell(course, lesson, folder))
    cells += _board_cells()
    # No jupytext key: with it, and jupytext installed, JupyterLab refuses to open the file.
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "lesson": {
            "title": lesson.title,
            "minutes": lesson.minutes,
            "needs": lesson.needs,
            "teaches": lesson.teaches,
            "edition": digest(content(lesson.path)),  # tells a learner's copy that it is older
        },
    }
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(metadata))
    notebook.nbformat_minor = 5
    fold_deeper(notebook)
    return notebook


def _mark_exercises(lesson: Lesson, cells: Sequence[NotebookNode]) -> None:
    """Give nbgrader's metadata to each pair of an exercise cell and its check cell."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    for cell, following in zip(code, [*code[1:], None], strict=True):
        has_solution = "### BEGIN SOLUTION" in cell.source
        if has_solution != ("exercise" in tags(cell)):
            raise BuildError(
                f"{lesson.path.name}: the cell that begins {cell.source[:40]!r} must have both "
                'the tag "exercise" and ### BEGIN SOLUTION, or neither'
            )
        if not has_solution:
            continue
        check = re.match(r"(\w+) = check\(\1[,)]", following.source if following else "")
        if check is None or "check" not in tags(following):
            raise BuildError(
                f"{lesson.path.name}: after the exercise that begins {cell.source[:40]!r} must "
                'come a cell `name = check(name)` with tags=["check"]'
            )
        # By name, so that `check` can answer where nothing, or no function, has that name.
        following.source = following.source.replace(f"check({check[1]}", f'check("{check[1]}"', 1)
        cell.metadata.nbgrader = _nbgrader(check[1], grade=False)
        following.metadata.nbgrader = _nbgrader(f"check-{check[1]}", grade=True)


def _nbgrader(grade_id: str, grade: bool) -> NotebookNode:
    # "locked" tells the autograder to put the cell back; in JupyterLab it stays editable.
    kind = {"grade": grade, "locked": grade, "solution": not grade, "task": False}
    points = {"points": 1} if grade else {}
    return nbformat.from_dict({"schema_version": 3, "grade_id": grade_id, **kind, **points})


def _bootstrap_cell(course: Course) -> NotebookNode:
    text = Path(__file__).with_name("bootstrap.py").read_text(encoding="utf-8")
    body = re.search(r"# -+ the cell begins here\n(.*?)\n+# -+ the cell ends here", text, re.S)[1]
    address = f"https://github.com/{course.repository}" if course.repository else ""
    body = body.replace('COURSE_ADDRESS = ""', f'COURSE_ADDRESS = "{address}"')
    title = "# @title Run this cell first. It does nothing where the course is installed.\n"
    cell = nbformat.v4.new_code_cell(f"{title}{body}\n\n\nget_course_ready(COURSE_ADDRESS)")
    cell.id = "course-bootstrap"
    cell.metadata = nbformat.from_dict(
        {"tags": ["bootstrap"], "cellView": "form", "jupyter": {"source_hidden": True}}
    )
    return cell


def _board_cells() -> list[NotebookNode]:
    """The learner's board, under a heading of its own: what stands above may be folded."""
    heading = nbformat.v4.new_markdown_cell("## Your board", id="course-board-heading")
    cell = nbformat.v4.new_code_cell("from course_utils import board\n\nboard()", id="course-board")
    for each in (heading, cell):
        each.metadata = nbformat.from_dict({"tags": ["board"]})
    # It follows the whole course, so that its output would be old without the lesson's being so.
    cell.metadata.tags.append("volatile")
    return [heading, cell]


def _navigation_cell(course: Course, lesson: Lesson, folder: str) -> NotebookNode:
    """Minutes, badge, the neighbours that exist, and what the lesson builds on."""
    place = course.lessons.index(lesson)
    minutes = [f"**{n} min** {MINUTES[kind]}" for kind, n in lesson.minutes.items() if n]
    parts = [", ".join(minutes)]
    if course.repository:
        parts.append(_badge(course, f"{folder}/{lesson.stem}.ipynb"))
    for before in course.lessons[max(place - 1, 0) : place]:
        parts.append(f"[← {before.title}]({before.stem}.ipynb)")
    for after in course.lessons[place + 1 : place + 2]:
        parts.append(f"[{after.title} →]({after.stem}.ipynb)")
    text = " · ".join(parts)
    if lesson.needs:
        text += f"\n\n*Builds on:* {', '.join(lesson.needs)}."
    cell = nbformat.v4.new_markdown_cell(text, id="course-navigation")
    cell.metadata = nbformat.from_dict({"tags": ["navigation"]})
    return cell


def _badge(course: Course, notebook: str) -> str:
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    target = f"https://colab.research.google.com/github/{course.repository}/blob/main/{notebook}"
    return f"[![Open in Colab]({picture})]({target})"


# ------------------------------------------------------------------------ running and writing


def build(root: Path, only: Sequence[str] = (), everything: bool = False) -> None:
    """Write both notebooks of each lesson, and the lesson table of the README.

    A lesson is run again when its code, or what that rests on in the package and the data, changed
    since it was last run; otherwise the outputs that are there are kept. only: beginnings of lesson
    names (``"04"``); of the other lessons, the links to these are mended.

    Raises BuildError if a cell fails, writes to stderr, or shows something of this machine, and if
    a check does not find a solution right.
    """
    course = read_course(root)
    for lesson in course.lessons:
        if only and not lesson.stem.startswith(tuple(only)):
            _mend_links(course, lesson)
            continue
        path = root / "solutions" / f"{lesson.stem}.ipynb"
        solution, learner = solution_form(course, lesson), learner_form(course, lesson)
        if everything or is_stale(root, lesson.path):
            print(f"running {path.name} ...", flush=True)
            execute(solution, path)
        else:
            _keep_outputs(solution, nbformat.read(path, as_version=4))
        solution.metadata.lesson.built_from = built_from(root, lesson.path)
        _write(path, solution)
        _write(root / "notebooks" / path.name, learner)
    update_readme(course)


def _mend_links(course: Course, lesson: Lesson) -> None:
    """Bring the links to the neighbours up to date in notebooks that are there; run nothing."""
    for folder in ("solutions", "notebooks"):
        path = course.root / folder / f"{lesson.stem}.ipynb"
        if not path.is_file():
            continue
        notebook = nbformat.read(path, as_version=4)
        wanted = _navigation_cell(course, lesson, folder)
        mended = [wanted if cell.id == wanted.id else cell for cell in notebook.cells]
        if mended != notebook.cells:
            notebook.cells = mended
            _write(path, notebook)


def execute(notebook: NotebookNode, path: Path) -> None:
    """Run a solution notebook in place, as if it stood at ``path``, and tidy its outputs.

    Raises BuildError as ``build`` says.
    """
    runner = ExecutePreprocessor(
        timeout=900, kernel_name="python3", record_timing=False, store_widget_state=False
    )
    frame = deepcopy(notebook.metadata)
    first = os.pathsep.join([str(course_root()), os.environ.get("PYTHONPATH", "")])
    try:
        with mock.patch.dict(os.environ, QUIET | {"PYTHONPATH": first}):
            runner.preprocess(notebook, {"metadata": {"path": str(path.parent)}})
    except CellExecutionError as error:
        raise BuildError(f"{path.name}: a cell fails.\n{error}") from None
    notebook.metadata = frame  # running adds versions
    CoalesceStreamsPreprocessor().preprocess(notebook, {})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _want_right(cell, path)
            _tidy(cell, path)
    if found := machine_traces(notebook):
        raise BuildError(f"{path.name}: {found[0]}; leave it out or tag the cell `volatile`")


def _want_right(cell: NotebookNode, path: Path) -> None:
    """Raise BuildError where a check does not find the lesson's own solution right."""
    if "check" not in tags(cell):
        return
    told = [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    if wrong := [text for text in told if text and not text.startswith("Right: ")]:
        raise BuildError(f"{path.name}: a solution is not right. {wrong[0]}")


def _tidy(cell: NotebookNode, path: Path) -> None:
    for output in cell.outputs:
        if output.get("name") == "stderr":
            raise BuildError(
                f"{path.name}: the cell that begins {cell.source[:40]!r} writes to stderr: "
                f"{output.text.strip()[:200]}"
            )
    if "volatile" in tags(cell):
        cell.outputs = []
    # A widget without its state shows nothing; the still figure above it does.
    cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]


def machine_traces(notebook: NotebookNode) -> list[str]:
    """Where outputs or metadata name a version, a path, a time or a host, in sentences."""
    found = []
    places = [("the metadata", str(notebook.metadata))]
    for cell in notebook.cells:
        place = f"the cell that begins {cell.source[:40]!r}"
        places += [(place, str(cell.metadata)), *((place, text) for text in _output_texts(cell))]
    traces = {what: re.compile(pattern) for what, pattern in _traces().items()}
    for place, text in places:
        for what, pattern in traces.items():
            if match := pattern.search(text):
                found.append(f"{place} holds {what} ({match[0]!r})")
    return found


def _traces() -> dict[str, str]:
    exact = [platform.python_version()]
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            exact.append(importlib.metadata.version(name))
    # torchtext's version is pinned: a lesson may well print it.
    exact = [re.escape(version) for version in exact if version != "0.6.0"]
    version = rf"(?<![\d.])(?:{'|'.join(exact)})(?![\d.])|Matplotlib version"
    host = socket.gethostname()
    # A host that is called like a word would be found where only the word stands.
    hosts = {} if host.isalpha() else {"a host name": rf"\b{re.escape(host)}\b"}
    return MACHINE | {"a version": version} | hosts


def _output_texts(cell: NotebookNode) -> Iterator[str]:
    for output in cell.get("outputs", []):
        yield str(output.get("text", "")) + "\n".join(output.get("traceback", []))
        for kind, value in output.get("data", {}).items():
            text = str(value).replace("\n", "") if kind == "image/png" else str(value)
            pictures = [text] if kind == "image/png" else DATA_URI.findall(text)
            # The text chunks of a PNG stand near its beginning.
            yield from (base64.b64decode(code[:1200]).decode("latin-1") for code in pictures)
            yield "" if kind == "image/png" else DATA_URI.sub("", text)


def _keep_outputs(fresh: NotebookNode, old: NotebookNode) -> None:
    stored = {cell.id: cell for cell in old.cells if cell.cell_type == "code"}
    for cell in fresh.cells:
        if cell.cell_type == "code" and cell.id in stored:
            cell.outputs = stored[cell.id].outputs
            cell.execution_count = stored[cell.id].execution_count


def _write(path: Path, notebook: NotebookNode) -> None:
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    part.replace(path)


# ------------------------------------------------------------- drift, the README, publishing


def drift(root: Path) -> list[str]:
    """What no longer follows the authored files, in sentences; outputs are not looked at."""
    course = read_course(root)
    wanted = {
        f"{folder}/{lesson.stem}.ipynb": form(course, lesson)
        for lesson in course.lessons
        for folder, form in (("solutions", solution_form), ("notebooks", learner_form))
    }
    there = {
        path.relative_to(root).as_posix(): path
        for folder in ("solutions", "notebooks")
        for path in (root / folder).glob("*.ipynb")
    }
    found = [f"{name} is missing" for name in wanted.keys() - there.keys()]
    found += [f"{name} has no authored lesson" for name in there.keys() - wanted.keys()]
    for name in wanted.keys() & there.keys():
        if _authored(nbformat.read(there[name], as_version=4)) != _authored(wanted[name]):
            found.append(f"{name} does not follow its authored lesson")
    if readme_with_table(course) != (root / "README.md").read_text(encoding="utf-8"):
        found.append("the lesson table in README.md does not follow the lessons")
    return [f"{sentence}; run make notebooks" for sentence in sorted(found)]


def _authored(notebook: NotebookNode) -> NotebookNode:
    bare = deepcopy(notebook)
    bare.metadata.get("lesson", {}).pop("built_from", None)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare


def readme_with_table(course: Course) -> str:
    """The README's text with the table of all lessons, in reading order, between its two marks.

    Raises BuildError if the marks are not there.
    """
    text = (course.root / "README.md").read_text(encoding="utf-8")
    if not all(text.count(mark) == 1 for mark in REGION):
        raise BuildError(f"README.md needs the lines {REGION[0]} and {REGION[1]}, once each")
    before, rest = text.split(REGION[0])
    after = rest.split(REGION[1])[1]
    return "\n".join([f"{before}{REGION[0]}", *_table(course), f"{REGION[1]}{after}"])


def _table(course: Course) -> Iterator[str]:
    written = {lesson.number: lesson for lesson in course.lessons}
    yield f"| | lesson | {' | '.join(['to read', *[*MINUTES][1:]])} | open |"
    yield "| --- " * (len(MINUTES) + 3) + "|"
    for number, title in course.titles.items():
        lesson = written.get(number)
        if lesson is None:
            yield f"| {number} | {title} {'| ' * len(MINUTES)}| *not written yet* |"
            continue
        notebook = f"notebooks/{lesson.stem}.ipynb"
        link = _badge(course, notebook) if course.repository else f"[notebook]({notebook})"
        solved = f"[solution](solutions/{lesson.stem}.ipynb)"
        minutes = "".join(f"{f'{n} min ' if n else ''}| " for n in lesson.minutes.values())
        yield f"| {number} | **[{lesson.title}]({notebook})** | {minutes}{link} · {solved} |"


def update_readme(course: Course) -> None:
    """Write the lesson table into the README."""
    text = readme_with_table(course)
    (course.root / "README.md").write_text(text, encoding="utf-8", newline="\n")


def publish(root: Path, repository: str) -> None:
    """Set the course's public address once, and bring badges, bootstrap cells and README after it.

    repository: ``owner/name`` on GitHub. Raises BuildError if it is not of that form.
    """
    if not re.fullmatch(r"[\w-]+/[\w.-]+", repository, re.ASCII):
        raise BuildError(f"make publish needs REPO=owner/name, and got REPO={repository!r}")
    path = root / "pyproject.toml"
    text, count = re.subn(
        r'^(\[tool\.course\]$[^\[]*?^repository = )"[^"]*"',
        rf'\1"{repository}"',
        path.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    if count != 1:
        raise BuildError('pyproject.toml needs a table [tool.course] with repository = ""')
    path.write_text(text, encoding="utf-8", newline="\n")
    build(root)


# --------------------------------------------------------- other forms, and the command line


def draft(root: Path, folder: Path) -> None:
    """Write both forms, not run, of the lessons that changed since they were built or committed."""
    course = read_course(root)
    git = ["git", "status", "--porcelain", "--untracked-files=all", "solutions", "notebooks"]
    with_git = shutil.which("git")
    status = (
        subprocess.run(git, cwd=root, capture_output=True, text=True).stdout if with_git else ""
    )
    for lesson in course.lessons:
        if is_stale(root, lesson.path) or lesson.stem in status:
            for name, form in (("solutions", solution_form), ("notebooks", learner_form)):
                _write(folder / name / f"{lesson.stem}.ipynb", form(course, lesson))


def grade(root: Path, folder: Path) -> None:
    """Write a folder for nbgrader, and say which commands to give there.

    ``folder/source/NN_slug/NN_slug.ipynb`` of each lesson with exercises, and the configuration.
    """
    lessons = []
    course = read_course(root)
    for lesson in course.lessons:
        notebook = grading_form(course, lesson)
        if any("nbgrader" in cell.metadata for cell in notebook.cells):
            _write(folder / "source" / lesson.stem / f"{lesson.stem}.ipynb", notebook)
            lessons.append(lesson.stem)
    settings = NBGRADER.format(root=str(course_root()), python=sys.executable)
    (folder / "nbgrader_config.py").write_text(settings, encoding="utf-8")
    print(*grading_commands(folder, lessons[-1] if lessons else "NN_slug"), sep="\n")


def grading_commands(folder: Path, lesson: str) -> list[str]:
    """What to type, in order, to grade one lesson."""
    nbgrader = f"{_quoted(sys.executable)} -m nbgrader"
    return [
        f"cd {_quoted(str(folder.resolve()))}",
        f"{nbgrader} generate_assignment {lesson}",
        f"{nbgrader} autograde {lesson}",
        f"{nbgrader} generate_feedback {lesson}",
        f"{nbgrader} export",
    ]


def _quoted(path: str) -> str:
    return f'"{path}"' if re.search(r"[^\w./:\\-]", path) else path


def handout(root: Path, folder: Path) -> None:
    """Write a copy of the course for learners, without solutions: notebooks, package and data.

    What the folder held before is replaced. Raises BuildError if it is not such a copy.
    """
    course = read_course(root)
    if folder.exists() and not (folder / "notebooks").is_dir() and any(folder.iterdir()):
        raise BuildError(f"{folder} holds something else; name a new folder for the handout")
    shutil.rmtree(folder, ignore_errors=True)
    for name in HANDED_OUT:
        if (root / name).is_dir():
            leave = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(root / name, folder / name, ignore=leave)
        elif (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, folder / name)
    for lesson in course.lessons:
        path = folder / "notebooks" / f"{lesson.stem}.ipynb"
        _write(path, learner_form(course, lesson))
    (folder / "README.md").write_text(_readme_for_learners(course), encoding="utf-8")


def _readme_for_learners(course: Course) -> str:
    """The README up to what is for those who teach, without links to solutions."""
    text = readme_with_table(course).split("\n## Teach with it")[0]
    return re.sub(r" · \[solution\]\([^)]*\)", "", text).rstrip() + "\n"


def page(notebook: NotebookNode) -> str:
    """A notebook as one page of HTML for a browser, its deeper sections closed at first."""
    return HTMLExporter(raw_template=PAGE).from_notebook_node(with_details(notebook))[0]


def slides(root: Path, folder: Path) -> None:
    """Write reveal.js slides of each lesson, and a page that lists them in reading order.

    A heading begins a slide; deeper sections are left out. The outputs are those of the built
    solutions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for lesson in read_course(root).lessons:
        path = lesson.path.with_suffix(".ipynb")
        if not path.is_file():
            continue
        notebook = without_deeper(nbformat.read(path, as_version=4))
        for cell in notebook.cells:
            kind = "slide" if re.match("##? ", cell.source) else "-"
            kind = "skip" if {"bootstrap", "navigation", "board"} & set(tags(cell)) else kind
            cell.metadata.setdefault("slideshow", nbformat.from_dict({"slide_type": kind}))
        body, _ = SlidesExporter().from_notebook_node(notebook)
        name = f"{lesson.stem}.slides.html"
        (folder / name).write_text(body, encoding="utf-8")
        items.append(f'<li><a href="{name}">{lesson.number} {html.escape(lesson.title)}</a></li>')
    page = "\n".join(["<!DOCTYPE html>", '<meta charset="utf-8">', "<title>Slides</title>", *items])
    (folder / "index.html").write_text(f"{page}\n", encoding="utf-8")


def _require_own_package(here: Path, root: Path) -> None:
    """Raises BuildError in a copy of the course whose package is not the one that was imported."""
    for folder in (here, *here.parents):
        if (folder / "course_utils" / "authoring.py").is_file() and folder.resolve() != root:
            raise BuildError(
                f"This folder belongs to the course in {folder}, but the package that was imported "
                f"is that of {root}, whose lessons would be built. Change to {folder}, or put its "
                "absolute path into PYTHONPATH."
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; a lesson that cannot be built ends in its sentence."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.authoring")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("lessons", nargs="*")
    building.add_argument("--all", action="store_true")
    commands.add_parser("publish").add_argument("repository", nargs="?", default="")
    writers = {"draft": draft, "grade": grade, "handout": handout, "slides": slides}
    for name in writers:
        commands.add_parser(name).add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    root = course_root()
    try:
        _require_own_package(Path.cwd(), root)
        if chosen.command == "build":
            build(root, chosen.lessons, chosen.all)
        elif chosen.command == "publish":
            publish(root, chosen.repository)
        else:
            writers[chosen.command](root, chosen.folder)
    except BuildError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
