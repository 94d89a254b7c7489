"""Questions about cards: what is asked, what is answered, and that the ceilings are ceilings."""

import numpy as np
import pytest

from course_utils.data import news_cards, questions
from course_utils.data.questions import KINDS, NAMING, ask, ceiling
from course_utils.data.rows import take
from course_utils.data.text import tokenize

WORLD = {"attributes": True, "attribute_words": 0.0}


@pytest.fixture(scope="module")
def cards():
    return news_cards.make(600, 3, **WORLD)


def of_kind(rows, kind):
    return np.flatnonzero(np.asarray(rows["kind"]) == KINDS.index(kind))


def test_naming_says_what_the_generator_drew(cards):
    asked = ask(cards, 2000, 1, NAMING)
    for card, kind, answer in zip(asked["card"], asked["kind"], asked["answer"], strict=True):
        if cards["motif_box"][card][0] < 0:
            assert answer == "nothing"
            continue
        count, size, colour = (
            words[cards[name][card]] for name, words in news_cards.ATTRIBUTES.items()
        )
        thing = questions.THINGS[cards["true_section"][card]]
        things = thing if count == "one" else f"{thing}s"
        told = {"colour": colour, "count": count, "thing": thing}
        told["caption"] = f"{count} {size} {colour} {things}"
        assert answer == told[KINDS[kind]]


def test_is_there_tells_the_truth_and_yes_comes_as_often_as_asked(cards):
    for yes in (0.0, 0.3, 0.5, 0.7):
        asked = ask(cards, 4000, 2, ["is there"], yes)
        assert np.mean(asked["there"]) == pytest.approx(yes, abs=0.025)
        for card, question, answer in zip(
            asked["card"], asked["question"], asked["answer"], strict=True
        ):
            thing = questions.THINGS[cards["true_section"][card]]
            shown = cards["motif_box"][card][0] >= 0
            assert (answer == "yes") == (shown and tokenize(question)[-1] == thing)


def test_each_thing_is_asked_for_as_often_where_it_is_and_where_it_is_not(cards):
    asked = ask(cards, 6000, 3, ["is there"])
    things = np.array([tokenize(question)[-1] for question in asked["question"]])
    for thing in questions.THINGS:
        assert np.mean(asked["there"][things == thing]) == pytest.approx(0.5, abs=0.08)


def test_headline_questions_quote_the_headline_and_know_its_truth(cards):
    asked = ask(cards, 400, 4, ["fits", "headline"])
    for row, card in enumerate(asked["card"]):
        assert asked["question"][row].endswith(cards["headline"][card])
    fits, about = of_kind(asked, "fits"), of_kind(asked, "headline")
    assert [asked["answer"][row] == "yes" for row in fits] == [
        cards["match"][asked["card"][row]] == 1 for row in fits
    ]
    assert [asked["answer"][row] for row in about] == [
        news_cards.SECTIONS[cards["headline_section"][asked["card"][row]]] for row in about
    ]


def test_a_mixture_has_its_shares_and_a_seed_its_questions(cards):
    asked = ask(cards, 5000, 5, {"colour": 1, "fits": 3})
    assert len(of_kind(asked, "fits")) / 5000 == pytest.approx(0.75, abs=0.02)
    assert len(of_kind(asked, "colour")) + len(of_kind(asked, "fits")) == 5000
    again, other = ask(cards, 50, 5, {"colour": 1, "fits": 3}), ask(cards, 50, 6)
    assert again["question"] == asked["question"][:50]
    assert other["question"] != again["question"]


def test_cards_may_be_named(cards):
    chosen = np.arange(40)[::-1]
    assert (ask(cards, 40, 1, cards=chosen)["card"] == chosen).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kinds": ["color"]}, "no kind of question 'color'"),
        ({"kinds": {"colour": -1}}, "shares from 0 up"),
        ({"kinds": {"colour": 0}}, "one of them more than 0"),
        ({"yes": 0.95}, "yes is a share from 0 to 0.8"),
        ({"yes": -0.1}, "yes is a share"),
        ({"n": -1}, "number of questions"),
        ({"n": 2.5}, "number of questions"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(cards, arguments, said):
    with pytest.raises(ValueError, match=said):
        ask(cards, **({"n": 10} | arguments))


def test_no_cards_no_questions(cards):
    with pytest.raises(ValueError, match="no cards"):
        ask(take(cards, np.zeros(600, dtype=bool)), 3)
    assert ask(cards, 0)["question"] == []


def test_every_word_that_is_asked_or_answered_is_in_the_texts(cards):
    known = {word for text in questions.texts_of(cards) for word in tokenize(text)}
    asked = ask(cards, 3000, 7)
    for text in [*asked["question"], *asked["answer"]]:
        assert set(tokenize(text)) <= known


def best_by_counting(asked, seen, kind):
    """The best share of right answers that knows ``seen`` of each row, on many rows."""
    rows = of_kind(asked, kind)
    table: dict = {}
    for row in rows:
        cell = table.setdefault(seen(row), {})
        cell[asked["answer"][row]] = cell.get(asked["answer"][row], 0) + 1
    return sum(max(cell.values()) for cell in table.values()) / len(rows)


def test_ceilings_are_what_counting_on_many_cards_gives():
    cards = news_cards.make_headlines(30_000, 11, **WORLD)
    shown = cards["count"] >= 0
    cards = cards | {"motif_box": np.where(shown[:, None], 0, -1).repeat(4, axis=1)}
    asked = ask(cards, 30_000, 12, KINDS, cards=np.arange(30_000))

    def picture(row):
        card = asked["card"][row]
        if not shown[card]:
            return None
        return tuple(int(cards[name][card]) for name in ("true_section", "colour", "count", "size"))

    def section(row):
        card = asked["card"][row]
        return int(cards["true_section"][card]) if shown[card] else None

    def headline(row):
        return tuple(cards["word_counts"][asked["card"][row]])

    for kind in NAMING:
        best = ceiling(kind, **WORLD)
        assert best_by_counting(asked, lambda row: None, kind) == pytest.approx(
            best["blind"], abs=0.02
        )
        assert best_by_counting(asked, picture, kind) == best["both"] == 1
    for kind in ("fits", "headline"):
        best = ceiling(kind, **WORLD)
        blind = best_by_counting(asked, headline, kind)
        both = best_by_counting(asked, lambda row: (section(row), headline(row)), kind)
        assert blind == pytest.approx(best["blind"], abs=0.025)
        assert both == pytest.approx(best["both"], abs=0.025)
    assert ceiling("is there", yes=0.3) == {"blind": 0.7, "both": 1.0}


def test_a_ceiling_needs_a_kind_and_dials_that_there_are():
    with pytest.raises(ValueError, match="no kind of question 'size'"):
        ceiling("size")
    with pytest.raises(ValueError, match="no dial 'colour'"):
        ceiling("fits", colour=1)
