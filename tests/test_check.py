"""The machinery of `check`, `hint` and `solution`, on toy exercises that stand in this file."""

import collections
import contextlib
import dataclasses
import functools
import gc
import linecache
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import course_utils
from course_utils import display, exercises
from course_utils.exercises import check, core, hint, limits, solution, undisturbed
from course_utils.exercises.core import (
    NOT_ATTEMPTED,
    RIGHT,
    WRONG,
    Exercise,
    Mistake,
    Part,
    gradients,
    judge,
)
from course_utils.exercises.difference import CannotCompare, difference, shorten
from course_utils.exercises.faults import FAULTS, SENTENCES
from course_utils.exercises.limits import TooLong, call_within
from course_utils.exercises.telling import marked_up

pytestmark = pytest.mark.usefixtures("patient")

Pair = collections.namedtuple("Pair", ["one", "two"])

# --- toy exercises ---------------------------------------------------------------------------


def distances(points, query):
    return (points - query).square().sum(dim=1)


def point_cases(rng):
    for n, d in [(5, 2), (1, 3), (4, 7)]:
        yield torch.randn(n, d, generator=rng), torch.randn(d, generator=rng)


squared_distance = Exercise(
    reference=distances,
    cases=point_cases,
    hints=("Rows are points.", "Which axis holds the `features`?"),
    mistakes=(
        Mistake(
            lambda points, query: (points - query).square().sum(dim=0),
            "You summed over the points.",
        ),
        Mistake(
            lambda points, query: (points - query).abs().sum(dim=1), "You added absolute values."
        ),
        Mistake(
            lambda points, query: (points - query).square().sum(dim=2), "There is no third axis."
        ),
    ),
    seconds=0.3,
)


def exercise_for(reference, cases, **options):
    """An exercise whose cases are a fixed list of argument tuples."""
    return Exercise(reference=reference, cases=lambda rng: cases, **options)


def verdict_of(attempt, exercise=squared_distance, seed=0):
    return judge(exercise, attempt, seed)


# --- the three answers -----------------------------------------------------------------------


def test_a_stub_is_not_attempted():
    def stub(points, query):
        raise NotImplementedError

    assert verdict_of(stub).kind == NOT_ATTEMPTED


def test_an_operation_that_torch_lacks_is_wrong_and_not_a_stub():
    def attempt(points, query):
        return nn.Module()(points)  # raises NotImplementedError inside torch

    assert verdict_of(attempt).kind == WRONG


def test_another_way_to_the_same_values_is_right():
    assert verdict_of(lambda points, query: (points - query).norm(dim=1) ** 2).kind == RIGHT


def test_a_declared_mistake_is_named_with_its_message():
    verdict = verdict_of(lambda points, query: (points - query).abs().sum(1))
    assert verdict == core.Verdict(WRONG, "You added absolute values.")


def test_the_first_declared_mistake_that_fits_is_named():
    twice = exercise_for(
        lambda x: x,
        [(1,)],
        mistakes=(Mistake(lambda x: 2, "first"), Mistake(lambda x: 2, "second")),
    )
    assert verdict_of(lambda x: 2, twice).sentence == "first"


def test_a_mistake_that_raises_is_known_by_its_error():
    verdict = verdict_of(lambda points, query: (points - query).square().sum(dim=2))
    assert verdict.sentence == "There is no third axis."


def test_an_unknown_wrong_answer_comes_with_the_smallest_case():
    verdict = verdict_of(lambda points, query: (points - query).square().sum(dim=1) + 1)
    details = dict(verdict.details)
    assert verdict.kind == WRONG
    assert details["with points"].startswith("tensor (1, 3) float32 [[")
    assert details["expected"].startswith("tensor (1,)")
    assert details["yours"].startswith("tensor (1,)")


def test_the_seed_in_the_message_brings_the_same_inputs_back():
    first, second = (
        verdict_of(lambda points, query: points, seed=5).details,
        verdict_of(lambda points, query: points, seed=5).details,
    )
    assert first == second
    assert first[-1] == ("these inputs again", "check(..., seed=5)")
    assert first != verdict_of(lambda points, query: points, seed=6).details


def test_an_error_is_told_with_type_message_line_and_shapes():
    def attempt(points, query):
        product = points @ points
        return product + 1

    verdict = verdict_of(attempt)
    details = dict(verdict.details)
    line = attempt.__code__.co_firstlineno + 1
    assert verdict.sentence.startswith("Your code raised RuntimeError: ")
    assert "cannot be multiplied (1x3 and 1x3)" in verdict.sentence
    assert details[f"line {line} of your code"] == "product = points @ points"
    assert details["with points"].startswith("tensor (1, 3)")


def test_an_error_in_a_helper_is_told_with_the_helpers_line():
    def helper(points):
        return {}["missing"]

    details = dict(verdict_of(lambda points, query: helper(points)).details)
    assert 'return {}["missing"]' in details.values()


@pytest.mark.parametrize("attempt", [lambda points: points, lambda a, b, c: a])
def test_a_wrong_number_of_parameters_is_said(attempt):
    sentence = verdict_of(attempt).sentence
    assert sentence.startswith("Yours takes the arguments")
    assert sentence.endswith("but the exercise calls it with 2 arguments.")


def test_none_asks_for_the_return():
    assert "is a `return` missing?" in verdict_of(lambda points, query: None).sentence


def test_nan_is_shown_where_a_number_was_expected():
    verdict = verdict_of(lambda points, query: distances(points, query) * float("nan"))
    assert verdict.sentence.startswith("Your answer[0] is nan; expected is")


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, RecursionError, MemoryError])
def test_whatever_an_attempt_raises_is_said(error):
    def attempt(points, query):
        raise error

    assert verdict_of(attempt).sentence == f"Your code raised {error.__name__}."


def test_the_stop_button_still_stops():
    def attempt(points, query):
        signal.raise_signal(signal.SIGINT)  # what the button sends
        time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        verdict_of(attempt)


def test_an_interrupt_that_the_attempt_raises_by_itself_is_an_error_of_its_own():
    def attempt(points, query):
        raise KeyboardInterrupt

    assert verdict_of(attempt).sentence == "Your code raised KeyboardInterrupt."


def test_an_answer_that_cannot_even_be_printed_is_wrong():
    class Broken:
        def __repr__(self):
            raise ValueError

    assert verdict_of(lambda points, query: Broken()).kind == WRONG


def test_a_fault_of_the_reference_is_no_verdict_on_the_attempt(capsys):
    faulty = exercise_for(lambda x: x / 0, [(1,)])
    with pytest.raises(ZeroDivisionError):
        verdict_of(lambda x: x, faulty)
    assert core.is_stand_in(core.check(faulty, "faulty", lambda x: x))
    assert "could not be judged (ZeroDivisionError)" in capsys.readouterr().out
    with pytest.raises(TimeoutError, match="the reference did not end within"):
        verdict_of(lambda x: x, exercise_for(time.sleep, [(60,)], seconds=0.2))


def test_warnings_of_declared_mistakes_do_not_reach_the_learner():
    def loud(x):
        warnings.warn("loud", stacklevel=1)
        return 3

    exercise = exercise_for(lambda x: x, [(1,)], mistakes=(Mistake(loud, "Too loud."),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert verdict_of(lambda x: 3, exercise).sentence == "Too loud."


# --- inputs and global state -----------------------------------------------------------------


def test_each_call_draws_fresh_inputs(toys):
    seen = []

    def squared_distance(points, query):
        seen.append(points.clone())
        return distances(points, query)

    check(squared_distance)
    check(squared_distance)
    half = len(seen) // 2  # a right attempt is run once more, for its gradient
    assert not torch.equal(seen[0], seen[half])
    seen.clear()
    check(squared_distance, seed=1)
    check(squared_distance, seed=1)
    assert torch.equal(seen[0], seen[half])


def random_state():
    return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()


def spend_random_numbers(points, query):
    random.random(), np.random.rand(), torch.rand(1), torch.manual_seed(3)
    return distances(points, query)


def spend_and_raise(points, query):
    spend_random_numbers(points, query)
    raise ValueError


def spend_for_ever(points, query):
    while True:
        spend_random_numbers(points, query)


@pytest.mark.parametrize("attempt", [spend_random_numbers, spend_and_raise, spend_for_ever])
def test_global_random_state_is_left_as_it_was_found(attempt):
    before = random_state()
    verdict_of(attempt)
    assert random_state() == before


@pytest.fixture
def other_defaults():
    """torch as a learner may have set it: another precision, tensors made elsewhere."""
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)


def test_a_right_attempt_is_right_whatever_torchs_defaults_are(other_defaults):
    def attempt(points, query):
        out = torch.zeros(len(points))
        for i, point in enumerate(points):
            out[i] = ((point - query) ** 2).sum()
        return out

    assert verdict_of(attempt).kind == RIGHT
    assert (torch.get_default_dtype(), torch.empty(1).device.type) == (torch.float64, "meta")


def test_an_attempt_that_draws_meets_the_same_dice_as_the_reference():
    def reference(x):
        return x + torch.rand(3) + np.random.rand() + random.random()

    exercise = exercise_for(reference, [(torch.zeros(3),)] * 2)
    assert verdict_of(lambda x: reference(x), exercise).kind == RIGHT


def test_cases_may_draw_layers_from_the_global_state():
    exercise = Exercise(
        reference=lambda layer: layer.weight.sum(), cases=lambda rng: [(nn.Linear(2, 2),)]
    )
    attempt = exercise.reference
    before = random_state()
    assert verdict_of(attempt, exercise).kind == RIGHT
    assert random_state() == before


def subtract_in_place(points, query):
    return points.sub_(query).square_().sum(dim=1)


def test_an_attempt_that_changes_its_input_is_wrong_in_a_sentence():
    sentence = verdict_of(subtract_in_place).sentence
    assert sentence == "Your function changed its input `points` in place; work on a copy of it."


def test_changing_the_input_can_be_a_declared_mistake():
    exercise = Exercise(
        reference=distances, cases=point_cases, mistakes=(Mistake(subtract_in_place, "In place!"),)
    )
    assert verdict_of(subtract_in_place, exercise).sentence == "In place!"


def test_a_changed_list_or_module_is_seen_as_well():
    def sort(items):
        items.sort()
        return items

    def zero(layer):
        nn.init.zeros_(layer.weight)
        return 1

    assert "`x`" in verdict_of(sort, exercise_for(lambda x: sorted(x), [([2, 1],)])).sentence
    layers = exercise_for(lambda layer: 1, [(nn.Linear(2, 2),)])
    assert "`layer`" in verdict_of(zero, layers).sentence


def test_changing_the_input_is_right_where_the_exercise_says_so():
    exercise = exercise_for(
        lambda x: x.add_(1), [(torch.zeros(2),)], changes_input=True, observe=lambda result, x: x
    )
    assert verdict_of(lambda x: x.add_(1), exercise).kind == RIGHT
    assert verdict_of(lambda x: x + 1, exercise).kind == WRONG


def test_an_argument_without_equality_counts_as_unchanged():
    exercise = exercise_for(lambda rng: 1, [(torch.Generator(),)])
    assert verdict_of(lambda rng: 1, exercise).kind == RIGHT


# --- what the exercise observes --------------------------------------------------------------


def step(model, optimiser, x):
    optimiser.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    optimiser.step()
    return loss.detach()


def step_cases(rng):
    model = nn.Linear(3, 1)
    model(torch.randn(2, 3, generator=rng)).sum().backward()  # an old gradient is there already
    yield model, torch.optim.SGD(model.parameters(), lr=0.1), torch.randn(4, 3, generator=rng)


training_step = Exercise(
    reference=step,
    cases=step_cases,
    changes_input=True,
    observe=lambda loss, model, optimiser, x: {"loss": loss, "parameters": model.state_dict()},
)


def test_a_training_step_must_change_its_model():
    def no_step(model, optimiser, x):
        return model(x).square().mean().detach()

    def no_zero_grad(model, optimiser, x):
        loss = model(x).square().mean()
        loss.backward()
        optimiser.step()
        return loss.detach()

    assert verdict_of(step, training_step).kind == RIGHT
    for attempt, forgotten in ((no_step, "backward"), (no_zero_grad, "zero_grad")):
        verdict = verdict_of(attempt, training_step)
        assert verdict.kind == WRONG
        assert f"`{forgotten}`" in verdict.sentence


def leaf_cases(rng):
    yield (torch.randn(3, generator=rng, requires_grad=True),)


def test_gradients_are_compared_where_the_exercise_observes_them():
    exercise = Exercise(
        reference=lambda x: x.softmax(0),
        cases=leaf_cases,
        observe=lambda y, x: {"values": y, "gradient": gradients(y, x)},
    )
    assert verdict_of(lambda x: x.exp() / x.exp().sum(), exercise).kind == RIGHT
    half = verdict_of(lambda x: x.exp() / x.exp().sum().detach(), exercise)
    assert "`detach` is one step too many" in half.sentence
    none = verdict_of(lambda x: x.detach().softmax(0), exercise)
    assert none.sentence.startswith(
        "In your answer, gradient[0] is None; expected is a tensor (3,)."
    )


def test_requires_grad_is_compared_where_the_exercise_observes_it():
    exercise = Exercise(
        reference=lambda x: x * 2,
        cases=leaf_cases,
        observe=lambda y, x: {"values": y, "requires_grad": y.requires_grad},
    )
    sentence = verdict_of(lambda x: (x * 2).detach(), exercise).sentence
    assert "`detach` is one step too many" in sentence


def test_an_answer_that_cannot_be_observed_is_compared_as_it_is():
    exercise = Exercise(
        reference=lambda x: x * 2, cases=leaf_cases, observe=lambda y, x: y.requires_grad
    )
    sentence = verdict_of(lambda x: 3.0, exercise).sentence
    assert sentence == "Your answer is a float; expected is a tensor (3,)."


def test_a_declared_mistake_that_agrees_by_luck_is_not_told():
    drawn = iter(range(100))

    def cases(rng):
        # The first draw cannot tell the largest from the last; all later ones can.
        yield from [([1, 2],)] if next(drawn) == 0 else [([1, 3, 2],), ([5, 4, 1, 2],)]

    exercise = Exercise(
        reference=min,
        cases=cases,
        mistakes=(Mistake(max, "You took the largest."),),
    )
    assert verdict_of(lambda x: x[-1], exercise).sentence != "You took the largest."
    assert verdict_of(lambda x: max(x), exercise).sentence == "You took the largest."


def test_an_answer_that_never_changes_is_no_fault_of_the_first_row():
    exercise = Exercise(
        reference=lambda x: (x - x[0]).abs().sum().item(),
        cases=lambda rng: [(torch.zeros(1),), *((torch.rand(n, generator=rng),) for n in (3, 5))],
    )
    sentence = verdict_of(lambda x: 0.0, exercise).sentence
    assert not set(SENTENCES.values()) & {sentence}


# --- faults that the course lays over right answers ------------------------------------------


def rows_and_weights(rng):
    for rows in (1, 3):
        features = [torch.randn(rows, 4, generator=rng) for _ in range(2)]
        yield features, torch.randn(2, generator=rng)


def weighted(features, weights):
    return (weights.softmax(0)[:, None, None] * torch.stack(features)).sum(0)


mixture = Exercise(reference=weighted, cases=rows_and_weights)
SAID = {
    "detached result": "your answer carries no gradient",
    "squeezed result": "An axis of size 1 is lost",
    "changed input": "changed its input `features`",
    "another dtype": "has dtype float64; expected is float32",
    "first row only": "Only the first row is right",
    "cached first answer": "the first answer again for each input",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_laid_over_a_right_answer_is_told_by_its_name(fault):
    verdict = verdict_of(FAULTS[fault](weighted), mixture)
    assert verdict.kind == WRONG
    assert SAID[fault] in verdict.sentence


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_laid_over_a_right_module_is_refused(fault):
    assert verdict_of(FAULTS[fault](Scale), scale).kind == WRONG


def by_item(features, weights):
    alpha = weights.softmax(0)
    return sum(share.item() * feature for share, feature in zip(alpha, features, strict=True))


def through_numpy(features, weights):
    return torch.from_numpy(weighted(features, weights).numpy())


@torch.no_grad()
def without_gradients(features, weights):
    return weighted(features, weights)


def made_anew(features, weights):
    return torch.tensor(weighted(features, weights).tolist())


def half_detached(features, weights):
    alpha = weights.exp() / weights.exp().sum().detach()
    return alpha[0] * features[0] + alpha[1] * features[1]


@pytest.mark.parametrize(
    ("attempt", "why"),
    [
        (by_item, "no gradient reaches `weights`. Look for `.detach()`, `.item()`"),
        (through_numpy, "carries no gradient"),
        (without_gradients, "carries no gradient"),
        (made_anew, "carries no gradient"),
        (half_detached, "part of the gradient of `weights` is lost"),
        (lambda f, w: weighted([f[0], f[1].detach()], w), "no gradient reaches `features[1]`"),
    ],
)
def test_a_gradient_that_is_lost_on_the_way_is_told_with_the_place(attempt, why):
    verdict = verdict_of(attempt, mixture)
    assert verdict.kind == WRONG
    assert why in verdict.sentence


def test_a_gradient_that_is_lost_to_a_parameter_is_told_with_its_name():
    class Attempt(Scale):
        def forward(self, x):
            return self.dropout(x * self.factor.data + self.shift)

    assert "no gradient reaches the parameter `factor`" in verdict_of(Attempt, scale).sentence


def test_a_gradient_is_not_asked_for_where_the_exercise_says_so_or_there_is_none():
    unasked = Exercise(
        reference=weighted, cases=rows_and_weights, unaffected={"detached result": "it is a plot"}
    )
    assert verdict_of(without_gradients, unasked).kind == RIGHT
    counts = exercise_for(lambda x: (x > 0).sum(), [(torch.randn(3),)])
    assert verdict_of(lambda x: (x.detach() > 0).sum(), counts).kind == RIGHT


@pytest.mark.parametrize(
    ("reference", "attempt", "values"),
    [
        # At a tie, at 0 and at a mark right ways differ in their gradients.
        (lambda x: x.amax(0), lambda x: x.max(0).values, torch.tensor([0.5, 0.5, 0.1])),
        (lambda x: x.relu(), lambda x: torch.where(x >= 0, x, 0.0), torch.tensor([0.0, 0.5, -2])),
        (lambda x: x.square(), lambda x: x * x.abs() * x.sign(), torch.tensor([0.0, 1.5])),
        (lambda x: x * 2, lambda x: torch.where(x == 1, 2.0, 0.0), torch.tensor([0.0, 1, 1])),
        # Right for shares that sum to 1 only: another function elsewhere.
        (lambda x: x / x.sum(), lambda x: x * 1, torch.tensor([0.3, 0.7])),
    ],
)
def test_right_ways_that_differ_in_their_gradient_at_single_points_are_right(
    reference, attempt, values
):
    assert verdict_of(attempt, exercise_for(reference, [(values,)])).kind == RIGHT


def test_a_fault_that_does_not_exist_cannot_be_declared():
    with pytest.raises(TypeError, match="names faults that there are not"):
        Exercise(reference=len, cases=iter, unaffected={"wobble": "?"})


def test_where_an_answer_cannot_be_observed_other_values_are_not_called_wrong():
    exercise = exercise_for(
        lambda x: (x, 0 * x), [(torch.ones(2, 2),)], observe=lambda result, x: result[0] + result[1]
    )
    sentence = verdict_of(lambda x: (3 * x, "two"), exercise).sentence
    assert sentence == "Your answer[1] is a str; expected is a tensor (2, 2)."


def test_an_answer_that_takes_for_ever_to_print_is_wrong_all_the_same():
    class Slow:
        def __repr__(self):
            time.sleep(60)

    started = time.monotonic()
    assert verdict_of(lambda points, query: Slow()).kind == WRONG
    assert time.monotonic() - started < 20


# --- modules ---------------------------------------------------------------------------------


class Scale(nn.Module):
    def __init__(self, dim, dropout=0.0):
        super().__init__()
        self.factor = nn.Parameter(torch.randn(dim))
        self.register_buffer("shift", torch.randn(dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(x * self.factor + self.shift)


def scale_cases(rng):
    yield (3,), (torch.randn(2, 3, generator=rng),)
    yield (5, 0.5), (torch.randn(1, 5, generator=rng),)


scale = Exercise(reference=Scale, cases=scale_cases, module=True)


def test_a_module_is_checked_with_the_references_parameters_and_buffers():
    class Attempt(Scale):
        def __init__(self, dim, dropout=0.0):
            torch.rand(7)  # its constructor may draw otherwise
            super().__init__(dim, dropout)

        def forward(self, x):
            return self.dropout(self.shift + self.factor * x)

    class Wrong(Scale):
        def forward(self, x):
            return self.dropout(x * self.factor - self.shift)

    assert verdict_of(Attempt, scale).kind == RIGHT
    verdict = verdict_of(Wrong, scale)
    assert verdict.kind == WRONG
    assert dict(verdict.details)["built with dim"]
    assert dict(verdict.details)["called with x"].startswith("tensor (")


def test_a_missing_and_an_extra_parameter_are_named():
    class Attempt(nn.Module):
        def __init__(self, dim, dropout=0.0):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(dim))

    sentence = verdict_of(Attempt, scale).sentence
    assert "has no parameter `factor` (3,)" in sentence
    assert "has `scale` (3,), which the exercise does not ask for" in sentence


def test_a_parameter_in_a_plain_list_is_said_to_be_missing():
    class Attempt(nn.Module):
        def __init__(self, dim, dropout=0.0):
            super().__init__()
            self.factor = [nn.Parameter(torch.ones(dim))]

    sentence = verdict_of(Attempt, scale).sentence
    assert "no parameter `factor`" in sentence
    assert "plain list" in sentence


def test_a_misshapen_parameter_is_named_with_both_shapes():
    class Attempt(Scale):
        def __init__(self, dim, dropout=0.0):
            super().__init__(dim, dropout)
            self.factor = nn.Parameter(torch.ones(1, dim))

    sentence = verdict_of(Attempt, scale).sentence
    assert sentence == "Your module's parameter `factor` has shape (1, 3); expected is (3,)."


def test_a_module_stub_is_not_attempted_and_a_function_is_no_module():
    class Stub(Scale):
        def forward(self, x):
            raise NotImplementedError

    assert verdict_of(Stub, scale).kind == NOT_ATTEMPTED
    assert "derives from `nn.Module`" in verdict_of(lambda dim: None, scale).sentence


def test_a_forgotten_super_and_a_wrong_forward_are_said():
    class NoSuper(nn.Module):
        def __init__(self, dim, dropout=0.0):
            self.factor = nn.Parameter(torch.ones(dim))

    class NoInput(Scale):
        def forward(self):
            return self.factor

    assert "AttributeError: cannot assign" in verdict_of(NoSuper, scale).sentence
    assert "takes the arguments `()`" in verdict_of(NoInput, scale).sentence


def test_a_changed_input_of_a_module_is_named():
    class Attempt(Scale):
        def forward(self, x):
            answer = super().forward(x)
            x.zero_()
            return answer

    assert "changed its input `x`" in verdict_of(Attempt, scale).sentence


# --- builds ----------------------------------------------------------------------------------


class Counter3:
    """A toy build: counts what it is given, and resets."""

    def __init__(self, start=0):
        self.count = start

    def add(self, items):
        self.count += len(items)
        return self.count

    def reset(self):
        self.count = 0


class NeverResets(Counter3):
    def reset(self):
        pass


def what_it_adds(attempt, seed):
    counter = attempt()
    return [counter.add([0] * (seed % 5)), counter.add([0, 0])]


def what_is_left(attempt, seed):
    counter = attempt(5)
    counter.reset()
    return {"count": counter.count}


counter = Exercise(
    reference=Counter3,
    parts=(
        Part(
            "adding",
            what_it_adds,
            lambda seen, seed: (
                None if seen == [seed % 5, seed % 5 + 2] else f"The counts are {seen}."
            ),
            ("Keep the count.",),
        ),
        Part(
            "resetting",
            what_is_left,
            lambda seen, seed: "`reset` leaves the count." if seen["count"] else None,
            ("Set it to 0.", "`self.count = 0`"),
        ),
    ),
    mistakes=(Mistake(NeverResets, "`reset` leaves the count."),),
    seconds=0.3,
)


def test_a_build_is_right_where_all_its_parts_hold():
    verdict = verdict_of(Counter3, counter)
    assert verdict == core.Verdict(RIGHT, "All 2 parts hold: adding, resetting.")


def test_a_build_is_told_its_first_part_that_does_not_hold_and_those_that_do():
    verdict = verdict_of(NeverResets, counter)
    assert verdict.sentence == "Part 2 of 2, resetting: `reset` leaves the count."
    assert ("holds already", "adding") in verdict.details
    assert verdict.part == 1


def test_a_build_that_raises_or_does_not_end_is_told_so_in_its_part():
    class Raises(Counter3):
        def reset(self):
            raise ValueError("no")

    class Endless(Counter3):
        add = loop

    assert "resetting: Your code raised ValueError: no." in verdict_of(Raises, counter).sentence
    assert "adding: It did not end" in verdict_of(Endless, counter).sentence


def test_a_build_that_gives_what_its_part_cannot_read_is_wrong():
    class Odd(Counter3):
        def reset(self):
            del self.count

    unread = Exercise(
        reference=Counter3, parts=(Part("size", lambda a, s: a, lambda seen, s: seen["x"]),)
    )
    assert verdict_of(Odd, counter).kind == WRONG
    assert "cannot be judged: TypeError" in verdict_of(Odd, unread).sentence


def test_a_build_that_gives_what_the_next_step_cannot_use_is_not_told_that_its_own_code_raised():
    # `gradients` stands for a step of the course: it asks the attempt for what only tensors have.
    using = Exercise(
        reference=lambda: 1, parts=(Part("using", core.gradients, lambda seen, seed: None),)
    )
    sentence = verdict_of(lambda: 1, using).sentence
    assert sentence.startswith("Part 1 of 1, using: What your code gave cannot be used: Attrib")


def test_an_error_in_one_function_for_all_parts_is_not_laid_to_the_first_part():
    def part(name):
        return Part(name, lambda attempt, seed: attempt(), lambda seen, seed: None)

    whole = Exercise(reference=lambda: {}, parts=(part("counts"), part("means")))

    def attempt():
        counts = {"a": 1}
        return counts | {"mean": counts["b"]}

    assert verdict_of(attempt, whole).sentence.startswith("Your code raised KeyError")


def test_an_open_method_of_a_build_is_not_attempted():
    class Open(Counter3):
        def reset(self):
            raise NotImplementedError

    assert verdict_of(Open, counter).kind == NOT_ATTEMPTED


def test_hints_of_a_build_follow_the_part_that_the_last_check_met(monkeypatch, capsys):
    monkeypatch.setattr(exercises, "find", lambda name: counter)
    monkeypatch.setattr(exercises, "_hints_given", exercises._hints_given.copy())
    monkeypatch.setattr(core, "_part_reached", {})
    hint("Counter3")
    core.check(counter, "Counter3", NeverResets)
    hint("Counter3")
    hint("Counter3")
    hint("Counter3")
    lines = [line for line in capsys.readouterr().out.splitlines() if "int" in line]
    assert lines[0] == "Hint 1 of 1 for `Counter3`, adding. Keep the count."
    assert lines[-3] == "Hint 1 of 2 for `Counter3`, resetting. Set it to 0."
    assert lines[-1].startswith("No more hints for `Counter3`, resetting.")


def test_the_stand_in_of_a_build_does_all_of_it():
    class Open(Counter3):
        def reset(self):
            raise NotImplementedError

    given = core.check(counter, "Counter3", Open)
    assert verdict_of(given, counter).kind == NOT_ATTEMPTED
    assert what_is_left(given, 0) == {"count": 0}
    assert given.__name__ == "Counter3"


# --- break this claim ------------------------------------------------------------------------

tried = []


def noise_is_high(dials, seed):
    tried.append(seed)
    unknown = set(dials) - {"noise"}
    if unknown:
        raise TypeError(f"unknown dial {unknown.pop()}")
    if dials["noise"] < 0:
        return "A noise below 0 is no noise."
    said = f"the noise is {dials['noise']:.2f} at seed {seed}"
    return core.Broken(said) if dials["noise"] > 0.5 else f"The claim still holds: {said}."


break_the_claim = Exercise(
    verify=noise_is_high, right_dials={"noise": 0.9}, wrong_dials=({"noise": 0.1},)
)


def test_dials_are_tried_over_three_seeds():
    tried.clear()
    assert verdict_of(lambda: {"noise": 0.8}, break_the_claim, seed=4).kind == RIGHT
    assert tried == [4, 5, 6]


def test_dials_that_break_the_claim_are_told_the_numbers_that_say_so():
    assert verdict_of(lambda: {"noise": 0.8}, break_the_claim, seed=4).sentence == (
        "This makes the claim false 3 times out of 3. In the last trial: the noise is 0.80 at "
        "seed 6."
    )
    exact = dataclasses.replace(break_the_claim, exact=True)
    assert verdict_of(lambda: {"noise": 0.8}, exact, seed=4).sentence == (
        "This makes the claim false: the noise is 0.80 at seed 4."
    )


@pytest.mark.parametrize(
    ("dials", "why"),
    [
        ({"noise": 0.2}, "The claim still holds: the noise is 0.20 at seed 0."),
        ({"noise": -1}, "A noise below 0 is no noise."),
        ({"noize": 1}, "This answer cannot be used: TypeError: unknown dial noize."),
        ([0.9], "Return a dict; this is [0.9]."),
        (None, "Return a dict; this is None."),
    ],
)
def test_dials_that_do_not_break_the_claim_are_told_why(dials, why):
    verdict = verdict_of(lambda: dials, break_the_claim, seed=0)
    assert verdict.kind == WRONG
    assert verdict.sentence == why


def test_an_answer_with_other_names_is_told_which_to_give():
    assert core.other_names({"q": 1, "r": 2}, "q", "r") is None
    assert core.other_names({"q": 1}, "q", "r") == "Give `q` and `r`; you gave `q`."
    assert core.other_names({}, "a", "b", "c") == "Give `a`, `b` and `c`; you gave none."


def test_dials_that_hold_at_one_seed_of_three_are_not_enough():
    def holds_once(dials, seed):
        return "The claim still holds." if seed == 2 else core.Broken("0.9 and 0.1")

    exercise = Exercise(verify=holds_once, right_dials={})
    assert verdict_of(lambda: {}, exercise, seed=0).kind == WRONG


def test_a_trial_of_dials_without_end_is_stopped():
    def endless(dials, seed):
        while True:
            pass

    exercise = Exercise(verify=endless, right_dials={}, seconds=0.2)
    assert "did not end within 0.2 seconds" in verdict_of(lambda: {}, exercise).sentence


def test_an_exercise_without_reference_gives_back_the_right_dials():
    substitute = core.stand_in(break_the_claim, "break_it")
    assert substitute() == {"noise": 0.9}
    assert verdict_of(substitute, break_the_claim).kind == NOT_ATTEMPTED

    def stub():
        raise NotImplementedError

    assert verdict_of(stub, break_the_claim).kind == NOT_ATTEMPTED


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"reference": len},
        {"cases": iter},
        {"parts": counter.parts},
        {"reference": len, "cases": iter, "parts": counter.parts},
        {"reference": len, "verify": len},
    ],
)
def test_an_exercise_that_cannot_be_tried_is_refused_when_it_is_declared(parts):
    with pytest.raises(TypeError, match=r"either `reference` and `cases`, .* or `verify`"):
        Exercise(**parts)


# --- endless loops ---------------------------------------------------------------------------


def loop(*_):
    while True:
        pass


def sleep(*_):
    time.sleep(60)


def hold_exceptions(*_):
    while True:
        try:
            time.sleep(60)
        except Exception:
            continue


def hold_everything(*_):
    while True:
        try:
            time.sleep(60)
        except:  # noqa: E722
            continue


def swallow_and_return(*_):
    try:
        time.sleep(60)
    except BaseException:
        return 3


ENDLESS = [loop, sleep, hold_exceptions, hold_everything, swallow_and_return]
needs_alarm = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarm on Windows")


@needs_alarm
@pytest.mark.parametrize("attempt", ENDLESS)
def test_an_endless_attempt_is_stopped_and_told_so(attempt):
    started = time.monotonic()
    verdict = verdict_of(attempt)
    assert time.monotonic() - started < 20
    assert verdict.sentence == "It did not end within 0.3 seconds; is there an endless loop?"


@needs_alarm
def test_an_endless_attempt_is_told_its_line_and_inputs():
    details = dict(verdict_of(loop).details)
    assert any(text in ("while True:", "pass") for text in details.values())
    assert "with points" in details


def test_ten_seconds_are_the_limit_unless_an_exercise_says_otherwise():
    assert exercise_for(len, [()]).seconds == 10


@needs_alarm
def test_an_alarm_that_was_set_before_rings_afterwards():
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    outer = signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(TooLong):
            call_within(0.1, sleep)
        assert not rung
        time.sleep(1.6)
        assert rung
    finally:
        signal.setitimer(signal.ITIMER_REAL, *outer)
        signal.signal(signal.SIGALRM, handler)


@needs_alarm
def test_an_alarm_that_rings_while_it_is_put_away_leaves_nothing_behind(monkeypatch):
    disarm, left = limits._Alarm.disarm, [TooLong()]

    def ring(alarm):
        if left:
            sys.settrace(lambda *_: None)  # as an alarm does after one that was swallowed
            raise left.pop()
        disarm(alarm)

    before = sys.gettrace(), signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(limits._Alarm, "disarm", ring)
    with contextlib.suppress(TooLong):
        call_within(0.05, int)
    assert (sys.gettrace(), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0  # no alarm comes again and again


def test_off_the_main_thread_the_attempt_runs_without_a_limit():
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(verdict_of(distances)))
    thread.start()
    thread.join()
    assert verdicts[0].kind == RIGHT


# --- attempts that would flood, fool or outlast the course ---------------------------------


class Nasty:
    """Everything that Python asks of it fails or floods."""

    def __init__(self, text=None):
        self.text = text

    def __repr__(self):
        if self.text is None:
            raise ValueError("no")
        return self.text

    def __eq__(self, other):
        raise ValueError("no")

    def __len__(self):
        raise ValueError("no")

    __hash__ = None


class Mute(Exception):
    """An error that raises while it is printed."""

    def __str__(self):
        raise RuntimeError("mute")


class OwnBase(BaseException):
    """Not an Exception."""


def holding_itself():
    items = [1]
    items.append(items)
    return items


def dict_of_itself():
    items = {}
    items["self"] = items
    return items


def printing(points, query):
    for _ in range(1000):
        print("x" * 100_000)
    return points


def warning(points, query):
    for number in range(2000):
        warnings.warn(f"warning {number} " + "w" * 1000, stacklevel=1)
    return points


def raising(error):
    def attempt(points, query):
        raise error

    return attempt


def closing(points, query):
    sys.stdout.close()
    sys.stderr.close()
    return points


def losing_stdout(points, query):
    sys.stdout = sys.stderr = None
    return points


def deep(points, query):
    return deep(points, query)


def with_a_default(default):
    def attempt(points, more=default):
        return points

    return attempt


OPTIMIZER = torch.optim.SGD([torch.ones(1)], lr=0.1)  # the first one takes time to import
HOSTILE = {
    "a list that holds itself": lambda points, query: holding_itself(),
    "a dict that holds itself": lambda points, query: dict_of_itself(),
    "an object that cannot be printed": lambda points, query: Nasty(),
    "an object that floods": lambda points, query: Nasty("n" * 10**6),
    "a list of objects that flood": lambda points, query: [Nasty("n" * 10**6)] * 5,
    "a plain object": lambda points, query: object(),
    "an optimizer": lambda points, query: OPTIMIZER,
    "a module": lambda points, query: nn.Sequential(*[nn.Linear(1, 1)] * 50),
    "a long text": lambda points, query: "t" * 10**6,
    "a large dict": lambda points, query: dict.fromkeys(map(str, range(10**4)), points),
    "a number without end": lambda points, query: 10**6000,
    "a long error": raising(ValueError("v" * 700_000)),
    "an error that cannot be printed": raising(Mute()),
    "an error with itself in it": raising(ValueError(holding_itself())),
    "a class with a long name": lambda points, query: type("L" * 10**5, (), {})(),
    "an error with a long name": raising(type("L" * 10**5, (Exception,), {})()),
    "an exit": raising(SystemExit("bye")),
    "an exit by sys": lambda points, query: sys.exit("s" * 10**6),
    "an interrupt of its own": raising(KeyboardInterrupt()),
    "a class of its own": raising(OwnBase("base")),
    "a flood of prints": printing,
    "a flood of warnings": warning,
    "a closed stdout": closing,
    "no stdout": losing_stdout,
    "a recursion": deep,
    "a default that floods": with_a_default(Nasty("n" * 10**6)),
    "a default that cannot be printed": functools.partial(with_a_default(Nasty()), 1),
    "a generator": lambda points, query: (p for p in points),
    "a module of Python": lambda points, query: random,
    "a group of errors": raising(BaseExceptionGroup("group", [OwnBase("b" * 10**5)])),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_attempt_brings_a_traceback_or_a_flood(toys, kind, capfd):
    given = core.check(squared_distance, "squared_distance", HOSTILE[kind])
    assert core.is_stand_in(given)
    shown = "".join(capfd.readouterr())
    assert "Wrong: `squared_distance`." in shown
    assert "Traceback" not in shown
    assert not re.search(r"0x[0-9a-f]{6}", shown)
    assert len(shown) < 2300


@pytest.mark.parametrize("kind", HOSTILE)
def test_details_fit_in_six_lines_and_seven_hundred_characters(kind):
    verdict = verdict_of(HOSTILE[kind])
    assert len(verdict.details) <= 5  # and a hint
    assert sum(len(label) + len(text) for label, text in verdict.details) <= 700
    assert len(verdict.sentence) <= 600
    assert verdict.sentence[0].isupper()


ANY_VALUE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.text(),
        st.binary(),
        st.sampled_from(
            [
                torch.tensor(float("nan")),
                torch.ones(0, 3),
                torch.ones(2, 0),
                torch.ones(1, 3, requires_grad=True),
                torch.ones(3, dtype=torch.complex64),
                torch.eye(3).to_sparse(),
                torch.ones(3, device="meta"),
                torch.tensor([True]),
                np.array(["a", None], dtype=object),
                np.datetime64("2020-01-01"),
                pd.DataFrame({"a": [1]}),
                range(3),
                Ellipsis,
                NotImplemented,
                Pair(1, [2]),
                slice(3),
                memoryview(b"abc"),
                nn.Linear(2, 2),
                print,
                len,
                dict,
                iter([1]),
            ]
        ),
    ),
    lambda inside: st.one_of(
        st.lists(inside, max_size=8),
        st.lists(inside, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inside, max_size=8),
    ),
    max_leaves=12,
)
EXPECTED = {
    "a tensor": torch.tensor([1.5, -2.0]),
    "a number": 0.25,
    "a whole number": 7,
    "a truth": True,
    "a list": [1, 2.5, "c"],
    "a dict": {"a": torch.ones(2), "b": [1, {"c": 2.0}]},
    "a text": "answer",
}


@pytest.mark.parametrize("kind", EXPECTED)
@settings(max_examples=60, deadline=None)
@given(value=ANY_VALUE)
def test_any_value_in_place_of_an_answer_gets_a_verdict_in_few_words(kind, value):
    exercise = exercise_for(lambda x: EXPECTED[kind], [(torch.ones(1),)])
    verdict = verdict_of(lambda x: value, exercise)
    if difference(value, EXPECTED[kind], 1e-4, 1e-5) is None:
        assert verdict.kind == RIGHT
        return
    assert verdict.kind == WRONG
    assert verdict.sentence[0].isupper()
    assert verdict.sentence.endswith((".", "?"))
    assert len(verdict.sentence) <= 600
    assert sum(len(label) + len(text) for label, text in verdict.details) <= 700
    assert not re.search(r"0x[0-9a-f]{6}", verdict.sentence + str(verdict.details))


def test_many_inputs_are_told_in_few_lines_and_the_part_that_differs_alone():
    tensors = tuple(torch.ones(4, i + 1) for i in range(7))
    exercise = exercise_for(
        lambda a, b, c, d, e, f, g: {"loss": a.sum(), "weights": {"w": b, "v": c}},
        [tensors],
        observe=lambda result, *_: result,
    )
    attempt = lambda a, b, c, d, e, f, g: {"loss": a.sum(), "weights": {"w": b, "v": c + 1}}  # noqa: E731
    details = dict(verdict_of(attempt, exercise).details)
    assert details["and"] == (
        "b tensor (4, 2), c tensor (4, 3), d tensor (4, 4), e tensor (4, 5), f tensor (4, 6), "
        "g tensor (4, 7)"
    )
    assert details["expected (weights) (v)"].startswith("tensor (4, 3) float32 [[1.0")
    assert details["yours (weights) (v)"].startswith("tensor (4, 3) float32 [[2.0")


def test_what_an_attempt_prints_shows_once_and_is_that_of_the_trial_that_is_told(toys, capsys):
    def attempt(points, query):
        print("shape", tuple(points.shape))
        return points

    core.check(squared_distance, "squared_distance", attempt)
    assert capsys.readouterr().out.startswith("shape (1, 3)\nWrong: ")

    def right(points, query):
        print("shape", tuple(points.shape))
        return distances(points, query)

    core.check(squared_distance, "squared_distance", right)
    assert capsys.readouterr().out.startswith("shape (5, 2)\nRight: ")


def test_what_a_right_attempt_writes_to_stderr_is_shown_and_costs_nothing(toys, capsys):
    def attempt(points, query):
        print("UserWarning: old", file=sys.stderr)
        return distances(points, query)

    assert core.check(squared_distance, "squared_distance", attempt) is attempt
    shown = capsys.readouterr()
    assert shown.out.count("UserWarning: old") == 1
    assert not shown.err


@pytest.mark.parametrize(
    ("attempt", "x", "why"),
    [
        (
            lambda x: x.exp() / x.exp().sum(),
            torch.tensor([100.0, 0.5]),
            "is nan; expected is 1.0 (1 of 2 values differ). The inputs go from 0.5 to 100.0; in "
            "this precision `exp` of more than 88 is infinite.",
        ),
        (
            lambda x: x.softmax(0) * x / x,
            torch.tensor([0.0, 0.5]),
            "The inputs go from 0.0 to 0.5, with a 0 among them: do you divide by it",
        ),
    ],
)
def test_nan_where_a_number_is_due_is_told_with_the_inputs_extremes(attempt, x, why):
    exercise = exercise_for(lambda x: x.softmax(0), [(x,)])
    assert why in verdict_of(attempt, exercise).sentence


# --- settings that an attempt changes --------------------------------------------------------


def numpy_errors():
    np.seterr(all="ignore")


CHANGES = {
    "default dtype": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
    "default device": (
        lambda: (torch.empty(1).device, torch.get_default_device()),
        lambda: torch.set_default_device("meta"),
    ),
    "deterministic": (
        torch.are_deterministic_algorithms_enabled,
        lambda: torch.use_deterministic_algorithms(True),
    ),
    "cudnn": (
        lambda: torch.backends.cudnn.benchmark,
        lambda: setattr(torch.backends.cudnn, "benchmark", True),
    ),
    "threads": (torch.get_num_threads, lambda: torch.set_num_threads(3)),
    "grad mode": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(False)),
    "inference mode": (
        torch.is_inference_mode_enabled,
        lambda: torch.inference_mode().__enter__(),
    ),
    "anomaly mode": (torch.is_anomaly_enabled, lambda: torch.set_anomaly_enabled(True)),
    "precision of products": (
        torch.get_float32_matmul_precision,
        lambda: torch.set_float32_matmul_precision("medium"),
    ),
    "how tensors print": (
        lambda: repr(torch.tensor([1 / 3, 10.0**6])),
        lambda: torch.set_printoptions(precision=1, sci_mode=True),
    ),
    "how arrays print": (
        lambda: repr(np.array([1 / 3])),
        lambda: np.set_printoptions(precision=1),
    ),
    "errors of numpy": (np.geterr, numpy_errors),
    "stdout": (lambda: sys.stdout, lambda: setattr(sys, "stdout", None)),
    "stderr": (lambda: sys.stderr, lambda: setattr(sys, "stderr", None)),
    "path": (lambda: list(sys.path), lambda: sys.path.insert(0, "nowhere")),
    "folder": (os.getcwd, lambda: os.chdir("/")),
    "environment": (
        lambda: dict(os.environ),
        lambda: (os.environ.update(PATH="no", ODD="1"), os.environ.pop("HOME", 0)),
    ),
    "filters of warnings": (lambda: list(warnings.filters), lambda: warnings.simplefilter("error")),
    "recursion limit": (sys.getrecursionlimit, lambda: sys.setrecursionlimit(5000)),
    "trace": (sys.gettrace, lambda: sys.settrace(lambda *_: None)),
    "garbage": (gc.isenabled, gc.disable),
    "stop button": (
        lambda: signal.getsignal(signal.SIGINT),
        lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    ),
    "blocked signals": (
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGINT]),
    ),
    "alarm": (
        lambda: signal.getsignal(signal.SIGALRM),
        lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN),
    ),
}


@needs_alarm
@pytest.mark.parametrize("ending", ["right", "error", "endless"])
@pytest.mark.parametrize("setting", CHANGES)
def test_a_setting_that_an_attempt_changes_is_put_back(setting, ending):
    read, change = CHANGES[setting]

    def attempt(points, query):
        answer = distances(points, query)
        change()
        if ending == "error":
            raise ValueError
        while ending == "endless":
            pass
        return answer

    before = read()
    quick = dataclasses.replace(squared_distance, seconds=0.3)
    verdict = verdict_of(attempt, quick)
    assert read() == before
    if ending == "endless":
        assert "did not end within" in verdict.sentence


@pytest.mark.parametrize("ending", [None, TooLong])
def test_displays_come_back_wherever_the_time_ended(monkeypatch, ending):
    shell = types.SimpleNamespace(display_pub="the kernel's own")
    monkeypatch.setattr(undisturbed, "_shell", lambda: shell)
    with contextlib.suppress(TooLong), undisturbed.settings_kept():
        shell.display_pub = "what holds displays back"  # and the line that ends that is not reached
        if ending:
            raise ending
    assert shell.display_pub == "the kernel's own"


@needs_alarm
@pytest.mark.parametrize(
    "silence",
    [
        lambda: signal.setitimer(signal.ITIMER_REAL, 0),
        lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN),
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]),
    ],
)
def test_a_loop_that_silences_the_alarm_is_stopped_all_the_same(silence):
    def attempt(points, query):
        silence()
        while True:
            pass

    started = time.monotonic()
    assert "did not end within 0.3 seconds" in verdict_of(attempt).sentence
    assert time.monotonic() - started < 20


def test_a_loop_off_the_main_thread_is_stopped_too():
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(verdict_of(loop)))
    thread.start()
    thread.join(timeout=20)
    assert "did not end within" in verdicts[0].sentence


# --- how answers are compared ----------------------------------------------------------------

AGREE = [
    (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")])),
    (torch.tensor([1.0]), torch.tensor([1.0 + 1e-6])),
    (torch.tensor(2.0), 2.0),  # works wherever the number does
    (torch.tensor(2), 2),
    (np.float64(0.5), 0.5),
    (1, 1.0),
    (float("nan"), float("nan")),
    (float("inf"), float("inf")),
    (10**400, 10**400),
    ([1, "a", (2.0,)], [1, "a", (2.0,)]),
    ({"a": torch.ones(2), "b": 1}, {"b": 1, "a": torch.ones(2)}),
    ({3, 1}, {1, 3}),
    ([torch.ones(1), 2], (torch.ones(1), 2)),
    ((1, 2), [1, 2]),
    (Pair(1, 2), Pair(1, 2)),
    (np.array(["ab", "c"]), np.array(["ab", "c"], dtype="<U9")),
    (np.array([1, 2], dtype=np.int32), np.array([1, 2], dtype=np.int64)),
    (np.array(["a", None], dtype=object), np.array(["a", None], dtype=object)),
    (torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)),
    (torch.eye(2).to_sparse(), torch.eye(2).to_sparse()),
    (pd.DataFrame({"a": [1.0, None]}), pd.DataFrame({"a": [1.0, None]})),
    (None, None),
]

DIFFER = [
    (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, 2.0]), "[1] is nan; expected is 2.0"),
    (torch.ones(2), torch.ones(2, 1), "has shape (2,); expected is (2, 1)"),
    (torch.ones(2).double(), torch.ones(2), "has dtype float64; expected is float32"),
    (torch.ones(2, device="meta"), torch.ones(2), "has device meta; expected is cpu"),
    (torch.eye(2).to_sparse(), torch.eye(2), "has layout sparse_coo; expected is strided"),
    (torch.zeros(2, 2), torch.eye(2), "[0, 0] is 0.0; expected is 1.0 (2 of 4 values differ)"),
    (2.0, torch.tensor(2.0), "is a float; expected is a tensor ()"),
    ([1.0], torch.ones(1), "is a list; expected is a tensor (1,)"),
    (np.ones(1), torch.ones(1), "is a numpy array (1,); expected is a tensor (1,)"),
    (3.0, 3, "is a float; expected is an int"),
    (True, 1, "is a bool; expected is an int"),
    (1, True, "is an int; expected is a bool"),
    (torch.tensor([2.0]), 2.0, "is a tensor (1,); expected is a float"),
    (None, 2, "is None; expected is an int"),
    ({1: 2}, [1, 2], "is a dict; expected is a list"),
    ((1, 2), Pair(1, 2), "is a tuple; expected is a Pair"),
    ([1, 2], [1, 2, 3], "has 2 items; expected are 3"),
    ([1, {"a": 5}], [1, {"a": 4}], "[1]['a'] is 5; expected is 4"),
    ({"a": 1}, {"a": 1, "b": 2}, "lacks ['b']"),
    ({"a": 1, "c": 1}, {"a": 1}, "has ['c'], which should not be there"),
    ("x", "y", "is 'x'; expected is 'y'"),
    (np.array([1, 2]), np.array([1, 3]), "[1] is 2; expected is 3"),
    (np.array([1.0]), np.array([1.0], dtype=np.float32), "has dtype float64"),
    (np.array([1.0]), np.array([1]), "has dtype float64"),
    (pd.Series([1, 2]), pd.Series([1, 3]), "differs from the expected Series"),
    ({1}, {1, 2}, "is {1}; expected is {1, 2}"),
]


@pytest.mark.parametrize(("got", "expected"), AGREE)
def test_answers_that_mean_the_same_agree(got, expected):
    assert difference(got, expected, rtol=1e-4, atol=1e-5) is None


@pytest.mark.parametrize(("got", "expected", "why"), DIFFER)
def test_answers_that_differ_are_told_how(got, expected, why):
    assert why in difference(got, expected, rtol=1e-4, atol=1e-5)


def test_a_number_that_carries_a_gradient_is_no_plain_number():
    loss = torch.tensor(2.0, requires_grad=True)
    assert difference(loss, 2.0, 0, 0) == "Your answer is a tensor (); expected is a float"


def test_an_answer_without_equality_asks_the_author_for_observe():
    with pytest.raises(CannotCompare, match="give the exercise an `observe`"):
        difference(object(), object(), 0, 0)


def test_large_values_are_shown_in_a_line():
    assert shorten(torch.zeros(3, 50)) == (
        "tensor (3, 50) float32, first values 0.0, 0.0, 0.0, 0.0"
    )
    assert shorten(torch.ones(2, 2)) == "tensor (2, 2) float32 [[1.0, 1.0], [1.0, 1.0]]"
    assert shorten(torch.zeros(2, 0)) == "tensor (2, 0) float32 [[], []]"
    assert len(shorten("a" * 500)) < 130
    assert len(shorten(list(range(1000)))) < 60
    assert shorten([object()] * 9).startswith("[an object of class object, an object")
    assert shorten(nn.Sequential(nn.Linear(1, 1))) == "Sequential(...)"
    assert shorten(
        {"f": len, "g": solved}
    ) == "{'f': <built-in function len>, 'g': the function `sq" + ("uared_distance` itself}")


def test_what_an_exercise_observed_under_a_name_of_its_own_is_said():
    exercise = Exercise(
        reference=lambda x: x * 2,
        cases=leaf_cases,
        observe=lambda y, x: {"Your loss": y} if y.max() < 99 else {"A large loss": "cut off"},
    )
    assert verdict_of(lambda x: x * 0 + 100, exercise).sentence == "A large loss: cut off."


# --- as a learner meets it: by name, with hints and a solution -------------------------------

LESSON = """
from course_utils.exercises.core import Exercise, Mistake
import torch

def cases(rng):
    for n, d in [(5, 2), (1, 3), (4, 7)]:
        yield torch.randn(n, d, generator=rng), torch.randn(d, generator=rng)

squared_distance = Exercise(
    reference=lambda points, query: (points - query).square().sum(dim=1),
    cases=cases,
    hints=("Rows are points.", "Which axis holds the `features`?"),
    seconds=0.5,
)

break_it = Exercise(verify=lambda dials, seed: "It still holds.", right_dials={"noise": 1})
"""
SOURCE = '''
# %% tags=["exercise"]
@torch.no_grad()
def squared_distance(points, query):
    """Squared distance.

    points (n, d), query (d,) -> (n,)
    """
    ### BEGIN SOLUTION
    return ((points - query) ** 2).sum(dim=1)  # the lesson's own way
    ### END SOLUTION


# %% tags=["check"]
squared_distance = check(squared_distance)
'''


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """The course with one toy lesson more, in a folder of its own."""
    lessons, solutions = tmp_path / "lessons", tmp_path / "solutions"
    lessons.mkdir()
    solutions.mkdir()
    (lessons / "lesson99.py").write_text(LESSON, encoding="utf-8")
    (solutions / "99_toys.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(exercises, "__path__", [*exercises.__path__, str(lessons)])
    monkeypatch.setattr(exercises, "course_root", lambda: tmp_path)
    monkeypatch.setattr(exercises, "_hints_given", exercises._hints_given.copy())
    monkeypatch.delitem(sys.modules, "course_utils.exercises.lesson99", raising=False)
    exercises.declared.cache_clear()
    yield tmp_path
    exercises.declared.cache_clear()


def solved(points, query):
    return (points - query).pow(2).sum(1)


def stub(points, query):
    raise NotImplementedError


def wrong(points, query):
    return points


for function in (solved, stub, wrong):
    function.__name__ = "squared_distance"


def test_a_right_attempt_is_given_back(toys, capsys):
    assert check(solved) is solved
    assert capsys.readouterr().out == (
        "Right: `squared_distance`. The same as the reference on 3 fresh inputs.\n"
    )


@pytest.mark.parametrize("attempt", [stub, wrong])
def test_the_cells_below_an_unsolved_exercise_can_run(toys, attempt, capsys):
    given = check(attempt)
    assert given(torch.ones(2, 2), torch.zeros(2)).tolist() == [2, 2]
    assert given.__name__ == "squared_distance"


def test_the_reference_that_was_given_back_is_no_right_answer(toys, capsys):
    again = check(check(stub))
    assert "Run the cell above first, then this one." in capsys.readouterr().out
    assert again(torch.ones(1, 2), torch.zeros(2)).tolist() == [2]
    module = core.stand_in(scale, "Scale")
    assert verdict_of(module, scale).kind == NOT_ATTEMPTED
    assert isinstance(module(3), Scale)


@pytest.mark.parametrize(("attempt", "points"), [(stub, 0), (wrong, 0), (solved, 1)])
def test_grading_gives_the_score_and_raises_nothing(toys, attempt, points):
    assert int(check(attempt, grade=True)) == points
    assert check(core.stand_in(squared_distance, "squared_distance"), grade=True) == 0


def test_in_a_notebook_the_verdict_is_html_that_says_it_in_words(toys, monkeypatch):
    shown = []
    monkeypatch.setattr(display, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))

    def squared_distance(points, query):
        return "<b>&"

    check(squared_distance)
    assert "<b>Wrong: <code>squared_distance</code>.</b>" in shown[0]["text/html"]
    assert "&lt;b&gt;&amp;" in shown[0]["text/html"]
    assert shown[0]["text/plain"].startswith("Wrong: `squared_distance`.")


def test_an_exercise_that_does_not_exist_is_answered_with_names_like_it(toys, capsys):
    def squared_distances(points, query):
        return points

    assert check(squared_distances) is squared_distances
    hint("squared_distances")
    solution(squared_distances)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    sentence = "The course has no exercise called `squared_distances`. Did you mean `squared_dist"
    assert all(sentence in line for line in lines)
    assert check(squared_distances, grade=True) == 0


# --- by the name in the check cell -----------------------------------------------------------

CELLS_ABOVE = {
    "undefined": ("", "Not attempted: `squared_distance`. There is no `squared_distance` yet"),
    "none": ("squared_distance = None", "This is None, and the exercise asks for a function."),
    "module": ("import random as squared_distance", "This is the Python module `random`"),
    "value": ("squared_distance = torch.ones(3)", "This is a tensor (3,) and not a function."),
    "text": ("squared_distance = 'x' * 10**6", "This is a str and not a function."),
    "class": ("class squared_distance: ...", "asks for a function."),
    "wrong lambda": ("squared_distance = lambda points, query: points", "is `points` as it came"),
    "body open": (
        "def squared_distance(points, query):\n    raise NotImplementedError",
        "Write the body in the cell above",
    ),
    "body empty": (
        "def squared_distance(points, query):\n    'Squared distance.'",
        "There is nothing in the body yet",
    ),
    "stub left standing": (
        "def squared_distance(points, query):\n    'Doc.'\n"
        "    d = ((points - query) ** 2).sum(1)\n    raise NotImplementedError",
        "still reaches `raise NotImplementedError` (line 4). If its body is written, delete",
    ),
    "another stub": (
        "def other(x):\n    raise NotImplementedError\n"
        "def squared_distance(points, query):\n    return other(points)",
        "`other`, which your code calls, is still open",
    ),
    "generator": (
        "def squared_distance(points, query):\n    for p in points:\n        yield p.sum()",
        "a generator (is there a `yield` where a `return` belongs?); expected is a tensor",
    ),
    "coroutine": (
        "async def squared_distance(points, query):\n    return points",
        "Your answer is a coroutine; expected is a tensor",
    ),
    "not called": (
        "def squared_distance(points, query):\n    return (points - query).square().sum",
        "is the function `sum` itself (are brackets missing?); expected is a tensor",
    ),
    "not implemented": (
        "def squared_distance(points, query):\n    return NotImplemented",
        "Your answer is NotImplemented; expected is a tensor",
    ),
    "builtin": ("squared_distance = len", "Yours takes the arguments `(obj, /)`"),
    "builtin class": ("squared_distance = int", "This is the class `int` itself"),
}
RIGHT_CELLS = {
    "lambda": "squared_distance = lambda points, query: ((points - query) ** 2).sum(1)",
    "partial": (
        "import functools\ndef distance(p, points, query):\n"
        "    return ((points - query) ** p).sum(1)\n"
        "squared_distance = functools.partial(distance, 2)"
    ),
    "decorated": (
        "def loud(fn):\n    def wrapper(*a):\n        return fn(*a)\n    return wrapper\n"
        "@loud\ndef squared_distance(points, query):\n    return ((points - query) ** 2).sum(1)"
    ),
    "object": (
        "class Distance:\n    def __call__(self, points, query):\n"
        "        return ((points - query) ** 2).sum(1)\nsquared_distance = Distance()"
    ),
}
CHECK_CELL = 'squared_distance = check("squared_distance")'


def run_cells(*cells):
    """The names of a notebook after these cells; each is text that errors can be traced to."""
    namespace = {"check": check, "torch": torch}
    for number, cell in enumerate(cells):
        filename = f"<cell {number} of {hash(cell)}>"
        linecache.cache[filename] = (len(cell), None, cell.splitlines(keepends=True), filename)
        exec(compile(cell, filename, "exec"), namespace)
    return namespace


@pytest.mark.parametrize("kind", CELLS_ABOVE)
def test_whatever_stands_under_the_name_gets_a_sentence_and_the_stand_in(toys, kind, capsys):
    cell, sentence = CELLS_ABOVE[kind]
    given = run_cells(cell, CHECK_CELL)["squared_distance"]
    shown = capsys.readouterr().out
    assert sentence in shown
    assert len(shown) < 1200
    assert core.is_stand_in(given)
    assert given.__name__ == "squared_distance"


@pytest.mark.parametrize("kind", RIGHT_CELLS)
def test_a_right_answer_is_right_by_name_however_it_was_made(toys, kind, capsys):
    before = run_cells(RIGHT_CELLS[kind])
    given = run_cells(RIGHT_CELLS[kind], CHECK_CELL)["squared_distance"]
    assert capsys.readouterr().out.startswith("Right: `squared_distance`.")
    assert type(given).__name__ == type(before["squared_distance"]).__name__
    assert not core.is_stand_in(given)


def test_a_cell_that_python_cannot_read_is_said_with_its_line_though_an_answer_is_there(
    toys, monkeypatch, capsys
):
    cells = [
        "def squared_distance(points, query):\n    return ((points - query) ** 2).sum(1)",
        "def squared_distance(points, query):\n    return ((points - query) ** 2).sum(1",
    ]
    monkeypatch.setattr(exercises.grading, "cells_so_far", lambda: cells)
    given = run_cells(cells[0], CHECK_CELL)["squared_distance"]
    assert core.is_stand_in(given)
    shown = capsys.readouterr().out
    assert "Python cannot read the cell that defines `squared_distance`: '(' was never" in shown
    assert "(line 2)" in shown


def test_a_method_that_is_still_open_is_named():
    class Half(nn.Module):
        def __init__(self, dim, dropout=0.0):
            raise NotImplementedError

        def forward(self, x):
            return x

    verdict = verdict_of(Half, scale)
    assert verdict.kind == NOT_ATTEMPTED
    assert "`__init__` is still open" in verdict.sentence


@pytest.mark.parametrize(
    ("attempt", "why"),
    [
        (lambda dim: None, "the function `<lambda>` itself; the exercise asks for a class that"),
        (int, "the class `int` itself; the exercise asks for a class that derives from"),
        (
            Scale(3),
            "This is a Scale; the exercise asks for a class that derives from `nn.Module`. ",
        ),
    ],
)
def test_where_a_module_class_is_due_anything_else_is_said(attempt, why):
    assert why in verdict_of(attempt, scale).sentence


@pytest.mark.parametrize("given", [lambda: 1, 17, torch.ones(3), "a" * 10**6, None])
def test_what_has_no_name_is_given_back_with_a_sentence(toys, given, capsys):
    assert check(given) is given or isinstance(given, str)
    shown = capsys.readouterr().out
    assert (
        'An exercise is given by its name, in quotes, as in `check("' in shown or "a" * 9 in shown
    )
    assert len(shown) < 400


def test_hints_come_one_by_one_until_there_are_no_more(toys, capsys):
    hint("squared_distance")
    hint(solved)
    hint("squared_distance")
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "Hint 1 of 2 for `squared_distance`. Rows are points."
    assert second.startswith("Hint 2 of 2")
    assert last.startswith("No more hints for `squared_distance`.")


def test_the_solution_is_the_lessons_own_text_without_its_markers(toys, capsys):
    solution("squared_distance")
    text = capsys.readouterr().out
    assert text.endswith(
        "@torch.no_grad()\n"
        "def squared_distance(points, query):\n"
        '    """Squared distance.\n'
        "\n"
        "    points (n, d), query (d,) -> (n,)\n"
        '    """\n'
        "    return ((points - query) ** 2).sum(dim=1)  # the lesson's own way\n"
    )
    assert "SOLUTION" not in text


def test_without_the_solutions_folder_there_is_a_friendly_sentence(toys, capsys):
    (toys / "solutions" / "99_toys.py").unlink()
    (toys / "solutions").rmdir()
    solution("squared_distance")
    assert "which is not in this copy of the course." in capsys.readouterr().out


def test_a_lesson_is_imported_only_when_its_exercise_is_asked_for(toys):
    assert exercises.declared()["break_it"] == "lesson99"
    assert "course_utils.exercises.lesson99" not in sys.modules
    exercises.find("break_it")
    assert "course_utils.exercises.lesson99" in sys.modules


def test_two_lessons_cannot_declare_the_same_name(toys):
    (toys / "lessons" / "lesson98.py").write_text(LESSON, encoding="utf-8")
    with pytest.raises(ValueError, match="lesson98 and lesson99 both declare squared_distance"):
        exercises.declared()


def test_importing_the_package_loads_no_exercise_and_no_torch():
    code = (
        "import sys, course_utils; print({'torch', 'course_utils.exercises'} & sys.modules.keys())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
    assert course_utils.check is check


# --- in a real kernel ------------------------------------------------------------------------


def test_a_real_kernel_shows_html_stops_loops_and_runs_to_the_end(toys):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [
        f"""
        from course_utils import check, exercises, hint
        exercises.__path__.append({str(toys / "lessons")!r})
        """,
        """
        def squared_distance(points, query):
            raise NotImplementedError
        """,
        "squared_distance = check(squared_distance)",
        "import torch; print(squared_distance(torch.ones(1, 2), torch.zeros(2)))",
        "squared_distance = check(squared_distance)",
        """
        def squared_distance(points, query):
            while True:
                try:
                    points @ query
                except:
                    pass
        """,
        "squared_distance = check(squared_distance)",
        """
        def squared_distance(points, query):
            total = points + query
            return total @ points
        """,
        "squared_distance = check(squared_distance)",
        "def squared_distance(points, query): return ((points - query) ** 2).sum(1)",
        "squared_distance = check(squared_distance)",
        """
        def squared_distance(points, query):
            return points query
        """,
        'squared_distance = check("squared_distance")',
        "print(squared_distance(torch.ones(1, 2), torch.zeros(2)))",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(textwrap.dedent(cell).strip()) for cell in cells]
    )
    notebook.cells[-3].metadata.tags = ["raises-exception"]
    nbclient.NotebookClient(notebook, timeout=200, kernel_name="python3").execute(cwd=str(toys))
    assert notebook.cells[-3].outputs[0].ename == "SyntaxError"
    notebook.cells[-3].outputs = []
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"display_data", "stream"}
    pages = [output.data["text/html"] for output in outputs if output.output_type == "display_data"]
    words = ["Not attempted", "Run the cell above", "It did not end", "RuntimeError", "Right"]
    words.append("Python cannot read the cell that defines <code>squared_distance</code>")
    for page, word in zip(pages, words, strict=True):
        assert word in page
        assert "Traceback" not in page
        assert "course_utils" not in page
    assert "line 3 of your code: <code>return total @ points</code>" in pages[3]


def test_backticks_become_code_and_asterisks_italics_and_sums_stay():
    shown = marked_up("an *inner* word, `a * b`, 2 * 3 * 4, 2*3*4 and a < b")
    assert shown == "an <i>inner</i> word, <code>a * b</code>, 2 * 3 * 4, 2*3*4 and a &lt; b"
