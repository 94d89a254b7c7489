"""Bytes that should be the text of a table: the text, or one sentence on what they are instead.

What is said is looked up in the bytes: the marks at the beginning of a file, its zero bytes, and
how its lines read under each encoding that could be meant. Where more than one reading makes
sense, the readings are shown and none is chosen.

Sources: the first bytes as in the file formats' own documents and in file(1)'s tables; encodings
as in Python's ``codecs``; what is common as in JIS X 0208, GB 2312, Big5 and KS X 1001, whose
first levels hold the frequent signs.
"""

import codecs
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator

from course_utils.data.rows import BadData

AS_CSV = "save it as CSV (UTF-8) in the program that wrote it and name that file"
UNPACK = "unpack it and name the CSV table inside"
PANDAS = "make a CSV of it: import pandas; "


def shown(name: str) -> str:
    """A name from the table for a sentence: on one line, and not too long."""
    name = name if name.isprintable() else ascii(name)
    return name if len(name) <= 100 else f"{name[:60]}...{name[-30:]}"


# --- files of another form --------------------------------------------------------------------

FIRST_BYTES = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet or another Office file of the old form "
     "(.xls)", AS_CSV),
    (b"\x1f\x8b", "packed (a gz file)", UNPACK),
    (b"BZh", "packed (a bz2 file)", UNPACK),
    (b"\xfd7zXZ\0", "packed (an xz file)", UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed (a zst file)", UNPACK),
    (b"\x04\x22\x4d\x18", "packed (an lz4 file)", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "packed (a 7z archive)", UNPACK),
    (b"Rar!\x1a\x07", "packed (a rar archive)", UNPACK),
    (b"PAR1", "a Parquet file", f'{PANDAS}pandas.read_parquet("NAME").to_csv("table.csv", '
     "index=False)"),
    (b"ARROW1", "an Arrow or Feather file", f'{PANDAS}pandas.read_feather("NAME").to_csv('
     '"table.csv", index=False)'),
    (b"FEA1", "a Feather file", f'{PANDAS}pandas.read_feather("NAME").to_csv("table.csv", '
     "index=False)"),
    (b"SQLite format 3\0", "an SQLite database", "write the table that you need out of it as CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write the table that you need out of it as CSV"),
    (b"\x93NUMPY", "a NumPy array", "write its table as CSV with the names of the columns on top"),
    (b"%PDF", "a PDF document", "name the CSV table"),
    (b"{\\rtf", "a document of a word processor (RTF)", "save the table as CSV (UTF-8)"),
    (b"version https://git-lfs", "a pointer of Git LFS and not the table",
     "fetch the table itself with `git lfs pull`"),
    (b"\x89PNG", "a picture", "name the CSV table"),
    (b"\xff\xd8\xff", "a picture", "name the CSV table"),
    (b"GIF8", "a picture", "name the CSV table"),
    (b"II*\0", "a picture", "name the CSV table"),
    (b"MM\0*", "a picture", "name the CSV table"),
)  # fmt: skip
INSIDE_ZIP = (
    (r"xl/|.*\.bin$", "a spreadsheet (an xlsx file, Excel)", AS_CSV),
    (r"content\.xml$", "a spreadsheet (an ods file, LibreOffice)", AS_CSV),
    (r"Index/|Index\.zip$", "a spreadsheet of Numbers", AS_CSV),
    (r"word/", "a document of a word processor (a docx file)", "save the table as CSV (UTF-8)"),
    (r".*\.npy$", "NumPy arrays (an npz file)", "write the table as CSV"),
    (r".*data\.pkl$", "a file of PyTorch", "write the table as CSV"),
)
MARKUP = re.compile(r"\s*<(?:!doctype html|html|head|body|table|\?xml|!--)", re.IGNORECASE)


def other_form(raw: bytes) -> tuple[str, str] | None:
    """What a file is that is no text of a table, and what to do; None where it may be one."""
    for mark, what, advice in FIRST_BYTES:
        if raw.startswith(mark):
            return what, advice
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_form(raw)
    if raw[257:262] == b"ustar":
        return "packed (a tar archive)", UNPACK
    is_riff = raw.startswith(b"RIFF") and raw[8:12] == b"WEBP"
    if is_riff or (raw.startswith(b"BM") and raw[2:6] == len(raw).to_bytes(4, "little")):
        return "a picture", "name the CSV table"
    if raw.startswith(b"\x80") and raw[1:2] in (b"\2", b"\3", b"\4", b"\5") and raw.endswith(b"."):
        return "a pickle of Python", (f'{PANDAS}where you trust it, pandas.read_pickle("NAME")'
                                      '.to_csv("table.csv", index=False)')  # fmt: skip
    return _markup_form(raw)


def _zip_form(raw: bytes) -> tuple[str, str]:
    try:
        names = zipfile.ZipFile(io.BytesIO(raw)).namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return "a spreadsheet or a zip archive, and cut off", "fetch or save it anew"
    for pattern, what, advice in INSIDE_ZIP:
        if any(re.match(pattern, name) for name in names):
            return what, advice
    tables = [name for name in names if name.lower().endswith((".csv", ".tsv", ".txt"))]
    holds = f", which holds {', '.join(map(shown, tables[:3]))}" if tables else ""
    return f"packed (a zip archive{holds})", UNPACK


def _markup_form(raw: bytes) -> tuple[str, str] | None:
    """JSON, JSON Lines, HTML and XML: texts, but no tables with cells."""
    text = raw.decode("utf-8-sig", "replace")
    if MARKUP.match(text):
        if "schemas-microsoft-com:office" in text[:2000]:
            return "a spreadsheet (XML of Excel)", AS_CSV
        return "a web page (HTML or XML)", f"{AS_CSV}, or download the table itself"
    if not text.lstrip().startswith(("{", "[")):
        return None
    first = next(line for line in text.splitlines() if line.strip())
    lines = _is_json(first) and len(text.strip()) > len(first.strip())
    if not lines and not _is_json(text):
        return None
    what = "JSON Lines (one JSON object in each line)" if lines else "JSON"
    option = ", lines=True" if lines else ""
    return what, (f'{PANDAS}pandas.read_json("NAME"{option}).to_csv("table.csv", index=False), '
                  "and name that file")  # fmt: skip


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


# --- bytes to text ----------------------------------------------------------------------------

MARKS = (  # utf-32 before utf-16, whose mark it begins with
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
CONTROL = re.compile(rb"[\0\x02-\x08\x0e-\x1d\x7f]")  # two are used as delimiters
UNDECODED = re.compile("[\udc80-\udcff]")
WIDE = ("utf-16", "utf-32")
FEW_ZEROS = 0.05  # of the bytes of a table in utf-16: its commas, digits and line ends


def check_encoding(encoding: str) -> str:
    """The encoding's name in Python. Raises ValueError where it has none, or is not for texts."""
    try:
        name = codecs.lookup(encoding).name
        b"".decode(name)
    except (LookupError, TypeError, ValueError):
        raise ValueError(f"there is no text encoding {encoding!r}; tables are mostly "
                         '"utf-8", "utf-16" or "cp1252"') from None  # fmt: skip
    return name


def decode(raw: bytes, encoding: str) -> str:
    """The text, without a byte order mark.

    Where a text in UTF-8 has a few bytes that are none, they come as the lone surrogates of
    ``errors="surrogateescape"``, so that only their rows are lost (see ``UNDECODED``).

    Raises BadData, whose sentence says what to do, with the first line that cannot be read.
    """
    name = check_encoding(encoding)
    if form := other_form(raw):
        what, advice = form
        raise BadData(f"this is no CSV table but {what}; {advice}", "no CSV table")
    name = _wide_or_marked(raw, encoding, name)
    if name[:6] not in WIDE and _is_binary(raw):
        raise BadData("this is no text but a file of another kind; a table here is a text with "
                      "cells parted by commas (CSV)", "no CSV table")  # fmt: skip
    try:
        text = raw.decode(name)
    except UnicodeError as error:
        place = getattr(error, "start", 0)
        text = raw.decode("utf-8", "surrogateescape")
        if name != "utf-8" or not _is_mostly_read(text):
            advice = _advice(raw, name) if name[:6] not in WIDE else "it is cut off; save it anew"
            raise BadData(f"the text is not {encoding}; {advice}", "wrong encoding",
                          line_at(raw, place)) from None  # fmt: skip
    return text.removeprefix("\ufeff")


def _is_binary(raw: bytes) -> bool:
    """Whether the first line and a tenth of what follows are control characters."""
    head = raw.lstrip()[:4000]
    first = re.split(rb"[\r\n]", head, maxsplit=1)[0]
    return bool(CONTROL.search(first)) and len(CONTROL.findall(head)) > 0.1 * len(head)


def line_at(raw: bytes, place: int) -> int:
    """The line, counted from 1, in which a byte stands."""
    return len(re.findall(rb"\r\n|\r|\n", raw[:place])) + 1


def _wide_or_marked(raw: bytes, encoding: str, name: str) -> str:
    """The encoding to use, after a look at marks and zero bytes, which leave no doubt."""
    found = next((other for mark, other in MARKS if raw.startswith(mark)), None) or _wide(raw)
    family = name.removesuffix("-sig")
    if found is not None and found[:6] == family[:6]:
        return found
    if found is None and not (family[:6] in WIDE and raw.strip()):
        return family
    advice = f'try encoding="{found}", or save it as UTF-8' if found else _advice(raw, name)
    raise BadData(f"the text is not {encoding}; {advice}", "wrong encoding", 1)


def _wide(raw: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, known by the places of zero bytes."""
    head = raw[:4000]
    zeros = [head[place::4].count(0) for place in range(4)]
    if sum(zeros) < max(4, FEW_ZEROS * len(head)):
        return None
    low, high = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if sum(zeros) > 0.7 * len(head):
        name = "utf-32-le" if zeros[0] < zeros[3] else "utf-32-be"
    elif max(low, high) > 0.9 * (low + high):
        name = "utf-16-le" if high > low else "utf-16-be"
    else:
        return None
    try:
        text = raw.decode(name)
    except UnicodeError:
        return None
    return name if "\0" not in text and re.search(r"[\r\n]", text) else None


def _is_mostly_read(text: str) -> bool:
    """Whether more signs beyond ASCII were read as UTF-8 than were not."""
    beyond = sum(not char.isascii() for char in text)
    return beyond > 2 * len(UNDECODED.findall(text))


# --- which encoding is meant ------------------------------------------------------------------

WESTERN = "éèêëàâäáãåæçíîïìóôöõòøúûüùñßœýÿ"
COMMON = {  # the letters that a text in this encoding mostly uses beyond ASCII
    "cp1252": WESTERN,
    "cp1250": "ąćęłńóśźżáčďéěíňřšťúůýžőűöüäôľăâîşţđ",
    "cp1251": "оеаинтсрвл",
    "koi8-r": "оеаинтсрвл",
    "cp866": "оеаинтсрвл",
    "cp1253": "αοιετσνηυρόίάέ",
    "cp1254": "ığşçöüâîİéà",
    "cp1255": "יוהלארתבשמ",
    "cp1256": "اليمونترةب",
    "cp1257": "āčēģīķļņšūžėįųąęõäöü",
    "cp874": "กขคงจชดตถทนบปผพมยรลวสหอะาิีึืุูเแโใไ่้์ั",
    "iso8859-2": "ąćęłńóśźżáčďéěíňřšťúůýžőűöüäôľăâîşţđ",
    "mac-roman": WESTERN,
    "cp850": WESTERN,
}
FREQUENT = {  # the codec and the first bytes of a script's frequent signs, the fewest first
    "cp949": ("cp949", (0xA1, *range(0xB0, 0xC9))),
    "gbk": ("gbk", (0xA1, 0xA3, *range(0xB0, 0xD8))),
    "gb18030": ("gb18030", (0xA1, 0xA3, *range(0xB0, 0xD8))),
    "cp932": ("cp932", (0x81, *range(0x82, 0x84), *range(0x88, 0x99))),
    "euc-jp": ("euc-jp", (0xA1, 0xA4, 0xA5, *range(0xB0, 0xD0))),
    "big5": ("big5", (0xA1, *range(0xA4, 0xC7))),
}
WORD = re.compile(r"[^\s\d!-/:-@\[-`{-~]+")
SIGNS = frozenset("’‘“”„‚–—…€£°§«»©®™·•½¼¾×²³№¡¿ªº\xa0")
TYPICAL = 0.75  # of an alphabet's letters in a text are among the ten or so in COMMON
OLD, SELDOM = ("koi8-r", "cp866", "cp850", "mac-roman"), 0.8  # before Windows: less to be expected
UNCOMMON = 0.3  # what a letter of the right alphabet that is not among them counts
PLAUSIBLE, UNLIKELY = 0.6, 0.3  # of the best reading's score, after many signs and after few:
MANY = 60  # below it a reading is not worth showing
SAMPLE = 8_000  # bytes of lines beyond ASCII: enough to tell


def readings(raw: bytes, share: float | None = None) -> dict[str, str]:
    """{encoding: text} for the encodings that make sense, the best first, each text once.

    share: of the best reading's score that a reading needs; by the amount of evidence if None.
    """
    beyond = [line for line in raw.splitlines() if not line.isascii()]
    sample = b"\n".join(beyond)[:SAMPLE].rpartition(b"\n")[0] or b"\n".join(beyond)
    scores = {name: _score(sample, name) for name in (*COMMON, *FREQUENT)}
    best = max(scores.values())
    if share is None:
        share = PLAUSIBLE if sum(byte > 127 for byte in sample) > MANY else UNLIKELY
    texts: dict[str, str] = {}
    for name in sorted(scores, key=lambda name: -scores[name]):
        text = _decoded(raw, name) if scores[name] >= max(share * best, 0.2) else None
        if text is not None and text not in texts.values():
            texts[name] = text
    return texts


def _decoded(raw: bytes, name: str) -> str | None:
    """The text, or None where it is none or holds control characters."""
    try:
        text = raw.decode(name)
    except UnicodeError:
        return None
    return None if re.search("[\x80-\x9f]", text) else text


def _score(sample: bytes, name: str) -> float:
    """How much of what stands beyond ASCII is usual in such a text, 0 to 1."""
    if (text := _decoded(sample, name)) is None:
        return 0
    words = [word for word in WORD.findall(text) if not word.isascii()]
    fits = [fit for word in words for fit in _fits(word, name)]
    share = sum(fits) / max(len(fits), 1)
    is_alphabet = name in COMMON and not _is_latin(COMMON[name][0])
    share = min(share / TYPICAL, 1.0) if is_alphabet else share
    return share * (SELDOM if name in OLD else 1)


def _fits(word: str, name: str) -> Iterator[float]:
    """For each sign beyond ASCII: 1 where it is usual in its place, 0 where it does not belong."""
    latin = [_is_latin(sign) for sign in word if _is_letter(sign)]
    mixed = any(latin) and not all(latin)  # two alphabets in one word
    padded = f" {word} "
    for before, sign, behind in zip(padded, padded[1:], padded[2:], strict=False):
        if sign.isascii():
            continue
        if name in FREQUENT:
            codec, first = FREQUENT[name]
            held = sign.encode(codec, "replace")
            apart = not re.search("[a-z]", before + behind)
            yield apart and len(held) == 2 and held[0] in first
        elif sign in SIGNS:
            yield sign in "’·" or not (before.isalpha() and behind.isalpha())
        elif mixed or not _is_letter(sign) or (before.islower() and sign.isupper()):
            yield 0
        elif _is_latin(sign) and _is_beyond(before) and _is_beyond(behind):
            yield UNCOMMON * _is_latin(COMMON[name][0])  # accents seldom stand side by side
        else:
            yield 1 if sign.lower() in COMMON[name] else UNCOMMON


def _is_letter(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LM"


def _is_beyond(sign: str) -> bool:
    return sign.isalpha() and not sign.isascii()


def _is_latin(sign: str) -> bool:
    return sign.isalpha() and sign < "\u0250"


def _advice(raw: bytes, name: str) -> str:
    """What to do about a text that is not in the encoding ``name``."""
    if name != "utf-8" and _is_utf_8(raw):
        return 'try encoding="utf-8"'
    found = {other: text for other, text in readings(raw).items() if other != name}
    if not found:
        return "save it as UTF-8 in the program that wrote it"
    if len(found) == 1:
        (other,) = found
        return f'try encoding="{other}", or save it as UTF-8'
    return (f"{_side_by_side(found)}; give as encoding=... the one that reads right, or save it "
            "as UTF-8")  # fmt: skip


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeError:
        return False
    return True


def _side_by_side(texts: dict[str, str]) -> str:
    """How the first line that tells them apart reads in up to three encodings."""
    few = dict(list(texts.items())[:3])
    lines = zip(*(re.split(r"\r\n|\r|\n", text) for text in few.values()), strict=False)
    telling = next((line for line in lines if len(set(line)) > 1), [""] * len(few))
    return ", ".join(f'"{name}" reads {_excerpt(line)}'
                     for name, line in zip(few, telling, strict=True))  # fmt: skip


def _excerpt(line: str) -> str:
    """The part of a line around its first sign beyond ASCII."""
    place = next((k for k, char in enumerate(line) if not char.isascii()), 0)
    return repr(shown(line[max(place - 12, 0) : place + 28].strip()))


# --- doubts about a text that could be read ---------------------------------------------------


def _mangled(name: str, fewest: int) -> str:
    """A pattern for words whose UTF-8 was read as ``name``: a first byte, and those behind it."""
    signs = {byte: _sign(byte, name) for byte in range(0x80, 0x100)}

    def some(first: int, last: int) -> str:
        return f"[{re.escape(''.join(signs[byte] for byte in range(first, last)))}]"

    behind = some(0x80, 0xC0)
    leads = [(0xC2, 0xE0), (0xE0, 0xF0), (0xF0, 0xF5)]
    sequences = [some(*lead) + behind * (k + 1) for k, lead in enumerate(leads)]
    return f"(?:{'|'.join(sequences)}){{{fewest},}}"


def _sign(byte: int, name: str) -> str:
    """What a byte reads as; what Windows leaves undefined goes through, as in browsers."""
    return bytes([byte]).decode(name, "ignore") or chr(byte)


BEYOND = r"[^\x00-\x7f]"
MANGLED = re.compile(  # in Ukrainian one sequence may be a word
    f"(?<!{BEYOND})(?:{_mangled('cp1252', 1)}|{_mangled('cp1251', 2)})(?!{BEYOND})"
)


def doubts(text: str, raw: bytes, encoding: str) -> Iterator[str]:
    """A remark for each sign that the text, although it was read, is not what was written."""
    name = check_encoding(encoding)
    if text.isascii():
        return
    if not name.startswith(("utf-", "utf_")):
        yield from _doubts_of_encoding(text, raw, encoding, name)
    if lost := text.count("\ufffd"):
        line = _line_of(text, text.index("\ufffd"))
        yield (f"line {line}: signs of the table were lost ({lost}) when it was saved "
               "as \ufffd; go back to the original")  # fmt: skip
    for run in MANGLED.finditer(text):
        if meant := _mended(run[0]):
            yield (f"line {_line_of(text, run.start())}: {shown(run[0])!r} seems to be {meant!r}, "
                   "read with a wrong encoding and saved again; go back to the original, or mend "
                   "the table")  # fmt: skip
            return


def _doubts_of_encoding(text: str, raw: bytes, encoding: str, name: str) -> Iterator[str]:
    if _is_utf_8(raw):
        utf_8 = raw.decode("utf-8")
        read = f'"{encoding}" reads {_excerpt(_first_beyond(text))}'
        yield (f"the table is a right text in utf-8 too, and likely meant so: {read}, "
               f'"utf-8" reads {_excerpt(_first_beyond(utf_8))}')  # fmt: skip
        return
    found = readings(raw, PLAUSIBLE)
    if text in found.values() or not found:
        return
    yield (f"the text reads oddly: {_side_by_side({encoding: text, **found})}; give as "
           "encoding=... the one that reads right")  # fmt: skip


def _first_beyond(text: str) -> str:
    return next(line for line in re.split(r"\r\n|\r|\n", text) if not line.isascii())


def _line_of(text: str, place: int) -> int:
    return len(re.findall(r"\r\n|\r|\n", text[:place])) + 1


def _mended(run: str) -> str:
    """What a run of odd signs was before its UTF-8 was read as Windows-1252 or -1251, or ""."""
    for name in ("cp1252", "cp1251"):
        byte_of = {_sign(byte, name): byte for byte in range(0x80, 0x100)}
        try:
            meant = bytes(byte_of[sign] for sign in run).decode("utf-8")
        except (KeyError, UnicodeError):
            continue
        return meant if meant.isprintable() else ""
    return ""
