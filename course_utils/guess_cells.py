"""What holds of a lesson's guesses: where they stand, what settles them, and that nothing tells.

A guess is a cell of its own, tagged ``guess``, with the dots in place; a ``settle`` of its name
stands below it, and no ``claim`` between the two.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

from course_utils.deeper import MAGIC, deeper_sections
from course_utils.lessons import GUESS

FORM = 'guess("name", ...) or guess("name", ..., ["one", "other"])'


@dataclass(frozen=True)
class Call:
    """A call of guess, settle or claim: in which cell, and the text that it begins with."""

    function: str
    place: int
    name: str | None
    node: ast.Call


def guess_faults(cells: Sequence[NotebookNode]) -> list[str]:
    """What is wrong with the guesses of a lesson, in sentences."""
    calls = [call for place, cell in enumerate(cells) for call in _calls(place, cell)]
    guesses = [call for call in calls if call.function == "guess"]
    settled = [call for call in calls if call.function == "settle"]
    found = [*_untagged(cells, guesses)]
    for call in guesses:
        found += _form(cells[call.place], call) or _settling(call, calls, deeper_sections(cells))
    names = {call.name for call in guesses}
    found += [f"settle({c.name!r}, ...) has no guess above" for c in settled if c.name not in names]
    return found


def guess_names(cells: Sequence[NotebookNode]) -> list[str]:
    """The names of a lesson's guesses, in order."""
    calls = (call for place, cell in enumerate(cells) for call in _calls(place, cell))
    return [call.name for call in calls if call.function == "guess" and call.name is not None]


def _calls(place: int, cell: NotebookNode) -> Iterator[Call]:
    if cell.cell_type != "code":
        return
    try:
        tree = ast.parse(MAGIC.sub("", cell.source))
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            first = node.args[0] if node.args else None
            text = first.value if isinstance(first, ast.Constant) else None
            if node.func.id in ("guess", "settle", "claim"):
                yield Call(node.func.id, place, text if isinstance(text, str) else None, node)


def _untagged(cells: Sequence[NotebookNode], guesses: Sequence[Call]) -> Iterator[str]:
    asking = {call.place for call in guesses}
    for place, cell in enumerate(cells):
        if (place in asking) != ("guess" in cell.metadata.get("tags", ())):
            yield (
                f'the cell that begins {cell.source[:40]!r} must have both the tag "guess" and a '
                "call of guess, or neither"
            )


def _form(cell: NotebookNode, call: Call) -> list[str]:
    """Why a guess's cell is not of the one form that readers and the board know."""
    *before, last = ast.parse(cell.source).body
    alone = isinstance(last, ast.Expr) and ast.dump(last.value) == ast.dump(call.node)
    alone = alone and all(isinstance(each, ast.ImportFrom) for each in before)
    arguments = call.node.args + [keyword.value for keyword in call.node.keywords]
    dots = len(arguments) > 1 and isinstance(arguments[1], ast.Constant)
    dots = dots and arguments[1].value is ...
    named = call.name is not None and GUESS.findall(cell.source) == [call.name]
    if alone and named and dots and _are_options(arguments[2:]):
        return []
    return [f"the cell that begins {cell.source[:40]!r} must be {FORM} and nothing else"]


def _are_options(arguments: Sequence[ast.expr]) -> bool:
    if not arguments:
        return True
    words = arguments[0].elts if isinstance(arguments[0], ast.List | ast.Tuple) else []
    texts = {w.value for w in words if isinstance(w, ast.Constant) and isinstance(w.value, str)}
    return len(arguments) == 1 and len(texts) == len(words) >= 2


def _settling(guess: Call, calls: Sequence[Call], sections: Sequence[range]) -> list[str]:
    """Why a guess is not settled below as it should be."""
    below = [c for c in calls if c.function == "settle" and c.name == guess.name]
    below = [call for call in below if call.place > guess.place]
    if not below:
        return [f"guess({guess.name!r}, ...) needs settle({guess.name!r}, ...) in a cell below it"]
    found, end = [], below[0].place
    if any((guess.place in section) != (end in section) for section in sections):
        found.append(
            f"guess({guess.name!r}, ...) and its settle must both stand inside a deeper section or "
            "both outside"
        )
    if any(c.function == "claim" and guess.place < c.place <= end for c in calls):
        found.append(
            f"a claim between guess({guess.name!r}, ...) and the end of the cell that settles it "
            "gives the answer away; put it into a cell below"
        )
    return found
