"""Which rows train, validate and test: shares, groups, seeds, and the words of a table."""

import hashlib
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data.folder import read_folder
from course_utils.data.rows import SPLITS, BadData
from course_utils.data.splits import divide, empty_split_remark

free = settings(deadline=None, max_examples=100)
names = st.text("abcé/.", min_size=1, max_size=4)


def counts(splits):
    found = Counter(splits)
    return tuple(found[name] for name in SPLITS)


# --- a division -----------------------------------------------------------------------------------


@free
@given(
    st.lists(st.tuples(names, st.sampled_from("xyz")), unique_by=lambda row: row[0], max_size=60)
)
def test_seed_0_divides_each_class_by_a_hash_of_the_file_name(rows):
    """A fifth of each class tests and a tenth validates: those whose hash comes first."""
    pictures, labels = [row[0] for row in rows], [row[1] for row in rows]
    expected = {}
    for label in set(labels):
        own = sorted((p for p, of in rows if of == label),
                     key=lambda name: hashlib.sha256(name.encode()).digest())  # fmt: skip
        test, validation = round(0.2 * len(own)), round(0.1 * len(own))
        for place, name in enumerate(own):
            held_out = "test" if place < test else "validation"
            expected[name] = held_out if place < test + validation else "train"
    assert divide(pictures, labels) == [expected[name] for name in pictures]


shares = st.sampled_from(
    [(0.7, 0.1, 0.2), (0.5, 0.25, 0.25), (0.8, 0, 0.2), (1, 0, 0), (0.02, 0.49, 0.49)]
)


some_rows = st.lists(
    st.tuples(names, st.sampled_from("xy"), st.sampled_from(["", "g", "h", "i", "j"])), max_size=50
)


@free
@given(some_rows, shares, st.integers(0, 3), st.booleans())
def test_pictures_and_groups_stay_whole_and_order_does_not_matter(rows, proportions, seed, grouped):
    pictures, labels, groups = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    own = groups if grouped else None
    try:
        splits = divide(pictures, labels, own, proportions, seed)
    except ValueError as fault:
        assert "groups for" in str(fault)  # noqa: PT017 (both ends are right)
        assert grouped
        return
    held = defaultdict(set)
    for picture, group, split in zip(pictures, groups, splits, strict=True):
        held["picture", picture].add(split)
        if grouped and group:
            held["group", group].add(split)
    assert all(len(found) == 1 for found in held.values())
    assert {*splits} <= {name for name, share in zip(SPLITS, proportions, strict=True) if share}
    turned = divide(pictures[::-1], labels[::-1], own and own[::-1], proportions, seed)
    assert turned[::-1] == splits


@pytest.mark.parametrize(("proportions", "expected"),
                         [((0.7, 0.1, 0.2), (70, 10, 20)), ((0.5, 0.2, 0.3), (50, 20, 30)),
                          ((0.8, 0, 0.2), (80, 0, 20))])  # fmt: skip
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_class_has_its_shares_whatever_the_seed(proportions, expected, seed):
    pictures, labels = [f"{k}.png" for k in range(300)], ["a", "b", "c"] * 100
    splits = divide(pictures, labels, None, proportions, seed)
    for label in "abc":
        assert counts(s for s, own in zip(splits, labels, strict=True) if own == label) == expected


def test_seeds_divide_differently():
    pictures = [f"{k}.png" for k in range(100)]
    found = {tuple(divide(pictures, ["x"] * 100, None, (0.7, 0.1, 0.2), seed)) for seed in range(5)}
    assert len(found) == 5


@pytest.mark.parametrize("seed", range(5))
def test_groups_come_near_the_shares_over_all_classes(seed):
    groups = [f"shop {k // 10}" for k in range(1000)]
    labels = ["abcd"[k // 10 % 4] for k in range(1000)]
    splits = divide([f"{k}.png" for k in range(1000)], labels, groups, (0.7, 0.1, 0.2), seed)
    for found, asked in zip(counts(splits), (700, 100, 200), strict=True):
        assert abs(found - asked) <= 50
    assert all({own for s, own in zip(splits, labels, strict=True) if s == name} == {*"abcd"}
               for name in SPLITS)  # fmt: skip


def test_the_fewest_groups_leave_no_split_empty():
    groups = ["one"] * 20 + ["two"] * 3 + ["three"] * 5
    splits = divide([*map(str, range(28))], ["x"] * 28, groups)
    assert sorted(Counter(splits).values()) == [3, 5, 20]
    with pytest.raises(ValueError, match="there are 2 groups for 3 splits; name a column of more"):
        divide(["1", "2"], ["x", "x"], ["one", "two"])
    assert sorted(divide(["1", "2"], ["x", "x"], ["one", "two"], (0.8, 0, 0.2))) == [
        "test",
        "train",
    ]


def test_a_division_that_leaves_a_split_empty_says_how_many_a_class_needs():
    assert "a class needs 6 for validation, 3 for test" in empty_split_remark(["train"])
    for n in range(1, 12):
        splits = divide([*map(str, range(n))], ["x"] * n)
        remark = empty_split_remark(splits) or ""
        assert ("validation" in remark.split(":")[0]) == (n < 6)
        assert (" test" in remark.split(":")[0]) == (n < 3)
    assert empty_split_remark(["train", "test"], (0.8, 0, 0.2)) is None


# --- the words of a table -------------------------------------------------------------------------


@pytest.fixture
def words(tmp_path):
    """Read a folder of as many pictures as there are words in its split column."""

    def read(words, **options):
        lines = ["file,headline,section,split"]
        for k, word in enumerate(words):
            Image.new("RGB", (2, 2), (k % 256, k // 256, 0)).save(tmp_path / f"{k}.png")
            lines.append(f"{k}.png,text {k},{'xy'[k % 2]},{word}")
        (tmp_path / "headlines.csv").write_text("\n".join(lines))
        return read_folder(tmp_path, size=(2, 2), **options)

    return read


def test_a_word_that_nobody_knows_is_named_once_with_a_way_out(words, capsys):
    told = ["train"] * 8 + ["val"] * 2 + ["Eval"] * 4 + ["holdout"] * 2
    with pytest.raises(BadData, match=r'line 12 .*"Eval"|split_words=\{"Eval": "test"\}'):
        words(told)
    rows = words(told, on_bad="skip")
    assert rows.skipped.counts == {"unknown split": 6}
    said = capsys.readouterr().out
    assert "6 rows left out because 'split' holds 'Eval', 'holdout'" in said
    assert 'split_words={"Eval": "test", "holdout": "test"}' in said
    assert "no row is test" in said
    rows = words(told, split_words={"eval": "test", "holdout": "validation"})
    assert counts(rows["split"].tolist()) == (8, 4, 4)


def test_split_words_go_before_those_that_are_known(words):
    known = {"0": "train", "1": "validation", "DEV": "test"}
    rows = words(["0", "0", "1", "1", "dev", "dev"], split_words=known)
    assert counts(rows["split"].tolist()) == (2, 2, 2)


def test_without_validation_rows_some_train_rows_validate_with_a_remark(words):
    rows = words(["train"] * 32 + ["test"] * 10)
    assert counts(rows["split"].tolist()) == (28, 4, 10)
    assert any("no row of the column 'split' is validation, so 4 of its 32 train" in one
               for one in rows.remarks)  # fmt: skip


def test_a_table_without_test_rows_is_told_when_it_is_read(words):
    assert any(one.startswith("no row is test") for one in words(["train"] * 9 + ["val"]).remarks)


def test_a_table_without_training_rows_is_refused(words):
    for on_bad in ("error", "skip"):
        with pytest.raises(BadData, match=r"'split' is train; it holds 'test' \(4 rows\); say"):
            words(["test"] * 4, on_bad=on_bad)
        with pytest.raises(BadData, match=r'split_words=\{"1": "train", "0": "train"\}'):
            words(["1", "1", "0"], on_bad=on_bad)
    assert counts(words(["1", "1", "0"], split_words={1: "train", 0: "test"})["split"]) == (2, 0, 1)


def test_an_empty_word_is_one_of_its_own(words):
    rows = words(["train", "train", "", "val"], split_words={"": "test"})
    assert counts(rows["split"]) == (2, 1, 1)
    with pytest.raises(BadData, match="the cell 'split' is empty"):
        words(["train", "train", "", "val"])


def test_a_split_that_loses_its_last_picture_is_told(words, tmp_path):
    words(["train", "train", "val", "test"])
    (tmp_path / "3.png").write_bytes(b"")
    rows = read_folder(tmp_path, size=(2, 2), on_bad="skip")
    assert rows.skipped.counts == {"broken image": 1}
    assert any(one.startswith("no row is test") for one in rows.remarks)


def test_several_captions_of_a_picture_go_to_one_split(tmp_path):
    lines = ["file,headline,section"]
    for k in range(30):
        Image.new("RGB", (2, 2), (k, 0, 0)).save(tmp_path / f"{k}.png")
        lines += [f"{k}.png,caption {c} of {k},{'xy'[k % 2]}" for c in range(5)]
    (tmp_path / "headlines.csv").write_text("\n".join(lines))
    rows = read_folder(tmp_path, split_column=None, size=(2, 2))
    assert len(rows["file"]) == 150
    assert not rows.skipped
    assert not any("another split" in one for one in rows.remarks)
    held = {(file, split) for file, split in zip(rows["file"], rows["split"], strict=True)}
    assert len(held) == 30


def test_a_group_column_keeps_its_rows_together(words):
    with pytest.raises(BadData, match="column 'split' cannot divide the rows: there are 2 groups"):
        words(["a", "b"], split_column=None, group_column="split")
    rows = words([*"aabbccddee"] * 4, split_column=None, group_column="split")
    assert {*rows["split"]} == {*SPLITS}
    with pytest.raises(BadData, match="no column 'shop'"):
        words(["a"], split_column=None, group_column="shop")
