"""What lesson 09 reads from data/results/09.csv: projections, shuffles, leaks, and who contributed.

    make results LESSON=09                # all of it
    make results LESSON=09 PART=cards     # or other parts: leak, emoji, digits

Five seeds, each with encoders, cards and heads of its own; heads and their settings are those of
lesson 05 (chosen there on validation cards), tested on fresh cards: 5,000 of either task. Emoji and
spoken digits are read where COURSE_DATA_DIR holds them; without it their lines are left as they
are in the file.
"""

import csv
import functools
import os
import re
import wave
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from heads import NAMES, TASKS, heads_alone, heads_named
from room import Part, Plan, emoji_are_here, within
from torch import Tensor, nn

from course_utils import frozen
from course_utils.baselines import majority_baseline, tuned_linear
from course_utils.data import news_cards, planted, real
from course_utils.data.batches import to_tensors
from course_utils.data.readers import ImageReader, TextReader, fit_readers
from course_utils.data.results import Run
from course_utils.data.rows import Rows, split_rows, take
from course_utils.experiment import Trained, cache_features, models_fused
from course_utils.measures import accuracy, paired_gain, permutation_drop
from course_utils.multimodality import (
    emap_against,
    emap_of_means,
    modality_shapley,
    multimodality_report,
    right_in,
)

SEEDS = range(5)
CARDS = "news_cards"
TESTED = 5_000  # fresh cards of either task
SHUFFLES, PARTNERS = 5, 100
PRODUCTS = ("product", "tensor", "low rank", "bilinear")
BILINEAR = ("concat + linear", *PRODUCTS)  # linear in either sense: exact EMAP is cheap
MARGIN = {"accuracy": 0.02, "EMAP": 0.02, "change": 0.02}

ALONE = heads_alone(NAMES)
HEADS = heads_named(
    "concat + linear", "concat + MLP", "product", "tensor", "low rank", "bilinear", "maximum"
)
LEARN = {"epochs": 12, "learning_rate": 5e-3, "batch_size": 128}  # as in lesson 05


def line_of(experiment: str, seed: int, rows: int, world: str = CARDS, dials: str = "") -> Any:
    """What makes a line of the file from model, measure and value."""

    def line(model: str, measure: str, value: float, setting: str = "") -> Run:
        return Run(experiment, world, dials, model, setting, seed, rows, measure, float(value))

    return line


def three(line: Any, model: str, interval: tuple, kind: str) -> Iterator[Run]:
    """A value with both ends of its interval."""
    for end, value in zip(("", " low", " high"), interval, strict=True):
        yield line(model, kind + end, value)


encoders_of = functools.cache(frozen.of_seed)  # those of seeds 3 and 4 are trained


# --- cards ----------------------------------------------------------------------------------------


def fresh(task: str, seed: int) -> Rows:
    """TESTED cards of one task that no model has seen."""
    mismatch = {"mismatch": 0} if task == "section" else {}
    return news_cards.rows_for(news_cards.make(TESTED, seed + 2000, **mismatch), task)


def rows_of(made: frozen.Frozen, seed: int, task: str) -> dict[str, Rows]:
    """The cards that taught the encoders, with fresh ones in place of the test rows."""
    rows = split_rows(news_cards.rows_for(news_cards.make(made.recipe.cards, seed), task))
    return rows | {"test": fresh(task, seed)}


def cached_cards(made: frozen.Frozen, seed: int, task: str) -> dict[str, dict[str, Tensor]]:
    """Their features."""
    rows = rows_of(made, seed, task)
    tensors = {split: to_tensors(part, made.readers) for split, part in rows.items()}
    return cache_features(made.encoders, tensors)


RAW = "linear, raw"  # of pictures and words as they are, tuned on validation cards; no encoders


def raw_linear(rows: Mapping[str, Rows], readers: Mapping) -> Tensor:
    """The classes that a tuned linear model of raw pictures and words names for the test rows."""
    return tuned_linear(rows, readers)["both"].predicted


def score_of(model: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda image, text: model({"image": image, "text": text})


def heads_on(cached: Mapping[str, Any], heads: Mapping, classes: int, seed: int) -> dict:
    options = {"seed": seed, "options": LEARN}
    return models_fused(heads, cached, classes, names=NAMES, **options)


def cards(
    seed: int, heads: Mapping = HEADS, tasks: Mapping = TASKS, alone: Mapping = ALONE
) -> Iterator[Run]:
    """Both tasks: every head as it is, under EMAP, with a sense shuffled; and Shapley values."""
    made = encoders_of(seed)
    for task, classes in tasks.items():
        cached = cached_cards(made, seed, task)
        label = cached["test"]["label"]
        line = line_of(task, seed, len(label))
        found = heads_on(cached, alone | heads, classes, seed)
        yield line("majority", "accuracy", majority_baseline(cached["train"]["label"], label))
        if alone:
            right = raw_linear(rows_of(made, seed, task), made.readers) == label
            yield line(RAW, "accuracy", right.double().mean())
        for name, one in found.items():
            yield line(name, "accuracy", accuracy(one.logits, label))
        for name in heads:
            yield from projected(found[name], cached["test"], line, name)
        if "concat + MLP" in heads:
            yield from contributions(found, cached, task, seed)


def projected(one: Trained, test: Mapping[str, Tensor], line: Any, name: str) -> Iterator[Run]:
    """EMAP on all rows, and what few partners make of it; shuffles of either sense."""
    score, label = score_of(one.model), test["label"]
    image, text = test["image"], test["text"]
    right = one.logits.argmax(dim=1) == label
    added = projection(name, score, image, text).argmax(dim=1) == label
    yield line(name, "EMAP", added.double().mean())
    yield from three(line, name, paired_gain(added, right), "change")
    if name in PRODUCTS:
        few = emap_against(score, image, text, PARTNERS).argmax(dim=1) == label
        yield line(name, "EMAP, 100 partners", few.double().mean())
    for sense in NAMES:
        drop = permutation_drop(right, right_in(shuffled(score, image, text, sense), label))
        yield from three(line, name, drop, f"{sense} shuffled")


def projection(name: str, score: Any, image: Tensor, text: Tensor) -> Tensor:
    """EMAP, exact where the head allows it, else against partners."""
    if name in BILINEAR:
        return emap_of_means(score, image, text)
    return emap_against(score, image, text, PARTNERS)


@torch.no_grad()
def shuffled(score: Any, image: Tensor, text: Tensor, sense: str) -> list[Tensor]:
    """The logits with one sense of other rows, SHUFFLES times."""
    rng = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(image), generator=rng) for _ in range(SHUFFLES)]
    if sense == "image":
        return [score(image[order], text) for order in orders]
    return [score(image, text[order]) for order in orders]


def contributions(found: Mapping, cached: Mapping, task: str, seed: int) -> Iterator[Run]:
    """Shapley values of accuracy, where an absent sense is untrained, or that of another row."""
    test, label = cached["test"], cached["test"]["label"]
    score, image, text = score_of(found["concat + MLP"].model), test["image"], test["text"]
    whole = accuracy(found["concat + MLP"].logits, label)
    majority = majority_baseline(cached["train"]["label"], label)
    without = {name: right_in(shuffled(score, image, text, name), label) for name in NAMES}
    rng = torch.Generator().manual_seed(1)
    turned = [torch.randperm(len(label), generator=rng) for _ in range(2 * SHUFFLES)]
    with torch.no_grad():
        neither = [score(image[a], text[b]) for a, b in zip(turned[::2], turned[1::2], strict=True)]
    values = {
        "trained without": {
            frozenset(): majority,
            frozenset({"image"}): accuracy(found["image alone"].logits, label),
            frozenset({"text"}): accuracy(found["text alone"].logits, label),
            frozenset(NAMES): whole,
        },
        "shuffled": {
            frozenset(): right_in(neither, label).double().mean().item(),
            frozenset({"image"}): without["text"].double().mean().item(),
            frozenset({"text"}): without["image"].double().mean().item(),
            frozenset(NAMES): whole,
        },
    }
    line = line_of(f"shapley, {task}", seed, len(label))
    for setting, value in values.items():
        for names, worth in value.items():
            yield line("+".join(sorted(names)) or "none", "value", worth, setting)
        for name, share in modality_shapley(value).items():
            yield line(name, "share", share, setting)


# --- a planted leak -------------------------------------------------------------------------------

GRID = 12  # a thumbnail of 12 x 12 colours


def thumbnails(tensors: Mapping[str, Any]) -> Tensor:
    """The mean colours of 12 x 12 squares, less 0.5: (n, 432)."""
    pictures = tensors["image"].float() / 255
    return nn.functional.adaptive_avg_pool2d(pictures, GRID).flatten(1) - 0.5


def leaky_rows(made: frozen.Frozen, seed: int) -> dict[str, Rows]:
    """The colleague's cards. "test" are fresh cards with marks, "clean" the same without."""
    cards = planted.colleagues_cards(made.recipe.cards, seed)
    rows = split_rows(news_cards.rows_for(cards, "match"))
    clean = fresh("match", seed)
    rows["test"] = news_cards.rows_for(
        planted.mark_fits(clean, planted.SHARE, seed + 2000), "match"
    )
    return rows | {"clean": clean}


def leaky_features(made: frozen.Frozen, seed: int) -> tuple[dict, dict, dict]:
    """The colleague's cards under frozen encoders; with thumbnails; and their tensors."""
    rows = leaky_rows(made, seed)
    tensors = {split: to_tensors(part, made.readers) for split, part in rows.items()}
    cached = cache_features(made.encoders, tensors)
    wide = {
        split: part | {"image": torch.cat([part["image"], thumbnails(tensors[split])], dim=1)}
        for split, part in cached.items()
    }
    return cached, wide, tensors


def leak(seed: int) -> Iterator[Run]:
    """Two heads on cards whose fitting pictures are marked, and what mends the result."""
    made = encoders_of(seed)
    cached, wide, tensors = leaky_features(made, seed)
    label = cached["test"]["label"]
    line = line_of("leak", seed, len(label))
    yield line("majority", "accuracy", majority_baseline(cached["train"]["label"], label))
    yield from leaky_linear(leaky_rows(made, seed), made.readers, line)
    for kind, features in {"encoder": cached, "encoder and thumbnail": wide}.items():
        heads = {name: HEADS[name] for name in ("concat + linear", "product", "concat + MLP")}
        for name, one in heads_on(features, ALONE | heads, 2, seed).items():
            yield line(name, "accuracy", accuracy(one.logits, label), kind)
            score = score_of(one.model)
            with torch.no_grad():
                on_clean = score_or_alone(one.model, features["clean"])
            yield line(name, "accuracy, mended", accuracy(on_clean, label), kind)
            if name in heads:
                image, text = features["test"]["image"], features["test"]["text"]
                right = one.logits.argmax(dim=1) == label
                if name in BILINEAR:
                    added = emap_of_means(score, image, text).argmax(dim=1) == label
                    yield line(name, "EMAP", added.double().mean(), kind)
                for sense in NAMES:
                    drop = permutation_drop(
                        right, right_in(shuffled(score, image, text, sense), label)
                    )
                    yield line(name, f"{sense} shuffled", drop[0], kind)
    yield from blocks(tensors, seed)
    yield from reports(made, cached, wide, seed)


def leaky_linear(rows: Mapping[str, Rows], readers: Mapping, line: Any) -> Iterator[Run]:
    """The linear model of raw inputs, on cards with marks and on the same without."""
    marked, clean = rows["test"], rows["clean"]
    twice = {
        name: np.concatenate([column, clean[name]]) if isinstance(column, np.ndarray)
        else [*column, *clean[name]]
        for name, column in marked.items() if name in clean
    }  # fmt: skip
    both = {split: rows[split] for split in ("train", "validation")}
    named = raw_linear(both | {"test": marked.with_columns(twice)}, readers)
    label = torch.as_tensor(marked["label"])
    for measure, part in zip(("accuracy", "accuracy, mended"), named.chunk(2), strict=True):
        yield line(RAW, measure, (part == label).double().mean())


def score_or_alone(model: nn.Module, features: Mapping[str, Tensor]) -> Tensor:
    return model({name: features[name] for name in NAMES})


def blocks(tensors: Mapping[str, Any], seed: int, side: int = 8) -> Iterator[Run]:
    """How often a linear model of one 8 x 8 block of pixels is right on ``match``."""
    label = tensors["test"]["label"]
    for row in range(6):
        for column in range(6):
            line = line_of("blocks", seed, len(label), dials=f"{row},{column}")
            yield line("one block", "accuracy", block_accuracy(tensors, row, column, side))


def block_accuracy(tensors: Mapping[str, Any], row: int, column: int, side: int = 8) -> float:
    from sklearn.linear_model import LogisticRegression

    where = slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
    seen = {
        split: tensors[split]["image"][:, :, where[0], where[1]].flatten(1).numpy() / 255 - 0.5
        for split in ("train", "test")
    }
    model = LogisticRegression(C=0.1, max_iter=300).fit(seen["train"], tensors["train"]["label"])
    return model.score(seen["test"], tensors["test"]["label"])


# --- the report on three models ------------------------------------------------------------------

REPORTED = 800  # test cards


def reports(made: frozen.Frozen, cached: dict, wide: dict, seed: int) -> Iterator[Run]:
    """The lesson's three models, with blind baselines of their own: the report's intervals."""
    section = cached_cards(made, seed, "section")
    three_models = {
        "A": ("product", cached, 2),
        "B": ("concat + linear", wide, 2),
        "C": ("concat + MLP", section, 5),
    }
    for letter, (name, features, classes) in three_models.items():
        found = heads_on(features, ALONE | {name: HEADS[name]}, classes, seed)
        test = {part: features["test"][part][:REPORTED] for part in (*NAMES, "label")}
        rng = torch.Generator().manual_seed(seed)
        orders = torch.stack([torch.randperm(REPORTED, generator=rng) for _ in range(SHUFFLES)])
        label = test["label"]
        alone = {n: found[n].logits[:REPORTED].argmax(dim=1) == label for n in ALONE}
        said = multimodality_report(
            score_of(found[name].model), test["image"], test["text"], label, alone, orders
        )
        line = line_of("report", seed, REPORTED)
        yield line(letter, "accuracy", said["accuracy"], said["verdict"])
        for kind in ("gain", "interaction", "first_drop", "second_drop"):
            yield from three(line, letter, said[kind], kind)


# --- emoji ----------------------------------------------------------------------------------------

PERSON = {"man", "woman", "men", "women", "person", "people", "boy", "girl", "male", "female",
          "mr", "mrs", "mx"}  # fmt: skip
TEXTS = {"name": "name", "keywords": "keywords"}


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def family(name: str) -> str:
    """A name without the words that only say who: "woman cook" and "man cook" are one family."""
    return " ".join(word for word in words_of(name) if word not in PERSON) or name


def divided(groups: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """70, 10 and 20 in 100 rows; those of one group stay together."""
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    parts = np.split(order, [int(0.7 * len(order)), int(0.8 * len(order))])
    return {s: np.isin(groups, p) for s, p in zip(("train", "validation", "test"), parts)}  # noqa: B905


def emoji_rows() -> Rows:
    """Pictures, names and keywords of the emoji, one row each."""
    rows, keywords = real.emoji("name"), real.emoji("keywords")
    column = rows.modalities["text"]
    other = keywords.modalities["text"]
    assert list(rows["label"]) == list(keywords["label"])
    return Rows(
        {"image": rows[rows.modalities["image"]], "name": rows[column],
         "keywords": keywords[other], "label": rows["label"]},
        rows.classes, modalities={"image": "image", "name": "name", "keywords": "keywords"},
    )  # fmt: skip


def without_group_words(text: str, classes: tuple[str, ...]) -> str:
    """The words that do not stand in any group's name, in singular or plural."""
    named = {word.rstrip("s") for name in classes for word in words_of(name)}
    return " ".join(word for word in words_of(text) if word.rstrip("s") not in named)


def emoji(seed: int) -> Iterator[Run]:
    rows = emoji_rows()
    families = np.array([family(name) for name in rows["name"]])
    alone_each = np.arange(len(families))
    for split, groups in {"row by row": alone_each, "by family": families}.items():
        parts = {s: take(rows, keep) for s, keep in divided(groups, seed).items()}
        yield from emoji_split(parts, split, seed)
    hidden = [without_group_words(text, rows.classes) for text in rows["keywords"]]
    parts = {s: take(rows | {"keywords": hidden}, k) for s, k in divided(alone_each, seed).items()}
    readers = fit_readers({"keywords": TextReader()}, parts["train"])
    found = tuned_linear(parts, readers)["keywords"]
    line = line_of("emoji", seed, len(parts["test"]["label"]), "emoji", "row by row")
    yield line("keywords, group words hidden", "accuracy", found.accuracy)


def emoji_split(parts: Mapping, split: str, seed: int) -> Iterator[Run]:
    """All subsets of picture, name and keywords, by linear models, and the worth of each."""
    label = torch.as_tensor(parts["test"]["label"])
    line = line_of("emoji", seed, len(label), "emoji", split)
    train = torch.as_tensor(parts["train"]["label"])
    value = {frozenset(): majority_baseline(train, label)}
    yield line("majority", "accuracy", value[frozenset()])
    makers = {"image": ImageReader, "name": TextReader, "keywords": TextReader}
    wanted = [("image", "name"), ("image", "keywords"), ("name", "keywords"), tuple(makers)]
    said = {}
    for names in wanted if split == "row by row" else wanted[:1]:
        readers = fit_readers({name: makers[name]() for name in names}, parts["train"])
        for name, found in tuned_linear(parts, readers).items():
            key = names if name in ("both", "all") else (name,)
            value[frozenset(key)], said[key] = found.accuracy, found.predicted
    for key in said:
        yield line("+".join(key), "accuracy", value[frozenset(key)])
    gain = paired_gain(said["image", "name"] == label, said["name",] == label)
    yield from three(line, "image+name", gain, "gain over name")
    if split == "row by row":
        for name, share in modality_shapley(value).items():
            yield line(name, "share", share)


# --- spoken digits --------------------------------------------------------------------------------


def digits_folder() -> Path:
    return Path(os.environ.get("COURSE_DATA_DIR", "/nowhere")) / "digits"


def digits_are_here() -> bool:
    return (digits_folder() / "fsdd.csv").is_file()


def spectrum(path: Path) -> np.ndarray:
    """Log power in 20 bands at 6 places of a clip, (120,): the clip is cut into six equal parts."""
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32768
    parts = np.array_split(np.pad(sound, (0, max(0, 1536 - len(sound)))), 6)
    bands = []
    for part in parts:
        frames = np.lib.stride_tricks.sliding_window_view(part, 256)[::64] * np.hanning(256)
        power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0)[1:121]
        bands.append(np.log(power.reshape(20, 6).sum(axis=1) + 1e-6))
    return np.concatenate(bands)


def digits() -> Iterator[Run]:
    """Digits from spectra: rows divided at random, against one speaker left out, for each."""
    with (digits_folder() / "fsdd.csv").open() as file:
        table = list(csv.DictReader(file))
    seen = np.stack([spectrum(digits_folder() / row["file"]) for row in table])
    label = np.array([int(row["label"]) for row in table])
    speaker = np.array([row["speaker"] for row in table])
    for number, name in enumerate(np.unique(speaker)):
        out = speaker == name
        # As many test rows of the same speaker, and as many training rows, either way.
        rng = np.random.default_rng(number)
        chosen = rng.permutation(len(label))[: out.sum()]
        mixed = np.isin(np.arange(len(label)), chosen)
        for split, test in {"speakers shared": mixed, "speaker left out": out}.items():
            line = line_of("digits", number, int(test.sum()), "digits", name)
            yield line("spectra, linear", "accuracy", digits_right(seen, label, test), split)
            majority = majority_baseline(*map(torch.as_tensor, (label[~test], label[test])))
            yield line("majority", "accuracy", majority, split)
    yield from who_speaks(seen, speaker, label)


def digits_right(seen: np.ndarray, label: np.ndarray, test: np.ndarray) -> float:
    from sklearn.linear_model import LogisticRegression

    mean, spread = seen[~test].mean(axis=0), seen[~test].std(axis=0)
    scaled = (seen - mean) / spread
    model = LogisticRegression(C=0.1, max_iter=2000).fit(scaled[~test], label[~test])
    return model.score(scaled[test], label[test])


def who_speaks(seen: np.ndarray, speaker: np.ndarray, label: np.ndarray) -> Iterator[Run]:
    """How well the same features name the speaker: three tenths of the rows are tested."""
    number = np.unique(speaker, return_inverse=True)[1]
    test = np.random.default_rng(0).random(len(label)) < 0.3
    line = line_of("digits", 0, int(test.sum()), "digits", "all")
    yield line("spectra, linear", "names the speaker", digits_right(seen, number, test))


# --- all of it ------------------------------------------------------------------------------------

ON_CARDS = ("section", "match", "shapley, section", "shapley, match")
ON_A_LEAK = ("leak", "blocks", "report")
PLAN = Plan(
    "09",
    [Part("cards", cards, within(*ON_CARDS), SEEDS)],
    [Part("leak", leak, within(*ON_A_LEAK), SEEDS)],
    [Part("emoji", emoji, within("emoji"), SEEDS, emoji_are_here)],
    [Part("digits", digits, within("digits"), here=digits_are_here)],
    experiments=(*ON_CARDS, *ON_A_LEAK, "emoji", "digits"),
)


def again() -> Iterator[Run]:
    """One seed of two heads on ``match`` anew."""
    heads, kept = heads_named("concat + linear", "product"), ("accuracy", "EMAP", "change")
    return (run for run in cards(0, heads, {"match": 2}, {}) if run.measure in kept)


if __name__ == "__main__":
    PLAN.main()
