"""What every fusion promises, and what each does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.fusion import (
    BilinearFusion,
    ConcatFusion,
    ConcatMLPFusion,
    Fusion,
    JointAttentionFusion,
    LowRankFusion,
    MaximumFusion,
    ProductFusion,
    SumFusion,
    TensorFusion,
    WeightedFusion,
    add_log_posteriors,
    average_probabilities,
    inverse_variance_weights,
    outer_fusion,
    presence,
    weighted_fusion,
    with_one,
)

PROJECTED = (WeightedFusion, SumFusion, ProductFusion, MaximumFusion)
ALL = (
    *PROJECTED, ConcatFusion, ConcatMLPFusion, BilinearFusion, TensorFusion, LowRankFusion,
    JointAttentionFusion,
)  # fmt: skip
DIM_OUT = {ConcatFusion: 12, TensorFusion: 8**3, JointAttentionFusion: 8}  # the others: 7
DIMS = {"image": 4, "text": 3, "audio": 5}
ROWS = 6


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def features():
    return {name: torch.randn(ROWS, dim) for name, dim in DIMS.items()}


def make(kind, dims=DIMS):
    if kind is JointAttentionFusion:
        return kind(dims, dim=8, heads=2)
    return kind(dims) if kind is ConcatFusion else kind(dims, dim=7)


def mask(*names, rows=ROWS):
    """Which modalities each row has: in all rows those that are named, and no others."""
    return {name: torch.full((rows,), name in names) for name in DIMS}


def drawn_presence():
    return {name: torch.rand(ROWS) > 0.4 for name in DIMS}


# --- all fusions --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_a_fusion_gives_one_vector_of_its_dim_out_for_each_row(kind, features):
    fusion = make(kind)
    assert fusion(features).shape == (ROWS, fusion.dim_out)
    assert fusion.dim_out == DIM_OUT.get(kind, 7)


@pytest.mark.parametrize("kind", ALL)
def test_without_a_mask_all_are_present(kind, features):
    fusion = make(kind)
    torch.testing.assert_close(fusion(features), fusion(features, mask(*DIMS)))


@pytest.mark.parametrize("kind", ALL)
@settings(deadline=None, max_examples=30)
@given(
    present=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_an_absent_modality_takes_no_part(kind, present, seed):
    fusion, present = make(kind), dict(zip(DIMS, torch.tensor(present).T, strict=True))
    generator = torch.Generator().manual_seed(seed)
    features, changed = {}, {}
    for name, dim in DIMS.items():
        rows = len(present[name])
        features[name] = torch.randn(rows, dim, generator=generator)
        noise = 100 * torch.randn(rows, dim, generator=generator)
        changed[name] = features[name] + noise * ~present[name][:, None]
    assert torch.equal(fusion(features, present), fusion(changed, present))


@pytest.mark.parametrize("kind", ALL)
def test_a_present_modality_takes_part(kind, features):
    fusion = make(kind)
    for name in DIMS:
        changed = features | {name: features[name] + 10}
        assert not torch.allclose(fusion(features), fusion(changed)), name


@pytest.mark.parametrize("kind", ALL)
def test_rows_do_not_mix(kind, features):
    fusion = make(kind)
    present = drawn_presence()
    together = fusion(features, present)
    for row in range(ROWS):
        alone = fusion(*({n: f[[row]] for n, f in part.items()} for part in (features, present)))
        torch.testing.assert_close(alone[0], together[row])


@pytest.mark.parametrize("kind", ALL)
def test_a_row_without_any_modality_gives_finite_numbers_and_gradients(kind, features):
    fusion = make(kind)
    present = mask(*DIMS)
    for there in present.values():
        there[2] = False
    inputs = {name: value.requires_grad_() for name, value in features.items()}
    joined = fusion(inputs, present)
    assert joined.isfinite().all()
    joined.square().sum().backward()
    for tensor in (*inputs.values(), *fusion.parameters()):
        assert tensor.grad.isfinite().all()
    assert all((value.grad[2] == 0).all() for value in inputs.values())


@pytest.mark.parametrize(
    "kind", [WeightedFusion, SumFusion, MaximumFusion, ConcatFusion, BilinearFusion]
)
def test_a_row_without_any_modality_gives_zeros(kind, features):
    assert (make(kind)(features, mask()) == 0).all()


@pytest.mark.parametrize("kind", ALL)
def test_the_features_may_come_in_any_order(kind, features):
    fusion = make(kind)
    backwards = dict(reversed(features.items()))
    assert torch.equal(fusion(features), fusion(backwards))


@pytest.mark.parametrize("kind", ALL)
def test_which_modalities_are_there_may_come_in_any_order(kind, features):
    fusion, present = make(kind), drawn_presence()
    backwards = dict(reversed(present.items()))
    assert torch.equal(fusion(features, present), fusion(features, backwards))


@pytest.mark.parametrize("kind", ALL)
def test_a_name_that_is_not_asked_about_counts_as_there(kind, features):
    fusion, present = make(kind), drawn_presence()
    known = {"audio": present["audio"]}
    whole = mask("image", "text") | known
    assert torch.equal(fusion(features, known), fusion(features, whole))


@pytest.mark.parametrize("kind", ALL)
def test_features_and_names_that_a_fusion_was_not_built_for_change_nothing(kind, features):
    fusion, present = make(kind), drawn_presence()
    more = {"smell": torch.randn(ROWS, 2)}, {"smell": torch.zeros(ROWS, dtype=torch.bool)}
    assert torch.equal(fusion(features | more[0], present | more[1]), fusion(features, present))


@pytest.mark.parametrize("kind", ALL)
def test_a_mask_of_another_shape_is_answered_in_a_sentence(kind, features):
    sentence = r"present\['text'\] has the shape \(6, 2\), but the features have 6 rows and need"
    with pytest.raises(ValueError, match=sentence):
        make(kind)(features, {"text": torch.ones(ROWS, 2, dtype=torch.bool)})


@pytest.mark.parametrize("kind", ALL)
def test_a_mask_without_names_is_answered_in_a_sentence(kind, features):
    with pytest.raises(ValueError, match=r"present is a dict .*, not a Tensor.* by their names"):
        make(kind)(features, torch.ones(ROWS, 3, dtype=torch.bool))


def test_presence_without_a_mask_is_true_everywhere():
    there = presence(None, tuple(DIMS), 2, torch.device("cpu"))
    assert there.tolist() == [[True] * 3] * 2


def test_presence_has_a_column_for_each_name_in_the_order_of_the_names():
    present = {"text": torch.tensor([True, False]), "image": torch.tensor([False, False])}
    there = presence(present, ("image", "text", "audio"), 2, torch.device("cpu"))
    assert there.tolist() == [[False, True, True], [False, False, True]]


# --- each fusion --------------------------------------------------------------------------------


def projected(fusion, features):
    return [fusion.project[name](features[name]) for name in DIMS]


@pytest.mark.parametrize(
    ("kind", "join"),
    [
        (SumFusion, lambda parts: parts[0] + parts[1] + parts[2]),
        (ProductFusion, lambda parts: parts[0] * parts[1] * parts[2]),
        (MaximumFusion, lambda parts: torch.maximum(torch.maximum(*parts[:2]), parts[2])),
        (WeightedFusion, lambda parts: sum(parts) / 3),
    ],
)
def test_the_projected_features_are_joined_element_by_element(kind, join, features):
    fusion = make(kind)
    torch.testing.assert_close(fusion(features), join(projected(fusion, features)))


@pytest.mark.parametrize("kind", [WeightedFusion, SumFusion, MaximumFusion])
def test_with_one_modality_present_its_projection_comes_out(kind, features):
    fusion = make(kind)
    alone = fusion.project["text"](features["text"])
    torch.testing.assert_close(fusion(features, mask("text")), alone)


def test_a_product_has_the_bias_of_each_absent_modality_as_its_factor(features):
    fusion = make(ProductFusion)
    text = fusion.project["text"](features["text"])
    expected = text * fusion.project["image"].bias * fusion.project["audio"].bias
    torch.testing.assert_close(fusion(features, mask("text")), expected)


def test_concat_hands_on_the_features_side_by_side(features):
    joined = make(ConcatFusion)(features, mask("image", "audio"))
    parts = [features["image"], torch.zeros(ROWS, 3), features["audio"]]
    assert torch.equal(joined, torch.cat(parts, dim=1))


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=3, max_size=3))
def test_the_weights_lie_on_the_simplex(weights):
    fusion = make(WeightedFusion)
    with torch.no_grad():
        fusion.weights.copy_(torch.tensor(weights))
    assert (fusion.alpha >= 0).all()
    assert fusion.alpha.sum().item() == pytest.approx(1, abs=1e-5)


def test_the_weights_of_the_absent_go_to_the_present(features):
    fusion = make(WeightedFusion)
    with torch.no_grad():
        fusion.weights.copy_(torch.tensor([1.0, 2.0, 3.0]))
    alpha = fusion.alpha[:2] / fusion.alpha[:2].sum()
    image, text, _ = projected(fusion, features)
    expected = alpha[0] * image + alpha[1] * text
    torch.testing.assert_close(fusion(features, mask("image", "text")), expected)


def test_the_weights_are_learnt(features):
    fusion = make(WeightedFusion)
    fusion(features).square().sum().backward()
    assert fusion.weights.grad.abs().sum() > 0


def test_concat_mlp_is_one_hidden_layer_on_the_features_side_by_side(features):
    fusion = make(ConcatMLPFusion)
    together = torch.cat([features[name] for name in DIMS], dim=1)
    expected = (together @ fusion.hidden.weight.T + fusion.hidden.bias).clamp(min=0)
    torch.testing.assert_close(fusion(features), expected)


def test_bilinear_weighs_every_product_of_two_entries():
    fusion = BilinearFusion({"image": 4, "text": 3}, dim=2)
    image, text = torch.randn(5, 4), torch.randn(5, 3)
    (form,) = fusion.pairs
    expected = torch.einsum("bi,kij,bj->bk", image, form.weight, text)
    torch.testing.assert_close(fusion({"image": image, "text": text}), expected)


def test_bilinear_has_nothing_to_say_of_one_modality_alone(features):
    assert (make(BilinearFusion)(features, mask("text")) == 0).all()
    with pytest.raises(ValueError, match="joins two modalities or more"):
        BilinearFusion({"image": 4})


def test_without_a_modality_the_tensor_holds_the_products_of_the_others(features):
    fusion = make(TensorFusion)
    image, _, audio = projected(fusion, features)
    tensor = fusion(features, mask("image", "audio")).view(ROWS, 8, 8, 8)
    torch.testing.assert_close(tensor[:, :, 0].flatten(1), outer_fusion([image, audio]))
    assert (tensor[:, :, 1:] == 0).all()


@pytest.mark.parametrize("there", [("image", "text", "audio"), ("image", "audio"), ()])
def test_low_rank_is_a_linear_layer_on_the_outer_product(there, features):
    fusion = LowRankFusion(DIMS, dim=7, rank=2)
    weight = torch.einsum("rik,rjk,rlk->ijlk", *fusion.factors).flatten(end_dim=2)
    seen = [features[name] * (name in there) for name in DIMS]
    expected = outer_fusion(seen) @ weight
    torch.testing.assert_close(fusion(features, mask(*there)), expected, rtol=1e-4, atol=1e-5)


def test_every_factor_is_a_parameter_and_moves(features):
    fusion = LowRankFusion(DIMS, dim=7, rank=2)
    assert sum(p.numel() for p in fusion.parameters()) == 2 * 7 * (5 + 4 + 6)
    before = [factor.clone() for factor in fusion.factors]
    optimizer = torch.optim.SGD(fusion.parameters(), lr=0.1)
    fusion(features).square().mean().backward()
    optimizer.step()
    for old, factor in zip(before, fusion.factors, strict=True):
        assert not torch.equal(old, factor)


def test_a_fusion_of_ones_own_says_how_to_join(features):
    class First(Fusion):
        def join(self, projected, present):
            return projected[:, 0]

    fusion = First(DIMS, dim=7)
    torch.testing.assert_close(fusion(features), fusion.project["image"](features["image"]))
    with pytest.raises(NotImplementedError):
        Fusion(DIMS)(features)


# --- functions ------------------------------------------------------------------------------------


def test_weighted_fusion_is_the_weighted_sum():
    one, other = torch.rand(4, 3), torch.rand(4, 3)
    weights = torch.tensor([0.25, 0.75]).log()
    torch.testing.assert_close(weighted_fusion([one, other], weights), 0.25 * one + 0.75 * other)


def test_the_outer_product_holds_a_one_the_features_and_their_products():
    image, text = torch.tensor([[2.0, 3.0]]), torch.tensor([[5.0, 7.0]])
    assert outer_fusion([image, text]).tolist() == [[1, 5, 7, 2, 10, 14, 3, 15, 21]]
    assert outer_fusion([image]).tolist() == [[1, 2, 3]]
    assert with_one(image).tolist() == [[1, 2, 3]]


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=5))
def test_inverse_variance_weights_sum_to_1_and_favour_the_better_sensor(sigma):
    sigma = torch.tensor(sigma, dtype=torch.float64)
    weights = inverse_variance_weights(sigma)
    assert weights.sum().item() == pytest.approx(1)
    assert weights[sigma.argmin()].item() == pytest.approx(weights.max().item())


def test_a_sensor_twice_as_bad_counts_a_quarter_as_much():
    weights = inverse_variance_weights(torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(weights, torch.tensor([0.8, 0.2]))


def test_inverse_variance_weights_have_the_least_error_of_all_weights():
    sigma = torch.tensor([1.0, 1.7], dtype=torch.float64)
    grid = torch.linspace(0, 1, 10001, dtype=torch.float64)
    error = (grid * sigma[0]) ** 2 + ((1 - grid) * sigma[1]) ** 2
    best = inverse_variance_weights(sigma)[0]
    assert grid[error.argmin()].item() == pytest.approx(best.item(), abs=1e-4)


def test_the_mean_of_probabilities_is_taken_after_the_softmax():
    logits = [torch.tensor([[0.0, 0.0]]), torch.tensor([[100.0, 0.0]])]
    torch.testing.assert_close(average_probabilities(logits), torch.tensor([[0.75, 0.25]]))


def test_adding_log_posteriors_is_bayes_rule_for_independent_senses():
    prior = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    seen = torch.rand(2, 3, 4, dtype=torch.float64)  # p(x_i | y) of 2 senses, 3 classes, 4 values
    seen /= seen.sum(dim=2, keepdim=True)
    a, b = seen[0].T * prior, seen[1].T * prior  # joint with the label, (4, 3)
    both = seen[0].T * b  # x_1 = x_2 = value
    fused = add_log_posteriors([a.log(), b.log()], prior)
    torch.testing.assert_close(fused.exp(), both / both.sum(dim=1, keepdim=True))
