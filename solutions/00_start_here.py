# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Start here
#     minutes: {read: 50, exercises: 20}
#     needs: []
#     teaches: [modality, feature, fusion, task, baseline, ceiling, pairing]
# ---

# %% [markdown]
# # Start here
#
# *You will be able to:* say what a modality, a feature, a fusion and a task are; train a model
# that looks at pictures and reads headlines; and tell from an accuracy table whether it learnt
# anything.
#
# **The question.** *What can two senses do that one cannot?*

# %%
from course_utils import seed_everything
from course_utils.data import news_cards

seed_everything(0)
cards = news_cards.make(6000, seed=0)
parts = ("train", "validation", "test")
# Cards whose headline was written for their picture; the others come at the end.
rows = {part: news_cards.rows_for(cards, "section", part) for part in parts}

# %%
from course_utils import show
from course_utils.data.rows import take
from course_utils.display import card_wall

eight = take(rows["train"], [11, 19, 2, 3, 12, 7, 21, 25])
show(card_wall(eight, titles=[f"card {number}" for number in range(1, 9)]),
     alt="Eight small noisy pictures with headlines. Five show a cloud with rain, a "
     "bar chart, a ball, an atom and a mountain; three show only meaningless "
     "shapes.")  # fmt: skip

# %% [markdown]
# These are *news cards*: a small picture and a headline. Each belongs to one of five sections of a
# newspaper: sport, business, science, weather or travel. A ball stands for sport, a bar chart for
# business, an atom for science, a rain cloud for weather, a mountain for travel. In headlines,
# words such as *coach*, *bank*, *theory*, *storm* and *hotel* tell the section; *bridge*, *crowd*,
# *minister* and *village* tell nothing. A fifth of the pictures show no motif, a fifth of the
# headlines have no word of their section, and about one in seven has a word of another section.
#
# **Predict, then run.** Name each card's section three times: from the picture alone, from
# the headline alone, from both. Does any card need both?

# %% tags=["nbval-check-output"]
for number, section in enumerate(eight["section"], start=1):
    print(f"card {number}: {news_cards.SECTIONS[section]}")

# %% [markdown]
# No: on each card with a clue, one sense would do. But you never know in advance which one. Card 3
# needs the picture, as its headline names two sections. Card 5 needs it too: its headline was
# written for travel, and its only telling word, *league*, points to sport. Cards 6 and 8 need the
# headline. Card 7 has no clue at all.
#
# A program of ours drew the cards, and so we know the truth about them. Real pictures come later.

# %% [markdown] slideshow={"slide_type": "notes"}
# *For the instructor: the 20-minute path.* Guess the eight cards aloud (3 min), the whole game
# (4), where the gain comes from with its *predict* (5), the twelve cards (3), the lopsided paper
# with its *predict* (3), the answer (2). The rest is for reading at home.
#
# *At the first predict* somebody says "sport" for card 5. Good: a clue can mislead, and a model
# that trusts one sense cannot find out.

# %% [markdown]
# ## The whole game
#
# A *modality* is one way in which something reaches us: sight, hearing, written words. The cards
# have two, in code called `image` and `text`. A *task* is what we ask of a card: here, its section.
# The right answer is its *label*.
#
# A *model* is a function with adjustable numbers. *Training* adjusts them on cards whose labels it
# may see. We keep three sets of cards apart: *train* to learn from, *validation* to choose the
# best moment to stop, *test* to judge. First, the cards become numbers.

# %%
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader, TextReader
from course_utils.data.text import Vocabulary


def readers_with(vocabulary):
    """What turns each modality into numbers: pixels, and the numbers of words."""
    return {"image": ImageReader(), "text": TextReader(vocabulary)}


def as_numbers(rows, vocabulary):
    """Cards as {name: tensor}."""
    return to_tensors(rows, readers_with(vocabulary))


def prepare(rows):
    """The cards as tensors, {part: {name: tensor}}, and the training words."""
    vocabulary = Vocabulary.from_texts(rows["train"]["headline"], fewest=2)
    return {part: as_numbers(rows[part], vocabulary) for part in rows}, vocabulary


splits, vocabulary = prepare(rows)

# %% tags=["nbval-check-output"]
for name in ("label", "image", "text", "text_length"):
    print(name, tuple(splits["train"][name].shape))

# %% [markdown]
# Of our 6,000 cards 1,858 are here: half are kept for the end of the lesson, others for validation
# and test. A picture is 3 colours × 48 × 48 pixels. A headline is a row of word numbers, filled up
# with zeros to the length of the longest. An *encoder* turns each into 64 numbers, a *fusion* joins
# them, and a *head* makes five scores from them, one for each section. Such scores are called
# *logits*.
#
# ```
# image ──► encoder ──► 64 numbers ─┐
#                                   ├─► fusion ──► 128 numbers ──► head ──► 5 scores
# text  ──► encoder ──► 64 numbers ─┘
# ```

# %%
import torch

from course_utils.classifier import MultimodalClassifier
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.fusion import ConcatFusion


def build(modalities, vocabulary, seed=0):
    """An untrained model that reads the named modalities."""
    torch.manual_seed(seed)
    # Lessons 01 and 02 open these two up.
    readers = {
        "image": CNNEncoder(64, channels=(8, 16, 32)),
        "text": BagEncoder(len(vocabulary)),
    }
    encoders = {name: readers[name] for name in modalities}
    fusion = ConcatFusion(dict.fromkeys(modalities, 64))
    return MultimodalClassifier(encoders, fusion, classes=5)


# %% [markdown]
# The names with capitals are parts from the course's package; later lessons open each of them up.
# Other words wait as well: `fewest` and `text_length` for lesson 02; learning rate, optimizer,
# weight decay, cross-entropy and gradients for lesson 06.
#
# `fit` trains. It shows the model all training cards six times over (six *epochs*), in *batches* of
# 32.

# %%
from course_utils.training import fit


def learn(modalities, splits, vocabulary, seed=0):
    """A trained model that reads the named modalities."""
    model = build(modalities, vocabulary, seed)
    train = Batches(splits["train"], batch_size=32, shuffle=True, seed=seed)
    fit(model, train, Batches(splits["validation"]), epochs=6, learning_rate=0.01,
        seed=seed)  # fmt: skip
    return model


models = {"both": learn(("image", "text"), splits, vocabulary)}

# %% [markdown]
# How often is it right on the test cards, which it has never seen?

# %%
from course_utils.measures import accuracy
from course_utils.training import predict

# Larger batches: nothing is learnt here, so their size changes nothing but the speed.
test = Batches(splits["test"], batch_size=256)
label = splits["test"]["label"]
print(f"both: {accuracy(predict(models['both'], test), label):.2f}")

# %% [markdown]
# That share is the *accuracy*. Now one sense at a time.
#
# **Predict, then run.** A perfect reader of pictures recognises every motif; without a motif, it
# guesses one of the five sections. How often is this reader right? That share is its *ceiling*.
# How near will our image model come?

# %%
from course_utils import claim

# The same recipe, with one encoder in place of two.
models["image"] = learn(("image",), splits, vocabulary)
models["text"] = learn(("text",), splits, vocabulary)

ceiling = news_cards.ceiling("section")
logits = {name: predict(models[name], test) for name in ("image", "text", "both")}
score = {name: accuracy(logits[name], label) for name in logits}
for name, value in score.items():
    print(f"{name:5}  accuracy {value:.2f}   ceiling {ceiling[name]:.2f}")

better = max(score["image"], score["text"])
claim("perfect on pictures: 0.8 + 0.2 / 5", abs(ceiling["image"] - 0.84) < 1e-9)
clean = news_cards.ceiling("section", text_noise=0)
claim("without words of other sections headlines allow 0.84 too",
      abs(clean["text"] - 0.84) < 1e-9)  # fmt: skip
claim("the image model is within 0.06 of its ceiling",
      score["image"] > ceiling["image"] - 0.06, trained=True)  # fmt: skip
claim("two senses beat the better one", score["both"] > better + 0.02, trained=True)

# %% [markdown]
# You have trained a multimodal model. A perfect reader of pictures is right on 0.8 + 0.2 / 5 = 0.84
# of the cards, and our image model comes within a few hundredths of that. Words of other sections
# mislead even a perfect reader of headlines, so its ceiling is lower. One card in 25 (0.2 × 0.2)
# has neither clue; that, and misleading words, keep the ceiling of *both* below 1.
#
# A `claim` stands where the text leans on a number; it raises an error if it does not hold on your
# machine. (`trained=True`: it rests on a trained model.) One run may be lucky. So a file keeps
# what five gave, measured once on 5,000 fresh cards each (`make results LESSON=00`); claims ask it.

# %% [markdown]
# ## Where does the gain come from?
#
# We sort the test cards into four heaps: which of the two single-sense models is right?
#
# **Predict, then run.** Take the cards where one of them is right and the other wrong. How often
# is the model with both senses right: on few, on half, on most of them?

# %%
import numpy as np
import pandas as pd

# True where the section with the highest score is the right one.
right = pd.DataFrame({name: logits[name].argmax(dim=1) == label for name in logits})
heaps = {
    "only the image model": right.image & ~right.text,
    "only the text model": ~right.image & right.text,
    "each of them": right.image & right.text,
    "neither": ~right.image & ~right.text,
}

# %% [markdown]
# For each heap: its size, and the share on which the model with both senses is right.

# %%
by_heap = pd.DataFrame({"cards": pd.DataFrame(heaps).sum()})
by_heap["share right"] = [right.both[heap].mean() for heap in heaps.values()]
by_heap.round(2)

# %% [markdown]
# The first two heaps together:

# %%
from course_utils.data.results import read_results, within_spread

# The lowest of five seeds.
lowest = read_results("00", "believed").groupby("measure")["value"].min()

one_right = right.image != right.text
share = right.both[one_right].mean()
print(f"where one is right and one wrong, both together are right on {share:.2f}")
claim("where one is right and one wrong, both together are right on over 7 of 10",
      min(share, lowest["both right"]) > 0.7, trained=True)  # fmt: skip

# %% [markdown]
# On most. How can it know whom to believe? `softmax` makes *probabilities* of scores: not negative,
# sum 1. The highest one says how *sure* a model is.

# %%
sure = {name: logits[name].softmax(dim=1).amax(dim=1) for name in logits}  # (n,) each
# The generator noted where it drew each motif (-1: nowhere) and which word it chose.
motif = torch.from_numpy(rows["test"]["motif_box"][:, 0] >= 0)
word = torch.tensor([chosen != "" for chosen in rows["test"]["section_word"]])

clear, empty = sure["image"][motif].median(), sure["image"][~motif].median()
surer_is_right = np.where(sure["image"] > sure["text"], right.image, right.text)
surer = surer_is_right[one_right].mean()
print(f"image model, median of the highest probability: {clear:.2f} with a motif, "
      f"{empty:.2f} without")  # fmt: skip
print(f"where one is right and one wrong, the surer of the two is right on {surer:.2f}")
claim("without a motif much less sure",
      min(clear - empty, lowest["sureness lost"]) > 0.3, trained=True)  # fmt: skip
claim("the surer one is mostly right",
      min(surer, lowest["surer right"]) > 0.8, trained=True)  # fmt: skip
# Words of other sections: all telling words but the one that was chosen.
foreign = rows["test"]["word_counts"].sum(axis=1) > word.numpy()
claim("about one headline in seven has such a word", abs(foreign.mean() - 1 / 7) < 0.04)

# %% [markdown]
# **Mostly, the sense with a clue is the surer one.** A picture without a motif says "I cannot
# tell". Whoever believes the surer model does well, and so does our model. Nobody told it so; *The
# parts, by name* shows how.
#
# Two cards without a motif, then two without a section word, with how sure each model is:

# %%
# The first of their kind, not the best.
without_motif = heaps["only the text model"] & ~motif.numpy()
without_word = heaps["only the image model"] & ~word.numpy()
four = [*np.flatnonzero(without_motif)[:2], *np.flatnonzero(without_word)[:2]]
titles = [
    f"image {sure['image'][card]:.2f}, text {sure['text'][card]:.2f}" for card in four
]
verdicts = right.iloc[four].to_dict("list")
show(card_wall(take(rows["test"], four), verdicts, titles),
     alt="Four cards with three verdicts each. Only the text model is right alone on "
     "the first two, only the image model on the others; the model with both on "
     f"{right.both[four].sum()} of 4.")  # fmt: skip

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* most of a class says "half"; the usual wrong idea is that a fused model
# averages and so is torn between two voices. Ask why it is not: a head without a clue gives five
# similar scores, and adding similar scores changes nothing. That is lesson 04 in one sentence.
#
# *Live:* add `logits["image"].log_softmax(1)` and `logits["text"].log_softmax(1)`: a fusion
# without any training, and about as good. *Dial:* `news_cards.make(6000, 0, without_word=0.6)`:
# whom does the model believe now?

# %% [markdown]
# ## Twelve trick cards
#
# Twelve cards made by hand, each hard in its own way. They hang on the wall in every lesson, and
# you will see model after model try them.

# %%
from course_utils.data import trick_cards

tricks = trick_cards.read()
wall = as_numbers(tricks, vocabulary)
chances = {name: predict(models[name], Batches(wall)).softmax(dim=1) for name in logits}
guesses = {name: chance.argmax(dim=1) for name, chance in chances.items()}
verdicts = {name: (guess == wall["label"]).tolist() for name, guess in guesses.items()}
show(
    card_wall(tricks, verdicts),
    alt="The wall of twelve trick cards with three verdicts each: "
    + ", ".join(f"{name} {sum(hits)} of 12 right" for name, hits in verdicts.items()),
)

# %% [markdown]
# *Answer* is the label: always the picture's section, even where no motif shows it. So on
# the last two cards the headline misleads. On *typo*, *planted mark* (a small pink square; see
# lesson 09) and *no clue at all* our models can only guess, and a lucky guess looks like skill.
#
# What did each model name, and how sure was it?

# %%
answers = pd.DataFrame(index=tricks["trick"])
for name, chance in chances.items():
    pairs = zip(guesses[name], chance.amax(dim=1), strict=True)
    answers[name] = [f"{news_cards.SECTIONS[guess]} {p:.2f}" for guess, p in pairs]
answers

# %% [markdown]
# Count the right answers. Twelve cards are few, and chosen as traps: the model with both senses may
# win by little, or not at all. On over 700 test cards it wins clearly.
#
# Look at *headline of another section*: the image model is sure of sport, the text model of
# weather. The model with both must name one section, and is sure of it: its answer does not tell
# that the two disagree. We return to such pairs below.

# %%
card = tricks["trick"].index("headline of another section")
for name, section in (("image", "sport"), ("text", "weather")):
    claim(f"the {name} model names {section}",
          answers[name].iloc[card].startswith(section), trained=True)  # fmt: skip
claim("all three are sure",
      min(chance[card].max() for chance in chances.values()) > 0.7,
      trained=True)  # fmt: skip

# %% [markdown]
# ## How a lesson works
#
# Some cells are for you to write. `check` tries your function on fresh inputs beside a right one.
# Its answer is *not attempted*, *wrong, and why*, or *right*. Here is an attempt that is wrong:


# %%
from course_utils import check, hint, quiz, solution


def share_right(predicted, label):
    return (predicted == label).sum()


share_right = check(share_right)

# %% [markdown]
# After a wrong attempt `check` hands back a right function, so that the cells below can run: you
# may leave an exercise and return. If you are stuck, ask. Each call gives one more hint:

# %%
hint("share_right")

# %% [markdown]
# ### Exercise 1: `share_right` · 4 min · easy
#
# Now yours: the accuracy, from guesses and labels.


# %% tags=["exercise"]
def share_right(predicted, label):
    """Share of rows in which the guess is the label.

    predicted (n,) long, label (n,) long -> a number from 0 to 1
    """
    ### BEGIN SOLUTION
    return (predicted == label).float().mean().item()
    ### END SOLUTION


# %% tags=["check"]
share_right = check(share_right)

# %% [markdown]
# Done, or stuck? Take the `#` away to see how the lesson does it:

# %%
# solution("share_right")

# %% [markdown]
# ## The parts, by name
#
# What an encoder makes of a picture or a headline is its *feature*: a vector, a row of numbers,
# that says what the model found worth knowing. Let $F_1, F_2$ be the two features of a card. Our
# fusion puts them side by side, and the head is a matrix $W$ and a vector $b$:
#
# $$ F = [F_1 ; F_2], \qquad \text{scores} = W F + b = W_1 F_1 + W_2 F_2 + b . $$
#
# $W_1$ is the half of $W$ that meets the picture's feature, $W_2$ the other half. So nothing is
# chosen: the model **adds** five scores from the picture and five from the headline.

# %%
batch = next(iter(test))
# Nothing is trained here, so PyTorch need not keep what gradients are made of.
with torch.no_grad():
    features = models["both"].features(batch)  # {"image": (256, 64), "text": (256, 64)}
    F_joined = torch.cat([features["image"], features["text"]], dim=1)  # (256, 128)
    W, b = models["both"].head.weight, models["both"].head.bias  # (5, 128), (5,)
    scores = F_joined @ W.T + b  # (256, 5)
    parts_of_sum = {
        "image": features["image"] @ W[:, :64].T,
        "text": features["text"] @ W[:, 64:].T,
    }

for result in (scores, parts_of_sum["image"] + parts_of_sum["text"] + b):
    torch.testing.assert_close(result, logits["both"][:256], rtol=1e-3, atol=1e-3)
print("the same scores as the model's, both ways")

# %% [markdown]
# How far apart are the five scores of each sense, from the lowest to the highest?

# %%
for name, clue in {"image": motif[:256], "text": word[:256]}.items():
    apart = parts_of_sum[name].amax(dim=1) - parts_of_sum[name].amin(dim=1)  # (256,)
    with_clue, without = apart[clue].median(), apart[~clue].median()
    print(f"{name:5}  {with_clue:4.1f} with a clue, {without:4.1f} without (medians)")
    ratio = min(with_clue / without, lowest[f"{name} apart"])
    claim(f"{name}: wider apart with a clue", ratio > 1.3, trained=True)

# %% [markdown]
# **Adding five similar scores changes little**, so mostly the sense with a clue decides. Lessons 04
# and 05 try other fusions: the weighted sum, the product.

# %% [markdown]
# ## Training on one page
#
# What did `fit` do? Eight lines. Take them on trust until lesson 06; read them once.

# %%
from torch.nn.functional import cross_entropy

reader = build(("text",), vocabulary)
batches = Batches(splits["train"], batch_size=32, shuffle=True, seed=0)

optimizer = torch.optim.AdamW(reader.parameters(), lr=0.01, weight_decay=0)
for _ in range(6):
    for batch in batches:
        # What does the model say, and how wrong is it?
        scores = reader(batch)  # (32, 5)
        loss = cross_entropy(scores, batch["label"])
        # Which way should each of its numbers move? Move it a little.
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

print(f"our loop: {accuracy(predict(reader, test), label):.2f}")

# %% [markdown]
# The *loss* is one number that says how far the scores of 32 cards are from the labels. `backward`
# finds for every number in the model which way it should move to lower the loss, and `step` moves
# all of them a little.
#
# Does `fit` really do nothing else?

# %%
same = build(("text",), vocabulary)
fit(same, Batches(splits["train"], batch_size=32, shuffle=True, seed=0),
    epochs=6, learning_rate=0.01, device="cpu")  # fmt: skip
difference = (predict(same, test) - predict(reader, test)).abs().max()
claim("fit and our loop end in the same model", difference < 1e-3, trained=True)

# %% [markdown]
# Given validation cards, `fit` also keeps the epoch that was best on them. That is all.

# %% [markdown]
# ## Is that a good accuracy?
#
# It depends on what can be had for nothing. The *majority baseline* looks at no card: it names
# the most frequent section of the training cards, always.
#
# ### Exercise 2: `majority_baseline` · 6 min · easy
#
# How often is it right? Choose the section in one set of labels, and judge it in the other.
# `bincount()` counts the labels 0, 1, 2, ...; `argmax()` gives the place of the largest value.


# %% tags=["exercise"]
def majority_baseline(train_label, test_label):
    """Accuracy on the test rows of naming the training rows' most frequent class.

    train_label (n,) long, test_label (m,) long -> a number from 0 to 1
    """
    ### BEGIN SOLUTION
    frequent = train_label.bincount().argmax()
    return (test_label == frequent).float().mean().item()
    ### END SOLUTION


# %% tags=["check"]
majority_baseline = check(majority_baseline)

# %% [markdown]
# **Predict, then run.** A sports paper prints eight sport cards for every card of each other
# section. Somebody sells its editor a model with an accuracy of 0.65. Would you buy it?

# %%
paper = news_cards.make(2000, seed=0, class_balance=(8, 1, 1, 1, 1))
paper_rows = {part: news_cards.rows_for(paper, "section", part) for part in parts}
paper_splits, _ = prepare(paper_rows)

ours = majority_baseline(splits["train"]["label"], label)
paper_label = paper_splits["test"]["label"]
theirs = majority_baseline(paper_splits["train"]["label"], paper_label)
print(f"for nothing: {ours:.2f} on our cards, {theirs:.2f} in the sports paper")
claim("in the sports paper, 0.6 comes for nothing", theirs > 0.6)

# %% [markdown]
# No: naming *sport* every time costs nothing and does about as well. (You expected 8 / 12? Chance
# moves the share in a small test set.) Our models are far from nothing. So a *fair table* holds
# four things: the majority, each modality alone, the model in question, the ceiling.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* half a class buys the model. Let them write the missing rows of the seller's
# table on the board. *Dial:* `class_balance=(20, 1, 1, 1, 1)`.

# %% [markdown]
# ## A fair table
#
# A *seed* decides all that is left to chance: the cards, the model's first numbers, the order of
# the batches. *Here* is your run; the *spread* is the file's standard deviation over seeds.

# %%
from course_utils.tables import fair_table

kinds = ("image alone", "text alone", "both")
here = {"majority": ours} | dict(zip(kinds, score.values(), strict=True))
results = read_results("00", "section").groupby("model", sort=False)["value"].agg(list)
table = fair_table(results, ceiling).assign(here=pd.Series(here))
print(table.round(2).to_string(na_rep=""))
claim("what you trained lies within the file's spread, give or take 0.04",
      all(within_spread(here[name], results[name], 0.04) for name in here),
      trained=True)  # fmt: skip

# %% [markdown]
# A dot for each seed:

# %%
import matplotlib.pyplot as plt

from course_utils.display import PALETTE

fig, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
for line, (name, reader_name) in enumerate(zip(kinds, logits, strict=True)):
    # One above the other, so that equal results do not hide each other.
    heights = np.linspace(line - 0.18, line + 0.18, len(results[name]))
    ax.plot(results[name], heights, "o", color=PALETTE[reader_name])
    ax.plot(ceiling[reader_name], line, "|k", markersize=22, markeredgewidth=2,
            label="" if line else "ceiling")  # fmt: skip
ax.axvline(table.loc["majority", "mean"], color=PALETTE["majority"], linestyle="--")
ax.text(table.loc["majority", "mean"] + 0.01, 2.3, "majority", color="0.3", fontsize=9)
ax.legend(loc="upper center", markerscale=0.5)
ax.set(yticks=range(3), yticklabels=kinds, ylim=(2.5, -0.5), xlim=(0.1, 1),
       xlabel="accuracy on test cards (share)")  # fmt: skip
show(fig, alt="All three models stand far right of the majority. The dots of the model "
     "with both lie right of the ceilings of image and text, and a little left of "
     "their own.")  # fmt: skip

# %% [markdown]
# Read the second claim twice.

# %%
mean = table["mean"]
# Of our models, and of perfect readers.
better = max(mean["image alone"], mean["text alone"])
best_alone = max(ceiling["image"], ceiling["text"])
claim("two senses gain over 0.08", mean["both"] > better + 0.08)
claim("two senses pass what a perfect reader of one could reach",
      min(results["both"]) > best_alone + 0.02)  # fmt: skip

# %% [markdown]
# A *perfect* reader of pictures stays below our small model with two senses. No bigger network
# helps where the motif is missing. The gap between *both* and its own ceiling is what the next
# lessons work on.

# %% [markdown]
# ## When the senses contradict each other
#
# So far each headline was written for its picture: `rows_for(cards, "section", ...)` left the
# others out. In practice pictures and headlines come from two folders, one file is lost, all rows
# below shift by one, and nobody notices: the *pairing*, what goes with what, is wrong.
#
# Half of our 6,000 cards have a headline of another section. Only the pair is wrong there.
#
# ### Exercise 3: `find_mispaired` · 10 min · medium
#
# Two single-sense models give five probabilities for each card. Name the rows where both are *sure*
# (their largest probability is at least `sure`) and name different sections.
# `probability.max(dim=1)` gives the largest value and its place; `(a >= 2) & (b >= 2)`, with its
# brackets, is true where both are; `nonzero()` gives the places of what is true, as a column;
# `flatten()` makes a row of it.


# %% tags=["exercise"]
def find_mispaired(image_probability, text_probability, sure=0.9):
    """Rows where picture and headline are both sure, of different sections.

    image_probability and text_probability (n, 5) -> row numbers (k,) long, ascending
    """
    ### BEGIN SOLUTION
    image, text = image_probability.max(dim=1), text_probability.max(dim=1)
    both_sure = (image.values >= sure) & (text.values >= sure)
    return (both_sure & (image.indices != text.indices)).nonzero().flatten()
    ### END SOLUTION


# %% tags=["check"]
find_mispaired = check(find_mispaired)

# %% [markdown]
# We let our two single-sense models judge all test cards, those that fit and those that do not.

# %%
all_test = news_cards.rows_for(cards, "match", "test")
pairs = as_numbers(all_test, vocabulary)
# Scores become probabilities, so that "sure" is a number from 0 to 1.
image_probability = predict(models["image"], Batches(pairs)).softmax(dim=1)  # (n, 5)
text_probability = predict(models["text"], Batches(pairs)).softmax(dim=1)
found = find_mispaired(image_probability, text_probability)

# %% [markdown]
# The generator knows which pairs are wrong. How many of those named?

# %%
known = read_results("00", "mispaired").groupby("measure")["value"]
lowest, highest = known.min(), known.max()
# Ground truth, which no model has seen.
wrong_pair = torch.from_numpy(all_test["match"] == 0)
truly = wrong_pair[found].double().mean()
print(f"wrong pairs: {wrong_pair.sum()} of {len(wrong_pair)}; named: {len(found)}")
print(f"named, and really wrong: {truly:.2f}")
claim("over 8 of 10 named pairs are really wrong",
      min(truly, lowest["named, wrong"]) > 0.8, trained=True)  # fmt: skip

# %% [markdown]
# **Predict, then run.** Here half of the pairs are wrong. In a tidier folder one pair in a hundred
# is. How many of ten named pairs would be wrong there?

# %%
alarm = torch.zeros(len(wrong_pair), dtype=torch.bool)
alarm[found] = True
hit, false_alarm = alarm[wrong_pair].double().mean(), alarm[~wrong_pair].double().mean()
tidy = 0.01 * hit / (0.01 * hit + 0.99 * false_alarm)
print(f"named: {hit:.2f} of the wrong pairs, {false_alarm:.3f} of the good ones")
print(f"with 1 wrong pair in 100, named and really wrong: {tidy:.2f}")
claim("few good pairs are named",
      max(false_alarm, highest["good, named"]) < 0.05, trained=True)  # fmt: skip
claim("with 1 wrong pair in 100, most named pairs are good",
      max(tidy, highest["tidy"]) < 0.4, trained=True)  # fmt: skip

# %% [markdown]
# Few good pairs are *false alarms*; a misleading word, as on card 5, can raise one. But where good
# pairs are so many, their false alarms outnumber the finds. Look before you throw a pair away.

# %% [markdown]
# The four cards that stand out most:

# %%
# As sure as the less sure of the two.
certainty = torch.minimum(image_probability.amax(dim=1), text_probability.amax(dim=1))
sees, reads = image_probability.argmax(dim=1), text_probability.argmax(dim=1)
four = (certainty * (sees != reads)).topk(4).indices.tolist()
names = news_cards.SECTIONS
titles = [f"picture {names[sees[row]]}, headline {names[reads[row]]}" for row in four]
show(card_wall(take(all_test, four), titles=titles),
     alt="On four cards the picture shows the motif of one section, and the headline "
     "has a word of another.")  # fmt: skip

# %% [markdown]
# It takes two senses to see it. With one alone, nobody answers "do they fit?" better than a coin:

# %% tags=["nbval-check-output"]
print({name: round(value, 2) for name, value in news_cards.ceiling("match").items()})

# %% [markdown]
# Two more limits. Most wrong pairs went unnamed, because a motif or a section word is missing or a
# model was not sure. And we learn that a pair is wrong, not which half.

# %% [markdown] slideshow={"slide_type": "notes"}
# *Live:* lower `sure` to 0.5 and raise it to 0.99: how do the two shares move? *Usual mistake in
# the exercise:* not asking for certainty; then every picture without a motif accuses its headline.

# %% [markdown]
# ## The answer
#
# **What can two senses do that one cannot?** Two things, both seen above. They *fill in for each
# other*: our model passed what a perfect reader of one sense could reach, by believing the one
# that has a clue. And they can *contradict each other*, which tells something about the pair that
# neither half knows.
#
# Here begins the table that grows through lessons 00 to 08. The ceilings stay in the lessons.

# %%
from course_utils.tables import grow_table

grow_table("00", results)

# %% [markdown]
# ## Where the field comes from
#
# This course grew out of a Chinese article about multimodal learning with PyTorch; lesson 07 takes
# its code apart. The article begins in the 1990s. The field is older, and it has moved on:
#
# - **1954.** In noise, people understand more words if they see the speaker (Sumby and Pollack).
# - **1976.** A voice says *ba*, the lips say *ga*, and people hear *da* (McGurk and MacDonald).
# - **1985.** Machines read lips to recognise speech better (Petajan).
# - **1991.** A program finds people in newspaper photographs with the help of the caption
#   (Srihari): news cards, if you like.
# - **2011.** Deep networks learn features of sound and video together (Ngiam and others).
# - **2015.** Machines answer questions about photographs (Antol and others).
# - **2019.** A survey orders the field by its challenges; fusion is one of five (Baltrušaitis,
#   Ahuja and Morency). A transformer with a stream for each sense learns from pictures with
#   captions, and then serves four tasks (ViLBERT: Lu and others).
# - **2021.** Pictures and captions from the web, 400 million pairs, share one space (CLIP: Radford
#   and others).
# - **2022.** A language model that is given pictures learns new tasks from a few examples
#   (Flamingo: Alayrac and others).
# - **2023.** One that sees is tuned to follow instructions about pictures (LLaVA: Liu and others).
# - **2024.** A newer survey counts six challenges (Liang, Zadeh and Morency).
#
# The article also says that PyTorch provides "the implementation and optimisation" of multimodal
# tasks. What is there? We look for names among its layers:

# %% tags=["nbval-check-output"]
names = [name.lower() for name in dir(torch.nn)]
print([name for name in names if "modal" in name or "fusion" in name])

# %% [markdown]
# Nothing by name in `torch.nn`. PyTorch provides what such tasks are implemented and optimised
# with: tensors, gradients, layers, optimisers. Multimodal parts ready made (fusion layers, losses,
# models such as FLAVA and CLIP) came in a library of their own: the PyTorch team announced a beta
# of *TorchMultimodal* in November 2022. We build ours, to see inside.
#
# Traditional learning, the article says, *usually* works with one kind of data. Not always: Gower
# compared rows of measures, categories and yes-or-no answers in 1971. Here is a *linear model*,
# which adds up its inputs, each with a weight. It gets words, and pixels: boiled down to 50
# numbers, then, alone, all 6,912.

# %%
from sklearn.linear_model import RidgeClassifier

from course_utils.baselines import linear_baselines

linear = linear_baselines(rows, readers_with(vocabulary))
print({name: round(value, 2) for name, value in linear.items()})
# Ridge regression, a linear model too, copes with so many numbers.
images = {part: rows[part]["image"] for part in parts}
pixels = {part: image.reshape(len(image), -1) / 255 for part, image in images.items()}
ridge = RidgeClassifier(alpha=1000).fit(pixels["train"], rows["train"]["section"])
all_pixels = ridge.score(pixels["test"], rows["test"]["section"])
print(f"all pixels: {all_pixels:.2f}")
known = read_results("00", "linear").groupby("model")["value"].mean()
best = max(linear["image"], all_pixels, known["image"], known["all pixels"])
claim("on pixels a linear model is little better than the majority", best < 0.3)
claim("pictures gain it next to nothing", known["both"] < known["text"] + 0.01)
claim("it reads headlines about as well as our network",
      abs(known["text"] - mean["text alone"]) < 0.01)  # fmt: skip

# %% [markdown]
# It reads headlines about as well as our network does, and pictures add next to nothing: it can
# hardly read them.
# What sets our model apart is not the number of modalities but that **each has an encoder that can
# read it**.

# %% [markdown]
# ## What it is good for
#
# | the article's three kinds | examples | here |
# | --- | --- | --- |
# | image + text | headlines and their pictures, reviews of advertisements | lessons 01 to 08 |
# | image + audio | musical genre, reviews of music | lesson 14 |
# | image + video | what a clip shows, which mood it has | lesson 15 |
#
# **What you need to know.** Python with functions, lists and dicts. What a tensor and its shape
# are. A little algebra: a vector, a matrix, a sum sign; a few passages lean on a slope (derivative)
# or on variance, the mean squared distance from the mean. No machine learning. No GPU: every lesson
# runs on a laptop. Yours runs on:

# %% tags=["volatile"]
from course_utils import versions
from course_utils.display import table as as_table

as_table(versions(), columns=("what", "version"))

# %% [markdown]
# ## Recap
#
# - A modality is a way in which something reaches us; an encoder turns it into a feature, a
#   fusion joins features, a head scores the answers of the task.
# - Training: scores, loss, `backward`, `step`, again and again.
# - A fair table holds the majority, each modality alone, the model, the ceiling; over seeds.
# - On our cards fusion gains mostly by knowing whom to believe.
# - `check`, `hint`, `solution` are yours; a `claim` is ours.
#
# **Common mistakes.** Calling an accuracy good without the majority beside it. Comparing two models
# on one seed. Sorting or filtering pictures without their headlines: the shapes still fit, the
# pairs do not.

# %% [markdown]
# ## Quiz
#
# Settle on one option before you open it; then read the others too.

# %%
quiz("00")

# %% [markdown]
# **Further reading**
#
# - Sumby and Pollack, *Visual contribution to speech intelligibility in noise*, Journal of the
#   Acoustical Society of America 26(2), 1954.
# - Gower, *A general coefficient of similarity and some of its properties*, Biometrics, 1971.
# - McGurk and MacDonald, *Hearing lips and seeing voices*, Nature 264, 1976.
# - Petajan, *Automatic lipreading to enhance speech recognition*, CVPR, 1985.
# - Srihari, *PICTION: a system that uses captions to label human faces in newspaper photographs*,
#   AAAI, 1991.
# - Ngiam, Khosla, Kim, Nam, Lee and Ng, *Multimodal deep learning*, ICML, 2011.
# - Antol, Agrawal, Lu, Mitchell, Batra, Zitnick and Parikh, *VQA: visual question answering*, ICCV,
#   2015.
# - Baltrušaitis, Ahuja and Morency, *Multimodal machine learning: a survey and taxonomy*, IEEE
#   Transactions on Pattern Analysis and Machine Intelligence 41(2), 2019. Read its first pages now.
# - Lu, Batra, Parikh and Lee, *ViLBERT: pretraining task-agnostic visiolinguistic representations
#   for vision-and-language tasks*, NeurIPS, 2019.
# - Radford, Kim, Hallacy and others, *Learning transferable visual models from natural language
#   supervision*, ICML, 2021.
# - Alayrac, Donahue, Luc and others, *Flamingo: a visual language model for few-shot learning*,
#   NeurIPS, 2022.
# - Khandelwal and De, *Introducing TorchMultimodal: a library for accelerating exploration in
#   multimodal AI*, pytorch.org/blog, 2022.
# - Liu, Li, Wu and Lee, *Visual instruction tuning*, NeurIPS, 2023.
# - Liang, Zadeh and Morency, *Foundations & trends in multimodal machine learning: principles,
#   challenges, and open questions*, ACM Computing Surveys, 2024.
