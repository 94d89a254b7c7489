"""The measurement over ten divisions: what it divides, compares and goes on with."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from course_utils.data.results import Run, read_results
from course_utils.data.rows import Rows
from course_utils.environment import course_root


@pytest.fixture(scope="module")
def ten_splits():
    path = course_root() / "benchmarks" / "ten_splits.py"
    spec = importlib.util.spec_from_file_location("ten_splits", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_row_is_in_one_split_and_families_stay_together(ten_splits):
    rows = Rows({"number": np.arange(100), "family": np.arange(100) // 3})
    parts = ten_splits.divided(rows, 4, "family")
    numbers = np.concatenate([part["number"] for part in parts.values()])
    assert sorted(numbers) == list(range(100))
    families = [set(part["family"].tolist()) for part in parts.values()]
    assert sum(map(len, families)) == len(set.union(*families))
    sizes = [len(part["number"]) for part in ten_splits.divided(rows, 4).values()]
    assert sizes == [70, 10, 20]


def test_an_interval_holds_its_mean_and_is_wider_than_that_of_independent_tests(ten_splits):
    gaps = np.random.default_rng(0).normal(0.02, 0.01, 10)
    mean, low, high = ten_splits.difference(gaps, 0 * gaps, 0.2 / 0.7)
    assert low < mean < high
    assert mean == pytest.approx(gaps.mean())
    assert high - mean > 2.26 * gaps.std(ddof=1) / 10**0.5


def test_the_report_compares_with_the_best_rival_of_each_split(ten_splits):
    values = {"chosen": (0.8, 0.7), "image alone": (0.7, 0.7), "text alone": (0.6, 0.75),
              "linear, both": (0.8, 0.6)}  # fmt: skip
    lines = pd.DataFrame(
        [Run("e", "w", "", model, "", seed, 9, "accuracy", value)
         for model, pair in values.items() for seed, value in enumerate(pair)]
    )  # fmt: skip
    said = ten_splits.report(lines, "w")
    assert "better single modality: above in 1, level in 0 of 2" in said
    assert "best linear row: above in 1, level in 1 of 2" in said
    assert "difference +0.025 [" in said


def test_a_seed_that_is_there_is_not_run_again(ten_splits, tmp_path, monkeypatch):
    ran = []

    def fake(world, rows, seed, readers, budget):
        ran.append(seed)
        for name in ("chosen", "text alone", "linear, text"):
            yield Run("ten splits", world, "", name, "", seed, 9, "accuracy", 0.5)

    monkeypatch.setattr(ten_splits, "one_split", fake)
    monkeypatch.setitem(ten_splits.PRESETS, "shop", (dict, dict))
    out = tmp_path / "out.csv"
    for seeds in ("0 1", "0 1 2"):
        asked = ["ten_splits", "shop", "--seeds", *seeds.split(), "--out", str(out)]
        monkeypatch.setattr("sys.argv", asked)
        ten_splits.main()
    assert ran == [0, 1, 2]
    assert len(read_results("ten_splits", path=out)) == 9
    assert out.read_text().startswith("# Made by: python benchmarks/ten_splits.py")
