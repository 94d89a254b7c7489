# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Is it really multimodal?
#     minutes: {read: 50, exercises: 38, deeper: 15, build: 30}
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
# four cards in five. Does either of them compare the two?*

# %%
import torch

from course_utils import check, claim, guess, hint, quiz, settle, show, solution
from course_utils.data import news_cards, planted
from course_utils.data.rows import split_rows, take
from course_utils.display import card_wall

# A colleague collected these.
cards = planted.colleagues_cards(6000, seed=0)
four = take(cards, [0, 1, 2, 3])
titles = ["fits" if fits else "does not fit" for fits in four["match"]]
alt = "Four of the colleague's news cards, each with its headline, and whether it fits."
show(card_wall(four, titles=titles), alt=alt)

# %% [markdown]
# The task is `match` (lesson 05): neither sense alone knows anything about it. Model A is a
# *product* of frozen features. Model B is *concat + linear*, and its picture comes with a
# *thumbnail* of 12 by 12 colours.

# %%
from course_utils import frozen
from course_utils.data.batches import to_tensors
from course_utils.experiment import cache_features, models_fused
from course_utils.fusion import ConcatFusion, ProductFusion

world = frozen.load(0)
rows = split_rows(news_cards.rows_for(cards, "match"))
tensors = {split: to_tensors(part, world.readers) for split, part in rows.items()}
features = cache_features(world.encoders, tensors)  # image and text: (n, 64) each
with_thumbnail = {}
for split, part in features.items():
    small = torch.nn.functional.adaptive_avg_pool2d(tensors[split]["image"] / 255, 12)
    image = torch.cat([part["image"], small.flatten(1) - 0.5], dim=1)  # (n, 64 + 432)
    with_thumbnail[split] = part | {"image": image}

# %% [markdown]
# Heads are trained as in 05:

# %%
from course_utils.measures import accuracy


def train_heads(heads, features, classes):
    """{name: a trained head, with its logits of the test rows}."""
    options = {"epochs": 12, "learning_rate": 5e-3, "batch_size": 128}
    names = ["image", "text"]
    return models_fused(heads, features, classes, names=names, options=options)


label = features["test"]["label"]
A = train_heads({"product": ProductFusion}, features, 2)["product"]
B = train_heads({"concat + linear": ConcatFusion}, with_thumbnail, 2)["concat + linear"]
print(f"A {accuracy(A.logits, label):.2f}, B {accuracy(B.logits, label):.2f}")

# %% [markdown]
# Lesson 05 proved that a head that adds stays at the coin on `match`. B only adds, and it is as
# good as A.
#
# ## Shuffle one sense
#
# Give each test card the headline of another card, and ask again. What one sense has to say is then
# about another card. The fall in accuracy is the *permutation drop* of that sense. How often is B
# right with other cards' headlines?

# %% tags=["guess"]
guess("B with other headlines", ...)

# %% [markdown]
# Five shuffles of either sense. The interval is over test cards (95 %):

# %%
from course_utils.measures import permutation_drop
from course_utils.multimodality import right_in

orders = torch.stack([torch.randperm(len(label)) for _ in range(5)])  # (5, n)


def score_of(model):
    """The model as a function of two batches of features."""
    return lambda image, text: model({"image": image, "text": text})


@torch.no_grad()
def drops(model, test):
    """{sense: (drop, low, high)}"""
    score, image, text = score_of(model), test["image"], test["text"]
    right = score(image, text).argmax(dim=1) == test["label"]
    shuffled = {
        "image": [score(image[order], text) for order in orders],
        "text": [score(image, text[order]) for order in orders],
    }
    return {
        name: permutation_drop(right, right_in(logits, test["label"]))
        for name, logits in shuffled.items()
    }


tested = {"A": (A, features["test"]), "B": (B, with_thumbnail["test"])}
found = {name: drops(one.model, test) for name, (one, test) in tested.items()}
for name, senses in found.items():
    for sense, (drop, low, high) in senses.items():
        print(f"{name}: {sense:5} shuffled costs {drop:.2f}  [{low:.2f}, {high:.2f}]")
settle("B with other headlines", accuracy(B.logits, label) - found["B"]["text"][0])

# %% [markdown]
# B never needed the headline.

# %%
claim("A loses over 0.2 with either sense shuffled",
      min(found["A"]["image"][0], found["A"]["text"][0]) > 0.2, trained=True)  # fmt: skip
claim("B loses over 0.2 with the picture shuffled, and under 0.05 with the headline",
      found["B"]["image"][0] > 0.2 and found["B"]["text"][0] < 0.05, trained=True)  # fmt: skip

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* Two models at one accuracy and the shuffle (5 min), the
# map of blocks (2), EMAP on `match` and on `section` with its *guess* (5), AND against the two
# sensors with the sliders (5), the checklist (3). Leave Shapley and the build for home.
#
# *At this guess* about half say 0.5, because the task needs both; few trust the proof of 05 and say
# that B cannot use the headline together with the picture.

# %% [markdown]
# ## Blind baselines
#
# A *blind* baseline gets one sense and must answer all the same (Goyal et al., 2017, asked
# questions about pictures without the picture). It gets exactly what the model gets from that
# sense: here, B's picture with its thumbnail.

# %%
import pandas as pd

from course_utils.data.results import read_results, scores
from course_utils.tables import fair_table

ALONE = {
    "image alone": lambda dims: ConcatFusion({"image": dims["image"]}),
    "text alone": lambda dims: ConcatFusion({"text": dims["text"]}),
}
blind = train_heads(ALONE, with_thumbnail, 2)
here = {name: accuracy(one.logits, label) for name, one in blind.items()}

leak = read_results("09", "leak")
wide = leak[leak["setting"].isin(["", "encoder and thumbnail"])]
table = fair_table(scores(wide), news_cards.ceiling("match"))[["mean", "spread"]]
mended = fair_table(scores(wide, "accuracy, mended"))["mean"]
print(table.assign(mended=mended, here=pd.Series(here)).round(2).to_string(na_rep=""))

# %% [markdown]
# *Mean* and *spread* are over five seeds, each tested on 5,000 fresh cards of the colleague's kind
# (`data/results/09.csv`; `make results LESSON=09`). The picture alone is right on four cards in
# five, where the ceiling is 0.5: **something in the pictures tells the label.** *Mended* is the
# same models on the same cards without it. What is it? Ask a linear model of one block of 8 by 8
# pixels at a time:

# %%
from course_utils.widgets import lesson09 as widgets

blocks = read_results("09", "blocks").groupby("dials")["value"].mean()
blocks = {tuple(map(int, place.split(","))): share for place, share in blocks.items()}
marked = cards["image"][cards["marked"]][0]
show(widgets.draw_blocks(blocks, marked), alt=widgets.describe_blocks(blocks))

# %%
best_block = max(blocks, key=blocks.get)
others = [share for place, share in blocks.items() if place != best_block]
claim("one block tells: the lower left one, by over 0.2 more than any other",
      best_block == (5, 0) and blocks[best_block] > max(others) + 0.2)  # fmt: skip
mean = table["mean"]
claim("on the colleague's cards B is no better than its picture alone, within 0.01",
      abs(mean["concat + linear"] - mean["image alone"]) < 0.01)  # fmt: skip
claim("mended, B falls by over 0.2",
      mended["concat + linear"] < mean["concat + linear"] - 0.2)  # fmt: skip

# %% [markdown]
# A magenta square in the corner of most fitting cards: pairs of one label had gone through another
# program. This is a *leak*: the input tells the label in a way that will not be there in use. Test
# rows do not reveal it, because they came the same way.
#
# ## Take the interactions away
#
# Shuffling says that A uses both senses. Does it *compare* them, or only add? Hessel and Lee (2020)
# ask for the additive score that is nearest to the model's own. Score all $n^2$ pairings $f(i, j)$
# of image $i$ with text $j$, and take
#
# $$ \hat f(i, i) = \operatorname*{mean}_{j} f(i, j) + \operatorname*{mean}_{j} f(j, i)
# - \operatorname*{mean}_{j, k} f(j, k) . $$
#
# It is the part of $f$ that lesson 05's mixed difference leaves over, an image part plus a text
# part. They call it *EMAP*. Nothing is trained again. If accuracy stays, the interactions earned
# nothing on this task.
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
# On A, over 600 test cards, which make 360,000 pairs:

# %%
from course_utils.multimodality import pair_scores

some = {name: part[:600] for name, part in features["test"].items() if name != "present"}
pairs = pair_scores(score_of(A.model), some["image"], some["text"])  # (600, 600, 2)
as_it_is = pairs.diagonal().T  # (600, 2)
print(f"A as it is {accuracy(as_it_is, some['label']):.2f},", end=" ")
print(f"only adding {accuracy(emap(pairs), some['label']):.2f}")

# %% [markdown]
# A compares. Now `section`, where both senses help and product heads come close to concat. They
# have learnt interactions there too. Under EMAP, the mean accuracy of product, tensor, low rank and
# bilinear over five seeds ...

# %% tags=["guess"]
guess("products that only add", ..., ["falls", "stays", "rises"])

# %% [markdown]
# (*stays*: within 0.005.) Both tasks, as they are and under EMAP, on 5,000 fresh cards a seed:

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
# This line could have come out either way. Without their interactions, heads that multiply are
# *better* on `section`: what they had learnt beyond adding was noise.

# %%
interacting = ["concat + MLP", "maximum", *products]
on_match = both_tasks["match, EMAP"][interacting]
claim("on match EMAP takes every interacting head to the coin, within 0.02",
      (on_match - 0.5).abs().max() < 0.02)  # fmt: skip
claim("on section it changes concat + MLP by under 0.01", abs(change["concat + MLP"]) < 0.01)
claim("it lowers none of the products by more than 0.005", change[products].min() > -0.005)
claim("and raises their mean by over 0.005", moved > 0.005)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this guess* most type "falls": why else would one multiply? *Ask* what follows for the theorem
# of 04: on `section` the senses are independent given the label, so no interaction can pay there.
# *Usual wrong reading:* "EMAP shows that the data need no interaction". It shows what *this* model's
# interactions are worth. A head that never learnt to compare passes the same test.

# %% [markdown]
# ## Deeper: EMAP on all rows
#
# All pairs of 5,000 cards are 25 million. The file's figures take the means over 100 *partners*,
# drawn once, in place of all: a million pairs. On 500 cards both ways can be had:

# %%
cheap = read_results("09", "section").pivot_table("value", "model", "measure")
ways = cheap[["EMAP, exact on 500", "EMAP, cheap on the same"]].dropna()
print(ways.round(3).to_string())
claim("means over seeds differ by under 0.01",
      (ways.iloc[:, 0] - ways.iloc[:, 1]).abs().max() < 0.01)  # fmt: skip

# %% [markdown]
# ## What the data hold
#
# EMAP and shuffling ask a model. What would the best model need? The *entropy* of a label, $H(Y) =
# -\sum_y p(y) \log_2 p(y)$, is how many yes-or-no questions it takes on average to learn it: a fair
# coin has 1 *bit*. The *mutual information* is how many bits a sense $A$ saves,
#
# $$ I(Y; A) = \sum_{a, y} p(a, y) \log_2 \frac{p(a, y)}{p(a)\, p(y)} . $$
#
# Two senses may save more together than both alone added up, or less, where they say the same. The
# difference is the *interaction information*, $I(Y; A, B) - I(Y; A) - I(Y; B)$.
#
# ### Exercise 2: `interaction_information` · 8 min · medium
#
# `mutual_information(table)` takes p(row, column), a table of two axes.

# %% tags=["exercise"]
from course_utils.information import mutual_information


def interaction_information(joint):
    """I(Y; A, B) - I(Y; A) - I(Y; B), in bits, as a float.

    joint (I, J, K) double: p(a, b, y), sum 1
    """
    ### BEGIN SOLUTION
    both = mutual_information(joint.flatten(0, 1))  # each pair (a, b) is one row
    return both - mutual_information(joint.sum(dim=1)) - mutual_information(joint.sum(dim=0))
    ### END SOLUTION


# %% tags=["check"]
interaction_information = check(interaction_information)

# %% [markdown]
# It lumps two things. What both senses say, each alone, is *redundant*; what only the two together
# say is *synergy*. The interaction information is synergy less redundancy. Bertschinger et al.
# (2014) tell them apart (how: the deeper section below), with what is *unique* to either sense. Bits
# for some rules of two fair bits, and for two *sensors* that each report a fair label wrongly with
# chance 0.2:

# %% tags=["nbval-check-output"]
from course_utils.data import dial
from course_utils.information import bits_lost_by_adding, partial_information

RULES = ("xor", "and", "or", "copy", "equal")
joints = {name: dial.TWINS[name] for name in RULES} | {"sensors": dial.two_sensors(0.2)}
print("          R      U1     U2     S")
for name, joint in joints.items():
    print(f"{name:8}", *(f"{bits:.3f} " for bits in partial_information(joint)))

# %%
claim("the rules' bits are the textbook's, to three decimals",
      all(abs(bits - known) < 5e-4 for name in RULES
          for bits, known in zip(partial_information(joints[name]), dial.EXACT[name])))  # fmt: skip
for joint in map(torch.tensor, joints.values()):
    parts = partial_information(joint)
    assert abs(interaction_information(joint) - parts.synergy + parts.redundant) < 1e-6

# %% [markdown]
# AND has half a bit of synergy, XOR a whole one, the sensors some. How many bits does the best
# model that only adds, $g(a) + h(b)$, lose on AND against the best of all models?

# %% tags=["guess"]
guess("bits that adding loses on AND", ...)

# %% [markdown]
# Bits of cross-entropy, exact:

# %%
lost = {name: bits_lost_by_adding(joint) for name, joint in joints.items()}
for name in ("xor", "and", "sensors"):
    synergy = partial_information(joints[name]).synergy
    print(f"{name:8} synergy {synergy:.2f}, lost by adding {lost[name]:.2f}")
settle("bits that adding loses on AND", lost["and"], near=0.05)

# %% [markdown]
# **Synergy is a property of data, interaction one of a model.** Adding loses nothing on AND: $a + b
# > 1.5$ says it. Nor on the sensors: given the label they are independent, so adding is best (04).
# XOR alone needs a model that interacts.

# %%
synergies = {name: partial_information(joint).synergy for name, joint in joints.items()}
claim("AND has 0.5 bit of synergy, the sensors 0.18, and adding loses under 0.001 on both",
      round(synergies["and"], 2) == 0.5 and round(synergies["sensors"], 2) == 0.18
      and max(lost["and"], lost["sensors"]) < 1e-3)  # fmt: skip
claim("on XOR it loses the whole bit", abs(lost["xor"] - 1) < 1e-6)

# %% [markdown]
# The table of AND as a figure:

# %%
show(widgets.draw_bits(), alt=widgets.describe_bits())

# %% [markdown]
# **Now yours.** Each slider is the chance of label 1 where the bits have these values; *equal* is
# how often the two bits agree. Without a chance below 0.05 or above 0.95: find synergy of over 0.1
# bit where adding loses nothing.

# %% tags=["volatile"]
widgets.bits_explorer()

# %% [markdown]
# <details><summary>Where?</summary>
#
# 0.05, 0.5, 0.5, 0.95: each bit moves the log-odds by the same amount, whatever the other is.
# Synergy is 0.21 bit.
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this guess* 0.5 is usual: the synergy was just read. *Live:* XOR (0, 1, 1, 0); then turn
# *equal* from 0.5 to 1 on AND, and synergy becomes redundancy. *Ask:* a paper measures synergy in
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
    bits = [round(part) for part in measure(dial.TWINS["pair"])]
    print(f"label names both, {name}", *bits, sep="  ")

# %% [markdown]
# Each bit says one bit, but of different things: unique, says 2014. As much of each label, so
# redundant, says 2010. There is no agreed definition; a paper has to say which it takes.
#
# The best additive model keeps *three* tables, $p(a, b)$ too. It is one of the tables among which
# 2014 takes the least, so adding never loses more than the synergy:

# %%
import numpy as np

drawn = np.random.default_rng(0).dirichlet(np.full(8, 0.5), size=20).reshape(-1, 2, 2, 2)
gaps = [partial_information(j).synergy - bits_lost_by_adding(j) for j in drawn]
claim("on 20 random tables synergy is at least what adding loses", min(gaps) > -1e-6)

# %% [markdown]
# ## Who contributed?
#
# Let $v(S)$ be the accuracy with the senses in $S$ alone. With both senses it is higher than with
# none; how is the gain to be divided? Shapley (1953): let the senses come one after the other, note
# what each adds, and take the mean over all orders.
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
# text *shuffled*. For concat + MLP, five seeds:

# %%
shares = {}
for task in ("match", "section"):
    worth = read_results("09", f"shapley, {task}")
    value = worth[worth["measure"] == "value"].pivot_table("value", "model", "setting")
    sets = {name: frozenset(name.split("+")) - {"none"} for name in value.index}
    for absent in value.columns:
        known = {sets[name]: number for name, number in value[absent].items()}
        shares[task, absent] = modality_shapley(known)
of_shares = pd.DataFrame(shares).T
print(of_shares.round(2).to_string())

# %%
by_match = of_shares.loc["match"]
claim("on match each sense gets half, within 0.01, however it is taken away",
      (by_match["image"] - by_match["text"]).abs().max() < 0.02)  # fmt: skip
gap = of_shares["image"] - of_shares["text"]
claim("on section shuffling makes the picture's lead larger, by over 0.1",
      gap["section", "shuffled"] > gap["section", "trained without"] + 0.1)  # fmt: skip

# %% [markdown]
# On `match` each sense gets half of a gain that belongs to neither alone: Shapley values divide a
# pure interaction evenly and do not say that it was one. On `section` the answer depends on what
# "absent" means. A model that was never shown shuffled rows trusts what it sees, so shuffling
# measures *its* habits: what this model does with a sense, not what the sense knows. So always name
# $v$, and how absence was made.

# %% [markdown]
# ## Deeper: the same accuracy, other drops
#
# Permutation drops of all heads on `section`:

# %%
measured = read_results("09", "section").pivot_table("value", "model", "measure")
of_drops = measured[["accuracy", "image shuffled", "text shuffled"]].dropna()
print(of_drops.round(2).to_string())
text_drop = of_drops["text shuffled"]
claim("a shuffled headline costs the product over 0.1 more than concat + MLP",
      text_drop["product"] > text_drop["concat + MLP"] + 0.1)  # fmt: skip

# %% [markdown]
# Heads within a few points of each other lose very different amounts. A drop is no information of
# the data. It can also be small for a sense that knows much, where the other one says the same.

# %% [markdown]
# ## Leaks that nobody planted
#
# Two real sets. *Spoken digits* (six speakers; spectra and a linear model): test rows at random, so
# that each speaker is in both splits, against one speaker left out. At random it is right on the
# first row's share. With the speaker left out?

# %%
digits = read_results("09", "digits")
by_split = digits[digits["measure"] == "accuracy"].pivot_table(
    "value", "model", "setting", sort=False
)
shared, left_out = by_split.loc["spectra, linear"]
print(f"speakers shared: {shared:.2f}")

# %% tags=["guess"]
guess("digits, speaker left out", ...)

# %%
print(f"speaker left out: {left_out:.2f}")
settle("digits, speaker left out", left_out, near=0.05)

# %%
claim("sharing speakers flatters by over 0.05", shared > left_out + 0.05)

# %% [markdown]
# *Emoji* (a picture and a name; eight groups). Names come in families, *man cook* and *woman
# cook*. Linear models on five divisions, row by row or by family:

# %%
emoji = read_results("09", "emoji")
emoji = emoji[emoji["measure"] == "accuracy"]
by_family = emoji.pivot_table("value", "model", "dials", sort=False)
print(by_family.round(3).to_string(na_rep=""))
