"""How a lesson shows things: figures with a description, claims, and the palette.

``show`` writes the picture as HTML with an ``alt`` text, because notebooks, JupyterLab and
exported pages all honour ``<img alt>`` and most of them ignore other places for it.
"""

import base64
import contextlib
import html
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure

from course_utils.data.rows import column_of, named_column, present_in
from course_utils.environment import is_smoke
from course_utils.fonts import (
    as_written,
    choose_fonts,
    drawable,
    no_word_on_letters,
    shortened,
    width_of,
    wrapped,
)

# Okabe and Ito's colours for readers with any kind of colour vision, one for each thing that
# the course draws again and again. Figures use markers or labels beside them.
PALETTE = {
    "image": "#0072B2",
    "text": "#D55E00",
    "both": "#009E73",
    "audio": "#CC79A7",
    "ceiling": "#000000",
    "majority": "#999999",
    "highlight": "#E69F00",
    "quiet": "#56B4E9",
}


def in_notebook() -> bool:
    """Whether this code runs under a Jupyter kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


BAR_AFTER = 2.0  # seconds; what is over sooner needs no bar
BAR_EVERY = 0.4  # seconds from one drawing of a bar to the next
Item = TypeVar("Item")


@contextlib.contextmanager
def progress_bar(
    total: int | None, what: str, unit: str, *, done: int = 0, shown: bool | None = None
) -> Iterator["ProgressBar"]:
    """A bar for what takes long: it appears after two seconds and leaves no trace at its end.

    total: how many units there are; None where nobody knows.
    what: a word or two that stand before the bar, such as "images".
    unit: the name of one unit, such as "image"; "B" counts bytes.
    done: units that were done before, which do not count for the speed.
    shown: by default in notebooks and terminals, but not in builds and smoke runs.

    In a notebook the bar is no widget: a saved page would hold the widget's name without its
    state, and show "model not found". In a terminal it stands on stderr.
    """
    bar = ProgressBar(total, what, unit, done, _bars_are_shown() if shown is None else shown)
    _open_bars.append(bar)
    try:
        yield bar
    finally:
        _open_bars.remove(bar)
        bar.clear()


class ProgressBar:
    """What ``progress_bar`` gives: say how far things are, in one thread."""

    def __init__(self, total: int | None, what: str, unit: str, done: int, shown: bool):
        self.total, self.what, self.unit, self.shown = total, what, unit, shown
        self.n = self.before = done
        self.text, self.begun = "", time.monotonic()
        self.next_drawing = self.begun + BAR_AFTER
        self.page: Any = None  # the handle of the display in a notebook
        self.line: Any = None  # tqdm's bar in a terminal

    def update(self, n: int = 1) -> None:
        """``n`` more units are done."""
        self.n += n
        _draw_what_is_due()

    def over(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, each counted when the next is asked for."""
        for item in items:
            yield item
            self.update()

    def describe(self, text: str) -> None:
        """Show ``text`` beside the bar, in place of what stood there."""
        self.text = text
        _draw_what_is_due()

    def write(self, sentence: str) -> None:
        """Print a sentence that stays, whether or not the bar is shown."""
        if self.line is None:
            print(sentence)
        else:
            self.line.write(sentence)

    def draw(self) -> None:
        """Show where things stand."""
        if in_notebook():
            self._draw_on_page()
        else:
            self._draw_in_terminal()

    def clear(self) -> None:
        """Take the bar away. On a page its place stays, empty."""
        if self.page is not None:
            self.page.update({"text/plain": ""}, raw=True)
        if self.line is not None:
            self.line.close()
        self.page = self.line = None

    def _draw_on_page(self) -> None:
        from IPython.display import display

        text = self._in_words()
        length = "" if self.total is None else f' value="{self.n}" max="{max(self.total, 1)}"'
        name = html.escape(self.what, quote=True)
        markup = f'<progress aria-label="{name}"{length}></progress> {html.escape(text)}'
        bundle = {"text/html": markup, "text/plain": text}
        if self.page is None:
            self.page = display(bundle, raw=True, display_id=True)
        else:
            self.page.update(bundle, raw=True)

    def _in_words(self) -> str:
        from tqdm import tqdm

        known = "{n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"
        form = known if self.total else "{n_fmt} [{elapsed}, {rate_fmt}]"
        numbers = tqdm.format_meter(
            self.n, self.total, time.monotonic() - self.begun, prefix=self._name(),
            unit=self._unit(), unit_scale=self.unit == "B", initial=self.before,
            bar_format=f"{{desc}}: {form}",
        )  # fmt: skip
        return str(numbers)

    def _draw_in_terminal(self) -> None:
        from tqdm import tqdm

        if self.line is None:
            # The delay keeps tqdm from drawing before it knows when this began.
            self.line = tqdm(total=self.total, initial=self.before, unit=self._unit(), leave=False,
                             unit_scale=self.unit == "B", smoothing=0, delay=1e-6)  # fmt: skip
            self.line.start_t -= time.monotonic() - self.begun
        self.line.n = self.n
        self.line.set_description_str(self._name(), refresh=False)
        self.line.refresh()

    def _name(self) -> str:
        return f"{self.what}, {self.text}" if self.text else self.what

    def _unit(self) -> str:
        return self.unit if self.unit == "B" else f" {self.unit}"


_open_bars: list[ProgressBar] = []  # the outer ones first


def _bars_are_shown() -> bool:
    silent = os.environ.get("COURSE_BUILD") == "1" or is_smoke()
    return not silent and (in_notebook() or sys.stderr.isatty())


def _draw_what_is_due() -> None:
    # A bar over several models moves with the bar inside it, and is drawn above it.
    now = time.monotonic()
    for bar in _open_bars:
        if bar.shown and now >= bar.next_drawing:
            bar.draw()
            bar.next_drawing = time.monotonic() + BAR_EVERY


def image_tag(figure: Figure, alt: str, palette: bool = False) -> str:
    """The figure as an HTML ``<img>`` with an alt text, its PNG inside.

    palette: at most 256 colours, so that what a notebook stores is light; it takes longer.
    """
    buffer = io.BytesIO()
    choose_fonts(figure)
    with no_word_on_letters():
        # Without Software=None the file would hold matplotlib's version and change with it.
        figure.savefig(
            buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None}
        )
    png = _with_palette(buffer) if palette else buffer.getvalue()
    return (
        f'<img alt="{html.escape(alt, quote=True)}" style="max-width: 100%"'
        f' src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
    )


def image_bundle(figure: Figure, alt: str) -> dict[str, str]:
    """What a notebook's page gets of a figure: {"text/html": the picture, "text/plain": its text}.

    One copy of the picture: pages choose HTML where there is a PNG beside it.
    """
    return {"text/html": image_tag(figure, alt, palette=True), "text/plain": alt}


def _with_palette(png: io.BytesIO) -> bytes:
    from PIL import Image

    picture = Image.open(png).convert("RGBA")
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture)
    # Of Pillow's methods, the one that keeps flat areas exact beside a noisy card, with a few
    # rounds of k-means for the rest (until at most 20,000 pixels move; more are slow). FASTOCTREE
    # puts bands into a sky; MAXCOVERAGE gives neighbouring patches one colour.
    few = page.convert("RGB").quantize(
        256, method=Image.Quantize.MEDIANCUT, kmeans=20_000, dither=Image.Dither.NONE
    )
    buffer = io.BytesIO()
    few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def show(figure: Figure, alt: str) -> None:
    """Display a matplotlib figure with a text for those who cannot see it, and close it.

    ``alt`` says what the figure shows ("the curve falls and levels off"), not what it is
    ("a line plot"). Outside a notebook the text is printed.

    Raises ValueError if ``alt`` is empty.
    """
    if not alt.strip():
        raise ValueError("show(figure, alt=...) needs a sentence that says what the figure shows")
    if in_notebook():
        from IPython.display import display

        display(image_bundle(figure, alt), raw=True)
    else:
        print(f"[figure] {alt}")
    _close(figure)


def _close(figure: Figure) -> None:
    # A figure made without pyplot has nothing to close, and pyplot need not be loaded for it.
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)


def display_html(markup: str, plain: str) -> None:
    """Display ``markup`` in a notebook and print ``plain`` elsewhere."""
    if in_notebook():
        from IPython.display import display

        display({"text/html": markup, "text/plain": plain}, raw=True)
    else:
        print(plain)


def claim(text: str, ok: Any, trained: bool = False) -> None:
    """State something that the lesson relies on, and stop if it is not so.

    text: the statement, as a reader would say it.
    ok: whether it holds; anything with a single truth value.
    trained: the claim rests on a trained model, so under ``COURSE_SMOKE=1``, where models are
        hardly trained, a false one is remarked on instead of raised.

    Raises AssertionError with the statement when it does not hold.
    """
    if bool(ok):
        message, colour = f"holds: {text}", PALETTE["both"]
    elif trained and is_smoke():
        message, colour = f"not tested in a smoke run: {text}", PALETTE["majority"]
    else:
        raise AssertionError(f"claim does not hold: {text}")
    markup = (
        f'<div style="border-left: 4px solid {colour}; padding-left: 0.6em">'
        f"<b>Claim</b> {html.escape(message)}</div>"
    )
    display_html(markup, f"Claim {message}")


def table(values: Mapping[str, Any], columns: tuple[str, str] = ("name", "value")) -> Any:
    """A two-column pandas table of a mapping, for the end of a cell."""
    import pandas as pd

    return pd.DataFrame(list(values.items()), columns=list(columns)).set_index(columns[0])


# --- the wall of cards ------------------------------------------------------------------------

MOST_CARDS = 200  # of a wall; a larger picture is slow to draw and to look at


def card_wall(
    rows: Mapping[str, Any],
    right: Mapping[str, Sequence[bool]] | None = None,
    titles: Sequence[str] | None = None,
    columns: int = 4,
    image: str | None = None,
    text: str | None = None,
) -> Figure:
    """Cards side by side: each picture with its text under it and a title over it.

    rows: columns by name; image, text: the columns of the pictures, (H, W, 3), (H, W, 4) or grey
        (H, W), and of the texts, by default those that the rows name, or the only ones there are.
    right: {model name: n truth values}; under each card stands which models got it right.
    titles: n short strings; by default the cards' ``trick`` and ``answer``, where they have them.
    columns: how many cards stand side by side at most; fewer where the last line would be short.

    Long texts are cut off by an ellipsis. A picture or a text that is absent is said to be so.
    Raises ValueError, in a sentence, for rows without such columns, without a row or with too many,
    for titles or truth values that are not one for each, and for what is no picture.
    """
    images = _to_draw(rows, "image", image, _are_pictures)
    texts = _to_draw(rows, "text", text, _are_texts)
    titles, right = _titles(rows, len(texts)) if titles is None else titles, right or {}
    n = _count_cards(texts, {"picture": images, "title": titles}, right)
    heads = [_lines_of(title) for title in titles]
    captions = [wrapped(drawable(str(cell)), 30, 4) if here else "(no text)"
                for cell, here in zip(texts, present_in(texts), strict=True)]  # fmt: skip
    depth = [max(words.count("\n") for words in part) + 1 for part in (heads, captions)]
    figure, axes = _places_for(n, columns, head=0.1 + 0.16 * depth[0],
                               foot=0.25 + 0.14 * depth[1] + 0.16 * len(right))  # fmt: skip
    for i, axis in enumerate(axes):
        _draw_picture(axis, images[i], i)
        axis.set_title(heads[i], fontsize=9)
        _write_under(axis, 0, captions[i])
        for line, (model, hits) in enumerate(right.items()):
            mark, colour = ("right", PALETTE["both"]) if hits[i] else ("wrong", PALETTE["text"])
            below = 0.05 + 0.14 * depth[1] + 0.16 * line
            _write_under(axis, below, f"{model}: {mark}", color=colour, weight="bold")
    return as_written(figure)


def _places_for(n: int, columns: int, head: float, foot: float) -> tuple[Figure, Sequence[Any]]:
    """n empty places, with so many inches for what stands over and under a picture."""
    if columns < 1:
        raise ValueError(f"a wall has at least one column of cards, not {columns}")
    picture, lines = 1.6, -(-n // columns)
    columns = -(-n // lines)  # as few as do for so many lines: two cards leave no panel empty
    height = lines * (head + picture + foot)
    figure = Figure(figsize=(2.2 * columns, height))
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    figure.subplots_adjust(left=0.02, right=0.98, top=1 - head / height, bottom=foot / height,
                           wspace=0.25, hspace=(head + foot) / picture)  # fmt: skip
    return figure, axes[:n]


def _to_draw(
    rows: Mapping[str, Any], modality: str, named: str | None, fits: Callable[[Any], bool]
) -> Any:
    """The column of a modality: the one asked for, the rows' own, or the only one that fits."""
    if named is not None:
        return named_column(rows, named)
    if modality not in getattr(rows, "modalities", {}) and modality not in rows:
        candidates = [name for name, column in rows.items() if fits(column)]
        if len(candidates) == 1:
            return rows[candidates[0]]
    return rows[column_of(rows, modality)]


def _are_texts(column: Any) -> bool:
    return any(isinstance(cell, str) for cell in column)


def _are_pictures(column: Any) -> bool:
    return any(getattr(cell, "ndim", 0) in (2, 3) for cell in column)


def _count_cards(
    texts: Sequence[Any], beside: Mapping[str, Any], right: Mapping[str, Sequence[bool]]
) -> int:
    """How many cards there are. Raises ValueError where that is none, too many, or in dispute."""
    n = len(texts)
    if not 0 < n <= MOST_CARDS:
        raise ValueError(f"a wall shows 1 to {MOST_CARDS} cards, not {n:,}; "
                         "take(rows, range(12)) picks some")  # fmt: skip
    for name, values in {
        **beside,
        **{f"truth value of {m!r}": v for m, v in right.items()},
    }.items():
        if len(values) != n:
            raise ValueError(f"each card needs a {name}: there are {n} cards and {len(values)}")
    return n


def _lines_of(title: Any) -> str:
    """A title in the lines that it was written in, each cut to the width of a card."""
    lines = [] if title is None else str(title).splitlines()[:4]
    return "\n".join(wrapped(drawable(line), 26, 3) for line in lines)


def _write_under(axis: Any, below: float, words: str, **look: Any) -> None:
    """Write centred under a picture, so many inches below its own caption's place."""
    axis.annotate(words, (0.5, 0), (0, -72 * (below + 0.06)), xycoords="axes fraction",
                  textcoords="offset points", ha="center", va="top", fontsize=8,
                  **look)  # fmt: skip


def _draw_picture(axis: Any, picture: Any, row: int) -> None:
    if picture is None or not present_in([picture])[0]:
        axis.text(0.5, 0.5, "(no picture)", transform=axis.transAxes, ha="center", fontsize=8)
        return
    pixels = np.asarray(picture)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[2] not in (3, 4)):
        raise ValueError(f"row {row} holds no picture (H, W), (H, W, 3) or (H, W, 4), but "
                         f"{_what(picture)}")  # fmt: skip
    # The limits are those of grey pictures, whose darkest pixel need not be black.
    axis.imshow(pixels, cmap="gray", vmin=0, vmax=255 if pixels.dtype.kind in "iu" else 1)


def _what(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return repr(value)[:60] if shape is None else f"an array of shape {tuple(shape)}"


def _titles(rows: Mapping[str, Any], n: int) -> list[str]:
    """The trick of each card and, in a line of its own, the right answer; "" without tricks."""
    if "trick" not in rows:
        return [""] * n
    tricks = rows["trick"]
    answers = rows.get("answer", [""] * len(tricks))
    pairs = zip(tricks, answers, strict=True)
    return [f"{trick}\nanswer: {answer}" if answer else trick for trick, answer in pairs]


# --- confusions -------------------------------------------------------------------------------

WITH_COUNTS = 45  # classes up to which the counts are written into the squares
WITH_NAMES = 120  # classes up to which each has its name beside it; of more, every so many


def confusion_figure(predicted: Any, label: Any, names: Sequence[str]) -> Figure:
    """Counts of true class (down) against predicted class (across), written into coloured squares.

    predicted, label: (n,) class numbers, or names of classes; names: one for each class.

    Squares shrink as classes grow in number. From ten classes on zeros are left out, from
    ``WITH_COUNTS`` on all numbers, for a scale of colours. Long names lose their middle.
    Raises ValueError, in a sentence, for what is no class number, and for lengths that differ.
    """
    names = [drawable(str(name)) for name in names]
    predicted = _class_numbers(predicted, "predicted", names)
    label = _class_numbers(label, "label", names)
    if len(predicted) != len(label):
        raise ValueError(f"each row needs a prediction and a label; there are {len(predicted)} and "
                         f"{len(label)}")  # fmt: skip
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (label, predicted), 1)
    square = float(np.clip(12 / len(names), 24 / max(WITH_NAMES, len(names)), 0.5))  # inches
    short = [shortened(name, 24) for name in names]
    figure, axes = _squares(counts, square, max(map(width_of, short)))
    _name_squares(axes, short, square)
    if len(names) <= WITH_COUNTS:
        _write_counts(axes, counts, square)
    else:
        figure.colorbar(axes.images[0], ax=axes, label="rows", shrink=0.5)
    return as_written(figure)


def _class_numbers(column: Any, what: str, names: Sequence[str]) -> np.ndarray:
    """A column of class numbers (n,), or of classes by name, as numbers from 0 to C - 1."""
    numbers = np.asarray(column)
    if numbers.ndim != 1 or not len(numbers):
        raise ValueError(f"{what} needs one class number a row, (n,), not the shape "
                         f"{numbers.shape}; of scores take argmax(dim=1)")  # fmt: skip
    if numbers.dtype.kind == "O":
        numbers = np.asarray(numbers.tolist())  # which may be whole numbers after all
    if numbers.dtype.kind in "UO":
        places = {name: place for place, name in enumerate(names)}
        numbers = np.array([places.get(drawable(str(name)), -1) for name in numbers])
    if numbers.dtype.kind not in "iu":
        raise ValueError(f"{what} holds {numbers.tolist()[0]!r} and not class numbers 0, 1, ...")
    if len(wrong := np.flatnonzero((numbers < 0) | (numbers >= len(names)))):
        raise ValueError(f"{what} holds {np.asarray(column)[wrong[0]]} in row {wrong[0]}, but the "
                         f"{len(names)} classes are numbered 0 to {len(names) - 1}")  # fmt: skip
    return numbers.astype(np.intp)


def _squares(counts: np.ndarray, square: float, letters: int) -> tuple[Figure, Any]:
    """A figure with the coloured squares, and room for names of so many letters beside them."""
    side, room = square * len(counts), 0.08 * letters + 0.6
    figure = Figure(figsize=(side + room + 0.6, side + room), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="cividis")
    axes.set(xlabel="predicted class", ylabel="true class")
    return figure, axes


def _name_squares(axes: Any, names: Sequence[str], square: float) -> None:
    """Names beside the squares and, turned where they would touch, below them."""
    places = range(0, len(names), -(-len(names) // WITH_NAMES))
    size = min(10.0, 50 * square * places.step)  # of 72 points an inch, with room between lines
    shown = [names[place] for place in places]
    turned = max(map(width_of, shown)) * size * 0.6 > 72 * square
    axes.set_xticks(places, shown, fontsize=size, rotation=90 if len(shown) > 8 else 30 * turned,
                    ha="right" if turned and len(shown) <= 8 else "center",
                    rotation_mode="anchor" if turned and len(shown) <= 8 else None)  # fmt: skip
    axes.set_yticks(places, shown, fontsize=size)


def _write_counts(axes: Any, counts: np.ndarray, square: float) -> None:
    size = min(10.0, 72 * square / (0.75 * len(str(counts.max()))))
    for (row, column), count in np.ndenumerate(counts):
        if count or len(counts) < 10:
            colour = "black" if count > counts.max() / 2 else "white"
            axes.text(column, row, str(count), ha="center", va="center", color=colour,
                      fontsize=size)  # fmt: skip
