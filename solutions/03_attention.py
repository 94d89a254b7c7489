# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Attention
#     minutes: {read: 45, exercises: 27}
#     needs: [02_words_to_vectors, 06_training]
#     teaches: [query, key and value, mask, heads, positions, encoder layer, causal mask]
# ---

# %% [markdown]
# # Attention
#
# *You will be able to:* write attention and its masks from the formula; build an encoder layer that
# equals PyTorch's, number by number; and say what lets a transformer see the order of words, and
# what its weights do not tell.
#
# **The question.** *Which words matter to this word?* A bag of words (lesson 02) gives every word
# of a headline the same share. "Profit follows goal against late plan" would do better with unequal
# ones: *profit* speaks of business and *goal* of sport, *late* of neither.

# %%
import torch

from course_utils import check, claim, hint, quiz, seed_everything, show, solution
from course_utils.data import news_cards
from course_utils.data.batches import to_tensors
from course_utils.data.readers import TextReader
from course_utils.data.rows import split_rows
from course_utils.data.text import Vocabulary

seed_everything(0)


# %% [markdown]
# We begin with what this lesson ends in: a small network with *attention*, trained on the headlines
# of news cards. It is told nothing about sections but the labels.


# %%
def as_ids(rows, words):
    """Each split's headlines as tensors."""
    reader = {"text": TextReader(words)}
    return {split: to_tensors(part, reader) for split, part in rows.items()}


# The same cards as in lesson 02, of which `section` takes the fitting ones.
rows = split_rows(news_cards.rows_for(news_cards.make(6000, seed=0), "section"))
# A word seen once cannot be learnt from; it is read as unknown.
vocabulary = Vocabulary.from_texts(rows["train"]["headline"], fewest=2)
cards = as_ids(rows, vocabulary)

# %% [markdown]
# The network (it ends in a mean over the words), its training (lesson 06; a few seconds), and what
# it makes of one headline:

# %%
from course_utils.encoders import TransformerEncoder
from course_utils.experiment import models_alone
from course_utils.widgets.lesson03 import (
    describe_attention,
    draw_attention,
    read_headline,
)

encoder = TransformerEncoder(len(vocabulary), dim=64, heads=4)
# Trained alone, with a linear layer on top that scores the five sections.
how = {"epochs": 6, "learning_rate": 3e-3}
alone = models_alone({"text": encoder}, cards, 5, options=how)
reader = alone["text"].model

headline = "profit follows goal against late plan"
reading = read_headline(reader, vocabulary, headline)
show(draw_attention(reading), alt=describe_attention(reading))

# %% [markdown]
# Read a row: the word on its left looks at the words below, and shares itself out over them. The
# shares, its *attention weights*, sum to 1. (Four sets of weights, averaged; we come to that.) The
# rows are nearly equal: for this task every word may ask the same, *where are the section words?*

# %%
weights = reading.seen()  # (6, 6), a row for each word that looks
claim("each word gives profit and goal together over 0.6 of its attention",
      (weights[:, 0] + weights[:, 2]).min() > 0.6, trained=True)  # fmt: skip

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* The picture above (2 min: which row is which?), the
# formula and its four lines (5), hiding words in the interactive figure (3), why the root, with its
# *predict* (3), the twins and the order task with its *predict* (5), four models that agree and
# look elsewhere, with its *predict* (2). Leave the layer by hand, the waves and the news table for
# home.
#
# *Live:* in the interactive figure hide "profit", then "goal", then all words. Ask before each
# click what the row of "late" will be.

# %% [markdown]
# ## A weighted mean that the words choose
#
# Each word sends out three vectors, made from its own by three linear layers:
#
# - a *query*: what it looks for, $d$ numbers;
# - a *key*: what it can be found by, $d$ numbers;
# - a *value*: what it hands over to those who look at it.
#
# A query and a key that point the same way have a large dot product, their *score*. A *softmax*,
# $w_i = e^{s_i} / \sum_j e^{s_j}$, turns the scores $s$ of one query into weights $w$ that are
# positive and sum to 1; the result is the mean of the values with these weights. All queries at
# once, with $Q$ $(L, d)$, $K$ $(S, d)$ and $V$ $(S, d_v)$ for $L$ words that look and $S$ that are
# looked at (here the same words, so $L = S$):
#
# $$ \mathrm{attention}(Q, K, V) = \mathrm{softmax}\!\left( \frac{Q K^\top}{\sqrt{d}} + M \right)
# V . $$
#
# The *mask* $M$ holds 0 where a query may look and $-\infty$ where it may not: $e^{-\infty} = 0$,
# so what is hidden gets no weight and the rest still sum to 1.
#
# On paper, with two words and $d = 2$: *bank* looks for water, its query is $(2, 0)$; *river* looks
# for nothing, $(0, 0)$. The keys are $(1, 0)$ for *river* and $(0, 1)$ for *bank*. So the scores of
# *bank* are $2 / \sqrt 2 = 1.41$ and 0, and its weights $e^{1.41} / (e^{1.41} + 1) = 0.80$ and
# 0.20. *River* has two scores of 0 and shares itself out evenly.
#
# ### Exercise 1: `attention` · 10 min · medium
#
# The dots in a shape stand for any axes before, such as the batch; `@` and `softmax` leave them
# alone.


# %% tags=["exercise"]
def attention(query, key, value, mask=0):
    """softmax(Q K^T / sqrt(d) + M) V

    query (..., L, d), key (..., S, d), value (..., S, d_v), mask fits (..., L, S)
    -> output (..., L, d_v), weights (..., L, S)
    """
    ### BEGIN SOLUTION
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + mask  # (..., L, S)
    weights = scores.softmax(dim=-1)
    return weights @ value, weights
    ### END SOLUTION


# %% tags=["check"]
attention = check(attention)

# %% [markdown]
# The example on paper, run (the values are the keys here):

# %% tags=["nbval-check-output"]
river_and_bank = torch.eye(2)  # two keys, (1, 0) and (0, 1)
look_for = torch.tensor([[0.0, 0.0], [2.0, 0.0]])  # river's query, bank's query
result, weights = attention(look_for, river_and_bank, river_and_bank)
print([[round(w, 2) for w in row] for row in weights.tolist()])

# %% [markdown]
# Two masks matter. The *padding mask* hides what stands behind a row's last word. The *causal mask*
# hides the future: word 3 sees words 1 to 3. Masks add up.

# %%
from course_utils.attention import causal_mask, padding_mask
from course_utils.widgets.lesson03 import draw_masks

lengths = torch.tensor([5, 3])  # two rows, the second with two places of padding
# Without the axis for heads, which comes later: (B, 1, 1, L) becomes (B, 1, L).
padded, causal = padding_mask(lengths, 5)[:, 0], causal_mask(5)  # (2, 1, 5), (5, 5)
second = {
    "padding (second row)": padded[1],
    "causal": causal,
    "their sum": padded[1] + causal,
}
show(draw_masks(second),
     alt="Of five keys, the padding mask hides the last two from every query, the "
     "causal mask hides from each query the keys after its own, and their sum hides "
     "both.")  # fmt: skip

# %% [markdown]
# PyTorch has the whole formula as one function. Is ours the same, with every mask?

# %%
import torch.nn.functional as F

query, key, value = torch.randn(3, 2, 5, 8)  # each (B, L, d)
for each in (None, padded, causal, padded + causal):
    # The mask is added here, so "no mask" is 0; PyTorch's function calls it None.
    ours, _ = attention(query, key, value, 0 if each is None else each)
    theirs = F.scaled_dot_product_attention(query, key, value, attn_mask=each)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
claim("attention by hand is PyTorch's, to 1e-5", (ours - theirs).abs().max() < 1e-5)

# %% [markdown]
# **Predict, then run.** A row of the mask that is all $-\infty$: a query that may look at nothing.
# An empty text in a batch does this. What comes out for that query, by hand? And from PyTorch?

# %%
nothing = torch.zeros(5, 5)
nothing[2] = -torch.inf  # word 3 may look at no word
ours, _ = attention(query, key, value, nothing)
theirs = F.scaled_dot_product_attention(query, key, value, attn_mask=nothing)
print("by hand:  ", ours[0, 2, :3])
print("PyTorch's:", theirs[0, 2, :3])

# %% [markdown]
# That query alone is hit:

# %%
others = [0, 1, 3, 4]
claim("by hand it is NaN", ours[:, 2].isnan().all())
claim("PyTorch's function gives zeros", (theirs[:, 2] == 0).all())
claim("the other queries agree", (ours - theirs)[:, others].abs().max() < 1e-5)

# %% [markdown]
# Every $e^{-\infty}$ is 0, so the softmax divides 0 by 0. PyTorch's function catches the case since
# version 2.5; before, it gave NaN too. Its *layer*, which we meet below, catches it while it
# trains. In evaluation mode without gradients, which is how one uses a model, it takes another way,
# and what that gives has to be asked of your version:

# %%
layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
# True hides; the second text has no word.
empty = torch.tensor([[False] * 5, [True] * 5])
words = torch.randn(2, 5, 8)
trains = layer(words, src_key_padding_mask=empty)
layer.eval()
with torch.no_grad():
    # Evaluation mode and no gradients: then it takes a faster way through its code.
    in_use = layer(words, src_key_padding_mask=empty)
print("NaN while it trains:", trains[1].isnan().any().item())
print("NaN in use:         ", in_use[1].isnan().any().item())

# %% [markdown]
# With the version that made this page, a model in use gives NaN. So let no row be empty: our
# `Vocabulary.encode` gives a text without words one unknown word.
#
# Now hide *goal* from the model above. The scores stay as they are, since there is only one layer;
# a second would read vectors that have changed. In each head, the weights that are left in a row
# grow by one factor, $1 / (1 - w_{goal})$. Here is the third of the four heads:

# %%
from course_utils.widgets.lesson03 import describe_readings, draw_readings

without_goal = read_headline(reader, vocabulary, headline, hidden=[2])
two = {"all words": reading, "goal hidden": without_goal}
show(draw_readings(two, head=3), alt=describe_readings(two, head=3))

row = reading.seen(3)[1]  # how follows looks
grown = row[0] / (1 - row[2])
print(f"follows to profit: {row[0]:.2f} / (1 - {row[2]:.2f}) = {grown:.2f}")
business = [each.probabilities[1] for each in two.values()]
print("probability of business: {:.2f}, then {:.2f}".format(*business))

# %% [markdown]
# The row of *goal* is grey: its own vector leaves the final mean too, so the model's answer changes
# for two reasons. The factor, checked in each head and row:

# %%
left, goal = [0, 1, 3, 4, 5], [2]
before, after = reading.weights[:, left], without_goal.weights[:, left]  # (heads, 5, 6)
# Multiplied out, because a head that gave *goal* everything would divide 0 by 0.
off = after[..., left] * (1 - before[..., goal]) - before[..., left]
claim("each weight left grew by the factor 1 / (1 - w_hidden)", abs(off).max() < 1e-4)

# %% [markdown]
# **Now yours.** Hide words, look at single heads. Hide everything: nothing is left to average, and
# you are back at the empty row from above. Then change the headline in the last line of the cell,
# with section words from this list, and run it again. An unknown word gets a question mark.

# %% tags=["volatile"]
from course_utils.widgets.lesson03 import attention_explorer

for section, names in zip(news_cards.SECTIONS, news_cards.SECTION_WORDS, strict=True):
    print(f"{section}:", *(word for word in names if word in vocabulary.ids))
attention_explorer(reader, vocabulary, "profit follows goal against late plan")

# %% [markdown]
# ## Why the root
#
# Let the entries of a query $q$ and a key $k$ be independent, with mean 0 and variance 1. Each
# product $q_i k_i$ then has mean 0 and variance $E[q_i^2]\, E[k_i^2] = 1$, and the variances of $d$
# independent terms add up:
#
# $$ \mathrm{Var}(q \cdot k) = \sum_{i=1}^{d} \mathrm{Var}(q_i k_i) = d . $$
#
# So scores grow like $\sqrt d$, and dividing by it keeps their size at 1. What would go wrong
# without? The derivative of a weight by its own score is
# $\partial w_i / \partial s_i = w_i (1 - w_i)$. Summed over the words that is
# $1 - \sum_i w_i^2$, because the weights sum to 1. Call this sum the *slope*; nothing is left of it
# when one weight is 1.
#
# **Predict, then run.** Ten random keys, $d = 256$, no root. How large is the largest of the ten
# weights, on average? And the slope, next to that at $d = 4$?

# %%
import pandas as pd

by_size = {}
for d in (4, 16, 64, 256, 1024):
    # Two thousand queries, each with ten keys of its own.
    q, k = torch.randn(2000, 1, d), torch.randn(2000, 10, d)
    products = (q @ k.transpose(1, 2))[:, 0]  # (2000, 10)
    by_size[d] = {"variance": products.var().item()}
    # The entries are standard normal, as in the derivation.
    for name, divisor in {"no root": 1, "root": d**0.5}.items():
        w = (products / divisor).softmax(dim=1)
        by_size[d][f"largest, {name}"] = w.max(dim=1).values.mean().item()
        by_size[d][f"slope, {name}"] = (1 - w.square().sum(dim=1)).mean().item()
measured = pd.DataFrame(by_size).T.rename_axis("d")
print(measured.round(2).to_string())

# %% [markdown]
# What we lean on:

# %%
relative = measured["variance"] / measured.index
claim("the variance of a dot product is d, to 5 %", (relative - 1).abs().max() < 0.05)
slope, rooted = measured["slope, no root"], measured["slope, root"]
claim("without the root the slope at d = 256 is under a quarter of that at d = 4",
      slope[256] < slope[4] / 4)  # fmt: skip
claim("with the root it stays", rooted.max() < rooted.min() + 0.05)

# %% [markdown]
# With entries of variance 1 and no root, one word gets nearly everything before anything is learnt,
# and little is left of the gradient that could change this: such a layer *can* be slow to learn.
# It need not be. In our layer queries and keys start smaller (variance about 0.4, checked below),
# because of how its linear layers start, and training can shrink them. The table of the order task
# has a row without the root.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At the predict on the empty row* most say "zeros" or "the plain mean". The plain mean is what
# -1e9 in place of -inf gives: ask for it. *At the predict on the root* few go above 0.5 for the
# largest weight. *Dial:* multiply `q` by 3 and see the rooted columns fade too: the root assumes
# variance 1. (PyTorch's linear layers make variance 1/3 of it, so a fresh layer's products have
# variance d / 9.)

# %% [markdown]
# ## Heads, and a layer from its parts
#
# One softmax can look for one thing at a time. So each word's query, key and value, of
# $\mathrm{dim}$ numbers, are cut into $H$ parts of $d = \mathrm{dim} / H$ numbers. Each *head* uses
# one part of each, made from the whole vector of the word, and attends by itself; a linear layer
# mixes what the heads bring home. Around attention an *encoder layer* has three more parts:

# %%
from course_utils.widgets.lesson03 import draw_layer

show(draw_layer(),
     alt="From left to right: attention, plus what went into it, LayerNorm; a "
     "feed-forward network, plus what went into it, LayerNorm.")  # fmt: skip

# %% [markdown]
# - a *residual* connection adds a part's input to its output: the part only has to learn a
#   correction, and the gradient reaches earlier layers through the sum;
# - *LayerNorm* shifts and scales the numbers of each word to mean 0 and variance 1, then by learnt
#   amounts, so that they do not grow from layer to layer;
# - a *feed-forward* network, two linear layers with a ReLU between, works on each word by itself.
#
# We rebuild PyTorch's layer with PyTorch's weights. First its attention, two heads of four numbers:

# %%
# Two heads, 16 hidden numbers; without dropout, which switches numbers off at random,
# two calls give the same.
their = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
x = torch.randn(2, 5, 8)  # (B, L, dim)
mask = padding_mask(lengths, 5)  # (B, 1, 1, L), the same for every head and query


def into_heads(vectors):
    """(B, L, dim) -> (B, heads, L, dim / heads)"""
    return vectors.unflatten(-1, (2, 4)).transpose(1, 2)


# %% [markdown]
# One product makes queries, keys and values of all heads. The heads attend, and their results are
# laid side by side and mixed:

# %%
attend = their.self_attn
weight, bias = attend.in_proj_weight, attend.in_proj_bias  # (24, 8), (24,)
# Queries, keys and values, each (2, 5, 8).
projected = (x @ weight.T + bias).chunk(3, dim=-1)
heads, _ = attention(*(into_heads(part) for part in projected), mask)
side_by_side = heads.transpose(1, 2).flatten(start_dim=2)  # (2, 5, 8)
attended = attend.out_proj(side_by_side)

# %% [markdown]
# Then the rest, one line for each sum. At padding the two may differ; nobody reads what stands
# there, if the pooling is masked as well.

# %%
middle = their.norm1(x + attended)
by_hand = their.norm2(middle + their.linear2(their.linear1(middle).relu()))

padding = torch.arange(5) >= lengths[:, None]  # (B, L), True where there is no word
expected = their(x, src_key_padding_mask=padding)
gap = (by_hand - expected)[~padding].abs().max()
claim("the layer by hand is PyTorch's at every word, to 1e-5", gap < 1e-5)

# %% [markdown]
# These lines as a module are the package's `EncoderLayer`. With PyTorch's weights copied into it,
# is nothing left over, and do both masks at once give the same?

# %%
from course_utils.attention import EncoderLayer

our = EncoderLayer(dim=8, heads=2, hidden=16)
# `project` makes queries, keys and values in one product; `feed` is the feed-forward.
with torch.no_grad():
    our.attend.project.weight.copy_(weight)
    our.attend.project.bias.copy_(bias)
# The other parts are PyTorch's own classes, so they take over their weights at once.
our_parts = our.attend.out, our.norm_1, our.norm_2, our.feed[0], our.feed[2]
their_parts = attend.out_proj, their.norm1, their.norm2, their.linear1, their.linear2
for mine, other in zip(our_parts, their_parts, strict=True):
    mine.load_state_dict(other.state_dict())

count = sum(p.numel() for p in our.parameters())
claim("no weight is left over", count == sum(p.numel() for p in their.parameters()))
# PyTorch names two masks, and wants both of one type.
hidden = torch.zeros(2, 5).masked_fill(padding, -torch.inf)
expected = their(x, src_mask=causal, src_key_padding_mask=hidden)
gap = (our(x, mask + causal) - expected)[~padding].abs().max()
claim("with copied weights and both masks too, to 1e-5", gap < 1e-5)

# %% [markdown]
# ## Does attention see the order?
#
# A bag of words cannot tell "lions beat tigers" from "tigers beat lions". Attention looks at pairs
# of words. Is that enough? Reorder the words and apply a layer, or apply the layer and reorder what
# comes out: if both give the same for every order, the layer treats a word alike wherever it
# stands. It is then called *equivariant*.
#
# ### Exercise 2: `permutation_gap` · 7 min · medium
#
# Measure how far a layer is from that. `order` is a permutation such as `[2, 0, 1]`, and `x[order]`
# the words in that order.


# %% tags=["exercise"]
def permutation_gap(layer, x, order):
    """The largest absolute difference between reordering before a layer and after it.

    layer: a function (L, dim) -> (L, any); x (L, dim); order (L,) long -> a number
    """
    ### BEGIN SOLUTION
    return (layer(x[order]) - layer(x)[order]).abs().max().item()
    ### END SOLUTION


# %% tags=["check"]
permutation_gap = check(permutation_gap)

# %% [markdown]
# **Predict, then run.** Which of these four see the order: attention, attention with a causal mask,
# the whole encoder layer, a convolution over words (lesson 02)?

# %%
# A convolution takes (channels, L), so words go in and come out transposed.
conv = torch.nn.Conv1d(8, 8, kernel_size=3, padding=1)
layers = {
    "attention": lambda x: attention(x, x, x)[0],
    "attention, causal": lambda x: attention(x, x, x, causal_mask(5))[0],
    "encoder layer": lambda x: our(x[None])[0],
    "convolution": lambda x: conv(x.T).T,
}
order = torch.tensor([2, 0, 1, 4, 3])
with torch.no_grad():  # gaps are to be looked at, not trained
    gaps = {name: float(permutation_gap(layers[name], x[0], order)) for name in layers}
print({name: round(gap, 2) + 0.0 for name, gap in gaps.items()})

# %% [markdown]
# Two do and two do not:

# %%
claim("attention and the encoder layer do not mind the order",
      max(gaps["attention"], gaps["encoder layer"]) < 1e-5)  # fmt: skip
claim("a causal mask and a convolution do",
      min(gaps["attention, causal"], gaps["convolution"]) > 0.1)  # fmt: skip

# %% [markdown]
# The formula says why. Reordered words reorder the rows of $Q$, $K$ and $V$ alike. Each query still
# meets the same keys, a softmax does not mind in which order its scores come, nor a sum its terms.
# LayerNorm and feed-forward work word by word.
#
# **So the mean over the words is the same for every order** (*invariant*), through any number of
# layers. Now take a headline and its twin of the order task (lesson 02): the same words, the other
# winner. Without positions and without a causal mask the encoder gives both the same vector, the
# head gives both the same answer, and one of the two is wrong. That is half of all test rows,
# whatever was learnt. (The proof needs the mean: reading off the last word alone would leak which
# word is last.)

# %% [markdown]
# ## Positions
#
# The way out of Vaswani et al. (2017): add to each word's vector another of $\mathrm{dim}$ numbers
# that tells its place $p$, made of waves from fast to slow. For each $i$ from 0 to
# $\mathrm{dim} / 2 - 1$, columns $2i$ and $2i + 1$ hold
#
# $$ P_{p,\,2i} = \sin\!\left( \frac{p}{10000^{2i / \mathrm{dim}}} \right) , \qquad
# P_{p,\,2i+1} = \cos\!\left( \frac{p}{10000^{2i / \mathrm{dim}}} \right) . $$
#
# ### Exercise 3: `sinusoidal_positions` · 10 min · medium


# %% tags=["exercise"]
def sinusoidal_positions(longest, dim):
    """The waves for positions 0 .. longest - 1, with dim even -> (longest, dim)"""
    ### BEGIN SOLUTION
    position = torch.arange(longest)[:, None]
    angle = position / 10_000 ** (torch.arange(0, dim, 2) / dim)  # (longest, dim / 2)
    waves = torch.empty(longest, dim)
    waves[:, 0::2], waves[:, 1::2] = angle.sin(), angle.cos()
    return waves
    ### END SOLUTION


# %% tags=["check"]
sinusoidal_positions = check(sinusoidal_positions)

# %% [markdown]
# Why waves and not the number $p$ itself? Two waves of one frequency $\omega$ at $p$ and $q$ have
# the dot product $\sin \omega p \sin \omega q + \cos \omega p \cos \omega q = \cos \omega (p - q)$.
# So the dot product of two positions depends on their *distance* alone. Scores are dot products of
# queries and keys; these come from linear layers, which can hand the waves on, so a layer *can*
# learn to look at what is near.

# %%
import matplotlib.pyplot as plt

waves = sinusoidal_positions(40, 64)
products = waves @ waves.T  # (40, 40)

fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for column, style in {0: "o-", 16: "s--", 32: "^:"}.items():
    axes[0].plot(waves[:, column], style, ms=3, label=f"column {column}")
axes[0].set(xlabel="position", ylabel="sine", title="three of 64 columns")
# Over the distance, so that curves that depend on nothing else lie on each other.
for place, style in {10: "o-", 25: "x--"}.items():
    axes[1].plot(torch.arange(40) - place, products[place], style, ms=4,
                 label=f"position {place}")  # fmt: skip
axes[1].set(xlabel="distance", ylabel="dot product", title="all 64 columns")
axes[0].set_ylim(-1.1, 1.6)  # room for the legend
for ax, columns in zip(axes, (3, 1), strict=True):
    ax.legend(fontsize=8, ncols=columns, loc="upper right")
show(fig, alt="Left: column 0 goes up and down every six positions, column 16 is "
     "slower, column 32 hardly moves. Right: the dot product is highest at distance 0 "
     "and falls to both sides, with ripples; where positions 10 and 25 share a "
     "distance, their curves coincide.")  # fmt: skip

# %% [markdown]
# For all pairs of positions:

# %%
# Along a diagonal of the table the distance is the same; one number a distance.
far = torch.stack([products.diagonal(k).std() for k in range(30)])
claim("the dot product depends on the distance alone", far.max() < 1e-3)

# %% [markdown]
# ### The whole encoder
#
# Encoder layers on word vectors are a *transformer*. Ours goes from a headline to an answer like
# this: a table of word vectors, times $\sqrt{\mathrm{dim}}$, plus the waves; an encoder layer; the
# mean over the words; a linear head. The table starts with small numbers, which the waves would
# drown without the factor. By hand, for the model above:

# %%
text, _ = vocabulary.encode([headline])  # (1, 6), no padding
trained = reader.encoders["text"]
entering = trained.embed(text) * 64**0.5 + sinusoidal_positions(6, 64)  # (1, 6, 64)
by_hand = reader.head(trained.layers[0](entering).mean(dim=1)).softmax(dim=1)[0]  # (5,)
gap = (by_hand - torch.tensor(reading.probabilities)).abs().max()
claim("the model's answer by hand, to 1e-5", gap < 1e-5)

# %% [markdown]
# And what queries and keys are before any training:

# %%
fresh = TransformerEncoder(len(vocabulary), dim=64, heads=4)
# The first four words of each headline, because padding has no numbers of its own.
first_four = fresh.embed(cards["test"]["text"][:, :4])
entering = first_four * 64**0.5 + sinusoidal_positions(4, 64)
query, key, _ = fresh.layers[0].attend.project(entering).chunk(3, dim=-1)
variances = torch.stack([query.var(), key.var()])
claim("fresh queries, keys: variance 0.4, to 0.15",
      (variances - 0.4).abs().max() < 0.15)  # fmt: skip

# %% [markdown]
# ## The order task
#
# One encoder layer, three ways; beside them the bag and the LSTM of lesson 02. Two more rows are a
# pair: one head of 64 numbers, so that the root is 8 and its loss can be felt, with the root and
# without.

# %%
from functools import partial

import numpy as np

from course_utils.data import word_order
from course_utils.data.results import read_results, scores, within_spread
from course_utils.encoders import BagEncoder, LSTMEncoder
from course_utils.measures import accuracy
from course_utils.tables import fair_table

# Twins share a split, so each is in the test rows with its other half.
games = split_rows(word_order.make(2000, seed=0))
teams_vocabulary = Vocabulary.from_texts(games["train"]["headline"])
teams = as_ids(games, teams_vocabulary)

# %% [markdown]
# **Predict, then run.** No positions but a causal mask: a guess, or solved? And which rows are at
# *exactly* 0.5?


# %%
def without_root(words):
    """An encoder of one head; its queries are multiplied by the root."""
    encoder = TransformerEncoder(words, dim=64, heads=1)
    # For queries, keys and values.
    factor = torch.tensor([8.0, 1.0, 1.0]).repeat_interleave(64)
    # A hook changes what a part gives out; the rest of the layer stays as it is.
    encoder.layers[0].attend.project.register_forward_hook(
        lambda part, given, output: output * factor.to(output)
    )
    return encoder


# %% [markdown]
# The encoders to be compared:

# %%
# The first three with attention differ only in what they are told about places, the
# last two only in the root.
small = partial(TransformerEncoder, dim=32, heads=4)
kinds = {
    "bag": BagEncoder,
    "LSTM": LSTMEncoder,
    "attention, no positions": partial(small, positions=False),
    "attention, positions": small,
    "attention, causal, no positions": partial(small, positions=False, causal=True),
    "one head of 64, positions": partial(TransformerEncoder, dim=64, heads=1),
    "one head of 64, positions, no root": without_root,
}


# %% [markdown]
# All are trained, with one seed:


# %%
def train_reader(make_encoder, vocabulary, splits, classes, seed=0, **options):
    """An encoder with a linear head, trained alone -> the model and its test logits."""
    torch.manual_seed(seed)
    encoder = {"text": make_encoder(len(vocabulary))}
    return models_alone(encoder, splits, classes, seed=seed, options=options)["text"]


order_models = {}
for name, make_encoder in kinds.items():
    # A bag has few weights and takes larger steps.
    how = {"epochs": 8, "learning_rate": 1e-2 if name == "bag" else 3e-3}
    order_models[name] = train_reader(make_encoder, teams_vocabulary, teams, 2, **how)

# %% [markdown]
# Measured once over five seeds, on 5,000 fresh headlines each (`make results LESSON=03`); *here* is
# what you trained:

# %%
who_won = teams["test"]["label"]
here = {name: accuracy(each.logits, who_won) for name, each in order_models.items()}
known = scores(read_results("03", "order"))
table = fair_table(known, {"text": 1.0})[["mean", "spread"]]
table["here"] = pd.Series(here)
print(table.round(3).to_string(na_rep=""))

# %% [markdown]
# At exactly 0.5 stand the majority, the bag and attention without positions, as proved. Leaving out
# the root does no harm here.

# %%
blind, sees, masked, *one_headed = (np.array(known[name]) for name in list(kinds)[2:])
claim("the bag: exactly 0.5", abs(np.array(known["bag"]) - 0.5).max() < 1e-6)
claim("no positions and no causal mask: half", abs(blind - 0.5).max() <= 0.01)
claim("with positions: solved", sees.min() > 0.99)
claim("with a causal mask and no positions: solved", masked.min() > 0.99)
claim("with and without root: solved", np.min(one_headed) > 0.99)
claim("yours lie in the file's spread, give 0.04",
      all(within_spread(here[name], known[name], 0.04) for name in kinds),
      trained=True)  # fmt: skip

# %% [markdown]
# The proof at work: twins stand next to each other in the data, and get the same logits.

# %%
logits = order_models["attention, no positions"].logits
twins = (logits[0::2] - logits[1::2]).abs().max().item()
claim("a headline and its twin get the same logits, to 1e-4", twins < 1e-4)

# %% [markdown]
# **And the causal mask?** It breaks the symmetry: a query no longer meets all keys, but its own and
# those before it. Here the rows differ (grey: hidden by the mask):

# %%
causal_model = order_models["attention, causal, no positions"].model
texts = "lions beat tigers", "tigers beat lions"
pair = {text: read_headline(causal_model, teams_vocabulary, text) for text in texts}
show(draw_readings(pair), alt=describe_readings(pair))

# %% [markdown]
# In "lions beat tigers" the word *tigers* sees *lions*; in the twin it sees nobody else. So its
# vector depends on what came before it, and the mean over the words too. Language models with
# causal masks do learn without positions (Haviv et al., 2022).

# %% [markdown] slideshow={"slide_type": "notes"}
# *At the predict on four layers* the encoder layer is often put with the convolution, because it
# has "so many parts". *At the order task* most say chance for the causal mask. Let somebody act it
# out: four people in a row, each may only turn to the left. *Dial:* `layers=2` changes nothing for
# the model without positions: ask why before running.

# %% [markdown]
# ## What attention weights are not
#
# It is tempting to read the weights as reasons: "the model looked at *lions*, so *lions* decided".
# Take four models with positions and one head, on the same rows, that differ in nothing but their
# seed. **Predict, then run.** How much do their answers differ, and how much their weights?

# %%
one_head = partial(TransformerEncoder, dim=32, heads=1)
# The seed sets the start of the weights and the order of the batches; the rows stay.
data, how = (teams_vocabulary, teams, 2), {"epochs": 8, "learning_rate": 3e-3}
four = [train_reader(one_head, *data, seed, **how) for seed in range(4)]
sentence = "again lions clearly beat young tigers today"
looks = [read_headline(each.model, teams_vocabulary, sentence) for each in four]
shares = torch.tensor(np.array([look.seen().mean(axis=0) for look in looks]))  # (4, 7)

# %% [markdown]
# The share of attention that each word gets (the mean over the words that look), and above, the
# model's probability that the lions won:

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.6), sharey=True, layout="constrained")
for ax, share, look in zip(axes, shares, looks, strict=True):
    ax.barh(look.words, share, color="#D55E00")
    ax.set(xlim=(0, 1), xticks=(0, 0.5, 1), xlabel="share of attention")
    ax.set_title(f"lions: {look.probabilities[0]:.2f}", fontsize=10)
axes[0].invert_yaxis()
most = ", ".join(looks[0].words[i] for i in shares.argmax(dim=1))
lions = sum(look.probabilities[0] > 0.5 for look in looks)
show(fig, alt=f"{lions} of four models say that the lions won. The word that each "
     f"looks at most is, in turn: {most}.")  # fmt: skip

# %% [markdown]
# In numbers:

# %%
of_four = torch.tensor([accuracy(each.logits, who_won) for each in four])
# Half the summed differences: 0 where two share alike, 1 with nothing in common.
apart = 0.5 * (shares[:, None] - shares).abs().sum(dim=2)  # (4, 4)
claim("each is right on over 0.95 of the test rows", of_four.min() > 0.95, trained=True)
claim("yet two of them share less than half of their attention on this headline",
      apart.max() > 0.5, trained=True)  # fmt: skip

# %% [markdown]
# Same task, same answers, other weights. How could one that looks at *tigers* alone know that lions
# won? The vector of *tigers* carries its place, and the other words come into the mean past
# attention, on the residual path. A weight says where a value was *taken from* in one layer, not
# what it carries. Jain and Wallace (2019) found other weights that leave a model's answer as it is;
# Wiegreffe and Pinter (2019) answered that this depends on what you call an explanation. Treat a
# heat map as a view into a model, not as its reason. Lesson 13 returns to this with methods that
# can be tested.

# %% [markdown]
# ## Does it help with the news?
#
# **Predict, then run.** Back to `section` on news cards. Attention can do all that a bag can, and
# see the order. How much does it gain? The table has lesson 02's rows and a transformer,
# measured alike; *here* are a bag, and the model that we began with.

# %%
how = {"epochs": 6, "learning_rate": 1e-2}
bag = train_reader(partial(BagEncoder, dim=64), vocabulary, cards, 5, **how)
card_models = {"bag": bag, "transformer": alone["text"]}
section = cards["test"]["label"]
here = {name: accuracy(each.logits, section) for name, each in card_models.items()}
known = scores(read_results("02", "section")) | scores(read_results("03", "section"))
ceiling = news_cards.ceiling("section")["text"]
table = fair_table(known, {"text": ceiling})[["mean", "spread"]]
table["here"] = pd.Series(here)
print(table.round(3).to_string(na_rep=""))

# %% [markdown]
# What we lean on:

# %%
mean = table["mean"].drop("majority")
claim("all are within 0.02 of the ceiling", mean.min() > ceiling - 0.02)
claim("attention and bag differ by less than 0.01",
      abs(mean["transformer"] - mean["bag"]) < 0.01)  # fmt: skip
claim("yours lie in the file's spread, give 0.04",
      all(within_spread(here[name], known[name], 0.04) for name in here),
      trained=True)  # fmt: skip

# %% [markdown]
# Next to nothing. In this world the section is told by which words there are, never by their order,
# so the bag stands at the ceiling already. A stronger encoder pays where the task has something for
# it to find. (A seed may pass the ceiling by luck.)

# %% [markdown]
# **So, which words matter to this word?** Those whose keys answer its query: it takes from each in
# proportion to a softmax of dot products, from all at once however far apart, and the mask says who
# is asked at all. Where they stand it learns from positions or from a causal mask. The price: $L$
# words have $L^2$ weights, so twice the text costs four times the scores.

# %% [markdown]
# ## The table that grows, and the wall

# %%
from course_utils.tables import grow_table

grow_table("03", {"transformer, text alone": known["transformer"]})

# %% [markdown]
# And the twelve trick cards, by their headlines, with these two models:

# %%
from course_utils.data import trick_cards
from course_utils.display import card_wall
from course_utils.experiment import answers

tricks, reads = trick_cards.read(), {"text": TextReader(vocabulary)}
hits = {
    name: answers(each.model, tricks, reads).numpy() == tricks["section"]
    for name, each in card_models.items()
}
counts = ", ".join(f"{name} {each.sum()}" for name, each in hits.items())
alt = f"The wall of twelve trick cards; right are: {counts}."
show(card_wall(tricks, hits), alt=alt)

# %% [markdown]
# What did the transformer of each seed answer?

# %%
named = read_results("03", "tricks").pivot_table("value", "dials", "seed", sort=False)
say = named.map(lambda number: news_cards.SECTIONS[int(number)])
print(say.to_string(header=False, index_names=False))
named, own = named.to_numpy(), tricks["section"][:, None]  # (12, seeds), (12, 1)
clear = [0, 1, 3, 6, 10, 11]  # known section words of one section alone
claim("where the headline points one way, all seeds agree",
      (named[clear] == named[clear, :1]).all())  # fmt: skip
claim("where it was written for another section, every seed is wrong",
      (named[10:] != own[10:]).all())  # fmt: skip
claim("outvoted by distractors, most are", (named[5] != own[5]).sum() > 2)

# %% [markdown]
# Elsewhere, without a known section word or with some that contradict (our own headline!), the seed
# may decide, and being right is luck. Where the headline names another section, every seed is
# wrong. A picture may help; lesson 04 joins the two.

# %% [markdown]
# ## Recap
#
# - $\mathrm{softmax}(QK^\top / \sqrt d + M)\,V$: each query's weighted mean of the values.
# - The root keeps scores at variance 1 where queries and keys have it. Without it the softmax may
#   have little gradient left; our small layer learnt all the same.
# - An encoder layer: attention in heads, then a feed-forward network, each with residual and norm.
# - Attention alone does not see order. Positions show it, and so does a causal mask.
# - Equal answers can come from unequal weights: a heat map is no proof of a reason.
#
# **Common mistakes.** Hiding keys after the softmax, so that the weights no longer sum to 1.
# Masking attention but not the mean that follows. A row of the mask that hides everything.

# %% [markdown]
# ## Quiz

# %%
quiz("03")

# %% [markdown]
# **Further reading**
#
# - Bahdanau, Cho and Bengio, *Neural machine translation by jointly learning to align and
#   translate*, ICLR, 2015.
# - Vaswani et al., *Attention is all you need*, NeurIPS, 2017: the layer of this lesson, the root,
#   the waves.
# - Ba, Kiros and Hinton, *Layer normalization*, arXiv:1607.06450, 2016.
# - Haviv et al., *Transformer language models without positional encodings still learn positional
#   information*, Findings of EMNLP, 2022.
# - Jain and Wallace, *Attention is not explanation*, NAACL-HLT, 2019; Wiegreffe and Pinter,
#   *Attention is not not explanation*, EMNLP-IJCNLP, 2019.
