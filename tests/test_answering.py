"""Eyes that learn names, and eyes and decoder as a file that answers questions."""

import numpy as np
import pytest
import torch

from course_utils import answering, seeing
from course_utils.answering import Answering, maps_of, pictures_of, shown_in, teach_eyes
from course_utils.data import news_cards, questions
from course_utils.data.text import Vocabulary
from course_utils.encoders import CNNEncoder


@pytest.fixture(scope="module")
def cards():
    return news_cards.make(160, 5, **answering.WORLD)


@pytest.fixture(scope="module")
def kept(cards):
    """Untaught, but whole."""
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_texts(questions.texts_of(cards), fewest=3)
    model = seeing.SeeingDecoder(len(vocabulary) + 2, dim=16, heads=2, longest=32)
    return Answering(CNNEncoder(64).eval(), model.eval(), vocabulary, {"seed": 0})


def test_what_eyes_learn_to_name_is_what_the_generator_drew(cards):
    label = shown_in(cards)
    shown = torch.from_numpy(cards["motif_box"][:, 0] >= 0)
    assert label.shape == (160, 4)
    assert (label[~shown] == 0).all()
    assert (label[shown] > 0).all()
    for column, name in enumerate(("true_section", "colour", "count", "size")):
        assert (label[shown, column] - 1 == torch.from_numpy(cards[name])[shown]).all()


def test_eyes_learn(cards):
    easy = news_cards.make(320, 6, image_noise=0, clutter=0, **answering.WORLD)
    eyes = teach_eyes(easy, epochs=3, batch_size=16)
    assert not eyes.training
    fresh = news_cards.make(120, 7, image_noise=0, clutter=0, **answering.WORLD)
    with torch.no_grad():
        known, asked = (eyes(pictures_of(rows).float() / 255) for rows in (easy, fresh))
    nearest = torch.cdist(asked, known).argmin(dim=1)
    colour = shown_in(fresh)[:, 1]
    assert (shown_in(easy)[nearest, 1] == colour).double().mean() > 0.5  # 1 in 5 by chance


def test_maps_are_those_of_single_pictures(cards):
    eyes = CNNEncoder(64).eval()
    images = pictures_of(cards)[:5]
    together = maps_of(eyes, images)
    assert together.shape == (5, 64, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(together[3:4], eyes.maps(images[3:4].float() / 255))


def test_answers_are_those_written_word_by_word(cards, kept):
    images, asked = cards["image"][:4], ["is there a ball?", "describe the picture"] * 2
    told = kept.answers(images, asked)
    for row, answer in enumerate(told):
        words = [word for word in kept.words(images[row], asked[row]) if word != "?"]
        assert " ".join(word for word in words if word != "<pad>") == answer


def test_it_answers_as_the_decoder_does(cards, kept):
    rows = questions.ask(cards, 30, 1)
    asked = seeing.as_tensors(rows, kept.vocabulary)
    maps = maps_of(kept.eyes, pictures_of(cards))
    first = seeing.first_words(kept.model, asked, lambda card: maps[card])
    told = [next(iter(kept.words(cards["image"][card], question)), "")
            for card, question in zip(rows["card"], rows["question"], strict=True)]  # fmt: skip
    names = [*kept.vocabulary.words, "?", ""]  # the two words that begin and end
    assert told == [names[number] for number in first]


@pytest.mark.parametrize("question", ["", "...", "word " * 26])
def test_what_is_no_question_gets_a_sentence(cards, kept, question):
    if not question.strip(". "):  # a text without a word counts as one unknown word
        assert isinstance(kept.answers(cards["image"][:1], [question])[0], str)
        return
    with pytest.raises(ValueError, match="1 to 25 words"):
        kept.answers(cards["image"][:1], [question])


def test_what_was_saved_is_what_is_loaded(cards, kept, tmp_path):
    path = tmp_path / "cards.pt"
    answering.save(kept, path)
    again = answering.load(path)
    assert again.vocabulary.words == kept.vocabulary.words
    assert again.recipe == {"seed": 0}
    assert not any(p.requires_grad for p in [*again.eyes.parameters(), *again.model.parameters()])
    for mine, its in zip(kept.model.parameters(), again.model.parameters(), strict=True):
        torch.testing.assert_close(its, mine.half().float())
    asked = ["what is shown?"] * 3
    assert len(again.answers(cards["image"][:3], asked)) == 3
    assert not path.with_suffix(".part").exists()


def test_a_file_that_is_not_there_or_cut_off_gets_a_sentence(kept, tmp_path):
    path = tmp_path / "cards.pt"
    with pytest.raises(ValueError, match=r"no model cards\.pt of lesson 18"):
        answering.load(path)
    answering.save(kept, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="or cut off"):
        answering.load(path)
    torch.save({"format": 99}, path)
    with pytest.raises(ValueError, match="version 99"):
        answering.load(path)


def test_loading_leaves_the_random_numbers_alone(kept, tmp_path):
    answering.save(kept, tmp_path / "cards.pt")
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    answering.load(tmp_path / "cards.pt")
    assert torch.equal(torch.rand(3), expected)


def test_pictures_are_channels_first(cards):
    images = pictures_of(cards)
    assert images.shape == (160, 3, 48, 48)
    assert np.array_equal(images[7, :, 2, 3].numpy(), cards["image"][7, 2, 3])


# --- the course's own file ------------------------------------------------------------------------


def test_the_kept_model_names_what_it_sees_and_compares():
    kept, cards = answering.load(), news_cards.make(150, 4321, **answering.WORLD)
    for kind, least in (("colour", 0.9), ("thing", 0.9), ("is there", 0.8)):
        rows = questions.ask(cards, 150, 9, [kind], cards=np.arange(150))
        told = kept.answers(cards["image"], rows["question"])
        right = [mine == its for mine, its in zip(told, rows["answer"], strict=True)]
        assert np.mean(right) > least, kind


def test_the_file_is_small():
    assert answering.path_of().stat().st_size < 1_500_000
