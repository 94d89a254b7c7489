"""A Python process that is asked one thing after the other, over its pipes.

Who asks is never harmed by who answers: what comes back is JSON text, a process that ends or
takes too long is said to have done so, and the next question finds a fresh one.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import course_utils

_START_SECONDS = 180.0  # importing torch, on a machine that has much else to do
_LONGEST = 200_000_000  # characters of an answer


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
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except OSError:
            self.stop()
            raise Ended from None
        return self._answer(seconds)

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
        self._answer(_START_SECONDS)

    def _answer(self, seconds: float) -> Any:
        try:
            line = self._answers.get(timeout=seconds)
            if line is not None:
                return json.loads(line)
        except Empty:
            self.stop()
            raise TooSlow from None
        except (ValueError, RecursionError):  # somebody else wrote into the pipe
            pass
        except BaseException:  # the stop button: an answer that comes later is nobody's
            self.stop()
            raise
        self.stop()
        raise Ended


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


def serve(answer: Callable[[dict], Any]) -> None:
    """Answer questions from the standard input until it closes; what else is printed is dropped.

    The pipes are put out of the way first: code that is run here may print and may read.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    with (
        os.fdopen(source, encoding="utf-8") as questions,
        os.fdopen(sink, "w", encoding="utf-8") as answers,
    ):
        _say(answers, "ready")
        for line in questions:
            _say(answers, answer(json.loads(line)))


def _say(pipe, value: Any) -> None:
    pipe.write(json.dumps(value) + "\n")
    pipe.flush()
