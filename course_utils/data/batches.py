"""From rows in memory to batches: dicts of tensors, one row of a batch for each card.

A batch holds ``image`` (B, 3, H, W) float in [0, 1], ``text`` (B, L) long, ``text_length`` (B,)
long, ``label`` (B,) long and ``present`` (B, M) bool, one column for each modality.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.data.text import Vocabulary

Batch = dict[str, Tensor]


def to_tensors(
    rows: dict[str, Any],
    vocabulary: Vocabulary,
    label: str = "section",
    text: str = "headline",
    modalities: tuple[str, ...] = ("image", "text"),
) -> Batch:
    """All rows as one dict of tensors; pictures stay uint8, (n, 3, H, W), until they are batched.

    rows: a dict of columns, as ``news_cards.make`` and ``folder.read_folder`` give it.
    label, text: the columns that hold the class numbers and the strings.
    modalities: which to take along; ``present`` gets a column for each, in this order.

    Raises ValueError for a column or a modality that is not there.
    """
    columns = {"image": "image", "text": text}
    for modality in modalities:
        if modality not in columns:
            raise ValueError(f"there is no modality {modality!r}; there are image and text")
    for name in (*(columns[modality] for modality in modalities), label):
        if name not in rows:
            raise ValueError(f"the rows have no column {name!r}; they have {', '.join(rows)}")
    tensors = {"label": torch.as_tensor(np.asarray(rows[label]), dtype=torch.long)}
    if "image" in modalities:
        channels_first = np.asarray(rows["image"]).transpose(0, 3, 1, 2)
        tensors["image"] = torch.from_numpy(np.ascontiguousarray(channels_first))
    if "text" in modalities:
        tensors["text"], tensors["text_length"] = vocabulary.encode(rows[text])
    tensors["present"] = torch.ones(len(tensors["label"]), len(modalities), dtype=torch.bool)
    return tensors


class Batches:
    """Iterate over rows in memory, batch by batch; each pass shuffles anew.

    tensors: a dict of tensors with the same number of rows.
    shuffle: whether each pass takes the rows in a new order.
    seed: where the orders start; the same seed gives the same orders.

    Pictures kept as uint8 come out as float in [0, 1]; nothing is copied but the rows at hand.
    Raises ValueError when the tensors disagree about the number of rows.
    """

    def __init__(self, tensors: Batch, batch_size: int = 64, shuffle: bool = False, seed: int = 0):
        counts = {name: len(tensor) for name, tensor in tensors.items()}
        if len(set(counts.values())) != 1:
            raise ValueError(f"every tensor needs the same number of rows; they have {counts}")
        if batch_size < 1:
            raise ValueError(f"a batch has at least one row, not {batch_size}")
        self.tensors, self.batch_size, self.shuffle = tensors, batch_size, shuffle
        self.rows = next(iter(counts.values()))
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.randperm(self.rows, generator=self.generator) if self.shuffle else None
        for start in range(0, self.rows, self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield self.pick(rows if order is None else order[rows])

    def pick(self, index: Tensor | slice) -> Batch:
        """The rows at these positions, as a batch."""
        batch = {name: tensor[index] for name, tensor in self.tensors.items()}
        return {
            name: tensor.float().div_(255) if tensor.dtype == torch.uint8 else tensor
            for name, tensor in batch.items()
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Where the sequence of orders stands, for a checkpoint."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on with the sequence of orders from a checkpoint."""
        self.generator.set_state(state["generator"])
