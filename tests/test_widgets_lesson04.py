"""The numbers and drawings under lesson 04's interactive figures, without a browser."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from course_utils import fusion
from course_utils.widgets import lesson04 as widgets


def test_the_covariance_holds_variances_and_correlated_products():
    covariance = widgets.error_covariance((1, 2), rho=0.7)
    np.testing.assert_allclose(covariance, [[1, 1.4], [1.4, 4]])


@pytest.mark.parametrize(
    ("sigma", "rho"), [((1, 0), 0), ((1, -1), 0), ((1, 2), 1), ((1, 1, 1), -0.6)]
)
def test_errors_that_cannot_exist_are_refused(sigma, rho):
    with pytest.raises(ValueError, match="does not describe errors"):
        widgets.error_covariance(sigma, rho)


def test_the_error_of_one_sensor_alone_is_its_variance():
    np.testing.assert_allclose(widgets.fusion_error(np.eye(2), (1, 2), 0.3), [1, 4])


def test_the_error_agrees_with_measured_readings():
    rng = np.random.default_rng(0)
    errors = rng.multivariate_normal((0, 0), widgets.error_covariance((1, 2), 0.5), 200_000)
    measured = ((errors @ [0.3, 0.7]) ** 2).mean()
    assert measured == pytest.approx(widgets.fusion_error((0.3, 0.7), (1, 2), 0.5), rel=0.02)


def test_without_correlation_the_best_weights_are_the_inverse_variances():
    sigma = (0.5, 1, 3)
    expected = fusion.inverse_variance_weights(torch.tensor(sigma))
    np.testing.assert_allclose(widgets.best_alpha(sigma), expected, rtol=1e-6)


def test_a_strong_correlation_sends_the_best_weight_out_of_the_simplex():
    np.testing.assert_allclose(widgets.best_alpha((1, 2), 0.7), [2.6 / 2.2, -0.4 / 2.2])


def test_the_best_weights_are_better_than_their_neighbours():
    best = widgets.best_alpha((1, 2), 0.4)
    least = widgets.fusion_error(best, (1, 2), 0.4)
    for step in (-0.01, 0.01):
        assert widgets.fusion_error(best + np.array([step, -step]), (1, 2), 0.4) > least


def test_shares_sum_to_one_even_when_all_weights_are_zero():
    np.testing.assert_allclose(widgets.shares((1, 3)), [0.25, 0.75])
    np.testing.assert_allclose(widgets.shares((0, 0, 0)), [1 / 3] * 3)


def test_the_grid_covers_the_triangle_with_weights_that_sum_to_one():
    grid = widgets.simplex_grid(4)
    assert grid.shape == (15, 3)
    assert grid.min() >= 0
    np.testing.assert_allclose(grid.sum(axis=1), 1)


def test_errors_are_drawn_on_one_scale_and_told_with_their_mean_squares():
    errors = {"small": torch.tensor([1.0, -1.0]), "large": torch.tensor([3.0, -3.0])}
    figure = widgets.draw_errors(errors)
    assert [axes.get_title() for axes in figure.axes] == [
        "small: mean square 1.00",
        "large: mean square 9.00",
    ]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert "small 1.00, large 9.00" in widgets.describe_errors(errors)


def test_the_curve_marks_chosen_and_best():
    figure = widgets.draw_alpha_curve(0.5, 1, 2, 0.0)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "best: alpha = 0.80" in labels
    assert "chosen: alpha = 0.50" in labels


@pytest.mark.parametrize(("rho", "where"), [(0.0, "0.80, inside"), (0.7, "1.18, outside")])
def test_the_alt_text_says_where_the_least_error_lies(rho, where):
    assert where in widgets.describe_alpha_curve(0.5, 1, 2, rho)


def test_the_triangle_names_each_sensors_own_error():
    figure = widgets.draw_alpha_triangle(1, 1, 2, 1, 2, 1.5)
    assert isinstance(figure, Figure)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["sensor 1 alone: 1.00", "sensor 2 alone: 4.00", "sensor 3 alone: 2.25"]
    assert "0.25, 0.25, 0.50" in widgets.describe_alpha_triangle(1, 1, 2, 1, 2, 1.5)


def test_sensors_alike_can_be_drawn():
    assert isinstance(widgets.draw_alpha_triangle(0, 0, 0, 1, 1, 1), Figure)


def test_turning_the_correlation_moves_the_best_weight():
    figure = widgets.make_alpha_explorer(0.5, 1, 2, 0.0)
    assert "lies at 0.80" in figure.picture.value
    figure.controls["rho"].value = 0.7
    assert "lies at 1.18" in figure.picture.value


def test_no_position_of_the_sliders_raises():
    figure = widgets.make_alpha_explorer(0.5, 1, 2, 0.0)
    for name in ("rho", "sigma_1", "alpha"):
        for edge in (figure.controls[name].min, figure.controls[name].max):
            figure.controls[name].value = edge


@pytest.mark.parametrize("sigma", [(1, 1.4), (1.4, 1), (1, 2), (3, 0.2), (5, 2)])
def test_the_best_weight_is_never_off_the_axis(sigma):
    figure = widgets.draw_alpha_curve(0.5, *sigma, 0.95)
    left, right = figure.axes[0].get_xlim()
    assert left < widgets.best_alpha(sigma, 0.95)[0] < right


def test_no_position_of_the_sliders_brings_the_star_to_a_corner():
    figure = widgets.make_triangle_explorer((1, 1, 1), (0.5, 3, 3))
    low, high = (getattr(figure.controls["sigma_1"], edge) for edge in ("min", "max"))
    assert widgets.best_alpha((low, high, high)).min() > 0.02


def test_three_weights_are_made_to_sum_to_one():
    figure = widgets.make_triangle_explorer((1, 1, 1), (1, 2, 1.5))
    figure.controls["weight_2"].value = 0.0
    assert "chosen weights 0.50, 0.00, 0.50" in figure.picture.value
