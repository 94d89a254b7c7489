"""A reader of covers and clips that learnt with noise of every strength: ``data/models/14``.

Where a lesson turns the noise, it starts from this one. ``make results LESSON=14 PART=models``
makes the file anew.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from course_utils import frozen
from course_utils.classifier import MultimodalClassifier
from course_utils.data import music_cards
from course_utils.data.audio import MelReader
from course_utils.data.batches import to_tensors
from course_utils.data.readers import ImageReader, Reader
from course_utils.data.rows import Rows, split_rows
from course_utils.encoders import CNNEncoder, reading
from course_utils.environment import course_root
from course_utils.experiment import cache_features, models_alone, models_fused
from course_utils.fusion import ConcatFusion
from course_utils.sound import mix_at_snr

RANGE = (-25.0, 20.0)  # decibels, between which each training clip has its own ratio
CLEAN = 100.0  # decibels: noise that nobody hears
DIM, CLASSES = 64, len(music_cards.GENRES)
RATES = {"image": 3e-3, "audio": 1e-2, "both": 3e-3}
ENCODERS = {"epochs": 8, "batch_size": 64}
HEAD = {"epochs": 12, "batch_size": 128}


class Listener(NamedTuple):
    """Classifiers of ``genre``, by what they read: {"image", "audio", "both"}; and the readers."""

    models: dict[str, MultimodalClassifier]
    readers: dict[str, Reader]


def with_noise(rows: Rows, ends: tuple[float, float], seed: Sequence[int]) -> Rows:
    """Cards whose clips carry white noise, each at a ratio anywhere between two, in decibels.

    As loud as before. Made for clips without noise: ``music_cards.make(..., snr=CLEAN)``. seed: two
    whole numbers.
    """
    rng = torch.Generator().manual_seed(1000 * seed[0] + seed[1])
    clean = torch.from_numpy(rows["clip"]).float()
    ratio = ends[0] + (ends[1] - ends[0]) * torch.rand(len(clean), generator=rng)
    mixed = mix_at_snr(clean, torch.randn(clean.shape, generator=rng), ratio)
    loud = [wave.square().mean(dim=1, keepdim=True) for wave in (clean, mixed)]
    mixed *= (loud[0] / loud[1]).sqrt()
    return rows | {"clip": (mixed / 32768).numpy()}


def untrained(name: str) -> nn.Module:
    """The encoder of a modality, as drawn."""
    if name == "image":
        return CNNEncoder(DIM)
    return reading(CNNEncoder(DIM, colours=1), "audio_mel")


def train(cards: int = 4000, seed: int = 0, **dials: Any) -> Listener:
    """Learn each sense alone, then concat + linear on both, from cards with noise in ``RANGE``."""
    parts = split_rows(music_cards.make(cards, seed, snr=CLEAN, **dials))
    heard = {split: with_noise(music_cards.rows_for(part, "genre"), RANGE, [seed, k])
             for k, (split, part) in enumerate(parts.items())}  # fmt: skip
    readers = {"image": ImageReader(), "audio": MelReader().fit(heard["train"], "audio")}
    splits = {split: to_tensors(part, readers) for split, part in heard.items()}
    torch.manual_seed(seed)
    encoders = {name: untrained(name) for name in readers}
    own = {name: {"learning_rate": rate} for name, rate in RATES.items()}
    found = models_alone(encoders, splits, CLASSES, seed=seed, options=ENCODERS, options_for=own)
    cached = cache_features(encoders, splits)
    found |= models_fused({"both": ConcatFusion}, cached, CLASSES, encoders=encoders, seed=seed,
                          options=HEAD, options_for=own)  # fmt: skip
    return Listener({name: one.model.eval() for name, one in found.items()}, readers)


# --- the file --------------------------------------------------------------------------------


def path_of() -> Path:
    """Where the listener lies."""
    return course_root() / "data" / "models" / "14" / "listener.pt"


def save(listener: Listener, path: Path | None = None) -> Path:
    """Write it in half precision, what both share once; returns the file."""
    weights = {name: model.state_dict() for name, model in listener.models.items()}
    both = {key: value for key, value in weights["both"].items() if not key.startswith("encoders.")}
    units = torch.tensor(listener.readers["audio"].units, dtype=torch.double).tolist()
    frozen.save({"units": units, "weights": {**weights, "both": both}}, path or path_of())
    return path or path_of()


def load(path: Path | None = None) -> Listener:
    """The listener, in evaluation mode: milliseconds.

    Raises ValueError, in a sentence, where there is no such file, or where it is cut off.
    """
    path = path or path_of()
    again = ("fetch the course's file again, or make it anew with "
             "`make results LESSON=14 PART=models`")  # fmt: skip
    if not path.is_file():
        raise ValueError(f"there is no listener {path.name} in data/models/14; {again}")
    try:
        kept = torch.load(path, weights_only=True)
        units, weights = kept["units"], kept["weights"]
    except Exception as problem:  # torch.load raises whatever its parts raise
        raise ValueError(f"{path.name} is no listener of lesson 14, or cut off "
                         f"({type(problem).__name__}); {again}") from None  # fmt: skip
    readers = {"image": ImageReader(), "audio": MelReader()}
    readers["audio"].units = tuple(units)
    return Listener(_filled(weights), readers)


def _filled(weights: Mapping[str, Any]) -> dict[str, MultimodalClassifier]:
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and then replaced
        encoders = {name: untrained(name) for name in ("image", "audio")}
        parts = {name: {name: encoder} for name, encoder in encoders.items()} | {"both": encoders}
        models = {
            name: MultimodalClassifier(part, ConcatFusion(dict.fromkeys(part, DIM)), CLASSES)
            for name, part in parts.items()
        }
    for name, model in models.items():
        # Those of each sense fill the encoders that all three share.
        missing, unknown = model.load_state_dict(weights[name], strict=name != "both")
        if unknown or not all(key.startswith("encoders.") for key in missing):
            raise ValueError(f"the listener's weights do not fit: {[*missing, *unknown]}")
        model.eval().requires_grad_(False)
    return models
