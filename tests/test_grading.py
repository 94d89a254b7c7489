"""What the graded form promises: points for right answers alone, whatever a notebook does."""

import ast
import contextlib
import csv
import dataclasses
import functools
import io
import os
import re
import subprocess
import sys
import time

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
from course_utils.exercises import core, grading, wire
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
        ([RIGHT, f"def {NAME}(size) return 1"], "Not attempted"),
        (["half = 1 // 2 + 1\n", RIGHT.replace("+ 1", "+ half")], "Right"),
        (["def one():\n    return 1\n", RIGHT.replace("+ 1", "+ one()")], "Right"),
        (["import math as m", "%pip list", RIGHT.replace("+ 1", "+ m.ceil(.5)")], "Right"),
        (["from math import *", RIGHT.replace("+ 1", "+ ceil(.5)")], "Right"),
        (["%%time\n" + RIGHT], "Right"),
        (["%matplotlib inline\n!ls\ndisplay(1)\n" + RIGHT], "Right"),
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
    assert "Python cannot read" in sentence
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
    exercise = dataclasses.replace(exercises.find(name), seconds=120)
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


def test_no_answer_runs_in_the_process_that_judges_or_in_the_notebooks(tmp_path):
    log = tmp_path / "processes"
    writes = f"import os\nwith open({str(log)!r}, 'a') as file: file.write(f'{{os.getpid()}} ')"
    for cell in (inside(writes), f"{writes}\n{RIGHT}", inside(f"{writes}\n1 / 0")):
        grading.verdict(NAME, [cell])
    ran = set(map(int, log.read_text().split()))
    assert len(ran) >= 3
    assert not ran & {os.getpid(), grading._judging._process.pid}


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
        torch.arange(6.0).view(2, 3) / 7,
        torch.tensor(2.5),
        torch.zeros(0, 4),
        torch.tensor([True, False]),
        torch.ones(2, dtype=torch.bfloat16),
        torch.arange(12.0).view(3, 4).T,
        torch.tensor([1 + 2j, -0.5j]).conj(),
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


IN_A_SCRIPT = [
    (1, RIGHT),
    (1, "import math as m\nONE = 1\ndef one():\n    return ONE * m.ceil(0.5)\n"
        + RIGHT.replace("+ 1", "+ one()")),
    (0, WRONG),
    (0, f"{EMPTY}kept = check({NAME})\ndef {NAME}(*sizes):\n    return kept(*sizes)"),
    (0, WRONG + "from course_utils.exercises import core\n"
        "core.wrong_trials = core.difference = lambda *a, **k: None"),
]  # fmt: skip


@pytest.mark.parametrize(("points", "cell"), IN_A_SCRIPT)
def test_a_script_that_keeps_its_cells_text_is_graded_by_it(points, cell, monkeypatch):
    monkeypatch.setattr(core, "wrong_trials", core.wrong_trials)
    monkeypatch.setattr(core, "difference", core.difference)
    space = {"check": check, "__name__": "script"}
    authored.execute(cell, space)
    assert check(space[NAME], seed=3, grade=True) == points


@pytest.mark.parametrize("nothing", [None, 3, "absent", print])
def test_grading_raises_nothing(nothing):
    assert check(nothing, grade=True) == 0


def test_an_undefined_name_gets_the_stand_in():
    space = {"check": check}
    exec(f"score = check('{NAME}', grade=True)", space)
    assert space["score"] == 0
    assert space[NAME](48, 3) == 46


# --- in a notebook's kernel, without the course's own autograder -------------------------------

LOCKED = f'from course_utils import check\n\ncheck("{NAME}", grade=True)'
IN_THE_KERNEL = [
    (0, "check = lambda fn, **k: 1"),
    (0, "import course_utils.exercises.core as core\n"
        "core.judge = lambda *a: core.Verdict('Right', 'So it is.')"),
    (0, "import torch\nimport course_utils.exercises.difference as difference\n"
        "difference.difference = core.difference = lambda *a, **k: None\n"
        "torch.isclose = torch.allclose = torch.equal = lambda *a, **k: torch.tensor(True)"),
    (0, f"from course_utils import check\nkept = check('{NAME}')\n"
        + inside("return kept(*sizes)")),
    (0, "import os\nos.environ.pop('NBGRADER_EXECUTION', None)"),
    (0, inside("import sys; sys.displayhook(1); display(1); return 1", "display(1)")),
    (0, "def publish(*_):\n    import sys\n    sys.displayhook(1)\n    print(1)\n"
        "get_ipython().events.register('pre_run_cell', publish)"),
    (0, "import builtins\nbuiltins.kept_len = builtins.len\nbuiltins.print = lambda *a, **k: 1"),
    (0, inside("import os; os._exit(0)")),
    (0, "In.clear()\nimport course_utils.exercises.core as core\n"
        "core.wrong_trials = lambda *a: []"),
    (0, inside("raise SystemExit")),
    (0, f"def {NAME}(size) return 1"),
    (0, inside("import sys; print('x' * 10**6, file=sys.stderr); return 1")),
    (1, RIGHT.replace("    return", "    import sys, os, warnings; warnings.warn('old')\n"
        "    print('loud', file=sys.stderr); os.write(2, b'below')\n    return")),
    (1, RIGHT + "import sys\nprint('a line on stderr', file=sys.stderr)"),
    (1, "import threading, time\ndef late():\n    import os\n    for _ in range(20):\n"
        "        os.write(2, b'late'); time.sleep(0.01)\n"
        "threading.Thread(target=late).start()\n" + RIGHT),
    (1, f"{RIGHT}\n{NAME} = lambda *sizes: 0\ndel {NAME}\n{RIGHT}"),
]  # fmt: skip


@pytest.mark.slow
def test_in_a_kernel_nothing_that_a_cell_replaced_or_printed_decides_the_score():
    notebook = nbformat.v4.new_notebook()
    for _, hostile in IN_THE_KERNEL:
        answer = [] if NAME in hostile else [nbformat.v4.new_code_cell(WRONG)]
        cells = [nbformat.v4.new_code_cell(text) for text in (hostile, LOCKED)]
        notebook.cells += [*answer, *cells]
    notebook.cells.append(nbformat.v4.new_code_cell(f"{NAME}(48, 3)"))
    ExecutePreprocessor(timeout=120, allow_errors=True).preprocess(notebook)
    graded = [cell for cell in notebook.cells if cell.source == LOCKED]
    points = [points_of(cell) for cell in graded]
    assert points == [wanted for wanted, _ in IN_THE_KERNEL]
    assert not any(output.output_type == "error" for cell in graded for output in cell.outputs)
    assert all("display_data" in {o.output_type for o in cell.outputs} for cell in graded)
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "46"


def points_of(cell):
    """What nbgrader gives for a cell worth one point."""
    cell = nbformat.from_dict(cell | {"metadata": {"nbgrader": authoring._nbgrader("x", True)}})
    return determine_grade(cell)[0]


# --- the real nbgrader, as `make grade` says ---------------------------------------------------

TINY = f"""\
# ---
# jupyter:
#   lesson:
#     title: Sizes
#     minutes: {{read: 1, exercises: 1}}
# ---

# %% [markdown]
# # Sizes

# %%
from course_utils import check

# %% tags=["exercise"]
def {NAME}(size, kernel_size, stride=1, padding=0, dilation=1):
    ### BEGIN SOLUTION
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
    ### END SOLUTION


# %% tags=["check"]
{NAME} = check({NAME})

# %%
print({NAME}(48, 3))
"""
SHELL = "shell = get_ipython()\n"
SUBMISSIONS = {
    "empty": (0, None),
    "right": (1, RIGHT),
    "wrong": (0, WRONG),
    "loud": (1, RIGHT + "import sys\nprint('a warning', file=sys.stderr)"),
    "own check": (0, WRONG + "check = lambda fn, **k: 1"),
    "course's check": (0, WRONG + "import course_utils\ncourse_utils.check = lambda *a, **k: 1"),
    "grading replaced": (
        0,
        WRONG + "from course_utils.exercises import grading, processes\n"
        "grading.score = lambda *a: 1\nprocesses.Process.ask = lambda *a: "
        "{'kind': 'Right', 'sentence': '', 'details': []}\n"
        "import os, subprocess\nsubprocess.Popen = None\ndel os.environ['NBGRADER_EXECUTION']",
    ),
    "kept stand-in": (0, HOSTILE["check kept"]),
    "kernel ended": (0, "import os; os._exit(0)\n" + WRONG),
    "result published": (0, WRONG + SHELL + "shell.events.register('pre_run_cell', "
        "lambda *a: shell.displayhook(1))"),
    "nothing published": (0, WRONG + SHELL + "type(shell.displayhook).__call__ = "
        "lambda self, value=None: None"),
    "cell rewritten": (0, WRONG + SHELL + "shell.input_transformers_post.append("
        "lambda lines: ['1'] if 'grade=True' in ''.join(lines) else lines)"),
    "builtins": (0, WRONG + "import builtins\nkept = builtins.__import__\n"
        "builtins.__import__ = lambda name, *a: __import__('types').SimpleNamespace("
        "check=lambda *a, **k: 1) if name == 'course_utils' else kept(name, *a)"),
    "frames and a flood": (0, HOSTILE["frames searched"] + "print('x' * 10**6)"),
}  # fmt: skip


def write_tiny(root):
    for name, text in {
        "solutions/01_sizes.py": TINY,
        "data/lessons.toml": 'lessons = [{ number = "01", title = "Sizes" }]\n',
        "pyproject.toml": '[tool.course]\nrepository = ""\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def hand_in(course, lesson, student, change, release=None):
    """Submit a release whose cells ``change`` has changed in place."""
    path = release or course / "release" / lesson / f"{lesson}.ipynb"
    release = nbformat.read(path, as_version=4)
    release.cells = [cell for cell in release.cells if change(cell) is not False]
    folder = course / "submitted" / student / lesson
    folder.mkdir(parents=True)
    nbformat.write(release, folder / f"{lesson}.ipynb")


def printed(lines):
    """Start what `make grade` says to type."""
    settings = {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1", "COURSE_SMOKE": "1"}
    return subprocess.Popen(
        " && ".join(lines),
        shell=True,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(running):
    for process in running:
        said = process.communicate()[0]
        assert process.returncode == 0, said[-3000:]


def scores(course):
    with (course / "grades.csv").open(encoding="utf-8") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


FOURTH = [name for name, module in exercises.declared().items() if module == "lesson04"]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The folders of the tiny course and of lesson 04, graded side by side."""
    home = tmp_path_factory.mktemp("graded here")
    tiny, course = home / "tiny course", home / "whole"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        authoring.grade(write_tiny(home / "tiny"), tiny)
    commands = said.getvalue().splitlines()
    with contextlib.redirect_stdout(io.StringIO()):
        authoring.grade(ROOT, course)
    (lesson,) = (path.stem for path in (course / "source").glob("04_*"))
    others = authoring.grading_commands(course, lesson)
    finish([printed(commands[:2]), printed(others[:2])])
    hand_in_tiny(tiny)
    hand_in_fourth(course, lesson)
    finish([printed([lines[0], *lines[2:]]) for lines in (commands, others)])
    return tiny, course, lesson


def hand_in_tiny(course):
    for student, (_, answer) in SUBMISSIONS.items():
        hand_in(course, "01_sizes", student, functools.partial(answered, {NAME: answer}))
    hand_in(course, "01_sizes", "check altered", altered)
    hand_in(course, "01_sizes", "check deleted", lambda cell: "grade=True" not in cell.source)


def hand_in_fourth(course, lesson):
    """The whole lesson as it is; the others without what is no exercise, which takes its time."""
    solved = {name: solution_cell(name) for name in FOURTH}
    hand_in(course, lesson, "empty", lambda cell: None)
    learners = course / "unsolved.ipynb"  # as they come in the handout
    whole = authoring.read_course(ROOT)
    (fourth,) = (each for each in whole.lessons if each.stem == lesson)
    nbformat.write(authoring.learner_form(whole, fourth), learners)
    hand_in(course, lesson, "right", functools.partial(answered_alone, solved), learners)
    wrong = {name: f"def {name}(*arguments):\n    return 1" for name in FOURTH}
    hand_in(course, lesson, "wrong", functools.partial(answered_alone, wrong))
    for name in FOURTH:
        hand_in(course, lesson, name, functools.partial(answered_alone, {name: solved[name]}))


def solution_cell(name):
    cells = authored.cells_tagged("lesson04", "exercise")
    return next(cell for cell in cells if authored.defines(cell, name))


def answered(answers, cell):
    """Put an answer into the cell of its exercise."""
    name = cell.metadata.get("nbgrader", {}).get("grade_id")
    if answers.get(name):
        cell.source = answers[name]


def answered_alone(answers, cell):
    """The same, and leave out what does more than define."""
    answered(answers, cell)
    if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
        cell.source = definitions(cell.source)
    return bool(cell.source)


def definitions(source):
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    kept = [each for each in ast.parse(source).body if isinstance(each, kinds)]
    return "\n".join(map(ast.unparse, kept))


def altered(cell):
    if "grade=True" in cell.source:
        cell.source = "1"


@pytest.mark.slow
def test_nbgrader_gives_points_for_right_answers_alone(graded):
    wanted = {student: points for student, (points, _) in SUBMISSIONS.items()}
    assert scores(graded[0]) == wanted | {"check altered": 0, "check deleted": 0}
    assert len(list((graded[0] / "feedback").rglob("*.html"))) == len(wanted) + 2


@pytest.mark.slow
def test_nbgrader_gives_each_exercise_of_a_lesson_its_point(graded):
    _, course, _ = graded
    alone = dict.fromkeys(FOURTH, 1)
    assert scores(course) == alone | {"empty": 0, "wrong": 0, "right": len(FOURTH)}


@pytest.mark.slow
def test_an_unsolved_lesson_runs_to_its_end_while_it_is_graded(graded):
    _, course, lesson = graded
    path = course / "autograded" / "empty" / lesson / f"{lesson}.ipynb"
    outputs = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", ())]
    assert len(outputs) > 2 * len(FOURTH)
    assert [o for o in outputs if o.output_type == "error"] == []


# --- the course without its solutions ----------------------------------------------------------


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handout") / "course"
    authoring.handout(ROOT, folder)
    return folder


def test_a_handout_holds_every_lesson_and_no_solution(handed_out):
    lessons = {path.stem for path in (ROOT / "solutions").glob("[0-9]*.py")}
    assert {path.stem for path in (handed_out / "notebooks").iterdir()} == lessons
    files = [path for path in handed_out.rglob("*") if path.is_file()]
    assert not [path for path in files if path.parent.name in ("solutions", "tests")]
    texts = {path: path.read_text(encoding="utf-8") for path in files if path.suffix == ".ipynb"}
    assert not [path.name for path, text in texts.items() if "BEGIN SOLUTION" in text]
    assert all("NotImplementedError" in texts[path] for path in texts)


def test_no_link_of_a_handouts_readme_leads_nowhere(handed_out):
    text = (handed_out / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert len(links) > 9
    assert [link for link in links if not (handed_out / link).exists()] == []


def test_in_a_handout_exercises_are_checked_and_solutions_are_said_to_be_elsewhere(handed_out):
    program = (
        f"from course_utils import check, solution, hint, exercises\nprint(exercises.__file__)\n"
        f"{RIGHT}\ncheck('{NAME}')\nsolution('{NAME}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=handed_out,
        env=os.environ | {"PYTHONPATH": str(handed_out)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    where, right, none = done.stdout.splitlines()
    assert where.startswith(str(handed_out))
    assert right.startswith("Right")
    assert "which is not in this copy of the course" in none


def test_a_handout_replaces_only_a_handout(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(authoring.BuildError, match="holds something else"):
        authoring.handout(ROOT, tmp_path)
    assert (tmp_path / "thesis.txt").exists()
