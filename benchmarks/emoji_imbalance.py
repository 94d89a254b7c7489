"""Lesson 12 on real data: a rare group of the emoji set, and a name reader that joins ready.

    python benchmarks/emoji_imbalance.py

Ten divisions of the rows as in ten_splits.py for the classes, with linear models whose strength the
validation rows choose by accuracy; three divisions for the modalities, with networks. Pictures that
are near copies may stand in two parts of a division, so the accuracies flatter. The lines go into
data/results/emoji_imbalance.csv. The pictures are fetched once (about 8 MB) or read from the folder
named by COURSE_DATA_DIR.
"""

from collections.abc import Iterator
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from ten_splits import divided, emoji
from threadpoolctl import threadpool_limits
from torch import Tensor

from course_utils.baselines import features_of, majority_baseline, tuned_linear
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader, TextReader, fit_readers
from course_utils.data.results import Run, path_of, write_results
from course_utils.data.rows import Rows
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.imbalance import (
    AdditiveClassifier,
    best_threshold,
    class_counts,
    copy_in,
    linear_probe,
    shift_by_prior,
)
from course_utils.measures import accuracy, class_scores, macro_f1
from course_utils.training import fit, predict

NAME, RARE = "emoji_imbalance", "Activities"
STRENGTHS = (1.0, 10.0, 100.0)
DIVISIONS, FEW = range(10), range(3)
EPOCHS, RATE = 12, 0.1


def classes(rows: Rows, seed: int) -> Iterator[Run]:
    """Linear models on the names, and on names and pictures, plain and weighted; their scores."""
    parts = divided(rows, seed)
    readers = fit_readers({"image": ImageReader(), "text": TextReader()}, parts["train"])
    settings = {name: one.settings for name, one in tuned_linear(parts, readers).items()}
    label = {split: torch.as_tensor(part["label"]) for split, part in parts.items()}
    features = {n: chosen(readers[n], parts, n, settings[n]) for n in readers}
    features["both"] = {split: beside(features["image"][split], features["text"][split])
                        for split in parts}  # fmt: skip
    place, many = rows.classes.index(RARE), len(rows.classes)

    def lines(model: str, setting: str, said: Tensor) -> Iterator[Run]:
        rare = class_scores(said, label["test"], many)[place]
        found = {
            "accuracy": (said == label["test"]).double().mean().item(),
            "macro F1": macro_f1(said, label["test"], many),
            "rare recall": rare.recall,
            "rare precision": rare.precision,
            "rare F1": rare.f1,
        }
        for measure, value in found.items():
            yield Run("classes", "emoji", RARE, model, setting, seed, len(said), measure, value)

    seen = label["train"]
    for measure, value in (("rare", (seen == place).sum()), ("all", len(seen))):
        yield Run("classes", "emoji", RARE, "training rows", "", seed, len(seen), measure,
                  float(value))  # fmt: skip
    common = seen.bincount().argmax()
    yield from lines("majority", "", torch.full_like(label["test"], common))
    prior = class_counts(label["train"], many) / len(label["train"])
    for name, block in features.items():
        for setting, weight in (("plain", None), ("weights", "balanced")):
            said = scores(block, label, weight)
            yield from lines(name, setting, said["test"].argmax(dim=1))
            if weight is None:
                yield from lines(name, "shift", shift_by_prior(said["test"], prior).argmax(dim=1))
                bar = best_threshold(said["validation"].softmax(1)[:, place],
                                     label["validation"] == place)  # fmt: skip
                others = said["test"].clone()
                others[:, place] = -torch.inf
                called = said["test"].softmax(1)[:, place] >= bar
                yield from lines(name, "threshold", torch.where(called, place, others.argmax(1)))


def chosen(reader: Any, parts: Any, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The features that ``tuned_linear`` chose for a modality."""
    return next(block for own, block in features_of(reader, parts, name)
                if all(settings[key] == value for key, value in own.items()))  # fmt: skip


def beside(first: Any, second: Any) -> Any:
    from scipy.sparse import csr_matrix, hstack

    return hstack([csr_matrix(first), csr_matrix(second)]).tocsr()


def scores(block: Any, label: dict[str, Tensor], weight: str | None) -> dict[str, Tensor]:
    """Logits of the validation and test rows, of the strength with the best accuracy."""
    best = None
    for strength in STRENGTHS:
        with threadpool_limits(1):
            model = LogisticRegression(C=strength, max_iter=1000, class_weight=weight)
            model.fit(block["train"], label["train"].numpy())
        right = model.score(block["validation"], label["validation"].numpy())
        if best is None or right > best[0]:
            best = right, model
    return {s: torch.as_tensor(best[1].decision_function(block[s])) for s in ("validation", "test")}


def senses(rows: Rows, seed: int) -> Iterator[Run]:
    """The picture reader alone, beside an untrained name reader, and beside one that is ready."""
    parts = divided(rows, seed)
    readers = fit_readers({"image": ImageReader(), "text": TextReader()}, parts["train"])
    tensors = {split: to_tensors(part, readers) for split, part in parts.items()}
    label = tensors["test"]["label"]
    words, many = len(readers["text"].vocabulary), len(rows.classes)

    def untrained(*names: str) -> AdditiveClassifier:
        torch.manual_seed(seed)
        encoders = {"image": CNNEncoder(64), "text": BagEncoder(words, 64)}
        return AdditiveClassifier({n: encoders[n] for n in names or encoders}, many)

    def taught(model: AdditiveClassifier, optimizer: Any, epochs: int = EPOCHS) -> Any:
        batches = Batches(tensors["train"], 32, shuffle=True, seed=seed)
        fit(model, batches, epochs=epochs, optimizer=optimizer, loss=model.loss, seed=seed)
        return model

    def line(model: str, measure: str, value: float) -> Run:
        return Run("senses", "emoji", "names", model, "SGD", seed, len(label), measure, value)

    def told(name: str, model: AdditiveClassifier) -> Iterator[Run]:
        logits = predict(model, Batches(tensors["test"], 256))
        yield line(name, "accuracy", accuracy(logits, label))
        if "image" in model.encoders:
            probe = linear_probe(model.encoders["image"], tensors["train"], tensors["test"])
            yield line(name, "image probe", probe)

    yield line("majority", "accuracy", majority_baseline(tensors["train"]["label"], label))
    yield from told("untrained", untrained().eval())
    ready = untrained("text")
    taught(ready, torch.optim.AdamW(ready.parameters(), lr=1e-2, weight_decay=0), 20)
    yield from told("text alone", ready)
    seen = accuracy(predict(ready, Batches(tensors["train"], 256)), tensors["train"]["label"])
    yield line("text alone", "training accuracy", seen)
    for name in ("image alone", "from scratch", "text ready", "image loss"):
        model = untrained(*(("image",) if name == "image alone" else ()))
        if name in ("text ready", "image loss"):
            copy_in(model, ready)
        model.own_loss = {"image": 1.0} if name == "image loss" else {}
        taught(model, torch.optim.SGD(model.parameters(), lr=RATE))
        yield from told(name, model)


def everything() -> Iterator[Run]:
    rows = emoji("name")
    for seed in DIVISIONS:
        print(f"classes, division {seed}", flush=True)
        yield from classes(rows, seed)
    for seed in FEW:
        print(f"senses, division {seed}", flush=True)
        yield from senses(rows, seed)


def main() -> None:
    """Measure everything and write the file."""
    write_results(NAME, everything(), path_of(NAME), "python benchmarks/emoji_imbalance.py")


if __name__ == "__main__":
    main()
