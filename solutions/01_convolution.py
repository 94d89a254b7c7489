# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Convolution
#     minutes: {read: 40, exercises: 25}
#     needs: [00_start_here]
#     teaches: [cross-correlation, padding, stride, dilation, receptive field, learnt features]
# ---

# %% [markdown]
# # Convolution
#
# *You will be able to:* compute a convolution by hand and in three ways with PyTorch; predict
# the size of every layer's output and how much of the image it sees; and say what a learnt
# image feature adds over a hand-made one.
#
# **The question.** *What does one kernel see?* A 3 × 3 kernel looks at nine pixels at a time.
# How can a stack of things that are so short-sighted tell a ball from a mountain?

# %%
import torch
import torch.nn.functional as F

from course_utils import check, claim, hint, quiz, seed_everything, show, solution  # noqa: F401
from course_utils.widgets.lesson01 import photograph

seed_everything(0)
# Two by two pixels averaged into one, to keep the lesson fast.
colour = torch.from_numpy(photograph("china.jpg", shrink=2))  # (213, 320, 3), in [0, 1]
photo = colour.mean(dim=2)  # (213, 320): grey, one number a pixel

# %%
import matplotlib.pyplot as plt

vertical = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
# `.T` swaps rows and columns, which turns the kernel towards level edges.
maps = F.conv2d(photo[None, None], torch.stack([vertical, vertical.T])[:, None])[0]

fig, axes = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained")
titles = ("photograph", "vertical edges", "horizontal edges")
for ax, picture, title in zip(axes, (photo, *maps.abs()), titles, strict=True):
    ax.imshow(picture, cmap="gray")
    ax.set(title=title, xlabel="column (pixels)", ylabel="row (pixels)")
show(fig, alt="One kernel lights up the upright posts of a pagoda, the same kernel turned by "
     "90 degrees lights up its roofs.")  # fmt: skip

# %% [markdown]
# Eighteen numbers, two kernels, and each picture shows something else (bright means a large answer,
# whatever its sign). Left of a post it is
# bright, on the post dark, and the first kernel answers; along a level edge it stays silent.

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* This figure (2 min), one window and the interactive
# figure (6), the article's formula (4), the size formula with its *predict* (3), the fair table
# (5). Leave channels, speed and the gradient picture for reading at home.
#
# *Live:* in the interactive figure ask for a kernel that answers to the dark tip of the roof
# and to nothing else; the class dictates nine numbers.

# %% [markdown]
# ## One window
#
# Let $x$ be an image with $n$ rows and columns, and $w$ a *kernel*: a small square of $k \times
# k$ weights. Lay the kernel on the image with its corner at row $i$, column $j$. The pixels under
# it are the *window*. Multiply pixel by weight, and add up:
#
# $$ y[i, j] = \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} w[u, v] \; x[i + u,\, j + v] . $$

# %%
i, j = 60, 80
window = photo[i : i + 3, j : j + 3]  # (3, 3)
claim(
    "the sum of products is one number of the map above",
    torch.isclose((window * vertical).sum(), maps[0, i, j], atol=1e-5),
)

# %% [markdown]
# The operation that does this at every place is called *cross-correlation*. The kernel must lie
# on the image as a whole, so $i$ and $j$ run from $0$ to $n - k$: that is $n - k + 1$ places.
#
# ### Exercise 1: `cross_correlate2d` · 6 min · easy
#
# Write the formula. Two loops over the places of the output are enough.


# %% tags=["exercise"]
def cross_correlate2d(image, kernel):
    """Cross-correlation at all places where the whole kernel lies on the image.

    image (H, W), kernel (kh, kw) -> (H - kh + 1, W - kw + 1)
    """
    ### BEGIN SOLUTION
    kernel_height, kernel_width = kernel.shape
    height, width = image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1
    output = image.new_zeros(height, width)
    for i in range(height):
        for j in range(width):
            window = image[i : i + kernel_height, j : j + kernel_width]
            output[i, j] = (window * kernel).sum()
    return output
    ### END SOLUTION


# %% tags=["check"]
cross_correlate2d = check(cross_correlate2d)

# %% [markdown]
# PyTorch's own function agrees. It wants a batch and channels, so `None` adds two axes.

# %%
# A small piece, because loops in Python are slow.
patch = photo[40:90, 40:90]
expected = F.conv2d(patch[None, None], vertical[None, None])[0, 0]
torch.testing.assert_close(cross_correlate2d(patch, vertical), expected)

# %% [markdown]
# ## Step by step
#
# A piece of the photograph, grey values from 0 (black) to 1 (white). The frame is the window.

# %%
from course_utils.widgets.lesson01 import (
    KERNELS,
    describe_kernel_step,
    draw_kernel_step,
    photograph_crop,
)

view = photograph_crop(), KERNELS["vertical edge"], 10, 25  # image, kernel, row, column
show(draw_kernel_step(*view), alt=describe_kernel_step(*view))

# %% [markdown]
# The window gets brighter from left to right, so the right column outweighs the left one and the
# sum is positive. (Products are rounded in the figure, so their sum may seem off by 0.01.) On the
# other side of the roof it is negative: the same edge, seen from dark to
# bright and from bright to dark.
#
# **Now yours.** Choose a kernel or type nine numbers, and step. Which kernels give nearly 0
# on plain sky, and what do their nine numbers have in common?

# %% tags=["volatile"]
from course_utils.widgets.lesson01 import kernel_explorer

kernel_explorer()

# %% [markdown]
# <details><summary>Answer</summary>
#
# Those whose numbers add up to 0. On a window of equal pixels the sum is that pixel's value
# times the sum of the kernel.
# </details>

# %% [markdown]
# ## The formula of the article, term by term
#
# The article that this course grew out of (lesson 00) writes convolution like this:
#
# $$ y(x,y) = \sum_{x'=0}^{k-1}\sum_{y'=0}^{k-1} x(x'-k+i,\,y'-k+j) * w(x',y') $$
#
# | it says | what is wrong | it should say |
# | --- | --- | --- |
# | $y(x, y)$ | $y$ and $x$ are images *and* coordinates | $y[i, j]$ |
# | $(x, y)$ left, $(i, j)$ right | the two sides have no variable in common | $(i, j)$ on both |
# | $x' - k + i$ | the window ends at row $i - 1$; for $i = 0$ it lies outside the image | $i + u$ |
# | "convolution" | no index runs backwards: it is cross-correlation | see below |
# | $*$ | the sign for convolution, used for a product | nothing |
# | one image, one kernel | no channels, no bias | see *Channels* |
#
# **Predict, then run.** For $k = 3$, which rows of the image does the article's formula read
# for the output's row 0? And what will Python say to that?

# %% tags=["nbval-check-output"]
for i in (0, 1, 2, 3):
    print("output row", i, "reads image rows", [i - 3 + u for u in range(3)])

# %% [markdown]
# Rows −3, −2 and −1. A mathematician would object. Python does not: −1 is the last row.


# %%
def article_formula(x, w, i, j):
    """The article's right-hand side as it stands: one number."""
    k = len(w)
    return sum(x[u - k + i, v - k + j] * w[u, v] for u in range(k) for v in range(k))


# %% [markdown]
# Where it does not wrap, it gives the right numbers in the wrong place:

# %%
correct = cross_correlate2d(patch, vertical)  # (48, 48)
wrapped, moved = (article_formula(patch, vertical, i, j) for i, j in [(0, 0), (10, 20)])
claim("at (0, 0) it reads the opposite corner", torch.isclose(wrapped, correct[-1, -1], atol=1e-5))
claim("at (10, 20) it gives the number of (7, 17)", torch.isclose(moved, correct[7, 17], atol=1e-5))

# %% [markdown]
# No error, no warning: two wrapped edges, and a map moved by $k$ pixels. A network would train on
# this without complaint. Test with an image whose corners differ, or you will not see it.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* expect "an IndexError" and "rows 0 to 2". Ask where else silent wrapping
# bites: `x[-1]` in an off-by-one loop. Exercise 1 knows this mistake and names it.

# %% [markdown]
# ## Cross-correlation or convolution?
#
# In mathematics, *convolution* runs through the kernel backwards:
#
# $$ (w \ast x)[i, j] = \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} w[u, v] \; x[i + k - 1 - u,\,
# j + k - 1 - v] . $$
#
# ### Exercise 2: `convolve2d` · 4 min · easy
#
# Write it with the help of `cross_correlate2d`, without a loop of your own.


# %% tags=["exercise"]
def convolve2d(image, kernel):
    """True convolution at all places where the whole kernel lies on the image.

    image (H, W), kernel (kh, kw) -> (H - kh + 1, W - kw + 1)
    """
    ### BEGIN SOLUTION
    return cross_correlate2d(image, kernel.flip(0, 1))
    ### END SOLUTION


# %% tags=["check"]
convolve2d = check(convolve2d)

# %% [markdown]
# SciPy's `convolve2d` is the true one.

# %%
from scipy.signal import convolve2d as scipy_convolve2d

expected = torch.from_numpy(scipy_convolve2d(patch, vertical, mode="valid"))
torch.testing.assert_close(convolve2d(patch, vertical), expected)

# %% [markdown]
# The difference is plain on an *impulse*, an image of zeros with a single 1: convolution stamps
# the kernel there, cross-correlation stamps it turned by 180 degrees.

# %% tags=["nbval-check-output"]
impulse = torch.zeros(5, 5)
impulse[2, 2] = 1
ramp = torch.arange(9.0).view(3, 3)
print("convolution:", convolve2d(impulse, ramp).int().tolist())
print("cross-correlation:", cross_correlate2d(impulse, ramp).int().tolist())

# %% [markdown]
# `nn.Conv2d` cross-correlates, whatever its name says. Where weights are learnt it makes no
# difference: the network learns the flipped kernel. It matters when *you* bring the weights, from
# a textbook or another library.

# %% [markdown]
# ## Padding, stride, dilation
#
# - *Padding* $p$ adds $p$ rows and columns of zeros on every side.
# - *Stride* $s$ moves the kernel $s$ pixels at a time.
# - *Dilation* $d$ pulls the kernel's weights apart: neighbours are $d$ pixels from each other.
#
# In one dimension, nine pixels, a kernel of three; each row is one place of the output:

# %%
settings = [
    ("plain", 1, 0, 1),
    ("padding 1", 1, 1, 1),
    ("stride 2", 2, 0, 1),
    ("dilation 3", 1, 0, 3),
]

fig, axes = plt.subplots(1, 4, figsize=(11, 2.6), sharex=True, sharey=True, layout="constrained")
for ax, (title, stride, padding, dilation) in zip(axes, settings, strict=True):
    starts = range(-padding, 9 + padding - 2 * dilation, stride)
    for place, start in enumerate(starts):
        ax.plot([start + dilation * u for u in range(3)], [place] * 3, "o-", color="#0072B2")
    # Grey marks the nine real pixels; what lies outside is padding.
    ax.axvspan(-0.5, 8.5, color="0.9")
    ax.set(title=f"{title}: {len(starts)} places", xlabel="pixel", xticks=range(0, 9, 2))
axes[0].set(ylabel="output place", ylim=(8.5, -0.5))
show(fig, alt="Padding makes two more places, at the edges; stride 2 leaves every second place "
     "out; dilation 3 stretches the kernel over seven pixels, so it fits three times.")  # fmt: skip

# %% [markdown]
# A stretched kernel spans $d(k-1)+1$ pixels. Count its steps on $n + 2p$ pixels, and add the
# place where it starts:
#
# $$ m = \left\lfloor \frac{n + 2p - d(k - 1) - 1}{s} \right\rfloor + 1 . $$
#
# The brackets $\lfloor \cdot \rfloor$ mean: round down.
#
# ### Exercise 3: `conv_output_size` · 5 min · easy


# %% tags=["exercise"]
def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """Number of places along one side of a convolution's output; all arguments are integers."""
    ### BEGIN SOLUTION
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
    ### END SOLUTION


# %% tags=["check"]
conv_output_size = check(conv_output_size)

# %% [markdown]
# **Predict, then run.** Our cards are 48 pixels wide. How wide is the output of a 3 × 3 kernel
# with padding 1 and stride 4: 11, 12 or 13? And with stride 1?

# %% tags=["nbval-check-output"]
print("stride 4:", conv_output_size(48, 3, stride=4, padding=1))
print("stride 1:", conv_output_size(48, 3, stride=1, padding=1))

# %% [markdown]
# At stride 4 the fraction in 47 / 4 = 11.75 is dropped: for a twelfth step the kernel would have to
# leave the padded image. At stride 1, padding $(k-1)/2$ keeps the size; that is why kernels are
# odd. PyTorch agrees, for 54 settings:

# %%
import itertools

for k, s, p, d in itertools.product((1, 3, 4), (1, 2, 3), (0, 1, 2), (1, 2)):
    row, kernel = torch.zeros(1, 1, 48), torch.ones(1, 1, k)
    width = F.conv1d(row, kernel, stride=s, padding=p, dilation=d).shape[-1]
    assert width == conv_output_size(48, k, s, p, d)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* 13 is the usual wrong answer (rounding up), then 11 (the + 1 forgotten).
# Both are mistakes that exercise 3 names. 30 seconds, then vote.

# %% [markdown]
# ## Channels
#
# A colour image has three *channels*, $x[c]$. A layer has many kernels, each as deep as the
# image, and for each a *bias* $b_o$. With all that we have:
#
# $$ y[o, i, j] = b_o + \sum_{c} \sum_{u, v} w[o, c, u, v] \; x[c,\; s i + d u - p,\;
# s j + d v - p] , $$
#
# with $x = 0$ outside the image. One kernel sums over *all* channels and gives *one* map.


# %%
def conv2d_loops(x, w, b, stride=1, padding=0, dilation=1):
    """The formula, one product at a time: x (C, H, W), w (O, C, k, k), b (O,) -> (O, m, n)."""
    kernels, channels, k, _ = w.shape
    height, width = (conv_output_size(n, k, stride, padding, dilation) for n in x.shape[1:])
    # Zeros all around, so that no index is negative.
    x = F.pad(x, [padding] * 4)
    y = b[:, None, None].repeat(1, height, width)
    places = itertools.product(range(kernels), range(height), range(width))
    for o, i, j in places:
        for c, u, v in itertools.product(range(channels), range(k), range(k)):
            y[o, i, j] += w[o, c, u, v] * x[c, stride * i + dilation * u, stride * j + dilation * v]
    return y


# %% [markdown]
# Six loops. Now a trick: write every window as one column of a matrix (`F.unfold`), every kernel
# as one row of another. All sums of products are then a single matrix product.


# %%
def conv2d_matrix(x, w, b, stride=1, padding=0, dilation=1):
    """The same as one matrix product."""
    # One column for each window, one row for each weight of a kernel.
    columns = F.unfold(x, w.shape[2:], dilation, padding, stride)  # (C k k, places)
    y = w.flatten(1) @ columns + b[:, None]  # (O, places)
    height = conv_output_size(x.shape[1], w.shape[2], stride, padding, dilation)
    return y.view(len(w), height, -1)  # (O, m, n)


# %% [markdown]
# Three ways, one result:

# %%
# PyTorch wants the channels first; pictures have them last.
x = colour[40:72, 60:92].permute(2, 0, 1)  # (3, 32, 32)
w, b = torch.randn(4, 3, 3, 3), torch.randn(4)
how = {"stride": 2, "padding": 1, "dilation": 2}
outputs = [f(x, w, b, **how) for f in (conv2d_loops, conv2d_matrix, F.conv2d)]
furthest = max((y - outputs[-1]).abs().max() for y in outputs)
claim("loops, matrix product and F.conv2d agree to 1e-5", furthest < 1e-5)

# %% [markdown]
# They differ in time. How much, depends on your machine; the page stores no times.

# %%
import time


def milliseconds(function):
    """Median time of three calls."""
    times = []
    # Other programs may slow one call down; the middle one of three is safer.
    for _ in range(3):
        start = time.perf_counter()
        function(x, w, b, **how)
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)[1]


# %% [markdown]
# **Predict, then run.** By what factor is `F.conv2d` faster than the loops: 10, 1,000 or
# 10,000?

# %% tags=["volatile"]
times = {f.__name__: milliseconds(f) for f in (conv2d_loops, conv2d_matrix, F.conv2d)}
for name, value in times.items():
    print(f"{name:14} {value:9.3f} ms")
claim("loops take over five times as long as F.conv2d", times["conv2d_loops"] > 5 * times["conv2d"])

# %% [markdown]
# Thousands, on most machines. The loops pay for Python, once per product. The matrix product pays
# in memory: at stride 1 a 3 × 3 kernel makes it hold each pixel nine times. Libraries choose
# between this and other ways.
#
# And why not a *fully connected* layer, in which every output has a weight for every input?

# %% tags=["nbval-check-output"]
conv = torch.nn.Conv2d(3, 16, kernel_size=3, padding=1)
inputs, outputs = 3 * 48 * 48, 16 * 48 * 48
print("weights and biases of the convolution:", sum(p.numel() for p in conv.parameters()))
print(f"of a fully connected layer of the same size: {inputs * outputs + outputs:,}")

# %% [markdown]
# Few weights, because each is used at all places (*weight sharing*). The price is an assumption:
# what is worth noticing here is worth noticing anywhere.

# %% [markdown]
# ## Pooling, and how far a stack sees
#
# *Max pooling* keeps the largest number of each small block; the *global* one keeps one number
# for each map. Move the image, and the map moves along. Its largest value stays.

# %%
# A patch of noise on black; `roll` moves it by two rows and four columns.
dot = torch.zeros(1, 1, 12, 12)
dot[..., 3:6, 3:6] = torch.rand(3, 3)
here, there = (F.conv2d(picture, ramp[None, None]) for picture in (dot, dot.roll((2, 4), (2, 3))))
claim("the map moves with the image", torch.allclose(here.roll((2, 4), (2, 3)), there))
claim("global max pooling does not notice", torch.isclose(here.amax(), there.amax()))

# %% [markdown]
# The *receptive field* of a number is the square of input pixels that can change it. Go through
# the layers $\ell$ with kernel $k_\ell$ and stride $s_\ell$; pooling counts as a layer too. Start
# with $r = 1$ pixel and a *jump* of 1 pixel, the distance of neighbouring outputs on the input:
#
# $$ r \leftarrow r + (k_\ell - 1) \cdot \mathrm{jump}, \qquad
# \mathrm{jump} \leftarrow \mathrm{jump} \cdot s_\ell . $$
#
# ### Exercise 4: `receptive_field` · 8 min · medium


# %% tags=["exercise"]
def receptive_field(layers):
    """Side of the receptive field, in pixels, of one number after a stack of layers.

    layers: a list of (kernel_size, stride), the first layer first -> int
    """
    ### BEGIN SOLUTION
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size += (kernel_size - 1) * jump
        jump *= stride
    return size
    ### END SOLUTION


# %% tags=["check"]
receptive_field = check(receptive_field)

# %% [markdown]
# The course's image encoder has three blocks: convolve (3 × 3), pool (2 × 2), normalise, cut
# off below 0 (*ReLU*). Then global max pooling and one linear layer make 64 numbers of a picture.

# %%
from course_utils.encoders import CNNEncoder

encoder = CNNEncoder(dim=64)
print(encoder.blocks[:4])
print("receptive field:", receptive_field([(3, 1), (2, 2)] * 3), "pixels")

# %% [markdown]
# **Predict, then run.** We measure it: how strongly does each pixel change one place of the last
# map? Will all pixels of the field count alike? What share falls on its central 11 × 11 pixels,
# a quarter of the area?

# %%
# In training mode, batch normalisation would mix the pictures of a batch.
encoder.eval()
noise = torch.rand(64, 3, 48, 48, requires_grad=True)
encoder.blocks(noise)[:, :, 3, 3].sum().backward()
change = noise.grad.abs().sum(dim=(0, 1))  # (48, 48)

# %% [markdown]
# `change` is the sum of all gradients' sizes: pixel by pixel, how much the place at row 3,
# column 3 of the last maps would move.

# %%
inside = change.sum(dim=1) > 0  # rows that have any influence
field = change[inside][:, inside]
share = field[5:16, 5:16].sum() / field.sum()
print(f"share of the central 11 x 11 pixels: {share:.2f}")
claim("the measured field is as wide as the formula says", field.shape == (22, 22))
claim("a quarter of the area has over 0.35 of the influence", share > 0.35)

# %%
fig, ax = plt.subplots(figsize=(4, 3), layout="constrained")
bar = ax.imshow(change, cmap="cividis")
ax.set(xlabel="column (pixels)", ylabel="row (pixels)")
fig.colorbar(bar, label="influence (sum of gradients)")
show(fig, alt="A square of 22 by 22 pixels has influence, fading from its centre to its edges.")

# %% [markdown]
# Many paths lead from the centre to the output and few from the edge. The field that counts in
# practice, the *effective* one, is smaller than the formula's (Luo et al., 2016).

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* expect "equal, so a quarter". Ask in how many ways a corner pixel can reach the
# output through three 3 × 3 layers: one. *Dial:* `encoder.blocks[4].dilation =
# encoder.blocks[4].padding = (2, 2)`, measure again: 26 pixels, since the jump there is 2.

# %% [markdown]
# ## Features: made by hand, or learnt?
#
# The article calls pixel values a feature of an image. We try three *hand-made features* on
# the task `section` of the news cards, and let a logistic regression read them. First, the
# pixels, averaged in blocks:


# %%
def pixels(image):
    """Mean colours of blocks of 4 x 4 pixels: (B, 3, 48, 48) -> (B, 432)"""
    return F.avg_pool2d(image, 4).flatten(1)


# %% [markdown]
# Second, how much of the picture has which colour, wherever it lies:


# %%
def colour_counts(image):
    """Share of pixels in each of 27 colours: (B, 3, 48, 48) -> (B, 27)"""
    level = (image * 2.999).long()  # 0, 1 or 2 in each channel
    number = (9 * level[:, 0] + 3 * level[:, 1] + level[:, 2]).flatten(1)  # (B, 2304), 0 to 26
    return torch.stack([(number == colour).float().mean(dim=1) for colour in range(27)], dim=1)


# %% [markdown]
# Third, edges, in three steps:
#
# 1. At each pixel the two kernels of the beginning say how much brighter it gets to the right
#    (`across`) and downwards (`down`). Together these two numbers are an arrow from dark to bright.
#    Its length is the *strength* of the edge, its angle the *direction*.
# 2. We sort the directions into 8 kinds. An arrow and its opposite are of one kind, because the
#    same outline can be dark on bright or bright on dark. Each kind gets a map: the strength where
#    the edge is of this kind, 0 elsewhere.
# 3. We cut each map into 4 × 4 fields and keep the mean of each: 8 · 16 = 128 numbers.


# %%
def edges(image):
    """Strength of edges by direction and field: (B, 3, 48, 48) -> (B, 128)"""
    kernels = torch.stack([vertical, vertical.T])[:, None]
    across, down = F.conv2d(image.mean(1, keepdim=True), kernels, padding=1).unbind(dim=1)
    # Half a turn, which `atan2` counts as pi, makes 8 kinds; `% 8` joins opposite arrows.
    direction = (8 * torch.atan2(down, across) / torch.pi).floor() % 8  # (B, 48, 48), 0 to 7
    strength = torch.hypot(across, down)
    maps = torch.stack([strength * (direction == d) for d in range(8)], dim=1)  # (B, 8, 48, 48)
    return F.avg_pool2d(maps, 12).flatten(1)


# %% [markdown]
# As a fourth, the encoder with its random first weights: convolution without learning.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_utils.data.batches import Batches, to_tensors


def linear_score(feature, splits):
    """Test accuracy of a logistic regression on a feature of the pictures."""
    # The random encoder is a feature too, and nothing of it is to be trained.
    x, y = {}, {}
    for name, part in splits.items():
        with torch.no_grad():
            x[name] = torch.cat([feature(batch["image"]) for batch in Batches(part, 256)]).numpy()
        y[name] = part["label"].numpy()
    # A small C holds the weights small, which guards against learning by heart.
    models = []
    for c in (0.001, 0.01, 0.1, 1.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        models.append(model.fit(x["train"], y["train"]))
    # Chosen on the validation rows, as is the epoch that the CNN keeps.
    best = max(models, key=lambda model: model.score(x["validation"], y["validation"]))
    return best.score(x["test"], y["test"])


# %% [markdown]
# The pictures and sections of the cards whose headline fits, in three parts:

# %%
from course_utils import seeds
from course_utils.data import news_cards


def split_cards(cards):
    return {
        name: to_tensors(news_cards.rows_for(cards, "section", name), None, modalities=("image",))
        for name in ("train", "validation", "test")
    }


# %% [markdown]
# The model is the encoder and a linear layer on its 64 numbers. The package's classifier also
# asks for a *fusion*; with one sense there is nothing to fuse yet.

# %%
from course_utils.classifier import MultimodalClassifier
from course_utils.evaluation import accuracy, fit_and_score, majority_baseline
from course_utils.fusion import ConcatFusion


def new_model(seed):
    torch.manual_seed(seed)
    encoders = {"image": CNNEncoder(dim=64)}
    return MultimodalClassifier(encoders, ConcatFusion({"image": 64}), classes=5)


# %% [markdown]
# `fit_and_score` trains; how, is lesson 06. Three seeds: new cards and new first weights each.
#
# **Predict, then run.** Motifs lie anywhere and have any colour. Put five rows in order: pixels,
# colour counts, edges, random convolution, learnt convolution. How far is the last from the first?

# %%
features = {"pixels": pixels, "colour counts": colour_counts, "edges": edges}
scores = {}
for seed in seeds(3):
    cards = news_cards.make(4000, seed)
    splits = split_cards(cards)
    label = splits["test"]["label"]
    row = {"majority": majority_baseline(splits["train"]["label"], label)}
    # The logistic regressions first, then the network that makes its own features.
    row |= {name: linear_score(feature, splits) for name, feature in features.items()}
    row["random CNN"] = linear_score(new_model(seed).eval().encoders["image"], splits)
    model = new_model(seed)
    logits = fit_and_score(model, splits, seed, batch_size=32, epochs=3)
    row["learnt CNN"] = accuracy(logits, label)
    scores[f"seed {seed}"] = row

# %% [markdown]
# The *fair table* holds the majority class, every way of reading, and the *ceiling*: the best
# that any reader of the picture could reach, which the generator knows.

# %%
import pandas as pd

by_seed = pd.DataFrame(scores)
mean = by_seed.mean(axis=1)
table = pd.DataFrame({"mean": mean, "spread": by_seed.std(axis=1)}).join(by_seed)
ceiling = news_cards.ceiling("section")["image"]
table.loc["ceiling, picture", "mean"] = ceiling
print(table.round(2).to_string(na_rep=""))

# %%
best_blind = mean[["pixels", "colour counts"]].max()
claim("pixels and colours tell next to nothing", best_blind < mean["majority"] + 0.1, trained=True)
claim("edges beat them by over 0.3", mean["edges"] > best_blind + 0.3, trained=True)
claim("random convolution does so by over 0.1", mean["random CNN"] > best_blind + 0.1, trained=True)
claim("learning beats edges by over 0.07", mean["learnt CNN"] > mean["edges"] + 0.07, trained=True)
claim("and comes near the ceiling", abs(mean["learnt CNN"] - ceiling) < 0.06, trained=True)

# %% [markdown]
# Pixels are features in name only here: a ball in the corner and a ball in the centre share no
# pixel. Edges by hand do well, because their designer (we) knew that shape is what counts. The
# learnt network needs no such designer and comes near the ceiling. That is not 1, because a fifth
# of the pictures have no motif. (One seed may pass it, by luck: on 500 test cards the standard
# error is $\sqrt{0.84 \cdot 0.16 / 500} \approx 0.016$.)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* expect colour counts above edges, and random convolution last. Ask what a
# random kernel computes: some edge in some direction, and the global maximum makes it independent
# of place. *Dials for a live run:* with `news_cards.make(4000, seed, image_noise=0.3)` edges lost
# about 0.11 in our runs and the CNN about 0.04; with `clutter=0` edges gained about 0.06.

# %% [markdown]
# ## What did it learn?
#
# The 16 kernels of the first layer in colour, and under each its map of one card.

# %%
encoder = model.encoders["image"]
kernels = encoder.blocks[0].weight.detach()  # (16, 3, 3, 3)
# Pictures are kept as bytes, 0 to 255; the encoder was trained on 0 to 1.
picture = splits["test"]["image"][:1] / 255
with torch.no_grad():
    maps = encoder.blocks[:4](picture)[0]  # (16, 24, 24)

# %%
fig, axes = plt.subplots(4, 9, figsize=(11, 5), layout="constrained")
axes[0, 0].imshow(picture[0].permute(1, 2, 0))
axes[0, 0].set_title("card", fontsize=9)
for number in range(16):
    above, below = axes[2 * (number // 8) : 2 * (number // 8) + 2, 1 + number % 8]
    # Grey is 0; each colour channel brightens where its weight is positive.
    colours = 0.5 + 0.5 * kernels[number] / kernels[number].abs().max()
    above.imshow(colours.permute(1, 2, 0))
    above.set_title(f"kernel {number}", fontsize=9)
    below.imshow(maps[number], cmap="cividis")
for ax in axes.flat:
    ax.axis("off")
show(fig, alt="The kernels look like coloured noise, but their maps show edges in different "
     "directions, bright shapes, and plain background.")  # fmt: skip

# %% [markdown]
# This surprised us: the kernels look like noise, and none looks like a textbook's edge filter.
# Their maps say what they do: outlines in one direction, dark shapes, bright grounds. A kernel is
# easier to read by what it answers to than by its numbers. (The lines along some borders are the
# padding: to a kernel, the end of the picture is an edge too.)
#
# One more look. Each of the 64 maps of the last layer is 6 × 6 and has its maximum at *one*
# place. Which place do most of them choose?


# %%
@torch.no_grad()
def favourite_place(encoder, image):
    """Row and column, in pixels, of the place where most of the maps have their maximum."""
    largest, place = encoder.blocks(image).flatten(2).max(dim=2)  # (B, 64), places 0 to 35
    # A map of zeros has no favourite, so it does not vote.
    votes = F.one_hot(place, 36) * (largest > 0)[..., None]
    most = votes.sum(dim=1).argmax(dim=1)  # (B,)
    # Three times halved, a place stands for 8 x 8 pixels.
    return 8 * (most // 6) + 3.5, 8 * (most % 6) + 3.5


# %% [markdown]
# The generator knows where each motif is, so we can count how often that place lies on it. Motifs
# are large: always naming the centre of the card scores too, so it belongs in the comparison.


# %%
def share_on_motif(row, column):
    """Of the test pictures that have a motif, the share with this place in the motif's box."""
    left, top, right, bottom = torch.from_numpy(shown["motif_box"]).T
    hit = (row >= top) & (row <= bottom) & (column >= left) & (column <= right)
    return hit[left >= 0].float().mean().item()


# %%
shown, images = news_cards.rows_for(cards, "section", "test"), splits["test"]["image"] / 255
# Five, because where an untrained encoder looks is the luck of its first weights.
untrained = [new_model(other).eval().encoders["image"] for other in range(5)]
centre = share_on_motif(torch.tensor(23.5), torch.tensor(23.5))
before = [share_on_motif(*favourite_place(one, images)) for one in untrained]
after = share_on_motif(*favourite_place(encoder, images))
print(f"centre of the card {centre:.2f}, after training {after:.2f}")
print("five untrained encoders:", ", ".join(f"{share:.2f}" for share in before))
claim("training turns the encoder to the motif", after > centre + 0.2, trained=True)

# %% [markdown]
# Nobody told it where the motifs are: the five section names were all it got. (Before training the
# share is the luck of the first weights: random kernels answer to contrast, and clutter has that
# too.) The frame is what the favourite place can see; a card without a motif has only clutter to
# offer.

# %%
from matplotlib.patches import Rectangle

fig, axes = plt.subplots(1, 6, figsize=(11, 2.2), layout="constrained")
rows, columns = favourite_place(encoder, images[:6])
for ax, image, row, column, section in zip(
    axes, shown["image"], rows, columns, shown["section"], strict=False
):
    ax.imshow(image)
    # White with black in it can be seen on every ground.
    ax.add_patch(Rectangle((column - 11, row - 11), 22, 22, fill=False, ec="white", lw=3))
    ax.add_patch(Rectangle((column - 11, row - 11), 22, 22, fill=False, ec="black", lw=1))
    ax.set(title=news_cards.SECTIONS[section], xlim=(-0.5, 47.5), ylim=(47.5, -0.5))
    ax.axis("off")
show(
    fig, alt="On most of six cards the frame of 22 by 22 pixels lies on the motif, wherever it is."
)

# %% [markdown]
# **So, what does one kernel see?** Nine pixels in each channel, and it says one thing about them:
# how much they look like itself. Three blocks of kernels see 22 pixels, mostly the inner ones, and
# that is about the size of a motif. Weight sharing asks the same question everywhere, and global
# pooling keeps the best answer. That is how the short-sighted stack tells a ball from a mountain.

# %% [markdown]
# ## The table that grows, and the wall
#
# Each lesson of Part I adds a row to this table: `section` on news cards, mean over three seeds.

# %%
from course_utils.evaluation import grow_table

grow_table("01", {"small CNN": by_seed.loc["learnt CNN"]})

# %% [markdown]
# And the twelve trick cards. The picture is all that this model gets.

# %%
from course_utils.data import trick_cards
from course_utils.display import card_wall
from course_utils.training import predict

tricks = trick_cards.read()
batch = to_tensors(tricks, None, modalities=("image",))
logits = predict(model, [batch | {"image": batch["image"] / 255}])
right = logits.argmax(dim=1) == batch["label"]
alt = f"The CNN names the section of {right.sum()} of the twelve trick cards."
show(card_wall(tricks, {"picture": right.tolist()}), alt=alt)

# %% [markdown]
# Without a motif it can only guess, and sometimes guesses right. In the noisy picture there is a
# motif, but noise like that was in no training picture. What a picture does not show, a headline
# may say: lesson 02 reads headlines.

# %% [markdown]
# ## Recap
#
# - A kernel is laid on every window: multiply, add up. Libraries cross-correlate and call it
#   convolution.
# - $m = \lfloor (n + 2p - d(k-1) - 1)/s \rfloor + 1$; a kernel sums over all channels.
# - Loops, one matrix product and `F.conv2d` compute the same numbers in very different times.
# - Strides multiply the step, so the receptive field grows fast; its centre counts most.
# - Learnt features came out above hand-made ones, and good hand-made ones far above pixels.
#
# **Common mistakes.** Trusting a negative index to fail. Feeding (H, W, C) pictures, as Pillow and
# matplotlib have them, to layers that expect (C, H, W). Forgetting the padding, and wondering
# why maps shrink by two pixels a layer.

# %% [markdown]
# ## Quiz
#
# Settle on one option before you open it; then read the others too.

# %%
quiz("01")

# %% [markdown]
# **Further reading**
#
# - LeCun, Boser, Denker, Henderson, Howard, Hubbard and Jackel, *Backpropagation applied to
#   handwritten zip code recognition*, Neural Computation 1(4), 1989: weights that are shared.
# - LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document recognition*,
#   Proceedings of the IEEE 86(11), 1998: hand-made against learnt features.
# - Chellapilla, Puri and Simard, *High performance convolutional neural networks for document
#   processing*, International Workshop on Frontiers in Handwriting Recognition, 2006: convolution
#   as a matrix product.
# - Zeiler and Fergus, *Visualizing and understanding convolutional networks*, ECCV, 2014.
# - Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, arXiv:1603.07285,
#   2016: padding and stride in pictures.
# - Luo, Li, Urtasun and Zemel, *Understanding the effective receptive field in deep convolutional
#   neural networks*, NIPS, 2016.
# - Araujo, Norris and Sim, *Computing receptive fields of convolutional neural networks*, Distill,
#   2019.
