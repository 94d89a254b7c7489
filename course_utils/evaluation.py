"""How good is it, against what? Measures, the fair table, intervals.

An accuracy says little alone. The fair table puts it between what needs no model (the commonest
class), each modality alone, and the best that any model could reach.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches
from course_utils.encoders import CachedEncoder, encode_all
from course_utils.environment import seeds
from course_utils.fusion import ConcatFusion
from course_utils.training import fit, predict

Splits = Mapping[str, dict[str, Tensor]]  # "train", "validation", "test" -> tensors
PARTS = {"image": ("image",), "text": ("text", "text_length")}


def accuracy(logits: Tensor, label: Tensor) -> float:
    """Share of rows whose largest logit is the label's: logits (n, C), label (n,)."""
    if logits.ndim != 2 or label.shape != logits.shape[:1]:
        raise ValueError(
            f"accuracy needs logits (n, C) and label (n,); "
            f"it got {tuple(logits.shape)} and {tuple(label.shape)}"
        )
    return (logits.argmax(dim=1) == label).double().mean().item()


def majority_baseline(train_label: Tensor, test_label: Tensor) -> float:
    """Accuracy on the test rows of always naming the training rows' commonest class.

    train_label (n,), test_label (m,) long. On a tie the smallest class number is named.
    """
    return (test_label == train_label.bincount().argmax()).double().mean().item()


def macro_f1(label: Tensor, predicted: Tensor, classes: int) -> float:
    """The mean of the classes' F1 scores, each class counting alike.

    label, predicted (n,) long. F1 = 2 TP / (2 TP + FP + FN); a class that occurs in neither
    counts as 0, as in scikit-learn's ``f1_score(average="macro", zero_division=0)`` when its
    ``labels`` name all classes.
    """
    scores = []
    for number in range(classes):
        hits = ((label == number) & (predicted == number)).sum()
        claimed_or_true = (label == number).sum() + (predicted == number).sum()
        scores.append((2 * hits / claimed_or_true.clamp(min=1)).item())
    return float(np.mean(scores))


def paired_gain(right_a: Tensor, right_b: Tensor) -> tuple[float, float, float]:
    """How much more often model a is right than model b, on the same rows: gain, low, high.

    right_a, right_b (n,) bool. The interval is gain ± 1.96 standard errors of the mean of the
    row-by-row differences (95 %, normal approximation), which is narrower than two separate
    intervals suggest wherever the models are right on the same rows.

    Raises ValueError for other shapes, or for less than two rows.
    """
    if right_a.ndim != 1 or right_a.shape != right_b.shape or len(right_a) < 2:
        raise ValueError(
            f"paired_gain needs two (n,) of the same rows, n at least 2; "
            f"it got {tuple(right_a.shape)} and {tuple(right_b.shape)}"
        )
    difference = right_a.double() - right_b.double()
    gain = difference.mean().item()
    margin = 1.96 * difference.std().item() / len(difference) ** 0.5
    return gain, gain - margin, gain + margin


def linear_baselines(
    rows: Mapping[str, Mapping], label: str = "section", text: str = "headline", seed: int = 0
) -> dict[str, float]:
    """Test accuracy of linear models on pixels, on words, and on both side by side.

    rows: "train" and "test" -> rows with ``image`` (n, H, W, 3), the texts and the labels.
    Pixels pass through the 50 main directions of the training pictures (PCA), texts through
    TF-IDF; both come out with length 1, so that neither drowns the other, and go through
    scikit-learn's logistic regression.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.decomposition import PCA
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, Normalizer

    readers = {
        "image": make_pipeline(
            FunctionTransformer(lambda images: images.reshape(len(images), -1) / 255),
            PCA(50, random_state=seed),
            Normalizer(),
        ),
        "text": TfidfVectorizer(token_pattern=r"\w+"),
    }
    columns = {"image": "image", "text": text}
    train = {n: csr_matrix(r.fit_transform(rows["train"][columns[n]])) for n, r in readers.items()}
    test = {n: csr_matrix(r.transform(rows["test"][columns[n]])) for n, r in readers.items()}
    train["both"], test["both"] = hstack(list(train.values())), hstack(list(test.values()))
    answers = {}
    for name, features in train.items():
        model = LogisticRegression(C=10, max_iter=2000).fit(features, rows["train"][label])
        answers[name] = float(model.score(test[name], rows["test"][label]))
    return answers


# --- training what a table compares -------------------------------------------------------------


def only(tensors: dict[str, Tensor], name: str, column: int) -> dict[str, Tensor]:
    """The parts of one modality, its presence (one column) and the label."""
    parts = {part: tensors[part] for part in (*PARTS.get(name, (name,)), "label")}
    if "present" in tensors:
        parts["present"] = tensors["present"][:, [column]]
    return parts


def fit_and_score(
    model: nn.Module, splits: Splits, seed: int = 0, batch_size: int = 64, **options
) -> Tensor:
    """Train on the training rows, keep the epoch that is best on the validation rows.

    options go to ``fit``. Returns the logits of the test rows, (n, C).
    """
    batches = {
        split: Batches(tensors, batch_size, shuffle=split == "train", seed=seed)
        for split, tensors in splits.items()
    }
    fit(model, batches["train"], batches["validation"], seed=seed, **options)
    return predict(model, batches["test"])


def train_alone(
    encoders: dict[str, nn.Module], splits: Splits, classes: int, seed: int = 0, **options
) -> dict[str, Tensor]:
    """Train each encoder with a linear head of its own; the encoders are changed in place.

    Returns {name: logits of the test rows (n, C)}.
    """
    logits = {}
    for column, (name, encoder) in enumerate(encoders.items()):
        torch.manual_seed(seed)
        model = MultimodalClassifier({name: encoder}, ConcatFusion({name: encoder.dim}), classes)
        parts = {split: only(tensors, name, column) for split, tensors in splits.items()}
        logits[name] = fit_and_score(model, parts, seed, **options)
    return logits


def cache_features(encoders: dict[str, nn.Module], splits: Splits) -> dict[str, dict[str, Tensor]]:
    """Every row's features under the frozen encoders, computed once: split -> {name: (n, dim)}."""
    return {
        split: encode_all(encoders, Batches(tensors, batch_size=256))
        for split, tensors in splits.items()
    }


def on_cached_features(
    fusion: nn.Module, cached: Mapping[str, dict[str, Tensor]], classes: int
) -> MultimodalClassifier:
    """An untrained classifier that reads cached features: fusion + head, no encoder to train."""
    encoders = {name: CachedEncoder(name, cached["train"][name].shape[1]) for name in fusion.names}
    return MultimodalClassifier(encoders, fusion, classes)


# --- the fair table -------------------------------------------------------------------------------


def compare(
    splits: Splits,
    make_encoders: Callable[[], dict[str, nn.Module]],
    fusions: Mapping[str, Callable[[dict[str, int]], nn.Module]],
    classes: int,
    *,
    seed_count: int = 3,
    ceiling: Mapping[str, float] | None = None,
    fusion_splits: Splits | None = None,
    options: Mapping | None = None,
    fusion_options: Mapping | None = None,
):
    """The fair table: majority, each modality alone, each fusion, and the ceiling, as a DataFrame.

    For each seed the encoders are made and trained once, each alone; the fusions are then trained
    on the features that these encoders give, so that they differ in the fusion and nothing else.

    make_encoders: gives fresh {name: encoder}; fusions: {row name: function of {name: dim}}.
    ceiling: what ``news_cards.ceiling`` gives, for a generated world.
    fusion_splits: rows for the fusions where their task is another one than the encoders'.
    options, fusion_options: go to ``fit``.
    Rows: accuracy on the test rows, ``mean`` and ``spread`` (standard deviation) over seeds, and
    each seed's own.
    """
    target = fusion_splits or splits
    classes_out = int(target["train"]["label"].max()) + 1 if fusion_splits else classes
    scores: dict[str, list[float]] = {}
    for seed in seeds(seed_count):
        torch.manual_seed(seed)
        encoders = make_encoders()
        for name, logits in train_alone(encoders, splits, classes, seed, **(options or {})).items():
            if fusion_splits is None:
                scores.setdefault(f"{name} alone", []).append(
                    accuracy(logits, splits["test"]["label"])
                )
        cached = cache_features(encoders, target)
        for name, logits in fuse(cached, fusions, classes_out, seed, fusion_options).items():
            scores.setdefault(name, []).append(accuracy(logits, target["test"]["label"]))
    majority = majority_baseline(target["train"]["label"], target["test"]["label"])
    return fair_table({"majority": [majority], **scores}, ceiling)


def fuse(
    cached: Mapping[str, dict[str, Tensor]],
    fusions: Mapping[str, Callable[[dict[str, int]], nn.Module]],
    classes: int,
    seed: int = 0,
    options: Mapping | None = None,
) -> dict[str, Tensor]:
    """Train each fusion and its head on cached features: {row name: test logits (n, C)}."""
    names = [name for name in cached["train"] if name not in ("label", "present")]
    dims = {name: cached["train"][name].shape[1] for name in names}
    logits = {}
    for name, make_fusion in fusions.items():
        torch.manual_seed(seed)
        model = on_cached_features(make_fusion(dims), cached, classes)
        logits[name] = fit_and_score(model, cached, seed, **(options or {}))
    return logits


def fair_table(scores: Mapping[str, Sequence[float]], ceiling: Mapping[str, float] | None = None):
    """Mean and spread of each row's accuracies over seeds, in a DataFrame, the ceiling last.

    scores: {row name: accuracies, one for each seed}. A row with one value has no spread.
    """
    import pandas as pd

    rows = {
        name: {"mean": np.mean(values), "spread": np.std(values, ddof=1) if len(values) > 1 else 0}
        | {f"seed {seed}": value for seed, value in enumerate(values) if len(values) > 1}
        for name, values in scores.items()
    }
    if ceiling:
        for reader in ("image", "text", "both"):
            rows[f"ceiling, {reader}"] = {"mean": ceiling[reader], "spread": 0}
    return pd.DataFrame(rows).T


def frozen_copy(encoders: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Copies of the encoders that no optimiser will change."""
    copies = deepcopy(encoders)
    for encoder in copies.values():
        encoder.requires_grad_(False)
    return copies
