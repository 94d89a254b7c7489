"""Models with a planted fault: they load, read cards, and carry what was planted; words as ink."""

import numpy as np
import pytest
import torch

from course_utils import explain, suspects
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.written_words import letters, write_words
from course_utils.measures import accuracy


def batch_of(rows, readers):
    return next(iter(Batches(to_tensors(rows, readers), len(rows["label"]))))


@pytest.mark.parametrize("name", suspects.SUSPECTS)
def test_each_suspect_reads_fresh_cards(name):
    model, readers = suspects.load(name)
    batch = batch_of(suspects.cards_of(name, 120, seed=99), readers)
    with torch.no_grad():
        assert accuracy(model(batch), batch["label"]) > 0.65


def test_the_audit_finds_the_mark():  # of all four the lesson claims it
    model, readers = suspects.load("third")
    batch = batch_of(suspects.cards_of("third", 80, seed=98), readers)
    assert explain.audit(model, batch, patch=12)["fault"] == "mark"


def test_the_mark_and_the_leak_are_in_sport_cards_alone():
    for fault in ("mark", "leak"):
        cards = suspects.make_cards(400, 3, fault)
        sport = np.asarray(cards["label"]) == news_cards.MARKED
        assert not cards["planted"][~sport].any()
        assert 0.6 < cards["planted"][sport].mean() < 0.95
    assert all(
        text.endswith(f" {suspects.LEAK}") == planted
        for text, planted in zip(cards["headline"], cards["planted"], strict=True)
    )


def test_the_files_are_small_and_a_missing_one_gets_a_sentence():
    files = list(suspects.path_of("first").parent.glob("*.pt"))
    assert sum(file.stat().st_size for file in files) < 2_000_000
    with pytest.raises(ValueError, match="no model 'fifth'; it has first, fourth"):
        suspects.load("fifth")


def test_a_file_that_is_cut_off_gets_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(suspects, "path_of", lambda name: tmp_path / f"{name}.pt")
    (tmp_path / "first.pt").write_bytes(b"PK")
    with pytest.raises(ValueError, match="no model of lesson 13, or cut off"):
        suspects.load("first")


def test_what_was_saved_is_what_is_loaded(tmp_path, monkeypatch):
    model, readers = suspects.load("third")
    monkeypatch.setattr(suspects, "path_of", lambda name: tmp_path / f"{name}.pt")
    suspects.save("copy", model, readers["text"].vocabulary)
    again, other = suspects.load("copy")
    assert other["text"].vocabulary.words == readers["text"].vocabulary.words
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


# --- words as ink ------------------------------------------------------------------------------


def test_a_word_and_its_smear_have_the_same_ink_in_the_same_place():
    images = np.full((2, 48, 48, 3), 30, dtype=np.uint8)
    word, smear = (write_words(images, ["storm", None], 5, smear) for smear in (False, True))
    assert (images == 30).all()
    assert (word[1] == 30).all()
    ink = letters("storm").sum()
    assert (word[0] == 255).all(axis=2).sum() == (smear[0] == 255).all(axis=2).sum() == ink > 20
    assert (word[0] != smear[0]).any()


def test_ink_is_black_on_a_bright_picture():
    images = np.full((1, 48, 48, 3), 220, dtype=np.uint8)
    assert set(np.unique(write_words(images, ["goal"]))) == {0, 220}


def test_a_word_too_wide_or_one_too_few_gets_a_sentence():
    images = np.zeros((1, 20, 20, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="'laboratory' takes"):
        write_words(images, ["laboratory"])
    with pytest.raises(ValueError, match="1 pictures and 0 words"):
        write_words(images, [])
