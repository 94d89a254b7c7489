"""What needs no network: the commonest class, and linear models tuned on validation rows.

A network that is compared with them had its settings chosen; so have they. Which words count, how
many directions of the pictures, how strongly weights are kept small: what does best on the
validation rows is taken, and the test rows are asked once.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.data.audio import MelReader
from course_utils.data.batches import class_numbers
from course_utils.data.readers import ImageReader, Reader, TextReader, as_texts
from course_utils.data.text import with_phrases
from course_utils.environment import is_smoke
from course_utils.sound import spectrum_statistics

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # scikit-learn's C: the larger, the freer the weights
DIRECTIONS = (20, 50, 100)  # of the pictures
SAMPLE = 2**27  # bytes of float pictures from which the directions are learnt, 4,854 of 48 x 48
PHRASES = (1, 2)  # words alone; words and pairs of neighbours
Candidates = Iterator[tuple[dict[str, Any], dict[str, Any]]]


def majority_baseline(train_label: Tensor, test_label: Tensor) -> float:
    """Accuracy on the test rows of always naming the training rows' commonest class.

    train_label (n,), test_label (m,) long. On a tie the smallest class number is named.
    """
    return (test_label == train_label.bincount().argmax()).double().mean().item()


class TunedLinear(NamedTuple):
    """A linear model whose settings the validation rows chose.

    accuracy: on the test rows; validation: on the rows that chose, which flatters.
    settings: what was chosen; predicted (n,) long: the classes named for the test rows.
    """

    accuracy: float
    validation: float
    settings: dict[str, Any]
    predicted: Tensor


def linear_baselines(
    rows: Mapping[str, Mapping[str, Any]], readers: Mapping[str, Reader], label: str = "label"
) -> dict[str, float]:
    """Test accuracy of ``tuned_linear``: {modality: accuracy}, and of all side by side."""
    return {name: found.accuracy for name, found in tuned_linear(rows, readers, label).items()}


def tuned_linear(
    rows: Mapping[str, Mapping[str, Any]], readers: Mapping[str, Reader], label: str = "label"
) -> dict[str, TunedLinear]:
    """Logistic regressions on each modality, and on all of them side by side.

    rows: "train", "validation" and "test" -> rows; readers: {modality: its reader}.

    Pictures pass through the main directions of the training pictures (PCA), texts through TF-IDF
    of their reader's words or of words and pairs, spectrograms through each band's statistics,
    other modalities as their reader gives them (``features_of``). Rows of features have length 1,
    one by one or on average, so that no modality drowns another.
    For each modality the validation rows choose among features and strengths; for all side by side,
    by each modality's chosen features, among strengths. Of equals the first, the more regular one,
    is taken. Under ``COURSE_SMOKE=1`` one setting is taken untried.

    Returns {modality: TunedLinear}, with "both" (of two) or "all" behind them.
    """
    labels = {split: class_numbers(part[label], label).numpy() for split, part in rows.items()}
    chosen: dict[str, Any] = {}
    found: dict[str, TunedLinear] = {}
    for name, reader in readers.items():
        candidates = features_of(reader, rows, name)
        tried = [
            (best_strength(features, labels, settings), features)
            for settings, features in _first_only(candidates)
        ]
        found[name], chosen[name] = max(tried, key=lambda pair: pair[0].validation)
    if len(chosen) > 1:
        whole = {split: _beside([one[split] for one in chosen.values()]) for split in rows}
        settings = {name: found[name].settings for name in chosen}
        together = "both" if len(chosen) == 2 else "all"
        found[together] = best_strength(whole, labels, settings)
    return found


def _first_only(candidates: Candidates) -> Candidates:
    for candidate in candidates:
        yield candidate
        if is_smoke():
            return


def best_strength(
    features: Mapping[str, Any], labels: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> TunedLinear:
    """Logistic regression on ready features, with the strength that validation rows choose.

    features: {"train", "validation", "test": matrix (n, width)}; labels: {split: (n,)}; settings:
    what is known of the features, kept in the answer. ``COURSE_SMOKE=1``: one strength, untried.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    best = None
    for strength in STRENGTHS[1:2] if is_smoke() else STRENGTHS:
        with threadpool_limits(1):  # on small matrices threads wait longer than they work
            model = LogisticRegression(C=strength, max_iter=2000)
            model.fit(features["train"], labels["train"])
        score = float(model.score(features["validation"], labels["validation"]))
        if best is None or score > best[0]:
            best = score, strength, model
    score, strength, model = best
    predicted = model.predict(features["test"])
    right = float((predicted == labels["test"]).mean())
    settings = {**settings, "C": strength}
    return TunedLinear(right, score, settings, torch.from_numpy(predicted))


def _beside(blocks: list[Any]) -> Any:
    from scipy.sparse import csr_matrix, hstack

    return hstack([csr_matrix(block) for block in blocks]).tocsr()


# --- features for a linear model ----------------------------------------------------------------


@functools.singledispatch
def features_of(reader: Reader, rows: Mapping[str, Any], modality: str) -> Candidates:
    """Candidates of features: (settings, {split: matrix (n, width)}), learnt from training rows.

    For a reader of a new kind: its first tensor, the mean over all that lies between rows and
    last axis, padding left out where there is a length; then each column brought to mean 0 and a
    spread that all columns share. Rows keep their length: a price is more than its sign.
    """
    found = {split: _mean_vectors(*reader(part, modality).values()) for split, part in rows.items()}
    yield {}, _in_even_units(found)


def _in_even_units(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each column at mean 0 and a spread that all share, so that rows have length 1 on average."""
    mean, spread = found["train"].mean(axis=0), found["train"].std(axis=0)
    scale = np.where(spread > 0, spread, 1) * len(mean) ** 0.5
    return {split: (values - mean) / scale for split, values in found.items()}


def _mean_vectors(values: Tensor, length: Tensor | None = None, *_: Tensor) -> np.ndarray:
    """values (n, ..., width), or (n, T) with lengths (n,) -> (n, width), float64."""
    values = values.double()
    if length is None:
        return (values.flatten(1, -2).mean(dim=1) if values.ndim > 2 else values).numpy()
    # One number for each moment, as in a sound, is a vector of one.
    values = values[..., None] if values.ndim == 2 else values
    values = values.flatten(2, -2).mean(dim=2) if values.ndim > 3 else values
    real = torch.arange(values.shape[1]) < length[:, None]
    return ((values * real[..., None]).sum(dim=1) / length[:, None].clamp(min=1)).numpy()


@features_of.register
def _(reader: ImageReader, rows: Mapping[str, Any], modality: str) -> Candidates:
    from sklearn.decomposition import PCA

    pixels = {split: reader(part, modality)[modality] for split, part in rows.items()}
    train = _some(pixels["train"])
    most = min(DIRECTIONS[0] if is_smoke() else max(DIRECTIONS), *train.shape)
    # The sample is ours, so PCA may take its mean away in place.
    pca = PCA(most, svd_solver="randomized", random_state=0, copy=False).fit(train)
    del train
    seen = {
        split: np.concatenate([pca.transform(_flat(part)) for part in values.split(256)])
        for split, values in pixels.items()
    }
    for count in dict.fromkeys(min(count, most) for count in DIRECTIONS):
        # The directions are sorted, so fewer of them are the first ones.
        first = {split: _of_length_one(values[:, :count]) for split, values in seen.items()}
        yield {"directions": count}, first


@features_of.register
def _(reader: TextReader, rows: Mapping[str, Any], modality: str) -> Candidates:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = {
        split: reader.cut.words(as_texts(reader.cells(part, modality)))
        for split, part in rows.items()
    }
    if not any(texts["train"]):
        raise ValueError(f"no training row has a word in its {modality!r}; leave it out of the "
                         "readers")  # fmt: skip
    for phrases in PHRASES:
        weigh = TfidfVectorizer(analyzer=functools.partial(with_phrases, phrases=phrases))
        train = weigh.fit_transform(texts["train"])
        others = {split: weigh.transform(part) for split, part in texts.items() if split != "train"}
        yield {"phrases": phrases}, {"train": train, **others}


@features_of.register
def _(reader: MelReader, rows: Mapping[str, Any], modality: str) -> Candidates:
    found = {}
    for split, part in rows.items():
        (spectrograms,) = reader(part, modality).values()  # (n, 1, bands, frames)
        found[split] = spectrum_statistics(spectrograms[:, 0].double()).numpy()
    yield {}, _in_even_units(found)


def _some(pixels: Tensor) -> np.ndarray:
    """The pictures as float, or as many, drawn at random, as ``SAMPLE`` bytes hold."""
    fit = max(2 * max(DIRECTIONS), SAMPLE // (4 * pixels[:1].numel()))
    if len(pixels) > fit:
        pixels = pixels[
            torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))[:fit]
        ]
    return _flat(pixels)


def _flat(pixels: Tensor) -> np.ndarray:
    """(n, C, H, W) uint8 -> (n, C * H * W) float32 in [0, 1]"""
    return pixels.flatten(1).numpy() / np.float32(255)


def _of_length_one(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1)
