"""The room of the benchmarks: parts by name and seed, joined as a whole run has them."""

import importlib
from functools import partial

import pytest
from heads import HEADS, heads_alone, heads_named
from room import Part, Plan, on, within

from course_utils.data.results import Run, read_runs, write_results
from course_utils.environment import course_root

LESSONS = sorted(path.stem for path in (course_root() / "benchmarks").glob("lesson[0-9][0-9].py"))


def line(experiment, model, seed, value=0.5, world="cards"):
    return Run(experiment, world, "", model, "", seed, 100, "accuracy", value)


def measure(experiment, seed, *, models=("b", "a"), world="cards", value=0.5):
    return [line(experiment, model, seed, value, world) for model in models]


def best():
    return measure("heads", 0, models=("ceiling, both",), value=1.0)


def plan_of(path, seeds=range(3), value=0.5, **options):
    """Heads and curves seed by seed, then emoji, then a ceiling among the heads' experiment."""
    heads, curve, emoji = (
        partial(measure, name, value=value, **own)
        for name, own in (("heads", {}), ("curve", {}), ("heads", {"world": "emoji"}))
    )
    plan = Plan(
        "42",
        [
            Part("heads", heads, within("heads", world="cards", but="ceiling*"), seeds),
            Part("curve", curve, within("curve"), seeds[:2]),
        ],
        [Part("emoji", emoji, within(world="emoji"), seeds)],
        [Part("ceilings", best, within("heads", model="ceiling*"))],
        **options,
    )
    plan.path = path
    return plan


@pytest.fixture
def path(tmp_path):
    """A file that a whole run over three seeds wrote."""
    path = tmp_path / "42.csv"
    plan_of(path).run()
    return path


def lines(path):
    return [text for text in path.read_text("utf-8").splitlines() if text[0] != "#"]


def test_a_whole_run_goes_group_by_group_and_seed_by_seed(path):
    runs = read_runs(path)
    found = [(run.experiment, run.world, run.seed) for run in runs[::2]]
    on_cards = [("heads", 0), ("curve", 0), ("heads", 1), ("curve", 1), ("heads", 2)]
    expected = [(name, "cards", seed) for name, seed in on_cards]
    expected += [("heads", "emoji", seed) for seed in range(3)] + [("heads", "cards", 0)]
    assert found == expected
    assert [run.model for run in runs[:2]] == ["b", "a"]
    assert path.read_text("utf-8").startswith("# What lesson 42 reads. Made by: make results")


@pytest.mark.parametrize("experiments", [(), ("curve", "heads")])
def test_parts_measured_one_by_one_give_the_file_of_a_whole_run(tmp_path, experiments):
    whole, joined = tmp_path / "whole.csv", tmp_path / "joined.csv"
    plan_of(whole, range(5), experiments=experiments).run()
    some = plan_of(joined, range(2), experiments=experiments)
    for names, seeds in (
        (["ceilings"], []), (["emoji"], [4, 0]), (["curve"], [1]), (["heads"], [3, 4]),
        (["heads", "emoji"], [2, 1]), (["emoji"], [3]), (["heads"], [0]), (["curve"], [0]),
    ):  # fmt: skip
        some.run(names, seeds)
    assert lines(joined) == lines(whole)


def test_only_lines_of_the_part_and_its_seeds_change(path):
    before = read_runs(path)
    plan_of(path, value=0.9).run(["heads"], [1])
    after = read_runs(path)
    changed = [run for run, old in zip(after, before, strict=True) if run != old]
    assert changed == measure("heads", 1, value=0.9)


def test_lines_that_a_part_no_longer_measures_go(path):
    plan = plan_of(path)
    plan.parts[0] = plan.parts[0]._replace(measure=partial(measure, "heads", models=("a",)))
    before = len(read_runs(path))
    plan.run(["heads"], [1])
    assert len(read_runs(path)) == before - 1


def test_without_a_part_seeds_are_those_of_a_whole_run(path):
    before = lines(path)
    plan_of(path, value=0.9).run(seeds=[2])
    assert [now for now, old in zip(lines(path), before, strict=True) if now != old] == [
        f"heads,{world},,{model},,2,100,accuracy,0.9" for world in ("cards", "emoji")
        for model in ("b", "a")
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="none of the seeds 7, 8: say PART, too"):
        plan_of(path).run(seeds=[7, 8])


def test_a_wrong_part_is_answered_with_those_there_are(path):
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="no part sences; it has heads, curve, emoji, ceilings"):
        plan_of(path).main(["sences", "--out", str(path)])
    with pytest.raises(SystemExit, match="ceilings of lesson 42 is not measured by seed"):
        plan_of(path).main(["ceilings", "--seeds", "3", "--out", str(path)])
    with pytest.raises(SystemExit, match="3;4 is no list of seeds, such as 3,4"):
        plan_of(path).main(["heads", "--seeds", "3;4", "--out", str(path)])
    assert path.read_bytes() == before


@pytest.mark.parametrize("names", [[], ["heads", "curve"]])
def test_a_run_that_is_stopped_leaves_the_file_as_it_was(path, names):
    def stopped(seed):
        yield line("curve", "b", seed)
        raise KeyboardInterrupt

    plan, before = plan_of(path, value=0.9), path.read_bytes()
    plan.parts[1] = plan.parts[1]._replace(measure=stopped)
    with pytest.raises(SystemExit, match=r"stopped; 42\.csv is as it was"):
        plan.main([*names, "--out", str(path)])
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


def test_what_another_run_joined_meanwhile_stays(path):
    def slow(seed):
        plan_of(path, value=0.9).run(["emoji"], [seed])
        return measure("heads", seed, value=0.8)

    plan = plan_of(path)
    plan.parts[0] = plan.parts[0]._replace(measure=slow)
    plan.run(["heads"], [1])
    values = {(run.world, run.seed): run.value for run in read_runs(path) if run.model == "a"
              and run.experiment == "heads"}  # fmt: skip
    assert (values["cards", 1], values["emoji", 1], values["cards", 0]) == (0.8, 0.9, 0.5)


def test_a_line_that_is_not_the_parts_own_is_refused(path):
    plan, before = plan_of(path), path.read_bytes()
    for wrong in (partial(measure, "curve"), lambda seed: measure("heads", seed + 1)):
        plan.parts[0] = plan.parts[0]._replace(measure=wrong)
        with pytest.raises(ValueError, match="heads measured Run"):
            plan.run(["heads"], [1])
    plan.parts[0] = plan.parts[0]._replace(measure=partial(measure, "unheard of"))
    with pytest.raises(ValueError, match="should be of one part and is of none"):
        plan.run(["heads"], [1])
    assert path.read_bytes() == before


def test_a_line_of_two_parts_is_refused(path):
    plan = plan_of(path)
    plan.parts[1] = plan.parts[1]._replace(lines=within("curve", "heads", world="cards"))
    with pytest.raises(ValueError, match="is of heads and curve"):
        plan.run(["curve"], [1])


def test_a_file_that_cannot_be_joined_says_so_before_anything_is_measured(path):
    write_results("42", [*read_runs(path), line("given up", "a", 0)], path)
    plan, measured = plan_of(path), []
    plan.parts[0] = plan.parts[0]._replace(measure=lambda seed: measured.append(seed) or [])
    with pytest.raises(ValueError, match="the line given up, a, seed 0"):
        plan.run(["heads"], [1])
    assert not measured
    plan_of(path).run()
    assert not [run for run in read_runs(path) if run.experiment == "given up"]


def test_a_part_whose_data_are_not_here_keeps_its_lines(path, capsys):
    plan = plan_of(path, value=0.9)
    plan.parts[2] = plan.parts[2]._replace(here=lambda: False)
    plan.run()
    values = {(run.world, run.value) for run in read_runs(path) if run.model != "ceiling, both"}
    assert values == {("cards", 0.9), ("emoji", 0.5)}
    assert capsys.readouterr().out.count("emoji: its data are not here") == 1
    before = path.read_bytes()
    plan.run(["emoji"])
    assert path.read_bytes() == before
    assert "no line was measured" in capsys.readouterr().out


def test_a_part_asks_for_the_lines_of_another_in_the_run_or_in_the_file(tmp_path):
    plan = plan_of(tmp_path / "42.csv")
    with pytest.raises(SystemExit, match="make results LESSON=42 PART=curve"):
        plan.known("curve")
    plan.run(["curve"])
    assert plan_of(plan.path).known("curve") == [*measure("curve", 0), *measure("curve", 1)]
    seen, again = [], plan_of(plan.path, value=0.7)
    again.parts[2] = again.parts[2]._replace(
        measure=lambda seed: seen.append(again.known("curve")) or []
    )
    again.run(["curve", "emoji"], [1])
    assert seen == [[*measure("curve", 0), *measure("curve", 1, value=0.7)]]


def test_the_head_tells_what_was_joined_once(path):
    whole = path.read_text("utf-8").splitlines()[:2]
    for _ in range(2):
        plan_of(path).run(["heads"], [3, 4])
    plan_of(path).run(["emoji"])
    head = [text for text in path.read_text("utf-8").splitlines() if text.startswith("#")]
    assert head[:2] == whole
    assert [text.split(": ")[-1] for text in head[2:]] == ["heads, seeds 3, 4", "emoji"]
    assert all("torch" in text for text in head[2:])
    plan_of(path).run()
    assert path.read_text("utf-8").count("#") == 2


def test_a_world_is_read_once_for_the_parts_of_a_seed():
    assert on(lambda seed: f"world {seed}", str.upper)(3) == "WORLD 3"


def test_heads_come_in_the_order_asked_for_and_alone_reads_one_sense():
    assert [*heads_named("product", "concat + linear")] == ["product", "concat + linear"]
    dims = {"image": 3, "text": 5}
    alone = {name: make(dims).dim_out for name, make in heads_alone(dims).items()}
    assert alone == {"image alone": 3, "text alone": 5}
    for make in HEADS.values():
        assert set(make(dims).names) == {"image", "text"}


# --- the course's own ------------------------------------------------------------------------


@pytest.mark.parametrize("name", LESSONS)
def test_each_file_is_what_a_whole_run_of_its_plan_gives(name):
    plan = importlib.import_module(name).PLAN
    stored, runs = plan.stored(), read_runs(plan.path)
    assert plan.joined(stored, {}) == runs
    missing = {plan.parts[step.place].name for step in {*plan.steps()} - {*stored}}
    assert missing <= {"models"}, "measured by a whole run, and not in the file"
    assert {*stored} <= {*plan.steps()}, "in the file, and not measured by a whole run"


@pytest.mark.parametrize("name", LESSONS)
def test_writing_a_file_anew_moves_no_number(name, tmp_path):
    plan = importlib.import_module(name).PLAN
    again = write_results(plan.lesson, read_runs(plan.path), tmp_path / "again.csv")
    assert lines(again) == lines(plan.path)
