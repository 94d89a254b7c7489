"""What lesson 14 reads from data/results/14.csv: covers with clips, and spoken digits.

    make results LESSON=14
    make results LESSON=14 PART=cards,scratch SEEDS=0,4

Each seed has cards, encoders and heads of its own. Encoders and heads keep the epoch that is best
on validation cards and are tested on 3,000 fresh cards (2,000 where noise is turned). Learning
rates were chosen, of three, by the validation cards of a seed of their own, 100.

PLAN says which seeds the file has. In the end each part is to have five, 0 to 4. Still to run:
cards 4; scratch 3 and 4; noise 1 and 4; murmurless, recorded and speakers 1 to 4; of folds all
five. To run anew, for it was measured before all lines were: cards 3, which lacks cross-entropies.

The digits are read where COURSE_DATA_DIR holds them; without them the lines in the file are kept.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from room import Part, Plan, on, within
from torch import nn
from torch.utils.data import DataLoader

from course_utils import listener
from course_utils.baselines import majority_baseline, tuned_linear
from course_utils.classifier import MultimodalClassifier
from course_utils.data import music_cards, real
from course_utils.data.audio import MelReader, MusicFolder, collate_clips, read_audio
from course_utils.data.augment import CropAndFlip
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader, fit_readers
from course_utils.data.results import Run
from course_utils.data.rows import Rows, count_rows, split_rows, take
from course_utils.encoders import CNNEncoder, reading
from course_utils.environment import course_root
from course_utils.experiment import Trained, cache_features, models_alone, models_fused, train_on
from course_utils.fusion import (
    BilinearFusion,
    ConcatFusion,
    ConcatMLPFusion,
    LowRankFusion,
    MaximumFusion,
    ProductFusion,
    add_log_posteriors,
)
from course_utils.measures import accuracy
from course_utils.training import fit, predict

SEEDS, TUNING = range(5), 100
CARDS, FRESH, NOISY = 4000, 3000, 2000
NAMES = ("image", "audio")
CLASSES = {"genre": 5, "review": 2}
MOODS = {"image": "bright", "audio": "lively"}
SNRS = (20, 5, -5, -15, -25)
RATES = (1e-3, 3e-3, 1e-2)
ENCODERS = {"epochs": 8, "batch_size": 64}
HEADS = {"epochs": 12, "batch_size": 128}
# Chosen by the validation cards of seed TUNING; ``rates`` measures anew and says where it differs.
CHOSEN = {
    "image": 3e-3,
    "audio": 1e-2,
    "concat + linear": 3e-3,
    "concat + MLP": 1e-2,
    "product": 1e-2,
    "low rank": 1e-3,
    "bilinear": 1e-3,
    "maximum": 1e-2,
}
FUSIONS: dict[str, Callable[[dict[str, int]], nn.Module]] = {
    "concat + linear": ConcatFusion,
    "concat + MLP": ConcatMLPFusion,
    "product": ProductFusion,
    "low rank": LowRankFusion,
    "bilinear": BilinearFusion,
    "maximum": MaximumFusion,
}
WORLD, DIGITS = "music_cards", "spoken_digits"
MARGIN = {"accuracy": 0.02}

Tensors = dict[str, Any]


# --- cards -----------------------------------------------------------------------------------


def rows_of(seed: int, fresh: int = FRESH, made: int = CARDS, **dials: Any) -> dict[str, Rows]:
    """Cards to learn from and to choose on, and fresh ones to be tested on."""
    rows = split_rows(music_cards.make(made, seed, **dials))
    rows["test"] = music_cards.make(fresh, seed + 1000, **dials)
    return rows


def readers_for(rows: Mapping[str, Rows]) -> dict[str, Any]:
    return fit_readers({"image": ImageReader(), "audio": MelReader()}, rows["train"])


def tensors_of(rows: Mapping[str, Rows], readers: Mapping[str, Any]) -> dict[str, Tensors]:
    """Tensors of every split, with the labels of both tasks and the moods beside them."""
    side = [*CLASSES, *MOODS.values()]
    return {split: to_tensors(part, readers, None, side) for split, part in rows.items()}


def labelled(splits: Mapping[str, Tensors], column: str) -> dict[str, Tensors]:
    """The same with one of the columns for a label."""
    return {split: {**part, "label": part[column]} for split, part in splits.items()}


def untrained(seed: int, *names: str) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    made = {
        "image": CNNEncoder(64),
        "audio": reading(CNNEncoder(64, colours=1), "audio_mel"),
    }
    return {name: made[name] for name in names or made}


def learn(
    splits: Mapping[str, Tensors], taught: Mapping[str, str], seed: int, **other: Any
) -> tuple[dict[str, nn.Module], dict[str, Trained]]:
    """Encoders, each taught a column alone: {name: encoder}, {name: with its linear head}."""
    encoders, alone = untrained(seed, *taught), {}
    for name, column in taught.items():
        classes = CLASSES.get(column, 2)
        options = ENCODERS | {"learning_rate": CHOSEN[name]} | other
        alone |= models_alone(
            {name: encoders[name]}, labelled(splits, column), classes, seed=seed, options=options
        )
    return encoders, alone


def heads_on(
    splits: Mapping[str, Tensors], task: str, seed: int, names: Sequence[str] = tuple(FUSIONS),
    **other: Any,
) -> dict[str, Trained]:  # fmt: skip
    """Fusions on cached features, each at its own rate."""
    own = {name: {"learning_rate": CHOSEN[name]} for name in names}
    return models_fused({name: FUSIONS[name] for name in names}, labelled(splits, task),
                        CLASSES[task], names=NAMES, seed=seed, options=HEADS | other,
                        options_for=own)  # fmt: skip


def line_for(experiment: str, seed: int, rows: int, dials: str = "", world: str = WORLD) -> Any:
    def line(model: str, setting: str, value: float, measure: str = "accuracy") -> Run:
        return Run(experiment, world, dials, model, setting, seed, rows, measure, float(value))

    return line


# --- the rates -------------------------------------------------------------------------------


def chosen_rates(seed: int = TUNING) -> Iterator[Run]:
    """Of three learning rates the one with the best validation accuracy; says where CHOSEN errs."""
    splits = tensors_of(rows := rows_of(seed, 10), readers_for(rows))
    line = line_for("rates", seed, len(splits["validation"]["genre"]))

    def tried(found: Mapping[str, Trained], rate: float, task: str) -> Iterator[Run]:
        for name, one in found.items():
            best = max(one.history.validation_accuracy)
            yield line(name, f"{task}, {rate:g}", best, "validation accuracy")

    runs, made = [], {}
    for rate in RATES:
        made[rate], alone = learn(splits, dict.fromkeys(NAMES, "genre"), seed, learning_rate=rate)
        runs += tried(alone, rate, "genre")
    by_genre = {name: made[CHOSEN[name]][name] for name in NAMES}
    by_mood, _ = learn(splits, MOODS, seed)
    for task, encoders in (("genre", by_genre), ("review", by_mood)):
        cached = cache_features(encoders, splits)
        # Nothing on ``review`` can choose for a head that is at chance there, whatever its rate.
        names = [name for name in FUSIONS if (name == "concat + linear") == (task == "genre")]
        for rate in RATES:
            own = {name: {"learning_rate": rate} for name in names}
            found = models_fused({name: FUSIONS[name] for name in names}, labelled(cached, task),
                                 CLASSES[task], names=NAMES, seed=seed, options=HEADS,
                                 options_for=own)  # fmt: skip
            runs += tried(found, rate, task)
    best: dict[str, Run] = {}
    for run in runs:
        best[run.model] = max(best.get(run.model, run), run, key=lambda one: one.value)
    for name, run in best.items():
        rate = float(run.setting.split(", ")[1])
        if rate != CHOSEN[name]:
            print(f"{name}: {rate:g} is best, CHOSEN says {CHOSEN[name]:g}", flush=True)
    yield from runs


# --- genre and review ------------------------------------------------------------------------


class World(NamedTuple):
    """One seed's cards, and their tensors with every label."""

    seed: int
    rows: dict[str, Rows]
    readers: dict[str, Any]
    splits: dict[str, Tensors]


@lru_cache(maxsize=1)
def world_of(seed: int) -> World:
    """One seed's cards and fresh cards, made and read once."""
    rows = rows_of(seed)
    readers = readers_for(rows)
    return World(seed, rows, readers, tensors_of(rows, readers))


def cards(world: World) -> Iterator[Run]:
    """Both tasks: linear models, each sense alone, fusions behind readers of genre and of mood."""
    seed, rows, readers, splits = world
    yield from linear(rows, readers, seed)
    by_genre, alone = learn(splits, dict.fromkeys(NAMES, "genre"), seed)
    by_mood, moods = learn(splits, MOODS, seed)
    yield from genre(splits, by_genre, alone, seed)
    line = line_for("review", seed, len(splits["test"]["review"]))
    for name, one in moods.items():
        told = splits["test"][MOODS[name]]
        yield line(name, "reader taught mood, on mood", accuracy(one.logits, told))
    for setting, encoders in (("taught mood", by_mood), ("taught genre", by_genre)):
        found = heads_on(cache_features(encoders, splits), "review", seed)
        label = splits["test"]["review"]
        for name, one in found.items():
            yield line(name, f"readers {setting}", accuracy(one.logits, label))
            loss = nn.functional.cross_entropy(one.logits, label)
            yield line(name, f"readers {setting}", loss, "cross-entropy")


def linear(rows: Mapping[str, Rows], readers: Mapping[str, Any], seed: int) -> Iterator[Run]:
    """Majority, and tuned linear models on pixels and on the bands' statistics."""
    for task in CLASSES:
        parts = {split: music_cards.rows_for(part, task) for split, part in rows.items()}
        line = line_for(task, seed, count_rows(parts["test"]))
        labels = [torch.as_tensor(parts[split]["label"]) for split in ("train", "test")]
        yield line("majority", "", majority_baseline(*labels))
        for name, found in tuned_linear(parts, readers).items():
            yield line(f"linear, {name}", "", found.accuracy)


def genre(
    splits: Mapping[str, Tensors], encoders: Mapping[str, nn.Module],
    alone: Mapping[str, Trained], seed: int,
) -> Iterator[Run]:  # fmt: skip
    """Each sense alone, their log-posteriors added, and fusions of their features."""
    label = splits["test"]["genre"]
    line = line_for("genre", seed, len(label))
    for name, one in alone.items():
        yield line(f"{name} alone", "", accuracy(one.logits, label))
    prior = splits["train"]["genre"].bincount(minlength=5).double()
    logits = [one.logits.double() for one in alone.values()]
    yield line("adding log-posteriors", "",
               accuracy(add_log_posteriors(logits, prior / prior.sum()), label))  # fmt: skip
    found = heads_on(cache_features(encoders, splits), "genre", seed)
    for name, one in found.items():
        yield line(name, "", accuracy(one.logits, label))


SCRATCH = "from scratch"


def from_scratch(world: World) -> Iterator[Run]:
    """Readers and head of ``review`` learnt together, from the answers alone."""
    seed, splits = world.seed, world.splits
    label = splits["test"]["review"]
    line = line_for("review", seed, len(label))
    for name in ("product", "concat + MLP"):
        torch.manual_seed(seed)
        encoders = untrained(seed)
        fusion = FUSIONS[name](dict.fromkeys(NAMES, 64))
        model = MultimodalClassifier(encoders, fusion, 2)
        one = train_on(model, labelled(splits, "review"), seed, learning_rate=CHOSEN["audio"],
                       **ENCODERS)  # fmt: skip
        yield line(name, SCRATCH, accuracy(one.logits, label))
        yield line(name, SCRATCH, max(one.history.train_accuracy), "training accuracy")


# --- few cards -------------------------------------------------------------------------------

FEW, FEW_FRESH, FEW_EPOCHS = 600, 1000, 24


def few(seed: int, networks: bool = True) -> Iterator[Run]:
    """Clips alone, 360 of them to learn from: statistics of the bands, and the CNN."""
    rows = {split: music_cards.rows_for(part, "genre")
            for split, part in rows_of(seed, FEW_FRESH, made=FEW).items()}  # fmt: skip
    readers = {"audio": MelReader().fit(rows["train"], "audio")}
    line = line_for("few cards", seed, count_rows(rows["test"]))
    yield line("linear, audio", "", tuned_linear(rows, readers)["audio"].accuracy)
    if networks:
        splits = {split: to_tensors(part, readers) for split, part in rows.items()}
        options = ENCODERS | {"learning_rate": CHOSEN["audio"], "epochs": FEW_EPOCHS}
        alone = models_alone(untrained(seed, "audio"), splits, 5, seed=seed, options=options)
        label = splits["test"]["label"]
        yield line("audio alone", "", accuracy(alone["audio"].logits, label))


# --- noise -----------------------------------------------------------------------------------


def noise(
    seed: int, ways: Sequence[str] = ("20 dB", "-25 to 20 dB"), dials: str = "", **more: float
) -> Iterator[Run]:
    """Trained on clips of one signal-to-noise ratio and of many; heard at each of five."""
    rows = rows_of(seed, NOISY, snr=listener.CLEAN, **more)
    label = torch.as_tensor(rows["test"]["genre"])
    covers, heads = None, ("concat + linear", "concat + MLP")
    for setting in ways:
        ends = (20.0, 20.0) if setting == "20 dB" else listener.RANGE
        heard = {split: listener.with_noise(rows[split], ends, [seed, k])
                 for k, split in enumerate(("train", "validation"))}  # fmt: skip
        heard |= {
            f"test {snr}": listener.with_noise(rows["test"], (snr, snr), [seed, 9]) for snr in SNRS
        }
        heard["test"] = heard[f"test {SNRS[0]}"]
        reader = MelReader().fit(heard["train"], "audio")
        splits = labelled(tensors_of(heard, {"image": ImageReader(), "audio": reader}), "genre")
        if covers is None:  # the same in both: noise is heard, not seen
            covers, seen = learn(splits, {"image": "genre"}, seed)
            line = line_for("noise", seed, len(label), dials.strip())
            yield line("image alone", "", accuracy(seen["image"].logits, label))
        ears, alone = learn(splits, {"audio": "genre"}, seed)
        cached = cache_features({**covers, **ears}, splits)
        fused = heads_on(cached, "genre", seed, heads)
        prior = splits["train"]["label"].bincount(minlength=5).double()
        for snr in SNRS:
            line = line_for("noise", seed, len(label), f"{dials}snr={snr}")
            said = predict(alone["audio"].model, Batches(splits[f"test {snr}"], 256))
            yield line("audio alone", setting, accuracy(said, label))
            logits = [seen["image"].logits.double(), said.double()]
            added = add_log_posteriors(logits, prior / prior.sum())
            yield line("adding log-posteriors", setting, accuracy(added, label))
            for name, one in fused.items():
                said = predict(one.model, Batches(cached[f"test {snr}"], 256))
                yield line(name, setting, accuracy(said, label))


MURMURLESS = "without_music=0"


def murmurless(seed: int) -> Iterator[Run]:
    """The same at one ratio, where no clip is a murmur: noise is then like nothing that was heard.

    Where some clips are a murmur, a reader has learnt that noise says nothing about the genre.
    """
    yield from noise(seed, ("20 dB",), f"{MURMURLESS} ", without_music=0.0)


def keep_models() -> list[Run]:
    """Write the model that the lesson loads; no line of the file."""
    listener.save(listener.train())
    return []


# --- spoken digits ---------------------------------------------------------------------------

SHIFT = 3  # bands and frames, at most
DIGIT_EPOCHS = 10
# Chosen with theo kept out and nicolas, then lucas, for validation: of them loudness as recorded or
# alike, floors of 1e-6, 1e-2 and 1e-1, and bands or clips in units of their own.
WAYS = {"as recorded": {}, "one loudness": {"loudness": 0.1, "floor": 1e-2}}


def digits_are_here() -> bool:
    """Whether the spoken digits are in COURSE_DATA_DIR."""
    return real.find("spoken_digits") is not None


def digits(way: str, kinds: Iterable[str], seed: int) -> Iterator[Run]:
    """A network and a linear model on ten folds of recordings, or on each speaker left out.

    seed: of the network. The recordings and the linear model are the same for all.
    """
    every = {"fold": range(real.FOLDS), "speaker": real.SPEAKERS}
    for kind, which in [(name, one) for name in kinds for one in every[name]]:
        setting = f"fold {which}" if kind == "fold" else f"without {which}"
        parts_of = split_rows(real.spoken_digits(download=False, **{kind: which}))
        reader = MelReader(seconds=1.0, **WAYS[way]).fit(parts_of["train"], "audio")
        readers = {"audio": reader}
        line = line_for("digits", seed, count_rows(parts_of["test"]), way, DIGITS)
        yield line("linear, audio", setting, tuned_linear(parts_of, readers)["audio"].accuracy)
        yield line("audio alone", setting, digit_network(parts_of, readers, seed))


def recorded(seed: int) -> Iterator[Run]:
    yield from digits("as recorded", ("fold", "speaker"), seed)


def speakers(seed: int) -> Iterator[Run]:
    yield from digits("one loudness", ("speaker",), seed)


def folds(seed: int) -> Iterator[Run]:
    yield from digits("one loudness", ("fold",), seed)


def loudness() -> Iterator[Run]:
    """How loud each speaker was recorded: the mean over recordings of the power, in decibels."""
    rows = real.spoken_digits(download=False)
    for speaker in real.SPEAKERS:
        own = take(rows, np.array(rows["speaker"]) == speaker)
        power = [np.square(sound).mean() for sound in map(read_audio, own["audio"])]
        line = line_for("loudness", 0, len(power), "as recorded", DIGITS)
        yield line(speaker, "", 10 * np.log10(power).mean(), "decibels")


def digit_network(rows: Mapping[str, Rows], readers: Mapping[str, Any], seed: int) -> float:
    """Test accuracy of the course's CNN on spectrograms that are shifted a little at each pass."""
    splits = {split: to_tensors(part, readers) for split, part in rows.items()}
    torch.manual_seed(seed)
    encoder = reading(CNNEncoder(64, colours=1), "audio_mel")
    model = MultimodalClassifier({"audio": encoder}, ConcatFusion({"audio": 64}), 10)
    shifts = CropAndFlip(SHIFT, flip=False, name="audio_mel", seed=seed)
    train = Batches(splits["train"], 64, shuffle=True, seed=seed, augment=shifts)

    def one_cycle(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)

    fit(model, train, Batches(splits["validation"], 256), epochs=DIGIT_EPOCHS, schedule=one_cycle,
        seed=seed)  # fmt: skip
    return accuracy(predict(model, Batches(splits["test"], 256)), splits["test"]["label"])


# --- pairs that are made by label ------------------------------------------------------------

NEW = "theo"  # the speaker who is not heard in training


def pairs_are_here() -> bool:
    """Whether spoken and signed digits are in COURSE_DATA_DIR."""
    return digits_are_here() and real.find("sign_digits") is not None


class Paired(NamedTuple):
    """Encoders and a fusion that learnt from one pairing of signs and spoken digits."""

    readers: dict[str, Any]
    encoders: dict[str, nn.Module]
    alone: dict[str, Trained]
    fused: Trained


def paired(pairing: int) -> dict[str, Rows]:
    """Signs and digits, each paired with one of its label; the test part is a new speaker's."""
    spoken = real.spoken_digits(speaker=NEW, download=False)
    return split_rows(
        real.pair_by_label(spoken, real.sign_digits(download=False), "image", pairing)
    )


@lru_cache(maxsize=1)
def learnt_of_pairs(seed: int = 0) -> Paired:
    """What is tested on every pairing, learnt once."""
    rows = paired(0)
    ears = MelReader(seconds=1.0, **WAYS["one loudness"]).fit(rows["train"], "audio")
    readers = {"image": ImageReader(), "audio": ears}
    splits = {split: to_tensors(part, readers) for split, part in rows.items()}
    torch.manual_seed(seed)
    encoders = untrained(seed)
    options = {"epochs": DIGIT_EPOCHS, "learning_rate": 3e-3}
    alone = models_alone(encoders, splits, 10, seed=seed, options=options)
    cached = cache_features(encoders, splits)
    fused = models_fused({"concat + linear": ConcatFusion}, cached, 10, names=NAMES, seed=seed,
                         options=HEADS | {"learning_rate": 3e-3})["concat + linear"]  # fmt: skip
    return Paired(readers, encoders, alone, fused)


def pairs(seed: int) -> Iterator[Run]:
    """Signs and a new speaker's digits; seed: of the pairing, the models are the same for all."""
    learnt = learnt_of_pairs()
    tensors = to_tensors(paired(seed)["test"], learnt.readers)
    label, batches = tensors["label"], Batches(tensors, 256)
    line = line_for("pairs", seed, len(label), f"without {NEW}", "paired_digits")
    logits = [predict(one.model, batches).double() for one in learnt.alone.values()]
    for name, one in zip(learnt.alone, logits, strict=True):
        yield line(f"{name} alone", "", accuracy(one, label))
    prior = torch.full((10,), 0.1, dtype=torch.double)
    yield line("adding log-posteriors", "", accuracy(add_log_posteriors(logits, prior), label))
    features = cache_features(learnt.encoders, {"test": tensors})["test"]
    said = predict(learnt.fused.model, Batches(features, 256))
    yield line("concat + linear", "", accuracy(said, label))


# --- files through a DataLoader --------------------------------------------------------------


def loading(seed: int, times: int = 3) -> Iterator[Run]:
    """Cards a second: files through a DataLoader without and with workers, and Batches in memory.

    The median of some passes. It says how this machine is, and no test holds it to the numbers.
    seed: which try it is; nothing here is thrown.
    """
    cards_in = MusicFolder(course_root() / "data" / "music_cards", music_cards.GENRES)
    line = line_for("loading", seed, len(cards_in))
    clips = collate_clips([cards_in[k] for k in range(len(cards_in))])
    ways = {
        "Batches in memory": lambda: Batches(clips, 30),
        "DataLoader, no worker": lambda: DataLoader(cards_in, 30, collate_fn=collate_clips),
        "DataLoader, 2 workers": lambda: DataLoader(
            cards_in, 30, num_workers=2, collate_fn=collate_clips
        ),
    }
    for name, make in ways.items():
        seconds = []
        for _ in range(times):
            start = time.perf_counter()
            rows = sum(len(batch["label"]) for batch in make())
            seconds.append(time.perf_counter() - start)
        yield line(name, "", rows / sorted(seconds)[times // 2], "cards a second")


# --- all of it -------------------------------------------------------------------------------


def ceilings() -> Iterator[Run]:
    for task in CLASSES:
        line = line_for(task, 0, 0)
        for reader, best in music_cards.ceiling(task).items():
            yield line(f"ceiling, {reader}", "", best)

    line = line_for("review", 0, 0)
    yield line("ceiling, adding", "", best_of_adding())


def best_of_adding() -> float:
    """The best accuracy on ``review`` of a head that adds a score of each sense; exact.

    It says yes where the two scores add up to more than 0. Then the moods of a clip to which it
    says yes beside one kind of cover are all among those to which it says yes beside the other. So
    it can be right on three of the four pairs of moods, though not on all four.
    """
    joint = music_cards.joint_chances("review", music_cards.Dials())  # (label, cover, clip)
    answers = [*itertools.product((0, 1), repeat=joint.shape[2])]
    best = 0.0
    for less, more in itertools.product(answers, repeat=2):
        if all(one <= other for one, other in zip(less, more, strict=True)):
            for pair in ((less, more), (more, less)):
                cells = [joint[said, cover, clip] for cover, row in enumerate(pair)
                         for clip, said in enumerate(row)]  # fmt: skip
                best = max(best, sum(cells))
    return best


BEST = "ceiling, *"
NONE: Sequence[int] = ()  # not measured yet: by name and seed it can be


def of_cards(run: Run) -> bool:
    """Whether a line is of both tasks' readers and heads, and not learnt from scratch."""
    return within(*CLASSES, but=BEST)(run) and run.setting != SCRATCH


def with_murmur(run: Run) -> bool:
    """Whether a line is of noise where some clips are a murmur."""
    return run.experiment == "noise" and not run.dials.startswith(MURMURLESS)


AS_RECORDED = within("digits", dials="as recorded")
SPEAKERS = within("digits", dials="one loudness", setting="without *")
FOLDS = within("digits", dials="one loudness", setting="fold *")
PLAN = Plan(
    "14",
    [Part("rates", chosen_rates, within("rates"), (TUNING,))],
    [
        Part("cards", on(world_of, cards), of_cards, (0, 1, 2, 3)),
        Part("scratch", on(world_of, from_scratch), within("review", setting=SCRATCH), (0, 1, 2)),
    ],
    [Part("few", few, within("few cards"), SEEDS)],
    [Part("noise", noise, with_murmur, (0, 2, 3))],
    [Part("murmurless", murmurless, within("noise", dials=f"{MURMURLESS}*"), (0,))],
    [
        Part("recorded", recorded, AS_RECORDED, (0,), digits_are_here),
        Part("speakers", speakers, SPEAKERS, (0,), digits_are_here),
        Part("folds", folds, FOLDS, NONE, digits_are_here),
        Part("loudness", loudness, within("loudness"), here=digits_are_here),
    ],
    [Part("pairs", pairs, within("pairs"), SEEDS, pairs_are_here)],
    [Part("loading", loading, within("loading"), SEEDS)],
    [Part("ceilings", ceilings, within(*CLASSES, model=BEST))],
    [Part("models", keep_models, lambda run: False)],
)


def again() -> Iterator[Run]:
    """The ceilings, and one seed's linear model of few cards, anew."""
    yield from ceilings()
    yield from few(0, networks=False)


if __name__ == "__main__":
    PLAN.main()
