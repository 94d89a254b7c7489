# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Weighted fusion
#     minutes: {read: 40, exercises: 27}
#     needs: [00_start_here, 01_convolution, 02_words_to_vectors, 03_attention, 06_training]
#     teaches: [simplex, inverse variance, correlated errors, late fusion, log-posteriors, alpha]
# ---

# %% [markdown]
# # Weighted fusion
#
# *You will be able to:* compute the weights that make a weighted average best, and say when one of
# them is negative; join two classifiers by Bayes' rule; and tell what a learnt weight does *not*
# mean.
#
# **The question.** *How much should each sense count?* Two thermometers hang on one mast. The
# errors of the cheap one are twice as large: typically 2 degrees in place of 1. Do we take the
# mean, or throw the cheap one away?

# %%
import torch

from course_utils import check, claim, hint, quiz, seed_everything, show, solution

seed_everything(0)


# %% [markdown]
# We simulate 20,000 mornings. A reading is the true temperature plus an error; only the errors
# matter here. (`rho` comes later.)


# %%
def take_errors(sigma_1, sigma_2, rho=0.0, seed=0):
    """Errors of two sensors in 20,000 moments, correlated by rho: two (20000,)."""
    rng = torch.Generator().manual_seed(seed)
    first, other = torch.randn(2, 20_000, generator=rng)
    # A share rho of the first error, and enough of another to keep the size at sigma_2.
    return sigma_1 * first, sigma_2 * (rho * first + (1 - rho**2) ** 0.5 * other)


good, cheap = take_errors(1, 2)  # degrees
both = (good + cheap) / 2  # the mean of two readings errs by the mean of their errors

# %% [markdown]
# **Predict, then run.** Is the mean of both better than the good thermometer alone?

# %%
import matplotlib.pyplot as plt

# All on one scale, so that their widths can be compared.
three = {"good": good, "cheap": cheap, "mean of both": both}
shared = {"sharex": True, "sharey": True, "layout": "constrained"}
fig, axes = plt.subplots(1, 3, figsize=(10, 2.4), **shared)
for ax, (name, error) in zip(axes, three.items(), strict=True):
    ax.hist(error, bins=60, range=(-6, 6), color="#0072B2")
    ax.set_title(f"{name}: mean square {error.square().mean():.2f}")
    ax.set_xlabel("error (degrees)")
axes[0].set_ylabel("readings")
show(fig, alt="The errors of the mean of both thermometers spread a little wider than "
     "those of the good one alone, and far less than those of the cheap "
     "one.")  # fmt: skip

# %% [markdown]
# We measure an error by its mean square. The mean of both is *worse* than the good thermometer
# alone. So is the cheap one worthless?

# %%
claim("the plain mean is worse than the good sensor alone",
      both.square().mean() > good.square().mean() + 0.1)  # fmt: skip

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* The histograms (2 min; vote: throw it away?), the
# derivation with its figure (5), correlated errors with their *predict* (4), the theorem and its
# exact table (5), the cells on what alpha is not (4). Leave the triangle and the trained table
# for home.
#
# *Live:* in the first interactive figure set sigma 1 = 1, sigma 2 = 2 and turn rho slowly from 0
# up. Ask the class to say stop when the second sensor becomes useless (0.5), then turn on.

# %% [markdown]
# ## The formula
#
# The article that this course grew out of joins $M$ *modalities* (senses) by
#
# $$ F_{fused} = \sum_{i=1}^{M} \alpha_i F_i , $$
#
# with features $F_i$ and weights $\alpha_i$. It leaves open what the $\alpha_i$ must obey and where
# they come from; and what it writes for features is done with answers as well. We take all three in
# turn.
#
# All $F_i$ need the same shape, here $(B, d)$: $B$ rows of $d$ numbers. Weights are usually taken
# from the *simplex*: none negative, sum 1. A network can learn such weights if it keeps $M$ free
# numbers $w_i$ and sends them through a *softmax*, $\alpha_i = e^{w_i} / \sum_j e^{w_j}$.
#
# ### Exercise 1: `weighted_fusion` · 5 min · easy


# %% tags=["exercise"]
def weighted_fusion(features, weights):
    """The weighted sum over modalities.

    features: list of M tensors (B, d); weights (M,), any, for a softmax -> (B, d)
    """
    ### BEGIN SOLUTION
    alpha = weights.softmax(dim=0)
    stacked = torch.stack(features)  # (M, B, d)
    return (alpha[:, None, None] * stacked).sum(dim=0)
    ### END SOLUTION


# %% tags=["check"]
weighted_fusion = check(weighted_fusion)

# %% [markdown]
# For two modalities PyTorch has a function of its own, `torch.lerp` (linear interpolation).

# %%
image, text = torch.randn(2, 4, 3)  # two modalities, (B, d) = (4, 3)
weights = torch.tensor([0.5, -1.0])
alpha = weights.softmax(dim=0)
fused = weighted_fusion([image, text], weights)
# At 0 it gives the text, at 1 the image.
torch.testing.assert_close(fused, torch.lerp(text, image, alpha[0]))
alpha

# %% [markdown]
# ## Features, logits, probabilities
#
# Three different things can stand in the place of $F_i$, and papers call all of them fusion.
# Joining each sense's own answers, the last two, is *late fusion*:
#
# | name | what it is | its weighted sum is |
# | --- | --- | --- |
# | *features* | what an encoder gives, any numbers | whatever the layer above makes of it |
# | *logits* | one score a class, any numbers | a vote; a sure classifier shouts louder |
# | *probabilities* | softmax of logits, sum 1 | a vote of one ballot each |
#
# Where both senses share one linear layer above, the first two agree, if the weights sum to 1 (so
# that the bias counts once):

# %%
head = torch.nn.Linear(3, 2)
of_logits = weighted_fusion([head(image), head(text)], weights)
torch.testing.assert_close(head(fused), of_logits)

# %% [markdown]
# A softmax is not linear, so logits and probabilities do not agree.
#
# ### Exercise 2: `average_probabilities` · 3 min · easy


# %% tags=["exercise"]
def average_probabilities(logits):
    """Late fusion: the mean of the probabilities.

    logits: list of M tensors (B, C), one for each classifier -> probabilities (B, C)
    """
    ### BEGIN SOLUTION
    return torch.stack(logits).softmax(dim=-1).mean(dim=0)
    ### END SOLUTION


# %% tags=["check"]
average_probabilities = check(average_probabilities)

# %% [markdown]
# **Predict, then run.** Three classifiers, two classes. The first is very sure of class 0, with
# logits (8, 0); the other two are fairly sure of class 1, with logits (0, 2). Which class wins if
# you average logits? And probabilities?

# %% tags=["nbval-check-output"]
logits = [torch.tensor([scores]) for scores in ([8.0, 0.0], [0.0, 2.0], [0.0, 2.0])]
of_logits, of_probabilities = sum(logits) / 3, average_probabilities(logits)
print("mean of logits picks class", of_logits.argmax().item())
print("mean of probabilities picks class", of_probabilities.argmax().item())

# %% [markdown]
# Same classifiers, two answers. Which is right depends on whether "very sure" can be trusted.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* most say "the same". Work it out on the board: logits 8/3 against 4/3;
# probabilities of class 0 are 1.00, 0.12, 0.12, mean 0.41.

# %% [markdown]
# ## Where do the weights come from?
#
# Back to the mast, where the answer is exact. Sensor $i$ reads the truth plus an error $e_i$ with
# mean 0 (it is *unbiased*) and *variance* $\sigma_i^2$, the mean of $e_i^2$ (its root $\sigma_i$ is
# the *standard deviation*). If the weights sum to 1, the truth passes through unchanged. For two,
# $\alpha_1 = \alpha$ and $\alpha_2 = 1 - \alpha$, the square of the sum's error is
# $\alpha^2 e_1^2 + (1 - \alpha)^2 e_2^2 + 2 \alpha (1 - \alpha) e_1 e_2$. If the errors are
# independent, the mean of $e_1 e_2$ is 0 and the last term falls out. What is left is the mean
# squared error $E$, a bowl. At its lowest point its slope $E'$ is 0 ($\alpha^2$ has the slope
# $2 \alpha$, and $(1 - \alpha)^2$ has $-2 (1 - \alpha)$):
#
# $$ E(\alpha) = \alpha^2 \sigma_1^2 + (1 - \alpha)^2 \sigma_2^2 , \qquad
# E'(\alpha) = 2 \alpha \sigma_1^2 - 2 (1 - \alpha) \sigma_2^2 = 0
# \;\Rightarrow\; \frac{\alpha_1}{\alpha_2} = \frac{\sigma_2^2}{\sigma_1^2} . $$
#
# With any number of sensors: $\alpha_i \propto 1 / \sigma_i^2$, the *inverse variance* ($\propto$:
# equal up to one factor, here the one that makes the weights sum to 1).
#
# ### Exercise 3: `inverse_variance_weights` · 3 min · easy


# %% tags=["exercise"]
def inverse_variance_weights(sigma):
    """Best weights for unbiased sensors with independent errors.

    sigma (M,), standard deviations -> (M,), sum 1
    """
    ### BEGIN SOLUTION
    precision = 1 / sigma**2
    return precision / precision.sum()
    ### END SOLUTION


# %% tags=["check"]
inverse_variance_weights = check(inverse_variance_weights)

# %% [markdown]
# **Predict, then run.** With $\sigma = (1, 2)$: is the weight of the good thermometer 0.5, 0.67,
# 0.8 or 1? And can the fused error fall below the good one's own, 1.00?
#
# We measure: try 401 weights on 20,000 pairs of readings.


# %%
def measured_best_weight(first, second):
    """The first sensor's weight with the least mean squared error, and that error."""
    # Beyond 0 and 1 too: nothing says yet that weights must lie between them.
    tried = torch.linspace(-0.5, 1.5, 401)
    errors = [(a * first + (1 - a) * second).square().mean() for a in tried]
    least = torch.stack(errors).min(dim=0)
    return tried[least.indices].item(), least.values.item()


theory = inverse_variance_weights(torch.tensor([1.0, 2.0]))[0].item()
# Three seeds: a single draw could agree with the theory by luck.
measured = [measured_best_weight(*take_errors(1, 2, seed=seed)) for seed in range(3)]
for weight, error in measured:
    print(f"theory {theory:.2f}, measured {weight:.2f}; mean squared error {error:.2f}")

# %%
claim("the measured minimum lies within 0.02 of theory, over three seeds",
      max(abs(weight - theory) for weight, _ in measured) < 0.02)  # fmt: skip
claim("two sensors beat the better one", max(error for _, error in measured) < 0.9)

# %% [markdown]
# So the cheap thermometer is worth keeping, at a fifth of the vote. The least error is $1 / \sum_i
# \sigma_i^{-2}$: *precisions*, the inverses of variances, add up.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* 0.67 (1 / sigma) is the usual answer, and many doubt that adding a bad sensor
# can help a good one. Exercise 4 shows when they are right.

# %% [markdown]
# All weights at once, with the two sensors alone as squares:

# %%
from course_utils.widgets.lesson04 import (
    alpha_explorer,
    describe_alpha_curve,
    draw_alpha_curve,
)

at = 0.5, 1, 2, 0.0  # alpha, sigma of both sensors, rho
show(draw_alpha_curve(*at), alt=describe_alpha_curve(*at))

# %% [markdown]
# The bowl is flat at its bottom: a weight of 0.7 or 0.9 costs little. **Now yours.** Leave `rho`
# at 0 until the next section.

# %% tags=["volatile"]
alpha_explorer()

# %% [markdown]
# With three sensors all choices of weights fill a triangle. Each corner is one sensor alone; colour
# is the mean squared error.

# %%
from course_utils.widgets.lesson04 import describe_alpha_triangle, draw_alpha_triangle

at = 1, 1, 1, 1, 2, 1.5  # three weights, which are made to sum to 1; three sigmas
show(draw_alpha_triangle(*at), alt=describe_alpha_triangle(*at))

# %% tags=["volatile"]
from course_utils.widgets.lesson04 import triangle_explorer

triangle_explorer()

# %% [markdown]
# Try to bring the star to an edge. It comes near and never arrives: independent evidence, however
# poor, always gets a positive weight.

# %% [markdown]
# ## Errors that go together
#
# Two thermometers on one mast stand in the same sun: their errors have a *correlation* $\rho$, and
# the mean of $e_1 e_2$ is $\rho \sigma_1 \sigma_2$ ($\rho = 0$: they have nothing in common; $\rho
# = 1$: one is a multiple of the other). The term that fell out stays now: $E(\alpha)$ gains $2
# \alpha (1 - \alpha) \rho \sigma_1 \sigma_2$. Its slope, $2 (1 - 2 \alpha) \rho \sigma_1 \sigma_2$,
# comes on top; the sum is 0 at
#
# $$ \alpha_1 = \frac{\sigma_2^2 - \rho \sigma_1 \sigma_2}
# {\sigma_1^2 + \sigma_2^2 - 2 \rho \sigma_1 \sigma_2} . $$
#
# **Predict, then run.** Still $\sigma = (1, 2)$, now with $\rho = 0.7$. Does the cheap sensor get
# more weight than 0.2, less, none?


# %%
def best_weight(sigma_1, sigma_2, rho):
    """The formula above, line by line."""
    shared = rho * sigma_1 * sigma_2
    return (sigma_2**2 - shared) / (sigma_1**2 + sigma_2**2 - 2 * shared)


print(f"theory: {best_weight(1, 2, 0.7):.2f}")

# %% [markdown]
# A weight above 1? Measured, as before, and drawn:

# %%
draws = [take_errors(1, 2, 0.7, seed=seed) for seed in range(3)]
measured = [measured_best_weight(*draw) for draw in draws]
for weight, error in measured:
    print(f"measured {weight:.2f} with a mean squared error of {error:.2f}")
claim("the best weight is 1.18, outside the simplex",
      max(abs(weight - 1.18) for weight, _ in measured) < 0.02)  # fmt: skip

# %%
at = 1.0, 1, 2, 0.7
show(draw_alpha_curve(*at), alt=describe_alpha_curve(*at))

# %% [markdown]
# The ring is at 1, which a softmax could come near. The star gives the cheap sensor −0.18. This
# surprised us: it is of use *because* it repeats the good one's error, magnified. Where it reads
# far above the good one, the good one is probably too high as well, so we go a little the other
# way: of 20 and 22 degrees the best guess is $1.18 \cdot 20 - 0.18 \cdot 22 = 19.6$. A softmax
# cannot say that. Now go back to the sliders and turn `rho`.
#
# ### Exercise 4: `useless_second_sensor` · 6 min · medium · *break this claim*
#
# **The claim:** "With its best weight, a second sensor always helps." Find dials that make it
# false. One sigma must be 1.25 to 3 times the other, and $|\rho| \le 0.95$. `check` computes the
# error exactly; you win if the second sensor lowers it by less than half a percent. Use the sliders
# if you like.


# %% tags=["exercise"]
def useless_second_sensor():
    """Dials for which the second sensor is of no use.

    -> {"sigma_1": ..., "sigma_2": ..., "rho": ...}
    """
    ### BEGIN SOLUTION
    # alpha_1 = 1 means sigma_1^2 = rho sigma_1 sigma_2, so rho = sigma_1 / sigma_2.
    return {"sigma_1": 1.0, "sigma_2": 2.0, "rho": 0.5}
    ### END SOLUTION


# %% tags=["check"]
useless_second_sensor = check(useless_second_sensor)

# %% [markdown]
# The gain is exactly 0 where the formula gives $\alpha_1 = 1$: at $\rho = \sigma_1 / \sigma_2$, the
# smaller over the larger. A little less correlation and the cheap sensor helps as a witness; a
# little more, and it helps as a correction.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At the predict* most say "less, perhaps none"; hardly anyone says negative. *In exercise 4* the
# usual first try is rho = 0.95; its message shows a weight below 0 and a gain, which sends people
# back to the formula. A bias would break inverse variance too: ask what then.

# %% [markdown]
# ## Labels: one theorem
#
# Nobody averages *sport* and *weather*. What can be joined are beliefs. Let $x_1$ be the picture,
# $x_2$ the headline, and $y$ the label. Suppose that *given the label* the two are independent:
# once you know that a card is about sport, its picture tells nothing more about its headline.
#
# The *prior* $p(y)$ is the share of each class. A *posterior* $p(y \mid x_i)$ is its share among
# cards that look like this one: what a good classifier outputs. The *likelihood* $p(x_i \mid y)$
# says how often cards of a class look like this one. *Bayes' rule*: $p(y \mid x_i) \propto p(y)\,
# p(x_i \mid y)$, a class is believable if it is common and often looks like this. (The card is
# fixed and $y$ varies; $\propto$ hides a factor that is the same for all classes.) So $p(x_i \mid
# y) \propto p(y \mid x_i) / p(y)$. Independent likelihoods multiply:
#
# $$ p(y \mid x_1, x_2) \propto p(y)\, p(x_1 \mid y)\, p(x_2 \mid y)
# \propto \frac{p(y \mid x_1)\; p(y \mid x_2)}{p(y)} . $$
#
# Two classes, prior ½ each, and both senses say 0.8: $0.8^2 = 0.64$ stands against $0.2^2 = 0.04$,
# so 0.94. Two witnesses who agree convince more than one. With $M$ senses the prior comes in $M$
# times and belongs there once. In logarithms, where products are sums:
#
# $$ \log p(y \mid x_1, \dots, x_M) = \sum_{i=1}^{M} \log p(y \mid x_i) - (M - 1) \log p(y)
# + \text{const} , $$
#
# where the constant makes the probabilities sum to 1.
#
# **Add log-posteriors, and take out the prior that was counted too often.** Under the assumption
# no method can do better, because this *is* the posterior. There is no $\alpha$ in it: each sense
# counts 1, not 1/2. One that knows nothing says $p(y)$, and its term cancels one prior.
#
# In code, `log_softmax` turns logits into log-probabilities by one number that it subtracts from
# each row. End with it; what was added to a whole row before cancels there.
#
# ### Exercise 5: `add_log_posteriors` · 10 min · medium


# %% tags=["exercise"]
def add_log_posteriors(logits, prior):
    """Join M classifiers by Bayes' rule, for modalities independent given the label;
    the log-posteriors are normalised.

    logits: list of M tensors (B, C); prior (C,), sum 1 -> log-posteriors (B, C)
    """
    ### BEGIN SOLUTION
    added = sum(scores.log_softmax(dim=1) for scores in logits)
    added = added - (len(logits) - 1) * prior.log()
    return added.log_softmax(dim=1)
    ### END SOLUTION


# %% tags=["check"]
add_log_posteriors = check(add_log_posteriors)

# %% [markdown]
# We can test the theorem without training anything. We wrote the process that makes news cards, so
# we know all that a perfect reader of pictures or of headlines could believe. A *fitting* card's
# picture and headline are made separately for its section: independent, given the label.


# %%
import numpy as np

from course_utils.data import news_cards


def perfect_readers(**dials):
    """For all n things that a card can show, three tensors (n, 5), a column a section.

    The chance that a card shows this and is of that section; the log-posterior of
    somebody who sees the picture alone; of somebody who reads the headline alone.
    """
    tables = news_cards.best_guesses("section", news_cards.Dials(**dials))
    # All that both can tell, without what cannot happen under these dials.
    pairs = [pair for pair, chances in tables["both"].items() if chances.sum() > 0]
    # They hold p(y, x). A softmax of logarithms is p(y, x) / sum over y = p(y | x).
    joint = torch.tensor(np.array([tables["both"][pair] for pair in pairs]))
    image = torch.tensor(np.array([tables["image"][picture] for picture, _ in pairs]))
    text = torch.tensor(np.array([tables["text"][headline] for _, headline in pairs]))
    return joint, image.log().log_softmax(dim=1), text.log().log_softmax(dim=1)


# %% [markdown]
# Two scores. *Accuracy* counts right answers. *Cross-entropy*, the mean of $-\log p(\text{true
# label})$, also asks how sure a reader was of the truth; less is better. Its unit is the *nat*.


# %%
def expected_scores(joint, log_posterior):
    """Accuracy and cross-entropy (nats) that these beliefs have in the long run."""
    accuracy = joint.gather(1, log_posterior.argmax(dim=1, keepdim=True)).sum()
    # What never happens surprises nobody: 0 times minus infinity would be nan.
    surprise = -torch.where(joint > 0, joint * log_posterior, 0).sum()
    return {"accuracy": accuracy.item(), "cross-entropy": surprise.item()}


# %% [markdown]
# **Predict, then run.** A world with 60 % sport, more cards without motif, more distracting words.
# Put in order: picture alone, mean of probabilities, logs added with the prior counted twice, logs
# added less the prior.

# %%
import pandas as pd

dials = {"class_balance": (12, 2, 2, 2, 2), "without_motif": 0.4, "text_noise": 0.3}
joint, image, text = perfect_readers(**dials)
prior = joint.sum(dim=0)  # (5,)
# All of them as logarithms, one row for each thing that a card can show.
beliefs = {
    "majority": prior.log().expand_as(image),
    "picture alone": image,
    "headline alone": text,
    "mean of probabilities": average_probabilities([image, text]).log(),
    "logs added, prior twice": (image + text).log_softmax(dim=1),
    "logs added, less prior": add_log_posteriors([image, text], prior),
    "ceiling": joint.log().log_softmax(dim=1),
}
found = {name: expected_scores(joint, belief) for name, belief in beliefs.items()}
exact = pd.DataFrame(found).T
exact.round(3)

# %% [markdown]
# What the other rules cost:

# %%
best = exact.loc["ceiling"]
claim("adding logs less the prior is the ceiling, to nine decimals",
      (exact.loc["logs added, less prior"] - best).abs().max() < 1e-9)  # fmt: skip
cost = best["accuracy"] - exact["accuracy"]
claim("counting the prior twice: over 0.03", cost["logs added, prior twice"] > 0.03)
claim("averaging probabilities: over 0.05", cost["mean of probabilities"] > 0.05)

# %% [markdown]
# Averaging hardly beats the picture alone. Here is one of its worst cards:

# %%
named = beliefs["mean of probabilities"].argmax(dim=1, keepdim=True)
lost = joint.amax(dim=1) - joint.gather(1, named)[:, 0]  # in accuracy, for all n
worst = lost.argmax()
on_it = {name: belief[worst].exp() for name, belief in beliefs.items()}
pd.DataFrame(on_it, index=news_cards.SECTIONS).T.round(2)

# %% [markdown]
# The picture knows nothing, says 60 % sport as the prior does, and keeps half of the vote. So
# averaging names sport, against a headline that knows better. In cross-entropy other cards cost
# too: a mean of two beliefs is never surer than the surer one.

# %%
# Without a motif the picture says the prior.
silent = torch.isclose(image.exp(), prior).all(dim=1)
claim("what averaging loses, it loses where the picture says the prior",
      lost[~silent].sum() < 1e-9)  # fmt: skip

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* nearly everyone puts averaging close to the ceiling. With balanced sections and
# default dials it is (accuracy ties, cross-entropy does not): run the cell with `dials = {}`.
# *Ask:* for which task on these cards is the assumption false? For `match`: given "does not fit",
# the two sections are never the same. Lesson 05.

# %% [markdown]
# ## With trained models
#
# A CNN (01) reads pictures and a transformer (03) headlines; each learnt `section` alone and is
# *frozen*: its weights stay. All fusions share their features.

# %%
from course_utils import frozen
from course_utils.data.batches import Batches, to_tensors
from course_utils.experiment import cache_features

world = frozen.load(0)
tensors = {}
# The training rows are those that the encoders learnt from.
for split, rows in world.rows().items():
    tensors[split] = to_tensors(rows, world.readers)
cached = cache_features(world.encoders, tensors)

# %% [markdown]
# A *head* is a fusion with one linear layer above it. The two encoders give numbers of different
# size. So we divide each sense's features by one number, its *unit*: their standard deviation on
# the training rows.

# %%
from course_utils.experiment import on_cached_features
from course_utils.training import fit, predict


def in_units(cached, unit):
    """Features of every split, each sense divided by its unit."""
    divided = {}
    for split, part in cached.items():
        divided[split] = part | {name: part[name] / unit[name] for name in unit}
    return divided


def train_head(make_fusion, features):
    """Train a fusion and a linear layer above it on frozen features -> the model."""
    torch.manual_seed(0)
    model = on_cached_features(make_fusion(), features, classes=5)
    batches = Batches(features["train"], batch_size=128, shuffle=True)
    # Without validation rows the last epoch is kept: no choice to favour a fusion.
    fit(model, batches, epochs=20, learning_rate=5e-3)
    return model


# %% [markdown]
# The theorem asks for *calibrated* posteriors: of cards about which a model says 80 %, 80 % should
# be right. Networks are often too sure. *Temperature scaling* (Guo et al., 2017; lesson 13) divides
# all logits by one number $T$, chosen on the validation rows; $T > 1$ makes a model less sure.

# %%
from torch.nn.functional import cross_entropy, layer_norm


def temperature(model, features):
    """The T, from a grid, that gives the validation rows the least cross-entropy."""
    # Not on the training rows: a model is right more often there than anywhere else.
    rows = features["validation"]
    logits, label = predict(model, [rows]), rows["label"]
    tried = torch.linspace(0.3, 5, 95).tolist()
    return min(tried, key=lambda T: cross_entropy(logits / T, label))


def late_fusions(logits, prior):
    """Join both senses' logits by the two rules -> {rule: log-probabilities (n, 5)}."""
    alone = [logits["image alone"], logits["text alone"]]
    return {
        "mean of probabilities": average_probabilities(alone).log(),
        "log-posteriors added": add_log_posteriors(alone, prior),
    }


# %% [markdown]
# Now those that learn. The package's `WeightedFusion` projects each sense by a linear layer of its
# own and then takes the weighted sum, $\alpha$ by softmax; we also hold $\alpha$ at one half each.
# *Concat* puts features side by side.

# %%
from course_utils.fusion import ConcatFusion, WeightedFusion

dims = {"image": 64, "text": 64}


def half_each():
    """Weighted fusion that keeps the weights it starts with, one half each."""
    fusion = WeightedFusion(dims)
    fusion.weights.requires_grad_(False)
    return fusion


fusions = {
    "image alone": lambda: ConcatFusion({"image": 64}),
    "text alone": lambda: ConcatFusion({"text": 64}),
    "weighted, 0.5 and 0.5": half_each,
    "weighted, learnt": lambda: WeightedFusion(dims),
    "concat": lambda: ConcatFusion(dims),
}

# %% [markdown]
# **Predict, then run.** Do learnt weights beat one half each? And does the theorem, which learns
# nothing across the senses, keep up with either?

# %%
from course_utils.measures import accuracy

# One number a sense; a unit for each feature would already be a normalisation.
unit = {name: cached["train"][name].std().item() for name in dims}
features = in_units(cached, unit)
models = {name: train_head(make, features) for name, make in fusions.items()}
T = {name: temperature(model, features) for name, model in models.items()}
raw = {name: predict(model, [features["test"]]) for name, model in models.items()}
calm = {name: logits / T[name] for name, logits in raw.items()}

# The prior is of the training rows: test labels serve for the score alone.
train_label, label = features["train"]["label"], features["test"]["label"]
nats = {}
for kind, logits in {"raw": raw, "calibrated": calm}.items():
    logits |= late_fusions(logits, train_label.bincount() / len(train_label))
    nats[kind] = {name: cross_entropy(logits[name], label).item() for name in logits}
here = {name: accuracy(values, label) for name, values in calm.items()}

# %% [markdown]
# Measured once for five seeds of encoders and cards, each tested on 5,000 fresh cards
# (`make results LESSON=04`), a row a seed:

# %%
from course_utils.data.results import read_results, scores, within_spread

units = read_results("04", "units").pivot_table("value", "seed", ["measure", "model"])
print(units.round(2).to_string())
claim("the units differ by a factor of over 1.5, in every seed",
      (units["unit", "image"] / units["unit", "text"]).min() > 1.5)  # fmt: skip
claim("both senses are too sure in every seed: T is over 1.2",
      units["temperature"].min().min() > 1.2)  # fmt: skip

# %% [markdown]
# The fair table; *here* is yours. Its last rows are what perfect readers would reach; its last
# columns are cross-entropies in nats, of raw logits and of logits divided by $T$.

# %%
from course_utils.tables import fair_table

section = read_results("04", "section")
known = scores(section)
table = fair_table(known, ceiling=news_cards.ceiling("section"))[["mean", "spread"]]
table["here"] = pd.Series(here)
surprise = section[section["measure"] == "cross-entropy"]
surprise = surprise.pivot_table("value", "model", "setting")
table = table.join(surprise[["raw", "calibrated"]])
joint, image, text = perfect_readers()
best = expected_scores(joint, joint.log().log_softmax(dim=1))
table.loc["ceiling, both", "calibrated"] = best["cross-entropy"]
print(table.round(2).to_string(na_rep=""))

# %% [markdown]
# What we lean on:

# %%
late = ["mean of probabilities", "log-posteriors added"]
fused = ["weighted, 0.5 and 0.5", "weighted, learnt", "concat", *late]
mean, added = table["mean"], table.loc[late[1], "mean"]
better = max(mean["image alone"], mean["text alone"])
claim("each fusion beats the better sense by over 0.04",
      mean[fused].min() > better + 0.04)  # fmt: skip
claim("log-posteriors added are within 0.05 of the ceiling",
      added > mean["ceiling, both"] - 0.05)  # fmt: skip
claim("all five fusions lie within 0.02", np.ptp(mean[fused]) < 0.02)
halves = mean["weighted, 0.5 and 0.5"]
claim("learnt weights and one half each differ by less than 0.02",
      abs(mean["weighted, learnt"] - halves) < 0.02)  # fmt: skip
claim("what you trained lies within the file's spread, give or take 0.03",
      all(within_spread(here[name], known[name], 0.03) for name in here),
      trained=True)  # fmt: skip

# %% [markdown]
# In accuracy the five fusions lie within two points of each other, averaging among them. Why does
# it not lose here? Sections are balanced: a picture that knows nothing has a flat belief, and half
# a flat belief does not change which class is first. Perfect readers of this world:

# %%
averaged = expected_scores(joint, average_probabilities([image, text]).log())
print({name: round(value, 2) for name, value in averaged.items()})
claim("here even averaging reaches the ceiling in accuracy",
      abs(averaged["accuracy"] - best["accuracy"]) < 1e-9)  # fmt: skip
claim("and pays over 0.15 nats for it",
      averaged["cross-entropy"] > best["cross-entropy"] + 0.15)  # fmt: skip
of_mean, of_sum = table.loc[late[0]], table.loc[late[1]]
paid = of_mean - of_sum
claim("trained models pay too, calibrated or not: over 0.07 nats",
      min(paid["raw"], paid["calibrated"]) > 0.07)  # fmt: skip
claim("calibration makes the sum better, by over 0.02",
      of_sum["calibrated"] < of_sum["raw"] - 0.02)  # fmt: skip
claim("and the mean worse, by over 0.01",
      of_mean["calibrated"] > of_mean["raw"] + 0.01)  # fmt: skip
(mean_raw, sum_raw), (mean_calm, sum_calm) = pd.DataFrame(nats).loc[late].T.to_numpy()
claim("yours stand in the same order, each step over 0.005",
      np.diff([sum_calm, sum_raw, mean_raw, mean_calm]).min() > 0.005,
      trained=True)  # fmt: skip

# %% [markdown]
# Averaging is right about as often and far less sure of it. Calibration makes both senses less
# sure, and so their mean: worse still. The theorem, with nothing learnt across the senses, keeps up
# with every fusion that learns. But these cards were made for it: independent given the label (and
# balanced, so the prior was not put to the test). Where you believe in that independence, try it
# first.

# %% [markdown]
# ## What alpha is not
#
# It is tempting to read a learnt $\alpha$ as "the picture matters this much". Take the model with
# learnt weights, and build a twin: any $\alpha$ we like, projections scaled to make up for it.

# %%
import copy

model = models["weighted, learnt"]
twin = copy.deepcopy(model)
with torch.no_grad():
    # The softmax of log p is p again, because these p sum to 1.
    twin.fusion.weights.copy_(torch.tensor([0.05, 0.95]).log())
    for name, old, new in zip(dims, model.fusion.alpha, twin.fusion.alpha, strict=True):
        # The head sees alpha times projection: what one loses, the other gains.
        for parameter in twin.fusion.project[name].parameters():
            parameter *= old / new
    same, ours = twin(features["test"]), model(features["test"])
    torch.testing.assert_close(same, ours, rtol=1e-3, atol=1e-3)
print("alpha of the model:", [round(a, 2) for a in model.fusion.alpha.tolist()])
print("alpha of its twin: ", [round(a, 2) for a in twin.fusion.alpha.tolist()])

# %% [markdown]
# Same logits on every card, so the data cannot prefer one $\alpha$ to the other. (It is also why
# one half each did as well.) What decides, then?
#
# **Predict, then run.** We multiply the image features by 0.1 or by 10 and train the fusion anew.
# What happens to $\alpha$ of the picture? To accuracy? And if a *LayerNorm* (03: each row to mean 0
# and standard deviation 1) stands in front?


# %%
class NormedFusion(WeightedFusion):
    """Weighted fusion of features that pass through a LayerNorm first."""

    def forward(self, features, present=None):
        normed = {name: layer_norm(features[name], (64,)) for name in self.names}
        return super().forward(normed, present)


kinds = {
    "raw": lambda: WeightedFusion(dims),
    "LayerNorm": lambda: NormedFusion(dims),
}

# %% [markdown]
# Three factors, your features:

# %%
import itertools

alphas = {}
for factor, kind in itertools.product((0.1, 1, 10), kinds):
    # Dividing by 1 / factor multiplies; the text stays as it was.
    scaled = in_units(features, {"image": 1 / factor, "text": 1})
    model = train_head(kinds[kind], scaled)
    alphas[kind, factor] = model.fusion.alpha[0].item()

rescaled = read_results("04", "rescaled")
rescaled["factor"] = rescaled["setting"].astype(float)
by_seed = rescaled.pivot_table("value", "seed", ["measure", "model", "factor"])

# %% [markdown]
# Pale marks are the file's seeds, lines their mean.

# %%
from course_utils.display import PALETTE

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
styles = {"raw": ("o-", PALETTE["image"]), "LayerNorm": ("s--", PALETTE["text"])}
for ax, measure in zip(axes, ("alpha", "accuracy"), strict=True):
    for kind, (style, colour) in styles.items():
        # Two kinds of mark and of line, for those who cannot tell the colours apart.
        each = by_seed[measure, kind]
        aside = 1.12 if kind == "raw" else 1 / 1.12  # so that no mark hides another
        at = each.columns * aside
        ax.plot(at, each.T, style[0], color=colour, alpha=0.3)
        ax.plot(at, each.mean(), style, color=colour, label=kind)
    ax.set(xscale="log", xlabel="image features multiplied by")
    ax.set_xticks([0.1, 1, 10], labels=["0.1", "1", "10"])
    ax.minorticks_off()
fig.get_layout_engine().set(wspace=0.08)
axes[0].set(ylabel="alpha of the picture", ylim=(0, 1))
axes[1].set(ylabel="test accuracy", ylim=(0.8, 1), yticks=(0.8, 0.9, 1))
axes[0].legend(title="features", loc="lower left")
show(fig, alt="With raw features, alpha of the picture is lower where its features are "
     "multiplied by 10; with LayerNorm it stays. Accuracy hardly moves in both "
     "cases.")  # fmt: skip

# %% [markdown]
# In numbers:

# %%
raw, normed = by_seed["alpha", "raw"], by_seed["alpha", "LayerNorm"]
claim("ten times the raw features lower alpha by over 0.1, in every seed",
      (raw[1] - raw[10]).min() > 0.1)  # fmt: skip
claim("with LayerNorm alpha moves by less than 0.01",
      np.ptp(normed, axis=1).max() < 0.01)  # fmt: skip
raw, normed = by_seed["accuracy", "raw"], by_seed["accuracy", "LayerNorm"]
claim("accuracy moves by less than 0.02 in the mean", np.ptp(raw.mean()) < 0.02)
cost = raw[1] - normed[1]
print("LayerNorm costs, seed by seed:", cost.round(3).tolist())
claim("LayerNorm costs over 0.01 in every seed", cost.min() > 0.01)
claim("your alphas lie within the file's spread, give or take 0.03",
      all(within_spread(alpha, by_seed["alpha", kind][factor], 0.03)
          for (kind, factor), alpha in alphas.items()), trained=True)  # fmt: skip

# %% [markdown]
# Features ten times as large got a smaller weight. Why? Two things did not grow with them: the
# first weights of the picture's projection, and AdamW's steps from there, each of about the
# learning rate. So the picture's part of the sum started ten times as large, and each step moved
# it ten times as far. We divide both by ten:


# %%
def train_undone(features, factor):
    """Learnt weights; the picture's projection starts and steps at 1 / factor."""
    torch.manual_seed(0)
    model = on_cached_features(WeightedFusion(dims), features, classes=5)
    projection = model.fusion.project["image"].weight
    with torch.no_grad():
        projection /= factor
    rest = [p for p in model.parameters() if p is not projection]
    groups = [{"params": rest}, {"params": [projection], "lr": 5e-3 / factor}]
    optimizer = torch.optim.AdamW(groups, lr=5e-3, weight_decay=0)
    batches = Batches(features["train"], batch_size=128, shuffle=True)
    fit(model, batches, epochs=20, optimizer=optimizer)
    return model


tenfold = in_units(features, {"image": 0.1, "text": 1})
undone = train_undone(tenfold, 10).fusion.alpha[0].item()
print(f"yours: {alphas['raw', 1]:.2f}; tenfold and undone: {undone:.2f}")
claim("start and steps divided too, alpha is back",
      abs(undone - alphas["raw", 1]) < 0.02, trained=True)  # fmt: skip
of_file = by_seed["alpha"][["raw", "undone"]]
print(of_file.round(2).to_string())
claim("in every seed of the file",
      (of_file["undone", 10] - of_file["raw", 1]).abs().max() < 0.02)  # fmt: skip

# %% [markdown]
# So this $\alpha$ tells of units, start and steps. LayerNorm divides the factor out, so $\alpha$
# stays, at the price of a point or two of accuracy here; but the projections behind it still make
# it mean nothing, as the twin showed. If you want to know how much a sense matters, take it away
# and measure (lesson 09).

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* many expect accuracy to suffer. *Ask* where such an alpha is reported as
# importance in papers that the class reads. *Dial:* `learning_rate=5e-4` in `train_head`: alpha
# hardly leaves 0.5, and readers of alphas would conclude that the senses matter alike.

# %% [markdown]
# **So, how much should each sense count?** If the senses measure one quantity with independent
# errors: in proportion to the inverse of their error's variance. If the errors go together: by the
# formula, which may say less than nothing. If they speak about a label and are independent given
# it: each log-posterior in full, and the prior once. And inside a network, a learnt $\alpha$ is no
# answer to this question.

# %% [markdown]
# ## The table that grows, and the wall

# %%
from course_utils.tables import grow_table

ours = ("text alone", "weighted, learnt", "log-posteriors added")
grow_table("04", {name: known[name] for name in ours})

# %% [markdown]
# **Predict, then run.** Of the twelve trick cards, how many more does the weighted model get right
# than the better sense alone?

# %%
from course_utils.data import trick_cards
from course_utils.display import card_wall

tricks = trick_cards.read()
wall = cache_features(world.encoders, {"wall": to_tensors(tricks, world.readers)})
cards = in_units(wall, unit)["wall"]
readers = {"picture": "image alone", "headline": "text alone"}
readers["both"] = "weighted, learnt"
right = {}
for who, row in readers.items():
    named = predict(models[row], [cards]).argmax(dim=1)
    right[who] = (named == cards["label"]).tolist()
counts = ", ".join(f"{who} {sum(hits)}" for who, hits in right.items())
alt = f"The wall of twelve trick cards; right are: {counts}."
show(card_wall(tricks, right), alt=alt)

# %% [markdown]
# These cards were made to be hard. Look for one where one sense is right and the fused model wrong.
# If both senses are *sure*, of different sections, a weight that is the same for all cards cannot
# know which to believe. Lesson 10 gives each card weights of its own.

# %% [markdown]
# ## Recap
#
# - A weighted sum means something else for features, logits and probabilities.
# - Unbiased, independent errors: $\alpha_i \propto 1/\sigma_i^2$, and precisions add up.
# - Correlated errors: the best weight can be negative, which a softmax cannot say.
# - Labels, independent senses given the label: add log-posteriors, less $M - 1$ log-priors.
# - A learnt $\alpha$ in front of learnt projections is no measure of importance.
#
# **Common mistakes.** Weighting by $1/\sigma$ in place of $1/\sigma^2$. Averaging beliefs, so that
# a sense that knows nothing keeps its share of the vote. Counting the prior once for each sense.

# %% [markdown]
# ## Quiz
#
# Settle on one option before you open it.

# %%
quiz("04")

# %% [markdown]
# **Further reading**
#
# - Aitken, *On least squares and linear combination of observations*, Proceedings of the Royal
#   Society of Edinburgh, 1935: best weights for errors with any covariance.
# - Graybill and Deal, *Combining unbiased estimators*, Biometrics 15, 1959: inverse variance when
#   the variances are themselves estimated.
# - Bates and Granger, *The combination of forecasts*, Operational Research Quarterly 20(4), 1969:
#   correlated errors.
# - Kittler, Hatef, Duin and Matas, *On combining classifiers*, IEEE Transactions on Pattern
#   Analysis and Machine Intelligence 20(3), 1998: sum and product rule, and why the sum can win
#   when posteriors are estimated badly.
# - Ernst and Banks, *Humans integrate visual and haptic information in a statistically optimal
#   fashion*, Nature 415, 2002: you weigh eye and hand by inverse variance yourself.
# - Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks*, ICML, 2017.
