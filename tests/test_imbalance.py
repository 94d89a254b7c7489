"""Unequal shares: weights, draws, thresholds; an additive classifier, its brake and its probe."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from course_utils import imbalance
from course_utils.imbalance import (
    AdditiveClassifier,
    BalancedBatches,
    bell_scores,
    best_threshold,
    brake,
    class_counts,
    class_weights,
    copy_in,
    linear_probe,
    ogm_coefficient,
    shift_by_prior,
)
from course_utils.training import fit, predict


class Line(nn.Module):
    """A linear encoder of one number, under its own name."""

    def __init__(self, name, dim=2):
        super().__init__()
        self.reads, self.dim = (name,), dim
        self.layer = nn.Linear(1, dim)

    def forward(self, values):
        return self.layer(values)


def model(**other):
    torch.manual_seed(0)
    return AdditiveClassifier({"image": Line("image"), "text": Line("text", 3)}, 2, **other)


def rows(count=64):
    rng = torch.Generator().manual_seed(0)
    label = torch.randint(2, (count,), generator=rng)
    side = 2.0 * label[:, None] - 1
    return {"image": side + torch.randn(count, 1, generator=rng), "text": side, "label": label}


labels = st.lists(st.integers(0, 4), min_size=1, max_size=40).map(torch.tensor)


@settings(deadline=None)
@given(labels)
def test_weights_make_classes_alike_and_rows_one_on_average(label):
    weights = class_weights(label, 5)
    assert weights[label].mean().item() == pytest.approx(1, rel=1e-5)
    totals = torch.stack([weights[k] * (label == k).sum() for k in label.unique()])
    torch.testing.assert_close(totals, totals[:1].expand_as(totals))


def test_weights_are_those_that_scikit_learn_calls_balanced():
    label = torch.tensor([0] * 7 + [1] * 2 + [2] * 3)
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=label.numpy())
    np.testing.assert_allclose(class_weights(label, 3), theirs, rtol=1e-6)


def test_a_class_without_rows_weighs_nothing():
    assert class_weights(torch.tensor([0, 0, 2]), 4)[[1, 3]].tolist() == [0, 0]


@pytest.mark.parametrize("label", [[], [0, 3], [-1, 0]])
def test_labels_that_are_no_class_numbers_are_answered_in_a_sentence(label):
    with pytest.raises(ValueError, match="class numbers from 0 to 2"):
        class_counts(torch.tensor(label, dtype=torch.long), 3)


def test_balanced_batches_draw_each_class_equally_often():
    tensors = {"label": torch.tensor([0] * 380 + [1] * 20), "place": torch.arange(400)}
    batches = BalancedBatches(tensors, 64)
    drawn = [*batches]
    assert len(drawn) == len(batches)
    label = torch.cat([batch["label"] for batch in drawn])
    assert len(label) == 400
    assert 0.4 < (label == 1).float().mean() < 0.6
    assert len(torch.cat([b["place"] for b in drawn])[label == 1].unique()) <= 20


def test_balanced_batches_go_on_from_a_checkpoint():
    tensors = {"label": torch.tensor([0] * 30 + [1] * 10), "place": torch.arange(40)}
    batches, again = BalancedBatches(tensors, 8), BalancedBatches(tensors, 8, seed=1)
    next(iter(batches))
    again.load_state_dict(batches.state_dict())
    places = [[batch["place"].tolist() for batch in each] for each in (batches, again)]
    assert places[0] == places[1]


def test_balanced_batches_leave_no_single_row_over():
    batches = BalancedBatches({"label": torch.tensor([0, 1] * 32 + [0])}, 64)
    assert [len(batch["label"]) for batch in batches] == [65]


def test_the_shift_takes_the_prior_out():
    likelihood, prior = torch.tensor([[0.2, 0.6, 0.2]]), torch.tensor([0.7, 0.1, 0.2])
    shifted = shift_by_prior((likelihood * prior).log(), prior)
    torch.testing.assert_close(shifted.softmax(1), likelihood)
    logits = torch.randn(2, 3)
    assert torch.equal(shift_by_prior(logits, prior, 0.0), logits)


scored = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=25).filter(
    lambda pairs: any(positive for _, positive in pairs)
)


@settings(deadline=None, max_examples=40)
@given(scored)
def test_no_threshold_has_a_better_f1(pairs):
    score, positive = (torch.tensor(side) for side in zip(*pairs, strict=True))
    best = best_threshold(score.float(), positive)

    def f1(level):
        called = score >= level
        return 2 * int((called & positive).sum()) / int(called.sum() + positive.sum())

    assert f1(best) == pytest.approx(max(map(f1, range(-5, 6))))


def test_of_equal_thresholds_the_largest_is_taken():
    score = torch.tensor([3.0, 2.0, 1.0])
    assert best_threshold(score, torch.tensor([True, False, True])) == 1.0
    assert best_threshold(score, torch.tensor([True, False, False])) == 3.0


def test_a_threshold_without_positive_rows_is_refused():
    with pytest.raises(ValueError, match="with 0 True"):
        best_threshold(torch.ones(3), torch.zeros(3, dtype=torch.bool))


def test_bell_scores_are_what_drawn_scores_give():
    rng = np.random.default_rng(0)
    rare = rng.random(400_000) < 0.1
    score = rng.standard_normal(400_000) + 1.5 * rare
    said = bell_scores(0.1, 1.5, math.log(9))
    called = score > 0.75 + math.log(9) / 1.5
    assert said.recall == pytest.approx(called[rare].mean(), abs=0.01)
    assert said.precision == pytest.approx(rare[called].mean(), abs=0.02)
    assert said.macro_f1 == pytest.approx(f1_score(rare, called, average="macro"), abs=0.01)


def test_logits_are_the_sum_of_the_parts():
    one, batch = model().eval(), rows()
    torch.testing.assert_close(one(batch), one.parts["image"] + one.parts["text"])
    assert one.reads == ("image", "text")


def test_rows_are_hidden_whole_at_random_and_only_in_training():
    one, batch = model(hide={"text": 0.5}), rows(400)
    logits, parts = one(batch), one.parts
    hidden = (logits - parts["image"]).abs().amax(dim=1) < 1e-6
    assert 0.35 < hidden.float().mean() < 0.65
    torch.testing.assert_close(logits[~hidden], (parts["image"] + parts["text"])[~hidden])
    one.eval()
    torch.testing.assert_close(one(batch), sum(one.parts.values()))


def test_a_parts_own_loss_counts_by_its_weight():
    one, batch = model(own_loss={"image": 0.5}), rows()
    logits = one(batch)
    wanted = F.cross_entropy(logits, batch["label"])
    wanted = wanted + 0.5 * F.cross_entropy(one.parts["image"], batch["label"])
    torch.testing.assert_close(one.loss(logits, batch), wanted)


def test_what_is_copied_in_says_what_it_said_times_a_number():
    batch = rows()
    ready = AdditiveClassifier({"text": Line("text", 3)}, 2)
    other = model()
    copy_in(other, ready, strength=0.5)
    ready(batch), other(batch)
    torch.testing.assert_close(other.parts["text"], 0.5 * ready.parts["text"])


def test_the_leading_modality_gets_the_smaller_factor():
    sure, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    factor = ogm_coefficient({"image": unsure, "text": sure}, torch.tensor([0]), 0.5)
    ratio = float(sure.softmax(1)[0, 0]) / 0.5
    assert factor == {"image": 1.0, "text": pytest.approx(1 - math.tanh(0.5 * ratio), rel=1e-4)}


def test_the_brake_shrinks_the_gradients_of_encoders_alone():
    batch, seen = rows(), {}
    for alpha in (0.0, 5.0):
        one = model()
        with torch.no_grad():
            one.heads["text"].weight.mul_(20)
        optimizer = torch.optim.SGD(one.parameters(), lr=1.0)
        loss = brake(one, optimizer, alpha, noise=False)
        before = {n: p.detach().clone() for n, p in one.named_parameters()}
        fit(one, [batch], epochs=1, optimizer=optimizer, loss=loss)
        seen[alpha] = {n: (p - before[n]).abs().sum().item() for n, p in one.named_parameters()}
    moved = {n: abs(seen[0.0][n] - seen[5.0][n]) for n in seen[0.0]}
    assert {n.split(".")[0] for n, far in moved.items() if far > 1e-6} == {"encoders"}


def test_the_noise_keeps_a_braked_encoder_moving():
    one, batch = model(), [rows()]
    optimizer = torch.optim.SGD(one.parameters(), lr=0.1)
    fit(one, batch, epochs=2, optimizer=optimizer, loss=brake(one, optimizer, 1.0))
    assert predict(one, batch).isfinite().all()


def test_a_probe_reads_what_the_features_tell_and_leaves_the_encoder():
    encoder, batch = Line("text"), rows()
    before = encoder.layer.weight.detach().clone()
    assert linear_probe(encoder, batch, batch) == 1.0
    assert torch.equal(encoder.layer.weight, before)
    blind = batch | {"text": torch.zeros(64, 1)}
    assert linear_probe(encoder, blind, blind) < 0.7


def test_public_functions_say_where_they_come_from():
    for name in ("shift_by_prior", "ogm_coefficient", "linear_probe"):
        assert "20" in getattr(imbalance, name).__doc__
