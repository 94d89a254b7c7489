"""Figures with a description, claims, and the wall of cards."""

import base64
import html
import io
import itertools
import re
import time

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from nbclient import NotebookClient
from PIL import Image

from course_utils import display
from course_utils.data import trick_cards
from course_utils.data.rows import Rows
from course_utils.display import PALETTE, card_wall, claim, image_tag, progress_bar, show, table


@pytest.fixture(autouse=True)
def _no_window():
    before = matplotlib.get_backend()
    matplotlib.use("agg")
    yield
    matplotlib.use(before)


@pytest.fixture
def shown(monkeypatch):
    """The bundles that would reach a notebook's page."""
    bundles = []
    monkeypatch.setattr(display, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


@pytest.fixture
def full_size(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)


@pytest.fixture
def smoke(monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")


def curve():
    figure, ax = plt.subplots(figsize=(2, 1))
    ax.plot([3, 1, 0])
    return figure


# --- bars -----------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch, full_size):
    """A terminal, and a clock that the test moves: ``clock.now``."""

    class Clock:
        now = 0.0

    monkeypatch.delenv("COURSE_BUILD", raising=False)
    monkeypatch.setattr(display, "in_notebook", lambda: False)
    monkeypatch.setattr("_pytest.capture.CaptureIO.isatty", lambda stream: True)
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_bar_appears_after_two_seconds_and_is_gone_at_its_end(clock, capsys):
    with progress_bar(8, "images", "image") as bar:
        clock.now = 1.9
        bar.update(3)
        assert capsys.readouterr().err == ""
        clock.now = 2.1
        bar.update()
        assert "images:  50%" in capsys.readouterr().err
    assert capsys.readouterr().err.endswith("\r")
    assert bar.n == 4


def test_a_bar_is_drawn_a_few_times_a_second_at_most(clock, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(display.ProgressBar, "draw", lambda bar: drawn.append(bar.n))
    with progress_bar(None, "images", "image") as bar:
        for step in range(1000):
            clock.now = 3 + step / 1000
            bar.update()
    assert 2 <= len(drawn) <= 4


def test_an_outer_bar_moves_while_only_the_inner_one_is_told(clock, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(display.ProgressBar, "draw", lambda bar: drawn.append(bar.what))
    with progress_bar(3, "models", "model"), progress_bar(9, "rows", "row", shown=False) as inner:
        clock.now = 3
        inner.update()
    assert drawn == ["models"]


@pytest.mark.parametrize("name", ["COURSE_BUILD", "COURSE_SMOKE"])
def test_builds_and_smoke_runs_see_no_bar(clock, capsys, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    with progress_bar(8, "images", "image") as bar:
        clock.now = 5
        assert list(bar.over("ab")) == ["a", "b"]
        bar.write("kept")
    assert capsys.readouterr() == ("kept\n", "")


def test_where_nobody_watches_there_is_no_bar(clock, capsys, monkeypatch):
    monkeypatch.setattr("_pytest.capture.CaptureIO.isatty", lambda stream: False)
    with progress_bar(8, "images", "image") as bar:
        clock.now = 5
        bar.update()
    assert capsys.readouterr().err == ""


def test_a_bar_goes_away_when_what_it_measures_fails(clock, capsys):
    def fail():
        with progress_bar(8, "images", "image") as bar:
            clock.now = 5
            bar.update()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert capsys.readouterr().err.endswith("\r")
    assert display._open_bars == []


BAR_ON_A_PAGE = """
import time
from course_utils import display
display.BAR_AFTER = display.BAR_EVERY = 0.05
with display.progress_bar(4, "images", "image") as bar:
    for _ in bar.over(range(4)):
        time.sleep(0.1)
    print("seen:", bar.page is not None)
"""


@pytest.mark.slow
def test_a_saved_page_holds_nothing_of_a_bar(monkeypatch, root):
    for name in ("COURSE_BUILD", "COURSE_SMOKE", "TQDM_DISABLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(root))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(BAR_ON_A_PAGE)])
    NotebookClient(notebook, timeout=120).execute()
    shown, said = notebook.cells[0].outputs
    assert dict(shown.data) == {"text/plain": ""}
    assert said.text == "seen: True\n"
    assert "widgets" not in notebook.metadata


def test_no_room_draws_a_bar_that_is_a_widget(root):
    rooms = ("course_utils", "solutions", "benchmarks")
    files = [path for room in rooms for path in (root / room).rglob("*.py")]
    widget = re.compile(r"tqdm[.](auto|notebook)|tqdm_notebook|IntProgress")
    found = [path.name for path in files if widget.search(path.read_text(encoding="utf-8"))]
    assert files
    assert found == []


# --- show -----------------------------------------------------------------------------------


def test_show_without_a_description_is_an_error():
    with pytest.raises(TypeError, match="alt"):
        show(Figure())


def test_an_empty_description_is_an_error_that_says_what_to_write():
    with pytest.raises(ValueError, match="a sentence that says what the figure shows"):
        show(Figure(), alt="  ")


def test_the_page_gets_the_description_as_alt_text_of_an_image(shown):
    show(curve(), alt="The curve falls.")
    assert '<img alt="The curve falls."' in shown[0]["text/html"]


def picture_of(markup):
    """The picture inside an ``<img>``, as (H, W, 3) numbers, and the bytes of its PNG."""
    png = base64.b64decode(re.search(r"base64,([^\"]+)", markup)[1])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int), png


def picture_figure(pixels):
    figure = Figure(figsize=(3, 3))
    figure.add_axes((0, 0, 1, 1)).imshow(pixels, interpolation="nearest", cmap="gray")
    return figure


def test_the_page_gets_one_copy_of_the_picture(shown):
    show(curve(), alt="The curve falls.")
    assert shown[0].keys() == {"text/html", "text/plain"}
    assert shown[0]["text/html"].count("base64,") == 1


def test_a_picture_of_few_colours_or_of_greys_is_shown_as_it_is(shown):
    greys = np.arange(256).reshape(16, 16)
    for figure in (picture_figure(greys), curve()):
        full, _ = picture_of(image_tag(figure, "x"))
        show(figure, alt="x")
        stored, _ = picture_of(shown[-1]["text/html"])
        assert abs(stored - full).max() <= 4  # of 255


def test_flat_patches_keep_their_colours_beside_a_noisy_picture(shown):
    draw = np.random.default_rng(0)
    patches = draw.integers(60, 200, (12, 12, 3), dtype=np.uint8)
    figure = Figure(figsize=(6, 3))
    figure.add_axes((0, 0, 0.5, 1)).imshow(patches, interpolation="nearest")
    noise = draw.integers(0, 255, (20, 20, 3), dtype=np.uint8)
    figure.add_axes((0.7, 0, 0.2, 1)).imshow(noise, interpolation="nearest")
    full, _ = picture_of(image_tag(figure, "x"))
    show(figure, alt="x")
    stored, _ = picture_of(shown[0]["text/html"])
    middles = np.s_[13:325:27, 13:325:27]
    assert abs(stored - full)[middles].max() <= 8


def test_a_wall_of_cards_is_stored_in_half_and_stays_near(shown):
    figure = card_wall(trick_cards.read() | {"headline": ["x"] * 12})
    full, heavy = picture_of(image_tag(figure, "x"))
    show(figure, alt="x")
    stored, light = picture_of(shown[0]["text/html"])
    assert len(light) < len(heavy) / 2
    assert np.sqrt(((stored - full) ** 2).mean()) < 8  # of 255


def test_a_figure_without_a_background_stands_on_white(shown):
    figure = curve()
    figure.patch.set_alpha(0)
    show(figure, alt="The curve falls.")
    assert picture_of(shown[0]["text/html"])[0][0, 0].tolist() == [255, 255, 255]


def test_quotes_and_angle_brackets_in_a_description_are_escaped(shown):
    alt = 'a "steep" fall where x < 3 & y > 1'
    show(curve(), alt=alt)
    assert f'alt="{html.escape(alt, quote=True)}"' in shown[0]["text/html"]


def test_the_picture_holds_no_name_or_version_of_the_tool(shown):
    show(curve(), alt="The curve falls.")
    _, png = picture_of(shown[0]["text/html"])
    assert b"matplotlib" not in png.lower()


def test_the_same_figure_gives_the_same_bytes(shown):
    for _ in range(2):
        show(curve(), alt="The curve falls.")
    assert shown[0] == shown[1]


def test_the_figure_is_closed_so_that_it_does_not_show_twice(shown):
    figure = curve()
    show(figure, alt="The curve falls.")
    assert not plt.fignum_exists(figure.number)


def test_a_figure_that_pyplot_did_not_make_can_be_shown(shown):
    show(Figure(figsize=(1, 1)), alt="Nothing yet.")
    assert len(shown) == 1


def test_outside_a_notebook_the_description_is_printed(capsys):
    show(curve(), alt="The curve falls.")
    assert capsys.readouterr().out == "[figure] The curve falls.\n"


# --- claim ----------------------------------------------------------------------------------


def test_a_claim_that_holds_is_said_to_hold(capsys, full_size):
    claim("two is even", 2 % 2 == 0)
    assert capsys.readouterr().out == "Claim holds: two is even\n"


@pytest.mark.parametrize("ok", [False, 0, np.bool_(False), torch.tensor(False)])
def test_a_false_claim_stops_the_lesson(full_size, ok):
    with pytest.raises(AssertionError, match="claim does not hold: three is even"):
        claim("three is even", ok)


def test_a_false_claim_on_a_trained_model_stops_a_full_run(full_size):
    with pytest.raises(AssertionError):
        claim("fused wins", False, trained=True)


def test_a_false_claim_on_a_trained_model_is_remarked_on_in_a_smoke_run(capsys, smoke):
    claim("fused wins", False, trained=True)
    assert capsys.readouterr().out == "Claim not tested in a smoke run: fused wins\n"


def test_a_true_claim_on_a_trained_model_holds_in_a_smoke_run_too(capsys, smoke):
    claim("fused wins", True, trained=True)
    assert "holds" in capsys.readouterr().out


def test_a_false_claim_that_needs_no_training_stops_a_smoke_run(smoke):
    with pytest.raises(AssertionError):
        claim("three is even", False)


def test_a_claim_escapes_its_text_on_the_page_and_not_in_plain(shown, full_size):
    claim("loss < 1 & <b>falling</b>", True)
    assert "loss &lt; 1 &amp; &lt;b&gt;falling&lt;/b&gt;" in shown[0]["text/html"]
    assert shown[0]["text/plain"] == "Claim holds: loss < 1 & <b>falling</b>"


# --- the rest -------------------------------------------------------------------------------


def test_no_two_colours_of_the_palette_are_the_same():
    assert len(set(PALETTE.values())) == len(PALETTE)


def test_a_table_has_a_row_for_each_value():
    frame = table({"image": 0.8, "both": 0.9}, columns=("model", "accuracy"))
    assert frame.index.tolist() == ["image", "both"]
    assert frame["accuracy"].tolist() == [0.8, 0.9]


def cards(n):
    columns = {
        "image": np.zeros((n, 48, 48, 3), np.uint8),
        "headline": [f"card {i}" for i in range(n)],
    }
    return Rows(columns, modalities={"image": "image", "text": "headline"})


def texts(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_the_wall_shows_every_card_with_its_headline():
    figure = card_wall(cards(5))
    assert sum(len(axis.images) for axis in figure.axes) == 5
    assert texts(figure) == [f"card {i}" for i in range(5)]


def test_the_wall_shows_the_columns_that_are_named():
    rows = {"photo": np.zeros((2, 8, 8, 3), np.uint8), "caption": ["one", "two"]}
    assert texts(card_wall(rows, image="photo", text="caption")) == ["one", "two"]


def test_the_wall_finds_the_only_columns_of_pictures_and_of_texts():
    rows = {"photo": np.zeros((2, 8, 8, 3), np.uint8), "caption": ["one", None], "label": [0, 1]}
    assert texts(card_wall(rows)) == ["one", "(no text)"]
    with pytest.raises(ValueError, match=r"no column 'text' .*they have photo, caption, label, id"):
        card_wall(rows | {"id": ["a", "b"]})
    with pytest.raises(ValueError, match="no column 'title'; they have photo, caption, label"):
        card_wall(rows, text="title")


def test_the_wall_draws_grey_pictures_and_says_which_are_absent():
    grey = np.full((8, 8), 100, np.uint8)
    rows = {"image": [grey, grey[..., None], None, float("nan")], "text": ["a"] * 4}
    figure = card_wall(rows)
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 0, 0]
    assert figure.axes[0].images[0].get_clim() == (0, 255)
    assert texts(figure).count("(no picture)") == 2


def test_the_wall_cuts_long_texts_with_an_ellipsis():
    (caption,) = texts(card_wall(cards(1) | {"headline": ["word " * 100]}))
    assert caption.endswith(" …")
    assert caption.count("\n") == 3


@pytest.mark.parametrize(("count", "across", "down"), [(2, 2, 1), (4, 4, 1), (5, 3, 2), (9, 3, 3)])
def test_few_cards_leave_no_panels_of_the_wall_empty_that_need_not_be(count, across, down):
    figure = card_wall(cards(count))
    grid = figure.axes[0].get_gridspec()
    assert (grid.ncols, grid.nrows) == (across, down)
    assert figure.get_size_inches()[0] == pytest.approx(2.2 * across)


def boxes_of(figure, artists):
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    return [artist.get_window_extent(renderer) for artist in artists]


def test_nothing_on_the_wall_overlaps():
    image = [np.zeros((20, 60, 3), np.uint8)] + [np.zeros((48, 48, 3), np.uint8)] * 5
    rows = {"image": image, "text": ["word " * 100, "红色连衣裙" * 30] * 3}
    titles = ["a title that goes on and on\nand on and on and on and on", "b"] * 3
    figure = card_wall(rows, {"image": [True] * 6, "both": [True] * 6}, titles, columns=3)
    words = [text for axis in figure.axes for text in (axis.title, *axis.texts)]
    boxes = boxes_of(figure, [*words, *(axis.patch for axis in figure.axes)])
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"titles": ["one"]}, "each card needs a title: there are 2 cards and 1"),
        ({"right": {"both": [True]}}, "each card needs a truth value of 'both'"),
    ],
)
def test_what_is_not_one_for_each_card_is_answered_in_a_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        card_wall(cards(2), **change)


@pytest.mark.parametrize("count", [0, 201])
def test_a_wall_of_no_card_or_of_too_many_is_answered_in_a_sentence(count):
    with pytest.raises(ValueError, match=rf"shows 1 to 200 cards, not {count}; take\(rows"):
        card_wall(cards(count))


@pytest.mark.parametrize(
    ("picture", "what"), [("0.png", "'0.png'"), (np.zeros((3, 8, 8)), r"shape \(3, 8, 8\)")]
)
def test_what_is_no_picture_is_named(picture, what):
    with pytest.raises(ValueError, match=f"row 0 holds no picture .*{what}"):
        card_wall({"image": [picture], "text": ["a"]})


def test_no_title_or_text_or_class_or_model_of_data_is_a_formula():
    names = ["$0-$50", "$10% off$"]
    wall = card_wall(cards(2) | {"headline": names}, {"$a$": [True, False]}, names)
    for figure in (wall, display.confusion_figure([0, 1], [0, 1], names)):
        assert not any(text.get_parse_math() for text in figure.findobj(Text))
        assert "<img" in image_tag(figure, "x")


def test_the_wall_says_in_words_which_model_is_right():
    figure = card_wall(cards(2), right={"image": [True, False], "both": [True, True]})
    assert texts(figure)[1:3] == ["image: right", "both: right"]
    assert texts(figure)[4:6] == ["image: wrong", "both: right"]


def test_the_wall_takes_the_tricks_as_titles():
    figure = card_wall(cards(2) | {"trick": ["nothing hidden", "noise"]})
    assert [axis.get_title() for axis in figure.axes[:2]] == ["nothing hidden", "noise"]


def test_the_wall_says_the_right_answer_under_the_trick():
    cards_with = cards(2) | {"trick": ["nothing hidden", "noise"], "answer": ["sport", "travel"]}
    titles = [axis.get_title() for axis in card_wall(cards_with).axes[:2]]
    assert titles == ["nothing hidden\nanswer: sport", "noise\nanswer: travel"]


def test_the_wall_takes_no_column_of_answers_for_titles():
    figure = card_wall(cards(2) | {"answer": ["yes", "no"]})
    assert [axis.get_title() for axis in figure.axes[:2]] == ["", ""]


def test_the_confusion_figure_counts_true_classes_down_and_predicted_ones_across():
    figure = display.confusion_figure([1, 1, 1], [0, 0, 1], ("sport", "travel"))
    numbers = [text.get_text() for text in figure.axes[0].texts]
    assert numbers == ["0", "2", "0", "1"]


@pytest.mark.parametrize("count", [2, 5, 15, 40, 60, 130])
@pytest.mark.parametrize("name", ["class", "a rather long name of a class"])
def test_names_and_counts_of_any_number_of_classes_do_not_overlap(count, name):
    every = np.arange(count)
    figure = display.confusion_figure(every, every, [f"{name} {k}" for k in every])
    axes = figure.axes[0]
    turned = axes.get_xticklabels()[0].get_rotation() % 90 != 0
    for labels in (axes.get_yticklabels(), axes.get_xticklabels(), axes.texts):
        if labels == axes.get_xticklabels() and turned:
            continue  # the boxes around slanting names overlap where the names do not
        boxes = boxes_of(figure, labels)
        assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))
    assert len(axes.texts) == (count**2 if count < 10 else count if count <= 45 else 0)
    assert max(figure.get_size_inches()) < 30


def test_the_wall_takes_titles_of_any_kind():
    figure = card_wall(cards(3), titles=np.array([1, None, "a\nb"], dtype=object))
    assert [axis.get_title() for axis in figure.axes[:3]] == ["1", "", "a\nb"]


def test_the_confusion_figure_takes_classes_by_name():
    figure = display.confusion_figure(["dog", "cat"], ["dog", "dog"], ["cat", "dog"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "0", "1", "1"]


@pytest.mark.parametrize(
    ("predicted", "label", "sentence"),
    [
        ([0, -1], [0, 1], "predicted holds -1 in row 1, but the 2 classes are numbered 0 to 1"),
        ([0, 1], [0, 2], "label holds 2 in row 1"),
        ([0, 1, 1], [0, 1], "a prediction and a label; there are 3 and 2"),
        ([0.5, 1], [0, 1], "predicted holds 0.5 and not class numbers"),
        ([[0.1, 0.9]], [0], "one class number a row, .*argmax"),
        ([], [], "one class number a row"),
        (["cow"], ["cat"], "predicted holds cow in row 0"),
    ],
)
def test_what_is_no_class_is_answered_in_a_sentence(predicted, label, sentence):
    with pytest.raises(ValueError, match=sentence):
        display.confusion_figure(predicted, label, ["cat", "dog"])
