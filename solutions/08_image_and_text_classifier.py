# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: The image and text classifier
#     minutes: {read: 75, exercises: 39, deeper: 20}
#     needs: [01_convolution, 02_words_to_vectors, 03_attention, 04_weighted_fusion,
#       05_interactions, 06_training]
#     teaches: [full pipeline, frozen features, macro F1, learning curve, paired gain, transfer,
#       augmentation, search for settings, own folder, model file]
# ---

# %% [markdown]
# # The image and text classifier
#
# *You will be able to:* build a classifier that reads a picture and a headline; judge it against
# majority, single modalities, a linear baseline and the ceiling; say with an interval how much the
# second modality is worth; and go from a stranger's folder to a model file that answers.
#
# The lesson is two sittings: one on cards, whose answers are known, and one, from *A stranger's
# folder* on, on rows of which nobody knows the ceiling.
#
# **The question.** A news desk wants two things from one system: the section of each card, and an
# alarm when a headline was put under the wrong picture. The system learnt sections from cards
# that all fit. Can what it learnt raise the alarm too, or must we train again for that?

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* First picture (2), exercise 1 on the board (4), the
# fair table (4), predict and run the `match` table, read the one from scratch (6), the composer
# (4). The class usually expects the frozen encoders to fail on `match`, because "they never saw a
# mismatch", and expects training from scratch to do better. Both are wrong here.
#
# Live dials: `news_cards.make(..., without_motif=0.02)` makes the second sense worthless;
# `image_noise=0.4` makes the text carry the model.

# %%
import torch

from course_utils import check, claim, hint, quiz, show, solution
from course_utils.data import news_cards
from course_utils.data.rows import split_rows, take
from course_utils.display import card_wall

cards = news_cards.make(6000, seed=0)

# %% [markdown]
# Four of them, with the truth over each:

# %%
some = take(cards, [0, 1, 2, 3])
# The two labels that a card has, in words.
names = [news_cards.SECTIONS[number] for number in some["section"]]
fits = ["fits" if match else "does not fit" for match in some["match"]]
titles = [f"{name}, {fit}" for name, fit in zip(names, fits, strict=True)]
alt = "Four news cards; two headlines fit, two do not."
show(card_wall(some, titles=titles), alt=alt)

# %% [markdown]
# Each card has two labels. `section` is the picture's section. `match` says whether the headline
# was written for that section; half of the headlines were not. The *section task* uses the fitting
# cards alone, the *match task* all.
#
# The parts are yours by now: the CNN (01), readers of words (02, 03), fusions (04, 05) and the
# training loop `fit` (06). Here they become one system.

# %% [markdown]
# ## Step 1: pre-process
#
# Rows become tensors in three moves: choose the rows, give each word a number, stack. A *reader* of
# each modality does the last two. Only the *training* rows make the vocabulary: a word that occurs
# in test rows alone must stay unknown, as it would be in use (02).

# %%
from course_utils.data.readers import ImageReader, TextReader

rows = split_rows(news_cards.rows_for(cards, "section"))
# A word seen once is more likely a slip than a help.
text = TextReader(fewest=2).fit(rows["train"], "text")
readers = {"image": ImageReader(), "text": text}
vocabulary = text.vocabulary
print(len(vocabulary), "words, the first of them:", vocabulary.words[:6])

# %% [markdown]
# Then the stacking:

# %%
from course_utils.data.batches import Batches, named_tensors, to_tensors

section = {split: to_tensors(part, readers) for split, part in rows.items()}
for name, tensor in named_tensors(section["train"]):
    print(f"{name:14} {tuple(tensor.shape)!s:20} {tensor.dtype}")

# %% [markdown]
# Pictures stay whole numbers until `Batches` hands them out as fractions of white. `present` says
# by name which modalities a card has; here all have both (lesson 11 takes some away).

# %% [markdown]
# ## Step 2: encode
#
# An *encoder* turns its part of the batch into one vector for each card: images
# $(B, 3, 48, 48) \to (B, 64)$, texts $(B, L) \to (B, 64)$, with $B$ cards in the batch and $L$
# words in the longest headline.
#
# For headlines you have four: bag, LSTM and text CNN (02), transformer (03). On validation rows
# they lie so close together that we may take any; a deeper section below has the figures. We take
# the transformer.

# %%
from course_utils.encoders import CNNEncoder, TransformerEncoder, encode


def make_encoders(words):
    """One encoder for each modality, untrained; words: how many the vocabulary has."""
    # Both end in 64 numbers, so that any fusion can take them.
    return {"image": CNNEncoder(dim=64), "text": TransformerEncoder(words, dim=64)}


# %% [markdown]
# One batch through both:

# %%
words = len(vocabulary)
batch = next(iter(Batches(section["train"], batch_size=64)))
for name, encoder in make_encoders(words).items():
    shape = tuple(encode(encoder, batch).shape)
    print(name, "reads", encoder.reads, "and gives", shape)

# %% [markdown]
# Anything with `reads` (the tensors that it is called with) and `dim` is an encoder, one of your
# own too.

# %% [markdown]
# ## Step 3: fuse
#
# The whole classifier is three lines of mathematics, for modalities $m = 1, \dots, M$:
#
# $$ F_m = e_m(x_m), \qquad F = \mathrm{fuse}(F_1, \dots, F_M), \qquad z = W F + b . $$
#
# Encoders $e_m$ make features, a fusion joins them, a linear *head* scores the $C$ classes. The $z$
# are logits; the loss applies softmax itself, so the model must not.
#
# ### Exercise 1: `MultimodalClassifier` · 10 min · medium
#
# The constructor is given; it keeps the encoders in an `nn.ModuleDict`. Write `forward`, the three
# formulas in code. `encode(encoder, batch)` calls an encoder with what it reads.

# %% tags=["exercise"]
from torch import nn

from course_utils.encoders import encode


class MultimodalClassifier(nn.Module):
    """Encoders + fusion + head.

    encoders: {name: encoder}.
    fusion: called as fusion(features, present), {name: (B, dim)} -> (B, dim_out).
    """

    def __init__(self, encoders, fusion, classes):
        super().__init__()
        # A ModuleDict, since PyTorch would not find and train the encoders in a dict.
        self.encoders = nn.ModuleDict(encoders)
        self.fusion = fusion
        self.head = nn.Linear(fusion.dim_out, classes)

    def forward(self, batch):
        """A batch, a dict of tensors with B rows -> logits (B, classes)

        batch["present"], {name: (B,) bool}, may be absent: .get("present") is None.
        """
        ### BEGIN SOLUTION
        encoders = self.encoders.items()
        features = {name: encode(encoder, batch) for name, encoder in encoders}
        fused = self.fusion(features, batch.get("present"))
        return self.head(fused)
        ### END SOLUTION


# %% tags=["check"]
MultimodalClassifier = check(MultimodalClassifier)

# %% [markdown]
# ## Step 4: train
#
# One fusion, trained *end to end*: one loss moves every number, in head, fusion and both encoders.
# `fit` keeps the epoch that is best on the validation rows; `patience=` would stop it early and
# `log_dir=` write for TensorBoard (06).

# %%
from course_utils.fusion import WeightedFusion
from course_utils.training import fit, predict

dims = {"image": 64, "text": 64}
# The first weights of encoders, fusion and head are drawn from this seed.
torch.manual_seed(0)
model = MultimodalClassifier(make_encoders(words), WeightedFusion(dims), 5)
train = Batches(section["train"], 32, shuffle=True)
validation = Batches(section["validation"])
history = fit(model, train, validation, epochs=4, learning_rate=1e-3)

# %% [markdown]
# The history draws itself:

# %%
alt = "Training accuracy starts lower than validation accuracy, ends higher."
show(history.plot(), alt=alt)

# %% [markdown]
# Where training accuracy is above validation accuracy, the distance is
# *overfitting*. Choosing the epoch flatters the model on the validation rows; so we report test
# rows.
#
# ## Step 5: evaluate
#
# Accuracy is one number. A *confusion matrix* shows which class is taken for which.

# %%
from course_utils.display import confusion_figure
from course_utils.measures import accuracy

truth = section["test"]["label"]
# No softmax here either: the largest logit is the largest probability.
logits = predict(model, Batches(section["test"]))
predicted = logits.argmax(dim=1)
print(f"accuracy {accuracy(logits, truth):.2f}")
alt = "A five by five table of counts with nearly all cards on the diagonal."
show(confusion_figure(predicted, truth, news_cards.SECTIONS), alt=alt)

# %% [markdown]
# A column with more errors than the others is the model's favourite guess for cards that show it
# nothing.
#
# Were one class rare, accuracy could stay high while that class is never found. *Macro F1* guards
# against that. For class $k$ count the hits (true positives, $TP$), the false alarms (false
# positives, $FP$: predicted $k$, but it is not) and the misses (false negatives, $FN$: it is $k$,
# but not predicted). Then
#
# $$ F_1 = \frac{2\,TP}{2\,TP + FP + FN}, $$
#
# which is 1 when there are only hits and 0 when there are none. Macro means the plain mean over
# classes.
#
# ### Exercise 2: `macro_f1` · 8 min · medium
#
# Note that $2\,TP + FP + FN$ is the number of rows *labelled* $k$ plus the number *predicted* $k$.


# %% tags=["exercise"]
def macro_f1(predicted, label, classes):
    """The mean of the classes' F1 scores, as a float.

    A class that occurs neither in label nor in predicted counts as 0.

    predicted, label (n,) long, numbers below classes -> float
    """
    ### BEGIN SOLUTION
    scores = []
    for k in range(classes):
        labelled, named = label == k, predicted == k
        hits = (labelled & named).sum().item()
        rows = labelled.sum().item() + named.sum().item()
        scores.append(2 * hits / rows if rows else 0.0)
    return sum(scores) / classes
    ### END SOLUTION


# %% tags=["check"]
macro_f1 = check(macro_f1)

# %% [markdown]
# A lazy classifier that always says class 0, on our sections and on labels where class 1 makes up
# one row in twenty:

# %%
rare = (torch.arange(len(truth)) % 20 == 0).long()
for name, label in (("our sections", truth), ("one in twenty", rare)):
    # The laziest answer of all, and how often it is right.
    lazy, share = torch.zeros_like(label), (label == 0).double().mean().item()
    f1 = macro_f1(lazy, label, int(label.max()) + 1)
    print(f"{name:13}: always class 0: accuracy {share:.2f}, macro F1 {f1:.2f}")
print(f"our model on our sections: macro F1 {macro_f1(predicted, truth, 5):.2f}")

# %% [markdown]
# With one class in twenty, the lazy answer looks excellent by accuracy and poor by macro F1. Our
# model knows all classes about equally well, so the two measures agree.

# %% [markdown]
# ## The fair table
#
# Now all fusions, on *frozen* encoders. Each was trained alone, with a head of its own, and kept in
# a file (`data/encoders`), a pair for each of three seeds with cards of its own. We *cache* the
# features that they give and train every fusion on the same ones, so the rows of the table differ
# in the fusion and in nothing else.
#
# **Predict, then run.** Nine fusions, all that you know: three add, six interact (05). Best single
# modality: about 0.84. Ceiling for both: about 0.96. Who wins?

# %%
from course_utils.fusion import (
    BilinearFusion,
    ConcatFusion,
    ConcatMLPFusion,
    LowRankFusion,
    MaximumFusion,
    ProductFusion,
    SumFusion,
    TensorFusion,
)

ADDING = {"concat": ConcatFusion, "weighted": WeightedFusion, "sum": SumFusion}
INTERACTING = {
    "product": ProductFusion,
    "maximum": MaximumFusion,
    "concat + MLP": ConcatMLPFusion,
    "bilinear": lambda dims: BilinearFusion(dims, dim=8),
    "tensor": TensorFusion,
    "low rank": LowRankFusion,
}

# %% [markdown]
# Each of them maps `{name: (B, 64)}` to one vector.

# %%
from course_utils import frozen, seeds
from course_utils.experiment import compare_frozen

FUSIONS = ADDING | INTERACTING


def train_heads(kept, rows, fusions, **options):
    """Fusions and heads on frozen encoders and their readers, on rows of each split."""
    tensors = {split: to_tensors(part, kept.readers) for split, part in rows.items()}
    classes = len(rows["train"].classes)
    return compare_frozen([kept.encoders], fusions, tensors, classes, options=options)


# %%
import numpy as np

# What is trained on cached features is quick: more epochs, larger batches.
learn_fusion = {"epochs": 8, "learning_rate": 5e-3, "batch_size": 128}
encoded = [frozen.load(seed) for seed in seeds(3)]
own_rows = [one.rows("section") for one in encoded]
results = [
    train_heads(one, its_rows, FUSIONS, **learn_fusion)
    for one, its_rows in zip(encoded, own_rows, strict=True)
]

# %% [markdown]
# The same was done once for five seeds and 5,000 fresh cards each (`make results
# LESSON=08`). Mean and spread are of that file, *here* is the mean of what just ran. The file also
# holds what needs no network: naming the commonest section, and logistic regressions, tuned on
# validation rows, on the main directions of the pixels (*PCA*) and on the words (*TF-IDF*: rare
# words count more). And the model of step 4, and the *perfect reader*, who recognises every motif
# and every word and knows the generator, on the same cards.

# %%
from course_utils.data.results import read_results, scores, within_spread
from course_utils.tables import fair_table

ceiling = news_cards.ceiling()
here = {f"{name} alone": [one.accuracy[name] for one in encoded] for name in dims}
here |= {name: [found.mean(name) for found in results] for name in FUSIONS}
here["end to end, 4 epochs"] = [accuracy(logits, truth)]  # step 4, one seed
for name in ceiling.keys() - {"chance"}:
    here[f"perfect reader, {name}"] = [
        (news_cards.oracle(part["test"])[name] == part["test"]["label"]).mean()
        for part in own_rows
    ]
measured = scores(read_results("08", "section"))
table = fair_table(measured)[["mean", "spread"]]
table["here"] = fair_table(here)["mean"]
print(table.round(3).to_string(na_rep=""))
print("ceilings:", {name: round(value, 3) for name, value in ceiling.items()})

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict:* most expect the interacting ones ahead, since they "can do more". Ask what is
# left for them to find where the senses are independent given the label (04).

# %% [markdown]
# The *ceiling* is what the perfect reader gets in the long run. On a few hundred cards luck can
# lift a row above it; the perfect reader of the same cards has that luck, too. Is a fused row above
# the better single one, by more than the spread?

# %%
mean = {name: np.mean(values) for name, values in measured.items()}
best_single = max(mean["image alone"], mean["text alone"])
# The worst fusion is asked for the gain, the best one for the ceiling.
low, high = min(mean[name] for name in FUSIONS), max(mean[name] for name in FUSIONS)
print(f"fused {low:.2f} to {high:.2f}, better single {best_single:.2f}")

claim("no model passes the perfect reader of the same cards",
      all(mean[f"{name} alone"] < mean[f"perfect reader, {name}"] for name in dims)
      and high < mean["perfect reader, both"])  # fmt: skip
claim("every fusion gains over 0.05", low > best_single + 0.05)
claim("the best one is within 0.02 of the ceiling", high > ceiling["both"] - 0.02)
claim("those that add are within 0.01 of the best",
      min(mean[name] for name in ADDING) > high - 0.01)  # fmt: skip
behind = ("product", "low rank", "tensor", "bilinear")
claim("product, low rank, tensor and bilinear are 0.02 behind",
      max(mean[name] for name in behind) < high - 0.02)  # fmt: skip
claim("a linear model hardly sees a motif in pixels", mean["linear, image"] < 0.35)
claim("and reads words as well as a network",
      mean["linear, text"] > mean["text alone"] - 0.01)  # fmt: skip
whole = [mean[f"end to end, {epochs} epochs"] for epochs in (4, 8)]
claim("end to end is behind, and closer after eight epochs than after four",
      whole[0] + 0.005 < whole[1] < mean["weighted"] - 0.003)  # fmt: skip
claim("each row trained here lies in the file's spread, give 0.03",
      all(within_spread(np.mean(each), measured[name], 0.03)
          for name, each in here.items()), trained=True)  # fmt: skip

# %% [markdown]
# On `section` the two senses are independent given the label, and there adding is all that is
# needed (04). Interaction wins nothing, and product, low rank, tensor and bilinear end lower. Of
# pictures the linear model sees hardly anything: a motif can stand anywhere, and a pixel's weight
# cannot follow it. Convolution can (01). End to end ends a little behind the frozen encoders, less
# so when it trains for longer: here one loss for everything gains nothing.

# %% [markdown]
# ## How many cards does it take?
#
# The curves of step 4 run over epochs. A *learning curve* runs over the number of training cards.
# For it everything is learnt anew from few cards, other ones for each seed; the vocabulary too.


# %%
from course_utils.experiment import compare


def learn_from(n, epochs):
    """Fair table of picture, headline and both, learnt from n cards."""
    order = np.random.default_rng(0).permutation(len(rows["train"]["label"]))
    few = rows | {"train": take(rows["train"], order[:n])}
    # Who has 60 cards to learn from has no 462 to choose an epoch by.
    first = np.arange(len(rows["validation"]["label"])) < n
    few["validation"] = take(rows["validation"], first)
    text = TextReader(fewest=2).fit(few["train"], "text")
    known = {"image": ImageReader(), "text": text}
    few = {split: to_tensors(part, known) for split, part in few.items()}
    # Small batches, or few cards would mean few steps.
    small = {"epochs": epochs, "learning_rate": 3e-3, "batch_size": 16}
    how = {"seed_count": 1, "options": small, "fusion_options": small}
    fresh_encoders = lambda: make_encoders(len(text.vocabulary))  # noqa: E731
    return compare(fresh_encoders, {"both": ConcatFusion}, few, 5, **how)


# %% [markdown]
# **Predict, then run.** Which sense needs fewer cards? With 60 cards, what does the second sense
# add to the better one?

# %%
now = learn_from(60, epochs=16)
now

# %% [markdown]
# In the file are eight seeds at five sizes, scored on 5,000 fresh cards. Pale marks are single
# seeds, lines their mean.

# %%
import matplotlib.pyplot as plt

from course_utils.display import PALETTE

few = read_results("08", "few cards")
all_of_them = len(section["train"]["label"])
few["cards"] = few.setting.replace("all", str(all_of_them)).astype(int)
fresh = few[few.measure == "accuracy"]
curve = fresh.pivot_table("value", "cards", "model")  # the mean over the seeds

fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for i, (name, mark) in enumerate({"image": "o-", "text": "s--", "both": "^-."}.items()):
    # Marks and lines differ too, for those who cannot tell the colours apart.
    colour, single = PALETTE[name], fresh[fresh.model == name]
    ax.plot(single.cards, single.value, mark[0], color=colour, alpha=0.3)
    ax.plot(curve.index, curve[name], mark, color=colour, label=name)
    ax.axhline(ceiling[name], color=colour, lw=1, ls=":", label="" if i else "ceilings")
ax.set(xscale="log", xlabel="training cards", ylabel="accuracy", ylim=(0, 1))
ax.set_xticks(curve.index, labels=[f"{n:,}" for n in curve.index])
ax.minorticks_off()
ax.legend(loc="lower right", fontsize=8)
show(fig, alt="With 60 and 120 cards the picture alone is best and both together are "
     "worse. From 300 on both lead, and the headline's curve rises more than "
     "the picture's.")  # fmt: skip

# %% [markdown]
# What we lean on:

# %%
harm = curve["both"] - curve["image"]
rise = curve.iloc[-1] - curve.loc[300]
claim("with 60 and with 120 cards, both lose 0.05", harm[[60, 120]].max() < -0.05)
claim("with 300, they gain 0.03", harm[300] > 0.03)
claim("from 300 to all, the headline gains 0.05 more than the picture",
      rise["text"] > rise["image"] + 0.05)  # fmt: skip
claim("with all, each is within 0.02 of its ceiling",
      all(curve[name].iloc[-1] > ceiling[name] - 0.02 for name in curve))  # fmt: skip
at_60 = few[few.cards == 60]
learnt_at_60 = np.array(scores(at_60, "on its own cards")["text"])
at_60 = {name: np.array(values) for name, values in scores(at_60).items()}
pairs = zip(now.accuracies.values(), at_60.values(), strict=True)
claim("what ran here lies in the file's spread, give 0.05",
      all(within_spread(one, all_seeds, 0.05) for (one,), all_seeds in pairs),
      trained=True)  # fmt: skip

# %% [markdown]
# A motif looks alike on every card, so few are enough; a word that was never met stays unknown.
# With all cards each curve is near its ceiling: more of this kind would buy little.
#
# What surprised us stands at the left: with few cards the second sense does *harm*. A deeper
# section below looks for the reason.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict:* nobody expects harm; "a little" is the usual answer. Ask what a fusion would
# need to see: cards that its encoders have not learnt from.

# %% [markdown]
# ## Is the gain more than luck?
#
# Two models that see the same test rows share most of their luck. So compare row by row: $d_i = a_i
# - b_i$, where $a_i$ is 1 if the first model is right and 0 if it is wrong, and $b_i$ the same for
# the second. The gain is the mean of $d$. With $s_d$ the standard deviation of the $d_i$, the mean
# is uncertain by its *standard error* $s_d / \sqrt{n}$. The interval is gain $\pm\ 1.96$ standard
# errors: if we drew new test rows a hundred times, about 95 of the intervals would hold the true
# gain.
#
# ### Exercise 3: `paired_gain` · 7 min · medium


# %% tags=["exercise"]
def paired_gain(right_a, right_b):
    """How much more often model a is right than model b on the same rows.

    right_a, right_b (n,) bool -> (gain, low, high), three floats; 95 % normal interval
    with the sample standard deviation (torch's .std()).
    """
    ### BEGIN SOLUTION
    difference = right_a.double() - right_b.double()
    gain = difference.mean().item()
    margin = 1.96 * difference.std().item() / len(difference) ** 0.5
    return gain, gain - margin, gain + margin
    ### END SOLUTION


# %% tags=["check"]
paired_gain = check(paired_gain)

# %% [markdown]
# We compare the fused model with the picture alone, with another fusion, and with itself trained
# end to end. First here, on one seed's test rows:

# %%
from course_utils.experiment import answers

one, found = encoded[0], results[0]
alone = answers(one.alone["image"], own_rows[0]["test"], one.readers) == found.label
fused = found.right("weighted")
gain, low, high = paired_gain(fused, alone)
won, lost = int((fused & ~alone).sum()), int((alone & ~fused).sum())
print(f"weighted over image alone: {gain:+.4f}, {low:+.4f} to {high:+.4f}, "
      f"{won} rows won, {lost} lost")  # fmt: skip

# %% [markdown]
# Then from the file: five seeds, 5,000 fresh cards each.

# %%
gains = read_results("08", "gains")
print(gains.pivot_table("value", ["model", "seed"], "measure", sort=False).round(4))
claim("over the picture the gain is clear of 0 in each seed, by 0.05",
      min(scores(gains, "low")["weighted over image alone"]) > 0.05)  # fmt: skip
claim("and so it is here", low > 0, trained=True)
low, high = (scores(gains, end)["weighted over concat"] for end in ("low", "high"))
claim("over concat, one interval lies above another", max(low) > min(high) + 0.001)

# %% [markdown]
# An interval that holds 0 says "these rows cannot tell them apart". One that lies clear of 0 is a
# gain, if it rests on more than a handful of rows: four won and none lost is what a fair coin does
# once in eight times, counting both ways. The interval covers the luck of the *test rows*, not that
# of *training*: of weighted over concat, two intervals do not even overlap. Each is right about its
# own two trained models, and neither says which *fusion* is better. A fair report gives the spread
# over seeds, too.
#
# ## The alarm: does the headline fit the picture?
#
# Half of the cards of *each* section fit, so neither picture nor headline alone knows anything
# about `match`. The encoders learnt sections, from fitting cards only. A first idea needs no
# training at all: ask the two single models for the section, and raise the alarm where they name
# different ones.
#
# **Predict, then run.** How often is this rule right?

# %%
match = one.rows("match")
# The models that the encoders learnt with: nothing is trained here.
picture, headline = (
    answers(model, match["test"], one.readers) for model in one.alone.values()
)
fits = torch.from_numpy(match["test"]["label"]) == 1
by_rule = ((picture == headline) == fits).double().mean().item()
print(f"the rule: {by_rule:.2f}")

# %% [markdown]
# Without one label of `match`. Now a trained fusion: the encoders stay frozen, only a fusion and a
# head with two classes learn, from all cards. Lesson 05 says who must fail.
#
# **Predict, then run.** How far apart are the six that interact?

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict:* usual answers are "all at 0.5, they never saw a mismatch" and "tensor wins, it
# is the largest". Let both camps argue. Then, on the board, lesson 05's mixed difference.

# %%
ALONE = {f"{n} alone": lambda dims, n=n: ConcatFusion({n: dims[n]}) for n in dims}
# Twice the cards of `section`, so larger batches do.
larger = {"epochs": 8, "learning_rate": 1e-2, "batch_size": 256}
alarm = train_heads(one, match, ALONE | FUSIONS, **larger)

# %% [markdown]
# The last column is what just ran, on one seed; the others are of the file, over five.

# %%
known = scores(read_results("08", "match"))
table = fair_table(known)[["mean", "spread"]]
table["here"] = fair_table({"the rule": [by_rule], **alarm.accuracies})["mean"]
print(table.round(3).to_string(na_rep=""))
chances = news_cards.ceiling("match")
print("ceilings:", {name: round(value, 3) for name, value in chances.items()})

# %% [markdown]
# What we lean on:

# %%
on_match = {name: np.mean(values) for name, values in known.items()}
# The best of those that add against the worst of those that do not.
adding = max(on_match[name] for name in ADDING)
interacting = [on_match[name] for name in INTERACTING]
claim("each interacting fusion is within 0.04 of the ceiling",
      min(interacting) > chances["both"] - 0.04)  # fmt: skip
claim("and 0.02 of the best", min(interacting) > max(interacting) - 0.02)
claim("those that add stay 0.2 below", adding < min(interacting) - 0.2)
claim("the untrained rule comes within 0.02 of the best",
      on_match["the rule"] > max(interacting) - 0.02)  # fmt: skip
best_on_section = max(mean[name] for name in FUSIONS)
claim("maximum and concat + MLP do well on section too",
      min(mean["maximum"], mean["concat + MLP"]) > best_on_section - 0.01)  # fmt: skip
live = {"the rule": by_rule} | {name: alarm.mean(name) for name in INTERACTING}
claim("the rule and the six lie here in the file's spread, give 0.04",
      all(within_spread(live[name], known[name], 0.04) for name in live),
      trained=True)  # fmt: skip

# %% [markdown]
# The table turned over, and the six that interact lie close together. Those that add stand a
# little above one half. Lesson 05's proof does not forbid it: it says that their *loss* on all
# cards cannot fall below the coin's, and `fit` keeps the epoch of best *accuracy* on the validation
# cards, where additive rules can find a few points. Maximum and concat + MLP were among the best on
# `section` too: if you do not know what a task asks for, start with one of these. And the rule?
# "Name, then compare" is an interaction, made by hand.
#
# ## Would training from scratch do better?
#
# The frozen encoders never saw a mismatch. So train everything for `match`, end to end. Same
# architecture, same cards; but the frozen encoders had section labels before, and this one starts
# from nothing. It takes minutes; the table was measured once, over three seeds or five.
#
# **Predict, then run.** Better than the frozen encoders, or worse?

# %%
scratch = read_results("08", "from scratch")
runs = scratch.groupby(["model", "setting"], sort=False)["seed"].nunique()
by_setting = scratch.pivot_table("value", ["model", "setting"], "measure", sort=False)
by_setting = by_setting.rename(columns={"accuracy": "fresh cards"})
print(by_setting.assign(seeds=runs).round(2).to_string())
print(f"frozen encoders, product: {on_match['product']:.2f}")

# %% [markdown]
# What we lean on:

# %%
nine, longer, *others = by_setting["fresh cards"]
by_heart = by_setting["training rows"].iloc[0] - nine
claim("of what nine epochs teach beyond a coin, over half is gone on fresh cards",
      by_heart > nine - 0.5)  # fmt: skip
claim("24 epochs are within 0.03 of that", abs(longer - nine) < 0.03)
claim("the others are within 0.03 of a coin", max(others) < 0.53)
claim("every setting is 0.1 behind the frozen encoders",
      max(nine, longer) < on_match["product"] - 0.1)  # fmt: skip

# %% [markdown]
# Most of what it knows is learnt by heart. Longer training makes that more: nearly all training
# cards are right then, and hardly more of the others. At half the learning rate, or with concat +
# MLP, it learns nothing else.
#
# **So the opening question has an answer: what was learnt for `section` raises the alarm better
# than anything that we tried from scratch, with a rule that needs no training or with a small head
# that needs little.** One bit for each pair, "fits" or not, is a poor teacher to find motifs and
# section words from. Sections as labels show both, and agreement is a small step from there.
# Whether far more cards would help, we did not try.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* half of the class says "better: it trains for the task itself". *Dial:*
# `learning_rate=5e-4, epochs=6`: training cards are learnt by heart, validation stays at one half.

# %% [markdown]
# ## Other pictures for nothing
#
# With few pictures one makes more of them: each time a picture is used, it is cut a little
# differently or mirrored. This is *augmentation*; a ball in a mirror is a ball. `Batches` takes a
# function that changes each training batch.
#
# Our rows are pairs. Arrows, each with a text that says where it points; the label says whether the
# two agree:

# %%
from course_utils.data import arrows

pairs = arrows.make(2000, seed=0)
four = take(pairs, [0, 1, 2, 3])
alt = "Four arrowheads: " + "; ".join(
    f"points {points}, the text says {text}"
    for points, text in zip(four["points"], four["text"], strict=True)
)
show(card_wall(four, titles=[arrows.CLASSES[k] for k in four["label"]]), alt=alt)

# %% [markdown]
# **Predict, then run.** Half of the pictures of each batch are mirrored, the texts stay. What will
# the model get on test rows, where nothing is mirrored?

# %%
from course_utils.data.readers import fit_readers
from course_utils.encoders import BagEncoder

arrow_rows = split_rows(pairs)
arrow_readers = {"image": ImageReader(), "text": TextReader()}
fit_readers(arrow_readers, arrow_rows["train"])
arrow_words = arrow_readers["text"].vocabulary
arrow_tensors = {
    name: to_tensors(part, arrow_readers) for name, part in arrow_rows.items()
}


def mirrored(batch):
    """Half of the pictures, drawn anew each time; the texts as they are."""
    flipped = torch.rand(len(batch["label"])) < 0.5
    image = batch["image"]
    image = torch.where(flipped[:, None, None, None], image.flip(-1), image)
    return {**batch, "image": image}


def learn_arrows(augment, seed):
    """Test accuracy after six epochs on batches that ``augment`` has changed."""
    torch.manual_seed(seed)
    dims = {"image": 16, "text": 16}
    encoders = {"image": CNNEncoder(16), "text": BagEncoder(len(arrow_words), 16)}
    model = MultimodalClassifier(encoders, ConcatMLPFusion(dims), 2)
    train, held_out, test = (arrow_tensors[name] for name in arrow_tensors)
    batches = Batches(train, 32, shuffle=True, seed=seed, augment=augment)
    fit(model, batches, Batches(held_out), epochs=6, learning_rate=5e-3, seed=seed)
    return accuracy(predict(model, Batches(test)), test["label"])


plain = [learn_arrows(None, seed) for seed in seeds(3)]
broken = [learn_arrows(mirrored, seed) for seed in seeds(3)]
print("as they are:", *np.round(plain, 2), "  mirrored:", *np.round(broken, 2))

# %% [markdown]
# What we lean on:

# %%
claim("as they are, it learns", min(plain) > 0.9, trained=True)
claim("with mirrored pictures it knows nothing", max(broken) < 0.6, trained=True)

# %% [markdown]
# A pair that fitted does not fit any more once it is mirrored, and the other way round, and nobody
# told the labels. Nothing in loss or code complains. So ask of each change: is the *pair* still
# true? If not, change both, or leave it.
#
# ### Exercise 4: `flip_pairs` · 8 min · medium
#
# Mirror the pictures of some rows *and* exchange the two words in their texts.


# %% tags=["exercise"]
def flip_pairs(batch, flipped, left, right):
    """Mirror some pictures, and say left for right and right for left in their texts.

    batch: with "image" (B, 3, H, W) and "text" (B, L) long
    flipped (B,) bool: which rows; left, right: the numbers of the two words
    -> a new batch, a dict with all that was in the old one
    """
    ### BEGIN SOLUTION
    image, text = batch["image"], batch["text"]
    mirror = torch.where(flipped[:, None, None, None], image.flip(-1), image)
    to_left = torch.where(text == right, left, text)
    swapped = torch.where(text == left, right, to_left)
    told = torch.where(flipped[:, None], swapped, text)
    return {**batch, "image": mirror, "text": told}
    ### END SOLUTION


# %% tags=["check"]
flip_pairs = check(flip_pairs)

# %% [markdown]
# The same training, with your function in place of the other:

# %%
sides = [arrow_words.ids[side] for side in arrows.SIDES]
mended = [
    learn_arrows(
        lambda b: flip_pairs(b, torch.rand(len(b["label"])) < 0.5, *sides), seed
    )
    for seed in seeds(3)
]
print("both exchanged:", *np.round(mended, 2))
claim("with both exchanged it learns again", min(mended) > 0.9, trained=True)

# %% [markdown]
# ## Save, load, use
#
# A working model is its weights *and* its vocabulary. Save both, load both into a new model, and
# ask for the same answers.

# %%
import tempfile
from pathlib import Path

from course_utils.data.text import Vocabulary

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "cards.pt"
    # Words 0 and 1 are padding and unknown; a new vocabulary brings its own.
    torch.save({"weights": model.state_dict(), "words": vocabulary.words[2:]}, path)
    # Tensors and plain values only: other things in such a file could run code.
    saved = torch.load(path, weights_only=True)

vocabulary_again = Vocabulary(saved["words"])
again = MultimodalClassifier(
    make_encoders(len(vocabulary_again)), WeightedFusion(dims), 5
)
again.load_state_dict(saved["weights"])
same = torch.equal(predict(again, Batches(section["test"])), logits)
claim("the loaded model gives the same logits", same)

# %% [markdown]
# Now a card that no data set holds, read by the fused model and its two halves. First a still one,
# for readers of the page: a ball, under a headline about the weather.

# %%
from course_utils.widgets import lesson08 as composer

# The first seed's models, and what they read with.
models = {**one.alone, "both": results[0].models["weighted"][0]}
readers = one.readers

# %% [markdown]
# The card, and what the models say:

# %%
headline = "late storm surprises quiet village"
picture = composer.compose_card("sport", left=12, top=12, side=24)
said = composer.card_probabilities(models, readers, picture, headline)

# %%
told = headline, said, news_cards.SECTIONS
alt = composer.describe_composed_card(*told)
show(composer.draw_composed_card(picture, *told), alt=alt)

# %% [markdown]
# Each half is sure of its own story.
#
# Now yours. Try a motif in a corner, no motif and a misspelt word, words of two sections.

# %% tags=["volatile"]
composer.card_composer(models, readers, headline)

# %% [markdown]
# And the twelve trick cards from lesson 00, which nobody trained on. **Predict, then run.** How
# many of the twelve does each of the three get right?

# %%
from course_utils.data import trick_cards

tricks = trick_cards.read()
own, right = torch.as_tensor(tricks["section"]), {}
for name, model in models.items():
    right[name] = (answers(model, tricks, readers) == own).tolist()
counts = ", ".join(f"{name} {sum(hits)} of 12" for name, hits in right.items())
print(counts)
alt = f"The wall of twelve trick cards; right are {counts}"
show(card_wall(tricks, right=right), alt=alt)

# %% [markdown]
# On *headline of another section* both senses are sure, and the picture is right by definition. But
# training on cards that fit never told a fusion with which to side.

# %% [markdown]
# ## A stranger's folder
#
# So far the cards were ours, clean and with a known ceiling. `data/shop` is a folder as people send
# it: a table, photographs, and what went wrong on the way. Look before you read:

# %%
from course_utils.data.folder import read_folder
from course_utils.environment import course_root

folder = course_root() / "data" / "shop"
lines = (folder / "products.csv").read_text(encoding="utf-8").splitlines()
photos = sorted(path.name for path in (folder / "photos").iterdir())
print(*lines[:4], sep="\n")
print(f"{len(lines) - 1:,} lines, {len(photos):,} photographs, as {photos[0]}")

# %% [markdown]
# We want the *season* in which a product is worn, from photograph and title, in two languages. Four
# things differ from the cards, and `read_folder` takes each as an argument: columns have names of
# their own; an id stands where a file name should; no column says which rows train; and the same
# product is listed more than once, so its listings, one `family`, belong on one side of the split.

# %%
from course_utils.data.rows import BadData

layout = {
    "image_column": "id",
    "image_pattern": "photos/{id}.jpg",
    "text_column": "title",
    "label_column": "season",
    "split_column": None,
    "group_column": "family",
    "size": (64, 64),
}
try:
    read_folder(folder, "products.csv", **layout)
except BadData as fault:
    print(fault)

# %% [markdown]
# A bad row stops the reading. Mend the table, or leave such rows out and have them counted:

# %%
goods = read_folder(folder, "products.csv", on_bad="skip", **layout)
parts = split_rows(goods)
print({split: len(part["label"]) for split, part in parts.items()})
share = torch.as_tensor(goods["label"]).bincount() / len(goods["label"])
print({name: round(float(s), 2) for name, s in zip(goods.classes, share, strict=True)})

# %% [markdown]
# Read what it says: which rows are missing, and what looks doubtful. Five titles stand word for
# word on both sides of the split, although no family does. Then look at the rows themselves:

# %%
some = take(parts["train"], range(8))
seasons = [goods.classes[number] for number in some["label"]]
alt = "Eight products: " + ", ".join(
    f"{title} ({season})" for title, season in zip(some["title"], seasons, strict=True)
)
show(card_wall(some, titles=seasons), alt=alt)

# %% [markdown]
# ### What needs no network comes first
#
# Nobody knows the ceiling here. What can be known in seconds is what naming the commonest season
# gives, and what *tuned linear models* give: logistic regressions whose strength and features the
# validation rows chose. A network that is not above them is not worth its trouble.

# %%
from course_utils.baselines import majority_baseline, tuned_linear

own = fit_readers({"image": ImageReader(), "text": TextReader()}, parts["train"])
season_of = torch.as_tensor(parts["test"]["label"])
no_network = {
    "majority": majority_baseline(torch.as_tensor(parts["train"]["label"]), season_of)
}
linear = tuned_linear(parts, own)
no_network |= {f"linear, {name}": one.accuracy for name, one in linear.items()}
print({name: round(value, 2) for name, value in no_network.items()})

# %% [markdown]
# ### A search for settings
#
# In this lesson we told you each learning rate. On your own rows nobody does. `search` tries models
# of each modality alone, linear ones (the same kind as above) and networks, then ways to join them.
# `budget` is how many models it may train; without one, a time limit by the number of rows holds.
# Everything is chosen by the *validation* rows; the test rows are asked once, by what was chosen.
#
# How it joins them you know from 04. Each modality gives its *evidence*,
# $\log p(y \mid x_m) - \log p(y)$, and the *product* rule adds it up. A *weighted product* has a
# weight for each modality; a *joint* network is a fusion with a head of its own, as in step 3.
#
# **Predict, then run.** Photograph alone, title alone, both: which is best, and by how much?

# %%
import pandas as pd

from course_utils.search import search

pd.set_option("display.max_colwidth", 130)  # so that settings can be read
found = search(parts, budget=8)
print(found.choice)
found.table[["part", "settings", "validation accuracy", "validation loss"]].round(2)

# %% [markdown]
# In the table, `C` is the strength of a linear model and *directions* are those of PCA; *pieces*
# are parts of words of 3 to 5 letters, so that a word that was never seen can resemble one that
# was. The rows called *fusion* train nothing: they join what is there. The choice goes by the
# *loss*, which varies less on few rows than right and wrong do, and a richer fusion must beat a
# simpler one clearly.
#
# What the choice is worth, on the test rows and in the usual frame:


# %%
def judge(found, parts):
    """Test accuracy of each model, and what the chosen one gains over it."""
    own = fit_readers({"image": ImageReader(), "text": TextReader()}, parts["train"])
    label = torch.as_tensor(parts["test"]["label"])
    right = {f"linear, {n}": one.predicted == label
             for n, one in tuned_linear(parts, own).items()}  # fmt: skip
    for name, one in found.alone.items():
        right[f"{name} alone"] = one.logits.argmax(dim=1) == label
    chosen = found.logits.argmax(dim=1) == label
    commonest = majority_baseline(torch.as_tensor(parts["train"]["label"]), label)
    print(f"{len(label)} test rows, majority {commonest:.2f}, "
          f"chosen {chosen.double().mean():.2f}")  # fmt: skip
    for name, hits in right.items():
        gain, low, high = paired_gain(chosen, hits)
        print(f"{name:14} {hits.double().mean():.2f}, "
              f"chosen over it {gain:+.3f}, {low:+.3f} to {high:+.3f}")  # fmt: skip


judge(found, parts)

# %% [markdown]
# One split of few test rows: the intervals are wide. So the whole was done on ten divisions of the
# shop, families kept together, with ten models to a search (`benchmarks/ten_splits.py`); and the
# same on 1,636 emoji with their names, eight groups to tell:

# %%
ten = read_results("ten_splits")
ten = ten[(ten.measure == "accuracy") & ten.world.isin(["shop", "emoji-names"])]
by_split = ten.pivot_table("value", ["world", "seed"], "model", sort=False)
print(by_split.groupby("world", sort=False).mean().T.round(2).to_string())

# %% [markdown]
# The chosen model against the better single modality and against the best linear model of *each
# split's test rows*, which nobody could have picked beforehand:

# %%
linear_rows = [name for name in by_split if name.startswith("linear")]
over = {"over the better single": ["image alone", "text alone"]}
over["over the best linear"] = linear_rows
for told, rivals in over.items():
    gains = by_split["chosen"] - by_split[rivals].max(axis=1)
    for world, each in gains.groupby("world", sort=False):
        ahead = int((each > 0).sum())
        print(
            f"{told:22} {world:12} {each.mean():+.3f}, ahead in {ahead} of {len(each)}"
        )
    claim(f"{told} it gains 0.04 on both sets",
          gains.groupby("world").mean().min() > 0.04)  # fmt: skip

# %% [markdown]
# ### In place of the ceiling: the learning curve
#
# Would more listings help, or a better model? With fewer training rows, the curve tells what the
# last doubling bought. (Three divisions of the rows, others than above: with so few test rows the
# same model differs by some points from division to division.)

# %%
curve = read_results("08", "shop, few rows").replace(
    "1 of the families", "all families"
)
curve = curve.pivot_table("value", "dials", "model", sort=False)
print(curve.round(2).to_string())
claim("the last doubling bought the chosen model 0.02 and more",
      curve["chosen"].iloc[-1] > curve["chosen"].iloc[-2] + 0.02)  # fmt: skip

# %% [markdown]
# A curve that still rises at its right end says: collect more rows, before you look for a better
# model. One that is flat says: more of the same would not help; another modality might (price and
# material, here).
#
# ### Twins on both sides
#
# **Predict, then look.** Had we divided row by row, the same product would stand among training and
# test rows. By how much would that flatter?

# %%
twins = read_results("08", "shop, twins")
twins = twins.pivot_table("value", "model", "dials", sort=False)
print(
    twins.assign(flatters=twins["row by row"] - twins["by family"]).round(3).to_string()
)
claim("twins flatter the chosen model by 0.03",
      twins["row by row"]["chosen"] > twins["by family"]["chosen"] + 0.03)  # fmt: skip

# %% [markdown]
# Nothing in training, loss or table shows it. Ask of each folder: what can stand in it twice?
#
# ## From a model to an answer about one file
#
# A *model file* holds the weights and all else that an answer needs: vocabulary and how texts are
# cut, class names, picture size, settings, versions.

# %%
from course_utils import model_file

with tempfile.TemporaryDirectory() as somewhere:
    path = Path(somewhere) / "season.pt"
    model_file.save(path, found.model, found.readers, found.settings, goods.classes,
                    size=(64, 64), columns_of=goods.modalities)  # fmt: skip
    print(f"{path.stat().st_size / 1e6:.1f} MB")
    season = model_file.load(path)

photo = folder / parts["test"]["file"][0]
title = parts["test"]["title"][0]
for told in ({"image": photo, "text": title}, {"image": photo}, {"text": title}):
    answer = season.predict(**told)
    first = next(iter(answer))
    print(f"{' and '.join(told):14}: {first} {answer[first]:.2f}")
print("it is", goods.classes[int(season_of[0])], "-", title)

# %% [markdown]
# The photograph came from its file, and one of the two may be missing: then the other answers.
#
# ### All of it as a command
#
# The same without a line of Python, with a report as one HTML page (fair table with intervals,
# confusion, learning curve, errors, calibration, what each modality is worth). It leaves bad rows
# out and says so, keeps those that lack a picture or a text, and guesses columns that are not
# named:
#
# ```
# python -m course_utils.classify train data/shop --table products.csv --image id \
#     --image-pattern photos/{id}.jpg --text title --label season --group family \
#     --out season
# python -m course_utils.classify report season
# python -m course_utils.classify predict season --image photo.jpg --text "red linen dress"
# ```
#
# ## Your own folder
#
# Put the path of a folder here and say how its table is laid out; `help(read_folder)` explains each
# line. Without a folder the cell says so, and the lesson goes on.

# %%
MY_FOLDER = ""  # such as "C:/photos" or "/home/me/photos"
MY_LAYOUT = {
    "table": "products.csv",
    "encoding": "utf-8",
    "delimiter": ",",  # "\t" for a tab
    "image_column": "file",
    "image_pattern": None,  # "photos/{id}.jpg", with {id} for the cell of image_column
    "text_column": "title",
    "label_column": "kind",
    "split_column": None,  # or the column that says train, validation, test,
    "split_words": {},  # and what other words in it mean, as {"eval": "validation"};
    "group_column": None,  # without one: the column whose equal values share a split
    "size": (64, 64),
    "missing": "absent",  # keep rows without a picture or a text
    "on_bad": "skip",
}
if MY_FOLDER:
    my_rows = read_folder(MY_FOLDER, **MY_LAYOUT)
    my_parts = split_rows(my_rows)
    mine = search(my_parts)
    print(mine.choice)
    judge(mine, my_parts)
    model_file.save("my_model.pt", mine.model, mine.readers, mine.settings,
                    my_rows.classes, size=MY_LAYOUT["size"],
                    columns_of=my_rows.modalities)  # fmt: skip
    photo = Path(MY_FOLDER) / my_parts["test"]["file"][0]
    print(photo.name, model_file.load("my_model.pt").predict(image=photo))
else:
    print("no folder named yet")

# %% [markdown]
# Mend labels that look alike in the table itself and read again: each is a class of its own. Before
# you believe the result: is
# it above *majority* and *linear*? On how many test rows, with what interval? What stands twice?
# What would you know of a new row when you need the answer: is the title written before the label
# is known?
#
# **What one would use at work, and why we build first.** For pictures and texts of everyday kinds,
# networks that have seen millions of them: a pretrained reader of pictures (torchvision, timm), of
# text (Hugging Face Transformers), or of both (open_clip), with a linear model on their frozen
# features; AutoGluon's MultiModalPredictor does the search. Lessons 16, 17 and 19 go there. With a
# few hundred rows they are often far above what can be learnt from scratch. But they are judged in
# the same frame: majority, each modality alone, tuned linear rows, intervals, what stands twice.
# Who has built the parts once sees where they fail.

# %% [markdown]
# ## Break this claim
#
# We claimed that *the two senses together gain at least 0.05 over the better one*. That is true of
# these cards, not of the world. Find dials of `news_cards` that make it false, although neither
# sense is worthless (at least 0.1 above always naming the most frequent section) or knows nearly
# all (at most 0.95). The check asks for the exact `ceiling`, which typos and noise in pixels do not
# move.
#
# ### Exercise 5: `no_gain_dials` · 6 min · easy


# %% tags=["exercise"]
def no_gain_dials():
    """Dials where the second sense gains less than 0.05: a dict, as for news_cards.make

    All dials' names: help(news_cards.Dials). An empty dict means the default dials.
    """
    ### BEGIN SOLUTION
    # Few headlines have a section word, so they have little to add to the pictures.
    return {"without_word": 0.75}
    ### END SOLUTION


# %% tags=["check"]
no_gain_dials = check(no_gain_dials)

# %%
limits = news_cards.ceiling(**no_gain_dials())
print({name: round(value, 3) for name, value in limits.items()})

# %% [markdown]
# A second modality earns its cost where it speaks and the first one is silent. Ask for that before
# you build.

# %% [markdown]
# ## Deeper: which reader of words?
#
# Bag, LSTM, text CNN (02) or transformer (03)? Each was trained alone, with a linear head, at three
# learning rates and over five seeds, each with cards of its own. That takes minutes, so it was done
# once (`make results LESSON=08`), and the lesson reads the file. The *validation* rows choose;
# 5,000 fresh cards a seed tell how good the choice is.
#
# **Predict, then look.** The ceiling for headlines is 0.78. How far apart are best and worst?

# %%
by_rate = read_results("08", "readers of words").pivot_table(
    "value", ["model", "setting"], "measure", sort=False
)
# For each reader the learning rate that did best on the validation rows.
best_rate = by_rate["validation"].groupby("model", sort=False).idxmax()
chosen = by_rate.loc[best_rate].rename(columns={"accuracy": "fresh cards"})
print(chosen.round(3))

# %% [markdown]
# What we lean on:

# %%
claim("on the validation rows all are within 0.03 of each other",
      np.ptp(chosen["validation"]) < 0.03)  # fmt: skip
claim("on fresh cards all are within 0.02 of the ceiling",
      chosen["fresh cards"].min() > ceiling["text"] - 0.02)  # fmt: skip

# %% [markdown]
# They lie close together near the ceiling: a section is told by which words there are, not by their
# order (03). Each of the four would have done about as well. Had we chosen
# by the fresh cards, their column would flatter the winner.

# %% [markdown]
# ## Deeper: the same batches from `torch.utils.data`
#
# Outside this course you will meet a *Dataset*, which gives one row at a time, and a *DataLoader*,
# which puts rows together, in other processes if you like. `fit` takes any source of batches:

# %%
from torch.utils.data import DataLoader, Dataset


class Cards(Dataset):
    """The rows of a dict of tensors, one at a time."""

    def __init__(self, tensors):
        self.tensors = {n: t for n, t in tensors.items() if n != "present"}

    def __len__(self):
        return len(self.tensors["label"])

    def __getitem__(self, row):
        one = {name: tensor[row] for name, tensor in self.tensors.items()}
        return {**one, "image": one["image"].float() / 255}


loaded = next(iter(DataLoader(Cards(section["validation"]), batch_size=64)))
ours = next(iter(validation))
same = all(torch.equal(loaded[name], ours[name]) for name in loaded)
claim("the first batch is the same", same)

# %% [markdown]
# Why then `Batches`? Our pictures fit into memory, and cutting 64 rows out of a tensor at once is
# many times as fast as asking for 64 rows one by one. For files too large for memory, sounds of
# many lengths or costly decoding, `DataLoader` is the tool (lesson 14).

# %% [markdown]
# ## Deeper: a larger reader of pictures
#
# Anything with `reads` (the tensors that it is called with) and `dim` is an encoder. *ResNet-18* is
# a well-known convolutional network with 18 layers; `ResNetEncoder` ends it in 64 numbers. If you
# have a file of weights trained on photographs, `weights=` takes it.

# %%
from course_utils.encoders import ResNetEncoder

# The batch is the one from above; only the number of parameters is new.
for encoder in (CNNEncoder(64), ResNetEncoder(64)):
    size = sum(parameter.numel() for parameter in encoder.parameters())
    shape = tuple(encoder(batch["image"]).shape)
    print(f"{type(encoder).__name__:14} {size:>10,} parameters, gives {shape}")

# %% [markdown]
# Several hundred times the parameters. What three epochs from random first weights make of both,
# over three seeds:

# %%
pictures = scores(read_results("08", "readers of pictures"))
print(fair_table(pictures).round(2).to_string())
claim("the small one is 0.05 ahead in each seed",
      min(pictures["CNN"]) > max(pictures["ResNet-18"]) + 0.05)  # fmt: skip

# %% [markdown]
# Size wants data, or weights that have seen data. We stay with the small one.

# %% [markdown]
# ## Deeper: the errors, one by one
#
# The *perfect reader* recognises every motif and every word, and knows the generator. What it
# believes of a card is its *posterior*, the probability of each section given all that is there.
# `posteriors` computes it exactly.
#
# **Predict, then look.** How many of our model's errors would the perfect reader avoid?

# %%
belief = torch.from_numpy(news_cards.posteriors(rows["test"])["both"])  # (n, 5)
chance, best = belief.max(dim=1)
# Where no section has more than half, the perfect reader guesses, too.
sure = chance > 0.5
kinds = {
    "avoidable": sure & (best == truth),  # the card says it
    "misleading": sure & (best != truth),  # the card says something else
    "a guess": ~sure,  # the card says nothing, or two things
}
wrong = predicted != truth
for kind, here in kinds.items():
    errors = int((wrong & here).sum())
    print(f"{kind:10}: {int(here.sum()):3} cards, {errors:2} errors of our model")
missed, spared = best != truth, wrong & (best == truth)
print(f"errors: ours {int(wrong.sum())}, the perfect reader's {int(missed.sum())}")
lucky = int((spared & ~sure).sum())
print(f"of ours it avoids {int(spared.sum())}, {lucky} of them by a lucky guess")

# %% [markdown]
# Two of each kind, if there are two:

# %%
worst = torch.cat([(wrong & here).nonzero()[:2, 0] for here in kinds.values()])
# Over each card: of which kind it is, and what the model said.
titles = []
for i in worst:
    (kind,) = (kind for kind, here in kinds.items() if here[i])
    said, own = (news_cards.SECTIONS[each[i]] for each in (predicted, truth))
    titles.append(f"{kind}\nsaid {said}, is {own}")
misread = take(rows["test"], worst)
show(card_wall(misread, titles=titles, columns=3),
     alt="Misread cards. The avoidable ones show a motif or a word of their section; "
     "the misleading ones have a word of another section and no motif; the guesses "
     "have no clue, or two.")  # fmt: skip

# %% [markdown]
# Most of what is left cannot be mended by any model. What even the perfect reader misses is the
# distance between the ceiling and 1:

# %%
here = missed.double().mean().item()
in_the_long_run = 1 - news_cards.ceiling()["both"]
print(f"1 - ceiling = {in_the_long_run:.3f}, perfect reader on these rows: {here:.3f}")
avoidable = int((wrong & kinds["avoidable"]).sum())
claim("at most half are avoidable", avoidable <= wrong.sum() / 2, trained=True)

# %% [markdown]
# ## Deeper: why a second sense can do harm
#
# On the learning curve both together lost to the picture alone where cards were few. Of new
# headlines its reader knows next to nothing, of its own perhaps all, by heart. The fusion learns on
# these same cards, where nothing tells the one from the other. If that is why, the harm should be
# small where the reader did *not* learn its 60 headlines by heart. Seed by seed:

# %%
harm = at_60["both"] - at_60["image"]
print("known by heart:", *learnt_at_60.round(2))
print("both - picture:", *harm.round(2))
known = learnt_at_60 > 0.7
claim("where it knows them, both lose 0.05 or more", harm[known].max() < -0.05)
claim("where it does not, they lose less than 0.03", harm[~known].min() > -0.03)

# %% [markdown]
# So it is, in these eight seeds.

# %% [markdown]
# ## Deeper: how an alarm fails
#
# An alarm can fail in two ways. It *misses* a headline that does not fit, or it is a *false alarm*:

# %%
misfit = ~fits
perfect = torch.from_numpy(news_cards.oracle(match["test"], "match")["both"])
alarms = {
    "concat + MLP": alarm.logits["concat + MLP"][0].argmax(dim=1) == 0,
    "perfect reader": perfect == 0,
}
# Cards that lack a motif or a section word say nothing about `match`, or little.
silent = torch.from_numpy(match["test"]["motif_box"][:, 0] < 0)
silent |= torch.tensor([word == "" for word in match["test"]["section_word"]])
print(f"{int(misfit.sum())} of {len(misfit)} headlines do not fit; "
      f"{int(silent.sum())} cards lack motif or section word")  # fmt: skip
for name, raised in alarms.items():
    hits, false, missed = raised & misfit, raised & ~misfit, ~raised & misfit
    on_silent = (false | missed) & silent
    counts = [int(kind.sum()) for kind in (hits, missed, false, on_silent)]
    print("{:14}: {} hits, {} misses, {} false alarms, {} errors on silent cards"
          .format(name, *counts))  # fmt: skip

# %% [markdown]
# Most errors stand on cards that lack a motif or a section word. There both answers are about
# equally likely, and the perfect reader takes the first, label 0: it raises the alarm. Which of the
# two is worse is not for the model to say (lesson 12).

# %% [markdown]
# ## Deeper: a broken picture
#
# What if the picture breaks? **Predict, then run:** with more
# and more noise, whom will the fused model follow?

# %%
for noise in (0.12, 0.4, 0.7):
    broken = composer.compose_card("sport", left=12, top=12, side=24, noise=noise)
    # The headline stays as it is; only the picture gets worse.
    said = composer.card_probabilities(models, readers, broken, headline)
    names = {name: news_cards.SECTIONS[int(p.argmax())] for name, p in said.items()}
    sure_to = ", ".join(f"{name} {p.max():.2f}" for name, p in said.items())
    print(f"noise {noise}: {names}; sure to: {sure_to}")

# %% [markdown]
# The headline stays sure of weather. Far from its training pictures the image reader may name
# another section, more or less sure, and the fused model may follow it, or name what neither says.
# It has no way to know that the picture is broken; lesson 10 gives it one.

# %% [markdown]
# ## Deeper: a second label of the shop
#
# The table has a column `liked`: whether a shopper liked the advert. `labelled` makes it the label.
# It is the alarm in another dress: an advert is liked where the mood of the title and the look of
# the cloth go together, playful with a pattern, sober with plain. **Predict, then look:** who
# learns it, concat or bilinear, both end to end from scratch?

# %%
adverts = goods.labelled("liked")
print(adverts.classes, np.bincount(adverts["label"]))
liked = scores(read_results("08", "shop, liked"))
print(fair_table(liked)[["mean", "spread"]].round(2).to_string())

# %% [markdown]
# What we lean on:

# %%
claim("concat stays within 0.1 of a coin", np.mean(liked["concat"]) < 0.6)
claim("bilinear is 0.15 above it, and so is what the search chose",
      min(np.mean(liked["bilinear"]), np.mean(liked["search"]))
      > np.mean(liked["concat"]) + 0.15)  # fmt: skip

# %% [markdown]
# `search` trains such a fusion too, from scratch, and first of all where no modality alone tells
# anything.

# %% [markdown]
# ## The table that grows
#
# The section task, on cards that each lesson makes with seeds of its own:

# %%
from course_utils.tables import grow_table

ours = ("concat", "maximum", "concat + MLP", "bilinear")
grow_table("08", {name: measured[name] for name in ours})

# %% [markdown]
# ## Recap
#
# - Five steps: pre-process, encode, fuse, train, evaluate. The model between them is three lines.
# - A fair table has majority, each modality alone, a model without a network, and the ceiling.
# - Adding is enough for `section`, `match` needs interaction; concat + MLP and maximum have both.
# - With few cards a second sense can do harm; a learning curve says what more of them would buy,
#   and stands in place of the ceiling on a folder of your own.
# - Encoders that learnt from rich labels carry over to a task whose own labels are too poor.
# - A change of the pictures must leave the *pair* true; twins belong on one side of a split.
# - **Common mistakes:** softmax before the loss; a vocabulary built on all rows; reporting the
#   validation accuracy that chose the epoch; saving the weights without the vocabulary.

# %% [markdown]
# ## Quiz
#
# Settle on one option before you open it; then read the others too.

# %%
quiz("08")

# %% [markdown]
# **Further reading.** Kiela, Grave, Joulin and Mikolov, *Efficient Large-Scale Multi-Modal
# Classification*, AAAI 2018 (fusions of text and image features, compared as here). Yosinski,
# Clune, Bengio and Lipson, *How transferable are features in deep neural networks?*, Advances in
# Neural Information Processing Systems 27, 2014. Dietterich, *Approximate Statistical Tests for
# Comparing Supervised Classification Learning Algorithms*, Neural Computation 10(7), 1998.
