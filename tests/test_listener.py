"""The listener of lesson 14: it loads, hears through noise, and is what was saved."""

import numpy as np
import pytest
import torch

from course_utils import listener
from course_utils.data import music_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.measures import accuracy


@pytest.fixture(scope="module")
def cards():
    rows = music_cards.make(120, seed=1414, snr=listener.CLEAN)
    return music_cards.rows_for(rows, "genre")


def right(who, rows):
    batch = next(iter(Batches(to_tensors(rows, who.readers), len(rows["label"]))))
    with torch.no_grad():
        return {name: accuracy(model(batch), batch["label"]) for name, model in who.models.items()}


def test_both_beat_each_sense_and_noise_costs_the_clip_what_it_says(cards):
    who = listener.load()
    soft, loud = (right(who, listener.with_noise(cards, (snr, snr), [0, 1])) for snr in (20, -25))
    assert soft["both"] > max(soft["image"], soft["audio"]) + 0.1
    assert soft["image"] == loud["image"]
    assert soft["audio"] > loud["audio"] + 0.15


def test_noise_has_the_ratio_that_was_asked_for_and_the_clip_stays_as_loud(cards):
    clean = cards["clip"][:5].astype(np.float64) / 32768
    noisy = listener.with_noise(cards, (-10, -10), [0, 1])["clip"][:5].astype(np.float64)
    power = (clean**2).mean(axis=1)
    np.testing.assert_allclose((noisy**2).mean(axis=1), power, rtol=1e-3)
    # What of the mixture is the clip: the projection on it.
    share = (noisy * clean).sum(axis=1) / (clean**2).sum(axis=1)
    signal = share**2 * power
    ratio = 10 * np.log10(signal / ((noisy - share[:, None] * clean) ** 2).mean(axis=1))
    np.testing.assert_allclose(ratio, -10, atol=1)


def test_the_same_seed_gives_the_same_noise_and_another_gives_another(cards):
    one, two, other = (listener.with_noise(cards, (0, 5), s)["clip"] for s in
                       ([0, 1], [0, 1], [0, 2]))  # fmt: skip
    np.testing.assert_array_equal(one, two)
    assert (one != other).mean() > 0.9


def test_what_was_saved_is_what_is_loaded(tmp_path, cards):
    who = listener.load()
    again = listener.load(listener.save(who, tmp_path / "copy.pt"))
    assert again.readers["audio"].units == who.readers["audio"].units
    for name, model in who.models.items():
        other = again.models[name].state_dict()
        assert all(torch.equal(value, other[key]) for key, value in model.state_dict().items())
    assert listener.path_of().stat().st_size < 400_000


def test_what_both_share_is_shared():
    models = listener.load().models
    for name in ("image", "audio"):
        assert models[name].encoders[name] is models["both"].encoders[name]


def test_training_is_small_steps_of_the_same_recipe(monkeypatch):
    monkeypatch.setattr(listener, "ENCODERS", {"epochs": 1, "batch_size": 16})
    monkeypatch.setattr(listener, "HEAD", {"epochs": 1, "batch_size": 16})
    who = listener.train(cards=60, seed=3)
    assert {name: [*model.encoders] for name, model in who.models.items()} == {
        "image": ["image"], "audio": ["audio"], "both": ["image", "audio"],
    }  # fmt: skip


def test_a_missing_file_and_one_that_is_cut_off_get_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"no listener gone\.pt in data/models/14; fetch"):
        listener.load(tmp_path / "gone.pt")
    (tmp_path / "cut.pt").write_bytes(listener.path_of().read_bytes()[:5000])
    with pytest.raises(ValueError, match="no listener of lesson 14, or cut off"):
        listener.load(tmp_path / "cut.pt")
