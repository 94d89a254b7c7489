"""From rows in memory to batches: dicts of tensors, one row of a batch for each card.

A batch holds the tensors of each modality under its name, as ``image`` (B, 3, H, W) float in
[0, 1], ``text`` (B, L) long and ``text_length`` (B,) long; ``label`` (B,) long, where the rows have
one; side channels under their own names; and ``present``, {modality: (B,) bool}, which says by
name which modalities a row has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from course_utils.data.readers import Reader
from course_utils.data.rows import named_column, present_in

Batch = dict[str, Any]  # tensors; ``present``, a dict of them; Tokens, a tuple of them


def to_tensors(
    rows: Mapping[str, Any],
    readers: Mapping[str, Reader],
    label: str | None = "label",
    side: Sequence[str] = (),
) -> Batch:
    """All rows as one dict of tensors; pictures stay uint8, (n, 3, H, W), until they are batched.

    rows: columns by name, as ``news_cards.rows_for`` and ``folder.read_folder`` give them.
    readers: {modality: its reader}; the modalities that are taken along.
    label: the column of class numbers; None for rows without labels.
    side: columns of numbers that go along under their own names, for what may need them.

    Raises ValueError for a column that is not there, for labels that are no class numbers, for
    readers without names, and where two tensors would have one name.
    """
    if not isinstance(readers, Mapping):
        raise ValueError('readers is {modality: its reader}, as {"text": TextReader(vocabulary)}, '
                         f"not a {type(readers).__name__}")  # fmt: skip
    tensors: Batch = {}
    if label is not None:
        tensors["label"] = class_numbers(named_column(rows, label), label)
    for modality, reader in readers.items():
        _add(tensors, reader(rows, modality))
    for name in side:
        _add(tensors, {name: side_channel(named_column(rows, name), name)})
    present = {name: reader.present(rows, name) for name, reader in readers.items()}
    _add(tensors, {"present": present})
    return tensors


def _add(tensors: Batch, more: Batch) -> None:
    """Take in more tensors. Raises ValueError where one has the name of another."""
    if twice := [name for name in more if name in tensors]:
        raise ValueError(f"two things in a batch would be called {twice[0]!r}; call the modality "
                         "or the side channel otherwise")  # fmt: skip
    tensors |= more


def class_numbers(column: Any, name: str) -> Tensor:
    """A column of labels as (n,) long.

    Raises ValueError where a row has none, or where they are words.
    """
    advice = "leave such rows out with take(rows, ...), or pass label=None"
    if not (here := present_in(column)).all():
        row = int(np.flatnonzero(~here)[0])
        raise ValueError(f"{int((~here).sum())} rows have no {name!r} (the first is row {row}); "
                         f"{advice}")  # fmt: skip
    numbers = np.asarray(list(column))
    if numbers.ndim != 1 or not np.can_cast(numbers.dtype, np.int64, "same_kind"):
        example = numbers.reshape(-1)[:1].tolist()
        words = numbers.ndim == 1 and numbers.dtype.kind in "US"
        advice = f"number them with rows = rows.labelled({name!r}), whose label is 'label'" \
            if words else "number the classes first"  # fmt: skip
        raise ValueError(f"the column {name!r} holds {example} and not class numbers 0, 1, ...; "
                         f"{advice}")  # fmt: skip
    return torch.as_tensor(numbers, dtype=torch.long)


def side_channel(column: Any, name: str) -> Tensor:
    """A column of numbers, (n, ...): float, long or bool.

    Whole numbers become long, because ``Batches`` takes uint8 for a picture.
    Raises ValueError for an entry that is absent or no number.
    """
    if not (here := present_in(column)).all():
        row = int(np.flatnonzero(~here)[0])
        raise ValueError(f"the side channel {name!r} is empty in row {row}; fill it in, or leave "
                         "such rows out with take(rows, ...)")  # fmt: skip
    numbers = np.asarray(list(column))
    if numbers.dtype.kind not in "fiub":
        example = numbers.reshape(-1)[:1].tolist()
        raise ValueError(f"the side channel {name!r} holds {example}; it must hold numbers")
    kind = {"f": torch.float32, "b": torch.bool}.get(numbers.dtype.kind, torch.long)
    return torch.as_tensor(numbers, dtype=kind)


def on_tensors(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """``value`` with ``change`` made to each tensor in it: in dicts and in named tuples, too."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {name: on_tensors(part, change) for name, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(on_tensors(part, change) for part in value))
    return value


def named_tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Each tensor in a batch with its name; one in a dict or a named tuple as "present.image"."""
    if isinstance(value, Tensor):
        yield name, value
        return
    parts = value._asdict() if hasattr(value, "_asdict") else value
    for part, inner in parts.items():
        yield from named_tensors(inner, f"{name}.{part}" if name else part)


class Batches:
    """Iterate over rows in memory, batch by batch; each pass shuffles anew.

    tensors: a dict of tensors with the same number of rows, as ``to_tensors`` gives it.
    shuffle: whether each pass takes the rows in a new order. A single row that is left over then
        joins the batch before it: BatchNorm cannot learn from one row.
    seed: where the orders start; the same seed gives the same orders.
    sampler: what gives the row numbers of a pass, in place of ``shuffle`` and ``seed``, as
        ``torch.utils.data.WeightedRandomSampler``. A single row left over joins the batch before.
    augment: ``augment(batch) -> batch``, a change made to each batch that comes out of a pass, as
        ``augment.CropAndFlip``; for training rows alone.

    Pictures kept as uint8 come out in [0, 1] as floats of torch's default precision; nothing is
    copied but the rows at hand.
    Raises ValueError when the tensors disagree about the number of rows, and for a sampler that is
    to shuffle.
    """

    def __init__(
        self,
        tensors: Batch,
        batch_size: int = 64,
        shuffle: bool = False,
        seed: int = 0,
        augment: Callable[[Batch], Batch] | None = None,
        sampler: Sampler[int] | None = None,
    ):
        counts = {name: len(tensor) for name, tensor in named_tensors(tensors)}
        if len(set(counts.values())) != 1:
            raise ValueError(f"every tensor needs the same number of rows; they have {counts}")
        if batch_size < 1:
            raise ValueError(f"a batch has at least one row, not {batch_size}")
        if sampler is not None and shuffle:
            raise ValueError("a sampler has an order of its own; leave shuffle out")
        self.tensors, self.batch_size, self.shuffle = tensors, batch_size, shuffle
        self.augment, self.sampler = augment, sampler
        self.rows = next(iter(counts.values())) if sampler is None else len(sampler)  # of a pass
        own = getattr(sampler, "generator", None)  # a checkpoint keeps where it stands
        self.generator = torch.Generator().manual_seed(seed) if own is None else own

    def __len__(self) -> int:
        one_is_left = self.rows > self.batch_size > 1 and self.rows % self.batch_size == 1
        drawn = self.shuffle or self.sampler is not None
        return -(-self.rows // self.batch_size) - (drawn and one_is_left)

    def __iter__(self) -> Iterator[Batch]:
        order = None
        if self.sampler is not None:
            order = torch.tensor([*self.sampler], dtype=torch.long, device="cpu")
        elif self.shuffle:  # on the generator's device, whatever torch.set_default_device says
            order = torch.randperm(self.rows, generator=self.generator, device="cpu")
        starts = range(0, self.rows, self.batch_size)[: len(self)]
        for start, end in zip(starts, [*starts[1:], self.rows], strict=False):
            rows = slice(start, end)
            batch = self.pick(rows if order is None else order[rows])
            yield batch if self.augment is None else self.augment(batch)

    def pick(self, index: Tensor | slice) -> Batch:
        """The rows at these positions, as a batch."""

        def chosen(tensor: Tensor) -> Tensor:
            part = tensor[index]
            if part.dtype != torch.uint8:
                return part
            return part.to(torch.get_default_dtype()).div_(255)

        return on_tensors(self.tensors, chosen)

    def state_dict(self) -> dict[str, Any]:
        """Where the sequences of orders, and of changes, stand, for a checkpoint."""
        state: dict[str, Any] = {"generator": self.generator.get_state()}
        if hasattr(self.augment, "state_dict"):
            state["augment"] = self.augment.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the sequences from a checkpoint."""
        self.generator.set_state(state["generator"])
        if "augment" in state:
            self.augment.load_state_dict(state["augment"])
