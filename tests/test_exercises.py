"""Every exercise of every lesson, tried on what learners may hand in.

Over 8 fixed seeds: the stub, the lesson's own solution, other right ways, declared mistakes.
"""

import ast
import collections
import contextlib
import dataclasses
import functools
import importlib
import itertools
import linecache
import re
import textwrap

import jupytext
import pytest
from torch import nn

from course_utils import exercises
from course_utils.environment import course_root
from course_utils.exercises import core
from course_utils.exercises.core import (
    NOT_ATTEMPTED,
    RIGHT,
    WRONG,
    Exercise,
    judge,
    same_outcomes,
    wrong_trials,
)
from course_utils.exercises.faults import FAULTS, can_be_laid, laid
from course_utils.exercises.limits import random_state_kept
from course_utils.exercises.running import is_stub

SEEDS = range(8)
NAMES = tuple(exercises.declared())
LESSONS = tuple(sorted(set(exercises.declared().values())))
BY_REFERENCE = [name for name in NAMES if exercises.find(name).cases]
BUILDS = [name for name in NAMES if exercises.find(name).parts]
BY_DIALS = [name for name in NAMES if exercises.find(name).verify]

# A check of dials tries three seeds at once, and some of them train; seven checks make 21.
DIAL_SEEDS = range(0, 21, 3)
BUILD_SEEDS = range(3)  # a build is a whole thing, and some of them train
_SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION$", re.MULTILINE | re.DOTALL
)


# --- the lesson's own text -------------------------------------------------------------------


def lesson_file(module: str):
    """The authored lesson that goes with ``lessonNN``."""
    number = module.removeprefix("lesson")
    found = list((course_root() / "solutions").glob(f"{number}_*.py"))
    assert len(found) == 1, f"{module}.py needs one solutions/{number}_*.py; there are {found}"
    return found[0]


@functools.cache
def lesson_cells(module: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Text and tags of the lesson's code cells."""
    notebook = jupytext.read(lesson_file(module))
    return tuple(
        (cell.source, tuple(cell.metadata.get("tags", ())))
        for cell in notebook.cells
        if cell.cell_type == "code"
    )


def cells_tagged(module: str, tag: str) -> list[str]:
    return [source for source, tags in lesson_cells(module) if tag in tags]


def defines(source: str, name: str) -> bool:
    return any(getattr(node, "name", None) == name for node in ast.parse(source).body)


@functools.cache
def surroundings(module: str) -> dict:
    """What a lesson's exercises find around them: its imports, functions, classes and constants.

    Nothing else of the lesson runs, so no data is made and nothing is trained.
    """
    namespace: dict = {"__name__": "lesson"}
    for source, _ in lesson_cells(module):
        for node in ast.parse(source).body:
            if isinstance(node, ast.Import | ast.ImportFrom) or is_constant(node):
                execute(ast.unparse(node), namespace)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                with contextlib.suppress(NameError):  # a default may be something computed
                    execute(ast.unparse(node), namespace)
    return namespace


def is_constant(node: ast.stmt) -> bool:
    """Whether a statement gives a name a value that is written out."""
    if not (isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets)):
        return False
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return True


def execute(source: str, namespace: dict) -> None:
    """Run a cell as IPython does: its lines are at hand when an error is told."""
    filename = f"<cell {hash(source):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), namespace)


def attempt_from_lesson(name: str, solved: bool):
    """The function of the exercise's cell, as authored or with the stub in place of its body."""
    module = exercises.declared()[name]
    cells = [source for source in cells_tagged(module, "exercise") if defines(source, name)]
    assert len(cells) == 1, f"{name} needs one cell tagged exercise; there are {len(cells)}"
    source = cells[0]
    assert _SOLUTION.search(source), f"{name} has no ### BEGIN SOLUTION ... ### END SOLUTION"
    if not solved:
        source = _SOLUTION.sub(r"\1raise NotImplementedError", source)
    namespace = dict(surroundings(module))
    execute(source, namespace)
    return namespace[name]


def kinds_and_sentences(name: str, attempt, seeds) -> set[tuple[str, str]]:
    """The different verdicts over the seeds; the details, which differ by seed, left out."""
    verdicts = (judge(exercises.find(name), attempt, seed) for seed in seeds)
    return {(verdict.kind, verdict.sentence) for verdict in verdicts}


class Tried:
    """An exercise by reference over all seeds: cases and reference once, functions as asked.

    It says of a function what ``judge`` would, but does not run the mistakes again for each one:
    that two of them never give the same answers is a test of its own.
    """

    def __init__(self, name: str):
        self.name, self.exercise = name, exercises.find(name)
        with random_state_kept():
            self.cases = [self.exercise.draw(seed) for seed in SEEDS]
        self.expected = self.outcomes(self.exercise.reference)
        errors = [outcome.error for seed in self.expected for outcome in seed if outcome.error]
        assert not errors, f"the reference of {name} raised {errors}"

    def outcomes(self, fn) -> list[list]:
        """What a function did: for each seed a list with an outcome for each case."""
        with random_state_kept():
            runs = zip(SEEDS, self.cases, strict=True)
            return [self.exercise.run(fn, cases, seed) for seed, cases in runs]

    def kinds(self, outcomes) -> dict[str, list[int]]:
        """The seeds at which these outcomes are right, wrong or not attempted, by kind."""
        found = collections.defaultdict(list)
        tries = zip(SEEDS, self.cases, self.expected, outcomes, strict=True)
        for seed, cases, expected, given in tries:
            if any(is_stub(outcome.error) for outcome in given):
                found[NOT_ATTEMPTED].append(seed)
            else:
                wrong = wrong_trials(self.exercise, cases, expected, given)
                found[WRONG if wrong else RIGHT].append(seed)
        return dict(found)


@pytest.fixture(scope="module", params=BY_REFERENCE)
def tried(request):
    """Of this scope, so that pytest runs all tests of one exercise in a row."""
    return Tried(request.param)


# --- what every exercise promises ------------------------------------------------------------


def test_the_stub_is_not_attempted(tried):
    stub = attempt_from_lesson(tried.name, solved=False)
    assert tried.kinds(tried.outcomes(stub)).keys() == {NOT_ATTEMPTED}


def test_the_lessons_solution_is_right(tried):
    solution = attempt_from_lesson(tried.name, solved=True)
    kinds = tried.kinds(tried.outcomes(solution))
    assert kinds.keys() == {RIGHT}, kinds


def test_every_other_right_way_is_right(tried):
    for number, attempt in enumerate(tried.exercise.also_right):
        kinds = tried.kinds(tried.outcomes(attempt))
        assert kinds.keys() == {RIGHT}, (number, kinds)


def test_every_declared_mistake_is_wrong_and_like_no_other(tried):
    exercise = tried.exercise
    outcomes = [(mistake.message, tried.outcomes(mistake.fn)) for mistake in exercise.mistakes]
    for message, given in outcomes:
        kinds = tried.kinds(given)
        assert kinds.keys() == {WRONG}, (message, kinds)
    # Forms of one mistake share its message, and differ somewhere, or one of them does nothing.
    for (one, some), (two, others) in itertools.combinations(outcomes, 2):
        alike = [same_outcomes(exercise, *pair) for pair in zip(some, others, strict=True)]
        assert not (all(alike) if one == two else any(alike)), (alike, one, two)


def test_every_declared_mistake_is_told_its_own_message(tried):
    for mistake in tried.exercise.mistakes:
        verdict = judge(tried.exercise, mistake.fn, SEEDS[0])
        assert (verdict.kind, verdict.sentence) == (WRONG, mistake.message)


@pytest.mark.parametrize("name", BUILDS)
def test_the_stub_of_a_build_is_not_attempted(name):
    verdicts = kinds_and_sentences(name, attempt_from_lesson(name, solved=False), BUILD_SEEDS)
    assert {kind for kind, _ in verdicts} == {NOT_ATTEMPTED}


@pytest.mark.parametrize("name", BUILDS)
def test_a_build_is_right_in_the_lessons_way_and_in_every_other_right_way(name):
    exercise = exercises.find(name)
    ways = (exercise.reference, attempt_from_lesson(name, solved=True), *exercise.also_right)
    for attempt in ways:
        verdicts = kinds_and_sentences(name, attempt, BUILD_SEEDS)
        assert {kind for kind, _ in verdicts} == {RIGHT}, verdicts


@pytest.mark.parametrize("name", BUILDS)
def test_every_mistake_of_a_build_is_told_its_own_message(name):
    for mistake in exercises.find(name).mistakes:
        for kind, sentence in kinds_and_sentences(name, mistake.fn, BUILD_SEEDS):
            assert (kind, mistake.message in sentence) == (WRONG, True), sentence


@pytest.mark.parametrize("name", BUILDS)
def test_every_part_of_a_build_has_a_name_and_a_hint(name):
    parts = exercises.find(name).parts
    assert all(part.name and part.hints for part in parts)
    assert len({part.name for part in parts}) == len(parts)


class WithoutBeginning(nn.Module):
    def __init__(self, *arguments, **named):
        self.layers = nn.ModuleDict()


class TakesNothing(nn.Module):
    def __init__(self):
        super().__init__()


@pytest.mark.parametrize(
    "name", [name for name in BUILDS if exercises.find(name).asks_for is nn.Module]
)
def test_a_build_of_a_module_says_what_is_wrong_with_its_constructor(name):
    for attempt, words in (
        (WithoutBeginning, ["The constructor has to begin with `super().__init__()`"]),
        (TakesNothing, ["The constructor should take", "Yours takes the arguments `()`"]),
    ):
        sentence = judge(exercises.find(name), attempt, seed=0).sentence
        assert any(said in sentence for said in words), sentence


@pytest.mark.parametrize("name", BY_DIALS)
def test_the_stub_without_dials_is_not_attempted(name):
    verdicts = kinds_and_sentences(name, attempt_from_lesson(name, solved=False), SEEDS)
    assert {kind for kind, _ in verdicts} == {NOT_ATTEMPTED}


@pytest.mark.parametrize("name", BY_DIALS)
def test_the_right_dials_break_the_claim_and_the_lessons_too(name):
    exercise = exercises.find(name)
    for attempt in (lambda: dict(exercise.right_dials), attempt_from_lesson(name, solved=True)):
        verdicts = kinds_and_sentences(name, attempt, DIAL_SEEDS)
        assert {kind for kind, _ in verdicts} == {RIGHT}, verdicts


@pytest.mark.parametrize("name", BY_DIALS)
def test_an_answer_that_breaks_a_claim_is_told_the_numbers(name):
    exercise = exercises.find(name)
    sentence = judge(exercise, lambda: dict(exercise.right_dials), seed=0).sentence
    assert re.match(r"This makes the claim false[^:]*: .*\d", sentence), sentence


@pytest.mark.parametrize("name", BY_DIALS)
def test_the_wrong_dials_do_not_break_the_claim(name):
    for dials in exercises.find(name).wrong_dials:
        verdicts = kinds_and_sentences(name, functools.partial(dict, dials), DIAL_SEEDS)
        assert {kind for kind, _ in verdicts} == {WRONG}, (dials, verdicts)


@pytest.mark.parametrize("name", NAMES)
def test_there_are_two_hints_and_three_mistakes_at_least(name):
    exercise = exercises.find(name)
    hints = [*exercise.hints, *(hint for part in exercise.parts for hint in part.hints)]
    assert len(hints) >= 2
    assert len(exercise.wrong_dials if exercise.verify else exercise.mistakes) >= 3
    texts = [*hints, *(mistake.message for mistake in exercise.mistakes)]
    assert all(text.strip().endswith((".", "?", "`")) for text in texts), texts


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_can_be_shown(name):
    text = exercises.solution_text(name)
    assert re.match(rf"(@.*\n)*(def|class) {name}\b", text)
    assert "SOLUTION" not in text


# --- faults laid over right answers ----------------------------------------------------------

FAULT_SEEDS = range(3)


def right_ways(name: str) -> list:
    """The reference and the other right ways, as far as a fault can be laid over them."""
    exercise = exercises.find(name)
    ways = (exercise.reference, *exercise.also_right)
    return [way for way in ways if not isinstance(way, type) or issubclass(way, nn.Module)]


def can_show(fault: str, exercise: Exercise, way) -> bool:
    """Whether a fault can show in answers of the kind that this right way gives."""
    found = []

    def note(call, arguments):
        result = call(*arguments)
        found.append(can_be_laid(fault, arguments, result))
        return result

    # Undeclared, so that a gradient is asked for: only then do answers carry one.
    judge(dataclasses.replace(exercise, unaffected={}), laid(way, note), FAULT_SEEDS[0])
    return any(found)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", BY_REFERENCE + BUILDS)
def test_a_fault_laid_over_right_answers_is_refused_or_declared(name, fault, monkeypatch):
    monkeypatch.setattr(core, "_reason", lambda evidence, problem: problem)  # slow, not asked here
    monkeypatch.setattr(core, "_gradient_line", lambda evidence: "")
    exercise = dataclasses.replace(exercises.find(name), mistakes=())
    ways = [way for way in right_ways(name) if can_show(fault, exercise, way)]
    accepted = [
        (place, seed)
        for place, way in enumerate(ways)
        for seed in FAULT_SEEDS
        if judge(exercise, FAULTS[fault](way), seed).kind == RIGHT
    ]
    if fault in exercise.unaffected:
        assert accepted, "no answer with this fault is taken for right: declare nothing"
    else:
        assert not accepted, "right ways by place and seeds at which the fault is taken for right"


@pytest.mark.parametrize("name", BY_REFERENCE)
def test_the_gradient_gets_through_every_right_way(name):
    for attempt in (attempt_from_lesson(name, solved=True), *exercises.find(name).also_right):
        verdicts = kinds_and_sentences(name, attempt, FAULT_SEEDS)
        assert {kind for kind, _ in verdicts} == {RIGHT}, verdicts


# --- what every lesson promises --------------------------------------------------------------


@pytest.mark.parametrize("module", LESSONS)
def test_a_lessons_check_cells_and_its_declared_exercises_are_the_same(module):
    checked = [
        match[1]
        for source in cells_tagged(module, "check")
        if (match := re.fullmatch(r"(\w+) = check\(\1\)", source.strip()))
    ]
    assert len(checked) == len(cells_tagged(module, "check")), "a check cell: name = check(name)"
    declared = [name for name, lesson in exercises.declared().items() if lesson == module]
    assert sorted(checked) == sorted(declared)


@pytest.mark.parametrize("module", LESSONS)
def test_the_declarations_found_in_the_text_are_those_in_the_module(module):
    lesson = importlib.import_module(f"course_utils.exercises.{module}")
    held = {name for name, value in vars(lesson).items() if isinstance(value, Exercise)}
    assert held == {name for name, home in exercises.declared().items() if home == module}


def test_a_lesson_with_an_exercise_cell_has_a_module_that_declares_it():
    for path in (course_root() / "solutions").glob("[0-9][0-9]_*.py"):
        module = f"lesson{path.name[:2]}"
        assert module in LESSONS or not cells_tagged(module, "exercise"), path.name


def test_the_stub_keeps_the_indentation_of_the_body():
    source = "def f(x):\n    ### BEGIN SOLUTION\n    y = x\n    return y\n    ### END SOLUTION"
    stub = textwrap.dedent(_SOLUTION.sub(r"\1raise NotImplementedError", source))
    assert stub == "def f(x):\n    raise NotImplementedError"
