"""Text that comes from data, in figures: any signs as they stand, any script that has a font here.

matplotlib reads what stands between two dollars as a formula, and draws letters that its font lacks
as boxes, with a warning for each. ``as_written`` switches formulas off in a figure of data,
``choose_fonts`` gives each text fonts that have its letters, and says in one sentence which letters
no font here has.

Scripts whose letters change their shape or stand on each other (Arabic, Devanagari, Thai), and
those that run from right to left, are laid out by matplotlib from 3.11 on. Before, their letters
stand side by side from left to right.
"""

import contextlib
import functools
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

_UNDRAWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Boxes, a system's own fonts, and those of formulas, whose letters stand under other numbers.
_NOT_FOR_WORDS = ("Last Resort", ".", "cm", "STIXNonUnicode", "STIXSize")
_family_of: dict[str, str] = {}  # letter -> a family that has it, "" where there is none
_said: set[str] = set()


def drawable(words: str) -> str:
    """The text on one line, with � for control characters and halves of signs."""
    return _UNDRAWABLE.sub("\ufffd", " ".join(words.split()))


def width_of(words: str) -> int:
    """How wide a text is drawn, in letters: those of East Asia count for two, marks for none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in words
    )


def shortened(words: str, width: int) -> str:
    """The text, in its middle an ellipsis where it is wider: names often differ at their end."""
    if width_of(words) <= width:
        return words
    back = _beginning(words[::-1], (width - 1) // 2)[::-1]
    return f"{_beginning(words, width - 1 - width_of(back)).rstrip()}…{back.lstrip()}"


def wrapped(words: str, width: int, lines: int) -> str:
    """The text in lines of so many letters, broken at blanks where it can, then an ellipsis."""
    found, rest = [], words.strip()
    while rest and len(found) < lines:
        line = _beginning(rest, width)
        if len(line) < len(rest) and " " in (line := rest[: len(line) + 1]).strip():
            line = line[: line.rindex(" ")]
        found.append(line[: max(1, len(_beginning(line, width)))].rstrip())
        rest = rest[len(found[-1]) :].lstrip()
    if rest:
        found[-1] = f"{_beginning(found[-1], width - 2).rstrip()} …"
    return "\n".join(found)


def _beginning(words: str, width: int) -> str:
    """As many letters from the beginning as are no wider than this."""
    taken = 0
    for place, letter in enumerate(words):
        if (taken := taken + width_of(letter)) > width:
            return words[:place]
    return words


def as_written(figure: Figure) -> Figure:
    """Take no text of the figure for a formula, and choose its fonts; returns the figure."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    choose_fonts(figure)
    return figure


def choose_fonts(figure: Figure) -> None:
    """Give each text of the figure fonts that have its letters.

    Prints one sentence, once a session, for each script that no font here has.
    """
    texts = {text: text.get_text() for text in figure.findobj(Text)}
    lacking = {text: _lacking(words) for text, words in texts.items() if not words.isascii()}
    _look_for(set().union(*lacking.values()))
    for text, letters in lacking.items():
        if letters:
            families = [_family_of[letter] for letter in sorted(letters)]
            stand_in = _last_resort() if "" in families else ()
            wanted = [*_as_list(text.get_fontfamily()), *filter(None, families), *stand_in]
            text.set_fontfamily(list(dict.fromkeys(wanted)))


@contextlib.contextmanager
def no_word_on_letters() -> Iterator[None]:
    """Draw without matplotlib's warning for each letter: ``choose_fonts`` has said it at once."""
    with warnings.catch_warnings():
        for start in ("Glyph .* missing from", "Matplotlib currently does not support"):
            warnings.filterwarnings("ignore", message=start)
        yield


def _as_list(families: str | list[str]) -> list[str]:
    return [families] if isinstance(families, str) else list(families)


def _lacking(words: str) -> set[str]:
    """The letters of a text that the usual font lacks; signs without a look do not count."""
    usual = _letters_of_the_usual_font(font_manager.findfont(font_manager.FontProperties()))
    return {
        letter for letter in words
        if ord(letter) not in usual and not _has_no_look(letter)
    }  # fmt: skip


def _has_no_look(letter: str) -> bool:
    blank = unicodedata.category(letter) in ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs")
    return blank or unicodedata.name(letter, "").startswith("VARIATION SELECTOR")


@functools.cache
def _letters_of_the_usual_font(path: str) -> frozenset[int]:
    return frozenset(FT2Font(path).get_charmap())


def _look_for(letters: set[str]) -> None:
    """Find a family for each letter, as few families as will do, and say what has none."""
    unknown = letters - {*_family_of}
    if not unknown:
        return
    _take_in_new_fonts()
    held = {family: {letter for letter in unknown if font.get_char_index(ord(letter))}
            for family, font in _fonts()}  # fmt: skip
    while any(has & unknown for has in held.values()):
        best = min(held, key=lambda family: (-len(held[family] & unknown), *_oddness(family)))
        _family_of.update(dict.fromkeys(held[best] & unknown, best))
        unknown -= held[best]
    _family_of.update(dict.fromkeys(unknown, ""))
    _say_what_is_missing(unknown)


def _oddness(family: str) -> tuple[bool, bool, str]:
    """How little a family suits the usual font, which has no serifs and letters of all widths."""
    return "Sans" not in family, "Mono" in family, family


@functools.cache
def _take_in_new_fonts() -> None:
    """Add fonts that were installed after matplotlib made its list, which it keeps for good."""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in {*font_manager.findSystemFonts()} - known:
        with contextlib.suppress(Exception):  # a file that is no font that matplotlib can read
            font_manager.fontManager.addfont(path)


def _fonts() -> Iterator[tuple[str, FT2Font]]:
    """One font of each family that can draw letters of any size, the plainest."""
    families: dict[str, font_manager.FontEntry] = {}
    for entry in sorted(font_manager.fontManager.ttflist, key=_plainness):
        families.setdefault(entry.name, entry)
    for family, entry in families.items():
        if family.startswith(_NOT_FOR_WORDS) or "Color Emoji" in family:
            continue
        with contextlib.suppress(Exception):  # a file that is gone by now, or no font after all
            font = FT2Font(entry.fname)
            if font.scalable:
                yield family, font


def _plainness(entry: font_manager.FontEntry) -> tuple[bool, bool, str]:
    return entry.style != "normal", entry.weight not in (400, "normal", "regular"), entry.fname


@functools.cache
def _last_resort() -> tuple[str, ...]:
    """The font of boxes that show a letter's script, where matplotlib brings it (from 3.11 on)."""
    names = {entry.name for entry in font_manager.fontManager.ttflist}
    return tuple(sorted(name for name in names if name.startswith("Last Resort")))


def _say_what_is_missing(letters: Iterable[str]) -> None:
    fonts = {_font_for(letter): letter for letter in sorted(letters, reverse=True)}
    new = {font: letter for font, letter in fonts.items() if font not in _said}
    if new:
        _said.update(new)
        print(
            f"boxes stand for letters that no font here has ({', '.join(new.values())}): install "
            f"{', '.join(new)}, and start again"
        )


def _font_for(letter: str) -> str:
    """A free font that has the letter, by the name under which it is found."""
    script = unicodedata.name(letter, "SYMBOLS").split()[0].split("-")[0]
    if script in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH"):
        return "Noto Sans CJK (Debian, Ubuntu: fonts-noto-cjk)"
    if unicodedata.category(letter)[0] == "S":
        return "Noto Emoji"
    return f"Noto Sans {script.title()}"
