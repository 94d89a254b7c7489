"""The samples in ``data/`` are what the generator makes, small, and complete."""

import csv
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from course_utils.data import sample, trick_cards
from course_utils.data.audio import read_audio
from course_utils.data.music_cards import GENRES
from course_utils.data.news_cards import MODALITIES, SECTIONS
from course_utils.environment import course_root

DATA = course_root() / "data"
FOLDERS = ("news_cards", "trick_cards")


def table(folder):
    with (DATA / folder / "headlines.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made():
    return sample.make_sample()


def test_the_news_cards_made_again_have_the_same_pixels(made):
    for file, pixels in zip(made["file"], made["image"], strict=True):
        assert np.array_equal(np.asarray(Image.open(DATA / "news_cards" / file)), pixels), file


def test_the_news_cards_made_again_have_the_same_table(made):
    sections = [SECTIONS[section] for section in made["section"]]
    columns = (made["file"], made["headline"], sections, made["match"].astype(str), made["split"])
    again = [dict(zip(sample.COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]
    assert table("news_cards") == again


def test_the_trick_cards_drawn_again_have_the_same_pixels():
    for number, pixels in enumerate(trick_cards.draw()["image"], start=1):
        file = DATA / "trick_cards" / f"{number:02d}.png"
        assert np.array_equal(np.asarray(Image.open(file)), pixels), file


def test_the_trick_cards_read_from_their_files_are_those_that_are_drawn():
    drawn, read = trick_cards.draw(), trick_cards.read()
    assert set(read) == set(drawn)
    for name, column in drawn.items():
        assert np.array_equal(read[name], column), name


@pytest.mark.parametrize("rows", [trick_cards.draw, trick_cards.read])
def test_the_trick_cards_have_labels_with_names(rows):
    cards = rows()
    assert [cards.classes[k] for k in cards["label"]] == cards["answer"]
    assert (cards["label"] == cards["section"]).all()
    assert cards.modalities == MODALITIES


def test_writing_the_samples_gives_the_files_that_the_tables_name(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "SAMPLE", sample.SAMPLE | {"n": 6})
    monkeypatch.setattr(sample, "MUSIC", sample.MUSIC | {"n": 3})
    sample.main(tmp_path)
    for folder, n in (("news_cards", 6), ("trick_cards", 12)):
        written = {path for path in (tmp_path / "data" / folder).rglob("*") if path.is_file()}
        with (tmp_path / "data" / folder / "headlines.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == n
        files = {tmp_path / "data" / folder / row["file"] for row in rows}
        assert files | {tmp_path / "data" / folder / "headlines.csv"} == written


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_lies_there_that_the_table_does_not_name(folder):
    there = {p.relative_to(DATA / folder).as_posix() for p in (DATA / folder).rglob("*.*")}
    assert there == {row["file"] for row in table(folder)} | {"headlines.csv", "README.md"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_row_stands_twice(folder):
    files = [row["file"] for row in table(folder)]
    assert len(files) == len(set(files))


def test_there_are_600_cards_in_at_most_3_megabytes():
    files = [path for path in (DATA / "news_cards").rglob("*") if path.is_file()]
    assert len(table("news_cards")) == 600
    assert sum(path.stat().st_size for path in files) <= 3_000_000


def test_pictures_are_48_pixels_square_in_red_green_blue():
    for folder in FOLDERS:
        for row in table(folder):
            with Image.open(DATA / folder / row["file"]) as image:
                assert (image.mode, image.size) == ("RGB", (48, 48))


def test_the_folders_of_a_card_are_its_split_and_section():
    for row in table("news_cards"):
        assert re.fullmatch(f"{row['split']}/{row['section']}/\\d{{4}}\\.png", row["file"])


def test_torchvision_reads_the_folder_as_it_is():
    from torchvision.datasets import ImageFolder

    split = ImageFolder(DATA / "news_cards" / "train")
    rows = [row for row in table("news_cards") if row["split"] == "train"]
    assert split.classes == sorted(SECTIONS)
    counts = Counter(split.classes[target] for target in split.targets)
    assert counts == Counter(row["section"] for row in rows)


def test_the_data_card_states_the_counts_that_the_table_has():
    card = (DATA / "news_cards" / "README.md").read_text(encoding="utf-8")
    rows = table("news_cards")
    for section in SECTIONS:
        own = [row for row in rows if row["section"] == section]
        counts = [sum(row["split"] == split for row in own)
                  for split in ("train", "validation", "test")]  # fmt: skip
        numbers = " | ".join(map(str, [*counts, len(own), sum(row["match"] == "1" for row in own)]))
        assert f"| {section} | {numbers} |" in card


# --- music cards -----------------------------------------------------------------------------


def music_table():
    with (DATA / "music_cards" / "cards.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_music_cards_made_again_look_and_sound_the_same(tmp_path):
    rows = sample.make_music()
    for row, cover, clip in zip(music_table(), rows["cover"], rows["clip"], strict=True):
        picture = np.asarray(Image.open(DATA / "music_cards" / row["cover"]))
        assert np.array_equal(picture, cover), row["cover"]
        samples = read_audio(DATA / "music_cards" / row["clip"]) * 32768
        assert np.abs(samples - clip).max() <= 2, row["clip"]  # the last bits are the machine's


def test_writing_music_cards_gives_the_table_and_the_files_that_it_names(tmp_path):
    sample.write_music(sample.make_music(), tmp_path)
    table = (tmp_path / "cards.csv").read_bytes()
    assert table == (DATA / "music_cards" / "cards.csv").read_bytes()
    files = {row[kind] for row in music_table() for kind in ("cover", "clip")}
    for folder in (tmp_path, DATA / "music_cards"):
        there = {p.relative_to(folder).as_posix() for p in folder.rglob("*.*")}
        assert there - {"README.md"} == files | {"cards.csv"}


def test_the_music_cards_take_at_most_3_megabytes():
    files = [path for path in (DATA / "music_cards").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 3_000_000


def test_the_music_cards_data_card_states_the_counts_that_the_table_has():
    card = (DATA / "music_cards" / "README.md").read_text(encoding="utf-8")
    rows = music_table()
    for genre in GENRES:
        own = [row for row in rows if row["genre"] == genre]
        counts = [sum(row["split"] == split for row in own)
                  for split in ("train", "validation", "test")]  # fmt: skip
        counts += [len(own)]
        counts += [sum(row[kind] == genre for row in rows) for kind in ("sound_style",
                                                                        "cover_style")]  # fmt: skip
        assert f"| {genre} | {' | '.join(map(str, counts))} |" in card


@pytest.mark.parametrize("folder", [*FOLDERS, "music_cards"])
def test_the_data_card_says_how_to_make_the_files_again_and_the_licence(folder):
    card = (DATA / folder / "README.md").read_text(encoding="utf-8")
    assert "python -m course_utils.data.sample" in card
    assert "CC BY 4.0" in card
