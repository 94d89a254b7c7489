"""The commands behind ``make``: the environment, JupyterLab, the tests.

Only the standard library is used: this file runs before anything is installed. It is run as
``python -m course_utils.commands NAME`` from the course's folder, on Linux, macOS and Windows.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from course_utils.staleness import stale_notebooks

LEARNER = ("requirements.txt",)
DEVELOPER = ("requirements.txt", "requirements-dev.txt")
# A worker for each core, but a kernel can hold 1.5 GB: no more than fit into a small machine.
PYTEST = ("-m", "pytest", "-n", "logical", "--maxprocesses=4")
# A worker that has nothing left to do takes tests from another, so that no file is the last.
UNIT = (*PYTEST, "--dist", "worksteal", "-p", "no:nbval")
# So many tests that fail are tried once more; more of them have a cause that stays.
MOST_AGAIN = 10
AUTHORING = ("-m", "course_utils.authoring")
# A notebook stays on one worker: its cells share a kernel.
NBVAL = (*PYTEST, "--dist", "loadfile")
NBVAL += ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300")
FORMS = ("solutions", "notebooks")
BOTH_FORMS = (*NBVAL, "--no-loadscope-reorder", "-p", "tests.smoke_by_folder")

# In Jupyter's settings for this environment alone: slider callbacks stay on the main thread
# (matplotlib's state is not safe off it), nobody is asked about news or updates, and a saved page
# holds the state of its interactive figures: without it they are "model not found" when it is
# opened again.
LAB_SETTINGS = {
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
    "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"},
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}
# Threads that wait for each other spin a moment (about as long as it takes to be woken), then
# sleep: spinning for longer starves whatever else runs, and sleeping at once makes training on a
# quiet machine slower than with one thread. The second name is what libgomp, torch's OpenMP on
# Linux, goes by where both are set.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
# What pip says while all goes well; every other line of it is passed on.
PLAIN_PROGRESS = re.compile(
    r"\s*(Looking in|Collecting|Obtaining|Processing|Downloading|Using cached|Requirement already|"
    r"Preparing|Getting requirements|Checking if|Installing (build|backend|collected)|Building|"
    r"Created wheel|Stored in|Attempting|Found existing|Uninstalling|Successfully|Ignoring|$)"
)
SAY_EVERY = 15.0  # seconds, where lines stay; a terminal's line is written anew each second
# What is tested must need no network: an unused port stands in for every way out.
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
OFFLINE |= {"no_proxy": "localhost,127.0.0.1,::1", "PIP_NO_INDEX": "1"}


def environment_python(root: Path) -> Path:
    """Where the Python of the course's own environment is, or will be."""
    windows = root / ".venv" / "Scripts" / "python.exe"
    return windows if os.name == "nt" else root / ".venv" / "bin" / "python"


def ensure_environment(root: Path, files: Sequence[str] = LEARNER) -> Path:
    """Make ``.venv`` and install requirement files into it, unless that has been done.

    A stamp in ``.venv`` holds the hashes of what was installed; while they agree, nothing is
    installed and no network is needed. Returns the environment's Python.

    Raises SystemExit with a sentence where environments cannot be made or pip fails.
    """
    python, stamp = environment_python(root), root / ".venv" / "course-installed.json"
    if not _runs(python):
        _make_environment(root / ".venv")
    done = json.loads(stamp.read_text(encoding="utf-8")) if stamp.is_file() else {}
    wanted = _fingerprints(root, files)
    if not wanted.items() <= done.items():
        print("Installing the course's packages into .venv (some minutes, once) ...", flush=True)
        pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
        pip += ["--progress-bar", "off", *(part for file in files for part in ("-r", file))]
        if _run_pip(pip, root):
            raise SystemExit(
                "The packages could not be installed; pip's message above says why. Mend that "
                "(often: the network) and run the same command again."
            )
        stamp.write_text(json.dumps(done | wanted, indent=1), encoding="utf-8")
    return python


def _run_pip(command: Sequence[str], root: Path) -> int:
    """Run pip, and say again and again how long it has been at it and with what."""
    begun, doing, next_time = time.monotonic(), "", 1.0 if sys.stdout.isatty() else SAY_EVERY
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "errors": "replace"}
    with subprocess.Popen(command, cwd=root, text=True, **pipes) as pip:
        for line in _lines_and_pauses(pip.stdout):
            if PLAIN_PROGRESS.match(line):
                doing = line.split(" (from ")[0].strip() or doing
            else:
                _say(line.rstrip())
            if (spent := time.monotonic() - begun) >= next_time:
                _say(f"  {_minutes(spent)} so far; {doing[:50]}", stays=not sys.stdout.isatty())
                next_time = spent + (1.0 if sys.stdout.isatty() else SAY_EVERY)
    _say("", stays=False)
    return pip.returncode


def _lines_and_pauses(stream: Iterable[str]) -> Iterator[str]:
    """The lines of a stream as they come, and an empty one for each second without any."""
    lines: SimpleQueue[str | None] = SimpleQueue()

    def follow() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=follow, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=1)
        except Empty:
            line = ""
        if line is None:
            return
        yield line


def _say(text: str, stays: bool = True) -> None:
    """A line of output; in a terminal it takes the place of one that does not stay."""
    if sys.stdout.isatty():
        print(f"\r{' ' * 75}\r{text}", end="\n" if stays else "", flush=True)
    elif stays:
        print(text, flush=True)


def _minutes(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def _runs(python: Path) -> bool:
    if not python.is_file():
        return False
    return subprocess.run([str(python), "-c", "import pip"], capture_output=True).returncode == 0


def _make_environment(folder: Path) -> None:
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SystemExit(
            f"This Python {version} cannot make environments; install its venv package (Debian "
            f"and Ubuntu: sudo apt install python{version}-venv) and run the same command again."
        )
    print("Making an environment in .venv ...", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(folder)]):
        raise SystemExit(f"The environment {folder} could not be made; see the message above.")


def _fingerprints(root: Path, files: Sequence[str]) -> dict[str, str]:
    """Hashes of the requirement files and of the project's own metadata.

    Of ``pyproject.toml`` only what pip reads counts: the linter's settings install nothing.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    read_by_pip = {key: project.get(key) for key in ("project", "build-system")}
    texts = {name: (root / name).read_text(encoding="utf-8") for name in files}
    texts["pyproject.toml"] = json.dumps(read_by_pip, sort_keys=True)
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def copy_to_work(root: Path) -> list[str]:
    """Copy each notebook into ``work/`` once; say which copies are older than their lesson.

    A copy is never overwritten: it holds a learner's answers. Returns what was said.
    """
    work, said = root / "work", []
    work.mkdir(exist_ok=True)
    for lesson in sorted((root / "notebooks").glob("*.ipynb")):
        copy = work / lesson.name
        if not copy.exists():
            part = copy.with_suffix(".part")
            shutil.copyfile(lesson, part)
            part.rename(copy)
        elif _edition(copy) != _edition(lesson):
            said.append(
                f"work/{copy.name} is from an older version of the lesson; to get the new one, "
                "rename your copy and run make lab again."
            )
    return said


def _edition(notebook: Path) -> str | None:
    try:
        metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
        return metadata["lesson"]["edition"]
    except (ValueError, KeyError, TypeError):
        return None


def lab_command(root: Path, python: Path, extra: Sequence[str] = ()) -> list[str]:
    """The command that opens JupyterLab on the first lesson, with the whole course in sight."""
    first = next((root / "work").glob("00_*.ipynb"), None)
    command = [
        str(python),
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={root}",  # else Jupyter shows the notebook's folder alone
        "--LabApp.news_url=None",
        f"--LabApp.default_url=/lab{f'/tree/work/{first.name}' if first else ''}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return [*command, *extra]


def lab(root: Path, extra: Sequence[str] = ()) -> int:
    """``make lab``: environment, copies of the notebooks, JupyterLab on lesson 00."""
    python = ensure_environment(root)
    for sentence in copy_to_work(root):
        print(sentence)
    settings = root / ".venv" / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(LAB_SETTINGS, indent=1), encoding="utf-8")
    environment = WAITING | os.environ  # a setting of the learner's own wins
    # %tensorboard and a terminal in JupyterLab find the programs of the course's environment.
    environment["PATH"] = os.pathsep.join([str(python.parent), environment.get("PATH", "")])
    # Jupyter gets the same Ctrl-C and asks its own question.
    return _wait_for(lab_command(root, python, extra), root, environment)


def test(root: Path) -> int:
    """``make test``: format, lint, unit tests, then every notebook in both forms.

    All parts run even when one fails; the last line counts what passed, failed and was skipped.
    The lines before it name the solved notebooks that are older than what made them.
    """
    parts = {
        "format": ("-m", "ruff", "format", "--check", "."),
        "lint": ("-m", "ruff", "check", "."),
        "tests": (*UNIT, "tests"),
        "notebooks": (*BOTH_FORMS, *_longest_first(root)),
    }
    total = _run_parts(root, parts, smoke=())
    for sentence in stale_notebooks(root):
        print(sentence)
    return _say_counts(total)


def _longest_first(root: Path) -> list[str]:
    """Solved notebooks, which run at full size, before the others, and late lessons before early.

    So no worker starts a long one at the end, when the other has nothing left to do.
    """
    each = [sorted((root / form).glob("*.ipynb"), reverse=True) for form in FORMS]
    return [path.relative_to(root).as_posix() for form in each for path in form] or list(FORMS)


def quick(root: Path) -> int:
    """``make quick``: format, lint, the quick unit tests, and the lessons that changed."""
    draft = root / "build" / "quick"
    shutil.rmtree(draft, ignore_errors=True)
    python = ensure_environment(root, DEVELOPER)
    if status := subprocess.call([str(python), *AUTHORING, "draft", str(draft)], cwd=root):
        return status
    parts = {
        "format": ("-m", "ruff", "format", "--check", "."),
        "lint": ("-m", "ruff", "check", "."),
        "tests": (*UNIT, "-m", "not slow", "tests"),
    }
    if any(draft.rglob("*.ipynb")):
        parts["lessons"] = (*NBVAL, str(draft))
    return _say_counts(_run_parts(root, parts, smoke=("lessons",)))


def installed(root: Path) -> int:
    """The quick unit tests and the solved notebooks, with the Python and packages that are here.

    For versions other than those of requirements.txt: the oldest promised, or the next.
    """
    parts = {"tests": (*UNIT, "-m", "not slow", "tests"), "solutions": (*NBVAL, "solutions")}
    return _say_counts(_run_parts(root, parts, smoke=(), python=Path(sys.executable)))


def _run_parts(
    root: Path,
    parts: dict[str, Sequence[str]],
    smoke: Sequence[str],
    python: Path | None = None,
) -> dict[str, int]:
    """Run each part, those in ``smoke`` as a smoke run; how many passed, failed, were skipped.

    python: by default that of the course's own environment.
    """
    python = python or ensure_environment(root, DEVELOPER)
    total = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for name, arguments in parts.items():
        print(f"== {name}", flush=True)
        report = root / "build" / f"{name}.xml"
        report.unlink(missing_ok=True)
        # One thread for each worker: more threads than cores are many times slower.
        environment = os.environ | OFFLINE | {"OMP_NUM_THREADS": "1", "COURSE_SMOKE": "0"}
        environment["COURSE_PROGRESS"] = "off"
        if name in smoke:
            environment["COURSE_SMOKE"] = "1"
        command = [str(python), *arguments]
        if "pytest" in arguments:
            command.append(f"--junitxml={report}")
        status = subprocess.call(command, cwd=root, env=environment)
        counts = _count(report, status)
        if name == "tests" and 0 < counts["failed"] <= MOST_AGAIN and _failing(report):
            counts = _second_try(root, name, command, environment, counts)
        for outcome, count in counts.items():
            total[outcome] += count
    return total


def _second_try(root, name, command, environment, counts):
    """What a part's counts are once the tests that failed have run again, with nothing beside them.

    A check has time limits, and a machine that stands still for minutes breaks any of them. A test
    that passes only now is named, so that nobody takes it for one that always does.
    """
    failing = _failing(root / "build" / f"{name}.xml")
    print(f"== {name}, again and alone: {counts['failed']} that failed", flush=True)
    report = root / "build" / f"{name}-again.xml"
    report.unlink(missing_ok=True)
    again = [*command[:-1], "--last-failed", "-n", "0", f"--junitxml={report}"]
    status = subprocess.call(again, cwd=root, env=environment)
    still = _count(report, status)
    if still["failed"] or still["passed"] < len(failing):
        return counts
    print("passed only at the second try, alone:", *failing, sep="\n  ", flush=True)
    return counts | {"passed": counts["passed"] + len(failing), "failed": 0}


def _failing(report: Path) -> list[str]:
    """The names of the tests that failed, in the order of the report; none without a report."""
    if not report.is_file():
        return []
    cases = ElementTree.parse(report).getroot().iter("testcase")
    names = [
        f"{case.get('classname')}: {case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return list(dict.fromkeys(names))


def _say_counts(total: dict[str, int]) -> int:
    print(", ".join(f"{count} {outcome}" for outcome, count in total.items()))
    return int(total["failed"] > 0)


def _count(report: Path, status: int) -> dict[str, int]:
    """How many tests of one part passed, failed and were skipped; a part without a report is one.

    A part that ends badly although no test failed (nothing collected, a crash) is a failure too.
    """
    if not report.is_file():
        return {"passed": int(status == 0), "failed": int(status != 0)}
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    counts = [
        {k: int(s.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")} for s in suites
    ]
    ran, failures, errors, skipped = (
        sum(c[key] for c in counts) for key in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return {
        "passed": ran - failed - skipped,
        "failed": max(failed, int(status != 0)),
        "skipped": skipped,
    }


def author(root: Path, arguments: Sequence[str]) -> int:
    """Run the build (``course_utils.authoring``) in the developers' environment."""
    python = ensure_environment(root, DEVELOPER)
    return subprocess.call([str(python), *AUTHORING, *arguments], cwd=root)


def results(root: Path, lessons: Sequence[str], parts: Sequence[str] = (), seeds: str = "") -> int:
    """``make results LESSON=NN``: measure anew what a lesson reads from ``data/results``.

    parts, seeds (as "3,4"): only these, joined into the file; the lesson's script knows its parts.
    """
    scripts = [root / "benchmarks" / f"lesson{lesson}.py" for lesson in lessons]
    missing = [script for script in scripts if not script.is_file()]
    if missing or not scripts:
        known = sorted(p.stem.removeprefix("lesson") for p in root.glob("benchmarks/lesson??.py"))
        raise SystemExit(
            f"make results needs LESSON=.., one of {', '.join(known)}: these lessons read "
            "measured results."
        )
    python = ensure_environment(root, DEVELOPER)
    asked = [*parts, *(("--seeds", seeds) if seeds else ())]
    return max(_wait_for([str(python), str(script), *asked], root) for script in scripts)


def _wait_for(
    command: Sequence[str], root: Path, environment: Mapping[str, str] | None = None
) -> int:
    """Run a command to its end; what Ctrl-C means is its own affair, for it gets the same."""
    with subprocess.Popen(command, cwd=root, env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def encoders(root: Path) -> int:
    """``make encoders``: train anew what lies in ``data/encoders``."""
    python = ensure_environment(root, DEVELOPER)
    return subprocess.call([str(python), "-m", "course_utils.frozen"], cwd=root)


def _asked_for(arguments: Sequence[str]) -> tuple[list[str], list[str], str]:
    """Lessons, parts and seeds of ``results``: "12 --part senses,dial --seeds 3,4"."""
    parser = argparse.ArgumentParser(prog="results")
    parser.add_argument("lessons", nargs="*")
    parser.add_argument("--part", default="")
    parser.add_argument("--seeds", default="")
    asked = parser.parse_args(arguments)
    return asked.lessons, [part for part in asked.part.split(",") if part], asked.seeds


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status."""
    root = Path(__file__).resolve().parent.parent
    name, rest = arguments[0], arguments[1:]
    if name == "lab":
        return lab(root, rest)
    if name == "results":
        return results(root, *_asked_for(rest))
    plain = {"test": test, "quick": quick, "installed": installed, "encoders": encoders}
    return plain[name](root) if name in plain else author(root, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
