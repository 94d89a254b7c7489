# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Gates, FiLM and attention between modalities
#     minutes: {read: 45, exercises: 30, deeper: 13, build: 35}
#     needs: [01_convolution, 03_attention, 04_weighted_fusion, 05_interactions, 06_training]
#     teaches: [gate, FiLM, side channel, cross-attention, bottleneck, patch tokens]
# ---

# %% [markdown]
# # Gates, FiLM and attention between modalities
#
# *You will be able to:* write fusions that decide card by card; say when such a decision can pay,
# and when no fusion can; and compare fusions at equal weights and equal tuning.
#
# **The question.** Lesson 04 gave all cards one $\alpha$. *Does a fusion that weighs each card
# anew do better, and which one should you choose?*
#
# The article names *weighted average*, *element-wise* (here the *product*) and *self-attention*,
# and advises to try them and keep the best.

# %%
import torch

from course_utils import check, claim, frozen, guess, hint, quiz, settle, show, solution
from course_utils.data import news_cards, spoilt_senses
from course_utils.data.batches import to_tensors

world = frozen.load(0)  # encoders that learnt `section`, and their cards
rows = world.rows()
clean = {split: to_tensors(part, world.readers) for split, part in rows.items()}

# %% [markdown]
# Four in ten pictures now get more noise; independently, four in ten headlines lose most words.
# Should the second card and the third be weighed alike?

# %%
from course_utils.display import card_wall
from course_utils.widgets import lesson10 as widgets

BAD = {"noise": 0.5, "lost": 0.8, "share": 0.4}
bad = {
    split: spoilt_senses.corrupt(part, **BAD, seed=place)
    for place, (split, part) in enumerate(clean.items())
}
four = widgets.as_corrupted(rows["test"], bad["test"], [22, 13, 10, 15], world.readers)
titles = ["as made", "words lost", "noisy", "both"]
show(card_wall(four, titles=titles), alt="Four cards: " + ", ".join(titles) + ".")

# %% [markdown]
# ## The gate
#
# A *gate* computes weights from the card. The *gated multimodal unit* (Arevalo and others,
# 2017) has one for each entry of the fused vector:
#
# $$ z = \sigma(W_z [a; b]), \qquad h = z \odot \tanh(W_a a) + (1 - z) \odot \tanh(W_b b) , $$
#
# with the picture's vector $a$, the headline's $b$, both side by side $[a; b]$, the sigmoid
# $\sigma(s) = 1 / (1 + e^{-s})$ between 0 and 1, and $\odot$ for entry by entry.
#
# ### Exercise 1: `gated_fusion` · 5 min · easy


# %% tags=["exercise"]
def gated_fusion(a, b, W_a, W_b, W_z):
    """The formula above, for a batch.

    a (B, d_a), b (B, d_b); W_a (dim, d_a), W_b (dim, d_b), W_z (dim, d_a + d_b)
    -> (B, dim)
    """
    ### BEGIN SOLUTION
    # W x for each row x of a batch is x @ W.T.
    z = (torch.cat([a, b], dim=1) @ W_z.T).sigmoid()
    return z * (a @ W_a.T).tanh() + (1 - z) * (b @ W_b.T).tanh()
    ### END SOLUTION


# %% tags=["check"]
gated_fusion = check(gated_fusion)

# %% [markdown]
# `GatedFusion` is this with biases; with more modalities a softmax makes their weights sum to 1.
# We train heads on the corrupted cards, behind *readers* (encoders, with what they learnt) that
# never saw such cards:

# %%
from functools import partial

from course_utils.experiment import cache_features, models_fused
from course_utils.fusion import ConcatFusion, ConcatMLPFusion, WeightedFusion
from course_utils.measures import accuracy
from course_utils.token_fusion import GatedFusion

LEARN = {"epochs": 12, "learning_rate": 5e-3, "batch_size": 128}
HEADS = {"weighted average": WeightedFusion, "gate": partial(GatedFusion, dim=32)}
seen = cache_features(world.encoders, bad)  # vectors (cards, 64) of each modality
found = models_fused(HEADS, seen, classes=5, encoders=world.encoders, options=LEARN)

# %% [markdown]
# With these readers, how far is the gate from the weighted average? Type a difference in accuracy:
# 0.05 is five cards in a hundred more, minus is fewer.

# %% tags=["guess"]
guess("gate less weighted average, corrupted cards", ...)

# %% [markdown]
# From `data/results/10.csv`: five seeds, each with its own encoders and cards, 5,000 fresh cards.
# *Retrained* readers learnt on corrupted cards; rows with *+ flags* are told which sense is bad.
# All heads have one learning rate, not tuned.

# %%
from course_utils.data.results import read_results, scores

shows = read_results("10", "corruption")
right = shows[shows["measure"] == "accuracy"]
shown = right.pivot_table("value", "model", "setting", sort=False)
print(shown.round(3).to_string())
never, again = shown["never saw it"], shown["retrained"]  # heads, means over seeds
gain = never["gate"] - never["weighted average"]
settle("gate less weighted average, corrupted cards", gain, near=0.01)

# %% [markdown]
# One seed of it here (others may lead by a hair):

# %%
label = bad["test"]["label"]
print({name: round(accuracy(one.logits, label), 2) for name, one in found.items()})

# %% [markdown]
# Over all seeds:

# %%
alike = ["weighted average", "concat + linear", "gate", "concat + MLP"]
alike += ["weighted average + flags", "gate + flags"]
near = shown.loc[alike]
claim("with either readers these six lie within 0.02 of each other",
      (near.max() - near.min()).max() < 0.02)  # fmt: skip
less = shown.loc["weighted average"] - shown.loc[["gate", "product"]]
claim("the gate is nowhere 0.005 ahead of the average, the product over 0.01 behind",
      less.loc["gate"].min() > -0.005 and less.loc["product"].min() > 0.01)  # fmt: skip
claim("retraining the readers gains over 0.04 for each",
      (again - never)[alike].min() > 0.04)  # fmt: skip

# %% [markdown]
# Nearly one result, flags or not: the gate is, if anything, a hair behind. What pays is teaching
# the reader of pictures.
#
# Why does the gate gain nothing? With *honest* readers (right as often as they believe), and senses
# independent given the section, a plain sum of log-posteriors is best (lesson 04): who knows noise
# believes less firmly, so the sum weighs card by card already. Is our picture's reader honest? (The
# headline's was not measured.) For *plain sum* (all cards) nothing is trained:

# %%
honest = read_results("10", "honesty")
of_reader = honest[honest["measure"] != "length"].pivot_table(
    "value", ["setting", "seed"], ["model", "measure"]
)
named = {f"{kind} pictures": f"picture's reader, {kind}" for kind in ("fine", "noisy")}
print(of_reader.rename(columns=named).groupby("setting").mean().T.round(2).to_string())

# %% [markdown]
# How much more a reader believes than it is right, and how far the plain sum is behind the trained
# average, seed by seed:

# %%
of_noisy, plain = of_reader["noisy pictures"], of_reader["plain sum"]["accuracy"]
# One number a seed, under "never saw it" and "retrained".
excess = (of_noisy["believes"] - of_noisy["right"]).unstack("setting")
average = right[right["model"] == "weighted average"].set_index(["setting", "seed"])
less = (average["value"] - plain).dropna().unstack("setting")
claim("retrained: believes less than 0.15 too much, and its sum is within 0.02",
      excess["retrained"].abs().max() < 0.15
      and less["retrained"].abs().max() < 0.02)  # fmt: skip
claim("never saw it: over 0.3 too much, and its sum is over 0.05 behind",
      excess["never saw it"].min() > 0.3
      and less["never saw it"].min() > 0.05)  # fmt: skip

# %% [markdown]
# Retrained, it is nearly honest, and a sum that learnt nothing is level with the trained average.
# The one that never saw noise is sure and wrong, its plain sum poor. Trained heads mend much of
# that, the gate no more than the average.
#
# Does the gate at least tell which sense to trust? Take its weight for the picture, the mean of
# $z$. With *retrained* readers, what does it do where the picture is noisy,
# compared with cards that are fine?

# %% tags=["guess"]
guess("the gate's weight for noisy pictures", ..., ["falls", "stays", "rises"])

# %% [markdown]
# Its mean weight for the picture:

# %%
of_gate = shows[shows["measure"].str.startswith("picture's weight")]
by_seed = of_gate.pivot_table("value", ["setting", "seed"], "measure", sort=False)
by_seed.columns = by_seed.columns.str.removeprefix("picture's weight, ")
print(by_seed.round(2).to_string())
change = (by_seed["picture bad"] - by_seed["both fine"]).unstack("setting")
after = change["retrained"].mean()
said = "falls" if after < -0.03 else "rises" if after > 0.03 else "stays"
settle("the gate's weight for noisy pictures", said)

# %% [markdown]
# Seed by seed:

# %%
lost = by_seed["headline bad"] - by_seed["both fine"]
claim("lost words always move weight to the picture", lost.min() > 0.04)
claim("with readers that never saw noise the weight falls by over 0.1",
      change["never saw it"].max() < -0.1)  # fmt: skip
claim("with retrained readers it does not fall", change["retrained"].min() > -0.01)

# %% [markdown]
# Behind retrained readers a noisy picture gets no less weight, rather more. The gate need not give
# it less: the reader is still right on most (above), and its vector is shorter by itself (*deeper*,
# below). What arrives is weight times message. So the weight alone is a poor meter of trust, as
# 04's $\alpha$ was none of importance. Our gate (readers that *never saw* noise), on a travel card:

# %%
of_card = widgets.reader_of(found["gate"].model, clean["test"], 8, news_cards.SECTIONS)
at = 0.3, 0.0  # noise, share of words lost
show(widgets.draw_gate(*at, of_card), alt=widgets.describe_gate(*at, of_card))

# %% [markdown]
# **Now yours.** How much noise changes the answer? Can lost words alone? And with noise 0.3?

# %% tags=["volatile"]
widgets.gate_explorer(of_card)

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* The four cards (2 min), guess the gate's gain
# (4), the flag with its guess (6), 300 cards (4), the last table and its guess (4).
#
# *At the first guess* most type 0.03 to 0.10: a gate sounds like the cure. *At the second* nearly
# all say "falls". *Live:* card 6 in place of card 8 in `reader_of`, noise to the right end.

# %% [markdown]
# ## Deeper: how loud a noisy picture speaks
#
# The mean length of the vectors that readers of pictures hand to the fusion:

# %%
of_pictures = read_results("10", "honesty")
of_pictures = of_pictures[of_pictures["measure"] == "length"]
length = of_pictures.pivot_table("value", ["setting", "seed"], "model")
print(length.groupby("setting").mean().round(1).to_string())
ratio = (length["noisy pictures"] / length["fine pictures"]).unstack("setting")
claim("retrained: noisy pictures' vectors are over a fifth shorter",
      ratio["retrained"].max() < 0.8)  # fmt: skip
claim("never saw it: they are longer", ratio["never saw it"].min() > 1.05)

# %% [markdown]
# A reader that knows noise speaks lower where it sees some. One that does not speaks louder.

# %% [markdown]
# ## A side channel
#
# When can a decision card by card pay, then? When what decides is *not in the sense itself*. A
# camera says "lens dirty": a *side channel*. We build it pure. A fair coin puts one sense of each
# card in doubt. With probability $q$ this sense becomes another card's, which looks as good as
# ever. A *flag* says which sense is in doubt, and is right with probability $r$. The world's
# chances are known, so the best possible accuracy, the *ceiling*, is exact:

# %% tags=["nbval-check-output"]
for q, r in (1, 1), (0.5, 1), (1, 0.9), (1, 0.5):
    best = spoilt_senses.ceiling(q, r)
    print(
        f"q {q}, r {r}: without {best['without']:.3f}, with the flag {best['with']:.3f}"
    )

# %% [markdown]
# At $q = r = 1$ the flag is worth over 0.2. The weighted average and concat get it as one more
# modality, the gate as an input of $z$. What accuracy does concat + linear reach with it?

# %% tags=["guess"]
guess("concat + linear that is told which sense to trust", ...)

# %% [markdown]
# We spoil the clean cards' features:

# %%
features = cache_features(world.encoders, clean)
flagged = {
    split: spoilt_senses.spoil(part, q=1, r=1, seed=place)
    for place, (split, part) in enumerate(features.items())
}
print("flag:", tuple(flagged["train"]["flag"].shape), "each 0 or 1")

# %% [markdown]
# Three heads that are told:


# %%
def of_both(kind, **options):
    """A fusion of picture and headline alone; the flag comes by `reads`."""
    return lambda dims: kind({"image": 64, "text": 64}, **options)


TOLD = {
    "concat + linear + flag": ConcatFusion,
    "concat + MLP + flag": ConcatMLPFusion,
    "gate + flag": of_both(GatedFusion, dim=32, reads=("flag",)),
}
names = ("image", "text", "flag")
told = models_fused(TOLD, flagged, classes=5, names=names, options=LEARN)

# %% [markdown]
# Five seeds from the file, with more dials:

# %%
flag = read_results("10", "flag")
flag = flag[flag["measure"] == "accuracy"]
flag["model"] = (flag["model"] + " " + flag["setting"]).str.strip()
of_flag = flag.pivot_table("value", "model", "dials", sort=False)  # means over seeds
print(of_flag.round(2).to_string(na_rep=""))
pure = of_flag["q=1 r=1"]
settle(
    "concat + linear that is told which sense to trust", pure["concat + linear + flag"]
)

# %% [markdown]
# The heads trained here:

# %%
label = flagged["test"]["label"]
here = {name: accuracy(one.logits, label) for name, one in told.items()}
print("here:", {name: round(share, 2) for name, share in here.items()})
claim("here the gate is over 0.1 above concat + linear", trained=True,
      ok=here["gate + flag"] > here["concat + linear + flag"] + 0.1)  # fmt: skip

# %% [markdown]
# What stands in the first column:

# %%
deaf = ["weighted average + flag", "concat + linear + flag"]
claim("the flag gives the adding fusions less than 0.02",
      max(pure[deaf]) < pure["weighted average"] + 0.02)  # fmt: skip
claim("the gate with it is over 0.18 above them, and within 0.04 of the ceiling",
      pure["gate + flag"] > max(pure[deaf]) + 0.18
      and pure["gate + flag"] > pure["ceiling, with"] - 0.04)  # fmt: skip
claim("concat + MLP is behind the gate after 12 epochs, and level after 60",
      pure["concat + MLP + flag"] < pure["gate + flag"] - 0.01
      and abs(pure["concat + MLP + flag 60 epochs"]
              - pure["gate + flag 60 epochs"]) < 0.015)  # fmt: skip

# %% [markdown]
# Told, and no better. In a sum $g(a) + h(b) + k(\text{flag})$ the flag can only vote for a class,
# and no class is likelier for it. It has to *multiply*: "if 1, then less of $a$", lesson 05's
# interaction. The gate is built for it; concat + MLP learns it too, at this rate in more epochs.
#
# Where little is spoilt, the gate's advantage melts faster than the flag's worth (*deeper*, below):

# %%
mild = of_flag["q=0.25 r=1"]
claim("at q = 0.25 the flag could give 0.05, and the gate takes less than 0.03 of it",
      mild["ceiling, with"] - mild["ceiling, without"] > 0.049
      and mild["gate + flag"] - mild["gate"] < 0.03)  # fmt: skip

# %% [markdown]
# ### Exercise 2: `useless_flag` · 5 min · medium · *break this claim*
#
# **The claim:** "A flag that helps at $q = 1$ helps wherever senses are spoilt." Find $q \ge 0.15$
# and an $r$ for which it is false: at $q = 1$ this flag raises the ceiling by at least 0.06, at
# your $q$ by less than 0.01.


# %% tags=["exercise"]
def useless_flag():
    """Dials of a flag that is worth nothing, and would be worth much at q = 1.

    -> {"q": ..., "r": ...}
    """
    ### BEGIN SOLUTION
    # Little is spoilt, so both senses are to be trusted; such a flag is too often wrong
    # to outweigh what they say.
    return {"q": 0.15, "r": 0.68}
    ### END SOLUTION


# %% tags=["check"]
useless_flag = check(useless_flag)

# %% [markdown]
# Information that changes hardly an answer is worth hardly anything *in accuracy*.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At the flag's guess* most type 0.65 to 0.80. Let the class write the additive score on the board
# before the next cell. *Exercise 2, usual first try:* the smallest q with a small r, which is worth
# too little at q = 1, where even a weak flag breaks ties between two senses of which one is wrong.

# %% [markdown]
# ## Deeper: why the gate's advantage melts
#
# Train nothing: add log-posteriors, and count those of the sense in doubt only `weight` times. Once
# they are *exact*, from the world's own chances, and once they are the readers':

# %%
from course_utils.data.batches import Batches
from course_utils.training import predict


def beliefs_of(split):
    """{"exact", "readers'"} -> {sense: log-posteriors (n, 5)}."""
    known, batches = news_cards.posteriors(rows[split]), Batches(clean[split], 256)
    exact = {n: torch.tensor(known[n]).clamp(min=1e-9).log() for n in world.alone}
    read = {n: predict(one, batches).log_softmax(1) for n, one in world.alone.items()}
    return {"exact": exact, "readers'": read}


def weighed(logs, label, q, weight, times=10):
    """Accuracy of the sum, the mean over several ways to spoil the same cards."""
    total = 0
    for seed in range(times):
        part = spoilt_senses.spoil(logs, q, seed=seed)
        doubt = part["flag"]  # (n, 1), 1 where the picture is in doubt
        # 1 for the sense that is trusted, `weight` for the one in doubt.
        of_image, of_text = 1 - (1 - weight) * doubt, weight + (1 - weight) * doubt
        scores = of_image * part["image"] + of_text * part["text"]
        total += accuracy(scores, label)
    return total / times


# %% [markdown]
# Validation cards choose the weight:

# %%
beliefs = {split: beliefs_of(split) for split in ("validation", "test")}
gains = {}
for q in (1, 0.5, 0.25):
    for source, logs in beliefs["test"].items():
        chosen = beliefs["validation"][source], clean["validation"]["label"], q
        weight = max((0, 0.1, 0.3, 0.5, 0.7), key=lambda w: weighed(*chosen, w))
        truth = clean["test"]["label"]
        by_flag, plain = (weighed(logs, truth, q, w) for w in (weight, 1))
        gains[source, q] = by_flag - plain
        print(
            f"q {q:4}  {source:8}  {plain:.2f}, weighed {by_flag:.2f}  ({weight} times)"
        )
claim("exact: by weighing over 0.035 is gained even at q = 0.25", trained=True,
      ok=gains["exact", 0.25] > 0.035)  # fmt: skip
claim("the readers' beliefs: less than that at q = 0.25, and over 0.2 at q = 1",
      trained=True,
      ok=gains["readers'", 0.25] < 0.035 and gains["readers'", 1] > 0.2)  # fmt: skip

# %% [markdown]
# So weighing, which is what a gate does, can take the flag's whole worth: the form is not to blame.
# With our readers' beliefs (one seed here) a part of it is left. A gate also has to *learn* when to
# doubt, from cards whose sense in doubt is mostly right. More cards to learn from may help.

# %% [markdown]
# ## FiLM
#
# *FiLM*, feature-wise linear modulation (Perez and others, 2018), lets one modality turn another's
# knobs: $\gamma$ and $\beta$ are computed from $b$ (and the flag), and each feature (in our tables,
# of the picture's vector), or each channel of a map (lesson 01), is scaled and shifted:
#
# $$ \mathrm{FiLM}(F)_c = \gamma_c F_c + \beta_c . $$
#
# ### Exercise 3: `film` · 4 min · easy


# %% tags=["exercise"]
def film(features, gamma, beta):
    """Scale and shift each channel, alike at all places.

    features (B, C) or, with places, (B, C, L), (B, C, H, W); gamma, beta (B, C)
    -> the shape of features
    """
    ### BEGIN SOLUTION
    # As many axes of size 1 as there are axes of places.
    shape = (*gamma.shape, *[1] * (features.ndim - 2))
    return gamma.reshape(shape) * features + beta.reshape(shape)
    ### END SOLUTION


# %% tags=["check"]
film = check(film)

# %% [markdown]
# With the flag it does what the gate does:

# %%
apart = (of_flag.loc["FiLM + flag"] - of_flag.loc["gate + flag"]).abs()
claim("FiLM with the flag is within 0.03 of the gate, at q = 1 and at 0.5",
      max(apart["q=1 r=1"], apart["q=0.5 r=1"]) < 0.03)  # fmt: skip

# %% [markdown]
# ## Attention between modalities
#
# Now each modality is many *tokens*: a vector for each word, and for each place of the CNN's last
# map. In *cross-attention* the tokens of one modality ask (queries), those
# of the other answer (keys, values). It is lesson 03's formula with two sequences:
#
# $$ \mathrm{softmax}\big(Q_a K_b^\top / \sqrt d + M_b\big) V_b , $$
#
# where the mask $M_b$ is $-\infty$ at keys that are padding. Where all is padding the answer is
# zeros.
#
# ### Exercise 4: `cross_attention` · 8 min · medium


# %% tags=["exercise"]
def cross_attention(query, key, value, real):
    """What the tokens of one modality are told by those of another.

    query (B, T, d); key (B, S, d); value (B, S, e); real (B, S) bool, False for padding
    -> (B, T, e); zeros in a row in which nothing is real, without nan in the gradients
    """
    ### BEGIN SOLUTION
    scores = query @ key.transpose(1, 2) / key.shape[-1] ** 0.5  # (B, T, S)
    # The mask is one of keys: the same for every query of a row.
    scores = scores.masked_fill(~real[:, None], -torch.inf)
    # A softmax of nothing but -inf is nan.
    return scores.softmax(dim=-1).nan_to_num() @ value
    ### END SOLUTION


# %% tags=["check"]
cross_attention = check(cross_attention)

# %% [markdown]
# ## Deeper: as PyTorch has it, and a bottleneck
#
# `CrossAttention` is this with heads and projections (03). With copied weights it is
# `nn.MultiheadAttention`, masks included:

# %%
from course_utils.attention import CrossAttention

torch.manual_seed(0)
ours, theirs = CrossAttention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
theirs.in_proj_weight, theirs.in_proj_bias = ours.project.weight, ours.project.bias
theirs.out_proj = ours.out
words_of, places_of = torch.randn(3, 5, 8), torch.randn(3, 4, 8)
real = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [1, 0, 0, 0]]).bool()
want, _ = theirs(words_of, places_of, places_of, key_padding_mask=~real)
torch.testing.assert_close(ours(words_of, places_of, real), want)

# %% [markdown]
# *Bottleneck tokens* (Nagrani and others, 2021) are another way: each modality attends among its
# own tokens and a few shared ones, which are averaged after each layer. Only through these may one
# modality hear of another; their mean is read off. After *one* layer they hold a mean of what each
# said without having heard the other: a sum $g(a) + h(b)$, and lesson 05 says what becomes of
# `match`:

# %%
of_bottleneck = scores(read_results("10", "bottleneck"))
print(of_bottleneck)
one, two = (of_bottleneck[n] for n in ("bottleneck, one layer", "bottleneck"))
claim("with one layer the bottleneck hardly does better than a coin", max(one) < 0.6)
claim("with two it is above 0.7", min(two) > 0.7)

# %% [markdown]
# ## A picture as words
#
# A transformer can read a picture too, cut into *patches* (Dosovitskiy and others, 2021).
#
# ### Exercise 5: `patchify` · 8 min · medium
#
# `x.unflatten(2, (-1, size))` splits axis 2 into two; `permute` orders axes.


# %% tags=["exercise"]
def patchify(image, size):
    """Cut pictures into squares, row of squares after row, each laid out flat.

    image (B, C, H, W), H and W multiples of size
    -> (B, H / size * W / size, C * size * size);
    within a patch in the order channel, row, column
    """
    ### BEGIN SOLUTION
    # Axes: B, C, rows of patches, rows in them, columns of patches, columns in them.
    parts = image.unflatten(3, (-1, size)).unflatten(2, (-1, size))
    return parts.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    ### END SOLUTION


# %% tags=["check"]
patchify = check(patchify)

# %% [markdown]
# One linear layer on each patch is a convolution whose stride is its kernel (lesson 01).

# %%
picture = torch.rand(2, 3, 48, 48)
conv = torch.nn.Conv2d(3, 64, kernel_size=8, stride=8)
# Shape (2 pictures, 36 patches, 3 * 8 * 8 numbers) before, (2, 36, 64) after.
tokens = patchify(picture, 8) @ conv.weight.flatten(start_dim=1).T + conv.bias
as_conv = conv(picture).flatten(start_dim=2).transpose(1, 2)
torch.testing.assert_close(as_conv, tokens, rtol=1e-5, atol=1e-5)
print("tokens:", tuple(tokens.shape))

# %% [markdown]
# So an encoder needs no CNN. Ours keep theirs, which learns from fewer pictures (*deeper*, next).

# %% [markdown]
# ## Deeper: patches from scratch
#
# Patches, a learnt vector for each place, two layers of attention, trained on pictures alone beside
# lesson 01's CNN. Means of five seeds, one rate each:

# %%
patches = read_results("10", "patches").astype({"dials": int})
of_size, heavy = (patches[patches["measure"] == m] for m in ("accuracy", "weights"))
of_size = of_size.pivot_table("value", ["dials", "seed"], "model")
at = of_size.groupby("dials").mean(), news_cards.ceiling("section")["image"]
show(widgets.draw_curve(*at), alt=widgets.describe_curve(*at))

# %% [markdown]
# Seed by seed:

# %%
behind = (of_size["CNN"] - of_size["patches"]).unstack("dials")
print(behind.round(2).to_string())
claim("at 600 and 1,858 pictures patches are over 0.15 behind the CNN",
      behind[[600, 1858]].min(axis=None) > 0.15)  # fmt: skip
claim("with 6,000 less than half as far as with 600",
      (behind[6000] < 0.5 * behind[600]).all())  # fmt: skip
heavy = heavy.groupby("model")["value"].first()
claim("patches have over twice the CNN's weights", heavy["patches"] > 2 * heavy["CNN"])

# %% [markdown]
# A convolution knows beforehand that neighbours matter and that a ball is a ball anywhere.
# Patches have to learn it, from more pictures than we have (and more epochs, perhaps).

# %% [markdown]
# ## One transformer over all tokens
#
# The article's third fusion: the projected tokens of both modalities stand side by side, each
# *plus* a learnt vector that says which modality it is of, and a learnt token before them.
# Self-attention runs, and that first token is read off.
#
# ### Exercise 6: `JointAttentionFusion` · 35 min · hard · *a build*
#
# `EncoderLayer` is lesson 03's; `token_mask(real)`, with real (B, L) True for real tokens, makes
# its mask; `as_tokens` makes one token of a vector, as `Tokens`;
# `presence(present, names, rows, device)` says which modalities each row has, (B, M) bool.
# `nn.ModuleDict` and `nn.ModuleList` hold layers, `nn.ParameterDict` named tensors.

# %% tags=["exercise"]
from torch import nn

from course_utils.attention import EncoderLayer, token_mask
from course_utils.fusion import as_tokens, presence


class JointAttentionFusion(nn.Module):
    """Self-attention over the tokens of all modalities, read off at a learnt token.

    dims: {name: size of its tokens}; dim: of all tokens inside. Attributes: names,
    the names in dims as a tuple; dim_out, which is dim. Each layer is
    EncoderLayer(dim, heads, 2 * dim). A modality's vector (dim,) is added.
    """

    reads_tokens = True  # it is given Tokens(vectors (B, T, size), real (B, T))

    def __init__(self, dims, dim=64, heads=4, layers=1):
        ### BEGIN SOLUTION
        super().__init__()
        self.names, self.dim_out = tuple(dims), dim
        linear = {n: nn.Linear(size, dim) for n, size in dims.items()}
        self.project = nn.ModuleDict(linear)
        self.kind = nn.ParameterDict({n: torch.randn(dim) * 0.1 for n in dims})
        self.first = nn.Parameter(torch.randn(dim) * 0.1)
        stack = [EncoderLayer(dim, heads, 2 * dim) for _ in range(layers)]
        self.layers = nn.ModuleList(stack)
        ### END SOLUTION

    def forward(self, features, present=None):
        """features {name: Tokens or (B, size)}, present {name: (B,) bool} -> (B, dim)

        Features may hold more names than dims, in any order. No token looks at padding,
        nor at a modality that its row lacks. A name that present lacks is there in
        every row. A row without any modality gives numbers.
        """
        ### BEGIN SOLUTION
        given = [as_tokens(features[name]) for name in self.names]
        rows = len(given[0].real)
        there = presence(present, self.names, rows, self.first.device)  # (B, M)
        x, real = [self.first.expand(rows, 1, -1)], [there.new_ones(rows, 1)]
        for m, (name, tokens) in enumerate(zip(self.names, given, strict=True)):
            x.append(self.project[name](tokens.vectors) + self.kind[name])
            real.append(tokens.real & there[:, [m]])
        x, mask = torch.cat(x, dim=1), token_mask(torch.cat(real, dim=1))
        for layer in self.layers:
            x = layer(x, mask)  # (B, 1 + all tokens, dim)
        return x[:, 0]
        ### END SOLUTION


# %% tags=["check"]
JointAttentionFusion = check(JointAttentionFusion)

# %% [markdown] slideshow={"slide_type": "notes"}
# *The build* takes 25 to 45 minutes. Usual first versions forget the column for the learnt token in
# the mask (an error of shapes), or mask padding and not what is absent.

# %% [markdown]
# `match` asks for agreement (05). Attention is made to compare tokens. Taught by only 300 cards,
# how far is it from concat + MLP, at equal weights? Type a difference in accuracy (minus: behind).

# %% tags=["guess"]
guess("attention less MLP, 300 cards", ...)

# %% [markdown]
# Means over seeds, rates chosen anew (*all*: all training cards):

# %%
few = read_results("10", "few cards").astype({"dials": int})
of_few = few.pivot_table("value", ["dials", "seed"], ["measure", "model"])
known = scores(read_results("10", "match"))
by_cards = of_few["accuracy"].groupby("dials").mean()
by_cards.loc["all"] = {name: sum(known[name]) / len(known[name]) for name in by_cards}
print(by_cards.round(3).to_string())
small = of_few["accuracy"].loc[300]
gap = small["self-attention"] - small["concat + MLP"]
settle("attention less MLP, 300 cards", gap.mean(), near=0.03)

# %% [markdown]
# Seed by seed:

# %%
claim("300 cards: attention over tokens is over 0.05 behind, in every seed",
      gap.max() < -0.05)  # fmt: skip
pooled = small["self-attention, two vectors"] - small["self-attention"]
claim("attention over the two pooled vectors is over 0.03 above it, in every seed",
      pooled.min() > 0.03)  # fmt: skip

# %% [markdown]
# And with more cards:

# %%
lag = by_cards["concat + MLP"] - by_cards["self-attention"]
claim("the lag shrinks with more cards, and with all it is over 0.02",
      lag[300] > lag[1000] > lag["all"] > 0.02)  # fmt: skip
claim("with all cards attention over tokens learns match: over 0.7 in every seed",
      min(known["self-attention"]) > 0.7)  # fmt: skip

# %% [markdown]
# Attention as such is not to blame: over the two *pooled* vectors it loses less.

# %% [markdown]
# ## Deeper: is it too little training?
#
# How well does each fit its own training cards?

# %%
heart = of_few["training accuracy"].groupby("dials").mean()
print(heart.round(3).to_string())
claim("there too attention over tokens is last of the three",
      (heart.idxmin(axis=1) == "self-attention").all())  # fmt: skip

# %% [markdown]
# Attention over tokens fits them worst, so it may be too little training. Or it is our encoders,
# which learnt `section` through the pooled vector. We cannot tell which.

# %% [markdown]
# ## Which one, then?
#
# *Equal weights:* every head is as wide as brings it to about 8,500 learnt numbers (concat + linear
# has what it has). *Equal tuning:* of three learning rates (0.001, 0.003, 0.01) validation rows of
# the first seed chose one, task by task; equal epochs. Five seeds, fresh cards.
#
# `emoji` is real: the group of an emoji from its picture and its name. Each seed divides the rows
# anew, and trains encoders from scratch.
#
# Of the article's three, is one the best on both generated tasks, `section` and `match`?

# %% tags=["guess"]
guess("one of the article's three is best on both", ..., ["yes", "no"])

# %% [markdown]
# Means over the seeds (blank: not measured), weights on `match`. *Linear, both* is a tuned linear
# model on words and pixels, without encoders:

# %%
import pandas as pd

THREE = ["weighted average", "product", "self-attention"]
LATER = ["gate", "FiLM", "cross-attention", "self-attention, two vectors"]
PLAIN = ["concat + linear", "concat + MLP", "linear, both", "image alone", "text alone"]
TASKS = ["section", "match", "emoji"]
runs = pd.concat([read_results("10", task) for task in TASKS])
# Accuracies, and how many numbers fusion and head learnt.
runs, counted = (runs[runs["measure"] == m] for m in ("accuracy", "weights"))
means = runs.pivot_table("value", "model", "experiment")[TASKS]
means = means.loc[[*THREE, *LATER, *PLAIN, "majority"]]
means.loc["ceiling"] = {t: news_cards.ceiling(t)["both"] for t in TASKS[:2]}
weights = counted[counted["experiment"] == "match"].groupby("model")["value"].first()
shown = means.assign(weights=weights.map("{:,.0f}".format))
named = {"product": "element-wise (product)"}
print(shown.rename(named).round(3).to_string(na_rep=""))

# %% [markdown]
# The best of the three, task by task, and how far seeds lie apart:

# %%
best = means.loc[THREE].idxmax()
spread = runs.groupby(["model", "experiment"])["value"].std().unstack()
print(best.to_string(), spread.loc[THREE, TASKS].round(3).to_string(), sep="\n\n")
both = "yes" if best["section"] == best["match"] else "no"
settle("one of the article's three is best on both", both)

# %% [markdown]
# On the generated cards:

# %%
ahead = means.loc["weighted average"] - means.loc["product"]
claim("the weighted average is over 0.01 above the product on section, "
      "and over 0.2 below it on match",
      ahead["section"] > 0.01 and ahead["match"] < -0.2)  # fmt: skip
claim("self-attention over tokens is best of the three on neither",
      "self-attention" not in set(best[TASKS[:2]]))  # fmt: skip
short = means.loc[[*THREE, *LATER]].max() - means.loc["concat + MLP"]
claim("on both concat + MLP is within 0.02 of the best", max(short[TASKS[:2]]) < 0.02)

# %% [markdown]
# **What the article says, and what came out.** "Try them and keep the best" is right, and here its
# list has no winner. The product leads the three where comparing is asked for, and is last where
# adding is enough. On these cards the later inventions tie at best with a plain concat + MLP.
#
# How equal was the tuning? The rates chosen:

# %%
rates = read_results("10", "rates").pivot_table("value", "model", "setting")
at_end = rates.isin([0.001, 0.01]).to_numpy()
print(f"{at_end.sum()} of {at_end.size} are at an end of the three")
claim(
    "over half are, self-attention's and concat + MLP's on match at the lowest",
    at_end.mean() > 0.5
    and (rates.loc[["self-attention", "concat + MLP"], "match"] == 0.001).all(),
)

# %% [markdown]
# Other rates may gain a little. And on real pictures and names?

# %%
emoji = means["emoji"]
claim("on emoji two senses gain over 0.02",
      emoji["concat + linear"] > emoji["text alone"] + 0.02)  # fmt: skip
fusions = [*THREE, "gate", "FiLM", "concat + linear", "concat + MLP"]
claim("no fusion is over 0.02 better than the tuned linear model",
      emoji[fusions].max() < emoji["linear, both"] + 0.02)  # fmt: skip

# %% [markdown]
# Two senses help there too, and a tuned linear model without encoders keeps up.

# %% [markdown]
# ## Deeper: which differences can be told from chance?
#
# Differences with standard errors over the seeds (divisions of emoji share rows, so these flatter).
# The second line could have gone either way:

# %%
of_seed = runs.pivot_table("value", "seed", ["experiment", "model"])


def gap_of(task, one, other):
    """How far one row is above another: the mean over the seeds, and its error."""
    apart = of_seed[task][one] - of_seed[task][other]
    return apart.mean(), apart.sem()


pairs = {
    "both senses over the better one": ("concat + linear", "image alone"),
    "product over the weighted average": ("product", "weighted average"),
    "tokens over concat + MLP": ("self-attention", "concat + MLP"),
}
for line, (one, other) in pairs.items():
    for task in ("section", "emoji"):
        # The better one alone is the picture on section, the name on emoji.
        real = task == "emoji" and other == "image alone"
        mean, error = gap_of(task, one, "text alone" if real else other)
        print(f"{line:34}{task:8} {mean:+.3f} ± {error:.3f}")

# %% [markdown]
# Of all pairs on emoji, those over two errors apart:

# %%
from itertools import permutations

clear = set()
for one, other in permutations(fusions, 2):
    mean, error = gap_of("emoji", one, other)
    if mean > 2 * error:
        clear.add((one, other))
        print(f"{one} over {other}: {mean:+.3f} ± {error:.3f}")
claim("FiLM is ahead of the average", ("FiLM", "weighted average") in clear)
claim("nothing is ahead of concat + linear",
      not any(other == "concat + linear" for _, other in clear))  # fmt: skip
print("test rows:", runs.groupby("experiment")["rows"].max().to_dict())

# %% [markdown]
# The product does not lose there as on `section`; whether it is best of the three a second time, we
# cannot tell. Gate and FiLM are ahead of the average and of tokens, of many pairs, and the errors
# flatter.

# %% [markdown]
# ## The answer
#
# **Does a fusion that weighs each card anew do better?** Where faults show in the senses, no:
# better readers pay. Where a side channel knows what the senses do not, yes, by much, over fusions
# that add; at $q = 1$ concat + MLP gets there with more epochs. **Which one should you choose?**
# Start with concat + linear and concat + MLP. Try gate or FiLM when you have a side channel;
# attention over tokens was never best here, at the three rates tried.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At the 300 cards* most expect attention to be ahead, since it "compares". *At the last guess* who
# remembers 05 says no. *Ask:* the gate beat the weighted average by a hair on one seed; what
# would you need to see before you believe it? (Lesson 08's paired interval.)

# %% [markdown]
# ## The table that grows

# %%
from course_utils.tables import grow_table

of_section = scores(read_results("10", "section"))
grow_table("10", {name: of_section[name] for name in ("gate", "self-attention")})

# %% [markdown]
# ## Recap
#
# - A gate weighs each card anew. Where honest readers see the faults, adding does that already.
# - It pays where a side channel says what the senses do not. Its weight alone is no meter of trust.
# - Joint attention over tokens learns agreement, and stays behind concat + MLP.
# - At equal weights and tuning the task decides: none of the article's three is safe.
#
# **Common mistakes.** Giving a flag to a fusion that only adds. Attending to padding. Comparing a
# tuned new fusion with an untuned old one.

# %% [markdown]
# ## Quiz

# %%
quiz("10")

# %% [markdown]
# **Further reading**
#
# - Arevalo, Solorio, Montes-y-Gómez and González, *Gated multimodal units for information fusion*,
#   ICLR workshop, 2017.
# - Perez, Strub, de Vries, Dumoulin and Courville, *FiLM: visual reasoning with a general
#   conditioning layer*, AAAI, 2018.
# - Tsai, Bai, Liang, Kolter, Morency and Salakhutdinov, *Multimodal transformer for unaligned
#   multimodal language sequences*, ACL, 2019.
# - Dosovitskiy and others, *An image is worth 16x16 words: transformers for image recognition at
#   scale*, ICLR, 2021.
# - Nagrani, Yang, Arnab, Jansen, Schmid and Sun, *Attention bottlenecks for multimodal fusion*,
#   NeurIPS, 2021.
