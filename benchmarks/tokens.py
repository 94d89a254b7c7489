"""Joint attention over image and word tokens beside the product of two vectors, on `match`.

    python benchmarks/tokens.py [SEEDS]

Frozen encoders that learnt `section`. For each seed they and the fusions see cards of that seed;
which setting of a fusion counts is decided by the validation rows, and what is reported is its
accuracy on 5,000 fresh cards. About 80 s a seed on one quiet core.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from course_utils import frozen
from course_utils.data import news_cards
from course_utils.data.batches import to_tensors
from course_utils.experiment import cache_features, models_fused
from course_utils.fusion import ConcatFusion, JointAttentionFusion, ProductFusion
from course_utils.measures import accuracy
from course_utils.tables import fair_table

FRESH = 5000
MakeFusion = Callable[[dict[str, int]], nn.Module]


class Setting(NamedTuple):
    """One way of training one fusion: what makes it, and what goes to ``fit``."""

    make: MakeFusion
    options: dict[str, Any]


def joint(layers: int) -> MakeFusion:
    return lambda dims: JointAttentionFusion(dims, layers=layers)


def joint_of_vectors(dims: dict[str, int]) -> nn.Module:
    fusion = JointAttentionFusion(dims)
    fusion.reads_tokens = False
    return fusion


def settings_of(make: Mapping[str, MakeFusion], epochs: int) -> dict[str, Setting]:
    return {
        f"{name}lr {rate:g}": Setting(
            one, {"epochs": epochs, "learning_rate": rate, "batch_size": 128}
        )
        for name, one in make.items()
        for rate in (1e-3, 3e-3)
    }


FUSIONS = {
    "concat": settings_of({"": ConcatFusion}, 10),
    "product": settings_of({"": ProductFusion}, 10),
    "joint attention, two vectors": settings_of({"": joint_of_vectors}, 10),
    "joint attention, tokens": settings_of({"1 layer, ": joint(1), "2 layers, ": joint(2)}, 10),
}


def measure(seed: int) -> dict[str, tuple[str, float, float]]:
    """{fusion: the setting that was chosen, its accuracy on the validation rows, on fresh cards}"""
    kept = frozen.load(seed)
    rows = kept.rows("match")
    # Cards of a seed that no encoder of these files was made with.
    rows["test"] = news_cards.rows_for(news_cards.make(FRESH, 1000 + seed), "match")
    splits = {split: to_tensors(part, kept.readers) for split, part in rows.items()}
    cached = cache_features(kept.encoders, splits, as_tokens=True)
    label, found = cached["test"]["label"], {}
    for fusion, settings in FUSIONS.items():
        tried = models_fused(
            {name: setting.make for name, setting in settings.items()},
            cached, 2, names=[*kept.encoders], seed=seed,
            options_for={name: setting.options for name, setting in settings.items()},
        )  # fmt: skip
        scores = {name: max(one.history.validation_accuracy) for name, one in tried.items()}
        best = max(scores, key=scores.get)
        found[fusion] = best, scores[best], accuracy(tried[best].logits, label)
    return found


def main(seeds: int = 3) -> None:
    started, tests = time.perf_counter(), {}
    for seed in range(seeds):
        for fusion, (setting, validation, test) in measure(seed).items():
            print(f"seed {seed}, {fusion}: {setting}, validation {validation:.3f}, {test:.3f}",
                  flush=True)  # fmt: skip
            tests.setdefault(fusion, []).append(test)
    table = fair_table(tests, news_cards.ceiling("match"))
    seconds = (time.perf_counter() - started) / seeds
    print(f"\n{table.round(3).to_string(na_rep='')}")
    print(f"\n{seconds:.0f} s a seed, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
