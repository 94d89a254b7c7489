"""The exercises of lesson 14, Image and audio."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from course_utils import sound
from course_utils.data import audio
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit

# --- frame_signal ----------------------------------------------------------------------------


def frame_cases(rng):
    """Sounds (T,), (B, T), (B, C, T); a rest and none, one frame, frames apart and overlapping."""
    for shape, size, hop in [
        ((2, 17), 4, 3),
        ((11,), 4, 2),
        ((1, 12), 6, 2),
        ((3, 2, 14), 5, 2),
        ((2, 7), 7, 3),
        ((4, 10), 2, 5),
    ]:
        yield torch.randn(shape, generator=rng), size, hop


def frames_of(signal, size, step, count):
    """``count`` frames, one every ``step`` samples, zeros where the sound has ended."""
    signal = F.pad(signal, (0, max(0, (count - 1) * step + size - signal.shape[-1])))
    return torch.stack([signal[..., k * step : k * step + size] for k in range(count)], dim=-2)


def whole_of(samples, size, hop):
    """How many frames of so many samples are full."""
    return 1 + (samples - size) // hop


def whole(signal, size, hop):
    return whole_of(signal.shape[-1], size, hop)


def framed_by_loop(signal, size=256, hop=128):
    return frames_of(signal, size, hop, whole(signal, size, hop))


def framed_by_count(count, dim=-2):
    """A loop over as many frames as ``count`` says, wrongly; it raises where samples run out."""

    def found(signal, size=256, hop=128):
        starts = [k * hop for k in range(count(signal.shape[-1], size, hop))]
        return torch.stack([signal[..., k : k + size] for k in starts], dim=dim)

    return found


ONE_MISSING = (
    "One frame is missing: beside the (T - size) // hop moves there is the frame that you begin "
    "with. A sound of exactly one frame has one."
)


def framed_in_the_middle(signal, size=256, hop=128):
    padded = F.pad(signal, (size // 2, size // 2))
    return framed_by_loop(padded, size, hop)


frame_signal = Exercise(
    reference=sound.frame_signal,
    cases=frame_cases,
    also_right=(framed_by_loop, lambda signal, size=256, hop=128: signal.unfold(-1, size, hop)),
    hints=(
        "How often can you move a frame by `hop` before it runs over the end? Count with a sound "
        "of 10 samples, a size of 4 and a hop of 3.",
        "The samples of frame k are `k * hop + torch.arange(size)`. With all k at once that is a "
        "table (frames, size) of places; `signal[..., table]` takes them.",
    ),
    mistakes=(
        Mistake(
            lambda signal, size, hop: framed_by_loop(signal, size, hop)[..., :-1, :],
            ONE_MISSING,
        ),
        Mistake(framed_by_count(lambda t, size, hop: (t - size) // hop), ONE_MISSING),
        Mistake(
            framed_by_count(lambda t, size, hop: math.ceil((t - size) / hop)),
            "Where no rest is left, your last frame is missing: one may begin at T - size, and "
            "`range` stops before its end.",
        ),
        Mistake(
            framed_by_count(lambda t, size, hop: t // hop),
            "You count a frame for each whole `hop`, so the last ones run over the end. Count how "
            "often a frame of `size` can move.",
        ),
        Mistake(
            framed_by_count(lambda t, size, hop: t // hop - 1),
            "T // hop - 1 is right only where `size` is twice the `hop`. Count how often a frame "
            "of `size` can move.",
        ),
        Mistake(
            framed_by_count(whole_of, dim=0),
            "`torch.stack` put the frames in front of all other axes. They come before the last: "
            "`dim=-2`.",
        ),
        Mistake(
            lambda signal, size, hop: list(framed_by_loop(signal, size, hop).unbind(-2)),
            "This is a list of frames. `torch.stack(frames, dim=-2)` makes one tensor of them.",
        ),
        Mistake(
            lambda signal, size, hop: frames_of(
                signal, size, hop, 1 + math.ceil((signal.shape[-1] - size) / hop)
            ),
            "You filled the last frame up with zeros. A rest that fills no frame is left out.",
        ),
        Mistake(
            lambda signal, size, hop: frames_of(
                signal, size, hop, math.ceil(signal.shape[-1] / hop)
            ),
            "You began a frame every `hop` samples up to the end, and filled up with zeros. Keep "
            "those alone that are full.",
        ),
        Mistake(
            lambda signal, size, hop: frames_of(signal, hop, size, whole(signal, hop, size)),
            "`size` and `hop` have changed places: a frame is `size` long, the next begins `hop` "
            "later.",
        ),
        Mistake(
            lambda signal, size, hop: framed_by_loop(signal, size, size),
            "Your frames stand side by side. The next one begins `hop` samples after the last.",
        ),
        Mistake(
            lambda signal, size, hop: framed_by_loop(signal, size, hop).transpose(-1, -2),
            "Your axes are (..., size, frames); they should be (..., frames, size).",
        ),
        Mistake(
            framed_in_the_middle,
            "You put zeros before and behind, so that frames have their middle at 0, hop, 2 hop. "
            "Here the first frame begins with the first sample.",
        ),
    ),
)


# --- hz_to_mel -------------------------------------------------------------------------------


def hertz_cases(rng):
    """Frequencies of several shapes, 0 and the middle of the scale among them."""
    yield (torch.tensor([0.0, 700.0, 1000.0, 4000.0]),)
    for shape in [(5,), (2, 3), (1, 1, 4), (1,)]:
        yield (8000 * torch.rand(shape, generator=rng),)


def mel_by_natural_logarithm(hertz):
    return 2595 / math.log(10) * torch.log1p(hertz / 700)


hz_to_mel = Exercise(
    reference=sound.hz_to_mel,
    cases=hertz_cases,
    also_right=(mel_by_natural_logarithm,),
    rtol=1e-4,
    atol=1e-2,
    hints=(
        "It is the formula above, from the inside out: divide, add 1, take the logarithm, "
        "multiply.",
        "`torch.log10` is the logarithm with base 10, as the formula has it.",
    ),
    mistakes=(
        Mistake(
            lambda hertz: 2595 * torch.log(1 + hertz / 700),
            "You took the natural logarithm. With 2595 belongs `torch.log10`.",
        ),
        Mistake(
            lambda hertz: 1127 * torch.log10(1 + hertz / 700),
            "1127 belongs to the natural logarithm. With `log10` it is 2595.",
        ),
        Mistake(
            lambda hertz: 2595 * torch.log10(hertz / 700),
            "The 1 is missing: 0 Hz should be 0 mel, and yours has no number there.",
        ),
        Mistake(
            lambda hertz: 2595 * (1 + torch.log10(hertz / 700)),
            "The 1 stands outside the logarithm. It belongs inside.",
        ),
        Mistake(
            lambda hertz: torch.log10(2595 * (1 + hertz / 700)),
            "2595 stands inside the logarithm. It belongs before it.",
        ),
        Mistake(
            lambda hertz: 2595 * torch.log10(1 + hertz // 700),
            "`//` leaves out what is behind the point. Divide with `/`.",
        ),
        Mistake(
            lambda hertz: 2595 * math.log10(1 + hertz / 700),
            "`math.log10` takes one number. `torch.log10` takes a tensor of any shape.",
        ),
        Mistake(
            lambda hertz: 2595 * torch.log10(1 + hertz) / 700,
            "Divide the frequency by 700 before you take the logarithm, not the result.",
        ),
        Mistake(
            lambda hertz: 2595 * torch.log10((1 + hertz) / 700),
            "Brackets: the 1 is added after the division by 700, not before.",
        ),
        Mistake(
            lambda hertz: 2595 * torch.log2(1 + hertz / 700),
            "You took the logarithm with base 2. With 2595 belongs `torch.log10`.",
        ),
        Mistake(
            lambda hertz: sound.hz_to_mel(hertz, "slaney"),
            "This is Slaney's scale. The formula above is HTK's.",
        ),
        Mistake(
            lambda hertz: 700 * (10 ** (hertz / 2595) - 1),
            "This is the way back, from mel to hertz.",
        ),
    ),
)


# --- log_mel ---------------------------------------------------------------------------------

FILTERS = sound.mel_filters(5, 16, 8000)  # small frames of 16 samples: 9 bins


def mel_cases(rng):
    """Sounds (B, T), soft and loud; a lone one, one frame; silence; several floors."""
    for shape, hop, floor, loud in [
        ((2, 40), 8, 1e-6, 1.0),
        ((1, 35), 4, 1e-3, 0.3),
        ((3, 16), 8, 1e-2, 2.0),
        ((2, 50), 16, 0.5, 0.7),
    ]:
        yield loud * torch.randn(shape, generator=rng), FILTERS, 16, hop, floor
    still = torch.randn(2, 40, generator=rng)
    still[0] = 0
    yield still, FILTERS, 16, 8, 1e-4


def mel_with(
    spectrum=lambda signal, size, hop: sound.stft(signal, size, hop).abs().square(),
    end=lambda power, floor: (power + floor).log(),
    bands=lambda filters, power: filters @ power,
):
    """``log_mel`` with something changed."""

    def found(signal, filters, size=256, hop=128, floor=1e-6):
        return end(bands(filters, spectrum(signal, size, hop)), floor)

    return found


def log_before_bands(signal, filters, size=256, hop=128, floor=1e-6):
    power = sound.stft(signal, size, hop).abs().square()
    return filters @ (power + floor).log()


def floor_before_bands(signal, filters, size=256, hop=128, floor=1e-6):
    power = sound.stft(signal, size, hop).abs().square()
    return (filters @ (power + floor)).log()


def parts_squared(signal, size, hop):
    found = sound.stft(signal, size, hop)
    return found.real.square() + found.imag.square()


def without_window(signal, size, hop):
    return sound.stft(signal, size, hop, window=torch.ones(size)).abs().square()


def centred(signal, size, hop):
    """The library's transform as it is by default: half a frame of mirrored sound before."""
    window = torch.hann_window(size)
    return torch.stft(signal, size, hop, window=window, return_complex=True).abs().square()


log_mel = Exercise(
    reference=sound.log_mel,
    cases=mel_cases,
    also_right=(
        mel_with(parts_squared),
        mel_with(bands=lambda f, power: torch.einsum("mk,bkt->bmt", f, power)),
    ),
    rtol=1e-3,
    atol=1e-3,
    hints=(
        "Four steps, in this order: the transform, its power, the bands, the logarithm. "
        "`filters` is (bands, bins) and the power (B, bins, frames): which product joins them?",
        "`power = stft(signal, size, hop).abs().square()`; then `filters @ power`, plus the floor, "
        "and `.log()`.",
    ),
    mistakes=(
        Mistake(
            mel_with(lambda s, size, hop: sound.stft(s, size, hop).abs()),
            "You took the size of the transform. Power is its square.",
        ),
        Mistake(
            log_before_bands,
            "You took the logarithm before the bands. Power adds up, logarithms do not: bands "
            "first.",
        ),
        Mistake(
            mel_with(end=lambda power, floor: power.log()),
            "The floor is missing: silence has power 0, and its logarithm is no number.",
        ),
        Mistake(
            mel_with(end=lambda power, floor: power.clamp(min=floor).log()),
            "You cut the power off at the floor. Add the floor to it.",
        ),
        Mistake(
            mel_with(end=lambda power, floor: power.log() + floor),
            "You added the floor after the logarithm. Add it to the power.",
        ),
        Mistake(
            mel_with(end=lambda power, floor: (power + floor).log10()),
            "You took the logarithm with base 10. Take the natural one, `log`.",
        ),
        Mistake(
            mel_with(end=lambda power, floor: 10 * (power + floor).log10()),
            "These are decibels. Take the natural logarithm, `log`, and nothing else.",
        ),
        Mistake(
            mel_with(end=lambda power, floor: (1 + power).log()),
            "You added 1, as `log1p` does. Add `floor`.",
        ),
        Mistake(
            mel_with(end=lambda power, floor: power + floor),
            "The logarithm is missing.",
        ),
        Mistake(
            floor_before_bands,
            "You added the floor before the bands, so a wide band gets more of it. Add it to the "
            "bands' power.",
        ),
        Mistake(
            mel_with(without_window),
            "These are frames without a window. `stft` takes Hann's by itself: use it as it is.",
        ),
        Mistake(
            mel_with(lambda s, size, hop: sound.stft(s, size, hop).real.square()),
            "You squared the real part alone. Power is `.abs().square()`, of cosine and sine.",
        ),
        Mistake(
            mel_with(
                lambda s, size, hop: (lambda x: (x.real + x.imag).square())(
                    sound.stft(s, size, hop)
                )
            ),
            "You added the two parts before you squared them. Power is `.abs().square()`: each "
            "part squared, then added.",
        ),
        Mistake(
            lambda signal, filters, size, hop, floor: (
                (filters.cfloat() @ sound.stft(signal, size, hop).square()).abs() + floor
            ).log(),
            "Complex numbers went into the bands, and there they cancel. Take `.abs().square()` "
            "first.",
        ),
        Mistake(
            mel_with(lambda s, size, hop: sound.stft(s).abs().square()),
            "`stft` took its own 256 and 128. Pass `size` and `hop` on to it.",
        ),
        Mistake(
            mel_with(centred),
            "`torch.stft` begins with half a frame of mirrored sound. Use the `stft` above, or "
            "`center=False`.",
        ),
        Mistake(
            mel_with(bands=lambda f, power: f.square() @ power),
            "You squared the filters. They weigh the power as they are.",
        ),
        Mistake(
            mel_with(bands=lambda f, power: f / f.sum(dim=1, keepdim=True) @ power),
            "You divided each filter by its sum. They weigh the power as they are.",
        ),
    ),
)


# --- mix_at_snr ------------------------------------------------------------------------------


def noise_cases(rng):
    """Sounds (T,), (B, T), (B, C, T) with noise, soft or loud; one ratio, or one for each sound."""
    for shape, snr in [((2, 30), 5.0), ((20,), -10.0), ((1, 25), 0.0), ((2, 3, 15), 12.0)]:
        loud = 0.1 + 2 * torch.rand(*shape[:-1], 1, generator=rng)
        soft = 0.1 + torch.rand(*shape[:-1], 1, generator=rng)
        signal = loud * torch.randn(shape, generator=rng) + 0.2
        yield signal, soft * torch.randn(shape, generator=rng) - 0.1, snr
    for shape in [(3, 30), (2, 2, 20)]:
        loud = 0.1 + 2 * torch.rand(*shape[:-1], 1, generator=rng)
        ratio = 30 * torch.rand(shape[:-1], generator=rng) - 15
        yield loud * torch.randn(shape, generator=rng), torch.randn(shape, generator=rng), ratio


def mean_square(wave):
    return wave.square().mean(dim=-1, keepdim=True)


def variance(wave):
    return wave.var(dim=-1, keepdim=True, correction=0)


def decibels(snr, by=10):
    return 10 ** (torch.as_tensor(snr)[..., None] / by)


def mixed(ratio=decibels, power=mean_square, factor=lambda s, n, r: (s / (n * r)).sqrt()):
    """``mix_at_snr`` with something changed."""

    def found(signal, noise, snr):
        return signal + noise * factor(power(signal), power(noise), ratio(snr))

    return found


def mixed_by_amplitude(signal, noise, snr):
    lower = decibels(snr, 20)
    return signal + noise * mean_square(signal).sqrt() / mean_square(noise).sqrt() / lower


NO_POWERS = (
    "You left out both powers: signal and noise have one already. Multiply by that of the signal "
    "and divide by that of the noise."
)


def signal_scaled(signal, noise, snr):
    factor = (decibels(snr) * mean_square(noise) / mean_square(signal)).sqrt()
    return signal * factor + noise


mix_at_snr = Exercise(
    reference=sound.mix_at_snr,
    cases=noise_cases,
    also_right=(mixed_by_amplitude, mixed()),
    rtol=1e-4,
    hints=(
        "Let g be the factor of the noise. Its power becomes g² times what it was. What must g "
        "be, so that power of signal / power of noise is 10 to the snr / 10?",
        "`power = wave.square().mean(dim=-1, keepdim=True)` for both; the factor is the square "
        "root of power of signal / (power of noise · ratio). `torch.as_tensor(snr)[..., None]` "
        "fits one number and many.",
    ),
    mistakes=(
        Mistake(
            mixed(ratio=lambda snr: decibels(snr, 20)),
            "20 belongs to amplitudes. The ratio of powers is 10 to the power of snr / 10.",
        ),
        Mistake(
            mixed(ratio=lambda snr: 1 / decibels(snr)),
            "The ratio is the wrong way round: with a large snr there should be little noise.",
        ),
        Mistake(
            mixed(power=lambda wave: wave.square().mean()),
            "You took one power for all sounds together. Each has its own: the mean over the "
            "last axis.",
        ),
        Mistake(
            signal_scaled,
            "You scaled the signal. Leave it as it is, and scale the noise.",
        ),
        Mistake(
            mixed(factor=lambda s, n, r: s / (n * r)),
            "The square root is missing: a wave times g has g² times the power.",
        ),
        Mistake(
            mixed(factor=lambda s, n, r: (s / r).sqrt()),
            "You took it that the noise has power 1. Divide by the power that it has.",
        ),
        Mistake(
            mixed(factor=lambda s, n, r: (1 / (n * r)).sqrt()),
            "You took it that the signal has power 1. Multiply by the power that it has.",
        ),
        Mistake(
            mixed(ratio=lambda snr: torch.as_tensor(snr)[..., None]),
            "You took `snr` for the ratio itself. It is in decibels: 10 to the power of snr / 10.",
        ),
        Mistake(mixed(factor=lambda s, n, r: (1 / r).sqrt()), NO_POWERS),
        Mistake(lambda signal, noise, snr: signal + noise * 10 ** (-snr / 20), NO_POWERS),
        Mistake(
            mixed(factor=lambda s, n, r: 1 / r),
            f"{NO_POWERS} And a wave times g has g² times the power: the square root of it all.",
        ),
        Mistake(
            mixed(factor=lambda s, n, r: (s / n).sqrt() / r),
            "The root is taken of the powers alone. The ratio is one of powers too: put it under "
            "the root.",
        ),
        Mistake(
            mixed(ratio=lambda snr: torch.as_tensor(snr)[..., None].div(10).exp()),
            "`exp` has the base e. Decibels have base 10: 10 to the power of snr / 10.",
        ),
        Mistake(
            mixed(ratio=lambda snr: 10.0 ** torch.as_tensor(snr)[..., None]),
            "Decibels are tenths: 10 to the power of snr / 10.",
        ),
        Mistake(
            mixed(ratio=lambda snr: 10 ** (torch.as_tensor(snr) / 10)),
            "One ratio for all sounds fits; one for each needs an axis for time: "
            "`torch.as_tensor(snr)[..., None]`.",
        ),
        Mistake(
            mixed(power=variance),
            "You took the variance. Power is the mean of the squares, without a mean subtracted.",
        ),
        Mistake(
            mixed(power=lambda wave: wave.abs().mean(dim=-1, keepdim=True).square()),
            "You squared the mean size. Power is the mean of the squares.",
        ),
        Mistake(
            lambda signal, noise, snr: (
                noise * (mean_square(signal) / (mean_square(noise) * decibels(snr))).sqrt()
            ),
            "This is the noise alone. Add the signal.",
        ),
    ),
)


# --- two_tones: break this claim -------------------------------------------------------------

LOW, HIGH, APART = 20.0, 20_000.0, 100.0  # hertz: what ears hear, and how far apart
SAME = 1e-3  # samples nearer than this are the same
TONES = ("one", "other")


def no_tones(dials):
    """A sentence on what are no two tones, or None."""
    if problem := other_names(dials, *TONES):
        return problem
    for name, value in dials.items():
        try:
            good = not isinstance(value, str | bool) and LOW <= float(value) <= HIGH
        except Exception:  # whatever the learner's object raises
            good = False
        if not good:
            return f"{name} is {value!r}; give a frequency from {LOW:.0f} to {HIGH:.0f} Hz."
    one, other = (float(dials[name]) for name in TONES)
    if abs(one - other) < APART:
        return f"{one:g} and {other:g} Hz are less than {APART:.0f} Hz apart."
    return None


def tones_are_one(dials, seed):
    """Whether two tones give the same samples. Computed: ``seed`` plays no part."""
    if problem := no_tones(dials):
        return problem
    time = torch.arange(12_000, dtype=torch.double) / 8000
    one, other = (torch.cos(2 * torch.pi * float(dials[name]) * time) for name in TONES)
    most = (one - other).abs().max().item()
    if most < SAME:
        told = " and ".join(f"{float(dials[name]):g} Hz" for name in TONES)
        return Broken(f"of {told} no sample of 12,000 differs by more than {most:.4f}")
    return f"Not yet: these two differ by up to {most:.2f} in a sample. You win below {SAME:g}."


two_tones = Exercise(
    verify=tones_are_one,
    exact=True,
    right_dials={"one": 3000.0, "other": 5000.0},
    wrong_dials=(
        {"one": 440.0, "other": 880.0},
        {"one": 1000.0, "other": 2000.0},
        {"one": 3000.0, "other": 5000.1},
        {"one": 4000.0, "other": 4000.0},
        {"one": 1000.0},
        {"one": 1000.0, "other": 90_000.0},
        {"one": "1000", "other": 9000.0},
        {"one": None, "other": 9000.0},
        {"one": math.nan, "other": 9000.0},
    ),
    hints=(
        "How many times does a tone of 8,000 Hz swing between two samples? What do its samples "
        "look like?",
        "A tone that swings once more between two samples, or 8,000 times more a second, passes "
        "through the same samples.",
    ),
)


# --- collate_clips: a build --------------------------------------------------------------------


def made_cards(seed, part=0, lengths=None, more=()):
    """Cards as a Dataset gives them: a picture, a sound of its own length, a class number."""
    rng = torch.Generator().manual_seed(100 * seed + part)
    if lengths is None:
        lengths = (20 + torch.randperm(30, generator=rng)[:5]).tolist()
    cards = []
    for length in lengths:
        card = {
            "image": torch.rand(3, 4, 5, generator=rng),
            "audio": 0.1 + 0.8 * torch.rand(length, generator=rng),
            "label": int(torch.randint(5, (), generator=rng)),
        }
        card["audio"][[length // 2, -1]] = 0  # as recordings have: no length is told by zeros
        if "tempo" in more:
            card["tempo"] = 60 + 100 * torch.rand((), generator=rng).item()
        if "mood" in more:
            card["mood"] = torch.rand(2, generator=rng)
        if "alone" in more:
            del card["image"]
        cards.append(card)
    return cards


def batch_of(attempt, cards):
    """What an attempt makes of cards. Raises Unfit, in a sentence, for what is no batch."""
    mine = [{name: value.clone() if torch.is_tensor(value) else value
             for name, value in card.items()} for card in cards]  # fmt: skip
    found = attempt(mine)
    if not isinstance(found, dict):
        raise Unfit(
            f"`collate_clips` should return a dict; yours returns a {type(found).__name__}."
        )
    same = len(mine) == len(cards) and all(
        set(own) == set(card) and all(alike(own[name], card[name]) for name in card)
        for own, card in zip(mine, cards, strict=True)
    )
    if not same:
        raise Unfit("Your function changed the cards that it was given: leave them as they are.")
    return found


def alike(one, two):
    return torch.equal(one, two) if torch.is_tensor(one) else one == two


def tensor_of(found, name):
    """One part of a batch. Raises Unfit, in a sentence, where it is missing or no tensor."""
    if name not in found:
        raise Unfit(f"The batch that you return has no {name!r}.")
    if not torch.is_tensor(found[name]):
        raise Unfit(f"{name!r} should be a tensor; yours is a {type(found[name]).__name__}.")
    return found[name].detach().clone()


SOUNDS = ("audio", "audio_length")
BATCHES = ({}, {"lengths": [7]}, {"lengths": [12, 12]})  # uneven, a lone card, of one length


def do_sounds(attempt, seed):
    return [
        {name: tensor_of(found, name) for name in SOUNDS}
        for part, options in enumerate(BATCHES)
        for found in [batch_of(attempt, made_cards(seed, part, **options))]
    ]


def judge_sounds(seen, seed):
    for part, (found, options) in enumerate(zip(seen, BATCHES, strict=True)):
        cards = made_cards(seed, part, **options)
        if problem := sound_problem(found, [card["audio"] for card in cards]):
            return problem
    return None


def sound_problem(found, sounds):
    """A sentence on what is wrong with a batch's sounds, or None."""
    wave, length = found["audio"], found["audio_length"]
    own = torch.tensor([len(one) for one in sounds])
    shape = (len(sounds), int(own.max()))
    told = f"The sounds of this batch have {', '.join(map(str, own.tolist()))} samples"
    if tuple(wave.shape) == shape[::-1] != shape:
        return (
            f"'audio' is (longest, B), {tuple(wave.shape)}; it should be (B, longest). "
            "`pad_sequence` takes `batch_first=True`."
        )
    if wave.ndim == 2 and wave.shape[1] < shape[1]:
        return f"{told}; 'audio' has {wave.shape[1]} columns, so the longest is cut off."
    if tuple(wave.shape) != shape:
        return (
            f"{told}; 'audio' has the shape {tuple(wave.shape)} and should be {shape}: as long as "
            "the longest of *this* batch."
        )
    if wave.dtype != torch.float32:
        return f"'audio' is of dtype {wave.dtype}; keep the sounds' own, torch.float32."
    if length.shape != own.shape or length.dtype != torch.long:
        return (
            f"'audio_length' is {length.dtype} of shape {tuple(length.shape)}; it should be "
            f"torch.int64 of shape {tuple(own.shape)}."
        )
    if torch.equal(length, torch.full_like(own, shape[1])) and not torch.equal(length, own):
        return (
            "'audio_length' is the length after filling up. It should say how long each sound is."
        )
    if not torch.equal(length, own) and torch.equal(length.sort().values, own.sort().values):
        return "Your rows are in another order than the cards."
    if any(torch.equal(length, zeros) for zeros in told_by_zeros(sounds)):
        return (
            "'audio_length' is told by zeros, and a sound may hold some itself, at its end too: "
            "take its length before you fill up."
        )
    if not torch.equal(length, own):
        return f"{told}; 'audio_length' says {', '.join(map(str, length.tolist()))}."
    expected = nn.utils.rnn.pad_sequence(sounds, batch_first=True)
    if torch.equal(wave, expected):
        return None
    behind = torch.stack([F.pad(one, (shape[1] - len(one), 0)) for one in sounds])
    if torch.equal(wave, behind):
        return "Your zeros stand in front of the sounds. They belong behind them."
    if torch.equal(wave.sort(dim=0).values, expected.sort(dim=0).values):
        return "Your rows are in another order than the cards."
    rest = torch.arange(shape[1]) >= own[:, None]
    if torch.equal(wave.masked_fill(rest, 0), expected):
        return "Behind a sound stands something else than zeros."
    return "The samples in 'audio' are not those of the cards."


def told_by_zeros(sounds):
    """Lengths by the zeros of filled sounds: without them, up to the last other, to the first."""
    yield torch.tensor([int((one != 0).sum()) for one in sounds])
    yield torch.tensor([int(one.nonzero().max()) + 1 for one in sounds])
    yield torch.tensor([int((one == 0).int().argmax()) for one in sounds])


def do_others(attempt, seed):
    found = batch_of(attempt, made_cards(seed, 5, more=("tempo", "mood")))
    lone = batch_of(attempt, made_cards(seed, 6, lengths=[9]))
    blind = batch_of(attempt, made_cards(seed, 7, more=("alone",)))
    return [
        {name: tensor_of(found, name) for name in ("image", "label", "tempo", "mood")},
        {name: tensor_of(lone, name) for name in ("image", "label")},
        {name: tensor_of(blind, name) for name in ("label",)},
        sorted(blind),
    ]


def judge_others(seen, seed):
    *batches, names = seen
    drawn = (
        made_cards(seed, 5, more=("tempo", "mood")),
        made_cards(seed, 6, lengths=[9]),
        made_cards(seed, 7, more=("alone",)),
    )
    for found, cards in zip(batches, drawn, strict=True):
        for name, value in found.items():
            values = [card[name] for card in cards]
            expected = torch.stack(values) if torch.is_tensor(values[0]) else torch.tensor(values)
            if value.shape != expected.shape:
                return (
                    f"{name!r} has the shape {tuple(value.shape)}; of {len(cards)} such cards it "
                    f"should be {tuple(expected.shape)}, a row for each card."
                )
            if value.dtype not in kinds_of(values[0]):
                return f"{name!r} is of dtype {value.dtype}; it should be {expected.dtype}."
            if not torch.equal(value.to(expected.dtype), expected):
                return f"The values of {name!r} are not those of the cards, in their order."
    if names != ["audio", "audio_length", "label"]:
        return f"Of cards with a sound and a label you made {names}; nothing else should be there."
    return None


def kinds_of(value):
    """The dtypes that a batch of such values may have."""
    if torch.is_tensor(value):
        return (value.dtype,)
    # torch.tensor makes the one of a float, and default_collate the other.
    return (torch.float32, torch.float64) if isinstance(value, float) else (torch.long,)


def do_loader(attempt, seed):
    cards = made_cards(seed, 8, lengths=[11, 5, 9, 14, 6, 8, 13])
    loader = DataLoader(cards, 3, collate_fn=attempt)
    return [{name: tensor_of(batch, name) for name in (*SOUNDS, "label")} for batch in loader]


def judge_loader(seen, seed):
    cards = made_cards(seed, 8, lengths=[11, 5, 9, 14, 6, 8, 13])
    for start, found in zip((0, 3, 6), seen, strict=True):
        part = cards[start : start + 3]
        if problem := sound_problem(found, [card["audio"] for card in part]):
            return problem
        if found["label"].tolist() != [card["label"] for card in part]:
            return "In a DataLoader the labels are not those of the batch's own cards."
    return None


def collated(change):
    """``collate_clips`` with its batch changed: ``change(batch, cards)``."""

    def attempt(cards):
        batch = audio.collate_clips(cards)
        return {**batch, **change(batch, cards)}

    return attempt


def collated_by_hand(cards):
    """Right, in another way."""
    longest = max(len(card["audio"]) for card in cards)
    batch = {"audio": torch.zeros(len(cards), longest)}
    for row, card in enumerate(cards):
        batch["audio"][row, : len(card["audio"])] = card["audio"]
    batch["audio_length"] = torch.tensor([card["audio"].numel() for card in cards])
    for name in cards[0].keys() - {"audio"}:
        batch[name] = torch.utils.data.default_collate([card[name] for card in cards])
    return batch


def collated_by_the_library(cards):
    """Right: all but the sounds left to ``default_collate``."""
    rest = [{name: value for name, value in card.items() if name != "audio"} for card in cards]
    batch = torch.utils.data.default_collate(rest)
    sounds = audio.collate_clips([{"audio": card["audio"]} for card in cards])
    return batch | sounds


def cut_to_the_shortest(batch, cards):
    return {"audio": batch["audio"][:, : int(batch["audio_length"].min())]}


def zeros_in_front(batch, cards):
    longest = batch["audio"].shape[1]
    return {
        "audio": torch.stack([F.pad(c["audio"], (longest - len(c["audio"]), 0)) for c in cards])
    }


def with_a_picture(cards):
    batch = audio.collate_clips(cards)
    return {**batch, "image": torch.stack([card["image"] for card in cards])}


def known_names_alone(cards):
    batch = audio.collate_clips(cards)
    return {name: batch[name] for name in ("image", *SOUNDS, "label") if name in batch}


def sorted_by_length(cards):
    order = sorted(range(len(cards)), key=lambda k: -len(cards[k]["audio"]))
    return audio.collate_clips([cards[k] for k in order])


collate_clips = Exercise(
    reference=audio.collate_clips,
    parts=(
        Part(
            "the sounds",
            do_sounds,
            judge_sounds,
            (
                "How long is the longest sound of the batch? Make a table of zeros of that width, "
                "and put each sound at the beginning of its row.",
                "`nn.utils.rnn.pad_sequence(sounds, batch_first=True)` does this for a list of "
                "sounds. Their lengths: `torch.tensor([len(sound) for sound in sounds])`.",
            ),
        ),
        Part(
            "everything else",
            do_others,
            judge_others,
            (
                "Go through the names of the first card. A tensor is one thing, a number another; "
                "ask for no name but `audio`.",
                "`torch.stack(values)` for tensors of one shape, `torch.tensor(values)` for "
                "numbers.",
            ),
        ),
        Part(
            "in a DataLoader",
            do_loader,
            judge_loader,
            (
                "Each batch is made by a call of its own: nothing may be kept from one call to the "
                "next, neither cards nor the longest length.",
                "Make `batch = {}` inside the function, and fill it there.",
            ),
        ),
    ),
    also_right=(collated_by_hand, collated_by_the_library),
    mistakes=(
        Mistake(
            collated(lambda b, cards: {"audio": F.pad(b["audio"], (0, 60 - b["audio"].shape[1]))}),
            "as long as the longest of *this* batch.",
        ),
        Mistake(collated(cut_to_the_shortest), "so the longest is cut off."),
        Mistake(
            collated(lambda b, cards: {"audio_length": torch.full_like(b["audio_length"],
                                                                       b["audio"].shape[1])}),
            "It should say how long each sound is.",
        ),
        Mistake(
            collated(lambda b, cards: {"audio_length": (b["audio"] != 0).sum(dim=1)}),
            "take its length before you fill up.",
        ),
        Mistake(
            collated(lambda b, cards: {"audio_length": torch.stack(
                [row.nonzero().max() + 1 for row in b["audio"]])}),
            "take its length before you fill up.",
        ),
        Mistake(collated(lambda b, cards: {"audio": b["audio"].T}), "takes `batch_first=True`."),
        Mistake(collated(zeros_in_front), "Your zeros stand in front of the sounds."),
        Mistake(
            collated(lambda b, cards: {"audio_length": [len(card["audio"]) for card in cards]}),
            "'audio_length' should be a tensor; yours is a list.",
        ),
        Mistake(
            collated(lambda b, cards: {"label": b["label"].tolist()}),
            "'label' should be a tensor; yours is a list.",
        ),
        Mistake(
            collated(lambda b, cards: {"label": b["label"][:, None]}),
            "a row for each card.",
        ),
        Mistake(sorted_by_length, "Your rows are in another order than the cards."),
        Mistake(known_names_alone, "The batch that you return has no 'tempo'."),
        Mistake(with_a_picture, "KeyError: 'image'."),
    ),
)  # fmt: skip
