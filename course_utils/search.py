"""A small search over settings, chosen on the validation rows, for rows of any modalities.

Each modality alone comes first: a linear model, then networks. Those that help each other become
the modality's experts. Then the fusions: rules that add up what the experts of each modality say,
and joint networks, which start from the trained encoders, so that no fusion is trained less than
its parts. The validation rows choose; test rows are asked once, by the model that was chosen.

Where validation rows are few, choosing among many settings picks luck. So everything is chosen by
the log loss of calibrated probabilities, which varies less from row to row than right and wrong,
and a richer fusion has to be better than a simpler one by more than one standard error.
"""

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.choosing import Candidate, Joint, Judge, Tried, assembled, settings_of
from course_utils.classifier import MultimodalClassifier
from course_utils.data.augment import CropAndFlip
from course_utils.data.batches import Batch, Batches, on_tensors, to_tensors
from course_utils.data.readers import ColumnsReader, ImageReader, Reader, TextReader
from course_utils.data.rows import SPLITS, Rows, column_of, named_column, present_in
from course_utils.display import progress_bar
from course_utils.encoders import encode_all
from course_utils.environment import is_smoke
from course_utils.experiment import Trained, needed, on_cached_features
from course_utils.linear_experts import (
    STRENGTHS,
    LinearExpert,
    fitted_at,
    mean_features,
    picture_features,
    text_features,
)
from course_utils.recipes import (
    FORM,
    JOINT,
    PIECE,
    TOKENS,
    MakeEncoder,
    Values,
    encoder_from,
    expert_from,
    tensors_of,
    values_of,
)
from course_utils.training import History, TrainingStopped, fit, predict

SMALLEST_SIDE = 8  # of a picture that a CNN of three blocks can halve
LONG_TEXT = 40  # words on average, from which on pieces of words are not tried
MOST_TOKENS = 4000  # of a text that is cut into pieces
MANY_WEIGHTS = 2_000_000  # of a linear model, beyond which pieces that occur once are left out
FURTHER_SEEDS = 2  # of each modality's best network
FROZEN_SECONDS = 2.0  # a fusion on frozen features takes little time
ALONE_SHARE = 0.7  # of the time, for the modalities alone
FROM_SCRATCH = "bilinear"
TRUE_OF_PAIRS = "crops"  # a flip may make a text about left and right false
FROZEN = [name for name in JOINT if name != FROM_SCRATCH]
MULTIPLYING = ("concat + MLP", "concat + products")  # can tell whether modalities fit together


# --- what is found --------------------------------------------------------------------------------


@dataclass(repr=False)
class Found:
    """What a search found.

    model: the chosen classifier, in evaluation mode; logits (n, C): its answers for the test rows.
    readers: {name: fitted reader}; two may read one column. settings: plain values; with them and
    the readers, ``recipes.build`` makes it anew. alone: {modality: its experts as a classifier}.
    table: one line for each model that was tried. choice: what was chosen and why, a sentence.
    stopped: whether somebody stopped the search before its end.
    """

    model: MultimodalClassifier
    readers: dict[str, Reader]
    settings: Values
    table: Any
    alone: dict[str, Trained]
    logits: Tensor
    choice: str
    stopped: bool = False

    def __repr__(self) -> str:
        return f"{self.choice}\n{self.table.round(3).to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>{self.choice}</p>{self.table.round(3).to_html()}"


def search(
    rows: Mapping[str, Rows],
    *,
    budget: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    modalities: Sequence[str] | None = None,
    readers: Mapping[str, Reader] | None = None,
    encoders: Mapping[str, MakeEncoder] | None = None,
) -> Found:
    """Try settings of readers, networks and fusions; give the model that validation rows choose.

    rows: "train", "validation" and "test" -> rows with a column ``label`` of class numbers.
    budget: the most models that are trained; the least that a result needs are trained always.
    minutes: the time after which no further model is begun; by default one for small sets, and
        0.8 for each 1,000 rows. With a time limit the result depends on the machine.
    seed: of first weights, orders and changes of pictures.
    modalities: by default those that the rows name, and those of ``readers``.
    readers: {modality: reader} where the column's contents do not say how to read it, or another
        reader is wanted. encoders: {modality: function from its fitted reader to an encoder}, a
        network for a modality of one's own.

    Ctrl-C or the stop button ends the search with what there is, ``stopped`` set, as soon as each
    modality has a model; before that it ends in KeyboardInterrupt. Under ``COURSE_SMOKE=1`` one
    setting of each is tried.

    Raises ValueError where there are no training or validation rows, one class, or no modality.
    """
    _check(rows, budget, minutes)
    chosen = _readers(rows, modalities, readers or {})
    limit = 60 * (usual_minutes(rows) if minutes is None else minutes)
    bar = progress_bar(budget, "search", "model")
    with torch.random.fork_rng(devices=[]), bar as bar:
        run = _Search(rows, chosen, encoders or {}, seed, budget, limit, bar)
        try:
            run.alone()
            run.jointly()
        except KeyboardInterrupt:
            if not all(run.tried.values()):
                raise
            run.stopped = True
        return run.found()


def usual_minutes(rows: Mapping[str, Rows]) -> float:
    """How long a search takes where nobody says: 0.8 minutes for each 1,000 rows, 1 to 30."""
    return float(np.clip(0.8 * sum(len(part["label"]) for part in rows.values()) / 1000, 1, 30))


def _check(rows: Mapping[str, Rows], budget: int | None, minutes: float | None) -> None:
    for split in SPLITS:
        if split not in rows or not len(rows[split]["label"]):
            raise ValueError(f"the search needs {split} rows, and there are none; divide the rows "
                             "otherwise")  # fmt: skip
    if len(set(np.asarray(rows["train"]["label"]).tolist())) < 2:
        raise ValueError("all training rows have the same label; there is nothing to tell apart")
    if budget is not None and budget < 1:
        raise ValueError(f"budget is a number of models from 1 up, not {budget}")
    if minutes is not None and minutes <= 0:
        raise ValueError(f"minutes is a time above 0, not {minutes}")


# --- readers --------------------------------------------------------------------------------------


def _readers(
    rows: Mapping[str, Rows], wanted: Sequence[str] | None, given: Mapping[str, Reader]
) -> dict[str, Reader | None]:
    """{modality: its reader}, None for texts whose tokens the search chooses."""
    train = rows["train"]
    names = [*getattr(train, "modalities", {}), *given] if wanted is None else [*wanted]
    found: dict[str, Reader | None] = {}
    for name in dict.fromkeys(names):
        reader = given.get(name)
        if reader is None and not present_in(named_column(train, column_of(train, name))).any():
            print(f"no training row has {name!r}, so it is left out")
            continue
        found[name] = reader or _reader_for(train, name)
    if not found:
        raise ValueError("there is no modality to learn from; name one with modalities=[...], or "
                         "give readers={modality: reader}")  # fmt: skip
    return found


def _reader_for(train: Rows, name: str) -> Reader | None:
    """A reader by what the column holds: pictures or texts."""
    column = named_column(train, column_of(train, name))
    example = column[int(np.flatnonzero(present_in(column))[0])]
    if isinstance(example, str):
        return None
    if isinstance(example, np.ndarray) and example.ndim == 3 and example.dtype == np.uint8:
        return ImageReader()
    raise ValueError(f"{name!r} holds neither pictures nor texts but {type(example).__name__}; "
                     f"give readers={{{name!r}: ...}}")  # fmt: skip


# --- the search -----------------------------------------------------------------------------------


class _OutOfBudget(Exception):
    """No further model is to be begun."""


class _Search:
    """What one call of ``search`` holds together: readers, tensors, and the models so far."""

    def __init__(self, rows, readers, encoders, seed, budget, limit, bar):
        self.rows, self.seed, self.own, self.stopped = rows, seed, encoders, False
        self.names = [*readers]
        self.joint: list[Joint] = []
        self.tried: dict[str, list[Tried]] = {name: [] for name in readers}
        self.readers: dict[str, Reader] = {}
        self.settings: Values = {"form": FORM, "readers": {}}
        self.tensors: dict[str, Batch] = {
            split: {"present": {}, "label": to_tensors(rows[split], {})["label"]}
            for split in ("train", "validation")
        }
        label = self.tensors["train"]["label"]
        self.classes = max(len(getattr(rows["train"], "classes", ())), int(label.max()) + 1)
        self.log_share = _log_share(label, self.classes)
        self.judge = Judge(self.names, self.tensors["validation"], self.log_share)
        self.ledger = _Ledger(self.judge, budget, limit, bar)
        self.add_readers(readers)

    def add_readers(self, readers: Mapping[str, Reader | None]) -> None:
        """Those that are given, then for each text one of its words, which networks read."""
        for name, reader in readers.items():
            if reader is not None:
                self.add_reader(name, reader)
        self.texts = [name for name, reader in readers.items() if reader is None]
        for name in self.texts:
            column = column_of(self.rows["train"], name)
            self.add_reader(f"{name}_words", TextReader(column=column))

    def add_reader(self, name: str, reader: Reader) -> None:
        """Fit a reader, and take its tensors in."""
        reader = self.readers[name] = reader.fit(self.rows["train"], name)
        for split, tensors in self.tensors.items():
            found = tensors_of(self.rows[split], {name: reader}, self.settings, label=None)
            tensors["present"] |= found.pop("present")
            tensors |= found
            self.settings["readers"][name] = values_of(reader, tensors, name)

    # --- each modality alone

    def alone(self) -> None:
        """Linear models, then networks in turns, until the time for this is over.

        Where the first of each tell nothing of the label, further ones would not, and the time
        is left for joint networks.
        """
        for name in self.names:
            self.linear(name)
        queues = [self.networks(name) for name in self.names]
        try:
            while queues:
                queues = [queue for queue in queues if next(queue, None)]
                if len(self.names) > 1 and self.nothing_alone():
                    return
        except _OutOfBudget:
            pass

    def linear(self, name: str) -> None:
        """The linear model of a modality, among readers and strengths."""
        if name in self.texts:
            self.linear_text(name)
        elif isinstance(self.readers[name], TextReader):
            self.tried[name].append(self.fit_text(name, self.readers[name]))
        elif isinstance(self.readers[name], ImageReader):
            self.tried[name].append(self.fit_pictures(name))
        else:
            self.tried[name].append(self.fit_means(name))

    def linear_text(self, name: str) -> None:
        """The linear model of a text, among the ways to cut it."""
        average = self.tensors["train"][f"{name}_words_length"].double().mean()
        options = [*TOKENS][:1] if is_smoke() else [*TOKENS][: 2 if average > LONG_TEXT else 3]
        best = None
        for tokens in options:
            reader = self.text_reader(name, tokens)
            self.add_reader(name, reader)
            tried = self.fit_text(name, reader)
            if best is None or self.judge.loss(tried) < self.judge.loss(best[0]):
                best = tried, reader
        self.add_reader(name, best[1])
        self.tried[name].append(best[0])

    def text_reader(self, name: str, tokens: str) -> TextReader:
        """A reader that cuts texts in this way; of many pieces those that come again."""
        longest = MOST_TOKENS if tokens == "pieces" else None
        reader = TextReader(tokenize=TOKENS[tokens], longest=longest)
        reader.fit(self.rows["train"], name)
        if tokens == "pieces" and len(reader.vocabulary) * self.classes > MANY_WEIGHTS:
            return TextReader(tokenize=TOKENS[tokens], longest=longest, fewest=2)
        return reader

    def fit_text(self, name: str, reader: TextReader) -> Tried:
        with self.ledger.line(name) as line:
            words = reader.vocabulary.words
            is_piece = torch.tensor([int(word.startswith(PIECE)) for word in words])
            train = self.present_rows(name)
            text = train[name], train[f"{name}_length"]
            expert = text_features(name, *text, is_piece, self.classes)
            told = {"tokens": self.settings["readers"][name]["tokens"]}
            return line.done(self.strongest(name, expert, told))

    def fit_pictures(self, name: str) -> Tried:
        with self.ledger.line(name) as line:
            pictures = self.present_rows(name)[name]
            expert = picture_features(name, pictures, self.classes, self.seed)
            return line.done(self.strongest(name, expert, {}))

    def fit_means(self, name: str) -> Tried:
        with self.ledger.line(name) as line:
            expert = mean_features(name, self.present_rows(name), self.classes)
            return line.done(self.strongest(name, expert, {}))

    def strongest(self, name: str, expert: LinearExpert, told: Values) -> Tried:
        """The linear model of the strength that the validation rows like best."""
        best, label = None, self.present_rows(name)["label"]
        strengths = STRENGTHS[1:2] if is_smoke() else STRENGTHS
        for strength in fitted_at(strengths, expert, label, self.classes):
            options = {**told, "C": strength}
            tried = self.judged(name, expert.module, expert.values, options)
            if best is None or self.judge.loss(tried) < self.judge.loss(best):
                best = replace(tried, module=copy.deepcopy(expert.module))
        return best

    def networks(self, name: str) -> Iterator[bool]:
        """Networks of a modality, one at each turn; further seeds of the best come last."""
        number = 0
        for values, options in self.plan(name):
            yield self.network(name, values, options, self.seed + number)
            number += 1
            if is_smoke():
                return
        best = self.best_network(name)
        for further in range(FURTHER_SEEDS if best else 0):
            yield self.network(name, best.values, best.options, self.seed + number + further)

    def plan(self, name: str) -> Iterator[tuple[Values, Values]]:
        """Which networks are tried, (what it is, how it is trained)."""
        n = int(self.tensors["train"]["present"][name].sum())
        told = partial(_told, int(np.clip(60_000 / n, 10, 25)), _batch_size(n))
        reader = self.readers[name]
        if name in self.own:
            made = self.own[name](reader)
            yield {"kind": "own", "reads": [made.reads[0]]}, told(3e-3, 0.05)
        elif isinstance(reader, ImageReader):
            if min(self.tensors["train"][name].shape[2:]) >= SMALLEST_SIDE:
                yield from _picture_networks(name, told(3e-3, 0.05))
        elif isinstance(reader, TextReader):
            words = f"{name}_words" if name in self.texts else name
            yield {"kind": "bag", "reads": [words], "dropout": 0.3}, told(1e-2, 0.5)
            yield {"kind": "text cnn", "reads": [words]}, told(2e-3, 0.05)
        elif isinstance(reader, ColumnsReader):
            yield {"kind": "columns", "reads": [name]}, told(3e-3, 0.05)
        else:
            yield {**self.tried[name][0].values, "kind": "hidden"}, told(3e-3, 0.05)

    def network(self, name: str, values: Values, options: Values, seed: int) -> bool:
        """Train one network; the modality keeps it."""
        self.ledger.may_begin(ALONE_SHARE)
        with self.ledger.line(name) as line:
            torch.manual_seed(seed)
            module = expert_from(values, self.readers, self.classes, self.own)
            if values["kind"] == "hidden":
                linear = self.tried[name][0].module.encoder
                module.encoder.encoder.load_state_dict(linear.state_dict())
            _train(_Alone(module), self.present_rows(name), options, name, seed)
            self.tried[name].append(line.done(self.judged(name, module, values, options)))
        return True

    def judged(self, name: str, module: nn.Module, values: Values, options: Values) -> Tried:
        """A model with its calibrated logits of the validation rows."""
        tensors, model = self.tensors["validation"], _Alone(module)
        logits = predict(model, Batches(needed(model, tensors), 256))
        logits, softness = self.judge.calibrated(logits, tensors["present"][name])
        return Tried(values, module.eval(), logits, softness, options)

    def present_rows(self, name: str) -> Batch:
        """The training rows that have a modality."""
        train = self.tensors["train"]
        there = train["present"][name]
        own = {part: value for part, value in train.items()
               if part in (name, f"{name}_length", f"{name}_words", f"{name}_words_length", "label")
               or (name in self.own and part != "present")}  # fmt: skip
        return own if there.all() else on_tensors(own, lambda tensor: tensor[there])

    # --- joint networks

    def jointly(self) -> None:
        """Fusions of the best networks' encoders, frozen; the best go on end to end."""
        if len(self.names) < 2:
            return
        try:
            best = {name: self.best_network(name) for name in self.names}
            if all(best.values()):
                self.frozen_fusions(best)
                steps = [self.end_to_end, self.from_scratch]
                for step in steps[:: -1 if self.nothing_alone() else 1]:
                    step(best)
        except _OutOfBudget:
            pass

    def nothing_alone(self) -> bool:
        """Whether no modality alone tells anything about the label."""
        return self.judge.tells_nothing(one for tried in self.tried.values() for one in tried)

    def best_network(self, name: str) -> Tried | None:
        return min(self.networks_of(name), key=self.judge.loss, default=None)

    def networks_of(self, name: str) -> list[Tried]:
        """The networks of a modality that were trained, the first first."""
        return [tried for tried in self.tried[name] if tried.options.get("epochs")]

    def frozen_fusions(self, best: Mapping[str, Tried]) -> None:
        """Each fusion, on features that the best networks' encoders gave once."""
        encoders = {name: copy.deepcopy(one.module.encoder) for name, one in best.items()}
        cached = self.features(encoders)
        told = _told(10, 64, 1e-3, 0.05)
        for name in FROZEN[:1] if is_smoke() else FROZEN:
            self.ledger.may_begin(1, FROZEN_SECONDS)
            with self.ledger.line("joint") as line:
                torch.manual_seed(self.seed)
                fusion = JOINT[name]({part: one.dim for part, one in encoders.items()})
                model = on_cached_features(fusion, cached, self.classes)
                self.start_from_parts(model, best)
                values = {"fusion": name, "encoders": {n: one.values for n, one in best.items()}}
                joint = Joint(name, values, encoders, model.fusion, model.head)
                self.train_joint(line, joint, model, cached, told, "frozen")

    def features(self, encoders: Mapping[str, nn.Module]) -> dict[str, Batch]:
        """What encoders make of the training and validation rows."""
        read = [part for one in encoders.values() for part in one.reads]
        cached = {}
        for split, tensors in self.tensors.items():
            kept = {part: tensors[part] for part in (*read, "label", "present")}
            cached[split] = encode_all(encoders, Batches(kept, 256))
        return cached

    def start_from_parts(self, model: MultimodalClassifier, best: Mapping[str, Tried]) -> None:
        """Let a fusion of encoders begin as what their own heads say together, by Bayes' rule."""
        with torch.no_grad():
            model.head.weight.zero_()
            model.head.bias.copy_(-(len(best) - 1) * self.log_share)
            place = 0
            for one in best.values():  # its features come first, and in this order
                own = one.module.head
                width = own.in_features
                model.head.weight[:, place : place + width] = own.weight / one.softness
                model.head.bias += own.bias / one.softness
                place += width

    def end_to_end(self, best: Mapping[str, Tried]) -> None:
        """The best frozen fusion, and one that can multiply, go on with their encoders."""
        frozen = sorted(self.joint, key=self.judge.loss)
        able = [one for one in frozen if one.name in MULTIPLYING]
        n = len(self.tensors["train"]["label"])
        told = _told(int(np.clip(40_000 / n, 6, 15)), _batch_size(n), 1e-3, 0.05)
        told |= _augment(best)
        for start in {id(one): one for one in (*frozen[:1], *able[:1])}.values():
            self.ledger.may_begin(1)
            with self.ledger.line("joint") as line:
                joint = copy.deepcopy(start)
                model = MultimodalClassifier(joint.encoders, joint.fusion, self.classes)
                model.head.load_state_dict(joint.head.state_dict())
                self.train_joint(line, joint, model, self.tensors, told, "end to end")

    def from_scratch(self, best: Mapping[str, Tried]) -> None:
        """A fusion that multiplies, with fresh encoders: for labels of which no part alone tells.

        Encoders that were trained alone have then learnt their rows by heart and nothing else.
        """
        self.ledger.may_begin(1)
        with self.ledger.line("joint") as line:
            torch.manual_seed(self.seed)
            first = {name: self.networks_of(name)[0] for name in best}
            encoders = {name: encoder_from(one.values, self.readers, self.own)
                        for name, one in first.items()}  # fmt: skip
            fusion = JOINT[FROM_SCRATCH]({name: one.dim for name, one in encoders.items()})
            model = MultimodalClassifier(encoders, fusion, self.classes)
            told = {**max((one.options for one in first.values()), key=len),
                    "learning_rate": 2e-3, "weight_decay": 0.01, **_augment(first)}  # fmt: skip
            values = {"fusion": FROM_SCRATCH, "encoders": {n: o.values for n, o in first.items()}}
            joint = Joint(FROM_SCRATCH, values, encoders, fusion, model.head)
            self.train_joint(line, joint, model, self.tensors, told, "from scratch")

    def train_joint(
        self,
        line: "_Line",
        joint: Joint,
        model: MultimodalClassifier,
        splits: Mapping[str, Batch],
        told: Values,
        encoders: str,
    ) -> None:
        """Train a joint network as told, and keep it calibrated; encoders: what became of them."""
        picture = next((name for name in self.names if self.is_picture(name)), "")
        validation = needed(model, splits["validation"])
        _train(model, splits["train"], told, picture, self.seed, validation)
        logits = predict(model, Batches(validation, 256))
        logits, softness = self.judge.calibrated(logits, self.judge.there().all(dim=1))
        with torch.no_grad():  # the pool reads its evidence as it stands
            model.head.weight /= softness
            model.head.bias /= softness
        self.joint.append(replace(joint, head=model.head, logits=logits))
        line.tell("joint", {"fusion": joint.name, "encoders": encoders, **told}, logits)

    def is_picture(self, name: str) -> bool:
        """Whether a modality's networks are trained on pictures that change."""
        return any("augment" in tried.options for tried in self.tried[name])

    # --- the end

    def found(self) -> Found:
        """Choose the rule by which the modalities come together, and build the model."""
        experts = {name: self.judge.experts(tried) for name, tried in self.tried.items()}
        options = self.judge.candidates(experts, self.joint)
        if len(self.names) > 1:
            for name, one in options.items():
                self.ledger.add("fusion", {"fusion": name}, one.logits, 0.0)
        name, said = self.judge.choose(options)
        model = assembled(experts, options[name], self.log_share)
        readers = {n: one for n, one in self.readers.items() if n in {*model.reads, *self.names}}
        settings = {"fusion": name, **self.settings, **settings_of(experts, options[name])}
        settings["readers"] = {n: self.settings["readers"][n] for n in readers}
        tensors = tensors_of(self.rows["test"], readers, settings)
        alone = {n: self.trained(n, own, tensors) for n, own in experts.items()}
        logits = predict(model, Batches(needed(model, tensors), 256))
        table = self.ledger.table()
        return Found(model, readers, settings, table, alone, logits, said, self.stopped)

    def trained(self, name: str, experts: list[Tried], tensors: Batch) -> Trained:
        """The experts of one modality as a model, with its answers for the test rows."""
        logits = self.judge.mean(experts)
        alone = Candidate(logits, "product", torch.ones(1))
        model = assembled({name: experts}, alone, self.log_share)
        history = History(validation_loss=[self.judge.nll(logits).mean().item()],
                          validation_accuracy=[self.judge.right(logits)])  # fmt: skip
        return Trained(model, predict(model, Batches(needed(model, tensors), 256)), history)


# --- what was tried -------------------------------------------------------------------------------


class _Ledger:
    """The models that were tried, one line each, and whether there is time for another.

    budget: the most models; limit: seconds.
    """

    def __init__(self, judge: Judge, budget: int | None, limit: float, bar: Any):
        self.judge, self.budget, self.limit, self.bar = judge, budget, limit, bar
        self.begun, self.slowest = time.monotonic(), 0.0
        self.lines: list[Values] = []

    def may_begin(self, share: float, expected: float | None = None) -> None:
        """Raises _OutOfBudget where time or number of models do not allow another one."""
        spent = time.monotonic() - self.begun
        if self.budget is not None and len(self.lines) >= self.budget * share:
            raise _OutOfBudget
        if spent > self.limit * share - 0.5 * (self.slowest if expected is None else expected):
            raise _OutOfBudget

    def line(self, name: str) -> "_Line":
        return _Line(self, name)

    def add(self, part: str, told: Values, logits: Tensor, seconds: float) -> None:
        settings = ", ".join(f"{key} {value}" for key, value in told.items())
        self.lines.append({
            "part": part,
            "settings": settings,
            "validation accuracy": self.judge.right(logits),
            "validation loss": self.judge.nll(logits).mean().item(),
            "seconds": seconds,
        })  # fmt: skip

    def table(self) -> Any:
        import pandas as pd

        return pd.DataFrame(self.lines)


class _Line:
    """One model that is tried: its line in the table, its time, its step of the bar."""

    def __init__(self, ledger: _Ledger, name: str):
        self.ledger, self.name = ledger, name

    def __enter__(self) -> "_Line":
        self.begun = time.monotonic()
        self.ledger.bar.describe(self.name)
        return self

    def __exit__(self, kind: Any, *_: Any) -> bool:
        failed = kind is not None and issubclass(kind, TrainingStopped)
        if failed:  # its loss became infinite: it is tried, and not chosen
            unknown = torch.full_like(self.ledger.judge.shares(), torch.nan)
            self.tell(self.name, {"failed": "its loss was no longer a number"}, unknown)
        if kind is None or failed:
            self.ledger.bar.update()
        return failed

    def done(self, tried: Tried) -> Tried:
        """Tell of a model of one modality."""
        told = {k: v for k, v in tried.values.items() if k not in ("reads", "pixels", "width")}
        self.tell(self.name, told | tried.options, tried.logits)
        return tried

    def tell(self, part: str, told: Values, logits: Tensor) -> None:
        seconds = time.monotonic() - self.begun
        self.ledger.slowest = max(self.ledger.slowest, seconds)
        self.ledger.add(part, told, logits, seconds)


# --- how networks are trained ---------------------------------------------------------------------


class _Alone(nn.Module):
    """An expert as a model that takes batches."""

    def __init__(self, expert: nn.Module):
        super().__init__()
        self.expert, self.reads = expert, expert.reads

    def forward(self, batch: Batch) -> Tensor:
        return self.expert(*(batch[part] for part in self.reads))


def _train(
    model: nn.Module,
    rows: Batch,
    options: Values,
    picture: str,
    seed: int,
    validation: Batch | None = None,
) -> None:
    """Train a model as told; with ``validation`` it ends as it was after its best epoch."""
    change = None
    if options.get("augment", "none") != "none":
        flip = options["augment"] == "crops and flips"
        change = CropAndFlip(flip=flip, name=picture, seed=seed)
    batches = Batches(needed(model, rows), options["batch_size"], True, seed, change)
    judges = validation and Batches(needed(model, validation), 256)
    fit(model, batches, judges, epochs=options["epochs"], schedule=one_cycle, seed=seed,
        learning_rate=options["learning_rate"], weight_decay=options["weight_decay"])  # fmt: skip


def one_cycle(optimizer: torch.optim.Optimizer, steps: int) -> Any:
    """Up to the optimizer's learning rate in the first sixth of the steps, then down to nothing.

    Smith and Topin, Super-Convergence, 2018 (arXiv:1708.07120).
    """
    rate = optimizer.param_groups[0]["lr"]
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1,
                                               pct_start=0.15)  # fmt: skip


def _told(epochs: int, batch_size: int, learning_rate: float, weight_decay: float) -> Values:
    return {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate,
            "weight_decay": weight_decay}  # fmt: skip


def _batch_size(n: int) -> int:
    return 32 if n < 3000 else 64


def _picture_networks(name: str, told: Values) -> Iterator[tuple[Values, Values]]:
    cnn = {"kind": "cnn", "reads": [name], "channels": [16, 32, 64]}
    yield cnn, told | {"augment": "crops and flips"}
    yield cnn, told | {"augment": "crops"}


def _augment(networks: Mapping[str, Tried]) -> Values:
    """How pictures of a joint network change, where there are pictures."""
    pictures = any("augment" in one.options for one in networks.values())
    return {"augment": TRUE_OF_PAIRS} if pictures else {}


def _log_share(label: Tensor, classes: int) -> Tensor:
    """log p(y) of each class, (classes,), as if each had one row more: one may have none."""
    counts = label.bincount(minlength=classes).to(torch.get_default_dtype()) + 1
    return (counts / counts.sum()).log()
