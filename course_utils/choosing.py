"""What validation rows say of models that were tried: which are chosen, and what they become.

Everything is judged by the log loss of calibrated probabilities, which varies less from row to row
than right and wrong. A richer fusion has to be better than a simpler one by more than one standard
error.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batch
from course_utils.experts import Experts, Pool, evidence, pooled

LEAST_GAIN = 0.03  # of the loss, from which on a modality alone tells something


@dataclass
class Tried:
    """A model of one modality: its settings, itself, its logits of the validation rows.

    softness: what its logits were divided by. options: how it was trained.
    """

    values: dict[str, Any]
    module: nn.Module
    logits: Tensor
    softness: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Joint:
    """A joint network: encoders, fusion, head, and its logits of the validation rows."""

    name: str
    values: dict[str, Any]
    encoders: dict[str, nn.Module]
    fusion: nn.Module
    head: nn.Module
    logits: Tensor | None = None


class Candidate(NamedTuple):
    """A way to bring the modalities together: logits of the validation rows, and the pool's parts.

    weights: (M,) of the modalities, and a further one for the joint network if there is one.
    """

    logits: Tensor
    rule: str
    weights: Tensor
    joint: Joint | None = None


class Judge:
    """Judges models by the validation rows, and chooses among them.

    names: of the modalities. validation: their tensors, with ``label`` and ``present``.
    log_share: (C,) log p(y) of the training rows, what is said of a row that a model cannot read.
    """

    def __init__(self, names: Sequence[str], validation: Batch, log_share: Tensor):
        self.names, self.validation, self.log_share = [*names], validation, log_share
        self.label = validation["label"]

    # --- judging

    def nll(self, logits: Tensor) -> Tensor:
        """The log loss of each validation row, (n,)."""
        return F.cross_entropy(logits.double(), self.label, reduction="none")

    def loss(self, tried: Tried | Joint) -> float:
        """The mean log loss of a model."""
        return self.nll(tried.logits).mean().item()

    def right(self, logits: Tensor) -> float:
        """The share of the validation rows of which logits (n, C) name the class."""
        return (logits.argmax(dim=1) == self.label).double().mean().item()

    def shares(self) -> Tensor:
        """What a model says that knows nothing, for each validation row, (n, C)."""
        return self.log_share.expand(len(self.label), -1)

    def tells_nothing(self, tried: Iterable[Tried]) -> bool:
        """Whether none of these tells more about the label than the shares of the classes."""
        best = min(self.loss(one) for one in tried)
        return best > (1 - LEAST_GAIN) * self.nll(self.shares()).mean().item()

    def there(self) -> Tensor:
        """Which modalities each validation row has, (n, M) bool."""
        return torch.stack([self.validation["present"][name] for name in self.names], dim=1)

    def calibrated(self, logits: Tensor, there: Tensor) -> tuple[Tensor, float]:
        """Logits (n, C) softened to be probabilities, and by what; ``there`` (n,): who counts."""
        softness = _softness(logits[there], self.label[there])
        return torch.where(there[:, None], logits / softness, self.log_share), softness

    # --- choosing

    def experts(self, tried: Iterable[Tried]) -> list[Tried]:
        """The experts of a modality: the best, then whoever lowers the loss of their mean."""
        left = sorted(tried, key=self.loss)
        chosen, best = [], np.inf
        while left:
            losses = [self.nll(self.mean([*chosen, one])).mean().item() for one in left]
            place = int(np.argmin(losses))
            if losses[place] >= best:
                break
            best = losses[place]
            chosen.append(left.pop(place))
        return chosen

    def mean(self, tried: Sequence[Tried]) -> Tensor:
        """The log of the mean probability of some experts, (n, C)."""
        logits = torch.stack([one.logits for one in tried], dim=1)
        return evidence(logits, self.log_share) + self.log_share

    def candidates(
        self, experts: Mapping[str, list[Tried]], joints: Sequence[Joint]
    ) -> dict[str, Candidate]:
        """The ways to bring experts together, simplest first; one for one modality alone."""
        there, ones = self.there(), torch.ones(len(self.names))
        found = torch.stack([self.mean(own) - self.log_share for own in experts.values()], dim=1)
        if len(self.names) == 1:
            return {"alone": Candidate(found[:, 0] + self.log_share, "product", ones)}
        weights = self.fitted(found, there, ones)
        rules = {"product": ones, "mean of probabilities": ones, "weighted product": weights}
        options = {}
        for rule, own in rules.items():
            logits = pooled(found, there, own, rule, self.log_share) + self.log_share
            options[rule] = Candidate(logits, rule, own)
        if joints:
            best = min(joints, key=self.loss)
            options[f"weighted product with {best.name}"] = self.beside(best, found, there)
        return options

    def beside(self, joint: Joint, found: Tensor, there: Tensor) -> Candidate:
        """A joint network beside the evidence (n, M, C) of the modalities that are there (n, M)."""
        own = joint.logits.log_softmax(1) - self.log_share
        found = torch.cat([found, own[:, None]], 1)
        there = torch.cat([there, there.all(dim=1, keepdim=True)], dim=1)
        prior = torch.cat([torch.ones(len(self.names)), torch.zeros(1)])
        weights = self.fitted(found, there, prior)
        logits = pooled(found, there, weights) + self.log_share
        return Candidate(logits, "weighted product", weights, joint)

    def fitted(self, found: Tensor, there: Tensor, prior: Tensor) -> Tensor:
        """Weights of least log loss on validation rows, drawn to ``prior``; none negative."""
        weights = prior.clone().double().requires_grad_()
        optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")
        found = found.double()

        def closure() -> Tensor:
            optimizer.zero_grad()
            logits = pooled(found, there, weights) + self.log_share
            loss = F.cross_entropy(logits, self.label, reduction="sum")
            loss = loss + 0.5 * (weights - prior).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return weights.detach().clamp(min=0).to(prior)

    def choose(self, options: Mapping[str, Candidate]) -> tuple[str, str]:
        """The name of the simplest that is not clearly worse than the best, and a sentence."""
        losses = {name: self.nll(one.logits) for name, one in options.items()}
        best = min(losses, key=lambda name: losses[name].mean().item())
        name = next(name for name, loss in losses.items()
                    if name == best or _hardly_worse(loss - losses[best]))  # fmt: skip
        right = self.right(options[name].logits)
        said = f"chosen: {name}, right in {right:.3f} of the {len(self.label):,} validation rows"
        if name != best:
            said += f" (simpler than {best}, and not clearly worse)"
        return name, said


def _hardly_worse(worse: Tensor) -> bool:
    """Whether a loss is larger by no more than a standard error; ``worse`` (n,): by row."""
    error = worse.std().item() / len(worse) ** 0.5 if len(worse) > 1 else 0.0
    return worse.mean().item() <= error


def _softness(logits: Tensor, label: Tensor) -> float:
    """By what logits are divided to have the least log loss (Guo et al., 2017): 0.3 to 10."""
    if not len(label):
        return 1.0
    tried = np.geomspace(0.3, 10, 40)
    losses = [F.cross_entropy(logits.double() / t, label).item() for t in tried]
    return float(tried[int(np.argmin(losses))])


# --- what is chosen -----------------------------------------------------------------------------


def assembled(
    experts: Mapping[str, list[Tried]], chosen: Candidate, log_share: Tensor
) -> MultimodalClassifier:
    """The model of these experts, in evaluation mode; log_share (C,): log p(y)."""
    parts = {name: _experts(own, name, chosen.joint, log_share) for name, own in experts.items()}
    classes, joint = len(log_share), chosen.joint
    fusion = Pool((*parts,), classes, joint and copy.deepcopy(joint.fusion), chosen.rule)
    fusion.log_share = log_share.clone()
    if joint:
        fusion.head = copy.deepcopy(joint.head)
    fusion.weights.data = chosen.weights.clone()
    model = MultimodalClassifier(parts, fusion, classes)
    with torch.no_grad():  # what the pool gives is evidence; with the shares it is log p(y | x)
        model.head.weight.copy_(torch.eye(classes))
        model.head.bias.copy_(log_share)
    return model.eval()


def _experts(own: Sequence[Tried], name: str, joint: Joint | None, log_share: Tensor) -> Experts:
    """The experts of one modality, with the joint network's encoder of it."""
    encoder = copy.deepcopy(joint.encoders[name]) if joint else None
    part = Experts([copy.deepcopy(one.module) for one in own], len(log_share), encoder)
    part.softness = torch.tensor([one.softness for one in own])
    part.log_share = log_share.clone()
    return part


def settings_of(experts: Mapping[str, list[Tried]], chosen: Candidate) -> dict[str, Any]:
    """What ``recipes.build`` needs for the model that ``assembled`` gives, as plain values."""
    return {
        "rule": chosen.rule,
        "experts": {name: [one.values for one in own] for name, own in experts.items()},
        "joint": chosen.joint and chosen.joint.values,
    }
