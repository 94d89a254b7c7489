"""What a learner has done: exercises solved, guesses, quiz answers, in one small file of their own.

The file is ``progress.json`` in the course's folder, beside ``work/``. ``COURSE_PROGRESS`` names
another file (or a folder for it); ``COURSE_PROGRESS=off`` keeps nothing beyond the session, as
builds and tests want it. On Colab a mounted Drive holds the file, where there is one. Nothing is
sent anywhere.

Nothing here ever stops a lesson: where the file cannot be used, one sentence is printed, and what
is done counts until the kernel ends.
"""

import contextlib
import copy
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import IO, Any

from course_utils.environment import course_root

FORMAT = 1
PATIENCE = 2.0  # seconds that one notebook waits for another one to finish writing
DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts a Drive


@dataclass(frozen=True)
class Guess:
    """A guess and what came of it. Before it is settled, ``came``, ``near`` and ``unit`` are None.

    answer: the first guess, a number or a word; None where the result was shown without one.
    later: the last guess after that, which does not count.
    near: whether the first one was near; unit: the greatest difference that counts as near (None
    for words).
    """

    answer: float | str | None = None
    later: float | str | None = None
    came: float | str | None = None
    near: bool | None = None
    unit: float | None = None


@dataclass
class Progress:
    """What is known of a learner.

    solved: names of exercises; guesses: by name; quiz: the first answers by lesson, {"04": "bca"}.
    """

    solved: list[str] = field(default_factory=list)
    guesses: dict[str, Guess] = field(default_factory=dict)
    quiz: dict[str, str] = field(default_factory=dict)


# Kept for the session: what no file takes, by the path that it was meant for.
_in_memory: dict[Path | None, Progress] = {}
_said: set[str] = set()


def record_solved(name: str) -> None:
    """An exercise was solved."""

    def alter(progress: Progress) -> None:
        progress.solved = sorted({*progress.solved, name})

    _change(alter)


def record_guess(name: str, answer: float | str) -> Guess:
    """A guess was typed: the first counts, if the result was not shown before; others are later."""

    def alter(progress: Progress) -> None:
        known = progress.guesses.get(name, Guess())
        if known == Guess():
            progress.guesses[name] = Guess(answer)
        elif known.answer != answer:
            progress.guesses[name] = replace(known, later=answer)

    return _change(alter).guesses[name]


def record_settled(
    name: str, came: float | str, near: bool | None = None, unit: float | None = None
) -> Guess:
    """A guess was settled, or the result was shown without one. The first time counts."""

    def alter(progress: Progress) -> None:
        known = progress.guesses.get(name, Guess())
        if known.came is None:
            progress.guesses[name] = replace(known, came=came, near=near, unit=unit)

    return _change(alter).guesses[name]


def record_quiz(lesson: str, answers: str) -> str:
    """Answers to a lesson's quiz were given, a letter each; returns the first, which count."""
    return _change(lambda progress: progress.quiz.setdefault(lesson, answers)).quiz[lesson]


def entries() -> Progress:
    """All that is known of this learner."""
    return _change(lambda progress: None)


def place() -> Path | None:
    """The file that progress is kept in; None where nothing outlives the session."""
    named = os.environ.get("COURSE_PROGRESS", "")
    # What nbgrader runs are other people's answers.
    if named == "off" or "NBGRADER_EXECUTION" in os.environ:
        return None
    if named:
        path = Path(named).expanduser().resolve()
        return path / "progress.json" if path.is_dir() else path
    if on_colab() and DRIVE.is_dir():
        return DRIVE / "multimodal_course" / "progress.json"
    return course_root() / "progress.json"


def lasts() -> bool:
    """Whether what is recorded now outlives the session."""
    path = place()
    fleeting = path in _in_memory or path is None
    return not fleeting and not (on_colab() and DRIVE not in path.parents)


def on_colab() -> bool:
    """Whether this machine is one of Colab's, which are wiped when a session ends."""
    return "COLAB_RELEASE_TAG" in os.environ


# --- the file ------------------------------------------------------------------------------------


def _change(alter: Callable[[Progress], Any]) -> Progress:
    """Read what is known, alter it, keep it if that changed something, and give it back."""
    path = place()
    if path is None or path in _in_memory:
        progress = _in_memory.setdefault(path, Progress())
        alter(progress)
        return copy.deepcopy(progress)
    progress = Progress()
    try:
        with _alone(path):
            progress = _read(path)
            before = copy.deepcopy(progress)
            alter(progress)
            if progress != before:
                _write(path, progress)
    except OSError as error:
        _say_once(
            f"Your progress cannot be kept in {path} ({error.strerror or error}): it counts until "
            "this kernel ends. Set COURSE_PROGRESS to a file that can be written."
        )
        alter(progress)  # it may have been: each alteration made twice is the same as made once
        _in_memory[path] = progress
    return copy.deepcopy(progress)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other notebooks from the file, so that none overwrites what another has just written.

    A lock is the operating system's and ends with its owner. Where locks cannot be had (some
    network drives) or one is held for long (a notebook that was halted), we go on without.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(open(path.with_name(f"{path.name}.lock"), "a"))
            until = time.monotonic() + PATIENCE
            while not _lock(lock) and time.monotonic() < until:
                time.sleep(0.02)
        yield


def _lock(file: IO) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(path: Path) -> Progress:
    """What the file holds; one that cannot be used is put aside, and said so."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Progress()
    except (ValueError, RecursionError):
        held = None
    try:
        return _progress_of(held)
    except (TypeError, ValueError, LookupError, OverflowError):
        newer = isinstance(held, dict) and isinstance(held.get("format"), int)
        newer = newer and held["format"] > FORMAT
    aside = _free_name(path)
    path.replace(aside)
    why = "was written by a newer version of the course" if newer else "is damaged"
    _say_once(f"{path} {why}: your progress starts afresh, and the old file is kept as {aside}.")
    return Progress()


def _free_name(path: Path) -> Path:
    names = (
        path.with_name(f"{path.stem}-old-{number}{path.suffix}") for number in range(1, 10_000)
    )
    return next(name for name in names if not name.exists())


def _write(path: Path, progress: Progress) -> None:
    """Write the file whole, or leave the one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    text = json.dumps({"format": FORMAT, **asdict(progress)}, indent=1)
    try:
        with open(part, "w", encoding="utf-8", newline="\n") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _progress_of(held: Any) -> Progress:
    """Progress from what JSON gave. Raises TypeError or ValueError unless it is all of its form."""
    if held["format"] != FORMAT:
        raise ValueError("another format")
    solved = [_text(name) for name in _a(list, held["solved"])]
    guesses = {name: _guess_of(_a(dict, each)) for name, each in _a(dict, held["guesses"]).items()}
    quiz = {name: _text(answers) for name, answers in _a(dict, held["quiz"]).items()}
    return Progress(solved, guesses, quiz)


def _guess_of(held: dict[str, Any]) -> Guess:
    guess = Guess(**{each.name: held[each.name] for each in fields(Guess)})
    for value in (guess.answer, guess.later, guess.came):
        if value is not None and not isinstance(value, str):
            _number(value)
    if guess.unit is not None and _number(guess.unit) < 0:
        raise ValueError("a negative difference")
    if guess.near is not None:
        _a(bool, guess.near)
    return guess


def _a(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"not a {kind.__name__}")
    return value


def _text(value: Any) -> str:
    return _a(str, value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("not a number")
    return value


def _say_once(sentence: str) -> None:
    if sentence not in _said:
        _said.add(sentence)
        print(sentence)
