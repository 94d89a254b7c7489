"""Finding the pictures that a table names: what is used, what is refused, what is named."""

import os
import unicodedata
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data.folder import read_folder
from course_utils.data.picture_files import PictureFolder
from course_utils.data.rows import BadData

COLUMNS = {"image_column": "image", "text_column": "text", "label_column": "label",
           "split_column": None, "size": (4, 4)}  # fmt: skip


def write(folder, files, cells, **more):
    """Pictures of these names, and a table of these cells with further columns."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name, format="png")
    lines = [",".join(["image", "text", "label", *more])]
    for k, cell in enumerate(cells):
        lines.append(",".join([cell, f"text {k}", "x", *(column[k] for column in more.values())]))
    (folder / "t.csv").write_text("\n".join(lines), encoding="utf-8")


def sentence(folder, **options):
    """What is said of pictures that are not there; the same in both ways of treating bad rows."""
    said = []
    for on_bad in ("error", "skip"):
        with pytest.raises(BadData) as caught:
            read_folder(folder, "t.csv", on_bad=on_bad, **{**COLUMNS, **options})
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]
    return said[0]


def files(folder, **options):
    return read_folder(folder, "t.csv", **{**COLUMNS, **options})["file"]


# --- what is used -------------------------------------------------------------------------------


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
@pytest.mark.parametrize("name", ["café.png", "Été/Ångström.png", "가나.png"])
def test_a_name_in_another_normal_form_is_the_same_file(tmp_path, on_disk, in_table, name):
    own = unicodedata.normalize(on_disk, name)
    write(tmp_path, [own], [unicodedata.normalize(in_table, name)])
    assert files(tmp_path) == [own]


def test_a_name_that_is_there_in_both_forms_is_the_one_that_was_written(tmp_path):
    forms = [unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    write(tmp_path, forms, forms)
    assert files(tmp_path) == forms


def test_other_columns_may_stand_in_the_pattern(tmp_path):
    write(tmp_path, ["images/summer/1.jpg", "images/winter/2.jpg"], ["1", "2"],
          season=["summer", " winter "])  # fmt: skip
    found = files(tmp_path, image_pattern="images/{season}/{id}.jpg")
    assert found == ["images/summer/1.jpg", "images/winter/2.jpg"]
    assert files(tmp_path, image_pattern="images/{season}/{image}.jpg") == found
    with pytest.raises(BadData, match="no column 'saison'"):
        files(tmp_path, image_pattern="images/{saison}/{id}.jpg")


def test_a_folder_is_listed_once_however_many_rows_name_it(tmp_path):
    names = [f"images/{k}.png" for k in range(20)]
    write(tmp_path, names, names)
    with mock.patch("os.scandir", side_effect=os.scandir) as listed:
        assert len(files(tmp_path)) == 20
    assert listed.call_count == 2  # the folder and images


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(["..", ".", "sub", "a.png", "/", "\\", "C:", ""]), max_size=8))
def test_what_is_found_lies_in_the_folder_whatever_the_path(tmp_path, parts):
    inner = tmp_path / "inner"
    (inner / "sub").mkdir(parents=True, exist_ok=True)
    for folder in (tmp_path, inner, inner / "sub"):
        (folder / "a.png").touch()
    for mark in ("/", "\\", ""):
        found = PictureFolder(inner).find(mark.join(parts))
        assert found in (None, "a.png", "sub/a.png")


# --- what nearly is there is named ----------------------------------------------------------------

NEAR = {
    "case": ("Cat.png", "cat.png", "the case of the name"),
    "case of the extension": ("cat.JPG", "cat.jpg", "the case of the extension"),
    "extension": ("cat.jpg", "cat.png", "the extension"),
    "case of a folder": ("Images/cat.png", "images/cat.png", "the case of the folder"),
    "subfolder": ("images/deep/cat.png", "cat.png", "the folder"),
    "without a subfolder": ("cat.png", "images/cat.png", "the folder"),
    "number with a point": ("12.png", "12.0.png", "the name"),
    "zeros": ("0012.png", "12.png", "the name"),
    "blanks": ("my cat.png", "my_cat.png", "the name"),
    "of an address": ("my cat.png", "https://example.org/my%20cat.png", "folder and the name"),
    "query": ("cat.png", "https://example.org/cat.png?size=3", "the folder"),
    "both": ("images/cat.JPG", "cat.png", "the folder and the extension"),
}


@pytest.mark.parametrize(("there", "wanted", "what"), NEAR.values(), ids=NEAR)
def test_what_nearly_is_there_is_named_with_what_differs(tmp_path, there, wanted, what):
    write(tmp_path, [there, "other.png"], [wanted, "other.png"])
    with pytest.raises(BadData) as caught:
        files(tmp_path)
    said = str(caught.value)
    assert (
        f"line 2 ({wanted}): the image file is not there, but {there} is, which differs in" in said
    )
    assert what in said
    rows = read_folder(tmp_path, "t.csv", on_bad="skip", **COLUMNS)
    assert any("1 of the missing pictures may be there" in one and there in one
               for one in rows.remarks)  # fmt: skip


def test_a_path_of_another_machine_is_answered_with_the_file_inside(tmp_path):
    write(tmp_path, ["images/a.png", "b.png"], ["/content/drive/a.png", "b.png"])
    with pytest.raises(BadData, match=r"leads out of the folder .* such as images/a\.png"):
        files(tmp_path)


def test_nothing_is_named_where_nothing_is_near(tmp_path):
    write(tmp_path, ["a.png", "b.png"], ["a.png", "zebra.png"])
    with pytest.raises(BadData, match="the image file is not there; put it there"):
        files(tmp_path)


# --- no row finds its picture ---------------------------------------------------------------------


def test_ids_without_a_pattern_are_answered_once_with_the_pattern_that_fits(tmp_path):
    names = [str(k) for k in range(30)]
    write(tmp_path, [f"images/{k}.jpg" for k in names[:28]], names)
    said = sentence(tmp_path)
    assert "none of the 30 rows finds its picture" in said
    assert 'image_pattern="images/{id}.jpg" finds 28 of 30' in said
    assert len(files(tmp_path, image_pattern="images/{id}.jpg", on_bad="skip")) == 28


PATTERNS = {
    "folder": (["images/a.png", "images/b.png"], ["a.png", "b.png"], "images/{id}"),
    "prefix": (["photo_1.png", "photo_11.png"], ["1", "11"], "photo_{id}.png"),
    "letters": (["img1.png", "img2.png"], ["1", "2"], "img{id}.png"),
    "words": (["x/red car.png", "x/blue car.png"], ["red", "blue"], "x/{id} car.png"),
}


@pytest.mark.parametrize(("there", "cells", "pattern"), PATTERNS.values(), ids=PATTERNS)
def test_a_pattern_that_is_advised_finds_the_pictures(tmp_path, there, cells, pattern):
    write(tmp_path, there, cells)
    assert f'image_pattern="{pattern}" finds 2 of 2' in sentence(tmp_path)
    assert sorted(files(tmp_path, image_pattern=pattern)) == sorted(there)


def test_a_pattern_with_other_columns_is_advised_where_only_that_fits(tmp_path):
    seasons = ["summer", "winter"] * 3
    write(tmp_path, [f"images/{season}/{k}.jpg" for k, season in enumerate(seasons)],
          [*map(str, range(6))], season=seasons)  # fmt: skip
    assert 'image_pattern="images/{season}/{id}.jpg" finds 6 of 6' in sentence(tmp_path)
    assert "{season}" in sentence(tmp_path, image_pattern="images/{id}.jpg")


def test_of_a_long_table_with_few_pictures_the_pattern_is_found(tmp_path):
    write(tmp_path, ["im/0.jpg", "im/1.jpg"], [*map(str, range(12))])
    assert 'image_pattern="im/{id}.jpg" finds 2 of 12' in sentence(tmp_path)


def test_two_patterns_that_fit_alike_are_both_named(tmp_path):
    write(tmp_path, [f"{side}/{k}.jpg" for side in ("back", "front") for k in range(3)], [*"012"])
    said = sentence(tmp_path)
    assert 'image_pattern="back/{id}.jpg" and image_pattern="front/{id}.jpg" find 3 of 3' in said
    assert "say which is meant" in said


def test_a_pattern_that_fits_no_file_is_answered_with_one_that_does(tmp_path):
    write(tmp_path, ["images/1.JPG", "images/2.JPG"], ["1", "2"])
    said = sentence(tmp_path, image_pattern="images/{id}.jpg")
    assert 'image_pattern="images/{id}.JPG" finds 2 of 2' in said


@pytest.mark.parametrize("pattern", [None, "{id}.png"])
def test_ids_that_became_decimal_numbers_are_told(tmp_path, pattern):
    write(tmp_path, ["12.png", "13.png"], ["12.0", "13.0"])
    said = sentence(tmp_path, image_pattern=pattern)
    assert 'whole numbers, not as 12.0; then image_pattern="{id}.png" finds 2 of 2' in said


def test_files_whose_extension_is_written_large_are_named(tmp_path):
    write(tmp_path, ["1.JPG", "2.JPG"], ["1.jpg", "2.jpg"])
    said = sentence(tmp_path)
    assert "for line 2 (1.jpg) 1.JPG is, which differs in the case of the extension" in said


def test_a_folder_without_pictures_is_said(tmp_path):
    write(tmp_path, [], ["1.jpg", "2.jpg"])
    assert "no picture in the folder or below it" in sentence(tmp_path)


def test_pictures_of_quite_other_names_are_shown(tmp_path):
    write(tmp_path, ["x/zebra.png"], ["1.jpg", "2.jpg"])
    assert "called otherwise, as x/zebra.png" in sentence(tmp_path)


def test_paths_that_all_lead_out_are_answered_with_what_is_inside(tmp_path):
    write(tmp_path, ["images/a.png", "images/b.png"], ["/data/a.png", "D:\\data\\b.png"])
    said = sentence(tmp_path)
    assert "the paths lead out of the folder" in said
    assert "(/data/a.png) images/a.png is, which differs in the folder" in said


def test_a_folder_that_may_not_be_read_is_said(tmp_path):
    write(tmp_path, ["images/a.png"], ["images/a.png"])
    real = os.scandir

    def refuse(path):
        if str(path).endswith("images"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    with mock.patch("os.scandir", side_effect=refuse):
        assert "the folder images may not be read: mend its permissions" in sentence(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="links need a right that Windows users seldom have")
def test_a_link_that_leads_back_is_looked_through_once(tmp_path):
    write(tmp_path, ["deep/a.JPG", "deep/b.JPG"], ["a.jpg", "b.jpg"])
    (tmp_path / "deep" / "back").symlink_to(tmp_path)
    assert "deep/a.JPG is, which differs" in sentence(tmp_path)
