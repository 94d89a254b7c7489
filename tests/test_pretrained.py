"""Models of data/models/16, and three ways to go on from one."""

import pytest
import torch

from course_utils import pretrained
from course_utils.data.text import Vocabulary
from course_utils.huggingface import LanguageEncoder, from_configuration
from course_utils.pretrained import Kept, adapt, encoder_of, load, prepare, save

pytest.importorskip("transformers")
SIZES = {"words": 9, "dim": 16, "heads": 2, "longest": 24, "dropout": 0.0}


@pytest.fixture(scope="module")
def kept():
    vocabulary = Vocabulary(["a", "b", "c", "d", "e", "f"])
    model = from_configuration("BERT", **SIZES)
    return Kept(model, "BERT", SIZES, vocabulary, {"loss": 1.5, "more": {"mask": 8}})


def answers(model):
    with torch.no_grad():
        return model(input_ids=torch.tensor([[2, 3, 4]])).logits


def test_what_was_kept_comes_back_in_half_precision(kept, tmp_path):
    found = load("it", save(kept, tmp_path / "it.pt"))
    assert (answers(found.model) - answers(kept.model)).abs().max() < 1e-2
    assert found.vocabulary.words == kept.vocabulary.words
    assert (found.kind, found.sizes, found.recipe) == (kept.kind, kept.sizes, kept.recipe)
    assert not found.model.training
    again = found.fresh()
    assert torch.equal(answers(again), answers(found.model))
    torch.nn.init.zeros_(again.get_input_embeddings().weight)
    assert not torch.equal(answers(again), answers(found.model))


def test_files_that_are_none_get_a_sentence(kept, tmp_path):
    with pytest.raises(ValueError, match="lesson 16 has no model 'it'; it has none; fetch"):
        load("it", tmp_path / "it.pt")
    path = save(kept, tmp_path / "it.pt")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"it\.pt is no model of lesson 16, or cut off"):
        load("it", path)
    torch.save({"format": 0}, path)
    with pytest.raises(ValueError, match=r"it\.pt is of version 0"):
        load("it", path)


def splits():
    """By the first word, which is one of two."""
    torch.manual_seed(0)
    text = torch.randint(2, 8, (120, 4))
    label = (text[:, 0] > 4).long()
    tensors = {"text": text, "text_length": torch.full((120,), 4), "label": label}
    parts = {"train": slice(0, 60), "validation": slice(60, 90), "test": slice(90, 120)}
    return {split: {name: t[rows] for name, t in tensors.items()} for split, rows in parts.items()}


@pytest.mark.parametrize("way", pretrained.WAYS)
def test_each_way_learns_what_it_says(kept, way):
    found = adapt(encoder_of(kept), splits(), 2, way, rates=(1e-2,), epochs=2)
    body = LanguageEncoder(kept.model)
    weights = found.model.encoders["text"].body.encoder.layer[0].attention.self.query
    frozen = getattr(weights, "layer", weights).weight
    before = body.body.encoder.layer[0].attention.self.query.weight
    assert torch.equal(frozen, before) == (way != "fine-tuned")
    numbers = sum(p.numel() for p in body.parameters())
    head = 2 * 16 + 2
    expected = {"probe": head, "LoRA": head + 2 * 4 * 32, "fine-tuned": head + numbers}
    assert found.learns == expected[way]
    assert found.way == way
    assert found.logits.shape == (30, 2)
    assert found.setting == {"learning_rate": 1e-2}


def test_the_setting_is_the_best_on_validation_rows_and_of_equals_the_first(kept):
    def still():
        return LanguageEncoder(kept.fresh())

    found = adapt({"one": still, "two": still}, splits(), 2, "probe", rates=(1e-9, 3e-2), epochs=6)
    assert found.setting == {"learning_rate": 3e-2, "start": "one"}
    slow = adapt(still, splits(), 2, "probe", rates=(1e-9,), epochs=6)
    assert found.validation > slow.validation


def test_an_unknown_way_gets_a_sentence(kept):
    with pytest.raises(ValueError, match="no way 'all'; there are probe, LoRA, fine-tuned"):
        prepare(encoder_of(kept)(), "all")
