"""Generated arrows with a text that says where they point: pairs that a flip makes false.

A picture may mostly be mirrored and still be a picture of the same thing. Its text may not: "to
the left" under a mirrored arrow says something else than before.
"""

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from course_utils.data.rows import SPLITS, Rows

SIDES = ("left", "right")
CLASSES = ("does not fit", "fits")
SIZE = 32
SHARES = (0.6, 0.15, 0.25)  # of the splits


def make(n: int, seed: int = 0) -> Rows:
    """n arrows, half of them with a text that fits: ``image``, ``text``, ``points``, ``label``.

    image (n, 32, 32, 3) uint8: an arrowhead of one colour on another, anywhere in the picture.
    text: "an arrow to the left" or "an arrow to the right"; points: where it points in truth.
    label (n,) int64: 1 where the two agree. Neither picture nor text alone tells anything.

    Raises ValueError when n is not positive.
    """
    if n < 1:
        raise ValueError(f"n is a positive number of arrows, not {n}")
    rng = np.random.default_rng(seed)
    right, fits = rng.integers(0, 2, n), rng.integers(0, 2, n)
    told = np.where(fits, right, 1 - right)
    columns = {
        "image": np.stack([_arrow(rng, bool(side)) for side in right]),
        "text": [f"an arrow to the {SIDES[side]}" for side in told],
        "points": [SIDES[side] for side in right],
        "label": fits.astype(np.int64),
        "split": rng.choice(SPLITS, size=n, p=SHARES),
    }
    return Rows(columns, CLASSES, modalities={"image": "image", "text": "text"})


def _arrow(rng: np.random.Generator, right: bool) -> np.ndarray:
    """One picture (32, 32, 3) uint8: a dark triangle on a light ground.

    Anywhere, and to the left exactly as to the right in a mirror: nothing but the arrow's own side
    tells a mirrored picture.
    """
    picture = Image.new("RGB", (SIZE, SIZE), tuple(rng.integers(150, 256, 3).tolist()))
    length = int(rng.integers(10, 17))
    x, y = rng.integers(2, SIZE - 2 - length, 2).tolist()
    corners = [(x, y), (x, y + length), (x + length, y + length // 2)]
    dark = tuple(rng.integers(0, 110, 3).tolist())
    ImageDraw.Draw(picture).polygon(corners, fill=dark)
    pixels = np.asarray(picture)
    return pixels if right else pixels[:, ::-1]


def flip_pairs(batch: dict[str, Any], flipped: Tensor, left: int, right: int) -> dict[str, Any]:
    """Mirror some pictures of a batch, and say left for right and right for left in their texts.

    batch: with ``image`` (B, 3, H, W) and ``text`` (B, L) long; flipped (B,) bool: which rows.
    left, right: the numbers of the two words in the vocabulary.
    Returns a new batch; the one that came in stays as it is.
    """
    image, text = batch["image"], batch["text"]
    mirrored = torch.where(flipped[:, None, None, None], image.flip(-1), image)
    swapped = torch.where(text == left, right, torch.where(text == right, left, text))
    told = torch.where(flipped[:, None], swapped, text)
    return {**batch, "image": mirrored, "text": told}
