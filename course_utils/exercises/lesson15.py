"""The exercises of lesson 15, Image and video."""

import functools
import io
import math
import tempfile
import wave
from pathlib import Path

import numpy as np
import torch
from torch import nn

from course_utils import video
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit

# --- sample_frames ---------------------------------------------------------------------------


def sampled_evenly(frames, count):
    """The reference: the middle frame of each of ``count`` equal segments."""
    return video.sample_frames(frames, count)


def clip_cases(rng):
    """Clips (F, ...) of many and of few frames, fewer than are asked for, and one alone."""
    for total, count, *shape in [
        *[(16, 4, 2, 3), (9, 4), (5, 5, 1, 2), (3, 8, 2), (1, 3, 1), (24, 1, 2, 2), (11, 6, 3)],
    ]:
        yield torch.rand(total, *shape, generator=rng), count


def taken_at(places):
    """A way to sample: ``places(total, count)`` says which frames, as floats or whole numbers."""

    def sampled(frames, count):
        return frames[places(len(frames), count).long()]

    return sampled


def middles_in_words(frames, count):
    return torch.stack([frames[int((k + 0.5) * len(frames) / count)] for k in range(count)])


sample_frames = Exercise(
    reference=sampled_evenly,
    cases=clip_cases,
    also_right=(
        middles_in_words,
        taken_at(lambda total, count: (torch.arange(count).double() + 0.5) * total / count),
        taken_at(lambda total, count: (2 * torch.arange(count) + 1) * total // (2 * count)),
    ),
    hints=(
        "Segment k runs from k F / count to (k + 1) F / count. Where is its middle?",
        "`torch.arange(count)` holds every k. Cut each middle down with `.long()`, and use the "
        "result as an index: `frames[places]`.",
    ),
    mistakes=(
        Mistake(
            taken_at(lambda total, count: torch.linspace(0, total - 1, count)),
            "`linspace(0, F - 1, count)` takes the very ends of the clip. Take the middle of each "
            "of `count` equal segments.",
        ),
        Mistake(
            taken_at(lambda total, count: torch.arange(count) * total // count),
            "You took the first frame of each segment. Take the one in its middle.",
        ),
        Mistake(
            taken_at(lambda total, count: ((torch.arange(count) + 1) * total - 1) // count),
            "You took the last frame of each segment. Take the one in its middle.",
        ),
        Mistake(
            lambda frames, count: frames[:count],
            "These are the first `count` frames. What happens later is not seen: spread them over "
            "the clip.",
        ),
        Mistake(
            lambda frames, count: frames[:: max(len(frames) // count, 1)][:count],
            "A step of F // count leaves out the end of the clip. Compute each place from F / "
            "count, and cut down last.",
        ),
        Mistake(
            lambda frames, count: sampled_evenly(frames, min(count, len(frames))),
            "A clip of fewer frames than `count` should still give `count`: some come twice.",
        ),
        Mistake(
            taken_at(
                lambda total, count: (
                    ((torch.arange(count).double() + 0.5) * total / count)
                    .round()
                    .clamp(max=total - 1)
                )
            ),
            "You rounded. A middle at 3.9 lies in frame 3, which lasts from 3 to 4: cut it down.",
        ),
    ),
)


# --- frame_difference ------------------------------------------------------------------------


def batch_cases(rng):
    """Clips (B, F, ...) of both orders of B and F, with axes of size 1, and two frames alone."""
    for shape in [(2, 4, 1, 3, 3), (1, 3, 2, 2, 3), (3, 2, 1, 1, 2), (4, 6, 2), (2, 3)]:
        yield (torch.rand(shape, generator=rng),)


def differences_by_loop(frames):
    return torch.stack([frames[:, k] - frames[:, k - 1] for k in range(1, frames.shape[1])], dim=1)


frame_difference = Exercise(
    reference=video.frame_difference,
    cases=batch_cases,
    also_right=(lambda frames: torch.diff(frames, dim=1), differences_by_loop),
    hints=(
        "Take all frames but the first, and all but the last, along axis 1.",
        "`frames[:, 1:]` holds each frame's successor in `frames[:, :-1]`.",
    ),
    mistakes=(
        Mistake(
            lambda frames: (frames[:, 1:] - frames[:, :-1]).abs(),
            "Without the sign an edge that comes looks like one that goes. Keep the sign.",
        ),
        Mistake(
            lambda frames: frames[:, :-1] - frames[:, 1:],
            "Your sign is turned round: each frame less the one *before* it.",
        ),
        Mistake(
            lambda frames: frames[1:] - frames[:-1],
            "You subtracted clips from each other: axis 0 is the batch. Time is axis 1.",
        ),
        Mistake(
            lambda frames: frames[:, 1:] - frames[:, :1],
            "You subtracted the first frame from all. Subtract the one just before.",
        ),
        Mistake(
            lambda frames: torch.diff(frames, dim=1, prepend=frames[:, :1]),
            "You kept F frames, the first of them zeros. F frames have F - 1 differences.",
        ),
        Mistake(
            lambda frames: (frames[:, 1:] - frames[:, :-1]).square(),
            "You squared the differences, so their sign is lost. Leave them as they are.",
        ),
        Mistake(
            lambda frames: frames[:, 1:] - frames.mean(dim=1, keepdim=True),
            "You subtracted the clip's mean frame. Subtract the frame just before.",
        ),
    ),
)


# --- reversal_gap ----------------------------------------------------------------------------


class InTime(nn.Module):
    """Frames summed with a weight for each moment and place: (B, F, ...) -> (B, places)."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", weight)  # (F, places of a frame)

    def forward(self, frames):
        return (frames.flatten(start_dim=2) * self.weight).sum(dim=1)


def gap_cases(rng):
    """Readers that know time and one that does not, clips that grow lighter, B unlike F."""
    for b, f, *shape in [(3, 4, 1, 2, 2), (1, 3, 2, 1, 2), (4, 2, 1, 3, 1)]:
        weight = torch.randn(f, math.prod(shape), generator=rng)
        yield InTime(weight), torch.rand(b, f, *shape, generator=rng)
    frames = torch.rand(2, 5, 1, 2, 2, generator=rng)
    yield InTime(torch.ones(5, 4) / 5), frames
    # Lighter and lighter, and early frames count more: backwards all numbers are larger.
    steps = torch.arange(5.0)[:, None]
    rising = frames / 10 + steps.view(5, 1, 1, 1)
    yield InTime((4 - steps).expand(5, 4) + torch.rand(1, 4, generator=rng)), rising


def gap_with(change, of=lambda gap: gap.abs().max()):
    """The gap with something changed: what is compared with the clips, and what is told of it."""

    def gap_of(call, frames):
        with torch.no_grad():
            return of(call(frames) - call(change(frames))).item()

    return gap_of


def turned(frames):
    return frames.flip(1)


def gap_by_index(call, frames):
    places = torch.arange(frames.shape[1] - 1, -1, -1)
    with torch.no_grad():
        gap = call(frames) - call(frames[:, places])
    return max(gap.max().item(), -gap.min().item())


def gap_of_the_answer(call, frames):
    with torch.no_grad():
        answer = call(frames)
        return (answer - answer.flip(1)).abs().max().item()


reversal_gap = Exercise(
    reference=video.reversal_gap,
    cases=gap_cases,
    also_right=(gap_with(turned), gap_by_index),
    hints=(
        "A tensor is turned round along an axis by `.flip(axis)`. Which axis is time?",
        "Call it on both, subtract, then `.abs().max().item()`, all inside `torch.no_grad()`.",
    ),
    mistakes=(
        Mistake(
            gap_with(lambda frames: frames.flip(0)),
            "You turned the batch round, axis 0: then each clip is compared with another one. Time "
            "is axis 1.",
        ),
        Mistake(
            gap_with(turned, lambda gap: gap.max()),
            "A large negative difference is a gap, too: take `.abs()` before the maximum.",
        ),
        Mistake(
            gap_with(turned, lambda gap: gap.abs().mean()),
            "This is the mean difference. Take the largest: one number that differs is enough.",
        ),
        Mistake(
            gap_with(lambda frames: frames.flip(-1)),
            "You mirrored the pictures: the last axis is their width. Time is axis 1.",
        ),
        Mistake(
            gap_with(lambda frames: frames.roll(1, dims=1)),
            "You moved the frames on by one place. Turn their order round: `.flip(1)`.",
        ),
        Mistake(
            gap_with(turned, lambda gap: gap.abs().sum()),
            "You added the differences up. Take the largest.",
        ),
        Mistake(
            gap_with(turned, lambda gap: gap.square().max()),
            "You squared the difference. Take its size, `.abs()`.",
        ),
        Mistake(
            gap_of_the_answer,
            "You turned the answer round, not the clip: call it on `frames.flip(1)`.",
        ),
    ),
)


# --- temporal_pool ---------------------------------------------------------------------------


def pool_cases(rng):
    """Vectors (B, F, dim) with padding behind and between; all real ones of one clip negative."""
    for shape, how in [((3, 5, 2), "mean"), ((3, 5, 2), "max"), ((1, 4, 3), "mean"),
                       ((1, 4, 3), "max"), ((4, 3, 1), "max"), ((2, 1, 2), "mean")]:  # fmt: skip
        vectors = torch.randn(shape, generator=rng)
        real = torch.rand(shape[:2], generator=rng) < 0.6
        real[:, 0] = True
        if shape[1] > 1:
            real[1:2] = True
            real[0, -1] = False  # so that in each case something is padding, and counts differ
        vectors[0] = -1 - vectors[0].abs()
        # What stands at padding is anything: here larger than all that is real.
        yield torch.where(real[..., None], vectors, 3 + vectors.abs()), real, how
    # All that is real lies far below zero: no small number at padding is low enough.
    low = torch.rand(2, 4, 3, generator=rng) - 50_000
    yield low, torch.tensor([[True, True, False, False], [True, False, True, True]]), "max"


def pooled(mean=None, top=None):
    """Pooling with another mean, or another maximum."""

    def pool(vectors, real, how="mean"):
        other = mean if how == "mean" else top
        return other(vectors, real) if other else video.temporal_pool(vectors, real, how)

    return pool


def by_products(vectors, real, how="mean"):
    if how == "max":
        return torch.where(real[..., None], vectors, -torch.inf).max(dim=1).values
    weight = real.to(vectors)[..., None]
    return (vectors * weight).sum(dim=1) / weight.sum(dim=1)


def pooled_one_by_one(vectors, real, how="mean"):
    found = [
        clip[own].mean(dim=0) if how == "mean" else clip[own].amax(dim=0)
        for clip, own in zip(vectors, real, strict=True)
    ]
    return torch.stack(found)


def filled_with(low):
    """A maximum for which padding holds a number that is low, and not low enough."""
    return pooled(
        top=lambda vectors, real: vectors.masked_fill(~real[..., None], low).amax(dim=1),
    )


def first_moments(vectors, real, how="mean"):
    count = real.sum(dim=1, keepdim=True)
    return video.temporal_pool(vectors, torch.arange(real.shape[1]) < count, how)


_TOO_HIGH = (
    "For the maximum a finite number stands at padding. Where all real numbers lie below it, it "
    "wins: put -inf there."
)


def upside_down(vectors, real, how="mean"):
    padding = ~real
    padding[:, 0] |= ~padding.any(dim=1)  # a clip without padding would have nothing left
    return video.temporal_pool(vectors, padding, how)


temporal_pool = Exercise(
    reference=video.temporal_pool,
    cases=pool_cases,
    also_right=(by_products, pooled_one_by_one),
    hints=(
        "`real[..., None]` is (B, F, 1) and fits the vectors. What should stand at padding so that "
        "a sum does not notice it? And a maximum?",
        "Mean: `masked_fill(~real[..., None], 0)`, sum over axis 1, divided by how many are real. "
        "Max: fill with `-torch.inf`, then `amax(dim=1)`.",
    ),
    mistakes=(
        Mistake(
            pooled(lambda vectors, real: vectors.mean(dim=1), lambda v, real: v.amax(dim=1)),
            "Padding counts like a frame. Only frames where `real` is True should.",
        ),
        Mistake(
            pooled(lambda vectors, real: (vectors * real[..., None]).mean(dim=1)),
            "You divided by F. Divide by how many frames of the clip are real.",
        ),
        Mistake(
            pooled(top=lambda vectors, real: (vectors * real[..., None]).amax(dim=1)),
            "For the maximum you put 0 at padding. Where all real numbers are negative, 0 wins: "
            "put -inf there.",
        ),
        Mistake(
            lambda vectors, real, how="mean": video.temporal_pool(vectors, real, "mean"),
            'You always took the mean. With how="max" the maximum is due.',
        ),
        Mistake(
            pooled(
                lambda vectors, real: (
                    (vectors * real[..., None]).sum(dim=1) / real.sum() * len(real)
                )
            ),
            "You divided all clips by one number. Each has its own count of real frames.",
        ),
        Mistake(
            upside_down,
            "Your mask is upside down: `real` is True where a frame counts.",
        ),
        Mistake(
            pooled(lambda vectors, real: (vectors * real[..., None]).sum(dim=1)),
            "You added the vectors up. Divide by how many are real.",
        ),
        *(Mistake(filled_with(low), _TOO_HIGH) for low in (-10, -100, -1000, -10_000)),
        Mistake(
            first_moments,
            "You counted the real moments and took so many from the front. `real` says which ones: "
            "padding may stand between them.",
        ),
    ),
)


# --- order_for_nothing: break this claim -----------------------------------------------------

SAME, MORE = 0.001, 0.05


def no_share(dials):
    """A sentence on what are no shares, or None."""
    if problem := other_names(dials, "twin", "without"):
        return problem
    for name, value in dials.items():
        try:
            good = not isinstance(value, str) and 0 <= float(value) <= 1
        except Exception:  # whatever the learner's object raises
            good = False
        if not good:
            return f"{name} is {value!r}; it is a share, a number from 0 to 1."
    return None


@functools.lru_cache(maxsize=100)
def pair_ceilings(twin, without):
    """What can be known from the poster, from both, and from both without the clip's order."""
    from course_utils.data import motion_clips

    told = motion_clips.ceiling(twin=twin, without=without)
    blind = motion_clips.ceiling(twin=twin, without=without, ordered=False)
    return told["image"], told["image + frames"], blind["image + frames"]


def order_is_worth_nothing(dials, seed):
    """Whether the clip helps the poster, and its order adds nothing. Exact: no seed is drawn."""
    if problem := no_share(dials):
        return problem
    poster, ordered, blind = pair_ceilings(*(float(dials[name]) for name in ("twin", "without")))
    numbers = (
        f"poster alone {poster:.3f}, poster and clip {ordered:.3f} with the order of the frames "
        f"and {blind:.3f} without"
    )
    if ordered - blind > SAME:
        return (
            f"Not yet: the order still adds {ordered - blind:.3f}, and at most {SAME} is asked for "
            f"({numbers})."
        )
    if ordered - poster < MORE:
        return (
            f"There the clip hardly helps at all, in any order: it adds {ordered - poster:.3f} to "
            f"the poster, and {MORE} is asked for ({numbers})."
        )
    return Broken(numbers)


order_for_nothing = Exercise(
    verify=order_is_worth_nothing,
    exact=True,
    right_dials={"twin": 0.5, "without": 0.2},
    wrong_dials=(
        {"twin": 0.2, "without": 0.35},
        {"twin": 0.0, "without": 0.2},
        {"twin": 1.0, "without": 0.2},
        {"twin": 0.5, "without": 1.0},
        {"twin": 0.45, "without": 0.2},
        {"twin": 0.5},
        {"twin": 2, "without": 0.2},
        {"twin": "0.5", "without": 0.2},
        {"twin": None, "without": 0.2},
        {"twin": math.nan, "without": 0.2},
    ),
    hints=(
        "The order tells an event from its reversal, which is its twin. When is that not worth "
        "knowing?",
        "Turn `twin` until the clip shows the event and its reversal equally often. Leave "
        "`without` so low that the clip tells something.",
    ),
)


# --- read_clips: a build ---------------------------------------------------------------------

_COUNT, _SIZE = 4, (12, 20)  # frames and (H, W) that are asked for
_PIXELS = (24, 40)  # of the files, (H, W): of the proportions that are asked for


def clips_of_folder(folder, count=8, size=(16, 16)):
    """The reference of the build, over the course's own ``read_video``."""
    from course_utils.data.rows import BadData
    from course_utils.data.video_files import KINDS, read_video

    classes = sorted(path.name for path in Path(folder).iterdir() if path.is_dir())
    clips, label, file, skipped = [], [], [], []
    for number, name in enumerate(classes):
        for path in sorted((Path(folder) / name).iterdir()):
            if path.suffix.lower() not in KINDS:
                continue
            place = f"{name}/{path.name}"
            try:
                clip = read_video(path, count, size)
            except BadData:
                skipped.append(place)
                continue
            clips.append(torch.from_numpy(clip).permute(0, 3, 1, 2))
            label.append(number)
            file.append(place)
    return {
        "frames": torch.stack(clips),
        "label": torch.tensor(label),
        "file": file,
        "classes": classes,
        "skipped": skipped,
    }


def clips_by_hand(folder, count=8, size=(16, 16), **change):
    """The build as a learner writes it, with PyAV and Pillow; ``change`` makes its mistakes.

    places: which frames; ending: of a name, for the list of kinds; picture: of a frame and a size;
    layout: of (count, H, W, 3); bad: what is told of a file that cannot be read; kinds: endings.
    """
    from course_utils.data.video_files import KINDS, pyav

    av = pyav()
    classes = sorted(path.name for path in Path(folder).iterdir() if path.is_dir())
    if change.get("backwards"):
        classes = classes[::-1]
    found = {"frames": [], "label": [], "file": [], "classes": classes, "skipped": []}
    for number, name in enumerate(classes):
        for path in sorted((Path(folder) / name).iterdir()):
            if change.get("ending", str.lower)(path.suffix) not in change.get("kinds", KINDS):
                continue
            try:
                with av.open(str(path)) as container:
                    picture = change.get("picture", in_rgb)
                    seen = [picture(frame, size) for frame in container.decode(video=0)]
                places = change.get("places", video.sample_positions)(len(seen), count)
                clip = torch.from_numpy(np.stack([seen[int(k)] for k in places]))
            except change.get("caught", Exception):
                found["skipped"] += change.get("bad", lambda place: [place])(f"{name}/{path.name}")
                continue
            found["frames"].append(change.get("layout", colours_first)(clip))
            found["label"].append(number)
            found["file"].append(f"{name}/{path.name}")
    return {
        **found,
        "frames": torch.stack(found["frames"]),
        "label": torch.tensor(found["label"]),
    }


def in_rgb(frame, size):
    return np.asarray(frame.to_image().resize(size[::-1]))


def in_bgr(frame, size):
    return in_rgb(frame, size)[:, :, ::-1].copy()


def colours_first(clip):
    return clip.permute(0, 3, 1, 2)


def slipped(**change):
    """The build with something changed."""
    return functools.partial(clips_by_hand, **change)


def drawn_clips(seed):
    """The videos in the folder of a seed: {place in it: (F, 24, 40, 3) uint8}.

    Frames are of one colour each, lighter from frame to frame, and red is far above blue. The
    classes are made in no order; endings are in capitals, too.
    """
    rng = np.random.default_rng(seed)
    found = {}
    lengths = iter(rng.permutation([3, 6, 9, 14, 3, 6, 9, 14, 11]))
    for name in ("swim", "fly", "run"):
        for k, ending in enumerate(rng.permutation([".mp4", ".webm", ".gif", ".MP4"])[:3]):
            total = int(next(lengths))
            grey = np.linspace(40, 200, total)[:, None] + rng.uniform(0, 20)
            colour = (grey * (1.0, 0.7, 0.4)).round().astype(np.uint8)
            clip = np.broadcast_to(colour[:, None, None], (total, *_PIXELS, 3))
            found[f"{name}/{rng.integers(100, 999)}_{k}{ending}"] = clip
    return found


@functools.lru_cache(maxsize=8)
def files_of(seed, spoilt):
    """The folder of a seed as {place: bytes}, where a note and a list lie about.

    spoilt: with files that cannot be read.
    """
    from course_utils.data.video_files import write_video

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for place, clip in drawn_clips(seed).items():
            path = write_video(Path(folder) / f"one{Path(place).suffix.lower()}", clip)
            found[place] = path.read_bytes()
    found["fly/notes.txt"] = b"not a video"
    found["list.csv"] = b"file,label\n"
    if spoilt:
        whole = next(data for place, data in found.items() if place.lower().endswith(".mp4"))
        found["run/cut.mp4"] = whole[: len(whole) // 2]
        found["swim/empty.gif"] = b""
        found["fly/words.mp4"] = b"this is text"
        # It opens well: that there are no pictures shows only when they are asked for.
        found["run/sound.avi"] = only_sound()
    return found


def only_sound():
    """The bytes of a file that holds sound and no pictures."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    return held.getvalue()


def put_down(folder, files):
    """Files on disk, each class in a folder of its own."""
    for place, data in files.items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(data)


_NAMES = ("frames", "label", "file", "classes", "skipped")


def read_by(attempt, files, count=_COUNT):
    """What the attempt makes of these files. Raises Unfit, in a sentence, for what is no answer."""
    with tempfile.TemporaryDirectory() as folder:
        put_down(Path(folder), files)
        found = attempt(Path(folder), count, _SIZE)
    if not isinstance(found, dict):
        raise Unfit(f"`read_clips` should return a dict; yours returns a {type(found).__name__}.")
    for name in _NAMES:
        if name not in found:
            raise Unfit(f"The dict that you return has no {name!r}; it needs {', '.join(_NAMES)}.")
    for name in ("frames", "label"):
        if not torch.is_tensor(found[name]):
            raise Unfit(f"`{name}` should be a tensor; yours is a {type(found[name]).__name__}.")
    named = {name: [str(one) for one in found[name]] for name in ("file", "classes", "skipped")}
    return {"frames": found["frames"].clone(), "label": found["label"].clone(), **named}


def made(seed, spoilt=False):
    """The folder of a seed. Raises Unfit, in a sentence, where PyAV is not installed."""
    try:
        return files_of(seed, spoilt)
    except ImportError as error:
        raise Unfit(str(error)) from None


def wanted(seed):
    """Places of the videos in the order that is due, and their labels."""
    places = sorted(drawn_clips(seed))
    classes = sorted({place.split("/")[0] for place in places})
    return places, classes, [classes.index(place.split("/")[0]) for place in places]


def do_files(attempt, seed):
    return read_by(attempt, made(seed))


def do_frames(attempt, seed):
    """The same, and of one video a single frame: an axis of size 1 stays."""
    files = made(seed)
    seen = read_by(attempt, files)
    place = min(drawn_clips(seed))
    lone = read_by(attempt, {place: files[place]}, count=1)
    return seen | {"lone": lone["frames"], "lone label": lone["label"]}


def judge_files(seen, seed):
    places, classes, label = wanted(seed)
    if "fly/notes.txt" in seen["file"] + seen["skipped"]:
        return (
            "`notes.txt` is no video by its ending: pass over what is not in KINDS, and do not "
            "report it."
        )
    if seen["classes"] != classes:
        return (
            f"`classes` is {seen['classes']}; it should be {classes}, the folders in the order of "
            "the alphabet."
        )
    missing = sorted(set(places) - set(seen["file"]))
    if missing and all(place.endswith(".MP4") for place in missing):
        return (
            f"`{missing[0]}` is missing. Cameras write endings in capitals, too: compare "
            "`path.suffix.lower()`."
        )
    if sorted(seen["file"]) == places and seen["file"] != places:
        return "The files should stand class by class, and by name within a class: use `sorted`."
    if seen["file"] != places:
        return (
            f"`file` is {seen['file'][:2]} ...; it should begin with {places[:2]}: the place of "
            "each video in the folder, with `/`."
        )
    if seen["label"].tolist() != label:
        return f"`label` is {seen['label'].tolist()}; it should be {label}, places in `classes`."
    if seen["label"].is_floating_point():
        return f"`label` holds {seen['label'].dtype}; a class is a whole number, torch.long."
    return None


def due(clip, places):
    """The colours (count, 3) of the frames at these places."""
    return torch.from_numpy(clip[places.numpy(), 0, 0].astype(np.float64))


def colours_of(seen, seed):
    """Mean colours (n, count, 3) of the attempt's frames, and of those that are due."""
    clips = [drawn_clips(seed)[place] for place in seen["file"]]
    right = torch.stack([due(clip, video.sample_positions(len(clip), _COUNT)) for clip in clips])
    return seen["frames"].double().mean(dim=(3, 4)), right


def judge_shape(seen, seed):
    frames, n = seen["frames"], len(seen["file"])
    shape = (n, _COUNT, 3, *_SIZE)
    if frames.shape == (n, _COUNT, *_SIZE, 3):
        return "`frames` has its colours last. The course's order is (n, count, 3, H, W): permute."
    if frames.shape == (n, _COUNT, 3, *_SIZE[::-1]):
        return (
            "Height and width have changed places: `size` is (H, W), and Pillow's `resize` wants "
            "(W, H)."
        )
    if frames.shape != shape:
        return f"`frames` has the shape {tuple(frames.shape)}; it should be {shape}."
    if frames.dtype != torch.uint8:
        return f"`frames` holds {frames.dtype}; it should hold torch.uint8, 0 to 255."
    return None


def judge_frames(seen, seed):
    if problem := judge_shape(seen, seed):
        return problem
    got, right = colours_of(seen, seed)
    if close(got, right):
        return judge_lone(seen)
    if close(got.flip(2), right):
        return "Red and blue have changed places. The order is red, green, blue: `to_image()`."
    clips = [drawn_clips(seed)[place] for place in seen["file"]]
    for message, places in WRONG_PLACES:
        if close(got, torch.stack([due(clip, places(len(clip))) for clip in clips])):
            return message
    k, moment = divmod(int((got - right).abs().amax(dim=2).argmax()), _COUNT)
    return (
        f"Frame {moment} of `{seen['file'][k]}` has the mean colour "
        f"{[round(c) for c in got[k, moment].tolist()]}; it should be about "
        f"{[round(c) for c in right[k, moment].tolist()]}."
    )


def judge_lone(seen):
    """A sentence where one frame of one video has lost an axis, or None."""
    for name, shape in (("frames", (1, 1, 3, *_SIZE)), ("label", (1,))):
        got = seen.get("lone" if name == "frames" else "lone label")
        if got is not None and got.shape != shape:
            return (
                f"Of a single video, with `count=1`, `{name}` has the shape {tuple(got.shape)}; it "
                f"should be {shape}, axes of size 1 too."
            )
    return None


def close(got, right):
    """Codecs change colours a little; a .gif of 8 bits does so more."""
    return bool(((got - right).abs().mean(dim=2) < 12).all())


WRONG_PLACES = (
    (
        "You took the first frames of each video. Spread them evenly: `sample_frames`.",
        lambda total: torch.arange(_COUNT).clamp(max=total - 1),
    ),
    (
        "You took the very ends of each video. Take the middles of equal parts: `sample_frames`.",
        lambda total: torch.linspace(0, total - 1, _COUNT).long(),
    ),
    (
        "You took the last frames of each video. Spread them evenly: `sample_frames`.",
        lambda total: (torch.arange(_COUNT) + total - _COUNT).clamp(min=0),
    ),
)


def do_bad(attempt, seed):
    files = made(seed, spoilt=True)
    try:
        return read_by(attempt, files)
    except (Unfit, NotImplementedError):
        raise
    except Exception as error:
        raise Unfit(
            f"A file that cannot be read stopped your reader ({type(error).__name__}). Catch what "
            "it raises, note the file in `skipped`, and go on."
        ) from None


def judge_bad(seen, seed):
    places, _, label = wanted(seed)
    bad = ["fly/words.mp4", "run/cut.mp4", "run/sound.avi", "swim/empty.gif"]
    if seen["skipped"] != bad and [Path(place).name for place in seen["skipped"]] == [
        Path(place).name for place in bad
    ]:
        return (
            f"`skipped` tells all of them, but as {seen['skipped'][0]!r}: write the place in the "
            f"folder, {bad[0]!r}."
        )
    if lost := sorted(set(bad) - set(seen["skipped"])):
        return (
            f"`{lost[0]}` cannot be read, and `skipped` does not say so: it is {seen['skipped']}. "
            "Nothing may go missing in silence."
        )
    if seen["skipped"] != bad:
        return f"`skipped` is {seen['skipped']}; it should be {bad}."
    if seen["file"] != places or seen["label"].tolist() != label:
        return "Beside files that cannot be read, `file` and `label` should hold the good ones."
    if len(seen["frames"]) != len(places):
        return f"`frames` has {len(seen['frames'])} clips; {len(places)} files can be read."
    return judge_frames(seen, seed)


_KINDS_HINT = (
    "Two loops: over the classes, `sorted` names of the folders, and over `sorted` files of each "
    "that end in one of KINDS."
)

read_clips = Exercise(
    reference=clips_of_folder,
    parts=(
        Part(
            "classes and files",
            do_files,
            judge_files,
            (_KINDS_HINT, 'The place of a file is `f"{name}/{path.name}"`.'),
        ),
        Part(
            "the frames",
            do_frames,
            judge_frames,
            (
                "Of each file: all frames as arrays, stacked to (F, H, W, 3); `sample_frames`; "
                "`permute(0, 3, 1, 2)`.",
                "`np.asarray(frame.to_image().resize((W, H)))` is one frame.",
            ),
        ),
        Part(
            "files that cannot be read",
            do_bad,
            judge_bad,
            (
                "Put `try:` around opening and decoding, and `except Exception:` below it, for "
                "PyAV raises many kinds.",
                "In the `except`: add the file's place to `skipped`, then `continue`.",
            ),
        ),
    ),
    also_right=(clips_by_hand,),
    mistakes=(
        Mistake(slipped(backwards=True), "the folders in the order of the alphabet."),
        Mistake(
            slipped(ending=lambda suffix: suffix),
            "Cameras write endings in capitals, too: compare `path.suffix.lower()`.",
        ),
        Mistake(
            slipped(kinds=(".mp4", ".webm", ".gif", ".txt")),
            "pass over what is not in KINDS, and do not report it.",
        ),
        Mistake(
            slipped(places=lambda total, count: torch.arange(count).clamp(max=total - 1)),
            "You took the first frames of each video.",
        ),
        Mistake(
            slipped(places=lambda total, count: torch.linspace(0, total - 1, count).long()),
            "You took the very ends of each video.",
        ),
        Mistake(slipped(picture=in_bgr), "Red and blue have changed places."),
        Mistake(slipped(layout=lambda clip: clip), "`frames` has its colours last."),
        Mistake(
            slipped(picture=lambda frame, size: np.asarray(frame.to_image().resize(size))),
            "`size` is (H, W), and Pillow's `resize` wants (W, H).",
        ),
        Mistake(
            slipped(layout=lambda clip: colours_first(clip) / 255),
            "it should hold torch.uint8, 0 to 255.",
        ),
        Mistake(slipped(bad=lambda place: []), "Nothing may go missing in silence."),
        Mistake(
            slipped(caught=KeyError),
            "Catch what it raises, note the file in `skipped`, and go on.",
        ),
        Mistake(
            slipped(caught=OSError),
            "Catch what it raises, note the file in `skipped`, and go on.",
        ),
        Mistake(
            slipped(bad=lambda place: [place.split("/")[1]]),
            "`skipped` tells all of them, but as 'words.mp4': write the place in the folder, "
            "'fly/words.mp4'.",
        ),
    ),
)
