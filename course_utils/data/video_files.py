"""Clips: from arrays or video files to the tensors of a batch, through the library PyAV.

``read_video`` reads a file's pictures and ``read_soundtrack`` its sound, ``write_video`` makes a
small file; ``read_videos`` reads a folder of short files, as rows. ``FramesReader`` is the reader
of the modality ``frames``. Lesson 15 alone needs PyAV: nothing else of the course asks for it.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from course_utils.data.readers import ImageReader, filled, fit_to
from course_utils.data.rows import BadData, Rows, SkippedRow, present_in
from course_utils.video import sample_positions

KINDS = (".mp4", ".webm", ".gif", ".mov", ".mkv", ".avi", ".m4v", ".mpg", ".mpeg", ".ogv")
MOST_FRAMES = 3000  # of a short clip: 100 seconds at 30 a second
RATE = 8000  # samples a second that a sound track is read at
NO_PYAV = (
    "video files are read with the library PyAV, which is not installed; install it with "
    "`pip install av`"
)

# --- one file --------------------------------------------------------------------------------


def pyav() -> Any:
    """The library. Raises ImportError with a sentence that says what to install."""
    try:
        import av as library
    except ImportError:
        raise ImportError(NO_PYAV) from None
    library.logging.set_level(library.logging.PANIC)  # faults are told in our sentences
    return library


def read_video(path: str | Path, count: int = 16, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    """``count`` frames of a video file, spread evenly over it: (count, H, W, 3) uint8.

    size: (H, W) in pixels. Frames are upright, as the file's mark of rotation says; proportions are
    kept and what is left over is white, as ``read_image`` does. They are counted in the order in
    which they are shown, however long each stays.

    Raises BadData, in a sentence, where there is no whole video: no file, an empty one, one of
    another kind, one that is cut off, one without frames, one of more than 3,000.
    Raises ImportError where PyAV is not installed.
    """
    with _told(path, "video"):
        small = _decoded(Path(path), size)
        if not small:
            raise BadData("", "holds no frames")
        return np.stack([small[k] for k in sample_positions(len(small), count).tolist()])


def _decoded(path: Path, size: tuple[int, int]) -> list[np.ndarray]:
    """All frames of a file, (H, W, 3) uint8 each; they are made small one by one."""
    found = []
    with _opened(path) as container:
        if not container.streams.video:
            raise BadData("", "holds no frames: it has no video track")
        promised = container.streams.video[0].frames  # 0 where the file does not say
        for frame in container.decode(video=0):
            if len(found) == MOST_FRAMES:
                raise BadData("", f"is no short clip: it has more than {MOST_FRAMES:,} frames")
            picture = _upright(frame.to_image(), frame.rotation)
            found.append(np.asarray(fit_to(picture, size)))
    if len(found) < promised - 1:  # some writers count one too many
        raise BadData("", f"is cut off: it promises {promised} frames and has {len(found)}")
    return found


def _upright(picture: Image.Image, degrees: int) -> Image.Image:
    """Turned anticlockwise by what the file says, in quarters; other angles are left alone."""
    turns = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180,
             270: Image.Transpose.ROTATE_270}  # fmt: skip
    return picture.transpose(turns[degrees % 360]) if degrees % 360 in turns else picture


def read_soundtrack(path: str | Path, rate: int = RATE) -> np.ndarray | None:
    """The sound of a video file, all channels' mean, (T,) int16 at ``rate`` samples a second.

    None where the file has no sound track. Raises BadData and ImportError as ``read_video`` does.
    """
    with _told(path, "sound of"), _opened(Path(path)) as container:
        if not container.streams.audio:
            return None
        change = pyav().AudioResampler(format="s16", layout="mono", rate=rate)
        frames = [*container.decode(audio=0), None]  # None: what is left in the resampler
        parts = [part.to_ndarray()[0] for frame in frames for part in change.resample(frame)]
        return np.concatenate(parts) if parts else None


CODECS = {".mp4": ("mpeg4", "yuv420p"), ".webm": ("libvpx-vp9", "yuv420p"),
          ".gif": ("gif", "rgb8")}  # fmt: skip


def write_video(path: str | Path, frames: np.ndarray, rate: int = 8) -> Path:
    """Frames (F, H, W, 3) or (F, H, W) uint8 as an .mp4, .webm or .gif file; returns its path.

    rate: frames a second. H and W are even, as these kinds of file want it.

    Raises ValueError for another ending or other frames, ImportError where PyAV is not installed.
    """
    path, library = Path(path), pyav()
    if path.suffix not in CODECS:
        raise ValueError(f"{path.name} should end in one of {', '.join(CODECS)}")
    frames = np.asarray(frames)
    if frames.ndim == 3:
        frames = np.repeat(frames[..., None], 3, axis=-1)
    odd = frames.ndim != 4 or frames.shape[1] % 2 or frames.shape[2] % 2
    if odd or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"frames are (F, H, W, 3) uint8 with even H and W, not {frames.shape} of "
                         f"{frames.dtype}")  # fmt: skip
    codec, form = CODECS[path.suffix]
    with library.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], form
        stream.bit_rate = 2_000_000
        for picture in frames:
            picture = np.ascontiguousarray(picture)
            shown = library.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return path


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, opened by PyAV. Raises BadData where it has no byte."""
    library = pyav()
    if path.is_dir():
        raise BadData("", "is a folder")
    if path.stat().st_size == 0:
        raise BadData("", "is empty: it has no byte")
    with library.open(str(path)) as container:
        yield container


@contextmanager
def _told(path: str | Path, what: str) -> Iterator[None]:
    """Turns whatever goes wrong with a file into a sentence."""
    advice = "replace it"
    try:
        yield
        return
    except ImportError:
        raise
    except BadData as fault:
        reason = fault.reason
    except FileNotFoundError:
        reason = "is not there"
    except PermissionError:
        reason = "may not be opened: another program holds it, or its permissions forbid it"
        advice = "close that program, or allow yourself to read the file"
    except Exception as error:  # of a broken file PyAV raises many kinds
        said = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
        reason = f"is broken, cut off or of a kind that PyAV does not know ({said})"
    raise BadData(f"the {what} {path} {reason}; {advice}", reason, file=str(path))


# --- a folder --------------------------------------------------------------------------------


def read_videos(
    folder: str | Path,
    table: str | None = None,
    *,
    file_column: str = "file",
    label_column: str = "label",
    count: int = 16,
    size: tuple[int, int] = (32, 32),
    sound: bool = False,
    on_bad: str = "error",
) -> Rows:
    """A folder of short video files as rows: each class in a folder of its own, or by a table.

    table: a CSV file in the folder with a row for each video, in UTF-8. None: the folder's own
        folders are the classes, as torchvision's ImageFolder has it, and what lies in them with
        one of the endings in KINDS is a video.
    file_column, label_column: of the table; a file is named from the folder on. Its other columns
        come along as words, ``split`` among them.
    count, size: as for ``read_video``. sound: read the sound tracks, too.
    on_bad: "error" stops at the first bad file, "skip" leaves it out and tells it in ``skipped``.

    Returns Rows: ``clip`` (n, count, H, W, 3) uint8, ``label`` (n,) int64, ``file`` list of n
    strings, the table's columns; with sound ``sound``, a list of n arrays (T,) int16 at 8 kHz, None
    where a file has none.

    Raises BadData, in a sentence: for a bad file, for a table that is not there or lacks a column,
    for a file named outside of the folder, and where no video is left.
    """
    if on_bad not in ("error", "skip"):
        raise ValueError(f'on_bad is "error" or "skip", not {on_bad!r}')
    folder = Path(folder)
    if not folder.is_dir():
        raise BadData(f"there is no folder {folder}; name the folder that holds the videos")
    named = _in_folders(folder) if table is None else _in_table(folder, table, file_column)
    kept, clips, sounds, skipped = [], [], [], []
    for line, record in enumerate(named, start=2):
        path = folder / record[file_column if table else "file"]
        try:
            _check_inside(path, folder)
            clip = read_video(path, count, size)
            sounds.append(read_soundtrack(path) if sound else None)
        except BadData as fault:
            if on_bad == "error":
                raise
            file = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
            skipped.append(SkippedRow(line if table else 0, file, fault.reason, str(fault)))
            continue
        clips.append(clip)
        kept.append(record)
    if not kept:
        raise BadData(f"no video in {folder} can be read; {_first(skipped)}")
    words = {name: [record[name] for record in kept] for name in kept[0]}
    label = words.pop(label_column, None) if table else words.pop("label")
    if label is None:
        raise BadData(f"{table} has no column {label_column!r}; it has {', '.join(words)}")
    columns = {"clip": np.stack(clips), **words} | ({"sound": sounds} if sound else {})
    modalities = {"frames": "clip"} | ({"audio": "sound"} if sound else {})
    rows = Rows({**columns, "label": label}, skipped=skipped, modalities=modalities)
    return rows.labelled("label")


def _in_folders(folder: Path) -> list[dict[str, str]]:
    """The videos that lie in the folder's folders."""
    found = [
        {"file": path.relative_to(folder).as_posix(), "label": group.name}
        for group in sorted(path for path in folder.iterdir() if path.is_dir())
        for path in sorted(group.iterdir())
        if path.suffix.lower() in KINDS
    ]
    if not found:
        raise BadData(f"the folders in {folder} hold no video ({', '.join(KINDS)}); put those of "
                      "each class into a folder of its own, or name the table")  # fmt: skip
    return found


def _in_table(folder: Path, table: str, file_column: str) -> list[dict[str, str]]:
    """The rows of the table. Raises BadData where it is not there, or names no files."""
    path = folder / table
    if not path.is_file():
        raise BadData(f"there is no table {path}; name the CSV file that says what each video is")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            found = [*csv.DictReader(file, strict=True)]
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadData(
                f"the table {path} is no CSV in UTF-8 ({error}); save it as one"
            ) from None
    if not found:
        raise BadData(f"the table {path} has no rows; a row says what a video is")
    if file_column not in found[0]:
        names = ", ".join(map(str, found[0]))
        raise BadData(f"{table} has no column {file_column!r}; it has {names}")
    for line, record in enumerate(found, start=2):
        if None in record or None in record.values():
            raise BadData(f"line {line} of {table} has more or fewer cells than its header; "
                          "correct it", line=line)  # fmt: skip
    return found


def _check_inside(path: Path, folder: Path) -> None:
    """Raises BadData for a path that leads out of the folder, as a table could name one."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadData(f"the video {path} lies outside of its folder; put it inside",
                      "lies outside of its folder")  # fmt: skip


def _first(skipped: Sequence[SkippedRow]) -> str:
    return f"the first: {skipped[0].sentence}" if skipped else "put some there"


# --- the reader of rows ----------------------------------------------------------------------


class FramesReader(ImageReader):
    """Clips as (n, F, C, H, W) uint8; ``Batches`` hands them out as float in [0, 1].

    The column holds arrays (F, H, W) or (F, H, W, C) uint8 of one size, together or in a list, or
    the paths of video files, of which ``count`` frames at ``size`` are read. Where a clip is absent
    stand zeros. A linear model sees it as it sees pictures: by main directions, all frames in one.
    """

    def __init__(
        self,
        column: str | None = None,
        count: int | None = None,
        size: tuple[int, int] = (32, 32),
        shrink: int = 1,
        grey: bool = False,
    ):
        """count: frames that are taken, spread evenly; None takes all, and 16 of a file.

        shrink, grey: as for ``ImageReader``.
        """
        super().__init__(column, shrink, grey)
        self.count, self.size = count, size

    def read(self, cells: Any) -> dict[str, Tensor]:
        """The frames, under the modality's own name."""
        clips = filled(self._arrays(cells))
        if clips.ndim == 4:
            clips = clips[..., None]
        if clips.ndim != 5 or clips.dtype != np.uint8:
            raise ValueError(f"a clip is an array (F, H, W) or (F, H, W, C) of uint8, not one of "
                             f"{clips.shape[1:]} of {clips.dtype}")  # fmt: skip
        if self.count is not None:
            clips = clips[:, sample_positions(clips.shape[1], self.count).numpy()]
        n, frames, *shape = clips.shape
        pictures = super().read(clips.reshape(n * frames, *shape))[""]
        return {"": pictures.view(n, frames, *pictures.shape[1:])}

    def _arrays(self, cells: Any) -> Any:
        """The cells, with files read."""
        here = present_in(cells)
        if not any(isinstance(cells[k], str | Path) for k in np.flatnonzero(here)):
            return cells
        count = self.count or 16
        return [
            read_video(cell, count, self.size) if there else None
            for cell, there in zip(cells, here, strict=True)
        ]
