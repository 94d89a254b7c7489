"""From a wave to what an encoder reads: frames, the spectrum of each, bands as ears have them.

A sound is (..., T) float, T samples at ``rate`` samples a second, most of them between -1 and 1.
All is made of steps that lesson 14 builds: cut into frames, weigh each by a window, correlate it
with cosines and sines, add the power up in mel bands, take the logarithm.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SIZE, HOP, BANDS = 256, 128, 40  # at 8 kHz: frames of 32 ms, one every 16 ms
FLOOR = 1e-6  # added to power before the logarithm: what is quieter is silence


def frame_signal(signal: Tensor, size: int = SIZE, hop: int = HOP) -> Tensor:
    """A sound cut into frames that overlap, (..., T) -> (..., frames, size).

    size, hop: length of a frame, and how far the next one is, in samples. A rest at the end that
    fills no frame is left out: there are 1 + (T - size) // hop of them. The same as
    ``signal.unfold(-1, size, hop)``.

    Raises ValueError for a sound shorter than a frame.
    """
    count = 1 + (signal.shape[-1] - size) // hop
    if count < 1:
        raise ValueError(f"a sound of {signal.shape[-1]} samples is shorter than a frame of "
                         f"{size}; fill it up with zeros, or take shorter frames")  # fmt: skip
    start = hop * torch.arange(count, device=signal.device)
    return signal[..., start[:, None] + torch.arange(size, device=signal.device)]


def hann_window(size: int) -> Tensor:
    """(size,) weights that rise from 0 to 1 and fall again: ½ − ½ cos(2πn / size).

    Periodic, as ``torch.hann_window`` is by default: the sample after the last would be 0 again.
    """
    return 0.5 - 0.5 * torch.cos(2 * torch.pi * torch.arange(size) / size)


def fourier_kernels(size: int = SIZE, window: Tensor | None = None) -> Tensor:
    """Cosines, then sines with a minus, times the window: (size + 2, 1, size) for ``F.conv1d``.

    Kernel k turns k times within a frame, k = 0 to size / 2. window: (size,), by default Hann's.
    """
    window = hann_window(size) if window is None else window
    turns = torch.outer(torch.arange(size // 2 + 1), torch.arange(size)) % size  # whole, so exact
    angle = 2 * torch.pi * turns.to(window.dtype) / size
    return torch.cat([angle.cos(), -angle.sin()])[:, None] * window


def stft(signal: Tensor, size: int = SIZE, hop: int = HOP, window: Tensor | None = None) -> Tensor:
    """The short-time Fourier transform by a convolution: (B, T) -> (B, size / 2 + 1, frames).

    Complex; the same as ``torch.stft(..., center=False, return_complex=True)``. size even.
    window: (size,), by default Hann's.
    """
    kernels = fourier_kernels(size, window).to(signal)
    real, imaginary = F.conv1d(signal[:, None], kernels, stride=hop).chunk(2, dim=1)
    return torch.complex(real, imaginary)


def hz_to_mel(hertz: Tensor, scale: str = "htk") -> Tensor:
    """Frequencies in mel, steps that ears take to be alike: (...) -> (...).

    scale: "htk", 2595 log10(1 + f / 700) of the toolkit HTK; or "slaney", of Slaney's Auditory
    Toolbox and of librosa by default: straight up to 1000 Hz, which is mel 15, and a logarithm
    from there, 27 steps for each factor of 6.4.

    Raises ValueError for another scale.
    """
    if check_scale(scale) == "htk":
        return 2595 * torch.log10(1 + hertz / 700)
    above = 15 + 27 * torch.log(hertz.clamp(min=1000) / 1000) / math.log(6.4)
    return torch.where(hertz < 1000, hertz * 3 / 200, above)


def mel_to_hz(mel: Tensor, scale: str = "htk") -> Tensor:
    """``hz_to_mel`` backwards: (...) -> (...). Raises ValueError for another scale."""
    if check_scale(scale) == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    above = 1000 * 6.4 ** ((mel.clamp(min=15) - 15) / 27)
    return torch.where(mel < 15, mel * 200 / 3, above)


def check_scale(scale: str) -> str:
    """The scale itself. Raises ValueError, in a sentence, for another than the two."""
    if scale not in ("htk", "slaney"):
        raise ValueError(f"a mel scale is 'htk' or 'slaney', not {scale!r}")
    return scale


def mel_filters(
    bands: int = BANDS, size: int = SIZE, rate: int = 8000, scale: str = "htk", area: bool = False
) -> Tensor:
    """Weights that add a spectrum's power up in mel bands, (bands, size / 2 + 1).

    Triangles over frequency, from 0 to rate / 2: each rises from the middle of the band below to
    its own and falls to that of the band above; the middles lie evenly in mel.
    area: divide each by half its width in Hz, so that all have the area 1, as librosa does by
    default; torchaudio's default, and ours, leaves every peak at 1.
    """
    top = hz_to_mel(torch.tensor(rate / 2, dtype=torch.double), scale)
    corners = mel_to_hz(torch.linspace(0, 1, bands + 2, dtype=torch.double) * top, scale)
    hertz = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.double)
    away = hertz - corners[:, None]  # (bands + 2, bins), in Hz
    width = corners.diff()[:, None]
    filters = torch.minimum(away[:-2] / width[:-1], -away[2:] / width[1:]).clamp(min=0)
    if area:
        filters = filters * 2 / (corners[2:] - corners[:-2])[:, None]
    return filters.to(torch.get_default_dtype())


def log_mel(
    signal: Tensor, filters: Tensor, size: int = SIZE, hop: int = HOP, floor: float = FLOOR
) -> Tensor:
    """The logarithm of the power in mel bands: (B, T) -> (B, bands, frames).

    filters: (bands, size / 2 + 1), as ``mel_filters`` gives them. floor: added to the power.
    """
    power = stft(signal, size, hop).abs().square()
    return (filters.to(signal) @ power + floor).log()


def spectrum_statistics(spectrogram: Tensor) -> Tensor:
    """Hand-made features: (B, bands, frames) -> (B, 3 bands).

    Of each band the mean over time, the standard deviation, and the mean size of the change from
    one frame to the next: how loud, how uneven, how restless.
    """
    change = spectrogram.diff(dim=2).abs().mean(dim=2)
    spread = spectrogram.std(dim=2, correction=0)
    return torch.cat([spectrogram.mean(dim=2), spread, change], dim=1)


def mix_at_snr(signal: Tensor, noise: Tensor, snr: float | Tensor) -> Tensor:
    """The signal with noise at a signal-to-noise ratio: (..., T) -> (..., T).

    noise: (..., T), scaled so that 10 log10(power of signal / power of noise) is ``snr``, decibels,
    one number or (...); power is the mean of the squares over time. Silence stays silence.
    """
    powers = [part.square().mean(dim=-1, keepdim=True) for part in (signal, noise)]
    decibels = torch.as_tensor(snr, dtype=signal.dtype, device=signal.device)
    ratio = 10 ** (decibels[..., None] / 10)
    return signal + noise * (powers[0] / (powers[1].clamp(min=1e-20) * ratio)).sqrt()
