"""Encoders + fusion + head: the classifier that the course builds."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from course_utils.attention import Tokens
from course_utils.encoders import encode_present, present_for


class MultimodalClassifier(nn.Module):
    """Reads each modality, joins what was read, and scores each class.

    encoders: {name: encoder}, each with ``reads`` and ``dim``.
    fusion: called with {name: (B, dim)} and ``present``; has ``dim_out``. One that has
        ``reads_tokens`` gets Tokens where an encoder has them; the side channels that it names in
        ``reads`` are handed to it as well.
    classes: number of classes C.

    It takes what it ``reads`` out of a batch, which may hold more.
    """

    def __init__(self, encoders: dict[str, nn.Module], fusion: nn.Module, classes: int):
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.fusion = fusion
        self.head = nn.Linear(fusion.dim_out, classes)

    @property
    def reads(self) -> tuple[str, ...]:
        """The parts of a batch that encoders and fusion are called with."""
        parts = [part for encoder in self.encoders.values() for part in encoder.reads]
        return tuple(dict.fromkeys((*parts, *self.side_channels)))

    @property
    def side_channels(self) -> tuple[str, ...]:
        """The parts of a batch that the fusion asks for."""
        return tuple(getattr(self.fusion, "reads", ()))

    def features(self, batch: Mapping[str, Any]) -> dict[str, Tensor | Tokens]:
        """What each encoder makes of the batch, {name: (B, dim)}, or Tokens.

        While it learns, rows that lack a modality are kept from its encoder's BatchNorm.
        """
        as_tokens = getattr(self.fusion, "reads_tokens", False)
        present = present_for(self.encoders, batch)
        there = present if isinstance(present, Mapping) else {}
        return {
            name: encode_present(one, batch, there.get(name), as_tokens)
            for name, one in self.encoders.items()
        }

    def side(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """The side channels that the fusion asks for. Raises KeyError where one is missing."""
        if missing := [name for name in self.side_channels if name not in batch]:
            raise KeyError(
                f"{type(self.fusion).__name__} reads the side channel {missing[0]!r}, but the "
                f"batch holds {', '.join(batch)}"
            )
        return {name: batch[name] for name in self.side_channels}

    def forward(self, batch: Mapping[str, Any]) -> Tensor:
        """A batch -> logits (B, C)"""
        present = present_for(self.encoders, batch)
        return self.head(self.fusion(self.features(batch), present, **self.side(batch)))
