"""Language models kept as files, in ``data/models/16``; three ways to go on from one.

``adapt`` takes a pretrained encoder to a task with few labels: a *probe* learns the head alone,
*LoRA* a correction of low rank as well, *fine-tuning* everything.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_utils import frozen
from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches
from course_utils.data.text import Vocabulary
from course_utils.environment import course_root, is_smoke
from course_utils.fusion import ConcatFusion
from course_utils.huggingface import LanguageEncoder, from_configuration
from course_utils.lora import add_lora, learnable
from course_utils.training import fit, predict

FORMAT = 1
RATES = {  # the fewer numbers learn, the more they bear
    "probe": (1e-2, 3e-2), "LoRA": (3e-3, 1e-2), "fine-tuned": (1e-3, 3e-3),
}  # fmt: skip
WAYS = tuple(RATES)
# What LoRA corrects. GPT-2 has one layer for all, which is no nn.Linear.
LORA_NAMES = ("query", "value", "q_proj", "v_proj")


# --- files ----------------------------------------------------------------------------------------


class Kept(NamedTuple):
    """A language model as ``data/models/16`` keeps it, in evaluation mode.

    kind, sizes: what ``from_configuration`` was told. vocabulary: of its words; numbers from its
    length on are the mask, or the words that begin and end a text (``recipe["more"]``, by name).
    recipe: how it was made, and its loss at the end, as plain values.
    """

    model: nn.Module
    kind: str
    sizes: dict[str, Any]
    vocabulary: Vocabulary
    recipe: dict[str, Any]

    def fresh(self) -> nn.Module:
        """The same model once more, for what changes it."""
        again = from_configuration(self.kind, **self.sizes)
        again.load_state_dict(self.model.state_dict())
        return again


def path_of(name: str) -> Path:
    """Where a model of lesson 16 lies."""
    return course_root() / "data" / "models" / "16" / f"{name}.pt"


def save(kept: Kept, path: Path) -> Path:
    """Write a model in half precision, with all that reads it; never half a file."""
    values = {
        "format": FORMAT,
        "kind": kept.kind,
        "sizes": kept.sizes,
        "words": list(kept.vocabulary.words[2:]),
        "recipe": kept.recipe,
        "weights": dict(kept.model.state_dict()),
    }
    frozen.save(values, path)
    return path


def load(name: str, path: Path | None = None) -> Kept:
    """A model of lesson 16 by the name of its file in ``data/models/16``, or from another path.

    Raises ValueError, in a sentence, where there is no such file, or where it is cut off or of
    another version; ImportError where transformers is missing.
    """
    path = path or path_of(name)
    again = (
        "fetch the course's file again, or make it with `make results LESSON=16 PART=models` "
        "(in the folder of the course)"
    )
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.pt"))) or "none"
        raise ValueError(f"lesson 16 has no model {name!r}; it has {known}; {again}")
    try:
        found = torch.load(path, weights_only=True)
        version = found["format"]
    except Exception as problem:  # torch.load raises whatever its parts raise
        raise ValueError(f"{path.name} is no model of lesson 16, or cut off "
                         f"({type(problem).__name__}); {again}") from None  # fmt: skip
    if version != FORMAT:
        raise ValueError(f"{path.name} is of version {version} and this course reads version "
                         f"{FORMAT}; {again}")  # fmt: skip
    model = from_configuration(found["kind"], **found["sizes"])
    model.load_state_dict(found["weights"])
    vocabulary = Vocabulary(found["words"])
    return Kept(model.eval(), found["kind"], found["sizes"], vocabulary, found["recipe"])


# --- a task with few labels -----------------------------------------------------------------------


class Adapted(NamedTuple):
    """A classifier that went on from an encoder, by the setting that the validation rows chose.

    way, setting: what was done, and with which rate and start. validation: accuracy on the rows
    that chose, which flatters; logits (n, C): of the test rows; learns: how many numbers did.
    """

    way: str
    setting: dict[str, Any]
    validation: float
    logits: Tensor
    learns: int
    model: MultimodalClassifier


def check_way(way: str) -> None:
    """Raises ValueError, in a sentence, for an unknown way."""
    if way not in WAYS:
        raise ValueError(f"there is no way {way!r}; there are {', '.join(WAYS)}")


def prepare(encoder: nn.Module, way: str, rank: int = 4) -> nn.Module:
    """Say which numbers of an encoder learn: none, corrections of low rank, or all; returns it.

    Raises ValueError for an unknown way.
    """
    check_way(way)
    if way == "probe":
        return encoder.requires_grad_(False)
    if way == "LoRA":
        return add_lora(encoder, LORA_NAMES, rank)
    return encoder.requires_grad_(True)


def adapt(
    starts: Mapping[str, Callable[[], nn.Module]] | Callable[[], nn.Module],
    splits: Mapping[str, Any],
    classes: int,
    way: str = "fine-tuned",
    *,
    rates: Sequence[float] | None = None,
    epochs: int = 20,
    batch_size: int = 16,
    seed: int = 0,
) -> Adapted:
    """Teach a task to an encoder, once for each start and rate; the best on validation rows.

    starts: what makes the encoder, pretrained or not; several by name are settings among which the
    validation rows choose, too. splits: {"train", "validation", "test": tensors}. way: one of
    ``WAYS``. Of equals the first is taken; the best alone is asked for the test rows.
    ``COURSE_SMOKE=1``: the first setting alone.
    """
    named = {"": starts} if callable(starts) else dict(starts)
    check_way(way)
    settings = [(name, rate) for name in named for rate in rates or RATES[way]]
    best: Adapted | None = None
    for name, rate in settings[:1] if is_smoke() else settings:
        model = _classifier(prepare(named[name](), way), classes, seed)
        train = Batches(splits["train"], batch_size, shuffle=True, seed=seed)
        history = fit(model, train, _at_once(splits["validation"]), epochs=epochs,
                      learning_rate=rate, seed=seed)  # fmt: skip
        score = max(history.validation_accuracy)
        if best is None or score > best.validation:
            setting = {"learning_rate": rate} | ({"start": name} if name else {})
            best = Adapted(way, setting, score, torch.empty(0), learnable(model), model)
    return best._replace(logits=predict(best.model, _at_once(splits["test"])))


def _classifier(encoder: nn.Module, classes: int, seed: int) -> MultimodalClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the head
        return MultimodalClassifier({"text": encoder}, ConcatFusion({"text": encoder.dim}), classes)


def _at_once(tensors: Mapping[str, Any]) -> Batches:
    return Batches(dict(tensors), 512)


def encoder_of(kept: Kept) -> Callable[[], LanguageEncoder]:
    """What makes a fresh encoder of a kept model, each time anew."""
    return lambda: LanguageEncoder(kept.fresh())


# --- which way? -----------------------------------------------------------------------------------


def probe_or_finetune(
    make: Callable[[int], nn.Module],
    train: Callable[[nn.Module, float], Any],
    ask: Callable[[nn.Module, str], float],
    rates: Mapping[str, Sequence[float]],
    seeds: Sequence[int] = (0, 1, 2),
) -> dict[str, Any]:
    """Compare a probe with fine-tuning, each with its own best rate; validation rows choose.

    make: ``make(seed)`` gives a fresh model with ``encoders``. train: ``train(model, rate)`` trains
    what requires a gradient, in place. ask: ``ask(model, split)`` is the accuracy on "validation"
    or "test" rows. rates: {"probe": rates to try, "fine-tuned": rates to try}.

    Returns for each way {"rate": the best by mean validation accuracy over the seeds, "validation":
    that mean, "test": [accuracy of each seed's model with that rate], "learns": how many numbers of
    a model learn}, and under "better" the way that validation rows prefer. Each training starts
    from a fresh model; the models of the chosen rates alone are asked for the test rows.
    """
    found: dict[str, Any] = {}
    for way, tried in rates.items():
        runs = []
        for rate in tried:
            models = [make(seed) for seed in seeds]
            for model in models:
                model.encoders.requires_grad_(way != "probe")
                train(model, rate)
            score = sum(ask(model, "validation") for model in models) / len(models)
            runs.append((score, rate, models))
        score, rate, models = max(runs, key=lambda run: run[0])
        test = [ask(model, "test") for model in models]
        learns = learnable(models[0])
        found[way] = {"rate": rate, "validation": score, "test": test, "learns": learns}
    return found | {"better": max(rates, key=lambda way: found[way]["validation"])}
