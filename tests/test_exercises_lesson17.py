"""Lesson 17's exercises on answers that its author did not declare."""

import html
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import picture_search
from course_utils.data.readers import read_image
from course_utils.data.rows import BadData
from course_utils.exercises import lesson17
from course_utils.exercises.core import RIGHT, WRONG, judge


def verdict_on(name, attempt):
    return judge(getattr(lesson17, name), attempt, 0)


def told(name, attempt):
    """The sentence on a wrong attempt."""
    verdict = verdict_on(name, attempt)
    assert verdict.kind == WRONG
    return verdict.sentence


def test_the_loss_of_one_direction_is_called_so_however_it_is_written():
    def info_nce(image, text, temperature=0.07):
        logits = F.normalize(image) @ F.normalize(text).T / temperature
        return -logits.log_softmax(dim=1).diagonal().mean()

    assert "one direction" in told("info_nce", info_nce)


def test_a_loss_without_the_temperature_is_wrong():
    def info_nce(image, text, temperature=0.07):
        logits = F.normalize(image) @ F.normalize(text).T
        right = torch.arange(len(logits))
        return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2

    assert verdict_on("info_nce", info_nce).kind == WRONG


def test_recall_by_topk_lets_right_answers_win_ties_and_is_told():
    def recall_at_k(scores, right, k):
        best = (scores + 1e-4 * right).topk(k, dim=1).indices
        return right.gather(1, best).any(dim=1).float().mean().item()

    assert "win a tie" in told("recall_at_k", recall_at_k)


def test_late_interaction_with_padding_set_to_minus_infinity_first_is_right():
    def late_interaction(image, text, real):
        each = F.normalize(image, dim=-1)[:, None] @ F.normalize(text, dim=-1).mT[None]
        best = each.amax(dim=2).masked_fill(~real, 0)
        return best.sum(dim=2) / real.sum(dim=1)

    assert verdict_on("late_interaction", late_interaction).kind == RIGHT


# --- the build ----------------------------------------------------------------------------------


def engine(walk=lambda folder: sorted(folder.rglob("*")), shown=html.escape, when_none=None,
           catch=BadData):  # fmt: skip
    """A search engine as a learner writes it, with something changed."""

    def search_folder(space, folder, sentence, most=12):
        folder, images, paths, broken = Path(folder), [], [], []
        for path in walk(folder):
            if picture_search.is_picture(path):
                try:
                    images.append(read_image(path))
                    paths.append(path.relative_to(folder).as_posix())
                except catch:
                    broken.append(path.relative_to(folder).as_posix())
        if when_none is not None and not images:
            raise when_none(folder)
        scores = space.of_pictures(np.stack(images)) @ space.of_texts([sentence])[0]
        hits = [(paths[i], scores[i].item()) for i in scores.argsort(descending=True)[:most]]
        page = "".join(picture_search.thumbnail(folder / p) + shown(p) for p, _ in hits)
        page += " ".join(map(shown, broken))
        return {"hits": hits, "broken": broken, "page": f"<html>{shown(sentence)}{page}</html>"}

    return search_folder


def no_pictures(folder):
    return ValueError(f"there are no pictures in {folder}")


def test_an_engine_written_by_hand_is_right():
    assert verdict_on("search_folder", engine(when_none=no_pictures)).kind == RIGHT


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"walk": lambda folder: sorted(folder.iterdir())}, "Look in folders below, too"),
        ({"shown": str}, "its < opens a tag"),
        ({}, "that does not name it ('need at least one array to stack')"),
        (
            {"when_none": lambda folder: ValueError("no pictures")},
            "that does not name it ('no pictures')",
        ),
    ],
)
def test_an_engine_that_lacks_something_is_told_what(changes, said):
    changes = changes if "when_none" in changes or not changes else changes | {
        "when_none": no_pictures}  # fmt: skip
    assert said in told("search_folder", engine(**changes))


def test_the_captions_that_win_are_few_and_the_batch_large():
    broken = lesson17.floor_stays_high({"batch": 4096, "captions": 50}, 0)
    assert "ln B is 8.32" in broken.numbers
    assert "You win above half" in lesson17.floor_stays_high({"batch": 64, "captions": 200}, 0)


def test_recall_by_topk_as_it_is_written_first_is_told_of_ties():
    def recall_at_k(scores, right, k):
        return right.gather(1, scores.topk(k).indices).any(1).float().mean()

    assert "wrong ones stand first" in told("recall_at_k", recall_at_k)


@pytest.mark.parametrize("endings", [(".png", ".jpg"), (".png", ".jpg", ".gif")])
def test_an_engine_that_knows_few_endings_is_not_told_of_folders(endings):
    def walk(folder):
        return sorted(path for path in folder.rglob("*") if path.suffix in endings)

    said = told("search_folder", engine(walk=walk, when_none=no_pictures))
    assert "The file below/SEA.PNG was not found. Endings may be in capitals." in said


def test_a_broken_file_whose_name_is_not_escaped_is_refused():
    def shown(text):
        return text if "off" in text else html.escape(text)

    said = told("search_folder", engine(shown=shown, when_none=no_pictures))
    assert "A name of a file stands in the page as it is" in said


def test_no_message_of_the_build_writes_a_file_name_otherwise_than_it_is():
    for mistake in lesson17.search_folder.mistakes:
        said = told("search_folder", mistake.fn)
        for name in (*lesson17.SHOWN, *lesson17.BROKEN, "notes.txt"):
            assert name[:1].upper() + name[1:] not in said
