"""Lesson 14's exercises on answers that their author did not declare."""

import pytest
import torch

from course_utils.exercises import lesson14
from course_utils.exercises.core import RIGHT, WRONG, judge


def told(name, attempt):
    """The sentence on a wrong attempt."""
    verdict = judge(getattr(lesson14, name), attempt, 0)
    assert verdict.kind == WRONG
    return verdict.sentence


@pytest.mark.parametrize("tones", [(1000, 9000), (440, 8440), (3999, 4001 + 8000), (100, 7900)])
def test_every_pair_of_aliases_breaks_the_claim(tones):
    dials = dict(zip(("one", "other"), tones, strict=True))
    assert judge(lesson14.two_tones, lambda: dials, 0).kind == RIGHT


def test_two_tones_that_nearly_meet_are_told_how_far_they_are_apart():
    assert "differ by up to 0." in told("two_tones", lambda: {"one": 3000, "other": 5000.05})


def test_a_loop_over_frames_is_right_and_one_that_pads_is_told_so():
    def frame_signal(signal, size=256, hop=128):
        starts = range(0, signal.shape[-1] - size + 1, hop)
        return torch.stack([signal[..., k : k + size] for k in starts], dim=-2)

    assert judge(lesson14.frame_signal, frame_signal, 0).kind == RIGHT

    def padded(signal, size=256, hop=128):
        rest = -(signal.shape[-1] - size) % hop
        return torch.nn.functional.pad(signal, (0, rest)).unfold(-1, size, hop)

    assert "left out" in told("frame_signal", padded)


def test_one_card_with_a_label_too_many_axes_is_told():
    def collate_clips(cards):
        sounds = [card["audio"] for card in cards]
        batch = {"audio": torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True)}
        batch["audio_length"] = torch.tensor([len(sound) for sound in sounds])
        for name in cards[0].keys() - {"audio"}:
            batch[name] = torch.stack([torch.as_tensor(card[name]) for card in cards])
        return batch

    assert judge(lesson14.collate_clips, collate_clips, 0).kind == RIGHT

    def kept(cards, batch={}):  # noqa: B006, the fault that is tried
        batch.setdefault("all", []).extend(card["audio"] for card in cards)
        sounds = batch["all"]
        return {
            "audio": torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True),
            "audio_length": torch.tensor([len(sound) for sound in sounds]),
        }

    assert "'audio' has the shape" in told("collate_clips", kept)


def test_a_batch_that_is_no_dict_and_changed_cards_get_a_sentence():
    assert "should return a dict" in told("collate_clips", lambda cards: cards)

    def pops(cards):
        for card in cards:
            card.pop("label")
        return {}

    assert "changed the cards" in told("collate_clips", pops)


@pytest.mark.parametrize(
    "length_of",
    [
        lambda wave: (wave != 0).sum(),
        lambda wave: wave.nonzero().max() + 1,
        lambda wave: (wave == 0).int().argmax(),
    ],
)
def test_a_length_told_by_zeros_is_refused_since_sounds_hold_zeros(length_of):
    def collate_clips(cards):
        sounds = [card["audio"] for card in cards]
        rest = [{name: card[name] for name in card.keys() - {"audio"}} for card in cards]
        batch = torch.utils.data.default_collate(rest)
        batch["audio"] = torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True)
        batch["audio_length"] = torch.stack([length_of(wave) for wave in batch["audio"]])
        return batch

    assert "take its length before you fill up" in told("collate_clips", collate_clips)


@pytest.mark.parametrize("shaped", [lambda snr: snr, lambda snr: torch.as_tensor(snr)[..., None]])
def test_noise_scaled_by_the_ratio_alone_is_told_that_both_powers_are_missing(shaped):
    def mix_at_snr(signal, noise, snr):
        return signal + noise * 10 ** (-shaped(snr) / 20)

    assert "left out both powers" in told("mix_at_snr", mix_at_snr)
