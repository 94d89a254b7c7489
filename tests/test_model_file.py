"""A classifier in a file: what goes in comes out, and every other file gets one sentence."""

import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils import model_file
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ColumnsReader, ImageReader, Reader, TextReader, fit_readers
from course_utils.data.rows import BadData, take
from course_utils.model_file import Answer, Classifier
from course_utils.recipes import build
from course_utils.training import predict

EXPERTS = {
    "image": [{"kind": "cnn", "reads": ["image"], "channels": [8, 8]}],
    "text": [{"kind": "bag", "reads": ["text"]}, {"kind": "linear text", "reads": ["text"]}],
    "columns": [{"kind": "columns", "reads": ["columns"]}],
}
SETTINGS = {"experts": EXPERTS, "joint": None, "rule": "product"}
ALONE = {name: {**SETTINGS, "experts": {name: EXPERTS[name]}} for name in EXPERTS}


@pytest.fixture(scope="module")
def rows():
    cards = news_cards.rows_for(news_cards.make(40, seed=1), "section")
    price = np.linspace(1, 9, len(cards["label"]))
    return cards | {"price": price, "material": ["wool", "silk"] * 9 + ["silk"]}


@pytest.fixture(scope="module")
def readers(rows):
    table = ColumnsReader(numbers=["price"], categories=["material"])
    return fit_readers({"image": ImageReader(), "text": TextReader(), "columns": table}, rows)


def made(settings, readers, classes, seed=0):
    torch.manual_seed(seed)
    return build(settings, readers, len(classes)).eval()


@pytest.fixture(scope="module")
def saved(rows, readers, tmp_path_factory):
    """A file with a model of three modalities and one of each, with random weights."""
    path = tmp_path_factory.mktemp("model") / "model.pt"
    models = {"chosen": (SETTINGS, made(SETTINGS, readers, rows.classes))}
    models |= {name: (own, made(own, readers, rows.classes)) for name, own in ALONE.items()}
    model_file.save_classifier(path, Classifier(
        rows.classes, readers, models, [Answer(("image",), "image", 0.5, 20)], rows.modalities,
        rows["image"].shape[1:3], "Taught by 40 cards.", {"tried": [{"rate": 0.1}]},
    ))  # fmt: skip
    return path


def one(rows, k=0):
    return {"image": rows["image"][k], "text": rows["headline"][k],
            "cells": {"price": rows["price"][k], "material": rows["material"][k]}}  # fmt: skip


# --- what goes in comes out -----------------------------------------------------------------------


def test_a_loaded_classifier_answers_as_the_model_that_was_saved(saved, rows, readers):
    model = made(SETTINGS, readers, rows.classes)
    tensors = to_tensors(rows, readers)
    expected = predict(model, Batches(tensors, 256)).softmax(dim=1)
    loaded = model_file.load(saved)
    assert torch.allclose(loaded.predict_rows(rows), expected, atol=1e-6)
    said = loaded.predict(**one(rows))
    assert [said[name] for name in rows.classes] == pytest.approx(expected[0].tolist(), abs=1e-6)
    assert list(said.values()) == sorted(said.values(), reverse=True)
    assert (loaded.about, loaded.classes) == ("Taught by 40 cards.", rows.classes)
    assert loaded.details == {"tried": [{"rate": 0.1}]}
    assert loaded.versions["torch"] == torch.__version__


def test_another_process_gives_the_same_probabilities(saved, rows, root):
    text = rows["headline"][3]
    program = (
        "import sys; from course_utils import model_file\n"
        "said = model_file.load(sys.argv[1]).predict(text=sys.argv[2], cells={'price': '2.5'})\n"
        "print(*(f'{name} {value!r}' for name, value in said.items()), sep='\\n')"
    )
    out = subprocess.run([sys.executable, "-c", program, str(saved), text], cwd=root,
                         capture_output=True, text=True, check=True).stdout  # fmt: skip
    there = {name: float(value) for name, value in map(str.split, out.splitlines())}
    assert there == pytest.approx(model_file.load(saved).predict(text=text, cells={"price": 2.5}))


def test_saving_and_loading_leave_the_random_numbers_alone(saved):
    before = torch.get_rng_state()
    model_file.load(saved)
    assert torch.equal(before, torch.get_rng_state())


def test_rows_may_lack_pictures_texts_and_cells_each_its_own(saved, rows):
    loaded = model_file.load(saved)
    some = take(rows, range(4)).copy()
    some["image"] = [None, *some["image"][1:]]
    some["headline"] = [some["headline"][0], None, *some["headline"][2:]]
    some["price"] = some["material"] = None
    del some["price"], some["material"]
    found = loaded.predict_rows(some)
    each = [loaded.predict(image=some["image"][k], text=some["headline"][k]) for k in range(4)]
    for row, said in zip(found.tolist(), each, strict=True):
        assert row == pytest.approx([said[name] for name in rows.classes], abs=1e-6)


# --- one prediction, with parts missing -----------------------------------------------------------


@pytest.mark.parametrize("given", [("image",), ("text",), ("cells",), ("image", "text"),
                                   ("text", "cells"), ("image", "text", "cells")])  # fmt: skip
def test_any_part_may_be_missing(saved, rows, given):
    said = model_file.load(saved).predict(**{n: v for n, v in one(rows).items() if n in given})
    assert sum(said.values()) == pytest.approx(1)
    assert {*said} == {*rows.classes}


def test_what_is_missing_does_not_weigh(saved, rows, readers):
    """A model that is told of an absence gives what the fusion makes of the rest."""
    model = made(SETTINGS, readers, rows.classes)
    tensors = to_tensors(take(rows, [0]), readers)
    tensors["present"]["columns"] = torch.tensor([False])
    (expected,) = predict(model, Batches(tensors)).softmax(dim=1).tolist()
    given = one(rows) | {"cells": None}
    said = model_file.load(saved).predict(**given)
    assert [said[name] for name in rows.classes] == pytest.approx(expected, abs=1e-6)


def test_the_model_that_was_said_to_answer_answers(saved, rows, readers):
    model = made(ALONE["image"], readers, rows.classes)
    (expected,) = predict(model, Batches(to_tensors(take(rows, [0]), readers))).softmax(1).tolist()
    said = model_file.load(saved).predict(image=rows["image"][0])
    assert [said[name] for name in rows.classes] == pytest.approx(expected, abs=1e-6)


def test_a_picture_comes_from_a_file_or_an_array_of_any_size(saved, rows, tmp_path):
    loaded = model_file.load(saved)
    picture = Image.fromarray(rows["image"][0])
    picture.save(tmp_path / "it.png")
    large = picture.resize((500, 500), Image.Resampling.NEAREST)
    large.save(tmp_path / "large.png")
    small = loaded.predict(image=tmp_path / "it.png")
    assert small == pytest.approx(loaded.predict(image=rows["image"][0]))
    from_file = loaded.predict(image=str(tmp_path / "large.png"))
    assert from_file == pytest.approx(loaded.predict(image=np.asarray(large)))


@pytest.mark.parametrize("nothing", [{}, {"text": " "}, {"cells": {}}, {"cells": {"price": ""}}])
def test_nothing_at_all_gets_a_sentence(saved, nothing):
    with pytest.raises(ValueError, match="at least one of image, text, price, material"):
        model_file.load(saved).predict(**nothing)


def test_a_picture_that_cannot_be_read_gets_a_sentence(saved, tmp_path):
    loaded = model_file.load(saved)
    (tmp_path / "no.png").write_text("no picture")
    for path, said in [("no.png", "is no picture"), ("gone.png", "is not there")]:
        with pytest.raises(BadData, match=said):
            loaded.predict(image=tmp_path / path)
    for array in [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]:
        with pytest.raises(ValueError, match="a picture is a file or an array"):
            loaded.predict(image=array)


def test_cells_that_no_model_reads_get_a_sentence(saved):
    loaded = model_file.load(saved)
    with pytest.raises(ValueError, match="no column 'colour'; it reads price, material"):
        loaded.predict(cells={"colour": "red"})
    for cell in ("cheap", "1,5", float("inf")):
        with pytest.raises(ValueError, match=r"'price' holds numbers, and .* is none"):
            loaded.predict(cells={"price": cell})
    with pytest.raises(ValueError, match="give a string"):
        loaded.predict(text=b"rain")


def test_a_category_that_was_never_seen_counts_as_absent_and_is_named(saved):
    loaded = model_file.load(saved)
    row = loaded.row(text="rain", cells={"material": "glass"})
    assert loaded.remarks(row) == ["material: no training row has 'glass', so it counts as absent; "
                                   "known are silk, wool."]  # fmt: skip
    assert loaded.remarks(loaded.row(text="rain", cells={"material": "wool"})) == []
    absent = loaded.predict(text="rain", cells={"price": 3})
    assert loaded.predict(text="rain", cells={"price": 3, "material": "glass"}) == absent


# --- what cannot be saved -------------------------------------------------------------------------


def test_texts_that_are_cut_by_a_function_of_ones_own_cannot_be_saved(rows, readers, tmp_path):
    own = TextReader(tokenize=str.split).fit(rows, "text")
    with pytest.raises(ValueError, match="cut by a function of your own"):
        save_with({**readers, "text": own}, rows, tmp_path / "model.pt")
    assert not [*tmp_path.iterdir()]


class Strange(Reader):
    def read(self, cells):
        return {"": torch.zeros(len(cells), 1)}


def save_with(readers, rows, path, settings=SETTINGS, **options):
    model = made(SETTINGS, readers, rows.classes)
    options = {"size": (48, 48), **options}
    return model_file.save(path, model, readers, settings, rows.classes, **options)


def test_what_no_file_can_hold_is_named_before_anything_is_written(rows, readers, tmp_path):
    path = tmp_path / "model.pt"
    with pytest.raises(ValueError, match="the reader of 'smell' is a Strange"):
        save_with({**readers, "smell": Strange()}, rows, path)
    with pytest.raises(ValueError, match=r"settings holds .*, a function"):
        save_with(readers, rows, path, {**SETTINGS, "rate": lambda: 1})
    with pytest.raises(ValueError, match=r"size=\(H, W\)"):
        save_with(readers, rows, path, size=None)
    assert not [*tmp_path.iterdir()]


def test_a_failed_write_leaves_the_old_file(saved, rows, readers, tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    path.write_bytes(saved.read_bytes())

    def half(state, part):
        part.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="full"):
        save_with(readers, rows, path)
    assert path.read_bytes() == saved.read_bytes()
    assert [*tmp_path.iterdir()] == [path]


# --- other files ----------------------------------------------------------------------------------


class Evil:
    def __reduce__(self):
        return print, ("code ran",)


def changed(saved, path, **changes):
    state = torch.load(saved, weights_only=True)
    state |= changes
    torch.save({name: value for name, value in state.items() if value is not ...}, path)


OTHERS = {
    "missing": (lambda saved, path: None, "there is no file"),
    "folder": (lambda saved, path: path.mkdir(), "is a folder"),
    "empty": (lambda saved, path: path.touch(), "is no model file, or was cut off"),
    "text": (lambda saved, path: path.write_text("hello"), "is no model file, or was cut off"),
    "half": (lambda saved, path: path.write_bytes(saved.read_bytes()[:-300]), "cut off"),
    "pickle": (lambda saved, path: path.write_bytes(pickle.dumps({"kind": 1})), "is no model file"),
    "zip": (lambda saved, path: zipfile.ZipFile(path, "w").writestr("a.txt", "a"), "is no model"),
    "checkpoint": (lambda saved, path: torch.save({"optimizer": {}, "model": {}}, path),
                   "is a checkpoint of fit, not a classifier's model file"),
    "weights": (lambda saved, path: torch.save(torch.nn.Linear(2, 2).state_dict(), path),
                r"holds weights alone \(a state_dict\)"),
    "tensor": (lambda saved, path: torch.save(torch.zeros(2), path), "holds a Tensor of torch"),
    "object": (lambda saved, path: torch.save({"kind": Evil()}, path), "which could run code"),
    "module": (lambda saved, path: torch.save(torch.nn.Linear(2, 2), path), "could run code"),
    "newer": (lambda saved, path: changed(saved, path, form=99), "is of form 99, and this course"),
    "tokens": (lambda saved, path: changed(saved, path, tokens=["x"]), "cuts texts into words in"),
    "no classes": (lambda saved, path: changed(saved, path, classes=...), "is damaged"),
    "no models": (lambda saved, path: changed(saved, path, models={}), "is damaged"),
    "fewer classes": (lambda saved, path: changed(saved, path, classes=["a"]), "does not build"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_any_other_file_gets_one_sentence(saved, kind, tmp_path, capsys):
    make, said = OTHERS[kind]
    path = tmp_path / "other.pt"
    make(saved, path)
    with pytest.raises(BadData, match=said) as caught:
        model_file.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "code ran" not in capsys.readouterr().out


def test_an_encoder_that_this_course_does_not_have_gets_a_sentence(saved, tmp_path):
    state = torch.load(saved, weights_only=True)
    state["models"]["chosen"]["settings"]["experts"]["image"][0]["kind"] = "mind reader"
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(BadData, match=r"does not build \(.*mind reader"):
        model_file.load(tmp_path / "model.pt")


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_file_is_never_read_as_if_it_were_whole(saved, tmp_path, data):
    whole = saved.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path / "model.pt"
    damaged = bytearray(whole)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged if data.draw(st.booleans()) else whole[:place])
    try:
        loaded = model_file.load(path)
    except BadData:
        return
    # What was hit carries nothing: the file's padding, a date.
    text = "rain and sun"
    assert loaded.predict(text=text) == model_file.load(saved).predict(text=text)


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(max_size=12), min_size=2, max_size=4, unique=True))
def test_class_names_of_any_script_come_back(rows, readers, tmp_path, classes):
    alone = {"text": readers["text"]}
    model = made(ALONE["text"], alone, classes)
    path = model_file.save(tmp_path / "m.pt", model, alone, ALONE["text"], classes)
    assert model_file.load(path).classes == tuple(classes)
    assert {*model_file.load(path).predict(text="雨")} == {*classes}
