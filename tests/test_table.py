"""A table in any state: no row lost or joined, and each cause called by its name."""

import bz2
import csv
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import time
import unicodedata
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data.decoding import readings
from course_utils.data.folder import read_folder
from course_utils.data.rows import BadData
from course_utils.data.table import Table

COLUMNS = {"image_column": "image", "text_column": "caption", "label_column": "label",
           "split_column": None, "size": (2, 2)}  # fmt: skip
PLAIN = "image,caption,label\n0.png,a,x\n1.png,b,x\n"
free = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def pictures(tmp_path):
    """A folder of six pictures, for tables of the columns image, caption, label."""
    for k in range(6):
        Image.new("RGB", (2, 2), (40 * k, 0, 0)).save(tmp_path / f"{k}.png")
    return tmp_path


def read(folder, held, name="t.csv", **options):
    (folder / name).write_bytes(held if isinstance(held, bytes) else held.encode())
    return read_folder(folder, name, **{**COLUMNS, **options})


def sentence(folder, held, name="t.csv", **options):
    """The one sentence for a table that cannot be used, in both ways of treating bad rows."""
    said = set()
    for on_bad in ("error", "skip"):
        with pytest.raises(BadData) as caught:
            read(folder, held, name, on_bad=on_bad, **options)
        said.add(str(caught.value))
    (one,) = said
    assert "\n" not in one
    return one


def records(folder, held, **options):
    """The header, and the rows under it, [(line, cells or BadData)]."""
    (folder / "t.csv").write_bytes(held.encode())
    (_, header), *rows = Table(folder, "t.csv", key="image", **options).records()
    return header, rows


# --- no row is lost or joined ---------------------------------------------------------------------

cell = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(',;\t"\n\r ab', max_size=8),
    st.just("a long text, " * 12_000),  # above the csv module's limit of 131,072
)
proper_rows = st.lists(
    st.tuples(cell, cell, cell).filter(lambda cells: any(map(str.strip, cells))), max_size=5
)


@free
@given(
    proper_rows, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)  # fmt: skip
def test_each_cell_of_a_properly_written_table_comes_back(tmp_path, rows, mark, end, quoting):
    """Or, where its quotes are doubted, a fault names the line; "standard" has no doubts."""
    written = io.StringIO(newline="")
    if any("\n" in one or "\r" in one for cells in rows for one in cells):
        quoting = csv.QUOTE_ALL  # else Python 3.11 leaves line ends other than its own unquoted
    writer = csv.writer(written, delimiter=mark, lineterminator=end, quoting=quoting)
    writer.writerows([("image", "caption", "label"), *rows])
    header, back = records(tmp_path, written.getvalue(), delimiter=mark, quoting="standard")
    assert header == ["image", "caption", "label"]
    assert [tuple(cells) for _, cells in back] == rows
    _, doubted = records(tmp_path, written.getvalue(), delimiter=mark)
    if not any(isinstance(cells, BadData) for _, cells in doubted):
        assert doubted == back


NAMES = {
    "pictures": lambda k: f"{k}.png",
    "words": lambda k: "abcdefghij"[k] * 3,
    "numbers": lambda k: str(15_970 + k),
    "codes": lambda k: f"item-{k}",
}


@free
@given(st.data(), st.sampled_from(list(NAMES)), st.permutations(["image", "caption", "label"]))
def test_no_row_of_a_table_whose_writer_did_not_quote_is_joined_or_lost(
    tmp_path, data, kind, order
):
    mark = data.draw(st.sampled_from(",;\t"))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = st.text('"" ab1', max_size=6)
    rows = [
        {"image": NAMES[kind](k), "caption": text, "label": label}
        for k, (text, label) in enumerate(
            data.draw(st.lists(st.tuples(text, st.sampled_from(["x", "y", '12"'])), max_size=7))
        )
    ]
    lines = [mark.join(row[name] for name in order) for row in rows]
    blank = data.draw(st.lists(st.integers(0, len(lines)), max_size=3))
    for place in blank:
        lines.insert(place, "")
    header, back = records(tmp_path, end.join([mark.join(order), *lines]), delimiter=mark)
    assert header == list(order)
    numbers = [number for number, line in enumerate(lines, start=2) if line]
    assert [number for number, _ in back] == numbers  # each row on its line, read or named
    for row, (_, cells) in zip(rows, back, strict=True):
        if not isinstance(cells, BadData) and len(cells) == 3:
            assert cells[order.index("image")] == row["image"]
    _, letters = records(
        tmp_path, end.join([mark.join(order), *lines]), delimiter=mark, quoting="none"
    )
    assert [cells for _, cells in letters] == [[row[name] for name in order] for row in rows]


@free
@given(st.lists(st.text('",ab', max_size=6), max_size=6), st.booleans())
def test_rows_read_and_rows_left_out_are_the_rows_of_the_table(pictures, texts, mixed):
    """Even where texts hold the delimiter, so that rows have any number of cells."""
    lines = [f"{k},x,{text}" for k, text in enumerate(texts)]
    lines = [line.replace(",", ".png,", 1) if mixed or k % 2 else f"{line[0]}.png{line[1:]}"
             for k, line in enumerate(lines)]  # fmt: skip
    try:
        rows = read(pictures, "\n".join(["image,label,caption", *lines]), on_bad="skip")
    except BadData as fault:
        assert "no row" in str(fault)  # noqa: PT017 (both ends are right)
    else:
        assert len(rows["file"]) + len(rows.skipped) == len(texts)


SWALLOWED = {
    "text last": ("\t", 'image\tlabel\tcaption\n0.png\tham\t"Granny found out\n'
                        '1.png\tspam\tsee you later"\n2.png\tham\tfine\n'),
    "an inch mark": (",", 'image,caption,label\n0.png,"big screen,tv\n1.png,12",cable\n'
                          "2.png,small,tv\n"),
    "a row with a comma too many": (",", 'image,caption,label\n0.png,"big screen,tv\n'
                                         '1.png,a cable, of 12",cable\n2.png,small,tv\n'),
    "image last": (",", 'label,caption,image\ntv,"big screen,0.png\ncable,12",1.png\n'
                        "tv,small,2.png\n"),
    "blanks behind commas": (",", 'image, caption, label\n0.png, "big, tv\n1.png, 12", cable\n'
                                  "2.png, small, tv\n"),
    "rows between": (",", 'image,caption,label\n0.png,"big screen,tv\n2.png,small,tv\n'
                          '1.png,12",cable\n'),
}  # fmt: skip


@pytest.mark.parametrize(("mark", "held"), SWALLOWED.values(), ids=SWALLOWED)
def test_a_quote_that_would_swallow_rows_is_named_with_its_lines_and_ways_out(pictures, mark, held):
    with pytest.raises(BadData) as caught:
        read(pictures, held, delimiter=mark)
    fault = caught.value
    assert (fault.reason, fault.line) == ("broken quote", 2)
    closing = 1 + next(
        k for k, line in enumerate(held.split("\n")) if '12"' in line or 'r"' in line
    )
    assert f"opens in line 2 and closes in line {closing}" in str(fault)
    assert 'quoting="none"' in str(fault)
    assert 'quoting="standard"' in str(fault)
    rows = read(pictures, held, delimiter=mark, on_bad="skip")
    assert len(rows["file"]) + len(rows.skipped) == 3


@pytest.mark.parametrize("key", ["{}", "{}.png", "shop/item_{}"])
def test_a_row_with_a_comma_too_many_is_not_swallowed_whatever_its_key_is_like(tmp_path, key):
    one, two, three = (key.format(k) for k in (15, 16, 17))
    held = f'image,caption,label\n{one},"big,tv\n{two},a cable,12",cable\n{three},small,tv\n'
    _, rows = records(tmp_path, held)
    assert [line for line, _ in rows] == [2, 3, 4]
    assert isinstance(rows[0][1], BadData)


def test_a_text_of_several_lines_with_commas_is_read(pictures):
    held = 'image,caption,label\n0.png,"Hello, friend\nnice, day",x\n1.png,b,x\n'
    assert read(pictures, held)["caption"] == ["Hello, friend\nnice, day", "b"]


def test_a_quote_of_the_header_that_would_swallow_a_row_is_named(pictures):
    held = 'image,caption,label,"note\n0.png,a,x,12"\n1.png,b,x,c\n'
    assert "line 1: a quote" in sentence(pictures, held)


def test_quotes_are_letters_where_asked(pictures):
    held = 'image,caption,label\n0.png,"big" screen,x\n1.png,12",x\n'
    assert read(pictures, held, quoting="none")["caption"] == ['"big" screen', '12"']


def test_a_backslash_before_a_quote_is_recognised(pictures):
    held = 'image,caption,label\n0.png,"a \\"big\\" screen",x\n'
    with pytest.raises(BadData, match=r'write "" for a quote inside one \(not \\"\)'):
        read(pictures, held)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_lone_carriage_return_in_a_text_is_text(pictures, end):
    lines = ["image,caption,label", "0.png,a\rb,x", '1.png,"a, ""b""",c\rd']
    rows = read(pictures, end.join(lines), classes=("x", "c\rd"))
    assert rows["caption"] == ["a\rb", 'a, "b"']


def test_lines_may_end_in_carriage_returns_alone(pictures):
    assert read(pictures, PLAIN.replace("\n", "\r"))["caption"] == ["a", "b"]


def test_a_zero_byte_in_a_text_costs_nothing(pictures):
    assert read(pictures, PLAIN.replace(",b,", ",b\0b,"))["caption"] == ["a", "b\0b"]


@pytest.mark.parametrize(
    "line", ['{},"x,c', '{},x","y,c', '{},"x ""y,c', '"{},y,c', '{},""x,c',
             '{}.png,"x,c\n{}.png,y",c']
)  # fmt: skip
def test_many_broken_quotes_are_quick(tmp_path, line):
    """With a new start at each to the end of the table they took minutes."""
    held = "\n".join(["image,caption,label", *(line.replace("{}", str(k)) for k in range(10_000))])
    start = time.perf_counter()
    _, rows = records(tmp_path, held)
    assert time.perf_counter() - start < 5
    assert len(rows) == held.count("\n")


# --- columns --------------------------------------------------------------------------------------


def test_twin_columns_are_both_kept_with_a_remark(pictures, capsys):
    rows = read(pictures, "image,note,caption,note,label\n0.png,p,a,q,x\n")
    assert (rows["note"], rows["note_"]) == (["p"], ["q"])
    assert "two columns are called 'note'" in capsys.readouterr().out


@pytest.mark.parametrize(
    "names", ["label,label_,split", "label_,label,split", "split,label_,label"]
)
def test_columns_with_the_rows_own_names_are_all_kept(pictures, names):
    held = f"image,caption,kind,{names}\n0.png,a,x,p,q,r\n"
    rows = read(pictures, held, label_column="kind")
    assert sorted(cells[0] for cells in rows.values() if isinstance(cells, list)) == [
        "0.png", "a", "p", "q", "r"
    ]  # fmt: skip


def test_a_column_without_a_name_is_kept_with_a_remark(pictures, capsys):
    rows = read(pictures, ",image,caption,label\nfirst,0.png,a,x\nsecond,1.png,b,x\n")
    assert rows["column 1"] == ["first", "second"]
    assert "column 1 has no name" in capsys.readouterr().out


@pytest.mark.parametrize(
    "held",
    [
        "image,caption,label\n0.png,a,x,\n1.png,b,x,,\n",
        "image,caption,label,,\n0.png,a,x,,\n1.png,b,x\n",
        "image,caption,label,\n0.png,a,x,\n1.png,b,x,\n",
    ],
)
def test_commas_at_the_ends_of_lines_are_no_cells(pictures, held):
    rows = read(pictures, held)
    assert rows["caption"] == ["a", "b"]
    assert not [name for name in rows if name.startswith("column")]


def test_a_cell_beyond_the_header_that_holds_something_is_named(pictures):
    with pytest.raises(BadData, match="line 3: the row has 4 cells and the header 3; put a text"):
        read(pictures, "image,caption,label\n0.png,a,x\n1.png,b,x,more\n")


@pytest.mark.parametrize("text", [', "red, small", x', ',\t"red, small",x', ',"red, small" ,x'])
def test_blanks_around_a_quoted_cell_are_no_part_of_it(pictures, text):
    assert read(pictures, f"image, caption, label\n0.png{text}\n")["caption"] == ["red, small"]


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\r\n', "SEP=;\n"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_excels_line_with_the_delimiter_is_followed_and_lines_keep_their_numbers(
    pictures, first, delimiter
):
    held = first + PLAIN.replace(",", ";")
    assert read(pictures, held, delimiter=delimiter)["caption"] == ["a", "b"]
    with pytest.raises(BadData, match="line 4"):
        read(pictures, held.replace("1.png", "gone.png"), delimiter=delimiter)


@pytest.mark.parametrize("mark", ";\t|:^\x01")
def test_the_delimiter_that_parts_the_cells_is_looked_up(pictures, mark):
    assert f"try delimiter={mark!r}" in sentence(pictures, PLAIN.replace(",", mark))


def test_a_comma_is_named_where_another_delimiter_was_given(pictures):
    assert "try delimiter=','" in sentence(pictures, PLAIN, delimiter="\t")


def test_a_comma_in_the_header_of_a_table_with_semicolons_does_not_mislead(pictures):
    held = "image;caption;label;price, net\n0.png;a;x;1,5\n"
    assert "try delimiter=';'" in sentence(pictures, held)


def test_a_header_in_quotes_under_another_delimiter_is_understood(pictures):
    held = '"image";"caption";"label"\n"0.png";"a, b";"x"\n'
    assert "try delimiter=';'" in sentence(pictures, held)


@pytest.mark.parametrize("mark", ["||", "::", ";;;", "\t\t"])
def test_a_delimiter_of_several_signs_is_told_to_become_one(pictures, mark):
    said = sentence(pictures, PLAIN.replace(",", mark))
    assert f"its cells seem to be parted by {mark!r}: replace it by one sign" in said


WRONG_NUMBERS = {
    "whole line": ('"1.png,b,x"', "take away the quotes around the whole line"),
    "another mark": ("1.png;b;x", "part its cells by a comma, as in the header, and not by ';'"),
    "curly quotes": ("1.png,“red, small”,x", "in straight quotes"),
    "single quotes": ("1.png,'red, small',x", "in straight quotes"),
    "no quotes": ("1.png,red, small,x", "put a text with a comma in quotes"),
    "too short": ("1.png,b", "add what is missing"),
}


@pytest.mark.parametrize(("line", "advice"), WRONG_NUMBERS.values(), ids=WRONG_NUMBERS)
def test_a_row_with_a_wrong_number_of_cells_is_told_why(pictures, line, advice):
    with pytest.raises(BadData, match="line 3: the row has") as caught:
        read(pictures, f"image,caption,label\n0.png,a,x\n{line}\n")
    assert advice in str(caught.value)
    rows = read(pictures, f"image,caption,label\n0.png,a,x\n{line}\n", on_bad="skip")
    assert rows.skipped.counts == {"wrong number of cells": 1}


def test_a_first_column_that_the_header_leaves_out_is_recognised(pictures):
    with pytest.raises(BadData, match="every row has one cell more: if the first column"):
        read(pictures, "image,caption,label\n1,0.png,a,x\n2,1.png,b,x\n")


def test_a_header_that_is_repeated_is_named(pictures):
    with pytest.raises(BadData, match="line 4: the row repeats the header"):
        read(pictures, PLAIN + PLAIN.replace(".png", "0.png"))
    rows = read(pictures, PLAIN + "image,caption,label\n2.png,c,x\n", on_bad="skip")
    assert (len(rows["file"]), rows.skipped.counts) == (3, {"header again": 1})


@pytest.mark.parametrize("delimiter", ["", "\n", "\r", '"', "||", "a", "1", None, 3])
def test_a_delimiter_that_cannot_be_one_is_said(pictures, delimiter):
    with pytest.raises(ValueError, match="delimiter is one sign"):
        read(pictures, PLAIN, delimiter=delimiter)


def test_a_quoting_that_there_is_not_is_said(pictures):
    with pytest.raises(ValueError, match=r'quoting is None, "none" or "standard", not \'all\''):
        read(pictures, PLAIN, quoting="all")


@pytest.mark.parametrize(
    "held", ["0.png\tA dog runs .\tx\n", "0.png#0\tA dog runs .\n", "15970\tshirt\tx\n"]
)
def test_a_table_without_a_header_is_told_to_get_one(pictures, held):
    assert "put a line with the names of the columns on top" in sentence(
        pictures, held * 2, delimiter="\t"
    )


def test_a_header_below_other_lines_is_found(pictures):
    said = sentence(pictures, "Our photographs,,\n\n" + PLAIN)
    assert "the names of the columns stand in line 3" in said


@pytest.mark.parametrize(
    ("written", "near"),
    [("Label", "'Label'"), ("la bel", "'la bel'"), ("LABEL_", "'LABEL_'"), ("lable", "'lable'"),
     ("ｌabel", "'ｌabel'")],
)  # fmt: skip
def test_the_column_that_nearly_has_the_name_is_named(pictures, written, near):
    said = sentence(pictures, PLAIN.replace("label", written))
    assert f"there is no column 'label'; did you mean {near}?" in said


@pytest.mark.parametrize(
    ("asked", "written"),
    [("label", "\u200blabel"), ("label", "\ufefflabel\ufeff"), ("label", "label\xa0"),
     ("größe", unicodedata.normalize("NFD", "größe")),
     (unicodedata.normalize("NFD", "größe"), "größe")],
)  # fmt: skip
def test_a_name_that_differs_in_what_nobody_sees_is_the_same(pictures, asked, written):
    rows = read(pictures, PLAIN.replace("label", written), label_column=asked)
    assert rows[asked].tolist() == [0, 0]


# --- what the file is -----------------------------------------------------------------------------


def zipped(*names):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names:
            archive.writestr(name, "held " * 30)
    return held.getvalue()


def saved(save, *args, **options):
    held = io.BytesIO()
    save(held, *args, **options)
    return held.getvalue()


def database():
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table cards (image text)")
        return connection.serialize()


CARD = {"image": "0.png", "caption": "one", "label": 0}
OTHER_FORMS = {
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "spreadsheet"),
    "ods": (zipped("mimetype", "content.xml"), "spreadsheet"),
    "zip": (zipped("cards/table.csv"), "zip archive, which holds cards/table.csv"),
    "docx": (zipped("word/document.xml"), "word processor"),
    "cut zip": (zipped("xl/workbook.xml")[:60], "cut off"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "spreadsheet"),
    "gz": (gzip.compress(PLAIN.encode()), "gz file"),
    "bz2": (bz2.compress(PLAIN.encode()), "bz2 file"),
    "xz": (lzma.compress(PLAIN.encode()), "xz file"),
    "zst": (b"\x28\xb5\x2f\xfd" + bytes(30), "zst file"),
    "parquet": (b"PAR1" + bytes(30) + b"PAR1", "read_parquet"),
    "feather": (b"ARROW1\0\0" + bytes(30), "read_feather"),
    "sqlite": (database, "SQLite"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
    "npy": (saved(np.save, np.arange(4)), "NumPy"),
    "npz": (saved(np.savez, x=np.arange(4)), "NumPy"),
    "pickle": (pickle.dumps([CARD]), "pickle"),
    "png": (saved(Image.new("RGB", (2, 2)).save, format="png"), "picture"),
    "jpeg": (saved(Image.new("RGB", (2, 2)).save, format="jpeg"), "picture"),
    "webp": (saved(Image.new("RGB", (2, 2)).save, format="webp"), "picture"),
    "bmp": (saved(Image.new("RGB", (2, 2)).save, format="bmp"), "picture"),
    "json": (json.dumps([CARD, CARD], indent=2).encode(), "JSON;"),
    "json lines": ("\n".join([json.dumps(CARD)] * 2).encode(), "lines=True"),
    "html": (b"<!DOCTYPE html>\n<html><table></table></html>", "web page"),
    "xml of Excel": (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:'
                     b'spreadsheet">', "spreadsheet"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
    "zeros": (bytes(500), "no text"),
}  # fmt: skip


@pytest.mark.parametrize(("held", "word"), OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_a_file_that_is_no_csv_is_called_what_it_is(pictures, held, word):
    said = sentence(pictures, held() if callable(held) else held)
    assert word in said
    assert said.startswith("t.csv: this is no ")


def test_a_folder_with_the_tables_name_is_said(pictures):
    (pictures / "cards").mkdir()
    with pytest.raises(BadData, match="is a folder and no table"):
        read_folder(pictures, "cards", **COLUMNS)


@pytest.mark.parametrize(
    "there",
    ["Cards.csv", "cards.CSV", "cards.tsv", "cards.csv.txt", "cards (1).csv", "Copy of cards.csv",
     "cards - Copy.csv", "cards.xlsx", "data/cards.csv"],
)  # fmt: skip
def test_the_table_that_nearly_has_the_name_is_named(pictures, there):
    (pictures / there).parent.mkdir(exist_ok=True)
    (pictures / there).write_text(PLAIN)
    if (pictures / "cards.csv").exists():
        pytest.skip("this disk takes both names for one")
    with pytest.raises(BadData, match="did you mean") as caught:
        read_folder(pictures, "cards.csv", **COLUMNS)
    assert repr(there) in str(caught.value)


def test_a_table_of_another_normal_form_is_named(pictures):
    there = unicodedata.normalize("NFD", "größe.csv")
    (pictures / there).write_text(PLAIN)
    if (pictures / "größe.csv").exists():
        pytest.skip("this disk takes both names for one")
    with pytest.raises(BadData, match="did you mean"):
        read_folder(pictures, "größe.csv", **COLUMNS)


@pytest.mark.parametrize(
    ("error", "word"),
    [(PermissionError(13, "Permission denied"), "close it in the program"),
     (OSError(5, "Input/output error"), "cannot be read"),
     (TimeoutError(110, "Connection timed out"), "cannot be read")],
)  # fmt: skip
def test_a_table_that_may_not_be_read_is_one_sentence(pictures, error, word):
    with mock.patch.object(Path, "read_bytes", side_effect=error):
        assert word in sentence(pictures, PLAIN)


@pytest.mark.parametrize("held", ["", "  \n\t\n", "\ufeff\n", ",,\n,,\n", "sep=;\n"])
def test_a_table_that_holds_nothing_is_empty(pictures, held):
    assert "the table is empty" in sentence(pictures, held)


# --- encodings ------------------------------------------------------------------------------------

WRITTEN = {
    "cp1252": ["café", "Ärger über Señor Müller", "don’t pay 5 € – “cheap”", "été à la plage"],
    "cp1250": ["żółta sukienka", "Příliš žluťoučký kůň", "árvíztűrő tükörfúrógép"],
    "cp1251": ["красное платье", "Синяя рубашка", "ЧЁРНЫЕ ТУФЛИ"],
    "koi8-r": ["красное платье"],
    "cp1253": ["κόκκινο φόρεμα"],
    "cp1254": ["kırmızı elbise, ışık"],
    "cp1255": ["שמלה אדומה"],
    "cp1256": ["فستان أحمر"],
    "cp874": ["ชุดสีแดง"],
    "gbk": ["红色连衣裙", "蓝色衬衫男士 T恤"],
    "shift_jis": ["赤いドレス", "青いシャツ メンズ"],
    "euc-jp": ["赤いドレス"],
    "big5": ["紅色連衣裙"],
    "cp949": ["빨간 드레스"],
    "mac-roman": ["café"],
    "utf-16": ["红色连衣裙"],
    "utf-16-le": ["红色连衣裙", "don’t"],
    "utf-16-be": ["plain"],
    "utf-32": ["café"],
}


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, text) for name, texts in WRITTEN.items() for text in texts]
)
def test_advice_on_an_encoding_gives_the_right_text_or_shows_it(pictures, encoding, text):
    held = f'image,caption,label\n0.png,"{text}",x\n1.png,b,x\n'.encode(encoding)
    said = sentence(pictures, held)
    assert "the text is not utf-8" in said
    if 'encoding="' in said:
        advised = said.partition('encoding="')[2].partition('"')[0]
        assert read(pictures, held, encoding=advised)["caption"][0] == text
    else:
        assert text in said
        assert "the one that reads right" in said


def test_much_text_leaves_no_choice_of_encodings():
    text = "Красное платье из хлопка, длинный рукав, размер средний, для прогулок в парке\n"
    assert list(readings(text.encode("cp1251"))) == ["cp1251"]


def test_a_text_in_utf_16_that_is_cut_off_is_said(pictures):
    assert "cut off" in sentence(pictures, PLAIN.encode("utf-16")[:-1], encoding="utf-16")


def test_a_mark_of_another_encoding_is_believed(pictures):
    held = PLAIN.encode("utf-8-sig")
    assert 'try encoding="utf-8"' in sentence(pictures, held, encoding="latin-1")
    assert 'try encoding="utf-8"' in sentence(pictures, PLAIN.encode(), encoding="utf-16")


@pytest.mark.parametrize("written", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_read_in_either_order_where_asked(pictures, written):
    assert read(pictures, PLAIN.encode(written), encoding="utf-16")["caption"] == ["a", "b"]


@pytest.mark.parametrize(
    ("written", "asked", "word"),
    [("cp1252", "latin-1", '"cp1252" reads'), ("utf-8", "cp1252", '"utf-8" reads'),
     ("utf-8", "latin-1", '"utf-8" reads'), ("cp1251", "cp1252", '"cp1251" reads')],
)  # fmt: skip
def test_a_wrong_encoding_that_can_be_read_gets_a_remark(pictures, capsys, written, asked, word):
    text = "красное платье" if written == "cp1251" else "don’t pay – “cheap"
    read(pictures, PLAIN.replace(",b,", f",{text},").encode(written), encoding=asked)
    said = capsys.readouterr().out
    assert word in said
    assert text in said


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("utf-8", "Ці сукні, її Відео"), ("cp1252", "don’t, café"), ("latin-1", "café"),
     ("gbk", "红色连衣裙"), ("utf-8", "Ãé, ÃO"), ("utf-8", "«À la carte» 5 °C ½ naïve"),
     ("cp1251", "красное платье")],
)  # fmt: skip
def test_a_right_encoding_gets_no_remark(tmp_path, encoding, text):
    held = f'image,caption,label\n0.png,"{text}",x\n'.encode(encoding)
    (tmp_path / "t.csv").write_bytes(held)
    table = Table(tmp_path, "t.csv", encoding)
    assert [cells for _, cells in table.records()][1][1] == text
    assert table.remarks == []


@pytest.mark.parametrize(
    ("text", "through"),
    [("café", "cp1252"), ("don’t", "cp1252"), ("à", "cp1252"), ("дом", "cp1251"), ("红", "cp1252")],
)
def test_text_that_was_saved_after_a_wrong_reading_gets_a_remark(pictures, capsys, text, through):
    mangled = text.encode().decode(through)
    assert read(pictures, PLAIN.replace(",b,", f",{mangled},"))["caption"][1] == mangled
    said = capsys.readouterr().out
    assert "line 3" in said
    assert "read with a wrong encoding" in said


def test_signs_that_were_lost_get_a_remark(pictures, capsys):
    read(pictures, PLAIN.replace(",b,", ",caf\ufffd,"))
    assert "line 3: signs of the table were lost (1)" in capsys.readouterr().out


def test_a_row_with_bytes_of_another_encoding_is_the_only_one_lost(pictures):
    lines = ["image,caption,label", *(f"{k}.png,größer und schöner,x" for k in range(5))]
    held = "\n".join(lines).encode().replace("größer".encode(), "größer".encode("cp1252"), 1)
    with pytest.raises(BadData, match="line 2: the byte 0xf6 behind 'gr' is no utf-8"):
        read(pictures, held)
    rows = read(pictures, held, on_bad="skip")
    assert rows.skipped.counts == {"wrong encoding": 1}
    assert len(rows["caption"]) == 4


@pytest.mark.parametrize(("spelled", "sign"), [("\\t", "\\t"), ("tab", "\\t"), ("semicolon", ";")])
def test_a_delimiter_in_words_is_told_how_to_be_written(pictures, spelled, sign):
    with pytest.raises(ValueError, match="delimiter is one sign") as told:
        read(pictures, PLAIN, delimiter=spelled)
    assert f'write delimiter="{sign}"' in str(told.value)


@given(
    mark=st.sampled_from(",;\t|^~"),
    rows=st.lists(
        st.lists(st.text("ab ,;|\t^~'", max_size=8), min_size=3, max_size=3), min_size=1, max_size=9
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_mark_between_cells_is_found_whatever_the_cells_hold(tmp_path, mark, rows):
    written = io.StringIO()
    csv.writer(written, delimiter=mark).writerows([["image", "label", "caption"], *rows])
    (tmp_path / "t.csv").write_text(written.getvalue(), "utf-8", newline="")
    assert Table(tmp_path, "t.csv").likely_mark() == mark


@pytest.mark.parametrize("held", ["", "image\n1.png\n", "sep=;\nimage;label\n1.png;a\n"])
def test_no_mark_is_found_where_there_is_none_to_find(tmp_path, held):
    (tmp_path / "t.csv").write_text(held, "utf-8")
    assert Table(tmp_path, "t.csv").likely_mark() is None


def test_rows_that_are_left_out_already_are_not_advised_to_be_left_out(pictures):
    held = PLAIN + "gone.png,x,y\n0.png,,\n1.png,a\n,,x\n"
    rows = read(pictures, held, on_bad="skip", missing="absent")
    assert len(rows.skipped) >= 3
    assert not [row.sentence for row in rows.skipped if "on_bad" in row.sentence]
    with pytest.raises(BadData, match="quote") as told:
        read(pictures, 'image,label,"caption\n0.png,x,y\n', on_bad="skip")
    assert "on_bad" not in str(told.value)
