"""One-step changes of a function's source, and the places where they can be made.

A rule looks at one place of a syntax tree and proposes what might stand there instead. Read
forwards, a change that makes wrong code right says what was wrong with it; read backwards, a
change that makes right code give a wrong answer says how that answer comes about. The rules are
in `slips.py` (within a line) and `slips_of_lines.py` (lines that are moved, left out or added).
"""

import ast
import copy
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Slot:
    """A place in a tree, and what stands there: a node, or the list of a block's statements."""

    parent: ast.AST
    field: str
    index: int | None = None

    @property
    def node(self):
        """What stands there now."""
        held = getattr(self.parent, self.field)
        return held if self.index is None else held[self.index]

    def put(self, new) -> None:
        """Let something else stand there."""
        if self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new


@dataclass(frozen=True)
class Scope:
    """What a rule may know of the whole definition.

    params: of its functions, without self; names: params and locals; keys: texts that are keys of
    the inputs or stand in the code; constants: numbers in the right answers; globals: names that
    are defined around it; attributes: of self; masks: names of what is true or false; fixed: ids
    of nodes that name an axis or a place, which rules for plain numbers leave alone; sizes: those
    of the inputs, each in words, with the ways of asking for it.
    """

    params: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    constants: tuple[int | float, ...] = ()
    globals: frozenset[str] = frozenset()
    attributes: tuple[str, ...] = ()
    masks: frozenset[str] = frozenset()
    fixed: frozenset[int] = frozenset()
    sizes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """What may stand at a place, and why, in two sentences without a full stop.

    here: what is wrong with code that this makes right; there: what was done to right code by
    this, or "" where that tells nobody anything; wrong, right: the names or signs that have
    changed places in code that ``there`` speaks of, where there are such.
    """

    new: object
    here: str
    there: str = ""
    wrong: str = ""
    right: str = ""


@dataclass
class Edit:
    """A proposal at its place. rank: how common the slip is, the commonest first; at: the node to
    be shown; kind: edits of one kind with the same nodes are the same slip in several places.
    """

    slot: Slot
    proposal: Proposal
    rank: float
    at: ast.AST
    kind: str = ""
    old: object = field(init=False)

    def __post_init__(self):
        self.old = self.slot.node

    @property
    def same_slip(self) -> tuple[tuple, tuple] | None:
        """Two keys, equal for edits that mend the same slip in several places: on the same code,
        and on code of the same kind. None for whole blocks.
        """
        if not isinstance(self.proposal.new, ast.AST):
            return None
        exact = texts = [ast.unparse(n) for n in _first_difference(self.old, self.proposal.new)]
        # A step round something, or none round it, is the same whatever it is a step round.
        for inner, outer in (texts, texts[::-1]):
            if inner in outer:
                whole = rf"(?<!\w){re.escape(inner)}(?!\w)"
                texts = [re.sub(whole, "...", text) for text in texts]
                break
        slip = self.kind, self.proposal.here
        return (*slip, *exact), (*slip, *texts, type(self.old))

    def do(self) -> None:
        """Make the change, in the tree itself."""
        self.slot.put(self.proposal.new)

    def undo(self) -> None:
        """Put back what stood there."""
        self.slot.put(self.old)


def _first_difference(one, other):
    """The smallest pair of nodes, one in each tree, that holds all their differences."""
    if type(one) is not type(other):
        return one, other
    pairs = list(zip(ast.iter_child_nodes(one), ast.iter_child_nodes(other), strict=False))
    apart = [pair for pair in pairs if ast.dump(pair[0]) != ast.dump(pair[1])]
    same_count = len(list(ast.iter_child_nodes(one))) == len(list(ast.iter_child_nodes(other)))
    return _first_difference(*apart[0]) if len(apart) == 1 and same_count else (one, other)


Rule = Callable[[ast.AST, Scope], Iterator[Proposal]]


def edits_of(rules: Sequence[tuple[float, Rule]], slot: Slot, scope: Scope) -> Iterator[Edit]:
    """What the rules propose for one expression."""
    in_place = called(slot.parent).endswith("_")  # does nothing where it is given a copy
    for rank, rule in rules:
        for proposal in rule(slot.node, scope):
            if not (in_place and _holds(proposal.new, slot.node)):
                yield Edit(slot, proposal, rank, slot.node, rule.__name__)


def _holds(tree, node):
    return any(inner is node for inner in ast.walk(tree))


def places(tree: ast.AST) -> Iterator[Slot]:
    """Every expression of a definition that is computed when it runs, and unpacked tuples."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if name in ("decorator_list", "returns", "annotation", "type_params", "bases"):
                continue
            held = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, node in held:
                if isinstance(node, ast.expr) and not is_target(node):
                    yield Slot(parent, name, index)


def blocks(tree: ast.AST) -> Iterator[Slot]:
    """Every list of statements."""
    for parent in ast.walk(tree):
        for name in ("body", "orelse"):
            held = getattr(parent, name, None)
            if isinstance(held, list) and held and isinstance(held[0], ast.stmt):
                yield Slot(parent, name)


def is_target(node: ast.AST) -> bool:
    """Whether something is stored here; a tuple is no target, since its parts may be exchanged."""
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) and not isinstance(
        node, ast.Tuple
    )


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is a text and nothing else."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


# --- pieces of trees -------------------------------------------------------------------------


def called(node: ast.AST) -> str:
    """The last name of what a call calls; "" where there is none."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def number_in(node: ast.AST | None) -> int | float | None:
    """The number that a node writes out, with its sign; None for everything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = number_in(node.operand)
        return None if inner is None else -inner
    plain = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return node.value if plain else None


def written(value: object) -> ast.expr:
    """A plain value as an expression."""
    return ast.parse(repr(value), mode="eval").body


def expression(text: str, **parts: ast.AST) -> ast.expr:
    """An expression from its text, with nodes in the places of some names."""
    return _filled(_template(text), parts)


@functools.cache
def _template(text):
    return ast.parse(text, mode="eval").body


def _filled(node, parts):
    """A copy of a template, placed anywhere: a tree is compiled only where all have a line."""
    if isinstance(node, list):
        return [_filled(item, parts) for item in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.Name) and node.id in parts:
        return parts[node.id]
    new = type(node)(**{name: _filled(value, parts) for name, value in ast.iter_fields(node)})
    return ast.copy_location(new, node)


def named(name: str, value: object) -> ast.keyword:
    """An argument by its name, with a plain value."""
    return ast.keyword(name, written(value), lineno=1, col_offset=0)


def changed(node: ast.AST, **fields: object) -> ast.AST:
    """A shallow copy with other fields."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def exchanged(items: Sequence, i: int, j: int) -> list:
    """A list in which two items have changed places."""
    new = list(items)
    new[i], new[j] = new[j], new[i]
    return new


def replaced(items: Sequence, index: int, *new: object) -> list:
    """A list with others in the place of one item."""
    return [*items[:index], *new, *items[index + 1 :]]
