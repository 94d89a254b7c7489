"""Seconds that each solution notebook takes from top to bottom, the kernel's start included.

python benchmarks/notebooks.py [ROUNDS] [NN ...]

The kernels start as under `make lab`.
"""

import os
import statistics
import sys
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

from course_utils.commands import WAITING

ROOT = Path(__file__).resolve().parent.parent


def seconds(path: Path) -> float:
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": path.parent}}).execute()
    return time.perf_counter() - started


def main(rounds: int = 3, *lessons: str) -> None:
    os.environ |= {"TQDM_DISABLE": "1"} | WAITING | os.environ | {"COURSE_PROGRESS": "off"}
    for path in sorted((ROOT / "solutions").glob("*.ipynb")):
        if not lessons or path.name[:2] in lessons:
            taken = [seconds(path) for _ in range(rounds)]
            print(f"{path.stem:30} median {statistics.median(taken):5.1f} s of "
                  f"{', '.join(f'{value:.1f}' for value in taken)}; "
                  f"{torch.get_num_threads()} threads", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
