"""What one change in the learner's own source would make right.

The attempt's source is changed in one place at a time and run on the exercise's inputs. A change
that makes every answer right says which line is wrong, and how. Where no source is at hand, or no
one change does, the course's own right answers are changed in the same way: one that then gives
the attempt's answers says how these come about.
"""

import ast
import inspect
import itertools
import linecache
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from course_utils.exercises.edits import Edit, Proposal, Scope, blocks, edits_of, expression, places
from course_utils.exercises.evidence import Clock, Evidence, telling, unheard
from course_utils.exercises.limits import TooLong
from course_utils.exercises.running import Outcome, own_line
from course_utils.exercises.sizes import asked_sizes
from course_utils.exercises.slips import RULES, fixed_numbers
from course_utils.exercises.slips_of_lines import statement_edits

_SECONDS = 1.5  # for changes of the attempt
_SECONDS_OURS = 1.0  # for changes of the right answers
_COMMON = 2.3  # the rank up to which a slip is a common one
_MOMENT = 0.3  # for one changed function on one case
_SHOWN = 60  # characters of a line of code in a sentence

# Code that does something besides computing is not run again and again.
_DOES_MORE = frozenset((
    "open", "input", "exec", "eval", "compile", "os", "sys", "subprocess", "shutil", "socket",
    "requests", "urllib", "pathlib", "Path", "plt", "display", "check", "save", "load",
    "breakpoint", "exit", "quit", "system", "remove", "unlink", "globals", "setattr",
    "set_default_dtype", "set_num_threads", "manual_seed", "fork", "Thread", "Process",
))  # fmt: skip


# --- a definition that can be changed and run ------------------------------------------------


@dataclass
class Definition:
    """A function's or class's own tree, and what makes a function (class) of it again."""

    name: str
    tree: ast.AST
    source: str
    namespace: dict
    free: dict

    def build(self) -> Callable:
        """The function (class) that the tree says now. Raises whatever its definition raises."""
        if not self.free:
            body = [self.tree]
        else:  # variables of a function around it become parameters of one around the copy
            around = ast.parse(f"def __around__({', '.join(self.free)}): return None").body[0]
            around.body = [self.tree, ast.parse(f"return {self.name}").body[0]]
            body = [ast.fix_missing_locations(around)]
        exec(compile(ast.Module(body, []), "<changed>", "exec"), self.namespace)
        return self.namespace["__around__"](**self.free) if self.free else self.namespace[self.name]

    def text(self, node: ast.AST) -> str:
        """A node's own text on one short line."""
        text = ast.get_source_segment(self.source, node) or ast.unparse(node)
        text = " ".join(text.split())
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def definition_of(fn: Callable) -> Definition | None:
    """The definition of a function, a lambda or a class; None where its source is not at hand."""
    fn = inspect.unwrap(fn)
    code = _code(fn)
    if code is None:
        return None
    lines = linecache.getlines(code.co_filename, fn.__globals__ if _plain(fn) else None)
    source = "".join(lines)
    try:
        node = _node(ast.parse(source), fn, code)
    except (SyntaxError, ValueError, RecursionError):
        return None
    if node is None:
        return None
    space = fn.__globals__ if _plain(fn) else _method(fn).__globals__
    return Definition(node.name, node, source, dict(space), _free(fn))


def _plain(fn):
    return isinstance(fn, types.FunctionType)


def _method(cls):
    """Some method that the class itself defines, forward before all others."""
    own = [value for value in vars(cls).values() if _plain(value)]
    return vars(cls).get("forward") or (own[0] if own else None)


def _code(fn):
    if _plain(fn):
        return fn.__code__
    if isinstance(fn, type) and _plain(_method(fn)):
        return _method(fn).__code__
    return None


def _free(fn):
    """Names and values of the variables that a function takes from one around it."""
    if not _plain(fn) or not fn.__closure__:
        return {}
    try:
        return {name: cell.cell_contents for name, cell in
                zip(fn.__code__.co_freevars, fn.__closure__, strict=True)}  # fmt: skip
    except ValueError:  # not yet given a value
        return {}


def _node(tree, fn, code):
    """The definition in a file's tree; of several lambdas on a line the one with this code."""
    line = code.co_firstlineno
    if fn.__name__ == "<lambda>":
        lambdas = (node for node in ast.walk(tree) if isinstance(node, ast.Lambda))
        near = (node for node in lambdas if node.lineno == line and _compiles_to(node, code))
        return next(map(_as_function, near), None)
    kinds = ast.FunctionDef | ast.ClassDef
    named = [n for n in ast.walk(tree) if isinstance(n, kinds) and n.name == fn.__name__]
    # A function's first line is that of its first decorator.
    around = [n for n in named if n.lineno - len(n.decorator_list) <= line <= n.end_lineno]
    for node in around[-1:]:
        node.decorator_list = []
        return node
    return None


def _compiles_to(node, code):
    """Whether a lambda has this code, as far as names and constants tell.

    Its bytes may differ: how a name is called depends on where it was imported.
    """
    compiled = compile(ast.Expression(node), "<lambda>", "eval").co_consts
    return any(_marks(const) == _marks(code) for const in compiled if hasattr(const, "co_names"))


def _marks(code):
    constants = [const for const in code.co_consts if not hasattr(const, "co_names")]
    return code.co_names, code.co_varnames, constants


def _as_function(node):
    body = [ast.copy_location(ast.Return(node.body), node.body)]
    function = ast.FunctionDef("changed", node.args, body, [])
    return ast.fix_missing_locations(ast.copy_location(function, node))


def _scope(
    definition: Definition,
    keys: Iterable[str] = (),
    constants: Iterable[float] = (),
    sizes: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Scope:
    """What the rules may know of a definition."""
    nodes = list(ast.walk(definition.tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    params = [a.arg for f in functions for a in (*f.args.args, *f.args.kwonlyargs)]
    params = dict.fromkeys(name for name in params if name != "self")
    stored = [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store)]
    names = [node.id for node in stored if isinstance(node, ast.Name)]
    texts = [node.value for node in nodes if isinstance(getattr(node, "value", None), str)]
    return Scope(
        params=tuple(params),
        names=tuple(dict.fromkeys([*params, *names, *definition.free])),
        keys=tuple(dict.fromkeys([*keys, *filter(str.isidentifier, texts)])),
        constants=tuple(dict.fromkeys(constants)),
        globals=frozenset(definition.namespace),
        attributes=tuple(node.attr for node in stored if isinstance(node, ast.Attribute)),
        masks=frozenset(_masks(nodes)),
        fixed=fixed_numbers(definition.tree),
        sizes=sizes,
    )


def _masks(nodes):
    """Names that are given a comparison, or several joined."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            joined = isinstance(
                getattr(node.value, "op", None), ast.BitAnd | ast.BitOr | ast.Invert
            )
            if joined or isinstance(node.value, ast.Compare):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _keys_of(value) -> Iterator[str]:
    """Texts that are keys somewhere in the inputs."""
    if isinstance(value, dict):
        yield from (key for key in value if isinstance(key, str))
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _keys_of(item)


def may_run(definition) -> bool:
    """Whether it is safe to run the code a few hundred times."""
    names = set()
    for node in ast.walk(definition.tree):
        names.add(getattr(node, "id", None) or getattr(node, "attr", None))
        if isinstance(node, ast.Global | ast.Nonlocal | ast.Import | ast.ImportFrom):
            return False
        if isinstance(node, ast.While) and not hasattr(__import__("signal"), "setitimer"):
            return False  # nothing would stop a change that makes it endless
    return not names & _DOES_MORE


# --- a change that makes the attempt right ---------------------------------------------------


def repair(evidence: Evidence, seconds: float = _SECONDS) -> str | None:
    """A sentence on the one change that makes the attempt right on every input, or None.

    It names the line and what is wrong there. At most ``seconds`` are spent.
    """
    definition = definition_of(evidence.attempt)
    if definition is None or not may_run(definition):
        return None
    clock = Clock(seconds)
    with unheard():
        if _decorated(evidence.attempt) and Trial(evidence, definition, clock).makes_right(()):
            return f"Without its decorator, `{definition.name}` is right."
        found = _search(evidence, definition, clock)
    return _sentences(definition, found) if found else None


def _decorated(fn):
    """Whether a definition leaves something out that is wrapped round a function."""
    return inspect.unwrap(fn) is not fn


def repair_of_gradient(evidence: Evidence, whole: Callable[[Callable], bool]) -> str | None:
    """The same for an attempt that is right in value, and loses a gradient on the way.

    whole: whether the gradient gets through a function.
    """
    definition = definition_of(evidence.attempt)
    if definition is None or not may_run(definition):
        return None
    with unheard():
        changes = _edits(definition.tree, _scope(definition))
        cuts = [edit for edit in changes if _CUTTING.search(ast.unparse(edit.at))]
        cuts = [edit for edit in cuts if _ENDED_BY.search(edit.proposal.here)]
        trial = Trial(evidence, definition, Clock(_SECONDS))
        for together in itertools.chain(([cut] for cut in cuts), itertools.combinations(cuts, 2)):
            if trial.clock.left <= 0:
                return None
            if trial.makes_right(together) and whole(trial.changed(together)):
                return _sentences(definition, together)
    return None


# Code that may cut a gradient off, and what is said of changes that take it away.
_CUTTING = re.compile(
    r"detach|item|data|numpy|no_grad|tensor|float|tolist|int|bool|round|inference"
)
_ENDED_BY = re.compile("one step too many|`with`")


def _search(evidence, definition, clock):
    """The edits that together make it right, or None."""
    constants = _constants(evidence.exercise)
    scope = _scope(definition, _keys_of(evidence.cases), constants, _sizes_asked(evidence))
    changes = _edits(definition.tree, scope)
    order = _plausibility(evidence, definition)
    changes.sort(key=order)
    common = [edit for edit in changes if order(edit) <= _COMMON]
    trial = Trial(evidence, definition, clock)
    for together in itertools.chain(
        ([edit] for edit in common),
        _same_everywhere(common),
        _exchanged_names(definition.tree, scope),
        ([edit] for edit in changes[len(common) :]),
        _pairs(common),
    ):
        if clock.left <= 0:
            return None
        if trial.makes_right(together):
            return together
    return None


def _edits(tree, scope):
    """All one-step changes of a definition, the commonest slips first."""
    found = [edit for slot in places(tree) for edit in edits_of(RULES, slot, scope)]
    found += [edit for slot in blocks(tree) for edit in statement_edits(slot, scope)]
    return sorted(found, key=lambda edit: edit.rank)


def _sizes_asked(evidence):
    """The sizes that there are in every case."""
    cases = [asked_sizes(evidence.arguments(case)) for case in evidence.cases]
    everywhere = set.intersection(*(set(case) for case in cases))
    return {said: texts for said, texts in cases[0].items() if said in everywhere}


def _constants(exercise):
    """Numbers that the right answers write out."""
    for fn in (exercise.reference, *exercise.also_right):
        code = _code(fn)
        around = getattr(fn, "__globals__", {})
        helpers = [_code(around.get(name)) for name in getattr(code, "co_names", ())]
        for each in (code, *helpers):
            yield from (n for n in getattr(each, "co_consts", ()) if type(n) in (int, float))


# Where the answer differs in this, changes with these words are tried sooner.
_TELLING = {
    "dtype": ("`long`", "`float`", "`double`", "`int`", "`bool`"),
    "is a tensor": ("`item`", "`tolist`"),
    "is a list": ("several tensors",),
    "is a tuple": ("one part",),
    "scalar type": ("`long`", "`float`"),
    "is a float": ("`item`",),
    "in place": ("`clone`",),
    "must be Tensor": ("plain number",),
}


def _plausibility(evidence, definition):
    """How soon an edit is tried: by its rank, by the line that raised, by what differs."""
    line = _line_of_error(evidence)
    problem = evidence.first_problem()
    words = [word for sign, words in _TELLING.items() if sign in problem for word in words]
    built = _lines_of_constructor(definition.tree)  # often given, and nearly always right

    def order(edit: Edit) -> float:
        said = any(word in edit.proposal.here for word in words)
        there = edit.at.lineno == line and edit.rank <= _COMMON  # the rest stays far-fetched
        return edit.rank + (edit.at.lineno in built) - 1.5 * there - 2.5 * said

    return order


def _lines_of_constructor(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return range(node.lineno, node.end_lineno + 1)
    return ()


def _line_of_error(evidence):
    errors = [outcome.error for outcome in evidence.given if outcome.error]
    where = own_line(errors[0]) if errors else None
    return where[0] if where else None


def _same_everywhere(changes):
    """The same slip made in several places."""
    exact: dict = {}
    alike: dict = {}
    for edit in changes:
        for groups, slip in zip((exact, alike), edit.same_slip or (), strict=False):
            groups.setdefault(slip, []).append(edit)
    yield from (group for group in exact.values() if len(group) > 1)
    sizes = {id(edit): len(group) for group in exact.values() for edit in group}
    yield from (group for group in alike.values() if len(group) > sizes[id(group[0])])


def _exchanged_names(tree, scope) -> Iterator[list[Edit]]:
    """Two names that are taken for one another: everywhere, or in one line."""
    used: dict = {}
    for slot in places(tree):
        if isinstance(slot.node, ast.Name) and slot.node.id in scope.names:
            used.setdefault(slot.node.id, []).append(slot)
    for pair in itertools.combinations(used, 2):
        slots = used[pair[0]] + used[pair[1]]
        yield _exchange(pair, slots)
        for block in ast.walk(tree):
            value = getattr(block, "value", None) if isinstance(block, ast.stmt) else None
            inside = {id(node) for node in ast.walk(value)} if value else set()
            here = [slot for slot in slots if id(slot.node) in inside]
            if 1 < len(here) < len(slots):
                yield _exchange(pair, here)


def _exchange(pair, slots):
    here = "`{}` and `{}` have changed places".format(*pair)
    edits = []
    for slot in slots:
        other = pair[1 - pair.index(slot.node.id)]
        new = expression(other)
        edits.append(Edit(slot, Proposal(new, here), 2, slot.node))
    return edits


def _pairs(changes) -> Iterator[list[Edit]]:
    """Two different slips, of the commonest alone."""
    common = [edit for edit in changes if edit.rank <= 1.2]
    for one, other in itertools.combinations(common, 2):
        if one.slot != other.slot and not _overlap(one, other):
            yield [one, other]


def _overlap(one, other):
    """Whether one edit changes what holds the other, so that they cannot be made together."""
    old = [edit.old if isinstance(edit.old, list) else [edit.old] for edit in (one, other)]
    inside = [{id(n) for node in nodes for n in ast.walk(node)} for nodes in old]
    return bool(inside[0] & inside[1])


class Trial:
    """Tries edits of one definition on the evidence's cases."""

    def __init__(self, evidence: Evidence, definition: Definition, clock: Clock):
        self.evidence, self.definition, self.clock = evidence, definition, clock
        wrong = evidence.wrong_cases()
        rest = [index for index in range(len(evidence.cases)) if index not in wrong]
        self.order = [*wrong, *rest]  # a wrong case tells soonest that an edit does not help

    def makes_right(self, together: Iterable[Edit]) -> bool:
        """Whether the definition with these edits is right on all cases, and on fresh ones."""
        fn = self.changed(together)
        if fn is None or not self._right(self.evidence, fn, self.order):
            return False
        return all(self._right(fresh, fn, range(len(fresh.cases))) for fresh in self.evidence.fresh)

    def changed(self, together: Iterable[Edit]) -> Callable | None:
        """The function with these edits; None where that is no function."""
        done = []
        try:
            for edit in together:
                edit.do()
                done.append(edit)
            return self.definition.build()
        except Exception:  # an edit may make no sense where it is made
            return None
        finally:
            for edit in reversed(done):
                edit.undo()

    def gives_the_same(self, fn: Callable | None) -> bool:
        """Whether a function gives the attempt's own answers, so often that it is no accident."""
        if fn is None:
            return False
        tells = []
        for evidence in (self.evidence, *self.evidence.fresh):
            if not self._same(evidence, fn):
                return False
            pairs = zip(evidence.expected, evidence.given, strict=False)
            tells += [(e.seen, g.seen) for e, g in pairs if not evidence.agree(e.seen, g.seen)]
        return telling(tells)

    def _right(self, evidence, fn, order):
        return all(
            self.clock.left > 0 and evidence.right(index, self._outcome(evidence, fn, index))
            for index in order
        )

    def _same(self, evidence, fn):
        for index, given in enumerate(evidence.given):
            outcome = self._outcome(evidence, fn, index)
            if outcome.error or given.error or not evidence.agree(outcome.seen, given.seen):
                return False
        return True

    def _outcome(self, evidence, fn, index):
        if self.clock.left <= 0:
            return Outcome(error=TooLong())
        return evidence.run(fn, evidence.cases[index], index, _MOMENT)


def _sentences(definition, together):
    said = [
        f"Line {edit.at.lineno}, `{definition.text(edit.at)}`: {_ended(edit.proposal.here)}"
        for edit in together
    ]
    if len({edit.proposal.here for edit in together}) == 1:
        said = said[:1]  # one slip, made in several places
    return " ".join(said)


def _ended(text):
    return text if text.endswith((".", "?")) else f"{text}."


# --- a change of a right answer that gives the attempt's answers -----------------------------


def comes_out_when(evidence: Evidence) -> str | None:
    """A sentence on a slip in a right answer that gives the attempt's very answers, or None.

    Needs no source of the attempt. At most ``_SECONDS_OURS`` are spent.
    """
    if len(evidence.given) != len(evidence.cases) or any(o.error for o in evidence.given):
        return None
    clock = Clock(_SECONDS_OURS)
    exercise = evidence.exercise
    written = definition_of(evidence.attempt)
    text = ast.unparse(written.tree) if written else None
    with unheard():
        for fn in (exercise.reference, *exercise.also_right):
            definition = definition_of(fn)
            if definition is None or not may_run(definition):
                continue
            trial = Trial(evidence, definition, clock)
            for edit in _edits(definition.tree, _scope(definition)):
                if clock.left <= 0:
                    return None
                if _may_be_meant(edit.proposal, text) and (
                    trial.gives_the_same(trial.changed([edit]))
                ):
                    return f"The same comes out when {_ended(edit.proposal.there)}"
    return None


def _may_be_meant(proposal, text):
    """Whether a slip can be told at all, and can be the learner's own, whose code the text is.

    What is said to stand there must stand in the attempt, what is left out must not.
    """
    if not proposal.there or text is None:
        return bool(proposal.there)
    if proposal.wrong:
        return proposal.wrong in text
    return not proposal.right or proposal.right not in text
