"""From strings to numbers: tokens, vocabulary, ids, padding."""

import re
import time
import unicodedata

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.text import (
    LONGEST,
    PADDING,
    UNKNOWN,
    Cut,
    Vocabulary,
    tokenize,
    with_phrases,
)

TEXTS = ["rain in the north", "rain and snow", "a goal in the snow"]
# Latin letters and what trips a tokenizer: marks, joiners, scripts without blanks, emoji.
SIGNS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    "aE1_ é\u0301\u0307İßﬁ™\u00ad\u200c\u200d\ufe0fहिन्ีกำ红ーｶﾞស្ត🇩👩🏽", max_size=12
)
texts = st.lists(st.text(max_size=30), max_size=6)


def test_tokens_are_lower_case_words_and_numbers_in_order():
    assert tokenize("Rain, again: 12 mm -- in OSLO!") == ["rain", "again", "12", "mm", "in", "oslo"]


def test_letters_of_any_language_make_words():
    assert tokenize("Über Çok naïve Ωmega") == ["über", "çok", "naïve", "ωmega"]


@settings(deadline=None)
@given(SIGNS)
def test_tokenising_tokens_changes_nothing(text):
    tokens = tokenize(text)
    assert tokenize(" ".join(tokens)) == tokens


@given(st.text(st.characters(max_codepoint=127)))
def test_english_is_cut_into_lower_case_runs_of_letters_digits_and_underscores(text):
    assert tokenize(text) == re.findall("[a-z0-9_]+", text.lower())


@settings(deadline=None)
@given(SIGNS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_normal_form_of_a_text_does_not_change_its_tokens(text, form):
    text = text.replace("™", "")  # which the two looser forms make two letters of
    assert tokenize(unicodedata.normalize(form, text)) == tokenize(text)


@settings(deadline=None)
@given(SIGNS)
def test_a_token_never_begins_with_a_mark_or_a_joiner(text):
    for token in tokenize(text):
        assert unicodedata.category(token[0]) not in ("Mn", "Mc", "Cf")
        assert token[-1] not in "\u200c\u200d"


@pytest.mark.parametrize(
    "text",
    ["लाल हिन्दी कपड़े", "ప్రధానమంత్రిని కలుసుకున్నారు", "ভৌতিক গল্প", "עִבְרִית שָׁלוֹם", "اَلسَّلَامُ عَلَيْكُمْ",
     "සිංහල ශ්‍රී", "می‌خواهم بروم", "Tiếng Việt", "한국어 문장"],
)  # fmt: skip
def test_marks_and_joiners_stay_in_their_word(text):
    assert len(tokenize(text)) == len(text.split())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("红色连衣裙 XL 12件", ["红", "色", "连", "衣", "裙", "xl", "12", "件"]),
        ("コーヒー", ["コ", "ー", "ヒ", "ー"]),
        ("สวัสดี ๑๒", ["ส", "วั", "ส", "ดี", "๑๒"]),
        ("ស្ត្រី", ["ស្ត្រី"]),
        ("ဗုဒ္ဓ", ["ဗု", "ဒ္ဓ"]),
    ],
)
def test_scripts_without_blanks_become_letters_with_their_marks(text, tokens):
    assert tokenize(text) == tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("STRASSE", "Straße"),
        ("İstanbul", "istanbul"),
        ("ΟΔΟΣ", "οδος"),
        ("ﬁne", "fine"),
        ("ＦＵＬＬ １２", "full 12"),
        ("ｶﾞﾗｽ", "ガラス"),
        ("co\u00adop", "coop"),
        ("❤\ufe0f", "❤"),
    ],
)
def test_forms_of_one_word_are_one_word(one, other):
    assert tokenize(one) == tokenize(other) != []


def test_a_trade_mark_adds_no_letters():
    assert tokenize("Nike™ shoe") == ["nike", "shoe"]


def test_emoji_are_tokens_and_the_colour_of_their_skin_is_not():
    assert tokenize("so good 😀👍🏽!") == ["so", "good", "😀", "👍"]


@pytest.mark.slow
def test_english_titles_are_cut_about_as_fast_as_by_a_regular_expression_alone():
    titles = [f"Brand {k} men party blue slim fit jeans" for k in range(44_000)]
    tokenize("é")

    def seconds(cut):
        started = time.process_time()
        for title in titles:
            cut(title)
        return time.process_time() - started

    plain = min(seconds(lambda text: re.findall(r"\w+", text.lower())) for _ in range(3))
    assert min(seconds(tokenize) for _ in range(3)) < 1.5 * plain


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


# --- how texts are cut -----------------------------------------------------------------------


def test_a_function_of_ones_own_cuts_the_texts():
    vocabulary = Vocabulary.from_texts(["Rain, Snow"], tokenize=str.split)
    assert vocabulary.words[2:] == ("Rain,", "Snow")
    assert vocabulary.encode(["Snow, Rain,"])[0].tolist() == [[1, 2]]


@pytest.mark.parametrize("found", ["rain", None, [1, 2], ["rain", None]])
def test_a_function_that_gives_no_list_of_strings_is_answered_in_a_sentence(found):
    def odd(text):
        return found

    with pytest.raises(ValueError, match=r"odd gave .* for the text 'rain'; .*a list of strings"):
        Vocabulary.from_texts(["rain"], tokenize=odd)


@pytest.mark.parametrize("options", [{"longest": 0}, {"longest": 2.5}, {"phrases": 0},
                                     {"phrases": True}, {"phrases": None}])  # fmt: skip
def test_a_limit_that_is_no_whole_number_from_1_up_is_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is a whole number from 1 up"):
        Vocabulary([], **options)


def test_a_tokenize_that_is_no_function_is_refused():
    with pytest.raises(ValueError, match="a function from a text to its words, not 'words'"):
        Vocabulary([], tokenize="words")


def test_the_signs_for_padding_and_unknown_in_a_text_are_unknown_words():
    vocabulary = Vocabulary.from_texts([f"{PADDING} rain {UNKNOWN}"], tokenize=str.split)
    assert vocabulary.words == (PADDING, UNKNOWN, "rain")
    assert vocabulary.encode([f"{PADDING} rain"])[0].tolist() == [[1, 2]]


def test_a_limit_that_was_chosen_cuts_without_a_word(capsys):
    vocabulary = Vocabulary.from_texts(["a b c d"], longest=2)
    assert vocabulary.words[2:] == ("a", "b")
    assert vocabulary.encode(["b a c d", "a"])[1].tolist() == [2, 1]
    assert vocabulary.encode(["b a c d", "a"], longest=3)[1].tolist() == [3, 1]
    assert capsys.readouterr().out == ""


def test_what_nobody_asked_to_cut_is_cut_with_one_sentence(capsys):
    many = ["red shirt"] * 199 + ["word " * 20_000]
    vocabulary = Vocabulary.from_texts(many)
    ids, lengths = vocabulary.encode(many)
    assert ids.shape == (200, LONGEST)
    assert lengths[-1] == LONGEST
    assert capsys.readouterr().out == (
        "1 of 200 texts is cut off after 512 words: the longest text has 20,000 words, and 99 of "
        "100 have at most 2; longest=... reads more or fewer\n"
    )


def test_one_text_far_longer_than_the_others_gets_a_remark_and_stays_whole(capsys):
    ids, _ = Vocabulary([]).encode(["red shirt"] * 199 + ["word " * 300])
    assert ids.shape == (200, 300)
    assert "every row is made as long as the longest" in capsys.readouterr().out


def test_texts_of_like_length_get_no_remark(capsys):
    Vocabulary([]).encode(["word " * n for n in range(LONGEST)])
    Vocabulary([]).encode(["word " * LONGEST])
    Vocabulary([]).encode([])
    assert capsys.readouterr().out == ""


def test_phrases_stand_behind_the_words():
    assert with_phrases(["a", "b", "c"], 2) == ["a", "b", "c", "a b", "b c"]
    assert with_phrases(["a", "b", "c"], 3)[-1] == "a b c"
    assert with_phrases(["a"], 2) == ["a"]


def test_phrases_have_ids_of_their_own_and_unknown_ones_are_left_out():
    vocabulary = Vocabulary.from_texts(["home beat away"], phrases=2)
    assert set(vocabulary.words[2:]) == {"home", "beat", "away", "home beat", "beat away"}
    ids, lengths = vocabulary.encode(["beat away home", "hail"])
    assert vocabulary.decode(ids[0]) == "beat away home beat away"
    assert lengths.tolist() == [4, 1]


def test_the_limit_counts_words_before_phrases_are_made():
    vocabulary = Vocabulary.from_texts(["a b c"], phrases=2, longest=2)
    assert set(vocabulary.words[2:]) == {"a", "b", "a b"}


@settings(deadline=None)
@given(texts, st.integers(1, 5), st.integers(1, 3))
def test_a_vocabulary_rebuilt_from_plain_values_reads_texts_alike(many, longest, phrases):
    vocabulary = Vocabulary.from_texts(many, longest=longest, phrases=phrases)
    values = vocabulary.as_values()
    assert values.keys() == {"words", "tokenize", "longest", "phrases"}
    again = Vocabulary.from_values(values)
    assert again.words == vocabulary.words
    for one, other in zip(again.encode(many), vocabulary.encode(many), strict=True):
        assert torch.equal(one, other)


def test_a_function_of_ones_own_cannot_go_into_a_file():
    with pytest.raises(ValueError, match=r"cut by str.split, .*cannot go into a file; keep its"):
        Vocabulary([], tokenize=str.split).as_values()


def test_a_file_of_another_function_is_answered_in_a_sentence():
    with pytest.raises(ValueError, match="cut by 'pieces', which is not here"):
        Cut.from_values({"tokenize": "pieces", "longest": None, "phrases": 1})
