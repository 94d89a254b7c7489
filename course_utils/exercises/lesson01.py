"""The exercises of lesson 01, Convolution."""

import math

import torch
import torch.nn.functional as F
from scipy import signal

from course_utils.exercises.core import Exercise, Mistake

# --- cross_correlate2d -----------------------------------------------------------------------


def window_sums(image, kernel, height, width, rows=0, columns=0):
    """One window sum for each place of a (height, width) output, windows offset by (rows, columns).

    Negative places count from the far edge, as Python's do.
    """
    kernel_height, kernel_width = kernel.shape
    output = image.new_zeros(height, width)
    for i in range(height):
        for j in range(width):
            for u in range(kernel_height):
                for v in range(kernel_width):
                    output[i, j] += kernel[u, v] * image[i + u + rows, j + v + columns]
    return output


def valid_size(image, kernel):
    """Places where the whole kernel lies on the image: (height, width)."""
    return image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1


def cross_correlate(image, kernel):
    return window_sums(image, kernel, *valid_size(image, kernel))


def cross_correlate_fast(image, kernel):
    return F.conv2d(image[None, None], kernel[None, None])[0, 0]


def cross_correlate_by_windows(image, kernel):
    windows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
    return (windows * kernel).sum(dim=(2, 3))


def cross_correlate_by_shifts(image, kernel):
    """Adds whole shifted images, one for each entry of the kernel."""
    height, width = valid_size(image, kernel)
    output = image.new_zeros(height, width)
    for u in range(kernel.shape[0]):
        for v in range(kernel.shape[1]):
            output = output + kernel[u, v] * image[u : u + height, v : v + width]
    return output


def padded_to_same_size(image, kernel):
    """Zeros around the image, so that the output is as large as the input."""
    rows, columns = kernel.shape[0] - 1, kernel.shape[1] - 1
    before, above = columns // 2, rows // 2
    padded = F.pad(image, (before, columns - before, above, rows - above))
    return cross_correlate_fast(padded, kernel)


def last_place_left_out(image, kernel):
    height, width = valid_size(image, kernel)
    return cross_correlate_fast(image, kernel)[: height - 1, : width - 1]


def article_offset(image, kernel):
    """The window starts at i - k, as the article's formula has it."""
    rows, columns = kernel.shape
    return window_sums(image, kernel, *valid_size(image, kernel), -rows, -columns)


def article_offset_everywhere(image, kernel):
    rows, columns = kernel.shape
    return window_sums(image, kernel, *image.shape, -rows, -columns)


def multiplied_as_matrices(image, kernel):
    """`@` in place of `*`: an error, or, where the kernel is square, other numbers."""
    height, width = valid_size(image, kernel)
    output = image.new_zeros(height, width)
    for i in range(height):
        for j in range(width):
            window = image[i : i + kernel.shape[0], j : j + kernel.shape[1]]
            output[i, j] = (window @ kernel).sum()
    return output


def square_kernel(image, kernel):
    """The kernel's height serves as its width too."""
    side = kernel.shape[0]
    height, width = image.shape[0] - side + 1, image.shape[1] - side + 1
    output = image.new_zeros(height, width)
    for i in range(height):
        for j in range(width):
            output[i, j] = (image[i : i + side, j : j + side] * kernel).sum()
    return output


def square_image_and_kernel(image, kernel):
    """The heights of image and kernel serve as their widths too."""
    side = kernel.shape[0]
    places = image.shape[0] - side + 1
    output = image.new_zeros(places, places)
    for i in range(places):
        for j in range(places):
            output[i, j] = (image[i : i + side, j : j + side] * kernel).sum()
    return output


def zeros_where_it_does_not_fit(image, kernel):
    """An output as large as the image, filled at the places where the whole kernel lies on it."""
    height, width = valid_size(image, kernel)
    output = torch.zeros_like(image)
    output[:height, :width] = cross_correlate_fast(image, kernel)
    return output


def last_place_left_at_zero(image, kernel):
    """The output has its size, and the loops over it stop one short."""
    output = cross_correlate_fast(image, kernel)
    output[-1], output[:, -1] = 0, 0
    return output


def first_place_left_at_zero(image, kernel):
    """The loops over the output start at 1."""
    output = cross_correlate_fast(image, kernel)
    output[0], output[:, 0] = 0, 0
    return output


def last_product_alone(image, kernel):
    """`=` in place of `+=` in the inner loops."""
    rows, columns = kernel.shape
    return kernel[-1, -1] * image[rows - 1 :, columns - 1 :]


def kernel_of_three(image, kernel):
    """A window of 3 x 3, whatever the kernel."""
    height, width = image.shape[0] - 2, image.shape[1] - 2
    output = torch.zeros(height, width)  # where it is negative, its error is what most will see
    for i in range(height):
        for j in range(width):
            output[i, j] = (image[i : i + 3, j : j + 3] * kernel).sum()
    return output


def whole_windows(image, kernel):
    """No sum, so that a window of products goes where one number belongs."""
    height, width = valid_size(image, kernel)
    rows, columns = kernel.shape
    output = image.new_zeros(height, width)
    for i in range(height):
        for j in range(width):
            output[i, j] = image[i : i + rows, j : j + columns] * kernel
    return output


def kernel_sides_exchanged(image, kernel):
    columns, rows = kernel.shape
    height, width = image.shape[0] - rows + 1, image.shape[1] - columns + 1
    output = torch.zeros(height, width)
    for i in range(height):
        for j in range(width):
            output[i, j] = (image[i : i + rows, j : j + columns] * kernel).sum()
    return output


# No kernel is square but the smallest, so that `window @ kernel` raises one and the same error,
# whatever is done with its result.
SIZES = (
    ((5, 7), (2, 3)),
    ((6, 6), (3, 2)),
    ((4, 4), (4, 1)),
    ((8, 6), (3, 5)),
    ((1, 6), (1, 3)),
    ((5, 1), (2, 1)),
    ((3, 4), (3, 4)),
    ((2, 3), (1, 1)),
)


def image_cases(rng):
    """Sides of 1, square and not, even and odd, of image, kernel and output; none symmetric.

    Last a photograph's bytes under whole weights, where the sums are large and exact.
    """
    for image, kernel in SIZES:
        yield torch.randn(image, generator=rng), torch.randn(kernel, generator=rng)
    photo = torch.randint(256, (5, 6), generator=rng).float()
    yield photo, torch.tensor([[-1.0, 0.0], [-2.0, 3.0], [4.0, 1.0]])


NOT_TRAINED = {
    "detached result": "The lesson lays kernels on pictures that are written by hand; nothing is "
    "trained through these two functions, so a sum of plain numbers is as right.",
}


def cross_correlate_by_numbers(image, kernel):
    """Adds up plain numbers, through which no gradient comes back."""
    height, width = valid_size(image, kernel)
    rows, columns = kernel.shape
    return torch.tensor(
        [
            [(image[i : i + rows, j : j + columns] * kernel).sum().item() for j in range(width)]
            for i in range(height)
        ]
    )


cross_correlate2d = Exercise(
    reference=cross_correlate_fast,
    cases=image_cases,
    also_right=(
        cross_correlate,
        cross_correlate_by_windows,
        cross_correlate_by_shifts,
        cross_correlate_by_numbers,
        lambda image, kernel: torch.from_numpy(
            signal.correlate2d(image.numpy(), kernel.numpy(), mode="valid")
        ),
    ),
    unaffected=NOT_TRAINED,
    hints=(
        "How often does a kernel of height 3 fit on an image of height 5? At rows 0, 1 and 2.",
        "The window of output (i, j) is `image[i : i + kernel_height, j : j + kernel_width]`.",
        "Make `output = image.new_zeros(height, width)`, loop over its places, and put the sum of "
        "`window * kernel` in each.",
    ),
    mistakes=(
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, kernel.flip(0, 1)),
            "You flipped the kernel. That is the convolution of mathematics; this exercise "
            "multiplies the window by the kernel as it stands.",
        ),
        Mistake(
            padded_to_same_size,
            "Your output is as large as the image: you let the kernel reach over the edge, on "
            "zeros. Keep to the places where the whole kernel lies on the image.",
        ),
        Mistake(
            last_place_left_out,
            "Your output is too small by one row and one column: a kernel of height k fits "
            "n - k + 1 times on n rows, not n - k times.",
        ),
        Mistake(
            article_offset,
            "Your window starts at i - k and ends at i - 1, as in the article's formula. The first "
            "indices are then negative, and Python reads them from the far edge.",
        ),
        Mistake(
            article_offset_everywhere,
            "Your window starts at i - k, as in the article's formula, and the output is as large "
            "as the image. Negative indices read from the far edge; start at i and stop in time.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, kernel) / kernel.numel(),
            "You took the mean of the products; the formula adds them up.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, torch.ones_like(kernel)),
            "You added up the window without multiplying it by the kernel.",
        ),
        Mistake(
            multiplied_as_matrices,
            "You multiplied window and kernel as matrices, with `@`. The formula multiplies number "
            "by number: use `*`.",
        ),
        Mistake(
            whole_windows,
            "You put the products of a whole window where one number belongs. Add them up, with "
            "`.sum()`.",
        ),
        Mistake(
            lambda image, kernel: F.conv2d(image, kernel),
            "`F.conv2d` takes a batch of images with channels. Put two axes before both, as in "
            "`image[None, None]`, and take them off again.",
        ),
        Mistake(
            kernel_sides_exchanged,
            "The kernel's height and width have changed places: `kernel.shape` is (kh, kw), rows "
            "first.",
        ),
        Mistake(
            zeros_where_it_does_not_fit,
            "Your output is as large as the image, and holds zeros where the kernel does not fit. "
            "It has (H - kh + 1, W - kw + 1) places.",
        ),
        Mistake(
            last_place_left_at_zero,
            "Your output has the right size, but its last row and column are still 0: the loops "
            "stop one place short. `range(n)` ends at n - 1.",
        ),
        Mistake(
            first_place_left_at_zero,
            "Your output has the right size, but its first row and column are still 0: places "
            "count from 0, and so does `range(n)`.",
        ),
        Mistake(
            lambda image, kernel: (
                cross_correlate_fast(image, torch.ones_like(kernel)) * kernel.sum()
            ),
            "You multiplied the sum of the window by the sum of the kernel. Multiply number by "
            "number first, then add up.",
        ),
        Mistake(
            last_product_alone,
            "Each place holds the last product of its window alone: each product overwrites the "
            "one before. Add them up, with `+=`.",
        ),
        Mistake(
            kernel_of_three,
            "Your window is 3 x 3. A kernel has any height and width: ask `kernel.shape` for both.",
        ),
        Mistake(
            square_kernel,
            "You took the kernel's height for its width too. A kernel need not be square: ask "
            "`kernel.shape` for both.",
        ),
        Mistake(
            square_image_and_kernel,
            "You used one height for rows and columns alike. Neither image nor kernel need be "
            "square: ask `shape` for both sides of each.",
        ),
    ),
)


# --- convolve2d ------------------------------------------------------------------------------


def convolve(image, kernel):
    return cross_correlate_fast(image, kernel.flip(0, 1))


def convolve_by_index(image, kernel):
    """Counts backwards through the kernel in place of flipping it."""
    height, width = valid_size(image, kernel)
    last_row, last_column = kernel.shape[0] - 1, kernel.shape[1] - 1
    output = image.new_zeros(height, width)
    for u in range(kernel.shape[0]):
        for v in range(kernel.shape[1]):
            moved = image[last_row - u :, last_column - v :][:height, :width]
            output = output + kernel[u, v] * moved
    return output


def turnable_cases(rng):
    """Images on which the kernel fits upright and lying, so that turning it raises no error."""
    for image, kernel in [
        ((5, 7), (2, 3)),
        ((6, 6), (3, 2)),
        ((4, 4), (4, 1)),
        ((8, 6), (3, 5)),
        ((3, 5), (1, 3)),
        ((3, 3), (3, 3)),
        ((2, 3), (1, 1)),
    ]:
        yield torch.randn(image, generator=rng), torch.randn(kernel, generator=rng)


def full_convolution(image, kernel):
    """Every place where kernel and image touch: the default of NumPy and SciPy."""
    rows, columns = kernel.shape[0] - 1, kernel.shape[1] - 1
    return convolve(F.pad(image, (columns, columns, rows, rows)), kernel)


convolve2d = Exercise(
    reference=convolve,
    cases=turnable_cases,
    also_right=(
        convolve_by_index,
        lambda image, kernel: cross_correlate_fast(image, torch.rot90(kernel, 2)),
        lambda image, kernel: cross_correlate_fast(image.flip(0, 1), kernel).flip(0, 1),
        lambda image, kernel: torch.from_numpy(
            signal.convolve2d(image.numpy(), kernel.numpy(), mode="valid")
        ),
    ),
    unaffected=NOT_TRAINED,
    hints=(
        "In the formula the kernel's index runs against the image's. What happens to the kernel "
        "if you rename u to k - 1 - u?",
        "Flip the kernel along both axes with `kernel.flip(0, 1)`, then cross-correlate.",
    ),
    mistakes=(
        Mistake(
            cross_correlate_fast,
            "This is the cross-correlation: the kernel is not flipped yet. Mind that `flip` gives "
            "back a new tensor and leaves the old one as it is.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, kernel).flip(0, 1),
            "This is the cross-correlation turned by 180 degrees, as when output, or image and "
            "kernel, are flipped. Flip the kernel alone.",
        ),
        Mistake(
            lambda image, kernel: -cross_correlate_fast(image, kernel),
            "You changed the kernel's sign. Flipping changes the order of its numbers, not the "
            "numbers.",
        ),
        Mistake(
            full_convolution,
            "Your kernel is flipped, but it also reaches over the edge, on zeros. Keep to the "
            "places where the whole kernel lies on the image.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, kernel.flip(0)),
            "You flipped the kernel's rows only; convolution flips both axes.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, kernel.flip(1)),
            "You flipped the kernel's columns only; convolution flips both axes.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, kernel.T),
            "You transposed the kernel. Flipping turns it by 180 degrees; transposing mirrors it "
            "along its diagonal.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image.flip(0, 1), kernel),
            "You flipped the image instead of the kernel, so the output comes out turned by 180 "
            "degrees.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, kernel[::-1, ::-1]),
            "PyTorch's tensors take no negative step, so `[::-1]` does not turn them round. Use "
            "`kernel.flip(0, 1)`.",
        ),
        Mistake(
            lambda image, kernel: cross_correlate_fast(image, torch.rot90(kernel)),
            "You turned the kernel by 90 degrees; convolution turns it by 180.",
        ),
    ),
)


# --- conv_output_size ------------------------------------------------------------------------


def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def output_size_by_counting(size, kernel_size, stride=1, padding=0, dilation=1):
    reach = dilation * (kernel_size - 1)
    starts = range(-padding, size + padding - reach, stride)
    return len(starts)


def output_size_of_a_layer(size, kernel_size, stride=1, padding=0, dilation=1):
    line, kernel = torch.zeros(1, 1, size), torch.zeros(1, 1, kernel_size)
    return F.conv1d(line, kernel, None, stride, padding, dilation).shape[-1]


def size_cases(rng):
    """Settings that leave a remainder and settings that do not, and a few at random.

    A kernel of one pixel, one that fits once, steps longer than the kernel and than the image.
    """
    yield from [(8, 3), (48, 3, 1, 1), (8, 3, 2, 0), (7, 3, 2, 0), (48, 3, 2, 1), (15, 3, 1, 2, 2)]
    yield from [(1, 1), (1, 1, 3), (9, 1, 4, 0, 3), (7, 7), (2, 4, 1, 1), (5, 3, 1, 0, 2)]
    yield from [(10, 2, 5), (3, 2, 7, 1), (11, 3, 4, 2, 5), (224, 7, 2, 3)]
    for _ in range(6):
        stride, padding, dilation, kernel = torch.randint(1, 5, (4,), generator=rng).tolist()
        size = torch.randint(20, 60, (), generator=rng).item()
        yield size, kernel, stride, padding, dilation


conv_output_size = Exercise(
    reference=output_size,
    cases=size_cases,
    also_right=(
        output_size_by_counting,
        lambda size, kernel_size, stride=1, padding=0, dilation=1: math.floor(
            (size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1
        ),
        lambda size, kernel_size, stride=1, padding=0, dilation=1: math.ceil(
            (size + 2 * padding - dilation * (kernel_size - 1)) / stride
        ),
        output_size_of_a_layer,
    ),
    hints=(
        "How many pixels are left to the right of the kernel at its first place? It can take a "
        "step for every `stride` of them.",
        "The kernel spans d(k - 1) + 1 of n + 2p pixels; the rest, divided by the stride and "
        "rounded down (`//`), is the number of steps. Places are one more than steps.",
    ),
    mistakes=(
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                math.ceil((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1
            ),
            "You rounded up. Where the last step does not fit, the kernel does not take it: "
            "round down.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride
            ),
            "The + 1 at the end is missing: before its first step the kernel already stands "
            "somewhere.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - kernel_size) // stride + 1
            ),
            "You left the dilation out: a dilated kernel spans d(k - 1) + 1 pixels, not k.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * kernel_size) // stride + 1
            ),
            "You took d * k for the kernel's span. Only the k - 1 gaps are stretched, so it is "
            "d(k - 1) + 1.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - (kernel_size + dilation - 1)) // stride + 1
            ),
            "You stretched the kernel by d - 1 pixels in all. Each of its k - 1 gaps grows so "
            "much, and it spans d(k - 1) + 1.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - kernel_size - dilation * (kernel_size - 1)) // stride + 1
            ),
            "Your kernel spans k + d(k - 1) pixels. Neighbours are d pixels from each other, with "
            "d - 1 between them, so it is d(k - 1) + 1.",
        ),
        Mistake(
            lambda *settings: (output_size(*settings),) * 2,
            "You gave a pair, height and width. One number is asked for, that of one side.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                size + 2 * padding - dilation * (kernel_size - 1)
            ),
            "You left the stride out: the kernel takes a step for every s pixels that are left.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size - dilation * (kernel_size - 1) - 1) // stride + 1
            ),
            "You left the padding out: the kernel moves over n + 2p pixels.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                size + 2 * padding - (dilation * (kernel_size - 1) + 1) // stride + 1
            ),
            "Only the kernel's span is divided by the stride: `//` binds before `-`. Put what is "
            "to be divided in brackets.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + padding - dilation * (kernel_size - 1) - 1) // stride + 1
            ),
            "You counted the padding once; it is added on both sides.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1
            ),
            "You divided with `/`, which gives a number with a fraction; a size is a whole number, "
            "rounded down (`//`).",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * (kernel_size - 1)) // stride + 1
            ),
            "You forgot the - 1: the kernel spans d(k - 1) + 1 pixels, so d(k - 1) + 1 have to "
            "be taken off.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * (kernel_size - 1)) // stride
            ),
            "The - 1 and the + 1 do not cancel each other: the division stands between them. Take "
            "the span off, divide and round down, then add 1 for the place of the first step.",
        ),
        Mistake(
            lambda size, kernel_size, stride=1, padding=0, dilation=1: (
                round((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1
            ),
            "You rounded to the nearest number. A step that does not fit as a whole is not taken: "
            "round down.",
        ),
    ),
)


# --- receptive_field -------------------------------------------------------------------------


def field(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size += (kernel_size - 1) * jump
        jump *= stride
    return size


def field_backwards(layers):
    """From the output back to the input: r becomes s(r - 1) + k."""
    size = 1
    for kernel_size, stride in reversed(layers):
        size = stride * (size - 1) + kernel_size
    return size


def field_by_places(layers):
    """The first and the last pixel that output 0 reads."""
    first = last = 0
    for kernel_size, stride in reversed(layers):
        first, last = first * stride, last * stride + kernel_size - 1
    return last - first + 1


def field_without_brackets(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size += kernel_size - 1 * jump
        jump *= stride
    return size


def field_overwritten(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size = (kernel_size - 1) * jump
        jump *= stride
    return size


def field_with_early_jump(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        jump *= stride
        size += (kernel_size - 1) * jump
    return size


def field_with_added_jump(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size += (kernel_size - 1) * jump
        jump += stride
    return size


def field_without_last_row(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size += kernel_size * jump
        jump *= stride
    return size


def field_with_last_stride(layers):
    """The jump is the previous layer's stride alone, not the product of all before."""
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size += (kernel_size - 1) * jump
        jump = stride
    return size


def layer_cases(rng):
    """Stacks of (kernel size, stride), deep enough that strides multiply.

    Layers of one pixel, and strides longer than their kernels.
    """
    yield ([(3, 1)],)
    yield ([(1, 2), (1, 3), (2, 1)],)
    yield ([(2, 3), (5, 2)],)
    yield ([(3, 1), (3, 1)],)
    yield ([(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)],)
    yield ([(7, 2), (3, 2), (3, 1), (3, 3)],)
    for depth in (3, 4, 5):
        kernels = torch.randint(1, 6, (depth,), generator=rng).tolist()
        strides = torch.randint(1, 4, (depth,), generator=rng).tolist()
        yield (list(zip(kernels, strides, strict=True)),)


receptive_field = Exercise(
    reference=field,
    cases=layer_cases,
    also_right=(field_backwards, field_by_places),
    hints=(
        "Start with a size of 1 pixel and a jump of 1 pixel, and go through the layers in order.",
        "A layer adds k - 1 steps to the size. Each of these steps is `jump` input pixels long; "
        "afterwards the jump grows by the factor `stride`.",
    ),
    mistakes=(
        Mistake(
            lambda layers: 1 + sum(kernel_size - 1 for kernel_size, _ in layers),
            "The strides have no effect: your jump stays 1. After a stride of 2, one step is two "
            "input pixels long.",
        ),
        Mistake(
            lambda layers: 1 + sum((size - 1) * stride for size, stride in layers),
            "You multiplied a layer's steps by its own stride. A step is as long as the strides of "
            "all layers *before* it together; the layer's own stride counts from the next one on.",
        ),
        Mistake(
            field_with_early_jump,
            "You multiplied by a layer's own stride before adding its kernel. The stride moves "
            "the windows apart; it stretches the layers after it.",
        ),
        Mistake(
            field_without_last_row,
            "You added k where the formula adds k - 1: windows that overlap share pixels.",
        ),
        Mistake(
            field_without_brackets,
            "`k - 1 * jump` multiplies the 1 alone, because `*` binds before `-`. Put k - 1 in "
            "brackets.",
        ),
        Mistake(
            field_overwritten,
            "Each layer overwrites the size that the layers before it gave. Add to it, with `+=`.",
        ),
        Mistake(
            lambda layers: field([(stride, kernel_size) for kernel_size, stride in layers]),
            "Kernel size and stride have changed places: a layer is (kernel_size, stride).",
        ),
        Mistake(
            field_with_last_stride,
            "You stretched each kernel by the stride of the layer before it alone; the strides "
            "of all layers before it multiply.",
        ),
        Mistake(
            lambda layers: math.prod(kernel_size for kernel_size, _ in layers),
            "Your answer is the product of the kernel sizes, as when the jump grows by k in place "
            "of the stride. Two 3 x 3 layers see 5 x 5 pixels, not 9 x 9.",
        ),
        Mistake(
            lambda layers: field(layers[::-1]),
            "Rule and direction do not go together: `r + (k - 1) * jump` goes from the first layer "
            "to the last, and `s * (r - 1) + k` from the last to the first.",
        ),
        Mistake(
            lambda layers: sum(kernel_size for kernel_size, _ in layers),
            "You added up the kernel sizes. Windows that overlap share pixels, and after a stride "
            "a step is longer: each layer adds (k - 1) times the jump.",
        ),
        Mistake(
            lambda layers: field(layers) + layers[0][0] - 1,
            "The first layer's k - 1 pixels are counted twice: start with r = 1, before any layer.",
        ),
        Mistake(
            lambda layers: field(layers) - 1,
            "Your answer is too small by 1: before the first layer a number sees one pixel, "
            "itself, so start with r = 1.",
        ),
        Mistake(
            lambda layers: field(layers[:1]),
            "Your answer is that of the first layer alone. Does your `return` stand inside the "
            "loop?",
        ),
        Mistake(
            field_with_added_jump,
            "You added the stride to the jump. Strides multiply: two layers of stride 2 make a "
            "step of four pixels.",
        ),
    ),
)
