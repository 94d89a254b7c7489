"""What make promises: it finds a Python, installs once, never overwrites a learner's work."""

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from course_utils import commands

needs_posix = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.fixture
def course(tmp_path):
    """A folder with requirement files and two notebooks."""
    for name, text in {
        "requirements.txt": "torch>=2\n",
        "requirements-dev.txt": "ruff\n",
        "pyproject.toml": '[project]\nname = "toy"\n[tool.course]\nrepository = ""\n',
        "notebooks/00_start.ipynb": notebook("one"),
        "notebooks/01_next.ipynb": notebook("one"),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def notebook(edition, answer=""):
    cells = [{"cell_type": "code", "source": answer}]
    return json.dumps({"metadata": {"lesson": {"edition": edition}}, "cells": cells})


# finding a Python


def fake_python(folder, name, body):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def make_says(root, folder, fakes):
    """What ``make -n lab`` prints and its status, with only these programs on the path."""
    shutil.copy(root / "Makefile", folder)
    (folder / "bin").mkdir()
    for name, body in fakes.items():
        fake_python(folder / "bin", name, body)
    run = subprocess.run(
        [shutil.which("make"), "-n", "lab"],
        cwd=folder,
        env={"PATH": str(folder / "bin")},
        capture_output=True,
        text=True,
    )
    return run.stdout, run.stderr.strip(), run.returncode


works = f'exec "{sys.executable}" "$@"'


@needs_posix
def test_make_takes_the_first_python_that_runs(root, tmp_path):
    fails = "echo 'pyenv: python3.13: command not found' >&2; exit 127"
    fakes = {"python3.13": fails, "python3.12": works, "python3.11": works}
    out, err, status = make_says(root, tmp_path, fakes)
    assert out.startswith("python3.12 -m course_utils.commands lab")
    assert (err, status) == ("", 0)


@needs_posix
def test_make_without_a_python_says_so_in_one_sentence(root, tmp_path):
    too_old = "echo ''"  # what the probe prints where the version does not fit
    _, err, status = make_says(root, tmp_path, {"python3": too_old})
    assert "No Python 3.11, 3.12 or 3.13 was found: install one" in err
    assert len(err.splitlines()) == 1
    assert status == 2


@needs_posix
def test_make_goes_back_to_the_environment_that_is_there(root, tmp_path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    fake_python(tmp_path / ".venv" / "bin", "python", works)
    out, _, _ = make_says(root, tmp_path, {"python3.12": works})
    assert out.startswith(".venv/bin/python -m course_utils.commands lab")


@needs_posix
def test_make_goes_round_an_environment_that_is_broken(root, tmp_path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    fake_python(tmp_path / ".venv" / "bin", "python", "exit 127")
    out, _, _ = make_says(root, tmp_path, {"python3.12": works})
    assert out.startswith("python3.12 -m course_utils.commands lab")


def test_the_commands_need_nothing_but_the_standard_library(root):
    code = "import sys, course_utils.commands; print(*{n.split('.')[0] for n in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert set(run.stdout.split()) - {"course_utils", "__main__"} <= set(sys.stdlib_module_names)


# the environment


@pytest.fixture
def calls(monkeypatch):
    """The commands that would have been run; ``calls.status`` is what they return."""

    class Calls(list):
        status = 0

    made = Calls()

    def call(command, **_):
        made.append([str(part) for part in command])
        if "venv" in command:
            folder = Path(command[-1])
            commands.environment_python(folder.parent).parent.mkdir(parents=True)
            commands.environment_python(folder.parent).touch()
        return made.status

    monkeypatch.setattr(commands.subprocess, "call", call)
    monkeypatch.setattr(commands, "_run_pip", lambda command, root: call(command))
    monkeypatch.setattr(commands, "_runs", lambda python: python.is_file())
    return made


def test_the_first_run_makes_the_environment_and_installs(course, calls):
    python = commands.ensure_environment(course)
    assert calls[0] == [sys.executable, "-m", "venv", "--clear", str(course / ".venv")]
    assert calls[1][:4] == [str(python), "-m", "pip", "install"]
    assert calls[1][-2:] == ["-r", "requirements.txt"]


def test_a_second_run_installs_nothing(course, calls):
    commands.ensure_environment(course)
    calls.clear()
    commands.ensure_environment(course)
    assert calls == []


def test_developers_packages_are_added_once(course, calls):
    commands.ensure_environment(course)
    calls.clear()
    for files in (commands.DEVELOPER, commands.LEARNER, commands.DEVELOPER):
        commands.ensure_environment(course, files)
    assert [call[-4:] for call in calls] == [
        ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "installs"),
    [
        ("requirements.txt", "torch>=2", "torch>=3", 1),
        ("pyproject.toml", 'name = "toy"', 'name = "toy2"', 1),
        ("pyproject.toml", 'repository = ""', 'repository = "ada/course"', 0),
    ],
)
def test_a_changed_requirement_is_installed(course, calls, file, old, new, installs):
    commands.ensure_environment(course)
    calls.clear()
    text = (course / file).read_text(encoding="utf-8")
    (course / file).write_text(text.replace(old, new), encoding="utf-8")
    commands.ensure_environment(course)
    assert len(calls) == installs


def test_an_installation_that_fails_is_tried_again_next_time(course, calls):
    calls.status = 0
    commands._make_environment(course / ".venv")
    calls.status = 1
    with pytest.raises(SystemExit, match=r"could not be installed.*again"):
        commands.ensure_environment(course)
    calls.clear()
    calls.status = 0
    commands.ensure_environment(course)
    assert len(calls) == 1


def stand_in_for_pip(*statements):
    return [sys.executable, "-c", "import sys, time\n" + "\n".join(statements)]


SLOW = "print('Collecting torch>=2 (from x)', flush=True); time.sleep(1.5)"


def test_a_log_says_again_and_again_what_is_being_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(commands, "SAY_EVERY", 0.5)
    pip = stand_in_for_pip(SLOW, "print('Downloading big.whl (1 GB)', flush=True); time.sleep(1.5)")
    assert commands._run_pip(pip, tmp_path) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "  1 s so far; Collecting torch>=2"
    assert said[-1].endswith("Downloading big.whl (1 GB)")
    assert len(said) <= 4


def test_a_terminal_gets_one_line_that_moves_and_is_gone_at_the_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("_pytest.capture.CaptureIO.isatty", lambda stream: True)
    assert commands._run_pip(stand_in_for_pip(SLOW), tmp_path) == 0
    said = capsys.readouterr().out
    assert "\r  1 s so far; Collecting torch>=2" in said
    assert said.endswith(" \r")
    assert "\n" not in said


def test_what_pip_complains_of_comes_through_in_full(tmp_path, capsys):
    complaint = ["ERROR: Cannot install a and b", "The conflict is caused by:", "    a needs c<1"]
    say = [f"print({line!r}, file=sys.{out})" for line, out in
           zip(complaint, ("stderr", "stdout", "stdout"), strict=True)]  # fmt: skip
    pip = stand_in_for_pip("print('Collecting a')", *say, "sys.exit(3)")
    assert commands._run_pip(pip, tmp_path) == 3
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(complaint)


def test_a_python_without_ensurepip_says_what_to_install(course, calls, monkeypatch):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object()
    )
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    with pytest.raises(SystemExit, match=rf"apt install {version}\)"):
        commands.ensure_environment(course)
    assert calls == []


# the learner's copies


def test_notebooks_are_copied_once_and_never_overwritten(course):
    assert commands.copy_to_work(course) == []
    mine = notebook("one", "my answer")
    (course / "work/00_start.ipynb").write_text(mine, encoding="utf-8")
    assert commands.copy_to_work(course) == []
    assert (course / "work/00_start.ipynb").read_text(encoding="utf-8") == mine
    assert sorted(path.name for path in (course / "work").iterdir()) == [
        "00_start.ipynb",
        "01_next.ipynb",
    ]


def test_a_newer_lesson_is_told_and_the_copy_left_alone(course):
    commands.copy_to_work(course)
    (course / "notebooks/01_next.ipynb").write_text(notebook("two"), encoding="utf-8")
    (said,) = commands.copy_to_work(course)
    assert said.startswith("work/01_next.ipynb is from an older version")
    assert "one" in (course / "work/01_next.ipynb").read_text(encoding="utf-8")


def test_a_copy_that_is_no_notebook_any_more_stops_nothing(course):
    commands.copy_to_work(course)
    (course / "work/00_start.ipynb").write_text("{", encoding="utf-8")
    assert len(commands.copy_to_work(course)) == 1


# JupyterLab and the run of the tests


def test_lab_opens_lesson_00_and_shows_the_whole_course(course):
    commands.copy_to_work(course)
    line = commands.lab_command(course, Path("python"), ["--no-browser"])
    assert f"--ServerApp.root_dir={course}" in line
    assert "--LabApp.default_url=/lab/tree/work/00_start.ipynb" in line
    assert "--LabApp.news_url=None" in line
    assert line[-1] == "--no-browser"


@needs_posix
@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_only_root_is_allowed_as_root(course, monkeypatch, user, allowed):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in commands.lab_command(course, Path("python"))) == allowed


def test_lab_writes_the_settings_and_keeps_threads_from_spinning(course, monkeypatch):
    seen = {}

    class Server:
        def __init__(self, command, cwd, env):
            seen.update(env)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def wait(self):
            return 0

    monkeypatch.setattr(commands, "ensure_environment", lambda root: Path("python"))
    monkeypatch.setattr(commands.subprocess, "Popen", Server)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert commands.lab(course) == 0
    assert seen["OMP_WAIT_POLICY"] == "PASSIVE"
    assert seen["GOMP_SPINCOUNT"] == "7", "a setting of the learner's own was lost"
    settings = course / ".venv/share/jupyter/lab/settings/overrides.json"
    kernels = json.loads(settings.read_text())["@jupyterlab/apputils-extension:kernels-settings"]
    assert kernels == {"commsOverSubshells": "disabled"}


def test_programs_of_the_environment_come_first_on_the_servers_path(course, monkeypatch):
    seen = {}
    bin_folder = course / ".venv" / "bin"
    server = contextlib.nullcontext(types.SimpleNamespace(wait=lambda: 0))
    monkeypatch.setattr(commands, "ensure_environment", lambda root: bin_folder / "python")
    monkeypatch.setattr(
        commands.subprocess, "Popen", lambda command, cwd, env: seen.update(env) or server
    )
    monkeypatch.setenv("PATH", "/mine")
    assert commands.lab(course) == 0
    assert seen["PATH"].split(os.pathsep) == [str(bin_folder), "/mine"]


@pytest.fixture
def scripts(course, monkeypatch):
    """Two lessons' scripts, and what is called in place of them; the first call is interrupted."""
    called, signals = [], [KeyboardInterrupt]

    def wait():
        if signals:
            raise signals.pop()
        return 3 if "--seeds" in called[-1] else 0

    server = contextlib.nullcontext(types.SimpleNamespace(wait=wait))
    monkeypatch.setattr(commands, "ensure_environment", lambda root, files: Path("python"))
    monkeypatch.setattr(
        commands.subprocess, "Popen", lambda command, **_: called.append(command) or server
    )
    (course / "benchmarks").mkdir()
    for lesson in ("05", "12"):
        (course / "benchmarks" / f"lesson{lesson}.py").touch()
    return called


def test_results_hands_parts_and_seeds_to_the_lessons_script(course, scripts, monkeypatch):
    monkeypatch.setattr(commands, "__file__", str(course / "course_utils" / "commands.py"))
    assert commands.main(["results", "12"]) == 0
    assert commands.main(["results", "12", "--part", "senses,dial", "--seeds", "3,4"]) == 3
    script = str(course.resolve() / "benchmarks" / "lesson12.py")
    assert scripts == [
        ["python", script],
        ["python", script, "senses", "dial", "--seeds", "3,4"],
    ]


def test_results_of_no_lesson_are_answered_with_those_there_are(course, scripts):
    for lessons in ([], ["05", "06"]):
        with pytest.raises(SystemExit, match=r"LESSON=\.\., one of 05, 12"):
            commands.results(course, lessons)
    assert not scripts


def test_a_saved_page_keeps_the_state_of_its_interactive_figures():
    # The name and the key that ipywidgets' own extension gives its setting.
    (schema,) = Path(sys.prefix, "share/jupyter/labextensions").glob(
        "@jupyter-widgets/jupyterlab-manager/schemas/@jupyter-widgets/*/plugin.json"
    )
    known = json.loads(schema.read_text(encoding="utf-8"))["properties"]
    wanted = commands.LAB_SETTINGS["@jupyter-widgets/jupyterlab-manager:plugin"]
    assert wanted == {"saveState": True}
    assert known["saveState"]["type"] == "boolean"


REPORT = '<testsuites><testsuite tests="5" failures="{}" errors="0" skipped="1"/></testsuites>'


def test_all_parts_run_and_the_last_lines_name_what_is_old_and_count(course, monkeypatch, capsys):
    seen = []

    def call(command, cwd, env):
        seen.append((command[2], env["COURSE_SMOKE"], env["OMP_NUM_THREADS"], env["PIP_NO_INDEX"]))
        for part in command:
            if part.startswith("--junitxml="):
                report = Path(part.removeprefix("--junitxml="))
                report.parent.mkdir(exist_ok=True)
                report.write_text(REPORT.format(int(commands.NBVAL[-1] in command)))
        return int(commands.NBVAL[-1] in command)

    monkeypatch.setattr(commands, "ensure_environment", lambda *_: Path("python"))
    monkeypatch.setattr(commands.subprocess, "call", call)
    monkeypatch.setattr(commands, "stale_notebooks", lambda root: ["00 is older", "01 is older"])
    assert commands.test(course) == 1
    assert [name for name, *_ in seen] == ["ruff", "ruff", "pytest", "pytest"]
    assert [smoke for _, smoke, *_ in seen] == ["0", "0", "0", "0"]
    assert {rest for *_, rest in seen} == {"1"}
    said = capsys.readouterr().out.splitlines()
    assert said[-3:] == ["00 is older", "01 is older", "9 passed, 1 failed, 2 skipped"]


def test_a_part_that_collects_nothing_is_a_failure(tmp_path):
    empty = tmp_path / "empty.xml"
    empty.write_text('<testsuites><testsuite tests="0" failures="0" errors="0" skipped="0"/>')
    empty.write_text(empty.read_text() + "</testsuites>")
    assert commands._count(empty, 5) == {"passed": 0, "failed": 1, "skipped": 0}
    assert commands._count(tmp_path / "none.xml", 2) == {"passed": 0, "failed": 1}


SECOND_TRY = {
    "test_holds.py": "def test_holds(): pass",
    "test_once.py": """
from pathlib import Path
def test_only_alone():
    before = Path(__file__).with_suffix(".ran")
    ran, _ = before.is_file(), before.touch()
    assert ran
""",
    "test_never.py": "def test_never(): assert False",
}


@pytest.mark.parametrize(
    ("names", "failed"), [(("once",), 0), (("never",), 1), (("once", "never"), 2)]
)
def test_a_test_that_passes_only_at_the_second_try_is_named(
    tmp_path, monkeypatch, capfd, names, failed
):
    for name in ("holds", *names):
        file = f"test_{name}.py"
        (tmp_path / file).write_text(SECOND_TRY[file], encoding="utf-8")
    monkeypatch.setattr(commands, "ensure_environment", lambda *_: Path(sys.executable))
    arguments = ("-m", "pytest", "-n", "1", "--dist", "worksteal", "-p", "no:nbval", str(tmp_path))
    total = commands._run_parts(tmp_path, {"tests": arguments}, smoke=())
    assert total == {"passed": 1 + len(names) - failed, "failed": failed, "skipped": 0}
    said = capfd.readouterr().out
    assert ("passed only at the second try" in said) == (failed == 0)


def test_a_part_without_a_failure_or_with_many_runs_once(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "ensure_environment", lambda *_: Path(sys.executable))
    monkeypatch.setattr(commands, "_second_try", lambda *_: pytest.fail("it ran again"))
    file = tmp_path / "test_many.py"
    arguments = {"tests": ("-m", "pytest", "-n", "0", "-p", "no:nbval", str(file))}
    for expected in (True, False):
        file.write_text(
            "import pytest\n@pytest.mark.parametrize('x', range(11))\n"
            f"def test_x(x): assert {expected}",
            encoding="utf-8",
        )
        failed = commands._run_parts(tmp_path, arguments, smoke=())["failed"]
        assert failed == (0 if expected else 11)


def test_the_continuous_run_is_make_test(root):
    assert "exec make test" in (root / ".ci" / "run").read_text(encoding="utf-8")
    assert ".ci/run" in (root / ".github/workflows/tests.yml").read_text(encoding="utf-8")
