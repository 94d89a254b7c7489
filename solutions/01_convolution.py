# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Convolution
#     minutes: {read: 45, exercises: 21}
#     needs: [00_start_here]
#     teaches: [cross-correlation, padding, stride, dilation, receptive field, learnt features]
# ---

# %% [markdown]
# # Convolution
#
# *You will be able to:* write a convolution and check it against PyTorch; predict the size of
# every layer's output and how much of the image it sees; and say what a learnt image feature adds
# over a hand-made one.
#
# **The question.** *What does one kernel see?* A 3 × 3 kernel looks at nine pixels at a time.
# How can a stack of things that are so short-sighted tell a ball from a mountain?

# %%
import torch
import torch.nn.functional as F

from course_utils import check, claim, hint, quiz, seed_everything, show, solution
from course_utils.widgets.lesson01 import photograph

seed_everything(0)
# Two by two pixels averaged into one, to keep the lesson fast.
colour = torch.from_numpy(photograph("china.jpg", shrink=2))  # (213, 320, 3), in [0, 1]
photo = colour.mean(dim=2)  # (213, 320): grey, one number a pixel

# %%
import matplotlib.pyplot as plt

vertical = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
# `None` adds an axis: PyTorch wants batch and channel before row and column.
maps = F.conv2d(photo[None, None], torch.stack([vertical, vertical.T])[:, None])[0]

fig, axes = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained")
titles = ("photograph", "vertical: rows −1, 0, 1", "horizontal: columns −1, 0, 1")
for ax, picture, title in zip(axes, (photo, *maps.abs()), titles, strict=True):
    ax.imshow(picture, cmap="gray")
    ax.set(title=title, xlabel="column (pixels)", ylabel="row (pixels)")
show(fig, alt="One kernel lights up the upright posts of a pagoda, the same kernel "
     "turned by 90 degrees lights up its roofs.")  # fmt: skip

# %% [markdown]
# Two kernels of nine numbers, and each shows something else (bright means a large answer, whatever
# its sign). At a post the brightness changes from left to right: the first kernel answers. At a
# horizontal edge it stays silent.

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
# Let $x$ be an image and $w$ a *kernel*: a small square of $k \times k$ weights. Lay the kernel on
# the image with its corner at row $i$, column $j$. The pixels under it are the *window*. Multiply
# pixel by weight, and add up:
#
# $$ y[i, j] = \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} w[u, v] \; x[i + u,\, j + v] . $$

# %%
i, j = 60, 80
window = photo[i : i + 3, j : j + 3]  # (3, 3)
by_hand = (window * vertical).sum()
claim("the sum of products is one number of the map above",
      torch.isclose(by_hand, maps[0, i, j], atol=1e-5))  # fmt: skip

# %% [markdown]
# The operation that does this at every place is called *cross-correlation*. The kernel must lie
# on the image as a whole: on $n$ rows $i$ runs from $0$ to $n - k$, which is $n - k + 1$ places.
# Columns go the same way.
#
# ### Exercise 1: `cross_correlate2d` · 6 min · easy
#
# Write the formula. Two loops over the places of the output are enough. Neither image nor kernel
# has to be square.


# %% tags=["exercise"]
def cross_correlate2d(image, kernel):
    """Cross-correlation at all places where the whole kernel lies on the image.

    image (H, W), kernel (kh, kw) -> (H - kh + 1, W - kw + 1)
    """
    ### BEGIN SOLUTION
    kernel_height, kernel_width = kernel.shape
    height = image.shape[0] - kernel_height + 1
    width = image.shape[1] - kernel_width + 1
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
# PyTorch's own function agrees.

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
from course_utils.widgets import lesson01 as steps

# image, kernel, place
view = steps.photograph_crop(), steps.KERNELS["vertical edge"], 10, 25
show(steps.draw_kernel_step(*view), alt=steps.describe_kernel_step(*view))

# %% [markdown]
# The window gets brighter from left to right, so the right column outweighs the left one and the
# sum is positive. (The products are rounded.) On the other side of the roof it is negative: an edge
# from bright to dark.
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
# ## The formula of the article
#
# The article that this course grew out of (lesson 00) writes convolution like this:
#
# $$ y(x,y) = \sum_{x'=0}^{k-1}\sum_{y'=0}^{k-1} x(x'-k+i,\,y'-k+j) * w(x',y') $$
#
# | it says | what is wrong | it should say |
# | --- | --- | --- |
# | $y(x, y)$ | $y$ and $x$ are images *and* coordinates | $y[i, j]$ |
# | $(x, y)$ left, $(i, j)$ right | no variable in common | $(i, j)$ on both |
# | $x'$, $y'$ | $x$ and $y$ once more | $u$, $v$ |
# | $x' - k + i$ | not the window at row $i$ | $i + u$ |
# | "convolution" | no index runs backwards: it is cross-correlation | see below |
# | $*$ | the sign for convolution, used for a product | nothing |
#
# **Predict, then run.** For $k = 3$, which rows of the image does the article's formula read
# for the output's row 0? And what will Python say to that?


# %%
def article_formula(x, w, i, j):
    """The article's right-hand side as it stands: one number."""
    k = len(w)
    return sum(x[u - k + i, v - k + j] * w[u, v] for u in range(k) for v in range(k))


print("output row 0 reads image rows", [u - 3 + 0 for u in range(3)])
correct = cross_correlate2d(patch, vertical)  # (48, 48)
wrapped, moved = (article_formula(patch, vertical, i, j) for i, j in [(0, 0), (10, 20)])
claim("(0, 0): the opposite corner", torch.isclose(wrapped, correct[-1, -1], atol=1e-5))
claim("(10, 20): the number of (7, 17)",
      torch.isclose(moved, correct[7, 17], atol=1e-5))  # fmt: skip

# %% [markdown]
# Rows −3, −2 and −1. Python counts them from the end: no error, no warning, two wrapped edges, and
# elsewhere a map moved by $k$ pixels. In a test compare whole maps; a single number may agree by
# chance.

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
# On an *impulse*, an image of zeros with a single 1, convolution stamps the kernel;
# cross-correlation stamps it turned by 180 degrees.

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

shared = {"sharex": True, "sharey": True, "layout": "constrained"}
fig, axes = plt.subplots(1, 4, figsize=(11, 2.6), **shared)
for ax, (title, stride, padding, dilation) in zip(axes, settings, strict=True):
    starts = range(-padding, 9 + padding - 2 * dilation, stride)
    for place, start in enumerate(starts):
        read = [start + dilation * u for u in range(3)]
        ax.plot(read, [place] * 3, "o-", color="#0072B2")
    # Grey marks the nine real pixels; what lies outside is padding.
    ax.axvspan(-0.5, 8.5, color="0.9")
    ax.set(title=f"{title}: {len(starts)} places", xlabel="pixel",
           xticks=range(0, 9, 2))  # fmt: skip
axes[0].set(ylabel="output place", ylim=(8.5, -0.5))
show(fig, alt="Padding makes two more places, at the edges; stride 2 leaves every "
     "second place out; dilation 3 stretches the kernel over seven pixels, so it fits "
     "three times.")  # fmt: skip

# %% [markdown]
# A stretched kernel spans $d(k-1)+1$ pixels. It stands at its first place on $n + 2p$ pixels, and
# takes steps of $s$ pixels as long as it fits. At how many places does it stand?
#
# ### Exercise 3: `conv_output_size` · 6 min · easy
#
# Find the formula. The four pictures are your first test.


# %% tags=["exercise"]
def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """Number of places along one side of a convolution's output; all are integers."""
    ### BEGIN SOLUTION
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
    ### END SOLUTION


# %% tags=["check"]
conv_output_size = check(conv_output_size)

# %% [markdown]
# In symbols, where the brackets $\lfloor \cdot \rfloor$ mean *round down*:
#
# $$ m = \left\lfloor \frac{n + 2p - d(k - 1) - 1}{s} \right\rfloor + 1 . $$
#
# **Predict, then run.** Our cards are 48 pixels wide. How wide is the output of a 3 × 3 kernel
# with padding 1 and stride 4: 11, 12 or 13? And with stride 1?

# %% tags=["nbval-check-output"]
print(f"stride 4: {conv_output_size(48, 3, stride=4, padding=1)}")
print(f"stride 1: {conv_output_size(48, 3, stride=1, padding=1)}")

# %% [markdown]
# At stride 4 there is room for 47 / 4 = 11.75 steps, so for eleven: from the first place to the
# twelfth. At stride 1, padding $(k-1)/2$ keeps the size; that is why most kernels are odd. PyTorch
# agrees:

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
    """The formula: x (C, H, W), w (O, C, k, k), b (O,) -> (O, m, n)."""
    kernels, channels, k, _ = w.shape
    sides = [conv_output_size(n, k, stride, padding, dilation) for n in x.shape[1:]]
    height, width = sides
    # Zeros all around, so that no index is negative.
    x = F.pad(x, [padding] * 4)
    y = b[:, None, None].repeat(1, height, width)
    places = itertools.product(range(kernels), range(height), range(width))
    for o, i, j in places:
        for c, u, v in itertools.product(range(channels), range(k), range(k)):
            row, column = stride * i + dilation * u, stride * j + dilation * v
            y[o, i, j] += w[o, c, u, v] * x[c, row, column]
    return y


# %% [markdown]
# Now a trick: make every window a column of a matrix (`F.unfold`), every kernel a row of another.
# One matrix product then holds all sums.


# %%
def conv2d_matrix(x, w, b, stride=1, padding=0, dilation=1):
    """The same as one matrix product."""
    columns = F.unfold(x, w.shape[2:], dilation, padding, stride)  # (C k k, places)
    y = w.flatten(1) @ columns + b[:, None]  # (O, places)
    height = conv_output_size(x.shape[1], w.shape[2], stride, padding, dilation)
    return y.view(len(w), height, -1)  # (O, m, n)


# %% [markdown]
# Three ways, one result:

# %%
# PyTorch wants the channels first.
x = colour[40:72, 60:92].permute(2, 0, 1)  # (3, 32, 32)
w, b = torch.randn(4, 3, 3, 3), torch.randn(4)
how = {"stride": 2, "padding": 1, "dilation": 2}
outputs = [f(x, w, b, **how) for f in (conv2d_loops, conv2d_matrix, F.conv2d)]
furthest = max((y - outputs[-1]).abs().max() for y in outputs)
claim("loops, matrix product and F.conv2d agree to 1e-5", furthest < 1e-5)

# %% [markdown]
# They differ in time.
#
# **Predict, then run.** By what factor is `F.conv2d` faster than the loops: 10, 100 or over 1,000?

# %% tags=["volatile"]
from functools import partial
from timeit import repeat

times = {}
for f in (conv2d_loops, conv2d_matrix, F.conv2d):
    # Other programs may slow one run down; the middle one of three is safer.
    middle = sorted(repeat(partial(f, x, w, b, **how), number=1, repeat=3))[1]
    times[f.__name__] = 1000 * middle
    print(f"{f.__name__:14} {1000 * middle:9.3f} ms")
claim("loops take over 100 times as long as F.conv2d",
      times["conv2d_loops"] > 100 * times["conv2d"])  # fmt: skip

# %% [markdown]
# Over 1,000 on our machines. The loops pay for reading and writing single numbers of tensors. The
# matrix product pays in memory: at stride 1 a 3 × 3 kernel makes it hold each pixel nine times.
#
# And why not a *fully connected* layer, in which every output has a weight for every input?

# %% tags=["nbval-check-output"]
conv = torch.nn.Conv2d(3, 16, kernel_size=3, padding=1)
inputs, outputs = 3 * 48 * 48, 16 * 48 * 48
of_convolution = sum(p.numel() for p in conv.parameters())
print("weights and biases of the convolution:", of_convolution)
print(f"of a fully connected layer of the same size: {inputs * outputs + outputs:,}")

# %% [markdown]
# Few weights, because each is used at all places (*weight sharing*). The price is an assumption:
# what is worth noticing here is worth noticing anywhere.

# %% [markdown]
# ## Pooling, and how far a stack sees
#
# *Max pooling* keeps the largest number of each small block; the *global* one keeps one number
# for each map. Move what is in the image, and the map moves along; its largest value stays. Blocks
# stay where they are, so after a move by one pixel each holds other neighbours.

# %%
# A patch of noise on black; `roll` moves it by two rows and four columns.
dot = torch.zeros(1, 1, 12, 12)
dot[..., 3:6, 3:6] = torch.rand(3, 3)
moved = dot.roll((2, 4), (2, 3))
here, there = (F.conv2d(picture, ramp[None, None]) for picture in (dot, moved))
claim("the map moves with the image", torch.allclose(here.roll((2, 4), (2, 3)), there))
claim("global max pooling does not notice", torch.isclose(here.amax(), there.amax()))
blocks, later = (F.max_pool2d(y, 2).sum() for y in (here, here.roll(1, 2)))
claim("blocks of 2 x 2 notice a move by one row", not torch.isclose(blocks, later))

# %% [markdown]
# The *receptive field* of a number is the square of input pixels that can change it. Go through
# the layers $\ell$ with kernel $k_\ell$ and stride $s_\ell$; pooling counts as a layer too. Start
# with $r = 1$ pixel and a *jump* of 1 pixel, the distance of neighbouring outputs on the input:
#
# $$ r \leftarrow r + (k_\ell - 1) \cdot \mathrm{jump}, \qquad
# \mathrm{jump} \leftarrow \mathrm{jump} \cdot s_\ell . $$
#
# A 3 × 3 kernel at stride 1 gives $r = 3$, jump 1; a 2 × 2 pool at stride 2 after it, $r = 4$,
# jump 2.
#
# ### Exercise 4: `receptive_field` · 5 min · easy


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
# The course's image encoder has three blocks: convolve (3 × 3); pool (2 × 2); *batch normalisation*
# (each map gets mean 0 and spread 1 over a batch, then a scale and a shift that are learnt); *ReLU*
# (cut off below 0). Global max pooling and a linear layer then make 64 numbers of a picture.

# %%
from course_utils.encoders import CNNEncoder

encoder = CNNEncoder(dim=64)
print(encoder.blocks[:4])
print(f"receptive field: {receptive_field([(3, 1), (2, 2)] * 3)} pixels")

# %% [markdown]
# **Predict, then run.** We measure it, on noise and before training: how strongly does each pixel
# change the last maps at row 3, column 3? Do all pixels of the field count alike? What share falls
# on its central 10 × 10 pixels, a fifth of the area?

# %%
# In evaluation mode, batch normalisation does not mix the pictures of a batch.
encoder.eval()
noise = torch.rand(64, 3, 48, 48, requires_grad=True)
# For pixels as for weights, `backward` finds how fast the sum changes with each.
encoder.blocks(noise)[:, :, 3, 3].sum().backward()
# Sizes, added over pictures and colours.
change = noise.grad.abs().sum(dim=(0, 1))  # (48, 48)

# %%
inside = change.sum(dim=1) > 0  # rows that have any influence
field = change[inside][:, inside]
share = field[6:16, 6:16].sum() / field.sum()
print(f"share of the central 10 x 10 pixels: {share:.2f}")
claim("the measured field is as wide as the formula says", field.shape == (22, 22))
claim("a fifth of the area has over 0.3 of the influence", share > 0.3)

# %%
fig, ax = plt.subplots(figsize=(4, 3), layout="constrained")
bar = ax.imshow(change, cmap="cividis")
# A pixel reaches half a pixel to each side of its centre.
start = inside.nonzero()[0].item() - 0.5
for corner, side in ((start, 22), (start + 6, 10)):
    ax.add_patch(plt.Rectangle((corner, corner), side, side, fill=False, ec="white"))
ax.set(xlabel="column (pixels)", ylabel="row (pixels)")
fig.colorbar(bar, label="sum of absolute gradients")
show(fig, alt="A square of 22 by 22 pixels has influence, fading from its centre to "
     "its edges; frames mark the square and its central 10 by 10 pixels.")  # fmt: skip

# %% [markdown]
# Many paths lead from the centre to the output and few from the edge. The field that counts in
# practice, the *effective* one, is smaller than the formula's (Luo et al., 2016).

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* expect "equal, so a fifth". Ask in how many ways a corner pixel can reach the
# output through three 3 × 3 layers: one. *Speed:* in our runs the six loops took 3 ms on Python
# lists and 230 on tensors. *Dial:* `encoder.blocks[4].dilation = encoder.blocks[4].padding =
# (2, 2)`, measure again: 26 pixels, since the jump there is 2.

# %% [markdown]
# ## Features: made by hand, or learnt?
#
# The article calls pixel values a feature of an image. We try three *hand-made features* on
# the task `section` of the news cards, and let a *logistic regression* read them: a linear model
# (lesson 00) that names a class. Images hold numbers from 0 to 1. First, the pixels, averaged in
# blocks:


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
    number = 9 * level[:, 0] + 3 * level[:, 1] + level[:, 2]  # (B, 48, 48), 0 to 26
    shares = [(number == colour).float().mean(dim=(1, 2)) for colour in range(27)]
    return torch.stack(shares, dim=1)


# %% [markdown]
# Third, edges, in three steps:
#
# 1. At each pixel our first two kernels say how much brighter it gets to the right (`across`) and
#    downwards (`down`): an arrow from dark to bright. Its length is the *strength* of the edge, its
#    angle the *direction*.
# 2. We sort the directions into 8 kinds. Opposite arrows are of one kind, because an outline can be
#    dark on bright or bright on dark. Each kind gets a map: the strength where the edge is of this
#    kind, 0 elsewhere.
# 3. We lay a grid of 4 by 4 fields on each map, 12 × 12 pixels each, and keep the mean of each
#    field: 8 · 16 = 128 numbers.


# %%
def edges(image):
    """Strength of edges by direction and field: (B, 3, 48, 48) -> (B, 128)"""
    kernels = torch.stack([vertical, vertical.T])[:, None]
    grey = image.mean(1, keepdim=True)
    across, down = F.conv2d(grey, kernels, padding=1).unbind(dim=1)  # (B, 48, 48) each
    # Half a turn, which `atan2` counts as pi, makes 8 kinds; `% 8` joins opposite
    # arrows.
    direction = (8 * torch.atan2(down, across) / torch.pi).floor() % 8  # 0 to 7
    strength = torch.hypot(across, down)
    maps = [strength * (direction == kind) for kind in range(8)]
    return F.avg_pool2d(torch.stack(maps, dim=1), 12).flatten(1)


# %% [markdown]
# As a fourth, the encoder with its random first weights: convolution without learning.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from course_utils.data.batches import Batches, to_tensors


def linear_score(feature, splits):
    """Test accuracy of a logistic regression on a feature of the pictures."""
    # The random encoder is a feature too, and nothing of it is to be trained.
    x, y = {}, {}
    for name, part in splits.items():
        with torch.no_grad():
            values = [feature(batch["image"]) for batch in Batches(part, 256)]
        x[name] = torch.cat(values).numpy()
        y[name] = part["label"].numpy()
    # The scaler gives each number mean 0 and spread 1. A small C holds the weights
    # small, against *overfitting*: learning the training rows by heart.
    models = []
    for c in (0.001, 0.01, 0.1, 1.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        # One thread: on small matrices several mostly wait for each other.
        with threadpool_limits(1):
            models.append(model.fit(x["train"], y["train"]))
    # Chosen on the validation rows, as is the epoch that the CNN keeps.
    best = max(models, key=lambda model: model.score(x["validation"], y["validation"]))
    return best.score(x["test"], y["test"])


# %% [markdown]
# We take the cards whose headline fits, and of them picture and section:

# %%
from course_utils.data import news_cards
from course_utils.data.readers import ImageReader
from course_utils.environment import is_smoke


def pictures(cards, part):
    rows = news_cards.rows_for(cards, "section", part)
    return to_tensors(rows, {"image": ImageReader()})


# %% [markdown]
# The model is the encoder and a linear layer on its 64 numbers. The package's classifier also
# asks for a *fusion*; with one sense there is nothing to fuse yet.

# %%
from course_utils.classifier import MultimodalClassifier
from course_utils.experiment import train_on
from course_utils.fusion import ConcatFusion
from course_utils.measures import accuracy


def new_model(seed):
    torch.manual_seed(seed)
    encoders = {"image": CNNEncoder(dim=64)}
    return MultimodalClassifier(encoders, ConcatFusion({"image": 64}), classes=5)


def trained(seed, splits, frozen=0):
    """A model and its test accuracy; the first `frozen` convolutions stay random."""
    model = new_model(seed)
    # Each block has four parts and begins with its convolution.
    for convolution in model.encoders["image"].blocks[::4][:frozen]:
        convolution.requires_grad_(False)
    logits = train_on(model, splits, seed, batch_size=32, epochs=3).logits
    return model, accuracy(logits, splits["test"]["label"])


# %% [markdown]
# `train_on` trains; how, is lesson 06. You train one seed, that is, one set of cards and of first
# weights. Five were measured once, on 5,000 fresh cards each (`make results LESSON=01`).
#
# **Predict, then run.** Motifs lie anywhere and have any colour. Put five rows in order: pixels,
# colour counts, edges, random convolution, learnt convolution. How far is the last from the first?

# %%
features = {"pixels": pixels, "colour counts": colour_counts, "edges": edges}
seed = 2
# Few where tests only want every line to run.
cards = news_cards.make(400 if is_smoke() else 4000, seed)
splits = {part: pictures(cards, part) for part in ("train", "validation", "test")}
# The logistic regressions first, then the network that makes its own features.
here = {name: linear_score(feature, splits) for name, feature in features.items()}
here["random CNN"] = linear_score(new_model(seed).eval().encoders["image"], splits)
model, here["learnt CNN"] = trained(seed, splits)

# %% [markdown]
# The *fair table* holds the majority class, every way of reading, and the *ceiling*: the best
# that any reader of the picture can reach on average, which the generator knows.

# %%
import pandas as pd

from course_utils.data.results import read_results, scores, within_spread
from course_utils.tables import fair_table

known = scores(read_results("01", "section"))
ceiling = news_cards.ceiling("section")["image"]
rows = {name: known[name] for name in ("majority", *here)}
table = fair_table(rows, {"picture": ceiling}).assign(here=pd.Series(here))
print(table.round(2).to_string(na_rep=""))

# %%
mean = table["mean"]
best_blind = mean[["pixels", "colour counts"]].max()
claim("pixels and colours tell little", best_blind < mean["majority"] + 0.05)
claim("edges beat them by over 0.4", mean["edges"] > best_blind + 0.4)
claim("random kernels by over 0.2", mean["random CNN"] > best_blind + 0.2)
claim("learning gains over 0.1", mean["learnt CNN"] > mean["edges"] + 0.1)
claim("and is near the ceiling", abs(mean["learnt CNN"] - ceiling) < 0.02)
claim("here lies within the seeds' spread, give or take 0.05",
      all(within_spread(here[name], known[name], 0.05) for name in here),
      trained=True)  # fmt: skip

# %% [markdown]
# To a model that adds up pixels, a bright ball and a dark one cancel, and the next ball lies
# elsewhere. Edges by hand do well, because their designer (we) knew that shape is what counts. The
# learnt network needs no such designer and comes near the ceiling. That is not 1, because a fifth
# of the pictures have no motif. (On the few test cards *here* luck may lift you above it.)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* expect colour counts above edges, and random convolution last. Ask what a
# random kernel computes: some edge in some direction, and the global maximum makes it independent
# of place. *Why do pixels fail?* Averages of |pixel − median of its picture| scored 0.33 to 0.40 in
# our runs: the sign is one reason, the place another. *Dials for a live run:* with
# `news_cards.make(4000, seed, image_noise=0.3)` edges lost about 0.11 in our runs and the CNN about
# 0.04; with `clutter=0` edges gained about 0.06.

# %% [markdown]
# ## What did it learn?
#
# Half of the first layer's 16 kernels in colour, before and after training, and what the trained
# block answers to one card.

# %%
encoder = model.encoders["image"]
# The same seed draws the same random kernels again.
start = new_model(seed).encoders["image"].blocks[0].weight.detach()  # (16, 3, 3, 3)
end = encoder.blocks[0].weight.detach()
# Pictures are kept as bytes, 0 to 255; the encoder was trained on 0 to 1.
picture = splits["test"]["image"][:1] / 255
with torch.no_grad():
    maps = encoder.blocks[:4](picture)[0]  # (16, 24, 24)

# %%
fig, axes = plt.subplots(3, 9, figsize=(11, 3.9), layout="constrained")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
for ax in axes[:2, 0]:
    ax.axis("off")
axes[2, 0].imshow(picture[0].permute(1, 2, 0))
axes[2, 0].set_xlabel("the card")
for number, column in enumerate(axes[:, 1:].T):
    for ax, kernels in zip(column, (start, end), strict=False):
        # Grey is 0; each colour channel brightens where its weight is positive.
        ax.imshow((0.5 + kernels[number]).clamp(0, 1).permute(1, 2, 0))
    answer = column[2].imshow(maps[number], cmap="cividis", vmin=0, vmax=maps[:8].max())
    column[0].set_title(f"kernel {number}")
for ax, label in zip(axes[:, 1], ("start", "trained", "answer"), strict=True):
    ax.set_ylabel(label)
fig.colorbar(answer, ax=axes[2], label="after ReLU")
show(fig, alt="Coloured noise, and after training the same noise; some kernels answer "
     "to the card's dark motif, some to its bright ground, some to its "
     "border.")  # fmt: skip

# %% [markdown]
# This surprised us: training hardly changed the kernels. (Lines at the border are the padding.)
# The *correlation* of the weights before and after is 1 where they are the same but for scale:


# %%
def weights(model):
    """The weights of the three convolutions, each as one long vector."""
    convolutions = model.encoders["image"].blocks[::4]
    return [layer.weight.detach().flatten() for layer in convolutions]


kernels = scores(read_results("01", "kernels"), "correlation")
pairs = zip(weights(new_model(seed)), weights(model), strict=True)
own = [torch.stack(pair).corrcoef()[0, 1].item() for pair in pairs]
print(fair_table(kernels).assign(here=own).round(2).to_string())
claim("first kernels hardly changed", min(own[0], *kernels["layer 1"]) > 0.95,
      trained=True)  # fmt: skip

# %% [markdown]
# **Predict, then run.** How much of the accuracy, then, is learnt in the first layer? *Freeze* it:
# it keeps its random kernels, the rest is trained. What do you expect? And with two layers frozen?

# %%
names = ["one frozen", "two frozen"]
for frozen, name in enumerate(names, start=1):
    _, here[name] = trained(seed, splits, frozen)
rows = {name: known[name] for name in ("learnt CNN", *names, "random CNN")}
table = fair_table(rows).assign(here=pd.Series(here))
mean = table["mean"]
print(table.round(2).to_string())
claim("one: under 0.02", mean["learnt CNN"] - mean["one frozen"] < 0.02)
claim("two: under 0.05", mean["learnt CNN"] - mean["two frozen"] < 0.05)
claim("two still gain 0.25", mean["two frozen"] > mean["random CNN"] + 0.25)
claim("here lies within the seeds' spread, give or take 0.05",
      all(within_spread(here[name], known[name], 0.05) for name in names),
      trained=True)  # fmt: skip

# %% [markdown]
# Next to nothing. A hundred steps or so move the first kernels little, and little is needed: random
# kernels answer to edges too. What the network gains over a random one it learns mostly in the
# layers above. (Long training on many photographs does make edge filters: Zeiler and Fergus, 2014.)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* expect "far lower", since "it cannot see any more". Three frozen
# convolutions left 0.43 in the file; ten epochs in place of three, in one run, left the first
# layer's correlation at 0.99. Note that layer 3 still has 0.92: small changes in many weights are
# enough. *The favourite place* gets a fifth of the 64 votes on average, no majority.

# %% [markdown]
# One more look. Each of the 64 maps of the last layer is 6 × 6 and has its maximum at *one*
# place. Which place is chosen most often?


# %%
@torch.no_grad()
def favourite_place(encoder, image):
    """Row and column, in pixels, of the place where most maps have their maximum."""
    largest, place = encoder.blocks(image).flatten(2).max(dim=2)  # (B, 64), 0 to 35
    # A map of zeros has no favourite, so it does not vote.
    votes = F.one_hot(place, 36) * (largest > 0)[..., None]
    most = votes.sum(dim=1).argmax(dim=1)  # (B,)
    # Three times halved, a place stands for 8 x 8 pixels.
    return 8 * (most // 6) + 3.5, 8 * (most % 6) + 3.5


# %% [markdown]
# The generator knows each motif's box. How often does that place lie in it? Motifs are large, so we
# compare with the centre of the card.


# %%
def share_on_motif(boxes, row, column):
    """Of the pictures with a motif, the share with this place in the motif's box."""
    left, top, right, bottom = torch.from_numpy(boxes).T
    hit = (row >= top) & (row <= bottom) & (column >= left) & (column <= right)
    return hit[left >= 0].float().mean().item()


# %%
shown = news_cards.rows_for(cards, "section", "test")
images = splits["test"]["image"] / 255
boxes = shown["motif_box"]
width = (boxes[:, 2] - boxes[:, 0] + 1)[boxes[:, 0] >= 0]
untrained = new_model(seed).eval().encoders["image"]
own = [share_on_motif(boxes, torch.tensor(23.5), torch.tensor(23.5))]
own += [
    share_on_motif(boxes, *favourite_place(one, images)) for one in (untrained, encoder)
]
looks = fair_table(scores(read_results("01", "on motif"), "share")).assign(here=own)
print(f"motifs are {width.min()} to {width.max()} pixels wide")
print(looks.round(2).to_string())
gain = looks.loc["trained"] - looks.loc["centre"]
claim("training turns the encoder to the motif", gain.drop("spread").min() > 0.2,
      trained=True)  # fmt: skip

# %% [markdown]
# Nobody told it where the motifs are: the five section names were all it got. The frame is what the
# favourite place can see, often only a part of the motif; a card without a motif has only clutter
# to offer.

# %%
from matplotlib.patches import Rectangle

fig, axes = plt.subplots(1, 6, figsize=(11, 2.2), layout="constrained")
rows, columns = favourite_place(encoder, images[:6])
first = zip(axes, shown["image"], rows, columns, shown["section"], strict=False)
for ax, image, row, column, section in first:
    ax.imshow(image)
    corner = column - 11, row - 11
    # White with black in it can be seen on every ground.
    for edge, wide in (("white", 3), ("black", 1)):
        ax.add_patch(Rectangle(corner, 22, 22, fill=False, ec=edge, lw=wide))
    ax.set(title=news_cards.SECTIONS[section], xlim=(-0.5, 47.5), ylim=(47.5, -0.5))
    ax.axis("off")
show(fig, alt="On most of six cards the frame of 22 by 22 pixels covers much of the "
     "motif, wherever it is.")  # fmt: skip

# %% [markdown]
# **So, what does one kernel see?** Nine pixels in each channel. Its answer grows with how much they
# look like the kernel, and with their contrast. Three blocks see 22 pixels, mostly the inner ones,
# and a motif is about that large. Weight sharing asks the same questions everywhere; global pooling
# keeps the best answers. Later layers learn which mixtures of simple answers make a ball: that is
# how the short-sighted stack tells it from a mountain.

# %% [markdown]
# ## The table that grows, and the wall
#
# Each lesson of Part I adds a row to this table: `section` on news cards, mean over seeds.
# (Lesson 00's image encoder was smaller and trained longer on more cards.)

# %%
from course_utils.tables import grow_table

grow_table("01", {"small CNN": known["learnt CNN"]})

# %% [markdown]
# And the twelve trick cards. The picture is all that this model gets.

# %%
from course_utils.data import trick_cards
from course_utils.display import card_wall
from course_utils.training import predict

tricks = trick_cards.read()
batch = to_tensors(tricks, {"image": ImageReader()})
logits = predict(model, [batch | {"image": batch["image"] / 255}])
right = logits.argmax(dim=1) == batch["label"]
alt = f"The CNN names the section of {right.sum()} of the twelve trick cards."
show(card_wall(tricks, {"picture": right.tolist()}), alt=alt)

# %% [markdown]
# Without a motif it can only guess, and sometimes guesses right. What a picture does not show, a
# headline may say: lesson 02 reads headlines.

# %% [markdown]
# ## Recap
#
# - A kernel is laid on every window: multiply, add up. Libraries cross-correlate and call it
#   convolution.
# - $m = \lfloor (n + 2p - d(k-1) - 1)/s \rfloor + 1$; a kernel sums over all channels.
# - Loops, one matrix product and `F.conv2d` compute the same numbers in very different times.
# - Strides multiply the step, so the receptive field grows fast; its centre counts most.
# - Learnt features came out above hand-made ones, and good hand-made ones far above pixels. The
#   first layer hardly had to learn.
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
#   handwritten zip code recognition*, Neural Computation 1(4), 1989.
# - LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document recognition*,
#   Proceedings of the IEEE 86(11), 1998: hand-made against learnt features.
# - Chellapilla, Puri and Simard, *High performance convolutional neural networks for document
#   processing*, International Workshop on Frontiers in Handwriting Recognition, 2006.
# - Zeiler and Fergus, *Visualizing and understanding convolutional networks*, ECCV, 2014.
# - Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, arXiv:1603.07285,
#   2016.
# - Luo, Li, Urtasun and Zemel, *Understanding the effective receptive field in deep convolutional
#   neural networks*, NIPS, 2016.
# - Araujo, Norris and Sim, *Computing receptive fields of convolutional neural networks*, Distill,
#   2019.
