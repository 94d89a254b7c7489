"""The world of news cards: what its dials promise, and that its ceiling is one."""

import hashlib
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data import news_cards, trick_cards
from course_utils.data.news_cards import MODALITIES, SECTIONS, ceiling, make, oracle, rows_for
from course_utils.data.news_headlines import (
    ADJECTIVES,
    COLOURS,
    COUNTS,
    LINKS,
    NEUTRAL_WORDS,
    SECTION_WORDS,
    SIZES,
    misspell,
)
from course_utils.data.news_pictures import (
    LARGEST,
    MOTIFS,
    PLAIN,
    SIDES,
    SIZE,
    SMALLEST,
    colours,
    draw_picture,
    place_apart,
)
from course_utils.data.rows import SPLITS, split_rows, take

SECTION_OF = {word: section for section, words in enumerate(SECTION_WORDS) for word in words}
ATTRIBUTE_WORDS = (*COUNTS, *SIZES, *COLOURS)
EVERY_WORD = {*SECTION_OF, *NEUTRAL_WORDS, *LINKS, *ADJECTIVES, *ATTRIBUTE_WORDS}


@pytest.fixture(scope="module")
def cards():
    return make(2000, seed=5)


def truth(n, seed, **dials):
    """Rows as ``make`` gives them without their pictures: all that an oracle looks at."""
    dial = news_cards.Dials(**dials)
    rows = news_cards.throw_labels(n, seed, dial)
    with_word = rows.pop("with_word")
    texts = news_cards.write_headlines(seed, dial, rows["headline_section"], with_word)
    news_cards.name_attributes(seed, dial, rows, texts)
    box = np.where(rows.pop("motif"), 0, -1)[:, None].repeat(4, axis=1)
    return rows | texts | {"motif_box": box}


def differ_in(one, other):
    return {name for name in one if not np.array_equal(one[name], other[name])}


# --- the same cards again -------------------------------------------------------------------


def test_the_same_seed_gives_the_same_cards():
    assert differ_in(make(40, seed=3), make(40, seed=3)) == set()


def test_another_seed_gives_other_cards():
    assert {"image", "headline", "section", "split"} <= differ_in(make(40, 3), make(40, 4))


def test_a_card_does_not_depend_on_how_many_are_made():
    few, many = make(30, seed=3, mark=0.5), make(100, seed=3, mark=0.5)
    assert differ_in(few, take(many, np.arange(30))) == set()


def test_headlines_without_pictures_are_those_of_the_cards():
    dials = {"words_per_headline": 2, "mismatch": 0.3, "label_noise": 0.1}
    whole, told = make(60, 4, **dials), news_cards.make_headlines(60, 4, **dials)
    assert set(whole) - set(told) == {"image", "motif_box"}
    for column, values in told.items():
        np.testing.assert_array_equal(values, whole[column], err_msg=column)
    assert set(rows_for(told, "section")["match"]) == {1}
    with pytest.raises(ValueError, match="no dial"):
        news_cards.make_headlines(3, words=2)


def test_making_cards_leaves_the_global_random_numbers_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    make(5)
    assert np.array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    ("dials", "changed"),
    [
        ({"image_noise": 0.3}, {"image"}),
        ({"clutter": 0}, {"image"}),
        ({"without_motif": 0.6}, {"image", "motif_box"}),
        ({"typos": 0.5}, {"headline"}),
        ({"text_noise": 0.5}, {"headline", "word_counts"}),
        ({"without_word": 0.6}, {"headline", "section_word", "word_counts"}),
        ({"label_noise": 0.5}, {"section"}),
        ({"mark": 1.0}, {"image", "marked"}),
        ({"mismatch": 0.0}, {"match", "headline_section", "headline", "section_word",
                             "word_counts"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_dial_changes_its_own_matter_and_nothing_else(dials, changed):
    assert differ_in(make(60, seed=1), make(60, seed=1, **dials)) == changed


# --- what a row holds -------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 7])
def test_columns_have_their_shapes_and_kinds(n):
    rows = make(n)
    seen = {k: (v.shape, v.dtype.kind) for k, v in rows.items() if isinstance(v, np.ndarray)}
    assert seen == {
        "image": ((n, SIZE, SIZE, 3), "u"),
        "section": ((n,), "i"),
        "match": ((n,), "i"),
        "split": ((n,), "U"),
        "true_section": ((n,), "i"),
        "headline_section": ((n,), "i"),
        "motif_box": ((n, 4), "i"),
        "marked": ((n,), "b"),
        "word_counts": ((n, 5), "i"),
    }
    assert rows["image"].dtype == np.uint8
    assert rows["section"].dtype == rows["match"].dtype == np.int64
    assert len(rows["headline"]) == len(rows["section_word"]) == n


def test_a_headline_that_does_not_match_is_of_another_section(cards):
    assert ((cards["headline_section"] == cards["true_section"]) == cards["match"]).all()


def test_the_other_sections_are_equally_likely_in_a_mismatch():
    rows = truth(8000, 1, mismatch=1.0)
    steps = np.bincount((rows["headline_section"] - rows["true_section"]) % 5, minlength=5) / 8000
    assert steps[0] == 0
    assert steps[1:] == pytest.approx([0.25] * 4, abs=0.02)


def test_split_shares_are_those_that_are_declared():
    split = truth(8000, 1)["split"]
    for name, share in zip(SPLITS, news_cards.SHARES, strict=True):
        assert (split == name).mean() == pytest.approx(share, abs=0.025)


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
def test_headlines_have_5_to_12_words(words, noise):
    rows = truth(2000, 2, words_per_headline=words, text_noise=noise)
    lengths = {len(headline.split()) for headline in rows["headline"]}
    assert lengths <= set(range(5, 13))
    assert len(lengths) > 2


@pytest.mark.parametrize("words", [1, 2, 3])
def test_the_nouns_of_a_headline_are_those_that_are_counted(words):
    rows = truth(1500, 3, words_per_headline=words, text_noise=0.5, typos=0.0)
    for headline, counts, word in zip(
        rows["headline"], rows["word_counts"], rows["section_word"], strict=True
    ):
        nouns = [noun for noun in headline.split() if noun in SECTION_OF]
        found = np.bincount([SECTION_OF[noun] for noun in nouns], minlength=5)
        assert (found == counts).all()
        assert word == "" or word in nouns


def test_a_headline_has_its_section_words_all_or_none():
    rows = truth(1500, 3, words_per_headline=3, text_noise=0.5)
    own = rows["word_counts"][np.arange(1500), rows["headline_section"]]
    assert set(own) == {0, 3}
    assert ((own == 0) == [word == "" for word in rows["section_word"]]).all()


def test_no_section_word_stands_twice_in_a_headline():
    # A repeated word could only be a distractor: it would tell more than the counts do.
    rows = truth(3000, 4, words_per_headline=3, text_noise=1.0, typos=0.0)
    for headline in rows["headline"]:
        nouns = [noun for noun in headline.split() if noun in SECTION_OF]
        assert len(nouns) == len(set(nouns))


def test_the_length_of_a_headline_tells_nothing_about_its_words():
    rows = truth(20000, 5)
    length = np.array([len(headline.split()) for headline in rows["headline"]])
    without = np.array([word == "" for word in rows["section_word"]])
    error = length.std() / np.sqrt(without.sum())
    assert abs(length[without].mean() - length[~without].mean()) < 4 * error


def test_every_word_stands_in_one_list_alone():
    lists = [*SECTION_WORDS, NEUTRAL_WORDS, LINKS, ADJECTIVES, ATTRIBUTE_WORDS]
    assert len(EVERY_WORD) == sum(map(len, lists))


def test_no_typo_makes_another_word():
    for word in EVERY_WORD:
        for step in np.linspace(0, 1, 50, endpoint=False):
            wrong = misspell(word, iter([step]))
            assert wrong == word or wrong not in EVERY_WORD
            assert sorted(wrong) == sorted(word)
            assert wrong[0] == word[0]


SHARES = {
    "without_motif": lambda rows: rows["motif_box"][:, 0] < 0,
    "without_word": lambda rows: np.array([word == "" for word in rows["section_word"]]),
    "mismatch": lambda rows: rows["match"] == 0,
    "label_noise": lambda rows: rows["section"] != rows["true_section"],
    "mark": lambda rows: rows["marked"][rows["true_section"] == news_cards.MARKED],
    "text_noise": lambda rows: (
        (rows["word_counts"].sum(1) - rows["word_counts"].max(1))[rows["word_counts"].max(1) == 3]
        / 2
    ),
}


@pytest.mark.parametrize("dial", SHARES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.7, 1.0])
def test_a_share_is_as_large_as_its_dial_says(dial, share):
    rows = truth(4000, 6, **({"words_per_headline": 3} | {dial: share}))
    measured = SHARES[dial](rows)
    error = np.sqrt(share * (1 - share) / len(measured))
    assert measured.mean() == pytest.approx(share, abs=4 * error + 1e-12)


def test_sections_occur_as_often_as_the_balance_says():
    rows = truth(8000, 7, class_balance=(6, 1, 0, 2, 1))
    shares = np.bincount(rows["section"], minlength=5) / 8000
    assert shares == pytest.approx([0.6, 0.1, 0, 0.2, 0.1], abs=0.02)


def test_only_sport_pictures_are_marked_and_their_corner_shows_it():
    rows = make(200, seed=8, mark=1.0, image_noise=0)
    assert (rows["marked"] == (rows["true_section"] == news_cards.MARKED)).all()
    magenta = (rows["image"][:, SIZE - 4 : SIZE - 1, 1:4] == (255, 0, 255)).all(axis=(1, 2, 3))
    assert (magenta == rows["marked"]).all()


# --- pictures ---------------------------------------------------------------------------------


def test_the_motif_lies_in_its_box_and_fills_it():
    rows = make(300, seed=9, image_noise=0, clutter=0, without_motif=0)
    for image, box in zip(rows["image"], rows["motif_box"], strict=True):
        corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
        paper = max(corners.tolist(), key=corners.tolist().count)
        y, x = np.nonzero((image != paper).any(axis=-1))
        left, top, right, bottom = box  # the last column and row belong to the box
        assert left <= x.min()
        assert x.max() <= right
        assert top <= y.min()
        assert y.max() <= bottom
        assert x.max() - x.min() >= 0.8 * (right - left)
        assert y.max() - y.min() >= 0.7 * (bottom - top)


def test_a_card_without_motif_has_no_box_and_an_empty_picture():
    rows = make(20, seed=9, image_noise=0, clutter=0, without_motif=1)
    assert (rows["motif_box"] == -1).all()
    assert (rows["image"] == rows["image"][:, :1, :1]).all()


def test_a_card_without_motif_keeps_its_background_and_clutter():
    shown, hidden = (make(40, 9, image_noise=0, without_motif=share) for share in (0, 1))
    for with_motif, without, box in zip(
        shown["image"], hidden["image"], shown["motif_box"], strict=True
    ):
        left, top, right, bottom = box
        differs = (with_motif != without).any(axis=-1)
        differs[top : bottom + 1, left : right + 1] = False
        assert not differs.any()


def test_boxes_are_squares_of_all_sizes_inside_the_picture(cards):
    box = cards["motif_box"][cards["motif_box"][:, 0] >= 0]
    width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
    assert (width == height).all()
    assert set(width) == set(range(SMALLEST, LARGEST + 1))
    assert box.min() == 0
    assert box.max() == SIZE - 1


def test_motifs_reach_all_four_corners(cards):
    box = cards["motif_box"][cards["motif_box"][:, 0] >= 0]
    for x in (box[:, 0] == 0, box[:, 2] == SIZE - 1):
        for y in (box[:, 1] <= 1, box[:, 3] >= SIZE - 2):
            assert (x & y).any()


@settings(deadline=None)
@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=7, max_size=7))
def test_ink_and_background_differ_in_brightness(dice):
    one, other = colours(iter(dice))
    assert abs(sum(one) - sum(other)) >= 150


@pytest.mark.parametrize("motif", range(len(MOTIFS)))
@pytest.mark.parametrize("side", [SMALLEST, 19, LARGEST, SIZE - 1])
def test_a_motif_can_be_placed_where_one_wants(motif, side):
    picture, box = draw_picture(iter([0.5] * 70), motif, 0, box=(0, 0, side, side))
    assert box == (0, 0, side, side)
    inked = (np.asarray(picture) != np.asarray(picture)[0, -1]).any(axis=-1)
    assert inked.any()


def test_the_motifs_of_two_sections_look_different():
    dice = [0.5] * 70
    pictures = [np.asarray(draw_picture(iter(dice), m, 0)[0]) for m in range(len(MOTIFS))]
    for one in range(len(MOTIFS)):
        for other in range(one):
            assert (pictures[one] != pictures[other]).any(axis=-1).mean() > 0.02


def test_noise_has_the_strength_that_its_dial_says():
    grey = np.full((4, SIZE, SIZE, 3), 128, np.uint8)
    noisy = news_cards.add_noise(grey, 0.1, seed=0)
    assert noisy.std() / 255 == pytest.approx(0.1, rel=0.03)
    assert (grey == 128).all()


# --- count, size and colour ---------------------------------------------------------------------


def digest(rows):
    """A hash over every column of the rows, byte for byte."""
    whole = hashlib.sha256()
    for name in sorted(rows):
        values = rows[name]
        text = isinstance(values, list) or values.dtype.kind == "U"
        whole.update(name.encode())
        whole.update("\n".join(values).encode() if text else values.tobytes())
    return whole.hexdigest()


@pytest.mark.parametrize(
    ("dials", "known"),
    [
        ({}, "feca4a741aac9070cb30544e39aa6f6a7be524f1c657fe3547398c41473c764e"),
        ({"mark": 0.5, "text_noise": 0.3, "words_per_headline": 2, "label_noise": 0.1,
          "typos": 0.2, "image_noise": 0},
         "96be3887d604ebef8d28663dc5216a6154d1797b11fb79a211fda71abe9c04d0"),
    ],
)  # fmt: skip
def test_cards_without_attributes_are_those_that_lessons_were_measured_on(dials, known):
    # Known before there were attributes. Whoever changes the cards measures every lesson anew.
    assert digest(make(200, 7, **dials)) == known
    assert digest(make(200, 7, **dials, attribute_words=0.3)) == known


def with_attributes(n, seed, **dials):
    return make(n, seed, attributes=True, typos=0, **dials)


def named(rows, row):
    """Count, size and colour as the words of a card."""
    return [words[rows[name][row]] for name, words in news_cards.ATTRIBUTES.items()]


def test_attributes_change_pictures_and_the_beginning_of_headlines_alone():
    plain, cards = make(60, 5, typos=0), with_attributes(60, 5)
    assert differ_in(plain, {name: cards[name] for name in plain}) == {
        "image", "motif_box", "headline"}  # fmt: skip
    assert set(cards) - set(plain) == {"count", "size", "colour"}
    for row, headline in enumerate(cards["headline"]):
        shown = cards["motif_box"][row][0] >= 0
        first = named(cards, row) if shown else []
        assert headline == " ".join([*first, plain["headline"][row]])
        assert shown == (cards["count"][row] >= 0) == (cards["colour"][row] >= 0)


def test_headlines_with_attributes_are_those_of_the_cards():
    dials = {"attributes": True, "attribute_words": 0.5, "typos": 0.2}
    whole, told = make(60, 4, **dials), news_cards.make_headlines(60, 4, **dials)
    assert set(whole) - set(told) == {"image", "motif_box"}
    assert differ_in(told, whole) == set()


def test_each_attribute_is_named_as_often_as_its_dial_says():
    rows = news_cards.make_headlines(4000, 1, attributes=True, attribute_words=0.3, typos=0)
    shown = rows["count"] >= 0
    for name, words in news_cards.ATTRIBUTES.items():
        said = [
            set(headline.split()[:3]) & set(words) == {words[value]}
            for headline, value in zip(rows["headline"], rows[name], strict=True)
        ]
        assert np.mean(np.array(said)[shown]) == pytest.approx(0.3, abs=0.035)
        assert not np.array(said)[~shown].any()


def test_attributes_are_thrown_evenly_and_tell_nothing_about_section_or_match():
    rows = news_cards.make_headlines(20000, 2, attributes=True)
    shown = rows["count"] >= 0
    for name, words in news_cards.ATTRIBUTES.items():
        for known in ("true_section", "headline_section", "match"):
            for group in np.unique(rows[known]):
                values = rows[name][shown & (rows[known] == group)]
                shares = np.bincount(values, minlength=len(words)) / len(values)
                assert shares == pytest.approx([1 / len(words)] * len(words), abs=0.035)


def test_as_many_motifs_are_drawn_in_the_colour_and_size_as_the_columns_say():
    rows = with_attributes(200, 6, image_noise=0, clutter=0, without_motif=0)
    for row, image in enumerate(rows["image"]):
        inked = (image == PLAIN[rows["colour"][row]]).all(axis=-1)
        quarters = inked.reshape(2, 24, 2, 24).any(axis=(1, 3))
        assert quarters.sum() == rows["count"][row] + 1
        y, x = np.nonzero(inked)
        left, top, right, bottom = rows["motif_box"][row]
        assert (left, top) <= (x.min(), y.min())
        assert x.max() <= right
        assert y.max() <= bottom
        if rows["count"][row] == 0:
            smallest, largest = SIDES[rows["size"][row]]
            assert smallest <= right - left <= largest


@pytest.mark.parametrize("size", [0, 1])
def test_motifs_side_by_side_lie_inside_the_picture_and_do_not_overlap(size):
    for dice in np.random.default_rng(0).random((200, 11)).tolist():
        boxes = place_apart(iter(dice), 3, size)
        taken = np.zeros((SIZE, SIZE), int)
        for left, top, right, bottom in boxes:
            assert min(left, top) >= 0
            assert max(right, bottom) < SIZE
            taken[top : bottom + 1, left : right + 1] += 1
        assert taken.max() == 1


def test_plain_inks_stand_out_from_every_background_and_from_each_other():
    for dice in np.random.default_rng(1).random((200, 7)):
        paper = min(colours(iter(dice)), key=sum)
        assert min(np.abs(np.subtract(ink, paper)).max() for ink in PLAIN) >= 90
    pairs = [(a, b) for a in PLAIN for b in PLAIN if a != b]
    assert min(np.linalg.norm(np.subtract(a, b)) for a, b in pairs) > 100


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dials", "sentence"),
    [
        ({"text_noise": 1.2}, "text_noise is a share: give a number from 0 to 1, not 1.2"),
        ({"mark": -0.1}, "mark is a share: give a number from 0 to 1, not -0.1"),
        ({"typos": "few"}, "typos is a share: give a number from 0 to 1, not 'few'"),
        ({"label_noise": float("nan")}, "label_noise is a share"),
        ({"image_noise": -1}, "image_noise is a number from 0 up, not -1"),
        ({"image_noise": float("nan")}, "image_noise is a number from 0 up, not nan"),
        ({"clutter": 8}, "clutter is a whole number from 0 to 7, not 8"),
        ({"clutter": 2.0}, "clutter is a whole number from 0 to 7, not 2.0"),
        ({"words_per_headline": 0}, "words_per_headline is a whole number from 1 to 3, not 0"),
        ({"class_balance": (1, 2)}, r"class_balance needs 5 numbers.*it is \(1, 2\)"),
        ({"class_balance": (0,) * 5}, "not all zero"),
        ({"class_balance": (1, 1, 1, 1, -1)}, "none negative"),
        ({"class_balance": (1, 1, 1, 1, float("nan"))}, "class_balance needs 5 numbers"),
        ({"class_balance": "even"}, "class_balance needs 5 numbers.*it is 'even'"),
        ({"attribute_words": 2}, "attribute_words is a share: give a number from 0 to 1, not 2"),
        ({"attributes": 1}, "attributes is True or False, not 1"),
        ({"noise": 0.1}, "no dial 'noise'; it has image_noise, clutter"),
    ],
)
@pytest.mark.parametrize("function", [lambda **dials: make(1, **dials), ceiling])
def test_a_bad_dial_is_answered_in_a_sentence(function, dials, sentence):
    with pytest.raises(ValueError, match=sentence):
        function(**dials)


def test_a_negative_number_of_cards_is_refused():
    with pytest.raises(ValueError, match="cannot be -1"):
        make(-1)


@pytest.mark.parametrize("function", [ceiling, lambda task: rows_for(make(2), task)])
def test_a_task_that_does_not_exist_is_answered_with_those_that_do(function):
    with pytest.raises(ValueError, match="no task 'mood'; there are section and match"):
        function("mood")


# --- rows of a task -----------------------------------------------------------------------------


def test_the_section_task_uses_fitting_rows_alone(cards):
    rows = rows_for(cards, "section")
    assert (rows["match"] == 1).all()
    assert len(rows["headline"]) == cards["match"].sum()


def test_the_match_task_uses_all_rows_about_half_and_half(cards):
    rows = rows_for(cards, "match")
    assert len(rows["headline"]) == 2000
    assert rows["match"].mean() == pytest.approx(0.5, abs=0.05)


def test_the_splits_of_a_task_share_no_row_and_leave_none_out(cards):
    parts = [rows_for(cards, "section", split) for split in SPLITS]
    assert sum(len(part["headline"]) for part in parts) == cards["match"].sum()
    for part, split in zip(parts, SPLITS, strict=True):
        assert set(part["split"]) == {split}


@pytest.mark.parametrize(
    ("task", "classes"), [("section", SECTIONS), ("match", ("does not fit", "fits"))]
)
def test_the_label_is_that_of_the_task_and_its_numbers_have_names(cards, task, classes):
    rows = rows_for(cards, task, "train")
    assert (rows["label"] == rows[task]).all()
    assert rows.classes == classes
    assert rows.modalities == cards.modalities == MODALITIES


def test_one_task_after_the_other_has_the_label_of_the_last(cards):
    rows = rows_for(rows_for(cards, "match"), "section")
    assert (rows["label"] == rows["section"]).all()
    assert rows.classes == SECTIONS


def test_the_cards_themselves_name_sections_and_have_no_label_yet(cards):
    assert cards.classes == SECTIONS
    assert "label" not in cards


def test_the_splits_of_all_cards_are_those_of_the_match_task(cards):
    for split, part in split_rows(cards).items():
        assert part["headline"] == rows_for(cards, "match", split)["headline"]


def test_taking_rows_keeps_every_column_in_step(cards):
    index = np.array([7, 3, 11])
    rows = take(cards, index)
    assert set(rows) == set(cards)
    assert rows["headline"] == [cards["headline"][i] for i in index]
    assert (rows["image"] == cards["image"][index]).all()


# --- the ceiling --------------------------------------------------------------------------------

SETTINGS = {
    "default": {},
    "imbalanced": {"class_balance": (10, 5, 2, 1, 1), "mismatch": 0.3},
    "a section missing": {"class_balance": (1, 1, 0, 1, 1)},
    "noisy labels": {"label_noise": 0.25},
    "marked": {"mark": 0.8, "without_motif": 0.5},
    "two words": {"words_per_headline": 2, "text_noise": 0.4, "without_word": 0.4},
    "with attributes": {"attributes": True, "attribute_words": 0.6},
    "much of all": {"words_per_headline": 2, "text_noise": 0.6, "without_motif": 0.6,
                    "label_noise": 0.1, "mark": 0.5, "mismatch": 0.3,
                    "class_balance": (1, 2, 3, 2, 1)},
}  # fmt: skip
LARGE = 20000
CASES = [(task, name) for name in SETTINGS for task in news_cards.TASKS]


@pytest.fixture(scope="module")
def large():
    """Two large samples of ground truth for each setting, made when first asked for."""
    made = {}

    def sample(name, seed):
        if (name, seed) not in made:
            made[name, seed] = truth(LARGE, seed, **SETTINGS[name])
        return made[name, seed]

    return sample


def labels(rows, task):
    return rows["section" if task == "section" else "match"]


def four_standard_errors(rate, n):
    return 4 * np.sqrt(rate * (1 - rate) / n) + 1e-12


@pytest.mark.parametrize(("task", "name"), CASES)
def test_an_oracle_reaches_the_ceiling(large, task, name):
    rows = rows_for(large(name, 1), task)
    best = ceiling(task, **SETTINGS[name])
    for reader, answers in oracle(rows, task, **SETTINGS[name]).items():
        reached = (answers == labels(rows, task)).mean()
        assert reached == pytest.approx(
            best[reader], abs=four_standard_errors(best[reader], len(answers))
        )


@pytest.mark.parametrize("task", ["section", "match"])
def test_what_the_best_reader_believes_is_as_often_true(large, task):
    rows = rows_for(large("default", 1), task)
    for chances in news_cards.posteriors(rows, task).values():
        assert chances.shape == (len(rows["headline"]), 5 if task == "section" else 2)
        assert chances.sum(axis=1) == pytest.approx(1)
        true = labels(rows, task)[:, None] == np.arange(chances.shape[1])
        for chance in np.unique(chances.round(6)):
            there = np.isclose(chances, chance, atol=1e-6)
            share, n = true[there].mean(), there.sum()
            assert share == pytest.approx(chance, abs=four_standard_errors(chance, n) + 5 / n)


def test_of_no_rows_there_are_no_chances():
    none = take(make(3, seed=0), np.arange(0))
    assert news_cards.posteriors(none)["both"].shape == (0, 5)


def read_independently(rows):
    """What each reader can know of a card: the picture's motif or mark, the headline's nouns.

    The nouns are looked for in the text itself, and a word that stands twice is noticed, so that
    nothing here leans on the counts by which the ceiling is computed.
    """
    pictures, texts = [], []
    for row, headline in enumerate(rows["headline"]):
        shown = rows["motif_box"][row][0] >= 0
        pictures.append(
            (int(rows["true_section"][row]) if shown else None, bool(rows["marked"][row]))
        )
        nouns = [noun for noun in headline.split() if noun in SECTION_OF]
        sections = sorted(SECTION_OF[noun] for noun in nouns)
        texts.append((*sections, len(nouns) != len(set(nouns))))
    return {"image": pictures, "text": texts, "both": list(zip(pictures, texts, strict=True))}


def learn_table(seen, label):
    """The commonest label for each thing seen, from rows: {seen: label}."""
    counts = defaultdict(lambda: np.zeros(len(SECTIONS)))
    for key, answer in zip(seen, label, strict=True):
        counts[key][answer] += 1
    return {key: int(count.argmax()) for key, count in counts.items()}


@pytest.mark.parametrize(("task", "name"), CASES)
def test_no_table_learnt_from_many_cards_passes_the_ceiling_on_fresh_ones(large, task, name):
    known, fresh = (rows_for(large(name, seed), task) for seed in (1, 2))
    best = ceiling(task, **SETTINGS[name])
    seen, new = read_independently(known), read_independently(fresh)
    for reader in ("image", "text", "both"):
        table = learn_table(seen[reader], labels(known, task))
        answers = np.array([table.get(key, 0) for key in new[reader]])
        accuracy = (answers == labels(fresh, task)).mean()
        margin = four_standard_errors(best[reader], len(answers))
        assert accuracy <= best[reader] + margin
        assert accuracy >= best[reader] - margin - 0.02  # ... and a learner comes near it


@pytest.mark.parametrize(("task", "name"), CASES)
def test_counting_on_a_large_sample_gives_the_same_ceiling(large, task, name):
    # The share of the commonest label among cards that look alike, as a reader of counts sees.
    rows = rows_for(large(name, 2), task)
    best = ceiling(task, **SETTINGS[name])
    n = len(rows["headline"])
    picture = np.where(rows["motif_box"][:, 0] >= 0, rows["true_section"], 5 + rows["marked"])
    text = (rows["word_counts"] * 5 ** np.arange(5)).sum(axis=1)
    for reader, seen in {"image": picture, "text": text, "both": picture * 5**5 + text}.items():
        values, cell = np.unique(seen, return_inverse=True)
        counts = np.zeros((len(values), 5))
        np.add.at(counts, (cell, labels(rows, task)), 1)
        counted = counts.max(axis=1).sum() / n
        # Choosing the commonest label on the very rows that are counted flatters a little.
        assert counted >= best[reader] - four_standard_errors(best[reader], n)
        assert counted <= best[reader] + four_standard_errors(best[reader], n) + 0.02


def test_the_ceilings_of_simple_worlds_are_what_a_head_can_compute():
    clean = {"without_word": 0.0, "text_noise": 0.0}
    none = {"without_word": 1.0, "text_noise": 0.0}
    assert ceiling(without_motif=0.2)["image"] == pytest.approx(0.8 + 0.2 / 5)
    assert ceiling(**clean)["text"] == pytest.approx(1)
    assert ceiling(**none)["text"] == pytest.approx(0.2)
    assert ceiling(**clean, label_noise=0.1)["text"] == pytest.approx(0.9)
    assert ceiling("match", **clean, without_motif=0.0)["both"] == pytest.approx(1)
    assert ceiling("match", **clean, without_motif=0.4)["both"] == pytest.approx(0.6 + 0.4 / 2)
    assert ceiling(without_motif=1.0, mark=1.0)["image"] == pytest.approx(2 / 5)


@pytest.mark.parametrize("reader", ["image", "text"])
def test_neither_sense_alone_knows_anything_about_the_match(reader):
    assert ceiling("match")[reader] == pytest.approx(0.5)


share = st.floats(0, 1)
balance = st.tuples(*[st.integers(0, 10)] * 5).filter(any)
any_dials = st.fixed_dictionaries(
    {},
    optional={
        "text_noise": share,
        "without_motif": share,
        "without_word": share,
        "words_per_headline": st.integers(1, 3),
        "class_balance": balance,
        "mismatch": share,
        "label_noise": share,
        "mark": share,
        "attributes": st.booleans(),
        "attribute_words": share,
    },
)
task = st.sampled_from([*news_cards.TASKS])
few = settings(deadline=None, max_examples=60)
TINY = 1e-9


@few
@given(task, any_dials)
def test_more_to_go_by_never_lowers_the_ceiling(task, dials):
    best = ceiling(task, **dials)
    for reader in ("image", "text"):
        assert best["chance"] <= best[reader] + TINY
        assert best[reader] <= best["both"] + TINY
    assert best["both"] <= 1 + TINY
    assert best["chance"] >= 1 / (5 if task == "section" else 2) - TINY


@few
@given(task, any_dials)
def test_the_chances_of_all_that_can_be_seen_sum_to_1(task, dials):
    joint = news_cards.joint_chances(task, news_cards.Dials(**dials))
    assert sum(cell.sum() for cell in joint.values()) == pytest.approx(1)
    assert all((cell >= 0).all() for cell in joint.values())


def ordered(low, high):
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(sorted)


@few
@given(task, any_dials, ordered(0, 1))
def test_hiding_more_motifs_never_raises_the_ceiling(task, dials, shares):
    less, more = (ceiling(task, **(dials | {"without_motif": share})) for share in shares)
    assert all(more[reader] <= less[reader] + TINY for reader in ("image", "text", "both"))


@few
@given(any_dials, ordered(0, 0.8))
def test_more_label_noise_never_raises_the_ceiling_while_the_true_label_is_likeliest(dials, shares):
    # At 0.8 a label says nothing; beyond, it says what a card is not.
    assume(len(set(dials.get("class_balance", (1,)))) == 1)
    less, more = (ceiling(**(dials | {"label_noise": share})) for share in shares)
    assert all(more[reader] <= less[reader] + TINY for reader in ("image", "text", "both"))


@few
@given(task, st.floats(0, 0.5), ordered(0, 0.5))
def test_more_distractors_never_raise_the_ceiling_where_a_headline_has_one_section_word(
    task, without_word, shares
):
    less, more = (ceiling(task, without_word=without_word, text_noise=share) for share in shares)
    assert all(more[reader] <= less[reader] + TINY for reader in ("image", "text", "both"))


@pytest.mark.parametrize("words", [2, 3])
def test_a_lone_distractor_informs_where_section_words_come_in_groups(words):
    # It cannot be a section word, so it names a section that the headline is not about.
    silent, noisy = (ceiling(words_per_headline=words, text_noise=noise) for noise in (0, 0.07))
    assert silent["text"] < noisy["text"] < silent["text"] + 0.01


@few
@given(task, st.integers(1, 3), st.floats(0, 0.25), ordered(0, 0.5))
def test_more_headlines_without_word_never_raise_the_ceiling_in_the_range_that_lessons_use(
    task, words, text_noise, shares
):
    dials = {"words_per_headline": words, "text_noise": text_noise}
    less, more = (ceiling(task, **dials, without_word=share) for share in shares)
    assert all(more[reader] <= less[reader] + TINY for reader in ("image", "text", "both"))


def test_where_nearly_all_words_are_distractors_they_tell_what_a_headline_is_not_about():
    silent = ceiling(text_noise=0.0, without_word=1.0)["text"]
    assert ceiling(text_noise=1.0, without_word=1.0)["text"] > silent + 0.1


@few
@given(task, any_dials, ordered(0, 1))
def test_more_marks_never_lower_the_ceiling(task, dials, shares):
    less, more = (ceiling(task, **(dials | {"mark": share})) for share in shares)
    assert all(less[reader] <= more[reader] + TINY for reader in ("image", "text", "both"))


@pytest.mark.parametrize("dials", [{"image_noise": 0.5}, {"clutter": 0}, {"typos": 0.5}])
def test_what_only_makes_reading_harder_leaves_the_ceiling_where_it_is(dials):
    assert ceiling(**dials) == ceiling()


# --- the twelve trick cards -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def tricks():
    return trick_cards.draw()


def test_there_are_twelve_trick_cards_with_the_columns_of_other_cards(tricks):
    assert tricks["image"].shape == (12, SIZE, SIZE, 3)
    assert tricks["image"].dtype == np.uint8
    assert {len(column) for column in tricks.values()} == {12}
    assert set(tricks["split"]) == {"test"}


def test_a_trick_cards_answer_is_its_section_in_words(tricks):
    assert tricks["answer"] == [SECTIONS[number] for number in tricks["section"]]


def test_every_trick_is_another_one(tricks):
    assert len(set(tricks["trick"])) == 12


def test_the_trick_cards_are_the_same_each_time(tricks):
    assert differ_in(tricks, trick_cards.draw()) == set()


def test_trick_headlines_use_words_that_the_generator_knows(tricks):
    for trick, headline in zip(tricks["trick"], tricks["headline"], strict=True):
        strange = [word for word in headline.split() if word not in EVERY_WORD]
        assert strange == (["toruist"] if "typo" in trick else [])
        assert 5 <= len(headline.split()) <= 12


def test_only_the_marked_trick_shows_the_mark(tricks):
    magenta = tricks["image"][:, SIZE - 4 : SIZE - 1, 1:4].mean(axis=(1, 2))
    is_marked = (magenta[:, 0] > 200) & (magenta[:, 1] < 60) & (magenta[:, 2] > 200)
    assert [t for t, m in zip(tricks["trick"], is_marked, strict=True) if m] == [
        "planted mark, no other clue"
    ]


def test_a_trick_picture_without_motif_shows_none():
    for trick in trick_cards.TRICKS:
        dice = [0.5] * 70
        motif = None if trick.motif is None else SECTIONS.index(trick.motif)
        picture, box = draw_picture(iter(dice), motif, 0, trick.box)
        assert isinstance(picture, Image.Image)
        assert (box is None) == (trick.motif is None)
        if trick.motif is not None and trick.match:
            assert trick.motif == trick.section
