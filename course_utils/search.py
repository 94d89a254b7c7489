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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.classifier import MultimodalClassifier
from course_utils.data.augment import CropAndFlip
from course_utils.data.batches import Batch, Batches, on_tensors, to_tensors
from course_utils.data.readers import ColumnsReader, ImageReader, Reader, TextReader
from course_utils.data.rows import SPLITS, Rows, column_of, named_column, present_in
from course_utils.data.text import tokenize, with_phrases
from course_utils.display import progress_bar
from course_utils.encoders import (
    BagEncoder,
    CNNEncoder,
    ColumnsEncoder,
    TextCNNEncoder,
    encode_all,
    reading,
)
from course_utils.environment import is_smoke
from course_utils.experiment import Trained, needed, on_cached_features
from course_utils.experts import (
    BesideConcat,
    Experts,
    Hidden,
    LinearPictures,
    LinearText,
    MeanVector,
    Pool,
    WithHead,
    evidence,
    mean_vectors,
    pooled,
)
from course_utils.fusion import (
    BilinearFusion,
    ConcatFusion,
    ConcatMLPFusion,
    LowRankFusion,
    MaximumFusion,
)
from course_utils.training import History, TrainingStopped, fit, predict

FORM = 1
PIECE = "\N{MIDDLE DOT}"  # stands before a piece of a word, and in no word
DIM = 64
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)  # scikit-learn's C of linear models
DIRECTIONS = 100  # of pictures
LARGEST_SIDE = 64  # of a picture whose directions are sought, in pixels; larger ones are shrunk
MOST_PICTURES = 10_000  # from which directions are learnt
SMALLEST_SIDE = 8  # of a picture that a CNN of three blocks can halve
LONG_TEXT = 40  # words on average, from which on pieces of words are not tried
MOST_TOKENS = 4000  # of a text that is cut into pieces
MANY_WEIGHTS = 2_000_000  # of a linear model, beyond which pieces that occur once are left out
FURTHER_SEEDS = 2  # of each modality's best network
FROZEN_SECONDS = 2.0  # a fusion on frozen features takes little time
ALONE_SHARE = 0.7  # of the time, for the modalities alone
JOINT = {
    "concat": ConcatFusion,
    "concat + MLP": lambda dims: BesideConcat(dims, ConcatMLPFusion(dims)),
    "concat + maximum": lambda dims: BesideConcat(dims, MaximumFusion(dims)),
    "concat + products": lambda dims: BesideConcat(dims, LowRankFusion(dims)),
    "bilinear": BilinearFusion,
}
FROM_SCRATCH = "bilinear"
TRUE_OF_PAIRS = "crops"  # a flip may make a text about left and right false
FROZEN = [name for name in JOINT if name != FROM_SCRATCH]
LEAST_GAIN = 0.03  # of the loss, from which on a modality alone tells something
MULTIPLYING = ("concat + MLP", "concat + products")  # can tell whether modalities fit together

Values = dict[str, Any]
MakeEncoder = Callable[[Reader], nn.Module]


# --- how texts are cut ----------------------------------------------------------------------------


def word_pieces(text: str) -> list[str]:
    """Words, pairs of neighbours, and pieces of each word of 3 to 5 letters, its ends marked.

    Words that were never seen share pieces with words that were. Bojanowski, Grave, Joulin and
    Mikolov, Enriching Word Vectors with Subword Information, TACL 2017.
    """
    words = tokenize(text)
    marked = [f"<{word}>" for word in words]
    pieces = [PIECE + word[start : start + size] for word in marked for size in (3, 4, 5)
              for start in range(len(word) - size + 1)]  # fmt: skip
    return with_phrases(words) + pieces


def word_pairs(text: str) -> list[str]:
    """Words, and pairs of neighbours."""
    return with_phrases(tokenize(text))


TOKENS = {"words": tokenize, "pairs": word_pairs, "pieces": word_pieces}


# --- what is found --------------------------------------------------------------------------------


@dataclass(repr=False)
class Found:
    """What a search found.

    model: the chosen classifier, in evaluation mode; logits (n, C): its answers for the test rows.
    readers: {name: fitted reader}; two may read one column. settings: plain values; with them and
    the readers, ``build`` makes the model anew. alone: {modality: its experts as a classifier}.
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


def readers_from(settings: Values) -> dict[str, Reader]:
    """Readers of the kinds that a search chose, not yet fitted.

    Raises ValueError for a reader of one's own, which plain values cannot describe.
    """
    return {name: _reader_from(name, values) for name, values in settings["readers"].items()}


def _reader_from(name: str, values: Values) -> Reader:
    if values["kind"] == "image":
        return ImageReader(values["column"], values["shrink"])
    if values["kind"] == "columns":
        return ColumnsReader(values["numbers"], values["categories"])
    if values["kind"] == "text" and values["tokens"] in TOKENS:
        return TextReader(column=values["column"], fewest=values["fewest"],
                          tokenize=TOKENS[values["tokens"]], longest=values["longest"])  # fmt: skip
    raise ValueError(f"{name!r} was read by a reader of your own; make it as you did")


def _values_of(reader: Reader, tensors: Batch, name: str) -> Values:
    """A reader's settings as plain values."""
    if isinstance(reader, ImageReader):
        return {"kind": "image", "column": reader.column, "shrink": reader.shrink,
                "size": list(tensors[name].shape[2:])}  # fmt: skip
    if isinstance(reader, ColumnsReader):
        return {"kind": "columns", "numbers": [*reader.numbers],
                "categories": [*reader.categories]}  # fmt: skip
    if isinstance(reader, TextReader):
        cut = reader.vocabulary.cut
        known = (key for key, function in TOKENS.items() if function is cut.tokenize)
        return {"kind": "text", "column": reader.column, "fewest": reader.fewest,
                "tokens": next(known, None), "longest": cut.longest}  # fmt: skip
    return {"kind": "own"}


def tensors_of(
    rows: Mapping[str, Any],
    readers: Mapping[str, Reader],
    settings: Values,
    label: str | None = "label",
) -> Batch:
    """``to_tensors``, also for rows of which none has a picture: zeros of the right size."""
    whole: dict[str, Any] = {}
    for name, reader in readers.items():
        if isinstance(reader, ImageReader) and not reader.present(rows, name).any():
            column = reader.column or column_of(rows, name)
            size = settings["readers"][name]["size"]
            pixels = torch.zeros(len(rows[column]), 3, *size, dtype=torch.uint8)
            whole |= {name: pixels}
    others = {name: reader for name, reader in readers.items() if name not in whole}
    tensors = to_tensors(rows, others, label)
    for name, pixels in whole.items():
        tensors["present"][name] = torch.zeros(len(pixels), dtype=torch.bool)
    return tensors | whole


# --- models from values ---------------------------------------------------------------------------


def build(
    settings: Values,
    readers: Mapping[str, Reader],
    classes: int,
    encoders: Mapping[str, MakeEncoder] | None = None,
) -> MultimodalClassifier:
    """The untrained model of these settings, for ``load_state_dict``.

    readers: fitted; encoders: as the search was given them.
    """
    joint = settings["joint"]
    parts = {}
    for name, values in settings["experts"].items():
        experts = [_expert(one, readers, classes, encoders or {}) for one in values]
        own = _encoder(joint["encoders"][name], readers, encoders or {}) if joint else None
        parts[name] = Experts(experts, classes, own)
    fusion = None
    if joint:
        fusion = JOINT[joint["fusion"]]({name: part.joint.dim for name, part in parts.items()})
    return MultimodalClassifier(parts, Pool((*parts,), classes, fusion, settings["rule"]), classes)


def _expert(
    values: Values, readers: Mapping[str, Reader], classes: int, own: Mapping[str, MakeEncoder]
) -> nn.Module:
    kind, name = values["kind"], values["reads"][0]
    if kind == "linear text":
        return LinearText(len(readers[name].vocabulary), classes, name)
    if kind == "linear pictures":
        shape = values["pixels"], values["directions"]
        return LinearPictures(*shape, classes, name, values["shrink"])
    return WithHead(_encoder(values, readers, own), classes, values.get("dropout", 0.0))


def _encoder(
    values: Values, readers: Mapping[str, Reader], own: Mapping[str, MakeEncoder]
) -> nn.Module:
    kind, name = values["kind"], values["reads"][0]
    if kind == "cnn":
        return reading(CNNEncoder(DIM, tuple(values["channels"])), name)
    if kind == "bag":
        return reading(BagEncoder(len(readers[name].vocabulary), DIM), name)
    if kind == "text cnn":
        return reading(TextCNNEncoder(len(readers[name].vocabulary), DIM), name)
    if kind == "columns":
        return reading(ColumnsEncoder(readers[name].width, DIM), name)
    if kind == "own":
        if name not in own:
            raise ValueError(f"the network of {name!r} is of your own; give encoders={{{name!r}: "
                             "...}} as the search had them")  # fmt: skip
        return own[name](readers[name])
    if kind not in ("linear", "hidden"):
        raise ValueError(f"there is no network {kind!r} for {name!r}")
    means = MeanVector(values["width"], tuple(values["reads"]))
    return Hidden(means, DIM) if kind == "hidden" else means


# --- the search -----------------------------------------------------------------------------------


@dataclass
class _Tried:
    """A model of one modality: its settings, itself, its logits of the validation rows."""

    values: Values
    module: nn.Module
    logits: Tensor
    softness: float = 1.0
    options: Values = field(default_factory=dict)


@dataclass
class _Joint:
    """A joint network: encoders, fusion, head, and its logits of the validation rows."""

    name: str
    values: Values
    encoders: dict[str, nn.Module]
    fusion: nn.Module
    head: nn.Module
    logits: Tensor


class _OutOfBudget(Exception):
    """No further model is to be begun."""


class _Search:
    """What one call of ``search`` holds together."""

    def __init__(self, rows, readers, encoders, seed, budget, limit, bar):
        self.rows, self.seed, self.budget, self.bar = rows, seed, budget, bar
        self.own, self.begun, self.limit = encoders, time.monotonic(), limit
        self.stopped, self.lines, self.slowest = False, [], 0.0
        self.joint: list[_Joint] = []
        self.readers: dict[str, Reader] = {}
        self.settings: Values = {"form": FORM, "readers": {}}
        self.tensors: dict[str, Batch] = {"train": {"present": {}}, "validation": {"present": {}}}
        self.names = [*readers]
        self.tried: dict[str, list[_Tried]] = {name: [] for name in readers}
        label = to_tensors(rows["train"], {})["label"]
        self.classes = max(len(getattr(rows["train"], "classes", ())), int(label.max()) + 1)
        for split in self.tensors:
            self.tensors[split]["label"] = to_tensors(rows[split], {})["label"]
        kind = torch.get_default_dtype()
        counts = label.bincount(minlength=self.classes).to(kind) + 1  # a class may have no row
        self.log_share = (counts / counts.sum()).log()
        for name, reader in readers.items():
            if reader is not None:
                self.add_reader(name, reader)
        self.texts = [name for name, reader in readers.items() if reader is None]
        for name in self.texts:
            column = column_of(rows["train"], name)
            self.add_reader(f"{name}_words", TextReader(column=column))

    def add_reader(self, name: str, reader: Reader) -> None:
        """Fit a reader, and take its tensors in."""
        reader = self.readers[name] = reader.fit(self.rows["train"], name)
        for split, tensors in self.tensors.items():
            found = tensors_of(self.rows[split], {name: reader}, self.settings, label=None)
            tensors["present"] |= found.pop("present")
            tensors |= found
            self.settings["readers"][name] = _values_of(reader, tensors, name)

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
            self.keep(name, self.fit_text(name, self.readers[name]))
        elif isinstance(self.readers[name], ImageReader):
            self.keep(name, self.fit_pictures(name))
        else:
            self.keep(name, self.fit_means(name))

    def linear_text(self, name: str) -> None:
        average = self.tensors["train"][f"{name}_words_length"].double().mean()
        options = [*TOKENS][:1] if is_smoke() else [*TOKENS][: 2 if average > LONG_TEXT else 3]
        best = None
        for tokens in options:
            longest = MOST_TOKENS if tokens == "pieces" else None
            reader = TextReader(tokenize=TOKENS[tokens], longest=longest)
            reader.fit(self.rows["train"], name)
            if tokens == "pieces" and len(reader.vocabulary) * self.classes > MANY_WEIGHTS:
                reader = TextReader(tokenize=TOKENS[tokens], longest=longest, fewest=2)
            self.add_reader(name, reader)
            tried = self.fit_text(name, reader)
            if best is None or self.loss(tried) < self.loss(best[0]):
                best = tried, reader
        self.add_reader(name, best[1])
        self.keep(name, best[0])

    def fit_text(self, name: str, reader: TextReader) -> _Tried:
        with self.line(name) as line:
            words = reader.vocabulary.words
            module = LinearText(len(words), self.classes, name)
            module.kind = torch.tensor([int(word.startswith(PIECE)) for word in words])
            train = self.present_rows(name)
            text, length = train[name], train[f"{name}_length"]
            module.rarity.fill_(1)
            here = _sparse(module, text, length)
            seen = np.asarray((here > 0).sum(axis=0))[0]
            module.rarity = torch.tensor(1 + np.log((1 + len(text)) / (1 + seen)),
                                         dtype=torch.get_default_dtype())  # fmt: skip
            module.rarity[:2] = 0
            features = _sparse(module, text, length)
            values = {"kind": "linear text", "reads": [*module.reads]}
            told = {"tokens": self.settings["readers"][name]["tokens"]}
            return line.done(self.strongest(name, module, values, features, told))

    def fit_pictures(self, name: str) -> _Tried:
        from sklearn.decomposition import PCA
        from threadpoolctl import threadpool_limits

        with self.line(name) as line:
            rows = self.present_rows(name)[name]
            kind, shrink = torch.get_default_dtype(), -(-max(rows.shape[2:]) // LARGEST_SIDE)
            small = LinearPictures(1, 1, self.classes, name, shrink)
            flat = torch.cat([small.flat(part["x"]) for part in Batches({"x": rows}, 256)])
            dice = np.random.default_rng(self.seed)
            some = dice.permutation(len(flat))[:MOST_PICTURES]
            count = min(DIRECTIONS, len(some), flat.shape[1])
            with threadpool_limits(1), np.errstate(invalid="ignore"):  # pictures all alike
                pca = PCA(count, svd_solver="randomized", random_state=self.seed)
                pca.fit(flat[some].numpy())
            values = {"kind": "linear pictures", "reads": [name], "pixels": flat.shape[1],
                      "directions": count, "shrink": shrink}  # fmt: skip
            module = _expert(values, self.readers, self.classes, {})
            module.mean = torch.tensor(pca.mean_, dtype=kind)
            module.directions = torch.tensor(pca.components_, dtype=kind)
            parts = Batches({"x": rows}, 256)
            features = torch.cat([module.features(part["x"]) for part in parts]).numpy()
            return line.done(self.strongest(name, module, values, features, {}))

    def fit_means(self, name: str) -> _Tried:
        with self.line(name) as line:
            train = self.present_rows(name)
            parts = [part for part in (name, f"{name}_length") if part in train]
            vectors = mean_vectors(*(train[part] for part in parts))
            values = {"kind": "linear", "reads": parts, "width": vectors.shape[1]}
            module = _expert(values, self.readers, self.classes, {})
            module.encoder.mean = vectors.mean(dim=0)
            spread = vectors.std(dim=0, unbiased=False)
            module.encoder.spread = torch.where(spread > 1e-6, spread, 1.0)
            features = module.encoder(*(train[part] for part in parts)).numpy()
            return line.done(self.strongest(name, module, values, features, {}))

    def strongest(
        self, name: str, module: nn.Module, values: Values, features: Any, told: Values
    ) -> _Tried:
        """The linear model of the strength that the validation rows like best."""
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        best, label = None, self.present_rows(name)["label"].numpy()
        for strength in STRENGTHS[1:2] if is_smoke() else STRENGTHS:
            if len(set(label.tolist())) > 1:
                with threadpool_limits(1):
                    model = LogisticRegression(C=strength, max_iter=500)
                    model.fit(features, label)
                _fill(module, model, self.classes)
            tried = self.judged(name, module, values, {**told, "C": strength})
            if best is None or self.loss(tried) < self.loss(best):
                best = _Tried(values, copy.deepcopy(module), tried.logits, tried.softness,
                              tried.options)  # fmt: skip
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
        for seed in (
            () if best is None else range(self.seed + number, self.seed + number + FURTHER_SEEDS)
        ):
            yield self.network(name, best.values, best.options, seed)

    def plan(self, name: str) -> Iterator[tuple[Values, Values]]:
        """Which networks are tried, (what it is, how it is trained)."""
        n = int(self.tensors["train"]["present"][name].sum())
        size = 32 if n < 3000 else 64
        length = int(np.clip(60_000 / n, 10, 25))
        reader = self.readers[name]
        if name in self.own:
            made = self.own[name](reader)
            yield {"kind": "own", "reads": [made.reads[0]]}, _told(length, size, 3e-3, 0.05)
        elif isinstance(reader, ImageReader):
            if min(self.tensors["train"][name].shape[2:]) < SMALLEST_SIDE:
                return
            cnn = {"kind": "cnn", "reads": [name], "channels": [16, 32, 64]}
            told = _told(length, size, 3e-3, 0.05)
            yield cnn, told | {"augment": "crops and flips"}
            yield cnn, told | {"augment": "crops"}
        elif isinstance(reader, TextReader):
            words = f"{name}_words" if name in self.texts else name
            bag = {"kind": "bag", "reads": [words], "dropout": 0.3}
            yield bag, _told(length, size, 1e-2, 0.5)
            yield {"kind": "text cnn", "reads": [words]}, _told(length, size, 2e-3, 0.05)
        elif isinstance(reader, ColumnsReader):
            yield {"kind": "columns", "reads": [name]}, _told(length, size, 3e-3, 0.05)
        else:
            yield {**self.tried[name][0].values, "kind": "hidden"}, _told(length, size, 3e-3, 0.05)

    def network(self, name: str, values: Values, options: Values, seed: int) -> bool:
        """Train one network; the modality keeps it."""
        self.may_begin(ALONE_SHARE)
        with self.line(name) as line:
            torch.manual_seed(seed)
            module = _expert(values, self.readers, self.classes, self.own)
            if values["kind"] == "hidden":
                linear = self.tried[name][0].module.encoder
                module.encoder.encoder.load_state_dict(linear.state_dict())
            self.train(_Alone(module), self.present_rows(name), options, name, seed)
            self.keep(name, line.done(self.judged(name, module, values, options)))
        return True

    def train(
        self,
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
            learning_rate=options["learning_rate"],
            weight_decay=options["weight_decay"])  # fmt: skip

    def judged(self, name: str, module: nn.Module, values: Values, options: Values) -> _Tried:
        """Its logits of the validation rows, and how they are softened to be probabilities."""
        tensors = self.tensors["validation"]
        logits = predict(_Alone(module), Batches(needed(_Alone(module), tensors), 256))
        there = tensors["present"][name]
        softness = _softness(logits[there], tensors["label"][there])
        logits = torch.where(there[:, None], logits / softness, self.log_share)
        return _Tried(values, module.eval(), logits, softness, options)

    def keep(self, name: str, tried: _Tried) -> None:
        self.tried[name].append(tried)

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
        """Whether no modality alone tells more about the label than the shares of the classes."""
        best = min(self.loss(one) for tried in self.tried.values() for one in tried)
        known = self.nll(self.log_share.expand(len(self.tensors["validation"]["label"]), -1))
        return best > (1 - LEAST_GAIN) * known.mean().item()

    def best_network(self, name: str) -> _Tried | None:
        own = [tried for tried in self.tried[name] if tried.options.get("epochs")]
        return min(own, key=self.loss) if own else None

    def first_network(self, name: str) -> _Tried:
        return next(tried for tried in self.tried[name] if tried.options.get("epochs"))

    def frozen_fusions(self, best: Mapping[str, _Tried]) -> None:
        encoders = {name: copy.deepcopy(one.module.encoder) for name, one in best.items()}
        read = [part for one in encoders.values() for part in one.reads]
        cached = {}
        for split, tensors in self.tensors.items():
            kept = {part: tensors[part] for part in (*read, "label", "present")}
            cached[split] = encode_all(encoders, Batches(kept, 256))
        options = _told(10, 64, 1e-3, 0.05)
        for name in [*FROZEN][:1] if is_smoke() else FROZEN:
            self.may_begin(1, FROZEN_SECONDS)
            with self.line("joint") as line:
                torch.manual_seed(self.seed)
                fusion = JOINT[name]({part: one.dim for part, one in encoders.items()})
                model = on_cached_features(fusion, cached, self.classes)
                self.start_from_parts(model, best)
                self.train(model, cached["train"], options, "", self.seed, cached["validation"])
                values = {"fusion": name, "encoders": {n: one.values for n, one in best.items()}}
                logits = predict(model, Batches(cached["validation"], 256))
                told = {"fusion": name, "encoders": "frozen", **options}
                self.keep_joint(line, name, values, encoders, model, logits, told)

    def end_to_end(self, best: Mapping[str, _Tried]) -> None:
        """The best frozen fusion, and one that can multiply, go on with their encoders."""
        frozen = sorted(self.joint, key=lambda one: self.nll(one.logits).mean())
        able = [one for one in frozen if one.name in MULTIPLYING]
        pictures = [name for name, one in best.items() if "augment" in one.options]
        n = len(self.tensors["train"]["label"])
        told = _told(int(np.clip(40_000 / n, 6, 15)), 32 if n < 3000 else 64, 1e-3, 0.05)
        if pictures:
            told["augment"] = TRUE_OF_PAIRS
        for start in {id(one): one for one in (*frozen[:1], *able[:1])}.values():
            self.may_begin(1)
            with self.line("joint") as line:
                encoders = copy.deepcopy(start.encoders)
                model = MultimodalClassifier(encoders, copy.deepcopy(start.fusion), self.classes)
                model.head.load_state_dict(start.head.state_dict())
                tensors = needed(model, self.tensors["validation"])
                picture = pictures[0] if pictures else ""
                self.train(model, self.tensors["train"], told, picture, self.seed, tensors)
                logits = predict(model, Batches(tensors, 256))
                said = {"fusion": start.name, "encoders": "end to end", **told}
                self.keep_joint(line, start.name, start.values, encoders, model, logits, said)

    def from_scratch(self, best: Mapping[str, _Tried]) -> None:
        """A fusion that multiplies, with fresh encoders: for labels of which no part alone tells.

        Encoders that were trained alone have then learnt their rows by heart and nothing else.
        """
        self.may_begin(1)
        with self.line("joint") as line:
            torch.manual_seed(self.seed)
            first = {name: self.first_network(name) for name in best}
            encoders = {name: _encoder(one.values, self.readers, self.own)
                        for name, one in first.items()}  # fmt: skip
            fusion = JOINT[FROM_SCRATCH]({name: one.dim for name, one in encoders.items()})
            model = MultimodalClassifier(encoders, fusion, self.classes)
            pictures = [name for name, one in first.items() if "augment" in one.options]
            told = {**max((one.options for one in first.values()), key=len),
                    "learning_rate": 2e-3, "weight_decay": 0.01}  # fmt: skip
            if pictures:
                told["augment"] = TRUE_OF_PAIRS
            validation = needed(model, self.tensors["validation"])
            picture = pictures[0] if pictures else ""
            self.train(model, self.tensors["train"], told, picture, self.seed, validation)
            logits = predict(model, Batches(validation, 256))
            values = {
                "fusion": FROM_SCRATCH,
                "encoders": {n: one.values for n, one in first.items()},
            }
            said = {"fusion": FROM_SCRATCH, "encoders": "from scratch", **told}
            self.keep_joint(line, FROM_SCRATCH, values, encoders, model, logits, said)

    def start_from_parts(self, model: MultimodalClassifier, best: Mapping[str, _Tried]) -> None:
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

    def keep_joint(self, line, name, values, encoders, model, logits, told) -> None:
        there = torch.stack([self.tensors["validation"]["present"][n] for n in self.names], dim=1)
        there, label = there.all(dim=1), self.tensors["validation"]["label"]
        softness = _softness(logits[there], label[there])
        with torch.no_grad():  # the pool reads its evidence as it stands
            model.head.weight /= softness
            model.head.bias /= softness
        logits = torch.where(there[:, None], logits / softness, self.log_share)
        self.joint.append(_Joint(name, values, encoders, model.fusion, model.head, logits))
        line.tell("joint", told, logits)

    # --- judging and choosing

    def nll(self, logits: Tensor) -> Tensor:
        """The log loss of each validation row, (n,)."""
        return F.cross_entropy(logits.double(), self.tensors["validation"]["label"],
                               reduction="none")  # fmt: skip

    def shares(self) -> Tensor:
        """What a model says that knows nothing, for each validation row."""
        return self.log_share.expand(len(self.tensors["validation"]["label"]), -1)

    def loss(self, tried: _Tried) -> float:
        return self.nll(tried.logits).mean().item()

    def may_begin(self, share: float, expected: float | None = None) -> None:
        """Raises _OutOfBudget where time or number of models do not allow another one."""
        spent = time.monotonic() - self.begun
        if self.budget is not None and len(self.lines) >= self.budget * share:
            raise _OutOfBudget
        if spent > self.limit * share - 0.5 * (self.slowest if expected is None else expected):
            raise _OutOfBudget

    def line(self, name: str) -> "_Line":
        return _Line(self, name)

    def experts(self, name: str) -> list[_Tried]:
        """The experts of a modality: the best, then whoever lowers the loss of their mean."""
        left = sorted(self.tried[name], key=self.loss)
        chosen, best = [], np.inf
        while left:
            losses = [self.nll(self.mean([*chosen, one])).mean().item() for one in left]
            place = int(np.argmin(losses))
            if losses[place] >= best:
                break
            best = losses[place]
            chosen.append(left.pop(place))
        return chosen

    def mean(self, tried: Sequence[_Tried]) -> Tensor:
        logits = torch.stack([one.logits for one in tried], dim=1)
        return evidence(logits, self.log_share) + self.log_share

    def found(self) -> Found:
        """Choose the rule by which the modalities come together, and build the model."""
        experts = {name: self.experts(name) for name in self.names}
        alone = {name: self.assembled({name: own}, "product") for name, own in experts.items()}
        candidates = self.candidates(experts)
        name, (rule, weights, joint), said = self.choose(candidates)
        model, settings = self.assembled(experts, rule, weights, joint)
        settings = {"fusion": name, **settings}
        read = {*model.reads, *self.names}
        readers = {n: one for n, one in self.readers.items() if n in read}
        settings["readers"] = {n: self.settings["readers"][n] for n in readers}
        tensors = tensors_of(self.rows["test"], readers, settings)
        trained = {n: self.trained(one[0], tensors, n) for n, one in alone.items()}
        logits = predict(model, Batches(needed(model, tensors), 256))
        return Found(model, readers, settings, self.table(), trained, logits, said, self.stopped)

    def trained(self, model: nn.Module, tensors: Batch, name: str) -> Trained:
        logits = self.mean(self.experts(name))
        right = (logits.argmax(dim=1) == self.tensors["validation"]["label"]).double().mean()
        history = History(validation_loss=[self.nll(logits).mean().item()],
                          validation_accuracy=[right.item()])  # fmt: skip
        return Trained(model, predict(model, Batches(needed(model, tensors), 256)), history)

    def candidates(self, experts: Mapping[str, list[_Tried]]) -> dict[str, Any]:
        """{name: (validation logits, (rule, weights, joint network))}, simplest first."""
        present = self.tensors["validation"]["present"]
        there = torch.stack([present[name] for name in self.names], dim=1)
        found = torch.stack([self.mean(own) - self.log_share for own in experts.values()], dim=1)
        ones = torch.ones(len(self.names))
        if len(self.names) == 1:
            return {"alone": (found[:, 0] + self.log_share, ("product", ones, None))}
        weights = self.fitted(found, there, ones)
        rules = {"product": ones, "mean of probabilities": ones, "weighted product": weights}
        options = {}
        for rule, own in rules.items():
            logits = pooled(found, there, own, rule, self.log_share) + self.log_share
            options[rule] = logits, (rule, own, None)
        if self.joint:
            joint = min(self.joint, key=lambda one: self.nll(one.logits).mean())
            found = torch.cat([found, (joint.logits.log_softmax(1) - self.log_share)[:, None]], 1)
            there = torch.cat([there, there.all(dim=1, keepdim=True)], dim=1)
            weights = self.fitted(found, there, torch.cat([ones, torch.zeros(1)]))
            logits = pooled(found, there, weights) + self.log_share
            name = f"weighted product with {joint.name}"
            options[name] = logits, ("weighted product", weights, joint)
        for name, (logits, _) in options.items():
            self.lines.append(self.row("fusion", {"fusion": name}, logits, 0.0))
        return options

    def fitted(self, found: Tensor, there: Tensor, prior: Tensor) -> Tensor:
        """Weights of least log loss on validation rows, drawn to ``prior``; none negative."""
        weights = prior.clone().double().requires_grad_()
        optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")
        found, label = found.double(), self.tensors["validation"]["label"]

        def closure() -> Tensor:
            optimizer.zero_grad()
            logits = pooled(found, there, weights) + self.log_share
            loss = F.cross_entropy(logits, label, reduction="sum")
            loss = loss + 0.5 * (weights - prior).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return weights.detach().clamp(min=0).to(prior)

    def choose(self, options: Mapping[str, Any]) -> tuple[str, Any, str]:
        """The simplest that is not worse than the best by more than a standard error."""
        losses = {name: self.nll(logits) for name, (logits, _) in options.items()}
        best = min(losses, key=lambda name: losses[name].mean().item())
        for name, loss in losses.items():
            worse = loss - losses[best]
            error = worse.std().item() / len(worse) ** 0.5 if len(worse) > 1 else 0.0
            if name == best or worse.mean().item() <= error:
                break
        right = (options[name][0].argmax(1) == self.tensors["validation"]["label"]).double().mean()
        said = f"chosen: {name}, right in {right:.3f} of the {len(loss):,} validation rows"
        if name != best:
            said += f" (simpler than {best}, and not clearly worse)"
        return name, options[name][1], said

    def assembled(
        self,
        experts: Mapping[str, list[_Tried]],
        rule: str,
        weights: Tensor | None = None,
        joint: _Joint | None = None,
    ) -> tuple[MultimodalClassifier, Values]:
        """The model of these experts, with its settings."""
        settings = {
            **self.settings,
            "rule": rule,
            "experts": {name: [one.values for one in own] for name, own in experts.items()},
            "joint": joint and joint.values,
        }
        parts = {}
        for name, own in experts.items():
            modules = [copy.deepcopy(one.module) for one in own]
            encoder = copy.deepcopy(joint.encoders[name]) if joint else None
            parts[name] = Experts(modules, self.classes, encoder)
            parts[name].softness = torch.tensor([one.softness for one in own])
            parts[name].log_share = self.log_share.clone()
        fusion = Pool((*parts,), self.classes, joint and copy.deepcopy(joint.fusion), rule)
        fusion.log_share = self.log_share.clone()
        if joint:
            fusion.head = copy.deepcopy(joint.head)
        if weights is not None:
            fusion.weights.data = weights.clone()
        model = MultimodalClassifier(parts, fusion, self.classes)
        with torch.no_grad():  # what the pool gives is evidence; with the shares it is log p(y | x)
            model.head.weight.copy_(torch.eye(self.classes))
            model.head.bias.copy_(self.log_share)
        return model.eval(), settings

    def row(self, part: str, told: Values, logits: Tensor, seconds: float) -> Values:
        right = (logits.argmax(dim=1) == self.tensors["validation"]["label"]).double().mean().item()
        settings = ", ".join(f"{key} {value}" for key, value in told.items())
        return {"part": part, "settings": settings, "validation accuracy": right,
                "validation loss": self.nll(logits).mean().item(), "seconds": seconds}  # fmt: skip

    def table(self) -> Any:
        import pandas as pd

        return pd.DataFrame(self.lines)


class _Line:
    """One model that is tried: its line in the table, its time, its step of the bar."""

    def __init__(self, run: _Search, name: str):
        self.run, self.name = run, name

    def __enter__(self) -> "_Line":
        self.begun = time.monotonic()
        self.run.bar.describe(self.name)
        return self

    def __exit__(self, kind: Any, *_: Any) -> bool:
        failed = kind is not None and issubclass(kind, TrainingStopped)
        if failed:  # its loss became infinite: it is tried, and not chosen
            unknown = torch.full_like(self.run.shares(), torch.nan)
            self.tell(self.name, {"failed": "its loss was no longer a number"}, unknown)
        if kind is None or failed:
            self.run.bar.update()
        return failed

    def done(self, tried: _Tried) -> _Tried:
        told = {**{k: v for k, v in tried.values.items() if k not in ("reads", "pixels", "width")}}
        self.tell(self.name, told | tried.options, tried.logits)
        return tried

    def tell(self, part: str, told: Values, logits: Tensor) -> None:
        seconds = time.monotonic() - self.begun
        self.run.slowest = max(self.run.slowest, seconds)
        self.run.lines.append(self.run.row(part, told, logits, seconds))


class _Alone(nn.Module):
    """An expert as a model that takes batches."""

    def __init__(self, expert: nn.Module):
        super().__init__()
        self.expert, self.reads = expert, expert.reads

    def forward(self, batch: Batch) -> Tensor:
        return self.expert(*(batch[part] for part in self.reads))


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


def _softness(logits: Tensor, label: Tensor) -> float:
    """By what logits are divided to have the least log loss (Guo et al., 2017): 0.3 to 10."""
    if not len(label):
        return 1.0
    tried = np.geomspace(0.3, 10, 40)
    losses = [F.cross_entropy(logits.double() / t, label).item() for t in tried]
    return float(tried[int(np.argmin(losses))])


def _sparse(module: LinearText, text: Tensor, length: Tensor) -> Any:
    """What ``LinearText`` sees, as a sparse matrix (n, words)."""
    from scipy.sparse import csr_matrix

    tokens, value = module.values(text, length)
    row, place = value.nonzero(as_tuple=True)
    entries = value[row, place].numpy(), (row.numpy(), tokens[row, place].numpy())
    return csr_matrix(entries, shape=(len(text), len(module.rarity)))


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
