"""Lesson 00: what its exercises have to meet, what its dials can do, and what its pages say."""

import dataclasses
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import exercises
from course_utils.data import dial, news_cards, shop
from course_utils.data.read_dials import list_dials
from course_utils.environment import course_root
from course_utils.exercises.core import RIGHT, WRONG, Broken, judge
from course_utils.exercises.lesson00 import as_number, as_rows, mispaired, one_sense_tells
from course_utils.exercises.quiz import load, quiz_file
from course_utils.lessons import reading_order

SEEDS = range(20)


def cases(name, seed):
    return exercises.find(name).draw(seed)


# --- what an exercise has to meet ------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_majority_meets_a_class_that_no_test_row_has_and_nowhere_a_tie(seed):
    met = cases("majority_baseline", seed)
    counts = [train.bincount().sort(descending=True).values for train, _ in met]
    assert all(len(count) == 1 or count[0] > count[1] for count in counts)
    assert any(train.mode().values > test.max() for train, test in met)
    assert any(len(train) == 1 for train, _ in met)
    assert max(int(train.max()) for train, _ in met) > 4, "five classes are not assumed"


@pytest.mark.parametrize("seed", SEEDS)
def test_find_mispaired_meets_whatever_its_docstring_leaves_open(seed):
    met = cases("find_mispaired", seed)
    tops = [table.amax(dim=1) for table, *_ in met]
    assert {table.shape[1] for table, *_ in met} >= {2, 3, 5, 7}
    assert any(len(table) == 1 for table, *_ in met)
    assert any(len(case) == 2 for case in met), "`sure` is left as it is once"
    assert any(
        bool((top == case[2]).any()) for top, case in zip(tops, met, strict=True) if case[2:]
    )
    found = [len(mispaired(*case)) for case in met]
    assert 0 in found
    assert any(count == len(case[0]) for count, case in zip(found, met, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_are_met_of_one_row_and_of_two_to_eleven_classes(seed):
    met = cases("share_right", seed)
    assert any(len(label) == 1 for _, label in met)
    assert max(int(label.max()) for _, label in met) > 4
    assert {float((p == y).float().mean()) for p, y in met} >= {0.0, 1.0}


def test_a_share_is_one_number_and_neither_a_row_of_one_nor_a_text():
    assert as_number(torch.tensor(0.5)) == as_number(0.5) == 0.5
    right = exercises.find("share_right")
    for wrap in (lambda x: x[None], lambda x: str(x.item()), lambda x: [x.item()]):
        verdict = judge(right, lambda p, y, wrap=wrap: wrap((p == y).float().mean()), 0)
        assert verdict.kind == WRONG, verdict


def test_row_numbers_may_be_a_list_of_whole_numbers_alone():
    assert torch.equal(as_rows([3, 5]), torch.tensor([3, 5]))
    assert as_rows([]).dtype == torch.long
    assert as_rows([3.0, 5.0]) == [3.0, 5.0]


# --- what is said of answers that nobody declared ---------------------------------------------


def last_row(predicted, label):
    for guess, truth in zip(predicted, label, strict=True):
        share = float(guess == truth)
    return share


def first_row(predicted, label):
    return next(float(guess == truth) for guess, truth in zip(predicted, label, strict=True))


def found_anywhere(predicted, label):
    return sum(guess in label.tolist() for guess in predicted.tolist()) / len(label)


def mean_over_classes(predicted, label):
    hits = {}
    for guess, truth in zip(predicted.tolist(), label.tolist(), strict=True):
        hits.setdefault(truth, []).append(guess == truth)
    return sum(sum(each) / len(each) for each in hits.values()) / len(hits)


def named_class(choose):
    return lambda train_label, test_label: (test_label == choose(train_label)).float().mean()


def with_sureness(change):
    """A way that is right but for what it compares with ``sure``."""

    def attempt(image_probability, text_probability, sure=0.9):
        image, text = (change(p) for p in (image_probability, text_probability))
        differ = image_probability.argmax(1) != text_probability.argmax(1)
        return ((image >= sure) & (text >= sure) & differ).nonzero().flatten()

    return attempt


def row_by_row(chosen):
    """A way in a loop that takes the rows where ``chosen(differ, image sure, text sure)``."""

    def attempt(image_probability, text_probability, sure=0.9):
        rows = []
        for row, (image, text) in enumerate(zip(image_probability, text_probability, strict=True)):
            if chosen(image.argmax() != text.argmax(), image.max() >= sure, text.max() >= sure):
                rows.append(row)
        return torch.tensor(rows, dtype=torch.long)

    return attempt


NATURAL = {
    "the last row's": ("share_right", last_row, "where the last row is right"),
    "the first row's": ("share_right", first_row, "where the first row is right"),
    "found anywhere": ("share_right", found_anywhere, "anywhere among the labels"),
    "mean over classes": ("share_right", mean_over_classes, "*balanced accuracy*"),
    "row of the largest": (
        "majority_baseline",
        named_class(lambda train: train.max(dim=0).indices),
        "the row in which the largest label stands",
    ),
    "rarest": (
        "majority_baseline",
        named_class(lambda train: train.bincount().sort(stable=True).indices[0]),
        "rarest in the training rows",
    ),
    "largest count": (
        "majority_baseline",
        lambda train, test: max(train.tolist().count(k) for k in train.tolist()) / len(test),
        "divided by the number of test rows",
    ),
    "second softmax": (
        "find_mispaired",
        with_sureness(lambda p: p.softmax(dim=1).amax(dim=1)),
        "a second `softmax`",
    ),
    "largest of all": ("find_mispaired", row_by_row(lambda *_: False), "You find no row"),
    "or, of all three": ("find_mispaired", row_by_row(lambda d, i, t: d or i or t), "any one"),
    "or, at the end": ("find_mispaired", row_by_row(lambda d, i, t: (i and d) or t), "*or*, `|`"),
    "or, in brackets": ("find_mispaired", row_by_row(lambda d, i, t: d or (i and t)), "*or*"),
    "or, without sections": ("find_mispaired", row_by_row(lambda d, i, t: i or t), "*or*"),
}


@pytest.mark.parametrize(("name", "attempt", "reason"), NATURAL.values(), ids=NATURAL)
def test_a_natural_wrong_answer_gets_its_own_reason_on_every_seed(name, attempt, reason):
    for seed in SEEDS:
        verdict = judge(exercises.find(name), attempt, seed)
        assert verdict.kind == WRONG
        assert reason in verdict.sentence, (seed, verdict.sentence)


# Of each the message is that of another one, which gives other answers now.
UNLIKE = {
    "class 0": (named_class(lambda train: 0), "rarest"),
    "a class that is not there": (named_class(lambda train: 99), "rarest"),
    "the row of the largest": (named_class(lambda train: train.argmax()), "rarest"),
    "the smallest class": (named_class(lambda train: train.min()), "rarest"),
}


@pytest.mark.parametrize(("attempt", "reason"), UNLIKE.values(), ids=UNLIKE)
def test_majority_does_not_take_other_classes_for_the_rarest(attempt, reason):
    for seed in SEEDS:
        verdict = judge(exercises.find("majority_baseline"), attempt, seed)
        assert verdict.kind == WRONG
        assert reason not in verdict.sentence, (seed, verdict.sentence)


# --- the claim to break ----------------------------------------------------------------------

share = st.floats(0, 1)
EVEN = st.fixed_dictionaries(
    {},
    optional={
        "text_noise": share,
        "typos": share,
        "without_motif": share,
        "without_word": share,
        "words_per_headline": st.integers(1, 3),
        "mismatch": share,
        "mark": share,
        "label_noise": share,
    },
)


@settings(max_examples=40, deadline=None)
@given(EVEN)
def test_while_all_sections_are_as_common_no_dial_lets_one_sense_tell(dials):
    problem = one_sense_tells(dials, seed=0)
    assert isinstance(problem, str)
    assert problem.startswith("The claim still holds")


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=12), st.none() | share | st.text(max_size=3), max_size=3))
def test_dials_that_cannot_be_turned_end_in_a_sentence(dials):
    verdict = judge(exercises.find("telltale_headlines"), lambda: dict(dials), 0)
    assert verdict.kind == WRONG
    assert verdict.sentence.endswith((".", "?"))


def test_the_exact_ceiling_of_a_telltale_headline_is_met_on_drawn_cards():
    dials = exercises.find("telltale_headlines").right_dials
    rows = news_cards.rows_for(
        news_cards.make(20_000, 1, image_noise=0, clutter=0, **dials), "match"
    )
    named = news_cards.posteriors(rows, "match", image_noise=0, clutter=0, **dials)["text"].argmax(
        1
    )
    best = news_cards.ceiling("match", **dials)
    assert abs((named == rows["label"]).mean() - best["text"]) < 0.015  # four standard errors
    assert best["text"] > best["chance"] + 0.1


def test_other_sections_may_be_the_frequent_ones():
    for balance in ((1, 2, 1, 2, 1), (0.5, 0.5, 0.5, 1, 1)):
        attempt = {"class_balance": balance, "words_per_headline": 3, "without_word": 0}
        assert judge(exercises.find("telltale_headlines"), lambda a=attempt: a, 0).kind == RIGHT


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), EVEN)
def test_no_dials_break_the_claim_outside_of_what_it_speaks_of(balance, dials):
    balance = [1, *balance[1:]]
    broken = one_sense_tells({"class_balance": balance} | dials, seed=0)
    assert not isinstance(broken, Broken) or max(balance) <= 2 * min(balance) * (1 + 1e-8)


def test_the_sports_papers_dials_are_no_answer():
    verdict = judge(
        exercises.find("telltale_headlines"), lambda: {"class_balance": (8, 1, 1, 1, 1)}, 0
    )
    assert "no section occurs more than 2 times as often" in verdict.sentence


# --- what the pages say ----------------------------------------------------------------------


def test_the_self_tests_answers_are_those_that_a_computer_gets():
    values = torch.tensor([1.0, 1.0, 4.0, 6.0])
    worked_out = [
        (4.12 - 4.00) / (2.03 - 2.00),
        torch.tensor([1.0] * 5 + [7.0]).mean(),
        values.var(correction=0),
        (0.8 * 0.2 / 100) ** 0.5,
        45 / 50,
    ]
    questions = load(quiz_file("00_know"))
    for question, expected in zip(questions, worked_out, strict=False):
        right = next(option.text for option in question.options if option.right)
        number = float(re.search(r"\d+(\.\d+)?", right)[0])
        assert number == pytest.approx(float(expected), rel=1e-6), question.text


@pytest.mark.parametrize("world", [news_cards, dial, shop], ids=lambda world: world.__name__)
def test_every_dial_is_listed_with_its_default_and_what_it_does(world):
    listed = " ".join(list_dials(world.Dials).split())
    for field in dataclasses.fields(world.Dials):
        told = re.search(rf"(?:^| ){field.name}={re.escape(str(field.default))}: (\w+ \w+)", listed)
        assert told, field.name


def test_the_order_that_is_recommended_is_the_courses_own():
    (lesson,) = (course_root() / "solutions").glob("00_*.py")
    text = " ".join(lesson.read_text("utf-8").replace("\n# ", " ").split())
    named = re.search(r"Read ((?:\d\d, )+\d\d)", text)[1]
    assert tuple(named.split(", ")) == tuple(n for n in reading_order() if n <= "08")
