"""Modalities that some rows lack: what stands in their place, and training that is used to it.

A *fill* is fitted on training rows and gives the features of other rows with something in every
hole: ``fill(features, present)``. The fusions here wrap another one and are called like it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.fusion import Features, Present, presence
from course_utils.measures import accuracy

# --- filling ----------------------------------------------------------------------------------


def impute_mean(train: Tensor, rows: Tensor) -> Tensor:
    """Each hole becomes the mean of its column over the *training* rows.

    train (n, d), rows (m, d) float, NaN where a cell is empty. Returns (m, d). A column that is
    empty in all training rows gives 0. It is scikit-learn's ``SimpleImputer``.
    """
    means = train.nanmean(dim=0).nan_to_num()
    return torch.where(rows.isnan(), means, rows)


def impute_ridge(seen: Tensor, wanted: Tensor, rows: Tensor, alpha: float = 1.0) -> Tensor:
    """Predict what is missing from what is there, by ridge regression: a line, held back.

    seen (n, d), wanted (n, k): training rows that have both. rows (m, d): what other rows have.
    alpha: how much large slopes cost; the intercept costs nothing. Returns (m, k), as
    scikit-learn's ``Ridge(alpha).fit(seen, wanted).predict(rows)``.
    """
    centre, level = seen.mean(dim=0), wanted.mean(dim=0)
    x, y = seen - centre, wanted - level
    penalty = alpha * torch.eye(x.shape[1], dtype=x.dtype)
    slopes = torch.linalg.solve(x.T @ x + penalty, x.T @ y)
    return level + (rows - centre) @ slopes


class ConstantFill:
    """The same vector in every hole of a modality.

    values: {modality: (dim,)}; ``means_of`` and ``zeros_of`` make one from training features.
    """

    def __init__(self, values: Mapping[str, Tensor]):
        self.values = dict(values)

    @classmethod
    def means_of(cls, features: Features, present: Present | None = None) -> "ConstantFill":
        """The mean over the training rows that have the modality."""
        there = {name: _there(present, name, len(one)) for name, one in features.items()}
        return cls({name: one[there[name]].mean(dim=0) for name, one in features.items()})

    @classmethod
    def zeros_of(cls, features: Features) -> "ConstantFill":
        """Zeros."""
        return cls({name: torch.zeros_like(one[0]) for name, one in features.items()})

    def __call__(self, features: Features, present: Present) -> dict[str, Tensor]:
        """{name: (B, dim)} with the vector where ``present`` says that a row lacks the modality."""
        return {
            name: torch.where(_there(present, name, len(features[name]))[:, None],
                              features[name], value)
            for name, value in self.values.items()
        }  # fmt: skip


class PredictedFill:
    """A modality's features, predicted from the others', where they are there; else the mean.

    make: gives an untrained regressor of scikit-learn that can predict many numbers at once, as
        ``Ridge`` or ``DecisionTreeRegressor``.
    features {name: (n, dim)}, present: training rows; those that have all modalities teach.

    Raises ValueError where no row has them all.
    """

    def __init__(self, make: Callable[[], Any], features: Features, present: Present | None = None):
        self.names = tuple(features)
        rows = len(features[self.names[0]])
        whole = presence(present, self.names, rows, torch.device("cpu")).all(dim=1)
        if not whole.any():
            raise ValueError("no training row has all modalities, so nothing tells how one goes "
                             "with the others; fill with the mean")  # fmt: skip
        self.mean = ConstantFill.means_of(features, present)
        self.models = {
            name: make().fit(self._others(features, name)[whole.numpy()], features[name][whole])
            for name in self.names
        }

    def _others(self, features: Features, name: str) -> np.ndarray:
        return torch.cat([features[n] for n in self.names if n != name], dim=1).numpy()

    def __call__(self, features: Features, present: Present) -> dict[str, Tensor]:
        """{name: (B, dim)}, every hole filled."""
        filled = self.mean(features, present)
        guessed = {}
        for name, model in self.models.items():
            there = _there(present, name, len(features[name]))
            said = torch.as_tensor(model.predict(self._others(filled, name)))
            said = said.to(filled[name].dtype).view_as(filled[name])
            others = [_there(present, n, len(there)) for n in self.names if n != name]
            from_them = ~there & torch.stack(others).any(dim=0)
            guessed[name] = torch.where(from_them[:, None], said, filled[name])
        return guessed


def _there(present: Present | None, name: str, rows: int) -> Tensor:
    return presence(present, (name,), rows, torch.device("cpu"))[:, 0]


# --- training that is used to holes ---------------------------------------------------------------


def modality_dropout(present: Tensor, draws: Tensor, rate: float) -> Tensor:
    """Take modalities away at random, and never a row's last one.

    present (B, M) bool: what each row has. draws (B, M): uniform numbers from 0 to 1; a modality
    goes where its draw is below ``rate``. A row that would lose all keeps, of those that it has,
    the one with the largest draw. Returns (B, M) bool. After Neverova, Wolf, Taylor and Nebout,
    ModDrop: Adaptive Multi-Modal Gesture Recognition, IEEE Transactions on Pattern Analysis and
    Machine Intelligence 38(8), 2016, where a row may lose all.
    """
    stays = present & (draws >= rate)
    largest = draws.masked_fill(~present, -1).argmax(dim=1, keepdim=True)
    # Where a row's largest draw is below the rate, all of its draws are.
    return stays | (torch.zeros_like(present).scatter(1, largest, True) & present)


class Wrapped(nn.Module):
    """What the fusions here share: another fusion inside, with its names and its size."""

    def __init__(self, fusion: nn.Module):
        super().__init__()
        self.fusion, self.names, self.dim_out = fusion, fusion.names, fusion.dim_out

    def presence(self, features: Features, present: Present | None) -> Tensor:
        """(B, M) bool, a column for each of ``names``."""
        first = features[self.names[0]]
        return presence(present, self.names, len(first), first.device)


class ModalityDropout(Wrapped):
    """A fusion that loses modalities while it learns: ``modality_dropout``. Later it loses none."""

    def __init__(self, fusion: nn.Module, rate: float = 0.3):
        super().__init__(fusion)
        self.rate = rate

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dim)}, present {name: (B,) bool} -> (B, dim_out)"""
        there = self.presence(features, present)
        if self.training:
            draws = torch.rand(there.shape, device=there.device)
            there = modality_dropout(there, draws, self.rate)
        return self.fusion(features, dict(zip(self.names, there.unbind(dim=1), strict=True)))


class LearntToken(Wrapped):
    """A fusion in which a learnt vector of each modality stands where a row lacks it.

    dims: {name: dim}. The vectors, ``tokens``, start as zeros. They learn from rows with holes
    alone: train with such rows, or inside ``ModalityDropout``.
    """

    def __init__(self, fusion: nn.Module, dims: Mapping[str, int]):
        super().__init__(fusion)
        self.tokens = nn.ParameterDict({name: torch.zeros(dims[name]) for name in self.names})

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dim)}, present {name: (B,) bool} -> (B, dim_out)"""
        there = self.presence(features, present)
        filled = {
            name: torch.where(there[:, [m]], features[name], self.tokens[name])
            for m, name in enumerate(self.names)
        }
        return self.fusion(filled)


class FilledFusion(Wrapped):
    """A fusion whose holes are filled first; it is told that all modalities are there."""

    def __init__(self, fusion: nn.Module, fill: Callable[[Features, Present], dict[str, Tensor]]):
        super().__init__(fusion)
        self.fill = fill

    def forward(self, features: Features, present: Present | None = None) -> Tensor:
        """{name: (B, dim)}, present {name: (B,) bool} -> (B, dim_out)"""
        there = self.presence(features, present)
        holes = dict(zip(self.names, there.unbind(dim=1), strict=True))
        own = {name: features[name] for name in self.names}
        return self.fusion(self.fill(own, holes))


# --- measuring ------------------------------------------------------------------------------------


def missing_rate_curve(
    answer: Callable[[Features, Present], Tensor],
    features: Features,
    label: Tensor,
    name: str,
    rates: Sequence[float],
    draws: Tensor,
) -> list[float]:
    """Accuracy on *all* rows as more and more of them lack one modality.

    answer: ``answer(features, present)`` gives logits (n, C). features {name: (n, dim)}, label
    (n,) long. draws (n,): at each rate the rows whose draw is below it lack ``name``, so the holes
    of a small rate are among those of a larger one. Returns one accuracy a rate.
    """
    return [accuracy(answer(features, {name: draws >= rate}), label) for rate in rates]
