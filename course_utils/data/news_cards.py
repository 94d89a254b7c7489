"""News cards: a generated world of thumbnails with headlines, and the best that can be done in it.

Two tasks. ``section``: to which of five sections does the card belong? Picture and headline each
tell it sometimes, together nearly always. ``match``: was the headline written for this picture's
section, or for another one? Neither of them alone knows anything about that.

Because every card comes from a process that we wrote, the best accuracy that any model could
reach is known exactly: see ``ceiling``.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from course_utils.data.news_headlines import (
    COLOURS,
    COUNTS,
    MOST_DISTRACTORS,
    MOST_SECTION_WORDS,
    SECTION_WORDS,
    SIZES,
    misspell,
    pick,
    write_headline,
)
from course_utils.data.news_pictures import SIZE, add_mark, draw_picture, draw_things
from course_utils.data.read_dials import read_dials
from course_utils.data.rows import SPLITS, Rows, take

SECTIONS = ("sport", "business", "science", "weather", "travel")
TASKS = {"section": SECTIONS, "match": ("does not fit", "fits")}  # and what their labels mean
MODALITIES = {"image": "image", "text": "headline"}
SHARES = (0.6, 0.15, 0.25)  # of the splits
ATTRIBUTES = {"count": COUNTS, "size": SIZES, "colour": COLOURS}  # as a headline names them
MARKED = 0  # the section whose pictures carry the planted mark, if any do

Columns = dict[str, Any]
Chances = dict[Any, float]


@dataclass(frozen=True)
class Dials:
    """What can be turned in the world of news cards. Rates are shares in [0, 1].

    image_noise: standard deviation of the pixels' noise, as a share of white.
    clutter: number of meaningless shapes in a picture, 0 to 7.
    text_noise: chance of each of two distractors, words of a section other than the headline's.
        They can inform, too: a distractor names a section that the headline is not about.
    without_motif: share of pictures that do not show their section's motif.
    without_word: share of headlines without a word of their section.
    words_per_headline: section words in the headlines that have any, 1 to 3.
    typos: share of words with two letters swapped.
    class_balance: how often each section occurs, in proportion; need not sum to 1.
    mismatch: share of rows whose headline was written for another section.
    label_noise: share of rows whose ``section`` is replaced by another one.
    mark: share of sport pictures with a small planted mark in a corner.
    attributes: whether pictures show one to three motifs of one plain colour and one of two sizes,
        and headlines begin by saying so: "three tiny red ...". Without a motif there is nothing to
        say. Count, size and colour are thrown evenly and tell nothing about section or match.
    attribute_words: chance that a headline names each of the three, where ``attributes`` are on.
    """

    image_noise: float = 0.12
    clutter: int = 4
    text_noise: float = 0.07
    without_motif: float = 0.2
    without_word: float = 0.2
    words_per_headline: int = 1
    typos: float = 0.01
    class_balance: tuple[float, ...] = (1, 1, 1, 1, 1)
    mismatch: float = 0.5
    label_noise: float = 0.0
    mark: float = 0.0
    attributes: bool = False
    attribute_words: float = 1.0

    def __post_init__(self) -> None:
        for name in ("text_noise", "without_motif", "without_word", "typos", "mismatch",
                     "label_noise", "mark", "attribute_words"):  # fmt: skip
            share = getattr(self, name)
            if not isinstance(share, Real) or not 0 <= share <= 1:
                raise ValueError(f"{name} is a share: give a number from 0 to 1, not {share!r}")
        if not isinstance(self.attributes, bool):
            raise ValueError(f"attributes is True or False, not {self.attributes!r}")
        noise = self.image_noise
        if not isinstance(noise, Real) or not 0 <= noise < float("inf"):
            raise ValueError(f"image_noise is a number from 0 up, not {noise!r}")
        for name, low, high in (("clutter", 0, 7), ("words_per_headline", 1, MOST_SECTION_WORDS)):
            count = getattr(self, name)
            if not isinstance(count, Integral) or not low <= count <= high:
                raise ValueError(f"{name} is a whole number from {low} to {high}, not {count!r}")
        try:
            balance = np.asarray(self.class_balance, dtype=float)
        except (TypeError, ValueError):
            balance = np.empty(0)
        good = balance.shape == (len(SECTIONS),) and np.isfinite(balance).all()
        if not good or (balance < 0).any() or balance.sum() <= 0:
            raise ValueError(f"class_balance needs {len(SECTIONS)} numbers, none negative and "
                             f"not all zero; it is {self.class_balance!r}")  # fmt: skip

    @property
    def priors(self) -> np.ndarray:
        """Share of each section, (5,), sum 1."""
        balance = np.asarray(self.class_balance, dtype=float)
        return balance / balance.sum()


# --- making cards ---------------------------------------------------------------------------


def make(n: int, seed: int = 0, **dials: Any) -> Rows:
    """Make n news cards; the same n, seed and dials always give the same cards.

    Card i does not depend on n, so ``make(100)`` is the beginning of ``make(1000)``.

    Returns Rows: ``image`` (n, 48, 48, 3) uint8; ``headline`` list of n strings;
    ``section`` (n,) int64, the picture's section, index into SECTIONS; ``match`` (n,) int64, 1
    where the headline was written for that section; ``split`` (n,) of "train", "validation",
    "test". And the truth that a model does not see: ``true_section`` (before label noise),
    ``headline_section``, ``motif_box`` (n, 4) left, top, right, bottom in pixels, -1 without a
    motif; ``marked`` (n,) bool; ``section_word`` list of n strings, "" without;
    ``word_counts`` (n, 5), nouns of each section in the headline. With ``attributes`` on also
    ``count``, ``size`` and ``colour`` (n,) int64, indices into COUNTS, SIZES and COLOURS, -1
    without a motif; ``motif_box`` is then the box around all motifs.

    Raises ValueError for dials out of range or unknown.
    """
    dial = read_dials(Dials, dials, "news_cards")
    if n < 0:
        raise ValueError(f"n is the number of cards and cannot be {n}")
    throw = throw_labels(n, seed, dial)
    pictures = draw_pictures(seed, dial, throw)
    headlines = write_headlines(seed, dial, throw["headline_section"], throw["with_word"])
    name_attributes(seed, dial, throw, headlines)
    del throw["motif"], throw["with_word"]
    return Rows({**pictures, **headlines, **throw}, SECTIONS, modalities=MODALITIES)


def make_headlines(n: int, seed: int = 0, **dials: Any) -> Rows:
    """The cards of ``make`` without their pictures, in a small part of the time.

    The same columns with the same values, but for ``image`` and ``motif_box``, which are missing.
    For what learns from texts alone.

    Raises ValueError for dials out of range or unknown.
    """
    dial = read_dials(Dials, dials, "news_cards")
    if n < 0:
        raise ValueError(f"n is the number of cards and cannot be {n}")
    throw = throw_labels(n, seed, dial)
    headlines = write_headlines(seed, dial, throw["headline_section"], throw["with_word"])
    name_attributes(seed, dial, throw, headlines)
    del throw["motif"], throw["with_word"]
    return Rows({**headlines, **throw}, SECTIONS, modalities={"text": "headline"})


def dice_for(seed: int, purpose: int, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform numbers; each purpose has a stream of its own, so no dial shifts another's."""
    return np.random.default_rng([seed, purpose]).random(shape)


def throw_labels(n: int, seed: int, dial: Dials) -> Columns:
    """Sections, matches and what each card goes without, (n,) each."""
    dice = dice_for(seed, 0, (n, 9)).T
    section = np.searchsorted(np.cumsum(dial.priors), dice[0], side="right").clip(0, 4)
    match = dice[1] >= dial.mismatch
    other = (section + 1 + (4 * dice[2]).astype(int)) % 5
    label = np.where(dice[3] < dial.label_noise, (section + 1 + (4 * dice[4]).astype(int)) % 5,
                     section)  # fmt: skip
    split = np.searchsorted(np.cumsum(SHARES)[:-1], dice[5], side="right")
    motif = dice[6] >= dial.without_motif
    attributes = throw_attributes(seed, motif) if dial.attributes else {}
    return {
        "section": label,
        "match": match.astype(np.int64),
        "split": np.array(SPLITS)[split],
        "true_section": section,
        "headline_section": np.where(match, section, other),
        "motif": motif,
        "with_word": dice[7] >= dial.without_word,
        "marked": (dice[8] < dial.mark) & (section == MARKED),
        **attributes,
    }


def throw_attributes(seed: int, motif: np.ndarray) -> Columns:
    """Index of the ``count``, ``size`` and ``colour`` of each card's motifs, -1 without, (n,)."""
    dice = dice_for(seed, 4, (len(motif), len(ATTRIBUTES))).T
    return {
        name: np.where(motif, (len(words) * thrown).astype(np.int64), -1)
        for thrown, (name, words) in zip(dice, ATTRIBUTES.items(), strict=True)
    }


def draw_pictures(seed: int, dial: Dials, throw: Columns) -> Columns:
    """The ``image`` and ``motif_box`` of each card."""
    n = len(throw["true_section"])
    images = np.empty((n, SIZE, SIZE, 3), dtype=np.uint8)
    boxes = np.full((n, 4), -1, dtype=np.int64)
    placing = dice_for(seed, 5, (n, 11)) if dial.attributes else None
    for row, dice in enumerate(dice_for(seed, 1, (n, 70)).tolist()):
        shown = int(throw["true_section"][row]) if throw["motif"][row] else None
        if placing is None:
            picture, box = draw_picture(iter(dice), shown, dial.clutter)
        else:
            things = (throw["colour"][row], throw["count"][row] + 1, throw["size"][row])
            where = iter(placing[row].tolist())
            picture, box = draw_things(iter(dice), where, shown, things, dial.clutter)
        if throw["marked"][row]:
            add_mark(picture)
        images[row] = np.asarray(picture)
        if box:
            boxes[row] = box
    return {"image": add_noise(images, dial.image_noise, seed), "motif_box": boxes}


def add_noise(images: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Images (n, H, W, 3) uint8 with normal noise on every value, cut off at black and white."""
    if noise == 0 or not len(images):
        return images
    grain = np.random.default_rng([seed, 2]).standard_normal(images.shape, dtype=np.float32)
    grain *= 255 * noise
    grain += images
    return np.clip(grain, 0, 255, out=grain).astype(np.uint8)


def write_headlines(seed: int, dial: Dials, sections: np.ndarray, with_word: np.ndarray) -> Columns:
    """The ``headline``, ``section_word`` and ``word_counts`` of each card."""
    headlines, section_words = [], []
    counts = np.zeros((len(sections), len(SECTIONS)), dtype=np.int64)
    for row, numbers in enumerate(dice_for(seed, 3, (len(sections), 90)).tolist()):
        dice = iter(numbers)
        own = choose_section_words(dice, int(sections[row]), dial.words_per_headline)
        own = own if with_word[row] else []
        others = choose_distractors(dice, int(sections[row]), dial.text_noise)
        counts[row, sections[row]] = len(own)
        for section, _ in others:
            counts[row, section] += 1
        nouns = own + [word for _, word in others]
        headlines.append(write_headline(dice, nouns, dial.words_per_headline, dial.typos))
        section_words.append(own[0] if own else "")
    return {"headline": headlines, "section_word": section_words, "word_counts": counts}


def name_attributes(seed: int, dial: Dials, throw: Columns, headlines: Columns) -> None:
    """Begin headlines with words for count, size and colour, in place, where they are on."""
    if not dial.attributes:
        return
    n, kinds = len(throw["motif"]), len(ATTRIBUTES)
    for row, numbers in enumerate(dice_for(seed, 6, (n, 3 * kinds)).tolist()):
        said, wrong = numbers[:kinds], iter(numbers[kinds:])
        words = [
            words[throw[name][row]]
            for chance, (name, words) in zip(said, ATTRIBUTES.items(), strict=True)
            if throw["motif"][row] and chance < dial.attribute_words
        ]
        words = [misspell(w, wrong) if next(wrong) < dial.typos else w for w in words]
        headlines["headline"][row] = " ".join([*words, headlines["headline"][row]])


def choose_section_words(dice: Iterator[float], section: int, count: int) -> list[str]:
    """Different words of one section."""
    left = list(SECTION_WORDS[section])
    return [left.pop(int(len(left) * next(dice))) for _ in range(count)]


def choose_distractors(dice: Iterator[float], section: int, chance: float) -> list[tuple[int, str]]:
    """Up to two different (section, word) of other sections.

    Were a word to stand twice, it would give itself away as a distractor, and a reader of words
    could pass the ceiling, which is that of a reader of counts.
    """
    chosen: list[tuple[int, str]] = []
    for _ in range(MOST_DISTRACTORS):
        thrown, other = next(dice), (section + 1 + int(4 * next(dice))) % 5
        word = pick([w for w in SECTION_WORDS[other] if (other, w) not in chosen], dice)
        if thrown < chance:
            chosen.append((other, word))
    return chosen


def rows_for(rows: Rows, task: str, split: str | None = None) -> Rows:
    """The rows of one task: those that fit for ``section``, all for ``match``; of one split.

    Their column ``label`` is that of the task, and ``classes`` says what its numbers mean: the
    sections as these rows number them, which a folder may do in an order of its own.
    """
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; there are {' and '.join(TASKS)}")
    keep = np.ones(len(rows["headline"]), dtype=bool)
    if task == "section":
        keep &= np.asarray(rows["match"]) == 1
    if split is not None:
        keep &= np.asarray(rows["split"]) == split
    kept = take(rows, keep)
    own = task == "section" and kept.classes not in ((), TASKS["match"])
    classes = kept.classes if own else TASKS[task]
    chosen = kept | {"label": kept[task]}
    chosen.classes = classes
    return chosen


# --- the best that can be done ----------------------------------------------------------------


def picture_chances(dial: Dials, section: int) -> Chances:
    """P(what a picture tells | its section): the motif's section, the mark, or nothing."""
    mark = dial.mark if section == MARKED else 0.0
    return {
        ("motif", section): 1 - dial.without_motif,
        ("mark", MARKED): dial.without_motif * mark,
        ("nothing", None): dial.without_motif * (1 - mark),
    }


def headline_chances(dial: Dials, section: int) -> Chances:
    """P(nouns of each section in a headline | the section that it was written for)."""
    chances: Counter = Counter()
    others = [other for other in range(len(SECTIONS)) if other != section]
    outcomes = [(None, 1 - dial.text_noise)] + [(other, dial.text_noise / 4) for other in others]
    presence = ((0, dial.without_word), (dial.words_per_headline, 1 - dial.without_word))
    for own, chance in presence:
        for distractors in itertools.product(outcomes, repeat=MOST_DISTRACTORS):
            counts = [0] * len(SECTIONS)
            counts[section] = own
            together = chance
            for other, share in distractors:
                together *= share
                if other is not None:
                    counts[other] += 1
            chances[tuple(counts)] += together
    return chances


def mix(chances: list[Chances]) -> Chances:
    """The mean of several distributions."""
    total: Counter = Counter()
    for one in chances:
        for outcome, chance in one.items():
            total[outcome] += chance / len(chances)
    return total


def joint_chances(task: str, dial: Dials) -> dict[tuple[Any, Any], np.ndarray]:
    """P(label, what the picture tells, what the headline tells): {(picture, text): (labels,)}."""
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; there are {' and '.join(TASKS)}")
    labels = len(SECTIONS) if task == "section" else 2
    written = [headline_chances(dial, section) for section in range(len(SECTIONS))]
    joint: dict = {}
    for section, prior in enumerate(dial.priors):
        if task == "section":
            given = label_shares(section, dial.label_noise)
            parts = [(written[section], prior * given)]
        else:
            other = mix([chance for s, chance in enumerate(written) if s != section])
            parts = [
                (written[section], prior * np.array([0, 1 - dial.mismatch])),
                (other, prior * np.array([dial.mismatch, 0])),
            ]
        for texts, weight in parts:
            for picture, p in picture_chances(dial, section).items():
                for text, q in texts.items():
                    cell = joint.setdefault((picture, text), np.zeros(labels))
                    cell += p * q * weight
    return joint


def label_shares(section: int, noise: float) -> np.ndarray:
    """P(label | true section), (5,)."""
    shares = np.full(len(SECTIONS), noise / (len(SECTIONS) - 1))
    shares[section] = 1 - noise
    return shares


def seen_by(picture: Any, text: Any) -> dict[str, Any]:
    """What each kind of reader has to go by."""
    return {"image": picture, "text": text, "both": (picture, text)}


def best_guesses(task: str, dial: Dials) -> dict[str, dict[Any, np.ndarray]]:
    """For each reader, P(label, what it sees), by what it sees."""
    tables: dict = {"image": {}, "text": {}, "both": {}}
    for (picture, text), chances in joint_chances(task, dial).items():
        for reader, seen in seen_by(picture, text).items():
            tables[reader][seen] = tables[reader].get(seen, 0) + chances
    return tables


def ceiling(task: str = "section", **dials: Any) -> dict[str, float]:
    """The best accuracy that any model could reach from the picture, the text, and both.

    Computed exactly from the generating process, by adding up the chance of the likeliest label
    over all that can be seen (Bayes' rule). It assumes a reader who recognises every motif that
    is there and reads through typos, so noise in pixels can keep a model below it, never lift
    one above it. ``chance`` is what always naming the commonest label gives.

    Raises ValueError for an unknown task or dial.
    """
    tables = best_guesses(task, read_dials(Dials, dials, "news_cards"))
    best = {reader: float(sum(t.max() for t in table.values())) for reader, table in tables.items()}
    return {"chance": float(sum(tables["both"].values()).max()), **best}


def posteriors(rows: Rows, task: str = "section", **dials: Any) -> dict[str, np.ndarray]:
    """P(label | what is seen) of each row, for the picture, the text, and both: (n, C) each.

    It looks at the rows' ground truth in place of pixels and letters, and needs the dials that
    the rows were made with.

    Raises ValueError for an unknown task or dial.
    """
    tables = best_guesses(task, read_dials(Dials, dials, "news_cards"))
    chances: dict = {reader: [] for reader in tables}
    for row in range(len(rows["headline"])):
        picture = ("nothing", None)
        if rows["motif_box"][row][0] >= 0:
            picture = ("motif", int(rows["true_section"][row]))
        elif rows["marked"][row]:
            picture = ("mark", MARKED)
        for reader, seen in seen_by(picture, tuple(map(int, rows["word_counts"][row]))).items():
            chances[reader].append(tables[reader][seen] / tables[reader][seen].sum())
    labels = 2 if task == "match" else len(SECTIONS)
    return {
        reader: np.array(each, dtype=float).reshape(-1, labels) for reader, each in chances.items()
    }


def oracle(rows: Rows, task: str = "section", **dials: Any) -> dict[str, np.ndarray]:
    """What the best reader of the picture, the text, and both would answer, (n,) each.

    The likeliest label by ``posteriors``, the smaller number of two that are equally likely.
    """
    likely = posteriors(rows, task, **dials)
    # Ties are rounded alike, or the last bit of a division would decide them.
    return {reader: chances.round(9).argmax(axis=1) for reader, chances in likely.items()}
