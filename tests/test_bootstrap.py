"""What the bootstrap cell promises: nothing where the course is, the course where it is not."""

import ast
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from course_utils import bootstrap
from course_utils.authoring import learner_form, read_course
from course_utils.bootstrap import CourseNotReady, get_course_ready

real_find_spec = importlib.util.find_spec


@pytest.fixture
def cell(toy):
    """The text of the cell that the build writes."""
    course = read_course(toy)
    notebook = learner_form(course, course.lessons[0])
    return next(c.source for c in notebook.cells if c.cell_type == "code")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder from which ``course_utils`` cannot be imported."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COURSE_REPOSITORY", raising=False)
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "course_utils" else real_find_spec(name),
    )
    return folder


def git(*arguments, cwd):
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments]
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, root):
    """A git repository with the course's package in it."""
    folder = tmp_path / "origin of the course"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "course_utils", folder / "course_utils", ignore=skip)
    shutil.copytree(root / "data", folder / "data", ignore=skip)
    for name in ("requirements.txt", "pyproject.toml"):
        shutil.copy(root / name, folder)
    git("init", "--quiet", cwd=folder)
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "-m", "course", cwd=folder)
    return folder


# the cell


def test_the_cell_reads_in_old_pythons_and_leans_on_nothing_of_the_course(cell):
    tree = ast.parse(cell, feature_version=(3, 8))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert top == []  # else a lesson could forget its imports and not notice
    assert "import course_utils" not in cell
    assert "from course_utils" not in cell


def test_the_cell_begins_with_a_title_that_colab_shows_instead_of_it(cell):
    assert cell.startswith("# @title ")
    assert cell.endswith("get_course_ready(COURSE_ADDRESS)")


def test_the_cell_does_nothing_where_the_course_is_installed(cell, capsys):
    before = (list(sys.path), os.getcwd())
    exec(cell, {})
    assert (list(sys.path), os.getcwd()) == before
    assert capsys.readouterr().out == ""


# one sentence that says what to do


def sentence(address=""):
    with pytest.raises(CourseNotReady) as stopped:
        get_course_ready(address)
    shown = stopped.value._render_traceback_()
    assert len(shown) == 1
    assert "\n" not in shown[0]
    return shown[0]


def git_says(monkeypatch, text):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 128, stderr=text)

    monkeypatch.setattr(subprocess, "run", run)


def test_without_an_address_it_says_how_to_set_one(elsewhere):
    assert "set COURSE_REPOSITORY" in sentence()


def test_an_old_python_is_named(elsewhere, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert "needs Python 3.11 or later" in sentence("somewhere")


def test_no_network_is_told_from_no_repository(elsewhere, monkeypatch):
    git_says(monkeypatch, "fatal: unable to access 'x': Could not resolve host: example.org")
    assert "check the network" in sentence("https://example.org/course")
    git_says(monkeypatch, "fatal: could not read Username: terminal prompts disabled")
    assert "is not a repository of the course" in sentence("https://example.org/course")


def test_git_that_never_answers_is_a_network_that_is_not_there(elsewhere, monkeypatch):
    def run(command, **_):
        raise subprocess.TimeoutExpired(command, 600)

    monkeypatch.setattr(subprocess, "run", run)
    assert "check the network" in sentence("https://example.org/course")


def test_a_machine_without_git_is_told_so(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", str(elsewhere))
    assert "git is missing" in sentence("https://example.org/course")


def test_an_address_that_holds_no_repository_leaves_nothing_behind(elsewhere, tmp_path):
    assert "is not a repository of the course" in sentence(str(tmp_path / "nowhere"))
    assert list(elsewhere.iterdir()) == []


def test_a_repository_of_something_else_leaves_nothing_behind(elsewhere, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("a")
    git("init", "--quiet", cwd=other)
    git("add", ".", cwd=other)
    git("commit", "--quiet", "-m", "a", cwd=other)
    assert "holds no course_utils" in sentence(str(other))
    assert list(elsewhere.iterdir()) == []


def test_a_folder_in_the_way_is_not_touched(elsewhere):
    (elsewhere / "multimodal_course").mkdir()
    (elsewhere / "multimodal_course" / "mine.txt").write_text("mine")
    assert "is in the way" in sentence("https://example.org/course")
    assert (elsewhere / "multimodal_course" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("absent", ["torch", "torchvision"])
def test_without_torch_it_stops_and_installs_nothing(tmp_path, monkeypatch, absent):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == absent else real_find_spec(name)
    )
    monkeypatch.setattr(bootstrap, "_install", lambda packages: pytest.fail("pip was called"))
    with pytest.raises(CourseNotReady, match="install the two together"):
        bootstrap.install_what_is_missing(str(tmp_path / "requirements.txt"))


# what is missing


def test_only_what_is_absent_or_pinned_otherwise_is_missing(tmp_path):
    file = tmp_path / "requirements.txt"
    lines = ["# for shapes", "torch>=99", "torchvision>=99", "jupyterlab>=99", "nbval>=99", "-e ."]
    lines += ["", "numpy>=1", "numpy==0.0.1", "not-to-be-found>=1.2  # why", "tqdm>=4"]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert bootstrap.missing_packages(str(file)) == ["numpy==0.0.1", "not-to-be-found>=1.2"]


# a machine with torch and without the course


def tiny_wheel(folder, name, needs=""):
    """A wheel of one module, written by hand: pip can install it without a network."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "here = True\n")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        wheel.writestr(
            f"{info}/METADATA", metadata + (f"Requires-Dist: {needs}\n" if needs else "")
        )
        tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tag)
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def stand_in(tmp_path, repository, monkeypatch):
    """A kernel that sees this environment's packages and not its editable installs: ``run(nb)``.

    It stands in for Colab: an environment of its own, into which pip may install, and the
    packages that are there before the course comes.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "stand-in",
        "language": "python",
        "env": {
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "COURSE_REPOSITORY": str(repository),
            "COURSE_SMOKE": "1",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(tmp_path / "wheels"),
        },
    }
    kernel = tmp_path / "jupyter" / "kernels" / "standin"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    empty = tmp_path / "content"
    empty.mkdir()

    def run(notebook):
        client = NotebookClient(
            notebook,
            kernel_name="standin",
            timeout=300,
            resources={"metadata": {"path": str(empty)}},
        )
        client.execute()
        return notebook

    run.folder = empty
    run.wheels = tmp_path / "wheels"
    return run


def commit_requirement(repository, line):
    with (repository / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    git("commit", "--quiet", "-a", "-m", "one more", cwd=repository)


def with_question(cell, question):
    cells = [nbformat.v4.new_code_cell(text) for text in (cell, question)]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.slow
def test_a_fresh_machine_gets_the_course_and_what_is_missing(stand_in, repository, cell):
    tiny_wheel(stand_in.wheels, "tinyneed")
    commit_requirement(repository, "tinyneed>=1")
    question = (
        "import os, sys, course_utils, tinyneed, importlib.metadata as m\n"
        "print(os.path.basename(os.getcwd()), course_utils.__file__.startswith(os.getcwd()),"
        " m.version('torch'), tinyneed.__file__.startswith(sys.prefix))"
    )
    shown = stand_in(with_question(cell, question)).cells
    assert shown[0].outputs[0].text == "The course is ready.\n"
    torch = importlib.metadata.version("torch")
    assert shown[1].outputs[0].text == f"multimodal_course True {torch} True\n"
    again = stand_in(with_question(cell, question)).cells  # a new kernel finds the clone
    assert again[0].outputs[0].text == "The course is ready.\n"


@pytest.mark.slow
def test_a_package_that_asks_for_another_torch_is_refused(stand_in, repository, cell):
    tiny_wheel(stand_in.wheels, "wantsold", needs="torch<1")
    commit_requirement(repository, "wantsold>=1")
    with pytest.raises(CellExecutionError, match=r"pip could not install wantsold"):
        stand_in(with_question(cell, "1"))


@pytest.mark.slow
def test_a_stop_is_shown_as_one_sentence_in_a_notebook(stand_in, repository, cell):
    shutil.rmtree(repository)
    notebook = with_question(cell, "1")
    with pytest.raises(CellExecutionError):
        stand_in(notebook)
    (output,) = notebook.cells[0].outputs
    assert len(output.traceback) == 1
    assert output.traceback[0].startswith("The course is not ready: ")
    assert notebook.cells[1].execution_count is None


@pytest.mark.slow
def test_a_built_notebook_runs_from_an_empty_folder(stand_in, root):
    built = sorted((root / "notebooks").glob("*.ipynb"))
    if not built:
        pytest.skip("no lesson is built yet")
    notebook = stand_in(nbformat.read(built[0], as_version=4))
    first = next(c for c in notebook.cells if c.cell_type == "code")
    assert first.outputs[0].text == "The course is ready.\n"
    assert (Path(stand_in.folder) / "multimodal_course" / "course_utils").is_dir()
