"""Spoilt senses: in the open, and told by a flag alone."""

import pytest
import torch

from course_utils.data import news_cards, spoilt_senses
from course_utils.data.spoilt_senses import ceiling, corrupt, spoil


def features(n=2000):
    numbers = torch.arange(n, dtype=torch.float)[:, None]
    return {"image": numbers, "text": numbers.clone(), "label": torch.zeros(n, dtype=torch.long)}


def test_the_sense_that_the_flag_doubts_is_another_cards_and_the_other_its_own():
    cards = features()
    spoilt = spoil(cards, q=1, r=1)
    doubted = spoilt["flag"][:, 0] == 1
    assert 0.45 < doubted.float().mean() < 0.55
    for sense, where in (("image", doubted), ("text", ~doubted)):
        moved = (spoilt[sense] != cards[sense])[:, 0]
        assert not moved[~where].any()
        assert moved[where].float().mean() > 0.99
        assert torch.equal(cards[sense], features()[sense]), "what was given is left alone"


def test_q_is_the_share_that_is_spoilt_and_r_how_often_the_flag_is_right():
    spoilt, honest = spoil(features(), q=0.25, r=0.8), spoil(features(), q=0.25, r=1)
    moved = (honest["image"] != features()["image"])[:, 0]
    assert 0.2 < moved[honest["flag"][:, 0] == 1].float().mean() < 0.3
    assert 0.77 < (spoilt["flag"] == honest["flag"]).float().mean() < 0.83


def test_where_nothing_is_spoilt_the_ceiling_is_that_of_the_cards():
    both = news_cards.ceiling("section")["both"]
    assert ceiling(0) == pytest.approx({"without": both, "with": both})


@pytest.mark.parametrize("q", [0.25, 1.0])
def test_a_flag_that_lies_always_is_worth_as_much_as_an_honest_one_and_a_coin_nothing(q):
    assert ceiling(q, 0)["with"] == pytest.approx(ceiling(q, 1)["with"])
    assert ceiling(q, 0.5)["with"] == pytest.approx(ceiling(q)["without"])
    assert ceiling(q, 0.5)["without"] == pytest.approx(ceiling(q, 1)["without"])


def test_with_the_sense_in_doubt_known_and_spoilt_the_other_alone_is_left():
    alone = news_cards.ceiling("section")
    assert ceiling(1)["with"] == pytest.approx((alone["image"] + alone["text"]) / 2)


def test_no_model_of_the_truth_beats_the_ceiling():
    """Whoever knows posteriors and flag answers as often right as the ceiling says."""
    rows = news_cards.rows_for(news_cards.make(3000, 5, mismatch=0), "section")
    beliefs = news_cards.posteriors(rows)
    spoilt = spoil({name: torch.tensor(beliefs[name]) for name in ("image", "text")}, q=1)
    trusted = torch.where(spoilt["flag"] == 1, spoilt["text"], spoilt["image"])
    right = (trusted.argmax(dim=1) == torch.tensor(rows["label"])).double().mean()
    assert abs(right - ceiling(1)["with"]) < 0.03


@pytest.mark.parametrize("share", [-0.1, 1.1, "0.5", True, None])
def test_what_is_no_share_is_told_in_a_sentence(share):
    with pytest.raises(ValueError, match="q is a share"):
        ceiling(share)


def cards_of(n=400):
    text = torch.tensor([[5, 6, 7, 0]]).expand(n, -1).clone()
    image = torch.full((n, 3, 4, 4), 128, dtype=torch.uint8)
    return {"image": image, "text": text, "label": torch.zeros(n, dtype=torch.long)}


def test_what_is_not_bad_stays_as_it_was_and_padding_is_never_lost():
    cards = cards_of()
    changed = corrupt(cards, noise=0.3, lost=1.0, share=0.4)
    noisy = (changed["image"] != cards["image"]).flatten(1).any(dim=1)
    assert torch.equal(noisy, changed["bad"][:, 0] == 1)
    gone = (changed["text"] == spoilt_senses.UNKNOWN).any(dim=1)
    assert torch.equal(gone, changed["bad"][:, 1] == 1)
    assert (changed["text"][:, 3] == 0).all()
    assert 0.3 < changed["bad"].mean() < 0.5
    assert cards["image"].float().std() == 0


def test_noise_has_the_size_that_was_asked_for():
    changed = corrupt(cards_of(), noise=0.1, lost=0)["image"].float() / 255
    assert abs(changed.std() - 0.1) < 0.01
