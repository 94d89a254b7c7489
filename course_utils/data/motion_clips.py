"""Motion clips: a generated world of short clips with poster, caption and beeps.

``content``: which of four events is a row about? Four senses tell it. In the clip a shape moves;
the poster shows the badge of the troupe that is known for the event; the caption may name it; the
beeps have a tune for it. Each sense is often silent, and often tells another event, the twin; but
the senses have twins of their own. A clip's twin is its time reversal, so that only who sees the
order of the frames tells an event from its twin.

``sentiment``: was the clip liked? It was where its pace is what was promised, rush or rest. The
poster's ground (warm, cool) and a word of the caption promise; neither of them alone, nor the clip
alone, knows anything about that.

``direction``, ``shape`` and ``pace`` ask what the clip itself shows.

Because every clip comes from a process that we wrote, the best accuracy that any model could
reach on ``content`` and ``sentiment`` is known exactly: see ``ceiling``.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.data.motion_pictures import (
    GREY,
    KINDS,
    MOST_CLUTTER,
    POSTER,
    SHAPES,
    SIDE,
    draw_clip,
    draw_poster,
)
from course_utils.data.read_dials import is_number, is_whole, read_dials
from course_utils.data.rows import SPLITS, Rows, count_rows, take

EVENTS = ("clockwise", "anticlockwise", "growing", "shrinking")  # 1 is 0 reversed, 3 is 2
TASKS = {
    "content": EVENTS,
    "sentiment": ("disliked", "liked"),
    "direction": ("forwards", "backwards"),
    "shape": SHAPES,
    "pace": ("slow", "fast"),
}
MODALITIES = {"image": "poster", "frames": "clip", "text": "caption", "audio": "beeps"}
TOLD = {"image": "badge", "frames": "motion", "text": "caption_event", "audio": "tune"}
TWINS = {
    "image": (2, 3, 0, 1),
    "frames": (1, 0, 3, 2),
    "text": (2, 3, 0, 1),
    "audio": (3, 2, 1, 0),
}
SHARES = (0.6, 0.15, 0.25)  # of the splits
NOTHING = len(EVENTS)  # what a silent sense tells of the event
NO_WISH = 2  # a promise that was not made

EVENT_WORDS = (
    ("whirl", "spin", "twirl"),
    ("unwind", "untwist", "uncoil"),
    ("bloom", "swell", "grow"),
    ("fade", "shrink", "dwindle"),
)
WISH_WORDS = (("calm", "rest", "quiet"), ("rush", "race", "thrill"))
FILLERS = (
    *("the", "a", "this", "one", "clip", "here", "now", "with", "some", "more"),
    *("of", "it", "we", "see", "you", "get", "old", "new", "small"),
)
RATE, BEEP, STEP = 8000, 900, 1280  # samples a second, of a beep, from one beep to the next
SOUND = 4 * STEP  # samples of a track
TUNES = ((0, 7, 0, 7), (5, 5, 5, 5), (0, 3, 6, 9), (9, 6, 3, 0))  # in semitones, by event

Columns = dict[str, Any]


@dataclass(frozen=True)
class Dials:
    """What can be turned in the world of motion clips. Rates are shares in [0, 1].

    twin: chance that a sense tells the twin of the row's event, for each sense apart.
    without: chance that a sense is silent about the event: a shape that goes to and fro, a poster
        without badge, a caption without a word for it, a track without beeps.
    without_wish: chance that a caption promises neither rush nor rest; and that a poster is grey.
    sentiment_noise: share of rows whose ``sentiment`` is turned round.
    noise: standard deviation of the pixels' noise in clips and posters, as a share of white.
    clutter: number of meaningless shapes in a clip, which rest, 0 to 7.
    frames: how many frames a clip has, 2 to 64. Sixteen hold about half a turn of a slow clip.
    """

    twin: float = 0.2
    without: float = 0.35
    without_wish: float = 0.12
    sentiment_noise: float = 0.1
    noise: float = 0.12
    clutter: int = 2
    frames: int = 16

    def __post_init__(self) -> None:
        for name in ("twin", "without", "without_wish", "sentiment_noise"):
            share = getattr(self, name)
            if not is_number(share) or not 0 <= share <= 1:
                raise ValueError(f"{name} is a share: give a number from 0 to 1, not {share!r}")
        if not is_number(self.noise) or not 0 <= self.noise < float("inf"):
            raise ValueError(f"noise is a number from 0 up, not {self.noise!r}")
        for name, low, high in (("clutter", 0, MOST_CLUTTER), ("frames", 2, 64)):
            count = getattr(self, name)
            if not is_whole(count) or not low <= count <= high:
                raise ValueError(f"{name} is a whole number from {low} to {high}, not {count!r}")


# --- making rows -----------------------------------------------------------------------------


def make(n: int, seed: int = 0, **dials: Any) -> Rows:
    """Make n clips with what stands beside them; the same n, seed and dials give the same rows.

    Row i does not depend on n, so ``make(100)`` is the beginning of ``make(1000)``.

    Returns Rows: ``clip`` (n, frames, 32, 32) uint8; ``poster`` (n, 48, 48, 3) uint8; ``caption``
    list of n strings; ``beeps`` (n, 5120) int16, 0.64 seconds at 8 kHz; ``content`` (n,) int64,
    index into EVENTS; ``sentiment`` (n,) int64, 1 for liked; ``shape`` (n,) int64, of the clip,
    index into SHAPES; ``pace`` (n,) int64, 1 for fast; ``split`` (n,) of "train", "validation",
    "test". And the truth that a model does not see: ``motion``, ``badge``, ``caption_event`` and
    ``tune`` (n,) int64, the event that each sense tells, or NOTHING; ``poster_wish`` and
    ``caption_wish`` (n,) int64, 0 for rest, 1 for rush, or NO_WISH.

    Raises ValueError for dials out of range or unknown.
    """
    dial = read_dials(Dials, dials, "motion_clips")
    if n < 0:
        raise ValueError(f"n is the number of rows and cannot be {n}")
    truth = throw_labels(n, seed, dial)
    columns = {
        "clip": draw_clips(seed, dial, truth),
        "poster": draw_posters(seed, dial, truth),
        "caption": write_captions(seed, truth),
        "beeps": play_beeps(seed, truth),
    }
    return Rows({**columns, **truth}, EVENTS, modalities=MODALITIES)


def throw_labels(n: int, seed: int, dial: Dials) -> Columns:
    """Labels, splits and the truth behind them, (n,) each."""
    dice = iter(np.random.default_rng([seed, 0]).random((n, 16)).T)
    event = (len(EVENTS) * next(dice)).astype(np.int64)
    told = {}
    for modality, name in TOLD.items():
        said = np.where(next(dice) < dial.twin, np.take(TWINS[modality], event), event)
        told[name] = np.where(next(dice) < dial.without, NOTHING, said)
    pace, wish = (next(dice) < 0.5 for _ in range(2))
    for name in ("poster_wish", "caption_wish"):
        told[name] = np.where(next(dice) < dial.without_wish, NO_WISH, wish)
    turned = next(dice) < dial.sentiment_noise
    split = np.searchsorted(np.cumsum(SHARES)[:-1], next(dice), side="right")
    return {
        "content": event,
        "sentiment": ((pace == wish) ^ turned).astype(np.int64),
        "shape": (len(SHAPES) * next(dice)).astype(np.int64),
        "pace": pace.astype(np.int64),
        "split": np.array(SPLITS)[split],
        **told,
    }


def draw_clips(seed: int, dial: Dials, truth: Columns) -> np.ndarray:
    """The clips, (n, frames, 32, 32) uint8; one that shows an event backwards is played so."""
    clips = np.empty((len(truth["motion"]), dial.frames, SIDE, SIDE), dtype=np.uint8)
    shown = zip(truth["motion"], truth["shape"], truth["pace"], strict=True)
    for row, (motion, shape, fast) in enumerate(shown):
        rng = np.random.default_rng([seed, 1, row])
        kind = None if motion == NOTHING else KINDS[motion // 2]
        clip = draw_clip(rng, kind, int(shape), bool(fast), noise=dial.noise,
                         clutter=dial.clutter, frames=dial.frames)  # fmt: skip
        clips[row] = clip[::-1] if motion in (1, 3) else clip
    return clips


def draw_posters(seed: int, dial: Dials, truth: Columns) -> np.ndarray:
    """The posters, (n, 48, 48, 3) uint8."""
    posters = np.empty((len(truth["badge"]), POSTER, POSTER, 3), dtype=np.uint8)
    for row, (badge, wish) in enumerate(zip(truth["badge"], truth["poster_wish"], strict=True)):
        rng = np.random.default_rng([seed, 2, row])
        shown = None if badge == NOTHING else int(badge)
        ground = GREY if wish == NO_WISH else int(wish)
        posters[row] = draw_poster(rng, shown, ground, dial.noise)
    return posters


def write_captions(seed: int, truth: Columns) -> list[str]:
    """The captions: three to six fillers, and among them a word for the event and for the wish."""
    captions = []
    for row, told in enumerate(zip(truth["caption_event"], truth["caption_wish"], strict=True)):
        rng = np.random.default_rng([seed, 3, row])
        words = [FILLERS[k] for k in rng.integers(0, len(FILLERS), int(rng.integers(3, 7)))]
        for which, nouns in zip(told, (EVENT_WORDS, WISH_WORDS), strict=True):
            place, pick = int(rng.integers(0, len(words) + 1)), int(rng.integers(0, 3))
            if which < len(nouns):
                words.insert(place, nouns[which][pick])
        captions.append(" ".join(words))
    return captions


def play_beeps(seed: int, truth: Columns) -> np.ndarray:
    """The tracks, (n, 5120) int16: four beeps in a little noise, at a pitch of the row's own."""
    tracks = np.empty((len(truth["tune"]), SOUND), dtype=np.int16)
    time, swell = np.arange(BEEP) / RATE, 0.3 * np.hanning(BEEP)
    for row, tune in enumerate(truth["tune"]):
        rng = np.random.default_rng([seed, 4, row])
        track = 0.02 * rng.standard_normal(SOUND)
        lowest, late = rng.uniform(400, 800), rng.integers(0, STEP - BEEP, 4)
        if tune != NOTHING:
            for beep, semitones in enumerate(TUNES[tune]):
                start = beep * STEP + late[beep]
                wave = np.sin(2 * np.pi * lowest * 2 ** (semitones / 12) * time)
                track[start : start + BEEP] += swell * wave
        tracks[row] = np.rint(32767 * track.clip(-1, 1))
    return tracks


# --- the rows of a task ----------------------------------------------------------------------


def rows_for(rows: Rows, task: str, split: str | None = None) -> Rows:
    """The rows of one task, and of one split; ``label`` is that of the task.

    ``direction`` has the rows alone whose clip shows an event.

    Raises ValueError for an unknown task.
    """
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; there are {', '.join(TASKS)}")
    if split is not None:
        rows = take(rows, np.asarray(rows["split"]) == split)
    if task == "direction":
        rows = take(rows, np.asarray(rows["motion"]) != NOTHING)
        rows = rows | {"direction": rows["motion"] % 2}
    chosen = rows | {"label": rows[task]}
    chosen.classes = TASKS[task]
    return chosen


CLIP_COLUMNS = ("clip", "motion", "shape", "pace", "split")


def with_reversals(rows: Rows) -> Rows:
    """The clips that show an event, and behind each the same clip with its last frame first.

    So of each two rows every frame is in both, and whoever does not see the order of the frames
    says the same of both: of two directions one answer is right, exactly half. Poster, caption,
    beeps and their labels do not fit a clip that was turned round and are left out.
    """
    moving = take(rows, np.asarray(rows["motion"]) != NOTHING)
    twice = {name: np.repeat(moving[name], 2, axis=0) for name in CLIP_COLUMNS}
    twice["clip"][1::2] = twice["clip"][1::2, ::-1]
    twice["motion"][1::2] = np.take(TWINS["frames"], twice["motion"][1::2])
    return Rows({**twice, "label": twice["motion"]}, EVENTS, modalities={"frames": "clip"})


# --- the best that can be done ---------------------------------------------------------------


class Sources(dict[str, np.ndarray]):
    """P(what a sense tells | what is behind it), {modality: (causes, tellings)}, and the label's.

    label: P(label, cause), (labels, causes), sum 1.
    """

    def __init__(self, tables: Mapping[str, np.ndarray], label: np.ndarray):
        super().__init__(tables)
        self.label = label

    def joint(self, names: Sequence[str]) -> np.ndarray:
        """P(label, what these senses tell), (labels, tellings of the first, of the second, ...).

        Given their cause the senses tell what they tell independently of each other.
        """
        chances = self.label.T  # (causes, labels)
        for name in names:
            table = self[name].reshape(len(self[name]), *[1] * (chances.ndim - 1), -1)
            chances = chances[..., None] * table
        return chances.sum(axis=0)


def sources(task: str, dial: Dials, ordered: bool = True) -> Sources:
    """What the senses tell of a task. Raises ValueError for a task without a ceiling."""
    if task == "content":
        tables = {name: event_chances(TWINS[name], dial) for name in TWINS}
        if not ordered:
            seen = tables["frames"]
            tables["frames"] = np.stack([seen[:, 0] + seen[:, 1], seen[:, 2] + seen[:, 3],
                                         seen[:, NOTHING]], axis=1)  # fmt: skip
        return Sources(tables, np.eye(len(EVENTS)) / len(EVENTS))
    if task != "sentiment":
        raise ValueError(f"there is no ceiling of {task!r}, only of content and sentiment; what "
                         "the clip itself shows can be read off it, noise apart")  # fmt: skip
    pace, wish = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])  # four causes
    promised = (1 - dial.without_wish) * np.eye(3)[wish] + dial.without_wish * np.eye(3)[[2] * 4]
    liked = np.where(pace == wish, 1 - dial.sentiment_noise, dial.sentiment_noise)
    tables = {"image": promised, "frames": np.eye(2)[pace], "text": promised,
              "audio": np.ones((4, 1))}  # fmt: skip
    return Sources(tables, np.stack([1 - liked, liked]) / 4)


def event_chances(twins: Sequence[int], dial: Dials) -> np.ndarray:
    """P(event that a sense tells | event), (4, 5); the last column is NOTHING."""
    chances = np.zeros((len(EVENTS), len(EVENTS) + 1))
    events = np.arange(len(EVENTS))
    chances[events, events] = (1 - dial.twin) * (1 - dial.without)
    chances[events, np.array(twins)] += dial.twin * (1 - dial.without)
    chances[:, NOTHING] = dial.without
    return chances


def subsets(names: Sequence[str] = tuple(MODALITIES)) -> Iterator[tuple[str, ...]]:
    """Every choice of one or more of these, the smaller ones first."""
    for count in range(1, len(names) + 1):
        yield from itertools.combinations(names, count)


def ceiling(task: str = "content", ordered: bool = True, **dials: Any) -> dict[str, float]:
    """The best accuracy that any model could reach from each choice of senses, by name.

    {"chance": ..., "image": ..., "image + frames": ..., ...}, the senses in the order of
    MODALITIES. ``chance`` is what always naming the commonest label gives.
    ordered: False for readers who see a clip's frames and not in which order they come (the kind of
        event shows, its direction does not; that pace can be read without the order is granted).

    Exact: the chance of the likeliest label, added up over all that can be told (Bayes' rule). It
    assumes a reader who recognises all that is there, so noise can keep a model below it, never
    lift one above it.

    Raises ValueError for a dial that is unknown, and for a task without a ceiling.
    """
    told = sources(task, read_dials(Dials, dials, "motion_clips"), ordered)
    best = {" + ".join(names): told.joint(names).max(axis=0).sum() for names in subsets()}
    return {name: float(one) for name, one in {"chance": told.label.sum(1).max(), **best}.items()}


def posteriors(rows: Rows, task: str = "content", **dials: Any) -> dict[str, np.ndarray]:
    """P(label | what is told) of each row, for each choice of senses: {name: (n, classes)}.

    It looks at the rows' ground truth in place of pixels, words and samples, and needs the dials
    that the rows were made with.

    Raises ValueError as ``ceiling`` does.
    """
    told = sources(task, read_dials(Dials, dials, "motion_clips"))
    columns = TOLD
    if task == "sentiment":
        columns = {"image": "poster_wish", "frames": "pace", "text": "caption_wish"}
    silent = np.zeros(count_rows(rows), dtype=np.int64)
    found = {}
    for names in subsets():
        seen = tuple(rows[columns[name]] if name in columns else silent for name in names)
        chances = told.joint(names)[(slice(None), *seen)].T
        found[" + ".join(names)] = chances / chances.sum(axis=1, keepdims=True)
    return found
