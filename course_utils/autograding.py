"""What nbgrader does with the course's notebooks: run each to its end, and judge from the text.

`make grade` writes a configuration that puts ``Run`` and ``Judge`` in the place of nbgrader's own
step. A cell can replace what the notebook's process shows as a result; it cannot reach a verdict
that is found here, in a process in which no cell ran.
"""

import re

from nbclient.exceptions import DeadKernelError
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    Execute,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    SaveAutoGrades,
)
from nbgrader.utils import is_grade

from course_utils.exercises import grading
from course_utils.exercises.core import RIGHT, Verdict
from course_utils.exercises.telling import plain

_GRADED = re.compile(r'^check\("(\w+)", grade=True\)$', re.MULTILINE)


class Run(Execute):
    """nbgrader's run of a submission; where a cell ends the kernel, the rest is judged still."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Run all cells in place, or as many as there is a kernel for."""
        try:
            return super().preprocess(nb, resources)
        except DeadKernelError:
            self.log.warning("A cell ended the kernel; the cells below it were not run.")
            return nb, resources


class Judge(NbGraderPreprocessor):
    """Puts the verdict on each exercise, found from the cells above, in place of what was shown."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Replace the output of each graded cell by a sentence and by 1 or 0."""
        above: list[str] = []
        for cell in nb.cells:
            if cell.cell_type == "code":
                if is_grade(cell) and (graded := _GRADED.search(cell.source)):
                    cell.outputs = _outputs(graded[1], grading.verdict(graded[1], above))
                above.append(cell.source)
        return nb, resources


def _outputs(name: str, verdict: Verdict) -> list[NotebookNode]:
    told = plain(f"{verdict.kind}: `{name}`. {verdict.sentence}", verdict.details)
    points = str(int(verdict.kind == RIGHT))
    return [
        new_output("display_data", {"text/plain": told}),
        new_output("execute_result", {"text/plain": points}, execution_count=None),
    ]


# nbgrader's own steps of autograding, but for the first.
STEPS = [
    Run,
    Judge,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]
