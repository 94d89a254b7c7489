"""Finding the pictures that a table names: what is there, and what nearly is.

A table and its folder come apart on their way: another system writes names in another normal form
or another case, a spreadsheet makes 12.0 of 12, a converter makes .jpg of .png, somebody sorts the
pictures into subfolders. What is beyond doubt the same file is used; what nearly is there is named.

The paths of a table lead into its folder and nowhere else: one that leads out, through ".." or
because it is absolute, is refused. Links are followed wherever they lead: whoever put one into the
folder may do so, and a table cannot make one.
"""

import contextlib
import os
import posixpath
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from course_utils.data.layout import Layout, Row, filled_pattern
from course_utils.data.rows import BadData
from course_utils.data.table import LEAVE_OUT, Sieve, shown, without_leaving_out

MOST_FILES = 300_000  # that are looked through for what nearly is there
ELSEWHERE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")  # absolute here or on Windows
DECIMAL = re.compile(r"^(\d+)\.0+$")  # an id out of a column of numbers with gaps
TRIED = 30  # cells from which a pattern is guessed


def with_pictures(rows: list[Row], layout: Layout, sieve: Sieve, remarks: list[str]) -> list[Row]:
    """The rows whose picture is there, or is absent and may be; ``file`` is its path from here on.

    Raises BadData, one sentence for all, where no row at all finds its picture.
    """
    folder = PictureFolder(layout.folder)
    named = [row for row in rows if row.file]
    found = {id(row): folder.find(row.file) for row in named}
    if named and not any(found.values()):
        raise _none_found(layout, folder, named)
    lost: list[tuple[BadData, str]] = []

    def judge(row: Row) -> None:
        own = found.get(id(row), "")
        if own is None:
            fault = _not_found(layout, folder, row)
            lost.append((fault, folder.near(row.file)))
            if layout.missing == "error" or row.text is None:
                raise fault
        row.file = own or ""

    kept = [row for row, _ in sieve(judge, rows)]
    told = next((fault for fault, near in lost if near), None)
    if layout.missing == "absent" and lost:
        remarks.append(f"{len(lost)} of {len(named)} rows name a picture that is not there and "
                       f"were kept without it, as {without_leaving_out(told or lost[0][0])}"
                       )  # fmt: skip
    elif told:
        count = sum(bool(near) for _, near in lost)
        remarks.append(f"{count} of the missing pictures may be there under another name: "
                       f"{without_leaving_out(told)}")  # fmt: skip
    return kept


def _not_found(layout: Layout, folder: "PictureFolder", row: Row) -> BadData:
    """The sentence for one row, with what nearly is there."""
    near = folder.near(row.file)
    if folder.leads_out(row.file):
        inside = f", such as {folder.nearest(row.file)[0]}" if near else ""
        return row.bad(layout, "outside the folder", "the path leads out of the folder and is not "
                       f"opened; give a path inside it{inside}, {LEAVE_OUT}")  # fmt: skip
    advice = f", but {near}; name the one that you mean" if near else "; put it there"
    return row.bad(layout, "missing image",
                   f"the image file is not there{advice}, {LEAVE_OUT}")  # fmt: skip


def _none_found(layout: Layout, folder: "PictureFolder", rows: list[Row]) -> BadData:
    """The sentence for all rows, looked up: why not one finds its picture."""
    first = rows[0]
    if len(rows) == 1 and folder.near(first.file) and not layout.looks_like_id(first):
        return _not_found(layout, folder, first)
    outside = folder.leads_out(first.file)
    what = f"none of the {len(rows)} rows finds its picture" if len(rows) > 1 else \
        "the image file is not there"  # fmt: skip
    what += ", and the paths lead out of the folder" if outside else ""
    reason = "outside the folder" if outside else "missing image"
    return first.bad(layout, reason, f"{what}; {_why(layout, folder, rows)}")


def _why(layout: Layout, folder: "PictureFolder", rows: list[Row]) -> str:
    if folder.locked:
        return f"the folder {folder.locked[0]} may not be read: mend its permissions"
    if not folder.pictures:
        return "there is no picture in the folder or below it: put the pictures there"
    if advice := _pattern_advice(layout, folder, rows):
        return advice
    for row in rows[:TRIED]:
        if near := folder.near(row.file):
            return (f"for line {row.line} ({shown(row.file)}) {near}: correct the table, or the "
                    "names of the files")  # fmt: skip
    return (f"the pictures in it are called otherwise, as {folder.pictures[0]}: name them so in "
            'the table, or say how a cell makes one with image_pattern="FOLDER/{id}.jpg"'
            )  # fmt: skip


def _pattern_advice(layout: Layout, folder: "PictureFolder", rows: list[Row]) -> str:
    """Which image_pattern finds the pictures; "" where none does."""
    cells = [(row.cells[layout.image_column].strip(), row.cells) for row in rows]
    whole = [(DECIMAL.sub(r"\1", name), others) for name, others in cells]
    for ids, before in ((cells, ""), (whole, "write them as whole numbers, not as {}; then ")):
        patterns, count = folder.best_patterns(ids)
        if not patterns:
            continue
        seem = f"the cells of {layout.image_column!r} seem to be ids or parts of names: "
        seem = ("" if layout.image_pattern else seem) + before.format(cells[0][0])
        named = " and ".join(f'image_pattern="{pattern}"' for pattern in patterns)
        which = " each: say which is meant" if len(patterns) > 1 else ""
        return f"{seem}{named} find{'s' * (len(patterns) == 1)} {count} of {len(rows)}{which}"
    return ""


# --- looking in the folder --------------------------------------------------------------------


class PictureFolder:
    """A folder, looked up once: each folder in it is listed when a table first names it."""

    def __init__(self, folder: str | Path):
        self.root = os.path.abspath(folder)
        self.roots = {self.root, os.path.realpath(folder)}
        self.locked: list[str] = []
        self._folders: dict[str, dict[str, str]] = {}
        self._files: dict[str, dict[str, str]] = {}
        self._true_folder: dict[str, str | None] = {"": ""}

    def find(self, name: str) -> str | None:
        """The file's path inside the folder, parted by "/", as the system spells it; else None.

        name: a relative path, or an absolute one that leads into the folder. One in another
        normal form (é as one letter or as two) is the same file; one in another case is not,
        since half the systems hold it for another.
        """
        return next(filter(None, map(self._look_up, self._inside(name))), None)

    def leads_out(self, name: str) -> bool:
        """Whether a path leads out of the folder."""
        return not any(self._inside(name.replace("\\", "/")))

    def _inside(self, name: str) -> Iterator[str]:
        """The name as paths inside the folder: as it stands, and as Windows means it."""
        for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
            if os.path.isabs(spelling):
                yield from self._of_absolute(spelling)
            elif not ELSEWHERE.match(spelling):
                inside = posixpath.normpath(spelling)
                if inside.split("/")[0] != "..":
                    yield inside

    def _of_absolute(self, name: str) -> Iterator[str]:
        spellings = {os.path.normpath(name)}
        with contextlib.suppress(OSError, ValueError):  # a zero byte
            spellings.add(os.path.realpath(name))
        for root in self.roots:
            for spelling in spellings:
                if os.path.normcase(spelling).startswith(os.path.normcase(os.path.join(root, ""))):
                    yield os.path.relpath(spelling, root).replace(os.sep, "/")

    def _look_up(self, inside: str) -> str | None:
        above, base = posixpath.split(inside)
        folder = self._folder(above)
        if folder is None:
            return None
        self._list(folder)
        files = self._files[folder]
        own = files.get(base) or files.get(unicodedata.normalize("NFC", base))
        return own and posixpath.join(folder, own)

    def _folder(self, path: str) -> str | None:
        """The path of a folder as the system spells it."""
        if path not in self._true_folder:
            parts, folder = path.split("/"), ""
            for part in parts:
                self._list(folder)
                known = self._folders[folder]
                own = known.get(part) or known.get(unicodedata.normalize("NFC", part))
                if own is None:
                    folder = None
                    break
                folder = posixpath.join(folder, own)
            self._true_folder[path] = folder
        return self._true_folder[path]

    def _list(self, folder: str) -> None:
        """Learn the names in a folder, as they stand and in one normal form."""
        if folder in self._files:
            return
        files = self._files[folder] = {}
        folders = self._folders[folder] = {}
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                for entry in entries:
                    kind = files if _is_file(entry) else folders
                    kind.setdefault(unicodedata.normalize("NFC", entry.name), entry.name)
                    kind[entry.name] = entry.name
        except PermissionError:
            self.locked.append(folder or ".")
        except (OSError, ValueError):  # no folder, a name that is too long
            pass

    # --- what nearly is there -------------------------------------------------------------------

    @cached_property
    def pictures(self) -> list[str]:
        """The paths of all pictures in the folder and below it, at most ``MOST_FILES``."""
        return sorted(
            path for path in self._walk() if posixpath.splitext(path)[1].lower() in _suffixes()
        )

    def _walk(self) -> Iterator[str]:
        seen, count = set(), 0
        for folder, below, names in os.walk(self.root, followlinks=True):
            here = os.path.realpath(folder)
            if here in seen:  # a link that leads back
                below.clear()
                continue
            below[:] = sorted(name for name in below if not name.startswith((".", "__MACOSX")))
            seen.add(here)
            inside = os.path.relpath(folder, self.root).replace(os.sep, "/")
            for name in names:
                if not name.startswith("."):
                    yield posixpath.normpath(posixpath.join(inside, name))
            if (count := count + len(names)) > MOST_FILES:
                return

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        known = defaultdict(list)
        for path in self.pictures:
            known[_loose(path)].append(path)
        return known

    def nearest(self, name: str) -> list[str]:
        """The pictures that are called most nearly so, in another folder or case, say."""
        wanted = _plain_path(name)
        found = {path: _differences(wanted, path) for path in self._by_stem.get(_loose(wanted), ())}
        least = min(found.values(), key=lambda told: (len(told), told), default=[])
        return [path for path, told in found.items() if told == least != []]

    def near(self, name: str) -> str:
        """What nearly is there, as "images/a.JPG is, which differs in the case of ..."; else ""."""
        if not (nearest := self.nearest(name)):
            return ""
        told = _and(_differences(_plain_path(name), nearest[0]))
        if len(nearest) == 1:
            return f"{nearest[0]} is, which differs in {told}"
        others = nearest[1] if len(nearest) == 2 else f"{len(nearest) - 1} others"
        return f"{nearest[0]} and {others} are, which differ in {told}"

    def best_patterns(self, rows: Sequence[tuple[str, Mapping[str, str]]]) -> tuple[list[str], int]:
        """The pattern under which most rows find a picture, and how many do; [] without one.

        rows: (id, its cells by column). Two patterns where another one finds as many, but others.
        """
        tried = Counter(
            pattern
            for name, cells in rows[:TRIED]
            for pattern in self._patterns(name.strip(), cells)
        )
        found = {
            pattern: [self.find(filled_pattern(pattern, *row)) for row in rows]
            for pattern, _ in tried.most_common(5)
        }
        fits = {pattern: len(rows) - own.count(None) for pattern, own in found.items()}
        best = max(fits, key=fits.get, default="")
        if fits.get(best, 0) < max(1, min(len(rows), len(self.pictures)) / 2):
            return [], 0
        others = [one for one in fits if fits[one] == fits[best] and found[one] != found[best]]
        return [best, *others[:1]], fits[best]

    def _patterns(self, name: str, cells: Mapping[str, str]) -> Iterator[str]:
        """The patterns that lead from a row's id to pictures that have it in their names."""
        if not name:
            return
        edge = r"\d" if name[0].isdigit() and name[-1].isdigit() else "[^\\W_]"
        whole = re.compile(rf"(?<!{edge}){re.escape(name)}(?!{edge})")
        column = {value.strip(): key for key, value in cells.items()
                  if value.strip() != name and not {*"{}"} & {*key}}  # fmt: skip
        for path in self.pictures:
            if name not in path or "{" in path or not (places := [*whole.finditer(path)]):
                continue
            start, end = places[-1].span()
            head, tail = path[:start], "{id}" + path[end:]
            folders = head.split("/")
            yield head + tail
            yield "/".join([f"{{{column[part]}}}" if part in column else part
                            for part in folders[:-1]] + [folders[-1] + tail])  # fmt: skip


def _is_file(entry: os.DirEntry) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _suffixes() -> Iterable[str]:
    from PIL import Image

    return Image.registered_extensions()


def _plain_path(name: str) -> str:
    """In composed form, parted by "/"; of an address in the web, what comes before its query."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    return re.split(r"[?#]", name)[0] if "://" in name else name


def _parts(path: str) -> tuple[str, str, str]:
    """Folder, name and extension; ".0" of a number is no extension."""
    folder, base = posixpath.split(posixpath.normpath(path))
    stem, suffix = posixpath.splitext(base)
    return (folder, stem, suffix) if suffix.lower() in _suffixes() else (folder, base, "")


def _loose(path: str) -> str:
    """What names that mean one picture have in common: small letters and digits."""
    stem = unicodedata.normalize("NFKC", unquote(_parts(path)[1])).casefold()
    number = re.fullmatch(r"0*(\d+)(\.0+)?", stem.strip())
    return number[1] if number else "".join(filter(str.isalnum, stem)) or stem


def _differences(wanted: str, found: str) -> list[str]:
    """In what two paths differ, for a sentence."""
    ours, theirs = _parts(wanted), _parts(unicodedata.normalize("NFC", found))
    told = []
    for what, one, other in zip(("folder", "name", "extension"), ours, theirs, strict=True):
        if one != other:
            alike = one.casefold() == other.casefold()
            told.append(f"the case of the {what}" if alike else f"the {what}")
    return told


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1])] * (len(words) > 1) + [*words[-1:]])
