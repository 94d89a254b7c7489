# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: Start here
#     minutes: {read: 40, exercises: 20}
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
# The cards whose headline fits; the others wait until the end of the lesson.
rows = {part: news_cards.rows_for(cards, "section", part) for part in parts}

# %%
from course_utils import show
from course_utils.display import card_wall

eight = news_cards.take(rows["train"], [11, 19, 2, 3, 12, 7, 21, 25])
show(card_wall(eight, titles=[f"card {number}" for number in range(1, 9)]),
     alt="Eight small noisy pictures with headlines. Five show a cloud with rain, a bar chart, a "
     "ball, an atom and a mountain; three show only meaningless shapes.")  # fmt: skip

# %% [markdown]
# These are *news cards*: a small picture and a headline. Each belongs to one of five sections of a
# newspaper: sport, business, science, weather or travel. A ball stands for sport, a bar chart for
# business, an atom for science, a rain cloud for weather, a mountain for travel. A fifth of the
# pictures show none of these, a fifth of the headlines have no word of their section, and some
# contain a word of a different section. All other shapes and words mean nothing.
#
# **Predict, then run.** Name each card's section three times: from the picture alone, from
# the headline alone, from both. For which cards do you need both?

# %% tags=["nbval-check-output"]
for number, section in enumerate(eight["section"], start=1):
    print(f"card {number}: {news_cards.SECTIONS[section]}")

# %% [markdown]
# Few cards need both senses, but you never know in advance which one you will need. Card 5 needs
# the picture: its only telling word, *league*, points to sport. Cards 6 and 8 need the headline.
# Card 7 has no clue at all.
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
# have two. In code they are called `image` and `text`, here and in every lesson. A *task* is what
# we ask of a card: here, its section. The right answer is its *label*.
#
# A *model* is a function with adjustable numbers. *Training* adjusts them on cards whose labels it
# may see. We keep three sets of cards apart: *train* to learn from, *validation* to choose the
# best moment to stop, *test* to judge. First, the cards become numbers.

# %%
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.text import Vocabulary


def as_numbers(rows, vocabulary):
    """Cards as {name: tensor}."""
    tensors = to_tensors(rows, vocabulary)
    # It says which card has which modality; until lesson 11 every card has both.
    del tensors["present"]
    return tensors


def prepare(rows):
    """The cards as tensors, {part: {name: tensor}}, and the words of the training headlines."""
    vocabulary = Vocabulary.from_texts(rows["train"]["headline"], fewest=2)
    return {part: as_numbers(rows[part], vocabulary) for part in rows}, vocabulary


splits, vocabulary = prepare(rows)

# %% tags=["nbval-check-output"]
for name, tensor in splits["train"].items():
    print(name, tuple(tensor.shape))

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
    readers = {"image": CNNEncoder(64, channels=(8, 16, 32)), "text": BagEncoder(len(vocabulary))}
    encoders = {name: readers[name] for name in modalities}
    fusion = ConcatFusion(dict.fromkeys(modalities, 64))
    return MultimodalClassifier(encoders, fusion, classes=5)


# %% [markdown]
# The names with capitals are parts from the course's package; later lessons open each of them up.
#
# `fit` trains. It shows the model all training cards six times over (six *epochs*), in *batches* of
# 32.

# %%
from course_utils.training import fit


def learn(modalities, splits, vocabulary, seed=0):
    """A trained model that reads the named modalities."""
    model = build(modalities, vocabulary, seed)
    train = Batches(splits["train"], batch_size=32, shuffle=True, seed=seed)
    fit(model, train, Batches(splits["validation"]), epochs=6, learning_rate=0.01, seed=seed)
    return model


models = {"both": learn(("image", "text"), splits, vocabulary)}

# %% [markdown]
# How often is it right on the test cards, which it has never seen?

# %%
from course_utils.evaluation import accuracy
from course_utils.training import predict

# Larger batches: nothing is learnt here, so their size changes nothing but the speed.
test = Batches(splits["test"], batch_size=256)
label = splits["test"]["label"]
print(f"both: {accuracy(predict(models['both'], test), label):.2f}")

# %% [markdown]
# That share is the *accuracy*. Now one sense at a time.
#
# **Predict, then run.** A perfect reader of pictures recognises every motif, and where there is
# none, guesses among five. How often is it right? That is its *ceiling*. How near will our image
# model come?

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
claim("a perfect reader of pictures gets 0.8 + 0.2 / 5", abs(ceiling["image"] - 0.84) < 1e-9)
claim("two senses beat the better one of them", score["both"] > better + 0.02, trained=True)

# %% [markdown]
# You have trained a multimodal model. A `claim` like these stands where the text leans on a number;
# it raises an error if it does not hold on your machine.

# %% [markdown]
# ## Where does the gain come from?
#
# We sort the test cards into four heaps: which of the two single-sense models is right?
#
# **Predict, then run.** Take the cards where one of them is right and the other wrong. How often
# is the model with both senses right? Half the time, as it cannot know whom to believe?

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
# The same as a picture:

# %%
import matplotlib.pyplot as plt

from course_utils.display import PALETTE

fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
# Two parts to each bar: cards won, then cards lost.
won = by_heap["cards"] * by_heap["share right"]
ax.barh(by_heap.index, won, color=PALETTE["both"], label="model with both senses right")
ax.barh(by_heap.index, by_heap["cards"] - won, left=won, color="white", edgecolor="black",
        hatch="//", label="model with both senses wrong")  # fmt: skip
ax.invert_yaxis()
ax.set(xlabel="test cards", ylabel="who is right alone?")
ax.legend(fontsize=8)
show(fig, alt="Where one single-sense model is right and the other wrong, the model with both is "
     "right on most cards; where neither is right, on few.")  # fmt: skip

# %% [markdown]
# Not half the time:

# %%
disagree = right[right.image != right.text]
print(
    f"where one is right and one wrong, the model with both is right on {disagree.both.mean():.2f}"
)
claim("where the two disagree, the model with both is right on over 7 cards of 10",
      disagree.both.mean() > 0.7, trained=True)  # fmt: skip

# %% [markdown]
# **It learnt, mostly, whom to believe.** A picture with a ball gives a clear answer. A picture
# without a motif says "I cannot tell", and then the headline's word decides. Nobody told the model
# so.
#
# We look at three heaps, two cards from each: those where the model gives the right section the
# highest *probability*. (`softmax` makes probabilities of scores: not negative, sum 1.)


# %%
def surest(heap):
    """The two cards of a heap on which the model with both is surest of the right section."""
    chance = logits["both"].softmax(dim=1)[range(len(label)), label]  # (n,)
    return (chance * torch.tensor(heap.to_numpy())).topk(2).indices.tolist()


best = [card for name in heaps if name != "each of them" for card in surest(heaps[name])]
titles = [news_cards.SECTIONS[section] for section in label[best]]
show(card_wall(news_cards.take(rows["test"], best), right.iloc[best].to_dict("list"), titles, 6),
     alt="Six cards with three verdicts each. The image model is right on the first two, the text "
     "model on the next two, and the model with both senses on all.")  # fmt: skip

# %% [markdown]
# No single sense gets the first four right; two senses do. The last two were beyond both single
# models. Did two weak clues add up there to one good answer? Count first.

# %%
neither = heaps["neither"]
# The generator wrote down where it drew each motif (-1: nowhere) and which word it chose.
motif, word = rows["test"]["motif_box"][:, 0] >= 0, np.array(rows["test"]["section_word"]) != ""
clueless = neither & ~motif & ~word
print(f"neither: {neither.sum()} cards, {clueless.sum()} of them without motif and section word")
print(f"the model with both senses gets {(right.both & neither).sum()} of them")
claim("most of that heap has no clue", clueless.sum() > neither.sum() / 2, trained=True)
claim("the model with both gets few of it", (right.both & neither).sum() < neither.sum() / 2,
      trained=True)  # fmt: skip

# %% [markdown]
# Most cards of that heap have no clue at all, and one guess in five will be right. The rest, like
# the two shown, are slips of the single models. Galleries of chosen successes prove little, ours
# included. The four heaps prove something.

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
guesses = {name: predict(models[name], Batches(wall)).argmax(dim=1) for name in logits}
verdicts = {name: (guess == wall["label"]).tolist() for name, guess in guesses.items()}
show(card_wall(tricks, verdicts),
     alt="The wall of twelve trick cards with three verdicts each: "
     + ", ".join(f"{name} {sum(hits)} of 12 right" for name, hits in verdicts.items()))  # fmt: skip

# %% [markdown]
# Take your time. Without a motif only the headline helps, without a section word only the picture.
# On *typo*, *planted mark* and *no clue at all* our models can only guess (the mark gets its
# meaning in lesson 09). The label is always the picture's section, so on the last two cards the
# headline misleads.
#
# Do not expect *both* to win here. These cards are traps, chosen by us; on the 700 test cards it
# wins clearly. Look at *noisy picture*: noise beyond anything in training can make the image reader
# sure of a wrong section, and the fused model then follows it against a headline that is right. It
# learnt whom to believe on ordinary cards only. Lessons 08 and 10 come back to this.

# %% [markdown]
# ## How a lesson works
#
# Some cells are for you to write. `check` tries your function on fresh inputs beside a right one.
# Its answer is *not attempted*, *wrong, and why*, or *right*. Here is an attempt that is wrong:


# %%
from course_utils import check, hint, quiz, solution  # noqa: F401


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
# When you have done it, or have had enough of it, take the `#` away to see how the lesson does it:

# %%
# solution("share_right")

# %% [markdown]
# ## The parts, by name
#
# What an encoder makes of a picture or a headline is its *feature*: a vector, a row of numbers,
# that says what the model found worth knowing. Let $F_1, F_2$ be the two features of a card. Our
# fusion puts them side by side, and the head is a matrix $W$ and a vector $b$:
#
# $$ F = [F_1 ; F_2], \qquad \text{scores} = W F + b . $$

# %%
batch = next(iter(test))
# Nothing is trained here, so PyTorch need not keep what gradients are made of.
with torch.no_grad():
    features = models["both"].features(batch)  # {"image": (256, 64), "text": (256, 64)}
    F_joined = torch.cat([features["image"], features["text"]], dim=1)  # (256, 128)
    W, b = models["both"].head.weight, models["both"].head.bias  # (5, 128), (5,)
    scores = F_joined @ W.T + b  # (256, 5)
torch.testing.assert_close(scores, logits["both"][:256], rtol=1e-3, atol=1e-3)

# %% [markdown]
# The two formulas are the model, from the features on. Lessons 04 and 05 try other fusions: the
# weighted sum, the product.

# %% [markdown]
# ## Training on one page
#
# What did `fit` do? Eight lines. Take them on trust until lesson 06; read them once.

# %%
import torch.nn.functional as F

reader = build(("text",), vocabulary)
batches = Batches(splits["train"], batch_size=32, shuffle=True, seed=0)

optimizer = torch.optim.AdamW(reader.parameters(), lr=0.01, weight_decay=0)
for _ in range(6):
    for batch in batches:
        # What does the model say, and how wrong is it?
        scores = reader(batch)  # (32, 5)
        loss = F.cross_entropy(scores, batch["label"])
        # Which way should each of its numbers move? Move it a little.
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

print(f"our loop: {accuracy(predict(reader, test), label):.2f}")

# %% [markdown]
# The *loss* is one number that says how far the scores of 32 cards are from the labels. `backward`
# finds for every number in the model which way it should move to lower the loss, and `step` moves
# all of them a little. One pass over the cards is an *epoch*.
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
# ## Is 0.8 a good accuracy?
#
# It depends on what can be had for nothing. The *majority baseline* looks at no card: it names
# the commonest section of the training cards, always.
#
# ### Exercise 2: `majority_baseline` · 6 min · easy
#
# How often is it right? Choose the section in one set of labels, and judge it in the other.


# %% tags=["exercise"]
def majority_baseline(train_label, test_label):
    """Accuracy on the test rows of always naming the training rows' commonest class.

    train_label (n,) long, test_label (m,) long -> a number from 0 to 1
    """
    ### BEGIN SOLUTION
    commonest = train_label.bincount().argmax()
    return (test_label == commonest).float().mean().item()
    ### END SOLUTION


# %% tags=["check"]
majority_baseline = check(majority_baseline)

# %% [markdown]
# **Predict, then run.** A sports paper prints eight sport cards for every card of each other
# section. Somebody sells its editor a model with an accuracy of 0.65. Would you buy it?

# %%
paper = news_cards.make(2000, seed=0, class_balance=(8, 1, 1, 1, 1))
paper_splits, _ = prepare({part: news_cards.rows_for(paper, "section", part) for part in parts})

ours = majority_baseline(splits["train"]["label"], label)
theirs = majority_baseline(paper_splits["train"]["label"], paper_splits["test"]["label"])
print(f"for nothing: {ours:.2f} on our cards, {theirs:.2f} in the sports paper")
claim("in the sports paper, 0.6 comes for nothing", theirs > 0.6)

# %% [markdown]
# No: naming *sport* every time costs nothing and does about as well. On our cards, 0.8 is far from
# nothing. So every table of ours holds four things: the majority, each modality alone, the model
# in question, the ceiling.

# %% [markdown] slideshow={"slide_type": "notes"}
# *At this predict* half a class buys the model. Let them write the missing rows of the seller's
# table on the board. *Dial:* `class_balance=(20, 1, 1, 1, 1)`.

# %% [markdown]
# ## A fair table
#
# One training run may be lucky. A *seed* decides all that is thrown by dice: the cards, the
# model's first numbers, the order of the batches. We repeat everything with two more seeds. The
# *spread* says how far the seeds scatter (their standard deviation).

# %%
from course_utils import seeds

kinds = {"image alone": ("image",), "text alone": ("text",), "both": ("image", "text")}
# Seed 0 is what we trained above.
results = {"majority": [ours], "image alone": [score["image"]], "text alone": [score["text"]]}
results["both"] = [score["both"]]

for seed in seeds(3)[1:]:
    # A new world each time: new cards, new words, new first numbers in the model.
    new = news_cards.make(6000, seed)
    new_splits, words = prepare({part: news_cards.rows_for(new, "section", part) for part in parts})
    new_label = new_splits["test"]["label"]
    results["majority"].append(majority_baseline(new_splits["train"]["label"], new_label))
    for name, modalities in kinds.items():
        model = learn(modalities, new_splits, words, seed)
        results[name].append(accuracy(predict(model, Batches(new_splits["test"])), new_label))

# %%
from course_utils.evaluation import fair_table

table = fair_table(results, ceiling)
print(table.round(2).to_string(na_rep=""))

# %% [markdown]
# A dot for each seed, a bar for each ceiling:

# %%
fig, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
for line, (name, reader_name) in enumerate(zip(kinds, logits, strict=True)):
    ax.plot(results[name], [line] * len(results[name]), "o", color=PALETTE[reader_name])
    ax.plot(ceiling[reader_name], line, "|k", markersize=22, markeredgewidth=2)
ax.axvline(table.loc["majority", "mean"], color=PALETTE["majority"], linestyle="--")
ax.text(table.loc["majority", "mean"] + 0.01, 2.3, "majority", color="0.3", fontsize=9)
ax.set(yticks=range(3), yticklabels=kinds, ylim=(2.5, -0.5), xlim=(0.1, 1),
       xlabel="accuracy on test cards (share)")  # fmt: skip
show(fig, alt="All three models stand far right of the majority. The dots of both lie right of the "
     "ceilings of image and text, and a little left of their own.")  # fmt: skip

# %% [markdown]
# The first claim is the least that we expect of a second sense. Read the second one twice.

# %%
mean = table["mean"]
# Of our models, and of perfect readers.
better = max(mean["image alone"], mean["text alone"])
best_alone = max(ceiling["image"], ceiling["text"])
claim("two senses gain over 0.04", mean["both"] > better + 0.04, trained=True)
claim("two senses pass what a perfect reader of one could reach", mean["both"] > best_alone + 0.02,
      trained=True)  # fmt: skip

# %% [markdown]
# A *perfect* reader of pictures, who never errs, stays below our small and imperfect model with
# two senses. No better camera and no bigger network helps where the motif is missing. The gap
# between *both* and its own ceiling is what the next lessons work on. A dot may lie a point or two
# above its ceiling: some 740 test cards are few, and that is luck.

# %% [markdown]
# ## When the senses contradict each other
#
# So far each headline was written for its picture: `rows_for(cards, "section", ...)` left the
# others out. In practice pictures and headlines come from two folders, one file is lost, all rows
# below shift by one, and nobody notices. Data of two modalities is only as good as its *pairing*:
# what goes with what.
#
# Half of our 6,000 cards have a headline of another section. No picture among them is wrong, and
# no headline is. Only the pair is.
#
# ### Exercise 3: `find_mispaired` · 10 min · medium
#
# Two single-sense models give five probabilities for each card. Name the rows where both are *sure*
# (their largest probability is at least `sure`) and name different sections.
# `probability.max(dim=1)` gives the largest value and its place; `(a > 1) & (b > 1)`, with its
# brackets, is true where both are; `nonzero()` gives the places of what is true.


# %% tags=["exercise"]
def find_mispaired(image_probability, text_probability, sure=0.9):
    """Rows where picture and headline are both sure, of different sections.

    image_probability (n, 5), text_probability (n, 5) -> row numbers (k,) long, ascending
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
# The generator knows which pairs are wrong. How many of those named are? How many were named?

# %%
# Ground truth, which no model has seen.
wrong_pair = torch.from_numpy(all_test["match"] == 0)
truly = wrong_pair[found].double().mean()
print(f"wrong pairs: {wrong_pair.sum()} of {len(wrong_pair)} cards; named: {len(found)}")
print(f"named, and wrong indeed: {truly:.2f}")
print(f"wrong, and named:        {wrong_pair[found].sum() / wrong_pair.sum():.2f}")
claim("over 8 of 10 named pairs are wrong indeed", truly > 0.8, trained=True)

# %% [markdown]
# The four cards that stand out most, with what the picture shows and what the headline says:

# %%
# As sure as the less sure of the two.
certainty = torch.minimum(image_probability.amax(dim=1), text_probability.amax(dim=1))
sees, reads = image_probability.argmax(dim=1), text_probability.argmax(dim=1)
four = (certainty * (sees != reads)).topk(4).indices.tolist()
titles = [f"{news_cards.SECTIONS[sees[row]]} / {news_cards.SECTIONS[reads[row]]}" for row in four]
show(card_wall(news_cards.take(all_test, four), titles=titles),
     alt="On four cards the picture shows the motif of one section, and the headline has a word "
     "of another.")  # fmt: skip

# %% [markdown]
# Nobody told these models that pairs can be wrong. It takes two senses to see it. With one sense
# alone, nobody can answer "do they fit?" better than by tossing a coin:

# %% tags=["nbval-check-output"]
print({name: round(value, 2) for name, value in news_cards.ceiling("match").items()})

# %% [markdown]
# Two limits. Most wrong pairs went unnamed, because a motif or a section word is missing or a
# model was not sure. And we learn that a pair is wrong, not which half.

# %% [markdown] slideshow={"slide_type": "notes"}
# *Live:* lower `sure` to 0.5 and raise it to 0.99: how do the two shares move? *Usual mistake in
# the exercise:* not asking for certainty; then every picture without a motif accuses its headline.

# %% [markdown]
# ## Where the field comes from
#
# This course grew out of a Chinese article about multimodal learning with PyTorch; lesson 07 takes
# its code apart. It traces multimodal learning back to the 1990s. It is older:
#
# - **1954.** In noise, people understand more words if they see the speaker (Sumby and Pollack).
# - **1976.** A voice says *ba*, the lips say *ga*, and people hear *da* (McGurk and MacDonald).
# - **1980.** "Put that there": speech and a pointing hand steer a computer (Bolt).
# - **1985 to 1989.** Machines read lips to recognise speech better in noise (Petajan and others),
#   soon with neural networks (Yuhas, Goldstein and Sejnowski).
# - **1991.** A program finds people in newspaper photographs with the help of the caption
#   (Srihari): news cards, if you like.
# - **2011.** Deep networks learn features of sound and video together (Ngiam and others).
# - **2019.** A survey orders the field by its challenges; fusion is one of five (Baltrušaitis,
#   Ahuja and Morency).
#
# The article also says that PyTorch provides multimodal learning tasks. We look:

# %% tags=["nbval-check-output"]
print([name for name in dir(torch.nn) if "modal" in name.lower() or "fusion" in name.lower()])

# %% [markdown]
# Nothing. PyTorch provides tensors, gradients and layers, and from these we build the rest.
# Libraries on top of it have such parts, TorchMultimodal for one.
#
# And it says that traditional machine learning mostly processes one kind of data. But tables have
# long mixed measures, categories and yes-or-no answers; Gower compared such rows in 1971. Here is
# a linear model that takes pictures and headlines, with no neural network in it:

# %%
from course_utils.evaluation import linear_baselines

linear = linear_baselines(rows)
print({name: round(value, 2) for name, value in linear.items()})
claim("on pixels a linear model is little better than the majority", linear["image"] < 0.4)
claim("pictures gain it nothing over headlines alone", linear["both"] < linear["text"] + 0.04)

# %% [markdown]
# A *linear model* adds up its inputs, each with a weight. It reads headlines as well as our network
# does, takes both modalities without complaint, and gains nothing: it cannot read pictures.
# What sets our model apart is not the number of modalities but that **each has an encoder that
# can read it**.

# %% [markdown]
# ## What it is good for
#
# | the article's three kinds | examples | here |
# | --- | --- | --- |
# | image + text | headlines and their pictures, reviews of advertisements | lessons 01 to 08 |
# | image + audio | musical genre, reviews of music | lesson 14 |
# | image + video | what a clip shows, which mood it has | lesson 15 |
#
# A video is a row of images, and mostly comes with sound and words: three modalities or four.
#
# **What you need to know.** Python with functions, lists and dicts. What a tensor and its shape
# are. A little algebra: a vector, a matrix, a sum sign. No machine learning. No GPU: every lesson
# runs on a laptop. Yours runs on:

# %% tags=["volatile"]
from course_utils import versions
from course_utils.display import table as as_table

as_table(versions(), columns=("what", "version"))

# %% [markdown]
# ## The answer
#
# **What can two senses do that one cannot?** Two things, both seen above. They *fill in for each
# other*: our model passed what a perfect reader of one sense could reach, by believing the one
# that has a clue. And they can *contradict each other*, which tells something about the pair that
# neither half knows.
#
# Here begins the table that grows through Part I, the lessons 00 to 08.

# %%
from course_utils.evaluation import grow_table

grow_table("00", results)

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
# - Bolt, *"Put-that-there": voice and gesture at the graphics interface*, SIGGRAPH, 1980.
# - Petajan, *Automatic lipreading to enhance speech recognition*, CVPR, 1985; and with Bischoff,
#   Bodoff and Brooke, *An improved automatic lipreading system to enhance speech recognition*,
#   CHI, 1988.
# - Yuhas, Goldstein and Sejnowski, *Integration of acoustic and visual speech signals using neural
#   networks*, IEEE Communications Magazine 27(11), 1989.
# - Srihari, *PICTION: a system that uses captions to label human faces in newspaper photographs*,
#   AAAI, 1991.
# - Ngiam, Khosla, Kim, Nam, Lee and Ng, *Multimodal deep learning*, ICML, 2011.
# - Baltrušaitis, Ahuja and Morency, *Multimodal machine learning: a survey and taxonomy*, IEEE
#   Transactions on Pattern Analysis and Machine Intelligence 41(2), 2019. Read its first pages now.
