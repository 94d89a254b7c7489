"""Results as files: what is written is what is read, and a line of each file is run again."""

import importlib.util
import math

import pytest

from course_utils.data import results
from course_utils.data.results import Run, differences, read_results, within_spread, write_results
from course_utils.environment import course_root

FILES = sorted((course_root() / "data" / "results").glob("[0-9][0-9].csv"))


def run(seed=0, value=0.5, model="concat", measure="accuracy", experiment="heads"):
    return Run(experiment, "news cards", "", model, "epochs 3", seed, 5000, measure, value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "42.csv"


def test_what_is_written_is_what_is_read(path):
    runs = [run(seed, 0.1 * seed, 'a "model", quoted') for seed in range(3)]
    write_results("42", runs, path)
    assert [Run(*row) for row in read_results("42", path=path).itertuples(index=False)] == runs


def test_the_head_says_how_when_and_with_what(path):
    first, second = write_results("42", [run()], path).read_text("utf-8").splitlines()[:2]
    assert "make results LESSON=42" in first
    assert "torch" in second


def test_one_experiment_can_be_read_alone(path):
    write_results("42", [run(), run(experiment="other")], path)
    assert len(read_results("42", "other", path)) == 1
    with pytest.raises(ValueError, match="no experiment 'third'; it has heads, other"):
        read_results("42", "third", path)


def test_scores_are_lists_by_model_in_the_order_of_seeds(path):
    write_results("42", [run(1, 0.3), run(0, 0.2), run(0, 0.9, "product")], path)
    assert results.scores(read_results("42", path=path)) == {"concat": [0.2, 0.3], "product": [0.9]}


@pytest.fixture
def two_worlds(path, monkeypatch):
    """Two seeds of two models in one world, one of them with a second measure; another world."""
    monkeypatch.setattr(results, "path_of", lambda lesson: path)
    runs = [run(0, 0.9, "product"), run(1, 0.7, "product"), run(0, 0.25), run(1, 0.5),
            run(1, 0.3, measure="macro F1"), run(0, 0.0, experiment="other"),
            run(0, 0.1)._replace(dials="twins")]  # fmt: skip
    write_results("42", runs, path)


def test_by_seed_holds_one_measure_of_one_world(two_worlds):
    table = results.by_seed("42", "heads", "", "accuracy")
    assert table["product", "epochs 3"].to_dict() == {0: 0.9, 1: 0.7}
    assert table["concat", "epochs 3"].to_dict() == {0: 0.25, 1: 0.5}
    short = results.by_seed("42", "heads", "", "accuracy", settings=False)
    assert short["concat"].to_dict() == {0: 0.25, 1: 0.5}


def test_means_keep_the_files_order_and_count_the_seeds(two_worlds):
    table = results.means("42", "heads", "", ["macro F1", "accuracy"])
    assert [*table.columns] == ["macro F1", "accuracy", "seeds"]
    assert [model for model, _ in table.index] == ["product", "concat"]
    assert table["accuracy"].tolist() == [pytest.approx(0.8), pytest.approx(0.375)]
    assert table["seeds"].tolist() == [2, 2]
    assert math.isnan(table["macro F1"].iloc[0])
    assert table["macro F1"].iloc[1] == pytest.approx(0.3)


def test_results_that_are_not_there_are_answered_in_a_sentence(path):
    with pytest.raises(ValueError, match="make results LESSON=42"):
        read_results("42", path=path)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_is_not_written(path, value):
    with pytest.raises(ValueError, match="heads, concat, seed 0 gave"):
        write_results("42", [run(value=value)], path)
    assert not path.exists()


def test_a_file_that_would_be_too_large_is_not_written(path):
    with pytest.raises(ValueError, match="keep fewer numbers"):
        write_results("42", [run(seed) for seed in range(5000)], path)
    assert not path.exists()


def test_a_live_number_fits_a_file_within_its_spread():
    assert within_spread(0.505, [0.48, 0.5])
    assert not within_spread(0.52, [0.48, 0.5])
    assert not within_spread(0.46, [0.48, 0.5])


def test_runs_that_differ_from_the_file_are_named(path):
    write_results("42", [run(0, 0.5), run(1, 0.6)], path)
    table = read_results("42", path=path)
    assert differences([run(0, 0.51), run(1, 0.6)], table, {"accuracy": 0.02}) == []
    (moved,) = differences([run(0, 0.53)], table, {"accuracy": 0.02})
    assert moved == "heads, concat, seed 0, accuracy: 0.530 now and 0.500 in the file"
    (missing,) = differences([run(7)], table, {"accuracy": 0.02})
    assert missing.endswith("the file has no such run")


# --- the course's own files ------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
class TestFile:
    def test_is_small_and_whole(self, file):
        assert file.stat().st_size < results.MOST_BYTES
        assert not read_results(file.stem)[list(Run._fields)].isna().any().any()

    def test_no_run_stands_twice(self, file):
        keys = [name for name in Run._fields if name != "value"]
        assert not read_results(file.stem).duplicated(keys).any()

    @pytest.mark.slow
    def test_a_line_of_it_comes_out_again(self, file):
        script = course_root() / "benchmarks" / f"lesson{file.stem}.py"
        spec = importlib.util.spec_from_file_location(script.stem, script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        again = list(module.again())
        assert again
        assert differences(again, read_results(file.stem), module.MARGIN) == []
