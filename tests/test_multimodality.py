"""Projections, shares and the report: what they promise of any model."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import news_cards, planted
from course_utils.measures import interaction_strength
from course_utils.multimodality import (
    emap,
    emap_against,
    emap_of_means,
    modality_shapley,
    multimodality_report,
    pair_scores,
    report_page,
)

RNG = torch.Generator().manual_seed(0)
FIRST, SECOND = torch.randn(30, 3, generator=RNG), torch.randn(30, 4, generator=RNG)
WEIGHTS = torch.randn(3, 4, 2, generator=RNG)


def adds(a, b):
    return torch.stack([a.sum(dim=1), b.square().sum(dim=1)], dim=1)


def joins(a, b):
    return adds(a, b) + torch.einsum("ni,nj,ijc->nc", a, b, WEIGHTS)


def test_pairings_have_firsts_in_rows_and_seconds_in_columns(monkeypatch):
    monkeypatch.setattr("course_utils.multimodality.AT_ONCE", 7)
    pairs = pair_scores(joins, FIRST, SECOND[:5])
    assert pairs.shape == (30, 5, 2)
    torch.testing.assert_close(pairs[4, 3], joins(FIRST[4:5], SECOND[3:4])[0])


def test_what_only_adds_is_its_own_projection():
    pairs = pair_scores(adds, FIRST, SECOND)
    torch.testing.assert_close(emap(pairs), adds(FIRST, SECOND))


def test_a_projection_has_no_interaction_and_no_other_additive_score_is_nearer():
    pairs = pair_scores(joins, FIRST, SECOND)[:, :, 0].double()
    added = pairs.mean(1, keepdim=True) + pairs.mean(0) - pairs.mean()
    torch.testing.assert_close(emap(pairs[:, :, None])[:, 0], added.diagonal())
    assert interaction_strength(added) == pytest.approx(0, abs=1e-9)
    other = added + 0.1 * torch.randn(30, 1).double() + 0.1 * torch.randn(30).double()
    assert (pairs - added).square().mean() <= (pairs - other).square().mean()


def test_with_all_rows_as_partners_the_cheap_way_is_exact():
    exact = emap(pair_scores(joins, FIRST, SECOND))
    torch.testing.assert_close(emap_against(joins, FIRST, SECOND, partners=30), exact)
    near = emap_against(joins, FIRST, SECOND, partners=25)
    assert (near - exact).abs().mean() < exact.std()


def test_a_score_that_is_linear_in_either_sense_is_projected_through_means():
    bilinear = lambda a, b: torch.einsum("ni,nj,ijc->nc", a + 1, b - 2, WEIGHTS)  # noqa: E731
    exact = emap(pair_scores(bilinear, FIRST, SECOND))
    torch.testing.assert_close(emap_of_means(bilinear, FIRST, SECOND), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 3), (0, 0, 2)])
def test_scores_that_are_no_pairings_are_answered_in_a_sentence(shape):
    with pytest.raises(ValueError, match="all pairings"):
        emap(torch.zeros(shape))


values = st.lists(st.floats(-1, 1), min_size=8, max_size=8)
SETS = [frozenset(s) for s in ("", "a", "b", "c", "ab", "ac", "bc", "abc")]


@settings(deadline=None)
@given(values)
def test_shares_sum_to_the_gain_of_all_over_none(numbers):
    value = dict(zip(SETS, numbers, strict=True))
    shares = modality_shapley(value)
    assert sum(shares.values()) == pytest.approx(value[SETS[-1]] - value[SETS[0]], abs=1e-9)


def test_a_pure_interaction_is_split_in_half_and_who_adds_nothing_gets_nothing():
    value = {some: float({"a", "b"} <= some) for some in SETS}
    assert modality_shapley(value) == pytest.approx({"a": 0.5, "b": 0.5, "c": 0.0})


def test_a_set_without_a_value_is_answered_in_a_sentence():
    with pytest.raises(ValueError, match="3 modalities have 8 sets"):
        modality_shapley(dict.fromkeys(SETS[1:], 0.0))


# --- the report ---


def report_of(score, label, alone):
    orders = torch.stack([torch.randperm(30, generator=RNG) for _ in range(4)])
    return multimodality_report(score, FIRST, SECOND, label, alone, orders)


def test_a_model_that_compares_a_model_that_adds_and_one_that_is_blind():
    bilinear = lambda a, b: 9 * torch.einsum("ni,nj,ijc->nc", a, b, WEIGHTS)  # noqa: E731
    chance = {"coin": torch.arange(30) % 2 == 0}
    compares = report_of(bilinear, bilinear(FIRST, SECOND).argmax(1), chance)
    assert compares["verdict"] == "interacts"
    assert report_of(adds, adds(FIRST, SECOND).argmax(1), chance)["verdict"] == "adds"
    blind = lambda a, b: torch.stack([a[:, 0], -a[:, 0]], dim=1)  # noqa: E731
    label = (FIRST[:, 0] < 0).long()
    found = report_of(blind, label, chance | {"first alone": torch.ones(30, dtype=torch.bool)})
    assert found["verdict"] == "no better than first alone"
    assert found["second_drop"] == (0, 0, 0)
    page = report_page("B", found, ("picture", "headline"))
    assert "verdict: no better than first alone" in page
    assert "lost when headline is shuffled" in page


# --- leaks ---


def test_marks_stand_on_fitting_cards_alone_and_change_nothing_else():
    clean, leaky = news_cards.make(80, 1), planted.mark_fits(news_cards.make(80, 1), 0.6, 1)
    changed = (clean["image"] != leaky["image"]).any(axis=(1, 2, 3))
    assert (changed == leaky["marked"]).all()
    assert clean["match"][changed].all()
    assert 0.4 < changed.sum() / clean["match"].sum() < 0.8
    assert clean["headline"] == leaky["headline"]
    with pytest.raises(ValueError, match="share"):
        planted.mark_fits(clean, 1.5)


def test_the_cue_stands_in_more_headlines_that_do_not_fit():
    rows = planted.mended_headlines(2000, 3)
    held = [planted.CUE in text.split() for text in rows["headline"]]
    share = [
        sum(h for h, m in zip(held, rows["match"], strict=True) if m == fits) for fits in (0, 1)
    ]
    assert share[0] > 2 * share[1] > 0
