"""Leaks planted into news cards: a cue that tells whether a card fits, and that nobody meant.

Both are of a kind that real sets have: the rows of one label came another way, and it shows. They
stand in the test rows as in the training rows, so accuracy on the test rows does not give them
away.
"""

import numpy as np
from PIL import Image

from course_utils.data import news_cards
from course_utils.data.news_headlines import LINKS
from course_utils.data.news_pictures import add_mark
from course_utils.data.rows import Rows

SHARE = 0.6  # of the fitting cards carry the mark: picture alone can then be right on 0.8
CUE = "against"  # takes the place of another linking word in headlines that do not fit


def mark_fits(cards: Rows, share: float, seed: int = 0) -> Rows:
    """The cards, with a small magenta square in the corner of a share of the fitting ones.

    Only ``image`` and ``marked`` change. Raises ValueError for a share outside 0 to 1.
    """
    chosen = _chosen(cards, share, seed) & (np.asarray(cards["match"]) == 1)
    images = cards["image"].copy()
    for row in np.flatnonzero(chosen):
        picture = Image.fromarray(images[row])
        add_mark(picture)
        images[row] = np.asarray(picture)
    return cards | {"image": images, "marked": chosen}


def colleagues_cards(n: int, seed: int = 0) -> Rows:
    """News cards as ``news_cards.make`` gives them, with the leak of ``mark_fits``."""
    return mark_fits(news_cards.make(n, seed), SHARE, seed)


def word_misfits(cards: Rows, share: float, seed: int = 0) -> Rows:
    """The cards, with one linking word replaced by CUE in a share of those that do not fit.

    Headlines of fitting cards hold CUE too, as often as any other linking word. Only ``headline``
    changes. Raises ValueError for a share outside 0 to 1.
    """
    chosen = _chosen(cards, share, seed) & (np.asarray(cards["match"]) == 0)
    headlines = [
        _with_cue(text) if leaks else text
        for text, leaks in zip(cards["headline"], chosen, strict=True)
    ]
    return cards | {"headline": headlines}


def _with_cue(headline: str) -> str:
    """The headline with its first linking word replaced."""
    words = headline.split()
    place = next((k for k, word in enumerate(words) if word in LINKS), None)
    if place is not None:
        words[place] = CUE
    return " ".join(words)


def _chosen(cards: Rows, share: float, seed: int) -> np.ndarray:
    if not 0 <= share <= 1:
        raise ValueError(f"share is a number from 0 to 1, not {share!r}")
    return np.random.default_rng([seed, 9]).random(len(cards["match"])) < share


def mended_headlines(n: int, seed: int = 0) -> Rows:
    """``headline`` and ``match`` of n cards whose pictures were mended, and headlines written anew.

    Half of those that do not fit are as ``word_misfits`` makes them. No picture is drawn.
    """
    dial = news_cards.Dials()
    throw = news_cards.throw_labels(n, seed, dial)
    written = news_cards.write_headlines(seed, dial, throw["headline_section"], throw["with_word"])
    rows = Rows({"headline": written["headline"], "match": throw["match"]})
    return word_misfits(rows, 0.5, seed)
