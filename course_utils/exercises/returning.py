"""Which way through an attempt gives None, where it should give an answer.

Each way to the end of the function is marked in a copy of it, and the copy is run on an input for
which the attempt gave None. The mark that is reached names the way.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any

from course_utils.exercises.evidence import Evidence, unheard
from course_utils.exercises.repairs import Definition, definition_of, may_run

_MARK = "__course_way__"
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


class _Way(BaseException):
    """Raised at the mark that was reached; ``except Exception`` does not catch it."""

    def __init__(self, number: int):
        self.number = number


def way_to_none(evidence: Evidence) -> str | None:
    """A sentence on the way on which the attempt gives None, or None where it is not found.

    Where no line of it gives anything, only a `return` is missing, and there is no way to name.
    """
    index = next((i for i, outcome in enumerate(evidence.given) if _is_none(outcome)), None)
    definition = definition_of(evidence.attempt)
    if index is None or definition is None or not may_run(definition):
        return None
    marked = copy.deepcopy(definition.tree)
    function = _function(marked, evidence.exercise.module)
    if function is None:
        return None
    returns = [node for node in _own_nodes(function) if isinstance(node, ast.Return)]
    if all(node.value is None or _says_none(node.value) for node in returns):
        return None
    sentences = [*_mark_returns(returns, definition), *_mark_ends(function, definition, returns)]
    reached = _reached(evidence, index, definition, marked)
    return None if reached is None else sentences[reached]


def _is_none(outcome):
    return outcome.returned and outcome.result is None


def _says_none(value):
    return isinstance(value, ast.Constant) and value.value is None


def _function(tree, is_module):
    """The function whose answer counts: of a module's class its ``forward``."""
    if not is_module:
        return tree if isinstance(tree, ast.FunctionDef) else None
    methods = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "forward"]
    return methods[0] if methods else None


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a function but those of functions in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTIONS):
            yield child
            yield from _own_nodes(child)


def _mark_returns(returns, definition):
    """Mark each `return`; it is on the way if what it gives is None."""
    for number, node in enumerate(returns):
        if node.value is None:
            yield f"Line {node.lineno}, `return`: nothing stands behind it, so it gives None."
        else:
            yield f"Line {node.lineno}, `{_line(definition, node)}`: what it gives is None."
        node.value = _call(number, node.value or ast.Constant(None))


def _mark_ends(function, definition, returns):
    """Mark each way off the end of a function."""
    numbers = iter(range(len(returns), 10_000))

    def walk(body):
        last = body[-1]
        if isinstance(last, ast.If):
            yield from walk(last.body)
            if last.orelse:
                yield from walk(last.orelse)
            else:
                last.orelse = [ast.Expr(_call(next(numbers), ast.Constant(None)))]
                yield (
                    f"Line {last.lineno}, `{_line(definition, last)}`: where this is not true, "
                    "nothing is returned."
                )
        elif isinstance(last, ast.With):
            yield from walk(last.body)
        elif not isinstance(last, ast.Return | ast.Raise):
            body.append(ast.Expr(_call(next(numbers), ast.Constant(None))))
            yield f"Line {last.lineno}, `{_line(definition, last)}`: {_ending(last)}"

    yield from walk(function.body)


def _ending(last):
    if not isinstance(last, ast.For | ast.While):
        return "on this way the function ends without a `return`."
    if any(isinstance(node, ast.Return) for node in _own_nodes(last)):
        return "the loop ended without reaching its `return`, and below it there is none."
    return "below this loop there is no `return`."


def _line(definition: Definition, node: ast.stmt) -> str:
    """A statement as it stands; of one with a block, such as `if x:`, its first line."""
    if not hasattr(node, "body"):
        return definition.text(node)
    text = definition.source.splitlines()[node.lineno - 1].strip()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _call(number: int, value: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(_MARK, ast.Load()), [ast.Constant(number), value], [])


def _marker() -> Callable[[int, Any], Any]:
    def mark(number: int, value: Any) -> Any:
        if value is None:
            raise _Way(number)
        return value

    return mark


def _reached(evidence, index, definition, marked):
    """The number of the mark that a run on the case of that number comes to, or None."""
    try:
        ast.fix_missing_locations(marked)
        namespace = definition.namespace | {_MARK: _marker()}
        with unheard():
            fn = Definition(
                definition.name, marked, definition.source, namespace, definition.free
            ).build()
            error = evidence.run(fn, evidence.cases[index], index).error
    except Exception:  # a definition that cannot be made again
        return None
    return error.number if isinstance(error, _Way) else None
