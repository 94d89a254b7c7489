"""From strings to numbers: tokens, a vocabulary, ids, padding.

Everything is plain Python and PyTorch, so that a learner can read it. ``article_fields`` alone
needs torchtext, which is archived: nothing else in the package imports it.
"""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

PADDING, UNKNOWN = "<pad>", "<unk>"
LONGEST = 512  # words of a text that are read where nobody chose another number

# --- words ------------------------------------------------------------------------------------

_LATIN_WORD = re.compile(r"\w+")
_DOTTED = re.compile("i\u0307+")  # an İ that was folded, and dots that were put on it

# Written without blanks between words (Unicode Standard Annex 14, classes ID, CJ and SA).
_WITHOUT_BLANKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0xAA80, 0xAADF),  # Tai
    (0x3005, 0x3007), (0x3041, 0x30FF), (0x31F0, 0x31FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF),  # Han
)  # fmt: skip
_WITH_MARKS = ((0x0300, 0x33FF), (0xA000, 0xABFF), (0xFB00, 0xFE2F), (0x10000, 0x1EFFF))
_EMOJI = ((0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F000, 0x1FAFF))
_STACKS = "\u1039\u17d2\u1a60"  # the letter after one of these stands below the one before it
_JOINERS = "\u200c\u200d"

# Signs without a look of their own, and trade marks, which would become the letters "tm".
_DROPPED = dict.fromkeys((
    0x00AD, 0x034F, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10), 0xFEFF, *range(0xE0100, 0xE01F0),
)) | {0x2120: " ", 0x2122: " "}  # fmt: skip


def tokenize(text: str) -> list[str]:
    """Words, numbers and emoji of a text, in order; punctuation is left out.

    Words are compared without regard to case, and in one normal form (NFKC, Unicode Standard Annex
    15), so that é in one part and in two, ﬁ and fi, and letters of full and of common width agree.
    Combining marks belong to their letter. Where a script puts no blanks between words (Chinese,
    Japanese, Thai, Lao, Khmer, Burmese), each letter with its marks is a token.

    Case is folded, which for English is lower-casing; beyond it ß is ss, and a dotted İ is an i.
    """
    if text.isascii():  # most texts; what follows would change nothing and take longer
        return _LATIN_WORD.findall(text.lower())
    if not _is_latin(text) or "\u00ad" in text:
        text = text.translate(_DROPPED)
    text = unicodedata.normalize("NFKC", text)
    # Folding may take letters apart again, hence twice; of an İ it leaves an i with a dot above.
    text = unicodedata.normalize("NFKC", _DOTTED.sub("i", text.casefold()))
    return (_LATIN_WORD if _is_latin(text) else _word_of_any_script()).findall(text)


def _is_latin(text: str) -> bool:
    """Whether all signs come before the first combining mark of Unicode."""
    return max(text, default="") < "\u0300"


@functools.cache
def _word_of_any_script() -> re.Pattern[str]:
    """What counts as a token of a text in normal form. It takes some milliseconds to make."""
    marks = _of_category(("Mn", "Mc"), _WITH_MARKS)
    single = _of_category(("L",), _WITHOUT_BLANKS)
    emoji = _of_category(("So",), _EMOJI)
    inside = rf"(?:[^\W{single}]|[{marks}])"
    return re.compile(
        rf"[{single}](?:[{marks}]|(?<=[{_STACKS}])[{single}])*"
        rf"|[^\W{single}](?:{inside}|[{_JOINERS}]+(?={inside}))*"
        rf"|[{emoji}]"
    )


def _of_category(categories: tuple[str, ...], blocks: Iterable[tuple[int, int]]) -> str:
    """The signs of these Unicode categories in these blocks, as ranges for a regular expression."""
    ranges: list[list[int]] = []
    for first, last in blocks:
        for code in range(first, last + 1):
            if not unicodedata.category(chr(code)).startswith(categories):
                continue
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


# --- how texts are cut ------------------------------------------------------------------------


def with_phrases(words: Sequence[str], phrases: int = 2) -> list[str]:
    """The words, then each pair of neighbours as one token, then each three, up to ``phrases``."""
    return [
        " ".join(words[start : start + size])
        for size in range(1, phrases + 1)
        for start in range(len(words) - size + 1)
    ]


class Cut:
    """How texts are cut into tokens. A vocabulary has one, and so has a reader of texts.

    tokenize: what gives the words of a text, a list of strings; a function of one's own will do.
    longest: the greatest number of words of a text that are read, its first ones; None takes
        ``LONGEST``, and then it is said when a text has more.
    phrases: 2 adds each pair of neighbouring words as a token of its own, behind the words: a bag
        then sees a little of their order (Joulin et al., Bag of Tricks for Efficient Text
        Classification, EACL 2017). ``longest`` counts the words, before pairs are made.

    Raises ValueError where ``longest`` or ``phrases`` is no whole number from 1 up.
    """

    def __init__(
        self,
        tokenize: Callable[[str], Sequence[str]] = tokenize,
        longest: int | None = None,
        phrases: int = 1,
    ):
        for name, value in {"longest": longest, "phrases": phrases}.items():
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if not (whole or (name == "longest" and value is None)):
                raise ValueError(f"{name} is a whole number from 1 up, not {value!r}")
        if not callable(tokenize):
            raise ValueError(f"tokenize is a function from a text to its words, not {tokenize!r}")
        self.tokenize, self.longest, self.phrases = tokenize, longest, phrases
        self._said: set[str] = set()

    @property
    def settings(self) -> tuple[Callable[[str], Sequence[str]], int | None, int]:
        """tokenize, longest and phrases."""
        return self.tokenize, self.longest, self.phrases

    def words(self, texts: Iterable[str]) -> list[list[str]]:
        """The words of each text, cut off at ``longest``.

        One sentence is printed, once, where texts are cut off that nobody asked to cut, and where
        one text is far longer than the others: all rows of a tensor are as long as the longest.

        Raises TypeError for one string in place of several, and for what is no string.
        """
        if isinstance(texts, str):
            raise TypeError(f"several texts are cut, not one: give [{_shortened(texts)}]")
        limit = self.longest or LONGEST
        words, lengths = [], []
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"a text is a string, not {_shortened(text)}; write '' where "
                                "none is there")  # fmt: skip
            found = self._words_of(text)
            lengths.append(len(found))
            words.append(found[:limit])
        remark = "" if self.longest else _on_lengths(lengths)
        if remark and remark not in self._said:
            print(remark)
            self._said.add(remark)
        return words

    def tokens(self, texts: Iterable[str]) -> list[list[str]]:
        """The tokens of each text: its ``words``, and phrases of them behind."""
        return [with_phrases(words, self.phrases) for words in self.words(texts)]

    def _words_of(self, text: str) -> list[str]:
        if self.tokenize is tokenize:
            return tokenize(text)
        found = self.tokenize(text)
        if isinstance(found, (list, tuple)) and all(isinstance(word, str) for word in found):
            return list(found)
        raise ValueError(
            f"{_name_of(self.tokenize)} gave {_shortened(found)} for the text {_shortened(text)}; "
            "a function for tokenize= has to give a list of strings"
        )

    def as_values(self) -> dict[str, Any]:
        """tokenize (its name), longest and phrases as plain values, for a file.

        Raises ValueError for a function of one's own, which no file of plain values can hold.
        """
        if self.tokenize is not tokenize:
            raise ValueError(
                f"texts are cut by {_name_of(self.tokenize)}, a function of your own, which cannot "
                "go into a file; keep its code beside the file, or use the course's tokenize"
            )
        return {"tokenize": "tokenize", "longest": self.longest, "phrases": self.phrases}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Cut":
        """What ``as_values`` gave. Raises ValueError for the name of another function."""
        if values["tokenize"] != "tokenize":
            raise ValueError(f"texts were cut by {values['tokenize']!r}, which is not here; this "
                             "course knows 'tokenize' alone")  # fmt: skip
        return cls(longest=values["longest"], phrases=values["phrases"])


def _on_lengths(lengths: Sequence[int]) -> str:
    """A remark where the default limit cuts texts off, or one text makes all rows far longer."""
    longest, many = max(lengths, default=0), len(lengths) >= 100
    usual = sorted(lengths)[int(0.99 * len(lengths)) - 1] if many else longest
    most = f"the longest text has {longest:,} words"
    most += f", and 99 of 100 have at most {usual:,}" if many else ""
    if longest > LONGEST:
        cut = sum(length > LONGEST for length in lengths)
        return (f"{cut:,} of {len(lengths):,} texts {'is' if cut == 1 else 'are'} cut off after "
                f"{LONGEST} words: {most}; longest=... reads more or fewer")  # fmt: skip
    if longest > max(100, 10 * usual):
        return f"{most}; every row is made as long as the longest, and longest=... cuts it off"
    return ""


def _name_of(function: Callable) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _shortened(value: Any) -> str:
    found = repr(value)
    return found if len(found) <= 60 else f"{found[:57]}..."


# --- the vocabulary ---------------------------------------------------------------------------


class Vocabulary:
    """A list of words with a number for each: 0 is padding, 1 is any unknown word.

    Build it from the training rows alone, with ``Vocabulary.from_texts(texts)``: a word that only
    occurs in test rows has to stay unknown, as it would be in use.

    words: the words in the order of their ids, padding and unknown first.
    cut: how texts are cut into tokens; ``tokenize``, ``longest`` and ``phrases`` are those of
        ``Cut``.
    """

    def __init__(
        self,
        words: Sequence[str],
        tokenize: Callable[[str], Sequence[str]] = tokenize,
        longest: int | None = None,
        phrases: int = 1,
    ):
        self.cut = Cut(tokenize, longest, phrases)
        self._learn(words)

    def _learn(self, words: Sequence[str]) -> None:
        self.words = (PADDING, UNKNOWN, *words)
        self.ids = {word: number for number, word in enumerate(self.words)}
        if len(self.ids) != len(self.words):
            twice = [word for word, times in Counter(self.words).items() if times > 1]
            raise ValueError(f"a vocabulary holds each word once; {twice[0]!r} is there twice")

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        fewest: int = 1,
        tokenize: Callable[[str], Sequence[str]] = tokenize,
        longest: int | None = None,
        phrases: int = 1,
    ) -> "Vocabulary":
        """The words that occur at least ``fewest`` times, commonest first, then by alphabet."""
        vocabulary = cls((), tokenize, longest, phrases)
        counts = Counter(token for tokens in vocabulary.cut.tokens(texts) for token in tokens)
        # A text may hold "<unk>" itself, which then is unknown.
        kept = [word for word, times in counts.items()
                if times >= fewest and word not in vocabulary.ids]  # fmt: skip
        vocabulary._learn(sorted(kept, key=lambda word: (-counts[word], word)))
        return vocabulary

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, texts: Sequence[str], longest: int | None = None) -> tuple[Tensor, Tensor]:
        """Ids and lengths of n texts: (n, L) long, padded with 0 at the end, and (n,) long.

        L is the number of tokens of the longest text. A text without any word counts as one unknown
        word, so that every length is at least 1. A phrase that is not in the vocabulary is left
        out: its words are there already.

        longest: another limit than the vocabulary's, for these texts.

        Raises TypeError for one string in place of a list of them.
        """
        if isinstance(texts, str):
            raise TypeError(f"encode takes a list of texts, not one: encode([{texts[:20]!r}])")
        cut = self.cut if longest is None else Cut(self.cut.tokenize, longest, self.cut.phrases)
        rows = [self._ids_of(words, cut.phrases) for words in cut.words(texts)]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
        ids = torch.zeros(len(rows), int(lengths.max()) if rows else 0, dtype=torch.long)
        for row, numbers in zip(ids, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        return ids, lengths

    def _ids_of(self, words: Sequence[str], phrases: int) -> list[int]:
        ids = [self.ids.get(word, 1) or 1 for word in words] or [1]  # "<pad>" is no word
        more = with_phrases(words, phrases)[len(words) :]
        return ids + [self.ids[phrase] for phrase in more if phrase in self.ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The words of a row of ids, without the padding."""
        return " ".join(self.words[int(number)] for number in ids if int(number) != 0)

    def as_values(self) -> dict[str, Any]:
        """Words and how texts are cut as plain values, for a file; ``from_values`` reads them.

        Raises ValueError for a ``tokenize`` of one's own, which no file of plain values can hold.
        """
        return {"words": list(self.words[2:]), **self.cut.as_values()}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Vocabulary":
        """What ``as_values`` gave. Raises ValueError where texts were cut by another function."""
        cut = Cut.from_values(values)
        return cls(values["words"], cut.tokenize, cut.longest, cut.phrases)


def article_fields(lower: bool = False) -> tuple[Any, Any]:
    """A text and a label field of torchtext 0.6, as lesson 07's article makes them, no vocabulary.

    lower: whether the text field's ``preprocess`` makes words lower-case; the article's does not.

    Raises ImportError, in a sentence, where torchtext is missing or too new to have ``Field``.
    """
    try:
        from torchtext.data import Field, LabelField
    except ImportError:
        raise ImportError(
            "this needs torchtext 0.6.0, whose later releases have no Field; install it with "
            "pip install torchtext==0.6.0"
        ) from None
    text = Field(sequential=True, batch_first=True, lower=lower)
    return text, LabelField(dtype=torch.float)
