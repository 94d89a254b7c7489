"""Eyes and a decoder that learnt to answer questions about cards: ``data/models/18``.

*Eyes* are a CNN that learnt to name what cards show; their map is what ``seeing.SeeingDecoder``
reads. ``benchmarks/lesson18.py`` makes the file; ``data/models/18/README.md`` is its data card.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.data.batches import on_tensors
from course_utils.data.text import Vocabulary
from course_utils.display import progress_bar
from course_utils.encoders import CNNEncoder
from course_utils.environment import course_root, is_smoke
from course_utils.seeing import SMOKE_STEPS, SeeingDecoder, draws, generate

FORMAT = 1
NAMES = ("thing", "colour", "count", "size")  # what eyes learn to name, "nothing" included
WORLD = {"attributes": True, "attribute_words": 0.0}  # the dials of ``news_cards`` here
MOST_WORDS = 6  # of an answer, with its end


# --- eyes -----------------------------------------------------------------------------------------


def pictures_of(rows: Any) -> Tensor:
    """The pictures of cards: (n, 3, 48, 48) uint8."""
    return torch.from_numpy(np.asarray(rows["image"])).permute(0, 3, 1, 2).contiguous()


def shown_in(rows: Any) -> Tensor:
    """What eyes learn to name, a column for each of NAMES: (n, 4) long, 0 where nothing is shown.

    rows: cards of ``news_cards.make`` with ``attributes``.
    """
    thing = np.where(rows["motif_box"][:, 0] >= 0, rows["true_section"], -1)
    columns = [thing, rows["colour"], rows["count"], rows["size"]]
    return torch.from_numpy(np.stack(columns, axis=1) + 1)


def teach_eyes(
    rows: Any,
    *,
    epochs: int = 10,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    seed: int = 0,
    progress: bool | None = None,
) -> CNNEncoder:
    """Eyes that learnt to name thing, colour, count and size, each by a linear head of its own.

    The heads are thrown away. ``COURSE_SMOKE=1``: four batches.
    """
    images, label = pictures_of(rows), shown_in(rows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        eyes = CNNEncoder(64)
        heads = nn.ModuleList(nn.Linear(64, kinds) for kinds in (6, 6, 4, 3))
    steps = SMOKE_STEPS if is_smoke() else epochs * len(images) // batch_size
    learns = [*eyes.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(learns, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    with progress_bar(steps, "eyes", "batch", shown=progress) as bar:
        for index in draws(len(images), min(batch_size, len(images)), steps, seed):
            read = eyes(images[index].float() / 255)
            loss = sum(
                nn.functional.cross_entropy(head(read), label[index, column])
                for column, head in enumerate(heads)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            bar.update()
    return eyes.eval()


@torch.no_grad()
def maps_of(eyes: CNNEncoder, images: Tensor) -> Tensor:
    """What frozen eyes make of pictures: (n, 3, H, W) uint8 -> (n, C, H / 8, W / 8) float."""
    return torch.cat([eyes.maps(part.float() / 255) for part in images.split(256)]).contiguous()


# --- the kept model -------------------------------------------------------------------------------


class Answering(NamedTuple):
    """Eyes, decoder and vocabulary, ready to be asked; recipe: how they were made."""

    eyes: CNNEncoder
    model: SeeingDecoder
    vocabulary: Vocabulary
    recipe: dict[str, Any]

    def prompt(self, questions: list[str]) -> tuple[Tensor, Tensor]:
        """Questions as the decoder reads them: text (n, L) long, length (n,) long.

        Raises ValueError where one has no words, or more than the model reads.
        """
        text, length = self.vocabulary.encode(questions)
        most = self.model.longest - MOST_WORDS - 1
        for question, words in zip(questions, length.tolist(), strict=True):
            if not 0 < words <= most:
                raise ValueError(f"a question has 1 to {most} words; {question!r} has {words}")
        text = nn.functional.pad(text, (0, 1))
        text[torch.arange(len(text)), length] = len(self.vocabulary)
        return text, length + 1

    def words(self, image: np.ndarray, question: str) -> Iterator[str]:
        """An answer, word by word, as the decoder writes it; image (48, 48, 3) uint8."""
        maps = maps_of(self.eyes, pictures_of({"image": image[None]}))
        text, length = self.prompt([question])
        for _ in range(MOST_WORDS):
            text, longer = generate(self.model, maps, text, length, self.end, most=1)
            word, length = int(text[0, -1]), longer
            if word == self.end:
                return
            yield self.vocabulary.words[word] if word < len(self.vocabulary) else "?"

    def answers(self, images: np.ndarray, questions: list[str]) -> list[str]:
        """Answers to one question for each picture, all written at once; images (n, 48, 48, 3)."""
        maps = maps_of(self.eyes, pictures_of({"image": images}))
        prompt, start = self.prompt(questions)
        text, _ = generate(self.model, maps, prompt, start, self.end, MOST_WORDS)
        told = []
        for row, first in zip(text.tolist(), start.tolist(), strict=True):
            words = row[first:]
            words = words[: words.index(self.end)] if self.end in words else words
            told.append(" ".join(self.vocabulary.words[w] for w in words if 0 < w < self.begin))
        return told

    @property
    def begin(self) -> int:
        """The number of the word that begins an answer."""
        return len(self.vocabulary)

    @property
    def end(self) -> int:
        """The number of the word that ends an answer."""
        return len(self.vocabulary) + 1


def path_of(name: str = "cards") -> Path:
    """Where a model lies."""
    return course_root() / "data" / "models" / "18" / f"{name}.pt"


def save(kept: Answering, path: Path) -> None:
    """Write eyes and decoder, weights in half precision; never half a file."""
    found = {
        "format": FORMAT,
        "sizes": kept.model.sizes,
        "words": list(kept.vocabulary.words[2:]),
        "recipe": kept.recipe,
        "eyes": kept.eyes.state_dict(),
        "model": kept.model.state_dict(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(on_tensors(found, lambda t: t.half() if t.is_floating_point() else t), part)
    part.replace(path)


def load(path: Path | None = None) -> Answering:
    """The kept eyes and decoder, in evaluation mode.

    Raises ValueError, in a sentence, where there is no such file, or where it is cut off or of
    another version.
    """
    path = path or path_of()
    again = ("fetch the course's file again, or make it anew with `make results LESSON=18 "
             "PART=models`")  # fmt: skip
    if not path.is_file():
        raise ValueError(f"there is no model {path.name} of lesson 18; {again}")
    try:
        found = torch.load(path, weights_only=True)
        version = found["format"]
    except Exception as problem:  # torch.load raises whatever its parts raise
        raise ValueError(f"{path.name} is no model of lesson 18, or cut off "
                         f"({type(problem).__name__}); {again}") from None  # fmt: skip
    if version != FORMAT:
        raise ValueError(f"{path.name} is of version {version} and this course reads version "
                         f"{FORMAT}; {again}")  # fmt: skip
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and then replaced
        eyes, model = CNNEncoder(64), SeeingDecoder(**found["sizes"])
    eyes.load_state_dict(found["eyes"])
    model.load_state_dict(found["model"])
    for part in (eyes, model):
        part.eval().requires_grad_(False)
    return Answering(eyes, model, Vocabulary(found["words"]), found["recipe"])
