"""One reader for each modality: from a row's files or cells to the tensors that a batch holds.

A reader is made with what it needs (a vocabulary, a size), or learns it from the training rows
with ``fit``. Called with rows, it gives the tensors under their names; ``present`` says in which
rows its modality is there. ``batches.to_tensors`` puts the readers of several modalities together.

A modality of one's own needs a ``Reader`` with ``read``, and an encoder that reads what it gives.
"""

import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from course_utils.data.rows import BadData, column_of, named_column, present_in
from course_utils.data.text import Cut, Vocabulary, tokenize

# --- readers ----------------------------------------------------------------------------------


class Reader:
    """Reads one modality. A subclass says in ``read`` what tensors a column becomes.

    column: the column of the rows; by default the one that the rows name for the modality, or one
        that is called like it.
    """

    def __init__(self, column: str | None = None):
        self.column = column

    def __call__(self, rows: Mapping[str, Any], modality: str) -> dict[str, Tensor]:
        """The tensors of n rows, {name: (n, ...)}: the modality's name, or that and a suffix."""
        parts = self.read(self.cells(rows, modality))
        return {modality + suffix: tensor for suffix, tensor in parts.items()}

    def cells(self, rows: Mapping[str, Any], modality: str) -> Any:
        """The column that it reads. Raises ValueError where the rows have no such column."""
        return named_column(rows, self.column or column_of(rows, modality))

    def present(self, rows: Mapping[str, Any], modality: str) -> Tensor:
        """In which rows the modality is there, (n,) bool."""
        return torch.from_numpy(present_in(self.cells(rows, modality)))

    def fit(self, rows: Mapping[str, Any], modality: str) -> "Reader":
        """Learn from training rows what the reader needs to know; by default nothing."""
        return self

    def read(self, cells: Any) -> dict[str, Tensor]:
        """{suffix: tensor (n, ...)}: "" for the modality's own name, "_length" and the like."""
        raise NotImplementedError


class ArrayReader(Reader):
    """Arrays of one shape for all rows, as (n, ...) float: measurements, ready-made features.

    Where an array is absent stand zeros.
    """

    def read(self, cells: Any) -> dict[str, Tensor]:
        """The arrays, under the modality's own name."""
        return {"": torch.from_numpy(filled(cells)).float()}


class ImageReader(Reader):
    """Pictures as (n, 3, H, W) uint8; ``Batches`` hands them out as float in [0, 1].

    The column holds arrays (H, W, 3) uint8 of one size, together or in a list. Where a picture is
    absent stand zeros. Pictures that lie in memory as a batch wants them, as ``read_folder`` lays
    them, are not copied: rows and tensors share them, so change neither in place.
    """

    def __init__(self, column: str | None = None, shrink: int = 1, grey: bool = False):
        """shrink: 2 makes one pixel of 2 x 2, their mean; what is left over at the edge is lost.

        grey: give the brightness alone, (n, 1, H, W), for ``CNNEncoder(colours=1)``; 0.299 red
            + 0.587 green + 0.114 blue, as ITU-R BT.601 and Pillow's mode L have it.
        """
        super().__init__(column)
        if shrink < 1:
            raise ValueError(f"shrink is a whole number from 1 up, not {shrink!r}")
        self.shrink, self.grey = shrink, grey

    def read(self, cells: Any) -> dict[str, Tensor]:
        """The pictures with channels first, under the modality's own name."""
        images = filled(cells)
        if images.ndim != 4:
            raise ValueError(f"a picture is an array (H, W, 3), not one of {images.shape[1:]}")
        # No copy where none is needed; torch warns of an array that may not be written.
        pixels = torch.from_numpy(np.require(images.transpose(0, 3, 1, 2), requirements="CW"))
        if self.grey and pixels.shape[1] != 1:
            pixels = _in_parts(pixels, _brightness)
        if self.shrink > 1:
            pixels = _in_parts(pixels, self._shrunk)
        return {"": pixels}

    def _shrunk(self, pixels: Tensor) -> Tensor:
        return F.avg_pool2d(pixels.float(), self.shrink).round().to(torch.uint8)


def _in_parts(pixels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """``change`` made to some pictures at a time: as float all would take four times the memory."""
    return torch.cat([change(part) for part in pixels.split(256)])


def _brightness(pixels: Tensor) -> Tensor:
    """(n, 3, H, W) uint8 -> (n, 1, H, W) uint8, reckoned in whole numbers as Pillow does."""
    if pixels.shape[1] != 3:
        raise ValueError(f"grey is made of three colours, not of {pixels.shape[1]}")
    weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32)[:, None, None]
    return (((pixels * weights).sum(1, keepdim=True) + 2**15) >> 16).to(torch.uint8)


class TextReader(Reader):
    """Texts as ids of words (n, L) long, 0 is padding, and their lengths (n,) long.

    Where a text is absent stands one unknown word, as for a text without any word.
    """

    def __init__(
        self,
        vocabulary: Vocabulary | None = None,
        column: str | None = None,
        fewest: int = 1,
        tokenize: Callable[[str], Sequence[str]] = tokenize,
        longest: int | None = None,
        phrases: int = 1,
    ):
        """vocabulary: of the training rows; or ``fit`` takes words that occur ``fewest`` times.

        tokenize, longest, phrases: how texts are cut into tokens, as for ``text.Cut``; a vocabulary
            brings its own.

        Raises ValueError where both a vocabulary and another way to cut are given.
        """
        super().__init__(column)
        self.vocabulary, self.fewest = vocabulary, fewest
        self.cut = Cut(tokenize, longest, phrases)
        if vocabulary is not None:
            if self.cut.settings != Cut().settings:
                raise ValueError("a vocabulary says how texts are cut; give tokenize=, longest= "
                                 "and phrases= to the vocabulary")  # fmt: skip
            self.cut = vocabulary.cut

    def fit(self, rows: Mapping[str, Any], modality: str) -> "TextReader":
        """Take the vocabulary from these rows."""
        texts = as_texts(self.cells(rows, modality))
        self.vocabulary = Vocabulary.from_texts(texts, self.fewest, *self.cut.settings)
        self.cut = self.vocabulary.cut  # which knows what it has remarked on
        return self

    def read(self, cells: Sequence[str | None]) -> dict[str, Tensor]:
        """Ids under the modality's own name, and the lengths."""
        if self.vocabulary is None:
            raise ValueError("TextReader has no vocabulary: give one, or call fit(training rows)")
        ids, lengths = self.vocabulary.encode(as_texts(cells))
        return {"": ids, "_length": lengths}


def as_texts(cells: Sequence[str | None]) -> list[str]:
    """A column of texts, "" where one is absent. Raises ValueError for what is no text."""
    here = present_in(cells)
    texts = [text if there else "" for text, there in zip(cells, here, strict=True)]
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"row {row} holds {text!r} where a text should stand")
    return texts


class ColumnsReader(Reader):
    """Columns of numbers and of categories side by side: (n, width) float.

    A number is brought to mean 0 and standard deviation 1 over the training rows, a category
    becomes as many columns as it has values, 1 in its own and 0 in the others. An empty number
    becomes 0, the mean; an empty category, or one that no training row has, all zeros. Empty is
    a cell that is absent, and "" too, as tables have it. The modality is absent where all its
    cells are empty.
    """

    def __init__(self, numbers: Sequence[str] = (), categories: Sequence[str] = ()):
        """numbers, categories: columns of the rows; ``fit`` learns scales and values."""
        super().__init__()
        if not (numbers or categories):
            raise ValueError("ColumnsReader needs at least one column: numbers=(...), "
                             "categories=(...)")  # fmt: skip
        self.numbers, self.categories = tuple(numbers), tuple(categories)
        self.scales: dict[str, tuple[float, float]] = {}
        self.values: dict[str, tuple[str, ...]] = {}

    @property
    def width(self) -> int:
        """How many columns it gives, once it is fitted."""
        return len(self.numbers) + sum(map(len, self.values.values()))

    def cells(self, rows: Mapping[str, Any], modality: str) -> dict[str, Any]:
        """The columns that it reads, by name."""
        numbers = {name: _as_numbers(named_column(rows, name), name) for name in self.numbers}
        return numbers | {name: _as_words(named_column(rows, name)) for name in self.categories}

    def present(self, rows: Mapping[str, Any], modality: str) -> Tensor:
        """In which rows at least one of the cells is filled, (n,) bool."""
        here = [present_in(column) for column in self.cells(rows, modality).values()]
        return torch.from_numpy(np.any(here, axis=0))

    def fit(self, rows: Mapping[str, Any], modality: str) -> "ColumnsReader":
        """Learn each number's mean and spread, and each category's values."""
        cells = self.cells(rows, modality)
        for name in self.numbers:
            self.scales[name] = _scale(cells[name])
        for name in self.categories:
            self.values[name] = tuple(sorted({word for word in cells[name] if word is not None}))
        return self

    def read(self, cells: Mapping[str, Any]) -> dict[str, Tensor]:
        """All columns side by side."""
        if {*self.numbers} - {*self.scales} or {*self.categories} - {*self.values}:
            raise ValueError("ColumnsReader knows no scales and values yet: call fit(training "
                             "rows)")  # fmt: skip
        blocks = []
        for name in self.numbers:
            mean, spread = self.scales[name]
            blocks.append(np.nan_to_num((cells[name] - mean) / spread)[:, None])
        for name in self.categories:
            column = np.array(cells[name], dtype=object)
            blocks.append(column[:, None] == np.array(self.values[name], dtype=object)[None])
        table = np.concatenate([block.astype(np.float32) for block in blocks], axis=1)
        return {"": torch.from_numpy(table)}


def _as_numbers(column: Any, name: str) -> np.ndarray:
    """A column as float, NaN where empty.

    Raises ValueError for a cell that is no number, or an infinite one.
    """
    numbers = []
    for row, cell in enumerate(column):
        try:
            numbers.append(np.nan if cell is None or cell == "" else float(cell))
        except (TypeError, ValueError):
            numbers.append(np.inf)
        if np.isinf(numbers[-1]):
            raise ValueError(
                f"the column {name!r} holds {cell!r} in row {row}, which is no number to reckon "
                "with; correct it, or read the column as one of the categories"
            )
    return np.array(numbers, dtype=float)


def _as_words(column: Any) -> list[str | None]:
    """A column of categories as strings, None where empty."""
    here = present_in(column)
    return [str(v) if there and v != "" else None for v, there in zip(column, here, strict=True)]


def _scale(numbers: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of what is not NaN; of a constant, itself and 1."""
    known = numbers[~np.isnan(numbers)]
    if not len(known) or known.min() == known.max():  # whose spread can come out as 1e-17, not 0
        return float(known[0]) if len(known) else 0.0, 1.0
    return float(known.mean()), float(known.std()) or 1.0


def filled(cells: np.ndarray | Sequence[np.ndarray | None]) -> np.ndarray:
    """Arrays of one shape as one array (n, ...), zeros where an entry is absent.

    Raises ValueError where the shapes differ, or where no entry of a list is there.
    """
    there = present_in(cells)
    if isinstance(cells, np.ndarray) and cells.dtype != object:
        return (
            cells if there.all() else np.where(there.reshape(-1, *[1] * (cells.ndim - 1)), cells, 0)
        )
    here = np.flatnonzero(there)
    if not len(here):
        raise ValueError("no row has this modality, so the size of its arrays is unknown")
    arrays = [np.asarray(cells[k]) for k in here]
    first = arrays[0]
    whole = np.zeros((len(cells), *first.shape), dtype=np.result_type(*{a.dtype for a in arrays}))
    for k, array in zip(here, arrays, strict=True):
        if array.shape != first.shape:
            raise ValueError(f"row {k} has an array of shape {array.shape} and row "
                             f"{here[0]} one of {first.shape}; they must agree")  # fmt: skip
        whole[k] = array
    return whole


def fit_readers(readers: Mapping[str, Reader], rows: Mapping[str, Any]) -> Mapping[str, Reader]:
    """Let each reader learn from these rows, the training rows, what it needs; returns them."""
    for modality, reader in readers.items():
        reader.fit(rows, modality)
    return readers


# --- files of pictures ----------------------------------------------------------------------------


def read_image(path: str | Path, size: tuple[int, int] = (48, 48)) -> np.ndarray:
    """One picture of any mode and size as (H, W, 3) uint8, for ``size`` = (H, W) in pixels.

    Proportions are kept; what is left over and what is transparent is white.

    Raises BadData where there is no whole picture, or one larger than Pillow's limit (about 90
    million pixels; such a file is an accident or an attack), or one that may not be opened.
    """
    advice = "replace it"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files that it can read
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.draft(None, (2 * max(size),) * 2)  # a large JPEG need not be decoded whole
                image.load()
                return np.asarray(fit_to(to_rgb(_upright(image)), size))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = f"has more pixels than the {Image.MAX_IMAGE_PIXELS:,} that are safe to open"
    except UnidentifiedImageError:
        reason = "is no picture, or of a kind that Pillow does not know"
    except FileNotFoundError:
        reason = "is not there"
    except PermissionError:
        reason = "may not be opened: another program holds it, or its permissions forbid it"
        advice = "close that program, or allow yourself to read the file"
    except Exception as error:  # of a broken file Pillow raises nearly anything
        said = " ".join(str(error).split()) or type(error).__name__
        reason = f"is broken or cut off ({said})"
    raise BadData(f"the picture {path} {reason}; {advice}", reason)


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB, whatever its mode; transparent parts show white."""
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if image.mode == "La":  # Pillow has no direct way from here
        image = image.convert("LA")
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "RGBa"):
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Grey values of 16 bits, of 32, or fractions, brought to 0 .. 255."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    # Such files do not say what white is. Take the smallest usual range that holds the values.
    ranges = {"F": (1, 255, 65535), "I": (255, 65535)}.get(image.mode, (65535,))
    top = next((top for top in ranges if values.max() <= top), values.max())
    return Image.fromarray((values.clip(0, top) * (255 / top)).round().astype(np.uint8))


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the camera says; a damaged mark leaves the picture as it is."""
    with contextlib.suppress(Exception):
        return ImageOps.exif_transpose(image)
    return image


def fit_to(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in full on a white ground of this height and width."""
    height, width = size
    if image.size == (width, height):
        return image
    scale = min(width / image.width, height / image.height)
    small = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    ground = Image.new("RGB", (width, height), "white")
    corner = (width - small[0]) // 2, (height - small[1]) // 2
    ground.paste(image.resize(small, Image.Resampling.LANCZOS, reducing_gap=3.0), corner)
    return ground
