"""Holes: news cards that lack a picture or a headline, and why they lack it.

Four mechanisms say which rows are inclined to lose a modality. ``at random``: none more than
others. ``on the other``: those whose *other* modality tells of sport or business. ``on itself``:
those whose lost modality told of them. ``on the label``: those that are about them. Rubin,
Inference and missing data, Biometrika 63, 1976, calls the first *missing completely at random*
(MCAR), the second *missing at random* (MAR: it depends on what is still seen), the others *not at
random*.

What can be known of such cards is computed exactly, as ``news_cards.ceiling`` does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from course_utils.data import news_cards
from course_utils.data.read_dials import read_dials
from course_utils.data.rows import Rows, column_of

MECHANISMS = ("at random", "on the other", "on itself", "on the label")
INCLINED = (0, 1)  # sport and business
STRENGTH = 0.8  # 0 is at random, 1 as far apart as the rate allows
OTHER = {"image": "text", "text": "image"}

Cell = tuple[Any, Any]  # what the picture tells, what the headline tells


def loss_chances(
    inclined: Any, rate: float, share: float, strength: float = STRENGTH
) -> np.ndarray:
    """The chance that each row loses the modality, (n,): larger for the inclined, ``rate`` overall.

    inclined: (n,) bool; share: how many of all rows are inclined. At strength 1 only the inclined
    lose it as long as they are enough; at 0 all rows are alike.

    Raises ValueError for a rate or a strength outside 0 to 1.
    """
    for name, number in (("rate", rate), ("strength", strength)):
        if not 0 <= number <= 1:
            raise ValueError(f"{name} is a share: give a number from 0 to 1, not {number!r}")
    inclined = np.asarray(inclined, dtype=bool)
    if not 0 < share < 1:
        return np.full(inclined.shape, float(rate))
    most = min(1.0, rate / share)
    least = (rate - share * most) / (1 - share)
    chances = np.where(inclined, most, least) * strength + rate * (1 - strength)
    return chances.clip(0, 1)


def inclined_rows(rows: Mapping[str, Any], name: str, mechanism: str) -> np.ndarray:
    """Which cards are inclined to lose the modality ``name``, (n,) bool."""
    _check(name, mechanism)
    if mechanism == "at random":
        return np.zeros(len(rows["headline"]), dtype=bool)
    if mechanism == "on the label":
        return np.isin(rows["section"], INCLINED)
    told_by = name if mechanism == "on itself" else OTHER[name]
    if told_by == "text":
        return rows["word_counts"][:, list(INCLINED)].sum(axis=1) > 0
    return (rows["motif_box"][:, 0] >= 0) & np.isin(rows["true_section"], INCLINED)


def kept(
    rows: Mapping[str, Any],
    name: str,
    rate: float,
    mechanism: str = "at random",
    *,
    seed: int = 0,
    strength: float = STRENGTH,
    **dials: Any,
) -> np.ndarray:
    """Which cards keep their modality ``name``, (n,) bool; the same seed draws the same luck.

    dials: those that the cards were made with. Raises ValueError for an unknown mechanism,
    modality or dial, and for a rate or a strength outside 0 to 1.
    """
    inclined = inclined_rows(rows, name, mechanism)
    share = inclined_share(name, mechanism, **dials)
    chances = loss_chances(inclined, rate, share, strength)
    return np.random.default_rng([seed, 11]).random(len(inclined)) >= chances


def without(rows: Rows, name: str, keep: np.ndarray) -> Rows:
    """The rows with None in the column of a modality where it is not kept; the rest as it was."""
    column = column_of(rows, name)
    cells = [cell if k else None for cell, k in zip(rows[column], keep, strict=True)]
    return rows | {column: cells}


# --- what can be known exactly --------------------------------------------------------------------


def inclined_share(name: str, mechanism: str, **dials: Any) -> float:
    """The share of all fitting cards that is inclined to lose the modality, exactly."""
    cells = _cells(dials)
    return float(sum((p * _inclined(name, mechanism, *seen)).sum() for seen, p in cells.items()))


def ceiling(
    name: str, rate: float, mechanism: str, strength: float = STRENGTH, **dials: Any
) -> dict[str, float]:
    """The best accuracy on ``section`` where some cards lack a modality, computed exactly.

    ``with the mask``: by a reader who knows what the hole itself tells. ``without``: by one who
    takes a card with a hole for one like any other with the same other modality.
    """
    full, held = _tables(name, rate, mechanism, strength, dials)
    whole = sum(p.max() for p in full.values())
    usual = _given_the_other(name, _cells(dials))
    return {
        "with the mask": float(whole + sum(p.max() for p in held.values())),
        "without": float(whole + sum(p[_likeliest(usual[s])].mean() for s, p in held.items())),
    }


def kept_belief(
    name: str, rate: float, mechanism: str, strength: float = STRENGTH, **dials: Any
) -> dict[str, float]:
    """Sport and business among the cards that are left when those with a hole are deleted.

    ``share``: P(sport or business | kept). ``belief``: P(sport or business | kept, and the other
    modality tells nothing). Exact; at rate 0 both are those of all cards.
    """
    full, _ = _tables(name, rate, mechanism, strength, dials)
    all_of = sum(full.values())
    by_other = _given_the_other(name, full)
    silent = {"image": (0,) * len(news_cards.SECTIONS), "text": ("nothing", None)}[name]
    shares = {"share": all_of, "belief": by_other[silent]}
    return {what: float(p[list(INCLINED)].sum() / p.sum()) for what, p in shares.items()}


def _likeliest(chances: np.ndarray) -> np.ndarray:
    """Which labels are the likeliest, (5,) bool: of several, any is as good a guess."""
    return np.isclose(chances, chances.max())


def _check(name: str, mechanism: str) -> None:
    if name not in OTHER:
        raise ValueError(f"news cards have the modalities image and text, not {name!r}")
    if mechanism not in MECHANISMS:
        raise ValueError(f"there is no mechanism {mechanism!r}; there are {', '.join(MECHANISMS)}")


def _cells(dials: Mapping[str, Any]) -> dict[Cell, np.ndarray]:
    """P(section, what is seen) of all that can be seen: {(picture, text): (5,)}."""
    dial = read_dials(news_cards.Dials, dict(dials), "news_cards")
    return news_cards.joint_chances("section", dial)


def _inclined(name: str, mechanism: str, picture: Any, text: Any) -> np.ndarray:
    """Which labels make such a card one that is inclined to lose the modality, (5,) bool."""
    _check(name, mechanism)
    sections = np.arange(len(news_cards.SECTIONS))
    if mechanism == "on the label":
        return np.isin(sections, INCLINED)
    told_by = name if mechanism == "on itself" else OTHER[name]
    told = picture[0] == "motif" and picture[1] in INCLINED
    if told_by == "text":
        told = any(text[section] for section in INCLINED)
    return np.full(len(sections), told and mechanism != "at random")


def _tables(
    name: str, rate: float, mechanism: str, strength: float, dials: Mapping[str, Any]
) -> tuple[dict[Cell, np.ndarray], dict[Any, np.ndarray]]:
    """P(section, seen, kept) by what both tell; P(section, seen, lost) by what the other tells."""
    cells = _cells(dials)
    share = inclined_share(name, mechanism, **dials)
    full, lost = {}, {}
    for seen, p in cells.items():
        chances = loss_chances(_inclined(name, mechanism, *seen), rate, share, strength)
        full[seen], lost[seen] = p * (1 - chances), p * chances
    return full, _given_the_other(name, lost)


def _given_the_other(name: str, cells: Mapping[Cell, np.ndarray]) -> dict[Any, np.ndarray]:
    """The same chances, added up over what the modality ``name`` tells."""
    place = 1 if name == "image" else 0
    held: dict[Any, np.ndarray] = {}
    for seen, p in cells.items():
        held[seen[place]] = held.get(seen[place], 0) + p
    return held
