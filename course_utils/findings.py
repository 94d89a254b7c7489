"""What a trained classifier is worth, measured on the test rows: the numbers of its report.

Settings, fusion, and who answers where something is missing were chosen on validation rows. The
test rows are asked here, for numbers and for no choice.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.baselines import TunedLinear, tuned_linear
from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batch, Batches, on_tensors
from course_utils.data.readers import ColumnsReader, Reader, TextReader
from course_utils.data.rows import Rows, take
from course_utils.environment import is_smoke
from course_utils.experiment import needed
from course_utils.measures import paired_gain, permutation_drop, wilson_interval
from course_utils.model_file import Answer, Classifier
from course_utils.search import search
from course_utils.training import predict

FRACTIONS = (0.125, 0.25, 0.5, 1.0)  # of the training rows, in the learning curve
SHUFFLES = 5
SHORT = "search, cut short"


class Line(NamedTuple):
    """One line of the fair table: who answered, and which test rows it got right, (n,) bool.

    kind: "majority", "linear", "network" (of one modality) or "fusion"; validation: its accuracy
    on the rows that chose its settings, NaN where none did.
    """

    kind: str
    name: str
    right: Tensor
    validation: float = float("nan")

    @property
    def accuracy(self) -> float:
        """The share of test rows that are right."""
        return self.right.double().mean().item()

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of ``accuracy`` over test rows (Wilson)."""
        return wilson_interval(int(self.right.sum()), len(self.right))


class Gain(NamedTuple):
    """How much more often one line is right than another on the same rows, with its interval."""

    line: str
    over: str
    gain: float
    low: float
    high: float


class Worth(NamedTuple):
    """How much the chosen model's accuracy falls when one modality is shuffled among test rows."""

    modality: str
    drop: float
    low: float
    high: float


class Missing(NamedTuple):
    """What happens on the test rows where only ``given`` is there.

    told: accuracy of the chosen model that is told of the absence, NaN where it reads none of
    these; answer: who answers in its place, if anybody; accuracy: the answer's.
    """

    given: tuple[str, ...]
    told: float
    answer: str
    accuracy: float


class CurvePoint(NamedTuple):
    """A model taught by some of the training rows: how many, and which test rows are right."""

    name: str
    rows: int
    right: Tensor


@dataclass
class Findings:
    """All that a report says, before it is put into words.

    rows: {split: Rows}; probabilities (n, C) and label (n,) of the test rows.
    lines: the fair table; linear: the tuned linear models; the others as their classes say.
    """

    classifier: Classifier
    rows: Mapping[str, Rows]
    label: Tensor
    probabilities: Tensor
    lines: list[Line]
    linear: dict[str, TunedLinear]
    gains: list[Gain] = field(default_factory=list)
    worth: list[Worth] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)

    @property
    def predicted(self) -> Tensor:
        """The classes that the classifier names for the test rows, (n,) long."""
        return self.probabilities.argmax(dim=1)

    @property
    def chosen(self) -> Line:
        """The line of the model that was chosen."""
        return next(line for line in self.lines if line.name == self.classifier.chosen_name)


def measure(
    classifier: Classifier,
    rows: Mapping[str, Rows],
    tell: Callable[[str], Any] = lambda what: None,
) -> Findings:
    """Ask the test rows once for everything that a report says.

    rows: {"train", "validation", "test"} -> Rows, as the classifier was made with.
    tell: called with what is being done, before it is done.
    """
    tell("linear models")
    linear = tuned_linear(rows, plain_readers(classifier))
    tensors, _ = classifier.tensors(rows["test"])
    label = torch.as_tensor(np.asarray(rows["test"]["label"]), dtype=torch.long)
    lines = [
        _majority(rows, label),
        *(Line("linear", f"linear: {name}", found.predicted == label, found.validation)
          for name, found in linear.items()),
        *_networks(classifier, tensors, label),
    ]  # fmt: skip
    tell("each modality's worth")
    probabilities = classifier.predict_rows(rows["test"])
    found = Findings(classifier, rows, label, probabilities, lines, linear)
    found.gains = gains(lines, found.chosen)
    found.worth = worth(classifier, tensors, label)
    found.missing = missing(classifier, tensors, label)
    found.curve = learning_curve(found, tell)
    return found


def plain_readers(classifier: Classifier) -> dict[str, Reader]:
    """One reader for each modality, as the linear models of the course read it, not yet fitted.

    Texts are cut into words, whatever the networks read.
    """
    return {
        name: TextReader(column=reader.column) if isinstance(reader, TextReader) else
        copy.deepcopy(reader)
        for name in classifier.modalities
        for reader in (classifier.readers[name],)
    }  # fmt: skip


def _majority(rows: Mapping[str, Rows], label: Tensor) -> Line:
    common = np.bincount(np.asarray(rows["train"]["label"])).argmax()
    return Line("majority", "majority", label == int(common))


def _networks(classifier: Classifier, tensors: Batch, label: Tensor) -> Iterable[Line]:
    """The networks of one modality, then the chosen model, if it is not one of them."""
    validation = classifier.details.get("validation", {})
    for name, (_, model) in sorted(classifier.models.items(), key=lambda item: item[0] == "chosen"):
        kind = "network" if len(model.encoders) == 1 else "fusion"
        shown = classifier.chosen_name if name == "chosen" else f"{name} alone"
        if name != "chosen" and shown == classifier.chosen_name:
            continue
        yield Line(kind, shown, _said(model, tensors) == label, validation.get(name, float("nan")))


def _said(model: MultimodalClassifier, tensors: Batch) -> Tensor:
    return predict(model, Batches(needed(model, tensors), 256)).argmax(dim=1)


def gains(lines: list[Line], chosen: Line) -> list[Gain]:
    """The chosen model against the best single network and the best linear model.

    Best on the validation rows: the best on the test rows would be better by luck.
    """
    found = []
    for kind in ("network", "linear"):
        rivals = [line for line in lines if line.kind == kind and line.name != chosen.name]
        if rivals and len(chosen.right) > 1:
            rival = max(rivals, key=lambda line: line.validation)
            found.append(Gain(chosen.name, rival.name, *paired_gain(chosen.right, rival.right)))
    return found


# --- what each modality is worth ------------------------------------------------------------------


def worth(classifier: Classifier, tensors: Batch, label: Tensor) -> list[Worth]:
    """The drop of the chosen model's accuracy for each modality that it reads, largest first."""
    _, model = classifier.models["chosen"]
    right = _said(model, tensors) == label
    if len(label) < 2:
        return []
    found = []
    for name in model.encoders:
        mixed = [_said(model, _shuffled(classifier, tensors, name, seed)) == label
                 for seed in range(1 if is_smoke() else SHUFFLES)]  # fmt: skip
        found.append(Worth(name, *permutation_drop(right, torch.stack(mixed))))
    return sorted(found, key=lambda one: -one.drop)


def _shuffled(classifier: Classifier, tensors: Batch, modality: str, seed: int) -> Batch:
    """The tensors with one modality, and whether it is there, taken from other rows."""
    reads = classifier.models["chosen"][1].encoders[modality].reads
    order = torch.randperm(len(tensors[reads[0]]), generator=torch.Generator().manual_seed(seed))
    moved = {part: on_tensors(tensors[part], lambda tensor: tensor[order]) for part in reads}
    present = dict(tensors["present"])
    for name in classifier.readers_of(modality):
        present[name] = present[name][order]
    return {**tensors, **moved, "present": present}


def some_of(modalities: Iterable[str]) -> list[tuple[str, ...]]:
    """Each choice of some but not all of the modalities, one alone first."""
    names = tuple(modalities)
    return [some for size in range(1, len(names)) for some in combinations(names, size)]


def without(classifier: Classifier, tensors: Batch, given: Iterable[str]) -> Batch:
    """The same rows, told that only these modalities are there."""
    kept = {name for modality in given for name in classifier.readers_of(modality)}
    present = {name: there if name in kept else torch.zeros_like(there)
               for name, there in tensors["present"].items()}  # fmt: skip
    return {**tensors, "present": present}


def missing(classifier: Classifier, tensors: Batch, label: Tensor) -> list[Missing]:
    """What the chosen model, and who answers in its place, get right where something is missing."""
    found = []
    for given in some_of(classifier.modalities):
        less = without(classifier, tensors, given)
        accuracies = accuracies_given(classifier, less, label, given)
        answer = classifier.answer_for(given).model
        told = accuracies.get("chosen", float("nan"))
        found.append(Missing(given, told, answer, accuracies[answer]))
    return found


def accuracies_given(
    classifier: Classifier, tensors: Batch, label: Tensor, given: Iterable[str]
) -> dict[str, float]:
    """{model: accuracy} of those that read one of the given modalities, the chosen one first."""
    return {
        name: (_said(classifier.models[name][1], tensors) == label).double().mean().item()
        for name in classifier.able(given)
    }


def choose_answers(classifier: Classifier, validation: Mapping[str, Any]) -> list[Answer]:
    """Who answers where something is missing: who is right most often on the validation rows.

    Of equals the chosen model, which is told of the absence. validation: Rows with ``label``.
    """
    tensors, _ = classifier.tensors(validation)
    label = torch.as_tensor(np.asarray(validation["label"]), dtype=torch.long)
    found = []
    for given in some_of(classifier.modalities):
        accuracies = accuracies_given(classifier, without(classifier, tensors, given), label, given)
        best = max(accuracies, key=lambda name: accuracies[name])
        found.append(Answer(given, best, accuracies[best], len(label)))
    return found


def validation_accuracies(classifier: Classifier, rows: Mapping[str, Any]) -> dict[str, float]:
    """{model: accuracy on the validation rows}, for the fair table."""
    tensors, _ = classifier.tensors(rows)
    label = torch.as_tensor(np.asarray(rows["label"]), dtype=torch.long)
    return accuracies_given(classifier, tensors, label, classifier.modalities)


# --- what more rows would bring -------------------------------------------------------------------


def learning_curve(found: Findings, tell: Callable[[str], Any]) -> list[CurvePoint]:
    """The best linear model and a short search, taught by an eighth, a quarter, half, all rows.

    The short search trains the linear models and one network of each modality, at each fraction
    anew: the recipe that gave the chosen model, with fewer tries.
    """
    readers = plain_readers(found.classifier)
    linear = max(found.linear, key=lambda name: found.linear[name].validation)
    own = {linear: readers[linear]} if linear in readers else readers
    points = []
    for fraction in FRACTIONS[-2:] if is_smoke() else FRACTIONS:
        rows = {**found.rows, "train": part_of(found.rows["train"], fraction)}
        n = len(rows["train"]["label"])
        tell(f"learning curve, {n:,} rows")
        tuned = found.linear if fraction == 1 else tuned_linear(rows, own)
        points.append(CurvePoint(f"linear: {linear}", n, tuned[linear].predicted == found.label))
        tell(f"learning curve, {n:,} rows, networks")
        points.append(CurvePoint(SHORT, n, _short_search(found, rows)))
    return points


def _short_search(found: Findings, rows: Mapping[str, Rows]) -> Tensor:
    """Which test rows a short search on these rows gets right."""
    kept = found.classifier.readers.items()
    given = {
        name: copy.deepcopy(reader) for name, reader in kept if isinstance(reader, ColumnsReader)
    }
    linear = [line for line in found.classifier.details.get("tried", ())
              if "linear" in str(line.get("settings"))]  # fmt: skip
    # It leaves 3 of 10 to joint networks on frozen encoders, which take a second each.
    budget = round((len(linear) + len(found.classifier.modalities)) / 0.7)
    short = search(rows, budget=max(1, budget), readers=given)
    if short.stopped:
        raise KeyboardInterrupt
    return short.logits.argmax(dim=1) == found.label


def part_of(rows: Rows, fraction: float, seed: int = 0) -> Rows:
    """Some of the rows, the same share of each class, one of each at least; a part holds smaller
    parts of the same seed."""
    label = np.asarray(rows["label"])
    order = np.random.default_rng(seed).permutation(len(label))
    kept = []
    for number in np.unique(label):
        members = order[label[order] == number]
        kept.extend(members[: max(1, round(fraction * len(members)))])
    return take(rows, np.sort(np.array(kept, dtype=np.intp)))
