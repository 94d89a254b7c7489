"""Which column of a table holds the pictures, the texts, the labels and the splits.

For those who give no names. A guess says what it took and why; where two columns would do, there is
no guess but a sentence that names both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from course_utils.data.look_alikes import clean_label
from course_utils.data.rows import BadData
from course_utils.data.splits import SPLIT_CALLED
from course_utils.data.table import Table, shown

ENOUGH = 2000  # rows that a guess looks at
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
MOST_CLASSES, MOST_NUMBERS = 100, 10  # values of a label; more numbers are prices, years, sizes


@dataclass
class Roles:
    """Columns by what they hold; split and image_pattern may be None.

    said: a sentence on each that was guessed: which, why, and how to say otherwise.
    """

    image: str | None = None
    text: str | Sequence[str] | None = None
    label: str | None = None
    split: str | None = None
    image_pattern: str | None = None
    said: list[str] = field(default_factory=list)

    def taken(self) -> set[str]:
        """The columns that have a role."""
        texts = [self.text] if isinstance(self.text, str) else self.text or ()
        return {name for name in (self.image, self.label, self.split, *texts) if name}


def guess_roles(source: Table, named: Roles, split_words: Mapping[str, str] | None = None) -> Roles:
    """Fill in what ``named`` leaves open. A split is looked for where ``named.split`` is "".

    split_words: {its word: train, validation or test}, beside the words that all know.

    Raises BadData where several columns would do, or none.
    """
    columns = _columns(source)
    roles = Roles(named.image, named.text, named.label, named.split, named.image_pattern)
    if roles.image is None:
        _guess_image(source, columns, roles)
    if roles.split == "":
        _guess_split(source, columns, roles, split_words or {})
    if roles.label is None:
        _guess_label(source, columns, roles)
    if roles.text is None:
        _guess_text(source, columns, roles)
    return roles


def _columns(source: Table) -> dict[str, list[str]]:
    """The cells of the first rows, by column; broken rows are for others to name."""
    found = (cells for _, cells in islice(source.records(), ENOUGH + 1))
    records = [cells for cells in found if isinstance(cells, list) and cells]
    if len(records) < 2:
        raise source.bad("no rows", "the table has no rows; add one row a picture")
    header = [name.strip() for name in records[0]]
    rows = [cells for cells in records[1:] if len(cells) == len(header)]
    return {name: [row[k].strip() for row in rows] for k, name in enumerate(header)}


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:20]))


def _in_doubt(source: Table, what: str, found: Sequence[str], option: str) -> BadData:
    several = f"several columns could be the {what}: {', '.join(found)}"
    return source.bad("unclear columns", f"{several}; say which with {option} NAME")


def _none(source: Table, what: str, columns: dict[str, list[str]], option: str) -> BadData:
    if advice := source.mark_advice([*columns]):
        return source.bad("unclear columns", f"the table has one column; {advice}")
    return source.bad("unclear columns", f"no column looks like the {what}; say which of "
                      f"{_some([*columns])} with {option} NAME")  # fmt: skip


# --- one role after the other ---------------------------------------------------------------------


def _guess_image(source: Table, columns: dict[str, list[str]], roles: Roles) -> None:
    """The only column whose cells are files that exist; else the one that holds their names."""
    free = {name: cells for name, cells in columns.items() if name not in roles.taken()}
    if roles.image_pattern is None:
        found = [name for name, cells in free.items() if _share_of_files(source.folder, cells)]
        why = "its cells are files that exist"
    if roles.image_pattern is not None or not found:
        by_stem = _pictures_by_stem(source.folder)
        patterns = {name: roles.image_pattern or _pattern(cells, by_stem)
                    for name, cells in free.items()}  # fmt: skip
        found = [name for name, pattern in patterns.items() if pattern and _share_of_files(
            source.folder, [pattern.replace("{id}", cell) for cell in columns[name]])]  # fmt: skip
        # A price, too, may be the name of a picture; it names fewer of them.
        most = max((len({*columns[name]}) for name in found), default=0)
        found = [name for name in found if len({*columns[name]}) > 0.8 * most]
        why = "its cells are the names of the picture files"
    if len(found) > 1:
        raise _in_doubt(source, "column of pictures", [*map(shown, found)], "--image")
    if not found:
        raise _none(source, "column of pictures", columns, "--image")
    (roles.image,) = found
    also = ""
    if why.endswith("picture files"):
        roles.image_pattern = patterns[roles.image]
        also = f" --image-pattern '{roles.image_pattern}'"
    roles.said.append(f"pictures: {shown(roles.image)}{also} ({why}); otherwise --image NAME")


def _share_of_files(folder: Path, cells: Sequence[str]) -> bool:
    """Whether most of these are files in the folder; 200 of them are looked at."""
    some = [cell for cell in cells[:: max(1, len(cells) // 200)] if cell]
    return bool(some) and sum(_is_file(folder, cell) for cell in some) > 0.5 * len(some)


def _is_file(folder: Path, cell: str) -> bool:
    try:
        return (folder / cell.replace("\\", "/")).is_file()
    except (OSError, ValueError):  # too long, a zero byte
        return False


def _pictures_by_stem(folder: Path) -> dict[str, str]:
    """{name without ending: pattern of its path} of the pictures in the folder and below it."""
    found = {}
    for path in islice(folder.rglob("*"), 200_000):
        if path.suffix.lower() in PICTURES:
            found[path.stem] = (path.parent.relative_to(folder) / f"{{id}}{path.suffix}").as_posix()
    return found


def _pattern(cells: Sequence[str], by_stem: dict[str, str]) -> str | None:
    """The commonest pattern of the pictures that these cells name, if they name any."""
    patterns = [by_stem[cell] for cell in cells if cell in by_stem]
    return max({*patterns}, key=patterns.count) if patterns else None


def _guess_split(
    source: Table, columns: dict[str, list[str]], roles: Roles, words: Mapping[str, str]
) -> None:
    """A column of nothing but names of splits; without one the rows are divided.

    Where words of one's own are given there is to be such a column: it is asked for.
    """
    roles.split = None
    own = {clean_label(str(word)).lower(): split for word, split in words.items()}
    known = {**SPLIT_CALLED, **own}
    for name, cells in columns.items():
        held = {clean_label(cell).lower() for cell in cells}
        called = {known.get(word) for word in held}
        enough = {"train", "test"} <= called or ("train" in called and held & {*own})
        if name not in roles.taken() and None not in called and enough:
            roles.split = name
            roles.said.append(f"splits: {shown(name)} (its cells are names of splits); otherwise "
                              "--split NAME, or --split none to have the rows divided")  # fmt: skip
            return
        if name not in roles.taken() and not words and _nearly_splits(held, called):
            strange = sorted(word for word in held if word not in known)
            raise source.bad(
                "unclear columns",
                f"the column {shown(name)} seems to divide the rows, but "
                f"{', '.join(map(repr, strange))} is none of train, validation, test; say which it "
                f"is with --split-word {strange[0]}=validation (or test), or have the rows divided "
                "with --split none",
            )
    if words:
        raise source.bad("unclear columns", "no column holds names of splits and "
                         f"{', '.join(map(repr, words))} alone; say which of {_some([*columns])} "
                         "is the column of splits with --split NAME")  # fmt: skip
    roles.said.append("splits: none in the table, so the rows are divided; otherwise --split NAME")


def _nearly_splits(held: set[str], called: set[str | None]) -> bool:
    """Whether a column's few words are train, another split, and one that nobody knows."""
    return len(held) <= 4 and {None, "train"} < called and "" not in held


def _guess_label(source: Table, columns: dict[str, list[str]], roles: Roles) -> None:
    """The only column with few distinct values, five rows and more of each on average."""
    found = {}
    for name, cells in columns.items():
        values = {cell for cell in cells if cell}
        most = MOST_NUMBERS if all(map(_is_number, values)) else MOST_CLASSES
        few = 2 <= len(values) <= min(most, len(cells) / 5)
        if few and name not in roles.taken():
            found[name] = len(values)
    told = [f"{shown(name)} ({count} values)" for name, count in found.items()]
    if len(found) > 1:
        raise _in_doubt(source, "label", told, "--label")
    if not found:
        raise _none(source, "label", columns, "--label")
    (roles.label,) = found
    roles.said.append(f"label: {told[0]}, the only column with few distinct values; otherwise "
                      "--label NAME")  # fmt: skip


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _guess_text(source: Table, columns: dict[str, list[str]], roles: Roles) -> None:
    """The column with the longest cells, most of them different, if no other comes near."""
    lengths = {
        name: sum(map(len, cells)) / len(cells)
        for name, cells in columns.items()
        if name not in roles.taken() and len({*cells}) > 0.2 * len(cells)
    }
    order = sorted(lengths, key=lambda name: -lengths[name])
    near = [name for name in order if lengths[name] > 0.5 * lengths[order[0]]]
    told = [f"{shown(name)} ({lengths[name]:.0f} characters a cell)" for name in near]
    if len(near) > 1:
        raise _in_doubt(source, "text", told, "--text")
    if not near or lengths[near[0]] < 3:
        raise _none(source, "text", columns, "--text")
    roles.text = near[0]
    roles.said.append(f"text: {told[0]}, the longest cells; otherwise --text NAME")
