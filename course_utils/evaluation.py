"""How good is it, against what? Measures, the fair table, intervals.

An accuracy says little alone. The fair table puts it between what needs no model (the commonest
class), each modality alone, and the best that any model could reach.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches, to_tensors
from course_utils.encoders import CachedEncoder, encode_all
from course_utils.environment import course_root, is_smoke, seeds
from course_utils.fusion import ConcatFusion
from course_utils.training import fit, predict

Splits = Mapping[str, dict[str, Tensor]]  # "train", "validation", "test" -> tensors
PARTS = {"image": ("image",), "text": ("text", "text_length")}


def accuracy(logits: Tensor, label: Tensor) -> float:
    """Share of rows that are right: logits (n, C), label (n,) long.

    The largest of several logits names the class. One column (n, 1) is a yes-or-no model's: it
    names class 1 where its logit is positive, else class 0.

    Raises ValueError for other shapes.
    """
    if logits.ndim != 2 or label.shape != logits.shape[:1]:
        raise ValueError(
            f"accuracy needs logits (n, C) and label (n,); "
            f"it got {tuple(logits.shape)} and {tuple(label.shape)}"
        )
    named = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(dim=1)
    return (named == label).double().mean().item()


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

    Raises ValueError for other shapes.
    """
    if label.ndim != 1 or predicted.shape != label.shape:
        raise ValueError(
            f"macro_f1 needs label (n,) and predicted (n,), class numbers both; "
            f"it got {tuple(label.shape)} and {tuple(predicted.shape)}"
        )
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


def interaction_strength(scores: Tensor) -> float:
    """The share of a score's variance that no sum g(a) + h(b) explains, from 0 to 1.

    scores (n, m): one score f(a, b) for each of n inputs a with each of m inputs b. The mixed
    difference f(a,b) - f(a',b) - f(a,b') + f(a',b'), averaged over all a' and b', is squared and
    averaged over all a and b, and divided by the variance of the scores. It is 0 exactly where
    f(a, b) = g(a) + h(b) on these inputs (a constant too), and does not change when the scores
    are multiplied by a number or shifted. In a two-way analysis of variance it is the
    interaction's share of the sum of squares.

    Raises ValueError for another shape.
    """
    if scores.ndim != 2:
        raise ValueError(f"interaction_strength needs scores (n, m), not {tuple(scores.shape)}")
    scores = scores.double()
    variance = scores.var(correction=0)
    if variance <= 1e-12 * scores.square().mean():  # they do not move, but for rounding
        return 0.0
    mixed = scores - scores.mean(dim=0) - scores.mean(dim=1, keepdim=True) + scores.mean()
    return (mixed.square().mean() / variance).item()


def scores_of_pairings(model: nn.Module, tensors: dict[str, Tensor], rows: int = 40) -> Tensor:
    """The logits (rows, rows, C) of each of the first rows' one modality with each one's other.

    model: a classifier of two modalities; tensors: what it reads, as a batch has them. Entry
    [i, j] is the card made of row i's first modality and row j's second.
    """
    both = [PARTS.get(name, (name,)) for name in model.fusion.names]
    rows = min(rows, len(tensors[both[0][0]]))
    order = torch.arange(rows)
    chosen = order.repeat_interleave(rows), order.repeat(rows)
    batch = {
        part: tensors[part][index]
        for parts, index in zip(both, chosen, strict=True)
        for part in parts
        if part in tensors  # cached features of a text come without its length
    }
    return predict(model, Batches(batch, 256)).view(rows, rows, -1)


def best_additive_rule(fits: Tensor, misfits: Tensor) -> tuple[Tensor, Tensor]:
    """The rule "yes where u_i + v_j > 0" that is right most often on a table of two answers.

    fits, misfits (I, J): how many rows (or which share) of each label stand in each cell, where i
    is what one modality says and j the other. Returns u (I,) and v (J,), of possibly many that are
    equally good. It tries all J! orders of the columns: sorted by v, each row of the table says yes
    on a first stretch of the columns, and which stretch is best each row can choose alone. So J is
    small, 7 at most.

    Raises ValueError for other shapes, and for more columns.
    """
    if fits.ndim != 2 or fits.shape != misfits.shape or fits.shape[1] > 7:
        raise ValueError(
            f"best_additive_rule needs two tables of the same shape (I, J), J at most 7; "
            f"it got {tuple(fits.shape)} and {tuple(misfits.shape)}"
        )
    gain = (fits - misfits).double()
    best = -torch.inf
    for order in map(list, permutations(range(gain.shape[1]))):
        # What each row gains by a yes on the first 0, 1, ..., J columns of this order.
        stretches = nn.functional.pad(gain[:, order].cumsum(dim=1), (1, 0))
        most, lengths = stretches.max(dim=1)
        if most.sum() > best + 1e-12:
            best, u, ordered = most.sum().item(), lengths.double(), order
    v = torch.empty_like(gain[0])
    v[ordered] = -torch.arange(0.5, len(ordered), dtype=v.dtype)
    return u, v


def rule_accuracy(u: Tensor, v: Tensor, fits: Tensor, misfits: Tensor) -> float:
    """The share of a table that "yes where u_i + v_j > 0" gets right: u (I,), v (J,), (I, J) both.

    With shares that sum to 1/2 each, this is the balanced accuracy, the mean over both labels.
    """
    yes = u[:, None] + v[None, :] > 0
    return (torch.where(yes, fits, misfits).sum() / (fits.sum() + misfits.sum())).item()


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
    from threadpoolctl import threadpool_limits

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
        with threadpool_limits(1):  # on small matrices threads wait longer than they work
            model = LogisticRegression(C=10, max_iter=2000).fit(features, rows["train"][label])
        answers[name] = float(model.score(test[name], rows["test"][label]))
    return answers


# --- training what a table compares -------------------------------------------------------------


def only(tensors: dict[str, Tensor], kept: Sequence[str], order: Sequence[str]) -> dict:
    """The parts that some modalities need, their columns of ``present``, and the label.

    order: all modalities, in the order of the columns.
    """
    names = (part for name in (*kept, "label") for part in PARTS.get(name, (name,)))
    parts = {name: tensors[name] for name in names if name in tensors}
    if "present" in tensors:
        parts["present"] = tensors["present"][:, [order.index(name) for name in kept]]
    return parts


def only_of(splits: Splits, kept: Sequence[str], order: Sequence[str]) -> dict:
    """``only`` for every split."""
    return {split: only(tensors, kept, order) for split, tensors in splits.items()}


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


class Trained(NamedTuple):
    """A trained classifier and its logits of the test rows, (n, C)."""

    model: MultimodalClassifier
    logits: Tensor


def models_alone(
    encoders: dict[str, nn.Module], splits: Splits, classes: int, seed: int = 0, **options
) -> dict[str, Trained]:
    """Train each encoder with a linear head of its own; the encoders are changed in place.

    The columns of ``present`` stand in the order of the encoders. Returns {name: the classifier
    of that modality alone, with its logits}.
    """
    models = {}
    for name, encoder in encoders.items():
        torch.manual_seed(seed)
        model = MultimodalClassifier({name: encoder}, ConcatFusion({name: encoder.dim}), classes)
        parts = only_of(splits, [name], [*encoders])
        models[name] = Trained(model, fit_and_score(model, parts, seed, **options))
    return models


def train_alone(
    encoders: dict[str, nn.Module], splits: Splits, classes: int, seed: int = 0, **options
) -> dict[str, Tensor]:
    """As ``models_alone``, but returns {name: logits of the test rows (n, C)}."""
    models = models_alone(encoders, splits, classes, seed, **options)
    return {name: trained.logits for name, trained in models.items()}


def answers(
    model: MultimodalClassifier, rows: Mapping, vocabulary, label: str = "section"
) -> Tensor:
    """The classes that a model names for rows of cards, (n,) long.

    rows: as ``to_tensors`` takes them; only the modalities that the model reads are handed on.
    """
    tensors = to_tensors(rows, vocabulary, label=label, modalities=model.fusion.names)
    return predict(model, Batches(tensors, 256)).argmax(dim=1)


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


@dataclass(repr=False)
class Comparison:
    """What ``compare`` found: one entry a seed in every list.

    models: {row name: classifiers}; logits: {row name: logits of the test rows (n, C)}.
    label (n,): the test rows' labels. encoders: the trained encoders, {name: encoder}.
    ``table`` is the fair table as a DataFrame; a notebook shows it for the whole object.
    """

    label: Tensor
    majority: float
    ceiling: Mapping[str, float] | None
    models: dict[str, list[MultimodalClassifier]] = field(default_factory=dict)
    logits: dict[str, list[Tensor]] = field(default_factory=dict)
    encoders: list[dict[str, nn.Module]] = field(default_factory=list)

    def add(self, trained: Mapping[str, Trained]) -> None:
        """Take in one seed's models and answers, by row name."""
        for name, (model, logits) in trained.items():
            self.models.setdefault(name, []).append(model)
            self.logits.setdefault(name, []).append(logits)

    @property
    def accuracies(self) -> dict[str, list[float]]:
        """{row name: accuracy on the test rows, one for each seed}."""
        return {
            name: [accuracy(logits, self.label) for logits in each]
            for name, each in self.logits.items()
        }

    @property
    def table(self):
        """Majority, every row's mean and spread, the ceiling: a DataFrame."""
        return fair_table({"majority": [self.majority], **self.accuracies}, self.ceiling)

    def mean(self, name: str) -> float:
        """The mean accuracy of one row over the seeds."""
        return float(np.mean(self.accuracies[name]))

    def right(self, name: str, seed: int = 0) -> Tensor:
        """Which test rows a model got right, (n,) bool."""
        return self.logits[name][seed].argmax(dim=1) == self.label

    def __repr__(self) -> str:
        return self.table.round(3).to_string(na_rep="")

    def _repr_html_(self) -> str:
        return self.table.round(3).to_html(na_rep="")


def compare(
    splits: Splits,
    make_encoders: Callable[[], dict[str, nn.Module]],
    fusions: Mapping[str, Callable[[dict[str, int]], nn.Module]],
    classes: int,
    *,
    seed_count: int = 3,
    ceiling: Mapping[str, float] | None = None,
    options: Mapping | None = None,
    fusion_options: Mapping | None = None,
) -> Comparison:
    """The fair table: majority, each modality alone, each fusion, the ceiling, over several seeds.

    For each seed the encoders are made and trained once, each alone; the fusions are then trained
    on the features that these encoders give, so that they differ in the fusion and nothing else.

    make_encoders: gives fresh {name: encoder}; fusions: {row name: function of {name: dim}}.
    ceiling: what ``news_cards.ceiling`` gives, for a generated world.
    options, fusion_options: go to ``fit``.
    """
    found = _start(splits, ceiling)
    for seed in seeds(seed_count):
        torch.manual_seed(seed)
        encoders = make_encoders()
        alone = models_alone(encoders, splits, classes, seed, **(options or {}))
        found.add({f"{name} alone": trained for name, trained in alone.items()})
        cached = cache_features(encoders, splits)
        found.add(models_fused(encoders, cached, fusions, classes, seed, fusion_options))
        found.encoders.append(encoders)
    return found


def compare_frozen(
    encoders: Sequence[dict[str, nn.Module]],
    splits: Splits,
    fusions: Mapping[str, Callable[[dict[str, int]], nn.Module]],
    classes: int,
    *,
    ceiling: Mapping[str, float] | None = None,
    options: Mapping | None = None,
) -> Comparison:
    """The fair table of fusions on encoders that were trained for another task, one set a seed.

    The encoders stay as they are; only fusions and heads are trained. options go to ``fit``.
    """
    found = _start(splits, ceiling)
    for seed, trained in enumerate(encoders):
        cached = cache_features(trained, splits)
        found.add(models_fused(trained, cached, fusions, classes, seed, options))
    found.encoders = list(encoders)
    return found


def _start(splits: Splits, ceiling: Mapping[str, float] | None) -> Comparison:
    train, test = splits["train"]["label"], splits["test"]["label"]
    return Comparison(test, majority_baseline(train, test), ceiling)


def models_fused(
    encoders: dict[str, nn.Module],
    cached: Mapping[str, dict[str, Tensor]],
    fusions: Mapping[str, Callable[[dict[str, int]], nn.Module]],
    classes: int,
    seed: int = 0,
    options: Mapping | None = None,
) -> dict[str, Trained]:
    """Train each fusion and its head on cached features, then put the encoders in front.

    Returns {row name: the classifier, which reads batches of cards, with its logits}; the
    encoders are shared.
    """
    dims = {name: cached["train"][name].shape[1] for name in encoders}
    models = {}
    for name, make_fusion in fusions.items():
        torch.manual_seed(seed)
        model = on_cached_features(make_fusion(dims), cached, classes)
        parts = only_of(cached, model.fusion.names, [*encoders])
        logits = fit_and_score(model, parts, seed, **(options or {}))
        model.encoders = nn.ModuleDict({part: encoders[part] for part in model.fusion.names})
        models[name] = Trained(model.eval(), logits)
    return models


def fuse(
    cached: Mapping[str, dict[str, Tensor]],
    fusions: Mapping[str, Callable[[dict[str, int]], nn.Module]],
    classes: int,
    seed: int = 0,
    options: Mapping | None = None,
) -> dict[str, Tensor]:
    """Train each fusion and its head on cached features: {row name: test logits (n, C)}."""
    names = [name for name in cached["train"] if name not in ("label", "present")]
    readers = {name: CachedEncoder(name, cached["train"][name].shape[1]) for name in names}
    models = models_fused(readers, cached, fusions, classes, seed, options)
    return {name: trained.logits for name, trained in models.items()}


def fair_table(scores: Mapping[str, Sequence[float]], ceiling: Mapping[str, float] | None = None):
    """Mean and spread of each row's accuracies over seeds, in a DataFrame, the ceiling last.

    scores: {row name: accuracies, one for each seed}. A row with one value has no spread.
    """
    import pandas as pd

    scores = {name: [float(value) for value in values] for name, values in scores.items()}
    rows = {
        name: {
            "mean": np.mean(values),
            "spread": np.std(values, ddof=1) if len(values) > 1 else np.nan,
        }
        | {f"seed {seed}": value for seed, value in enumerate(values) if len(values) > 1}
        for name, values in scores.items()
    }
    if ceiling:
        for reader in ("image", "text", "both"):
            rows[f"ceiling, {reader}"] = {"mean": ceiling[reader]}
    return pd.DataFrame(rows).T


def grow_table(lesson: str, accuracies: Mapping[str, Sequence[float]]):
    """The table that grows through Part I: earlier lessons' rows, then this lesson's, a DataFrame.

    lesson: two digits; accuracies: {model: accuracies on the section task, one for each seed}.
    Earlier rows are those of ``solutions/growing_table.csv``, as measured when each lesson was last
    built; the build (``COURSE_BUILD=1``) writes this lesson's rows there.
    """
    import pandas as pd

    path = course_root() / "solutions" / "growing_table.csv"
    known = pd.read_csv(path, dtype={"lesson": str}) if path.exists() else pd.DataFrame()
    own = pd.DataFrame(
        {
            "lesson": lesson,
            "model": name,
            "mean": round(float(np.mean(values)), 3),
            "spread": round(float(np.std(values, ddof=1)), 3) if len(values) > 1 else 0.0,
            "seeds": len(values),
        }
        for name, values in accuracies.items()
    )
    others = known[known.lesson != lesson] if len(known) else known
    if os.environ.get("COURSE_BUILD") == "1" and not is_smoke():
        table = pd.concat([others, own]).sort_values("lesson", kind="stable")
        table.to_csv(path, index=False, lineterminator="\n")
    earlier = others[others.lesson < lesson] if len(others) else others
    return pd.concat([earlier, own]).set_index(["lesson", "model"])
