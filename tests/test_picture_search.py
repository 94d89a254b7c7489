"""A search engine over a folder: whatever lies in there, a page or a sentence comes out."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from course_utils.data.text import Vocabulary
from course_utils.picture_search import (
    Hit,
    read_pictures,
    results_page,
    search,
    unknown_words,
)


class ByColour:
    """A space of three dimensions: the mean colour of a picture, and three words."""

    vocabulary = Vocabulary(["red", "green", "blue"])

    def of_pictures(self, images):
        return F.normalize(torch.from_numpy(images).float().mean(dim=(1, 2)), dim=1)

    def of_texts(self, texts):
        ids, _ = self.vocabulary.encode(texts)
        return F.one_hot(ids, 5)[..., 2:].sum(1).float() + 1e-3


def save(folder, name, mode, colour, size=(60, 40)):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def folder(tmp_path):
    save(tmp_path, "a red one.png", "RGB", (250, 10, 10), (300, 20))
    save(tmp_path, "below/deep/green.jpg", "RGB", (10, 250, 10), (7, 90))
    save(tmp_path, "see-through.png", "RGBA", (0, 0, 255, 255), (1, 1))
    save(tmp_path, "grey.png", "L", 90, (64, 64))
    Image.new("RGB", (30, 30), (200, 40, 40)).convert("P").save(tmp_path / "palette.gif")
    save(tmp_path, "two & <b>three</b>.png", "RGB", (120, 130, 120))
    (tmp_path / "cut off.jpg").write_bytes((tmp_path / "below/deep/green.jpg").read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no picture", "utf-8")
    (tmp_path / "empty.png").write_bytes(b"")
    return tmp_path


def test_pictures_of_every_size_and_mode_are_read_and_broken_ones_named(folder):
    pictures = read_pictures(folder)
    assert pictures.paths == [
        "a red one.png", "below/deep/green.jpg", "grey.png", "palette.gif", "see-through.png",
        "two & <b>three</b>.png"]  # fmt: skip
    assert pictures.images.shape == (6, 48, 48, 3)
    assert pictures.images.dtype == np.uint8
    assert set(pictures.broken) == {"cut off.jpg", "empty.png"}
    assert "cut off" in pictures.broken["cut off.jpg"]


def test_a_sentence_finds_the_pictures_that_fit_it_best_first(folder):
    pictures = read_pictures(folder)
    hits = search(ByColour(), pictures, "green", most=2)
    assert hits[0].path == "below/deep/green.jpg"
    assert len(hits) == 2
    assert hits[0].score >= hits[1].score
    every = search(ByColour(), pictures, "red", most=99)
    assert len(every) == 6
    assert {every[0].path, every[1].path} == {"a red one.png", "palette.gif"}


def test_vectors_that_are_known_already_are_not_computed_again(folder):
    space, pictures = ByColour(), read_pictures(folder)
    known = space.of_pictures(pictures.images)
    space.of_pictures = None
    assert search(space, pictures, "blue", known=known)[0].path == "see-through.png"


def test_pictures_that_fit_alike_stand_in_the_order_of_their_names(tmp_path):
    for name in ("b.png", "a.png", "c.png"):
        save(tmp_path, name, "RGB", (9, 9, 200))
    hits = search(ByColour(), read_pictures(tmp_path), "blue")
    assert [hit.path for hit in hits] == ["a.png", "b.png", "c.png"]


def test_words_that_the_space_does_not_know_are_told():
    assert unknown_words(ByColour(), "Red shoes, red SHOES with laces") == [
        "shoes",
        "with",
        "laces",
    ]


def test_the_page_holds_its_pictures_names_and_faults_and_nothing_is_run(folder):
    pictures = read_pictures(folder)
    hits = search(ByColour(), pictures, "red", most=6)
    page = results_page(pictures, "red <script>", hits, ["shoes<"])
    assert page.count("data:image/png;base64,") == 6
    assert "<script>" not in page
    assert "<b>three" not in page
    assert "two &amp; &lt;b&gt;three&lt;/b&gt;.png" in page
    assert "6 of 6 pictures" in page
    assert "shoes&lt;" in page
    assert "2 could not be read" in page
    assert "empty.png" in page
    assert not re.search(r'src="(?!data:)', page)
    assert page.encode("utf-8")


def test_a_picture_that_went_away_since_leaves_a_blank(folder):
    pictures = read_pictures(folder)
    (folder / "grey.png").unlink()
    assert "grey.png" in results_page(pictures, "grey", [Hit("grey.png", 0.5)])


def test_names_that_no_file_can_hold_are_written_all_the_same(folder):
    page = results_page(read_pictures(folder), "red", [Hit("bad\udce9.png", 0.1)])
    assert page.encode("utf-8")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "nowhere", "nowhere is not there; give the folder"),
        (lambda folder: folder / "a red one.png", "a red one.png is a file; give the folder"),
        (lambda folder: folder / "void", "void holds no pictures; give a folder with files"),
        (lambda folder: folder / "bad", "bad holds no pictures; of 1 files none could be read"),
    ],
)
def test_a_folder_that_is_none_or_empty_is_answered_in_a_sentence(folder, make, sentence):
    (folder / "void").mkdir()
    (folder / "bad").mkdir()
    (folder / "bad" / "x.png").write_bytes(b"no")
    with pytest.raises(ValueError, match=sentence):
        read_pictures(make(folder))


def test_a_sentence_without_words_and_no_picture_wanted_are_refused(folder):
    pictures = read_pictures(folder)
    with pytest.raises(ValueError, match="write a sentence"):
        search(ByColour(), pictures, "  ")
    with pytest.raises(ValueError, match="most is a number of pictures"):
        search(ByColour(), pictures, "red", most=0)
