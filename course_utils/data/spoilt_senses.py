"""Cards of which a sense is spoilt: so that it shows, or so that nothing but a flag tells.

``corrupt`` puts noise into pictures and takes words away: whoever looks sees it.

``spoil`` hides it. A fair coin says which sense is in doubt. With probability ``q`` what that sense
shows is then another card's. Nothing in the picture or the headline tells: both look as ever. The
flag is 1 where the picture is in doubt and 0 where the headline is, and says so rightly with
probability ``r``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.data.news_cards import Dials, headline_chances, picture_chances

SENSES = ("image", "text")
UNKNOWN = 1  # the number of a word that the vocabulary lacks


def corrupt(
    tensors: Mapping[str, Any], noise: float, lost: float, share: float = 1.0, seed: int = 0
) -> dict[str, Any]:
    """Some cards' pictures noisy, some cards' words unknown, the two apart from each other.

    tensors: as ``to_tensors`` gives them, ``image`` (n, 3, H, W) uint8 and ``text`` (n, L) among
        them; all else goes along as it is.
    noise: standard deviation of what is added to each value of a picture, 1 for black to white.
    lost: the chance of each word to become unknown. share: of pictures, and of headlines, that are
        corrupted.

    ``bad`` (n, 2) float says which are, the picture first.

    Raises ValueError where lost or share is no share.
    """
    check_shares(lost=lost, share=share)
    rng = torch.Generator().manual_seed(seed)
    image, text = tensors["image"].float(), tensors["text"]
    bad = torch.rand(len(text), 2, generator=rng) < share
    grain = 255 * noise * torch.randn(image.shape, generator=rng)
    noisy = image + grain * bad[:, 0, None, None, None]
    gone = (torch.rand(text.shape, generator=rng) < lost) & bad[:, 1:] & (text > 0)
    changed = {"image": noisy.clamp(0, 255).to(torch.uint8), "bad": bad.float()}
    return {**tensors, **changed, "text": text.masked_fill(gone, UNKNOWN)}


def spoil(features: Mapping[str, Any], q: float, r: float = 1.0, seed: int = 0) -> dict[str, Any]:
    """The features of cards with the sense in doubt spoilt, and ``flag`` (n, 1), 0 or 1.

    features: {"image": (n, dim), "text": (n, dim), ...}; all else goes along as it is.

    Raises ValueError where q or r is no share.
    """
    check_shares(q=q, r=r)
    n = len(features["image"])
    rng = np.random.default_rng([seed, 10])
    in_doubt, spoilt, honest = rng.random((3, n)) < np.array([[0.5], [q], [r]])
    others = torch.from_numpy(rng.permutation(n))
    changed = dict(features)
    for sense, doubtful in zip(SENSES, (in_doubt, ~in_doubt), strict=True):
        these = torch.from_numpy(doubtful & spoilt)[:, None]
        changed[sense] = torch.where(these, features[sense][others], features[sense])
    changed["flag"] = torch.from_numpy(np.where(honest, in_doubt, ~in_doubt)).float()[:, None]
    return changed


def check_shares(**shares: float) -> None:
    """Raises ValueError, in a sentence, for what is no number from 0 to 1."""
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"{name} is a share: give a number from 0 to 1, not {share!r}")


def ceiling(q: float, r: float = 1.0) -> dict[str, float]:
    """The best accuracy on ``section`` without the flag and with it; the dials at their defaults.

    Exact, as ``news_cards.ceiling`` is: the chance of the likeliest section, added up over all
    that can be seen.
    """
    check_shares(q=q, r=r)
    in_doubt = joint_chances(q)  # (2, sections, pictures, headlines): headline, then picture
    shown = torch.tensor([[r, 1 - r], [1 - r, r]], dtype=torch.double)  # (flag, what is in doubt)
    with_flag = torch.einsum("fd,dspt->fspt", shown, in_doubt) / 2
    return {
        "without": with_flag.sum(dim=0).amax(dim=0).sum().item(),
        "with": with_flag.amax(dim=1).sum().item(),
    }


def joint_chances(q: float) -> Tensor:
    """P(section, picture, headline | the sense in doubt): (2, 5, pictures, headlines), sum 1 each.

    The first where the headline is in doubt, the second where the picture is.
    """
    dial = Dials()
    shown = as_table([picture_chances(dial, section) for section in range(5)])  # (5, pictures)
    told = as_table([headline_chances(dial, section) for section in range(5)])
    prior = torch.as_tensor(dial.priors)[:, None, None]

    def doubtful(chances: Tensor) -> Tensor:
        # Another card's: whatever its own section, it is drawn from all cards.
        return (1 - q) * chances + q * chances.mean(dim=0, keepdim=True)

    pairs = (shown, doubtful(told)), (doubtful(shown), told)
    return torch.stack([prior * picture[:, :, None] * text[:, None] for picture, text in pairs])


def as_table(chances: list[Mapping[Any, float]]) -> Tensor:
    """P(outcome | section) of every outcome that there is, (sections, outcomes)."""
    outcomes = sorted({outcome for one in chances for outcome in one}, key=repr)
    rows = [[one.get(outcome, 0.0) for outcome in outcomes] for one in chances]
    return torch.tensor(rows, dtype=torch.double)
