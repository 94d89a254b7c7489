"""Questions about news cards with their answers, both as text, and the best that can be done.

Seven kinds. Four name what a picture shows: its colour, how many things, which thing, all of it in
a short *caption*. "Is there a ...?" and "does the headline fit?" are answered by yes or no: they
compare a word, or a headline, with the picture. The last asks what a headline is about.

Only the two kinds about headlines quote the headline. Cards come from ``news_cards`` with things of
a plain colour, in ones to threes; where a picture shows none, naming answers "nothing".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.data import news_cards
from course_utils.data.news_cards import SECTIONS, Dials, headline_chances, picture_chances
from course_utils.data.news_headlines import COLOURS, COUNTS, SIZES
from course_utils.data.read_dials import is_number, is_whole, read_dials
from course_utils.data.rows import Rows

NAMING = ("colour", "count", "thing", "caption")
YES_OR_NO = ("is there", "fits")
KINDS = (*NAMING, *YES_OR_NO, "headline")
THINGS = ("ball", "chart", "atom", "cloud", "mountain")  # in the order of SECTIONS
NOTHING = "nothing"
ASKED = {
    "colour": "what colour do you see?",
    "count": "how many are there?",
    "thing": "what is shown?",
    "caption": "describe the picture",
    "is there": "is there {}?",
    "fits": "does the headline fit: {}",
    "headline": "what is the headline about: {}",
}

Mixture = Mapping[str, float] | Sequence[str]


# --- questions and answers ------------------------------------------------------------------------


def ask(
    rows: Mapping[str, Any],
    n: int,
    seed: int = 0,
    kinds: Mixture = KINDS,
    yes: float = 0.5,
    cards: np.ndarray | None = None,
) -> Rows:
    """n questions about cards, with their answers.

    rows: cards of ``news_cards.make``, with colours. kinds: which kinds are asked, all alike, or
    {kind: its share}, in proportion. yes: the share of "is there" questions whose answer is yes.
    cards: the row that each question is about, (n,); by default drawn at random.

    Returns Rows: ``card`` (n,) int64, the row; ``kind`` (n,) int64, index into KINDS; ``question``
    and ``answer``, lists of n strings; ``there`` (n,) bool, whether the answer is yes.

    Raises ValueError for an unknown kind, shares that are none, a ``yes`` that cannot be had since
    too many cards show nothing, and a number of questions that is none.
    """
    if not is_whole(n) or n < 0:
        raise ValueError(f"n is the number of questions, a whole number from 0 up, not {n!r}")
    if n and not len(rows["headline"]):
        raise ValueError("there are no cards to ask about")
    dice = np.random.default_rng([seed, 18]).random((n, 4)).T
    if cards is None:
        cards = (len(rows["headline"]) * dice[0]).astype(np.int64)
    shown = np.asarray(rows["motif_box"])[:, 0] >= 0
    if n and not 0 <= yes <= shown.mean():
        raise ValueError(f"yes is a share from 0 to {shown.mean():.2f}, that of the cards which "
                         f"show a thing, not {yes!r}")  # fmt: skip
    shares = np.cumsum(shares_of(kinds))
    kind = np.searchsorted(shares[:-1], dice[1], side="right")
    # A picture of nothing can only be asked for what is not there.
    asks_own = dice[2] < yes / max(shown.mean(), 1e-9) if n else np.zeros(0, dtype=bool)
    told = [
        write(rows, int(card), KINDS[number], bool(own), float(other))
        for card, number, own, other in zip(cards, kind, asks_own, dice[3], strict=True)
    ]
    answers = [answer for _, answer in told]
    return Rows({
        "card": np.asarray(cards, dtype=np.int64),
        "kind": kind.astype(np.int64),
        "question": [question for question, _ in told],
        "answer": answers,
        "there": np.array([answer == "yes" for answer in answers], dtype=bool),
    })  # fmt: skip


def shares_of(kinds: Mixture) -> np.ndarray:
    """The share of each of KINDS in a mixture, (7,), sum 1.

    Raises ValueError for an unknown kind and for shares that do not add up to something.
    """
    shares = dict(kinds) if isinstance(kinds, Mapping) else dict.fromkeys(kinds, 1.0)
    if wrong := [name for name in shares if name not in KINDS]:
        raise ValueError(f"there is no kind of question {wrong[0]!r}; there are {', '.join(KINDS)}")
    if any(not is_number(share) or share < 0 for share in shares.values()) or not any(
        shares.values()
    ):
        raise ValueError(f"kinds needs shares from 0 up, one of them more than 0, not {shares!r}")
    every = np.array([float(shares.get(name, 0)) for name in KINDS])
    return every / every.sum()


def write(
    rows: Mapping[str, Any], card: int, kind: str, own: bool, other: float
) -> tuple[str, str]:
    """One question and its answer.

    own: whether "is there" asks for the thing that is shown, if any is; other: a throw in [0, 1)
    that chooses a thing that is not.
    """
    section, shown = int(rows["true_section"][card]), rows["motif_box"][card][0] >= 0
    if kind == "is there":
        there = bool(own and shown)
        asked = section if there else another(section if shown else None, other)
        return ASKED[kind].format(with_article(THINGS[asked])), "yes" if there else "no"
    if kind in ("fits", "headline"):
        question = ASKED[kind].format(rows["headline"][card])
        if kind == "fits":
            return question, "yes" if rows["match"][card] else "no"
        return question, SECTIONS[int(rows["headline_section"][card])]
    if not shown:
        return ASKED[kind], NOTHING
    colour, count = COLOURS[int(rows["colour"][card])], COUNTS[int(rows["count"][card])]
    named = {"colour": colour, "count": count, "thing": THINGS[section]}
    named["caption"] = " ".join(
        [count, SIZES[int(rows["size"][card])], colour, plural(THINGS[section], count)]
    )
    return ASKED[kind], named[kind]


def another(section: int | None, throw: float) -> int:
    """A section other than the given one, any of all five without one."""
    if section is None:
        return int(5 * throw)
    return (section + 1 + int(4 * throw)) % 5


def with_article(thing: str) -> str:
    """ "a ball", "an atom"."""
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def plural(thing: str, count: str) -> str:
    """The thing in its form after a number word."""
    return thing if count == COUNTS[0] else f"{thing}s"


def texts_of(rows: Mapping[str, Any], times: int = 10) -> list[str]:
    """Whatever may be asked or answered about cards, for a vocabulary.

    Every headline once, and every word that is not quoted from one so many ``times``, so that a
    vocabulary of words that occur often has it.
    """
    things = [*THINGS, *(f"{thing}s" for thing in THINGS)]
    answers = [*things, *COLOURS, *COUNTS, *SIZES, *SECTIONS, NOTHING, "yes", "no", "a", "an"]
    asked = [text.format("") for text in ASKED.values()]
    return [*rows["headline"], *times * [*answers, *asked]]


# --- the best that can be done --------------------------------------------------------------------


def ceiling(kind: str, yes: float = 0.5, **dials: Any) -> dict[str, float]:
    """The best share of right answers to one kind of question: {"blind": ..., "both": ...}.

    blind: from the question alone, quoted headline included; both: with the picture. Computed
    exactly, for a reader who recognises everything that is shown and reads through typos. dials:
    those that the cards were made with.

    Raises ValueError for an unknown kind or dial.
    """
    shares_of([kind])
    dial = read_dials(Dials, dials, "news_cards")
    if kind in NAMING:
        return {"blind": commonest(kind, dial), "both": 1.0}
    if kind == "is there":
        return {"blind": max(yes, 1 - yes), "both": 1.0}
    if kind == "fits":
        best = news_cards.ceiling("match", **dials)
        return {"blind": best["text"], "both": best["both"]}
    return ceiling_of_headlines(dial)


def commonest(kind: str, dial: Dials) -> float:
    """The share of the commonest answer among cards of five, three and two kinds alike."""
    nothing, priors = dial.without_motif, (1 - dial.without_motif) * dial.priors
    named = {
        "colour": (1 - nothing) / len(COLOURS),
        "count": (1 - nothing) / len(COUNTS),
        "thing": priors.max(),
        "caption": priors.max() / (len(COLOURS) * len(COUNTS) * len(SIZES)),
    }
    return float(max(nothing, named[kind]))


def ceiling_of_headlines(dial: Dials) -> dict[str, float]:
    """What a headline is about: told by the headline, and by a picture that it may fit."""
    written = [headline_chances(dial, section) for section in range(len(SECTIONS))]
    tables: dict[str, dict] = {"blind": {}, "both": {}}
    for section, prior in enumerate(dial.priors):
        about = np.full(len(SECTIONS), dial.mismatch / (len(SECTIONS) - 1))
        about[section] = 1 - dial.mismatch
        for picture, p in picture_chances(dial, section).items():
            for topic, q in enumerate(about):
                for text, r in written[topic].items():
                    for reader, seen in (("blind", text), ("both", (picture, text))):
                        cell = tables[reader].setdefault(seen, np.zeros(len(SECTIONS)))
                        cell[topic] += prior * p * q * r
    return {
        reader: float(sum(cell.max() for cell in table.values()))
        for reader, table in tables.items()
    }
