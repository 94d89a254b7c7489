"""The generated shop, and its folder in ``data/``, which is a stranger's folder."""

import csv

import numpy as np
import pytest
from PIL import Image

from course_utils.data import shop
from course_utils.data.folder import read_folder
from course_utils.data.rows import BadData, count_rows
from course_utils.data.shop_pictures import GARMENTS, MOST_DICE, draw_product
from course_utils.data.shop_titles import BRANDS, OCCASIONS, SMALL_TALK
from course_utils.environment import course_root

FOLDER = course_root() / "data" / "shop"
LAYOUT = {"table": "products.csv", "image_column": "id", "image_pattern": "photos/{id}.jpg",
          "text_column": "title", "label_column": "season", "split_column": None,
          "size": (64, 64)}  # fmt: skip
CELLS = ("title", "price", "material", "liked", "family")


def read(folder, **options):
    return read_folder(folder, **{**LAYOUT, "on_bad": "skip", **options})


def lines(folder):
    return (folder / "products.csv").read_text(encoding="utf-8").splitlines()


def photos(folder):
    return {path.name for path in (folder / "photos").iterdir()}


def ids(folder):
    return {line.split(",")[0] for line in lines(folder)[1:]}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "shop"
    shop.write(folder)
    return folder


@pytest.fixture(scope="module")
def rows():
    return shop.make(400, seed=3)


# --- the folder in data/ ------------------------------------------------------------------------


def test_the_table_in_data_is_what_write_gives(written):
    assert lines(FOLDER) == lines(written)


def test_the_photographs_in_data_are_what_write_gives(written):
    assert photos(FOLDER) == photos(written)
    for name in sorted(photos(FOLDER)):
        ours, theirs = (folder / "photos" / name for folder in (FOLDER, written))
        with Image.open(ours) as one, Image.open(theirs) as other:
            assert (one.format, one.mode, one.size) == (other.format, other.mode, other.size)
            try:
                pair = [np.asarray(image.convert("RGB"), dtype=float) for image in (one, other)]
            except OSError:  # the one that is cut off
                assert abs(ours.stat().st_size - theirs.stat().st_size) < 100
                continue
        # Versions of Pillow may bring another JPEG library, which rounds in its own way.
        assert np.abs(pair[0] - pair[1]).mean() < 2, name


def test_the_folder_is_at_most_2_megabytes_and_holds_nothing_else():
    files = {path for path in FOLDER.rglob("*") if path.is_file()}
    assert sum(path.stat().st_size for path in files) <= 2_000_000
    assert {path.name for path in files} - photos(FOLDER) == {"products.csv", "README.md"}
    missing = {f"{number}.jpg" for number in ids(FOLDER)} - photos(FOLDER)
    assert len(missing) == 1
    assert photos(FOLDER) <= {f"{number}.jpg" for number in ids(FOLDER)}


def test_the_data_card_states_the_counts_that_the_folder_has():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    found = read(FOLDER)
    for number, name in enumerate(found.classes):
        own = found["label"] == number
        liked = sum(word == "yes" for word, here in zip(found["liked"], own, strict=True) if here)
        assert f"| {name} | {own.sum()} | {liked} |" in card
    for task in shop.TASKS:
        best = shop.ceiling(task)
        numbers = (f"{best[r]:.2f}" for r in ("chance", "image", "text", "columns", "both", "all"))
        assert f"| `{task}` | {' | '.join(numbers)} |" in card
    assert f"{len(set(found['family']))} products" in card
    assert "CC BY 4.0" in card
    assert "python -m course_utils.data.sample" in card


# --- any shop's folder --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_folder_is_read_as_it_was_made(tmp_path, seed):
    shop.write(tmp_path, 80, seed)
    made, found = shop.make(80, seed), read(tmp_path)
    place = {f"photos/{number}.jpg": row for row, number in enumerate(made["id"])}
    order = [place[file] for file in found["file"]]
    assert sorted(order) == list(range(80))
    for name in CELLS:
        assert list(found[name]) == [made[name][row] for row in order], name
    assert [found.classes[k] for k in found["label"]] == [
        shop.SEASONS[made["season"][row]] for row in order
    ]
    for image, row in zip(found["image"], order, strict=True):
        if not 10 <= row <= 16:  # whose files are of another size or mode
            gaps = np.abs(made["image"].astype(float) - image).mean(axis=(1, 2, 3))
            assert gaps[row] < 16
            assert made["family"][gaps.argmin()] == made["family"][row]


@pytest.mark.parametrize("seed", range(4))
def test_five_rows_are_broken_each_in_another_way(tmp_path, seed):
    shop.write(tmp_path, 60, seed)
    assert sorted(read(tmp_path).skipped.counts) == sorted(shop.BROKEN)
    assert len(read(tmp_path).skipped) == 5


@pytest.mark.parametrize("fault", shop.BROKEN)
def test_each_broken_row_alone_stops_the_reading_with_its_line(tmp_path, fault):
    shop.write(tmp_path, 60, seed=1)
    bad = {skipped.reason: skipped.line for skipped in read(tmp_path).skipped}
    table = lines(tmp_path)
    others = {line for reason, line in bad.items() if reason != fault}
    kept = [line for number, line in enumerate(table, start=1) if number not in others]
    (tmp_path / "products.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    line = kept.index(table[bad[fault] - 1]) + 1
    with pytest.raises(BadData, match=rf"products\.csv, line {line}\b.*; .* leave such rows out"):
        read(tmp_path, on_bad="error")


def test_a_few_pictures_are_of_another_size_or_mode_and_one_is_a_png(written):
    kinds = set()
    for name in photos(written):
        with Image.open(written / "photos" / name) as image:
            kinds.add((image.format, image.mode, image.size, image.getexif().get(0x0112, 1)))
    assert {("JPEG", "L", (64, 64), 1), ("JPEG", "CMYK", (64, 64), 1), ("PNG", "RGB", (64, 64), 1),
            ("JPEG", "RGB", (96, 96), 1), ("JPEG", "RGB", (80, 64), 1),
            ("JPEG", "RGB", (64, 64), 6)} < kinds  # fmt: skip


def test_ids_do_not_repeat_and_say_nothing_of_the_order():
    numbers = shop.article_numbers(100_000, seed=1)
    assert len(set(numbers.tolist())) == 100_000
    assert numbers.min() >= 100_000
    assert numbers.max() < 1_000_000
    assert not (np.diff(numbers) > 0).all()


# --- the listings -------------------------------------------------------------------------------


def test_fewer_listings_are_the_beginning_of_more():
    few, more = shop.make(30, seed=5), shop.make(50, seed=5)
    for name, column in few.items():
        assert np.array_equal(column, more[name][:30]), name


def test_none_is_a_good_number_of_listings_and_a_negative_number_is_not():
    assert count_rows(shop.make(0)) == 0
    with pytest.raises(ValueError, match="cannot be -1"):
        shop.make(-1)


def test_titles_have_3_to_9_words_in_two_languages(rows):
    for title, language in zip(rows["title"], rows["language"], strict=True):
        assert 3 <= len(title.split()) <= 9, title
        assert language == 1 or title.isascii(), title
    together = " ".join(rows["title"])
    assert set("äöüß") <= set(together)
    assert 0.4 < rows["language"].mean() < 0.6


def test_occasions_in_the_truth_stand_in_the_title():
    rows = shop.make(200, seed=2, typos=0)
    for title, language, seasons in zip(
        rows["title"], rows["language"], rows["occasions"], strict=True
    ):
        words = title.lower().replace(",", "").split()
        for season, names in enumerate(OCCASIONS[language]):
            named = sum(name.lower() in words for name in names)
            assert named == (seasons == season).sum(), title


def test_listings_of_a_family_are_one_product_in_other_words(rows):
    twins = np.flatnonzero(rows["listing"])
    assert len(twins) > 50
    talk = {word.lower() for word in (*BRANDS, *SMALL_TALK[0], *SMALL_TALK[1])}
    same = ("season", "liked", "split", "family", "kind", "colours", "price", "material")
    for row in twins:
        for name in same:
            assert rows[name][row] == rows[name][row - 1], name
        old, new = (rows["title"][k].lower().split() for k in (row - 1, row))
        differing = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
        assert len(differing) == 1, (old, new)
        assert sorted(differing[0][1].strip(",")) in [sorted(word) for word in talk]


def test_the_pictures_of_a_family_are_nearer_than_others_and_not_the_same(rows):
    twins = np.flatnonzero(rows["listing"])
    first = rows["image"].astype(float)
    near = np.abs(first[twins] - first[twins - 1]).mean(axis=(1, 2, 3))
    far = np.abs(first[twins] - first[twins - 10]).mean(axis=(1, 2, 3))
    assert near.min() > 1
    assert near.mean() < 0.5 * far.mean()


def test_every_garment_is_drawn_inside_the_picture_in_a_form_of_its_own():
    drawn = {}
    for kind in GARMENTS:
        dice = np.random.default_rng(0).random(MOST_DICE).tolist()
        drawn[kind] = np.asarray(draw_product(iter(dice), kind, "dark", False), dtype=float)
    for kind, picture in drawn.items():
        assert picture.shape == (64, 64, 3)
        others = [np.abs(picture - other).mean() for name, other in drawn.items() if name != kind]
        assert min(others) > 5, kind


def test_unknown_tasks_and_dials_out_of_range_are_refused():
    refused = (({"typos": 1.5}, "typos is a share"), ({"twins": "x"}, "twins is a share"),
               ({"image_noise": -1}, "from 0 up"), ({"taset": 1}, "no dial 'taset'"))  # fmt: skip
    for dials, sentence in refused:
        with pytest.raises(ValueError, match=sentence):
            shop.make(3, **dials)
    for ask in (shop.ceiling, lambda task: shop.rows_for(shop.make(3), task)):
        with pytest.raises(ValueError, match="no task 'price'"):
            ask("price")


def test_each_task_has_its_labels_and_their_names(rows):
    test = shop.rows_for(rows, "liked", "test")
    assert test.classes == ("no", "yes")
    assert [test.classes[k] for k in test["label"]] == test["liked"]
    assert set(test["split"]) == {"test"}
    season = shop.rows_for(rows, "season")
    assert (season["label"] == rows["season"]).all()


# --- the ceiling --------------------------------------------------------------------------------


def scores_by_season(truth):
    """log P(season, what is seen), (n, 4) for each reader, straight from the tables of shares."""

    def of(shares, index):
        shares = np.asarray(shares, dtype=float)
        return np.log(shares / shares.sum(axis=1, keepdims=True)).T[index]

    kind = of(shop.KIND_SHARES, [shop.KINDS.index(k) for k in truth["kind"]])
    cloth = of(shop.MATERIAL_SHARES, [shop.MATERIALS.index(c) for c in truth["cloth"]])
    colours = of(shop.COLOUR_SHARES, [shop.COLOURS.index(c) for c in truth["colours"]])
    look = np.column_stack([1 - shop.PATTERNED, shop.PATTERNED])
    mood = np.column_stack([1 - shop.PLAYFUL, shop.PLAYFUL])
    words = sum(of(shop.occasion_shares(), truth["occasions"][:, k] + 1) for k in range(2))
    prior = np.log(shop.SEASON_SHARES)
    picture = kind + colours + of(look, truth["patterned"].astype(int))
    named = truth["names_garment"][:, None], truth["names_material"][:, None]
    title = words + of(mood, truth["playful"].astype(int)) + cloth * named[1]
    return {"image": prior + picture, "text": prior + title + kind * named[0],
            "both": prior + picture + title}  # fmt: skip


def test_the_ceiling_is_what_the_best_reader_reaches():
    truth = shop.throw(40_000, 1, shop.Dials(twins=0))
    best = shop.ceiling(twins=0)
    for reader, scores in scores_by_season(truth).items():
        reached = (scores.argmax(axis=1) == truth["season"]).mean()
        assert reached == pytest.approx(best[reader], abs=0.01), reader


def test_liking_is_told_by_both_together_and_hardly_by_one():
    best = shop.ceiling("liked")
    assert best["both"] == pytest.approx(best["all"]) == pytest.approx(0.9)
    assert max(best["image"], best["text"], best["columns"]) < 0.62
    truth = shop.throw(40_000, 1, shop.Dials(twins=0))
    fits = truth["patterned"] == truth["playful"]
    assert np.mean(fits == (np.array(truth["liked"]) == "yes")) == pytest.approx(0.9, abs=0.01)


def test_dials_move_the_ceiling_the_way_they_say():
    assert shop.ceiling("liked", taste=0.5)["all"] == pytest.approx(0.5)
    assert shop.ceiling(named=0.6)["text"] > shop.ceiling(named=0)["text"]
    assert shop.ceiling(empty=1, named=0)["columns"] == pytest.approx(shop.ceiling()["chance"])
    assert shop.ceiling(empty=0)["all"] > shop.ceiling(empty=0.5)["all"]


def test_the_table_is_plain_csv_but_for_its_two_broken_lines(written):
    with (written / "products.csv").open(encoding="utf-8", newline="") as file:
        broken = [line for line in file if len(next(csv.reader([line]))) != len(shop.COLUMNS)]
    assert len(broken) == 2
