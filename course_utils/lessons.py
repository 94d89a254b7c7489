"""The course's lessons: their numbers, titles and order of reading, from ``data/lessons.toml``.

Only the standard library is used, so that every other room may ask.
"""

import re
import tomllib
from pathlib import Path

from course_utils.environment import course_root


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


def _entries(path: Path) -> list[dict[str, str]]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("lessons")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: this is not TOML ({error}); mend the line") from None
    if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        raise ValueError(f'{path.name}: write a list, lessons = [{{ number = "00", ... }}, ...]')
    return entries
