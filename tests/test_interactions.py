"""Additive or not: the measures and rules of lesson 05."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.attention import Tokens
from course_utils.encoders import CachedEncoder
from course_utils.experiment import on_cached_features, scores_of_pairings
from course_utils.fusion import (
    BilinearFusion,
    ConcatFusion,
    ConcatMLPFusion,
    JointAttentionFusion,
    LowRankFusion,
    MaximumFusion,
    ProductFusion,
    SumFusion,
    TensorFusion,
    WeightedFusion,
)
from course_utils.measures import best_additive_rule, interaction_strength, rule_accuracy

ADDITIVE = (ConcatFusion, SumFusion, WeightedFusion)
INTERACTING = (
    ProductFusion, MaximumFusion, BilinearFusion, TensorFusion, LowRankFusion, ConcatMLPFusion
)  # fmt: skip
DIMS = {"image": 4, "text": 3}
CLEAN = torch.eye(5).double() / 10, (1 - torch.eye(5).double()) / 40


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- interaction strength -------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(n=st.integers(2, 6), m=st.integers(2, 6), seed=st.integers(0, 99))
def test_a_sum_of_two_parts_has_no_interaction(n, m, seed):
    scores = drawn(n, 1, seed=seed) + drawn(1, m, seed=seed + 100) + 3
    assert interaction_strength(scores.double()) < 1e-6


@settings(deadline=None, max_examples=30)
@given(n=st.integers(2, 6), m=st.integers(2, 6), seed=st.integers(0, 99))
def test_the_strength_lies_between_0_and_1_and_knows_no_unit(n, m, seed):
    scores = drawn(n, m, seed=seed).double()
    strength = interaction_strength(scores)
    assert 0 <= strength <= 1 + 1e-9
    assert interaction_strength(-5 * scores + 2) == pytest.approx(strength)
    assert interaction_strength(scores.T) == pytest.approx(strength)


def test_xor_is_nothing_but_interaction_and_and_is_a_third():
    assert interaction_strength(torch.tensor([[1.0, -1], [-1, 1]])) == pytest.approx(1)
    assert interaction_strength(torch.tensor([[0.0, 0], [0, 1]])) == pytest.approx(1 / 3)


def test_the_strength_is_made_of_mixed_differences():
    scores = drawn(4, 5).double()
    squares = []
    for i, j in itertools.product(range(4), range(5)):
        mixed = [
            scores[i, j] - scores[k, j] - scores[i, m] + scores[k, m]
            for k, m in itertools.product(range(4), range(5))
        ]
        squares.append((sum(mixed) / len(mixed)) ** 2)
    expected = sum(squares) / len(squares) / scores.var(correction=0)
    assert interaction_strength(scores) == pytest.approx(expected.item())


def test_what_is_left_is_what_the_best_sum_leaves():
    scores = drawn(4, 5).double()
    rows, columns = torch.eye(4).repeat_interleave(5, 0), torch.eye(5).repeat(4, 1)
    design = torch.cat([rows, columns], dim=1).double()
    fitted = design @ torch.linalg.pinv(design) @ scores.view(-1)
    left = (scores.view(-1) - fitted).square().mean() / scores.var(correction=0)
    assert interaction_strength(scores) == pytest.approx(left.item())


def test_scores_that_never_move_have_no_interaction():
    assert interaction_strength(torch.full((3, 7), 0.1)) == 0
    assert interaction_strength(torch.zeros(3, 7)) == 0


@pytest.mark.parametrize("shape", [(4,), (3, 3, 2)])
def test_other_shapes_are_answered_in_a_sentence(shape):
    with pytest.raises(ValueError, match=r"needs scores \(n, m\), not"):
        interaction_strength(torch.zeros(shape))


@pytest.mark.parametrize("kind", [*ADDITIVE, *INTERACTING])
def test_a_fusion_with_a_linear_head_is_additive_or_it_is_not(kind):
    torch.manual_seed(0)
    features = {name: torch.randn(12, dim) for name, dim in DIMS.items()}
    model = on_cached_features(kind(DIMS), {"train": features}, classes=2)
    scores = scores_of_pairings(model, features, rows=10)
    strength = interaction_strength(scores[:, :, 1] - scores[:, :, 0])
    assert strength < 1e-5 if kind in ADDITIVE else strength > 0.05


def test_joint_attention_is_not_additive():
    torch.manual_seed(0)
    features = {name: torch.randn(12, dim) for name, dim in DIMS.items()}
    model = on_cached_features(JointAttentionFusion(DIMS), {"train": features}, classes=2)
    scores = scores_of_pairings(model, features)
    assert interaction_strength(scores[:, :, 1] - scores[:, :, 0]) > 1e-3  # untrained: not much


def test_pairings_are_cards_of_one_rows_first_and_anothers_second():
    torch.manual_seed(0)
    features = {name: torch.randn(5, dim) for name, dim in DIMS.items()}
    model = on_cached_features(ProductFusion(DIMS), {"train": features}, classes=3)
    scores = scores_of_pairings(model, features)
    assert scores.shape == (5, 5, 3)
    mixed = {"image": features["image"][[1]], "text": features["text"][[4]]}
    torch.testing.assert_close(scores[1, 4], model(mixed)[0].detach())
    assert isinstance(model.encoders["image"], CachedEncoder)


THREE = {"sound": 2, "image": 4, "text": 3}


def three_models(kind=ProductFusion):
    torch.manual_seed(0)
    features = {name: torch.randn(5, dim) for name, dim in THREE.items()}
    return on_cached_features(kind(THREE), {"train": features}, classes=3), features


@pytest.mark.parametrize("first", [*THREE, None])
def test_of_three_modalities_one_is_exchanged_and_the_others_stay_together(first):
    model, features = three_models()
    changed = first or "sound"
    scores = scores_of_pairings(model, features, first=first)
    mixed = {name: part[[1 if name == changed else 4]] for name, part in features.items()}
    torch.testing.assert_close(scores[1, 4], model(mixed)[0].detach())


def test_which_modalities_are_there_goes_with_their_rows():
    model, features = three_models()
    there = torch.tensor([True, False, True, True, True])
    features["present"] = {"text": there, "image": there.flip(0)}
    scores = scores_of_pairings(model, features, first="text")
    mixed = {name: features[name][[1 if name == "text" else 0]] for name in THREE}
    mixed["present"] = {"text": torch.tensor([False]), "image": torch.tensor([True])}
    torch.testing.assert_close(scores[1, 0], model(mixed)[0].detach())
    assert not torch.allclose(scores[1, 0], model(mixed | {"present": {}})[0].detach())


def test_pairings_of_tokens_are_of_as_many_rows_as_there_are():
    torch.manual_seed(0)
    real = torch.arange(4) < torch.tensor([[1], [4], [2], [3], [4]])
    cached = {name: torch.randn(5, dim) for name, dim in DIMS.items()}
    cached["text_tokens"] = Tokens(torch.randn(5, 4, 3), real)
    fusion = JointAttentionFusion(DIMS, dim=8, heads=2)
    model = on_cached_features(fusion, {"train": cached}, classes=2)
    scores = scores_of_pairings(model, cached, first="text")
    assert scores.shape == (5, 5, 2)
    words = Tokens(*(part[[3]] for part in cached["text_tokens"]))
    mixed = {"image": cached["image"][[1]], "text_tokens": words}
    torch.testing.assert_close(scores[3, 1], model(mixed)[0].detach())


def test_what_cannot_be_exchanged_is_answered_in_a_sentence():
    model, features = three_models()
    with pytest.raises(ValueError, match="reads sound, image, text, and 'smell' was to be"):
        scores_of_pairings(model, features, first="smell")
    alone = on_cached_features(ConcatFusion({"text": 3}), {"train": features}, classes=2)
    with pytest.raises(ValueError, match="one modality of several: the model reads text"):
        scores_of_pairings(alone, features)


# --- the best additive rule -----------------------------------------------------------------------


def by_brute_force(fits, misfits):
    """The best of all tables of yes and no that no two lines and two columns forbid."""
    lines, columns = fits.shape
    best = 0.0
    for choice in itertools.product((False, True), repeat=lines * columns):
        yes = torch.tensor(choice).view(lines, columns)
        # u_i + v_j > 0 can be had just where the lines' yes are nested in each other.
        nested = all(
            (one <= other).all() or (other <= one).all()
            for one, other in itertools.combinations(yes, 2)
        )
        if nested:
            best = max(best, torch.where(yes, fits, misfits).sum().item())
    return best / (fits.sum() + misfits.sum()).item()


@pytest.mark.parametrize(("lines", "columns", "seed"), [(3, 3, 0), (3, 4, 1), (4, 3, 2), (2, 2, 3)])
def test_no_additive_rule_is_better(lines, columns, seed):
    rng = torch.Generator().manual_seed(seed)
    fits, misfits = torch.rand(2, lines, columns, generator=rng).double()
    found = rule_accuracy(*best_additive_rule(fits, misfits), fits, misfits)
    assert found == pytest.approx(by_brute_force(fits, misfits))


def test_on_a_clean_table_of_five_sections_three_quarters_is_the_most():
    assert rule_accuracy(*best_additive_rule(*CLEAN), *CLEAN) == pytest.approx(0.75)


def test_with_n_sections_the_most_follows_from_counting_pairs():
    for n in (2, 3, 4, 6):
        fits = torch.eye(n).double() / (2 * n)
        misfits = (1 - torch.eye(n).double()) / (2 * n * (n - 1))
        # k cells of the diagonal cost one cell off it for each pair of them.
        counted = max(0.5 + k / (2 * n) * (1 - (k - 1) / (2 * (n - 1))) for k in range(n + 1))
        found = rule_accuracy(*best_additive_rule(fits, misfits), fits, misfits)
        assert found == pytest.approx(counted)


def test_what_can_be_added_is_found_in_full():
    fits = torch.tensor([[0.0, 0.0], [0.0, 1.0]])  # AND
    assert rule_accuracy(*best_additive_rule(fits, 1 - fits), fits, 1 - fits) == 1


@pytest.mark.parametrize("scale", [0.1, 0.5, 1, 3])
def test_as_logits_the_best_rule_loses_more_than_log_2(scale):
    u, v = best_additive_rule(*CLEAN)
    fits, misfits = CLEAN
    logits = scale * (u[:, None] + v[None, :])
    softplus = torch.nn.functional.softplus
    loss = (fits * softplus(-logits) + misfits * softplus(logits)).sum().item()
    assert loss > math.log(2)


def test_tables_that_do_not_fit_are_answered_in_a_sentence():
    with pytest.raises(ValueError, match="two tables of the same shape"):
        best_additive_rule(torch.ones(3, 3), torch.ones(3, 4))
    with pytest.raises(ValueError, match="J at most 7"):
        best_additive_rule(torch.ones(2, 8), torch.ones(2, 8))
