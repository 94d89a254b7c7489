"""Generated headlines whose label is in the order of their words and nowhere else.

"lions beat tigers" and "tigers beat lions" hold the same words; who won is told by their order.
Every headline has a *twin* with the two teams exchanged, in the same split, so the two classes have
exactly equal bags of words: whatever looks at words without their order is right on half of them.
"""

import numpy as np

from course_utils.data.rows import SPLITS, Rows

TEAMS = ("lions", "tigers")
FILLERS = (
    "again", "at", "clearly", "home", "in", "late", "longer", "match", "narrowly", "new", "old",
    "on", "rain", "season", "since", "still", "summer", "the", "today", "with", "without", "young",
)  # fmt: skip
SHARES = (0.6, 0.15, 0.25)  # of the splits


def make(n: int, seed: int = 0) -> Rows:
    """n headlines about who beat whom: ``headline``, ``winner``, ``label``, ``split`` and ``pair``.

    winner (n,) int64: 0 where the lions won, 1 where the tigers did, half of each; it is the label.
    pair (n,) int64: the same number for a headline and its twin, which stand next to each other.
    Up to two filler words stand before, between and after the three that matter, 3 to 11 in all.

    Raises ValueError when n is not a positive even number: twins come in pairs.
    """
    if n < 2 or n % 2:
        raise ValueError(f"n is a positive even number, since headlines come in pairs, not {n}")
    rng = np.random.default_rng(seed)
    headlines: list[str] = []
    for _ in range(n // 2):
        before, first, second, after = (
            list(rng.choice(FILLERS, size=count)) for count in rng.integers(0, 3, size=4)
        )
        for winner, loser in (TEAMS, TEAMS[::-1]):
            words = [*before, winner, *first, "beat", *second, loser, *after]
            headlines.append(" ".join(words))
    winner = np.tile(np.array([0, 1], dtype=np.int64), n // 2)
    columns = {
        "headline": headlines,
        "winner": winner,
        "label": winner,
        "pair": np.repeat(np.arange(n // 2), 2),
        "split": np.repeat(rng.choice(SPLITS, size=n // 2, p=SHARES), 2),
    }
    return Rows(columns, TEAMS, modalities={"text": "headline"})
