"""A notebook's cells as text: which of them is an exercise's answer, and what that rests on.

Nothing is run here. What an answer rests on is found by the names that it uses: the imports,
functions, classes and values above it that bind these names, and what those use in turn.
"""

import ast
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# Loops are left out: in a lesson they train, and what they leave over is no part of an answer.
_DEFINING = (
    ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.If | ast.Try | ast.With
)  # fmt: skip
_CHECKS = ("check", "hint", "solution")


@dataclass(frozen=True)
class Answer:
    """The cell that defines an exercise's name, and the statements above that it rests on.

    uses: every name that comes from outside of the cell. broken: where the last cell that was
    meant to define the name is not Python, what Python says of it.
    """

    cell: str = ""
    above: tuple[str, ...] = ()
    uses: frozenset[str] = field(default_factory=frozenset)
    broken: str = ""


def find_answer(cells: Sequence[str], name: str) -> Answer | None:
    """The answer to the exercise ``name`` among these cells, or None where no cell defines it."""
    trees = [_parsed(cell) for cell in cells]
    for place in reversed(range(len(cells))):
        tree = trees[place]
        if isinstance(tree, SyntaxError):
            if _means_to_define(cells[place], name):
                return Answer(cell=cells[place], broken=f"{tree.msg} (line {tree.lineno})")
        elif any(name in _bound(statement) for statement in tree.body):
            above = [tree for tree in trees[:place] if isinstance(tree, ast.Module)]
            return _with_what_it_uses(ast.unparse(tree), tree, above, cells[place])
    return None


def _with_what_it_uses(text, tree, above, cell):
    statements = [s for module in above for s in module.body if isinstance(s, _DEFINING)]
    bound = [_bound(statement) for statement in statements]
    uses, chosen = used_names(text), set()
    while new := {i for i, names in enumerate(bound) if names & uses} - chosen:
        chosen |= new
        uses |= set().union(*(used_names(ast.unparse(statements[i])) for i in new))
    texts = tuple(ast.unparse(statements[i]) for i in sorted(chosen))
    return Answer(cell=_python(cell), above=texts, uses=frozenset(uses))


def _parsed(cell: str) -> ast.Module | SyntaxError:
    try:
        return ast.parse(_python(cell))
    except (SyntaxError, ValueError, RecursionError) as error:
        return error if isinstance(error, SyntaxError) else SyntaxError(str(error))


def _python(cell: str) -> str:
    """A cell without the signs that only IPython knows (`%` and `!` lines)."""
    try:
        ast.parse(cell)
    except (SyntaxError, ValueError):
        try:
            from IPython.core.inputtransformer2 import TransformerManager

            return TransformerManager().transform_cell(cell)
        except Exception:
            return cell
    return cell


def _means_to_define(cell: str, name: str) -> bool:
    return any(
        line.split("(")[0].split(":")[0].split() in (["def", name], ["class", name])
        for line in cell.splitlines()
    )


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement of a cell binds; a check's answer does not count."""
    if isinstance(statement, ast.Assign) and _asks_the_course(statement.value):
        return set()
    return set(_names_bound(statement))


def _asks_the_course(value: ast.expr) -> bool:
    called = value.func if isinstance(value, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", None)) in _CHECKS


def _names_bound(statement: ast.stmt) -> Iterator[str]:
    table = symtable.symtable(ast.unparse(statement), "<cell>", "exec")
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            yield symbol.get_name()


def used_names(text: str) -> set[str]:
    """The global names that a text uses, in its functions and classes too."""
    found: set[str] = set()
    tables = [symtable.symtable(text, "<cell>", "exec")]
    while tables:
        table = tables.pop()
        outermost = table.get_type() == "module"
        found |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (outermost or symbol.is_global())
        }
        tables += table.get_children()
    return found
