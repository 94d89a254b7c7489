"""One change in a learner's own source says which line is wrong, on toys that stand here."""

import ast
import functools
import linecache
import re
import textwrap
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.exercises import core, repairs
from course_utils.exercises.core import RIGHT, WRONG, Exercise, judge, wrong_in
from course_utils.exercises.edits import Scope, blocks, edits_of, places
from course_utils.exercises.evidence import Evidence
from course_utils.exercises.slips import RULES
from course_utils.exercises.slips_of_lines import statement_edits

pytestmark = pytest.mark.usefixtures("patient")

# --- toys ------------------------------------------------------------------------------------


def weighted(features, weights):
    alpha = weights.softmax(dim=0)
    return (alpha[:, None, None] * torch.stack(features)).sum(dim=0)


def feature_cases(rng):
    for modalities, rows, dim in [(2, 4, 3), (3, 3, 5), (4, 2, 6)]:
        features = [torch.randn(rows, dim, generator=rng) for _ in range(modalities)]
        yield features, torch.randn(modalities, generator=rng)


fuse = Exercise(reference=weighted, cases=feature_cases)
mean_above = Exercise(
    reference=lambda x, limit=0.5: x[x >= limit].mean(),
    cases=lambda rng: (
        (torch.cat([torch.rand(9, generator=rng), torch.tensor([limit, 0.9])]), limit)
        for limit in (0.5, 0.25, 0.75)
    ),
)
count = Exercise(reference=lambda n: sum(range(1, n + 1)), cases=lambda rng: [(3,), (5,), (8,)])


def written(source: str, name: str = "attempt", **around):
    """A function (class) from its source, whose lines are at hand as a notebook's are."""
    source = textwrap.dedent(source).strip() + "\n"
    filename = f"<cell {hash(source):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = {"torch": torch, "nn": nn, **around}
    exec(compile(source, filename, "exec"), namespace)
    return namespace[name]


def sentence_of(exercise, source, **around):
    verdict = judge(exercise, written(source, **around), 0)
    assert verdict.kind == WRONG
    return verdict.sentence


FUSED = """
def attempt(features, weights):
    alpha = weights.softmax(dim=0)
    total = 0
    for share, feature in zip(alpha, features):
        total = total + share * feature
    return total
"""
STACKED = """
def attempt(features, weights):
    alpha = weights.softmax(dim=0)
    stacked = torch.stack(features)
    return (alpha[:, None, None] * stacked).sum(dim=0)
"""


# --- what is said ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "line", "words"),
    [
        (STACKED, ("sum(dim=0)", "sum(dim=1)"), 4, "works along the wrong axis"),
        (STACKED, ("sum(dim=0)", "mean(dim=0)"), 4, "`mean` stands where `sum` belongs"),
        (STACKED, ("[:, None, None]", "[None, :, None]"), 4, "new axis stands in the wrong place"),
        (STACKED, ("weights.softmax", "weights.log_softmax"), 2, "`softmax` belongs"),
        (STACKED, ("torch.stack", "torch.cat"), 3, "`cat` stands where `stack` belongs"),
        (STACKED, ("return (alpha", "return (weights"), 4, "else than `weights` belongs"),
        (STACKED, ("None] * stacked", "None] / stacked"), 4, "`/` stands where `*` belongs"),
        (FUSED, ("    return total", "        return total"), 6, "inside the loop"),
        (FUSED, ("total = total + share", "total = share"), 5, "replaces what was there"),
        (FUSED, ("total = 0", "total = 1"), 3, "1 is one too large"),
        (FUSED, ("total = total + share", "total = total - share"), 5, "`+` belongs"),
        (FUSED, ("    return total\n", "    total\n"), 6, "without a `return`"),
        (FUSED, ("zip(alpha, features)", "zip(alpha, features[1:])"), 4, ""),
        (STACKED, ("softmax(dim=0)", "sigmoid()"), 2, "`sigmoid` stands where `softmax`"),
        (STACKED, ("stacked).sum(dim=0)", "stacked)"), 4, "still to be added up"),
    ],
)
def test_one_slip_is_told_with_its_line(right, wrong, line, words):
    assert judge(fuse, written(right), 0).kind == RIGHT
    assert wrong[0] in right
    sentence = sentence_of(fuse, right.replace(*wrong))
    assert f"Line {line}, " in sentence
    assert words in sentence


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def attempt(x, limit=0.5): return x[x > limit].mean()", "`>` stands where `>=`"),
        ("def attempt(x, limit=0.5): return x[x >= 0.5].mean()", "right for some inputs only"),
        ("def attempt(x, limit=0.5): return x[x >= limit].sum()", "`sum` stands where `mean`"),
        ("attempt = lambda x, limit=0.5: x[x > limit].mean()", "`>` stands where `>=`"),
    ],
)
def test_a_slip_in_one_line_is_told(source, words):
    assert words in sentence_of(mean_above, source)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "def attempt(logits):\n    p = torch.stack(logits).softmax(dim=-1)\n"
            "    return p.sum(dim=0) / len(logits[0])",
            "this is the length of axis 0 of each of `logits`, and another size is due",
        ),
        (
            "def attempt(logits):\n    total = torch.zeros(3, logits[0].shape[1])\n"
            "    for one in logits:\n        total = total + one.softmax(dim=-1) / len(logits)\n"
            "    return total",
            "3 is written out, and is right for some inputs only",
        ),
        (
            "def attempt(logits):\n    return [one.softmax(-1) / len(logits) for one in logits]",
            "still to be added up",
        ),
    ],
)
def test_the_usual_slip_is_told_before_the_far_fetched_one(source, words):
    average = Exercise(
        reference=lambda logits: torch.stack(logits).softmax(dim=-1).mean(dim=0),
        cases=lambda rng: (
            ([torch.randn(rows, classes, generator=rng) for _ in range(many)],)
            for many, rows, classes in [(2, 4, 3), (3, 2, 5), (4, 3, 2), (5, 1, 4)]
        ),
    )
    assert words in sentence_of(average, source)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "def attempt(a, b):\n    d = a.to(torch.uint8) - b.to(torch.uint8)\n"
            "    return d.double().mean()",
            "0 - 1 does not come out as -1",
        ),
        (
            "def attempt(a, b):\n    return (a.double() - b.double()).clip(min=0).mean()",
            "`clip` is one step too many",
        ),
        (
            "def attempt(a, b):\n    return (a & ~b).double().mean()",
            "those of the opposite kind count too",
        ),
    ],
)
def test_a_change_that_helps_by_a_side_effect_is_not_told(source, words):
    gain = Exercise(
        reference=lambda a, b: (a.double() - b.double()).mean(),
        cases=lambda rng: (
            (torch.rand(n, generator=rng) > 0.5, torch.rand(n, generator=rng) > 0.4)
            for n in (9, 14, 20)
        ),
    )
    assert words in sentence_of(gain, source)


def test_what_is_changed_in_place_is_not_mended_by_a_copy_of_it():
    ones = Exercise(
        reference=lambda n: torch.zeros(n), cases=lambda rng: [(2,), (3,), (5,)], atol=1e-6
    )
    source = """
    def attempt(n):
        x = torch.zeros(n)
        nn.init.ones_(x)
        return x
    """
    assert "is missing here" not in sentence_of(ones, source)


def test_a_power_written_with_another_sign_is_told():
    shares = Exercise(
        reference=lambda x: x**2 / (x**2).sum(),
        cases=lambda rng: ((torch.rand(n, generator=rng),) for n in (2, 3, 4)),
    )
    source = "def attempt(x):\n    y = x ^ 2\n    return y / y.sum()"
    assert "`^` compares bits, `**` is a power" in sentence_of(shares, source)


def test_a_difference_of_the_largest_is_told_from_the_largest_difference():
    gap = Exercise(
        reference=lambda a, b: (a - b).abs().max().item(),
        cases=lambda rng: (
            (torch.randn(n, generator=rng), torch.randn(n, generator=rng)) for n in (4, 6, 9, 7)
        ),
    )
    source = "def attempt(a, b):\n    return abs(a.max() - b.max()).item()"
    assert "`max` is taken on each side before the difference" in sentence_of(gap, source)


def test_a_return_that_ends_a_loop_at_its_first_find_is_told():
    places = Exercise(
        reference=lambda x: [i for i in range(len(x)) if x[i] > 0],
        cases=lambda rng: ((torch.randn(n, generator=rng),) for n in (9, 8, 12)),
    )
    source = """
    def attempt(x):
        found = []
        for i in range(len(x)):
            if x[i] > 0:
                found.append(i)
                return found
        return found
    """
    assert "ends the loop at the first time" in sentence_of(places, source)


def test_a_decorator_that_does_harm_is_told():
    source = """
    def halved(fn):
        @functools.wraps(fn)
        def wrapper(*arguments):
            return fn(*arguments) / 2
        return wrapper

    @halved
    def attempt(features, weights):
        alpha = weights.softmax(dim=0)
        return sum(share * feature for share, feature in zip(alpha, features))
    """
    sentence = sentence_of(fuse, source, functools=functools)
    assert "Without its decorator, `attempt` is right." in sentence


@pytest.mark.parametrize(
    ("ends", "words"),
    [("range(1, n)", "it ends one too early"), ("range(0, n)", "one too early")],
)
def test_a_range_that_misses_an_end_is_told(ends, words):
    assert words in sentence_of(count, f"def attempt(n): return sum({ends})")


def test_an_error_keeps_pythons_own_words_and_gets_the_line():
    source = STACKED.replace("[:, None, None]", "[:, None]").replace("weights.", "wieghts.")
    sentence = sentence_of(fuse, STACKED.replace("weights.", "wieghts."))
    assert sentence.startswith("Your code raised NameError: name 'wieghts' is not defined.")
    assert "Line 2, `wieghts`: there is no `wieghts` here; is `weights` meant?" in sentence
    assert sentence_of(fuse, source).startswith("Your code raised NameError")


def test_the_same_slip_in_two_lines_is_told_once():
    source = """
    def attempt(x, limit=0.5):
        if (x > limit).any():
            return x[x > limit].mean()
        return x[x > limit].mean()
    """
    sentence = sentence_of(mean_above, source)
    assert sentence.count("`>` stands where `>=` belongs") == 1


def test_the_same_slip_on_two_inputs_is_told_once():
    sure = Exercise(
        reference=lambda a, b: ((a.amax(dim=1) > 0.5) & (b.amax(dim=1) > 0.5)).sum().item(),
        cases=lambda rng: (
            [torch.randn(rows, 3, generator=rng).mul(2).softmax(dim=1) for _ in "ab"]
            for rows in (9, 12, 20, 15)
        ),
    )
    source = """
    def attempt(a, b):
        a_sure = a.softmax(dim=1).amax(dim=1) > 0.5
        b_sure = b.softmax(dim=1).amax(dim=1) > 0.5
        return (a_sure & b_sure).sum().item()
    """
    assert sentence_of(sure, source).count("`softmax` is one step too many") == 1


@pytest.mark.parametrize("more", ["", "    again = weights + 0\n"])
def test_a_step_too_many_is_not_told_to_stand_behind_the_return(more):
    total = Exercise(
        reference=lambda weights: weights.flip(0) - weights.sum(),
        cases=lambda rng: ((torch.randn(n, generator=rng),) for n in (3, 4, 5)),
    )
    source = f"""
def attempt(weights):
    weights = weights.softmax(-1)
{more}    return weights.flip(0) - weights.sum()
"""
    sentence = sentence_of(total, source)
    assert "changed places" not in sentence
    assert "wrong moment" not in sentence
    assert "`softmax` is one step too many" in sentence or "without this line" in sentence


@pytest.mark.parametrize("last", ["return x", "raise ValueError", "break", "continue"])
def test_no_proposal_puts_a_line_where_it_never_runs(last):
    source = f"""
def attempt(x):
    for one in x:
        x = x + one
        x = x * 2
        x = x - 1
        {last}
    return x
"""
    tree = ast.parse(source).body[0]
    loop = tree.body[0]
    for slot in (s for s in blocks(tree) if s.node is loop.body):
        for edit in statement_edits(slot, Scope(params=("x",), names=("x", "one"))):
            if re.search("changed places|wrong moment", edit.proposal.here):
                assert edit.proposal.new[-1] is loop.body[-1]


def test_two_names_that_are_taken_for_one_another_are_told():
    minus = Exercise(
        reference=lambda a, b: (a @ b - a.sum()) / b.sum(),
        cases=lambda rng: ((torch.rand(n, generator=rng), torch.rand(n, generator=rng))
                           for n in (2, 3, 4)),
    )  # fmt: skip
    sentence = sentence_of(minus, "def attempt(a, b): return (a @ b - b.sum()) / a.sum()")
    assert "`a` and `b` have changed places" in sentence


class Scale(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return (x * self.factor).softmax(dim=-1)


def test_a_module_is_mended_in_its_forward():
    scale = Exercise(
        reference=Scale,
        cases=lambda rng: (((d,), (torch.randn(3, d, generator=rng),)) for d in (2, 4)),
        module=True,
    )
    source = """
    class attempt(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(dim))

        def forward(self, x):
            return (x * self.factor).softmax(dim=0)
    """
    assert "Line 7, " in sentence_of(scale, source)


def test_the_line_that_cuts_a_gradient_off_is_told():
    sentence = sentence_of(fuse, STACKED.replace("softmax(dim=0)", "softmax(dim=0).detach()"))
    assert "Line 2, " in sentence
    assert "`detach` is one step too many" in sentence


# --- what it never does ----------------------------------------------------------------------


def evidence_of(exercise, attempt, seed=0):
    cases = exercise.draw(seed)
    runs = [exercise.run(fn, cases, seed) for fn in (exercise.reference, attempt)]
    return Evidence(exercise, attempt, cases, *runs, seed, wrong_in(exercise))


def test_code_that_does_more_than_compute_is_not_run_again():
    done = []
    source = """
    def attempt(x, limit=0.5):
        open
        done.append(1)
        return x[x > limit].mean()
    """
    attempt = written(source, done=done)
    assert repairs.repair(evidence_of(mean_above, attempt)) is None
    assert len(done) == 3  # the cases of one seed


def test_nothing_that_is_printed_while_it_searches_is_shown(capsys):
    source = "def attempt(x, limit=0.5):\n    print('here')\n    return x[x > limit].mean()"
    evidence = evidence_of(mean_above, written(source))
    capsys.readouterr()
    assert "`>=`" in repairs.repair(evidence)
    assert capsys.readouterr().out == ""


def test_an_attempt_without_source_is_left_alone():
    namespace: dict = {}
    exec("def attempt(x, limit=0.5): return x[x > limit].mean()", namespace)
    assert repairs.repair(evidence_of(mean_above, namespace["attempt"])) is None
    assert judge(mean_above, namespace["attempt"], 0).kind == WRONG


def test_a_search_without_an_end_in_sight_is_given_up(monkeypatch):
    monkeypatch.setattr(repairs.Clock, "patience", 1.0)
    monkeypatch.setattr(repairs, "_SECONDS", 0.2)
    source = """
    def attempt(features, weights):
        total = weights.tan()
        for feature in features:
            while total.sum() > 1e9:
                total = total * 0.9
        return features[0].cos() * total[0].sin() + features[1].tan()
    """
    started = time.monotonic()
    assert repairs.repair(evidence_of(fuse, written(source)), 0.2) is None
    assert time.monotonic() - started < 3


def test_a_change_that_helps_on_these_inputs_alone_is_not_told():
    drawn = iter(range(1000))
    luck = Exercise(
        reference=lambda x, y: x * y,
        # The first draw cannot tell a product from a power or a sum; all later ones can.
        cases=lambda rng: [(2, 2)] if next(drawn) == 0 else [(3, 5), (4, 7)],
    )
    assert repairs.repair(evidence_of(luck, written("def attempt(x, y): return x - y"))) in (
        None,
        "Line 1, `x - y`: `-` stands where `*` belongs.",
    )


def test_a_search_that_stumbles_costs_nobody_a_verdict(monkeypatch):
    def stumble(*_):
        raise ValueError

    monkeypatch.setattr(core, "reason", stumble)
    verdict = judge(mean_above, lambda x, limit=0.5: x.sum(), 0)
    assert verdict.kind == WRONG
    assert "expected is" in verdict.sentence


expressions = st.recursive(
    st.sampled_from(["x", "y", "2", "0.5", "-1", "True", "'key'", "x.shape[0]", "x[1:]", "-x"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "@", "<", "&"]),
                  inner),
        st.builds("({}).{}()".format, inner, st.sampled_from(["sum", "exp", "float", "max"])),
        st.builds("f({}, {})".format, inner, inner),
        st.builds("[{} for i in range(3)]".format, inner),
    ),
    max_leaves=6,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(expressions)
@settings(max_examples=25, deadline=None)
def test_every_change_compiles_and_can_be_taken_back(text):
    fn = written(
        f"def attempt(x, y):\n    z = {text}\n    for i in x:\n        z += y\n    return z"
    )
    definition = repairs.definition_of(fn)
    scope = repairs._scope(definition, ["key"], [3])
    before = repairs.ast.dump(definition.tree)
    changes = [edit for slot in places(definition.tree) for edit in edits_of(RULES, slot, scope)]
    changes += [e for slot in blocks(definition.tree) for e in statement_edits(slot, scope)]
    for edit in changes:
        edit.do()
        definition.build()
        edit.undo()
        assert edit.at.lineno
        assert edit.proposal.here
    assert repairs.ast.dump(definition.tree) == before


def test_a_slip_in_a_right_answer_stands_in_for_a_source_that_is_not_at_hand():
    namespace: dict = {}
    exec(
        "def attempt(features, weights):\n    import torch\n"
        "    return torch.einsum('m,mbd->bd', weights, torch.stack(features))",
        namespace,
    )
    sentence = repairs.comes_out_when(evidence_of(fuse, namespace["attempt"]))
    assert sentence == "The same comes out when `softmax` is left out."


def test_an_axis_that_the_attempt_does_not_name_is_not_what_went_wrong_there():
    exercise = Exercise(
        reference=lambda x: x.sum(dim=0),
        cases=lambda rng: [(torch.rand(3, 3, generator=rng),), (torch.rand(4, 4, generator=rng),)],
    )
    by_hand = written(
        "def attempt(x): return torch.stack([row @ torch.ones_like(row) for row in x])"
    )
    assert repairs.comes_out_when(evidence_of(exercise, by_hand)) is None
    summed = written("def attempt(x): return x.sum(dim=1)")
    assert "`sum` works along the wrong axis" in repairs.comes_out_when(
        evidence_of(exercise, summed)
    )


# --- a way that gives None -----------------------------------------------------------------------

first_above = Exercise(
    reference=lambda x, limit: [v for v in x if v > limit][:1] or [0],
    cases=lambda rng: [([1, 2, 3], 1), ([1, 2], 5), ([7, 3, 4], 3)],
)
LISTED = "def attempt(x, limit):\n    above = [v for v in x if v > limit]\n"


@pytest.mark.parametrize(
    ("body", "way"),
    [
        (
            "    if above:\n        return above[:1]\n",
            "Line 3, `if above:`: where this is not true, nothing is returned.",
        ),
        (
            "    if above:\n        return above[:1]\n    elif limit > 9:\n        return [0]\n",
            "Line 5, `elif limit > 9:`: where this is not true, nothing is returned.",
        ),
        (
            "    if above:\n        return above[:1]\n    else:\n        above = [0]\n",
            "Line 6, `above = [0]`: on this way the function ends without a `return`.",
        ),
        (
            "    for value in above:\n        return [value]\n",
            "Line 3, `for value in above:`: the loop ended without reaching its `return`, and "
            "below it there is none.",
        ),
        (
            "    if not above:\n        return\n    return above[:1]\n",
            "Line 4, `return`: nothing stands behind it, so it gives None.",
        ),
        (
            "    if not above:\n        return above.append(0)\n    return above[:1]\n",
            "Line 4, `return above.append(0)`: what it gives is None.",
        ),
    ],
)
def test_the_way_that_gives_none_is_named_where_others_give_an_answer(body, way):
    told = sentence_of(first_above, LISTED + body)
    assert told.startswith(f"Your function returned None. {way}")


def test_where_no_way_gives_an_answer_a_return_may_be_missing():
    told = sentence_of(first_above, LISTED + "    above = above[:1] or [0]\n")
    assert told.startswith("Your function returned None; is a `return` missing?")


def test_the_way_through_a_modules_forward_is_named():
    class Doubled(nn.Module):
        def forward(self, x):
            return 2 * x

    source = """
    class attempt(nn.Module):
        def forward(self, x):
            if x.sum() > 0:
                return 2 * x
    """
    doubled = Exercise(
        reference=Doubled,
        cases=lambda rng: [((), (torch.ones(2) * sign,)) for sign in (1.0, -1.0, 2.0)],
        module=True,
    )
    way = "Line 3, `if x.sum() > 0:`: where this is not true, nothing is returned."
    assert sentence_of(doubled, source).startswith(f"Your function returned None. {way}")
