# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Training
#     minutes: {read: 55, exercises: 30}
#     needs: [00_start_here, 01_convolution]
#     teaches: [loss, logits, gradient, learning rate, early stopping, checkpoint, TensorBoard]
# ---

# %% [markdown]
# # Training
#
# *You will be able to:* write the loss and the loop that train a model; see that a training goes
# wrong; choose learning rate, weight decay and the moment to stop without the test cards; and take
# up an interrupted run where it ended.
#
# **The question.** The article that this course grew out of says in one line what training is:
#
# $$ \theta^* = \arg\min_{\theta} \sum_{i=1}^{n} L(y_i, \hat y_i) . $$
#
# *What does that mean, line by line?*

# %%
import torch
import torch.nn.functional as F

from course_utils import check, claim, hint, quiz, seed_everything, show, solution

seed_everything(0)

# %% [markdown]
# Eight headlines. $x$ counts their weather words, less their words of other sections; $y$ is 1 if
# the headline is about weather. The smallest model has one *weight* $w$: its logit is $z = wx$. We
# try many $w$, and draw the *loss*: how far the model is from the labels.

# %%
import matplotlib.pyplot as plt

x = torch.tensor([-2.0, -1, -1, 0, 1, 1, 1, 2])
y = torch.tensor([0.0, 0, 1, 0, 0, 1, 1, 1])

tried = torch.linspace(-2, 5, 141)  # many values of the one weight
# What this function computes is the next section.
bce = F.binary_cross_entropy_with_logits
each = bce(tried[:, None] * x, y.expand(141, 8), reduction="none")  # (141, 8)
losses = each.mean(dim=1)  # (141,): averaged over the eight rows
best = tried[losses.argmin()]

fig, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
ax.plot(tried, losses, color="black")
label = f"lowest at w = {best:.2f}"
ax.plot(best, losses.min(), "*", ms=15, color="#009E73", label=label)
ax.set(xlabel="the weight w", ylabel="loss (mean over rows)")
ax.legend()
show(fig, alt="The loss falls steeply as w grows from -2, is lowest near 1, and rises "
     "slowly after that.")  # fmt: skip

# %% [markdown]
# There is the formula. $\theta$ (theta) stands for all weights, here one. $L$ measures how far the
# prediction $\hat y_i$ is from the label $y_i$. $\sum$ takes all rows together, $\arg\min$ is the
# place of the lowest point. It leaves six gaps:
#
# 1. $\hat y_i$ depends on $\theta$, which it does not show: $\hat y_i = f_\theta(x_i)$.
# 2. The article calls $\hat y$ the *predicted label*. A label will not do.
# 3. It has a sum. Code has a mean.
# 4. It says nothing about rows that it was not trained on. (The article names a test as its last
#    step; neither this formula nor its code has one.)
# 5. Nothing in it keeps the weights small.
# 6. $\arg\min$ is never reached, and we would not want it.
#
# A model with thousands of weights cannot be drawn: training stands at
# one point and sees only which way is down.

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* The curve (2 min), one weight by hand (3), the eight
# lines and one batch overfitted (4), the bowl, live (4), the sweep with its *predict* (3), the
# sorted cards (2), the answer (2). The rest is for home, before lesson 07.

# %% [markdown]
# ## From logits to a loss
#
# A yes-or-no model gives one logit $z$ for each row. The *sigmoid* $\sigma(z) = 1 / (1 + e^{-z})$
# makes it a probability $p$ of "yes". The loss is $-\log p$ where $y = 1$ and $-\log(1 - p)$ where
# $y = 0$: small if the model was sure of the truth, large if it was sure of the opposite.

# %%
p = torch.linspace(0.005, 0.995, 199)  # not 0 or 1, where a loss is infinite
fig, ax = plt.subplots(figsize=(5.5, 2.4), layout="constrained")
ax.plot(p, -p.log(), color="#0072B2", label="y = 1: $-\\log\\, p$")
ax.plot(p, -(1 - p).log(), "--", color="#D55E00", label="y = 0: $-\\log\\, (1 - p)$")
ax.set(xlabel="the model's probability p of yes", ylabel="loss of one row")
ax.legend(loc="upper center")
show(fig, alt="For a yes the loss falls from over 5 near p = 0 to 0 at p = 1; for a no "
     "it rises the same way. The two cross at p = 0.5.")  # fmt: skip

# %% [markdown]
# Put in one line and simplified:
#
# $$ L(y, z) = - y \log \sigma(z) - (1 - y) \log (1 - \sigma(z)) = \log(1 + e^z) - y z . $$
#
# ### Exercise 1: `bce_with_logits` · 12 min · medium
#
# *Binary cross-entropy*, the mean over rows. Numbers in a tensor (`float32`) end at about $3 \cdot
# 10^{38}$, and $e^{89}$ is more. Your loss must be right for logits like 150, too. Of use:
# $\log(1 + e^z) = z + \log(1 + e^{-z})$.


# %% tags=["exercise"]
def bce_with_logits(logits, target):
    """Mean binary cross-entropy, finite for logits of any size.

    logits (n,) float, target (n,) float, 0 or 1 -> a tensor with one number
    """
    ### BEGIN SOLUTION
    # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|): only negative numbers go through exp.
    rest = (1 + (-logits.abs()).exp()).log()
    return (logits.clamp(min=0) - target * logits + rest).mean()
    ### END SOLUTION


# %% tags=["check"]
bce_with_logits = check(bce_with_logits)

# %% [markdown]
# **Predict, then run.** A model is sure that a sports headline is about weather: $z = 100$, $y =
# 0$. What do the two forms above give, as they are written? And yours?

# %% tags=["nbval-check-output"]
z, no = torch.tensor([100.0]), torch.tensor([0.0])
print("with sigmoid and log:", (-(1 - no) * (1 - z.sigmoid()).log()).item())
print("simplified:          ", ((1 + z.exp()).log() - no * z).item())
print("yours, and PyTorch's:", bce_with_logits(z, no).item(), bce(z, no).item())

# %% [markdown]
# One such row makes the loss of the whole batch infinite. So a model ends in logits, and the loss
# takes logits.
#
# With $C$ classes, softmax takes the place of the sigmoid: $p_k = e^{z_k} / \sum_j e^{z_j}$, and
# the loss is $-\log p_y$, *cross-entropy*. Two classes with logits $0$ and $z$ are the same as one
# logit $z$:

# %%
logits, section = torch.randn(8, 5), torch.randint(0, 5, (8,))
# From each row the log-probability of its own section.
of_truth = -logits.log_softmax(dim=1)[range(8), section].mean()
theirs = F.cross_entropy(logits, section)
torch.testing.assert_close(of_truth, theirs)

two_columns = torch.stack([torch.zeros(8), x], dim=1)  # (8, 2)
as_two = F.cross_entropy(two_columns, y.long())
torch.testing.assert_close(as_two, bce_with_logits(x, y))
print(f"five classes: by hand {of_truth:.4f}, PyTorch {theirs:.4f}")
print(f"two columns {as_two:.4f}, one {bce_with_logits(x, y):.4f}")

# %% [markdown]
# Why is $\hat y$ no label (gap 2)? Move a weight a little: logits move a little, the label named by
# `argmax` stays, or jumps. It has no slope to follow, and PyTorch gives it none:

# %% tags=["nbval-check-output"]
logits.requires_grad_()
print("a loss has a gradient:", F.cross_entropy(logits, section).requires_grad)
print("a label has one:      ", logits.argmax(dim=1).requires_grad)

# %% [markdown]
# That is why we train on the loss and report the accuracy.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At the predict* few see that the simplified form is infinite, too. *Usual mistake in exercise 1:*
# a sigmoid on the way in.
#
# *If somebody asks:* at exactly z = 0 autograd gives the solution with `clamp` and `abs` the slope
# 1 - y in place of 1/2 - y. `torch.logaddexp` and PyTorch's own loss are right there, too.

# %% [markdown]
# ## The slope of one weight
#
# The *gradient* is the slope of the loss for each weight. For our one weight (chain rule, and
# $\sigma$ is the slope of $\log(1 + e^z)$):
#
# $$ \frac{dL}{dw} = \frac1n \sum_{i=1}^{n} \bigl( \sigma(w x_i) - y_i \bigr)\, x_i , $$
#
# how wrong, times the input. `backward` (*autograd*) finds the same for millions of weights. Two
# points of the curve give it, too.

# %%
w = torch.tensor(0.5, requires_grad=True)
bce_with_logits(w * x, y).backward()  # leaves the slope in w.grad

by_hand = ((torch.sigmoid(0.5 * x) - y) * x).mean()
# A little to the right less a little to the left, by the distance.
two_points = (bce_with_logits(0.51 * x, y) - bce_with_logits(0.49 * x, y)) / 0.02
print(f"autograd {w.grad:.4f}, by hand {by_hand:.4f}, from two points {two_points:.4f}")
torch.testing.assert_close(w.grad, by_hand)
torch.testing.assert_close(w.grad, two_points, rtol=1e-3, atol=1e-3)

# %% [markdown]
# Negative: the loss falls as $w$ grows. One step of *gradient descent* goes against the slope, $w
# \leftarrow w - \eta \, dL/dw$, where $\eta$ (eta) is the *learning rate*. PyTorch calls it SGD, S
# for *stochastic*: the slope is usually that of a random few rows, a *batch*.
#
# **Predict, then run.** With the mean over 8 rows we use the learning rate 0.8. With their sum,
# which rate makes the same step?


# %%
def one_step(reduction, learning_rate):
    """How far one step of SGD moves w from 0.5."""
    w = torch.tensor(0.5, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=learning_rate)
    # PyTorch's own loss, because it has both reductions.
    F.binary_cross_entropy_with_logits(w * x, y, reduction=reduction).backward()
    optimizer.step()
    return w.item() - 0.5


step, of_sum = one_step("mean", 0.8), one_step("sum", 0.1)
print(f"mean, rate 0.8: {step:.4f}; sum, rate 0.1: {of_sum:.4f}")
claim("a step is minus the rate times the slope", abs(step + 0.8 * by_hand) < 1e-6)
claim("with a sum, an eighth of the rate makes the same", abs(of_sum - step) < 1e-6)

# %% [markdown]
# Sum and mean have the same lowest point (gap 3), not the same steps: with a mean, the learning
# rate need not be rescaled just because there are more rows.

# %% [markdown]
# ## Eight lines
#
# ### Exercise 2: `training_step` · 5 min · easy
#
# In lesson 00 you took eight lines on trust. Here are the five inside their loops: forward (there
# is $f_\theta(x_i)$, gap 1), loss, and three calls in the right order. PyTorch *adds* each new
# gradient to the one that is there; somebody has to clear it.


# %% tags=["exercise"]
def training_step(model, batch, optimizer):
    """One step on one batch, down F.cross_entropy; old gradients must not count.

    model(batch) gives logits (B, C); batch["label"] (B,) long
    -> the loss before the step, a float
    """
    ### BEGIN SOLUTION
    logits = model(batch)
    loss = F.cross_entropy(logits, batch["label"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% tags=["check"]
training_step = check(training_step)

# %% [markdown]
# ## (B,) against (B, 1)
#
# A yes-or-no model ends in `nn.Linear(64, 1)`: logits (B, 1), labels (B,). Three functions meet
# that in three ways. The first:

# %%
column = torch.tensor([[3.0], [-2.0], [1.0], [-4.0]])  # (4, 1): right on all four rows
truth = torch.tensor([1.0, 0.0, 1.0, 0.0])  # (4,)
try:
    F.binary_cross_entropy_with_logits(column, truth)
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# An error is the best case. The mean squared error only warns:

# %%
import warnings

# Python shows a warning once a place; here we want it each time.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    # A prediction that equals the label in every row.
    loss = F.mse_loss(truth[:, None], truth)
print("Warning:", caught[0].message)
print("loss of a perfect prediction:", loss.item())

# %% [markdown]
# *Broadcasting* stretches (B, 1) and (B,) to (B, B): every prediction is compared with every label.
# The third function says nothing at all.
#
# **Predict, then run.** The four logits are right on every row. What accuracy comes out?

# %% tags=["nbval-check-output"]
right = (column > 0) == truth
print("shape", tuple(right.shape), "accuracy", right.float().mean().item())

# %% [markdown]
# Each answer meets two ones and two zeros: half agree. So with a thousand models that guess:

# %%
models = [torch.randn(4, 1) > 0 for _ in range(1000)]
guesses = [(guess == truth).float().mean().item() for guess in models]
claim("with as many ones as zeros every model gets 0.5", set(guesses) == {0.5})

# %% [markdown]
# ### Exercise 3: `accuracy` · 5 min · easy
#
# For both kinds of model. Several columns: the largest names the class. One column: class 1 if the
# logit is positive.


# %% tags=["exercise"]
def accuracy(logits, label):
    """Share of rows that are right.

    logits (B, C), or (B, 1) for yes or no; label (B,) long -> a float from 0 to 1
    """
    ### BEGIN SOLUTION
    if logits.shape[1] == 1:
        return ((logits[:, 0] > 0) == label).float().mean().item()  # (B,) against (B,)
    named = logits.argmax(dim=1)
    return (named == label).float().mean().item()
    ### END SOLUTION


# %% tags=["check"]
accuracy = check(accuracy)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* everyone says 1.0. Draw the 4 × 4 table on the board. *Ask* which of the three
# is worst. A bare `squeeze()` turns a batch of one row, (1, 1), into a number. Lesson 07 meets all
# three in the article's code.

# %% [markdown]
# ## First, overfit one batch
#
# Now news cards. We halve the pictures each way, so that a training takes seconds.

# %%
from course_utils.data import news_cards
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader, TextReader
from course_utils.data.rows import split_rows, take
from course_utils.environment import is_smoke

# Few where tests only want every line to run.
cards = news_cards.make(600 if is_smoke() else 6000, seed=0)
rows = split_rows(news_cards.rows_for(cards, "section"))
# Four pixels become one, their mean: pictures (n, 3, 24, 24).
readers = {"image": ImageReader(shrink=2), "text": TextReader(fewest=2)}
readers["text"].fit(rows["train"], "text")
splits = {split: to_tensors(part, readers) for split, part in rows.items()}

# %% [markdown]
# The untrained model of lesson 00: a CNN and a bag of words, side by side.

# %%
from course_utils.classifier import MultimodalClassifier
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.fusion import ConcatFusion


def build():
    """An untrained model of pictures and headlines."""
    torch.manual_seed(0)  # the first weights are random
    words = len(readers["text"].vocabulary)
    encoders = {
        "image": CNNEncoder(64, channels=(8, 16, 32)),
        "text": BagEncoder(words),
    }
    fusion = ConcatFusion({"image": 64, "text": 64})
    return MultimodalClassifier(encoders, fusion, classes=5)


print("weights:", sum(weight.numel() for weight in build().parameters()))

# %% [markdown]
# Before a long training comes a short one, on *one* batch, again and again. If 64 cards cannot be
# learnt by heart, there is a fault in the code.
#
# **Predict, then run.** Before training, five scores are about equal. How large is the loss then?
# And after 40 steps on the same 64 cards?


# %%
def on_one_batch(step, steps=40):
    """Losses of many steps on the same batch."""
    batch = next(iter(Batches(splits["train"], batch_size=64)))
    model = build()
    # AdamW, the optimiser of lesson 00, decays weights (see below) unless told not to.
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0)
    # The same batch each time: no loader, no shuffling, nothing else to be at fault.
    return [step(model, batch, optimizer) for _ in range(steps)]


sound = on_one_batch(training_step)
print(f"loss at first {sound[0]:.2f}, after 40 steps {sound[-1]:.3f}")

# %% [markdown]
# Now with a softmax too many, a mistake that raises no error:


# %%
from torch import nn


def two_softmaxes(model, batch, optimizer):
    """A training step whose loss is given probabilities."""
    return training_step(nn.Sequential(model, nn.Softmax(dim=1)), batch, optimizer)


faulty = on_one_batch(two_softmaxes)
print(f"loss at first {faulty[0]:.2f}, after 40 steps {faulty[-1]:.3f}")

# %% [markdown]
# What a sound model does, and what the faulty one cannot:

# %%
# The best that probabilities allow: 1 for the right class, 0 for four others.
floor = torch.tensor(1 + 4 / torch.e).log()
claim("the first loss is about ln 5 = 1.61", abs(sound[0] - 1.61) < 0.3)
claim("one batch can be learnt by heart", sound[-1] < 0.05)
claim("with two softmaxes it cannot", min(faulty) > floor - 1e-4)

# %% [markdown]
# $\ln 5$ is the loss of a model that gives each of five classes 1/5. The first scores are not quite
# equal: a few tenths more are normal. Twice as much means a wrong number of classes or wild first
# weights. Wrong labels show in neither test. With two softmaxes the best scores are 1 for the right
# class and 0 for the others, and $-\log\, (e / (e + 4)) = 0.905$.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* few know ln 5. *Live:* shuffle the labels of the one batch: it still learns them
# by heart. That proves that the code can learn, not that there is anything to learn.

# %% [markdown]
# ## All batches, and `fit`
#
# One pass over all batches is an *epoch*. The optimizer, a `for` over epochs and a `for` over
# batches: with the five above they make lesson 00's eight lines.


# %%
def train_epoch(model, batches, optimizer):
    """One pass over the training rows -> mean of the batches' losses."""
    model.train()  # the mode, of which more below
    losses = [training_step(model, batch, optimizer) for batch in batches]
    return sum(losses) / len(losses)


def training_batches():
    """Batches of 64 in a new order for each pass; the seed decides the orders."""
    return Batches(splits["train"], batch_size=64, shuffle=True, seed=0)


ours = build()
optimizer = torch.optim.AdamW(ours.parameters(), lr=0.01, weight_decay=0)
batches = training_batches()
for _ in range(2):  # epochs
    print(f"loss {train_epoch(ours, batches, optimizer):.2f}")

# %% [markdown]
# And `fit`, which all lessons use? Its loop:

# %%
import inspect
import textwrap

from course_utils import training

print(textwrap.dedent(inspect.getsource(training._Run.train_epoch)))

# %% [markdown]
# `tally` and `bar` count and show; nothing else in this loop touches the model.

# %%
from course_utils.training import fit


def same_weights(one, other):
    """Whether two models agree in every weight, to the last bit."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


theirs = build()
fit(theirs, training_batches(), epochs=2, learning_rate=0.01, device="cpu")
claim("fit and our loop give the same weights, bit for bit", same_weights(ours, theirs),
      trained=True)  # fmt: skip

# %% [markdown]
# ## How far to step
#
# With two weights the curve becomes a *bowl*. Ours, $(w_1^2 + 100\, w_2^2) / 2$, is a hundred
# times as steep along $w_2$ as along $w_1$ (*ill-conditioned*), as real losses are.

# %%
from course_utils.widgets import lesson06 as widgets

for rate in (0.005, 0.019, 0.022):
    at = "SGD", rate, 0.0, 100.0  # optimiser, learning rate, momentum, steepness
    show(widgets.draw_descent(*at), alt=widgets.describe_descent(*at))

# %% [markdown]
# SGD multiplies $w_2$ by $1 - 100 \eta$ at each step. Beyond $\eta = 2/100$ that is below $-1$:
# each step lands further up the other side (it *diverges*). Below it, $w_1$ shrinks by 2 % a step
# at most. The steep direction sets the limit, and the flat one pays for it.
#
# *Momentum* keeps rolling in the direction of earlier steps. *Adam* divides each weight's step by
# the usual size of its gradient, so that flat and steep directions get steps of about equal length.
#
# **Now yours.** (1) Steepness 10: up to which rate does SGD come down? (2) Steepness 100, rate
# 0.004: how much does momentum 0.9 help?

# %% tags=["volatile"]
widgets.descent_explorer()

# %% [markdown]
# The answers, as losses after 60 steps:

# %%
from course_utils.widgets.lesson06 import bowl_loss, descend

settings = (0.19, 0, 10), (0.21, 0, 10), (0.004, 0, 100), (0.004, 0.9, 100)
for rate, momentum, steepness in settings:
    end = bowl_loss(descend("SGD", rate, steepness, momentum), steepness)[-1]
    print(f"steepness {steepness:3}, rate {rate:5}, momentum {momentum:3}: {end:10.4f}")

# %% [markdown]
# The limit is 2 over the steepness.
#
# **Predict, then run.** SGD and Adam race to a hundredth of the first distance, each at its best of
# nine learning rates from 0.01 to 1. Who wins in a round bowl? And in the steep one?

# %%
import numpy as np
import pandas as pd

starts = np.random.default_rng(0).uniform(1, 5, size=(3, 2))  # three starting points


def steps_needed(optimizer, rate, steepness):
    """Steps after which the walk stays that near, for each start; inf if never."""
    path = descend(optimizer, rate, steepness, start=starts, steps=400)  # (401, 3, 2)
    # The last step that is too far counts, not the first near one: walks swing back.
    distance = np.abs(path).max(axis=-1)  # of the weight that is farther off
    far = ~(distance < distance[0] / 100)  # NaN counts as far
    last_far = 400 - far[::-1].argmax(axis=0)
    return np.where(last_far < 400, last_far + 1.0, np.inf)


# %% [markdown]
# The race, from three starting points:

# %%
rates, race = 10 ** np.linspace(-2, 0, 9), {}
for kind in ("SGD", "Adam"):
    for name, steepness in (("round", 1), ("steep", 100)):
        steps = [steps_needed(kind, rate, steepness) for rate in rates]
        race[kind, name] = np.min(steps, axis=0)
print(pd.DataFrame(race).astype(int).rename_axis("start").to_string())

# %% [markdown]
# In the round bowl the slope *is* the way to the lowest point: at rate 1, SGD is there in one step.
# Adam is not simply faster:

# %%
claim("in the round bowl SGD needs a tenth of Adam's steps at most",
      (10 * race["SGD", "round"] <= race["Adam", "round"]).all())  # fmt: skip
claim("in the steep one Adam needs half of SGD's at most",
      (2 * race["Adam", "steep"] <= race["SGD", "steep"]).all())  # fmt: skip
claim("and to Adam the two bowls are the same, within two steps",
      (abs(race["Adam", "round"] - race["Adam", "steep"]) <= 2).all())  # fmt: skip

# %% [markdown]
# Adam works on each weight by itself, and here flat and steep lie along the weights. Nor does the
# unit of the loss matter to it. Multiply the loss by 1,000:

# %%
for name, rate in (("SGD", 0.01), ("Adam", 0.1)):
    path, scaled = (descend(name, rate, 100, scale=scale) for scale in (1, 1000))
    same = np.allclose(path, scaled, atol=1e-3)
    print(f"{name}: {'the same path' if same else 'another path'}")
claim("Adam takes the same path", same)

# %% [markdown]
# So one learning rate of Adam works in many places. We use it, as AdamW.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* the class expects Adam to win everywhere.

# %% [markdown]
# ## The same on cards
#
# **Predict, then run.** Four learning rates, each ten times the one before, from 0.0001 to 0.1;
# five epochs. Which is best on the *validation* cards, and what happens at both ends?
#
# We train at one of them. Given validation cards, `fit` hands back the weights of the best epoch;
# with `log_dir` it writes files for TensorBoard.

# %%
import tempfile
from pathlib import Path

# Gone when the notebook ends; yours would be "runs".
scratch = tempfile.TemporaryDirectory()
logs = Path(scratch.name) / "logs"

model, validation = build(), Batches(splits["validation"], batch_size=256)
history = fit(model, training_batches(), validation, epochs=5, learning_rate=0.01,
              log_dir=logs / "rate 0.01")  # fmt: skip

# %% [markdown]
# TensorBoard's own reader:

# %%
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def read_back(run, measure):
    """One measure of a run, a number for each epoch."""
    events = EventAccumulator(str(logs / run)).Reload()
    return [event.value for event in events.Scalars(measure)]


live = read_back("rate 0.01", "accuracy/validation")
print("validation accuracy by epoch:", " ".join(f"{value:.2f}" for value in live))

# %% [markdown]
# All four rates, with several seeds each, were measured once: `make results LESSON=06` wrote
# `data/results/06.csv`. Another *seed* is other cards, other first weights, another order. *Fresh*
# cards are those that no training and no choice has seen.

# %%
from course_utils.data.results import read_results, within_spread

rates = read_results("06", "rates")
fresh = rates["rows"].max()
print(f"{rates['seed'].nunique()} seeds; {fresh} fresh cards for each")
measured = rates[rates["measure"] == "validation accuracy"]
# A row for each rate and seed, a column for each epoch.
curves = measured.pivot(index=["setting", "seed"], columns="model", values="value")

# %% [markdown]
# Lines are means over seeds, bands go from lowest to highest:

# %%
from course_utils.display import PALETTE

styles = {"rate 0.0001": ("s-", "majority"), "rate 0.001": ("^-", "image")}
styles |= {"rate 0.01": ("o-", "both"), "rate 0.1": ("x--", "text")}
fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for rate, (mark, colour) in styles.items():
    runs, epochs = curves.loc[rate], range(1, 6)
    ax.plot(epochs, runs.mean(), mark, color=PALETTE[colour], label=rate)
    ax.fill_between(epochs, runs.min(), runs.max(), color=PALETTE[colour], alpha=0.2)
ax.plot(range(1, len(live) + 1), live, "k:", label="yours, at 0.01")
ax.set(xlabel="epoch", ylabel="validation accuracy", xticks=range(1, 6), ylim=(0.1, 1))
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(fig, alt="At 0.01 the mean is highest from the third epoch on, in a wide band; "
     "at 0.1 it is level from the second on; at 0.001 it gets there in five; at 0.0001 "
     "it stays far below.")  # fmt: skip

# %% [markdown]
# The best epoch of each run:

# %%
score = curves.max(axis=1).unstack("seed")  # rate × seed
print(score.round(2).to_string())
right_rate = score.mean(axis=1).idxmax()
print("best, by the mean over seeds:", right_rate)
# Give it a wide margin: after single epochs the accuracy can drop by that much. Why,
# comes below.
claim("your run fits in, give 0.15",
      within_spread(max(live), score.loc["rate 0.01"], 0.15), trained=True)  # fmt: skip

# %% [markdown]
# Too small: the epochs run out. Too large: nothing diverges, and yet it stays level. We give each
# card another's picture, and see how much the image encoder's 64 numbers vary. Your run:

# %%
from course_utils.training import predict

cards = splits["validation"]
# Each card gets the picture of the next one; headlines and labels stay.
mixed_up = cards | {"image": cards["image"].roll(1, dims=0)}
own, others = (predict(model, Batches(part, 256)) for part in (cards, mixed_up))
cost = accuracy(own, cards["label"]) - accuracy(others, cards["label"])
with torch.no_grad():
    spread = model.features(next(iter(validation)))["image"].std(dim=0).mean()
print(f"wrong pictures cost {cost:.2f}; the image's numbers vary by {spread:.2f}")

# %% [markdown]
# And all rates, on fresh cards:

# %%
best = rates[rates["model"] == "best epoch"]
of_best = best.pivot(index=["setting", "seed"], columns="measure", values="value")
print(of_best.groupby("setting").mean().round(2).to_string())
right, costs = of_best["accuracy"].unstack("seed"), of_best["wrong pictures cost"]
ahead = right.loc[right_rate] - right.drop(right_rate).max()  # for each seed
claim("0.01 is best on fresh cards too, for each seed by over 0.05",
      right_rate == "rate 0.01" and ahead.min() > 0.05)  # fmt: skip
claim("at 0.1 wrong pictures cost no seed over 0.05, and its numbers stand still",
      costs["rate 0.1"].max() < 0.05
      and of_best.loc["rate 0.1", "spread"].max() < 0.05)  # fmt: skip
claim("at 0.01 they cost over 0.3, your run as well",
      min(cost, *costs["rate 0.01"]) > 0.3, trained=True)  # fmt: skip

# %% [markdown]
# Nearly the same 64 numbers for every picture: the image encoder is *dead*, its input no longer
# matters. The model reads headlines alone. So try rates ten times apart, both ways, before you
# judge.
#
# ### Watch it live
#
# In a browser's notebook take the `#` of two lines away (*magic* commands of the notebook); or run
# the printed command in a terminal, and open the address that it names.

# %% tags=["volatile"]
# # %load_ext tensorboard
# # %tensorboard --logdir {logs}
import sys

# This Python has the program; your terminal's own may not.
print(f'"{sys.executable}" -m tensorboard.main --logdir "{logs}"')

# %% [markdown]
# By hand, for any number:

# %%
from torch.utils.tensorboard import SummaryWriter

with SummaryWriter(str(logs / "one batch")) as writer:
    for number, loss in enumerate(sound):
        writer.add_scalar("loss/one batch", loss, number)
claim("what was written can be read back",
      np.allclose(read_back("one batch", "loss/one batch"), sound))  # fmt: skip

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* most fear the largest rate and trust the smallest. *Ask* what the end of
# rate 0.1 reminds them of: the text model's row in the table. *Dial:* rate 1.

# %% [markdown]
# ## Two modes
#
# Some layers do one thing while training and another when asked; `train()` and `eval()` switch.
# *Dropout* sets each number to 0 with a given probability, and enlarges the rest so that the mean
# stays, on average. *BatchNorm*, which our CNN has, subtracts a channel's mean, over all pictures
# and places, and divides by its standard deviation; a scale and a shift that are learnt follow, the
# same in both modes. While training, mean and deviation are of the batch at hand, later they are
# *running averages*: each training batch moves the stored mean and variance a tenth of the way
# towards its own (the layer's `momentum`, not the optimiser's).

# %%
dropout = nn.Dropout(0.5)
print("train:", dropout.train()(torch.ones(8)).tolist())
print(f"mean of 10,000 ones: {dropout(torch.ones(10_000)).mean():.2f}")
print("eval: ", dropout.eval()(torch.ones(8)).tolist())

# %% [markdown]
# **Predict, then run.** Somebody forgets `eval()`, and tries our model on validation cards sorted
# by section, 32 at a time. What happens to its accuracy?


# %%
import copy


def forgot_eval(model, batches):
    """Logits of all rows in train mode; of a copy, as even looking changes averages."""
    model = copy.deepcopy(model).train()
    with torch.no_grad():
        return torch.cat([model(batch) for batch in batches])


# %%
label, forgotten = rows["validation"]["label"], {}
# A folder for each class, read file by file, gives the second order.
orders = {"as they come": np.arange(len(label)), "sorted by section": label.argsort()}
for name, order in orders.items():
    ordered = Batches(to_tensors(take(rows["validation"], order), readers), 32)
    answers = {"eval": predict(model, ordered), "train": forgot_eval(model, ordered)}
    truth = ordered.tensors["label"]
    forgotten[name] = {mode: accuracy(each, truth) for mode, each in answers.items()}
print(pd.DataFrame(forgotten).T.round(2).to_string())

# %% [markdown]
# All seeds, on fresh cards:

# %%
modes = read_results("06", "modes")
in_mode = modes.pivot(index=["setting", "seed"], columns="model", values="value")
print(in_mode.groupby("setting").mean().round(2).to_string())

mixed, in_order = in_mode.loc["as they come"], in_mode.loc["sorted by section"]
moved = (mixed["eval"] - in_order["eval"]).abs().max()
claim("in eval mode the order changes nothing", moved < 0.005)
claim("in train mode, sorted cards cost each seed over 0.15",
      (in_order["eval"] - in_order["train"]).min() > 0.15)  # fmt: skip
claim("mixed cards move none by over 0.04",
      (mixed["eval"] - mixed["train"]).abs().max() < 0.04)  # fmt: skip
claim("your accuracy on sorted cards is one of these", within_spread(
      forgotten["sorted by section"]["train"], in_order["train"], 0.05),
      trained=True)  # fmt: skip

# %% [markdown]
# Where all 32 pictures are balls, a channel that answers to balls has a high mean, and BatchNorm
# subtracts it: what they have in common disappears. On mixed cards the fault hardly shows, and may
# even look like a gain. `fit` and `predict` set the mode; your own loops must.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* many say "a little noise". Test pictures in a folder for each class come sorted:
# this is no contrived case.

# %% [markdown]
# ## When to stop
#
# Gap 4: other rows. Each set of cards has one job. *Train:* `backward` sees them. *Validation:* we
# see them, and choose rates and epochs by them. *Test:* once, at the end; a score by which you
# chose flatters.
#
# Gap 5: large weights can make large logits, that is, a model too sure of itself. (Not all of them:
# behind our convolutions BatchNorm divides their size out again.) With *weight decay* AdamW (hence
# the W) multiplies all weights by $1 - \eta \lambda$ at each step, so that a weight that nothing
# pulls at shrinks. First a run without it: 15 epochs, and we keep the weights after each.

# %%
long_run, batches = build(), training_batches()
optimizer = torch.optim.AdamW(long_run.parameters(), lr=0.01, weight_decay=0)
losses, models = [], []
for _ in range(15):
    history = fit(long_run, batches, validation, epochs=1, optimizer=optimizer,
                  progress=False)  # fmt: skip
    losses.append((history.train_loss[0], history.validation_loss[0]))
    models.append(copy.deepcopy(long_run))  # the model itself goes on changing
train_loss, as_trained = np.array(losses).T  # (15,) and (15,)

# %% [markdown]
# **Predict, then look.** Where does the training loss go? And the validation loss?

# %%
fifteen = range(1, 16)
fig, ax = plt.subplots(figsize=(5.5, 2.6), layout="constrained")
ax.plot(fifteen, train_loss, "--", color=PALETTE["quiet"], label="training")
ax.plot(fifteen, as_trained, color=PALETTE["highlight"], label="validation")
# Large losses leave the picture, or a slow rise could not be seen.
ax.set(xlabel="epoch", ylabel="loss (mean over rows)", ylim=(0, 1.2))
ax.legend()
show(fig, alt="The training loss falls nearly to 0. The validation loss jumps up and "
     "down from epoch to epoch, and may leave the picture.")  # fmt: skip

# %% [markdown]
# Dashed is the mean *during* an epoch, in train mode; solid is measured *after* it, in eval mode.
# The training loss falls nearly to 0. The solid line jumps too much to answer the second question.
#
# Our suspect is BatchNorm: its running averages come from weights that have moved on. We average
# anew over all training batches, weights held still (`update_bn`). **Predict, then run.** How much
# of the jumping goes away?

# %%
from torch.optim.swa_utils import update_bn

fresh_averages = []
for one in models:
    # Training rows again: validation rows must not shape what they judge.
    update_bn(Batches(splits["train"], batch_size=256), one)
    logits = predict(one, validation)
    fresh_averages.append(F.cross_entropy(logits, cards["label"]).item())
for name, each in (("running", as_trained), ("fresh", fresh_averages)):
    print(f"{name} averages: largest rise {np.diff(each).max():.2f}")

# %% [markdown]
# And in the file:

# %%
stopping = read_results("06", "stopping")


def by_epoch(measure):
    """A row for each weight decay and seed, a column for each epoch."""
    chosen = stopping[stopping["measure"] == measure]
    table = chosen.pivot(index=["setting", "seed"], columns="model", values="value")
    return table[[f"epoch {epoch}" for epoch in fifteen]]


running = by_epoch("validation loss")
steady = by_epoch("validation loss, fresh averages")
free, rises = "weight decay 0", {}
for name, table in (("running", running), ("fresh", steady)):
    rises[name] = table.loc[free].diff(axis=1).max(axis=1)  # of each seed
print(pd.DataFrame(rises).T.round(2).to_string())
claim("fresh averages cut the largest rise of each seed to a quarter at most",
      (4 * rises["fresh"] < rises["running"]).all())  # fmt: skip
claim("your run's lowest loss is one of these", within_spread(min(fresh_averages),
      steady.loc[free].min(axis=1), 0.05), trained=True)  # fmt: skip

# %% [markdown]
# Two weight decays, with fresh averages; a star marks the mean's lowest point:

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8), sharey=True, layout="constrained")
for ax, decay in zip(axes, (free, "weight decay 0.1"), strict=True):
    seen, other = by_epoch("training loss").loc[decay].mean(), steady.loc[decay]
    ax.plot(fifteen, seen, "--", color=PALETTE["quiet"], label="training")
    ax.plot(fifteen, other.mean(), color=PALETTE["highlight"], label="validation")
    band = {"color": PALETTE["highlight"], "alpha": 0.2}
    ax.fill_between(fifteen, other.min(), other.max(), **band)
    ax.plot(other.mean().argmin() + 1, other.mean().min(), "k*", ms=12)
    ax.set(title=decay, xlabel="epoch", ylim=(0, 0.8))
axes[0].plot(fifteen, fresh_averages, "k:", label="validation, yours")
axes[0].set_ylabel("loss (mean over rows)")
axes[0].legend(fontsize=8)
show(fig, alt="Much smoother. The validation loss is lowest on the way; without weight "
     "decay it ends higher, while the training loss falls.")  # fmt: skip

# %% [markdown]
# Most of the spikes' height is due to the averages, not the weights. From here on we judge with
# fresh averages. Now the second question has an answer: on other cards, without weight decay, the
# loss is lowest on the way and higher at the end. The model learns its training cards by heart (it
# *overfits*). That is gap 6: we do not *want* the $\arg\min$.
#
# *Early stopping* ends a run when the validation score has not improved for some epochs, its
# *patience*, and goes back to the best (in `fit`: `patience=`; its score is the accuracy).
#
# ### Exercise 4: `should_stop` · 8 min · medium


# %% tags=["exercise"]
def should_stop(scores, patience):
    """Whether NONE of the last `patience` epochs beats the best of all before them.

    scores: list of floats (negative, too), one for each epoch so far, higher is better;
    with no epoch before them there is nothing to stop for -> True or False
    """
    ### BEGIN SOLUTION
    if not scores:
        return False
    # The first of equals: an equal score is not better.
    best = scores.index(max(scores))
    return len(scores) - 1 - best >= patience
    ### END SOLUTION


# %% tags=["check"]
should_stop = check(should_stop)

# %% [markdown]
# We replay the runs without weight decay, spikes and all, because `fit` and most scripts see them.
# A score is minus a validation loss.


# %%
def stopped_after(losses, patience):
    """How many epochs a run with this patience has."""
    scores = [-loss for loss in losses]
    ends = (n for n in range(1, len(scores) + 1) if should_stop(scores[:n], patience))
    return next(ends, len(scores))


replay = []
# Nothing is trained anew: a shorter run is the beginning of a longer one.
for patience in (1, 3, 6):
    for seed, row in running.loc[free].iterrows():
        losses = row.to_numpy()  # (15,)
        epochs = stopped_after(losses, patience)
        above_lowest = losses[:epochs].min() - losses.min()
        replay.append((patience, seed, epochs, above_lowest))
columns = ["patience", "seed", "epochs", "above lowest"]
replay = pd.DataFrame(replay, columns=columns).set_index(["patience", "seed"])
over_seeds = replay.groupby("patience").agg(["min", "mean", "max"])
print(over_seeds.round(2).to_string())

# %% [markdown]
# Patience 1 stops at the first spike, and may lose much or little.

# %%
claim("with patience 1 no run is over 8 epochs", over_seeds["epochs", "max"][1] <= 8)
above = over_seeds["above lowest", "mean"]
claim("in the mean it stays over 0.1 above a run's lowest loss, patience 3 under 0.03",
      above[1] > 0.1 and above[3] < 0.03)  # fmt: skip

# %% [markdown]
# Which weight decay, then? We choose by validation loss alone, with fresh averages:

# %%
lowest = steady.min(axis=1).unstack("seed")
print(lowest.round(2).to_string())
chosen = lowest.mean(axis=1).idxmin()
print("chosen, by the mean over seeds:", chosen)

# %% [markdown]
# A narrow choice. Now, and only now, the test: fresh cards, which may not change it. *Best* is the
# epoch of lowest validation loss.

# %%
ends = stopping[stopping["model"].isin(["best epoch", "last five epochs"])]
index = ["setting", "model", "seed"]
judged = ends.pivot(index=index, columns="measure", values="value")
mean = judged.groupby(["setting", "model"]).mean()
print(mean.round(3).to_string())
final = judged.loc[(chosen, "best epoch"), "accuracy"]
print("our choice, seed by seed:", " ".join(f"{value:.2f}" for value in final))

# %% [markdown]
# *Sure if wrong* is the mean probability of the wrong section that it names; *size* the length of
# the vector of all weights. Stopping (without weight decay), then weight decay:

# %%
best, last = "best epoch", "last five epochs"
stopped = judged.loc[free].loc[last] - judged.loc[free].loc[best]  # a row for each seed
decayed = judged.loc[free] - judged.loc["weight decay 0.1"]
saved = {"stopping": stopped["loss"], "decay, best epoch": decayed.loc[best, "loss"]}
saved["decay, last five"] = decayed.loc[last, "loss"]
print("what saves how much loss, by seed:")
print(pd.DataFrame(saved).T.round(2).to_string())

# %% [markdown]
# What we can say:

# %%
claim("stopping saves over 0.02 of the loss, in the mean over seeds",
      saved["stopping"].mean() > 0.02)  # fmt: skip
claim("it leaves each seed's model less sure where it is wrong, by over 0.03",
      stopped["sure if wrong"].min() > 0.03)  # fmt: skip
size = judged["size"]
shrunk = size["weight decay 0.1", last] / size[free, last]
claim("weight decay makes each seed's last weights smaller by over 5 %",
      shrunk.max() < 0.95)  # fmt: skip
late, early = saved["decay, last five"], saved["decay, best epoch"]
claim("it saves each seed over 0.02 of the last five epochs' loss", late.min() > 0.02)
claim("and of the best epoch's less than half as much, in the mean",
      early.mean() < late.mean() / 2)  # fmt: skip
moves = stopped["accuracy"].mean(), *decayed["accuracy"].groupby("model").mean()
claim("neither moves the mean accuracy by over 0.015", np.abs(moves).max() < 0.015)

# %% [markdown]
# In accuracy, neither won much. Stopping won *loss*: the overfitted model is right about as often,
# and surer where it is wrong. Weight decay wins most where a run goes on too long. Look at
# differences seed by seed: one that changes its sign is no finding.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At the predict* the class puts the lowest validation loss too late. *Ask:* why does the loss rise
# where the accuracy stays? *Dial:* `news_cards.make(6000, seed=0, label_noise=0.2)`.

# %% [markdown]
# ## Stop here, go on there
#
# Two epochs in one go; and two with a power cut in the second, taken up by a *new* model from the
# file that `fit` wrote after each complete epoch (a *checkpoint*).
#
# **Predict, then run.** How far will the weights of the two runs lie apart?

# %%
import itertools

from course_utils.training import TrainingInterrupted

checkpoint = Path(scratch.name) / "run.pt"
steps = itertools.count(1)


def power_cut(logits, batch):
    """The loss; at the 40th call, in the second epoch, somebody presses stop."""
    if next(steps) == 40:
        raise KeyboardInterrupt
    return F.cross_entropy(logits, batch["label"])


def run(epochs=2, model=None, **options):
    """Train a new model, or the given one, on the same batches in the same order."""
    model = model or build()
    how = {"epochs": epochs, "learning_rate": 0.01, "device": "cpu"}
    fit(model, training_batches(), **how, **options)
    return model


whole = run()
# A new model each time: all that the third call knows of the second is in the file.
try:
    run(loss=power_cut, checkpoint=checkpoint)
except TrainingInterrupted as stop:
    # Left alone it would end this cell, as the stop button does.
    print(stop.history)
resumed = run(checkpoint=checkpoint)
claim("the resumed run ends in the same weights, bit for bit",
      same_weights(whole, resumed))  # fmt: skip

# %% [markdown]
# They do not differ at all. What it takes:

# %%
print(", ".join(torch.load(checkpoint, weights_only=True)))

# %% [markdown]
# The settings, which both runs must share; the weights; those of the best epoch; what the
# *optimizer* remembers (Adam keeps two averages for each weight); the history; the order of the
# batches; the random numbers. Most scripts save the weights alone. Then:

# %%
half = build()
half.load_state_dict(run(epochs=1).state_dict())
weights_only = run(epochs=1, model=half)
claim("with the weights alone it is another run", not same_weights(whole, weights_only))

# %% [markdown]
# Is a new result then due to your change, or to the break? Bit for bit holds on one machine with
# the same number of threads.

# %% [markdown]
# ## The answer
#
# **What does the formula mean, line by line?**
#
# | gap | the formula | the code |
# | --- | --- | --- |
# | 1 | $\hat y_i$ hides $f_\theta(x_i)$ | `logits = model(batch)`, in train mode |
# | 2 | $L(y_i, \hat y_i)$ of labels has no slope | `F.cross_entropy(logits, label)`: (B, C), (B,) |
# | 3 | $\sum_i$ | `for batch in batches`: the mean of a random batch at a time |
# | 4 | nothing about other rows | validation rows for choices, test rows once |
# | 5 | nothing keeps $\theta$ small | `weight_decay`, if validation rows want it |
# | 6 | $\arg\min_\theta$ is not wanted | `zero_grad`, `backward`, `step`; keep the best epoch |

# %% [markdown]
# ## The table that grows, and the wall
#
# Our row is the model chosen above, at its best epoch.

# %%
from course_utils.tables import grow_table

# A longer one would be cut off.
name = f"concat, half-size, {chosen}, stopped"
grow_table("06", {name: final.tolist()})

# %% [markdown]
# **Predict, then run.** Best epoch and last one of your long run: do twelve trick cards tell them
# apart?

# %%
from course_utils.data import trick_cards
from course_utils.display import card_wall

tricks = trick_cards.read()
cards = Batches(to_tensors(tricks, readers))
right = {}
for name, epoch in (("best epoch", np.argmin(fresh_averages)), ("last epoch", -1)):
    named = predict(models[epoch], cards).argmax(dim=1)
    right[name] = (named == cards.tensors["label"]).tolist()
counts = ", ".join(f"{name} {sum(hits)}" for name, hits in right.items())
alt = f"The wall of twelve trick cards; right are: {counts}."
show(card_wall(tricks, right), alt=alt)

# %% [markdown]
# Of twelve cards, a difference of one or two is chance.

# %% [markdown]
# ## Recap
#
# - A loss takes logits; sigmoid and softmax are inside it.
# - Forward, loss, `zero_grad`, `backward`, `step`: all else is bookkeeping.
# - First overfit one batch. Then try learning rates ten times apart.
# - Train rows for slopes, validation rows for choices, test rows once; over several seeds.
# - To go on where you stopped, save the optimizer and the random numbers, too.
#
# **Common mistakes.** A softmax or sigmoid before the loss. (B,) against (B, 1). No `eval()`.

# %% [markdown]
# ## Quiz

# %%
quiz("06")

# %% [markdown]
# **Further reading**
#
# - Kingma and Ba, *Adam: a method for stochastic optimization*, ICLR, 2015.
# - Loshchilov and Hutter, *Decoupled weight decay regularization*, ICLR, 2019: AdamW.
# - Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, *Dropout: a simple way to prevent
#   neural networks from overfitting*, Journal of Machine Learning Research 15, 2014.
# - Ioffe and Szegedy, *Batch normalization: accelerating deep network training by reducing internal
#   covariate shift*, ICML, 2015.
# - Prechelt, *Early stopping, but when?*, in Neural Networks: Tricks of the Trade, Springer, 1998.
# - Karpathy, *A recipe for training neural networks*, blog, 2019: overfit one batch.
