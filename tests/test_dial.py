"""The dial's promises: what each dial does, the ceiling, and the exact twin."""

import numpy as np
import pytest

from course_utils.data import dial
from course_utils.data.rows import split_rows


def correlation(one, other):
    return np.corrcoef(one, other)[0, 1]


# --- the world ------------------------------------------------------------------------------------


def test_rows_have_two_senses_a_label_and_a_split():
    rows = dial.make(50, seed=1)
    assert rows["first"].shape == rows["second"].shape == (50, 8)
    assert rows["first"].dtype == np.float32
    assert set(rows["label"]) <= {0, 1}
    assert {name: len(part["label"]) for name, part in split_rows(rows).items()} == {
        name: (rows["split"] == name).sum() for name in ("train", "validation", "test")
    }


def test_the_same_seed_gives_the_same_rows_and_another_does_not():
    one, again, other = dial.make(20, 3), dial.make(20, 3), dial.make(20, 4)
    np.testing.assert_array_equal(one["first"], again["first"])
    assert not np.array_equal(one["first"], other["first"])


def test_the_dials_change_labels_and_leave_the_features():
    plain, turned = dial.make(200, 0), dial.make(200, 0, unique_first=2.0, offset=1.0)
    np.testing.assert_array_equal(plain["first"], turned["first"])
    assert (plain["label"] != turned["label"]).any()


def test_the_rotation_is_the_same_for_every_seed_and_turns_without_stretching():
    for place in (0, 1):
        turn = dial.rotation(place)
        np.testing.assert_allclose(turn @ turn.T, np.eye(8), atol=1e-12)
        np.testing.assert_array_equal(turn, dial.rotation(place))
    assert not np.allclose(dial.rotation(0), dial.rotation(1))


@pytest.mark.parametrize("offset", [0, 1, 3])
@pytest.mark.parametrize("name", ["redundant", "unique_first", "unique_second", "product"])
def test_each_term_has_mean_0_and_deviation_1(name, offset):
    dials = {"product": 0.0} | {name: 1.0}
    score = dial.make(40_000, 0, offset=offset, **dials)["score"]
    assert score.mean() == pytest.approx(0, abs=0.03)
    assert score.std() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("name", "known_by"),
    [
        ("redundant", ("first", "second")),
        ("unique_first", ("first",)),
        ("unique_second", ("second",)),
        ("product", ()),
    ],
)
def test_a_latent_is_linear_in_the_senses_that_hold_it(name, known_by):
    rows = dial.make(4000, 0, **({"product": 0.0} | {name: 1.0}))
    for sense in dial.SENSES:
        fitted = rows[sense] @ np.linalg.lstsq(rows[sense], rows["score"], rcond=None)[0]
        if sense in known_by:
            np.testing.assert_allclose(fitted, rows["score"], atol=1e-4)
        else:
            assert abs(correlation(fitted, rows["score"])) < 0.1


def test_with_a_large_offset_the_product_is_nearly_a_sum():
    def left_over(offset):
        rows = dial.make(4000, 0, offset=offset)
        both = np.hstack([rows["first"], rows["second"], np.ones((4000, 1))])
        fitted = both @ np.linalg.lstsq(both, rows["score"], rcond=None)[0]
        return (rows["score"] - fitted).var() / rows["score"].var()

    assert left_over(0) > 0.95
    assert left_over(3) < 0.1


@pytest.mark.parametrize(
    "dials", [{"strength": 1}, {"product": -1}, {"noise": float("nan")}, {"offset": "much"}]
)
def test_unfit_dials_are_answered_in_a_sentence(dials):
    with pytest.raises(ValueError, match=f"{next(iter(dials))}"):
        dial.make(10, **dials)
    with pytest.raises(ValueError, match="number of rows"):
        dial.make(0)


# --- the ceiling ----------------------------------------------------------------------------------


def test_of_a_product_one_sense_alone_knows_nothing():
    best = dial.ceiling()
    assert best["first"] == pytest.approx(0.5, abs=0.005)
    assert best["second"] == pytest.approx(0.5, abs=0.005)
    assert best["both"] > 0.8


def test_what_one_sense_holds_alone_the_other_does_not_know():
    best = dial.ceiling(product=0, unique_first=1)
    assert best["first"] == pytest.approx(best["both"])
    assert best["second"] == pytest.approx(0.5, abs=0.005)


def test_a_normal_score_has_the_ceiling_of_the_textbook():
    # For score and noise both normal, P(their signs agree) = 1 - atan(noise) / pi.
    best = dial.ceiling(product=0, redundant=1, noise=0.5)
    assert best["both"] == pytest.approx(1 - np.arctan(0.5) / np.pi, abs=0.003)


@pytest.mark.parametrize("offset", [0.0, 1.5])
def test_the_ceiling_of_one_sense_is_what_its_best_reader_reaches(offset):
    dials = {"product": 0.8, "unique_first": 0.4, "unique_second": 0.3, "offset": offset}
    latents = dial.draw_latents(np.random.default_rng(5), 60_000)
    score = dial.score_of(dial.Dials(**dials), latents)
    noise = 0.3 * np.random.default_rng(6).standard_normal(60_000)
    label = score + noise > 0
    for sense in dial.SENSES:
        mean, _ = dial.seen_by_one(dial.Dials(**dials), latents, sense)
        reached = ((mean > 0) == label).mean()
        assert dial.ceiling(**dials)[sense] == pytest.approx(reached, abs=0.006)


def test_without_noise_both_senses_tell_all():
    assert dial.ceiling(noise=0)["both"] == 1


# --- the binary twin ------------------------------------------------------------------------------


def test_rows_of_a_twin_follow_its_rule():
    rows = dial.draw_twin("and", 500)
    np.testing.assert_array_equal(rows["label"], rows["first"] & rows["second"])
    np.testing.assert_array_equal(
        dial.draw_twin("equal", 50)["first"], dial.draw_twin("equal", 50)["label"]
    )
    with pytest.raises(ValueError, match="no twin 'nand'"):
        dial.draw_twin("nand", 5)
