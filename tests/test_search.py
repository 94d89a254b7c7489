"""The search for settings: what it promises of its choice, its model, and its end."""

import json

import numpy as np
import pytest
import torch

from course_utils import search as searching
from course_utils.choosing import Judge
from course_utils.data import arrows
from course_utils.data.batches import Batches
from course_utils.data.readers import ColumnsReader, ImageReader, Reader, TextReader
from course_utils.data.rows import Rows, split_rows, take
from course_utils.encoders import ColumnsEncoder, reading
from course_utils.measures import accuracy
from course_utils.recipes import TOKENS, build, readers_from, tensors_of, word_pieces
from course_utils.search import Found, search
from course_utils.training import TrainingStopped, predict

COLOURS = ("red", "blue", "green")
SIZES = {"train": 90, "validation": 40, "test": 60}


def make_rows(n, seed, classes=3, size=12):
    """A picture and a title that tell the class in two of three rows each, and a price."""
    dice = np.random.default_rng(seed)
    label = np.arange(n) % classes

    def blurred():
        return np.where(dice.random(n) < 0.67, label, dice.integers(0, classes, n))

    seen, told = blurred(), blurred()
    image = dice.integers(0, 60, (n, size, size, 3))
    for row, kind in enumerate(seen):
        image[row, :, :, kind % 3] += 120 + 10 * (kind // 3)
    noise = ["thing", "item", "piece"]
    columns = {
        "image": [*image.astype(np.uint8)],
        "title": [f"a {COLOURS[k % 3]}ish{k // 3} {noise[r]}"
                  for k, r in zip(told, dice.integers(0, 3, n), strict=True)],
        "price": 5.0 + label + dice.normal(0, 1, n),
        "kind": [("wood", "steel")[int(r)] for r in dice.integers(0, 2, n)],
        "label": label,
    }  # fmt: skip
    return Rows(columns, [str(k) for k in range(classes)], (), {"image": "image", "text": "title"})


def make_splits(classes=3, sizes=SIZES, **how):
    return {split: make_rows(n, seed, classes, **how) for seed, (split, n) in
            enumerate(sizes.items())}  # fmt: skip


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    monkeypatch.setattr(searching, "FURTHER_SEEDS", 0)
    shorter = lambda epochs, *rest: told(min(epochs, 3), *rest)  # noqa: E731
    told = searching._told
    monkeypatch.setattr(searching, "_told", shorter)


@pytest.fixture(scope="module")
def splits():
    return make_splits()


@pytest.fixture(scope="module")
def found(splits):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_SMOKE", raising=False)
        return search(splits, budget=14, minutes=5)


def test_the_chosen_fusion_is_right_more_often_than_its_parts(found, splits):
    label = torch.as_tensor(splits["test"]["label"])
    alone = {name: accuracy(one.logits, label) for name, one in found.alone.items()}
    assert [*alone] == ["image", "text"]
    assert accuracy(found.logits, label) > max(alone.values())
    assert accuracy(found.logits, label) > 0.7


def test_every_model_that_was_tried_has_its_line(found):
    assert {"part", "settings", "validation accuracy", "validation loss", "seconds"} <= {
        *found.table.columns
    }
    assert {*found.table["part"]} == {"image", "text", "joint", "fusion"}
    assert found.table["validation accuracy"].between(0, 1).all()
    trained = found.table[found.table["part"] != "fusion"]
    assert len(trained) <= 14
    assert found.settings["fusion"] in found.choice
    assert not found.stopped


def test_settings_readers_and_weights_make_the_same_model_again(found, splits, tmp_path):
    settings = json.loads(json.dumps(found.settings))  # plain values alone
    torch.save(found.model.state_dict(), tmp_path / "weights.pt")
    again = build(settings, found.readers, 3)
    again.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    tensors = tensors_of(splits["test"], found.readers, settings)
    assert torch.equal(predict(again, Batches(tensors, 256)), found.logits)
    for name, one in found.alone.items():
        own = {**settings, "experts": {name: settings["experts"][name]}, "joint": None,
               "rule": "product"}  # fmt: skip
        model = build(own, found.readers, 3)
        model.load_state_dict(one.model.state_dict())
        assert torch.equal(predict(model, Batches(tensors, 256)), one.logits)


def test_readers_of_the_same_kinds_come_from_the_settings(found, splits):
    again = readers_from(found.settings)
    assert {name: type(one) for name, one in again.items()} == {
        name: type(one) for name, one in found.readers.items()
    }
    for name, reader in again.items():
        reader.fit(splits["train"], name)
        for part, tensor in reader(splits["test"], name).items():
            assert torch.equal(tensor, found.readers[name](splits["test"], name)[part])


def test_the_same_seed_gives_the_same_model_and_leaves_other_random_numbers_alone(splits):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, twin = (search(splits, budget=6, minutes=5, seed=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.logits, twin.logits)
    assert one.settings == twin.settings


def test_test_rows_have_no_part_in_the_choice(splits):
    one = search(splits, budget=6, minutes=5)
    other = search({**splits, "test": make_rows(30, 9)}, budget=6, minutes=5)
    assert one.settings == other.settings
    for name, weights in one.model.state_dict().items():
        assert torch.equal(weights, other.model.state_dict()[name])


@pytest.mark.parametrize("place", range(4))
def test_the_line_of_a_fusion_is_that_of_the_model_that_it_becomes(splits, monkeypatch, place):
    def this_one(self, options):
        name = [*options][place]
        return name, name

    monkeypatch.setattr(Judge, "choose", this_one)
    rows = {split: part | {"image": [None, *part["image"][1:]]} for split, part in splits.items()}
    found = search(rows, budget=14, minutes=5)
    assert (found.settings["joint"] is not None) == (place == 3)
    line = found.table[found.table["settings"] == f"fusion {found.choice}"].iloc[0]
    tensors = tensors_of(rows["validation"], found.readers, found.settings)
    logits, label = predict(found.model, Batches(tensors, 256)), tensors["label"]
    assert accuracy(logits, label) == pytest.approx(line["validation accuracy"])
    loss = torch.nn.functional.cross_entropy(logits, label).item()
    assert loss == pytest.approx(line["validation loss"], abs=1e-4)
    again = build(found.settings, found.readers, 3)
    again.load_state_dict(found.model.state_dict())
    assert torch.equal(predict(again, Batches(tensors, 256)), logits)


# --- what is absent -------------------------------------------------------------------------------


def test_an_absent_modality_takes_no_part(found, splits):
    rows = take(splits["test"], range(6))
    rows["image"] = [None, None, *rows["image"][2:]]
    rows["title"] = [None, rows["title"][1], None, *rows["title"][3:]]
    logits = predict(found.model, Batches(tensors_of(rows, found.readers, found.settings)))
    torch.testing.assert_close(logits[3:], found.logits[3:6])
    share = torch.tensor([31.0, 31, 31]) / 93
    torch.testing.assert_close(logits[0].softmax(0), share)
    for row, name in ((1, "text"), (2, "image")):
        weight = found.model.fusion.weights[found.model.fusion.names.index(name)]
        alone = found.alone[name].logits[row].log_softmax(0) - share.log()
        if found.settings["rule"] != "mean of probabilities":
            alone = alone * weight
        torch.testing.assert_close(logits[row].log_softmax(0),
                                   (alone + share.log()).log_softmax(0))  # fmt: skip


def test_a_row_without_a_picture_is_answered_by_its_title(found, splits):
    rows = take(splits["test"], [0])
    rows["image"] = [None]
    tensors = tensors_of(rows, found.readers, found.settings, label=None)
    assert predict(found.model, Batches(tensors)).isfinite().all()


def test_rows_of_which_some_lack_a_modality_are_learnt_from(splits):
    holes = {}
    for split, rows in splits.items():
        image, title = (
            [None if row % every == rest else cell for row, cell in enumerate(rows[name])]
            for name, every, rest in (("image", 3, 0), ("title", 4, 1))
        )
        holes[split] = rows | {"image": image, "title": title}
    found = search(holes, budget=12, minutes=5)
    assert found.logits.isfinite().all()
    assert accuracy(found.logits, torch.as_tensor(splits["test"]["label"])) > 0.5


def test_a_modality_that_no_training_row_has_is_left_out_with_a_word(splits, capsys):
    train = splits["train"] | {"title": [None] * SIZES["train"]}
    found = search({**splits, "train": train}, budget=4, minutes=5)
    assert "no training row has 'text'" in capsys.readouterr().out
    assert [*found.alone] == ["image"]


# --- which modalities -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["image", "text"])
def test_one_modality_alone_will_do(splits, name):
    found = search(splits, budget=5, minutes=5, modalities=[name])
    assert [*found.alone] == [name]
    assert torch.equal(found.logits, found.alone[name].logits)
    assert found.settings["fusion"] == "alone"


def test_columns_of_a_table_join_the_others(splits):
    reader = ColumnsReader(numbers=("price",), categories=("kind",))
    found = search(splits, budget=12, minutes=5, readers={"columns": reader})
    assert [*found.alone] == ["image", "text", "columns"]
    assert "columns" in found.model.reads


class PairReader(Reader):
    """Two numbers of a row, any names."""

    def read(self, cells):
        return {"": torch.tensor([*cells], dtype=torch.float32)}


@pytest.mark.parametrize("own", [None, {"pair": lambda reader: reading(ColumnsEncoder(2), "pair")}])
def test_a_modality_of_ones_own_needs_a_reader_and_no_change_here(splits, own):
    rows = {split: part | {"pair": [(k, price) for k, price in enumerate(part["price"])]}
            for split, part in splits.items()}  # fmt: skip
    found = search(rows, budget=8, minutes=5, readers={"pair": PairReader()}, encoders=own)
    assert [*found.alone] == ["image", "text", "pair"]
    again = build(found.settings, found.readers, 3, own)
    again.load_state_dict(found.model.state_dict())
    with pytest.raises(ValueError, match="'pair' was read by a reader of your own"):
        readers_from(found.settings)


def test_a_reader_of_ones_own_for_texts_is_kept(splits):
    reader = TextReader(tokenize=lambda text: text.split("i"))
    found = search(splits, budget=4, minutes=5, modalities=["text"], readers={"text": reader})
    assert found.readers["text"] is reader


def test_what_cannot_be_read_is_named(splits):
    rows = {
        split: part | {"odd": [object()] * len(part["label"])} for split, part in splits.items()
    }
    with pytest.raises(ValueError, match="'odd' holds neither pictures nor texts but object; give"):
        search(rows, modalities=["odd"])


# --- odd sets of rows -----------------------------------------------------------------------------


def test_forty_classes_are_told_apart():
    found = search(
        make_splits(40, {"train": 160, "validation": 60, "test": 60}), budget=8, minutes=5
    )
    assert found.logits.shape == (60, 40)


def test_a_class_may_be_missing_from_validation_and_have_two_rows(splits):
    few = {}
    for split, most in {"train": 2, "validation": 0, "test": 1}.items():
        label = np.asarray(splits[split]["label"])
        rare = np.flatnonzero(label == 2)[:most]
        few[split] = take(splits[split], np.sort(np.r_[np.flatnonzero(label != 2), rare]))
    found = search(few, budget=8, minutes=5)
    assert found.logits.isfinite().all()
    assert accuracy(found.logits, torch.as_tensor(few["test"]["label"])) > 0.6


def test_a_class_without_a_training_row_is_never_named(splits):
    rows = {split: Rows(part, [*part.classes, "unheard"], (), part.modalities)
            for split, part in splits.items()}  # fmt: skip
    found = search(rows, budget=6, minutes=5)
    assert found.logits.shape[1] == 4
    assert (found.logits.argmax(dim=1) < 3).all()


def test_pictures_that_are_all_alike_do_no_harm(splits):
    blank = {split: part | {"image": [np.full((12, 12, 3), 255, np.uint8)] * len(part["label"])}
             for split, part in splits.items()}  # fmt: skip
    found = search(blank, budget=10, minutes=5)
    label = torch.as_tensor(splits["test"]["label"])
    assert found.logits.isfinite().all()
    assert accuracy(found.logits, label) >= accuracy(found.alone["text"].logits, label) - 0.05


@pytest.mark.parametrize(
    "texts", [["红色 的 东西", "蓝色", "绿"], ["", "!!", "?"], ["a " * 600] * 3]
)
def test_texts_of_any_kind_are_read(splits, texts):
    rows = {split: part | {"title": [texts[k] for k in part["label"]]}
            for split, part in splits.items()}  # fmt: skip
    found = search(rows, budget=5, minutes=5, modalities=["text"])
    assert found.logits.isfinite().all()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_rows_that_the_search_needs_are_asked_for(splits, split):
    with pytest.raises(ValueError, match=f"needs {split} rows, and there are none"):
        search({**splits, split: take(splits[split], [])})


def test_one_class_is_nothing_to_tell_apart(splits):
    one = take(splits["train"], splits["train"]["label"] == 0)
    with pytest.raises(ValueError, match="same label; there is nothing to tell apart"):
        search({**splits, "train": one})


@pytest.mark.parametrize("wrong", [{"budget": 0}, {"minutes": 0}])
def test_a_budget_that_allows_nothing_is_refused(splits, wrong):
    with pytest.raises(ValueError, match=r"is a (number of models|time)"):
        search(splits, **wrong)


# --- the end --------------------------------------------------------------------------------------


def test_a_budget_of_one_still_gives_each_modality_a_model(splits):
    found = search(splits, budget=1)
    assert [*found.alone] == ["image", "text"]
    assert {*found.table["part"]} == {"image", "text", "fusion"}


def stop_at(monkeypatch, number):
    """Somebody presses stop during the ``number``-th training of a network."""
    counted = iter(range(1, 100))
    fit = searching.fit

    def stopping(*parts, **how):
        if next(counted) == number:
            raise KeyboardInterrupt
        return fit(*parts, **how)

    monkeypatch.setattr(searching, "fit", stopping)


def test_a_stop_ends_with_what_there_is(splits, monkeypatch):
    stop_at(monkeypatch, 2)
    found = search(splits, minutes=5)
    assert isinstance(found, Found)
    assert found.stopped
    assert len(found.table[found.table["part"] == "image"]) == 2
    assert accuracy(found.logits, torch.as_tensor(splits["test"]["label"])) > 0.6


def test_a_stop_before_each_modality_has_a_model_is_a_stop(splits, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(searching._Search, "fit_pictures", stop)
    with pytest.raises(KeyboardInterrupt):
        search({s: part.with_columns(part) for s, part in splits.items()}, minutes=5)


def test_a_joint_network_begins_as_what_its_parts_say_together(splits, monkeypatch):
    begun = []
    train = searching._train

    def watched(model, rows, options, picture, seed, validation=None):
        if validation is not None and "image" in validation and validation["image"].ndim == 2:
            begun.append((model.fusion, predict(model, Batches(validation, 256))))
        train(model, rows, options, picture, seed, validation)

    monkeypatch.setattr(searching, "_train", watched)
    search(splits, budget=14, minutes=5)
    assert len(begun) > 1
    label = torch.as_tensor(splits["validation"]["label"])
    for _, logits in begun:  # whatever stands beside the concat, they begin alike
        torch.testing.assert_close(logits, begun[0][1])
        assert accuracy(logits, label) > 0.5  # of three classes


def test_a_network_whose_loss_breaks_is_tried_and_not_chosen(splits, monkeypatch):
    def broken(*_, **__):
        raise TrainingStopped("the loss is nan")

    monkeypatch.setattr(searching, "fit", broken)
    found = search(splits, budget=12, minutes=5)
    failed = found.table[found.table["settings"].str.startswith("failed")]
    assert {*failed["part"]} == {"image", "text"}
    assert found.logits.isfinite().all()


@pytest.mark.parametrize("size", [4, 70])
def test_pictures_of_any_size_are_read(size):
    rows = make_splits(sizes={"train": 30, "validation": 12, "test": 9}, size=size)
    found = search(rows, budget=6, minutes=5)
    assert found.logits.isfinite().all()
    again = build(found.settings, found.readers, 3)
    again.load_state_dict(found.model.state_dict())
    kinds = [one["kind"] for one in found.settings["experts"]["image"]]
    assert size > 4 or kinds == ["linear pictures"]


def test_it_works_in_torchs_other_precision(splits, monkeypatch):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        found = search(splits, budget=14, minutes=5)
    finally:
        torch.set_default_dtype(before)
    assert {value.dtype for value in found.model.state_dict().values()} <= {
        torch.float64, torch.long
    }  # fmt: skip
    assert found.logits.isfinite().all()


def test_a_smoke_run_tries_one_setting_of_each(splits, monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    counts = search(splits).table["part"].value_counts().to_dict()
    assert counts == {"image": 2, "text": 2, "joint": 3, "fusion": 4}


# --- how texts are cut ----------------------------------------------------------------------------


def test_pieces_mark_the_ends_of_words_and_are_no_words():
    tokens = word_pieces("Red sky")
    assert tokens[:3] == ["red", "sky", "red sky"]
    assert {"·<re", "·ed>", "·<red>"} <= {*tokens}
    assert not {*tokens[:3]} & {*tokens[3:]}


@pytest.mark.parametrize("text", ["", "?!", "红色", "a · b", "<a>"])
def test_every_way_to_cut_gives_a_list_of_strings(text):
    for cut in TOKENS.values():
        assert all(isinstance(token, str) and token for token in cut(text))


def test_the_search_reads_pictures_under_another_name(splits):
    rows = {}
    for split, part in splits.items():
        columns = {"thumb": part["image"], "label": part["label"]}
        rows[split] = Rows(columns, part.classes, (), {"photo": "thumb"})
    found = search(rows, budget=4, minutes=5)
    assert isinstance(found.readers["photo"], ImageReader)
    assert "photo" in found.model.reads


def test_a_label_of_which_no_part_alone_tells_is_learnt_by_a_fusion_from_scratch():
    rows = split_rows(arrows.make(1000, seed=5))
    found = search(rows, budget=12, minutes=60)
    label = torch.as_tensor(rows["test"]["label"])
    assert accuracy(found.logits, label) > 0.8
    alone = [accuracy(one.logits, label) for one in found.alone.values()]
    assert max(alone) < 0.65
