"""nbval turns red where a lesson breaks: a cell, a claim, a widget, a tagged output."""

import os
import subprocess
import sys
from xml.etree import ElementTree

import nbformat
import pytest

from course_utils.commands import NBVAL

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


def notebook_of(first, second):
    """Two cells; the second is tagged and claims that it printed 42."""
    cells = [nbformat.v4.new_code_cell(text, execution_count=1) for text in (first, second)]
    if "print" in second:
        cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="42\n")]
        cells[1].metadata.tags = ["nbval-check-output"]
    return nbformat.v4.new_notebook(cells=cells)


def outcomes(folder):
    """``{notebook: [whether each cell passed]}`` of the run that ``make test`` makes."""
    report = folder / "report.xml"
    arguments = [sys.executable, *NBVAL, f"--junitxml={report}", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    run = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True)
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname").removesuffix(".ipynb").split(".")[-1]
        found.setdefault(name, []).append(not len(case))
    assert run.returncode == 1
    return found, run.stdout


@pytest.mark.slow
def test_each_kind_of_trouble_turns_the_run_red_and_nothing_else_does(tmp_path):
    for name, (first, second) in TROUBLES.items():
        nbformat.write(notebook_of(first, second), tmp_path / f"{name}.ipynb")
    found, said = outcomes(tmp_path)
    assert found == {name: [True, name == "good"] for name in TROUBLES}
    for reason in ("ZeroDivisionError", "claim does not hold", "ValueError", "outputs differ"):
        assert reason in said
