# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Weighted fusion
#     minutes: {read: 45, exercises: 27, deeper: 12, build: 30}
#     needs: [00_start_here, 01_convolution, 02_words_to_vectors, 03_attention, 06_training]
#     teaches: [simplex, inverse variance, correlated errors, late fusion, log-posteriors, alpha]
# ---

# %% [markdown]
# # Weighted fusion
#
# *You will be able to:* compute the weights that make a weighted average best; join two classifiers
# by Bayes' rule; write a fusion as a module of your own; and tell what a learnt weight does *not*
# mean.
#
# **The question.** *How much should each sense count?* Two thermometers hang on one mast. The
# errors of the cheap one are twice as large, typically 2 degrees in place of 1. Do we take the
# mean, or throw the cheap one away?

# %%
import torch

from course_utils import check, claim, guess, hint, quiz, settle, show, solution

# %% [markdown]
# A reading is the true temperature plus an error; we simulate the errors. (`rho` comes later.)


# %%
def take_errors(sigma_1, sigma_2, rho=0.0, seed=0):
    """Errors of two sensors in 20,000 moments, correlated by rho: two (20000,)."""
    rng = torch.Generator().manual_seed(seed)
    first, other = torch.randn(2, 20_000, generator=rng)
    # A share rho of the first error, and enough of another to keep the size at sigma_2.
    return sigma_1 * first, sigma_2 * (rho * first + (1 - rho**2) ** 0.5 * other)


good, cheap = take_errors(1, 2)  # degrees

# %% [markdown]
# The errors are independent: one says nothing about the other. Square each error and take the
# mean: 1 for the good one, 4 for the cheap one. The mean of two readings is off by the mean of
# their errors. What is *its* mean square? Type a number for the dots.

# %% tags=["guess"]
guess("mean square of both averaged", ...)

# %% [markdown]
# All on one scale:

# %%
from course_utils.widgets import lesson04 as widgets

errors = {"good": good, "cheap": cheap, "mean of both": (good + cheap) / 2}
show(widgets.draw_errors(errors), alt=widgets.describe_errors(errors))
settle("mean square of both averaged", errors["mean of both"].square().mean())

# %%
claim("the plain mean is worse than the good sensor alone",
      errors["mean of both"].square().mean() > good.square().mean() + 0.1)  # fmt: skip

# %% [markdown]
# The mean loses to the good thermometer alone. Is the cheap one worthless?

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* The histograms (2 min; vote: throw it away?), the
# measured best weight and why (5), correlated errors with their *guess* (4), one card's numbers and
# the theorem (6), alpha's twin (3). Leave the build and the trained table for home.
#
# *At this guess* many type 2.5, the mean of 1 and 4: the halves are squared too, so it is 5 / 4.
# *Live:* in the interactive figure set sigma 1 = 1, sigma 2 = 2 and turn rho slowly from 0 up. Ask
# the class to say stop when the second sensor becomes useless (0.5), then turn on.

# %% [markdown]
# ## The formula
#
# The article that this course takes apart (lesson 00) joins $M$ *modalities* (senses) by
#
# $$ F_{fused} = \sum_{i=1}^{M} \alpha_i F_i , $$
#
# with features $F_i$. What the weights $\alpha_i$ must obey, and where they come from, it leaves
# open. All $F_i$ need one shape, here $(B, d)$: $B$ rows of $d$ numbers. Weights are usually taken
# from the *simplex*: none negative, sum 1. A network can learn them: it keeps $M$ free numbers
# $w_i$ and takes their *softmax*, $\alpha_i = e^{w_i} / \sum_j e^{w_j}$.
#
# $M$ numbers `v` meet the first axis of an $(M, B, d)$ tensor as `v[:, None, None]`, which is
# $(M, 1, 1)$.
#
# ### Exercise 1: `weighted_fusion` · 5 min · easy


# %% tags=["exercise"]
def weighted_fusion(features, weights):
    """The weighted sum over modalities, for any number M of them.

    features: list of M tensors (B, d); weights (M,), any numbers, for a softmax
    -> (B, d)
    """
    ### BEGIN SOLUTION
    # None negative, and together 1.
    alpha = weights.softmax(dim=0)
    stacked = torch.stack(features)  # (M, B, d)
    return (alpha[:, None, None] * stacked).sum(dim=0)
    ### END SOLUTION


# %% tags=["check"]
weighted_fusion = check(weighted_fusion)

# %% [markdown]
# ## Where do the weights come from?
#
# Back to the mast. The good thermometer gets the weight $\alpha$, the cheap one $1 - \alpha$. At
# which $\alpha$ is the mean square least?

# %% tags=["guess"]
guess("best weight of the good one", ...)

# %% [markdown]
# We try 401 weights:


# %%
def measured_best_weight(first, second):
    """The first sensor's weight with the least mean squared error, and that error."""
    # Nothing says yet that weights must lie between 0 and 1.
    tried = torch.linspace(-0.5, 1.5, 401)
    errors = [(a * first + (1 - a) * second).square().mean() for a in tried]
    least = torch.stack(errors).min(dim=0)
    return tried[least.indices].item(), least.values.item()


# Three seeds: one draw could mislead.
found = [measured_best_weight(*take_errors(1, 2, seed=seed)) for seed in range(3)]
for weight, error in found:
    print(f"weight {weight:.2f}, mean squared error {error:.2f}")
settle("best weight of the good one", found[0][0], near=0.05)

# %% [markdown]
# The error is *below* the good one's own 1.00: the cheap one is worth keeping. Why this weight?
# Sensor $i$ has the error $e_i$, with mean 0 (it is *unbiased*) and *variance* $\sigma_i^2$, the
# mean of $e_i^2$ (lesson 00). Independent errors have 0 as the mean of $e_1 e_2$, so the mixture's
# mean square is a bowl over $\alpha$:
#
# $$ E(\alpha) = \alpha^2 \sigma_1^2 + (1 - \alpha)^2 \sigma_2^2 . $$
#
# At $\alpha = 1/2$ it is $(1 + 4)/4 = 1.25$, as we saw. At its bottom its slope is 0:
#
# $$ 2 \alpha \sigma_1^2 - 2 (1 - \alpha) \sigma_2^2 = 0
# \;\Rightarrow\; \frac{\alpha}{1 - \alpha} = \frac{\sigma_2^2}{\sigma_1^2} . $$
#
# Among more sensors the same calculation holds for every two of them. So $\alpha_i \propto 1 /
# \sigma_i^2$, the *inverse variance* ($\propto$: up to the factor that makes them sum to 1).
#
# ### Exercise 2: `inverse_variance_weights` · 3 min · easy


# %% tags=["exercise"]
def inverse_variance_weights(sigma):
    """Best weights for unbiased sensors with independent errors.

    sigma (M,), standard deviations, all positive -> (M,), sum 1
    """
    ### BEGIN SOLUTION
    precision = 1 / sigma**2
    return precision / precision.sum()
    ### END SOLUTION


# %% tags=["check"]
inverse_variance_weights = check(inverse_variance_weights)

# %% [markdown]
# Theory against measurement:

# %%
theory = inverse_variance_weights(torch.tensor([1.0, 2.0]))[0].item()
claim("the measured weight lies within 0.02 of theory, over three seeds",
      max(abs(weight - theory) for weight, _ in found) < 0.02)  # fmt: skip

# %% [markdown]
# All weights at once. Near the bottom, 0.7 or 0.9 costs little.

# %%
at = 0.5, 1, 2, 0.0  # alpha, sigma of both sensors, rho
show(widgets.draw_alpha_curve(*at), alt=widgets.describe_alpha_curve(*at))

# %% [markdown]
# **Now yours.** Leave `rho` at 0. How large must sigma 2 be before it gets less than 0.05?

# %% tags=["volatile"]
widgets.alpha_explorer()

# %% [markdown]
# <details><summary>How large?</summary>
#
# At sigma 1 = 1: $\sqrt{19} = 4.36$, since $1 / (1 + 19) = 0.05$.
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this guess* 0.67 (1 / sigma) and 1 are the usual answers, and many doubt that adding a bad
# sensor can help a good one. Exercise 3 shows when they are right.

# %% [markdown]
# ## Deeper: three sensors
#
# With three sensors all choices of weights fill a triangle. Each corner is one sensor alone; colour
# is the mean squared error, at best $1 / \sum_i \sigma_i^{-2}$: *precisions*, the inverses of
# variances, add up.

# %%
# The weights are made to sum to 1.
three_weights, three_sigmas = (1, 1, 1), (1, 2, 1.5)
at = *three_weights, *three_sigmas
show(widgets.draw_alpha_triangle(*at), alt=widgets.describe_alpha_triangle(*at))

# %% [markdown]
# Try to bring the star to an edge. It comes near and never arrives: independent evidence, however
# poor, always gets a positive weight.

# %% tags=["volatile"]
widgets.triangle_explorer(three_weights, three_sigmas)

# %% [markdown]
# ## Errors that go together
#
# Two thermometers on one mast stand in the same sun. Their errors have a *correlation* $\rho$: 0,
# nothing in common; 1, one is a multiple of the other. Still $\sigma = (1, 2)$, now $\rho = 0.7$.
# Which weight should the *cheap* one get? It was 0.20.

# %% tags=["guess"]
guess("weight of the cheap one, errors together", ...)

# %% [markdown]
# The same search:

# %%
draws = [take_errors(1, 2, 0.7, seed=seed) for seed in range(3)]
found_together = [measured_best_weight(*draw) for draw in draws]
for weight, error in found_together:
    print(f"good {weight:.2f}, cheap {1 - weight:.2f}; mean squared error {error:.2f}")
settle("weight of the cheap one, errors together", 1 - found_together[0][0], near=0.05)

# %% [markdown]
# Below 0, outside the simplex. This surprised us: the cheap one helps *because* it repeats the good
# one's error, magnified. Where it reads far above the good one, the good one is probably too high
# as well, so we go a little the other way. The good one reads 20, the cheap one 22: the best guess
# is $1.18 \cdot 20 - 0.18 \cdot 22 = 19.6$. A softmax cannot say that.
#
# The mean of $e_1 e_2$ is $\rho \sigma_1 \sigma_2$ now. So $E(\alpha)$ gains the term $2 \alpha
# (1 - \alpha) \rho \sigma_1 \sigma_2$, and its bottom moves to
#
# $$ \alpha = \frac{\sigma_2^2 - \rho \sigma_1 \sigma_2}
# {\sigma_1^2 + \sigma_2^2 - 2 \rho \sigma_1 \sigma_2} . $$


# %%
def best_weight(sigma_1, sigma_2, rho):
    """The formula above, line by line."""
    shared = rho * sigma_1 * sigma_2
    return (sigma_2**2 - shared) / (sigma_1**2 + sigma_2**2 - 2 * shared)


by_formula = best_weight(1, 2, 0.7)
claim("the formula says what was measured, within 0.02",
      max(abs(weight - by_formula) for weight, _ in found_together) < 0.02)  # fmt: skip
claim("the cheap one's best weight is below -0.1", 1 - by_formula < -0.1)

# %% [markdown]
# ### Exercise 3: `useless_second_sensor` · 6 min · medium · *break this claim*
#
# **The claim:** "With its best weight, a second sensor always helps." Find dials that make it
# false: one sigma 1.25 to 3 times the other, $|\rho| \le 0.95$. You win if the mean squared error
# is less than half a percent below the better sensor's. Go back to the sliders and turn `rho`.


# %% tags=["exercise"]
def useless_second_sensor():
    """Dials for which the second sensor hardly helps.

    -> {"sigma_1": ..., "sigma_2": ..., "rho": ...}
    """
    ### BEGIN SOLUTION
    # alpha = 1 means sigma_1^2 = rho sigma_1 sigma_2, so rho = sigma_1 / sigma_2.
    return {"sigma_1": 1.0, "sigma_2": 2.0, "rho": 0.5}
    ### END SOLUTION


# %% tags=["check"]
useless_second_sensor = check(useless_second_sensor)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At the guess* most type 0 to 0.15; hardly anyone goes below 0. *In exercise 3* the usual first
# try is rho = 0.95; its message shows a weight below 0 and a gain, which sends people back to the
# formula. The gain is exactly 0 at rho = sigma_1 / sigma_2, the smaller over the larger: a little
# less and the cheap sensor helps as a witness, a little more and it helps as a correction. A bias
# would break inverse variance too: ask what then.

# %% [markdown]
# ## Deeper: why a second sensor can be useless
#
# The second sensor is useless where the best $\alpha$ is 1. By the formula that is where $\rho =
# \sigma_1 / \sigma_2$. There $e_2$ is $e_1$ plus an error of its own, independent of $e_1$: all
# that the second sensor knows is already in the first. With a smaller $\rho$ it is a second
# witness, with a larger one it corrects the first.

# %%
at = 1.0, 1, 2, 0.5
show(widgets.draw_alpha_curve(*at), alt=widgets.describe_alpha_curve(*at))
first, second = take_errors(1, 2, 0.5)
claim("what the second adds is independent of the first: the mean product is near 0",
      (first * (second - first)).mean().abs() < 0.05)  # fmt: skip

# %% [markdown]
# ## Features, logits, probabilities
#
# From degrees to classes. Three things can stand in the place of $F_i$:
#
# | name | what it is | its weighted sum is |
# | --- | --- | --- |
# | *features* | what an encoder gives | whatever the layer above makes of it |
# | *logits* | one score a class | a vote; sure classifiers count more |
# | *probabilities* | softmax of logits, sum 1 | one vote each |
#
# Joining each sense's own answers, the last two, is *late fusion*.
#
# ### Exercise 4: `average_probabilities` · 3 min · easy


# %% tags=["exercise"]
def average_probabilities(logits):
    """Late fusion: the mean of the probabilities, for any number M of classifiers.

    logits: list of M tensors (B, C), small or large numbers -> probabilities (B, C)
    """
    ### BEGIN SOLUTION
    # The softmax first: in a mean of logits the surest would count most.
    return torch.stack(logits).softmax(dim=-1).mean(dim=0)
    ### END SOLUTION


# %% tags=["check"]
average_probabilities = check(average_probabilities)

# %% [markdown]
# Three classifiers, two classes. One is very sure of class 0, two are fairly sure of class 1:

# %% tags=["nbval-check-output"]
logits = [torch.tensor([scores]) for scores in ([8.0, 0.0], [0.0, 2.0], [0.0, 2.0])]
print("each:", torch.cat(logits).softmax(dim=1).numpy().round(2), sep="\n")
print("their mean:", average_probabilities(logits).numpy().round(2))
print("of the mean logits:", (sum(logits) / 3).softmax(dim=1).numpy().round(2))

# %% [markdown]
# Class 1 or class 0? That depends on whether "very sure" can be trusted.

# %% [markdown]
# ## Labels: one theorem
#
# Nobody averages *sport* and *weather*, but beliefs can be joined.
#
# **Step 1.** Of 1,000 cards 600 are about sport and 400 about weather. The share of a class before
# we look is its *prior*: 0.6 and 0.4.
#
# **Step 2.** Half of the sport cards show a ball, and a quarter of the weather cards: the
# *likelihood*, how often cards of a class look like this. Our card shows a ball:

# %% tags=["nbval-check-output"]
cards = torch.tensor([600.0, 400.0])  # sport, weather
likelihood = torch.tensor([0.50, 0.25])
with_ball = cards * likelihood
print("cards with a ball:", with_ball.tolist())
print("their shares:     ", (with_ball / with_ball.sum()).tolist())

# %% [markdown]
# The share of a class among cards that look like ours, here 0.75, is its *posterior*: what a good
# classifier of pictures says.
#
# **Step 3.** The headline says *goal*, as half of the sport headlines do and a quarter of the
# others. Suppose that *given the label* the two are independent: sport cards with a ball say *goal*
# as often as other sport cards. We go on counting:

# %% tags=["nbval-check-output"]
with_both = with_ball * likelihood  # "goal" is as likely as the ball was
posterior = with_both / with_both.sum()
print("with a ball and 'goal':", with_both.tolist())
print("share of sport:", round(posterior[0].item(), 3))

# %% [markdown]
# Two witnesses who agree, 0.75 each, convince more than one.
#
# **Step 4.** Classifiers give posteriors. A posterior is prior times likelihood, up to a factor
# (*Bayes' rule*). So posterior over prior stands for the likelihood:

# %% tags=["nbval-check-output"]
prior, alone = torch.tensor([0.6, 0.4]), torch.tensor([0.75, 0.25])
ratio = alone / prior
print("posterior over prior:", ratio.tolist())
product = prior * ratio * ratio
torch.testing.assert_close(product / product.sum(), posterior)

# %% [markdown]
# Two to one, as 0.50 to 0.25; and `product` gives what counting gave.
#
# **Step 5.** With $M$ senses the prior comes into the product $M$ times and belongs there once. In
# logarithms, where products are sums:
#
# $$ \log p(y \mid x_1, \dots, x_M) = \sum_{i=1}^{M} \log p(y \mid x_i) - (M - 1) \log p(y)
# + \text{const} . $$
#
# On the left is the posterior of class $y$ once all senses $x_i$ are seen. **Add log-posteriors,
# and take out the prior that was counted too often.** If the senses are independent given the
# label, no method can do better, because this *is* the posterior. There is no $\alpha$ in it: each
# sense counts 1, not 1/2.
#
# ### Exercise 5: `add_log_posteriors` · 10 min · medium


# %% tags=["exercise"]
def add_log_posteriors(logits, prior):
    """Join M classifiers by Bayes' rule, for modalities independent given the label.

    log_softmax turns logits into log-probabilities. End with it too: the probabilities
    of a row then sum to 1, and the constant is right by itself.
    logits: list of M tensors (B, C), small or large numbers; prior (C,), all positive,
    sum 1 -> log-posteriors (B, C)
    """
    ### BEGIN SOLUTION
    # In logarithms throughout: products of small probabilities would end at 0.
    added = sum(scores.log_softmax(dim=1) for scores in logits)
    added = added - (len(logits) - 1) * prior.log()
    return added.log_softmax(dim=1)
    ### END SOLUTION


# %% tags=["check"]
add_log_posteriors = check(add_log_posteriors)

# %% [markdown]
# We wrote the process that makes news cards: `posteriors` knows what a *perfect reader* believes.
# With `mismatch=0` every headline fits; it and the picture are made separately for the section,
# independent given the label. Here 60 % of the cards are sport, 40 % of the pictures show no motif,
# and `text_noise` adds words of other sections:

# %%
from course_utils.data import news_cards
from course_utils.measures import accuracy

dials = {"class_balance": (12, 2, 2, 2, 2), "without_motif": 0.4, "text_noise": 0.3}
rows = news_cards.rows_for(news_cards.make(3000, 0, mismatch=0, **dials), "section")
label, section_prior = torch.tensor(rows["label"]), torch.tensor([0.6] + 4 * [0.1])
beliefs = news_cards.posteriors(rows, **dials)
image, text, both = (torch.tensor(beliefs[name]) for name in ("image", "text", "both"))
known = {"picture": image, "headline": text, "both": both}
print({name: round(accuracy(belief, label), 2) for name, belief in known.items()})

# %% [markdown]
# The mean of the picture's and the headline's probabilities: how often is it right?

# %% tags=["guess"]
guess("perfect readers, averaged", ...)

# %% [markdown]
# Three rules, then:

# %%
logs = [image.log(), text.log()]
joined = {
    "mean of probabilities": (image + text) / 2,
    "logs added, prior twice": sum(logs).softmax(dim=1),
    "logs added, less prior": add_log_posteriors(logs, section_prior).exp(),
}
right = {name: accuracy(belief, label) for name, belief in (known | joined).items()}
print("\n".join(f"{share:.2f}  {name}" for name, share in right.items()))
settle("perfect readers, averaged", right["mean of probabilities"], near=0.02)

# %% [markdown]
# One rule is at the ceiling, *both*, and on every card:

# %%
torch.testing.assert_close(joined["logs added, less prior"], both)
claim("counting the prior twice costs over 0.02",
      right["both"] - right["logs added, prior twice"] > 0.02)  # fmt: skip
mean_right = right["mean of probabilities"]
claim("averaging costs over 0.03", right["both"] - mean_right > 0.03)
claim("it is within 0.02 of the picture", abs(mean_right - right["picture"]) < 0.02)

# %% [markdown]
# Averaging is right as often as the picture alone: a sense that knows nothing keeps half of the
# vote. Where logs are added, it says the prior, cancels one prior, and changes nothing.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this guess* nearly everyone puts averaging close to the ceiling. With balanced sections and
# default dials it is, as in the trained table below: half a flat belief does not change which class
# is first. Run the cells with `dials = {}` and a prior of 0.2 each. *On the board:* the
# two classes of step 3 with the prior counted twice, 0.75 * 0.75 against 0.25 * 0.25, are 0.9.
# *Ask:* for which task on these cards is the assumption false? For `match`: given "does not fit",
# the two sections are never the same. Lesson 05.

# %% [markdown]
# ## Deeper: a card that averaging loses
#
# The costliest one, with what each rule believes of it:

# %%
named = joined["mean of probabilities"].argmax(dim=1, keepdim=True)
# The chance of being right that it costs, however the label came out.
cost = both.amax(dim=1) - both.gather(1, named)[:, 0]
worst = cost.argmax()
on_it = {name: belief[worst] for name, belief in (known | joined).items()}
for name, belief in on_it.items():
    print(f"{name:24}", [round(share, 2) for share in belief.tolist()])

# %% [markdown]
# The picture shows no motif and says 60 % sport, as the prior does. So averaging names sport,
# against a headline that knows better. It is so for all that averaging loses:

# %%
# Without a motif the picture says the prior.
silent = torch.isclose(image, section_prior.double()).all(dim=1)
claim("what averaging loses, it loses where the picture says the prior",
      cost[~silent].sum() < 1e-9)  # fmt: skip

# %% [markdown]
# ## A fusion that learns its weights
#
# Back to features. A network keeps what it learns in *modules*, classes of this form:


# %%
from torch import nn


class Shifted(nn.Module):
    """A linear layer for each name, and one learnt shift for all of them."""

    def __init__(self, names):
        super().__init__()  # first: it makes the places where parameters are kept
        self.shift = nn.Parameter(torch.zeros(3))
        self.layers = nn.ModuleDict({name: nn.Linear(2, 3) for name in names})
        self.spare = [nn.Linear(2, 3)]

    def forward(self, inputs):
        return {name: self.layers[name](x) + self.shift for name, x in inputs.items()}


for name, parameter in Shifted(["left", "right"]).named_parameters():
    print(name, tuple(parameter.shape))

# %% [markdown]
# An optimizer is given `.parameters()`: tensors in `nn.Parameter`, layers that are attributes, and
# those in an `nn.ModuleDict`. The spare one, in a plain list, is not found. Three more tools (masks
# are bool; a softmax of nothing but -inf is nan):

# %% tags=["nbval-check-output"]
row, every = torch.tensor([1.0, 2.0, 3.0]), torch.ones(3, dtype=torch.bool)
print(row.masked_fill(row > 2, -torch.inf), "puts -inf where the mask is True")
print(row.masked_fill(every, -torch.inf).softmax(0).nan_to_num(), "has 0 for nan")
print({"left": 1}.get("right", 7), "is what get gives for a name that is not there")

# %% [markdown]
# ### Exercise 6: `WeightedFusion` · 30 min · hard · *a build*
#
# A second sitting. Write a whole module: projections to one size, learnt weights, and a mask as in
# lesson 03 for senses that a row lacks; mind a row that lacks all. `check` tries it part by part.
# All below runs with it, or with ours.


# %% tags=["exercise"]
class WeightedFusion(nn.Module):
    """sum_i alpha_i project_i(F_i), with learnt weights, over what is present.

    dims: {name: size of its features}; dim: size of each projection.
    Attributes: names, the names in dims as a tuple; dim_out, which is dim; project,
    an nn.Linear for each name; weights (M,), for a softmax, zeros at first.
    """

    def __init__(self, dims, dim=64):
        ### BEGIN SOLUTION
        super().__init__()
        self.names, self.dim_out = tuple(dims), dim
        # A layer for each: features may differ in size, and do in meaning.
        layers = {name: nn.Linear(size, dim) for name, size in dims.items()}
        self.project = nn.ModuleDict(layers)
        self.weights = nn.Parameter(torch.zeros(len(dims)))
        ### END SOLUTION

    def forward(self, features, present=None):
        """features {name: (B, dims[name])}, present {name: (B,) bool} -> (B, dim)

        A name that present lacks is there in every row; without present, all are.
        An absent modality gets no share; the others', however small, then sum to 1.
        A row without any gives zeros. features and present may hold other names too.
        """
        ### BEGIN SOLUTION
        projected = [self.project[name](features[name]) for name in self.names]
        stacked = torch.stack(projected, dim=1)  # (B, M, dim)
        all_rows = torch.ones(len(stacked), dtype=torch.bool)
        there = [(present or {}).get(name, all_rows) for name in self.names]
        scores = self.weights.expand(len(stacked), -1)  # (B, M)
        # exp(-inf) is 0; a softmax of nothing else is nan, and becomes zeros.
        scores = scores.masked_fill(~torch.stack(there, dim=1), -torch.inf)
        share = scores.softmax(dim=1).nan_to_num()
        return (share[:, :, None] * stacked).sum(dim=1)
        ### END SOLUTION


# %% tags=["check"]
WeightedFusion = check(WeightedFusion)

# %% [markdown] slideshow={"slide_type": "notes"}
# *The build* takes most people 20 to 40 minutes, most of it in the mask. The usual first version
# multiplies by the mask and does not renormalise; the usual second one divides 0 by 0 in rows with
# nothing. Lesson 11 returns to missing modalities.

# %% [markdown]
# ## What it gains
#
# A CNN (01) reads pictures and a transformer (03) headlines; each learnt `section` alone and is
# *frozen*: its weights stay. Every fusion gets their features and a linear layer above; *concat*
# puts them side by side. The late rules join the answers of both alone. Five seeds, 5,000 fresh
# cards each:

# %%
import pandas as pd

from course_utils.data.results import read_results, scores, within_spread
from course_utils.tables import fair_table, grow_table

section = read_results("04", "section")
# The file holds these runs once more, for a later section.
recorded = scores(section[section["setting"] != "calibrated"])
table = fair_table(recorded, ceiling=news_cards.ceiling("section"))[["mean", "spread"]]
print(table.round(2).to_string(na_rep=""))

# %% [markdown]
# The last rows are what perfect readers reach.

# %%
averaged, added = "mean of probabilities", "log-posteriors added"
fused = ["weighted, 0.5 and 0.5", "weighted, learnt", "concat", averaged, added]
mean = table["mean"]
claim("each fusion beats the better sense by over 0.04",
      mean[fused].min() > mean[["image alone", "text alone"]].max() + 0.04)  # fmt: skip
claim("all five fusions lie within 0.03", mean[fused].max() - mean[fused].min() < 0.03)
lead = pd.Series(recorded[averaged]) - pd.Series(recorded[added])
print(f"averaging leads by {lead.mean():.3f}, standard error {lead.sem():.3f}")

# %% [markdown]
# Two senses gain much; *how* they are joined hardly matters here. But why does averaging lead, if
# no method can do better than the theorem? The theorem speaks of true posteriors; these are guesses
# of networks. And the lead is small: 0.004, a few times its standard error (00) over five seeds.
#
# **How it was made, with your module.** Each sense's features are divided by one number, its
# *unit*, because encoders give numbers of different size. About ten seconds:

# %%
from course_utils import frozen
from course_utils.data.batches import Batches, to_tensors
from course_utils.experiment import cache_features, in_units, on_cached_features
from course_utils.fusion import ConcatFusion
from course_utils.training import fit, predict

world = frozen.load(0)  # seed 0: cards, and the encoders that read them
tensors = {
    split: to_tensors(part, world.readers) for split, part in world.rows().items()
}
# The encoders read each card once; their features are kept.
cached = cache_features(world.encoders, tensors)
dims = {"image": 64, "text": 64}
unit = {name: cached["train"][name].std() for name in dims}
features = in_units(cached, unit)  # divided by it

# %% [markdown]
# Each fusion is trained with a linear layer of its own, by AdamW (06):


# %%
def train_head(fusion, features):
    """Train a fusion and a linear layer above it on frozen features -> the model."""
    torch.manual_seed(0)
    # Fusion and head, with the kept features in place of encoders.
    model = on_cached_features(fusion, features, classes=5)
    batches = Batches(features["train"], batch_size=128, shuffle=True)
    # Without validation rows the last epoch is kept: no choice to favour a fusion.
    fit(model, batches, epochs=20, learning_rate=5e-3)
    return model


models = {
    "image alone": train_head(ConcatFusion({"image": 64}), features),
    "text alone": train_head(ConcatFusion({"text": 64}), features),
    "weighted, learnt": train_head(WeightedFusion(dims), features),
}

# %% [markdown]
# The late rules need the prior, from the training rows:

# %%
said = {name: predict(model, [features["test"]]) for name, model in models.items()}
alone = [said["image alone"], said["text alone"]]
seen, truth = (features[split]["label"] for split in ("train", "test"))
said[averaged] = average_probabilities(alone)
said[added] = add_log_posteriors(alone, seen.bincount() / len(seen))
here = pd.Series({name: accuracy(scored, truth) for name, scored in said.items()})
print(table.assign(here=here).round(2).to_string(na_rep=""))
chance = ((here - here**2) / len(truth)) ** 0.5
print(f"{len(truth)} cards, standard error {chance.min():.3f} to {chance.max():.3f}")

# %% [markdown]
# By chance a row may pass its ceiling.

# %%
claim("what you trained lies within the file's spread, give or take 0.03",
      all(within_spread(here[name], recorded[name], 0.03) for name in here.index),
      trained=True)  # fmt: skip

# %% [markdown]
# ## Deeper: how sure, and calibration
#
# Accuracy counts right answers. *Cross-entropy* (06), the mean of $-\log p(\text{true label})$ in
# *nats*, also asks how sure a model was of the truth. And the theorem asks for *calibrated*
# posteriors: of cards about which a model says 80 %, 80 % should be right. Networks are often too
# sure. *Temperature scaling* (Guo et al., 2017; lesson 13) divides all logits by one number $T$,
# chosen on the validation rows; $T > 1$ makes a model less sure. First the $T$ of both senses, for
# each seed; then cross-entropies, means over the seeds, before and after. *Concat* and the two
# *weighted* are divided by a $T$ of their own, and the late rules join the calibrated senses:

# %%
units = read_results("04", "units").pivot_table("value", "seed", ["measure", "model"])
nats = section[section["measure"] == "cross-entropy"]
nats = nats.pivot_table("value", "model", "setting")[["raw", "calibrated"]]
print(units["temperature"].round(2).to_string(), nats.round(2).to_string(), sep="\n\n")

# %% [markdown]
# Both senses are too sure. Then:

# %%
claim("T is over 1.2 for both senses in every seed",
      units["temperature"].min().min() > 1.2)  # fmt: skip
in_nats = nats.loc[averaged] - nats.loc[added]
claim("averaging costs over 0.07 nats, calibrated or not", in_nats.min() > 0.07)
gain = nats["raw"] - nats["calibrated"]
claim("calibration makes the sum better, by over 0.02", gain[added] > 0.02)
claim("and the mean worse, by over 0.01", gain[averaged] < -0.01)
calibrated = scores(section[section["setting"] != "raw"])
lead_left = pd.Series(calibrated[averaged]) - pd.Series(calibrated[added])
print(f"averaging still leads by {lead_left.mean():.4f} of accuracy,", end=" ")
print(f"standard error {lead_left.sem():.4f}; it was {lead.mean():.4f}")
claim("calibration takes at least a third of averaging's lead",
      lead_left.mean() < lead.mean() * 2 / 3)  # fmt: skip

# %% [markdown]
# A mean of two beliefs is never surer than the surer one, so averaging is right about as often and
# far less sure of it. Calibration makes both senses less sure, and so their mean: worse still. The
# sum counts each sense in full, and gains from two that are not too sure. Of
# averaging's lead in accuracy about half is left.

# %% [markdown]
# ## What alpha is not
#
# It is tempting to read a learnt $\alpha$ as "the picture matters this much". Take your model, and
# build a twin: any $\alpha$ we like, projections scaled to make up for it.

# %%
import copy

model = models["weighted, learnt"]
twin = copy.deepcopy(model)
alpha = model.fusion.weights.softmax(dim=0).tolist()
with torch.no_grad():
    # The softmax of logs gives the shares back.
    twin.fusion.weights.copy_(torch.tensor([0.05, 0.95]).log())
    for name, old, new in zip(dims, alpha, (0.05, 0.95), strict=True):
        # The head sees alpha times projection: what one loses, the other gains.
        for parameter in twin.fusion.project[name].parameters():
            parameter *= old / new
    same, ours = twin(features["test"]), model(features["test"])
    torch.testing.assert_close(same, ours, rtol=1e-3, atol=1e-3)
print("alpha:", [round(share, 2) for share in alpha], "and its twin's: [0.05, 0.95]")

# %% [markdown]
# Same logits on every card, so the data cannot prefer one $\alpha$ to the other.
# We multiply the picture's features by 10 and train again. What does its $\alpha$ do?

# %% tags=["guess"]
guess("alpha of a picture ten times as large", ..., ["falls", "stays", "rises"])

# %% [markdown]
# Three factors, *here* and in the file's five seeds:

# %%
alphas = {}
for factor in (0.1, 1, 10):
    # Dividing by 1 / factor multiplies; the text stays as it was.
    scaled = in_units(features, {"image": 1 / factor, "text": 1})
    fusion = train_head(WeightedFusion(dims), scaled).fusion
    alphas[factor] = fusion.weights.softmax(dim=0)[0].item()

rescaled = read_results("04", "rescaled").astype({"setting": float})
by_seed = rescaled.pivot_table("value", "seed", ["measure", "model", "setting"])
raw = by_seed["alpha", "raw"]
shown = raw.T.assign(here=alphas, accuracy=by_seed["accuracy", "raw"].mean())
print("alpha of the picture by seed, and the mean accuracy", shown.round(2), sep="\n")
change = alphas[10] - alphas[1]
moved = "stays" if abs(change) < 0.03 else "rises" if change > 0 else "falls"
settle("alpha of a picture ten times as large", moved)

# %% [markdown]
# So:

# %%
claim("ten times the features lower alpha by over 0.1, in every seed",
      (raw[1] - raw[10]).min() > 0.1)  # fmt: skip
claim("mean accuracy moves by less than 0.02",
      shown["accuracy"].max() - shown["accuracy"].min() < 0.02)  # fmt: skip
claim("a tenth of the features moves alpha by less than 0.1, in every seed",
      (raw[1] - raw[0.1]).abs().max() < 0.1)  # fmt: skip

# %% [markdown]
# Features ten times as large got a *smaller* weight, for answers about as good: their part of the
# sum was too large, and $\alpha$ shrank to make up for some of it. At a tenth it hardly moved:
# there the projection grew more. Even at 1 it has left 0.5, where it began. So this $\alpha$
# depends on units and on how training went. To know how much a sense matters, take it away and
# measure (lesson 09).

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this guess* "rises" wins: larger, so more important. *Ask* where such an alpha is reported as
# importance in papers that the class reads. *Dial:* `learning_rate=5e-4` in `train_head`: alpha
# hardly leaves 0.5, and readers of alphas would conclude that the senses matter alike.

# %% [markdown]
# ## Deeper: start, steps and LayerNorm
#
# Why did $\alpha$ fall? Two things did not shrink as the features grew: the first weights of the
# picture's projection, and AdamW's steps from there, each of about the learning rate. So the
# picture's part of the sum started ten times as large, and each step moved it ten times as far.
# Beside the text's this part was too large, and $\alpha$ shrank to make up for some of it.
# The file holds runs in which both were divided by ten (*undone*), and runs with a *LayerNorm* (03)
# in front, which divides the factor out:

# %%
by_run = by_seed["alpha"][["raw", "undone", "LayerNorm"]]
print(by_run.round(2).to_string())
claim("start and steps divided by ten too, alpha is back, in every seed",
      (by_run["undone", 10] - by_run["raw", 1]).abs().max() < 0.02)  # fmt: skip
normed = by_run["LayerNorm"]
claim("with LayerNorm alpha moves by less than 0.01",
      (normed.max(axis=1) - normed.min(axis=1)).max() < 0.01)  # fmt: skip
accuracies = by_seed["accuracy"]
points = accuracies["raw", 1] - accuracies["LayerNorm", 1]
claim("LayerNorm costs 0.01 to 0.03 of accuracy, in every seed",
      points.between(0.01, 0.03).all())  # fmt: skip

# %% [markdown]
# With LayerNorm $\alpha$ stays, at the price of a point or two of accuracy here. The projections
# behind it still make it mean nothing, as the twin showed.

# %% [markdown]
# ## The table that grows, and the wall

# %%
rows_to_add = ("text alone", "weighted, learnt", added)
grow_table("04", {name: recorded[name] for name in rows_to_add})

# %% [markdown]
# The twelve trick cards, read by your models:

# %%
from course_utils.data import trick_cards
from course_utils.display import card_wall

tricks = trick_cards.read()
wall = cache_features(world.encoders, {"wall": to_tensors(tricks, world.readers)})
wall = in_units(wall, unit)["wall"]
says = {name: predict(model, [wall]).softmax(1) for name, model in models.items()}
hits = {name: (one.argmax(1) == wall["label"]).tolist() for name, one in says.items()}
counts = ", ".join(f"{name} {sum(one)}" for name, one in hits.items())
show(card_wall(tricks, hits), alt=f"Twelve trick cards; right are: {counts}.")
for at in (6, 10):
    for name, one in says.items():
        print(f"{tricks['trick'][at]}: {name} {news_cards.SECTIONS[one[at].argmax()]}")

# %% [markdown]
# Where senses disagree, one weight for all cards cannot know which to believe. Lesson 10 gives each
# card weights of its own.

# %% [markdown]
# ## Recap: so, how much should each sense count?
#
# - Readings with independent errors: in proportion to $1/\sigma_i^2$.
# - Errors that go together: by the formula, whose weight may be negative.
# - Labels, with senses independent given the label: each log-posterior in full, the prior once.
# - Inside a network a learnt $\alpha$ is no answer, and no measure of importance.
#
# **Common mistakes.** Weighting by $1/\sigma$. Averaging beliefs, so that a sense without a clue
# keeps its vote. Counting the prior once for each sense.

# %% [markdown]
# ## Deeper: where this comes from
#
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

# %% [markdown]
# ## Quiz

# %%
quiz("04")
