"""How a folder and its table are laid out: what ``read_folder`` was asked for, checked; one row."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.data.rows import SPLITS, BadData
from course_utils.data.table import Table

OWN_COLUMNS = ("image", "file", "split", "label")  # what the rows call their own
PROPORTIONS = (0.7, 0.1, 0.2)  # of train, validation and test
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Layout:
    """What ``read_folder`` was asked for, checked."""

    folder: Path
    table: str
    image_column: str
    text_column: str | Sequence[str]
    label_column: str
    split_column: str | None
    image_pattern: str | None
    encoding: str
    delimiter: str
    quoting: str | None
    classes: Sequence[str] | None
    drop_labels: Sequence[str]
    size: tuple[int, int]
    on_bad: str
    missing: str
    proportions: tuple[float, float, float]
    group_column: str | None
    split_seed: int
    split_words: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.missing not in ("error", "absent"):
            raise ValueError(f'missing is "error" or "absent", not {self.missing!r}')
        self._check_columns()
        self._check_splits()
        if not isinstance(self.size, tuple | list) or len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"size is (height, width) in pixels, not {self.size}")
        _ = self.source  # which has arguments of its own to check

    def _check_columns(self) -> None:
        if self.image_pattern is not None:
            places = {*PLACEHOLDER.findall(self.image_pattern)}
            if not {"id", self.image_column} & places or "" in places:
                raise ValueError(
                    'image_pattern needs {id} where the id goes, as in "images/{id}.jpg"; '
                    f"it is {self.image_pattern!r}"
                )
        if not self.text_columns:
            raise ValueError("text_column names one column, or several that are joined")
        for name in (self.text_name, self.label_column):
            if (name in OWN_COLUMNS and name != "label") or name == self.text_name == "label":
                raise ValueError(f"no text or label column can be called {name!r}: the rows keep "
                                 "this name for something else; rename the column")  # fmt: skip
        if self.label_column in (*self.text_columns, self.text_name):
            raise ValueError(f"{self.label_column!r} cannot be both the text and the label")

    def _check_splits(self) -> None:
        _check_proportions(self.proportions)
        if not isinstance(self.split_seed, int):
            raise ValueError(f"split_seed is a whole number, not {self.split_seed!r}")
        asked = (tuple(self.proportions), self.group_column, self.split_seed)
        if self.split_column and asked != (PROPORTIONS, None, 0):
            raise ValueError(f"the column {self.split_column!r} divides the rows already; pass "
                             "split_column=None to have them divided by proportions=(...), "
                             "group_column=... and split_seed=...")  # fmt: skip
        if wrong := {*self.split_words.values()} - {*SPLITS}:
            raise ValueError(f"split_words says which word means {', '.join(SPLITS)}, as "
                             f'{{"eval": "test"}}; {wrong.pop()!r} is none of them')  # fmt: skip

    def bad(self, reason: str, what: str, line: int = 0, file: str = "") -> BadData:
        """The error for a fault in the table, or in one line of it."""
        return self.source.bad(reason, what, line, file)

    @functools.cached_property
    def source(self) -> Table:
        """The table itself."""
        return Table(self.folder, str(self.table), self.encoding, self.delimiter, self.quoting,
                     self.image_column)  # fmt: skip

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns whose cells make the text."""
        return (self.text_column,) if isinstance(self.text_column, str) else (*self.text_column,)

    @property
    def text_name(self) -> str:
        """What the rows call the text."""
        return self.text_columns[0] if len(self.text_columns) == 1 else "text"

    def looks_like_id(self, row: "Row") -> bool:
        """Whether a row's cell is no file's name and no pattern makes one of it."""
        return self.image_pattern is None and "." not in row.cells[self.image_column]

    @property
    def needed(self) -> list[str]:
        """The columns that the table must have."""
        pattern = PLACEHOLDER.findall(self.image_pattern or "")
        named = [self.image_column, *self.text_columns, self.label_column, self.split_column,
                 self.group_column, *(name for name in pattern if name != "id")]  # fmt: skip
        return [name for name in dict.fromkeys(named) if name]


@dataclass
class Row:
    """One row of the table on its way to the rows; an absent picture is "", an absent text None."""

    line: int
    file: str  # as the table names it; once it is found, its path inside the folder
    text: str | None
    label: str
    split: str
    cells: dict[str, str] = field(repr=False)

    def bad(self, layout: Layout, reason: str, what: str) -> BadData:
        """The error for a fault in this row."""
        return layout.bad(reason, what, self.line, self.file)


def _check_proportions(proportions: Sequence[float]) -> None:
    """Raises ValueError for what are no shares of train, validation and test."""
    shares = tuple(proportions) if isinstance(proportions, Sequence) else ()
    numbers = all(isinstance(share, int | float) and 0 <= share <= 1 for share in shares)
    if len(shares) != 3 or not numbers or abs(sum(shares) - 1) > 1e-6 or shares[0] == 0:
        raise ValueError("proportions are the shares of train (not 0), validation and test, which "
                         f"sum to 1, as (0.7, 0.1, 0.2); not {proportions!r}")  # fmt: skip


def filled_pattern(pattern: str, name: str, cells: Mapping[str, str]) -> str:
    """ "images/{season}/{id}.jpg" with the row's id and its cells of other columns."""
    given = {**cells, "id": name}
    return PLACEHOLDER.sub(lambda place: given[place[1]].strip(), pattern)
