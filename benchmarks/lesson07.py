"""What lesson 07 reads: its mended article, trained over five seeds and scored on fresh cards.

    make results LESSON=07      # about three minutes of one core

Loaders, model and training are the lesson's own: its cells that define them are run here. A seed
is that of 6,000 cards, of the first weights and of the order; the sample has one set of cards for
all seeds. Test rows are fresh: 5,000 cards that fit for *sport* and the section, 5,000 as they come
for ``match``.
"""

import ast
import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jupytext
import numpy as np
import torch
from room import Part, Plan, within
from torch.nn import functional as F
from torchtext import data

from course_utils import seed_everything
from course_utils.data import news_cards, sample
from course_utils.data.results import Run
from course_utils.data.rows import Rows, take
from course_utils.environment import course_root
from course_utils.measures import accuracy

SEEDS = range(5)
CARDS, FRESH = 6000, 5000
HIDDEN = {"image alone": "text", "text alone": "image", "both": None}
MARGIN = {"training rows": 0.03, "test rows": 0.05}  # of 170 and 64 cards, on another machine
NEEDED = {"COLUMNS", "give_vocabulary", "read_cards", "picture_index", "pool_words",
          "MendedModel", "PairedLoader", "one_against_rest_loss", "train_model", "both_scores",
          "load", "run"}  # fmt: skip

Parts = dict[str, tuple]


# --- the lesson's own code -----------------------------------------------------------------------


def defined(cell: Any) -> set[str]:
    """The names that a cell of a notebook defines at its top level."""
    if cell.cell_type != "code" or "check" in cell.metadata.get("tags", ()):
        return set()
    nodes = ast.parse(cell.source).body
    assigned = {ast.unparse(node.targets[0]) for node in nodes if isinstance(node, ast.Assign)}
    return assigned | {node.name for node in nodes if hasattr(node, "name")}


@functools.cache
def lesson() -> SimpleNamespace:
    """What the lesson defines, by running the cells that define it and no others."""
    space: dict[str, Any] = {"torch": torch, "data": data, "seed_everything": seed_everything}
    notebook = jupytext.read(course_root() / "solutions" / "07_debug_the_article.py")
    for cell in notebook.cells:
        if defined(cell) & NEEDED:
            exec(cell.source, space)
    return SimpleNamespace(**space)


# --- cards on disk -------------------------------------------------------------------------------


@contextlib.contextmanager
def on_disk(cards: Rows, seed: int, **dials: float) -> Iterator[Parts]:
    """What the lesson's ``load`` gives for the training rows of ``cards``, and fresh test rows.

    seed, dials: of the fresh rows. The pictures' folder is there until the context ends.
    """
    fitting, any_kind = (news_cards.make(FRESH, seed, **dials, **own)
                         for own in ({"mismatch": 0}, {}))  # fmt: skip
    sources = take(cards, cards["split"] == "train"), fitting, any_kind
    names = "image", "headline", "section", "match", "split"
    rows = {name: np.concatenate([source[name] for source in sources]) for name in names}
    rows["split"][-2 * FRESH :] = "test"
    places = zip(rows["split"], rows["section"], strict=True)
    rows["file"] = [f"{split}/{news_cards.SECTIONS[section]}/{number:05d}.png"
                    for number, (split, section) in enumerate(places)]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        sample.write(rows, Path(folder), "headlines.csv", sample.COLUMNS)
        parts = lesson().load(Path(folder))
        pictures, every, fits = parts["test"]
        # In the table the cards that all fit stand first; of the others some fit too.
        some = every.examples[FRESH:], fits.examples[:FRESH]
        test = (data.Dataset(chosen, lesson().COLUMNS) for chosen in some)
        yield parts | {"test": (pictures, *test)}


# --- what is measured ----------------------------------------------------------------------------


def line(what: tuple[str, str, str], seed: int, rows: int, measure: str, value: float) -> Run:
    """A line of the file; what: experiment, model, setting."""
    experiment, model, setting = what
    return Run(experiment, "news cards", "", model, setting, seed, rows, measure, float(value))


def yes_or_no(parts: Parts, task: str, seed: int, name: str = "both") -> Iterator[Run]:
    """A reader trained for "sport" or "match": its scores on test and on training rows."""
    code, hide = lesson(), HIDDEN[name]
    model, output, label = code.run(parts, task, seed, hide)
    positive, what = code.positive_of(task), (task, name, "6 epochs")
    for measure, value in zip(("accuracy", "balanced accuracy"),
                              code.both_scores(output, label, positive), strict=True):  # fmt: skip
        yield line(what, seed, len(label), measure, value)
    known = code.outputs_of(model, code.batches_of(parts, "train", task, hide))
    by_heart, _ = code.both_scores(*known, positive)
    yield line(what, seed, len(known[1]), "training rows", by_heart)


def majority(parts: Parts, task: str, seed: int, experiment: str = "") -> Run:
    """The commonest answer of the test rows."""
    _, every, fits = parts["test"]
    said = ([card.match == "1" for card in every] if task == "match"
            else [card.section == task for card in fits])  # fmt: skip
    share = sum(said) / len(said)
    what = experiment or task, "majority", ""
    return line(what, seed, len(said), "accuracy", max(share, 1 - share))


def section(parts: Parts, seed: int) -> Iterator[Run]:
    """The same model with five outputs and cross-entropy."""
    code = lesson()
    seed_everything(seed)
    model = code.MendedModel(len(code.TEXT.vocab), outputs=5)
    code.train_model(model, code.batches_of(parts, "train", "section"), F.cross_entropy, 6)
    for split, measure in (("train", "training rows"), ("test", "accuracy")):
        output, label = code.outputs_of(model, code.batches_of(parts, split, "section"))
        what = "section", "the article's model, mended", "6 epochs"
        yield line(what, seed, len(label), measure, accuracy(output, label))


def on_sample(seed: int, fresh: Parts | None = None) -> Iterator[Run]:
    """*Sport* after ten epochs on the sample, scored on its own rows, and on fresh ones if given.

    The fresh ones come with the sample's training rows, and so with the same vocabulary.
    """
    code, what = lesson(), ("sample", "both", "10 epochs")
    parts = code.load(course_root() / "data" / "news_cards")
    model, *answers = code.run(parts, "sport", seed, epochs=10)
    known = code.outputs_of(model, code.batches_of(parts, "train", "sport"))
    found = {"training rows": known, "test rows": answers}
    if fresh:
        found["accuracy"] = code.outputs_of(model, code.batches_of(fresh, "test", "sport"))
    for measure, (output, label) in found.items():
        right, _ = code.both_scores(output, label, code.positive_of("sport"))
        yield line(what, seed, len(label), measure, right)


# --- all of them, and a few again ----------------------------------------------------------------


def again() -> Iterator[Run]:
    """Two lines of the file: seed 0 on the sample, on its own rows."""
    return on_sample(0)


def of_sample() -> Iterator[Run]:
    """All seeds on the sample, which has one set of cards."""
    noise = {"image_noise": sample.SAMPLE["image_noise"]}
    with on_disk(sample.make_sample(), sample.SAMPLE["seed"] + 1000, **noise) as fresh:
        yield majority(fresh, "sport", 0, "sample")
        for seed in SEEDS:
            yield from on_sample(seed, fresh)


def of_cards(seed: int) -> Iterator[Run]:
    """One seed's cards: *sport* by either sense and both, ``match``, all sections."""
    with on_disk(news_cards.make(CARDS, seed), seed + 1000) as parts:
        yield majority(parts, "sport", seed)
        yield majority(parts, "match", seed)
        for name in HIDDEN:
            yield from yes_or_no(parts, "sport", seed, name)
        yield from yes_or_no(parts, "match", seed)
        yield from section(parts, seed)


PLAN = Plan(
    "07",
    [Part("sample", of_sample, within("sample"))],
    [Part("cards", of_cards, within("sport", "match", "section"), SEEDS)],
    experiments=("match", "sample", "section", "sport"),
)

if __name__ == "__main__":
    PLAN.main()
