"""One module for each way of reading a modality; each gives one vector for each row.

Every encoder has ``reads``, the parts of a batch that it is called with, in order, and ``dim``,
the length of its vectors. One that can also give a vector for each word, or for each place of a
picture, has ``tokens``, called with the same parts, which gives ``Tokens`` of the same ``dim``.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from course_utils.attention import (
    EncoderLayer,
    Tokens,
    causal_mask,
    padding_mask,
    sinusoidal_positions,
)


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
        return self.project(self.maps(image).amax(dim=(2, 3)))

    def maps(self, image: Tensor) -> Tensor:
        """image (B, colours, H, W) float -> (B, channels, H / 8, W / 8) for three blocks

        Raises ValueError for pictures of fewer pixels than the blocks can halve.
        """
        halvings = len(self.blocks) // 4
        if min(image.shape[-2:]) < (least := 2**halvings):
            raise ValueError(
                f"a CNNEncoder of {halvings} blocks reads pictures of {least} x {least} pixels or "
                f"more, not {image.shape[-2]} x {image.shape[-1]}; read larger ones, size=(height, "
                "width), or make it of fewer blocks, channels=(16, 32)"
            )
        return self.blocks(image.contiguous(memory_format=torch.channels_last))

    def tokens(self, image: Tensor) -> Tokens:
        """image (B, colours, H, W) float -> a token for each place of the last map"""
        vectors = self.project(self.maps(image).flatten(start_dim=2).transpose(1, 2))
        return Tokens(vectors, vectors.new_ones(vectors.shape[:2], dtype=torch.bool))


def patchify(image: Tensor, size: int) -> Tensor:
    """A picture cut into square patches, each laid out flat, row of patches after row of patches.

    image (B, C, H, W) -> (B, (H / size) (W / size), C size size). Within a patch the order is
    channel, row, column, as ``nn.functional.unfold`` and a convolution's weights have it.

    Raises ValueError where height or width is no multiple of ``size``.
    """
    height, width = image.shape[-2:]
    if height % size or width % size:
        raise ValueError(
            f"patches of {size} x {size} pixels do not fill a picture of {height} x {width}; read "
            "it at a multiple of the patch, size=(height, width)"
        )
    return nn.functional.unfold(image, kernel_size=size, stride=size).transpose(1, 2)


class PatchEncoder(nn.Module):
    """A small transformer over a picture's patches: image (B, C, H, W) -> (B, dim).

    A convolution whose stride is its kernel gives a vector for each patch; each gets a learnt
    vector that tells its place; layers of attention follow, and the mean of all comes out.
    Dosovitskiy et al., An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale,
    ICLR 2021, who read off a token of its own where we take the mean.

    size: side of a patch, in pixels. side: side of the pictures, in pixels, a multiple of ``size``.
    """

    reads = ("image",)

    def __init__(
        self,
        dim: int = 64,
        size: int = 8,
        side: int = 48,
        heads: int = 4,
        layers: int = 2,
        colours: int = 3,
    ):
        super().__init__()
        self.cut = nn.Conv2d(colours, dim, kernel_size=size, stride=size)
        self.place = nn.Parameter(torch.randn((side // size) ** 2, dim) * 0.02)
        self.layers = nn.ModuleList(EncoderLayer(dim, heads, 2 * dim) for _ in range(layers))
        self.dim, self.side = dim, side

    def forward(self, image: Tensor) -> Tensor:
        """image (B, colours, side, side) float -> (B, dim)"""
        return self.tokens(image).vectors.mean(dim=1)

    def tokens(self, image: Tensor) -> Tokens:
        """image (B, colours, side, side) float -> a token for each patch, read in its context

        Raises ValueError for pictures of another size.
        """
        if image.shape[-2:] != (self.side, self.side):
            height, width = image.shape[-2:]
            raise ValueError(
                f"this PatchEncoder knows places in pictures of {self.side} x {self.side} pixels, "
                f"not {height} x {width}; make it with side={height}, or read pictures at its size"
            )
        x = self.cut(image).flatten(start_dim=2).transpose(1, 2) + self.place  # (B, T, dim)
        for layer in self.layers:
            x = layer(x)
        return Tokens(x, x.new_ones(x.shape[:2], dtype=torch.bool))


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


def masked_mean(vectors: Tensor, text_length: Tensor) -> Tensor:
    """The mean of each row's first ``text_length`` vectors; what stands behind them is padding.

    vectors (B, L, dim) float, text_length (B,) long, from 1 to L -> (B, dim)
    """
    real = positions_within(text_length, vectors.shape[1])  # (B, L)
    return vectors.masked_fill(~real[..., None], 0).sum(dim=1) / text_length[:, None]


def positions_within(length: Tensor, positions: int) -> Tensor:
    """Which of the first ``positions`` places come before each length: (B,) -> (B, positions)."""
    return torch.arange(positions, device=length.device) < length[:, None]


class BagEncoder(nn.Module):
    """The mean of a text's word vectors, whatever their order: text (B, L) -> (B, dim)."""

    reads = ("text", "text_length")

    def __init__(self, words: int, dim: int = 64):
        super().__init__()
        self.embed = word_vectors(words, dim)
        self.dim = dim

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        """text (B, L) long, 0 is padding; text_length (B,) long -> (B, dim)"""
        return masked_mean(self.embed(text), text_length)

    def tokens(self, text: Tensor, text_length: Tensor) -> Tokens:
        """text (B, L) long, text_length (B,) long -> a token for each word"""
        return Tokens(self.embed(text), positions_within(text_length, text.shape[1]))


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
        _, (state, _) = self.lstm(self.packed(text, text_length))  # state (1, B, dim)
        return state[-1]

    def packed(self, text: Tensor, text_length: Tensor) -> PackedSequence:
        """The word vectors without their padding."""
        return pack_padded_sequence(
            self.embed(text), text_length.cpu(), batch_first=True, enforce_sorted=False
        )

    def tokens(self, text: Tensor, text_length: Tensor) -> Tokens:
        """text (B, L) long, text_length (B,) long -> the state after each word"""
        states, _ = self.lstm(self.packed(text, text_length))
        vectors, _ = pad_packed_sequence(states, batch_first=True, total_length=text.shape[1])
        return Tokens(vectors, positions_within(text_length, text.shape[1]))


class TextCNNEncoder(nn.Module):
    """The strongest answer of each filter anywhere in a text: text (B, L) -> (B, dim).

    A filter of width w reads w neighbouring word vectors at a time. Of its answers at all places
    the largest is kept; then they are rectified, dropped at random in training, and mapped to
    ``dim`` numbers. Only windows of real words count. A text shorter than a filter has one window,
    filled up with zeros; so padding changes nothing. Kim, Convolutional Neural Networks for
    Sentence Classification, EMNLP 2014, whose head reads the filters without the map to ``dim``.

    widths: of the filters, in words. channels: filters of each width. dropout: in training only.
    wide: whether w - 1 zeros stand before a text and behind it, so that a window may hold its first
        or its last word alone (Kalchbrenner et al., A Convolutional Neural Network for Modelling
        Sentences, ACL 2014; Kim's published code does so too). It helps texts of a few words: names
        of emoji were read .064 better (five splits, every word known), news cards .005; film
        reviews and questions moved by about .01 either way.
    """

    reads = ("text", "text_length")

    def __init__(
        self,
        words: int,
        dim: int = 64,
        embedding_dim: int = 64,
        widths: tuple[int, ...] = (3, 4, 5),
        channels: int = 32,
        dropout: float = 0.5,
        wide: bool = False,
    ):
        super().__init__()
        self.embed = word_vectors(words, embedding_dim)
        self.filters = nn.ModuleList(
            nn.Conv1d(embedding_dim, channels, width, padding=width - 1 if wide else 0)
            for width in widths
        )
        self.drop = nn.Dropout(dropout)
        self.project = nn.Linear(channels * len(widths), dim)
        self.widest, self.dim = max(widths), dim

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        """text (B, L) long, 0 is padding; text_length (B,) long, at least 1 -> (B, dim)"""
        text = text[:, : int(text_length.max())]  # columns without a word only cost time
        real = positions_within(text_length, text.shape[1])
        vectors = self.embed(text).masked_fill(~real[..., None], 0)  # (B, L, embedding_dim)
        short = max(0, self.widest - text.shape[1])
        vectors = nn.functional.pad(vectors, (0, 0, 0, short)).transpose(1, 2)
        best = [strongest(conv(vectors), conv, text_length) for conv in self.filters]
        return self.project(self.drop(torch.cat(best, dim=1).relu()))


def strongest(answers: Tensor, conv: nn.Conv1d, text_length: Tensor) -> Tensor:
    """The largest answer of each filter over a text's own windows, one at least: (B, channels).

    answers (B, channels, windows): the outputs of ``conv``; text_length (B,) long
    """
    windows = (text_length + 2 * conv.padding[0] - conv.kernel_size[0] + 1).clamp(min=1)
    real = positions_within(windows, answers.shape[2])
    return answers.masked_fill(~real[:, None], -torch.inf).amax(dim=2)


class TransformerEncoder(nn.Module):
    """The mean over a text's words of what layers of attention made of them: text -> (B, dim).

    positions: whether each word is told its place, by sinusoids added to its vector. Without them
    and without ``causal`` the encoder cannot tell one order of the words from another.
    causal: whether a word sees only itself and the words before it.

    Word vectors are multiplied by √dim before the sinusoids come in, so that neither drowns the
    other. Padding is hidden from attention and left out of the mean. Vaswani et al., Attention Is
    All You Need, NeurIPS 2017.
    """

    reads = ("text", "text_length")

    def __init__(
        self,
        words: int,
        dim: int = 64,
        heads: int = 4,
        layers: int = 1,
        hidden: int | None = None,
        positions: bool = True,
        causal: bool = False,
    ):
        super().__init__()
        self.embed = word_vectors(words, dim)
        self.layers = nn.ModuleList(
            EncoderLayer(dim, heads, hidden or 2 * dim) for _ in range(layers)
        )
        self.positions, self.causal, self.dim = positions, causal, dim

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        """text (B, L) long, 0 is padding; text_length (B,) long, at least 1 -> (B, dim)"""
        return masked_mean(self.tokens(text, text_length).vectors, text_length)

    def tokens(self, text: Tensor, text_length: Tensor) -> Tokens:
        """text (B, L) long, text_length (B,) long -> a token for each word, read in its context"""
        text = text[:, : int(text_length.max())]  # columns without a word only cost time
        mask = padding_mask(text_length, text.shape[1])  # (B, 1, 1, L)
        if self.causal:
            mask = mask + causal_mask(text.shape[1], text.device)
        return Tokens(self.in_context(text, mask), positions_within(text_length, text.shape[1]))

    def in_context(self, text: Tensor, mask: Tensor | None = None) -> Tensor:
        """Each word's vector after all layers: text (B, L), mask as in ``attention`` -> (B, L, dim)

        The mask is all that hides anything: padding and what comes later are not hidden by it.
        """
        x = self.embed(text) * self.dim**0.5
        if self.positions:
            x = x + sinusoidal_positions(text.shape[1], self.dim).to(x)
        for layer in self.layers:
            x = layer(x, mask)
        return x


class ColumnsEncoder(nn.Module):
    """A hidden layer on the columns of a table: columns (B, width) -> (B, dim)."""

    reads = ("columns",)

    def __init__(self, width: int, dim: int = 64):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.dim = dim

    def forward(self, columns: Tensor) -> Tensor:
        """columns (B, width) float, as ``ColumnsReader`` gives them -> (B, dim)"""
        return self.net(columns)


class CachedEncoder(nn.Module):
    """Hands on features that were computed before and lie in the batch: (B, dim), or Tokens."""

    def __init__(self, reads: str, dim: int):
        super().__init__()
        self.reads, self.dim = (reads,), dim

    def forward(self, features: Tensor) -> Tensor:
        """features (B, dim) -> the same"""
        return features

    def tokens(self, features: Tensor | Tokens) -> Tensor | Tokens:
        """Tokens -> the same; features (B, dim) too, for a modality that has no tokens"""
        return features


def reading(encoder: nn.Module, modality: str) -> nn.Module:
    """The encoder, set to read another modality's tensors; returns it.

    ``reading(BagEncoder(words), "caption")`` reads ``caption`` and ``caption_length`` in place of
    ``text`` and ``text_length``: for a batch with two texts. A side channel keeps its name.
    """
    own = encoder.reads[0]
    encoder.reads = tuple(
        modality + part.removeprefix(own) if part.startswith(own) else part
        for part in encoder.reads
    )
    return encoder


def encode(
    encoder: nn.Module, batch: Mapping[str, Any], as_tokens: bool = False
) -> Tensor | Tokens:
    """Call an encoder with the parts of the batch that it reads: (B, dim).

    as_tokens: give Tokens (B, T, dim) where the encoder has them.

    Raises KeyError with the missing part's name when the batch lacks one.
    """
    missing = [name for name in encoder.reads if name not in batch]
    if missing:
        raise KeyError(
            f"{type(encoder).__name__} reads {missing[0]!r}, but the batch holds {', '.join(batch)}"
        )
    call = encoder.tokens if as_tokens and hasattr(encoder, "tokens") else encoder
    return call(*(batch[name] for name in encoder.reads))


def encode_present(
    encoder: nn.Module,
    batch: Mapping[str, Any],
    there: Tensor | None = None,
    as_tokens: bool = False,
) -> Tensor | Tokens:
    """``encode``, but what is absent does not count in the encoder's BatchNorm.

    there: (B,) bool, which rows have what the encoder reads; None where all have. A BatchNorm that
    learns gets these rows alone, and zeros stand in the others' place. Black pictures in nine of
    ten rows halved a CNN's accuracy (``benchmarks/lesson11.py``), for at test time they are gone
    from the batches, but not from the means that BatchNorm kept. A batch with fewer than two such
    rows is normalised by the kept means, and does not count in them.
    """
    norms = [part for part in encoder.modules() if part.training and isinstance(part, _BatchNorm)]
    rows = len(batch[encoder.reads[0]]) if encoder.reads[0] in batch else 0
    fits = there is not None and tuple(there.shape) == (rows,)  # if not, the fusion says so
    if not norms or not fits or (there := there.bool()).all():
        return encode(encoder, batch, as_tokens)
    if there.sum() < 2:
        with _kept_means(norms):
            return encode(encoder, batch, as_tokens)
    own = {part: batch[part][there] for part in encoder.reads if part in batch}
    found = encode(encoder, own, as_tokens)
    if isinstance(found, Tokens):
        return Tokens(*(_in_their_rows(each, there) for each in found))
    return _in_their_rows(found, there)


def _in_their_rows(found: Tensor, there: Tensor) -> Tensor:
    """What was found in the rows that are there, (k, ...), as (B, ...) with zeros in between."""
    whole = found.new_zeros(len(there), *found.shape[1:])
    whole[there] = found
    return whole


@contextmanager
def _kept_means(norms: Iterable[nn.Module]) -> Iterator[None]:
    """BatchNorms that neither learn from a batch nor look at its means."""
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()


def present_for(encoders: Mapping[str, nn.Module], batch: Mapping[str, Any]) -> Any:
    """Which rows each encoder has something to read in, {name: (B,) bool}; None where all have.

    An encoder is asked for by the modality that it reads, and failing that by its own name: one
    called ``patches`` that reads ``image`` has nothing to read where the image is absent.
    """
    present = batch.get("present")
    if not isinstance(present, Mapping):
        return present  # None; or something that a fusion refuses
    keys = {name: modality_of(name, encoder, present) for name, encoder in encoders.items()}
    return {name: present[key] for name, key in keys.items() if key in present}


def modality_of(name: str, encoder: nn.Module, present: Mapping[str, Tensor]) -> str:
    """Under which name ``present`` knows what an encoder reads, by default the encoder's own."""
    return encoder.reads[0] if encoder.reads[0] in present else name


@torch.no_grad()
def encode_all(
    encoders: Mapping[str, nn.Module],
    batches: Iterable[Mapping[str, Any]],
    as_tokens: Iterable[str] = (),
) -> dict[str, Any]:
    """Features of every row under frozen encoders, in the order of the batches.

    encoders: {name: encoder}; batches: an iterable of batches that does not shuffle.
    as_tokens: the names of encoders whose Tokens are wanted too, as ``{name}_tokens``.

    Returns {name: (n, dim)} and whatever else the batches hold: labels, side channels, which
    modalities a row has. What the encoders read stays behind. They are put into eval mode.
    """
    parts: dict[str, list[Any]] = {}
    read = {part for encoder in encoders.values() for part in encoder.reads}
    for encoder in encoders.values():
        encoder.eval()
    for batch in batches:
        found = {name: value for name, value in batch.items() if name not in read}
        found |= {name: encode(encoder, batch) for name, encoder in encoders.items()}
        found |= {f"{name}_tokens": encode(encoders[name], batch, True) for name in as_tokens}
        if isinstance(batch.get("present"), Mapping):
            found["present"] = {**batch["present"], **present_for(encoders, batch)}
        for name, value in found.items():
            parts.setdefault(name, []).append(value)
    return {name: join_rows(values) for name, values in parts.items()}


def join_rows(parts: list[Any]) -> Any:
    """The rows of several batches as one: tensors, dicts of them, Tokens of different length."""
    first = parts[0]
    if isinstance(first, Tokens):
        longest = max(part.real.shape[1] for part in parts)
        grown = [
            Tokens(
                nn.functional.pad(part.vectors, (0, 0, 0, longest - part.real.shape[1])),
                nn.functional.pad(part.real, (0, longest - part.real.shape[1])),
            )
            for part in parts
        ]
        return Tokens(*(torch.cat(each) for each in zip(*grown, strict=True)))
    if isinstance(first, Mapping):
        return {name: join_rows([part[name] for part in parts]) for name in first}
    return torch.cat(parts)
