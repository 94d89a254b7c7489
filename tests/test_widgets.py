"""The numbers and drawings under the interactive figures, without a browser."""

import pytest
from matplotlib.figure import Figure

from course_utils.widgets import core as widgets

# --- the common thin layer ----------------------------------------------------------------------


def draw_level(level: float) -> Figure:
    if level < 0:
        raise ValueError("levels start at 0")
    figure = Figure(figsize=(1, 1))
    figure.subplots().axhline(level)
    return figure


def make_level_figure():
    import ipywidgets

    controls = {"level": ipywidgets.FloatText(1.0)}
    return widgets.InteractiveFigure(draw_level, lambda level: f"A line at {level:g}", controls)


def test_a_figure_shows_its_alt_text_at_once():
    assert 'alt="A line at 1"' in make_level_figure().picture.value


def test_turning_a_control_redraws_the_figure_and_its_alt_text():
    figure = make_level_figure()
    before = figure.picture.value
    figure.controls["level"].value = 3
    assert 'alt="A line at 3"' in figure.picture.value
    assert figure.picture.value != before


def test_controls_set_together_redraw_once():
    figure, drawn = make_level_figure(), []
    figure.draw = lambda level: drawn.append(level) or draw_level(level)
    with figure.together():
        figure.controls["level"].value = 3
        figure.controls["level"].value = 4
    assert drawn == [4]


def test_an_error_in_a_drawing_is_raised():
    import ipywidgets

    controls = {"level": ipywidgets.FloatText(-1.0)}
    with pytest.raises(ValueError, match="start at 0"):
        widgets.InteractiveFigure(draw_level, str, controls)


@pytest.mark.parametrize(("number", "text"), [(-0.001, "0.00"), (0, "0.00"), (-1.5, "-1.50")])
def test_no_minus_sign_stands_before_zero(number, text):
    assert widgets.two_decimals(number) == text
