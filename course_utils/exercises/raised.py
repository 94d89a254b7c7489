"""What the commonest errors mean, for a learner who meets them for the first time."""

import builtins
import difflib
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import torch

from course_utils.exercises.difference import short
from course_utils.exercises.evidence import Evidence
from course_utils.exercises.running import own_frame, own_line


def meaning(evidence: Evidence) -> str | None:
    """A sentence on the first error that the attempt raised, or None where it is a rare one."""
    for index in evidence.raised()[:1]:
        return _meaning(evidence.given[index].error)
    return None


def _meaning(error):
    text = " ".join(str(error).split())
    around = _Around(error)
    for kinds, pattern, explain in _KNOWN:
        match = isinstance(error, kinds) and re.search(pattern, text, re.IGNORECASE)
        if match:
            return explain(match, around)
    return None


class _Around:
    """What stands at the line that raised: its text, and the values of its names."""

    def __init__(self, error: BaseException):
        self.error = error
        line, frame = own_line(error), own_frame(error)
        self.text = line[1] if line else ""
        self.locals = dict(frame.f_locals) if frame else {}
        self.globals = dict(frame.f_globals) if frame else {}
        self.constants = frame.f_code.co_consts if frame else ()
        *_, (last, _) = [(None, 0), *traceback.walk_tb(error.__traceback__)]
        self.raised_here = last is frame

    def values(self) -> Iterator[tuple[str, Any]]:
        """Names on the line, with their values, each once, in the order in which they stand."""
        for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", self.text)):
            if name in self.locals:
                yield name, self.locals[name]

    def tensors(self) -> str:
        """The tensors on the line with their shapes, in words; "" where there are none."""
        found = [f"`{name}` {tuple(value.shape)}" for name, value in self.values()
                 if isinstance(value, torch.Tensor)][:4]  # fmt: skip
        return f" On this line: {', '.join(found)}." if found else ""

    def written_out(self, *texts: str) -> str:
        """A size of these texts that stands in the code as a number; "" where there is none."""
        sizes = {int(size) for text in texts for size in re.findall(r"\d+", text)}
        for number in sorted(sizes & set(filter(_is_count, self.constants))):
            return f" {number} is written out in your code; is it to be a size of an input?"
        return ""

    def of_kind(self, kind: str) -> str:
        """The first name on the line whose value is of a class of that name, marked as code."""
        names = [name for name, value in self.values() if type(value).__name__ == kind]
        return f"`{names[0]}`" if names else "This"


def _is_count(constant):
    return type(constant) is int and constant > 1


def _near(name, known):
    close = difflib.get_close_matches(
        name, [k for k in known if isinstance(k, str)], n=1, cutoff=0.6
    )
    return f" Is `{close[0]}` meant?" if close else ""


def _missing_key(match, around):
    key = around.error.args[0]
    if " " in str(key) and not around.raised_here and isinstance(key, str):
        return None  # some function's own sentence
    lacking = {name: value for name, value in around.values() if _lacks(value, key)}
    asked = [name for name in lacking if re.search(rf"\b{name}\s*\[", around.text)]
    (name, *others) = asked or lacking or [""]
    if not name or others or re.search(rf"\b{name}\s*\[[^\]]*\]\s*\[", around.text):
        return f"There is no key {match[0]} in the dict that is asked."
    value = lacking[name]
    keys = ", ".join(short(repr(k), 40) for k in list(value)[:6]) or "none"
    more = ", ..." if len(value) > 6 else ""
    return f"`{name}` has no key {match[0]}; it has {keys}{more}.{_key_meant(name, key, value)}"


def _lacks(value, key):
    return isinstance(value, dict) and key not in value


def _key_meant(name, key, known):
    """The key that is nearly this one: by its letters, or of the same parts."""
    if isinstance(key, str) and (near := _near(key, known)):
        return near
    for each in known:
        if _parts(each) == _parts(key):
            return f" Is `{short(repr(each), 40)}` meant?"
    if isinstance(key, tuple) and key and _lacks(known.get(key[0]), key):
        asked = "".join(f"[{part!r}]" for part in key)
        return f" It holds dicts: is `{name}{asked}` meant?"
    return ""


def _parts(key):
    """What a key is made of, whatever the order and the kind of the whole: ("a", 1), {1, "a"}."""
    return sorted(map(str, key)) if isinstance(key, tuple | frozenset) else [str(key)]


def _no_attribute(match, around):
    kind, name = match[1], match[2]
    if "return_types" in kind:
        kind = "tuple"
    if kind in ("tuple", "list"):
        more = "`torch.stack` makes one tensor of a list of tensors" if kind == "list" else (
            "`max` with an axis and an LSTM give such; take the part that you need"
        )  # fmt: skip
        return f"{around.of_kind(kind)} is a {kind}, and has no `{name}`; {more}."
    if kind in ("float", "int", "bool", "dict", "str", "NoneType"):
        what = "None, which has nothing" if kind == "NoneType" else f"of class {kind}"
        return f"{around.of_kind(kind)} is {what}, and has no `{name}`."
    if kind == "Tensor":
        return f"A tensor has no `{name}`.{_near(name, dir(torch.Tensor))}"
    if "before Module.__init__" in match.string:
        return _no_constructor(match, around)
    holders = [value for _, value in around.values() if type(value).__name__ == kind]
    known = [*dir(holders[0]), *getattr(holders[0], "_modules", ())] if holders else ()
    return f"There is no `{name}` in {around.of_kind(kind)}.{_near(name, known)}"


def _module_lacks(match, around):
    known = {"torch": dir(torch), "torch.nn.functional": dir(torch.nn.functional),
             "torch.nn": dir(torch.nn)}  # fmt: skip
    return f"`{match[1]}` has no `{match[2]}`.{_near(match[2], known.get(match[1], ()))}"


def _unknown_name(match, around):
    name = match[1]
    known = [*around.locals, *around.globals, *dir(builtins)]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if close:
        return f"There is no `{name}` here. Is `{close[0]}` meant?"
    for home in ("torch", "torch.nn", "torch.nn.functional"):
        if hasattr(_module(home), name):
            return f"There is no `{name}` here; `{home}.{name}` exists."
    return f"There is no `{name}` here: it was never given a value, or an import is missing."


def _module(name):
    return {"torch": torch, "torch.nn": torch.nn, "torch.nn.functional": torch.nn.functional}[name]


def _before_value(match, around):
    return (
        f"`{match[1]}` is given its value further down, or in a branch or loop that did not run. A "
        "name that is given a value anywhere in a function belongs to the function."
    )


def _matrices(match, around):
    one, other = match[1], match[2]
    return (
        f"A matrix product needs as many columns on the left as rows on the right; here they are "
        f"{one} and {other}. Which of the two is to be transposed, or exchanged?{around.tensors()}"
        f"{around.written_out(one, other)}"
    )


def _sizes_apart(match, around):
    axis = match[3]
    return (
        f"Two tensors are combined place by place, and axis {axis} is {match[1]} long in one and "
        f"{match[2]} in the other. PyTorch lines up the last axes; which of yours belong together?"
        f"{around.tensors()}{around.written_out(match[1], match[2])}"
    )


def _text(sentence: str) -> Callable:
    """An explanation that needs nothing from the error."""
    return lambda match, around: f"{sentence}{around.tensors()}"


def _not_a_tensor(match, around):
    return f"`{match[1]}` of torch takes a tensor, and gets {_article(match[2])}."


def _article(kind):
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _arguments(match, around):
    return f"`{match[1]}` is called with another number of values than it takes."


def _beyond(match, around):
    found = re.search(
        r"index (-?\d+) is out of bounds for dimension (\d+) with size (\d+)", match.string
    )
    if found:
        return (
            f"Place {found[1]} was asked of axis {found[2]}, which has the places 0 to "
            f"{int(found[3]) - 1}.{around.tensors()}"
        )
    return f"A place beyond the end was asked for.{around.tensors()}"


def _no_such_axis(match, around):
    return f"There is no axis {match[1]}; axes count from 0.{around.tensors()}"


def _no_constructor(match, around):
    return "A module's `__init__` has to call `super().__init__()` before anything else."


def _operands(match, around):
    if match[1].startswith("^"):
        return "`^` compares bits in Python; a power is written `**`."
    one, other = (kind.split(".")[-1] for kind in (match[2], match[3]))
    if "list" in (one, other) or "tuple" in (one, other):
        kind = "list" if "list" in (one, other) else "tuple"
        return (
            f"{around.of_kind(kind)} is a {kind}, and does not compute as a tensor does; "
            "`torch.stack` makes one tensor of several, and an index takes one out."
        )
    if "NoneType" in (one, other):
        return (
            f"{around.of_kind('NoneType')} is None. Does a function that you call return nothing?"
        )
    return f"`{match[1]}` does not work between {_article(one)} and {_article(other)}."


def _uncomparable(match):
    kinds = [kind.split(".")[-1] for kind in match.groups()]
    if "return_types" in match[0]:
        return "`max` and `min` with an axis give two things, `.values` and `.indices`; take one."
    return f"{_article(kinds[0]).capitalize()} and {_article(kinds[1])} cannot be compared."


def _uncallable(match, around):
    return f"Something of class {match[1]} is called like a function; are square brackets meant?"


def _unpacked(match, around):
    return "The value on the right has another number of parts than there are names on the left."


_TRUTH = _text(
    "A tensor of several values is neither true nor false. `if`, `and`, `or`, `not` and `max()` of "
    "Python want one; `&`, `|`, `~` and `torch.where` work place by place."
)

_KNOWN: tuple[tuple[type | tuple[type, ...], str, Callable], ...] = (
    (KeyError, r".+", _missing_key),
    (AttributeError, r"before Module.__init__", _no_constructor),
    (AttributeError, r"module '([\w.]+)' has no attribute '(\w+)'", _module_lacks),
    (AttributeError, r"'([\w.]+)' object has no attribute '(\w+)'", _no_attribute),
    (UnboundLocalError, r"variable '(\w+)'", _before_value),
    (NameError, r"name '(\w+)' is not defined", _unknown_name),
    (RuntimeError, r"\((\d+x\d+) and (\d+x\d+)\)", _matrices),
    (RuntimeError, r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at "
     r"non-singleton dimension (\d+)", _sizes_apart),
    (RuntimeError, r"boolean value of tensor with", _TRUTH),
    (RuntimeError, r"mean\(\): could not infer|can only be used on|floating point or complex",
     _text("Whole numbers and true/false have no mean; make them floats first.")),
    (RuntimeError, r"subtraction, the `-` operator, with (two )?bool",
     _text("True and false cannot be subtracted; make them numbers first.")),
    (RuntimeError, r"expected .*(long|int).* but got .*float|indices.*Float|'indices' to have",
     _text("Whole numbers (long) are needed here, and these are floats.")),
    (RuntimeError, r"expected scalar type (\w+)|same dtype|dtype .* got|found dtype|result type",
     _text("Two dtypes meet here that do not go together.")),
    (RuntimeError, r"a leaf variable that requires grad|leaf Variable",
     _text("A parameter may not be changed in place while gradients are recorded.")),
    (RuntimeError, r"does not require grad",
     _text("No way leads back from here to the parameters: somewhere the gradient was cut off.")),
    (RuntimeError, r"backward through the graph a second time",
     _text("`backward` was called twice on the same loss.")),
    (RuntimeError, r"only.*scalar outputs|implicitly created only for scalar",
     _text("`backward` starts from one number, a loss; sum or average first.")),
    (RuntimeError, r"sizes of tensors must match except in dimension (\d+)",
     _text("`torch.cat` joins along one axis, and all others have to be equally long.")),
    (RuntimeError, r"stack expects each tensor to be equal size",
     _text("`torch.stack` takes tensors of one shape, and these differ.")),
    (RuntimeError, r"shape '.*' is invalid for input of size",
     _text("`view` and `reshape` keep all numbers; the new shape has room for another count.")),
    ((RuntimeError, IndexError), r"dimension out of range .*got (-?\d+)", _no_such_axis),
    (IndexError, r"too many indices",
     _text("More indices are given than there are axes.")),
    (IndexError, r"shape of the mask",
     _text("A mask picks out of a tensor of its own shape; here the shapes differ.")),
    (IndexError, r"out of range|out of bounds", _beyond),
    (TypeError, r"(\w+)\(\): argument .* must be tensor, not (\w+)", _not_a_tensor),
    (TypeError, r"(\w+)\(\): argument .* must be tuple of tensors, not (\w+)",
     _text("`torch.cat` and `torch.stack` take a list of tensors.")),
    (TypeError, r"([\w.]+)\(\) (takes|missing|got an unexpected)", _arguments),
    (TypeError, r"unsupported operand type\(s\) for (\S+): '([\w.]+)' and '([\w.]+)'", _operands),
    (TypeError, r"'(\w+)' object is not callable", _uncallable),
    (TypeError, r"'(\w+)' object is not (iterable|subscriptable)",
     lambda match, around: f"{around.of_kind(match[1])} is of class {match[1]}, without parts."),
    (TypeError, r"list indices must be integers|only integer",
     _text("A list takes one whole number as its index; a tensor takes more.")),
    (TypeError, r"not supported between instances of '([\w.]+)' and '([\w.]+)'",
     lambda match, around: _uncomparable(match)),
    (NotImplementedError, r"bitwise_xor",
     _text("`^` compares bits in Python; a power is written `**`.")),
    (NotImplementedError, r"bitwise_(and|or)|logical_(and|or)",
     _text("`&` and `|` bind more tightly than `==`, `>=` and their like, so they took their "
           "neighbours first: put brackets round each comparison.")),
    (ValueError, r"step must be greater than zero",
     _text("Tensors take no negative step; `flip` turns them round.")),
    (ValueError, r"(max|min)\(\) .*empty", _text("Some input leaves nothing to choose from here.")),
    (ValueError, r"values to unpack", _unpacked),
    (ValueError, r"target size", _text("Output and target must have the same shape.")),
    (ZeroDivisionError, r".*", _text("Some input makes the divisor 0.")),
    (RecursionError, r"recursion depth", _text("The function calls itself without an end.")),
)  # fmt: skip
