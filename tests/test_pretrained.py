"""Models of data/models/16, and three ways to go on from one."""

import pytest
import torch

from course_utils import pretrained
from course_utils.data import first_named, news_cards
from course_utils.data.batches import to_tensors
from course_utils.data.readers import TextReader
from course_utils.data.rows import split_rows
from course_utils.data.text import Vocabulary
from course_utils.huggingface import LanguageEncoder, from_configuration
from course_utils.language import MaskedWords, held_out_loss, next_words, with_ends
from course_utils.pretrained import (
    Kept,
    adapt,
    encoder_of,
    load,
    path_of,
    prepare,
    probe_or_finetune,
    save,
)

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


def test_a_comparison_chooses_by_validation_rows_and_tests_what_it_chose():
    def make(seed):
        torch.manual_seed(seed)
        model = torch.nn.Module()
        model.encoders, model.head = torch.nn.Linear(2, 3), torch.nn.Linear(3, 2)
        return model

    def train(model, rate):
        model.rate, model.frozen = rate, not model.encoders.weight.requires_grad

    def ask(model, split):
        asked.append((split, model.rate))
        return (model.rate if split == "validation" else 1 - model.rate) + 0.5 * model.frozen

    asked, rates = [], {"probe": (0.1, 0.2), "fine-tuned": (0.4, 0.3)}
    found = probe_or_finetune(make, train, ask, rates, seeds=(5, 6))
    assert (found["probe"]["rate"], found["fine-tuned"]["rate"]) == (0.2, 0.4)
    assert found["fine-tuned"]["test"] == [0.6, 0.6]
    assert (found["probe"]["learns"], found["fine-tuned"]["learns"]) == (8, 17)
    assert found["better"] == "probe"
    assert [rate for split, rate in asked if split == "test"] == [0.2, 0.2, 0.4, 0.4]


# --- the files themselves -------------------------------------------------------------------------

WORLDS = {"cards": lambda: news_cards.make_headlines(600, 77, mismatch=0.0, words_per_headline=3),
          "order": lambda: first_named.make(600, 77)}  # fmt: skip


@pytest.mark.parametrize("world", WORLDS)
def test_a_kept_masked_model_guesses_as_its_recipe_says(world):
    kept = load(f"masked_{world}")
    text, length = kept.vocabulary.encode(WORLDS[world]()["headline"])
    mask = kept.recipe["more"]["mask"]
    assert kept.sizes["words"] == mask + 1 == len(kept.vocabulary) + 1
    loss = held_out_loss(kept.model, text, length, MaskedWords(mask, mask, kept.recipe["share"]))
    assert loss == pytest.approx(kept.recipe["loss"], abs=0.1)


def test_the_kept_decoder_guesses_as_its_recipe_says_and_writes_a_headline():
    from course_utils.language import continue_text

    kept = load("decoder")
    begin, end = kept.recipe["more"]["begin"], kept.recipe["more"]["end"]
    told = news_cards.make_headlines(600, 78, mismatch=0.0)["headline"]
    text, length = with_ends(*kept.vocabulary.encode(told), begin, end)
    loss = held_out_loss(kept.model, text, length, next_words)
    assert loss == pytest.approx(kept.recipe["loss"], abs=0.1)
    written = continue_text(kept.model, torch.tensor([[begin]]), 26)[0, 1:].tolist()
    assert end in written, "it stops"
    words = written[: written.index(end)]
    assert 5 <= len(words) <= 14
    assert all(1 < word < len(kept.vocabulary) for word in words)


def test_they_are_small():
    files = [*path_of("x").parent.glob("*.pt")]
    assert {file.stem for file in files} == {"masked_cards", "masked_order", "decoder"}
    assert sum(file.stat().st_size for file in files) < 2_000_000


def test_a_kept_model_reads_rows_like_any_encoder():
    kept = load("masked_order")
    rows = split_rows(first_named.make(60, 1))["train"]
    tensors = to_tensors(rows, {"text": TextReader(kept.vocabulary)})
    assert encoder_of(kept)()(tensors["text"], tensors["text_length"]).shape[1] == 64
