"""The report's page: whole without a network, and safe from what the data holds."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from course_utils.baselines import TunedLinear
from course_utils.data.readers import ColumnsReader, ImageReader, TextReader, fit_readers
from course_utils.data.rows import Rows, SkippedRow
from course_utils.findings import CurvePoint, Findings, Gain, Line, Missing, Worth
from course_utils.model_file import Classifier
from course_utils.report import gain_sentence, page, reading, said, write_report

NASTY = ["<script>alert(1)</script>", 'a" onload="x', "&amp;", "مرحبا", "天気", "\u202eevil",
         "a\nb", "{0}", "$x$", "\x07", "\ud800"]  # fmt: skip
VOID = {"meta", "img", "br"}
TAGS = {*re.findall(r"\w+", """html head meta title style body header h1 h2 p strong em bdi nav ol
    span ul li a main section div table thead tbody tr th td figure figcaption img br code pre
    """)}  # fmt: skip
ATTRIBUTES = {*re.findall(r"\S+", """lang charset name content class href id aria-label
    aria-labelledby scope alt style src title""")}  # fmt: skip


class Checker(HTMLParser):
    """Every tag is closed in order; notes tags, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)


def findings(classes=("shirt", "shoe"), texts=("red", "blue"), columns=("price",), n=12):
    """Findings of a classifier that answers at random, on n test rows."""
    generator = np.random.default_rng(0)
    label = np.arange(n) % len(classes)
    columns_of_rows = {
        "image": generator.integers(0, 255, (n, 8, 8, 3), dtype=np.uint8),
        "title": [texts[k % len(texts)] for k in range(n)],
        "label": label,
        "file": [f"{texts[0]}/{k}.png" for k in range(n)],
        **{name: generator.random(n) for name in columns},
    }
    skipped = [SkippedRow(3, texts[0], "missing image", f"{texts[0]}: is not there")]
    rows = Rows(columns_of_rows, classes, skipped, {"text": "title"})
    rows.remarks = [f"{texts[-1]} looks like {texts[0]}"]
    readers = {"image": ImageReader(), "text": TextReader(), "columns": ColumnsReader(columns)}
    readers = fit_readers(readers, rows)
    model = torch.nn.Module()
    model.encoders, model.fusion = {"image": 1, "text": 2}, None
    tried = [{"fusion": "concat", "learning_rate": 3e-3, "note": texts[0]}]
    classifier = Classifier(tuple(classes), readers, {"chosen": ({"fusion": "concat"}, model)},
                            [], {"text": "title"}, (8, 8), f"Taught by {texts[0]}.",
                            {"tried": tried}, {"course": "0.1"})  # fmt: skip
    probabilities = torch.tensor(generator.dirichlet([1.0] * len(classes), n))
    true = torch.from_numpy(label)
    right = probabilities.argmax(dim=1) == true
    half = torch.arange(n) < n // 2
    lines = [Line("majority", "majority", true == 0), Line("linear", "linear: both", half, 0.5),
             Line("network", "network: text", ~half, 0.4),
             Line("fusion", classifier.chosen_name, right, 0.6)]  # fmt: skip
    linear = {"both": TunedLinear(0.5, 0.5, {}, true)}
    return Findings(
        classifier, {"train": rows, "validation": rows, "test": rows}, true, probabilities, lines,
        linear, [Gain(classifier.chosen_name, "linear: both", 0.1, -0.1, 0.3)],
        [Worth("text", 0.2, 0.1, 0.3), Worth("image", 0.0, -0.1, 0.1)],
        [Missing(("text",), 0.5, "chosen", 0.5)],
        [CurvePoint("linear: both", 6, half), CurvePoint("linear: both", 12, right)],
    )  # fmt: skip


def test_the_page_stands_alone_and_every_tag_is_closed():
    html = page(findings(), "shop")
    checked = Checker(html)
    assert "script" not in checked.tags
    assert "link" not in checked.tags
    sources = [value for _, name, value in checked.attributes if name in ("src", "href")]
    assert all(value.startswith(("data:image/", "#")) for value in sources)
    assert "http" not in re.sub(r'src="[^"]*"', "", html)
    assert len(html) < 2_000_000


def test_links_lead_to_headings_and_pictures_have_words():
    checked = Checker(page(findings(), "shop"))
    names = {value for _, name, value in checked.attributes if name == "id"}
    links = [value[1:] for _, name, value in checked.attributes if name == "href"]
    assert len(links) >= 8
    assert {*links} == names
    alts = [value for tag, name, value in checked.attributes if (tag, name) == ("img", "alt")]
    assert len(alts) == checked.tags.count("img") > 3
    assert all(alt.strip() for alt in alts)


@settings(deadline=None, max_examples=5, phases=[Phase.generate])  # a page takes half a second
@given(st.lists(st.text(min_size=1, max_size=12) | st.sampled_from(NASTY), min_size=2, max_size=3,
                unique=True), st.sampled_from(NASTY) | st.text(max_size=20))  # fmt: skip
@pytest.mark.filterwarnings("ignore:Glyph")
def test_no_name_or_text_of_the_data_is_taken_for_html(names, text):
    found = findings(names, (text, *names), tuple(names))
    html = page(found, text)
    html.encode("utf-8")
    checked = Checker(html)
    assert {*checked.tags} <= TAGS
    assert {name for _, name, _ in checked.attributes} <= ATTRIBUTES


@pytest.mark.parametrize("name", NASTY)
def test_what_the_data_says_can_be_read_on_the_page(name):
    checked = Checker(said(name))
    shown = "".join(checked.texts)
    printable = "".join(sign for sign in name if sign.isprintable())
    assert checked.tags == ["bdi"]
    assert all(sign in shown for sign in printable)


def test_sentences_follow_the_numbers():
    assert "is better than" in gain_sentence(Gain("a", "b", 0.1, 0.05, 0.15))
    assert "worse" in gain_sentence(Gain("a", "b", -0.1, -0.15, -0.05))
    assert "cannot say" in gain_sentence(Gain("a", "b", 0.1, -0.05, 0.25))
    right = torch.arange(400) < 300
    few = torch.arange(400) < 200
    grows = reading("linear", [CurvePoint("linear", 50, few), CurvePoint("linear", 100, right)])
    assert "more rows still help" in grows
    assert "+0.250" in grows
    level = reading("linear", [CurvePoint("linear", 50, right), CurvePoint("linear", 100, right)])
    assert "hardly help" in level


def test_a_perfect_model_and_a_short_report_have_a_page():
    found = findings()
    found.probabilities = torch.eye(2)[found.label].double()
    found.curve, found.worth, found.missing, found.gains = [], [], [], []
    found.classifier.details = {}
    html = page(found)
    Checker(html)
    assert "No test row is wrong" in html
    assert "learning curve" not in html


def test_a_report_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    found = findings()
    monkeypatch.setattr("course_utils.report.os.replace", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):  # noqa: PT011
        write_report(path, found)
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]
