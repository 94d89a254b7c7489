"""The numbers and drawings under lesson 11's interactive figure, without a browser."""

import pytest

from course_utils.data.results import read_results
from course_utils.widgets import lesson11 as widgets


@pytest.fixture(scope="module")
def curves():
    return widgets.missing_curves(read_results("11", "curve"))


def test_every_model_and_mechanism_has_its_lines(curves):
    assert {*curves} == {(m, why) for m in widgets.MODELS for why in widgets.MECHANISMS}
    assert "one" in curves["product", "at random"]
    assert "one" not in curves["concat + linear", "at random"]
    assert all(widgets.CEILING in lines for lines in curves.values())


def test_the_drawing_has_a_line_for_each_fill_and_says_what_it_shows(curves):
    at = "product", "on itself", 0.5
    axes = widgets.draw_missing(curves, *at).axes[0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == [*curves["product", "on itself"]]
    said = widgets.describe_missing(curves, *at)
    assert "ridge" in said
    assert "at 0.5" in said


def test_all_drawings_have_one_axis_and_hollow_markers_where_lines_lie_on_one_another(curves):
    drawn = [widgets.draw_missing(curves, *place, 0.5).axes[0] for place in curves]
    assert len({axes.get_ylim() for axes in drawn}) == 1
    lines = {line.get_label(): line for line in drawn[0].get_lines()}
    sizes = [lines[name].get_markersize() for name in ("mean", "ridge", "modality dropout")]
    assert sizes == sorted(set(sizes), reverse=True)
    assert {lines[name].get_markerfacecolor() for name in ("mean", "ridge")} == {"none"}


def test_a_control_redraws_the_figure(curves):
    figure = widgets.make_missing_explorer(curves)
    before = figure.picture.value
    figure.controls["mechanism"].value = "on the label"
    assert figure.picture.value != before
    assert "on the label" in figure.picture.value


def test_gaps_are_differences_to_the_sense_that_is_left():
    import pandas as pd

    fills = ["one", "ridge", "modality dropout", "black, unknown", "mean", "zeros"]
    places = [(gone, model) for gone in ("image missing", "text missing") for model in
              widgets.MODELS]  # fmt: skip
    table = pd.DataFrame(0.5, pd.MultiIndex.from_tuples(places), fills)
    found = widgets.gaps(table, {"image alone": [0.7, 0.9], "text alone": [0.6]})
    assert found.loc["product: one, less the other alone"].round(9).tolist() == [-0.1, -0.3]
    assert (found.loc["concat: zeros, less ridge"] == 0).all()


def test_by_fill_averages_the_seeds_of_one_world_and_of_accuracies_alone():
    import pandas as pd

    from course_utils.data.results import Run

    def run(world, seed, value, measure="accuracy"):
        dials = "text missing"
        return Run("complete", world, dials, "product", "ridge", seed, 9, measure, value)

    runs = [run("emoji", 0, 0.4), run("emoji", 1, 0.6), run("emoji", 0, 9.0, "chosen rate"),
            run("news_cards", 0, 0.9)]  # fmt: skip
    table = widgets.by_fill(pd.DataFrame(runs), "emoji")
    assert table.to_dict() == {"ridge": {("text missing", "product"): 0.5}}
