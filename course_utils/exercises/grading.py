"""``check(name, grade=True)``: the score of an exercise, for automatic grading.

Three processes take part. This one, a notebook's, gives the text of its cells away and shows what
comes back; ``judging`` draws cases and compares; ``attempts`` runs the answer. So nothing that a
cell above has replaced, printed or left behind decides the verdict. What it may have replaced is
this process's own way of asking for it and of showing a number: the autograder
(``course_utils.autograding``) therefore asks for itself, from a process in which no cell ran.
"""

import atexit
import contextlib
import io
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from course_utils.exercises import core, processes
from course_utils.exercises.sources import cells_of

_SECONDS = 600.0  # for one verdict; the limits of the exercise itself are far shorter
_judging = processes.Process("judging")
atexit.register(_judging.stop)
_known: dict[str, core.Verdict] = {}


class Score(int):
    """1 or 0. It can be called like the answer (or the stand-in) that it stands for.

    So ``name = check(name, grade=True)`` leaves a name that cells below can use.
    """

    fn: Callable

    def __new__(cls, points: bool, fn: Callable) -> "Score":
        """One point or none."""
        score = super().__new__(cls, points)
        score.fn = fn
        return score

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the answer, or the stand-in, makes of it."""
        return self.fn(*arguments, **named)


def verdict(name: str, cells: Sequence[str], seed: int | None = None) -> core.Verdict:
    """The verdict on the exercise ``name`` from a notebook's code cells, the check's left out.

    name: of an exercise of the course. seed: of the cases; a secret one where left out.
    Raises nothing: what goes wrong is a verdict too.
    """
    try:
        answer = _judging.ask({"name": name, "cells": list(cells), "seed": seed}, _SECONDS)
        return _read(answer)
    except processes.TooSlow:
        return core.Verdict(core.WRONG, f"No verdict within {_SECONDS:g} seconds.")
    except Exception as error:
        return core.Verdict(core.WRONG, f"There is no verdict ({type(error).__name__}).")


def know(verdicts: str) -> None:
    """Take verdicts that an autograder has found already, in JSON, instead of finding them here."""
    _known.update({name: _read(each) for name, each in json.loads(verdicts).items()})


def _read(written: dict) -> core.Verdict:
    return core.Verdict(**written | {"details": tuple(map(tuple, written["details"]))})


def score(exercise: core.Exercise, name: str, attempt: Any, seed: int | None = None) -> Score:
    """Show the verdict on an attempt and give its score; raises nothing but the stop button's.

    In a notebook the answer is what its cells say; in a script whose attempt has no text of its
    own it runs in this process. The score's ``fn`` is the attempt if right, else the stand-in.
    """
    _clear_output()
    with _quiet():
        given = _known.get(name) or _found_now(exercise, name, attempt, seed)
    right = given.kind == core.RIGHT
    with contextlib.suppress(Exception):  # a broken display costs nothing
        core.tell(name, given)
    usable = right and callable(attempt)
    return Score(right, attempt if usable else core.stand_in(exercise, name))


def _found_now(exercise, name, attempt, seed):
    in_notebook = _notebook() is not None
    cells = cells_so_far() if in_notebook else cells_of(attempt)
    if in_notebook or (cells and not core.is_stand_in(attempt)):
        return verdict(name, cells, seed)
    try:
        return core.judge(exercise, attempt, secrets.randbits(31) if seed is None else seed)
    except Exception as error:
        sentence = f"The answer could not be judged ({type(error).__name__})."
        return core.Verdict(core.WRONG, sentence)


# --- the notebook around it ------------------------------------------------------------------


def _notebook() -> Any:
    """IPython's shell with a kernel, or None in a script."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell if getattr(shell, "kernel", None) is not None else None


def cells_so_far() -> list[str]:
    """The text of the cells that were run before this one; empty where no notebook runs."""
    shell = _notebook()
    # Not `In`, which a cell may well have emptied.
    return list(map(str, shell.history_manager.input_hist_raw[1:-1])) if shell else []


def _clear_output() -> None:
    """Take away what was shown in this cell before: a grader takes the first number it meets."""
    if _notebook():
        from IPython.display import clear_output

        clear_output()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what is printed meanwhile, by Python and below it: one line costs a grade its points."""
    with contextlib.ExitStack() as stack:
        for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            stack.enter_context(redirect(io.StringIO()))
        kept = []
        with contextlib.suppress(OSError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            kept = [(number, os.dup(number)) for number in (1, 2)]
            for number, _ in kept:
                os.dup2(nothing, number)
            os.close(nothing)
        try:
            yield
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
