"""What lesson 13 reads from data/results/13.csv, and the small models of data/models/13.

    make results LESSON=13      # six to ten minutes of one core

Five seeds. Frozen encoders of each seed with their own heads are explained on fresh cards; readers
of cards with a mark, a leaking word, printed words and logos learn here, by the recipe of the
frozen encoders. Temperatures are chosen on validation rows, everything else is measured on fresh
ones. Nothing was searched for: patches of 8 × 8, 32 steps, windows 4 apart were fixed before. The
audit's rule is the second that was tried: a share of all falls (over 0.3) missed the mark of seed
1, so a ratio (over 3) took its place, after a look at seeds 0 and 1. It misses that mark too;
on seeds 2 to 4, which were fresh, it finds all.

Real data: emoji pictures (``benchmarks/emoji.py``'s settings), where no box is known.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from room import Part, Plan, emoji_are_here, within
from scipy.stats import kendalltau
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from course_utils import explain, frozen, suspects
from course_utils.baselines import majority_baseline, tuned_linear
from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards, real
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.news_pictures import add_mark
from course_utils.data.readers import ImageReader
from course_utils.data.results import Run
from course_utils.data.rows import split_rows
from course_utils.data.written_words import write_words
from course_utils.encoders import CNNEncoder, TransformerEncoder
from course_utils.experiment import models_alone
from course_utils.fusion import ConcatFusion
from course_utils.measures import accuracy, expected_calibration_error, temperature
from course_utils.training import predict

SEEDS = range(5)
EMOJI_SEEDS = range(5)
SHOWN = 150  # cards whose maps are made, for each seed
FRESH = 5000
STEPS = (8, 32, 128)
SQUARE = 12  # pixels, in audits
MARK = (1, 44, 3, 46)  # the planted square
CORNER = (0, 43, 4, 47)  # and a pixel around it: a map's largest number may lie on its edge
# Shares of a few hundred cards on another machine; encoders of seed 0 are files.
MARGIN = {"hit": 0.03, "overlap": 0.03}


def line(experiment: str, model: str, seed: int, measure: str, value: float, setting: str = "",
         rows: int = SHOWN, world: str = "news cards", dials: str = "") -> Run:  # fmt: skip
    return Run(experiment, world, dials, model, setting, seed, rows, measure, float(value))


def batch_of(rows: Any, readers: Any, label: str | None = "label") -> dict[str, Any]:
    """All rows as one batch."""
    tensors = to_tensors(rows, readers, label=label)
    return next(iter(Batches(tensors, len(rows["label"]))))


def picked(batch: dict[str, Any], keep: np.ndarray, most: int = SHOWN) -> dict[str, Any]:
    """The first of the rows that are to be kept, without ``present``."""
    index = torch.from_numpy(np.flatnonzero(keep)[:most])
    return {name: tensor[index] for name, tensor in batch.items() if name != "present"}


def logits_of(model: nn.Module, batch: dict[str, Any]) -> Tensor:
    return predict(model, Batches(batch, 256))


@cache
def fresh_cards(seed: int) -> tuple[frozen.Frozen, Any, dict[str, Any]]:
    """One seed's frozen encoders and fresh cards that fit, as rows and as a batch."""
    made = frozen.of_seed(seed)
    rows = news_cards.rows_for(news_cards.make(FRESH, seed + 1000, mismatch=0), "section")
    return made, rows, batch_of(rows, made.readers)


# --- maps of pictures --------------------------------------------------------------------------


def of_chance(seed: int, classes: int = 5) -> MultimodalClassifier:
    """A reader of pictures that never learnt."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 77)
        encoders = {"image": CNNEncoder(64)}
        return MultimodalClassifier(encoders, ConcatFusion({"image": 64}), classes).eval()


def all_maps(
    model: nn.Module, image: Tensor, target: Tensor, black: bool = False
) -> dict[str, Tensor]:
    """Every way to make a map of a model: {name: (B, H, W)}; black: IG from black pictures too."""
    scores, paper = explain.scores_of(model), explain.median_colour(image)
    blocks, size = model.encoders["image"].blocks, tuple(image.shape[2:])
    cams = {
        name: explain.enlarged(
            explain.grad_cam(*explain.maps_and_gradients(scores, layer, image, target)), size
        )
        for name, layer in {"Grad-CAM": blocks[-1], "Grad-CAM 12 x 12": blocks[7]}.items()
    }
    steep = explain.saliency(scores, image, target)
    baselines = {"IG, median": paper} | ({"IG, black": torch.zeros_like(paper)} if black else {})
    integrated = {
        name: explain.summed(explain.integrated_gradients(scores, image, baseline, target))
        for name, baseline in baselines.items()
    }
    return {
        **integrated,
        "IG, median, blurred": explain.blurred(integrated["IG, median"]),
        "occlusion": explain.occlusion(scores, image, target, paper),
        "saliency": steep,
        "saliency, blurred": explain.blurred(steep),
        **cams,
    }


def without_model(image: Tensor, seed: int) -> dict[str, Tensor]:
    """The maps that have to be beaten: {name: (B, H, W)}."""
    steep = explain.edges(image)
    return {
        "edges": steep,
        "edges, blurred": explain.blurred(steep),
        "contrast": explain.contrast(image),
        "centre": explain.centre(image),
        "random map": explain.at_random(image, seed),
    }


def located(experiment: str, seed: int, maps: dict[str, Tensor], box: Tensor, setting: str = ""
            ) -> Iterator[Run]:  # fmt: skip
    for name, one in maps.items():
        share, iou = explain.hits(one, box), explain.overlap(one, box)
        for measure, value in (("hit", share), ("overlap", iou)):
            yield line(experiment, name, seed, measure, value.double().mean(), setting, len(box))


def with_motif(seed: int) -> tuple[nn.Module, dict[str, Any]]:
    """The frozen reader of pictures, and cards with a motif whose section it names."""
    made, rows, batch = fresh_cards(seed)
    eye = made.alone["image"]
    right = logits_of(eye, batch).argmax(dim=1) == batch["label"]
    keep = right.numpy() & (rows["motif_box"][:, 0] >= 0)
    return eye, picked(batch | {"box": torch.from_numpy(rows["motif_box"])}, keep)


def maps(seed: int) -> Iterator[Run]:
    """Hits and overlaps with the motif's box: trained, with random weights, without a model."""
    eye, cards = with_motif(seed)
    image, label, box = (cards[name] for name in ("image", "label", "box"))
    yield from located("maps", seed, without_model(image, seed), box, "no model")
    for setting, model in {"trained": eye, "random weights": of_chance(seed)}.items():
        found = all_maps(model, image, label, black=setting == "trained")
        yield from located("maps", seed, found, box, setting)
        if setting == "trained":
            yield from deleted("news cards", seed, eye, image, found)


def deleted(world: str, seed: int, eye: nn.Module, image: Tensor, found: dict[str, Tensor]
            ) -> Iterator[Run]:  # fmt: skip
    """What hiding the largest square of each map does to the answers."""
    scores, paper = explain.scores_of(eye), explain.median_colour(image)
    named = scores(image).argmax(dim=1)
    chance = explain.scores_of(of_chance(seed, len(eye.head.bias)))
    by_chance = explain.integrated_gradients(chance, image, paper, named)
    every = found | without_model(image, seed)
    every["IG, random weights"] = explain.summed(by_chance)
    for name, one in every.items():
        changed, fall = explain.deletion(scores, image, one, paper)
        yield line("deletion", name, seed, "changed", changed, rows=len(image), world=world)
        yield line("deletion", name, seed, "fall of p", fall, rows=len(image), world=world)


def completeness(seed: int) -> Iterator[Run]:
    """How far attributions are from summing to what they should, as a share of it: the median."""
    eye, cards = with_motif(seed)
    image, label = cards["image"][:30], cards["label"][:30]
    scores, paper = explain.scores_of(eye), explain.median_colour(image)
    for name, baseline in {"median": paper, "black": torch.zeros_like(paper)}.items():
        with torch.no_grad():
            ends = [explain.chosen(scores(x.expand_as(image)), label) for x in (image, baseline)]
        for steps in STEPS:
            found = explain.integrated_gradients(scores, image, baseline, label, steps)
            off = (found.flatten(1).sum(1) - (ends[0] - ends[1])).abs() / (ends[0] - ends[1]).abs()
            setting = f"{steps} steps"
            yield line("completeness", name, seed, "relative error", off.median(), setting, 30)


# --- the planted mark --------------------------------------------------------------------------


@cache
def marked_eye(seed: int) -> MultimodalClassifier:
    return suspects.train_eye(seed, "mark")


def mark(seed: int) -> Iterator[Run]:
    """Where maps point on cards that are named sport for their mark; what the mark does."""
    eye = marked_eye(seed)
    readers = {"image": ImageReader()}
    rows = suspects.make_cards(FRESH, seed + 2000, "mark", mismatch=0)
    batch = batch_of(rows, readers)
    named = logits_of(eye, batch).argmax(dim=1).numpy()
    yield line("mark", "image alone", seed, "accuracy", (named == rows["label"]).mean(),
               rows=len(named))  # fmt: skip
    keep = (rows["motif_box"][:, 0] < 0) & rows["planted"] & (named == news_cards.MARKED)
    cards = picked(batch, keep)
    box = torch.tensor([CORNER]).expand(len(cards["label"]), 4)
    found = all_maps(eye, cards["image"], cards["label"])
    found |= without_model(cards["image"], seed)
    yield from located("mark", seed, found, box, "without a motif")
    yield from what_the_mark_does(seed, eye, rows, named)


def what_the_mark_does(seed: int, eye: nn.Module, rows: Any, named: np.ndarray) -> Iterator[Run]:
    """Put on other sections' cards, and taken off sport's."""
    from PIL import Image

    readers, plain = {"image": ImageReader()}, suspects.make_cards(FRESH, seed + 2000, "none",
                                                                  mismatch=0)  # fmt: skip
    sport = rows["label"] == news_cards.MARKED
    added = []
    for picture in rows["image"][~sport]:
        drawn = Image.fromarray(picture)
        add_mark(drawn)
        added.append(np.asarray(drawn))
    others = batch_of({"image": np.stack(added), "label": rows["label"][~sport]}, readers)
    share = (logits_of(eye, others).argmax(dim=1) == news_cards.MARKED).double().mean()
    yield line("mark", "added to others", seed, "named sport", share, rows=int((~sport).sum()))
    without = logits_of(eye, batch_of(plain, readers)).argmax(dim=1).numpy()
    for name, said in {"as they are": named, "taken off": without}.items():
        recall = (said[sport] == news_cards.MARKED).mean()
        yield line("mark", name, seed, "recall of sport", recall, rows=int(sport.sum()))


# --- words -------------------------------------------------------------------------------------


def all_words(model: nn.Module, batch: dict[str, Any], target: Tensor) -> dict[str, Tensor]:
    """Numbers for the words of each text, by every way: {name: (B, L)}, -inf at padding."""
    scores, vectors = explain.scores_of_vectors(model, batch)
    length, cut = batch["text_length"], vectors.shape[1]
    embed = model.encoders["text"].embed
    unknown = embed.weight[explain.UNKNOWN].detach().expand_as(vectors)
    falls = explain.word_falls(model, batch, target)[:, :cut]
    with torch.no_grad():
        model(batch)
    attended = explain.received_attention(model.encoders["text"].layers[0].attend, length)
    integrated = explain.integrated_gradients(scores, vectors, unknown, target).sum(dim=2)
    steep = explain.gradient(scores, vectors, target).norm(dim=2)
    return {
        "word hidden": falls,
        "IG, unknown word": explain.within_text(integrated, length),
        "saliency": explain.within_text(steep, length),
        "attention": attended,
    }


def words_without_model(rows: Any, keep: np.ndarray, counts: dict[str, int], cut: int, seed: int
                        ) -> dict[str, Tensor]:  # fmt: skip
    """The rarest word in the training headlines, the longest, any: {name: (B, L)}."""
    dice = np.random.default_rng(seed)
    texts = [rows["headline"][row].split() for row in np.flatnonzero(keep)]
    ways: dict[str, Callable[[str], float]] = {
        "rarest word": lambda word: -counts.get(word, 0) + dice.random() / 2,
        "longest word": lambda word: len(word) + dice.random() / 2,
        "random word": lambda word: dice.random(),
    }
    found = {}
    for name, way in ways.items():
        table = torch.full((len(texts), cut), -torch.inf)
        for row, text in enumerate(texts):
            table[row, : len(text)] = torch.tensor([way(word) for word in text])
        found[name] = table
    return found


def counted(headlines: Any) -> dict[str, int]:
    """In how many headlines each word stands."""
    words, numbers = np.unique(
        [word for text in headlines for word in set(text.split())], return_counts=True
    )
    return dict(zip(words.tolist(), numbers.tolist(), strict=True))


def pointed(experiment: str, seed: int, found: dict[str, Tensor], truth: Tensor, setting: str = ""
            ) -> Iterator[Run]:  # fmt: skip
    for name, values in found.items():
        share = (values.argmax(dim=1) == truth).double().mean()
        yield line(experiment, name, seed, "hit", share, setting, len(truth))


def place_in(headlines: list[str], words: list[str]) -> Tensor:
    """Where the word stands in each headline, -1 where it is misspelt: (n,)"""
    return torch.tensor(
        [text.split().index(word) if word in text.split() else -1
         for text, word in zip(headlines, words, strict=True)]
    )  # fmt: skip


def words(seed: int) -> Iterator[Run]:
    """How often each way points at the section's word, and at the word that leaks."""
    made, rows, batch = fresh_cards(seed)
    ear = made.alone["text"]
    place = place_in(rows["headline"], rows["section_word"])
    right = logits_of(ear, batch).argmax(dim=1) == batch["label"]
    keep = ((place >= 0) & right & (torch.tensor([w != "" for w in rows["section_word"]]))).numpy()
    keep &= np.cumsum(keep) <= 1000
    texts = picked(batch | {"place": place}, keep, 1000)
    found = all_words(ear, texts, texts["label"])
    cut = found["attention"].shape[1]
    seen = counted(split_rows(suspects.make_cards(6000, seed))["train"]
                   ["headline"])  # fmt: skip
    every = found | words_without_model(rows, keep, seen, cut, seed)
    yield from pointed("words", seed, every, texts["place"])
    yield from of_attention(seed, ear, texts, found)
    yield from leaking(seed)


@cache
def leaking_ear(seed: int) -> tuple[MultimodalClassifier, Any]:
    return suspects.train_ear(seed)


def leaking(seed: int) -> Iterator[Run]:
    """The same for headlines without a word of their section, named sport for the word planted."""
    ear, reader = leaking_ear(seed)
    rows = suspects.make_cards(FRESH, seed + 2000, "leak", mismatch=0)
    batch = batch_of(rows, {"text": reader})
    named = logits_of(ear, batch).argmax(dim=1).numpy()
    bare = np.array([word == "" for word in rows["section_word"]])
    keep = bare & rows["planted"] & (named == news_cards.MARKED)
    keep &= np.cumsum(keep) <= SHOWN
    texts = picked(batch, keep)
    place = texts["text_length"] - 1
    found = all_words(ear, texts, texts["label"])
    train = split_rows(suspects.make_cards(6000, seed, "leak"))["train"]["headline"]
    cut = found["attention"].shape[1]
    every = found | words_without_model(rows, keep, counted(train), cut, seed)
    yield from pointed("leak", seed, every, place)


def of_attention(seed: int, ear: nn.Module, texts: dict[str, Any], found: dict[str, Tensor]
                 ) -> Iterator[Run]:  # fmt: skip
    """Three claims about attention as an explanation, tested on the frozen reader of headlines."""
    length = texts["text_length"].tolist()
    for name in ("attention", "saliency", "IG, unknown word"):
        taus = [
            kendalltau(found[name][row, :many], found["word hidden"][row, :many]).statistic
            for row, many in enumerate(length)
        ]
        yield line("attention", name, seed, "Kendall's tau with word hidden", np.nanmean(taus),
                   rows=len(taus))  # fmt: skip
    layer = ear.encoders["text"].layers[0].attend
    before = ear(texts).softmax(dim=1)
    for name, change in {"shuffled": explain.shuffled, "uniform": explain.uniform}.items():
        with explain.attention_changed(layer, change), torch.no_grad():
            after = ear(texts).softmax(dim=1)
        changed = (after.argmax(dim=1) != before.argmax(dim=1)).double().mean()
        yield line("attention", name, seed, "answers changed", changed, rows=len(length))
        moved = (after - before).abs().sum(dim=1).mean() / 2
        yield line("attention", name, seed, "distance of answers", moved, rows=len(length))


def never_attended(seed: int) -> Iterator[Run]:
    """The reader of headlines as it learnt, and one that learnt with uniform attention."""
    made, _, batch = fresh_cards(seed)
    label = batch["label"]
    yield line("attention", "learnt", seed, "accuracy",
               accuracy(logits_of(made.alone["text"], batch), label), rows=len(label))  # fmt: skip
    recipe = frozen.Recipe(seed)
    cards = suspects.make_cards(recipe.cards, seed)
    readers = {"text": made.readers["text"]}
    splits = {name: to_tensors(part, readers) for name, part in split_rows(cards).items()}
    torch.manual_seed(seed)
    encoder = TransformerEncoder(len(readers["text"].vocabulary), recipe.dim)
    options = {key: getattr(recipe, key) for key in ("epochs", "learning_rate", "batch_size")}
    with explain.attention_changed(encoder.layers[0].attend, explain.uniform):
        model = models_alone({"text": encoder}, splits, 5, seed=seed, options=options)["text"].model
        value = accuracy(logits_of(model, batch), label)
    yield line("attention", "learnt with uniform", seed, "accuracy", value, rows=len(label))


# --- words in pictures -------------------------------------------------------------------------


@cache
def reading_eye(seed: int, kind: str) -> MultimodalClassifier:
    return frozen.of_seed(seed).alone["image"] if kind == "none" else suspects.train_eye(seed, kind)


def written(seed: int) -> Iterator[Run]:
    """A word of another section written into a picture, against the same ink as a smear."""
    _, rows, batch = fresh_cards(seed)
    dice = np.random.default_rng([seed, 15])
    label = np.asarray(rows["label"])
    other = (label + 1 + dice.integers(4, size=len(label))) % 5
    for kind in ("none", "words", "logos"):
        eye = reading_eye(seed, kind)
        before = logits_of(eye, batch).argmax(dim=1).numpy()
        keep = np.flatnonzero(before == label)[:1000]
        source = [(word,) for word in suspects.LOGOS] if kind == "logos" else suspects.PRINTABLE
        told = [dice.choice(source[section]) for section in other[keep]]
        for ink, smear in (("word", False), ("smear", True)):
            images = write_words(rows["image"][keep], told, seed + 50, smear)
            inked = batch_of({"image": images, "label": label[keep]}, {"image": ImageReader()})
            after = logits_of(eye, inked).argmax(dim=1).numpy()
            for measure, value in (("changed", after != label[keep]),
                                   ("to the written section", after == other[keep])):  # fmt: skip
                yield line("written", kind, seed, measure, value.mean(), ink, len(keep))
        yield line("written", kind, seed, "accuracy", (before == label).mean(), "clean", len(label))


# --- calibration -------------------------------------------------------------------------------


def calibrated(experiment: str, name: str, seed: int, validation: tuple[Tensor, Tensor],
               test: tuple[Tensor, Tensor], world: str = "news cards",
               ) -> Iterator[Run]:  # fmt: skip
    """Cross-entropy and calibration error before and after temperature, and what chance gives."""
    T = temperature(*validation)
    logits, label = test
    yield line(experiment, name, seed, "temperature", T, rows=len(validation[1]), world=world)
    for setting, scaled in {"raw": logits, "divided by T": logits / T}.items():
        chances = scaled.double().softmax(dim=1)
        drawn = torch.Generator().manual_seed(seed)
        as_said = chances.multinomial(1, generator=drawn)[:, 0]
        measures = {
            "cross-entropy": cross_entropy(scaled, label),
            "calibration error": expected_calibration_error(chances, label),
            "by chance": expected_calibration_error(chances, as_said),
            "accuracy": accuracy(scaled, label),
            "confidence": chances.amax(dim=1).mean(),
        }
        for measure, value in measures.items():
            yield line(experiment, name, seed, measure, value, setting, len(label), world)


def of_linear_models(seed: int, rows: Any, readers: Any, world: str = "news cards"
                     ) -> Iterator[Run]:  # fmt: skip
    """What the data give away without a network: linear models, tuned on validation rows."""
    for name, one in tuned_linear(rows, readers).items():
        yield line("calibration", f"linear, {name}", seed, "accuracy", one.accuracy, "raw",
                   len(one.predicted), world)  # fmt: skip


def calibration(seed: int) -> Iterator[Run]:
    """Both senses alone and concat + linear: the table of the lesson, too."""
    made, rows, batch = fresh_cards(seed)
    label = batch["label"]
    cards = split_rows(suspects.make_cards(6000, seed))
    kept = batch_of(cards["validation"], made.readers)
    train = torch.from_numpy(np.asarray(cards["train"]["label"]))
    yield line("calibration", "majority", seed, "accuracy", majority_baseline(train, label), "raw",
               len(label))  # fmt: skip
    yield from of_linear_models(seed, {**cards, "test": rows}, made.readers)
    models = {f"{name} alone": one for name, one in made.alone.items()}
    models["concat + linear"] = healthy(seed).model
    for name, model in models.items():
        validation = logits_of(model, kept), kept["label"]
        yield from calibrated("calibration", name, seed, validation,
                              (logits_of(model, batch), label))  # fmt: skip


# --- the audit ---------------------------------------------------------------------------------


@cache
def healthy(seed: int) -> suspects.Suspect:
    return suspects.fuse("none", seed)


def suspect(seed: int, fault: str) -> suspects.Suspect:
    if fault == "none":
        return healthy(seed)
    eye = marked_eye(seed) if fault == "mark" else None
    ear = leaking_ear(seed) if fault == "leak" else None
    return suspects.fuse(fault, seed, eye, ear)


def audited(seed: int) -> Iterator[Run]:
    """What the audit says of each suspect, on fresh cards of its own kind."""
    for fault in suspects.FAULTS:
        model, readers = suspect(seed, fault)
        cards = suspects.make_cards(160, seed + 3000, fault, mismatch=0)
        batch = batch_of(cards, readers)
        found = explain.audit(model, batch, SQUARE)
        rows = len(cards["label"])
        for name, value in found["worth"].items():
            yield line("audit", fault, seed, f"worth of {name}", value, rows=rows)
        for name in ("places", "words"):
            times, _ = explain.stands_out(found[name])
            yield line("audit", fault, seed, f"{name} stand out", times, rows=rows)
        truth = {"swapped": "unused"}.get(fault, fault)
        yield line("audit", fault, seed, "found", found["fault"] == truth, rows=rows)
        with torch.no_grad():
            yield line("audit", fault, seed, "accuracy", accuracy(model(batch), batch["label"]),
                       rows=rows)  # fmt: skip
        print(f"  audit of {fault}: {found['fault']}, {found['where']}", flush=True)


def keep_models() -> list[Run]:
    """Write the models that the lesson loads, those of seed 0; no line of the file."""
    for name, fault in suspects.SUSPECTS.items():
        model, readers = suspect(0, fault)
        suspects.save(name, model, readers["text"].vocabulary)
    suspects.save("marked", marked_eye(0))
    suspects.save("logos", reading_eye(0, "logos"))
    return []


# --- emoji -------------------------------------------------------------------------------------


@cache
def emoji_splits() -> tuple[Any, Any]:
    """The emoji set, split: as rows, and as tensors."""
    rows = real.emoji("name")
    if rows is None:
        raise SystemExit("the emoji set is neither here nor to be fetched; nothing was measured")
    parts = split_rows(rows)
    readers = {"image": ImageReader()}
    return parts, {name: to_tensors(part, readers) for name, part in parts.items()}


def emoji(seed: int) -> Iterator[Run]:
    """Deletion and calibration for emoji groups, from pictures alone."""
    rows, splits = emoji_splits()
    classes = int(splits["train"]["label"].max()) + 1
    torch.manual_seed(seed)
    options = {"epochs": 25, "learning_rate": 1e-2, "weight_decay": 0.5}
    eye = models_alone({"image": CNNEncoder(64)}, splits, classes, seed=seed, options=options)
    eye = eye["image"].model.eval().requires_grad_(False)
    kept, test = (next(iter(Batches(splits[name], 5000))) for name in ("validation", "test"))
    said = logits_of(eye, test)
    majority = majority_baseline(splits["train"]["label"], test["label"])
    yield line("calibration", "majority", seed, "accuracy", majority, "raw", len(said), "emoji")
    yield from of_linear_models(seed, rows, {"image": ImageReader()}, "emoji")
    yield from calibrated("calibration", "image alone", seed, (logits_of(eye, kept), kept["label"]),
                          (said, test["label"]), "emoji")  # fmt: skip
    cards = picked(test, (said.argmax(dim=1) == test["label"]).numpy())
    found = all_maps(eye, cards["image"], cards["label"])
    yield from deleted("emoji", seed, eye, cards["image"], found)


# --- all of it ---------------------------------------------------------------------------------

LEARNT = "learnt*"  # the readers of headlines that ``never_attended`` compares
PLAN = Plan(
    "13",
    [
        Part("maps", maps, within("maps", "deletion", world="news cards"), SEEDS),
        Part("completeness", completeness, within("completeness"), SEEDS),
        Part("mark", mark, within("mark"), SEEDS),
        Part("words", words, within("words", "leak", "attention", but=LEARNT), SEEDS),
        Part("never-attended", never_attended, within("attention", model=LEARNT), SEEDS),
        Part("written", written, within("written"), SEEDS),
        Part("calibration", calibration, within("calibration", world="news cards"), SEEDS),
        Part("audit", audited, within("audit"), SEEDS),
        Part("emoji", emoji, within(world="emoji"), EMOJI_SEEDS, emoji_are_here),
    ],
    [Part("models", keep_models, lambda run: False)],
)


def again() -> Iterator[Run]:
    """The maps that ask no model, and Grad-CAM of the frozen reader of seed 0."""
    eye, cards = with_motif(0)
    image, box = cards["image"], cards["box"]
    found = without_model(image, 0)
    scores, layer = explain.scores_of(eye), eye.encoders["image"].blocks[-1]
    parts = explain.maps_and_gradients(scores, layer, image, cards["label"])
    yield from located("maps", 0, found, box, "no model")
    cam = explain.enlarged(explain.grad_cam(*parts), (48, 48))
    yield from located("maps", 0, {"Grad-CAM": cam}, box, "trained")


if __name__ == "__main__":
    PLAN.main()
