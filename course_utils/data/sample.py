"""Writes the samples that lie in ``data/``: ``python -m course_utils.data.sample``.

The files are what a learner with a folder of pictures has; lessons show with them how files
become batches. Each folder's ``README.md`` is its data card.
"""

import csv
from pathlib import Path

from PIL import Image

from course_utils.data import music_cards, news_cards, shop, trick_cards
from course_utils.data.audio import write_audio
from course_utils.data.rows import Rows
from course_utils.environment import course_root

# Less noise than the lessons' cards: noise does not compress, and the folder has to stay small.
SAMPLE = {"n": 600, "seed": 2024, "image_noise": 0.02}
COLUMNS = ("file", "headline", "section", "match", "split")
# Of seeds from 2026 on the first with enough of every genre in every split.
MUSIC = {"n": 90, "seed": 2157, "image_noise": 0.02, "snr": 40.0}
MUSIC_COLUMNS = ("cover", "clip", "genre", "review", "cover_style", "sound_style", "split")


def make_sample() -> Rows:
    """The 600 cards of ``data/news_cards``, and the ``file`` that each picture lies in."""
    dials = dict(SAMPLE)
    rows = news_cards.make(dials.pop("n"), dials.pop("seed"), **dials)
    names = [news_cards.SECTIONS[section] for section in rows["section"]]
    rows["file"] = [
        f"{split}/{name}/{number:04d}.png"
        for number, (split, name) in enumerate(zip(rows["split"], names, strict=True), start=1)
    ]
    return rows


def write(rows: Rows, folder: Path, table: str, columns: tuple[str, ...]) -> None:
    """Write rows as PNG files and a CSV table; sections by name."""
    for image, file in zip(rows["image"], rows["file"], strict=True):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, optimize=True)
    named = rows | {"section": [news_cards.SECTIONS[section] for section in rows["section"]]}
    with (folder / table).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(named[column] for column in columns), strict=True))


def make_music() -> Rows:
    """The 90 cards of ``data/music_cards``; their noise is faint, so that one can judge by ear."""
    dials = dict(MUSIC)
    return music_cards.make(dials.pop("n"), dials.pop("seed"), **dials)


def write_music(rows: Rows, folder: Path) -> None:
    """Write music cards as PNG and WAV files and the table cards.csv; classes by name."""
    files = [f"{number:04d}" for number in range(1, len(rows["genre"]) + 1)]
    for file, cover, clip in zip(files, rows["cover"], rows["clip"], strict=True):
        write_audio(folder / f"clips/{file}.wav", clip)
        path = folder / f"covers/{file}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cover).save(path, optimize=True)
    named = {
        "cover": [f"covers/{file}.png" for file in files],
        "clip": [f"clips/{file}.wav" for file in files],
        "review": [music_cards.TASKS["review"][review] for review in rows["review"]],
        "split": rows["split"],
    }
    for style in ("genre", "cover_style", "sound_style"):
        named[style] = [*music_cards.names_of(rows[style])]
    with (folder / "cards.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(MUSIC_COLUMNS)
        writer.writerows(zip(*(named[column] for column in MUSIC_COLUMNS), strict=True))


def main(root: Path | None = None) -> None:
    """Write the samples under ``root``/data."""
    data = (root or course_root()) / "data"
    write(make_sample(), data / "news_cards", "headlines.csv", COLUMNS)
    tricks = trick_cards.draw()
    tricks["file"] = [f"{number:02d}.png" for number in range(1, len(tricks["trick"]) + 1)]
    write(tricks, data / "trick_cards", "headlines.csv", (*COLUMNS, "trick"))
    shop.write(data / "shop")
    write_music(make_music(), data / "music_cards")


if __name__ == "__main__":
    main()
