"""Which column is what: taken where one will do, asked for where several would."""

import pytest
from PIL import Image

from course_utils.data.rows import BadData
from course_utils.data.table import Table
from course_utils.own_table import Roles, guess_roles

SPLITS = ("train", "train", "test")


def write(folder, header, row, n=30, ending=".png", below="images"):
    """A folder of n pictures and a table whose row k is ``row(k)``."""
    (folder / below).mkdir(parents=True, exist_ok=True)
    for k in range(n):
        Image.new("RGB", (4, 4)).save(folder / below / f"{k}{ending}")
    lines = [",".join(header), *(",".join(map(str, row(k))) for k in range(n))]
    (folder / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    return Table(folder, "table.csv")


def picture(k):
    return f"images/{k}.png"


def title(k):
    return f"a shoe of the number {k} in red"


def test_each_column_is_taken_for_what_it_holds(tmp_path):
    source = write(
        tmp_path,
        ["sku", "pic", "season", "title", "part"],
        lambda k: [1000 + k, picture(k), "ab"[k % 2], title(k), SPLITS[k % 3]],
    )
    roles = guess_roles(source, Roles(split=""))
    assert (roles.image, roles.text, roles.label, roles.split) == ("pic", "title", "season", "part")
    assert roles.image_pattern is None
    assert len(roles.said) == 4
    for option, sentence in zip(("image", "split", "label", "text"), roles.said, strict=True):
        assert f"otherwise --{option} NAME" in sentence


@pytest.mark.parametrize("ending", [".png", ".JPG"])
def test_ids_are_matched_with_the_files_that_bear_them(tmp_path, ending):
    source = write(
        tmp_path,
        ["id", "season", "title"],
        lambda k: [k, "ab"[k % 2], title(k)],
        ending=ending,
        below="photos/all",
    )
    roles = guess_roles(source, Roles(split=""))
    assert (roles.image, roles.image_pattern) == ("id", f"photos/all/{{id}}{ending}")
    assert roles.split is None
    assert "divided" in roles.said[1]


def test_words_of_ones_own_make_a_column_of_splits_known(tmp_path):
    source = write(tmp_path, ["pic", "season", "title", "set"], lambda k: [
        picture(k), "ab"[k % 2], title(k), ("train", "Eval ", "test")[k % 3]])  # fmt: skip
    asked = Roles(split="", label="season")
    assert guess_roles(source, asked, {"eval": "validation"}).split == "set"


def test_a_word_that_nobody_knows_in_a_column_of_splits_is_asked_for(tmp_path):
    source = write(tmp_path, ["pic", "season", "title", "set"], lambda k: [
        picture(k), "ab"[k % 2], title(k), ("train", "Eval ", "test")[k % 3]])  # fmt: skip
    with pytest.raises(BadData, match=r"'eval' is none of .* --split-word eval=validation"):
        guess_roles(source, Roles(split="", label="season"))
    assert guess_roles(source, Roles(split=None, label="season")).split is None


@pytest.mark.parametrize("words", [("train", "exam", "test"), ("red", "blue", "test")])
def test_words_of_ones_own_without_a_column_of_splits_ask_for_it(tmp_path, words):
    source = write(tmp_path, ["pic", "season", "title", "set"], lambda k: [
        picture(k), "ab"[k % 2], title(k), words[k % 3]])  # fmt: skip
    with pytest.raises(BadData, match=r"'eval' alone; say which of .*set.* with --split NAME"):
        guess_roles(source, Roles(split="", label="season"), {"eval": "validation"})


def test_a_price_that_happens_to_name_a_picture_is_not_taken_for_an_id(tmp_path):
    source = write(tmp_path, ["price", "id", "season", "title"],
                   lambda k: [k % 9, k, "ab"[k % 2], title(k)])  # fmt: skip
    assert guess_roles(source, Roles(label="season")).image == "id"


def test_a_name_that_is_given_is_not_guessed(tmp_path):
    source = write(
        tmp_path,
        ["pic", "season", "liked", "title"],
        lambda k: [picture(k), "ab"[k % 2], "yn"[k % 2], title(k)],
    )
    roles = guess_roles(source, Roles(label="liked", text="title"))
    assert (roles.label, roles.text, roles.split) == ("liked", "title", None)
    assert len(roles.said) == 1


def test_two_labels_that_would_do_are_both_named(tmp_path):
    source = write(
        tmp_path,
        ["pic", "season", "liked", "title"],
        lambda k: [picture(k), "abc"[k % 3], "yn"[k % 2], title(k)],
    )
    with pytest.raises(
        BadData,
        match=r"season \(3 values\), liked \(2 values\); say which with "
        "--label NAME",
    ):
        guess_roles(source, Roles())


def test_two_texts_that_would_do_are_both_named(tmp_path):
    source = write(
        tmp_path,
        ["pic", "season", "title", "titel"],
        lambda k: [picture(k), "ab"[k % 2], title(k), title(k)[::-1]],
    )
    with pytest.raises(BadData, match=r"title \(.*\), titel \(.*\); say which with --text NAME"):
        guess_roles(source, Roles())


def test_two_columns_of_pictures_are_both_named(tmp_path):
    source = write(
        tmp_path,
        ["front", "back", "season", "title"],
        lambda k: [picture(k), picture(k), "ab"[k % 2], title(k)],
    )
    with pytest.raises(BadData, match="front, back; say which with --image NAME"):
        guess_roles(source, Roles())


@pytest.mark.parametrize(
    ("gone", "option"), [("pic", "image"), ("season", "label"), ("title", "text")]
)
def test_a_role_that_no_column_fits_is_asked_for_with_the_columns(tmp_path, gone, option):
    names = ["pic", "season", "title"]
    source = write(
        tmp_path,
        [name for name in names if name != gone],
        lambda k: [
            cell
            for name, cell in zip(names, [picture(k), "ab"[k % 2], title(k)], strict=True)
            if name != gone
        ],
    )
    with pytest.raises(BadData, match=f"no column looks like .* with --{option} NAME"):
        guess_roles(source, Roles())


def test_a_table_without_rows_is_named(tmp_path):
    (tmp_path / "table.csv").write_text("pic,season\n")
    with pytest.raises(BadData, match="no rows"):
        guess_roles(Table(tmp_path, "table.csv"), Roles())
