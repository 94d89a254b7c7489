"""What trains models to compare them: alone, fused, on frozen encoders, over several seeds.

What acts comes first in every call, then what it acts on, then the number of classes:
``models_alone(encoders, splits, classes)``, ``compare(make_encoders, fusions, splits, classes)``.
A model takes what it reads out of fuller batches, so ``splits`` may hold more than any one needs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.baselines import majority_baseline
from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batch, Batches, named_tensors, on_tensors, to_tensors
from course_utils.data.readers import Reader
from course_utils.display import ProgressBar, progress_bar
from course_utils.encoders import CachedEncoder, encode_all, modality_of
from course_utils.environment import seeds
from course_utils.fusion import ConcatFusion
from course_utils.measures import accuracy
from course_utils.tables import fair_table
from course_utils.training import History, fit, predict

Splits = Mapping[str, Batch]  # "train", "validation", "test" -> tensors
Encoders = Mapping[str, nn.Module]
Fusions = Mapping[str, Callable[[dict[str, int]], nn.Module]]
Options = Mapping[str, Any]  # what ``fit`` takes, and ``batch_size``


# --- one model ----------------------------------------------------------------------------------


class Trained(NamedTuple):
    """A trained classifier, its logits of the test rows (n, C), and how its training went."""

    model: MultimodalClassifier
    logits: Tensor
    history: History


def needed(model: nn.Module, tensors: Batch) -> Batch:
    """What a model reads of these tensors, with the label and which modalities a row has.

    A model without ``reads`` gets all. Raises KeyError for a part that is not there.
    """
    parts = getattr(model, "reads", None)
    return tensors if parts is None else _with_parts(parts, tensors)


def _with_parts(parts: Iterable[str], tensors: Batch) -> Batch:
    parts = tuple(dict.fromkeys(parts))
    if missing := [name for name in parts if name not in tensors]:
        raise KeyError(f"the model reads {missing[0]!r}, but the tensors are {', '.join(tensors)}")
    kept = (*parts, *(name for name in ("label", "present") if name in tensors))
    return {name: tensors[name] for name in kept}


def train_on(
    model: nn.Module, splits: Splits, seed: int = 0, batch_size: int = 64, **options: Any
) -> Trained:
    """Train on the training rows, keep the epoch that is best on the validation rows.

    options go to ``fit``.
    """
    batches = {
        split: Batches(needed(model, tensors), batch_size, shuffle=split == "train", seed=seed)
        for split, tensors in splits.items()
    }
    history = fit(model, batches["train"], batches["validation"], seed=seed, **options)
    return Trained(model, predict(model, batches["test"]), history)


def answers(
    model: MultimodalClassifier, rows: Mapping[str, Any], readers: Mapping[str, Reader]
) -> Tensor:
    """The classes that a model names for rows, (n,) long; the rows need no label.

    readers: {modality: its reader}; only what the model reads is read. A side channel is a column
        of the rows, or something that a reader gives.
    """
    read = (*model.encoders, *getattr(model, "reads", ()))
    own = {name: reader for name, reader in readers.items() if name in read}
    channels = getattr(model, "side_channels", ())
    side = [name for name in channels if name in rows and name not in own]
    tensors = to_tensors(rows, own, label=None, side=side)
    return predict(model, Batches(tensors, 256)).argmax(dim=1)


def scores_of_pairings(
    model: MultimodalClassifier, tensors: Batch, rows: int = 40, first: str | None = None
) -> Tensor:
    """The logits (rows, rows, C) of each of the first rows' one modality with each one's others.

    first: the modality that is exchanged, by default the first that the model reads. Entry [i, j]
    is the card made of row i's ``first`` and of all else of row j.

    Raises ValueError for a model of one modality, or a name that it does not read.
    """
    names = [*model.encoders]
    first = names[0] if first is None else first
    if len(names) < 2 or first not in names:
        raise ValueError(
            f"pairings exchange one modality of several: the model reads {', '.join(names)}, and "
            f"{first!r} was to be exchanged"
        )
    tensors = {name: value for name, value in needed(model, tensors).items() if name != "label"}
    rows = min(rows, len(next(named_tensors(tensors))[1]))
    one, others = torch.arange(rows).repeat_interleave(rows), torch.arange(rows).repeat(rows)
    batch = on_tensors(tensors, lambda tensor: tensor[others])
    for part in model.encoders[first].reads:
        batch[part] = on_tensors(tensors[part], lambda tensor: tensor[one])
    present = tensors.get("present", {})
    if (modality := modality_of(first, model.encoders[first], present)) in present:
        batch["present"][modality] = present[modality][one]
    return predict(model, Batches(batch, 256)).view(rows, rows, -1)


# --- several models -------------------------------------------------------------------------------


def models_alone(
    encoders: Encoders,
    splits: Splits,
    classes: int,
    *,
    seed: int = 0,
    options: Options | None = None,
    options_for: Mapping[str, Options] | None = None,
    bar: ProgressBar | None = None,
) -> dict[str, Trained]:
    """Train each encoder with a linear head of its own; the encoders are changed in place.

    options go to ``fit``; options_for: {name: what differs for that encoder}.
    bar: counts the models, where more than these are trained; by default one of their own.
    Returns {name: the classifier of that modality alone}.
    """
    models = {}
    for name, encoder in _with_a_bar(encoders, bar):
        torch.manual_seed(seed)
        model = MultimodalClassifier({name: encoder}, ConcatFusion({name: encoder.dim}), classes)
        models[name] = train_on(model, splits, seed, **_options(name, options, options_for))
    return models


def _with_a_bar(models: Mapping[str, Any], bar: ProgressBar | None) -> Iterator[tuple[str, Any]]:
    """The models by name; the bar names the one that is trained, and counts it when it is."""
    with _models_bar(len(models)) if bar is None else nullcontext(bar) as bar:
        for name, model in models.items():
            bar.describe(name)
            yield name, model
            bar.update()


def _models_bar(count: int) -> AbstractContextManager[ProgressBar]:
    return progress_bar(count, "models", "model")


def _options(name: str, common: Options | None, own: Mapping[str, Options] | None) -> Options:
    return {**(common or {}), **(own or {}).get(name, {})}


def cache_features(
    encoders: Encoders, splits: Splits, as_tokens: bool = False
) -> dict[str, dict[str, Any]]:
    """Every row's features under the frozen encoders, computed once: split -> {name: (n, dim)}.

    as_tokens: keep Tokens too, as ``{name}_tokens``, of the encoders that have them. Labels, side
    channels and which modalities a row has go along.
    """
    names = (
        [n for n, encoder in encoders.items() if hasattr(encoder, "tokens")] if as_tokens else ()
    )
    return {
        split: encode_all(encoders, Batches(tensors, batch_size=256), names)
        for split, tensors in splits.items()
    }


def in_units(
    cached: Mapping[str, Mapping[str, Any]], unit: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Cached features of every split, each modality that ``unit`` names divided by its unit.

    unit: {modality: one number, in which its features are counted}. All else goes along as it is.
    """
    return {
        split: {**part, **{name: part[name] / one for name, one in unit.items()}}
        for split, part in cached.items()
    }


def on_cached_features(
    fusion: nn.Module, cached: Mapping[str, Mapping[str, Any]], classes: int
) -> MultimodalClassifier:
    """An untrained classifier that reads cached features: fusion + head, no encoder to train."""
    train = cached["train"]
    encoders = {}
    for name in fusion.names:
        tokens = getattr(fusion, "reads_tokens", False) and f"{name}_tokens" in train
        encoders[name] = CachedEncoder(f"{name}_tokens" if tokens else name, train[name].shape[1])
    return MultimodalClassifier(encoders, fusion, classes)


def models_fused(
    fusions: Fusions,
    cached: Mapping[str, Mapping[str, Any]],
    classes: int,
    *,
    encoders: Encoders | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    options: Options | None = None,
    options_for: Mapping[str, Options] | None = None,
    bar: ProgressBar | None = None,
) -> dict[str, Trained]:
    """Train each fusion and its head on cached features.

    fusions: {row name: function of {modality: dim}}; options go to ``fit``, options_for: {row
        name: what differs for it}.
    encoders: what the features come from. They are then put in front of each fusion, shared, so
        that the models read batches of cards; without them the models read cached features.
    names: the modalities, where there are no encoders. bar: as for ``models_alone``.
    """
    names = [*(encoders or names or ())]
    if not names:
        raise ValueError("models_fused needs encoders=..., or the modalities as names=[...]")
    dims = {name: cached["train"][name].shape[1] for name in names}
    models = {}
    for name, make_fusion in _with_a_bar(fusions, bar):
        torch.manual_seed(seed)
        model = on_cached_features(make_fusion(dims), cached, classes)
        trained = train_on(model, cached, seed, **_options(name, options, options_for))
        if encoders:
            model.encoders = nn.ModuleDict({part: encoders[part] for part in model.fusion.names})
        models[name] = trained._replace(model=model.eval())
    return models


# --- the fair table -------------------------------------------------------------------------------


@dataclass(repr=False)
class Comparison:
    """What ``compare`` found: one entry a seed in every list.

    models: {row name: classifiers}; logits: {row name: logits of the test rows (n, C)};
    histories: {row name: how the trainings went}.
    label (n,): the test rows' labels. encoders: the trained encoders, {name: encoder}.
    first_seed: the seed of the first entries.
    ``table`` is the fair table as a DataFrame; a notebook shows it for the whole object.
    """

    label: Tensor
    majority: float
    ceiling: Mapping[str, float] | None
    first_seed: int = 0
    models: dict[str, list[MultimodalClassifier]] = field(default_factory=dict)
    logits: dict[str, list[Tensor]] = field(default_factory=dict)
    histories: dict[str, list[History]] = field(default_factory=dict)
    encoders: list[Encoders] = field(default_factory=list)

    def add(self, trained: Mapping[str, Trained]) -> None:
        """Take in one seed's models and answers, by row name."""
        for name, (model, logits, history) in trained.items():
            self.models.setdefault(name, []).append(model)
            self.logits.setdefault(name, []).append(logits)
            self.histories.setdefault(name, []).append(history)

    @property
    def accuracies(self) -> dict[str, list[float]]:
        """{row name: accuracy on the test rows, one for each seed}."""
        return {
            name: [accuracy(logits, self.label) for logits in each]
            for name, each in self.logits.items()
        }

    @property
    def validation(self) -> dict[str, list[float]]:
        """{row name: accuracy on the validation rows at the epoch that was kept, by seed}.

        For choosing between rows of the table; as a report of how good one is it flatters.
        """
        return {
            name: [max(history.validation_accuracy) for history in each]
            for name, each in self.histories.items()
        }

    @property
    def table(self):
        """Majority, every row's mean and spread, the ceiling: a DataFrame."""
        scores = {"majority": [self.majority], **self.accuracies}
        return fair_table(scores, self.ceiling, self.first_seed)

    def mean(self, name: str) -> float:
        """The mean accuracy of one row over the seeds."""
        return float(np.mean(self.accuracies[name]))

    def right(self, name: str, seed: int = 0) -> Tensor:
        """Which test rows a model got right, (n,) bool; seed: its place in the lists, from 0."""
        return self.logits[name][seed].argmax(dim=1) == self.label

    def __repr__(self) -> str:
        return self.table.round(3).to_string(na_rep="")

    def _repr_html_(self) -> str:
        return self.table.round(3).to_html(na_rep="")


def compare(
    make_encoders: Callable[[], Encoders],
    fusions: Fusions,
    splits: Splits,
    classes: int,
    *,
    seed_count: int = 3,
    first_seed: int = 0,
    ceiling: Mapping[str, float] | None = None,
    options: Options | None = None,
    options_for: Mapping[str, Options] | None = None,
    fusion_options: Options | None = None,
    fusion_options_for: Mapping[str, Options] | None = None,
) -> Comparison:
    """The fair table: majority, each modality alone, each fusion, the ceiling, over several seeds.

    For each seed the encoders are made and trained once, each alone; the fusions are then trained
    on the features that these encoders give, so that they differ in the fusion and nothing else.

    make_encoders: gives fresh {name: encoder}; fusions: {row name: function of {name: dim}}.
    seed_count, first_seed: the seeds are first_seed, first_seed + 1, ...
    ceiling: what a generated world's ``ceiling`` gives.
    options, fusion_options: go to ``fit``; options_for, fusion_options_for: {name of an encoder,
        of a fusion: what differs for it}.
    """
    found, runs = _start(splits, ceiling, first_seed), [*seeds(seed_count)]
    with _models_bar(0) as bar:
        for seed in (first_seed + number for number in runs):
            torch.manual_seed(seed)
            encoders = make_encoders()
            bar.total = len(runs) * (len(encoders) + len(fusions))
            alone = models_alone(encoders, splits, classes, seed=seed, options=options,
                                 options_for=options_for, bar=bar)  # fmt: skip
            found.add({f"{name} alone": trained for name, trained in alone.items()})
            found.add(_fused(encoders, fusions, splits, classes, seed, fusion_options,
                             fusion_options_for, bar))  # fmt: skip
            found.encoders.append(encoders)
    return found


def compare_frozen(
    encoders: Sequence[Encoders],
    fusions: Fusions,
    splits: Splits | Sequence[Splits],
    classes: int,
    *,
    first_seed: int = 0,
    ceiling: Mapping[str, float] | None = None,
    options: Options | None = None,
    options_for: Mapping[str, Options] | None = None,
) -> Comparison:
    """The fair table of fusions on encoders that were trained for another task, one set a seed.

    The encoders stay as they are; only fusions and heads are trained. options go to ``fit``.
    splits: the same for all, or a list with those of each set of encoders, where these know
        different words; the test rows are the same in any case.

    Raises ValueError where there are not as many splits as encoders, or the test labels differ.
    """
    each = [splits] * len(encoders) if isinstance(splits, Mapping) else list(splits)
    if len(each) != len(encoders):
        raise ValueError(f"{len(encoders)} sets of encoders need as many splits, not {len(each)}")
    labels = [one["test"]["label"] for one in each]
    if not all(torch.equal(label, labels[0]) for label in labels):
        raise ValueError("one table needs one set of test rows; these splits have different ones")
    found = _start(each[0], ceiling, first_seed)
    with _models_bar(len(each) * len(fusions)) as bar:
        for seed, (trained, own) in enumerate(zip(encoders, each, strict=True), start=first_seed):
            found.add(_fused(trained, fusions, own, classes, seed, options, options_for, bar))
    found.encoders = list(encoders)
    return found


def _start(splits: Splits, ceiling: Mapping[str, float] | None, first_seed: int) -> Comparison:
    train, test = splits["train"]["label"], splits["test"]["label"]
    return Comparison(test, majority_baseline(train, test), ceiling, first_seed)


def _fused(
    encoders, fusions, splits, classes, seed, options, options_for, bar
) -> dict[str, Trained]:
    """Cache what the encoders give, and train the fusions on it, if there are any."""
    if not fusions:
        return {}
    dims = {name: encoder.dim for name, encoder in encoders.items()}
    made = [make(dims) for make in fusions.values()]
    tokens = any(getattr(fusion, "reads_tokens", False) for fusion in made)
    # What nobody reads would be kept with the features, pictures as float among it.
    parts = [part for one in (*encoders.values(), *made) for part in getattr(one, "reads", ())]
    read = {split: _with_parts(parts, tensors) for split, tensors in splits.items()}
    cached = cache_features(encoders, read, as_tokens=tokens)
    return models_fused(fusions, cached, classes, encoders=encoders, seed=seed, options=options,
                        options_for=options_for, bar=bar)  # fmt: skip
