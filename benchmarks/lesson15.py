"""What lesson 15 reads from data/results/15.csv: clips, and what stands beside them.

    make results LESSON=15
    make results LESSON=15 PART=order SEEDS=3,4

Each seed has rows, encoders and heads of its own. Encoders and heads keep the epoch that
is best on validation rows and are tested on 2,000 fresh rows. Learning rates of the clips' encoders
were chosen, of three, by the validation rows of a seed of their own, 100: part "rates". The other
encoders and the heads take 3e-3, the rate that other lessons' encoders chose.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from heads import HEADS, heads_named
from room import Part, Plan, on, within
from torch import Tensor, nn

from course_utils.baselines import majority_baseline, tuned_linear
from course_utils.classifier import MultimodalClassifier
from course_utils.data import motion_clips
from course_utils.data.audio import MelReader
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.motion_clips import TASKS, TWINS, subsets
from course_utils.data.readers import ImageReader, Reader, TextReader, fit_readers
from course_utils.data.results import Run
from course_utils.data.rows import Rows, count_rows, split_rows
from course_utils.data.video_files import FramesReader
from course_utils.encoders import BagEncoder, CNNEncoder, reading
from course_utils.experiment import Trained, cache_features, models_alone, models_fused, train_on
from course_utils.fusion import ConcatFusion, add_log_posteriors
from course_utils.measures import accuracy, best_additive_rule, paired_gain, rule_accuracy
from course_utils.training import predict
from course_utils.video import shuffle_frames
from course_utils.video_encoders import ENCODERS, Conv3dEncoder, FrameAverageEncoder

SEEDS, TUNING = range(3), 100
WORLD = "motion_clips"
ROWS, FRESH = 3000, 2000
MARGIN = {"accuracy": 0.02}
RATES, USUAL = (1e-3, 3e-3, 1e-2), 3e-3  # the one that other lessons' encoders chose
LEARN = {"epochs": 8, "batch_size": 64, "learning_rate": USUAL}
ORDER = {"epochs": 10, "batch_size": 64}
JOIN = {"epochs": 12, "batch_size": 128, "learning_rate": 3e-3}
# Chosen by the validation clips of seed TUNING: ``rates`` says where another one is better.
CHOSEN: dict[str, float] = dict.fromkeys(ENCODERS, USUAL) | {
    "one frame": 1e-2,
    "bag of frames": 1e-2,
    "GRU": 1e-2,
}

Tensors = dict[str, Any]


def line_for(experiment: str, seed: int, rows: int, dials: str = "") -> Any:
    """What makes a line of the file."""

    def line(model: str, setting: str, value: float, measure: str = "accuracy") -> Run:
        return Run(experiment, WORLD, dials, model, setting, seed, rows, measure, float(value))

    return line


# --- who sees the order of frames? -----------------------------------------------------------


def turned_clips(seed: int, rows: int = 1400, fresh: int = 1000) -> dict[str, Rows]:
    """Clips that all show an event, each beside its own reversal; the test clips are fresh."""
    dials = {"without": 0, "twin": 0}
    made = split_rows(motion_clips.with_reversals(motion_clips.make(rows, seed, **dials)))
    new = motion_clips.make(fresh, seed + 1000, **dials)
    return made | {"test": motion_clips.with_reversals(new)}


def frames_of(rows: Mapping[str, Rows]) -> dict[str, Tensors]:
    """Their frames, with every label that a clip has."""
    reader = {"frames": FramesReader()}
    side = ["motion", "shape", "pace"]
    return {split: to_tensors(part, reader, None, side) for split, part in rows.items()}


def labelled(splits: Mapping[str, Tensors], column: str) -> dict[str, Tensors]:
    """The same with one of the columns for a label."""
    return {split: {**part, "label": part[column]} for split, part in splits.items()}


def read_by(
    name: str, splits: Mapping[str, Tensors], column: str, seed: int, **other: Any
) -> Trained:
    """One encoder of clips with a linear head, taught one column."""
    torch.manual_seed(seed)
    options = ORDER | {"learning_rate": CHOSEN[name]} | other
    taught = labelled(splits, column)
    classes = int(taught["train"]["label"].max()) + 1
    return models_alone({"frames": ENCODERS[name]()}, taught, classes, seed=seed,
                        options=options)["frames"]  # fmt: skip


def rates(seed: int = TUNING) -> Iterator[Run]:
    """Of three learning rates the one with the best validation accuracy; says where CHOSEN errs.

    Of rates that are as good, as where all clips are told, USUAL is taken.
    """
    splits = frames_of(turned_clips(seed, fresh=10))
    line = line_for("rates", seed, len(splits["validation"]["motion"]))
    for name in ENCODERS:
        found = {}
        for rate in RATES:
            history = read_by(name, splits, "motion", seed, learning_rate=rate).history
            found[rate] = max(history.validation_accuracy)
            yield line(name, f"{rate:g}", found[rate], "validation accuracy")
        best = max(found, key=lambda rate: (found[rate], rate == USUAL))
        if best != CHOSEN[name]:
            print(f"{name}: {best:g} is best, CHOSEN says {CHOSEN[name]:g}: {found}", flush=True)


def same_direction(logits: Tensor, motion: Tensor) -> float:
    """The share of clips of which the event that is named has the direction of the true one."""
    return (logits.argmax(dim=1) % 2 == motion % 2).double().mean().item()


def order(seed: int, names: Iterable[str] = ENCODERS) -> Iterator[Run]:
    """Each encoder on the four events, on their direction, and with its frames shuffled."""
    rows = turned_clips(seed)
    splits = frames_of(rows)
    motion = splits["test"]["motion"]
    line = line_for("order", seed, len(motion))
    rng = torch.Generator().manual_seed(seed)
    mixed = shuffle_frames(splits["test"]["frames"], rng)
    for name in names:
        one = read_by(name, splits, "motion", seed)
        said = predict(one.model, Batches({"frames": mixed, "label": motion}, 256))
        best = one.history.best_epoch
        yield line(name, "events", accuracy(one.logits, motion))
        yield line(name, "direction", same_direction(one.logits, motion))
        yield line(name, "events, shuffled", accuracy(said, motion))
        yield line(name, "direction, shuffled", same_direction(said, motion))
        yield line(name, "events", one.history.train_accuracy[best - 1], "training accuracy")
    yield line("majority", "events", majority_baseline(splits["train"]["motion"], motion))


LONGER = 40  # epochs, four times as many


def longer(seed: int) -> Iterator[Run]:
    """Temporal attention with more time: does it learn the order, or its clips by heart?"""
    splits = frames_of(turned_clips(seed))
    motion = splits["test"]["motion"]
    line, name = line_for("longer", seed, len(motion)), "temporal attention"
    one = read_by(name, splits, "motion", seed, epochs=LONGER)
    best = one.history.best_epoch
    yield line(name, "events", accuracy(one.logits, motion))
    yield line(name, "direction", same_direction(one.logits, motion))
    yield line(name, "events", one.history.train_accuracy[best - 1], "training accuracy")
    yield line(name, "events", best, "best epoch")


STILL = ("one frame", "average", "3-D convolution")


def still(seed: int) -> Iterator[Run]:
    """Shape and pace of the same clips: how much does one frame tell, how much the average?"""
    splits = frames_of(turned_clips(seed))
    for column in ("shape", "pace"):
        line = line_for("still", seed, len(label := splits["test"][column]))
        for name in STILL:
            yield line(name, column, accuracy(read_by(name, splits, column, seed).logits, label))


def linear_order(seed: int) -> Iterator[Run]:
    """A tuned linear model on the main directions of whole clips."""
    rows = turned_clips(seed)
    line = line_for("order", seed, count_rows(rows["test"]))
    found = tuned_linear(rows, {"frames": FramesReader(shrink=2)})["frames"]
    motion = torch.as_tensor(rows["test"]["label"])
    yield line("linear, frames", "events", found.accuracy)
    yield line("linear, frames", "direction",
               (found.predicted % 2 == motion % 2).double().mean().item())  # fmt: skip


# --- poster, clip, caption and beeps ---------------------------------------------------------


def readers_for(train: Rows) -> dict[str, Reader]:
    made = {"image": ImageReader(), "frames": FramesReader(), "text": TextReader(),
            "audio": MelReader()}  # fmt: skip
    return dict(fit_readers(made, train))


def untrained(seed: int, words: int) -> dict[str, nn.Module]:
    """An encoder for each sense."""
    torch.manual_seed(seed)
    return {
        "image": CNNEncoder(64),
        "frames": Conv3dEncoder(64),
        "text": BagEncoder(words, 64),
        "audio": reading(CNNEncoder(64, colours=1), "audio_mel"),
    }


LABELS = ("content", "sentiment", "pace", "poster_wish", "caption_wish")


class World(NamedTuple):
    """One seed's rows, their tensors with every label, and how many words there are."""

    seed: int
    rows: dict[str, Rows]
    readers: dict[str, Reader]
    splits: dict[str, Tensors]
    words: int


@lru_cache(maxsize=1)
def world_of(seed: int) -> World:
    """One seed's rows and fresh rows, made and read once."""
    rows = split_rows(motion_clips.make(ROWS, seed))
    rows["test"] = motion_clips.make(FRESH, seed + 1000)
    readers = readers_for(rows["train"])
    splits = {split: to_tensors(part, readers, None, LABELS) for split, part in rows.items()}
    return World(seed, rows, readers, splits, len(readers["text"].vocabulary))


def learn(
    world: World, taught: Mapping[str, str]
) -> tuple[dict[str, nn.Module], dict[str, Trained]]:
    """Encoders, each taught a column alone: {name: encoder}, {name: with its linear head}."""
    every = untrained(world.seed, world.words)
    encoders, alone = {name: every[name] for name in taught}, {}
    for name, column in taught.items():
        splits = labelled(world.splits, column)
        classes = int(splits["train"]["label"].max()) + 1
        options = LEARN | ({"learning_rate": CHOSEN["3-D convolution"]} if name == "frames" else {})
        alone |= models_alone({name: encoders[name]}, splits, classes, seed=world.seed,
                              options=options)  # fmt: skip
    return encoders, alone


def joined_by(
    cached: Mapping[str, Tensors], task: str, seed: int, names: Sequence[str],
    heads: Mapping[str, Any],
) -> dict[str, Trained]:  # fmt: skip
    """Heads on cached features of some senses."""
    return models_fused(heads, labelled(cached, task), len(TASKS[task]), names=names, seed=seed,
                        options=JOIN)  # fmt: skip


@lru_cache(maxsize=1)
def by_content(seed: int) -> tuple[World, dict[str, Trained], dict[str, Tensors]]:
    """One seed's senses, each taught content alone; and their features."""
    world = world_of(seed)
    encoders, alone = learn(world, dict.fromkeys(TWINS, "content"))
    return world, alone, cache_features(encoders, world.splits)


FIRST = ("concat + linear", "concat + MLP", "product", "low rank")
PAIR, THREE = ("image", "frames"), ("frames", "text", "audio")


def content(seed: int) -> Iterator[Run]:
    """Poster and clip: each sense alone, their log-posteriors added, and fusions."""
    world, alone, cached = by_content(seed)
    label = world.splits["test"]["content"]
    line = line_for("content", seed, len(label))
    yield line("majority", "", majority_baseline(world.splits["train"]["content"], label))
    for name, one in alone.items():
        yield line(f"{name} alone", "", accuracy(one.logits, label))
    prior = world.splits["train"]["content"].bincount(minlength=4).double()
    logits = [alone[name].logits.double() for name in PAIR]
    added = add_log_posteriors(logits, prior / prior.sum())
    yield line("adding log-posteriors", "image + frames", accuracy(added, label))
    for name, one in joined_by(cached, "content", seed, PAIR, heads_named(*FIRST)).items():
        yield line(name, "image + frames", accuracy(one.logits, label))
    blind = {"frames": FrameAverageEncoder()}
    rate = LEARN | {"learning_rate": CHOSEN["average"]}
    torch.manual_seed(seed)
    average = models_alone(blind, labelled(world.splits, "content"), 4, seed=seed, options=rate)
    yield line("frames alone", "average", accuracy(average["frames"].logits, label))
    unordered = {
        split: part
        | {"frames": cache_features(blind, {split: world.splits[split]})[split]["frames"]}
        for split, part in cached.items()
    }
    head = heads_named("concat + linear")
    found = joined_by(unordered, "content", seed, PAIR, head)["concat + linear"]
    yield line("concat + linear", "image + average", accuracy(found.logits, label))


def over(names: Sequence[str]) -> Any:
    """A concatenation of some senses, by a name that says which."""
    return {" + ".join(names): lambda dims: ConcatFusion({name: dims[name] for name in names})}


def three(seed: int) -> Iterator[Run]:
    """Clip, caption and beeps: all seven choices, and what each adds to the other two."""
    world, _, cached = by_content(seed)
    label = world.splits["test"]["content"]
    line = line_for("three", seed, len(label))
    right = {}
    for names in [*subsets(THREE), ("image", "text"), tuple(TWINS)]:
        for name, one in joined_by(cached, "content", seed, names, over(names)).items():
            right[names] = one.logits.argmax(dim=1) == label
            yield line(name, "concat + linear", accuracy(one.logits, label))
    for name in THREE:
        others = tuple(other for other in THREE if other != name)
        gain = paired_gain(right[THREE], right[others])
        for measure, value in zip(("gain", "gain, low", "gain, high"), gain, strict=True):
            yield line(name, "added to the other two", value, measure)


# --- sentiment -------------------------------------------------------------------------------

WISHES = {"frames": "pace", "image": "poster_wish", "text": "caption_wish"}
PAIRS = (("image", "frames"), ("frames", "text"), ("image", "frames", "text"))
INTERACTING = tuple(HEADS)
STUCK = ("concat + linear", "product")  # of which the loss is told: one adds, one does not
MANY = ("concat + linear", "concat + MLP", "product", "low rank", "maximum")


def sentiment(seed: int) -> Iterator[Run]:
    """Heads on readers that were taught pace and wish, and on readers taught content."""
    world, _, known = by_content(seed)
    encoders, alone = learn(world, WISHES)
    cached = cache_features(encoders, world.splits)
    label = world.splits["test"]["sentiment"]
    line = line_for("sentiment", seed, len(label))
    yield line("majority", "", majority_baseline(world.splits["train"]["sentiment"], label))
    for name, one in alone.items():
        told = world.splits["test"][WISHES[name]]
        yield line(f"{name} alone", f"on {WISHES[name]}", accuracy(one.logits, told))
    for names in PAIRS:
        heads = heads_named(*(INTERACTING if len(names) == 2 else MANY))
        for name, one in joined_by(cached, "sentiment", seed, names, heads).items():
            setting, history = f"{' + '.join(names)}, taught pace and wish", one.history
            yield line(name, setting, accuracy(one.logits, label))
            if name in STUCK:
                yield line(name, setting, min(history.validation_loss), "least validation loss")
                yield line(name, setting, history.validation_accuracy[-1],
                           "validation accuracy, last epoch")  # fmt: skip
    names = PAIRS[1]
    for name, one in joined_by(known, "sentiment", seed, names, heads_named(*FIRST)).items():
        yield line(name, "frames + text, taught content", accuracy(one.logits, label))


def scratch(world: World) -> Iterator[Run]:
    """Readers and head of ``sentiment`` learnt together, from the answers alone."""
    label = world.splits["test"]["sentiment"]
    line = line_for("scratch", world.seed, len(label))
    for name in ("product", "concat + MLP"):
        torch.manual_seed(world.seed)
        every = untrained(world.seed, world.words)
        encoders = {sense: every[sense] for sense in PAIRS[1]}
        model = MultimodalClassifier(encoders, HEADS[name](dict.fromkeys(encoders, 64)), 2)
        one = train_on(model, labelled(world.splits, "sentiment"), world.seed, **LEARN)
        yield line(name, "frames + text", accuracy(one.logits, label))
        last = one.history.train_accuracy[-1]
        yield line(name, "frames + text, last epoch", last, "training accuracy")


def linear(world: World) -> Iterator[Run]:
    """Tuned linear models, on each sense and on all, for content and for sentiment."""
    readers = world.readers | {"frames": FramesReader(shrink=2)}
    for task in ("content", "sentiment"):
        parts = {split: motion_clips.rows_for(part, task) for split, part in world.rows.items()}
        line = line_for("linear", world.seed, count_rows(parts["test"]))
        for name, found in tuned_linear(parts, readers).items():
            yield line(f"linear, {name}", task, found.accuracy)


# --- all of it -------------------------------------------------------------------------------


def ceilings() -> Iterator[Run]:
    """The best that can be done, exactly."""
    for task in ("content", "sentiment"):
        line = line_for("ceilings", 0, 0)
        for reader, best in motion_clips.ceiling(task).items():
            yield line(f"ceiling, {reader}", task, best)
    told = motion_clips.sources("sentiment", motion_clips.Dials())
    disliked, liked = torch.from_numpy(told.joint(("frames", "text")))
    rule = best_additive_rule(liked, disliked)
    line = line_for("ceilings", 0, 0)
    yield line("best additive rule, frames + text", "sentiment",
               rule_accuracy(*rule, liked, disliked))  # fmt: skip
    for reader, best in motion_clips.ceiling("content", ordered=False).items():
        if "frames" in reader:
            yield line(f"ceiling, {reader}", "content, unordered", best)


BY_NAME = "linear, *"
NONE: Sequence[int] = ()  # rates chose CHOSEN; its lines are still to be measured anew
PLAN = Plan(
    "15",
    [Part("rates", rates, within("rates"), NONE)],
    [
        Part("order", order, within("order", but=BY_NAME), SEEDS),
        Part("longer", longer, within("longer"), SEEDS[:2]),
        Part("still", still, within("still"), SEEDS),
        Part("linear", linear_order, within("order", model=BY_NAME), SEEDS),
    ],
    [
        Part("content", content, within("content"), SEEDS),
        Part("three", three, within("three"), SEEDS),
        Part("sentiment", sentiment, within("sentiment"), SEEDS),
        Part("scratch", on(world_of, scratch), within("scratch"), SEEDS),
        Part("linear", on(world_of, linear), within("linear"), SEEDS),
    ],
    [Part("ceilings", ceilings, within("ceilings"))],
)


def again() -> Iterator[Run]:
    """The ceilings anew."""
    yield from ceilings()


if __name__ == "__main__":
    PLAN.main()
