"""A Python process that is asked one thing after the other, over its pipes.

Who asks is never harmed by who answers: what comes back is JSON text, a process that ends or
takes too long is said to have done so, and the next question finds one that works.
"""

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NoReturn

import course_utils

_START_SECONDS = 180.0  # importing torch, on a machine that has much else to do
_GRACE = 5.0  # seconds for a process to say that the time is up, before it is ended
_LONGEST = 200_000_000  # characters of an answer
# A fork is a fresh process at once. Elsewhere than on Linux it may crash (macOS) or is not there.
CAN_FORK = sys.platform == "linux"


class Ended(Exception):
    """The process ended before it answered."""


class TooSlow(Exception):
    """No answer came in time; the process was ended."""


class Process:
    """A process that runs ``main`` of a module of this package; started at the first question.

    environment: variables that it gets besides those that are here.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None):
        self._module, self._environment = module, dict(environment or {})
        self._process: subprocess.Popen | None = None
        self._answers: SimpleQueue[str | None] = SimpleQueue()

    def ask(self, question: Mapping[str, Any], seconds: float) -> Any:
        """Send a question and wait for its answer. Raises Ended or TooSlow."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        # No answer is taken for that to another question: nobody knows the number beforehand.
        number = secrets.token_hex(8)
        try:
            sent = json.dumps({"number": number, "seconds": seconds, "question": question})
            self._process.stdin.write(f"{sent}\n")
            self._process.stdin.flush()
        except OSError:
            self.stop()
            raise Ended from None
        answer = self._answer(number, time.monotonic() + seconds + _GRACE)
        if answer in (_ENDED, _LATE):
            raise Ended if answer == _ENDED else TooSlow
        return answer

    def stop(self) -> None:
        """End the process, whatever it is at."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()

    def _start(self) -> None:
        self.stop()
        # Neither variables of Python nor files beside the notebook decide what is imported.
        command = [sys.executable, "-E", "-P", "-c", _PROGRAM, _root(), self._module]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | self._environment,
            encoding="utf-8",
            start_new_session=True,  # the notebook's stop button is not meant for it
        )
        self._answers = SimpleQueue()
        reader = (self._process.stdout, self._answers)
        threading.Thread(target=_read, args=reader, daemon=True).start()
        self._answer("ready", time.monotonic() + _START_SECONDS)

    def _answer(self, number: str, deadline: float) -> Any:
        try:
            while (line := self._next_line(deadline)) is not None:
                came, text = json.loads(line)
                if came == number:
                    return json.loads(text)
        except Empty:
            self.stop()
            raise TooSlow from None
        except (ValueError, TypeError, RecursionError):  # somebody else wrote into the pipe
            pass
        except BaseException:  # the stop button: an answer that comes later is nobody's
            self.stop()
            raise
        self.stop()
        raise Ended

    def _next_line(self, deadline: float) -> str | None:
        return self._answers.get(timeout=max(deadline - time.monotonic(), 0.001))


def _root() -> str:
    return str(Path(course_utils.__file__).parents[1])


_PROGRAM = """\
import importlib, sys
sys.path.insert(0, sys.argv[1])
importlib.import_module(f"course_utils.exercises.{sys.argv[2]}").main()
"""


def _read(pipe, answers: SimpleQueue) -> None:
    """Pass lines on as they come, and None at the end."""
    try:
        while (line := pipe.readline(_LONGEST)).endswith("\n"):
            answers.put(line)
    except (OSError, ValueError):  # closed, or not a text
        pass
    answers.put(None)


# --- the side that answers -------------------------------------------------------------------

_ENDED, _LATE = {"came": "ended"}, {"came": "late"}


def serve(answer: Callable[[dict], Any], apart: bool = False) -> None:
    """Answer questions from the standard input until it closes; what else is printed is dropped.

    The pipes are put out of the way first: code that is run here may print and may read.
    apart: each answer is found in a fork of this process, where the system allows, so that none
    finds what another left behind.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    find = _answer_apart if apart and CAN_FORK else _answer_here
    with (
        os.fdopen(source, encoding="utf-8") as questions,
        os.fdopen(sink, "w", encoding="utf-8") as answers,
    ):
        _say(answers, json.dumps(["ready", "null"]))
        for line in questions:
            sent = json.loads(line)
            text = find(answer, sent["question"], sent["seconds"], (source, sink))
            _say(answers, json.dumps([sent["number"], text]))


def _say(pipe, text: str) -> None:
    pipe.write(text + "\n")
    pipe.flush()


def _answer_here(answer, question, *_) -> str:
    return json.dumps(answer(question))


def _answer_apart(answer, question, seconds, pipes) -> str:
    """The text of an answer that a fork finds, or of why there is none."""
    ours, theirs = os.pipe()
    fork = os.fork()
    if fork == 0:
        _be_the_fork(theirs, answer, question, (ours, *pipes))
    os.close(theirs)
    try:
        return _read_line(ours, time.monotonic() + seconds)
    finally:
        os.close(ours)
        for end in (os.kill, os.killpg):  # what it started goes with it
            with contextlib.suppress(OSError):
                end(fork, signal.SIGKILL)
        os.waitpid(fork, 0)


def _be_the_fork(pipe, answer, question, not_mine) -> NoReturn:
    try:
        os.setpgid(0, 0)
        for number in not_mine:
            os.close(number)
        with os.fdopen(pipe, "w", encoding="utf-8") as answers:
            _say(answers, _answer_here(answer, question))
    finally:
        os._exit(0)


def _read_line(pipe: int, deadline: float) -> str:
    """What a pipe gives up to the end of the line; ``_ENDED`` or ``_LATE`` where that is missing.

    Something that the fork started may hold the pipe open, so its end is not waited for.
    """
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([pipe], [], [], left)[0]:
            continue
        parts.append(os.read(pipe, 1 << 20))
        if parts[-1].endswith(b"\n"):
            return b"".join(parts).decode("utf-8", "replace").strip().replace("\n", " ")
        if not parts[-1] or sum(map(len, parts)) > _LONGEST:
            return json.dumps(_ENDED)
    return json.dumps(_LATE)
