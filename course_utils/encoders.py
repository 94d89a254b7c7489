"""One module for each way of reading a modality; each gives one vector for each row.

Every encoder has ``reads``, the parts of a batch that it is called with, in order, and ``dim``,
the length of its vectors.
"""

import itertools
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence


class CNNEncoder(nn.Module):
    """A small convolutional network: image (B, 3, H, W) -> (B, dim).

    Each block convolves with 3 × 3 kernels, halves height and width by taking the largest of each
    2 × 2 patch, normalises over the batch, and rectifies. Pooling before normalising, and keeping
    each pixel's channels side by side in memory (``channels_last``), made a training step about
    2.5 times as fast on two cores as the usual order. On news cards accuracy stayed near the
    ceiling; the two orders were not compared seed by seed. The last block is pooled to one number
    for each channel, the largest in the whole map, so any image size will do that the blocks can
    halve: with three, 8 × 8 pixels or more.
    """

    reads = ("image",)

    def __init__(self, dim: int = 64, channels: tuple[int, ...] = (16, 32, 64), colours: int = 3):
        super().__init__()
        widths = (colours, *channels)
        blocks = []
        for ins, outs in itertools.pairwise(widths):
            blocks += [
                nn.Conv2d(ins, outs, kernel_size=3, padding=1),
                nn.MaxPool2d(2),
                nn.BatchNorm2d(outs),
                nn.ReLU(),
            ]
        self.blocks = nn.Sequential(*blocks)
        self.project = nn.Linear(channels[-1], dim)
        self.dim = dim

    def forward(self, image: Tensor) -> Tensor:
        """image (B, colours, H, W) float -> (B, dim)"""
        image = image.contiguous(memory_format=torch.channels_last)
        maps = self.blocks(image)  # (B, channels, H / 8, W / 8) for three blocks
        return self.project(maps.amax(dim=(2, 3)))


def word_vectors(words: int, dim: int) -> nn.Embedding:
    """A table of word vectors (words, dim), row 0 zeros for padding.

    They start small, with a standard deviation of 0.1 in place of PyTorch's 1, because the vector
    of a word that was seen once or twice stays near its start: a large one would be noise.
    """
    table = nn.Embedding(words, dim, padding_idx=0)
    nn.init.normal_(table.weight, std=0.1)
    with torch.no_grad():
        table.weight[0] = 0
    return table


class ResNetEncoder(nn.Module):
    """torchvision's ResNet-18 with a linear map in place of its last layer: image -> (B, dim).

    weights: a file with torchvision's state_dict of pretrained weights; None starts untrained.
    Nothing is downloaded. He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition,
    CVPR 2016.
    """

    reads = ("image",)

    def __init__(self, dim: int = 64, weights: str | Path | None = None):
        super().__init__()
        from torchvision.models import resnet18

        self.net = resnet18(weights=None)
        if weights is not None:
            self.net.load_state_dict(torch.load(weights, weights_only=True))
        self.net.fc = nn.Linear(self.net.fc.in_features, dim)
        self.dim = dim

    def forward(self, image: Tensor) -> Tensor:
        """image (B, 3, H, W) float -> (B, dim)"""
        return self.net(image)


class BagEncoder(nn.Module):
    """The mean of a text's word vectors, whatever their order: text (B, L) -> (B, dim)."""

    reads = ("text", "text_length")

    def __init__(self, words: int, dim: int = 64):
        super().__init__()
        self.embed = word_vectors(words, dim)
        self.dim = dim

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        """text (B, L) long, 0 is padding; text_length (B,) long -> (B, dim)"""
        vectors = self.embed(text)  # (B, L, dim), zeros at padding
        return vectors.sum(dim=1) / text_length[:, None]


class LSTMEncoder(nn.Module):
    """The last state of an LSTM over a text's word vectors: text (B, L) -> (B, dim).

    The text is packed, so that the LSTM stops at each row's own last word and padding changes
    nothing. Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997.
    """

    reads = ("text", "text_length")

    def __init__(self, words: int, dim: int = 64, embedding_dim: int = 32):
        super().__init__()
        self.embed = word_vectors(words, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, dim, batch_first=True)
        self.dim = dim

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        """text (B, L) long, 0 is padding; text_length (B,) long, at least 1 -> (B, dim)"""
        packed = pack_padded_sequence(
            self.embed(text), text_length.cpu(), batch_first=True, enforce_sorted=False
        )
        _, (state, _) = self.lstm(packed)  # state (1, B, dim)
        return state[-1]


class CachedEncoder(nn.Module):
    """Hands on features that were computed before and lie in the batch: (B, dim) -> (B, dim)."""

    def __init__(self, reads: str, dim: int):
        super().__init__()
        self.reads, self.dim = (reads,), dim

    def forward(self, features: Tensor) -> Tensor:
        """features (B, dim) -> the same"""
        return features


def encode(encoder: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Call an encoder with the parts of the batch that it reads: (B, dim).

    Raises KeyError with the missing part's name when the batch lacks one.
    """
    missing = [name for name in encoder.reads if name not in batch]
    if missing:
        raise KeyError(
            f"{type(encoder).__name__} reads {missing[0]!r}, but the batch holds {', '.join(batch)}"
        )
    return encoder(*(batch[name] for name in encoder.reads))


@torch.no_grad()
def encode_all(encoders: dict[str, nn.Module], batches) -> dict[str, Tensor]:
    """Features of every row under frozen encoders, in the order of the batches.

    encoders: {name: encoder}; batches: an iterable of batches that does not shuffle.
    Returns {name: (n, dim)} with ``label`` (n,) and ``present`` where the batches have them. The
    encoders are put into eval mode.
    """
    parts: dict[str, list[Tensor]] = {}
    for encoder in encoders.values():
        encoder.eval()
    for batch in batches:
        for name, encoder in encoders.items():
            parts.setdefault(name, []).append(encode(encoder, batch))
        for name in ("label", "present"):
            if name in batch:
                parts.setdefault(name, []).append(batch[name])
    return {name: torch.cat(tensors) for name, tensors in parts.items()}
