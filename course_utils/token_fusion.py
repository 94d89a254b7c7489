"""Fusions in which one sense decides how another is read: gate, FiLM, attention between tokens.

They are called as those of ``fusion`` are: ``fusion({name: ...}, present)`` gives (B, dim_out).
``GatedFusion`` and ``FiLMFusion`` take one vector for each modality, and side channels of the batch
that they name in ``reads``; ``CrossAttentionFusion`` and ``BottleneckFusion`` take ``Tokens``.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from course_utils.attention import CrossAttention, EncoderLayer, Tokens, masked_mean_of, token_mask
from course_utils.fusion import Features, Present, as_tokens, presence, zero_absent


def gated_fusion(a: Tensor, b: Tensor, W_a: Tensor, W_b: Tensor, W_z: Tensor) -> Tensor:
    """z * tanh(W_a a) + (1 - z) * tanh(W_b b) with z = sigmoid(W_z [a; b]), entry by entry.

    a (B, d_a), b (B, d_b); W_a (dim, d_a), W_b (dim, d_b), W_z (dim, d_a + d_b). Returns (B, dim).
    Arevalo, Solorio, Montes-y-Gómez and González, Gated Multimodal Units for Information Fusion,
    ICLR workshop 2017.
    """
    z = (torch.cat([a, b], dim=1) @ W_z.T).sigmoid()
    return z * (a @ W_a.T).tanh() + (1 - z) * (b @ W_b.T).tanh()


def film(features: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Each channel times its gamma, plus its beta: the same at all places of a row.

    features: (B, C) or, with places, (B, C, ...); gamma, beta: (B, C). Returns features' shape.
    Perez, Strub, de Vries, Dumoulin and Courville, FiLM: Visual Reasoning with a General
    Conditioning Layer, AAAI 2018.
    """
    shape = (*gamma.shape, *[1] * (features.ndim - 2))
    return gamma.view(shape) * features + beta.view(shape)


def side_by_side(side: Mapping[str, Tensor], names: Iterable[str]) -> list[Tensor]:
    """Side channels, (B,) or (B, k) each, as columns of floats in the order of ``names``."""
    return [side[name].float().flatten(start_dim=1) if side[name].ndim > 1
            else side[name].float()[:, None] for name in names]  # fmt: skip


class GatedFusion(nn.Module):
    """The gated multimodal unit: each card has weights of its own, one for each entry.

    Every modality is projected and squashed, h_i = tanh(W_i F_i); a linear layer on all features
    side by side gives a score for each modality and entry but the last modality's, which is 0; a
    softmax over the modalities makes them weights. With two modalities that is z and 1 - z with
    z = sigmoid(W_z [a; b]), as in ``gated_fusion``. The weights of the absent go to the present.

    reads: side channels that the gate sees as well. width: how many columns they have together, by
        default one each.

    ``weights`` (B, M, dim) keeps, without gradient, what the last call weighed with.
    """

    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 64,
        reads: tuple[str, ...] = (),
        width: int | None = None,
    ):
        super().__init__()
        self.names, self.dim_out, self.reads = tuple(dims), dim, tuple(reads)
        self.project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in dims.items()})
        seen = sum(dims.values()) + (len(self.reads) if width is None else width)
        self.gate = nn.Linear(seen, dim * (len(dims) - 1))
        self.weights: Tensor | None = None

    def forward(self, features: Features, present: Present | None = None, **side: Tensor) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool}, side channels -> (B, dim)"""
        given = zero_absent(features, self.names, present)
        there = presence(present, self.names, len(given[0]), given[0].device)
        scores = self.gate(torch.cat([*given, *side_by_side(side, self.reads)], dim=1))
        scores = scores.unflatten(1, (len(self.names) - 1, self.dim_out))
        scores = torch.cat([scores, torch.zeros_like(scores[:, :1])], dim=1)  # (B, M, dim)
        scores = scores.masked_fill(~there[:, :, None], -torch.inf)
        z = scores.softmax(dim=1).nan_to_num()
        self.weights = z.detach()
        squashed = [self.project[n](f).tanh() for n, f in zip(self.names, given, strict=True)]
        return (z * torch.stack(squashed, dim=1)).sum(dim=1)


class FiLMFusion(nn.Module):
    """One modality's projected features, scaled and shifted by what all the others say.

    relu(film(W F, gamma, beta)), where gamma - 1 and beta are linear in the other modalities and in
    the side channels that ``reads`` names. The absent are zeros, so that they add nothing.

    modulated: the modality that is scaled, by default the first. reads, width: as in
        ``GatedFusion``.
    """

    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 64,
        modulated: str | None = None,
        reads: tuple[str, ...] = (),
        width: int | None = None,
    ):
        super().__init__()
        self.names, self.dim_out, self.reads = tuple(dims), dim, tuple(reads)
        self.modulated = self.names[0] if modulated is None else modulated
        self.project = nn.Linear(dims[self.modulated], dim)
        others = sum(size for name, size in dims.items() if name != self.modulated)
        said = others + (len(self.reads) if width is None else width)
        self.condition = nn.Linear(said, 2 * dim)

    def forward(self, features: Features, present: Present | None = None, **side: Tensor) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool}, side channels -> (B, dim)"""
        given = dict(zip(self.names, zero_absent(features, self.names, present), strict=True))
        own = self.project(given.pop(self.modulated))
        said = torch.cat([*given.values(), *side_by_side(side, self.reads)], dim=1)
        gamma, beta = self.condition(said).chunk(2, dim=1)
        return film(own, 1 + gamma, beta).relu()


class TokenFusion(nn.Module):
    """What fusions of tokens share: one linear map for each modality, and which tokens count.

    A modality that comes as one vector is one token. A row's absent modality has no real token.
    """

    reads_tokens = True

    def __init__(self, dims: dict[str, int], dim: int = 64):
        super().__init__()
        self.names, self.dim_out = tuple(dims), dim
        self.project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in dims.items()})

    def tokens(
        self, features: Mapping[str, Tensor | Tokens], present: Present | None
    ) -> dict[str, Tokens]:
        """The projected tokens of each modality, {name: Tokens (B, T, dim)}."""
        given = {name: as_tokens(features[name]) for name in self.names}
        first = given[self.names[0]].real
        there = presence(present, self.names, len(first), first.device)
        return {
            name: Tokens(self.project[name](one.vectors), one.real & there[:, [m]])
            for m, (name, one) in enumerate(given.items())
        }


def coarser(tokens: Tokens, side: int) -> Tokens:
    """The tokens of a square map, the mean of each 2 x 2 places in place of the four.

    tokens: (B, side side, dim), row after row, all real, ``side`` even -> (B, side side / 4, dim).
    """
    places = tokens.vectors.transpose(1, 2).unflatten(2, (side, side))
    vectors = nn.functional.avg_pool2d(places, 2).flatten(start_dim=2).transpose(1, 2)
    return Tokens(vectors, vectors.new_ones(vectors.shape[:2], dtype=torch.bool))


class CrossAttentionFusion(TokenFusion):
    """Each modality's tokens ask the tokens of the others; then the mean of all that were asked.

    For each modality: cross-attention to all other modalities' tokens, added to its own and
    normalised, and a small network at each token, as in ``EncoderLayer``. Its mean over real tokens
    is taken, and these means are added up. A row with one modality keeps that one. In both
    directions as in Tsai et al., Multimodal Transformer for Unaligned Multimodal Language
    Sequences, ACL 2019, without its further layers.
    """

    def __init__(self, dims: dict[str, int], dim: int = 64, heads: int = 4):
        super().__init__(dims, dim)
        self.ask = nn.ModuleDict({name: CrossAttention(dim, heads) for name in dims})
        self.norm_1 = nn.ModuleDict({name: nn.LayerNorm(dim) for name in dims})
        self.norm_2 = nn.ModuleDict({name: nn.LayerNorm(dim) for name in dims})
        self.feed = nn.ModuleDict(
            {n: nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim)) for n in dims}
        )

    def forward(
        self, features: Mapping[str, Tensor | Tokens], present: Present | None = None
    ) -> Tensor:
        """{name: Tokens (B, T, dims[name]) or (B, dims[name])}, present as ever -> (B, dim)"""
        given = self.tokens(features, present)
        total = 0
        for name, own in given.items():
            others = [tokens for other, tokens in given.items() if other != name]
            keys = torch.cat([tokens.vectors for tokens in others], dim=1)
            real = torch.cat([tokens.real for tokens in others], dim=1)
            x = self.norm_1[name](own.vectors + self.ask[name](own.vectors, keys, real))
            x = self.norm_2[name](x + self.feed[name](x))
            total = total + masked_mean_of(x, own.real)
        return total


class BottleneckFusion(TokenFusion):
    """Modalities that meet in a few shared tokens, and nowhere else.

    In each layer every modality attends among its own tokens and the bottleneck tokens, by a layer
    of its own; the bottleneck of the next layer is the mean of what the modalities made of it. Its
    mean comes out. With one layer no modality has heard of another, and the fusion only adds. The
    absent have no say in the mean. Nagrani, Yang, Arnab, Jansen, Schmid and Sun, Attention
    Bottlenecks for Multimodal Fusion, NeurIPS 2021, who read off a token of each modality instead.
    """

    def __init__(
        self, dims: dict[str, int], dim: int = 64, heads: int = 4, layers: int = 2, width: int = 4
    ):
        super().__init__(dims, dim)
        self.bottleneck = nn.Parameter(torch.randn(width, dim) * 0.1)
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: EncoderLayer(dim, heads, dim) for name in dims})
            for _ in range(layers)
        )

    def forward(
        self, features: Mapping[str, Tensor | Tokens], present: Present | None = None
    ) -> Tensor:
        """{name: Tokens (B, T, dims[name]) or (B, dims[name])}, present as ever -> (B, dim)"""
        given = self.tokens(features, present)
        own = {name: tokens.vectors for name, tokens in given.items()}
        rows, width = len(own[self.names[0]]), len(self.bottleneck)
        shared = self.bottleneck.expand(rows, -1, -1)
        there = torch.stack([tokens.real.any(dim=1) for tokens in given.values()], dim=1)
        share = there / there.sum(dim=1, keepdim=True).clamp(min=1)  # (B, M)
        masks = {name: self.mask_of(tokens.real, width) for name, tokens in given.items()}
        for layer in self.layers:
            said = []
            for name in self.names:
                x = layer[name](torch.cat([shared, own[name]], dim=1), masks[name])
                own[name] = x[:, width:]
                said.append(x[:, :width])
            shared = torch.einsum("bm,mbwd->bwd", share, torch.stack(said))
        return shared.mean(dim=1)

    @staticmethod
    def mask_of(real: Tensor, width: int) -> Tensor:
        """The mask of a modality's tokens behind ``width`` shared ones, which are always real."""
        return token_mask(torch.cat([real.new_ones(len(real), width), real], dim=1))
