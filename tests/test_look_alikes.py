"""Labels, pictures and texts that look the same: what is joined, what gets a remark."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data.folder import MOST_REMARKS, read_folder
from course_utils.data.look_alikes import clean_label, folded, label_remarks, one_name_each
from course_utils.data.remarks import across_splits, apart_advice, two_labels
from course_utils.data.rows import split_rows, take

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
free = settings(deadline=None, max_examples=200)

# --- labels ---------------------------------------------------------------------------------------

ONE_CLASS = {
    "composed and decomposed": ("caf\xe9", "cafe\u0301"),
    "Hangul": ("가", unicodedata.normalize("NFD", "가")),
    "blanks at the ends": ("cat", " cat\u3000"),
    "zero width space": ("cat", "cat\u200b"),
    "byte order mark": ("cat", "\ufeffcat"),
    "soft hyphen": ("cat", "cat\xad"),
}
LOOK_ALIKE = {
    "case": ("Summer", "summer"),
    "three cases": ("Summer", "summer", "SUMMER"),
    "another alphabet's case": ("Вино", "вино"),
    "sharp s": ("Straße", "STRASSE"),
    "zero width space inside": ("T shirt", "T\u200b shirt"),
    "soft hyphen inside": ("handbag", "hand\xadbag"),
    "full width": ("cat", "ｃａｔ"),
    "full width digit": ("2", "２"),
    "ligature": ("fish", "ﬁsh"),
    "no blank": ("T shirt", "Tshirt"),
    "hyphen": ("T-shirt", "T shirt"),
    "underscore": ("T_shirt", "T shirt"),
    "kinds of hyphens": ("T-shirt", "T\u2011shirt"),
    "apostrophe": ("men's", "men’s"),
    "full stop": ("cat", "cat."),
    "Cyrillic letter": ("cat", "\u0441at"),
    "Greek letter": ("A", "\u0391"),
    "decimal": ("2.50", "2.5"),
}
APART = [
    ("C", "C#", "C++"),
    ("1", "-1"),
    ("cat", "cart"),
    ("1.5", "15"),
    ("peche", "pêche"),
    ("猫", "犬"),
    ("?", "!"),
]


@pytest.mark.parametrize("labels", ONE_CLASS.values(), ids=ONE_CLASS)
def test_labels_that_are_one_beyond_doubt_are_one_class_without_a_word(labels):
    assert len({*map(clean_label, labels)}) == 1


@pytest.mark.parametrize("labels", LOOK_ALIKE.values(), ids=LOOK_ALIKE)
def test_labels_that_look_alike_stay_classes_and_get_a_remark(labels):
    assert len({*map(clean_label, labels)}) == len(labels)
    assert len({*one_name_each(labels).values()}) == len(labels)
    (remark,) = label_remarks(dict.fromkeys(labels, 9))
    assert "look alike" in remark
    assert remark.isprintable()
    assert all(label in remark or ascii(label) in remark for label in labels)


@pytest.mark.parametrize("labels", APART)
def test_labels_that_differ_get_no_remark(labels):
    assert not [one for one in label_remarks(dict.fromkeys(labels, 9)) if "look alike" in one]


@pytest.mark.parametrize("name", ["NA", "nan", "None", "null", "-", "?", "n/a", "#N/A", "NaN", "—"])
def test_a_class_that_stands_for_no_value_gets_a_remark(name):
    (remark,) = label_remarks({"cat": 9, name: 7})
    assert f"{name!r} (7 rows) became a class" in remark
    assert f"drop_labels=({name!r},)" in remark


def test_small_classes_are_named_together():
    (remark,) = label_remarks({"cat": 5, "dog": 4, "cow": 1})
    assert remark.startswith("2 classes have fewer than 5 rows: 'cow' (1 row) and 'dog' (4 rows)")
    assert not label_remarks({"cat": 5})


def test_many_groups_of_look_alikes_are_few_remarks():
    labels = [name for k in range(10) for name in (f"c{k}", f"C{k}")]
    remarks = label_remarks(dict.fromkeys(labels, 9))
    assert len(remarks) == 4
    assert remarks[-1].startswith("7 more groups")


@free
@given(st.lists(any_text, max_size=6))
def test_any_labels_have_names_and_printable_remarks(labels):
    clean = [*map(clean_label, labels)]
    assert [*map(clean_label, clean)] == clean
    names = one_name_each(clean)
    assert {*names} == {*clean}
    assert {*one_name_each(names.values()).values()} == {*names.values()}
    for remark in label_remarks(dict.fromkeys(names.values(), 9)):
        assert remark.isprintable()
    assert all(isinstance(folded(label), str) for label in labels)


@free
@given(st.text("abcdefghijklmnop", min_size=1))
def test_a_label_without_capitals_and_signs_is_only_like_itself(label):
    assert folded(label) == label == clean_label(label)


# --- the rows of a folder -------------------------------------------------------------------------


@pytest.fixture
def read(tmp_path):
    """Read a folder of pictures that differ, with these labels."""

    def read(labels, texts=None, colours=None, **options):
        lines = ["file,headline,section"]
        for k, label in enumerate(labels):
            colour = colours[k] if colours else (k % 256, k // 256, 1)
            Image.new("RGB", (2, 2), colour).save(tmp_path / f"{k}.png")
            lines.append(f"{k}.png,{texts[k] if texts else f'text {k}'},{label}")
        (tmp_path / "headlines.csv").write_text("\n".join(lines), encoding="utf-8")
        return read_folder(tmp_path, split_column=None, size=(2, 2), **options)

    return read


@pytest.mark.parametrize("labels", ONE_CLASS.values(), ids=ONE_CLASS)
def test_a_folder_with_two_forms_of_a_label_has_one_class(read, labels):
    assert len(read([*labels] * 10).classes) == 1
    assert len(read([*labels] * 10, classes=[labels[1]]).classes) == 1


@pytest.mark.parametrize(
    ("labels", "name"),
    [(("2", "2.0"), "2"), (("T shirt", "T  shirt"), "T shirt"), (("a b", "a\xa0b"), "a b")],
)
def test_numbers_and_blanks_of_two_programs_are_joined_with_a_remark(read, labels, name):
    rows = read([*labels] * 10)
    assert rows.classes == (name,)
    assert any(f"was read as {name!r}" in one and "classes=" in one for one in rows.remarks)
    assert read([*labels] * 10, classes=labels).classes == labels


def test_one_spelling_alone_stays_as_it_is(read):
    rows = read(["2.0", "T  shirt"] * 10)
    assert rows.classes == ("2.0", "T  shirt")
    assert rows.remarks == []


def test_remarks_are_printed_once_few_and_stay_with_the_rows(read, capsys):
    labels = [
        "Summer",
        "summer",
        "ＳＵＭＭＥＲ",
        "NA",
        "x",
        "X",
        "y",
        "Y",
        "z",
        "Z",
        "q",
        "Q",
        "2",
        "2.0",
    ]
    rows = read(labels * 2 + ["x"] * 20, texts=["same"] * 48)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == MOST_REMARKS + 1
    assert said[-1] == f"headlines.csv: {len(rows.remarks) - MOST_REMARKS} more in rows.remarks"
    assert said[0] == f"headlines.csv: {rows.remarks[0]}"
    for part in (*split_rows(rows).values(), take(rows, [1, 0]), rows | {"a": [0] * 48}):
        assert part.remarks == rows.remarks


def test_a_folder_without_anything_odd_prints_nothing(read, capsys):
    rows = read(["cat", "dog"] * 20)
    assert rows.remarks == []
    assert capsys.readouterr().out == ""


def test_the_same_picture_and_the_same_text_in_two_splits_get_a_remark(read):
    colours = [(k, 0, 0) for k in range(40)]
    rows = read(["cat"] * 40, colours=colours)
    pair = [rows["file"].index(next(f for f, s in zip(rows["file"], rows["split"], strict=True)
                                    if s == name)) for name in ("train", "test")]  # fmt: skip
    first, second = (int(rows["file"][k].split(".")[0]) for k in pair)
    colours[second] = colours[first]
    texts = [f"text {k}" for k in range(40)]
    texts[second] = texts[first].upper() + "!"
    remarks = read(["cat"] * 40, texts, colours).remarks
    assert (
        f"1 picture of validation or test stands in another split too (as {second}.png)"
        in remarks[0]
    )
    assert "1 text of validation or test stands word for word in another split too" in remarks[1]


def test_one_picture_under_two_labels_gets_a_remark():
    (remark,) = two_labels(["a.png", "b.png", "a.png", ""], ["cat", "cat", "dog", "cow"])
    assert "1 picture stands under more than one label (a.png: 'cat', 'dog')" in remark
    assert two_labels(["a.png", "a.png", "", ""], ["cat", "cat", "cat", "dog"]) == []


@free
@given(st.data())
def test_repeated_pictures_are_counted_by_all_their_pixels(data):
    """As comparing each with each would; pictures that differ in a single point are others."""
    bases = np.random.default_rng(0).integers(0, 256, (2, 30, 26, 3), dtype=np.uint8)
    kinds = data.draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), max_size=8))
    split = [data.draw(st.sampled_from(["train", "validation", "test"])) for _ in kinds]
    images = []
    for base, point in kinds:
        images.append(bases[base].copy())
        images[-1][point, point + 1, 0] ^= 1
    order = ["train", "validation", "test"]
    expected = sum(
        any(
            kinds[j] == kind and order.index(split[j]) < order.index(own) for j in range(len(kinds))
        )
        for kind, own in zip(kinds, split, strict=True)
    )
    names = [*map(str, range(len(kinds)))]
    remarks = across_splits(images, [None] * len(kinds), split, names)
    assert [one.split(" ")[0] for one in remarks] == [str(expected)] * bool(expected)


@pytest.mark.parametrize(("split", "group", "said", "unsaid"), [
    (None, None, "in one split with group_column=...", "split_column"),
    ("part", None, "with split_column=None and group_column=...", "different groups"),
    (None, "shoot", "different groups of 'shoot'", "group_column"),
])  # fmt: skip
def test_rows_in_two_splits_get_the_advice_that_was_not_followed_already(
    split, group, said, unsaid
):
    advice = apart_advice(split, group)
    (remark,) = across_splits([None] * 2, ["a b"] * 2, ["train", "test"], ["1", "2"], advice)
    assert said in remark
    assert unsaid not in remark


def test_the_reading_knows_which_groups_were_given(tmp_path):
    """A text that two groups share stands in two splits, and no group_column is advised."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
    for k, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"{k}.png")
    lines = [f"{k}.png,the same,{'ab'[k % 2]},g{k // 2}" for k in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["file,headline,section,shoot", *lines]))
    rows = read_folder(tmp_path, "t.csv", split_column=None, group_column="shoot")
    (remark,) = [one for one in rows.remarks if "word for word" in one]
    assert "different groups of 'shoot'" in remark
    assert "group_column" not in remark
