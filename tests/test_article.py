"""Lesson 07's article: each fault still shows itself as the lesson says, under these versions."""

import ast
import contextlib
import hashlib
import io
import sys
import types

import jupytext
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchtext import data
from torchtext.datasets import IMDB

from course_utils.data.text import article_fields
from course_utils.environment import course_root
from course_utils.exercises.lesson07 import Published

REVIEWS = course_root() / "data" / "tiny_reviews"
CARDS = course_root() / "data" / "news_cards"
NAMES = ("block_1", "block_2", "block_3")


def first_definitions():
    """The three blocks and the runner, as the lesson first defines them; nothing else runs."""
    notebook = jupytext.read(course_root() / "solutions" / "07_debug_the_article.py")
    found = {}
    for cell in notebook.cells:
        for node in ast.parse(cell.source).body if cell.cell_type == "code" else ():
            if isinstance(node, ast.FunctionDef) and node.name == "attempt":
                found["attempt"] = f"import linecache, traceback\n{ast.unparse(node)}"
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in NAMES:
                found.setdefault(ast.unparse(node.targets[0]), node.value)
    return found


LESSON = first_definitions()
BLOCKS = [ast.literal_eval(LESSON[name]) for name in NAMES]
RUNNER: dict = {}
exec(LESSON["attempt"], RUNNER)


def said(number, space, code=None):
    """What the lesson's runner prints of a block in this namespace."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        RUNNER["attempt"](code or BLOCKS[number - 1], f"block {number}", space)
    return out.getvalue()


@pytest.fixture
def after_block_1():
    """A namespace in which block 1 has run, on our two folders."""
    space = {"data": data, "torch": torch, "pictures": CARDS / "train", "reviews": REVIEWS}
    code = BLOCKS[0].replace("'path/to/image/dataset'", "pictures")
    code = code.replace("(TEXT, label)", "(TEXT, label, root=reviews)")
    assert said(1, space, code) == "block 1: runs to its end\n"
    return space


@pytest.fixture
def after_block_2(after_block_1):
    """The model defined, and a vocabulary for it."""
    assert said(2, after_block_1) == "block 2: runs to its end\n"
    after_block_1["TEXT"].build_vocab(after_block_1["train_data"])
    return after_block_1


def batch(label):
    return torch.rand(4, 3, 16, 16), torch.full((4, 5), 2), label


# --- the blocks ------------------------------------------------------------------------------


def test_the_blocks_are_those_of_the_article_but_for_their_comments():
    code = "\n".join(ast.unparse(ast.parse(block)) for block in BLOCKS)
    digest = hashlib.sha256(code.encode()).hexdigest()
    assert digest == "6aa24233c4a6ccfd2b06abb931746a021cf09b9915e6517b70600a897f0abced"


# --- faults that raise -----------------------------------------------------------------------


def test_the_path_asks_for_a_folder():
    text = said(1, {})
    assert "block 1, line 9: image_dataset = datasets.ImageFolder" in text
    assert "FileNotFoundError" in text


@pytest.mark.parametrize(
    ("names", "missing", "line"), [({}, "data", 12), ({"data": data}, "torch", 13)]
)
def test_two_modules_were_never_imported(names, missing, line):
    space = names | {"pictures": CARDS / "train"}
    text = said(1, space, BLOCKS[0].replace("'path/to/image/dataset'", "pictures"))
    assert f"block 1, line {line}:" in text
    assert f"NameError: name '{missing}' is not defined" in text


def test_field_is_where_the_article_looks_for_it_in_this_release_alone():
    assert hasattr(data, "Field")
    assert "ModuleNotFoundError" in said(1, {}, "from torchtext.legacy import data")
    later = {"data": types.ModuleType("torchtext.data")}
    text = said(1, later, "data.Field()")
    assert "AttributeError: module 'torchtext.data' has no attribute 'Field'" in text


def test_without_a_vocabulary_block_2_runs_and_block_3_does_not(after_block_1):
    assert said(2, after_block_1) == "block 2: runs to its end\n"
    text = said(3, after_block_1)
    assert "block 2, line 15: nn.Embedding(len(TEXT.vocab), 100)," in text
    assert "AttributeError: 'Field' object has no attribute 'vocab'" in text


def test_there_is_no_loader_and_no_device(after_block_2):
    assert "NameError: name 'train_loader' is not defined" in said(3, after_block_2)
    after_block_2["train_loader"] = [batch(torch.zeros(4))]
    assert "NameError: name 'device' is not defined" in said(3, after_block_2)


def test_an_lstm_hands_a_tuple_to_the_linear_layer(after_block_2):
    after_block_2 |= {"train_loader": [batch(torch.zeros(4))], "device": "cpu"}
    text = said(3, after_block_2)
    assert "block 2, line 29: text_feature = self.text_branch(text)" in text
    assert "TypeError: linear(): argument 'input' (position 1) must be Tensor, not tuple" in text


@pytest.mark.parametrize(("axes", "message"), [(3, "got 4 and 3"), (2, "got 4 and 2")])
def test_maps_and_unpooled_words_cannot_be_joined(axes, message):
    with pytest.raises(RuntimeError, match=message):
        torch.cat((torch.zeros([4] * 4), torch.zeros([4] * axes)), dim=1)


def test_a_linear_layer_takes_unpooled_words_without_a_word():
    assert nn.Linear(256, 128)(torch.zeros(4, 9, 256)).shape == (4, 9, 128)


def test_64_and_128_fit_only_after_pooling():
    features = torch.zeros(1, 64 * 112 * 112 + 128)
    assert features.shape[1] == 802_944
    with pytest.raises(RuntimeError, match="1x802944 and 192x1"):
        nn.Linear(128 + 64, 1)(features)


def test_a_model_that_was_not_moved_stops():
    with pytest.raises(RuntimeError, match="not on the expected device meta"):
        nn.Linear(192, 1)(torch.rand(4, 192).to("meta"))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (torch.tensor([0, 1, 0, 1]), r"ValueError: Target size \(torch.Size\(\[4\]\)\)"),
        (torch.tensor([[0], [1], [0], [1]]), "RuntimeError: result type Float can't be cast"),
    ],
)
def test_labels_of_another_shape_or_kind_stop_the_loss(after_block_2, label, message):
    after_block_2 |= {"train_loader": [batch(label)], "device": "cpu"}
    after_block_2["MultiModalModel"] = lambda: Published(9)
    text = said(3, after_block_2)
    assert "block 3, line 12: loss = criterion(output, label)" in text
    kind, start = message.replace("\\", "").split(": ", 1)
    assert f"{kind}: {start}" in text


def test_the_articles_own_labels_are_floats_and_the_folders_are_not(after_block_1):
    field = after_block_1["label"]
    field.build_vocab(after_block_1["train_data"])
    label = field.process(["neg", "pos"])
    assert label.dtype == torch.float
    assert sorted(label.tolist()) == [0, 1]
    folder = after_block_1["image_dataset"]
    assert all(isinstance(number, int) for _, number in folder.samples)
    assert {number for _, number in folder.samples} == set(range(5))


def test_the_articles_own_labels_pass_the_loss_once_they_have_their_axis(after_block_2):
    after_block_2 |= {"train_loader": [batch(torch.tensor([[0.0], [1], [0], [1]]))]}
    after_block_2 |= {"device": "cpu", "MultiModalModel": lambda: Published(9)}
    assert said(3, after_block_2) == "block 3: runs to its end\n"
    assert after_block_2["loss"].item() > 0


# --- faults that raise nothing ---------------------------------------------------------------


def test_mended_the_loop_runs_and_overwrites_the_label_field(after_block_2):
    label = torch.tensor([[0.0], [1], [2], [4]])
    after_block_2 |= {"train_loader": [batch(label)], "device": "cpu"}
    after_block_2["MultiModalModel"] = lambda: Published(9)
    assert said(3, after_block_2) == "block 3: runs to its end\n"
    assert isinstance(after_block_2["label"], torch.Tensor)
    assert after_block_2["model"].training  # nothing ever switches to evaluation mode


def test_targets_above_one_make_the_loss_negative_without_end():
    losses = [
        F.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(4.0)).item()
        for z in (10.0, 100.0, 1000.0)
    ]
    assert losses == pytest.approx([-30, -300, -3000], rel=1e-3)


def test_a_column_against_a_row_broadcasts():
    assert ((torch.zeros(4, 1) > 0) == torch.zeros(4)).shape == (4, 4)


def test_the_head_is_additive():
    torch.manual_seed(0)
    model = Published(9).eval()
    image, text = torch.rand(2, 3, 8, 8), torch.tensor([[2, 3], [4, 5]])
    with torch.no_grad():
        scores = model(image.repeat(2, 1, 1, 1), text.repeat_interleave(2, dim=0)).view(2, 2)
    mixed = scores[0, 0] - scores[0, 1] - scores[1, 0] + scores[1, 1]
    assert abs(mixed.item()) < 1e-6


def test_a_bucket_iterator_sorts_by_length_only_if_it_may_sort_within_a_batch():
    fields = [("text", data.Field(batch_first=True))]
    examples = [data.Example.fromlist(["word " * (1 + n % 9)], fields) for n in range(81)]
    cards = data.Dataset(examples, fields)
    fields[0][1].build_vocab(cards)

    def padding(within):
        batches = data.BucketIterator(
            cards, 9, sort_key=lambda card: len(card.text), sort_within_batch=within
        )
        return sum((batch.text == 1).sum().item() for batch in batches)

    assert padding(True) == 0 < padding(False)


# --- the tiny reviews ------------------------------------------------------------------------


def test_imdb_finds_the_tiny_reviews_without_a_download(monkeypatch):
    def refuse(*_):
        raise AssertionError("it downloads")

    monkeypatch.setattr("torchtext.data.dataset.download_from_url", refuse)
    train, test = IMDB.splits(*article_fields(), root=REVIEWS)
    assert (len(train), len(test)) == (16, 8)
    for part in (train, test):
        labels = [review.label for review in part]
        assert labels.count("pos") == labels.count("neg") == len(part) / 2


def test_the_tiny_reviews_are_single_lines_and_none_stands_twice():
    texts = [path.read_text(encoding="utf-8") for path in REVIEWS.rglob("*.txt")]
    assert len(set(texts)) == len(texts) == 24
    assert all(text.endswith("\n") and text.count("\n") == 1 for text in texts)


def test_the_articles_fields_have_no_vocabulary_yet():
    text, label = article_fields()
    assert text.batch_first
    assert label.dtype == torch.float
    assert not hasattr(text, "vocab")
    assert not hasattr(label, "vocab")


def test_the_text_field_changes_case_only_if_asked():
    assert article_fields()[0].preprocess("A Plot") == ["A", "Plot"]
    assert article_fields(lower=True)[0].preprocess("A Plot") == ["a", "plot"]


def test_a_torchtext_without_field_is_named_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchtext.data", types.ModuleType("later"))
    with pytest.raises(ImportError, match=r"needs torchtext 0\.6\.0"):
        article_fields()
