"""The numbers and drawings under lesson 06's interactive figure, without a browser."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from course_utils.widgets import lesson06 as widgets


def test_the_bowl_is_steeper_along_the_second_weight():
    assert widgets.bowl_loss((2, 0), 100) == 2
    assert widgets.bowl_loss((0, 2), 100) == 200
    np.testing.assert_allclose(widgets.bowl_loss([[1, 0], [0, 1]], 4), [0.5, 2])


def test_sgd_shrinks_each_weight_by_its_own_factor():
    path = widgets.descend("SGD", rate=0.01, steepness=100, steps=3)
    np.testing.assert_allclose(path[1], (-4 * 0.99, 0), atol=1e-12)
    np.testing.assert_allclose(path[3, 0], -4 * 0.99**3)


@pytest.mark.parametrize(("rate", "grows"), [(0.019, False), (0.021, True)])
def test_sgd_diverges_beyond_two_over_the_steepness(rate, grows):
    losses = widgets.bowl_loss(widgets.descend("SGD", rate, steepness=100), 100)
    assert (losses[-1] > losses[0]) == grows


def test_a_loss_in_other_units_changes_the_path_of_sgd_and_not_of_adam():
    for optimizer, same in (("SGD", False), ("Adam", True)):
        path, scaled = (
            widgets.descend(optimizer, 0.01, 100, scale=scale, steps=20) for scale in (1, 1000)
        )
        assert np.allclose(path, scaled, atol=1e-4) == same


def test_many_starts_walk_as_if_each_were_alone():
    starts = [(-4.0, 1.5), (1.0, -2.0)]
    together = widgets.descend("Adam", 0.1, 30, start=starts, steps=5)
    assert together.shape == (6, 2, 2)
    for number, start in enumerate(starts):
        alone = widgets.descend("Adam", 0.1, 30, start=start, steps=5)
        np.testing.assert_allclose(together[:, number], alone)


def test_momentum_belongs_to_sgd():
    plain = widgets.descend("SGD", 0.004, 100, steps=20)
    assert not np.allclose(plain, widgets.descend("SGD", 0.004, 100, momentum=0.9, steps=20))
    assert np.allclose(
        widgets.descend("Adam", 0.1, 100, steps=5),
        widgets.descend("Adam", 0.1, 100, momentum=0.9, steps=5),
    )


def test_an_unknown_optimiser_is_named():
    with pytest.raises(ValueError, match="no optimiser 'Newton'"):
        widgets.descend("Newton", 0.1, 1)


def test_a_walk_that_leaves_is_drawn_until_it_has_left():
    figure = widgets.draw_descent("SGD", 0.5, 0.0, 100)
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "each step"]
    assert len(line.get_xdata()) < 5
    assert "diverges" in figure.axes[1].get_title()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (("SGD", 0.005, 0.0, 100), "after 60 steps it is 4.38"),
        (("SGD", 0.022, 0.0, 100), "does not come down"),
        (("SGD", 0.004, 0.9, 100), "momentum 0.90, on a bowl"),
        (("SGD", 1.0, 0.0, 1), "less than a thousandth"),
    ],
)
def test_the_alt_text_says_where_the_walk_ends(setting, says):
    assert says in widgets.describe_descent(*setting)


def test_the_drawing_marks_start_and_lowest_point():
    figure = widgets.draw_descent("Adam", 0.3, 0.0, 100)
    assert isinstance(figure, Figure)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["lowest point", "each step", "start"]


def test_no_position_of_the_controls_raises():
    figure = widgets.make_descent_explorer("SGD", 0.005, 0.0, 100)
    figure.controls["optimizer"].value = "Adam"
    assert "Adam with learning rate 0.005" in figure.picture.value
    figure.controls["optimizer"].value = "SGD"
    for name, edges in {
        "rate": (1e-4, 10**0.5),
        "momentum": (0, 0.99),
        "steepness": (1, 100),
    }.items():
        for edge in edges:
            figure.controls[name].value = edge


def test_the_momentum_slider_rests_while_adam_walks():
    controls = widgets.make_descent_explorer("SGD", 0.005, 0.0, 100.0).controls
    assert not controls["momentum"].disabled
    controls["optimizer"].value = "Adam"
    assert controls["momentum"].disabled
    controls["optimizer"].value = "SGD"
    assert not controls["momentum"].disabled
