"""Attention, from its one formula to a layer: what lesson 03 arrives at.

Shapes: B rows, L positions (words), heads H, features ``dim``. A mask is a float tensor that is
added to the scores: 0 where a query may look at a key, -inf where it may not. Masks broadcast to
(B, H, L, L), so ``padding_mask(...) + causal_mask(...)`` is one too.

Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin, Attention Is All You
Need, NeurIPS 2017.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Tokens(NamedTuple):
    """Vectors of a row's parts, in place of one for the whole: words, places in a picture.

    vectors (B, T, dim) float; real (B, T) bool, False where a row has fewer parts than T.
    """

    vectors: Tensor
    real: Tensor


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """softmax(Q Kᵀ / √d + M) V, and the softmax: each query's weighted mean of the values.

    query (..., L, d), key (..., S, d), value (..., S, d_value), mask broadcasting to (..., L, S)
    -> output (..., L, d_value), weights (..., L, S), each row of which sums to 1.

    A query that may look at no key has no weights that sum to 1: its row is NaN in both.
    """
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5  # (..., L, S)
    if mask is not None:
        scores = scores + mask
    weights = scores.softmax(dim=-1)
    return weights @ value, weights


def padding_mask(length: Tensor, longest: int) -> Tensor:
    """Hides the keys after each row's last word: length (B,), L -> (B, 1, 1, L) of 0 and -inf."""
    hidden = torch.arange(longest, device=length.device) >= length[:, None]  # (B, L)
    return token_mask(~hidden)


def token_mask(real: Tensor) -> Tensor:
    """Hides the keys that are not real: (B, L) bool -> (B, 1, 1, L) of 0 and -inf."""
    mask = torch.zeros(real.shape, device=real.device).masked_fill(~real, -torch.inf)
    return mask[:, None, None]


def causal_mask(longest: int, device: torch.device | None = None) -> Tensor:
    """Hides the keys that come after the query: L -> (L, L) of 0 and -inf."""
    return torch.full((longest, longest), -torch.inf, device=device).triu(diagonal=1)


def sinusoidal_positions(longest: int, dim: int) -> Tensor:
    """Waves of falling frequency that tell positions apart: -> (longest, dim), in [-1, 1].

    Column 2i holds sin(position / 10000^(2i / dim)), column 2i + 1 the cosine of the same angle.

    Raises ValueError for an odd ``dim``: columns come in pairs.
    """
    if dim % 2:
        raise ValueError(f"sinusoidal positions come in pairs of columns; dim {dim} is odd")
    position = torch.arange(longest)[:, None]
    frequency = 10_000 ** (-torch.arange(0, dim, 2) / dim)  # (dim / 2,)
    angle = position * frequency  # (longest, dim / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(start_dim=1)


def permutation_gap(layer: Callable[[Tensor], Tensor], x: Tensor, order: Tensor) -> float:
    """How far a layer is from treating the words alike wherever they stand; 0 if it does.

    layer: (L, dim) -> (L, any); x (L, dim); order (L,) long, a permutation of 0 .. L - 1.
    Returns the largest absolute difference between reordering before the layer and after it.
    """
    return (layer(x[order]) - layer(x)[order]).abs().max().item()


class MultiHeadAttention(nn.Module):
    """Every position attends to all positions, H times side by side, each time in dim / H numbers.

    ``weights`` (B, H, L, L) keeps, without gradient, how the last call attended.

    Raises ValueError where dim is not a multiple of heads.
    """

    def __init__(self, dim: int, heads: int):
        super().__init__()
        if dim % heads:
            raise ValueError(f"each head takes an equal share: dim {dim} is no multiple of {heads}")
        self.heads = heads
        self.project = nn.Linear(dim, 3 * dim)  # queries, keys and values in one product
        self.out = nn.Linear(dim, dim)
        self.weights: Tensor | None = None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, L, dim), mask broadcasting to (B, H, L, L) -> (B, L, dim)"""
        parts = self.project(x).unflatten(-1, (3, self.heads, -1))  # (B, L, 3, H, dim / H)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, H, L, dim / H)
        heads, weights = attention(query, key, value, mask)
        self.weights = weights.detach()
        return self.out(heads.transpose(1, 2).flatten(start_dim=2))


def cross_attention(
    query: Tensor, key: Tensor, value: Tensor, real: Tensor
) -> tuple[Tensor, Tensor]:
    """Attention of one sequence's queries over another's keys; what is not real gets no weight.

    query (B, T, d) of one modality; key (B, S, d), value (B, S, d_value) of the other, of which
    ``real`` (B, S) bool says which are there -> output (B, T, d_value), weights (B, T, S). In a row
    where nothing is real both are zeros.
    """
    mask = token_mask(real)[:, 0]  # (B, 1, S)
    weights = attention(query, key, value, mask)[1].nan_to_num()
    return weights @ value, weights


class CrossAttention(nn.Module):
    """The positions of one sequence attend to those of another, H times side by side.

    As ``nn.MultiheadAttention`` with queries of the one and keys and values of the other; its
    ``in_proj_weight`` is ``project``'s weight here. ``weights`` (B, H, T, S) keeps, without
    gradient, how the last call attended.

    Raises ValueError where dim is not a multiple of heads.
    """

    def __init__(self, dim: int, heads: int):
        super().__init__()
        if dim % heads:
            raise ValueError(f"each head takes an equal share: dim {dim} is no multiple of {heads}")
        self.heads = heads
        self.project = nn.Linear(dim, 3 * dim)  # queries, keys and values, as in self-attention
        self.out = nn.Linear(dim, dim)
        self.weights: Tensor | None = None

    def forward(self, x: Tensor, other: Tensor, real: Tensor) -> Tensor:
        """x (B, T, dim), other (B, S, dim), real (B, S) bool: of ``other`` -> (B, T, dim)

        In a row where nothing of ``other`` is real, x is told nothing: the output is out's bias.
        """
        sizes = [len(self.project.weight) // 3] * 3
        of_query, of_key, of_value = zip(
            self.project.weight.split(sizes), self.project.bias.split(sizes), strict=True
        )
        asked = zip((x, other, other), (of_query, of_key, of_value), strict=True)
        query, key, value = (
            nn.functional.linear(one, *layer).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for one, layer in asked
        )  # each (B, H, positions, dim / H)
        scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + token_mask(real)
        weights = scores.softmax(dim=-1).nan_to_num()
        self.weights = weights.detach()
        return self.out((weights @ value).transpose(1, 2).flatten(start_dim=2))


def masked_mean_of(vectors: Tensor, real: Tensor) -> Tensor:
    """The mean of each row's real vectors: (B, T, dim), (B, T) bool -> (B, dim); zeros if none."""
    total = vectors.masked_fill(~real[..., None], 0).sum(dim=1)
    return total / real.sum(dim=1, keepdim=True).clamp(min=1)


class EncoderLayer(nn.Module):
    """Attention between positions, then a small network at each, both added to what was there.

    As ``nn.TransformerEncoderLayer`` with its defaults (LayerNorm after each sum, ReLU), without
    dropout and with the mask of this module.
    """

    def __init__(self, dim: int, heads: int, hidden: int):
        super().__init__()
        self.attend = MultiHeadAttention(dim, heads)
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, L, dim), mask broadcasting to (B, H, L, L) -> (B, L, dim)"""
        x = self.norm_1(x + self.attend(x, mask))
        return self.norm_2(x + self.feed(x))
