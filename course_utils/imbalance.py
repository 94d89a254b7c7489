"""Unequal shares: of classes among the rows, and of modalities in what a model learns.

Classes: weights in the loss, rows drawn anew, a shift of the logits, a threshold. Modalities: a
classifier that adds a part for each modality, so that one can see which of them is ahead, and what
is done about it: OGM-GE's brake, a loss of its own for each part, text that is hidden at times.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import WeightedRandomSampler

from course_utils.data.batches import Batch, Batches
from course_utils.encoders import encode, encode_all

# --- classes --------------------------------------------------------------------------------------


def class_weights(label: Tensor, classes: int) -> Tensor:
    """A weight for each class, so that all classes that occur weigh alike, and a row 1 on average.

    label (n,) long -> (classes,) float: n / (K n_c) for a class of n_c rows, where K classes
    occur; 0 for a class without rows. Where all occur these are scikit-learn's "balanced".

    Raises ValueError where there is no label, or one that is no class number.
    """
    counts = class_counts(label, classes)
    occur = counts > 0
    weights = len(label) / (occur.sum() * counts.clamp(min=1))
    return torch.where(occur, weights, torch.zeros_like(weights))


def class_counts(label: Tensor, classes: int) -> Tensor:
    """How many rows each class has: label (n,) long -> (classes,) long.

    Raises ValueError where there is no label, or one that is no class number.
    """
    if label.ndim != 1 or not len(label) or label.min() < 0 or label.max() >= classes:
        raise ValueError(
            f"labels are class numbers from 0 to {classes - 1}, (n,) with n at least 1; these have "
            f"the shape {tuple(label.shape)}"
            + (f" and lie from {label.min()} to {label.max()}" if label.numel() else "")
        )
    return label.bincount(minlength=classes)


class BalancedBatches(Batches):
    """Batches whose rows are drawn with replacement, so that each class comes up equally often.

    tensors, batch_size, seed: as for ``Batches``. A pass draws as many rows as there are: the rows
    of a rare class come up again and again, and many rows of a common one are left out.
    """

    def __init__(self, tensors: Batch, batch_size: int = 64, seed: int = 0):
        label = tensors["label"]
        weights = class_weights(label, int(label.max()) + 1)[label]
        generator = torch.Generator().manual_seed(seed)
        sampler = WeightedRandomSampler(weights, len(label), generator=generator)
        super().__init__(tensors, batch_size, sampler=sampler)


def shift_by_prior(logits: Tensor, prior: Tensor, strength: float = 1.0) -> Tensor:
    """Logits less the logarithm of the prior: what they would be if all classes were as common.

    logits (n, C); prior (C,), positive, sum 1; strength: 0 leaves them, 1 takes out all of it.
    Menon, Jayasumana, Rawat, Jain, Veit and Kumar, Long-tail learning via logit adjustment, ICLR
    2021, whose strength is called tau.
    """
    return logits - strength * prior.log()


def best_threshold(score: Tensor, positive: Tensor) -> float:
    """The threshold with the best F1 where rows of ``score >= threshold`` are called positive.

    score (n,) float; positive (n,) bool, one True at least. Returns one of the scores; of several
    that are equally good the largest, which calls fewest rows.

    Raises ValueError for other shapes, or where no row is positive.
    """
    if score.ndim != 1 or positive.shape != score.shape or not positive.any():
        raise ValueError(
            f"best_threshold needs score (n,) and positive (n,), one of them True; it got "
            f"{tuple(score.shape)} and {tuple(positive.shape)} with {int(positive.sum())} True"
        )
    levels = score.unique().flip(0)  # from the largest down
    called = score[None, :] >= levels[:, None]  # (levels, n)
    hits = (called & positive).sum(dim=1)
    f1 = 2 * hits / (called.sum(dim=1) + positive.sum())
    return levels[f1.argmax()].item()


class Rare(NamedTuple):
    """How a rare class fares by one rule: its recall and precision, and macro F1 over both."""

    recall: float
    precision: float
    macro_f1: float


def bell_scores(share: float, separation: float, log_odds: float) -> Rare:
    """Two classes whose scores are bell curves of width 1: what a threshold makes of them, exactly.

    share: of the rare class, whose curve lies ``separation`` higher, both above 0.
    log_odds: how much likelier, in logarithms, a score must be under the rare class before it is
        called rare: log((1 - share) / share) for fewest errors, 0 under full class weights.
    """
    bell = NormalDist()
    threshold = separation / 2 + log_odds / separation
    recall, alarm = 1 - bell.cdf(threshold - separation), 1 - bell.cdf(threshold)
    hits, false = share * recall, (1 - share) * alarm
    left = (1 - share) * (1 - alarm)
    common = 2 * left / ((1 - share) + left + share * (1 - recall))
    precision = hits / (hits + false) if hits + false > 0 else 0.0
    return Rare(recall, precision, (2 * hits / (share + hits + false) + common) / 2)


# --- modalities -----------------------------------------------------------------------------------


class AdditiveClassifier(nn.Module):
    """One encoder and one linear head for each modality; the logits are the sum of their parts.

    It can say what "concat + linear" can say, and keeps the parts of its last batch, whole, as
    ``parts``: {name: (B, C)}. Two ways of help for a modality that is behind:

    hide: {name: share}: in training, a row's part of that modality is 0 with this chance.
    own_loss: {name: weight}: ``loss`` adds the cross-entropy of that part alone, so many times.

    encoders: {name: encoder}. Auxiliary losses as in Wang, Tran and Feiszli, What Makes Training
    Multi-Modal Classification Networks Hard?, CVPR 2020, with weights that stay; hiding as in
    Neverova, Wolf, Taylor and Nebout, ModDrop, IEEE TPAMI 38(8), 2016.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        classes: int,
        hide: Mapping[str, float] | None = None,
        own_loss: Mapping[str, float] | None = None,
    ):
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.heads = nn.ModuleDict({n: nn.Linear(e.dim, classes) for n, e in encoders.items()})
        self.hide, self.own_loss = dict(hide or {}), dict(own_loss or {})
        self.parts: dict[str, Tensor] = {}

    @property
    def reads(self) -> tuple[str, ...]:
        """The parts of a batch that the encoders are called with."""
        return tuple(dict.fromkeys(p for one in self.encoders.values() for p in one.reads))

    def forward(self, batch: Mapping[str, Any]) -> Tensor:
        """A batch -> logits (B, C)"""
        self.parts = {
            name: self.heads[name](encode(one, batch)) for name, one in self.encoders.items()
        }
        return sum(self._kept(name, part) for name, part in self.parts.items())

    def _kept(self, name: str, part: Tensor) -> Tensor:
        """A part, which in training is 0 in some rows, if it is to be hidden."""
        share = self.hide.get(name, 0.0)
        if not self.training or not share:
            return part
        return part * (torch.rand(len(part), 1, device=part.device) >= share)

    def loss(self, logits: Tensor, batch: Mapping[str, Any]) -> Tensor:
        """Cross-entropy of the sum, and of the parts that ``own_loss`` names: for ``fit``."""
        label = batch["label"]
        own = [w * F.cross_entropy(self.parts[name], label) for name, w in self.own_loss.items()]
        return F.cross_entropy(logits, label) + sum(own)


def copy_in(model: AdditiveClassifier, ready: AdditiveClassifier, strength: float = 1.0) -> None:
    """Put a trained classifier's encoders and heads in a model's place of the same names.

    strength: by what the heads are multiplied; at 0 the modality joins without a head.
    """
    for name, encoder in ready.encoders.items():
        model.encoders[name].load_state_dict(encoder.state_dict())
        with torch.no_grad():
            for mine, theirs in zip(
                model.heads[name].parameters(), ready.heads[name].parameters(), strict=True
            ):
                mine.copy_(strength * theirs)


def ogm_coefficient(parts: Mapping[str, Tensor], label: Tensor, alpha: float) -> dict[str, float]:
    """By what OGM-GE multiplies the gradients of each of two modalities' encoders.

    parts: {name: (B, C)}, the two parts of an additive head; label (B,) long. Each part's score
    is the sum over rows of the probability that it alone gives to the true class. The modality
    whose score is rho > 1 times the other's gets 1 - tanh(alpha rho), the other 1.

    Peng, Wei, Deng, Wang and Hu, Balanced Multimodal Learning via On-the-fly Gradient Modulation,
    CVPR 2022.
    """
    rows = torch.arange(len(label), device=label.device)
    score = {name: part.softmax(dim=1)[rows, label].sum() for name, part in parts.items()}
    (one, first), (other, second) = score.items()
    ratio = {one: first / second, other: second / first}
    return {
        name: float(1 - torch.tanh(alpha * rho)) if rho > 1 else 1.0 for name, rho in ratio.items()
    }


def brake(
    model: AdditiveClassifier,
    optimizer: torch.optim.Optimizer,
    alpha: float,
    noise: bool = True,
) -> Any:
    """From now on, before each step, the leading modality's encoder gets smaller gradients.

    noise: add to each gradient of the encoders normal noise as large as its own spread: "GE", for
        generalization enhancement. Without it this is OGM.
    Returns a ``loss(logits, batch)`` for ``fit``, cross-entropy, which takes note of the labels.
    Source as for ``ogm_coefficient``; theirs changes the gradients of convolutions alone, ours of
    all that an encoder learns.
    """
    seen: dict[str, Tensor] = {}

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        seen["label"] = batch["label"]
        return F.cross_entropy(logits, batch["label"])

    @torch.no_grad()
    def before_step(*_: Any) -> None:
        factor = ogm_coefficient(model.parts, seen["label"], alpha)
        for name, encoder in model.encoders.items():
            for parameter in encoder.parameters():
                if parameter.grad is not None:
                    spread = parameter.grad.std() if parameter.numel() > 1 else 0.0
                    parameter.grad *= factor[name]
                    if noise:
                        parameter.grad += spread * torch.randn_like(parameter.grad)

    optimizer.register_step_pre_hook(before_step)
    return loss


def linear_probe(encoder: nn.Module, train: Batch, test: Batch, strength: float = 1.0) -> float:
    """What can be read off an encoder's features: a logistic regression's accuracy on test rows.

    The encoder stays as it is; the regression learns from the training rows' features, each
    brought to mean 0 and a spread of 1. strength: scikit-learn's C. Alain and Bengio, Understanding
    intermediate layers using linear classifier probes, ICLR workshop, 2017.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    seen = []
    for tensors in (train, test):
        batches = Batches({name: tensors[name] for name in (*encoder.reads, "label")}, 256)
        found = encode_all({"features": encoder}, batches)
        seen.append((found["features"].numpy(), found["label"].numpy()))
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    with threadpool_limits(1):  # on small matrices threads wait longer than they work
        return float(probe.fit(*seen[0]).score(*seen[1]))
