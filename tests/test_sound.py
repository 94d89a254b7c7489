"""From a wave to log-mel: every step against a library's, and against what can be reckoned."""

import math

import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import music_cards
from course_utils.sound import (
    FLOOR,
    fourier_kernels,
    frame_signal,
    hann_window,
    hz_to_mel,
    log_mel,
    mel_filters,
    mel_to_hz,
    mix_at_snr,
    spectrum_statistics,
    stft,
)

RATE = 8000
SCALES = ("htk", "slaney")


def noise(*shape, seed=0, kind=torch.float):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=kind)


def sine(hertz, seconds=0.5, rate=RATE):
    return torch.sin(2 * torch.pi * hertz * torch.arange(int(seconds * rate)) / rate)


# --- frames ----------------------------------------------------------------------------------


@given(
    length=st.integers(1, 60), size=st.integers(1, 20), hop=st.integers(1, 25),
    lead=st.sampled_from([(), (1,), (2, 3)]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_frames_are_those_of_unfold(length, size, hop, lead):
    signal = torch.arange(math.prod(lead) * length, dtype=torch.float).view(*lead, length)
    if length < size:
        with pytest.raises(ValueError, match=f"{length} samples is shorter than a frame of {size}"):
            frame_signal(signal, size, hop)
    else:
        assert torch.equal(frame_signal(signal, size, hop), signal.unfold(-1, size, hop))


def test_frames_let_gradients_through_to_every_sample_that_they_hold():
    signal = noise(10).requires_grad_()
    frame_signal(signal, 4, 2).sum().backward()
    assert signal.grad.tolist() == [1, 1, 2, 2, 2, 2, 2, 2, 1, 1]


@pytest.mark.parametrize("size", [2, 7, 256])
def test_the_window_is_hanns(size):
    torch.testing.assert_close(hann_window(size), torch.hann_window(size))


# --- spectra ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "hop"), [(256, 128), (256, 100), (64, 64), (32, 7)])
@pytest.mark.parametrize("own_window", [False, True])
def test_the_convolution_is_torchs_fourier_transform(size, hop, own_window):
    signal = noise(3, 1001, kind=torch.double)
    window = torch.hamming_window(size, dtype=torch.double) if own_window else None
    theirs = torch.stft(
        signal, size, hop, window=torch.hann_window(size).double() if window is None else window,
        center=False, return_complex=True,
    )  # fmt: skip
    torch.testing.assert_close(stft(signal, size, hop, window), theirs, atol=1e-4, rtol=0)


def test_the_convolution_is_torchs_on_clips_in_single_precision():
    clips = torch.from_numpy(music_cards.make(6, 1)["clip"]).float() / 32768
    theirs = torch.stft(clips, 256, 128, window=torch.hann_window(256), center=False,
                        return_complex=True)  # fmt: skip
    torch.testing.assert_close(stft(clips), theirs, atol=1e-4, rtol=0)


def test_without_a_window_the_power_of_all_bins_is_the_power_of_the_frame():
    """Parseval's theorem: what falls on the bins between the ends counts twice."""
    frame = noise(1, 64, kind=torch.double)
    power = stft(frame, 64, 64, torch.ones(64, dtype=torch.double)).abs().square()[0, :, 0]
    twice = torch.full((33,), 2.0, dtype=torch.double)
    twice[[0, -1]] = 1
    torch.testing.assert_close((twice * power).sum(), 64 * frame.square().sum())


@pytest.mark.parametrize("hertz", [250, 1000, 3125])
def test_a_tone_is_loudest_at_its_own_bin(hertz):
    loudness = stft(sine(hertz)[None]).abs().mean(dim=2)[0]
    assert loudness.argmax() == hertz * 256 // RATE


def test_kernels_turn_as_often_as_their_number_says():
    kernels = fourier_kernels(8, torch.ones(8))
    assert kernels.shape == (10, 1, 8)
    torch.testing.assert_close(kernels[2, 0], torch.tensor([1.0, 0, -1, 0, 1, 0, -1, 0]))
    torch.testing.assert_close(kernels[5 + 2, 0], torch.tensor([0.0, -1, 0, 1, 0, -1, 0, 1]))


# --- mel -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
def test_mel_and_back_is_where_one_began(scale):
    hertz = torch.linspace(0, 8000, 801, dtype=torch.double)
    torch.testing.assert_close(mel_to_hz(hz_to_mel(hertz, scale), scale), hertz)


def test_a_thousand_hertz_are_a_thousand_mel_of_htk_and_fifteen_of_slaney():
    hertz = torch.tensor([0.0, 1000.0, 6400.0])
    assert hz_to_mel(hertz)[:2].tolist() == pytest.approx([0, 1000], abs=0.05)
    assert hz_to_mel(hertz, "slaney").tolist() == pytest.approx([0, 15, 42])


@pytest.mark.parametrize("scale", SCALES)
def test_mel_lets_gradients_through_below_and_above_the_bend(scale):
    hertz = torch.tensor([100.0, 3000.0], requires_grad=True)
    hz_to_mel(hertz, scale).sum().backward()
    assert (hertz.grad > 0).all()


@pytest.mark.parametrize("wrong", ["mel", "HTK", None])
def test_another_scale_is_refused_in_a_sentence(wrong):
    for change in (hz_to_mel, mel_to_hz):
        with pytest.raises(ValueError, match="a mel scale is 'htk' or 'slaney'"):
            change(torch.ones(1), wrong)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("area", [False, True])
@pytest.mark.parametrize(("bands", "size", "rate"), [(40, 256, 8000), (64, 512, 16000)])
def test_filters_are_torchaudios(scale, area, bands, size, rate):
    theirs = torchaudio.functional.melscale_fbanks(
        size // 2 + 1, 0.0, rate / 2, bands, rate, "slaney" if area else None, scale
    )
    ours = mel_filters(bands, size, rate, scale, area)
    torch.testing.assert_close(ours, theirs.T, atol=1e-5, rtol=0)


def test_every_frequency_between_the_outer_middles_counts_once_in_all():
    """Triangles whose feet stand under their neighbours' peaks add up to one."""
    sums = mel_filters(20, 256).sum(dim=0)
    inner = slice(mel_filters(20, 256)[0].argmax() + 1, mel_filters(20, 256)[-1].argmax())
    torch.testing.assert_close(sums[inner], torch.ones_like(sums[inner]))


@pytest.mark.parametrize("scale", SCALES)
def test_log_mel_is_torchaudios(scale):
    clips = torch.from_numpy(music_cards.make(6, 2)["clip"]).float() / 32768
    theirs = torchaudio.transforms.MelSpectrogram(
        RATE, n_fft=256, hop_length=128, n_mels=40, center=False, mel_scale=scale
    )(clips)
    ours = log_mel(clips, mel_filters(scale=scale))
    torch.testing.assert_close(ours, (theirs + FLOOR).log(), atol=1e-4, rtol=0)


def test_silence_is_the_floor_and_twice_as_loud_is_log_four_more():
    quiet = log_mel(torch.zeros(1, 1000), mel_filters())
    torch.testing.assert_close(quiet, torch.full_like(quiet, math.log(FLOOR)))
    wave = noise(1, 1000)
    more = log_mel(2 * wave, mel_filters()) - log_mel(wave, mel_filters())
    torch.testing.assert_close(more, torch.full_like(more, math.log(4)), atol=1e-3, rtol=0)


def test_statistics_are_mean_spread_and_change_of_each_band():
    spectrogram = torch.tensor([[[0.0, 2.0, 0.0, 2.0], [1.0, 1.0, 1.0, 1.0]]])
    assert spectrum_statistics(spectrogram).tolist() == [[1, 1, 1, 0, 2, 0]]


# --- noise -----------------------------------------------------------------------------------


@given(snr=st.floats(-60, 60), loud=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_ratio_is_the_one_that_was_asked_for(snr, loud, seed):
    signal, hiss = noise(2, 500, seed=seed, kind=torch.double), loud * noise(2, 500, seed=seed + 1)
    added = mix_at_snr(signal, hiss.double(), snr) - signal
    ratio = 10 * torch.log10(signal.square().mean(dim=1) / added.square().mean(dim=1))
    torch.testing.assert_close(ratio, torch.full_like(ratio, snr), atol=1e-6, rtol=0)


def test_each_sound_has_a_ratio_of_its_own():
    signal, hiss, snr = noise(3, 400), noise(3, 400, seed=1), torch.tensor([20.0, 0.0, -20.0])
    whole = mix_at_snr(signal, hiss, snr)
    for row in range(3):
        torch.testing.assert_close(whole[row], mix_at_snr(signal[row], hiss[row], snr[row].item()))


def test_silence_stays_silence_and_no_noise_changes_nothing():
    hiss, silence = noise(1, 100), torch.zeros(1, 100)
    assert torch.equal(mix_at_snr(silence, hiss, -10.0), silence)
    assert torch.equal(mix_at_snr(hiss, silence, -60.0), hiss)
