"""The course's lessons: numbers, titles and order of reading (``data/lessons.toml``), guesses.

Only the standard library is used, so that every other room may ask.
"""

import json
import re
import tomllib
from pathlib import Path

from course_utils.environment import course_root

# The call in a cell that is tagged `guess`, and the name that it gives; the build holds the form.
GUESS = re.compile(r'^guess\(\s*"([^"\\\n]+)",', re.MULTILINE)


def titles(root: Path | None = None) -> dict[str, str]:
    """``{"06": "Training", ...}`` for all lessons, written or not, in the order of reading.

    root: the course's folder; by default the one that this package lies in.

    Raises ValueError, in a sentence that names the line, if the file is faulty.
    """
    path = (root or course_root()) / "data" / "lessons.toml"
    found: dict[str, str] = {}
    for place, lesson in enumerate(_entries(path), start=1):
        number, title = lesson.get("number"), lesson.get("title")
        words = isinstance(number, str) and isinstance(title, str) and title.strip()
        if not (words and re.fullmatch(r"\d\d", number)):
            raise ValueError(
                f"{path.name}, lesson {place} of the list: write a number of two digits and a "
                'title, { number = "09", title = "..." }'
            )
        if number in found:
            raise ValueError(f"{path.name}: lesson {number} stands twice; leave one of them")
        found[number] = title
    return found


def reading_order(root: Path | None = None) -> tuple[str, ...]:
    """The numbers of all lessons, two digits each, in the order in which they are read."""
    return tuple(titles(root))


def guesses(root: Path | None = None) -> dict[str, tuple[str, ...]]:
    """The names of the guesses of each lesson, by its number, from the notebooks for learners.

    root: as for ``titles``. A notebook that cannot be read has none.
    """
    folder = (root or course_root()) / "notebooks"
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    return {path.name[:2]: tuple(_guesses_in(path)) for path in paths}


def _guesses_in(path: Path) -> list[str]:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        asking = [cell for cell in cells if "guess" in cell["metadata"].get("tags", ())]
        return [name for cell in asking for name in GUESS.findall("".join(cell["source"]))]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []  # a learner may have opened it and broken it


def _entries(path: Path) -> list[dict[str, str]]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("lessons")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: this is not TOML ({error}); mend the line") from None
    if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        raise ValueError(f'{path.name}: write a list, lessons = [{{ number = "00", ... }}, ...]')
    return entries
