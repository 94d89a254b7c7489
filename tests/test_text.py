"""From strings to numbers: tokens, vocabulary, ids, padding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.text import PADDING, UNKNOWN, Vocabulary, tokenize

TEXTS = ["rain in the north", "rain and snow", "a goal in the snow"]
texts = st.lists(st.text(max_size=30), max_size=6)


def test_tokens_are_lower_case_words_and_numbers_in_order():
    assert tokenize("Rain, again: 12 mm -- in OSLO!") == ["rain", "again", "12", "mm", "in", "oslo"]


def test_letters_of_any_language_make_words():
    assert tokenize("Über Çok naïve Ωmega") == ["über", "çok", "naïve", "ωmega"]


@settings(deadline=None)
@given(st.text())
def test_tokenising_tokens_changes_nothing(text):
    tokens = tokenize(text)
    assert tokenize(" ".join(tokens)) == tokens


def test_padding_is_0_and_the_unknown_word_is_1():
    vocabulary = Vocabulary.from_texts(TEXTS)
    assert vocabulary.words[:2] == (PADDING, UNKNOWN)
    assert vocabulary.ids[PADDING] == 0
    assert vocabulary.ids[UNKNOWN] == 1


def test_the_commonest_word_comes_first_and_ties_go_by_alphabet():
    assert Vocabulary.from_texts(TEXTS).words[2:] == (
        "in", "rain", "snow", "the", "a", "and", "goal", "north",
    )  # fmt: skip


@settings(deadline=None)
@given(texts, st.randoms())
def test_the_order_of_the_texts_does_not_change_the_vocabulary(many, random):
    shuffled = random.sample(many, len(many))
    assert Vocabulary.from_texts(many).words == Vocabulary.from_texts(shuffled).words


def test_rare_words_are_left_out_when_asked():
    assert Vocabulary.from_texts(TEXTS, fewest=2).words[2:] == ("in", "rain", "snow", "the")


def test_no_text_gives_padding_and_unknown_alone():
    assert len(Vocabulary.from_texts([])) == 2


def test_a_word_given_twice_is_named():
    with pytest.raises(ValueError, match="each word once; 'rain' is there twice"):
        Vocabulary(["rain", "snow", "rain"])


def test_a_word_of_the_test_rows_alone_stays_unknown():
    ids, _ = Vocabulary.from_texts(TEXTS).encode(["hail in the north"])
    assert ids[0, 0] == 1
    assert (ids[0, 1:] > 1).all()


def test_shorter_texts_are_padded_at_the_end():
    ids, lengths = Vocabulary.from_texts(TEXTS).encode(["rain", "rain and snow"])
    assert ids.shape == (2, 3)
    assert lengths.tolist() == [1, 3]
    assert ids[0].tolist()[1:] == [0, 0]


def test_ids_and_lengths_are_long():
    ids, lengths = Vocabulary.from_texts(TEXTS).encode(TEXTS)
    assert ids.dtype == lengths.dtype == torch.long


def test_a_text_without_a_word_counts_as_one_unknown_word():
    ids, lengths = Vocabulary.from_texts(TEXTS).encode(["", " ?! "])
    assert ids.tolist() == [[1], [1]]
    assert lengths.tolist() == [1, 1]


def test_no_rows_give_empty_tensors():
    ids, lengths = Vocabulary.from_texts(TEXTS).encode([])
    assert ids.shape == (0, 0)
    assert lengths.shape == (0,)


def test_one_string_in_place_of_a_list_is_answered_with_how_to_write_it():
    with pytest.raises(TypeError, match=r"a list of texts, not one: encode\(\['rain'\]\)"):
        Vocabulary.from_texts(TEXTS).encode("rain")


@settings(deadline=None)
@given(texts)
def test_known_texts_come_back_as_their_tokens(many):
    vocabulary = Vocabulary.from_texts(many)
    ids, _ = vocabulary.encode(many)
    for text, row in zip(many, ids, strict=True):
        assert vocabulary.decode(row) == (" ".join(tokenize(text)) or UNKNOWN)


@settings(deadline=None)
@given(texts, texts)
def test_any_text_has_ids_in_range_and_zeros_only_after_its_end(known, many):
    vocabulary = Vocabulary.from_texts(known)
    ids, lengths = vocabulary.encode(many)
    for row, length in zip(ids.tolist(), lengths.tolist(), strict=True):
        assert length >= 1
        assert all(0 < number < len(vocabulary) for number in row[:length])
        assert not any(row[length:])
