"""Folders of pictures with a table: what is read, and how bad input is answered."""

import csv
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data import folder
from course_utils.data.batches import to_tensors
from course_utils.data.folder import read_folder
from course_utils.data.readers import ImageReader, TextReader, fit_readers, read_image, to_rgb
from course_utils.data.rows import SPLITS, BadData, SkippedRow, SkippedRows, count_rows, split_rows
from course_utils.environment import course_root

NEAR = course_root().parent / "shared" / "real"
DATA = Path(os.environ.get("COURSE_DATA_DIR") or NEAR)
needs = {
    name: pytest.mark.skipif(
        not (DATA / name).is_dir(), reason=f"no {name} set in COURSE_DATA_DIR or ../shared/real"
    )
    for name in ("emoji", "clothing")
}

HEADER = ["file", "headline", "section", "match", "split"]
GOOD = [
    ["a.png", "rain in the north", "weather", 1, "train"],
    ["b.png", "goal, at last", "sport", 0, "train"],
    ["c.png", "sun over the bay", "weather", 1, "validation"],
    ["d.png", "cup final tonight", "sport", 1, "test"],
]
COLOURS = {"a.png": "red", "b.png": "green", "c.png": "blue", "d.png": "yellow"}


def write_table(path, rows, header=HEADER, encoding="utf-8"):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def cards(tmp_path):
    """A folder of four pictures of 6×6 pixels with headlines.csv."""
    root = tmp_path / "cards"
    root.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (6, 6), colour).save(root / name)
    write_table(root / "headlines.csv", GOOD)
    return root


def change(cards, row, **cells):
    """Rewrite the table with some cells of one row (0 is the first under the header) changed."""
    rows = [list(cells) for cells in GOOD]
    for name, value in cells.items():
        rows[row][HEADER.index(name)] = value
    write_table(cards / "headlines.csv", rows)


def read(cards, **options):
    return read_folder(cards, **{"size": (6, 6), **options})


def refused(cards, reason, line, file, **options):
    """The sentence for a bad row, after both ways of treating it were seen."""
    with pytest.raises(BadData) as caught:
        read(cards, **options)
    fault = caught.value
    assert (fault.reason, fault.line, fault.file) == (reason, line, file)
    sentence = str(fault)
    assert f"line {line}" in sentence
    assert (file if file.isprintable() else ascii(file))[:60] in sentence
    assert sentence.startswith("headlines.csv")
    assert "\n" not in sentence
    assert 'on_bad="skip"' in sentence
    rows = read(cards, on_bad="skip", **options)
    assert rows.skipped.counts == {reason: 1}
    assert (rows.skipped[0].line, rows.skipped[0].file) == (line, file)
    return sentence


# --- what is read -------------------------------------------------------------------------------


def test_the_columns_are_those_of_generated_cards(cards):
    rows = read(cards)
    assert rows["image"].shape == (4, 6, 6, 3)
    assert rows["image"].dtype == np.uint8
    assert rows["image"][:2, 0, 0].tolist() == [[255, 0, 0], [0, 128, 0]]
    assert rows["headline"] == [row[1] for row in GOOD]
    assert rows.classes == ("sport", "weather")
    assert rows["section"].tolist() == rows["label"].tolist() == [1, 0, 1, 0]
    assert rows["section"].dtype == np.int64
    assert rows["match"].tolist() == [1, 0, 1, 1]
    assert rows["match"].dtype == np.int64
    assert rows["split"].tolist() == ["train", "train", "validation", "test"]
    assert rows["file"] == ["a.png", "b.png", "c.png", "d.png"]
    assert str(rows.skipped) == "no row was left out"


def test_every_column_has_one_entry_a_row(cards):
    assert {len(column) for column in read(cards).values()} == {4}


def test_the_order_of_classes_can_be_chosen(cards):
    rows = read(cards, classes=("weather", "travel", "sport"))
    assert rows.classes == ("weather", "travel", "sport")
    assert rows["label"].tolist() == [0, 2, 0, 2]


def test_columns_are_found_by_name(cards):
    (cards / "headlines.csv").unlink()
    rows = [["weather", "x", row[1], row[0], "t"] for row in GOOD]
    write_table(cards / "mine.csv", rows, ["kind", "note", " caption ", "picture", "label"])
    read_rows = read(cards, table="mine.csv", image_column="picture", text_column="caption",
                     label_column="kind", split_column=None)  # fmt: skip
    assert sorted(read_rows["caption"]) == sorted(row[1] for row in GOOD)
    assert read_rows["kind"].tolist() == [0, 0, 0, 0]
    assert read_rows["note"] == ["x"] * 4
    assert read_rows["label_"] == ["t"] * 4  # the rows have a column "label" of their own


def test_images_are_found_by_id(cards):
    (cards / "images").mkdir()
    for name in COLOURS:
        (cards / name).rename(cards / "images" / f"id-{name}")
    write_table(cards / "headlines.csv", [[row[0][0], *row[1:]] for row in GOOD])
    rows = read(cards, image_pattern="images/id-{id}.png")
    assert rows["file"][0] == "images/id-a.png"


def test_without_a_split_column_the_rows_are_divided_alike_each_time(tmp_path):
    for k in range(40):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{k}.png")
    table = [[f"{k}.png", "text", "odd" if k % 2 else "even"] for k in range(40)]
    write_table(tmp_path / "headlines.csv", table, HEADER[:3])
    one = read_folder(tmp_path, split_column=None, size=(2, 2))
    write_table(tmp_path / "headlines.csv", table[::-1], HEADER[:3])
    two = read_folder(tmp_path, split_column=None, size=(2, 2))
    divided = [dict(zip(rows["file"], rows["split"], strict=True)) for rows in (one, two)]
    assert divided[0] == divided[1]
    for label in (0, 1):
        splits = one["split"][one["label"] == label].tolist()
        counts = {name: splits.count(name) for name in SPLITS}
        assert counts == {"train": 14, "validation": 2, "test": 4}


def test_short_names_of_splits_are_understood(cards):
    change(cards, 2, split="Val")
    assert read(cards)["split"][2] == "validation"


def test_the_rows_say_where_pictures_and_texts_stand(cards):
    rows = read(cards)
    assert rows.modalities == {"image": "image", "text": "headline"}


def test_each_split_keeps_the_classes_and_what_was_left_out(cards):
    change(cards, 2, headline="")
    rows = read(cards, on_bad="skip")
    parts = split_rows(rows)
    counts = {name: count_rows(part) for name, part in parts.items()}
    assert counts == {"train": 2, "validation": 0, "test": 1}
    for part in parts.values():
        assert (part.classes, part.skipped) == (rows.classes, rows.skipped)
        assert part.skipped.counts == {"empty text": 1}


def test_labels_can_be_dropped_on_purpose(cards):
    rows = read(cards, drop_labels=("sport",))
    assert rows.classes == ("weather",)
    assert len(rows["headline"]) == 2
    assert not rows.skipped


def test_only_plain_whole_numbers_become_numbers(cards):
    table = [[*row, number, code] for row, number, code in
             zip(GOOD, ["-3", "0", "12", "5"], ["007", "1", "2", "3"], strict=True)]  # fmt: skip
    write_table(cards / "headlines.csv", table, [*HEADER, "number", "code"])
    rows = read(cards)
    assert rows["number"].tolist() == [-3, 0, 12, 5]
    assert rows["code"] == ["007", "1", "2", "3"]


def test_blank_lines_are_no_rows_and_do_not_shift_the_line_numbers(cards):
    lines = (cards / "headlines.csv").read_text().splitlines()
    lines[2:2] = ["", ",,,,"]
    lines[5] = lines[5].replace("c.png", "gone.png")
    (cards / "headlines.csv").write_text("\n".join(lines))
    refused(cards, "missing image", 6, "gone.png")


def test_a_text_over_several_lines_is_one_row_and_counts_its_lines(cards):
    change(cards, 0, headline="rain\nin the\nnorth")
    assert read(cards)["headline"][0] == "rain\nin the\nnorth"
    (cards / "c.png").unlink()
    refused(cards, "missing image", 6, "c.png")


def test_a_table_written_on_windows_is_read(cards):
    (cards / "sub").mkdir()
    (cards / "a.png").rename(cards / "sub" / "a.png")
    change(cards, 0, file="sub\\a.png")
    assert len(read(cards)["file"]) == 4


def test_another_delimiter_can_be_named(cards):
    text = "\n".join(";".join(map(str, row)) for row in [HEADER, *GOOD])
    (cards / "headlines.csv").write_text(text)
    assert read(cards, delimiter=";")["headline"][1] == "goal, at last"


def test_several_columns_of_text_are_joined_and_stay(cards):
    table = [[*row, note] for row, note in zip(GOOD, ["x", "", " y ", "z"], strict=True)]
    write_table(cards / "headlines.csv", table, [*HEADER, "note"])
    rows = read(cards, text_column=("headline", "note"))
    assert rows["text"][:3] == ["rain in the north x", "goal, at last", "sun over the bay y"]
    assert rows["headline"] == [row[1] for row in GOOD]
    assert rows["note"] == ["x", "", " y ", "z"]
    assert rows.modalities["text"] == "text"
    change(cards, 2, headline="")
    sentence = refused(cards, "empty text", 4, "c.png", text_column=["headline", "headline"])
    assert "the cells 'headline', 'headline' are empty" in sentence


def test_a_row_without_a_picture_or_without_a_text_is_kept_where_that_is_asked_for(cards, capsys):
    rows = [list(row) for row in GOOD]
    rows[0][0], rows[1][1], rows[2][0] = " ", "  ", "gone.png"
    write_table(cards / "headlines.csv", rows)
    kept = read(cards, missing="absent")
    assert kept["headline"] == ["rain in the north", None, "sun over the bay", "cup final tonight"]
    assert [image is None for image in kept["image"]] == [True, False, True, False]
    assert kept["file"] == ["", "b.png", "", "d.png"]
    assert not kept.skipped
    said = "1 of 3 rows name a picture that is not there and were kept without it, as headlines.csv"
    assert said in kept.remarks[0]
    assert "on_bad" not in kept.remarks[0]
    assert said in capsys.readouterr().out
    with pytest.raises(BadData, match=r"line 2: the cell 'file' is empty.*missing=\"absent\""):
        read(cards)
    change(cards, 2, file="", headline="")
    refused(cards, "empty row", 4, "", missing="absent")


def test_absent_pictures_and_texts_go_into_the_tensors_as_absent(cards):
    rows = [list(row) for row in GOOD]
    rows[0][0], rows[1][1] = "", ""
    write_table(cards / "headlines.csv", rows)
    kept = read(cards, missing="absent")
    readers = fit_readers({"image": ImageReader(), "text": TextReader()}, kept)
    tensors = to_tensors(kept, readers)
    assert tensors["present"]["image"].tolist() == [False, True, True, True]
    assert tensors["present"]["text"].tolist() == [True, False, True, True]
    assert tensors["image"][:2, 1, 0, 0].tolist() == [0, 128]


def test_the_pictures_of_a_split_are_held_once(cards):
    parts = split_rows(read(cards))
    tensors = {name: to_tensors(part, {"image": ImageReader()}) for name, part in parts.items()}
    for name, part in parts.items():
        image = tensors[name]["image"]
        assert image.is_contiguous()
        assert np.shares_memory(image.numpy(), part["image"])
    assert tensors["test"]["image"][0, :, 0, 0].tolist() == [255, 255, 0]


# --- text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "asked"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-8-sig", "UTF8"), ("latin-1", "latin-1")],
)
def test_text_is_read_with_or_without_a_mark_and_in_latin_1_when_asked(cards, written, asked):
    rows = [list(row) for row in GOOD]
    rows[0][1] = "Ärger über Señor Müller"
    write_table(cards / "headlines.csv", rows, encoding=written)
    assert read(cards, encoding=asked)["headline"][0] == "Ärger über Señor Müller"


def test_windows_1252_that_was_not_asked_for_is_suggested_with_its_line(cards):
    rows = [list(row) for row in GOOD]
    rows[1][1] = "café"
    write_table(cards / "headlines.csv", rows, encoding="cp1252")
    with pytest.raises(BadData, match=r'line 3: the text is not utf-8; try encoding="cp1252"'):
        read(cards, on_bad="skip")


def test_utf_16_of_a_spreadsheet_is_suggested(cards):
    write_table(cards / "headlines.csv", GOOD, encoding="utf-16")
    with pytest.raises(BadData, match='try encoding="utf-16"'):
        read(cards)
    assert len(read(cards, encoding="utf-16")["file"]) == 4


def test_an_unknown_encoding_is_said(cards):
    with pytest.raises(ValueError, match="no text encoding 'utf-9'"):
        read(cards, encoding="utf-9")


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(texts, min_size=4, max_size=4), st.booleans())
def test_any_text_comes_back_as_it_was_written(cards, headlines, mark):
    rows = [[row[0], text, *row[2:]] for row, text in zip(GOOD, headlines, strict=True)]
    write_table(cards / "headlines.csv", rows, encoding="utf-8-sig" if mark else "utf-8")
    assert read(cards)["headline"] == headlines


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200) | st.text('",\n\r a.pngtrain', max_size=80).map(str.encode))
def test_any_table_is_read_or_ends_in_one_sentence(cards, raw):
    """No bytes after a good row raise anything but BadData, and skipping counts what is bad."""
    header, first = (cards / "headlines.csv").read_bytes().splitlines(keepends=True)[:2]
    table = cards / "odd.csv"
    table.write_bytes(header + first + raw)
    for on_bad in ("error", "skip"):
        try:
            rows = read(cards, table="odd.csv", on_bad=on_bad)
        except BadData as fault:
            sentence = str(fault)
            assert "\n" not in sentence
        else:
            assert "a.png" in rows["file"]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.from_regex(r"(\.\.|/|\\|a)+")
)
def test_no_image_name_opens_anything_outside_or_breaks_the_reading(cards, name):
    Image.new("RGB", (6, 6)).save(cards.parent / "a", format="png")
    change(cards, 0, file=name)
    rows = read(cards, on_bad="skip")
    assert rows["file"][-1] == "d.png"
    assert all((cards / file).resolve().is_relative_to(cards.resolve()) for file in rows["file"])


PICTURES = ["a.png", "./b.png", "C.PNG", "gone.png", "broken.png", "../x.png", "", "a\0.png"]
LABELS = [
    "sport",
    "Sport",
    " sport\u200b",
    "weather",
    "NA",
    "2",
    "2.0",
    "",
    "cafe\u0301",
    "caf\xe9",
]
WORDS = ["train", "Train", "val", "test", "eval", ""]
any_row = st.tuples(
    st.sampled_from(PICTURES),
    st.sampled_from(["rain", "Rain", "sun, moon", 'a "quote"', "two\nlines", "", " "]),
    st.sampled_from(LABELS), st.sampled_from(["x", "y", ""]), st.sampled_from(WORDS),
)  # fmt: skip


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(any_row, min_size=1, max_size=14), st.data())
def test_rows_that_are_read_and_rows_that_are_left_out_are_the_rows_of_the_table(cards, rows, data):
    """Each row of the table is in one of the two, and once; remarks and splits say the same."""
    (cards / "broken.png").write_bytes(b"no picture")
    header = ["file", "headline", "section", "shop", "split"]
    lines = [[k, *row] for k, row in enumerate(rows)]
    write_table(cards / "headlines.csv", lines, ["number", *header])
    options = {"missing": data.draw(st.sampled_from(["error", "absent"]))}
    if data.draw(st.booleans()):
        options |= {"split_column": None, "split_seed": data.draw(st.integers(0, 3)),
                    "group_column": data.draw(st.sampled_from([None, "shop"]))}  # fmt: skip
    try:
        read_rows = read(cards, on_bad="skip", **options)
    except BadData as fault:
        assert "\n" not in str(fault)  # noqa: PT017 (both ends are right)
        return
    kept, left_out = read_rows["number"].tolist(), read_rows.skipped
    assert len({*kept}) == len(kept)
    assert len(kept) + len(left_out) == len(rows)
    assert len({row.line for row in left_out}) == len(left_out)
    assert sum(map(count_rows, filter(len, map(dict, split_rows(read_rows).values())))) == len(kept)
    places = [(SPLITS.index(split), number) for split, number in
              zip(read_rows["split"], kept, strict=True)]  # fmt: skip
    assert places == sorted(places)
    if not {row.reason for row in left_out} - {"duplicate row"}:
        assert read(cards, **options)["number"].tolist() == kept
    else:
        with pytest.raises(BadData):
            read(cards, **options)


# --- bad rows -----------------------------------------------------------------------------------


def test_a_missing_image_is_named_with_its_row(cards):
    (cards / "c.png").unlink()
    sentence = refused(cards, "missing image", 4, "c.png")
    assert "(c.png): the image file is not there" in sentence


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".tiff", ".webp"])
def test_a_truncated_image_is_named_with_its_row(cards, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    whole = cards / f"whole{suffix}"
    Image.fromarray(noise).save(whole)
    cut = cards / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    change(cards, 2, file=cut.name)
    refused(cards, "broken image", 4, cut.name)


@pytest.mark.parametrize("held", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_a_file_that_is_no_image_is_named_with_its_row(cards, held):
    (cards / "c.png").write_bytes(held)
    refused(cards, "broken image", 4, "c.png")


def test_a_picture_that_may_not_be_read_is_not_called_broken(cards, monkeypatch):
    opened = Image.open

    def refuse(path, *more):
        if Path(path).name == "c.png":
            raise PermissionError(13, "Permission denied")
        return opened(path, *more)

    monkeypatch.setattr(Image, "open", refuse)
    sentence = refused(cards, "locked image", 4, "c.png")
    assert "permissions" in sentence
    assert "broken" not in sentence


@pytest.mark.parametrize("text", ["", "   ", "\t"])
def test_an_empty_text_is_named_with_its_row(cards, text):
    change(cards, 2, headline=text)
    assert "'headline' is empty" in refused(cards, "empty text", 4, "c.png")


def test_an_empty_label_is_named_with_its_row(cards):
    change(cards, 2, section=" ")
    refused(cards, "empty label", 4, "c.png")


def test_a_row_without_its_text_cell_is_named_with_its_row(cards):
    lines = (cards / "headlines.csv").read_text().splitlines()
    lines[3] = "c.png,weather,1,validation"
    (cards / "headlines.csv").write_text("\n".join(lines))
    sentence = refused(cards, "wrong number of cells", 4, "")
    assert "4 cells and the header 5" in sentence


def test_a_text_with_an_unquoted_comma_is_named_with_its_row(cards):
    lines = (cards / "headlines.csv").read_text().splitlines()
    lines[3] = "c.png,sun, over the bay,weather,1,validation"
    (cards / "headlines.csv").write_text("\n".join(lines))
    assert "in quotes" in refused(cards, "wrong number of cells", 4, "")


def test_an_empty_image_name_is_named_with_its_row(cards):
    change(cards, 2, file=" ")
    refused(cards, "no image name", 4, "")


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_label_seen_only_outside_training_is_named_with_its_row(cards, split):
    change(cards, 3, section="opera", split=split)
    sentence = refused(cards, "label not in training", 5, "d.png")
    assert "'opera'" in sentence
    assert "opera" not in read(cards, on_bad="skip").classes


def test_a_label_whose_last_training_picture_is_broken_goes_too(cards):
    (cards / "b.png").write_bytes(b"")
    rows = read(cards, on_bad="skip")
    assert rows.skipped.counts == {"broken image": 1, "label not in training": 1}
    assert rows.classes == ("weather",)
    assert rows["image"][:, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255]]


def test_a_row_that_repeats_another_in_every_cell_is_left_out_with_a_word(cards, capsys):
    write_table(cards / "headlines.csv", [*GOOD, ["./a.png", *GOOD[0][1:]]])
    for on_bad in ("error", "skip"):
        rows = read(cards, on_bad=on_bad)
        assert rows["file"] == ["a.png", "b.png", "c.png", "d.png"]
        assert rows.skipped.counts == {"duplicate row": 1}
        assert "line 2 is the same in every cell" in rows.skipped[0].sentence
        assert "left out 1 row: 1 duplicate row (line 6)" in capsys.readouterr().out


@pytest.mark.parametrize("column", ["headline", "section", "match"])
def test_a_picture_of_two_rows_that_differ_stays_in_both(cards, column):
    row = list(GOOD[0])
    row[HEADER.index(column)] = "sport" if column == "section" else "7"
    write_table(cards / "headlines.csv", [*GOOD, row])
    rows = read(cards)
    assert rows["file"] == ["a.png", "b.png", "a.png", "c.png", "d.png"]
    assert (rows["image"][0] == rows["image"][2]).all()
    assert not rows.skipped


def test_an_unknown_split_is_named_with_its_row(cards):
    change(cards, 2, split="holdout")
    sentence = refused(cards, "unknown split", 4, "c.png")
    assert "'holdout' (1 row) is none of train, validation, test" in sentence
    assert 'split_words={"holdout": "test"}' in sentence


def test_a_label_that_is_none_of_the_classes_is_named_with_its_row(cards):
    change(cards, 2, section="wether")
    refused(cards, "unknown label", 4, "c.png", classes=("sport", "weather"))


BROKEN_QUOTES = {
    "never closes": 'c.png,"sun over the bay,weather,1,validation',
    "closes in the middle": 'c.png,"sun" over the bay,weather,1,validation',
}


@pytest.mark.parametrize("line", BROKEN_QUOTES.values(), ids=BROKEN_QUOTES.keys())
def test_a_broken_quote_is_named_with_its_row_and_costs_only_that_row(cards, line):
    lines = (cards / "headlines.csv").read_text().splitlines()
    lines[3] = line
    (cards / "headlines.csv").write_text("\n".join(lines))
    refused(cards, "broken quote", 4, "")
    assert read(cards, on_bad="skip")["file"] == ["a.png", "b.png", "d.png"]


def test_a_broken_quote_before_a_quoted_row_costs_only_its_own_row(cards):
    lines = (cards / "headlines.csv").read_text().splitlines()
    lines[1] = 'a.png,"rain in the north,weather,1,train'
    lines[3] = 'c.png,"sun, over the bay",weather,1,train'
    (cards / "headlines.csv").write_text("\n".join(lines))
    refused(cards, "broken quote", 2, "")
    assert read(cards, on_bad="skip")["file"] == ["b.png", "c.png", "d.png"]


@pytest.mark.parametrize(
    "name",
    ["../outside.png", "sub/../../outside.png", "..\\outside.png", "/etc/passwd",
     "C:\\pictures\\x.png", "\\\\server\\share\\x.png", ".."],
)  # fmt: skip
def test_a_path_that_leads_out_of_the_folder_is_refused(cards, name):
    Image.new("RGB", (6, 6)).save(cards.parent / "outside.png")
    change(cards, 2, file=name)
    assert "leads out of the folder" in refused(cards, "outside the folder", 4, name)


def test_an_absolute_path_into_the_folder_is_the_file_that_it_names(cards):
    change(cards, 2, file=str(cards / "c.png"))
    assert read(cards)["file"] == ["a.png", "b.png", "c.png", "d.png"]


def test_an_id_that_leads_out_of_the_folder_is_refused(cards):
    Image.new("RGB", (6, 6)).save(cards.parent / "outside.png")
    write_table(cards / "headlines.csv", [[row[0][0], *row[1:]] for row in GOOD])
    change(cards, 2, file="../../outside")
    (cards / "images").mkdir()
    for name in COLOURS:
        (cards / name).rename(cards / "images" / f"{name}.png")
    refused(cards, "outside the folder", 4, "images/../../outside.png",
            image_pattern="images/{id}.png")  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="links need a right that Windows users seldom have")
def test_a_linked_picture_and_a_linked_folder_are_read_wherever_they_lead(cards):
    (cards.parent / "elsewhere").mkdir()
    for name in ("a.png", "b.png"):
        (cards / name).rename(cards.parent / "elsewhere" / name)
    (cards / "a.png").symlink_to(cards.parent / "elsewhere" / "a.png")
    (cards / "images").symlink_to(cards.parent / "elsewhere")
    change(cards, 1, file="images/b.png")
    assert read(cards)["file"] == ["a.png", "images/b.png", "c.png", "d.png"]
    change(cards, 2, file="images/../../outside.png")  # a link does not let the table out
    Image.new("RGB", (6, 6)).save(cards.parent / "outside.png")
    (cards / "b.png").symlink_to(cards.parent / "elsewhere" / "b.png")
    refused(cards, "outside the folder", 4, "images/../../outside.png")


@pytest.mark.skipif(os.name == "nt", reason="links need a right that Windows users seldom have")
def test_a_link_to_itself_is_a_missing_image(cards):
    (cards / "loop.png").symlink_to(cards / "loop.png")
    change(cards, 2, file="loop.png")
    refused(cards, "missing image", 4, "loop.png")


@pytest.mark.parametrize(
    "name", ["a\0b.png", "a\nb.png", "x" * 5000, "sub", "https://example.org/a.png"]
)
def test_a_name_that_is_no_file_is_a_missing_image(cards, name):
    (cards / "sub").mkdir()
    change(cards, 2, file=name)
    refused(cards, "missing image", 4, name)


def test_what_was_left_out_is_counted_with_reasons(cards, capsys):
    (cards / "c.png").unlink()
    change(cards, 3, headline="")
    rows = read(cards, on_bad="skip")
    summary = "left out 2 rows: 1 missing image (line 4), 1 empty text (line 5)"
    assert str(rows.skipped) == summary
    assert capsys.readouterr().out.splitlines()[0] == f"headlines.csv: {summary}"
    assert [row.line for row in rows.skipped] == [4, 5]


def test_many_skipped_rows_are_summed_up_shortly():
    skipped = SkippedRows(
        SkippedRow(line, f"{line}.png", "missing image", "") for line in range(2, 12)
    )
    assert str(skipped) == "left out 10 rows: 10 missing image (lines 2, 3, 4, ...)"


# --- bad folders and tables ---------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadData, match=r"there is no folder .*nowhere"):
        read_folder(tmp_path / "nowhere")


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(BadData, match=r"is empty and has no table headlines\.csv"):
        read_folder(tmp_path)


def test_a_table_that_is_not_there_is_answered_with_those_that_are(cards):
    (cards / "headlines.csv").rename(cards / "texts.csv")
    with pytest.raises(BadData, match=r"no table headlines\.csv \(it has texts\.csv\)"):
        read_folder(cards)


@pytest.mark.parametrize("on_bad", ["error", "skip"])
@pytest.mark.parametrize("name", ["file", "headline", "section", "split"])
def test_a_missing_column_is_named_with_those_that_are_there(cards, name, on_bad):
    header = [column.replace(name, "other") for column in HEADER]
    write_table(cards / "headlines.csv", GOOD, header)
    with pytest.raises(BadData, match=f"line 1: there is no column {name!r} .it has .*other"):
        read(cards, on_bad=on_bad)


def test_a_missing_column_behind_another_delimiter_is_suggested(cards):
    text = "\n".join(";".join(map(str, row)) for row in [HEADER, *GOOD])
    (cards / "headlines.csv").write_text(text)
    with pytest.raises(BadData, match="try delimiter=';'"):
        read(cards)


def test_a_column_that_is_there_twice_is_said(cards):
    write_table(cards / "headlines.csv", GOOD, ["file", "headline", "section", "headline", "split"])
    with pytest.raises(BadData, match="two columns are called 'headline'"):
        read(cards)


@pytest.mark.parametrize("held", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_table_is_said(cards, held):
    (cards / "headlines.csv").write_bytes(held)
    with pytest.raises(BadData, match="the table is empty"):
        read(cards)


def test_a_table_with_a_header_alone_is_said(cards):
    write_table(cards / "headlines.csv", [])
    with pytest.raises(BadData, match="a header and no rows"):
        read(cards)


def test_a_broken_quote_in_the_header_is_said(cards):
    (cards / "headlines.csv").write_text('file,"headline,section\n')
    with pytest.raises(BadData, match=r"line 1: a quote in the header never closes"):
        read(cards)


def test_no_error_or_remark_advises_to_skip_rows_where_they_are_skipped(cards):
    write_table(cards / "headlines.csv", [["A.png", *GOOD[0][1:]]])
    with pytest.raises(BadData, match=r"line 2 .* is not there, .* on_bad=\"skip\""):
        read(cards)
    with pytest.raises(BadData) as caught:
        read(cards, on_bad="skip")
    assert "not there, but a.png is, which differs in" in str(caught.value)
    assert "on_bad" not in str(caught.value)
    assert (caught.value.reason, caught.value.line) == ("missing image", 2)
    write_table(cards / "headlines.csv", [*GOOD, ["A.png", "another", *GOOD[0][2:]]])
    remark = read(cards, on_bad="skip").remarks[0]
    assert remark.startswith("1 of the missing pictures may be there under another name:")
    assert "on_bad" not in remark


def test_a_table_without_one_usable_row_is_said(cards):
    for name in COLOURS:
        (cards / name).write_bytes(b"")
    with pytest.raises(BadData, match="no row is left to use; left out 4 rows: 4 broken image"):
        read(cards, on_bad="skip")


def test_a_table_whose_classes_are_all_dropped_is_said(cards):
    with pytest.raises(BadData, match="drop_labels leaves no row"):
        read(cards, drop_labels=("sport", "weather"))


BAD_ARGUMENTS = {
    "on_bad": ({"on_bad": "ignore"}, 'on_bad is "error" or "skip"'),
    "pattern": ({"image_pattern": "images/%s.jpg"}, "needs {id}"),
    "braces": ({"image_pattern": "images/{}/{id}.jpg"}, "needs {id}"),
    "missing": ({"missing": "skip"}, 'missing is "error" or "absent"'),
    "no text": ({"text_column": ()}, "names one column"),
    "sum": ({"split_column": None, "proportions": (0.8, 0.1, 0.2)}, "sum to 1"),
    "two shares": ({"split_column": None, "proportions": (0.8, 0.2)}, "sum to 1"),
    "no train": ({"split_column": None, "proportions": (0, 0.5, 0.5)}, "train .not 0."),
    "divided twice": ({"proportions": (0.6, 0.2, 0.2)}, "divides the rows already"),
    "grouped twice": ({"group_column": "match"}, "divides the rows already"),
    "seed": ({"split_column": None, "split_seed": "one"}, "is a whole number"),
    "split words": ({"split_words": {"eval": "tset"}}, "'tset' is none of them"),
    "size": ({"size": (48, 0)}, "size is"),
    "one number": ({"size": 48}, "size is"),
    "text": ({"text_column": "file", "image_column": "headline"}, "can be called 'file'"),
    "label": ({"label_column": "split", "split_column": None}, "can be called 'split'"),
    "both": ({"label_column": "headline"}, "cannot be both"),
}


@pytest.mark.parametrize(("options", "sentence"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_said(cards, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(cards, **options)


# --- pictures -----------------------------------------------------------------------------------

MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX",
         "RGBa", "La", "I;16", "I;16B"]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_any_mode_becomes_rgb(mode):
    image = Image.new(mode, (5, 4))
    rgb = to_rgb(image)
    assert rgb.mode == "RGB"
    assert rgb.size == (5, 4)


SAVED = {
    "1": ("1", "png", 255, 255),
    "L": ("L", "png", 200, 200),
    "P": ("P", "gif", 3, None),
    "CMYK": ("CMYK", "jpg", (0, 0, 0, 0), 255),
    "CMYK tiff": ("CMYK", "tiff", (0, 0, 0, 255), 0),
    "I;16": ("I;16", "png", 51400, 200),
    "I": ("I", "tiff", 51400, 200),
    "I small": ("I", "tiff", 200, 200),
    "F": ("F", "tiff", 0.5, 128),
    "LA": ("LA", "png", (0, 0), 255),
    "RGBA": ("RGBA", "png", (0, 0, 0, 0), 255),
    "half": ("RGBA", "png", (0, 0, 0, 128), 127),
}


@pytest.mark.parametrize(("mode", "suffix", "value", "expected"), SAVED.values(), ids=SAVED)
def test_a_file_of_any_mode_is_read_with_its_brightness(tmp_path, mode, suffix, value, expected):
    path = tmp_path / f"picture.{suffix}"
    Image.new(mode, (8, 8), value).save(path)
    image = read_image(path, (8, 8))
    assert image.shape == (8, 8, 3)
    if expected is not None:
        assert abs(image.astype(int) - expected).max() <= 1


def test_a_palette_with_a_transparent_colour_shows_white(tmp_path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "p.png", transparency=1)
    read_back = read_image(tmp_path / "p.png", (4, 4))
    assert read_back[0, 0].tolist() == [255, 0, 0]
    assert read_back[3, 3].tolist() == [255, 255, 255]


def test_a_grey_picture_with_a_transparent_grey_shows_white(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "l.png", transparency=7)
    assert (read_image(tmp_path / "l.png", (4, 4)) == 255).all()


def test_a_picture_turned_by_the_camera_is_upright(tmp_path):
    image = Image.new("RGB", (60, 20), "red")
    image.paste("blue", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    upright = read_image(tmp_path / "turned.jpg", (60, 20))
    assert upright[5, 10].argmax() == 2
    assert upright[50, 10].argmax() == 0


def test_a_damaged_orientation_mark_does_no_harm(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\xff\xff\0\0")
    assert read_image(tmp_path / "a.jpg", (8, 8))[4, 4].argmax() == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (48, 48), (7, 300), (3000, 2000)])
@pytest.mark.parametrize("wanted", [(48, 48), (20, 60), (1, 1)])
def test_a_picture_of_any_size_comes_out_in_the_size_asked_for(tmp_path, size, wanted):
    Image.new("L", size, 100).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", wanted)
    assert image.shape == (*wanted, 3)
    assert (abs(image.astype(int) - 100) <= 1).any()


def test_a_picture_of_the_right_size_is_not_touched(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", (9, 7)) == noise).all()


def test_proportions_are_kept_on_white(tmp_path):
    Image.new("RGB", (20, 10), "black").save(tmp_path / "wide.png")
    image = read_image(tmp_path / "wide.png", (20, 20))
    assert (image[5:15] == 0).all()
    assert (image[:5] == 255).all()
    assert (image[15:] == 255).all()


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, held):
        return (struct.pack(">I", len(held)) + kind + held
                + struct.pack(">I", zlib.crc32(kind + held)))  # fmt: skip

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_picture_that_would_fill_the_memory_is_refused(cards, side):
    (cards / "c.png").write_bytes(png_header(side, side))
    assert "more pixels" in refused(cards, "broken image", 4, "c.png")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_damage_to_a_picture_is_read_or_ends_in_one_sentence(tmp_path, data):
    suffix = data.draw(st.sampled_from(["png", "jpeg", "gif", "tiff", "webp", "bmp"]))
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, format=suffix)
    held = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        held[data.draw(st.integers(0, len(held) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(held)
    try:
        assert read_image(path, (6, 6)).shape == (6, 6, 3)
    except BadData as fault:
        assert "replace it" in str(fault)  # noqa: PT017 (both ends are right)


# --- the presets --------------------------------------------------------------------------------


def test_the_layout_of_the_sample_is_read(tmp_path):
    from course_utils.data.news_cards import SECTIONS

    rows = []
    for k, section in enumerate(SECTIONS):
        name = f"train/{section}/{k:04}.png"
        (tmp_path / name).parent.mkdir(parents=True)
        Image.new("RGB", (48, 48)).save(tmp_path / name)
        rows.append([name, f"about {section}", section, k % 2, "train"])
    write_table(tmp_path / "headlines.csv", rows)
    cards = folder.read_news_cards(tmp_path)
    assert cards.classes == SECTIONS
    assert cards["section"].tolist() == [0, 1, 2, 3, 4]
    assert cards["match"].tolist() == [0, 1, 0, 1, 0]
    assert cards["image"].shape == (5, 48, 48, 3)


def test_rows_go_through_the_cards_own_selection(tmp_path, cards):
    from course_utils.data.news_cards import rows_for

    chosen = rows_for(read(cards), "section", "train")
    assert chosen["headline"] == ["rain in the north"]
    assert chosen.classes[chosen["label"][0]] == "weather"  # as this folder numbers its sections
    assert chosen["image"].shape == (1, 6, 6, 3)


@pytest.mark.skipif(
    not (course_root() / "data" / "news_cards" / "headlines.csv").is_file(),
    reason="data/news_cards has not been generated",
)
def test_the_sample_in_the_repository_is_read_whole():
    cards = folder.read_news_cards()
    assert cards["image"].shape == (600, 48, 48, 3)
    assert set(cards["split"]) == set(SPLITS)
    assert set(cards["match"].tolist()) == {0, 1}


def test_an_emoji_folder_is_read_without_flags(tmp_path):
    (tmp_path / "images").mkdir()
    rows = []
    for name, group in [("grin", "Smileys"), ("cake", "Food"), ("pirate flag", "Flags")]:
        Image.new("RGBA", (72, 72), (0, 0, 0, 0)).save(tmp_path / "images" / f"{name}.png")
        rows.append([f"images/{name}.png", "x", name, f"{name} and more", group, "train"])
    header = ["image", "emoji", "name", "keywords", "group", "split"]
    write_table(tmp_path / "metadata.csv", rows, header)
    emoji = folder.read_emoji(tmp_path, "keywords")
    assert emoji.classes == ("Food", "Smileys")
    assert emoji["keywords"] == ["grin and more", "cake and more"]
    assert emoji["name"] == ["grin", "cake"]
    assert (emoji["image"] == 255).all()
    with pytest.raises(ValueError, match='its "name" or its "keywords"'):
        folder.read_emoji(tmp_path, "emoji")


def test_a_kaggle_download_is_read_and_its_known_faults_are_counted(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    table = ["id,gender,masterCategory,articleType,year,productDisplayName"]
    for k in range(10):
        Image.new("RGB", (60, 80), (25 * k, 0, 0)).save(tmp_path / "images" / f"{k}.jpg")
        table.append(f"{k},Men,Apparel,Shirts,2011,Blue shirt {k}")
    table[4] = "3,Men,Apparel,Shirts,2011,Blue shirt, long sleeves"
    table.append("99,Women,Apparel,Shirts,2012,Shirt without a picture")
    (tmp_path / "styles.csv").write_text("\n".join(table))
    products = folder.read_kaggle(tmp_path, size=(80, 60))
    assert products["image"].shape == (9, 80, 60, 3)
    assert products["productDisplayName"][0] == "Blue shirt 0"
    assert products["masterCategory"].tolist() == [0] * 9
    assert products["file"][0] == "images/0.jpg"
    assert products["year"].tolist() == [2011] * 9
    assert sorted(set(products["split"])) == ["test", "train", "validation"]
    assert capsys.readouterr().out == (
        "styles.csv: left out 2 rows: 1 wrong number of cells (line 5), 1 missing image (line 12)\n"
    )
    with pytest.raises(BadData, match=r"styles\.csv, line 5"):
        folder.read_kaggle(tmp_path, on_bad="error")


@needs["emoji"]
def test_the_real_emoji_are_read():
    emoji = folder.read_emoji(DATA / "emoji", size=(8, 8))
    assert len(emoji["name"]) == 1636
    assert len(emoji.classes) == 8
    assert {split: int((emoji["split"] == split).sum()) for split in SPLITS} == {
        "train": 1147, "validation": 163, "test": 326
    }  # fmt: skip


@needs["clothing"]
def test_real_photographs_of_all_sizes_are_read():
    photographs = sorted((DATA / "clothing" / "test").rglob("*.jpg"))
    assert photographs
    for path in photographs[::10]:
        assert read_image(path).shape == (48, 48, 3)
