"""The numbers and drawings under lesson 01's interactive figure, without a browser."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from course_utils.widgets import lesson01 as widgets


def test_a_photograph_is_averaged_in_blocks():
    full, shrunken = widgets.photograph(), widgets.photograph(shrink=4)
    assert full.shape == (427, 640, 3)
    assert shrunken.shape == (106, 160, 3)
    np.testing.assert_allclose(shrunken[2, 5], full[8:12, 20:24].mean(axis=(0, 1)), rtol=1e-5)


def test_a_crop_is_grey_and_within_black_and_white():
    crop = widgets.photograph_crop(size=20)
    assert crop.shape == (20, 20)
    assert crop.min() >= 0
    assert crop.max() <= 1


@pytest.mark.parametrize("place", [{"top": 60}, {"left": -1}, {"size": 500}])
def test_a_crop_that_leaves_the_photograph_is_refused(place):
    with pytest.raises(ValueError, match="does not fit"):
        widgets.photograph_crop(**place)


@pytest.mark.parametrize("name", widgets.KERNELS)
def test_a_step_agrees_with_torch(name):
    image, kernel = widgets.photograph_crop(), np.array(widgets.KERNELS[name], dtype=np.float32)
    step = widgets.kernel_step(image, kernel, 3, 7)
    expected = F.conv2d(torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None, None])
    np.testing.assert_allclose(step.output, expected[0, 0], atol=1e-5)
    np.testing.assert_allclose(step.total, step.output[3, 7], atol=1e-6)
    np.testing.assert_array_equal(step.window, image[3:6, 7:10])


@pytest.mark.parametrize("place", [(-1, 0), (0, 3), (4, 0)])
def test_a_place_off_the_output_is_refused(place):
    with pytest.raises(ValueError, match="count from 0"):
        widgets.kernel_step(np.zeros((6, 5)), np.ones((3, 3)), *place)


def test_the_output_is_hidden_after_the_place_in_reading_order():
    seen = widgets.seen_so_far(np.arange(6.0).reshape(2, 3), 1, 0)
    np.testing.assert_array_equal(seen, [[0, 1, 2], [3, np.nan, np.nan]])


def test_steps_go_row_by_row_and_start_again():
    assert widgets.next_place(0, 1, rows=2, columns=3) == (0, 2)
    assert widgets.next_place(0, 2, rows=2, columns=3) == (1, 0)
    assert widgets.next_place(1, 2, rows=2, columns=3) == (0, 0)


def test_the_drawing_frames_the_window_and_shows_the_sum():
    image, kernel = np.arange(36.0).reshape(6, 6) / 36, np.ones((3, 3))
    figure = widgets.draw_kernel_step(image, kernel, 2, 1)
    photo, products = figure.axes[0], figure.axes[3]
    frame = photo.patches[-1]
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (0.5, 1.5, 3)
    total = image[2:5, 1:4].sum()
    assert products.get_xlabel() == f"sum = {total:.2f}"
    assert f"add up to {total:.2f}" in widgets.describe_kernel_step(image, kernel, 2, 1)


def test_an_image_of_one_colour_and_a_kernel_of_zeros_can_be_drawn():
    assert isinstance(widgets.draw_kernel_step(np.zeros((4, 4)), np.zeros((3, 3)), 0, 0), Figure)


def test_a_preset_fills_the_nine_fields_and_redraws():
    figure = widgets.make_kernel_explorer(np.eye(5), "blur", 0, 0)
    chooser = figure.box.children[0].children[0].children[0]
    chooser.value = "copy"
    assert [figure.controls[f"w{n}"].value for n in range(9)] == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert "add up to 1.00" in figure.picture.value


def test_the_step_button_moves_to_the_next_row_after_the_last_column():
    figure = widgets.make_kernel_explorer(np.eye(5), "copy", 0, 2)
    figure.box.children[0].children[0].children[3].click()
    assert (figure.controls["row"].value, figure.controls["column"].value) == (1, 0)
    assert "row 1, column 0" in figure.picture.value


def test_an_edited_number_changes_the_sum():
    figure = widgets.make_kernel_explorer(np.ones((5, 5)), "copy", 0, 0)
    figure.controls["w0"].value = 2.0
    assert "add up to 3.00" in figure.picture.value
