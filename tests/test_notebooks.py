"""nbval turns red where a lesson breaks: a cell, a claim, a widget, a tagged output."""

import os
import subprocess
import sys
from xml.etree import ElementTree

import nbformat
import pytest

from course_utils.commands import BOTH_FORMS, FORMS

TROUBLES = {
    "good": ("import course_utils", "print(6 * 7)"),
    "broken_cell": ("import course_utils", "1 / 0"),
    "false_claim": ("from course_utils import claim", "claim('two is more than three', 2 > 3)"),
    "raising_widget": (
        "from ipywidgets import interact",
        "def draw(x):\n    raise ValueError(x)\n\ninteract(draw, x=(0, 3));",
    ),
    "changed_output": ("import course_utils", "print(6 * 8)"),
}


def cell_of(text):
    """A cell; one that prints is tagged and says that it printed 42."""
    cell = nbformat.v4.new_code_cell(text, execution_count=1)
    if "print" in text:
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="42\n")]
        cell.metadata.tags = ["nbval-check-output"]
    return cell


def outcomes(root, folder):
    """``{notebook: [whether each cell passed]}`` of the run that ``make test`` makes."""
    report = folder / "report.xml"
    arguments = [sys.executable, *BOTH_FORMS, f"--junitxml={report}", *FORMS]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    run = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True)
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname").removesuffix(".ipynb").split(".")[-1]
        found.setdefault(name, []).append(not len(case))
    assert run.returncode == 1
    return found, run.stdout


@pytest.mark.slow
def test_each_kind_of_trouble_turns_its_cell_red_and_nothing_else_does(root, tmp_path):
    cells = [cell_of(text) for pair in TROUBLES.values() for text in pair]
    write(tmp_path / "solutions" / "troubles.ipynb", cells)
    # In one run, what is solved runs at full size and what is not as a smoke run.
    switch = "import os\nassert os.environ['COURSE_SMOKE'] == '{}'"
    write(tmp_path / "solutions" / "solved.ipynb", [cell_of(switch.format(0))])
    write(tmp_path / "notebooks" / "unsolved.ipynb", [cell_of(switch.format(1))])
    found, said = outcomes(root, tmp_path)
    expected = [passes for name in TROUBLES for passes in (True, name == "good")]
    assert found == {"troubles": expected, "solved": [True], "unsolved": [True]}
    for reason in ("ZeroDivisionError", "claim does not hold", "ValueError", "outputs differ"):
        assert reason in said


def write(path, cells):
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
