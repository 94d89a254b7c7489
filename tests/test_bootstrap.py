"""What the bootstrap cell promises: nothing where the course is, the course where it is not."""

import ast
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import types
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


def test_the_cell_is_short_to_look_at(cell):
    assert len([line for line in cell.splitlines() if line.strip()]) <= 25
    assert max(map(len, cell.splitlines())) <= 95


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


def test_without_an_address_it_says_how_to_set_one(elsewhere):
    assert "set COURSE_REPOSITORY" in sentence()


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(CourseNotReady, match=r"needs Python 3.11 or later"):
        bootstrap.make_ready()


def test_what_git_says_and_the_network_are_named(elsewhere, tmp_path):
    nowhere = tmp_path / "nowhere"
    said = sentence(str(nowhere))
    assert f"git cannot fetch it from '{nowhere}' (fatal: repository" in said
    assert "check the network" in said
    assert list(elsewhere.iterdir()) == []


def test_a_question_of_git_is_not_waited_for(elsewhere):
    class Asks(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Asks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert "Authentication failed" in sentence(f"http://127.0.0.1:{server.server_port}/x")
        server.shutdown()


def test_a_machine_without_git_is_told_so(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", str(elsewhere))
    assert re.search(r"git: (command )?not found", sentence("https://example.org/course"))


def test_a_repository_of_something_else_is_told(elsewhere, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("a")
    git("init", "--quiet", cwd=other)
    git("add", ".", cwd=other)
    git("commit", "--quiet", "-m", "a", cwd=other)
    assert "holds no course_utils" in sentence(str(other))
    assert "'multimodal_course' already exists" in sentence(str(other))


def test_a_folder_in_the_way_is_not_touched(elsewhere):
    (elsewhere / "multimodal_course").mkdir()
    (elsewhere / "multimodal_course" / "mine.txt").write_text("mine")
    assert "'multimodal_course' already exists" in sentence("https://example.org/course")
    assert (elsewhere / "multimodal_course" / "mine.txt").read_text() == "mine"


# a course that was copied in part


def copied(repository, folder, *names):
    """A folder with these files of the course."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, folder / name)


def tried(cell, folder, repository, after="import course_utils.lessons"):
    """What the cell does in a fresh Python that knows only this folder: the last line."""
    script = (
        "import sys\nsys.path[:] = [''] + [p for p in sys.path if 'packages' in p or 'lib' in p]\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        f"try:\n    exec({cell!r})\n    {after}\n    print('works')\n"
        "except Exception as error:\n    print(type(error).__name__ + ':', error)\n"
    )
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    clean |= {"COURSE_REPOSITORY": str(repository)}
    run = subprocess.run([sys.executable, "-c", script], cwd=folder, env=clean,
                         capture_output=True, text=True, check=True)  # fmt: skip
    return run.stdout.splitlines()[-1]


HALF = ("course_utils/__init__.py", "course_utils/bootstrap.py", "course_utils/display.py")


def test_a_folder_without_modules_is_no_obstacle(cell, repository, tmp_path):
    content = tmp_path / "content"
    (content / "course_utils" / "__pycache__").mkdir(parents=True)
    assert tried(cell, content, repository) == "works"


@pytest.mark.parametrize("imported", [True, False])
def test_half_a_package_beside_the_notebook_is_named(cell, repository, tmp_path, imported):
    content = tmp_path / "content"
    copied(repository, content, *HALF[:1])
    said = tried(("import course_utils\n" if imported else "") + cell, content, repository)
    assert said.startswith(f"CourseNotReady: {content / 'course_utils'} is in the way")
    (content / "course_utils").rename(content / "mine")
    assert tried(cell, content, repository) == "works"


def test_half_a_package_with_this_file_in_it_is_named(cell, repository, tmp_path):
    content = tmp_path / "content"
    copied(repository, content, *HALF)
    said = tried(cell, content, repository)
    assert said.startswith(f"CourseNotReady: {content / 'course_utils'} holds a part of the course")
    assert f"delete {content / 'course_utils'}" in said


def test_a_package_without_its_data_is_no_course(cell, repository, tmp_path):
    content = tmp_path / "content"
    shutil.copytree(repository / "course_utils", content / "course_utils")
    assert "lessons.toml is not there" in tried(cell, content, repository)


def test_a_file_of_the_packages_name_is_named(cell, repository, tmp_path):
    content = tmp_path / "content"
    content.mkdir()
    (content / "course_utils.py").write_text("mine = 1")
    said = tried(cell, content, repository)
    assert said.startswith(f"CourseNotReady: {content / 'course_utils.py'} is in the way")


def test_every_room_is_missed_where_it_is_not(repository):
    rooms = ("training.py", "data/real.py", "exercises/__init__.py", "widgets/__init__.py")
    assert bootstrap.missing_parts(repository) == []
    for room in rooms:
        (repository / "course_utils" / room).unlink()
    assert {f"course_utils/{room}" for room in rooms} <= {*bootstrap.missing_parts(repository)}


def test_a_learners_own_paths_stay_good(cell, repository, tmp_path):
    content = tmp_path / "content"
    (content / "my_photos").mkdir(parents=True)
    assert tried(cell, content, repository, "import os; os.listdir('my_photos')") == "works"


@pytest.mark.parametrize("absent", ["torch", "torchvision"])
def test_without_torch_it_stops_and_installs_nothing(tmp_path, monkeypatch, absent):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == absent else real_find_spec(name)
    )
    monkeypatch.setattr(bootstrap, "_install", lambda packages: pytest.fail("pip was called"))
    with pytest.raises(CourseNotReady, match="install the two together"):
        bootstrap.install_what_is_missing(str(tmp_path / "requirements.txt"))


# what is missing


@pytest.mark.parametrize(
    ("here", "bound", "enough"),
    [
        ("3.7.1", "matplotlib>=3.9", False),
        ("3.9.0", "matplotlib>=3.9", True),
        ("3.10.0", "matplotlib>=3.9", True),
        ("2.9.0+cu126", "matplotlib>=2.9", True),
        ("3.10.0rc1", "matplotlib>=3.10.1", False),
        ("3.9", "matplotlib>=3.9.0", True),
    ],
)
def test_an_older_version_than_the_bound_is_missing(tmp_path, monkeypatch, here, bound, enough):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: here)
    (tmp_path / "requirements.txt").write_text(bound, encoding="utf-8")
    missing = bootstrap.missing_packages(str(tmp_path / "requirements.txt"))
    assert missing == ([] if enough else [bound])


def test_the_courses_own_bounds_are_of_the_kinds_that_are_understood(root):
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and line[0] not in "#-"]
    assert all(re.fullmatch(r"[\w-]+(==|>=)\d+(\.\d+)*", line) for line in wanted)


def test_a_torch_that_is_too_old_is_named_and_left_alone(tmp_path, monkeypatch):
    project = '[project]\ndependencies = ["torch>=99", "torchvision>=0.1", "numpy>=99"]'
    (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
    monkeypatch.setattr(bootstrap, "_install", lambda packages: pytest.fail("pip was called"))
    with pytest.raises(CourseNotReady, match=r"it needs torch>=99, and this cell never changes"):
        bootstrap.install_what_is_missing(str(tmp_path / "requirements.txt"))


def test_an_older_package_in_memory_asks_for_a_new_kernel(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("pillow>=999", encoding="utf-8")
    monkeypatch.setattr(bootstrap, "_install", lambda packages: None)
    monkeypatch.setitem(sys.modules, "PIL", types.ModuleType("PIL"))
    with pytest.raises(CourseNotReady, match=r"pillow is newly installed.*restart the kernel"):
        bootstrap.install_what_is_missing(str(tmp_path / "requirements.txt"))


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
        "print(os.path.basename(os.getcwd()), 'multimodal_course' in course_utils.__file__,"
        " m.version('torch'), tinyneed.__file__.startswith(sys.prefix))"
    )
    shown = stand_in(with_question(cell, question)).cells
    assert shown[0].outputs[0].text == "The course is ready.\n"
    torch = importlib.metadata.version("torch")
    assert shown[1].outputs[0].text == f"content True {torch} True\n"
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
def test_a_lesson_runs_from_an_empty_folder(stand_in, root):
    course = read_course(root)
    notebook = stand_in(learner_form(course, course.lessons[0]))
    first = next(c for c in notebook.cells if c.cell_type == "code")
    assert first.outputs[0].text == "The course is ready.\n"
    assert (Path(stand_in.folder) / "multimodal_course" / "course_utils").is_dir()
