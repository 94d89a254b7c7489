"""Sounds: from files or samples in rows to the tensors of a batch, and clips of different length.

``read_audio`` reads a file with the library soundfile, which lesson 14 alone needs: nothing else of
the course asks for it. ``AudioReader`` and ``MelReader`` are the readers of the modality ``audio``.
``MusicFolder`` and ``collate_clips`` are what ``torch.utils.data.DataLoader`` asks for.
"""

import csv
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from course_utils.data.readers import Reader, read_image
from course_utils.data.rows import BadData, present_in
from course_utils.sound import BANDS, FLOOR, HOP, SIZE, log_mel, mel_filters

RATE = 8000  # samples a second that the course reads at
NO_SOUNDFILE = (
    "sounds are read with the library soundfile, which is not installed; install it with "
    "`pip install soundfile`"
)
UNKNOWN_SIZES = (0, 2**32 - 1)  # what programs write that did not know how long a file would get

# --- files -----------------------------------------------------------------------------------


def soundfile() -> Any:
    """The library. Raises ImportError with a sentence that says what to install."""
    try:
        import soundfile as library
    except (ImportError, OSError):  # OSError: the library is there, its C part is not
        raise ImportError(NO_SOUNDFILE) from None
    return library


def read_audio(path: str | Path, rate: int = RATE) -> np.ndarray:
    """One sound of any kind that soundfile knows as (T,) float32, T samples at ``rate`` a second.

    Channels become their mean. Whole numbers of 8, 16, 24 or 32 bits become fractions from -1 to 1.
    A file with another rate is resampled by a polyphase filter.

    Raises BadData where there is no whole sound: no file, an empty one, one of another kind, one
    that is cut off, one with a sample that is no number; or where it may not be opened.
    Raises ImportError where soundfile is not installed.
    """
    library, path = soundfile(), Path(path)
    advice = "replace it"
    try:
        if path.stat().st_size == 0:
            reason = "is empty: it has no byte"
        elif is_cut_off(path):
            reason = "is cut off: it promises more bytes than it has"
        else:
            samples, own_rate = library.read(path, dtype="float32", always_2d=True)
            if not len(samples):
                reason = "holds no samples"
            elif not np.isfinite(samples).all():
                reason = "holds samples that are no numbers"
            else:
                return resampled(samples.mean(axis=1), own_rate, rate)
    except FileNotFoundError:
        reason = "is not there"
    except (PermissionError, IsADirectoryError):
        reason = "may not be opened: it is a folder, or its permissions forbid it"
        advice = "name a file, or allow yourself to read it"
    except Exception as error:  # of a broken file the library raises several kinds
        said = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
        reason = f"is no sound, or of a kind that soundfile does not know ({said})"
    raise BadData(f"the sound {path} {reason}; {advice}", reason)


def is_cut_off(path: Path) -> bool:
    """Whether a WAV file's head promises more bytes than there are; soundfile would not say so."""
    with path.open("rb") as file:
        head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return False
    promised = int.from_bytes(head[4:8], "little")
    return promised not in UNKNOWN_SIZES and promised + 8 > path.stat().st_size


def resampled(samples: np.ndarray, own_rate: int, rate: int) -> np.ndarray:
    """Samples (T,) at another rate, (about T rate / own_rate,) float32, without aliasing."""
    if own_rate == rate:
        return samples
    from scipy.signal import resample_poly

    ratio = Fraction(rate, own_rate).limit_denominator(1000)  # odd rates would need long filters
    return resample_poly(samples, ratio.numerator, ratio.denominator).astype(np.float32)


def write_audio(path: str | Path, samples: np.ndarray, rate: int = RATE) -> None:
    """Samples (T,) int16, or float from -1 to 1, as a WAV file of 16 bits; never half a file.

    Raises ImportError where soundfile is not installed.
    """
    part = Path(path).with_suffix(".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    soundfile().write(part, samples, rate, format="WAV", subtype="PCM_16")
    os.replace(part, path)


# --- readers of rows -------------------------------------------------------------------------


class AudioReader(Reader):
    """Sounds as (n, T) float, zeros behind each, and their lengths (n,) long, in samples.

    The column holds samples (T,), int16 or float, together or in a list, or the paths of files,
    which are read at ``rate``. Where a sound is absent stand zeros, and the length is 0.
    """

    def __init__(self, column: str | None = None, rate: int = RATE, seconds: float | None = None):
        """seconds: the length to which each sound is cut or filled up; by default the longest's."""
        super().__init__(column)
        if seconds is not None and seconds <= 0:
            raise ValueError(f"seconds is a length above 0, not {seconds!r}")
        self.rate, self.seconds = rate, seconds

    def read(self, cells: Any) -> dict[str, Tensor]:
        """The sounds, under the modality's own name, and their lengths."""
        sounds = self.sounds(cells)
        most = max(map(len, sounds), default=0)
        width = most if self.seconds is None else round(self.seconds * self.rate)
        whole, length = torch.zeros(len(sounds), width), torch.zeros(len(sounds), dtype=torch.long)
        for row, sound in enumerate(sounds):
            length[row] = min(len(sound), width)
            whole[row, : length[row]] = as_fractions(sound, row)[:width]
        return {"": whole, "_length": length}

    def sounds(self, cells: Any) -> list[np.ndarray]:
        """The samples of each row, (T,) each; of none where absent.

        Raises ValueError where no row has a sound, or where samples are not (T,).
        """
        here = present_in(cells)
        if not here.any() and len(here):
            raise ValueError("no row has a sound, so there is nothing to read")
        found = []
        for row, (cell, there) in enumerate(zip(cells, here, strict=True)):
            path = isinstance(cell, str | Path)
            sound = read_audio(cell, self.rate) if path else np.asarray(cell if there else [])
            if sound.ndim != 1:
                raise ValueError(f"row {row} holds samples of shape {sound.shape}; a sound is (T,)")
            found.append(sound)
        return found


def as_fractions(samples: np.ndarray, row: int = 0) -> Tensor:
    """Samples (T,) as float; whole numbers of 16 bits become fractions from -1 to 1.

    Raises ValueError for whole numbers of another kind, whose largest is unknown.
    """
    if samples.dtype == np.int16:
        return torch.from_numpy(samples.astype(np.float32) / 32768)
    if samples.dtype.kind != "f":
        raise ValueError(f"row {row} holds samples of kind {samples.dtype}; give int16, or float "
                         "from -1 to 1")  # fmt: skip
    return torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))


class MelReader(AudioReader):
    """Sounds as logarithms of power in mel bands: ``audio_mel`` (n, 1, bands, frames) float.

    A picture of one colour, so ``reading(CNNEncoder(colours=1), "audio_mel")`` reads it. ``fit``
    learns one mean and one standard deviation from the training rows; all is given in these units.
    Where a sound is absent stand zeros, the mean.
    """

    def __init__(
        self,
        column: str | None = None,
        rate: int = RATE,
        seconds: float | None = None,
        bands: int = BANDS,
        size: int = SIZE,
        hop: int = HOP,
        loudness: float | None = None,
        floor: float = FLOOR,
    ):
        """bands: in mel, HTK's. size, hop: of the frames, in samples, as ``sound.frame_signal``.

        loudness: the root mean square to which each sound is brought before, so that it does not
            matter how near the microphone was; by default sounds stay as loud as they are.
        floor: added to the power before the logarithm. What is quieter, as a room's hiss between
            words, looks all the same.
        """
        super().__init__(column, rate, seconds)
        self.filters = mel_filters(bands, size, rate)
        self.size, self.hop, self.loudness, self.floor = size, hop, loudness, floor
        self.units: tuple[float, float] | None = None  # mean and standard deviation

    def fit(self, rows: Mapping[str, Any], modality: str) -> "MelReader":
        """Learn the units from these rows."""
        cells = self.cells(rows, modality)
        here = torch.from_numpy(present_in(cells))
        values = self.spectrograms(cells)[here]
        self.units = values.mean().item(), max(values.std().item(), 1e-6)
        return self

    def read(self, cells: Any) -> dict[str, Tensor]:
        """The spectrograms in their units. Raises ValueError before ``fit``."""
        if self.units is None:
            raise ValueError("MelReader does not know its units: call fit(training rows, modality)")
        mean, spread = self.units
        values = (self.spectrograms(cells) - mean) / spread
        values[torch.from_numpy(~present_in(cells))] = 0
        return {"_mel": values}

    def spectrograms(self, cells: Any) -> Tensor:
        """(n, 1, bands, frames) float, logarithms of power as they are."""
        wave, length = super().read(cells).values()
        if self.loudness is not None:
            power = wave.square().sum(dim=1) / length.clamp(min=1)
            wave = wave * (self.loudness / power.sqrt().clamp(min=1e-9))[:, None]
        wave = nn.functional.pad(wave, (0, max(0, self.size - wave.shape[1])))  # one frame at least
        some = [log_mel(part, self.filters, self.size, self.hop, self.floor)
                for part in wave.split(256)]  # fmt: skip
        frames = 1 + (wave.shape[1] - self.size) // self.hop
        return torch.cat(some)[:, None] if some else torch.zeros(0, 1, len(self.filters), frames)


# --- what a DataLoader asks for --------------------------------------------------------------


class MusicFolder(Dataset):
    """The cards of ``data/music_cards``, read from their files one by one, when they are asked for.

    Card k is {"image": (3, 48, 48) float in [0, 1], "audio": (T,) float, "label": class number}.
    """

    def __init__(self, folder: str | Path, classes: Sequence[str], split: str | None = None,
                 label: str = "genre"):  # fmt: skip
        """folder: with ``cards.csv``. classes: the label's names, in order. split: "train", ...

        label: the column of the table, "genre" or "review".

        Raises BadData where the table is not there, or where it names a class that is none.
        """
        self.folder, table = Path(folder), Path(folder) / "cards.csv"
        if not table.is_file():
            raise BadData(f"there is no table {table}; name the folder that holds cards.csv")
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.rows = [row for row in rows if split is None or row["split"] == split]
        self.numbers = {name: number for number, name in enumerate(classes)}
        self.label = label
        if odd := {row[label] for row in self.rows} - set(self.numbers):
            raise BadData(f"{table} holds the {label} {min(odd)!r}, which is none of "
                          f"{', '.join(classes)}; name it in classes")  # fmt: skip

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, k: int) -> dict[str, Any]:
        row = self.rows[k]
        picture = read_image(self.folder / row["cover"])
        return {
            "image": torch.tensor(picture).permute(2, 0, 1).float() / 255,
            "audio": torch.from_numpy(read_audio(self.folder / row["clip"])),
            "label": self.numbers[row[self.label]],
        }


def collate_clips(cards: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Cards as one batch, for ``DataLoader(..., collate_fn=collate_clips)``.

    cards: B dicts with the same names. ``audio`` (T,), of each card's own length, becomes (B, T) of
    the longest, zeros behind the others, and ``audio_length`` (B,) long says how long each is.
    Tensors of one shape are stacked, numbers become a tensor.

    Raises ValueError for no cards.
    """
    if not cards:
        raise ValueError("a batch needs at least one card")
    batch = {}
    for name in cards[0]:
        values = [card[name] for card in cards]
        if name == "audio":
            batch["audio"] = nn.utils.rnn.pad_sequence(values, batch_first=True)
            batch["audio_length"] = torch.tensor([len(value) for value in values])
        elif isinstance(values[0], Tensor):
            batch[name] = torch.stack(values)
        else:
            batch[name] = torch.tensor(values)
    return batch
