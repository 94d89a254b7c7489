"""What nbgrader does with the course's notebooks: judge the answers' text, then run the cells.

`make grade` writes a configuration that puts ``JudgeAndRun`` in the place of nbgrader's own step. A
cell can replace what the notebook's process shows as a result; it cannot reach a verdict that is
found here, in a process in which no cell runs.
"""

import json
import re

from nbclient.exceptions import DeadKernelError
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade

from course_utils.exercises import grading
from course_utils.exercises.core import RIGHT, Verdict
from course_utils.exercises.telling import plain

_GRADED = re.compile(r'^check\("(\w+)", grade=True\)$', re.MULTILINE)


class JudgeAndRun(Execute):
    """Judges each exercise from the cells above its check, runs all cells, and shows the verdicts.

    Where a cell ends the kernel, the cells below it are not run, and are judged all the same.
    """

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Run the notebook in place; each graded cell ends in a sentence and in 1 or 0."""
        verdicts = _verdicts(nb)
        nb.cells.insert(0, _told_to_the_kernel(verdicts))  # so that nothing is judged twice
        try:
            nb, resources = super().preprocess(nb, resources)
        except DeadKernelError:
            self.log.warning("A cell ended the kernel; the cells below it were not run.")
        finally:
            del nb.cells[0]
        for cell in nb.cells:
            if name := _graded(cell):
                cell.outputs = _outputs(name, verdicts[name])
        return nb, resources


def _verdicts(nb: NotebookNode) -> dict[str, Verdict]:
    found: dict[str, Verdict] = {}
    above: list[str] = []
    for cell in nb.cells:
        if name := _graded(cell):
            found[name] = grading.verdict(name, above)
        elif cell.cell_type == "code":
            above.append(cell.source)
    return found


def _graded(cell: NotebookNode) -> str | None:
    """The name of the exercise that a cell grades; nbgrader has put its locked text back."""
    found = _GRADED.search(cell.source) if is_grade(cell) else None
    return found and found[1]


def _told_to_the_kernel(verdicts: dict[str, Verdict]) -> NotebookNode:
    written = json.dumps({name: vars(verdict) for name, verdict in verdicts.items()})
    return new_code_cell(
        f"from course_utils.exercises import grading as _grading\n_grading.know({written!r})"
    )


def _outputs(name: str, verdict: Verdict) -> list[NotebookNode]:
    told = plain(f"{verdict.kind}: `{name}`. {verdict.sentence}", verdict.details)
    points = str(int(verdict.kind == RIGHT))
    return [
        new_output("display_data", {"text/plain": told}),
        new_output("execute_result", {"text/plain": points}, execution_count=None),
    ]
