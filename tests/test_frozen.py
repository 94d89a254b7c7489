"""The frozen encoders: they load, they are what their recipe makes; bad files get a sentence."""

import pytest
import torch

from course_utils import frozen
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.rows import take
from course_utils.encoders import encode
from course_utils.experiment import answers, needed
from course_utils.training import predict


@pytest.fixture(scope="module")
def cards():
    return news_cards.rows_for(news_cards.make(1200, seed=77, mismatch=0), "section")


@pytest.mark.parametrize("seed", frozen.SEEDS)
def test_each_reads_new_cards_nearly_as_well_as_can_be(seed, cards):
    kept, ceiling = frozen.load(seed), news_cards.ceiling()
    tensors = to_tensors(cards, kept.readers)
    for name, model in kept.alone.items():
        said = predict(model, Batches(needed(model, tensors), 256)).argmax(dim=1)
        share = (said == tensors["label"]).double().mean().item()
        assert ceiling[name] - 0.05 < share < ceiling[name] + 0.03, name


def test_the_encoders_are_those_of_the_models_and_do_not_learn(cards):
    kept = frozen.load(0)
    batch = next(iter(Batches(to_tensors(take(cards, range(8)), kept.readers), 8)))
    for name, encoder in kept.encoders.items():
        assert kept.alone[name].encoders[name] is encoder
        assert not encoder.training
        assert not any(weight.requires_grad for weight in encoder.parameters())
        assert encode(encoder, batch).shape == (8, 64)


def test_loading_leaves_the_random_numbers_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    frozen.load(0)
    assert torch.equal(torch.get_rng_state(), before)


def test_all_files_together_take_less_than_a_megabyte():
    assert sum(frozen.path_of(seed).stat().st_size for seed in frozen.SEEDS) < 1_000_000


@pytest.mark.slow
def test_the_recipe_makes_it_again(cards):
    again, kept = frozen.train(frozen.Recipe(seed=0)), frozen.load(0)
    assert again["words"] == list(kept.readers["text"].vocabulary.words[2:])
    assert again["accuracy"] == pytest.approx(kept.accuracy, abs=0.02)


def test_what_was_saved_is_what_is_loaded(tmp_path, cards):
    whole = torch.load(frozen.path_of(0), weights_only=True)
    frozen.save(whole, tmp_path / "copy.pt")
    one, two = frozen.load(0), frozen.load(path=tmp_path / "copy.pt")
    few = take(cards, range(20))
    for name in one.alone:
        same = torch.equal(*(answers(each.alone[name], few, each.readers) for each in (one, two)))
        assert same, name


def test_only_a_seed_that_is_not_shipped_is_trained_and_kept_nowhere(monkeypatch):
    asked, whole = [], torch.load(frozen.path_of(0), weights_only=True)
    monkeypatch.setattr(frozen, "train", lambda recipe: asked.append(recipe) or whole)
    assert frozen.of_seed(1).recipe.seed == 1
    frozen.of_seed(7)
    assert asked == [frozen.Recipe(7)]
    assert not frozen.path_of(7).exists()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.unlink(), "no frozen encoders broken.pt; there are those of seeds 0, 1"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "or cut off"),
        (lambda path: path.write_bytes(b""), "or cut off"),
        (lambda path: torch.save({"weights": 1}, path), "is no file of frozen encoders"),
        (lambda path: torch.save({"format": 99}, path), "version 99 and this course reads"),
    ],
)
def test_a_file_that_is_no_good_gets_a_sentence(tmp_path, spoil, sentence):
    path = tmp_path / "broken.pt"
    path.write_bytes(frozen.path_of(0).read_bytes())
    spoil(path)
    with pytest.raises(ValueError, match=sentence) as told:
        frozen.load(path=path)
    assert "make encoders" in str(told.value)
