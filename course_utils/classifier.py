"""Encoders + fusion + head: the classifier that the course builds."""

from torch import Tensor, nn

from course_utils.encoders import encode


class MultimodalClassifier(nn.Module):
    """Reads each modality, joins what was read, and scores each class.

    encoders: {name: encoder}, each with ``reads`` and ``dim``.
    fusion: called with {name: (B, dim)} and ``present``; has ``dim_out``.
    classes: number of classes C.
    """

    def __init__(self, encoders: dict[str, nn.Module], fusion: nn.Module, classes: int):
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.fusion = fusion
        self.head = nn.Linear(fusion.dim_out, classes)

    def features(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """What each encoder makes of the batch, {name: (B, dim)}."""
        return {name: encode(encoder, batch) for name, encoder in self.encoders.items()}

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """A batch -> logits (B, C)"""
        return self.head(self.fusion(self.features(batch), batch.get("present")))
