"""A trained classifier as one file: what it takes to use it on new pictures, texts and cells.

The file holds weights, the readers' state (vocabulary, how texts are cut, scales of columns), class
names, the size of the pictures, the settings that ``search.build`` makes the network of, versions,
and a sentence on what taught it. It holds plain values and tensors alone and is loaded with
``weights_only=True``, so that opening a stranger's file runs no code of theirs.
"""

import importlib.metadata
import inspect
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batch, Batches, to_tensors
from course_utils.data.readers import (
    ArrayReader,
    ColumnsReader,
    ImageReader,
    Reader,
    TextReader,
    read_image,
)
from course_utils.data.rows import BadData, Rows, column_of, count_rows
from course_utils.data.text import Vocabulary
from course_utils.experiment import needed
from course_utils.recipes import TOKENS, build
from course_utils.training import predict

KIND, FORM = "classifier of course_utils", 1
AGAIN = "make it anew with `python -m course_utils.classify train`"
KINDS = {kind.__name__: kind for kind in (ArrayReader, ColumnsReader, ImageReader, TextReader)}
LEARNT = ("scales", "values")  # what ``fit`` teaches a reader beside its arguments
# Cut into tokens when a file is written and when it is read: where the two differ, the numbers of
# the vocabulary would name other words.
PROBE = "L'été: 3 cafés, don't! Straße 12.50 \u0939\u093f\u0928\u094d\u0926\u0940 雨の日 مرحبا"


class Answer(NamedTuple):
    """Which model answers where these modalities are given, and how often it was right.

    model: its name in ``Classifier.models``; accuracy: on ``rows`` validation rows, of which it
    saw these modalities alone; NaN and 0 where nobody measured it.
    """

    given: tuple[str, ...]
    model: str
    accuracy: float = float("nan")
    rows: int = 0


@dataclass(repr=False)
class Classifier:
    """A trained classifier that takes files, sentences and cells, any of them missing.

    classes: their names in the order of the models' outputs; readers: {modality: fitted reader}.
    models: {name: (settings, model)}, the one called ``chosen`` first among them; the others read
        one modality, that of their name.
    answers: which model answers where not all modalities are given.
    columns_of: {modality: its column} as the rows that taught it name them.
    size: (H, W) in pixels of the pictures that the models know; None where they read none.
    about: a sentence on what taught it; details: further plain values that go into the file.
    versions: {"course", "torch"}: those that wrote the file.
    """

    classes: tuple[str, ...]
    readers: dict[str, Reader]
    models: dict[str, tuple[dict[str, Any], MultimodalClassifier]]
    answers: list[Answer] = field(default_factory=list)
    columns_of: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    about: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What its models read, by name, those of the chosen one first."""
        names = [name for _, model in self.models.values() for name in model.encoders]
        return tuple(dict.fromkeys(names))

    def readers_of(self, modality: str) -> tuple[str, ...]:
        """The readers whose tensors belong to a modality: several may read one column."""
        encoders = [model.encoders[modality] for _, model in self.models.values()
                    if modality in model.encoders]  # fmt: skip
        read = {part for encoder in encoders for part in encoder.reads}
        return tuple(name for name in self.readers if name == modality or name in read)

    def predict(
        self,
        image: str | Path | np.ndarray | None = None,
        text: str | None = None,
        cells: Mapping[str, Any] | None = None,
    ) -> dict[str, float]:
        """The probability of each class, {name: from 0 to 1}, likeliest first.

        image: a file, or an array (H, W, 3) uint8 of any size; text: the text; cells: {column:
        number or category}. What is missing, None or empty is absent; one thing must be there.

        Raises BadData for a picture that cannot be read; ValueError for other bad input.
        """
        (row,) = self.predict_rows(self.row(image, text, cells)).tolist()
        return dict(sorted(zip(self.classes, row, strict=True), key=lambda pair: -pair[1]))

    def predict_rows(self, rows: Mapping[str, Any]) -> Tensor:
        """Probabilities (n, C) for rows as ``read_folder`` gives them; they need no label.

        A column that the rows lack, or an entry that is None, is absent.

        Raises ValueError where a row has nothing that a model reads.
        """
        tensors, given = self.tensors(rows)
        probabilities = torch.full((len(given), len(self.classes)), torch.nan)
        for pattern in given.unique(dim=0):
            rows_so = (given == pattern).all(dim=1).nonzero()[:, 0]
            there = zip(self.modalities, pattern.tolist(), strict=True)
            names = [name for name, is_there in there if is_there]
            _, model = self.models[self.answer_for(names, int(rows_so[0])).model]
            batch = Batches(needed(model, tensors), 256).pick(rows_so)
            probabilities[rows_so] = predict(model, [batch]).softmax(dim=1)
        return probabilities

    def answer_for(self, given: Sequence[str], row: int = 0) -> Answer:
        """Who answers where these modalities are given.

        Raises ValueError where none of them is read by any model.
        """
        kept = [answer for answer in self.answers if {*answer.given} == {*given}]
        able = [Answer(tuple(given), name) for name in self.able(given)]
        if not (kept or able):
            needs = " or ".join(self.modalities)
            raise ValueError(f"row {row} has nothing to answer from: give {needs}")
        return (kept or able)[0]

    @property
    def chosen_name(self) -> str:
        """What tables call the chosen model: its fusion, or the modality that it reads."""
        settings, model = self.models["chosen"]
        if len(model.encoders) == 1:
            return f"{next(iter(model.encoders))} alone"
        together = "both" if len(model.encoders) == 2 else "all"
        return f"{together}: {settings.get('fusion', type(model.fusion).__name__)}"

    def able(self, given: Sequence[str]) -> Iterator[str]:
        """The models that read one of these modalities, the chosen one first."""
        for name in sorted(self.models, key=lambda name: name != "chosen"):
            if {*self.models[name][1].encoders} & {*given}:
                yield name

    # --- from what is given to tensors

    def row(self, image: Any = None, text: str | None = None, cells: Any = None) -> Rows:
        """What is given, as one row; arguments and errors as in ``predict``."""
        columns: dict[str, Any] = {}
        if image is not None:
            columns[self._column("image", "a picture")] = [self._picture(image)]
        if text is not None:
            if not isinstance(text, str):
                raise ValueError(f"text={text!r} is a {type(text).__name__}; give a string")
            columns[self._column("text", "a text")] = [text if text.strip() else None]
        for name, value in (cells or {}).items():
            columns[name] = [self._cell(name, value)]
        if all(value is None for (value,) in columns.values()):
            raise ValueError("there is nothing to answer from: give at least one of "
                             f"{', '.join(self.inputs)}")  # fmt: skip
        return Rows(columns, modalities=self.columns_of)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What a prediction may be given: image, text, and the names of columns."""
        others = [
            name for name in self.modalities if not isinstance(self.readers[name], ColumnsReader)
        ]
        return (*others, *self.columns)

    @property
    def columns(self) -> dict[str, ColumnsReader]:
        """The columns of the table that it reads, with their reader."""
        tables = [one for one in self.readers.values() if isinstance(one, ColumnsReader)]
        return {name: table for table in tables for name in (*table.numbers, *table.categories)}

    def _column(self, modality: str, what: str) -> str:
        if modality not in self.readers:
            raise ValueError(f"this classifier reads no {modality}, so {what} tells it nothing; it "
                             f"reads {', '.join(self.inputs)}")  # fmt: skip
        return self.columns_of.get(modality, modality)

    def _cell(self, name: str, value: Any) -> Any:
        if name not in self.columns:
            known = ", ".join(self.columns) or "no column of a table"
            raise ValueError(f"this classifier reads no column {name!r}; it reads {known}")
        if value is None or not str(value).strip():
            return None
        if name in self.columns[name].numbers:
            try:
                if np.isfinite(float(value)):
                    return float(value)
            except (TypeError, ValueError):
                pass
            raise ValueError(f"the column {name!r} holds numbers, and {value!r} is none to reckon "
                             "with; write it as 12.5, or leave it out")  # fmt: skip
        return str(value).strip()

    def _picture(self, image: str | Path | np.ndarray) -> np.ndarray:
        """The picture as the training pictures were: (H, W, 3) uint8 of ``size``."""
        if isinstance(image, str | Path):
            return read_image(image, self.size)
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(
                "a picture is a file or an array (H, W, 3) of whole numbers 0 to 255 (uint8), not "
                f"one of {pixels.dtype} {pixels.shape}"
            )
        if pixels.shape[:2] == self.size:
            return pixels
        file = io.BytesIO()  # the one way to fit a picture is that of files
        Image.fromarray(pixels).save(file, "png")
        return read_image(file, self.size)

    def tensors(self, rows: Mapping[str, Any]) -> tuple[Batch, Tensor]:
        """What the models read, and which of ``modalities`` each row has: (n, M) bool."""
        n = count_rows(rows)
        whole = Rows(rows, modalities={**self.columns_of, **getattr(rows, "modalities", {})})
        present = {}
        for name, reader in self.readers.items():
            self._add_blanks(whole, name, reader, n)
            present[name] = reader.present(whole, name)
            if isinstance(reader, ImageReader):  # rows without any picture have no size
                column = reader.column or column_of(whole, name)
                if not present[name].all():
                    blank = np.zeros((*self.size, 3), np.uint8)
                    whole[column] = [blank if cell is None else cell for cell in whole[column]]
        tensors = to_tensors(whole, self.readers, label=None) | {"present": present}
        here = [torch.stack([present[name] for name in self.readers_of(modality)]).any(dim=0)
                for modality in self.modalities]  # fmt: skip
        return tensors, torch.stack(here, dim=1)

    def _add_blanks(self, rows: Rows, modality: str, reader: Reader, n: int) -> None:
        """Columns of nothing for those that the rows lack."""
        if isinstance(reader, ColumnsReader):
            wanted = (*reader.numbers, *reader.categories)
        else:
            wanted = (reader.column or rows.modalities.get(modality, modality),)
        for name in wanted:
            rows.setdefault(name, [None] * n)

    def remarks(self, rows: Mapping[str, Any]) -> list[str]:
        """What of the first row tells the models nothing, in sentences."""
        said = self._on_unknown_words(rows)
        for name, reader in self.columns.items():
            value = next(iter(rows.get(name, ())), None)
            if name in reader.categories and value not in (None, *reader.values[name]):
                said.append(f"{name}: no training row has {value!r}, so it counts as absent; known "
                            f"are {_few(reader.values[name])}.")  # fmt: skip
        return said

    def _on_unknown_words(self, rows: Mapping[str, Any]) -> list[str]:
        """A sentence on each text of which no reader knows a word."""
        knows: dict[str, bool] = {}
        for name, reader in self.readers.items():
            column = self._text_column(name, reader)
            text = next(iter(rows.get(column, ())), None) if column else None
            if text is not None:
                (tokens,) = reader.cut.tokens([text])
                known = any(reader.vocabulary.ids.get(token, 1) > 1 for token in tokens)
                knows[column] = knows.get(column, False) or known
        return [f"{column}: no training row has any of these words, so the text tells almost "
                "nothing; write it in words of the training rows."
                for column, known in knows.items() if not known]  # fmt: skip

    def _text_column(self, name: str, reader: Reader) -> str:
        """The column that a reader of texts reads; "" for other readers."""
        if not isinstance(reader, TextReader):
            return ""
        return reader.column or self.columns_of.get(name, name)

    def __repr__(self) -> str:
        classes = f"{len(self.classes)} classes ({_few(self.classes)})"
        reads = ", ".join(self.inputs)
        return f"Classifier of {classes} that reads {reads}. {self.about}".rstrip()


def _few(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# --- writing --------------------------------------------------------------------------------------


def save(
    path: str | Path,
    model: MultimodalClassifier,
    readers: Mapping[str, Reader],
    settings: Mapping[str, Any],
    classes: Sequence[str],
    *,
    size: tuple[int, int] | None = None,
    columns_of: Mapping[str, str] | None = None,
    about: str = "",
) -> Path:
    """Write a trained model with what it takes to use it, and return the path; ``load`` reads it.

    settings: those that ``search.build(settings, readers, len(classes))`` makes the model of.
    size: (H, W) of the pictures; needed where a reader reads pictures.
    columns_of: {modality: its column}, the ``modalities`` of the rows that taught it.
    about: a sentence on what taught it.

    Errors as in ``save_classifier``, which also takes models for when something is missing.
    """
    models = {"chosen": (dict(settings), model)}
    return save_classifier(path, Classifier(tuple(classes), dict(readers), models, size=size,
                           columns_of=dict(columns_of or {}), about=about))  # fmt: skip


def save_classifier(path: str | Path, classifier: Classifier) -> Path:
    """Write a classifier and return the path.

    The file is written under another name first, so that a stop leaves the old one, or none.
    Raises ValueError for a reader or a setting that no file can hold.
    """
    state = _state(classifier)
    path = Path(path)
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.save(state, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _state(classifier: Classifier) -> dict[str, Any]:
    """What goes into the file: plain values and tensors."""
    readers, size = classifier.readers, classifier.size
    if size is None and any(isinstance(one, ImageReader) for one in readers.values()):
        raise ValueError("the model reads pictures: say their height and width with size=(H, W)")
    return {
        "kind": KIND,
        "form": FORM,
        "versions": versions(),
        "classes": [str(name) for name in classifier.classes],
        "readers": {name: _state_of(reader, name) for name, reader in readers.items()},
        "tokens": _probe(),
        "models": {
            name: {"settings": _plain(settings, "settings"), "weights": model.state_dict()}
            for name, (settings, model) in classifier.models.items()
        },
        "answers": [list(answer) for answer in classifier.answers],
        "columns of": _plain(classifier.columns_of, "columns_of"),
        "size": None if size is None else list(map(int, size)),
        "about": str(classifier.about),
        "details": _plain(classifier.details, "details"),
    }


def _probe() -> dict[str, list[str]]:
    """How each way of cutting texts cuts one of them."""
    return {name: list(cut(PROBE)) for name, cut in TOKENS.items()}


def versions() -> dict[str, str]:
    """Of the course and of torch, as they run here."""
    try:
        course = importlib.metadata.version("course-utils")
    except importlib.metadata.PackageNotFoundError:  # it is used from its folder
        course = "not installed"
    return {"course": course, "torch": str(torch.__version__)}


def _state_of(reader: Reader, modality: str) -> dict[str, Any]:
    """A reader's arguments and what it learnt, as plain values."""
    kind = type(reader)
    if KINDS.get(kind.__name__) is not kind:
        raise ValueError(f"the reader of {modality!r} is a {kind.__name__}, which is not the "
                         f"course's own: a file can hold {', '.join(KINDS)}")  # fmt: skip
    names = [*inspect.signature(kind).parameters, *LEARNT]
    kept = {name: getattr(reader, name) for name in names if hasattr(reader, name)}
    if isinstance(reader, TextReader):
        kept["vocabulary"] = _vocabulary_state(reader, modality)
    return {"kind": kind.__name__, **_plain(kept, f"the reader of {modality!r}")}


def _vocabulary_state(reader: TextReader, modality: str) -> dict[str, Any]:
    """The words, and how texts are cut into them."""
    if reader.vocabulary is None:
        raise ValueError(f"the reader of {modality!r} has no vocabulary: fit it first")
    tokenize, longest, phrases = reader.vocabulary.cut.settings
    name = next((name for name, known in TOKENS.items() if known is tokenize), None)
    if name is None:
        raise ValueError(
            f"the texts of {modality!r} are cut by a function of your own "
            f"({getattr(tokenize, '__name__', type(tokenize).__name__)}), and a file holds no "
            "functions; cut the texts before they are read, and join the tokens with blanks"
        )
    words = list(reader.vocabulary.words[2:])
    return {"words": words, "tokens": name, "longest": longest, "phrases": phrases}


def _plain(value: Any, where: str) -> Any:
    """The value as dicts, lists, strings and numbers of Python's own, or ValueError."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str):  # not a subclass, which ``weights_only`` refuses
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(part, where) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(part, where) for part in value)
    raise ValueError(
        f"{where} holds {value!r}, a {type(value).__name__}, which no file can hold: plain values "
        "are numbers, strings, None, lists and dicts of them"
    )


# --- reading --------------------------------------------------------------------------------------


def load(path: str | Path) -> Classifier:
    """The classifier in a file that ``save`` wrote.

    Raises BadData, one sentence, for a file that is missing, cut off, of another kind or version.
    """
    path = Path(path).expanduser()
    state = _checked(path, _read(path))
    try:
        return _classifier(path, state)
    except BadData:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as problem:
        raise BadData(f"{path} is damaged, or was changed by hand ({type(problem).__name__}: "
                      f"{problem}); {AGAIN}") from None  # fmt: skip


def _classifier(path: Path, state: Mapping[str, Any]) -> Classifier:
    """The classifier that a file's content describes."""
    readers = {name: _made_from(kept) for name, kept in state["readers"].items()}
    classes = tuple(state["classes"])
    models = {
        name: (kept["settings"], _model(path, kept, readers, len(classes)))
        for name, kept in state["models"].items()
    }
    answers = [Answer(tuple(given), *rest) for given, *rest in state["answers"]]
    if strangers := {"chosen", *(answer.model for answer in answers)} - {*models}:
        raise KeyError(*strangers)
    size = None if state["size"] is None else tuple(state["size"])
    return Classifier(classes, readers, models, answers, state["columns of"], size, state["about"],
                      state["details"], state["versions"])  # fmt: skip


def _read(path: Path) -> Any:
    """What torch finds in the file, or the sentence that says why there is nothing."""
    if path.is_dir():
        raise BadData(f"{path} is a folder; give the model file in it")
    if not path.is_file():
        raise BadData(f"there is no file {path}; give the model file that `train` wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # torch does not compare the checksums
        if broken is None:
            return torch.load(path, map_location="cpu", weights_only=True)
        fault = "is damaged: a part of it is not as it was written"
    except zipfile.BadZipFile:
        fault = "is no model file, or was cut off"
    except PermissionError:
        raise BadData(f"{path} may not be read; ask its owner for the right to") from None
    except Exception as problem:  # torch.load raises whatever its parts raise
        foreign = re.search(r"GLOBAL ([\w.]+)", str(problem))
        fault = "is no model file"
        if foreign:
            fault = f"holds an object of {foreign[1]}, which could run code, and is not opened"
    raise BadData(f"{path} {fault}; {AGAIN}")


def _checked(path: Path, state: Any) -> dict[str, Any]:
    """The file's content, if it is a classifier that this course can read."""
    if not isinstance(state, dict) or state.get("kind") != KIND:
        raise BadData(f"{path} {_what_else(state)}, not a classifier's model file; {AGAIN}")
    if state.get("form") != FORM:
        raise BadData(f"{path} is of form {state.get('form')!r}, and this course reads form "
                      f"{FORM}; use the course that wrote it, or {AGAIN}")  # fmt: skip
    if state.get("tokens") != _probe():
        raise BadData(f"{path} was written by a course that cuts texts into words in another way; "
                      f"use that one, or {AGAIN}")  # fmt: skip
    return state


def _what_else(state: Any) -> str:
    if isinstance(state, dict) and "optimizer" in state:
        return "is a checkpoint of fit"
    if isinstance(state, dict) and state and all(isinstance(v, Tensor) for v in state.values()):
        return "holds weights alone (a state_dict)"
    return f"holds a {type(state).__name__} of torch"


def _made_from(kept: Mapping[str, Any]) -> Reader:
    """A reader from its state."""
    kind = KINDS[kept["kind"]]
    arguments = {name: kept[name] for name in inspect.signature(kind).parameters if name in kept}
    if text := arguments.get("vocabulary"):
        cut = {"tokenize": TOKENS[text["tokens"]], "longest": text["longest"]}
        arguments["vocabulary"] = Vocabulary(text["words"], **cut, phrases=text["phrases"])
    reader = kind(**arguments)
    for name in LEARNT:
        if name in kept:
            setattr(reader, name, kept[name])
    return reader


def _model(
    path: Path, kept: Mapping[str, Any], readers: Mapping[str, Reader], classes: int
) -> MultimodalClassifier:
    try:
        with torch.random.fork_rng(devices=[]):  # first weights are drawn, and then replaced
            model = build(kept["settings"], readers, classes)
        model.load_state_dict(kept["weights"])
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError) as problem:
        said = " ".join(str(problem).split())[:200]
        raise BadData(f"{path} holds a model that this version of the course does not build "
                      f"({said}); use the course that wrote it, or {AGAIN}") from None  # fmt: skip
    return model.eval()
