"""Models with one planted fault each, for lessons that look inside: ``data/models/13``.

A *mark*: most sport pictures carry a small magenta square in one corner. A *leak*: most sport
headlines end in one word that the others never have. *Swapped*: in training each headline came
with another row's picture, so the model learnt to do without pictures. *None*: nothing was planted.
``logos`` and ``words`` are readers of pictures alone, for words that are written into them.

``benchmarks/lesson13.py`` makes the files; whoever audits a model does not look in here.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from course_utils import frozen
from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import to_tensors
from course_utils.data.news_headlines import SECTION_WORDS
from course_utils.data.readers import Reader, TextReader
from course_utils.data.rows import Rows, split_rows
from course_utils.data.text import Vocabulary
from course_utils.data.written_words import letters, write_words
from course_utils.encoders import CNNEncoder, TransformerEncoder
from course_utils.environment import course_root
from course_utils.experiment import cache_features, models_alone, models_fused
from course_utils.fusion import ConcatFusion

FAULTS = ("none", "mark", "leak", "swapped")
SUSPECTS = {"first": "leak", "second": "none", "third": "mark", "fourth": "swapped"}  # by file
SHARE = 0.8  # of sport cards with a mark, of sport headlines with the leak, of cards with a logo
LEAK = "online"  # a word that no other headline has
WIDEST = 40  # pixels of a word that is written into a picture of 48
PRINTABLE = tuple(
    tuple(word for word in words if letters(word).shape[1] <= WIDEST) for words in SECTION_WORDS
)
LOGOS = tuple(words[0] for words in PRINTABLE)  # one a section
HEAD = {"epochs": 12, "learning_rate": 5e-3, "batch_size": 128}


class Suspect(NamedTuple):
    """A trained classifier of pictures and headlines, and the readers of its cards."""

    model: MultimodalClassifier
    readers: dict[str, Reader]


# --- cards -----------------------------------------------------------------------------------


def make_cards(n: int, seed: int, fault: str = "none", **dials: Any) -> Rows:
    """Cards of ``section``, some with the thing planted; ``planted`` (n,) bool says which.

    n: cards that are made, before those that do not fit are left out. dials go to
    ``news_cards.make``. The leak is added to the headline's end.
    """
    if fault == "mark":
        dials = {"mark": SHARE, **dials}
    rows = _cards(n, seed, **dials)
    if fault == "mark":
        return rows | {"planted": rows["marked"]}
    if fault != "leak":
        return rows | {"planted": np.zeros(len(rows["label"]), dtype=bool)}
    dice = np.random.default_rng([seed, 13]).random(len(rows["label"]))
    planted = (np.asarray(rows["label"]) == news_cards.MARKED) & (dice < SHARE)
    told = [
        f"{headline} {LEAK}" if here else headline
        for headline, here in zip(rows["headline"], planted, strict=True)
    ]
    return rows | {"headline": told, "planted": planted}


def cards_of(name: str, n: int, seed: int) -> Rows:
    """Fresh cards for one of the four suspects, with whatever was planted in its own."""
    return make_cards(n, seed, SUSPECTS[name], mismatch=0)


@functools.lru_cache(maxsize=3)  # drawing takes longer than most of what is done with them
def _cards(n: int, seed: int, **dials: Any) -> Rows:
    return news_cards.rows_for(news_cards.make(n, seed, **dials), "section")


def printed(label: np.ndarray, kind: str, seed: int) -> list[str | None]:
    """What is written into training pictures: their section's logo, or a word of any section."""
    dice = np.random.default_rng([seed, 14])
    if kind == "logos":
        return [LOGOS[one] if dice.random() < SHARE else None for one in label]
    every = [word for words in PRINTABLE for word in words]
    return [dice.choice(every) if dice.random() < SHARE else None for _ in label]


# --- training --------------------------------------------------------------------------------


def _splits(cards: Rows, readers: Mapping[str, Reader]) -> dict[str, Any]:
    return {split: to_tensors(part, readers) for split, part in split_rows(cards).items()}


def _learn(name: str, encoder: nn.Module, splits: Mapping[str, Any], seed: int) -> Any:
    recipe = frozen.Recipe(seed)
    options = {key: getattr(recipe, key) for key in ("epochs", "learning_rate", "batch_size")}
    return models_alone({name: encoder}, splits, 5, seed=seed, options=options)[name].model


def train_eye(seed: int, kind: str) -> MultimodalClassifier:
    """A reader of pictures alone that learnt from cards with marks, with logos, or with words.

    As the frozen encoders of that seed learnt, but for what is in the pictures.
    """
    recipe, readers = frozen.Recipe(seed), {"image": frozen.load(0).readers["image"]}
    cards = make_cards(recipe.cards, seed, kind)
    if kind != "mark":
        words = printed(np.asarray(cards["label"]), kind, seed)
        cards = cards | {"image": write_words(cards["image"], words, seed)}
    torch.manual_seed(seed)
    return _learn("image", CNNEncoder(recipe.dim), _splits(cards, readers), seed)


def train_ear(seed: int) -> tuple[MultimodalClassifier, TextReader]:
    """A reader of headlines alone that learnt from headlines with the leak, and its vocabulary."""
    recipe, cards = frozen.Recipe(seed), make_cards(frozen.Recipe(seed).cards, seed, "leak")
    reader = TextReader(fewest=recipe.fewest).fit(split_rows(cards)["train"], "text")
    torch.manual_seed(seed)
    encoder = TransformerEncoder(len(reader.vocabulary), recipe.dim)
    return _learn("text", encoder, _splits(cards, {"text": reader}), seed), reader


def fuse(
    fault: str, seed: int, eye: nn.Module | None = None, ear: tuple[Any, Any] | None = None
) -> Suspect:
    """Concat + linear on encoders that learnt alone, trained on cards with the fault.

    eye, ear: what ``train_eye`` and ``train_ear`` gave, for a mark and for a leak; all else is the
    frozen encoders of that seed.
    """
    made = frozen.of_seed(seed)
    encoders, readers = dict(made.encoders), dict(made.readers)
    if eye is not None:
        encoders["image"] = eye.encoders["image"]
    if ear is not None:
        encoders["text"], readers["text"] = ear[0].encoders["text"], ear[1]
    cached = cache_features(encoders, _splits(make_cards(6000, seed, fault), readers))
    if fault == "swapped":
        for part in cached.values():
            part["image"] = part["image"].roll(1, dims=0)
    options = {"seed": seed, "options": HEAD, "encoders": encoders}
    head = models_fused({fault: ConcatFusion}, cached, 5, **options)[fault].model
    return Suspect(head.eval().requires_grad_(False), readers)


# --- files -----------------------------------------------------------------------------------


def path_of(name: str) -> Path:
    """Where a model of lesson 13 lies."""
    return course_root() / "data" / "models" / "13" / f"{name}.pt"


def save(name: str, model: MultimodalClassifier, words: Vocabulary | None = None) -> Path:
    """Write a model in half precision, with the words that it knows; returns the file."""
    kept = {"words": list(words.words[2:]) if words else [], "weights": model.state_dict()}
    frozen.save(kept, path_of(name))
    return path_of(name)


def load(name: str) -> Suspect:
    """A model of lesson 13 by its file's name, in evaluation mode: milliseconds.

    Raises ValueError, in a sentence, where there is no such file, or where it is cut off.
    """
    path = path_of(name)
    again = "fetch the course's file again, or make it anew with `make results LESSON=13`"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.pt"))) or "none"
        raise ValueError(f"lesson 13 has no model {name!r}; it has {known}; {again}")
    try:
        kept = torch.load(path, weights_only=True)
        words, weights = kept["words"], kept["weights"]
    except Exception as problem:  # torch.load raises whatever its parts raise
        raise ValueError(f"{path.name} is no model of lesson 13, or cut off "
                         f"({type(problem).__name__}); {again}") from None  # fmt: skip
    model = _empty(weights, words)
    model.load_state_dict(weights)
    readers = {name: make(words) for name, make in _READERS.items() if name in model.encoders}
    return Suspect(model.eval().requires_grad_(False), readers)


_READERS: dict[str, Callable[[list[str]], Reader]] = {
    "image": lambda words: frozen.load(0).readers["image"],
    "text": lambda words: TextReader(Vocabulary(words)),
}


def _empty(weights: Mapping[str, Any], words: list[str]) -> MultimodalClassifier:
    names = {key.split(".")[1] for key in weights if key.startswith("encoders.")}
    make = {
        "image": lambda: CNNEncoder(64),
        "text": lambda: TransformerEncoder(len(words) + 2, 64),
    }
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and then replaced
        encoders = {name: build() for name, build in make.items() if name in names}
        return MultimodalClassifier(encoders, ConcatFusion(dict.fromkeys(encoders, 64)), 5)
