# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: A shared space
#     minutes: {read: 45, exercises: 35, deeper: 12, build: 30}
#     needs: [00_start_here, 01_convolution, 02_words_to_vectors, 03_attention, 05_interactions,
#       06_training, 08_image_and_text_classifier]
#     teaches: [contrastive learning, InfoNCE, temperature, zero-shot naming, retrieval,
#       late interaction]
# ---

# %% [markdown]
# # A shared space
#
# *You will be able to:* train two encoders on pairs of picture and text, without a label; search
# and name with them by sentences, and say how good that is; and find out what such a space does
# not know.
#
# **The question.** *What does a model know that has only seen which text belongs to which picture?*

# %%
import torch

from course_utils import (
    check,
    claim,
    guess,
    hint,
    quiz,
    settle,
    shared_space,
    show,
    solution,
)
from course_utils.data import news_cards
from course_utils.environment import is_smoke
from course_utils.widgets import lesson17 as widgets

MANY = 200 if is_smoke() else 1000  # cards that are searched

# %% [markdown]
# Most of these news cards show one to three things of one colour, *tiny* or *huge*, and the
# headline begins with that: "three tiny red ...". A model learnt from 3,000 cards. It was told no
# section, colour or number; only which headline came with which picture. Fresh cards, and three
# sentences:

# %%
space = shared_space.load()
cards = news_cards.make(MANY, seed=17, attributes=True, mismatch=0)
pictures = space.of_pictures(cards["image"])  # (n, 64)
found, told = {}, {}
for sentence in ("two huge yellow", "one tiny white", "three huge green storm"):
    # Both have length 1, so the product is the cosine.
    scores = pictures @ space.of_texts([sentence])[0]  # (n,)
    best = scores.argsort(descending=True)[:6]
    found[sentence] = cards["image"][best]
    told[sentence] = widgets.in_words(cards, best)
show(widgets.draw_found(found), alt=widgets.describe_found(found, told))

# %% [markdown]
# A CNN reads pictures, a transformer headlines (lesson 03). Both give 64 numbers, and what fits
# lies near. That is a *shared space*. Nobody labelled a picture *yellow*. And where is the *storm*,
# a word of weather?

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* Search by sentences that the room calls out (3 min); the
# loss on the board with the matrix and its slider (5), the guess of what is learnt first, and the
# curve (4), the table with labels and without (3), whose colour is it (5). Exercises at home.
#
# *Live:* search for words that no headline has ("elephant"), and for two colours at once.

# %% [markdown]
# ## The loss
#
# A batch holds $B$ pairs. Picture $i$ has the vector $u_i$, its text $v_i$. What fits is told by
# the *cosine*, the product of the two at length 1, from -1 to 1:
#
# $$ s_{ij} = \frac{u_i \cdot v_j}{\lVert u_i \rVert\, \lVert v_j \rVert} . $$
#
# Then a classifier: *which of the $B$ texts is that of picture $i$?* The logits are
# $s_{ij} / \tau$, with a *temperature* $\tau$; the loss is cross-entropy (lesson 06). And the same
# the other way: which of the pictures is that of text $j$?
#
# $$ L = \frac{1}{2B} \sum_i \Big( -\ln \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ij}/\tau}}
# -\ln \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}} \Big) . $$
#
# This is the loss of CLIP (Radford et al., 2021), and it is called *InfoNCE*. A pair is pulled
# together, and the other texts of the batch, its *negatives*, are pushed away.
#
# ### Exercise 1: `info_nce` · 7 min · medium


# %% tags=["exercise"]
def info_nce(image, text, temperature=0.07):
    """The loss above; row i of image fits row i of text.

    image (B, d), text (B, d), vectors of any length -> a number
    """
    ### BEGIN SOLUTION
    image = torch.nn.functional.normalize(image, dim=1)
    text = torch.nn.functional.normalize(text, dim=1)
    logits = image @ text.T / temperature  # (B, B), the right ones on the diagonal
    right = torch.arange(len(logits))
    texts = torch.nn.functional.cross_entropy(logits, right)
    pictures = torch.nn.functional.cross_entropy(logits.T, right)
    return (texts + pictures) / 2
    ### END SOLUTION


# %% tags=["check"]
info_nce = check(info_nce)

# %% [markdown]
# A batch of 64 pairs, and a model that gives every picture and every text the same vector. What is
# its loss?

# %% tags=["guess"]
guess("loss of 64 alike", ...)

# %% [markdown]
# At three temperatures:

# %%
# One vector for all 64.
alike = torch.ones(64, 8)
losses = [info_nce(alike, alike, t).item() for t in (0.01, 0.07, 1.0)]
settle("loss of 64 alike", losses[0])

# %% [markdown]
# It is $\ln 64$: who knows nothing guesses among 64. An *untrained* model knows nothing either, but
# its cosines are not alike. Its loss, the mean over the seeds of `data/results/17.csv`:

# %%
import math

import pandas as pd

from course_utils.data import results


# Which experiment, and what its columns have to be.
def lines(experiment, **fields):
    """Lines of the results file where these columns have these values."""
    runs = results.read_results("17", experiment)
    for name, value in fields.items():
        runs = runs[runs[name] == value]
    return runs


# A line for each seed and temperature.
start = lines("start", model="untrained", measure="loss")
start = start.groupby("setting")["value"].mean()
print(start.rename_axis("temperature").round(2).to_string())
claim("at temperature 1 it starts near ln 64", abs(start["1"] - math.log(64)) < 0.05)
claim("at 0.02 over one above", start["0.02"] > math.log(64) + 1)

# %% [markdown]
# A small $\tau$ makes much of small differences, right or wrong. So a loss above $\ln B$ at the
# start is no fault in your code. Eight pairs and the trained model:

# %%
# Eight cards that show a motif, and the first words of their headlines.
few = [row for row in range(40) if cards["count"][row] >= 0][:8]
first = [" ".join(cards["headline"][row].split()[:4]) for row in few]
said = space.of_texts([cards["headline"][row] for row in few])
matrix = widgets.Matrix(cards["image"][few], first, pictures[few] @ said.T)
show(widgets.draw_matrix(matrix, 0.07), alt=widgets.describe_matrix(matrix, 0.07))

# %% [markdown]
# When does the own text get nearly all, and when the same as every other?

# %% tags=["volatile"]
widgets.temperature_explorer(matrix)

# %% [markdown]
# CLIP lets the model learn $\tau$, from 0.07 on, and so do we.
#
# ## What is learnt first
#
# After training we ask the model for the *colour* of a card: which of the words *red*, *yellow*,
# *green*, *blue*, *white* has the cosine nearest to the picture? The same for *count* and *size*;
# for the *section*, twelve words each. Chance is 0.20 for colour and section, 0.33 for count, 0.50
# for size. Which is known best after two rounds (*epochs*) over the cards?

# %% tags=["guess"]
guess("learnt first", ..., ["colour", "size", "count", "section"])

# %% [markdown]
# The mean over the file's seeds, each on 600 cards that it did not learn from:

# %%
curve = lines("curve", dials="words 1")
curve = curve[curve["setting"].str.startswith("epoch")]
# "epoch 2" -> 2
curve = curve.assign(epoch=curve["setting"].str[6:].astype(int))
curve = curve.pivot_table("value", "epoch", "measure")
chance = {"colour": 0.2, "size": 0.5, "count": 1 / 3, "section": 0.2}
curve = curve[list(chance)]
show(widgets.draw_curves(curve, chance), alt=widgets.describe_curves(curve, chance))
early = curve.loc[2]
settle("learnt first", early.idxmax())

# %% [markdown]
# As claims:

# %%
claim("after two epochs colour and size are named in over 0.85",
      early[["colour", "size"]].min() > 0.85)  # fmt: skip
claim("the section is then below 0.35", early["section"] < 0.35)
claim("and later over 0.05 above", curve["section"].iloc[-1] > early["section"] + 0.05)

# %% [markdown]
# The loss takes what is *easy and useful*: a colour is easy to see, and one word says it. A section
# hides in sixty words and five shapes. Who knows no more than
# colour, size and count guesses among the $r$ cards of the batch that share them, at $\ln r$:

# %%
from course_utils.contrastive import floor_of_loss

# (3, n): count, size and colour; those alike get the same number.
kinds = torch.stack([torch.from_numpy(cards[name]) for name in news_cards.ATTRIBUTES])
_, kind = kinds.unique(dim=1, return_inverse=True)
# The mean over batches of 64.
floor = sum(map(floor_of_loss, kind[:192].split(64))) / 3
print(f"loss {floor:.2f} with these three, {math.log(64):.2f} with nothing")
claim("the three save over half of the loss", floor < math.log(64) / 2)

# %% [markdown]
# If that is why sections come late, they should be known better where headlines say *less*. The
# same pictures, with headlines that name each attribute always (1), half of the time (0.5), or
# never (0); what is named rightly after 12 epochs:

# %%
words = pd.concat([lines("words"), lines("space").assign(dials="words 1")])
words = words.pivot_table("value", "dials", "measure")
print(words[[*chance, "recall@10"]].round(2).to_string())
claim("with no attribute named, sections gain over 0.1",
      words["section"]["words 0"] > words["section"]["words 1"] + 0.1)  # fmt: skip

# %% [markdown]
# So the model did not fail to *see* sections: nothing paid for them. A short training of our
# own; each step encodes 64 pairs, takes `info_nce`, and changes both encoders:

# %%
from course_utils.data.batches import to_tensors
from course_utils.data.readers import ImageReader, TextReader

own = news_cards.make(300 if is_smoke() else 1200, seed=1, attributes=True, mismatch=0)
text = TextReader(fewest=2).fit(own, "text")
# No label goes along.
pairs = to_tensors(own, {"image": ImageReader(), "text": text}, label=None)
# The seed of the first weights.
torch.manual_seed(0)
model = shared_space.SharedSpace(len(text.vocabulary))
course = shared_space.learn_pairs(model, pairs, epochs=4)
print(f"loss {course.loss[0]:.1f} at the start, {course.loss[-1]:.1f} at the end")

# %% [markdown]
# Does it know colours?

# %%
mine = shared_space.Space(model, text.vocabulary, {}, {})
shown = cards["count"] >= 0
prompts = {word: [word] for word in news_cards.COLOURS}
named = mine.name(cards["image"][shown], prompts).argmax(dim=1).numpy()
right = (named == cards["colour"][shown]).mean()
claim(f"it names over half of the colours: {right:.2f}", right > 0.5, trained=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At "learnt first"* most say *section*, the cards' main label in all lessons before. *Ask:* what
# would be learnt if headlines did not name colours? The table of words answers.

# %% [markdown]
# ## Naming by sentences
#
# Naming classes by sentences alone is called *zero-shot*. It means *no labels*, not *never seen*:
# the headlines named sections all the time. Where a class has several sentences, each
# is brought to length 1, and their mean stands for it.
#
# ### Exercise 2: `zero_shot` · 6 min · easy


# %% tags=["exercise"]
def zero_shot(image, prompts):
    """The cosine of each picture with the mean of each class's sentences.

    image (n, d); prompts (C, P, d): P sentences about each of C classes -> (n, C)
    """
    ### BEGIN SOLUTION
    known = torch.nn.functional.normalize(prompts, dim=-1).mean(dim=1)  # (C, d)
    known = torch.nn.functional.normalize(known, dim=1)
    return torch.nn.functional.normalize(image, dim=1) @ known.T
    ### END SOLUTION


# %% tags=["check"]
zero_shot = check(zero_shot)

# %% [markdown]
# *With labels* the same CNN learnt from the same 3,000 pictures and their sections. The *probe* is
# a linear model on the space's vectors, with labels too. What share of
# the sections does it name?

# %% tags=["guess"]
guess("sections by the probe", ...)

# %% [markdown]
# 2,000 fresh cards a seed, with or without a motif; *text* rows read the headline in place of the
# picture:

# %%
naming = pd.concat([lines("beside", measure="section"),
                    lines("space", measure="section")])  # fmt: skip
# Each row of the file is one seed.
names = widgets.NAMES
naming = naming[naming["model"].isin(names)].replace({"model": names})
# Mean and spread over the seeds.
table = naming.groupby("model")["value"].agg(["mean", "std"])
best = news_cards.ceiling("section", attributes=True)
for sense in ("image", "text"):
    table.loc[f"{sense}, ceiling"] = [best[sense], 0.0]
print(table.sort_values("mean").round(2).to_string())
by_seed = naming.pivot(index="seed", columns="model", values="value")
settle("sections by the probe", by_seed["image, probe, labels"].mean())

# %% [markdown]
# So:

# %%
sentences = by_seed["image, by sentences"]
claim("by sentences beats the majority by over 0.08, in each seed",
      (sentences > by_seed["majority"] + 0.08).all())  # fmt: skip
claim("labels are worth over 0.2 more, in each seed",
      (by_seed["image, CNN, labels"] > sentences + 0.2).all())  # fmt: skip
claim("the space's vectors hold over 0.1 more than sentences find, in each seed",
      (by_seed["image, probe, labels"] > sentences + 0.1).all())  # fmt: skip

# %% [markdown]
# What a space *holds* and what sentences *find* in it are two things. Sentences name texts no
# better than pictures: the loss compared pictures with texts, never text with text.
#
# ## Search
#
# A text asks, pictures answer. *Recall at k* is the share of questions with a right answer among
# the first $k$. Of equal scores the wrong answers stand first: who gives all the same score has
# found nothing.
#
# ### Exercise 3: `recall_at_k` · 8 min · medium


# %% tags=["exercise"]
def recall_at_k(scores, right, k):
    """Share of questions with a right answer among the k that score highest.

    scores (n, m): m answers to each of n questions; right (n, m) bool, one or more
    a row; of equal scores the wrong ones stand first -> a number
    """
    ### BEGIN SOLUTION
    best = scores.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)  # (n, 1)
    # Wrong answers that stand before the best right one.
    before = (~right & (scores >= best)).sum(dim=1)
    return (before < k).double().mean().item()
    ### END SOLUTION


# %% tags=["check"]
recall_at_k = check(recall_at_k)

# %% [markdown]
# Many headlines fit many pictures, so nobody can find the right one each time. The *oracle* reads
# everything and knows the generator. *CCA* (canonical correlation analysis) finds
# directions of pixels and of word counts that go together. Among 1,000 cards:

# %%
found = pd.concat([lines("space"), lines("beside")])
found = found[found["measure"].str.startswith("recall")]
found = found.pivot_table("value", "model", "measure", ["mean", "std"])["mean"]
# The columns are in the order of their names: 1, 10, 5.
found.loc["by chance"] = [k / 1000 for k in (1, 10, 5)]
recalls = [f"recall@{k}" for k in (1, 5, 10)]
print(found[recalls].rename(index={"softmax": "space"}).round(3).to_string())
# The space that this lesson holds, on the cards above.
here = pictures @ space.of_texts(cards["headline"]).T  # (pictures, texts)
recalled = recall_at_k(here.T, torch.eye(MANY).bool(), 10)
distance = abs(recalled - found.loc["softmax", "recall@10"])
claim(f"it has {recalled:.2f} at 10, within 0.08", distance < 0.08, trained=True)

# %% [markdown]
# As claims:

# %%
at_10 = found["recall@10"]
claim("the space finds over ten times as many as chance at 10", at_10["softmax"] > 0.1)
claim("and more than CCA, by over 0.05", at_10["softmax"] > at_10["CCA"] + 0.05)
claim(
    "but under two thirds of the oracle's", at_10["softmax"] < at_10["oracle"] * 2 / 3
)

# %% [markdown] slideshow={"slide_type": "notes"}
# *At "sections by the probe"* most stay near the sentences' share. Ask what the probe has that
# sentences have not. *At "unseen pairs"* most type the chance, 0.04, or that of seen pairs.

# %% [markdown]
# ## Pairs that it never saw
#
# Five of the 25 pairs of colour and section were kept out of training: no yellow weather,
# for example. Both words occurred, and both looks. The model names colour and section at once,
# among 25. Seen pairs it names rightly in about half. And the unseen ones?

# %% tags=["guess"]
guess("unseen pairs", ...)

# %% [markdown]
# A row for each seed; *seen*: training showed the pair:

# %%
pairs = lines("pairs").pivot_table("value", "seed", ["measure", "setting"])
print(pairs.round(2).to_string())
pair = pairs["pair"]
settle("unseen pairs", pair["unseen"].mean())

# %% [markdown]
# As claims:

# %%
claim("unseen pairs: over 0.15 in each seed (chance 0.04)", pair["unseen"].min() > 0.15)
claim("on average less than seen ones, by over 0.05",
      pair["unseen"].mean() < pair["seen"].mean() - 0.05)  # fmt: skip
seen, unseen = (pairs.xs(name, axis=1, level=1) for name in ("seen", "unseen"))
lost = seen - unseen
claim("how much is lost differs by over 0.1 between seeds",
      lost["pair"].max() - lost["pair"].min() > 0.1)  # fmt: skip
claim("asked one by one, the section loses more than the colour, by over 0.05",
      lost["section"].mean() > lost["colour"].mean() + 0.05)  # fmt: skip

# %% [markdown]
# *Pair* can be above *section*: a pair is asked with sentences that hold its colour, a section with
# its own words alone. In training a yellow thing was never weather.

# %% [markdown]
# ## Whose colour is it?
#
# Pictures of two things. Beside each caption stands its *swapped twin*, the same words with the
# colours exchanged:

# %%
from course_utils.data import two_things
from course_utils.display import card_wall

both = two_things.make(3, seed=3, half=0)
lines_of = [
    f"{c}\nnot: {s}" for c, s in zip(both["caption"], both["swapped"], strict=True)
]
wall = {"image": both["image"], "caption": [""] * 3}
alt = "Three pictures of two things: " + "; ".join(both["caption"]) + "."
show(card_wall(wall, titles=lines_of, image="image", text="caption"), alt=alt)

# %% [markdown]
# Yuksekgonul et al. (2023) found that large models cannot tell such twins apart, though they search
# well: they read a text like a bag of words. A bag gives both the *same* vector, a tie, which
# counts half here: 0.50. How about a transformer, which knows the order?
#
# There are 200 pairs of things and colours, in 100 couples of twins. In one world training shows
# *all pairs*, in the other *half*: one of each couple, so that no caption ever meets its
# twin. The task: right caption or twin? On pairs that training showed, and on their twins.

# %% tags=["guess"]
guess("transformer on twins, half of the pairs", ...)

# %% [markdown]
# So far a picture is *one* vector, a text too. *Late interaction* keeps
# a vector for each word and for each place of the picture's last map (lesson 01). Each word looks
# for the place that fits it best, and the score is the mean over the words:
#
# $$ s(\text{picture}, \text{text}) = \frac{1}{L} \sum_{l=1}^{L} \max_p \cos(w_l, x_p) . $$
#
# ### Exercise 4: `late_interaction` · 9 min · medium


# %% tags=["exercise"]
def late_interaction(image, text, real):
    """The score above, of every picture with every text.

    image (n, P, d): a vector for each place; text (m, L, d): for each word;
    real (m, L) bool: which words are there -> (n, m)
    """
    ### BEGIN SOLUTION
    places = torch.nn.functional.normalize(image, dim=-1)
    words = torch.nn.functional.normalize(text, dim=-1)
    each = torch.einsum("npd,mld->nmlp", places, words)
    best = each.amax(dim=3)  # (n, m, L), each word with its best place
    return (best * real).sum(dim=2) / real.sum(dim=1)
    ### END SOLUTION


# %% tags=["check"]
late_interaction = check(late_interaction)

# %% [markdown]
# *Late* is late interaction, of a transformer or of a *bag*. *Swapped too* adds each batch's
# swapped captions to its negatives; *repeats left out* takes out those that say the same. *Shown*
# are pairs that training showed, *twin* those that it did not, where it showed half. *Search* is
# recall at 1 among fresh pictures of the shown half. A random answer has 0.50 in the first two
# columns.

# %%
kinds = {
    ("right colours", "half 0"): "shown",
    ("right colours", "half 1"): "twin",
    ("recall@1", "half 0"): "search",
}
# What was measured, on which half.
binding = lines("binding")
binding["kind"] = [
    kinds.get(key) for key in zip(binding["measure"], binding["setting"], strict=True)
]
# The file's other measures have no kind, and drop out.
twins = binding.pivot_table("value", ["dials", "model"], "kind")[[*kinds.values()]]
print(twins.round(2).to_string())
half, every = twins.loc["half of the pairs"], twins.loc["all pairs"]
settle("transformer on twins, half of the pairs", half.loc["transformer", "twin"])

# %% [markdown]
# As claims:

# %%
claim("all of them search well: over 0.95", twins["search"].min() > 0.95)
claim(
    "with all pairs shown, a bag is right in half",
    (every.loc[["bag", "bag, late"]] - 0.5)[["shown", "twin"]].abs().max(axis=None)
    < 0.01,
)
claim(
    "shown half, a transformer is no better: within 0.1 of 0.5",
    (half.loc["transformer", ["shown", "twin"]] - 0.5).abs().max() < 0.1,
)
claim("shown all pairs, it is: over 0.8", every.loc["transformer"].min() > 0.8)
asked = half.loc["transformer, swapped too"]
claim("swapped captions teach pairs that are shown, their twins over 0.1 less",
      asked["shown"] > max(0.9, asked["twin"] + 0.1))  # fmt: skip
claim("late interaction is right in over 0.95, on pairs never shown too",
      half.loc["late"].min() > 0.95)  # fmt: skip

# %% [markdown]
# All *search* perfectly, and search hides the rest. Where no caption meets its twin, the
# set of words is enough to win, so nothing more is learnt. Where twins meet in a batch, or are
# added to it, order pays. Then it is learnt, for pairs that were never shown less well.
#
# Late interaction needs nobody to ask. A *red* next to *ball* looks for a place that is red *and*
# part of a ball; there were red balls enough, beside other things. The bag with late interaction
# fails: its *red* does not know whose it is. So it takes both, words that know their neighbours and
# places that are kept apart.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this guess* people type 0.7 to 0.9: "it searches well". *Ask:* what would you add to the
# training set of a large model so that it has to know whose colour is whose?

# %% [markdown]
# ## A batch that repeats itself
#
# Where a batch holds $r$ pairs that say the same, even a perfect model can only
# guess among them, at $\ln r$. The other $r - 1$ are *false negatives*. So the loss has a floor:

# %%
ends = lines("binding", measure="loss").pivot_table("value", "dials", "model")
ends = ends[["late", "transformer", "floor of the loss"]]
print(ends.round(2).to_string())
above = ends.sub(ends["floor of the loss"], axis=0)
claim("late interaction ends within 0.1 of it", above["late"].abs().max() < 0.1)
claim("so does the transformer where half of the pairs are shown",
      abs(above.loc["half of the pairs", "transformer"]) < 0.1)  # fmt: skip

# %% [markdown]
# There the transformer does not know whose colour is whose, and its loss has nothing left to gain.
#
# ### Exercise 5: `full_batch` · 5 min · medium · *break this claim*
#
# **The claim:** "A larger batch has more negatives, so it is always better: a perfect model's loss
# stays far below that of one that knows nothing, $\ln B$." Give a batch of at most 4,096 pairs and
# a number of different captions, 50 or more, drawn at random, each as likely, so that the *perfect*
# model keeps more than half of $\ln B$.


# %% tags=["exercise"]
def full_batch():
    """A batch in which even a perfect model's loss is above half of ln B.

    -> {"batch": pairs, "captions": different captions}
    """
    ### BEGIN SOLUTION
    # About 4096 / 50 = 82 pairs say the same, and ln 82 is more than half of ln 4096.
    return {"batch": 4096, "captions": 50}
    ### END SOLUTION


# %% tags=["check"]
full_batch = check(full_batch)

# %% [markdown]
# ## Deeper: the gap
#
# Pictures and texts of a trained space need not lie in one cloud. The *modality gap* (Liang et al.,
# 2022) is the distance of their means, of vectors of length 1. Untrained encoders begin far apart.
# What $\tau$ does to it, with recall at 10, and with the sigmoid loss of the next section:

# %%
held = pd.concat([lines("temperature"), lines("loss"), lines("space")])
held = held[held["measure"].isin(["gap", "recall@10", "section", "colour"])]
held = held.pivot_table("value", "model", "measure").rename(index={"softmax": "learnt"})
print(held.round(2).to_string())
untrained = lines("start", measure="gap")["value"].mean()
print(f"gap before training: {untrained:.2f}")
print(f"temperature of the model above: {space.model.temperature.item():.3f}")
gap = held["gap"]
claim("the gap shrinks as the temperature grows",
      gap["held at 0.02"] > gap["held at 0.2"] > gap["held at 1"])  # fmt: skip
claim(
    "a temperature of 1 searches worse: under two thirds of the learnt one",
    held.loc["held at 1", "recall@10"] < held.loc["learnt", "recall@10"] * 2 / 3,
)
sections = held["section"]
other = sections[["held at 0.2", "sigmoid"]].max()
claim("held at 0.2, and with the sigmoid, sections are known less, by over 0.1",
      other < sections["learnt"] - 0.1)  # fmt: skip
claim(
    "the sigmoid loss searches about as well as the softmax, within 0.1",
    abs(held.loc["sigmoid", "recall@10"] - held.loc["learnt", "recall@10"]) < 0.1,
)

# %% [markdown]
# The softmax does not see what all cosines share: add one number to each, and the loss stays.

# %%
scores = pictures[few] @ said.T / 0.07
own_texts = torch.arange(len(few))
before, after = (
    torch.nn.functional.cross_entropy(logits, own_texts)
    for logits in (scores, scores + 3)
)
torch.testing.assert_close(before, after)

# %% [markdown]
# ## Deeper: yes or no
#
# SigLIP (Zhai et al., 2023) asks of each of the $B \times B$ pairs whether it fits, yes or no, and
# needs no sum over the batch:
#
# $$ L = -\frac{1}{B} \sum_{i,j} \ln \sigma\big( z_{ij} (s_{ij} / \tau + b) \big), \qquad z_{ij} = 1
# \text{ for } i = j, \text{ else } -1 . $$
#
# The bias $b$ starts below 0, for most pairs do not fit. By hand and from the package:

# %%
from course_utils import contrastive

u, v = pictures[few], said
z = 2 * torch.eye(len(few)) - 1
by_hand = -torch.nn.functional.logsigmoid(z * (u @ v.T / 0.1 - 4)).sum() / len(few)
torch.testing.assert_close(by_hand, contrastive.sigmoid_loss(u, v, 0.1, -4.0))

# %% [markdown]
# The table above has rate 0.003 for both losses, and bias -10. By recall at 10 among 600 validation
# cards of a seed of their own:

# %%
rates = lines("rates").set_index(["model", "setting"])["value"]
print(rates.round(2).to_string())
behind = rates["softmax"].max() - rates["softmax", "rate 0.003"]
claim("0.003 is within 0.05 of the best rate for the softmax", behind < 0.05)
sigmoid = rates["sigmoid"]
claim("for the sigmoid bias -10 is better than -4 at this rate",
      sigmoid["rate 0.003, bias -10"] > sigmoid["rate 0.003, bias -4"])  # fmt: skip

# %% [markdown]
# A rate of 0.01 was tried after the experiments were run: the softmax does as well with it, the
# sigmoid does not. In search the two losses differ by little. Yet with the sigmoid, at this
# setting, sections stay near chance, 0.20, as they do with the softmax held at 0.2. Those runs are
# few, and we did not look for the reason: no verdict.

# %% [markdown]
# ## Deeper: two readings of element space
#
# The article of lesson 00 speaks of fusion in an *element space*. Lesson 05 read it as fusion
# number by number. A second reading is this lesson's: a space in which elements of either kind are
# points. In such a space one may add and subtract; whether the sums mean anything is a question to
# measure, not to assume. A picture of red things, less the word *red*, plus the word *blue*: what
# picture lies nearest?

# %%
red, blue = space.of_texts(["red", "blue"])
is_red = (cards["colour"] == list(news_cards.COLOURS).index("red")) & shown
nearest = ((pictures[is_red] - red + blue) @ pictures.T).argmax(dim=1)
is_blue = cards["colour"][nearest] == list(news_cards.COLOURS).index("blue")
claim(f"the nearest picture is blue in over 0.8: {is_blue.mean():.2f}",
      is_blue.mean() > 0.8, trained=True)  # fmt: skip

# %% [markdown]
# For these two colours the sum means something. Try others, and try *tiny* and *huge*.

# %% [markdown]
# ## Build: a search engine for your own pictures
#
# A function that reads every picture in a folder and below it, ranks them by a sentence, and gives
# a page of results. Whatever lies there: any size, any mode, names with blanks and with `&`, files
# that are cut off. Tools:
#
# - `is_picture(path)` says whether a file is called like a picture;
# - `read_image(path)` gives (48, 48, 3), or raises `BadData` where it cannot be read;
# - `thumbnail(path)` gives an HTML tag that holds the picture;
# - `space.of_pictures(images)`, images (n, 48, 48, 3), and `space.of_texts([sentence])` give
#   vectors of length 1.
#
# ### Exercise 6: `search_folder` · 30 min · hard

# %%
import html
from pathlib import Path

import numpy as np

from course_utils.data.readers import read_image
from course_utils.data.rows import BadData
from course_utils.picture_search import is_picture, thumbnail


# %% tags=["exercise"]
def search_folder(space, folder, sentence, most=12):
    """The pictures in a folder that fit a sentence best.

    -> {"hits": [(path within the folder, cosine), ...], the best first; "/" between
            folders,
        "broken": [path within the folder, ...] of pictures that cannot be read,
        "page": a text, from <html> to </html>: the sentence, each hit's picture and
            name, the broken ones' names}
    A folder without a picture that can be read: ValueError, a sentence that names it.
    """
    ### BEGIN SOLUTION
    folder, images, paths, broken = Path(folder), [], [], []
    for path in sorted(folder.rglob("*")):
        if not is_picture(path):
            continue
        name = path.relative_to(folder).as_posix()
        try:
            images.append(read_image(path))
            paths.append(name)
        except BadData:
            broken.append(name)
    if not images:
        raise ValueError(f"{folder} holds no picture that can be read")
    scores = space.of_pictures(np.stack(images)) @ space.of_texts([sentence])[0]
    best = scores.argsort(descending=True)[:most].tolist()
    hits = [(paths[i], float(scores[i])) for i in best]
    parts = [f"<h1>{html.escape(sentence)}</h1>"]
    for name, score in hits:
        parts.append(
            f"<p>{thumbnail(folder / name)} {html.escape(name)} {score:.2f}</p>"
        )
    parts += [f"<p>{html.escape(name)} cannot be read</p>" for name in broken]
    page = "<html><meta charset='utf-8'>" + "\n".join(parts) + "</html>"
    return {"hits": hits, "broken": broken, "page": page}
    ### END SOLUTION


# %% tags=["check"]
search_folder = check(search_folder)

# %% [markdown]
# Try it on the course's own sample of cards as files. For a folder of yours, write its path in
# place of this one. A page opens in any browser.

# %%
from course_utils.environment import course_root

folder = course_root() / "data" / "news_cards"
engine = search_folder(space, folder, "red", most=6)
hits = [f"{name} {score:.2f}" for name, score in engine["hits"]]
seen = {"red": np.stack([read_image(folder / name) for name, _ in engine["hits"]])}
show(widgets.draw_found(seen), alt="Found for red: " + ", ".join(hits) + ".")

# %% [markdown]
# The *grounds* are pink, the things are not red: these cards' things have no colour that a headline
# names. Expect little on photographs, too: the space has seen 3,000 small drawings, five colours
# and some hundred words. Published spaces of the same build have read hundreds of millions of
# pairs. What carries over is your engine: any object with `of_pictures` and `of_texts` can be its
# space.

# %% [markdown] slideshow={"slide_type": "notes"}
# *The build* takes 25 to 40 minutes. The usual first version forgets folders below, stops at the
# first broken file, and writes names into the page as they are. Ask what a file called
# `<script>.png` would do.

# %% [markdown]
# ## Recap: what does it know?
#
# - A space learns from pairs alone: what fits is pulled together, the batch pushed apart.
# - It learns what tells the texts of a batch apart, the easy parts first.
# - Sentences find less than the vectors hold; a probe with labels shows it.
# - Whose colour is whose is learnt where negatives ask for it; late interaction needs no asking.
# - Print an oracle's row beside recall: texts repeat, and nobody can pass it.
#
# **Common mistakes.** Taking *zero-shot* for *never seen*. Counting ties as finds. Testing search
# alone, and believing that whose colour is whose is known.
#
# ## Quiz

# %%
quiz("17")

# %% [markdown]
# ## Deeper: where this comes from
#
# **Further reading**
#
# - van den Oord, Li and Vinyals, *Representation learning with contrastive predictive coding*,
#   arXiv 1807.03748, 2018: InfoNCE.
# - Khattab and Zaharia, *ColBERT: efficient and effective passage search via contextualized late
#   interaction over BERT*, SIGIR, 2020.
# - Radford and others, *Learning transferable visual models from natural language supervision*,
#   ICML, 2021: CLIP.
# - Yao and others, *FILIP: fine-grained interactive language-image pre-training*, ICLR, 2022.
# - Liang, Zhang, Kwon, Yeung and Zou, *Mind the gap: understanding the modality gap in multi-modal
#   contrastive representation learning*, NeurIPS, 2022.
# - Yuksekgonul, Bianchi, Kalluri, Jurafsky and Zou, *When and why vision-language models behave
#   like bags-of-words, and what to do about it?*, ICLR, 2023.
# - Zhai, Mustafa, Kolesnikov and Beyer, *Sigmoid loss for language image pre-training*, ICCV, 2023.
# - Koishigarina, Uselis and Oh, *CLIP behaves like a bag-of-words model cross-modally but not
#   uni-modally*, ICLR, 2026.
