"""The command on a folder: from a table to a model, a report, a prediction; and its sentences."""

import csv
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import classify, model_file
from course_utils.classify import Reading, as_options, main, predict, report, train
from course_utils.data.rows import BadData

N = 120
TITLES = {"summer": "sun sandal light", "winter": "wool boot warm", "rain": "coat wet grey"}
COLOURS = {"summer": (230, 200, 60), "winter": (60, 80, 200), "rain": (120, 120, 120)}


def write_shop(folder, names=("photo", "title", "season", "price", "material"), classes=TITLES):
    """A folder of pictures whose colour, and titles whose words, tell the season, mostly."""
    generator = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = [list(names)]
    for k in range(N):
        season = [*classes][k % len(classes)]
        kind = [*TITLES][k % len(classes)]
        pixels = generator.normal(COLOURS[kind], 30, (24, 20, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{k}.png")
        words = generator.permutation(TITLES[kind].split())
        lines.append([f"images/{k}.png", f"{' '.join(words)} no {k}", season,
                      str(5 + k % 7 + k), ["silk", "wool"][k % 2]])  # fmt: skip
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
    (folder / "products.csv").write_text("\n".join(quoted) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _smoke(monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return write_shop(tmp_path_factory.mktemp("shop") / "my shop")


@pytest.fixture(scope="module")
def trained(shop, tmp_path_factory):
    """What the command says, and the folder that it wrote, once for all tests."""
    out = tmp_path_factory.mktemp("out") / "classifier"
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_SMOKE", "1")
        found = train(shop, label="season", columns=["price", "material"], out=out, say=said.append)
    return found, said, out


def answers(text):
    """The lines of ``predict``: {class: probability}."""
    return {line.split("  ")[1]: float(line.split("  ")[0]) for line in text.splitlines()}


# --- from a folder to a prediction ----------------------------------------------------------------


def test_training_says_what_it_takes_what_it_will_do_and_where_the_files_are(trained):
    found, said, out = trained
    whole = "\n".join(said)
    assert not found.stopped
    for part in ("table: products.csv", "pictures: photo", "text: title", "120 rows: ",
                 "3 classes of season", "columns price, material", "the search takes",
                 f"model: {out / 'model.pt'}", f"report: {out / 'report.html'}"):  # fmt: skip
        assert part in whole, part
    before = whole.index("the search takes")
    assert whole.index("120 rows") < before < whole.index("model: ")
    assert {path.name for path in out.iterdir()} == {"model.pt", "report.html"}


def test_the_report_tells_all_that_was_found(trained):
    _, _, out = trained
    html = (out / "report.html").read_text(encoding="utf-8")
    for part in ("majority", "linear: image", "linear: text", "linear: all", "image alone",
                 "chosen: ", "95 % interval", "recall", "calibration", "learning curve",
                 "shuffles", "my shop", "predict model.pt"):  # fmt: skip
        assert part in html, part


@pytest.mark.parametrize("given", [
    ["--text", "wool boot warm"], ["--image", "{shop}/images/1.png"], ["--cell", "price=12.5"],
    ["--text", "wool", "--image", "{shop}/images/1.png", "--cell", "material=silk"],
])  # fmt: skip
def test_a_prediction_takes_any_part_alone(trained, shop, given, capsys):
    _, _, out = trained
    given = [part.format(shop=shop) for part in given]
    assert main(["predict", str(out / "model.pt"), *given]) == 0
    printed = capsys.readouterr()
    found = answers(printed.out)
    assert {*found} == {*TITLES}
    assert sum(found.values()) == pytest.approx(1, abs=0.01)
    everything = "--text" in given and "--image" in given
    assert everything != ("without " in printed.err)
    if not everything:
        assert re.search(r"it was right in 0\.\d\d|1\.00 of \d+ validation rows", printed.err)


def test_the_function_and_the_command_answer_alike(trained, capsys):
    found, _, out = trained
    main(["predict", str(out), "--text", "wool boot"])
    shown = answers(capsys.readouterr().out)
    said = predict(out, text="wool boot")
    assert shown == pytest.approx(said, abs=1e-3)
    assert predict(found.classifier, text="wool boot") == pytest.approx(said, abs=1e-6)
    assert found.classifier.predict(text="wool boot") == pytest.approx(said, abs=1e-6)


def test_who_answers_was_chosen_by_validation_rows_and_is_kept(trained):
    found, _, out = trained
    kept = model_file.load(out / "model.pt")
    assert kept.answers == found.classifier.answers
    assert len(kept.answers) == 2**3 - 2
    for answer in kept.answers:
        assert answer.rows > 0
        assert 0 <= answer.accuracy <= 1


def test_the_parts_that_two_models_share_stand_once_in_the_file(trained):
    _, _, out = trained
    state = torch.load(out / "model.pt", weights_only=True)
    weights = [one for kept in state["models"].values() for one in kept["weights"].values()]
    inside = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in weights}
    assert sum(inside.values()) < 0.75 * sum(one.numel() * one.element_size() for one in weights)


def test_a_report_can_be_made_again_and_says_the_same(trained, tmp_path):
    _, _, out = trained
    said = []
    page = report(out, out=tmp_path / "again.html", say=said.append)
    first, second = ((path).read_text("utf-8") for path in (out / "report.html", page))
    table = r"<tbody>.*?</tbody>"
    assert re.findall(table, first, re.S)[1] == re.findall(table, second, re.S)[1]
    assert said[-1] == f"report: {page}"


def test_a_folder_that_moved_is_named_and_one_that_changed_is_refused(trained, shop, tmp_path):
    _, _, out = trained
    import shutil

    moved = shutil.copytree(shop, tmp_path / "moved")
    table = moved / "products.csv"
    table.write_text(table.read_text("utf-8").replace("winter", "summer", 1), "utf-8")
    with pytest.raises(BadData, match="has changed since it taught"):
        report(out, folder=moved)
    with pytest.raises(BadData, match="is not there; say where it is with --folder"):
        report(out, folder=tmp_path / "nowhere")


# --- bad data and arguments: one sentence, and 1 --------------------------------------------------


@pytest.mark.parametrize(("arguments", "sentence"), [
    ([], "the following arguments are required"),
    (["train"], "the following arguments are required: FOLDER"),
    (["fly"], "invalid choice: 'fly'"),
    (["train", "{tmp}/nowhere"], "there is no folder"),
    (["train", "{shop}"], "columns could be the label: season .*, material .* --label NAME"),
    (["train", "{shop}", "--label", "colour"], "no column 'colour'"),
    (["train", "{shop}", "--table", "other.csv"], "has no table other.csv"),
    (["train", "{shop}", "--label", "season", "--columns", "weight"], "has no column 'weight'"),
    (["train", "{shop}", "--label", "season", "--minutes", "0"], "--minutes is a number above 0"),
    (["train", "{shop}", "--label", "season", "--minutes", "soon"], "invalid float value: 'soon'"),
    (["train", "{shop}", "--label", "season", "--out", "{out}"], "there is a model in .* already"),
    (["train", "{shop}", "--split-word", "eval"], "'eval' has no =; write it as"),
    (["report", "{tmp}"], "there is no file"),
    (["predict", "{tmp}/model.pt", "--text", "a"], "there is no file"),
    (["predict", "{shop}/products.csv", "--text", "a"], "is no model file"),
    (["predict", "{out}"], "give at least one of image, text, price, material"),
    (["predict", "{out}", "--image", "{tmp}/no.png"], "is not there"),
    (["predict", "{out}", "--image", "{shop}/products.csv"], "is no picture"),
    (["predict", "{out}", "--cell", "price"], "'price' has no =; write it as in --cell price=12.5"),
    (["predict", "{out}", "--cell", "price=cheap"], "'price' holds numbers"),
    (["predict", "{out}", "--cell", "colour=red"], "reads no column 'colour'"),
])  # fmt: skip
def test_bad_input_gets_one_sentence_and_exit_code_1(
    arguments, sentence, trained, shop, tmp_path, capsys
):
    _, _, out = trained
    rest = ["--out", str(tmp_path / "new")] if "train" in arguments and len(arguments) > 1 else []
    rest = [] if "--out" in arguments else rest
    filled = [one.format(tmp=tmp_path, shop=shop, out=out) for one in arguments]
    assert main([*filled, *rest]) == 1
    said = capsys.readouterr().err
    assert re.search(sentence, said), said
    assert said.count("\n") == 1


def test_one_class_and_an_empty_split_get_a_sentence(shop, tmp_path):
    table = (shop / "products.csv").read_text("utf-8")
    (shop / "one.csv").write_text(re.sub("winter|rain", "summer", table), "utf-8")
    with pytest.raises(BadData, match="all rows have the season 'summer'"):
        train(shop, table="one.csv", label="season", out=tmp_path / "out")
    lines = table.splitlines()
    marked = [lines[0] + ',"part"', *(line + ',"train"' for line in lines[1:])]
    (shop / "part.csv").write_text("\n".join(marked), "utf-8")
    with pytest.raises(BadData, match="there is no test row"):
        train(shop, table="part.csv", label="season", split="part", out=tmp_path / "out")
    with pytest.raises(BadData, match=r"several tables: one.csv, part.csv, products.csv"):
        train(shop, label="season", out=tmp_path / "out")
    for name in ("one.csv", "part.csv"):
        (shop / name).unlink()


def test_a_row_that_cannot_be_used_is_said_and_counted(shop):
    table = (shop / "products.csv").read_text("utf-8")
    (shop / "bad.csv").write_text(table + '"images/0.png","a title","","3","wool"\n', "utf-8")
    said = []
    rows = classify.read_splits(Reading(str(shop), "bad.csv", "photo", "title", "season"), 0,
                                said.append)  # fmt: skip
    (shop / "bad.csv").unlink()
    assert any("left out 1 row: 1 empty label (line 122)" in line for line in said)
    assert [row.line for row in rows["train"].skipped] == [122]


def test_quotes_can_be_told_to_be_letters(shop):
    with (shop / "products.csv").open(encoding="utf-8", newline="") as table:
        header, first, *others = csv.reader(table)
    first[header.index("title")] = '"12 inches'
    lines = ["\t".join(cells) for cells in (header, first, *others)]
    (shop / "inches.tsv").write_text("\n".join(lines), "utf-8")
    asked = Reading(str(shop), "inches.tsv", "photo", "title", "season", delimiter="\t",
                    quoting="none")  # fmt: skip
    rows = classify.read_splits(asked, 0, str)
    (shop / "inches.tsv").unlink()
    assert any('"12 inches' in part["title"] for part in rows.values())


def test_advice_names_the_commands_options():
    for advice, ours in {
        'try encoding="latin-1"': "try --encoding latin-1",
        "try delimiter=';'": "try --delimiter ';'",
        "try delimiter='\\t'": "try --delimiter tab",
        "try delimiter='\\x01'": "try --delimiter '\\x01'",
        'write delimiter="\\t"': "write --delimiter tab",
        "with drop_labels=(...)": "with --drop NAME",
        "with drop_labels=('...', 'a b')": "with --drop ... 'a b'",
        "in split_words={...}, or": "in --split-word WORD=SPLIT, or",
        'with table="..."': "with --table NAME",
        "give as encoding=... the": "give as --encoding NAME the",
        "proportions=(train, validation, test)": "--proportions TRAIN VALIDATION TEST",
        "from it; to keep them apart, name both in classes=(...)": "from it",
        "pass split_column=None to": "pass --split none to",
        "with group_column=...": "with --group NAME",
        'say image_pattern="images/{id}.jpg"': "say --image-pattern 'images/{id}.jpg'",
        "split_words={'eval': 'test'}": "--split-word eval=test",
        "split_column=None to have them divided by group_column=... and split_seed=...":
            "--split none to have them divided by --group NAME and --seed NAME",
        'pass quoting="none" if': "pass --quoting none if",
        'the picture is gone; put it there, or leave such rows out with on_bad="skip"':
            "the picture is gone; put it there",
        "x=3 and y={a} stay": "x=3 and y={a} stay",
    }.items():  # fmt: skip
        assert as_options(advice) == ours


@pytest.mark.parametrize("module", ["decoding", "folder", "layout", "look_alikes", "remarks",
                                    "picture_files", "splits", "table"])  # fmt: skip
def test_no_advice_on_a_folder_reaches_the_command_with_an_open_value_of_pythons(module, root):
    source = (root / "course_utils" / "data" / f"{module}.py").read_text("utf-8")
    for open_value in re.findall(r"\b[a-z_]+=(?:\(\.\.\.\)|\{\.\.\.\}|\"?\.\.\.\"?)", source):
        told = as_options(f"as the table says; to keep them apart, name both in {open_value}")
        assert "..." not in told
        assert "Ellipsis" not in told


# --- the first meeting with a folder of one's own -------------------------------------------------


def parted_by(shop, mark, name="other.txt"):
    """The shop's table with other marks between its cells."""
    with (shop / "products.csv").open(encoding="utf-8", newline="") as table:
        rows = [*csv.reader(table)]
    with (shop / name).open("w", encoding="utf-8", newline="") as table:
        csv.writer(table, delimiter=mark).writerows(rows)
    return name


@pytest.mark.parametrize("mark", ["\t", ";", "|", ",", "^", "\x01"])
def test_the_delimiter_is_found_where_none_is_given_and_said(shop, mark):
    name, said = parted_by(shop, mark), []
    asked = classify.complete(Reading(str(shop), name, label="season"), said.append)
    (shop / name).unlink()
    assert (asked.delimiter, asked.image, asked.text) == (mark, "photo", "title")
    told = {"\t": "a tab", ",": "a comma"}.get(mark, repr(mark))
    assert f"delimiter: {told}; otherwise --delimiter SIGN" in said


@pytest.mark.parametrize("given", ["\\t", "tab", "TAB", "\t"])
def test_a_tab_can_be_typed_in_the_ways_that_people_try(shop, given, capsys, tmp_path):
    name = parted_by(shop, "\t")
    arguments = ["train", str(shop), "--table", name, "--delimiter", given, "--label", "colour"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    (shop / name).unlink()
    assert "no column 'colour' (it has photo, title, season" in capsys.readouterr().err


def test_a_wrong_delimiter_is_answered_with_one_that_the_command_takes(shop, capsys, tmp_path):
    name = parted_by(shop, "\t")
    arguments = ["train", str(shop), "--table", name, "--out", str(tmp_path / "out")]
    assert main([*arguments, "--delimiter", "comma"]) == 1
    said = capsys.readouterr().err
    (shop / name).unlink()
    assert "the table has one column; " in said
    assert said.endswith("try --delimiter tab\n")


def test_a_run_that_fails_leaves_no_folder(shop, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    assert main(["train", str(shop), "--label", "colour", "--out", str(out)]) == 1
    assert not out.parent.exists()
    (tmp_path / "file").write_text("")
    assert main(["train", str(shop), "--label", "season", "--out", str(tmp_path / "file")]) == 1
    assert "nothing can be written into" in capsys.readouterr().err


def test_one_network_is_one(monkeypatch):
    monkeypatch.setattr(classify, "_minutes_of_a_network", lambda splits: 1)
    assert "about 1 network can" in classify._how_long({}, 1.2, 0)
    assert "about 2 networks can" in classify._how_long({}, 2.2, 0)


def test_a_text_of_unknown_words_is_remarked_on(trained, capsys):
    _, _, out = trained
    assert main(["predict", str(out), "--text", "qqq zzz"]) == 0
    assert "title: no training row has any of these words" in capsys.readouterr().err
    assert main(["predict", str(out), "--text", "qqq wool"]) == 0
    assert "any of these words" not in capsys.readouterr().err


def test_words_for_splits_and_no_splits_at_all_exclude_each_other(shop, capsys, tmp_path):
    arguments = ["train", str(shop), "--split", "none", "--split-word", "eval=test"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    assert "leave one of them out" in capsys.readouterr().err


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name in ("table", "image", "text", "label", "split", "columns", "minutes", "out"):
        assert f"--{name}" in text


# --- a stop ---------------------------------------------------------------------------------------


def test_a_stopped_search_leaves_its_best_model_and_says_so(shop, tmp_path, monkeypatch, capsys):
    real = classify.search

    def stopped(*arguments, **options):
        found = real(*arguments, **options)
        found.stopped = True
        return found

    monkeypatch.setattr(classify, "search", stopped)
    out = tmp_path / "out"
    assert main(["train", str(shop), "--label", "season", "--out", str(out)]) == 130
    assert "this is the best model so far" in capsys.readouterr().out
    assert [path.name for path in out.iterdir()] == ["model.pt"]
    assert {*predict(out, text="wool")} == {*TITLES}


def test_a_stopped_report_leaves_the_model(shop, tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(classify, "measure", stop)
    out = tmp_path / "out"
    assert main(["train", str(shop), "--label", "season", "--out", str(out)]) == 130
    assert "the report was stopped" in capsys.readouterr().out
    assert [path.name for path in out.iterdir()] == ["model.pt"]
    assert main(["report", str(out)]) == 130


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_ctrl_c_while_the_command_works_ends_it_without_a_traceback(shop, tmp_path, root):
    command = [sys.executable, "-m", "course_utils.classify", "train", str(shop),
               "--label", "season", "--out", str(tmp_path / "out")]  # fmt: skip
    options = {"cwd": root, "text": True, "env": {**os.environ, "COURSE_SMOKE": "0"}}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **options) as process:  # fmt: skip
        for line in process.stdout:
            if "the search takes" in line:
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    # A shell says 130 for both. Python ends itself by the signal where the interrupt came while
    # code in a string was run, as imports do, although it was caught.
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in err
    assert "stopped" in out + err
    left = sorted(path.name for path in (tmp_path / "out").glob("*"))
    assert left in ([], ["model.pt"])
    if left:
        assert {*predict(tmp_path / "out", text="wool")} == {*TITLES}


# --- names of any script --------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_of_columns_and_classes_may_be_of_any_script(tmp_path):
    picture, title, label, price, other = "圖片", "العنوان", "ऋतु <b>", "τιμή", "матеріал"
    classes = {"夏 & 冬": 1, "الشتاء": 2, "<script>ж</script>": 3}
    folder = write_shop(tmp_path / "лавка", (picture, title, label, price, other), classes)
    found = train(folder, image=picture, text=title, label=label, columns=[price, other],
                  out=folder / "out", say=lambda sentence: None)  # fmt: skip
    kept = model_file.load(found.model)
    assert {*kept.classes} == {*classes}
    assert {*predict(kept, text="wool", cells={price: 3, other: "silk"})} == {*classes}
    html = found.report.read_text("utf-8")
    assert "<script>" not in html
    assert "الشتاء" in html
