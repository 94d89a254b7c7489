"""Lesson 04's exercises on answers that its author did not declare."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import exercises
from course_utils.exercises import lesson04
from course_utils.exercises.core import RIGHT, WRONG, Broken, judge
from course_utils.exercises.lesson04 import second_sensor_is_useless

pytestmark = pytest.mark.usefixtures("patient")

BUILD = exercises.find("WeightedFusion")


class Right(nn.Module):
    """A right constructor, and a forward that divides shares by their sum: what others vary."""

    def __init__(self, dims, dim=64):
        super().__init__()
        self.names, self.dim_out = tuple(dims), dim
        self.project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in dims.items()})
        self.weights = nn.Parameter(torch.zeros(len(dims)))

    def forward(self, features, present=None):
        projected = self.projected(features)
        shares = self.weights.softmax(dim=0) * self.there(projected, present)
        return self.joined(shares, projected)

    def projected(self, features):
        return torch.stack([self.project[n](features[n]) for n in self.names], dim=1)

    def there(self, projected, present):
        every = torch.ones(len(projected))
        return torch.stack([(present or {}).get(n, every) * 1.0 for n in self.names], dim=1)

    def joined(self, shares, projected):
        total = shares.sum(dim=1, keepdim=True)
        shares = shares / total.masked_fill(total == 0, 1)
        return (shares[:, :, None] * projected).sum(dim=1)


class NamesAsList(Right):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        self.names = list(dims)


class GoesThroughFeatures(Right):
    def projected(self, features):
        return torch.stack([self.project[n](value) for n, value in features.items()], dim=1)


class NoCaseWithoutMask(Right):
    def there(self, projected, present):
        return torch.stack([present[n] * 1.0 for n in self.names], dim=1)


class SideBySide(Right):
    def joined(self, shares, projected):
        return (shares[:, :, None] * projected).flatten(start_dim=1)


class OverTheBatch(Right):
    def joined(self, shares, projected):
        if torch.allclose(shares.sum(dim=1), torch.ones(len(shares))):
            return super().joined(shares, projected)
        return ((shares / shares.sum())[:, :, None] * projected).sum(dim=1)


class PoisonedGradient(Right):
    """Right in value; but 0 / 0 is replaced after the fact, and its gradient is nan."""

    def joined(self, shares, projected):
        total = ((shares / shares.sum(dim=1, keepdim=True))[:, :, None] * projected).sum(dim=1)
        return torch.where(total.isnan(), torch.zeros_like(total), total)


class NoForward(Right):
    forward = nn.Module.forward


class ReluAdded(Right):
    def projected(self, features):
        return super().projected(features).relu()


class ReluAtTheEnd(Right):
    def joined(self, shares, projected):
        return super().joined(shares, projected).relu()


class MasksInTheirOwnOrder(Right):
    def there(self, projected, present):
        if present is None:
            return super().there(projected, present)
        return torch.stack([*present.values()], dim=1) * 1.0


class SmallNumberAdded(Right):
    def joined(self, shares, projected):
        shares = shares / (shares.sum(dim=1, keepdim=True) + 1e-12)
        return (shares[:, :, None] * projected).sum(dim=1)


class OwnExponentials(Right):
    def forward(self, features, present=None):
        projected = self.projected(features)
        powers = self.weights.exp() * self.there(projected, present)
        return self.joined(powers, projected)


class AddsInPlace(Right):
    def forward(self, features, present=None):
        result = super().forward(features, present)
        features[self.names[0]] += 1
        return result


class NoMaskArgument(Right):
    def forward(self, features):
        return super().forward(features)


class SoftmaxInConstructor(Right):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        del self.weights
        self.weights = nn.Parameter(torch.zeros(len(dims))).softmax(dim=0)


class WeightsByName(Right):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        del self.weights
        self.weights = nn.ParameterDict({name: torch.zeros(1) for name in dims})


class LocalNames(nn.Module):
    def __init__(self, dims, dim=64):
        super().__init__()
        project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in dims.items()})
        del project


class TakesNoDim(Right):
    def __init__(self, dims):
        super().__init__(dims)


class DividesByNothing(Right):
    def joined(self, shares, projected):
        shares = (shares / shares.sum(dim=1, keepdim=True)).nan_to_num()
        return (shares[:, :, None] * projected).sum(dim=1)


class MasksScores(Right):
    """Right; what others vary is how the mask meets the scores, name by name."""

    def forward(self, features, present=None):
        projected = self.projected(features)
        columns = [
            self.column(n, weight.expand(len(projected)), present or {})
            for n, weight in zip(self.names, self.weights, strict=True)
        ]
        shares = torch.stack(columns, dim=1).softmax(dim=1).nan_to_num()
        return (shares[:, :, None] * projected).sum(dim=1)

    def column(self, name, score, present):
        return score.masked_fill(~present[name], -torch.inf) if name in present else score


class UpsideDownByName(MasksScores):
    def column(self, name, score, present):
        return score.masked_fill(present[name], -torch.inf) if name in present else score


class AsksEmptyPresent(MasksScores):
    def column(self, name, score, present):
        return score.masked_fill(~present[name], -torch.inf)


class FloatMask(MasksScores):
    def column(self, name, score, present):
        return score.masked_fill(~present.get(name, torch.ones(len(score))), -torch.inf)


class FloatMaskAsItIs(MasksScores):
    def column(self, name, score, present):
        return score.masked_fill(1.0 - 1.0 * present.get(name, score == score), -torch.inf)


class NoAxisForRows(Right):
    def forward(self, features, present=None):
        if present is None:
            return super().forward(features)
        projected = self.projected(features)
        every = torch.ones(len(projected), dtype=torch.bool)
        there = torch.stack([present.get(n, every) for n in self.names])
        shares = self.weights.masked_fill(~there, -torch.inf).softmax(dim=0).nan_to_num()
        return (shares.T[:, :, None] * projected).sum(dim=1)


TOLD = {
    DividesByNothing: "Mask with -inf before the softmax, then `nan_to_num`.",
    UpsideDownByName: "mask: Your mask is upside down: what is present gets no share.",
    AsksEmptyPresent: "A name that it lacks counts as there in every row",
    FloatMask: "Masks are bool: make those of your own with `dtype=torch.bool`.",
    FloatMaskAsItIs: "Masks are bool: make those of your own with `dtype=torch.bool`.",
    NoAxisForRows: "mask: `weights` is (M,), (3,) here, and meets something (M, B), (3, 4)",
    GoesThroughFeatures: "forward: `features` and `present` may hold names that are not in",
    NoCaseWithoutMask: "forward: Without a mask `present` is None",
    SideBySide: "forward: `forward` gave the shape (3, 12)",
    OverTheBatch: "mask: You divide the shares by their sum over the whole batch.",
    PoisonedGradient: "learning: After some steps its numbers are nan.",
    NoForward: "forward: Your class has no `forward`.",
    ReluAdded: "forward: Your projections go through a relu.",
    ReluAtTheEnd: "forward: Your result goes through a relu.",
    MasksInTheirOwnOrder: "mask: Each mask meets another modality",
    SmallNumberAdded: "mask: Where an absent modality has by far the largest weight",
    OwnExponentials: "mask: Right for small weights.",
    AddsInPlace: "forward: Your module changes the features",
    NoMaskArgument: "forward: `forward` should take two things",
    SoftmaxInConstructor: "constructor: `weights` is computed from something else",
    WeightsByName: "constructor: `weights` is a ParameterDict.",
    LocalNames: "constructor: Your module has no `self.project`",
    TakesNoDim: "constructor: The constructor should take `dims` and `dim`",
}


@pytest.mark.parametrize(
    "attempt", [Right, NamesAsList, MasksScores], ids=lambda kind: kind.__name__
)
def test_another_right_build_is_right(attempt):
    verdict = judge(BUILD, attempt, seed=7)
    assert verdict.kind == RIGHT, verdict.sentence


@pytest.mark.parametrize("attempt", TOLD, ids=lambda kind: kind.__name__)
def test_a_wrong_build_is_told_its_reason(attempt):
    verdict = judge(BUILD, attempt, seed=7)
    assert verdict.kind == WRONG
    assert TOLD[attempt] in verdict.sentence


def test_a_wrong_build_for_an_unknown_reason_is_told_the_row_that_shows_it():
    class Off(Right):
        def joined(self, shares, projected):
            return super().joined(shares, projected) + 0.5

    assert "forward: For row " in judge(BUILD, Off, seed=7).sentence


@pytest.mark.parametrize(
    ("row", "told"),
    [(1, "sound and image are present"), (2, "touch is present")],
)
def test_several_modalities_are_present_and_one_is(row, told):
    calls = lesson04.mask_calls(seed=7)
    wanted = lesson04.joined_by(lesson04.joined, calls)
    values = [value.clone() for value in wanted]
    values[0][row] += 1
    assert told in lesson04.about_numbers(values, wanted, calls)


def test_hints_of_the_mask_lead_to_no_division_by_nothing():
    (mask,) = (part for part in BUILD.parts if part.name == "mask")
    assert not any("0 / 0" in text for text in mask.hints)


ANYTHING = st.one_of(
    st.floats(), st.integers(), st.text(max_size=3), st.none(), st.booleans(), st.lists(st.none())
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["sigma_1", "sigma_2", "rho", "x", 1]), ANYTHING))
def test_any_dials_get_a_sentence_or_win(dials):
    found = second_sensor_is_useless(dials, seed=0)
    assert isinstance(found, Broken) or (isinstance(found, str) and found.endswith("."))


@settings(deadline=None)
@given(st.floats(0.01, 100), st.floats(1.26, 2.99), st.booleans())
def test_the_ratio_of_the_sigmas_wins_in_either_order(small, ratio, turned):
    one, other = (small * ratio, small) if turned else (small, small * ratio)
    dials = {"sigma_1": one, "sigma_2": other, "rho": 1 / ratio}
    assert isinstance(second_sensor_is_useless(dials, seed=0), Broken)


def test_the_message_of_dials_has_no_more_decimals_than_one_can_use():
    told = second_sensor_is_useless({"sigma_1": 1.0, "sigma_2": 2.0, "rho": 0.95}, seed=0)
    assert not re.search(r"\d\.\d{3}", told)


def test_subtracting_the_prior_in_place_of_its_logarithm_is_told_so():
    def attempt(logits, prior):
        return (sum(one.log_softmax(1) for one in logits) - prior).log_softmax(1)

    verdict = judge(exercises.find("add_log_posteriors"), attempt, seed=7)
    assert "`prior.log()`" in verdict.sentence
    assert "M - 1 times" in verdict.sentence


def cut_off(features, weights):
    shares = weights.softmax(dim=0).tolist()
    return sum(share * one for share, one in zip(shares, features, strict=True))


@pytest.mark.parametrize(
    ("name", "attempt"),
    [
        ("weighted_fusion", lambda f, w: f[0] * w.softmax(0)[0] + f[1] * w.softmax(0)[1]),
        ("weighted_fusion", cut_off),
        ("average_probabilities", lambda logits: sum(s.softmax(1) for s in logits) / 2),
        ("add_log_posteriors", lambda logits, p: sum(logits).log_softmax(1) - p.log()),
        ("inverse_variance_weights", lambda s: s.flip(0) ** 2 / (s**2).sum()),
    ],
)
def test_what_holds_for_two_alone_or_loses_the_gradient_is_refused(name, attempt):
    assert {judge(exercises.find(name), attempt, seed).kind for seed in range(5)} == {WRONG}


def test_no_cell_of_the_lesson_gives_another_cells_data_a_new_meaning():
    """Cells can be run again in any order: what one reads, no later one has bound anew."""
    text = Path("solutions/04_weighted_fusion.py").read_text(encoding="utf-8")
    shared = ("known", "prior", "label", "right", "found", "theory", "joined", "cards", "shown")
    for name in shared:
        bound = re.findall(rf"^(?:\w+, )*{name}\b(?:, \w+)* = ", text, flags=re.MULTILINE)
        assert len(bound) <= 1, name
