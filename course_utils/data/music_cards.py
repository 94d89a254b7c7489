"""Music cards: a generated world of album covers with clips of sound, and what can be done in it.

Two tasks. ``genre``: waltz, folk, jazz, rock or techno? A cover is often drawn in the style of
another genre, its twin, and a clip is often played in that of another; but the twins of covers are
not those of clips, so cover and clip together tell nearly always. ``review``: was the card liked?
It was where the moods of cover and clip agree, bright with lively or dark with calm; neither of
them alone knows anything about that.

Because every card comes from a process that we wrote, the best accuracy that any model could
reach is known exactly: see ``ceiling``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from course_utils.data.music_clips import SAMPLES, even_out, murmur, play
from course_utils.data.music_covers import MOST_CLUTTER, MOST_DICE, SIZE, draw_cover
from course_utils.data.read_dials import is_number, is_whole, read_dials
from course_utils.data.rows import SPLITS, Rows, take
from course_utils.sound import mix_at_snr

GENRES = ("waltz", "folk", "jazz", "rock", "techno")
TASKS = {"genre": GENRES, "review": ("disliked", "liked")}  # and what their labels mean
MODALITIES = {"image": "cover", "audio": "clip"}
SHARES = (0.6, 0.15, 0.25)  # of the splits
COVER_TWIN = (1, 0, 3, 2, 4)  # waltz and folk, jazz and rock; techno has none
SOUND_TWIN = (0, 2, 1, 4, 3)  # folk and jazz, rock and techno; waltz has none
NOTHING = len(GENRES)  # what a cover without a motif shows, and a clip without music

Columns = dict[str, Any]


@dataclass(frozen=True)
class Dials:
    """What can be turned in the world of music cards. Rates are shares in [0, 1].

    cover_twin: chance that a cover is drawn in the style of its genre's twin. Techno has none.
    sound_twin: chance that a clip is played in the style of its genre's twin. Waltz has none.
    without_motif: share of covers without a motif; their colours tell the mood all the same.
    without_music: share of clips that hold a room's murmur alone, and tell neither style nor mood.
    image_noise: standard deviation of the pixels' noise, as a share of white.
    clutter: number of meaningless shapes on a cover, 0 to 7.
    snr: signal-to-noise ratio of the clips in decibels; of two numbers, each clip's own lies
        anywhere between them.
    review_noise: share of rows whose ``review`` is turned round.
    """

    cover_twin: float = 0.35
    sound_twin: float = 0.35
    without_motif: float = 0.12
    without_music: float = 0.12
    image_noise: float = 0.1
    clutter: int = 3
    snr: float | tuple[float, float] = 20.0
    review_noise: float = 0.1

    def __post_init__(self) -> None:
        for name in ("cover_twin", "sound_twin", "without_motif", "without_music", "review_noise"):
            share = getattr(self, name)
            if not is_number(share) or not 0 <= share <= 1:
                raise ValueError(f"{name} is a share: give a number from 0 to 1, not {share!r}")
        noise = self.image_noise
        if not is_number(noise) or not 0 <= noise < float("inf"):
            raise ValueError(f"image_noise is a number from 0 up, not {noise!r}")
        shapes = self.clutter
        if not is_whole(shapes) or not 0 <= shapes <= MOST_CLUTTER:
            raise ValueError(f"clutter is a whole number from 0 to {MOST_CLUTTER}, not {shapes!r}")
        ends = self.snr if isinstance(self.snr, tuple | list) else (self.snr, self.snr)
        fit = len(ends) == 2 and all(is_number(end) and abs(end) <= 100 for end in ends)
        if not fit or ends[0] > ends[1]:
            raise ValueError("snr is a number of decibels from -100 to 100, or two of them, the "
                             f"smaller first; it is {self.snr!r}")  # fmt: skip

    @property
    def snr_ends(self) -> tuple[float, float]:
        """The smallest and the largest signal-to-noise ratio, in decibels."""
        return tuple(self.snr) if isinstance(self.snr, tuple | list) else (self.snr, self.snr)


# --- making cards ----------------------------------------------------------------------------


def make(n: int, seed: int = 0, **dials: Any) -> Rows:
    """Make n music cards; the same n, seed and dials always give the same cards.

    Card i does not depend on n, so ``make(100)`` is the beginning of ``make(1000)``.

    Returns Rows: ``cover`` (n, 48, 48, 3) uint8; ``clip`` (n, 12000) int16, 1.5 seconds at 8 kHz as
    a WAV file holds them; ``genre`` (n,) int64, index into GENRES; ``review`` (n,) int64, 1 for
    liked; ``split`` (n,) of "train", "validation", "test". And the truth that a model does not see:
    ``cover_style`` and ``sound_style`` (n,) int64, index into GENRES, or NOTHING; ``bright`` and
    ``lively`` (n,) int64, the moods of cover and clip, 0 or 1; ``snr`` (n,) float, decibels.

    Raises ValueError for dials out of range or unknown.
    """
    dial = read_dials(Dials, dials, "music_cards")
    if n < 0:
        raise ValueError(f"n is the number of cards and cannot be {n}")
    truth = throw_labels(n, seed, dial)
    columns = {"cover": draw_covers(seed, dial, truth), "clip": play_clips(seed, truth), **truth}
    return Rows(columns, GENRES, modalities=MODALITIES)


def throw_labels(n: int, seed: int, dial: Dials) -> Columns:
    """Labels, splits and the truth behind them, (n,) each."""
    dice = np.random.default_rng([seed, 0]).random((n, 10)).T
    genre = (len(GENRES) * dice[0]).astype(np.int64)
    cover = np.where(dice[1] < dial.cover_twin, np.take(COVER_TWIN, genre), genre)
    sound = np.where(dice[2] < dial.sound_twin, np.take(SOUND_TWIN, genre), genre)
    bright, lively = dice[5] < 0.5, dice[6] < 0.5
    low, high = dial.snr_ends
    split = np.searchsorted(np.cumsum(SHARES)[:-1], dice[9], side="right")
    return {
        "genre": genre,
        "review": ((bright == lively) ^ (dice[7] < dial.review_noise)).astype(np.int64),
        "split": np.array(SPLITS)[split],
        "cover_style": np.where(dice[3] < dial.without_motif, NOTHING, cover),
        "sound_style": np.where(dice[4] < dial.without_music, NOTHING, sound),
        "bright": bright.astype(np.int64),
        "lively": lively.astype(np.int64),
        "snr": low + (high - low) * dice[8],
    }


def draw_covers(seed: int, dial: Dials, truth: Columns) -> np.ndarray:
    """The covers, (n, 48, 48, 3) uint8, with their noise."""
    n = len(truth["genre"])
    covers = np.empty((n, SIZE, SIZE, 3), dtype=np.uint8)
    dice = np.random.default_rng([seed, 1]).random((n, MOST_DICE)).tolist()
    for row, (style, bright) in enumerate(zip(truth["cover_style"], truth["bright"], strict=True)):
        shown = None if style == NOTHING else int(style)
        covers[row] = np.asarray(draw_cover(iter(dice[row]), shown, bool(bright), dial.clutter))
    if dial.image_noise == 0 or n == 0:
        return covers
    grain = np.random.default_rng([seed, 2]).standard_normal(covers.shape, dtype=np.float32)
    grain *= 255 * dial.image_noise
    grain += covers
    return np.clip(grain, 0, 255, out=grain).astype(np.uint8)


def play_clips(seed: int, truth: Columns) -> np.ndarray:
    """The clips with their noise, (n, SAMPLES) int16, all about as loud."""
    clips = np.empty((len(truth["genre"]), SAMPLES), dtype=np.int16)
    told = zip(truth["sound_style"], truth["lively"], truth["snr"], strict=True)
    for row, (style, lively, snr) in enumerate(told):
        rng = np.random.default_rng([seed, 3, row])
        sound = murmur(rng) if style == NOTHING else play(rng, int(style), bool(lively))
        hiss = np.random.default_rng([seed, 4, row]).standard_normal(SAMPLES, dtype=np.float32)
        mixed = mix_at_snr(torch.from_numpy(sound), torch.from_numpy(hiss), float(snr))
        clips[row] = np.clip(np.rint(32768 * even_out(mixed.numpy())), -32768, 32767)
    return clips


def rows_for(rows: Rows, task: str, split: str | None = None) -> Rows:
    """The rows of one task, and of one split; ``label`` is that of the task.

    Raises ValueError for an unknown task.
    """
    check_task(task)
    if split is not None:
        rows = take(rows, np.asarray(rows["split"]) == split)
    chosen = rows | {"label": rows[task]}
    chosen.classes = TASKS[task]
    return chosen


def check_task(task: str) -> None:
    """Raises ValueError, in a sentence, for an unknown task."""
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; there are {' and '.join(TASKS)}")


# --- the best that can be done ---------------------------------------------------------------


def style_chances(twins: tuple[int, ...], twin: float, without: float) -> np.ndarray:
    """P(style that is seen or heard | genre), (5, 6); the last column is NOTHING."""
    genres = np.arange(len(GENRES))
    chances = np.zeros((len(GENRES), len(GENRES) + 1))
    np.add.at(chances, (genres, genres), (1 - twin) * (1 - without))
    np.add.at(chances, (genres, np.array(twins)), twin * (1 - without))
    chances[:, NOTHING] = without
    return chances


def joint_chances(task: str, dial: Dials) -> np.ndarray:
    """P(label, what the cover tells, what the clip tells), (labels, covers, clips), sum 1.

    Of ``genre`` they tell a style, or NOTHING. Of ``review`` they tell a mood, 0 or 1; a clip
    without music tells none, 2.
    """
    check_task(task)
    if task == "genre":
        cover = style_chances(COVER_TWIN, dial.cover_twin, dial.without_motif)
        sound = style_chances(SOUND_TWIN, dial.sound_twin, dial.without_music)
        return cover[:, :, None] * sound[:, None, :] / len(GENRES)
    joint = np.zeros((2, 2, 3))
    for bright in (0, 1):
        for lively in (0, 1):
            label = int(bright == lively)
            for told, heard in ((label, 1 - dial.review_noise), (1 - label, dial.review_noise)):
                joint[told, bright, lively] += heard * (1 - dial.without_music) / 4
                joint[told, bright, 2] += heard * dial.without_music / 4
    return joint


def ceiling(task: str = "genre", **dials: Any) -> dict[str, float]:
    """The best accuracy that any model could reach from the cover, the clip, and both.

    Computed exactly from the generating process, by adding up the chance of the likeliest label
    over all that can be seen and heard (Bayes' rule). It assumes a reader who recognises every
    motif, style and mood that is there, so noise can keep a model below it, never lift one above
    it. ``chance`` is what always naming the commonest label gives.

    Raises ValueError for an unknown task or dial.
    """
    joint = joint_chances(task, read_dials(Dials, dials, "music_cards"))
    return {
        "chance": float(joint.sum(axis=(1, 2)).max()),
        "image": float(joint.sum(axis=2).max(axis=0).sum()),
        "audio": float(joint.sum(axis=1).max(axis=0).sum()),
        "both": float(joint.max(axis=0).sum()),
    }


def posteriors(rows: Rows, task: str = "genre", **dials: Any) -> dict[str, np.ndarray]:
    """P(label | what is seen and heard) of each row, for image, audio, and both: (n, C) each.

    It looks at the rows' ground truth in place of pixels and samples, and needs the dials that the
    rows were made with.

    Raises ValueError for an unknown task or dial.
    """
    joint = joint_chances(task, read_dials(Dials, dials, "music_cards"))
    cover, clip = rows["cover_style"], rows["sound_style"]
    if task == "review":
        cover, clip = rows["bright"], np.where(clip == NOTHING, 2, rows["lively"])
    seen = {
        "image": joint.sum(axis=2)[:, cover],
        "audio": joint.sum(axis=1)[:, clip],
        "both": joint[:, cover, clip],
    }
    return {reader: (chances / chances.sum(axis=0)).T for reader, chances in seen.items()}


def oracle(rows: Rows, task: str = "genre", **dials: Any) -> dict[str, np.ndarray]:
    """What the best reader of the image, the audio, and both would answer, (n,) each.

    The likeliest label by ``posteriors``, the smaller number of two that are equally likely.
    """
    likely = posteriors(rows, task, **dials)
    # Ties are rounded alike, or the last bit of a division would decide them.
    return {reader: chances.round(9).argmax(axis=1) for reader, chances in likely.items()}


def names_of(styles: Any) -> Iterator[str]:
    """The names of styles, index into GENRES, or "nothing"."""
    return ((*GENRES, "nothing")[style] for style in styles)
