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
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure

from course_utils.data.rows import column_of
from course_utils.environment import is_smoke

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
    # Without Software=None the file would hold matplotlib's version and change with it.
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    png = _with_palette(buffer) if palette else buffer.getvalue()
    return (
        f'<img alt="{html.escape(alt, quote=True)}" style="max-width: 100%"'
        f' src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
    )


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

        # One copy of the picture: pages choose HTML where there is a PNG beside it.
        display({"text/html": image_tag(figure, alt, palette=True), "text/plain": alt}, raw=True)
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


def card_wall(
    rows: Mapping[str, Any],
    right: Mapping[str, Sequence[bool]] | None = None,
    titles: Sequence[str] | None = None,
    columns: int = 4,
    image: str | None = None,
    text: str | None = None,
) -> Figure:
    """Cards side by side: each picture with its text under it and a title over it.

    rows: columns by name; image, text: the columns of the pictures (n, H, W, 3) and of the n
        texts, by default those that the rows name.
    right: {model name: n truth values}; under each card stands which models got it right.
    titles: n short strings; by default the cards' ``trick`` and ``answer``, where they have them.
    """
    images, texts = (rows[name or column_of(rows, modality)]
                     for name, modality in ((image, "image"), (text, "text")))  # fmt: skip
    n = len(texts)
    titles = titles or _titles(rows) or [""] * n
    lines = -(-n // columns)
    over = max(title.count("\n") for title in titles) if n else 0  # lines of a title but the first
    figure = Figure(figsize=(2.5 * columns, (2.5 + 0.2 * len(right or ()) + 0.2 * over) * lines))
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    for i, axis in zip(range(n), axes, strict=False):
        axis.imshow(images[i])
        title = "\n".join(textwrap.fill(line, 26) for line in titles[i].splitlines())
        axis.set_title(title, fontsize=9)
        caption = textwrap.fill(texts[i], 30)
        # A text may hold a dollar, which must not start a formula.
        axis.text(0.5, -0.04, caption, transform=axis.transAxes, ha="center", va="top", fontsize=8,
                  parse_math=False)  # fmt: skip
        for line, (model, hits) in enumerate((right or {}).items()):
            mark, colour = ("right", PALETTE["both"]) if hits[i] else ("wrong", PALETTE["text"])
            axis.text(0.5, -0.32 - 0.11 * line, f"{model}: {mark}", transform=axis.transAxes,
                      ha="center", va="top", fontsize=8, color=colour, weight="bold")  # fmt: skip
    figure.subplots_adjust(wspace=0.25, hspace=0.6 + 0.14 * len(right or ()) + 0.15 * over)
    return figure


def _titles(rows: Mapping[str, Any]) -> list[str]:
    """The trick of each card and, in a line of its own, the right answer."""
    tricks = rows.get("trick", ())
    answers = rows.get("answer", [""] * len(tricks))
    pairs = zip(tricks, answers, strict=False)  # no trick, no title
    return [f"{trick}\nanswer: {answer}" if answer else trick for trick, answer in pairs]


def confusion_figure(predicted: Any, label: Any, names: Sequence[str]) -> Figure:
    """Counts of true class (down) against predicted class (across), written into coloured squares.

    predicted, label: (n,) class numbers; names: one for each class.
    """
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (np.asarray(label), np.asarray(predicted)), 1)
    figure = Figure(figsize=(4.2, 3.6))
    axes = figure.subplots()
    axes.imshow(counts, cmap="cividis")
    for (row, column), count in np.ndenumerate(counts):
        colour = "black" if count > counts.max() / 2 else "white"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    places = range(len(names))
    axes.set(xticks=places, yticks=places, xlabel="predicted class", ylabel="true class")
    axes.set_xticklabels(names, rotation=30)
    axes.set_yticklabels(names)
    return figure
