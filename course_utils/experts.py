"""What the search chooses among and puts together: several small models of each modality, pooled.

An *expert* reads one modality and scores each class: a network with a linear head, or a linear
model whose features are tensors of its own, so that all of it lies in one file of weights. The
experts of one modality become one encoder, ``Experts``, which gives their evidence for each class;
``Pool`` adds up the evidence of the modalities that a row has. An additive pool knows nothing of
how modalities belong together; for that a joint network can stand beside them, which reads all.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from course_utils.encoders import positions_within
from course_utils.fusion import ConcatFusion, Present, presence

LEAST = 1e-6  # of a probability, so that its logarithm is a number


# --- experts ------------------------------------------------------------------------------------


class WithHead(nn.Module):
    """An encoder with a linear head: what it reads -> logits (B, C)."""

    def __init__(self, encoder: nn.Module, classes: int, dropout: float = 0.0):
        super().__init__()
        self.encoder, self.reads = encoder, encoder.reads
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.dim, classes)

    def forward(self, *parts: Tensor) -> Tensor:
        """The parts of a batch that the encoder reads -> (B, C)"""
        return self.head(self.drop(self.encoder(*parts)))


class LinearText(nn.Module):
    """A linear model of which tokens occur in a text, the rarer the weightier: -> logits (B, C).

    A token counts once, by its inverse document frequency; tokens of each kind (words, pieces of
    words) form a vector of length 1, so that the many pieces do not drown the words.

    words: size of the vocabulary. ``rarity`` (words,) is the inverse document frequency, 0 for
    padding and unknown words; ``kind`` (words,) 0 or 1. Both are learnt, and lie with the weights.
    """

    def __init__(self, words: int, classes: int, reads: str = "text"):
        super().__init__()
        self.reads = (reads, f"{reads}_length")
        self.weight = nn.Parameter(torch.zeros(words, classes))
        self.bias = nn.Parameter(torch.zeros(classes))
        self.register_buffer("rarity", torch.zeros(words))
        self.register_buffer("kind", torch.zeros(words, dtype=torch.long))

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        """text (B, L) long, 0 is padding; text_length (B,) long -> (B, C)"""
        tokens, value = self.values(text, text_length)
        scores = nn.functional.embedding_bag(
            tokens, self.weight, per_sample_weights=value.to(self.weight), mode="sum"
        )
        return scores + self.bias

    def values(self, text: Tensor, text_length: Tensor) -> tuple[Tensor, Tensor]:
        """Each text's tokens, sorted, (B, L) long, and their values, 0 where one comes again."""
        text = text[:, : int(text_length.max())]
        real = positions_within(text_length, text.shape[1])
        tokens = text.masked_fill(~real, 0).sort(dim=1).values
        first = tokens != torch.nn.functional.pad(tokens, (1, 0), value=-1)[:, :-1]
        value = self.rarity[tokens] * first
        kind = self.kind[tokens]
        for number in range(2):
            own = value * (kind == number)
            length = own.square().sum(dim=1, keepdim=True).sqrt().clamp(min=LEAST)
            value = torch.where(kind == number, value / length, value)
        return tokens, value


class LinearPictures(nn.Module):
    """A linear model of the main directions of the training pictures (PCA): -> logits (B, C).

    pixels: numbers in a picture; count: directions. What a picture is in them has length 1.
    shrink: 2 makes one pixel of 2 x 2 before anything else.
    """

    def __init__(
        self, pixels: int, count: int, classes: int, reads: str = "image", shrink: int = 1
    ):
        super().__init__()
        self.reads, self.shrink = (reads,), shrink
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("directions", torch.zeros(count, pixels))
        self.head = nn.Linear(count, classes)

    def forward(self, image: Tensor) -> Tensor:
        """image (B, colours, H, W) float -> (B, C)"""
        return self.head(self.features(image))

    def features(self, image: Tensor) -> Tensor:
        """image (B, colours, H, W) float -> (B, count), each row of length 1"""
        found = (self.flat(image) - self.mean) @ self.directions.T
        return found / found.norm(dim=1, keepdim=True).clamp(min=LEAST)

    def flat(self, image: Tensor) -> Tensor:
        """image (B, colours, H, W) float -> (B, pixels)"""
        return nn.functional.avg_pool2d(image, self.shrink).flatten(1)


class MeanVector(nn.Module):
    """The mean of all that lies between rows and last axis, each number on one scale: (B, width).

    For a modality of which nothing else is known: numbers (B, ..., width), or with their lengths
    (B, T) and (B, T, ..., width), as ``baselines.features_of`` takes them.
    """

    def __init__(self, width: int, reads: tuple[str, ...]):
        super().__init__()
        self.reads, self.dim = tuple(reads), width
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))

    def forward(self, values: Tensor, length: Tensor | None = None) -> Tensor:
        """What the reader gives -> (B, width)"""
        return (mean_vectors(values, length) - self.mean) / self.spread


def mean_vectors(values: Tensor, length: Tensor | None = None) -> Tensor:
    """values (B, ..., width), or (B, T, ...) with lengths (B,) -> (B, width) float."""
    values = values.to(torch.get_default_dtype())
    if length is None:
        return values.flatten(1, -2).mean(dim=1) if values.ndim > 2 else values.flatten(1)
    # One number for each moment, as in a sound, is a vector of one.
    values = values[..., None] if values.ndim == 2 else values
    values = values.flatten(2, -2).mean(dim=2) if values.ndim > 3 else values
    real = positions_within(length, values.shape[1])
    return (values * real[..., None]).sum(dim=1) / length[:, None].clamp(min=1)


class Hidden(nn.Module):
    """A hidden layer on an encoder's vectors: what it reads -> (B, dim)."""

    def __init__(self, encoder: nn.Module, dim: int = 64):
        super().__init__()
        self.encoder, self.reads, self.dim = encoder, encoder.reads, dim
        self.net = nn.Sequential(nn.Linear(encoder.dim, dim), nn.ReLU())

    def forward(self, *parts: Tensor) -> Tensor:
        """The parts of a batch that the encoder reads -> (B, dim)"""
        return self.net(self.encoder(*parts))


# --- together -----------------------------------------------------------------------------------


class Experts(nn.Module):
    """The experts of one modality as one encoder: evidence for each class, (B, C [+ dim]).

    Evidence is log p(y | x) - log p(y), the mean probability of the experts against the share of
    the class in the training rows: zeros would say that the modality tells nothing.

    experts: each gives logits (B, C), and ``reads`` names its parts of a batch.
    joint: an encoder (B, dim) whose vectors go along for a joint network.
    ``softness`` divides each expert's logits; ``log_share`` (C,) is log p(y).
    """

    def __init__(self, experts: list[nn.Module], classes: int, joint: nn.Module | None = None):
        super().__init__()
        self.experts, self.joint, self.classes = nn.ModuleList(experts), joint, classes
        read = [part for one in (*experts, *([joint] if joint else [])) for part in one.reads]
        self.reads = tuple(dict.fromkeys(read))
        self.dim = classes + (joint.dim if joint else 0)
        self.register_buffer("softness", torch.ones(len(experts)))
        self.register_buffer("log_share", torch.zeros(classes))

    def forward(self, *parts: Tensor) -> Tensor:
        """The parts of a batch that it reads, in order -> (B, C [+ dim])"""
        given = dict(zip(self.reads, parts, strict=True))
        logits = [one(*(given[part] for part in one.reads)) for one in self.experts]
        found = evidence(torch.stack(logits, dim=1) / self.softness[:, None], self.log_share)
        if self.joint is None:
            return found
        return torch.cat([found, self.joint(*(given[part] for part in self.joint.reads))], dim=1)


def evidence(logits: Tensor, log_share: Tensor) -> Tensor:
    """log mean_k p_k(y | x) - log p(y), from logits (B, K, C) of K experts -> (B, C)."""
    return logits.softmax(dim=2).mean(dim=1).clamp(min=LEAST).log() - log_share


class BesideConcat(nn.Module):
    """A fusion beside all features as they come: (B, sum of dims + dim_out of the fusion).

    So that the joint network has what its parts know, and can start from their heads.
    """

    def __init__(self, dims: dict[str, int], fusion: nn.Module):
        super().__init__()
        self.concat, self.fusion = ConcatFusion(dims), fusion
        self.names, self.dim_out = tuple(dims), self.concat.dim_out + fusion.dim_out

    def forward(self, features: Mapping[str, Tensor], present: Present | None = None) -> Tensor:
        """{name: (B, dims[name])}, present {name: (B,) bool} -> (B, dim_out)"""
        both = self.concat(features, present), self.fusion(features, present)
        return torch.cat(both, dim=1)


class Pool(nn.Module):
    """Adds the evidence of the modalities that a row has, and that of a joint network: (B, C).

    Bayes' rule for modalities that are independent given the label, each with a weight; with all
    weights 1 it is the product rule of Kittler et al., On combining classifiers, 1998. The weights
    (M,), and a further one for the joint network, correct what is not so.

    names: of the modalities; each gives C numbers of evidence first, and then what ``joint``, a
    fusion, reads. The joint network counts where all its modalities are there.
    rule: "mean of probabilities" takes their mean over what is there in place of the product.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        classes: int,
        joint: nn.Module | None = None,
        rule: str = "product",
    ):
        super().__init__()
        self.rule = rule
        self.names, self.dim_out, self.joint = tuple(names), classes, joint
        self.weights = nn.Parameter(torch.ones(len(names) + (joint is not None)))
        self.register_buffer("log_share", torch.zeros(classes))
        self.head = nn.Linear(joint.dim_out, classes) if joint else None

    def forward(self, features: Mapping[str, Tensor], present: Present | None = None) -> Tensor:
        """{name: (B, C [+ dim])}, present {name: (B,) bool} -> (B, C)"""
        found = torch.stack([features[name][:, : self.dim_out] for name in self.names], dim=1)
        there = presence(present, self.names, len(found), found.device)
        if self.joint is not None:
            vectors = {name: features[name][:, self.dim_out :] for name in self.joint.names}
            logits = self.head(self.joint(vectors, present))
            found = torch.cat([found, evidence(logits[:, None], self.log_share)[:, None]], dim=1)
            whole = presence(present, self.joint.names, len(found), found.device).all(dim=1)
            there = torch.cat([there, whole[:, None]], dim=1)
        return pooled(found, there, self.weights, self.rule, self.log_share)


def pooled(
    found: Tensor,
    there: Tensor,
    weights: Tensor,
    rule: str = "product",
    log_share: Tensor | None = None,
) -> Tensor:
    """Weighted evidence (B, M, C) over what is there (B, M) bool; weights (M,) -> (B, C)."""
    if rule == "mean of probabilities":
        share = there.to(found) * weights
        share = (share / share.sum(dim=1, keepdim=True).clamp(min=LEAST))[..., None]
        mean = (share * (found + log_share).softmax(dim=2)).sum(dim=1)
        return torch.where(there.any(dim=1)[:, None], mean.clamp(min=LEAST).log() - log_share, 0.0)
    return (found.masked_fill(~there[..., None], 0) * weights[:, None]).sum(dim=1)
