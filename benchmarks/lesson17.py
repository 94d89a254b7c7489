"""What lesson 17 reads from data/results/17.csv: one space for pictures and texts.

    make results LESSON=17      # about fifteen minutes of one core for a seed

``cards``: news cards that show and say count, size and colour, 3,000 to learn from, pairs alone.
Five pairs of colour and section never occur among them (``UNSEEN``). Naming by sentences is
measured on 2,000 fresh cards, search among 1,000 of them, curves on 600 others. ``two things``:
pictures of two things with captions, 2,400 to learn from, 2,000 fresh ones. Part ``rates`` tries
learning rates, and where the sigmoid loss starts, on validation cards of a seed of its own.

So far the parts at ``FIRST`` hold seeds 0 and 1; seed 2 is still to be measured, and then ``SEEDS``
to stand there.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from room import Part, Plan, within
from torch import Tensor

from course_utils.baselines import best_strength, majority_baseline, tuned_linear
from course_utils.contrastive import (
    floor_of_loss,
    info_nce,
    modality_gap,
    prefers,
    recall_at_k,
    repeated,
)
from course_utils.data import news_cards, two_things
from course_utils.data.batches import Batch, to_tensors
from course_utils.data.news_cards import ATTRIBUTES, COLOURS, SECTION_WORDS, SECTIONS
from course_utils.data.readers import ImageReader, TextReader
from course_utils.data.results import Run
from course_utils.data.rows import Rows, take
from course_utils.data.text import Vocabulary
from course_utils.encoders import CNNEncoder
from course_utils.experiment import models_alone
from course_utils.measures import accuracy
from course_utils.shared_space import (
    Course,
    SharedSpace,
    Space,
    learn_pairs,
    path_of,
    save,
    vectors_of,
)

SEEDS, CHOOSES = range(3), 100
FIRST = range(2)  # of parts whose seed 2 is still to be measured
TRAIN, VALIDATION, TEST, SEARCHED = 3000, 600, 2000, 1000
PAIRS = 2400  # pictures of two things to learn from
EPOCHS, PAIR_EPOCHS, BATCH, RATE = 12, 8, 64, 3e-3
RATES = (1e-3, 3e-3, 1e-2)  # that are tried
SIGMOID = {"rate": 3e-3, "temperature": 0.1, "bias": -10.0}
WORDS = (1.0, 0.5, 0.0)  # chance that a headline says each attribute
TEMPERATURES = (0.02, 0.2, 1.0)  # held; 0.07 is where the learnt one starts
STARTS = (0.01, 0.02, 0.07, 0.2, 1.0)
UNSEEN = {(colour, (colour + 2) % 5) for colour in range(5)}  # of colour and section
RECALLS = (1, 5, 10)
PROMPTS = {
    **{name: {word: [word] for word in words} for name, words in ATTRIBUTES.items()},
    "section": dict(zip(SECTIONS, SECTION_WORDS, strict=True)),
}
PAIR_PROMPTS = {
    (colour, section): [f"{COLOURS[colour]} {word}" for word in SECTION_WORDS[section]]
    for colour in range(5)
    for section in range(5)
}
MARGIN = {"loss": 0.3, "gap": 0.05, "recall@10": 0.02}


def line(experiment: str, model: str, seed: int, measure: str, value: float, setting: str = "",
         rows: int = TEST, dials: str = "", world: str = "cards") -> Run:  # fmt: skip
    return Run(experiment, world, dials, model, setting, seed, rows, measure, float(value))


# --- cards ---------------------------------------------------------------------------------------


def fresh_cards(n: int, seed: int, words: float) -> Rows:
    cards = news_cards.make(n, seed, attributes=True, attribute_words=words, mismatch=0.0)
    return cards | {"label": cards["section"]}


def seen_pairs(cards: Rows) -> Rows:
    """The cards whose pair of colour and section may be learnt."""
    pairs = zip(cards["colour"].tolist(), cards["true_section"].tolist(), strict=True)
    return take(cards, np.array([pair not in UNSEEN for pair in pairs]))


class Cards:
    """Cards of one seed, of which headlines say each attribute with the chance ``words``."""

    def __init__(self, seed: int, words: float = 1.0):
        self.seed, self.words = seed, words
        train = seen_pairs(fresh_cards(TRAIN * 5 // 4, 1700 + seed, words))
        self.rows = {
            "train": take(train, np.arange(TRAIN)),
            "validation": fresh_cards(VALIDATION, 2700 + seed, words),
            "test": fresh_cards(TEST, 3700 + seed, words),
        }
        self.text = TextReader(fewest=2).fit(self.rows["train"], "text")
        self.readers = {"image": ImageReader(), "text": self.text}
        self.tensors = {part: to_tensors(rows, self.readers) for part, rows in self.rows.items()}
        first = take(self.rows["test"], np.arange(SEARCHED))
        self.searched = to_tensors(first, self.readers)
        self.searched_rows = first

    @property
    def pairs(self) -> Batch:
        """What a space learns from: no label is among it."""
        return {name: self.tensors["train"][name] for name in ("image", "text", "text_length")}


@cache
def cards_of(seed: int, words: float = 1.0) -> Cards:
    return Cards(seed, words)


def untrained(vocabulary: Vocabulary, seed: int, **settings: Any) -> SharedSpace:
    torch.manual_seed(seed)
    return SharedSpace(len(vocabulary), **settings)


def space_of(model: SharedSpace, vocabulary: Vocabulary) -> Space:
    return Space(model, vocabulary, {}, {})


def named(space: Space, cards: Rows) -> dict[str, float]:
    """Share of cards of which sentences alone named each attribute, and the section.

    Attributes of cards that show a motif, sections of all.
    """
    shown, found = cards["count"] >= 0, {}
    vectors = space.of_pictures(cards["image"])
    for name, prompts in PROMPTS.items():
        truth = cards["true_section" if name == "section" else name]
        right = best_of(space, vectors, prompts) == truth
        found[name] = (right if name == "section" else right[shown]).mean()
    return found


def best_of(space: Space, vectors: Tensor, prompts: Mapping[Any, Sequence[str]]) -> np.ndarray:
    """The number of the class whose sentences lie nearest to each picture, (n,)."""
    known = torch.stack([space.of_texts(told).mean(dim=0) for told in prompts.values()])
    return (vectors @ F.normalize(known, dim=1).T).argmax(dim=1).numpy()


def named_pairs(space: Space, cards: Rows) -> Iterator[tuple[str, str, int, float]]:
    """Colour and section at once, on pairs that were learnt from and on those that were not."""
    shown = take(cards, cards["count"] >= 0)
    truth = np.stack([shown["colour"], shown["true_section"]], axis=1)
    unseen = np.array([tuple(pair) in UNSEEN for pair in truth.tolist()])
    vectors = space.of_pictures(shown["image"])
    said = np.array(list(PAIR_PROMPTS))[best_of(space, vectors, PAIR_PROMPTS)]
    colour = best_of(space, vectors, PROMPTS["colour"])
    section = best_of(space, vectors, PROMPTS["section"])
    for name, rows in {"seen": ~unseen, "unseen": unseen}.items():
        right = {
            "pair": (said == truth).all(axis=1),
            "colour": colour == truth[:, 0],
            "section": section == truth[:, 1],
        }
        for what, each in right.items():
            yield name, what, int(rows.sum()), each[rows].mean()


def search_lines(experiment: str, model: str, seed: int, scores: Tensor,
                 **told: Any) -> Iterator[Run]:  # fmt: skip
    """Texts are asked, pictures answer: scores (pictures, texts), right on the diagonal."""
    right = torch.eye(len(scores), dtype=torch.bool)
    for k in RECALLS:
        found = recall_at_k(scores.T, right, k)
        yield line(experiment, model, seed, f"recall@{k}", found, rows=len(scores), **told)


def oracle_scores(cards: Rows) -> Tensor:
    """What is to be known of which text fits which picture, (n, n): a logarithm of a ratio.

    P(text | picture) / P(text): attributes must agree, and a section that is seen makes the nouns
    of a headline likelier or less. Ties are broken at random.
    """
    dial = news_cards.Dials(attributes=True)
    by_section = [news_cards.headline_chances(dial, section) for section in range(5)]
    keys = [tuple(map(int, counts)) for counts in cards["word_counts"]]
    chances = np.array([[table.get(key, 0.0) for key in keys] for table in by_section])  # (5, n)
    ratio = np.log(np.maximum(chances, 1e-300) / chances.mean(axis=0))
    kinds = np.stack([cards[name] for name in ATTRIBUTES], axis=1)
    agree = (kinds[:, None] == kinds[None]).all(axis=2)
    seen = np.where((cards["count"] >= 0)[:, None], ratio[cards["true_section"]], 0.0)
    noise = np.random.default_rng(0).random(agree.shape) * 1e-6
    return torch.from_numpy(np.where(agree, seen, -1e6) + noise)


def measured(model: SharedSpace, cards: Cards, experiment: str, name: str,
             dials: str = "") -> Iterator[Run]:  # fmt: skip
    """Names, search and gap of a trained space."""
    seed, space = cards.seed, space_of(model, cards.text.vocabulary)
    for what, share in named(space, cards.rows["test"]).items():
        yield line(experiment, name, seed, what, share, dials=dials)
    pictures, texts = vectors_of(model, cards.searched)
    yield from search_lines(experiment, name, seed, pictures @ texts.T, dials=dials)
    gap = modality_gap(pictures, texts)
    yield line(experiment, name, seed, "gap", gap, rows=SEARCHED, dials=dials)


def learnt(cards: Cards, *, rate: float = RATE, loss: str = "softmax",
           each: Callable[[SharedSpace, int], None] | None = None,
           **settings: Any) -> tuple[SharedSpace, Course]:  # fmt: skip
    model = untrained(cards.text.vocabulary, cards.seed, **settings)
    call = None if each is None else lambda epoch: each(model, epoch)
    course = learn_pairs(model, cards.pairs, epochs=EPOCHS, batch_size=BATCH, learning_rate=rate,
                         loss=loss, each=call, seed=cards.seed, progress=False)  # fmt: skip
    return model, course


@cache
def main_model(seed: int, words: float = 1.0) -> tuple[SharedSpace, list[Run]]:
    """The space that learnt from cards, and its lines by epoch."""
    cards, curve = cards_of(seed, words), []

    def look(model: SharedSpace, epoch: int) -> None:
        space = space_of(model, cards.text.vocabulary)
        for what, share in named(space, cards.rows["validation"]).items():
            curve.append(line("curve", "softmax", seed, what, share, f"epoch {epoch}",
                              VALIDATION, f"words {words:g}"))  # fmt: skip

    look(untrained(cards.text.vocabulary, seed).eval(), 0)
    model, course = learnt(cards, each=look)
    end = sum(course.loss[-20:]) / 20
    curve.append(line("curve", "softmax", seed, "loss", end, "end", 20, f"words {words:g}"))
    curve.append(line("curve", "softmax", seed, "temperature", course.temperature[-1], "end", 1,
                      f"words {words:g}"))  # fmt: skip
    return model, curve


def main_lines(seed: int) -> Iterator[Run]:
    """The main space: its curve, names, search, pairs that it never saw."""
    model, curve = main_model(seed)
    yield from curve
    cards = cards_of(seed)
    yield from measured(model, cards, "space", "softmax")
    space = space_of(model, cards.text.vocabulary)
    for group, what, rows, share in named_pairs(space, cards.rows["test"]):
        yield line("pairs", "softmax", seed, what, share, group, rows)
    if seed == 0:
        recipe = {"cards": TRAIN, "epochs": EPOCHS, "batch_size": BATCH, "rate": RATE, "seed": 0}
        kept = Space(model, cards.text.vocabulary, {}, recipe)
        save(kept, path_of())


def beside_lines(seed: int) -> Iterator[Run]:
    """What needs no space: majority, linear models with labels, the oracle, CCA, a labelled eye."""
    cards = cards_of(seed)
    label = {part: tensors["label"] for part, tensors in cards.tensors.items()}
    yield line("beside", "majority", seed, "section",
               majority_baseline(label["train"], label["test"]))  # fmt: skip
    for name, found in tuned_linear(cards.rows, cards.readers).items():
        yield line("beside", f"linear, {name}", seed, "section", found.accuracy)
    torch.manual_seed(seed)
    options = {"epochs": EPOCHS, "learning_rate": RATE, "batch_size": BATCH}
    alone = models_alone({"image": CNNEncoder(64)}, cards.tensors, 5, seed=seed, options=options)
    right = accuracy(alone["image"].logits, label["test"])
    yield line("beside", "the same eye, with labels", seed, "section", right)
    texts = (cards.rows["test"]["headline"], cards.text.vocabulary)
    model, _ = main_model(seed)
    space = space_of(model, texts[1])
    said = best_of(space, space.of_texts(texts[0]), PROMPTS["section"])
    yield line("beside", "by sentences, headline", seed, "section",
               (said == cards.rows["test"]["true_section"]).mean())  # fmt: skip
    features = {part: vectors_of(model, tensors)[0].numpy() for part, tensors in
                cards.tensors.items()}  # fmt: skip
    numbers = {part: values.numpy() for part, values in label.items()}
    probe = best_strength(features, numbers, {}).accuracy
    yield line("beside", "linear, the space's pictures", seed, "section", probe)
    yield from search_lines("beside", "oracle", seed, oracle_scores(cards.searched_rows))


def ceilings() -> Iterator[Run]:
    """The best that can be done, exactly."""
    for reader, value in news_cards.ceiling("section", attributes=True).items():
        yield line("beside", f"ceiling, {reader}", 0, "section", value, "exact", 0)


def words_lines(seed: int) -> Iterator[Run]:
    """The same pictures, with headlines that say fewer of the attributes, or none."""
    for words in WORDS[1:]:
        model, curve = main_model(seed, words)
        yield from curve
        yield from measured(model, cards_of(seed, words), "words", "softmax", f"words {words:g}")


def temperature_lines(seed: int) -> Iterator[Run]:
    """Temperatures that are held: the gap, search and names."""
    cards = cards_of(seed)
    for held in TEMPERATURES:
        model, _ = learnt(cards, temperature=held, learn=False)
        yield from measured(model, cards, "temperature", f"held at {held:g}")


def sigmoid_lines(seed: int) -> Iterator[Run]:
    """The loss of SigLIP in place of that of CLIP."""
    cards = cards_of(seed)
    model, _ = learnt(cards, rate=SIGMOID["rate"], loss="sigmoid",
                      temperature=SIGMOID["temperature"], bias=SIGMOID["bias"])  # fmt: skip
    yield from measured(model, cards, "loss", "sigmoid")


def start_lines(seed: int) -> Iterator[Run]:
    """The loss before anything is learnt, and the gap, by temperature; the logarithm of B."""
    cards = cards_of(seed)
    model = untrained(cards.text.vocabulary, seed).eval()
    few = {name: tensor[: 5 * BATCH] for name, tensor in cards.pairs.items()}
    pictures, texts = vectors_of(model, few)
    for temperature in STARTS:
        losses = [
            info_nce(*pair, temperature).item()
            for pair in zip(pictures.split(BATCH), texts.split(BATCH), strict=True)
        ]
        yield line("start", "untrained", seed, "loss", sum(losses) / 5, f"{temperature:g}", 320)
    yield line("start", "untrained", seed, "gap", modality_gap(pictures, texts), rows=320)
    yield line("start", "logarithm of the batch", seed, "loss", math.log(BATCH), "exact", 0)


def cca_lines(seed: int) -> Iterator[Run]:
    """Directions of pixels and of words that go together, by scikit-learn; sizes by validation."""
    from sklearn.cross_decomposition import CCA
    from sklearn.decomposition import PCA, TruncatedSVD
    from sklearn.feature_extraction.text import CountVectorizer

    cards = cards_of(seed)
    rows = cards.rows | {"searched": cards.searched_rows}
    pixels = {part: cards_pixels(each) for part, each in rows.items()}
    counts = CountVectorizer(min_df=2).fit(rows["train"]["headline"])
    bags = {part: counts.transform(each["headline"]) for part, each in rows.items()}
    best = None
    for size in (20, 60):
        one = PCA(size, svd_solver="randomized", random_state=0).fit(pixels["train"])
        two = TruncatedSVD(size, random_state=0).fit(bags["train"])
        for kept in (4, 12):
            found = CCA(kept, max_iter=2000).fit(
                one.transform(pixels["train"]), two.transform(bags["train"])
            )
            scores = {
                part: cca_scores(found, one.transform(pixels[part]), two.transform(bags[part]))
                for part in ("validation", "searched")
            }
            eye = torch.eye(VALIDATION, dtype=torch.bool)
            chosen = recall_at_k(scores["validation"].T, eye, 10)
            if best is None or chosen > best[0]:
                best = chosen, scores["searched"]
    yield from search_lines("beside", "CCA", seed, best[1])


def cards_pixels(rows: Rows) -> np.ndarray:
    """Pictures at half their size, (n, 24 * 24 * 3)."""
    small = ImageReader(shrink=2).read(rows["image"])[""]
    return small.flatten(1).numpy() / np.float32(255)


def cca_scores(found: Any, pictures: np.ndarray, texts: np.ndarray) -> Tensor:
    one, two = (torch.from_numpy(np.ascontiguousarray(side)).float()
                for side in found.transform(pictures, texts))  # fmt: skip
    return F.normalize(one, dim=1) @ F.normalize(two, dim=1).T


def rate_lines(seed: int) -> Iterator[Run]:
    """Rates, and the sigmoid's start, by search among validation cards."""
    cards = cards_of(seed)
    tried: list[tuple[str, dict[str, Any]]] = [("softmax", {"rate": rate}) for rate in RATES] + [
        ("sigmoid", {"rate": rate, "loss": "sigmoid", "temperature": 0.1, "bias": bias})
        for rate in RATES
        for bias in (-4.0, -10.0)
    ]
    for name, settings in tried:
        model, _ = learnt(cards, **settings)
        pictures, texts = vectors_of(model, cards.tensors["validation"])
        said = f"rate {settings['rate']:g}"
        said += f", bias {settings['bias']:g}" if "bias" in settings else ""
        found = recall_at_k(texts @ pictures.T, torch.eye(VALIDATION, dtype=torch.bool), 10)
        yield line("rates", name, seed, "recall@10", found, said, VALIDATION)


# --- two things ----------------------------------------------------------------------------------

BINDING = {
    "all pairs": {
        "bag": {"text": "bag"},
        "transformer": {},
        "transformer, swapped too": {"wrong": "swapped"},
        "transformer, repeats left out": {"meaning": "meaning"},
        "bag, late": {"text": "bag", "late": True},
        "late": {"late": True},
    },
    "half of the pairs": {
        "transformer": {},
        "transformer, swapped too": {"wrong": "swapped"},
        "late": {"late": True},
        "late, swapped too": {"late": True, "wrong": "swapped"},
    },
}


def binding_lines(world: str, seed: int) -> Iterator[Run]:
    """Whose colour is it: the caption against its swapped twin; and search.

    world: whether a caption and its twin both occur in training. All are tried on all pairs, by
    half: half 0 occurred, half 1 only where all pairs did.
    """
    half = {"half": 0} if world == "half of the pairs" else {}
    train = two_things.make(PAIRS, 4700 + seed, **half)
    test = two_things.make(2 * SEARCHED, 5700 + seed)
    vocabulary = TextReader().fit(train, "text").vocabulary
    readers = {"image": ImageReader(), "text": TextReader(vocabulary),
               "swapped": TextReader(vocabulary)}  # fmt: skip
    tensors, fresh = (
        to_tensors(rows, readers, label=None, side=["meaning", "half"]) for rows in (train, test)
    )
    told = {"world": "two things", "dials": world}
    for name, settings in BINDING[world].items():
        how = {key: settings[key] for key in ("wrong", "meaning") if key in settings}
        model = untrained(vocabulary, seed, text=settings.get("text", "transformer"),
                          late=settings.get("late", False))  # fmt: skip
        course = learn_pairs(model, tensors, epochs=PAIR_EPOCHS, batch_size=BATCH,
                             learning_rate=RATE, seed=seed, progress=False, **how)  # fmt: skip
        scores, twins = both_scores(model, fresh)
        for number in (0, 1):
            rows = fresh["half"] == number
            chosen = prefers(scores.diagonal()[rows], twins[rows])
            yield line("binding", name, seed, "right colours", chosen, f"half {number}",
                       int(rows.sum()), **told)  # fmt: skip
        yield from search_among(scores, fresh, name, seed, told)
        end = sum(course.loss[-20:]) / 20
        yield line("binding", name, seed, "loss", end, "end", 20, **told)
    floors = [floor_of_loss(part) for part in tensors["meaning"].split(BATCH)[:-1]]
    yield line("binding", "floor of the loss", seed, "loss", sum(floors) / len(floors), "",
               PAIRS, **told)  # fmt: skip


def search_among(
    scores: Tensor, fresh: Batch, name: str, seed: int, told: Mapping[str, str]
) -> Iterator[Run]:
    """Captions of half 0 are asked, its pictures answer: no picture of a twin is among them."""
    own = fresh["half"] == 0
    among, same = scores[own][:, own].T.round(decimals=5), repeated(fresh["meaning"][own])
    for k in RECALLS:
        found = recall_at_k(among, same, k)
        yield line("binding", name, seed, f"recall@{k}", found, "half 0", len(among), **told)


def both_scores(model: SharedSpace, tensors: Batch) -> tuple[Tensor, Tensor]:
    """Scores of all pictures with all captions, (n, n), and with their own swapped twins, (n,)."""
    twins = tensors | {"text": tensors["swapped"], "text_length": tensors["swapped_length"]}
    pictures, texts = vectors_of(model, tensors)
    others = vectors_of(model, twins)[1]
    scores, against = (
        torch.cat([model.compare(part, each) for part in pictures.split(100)])
        for each in (texts, others)
    )
    return scores, against.diagonal()


# --- all of it -----------------------------------------------------------------------------------

PLAN = Plan(
    "17",
    [
        Part("rates", rate_lines, within("rates"), [CHOOSES]),
    ],
    [
        Part("start", start_lines, within("start"), SEEDS),
        Part("space", main_lines,
             lambda run: run.experiment in ("space", "pairs")
             or (run.experiment == "curve" and run.dials == "words 1"), SEEDS),
        Part("beside", beside_lines,
             lambda run: run.experiment == "beside" and run.model != "CCA"
             and not run.model.startswith("ceiling"), SEEDS),
        Part("cca", cca_lines, within("beside", model="CCA"), SEEDS),
        Part("words", words_lines,
             lambda run: run.experiment == "words"
             or (run.experiment == "curve" and run.dials != "words 1"), FIRST),
        Part("temperature", temperature_lines, within("temperature"), FIRST),
        Part("loss", sigmoid_lines, within("loss"), FIRST),
    ],
    [
        Part("all-pairs", lambda seed: binding_lines("all pairs", seed),
             within("binding", dials="all pairs"), SEEDS),
        Part("half-of-the-pairs", lambda seed: binding_lines("half of the pairs", seed),
             within("binding", dials="half of the pairs"), SEEDS),
    ],
    [Part("ceilings", ceilings, within("beside", model="ceiling*"))],
)  # fmt: skip


def again() -> list[Run]:
    """A slice that a test makes anew: the loss of an untrained space, and CCA, seed 0."""
    return [*start_lines(0), *(run for run in cca_lines(0) if run.measure == "recall@10")]


if __name__ == "__main__":
    torch.set_num_threads(1)
    PLAN.main()
