"""Train, report and predict on a folder of pictures with a table, as a command and as functions.

    python -m course_utils.classify train FOLDER --label season
    python -m course_utils.classify report classifier
    python -m course_utils.classify predict classifier/model.pt --image new.jpg --text "red shoes"

``train`` reads the folder, searches settings on the validation rows, writes the model into a file,
and judges it on the test rows in a report. The functions of the same names do the same in Python.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch

from course_utils import model_file
from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader
from course_utils.data.rows import BadData, Rows, take
from course_utils.data.table import shown
from course_utils.display import progress_bar
from course_utils.encoders import CNNEncoder
from course_utils.findings import choose_answers, measure, validation_accuracies
from course_utils.fusion import ConcatFusion
from course_utils.measures import wilson_interval
from course_utils.model_file import Classifier
from course_utils.own_folder import (
    Reading,
    Say,
    as_delimiter,
    as_options,
    as_reading,
    columns_reader,
    complete,
    fingerprint,
    in_words,
    read_splits,
)
from course_utils.report import write_report
from course_utils.search import Found, search, usual_minutes
from course_utils.training import fit

ROWS_SEEN = 60_000  # by a network in training, as ``search`` plans it
MODEL, REPORT = "model.pt", "report.html"
COMMAND = "python -m course_utils.classify"


class Training(NamedTuple):
    """What ``train`` leaves: the classifier and its files.

    stopped: whether somebody ended it early; ``report`` is None where there was no time for it.
    """

    classifier: Classifier
    model: Path
    report: Path | None
    stopped: bool


# --- train ----------------------------------------------------------------------------------------


def train(
    folder: str | Path,
    *,
    minutes: float | None = None,
    out: str | Path = "classifier",
    seed: int = 0,
    say: Say = print,
    **reading: Any,
) -> Training:
    """Teach a classifier from a folder; write ``model.pt`` and ``report.html`` into ``out``.

    minutes: for the search, by default as many as the rows are worth; seed: of the division into
        splits and of the training. say: takes the sentences on the way.
    reading: as in ``Reading``. Columns that are not named are guessed, and what was guessed is
        said.

    Ctrl-C ends the search with the best model so far, which is written; there is no report then.
    Raises BadData for bad data and ValueError for bad arguments, one sentence each.
    """
    out = Path(out).expanduser()
    _check_arguments(out, minutes)
    asked = complete(as_reading(folder, reading), say)
    began = time.monotonic()
    splits = read_splits(asked, seed, say)
    minutes = usual_minutes(splits) if minutes is None else minutes
    say(in_words(asked, splits))
    say(_how_long(splits, minutes, (time.monotonic() - began) / 60))
    found = search(
        splits, minutes=minutes, seed=seed, readers=columns_reader(asked, splits["train"])
    )
    classifier = _classifier(found, splits, asked, seed)
    model = model_file.save_classifier(out / MODEL, classifier)
    say(f"model: {model}")
    if found.stopped:
        say(f"stopped: this is the best model so far; {COMMAND} report {out} judges it")
        return Training(classifier, model, None, True)
    page = _report(classifier, splits, out / REPORT, say)
    return Training(classifier, model, page, page is None)


def _check_arguments(out: Path, minutes: float | None) -> None:
    if (out / MODEL).exists():
        raise ValueError(f"there is a model in {out} already; give another folder with --out, or "
                         f"delete {out / MODEL}")  # fmt: skip
    if minutes is not None and not minutes > 0:
        raise ValueError(f"--minutes is a number above 0, not {minutes}")
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):  # told before the work, not after it
        raise ValueError(f"nothing can be written into {there}; give another folder with --out")


def _classifier(found: Found, splits: Mapping[str, Rows], asked: Reading, seed: int) -> Classifier:
    """What the search found, as it is kept: with who answers where something is missing."""
    train = splits["train"]
    models = {"chosen": (found.settings, found.model)}
    for name, trained in found.alone.items() if len(found.alone) > 1 else ():
        alone = {**found.settings, "experts": {name: found.settings["experts"][name]},
                 "joint": None, "rule": "product"}  # fmt: skip
        # The same experts as in the chosen model, and then they stand once in the file.
        trained.model.encoders[name].experts = found.model.encoders[name].experts
        models[name] = (alone, trained.model)
    details = {
        "reading": asdict(asked) | {"seed": seed, "fingerprint": fingerprint(asked)},
        "tried": found.table.to_dict("records"),
        "choice": found.choice,
    }
    classifier = Classifier(
        train.classes, dict(found.readers), models, [], dict(train.modalities),
        (asked.size, asked.size), "", details, model_file.versions(),
    )  # fmt: skip
    classifier.answers = choose_answers(classifier, splits["validation"])
    details["validation"] = validation_accuracies(classifier, splits["validation"])
    classifier.about = _about(classifier, splits, asked)
    return classifier


def _about(classifier: Classifier, splits: Mapping[str, Rows], asked: Reading) -> str:
    """On what it was taught, when, and how good it is."""
    label = np.asarray(splits["test"]["label"])
    right = int((classifier.predict_rows(splits["test"]).argmax(dim=1).numpy() == label).sum())
    low, high = wilson_interval(right, len(label))
    return (
        f"Taught on {date.today().isoformat()} by {len(splits['train']['label']):,} rows of "
        f"{asked.table} to name {asked.label}; right in {right / len(label):.3f} of "
        f"{len(label):,} test rows (95 % interval {low:.3f} to {high:.3f})."
    )


# --- what is said before --------------------------------------------------------------------------


def _how_long(splits: Mapping[str, Rows], minutes: float, reading: float) -> str:
    """How long it will take: the search as told, the rest by what a small piece takes."""
    network, rows = (
        _minutes_of_a_network(splits),
        sum(len(part["label"]) for part in splits.values()),
    )
    # The learning curve trains on 1/8 + 1/4 + 1/2 + 1 of the rows; linear models take the rest.
    report = 2.5 * network + rows / 20_000
    many = max(1, round(minutes / network))
    return (
        f"reading took {_span(reading)}; the search takes {_span(minutes)}, for which about "
        f"{many:,} network{'s' * (many != 1)} can be trained, and the report about "
        f"{_span(report)}. Ctrl-C ends the search with the best model so far."
    )


def _minutes_of_a_network(splits: Mapping[str, Rows]) -> float:
    """A small network of pictures, timed on a few rows, taken times its rows and epochs."""
    train, n = splits["train"], len(splits["train"]["label"])
    few = take(train, range(min(n, 128)))
    tensors = to_tensors(few, {"image": ImageReader()})
    with torch.random.fork_rng(devices=[]):
        model = MultimodalClassifier({"image": CNNEncoder()}, ConcatFusion({"image": 64}),
                                     len(train.classes))  # fmt: skip
        batches = Batches(tensors, 32)
        fit(model, batches, epochs=1, progress=False)  # the first pass takes longer
        began = time.monotonic()
        fit(model, batches, epochs=1, progress=False)
    each = (time.monotonic() - began) / len(few["label"])
    return each * n * float(np.clip(ROWS_SEEN / n, 10, 25)) / 60


def _span(minutes: float) -> str:
    seconds = 60 * minutes
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{minutes:.0f} minutes"


# --- report ---------------------------------------------------------------------------------------


def report(
    model: str | Path,
    *,
    folder: str | Path | None = None,
    out: str | Path | None = None,
    say: Say = print,
) -> Path:
    """Judge a classifier on the test rows of its folder, in one HTML page; returns its path.

    model: the model file, or the folder that ``train`` wrote. folder: of the pictures and the
    table, where they have moved. out: the page, by default ``report.html`` beside the model.

    Raises BadData where the table is not the one that taught it.
    """  # fmt: skip
    path = _model_path(model)
    classifier = model_file.load(path)
    asked, seed = _kept_reading(path, classifier, folder)
    splits = read_splits(asked, seed, say)
    page = _report(classifier, splits, Path(out or path.with_name(REPORT)), say)
    if page is None:
        raise KeyboardInterrupt
    return page


def _kept_reading(
    path: Path, classifier: Classifier, folder: str | Path | None
) -> tuple[Reading, int]:
    """How the rows that taught a classifier were read, and the seed of their division."""
    kept = dict(classifier.details.get("reading", {}))
    if not kept:
        raise BadData(f"{path} does not say which folder taught it, so there are no test rows to "
                      "judge it by; only files that `train` wrote do")  # fmt: skip
    seed, known = kept.pop("seed"), kept.pop("fingerprint")
    asked = Reading(**kept)
    asked = asked if folder is None else replace(asked, folder=str(Path(folder).expanduser()))
    table = Path(asked.folder) / asked.table
    if not table.is_file():
        raise BadData(f"{table}, which taught {path}, is not there; say where it is with --folder")
    if fingerprint(asked) != known:
        raise BadData(f"{table} has changed since it taught {path}: rows that taught it might "
                      "judge it; train anew")  # fmt: skip
    return asked, seed


def _model_path(model: str | Path) -> Path:
    path = Path(model).expanduser()
    return path / MODEL if path.is_dir() else path


def _report(
    classifier: Classifier, splits: Mapping[str, Rows], path: Path, say: Say
) -> Path | None:
    """Measure and write the page; None where somebody stopped it."""
    with progress_bar(None, "report", "step") as bar:

        def tell(what: str) -> None:
            bar.describe(what)
            bar.update()

        try:
            found = measure(classifier, splits, tell)
        except KeyboardInterrupt:
            bar.write(f"the report was stopped; {COMMAND} report {path.parent} makes it")
            return None
    page = write_report(path, found, Path(classifier.details["reading"]["folder"]).resolve().name)
    say(f"report: {page}")
    return page


# --- predict --------------------------------------------------------------------------------------


def predict(
    model: str | Path | Classifier,
    image: str | Path | np.ndarray | None = None,
    text: str | None = None,
    cells: Mapping[str, Any] | None = None,
    say: Say = lambda sentence: None,
) -> dict[str, float]:
    """The probability of each class, {name: from 0 to 1}, likeliest first.

    model: a model file, the folder that ``train`` wrote, or a loaded classifier. image, text,
    cells and errors as in ``Classifier.predict``. say: takes remarks, on what was missing and on
    cells that no training row has.
    """
    classifier = model if isinstance(model, Classifier) else model_file.load(_model_path(model))
    row = classifier.row(image, text, cells)
    for sentence in (*classifier.remarks(row), _on_missing(classifier, row)):
        if sentence:
            say(sentence)
    return classifier.predict(image, text, cells)


def _on_missing(classifier: Classifier, row: Rows) -> str:
    """Who answers, and how well, where something is missing."""
    _, (given,) = classifier.tensors(row)
    names = [
        name for name, there in zip(classifier.modalities, given.tolist(), strict=True) if there
    ]
    if len(names) == len(classifier.modalities):
        return ""
    answer = classifier.answer_for(names)
    missing = [name for name in classifier.modalities if name not in names]
    known = f"; so it was right in {answer.accuracy:.2f} of {answer.rows:,} validation rows" \
        if answer.rows else ""  # fmt: skip
    return f"without {' and '.join(missing)}{known}"


# --- the command ----------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    whole = _Parser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = whole.add_subparsers(
        dest="command", required=True, metavar="train | report | predict"
    )
    _add_train(commands.add_parser("train", help="teach a classifier from a folder"))
    one = commands.add_parser("report", help="judge a classifier on its test rows, in one page")
    one.add_argument("model", metavar="MODEL", help="the model file, or the folder that holds it")
    one.add_argument("--folder", help="where pictures and table are now, if they have moved")
    one.add_argument("--out", metavar="FILE", help="the page (report.html beside the model)")
    one = commands.add_parser("predict", help="name the class of a picture, a text, cells")
    one.add_argument("model", metavar="MODEL", help="the model file, or the folder that holds it")
    one.add_argument("--image", metavar="FILE", help="a picture")
    one.add_argument("--text", metavar="TEXT", help="a text")
    one.add_argument("--cell", metavar="NAME=VALUE", action="append", default=[], dest="cells",
                     help="a cell of the table; may be given several times")  # fmt: skip
    return whole


def _add_train(one: argparse.ArgumentParser) -> None:
    one.description = (
        "Teach a classifier from a folder of pictures and a table. Columns that are not named are "
        "guessed, and what was guessed is said before the work starts."
    )
    one.add_argument("folder", metavar="FOLDER", help="holds the table and the pictures")
    one.add_argument("--table", default="", metavar="FILE", help="the table, a CSV file in FOLDER")
    one.add_argument("--image", metavar="NAME", help="column with the pictures' paths or ids")
    one.add_argument("--image-pattern", metavar="PATTERN",
                     help='where ids lead, as "images/{id}.jpg"')  # fmt: skip
    one.add_argument(
        "--text", nargs="+", metavar="NAME", help="column of texts; several are joined"
    )
    one.add_argument("--label", metavar="NAME", help="column of the classes")
    one.add_argument(
        "--split",
        default="",
        metavar="NAME",
        help='column of train, validation, test; "none": divide the rows',
    )

    one.add_argument("--proportions", nargs=3, type=float, default=(0.7, 0.1, 0.2),
                     metavar=("TRAIN", "VALIDATION", "TEST"),
                     help="of a division (0.7 0.1 0.2)")  # fmt: skip
    one.add_argument("--group", metavar="NAME", help="column whose equal values share a split")
    one.add_argument(
        "--split-word",
        action="append",
        default=[],
        dest="split_words",
        metavar="WORD=SPLIT",
        help="what a word of the split column means, as eval=test",
    )
    one.add_argument("--drop", nargs="+", default=(), metavar="LABEL", help="classes to leave out")
    one.add_argument("--columns", nargs="+", default=(), metavar="NAME",
                     help="further columns to read: numbers or categories")  # fmt: skip
    one.add_argument("--size", type=int, default=48, help="of the pictures in pixels (48)")
    one.add_argument("--encoding", default="utf-8", help="of the table (utf-8)")
    one.add_argument("--delimiter", type=as_delimiter, metavar="SIGN",
                     help="between cells, as ; or tab (by the first lines)")  # fmt: skip
    one.add_argument("--quoting", choices=("none", "standard"),
                     help="whether quotes are letters, or all to be believed")  # fmt: skip
    one.add_argument("--minutes", type=float, help="for the search (by the number of rows)")
    one.add_argument("--seed", type=int, default=0, help="of division and training (0)")
    one.add_argument("--out", default="classifier", metavar="DIR",
                     help="where model.pt and report.html go (classifier)")  # fmt: skip


def _pairs(given: Sequence[str], example: str) -> dict[str, str]:
    """NAME=VALUE pairs as a dict."""
    pairs = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign:
            raise ValueError(f"{pair!r} has no =; write it as in {example}")
        pairs[name] = value
    return pairs


def _run(arguments: argparse.Namespace) -> int:
    options = vars(arguments)
    command = options.pop("command")
    if command == "train":
        texts = options.pop("text")
        text = texts[0] if texts and len(texts) == 1 else texts
        words = _pairs(options.pop("split_words"), "--split-word eval=test")
        return 130 if train(**options, text=text, split_words=words).stopped else 0
    if command == "report":
        report(**options)
        return 0
    cells = _pairs(arguments.cells, "--cell price=12.5")
    said = predict(arguments.model, arguments.image, arguments.text, cells,
                   say=lambda sentence: print(sentence, file=sys.stderr))  # fmt: skip
    for name, probability in said.items():
        print(f"{probability:.3f}  {shown(name)}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 after one sentence about bad input, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):  # a terminal may lack the letters of a class
        stream.reconfigure(errors="backslashreplace")
    try:
        return _run(_parser().parse_args(arguments))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError) as fault:  # BadData is a ValueError
        print(as_options(" ".join(str(fault).split())), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
