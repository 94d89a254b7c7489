"""What makes a notebook run where the course is not: Colab, Kaggle, an empty folder.

The build writes the part between the two rulers into every notebook. It looks for this file in
the package that Python knows, in ``multimodal_course``, here and above; where there is none it
fetches the course with git; ``make_ready`` does the rest. The cell is short, because it stands at
the head of every page. It leans on nothing of the course, can be read by any Python from 3.8 on,
and keeps its imports inside its function: a lesson that forgets ``import os`` must not be saved
by it. Nothing here changes the notebook's folder: a learner's own paths stay good.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

# git asks `echo`, which answers wrongly at once, and not the terminal, which would wait for ever.
# fmt: off
# ---------------------------------------------------------------------- the cell begins here
COURSE_ADDRESS = ""  # the git repository that holds the course

class CourseNotReady(RuntimeError):
    def _render_traceback_(self):
        return [f"The course is not ready: {self}"]

def get_course_ready(address):
    import importlib.util, os, pathlib, runpy, subprocess
    known, here = importlib.util.find_spec("course_utils"), pathlib.Path.cwd()
    places = [pathlib.Path(known.origin).parents[1]] if known and known.origin else []
    places += [here / "multimodal_course", here, *here.parents]
    files = [place / "course_utils" / "bootstrap.py" for place in places]
    if not any(file.is_file() for file in files):
        address = os.path.expanduser(os.environ.get("COURSE_REPOSITORY") or address)
        clone = f'git -c core.askPass=echo clone -q --depth 1 -- "{address}" multimodal_course'
        failed, said = subprocess.getstatusoutput(clone)
        said = " ".join(said.split()) if failed else "it holds no course_utils"
        if not any(file.is_file() for file in files):
            raise CourseNotReady(f"git cannot fetch it from '{address}' ({said}); check the "
                "network, set COURSE_REPOSITORY to the address of the course's repository, or "
                "open this notebook in a copy of the course that `make lab` started.")
    runpy.run_path(str(next(file for file in files if file.is_file())))["make_ready"]()
# ------------------------------------------------------------------------ the cell ends here
# fmt: on

AGAIN = "and run this cell again"
# torch is never touched; JupyterLab and nbval are of no use in somebody else's notebook.
TORCH = ("torch", "torchvision")
LEFT_ALONE = (*TORCH, "jupyterlab", "nbval")


def make_ready() -> None:
    """Make the course around this file importable, with all packages that it needs.

    It does nothing where Python finds this course already. Raises CourseNotReady, a sentence on
    what is wrong and what to do.
    """
    course = Path(__file__).resolve().parents[1]
    if sys.version_info[:2] < (3, 11):
        raise CourseNotReady(
            f"it needs Python 3.11 or later and this is {sys.version.split()[0]}; choose a newer "
            "Python or runtime and start again."
        )
    if missing := missing_parts(course):
        place = course if course.name == "multimodal_course" else course / "course_utils"
        raise CourseNotReady(
            f"{place} holds a part of the course alone ({course / missing[0]} is not there); "
            f"rename or delete {place}, or copy the whole course there, {AGAIN}."
        )
    _forget_another_package(course)
    if _is_found(course):
        return
    install_what_is_missing(str(course / "requirements.txt"))
    sys.path.append(str(course))
    importlib.invalidate_caches()
    print("The course is ready.")


def missing_parts(course: Path) -> list[str]:
    """Files that a whole course has and this folder lacks.

    So a folder that somebody copied in part is told from the course. The list of rooms in
    ``pyproject.toml`` and the modules' own imports say which files there are.
    """
    wanted = ["course_utils/__init__.py", "data/lessons.toml", "requirements.txt", "pyproject.toml"]
    rooms = re.findall(r"\bcourse_utils[.\w]+", _text(course / "pyproject.toml"))
    for path in sorted((course / "course_utils").rglob("*.py")):
        rooms += re.findall(r"^ *from (course_utils[.\w]+) import", _text(path), re.MULTILINE)
    for room in rooms:
        place = room.replace(".", "/")
        wanted.append(f"{place}/__init__.py" if (course / place).is_dir() else f"{place}.py")
    return [name for name in dict.fromkeys(wanted) if not (course / name).is_file()]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _is_found(course: Path) -> bool:
    """Whether Python finds this course. Raises CourseNotReady where it finds something else."""
    importlib.invalidate_caches()  # a folder may have been renamed a moment ago
    found = importlib.util.find_spec("course_utils")
    if found is None or not found.origin:  # a folder without modules is no obstacle
        return False
    if _lies_in(course, found.origin):
        return True
    place = Path(found.origin)
    raise CourseNotReady(
        f"{place.parent if place.name == '__init__.py' else place} is in the way: it is called "
        f"like the course's package and is not the whole of it; rename or delete it, {AGAIN}."
    )


def _forget_another_package(course: Path) -> None:
    """Let the next import look anew where this kernel imported something else of that name."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "course_utils":
            file = getattr(module, "__file__", None)
            if not (file and _lies_in(course, file)):
                del sys.modules[name]


def _lies_in(course: Path, file: str) -> bool:
    return course / "course_utils" in Path(file).resolve().parents


def install_what_is_missing(requirements: str) -> None:
    """Install the packages of a requirements file that are not here, torch and torchvision held.

    requirements: path of the file; the ``pyproject.toml`` beside it says how old torch may be.
    Raises CourseNotReady where torch is missing or too old, where pip fails, and where an older
    package is loaded already.
    """
    if not all(map(importlib.util.find_spec, TORCH)):
        raise CourseNotReady(
            "torch and torchvision are not both installed, and this cell never installs them; "
            f"install the two together (pytorch.org says how) {AGAIN}."
        )
    if old := _too_old_torch(Path(requirements).with_name("pyproject.toml")):
        raise CourseNotReady(
            f"it needs {' and '.join(old)}, and this cell never changes torch; install a newer "
            f"torch and torchvision together, or choose a newer runtime, {AGAIN}."
        )
    if missing := missing_packages(requirements):
        _install(missing)
        _require_not_loaded(missing)


def missing_packages(requirements: str) -> list[str]:
    """The lines of a requirements file that are not installed, or not in a version they allow."""
    text = Path(requirements).read_text(encoding="utf-8")
    wanted = [line.split("#")[0].strip() for line in text.splitlines()]
    return [
        line
        for line in wanted
        if line and not line.startswith("-") and _name(line) not in LEFT_ALONE
        and not _is_installed(line)
    ]  # fmt: skip


def _too_old_torch(project: Path) -> list[str]:
    import tomllib

    if not project.is_file():
        return []
    needs = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    return [line for line in needs if _name(line) in TORCH and not _is_installed(line)]


def _name(line: str) -> str:
    return re.match(r"[\w.-]*", line).group()


def _is_installed(line: str) -> bool:
    """Whether a package is here, for ``==`` in that version, for ``>=`` in that or a later one."""
    try:
        found = metadata.version(_name(line))
    except metadata.PackageNotFoundError:
        return False
    for sign, version in re.findall(r"(==|>=) *([\w.]+)", line):
        if found != version if sign == "==" else _release(found) < _release(version):
            return False
    return True


def _release(version: str) -> list[int]:
    """The numbers of a version, for comparing: [2, 14] for 2.14.0+cu126."""
    numbers = [int(number) for number in re.match(r"[\d.]*", version).group().split(".") if number]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def _install(packages: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "constraints.txt")
        held = [f"{name}=={metadata.version(name)}" for name in TORCH]
        pins.write_text("\n".join(held), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(pins)]
        run = subprocess.run([*pip, *packages], capture_output=True, text=True)
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        raise CourseNotReady(
            f"pip could not install {', '.join(packages)} ({errors[-1] if errors else 'no reason'}"
            f"); check the network (on Kaggle: switch Internet on in the notebook's settings) "
            f"{AGAIN}."
        )


def _require_not_loaded(packages: list[str]) -> None:
    """Raises CourseNotReady where this kernel holds the older version of one in its memory."""
    modules = {"scikit-learn": "sklearn", "pillow": "PIL"}
    loaded = [p for p in map(_name, packages) if modules.get(p, p) in sys.modules]
    if loaded:
        raise CourseNotReady(
            f"{', '.join(loaded)} is newly installed, but an older version is loaded; restart the "
            f"kernel (on Colab: Runtime, Restart session) {AGAIN}."
        )
