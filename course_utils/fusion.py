"""One module for each way of joining the senses; all are called alike.

``fusion({name: (B, dim)}, present)`` gives (B, dim_out). ``present`` (B, M) bool says which
modalities a row has, its columns in the order of the names that the fusion was built with; left
out, all are there. A modality that is absent takes no part.
"""

from itertools import combinations

import torch
from torch import Tensor, nn

Features = dict[str, Tensor]


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


def presence(present: Tensor | None, shape: tuple[int, int], device: torch.device) -> Tensor:
    """The mask (B, M) bool; all true where none was given.

    Raises ValueError when its shape does not fit the features.
    """
    if present is None:
        return torch.ones(shape, dtype=torch.bool, device=device)
    if tuple(present.shape) != tuple(shape):
        raise ValueError(
            f"present has the shape {tuple(present.shape)}, but {shape[0]} rows with "
            f"{shape[1]} modalities need {tuple(shape)}"
        )
    return present


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

    def forward(self, features: Features, present: Tensor | None = None) -> Tensor:
        """{name: (B, dims[name])}, present (B, M) bool -> (B, dim_out)"""
        joined = torch.stack([self.project[n](features[n]) for n in self.names], dim=1)
        return self.join(joined, presence(present, joined.shape[:2], joined.device)[:, :, None])

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
        return (projected * present).sum(dim=1)


class ProductFusion(Fusion):
    """The element-wise product of the projected features."""

    def join(self, projected: Tensor, present: Tensor) -> Tensor:
        """The absent count as one."""
        return projected.masked_fill(~present, 1).prod(dim=1)


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

    def forward(self, features: Features, present: Tensor | None = None) -> Tensor:
        """{name: (B, dims[name])}, present (B, M) bool -> (B, dim_out)"""
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

    def forward(self, features: Features, present: Tensor | None = None) -> Tensor:
        """{name: (B, dims[name])}, present (B, M) bool -> (B, dim_out)"""
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

    def forward(self, features: Features, present: Tensor | None = None) -> Tensor:
        """{name: (B, dims[name])}, present (B, M) bool -> (B, dim_out)"""
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
        return outer_fusion([*(projected * present).unbind(dim=1)])


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

    def forward(self, features: Features, present: Tensor | None = None) -> Tensor:
        """{name: (B, dims[name])}, present (B, M) bool -> (B, dim_out)"""
        given = map(with_one, zero_absent(features, self.names, present))
        projected = [
            torch.einsum("bd,rdk->rbk", feature, factor)
            for feature, factor in zip(given, self.factors, strict=True)
        ]
        return torch.stack(projected).prod(dim=0).sum(dim=0)


def zero_absent(
    features: Features, names: tuple[str, ...], present: Tensor | None = None
) -> list[Tensor]:
    """The features in the order of ``names``, (B, dim) each, with zeros where absent."""
    first = features[names[0]]
    present = presence(present, (len(first), len(names)), first.device)
    return [features[name] * present[:, [m]] for m, name in enumerate(names)]
