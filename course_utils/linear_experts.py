"""Fits the linear experts: what a linear model of a modality sees, and its weights.

``text_features``, ``picture_features`` and ``mean_features`` make a linear model, as yet without
weights, with its features of the training rows; ``fitted_at`` finds the weights.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.data.batches import Batch, Batches
from course_utils.experts import LinearPictures, LinearText, MeanVector, WithHead, mean_vectors

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)  # scikit-learn's C of linear models
DIRECTIONS = 100  # of pictures
LARGEST_SIDE = 64  # of a picture whose directions are sought, in pixels; larger ones are shrunk
MOST_PICTURES = 10_000  # from which directions are learnt


class LinearExpert(NamedTuple):
    """A linear model that has still to learn its weights.

    module: gives logits (B, C). values: its settings. features: of the training rows, (n, width),
    an array or a sparse matrix.
    """

    module: nn.Module
    values: dict[str, Any]
    features: Any


# --- features -----------------------------------------------------------------------------------


def text_features(
    name: str, text: Tensor, length: Tensor, is_piece: Tensor, classes: int
) -> LinearExpert:
    """Which tokens occur in each text, the rarer the weightier.

    text (n, L) long, 0 is padding; length (n,) long; is_piece (words,) long: 1 for pieces of words.
    """
    module = LinearText(len(is_piece), classes, name)
    module.kind = is_piece
    module.rarity.fill_(1)
    here = _sparse(module, text, length)
    seen = np.asarray((here > 0).sum(axis=0))[0]
    module.rarity = torch.tensor(1 + np.log((1 + len(text)) / (1 + seen)),
                                 dtype=torch.get_default_dtype())  # fmt: skip
    module.rarity[:2] = 0  # padding, and unknown words
    values = {"kind": "linear text", "reads": [*module.reads]}
    return LinearExpert(module, values, _sparse(module, text, length))


def _sparse(module: LinearText, text: Tensor, length: Tensor) -> Any:
    """What ``LinearText`` sees, as a sparse matrix (n, words)."""
    from scipy.sparse import csr_matrix

    tokens, value = module.values(text, length)
    row, place = value.nonzero(as_tuple=True)
    entries = value[row, place].numpy(), (row.numpy(), tokens[row, place].numpy())
    return csr_matrix(entries, shape=(len(text), len(module.rarity)))


def picture_features(name: str, pictures: Tensor, classes: int, seed: int) -> LinearExpert:
    """The main directions of pictures (n, 3, H, W) uint8, and what each picture is in them.

    seed: of the pictures from which directions are learnt, where there are many, and of the PCA.
    """
    kind, shrink = torch.get_default_dtype(), -(-max(pictures.shape[2:]) // LARGEST_SIDE)
    small = LinearPictures(1, 1, classes, name, shrink)
    flat = torch.cat([small.flat(part["x"]) for part in Batches({"x": pictures}, 256)])
    pca = _directions(flat, seed)
    count, pixels = pca.components_.shape
    values = {"kind": "linear pictures", "reads": [name], "pixels": pixels,
              "directions": count, "shrink": shrink}  # fmt: skip
    module = LinearPictures(pixels, count, classes, name, shrink)
    module.mean = torch.tensor(pca.mean_, dtype=kind)
    module.directions = torch.tensor(pca.components_, dtype=kind)
    parts = [module.features(part["x"]) for part in Batches({"x": pictures}, 256)]
    return LinearExpert(module, values, torch.cat(parts).numpy())


def _directions(flat: Tensor, seed: int) -> Any:
    """The fitted PCA of pictures (n, pixels)."""
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    some = np.random.default_rng(seed).permutation(len(flat))[:MOST_PICTURES]
    count = min(DIRECTIONS, len(some), flat.shape[1])
    with threadpool_limits(1), np.errstate(invalid="ignore"):  # pictures all alike
        return PCA(count, svd_solver="randomized", random_state=seed).fit(flat[some].numpy())


def mean_features(name: str, train: Batch, classes: int) -> LinearExpert:
    """The mean vectors of a modality of which nothing else is known, each number on one scale.

    train: holds ``name`` (n, ..., width), and ``name_length`` (n,) if there are lengths.
    """
    parts = [part for part in (name, f"{name}_length") if part in train]
    given = [train[part] for part in parts]
    vectors = mean_vectors(*given)
    values = {"kind": "linear", "reads": parts, "width": vectors.shape[1]}
    module = WithHead(MeanVector(vectors.shape[1], tuple(parts)), classes)
    module.encoder.mean = vectors.mean(dim=0)
    spread = vectors.std(dim=0, unbiased=False)
    module.encoder.spread = torch.where(spread > 1e-6, spread, 1.0)
    return LinearExpert(module, values, module.encoder(*given).numpy())


# --- weights ------------------------------------------------------------------------------------


def fitted_at(
    strengths: Iterable[float], expert: LinearExpert, label: Tensor, classes: int
) -> Iterator[float]:
    """Fit the expert's module at one strength after the other; give each while it holds.

    Where all rows have one label (n,) there is nothing to fit, and the module stays as it is.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    label = label.numpy()
    for strength in strengths:
        if len(set(label.tolist())) > 1:
            with threadpool_limits(1):
                model = LogisticRegression(C=strength, max_iter=500).fit(expert.features, label)
            _fill(expert.module, model, classes)
        yield strength


def _fill(module: nn.Module, model: Any, classes: int) -> None:
    """Put scikit-learn's weights into the module; a class without training rows is never named."""
    weight = np.zeros((classes, model.coef_.shape[1]))
    bias = np.full(classes, model.intercept_.min() - 10)
    known = model.classes_
    if len(known) == 2:  # one set of weights, for the second against the first
        weight[known] = np.concatenate([-model.coef_ / 2, model.coef_ / 2])
        bias[known] = np.concatenate([-model.intercept_ / 2, model.intercept_ / 2])
    else:
        weight[known], bias[known] = model.coef_, model.intercept_
    target = (module.weight, module.bias) if isinstance(module, LinearText) else (
        module.head.weight, module.head.bias)  # fmt: skip
    with torch.no_grad():
        target[0].copy_(torch.tensor(weight.T if isinstance(module, LinearText) else weight))
        target[1].copy_(torch.tensor(bias))
