"""From strings to numbers: tokens, a vocabulary, ids, padding.

Everything is plain Python and PyTorch, so that a learner can read it. ``article_fields`` alone
needs torchtext, which is archived: nothing else in the package imports it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

PADDING, UNKNOWN = "<pad>", "<unk>"


def tokenize(text: str) -> list[str]:
    """Lower-case words and numbers of a text, in order; punctuation is left out."""
    return re.findall(r"\w+", text.lower())


class Vocabulary:
    """A list of words with a number for each: 0 is padding, 1 is any unknown word.

    Build it from the training rows alone, with ``Vocabulary.from_texts(texts)``: a word that only
    occurs in test rows has to stay unknown, as it would be in use.

    words: the words in the order of their ids, padding and unknown first.
    """

    def __init__(self, words: Sequence[str]):
        self.words = (PADDING, UNKNOWN, *words)
        self.ids = {word: number for number, word in enumerate(self.words)}
        if len(self.ids) != len(self.words):
            twice = [word for word, times in Counter(self.words).items() if times > 1]
            raise ValueError(f"a vocabulary holds each word once; {twice[0]!r} is there twice")

    @classmethod
    def from_texts(cls, texts: Iterable[str], fewest: int = 1) -> "Vocabulary":
        """The words that occur at least ``fewest`` times, commonest first, then by alphabet."""
        counts = Counter(word for text in texts for word in tokenize(text))
        kept = [word for word, times in counts.items() if times >= fewest]
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids and lengths of n texts: (n, L) long, padded with 0 at the end, and (n,) long.

        L is the length of the longest text. A text without any word counts as one unknown word,
        so that every length is at least 1.

        Raises TypeError for one string in place of a list of them.
        """
        if isinstance(texts, str):
            raise TypeError(f"encode takes a list of texts, not one: encode([{texts[:20]!r}])")
        rows = [[self.ids.get(word, 1) for word in tokenize(text)] or [1] for text in texts]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
        ids = torch.zeros(len(rows), int(lengths.max()) if rows else 0, dtype=torch.long)
        for row, numbers in zip(ids, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        return ids, lengths

    def decode(self, ids: Iterable[int]) -> str:
        """The words of a row of ids, without the padding."""
        return " ".join(self.words[int(number)] for number in ids if int(number) != 0)


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
