"""Measured once, read often: what a lesson's experiments gave, as files in ``data/results``.

What needs more than a lesson's minute is run by ``benchmarks/lessonNN.py``, which writes
``data/results/NN.csv``: a line for each number, below a head that says with which command, when
and with which versions. A lesson draws and claims from that file, and runs a slice of it live.
"""

import csv
import datetime
import io
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from course_utils.environment import course_root, versions

MOST_BYTES = 200_000
HEAD = ("torch", "scikit-learn")  # versions worth telling


class Run(NamedTuple):
    """One number that was measured.

    experiment: which question of the lesson it belongs to. world, dials: the data, and what was
    turned ("" for none). model, setting: what was trained, and how. seed: of cards and training.
    rows: how many it was measured on. measure, value: what was measured, and the number.
    """

    experiment: str
    world: str
    dials: str
    model: str
    setting: str
    seed: int
    rows: int
    measure: str
    value: float


def path_of(lesson: str) -> Path:
    """Where the results of a lesson lie; lesson: two digits."""
    return course_root() / "data" / "results" / f"{lesson}.csv"


def write_results(
    lesson: str,
    runs: Iterable[Run],
    path: Path | None = None,
    command: str | None = None,
    joined: str = "",
) -> Path:
    """Write all runs of a lesson, whole or not at all; returns the file.

    command: what makes them, where it is not ``make results``. joined: which of them are new, where
    the others were in the file; its head is then kept, and says so.

    Raises ValueError where a value is no finite number, or where the file would be too large.
    """
    import pandas as pd

    path, table = path or path_of(lesson), pd.DataFrame(list(runs), columns=Run._fields)
    if not np.isfinite(table["value"]).all():
        bad = table[~np.isfinite(table["value"])].iloc[0]
        raise ValueError(f"lesson {lesson}: {bad['experiment']}, {bad['model']}, seed "
                         f"{bad['seed']} gave {bad['value']}")  # fmt: skip
    table["value"] = table["value"].astype(float).round(5)
    known = versions()
    now = f"# {datetime.date.today()}, Python {platform.python_version()}, " + ", ".join(
        f"{name} {known[name]}" for name in HEAD
    )
    made = command or f"make results LESSON={lesson}"
    head = [f"# {'' if command else f'What lesson {lesson} reads. '}Made by: {made}", now]
    if joined and path.is_file():
        old = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
        head = [line for line in old if not line.endswith(f": {joined}")] + [f"{now}: {joined}"]
    text = "\n".join(head) + "\n" + table.to_csv(index=False, lineterminator="\n")
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"the results of lesson {lesson} would take {len(text.encode()):,} "
                         f"bytes; {MOST_BYTES:,} is the most: keep fewer numbers")  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)
    return path


def read_results(lesson: str, experiment: str | None = None, path: Path | None = None) -> Any:
    """The runs of a lesson, of one experiment or of all, as a DataFrame with ``Run``'s columns.

    Raises ValueError, in a sentence, where the file or the experiment is not there.
    """
    import pandas as pd

    path = path or path_of(lesson)
    if not path.is_file():
        raise ValueError(f"there are no results of lesson {lesson} ({path.name}); make them with "
                         f"`make results LESSON={lesson}`")  # fmt: skip
    text = "".join(
        line for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
        if not line.startswith("#")
    )  # fmt: skip
    table = pd.read_csv(io.StringIO(text), keep_default_na=False)
    if experiment is None:
        return table
    chosen = table[table["experiment"] == experiment]
    if chosen.empty:
        known = ", ".join(table["experiment"].unique())
        raise ValueError(f"lesson {lesson} has no experiment {experiment!r}; it has {known}")
    return chosen.reset_index(drop=True)


def read_runs(path: Path) -> list[Run]:
    """The lines of a file of results, to the letter; none where there is no file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    kinds = {"seed": int, "rows": int, "value": float}
    return [Run(**{name: kinds.get(name, str)(row[name]) for name in Run._fields}) for row in rows]


def scores(table: Any, measure: str = "accuracy") -> dict[str, list[float]]:
    """{model: its values, one for each seed}, in the order of the file: for ``fair_table``.

    table: what ``read_results`` gave, of one experiment with one setting for each model.
    """
    chosen = table[table["measure"] == measure]
    return {
        model: group.sort_values("seed")["value"].tolist()
        for model, group in chosen.groupby("model", sort=False)
    }


def by_seed(lesson: str, experiment: str, dials: str, measure: str, settings: bool = True) -> Any:
    """One measure of an experiment in one world: a row for each seed, a column for each
    (model, setting). What a model was not asked is NaN.

    settings: False names the columns by the model alone, for models of one setting each.
    """
    runs = read_results(lesson, experiment)
    runs = runs[(runs["dials"] == dials) & (runs["measure"] == measure)]
    return runs.pivot_table("value", "seed", ["model", "setting"] if settings else "model")


def means(lesson: str, experiment: str, dials: str, measures: Sequence[str]) -> Any:
    """Means over the seeds: a row for each (model, setting), in the order of the file, a column for
    each measure, and ``seeds``, how many there are.
    """
    runs = read_results(lesson, experiment)
    runs = runs[(runs["dials"] == dials) & runs["measure"].isin(measures)]
    rows = ["model", "setting"]
    table = runs.pivot_table("value", rows, "measure", sort=False)[list(measures)]
    return table.assign(seeds=runs.groupby(rows)["seed"].nunique())


def within_spread(value: float, values: Iterable[float], margin: float = 0.01) -> bool:
    """Whether a number that was measured just now lies within those of a file, give a margin.

    margin: how far outside the smallest and the largest of ``values`` it may lie.
    """
    values = list(values)
    return min(values) - margin <= value <= max(values) + margin


def differences(again: Iterable[Run], table: Any, margin: Mapping[str, float]) -> list[str]:
    """Which runs differ from a file's by more than a margin, or are not in it, in sentences.

    margin: {measure: how far apart two machines may be}.
    """
    found = []
    keys = [name for name in Run._fields if name != "value"]
    known = {tuple(map(str, row[:-1])): row[-1] for row in table[[*keys, "value"]].to_numpy()}
    for run in again:
        kept = known.get(tuple(map(str, run[:-1])))
        said = f"{run.experiment}, {run.model}, seed {run.seed}, {run.measure}"
        if kept is None:
            found.append(f"{said}: the file has no such run")
        elif abs(kept - run.value) > margin[run.measure]:
            found.append(f"{said}: {run.value:.3f} now and {kept:.3f} in the file")
    return found
