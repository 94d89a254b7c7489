"""Do the lessons' claims hold on other processors? Runs each solution notebook as if on several.

    python benchmarks/claims.py [NN ...]

The number of threads and the instructions that the processor offers change the order in which
numbers are added up, and with it the last bits of a sum; a training run carries that further and
ends elsewhere, as it does on another machine. Prints the claims that failed and, for each lesson,
in how many of these runs all of them held. A cell that raises does not end a run.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
OLDER = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
OLDEST = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
MACHINES = {
    "this processor, 1 thread": {"OMP_NUM_THREADS": "1"},
    "this processor, 2 threads": {"OMP_NUM_THREADS": "2"},
    "AVX2, 1 thread": OLDER | {"OMP_NUM_THREADS": "1"},
    "AVX2, 2 threads": OLDER | {"OMP_NUM_THREADS": "2"},
    "SSE4.1, 1 thread": OLDEST | {"OMP_NUM_THREADS": "1"},
}


def failures(path: Path, settings: dict[str, str]) -> list[str]:
    """What went wrong in one run from top to bottom: a line for each cell that raised."""
    notebook = nbformat.read(path, as_version=4)
    environment = os.environ | {"TQDM_DISABLE": "1", "COURSE_SMOKE": "0"} | settings
    environment["COURSE_PROGRESS"] = "off"
    client = NotebookClient(
        notebook, timeout=900, allow_errors=True, resources={"metadata": {"path": path.parent}}
    )
    client.execute(env=environment)
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return [f"{o.ename}: {o.evalue}" for o in outputs if o.output_type == "error"]


def main(*lessons: str) -> None:
    for path in sorted((ROOT / "solutions").glob("*.ipynb")):
        if lessons and path.name[:2] not in lessons:
            continue
        held = 0
        for machine, settings in MACHINES.items():
            problems = failures(path, settings)
            held += not problems
            for problem in problems:
                print(f"  {path.stem[:2]}, {machine}: {problem}", flush=True)
        print(f"{path.stem:30} all claims held in {held} of {len(MACHINES)} runs", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
