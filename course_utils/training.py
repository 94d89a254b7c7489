"""The training loop: ``fit`` trains a model on batches, ``predict`` asks it for its answers.

A model here is any module with ``model(batch) -> logits (B, C)``, a batch is a dict of tensors
with ``label (B,)``, and a source of batches is anything with a length that can be iterated over
again and again: ``Batches``, a ``DataLoader``, a list. No line below knows what a picture is.

Read ``fit`` first, then ``_Run.train_epoch``: the loop of every PyTorch tutorial, in eight lines.
What stands around it is bookkeeping, so that a run can be watched, stopped and taken up again.
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.data.batches import on_tensors
from course_utils.display import PALETTE, ProgressBar, progress_bar
from course_utils.environment import best_device, is_smoke

Batch = Mapping[str, Any]
SMOKE_BATCHES = 4  # batches of an epoch under COURSE_SMOKE=1
LOOK_SECONDS = 0.5  # reading a loss makes the processor wait for the GPU: rarely, then


class TrainingStopped(ValueError):
    """The loss, or a weight, is no longer a finite number; the message says where it happened."""


class TrainingInterrupted(KeyboardInterrupt):
    """The stop button, or Ctrl-C, during ``fit``: the cell ends, the model is good to use.

    history: what the complete epochs gave.
    """

    def __init__(self, message: str, history: "History"):
        super().__init__(message)
        self.history = history

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence alone."""
        return [str(self)]


def fit(
    model: nn.Module,
    train: Iterable[Batch],
    validation: Iterable[Batch] | None = None,
    *,
    epochs: int = 8,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Callable[[torch.optim.Optimizer, int], Any] | None = None,
    loss: Callable[[Tensor, Batch], Tensor] | None = None,
    device: str | torch.device | None = None,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    log_dir: str | Path | None = None,
    progress: bool | None = None,
    seed: int = 0,
) -> "History":
    """Train ``model`` in place and return the history of its losses and accuracies.

    With ``validation``, the model ends as it was after the epoch of highest validation accuracy,
    the earlier one of equals. Accuracy, not loss, because it is what the course compares, and
    because the loss also grows when a model becomes too sure of decisions that still improve.
    A score by which an epoch was chosen flatters: report accuracy on other rows. Without
    ``validation`` the model ends as it was after the last epoch.

    train, validation: batches with a length; their ``label`` (B,) holds class numbers (long).
    optimizer: built on this model's parameters, in place of AdamW with ``learning_rate`` and
        ``weight_decay``.
    schedule: ``schedule(optimizer, steps)`` gives what changes the learning rate, a scheduler of
        ``torch.optim.lr_scheduler`` whose ``step()`` is called after each of the steps.
    loss: ``loss(logits, batch)``, a mean over the batch, in place of cross-entropy.
    device: where to train, by default the fastest device; the model then returns to its own.
    patience: stop after so many epochs without a better validation accuracy.
    checkpoint: a file written after each epoch. If it exists, the run goes on from there, up to
        ``epochs`` in all, to the same weights as one uninterrupted run (bit for bit on one
        machine, as far as a GPU's own operations repeat themselves).
    log_dir: a folder for TensorBoard.
    progress: show a bar; by default in notebooks and terminals, for runs over two seconds.
    seed: of torch's random numbers in this run (dropout, a DataLoader's order); those outside
        go on as if nothing had happened. ``Batches`` have a seed of their own.

    The model ends in evaluation mode. Floats in a batch come to it in the precision of its
    weights. ``COURSE_SMOKE=1``: one epoch of four batches.

    Raises ValueError for unfit arguments, batches, logits and checkpoints, TrainingStopped when
    the loss is not finite, and TrainingInterrupted, a KeyboardInterrupt, on Ctrl-C or the stop
    button, so that a cell which trains several models ends. After each of these the model is as
    it was after its best complete epoch.
    """
    _check_arguments(model, train, validation, epochs, patience, optimizer)
    device = torch.device(device or best_device())
    epochs = 1 if is_smoke() else epochs
    with contextlib.ExitStack() as stack:
        stack.enter_context(_on_device(model, device))
        stack.enter_context(_own_random_numbers(seed, device))
        if optimizer is None:
            trainable = [p for p in model.parameters() if p.requires_grad]
            optimizer = torch.optim.AdamW(trainable, lr=learning_rate, weight_decay=weight_decay)
        run = _Run(model, train, validation, optimizer, loss or _cross_entropy, device, seed)
        if schedule is not None:
            run.steps = epochs * run.batches_an_epoch
            run.schedule = schedule(optimizer, run.steps)
        if checkpoint is not None and Path(checkpoint).exists():
            _resume(run, Path(checkpoint))
        bar = stack.enter_context(_bar(progress, epochs, run))
        writer = stack.enter_context(_tensorboard(log_dir, run.history))
        try:
            while not run.history.is_over(epochs, patience):
                run.one_epoch(bar)
                run.history.log(writer)
                if checkpoint is not None:
                    _save(run, Path(checkpoint))
        except KeyboardInterrupt:
            run.history.interrupted = True
            raise TrainingInterrupted(_interrupted(run, checkpoint), run.history) from None
        except TrainingStopped as stopped:
            raise TrainingStopped(f"{stopped}; {run.kept_when()}") from None
        finally:
            model.load_state_dict(run.kept)
            model.eval()
    return run.history


def predict(
    model: nn.Module, batches: Iterable[Batch], device: str | torch.device | None = None
) -> Tensor:
    """Logits (n, C) for all rows, on the CPU, in the order in which the batches come.

    The model works in evaluation mode without gradients, on ``device`` (by default the fastest),
    and is then as it was before. Use batches that do not shuffle, or the rows lose their names.

    Raises ValueError when there is no batch.
    """
    device = torch.device(device or best_device())
    was_training = model.training
    model.eval()
    try:
        with _on_device(model, device), torch.no_grad():
            precision = _precision(model)
            logits = [model(_to_device(b, device, "a batch", precision)) for b in batches]
    finally:
        model.train(was_training)
    if not logits:
        raise ValueError("predict got no batch; are there rows in this part of the data?")
    return torch.cat(logits).cpu()


def should_stop(scores: Sequence[float], patience: int) -> bool:
    """Early stopping: whether ``patience`` epochs went by without a better score.

    scores: one number for each epoch so far, higher is better; of equal ones the first is the
        best. Without any score there is nothing to stop for.
    """
    if not scores:
        return False
    best = scores.index(max(scores))
    return len(scores) - 1 - best >= patience


@dataclass(repr=False)
class History:
    """One number per epoch for each measure; epochs count from 1.

    ``train_loss`` and ``train_accuracy`` are means over an epoch, while the model changes and
    dropout is on: they may well be worse than the validation numbers, taken at its end.
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    interrupted: bool = False

    @property
    def epochs(self) -> int:
        """How many epochs are complete."""
        return len(self.train_loss)

    @property
    def best_epoch(self) -> int | None:
        """The first epoch with the highest validation accuracy; None without validation."""
        scores = self.validation_accuracy
        return scores.index(max(scores)) + 1 if scores else None

    def add(self, train: tuple[float, float], validation: tuple[float, float] | None) -> None:
        """Take in one epoch: (mean loss, accuracy) of each part."""
        self.train_loss.append(train[0])
        self.train_accuracy.append(train[1])
        if validation is not None:
            self.validation_loss.append(validation[0])
            self.validation_accuracy.append(validation[1])

    def is_over(self, epochs: int, patience: int | None = None) -> bool:
        """Whether all epochs are done, or ``patience`` of them went by without a better one."""
        tired = patience is not None and should_stop(self.validation_accuracy, patience)
        return self.epochs >= epochs or tired

    def table(self) -> Any:
        """A pandas table: one row for each epoch, one column for each measure."""
        import pandas as pd

        index = pd.RangeIndex(1, self.epochs + 1, name="epoch")
        return pd.DataFrame(self._measures(), index=index)

    def plot(self) -> Figure:
        """Loss and accuracy by epoch, the best epoch marked; for ``show(figure, alt=...)``."""
        figure = Figure(figsize=(8, 3), layout="constrained")
        styles = {"train": (PALETTE["quiet"], "o-"), "validation": (PALETTE["highlight"], "s-")}
        left, right = figure.subplots(1, 2)
        axes = {"loss": left, "accuracy": right}
        left.set(xlabel="epoch", ylabel="loss (mean over rows)")
        right.set(xlabel="epoch", ylabel="accuracy (share of rows)")
        for name, values in self._measures().items():
            part, measure = name.split("_")
            colour, style = styles[part]
            axes[measure].plot(range(1, self.epochs + 1), values, style, color=colour, label=part)
        for ax in axes.values():
            if self.best_epoch is not None:
                ax.axvline(self.best_epoch, color="black", linestyle=":", label="best epoch")
            ax.xaxis.get_major_locator().set_params(integer=True)
        if self.epochs:
            left.legend()
        return figure

    def log(self, writer: Any) -> None:
        """Hand the newest epoch to a TensorBoard writer as loss/train, accuracy/train, ..."""
        for name, values in self._measures().items() if writer else ():
            part, measure = name.split("_")
            writer.add_scalar(f"{measure}/{part}", values[-1], self.epochs)

    def _measures(self) -> dict[str, list[float]]:
        return {
            name: value for name, value in vars(self).items() if isinstance(value, list) and value
        }

    def __repr__(self) -> str:
        parts = ["1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"]
        if self.best_epoch is not None:
            best = f"best {self.best_epoch}, validation accuracy"
            parts.append(f"{best} {max(self.validation_accuracy):.2f}")
        return f"History({', '.join(parts + ['interrupted'] * self.interrupted)})"


# ---- the loop ------------------------------------------------------------------------------


class _Run:
    """What one call of ``fit`` holds together: the model, its batches, the state worth keeping."""

    def __init__(self, model, train, validation, optimizer, loss, device, seed):
        self.model, self.train, self.validation = model, train, validation
        self.optimizer, self.loss, self.device, self.seed = optimizer, loss, device, seed
        self.schedule, self.steps = None, 0  # what changes the learning rate, over how many steps
        self.precision = _precision(model)
        self.limit = SMOKE_BATCHES if is_smoke() else None
        self.history = History()
        self.kept = copy.deepcopy(model.state_dict())
        self.checked = False  # batches are looked at closely in the first epoch alone

    def one_epoch(self, bar: ProgressBar) -> None:
        """Train, measure, and keep the weights if no epoch was better."""
        history = self.history
        bar.describe(self.where())
        train = self.train_epoch(bar)
        validation = None if self.validation is None else self.evaluate()
        _check_weights(self.model, history.epochs + 1)
        self.checked = True
        # Copied before the history knows of the epoch: a stop in between must not part the two.
        if validation is None or validation[1] > max(history.validation_accuracy, default=-1):
            self.kept = copy.deepcopy(self.model.state_dict())
        history.add(train, validation)

    def train_epoch(self, bar: ProgressBar) -> tuple[float, float]:
        """One pass over the training batches -> mean loss, accuracy."""
        self.model.train()
        tally = _Tally("train", self.history.epochs + 1)
        for batch in self.batches(self.train, tally):
            logits = self.logits(batch, tally)
            loss = self.loss(logits, batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            if self.schedule is not None:
                self.schedule.step()
            tally.add(loss, logits, batch["label"])
            if tally.is_due():
                bar.describe(f"{self.where()}, loss {tally.look():.3f}")
            bar.update()
        return tally.means()

    @torch.no_grad()
    def evaluate(self) -> tuple[float, float]:
        """One pass over the validation batches, with nothing learned -> mean loss, accuracy."""
        self.model.eval()
        tally = _Tally("validation", self.history.epochs + 1)
        for batch in self.batches(self.validation, tally):
            logits = self.logits(batch, tally)
            tally.add(self.loss(logits, batch), logits, batch["label"])
        return tally.means()

    def batches(self, source: Iterable[Batch], tally: "_Tally") -> Iterator[Batch]:
        for batch in islice(source, self.limit):
            batch = _to_device(batch, self.device, tally.place, self.precision)
            if not self.checked:
                _check_label(batch, tally.place)
            yield batch

    def logits(self, batch: Batch, tally: "_Tally") -> Tensor:
        try:
            logits = self.model(batch)
        except ValueError as error:
            if len(batch["label"]) == 1 and "more than 1 value per channel" in str(error):
                raise ValueError(f"{tally.place} {_ONE_ROW}") from None
            raise
        if not self.checked:
            _check_logits(logits, batch["label"], tally.place)
        return logits

    @property
    def batches_an_epoch(self) -> int:
        """How many batches, and so steps, an epoch has."""
        return min(len(self.train), self.limit or len(self.train))

    def where(self) -> str:
        """The epoch that is going on, and what the one before reached; for the bar."""
        scores = self.history.validation_accuracy[-1:]
        words = [f"validation accuracy {score:.2f}" for score in scores]
        return ", ".join([f"epoch {self.history.epochs + 1}", *words])

    def kept_when(self) -> str:
        epoch = self.history.best_epoch or self.history.epochs
        return f"the model is as it was {f'after epoch {epoch}' if epoch else 'before training'}"


class _Tally:
    """Losses and right answers of one pass, left on the device until somebody must know them."""

    def __init__(self, part: str, epoch: int):
        self.part, self.epoch, self.looked = part, epoch, time.monotonic()
        self.losses, self.right, self.rows, self.read = [], [], [], []

    @property
    def place(self) -> str:
        return f"batch {len(self.losses) + 1} of {self.part}"

    def add(self, loss: Tensor, logits: Tensor, label: Tensor) -> None:
        self.losses.append(loss.detach())
        self.right.append((logits.detach().argmax(dim=1) == label).sum())
        self.rows.append(len(label))

    def is_due(self) -> bool:
        return time.monotonic() - self.looked > LOOK_SECONDS

    def look(self) -> float:
        """Read the losses that came since the last look, and return the newest one."""
        for value in torch.stack(self.losses[len(self.read) :]).tolist():
            self.read.append(value)
            if not math.isfinite(value):
                raise TrainingStopped(
                    f"the loss is {value} in epoch {self.epoch}, batch {len(self.read)} of "
                    f"{self.part}; try a smaller learning_rate, or look for inf and nan there"
                )
        self.looked = time.monotonic()
        return self.read[-1]

    def means(self) -> tuple[float, float]:
        """Mean loss and accuracy over the rows of this pass."""
        if not self.losses:
            raise ValueError(f"{self.part} gave no batch in epoch {self.epoch}; give {_SOURCES}")
        if len(self.read) < len(self.losses):
            self.look()
        total = sum(loss * rows for loss, rows in zip(self.read, self.rows, strict=True))
        return total / sum(self.rows), torch.stack(self.right).sum().item() / sum(self.rows)


def _interrupted(run: _Run, checkpoint: str | Path | None) -> str:
    """The sentence for whoever pressed stop."""
    advice = ""
    if checkpoint is None:
        advice = '; with checkpoint="run.pt" a run that was stopped can go on where it ended'
    elif Path(checkpoint).exists():
        advice = f"; run the cell again to go on from {checkpoint}"
    return f"Training interrupted: {run.kept_when()}{advice}."


def _cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    return F.cross_entropy(logits, batch["label"])


# ---- checks: one sentence instead of a traceback from deep inside --------------------------

_SOURCES = "Batches, a DataLoader or a list, which can be run through once for each epoch"
_ONE_ROW = (
    "holds one row, and BatchNorm needs two to learn from; choose a batch_size that leaves no row "
    "over, or give a DataLoader drop_last=True"
)


def _check_arguments(model, train, validation, epochs, patience, optimizer) -> None:
    _check_source("train", train)
    if validation is not None:
        _check_source("validation", validation)
    if epochs < 1:
        raise ValueError(f"fit needs at least one epoch, not epochs={epochs}")
    if patience is not None and (validation is None or patience < 1):
        raise ValueError(f"patience={patience} needs validation batches, and is 1 or more")
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    if not trainable:
        raise ValueError("the model has no parameter with requires_grad=True: nothing to train")
    if optimizer is None:
        return
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError("optimizer takes a built one, such as SGD(model.parameters(), lr=0.1)")
    if trainable.isdisjoint(id(p) for group in optimizer.param_groups for p in group["params"]):
        raise ValueError("the optimizer holds another model's parameters; build it on this model")


def _check_source(name: str, source: Any) -> None:
    try:
        batches = len(source)
    except TypeError:
        raise ValueError(f"{name} has no length (a generator?); give {_SOURCES}") from None
    if batches == 0:
        raise ValueError(f"{name} is empty; are there rows in this part of the data?")


def _to_device(
    batch: Any, device: torch.device, place: str, precision: torch.dtype | None = None
) -> Batch:
    """The batch on the device, its floats in the precision, if there is one."""
    if not isinstance(batch, Mapping):
        raise ValueError(f"{place} is a {type(batch).__name__}; a batch is a dict of tensors")

    def moved(tensor: Tensor) -> Tensor:
        return tensor.to(device, precision if tensor.is_floating_point() else None)

    return on_tensors(batch, moved)


def _precision(model: nn.Module) -> torch.dtype | None:
    """The type of a model's weights; None for a model of several, which converts for itself.

    After ``torch.set_default_dtype`` models are of another type than batches made before.
    """
    kinds = {p.dtype for p in model.parameters() if p.is_floating_point()}
    return kinds.pop() if len(kinds) == 1 else None


def _check_label(batch: Batch, place: str) -> None:
    if "label" not in batch:
        raise ValueError(f"{place} has no 'label'; it has {', '.join(map(repr, batch))}")
    label = batch["label"]
    if not isinstance(label, Tensor) or label.dtype != torch.long or label.ndim != 1:
        found = f"a {type(label).__name__}"
        if isinstance(label, Tensor):
            found = f"{label.dtype} {tuple(label.shape)}"
        raise ValueError(f"label in {place} is {found}; it must be torch.int64 (B,), class numbers")


def _check_logits(logits: Any, label: Tensor, place: str) -> None:
    if not isinstance(logits, Tensor):
        raise ValueError(f"the model gave a {type(logits).__name__} for {place}, not logits (B, C)")
    shape, rows = tuple(logits.shape), len(label)
    if len(shape) != 2 or shape[0] != rows or shape[1] < 2:
        wanted = f"({rows}, C), a column for each of C >= 2 classes"
        raise ValueError(f"the model gave logits {shape} for {place}; they must be {wanted}")
    wrong = label[(label < 0) | (label >= shape[1])]
    if len(wrong):
        classes = f"{shape[1]} classes, 0 to {shape[1] - 1}"
        raise ValueError(f"{place} has label {wrong[0].item()}, but the model knows {classes}")


def _check_weights(model: nn.Module, epoch: int) -> None:
    # The last step of an epoch can break the weights after its loss was still a number.
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            where = f"{name} is not finite after the last batch of epoch {epoch}"
            raise TrainingStopped(f"{where}; try a smaller learning_rate")


# ---- device and random numbers, borrowed and given back ------------------------------------


@contextlib.contextmanager
def _on_device(model: nn.Module, device: torch.device) -> Iterator[None]:
    # A lesson that calls model(batch) after fit must work with a GPU as it does without one.
    home = next((p.device for p in model.parameters()), torch.device("cpu"))
    model.to(device)
    try:
        with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
            yield
    finally:
        model.to(home)


@contextlib.contextmanager
def _own_random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    before = _random_state(device)
    # torch.manual_seed would also reseed the devices that this run does not use.
    torch.default_generator.manual_seed(seed)
    for source in _random_sources(device)[1:]:
        source.manual_seed(seed)
    try:
        yield
    finally:
        _set_random_state(before, device)


def _random_sources(device: torch.device) -> list[Any]:
    return [torch.random] + ([] if device.type == "cpu" else [getattr(torch, device.type)])


def _random_state(device: torch.device) -> list[Tensor]:
    return [source.get_rng_state() for source in _random_sources(device)]


def _set_random_state(state: list[Tensor], device: torch.device) -> None:
    for source, value in zip(_random_sources(device), state, strict=True):
        source.set_rng_state(value)


# ---- checkpoint: stop here, go on there ----------------------------------------------------


def _save(run: _Run, path: Path) -> None:
    """Write all that the next epoch depends on, under another name first: never half a file."""
    state = {
        "settings": _settings(run),
        "model": run.model.state_dict(),
        "kept": run.kept,
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict() if run.schedule is not None else None,
        "history": asdict(run.history),
        "orders": [_order(source)[0]() for source in (run.train, run.validation)],
        "random": _random_state(run.device),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        torch.save(state, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _resume(run: _Run, path: Path) -> None:
    way_out = "give another checkpoint path, or delete the file to start anew"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs, mine = state["settings"], _settings(run)
    except Exception as problem:  # torch.load raises whatever its parts raise
        kind = type(problem).__name__
        raise ValueError(f"{path} is not a checkpoint of fit ({kind}); {way_out}") from None
    for name in [*mine, *theirs]:
        there, here = theirs.get(name, "missing"), mine.get(name, "missing")
        if there != here:
            what = f"{name}, {there} there and {here} here"
            raise ValueError(f"{path} is of another run or model ({what}); {way_out}")
    run.model.load_state_dict(state["model"])
    run.kept = state["kept"]
    run.optimizer.load_state_dict(state["optimizer"])
    if run.schedule is not None:
        run.schedule.load_state_dict(state["schedule"])
    run.history = History(**state["history"])
    for source, order in zip((run.train, run.validation), state["orders"], strict=True):
        _order(source)[1](order)
    _set_random_state(state["random"], run.device)


def _settings(run: _Run) -> dict[str, Any]:
    """What must not change between two halves of a run."""
    shapes = {name: tuple(value.shape) for name, value in run.model.state_dict().items()}
    return shapes | {
        "optimizer": type(run.optimizer).__name__,
        "learning_rate": run.optimizer.defaults.get("lr"),
        "weight_decay": run.optimizer.defaults.get("weight_decay"),
        "seed": run.seed,
        "device": run.device.type,
        "schedule": run.schedule and f"{type(run.schedule).__name__} over {run.steps} steps",
        "batches in an epoch": run.batches_an_epoch,
        "validation batches": 0 if run.validation is None else len(run.validation),
        "kind of batches": type(run.train).__name__,
    }


def _order(source: Any) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """How to read and to write what decides in which order the rows come next."""
    if hasattr(source, "load_state_dict"):
        return source.state_dict, source.load_state_dict
    for owner in (source, getattr(source, "sampler", None)):  # of a DataLoader, one may have one
        if getattr(owner, "generator", None) is not None:
            return owner.generator.get_state, owner.generator.set_state
    return (lambda: None), (lambda order: None)


# ---- watching a run ------------------------------------------------------------------------


def _bar(
    progress: bool | None, epochs: int, run: _Run
) -> contextlib.AbstractContextManager[ProgressBar]:
    """One bar for the whole run."""
    each = run.batches_an_epoch
    done = run.history.epochs * each
    return progress_bar(epochs * each, "training", "batch", done=done, shown=progress)


def _tensorboard(log_dir: str | Path | None, history: History) -> Any:
    if log_dir is None:
        return contextlib.nullcontext()
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(log_dir), purge_step=history.epochs + 1)
