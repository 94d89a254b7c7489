"""One space for pictures and texts: two encoders that learn from pairs alone, and what they can do.

``SharedSpace`` holds the encoders and the temperature, ``learn_pairs`` trains it, ``Space`` is a
trained one with its vocabulary, as ``data/models/17`` keeps one.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import frozen
from course_utils.attention import Tokens
from course_utils.contrastive import (
    cosines,
    late_interaction,
    matching_loss,
    pairwise_loss,
    repeated,
    zero_shot,
)
from course_utils.data.batches import Batch, Batches
from course_utils.data.text import Vocabulary
from course_utils.display import progress_bar
from course_utils.encoders import BagEncoder, CNNEncoder, TransformerEncoder
from course_utils.environment import course_root, is_smoke

FORMAT = 1
SMOKE_STEPS = 4
LOWEST = 0.01  # temperature, as in CLIP, whose scale is at most 100
LOSSES = ("softmax", "sigmoid")
TEXTS = {"transformer": TransformerEncoder, "bag": BagEncoder}


class SharedSpace(nn.Module):
    """Two encoders whose vectors are compared by their cosines, divided by a temperature.

    words: size of the vocabulary. dim: of the space. channels: of the picture's blocks.
    text: "transformer", or "bag", which knows no order of words.
    temperature: where it starts; learn: whether it changes. bias: where the sigmoid loss's starts.
    late: compare words with places of the picture (``late_interaction``), not whole with whole.
    """

    def __init__(
        self,
        words: int,
        dim: int = 64,
        channels: Sequence[int] = (16, 32, 64),
        text: str = "transformer",
        temperature: float = 0.07,
        learn: bool = True,
        bias: float = 0.0,
        late: bool = False,
    ):
        super().__init__()
        self.image = CNNEncoder(dim, tuple(channels))
        self.text = TEXTS[text](words, dim)
        self.log_scale = nn.Parameter(-torch.tensor(float(temperature)).log(), learn)
        self.bias = nn.Parameter(torch.tensor(float(bias)))
        self.late = late

    @property
    def temperature(self) -> Tensor:
        """What cosines are divided by, at least 0.01."""
        return (-self.log_scale).exp().clamp(min=LOWEST)

    def pictures(self, image: Tensor) -> Tensor:
        """image (B, 3, H, W) float in [0, 1] -> (B, dim); late: (B, places, dim)"""
        return self.image.tokens(image).vectors if self.late else self.image(image)

    def texts(self, text: Tensor, text_length: Tensor) -> Tensor | Tokens:
        """text (B, L) long, text_length (B,) long -> (B, dim); late: Tokens (B, L, dim)"""
        return (self.text.tokens if self.late else self.text)(text, text_length)

    def compare(self, pictures: Tensor, texts: Tensor | Tokens) -> Tensor:
        """What ``pictures`` and ``texts`` gave -> scores (n, m), cosines"""
        if self.late:
            return late_interaction(pictures, *texts)
        return cosines(pictures, texts)

    def forward(self, batch: Batch) -> Tensor:
        """A batch of B pairs -> logits (B, B), picture against text"""
        scores = self.compare(
            self.pictures(batch["image"]), self.texts(batch["text"], batch["text_length"])
        )
        return scores / self.temperature + self.bias


class Course(NamedTuple):
    """How a training went, by step: the loss, and the temperature."""

    loss: list[float]
    temperature: list[float]


def learn_pairs(
    model: SharedSpace,
    tensors: Batch,
    *,
    epochs: int = 10,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    loss: str = "softmax",
    wrong: str | None = None,
    meaning: str | None = None,
    each: Callable[[int], None] | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Course:
    """Train in place on pairs; no label is read. The model ends in evaluation mode.

    tensors: ``image``, ``text``, ``text_length``, as ``to_tensors`` gives them.
    loss: "softmax" (CLIP) or "sigmoid" (SigLIP). wrong: the name of further texts in ``tensors``,
        each of which is wrong for every picture of the batch ("swapped"); softmax only.
    meaning: a side channel (n,) long in ``tensors``: pairs that share it are not called wrong.
    each: called after each epoch with its number, from 1; the model is then in evaluation mode.

    The rate rises over the first tenth of the steps and falls to 0 (AdamW, weight decay 0.01, the
    norm of the gradient at most 1). ``COURSE_SMOKE=1``: four batches of one epoch.

    Raises ValueError for an unknown loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"there is no loss {loss!r}; there are {', '.join(LOSSES)}")
    batches = Batches(tensors, batch_size, shuffle=True, seed=seed)
    epochs = 1 if is_smoke() else epochs
    steps = min(len(batches), SMOKE_STEPS) if is_smoke() else epochs * len(batches)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    rise = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rise, (steps - step) / max(1, steps - rise))
    )
    course = Course([], [])
    with progress_bar(steps, "learning pairs", "batch", shown=progress) as bar:
        for epoch in range(1, epochs + 1):
            model.train()
            for number, batch in enumerate(batches):
                if number == steps:  # smoke
                    break
                found = _loss(model, batch, loss, wrong, meaning)
                optimizer.zero_grad()
                found.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                course.loss.append(found.item())
                course.temperature.append(model.temperature.item())
                bar.update()
            model.eval()
            if each is not None:
                each(epoch)
    return course


def _loss(
    model: SharedSpace, batch: Batch, loss: str, wrong: str | None, meaning: str | None
) -> Tensor:
    pictures = model.pictures(batch["image"])
    texts = model.texts(batch["text"], batch["text_length"])
    logits = model.compare(pictures, texts) / model.temperature + model.bias
    same = None if meaning is None else repeated(batch[meaning])
    if loss == "sigmoid":
        return pairwise_loss(logits, same)
    more = None
    if wrong is not None:
        others = model.texts(batch[wrong], batch[f"{wrong}_length"])
        more = model.compare(pictures, others) / model.temperature + model.bias
    return matching_loss(logits, more, same)


@torch.no_grad()
def vectors_of(
    model: SharedSpace, tensors: Batch, rows: int = 256
) -> tuple[Tensor, Tensor | Tokens]:
    """All pictures and texts of ``tensors`` in the space, so many rows at a time.

    Returns pictures (n, dim) and texts (n, dim) of length 1; a late model's (n, places, dim), and
    Tokens (n, L, dim), as they are.
    """
    model.eval()
    pictures, texts = [], []
    for batch in Batches(tensors, rows):
        pictures.append(model.pictures(batch["image"]))
        texts.append(model.texts(batch["text"], batch["text_length"]))
    if model.late:
        longest = tensors["text"].shape[1]
        padded = [
            (F.pad(t.vectors, (0, 0, 0, longest - t.real.shape[1])),
             F.pad(t.real, (0, longest - t.real.shape[1])))
            for t in texts
        ]  # fmt: skip
        return torch.cat(pictures), Tokens(*(torch.cat(part) for part in zip(*padded, strict=True)))
    return F.normalize(torch.cat(pictures), dim=-1), F.normalize(torch.cat(texts), dim=-1)


# --- a trained one, with its words ----------------------------------------------------------------


class Space(NamedTuple):
    """A trained model with the vocabulary that it reads, and how it was made, as plain values."""

    model: SharedSpace
    vocabulary: Vocabulary
    settings: dict[str, Any]
    recipe: dict[str, Any]

    @torch.no_grad()
    def of_pictures(self, images: np.ndarray) -> Tensor:
        """Pictures (n, 48, 48, 3) uint8 -> vectors (n, dim) of length 1"""
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        parts = [self.model.pictures(part.float() / 255) for part in pixels.split(256)]
        return F.normalize(torch.cat(parts), dim=-1)

    @torch.no_grad()
    def of_texts(self, texts: Sequence[str]) -> Tensor:
        """n sentences -> vectors (n, dim) of length 1; unknown words count as one unknown word"""
        return F.normalize(self.model.texts(*self.vocabulary.encode(texts)), dim=-1)

    def name(self, images: np.ndarray, prompts: Mapping[str, Sequence[str]]) -> Tensor:
        """Scores (n, C) of pictures for classes that sentences describe: {class: sentences}."""
        known = torch.stack(
            [self.of_texts(sentences).mean(dim=0) for sentences in prompts.values()]
        )
        return zero_shot(self.of_pictures(images), known[:, None])


def path_of(name: str = "cards") -> Path:
    """Where a space of lesson 17 lies."""
    return course_root() / "data" / "models" / "17" / f"{name}.pt"


def save(space: Space, path: Path | None = None) -> Path:
    """Write a space in half precision, with the words that it knows; never half a file."""
    path = path or path_of()
    values = {
        "format": FORMAT,
        "settings": space.settings,
        "words": list(space.vocabulary.words[2:]),
        "recipe": space.recipe,
        "weights": dict(space.model.state_dict()),
    }
    frozen.save(values, path)
    return path


def load(name: str = "cards", path: Path | None = None) -> Space:
    """A space by the name of its file in ``data/models/17``, or from another path.

    Raises ValueError, in a sentence, where there is no such file, or where it is cut off or of
    another version.
    """
    path = path or path_of(name)
    again = "fetch the course's file again"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.pt"))) or "none"
        raise ValueError(f"lesson 17 has no space {name!r}; it has {known}; {again}")
    try:
        found = torch.load(path, weights_only=True)
        version = found["format"]
    except Exception as problem:  # torch.load raises whatever its parts raise
        raise ValueError(f"{path.name} is no space of lesson 17, or cut off "
                         f"({type(problem).__name__}); {again}") from None  # fmt: skip
    if version != FORMAT:
        raise ValueError(f"{path.name} is of version {version} and this course reads version "
                         f"{FORMAT}; {again}")  # fmt: skip
    vocabulary = Vocabulary(found["words"])
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and then replaced
        model = SharedSpace(len(vocabulary), **found["settings"])
    model.load_state_dict(found["weights"])
    return Space(model.eval(), vocabulary, found["settings"], found["recipe"])
