"""What runs every ``benchmarks/lessonNN.py``: its parts, by name and seed, joined into its file.

    python benchmarks/lesson12.py                       # make results LESSON=12
    python benchmarks/lesson12.py senses --seeds 3,4    # ... PART=senses SEEDS=3,4

A script says what it measures as a ``Plan``: groups of parts, each measured seed by seed. That is
also the order of its file. Where parts are measured alone, their lines take the place of those of
the same part and seed, and all others stay where they are. The file is written at the end, whole:
until then it is as it was.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from course_utils.data import real
from course_utils.data.results import Run, path_of, read_runs, write_results


class Part(NamedTuple):
    """What is measured under one name.

    measure: of a seed, or of nothing where ``seeds`` is None. lines: which lines of the file are
    its own. seeds: those of a whole run. here: whether the data that it needs can be had.
    """

    name: str
    measure: Callable[..., Iterable[Run]]
    lines: Callable[[Run], bool]
    seeds: Sequence[int] | None = None
    here: Callable[[], bool] = lambda: True


class Step(NamedTuple):
    """One part for one seed; place: of the part in the plan."""

    place: int
    seed: int | None


Lines = dict[Step, list[Run]]
World = TypeVar("World")


def within(*experiments: str, but: str = "", **fields: str) -> Callable[[Run], bool]:
    """Whether a line is of one of these experiments (none: of any), with fields like these.

    fields: such as model="linear, *". but: a model whose lines are another part's.
    """

    def its(run: Run) -> bool:
        like = all(fnmatchcase(getattr(run, name), wanted) for name, wanted in fields.items())
        named = not experiments or run.experiment in experiments
        return named and like and not (but and fnmatchcase(run.model, but))

    return its


def on(
    world_of: Callable[[int], World], experiment: Callable[[World], Any]
) -> Callable[[int], Any]:
    """What measures one seed's world, which parts share."""
    return lambda seed: experiment(world_of(seed))


def emoji_are_here() -> bool:
    """Whether the emoji are in COURSE_DATA_DIR or can be fetched."""
    return real.fetch("emoji") is not None


class Plan:
    """The parts of a lesson's measurements, and the file that they make.

    groups: parts that a whole run measures together, all of them for one seed before the next.
    Parts of one name are measured by that name; a line is of one part alone.
    experiments: their order in the file, each by seed; none: the file has the plan's order.
    """

    def __init__(self, lesson: str, *groups: Sequence[Part], experiments: Sequence[str] = ()):
        self.lesson, self.experiments = lesson, experiments
        self.parts = [part for group in groups for part in group]
        self.group = [number for number, group in enumerate(groups) for _ in group]
        self.path, self.new = path_of(lesson), {}

    # --- which lines belong where ----------------------------------------------------------------

    def step_of(self, run: Run) -> Step:
        """The part and the seed that a line belongs to."""
        places = [place for place, part in enumerate(self.parts) if part.lines(run)]
        if len(places) != 1:
            names = " and ".join(self.parts[place].name for place in places) or "none"
            raise ValueError(f"lesson {self.lesson}: the line {run.experiment}, {run.model}, seed "
                             f"{run.seed} should be of one part and is of {names}")  # fmt: skip
        return Step(places[0], None if self.parts[places[0]].seeds is None else run.seed)

    def by_step(self, runs: Iterable[Run]) -> Lines:
        """Lines by the step that they belong to, each step's in their order."""
        found: Lines = {}
        for run in runs:
            found.setdefault(self.step_of(run), []).append(run)
        return found

    def in_order(self, steps: Iterable[Step]) -> list[Step]:
        """Steps as a whole run takes them: group by group, seed by seed."""

        def turn(step: Step) -> tuple[int, int, int]:
            return self.group[step.place], -1 if step.seed is None else step.seed, step.place

        return sorted(steps, key=turn)

    def joined(self, kept: Lines, new: Lines) -> list[Run]:
        """All lines of the file, the new ones in the places of those that were there."""
        every = kept | new
        runs = [run for step in self.in_order(every) for run in every[step]]
        if not self.experiments:
            return runs
        turn = {name: number for number, name in enumerate(self.experiments)}
        return sorted(runs, key=lambda run: (turn.get(run.experiment, len(turn)), run.seed))

    # --- what is asked for ------------------------------------------------------------------------

    def steps(self, names: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[Step]:
        """What is to be measured; no names: every part, no seeds: those of a whole run.

        A part that is named is measured for any seed, all together only for those of a whole run.

        Raises SystemExit, in a sentence, where there is no such part, or none for these seeds.
        """
        known = list(dict.fromkeys(part.name for part in self.parts))
        if wrong := [name for name in names if name not in known]:
            raise SystemExit(f"lesson {self.lesson} has no part {wrong[0]}; it has "
                             f"{', '.join(known)}")  # fmt: skip
        found = []
        for place, part in enumerate(self.parts):
            if names and part.name not in names:
                continue
            if part.seeds is None and not seeds:
                found.append(Step(place, None))
            elif part.seeds is None and names:
                raise SystemExit(f"{part.name} of lesson {self.lesson} is not measured by seed: "
                                 "leave SEEDS out")  # fmt: skip
            elif part.seeds is not None:
                own = [seed for seed in seeds if names or seed in part.seeds]
                found += [Step(place, seed) for seed in (own if seeds else part.seeds)]
        if not found:
            raise SystemExit(f"a whole run of lesson {self.lesson} has none of the seeds "
                             f"{listed(seeds)}: say PART, too")  # fmt: skip
        return self.in_order(found)

    # --- measuring --------------------------------------------------------------------------------

    def known(self, name: str) -> list[Run]:
        """The lines of a part that others build on: as measured just now, or as the file has them.

        Raises SystemExit, in a sentence, where there are none.
        """
        places = {place for place, part in enumerate(self.parts) if part.name == name}
        own = {step: runs for step, runs in self.new.items() if step.place in places}
        every = self.stored(places) | own
        if not every:
            raise SystemExit(f"{name} of lesson {self.lesson} is needed first: "
                             f"make results LESSON={self.lesson} PART={name}")  # fmt: skip
        return [run for step in self.in_order(every) for run in every[step]]

    def stored(self, places: Iterable[int] | None = None) -> Lines:
        """The lines that the file has; places: only those of these parts.

        Raises ValueError where a line is of no part: then a whole run has to make the file anew.
        """
        runs = read_runs(self.path)
        if places is not None:
            its = [self.parts[place].lines for place in places]
            runs = [run for run in runs if any(lines(run) for lines in its)]
        return self.by_step(runs)

    def measured(self, step: Step) -> list[Run]:
        """The lines of one step, each of which must be its own."""
        part = self.parts[step.place]
        runs = list(part.measure() if step.seed is None else part.measure(step.seed))
        for run in runs:
            if self.step_of(run) != step:
                raise ValueError(f"lesson {self.lesson}: {part.name} measured {run}, a line of "
                                 f"{self.parts[self.step_of(run).place].name}")  # fmt: skip
        return runs

    def measure(self, steps: Iterable[Step]) -> set[int]:
        """Fill ``new``, saying what is done; the places of parts whose data are not here."""
        missing: set[int] = set()
        for step in steps:
            part = self.parts[step.place]
            if step.place in missing:
                continue
            if not part.here():
                missing.add(step.place)
                print(f"{part.name}: its data are not here; its lines stay as they are", flush=True)
                continue
            began = time.perf_counter()
            self.new[step] = self.measured(step)
            said = part.name if step.seed is None else f"{part.name}, seed {step.seed}"
            print(f"{said}: {len(self.new[step])} lines, {time.perf_counter() - began:.0f} s",
                  flush=True)  # fmt: skip
        return missing

    def run(self, names: Sequence[str] = (), seeds: Sequence[int] = ()) -> None:
        """Measure what is asked for and write the file, whole or not at all."""
        steps, self.new = self.steps(names, seeds), {}
        whole = not names and not seeds
        if not whole:
            self.stored()  # says now, and not after the measuring, that nothing can be joined
        missing = self.measure(steps)
        if not any(self.new.values()):
            print(f"{self.path.name} is as it was: no line was measured")
            return
        # Read as late as this: another run may have joined its lines meanwhile.
        kept = self.stored(missing if whole else None)
        said = "" if whole else ", ".join([*(names or ["all parts"]), *seeded(seeds)])
        write_results(self.lesson, self.joined(kept, self.new), self.path, joined=said)
        print(f"{self.path.name}: {self.path.stat().st_size / 1000:.0f} kB")

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run as the command line says."""
        parser = argparse.ArgumentParser(description=f"measure what lesson {self.lesson} reads")
        parser.add_argument("parts", nargs="*", help="by default all")
        parser.add_argument("--seeds", type=numbers, default=(), help="such as 3,4")
        parser.add_argument("--out", type=Path, default=self.path, help="another file to join into")
        asked = parser.parse_args(arguments)
        self.path = asked.out
        try:
            self.run(asked.parts, asked.seeds)
        except KeyboardInterrupt:
            raise SystemExit(f"stopped; {self.path.name} is as it was") from None


def numbers(text: str) -> list[int]:
    """Seeds as they are typed: "3,4"."""
    try:
        return sorted({int(number) for number in text.split(",")})
    except ValueError:
        raise SystemExit(f"{text} is no list of seeds, such as 3,4") from None


def listed(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, seeds))


def seeded(seeds: Sequence[int]) -> list[str]:
    return [f"seeds {listed(seeds)}"] if seeds else []
