"""A space of pictures and texts: trained on pairs, kept as a file, asked in sentences."""

import numpy as np
import pytest
import torch

from course_utils import shared_space
from course_utils.contrastive import cosines
from course_utils.data import news_cards, two_things
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader, TextReader
from course_utils.shared_space import SharedSpace, Space, learn_pairs, load, save, vectors_of

SMALL = {"dim": 16, "channels": [4, 8, 8]}


@pytest.fixture(scope="module")
def pairs():
    """Tensors of 96 pictures of two things, with captions and swapped captions."""
    rows = two_things.make(96, 1)
    text = TextReader().fit(rows, "text")
    readers = {"image": ImageReader(), "text": text, "swapped": TextReader(text.vocabulary)}
    return to_tensors(rows, readers, label=None, side=["meaning"]), text.vocabulary


def fresh(vocabulary, **changes):
    torch.manual_seed(0)
    return SharedSpace(len(vocabulary), **SMALL | changes)


def first(tensors, n=16):
    return next(iter(Batches(tensors, n)))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("text", ["transformer", "bag"])
def test_logits_are_cosines_over_the_temperature_plus_the_bias(pairs, late, text):
    tensors, vocabulary = pairs
    model = fresh(vocabulary, late=late, text=text, temperature=0.2, bias=-3).eval()
    batch = first(tensors)
    logits = model(batch)
    assert logits.shape == (16, 16)
    scores = (logits + 3) * 0.2
    assert scores.abs().max() <= 1 + 1e-5
    if not late:
        vectors = model.image(batch["image"]), model.text(batch["text"], batch["text_length"])
        torch.testing.assert_close(scores, cosines(*vectors), atol=1e-5, rtol=1e-4)


def test_the_temperature_learns_unless_it_is_held_and_stays_above_a_hundredth(pairs):
    _, vocabulary = pairs
    assert fresh(vocabulary, temperature=1e-6).temperature.item() == pytest.approx(0.01)
    assert fresh(vocabulary).log_scale.requires_grad
    assert not fresh(vocabulary, learn=False).log_scale.requires_grad


@pytest.mark.parametrize(
    "options",
    [{}, {"loss": "sigmoid"}, {"wrong": "swapped"}, {"meaning": "meaning"},
     {"loss": "sigmoid", "meaning": "meaning"}],
)  # fmt: skip
@pytest.mark.parametrize("late", [False, True])
def test_every_way_to_learn_lowers_its_loss(pairs, options, late):
    tensors, vocabulary = pairs
    model = fresh(vocabulary, late=late, bias=-2 if "loss" in options else 0)
    course = learn_pairs(model, tensors, epochs=12, batch_size=24, progress=False, **options)
    assert len(course.loss) == len(course.temperature) == 48
    assert np.mean(course.loss[-4:]) < np.mean(course.loss[:4]) - 0.2
    assert not model.training


def test_a_training_is_the_same_again_and_says_when_an_epoch_ends(pairs):
    tensors, vocabulary = pairs
    ends = []
    losses = [
        learn_pairs(fresh(vocabulary), tensors, epochs=2, each=ends.append, progress=False).loss
        for _ in range(2)
    ]
    assert losses[0] == losses[1]
    assert ends == [1, 2, 1, 2]


def test_a_bag_cannot_tell_a_caption_from_its_swapped_twin(pairs):
    tensors, vocabulary = pairs
    model = fresh(vocabulary, text="bag")
    learn_pairs(model, tensors, epochs=2, wrong="swapped", progress=False)
    own = vectors_of(model, tensors)[1]
    twins = tensors | {name: tensors[name.replace("text", "swapped")]
                       for name in ("text", "text_length")}  # fmt: skip
    torch.testing.assert_close(own, vectors_of(model, twins)[1])


def test_an_unknown_loss_is_refused(pairs):
    with pytest.raises(ValueError, match="no loss 'hinge'; there are softmax, sigmoid"):
        learn_pairs(fresh(pairs[1]), pairs[0], loss="hinge")


def test_all_vectors_are_those_of_the_batches_one_by_one(pairs):
    tensors, vocabulary = pairs
    for late in (False, True):
        model = fresh(vocabulary, late=late)
        whole, parts = (vectors_of(model, tensors, rows) for rows in (96, 20))
        torch.testing.assert_close(whole[0], parts[0], atol=1e-5, rtol=1e-4)
        scores = [model.compare(*found) for found in (whole, parts)]
        torch.testing.assert_close(*scores, atol=1e-5, rtol=1e-4)


def test_smoke_takes_four_batches(pairs, monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    course = learn_pairs(fresh(pairs[1]), pairs[0], epochs=9, batch_size=16, progress=False)
    assert len(course.loss) == 4


# --- kept as a file -----------------------------------------------------------------------------


@pytest.fixture
def space(pairs):
    _, vocabulary = pairs
    return Space(fresh(vocabulary).eval(), vocabulary, SMALL, {"seed": 0})


def test_a_space_comes_back_from_its_file_in_half_precision(space, tmp_path):
    path = save(space, tmp_path / "some.pt")
    again = load(path=path)
    assert again.vocabulary.words == space.vocabulary.words
    assert again.recipe == {"seed": 0}
    images = two_things.make(5, 2)["image"]
    torch.testing.assert_close(
        again.of_pictures(images), space.of_pictures(images), atol=1e-2, rtol=1e-2
    )
    assert again.of_texts(["a red ball", "nobody knows"]).norm(dim=1).tolist() == pytest.approx(
        [1, 1]
    )


def test_a_missing_or_broken_file_is_answered_in_a_sentence(space, tmp_path):
    with pytest.raises(ValueError, match="no space 'dogs'; it has"):
        load("dogs")
    path = save(space, tmp_path / "some.pt")
    path.write_bytes(path.read_bytes()[:99])
    with pytest.raises(ValueError, match=r"some\.pt is no space of lesson 17, or cut off"):
        load(path=path)
    torch.save({"format": 99}, path)
    with pytest.raises(ValueError, match="of version 99 and this course reads version 1"):
        load(path=path)


def test_a_class_is_named_by_the_mean_of_its_sentences(space):
    images = two_things.make(7, 3)["image"]
    prompts = {"ball": ["a red ball", "a blue ball"], "cloud": ["a red cloud"]}
    scores = space.name(images, prompts)
    assert scores.shape == (7, 2)
    pictures = space.of_pictures(images)
    torch.testing.assert_close(scores[:, 1], pictures @ space.of_texts(["a red cloud"])[0])
    ball = space.of_texts(prompts["ball"]).mean(dim=0)
    torch.testing.assert_close(scores[:, 0], pictures @ ball / ball.norm())


def test_the_space_of_the_course_is_small_and_names_colours_of_fresh_cards():
    assert shared_space.path_of().stat().st_size < 500_000
    space = load()
    cards = news_cards.make(150, 77, attributes=True, mismatch=0)
    shown = cards["count"] >= 0
    prompts = {word: [word] for word in news_cards.COLOURS}
    named = space.name(cards["image"][shown], prompts).argmax(dim=1).numpy()
    assert (named == cards["colour"][shown]).mean() > 0.9
    assert space.recipe["cards"] == 3000
    assert not space.model.training
