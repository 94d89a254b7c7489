"""Encoders that learnt ``section`` once and are kept: ``data/encoders``, loaded in milliseconds.

Where the training of encoders is not the point, a lesson starts from these. They give the same
features on every processor, which encoders trained on the spot do not. ``make encoders`` makes the
files anew; ``data/encoders/README.md`` is their data card.
"""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import on_tensors, to_tensors
from course_utils.data.readers import ImageReader, Reader, TextReader
from course_utils.data.rows import Rows, split_rows
from course_utils.data.text import Vocabulary
from course_utils.encoders import CNNEncoder, TransformerEncoder
from course_utils.environment import course_root, is_smoke
from course_utils.experiment import models_alone
from course_utils.fusion import ConcatFusion
from course_utils.measures import accuracy

SEEDS = (0, 1, 2)
FORMAT = 1


@dataclass(frozen=True)
class Recipe:
    """How the encoders were made: the cards ``make(cards, seed)``, and what ``fit`` was told.

    cards: made in all; their fitting training rows taught. fewest: how often a word must occur in
    these to get a number. dim: length of each encoder's vectors.
    """

    seed: int
    cards: int = 6000
    fewest: int = 2
    dim: int = 64
    epochs: int = 6
    learning_rate: float = 3e-3
    batch_size: int = 32


class Frozen(NamedTuple):
    """One seed's encoders, in evaluation mode.

    readers: {modality: reader}, with the vocabulary that the text encoder knows.
    encoders: {"image": CNNEncoder, "text": TransformerEncoder}, 64 numbers each.
    alone: {modality: the encoder with the linear head that it learnt with}.
    accuracy: {modality: on the test rows of ``recipe.cards`` cards of this seed}.
    """

    recipe: Recipe
    readers: dict[str, Reader]
    encoders: dict[str, nn.Module]
    alone: dict[str, MultimodalClassifier]
    accuracy: dict[str, float]

    def rows(self, task: str = "section") -> dict[str, Rows]:
        """The cards that the encoders were made with, split by split, for one of the tasks.

        Under ``COURSE_SMOKE=1`` the first tenth of them.
        """
        many = self.recipe.cards // (10 if is_smoke() else 1)
        cards = news_cards.make(many, self.recipe.seed)
        return split_rows(news_cards.rows_for(cards, task))


def path_of(seed: int) -> Path:
    """Where the encoders of a seed lie."""
    return course_root() / "data" / "encoders" / f"section_{seed}.pt"


def load(seed: int = 0, path: Path | None = None) -> Frozen:
    """The encoders of one seed, 0 to 2.

    Raises ValueError, in a sentence, where there is no such file, or where it is cut off or of
    another version.
    """
    path = path or path_of(seed)
    again = "fetch the course's file again, or make it anew with `make encoders`"
    if not path.is_file():
        raise ValueError(f"there are no frozen encoders {path.name}; there are those of seeds "
                         f"{', '.join(map(str, SEEDS))}, or {again}")  # fmt: skip
    try:
        kept = torch.load(path, weights_only=True)
        version = kept["format"]
    except Exception as problem:  # torch.load raises whatever its parts raise
        raise ValueError(f"{path.name} is no file of frozen encoders, or cut off "
                         f"({type(problem).__name__}); {again}") from None  # fmt: skip
    if version != FORMAT:
        raise ValueError(f"{path.name} is of version {version} and this course reads version "
                         f"{FORMAT}; {again}")  # fmt: skip
    recipe, vocabulary = Recipe(**kept["recipe"]), Vocabulary(kept["words"])
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and then replaced
        encoders = _untrained(recipe, len(vocabulary))
        alone = {name: _with_head(name, encoder) for name, encoder in encoders.items()}
    for name, model in alone.items():
        model.load_state_dict(kept["models"][name])
        model.eval().requires_grad_(False)
    readers = {"image": ImageReader(), "text": TextReader(vocabulary)}
    return Frozen(recipe, readers, encoders, alone, kept["accuracy"])


def _untrained(recipe: Recipe, words: int) -> dict[str, nn.Module]:
    torch.manual_seed(recipe.seed)
    return {"image": CNNEncoder(recipe.dim), "text": TransformerEncoder(words, recipe.dim)}


def _with_head(name: str, encoder: nn.Module) -> MultimodalClassifier:
    return MultimodalClassifier({name: encoder}, ConcatFusion({name: encoder.dim}), 5)


def train(recipe: Recipe) -> dict[str, Any]:
    """Make one seed's encoders, as they are kept: recipe, words, weights, test accuracy."""
    cards = news_cards.make(recipe.cards, recipe.seed)
    rows = split_rows(news_cards.rows_for(cards, "section"))
    text = TextReader(fewest=recipe.fewest).fit(rows["train"], "text")
    readers = {"image": ImageReader(), "text": text}
    splits = {split: to_tensors(part, readers) for split, part in rows.items()}
    encoders = _untrained(recipe, len(text.vocabulary))
    options = {name: getattr(recipe, name) for name in ("epochs", "learning_rate", "batch_size")}
    alone = models_alone(encoders, splits, 5, seed=recipe.seed, options=options)
    label = splits["test"]["label"]
    return {
        "format": FORMAT,
        "recipe": asdict(recipe),
        "words": list(text.vocabulary.words[2:]),
        "models": {name: one.model.state_dict() for name, one in alone.items()},
        "accuracy": {name: accuracy(one.logits, label) for name, one in alone.items()},
    }


def save(kept: dict[str, Any], path: Path) -> None:
    """Write what ``train`` gave, weights in half precision; never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halved = on_tensors(kept, lambda t: t.half() if t.is_floating_point() else t)
    part = path.with_suffix(".part")
    torch.save(halved, part)
    part.replace(path)


def of_seed(seed: int) -> Frozen:
    """``load`` for any seed: one that the course does not ship is trained, and kept nowhere."""
    if seed in SEEDS:
        return load(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / path_of(seed).name
        save(train(Recipe(seed)), path)  # as the others were: weights in half precision
        return load(seed, path)


def main() -> None:
    """Make the encoders of all seeds, and say how good they are."""
    for seed in SEEDS:
        kept = train(Recipe(seed))
        save(kept, path_of(seed))
        said = ", ".join(f"{name} {value:.3f}" for name, value in kept["accuracy"].items())
        print(f"{path_of(seed).name}: {path_of(seed).stat().st_size / 1024:.0f} KiB; {said}")


if __name__ == "__main__":
    main()
