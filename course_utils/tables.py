"""Tables of accuracies: the fair table, and the one that grows through the lessons.

An accuracy says little alone. The fair table puts it between what needs no model (the commonest
class), each modality alone, and the best that any model could reach.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from course_utils.environment import course_root, is_smoke
from course_utils.lessons import reading_order


def fair_table(
    scores: Mapping[str, Sequence[float]],
    ceiling: Mapping[str, float] | None = None,
    first_seed: int = 0,
):
    """Mean and spread of each row's accuracies over seeds, in a DataFrame, the ceiling last.

    scores: {row name: accuracies, one for each seed}. A row with one value has no spread.
    ceiling: {reader: the best that it could reach}, as a world's ``ceiling`` gives it; its
        ``chance`` is left out, because the row of the commonest class shows it.
    first_seed: of each row's accuracies, for the names of the columns.
    """
    import pandas as pd

    scores = {name: [float(value) for value in values] for name, values in scores.items()}
    rows = {
        name: {
            "mean": np.mean(values),
            "spread": np.std(values, ddof=1) if len(values) > 1 else np.nan,
        }
        | {
            f"seed {seed}": value
            for seed, value in enumerate(values, first_seed)
            if len(values) > 1
        }
        for name, values in scores.items()
    }
    for reader, best in (ceiling or {}).items():
        if reader != "chance":
            rows[f"ceiling, {reader}"] = {"mean": best}
    return pd.DataFrame(rows).T


def grow_table(lesson: str, accuracies: Mapping[str, Sequence[float]]):
    """The table that grows through Part I: earlier lessons' rows, then this lesson's, a DataFrame.

    lesson: two digits; accuracies: {model: accuracies on the section task, one for each seed}.
    Earlier means in the order of reading. The rows are those of ``solutions/growing_table.csv``,
    as measured when each lesson was last built; the build (``COURSE_BUILD=1``) writes this
    lesson's rows there.
    """
    import pandas as pd

    path = course_root() / "solutions" / "growing_table.csv"
    known = pd.read_csv(path, dtype={"lesson": str}) if path.exists() else pd.DataFrame()
    own = pd.DataFrame(
        {
            "lesson": lesson,
            "model": name,
            "mean": round(float(np.mean(values)), 3),
            "spread": round(float(np.std(values, ddof=1)), 3) if len(values) > 1 else 0.0,
            "seeds": len(values),
        }
        for name, values in accuracies.items()
    )
    place = {number: k for k, number in enumerate(reading_order())}
    others = known[known.lesson != lesson] if len(known) else known
    whole = pd.concat([others, own])
    whole = whole.sort_values("lesson", key=lambda column: column.map(place), kind="stable")
    if os.environ.get("COURSE_BUILD") == "1" and not is_smoke():
        whole.to_csv(path, index=False, lineterminator="\n")
    until_now = whole[whole.lesson.map(place) <= place[lesson]]
    return until_now.set_index(["lesson", "model"])
