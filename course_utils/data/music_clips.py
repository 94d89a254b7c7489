"""The clips of the music cards: a second and a half of music at 8 kHz, made with numpy.

Five styles. A listener tells them by metre, drums and instruments: a waltz in three, a plucked
guitar, a walking bass under a swung ride, distorted chords over a backbeat, a kick on every beat.
Within a style key, scale, chords, tempo, instruments, patterns and the place in the bar differ from
clip to clip. The mood is told by the tempo alone: lively, or calm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RATE = 8000  # samples a second
SECONDS = 1.5
SAMPLES = int(RATE * SECONDS)
LOUDNESS = 0.08  # root mean square of a clip
NOTE = 9600  # samples of the longest note
LOWEST = 82.41  # Hz, of semitone 0: the low E of a guitar

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)  # semitones above the root
TEMPO = (170, 110, 140, 120, 128)  # beats a minute of each style, before the mood
CALM, LIVELY = (0.6, 0.8), (1.25, 1.6)  # what a mood multiplies the tempo by

Sound = np.ndarray  # (samples,) float32

# --- notes -----------------------------------------------------------------------------------


def hertz(semitone: int) -> float:
    """The frequency of a note, semitones above LOWEST."""
    return LOWEST * 2 ** (semitone / 12)


def partials(frequency: float, loudness: tuple[float, ...], vibrato: float = 0.0) -> Sound:
    """A sum of sines at the multiples of a frequency, (NOTE,); none above half the rate.

    loudness: of each multiple. vibrato: how far the frequency sways, as a share of itself.
    """
    time = np.arange(NOTE) / RATE
    sway = -vibrato * np.cos(2 * np.pi * 5.5 * time) / (2 * np.pi * 5.5)
    phase = 2 * np.pi * frequency * (time + sway)
    wave = np.zeros(NOTE)
    for k, loud in enumerate(loudness, start=1):
        if k * frequency < 0.95 * RATE / 2:
            wave += loud * np.sin(k * phase)
    return (wave / sum(loudness)).astype(np.float32)


def fading(seconds: float) -> Sound:
    """What falls to 1 / e in so many seconds, (NOTE,)."""
    return np.exp(-np.arange(NOTE, dtype=np.float32) / (seconds * RATE))


def rising(seconds: float) -> Sound:
    """What rises from 0 to 1 in so many seconds and stays, (NOTE,)."""
    return np.minimum(np.arange(NOTE, dtype=np.float32) / (seconds * RATE), 1)


def plucked(frequency: float, brightness: float) -> Sound:
    """A plucked string, (NOTE,), by the algorithm of Karplus and Strong.

    A burst of noise goes round a loop as long as the period, and each round takes the mean of
    neighbours: what is high dies first. Digital Synthesis of Plucked-String and Drum Timbres,
    Computer Music Journal 7(2), 1983. brightness: share of the loop that each round leaves as is.
    """
    period = round(RATE / frequency)
    loop = np.random.default_rng(period).uniform(-1, 1, period)
    loop -= loop.mean()  # which would never die away
    rounds = []
    for _ in range(-(-NOTE // period)):
        rounds.append(loop)
        loop = brightness * loop + (1 - brightness) * (loop + np.roll(loop, 1)) / 2
        loop *= 0.996
    return np.concatenate(rounds)[:NOTE].astype(np.float32)


def power_chord(frequency: float) -> Sound:
    """Root, fifth and octave through an amplifier that cuts their peaks off, (NOTE,)."""
    saw = tuple(1 / k for k in range(1, 13))
    strings = sum(partials(frequency * ratio, saw) for ratio in (1, 1.498, 2))
    return np.tanh(6 * strings).astype(np.float32) * fading(1.2)


INSTRUMENTS: dict[str, Callable[[float], Sound]] = {
    "strings": lambda f: partials(f, (1, 0.6, 0.45, 0.3, 0.25, 0.15), 0.006) * rising(0.06),
    "accordion": lambda f: (
        (partials(f, (1, 0.8, 0.7, 0.5, 0.4, 0.3)) + partials(f * 1.008, (1, 0.8, 0.7, 0.5)))
        * rising(0.02)
        / 2
    ),
    "flute": lambda f: partials(f, (1, 0.25, 0.08), 0.008) * rising(0.04),
    "guitar": lambda f: plucked(f, 0.35),
    "mandolin": lambda f: plucked(f, 0.0),
    "bass": lambda f: partials(f, (1, 0.5, 0.2, 0.1)) * fading(0.3) * rising(0.008),
    "piano": lambda f: partials(f, (1, 0.4, 0.3, 0.15, 0.08)) * fading(0.25) * rising(0.003),
    "trumpet": lambda f: partials(f, (0.7, 1, 0.9, 0.7, 0.5, 0.3), 0.006) * rising(0.025),
    "power": power_chord,
    "square": lambda f: partials(f, (1, 0, 1 / 3, 0, 1 / 5, 0, 1 / 7)) * rising(0.002),
    "saw": lambda f: partials(f, tuple(1 / k for k in range(1, 13))) * rising(0.002),
}


@lru_cache(maxsize=1024)
def note(instrument: str, semitone: int) -> Sound:
    """A note as long as any is played, (NOTE,); not to be changed."""
    sound = INSTRUMENTS[instrument](hertz(semitone))
    sound.flags.writeable = False
    return sound


# --- drums -----------------------------------------------------------------------------------

TAKES = 4  # recordings of each drum


def swept(high: float, low: float, fall: float) -> Sound:
    """A sine that falls from one frequency to another, (NOTE,); fall: in seconds, to 1 / e."""
    time = np.arange(NOTE) / RATE
    phase = low * time + (high - low) * fall * (1 - np.exp(-time / fall))
    return np.sin(2 * np.pi * phase).astype(np.float32)


def hiss(take: int, sharpness: int) -> Sound:
    """Noise, (NOTE,), of which ``sharpness`` differences leave the high part."""
    noise = np.random.default_rng([14, take]).standard_normal(NOTE + sharpness)
    noise = np.diff(noise, n=sharpness)
    return (noise / noise.std()).astype(np.float32)


def metal(take: int) -> Sound:
    """Many high tones that do not fit each other, (NOTE,): a cymbal."""
    tones = np.random.default_rng([15, take]).uniform(1900, 3900, 9)
    time = np.arange(NOTE)[:, None] / RATE
    return np.sin(2 * np.pi * tones * time).sum(axis=1).astype(np.float32) / 3


DRUMS: dict[str, Callable[[int], Sound]] = {
    "kick": lambda take: swept(110 + 8 * take, 52, 0.02) * fading(0.07),
    "deep kick": lambda take: swept(190 + 15 * take, 46, 0.035) * fading(0.11),
    "snare": lambda take: (0.35 * hiss(take, 1) + 0.6 * swept(230, 185, 0.02)) * fading(0.05),
    "hat": lambda take: 0.35 * hiss(take, 2) * fading(0.012 + 0.003 * take),
    "open hat": lambda take: 0.35 * hiss(take, 2) * fading(0.06),
    "ride": lambda take: (0.3 * metal(take) + 0.12 * hiss(take, 2)) * fading(0.14),
    "brush": lambda take: 0.25 * hiss(take, 1) * fading(0.05) * rising(0.02),
    "clap": lambda take: 0.4 * hiss(take, 1) * fading(0.035) * rising(0.004),
}


@lru_cache(maxsize=TAKES * len(DRUMS))
def drum(name: str, take: int) -> Sound:
    """One take of a drum, (NOTE,); not to be changed."""
    sound = DRUMS[name](take)
    sound.flags.writeable = False
    return sound


# --- a song and its five styles --------------------------------------------------------------


@dataclass
class Song:
    """What a style is played with, and the clip that it is played into.

    out: (SAMPLES,) float32. beat: length of a beat in seconds. bar: beats in a bar. start: when
    the first beat falls, in seconds, before the clip begins: a clip starts anywhere in a bar.
    root: semitones above LOWEST. scale: seven semitones above the root. chord: degree of the
    chord's root in the first bar, and in the second.
    """

    rng: np.random.Generator
    out: Sound
    beat: float
    bar: int
    start: float
    root: int
    scale: tuple[int, ...]
    chord: tuple[int, int]

    @property
    def beats(self) -> int:
        """How many beats there are from the first to the end of the clip."""
        return int((SECONDS - self.start) / self.beat) + 1

    def semitone(self, degree: int, octave: int = 0) -> int:
        """A degree of the scale, from 0, as semitones above LOWEST."""
        return self.root + self.scale[degree % 7] + 12 * (degree // 7 + octave)

    def chord_at(self, beat: float) -> int:
        """The degree on which the chord of this beat is built."""
        return self.chord[int(beat // self.bar) % 2]

    def put(self, beat: float, sound: Sound, loudness: float, length: float = 4.0) -> None:
        """Add a sound at a beat; what lies before the clip or behind it is cut off.

        length: in beats, after which the sound ends with a fade of 20 ms.
        """
        loudness *= self.rng.uniform(0.8, 1.2)
        first = round((self.start + beat * self.beat + self.rng.normal(0, 0.003)) * RATE)
        last = min(first + min(len(sound), int(length * self.beat * RATE)), SAMPLES)
        begin, fade = max(first, 0), int(0.02 * RATE)
        if last <= begin:
            return
        part = loudness * sound[begin - first : last - first]
        if last < SAMPLES:
            tail = min(fade, len(part))
            part[-tail:] *= np.linspace(1, 0, tail, dtype=np.float32)
        self.out[begin:last] += part

    def play(self, instrument: str, beat: float, semitone: int, loudness: float,
             length: float = 4.0) -> None:  # fmt: skip
        """One note."""
        self.put(beat, note(instrument, semitone), loudness, length)

    def hit(self, name: str, beat: float, loudness: float) -> None:
        """One stroke of a drum."""
        self.put(beat, drum(name, int(TAKES * self.rng.random())), loudness)

    def one_of(self, *choices: str) -> str:
        """One of them, all alike."""
        return choices[int(len(choices) * self.rng.random())]

    def chance(self, share: float) -> bool:
        """True in this share of the calls."""
        return self.rng.random() < share


def play_waltz(song: Song) -> None:
    """In three: a low note on one, chords on two and three or one held, a long note above them."""
    low, lead = song.one_of("bass", "strings", "accordion"), song.one_of("strings", "flute")
    chords, late = song.one_of("strings", "accordion", "piano"), song.chance(0.25)
    for beat in range(song.beats):
        chord = song.chord_at(beat)
        if beat % 3 == 0:
            song.play(low, beat, song.semitone(chord), 1.0, 0.9)
            held = song.rng.choice((1, 2, 3))
            song.play(lead, beat, song.semitone(chord + song.rng.choice((0, 2, 4)), 2), 0.6, held)
        elif beat % 3 == 1 or not late:
            for degree in (2, 4):
                length = 1.7 if late else 0.6
                song.play(chords, beat, song.semitone(chord + degree, 1), 0.5, length)


def play_folk(song: Song) -> None:
    """A guitar or a mandolin without drums: single strings in turn, or all of them struck."""
    strings, struck = song.one_of("guitar", "guitar", "mandolin"), song.chance(0.4)
    octave = 1 if strings == "guitar" else 2
    order = ((0, 2, 4, 7), (0, 4, 2, 4), (0, 7, 4, 2))[int(3 * song.rng.random())]
    for half in range(2 * song.beats):
        beat, chord = half / 2, song.chord_at(half / 2)
        if struck:
            if half % 2 == 0 or song.chance(0.5):
                for string, degree in enumerate((0, 4, 7, 9)):
                    song.play(strings, beat + 0.02 * string, song.semitone(chord + degree, 1), 0.4)
        else:
            degree = chord + order[half % 4]
            song.play(strings, beat, song.semitone(degree, octave), 0.9, 2)
        if half % 4 == 0:
            song.play("guitar", beat, song.semitone(chord), 0.7)


def play_jazz(song: Song) -> None:
    """A walking bass and a swung ride, with a piano or a trumpet between the beats."""
    lead, brushes = song.one_of("piano", "piano", "trumpet"), song.chance(0.4)
    swing, step = song.rng.uniform(0.6, 0.7), 0
    for beat in range(song.beats):
        chord = song.chord_at(beat)
        song.play("bass", beat, song.semitone(chord + step), 1.3, 0.95)
        step = int(song.rng.choice((step + 1, step - 1, 0, 4)))
        song.hit("ride", beat, 0.7)
        if beat % 2 == 1:
            song.hit("ride", beat + swing, 0.55)
            song.hit("brush" if brushes else "hat", beat, 0.8)
        if lead == "piano" and song.chance(0.6):
            for degree in (2, 4, 6, 8):
                song.play("piano", beat + swing, song.semitone(chord + degree, 1), 0.3, 1.2)
        if lead == "trumpet" and song.chance(0.7):
            degree = chord + int(song.rng.choice((0, 2, 4, 5, 6)))
            song.play("trumpet", beat + swing, song.semitone(degree, 2), 0.45, 0.9)


def play_rock(song: Song) -> None:
    """Distorted chords, with kick on one and three and snare on two and four."""
    rests, eighths = song.chance(0.4), song.chance(0.6)
    for half in range(2 * song.beats):
        beat, chord = half / 2, song.chord_at(half / 2)
        if not (rests and half % 4 == 3):
            song.play("power", beat, song.semitone(chord) % 16, 0.75, 0.42 if eighths else 0.5)
        if half % 2 == 0 or eighths:
            song.hit("hat", beat, 0.6)
        if half % 2 == 0:
            song.hit("snare" if half % 4 == 2 else "kick", beat, 1.8)
        elif song.chance(0.2):
            song.hit("kick", beat, 1.4)


def play_techno(song: Song) -> None:
    """A kick on every beat, a hat between them, and a pattern of sixteenths that repeats."""
    synth, claps = song.one_of("square", "saw"), song.chance(0.5)
    pattern = song.rng.choice((0, 2, 4, 7), 4)
    plays = song.rng.random(4) < 0.8
    octave = 1 + song.chance(0.5)
    for sixteenth in range(4 * song.beats):
        beat = sixteenth / 4
        if plays[sixteenth % 4]:
            degree = song.chord[0] + int(pattern[sixteenth % 4])
            song.play(synth, beat, song.semitone(degree, octave), 0.45, 0.2)
        if sixteenth % 4 == 0:
            song.hit("deep kick", beat, 1.6)
            if claps and (sixteenth // 4) % 2 == 1:
                song.hit("clap", beat, 0.9)
        elif sixteenth % 4 == 2:
            song.hit("open hat", beat, 0.8)
            song.play("saw", beat, song.semitone(song.chord[0]), 0.5, 0.4)


# In the order of music_cards.GENRES.
STYLES: tuple[Callable[[Song], None], ...] = (
    play_waltz,
    play_folk,
    play_jazz,
    play_rock,
    play_techno,
)


def play(rng: np.random.Generator, style: int, lively: bool) -> Sound:
    """A clip of music, (SAMPLES,) float32 with a root mean square of LOUDNESS.

    rng: decides everything that is left open. style: index into STYLES. lively: the mood.
    """
    beat = 60 / (TEMPO[style] * rng.uniform(*(LIVELY if lively else CALM)))
    bar = 3 if style == 0 else 4
    song = Song(
        rng=rng,
        out=np.zeros(SAMPLES, dtype=np.float32),
        beat=beat,
        bar=bar,
        start=-rng.uniform(0, 2 * bar) * beat,
        root=int(rng.integers(0, 12)),
        scale=MAJOR if rng.random() < 0.5 else MINOR,
        chord=(int(rng.choice((0, 3, 4, 5))), int(rng.choice((0, 3, 4)))),
    )
    STYLES[style](song)
    return even_out(in_a_room(rng, song.out))


def in_a_room(rng: np.random.Generator, sound: Sound) -> Sound:
    """The same through a room and a microphone: an echo, and more treble or less, (SAMPLES,)."""
    spectrum = np.fft.rfft(sound)
    share = np.linspace(-0.5, 0.5, len(spectrum))  # of the band, from its middle
    tilt = 10 ** (rng.uniform(-8, 8) * share / 20)
    delay, echo = rng.uniform(0.03, 0.09), rng.uniform(0, 0.25)
    turn = np.exp(-1j * np.pi * RATE * delay * np.linspace(0, 1, len(spectrum)))
    return np.fft.irfft(spectrum * tilt * (1 + echo * turn), len(sound)).astype(np.float32)


def murmur(rng: np.random.Generator) -> Sound:
    """A clip without music: the noise of a room and the hum of a device, (SAMPLES,) float32."""
    spectrum = np.fft.rfft(rng.standard_normal(SAMPLES))
    frequency = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    spectrum *= (frequency + 60) ** -rng.uniform(0.6, 1.2)
    noise = np.fft.irfft(spectrum, SAMPLES)
    hum = np.sin(2 * np.pi * 100 * np.arange(SAMPLES) / RATE + 6 * rng.random())
    return even_out((noise / noise.std() + rng.uniform(0, 0.6) * hum).astype(np.float32))


def even_out(sound: Sound) -> Sound:
    """The same at a root mean square of LOUDNESS; silence stays silence."""
    return sound * np.float32(LOUDNESS / max(float(np.sqrt(np.mean(sound**2))), 1e-6))
