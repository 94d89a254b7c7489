"""What fills a hole, what takes senses away in training, and the cards that lack a sense."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge

from course_utils.data import holes, news_cards
from course_utils.fusion import ConcatFusion, ProductFusion
from course_utils.missing import (
    ConstantFill,
    FilledFusion,
    LearntToken,
    ModalityDropout,
    PredictedFill,
    impute_mean,
    impute_ridge,
    missing_rate_curve,
    modality_dropout,
)

DIMS = {"image": 3, "text": 2}


def drawn(rows=20, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return {name: torch.randn(rows, dim, generator=rng) + 1 for name, dim in DIMS.items()}


def lacking(name, rows=20):
    return {name: torch.arange(rows) % 2 == 0}


# --- filling ----------------------------------------------------------------------------------


def test_the_mean_is_that_of_scikit_learn_and_of_training_rows():
    train = torch.tensor([[1.0, 20.0], [3.0, torch.nan]])
    rows = torch.tensor([[torch.nan, 5.0], [7.0, torch.nan]])
    theirs = torch.tensor(SimpleImputer().fit(train).transform(rows)).float()
    torch.testing.assert_close(impute_mean(train, rows), theirs)


def test_a_column_without_a_number_is_filled_with_zeros():
    nothing = torch.full((2, 1), torch.nan)
    assert impute_mean(nothing, nothing).tolist() == [[0], [0]]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_the_ridge_is_that_of_scikit_learn(seed, alpha):
    part = {name: one.double() for name, one in drawn(seed=seed).items()}
    ours = impute_ridge(part["image"], part["text"], part["image"] + 1, alpha)
    theirs = Ridge(alpha).fit(part["image"], part["text"]).predict(part["image"] + 1)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-6)


@pytest.mark.parametrize("kind", ["zeros", "means", "ridge"])
def test_a_fill_changes_holes_alone(kind):
    features, present = drawn(), lacking("image")
    fill = {
        "zeros": lambda: ConstantFill.zeros_of(features),
        "means": lambda: ConstantFill.means_of(features, present),
        "ridge": lambda: PredictedFill(Ridge, features, present),
    }[kind]()
    filled = fill(features, present)
    there = present["image"]
    assert torch.equal(filled["image"][there], features["image"][there])
    assert torch.equal(filled["text"], features["text"])
    assert not torch.isclose(filled["image"][~there], features["image"][~there]).all()


def test_what_stands_in_a_hole_plays_no_part_in_filling_it():
    features, present = drawn(), lacking("image")
    spoilt = features | {"image": features["image"].where(present["image"][:, None], 1e6)}
    for make in (lambda f: ConstantFill.means_of(f, present),
                 lambda f: PredictedFill(Ridge, f, present)):  # fmt: skip
        one, other = (make(f)(f, present) for f in (features, spoilt))
        torch.testing.assert_close(one["image"], other["image"])


def test_a_row_without_anything_gets_the_means():
    features = drawn()
    fill = PredictedFill(Ridge, features)
    nothing = {name: torch.zeros(20, dtype=torch.bool) for name in DIMS}
    for name, one in fill(features, nothing).items():
        torch.testing.assert_close(one, features[name].mean(dim=0).expand_as(one))


def test_without_a_whole_row_nothing_can_be_predicted():
    present = lacking("image") | {"text": ~lacking("image")["image"]}
    with pytest.raises(ValueError, match="no training row has all modalities"):
        PredictedFill(Ridge, drawn(), present)


# --- training that is used to holes ---------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.floats(0, 1))
def test_dropout_takes_away_and_leaves_every_row_something_that_it_had(seed, modalities, rate):
    rng = torch.Generator().manual_seed(seed)
    present = torch.rand(9, modalities, generator=rng) < 0.6
    left = modality_dropout(present, torch.rand(9, modalities, generator=rng), rate)
    assert not (left & ~present).any()
    assert torch.equal(left.any(dim=1), present.any(dim=1))


def test_dropout_drops_in_training_alone():
    torch.manual_seed(0)
    fusion = ModalityDropout(ConcatFusion(DIMS), rate=0.5)
    assert (fusion(drawn()) == 0).any()
    fusion.eval()
    torch.testing.assert_close(fusion(drawn()), fusion.fusion(drawn()))


def test_a_token_stands_in_the_hole_and_learns():
    fusion = LearntToken(ProductFusion(DIMS, 4), DIMS)
    features, present = drawn(), lacking("text")
    with torch.no_grad():
        fusion.tokens["text"].fill_(2.0)
    filled = features | {"text": features["text"].where(present["text"][:, None], 2.0)}
    torch.testing.assert_close(fusion(features, present), fusion.fusion(filled))
    fusion(features, present).sum().backward()
    assert fusion.tokens["text"].grad.abs().sum() > 0


def test_a_filled_fusion_sees_no_hole():
    features, present = drawn(), lacking("text")
    inner = ProductFusion(DIMS, 4)
    fill = ConstantFill.means_of(features)
    joined = FilledFusion(inner, fill)(features, present)
    torch.testing.assert_close(joined, inner(fill(features, present)))


def test_an_absent_factor_of_a_product_is_its_bias():
    fusion, features, present = ProductFusion(DIMS, 4), drawn(), lacking("text")
    without = ~present["text"]
    image = fusion.project["image"](features["image"])
    expected = (image * fusion.project["text"].bias)[without]
    torch.testing.assert_close(fusion(features, present)[without], expected)


def test_the_curve_counts_every_row():
    label = torch.tensor([0, 1, 0, 1])
    draws = torch.tensor([0.1, 0.3, 0.6, 0.9])

    def answer(features, present):
        return torch.nn.functional.one_hot(label, 2) * present["text"][:, None].float()

    # A row that lacks its text is given the first class.
    assert missing_rate_curve(answer, {}, label, "text", [0, 0.5, 1], draws) == [1, 0.75, 0.5]


# --- cards with holes --------------------------------------------------------------------------

CARDS = news_cards.rows_for(news_cards.make(3000, 1, mismatch=0), "section")


@pytest.mark.parametrize("mechanism", holes.MECHANISMS)
@pytest.mark.parametrize("name", ["image", "text"])
def test_about_as_many_go_as_were_asked_for(name, mechanism):
    keep = holes.kept(CARDS, name, 0.3, mechanism, mismatch=0)
    assert abs((~keep).mean() - 0.3) < 0.04


@pytest.mark.parametrize("mechanism", holes.MECHANISMS)
@pytest.mark.parametrize("name", ["image", "text"])
def test_what_is_computed_exactly_is_what_is_drawn(name, mechanism):
    share = holes.inclined_rows(CARDS, name, mechanism).mean()
    assert abs(share - holes.inclined_share(name, mechanism)) < 0.04
    keep = holes.kept(CARDS, name, 0.5, mechanism)
    told = np.isin(CARDS["section"][keep], holes.INCLINED).mean()
    assert abs(told - holes.kept_belief(name, 0.5, mechanism)["share"]) < 0.05


def test_the_ceiling_falls_from_both_to_the_other_sense():
    best = news_cards.ceiling("section")
    for mechanism in holes.MECHANISMS:
        whole, none = (holes.ceiling("text", r, mechanism)["with the mask"] for r in (0.0, 1.0))
        assert whole == pytest.approx(best["both"])
        assert none == pytest.approx(best["image"])


@pytest.mark.parametrize("mechanism", holes.MECHANISMS)
def test_the_mask_never_costs(mechanism):
    best = holes.ceiling("text", 0.5, mechanism)
    assert best["with the mask"] >= best["without"] - 1e-12
    tells = mechanism in ("on itself", "on the label")
    assert (best["with the mask"] > best["without"] + 1e-6) == tells


def test_what_the_picture_alone_decides_leaves_the_belief_given_the_picture():
    kept = holes.kept_belief("text", 0.5, "on the other")
    assert kept["belief"] == pytest.approx(0.4)
    assert kept["share"] < 0.25


def test_cards_without_a_sense_hold_none_there():
    keep = np.arange(len(CARDS["headline"])) % 2 == 0
    holed = holes.without(CARDS, "text", keep)
    assert [cell is not None for cell in holed["headline"]] == keep.tolist()
    assert holed["image"] is CARDS["image"]


def test_dials_that_make_no_sense_get_a_sentence():
    with pytest.raises(ValueError, match="there is no mechanism 'by magic'"):
        holes.kept(CARDS, "text", 0.5, "by magic")
    with pytest.raises(ValueError, match="image and text, not 'sound'"):
        holes.kept(CARDS, "sound", 0.5)
    with pytest.raises(ValueError, match=r"rate is a share: give a number from 0 to 1, not 1\.5"):
        holes.kept(CARDS, "text", 1.5)


@given(st.floats(0, 1), st.floats(0.05, 0.95), st.floats(0, 1))
def test_the_chances_of_a_loss_average_to_the_rate(rate, share, strength):
    most, least = holes.loss_chances([True, False], rate, share, strength)
    assert 0 <= least <= most + 1e-9 <= 1 + 2e-9
    assert share * most + (1 - share) * least == pytest.approx(rate, abs=1e-9)
