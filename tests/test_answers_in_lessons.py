"""What learners hand in may differ in form from ours where it is right; lessons run on with it."""

import ast
import functools
import numbers

import jupytext
import pytest
import torch
from torch import Tensor

from course_utils import exercises
from course_utils.environment import course_root
from course_utils.exercises.core import RIGHT, judge
from course_utils.exercises.limits import random_state_kept

MODULES = sorted(set(exercises.declared().values()))
GIVEN_AS_TENSOR = "<a tensor where a number was meant>"


class NumberAsTensor(Tensor):
    """A tensor of no dimension that is formatted as PyTorch's own are, but cries out if printed."""

    def __repr__(self, **_):
        return GIVEN_AS_TENSOR

    def __format__(self, spec):
        return format(self.item(), spec)


def with_tensors(reference):
    """The reference, with tensors in place of numbers."""

    @functools.wraps(reference)
    def attempt(*arguments, **named):
        return as_tensors(reference(*arguments, **named))

    return attempt


def as_tensors(value):
    if isinstance(value, numbers.Number):
        return torch.tensor(value).as_subclass(NumberAsTensor)
    return type(value)(map(as_tensors, value)) if type(value) in (list, tuple) else value


def unlike_ours(name):
    """A right answer in another form than the lesson's: with tensors, or another right way."""
    exercise = exercises.find(name)
    if exercise.verify:
        return None
    ways = tuple(renamed(way, name) for way in exercise.also_right)
    if exercise.cases and not exercise.module:
        ways = (with_tensors(exercise.reference), *ways)
    return next((way for way in ways if judge(exercise, way, seed=0).kind == RIGHT), None)


def renamed(way, name):
    """A class as it is called in a lesson; a function may keep its name."""
    return type(name, (way,), {}) if isinstance(way, type) else way


def code_cells(module):
    number = module.removeprefix("lesson")
    (path,) = (course_root() / "solutions").glob(f"{number}_*.py")
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "code":
            yield cell.source, cell.metadata.get("tags", ())


def show_as_a_notebook_does(source, namespace):
    """Run a cell; print the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
        print("" if value is None else value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array")  # numpy meets the tensor that is none of PyTorch's
@pytest.mark.parametrize("module", MODULES)
def test_a_lesson_runs_and_prints_with_right_answers_in_another_form(module, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    names = [name for name, where in exercises.declared().items() if where == module]
    others = {name: way for name in names if (way := unlike_ours(name))}
    namespace = {"__name__": "__main__"}
    with random_state_kept():
        for source, tags in code_cells(module):
            show_as_a_notebook_does(source, namespace)
            if "exercise" in tags:
                namespace |= {name: others[name] for name in others if f" {name}(" in source}
            assert GIVEN_AS_TENSOR not in capsys.readouterr().out, source
