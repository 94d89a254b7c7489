"""Words written into pictures, and the same ink as a smear that says nothing.

A model that reads changes its answer at a word and not at its smear. Goh et al., Multimodal Neurons
in Artificial Neural Networks, Distill 2021, showed large models of pictures and text that do.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HEIGHT = 9  # of the letters, in pixels, as Pillow's own font counts


def letters(word: str) -> np.ndarray:
    """A word as ink: (height, width) bool, cut to what is black."""
    font = ImageFont.load_default(HEIGHT)
    left, top, right, bottom = font.getbbox(word)
    paper = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    ImageDraw.Draw(paper).text((-left, -top), word, fill=255, font=font)
    return np.asarray(paper) >= 128


def write_words(
    images: np.ndarray, words: Sequence[str | None], seed: int = 0, smear: bool = False
) -> np.ndarray:
    """Copies of the pictures with one word in each, in any place, black or white.

    images (n, H, W, 3) uint8; words: n of them, None for a picture that stays as it is. The ink is
    the one of the two that is further from the picture's mean brightness. smear: the same pixels
    of ink, in any order, in the same rectangle.

    Raises ValueError for a word that is wider than the picture, and for other lengths.
    """
    if len(words) != len(images):
        raise ValueError(f"each picture needs a word or None: {len(images)} pictures and "
                         f"{len(words)} words")  # fmt: skip
    written = images.copy()
    for row, word in enumerate(words):
        if word:  # dice of its own, so that no other row shifts them
            _write(written[row], word, np.random.default_rng([seed, row]), smear)
    return written


def _write(picture: np.ndarray, word: str, dice: np.random.Generator, smear: bool) -> None:
    ink = letters(word)
    room = np.array(picture.shape[:2]) - ink.shape
    if (room < 0).any():
        raise ValueError(f"the word {word!r} takes {ink.shape[1]} pixels of width, and the picture "
                         f"has {picture.shape[1]}; choose a shorter one")  # fmt: skip
    top, left = dice.integers(room + 1)
    if smear:
        ink = dice.permutation(ink.ravel()).reshape(ink.shape)
    place = picture[top : top + ink.shape[0], left : left + ink.shape[1]]
    place[ink] = 0 if picture.mean() > 127 else 255
