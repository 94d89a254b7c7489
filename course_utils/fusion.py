"""One module for each way of joining the senses; all are called alike.

``fusion({name: (B, dim)}, present)`` gives (B, dim_out). ``present``, {name: (B,) bool}, says by
name which modalities a row has; a name that is not in it counts as there, and left out, all are.
A modality that is absent takes no part.

A fusion takes the features of the names that it was built with, its ``names``, and no others. One
with ``reads_tokens`` gets ``Tokens`` from the encoders that have them. One that needs side channels
of the batch names them in ``reads`` and is called with them too, each under its name.
"""

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from course_utils.attention import EncoderLayer, Tokens, token_mask

Features = Mapping[str, Tensor]
Present = Mapping[str, Tensor]


def weighted_fusion(features: list[Tensor], weights: Tensor) -> Tensor:
    """The weighted sum over modalities, sum_i alpha_i F_i.

    features: M tensors (B, dim); weights: (M,), any numbers, made to sum to 1 by softmax.
    Returns (B, dim).
    """
    alpha = weights.softmax(dim=0)
    return torch.einsum("m,mbd->bd", alpha, torch.stack(features))


def inverse_variance_weights(sigma: Tensor) -> Tensor:
    """Weights of unbiased sensors with independent errors that make the mean squared error least.

    sigma: (M,) standard deviations of the errors, all positive, in the unit of the reading.
    Returns (M,), proportional to 1 / sigma squared, sum 1.
    """
    precision = sigma**-2
    return precision / precision.sum()


def average_probabilities(logits: list[Tensor]) -> Tensor:
    """Late fusion: the mean over M classifiers of their probabilities, from logits (B, C) each."""
    return torch.stack(logits).softmax(dim=-1).mean(dim=0)


def add_log_posteriors(logits: list[Tensor], prior: Tensor) -> Tensor:
    """Late fusion by Bayes' rule: sum_i log p(y | x_i) - (M - 1) log p(y), normalised.

    logits: of M calibrated classifiers, (B, C) each; prior: (C,) share of each class, sum 1.
    Returns log posteriors (B, C). Exact where the modalities are independent given the label; it
    is the product rule of Kittler et al., On combining classifiers, 1998.
    """
    posteriors = torch.stack(logits).log_softmax(dim=-1)
    added = posteriors.sum(dim=0) - (len(logits) - 1) * prior.log()
    return added.log_softmax(dim=-1)


def outer_fusion(features: list[Tensor]) -> Tensor:
    """All products of entries, one of each modality, flat: the outer product of the [1; F_i].

    features: M tensors (B, dim_i). Returns (B, (dim_1 + 1) ... (dim_M + 1)), the last modality's
    index running fastest, as ``flatten`` gives it. Because of the 1 put before each, the products
    of fewer modalities are in it too, every F_i by itself, and a constant 1. Zadeh et al., Tensor
    Fusion Network for Multimodal Sentiment Analysis, EMNLP 2017.
    """
    product = features[0].new_ones(len(features[0]), 1)
    for extended in map(with_one, features):
        product = (product[:, :, None] * extended[:, None, :]).flatten(start_dim=1)
    return product


def with_one(feature: Tensor) -> Tensor:
    """[1; F]: a 1 put before each row, (B, dim) -> (B, dim + 1)."""
    return torch.cat([torch.ones_like(feature[:, :1]), feature], dim=1)


def presence(
    present: Present | None, names: tuple[str, ...], rows: int, device: torch.device
) -> Tensor:
    """Which of the modalities ``names`` each row has, (B, M) bool, a column for each name.

    present: {name: (B,) bool}. Names that it lacks are there in every row; others are not asked.

    Raises ValueError when it is no dict, or when a mask does not fit the features.
    """
    if present is not None and not isinstance(present, Mapping):
        raise ValueError(
            f"present is a dict {{modality: (B,) bool}}, not a {type(present).__name__}: which "
            "modalities a row has is asked by their names"
        )
    columns = []
    for name in names:
        there = (present or {}).get(name)
        if there is None:
            there = torch.ones(rows, dtype=torch.bool, device=device)
        elif tuple(there.shape) != (rows,):
            raise ValueError(
                f"present[{name!r}] has the shape {tuple(there.shape)}, but the features have "
                f"{rows} rows and need {(rows,)}"
            )
        columns.append(there.bool())
    return torch.stack(columns, dim=1)


class Fusion(nn.Module):
    """What all fusions share: the names and sizes of the modalities, and one linear map for each.

    dims: {name: dim} of the features that will come in; dim: length of the projected features.
    A subclass says in ``join`` how (B, M, dim) projected features become (B, dim_out).
    """

    def __init__(self, dims: dict[str, int], dim: int = 64):
        super().__init__()
        self.names = tuple(dims)
        self.project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in dims.items()})
        self.dim_out = dim

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool} -> (B, dim_out)"""
        joined = torch.stack([self.project[n](features[n]) for n in self.names], dim=1)
        there = presence(present, self.names, len(joined), joined.device)
        return self.join(joined, there[:, :, None])

    def join(self, projected: Tensor, present: Tensor) -> Tensor:
        """projected (B, M, dim), present (B, M, 1) bool -> (B, dim_out)"""
        raise NotImplementedError


class WeightedFusion(Fusion):
    """sum_i alpha_i F_i with learnt weights on the simplex (softmax), over what is present.

    ``alpha`` gives the M weights as they stand when all modalities are there.
    """

    def __init__(self, dims: dict[str, int], dim: int = 64):
        super().__init__(dims, dim)
        self.weights = nn.Parameter(torch.zeros(len(dims)))

    @property
    def alpha(self) -> Tensor:
        """The weights, (M,), none negative, sum 1."""
        return self.weights.softmax(dim=0)

    def join(self, projected: Tensor, present: Tensor) -> Tensor:
        """The weights of the absent go to the present; a row without any gives zeros."""
        scores = self.weights[None, :, None].masked_fill(~present, -torch.inf)
        return (scores.softmax(dim=1).nan_to_num() * projected).sum(dim=1)


class SumFusion(Fusion):
    """The element-wise sum of the projected features."""

    def join(self, projected: Tensor, present: Tensor) -> Tensor:
        """The absent count as zero."""
        return projected.masked_fill(~present, 0).sum(dim=1)


class ProductFusion(Fusion):
    """The element-wise product of the projected features.

    The features of an absent modality are zeros, so its projection's bias stands in its place: a
    learnt vector, where training rows have holes. Were it to count as one, the others' projections
    would come out as no product in training ever does.
    """

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool} -> (B, dim_out)"""
        given = zero_absent(features, self.names, present)
        return super().forward(dict(zip(self.names, given, strict=True)))

    def join(self, projected: Tensor, present: Tensor) -> Tensor:
        """The product over modalities."""
        return projected.prod(dim=1)


class MaximumFusion(Fusion):
    """The element-wise maximum of the projected features."""

    def join(self, projected: Tensor, present: Tensor) -> Tensor:
        """The absent never win; a row without any gives zeros."""
        largest = projected.masked_fill(~present, -torch.inf).amax(dim=1)
        return largest.masked_fill(~present.any(dim=1), 0)


class ConcatFusion(nn.Module):
    """All features side by side, as they come: (B, sum of dims). The absent are zeros.

    A linear head on it is additive: no term in it depends on two modalities at once.
    """

    def __init__(self, dims: dict[str, int]):
        super().__init__()
        self.names = tuple(dims)
        self.dim_out = sum(dims.values())

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool} -> (B, dim_out)"""
        return torch.cat(zero_absent(features, self.names, present), dim=1)


class ConcatMLPFusion(ConcatFusion):
    """A hidden layer on all features side by side: relu(W [F_1; ...; F_M] + b).

    The absent are zeros, which add nothing to the hidden layer's sums. dim: hidden units, which
    are what comes out.
    """

    def __init__(self, dims: dict[str, int], dim: int = 64):
        super().__init__(dims)
        self.hidden = nn.Linear(sum(dims.values()), dim)
        self.dim_out = dim

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool} -> (B, dim_out)"""
        return self.hidden(super().forward(features, present)).relu()


class BilinearFusion(nn.Module):
    """Sums of weighted products of two modalities' entries: F_1^T W_k F_2 for each output k.

    With more than two modalities, the sum of this over all pairs; each pair has weights
    (dim, dims[one], dims[other]) of its own. The absent are zeros: a pair with one of them adds
    nothing. So a row with one modality gives zeros; there is no linear part (``TensorFusion`` has
    one).

    Raises ValueError for a single modality.
    """

    def __init__(self, dims: dict[str, int], dim: int = 64):
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"BilinearFusion joins two modalities or more; it got {[*dims]}")
        self.names = tuple(dims)
        self.dim_out = dim
        self.pairs = nn.ModuleList(
            nn.Bilinear(one, other, dim, bias=False)
            for one, other in combinations(dims.values(), 2)
        )

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool} -> (B, dim_out)"""
        both = combinations(zero_absent(features, self.names, present), 2)
        forms = [form(*pair) for form, pair in zip(self.pairs, both, strict=True)]
        return torch.stack(forms).sum(dim=0)


class TensorFusion(Fusion):
    """The outer product of the projected features, a 1 put before each: ``outer_fusion``.

    dim: length of each projection, small, for (dim + 1)^M numbers come out: the constant 1, every
    projected feature alone, and all products of them across modalities. An absent modality is
    [1; 0, ..., 0]: what is left are the products of the others. Zadeh et al., Tensor Fusion
    Network for Multimodal Sentiment Analysis, EMNLP 2017.
    """

    def __init__(self, dims: dict[str, int], dim: int = 16):
        super().__init__(dims, dim)
        self.dim_out = (dim + 1) ** len(dims)

    def join(self, projected: Tensor, present: Tensor) -> Tensor:
        """projected (B, M, dim), present (B, M, 1) bool -> (B, dim_out)"""
        return outer_fusion([*projected.masked_fill(~present, 0).unbind(dim=1)])


class LowRankFusion(nn.Module):
    """A linear layer on the outer product of all [1; F_i], without ever building that product.

    Its weights are a sum of ``rank`` products of one factor a modality, so that output k is
    sum_r prod_i [1; F_i] . factors[i][r, :, k]. The factors, (rank, dims[i] + 1, dim), stand in a
    ParameterList: in a Python list no optimiser would see them. An absent modality is
    [1; 0, ..., 0], as in ``TensorFusion``. Liu et al., Efficient Low-rank Multimodal Fusion With
    Modality-Specific Factors, ACL 2018.
    """

    def __init__(self, dims: dict[str, int], dim: int = 64, rank: int = 4):
        super().__init__()
        self.names = tuple(dims)
        self.dim_out = dim
        self.factors = nn.ParameterList(
            torch.randn(rank, size + 1, dim) / (size + 1) ** 0.5 for size in dims.values()
        )

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool} -> (B, dim_out)"""
        given = map(with_one, zero_absent(features, self.names, present))
        projected = [
            torch.einsum("bd,rdk->rbk", feature, factor)
            for feature, factor in zip(given, self.factors, strict=True)
        ]
        return torch.stack(projected).prod(dim=0).sum(dim=0)


def zero_absent(
    features: Features, names: tuple[str, ...], present: Present | None = None
) -> list[Tensor]:
    """The features in the order of ``names``, (B, dim) each, with zeros where absent."""
    first = features[names[0]]
    there = presence(present, names, len(first), first.device)
    return [features[n].masked_fill(~there[:, [m]], 0) for m, n in enumerate(names)]


# --- fusions of tokens ------------------------------------------------------------------------


def as_tokens(features: Tensor | Tokens) -> Tokens:
    """Tokens as they are; one vector for each row, (B, dim), as one token."""
    if isinstance(features, Tokens):
        return features
    return Tokens(features[:, None], features.new_ones(len(features), 1, dtype=torch.bool))


class JointAttentionFusion(nn.Module):
    """Self-attention over the tokens of all modalities together, read off at a token of its own.

    Each modality's tokens are projected to ``dim`` numbers and get a learnt vector that tells the
    modality. Before them stands one learnt token, the same for all rows; what the layers make of
    it comes out, (B, dim). Padding and absent modalities are hidden. A modality that comes as one
    vector is one token. The learnt token is that of Devlin, Chang, Lee and Toutanova, BERT, NAACL
    2019.
    """

    reads_tokens = True

    def __init__(self, dims: dict[str, int], dim: int = 64, heads: int = 4, layers: int = 1):
        super().__init__()
        self.names, self.dim_out = tuple(dims), dim
        self.project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in dims.items()})
        self.kind = nn.ParameterDict({name: torch.randn(dim) * 0.1 for name in dims})
        self.first = nn.Parameter(torch.randn(dim) * 0.1)
        self.layers = nn.ModuleList(EncoderLayer(dim, heads, 2 * dim) for _ in range(layers))

    def forward(
        self, features: Mapping[str, Tensor | Tokens], present: Present | None = None
    ) -> Tensor:
        """{name: Tokens (B, T, dims[name]) or (B, dims[name])}, present as ever -> (B, dim)"""
        given = {name: as_tokens(features[name]) for name in self.names}
        rows = len(given[self.names[0]].real)
        there = presence(present, self.names, rows, self.first.device)
        x = [self.first.expand(rows, 1, -1)]
        real = [there.new_ones(rows, 1)]
        for m, (name, tokens) in enumerate(given.items()):
            x.append(self.project[name](tokens.vectors) + self.kind[name])
            real.append(tokens.real & there[:, [m]])
        x, mask = torch.cat(x, dim=1), token_mask(torch.cat(real, dim=1))
        for layer in self.layers:
            x = layer(x, mask)
        return x[:, 0]
