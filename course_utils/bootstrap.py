"""What makes a notebook run where the course is not: Colab, Kaggle, an empty folder.

The build writes the part between the two rulers into every notebook. Where ``course_utils`` can
be imported the cell does nothing. Elsewhere it fetches the course with git, lets the fetched
copy of this file install the packages that are missing, and never touches the torch that is
there. The cell leans on nothing of the course, can be read by any Python from 3.8 on, and keeps
its imports inside its functions: a lesson that forgets ``import os`` must not be saved by it.
"""

# ---------------------------------------------------------------------- the cell begins here
COURSE_ADDRESS = ""  # the git repository that holds the course


class CourseNotReady(RuntimeError):
    """Stops a notebook with one sentence in place of a traceback."""

    def _render_traceback_(self):
        return [f"The course is not ready: {self}"]


def get_course_ready(address: str) -> None:
    """Make ``course_utils`` importable here, or stop with a sentence that says what to do."""
    import importlib.util
    import os
    import runpy
    import sys
    from pathlib import Path

    if importlib.util.find_spec("course_utils"):
        return
    if sys.version_info[:2] < (3, 11):
        raise CourseNotReady(
            f"it needs Python 3.11 or later and this is {sys.version.split()[0]}; choose a newer "
            "Python or runtime and start again."
        )
    mark = Path("course_utils", "bootstrap.py")
    fetched = Path.cwd() / "multimodal_course"
    places = (fetched, *Path.cwd().parents)
    course = next((place for place in places if (place / mark).is_file()), None)
    if course is None:
        course = fetched
        _fetch_course(os.environ.get("COURSE_REPOSITORY") or address, course, mark)
    runpy.run_path(str(course / mark))["install_what_is_missing"](str(course / "requirements.txt"))
    os.chdir(course)
    sys.path.append(str(course))
    importlib.invalidate_caches()
    print("The course is ready.")


def _fetch_course(address, folder, mark):
    """Clone the course into a folder; a clone that fails leaves nothing behind."""
    import os
    import shutil
    import subprocess

    if not address:
        raise CourseNotReady(
            "its package is not here and no address to fetch it from is set; open the notebook in "
            "a copy of the course that was started with `make lab`, or set COURSE_REPOSITORY to "
            "the address of its git repository and run this cell again."
        )
    if folder.exists():
        raise CourseNotReady(f"{folder} is in the way; rename it and run this cell again.")
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    command = ["git", "clone", "--quiet", "--depth", "1", "--", os.path.expanduser(address)]
    quiet = dict(os.environ, GIT_TERMINAL_PROMPT="0", LC_ALL="C")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    try:
        run = subprocess.run([*command, str(part)], env=quiet, text=True, timeout=600, **pipes)
        said = run.stderr.strip() if run.returncode else "it holds no course_utils"
    except FileNotFoundError:
        raise CourseNotReady("git is missing; install it and run this cell again.") from None
    except subprocess.TimeoutExpired:
        said = "Connection timed out"
    if (part / mark).is_file():
        part.rename(folder)
        return
    shutil.rmtree(part, ignore_errors=True)
    if any(sign in said for sign in ("esolve", "onnect", "timed out", "unreachable")):
        raise CourseNotReady(
            f"there is no way to {address} from here; check the network (on Kaggle: switch "
            "Internet on in the notebook's settings) and run this cell again."
        )
    reason = said.splitlines()[-1] if said else "git says no more"
    raise CourseNotReady(
        f"{address} is not a repository of the course ({reason}); check the address."
    )


# ------------------------------------------------------------------------ the cell ends here
# torch is never touched; JupyterLab and nbval are of no use in somebody else's notebook.
LEFT_ALONE = ("torch", "torchvision", "jupyterlab", "nbval")


def install_what_is_missing(requirements: str) -> None:
    """Install the packages of a requirements file that are not here, torch and torchvision held.

    requirements: path of the file. Raises CourseNotReady where torch is missing or pip fails.
    """
    import importlib.util

    if not (importlib.util.find_spec("torch") and importlib.util.find_spec("torchvision")):
        raise CourseNotReady(
            "torch and torchvision are not both installed, and this cell never installs them; "
            "install the two together (pytorch.org says how) and run this cell again."
        )
    missing = missing_packages(requirements)
    if missing:
        _install(missing)


def missing_packages(requirements: str) -> list[str]:
    """The lines of a requirements file that are not installed (``==``: not in that version)."""
    import re
    from pathlib import Path

    text = Path(requirements).read_text(encoding="utf-8")
    wanted = [line.split("#")[0].strip() for line in text.splitlines()]
    names = [(line, re.match(r"[\w.-]*", line).group()) for line in wanted if line]
    return [
        line
        for line, name in names
        if not name.startswith("-") and name not in LEFT_ALONE and not _is_installed(line, name)
    ]


def _is_installed(line, name):
    from importlib import metadata

    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return "==" not in line or line.split("==")[1].strip() == found


def _install(packages):
    import subprocess
    import sys
    import tempfile
    from importlib import metadata
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "constraints.txt")
        held = [f"{name}=={metadata.version(name)}" for name in ("torch", "torchvision")]
        pins.write_text("\n".join(held), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(pins)]
        run = subprocess.run([*pip, *packages], capture_output=True, text=True)
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        raise CourseNotReady(
            f"pip could not install {', '.join(packages)} ({errors[-1] if errors else 'no reason'}"
            "); check the network (on Kaggle: switch Internet on in the notebook's settings) and "
            "run this cell again."
        )
