# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Is it really multimodal?
#     minutes: {read: 50, exercises: 32, deeper: 15, build: 30}
#     needs: [04_weighted_fusion, 05_interactions, 08_image_and_text_classifier]
#     teaches: [blind baseline, permutation drop, EMAP, mutual information, synergy, Shapley, leak]
# ---

# %% [markdown]
# # Is it really multimodal?
#
# *You will be able to:* take a model's interactions away and see what they were worth; tell what
# the *data* hold from what a *model* does; find a leak; and write a report that says whether a
# result is multimodal.
#
# **The question.** *Two models say whether a headline fits its picture. Both are right on about
# three cards in four. Does either of them compare the two?*

# %%
import torch

from course_utils import check, claim, guess, hint, quiz, settle, show, solution
from course_utils.data import news_cards, planted
from course_utils.data.rows import split_rows, take
from course_utils.display import card_wall
from course_utils.environment import is_smoke

# A colleague collected these.
cards = planted.colleagues_cards(600 if is_smoke() else 6000, seed=0)
four = take(cards, [5, 8, 25, 3])
titles = ["fits" if fits else "does not fit" for fits in four["match"]]
alt = "Four of the colleague's news cards, each with its headline, and whether it fits."
show(card_wall(four, titles=titles), alt=alt)

# %% [markdown]
# The task is `match` (05): neither sense alone knows anything about it. Model A is a
# *product*, model B *concat + linear*, on frozen features. B's picture also comes as a *thumbnail*
# of 12 by 12 colours.

# %%
from course_utils import frozen
from course_utils.data.batches import to_tensors
from course_utils.experiment import cache_features, models_fused
from course_utils.fusion import ConcatFusion, ConcatMLPFusion, ProductFusion

world = frozen.load(0)
rows = split_rows(news_cards.rows_for(cards, "match"))
tensors = {split: to_tensors(part, world.readers) for split, part in rows.items()}
features = cache_features(world.encoders, tensors)  # image and text: (n, 64) each
with_thumbnail = {}
for split, part in features.items():
    # Means of squares of 4 by 4 pixels.
    small = torch.nn.functional.adaptive_avg_pool2d(tensors[split]["image"] / 255, 12)
    joined = torch.cat([part["image"], small.flatten(1) - 0.5], dim=1)  # (n, 64 + 432)
    with_thumbnail[split] = part | {"image": joined}

# %% [markdown]
# Heads are trained as in 05:

# %%
from course_utils.measures import accuracy


def train_heads(heads, features, classes):
    """{name: a trained head, with its logits of the test rows}."""
    # Chosen in 05, on validation cards.
    options = {"epochs": 12, "learning_rate": 5e-3, "batch_size": 128}
    names = ["image", "text"]
    return models_fused(heads, features, classes, names=names, options=options)


label = features["test"]["label"]
A = train_heads({"product": ProductFusion}, features, 2)["product"]
B = train_heads({"concat + linear": ConcatFusion}, with_thumbnail, 2)["concat + linear"]
print(f"A {accuracy(A.logits, label):.2f}, B {accuracy(B.logits, label):.2f}")

# %% [markdown]
# B is nearly as good. But it only adds, and in 05 the head that only adds ended near the coin.
#
# ## Shuffle one sense
#
# Give each test card the headline of another one, and ask again. The fall in accuracy is the
# *permutation drop* of the headline. How often is B right with other cards' headlines?

# %% tags=["guess"]
guess("B with other headlines", ...)

# %% [markdown]
# Five shuffles of either sense; the interval (95 %) is over test cards:

# %%
from course_utils.measures import permutation_drop
from course_utils.multimodality import right_in

rng = torch.Generator().manual_seed(0)
orders = [torch.randperm(len(label), generator=rng) for _ in range(5)]  # 5 of (n,)


@torch.no_grad()
def drops(model, test):
    """{sense: (drop, low, high)}"""
    right, found = model(test).argmax(dim=1) == test["label"], {}
    for sense in ("image", "text"):
        # One sense of other cards; the other sense and the label stay.
        shuffled = [model(test | {sense: test[sense][order]}) for order in orders]
        found[sense] = permutation_drop(right, right_in(shuffled, test["label"]))
    return found


tested = {"A": (A, features["test"]), "B": (B, with_thumbnail["test"])}
found = {name: drops(one.model, test) for name, (one, test) in tested.items()}
for name, senses in found.items():
    for sense, (drop, low, high) in senses.items():
        print(f"{name}: {sense:5} shuffled costs {drop:.2f}  [{low:.2f}, {high:.2f}]")
settle("B with other headlines", accuracy(B.logits, label) - found["B"]["text"][0])

# %%
lost_by_A = [found["A"][sense][0] for sense in ("image", "text")]
claim("A loses over 0.2 with either sense shuffled", min(lost_by_A) > 0.2, trained=True)
claim("B loses < 0.05 with other headlines", found["B"]["text"][0] < 0.05, trained=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* Two models at one accuracy and the shuffle (5 min), the
# map of blocks (2), EMAP on `match` and on `section` with its *guess* (5), AND against the two
# sensors with the sliders (5), the checklist (3). Leave Shapley and the build for home.
#
# *At this guess* about half say 0.5, because the task needs both; few recall that
# a head that adds cannot compare.

# %% [markdown]
# ## Blind baselines
#
# A *blind* baseline must answer from one sense (Goyal et al., 2017: questions about a picture,
# asked without it). It gets all that the model gets from that sense: for B, the picture with its
# thumbnail.

# %%
import pandas as pd

from course_utils.data.results import read_results, scores
from course_utils.tables import fair_table

# A head on one sense, which cannot see the other.
ALONE = {
    "image alone": lambda dims: ConcatFusion({"image": dims["image"]}),
    "text alone": lambda dims: ConcatFusion({"text": dims["text"]}),
}
blind = train_heads(ALONE, with_thumbnail, 2)
for name, one in blind.items():
    print(f"with thumbnail, {name}: {accuracy(one.logits, label):.2f}")

leak = read_results("09", "leak")
halves = {}
# Rows without a setting ask no encoder; they belong to both halves.
for name, kind in {"features": "encoder", "thumbnail": "encoder and thumbnail"}.items():
    half = leak[leak["setting"].isin(["", kind])]
    mended = fair_table(scores(half, "accuracy, mended"))["mean"]
    half = fair_table(scores(half), news_cards.ceiling("match"))[["mean", "spread"]]
    halves[name] = half.assign(mended=mended)
print(pd.concat(halves, axis=1).round(2).to_string(na_rep=""))

# %% [markdown]
# *Mean* and *spread* (standard deviation) of five seeds, 5,000 fresh cards of the colleague's kind
# each (`make results LESSON=09`): on features alone, as A has them, and with the thumbnail. There
# the picture alone is right on three cards in four, where its ceiling is 0.5. So is *linear, raw*,
# a tuned linear model of pixels and words. **Something in the pictures tells the label.** *Mended*
# is without it: A (product) hardly changes, B falls to the coin. What is it? Ask a linear model of
# one block of 8 by 8 pixels at a time:

# %%
from course_utils.widgets import lesson09 as widgets

blocks = read_results("09", "blocks").groupby("dials")["value"].mean()
# {(row, column) of a block: how often it is right}
blocks = {tuple(map(int, place.split(","))): share for place, share in blocks.items()}
marked = cards["image"][cards["marked"]][0]
claim("no marked card fails to fit", all(cards["match"][cards["marked"]]))
show(widgets.draw_blocks(blocks, marked), alt=widgets.describe_blocks(blocks))
best_block = max(blocks, key=blocks.get)
others = [share for place, share in blocks.items() if place != best_block]
claim("one block tells: the lower left one, by over 0.2 more than any other",
      best_block == (5, 0) and blocks[best_block] > max(others) + 0.2)  # fmt: skip
seen = halves["thumbnail"]["mean"]
claim("with the thumbnail, the product passes the ceiling by over 0.02",
      seen["product"] > seen["ceiling, both"] + 0.02)  # fmt: skip
gain = seen["concat + linear"] - seen["image alone"]
claim("B is less than 0.01 better than its picture alone", gain < 0.01)
lost_of = {name: half["mean"] - half["mended"] for name, half in halves.items()}
claim("mended, B and the linear model fall by over 0.2, and A by under 0.02",
      lost_of["thumbnail"][["concat + linear", "linear, raw"]].min() > 0.2
      and lost_of["features"]["product"] < 0.02)  # fmt: skip

# %% [markdown]
# A magenta square in the corner of many fitting cards, and of no other: they had gone through
# another program. This is a *leak*: the input tells the label in a way that will not be there in
# use. Test rows came the same way, so they do not reveal it.
#
# ## Take the interactions away
#
# A uses both senses. Does it *compare* them, or only add? Score all $n^2$ pairings of an image with
# a text: $f(i, j)$ is the score of image $i$ with text $j$. Hessel and Lee (2020) ask for the
# additive score (05) that is nearest to all of these, in the mean square. At the true pairs it is
#
# $$ \hat f(i, i) = \operatorname*{mean}_{j} f(i, j) + \operatorname*{mean}_{j} f(j, i)
# - \operatorname*{mean}_{j, k} f(j, k) . $$
#
# All means run over all $n$, $i$ too. The first depends on the image, the second on the text.
# They call it *EMAP*. If accuracy stays, the interactions earned nothing here.
#
# ### Exercise 1: `emap` · 6 min · easy


# %% tags=["exercise"]
def emap(scores):
    """The nearest additive scores, at the pairs that belong together.

    scores (n, n, C): entry [i, j] holds the logits of image i with text j -> (n, C)
    """
    ### BEGIN SOLUTION
    # The mean over all pairs is in both of the other means: once too often.
    return scores.mean(dim=1) + scores.mean(dim=0) - scores.mean(dim=(0, 1))
    ### END SOLUTION


# %% tags=["check"]
emap = check(emap)

# %% [markdown]
# On A, with all 360,000 pairs of 600 test cards:

# %%
from course_utils.multimodality import pair_scores, report_page


def score_of(model):
    """The model as a function of two batches of features."""
    return lambda image, text: model({"image": image, "text": text})


image, text, truth = (features["test"][n][:600] for n in ("image", "text", "label"))
pairs = pair_scores(score_of(A.model), image, text)  # (600, 600, 2)
# The true pairs stand on the diagonal. Shape (600, 2)
as_it_is, added = accuracy(pairs.diagonal().T, truth), accuracy(emap(pairs), truth)
print(f"as it is {as_it_is:.2f}, only adding {added:.2f}")
claim("EMAP takes A to the coin, within 0.08", abs(added - 0.5) < 0.08, trained=True)

# %% [markdown]
# A compares. Now `section`, where both senses help. Product heads learn interactions there too.
# Under EMAP, the mean accuracy of product, tensor, low rank and bilinear over five seeds ...
# (*stays*: within 0.005)

# %% tags=["guess"]
guess("products that only add", ..., ["falls", "stays", "rises"])

# %% [markdown]
# Both tasks, as they are and under EMAP, on 5,000 fresh cards a seed; for concat + MLP and maximum
# with 100 partners a card (deeper, below):

# %%
sides = {}
for task in ("section", "match"):
    measured = read_results("09", task)
    sides[task] = fair_table(scores(measured), news_cards.ceiling(task))["mean"]
    sides[f"{task}, EMAP"] = fair_table(scores(measured, "EMAP"))["mean"]
both_tasks = pd.DataFrame(sides, index=sides["section"].index)
print(both_tasks.round(3).to_string(na_rep=""))
products = ["product", "tensor", "low rank", "bilinear"]
change = both_tasks["section, EMAP"] - both_tasks["section"]
moved = change[products].mean()
word = "stays" if abs(moved) <= 0.005 else "rises" if moved > 0 else "falls"
settle("products that only add", word)

# %% [markdown]
# Without their interactions, heads that multiply are, on average, *better* on `section`: what they
# learnt beyond adding cost more than it earned.

# %%
left = both_tasks["match, EMAP"][["concat + MLP", "maximum", *products]] - 0.5
claim("on match EMAP takes all six to the coin, within 0.02", left.abs().max() < 0.02)
claim("on section it moves concat + MLP by < 0.01", abs(change["concat + MLP"]) < 0.01)
claim("it lowers no product head by more than 0.005", change[products].min() > -0.005)
claim("and raises their mean by over 0.005", moved > 0.005)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this guess* most type "falls": why else would one multiply? *Ask* what follows for the theorem
# of 04: on `section` the senses are independent given the label, so no interaction can pay there.
# *Usual wrong reading:* "EMAP shows that the data need no interaction". It shows what *this*
# model's interactions are worth. A head that never learnt to compare passes the same test.

# %% [markdown]
# ## Deeper: EMAP on all rows
#
# EMAP also scores pairs that the world never makes: on `section` all cards fit. And all pairs of
# 5,000 cards are 25 million. Where a score is *linear in each sense* while the other
# stays, as products and outer products are, its mean over all partners is its score of the *mean
# partner*: exact, for the price of three passes. On A:

# %%
from course_utils.multimodality import emap_of_means

quick = emap_of_means(score_of(A.model), image, text)
torch.testing.assert_close(quick, emap(pairs), rtol=1e-3, atol=1e-3)

# %% [markdown]
# With a ReLU or a maximum behind the join that is not so. There the results above take the mean
# over 100 partners, drawn once. Where interactions are strong, 100 are few. The products on
# `section`, exact and with 100 partners, over all rows:

# %%
measured = read_results("09", "section")
kinds = ["accuracy", "EMAP", "EMAP, 100 partners"]
# A row for each run, a column for each way.
ways = measured[measured["model"].isin(products) & measured["measure"].isin(kinds)]
ways = ways.pivot_table("value", ["model", "seed"], "measure")[kinds]
print(ways.round(3).to_string())
claim("in some run 100 partners are off by over 0.01",
      (ways["EMAP"] - ways["EMAP, 100 partners"]).abs().max() > 0.01)  # fmt: skip
all_pairs = read_results("09", "report").query(
    "model == 'C' and measure == 'interaction'"
)
claim("on all pairs of 800 cards, EMAP moves concat + MLP by under 0.01 in each seed",
      all_pairs["value"].abs().max() < 0.01)  # fmt: skip

# %% [markdown]
# ## What the data hold
#
# EMAP asks a model. What would the best model need? The *entropy* of a label, $H(Y) = -\sum_y p(y)
# \log_2 p(y)$, is about how many yes-or-no questions it takes: a fair coin has 1 *bit*.
# The *mutual information* is how many bits a sense $A$ saves,
#
# $$ I(Y; A) = \sum_{a, y} p(a, y) \log_2 \frac{p(a, y)}{p(a)\, p(y)} . $$
#
# What two senses save together, less what they save one by one, is the *interaction information*,
# $I(Y; A, B) - I(Y; A) - I(Y; B)$.
#
# ### Exercise 2: `interaction_information` · 8 min · medium
#
# `mutual_information(table)` takes p(row, column), a table of two axes.

# %% tags=["exercise"]
from course_utils.information import mutual_information


def interaction_information(joint):
    """I(Y; A, B) - I(Y; A) - I(Y; B), in bits, as a float.

    joint (I, J, K) double tensor: p(a, b, y), sum 1
    """
    ### BEGIN SOLUTION
    both = mutual_information(joint.flatten(0, 1))  # each pair (a, b) is one row
    return (
        both
        - mutual_information(joint.sum(dim=1))
        - mutual_information(joint.sum(dim=0))
    )
    ### END SOLUTION


# %% tags=["check"]
interaction_information = check(interaction_information)

# %% [markdown]
# It is a difference of two things: *synergy* (S), what only both senses together say, less
# *redundancy* (R), what both say alike. What only one sense says is *unique* (U1, U2).
# Bertschinger et al. (2014) measure all four (deeper, below). In bits, for two fair bits $a$ and
# $b$: *copy* is the label $a$; in *equal*, $a$, $b$ and the label are the same. Two *sensors* each
# report a fair label wrongly with chance 0.2. The last column is your function:

# %% tags=["nbval-check-output"]
from course_utils.data import dial
from course_utils.information import bits_lost_by_adding, partial_information

RULES = ("xor", "and", "or", "copy", "equal")
# Probabilities p(a, b, label). Shape (2, 2, 2) each
joints = {name: dial.TWINS[name] for name in RULES} | {"sensors": dial.two_sensors(0.2)}
parts = {name: partial_information(joint) for name, joint in joints.items()}
yours = {n: float(interaction_information(torch.tensor(j))) for n, j in joints.items()}
print("          R      U1     U2     S      yours")
for name in joints:
    # Adding 0.0 makes -0.0 a plain 0.
    numbers = (round(bits, 3) + 0.0 for bits in (*parts[name], yours[name]))
    print(f"{name:8}", *(f"{bits:.3f} " for bits in numbers))

# %% [markdown]
# On AND either bit says the same 0.311 bit. Who knows both learns 0.5 bit more.

# %%
import numpy as np

exact = [np.subtract(parts[name], dial.EXACT[name]) for name in RULES]
claim("the rules' bits are the textbook's, rounded", np.abs(exact).max() < 5e-4)
off = [yours[n] - (parts[n].synergy - parts[n].redundant) for n in joints]
claim("yours is synergy less redundancy", np.abs(off).max() < 1e-4)

# %% [markdown]
# Take the best model whose logit is a sum, $g(a) + h(b)$. How many bits does it lose on AND against
# the best of all models?

# %% tags=["guess"]
guess("bits that adding loses on AND", ...)

# %% [markdown]
# Bits of cross-entropy, fitted until nothing moves:

# %%
# The best of all additive models, less the best of all models.
lost = {name: bits_lost_by_adding(joint) for name, joint in joints.items()}
for name, bits in lost.items():
    print(f"{name:8} synergy {parts[name].synergy:.2f}, lost by adding {bits:.2f}")
settle("bits that adding loses on AND", lost["and"], near=0.05)

# %% [markdown]
# **Synergy is a property of data, interaction one of a model.** Adding loses nothing on AND: $a + b
# > 1.5$ says it. Nor on the sensors: given the label they are independent, so adding is best (04).
# Of these, XOR alone needs a model that interacts.

# %%
both = [round(parts[name].synergy, 2) for name in ("and", "sensors")]
claim("AND has 0.5 bit of synergy and the sensors have 0.18", both == [0.5, 0.18])
claim("on XOR adding loses the whole bit", abs(lost["xor"] - 1) < 1e-6)
others = [bits for name, bits in lost.items() if name != "xor"]
claim("on all others it loses under 0.001", max(others) < 1e-3)

# %% [markdown]
# The table of AND as a figure ($a$ is called image, $b$ text):

# %%
show(widgets.draw_bits(), alt=widgets.describe_bits())

# %% [markdown]
# **Now yours.** A slider is the chance of label 1 where the bits have these values; *agree* is how
# often the bits are equal. Without a chance below 0.05 or
# above 0.95: find synergy of over 0.1 bit where adding loses nothing.

# %% tags=["volatile"]
widgets.bits_explorer()

# %% [markdown]
# <details><summary>Where?</summary>
#
# 0.05, 0.5, 0.5, 0.95: each bit moves the logit by the same amount, whatever the other is.
# Synergy is 0.21 bit.
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this guess* 0.5 is usual: the synergy was just read. *Live:* XOR (0, 1, 1, 0); then turn
# *agree* from 0.5 to 1 on AND, and synergy becomes redundancy. *Ask:* a paper measures synergy in
# its data and concludes that its fusion must interact. What is missing?

# %% [markdown]
# ## Deeper: four parts of information
#
# How are R, U and S told apart? Keep what each sense alone says of the label, $p(a, y)$ and $p(b,
# y)$, and choose the rest of the table so that both together say least. What is lost is synergy:
# no one could know it from the senses one by one (Bertschinger et al., 2014). Williams and Beer
# (2010) were first, with another measure of redundancy. They agree on all rules above. Where the
# label *names both bits* they do not:

# %% tags=["nbval-check-output"]
from course_utils.information import williams_beer

print("                      R  U1 U2 S")
for name, measure in {"2014": partial_information, "2010": williams_beer}.items():
    bits = [round(one) for one in measure(dial.TWINS["pair"])]
    print(f"label names both, {name}", *bits, sep="  ")

# %% [markdown]
# Each bit says one bit, but of different things: unique, says 2014. As much of each label, so
# redundant, says 2010. There is no agreed definition; a paper has to say which it takes.
#
# Why does adding never lose more than the synergy? The predictions of the best additive model, with
# the data's $p(a, b)$, make a table that keeps $p(a, y)$ and $p(b, y)$. Of all tables that keep
# these two, 2014 takes the one that says least: it says no more than the additive model. On five
# tables drawn at random:

# %%
random = np.random.default_rng(0)
# Any table is as likely as any other. Shape (5, 2, 2, 2)
drawn = random.dirichlet(np.ones(8), size=5).reshape(-1, 2, 2, 2)
gaps = [partial_information(j).synergy - bits_lost_by_adding(j) for j in drawn]
claim("on 5 random tables synergy is at least what adding loses", min(gaps) > -1e-6)

# %% [markdown]
# ## Who contributed?
#
# Let $v(S)$ be the accuracy with the senses in $S$. How is the gain of both over none divided?
# Shapley (1953): let the senses come one after the other, note what each adds, and take the mean
# over all orders.
#
# ### Exercise 3: `modality_shapley` · 10 min · medium


# %% tags=["exercise"]
from itertools import permutations


def modality_shapley(value):
    """What each sense adds, as the mean over all orders: {name: share}.

    value {frozenset of names: number}, for every set of the senses, one sense or more,
    and for the empty one
    """
    names = sorted(max(value, key=len))
    ### BEGIN SOLUTION
    shares = dict.fromkeys(names, 0.0)
    orders = list(permutations(names))
    for order in orders:
        before = frozenset()
        for name in order:
            # What it adds to those that came before it.
            shares[name] += (value[before | {name}] - value[before]) / len(orders)
            before = before | {name}
    return shares
    ### END SOLUTION


# %% tags=["check"]
modality_shapley = check(modality_shapley)

# %% [markdown]
# But what is "without the text"? Another model, *trained without* it; or the same model, with the
# text *shuffled*. (With neither: the majority; or both shuffled, each by an order of its own.) For
# concat + MLP, five seeds:

# %%
shares = {}
for task in ("match", "section"):
    worth = read_results("09", f"shapley, {task}")
    value = worth[worth["measure"] == "value"].pivot_table("value", "model", "setting")
    # "image+text" is the set of both, "none" the empty one.
    sets = {name: frozenset(name.split("+")) - {"none"} for name in value.index}
    for absent in value.columns:
        known = {sets[name]: number for name, number in value[absent].items()}
        shares[task, absent] = modality_shapley(known)
of_shares = pd.DataFrame(shares).T
print(of_shares.round(2).to_string())
gap = of_shares["image"] - of_shares["text"]
claim("on match each sense gets half, within 0.01, however it is taken away",
      gap["match"].abs().max() < 0.02)  # fmt: skip
claim("on section shuffling makes the picture's lead larger, by over 0.1",
      gap["section", "shuffled"] > gap["section", "trained without"] + 0.1)  # fmt: skip

# %% [markdown]
# On `match` each sense gets half of a gain that belongs to neither, and no share says so. On
# `section` it depends on what "absent" means. A model that never met shuffled rows trusts what it
# sees: shuffling measures what *this model* does with a sense, not what the sense knows. So name
# $v$, and how absence was made.

# %% [markdown]
# ## Deeper: a drop is not information
#
# Permutation drops of all heads on `section`, beside what the text alone gains over the majority:

# %%
measured = read_results("09", "section").pivot_table("value", "model", "measure")
of_drops = measured[["accuracy", "image shuffled", "text shuffled"]].dropna()
text_alone = measured["accuracy"]["text alone"] - measured["accuracy"]["majority"]
print(of_drops.round(2).to_string())
print(f"text alone gains {text_alone:.2f}")
apart = of_drops.loc["product"] - of_drops.loc["concat + MLP"]
claim("product and concat + MLP are less than 0.05 apart",
      abs(apart["accuracy"]) < 0.05)  # fmt: skip
claim("a shuffled headline costs the product over 0.1 more",
      apart["text shuffled"] > 0.1)  # fmt: skip
claim("text alone gains over twice what shuffling it costs concat + MLP",
      text_alone > 2 * of_drops["text shuffled"]["concat + MLP"])  # fmt: skip

# %% [markdown]
# Heads within a few points of each other lose very different amounts. And the drop is small for a
# sense that knows much, where the other one says most of it too.

# %% [markdown]
# ## Leaks that nobody planted
#
# *Spoken digits* (six speakers; spectra and a linear model), with test rows at random, so that each
# speaker is in both splits:

# %%
digits = read_results("09", "digits")
digits = digits[digits["model"] == "spectra, linear"].groupby("setting")["value"].mean()
shared, left_out = digits["speakers shared"], digits["speaker left out"]
print(f"speakers shared: {shared:.2f}")

# %% [markdown]
# And on a speaker that was left out?

# %% tags=["guess"]
guess("digits, speaker left out", ...)

# %% [markdown]
# The mean over the six:

# %%
settle("digits, speaker left out", left_out, near=0.05)

# %%
claim("sharing speakers flatters by over 0.05", shared > left_out + 0.05)

# %% [markdown]
# What the cards taught, and what came out here and on *emoji* (which of eight groups? Its senses:
# picture, name, keywords; deeper, below):
#
# | on cards | on real data |
# | --- | --- |
# | a blind baseline tells at once | picture and keywords: keywords alone are as good |
# | both senses beat either | picture and name: yes |
# | a cue that was not meant | words of the label among the keywords: yes, a few points |
# | (not tried) related rows in both splits flatter | speakers: yes. Families of names: not seen |

# %% [markdown]
# ### Exercise 4: `find_the_leak` · 8 min · medium · *break this claim*
#
# The colleague mended the pictures and had some headlines written anew. **The claim:** "No word of
# the headline tells whether it fits." Find a word, and what it means (1 fits, 0 does not). You win
# if "this word: that answer, else: the other" is right on over 0.6 of fresh headlines.

# %%
mended_rows = planted.mended_headlines(4000, seed=9)
texts, fits = mended_rows["headline"], mended_rows["match"]
print(*texts[:3], sep="\n")


# %% tags=["exercise"]
def find_the_leak():
    """A word of the headlines that tells whether they fit.

    -> {"word": ..., "means": 1 or 0}
    """
    ### BEGIN SOLUTION
    # Found by counting, for each word, the headlines of either kind that hold it.
    return {"word": "against", "means": 0}
    ### END SOLUTION


# %% tags=["check"]
find_the_leak = check(find_the_leak)

# %% [markdown] slideshow={"slide_type": "notes"}
# *Exercise 4:* who only looks at headlines finds nothing; who counts is done in five lines. *Ask:*
# which words would you suspect in captions that people wrote for the wrong picture?

# %% [markdown]
# Where people write the pairs, such words come by themselves: in sentences that are to contradict,
# *nobody*, *no*, *never* (Gururangan et al., 2018).
#
# ## A report on one page
#
# ### Exercise 5: `multimodality_report` · 30 min · hard · *a build*
#
# A second sitting: all of it in one function. You have `pair_scores`, `emap`, `permutation_drop`
# and `right_in(K logits, label)`, which gives (K, n) bool. `paired_gain(right, other)` (08) gives
# (gain, low, high) of one model over another on the same rows.

# %% tags=["exercise"]
from course_utils.measures import paired_gain


def multimodality_report(score, first, second, label, alone, orders):
    """Whether a result is multimodal.

    score: a function that gives logits (n, C) of first and second, (n, ...) each
    label (n,) long; orders (K, n) long, K shuffles of the rows
    alone {name: (n,) bool}: which rows a baseline that lacks a sense gets right
    -> dict:
        accuracy: a number
        rival: the name in alone that is right most often
        gain: over the rival, (value, low, high)
        first_drop, second_drop: of shuffling that sense, (value, low, high)
        interaction: the gain over the model's own EMAP, (value, low, high)
        verdict: "no better than " and the rival, where the gain's low end is 0 or less;
            else "interacts", where the interaction's is above 0; else "adds"
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        right = score(first, second).argmax(dim=1) == label
        mixed = [score(first[order], second).argmax(dim=1) == label for order in orders]
        turned = [
            score(first, second[order]).argmax(dim=1) == label for order in orders
        ]
        added = emap(pair_scores(score, first, second)).argmax(dim=1) == label
    rival = max(alone, key=lambda name: alone[name].double().mean())
    gain, interaction = paired_gain(right, alone[rival]), paired_gain(right, added)
    # The low end: a value above 0 may be luck.
    if gain[1] <= 0:
        verdict = f"no better than {rival}"
    else:
        verdict = "interacts" if interaction[1] > 0 else "adds"
    return {
        "accuracy": right.double().mean().item(),
        "rival": rival,
        "gain": gain,
        "first_drop": permutation_drop(right, torch.stack(mixed)),
        "second_drop": permutation_drop(right, torch.stack(turned)),
        "interaction": interaction,
        "verdict": verdict,
    }
    ### END SOLUTION


# %% tags=["check"]
multimodality_report = check(multimodality_report)

# %% [markdown]
# Three models: A, B, and C, concat + MLP on `section`. Which verdict will C get?

# %% tags=["guess"]
guess("verdict on C", ..., ["no better", "adds", "interacts"])

# %% [markdown]
# With their own blind baselines, on up to 800 test cards:


# %%
def report_on(one, blind, features, rows=800):
    """The report on a trained head and its blind baselines."""
    test, label = features["test"], features["test"]["label"][:rows]
    right = {name: b.logits[:rows].argmax(1) == label for name, b in blind.items()}
    # Who asks neither sense is a rival too.
    right["the commonest class"] = (
        label == features["train"]["label"].bincount().argmax()
    )
    # Shape (5, n): the same five shuffles for either sense.
    rng = torch.Generator().manual_seed(0)
    orders = torch.stack([torch.randperm(len(label), generator=rng) for _ in range(5)])
    inputs = test["image"][:rows], test["text"][:rows], label
    return multimodality_report(score_of(one.model), *inputs, right, orders)


own = {split: to_tensors(part, world.readers) for split, part in world.rows().items()}
of_section = cache_features(world.encoders, own)
C = train_heads({"concat + MLP": ConcatMLPFusion}, of_section, 5)["concat + MLP"]
reports = {
    "A": report_on(A, train_heads(ALONE, features, 2), features),
    "B": report_on(B, blind, with_thumbnail),
    "C": report_on(C, train_heads(ALONE, of_section, 5), of_section),
}
for name, report in reports.items():
    print(report_page(name, report, ("image", "text")), end="\n\n")
verdicts = {name: report["verdict"] for name, report in reports.items()}
settle("verdict on C", verdicts["C"].partition(" than ")[0])

# %% [markdown]
# Five seeds of each, with their own cards:

# %%
wanted = {"A": "interacts", "B": "no better than image alone", "C": "adds"}
claim("A interacts, B is no better, C adds", verdicts == wanted, trained=True)
kept = read_results("09", "report").query("measure == 'accuracy'")
claim("and so do all in the file", (kept["model"].map(wanted) == kept["setting"]).all())

# %% [markdown]
# A compares, B cheats, C adds: on `section` no interaction can help (04). But no verdict clears a
# model: deeper, below, one compares *and* cheats.
#
# **The article.** Its step 5 is one line: evaluate the model on test data. There A and B are
# equal.

# %% [markdown]
# ## A checklist for papers, and for your own
#
# 1. Is each sense alone in the table, tuned as hard, with all that the model gets from it?
# 2. Is a linear model of both there, and concat + MLP? Does a row pass a known ceiling?
# 3. What does it lose if a sense is shuffled?
# 4. And under EMAP? Does the text say "interaction" where it measured a gain?
# 5. How were negative pairs made? Could one sense tell?
# 6. What is in both splits: speakers, families, near copies, days?
# 7. How many seeds, and of how many trials?
# 8. If there are shares: of which $v$, and how was a sense made absent?

# %% [markdown]
# ## Deeper: it compares, and it cheats
#
# D is the product *with* the thumbnail, one seed of it on 400 cards; and what five seeds said:

# %%
D = train_heads({"product": ProductFusion}, with_thumbnail, 2)["product"]
of_D = report_on(D, blind, with_thumbnail, rows=400)
print(report_page("D", of_D, ("image", "text")))
claim("D interacts, as A does", of_D["verdict"] == "interacts", trained=True)
# Five seeds of such a D, on 5,000 cards each.
Ds = leak.query("model == 'product' and setting == 'encoder and thumbnail'")
Ds = Ds.pivot_table("value", "seed", "measure")
claim(
    "in each seed it loses over 0.1 under EMAP",
    (Ds["accuracy"] - Ds["EMAP"] > 0.1).all(),
)
claim("and passes the ceiling", (Ds["accuracy"] > seen["ceiling, both"] + 0.02).all())

# %% [markdown]
# The verdict is that of A, but D reads the mark too. Two numbers of the table of blind baselines
# tell: it passes the ceiling, and its picture alone is far above the coin.

# %% [markdown]
# ## Deeper: emoji, and Shapley values of three
#
# *Emoji* (eight groups; linear models, five divisions) have three senses: picture, name and
# keywords. Names come in families, *man cook* and
# *woman cook*: what if whole families stay on one side? And many keyword lists hold a word of a
# group's name, as *food*: what if such words are hidden?

# %%
emoji = read_results("09", "emoji")
emoji = emoji[emoji["measure"] == "accuracy"]
by_split = emoji.pivot_table(
    "value", "model", "dials", aggfunc=["mean", "std"], sort=False
)
print(by_split.round(3).to_string(na_rep=""), end="\n\n")
names = emoji[emoji["model"] == "name"].pivot_table("value", "seed", "dials")
# One difference for each of the five seeds.
moved = names["by family"] - names["row by row"]
print(f"name, by family: {moved.mean():+.3f}, standard error {moved.sem():.3f}")
by_row = by_split["mean", "row by row"]
claim("picture and name beat the name alone by over 0.02",
      by_row["image+name"] > by_row["name"] + 0.02)  # fmt: skip
claim("picture and keywords are within 0.01 of keywords alone",
      abs(by_row["image+keywords"] - by_row["keywords"]) < 0.01)  # fmt: skip
claim("words of the groups are worth over 0.02 to the keywords",
      by_row["keywords"] > by_row["keywords, group words hidden"] + 0.02)  # fmt: skip
claim("for families, the change is below its error", abs(moved.mean()) < moved.sem())

# %% [markdown]
# **Shapley values of three.** $v$ is the accuracy of the linear models above, trained on each set
# of the three senses, row by row. Your function divides it:

# %%
worth = by_row.drop("keywords, group words hidden")
sets = {name: frozenset(name.split("+")) - {"majority"} for name in worth.index}
share = modality_shapley({sets[name]: number for name, number in worth.items()})
print({name: round(float(number), 3) for name, number in share.items()})
claim("whatever joins the keywords adds under 0.01",
      max(worth[name] for name in worth.index if "keywords" in name)
      < worth["keywords"] + 0.01)  # fmt: skip
claim("and yet picture and name get shares of over 0.08 each",
      min(share["image"], share["name"]) > 0.08)  # fmt: skip

# %% [markdown]
# Beside the keywords, picture and name add nothing. Yet both get a share, from the orders in which
# they come first. A share says what a sense is worth on average, not what is lost without it.

# %% [markdown]
# ## Deeper: many seeds, many comparisons
#
# Two models that know nothing, on 1,000 rows: the interval of 95 % lies above 0 for one time in
# forty. Now 40 fusions that know nothing, against one baseline that knows nothing, and the best is
# reported:

# %%
rng = torch.Generator().manual_seed(0)
wins = []
for _ in range(200):  # papers
    right = torch.rand(41, 1000, generator=rng) < 0.5  # a baseline, and 40 fusions
    lows = [paired_gain(fusion, right[0])[1] for fusion in right[1:]]
    wins.append(max(lows) > 0)
share = sum(wins) / len(wins)
print(f"at least one of 40 is 'significantly better' in {share:.2f} of 200 papers")
claim("that is over 0.15, and below what 40 baselines of their own would give",
      0.15 < share < 1 - 0.975**40)  # fmt: skip

# %% [markdown]
# They share one baseline: where it is unlucky, many fusions win at once, where it is lucky, none.
# So choose on validation rows, test the one that was chosen, and say how many were tried. With $m$
# comparisons, asking for $1 - 0.05/m$ in place of 95 % is the simplest mend (Bonferroni). Seeds are
# no cure for a leak: each of them finds it.

# %% [markdown]
# ## Recap: does either of them compare the two?
#
# - A does. B lives on a mark in the picture. Accuracy did not say so.
# - EMAP asks what a model's interactions earn. On `match` all; on `section`, for heads
#   that multiply, less than nothing.
# - Synergy is of data, interaction of models: AND has the one and needs not the other.
# - Shapley values split an interaction evenly and hide it.
# - What will be new in use belongs on one side of the split.
#
# **Common mistakes.** Taking a permutation drop for information. Blind baselines with less input.
# Calling a gain over one sense "interaction".

# %% [markdown]
# ## Quiz

# %%
quiz("09")

# %% [markdown]
# **Further reading**
#
# - Goyal, Khot, Summers-Stay, Batra and Parikh, *Making the V in VQA Matter: Elevating the Role of
#   Image Understanding in Visual Question Answering*, CVPR, 2017: blind baselines.
# - Hessel and Lee, *Does my multimodal model learn cross-modal interactions? It's harder to tell
#   than you might think!*, EMNLP, 2020: EMAP.
# - Gururangan, Swayamdipta, Levy, Schwartz, Bowman and Smith, *Annotation Artifacts in Natural
#   Language Inference Data*, NAACL, 2018: what people write into negative pairs.
# - Breiman, *Random Forests*, Machine Learning 45, 2001: permutation drops.
# - Williams and Beer, *Nonnegative Decomposition of Multivariate Information*, arXiv:1004.2515,
#   2010.
# - Bertschinger, Rauh, Olbrich, Jost and Ay, *Quantifying Unique Information*, Entropy 16(4), 2014.
# - Shapley, *A Value for n-Person Games*, Contributions to the Theory of Games II, Princeton
#   University Press, 1953.
