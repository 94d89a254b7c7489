"""Does the fusion that validation rows choose hold its own? Ten divisions of one data set.

    python benchmarks/ten_splits.py emoji-names      # or emoji-keywords, shop, shop-columns
    python benchmarks/ten_splits.py emoji-names --budget 10 --seeds 0 1 2

For each seed the rows are divided, 70 to teach, 10 to choose, 20 to judge in 100, by family where
the set has families; ``search`` and the tuned linear models see the same rows. Each chosen model is
compared with the better single modality and with the best linear row *of that split's test rows*,
which is harder than any choice that one could make beforehand.

The lines go into data/results/ten_splits.csv as they come; a seed that is there is not run again.
The divisions share rows, so intervals are widened as Nadeau and Bengio (2003) do.

The settings of the search were developed on the seeds 100 to 109.
"""

import argparse
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_utils.baselines import tuned_linear
from course_utils.data import real
from course_utils.data.folder import read_folder
from course_utils.data.readers import ColumnsReader, ImageReader, Reader, TextReader, fit_readers
from course_utils.data.results import Run, path_of, read_results, read_runs, write_results
from course_utils.data.rows import Rows, count_rows, take
from course_utils.environment import course_root
from course_utils.measures import accuracy
from course_utils.search import search

NAME, EXPERIMENT = "ten_splits", "ten splits"
COMMAND = "python benchmarks/ten_splits.py"
SHARES = (0.7, 0.8)  # where training rows end, and where validation rows do
BUDGET = 10  # models that one search may train
CHOSEN = "chosen"


def emoji(text: str) -> Rows:
    rows = real.emoji(text)
    if rows is None:
        raise SystemExit("the emoji set is neither here nor to be fetched; nothing was measured")
    return rows


def shop() -> Rows:
    return read_folder(
        course_root() / "data" / "shop", "products.csv", image_column="id", text_column="title",
        label_column="season", image_pattern="photos/{id}.jpg", split_column=None, on_bad="skip",
    )  # fmt: skip


def table() -> dict[str, Reader]:
    return {"columns": ColumnsReader(numbers=("price",), categories=("material",))}


PRESETS = {
    "emoji-names": (lambda: emoji("name"), dict),
    "emoji-keywords": (lambda: emoji("keywords"), dict),
    "shop": (shop, dict),
    "shop-columns": (shop, table),
}


def divided(rows: Rows, seed: int, group: str | None = None) -> dict[str, Rows]:
    """The rows of each split, in their order; those of one group stay together."""
    groups = np.asarray(rows[group]) if group else np.arange(count_rows(rows))
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    ends = [int(share * len(order)) for share in SHARES]
    parts = zip(("train", "validation", "test"), np.split(order, ends), strict=True)
    return {split: take(rows, np.isin(groups, part)) for split, part in parts}


def one_split(world: str, rows: Rows, seed: int, readers: Mapping[str, Reader], budget: int):
    """The runs of one division: the chosen model, each modality alone, linear rows."""
    splits = divided(rows, seed, "family" if "family" in rows else None)
    label = torch.as_tensor(splits["test"]["label"])

    def run(model: str, value: float, setting: str = "") -> Run:
        dials = f"budget {budget}"
        return Run(EXPERIMENT, world, dials, model, setting, seed, len(label), "accuracy", value)

    begun = time.monotonic()
    found = search(splits, budget=budget, minutes=60, seed=seed, readers=readers)
    seconds = time.monotonic() - begun
    yield run(CHOSEN, accuracy(found.logits, label), found.settings["fusion"])
    for name, alone in found.alone.items():
        yield run(f"{name} alone", accuracy(alone.logits, label))
    own = fit_readers({"image": ImageReader(), "text": TextReader(), **readers}, splits["train"])
    for name, linear in tuned_linear(splits, own).items():
        yield run(f"linear, {name}", linear.accuracy)
    yield run("search", seconds)._replace(measure="seconds")


def difference(
    ours: Iterable[float], theirs: Iterable[float], tested: float
) -> tuple[float, float, float]:
    """Mean paired difference over splits and its 95 % interval.

    tested: test rows for each training row. Nadeau and Bengio, Inference for the Generalization
    Error, Machine Learning 52, 2003.
    """
    from scipy.stats import t

    gaps = np.subtract([*ours], [*theirs])
    spread = gaps.var(ddof=1) * (1 / len(gaps) + tested)
    reach = t.ppf(0.975, len(gaps) - 1) * spread**0.5
    return gaps.mean(), gaps.mean() - reach, gaps.mean() + reach


def report(lines: Any, world: str) -> str:
    """What came out for one data set, in words."""
    own = lines[(lines["world"] == world) & (lines["measure"] == "accuracy")]
    scores = own.pivot(index="seed", columns="model", values="value")
    said = [f"{world}, {len(scores)} splits; test accuracy, mean:"]
    said += [f"  {name:16} {scores[name].mean():.3f}" for name in scores]
    for what, end in (("the better single modality", " alone"), ("the best linear row", "linear")):
        rivals = [n for n in scores if n.endswith(end) or n.startswith(end)]
        best = scores[rivals].max(axis=1)
        above, level = (scores[CHOSEN] > best).sum(), (scores[CHOSEN] == best).sum()
        said.append(f"  chosen against {what}: above in {above}, level in {level} of {len(best)}")
        if len(scores) > 1:
            mean, low, high = difference(scores[CHOSEN], best, 0.2 / 0.7)
            said.append(f"    difference {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
    return "\n".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description="ten divisions of one data set")
    parser.add_argument("world", choices=PRESETS)
    parser.add_argument("--budget", type=int, default=BUDGET)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(10))
    parser.add_argument("--out", type=Path, default=path_of(NAME))
    asked = parser.parse_args()
    read, readers = PRESETS[asked.world]
    rows, runs = read(), read_runs(asked.out)
    done = {(run.world, run.seed) for run in runs}
    for seed in asked.seeds:
        if (asked.world, seed) not in done:
            runs += one_split(asked.world, rows, seed, readers(), asked.budget)
            write_results(NAME, runs, asked.out, COMMAND)
            print(f"seed {seed}: {runs[-1].value:.0f} s", flush=True)
    print(report(read_results(NAME, path=asked.out), asked.world))


if __name__ == "__main__":
    main()
