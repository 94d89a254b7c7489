"""What the numbers show of a wrong attempt whose source nobody sees, on toys that stand here."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from course_utils.encoders import CNNEncoder, encode
from course_utils.exercises import raised, which_inputs
from course_utils.exercises.core import WRONG, Exercise, judge, wrong_in
from course_utils.exercises.detectors import shown
from course_utils.exercises.evidence import Evidence, telling

pytestmark = pytest.mark.usefixtures("patient")

# --- toys ------------------------------------------------------------------------------------


def shares(scores, scale):
    """(B, C) and a number -> (B, C)"""
    return (scores * scale).softmax(dim=1)


def score_cases(rng):
    for rows, classes, scale in [(3, 4, 1.0), (5, 3, 2.0), (2, 6, 0.5)]:
        yield torch.randn(rows, classes, generator=rng), scale


rows_to_shares = Exercise(reference=shares, cases=score_cases)


def fused(features, weights):
    return sum(weight * feature for weight, feature in zip(weights, features, strict=True))


def feature_cases(rng):
    for modalities, rows in [(2, 4), (3, 5), (4, 2), (2, 3)]:
        features = [torch.randn(rows, 3, generator=rng) for _ in range(modalities)]
        yield features, torch.rand(modalities, generator=rng)


fusion = Exercise(reference=fused, cases=feature_cases)
length = Exercise(
    reference=lambda x, y: (x - y).square().sum().sqrt().item(),
    cases=lambda rng: ((torch.randn(n, generator=rng), torch.randn(n, generator=rng))
                       for n in (3, 5, 8, 4)),
)  # fmt: skip
two_parts = Exercise(
    reference=lambda x: (x.mean(dim=0), x.std(dim=0)),
    cases=lambda rng: ((torch.randn(n, 3, generator=rng),) for n in (4, 6, 9)),
)


def evidence_of(exercise, attempt, seed=0):
    cases = exercise.draw(seed)
    runs = [exercise.run(fn, cases, seed) for fn in (exercise.reference, attempt)]
    return Evidence(exercise, attempt, cases, *runs, seed, wrong_in(exercise))


# --- relations of the answers to the right ones ----------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: -y, "opposite sign"),
        (lambda y: 2 * y, "the right one times 2"),
        (lambda y: y / 100, "the right one times 1 / 100"),
        (lambda y: 1 - y, "1 minus the right one"),
        (lambda y: y**2, "the square of the right one"),
        (lambda y: y.sqrt(), "the root of the right one"),
        (lambda y: y.log(), "the logarithm of the right one"),
        (lambda y: y.exp(), "the exponential of the right one"),
        (lambda y: y.log_softmax(dim=1), "after a log_softmax along axis 1"),
        (lambda y: y.softmax(dim=0), "after a softmax along axis 0"),
        (lambda y: y.sigmoid(), "after a sigmoid"),
        (lambda y: y * len(y), "times the length of axis 0 of `"),
        (lambda y: y / y.shape[1], "divided by the length of axis 1 of `"),
        (lambda y: y + 3, "too large by 3"),
        (lambda y: y.T, "transposed"),
        (lambda y: y.flip(1), "in reverse along axis 1"),
        (lambda y: y.roll(1, 0), "one place later along axis 0"),
        (lambda y: y[1:], "lacks the first entry along axis 0"),
        (lambda y: y[:, :-1], "lacks the last entry along axis 1"),
        (lambda y: y.sum(dim=1), "the sum of the right one along axis 1"),
        (lambda y: y.mean(dim=0), "the mean of the right one along axis 0"),
        (lambda y: y.argmax(dim=1).float(), "where the right one is largest along axis 1"),
        (lambda y: y.sort(dim=1).values, "sorted along axis 1"),
        (lambda y: y[torch.arange(len(y)) - 1], "one place later along axis 0"),
        (lambda y: y[:, None], "an axis of length 1 too many"),
        (lambda y: y.flatten(), "the right numbers in the wrong shape"),
        (lambda y: y.double(), "The numbers are right."),
        (lambda y: y.tolist(), None),
        (lambda y: y * torch.arange(1, len(y) + 1)[:, None], "one factor for each row"),
        (lambda y: torch.cat([y[:-1], torch.zeros(1, y.shape[1])]), "last entry along axis 0"),
    ],
)
def test_a_relation_to_the_right_answer_is_told(change, words):
    sentence = shown(
        evidence_of(rows_to_shares, lambda scores, scale: change(shares(scores, scale)))
    )
    assert sentence is None if words is None else words in sentence


def test_what_is_still_to_be_done_is_told():
    def not_added(features, weights):
        return torch.stack(features) * weights[:, None, None]

    assert "still to be added up along axis 0" in shown(evidence_of(fusion, not_added))


def test_a_list_of_tensors_is_read_as_one_tensor():
    attempt = lambda features, weights: [w * f for w, f in zip(weights, features, strict=True)]  # noqa: E731
    assert "your list holds is nearly there: it is still to be added up" in shown(
        evidence_of(fusion, attempt)
    )


def test_a_vector_that_is_missing_in_every_row_is_told():
    linear = Exercise(
        reference=lambda x, weight, bias: x @ weight.T + bias,
        cases=lambda rng: (
            [torch.randn(*shape, generator=rng) for shape in ((rows, 3), (4, 3), (4,))]
            for rows in (2, 3, 5)
        ),
    )
    sentence = shown(evidence_of(linear, lambda x, weight, bias: x @ weight.T))
    assert sentence.startswith("Your answer is off by one and the same vector in every row")


def test_one_number_for_several_is_told_with_their_count():
    shares = Exercise(
        reference=lambda x: x / x.sum(),
        cases=lambda rng: ((torch.rand(n, generator=rng),) for n in (2, 3, 5)),
    )
    assert shown(evidence_of(shares, lambda x: x.var())) == (
        "Your answer is one number, and several are due: as many as the length of `x`."
    )


def exchanged(text, one, other):
    return torch.where(text == one, other, torch.where(text == other, one, text))


swap = Exercise(
    reference=exchanged,
    cases=lambda rng: ((torch.randint(0, 6, (n, 8), generator=rng), 2, 4) for n in (3, 4, 6)),
)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda text, one, other: one + other - text, "has to change, and changes it elsewhere"),
        (lambda text, one, other: torch.where(text == one, other, text), "stays as it is, and wr"),
        (lambda text, one, other: text.clone(), "is `text` as it came"),
    ],
)
def test_where_an_input_should_have_stayed_as_it_is_is_told(attempt, words):
    assert words in shown(evidence_of(swap, attempt))


def ids(texts):
    words = sorted({word for text in texts for word in text.split()})
    return {word: number for number, word in enumerate(words)}


numbered = Exercise(
    reference=ids,
    cases=lambda rng: [(["to be or", "or not to"],), (["the sun is", "is it"],), (["we go", "a"],)],
)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda texts: {w: 2 * i for w, i in ids(texts).items()}, "leave gaps: after 0 comes 2"),
        (lambda texts: {w: i // 2 for w, i in ids(texts).items()}, "have the same number"),
        (lambda texts: ids([" ".join("".join(texts))]), "falls into its letters"),
        (lambda texts: ids(["".join(texts)]), "run together"),
        (
            lambda texts: {w: len(ids(texts)) - 1 - i for w, i in ids(texts).items()},
            "in another order",
        ),
    ],
)
def test_keys_and_numbers_of_a_dict_are_told(attempt, words):
    assert words in shown(evidence_of(numbered, attempt))


def test_an_answer_is_said_to_be_always_the_same_only_where_other_inputs_do_not_change_it():
    chosen = Exercise(
        reference=lambda x: int((x > 0.5).sum()),
        cases=lambda rng: ((torch.rand(n, generator=rng),) for n in (6, 9, 12, 7)),
    )
    for attempt, said in ((lambda x: int((x > 40).sum()), False), (lambda x: 3, True)):
        told = which_inputs.inputs_tell(evidence_of(chosen, attempt)) or ""
        assert ("whatever the inputs" in told) == said


def test_numbers_of_python_are_read_as_tensors_are():
    assert "opposite sign" in shown(evidence_of(length, lambda x, y: -float((x - y).norm())))
    root = shown(evidence_of(length, lambda x, y: float((x - y).norm() ** 2)))
    assert "the square of the right one" in root


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda x: (x.std(dim=0), x.mean(dim=0)), "in the wrong order"),
        (lambda x: x.std(dim=0), "part 2 of the answer alone"),
        (lambda x: (x.mean(dim=0), x.std(dim=0) ** 2), "Part 2 of your answer is the square"),
        (lambda x: (x.sum(dim=0), x.std(dim=0)), "Part 1 of your answer is the right one times"),
    ],
)
def test_of_several_parts_the_wrong_one_is_told(attempt, words):
    assert words in shown(evidence_of(two_parts, attempt))


@pytest.mark.parametrize(
    "attempt",
    [
        lambda scores, scale: scores.cos(),
        lambda scores, scale: shares(scores, scale) * (1 + 0.1 * scores),
        lambda scores, scale: "text",
        lambda scores, scale: None,
    ],
)
def test_nothing_is_told_where_nothing_holds_for_every_input(attempt):
    assert shown(evidence_of(rows_to_shares, attempt)) is None


def test_one_number_everywhere_is_no_change_of_the_right_answer():
    signs = Exercise(
        reference=lambda x: x.sign(),
        cases=lambda rng: [(torch.randn(n, generator=rng),) for n in (6, 7, 8)],
    )
    assert shown(evidence_of(signs, lambda x: x.abs().sign())) is None


def test_what_holds_for_one_input_only_is_not_told():
    def twice_for_some(scores, scale):
        return shares(scores, scale) * (2 if len(scores) == 3 else 2.5)

    assert "times 2" not in (shown(evidence_of(rows_to_shares, twice_for_some)) or "")


@given(st.floats(-50, 50), st.floats(-50, 50))
@settings(max_examples=40, deadline=None)
def test_a_factor_and_a_term_are_told_as_they_are(factor, term):
    assume(abs(factor) > 0.01 and min(abs(factor - 1), abs(factor + 1), abs(term - 1)) > 0.01)
    times = shown(evidence_of(rows_to_shares, lambda *x: factor * shares(*x)))
    assert "is the right one times" in times
    if abs(term) > 0.01:
        plus = shown(evidence_of(rows_to_shares, lambda *x: shares(*x) + term))
        assert f"by {abs(term):.4g}, for all inputs" in plus


def test_a_few_equal_numbers_are_no_evidence():
    assert not telling([(0.5, 1.0)] * 20)
    assert telling([(0.1, 0.2), (0.3, 0.6), (0.4, 0.8), (0.7, 1.4)])
    assert not telling([(True, False)] * 4)
    assert telling([(True, False)] * 8)
    assert telling([(torch.rand(3), torch.rand(3))] * 2)


# --- inputs ----------------------------------------------------------------------------------


def test_an_input_that_makes_no_difference_is_told():
    evidence = evidence_of(fusion, lambda features, weights: sum(features))
    assert which_inputs.inputs_tell(evidence) == "Your answer does not depend on `weights`."


def test_an_input_whose_sum_alone_counts_makes_a_difference():
    for attempt in (
        lambda features, weights: sum(features) * weights.sum(),
        lambda features, weights: features[-1] * weights.max(),
    ):
        told = which_inputs.inputs_tell(evidence_of(fusion, attempt)) or ""
        assert "depend" not in told


def test_what_is_right_for_two_modalities_only_is_told():
    def for_two(features, weights):
        return weights[0] * features[0] + weights[1] * features[1]

    sentence = which_inputs.right_for_two(evidence_of(fusion, for_two))
    assert sentence == "Your answer is right where `features` holds two, and for no other number."


def test_the_number_that_decides_is_told():
    steps = Exercise(
        reference=lambda size, stride=1: (size - 3) // stride + 1,
        cases=lambda rng: [(9, 1), (20, 2), (31, 3), (12, 1), (17, 4)],
    )
    evidence = evidence_of(steps, lambda size, stride=1: size - 2)
    sentence = which_inputs._right_where(evidence, which_inputs.Clock(5))
    assert sentence == "Your answer is right where `stride` is 1, and wrong elsewhere."


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda scores, scale: shares(scores, 1.0), "another `scale`: as if it were always 1"),
        (lambda scores, scale: shares(-scores, scale), "another `scores`: with the opposite sign"),
    ],
)
def test_the_right_answer_to_another_input_is_told(attempt, words):
    sentence = which_inputs._another_input(
        evidence_of(rows_to_shares, attempt), which_inputs.Clock(5)
    )
    assert words in sentence


def test_two_inputs_in_each_others_place_are_told():
    minus = Exercise(
        reference=lambda a, b: a - b,
        cases=lambda rng: ((torch.randn(n, generator=rng), torch.randn(n, generator=rng))
                           for n in (3, 4)),
    )  # fmt: skip
    sentence = which_inputs._two_exchanged(
        evidence_of(minus, lambda a, b: b - a), which_inputs.Clock(5)
    )
    assert sentence == "Your answer is right if `a` and `b` are in each other's place."


# --- errors ----------------------------------------------------------------------------------


def raise_it(error):
    def attempt(scores, scale):
        raise error

    return attempt


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda scores, scale: {"a": 1}["b"], "no key 'b'"),
        (lambda scores, scale: scores.softmaks(1), "Is `softmax` meant?"),
        (lambda scores, scale: scores.max(dim=1).softmax(0), "`max` with an axis"),
        (lambda scores, scale: [scores].sum(), "`torch.stack` makes one tensor"),
        (lambda scores, scale: scores @ scores, "A matrix product needs"),
        (lambda scores, scale: scores + torch.zeros(scores.shape[1] + 1), "place by place"),
        (lambda scores, scale: softmax(scores), "`torch.softmax` exists"),  # noqa: F821
        (lambda scores, scale: scores if scores > 0 else 0, "neither true nor false"),
        (lambda scores, scale: scores[:, 99], "Place 99 was asked of axis 1"),
        (lambda scores, scale: scores.sum(dim=2), "There is no axis 2"),
        (lambda scores, scale: (scores > 0).mean(), "make them floats first"),
        (lambda scores, scale: torch.sqrt(scale), "takes a tensor, and gets a float"),
        (lambda scores, scale: scores.argmax(1)(2), "called like a function"),
        (lambda scores, scale: [1, 2] - scores, "`torch.stack` makes one tensor of several"),
        (lambda scores, scale: torch.cat([scores, scores[:, :1]]), "joins along one axis"),
        (lambda scores, scale: 1 / 0, "the divisor 0"),
    ],
)
def test_a_common_error_is_explained_after_pythons_words(attempt, words):
    verdict = judge(rows_to_shares, attempt, 0)
    assert verdict.kind == WRONG
    assert verdict.sentence.startswith("Your code raised ")
    explained = raised.meaning(evidence_of(rows_to_shares, attempt))
    assert words in explained


PAIRS = {("a", "b"): 1, ("a", "c"): 2}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            lambda share: share[("b", "a")],
            "`share` has no key ('b', 'a'); it has ('a', 'b'), ('a', 'c'). Is `('a', 'b')` meant?",
        ),
        (
            lambda share: share[("a", "x")],
            "`share` has no key ('a', 'x'); it has ('a', 'b'), ('a', 'c').",
        ),
        (
            lambda share, of={"a": {"b": 1}}: of["a", "b"],
            "`of` has no key ('a', 'b'); it has 'a'. It holds dicts: is `of['a']['b']` meant?",
        ),
        (
            lambda share, of={frozenset("a"): 1}: of[("a",)],
            "`of` has no key ('a',); it has frozenset({'a'}). Is `frozenset({'a'})` meant?",
        ),
        (
            lambda share, of={"a": {"b": 1}}: of["a"]["c"],
            "There is no key 'c' in the dict that is asked.",
        ),
        (
            lambda share, of={"a": 1}: of[len(share[("a", "x")])],
            "There is no key ('a', 'x') in the dict that is asked.",
        ),
        (
            lambda share, of={0: 1}: of["0"],
            "`of` has no key '0'; it has 0. Is `0` meant?",
        ),
        (lambda share, of={}: of["a"], "`of` has no key 'a'; it has none."),
    ],
)
def test_a_key_that_is_not_there_is_told_with_those_that_are(asked, words):
    one = Exercise(reference=lambda share: 1, cases=lambda rng: [(PAIRS,)])
    assert raised.meaning(evidence_of(one, asked)) == words


def test_a_sentence_that_another_function_raises_as_a_key_is_not_taken_for_one():
    one = Exercise(reference=lambda batch: 1, cases=lambda rng: [({"text": torch.ones(2, 3)},)])
    attempt = lambda batch: encode(CNNEncoder(4), batch)  # noqa: E731
    assert raised.meaning(evidence_of(one, attempt)) is None


@given(st.text(max_size=60), st.sampled_from([KeyError, RuntimeError, TypeError, NameError]))
@settings(max_examples=60, deadline=None)
def test_an_error_with_any_text_gets_a_sentence_or_none(text, kind):
    explained = raised.meaning(evidence_of(rows_to_shares, raise_it(kind(text))))
    assert explained is None or explained.strip().endswith((".", "?", "!", "`"))
