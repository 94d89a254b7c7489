"""What the graded form promises: points for right answers alone, whatever a notebook does."""

import base64
import contextlib
import csv
import functools
import io
import os
import subprocess
import sys
import time
from copy import deepcopy

import nbformat
import numpy as np
import pytest
import test_exercises as authored
import torch
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.preprocessors import ExecutePreprocessor
from nbgrader.utils import determine_grade

from course_utils import authoring, check, exercises
from course_utils.exercises import core, grading, processes, wire
from course_utils.exercises.cells import find_answer
from course_utils.exercises.difference import difference
from course_utils.exercises.running import Outcome, Unfit

NAME = "conv_output_size"  # of lesson 01: whole numbers in, a whole number out
RIGHT = f"""\
def {NAME}(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
"""
WRONG = f"def {NAME}(*sizes):\n    return 1\n"
EMPTY = f"def {NAME}(*sizes):\n    # Your code here.\n    raise NotImplementedError\n"


def inside(statements, first="pass"):
    """A cell whose function does these things and returns a wrong answer."""
    return f"{first}\ndef {NAME}(*sizes):\n" + "".join(
        f"    {line}\n" for line in [*statements.splitlines(), "return 1"]
    )


# --- a verdict from the text of the cells ----------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([RIGHT], "Right"),
        ([WRONG], "Wrong"),
        ([EMPTY], "Not attempted"),
        ([], "Not attempted"),
        ([RIGHT, WRONG], "Wrong"),  # the last one counts
        ([WRONG, RIGHT, f"{NAME} = check({NAME})"], "Right"),
        ([RIGHT, f"def {NAME}(size) return 1"], "Wrong"),
        (["half = 1 // 2 + 1\n", RIGHT.replace("+ 1", "+ half")], "Right"),
        (["def one():\n    return 1\n", RIGHT.replace("+ 1", "+ one()")], "Right"),
        (["import math as m", "%pip list", RIGHT.replace("+ 1", "+ m.ceil(.5)")], "Right"),
        ([RIGHT + "1 / 0"], "Right"),  # a trial below the function fails
        ([RIGHT.replace("def", "@functools.cache\ndef", 1).replace("@", "import functools\n@")],
         "Right"),
        ([RIGHT.replace(":\n    return", ":").replace("(", "", 1).replace("):", ":", 1)
          .replace(f"def {NAME}", f"{NAME} = lambda ")], "Right"),
    ],
)  # fmt: skip
def test_the_answer_is_what_the_cells_say(cells, kind):
    assert grading.verdict(NAME, cells).kind == kind


def test_a_syntax_error_is_told_with_its_line():
    sentence = grading.verdict(NAME, [f"x = 1\ndef {NAME}(size) return 1"]).sentence
    assert "not Python" in sentence
    assert "line 2" in sentence


def test_an_unsolved_exercise_takes_no_point_from_a_later_one():
    stub = "def cross_correlate2d(image, kernel):\n    raise NotImplementedError"
    chained = (
        "def convolve2d(image, kernel):\n    return cross_correlate2d(image, kernel.flip(0, 1))"
    )
    verdict = grading.verdict("convolve2d", [stub, chained])
    assert verdict.kind == "Right", verdict
    itself = "def cross_correlate2d(image, kernel):\n    return cross_correlate2d(image, kernel)"
    assert grading.verdict("cross_correlate2d", [itself]).kind == "Wrong"


def test_what_an_answer_does_not_use_is_not_run():
    cells = ["import time\nslow = time.sleep(60)", "for _ in iter(int, 1):\n    pass", RIGHT]
    started = time.monotonic()
    assert grading.verdict(NAME, cells).kind == "Right"
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("name", authored.NAMES)
def test_every_lessons_solution_is_right_in_the_other_process_and_its_stub_is_not(name):
    module = exercises.declared()[name]
    cells = [source for source, tags in authored.lesson_cells(module) if "check" not in tags]
    (place,) = [
        i for i, cell in enumerate(cells) if "SOLUTION" in cell and authored.defines(cell, name)
    ]
    above, solved = cells[:place], cells[place]
    stub = authored._SOLUTION.sub(r"\1raise NotImplementedError", solved)
    verdict = grading.verdict(name, [*above, solved], seed=3)
    assert verdict.kind == "Right", verdict
    assert grading.verdict(name, [*above, stub], seed=3).kind == "Not attempted"


@pytest.mark.parametrize("name", authored.BY_REFERENCE)
def test_the_cases_of_every_exercise_arrive_as_they_were(name):
    exercise = exercises.find(name)
    cases = exercise.draw(5)
    expected = exercise.run(exercise.reference, cases, 5)
    arrived = exercise.run(exercise.reference, wire.unpack(wire.pack(cases)), 5)
    assert core.same_outcomes(exercise, arrived, expected)


HOSTILE = {
    "ended": inside("import os; os._exit(0)"),
    "ended above": "import os; os._exit(0)\n" + RIGHT,
    "sys.exit": inside("import sys; sys.exit(0)"),
    "killed its parent": inside("import os, signal; os.kill(os.getppid(), signal.SIGKILL)"),
    "reference looked up": inside(
        f"from course_utils.exercises import find; return find('{NAME}').reference(*sizes)"
    ),
    "check kept": f"from course_utils import check\n{EMPTY}kept = check({NAME})\n"
    + inside("return kept(*sizes)"),
    "comparison replaced": inside(
        "import torch, course_utils.exercises.core as core\n"
        "import course_utils.exercises.difference as d\n"
        "d.difference = core.difference = lambda *a, **k: None\n"
        "torch.isclose = torch.allclose = torch.equal = lambda *a, **k: True\n"
        "core.judge = lambda *a: core.Verdict('Right', '')"
    ),
    "frames searched": inside(
        "import gc, sys\n"
        "frame, found = sys._getframe(), gc.get_objects()\n"
        "while frame:\n"
        "    found += [*frame.f_locals.values(), *frame.f_globals.values()]\n"
        "    frame = frame.f_back\n"
        "for each in found:\n"
        "    try:\n"
        "        return each.reference(*sizes)\n"
        "    except Exception:\n"
        "        pass"
    ),
    "answer forged": inside(
        "import json, os\n"
        "line = json.dumps({'kind': 'Right', 'sentence': '', 'outcomes': []}) + chr(10)\n"
        "for number in range(3, 60):\n"
        "    try:\n"
        "        os.write(number, line.encode())\n"
        "    except OSError:\n"
        "        pass"
    ),
    "builtins replaced": inside(
        "import builtins\n"
        "builtins.isinstance = builtins.all = builtins.bool = lambda *a: True\n"
        "builtins.len = builtins.int = lambda *a: 1"
    ),
    "equal to all": inside(
        "class Any(int):\n    __eq__ = __le__ = lambda *a: True\n    __hash__ = None\nreturn Any(1)"
    ),
    "pickle": inside(
        "class Bomb:\n    def __reduce__(self):\n        return (print, ('run',))\nreturn Bomb()"
    ),
    "huge": inside("print('x' * 10**7); return [0] * 10**7"),
    "deep": inside("deep = []\nfor _ in range(10**5): deep = [deep]\nreturn deep"),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_answer_gets_nothing_and_the_next_one_its_due(how):
    assert grading.verdict(NAME, [HOSTILE[how]]).kind != "Right"
    assert grading.verdict(NAME, [RIGHT]).kind == "Right"


def test_a_loop_that_cannot_be_stopped_from_inside_is_ended():
    loop = inside("import signal\nsignal.setitimer(signal.ITIMER_REAL, 0)\nwhile True:\n    pass")
    verdict = grading.verdict(NAME, [loop])
    assert (verdict.kind, "10 seconds" in verdict.sentence) == ("Wrong", True)


def test_what_an_answer_leaves_behind_is_gone_at_the_next():
    stays = RIGHT.replace("    return", "    import torch; torch.kept = 1\n    return", 1)
    reads = RIGHT.replace("    return", "    import torch; torch.kept\n    return", 1)
    assert grading.verdict(NAME, [stays]).kind == "Right"
    assert "no attribute 'kept'" in grading.verdict(NAME, [reads]).sentence


def test_a_course_at_fault_gives_no_point_and_no_traceback():
    assert grading.verdict("no_such_exercise", ["def no_such_exercise(): pass"]).kind == "Wrong"


# --- values between processes ----------------------------------------------------------------

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@given(PLAIN)
@settings(max_examples=60, deadline=None)
def test_plain_values_arrive_as_they_were(value):
    arrived = wire.decode(wire.encode(value))
    assert repr(arrived) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        torch.randn(2, 3),
        torch.tensor(2.5),
        torch.zeros(0, 4),
        torch.tensor([True, False]),
        torch.ones(2, dtype=torch.bfloat16),
        torch.randn(3, 4).T,
        torch.randn(2, dtype=torch.complex64).conj(),
        np.arange(6).reshape(2, 3),
        np.float32(0.5),
        np.array(["a", "bc"]),
        {1, 2},
        range(3),
    ],
    ids=str,
)
def test_tensors_and_arrays_arrive_as_they_were(value):
    arrived = wire.decode(wire.encode(value))
    assert type(arrived) is type(value)
    assert difference(arrived, value, rtol=0, atol=0) is None


def test_a_tensor_keeps_whether_it_carries_a_gradient():
    assert wire.decode(wire.encode(torch.ones(2, requires_grad=True) * 2)).requires_grad


def test_of_what_is_not_plain_only_the_class_arrives():
    arrived = wire.decode(wire.encode([torch.nn.Linear(1, 1)]))[0]
    assert type(arrived).__name__ == "Linear"
    assert not hasattr(arrived, "forward")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(wire._READERS)), inner),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_whatever_comes_back_is_read_or_refused(written):
    for read in (wire.decode, wire.decode_outcome):
        with contextlib.suppress(ValueError):
            read(written)


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError(), Unfit("No."), ZeroDivisionError("a")]
)
def test_an_error_arrives_with_its_class_text_and_line(error):
    source = "x = 1\nraise error"
    namespace = {"error": error}
    with contextlib.suppress(type(error)):
        authored.execute(source, namespace)
    outcome = wire.decode_outcome(wire.encode_outcome(Outcome(error=error)))
    assert (type(outcome.error), str(outcome.error)) == (type(error), str(error))
    assert core.own_line(outcome.error) == (2, "raise error")


@pytest.mark.parametrize(
    ("cells", "name", "above"),
    [
        (["a = 1", "b = a", "c = 2", "def f():\n    return b"], "f", ("a = 1", "b = a")),
        (["x = 1", "def f(x):\n    return x"], "f", ()),
        (["f = check(f)", "def f():\n    pass", "f = check('f')"], "f", ()),
        (["class A: pass", "class B(A): pass", "class f(B): pass"], "f",
         ("class A:\n    pass", "class B(A):\n    pass")),
    ],
)  # fmt: skip
def test_an_answer_rests_on_what_it_uses(cells, name, above):
    assert find_answer(cells, name).above == above


# --- in a script -----------------------------------------------------------------------------


def test_in_a_script_the_score_is_1_or_0_and_the_name_can_be_called(capsys):
    space = {"check": check}
    exec(f"{EMPTY}{NAME} = check({NAME}, grade=True)", space)
    assert space[NAME] == 0
    assert space[NAME](48, 3) == 46  # the stand-in
    exec(f"{RIGHT}score = check('{NAME}', grade=True)", space)
    assert space["score"] == 1
    assert space[NAME](48, 3) == 46
    exec(f"{WRONG}score = check('{NAME}', grade=True)", space)
    assert space["score"] == 0
    assert space[NAME](48, 3) == 46
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize("nothing", [None, 3, "absent", print])
def test_grading_raises_nothing(nothing):
    assert check(nothing, grade=True) == 0


def test_an_undefined_name_gets_the_stand_in():
    space = {"check": check}
    exec(f"score = check('{NAME}', grade=True)", space)
    assert space["score"] == 0
    assert space[NAME](48, 3) == 46
