# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lesson:
#     title: A shared space
#     minutes: {read: 45, exercises: 32, deeper: 12, build: 30}
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
    guess,
    hint,
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
# News cards that show more than before: one to three things of one colour, *tiny* or *huge*. The
# headline begins with that: "three tiny red ...". A model learnt from 3,000 of them. It was never
# told a section, a colour or a number; only which headline came with which picture. Fresh cards,
# and three sentences:

# %%
space = shared_space.load()
cards = news_cards.make(MANY, seed=17, attributes=True, mismatch=0)
pictures = space.of_pictures(cards["image"])  # (n, 64)
found, told = {}, {}
for sentence in ("two huge yellow", "one tiny white", "three huge green storm"):
    scores = pictures @ space.of_texts([sentence])[0]  # (n,)
    best = scores.argsort(descending=True)[:6]
    found[sentence] = cards["image"][best]
    told[sentence] = widgets.in_words(cards, best)
show(widgets.draw_found(found), alt=widgets.describe_found(found, told))

# %% [markdown]
# Both readers give vectors of the same length, and what fits lies near. That is a *shared space*.
# Nobody labelled a picture *yellow*. How does it come about?

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
# Then a classifier without classes: *which of the $B$ texts is that of picture $i$?* The logits
# are $s_{ij} / \tau$, with a *temperature* $\tau$; the loss is cross-entropy (lesson 06). And the
# same the other way: which of the pictures is that of text $j$?
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
# Try it with any temperature:

# %%
alike = torch.ones(64, 8)
losses = [info_nce(alike, alike, t).item() for t in (0.01, 0.07, 1.0)]
print(losses)
settle("loss of 64 alike", losses[0])

# %% [markdown]
# It is $\ln 64$: who knows nothing guesses among 64. An *untrained* model knows nothing either, but
# its cosines are not alike. Five seeds... no, three, read from `data/results/17.csv`:

# %%


from course_utils.data import results


def lines(experiment, **fields):
    """Lines of the results file, where these columns have these values."""
    runs = results.read_results("17", experiment)
    for name, value in fields.items():
        runs = runs[runs[name] == value]
    return runs


start = lines("start", model="untrained", measure="loss")
start = start.groupby("setting")["value"].mean()
print(start.round(2).to_string())
