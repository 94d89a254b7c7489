"""The exercises of lesson 17, A shared space."""

import html
import math
import numbers
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from course_utils import contrastive, picture_search
from course_utils.data.text import Vocabulary
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit

# --- info_nce --------------------------------------------------------------------------------


def loss_cases(rng):
    """Pairs (B, d) of different lengths; a temperature of 1 and smaller ones; B equal to d."""
    for (rows, dim), temperature in (((6, 4), 0.2), ((5, 5), 0.5), ((2, 3), 1.0), ((9, 3), 0.1)):
        image = torch.randn(rows, dim, generator=rng)
        text = 3 * torch.randn(rows, dim, generator=rng) + 0.5 * image
        yield image, text, temperature


def cosines_over(image, text, temperature):
    return F.normalize(image, dim=1) @ F.normalize(text, dim=1).T / temperature


def named(logits):
    """The loss of naming the column of each row."""
    return F.cross_entropy(logits, torch.arange(len(logits)))


def nce_by_hand(image, text, temperature=0.07):
    logits = cosines_over(image, text, temperature)
    right = logits.diagonal()
    rows = (logits.logsumexp(dim=1) - right).mean()
    return (rows + (logits.logsumexp(dim=0) - right).mean()) / 2


def nce_of_lengths(image, text, temperature=0.07):
    image = image / image.norm(dim=1, keepdim=True)
    text = text / text.norm(dim=1, keepdim=True)
    logits = torch.einsum("id,jd->ij", image, text) / temperature
    return 0.5 * named(logits) + 0.5 * named(logits.T)


def both_ways(logits):
    return (named(logits) + named(logits.T)) / 2


def own_left_out(image, text, temperature=0.07):
    logits = cosines_over(image, text, temperature)
    others = logits.masked_fill(torch.eye(len(logits)).bool(), -torch.inf)
    right = logits.diagonal()
    return ((others.logsumexp(dim=1) + others.logsumexp(dim=0)) / 2 - right).mean()


def no_logarithm(image, text, temperature=0.07):
    logits = cosines_over(image, text, temperature)
    both = logits.softmax(dim=1).diagonal() + logits.softmax(dim=0).diagonal()
    return -(both / 2).mean()


NOT_NORMALISED = "compares lengths, too. Bring both to length 1 first: `F.normalize(..., dim=1)`."

info_nce = Exercise(
    reference=contrastive.info_nce,
    cases=loss_cases,
    also_right=(nce_by_hand, nce_of_lengths),
    hints=(
        "First the logits (B, B): cosines of every picture with every text, divided by the "
        "temperature. In row i, which column is the right one?",
        "`F.cross_entropy(logits, torch.arange(len(logits)))` names texts. `logits.T` names "
        "pictures. Take the mean of the two.",
    ),
    mistakes=(
        Mistake(
            lambda image, text, temperature=0.07: named(cosines_over(image, text, temperature)),
            "This is one direction: each picture names its text. Each text also names its picture: "
            "`logits.T`; take the mean of both.",
        ),
        Mistake(
            lambda image, text, temperature=0.07: named(cosines_over(text, image, temperature)),
            "This is one direction: each text names its picture. Each picture also names its text; "
            "take the mean of both.",
        ),
        Mistake(
            lambda image, text, temperature=0.07: (
                2 * both_ways(cosines_over(image, text, temperature))
            ),
            "You added the two directions up. Take their mean.",
        ),
        Mistake(
            lambda image, text, temperature=0.07: both_ways(
                cosines_over(image, text, 1 / temperature)
            ),
            "You multiplied by the temperature. Divide: a small one makes differences large.",
        ),
        Mistake(
            lambda image, text, temperature=0.07: both_ways(cosines_over(image, text, 0.07)),
            "Your temperature is always 0.07. Divide by the one that is given.",
        ),
        Mistake(
            lambda image, text, temperature=0.07: both_ways(image @ text.T / temperature),
            "A product of vectors as they are " + NOT_NORMALISED,
        ),
        Mistake(
            lambda image, text, temperature=0.07: both_ways(
                F.normalize(image, dim=1) @ text.T / temperature
            ),
            "The texts keep their length, so the product " + NOT_NORMALISED,
        ),
        Mistake(
            lambda image, text, temperature=0.07: both_ways(
                image @ F.normalize(text, dim=1).T / temperature
            ),
            "The pictures keep their length, so the product " + NOT_NORMALISED,
        ),
        Mistake(
            lambda image, text, temperature=0.07: both_ways(
                F.normalize(image, dim=0) @ F.normalize(text, dim=0).T / temperature
            ),
            "You normalised the columns. Each *row* is a vector: `F.normalize(..., dim=1)`.",
        ),
        Mistake(
            lambda image, text, temperature=0.07: (
                -cosines_over(image, text, temperature).diagonal().mean()
            ),
            "This only pulls pairs together, and a space where all vectors are one would win. The "
            "other pairs of the batch push: cross-entropy over rows and columns.",
        ),
        Mistake(
            own_left_out,
            "The own pair is missing below the line: the sum over j holds j = i, too. Without it "
            "this is no probability.",
        ),
        Mistake(
            no_logarithm,
            "These are probabilities. The loss is minus their *logarithm*: `F.cross_entropy` takes "
            "it.",
        ),
    ),
)


# --- recall_at_k -----------------------------------------------------------------------------


def recall_cases(rng):
    """Scores with and without ties, one right answer and several, k from 1 to all."""
    for (n, m), k in (((12, 8), 1), ((12, 8), 3), ((9, 9), 2), ((16, 6), 5)):
        right = F.one_hot(torch.randint(m, (n,), generator=rng), m).bool()
        yield torch.rand(n, m, generator=rng) + 0.15 * right, right, k
    # Several right answers; an odd number of questions.
    right = torch.rand(45, 10, generator=rng) < 0.3
    right[:, int(torch.randint(10, (1,), generator=rng))] = True
    yield torch.rand(45, 10, generator=rng) - 0.2 * right, right, 2
    # Ties: few different scores.
    right = F.one_hot(torch.randint(7, (20,), generator=rng), 7).bool()
    yield torch.randint(3, (20, 7), generator=rng).float(), right, 2
    # All alike: nothing is found.
    right = F.one_hot(torch.randint(6, (10,), generator=rng), 6).bool()
    yield torch.zeros(10, 6), right, 3
    # Cosines below 0, some wrong ones above the best right one.
    right = F.one_hot(torch.randint(5, (14,), generator=rng), 5).bool()
    yield -0.1 - torch.rand(14, 5, generator=rng) + 0.3 * right, right, 1
    # Two right answers of one score at the top; a wrong one above them in every third row.
    scores = torch.tensor([[0.9, 0.9, 0.1], [0.9, 0.9, 0.1], [0.2, 0.2, 0.8]]).repeat(3, 1)
    yield scores, torch.tensor([True, True, False]).repeat(9, 1), 1
    # A right answer that is better by very little, in two rows of three.
    right = F.one_hot(torch.zeros(9, dtype=torch.long), 4).bool()
    scores = torch.full((9, 4), 0.5) + 1e-5 * right
    scores[::3, 3] = 0.7
    yield scores, right, 1


def recall_by_loop(scores, right, k):
    found = 0
    for own, good in zip(scores, right, strict=True):
        best = own[good].max()
        found += int(((own >= best) & ~good).sum()) < k
    return found / len(scores)


def recall_by_sorting(scores, right, k):
    # Wrong answers first, then a stable sort keeps them before right ones of the same score.
    order = right.int().argsort(dim=1, stable=True)
    sorted_scores, sorted_right = scores.gather(1, order), right.gather(1, order)
    best = sorted_scores.argsort(dim=1, descending=True, stable=True)[:, :k]
    return sorted_right.gather(1, best).any(dim=1).float().mean().item()


def top(scores, right, k, dim=1):
    """Right answers among the k highest, of equal scores the right ones first."""
    best = (scores.double() + 1e-9 * right).topk(k, dim=dim).indices
    return right.gather(dim, best)


def ties_are_finds(scores, right, k):
    return top(scores, right, k).any(dim=1).double().mean().item()


def strictly(scores, right, k):
    """The reference with another number of wrong answers allowed."""
    best = scores.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
    return ((~right & (scores >= best)).sum(dim=1) <= k).double().mean().item()


def all_right_ones(scores, right, k):
    worst = scores.masked_fill(~right, torch.inf).amin(dim=1, keepdim=True)
    return ((~right & (scores >= worst)).sum(dim=1) < k).double().mean().item()


def before_best(scores, right):
    best = scores.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
    return (~right & (scores >= best)).sum(dim=1)


def masked_with_nothing(scores, right, k):
    best = (scores * right).amax(dim=1, keepdim=True)
    return ((~right & (scores >= best)).sum(dim=1) < k).double().mean().item()


def all_that_tie(scores, right, k):
    """Other right answers count as standing before the best one."""
    best = scores.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
    return ((scores >= best).sum(dim=1) <= k).double().mean().item()


def moved_down(scores, right, k):
    """Right answers lose ties, and also some that they have won."""
    best = (scores - 1e-4 * right).topk(k, dim=1).indices
    return right.gather(1, best).any(dim=1).double().mean().item()


def any_of_equals(first):
    """What is among the first k, where ``first`` decides on ties as it likes."""
    return lambda scores, right, k: (
        right.gather(1, first(scores, k)).any(dim=1).double().mean().item()
    )


def precision(scores, right, k):
    return right.gather(1, scores.topk(k, dim=1).indices).double().mean().item()


def share_of_right_ones(scores, right, k):
    found = right.gather(1, scores.topk(k, dim=1).indices).sum(dim=1)
    return (found / right.sum(dim=1)).double().mean().item()


def first_right_one(scores, right, k):
    own = scores.gather(1, right.int().argmax(dim=1, keepdim=True))
    return ((~right & (scores >= own)).sum(dim=1) < k).double().mean().item()


def columns(scores, right, k):
    best = scores.topk(k, dim=0).indices
    return right.gather(0, best).any(dim=0).double().mean().item()


ANY_OF_EQUALS = (
    "Of equal scores, `topk` or a sort takes any, a right one too. Here the wrong ones stand "
    "first. Count the wrong answers that score as much as the best right one, or more."
)
BY_COLUMNS = "You looked along columns. Each *row* is a question: `dim=1`."

recall_at_k = Exercise(
    reference=contrastive.recall_at_k,
    cases=recall_cases,
    also_right=(recall_by_loop, recall_by_sorting),
    hints=(
        "A question is answered if fewer than k *wrong* answers stand before its best right one. "
        "What is the best right score of each row?",
        "`scores.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)` is the best right "
        "score. Count the wrong answers that score as much or more; compare with k.",
    ),
    mistakes=(
        Mistake(
            ties_are_finds,
            "You let a right answer win a tie. Where scores are equal, the wrong answers stand "
            "first: count `scores >= best`.",
        ),
        Mistake(
            strictly,
            "You are one place too kind: with k wrong answers before it, the right one stands at "
            "place k + 1. Fewer than k may stand before it.",
        ),
        Mistake(
            lambda scores, right, k: recall_by_sorting(scores, right, 1),
            "This is recall at 1. Look at the first k answers.",
        ),
        Mistake(
            all_right_ones,
            "You ask for *all* right answers among the first. One is enough.",
        ),
        Mistake(
            lambda scores, right, k: recall_by_loop(-scores, right, k),
            "You looked at the answers that score *lowest*.",
        ),
        Mistake(
            lambda scores, right, k: int((before_best(scores, right) < k).sum()),
            "This is a count of questions. Divide by how many there are.",
        ),
        Mistake(
            lambda scores, right, k: (before_best(scores, right) + 1).double().mean().item(),
            "This is the mean place of the right answer. Count the questions where it is among the "
            "first k.",
        ),
        Mistake(
            lambda scores, right, k: (before_best(scores, right) >= k).double().mean().item(),
            "This is the share of questions that are *not* answered among the first k.",
        ),
        Mistake(
            masked_with_nothing,
            "Wrong answers count as a score of 0 where you look for the best right one, and a "
            "right one may score below 0. Fill them with `-torch.inf`.",
        ),
        Mistake(
            all_that_tie,
            "You count every answer that scores as much as the best right one, another *right* one "
            "too. Count the wrong ones alone: `~right & (scores >= best)`.",
        ),
        Mistake(
            moved_down,
            "You move right answers down by a little, and some now stand below wrong ones that "
            "score less. Compare the scores as they are, with `>=`.",
        ),
        Mistake(
            any_of_equals(lambda scores, k: scores.topk(k, dim=1).indices),
            ANY_OF_EQUALS,
        ),
        Mistake(
            any_of_equals(lambda scores, k: scores.argsort(dim=1, descending=True)[:, :k]),
            ANY_OF_EQUALS,
        ),
        Mistake(
            any_of_equals(lambda scores, k: scores.argsort(dim=1)[:, -k:]),
            ANY_OF_EQUALS,
        ),
        Mistake(
            precision,
            "This is the share of right ones among the k answers, called precision. A question "
            "counts 1 if *any* of its first k is right.",
        ),
        Mistake(
            share_of_right_ones,
            "You divided by how many right answers a question has. Here one among the first k is "
            "enough: the question counts 1.",
        ),
        Mistake(
            first_right_one,
            "You looked at one right answer of each question. It may have several: take the one "
            "that scores highest.",
        ),
        Mistake(columns, BY_COLUMNS),
        Mistake(
            lambda scores, right, k: (before_best(scores.T, right.T) < k).double().mean().item(),
            BY_COLUMNS,
        ),
    ),
)


# --- zero_shot -------------------------------------------------------------------------------


def naming_cases(rng):
    """Pictures (n, d) and sentences (C, P, d) of very different lengths; P of 1 and more."""
    for n, classes, sentences, dim in ((5, 3, 4, 6), (4, 4, 4, 4), (1, 2, 3, 5), (3, 5, 2, 3)):
        lengths = 0.2 + 5 * torch.rand(classes, sentences, 1, generator=rng)
        prompts = lengths * torch.randn(classes, sentences, dim, generator=rng)
        yield 2 * torch.randn(n, dim, generator=rng), prompts
    yield torch.randn(6, 4, generator=rng), torch.randn(3, 1, 4, generator=rng)


def naming_by_loop(image, prompts):
    image = image / image.norm(dim=1, keepdim=True)
    columns = []
    for sentences in prompts:
        mean = (sentences / sentences.norm(dim=1, keepdim=True)).sum(dim=0)
        columns.append(image @ (mean / mean.norm()))
    return torch.stack(columns, dim=1)


def naming_with(known):
    """Cosines with what ``known`` makes of the sentences."""
    return lambda image, prompts: F.normalize(image, dim=1) @ known(prompts).T


def unit(vectors):
    return F.normalize(vectors, dim=-1)


zero_shot = Exercise(
    reference=contrastive.zero_shot,
    cases=naming_cases,
    also_right=(naming_by_loop, naming_with(lambda prompts: unit(unit(prompts).sum(dim=1)))),
    hints=(
        "What stands for a class is one vector: the mean of its sentences, each of length 1. Which "
        "axis of (C, P, d) are the sentences?",
        "`F.normalize(prompts, dim=-1).mean(dim=1)` is (C, d). Bring it and the pictures to length "
        "1, and multiply: (n, d) @ (d, C).",
    ),
    mistakes=(
        Mistake(
            naming_with(lambda prompts: unit(prompts.mean(dim=1))),
            "A long vector drowns the other sentences. Bring each sentence to length 1 *before* "
            "you take the mean.",
        ),
        Mistake(
            naming_with(lambda prompts: unit(prompts).mean(dim=1)),
            "The mean of vectors of length 1 is shorter than 1. Bring it to length 1 as well, or a "
            "class whose sentences differ scores less.",
        ),
        Mistake(
            lambda image, prompts: image @ unit(unit(prompts).mean(dim=1)).T,
            "The pictures keep their lengths. Scores are cosines: bring them to length 1.",
        ),
        Mistake(
            lambda image, prompts: torch.einsum("nd,cpd->ncp", unit(image), unit(prompts)).amax(2),
            "You took the sentence that fits best. Here the mean of a class's sentences stands for "
            "it.",
        ),
        Mistake(
            lambda image, prompts: naming_by_loop(image, prompts).softmax(dim=1),
            "These are probabilities. Return the cosines.",
        ),
        Mistake(
            lambda image, prompts: naming_by_loop(image, prompts).argmax(dim=1),
            "This is the class that is named. Return the scores of all classes, (n, C).",
        ),
        Mistake(
            naming_with(lambda prompts: unit(prompts[:, 0])),
            "You read the first sentence of each class alone. Take the mean over all P.",
        ),
        Mistake(
            lambda image, prompts: naming_by_loop(image, prompts).T,
            "Your scores are (C, n). A row for each picture: (n, C).",
        ),
    ),
)


# --- late_interaction ------------------------------------------------------------------------


def late_cases(rng):
    """Pictures of P places, texts of different length; lengths 1 and full; P equal to L."""
    for (n, places), (m, longest), dim in (((3, 4), (5, 6), 5), ((2, 3), (4, 3), 4),
                                           ((1, 5), (2, 4), 3)):  # fmt: skip
        image = (0.5 + torch.rand(n, places, 1, generator=rng)) * torch.randn(
            n, places, dim, generator=rng
        )
        text = 2 * torch.randn(m, longest, dim, generator=rng)
        length = torch.randint(1, longest, (m,), generator=rng)
        length[0], length[-1] = longest, 1
        yield image, text, torch.arange(longest) < length[:, None]


def late_by_loop(image, text, real):
    rows = []
    for places in unit(image):
        found = [
            (places @ unit(words[there]).T).max(dim=0).values.mean()
            for words, there in zip(text, real, strict=True)
        ]
        rows.append(torch.stack(found))
    return torch.stack(rows)


def each_with_each(image, text):
    """Cosines (n, m, L, P)."""
    return torch.einsum("npd,mld->nmlp", unit(image), unit(text))


def late_by_weights(image, text, real):
    share = real.float() / real.sum(dim=1, keepdim=True)
    return (each_with_each(image, text).amax(dim=3) * share).sum(dim=2)


def over_words(best, real):
    """The mean over real words of best (n, m, L)."""
    return (best * real).sum(dim=2) / real.sum(dim=1)


late_interaction = Exercise(
    reference=contrastive.late_interaction,
    cases=late_cases,
    also_right=(late_by_loop, late_by_weights),
    hints=(
        'All cosines at once: `torch.einsum("npd,mld->nmlp", places, words)` is (n, m, L, P). '
        "Which axis has to go first, and by what?",
        "The largest over P, `.amax(dim=3)`; then multiply by `real`, add up over L, and divide by "
        "`real.sum(dim=1)`.",
    ),
    mistakes=(
        Mistake(
            lambda image, text, real: each_with_each(image, text).amax(dim=3).mean(dim=2),
            "Padding counts in your mean. Multiply by `real`, and divide by the number of words "
            "that are there.",
        ),
        Mistake(
            lambda image, text, real: (each_with_each(image, text).amax(dim=3) * real).mean(dim=2),
            "You divided by L. Divide by the number of words that are there: `real.sum(dim=1)`.",
        ),
        Mistake(
            lambda image, text, real: (each_with_each(image, text).amax(dim=3) * real).sum(dim=2),
            "This is the sum over words, as in ColBERT; a long text then scores more. Take the "
            "mean over the words that are there.",
        ),
        Mistake(
            lambda image, text, real: over_words(each_with_each(image, text).mean(dim=3), real),
            "You took the mean over places. Each word looks for the *one* place that fits it best: "
            "the largest.",
        ),
        Mistake(
            lambda image, text, real: (
                each_with_each(image, text)
                .masked_fill(~real[None, :, :, None], -torch.inf)
                .amax(dim=2)
                .mean(dim=2)
            ),
            "Each place looked for its best word. Turn it round: each word looks for its best "
            "place, then the mean over words.",
        ),
        Mistake(
            lambda image, text, real: over_words(
                torch.einsum("npd,mld->nmlp", image, text).amax(dim=3), real
            ),
            "These are products, not cosines: a long vector wins. Bring places and words to length "
            "1.",
        ),
        Mistake(
            lambda image, text, real: (
                each_with_each(image, text)
                .amax(dim=3)
                .masked_fill(~real[None], -torch.inf)
                .amax(dim=2)
            ),
            "You kept the best word alone. Take the mean over all words that are there.",
        ),
        Mistake(
            lambda image, text, real: over_words(
                torch.einsum("npd,mld->nmlp", F.normalize(image), F.normalize(text)).amax(dim=3),
                real,
            ),
            "You normalised along places and words. The vectors lie along the last axis: "
            "`F.normalize(..., dim=-1)`.",
        ),
        Mistake(
            lambda image, text, real: late_by_weights(image, text, real).T,
            "Your scores are (m, n). A row for each picture: (n, m).",
        ),
    ),
)


# --- full_batch: break this claim ------------------------------------------------------------

FEWEST_CAPTIONS, MOST_CAPTIONS, LARGEST_BATCH = 50, 10_000, 4096


def no_number(dials):
    """A sentence on what is no batch or no number of captions, or None."""
    if problem := other_names(dials, "batch", "captions"):
        return problem
    limits = {"batch": (2, LARGEST_BATCH), "captions": (FEWEST_CAPTIONS, MOST_CAPTIONS)}
    for name, (low, high) in limits.items():
        value = dials[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            return f"`{name}` is {value!r}; give a whole number from {low} to {high:,}."
    return None


def floor_stays_high(dials, seed):
    """Whether a perfect model keeps over half of the loss of one that knows nothing."""
    if problem := no_number(dials):
        return problem
    batch, captions = dials["batch"], dials["captions"]
    rng = torch.Generator().manual_seed(seed)
    floor = contrastive.floor_of_loss(torch.randint(captions, (batch,), generator=rng))
    nothing = math.log(batch)
    numbers = f"the perfect model's loss is {floor:.2f}, and ln B is {nothing:.2f}"
    if floor > nothing / 2:
        return Broken(numbers)
    return f"Not yet: {numbers}. You win above half of ln B."


full_batch = Exercise(
    verify=floor_stays_high,
    right_dials={"batch": 4096, "captions": 50},
    wrong_dials=(
        {"batch": 64, "captions": 50},
        {"batch": 2, "captions": 50},
        {"batch": 4096, "captions": 200},
        {"batch": 512, "captions": 10_000},
        {"batch": 8192, "captions": 50},
        {"batch": 4096, "captions": 10},
        {"batch": 64.0, "captions": 50},
        {"batch": True, "captions": 50},
        {"batch": "64", "captions": 50},
        {"batch": 64},
    ),
    hints=(
        "A perfect model cannot tell r pairs with the same caption apart: it guesses among them, "
        "at ln r. How many such pairs does a batch hold?",
        "About B / captions. So the loss is about ln(B / captions), and you want it above half of "
        "ln B: B larger than captions squared.",
    ),
)


# --- search_folder: a build ------------------------------------------------------------------

_WORDS = ("red", "green", "blue")


class ByColour:
    """A space that anybody can check: the mean colour of a picture, and three words."""

    vocabulary = Vocabulary(_WORDS)

    def of_pictures(self, images):
        """images (n, 48, 48, 3) uint8 -> (n, 3) of length 1"""
        return unit(torch.as_tensor(np.array(images)).float().mean(dim=(1, 2)) + 1e-3)

    def of_texts(self, texts):
        """n texts -> (n, 3) of length 1"""
        ids, _ = self.vocabulary.encode(texts)
        return unit(F.one_hot(ids, 2 + len(_WORDS))[..., 2:].sum(dim=1).float() + 1e-3)


ODD = "two & <b>three.png"
SHOWN = {  # path: mode, colour, size; no two are equally near to a colour word
    "a red one.png": ("RGB", (250, 10, 20), (90, 30)),
    "below/deep/leaf.jpg": ("RGB", (20, 240, 60), (7, 90)),
    "below/SEA.PNG": ("RGBA", (10, 30, 240, 255), (48, 48)),
    "dim.png": ("L", 90, (64, 64)),
    "palette.gif": ("P", (200, 90, 40), (30, 30)),
    ODD: ("RGB", (90, 130, 200), (20, 25)),
}
BROKEN = ("below/cut & <u>off.png", "empty.jpg")


def fill(folder, seed):
    """Pictures of every kind in a folder, two that are broken, and a file that is none."""
    for number, (path, (mode, colour, size)) in enumerate(SHOWN.items()):
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        size = size[0] + (seed + number) % 5, size[1]
        if mode == "P":
            Image.new("RGB", size, colour).convert("P").save(place)
        else:
            Image.new(mode, size, colour).save(place)
    whole = (folder / "a red one.png").read_bytes()
    (folder / BROKEN[0]).write_bytes(whole[: len(whole) // 2])
    (folder / BROKEN[1]).write_bytes(b"")
    (folder / "notes.txt").write_text("red red red", "utf-8")
    (folder / "nothing here").mkdir()


WITHIN = "Give the path within the folder: `path.relative_to(folder).as_posix()`."


def found_by(attempt, folder, sentence, most=12):
    """What an attempt finds. Raises Unfit, in a sentence, for what is no such dict."""
    found = attempt(ByColour(), folder, sentence, most)
    if not isinstance(found, dict):
        raise Unfit(f"`search_folder` should return a dict; yours returns a "
                    f"{type(found).__name__}.")  # fmt: skip
    for name in ("hits", "broken", "page"):
        if name not in found:
            raise Unfit(f"The dict that you return has no {name!r}.")
    hits = []
    for hit in found["hits"]:
        if not isinstance(hit, (tuple, list)) or len(hit) != 2:
            raise Unfit("`hits` should be a list of pairs: (path, score).")
        if not isinstance(hit[0], str):
            raise Unfit(f"A path in `hits` is a {type(hit[0]).__name__}. Give it as text, with / "
                        "between folders: `.as_posix()`.")  # fmt: skip
        if not isinstance(hit[1], numbers.Real):
            raise Unfit(f"A cosine in `hits` is a {type(hit[1]).__name__}. Give a number: "
                        "`float(...)`.")  # fmt: skip
        hits.append((hit[0], float(hit[1])))
    broken = [path.as_posix() if isinstance(path, Path) else path for path in found["broken"]]
    if other := [path for path in broken if not isinstance(path, str)]:
        raise Unfit(f"`broken` should hold paths; yours holds a {type(other[0]).__name__}.")
    for name, paths in (("hits", [path for path, _ in hits]), ("broken", broken)):
        if any(Path(path).is_absolute() for path in paths):
            raise Unfit(f"Paths in `{name}` begin at the root of the disk. {WITHIN}")
    return {"hits": hits, "broken": sorted(broken), "page": str(found["page"])}


def tried(attempt, seed, sentence, most=12):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        fill(folder, seed)
        return found_by(attempt, folder, sentence, most)


def do_reading(attempt, seed):
    return tried(attempt, seed, "red", 99)


def judge_reading(seen, seed):
    hits = [path for path, _ in seen["hits"]]
    if "notes.txt" in [*hits, *seen["broken"]]:
        return "The file notes.txt is no picture by its name: pass over it, `is_picture(path)`."
    if found := [path for path in BROKEN if path in hits]:
        return (f"`hits` names {found[0]}, which cannot be read. Keep paths and pictures in step: "
                "add a path only where `read_image` gave a picture.")  # fmt: skip
    for path in (*SHOWN, *BROKEN):
        where, name = ("broken" if path in BROKEN else "hits"), path.rpartition("/")[2]
        given = seen["broken"] if path in BROKEN else hits
        if path not in given and name in given:
            return f"In `{where}`, {path} is called {name}. {WITHIN}"
    if left := [path for path in SHOWN if path not in hits]:
        return f"The file {left[0]} was not found. {_why_not(left, hits)}"
    if len(hits) != len(SHOWN):
        return f"{len(SHOWN)} pictures can be read here; you found {len(hits)}."
    if lost := [path for path in BROKEN if path not in seen["broken"]]:
        return f"The file {lost[0]} cannot be read, and `broken` does not name it."
    if more := [path for path in seen["broken"] if path not in BROKEN]:
        return f"`broken` names {more[0]}, which can be read."
    return None


def _why_not(left, hits):
    """Why pictures are left out, by what is found all the same."""
    if all(path in left for path in SHOWN if "/" in path):
        return "Look in folders below, too: `folder.rglob('*')`."
    if all(not path.endswith((".png", ".jpg")) for path in left):
        capitals = any(path.endswith(".PNG") for path in left)
        why = "Endings may be in capitals." if capitals else "There are more kinds of pictures."
        return f"{why} Ask `is_picture(path)`."
    return "It is a picture that `read_image` can read."


def do_ranking(attempt, seed):
    return {word: tried(attempt, seed, word, most) for word, most in (("green", 3), ("red", 99))}


def judge_ranking(seen, seed):
    if len(seen["green"]["hits"]) != 3:
        return f"With most=3 you gave {len(seen['green']['hits'])} pictures."
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        fill(folder, seed)
        for word, most in (("green", 3), ("red", 99)):
            right = found_by(picture_search.search_folder, folder, word, most)["hits"]
            if problem := _ranked(seen[word]["hits"], right, word):
                return problem
    return None


def _ranked(hits, right, word):
    paths, wanted = ([path for path, _ in each] for each in (hits, right))
    if paths != wanted:
        if paths[0] == wanted[-1] or (len(paths) == len(SHOWN) and paths == wanted[::-1]):
            return "The worst stands first: sort by the cosine, falling."
        return (f"For the sentence {word!r} {wanted[0]} fits best, and the order is "
                f"{', '.join(wanted[:3])}, ...; yours begins with {paths[0]}.")  # fmt: skip
    if any(abs(mine - its) > 1e-3 for (_, mine), (_, its) in zip(hits, right, strict=True)):
        return "The scores are not the cosines of picture and sentence."
    return None


def do_page(attempt, seed):
    return tried(attempt, seed, "red <i>", 99)


def judge_page(seen, seed):
    page = seen["page"]
    if "<html" not in page.lower():
        return "`page` should be an HTML page: `<html>...</html>`."
    if "<b>three" in page or "<u>off" in page or "<i>" in page:
        what = "sentence" if "<i>" in page else "name of a file"
        return f"A {what} stands in the page as it is, and its < opens a tag: `html.escape`."
    if (shown := page.count("data:image/")) < len(SHOWN):
        return (f"The page holds {shown} pictures of {len(SHOWN)}: write each into it, as "
                "`thumbnail(path)` gives it.")  # fmt: skip
    for name in [*SHOWN, *BROKEN]:
        if html.escape(name) not in page and html.escape(name, quote=False) not in page:
            kind = "which is broken, " if name in BROKEN else ""
            return f"The page does not name {name}, {kind}so nobody can go and look."
    return None


def do_empty(attempt, seed):
    """What is said of a folder without pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "notes.txt").write_text("nothing", "utf-8")
        try:
            found_by(attempt, folder, "red")
        except ValueError as problem:
            return {"kind": "sentence", "said": str(problem), "folder": folder.name}
        except Unfit:
            raise
        except Exception as problem:
            return {"kind": type(problem).__name__, "said": str(problem), "folder": folder.name}
    return {"kind": "nothing", "said": "", "folder": ""}


def judge_empty(seen, seed):
    if seen["kind"] == "nothing":
        return "A folder without pictures was searched without a word. Raise a ValueError."
    if seen["kind"] != "sentence":
        return (f"A folder without pictures ends in {seen['kind']}. Raise a ValueError before you "
                "stack the pictures.")  # fmt: skip
    if seen["folder"] not in seen["said"]:
        said = seen["said"][:60]
        return (f"A folder without pictures ends in a ValueError that does not name it ({said!r}). "
                "Raise one of your own: which folder has no pictures?")  # fmt: skip
    return None


def search_by_hand(space, folder, sentence, most=12):
    """As a learner may write it."""
    from course_utils.data.readers import read_image
    from course_utils.data.rows import BadData

    folder, images, paths, broken = Path(folder), [], [], []
    for path in sorted(folder.rglob("*")):
        if not picture_search.is_picture(path):
            continue
        name = path.relative_to(folder).as_posix()
        try:
            images.append(read_image(path))
            paths.append(name)
        except BadData:
            broken.append(name)
    if not images:
        raise ValueError(f"{folder} has no pictures")
    scores = space.of_pictures(np.stack(images)) @ space.of_texts([sentence])[0]
    best = scores.argsort(descending=True)[:most].tolist()
    hits = [(paths[i], float(scores[i])) for i in best]
    parts = [f"<li>{picture_search.thumbnail(folder / p)}{html.escape(p)}</li>" for p, _ in hits]
    parts += [f"<li>{html.escape(name)} is broken</li>" for name in broken]
    page = f"<html><h1>{html.escape(sentence)}</h1><ul>{''.join(parts)}</ul></html>"
    return {"hits": hits, "broken": broken, "page": page}


def with_result(change):
    """The reference with something changed in what it gives."""

    def attempt(space, folder, sentence, most=12):
        found = picture_search.search_folder(space, folder, sentence, most)
        return found | change(found, Path(folder), sentence)

    return attempt


def top_folder_only(space, folder, sentence, most=12):
    found = picture_search.search_folder(space, folder, sentence, 99)
    return found | {"hits": [hit for hit in found["hits"] if "/" not in hit.path][:most]}


def without_files(space, folder, sentence, most=12):
    """Nothing is said of a folder without pictures."""
    try:
        return picture_search.search_folder(space, folder, sentence, most)
    except ValueError:
        return {"hits": [], "broken": [], "page": "<html></html>"}


def hits_as(changed):
    """The reference, each (path, score) of its hits changed."""
    return with_result(
        lambda found, folder, sentence: {"hits": [changed(folder, *hit) for hit in found["hits"]]}
    )


def only(kept):
    """The reference, with the hits alone whose path is kept."""

    def attempt(space, folder, sentence, most=12):
        found = picture_search.search_folder(space, folder, sentence, 99)
        return found | {"hits": [hit for hit in found["hits"] if kept(hit.path)][:most]}

    return attempt


def out_of_step(space, folder, sentence, most=12):
    """Each path is kept before it is known whether its picture can be read."""
    pictures = picture_search.read_pictures(folder)
    paths = sorted([*pictures.paths, *pictures.broken])
    hits = picture_search.search(space, pictures._replace(paths=paths), sentence, most)
    return {"hits": hits, "broken": pictures.broken, "page": "<html></html>"}


def stacks_nothing(space, folder, sentence, most=12):
    try:
        return picture_search.search_folder(space, folder, sentence, most)
    except ValueError:
        raise RuntimeError("stack expects a non-empty list") from None


search_folder = Exercise(
    reference=picture_search.search_folder,
    parts=(
        Part(
            "the folder",
            do_reading,
            judge_reading,
            (
                "`Path(folder).rglob('*')` walks through a folder and all below it. "
                "`is_picture(path)` says which files are pictures by their name.",
                "`read_image(path)` gives (48, 48, 3), or raises BadData for a broken file: catch "
                "it, and keep the name in `broken`. `path.relative_to(folder).as_posix()` is the "
                "name.",
            ),
        ),
        Part(
            "the order",
            do_ranking,
            judge_ranking,
            (
                "`np.stack(images)` goes into `space.of_pictures`, `[sentence]` into "
                "`space.of_texts`. Both give vectors of length 1.",
                "`scores = pictures @ text[0]`; `scores.argsort(descending=True)[:most]` are the "
                "places of the best.",
            ),
        ),
        Part(
            "the page",
            do_page,
            judge_page,
            (
                "A page is a string: a heading, then a list. `thumbnail(folder / path)` is an "
                "`<img>` that holds the picture itself.",
                "Whatever comes from outside, names and the sentence, goes through `html.escape`. "
                "Name the broken files at the end.",
            ),
        ),
        Part(
            "an empty folder",
            do_empty,
            judge_empty,
            (
                "`np.stack` of nothing raises an error that helps nobody. Look before: is there a "
                "picture?",
                "`raise ValueError(f'{folder} holds no pictures')`.",
            ),
        ),
    ),
    also_right=(search_by_hand,),
    mistakes=(
        Mistake(
            top_folder_only,
            "Look in folders below, too: `folder.rglob('*')`.",
        ),
        Mistake(
            hits_as(lambda folder, path, score: (Path(path).name, score)),
            "is called leaf.jpg. " + WITHIN,
        ),
        Mistake(
            with_result(
                lambda found, folder, sentence: {"broken": [Path(p).name for p in found["broken"]]}
            ),
            "is called cut & <u>off.png. " + WITHIN,
        ),
        Mistake(
            hits_as(lambda folder, path, score: (str(folder / path), score)),
            "Paths in `hits` begin at the root of the disk. " + WITHIN,
        ),
        Mistake(
            with_result(
                lambda found, folder, sentence: {
                    "broken": [str(folder / p) for p in found["broken"]]
                }
            ),
            "Paths in `broken` begin at the root of the disk. " + WITHIN,
        ),
        Mistake(
            hits_as(lambda folder, path, score: (Path(path), score)),
            "Give it as text, with / between folders: `.as_posix()`.",
        ),
        Mistake(
            hits_as(lambda folder, path, score: (path, torch.tensor(score))),
            "A cosine in `hits` is a Tensor. Give a number: `float(...)`.",
        ),
        Mistake(
            only(lambda path: path.endswith((".png", ".jpg", ".gif"))),
            "The file below/SEA.PNG was not found. Endings may be in capitals.",
        ),
        Mistake(
            only(lambda path: path.lower().endswith((".png", ".jpg"))),
            "The file palette.gif was not found. There are more kinds of pictures.",
        ),
        Mistake(
            out_of_step,
            "which cannot be read. Keep paths and pictures in step: add a path only "
            "where `read_image` gave a picture.",
        ),
        Mistake(
            with_result(
                lambda found, folder, sentence: {"page": found["page"].replace("&lt;u&gt;", "<u>")}
            ),
            "A name of a file stands in the page as it is, and its < opens a tag: `html.escape`.",
        ),
        Mistake(
            with_result(lambda found, folder, sentence: {"broken": {}}),
            "cannot be read, and `broken` does not name it.",
        ),
        Mistake(
            with_result(lambda found, folder, sentence: {"hits": found["hits"][::-1]}),
            "The worst stands first: sort by the cosine, falling.",
        ),
        Mistake(
            with_result(
                lambda found, folder, sentence: {
                    "hits": [(path, 100 * score) for path, score in found["hits"]]
                }
            ),
            "The scores are not the cosines of picture and sentence.",
        ),
        Mistake(
            with_result(lambda found, folder, sentence: {"page": html.unescape(found["page"])}),
            "and its < opens a tag: `html.escape`.",
        ),
        Mistake(
            with_result(
                lambda found, folder, sentence: {
                    "page": found["page"].replace("data:image/png;base64,", "")
                }
            ),
            "write each into it, as `thumbnail(path)` gives it.",
        ),
        Mistake(without_files, "was searched without a word. Raise a ValueError."),
        Mistake(stacks_nothing, "Raise a ValueError before you stack the pictures."),
    ),
)
