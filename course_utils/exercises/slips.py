"""Rules for slips within one line: another axis, sign, name, number, function."""

import ast
import builtins
import difflib
import itertools
from collections.abc import Iterator

import torch

from course_utils.exercises.edits import (
    Proposal,
    Rule,
    called,
    changed,
    exchanged,
    expression,
    named,
    number_in,
    replaced,
    written,
)

# Names that are taken for one another.
_ALIKE = (
    ("mean", "sum"), ("mean", "prod"), ("mean", "median"), ("sum", "prod"), ("max", "min"),
    ("max", "mean"), ("max", "sum"), ("max", "norm"), ("argmax", "argmin"), ("argmax", "max"),
    ("argmin", "min"), ("amax", "amin"), ("amax", "mean"), ("norm", "mean"), ("var", "std"),
    ("softmax", "sigmoid"), ("softmax", "log_softmax"), ("sigmoid", "logsigmoid"),
    ("sigmoid", "tanh"), ("sigmoid", "exp"), ("relu", "tanh"), ("relu", "sigmoid"),
    ("sin", "cos"), ("exp", "log"), ("exp", "expm1"), ("log", "log2"), ("log", "log10"),
    ("log", "log1p"), ("abs", "square"), ("sqrt", "square"), ("zeros", "ones"),
    ("zeros_like", "ones_like"), ("rand", "randn"), ("rand_like", "randn_like"),
    ("cat", "stack"), ("vstack", "hstack"), ("any", "all"), ("floor", "ceil"), ("ceil", "round"),
    ("floor", "round"), ("squeeze", "unsqueeze"), ("append", "extend"), ("append", "update"),
    ("add", "update"), ("cumsum", "cumprod"), ("split", "chunk"), ("minimum", "maximum"),
    ("keys", "values"), ("items", "values"), ("logical_and", "logical_or"),
    ("cross_entropy", "nll_loss"), ("lower", "upper"), ("Sequential", "ModuleList"),
    ("binary_cross_entropy", "binary_cross_entropy_with_logits"),
    ("cross_entropy", "binary_cross_entropy_with_logits"),
)  # fmt: skip
_CASTS = ("float", "double", "long", "int", "bool", "byte")
_DTYPES = ("float64", "float32", "int64", "bool")
_NARROW = ("uint8", "byte", "int8")
_MAKING = ("tensor", "zeros", "ones", "full", "cat", "stack", "as_tensor", "zeros_like")
_CUTTING_OFF = ("clip", "clamp", "relu", "round", "floor", "trunc", "ceil", "abs", "nan_to_num")
_REDUCING = (
    *("mean", "sum", "prod", "max", "min", "argmax", "argmin", "amax", "amin", "any", "all"),
    *("var", "std", "norm", "median", "cumsum", "softmax", "log_softmax", "logsumexp", "mode"),
    *("sort", "argsort", "cumprod", "cat", "stack", "flip"),
)
_KEEPING = frozenset(_REDUCING[:14])
_LAST = ("item", "abs")
_ALONG = frozenset((*_REDUCING, "squeeze", "unsqueeze", "transpose", "permute", "flatten", "size"))
_ALONG_SECOND = frozenset(("chunk", "split", "roll", "topk", "gather", "index_select", "unbind"))
_JOINING = ("cat", "stack")
_AXES = (0, 1, 2, -1, -2)
_SIGNS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_INSTEAD: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.MatMult, ast.Div, ast.Add,
    ast.FloorDiv), ast.MatMult: (ast.Mult,), ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div, ast.Mod), ast.Mod: (ast.FloorDiv,), ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.Pow, ast.BitAnd, ast.BitOr),
}  # fmt: skip
_MEANING = {
    frozenset("@*"): "`@` multiplies matrices, `*` number by number",
    frozenset(("//", "/")): "`//` rounds down, `/` keeps the fraction",
    frozenset(("^", "**")): "`^` compares bits, `**` is a power",
}
_COMPARED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_BINDING = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2, ast.FloorDiv: 2, ast.Mod: 2,
            ast.MatMult: 2, ast.Pow: 4}  # fmt: skip
_NEW_AXES = ("[:, None]", "[..., None]", "[None]", "[:, None, None]", "[..., None, None]",
             "[:, None, None, None]")  # fmt: skip
_MODULES = ("torch", "F", "nn", "math", "np", "numpy")

RULES: list[tuple[float, Rule]] = []


def _rule(rank: float):
    """Register a rule at the rank at which its changes are tried: the smallest first."""

    def register(rule: Rule) -> Rule:
        RULES.append((rank, rule))
        return rule

    return register


def instead(one: str, other: str) -> tuple[str, str, str, str]:
    """What a proposal says of a change from one name or sign to another."""
    meaning = _MEANING.get(frozenset((one, other)))
    more = f": {meaning}" if meaning else ""
    here, there = (f"`{a}` stands where `{b}` belongs{more}" for a, b in
                   ((one, other), (other, one)))  # fmt: skip
    return here, there, other, one


def other_operators(operator: ast.AST) -> Iterator[tuple]:
    """Operators that may stand in the place of one, each with what a proposal says of it."""
    others = _INSTEAD.get(type(operator), ())
    if isinstance(operator, _COMPARED):
        others = [other for other in _COMPARED if not isinstance(operator, other)]
    for other in others:
        yield other(), *instead(_SIGNS[type(operator)], _SIGNS[other])


def _is_large(exponent):
    """Whether an exponent is so large that a change of it would make too much of anything."""
    return abs(number_in(exponent) or 0) > 4


def fixed_numbers(tree: ast.AST) -> frozenset[int]:
    """Ids of nodes that are numbers of axes or places; those have rules of their own."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= {id(part) for _, part in _axis_arguments(node) for part in ast.walk(part)}
        elif isinstance(node, ast.Return):
            found.add(id(node.value))  # an answer that is nothing but a number
        elif isinstance(node, ast.Subscript):
            found |= {id(n) for n in [node.slice, *getattr(node.slice, "elts", ())]}
            found |= {id(node.slice.operand)} if isinstance(node.slice, ast.UnaryOp) else set()
        elif isinstance(getattr(node, "op", None), ast.Pow) and _is_large(node.right):
            found |= {id(part) for part in ast.walk(node)}
        elif isinstance(node, ast.Slice):
            found |= {id(n) for end in (node.lower, node.upper) if end for n in ast.walk(end)}
    return frozenset(found)


# --- axes ------------------------------------------------------------------------------------


def _axis_arguments(node: ast.Call):
    """(where, node) for each argument that names axes: where is an index or a keyword."""
    name, method = called(node), isinstance(node.func, ast.Attribute)
    on_tensor = method and not _is_module(node.func.value)
    if method and (name in _ALONG or name in _ALONG_SECOND):
        first = (name in _ALONG_SECOND) + (not on_tensor)
        for index, argument in enumerate(node.args[first:], first):
            if isinstance(number_in(argument), int):
                yield index, argument
    for keyword in node.keywords:
        if keyword.arg in ("dim", "axis", "dims", "start_dim"):
            yield keyword, keyword.value


def _with_argument(node, where, new):
    if isinstance(where, int):
        return changed(node, args=replaced(node.args, where, new))
    place = node.keywords.index(where)
    return changed(node, keywords=replaced(node.keywords, place, changed(where, value=new)))


@_rule(1)
def _axis(node, scope):
    if not isinstance(node, ast.Call):
        return
    what = f"`{called(node)}` works along the wrong axis"
    for where, value in _axis_arguments(node):
        for other in _AXES:
            if isinstance(number_in(value), int) and other != number_in(value):
                new = _with_argument(node, where, written(other))
                yield Proposal(new, what, what, wrong=called(node))


@_rule(1.05)
def _axes(node, scope):
    """Two axes or more at once: of a mean, of a transposition."""
    if not isinstance(node, ast.Call):
        return
    what = f"`{called(node)}` works along the wrong axes"
    for where, value in _axis_arguments(node):
        if isinstance(value, ast.Tuple) and all(number_in(e) is not None for e in value.elts):
            for axes in itertools.combinations(range(4), len(value.elts)):
                new = _with_argument(node, where, written(axes))
                yield Proposal(new, what, what, wrong=called(node))
    if called(node) in ("transpose", "swapaxes", "flip"):
        values = [argument for argument in node.args if number_in(argument) is not None]
        rest = [argument for argument in node.args if argument not in values]
        for axes in ((0, 1), (1, 2), (-2, -1)):
            new = changed(node, args=[*rest, *map(written, axes)])
            yield Proposal(new, what, what, wrong=called(node))


@_rule(1.2)
def _axis_named(node, scope):
    """An axis where none is named, and none where one is."""
    name = called(node)
    if name not in _REDUCING or not isinstance(node.func, ast.Attribute):
        return
    more = f"`{name}` takes all numbers together, where it should work along one axis"
    fewer = f"`{name}` works along one axis only, where it should take all numbers together"
    if name not in _KEEPING:
        fewer = f"`{name}` works along an axis too many"
    first = f"`{name}` joins along axis 0 here, and another axis is due"
    places = [where for where, _ in _axis_arguments(node)]
    for axis in () if places else _AXES:
        new = changed(node, keywords=[*node.keywords, named("dim", axis)])
        yield Proposal(new, first if name in _JOINING else more)
    for where in places:
        args = [a for i, a in enumerate(node.args) if i != where]
        keywords = [k for k in node.keywords if k is not where and k.arg != "keepdim"]
        yield Proposal(changed(node, args=args, keywords=keywords), fewer)


@_rule(1.1)
def _keepdim(node, scope):
    if called(node) not in _KEEPING or not isinstance(node.func, ast.Attribute):
        return
    dropped = f"`{called(node)}` drops the axis; with `keepdim=True` it stays, of length 1"
    kept = "`keepdim=True` leaves an axis of length 1 that should go"
    others = [keyword for keyword in node.keywords if keyword.arg != "keepdim"]
    if len(others) < len(node.keywords):
        yield Proposal(changed(node, keywords=others), kept, dropped)
    elif list(_axis_arguments(node)):
        new = changed(node, keywords=[*others, named("keepdim", True)])
        yield Proposal(new, dropped, kept)


@_rule(1.6)
def _transposed(node, scope):
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        what = f"`.{node.attr}` turns round other axes than it should"
        yield Proposal(expression("x.transpose(-2, -1)", x=node.value), what)


@_rule(2.4)
def _new_axis(node, scope):
    """An axis of length 1 that broadcasting needs, or that stands in the wrong place."""
    if isinstance(node, ast.Subscript) and "None" in ast.unparse(node.slice):
        what = "the new axis stands in the wrong place"
        for index in _NEW_AXES:
            yield Proposal(expression(f"x{index}", x=node.value), what)
    elif isinstance(node, ast.BinOp | ast.Compare):
        missing = "an axis is missing, so that it meets the wrong axis of the other side"
        column = "a column (n, 1) meets a row (n,) here; take the column out first"
        right = "comparators" if isinstance(node, ast.Compare) else "right"
        for side in ("left", right):
            value = node.comparators[0] if side == "comparators" else getattr(node, side)
            for index in ("[:, 0]", *_NEW_AXES) if number_in(value) is None else ():
                new = expression(f"x{index}", x=value)
                new = changed(node, **{side: [new] if side == "comparators" else new})
                yield Proposal(new, missing if "None" in index else column)


# --- signs -----------------------------------------------------------------------------------


@_rule(1)
def _operator(node, scope):
    if isinstance(node, ast.BinOp):
        one = {number_in(node.left), number_in(node.right)} & {0, 1}  # `n * 1` would be n alone
        for other, here, *_ in other_operators(node.op):
            if not one or isinstance(other, ast.Add | ast.Sub):
                yield Proposal(changed(node, op=other), here)
        if isinstance(node.op, ast.MatMult):  # written with a transposition, so that the sizes fit
            left, right = (_without_turning(side) for side in (node.left, node.right))
            yield Proposal(changed(node, op=ast.Mult(), left=left, right=right), *instead("@", "*"))
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other, here, *there in other_operators(operator):
                new = changed(node, ops=replaced(node.ops, index, other))
                bounds = all(isinstance(sign, _COMPARED[:4]) for sign in (operator, other))
                yield Proposal(new, here, *(there if bounds else ()))


def _without_turning(node):
    return node.value if isinstance(node, ast.Attribute) and node.attr in ("T", "mT") else node


@_rule(1)
def _joined(node, scope):
    if not isinstance(node, ast.BoolOp):
        return
    is_and = isinstance(node.op, ast.And)
    words, sign = (("and", "or"), "&") if is_and else (("or", "and"), "|")
    yield Proposal(changed(node, op=ast.Or() if is_and else ast.And()), *instead(*words))
    parts = {f"part{index}": value for index, value in enumerate(node.values)}
    here = f"`{words[0]}` wants one true or false, `{sign}` goes place by place"
    yield Proposal(expression(f" {sign} ".join(parts), **parts), here)
    for index in range(len(node.values)):
        left = replaced(node.values, index)
        new = changed(node, values=left) if len(left) > 1 else left[0]
        yield Proposal(new, "one condition too many is asked for", "a condition is left out")


@_rule(1.7)
def _sides(node, scope):
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Mult):
        what = f"the two sides of `{_SIGNS.get(type(node.op), '<<')}` have changed places"
        yield Proposal(changed(node, left=node.right, right=node.left), what)


def _chain(node):
    """Operands and signs of an arithmetic expression, up to where it has brackets."""
    if type(getattr(node, "op", None)) not in _BINDING or not isinstance(node, ast.BinOp):
        return [node], []
    strength = _BINDING[type(node.op)]
    left, right = [node.left], [node.right]
    signs_left, signs_right = [], []
    if _BINDING.get(type(getattr(node.left, "op", None)), 9) >= strength:
        left, signs_left = _chain(node.left)
    if _BINDING.get(type(getattr(node.right, "op", None)), 9) > strength:
        right, signs_right = _chain(node.right)
    return [*left, *right], [*signs_left, _SIGNS[type(node.op)], *signs_right]


def _chained(operands, signs, opening=-1, closing=-1):
    """An expression of operands and signs, with one pair of brackets."""
    words = []
    for index, sign in enumerate([*signs, ""]):
        word = f"{'(' if index == opening else ''}part{index}{')' if index == closing else ''}"
        words.append(f"{word} {sign} ")
    parts = {f"part{index}": operand for index, operand in enumerate(operands)}
    return expression("".join(words).strip(), **parts)


@_rule(1.8)
def _brackets(node, scope):
    operands, signs = _chain(node) if isinstance(node, ast.BinOp) else ([], [])
    if not 1 < len(operands) <= 10:
        return
    what = "brackets are missing or in the wrong place"
    for i, j in itertools.combinations(range(len(operands)), 2):
        if j - i < len(operands) - 1:
            yield Proposal(_chained(operands, signs, i, j), what)
    for index, operand in enumerate(operands):
        inside, more = _chain(operand)
        if more:
            all_signs = [*signs[:index], *more, *signs[index:]]
            yield Proposal(_chained(replaced(operands, index, *inside), all_signs), what)
    for i, sign in enumerate(signs):  # as it is written: what is next to a `*` goes with it
        neutral = {number_in(operands[i]), number_in(operands[i + 1])} & {0, 1}
        for other in "+-*/" if sign in tuple("+-*/") and not neutral else "":
            if other != sign:
                new = _chained(operands, replaced(signs, i, other))
                yield Proposal(new, instead(sign, other)[0])
    for i, j in itertools.combinations(range(len(signs)), 2):
        if signs[i] != signs[j]:
            here = f"`{signs[i]}` and `{signs[j]}` have changed places"
            yield Proposal(_chained(operands, exchanged(signs, i, j)), here)


@_rule(2.1)
def _turned_round(node, scope):
    """A minus, a `not`, a `~` or a `1 -` too many or too few."""
    if isinstance(node, ast.UnaryOp):
        sign = {ast.USub: "-", ast.Not: "not", ast.Invert: "~"}.get(type(node.op), "+")
        yield Proposal(node.operand, f"`{sign}` should not be there")
    elif isinstance(node, ast.Compare | ast.Name | ast.Call | ast.BinOp):
        yield Proposal(expression("-x", x=node), "a minus is missing")


@_rule(2.5)
def _other_half(node, scope):
    if isinstance(node, ast.Compare) or getattr(node, "id", "") in scope.masks:
        yield Proposal(expression("~x", x=node), "it takes the wrong half: `~` is missing")
        yield Proposal(expression("not x", x=node), "true and false are exchanged")


@_rule(1.9)
def _condition(node, scope):
    """A condition that decides nothing in right code."""
    if isinstance(node, ast.IfExp):
        for kept in (node.body, node.orelse):
            yield Proposal(kept, "this does not hang on a condition")
    elif isinstance(node, ast.BoolOp):
        yield Proposal(written(True), "without this condition all answers are right")
    elif isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp | ast.SetComp):
        for index, loop in enumerate(node.generators):
            if loop.ifs:
                all_of_it = replaced(node.generators, index, changed(loop, ifs=[]))
                here = "the `if` leaves out what belongs to the answer"
                yield Proposal(changed(node, generators=all_of_it), here)


# --- numbers ---------------------------------------------------------------------------------


@_rule(1.3)
def _one_more(node, scope):
    number = number_in(node)
    if isinstance(node, ast.Constant) and isinstance(number, int) and id(node) not in scope.fixed:
        yield Proposal(written(number + 1), f"{number} is one too small")
        yield Proposal(written(number - 1), f"{number} is one too large")
    elif isinstance(getattr(node, "op", None), ast.Add | ast.Sub) and number_in(node.right):
        part = f"{_SIGNS[type(node.op)]} {number_in(node.right)}"
        yield Proposal(node.left, f"`{part}` should not be there")


@_rule(1.4)
def _range(node, scope):
    if called(node) == "enumerate" and len(node.args) == 1:
        yield Proposal(changed(node, args=[*node.args, written(1)]), "it counts from 0")
    if called(node) not in ("range", "arange") or not 1 <= len(node.args) <= 3:
        return
    stop = min(1, len(node.args) - 1)
    for more, end in ((" + 1", "early"), (" - 1", "late")):
        new = replaced(node.args, stop, expression(f"n{more}", n=node.args[stop]))
        other = "late" if end == "early" else "early"
        there = f"a range ends one too {other}"
        yield Proposal(changed(node, args=new), f"it ends one too {end}", there)
    if len(node.args) == 1:
        one, n = written(1), node.args[0]
        yield Proposal(changed(node, args=[one, n]), "it begins one too early, at 0")
        both = [one, expression("n + 1", n=n)]
        yield Proposal(changed(node, args=both), "it counts from 0, where 1 is first")
        return
    if len(node.args) == 2:
        yield Proposal(changed(node, args=node.args[1:]), "it leaves out what comes first, at 0")
    for step in ("- 1", "+ 1", "- 2", "+ 2"):
        ends = [expression(f"n {step}", n=end) for end in node.args[:2]]
        what = "it begins and ends at the wrong number"
        yield Proposal(changed(node, args=[*ends, *node.args[2:]]), what)


@_rule(1.4)
def _slice(node, scope):
    if not isinstance(node, ast.Slice):
        return
    for side, verb in (("upper", "ends"), ("lower", "begins")):
        bound = getattr(node, side)
        early, late = f"{verb} one place too early", f"{verb} one place too late"
        if bound is None:
            new = written(-1 if side == "upper" else 1)
            here = late if side == "upper" else early
            yield Proposal(changed(node, **{side: new}), f"it {here}")
        else:
            for more, here, there in ((" + 1", early, late), (" - 1", late, early)):
                new = expression(f"n{more}", n=bound)
                yield Proposal(changed(node, **{side: new}), f"it {here}", f"a slice {there}")
            here = f"it {verb} too {'early' if side == 'upper' else 'late'}"
            yield Proposal(changed(node, **{side: None}), here)


@_rule(1.9)
def _twice(node, scope):
    if isinstance(node, ast.Name) and node.id in scope.names:
        yield Proposal(expression("2 * x", x=node), f"twice `{node.id}` is due here")


@_rule(2.6)
def _off_by_one(node, scope):
    """What is not written out as a number may be one off too."""
    if isinstance(node, ast.Name | ast.Subscript | ast.BinOp | ast.Call):
        yield Proposal(expression("x + 1", x=node), "it is one too small")
        yield Proposal(expression("x - 1", x=node), "it is one too large")


@_rule(2)
def _power(node, scope):
    """The exponent. A root of 0 and 1 does nothing but make them floats, so casts come before."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        if _is_large(node.right):
            return
        power = number_in(node.right)
        name = {0.5: "root", 2: "square"}.get(power)
        if name:
            here, there = f"this {name} is one too many", f"a {name} is left out"
            yield Proposal(node.left, here, there)
        for other in () if power is None else (-power, 2 * power, power / 2):
            yield Proposal(changed(node, right=written(other)), "the exponent is wrong")
    else:
        powers = [("0.5", "root")] if _takes_a_step(node) else []
        if powers or isinstance(node, ast.BinOp):
            powers.append(("2", "square"))
        for power, name in powers:
            yield Proposal(expression(f"x ** {power}", x=node), f"a {name} is missing")


@_rule(2.2)
def _other_number(node, scope):
    """A number that is not the one asked for, or that is right for some inputs only."""
    number = number_in(node)
    if number is None or id(node) in scope.fixed:
        return
    here = f"{number!r} is written out, and is right for some inputs only"
    for text in (*scope.params, *(texts[0] for texts in scope.sizes.values())):
        yield Proposal(expression(text), here)
    near = (number * 10, number / 10, number * 2, number / 2)
    for other in dict.fromkeys((*scope.constants, 0, 1, -1, *near)):
        if other != number:
            here = f"{number!r} is not the number that is asked for"
            other = int(other) if other == int(other) and isinstance(number, int) else other
            yield Proposal(written(other), here)


@_rule(1.1)
def _size(node, scope):
    """The length of another input, or of another axis."""
    of_shape = isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "shape"
    if not of_shape and called(node) not in ("len", "size", "numel"):
        return
    text = ast.unparse(node)
    own = next((said for said, texts in scope.sizes.items() if text in texts), "")
    here = f"this is {own}, and another size is due" if own else "another size is due here"
    for said, texts in scope.sizes.items():
        if said != own:
            yield Proposal(expression(texts[0]), here)


# --- names -----------------------------------------------------------------------------------


@_rule(1)
def _function(node, scope):
    name = called(node)
    others = [other for pair in _ALIKE if name in pair for other in pair if other != name]
    others += [cast for cast in _CASTS if name in _CASTS and cast != name]
    for other in dict.fromkeys(others):
        if isinstance(node.func, ast.Attribute):
            func = changed(node.func, attr=other)
        elif hasattr(builtins, other) and other not in ("bool", "double", "long"):
            func = changed(node.func, id=other)
        else:
            continue
        yield Proposal(changed(node, func=func), *instead(name, other))


@_rule(1.2)
def _attribute(node, scope):
    pair = ("values", "indices")
    if isinstance(node, ast.Attribute) and node.attr in pair:
        other = pair[1 - pair.index(node.attr)]
        yield Proposal(changed(node, attr=other), *instead(f".{node.attr}", f".{other}"))


@_rule(2)
def _misspelt(node, scope):
    """A name that does not exist, for one like it that does."""
    if isinstance(node, ast.Attribute):
        base = getattr(node.value, "id", "")
        known = {"self": scope.attributes, "torch": dir(torch), "F": dir(torch.nn.functional)}
        known = known.get(base, dir(torch.Tensor))
        if node.attr not in known:
            for other in difflib.get_close_matches(node.attr, known, n=3, cutoff=0.7):
                here = f"there is no `{node.attr}` here; is `{other}` meant?"
                yield Proposal(changed(node, attr=other), here)
    elif isinstance(node, ast.Name) and not _known(node.id, scope):
        here = f"there is no `{node.id}` here"
        if node.id in scope.attributes:
            yield Proposal(expression(f"self.{node.id}"), f"{here}: it belongs to `self`")
        known = [*scope.names, *scope.globals, *dir(builtins)]
        for other in difflib.get_close_matches(node.id, known, n=3):
            yield Proposal(expression(other), f"{here}; is `{other}` meant?")
        for module in ("torch", "torch.nn.functional", "math", "self"):
            yield Proposal(expression(f"{module}.{node.id}"), f"{here}: it belongs to `{module}`")


def _known(name, scope):
    return name in scope.names or name in scope.globals or hasattr(builtins, name)


@_rule(2.3)
def _name(node, scope):
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
        for other in scope.names:
            if other != node.id and (node.id in scope.names or not _known(node.id, scope)):
                here = f"something else than `{node.id}` belongs here"
                yield Proposal(expression(other), here)


@_rule(1.9)
def _key(node, scope):
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 30:
        for key in scope.keys:
            if key != node.value:
                yield Proposal(written(key), f"{node.value!r} is not the word that is due here")


@_rule(1.7)
def _places(node, scope):
    """Arguments, parts of a tuple, keys and values that have changed places."""
    if isinstance(node, ast.Call):
        what = f"two arguments of `{called(node)}` have changed places"
        there = what if _of_libraries(called(node)) else ""
        for i, j in itertools.combinations(range(min(len(node.args), 5)), 2):
            yield Proposal(changed(node, args=exchanged(node.args, i, j)), what, there)
    elif isinstance(node, ast.Tuple | ast.List) and 2 <= len(node.elts) <= 4:
        what = f"two parts of `{ast.unparse(node).strip('()')}` have changed places"
        if any(isinstance(part, ast.Constant) and part.value is None for part in node.elts):
            return  # new axes have a rule of their own
        for i, j in itertools.combinations(range(len(node.elts)), 2):
            yield Proposal(changed(node, elts=exchanged(node.elts, i, j)), what)
    elif isinstance(node, ast.DictComp):
        new = changed(node, key=node.value, value=node.key)
        yield Proposal(new, "keys and values have changed places")


@_rule(1.6)
def _flag(node, scope):
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        here = f"`{node.value}` stands where `{not node.value}` belongs"
        yield Proposal(written(not node.value), here)
    for keyword in getattr(node, "keywords", ()) if isinstance(node, ast.Call) else ():
        others = [other for other in node.keywords if other is not keyword]
        here = f"`{keyword.arg}=` should not be there"
        yield Proposal(changed(node, keywords=others), here)


@_rule(2)
def _flag_missing(node, scope):
    flags = {"var": ("correction", 0), "std": ("correction", 0), "sorted": ("reverse", True),
             "sort": ("descending", True), "argsort": ("descending", True)}  # fmt: skip
    name = called(node)
    if name in flags and flags[name][0] not in [keyword.arg for keyword in node.keywords]:
        flag, value = flags[name]
        new = changed(node, keywords=[*node.keywords, named(flag, value)])
        if flag == "correction":
            here = f"`{name}` divides by one less than the count, unless told otherwise"
            there = f"`{name}` divides by the count, not by one less"
        else:
            here, there = "the order is the wrong way round", "the order is the wrong way round"
        yield Proposal(new, here, there)


@_rule(1.6)
def _sign_kept(node, scope):
    """The largest, or the sum, of numbers that may be negative."""
    if called(node) in ("max", "amax", "sum", "mean") and isinstance(node.func, ast.Attribute):
        for name in () if _is_module(node.func.value) else ("abs", "square"):
            inner = expression(f"x.{name}()", x=node.func.value)
            here = f"`{name}` is missing before `{called(node)}`"
            yield Proposal(changed(node, func=changed(node.func, value=inner)), here)


@_rule(1.5)
def _steps_exchanged(node, scope):
    """`x.a().b()` and `x.b().a()`."""
    outer = getattr(node, "func", None)
    inner = getattr(outer, "value", None)
    if not isinstance(getattr(inner, "func", None), ast.Attribute) or _is_module(inner.func.value):
        return
    if called(node) != called(inner):
        first = changed(node, func=changed(outer, value=inner.func.value))
        what = f"`{called(inner)}` and `{called(node)}` come in the wrong order"
        yield Proposal(changed(inner, func=changed(inner.func, value=first)), what, what)


# --- too much, too little --------------------------------------------------------------------


@_rule(1.2)
def _cut_off(node, scope):
    """What takes away a part of the numbers, before another bound is tried for it."""
    if called(node) in _CUTTING_OFF:
        yield from _too_much(node, scope)


@_rule(2)
def _too_much(node, scope):
    if isinstance(node, ast.Call) and called(node):
        method = isinstance(node.func, ast.Attribute) and not _is_module(node.func.value)
        inner = node.func.value if method else node.args[0] if node.args else None
        if inner is not None and not isinstance(inner, ast.Starred | ast.GeneratorExp):
            name = called(node)
            here, there = f"`{name}` is one step too many", f"`{name}` is left out"
            yield Proposal(inner, here, there if _of_libraries(name) else "", right=name)
    elif isinstance(node, ast.Subscript):
        here = "it takes a part, where the whole is due"
        yield Proposal(node.value, here)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield Proposal(node.value, "this should not be transposed", "a transposition is left out")
    elif isinstance(node, ast.Attribute) and node.attr == "data":
        yield Proposal(node.value, "`data` is one step too many")
    elif isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
        sign = _SIGNS[type(node.op)]
        here = f"one side of this `{sign}` should not be there"
        for kept, gone in ((node.left, node.right), (node.right, node.left)):
            there, inputs = _gone(gone, sign, scope)
            yield Proposal(kept, here, there, right=inputs)


def _gone(node, sign, scope):
    """What is left out, told by the inputs in it: the rest is the solution's own affair."""
    used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    inputs = " and ".join(f"`{name}`" for name in scope.params if name in used)
    what = {"/": "a division", "//": "a division", "-": "a subtraction"}.get(sign, "a part")
    if not inputs:
        return "a division is left out" if sign == "/" else "", ""
    return f"{what} with {inputs} in it is left out", inputs.strip("`")


@_rule(1.9)
def _cast_missing(node, scope):
    """Before all steps that would do no more than this to what is true or false."""
    if _takes_a_step(node) or isinstance(node, ast.BinOp | ast.Compare):
        name = called(node)
        made = isinstance(node, ast.Name | ast.Compare) or name in _MAKING
        made = made or (name and not hasattr(torch.Tensor, name))  # a function of the learner's
        for name in ("float", "double", *(["long"] if made else [])):
            yield Proposal(expression(f"x.{name}()", x=node), f"`{name}` is missing here")


@_rule(1)
def _dtype(node, scope):
    name = getattr(node, "attr", "")
    if not hasattr(getattr(torch, name, None), "itemsize") or not _is_module(node.value):
        return
    here = f"`{name}` is not the dtype that is due"
    if name in _NARROW:
        here = f"`{name}` holds small whole numbers alone, and 0 - 1 does not come out as -1"
    for other in _DTYPES:
        if other != name:
            yield Proposal(changed(node, attr=other), here)


def _takes_a_step(node):
    """Whether a step may be missing behind it: something that has a value, and a name."""
    if not isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute):
        return False
    plain = getattr(node, "id", "") in ("self", "range", "len", "zip", "enumerate")
    return not plain and not _is_module(node)


@_rule(2.6)
def _step_missing(node, scope):
    if not _takes_a_step(node):
        return
    for name in ("item", "clone", "tolist", "abs", "exp", "log", "sigmoid", "tanh", "flatten"):
        yield Proposal(expression(f"x.{name}()", x=node), f"`{name}` is missing here")
    for axis in (-1, 0):
        new = expression(f"x.softmax(dim={axis})", x=node)
        yield Proposal(new, "this has not gone through a softmax yet")
    for name in ("values", "indices"):
        here = f"this is two things, values and indices, and `.{name}` is due"
        yield Proposal(expression(f"x.{name}", x=node), here)


@_rule(3)
def _not_transposed(node, scope):
    if _takes_a_step(node):
        yield Proposal(expression("x.T", x=node), "this has to be transposed")


@_rule(1.9)
def _shares(node, scope):
    """Ways to shares that sum to 1, taken for one another."""
    name = called(node)
    by_sum = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    by_sum = by_sum and called(node.right) == "sum"
    inner = node.left if by_sum else getattr(getattr(node, "func", None), "value", None)
    if inner is not None and _is_module(inner):
        inner = node.args[0] if node.args else None
    if inner is None:
        return
    if by_sum and called(inner) == "exp" and isinstance(inner.func, ast.Attribute):
        here = "`exp` of a large number is infinite; `softmax` takes the largest off first"
        inner = inner.func.value
    elif by_sum:
        here = "divided by its sum, this is not what a softmax gives"
    elif name in ("exp", "sigmoid"):
        here = f"`{name}` stands where `softmax` belongs"
    else:
        return
    for axis in () if _is_module(inner) else (0, -1):
        yield Proposal(expression(f"x.softmax(dim={axis})", x=inner), here)


@_rule(2.1)
def _plain_shares(node, scope):
    if called(node) == "softmax" and isinstance(node.func, ast.Attribute):
        inner = node.func.value
        inner = node.args[0] if _is_module(inner) and node.args else inner
        here = "a softmax takes exponentials first, where plain division by the sum is due"
        for axis in (0, -1):
            yield Proposal(expression(f"x / x.sum(dim={axis}, keepdim=True)", x=inner), here)


@_rule(1.5)
def _larger_of_two(node, scope):
    """The largest of all, where each is to be compared with 0."""
    if called(node) == "max" and isinstance(node.func, ast.Attribute) and not node.args:
        here = "`max` takes the largest of all; the larger of each and 0 is `clamp(min=0)`"
        yield Proposal(expression("x.clamp(min=0)", x=node.func.value), here)


@_rule(1.5)
def _reduced_too_soon(node, scope):
    """`a.max() - b.max()` for `(a - b).max()`."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
        return
    left, right, steps = node.left, node.right, []
    while called(left) and called(left) == called(right) and called(left) in (*_REDUCING, *_LAST):
        if not all(isinstance(side.func, ast.Attribute) for side in (left, right)):
            return
        steps.append(left)
        left, right = left.func.value, right.func.value
    reducing = [called(step) for step in steps if called(step) in _REDUCING]
    if not reducing:
        return
    here = f"`{reducing[-1]}` is taken on each side before the difference, not of the difference"
    for start in (
        expression("x - y", x=left, y=right),
        expression("(x - y).abs()", x=left, y=right),
    ):
        for step in reversed(steps):
            start = changed(step, func=changed(step.func, value=start))
        yield Proposal(start, here)


@_rule(1.6)
def _one_sign(node, scope):
    """`a & ~b` for a difference that may have either sign."""
    one_way = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd)
    if one_way and isinstance(node.right, ast.UnaryOp) and isinstance(node.right.op, ast.Invert):
        new = expression("x.double() - y.double()", x=node.left, y=node.right.operand)
        yield Proposal(
            new, "this finds the rows of one kind, and those of the opposite kind count too"
        )


@_rule(1.2)
def _blank(node, scope):
    if isinstance(node, ast.Constant) and node.value == "":
        yield Proposal(written(" "), "what is joined runs together, without a blank between")


@_rule(2.8)
def _another_kind(node, scope):
    """A list for a tensor, a number for a tensor, the whole for a part."""
    if not isinstance(node, ast.Name | ast.ListComp | ast.List | ast.Call | ast.BinOp):
        return
    if called(node) in ("range", "enumerate", "zip"):
        return
    for name in ("ModuleList", "ParameterList"):
        if isinstance(node, ast.ListComp | ast.List):
            here = f"a plain list hides what it holds from the module; there is `nn.{name}`"
            yield Proposal(expression(f"__import__('torch').nn.{name}(x)", x=node), here)
    tensor = "this is a plain number, where a tensor is due"
    # Of a tensor it would be a copy without a gradient, which is no repair: this raises for one.
    new = expression("__import__('torch').tensor([x][hasattr(x, 'grad')])", x=node)
    yield Proposal(new, tensor)
    for index in ("[0]", "[1]", "[-1]", "[:, 0]", "[:, -1]"):
        yield Proposal(expression(f"x{index}", x=node), "one part of it is due, not the whole")
    several = "these are several tensors, where one is due"
    yield Proposal(expression("__import__('torch').stack(tuple(x))", x=node), several)
    yield Proposal(expression("sum(x)", x=node), "several tensors are still to be added up here")
    for name in ("list", "tuple", "len", "float", "int"):
        yield Proposal(expression(f"{name}(x)", x=node), f"`{name}` is missing here")


@_rule(1.3)
def _index(node, scope):
    if not isinstance(node, ast.Subscript):
        return
    size = isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    what = "the length of another axis is due" if size else "it takes the wrong part"
    if isinstance(number_in(node.slice), int):
        for other in (0, 1, -1, 2):
            if other != number_in(node.slice):
                yield Proposal(changed(node, slice=written(other)), what, "" if size else what)
    for index, part in enumerate(getattr(node.slice, "elts", ())):
        if isinstance(number_in(part), int):
            for other in (0, 1, -1):
                elts = replaced(node.slice.elts, index, written(other))
                yield Proposal(changed(node, slice=changed(node.slice, elts=elts)), what)


def _of_libraries(name):
    """Whether a learner may know a function by this name; the solution's own ones nobody does."""
    return any(hasattr(home, name) for home in (torch.Tensor, torch, builtins))


def _is_module(node):
    if isinstance(node, ast.Attribute) and node.attr == "functional":
        return True
    return isinstance(node, ast.Name) and node.id in _MODULES
