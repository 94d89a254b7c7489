"""Rules for whole lines: moved, exchanged, left out, forgotten."""

import ast
from collections.abc import Iterator

from course_utils.exercises.edits import (
    Edit,
    Proposal,
    Scope,
    Slot,
    changed,
    exchanged,
    expression,
    is_docstring,
    replaced,
)
from course_utils.exercises.slips import other_operators

_STEPS = {"sigmoid()": "a sigmoid", "softmax(-1)": "a softmax", "exp()": "`exp`", "log()": "`log`"}
_LEAVES = ast.Return | ast.Raise | ast.Break | ast.Continue  # no line behind it runs
_NO_RETURN = "the function ends here without a `return`"


def statement_edits(slot: Slot, scope: Scope) -> Iterator[Edit]:
    """One-step changes of a block of statements."""
    body = slot.node
    for rule in (_moved, _in_place, _reordered, _left_out, _steps_missing, _part_missing):
        for rank, new, at, here in rule(body, scope):
            yield _edit(slot, rank, new, at, here)
    if isinstance(slot.parent, ast.FunctionDef):
        for rank, new, at, here in _of_functions(slot.parent, body, scope):
            yield _edit(slot, rank, new, at, here)


def _edit(slot, rank, new, at, here):
    for statement in new:
        if not hasattr(statement, "lineno"):
            ast.copy_location(statement, at)
    return Edit(slot, Proposal(new, here), rank, at, here)


def _moved(body, scope):
    """The end of a loop or a branch that belongs after it; the next line that belongs inside."""
    for index, block in enumerate(body):
        if not isinstance(block, ast.For | ast.While | ast.If | ast.With):
            continue
        loop = isinstance(block, ast.For | ast.While)
        name = "loop" if loop else "block"
        for count in range(1, len(block.body)):
            shorter, tail = changed(block, body=block.body[:-count]), block.body[-count:]
            here = f"this line stands inside the {name}, and belongs after it"
            if loop and isinstance(tail[-1], ast.Return):
                here = "this `return` stands inside the loop, which so ends in its first round"
            yield 0.9, replaced(body, index, shorter, *tail), tail[0], here
        for place, inner in enumerate(block.body if loop else ()):
            last = inner.body[-1] if isinstance(inner, ast.If) else None
            if isinstance(last, ast.Return) and len(inner.body) > 1:
                whole = changed(inner, body=inner.body[:-1])
                longer = changed(block, body=replaced(block.body, place, whole))
                here = "this `return` ends the loop at the first time that it is reached"
                yield 0.9, replaced(body, index, longer), last, here
        if index + 1 < len(body) and not isinstance(block.body[-1], _LEAVES):
            longer = changed(block, body=[*block.body, body[index + 1]])
            here = f"this line stands after the {name}, and belongs inside"
            new = [*body[:index], longer, *body[index + 2 :]]
            yield 1.5, new, body[index + 1], here
        if isinstance(block, ast.With):
            yield 1.5, replaced(body, index, *block.body), block, "this `with` does harm"


def _in_place(body, scope):
    """`x = y` for `x += y`, and the reverse; a result that is not kept."""
    for index, statement in enumerate(body):
        if isinstance(statement, ast.AugAssign):
            for other, here, *_ in other_operators(statement.op):
                yield 1, replaced(body, index, changed(statement, op=other)), statement, here
            plain = ast.Assign([statement.target], statement.value)
            yield 1.3, replaced(body, index, plain), statement, "it adds, where it should replace"
        elif isinstance(statement, ast.Assign):
            target = statement.targets[0]
            plain = isinstance(statement.value, ast.Constant)  # `+= 0` would take the line away
            if isinstance(target, ast.Name | ast.Subscript) and not plain:
                for operator, verb in ((ast.Add(), "add"), (ast.Mult(), "multiply")):
                    new = ast.AugAssign(target, operator, statement.value)
                    here = f"this replaces what was there before; it should {verb}"
                    yield 1.3, replaced(body, index, new), statement, here
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            func = statement.value.func
            if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
                new = ast.Assign([changed(func.value, ctx=ast.Store())], statement.value)
                here = f"what `{func.attr}` gives is not kept; the line changes nothing"
                yield 1.3, replaced(body, index, new), statement, here


def _reordered(body, scope):
    """Other orders of the lines, in which every line that is moved still runs."""
    for index in range(len(body) - 1):
        if any(isinstance(line, _LEAVES) for line in body[index : index + 2]):
            continue  # behind it a line would not run: that is to leave the line out
        here = "this line and the next have changed places"
        yield 1.6, exchanged(body, index, index + 1), body[index], here
    for index, statement in enumerate(body):
        for place in range(len(body)):
            left = replaced(body, index)
            runs = not any(isinstance(line, _LEAVES) for line in left[:place])
            if abs(place - index) > 1 and runs and not isinstance(statement, _LEAVES):
                new = [*left[:place], statement, *left[place:]]
                yield 2.5, new, statement, "this line comes at the wrong moment"


def _left_out(body, scope):
    for index, statement in enumerate(body):
        computes = not isinstance(statement, ast.FunctionDef | ast.Return | ast.ClassDef)
        if len(body) > 1 and computes and not is_docstring(statement):
            here = "without this line all answers are right"
            yield 2.4, replaced(body, index), statement, here


def _steps_missing(body, scope):
    """Calls of a training step that were forgotten."""
    if not {"optimizer", "loss", "optimiser"} & set(scope.names):
        return
    for name in scope.names:
        for method in ("zero_grad", "step", "backward", "eval", "train"):
            for index, statement in enumerate(body):
                call = ast.Expr(expression(f"{name}.{method}()"))
                here = f"before this line a call of `{method}` is missing"
                yield 2.2, replaced(body, index, call, statement), statement, here


def _part_missing(body, scope):
    """A factor, a term or a division that a line lacks."""
    for index, statement in enumerate(body):
        value = getattr(statement, "value", None)
        if not isinstance(statement, ast.Assign | ast.Return | ast.AugAssign) or value is None:
            continue
        last = _finished() if isinstance(statement, ast.Return) else ()
        for text, here in (*last, *_completed(scope)):
            new = changed(statement, value=expression(text, x=value))
            yield 2.9, replaced(body, index, new), statement, here


def _completed(scope):
    """Texts in which x is completed by an input, and what they say is missing."""
    yield "x / x.sum()", "it is not divided by its sum"
    yield "x / x.sum(dim=-1, keepdim=True)", "its rows are not divided by their sums"
    yield "x - x.mean()", "its mean is not taken off"
    yield "1 - x", "it is a share, where the rest of 1 is due"
    for name in scope.params:
        for size in (f"len({name})", *(f"{name}.shape[{axis}]" for axis in (0, 1, -1))):
            yield f"x / {size}", f"a division by a size of `{name}` is missing"
            yield f"x * {size}", f"a factor, a size of `{name}`, is missing"
        for text in ("x + y", "x - y", "x * y", "x / y"):
            yield text.replace("y", name), f"`{name}` is missing here"


def _finished():
    """Texts in which x goes through a last step."""
    yield "x.flatten()", "it is not flattened yet"
    for verb, name in (("averaged", "mean"), ("added up", "sum")):
        for axis in ("", "dim=0", "dim=1", "dim=-1"):
            yield f"x.{name}({axis})", f"it is not {verb} yet"


def _of_functions(function, body, scope):
    """A missing `return`, and what a module's constructor begins with."""
    last = body[-1]
    if isinstance(last, ast.Expr) and not is_docstring(last):
        yield 0.5, replaced(body, len(body) - 1, ast.Return(last.value)), last, _NO_RETURN
    if not isinstance(last, ast.Return):
        for name in reversed(scope.names):
            yield 0.6, [*body, ast.Return(expression(name))], last, _NO_RETURN
    for name in scope.params:
        for step, what in _STEPS.items():
            start = ast.parse(f"{name} = {name}.{step}").body[0]
            first = next((line for line in body if not is_docstring(line)), last)
            yield 2.3, [start, *body], first, f"`{name}` has not gone through {what} yet"
    if function.name == "__init__" and "super().__init__" not in ast.unparse(function):
        call = ast.Expr(expression("super().__init__()"))
        here = "a module's constructor has to begin with `super().__init__()`"
        yield 0.5, [call, *body], body[0], here
