"""Lesson 13's exercises on answers that its author did not declare."""

import re

import pytest
import torch

from course_utils import explain
from course_utils.exercises import lesson13
from course_utils.exercises.core import RIGHT, WRONG, judge
from course_utils.explain import gradient

SEEDS = range(8)


# --- one step: what is said ------------------------------------------------------------------


def told(name, attempt):
    """The sentence on a wrong attempt."""
    verdict = judge(getattr(lesson13, name), attempt, 0)
    assert verdict.kind == WRONG
    return verdict.sentence


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (lambda maps, weight: (weight.relu() * maps).sum(1), "not on the weights"),
        (lambda maps, weight: (weight * maps).sum(1).abs(), "not abs"),
        (lambda maps, weight: (weight.mean(0, True) * maps).sum(1).relu(), "over the pictures"),
    ],
)
def test_grad_cam_gone_wrong_is_told_in_words(way, said):
    def grad_cam(maps, gradients):
        return way(maps, gradients.mean(dim=(2, 3), keepdim=True))

    assert said in told("grad_cam", grad_cam)


def mean_over(shares):
    def integrated_gradients(scores, x, baseline, target, steps=32):
        found = [gradient(scores, baseline + s * (x - baseline), target) for s in shares(steps)]
        return (x - baseline) * torch.stack(found).mean(0)

    return integrated_gradients


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (lambda steps: torch.linspace(0, 1, steps), "as `linspace(0, 1, steps)` does"),
        (lambda steps: torch.arange(32) / 32 + 1 / 64, "You always take 32 steps"),
        (lambda steps: [(k + 1) / steps for k in range(steps)], "the ends of the parts"),
        (lambda steps: torch.linspace(0, 1, steps + 1), "steps + 1 points"),
        (lambda steps: [k / (steps - 1) for k in range(steps)], "as `linspace(0, 1, steps)` does"),
    ],
)
def test_wrong_points_on_the_line_are_told_in_words(shares, said):
    assert said in told("integrated_gradients", mean_over(shares))


def over_bins(gap, inside=lambda confidence, low, high: (confidence > low) & (confidence <= high),
              together=sum, empty_too=False):  # fmt: skip
    """As learners write it: a loop over bins, in single precision, a tensor at the end."""

    def expected_calibration_error(probabilities, label, bins=15):
        confidence, named = probabilities.max(dim=1)
        right = (named == label).float()
        found = []
        for k in range(1, bins + 1):
            rows = inside(confidence, (k - 1) / bins, k / bins)
            if rows.any() or empty_too:
                middle = (k - 0.5) / bins
                share, means = rows.float().mean(), (right[rows].mean(), confidence[rows].mean())
                found.append(gap(share, *means, middle))
        return together(found)

    return expected_calibration_error


def usual(share, right, confidence, middle):
    return share * (right - confidence).abs()


WRONG_ECE = [
    (over_bins(usual, empty_too=True), "Leave such bins out"),
    (over_bins(lambda s, r, c, m: (r - c).abs(), together=lambda x: torch.stack(x).mean()),
     "A bin counts by its share"),
    (over_bins(lambda s, r, c, m: s * (r - c)), "Take the size of each bin's gap"),
    (over_bins(usual, lambda c, low, high: (c >= low) & (c < high)), "Use `ceil`"),
    (over_bins(usual, lambda c, low, high: (c >= low) & ((c < high) | (high == 1))), "Use `ceil`"),
    (over_bins(lambda s, r, c, m: s * (r - m).abs()), "the middle of the bin"),
    (over_bins(lambda s, r, c, m: s * (r - c) ** 2), "You squared"),
    (over_bins(lambda s, r, c, m: (r - c).abs(), together=max), "the largest gap"),
    (over_bins(lambda s, r, c, m: (r - c).abs()), "Multiply each by its bin's share"),
    (lambda p, label, bins=15: over_bins(lambda s, r, c, m: (r - c).abs())(p, label, bins) / bins,
     "You divided by the number of bins"),
    (lambda p, label, bins=15: (p.amax(1).mean() - (p.argmax(1) == label).double().mean()).abs(),
     "one gap over all rows"),
    (lambda p, label, bins=15: (p.amax(1) - (p.argmax(1) == label).double()).abs().mean(),
     "the gap of each row"),
    (over_bins(lambda s, r, c, m: s * (r - c) ** 2, together=lambda found: sum(found) ** 0.5),
     "took the root"),
]  # fmt: skip


@pytest.mark.parametrize(("attempt", "said"), WRONG_ECE)
def test_a_calibration_error_gone_wrong_is_told_in_words(attempt, said):
    assert said in told("expected_calibration_error", attempt)


def test_a_loop_over_bins_is_right():
    attempt = over_bins(usual)
    assert judge(lesson13.expected_calibration_error, attempt, 0).kind == RIGHT


# --- the audit: what must not pass -----------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_toys_lie_on_both_sides_of_each_border_of_the_rule(seed):
    said = [case.found["fault"] for case in lesson13.planted_toys(seed)]
    sound, marked, leaking = "none", "mark", "leak"
    assert said == [
        *(sound, marked, leaking, "unused", "unused", "unused", sound),
        *(sound, marked, sound, leaking),  # a little below 3 times, a little above
        *(leaking, marked),
        *("unused", sound),
        *("unused", "unused"),  # both are worth next to nothing
    ]


def by_rule(
    least=0.02,
    most=3.0,
    choose=None,
    late=False,
    where=lambda place, shape: divmod(place, shape[2]),
):
    """The verdict of an audit with something changed, on what the reference found."""

    def rule(worth, places, words):
        (of_place, place), (of_word, word) = map(explain.stands_out, (places, words))
        unused = min(worth, key=worth.get)
        if worth[unused] < least and not (late and max(of_place, of_word) > most):
            return ["unused", unused]
        if max(of_place, of_word) <= most:
            return ["none", None]
        leak = choose(of_place, of_word) if choose else of_word > of_place
        return ["leak", word] if leak else ["mark", list(where(place, places.shape))]

    return rule


WRONG_RULES = {
    "threshold 2": by_rule(most=2),
    "threshold 2.5": by_rule(most=2.5),
    "threshold 4": by_rule(most=4),
    "threshold 5": by_rule(most=5),
    "worth 0.05": by_rule(least=0.05),
    "worth 0.01": by_rule(least=0.01),
    "worth 0": by_rule(least=1e-9),
    "unused asked last": by_rule(late=True),
    "mark first": by_rule(choose=lambda of_place, of_word: of_place <= 3),
    "leak first": by_rule(choose=lambda of_place, of_word: of_word > 3),
    "column, row": by_rule(where=lambda place, shape: divmod(place, shape[2])[::-1]),
    "divided by rows": by_rule(where=lambda place, shape: divmod(place, shape[1])),
}


def verdict_on(rule, seed):
    cases = lesson13.planted_toys(seed)
    said = [rule(*(case.found[name] for name in ("worth", "places", "words"))) for case in cases]
    return lesson13.judge_verdicts(said, seed)


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_never_passes(name):
    assert all(verdict_on(WRONG_RULES[name], seed) for seed in SEEDS)


def test_the_right_rule_passes():
    assert not any(verdict_on(by_rule(), seed) for seed in SEEDS)


def test_a_threshold_of_worth_is_told_with_its_numbers():
    said = verdict_on(WRONG_RULES["worth 0.05"], 0)
    assert "text 0.025" in said
    assert "less than 0.02" in said


JUDGED = {
    "worth": (lesson13.WORTH_FAULTS, lesson13.judge_worth),
    "places": (lesson13.PLACE_FAULTS, lesson13.judge_places),
    "words": (lesson13.WORD_FAULTS, lesson13.judge_words),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("part", JUDGED)
def test_each_fault_that_has_a_sentence_is_refused_with_it_on_every_draw(part, seed):
    faults, judged = JUDGED[part]
    for sentence, way in faults:
        assert judged(way(*lesson13.plain_card(seed)), seed) == sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mean_of_a_class_that_is_never_named_is_told(seed):
    model, batch = lesson13.plain_card(seed)
    falls, named = lesson13.places_by(model, batch)
    seen = torch.stack([falls[named == c].mean(dim=0) for c in range(3)])
    assert "named in no row" in lesson13.judge_places(seen, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_where_both_are_worth_next_to_nothing_the_one_worth_less_is_named(seed):
    for pick in (0, -1):
        said = []
        for case in lesson13.planted_toys(seed):
            weak = [n for n, worth in case.found["worth"].items() if worth < 0.02]
            found = ["unused", weak[pick]] if weak else [case.found["fault"], case.found["where"]]
            said.append([found[0], lesson13.plain(found[1])])
        assert "which is worth less" in lesson13.judge_verdicts(said, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_row_before_and_lengths_that_stay_are_always_told(seed):
    model, batch = lesson13.plain_card(seed)
    left = {"text": lesson13.lost(model, batch, ("text",))}
    assert "roll both" in lesson13.judge_worth(
        explain.worth_of_modalities(model, batch, model(batch)) | left, seed
    )
    before = {name: lesson13.lost(model, batch, parts, by=1)
              for name, parts in lesson13.PARTS_OF.items()}  # fmt: skip
    assert "You took the row before" in lesson13.judge_worth(before, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_colour_in_all_pictures_is_told(seed):
    model, batch = lesson13.plain_card(seed)
    fill = lesson13.one_grey(batch)
    seen = lesson13.classed(*lesson13.places_by(model, batch, fill=fill))
    assert "one colour" in lesson13.judge_places(seen, seed)


def words_summed(by_id):
    """The words' table of an audit that goes from places to ids in another way."""

    def table(model, batch):
        named = model(batch).argmax(dim=1)
        falls = explain.word_falls(model, batch, named)
        empty = torch.zeros(len(falls), int(batch["text"].max()) + 1)
        return lesson13.classed(by_id(empty, batch["text"], falls), named)

    return table


def zeroed(falls):
    return falls.masked_fill(falls.isinf(), 0)


def mean_by_id(empty, text, falls):
    count = empty.scatter_add(1, text, torch.ones_like(falls)).clamp(min=1)
    return empty.scatter_add(1, text, zeroed(falls)) / count


WRONG_WORDS = {
    "count it once": lambda empty, text, falls: empty.scatter(1, text, zeroed(falls)),
    "count it once.": mean_by_id,
    "is not finite": lambda empty, text, falls: empty.scatter_add(1, text, falls),
    "is not finite.": lambda empty, text, falls: empty.scatter_add(1, text, falls.nan_to_num()),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("said", WRONG_WORDS)
def test_words_that_come_twice_and_padding_are_told(said, seed):
    table = words_summed(WRONG_WORDS[said])(*lesson13.plain_card(seed))
    assert said.rstrip(".") in lesson13.judge_words(table, seed)


def test_words_added_up_by_id_are_right():
    right = words_summed(lambda empty, text, falls: empty.scatter_add(1, text, zeroed(falls)))
    assert all(
        lesson13.judge_words(right(*lesson13.plain_card(seed)), seed) is None for seed in SEEDS
    )


def test_a_fixed_size_of_squares_is_told_with_the_size_that_was_asked():
    verdict = judge(lesson13.audit, lambda model, batch, patch=8: explain.audit(model, batch, 8), 0)
    assert verdict.kind == WRONG
    assert re.search(r"the places: .*`patch=3`", verdict.sentence)
