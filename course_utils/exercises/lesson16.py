"""The exercises of lesson 16, Pretrained transformers."""

import functools
import itertools
import math
import statistics
from typing import Any, NamedTuple

import torch
from torch import nn

from course_utils import language, lora, pretrained
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit
from course_utils.language import IGNORED

# --- mask_tokens -----------------------------------------------------------------------------


def masking_cases(rng):
    """Texts (B, L) with padding, throws of all sizes, words that no text has."""
    for rows, width, share in [(6, 12, 0.5), (9, 8, 0.3), (1, 40, 0.4), (12, 10, 0.2)]:
        length = torch.randint(width // 2, width, (rows,), generator=rng)
        real = torch.arange(width) < length[:, None]
        text = torch.randint(2, 20, (rows, width), generator=rng)
        # Each text and its padding get throws of all sizes, in any order.
        dice = torch.rand(rows, width, generator=rng)
        for place in (real, ~real):
            many = int(place.sum())
            order = torch.randperm(many, generator=rng)
            dice[place] = (order + 0.5) / many
        others = 20 + (text + torch.randint(18, text.shape, generator=rng)) % 18
        yield text * real, real, dice, others, 40, share


def masking(
    chosen=lambda real, dice, share: real & (dice < share),
    hidden=0.8,
    swapped=0.9,
    target=lambda text, given, chosen, gone: text.masked_fill(~chosen, IGNORED),
    exchanged=False,
):
    """Masking with something changed."""

    def found(text, real, dice, others, mask, share=0.15):
        picked = chosen(real, dice, share)
        gone = picked & (dice < hidden * share)
        other = picked & ~gone & (dice < swapped * share)
        gone, other = (other, gone) if exchanged else (gone, other)
        given = torch.where(other, others, text).masked_fill(gone, mask)
        return given, target(text, given, picked, gone)

    return found


def masking_by_loop(text, real, dice, others, mask, share=0.15):
    given, target = text.clone(), torch.full_like(text, IGNORED)
    for place in itertools.product(*map(range, text.shape)):
        throw = dice[place] / share
        if real[place] and throw < 1:
            target[place] = text[place]
            if throw < 0.8:
                given[place] = mask
            elif throw < 0.9:
                given[place] = others[place]
    return given, target


def masking_by_indexing(text, real, dice, others, mask, share=0.15):
    chosen = (dice < share) & real
    target = torch.where(chosen, text, IGNORED)
    given = text.clone()
    given[chosen & (dice < 0.9 * share)] = others[chosen & (dice < 0.9 * share)]
    given[chosen & (dice < 0.8 * share)] = mask
    return given, target


mask_tokens = Exercise(
    reference=language.mask_tokens,
    cases=masking_cases,
    also_right=(masking_by_loop, masking_by_indexing),
    hints=(
        "Make three masks of truth values, (B, L) each: which words are chosen, which of these are "
        "hidden, which are swapped. Padding is never chosen.",
        "`chosen = real & (dice < share)`; `hidden = chosen & (dice < 0.8 * share)`; swapped ones "
        "lie between `0.8 * share` and `0.9 * share`. `torch.where` and `masked_fill` do the rest.",
    ),
    mistakes=(
        Mistake(
            masking(hidden=1.0),
            "Every chosen word is hidden. Of the chosen ones 80 % are: those whose throw is below "
            "`0.8 * share`.",
        ),
        Mistake(
            masking(chosen=lambda real, dice, share: dice < share),
            "Padding is chosen too. Only where `real` is True is there a word.",
        ),
        Mistake(
            masking(target=lambda text, given, chosen, gone: text),
            f"Every word is a target. Put {IGNORED} where none was chosen, or the model learns to "
            "copy what it sees.",
        ),
        Mistake(
            masking(target=lambda text, given, chosen, gone: given.masked_fill(~chosen, IGNORED)),
            "The targets hold the mask, or the swapped word. A target is the word that stood there "
            "before.",
        ),
        Mistake(
            masking(target=lambda text, given, chosen, gone: text.masked_fill(~gone, IGNORED)),
            "Only hidden words are targets. All chosen ones are, swapped and kept ones too: the "
            "model shall not know which words to trust.",
        ),
        Mistake(
            masking(swapped=1.0),
            "All chosen words that are not hidden are swapped. Half of them, a tenth of the chosen "
            "ones, stay as they are.",
        ),
        Mistake(
            masking(swapped=0.8),
            "No word is swapped. A tenth of the chosen ones are: throws from `0.8 * share` up to "
            "`0.9 * share`.",
        ),
        Mistake(
            masking(exchanged=True),
            "Most chosen words are swapped and a few hidden. It is the other way round: 80 % are "
            "hidden, 10 % swapped.",
        ),
        Mistake(
            masking(target=lambda text, given, chosen, gone: text * chosen),
            f"Your target is 0 where none was chosen, and 0 is padding, a word like any other. Put "
            f"{IGNORED} there.",
        ),
        Mistake(
            masking(chosen=lambda real, dice, share: real & (dice >= 1 - share)),
            "You chose the highest throws. A word is chosen where its throw is *below* `share`.",
        ),
        Mistake(
            masking(hidden=0.1, swapped=0.9),
            "A tenth of the chosen words is hidden and most are swapped. 80 % are hidden, throws "
            "below `0.8 * share`, and the next 10 % swapped.",
        ),
        Mistake(
            masking(chosen=lambda real, dice, share: real & (dice < 0.15)),
            "You always choose 15 %. Choose as many as `share` says.",
        ),
    ),
)


# --- lora_forward ----------------------------------------------------------------------------


def lora_cases(rng):
    """Square layers and others, ranks 1 and more, inputs of one to three axes, no bias."""

    def draw(*shape):
        return torch.randn(shape, generator=rng)

    for shape, outs, rank, bias, scale in [
        ((3, 5), 5, 2, True, 2.0),
        ((2, 4, 6), 3, 1, True, 0.5),
        ((4,), 4, 3, False, 3.0),
        ((2, 1, 4), 4, 4, True, 1.5),
    ]:
        ins = shape[-1]
        yield (draw(*shape), draw(outs, ins), draw(outs) if bias else None, draw(rank, ins),
               draw(outs, rank), scale)  # fmt: skip


def corrected(base=nn.functional.linear, product=None, times=lambda scale, rank: scale):
    """A layer and its correction with something changed."""
    product = product or (lambda x, down, up: x @ down.T @ up.T)

    def found(x, weight, bias, down, up, scale):
        return base(x, weight, bias) + times(scale, len(down)) * product(x, down, up)

    return found


def lora_merged(x, weight, bias, down, up, scale):
    return nn.functional.linear(x, weight + scale * up @ down, bias)


def lora_by_einsum(x, weight, bias, down, up, scale):
    found = torch.einsum("...i,oi->...o", x, weight)
    found = found + scale * torch.einsum("...i,ri,or->...o", x, down, up)
    return found if bias is None else found + bias


def whole_scaled(x, weight, bias, down, up, scale):
    return scale * (nn.functional.linear(x, weight, bias) + x @ down.T @ up.T)


def bias_corrected(x, weight, bias, down, up, scale):
    """The bias is inside the bracket that is scaled."""
    added = 0 if bias is None else bias
    return x @ weight.T + scale * (x @ down.T @ up.T + added)


def correction_of_the_output(x, weight, bias, down, up, scale):
    """The correction reads what the layer gave, where the sizes allow it."""
    out = nn.functional.linear(x, weight, bias)
    return out + scale * out @ down.T @ up.T


lora_forward = Exercise(
    reference=lora.lora_forward,
    cases=lora_cases,
    also_right=(lora_merged, lora_by_einsum),
    hints=(
        "Two terms: what the layer gives, `nn.functional.linear(x, weight, bias)`, and the "
        "correction. Go through the second from the right: which matrix meets x first?",
        "`x @ down.T` is (..., r); times `up.T` it is (..., outs). Times `scale`, and add.",
    ),
    mistakes=(
        Mistake(
            corrected(times=lambda scale, rank: 1),
            "The correction is not scaled. Multiply it by `scale`.",
        ),
        Mistake(
            corrected(times=lambda scale, rank: scale / rank),
            "You divided by the rank once more. `scale` is alpha / rank already.",
        ),
        Mistake(
            whole_scaled,
            "You scaled the layer too. It stays as it is; `scale` belongs to the correction alone.",
        ),
        Mistake(
            corrected(base=lambda x, weight, bias: 0),
            "This is the correction alone. Add what the layer gives.",
        ),
        Mistake(
            corrected(base=lambda x, weight, bias: nn.functional.linear(x, weight)),
            "The layer's bias is missing.",
        ),
        Mistake(
            bias_corrected, "You scaled the bias. It belongs to the layer, which stays as it is."
        ),
        Mistake(
            corrected(product=lambda x, down, up: x @ up @ down),
            "`up` and `down` have changed places: x meets `down` first, (..., ins) to (..., r).",
        ),
        Mistake(
            corrected(product=lambda x, down, up: x @ (up @ down)),
            "The product `up @ down` is (outs, ins), as the weight is, so it is turned over as the "
            "weight is: `x @ (up @ down).T`.",
        ),
        Mistake(
            corrected(base=lambda x, weight, bias: x @ weight + (0 if bias is None else bias)),
            "A linear layer is x Wᵀ + b: the weight is (outs, ins), so turn it over.",
        ),
        Mistake(
            correction_of_the_output,
            "Your correction reads what the layer gave. It reads x, beside the layer.",
        ),
        Mistake(
            corrected(product=lambda x, down, up: 2 * (x @ down.T @ up.T)),
            "The correction is added twice.",
        ),
    ),
)


# --- next_word_loss --------------------------------------------------------------------------


def next_word_cases(rng):
    """Texts with padding behind them; texts of which only some words are asked; a lone text."""
    for rows, width, words in [(4, 7, 6), (3, 6, 9), (1, 5, 4)]:
        length = torch.randint(3, width, (rows,), generator=rng)
        real = torch.arange(width) < length[:, None]
        text = torch.randint(1, words, (rows, width), generator=rng) * real
        yield 2 * torch.randn(rows, width, words, generator=rng), text, real
    # As lesson 18 will ask: words of the answer alone, and no padding.
    text = torch.randint(1, 8, (3, 6), generator=rng)
    asked = torch.tensor([[1, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 0], [1, 1, 0, 0, 0, 1]]).bool()
    yield 2 * torch.randn(3, 6, 8, generator=rng), text, asked


def cross_entropies(logits, text):
    """Of each word by the logits at its own place, (B, L)."""
    return nn.functional.cross_entropy(logits.transpose(1, 2), text, reduction="none")


def next_word_by_sum(logits, text, real):
    each = cross_entropies(logits[:, :-1], text[:, 1:])
    return (each * real[:, 1:]).sum() / real[:, 1:].sum()


def next_word_by_picking(logits, text, real):
    said = logits.log_softmax(dim=-1)[:, :-1][real[:, 1:]]
    word = text[:, 1:][real[:, 1:]]
    return -said.gather(1, word[:, None]).mean()


def unshifted(logits, text, real):
    return cross_entropies(logits, text)[real].mean()


def shifted_back(logits, text, real):
    return cross_entropies(logits[:, 1:], text[:, :-1])[real[:, :-1]].mean()


def all_positions(logits, text, real):
    return cross_entropies(logits[:, :-1], text[:, 1:]).mean()


def divided_by_all(logits, text, real):
    each = cross_entropies(logits[:, :-1], text[:, 1:])
    return (each * real[:, 1:]).mean()


def divided_with_the_first(logits, text, real):
    each = cross_entropies(logits[:, :-1], text[:, 1:])
    return (each * real[:, 1:]).sum() / real.sum()


def real_of_the_word_before(logits, text, real):
    return cross_entropies(logits[:, :-1], text[:, 1:])[real[:, :-1]].mean()


def summed(logits, text, real):
    return cross_entropies(logits[:, :-1], text[:, 1:])[real[:, 1:]].sum()


def mean_of_texts(logits, text, real):
    each = cross_entropies(logits[:, :-1], text[:, 1:]) * real[:, 1:]
    return (each.sum(dim=1) / real[:, 1:].sum(dim=1)).mean()


def two_on(logits, text, real):
    return cross_entropies(logits[:, :-2], text[:, 2:])[real[:, 2:]].mean()


def rolled(logits, text, real):
    """Each place is asked for the next one, the last for the first."""
    return cross_entropies(logits, text.roll(-1, dims=1))[real.roll(-1, dims=1)].mean()


def probabilities_in(logits, text, real):
    return cross_entropies(logits[:, :-1].softmax(dim=-1), text[:, 1:])[real[:, 1:]].mean()


next_word_loss = Exercise(
    reference=language.next_word_loss,
    cases=next_word_cases,
    also_right=(next_word_by_sum, next_word_by_picking),
    hints=(
        "The logits at place 0 speak of the word at place 1. Which logits have no word to speak "
        "of, and which word has no logits before it?",
        "`logits[:, :-1]` and `text[:, 1:]` stand beside each other; so does `real[:, 1:]`. Pick "
        "with it, then `nn.functional.cross_entropy`.",
    ),
    mistakes=(
        Mistake(
            unshifted,
            "Each place is asked for its own word, which a causal model sees there. Ask it for the "
            "next: `logits[:, :-1]` beside `text[:, 1:]`.",
        ),
        Mistake(
            shifted_back,
            "You shifted the wrong way: each place is asked for the word before it. `logits[:, "
            ":-1]` speaks of `text[:, 1:]`.",
        ),
        Mistake(all_positions, "Words count that are not asked for, padding too. Use `real`."),
        Mistake(
            divided_by_all,
            "You divide by all places, those that do not count too. Divide by how many count.",
        ),
        Mistake(
            divided_with_the_first,
            "You divide by all real words. The first word of a text is never counted: divide by "
            "`real[:, 1:].sum()`.",
        ),
        Mistake(
            real_of_the_word_before,
            "A place counts if the word that is *guessed* counts: `real[:, 1:]`, not the word that "
            "stands there.",
        ),
        Mistake(summed, "This is the sum over words. Take the mean."),
        Mistake(
            mean_of_texts,
            "You took the mean of each text, then of the texts, so that words of short texts "
            "count more. Take one mean over all words that count.",
        ),
        Mistake(two_on, "You ask each place for the word after the next."),
        Mistake(
            rolled,
            "The last place is asked for the first word: `roll` goes round. Cut off what has "
            "nothing beside it.",
        ),
        Mistake(
            probabilities_in,
            "`cross_entropy` takes the softmax itself. Give it the logits, not probabilities.",
        ),
    ),
)


# --- thirds_that_count: break this claim -----------------------------------------------------

_THIRDS = ("first", "middle", "last")
ENOUGH = 0.8  # of the test headlines right
_WORLDS = 3  # different draws of the world, for all seeds
_HEADLINES = {"unlabelled": 4000, "train": 200, "validation": 200, "test": 600}


@functools.lru_cache(maxsize=_WORLDS)
def third_means(number):
    """Sums of counted vectors in each third of each headline, (n, 3, dim), and labels, by split."""
    from course_utils.counting import count_vectors
    from course_utils.data import first_named
    from course_utils.data.text import Vocabulary

    rows = {split: first_named.make(n, 900 + 10 * number + place)
            for place, (split, n) in enumerate(_HEADLINES.items())}  # fmt: skip
    unlabelled = rows.pop("unlabelled")["headline"]
    vocabulary = Vocabulary.from_texts(unlabelled, fewest=5)
    vectors = count_vectors(vocabulary.encode(unlabelled)[0], len(vocabulary))
    found = {}
    for split, part in rows.items():
        text, length = vocabulary.encode(part["headline"])
        place = torch.arange(text.shape[1])
        third = (3 * place / length[:, None]).long()
        read = vectors[text] * (place < length[:, None])[..., None]
        sums = [(read * (third == k)[..., None]).sum(dim=1) / length[:, None] for k in range(3)]
        found[split] = torch.stack(sums, dim=1), torch.from_numpy(part["label"])
    return found


@functools.lru_cache(maxsize=200)
def right_by_thirds(first, middle, last, number):
    """Accuracy on test headlines of a linear model on the weighted mean of counted vectors."""
    from course_utils.baselines import best_strength

    weights = torch.tensor([first, middle, last])[:, None]
    parts = third_means(number)
    features = {split: (weights * sums).sum(dim=1).numpy() for split, (sums, _) in parts.items()}
    labels = {split: label.numpy() for split, (_, label) in parts.items()}
    return best_strength(features, labels, {}).accuracy


def bad_weight(dials):
    """A sentence for what are no three numbers from -1 to 1, or None."""
    if problem := other_names(dials, *_THIRDS):
        return problem
    for name, value in dials.items():
        try:
            good = not isinstance(value, str) and -1 <= float(value) <= 1
        except Exception:  # whatever the learner's object raises
            good = False
        if not good:
            return f"{name} is {value!r}; a weight is a number from -1 to 1."
    return None


def counting_tells_order(dials, seed):
    """Whether a weighted mean of counted vectors tells which section was named first."""
    if problem := bad_weight(dials):
        return problem
    weights = [float(dials[name]) for name in _THIRDS]
    right = right_by_thirds(*weights, seed % _WORLDS)
    numbers = f"{100 * right:.0f} % of the test headlines are right"
    if right >= ENOUGH:
        return Broken(numbers)
    return f"Not yet: with these weights {numbers}. You win from {100 * ENOUGH:.0f} %."


thirds_that_count = Exercise(
    verify=counting_tells_order,
    right_dials={"first": 1.0, "middle": 0.0, "last": 0.0},
    wrong_dials=(
        {"first": 1.0, "middle": 1.0, "last": 1.0},
        {"first": 0.0, "middle": 1.0, "last": 0.0},
        {"first": 0.0, "middle": 0.0, "last": 0.0},
        {"first": 1.0, "last": 0.0},
        {"first": 3.0, "middle": 0.0, "last": 0.0},
        {"first": "1", "middle": 0.0, "last": 0.0},
        {"first": None, "middle": 0.0, "last": 0.0},
        {"first": math.nan, "middle": 0.0, "last": 0.0},
    ),
    hints=(
        "Equal weights give the plain mean, in which a headline and its twin are the same. What "
        "makes the two different?",
        "The label is the section that is named first. Where in a headline do its nouns stand?",
    ),
)


# --- probe_or_finetune: a build --------------------------------------------------------------


class Toy(nn.Module):
    """A model with an encoder and a head, which keeps a journal of what is done to it."""

    def __init__(self, seed, ins=3):
        super().__init__()
        self.encoders = nn.ModuleDict({"text": nn.Linear(ins, 4)})
        self.head = nn.Linear(4, 2)
        self.seed = seed
        self.learnt = []  # (way, rate) for each training


class World(NamedTuple):
    """Rates to try, and what every model will score: {(way, rate): by split, by seed}."""

    rates: dict
    scores: dict
    ins: int


def way_of(model):
    """By what learns: the head alone, all, or something else."""
    heads = all(p.requires_grad for p in model.head.parameters())
    bodies = {p.requires_grad for p in model.encoders.parameters()}
    if heads and len(bodies) == 1:
        return "fine-tuned" if bodies.pop() else "probe"
    return "something else"


CHOICES = (10, 11, 12, 13, 14, 15)


def toy_world(seed, part):
    """Scores in which validation and test rows, and means and single seeds, disagree."""
    rng = torch.Generator().manual_seed(100 * seed + part)
    dice = torch.rand(40, generator=rng).tolist()
    rates = {"probe": (0.01, 0.03, 0.1), "fine-tuned": (0.001, 0.003)}
    if part % 2:
        rates = {"fine-tuned": (0.002, 0.005, 0.008), "probe": (0.02, 0.05)}
    turn = part // 2 + seed  # in CHOICES each rate is once the best, and each way the better
    best, scores = {}, {}
    for way, tried in rates.items():
        best[way] = tried[turn % len(tried)]
    better = "probe" if turn % 2 else "fine-tuned"
    kind = part // 2 - CHOICES[0] // 2 if part in CHOICES else 0
    for way, tried in rates.items():
        for rate in tried:
            good, wins = rate == best[way], way == better
            level = 0.5 + 0.1 * wins + 0.2 * good + 0.02 * dice.pop()
            test = 0.7 - 0.1 * wins - 0.2 * good + 0.02 * dice.pop()
            # One seed of a bad rate is the best of all; the good rate has the worst seed; the
            # middle seed of a bad rate is better.
            shifts = [
                (0.0, -0.01, 0.005) if good else (0.0, -0.01, 0.25),
                (0.1, -0.25, 0.1) if good else (0.0, -0.01, 0.005),
                (0.0, -0.01, 0.005) if good else (0.25, 0.25, -0.45),
            ][kind]
            scores[way, rate] = {
                "validation": [level + shift for shift in shifts],
                "test": [test, test + 0.01, test + 0.03],
            }
    return World(rates, scores, 3 + int(4 * dice.pop()))


SEEDS = (0, 1, 2)
OTHERS = (7, 5)
_UNTRAINED, _SPOILT = 0.2, 0.1


def try_build(attempt, seed, part, seeds=SEEDS):
    """Run the attempt on a toy world: what it found, and the journal, as plain values."""
    world, journal, made = toy_world(seed, part), [], []

    def make(number):
        if number not in seeds:
            raise Unfit(f"`make` was called with {number!r}; give it one of `seeds`.")
        model = Toy(number, world.ins)
        made.append(model)
        journal.append(["make", len(made) - 1, number])
        return model

    def place(model):
        found = [k for k, one in enumerate(made) if one is model]
        if not found:
            raise Unfit("A model was trained or asked that `make` did not make.")
        return found[0]

    def train(model, rate):
        way = way_of(model)
        journal.append(["train", place(model), way, float(rate), len(model.learnt)])
        model.learnt.append((way, float(rate)))

    def ask(model, split):
        if split not in ("validation", "test"):
            raise Unfit(f"`ask` was told {split!r}; there are 'validation' and 'test'.")
        journal.append(["ask", place(model), split])
        if not model.learnt:
            return _UNTRAINED
        if len(model.learnt) > 1 or model.learnt[0] not in world.scores:
            return _SPOILT
        return world.scores[model.learnt[0]][split][seeds.index(model.seed)]

    rates = {way: tuple(tried) for way, tried in world.rates.items()}
    found = attempt(make, train, ask, rates, seeds)
    if rates != world.rates:
        raise Unfit("Your function changes `rates`. Leave it as it was given.")
    return {"found": told(found, world), "journal": journal}


NAMES = ("rate", "validation", "test", "learns")


def told(found, world):
    """The attempt's dict as plain values. Raises Unfit, in a sentence, where it has other parts."""
    if not isinstance(found, dict):
        raise Unfit(f"Return a dict; this is a `{type(found).__name__}`.")
    wanted = {*world.rates, "better"}
    if set(map(str, found)) != wanted:
        raise Unfit(f"The dict should have the names {', '.join(sorted(wanted))}; it has "
                    f"{', '.join(sorted(map(str, found))) or 'none'}.")  # fmt: skip
    plain = {"better": str(found["better"])}
    for way in world.rates:
        one = found[way]
        if not isinstance(one, dict) or set(one) != set(NAMES):
            raise Unfit(f"For each way give a dict of {', '.join(NAMES)}.")
        try:
            plain[way] = {
                "rate": float(one["rate"]),
                "validation": float(one["validation"]),
                "learns": int(one["learns"]),
                "test": [float(value) for value in one["test"]],
            }
        except (TypeError, ValueError):
            raise Unfit("`rate` and `validation` are numbers, `learns` is a whole number, and "
                        "`test` is a list of numbers, one for each seed.") from None  # fmt: skip
    return plain


def trainings(seen):
    return [entry for entry in seen["journal"] if entry[0] == "train"]


def do_freezing(attempt, seed):
    return try_build(attempt, seed, 0)


def judge_freezing(seen, seed):
    world, trained = toy_world(seed, 0), trainings(seen)
    if not trained:
        return "Nothing was trained. Call `train(model, rate)` for each rate and seed."
    if any(way == "something else" for _, _, way, _, _ in trained):
        return "In a model that is trained the head learns, and the encoder learns whole or not."
    ways = {way for _, _, way, _, _ in trained}
    if ways == {"fine-tuned"}:
        return (
            "The encoder of a probe learns as well. Before `train`, call `requires_grad_(False)` "
            "on `model.encoders`."
        )
    if ways == {"probe"}:
        return "No encoder learns. In *fine-tuned* everything does."
    for way, rates in world.rates.items():
        wrong = [rate for _, _, own, rate, _ in trained if own == way and rate not in rates]
        if wrong:
            return (
                f"{way!r} was trained with the rate {wrong[0]:g}, which belongs to the other way."
            )
    for way in world.rates:
        model = Toy(0, world.ins)
        model.encoders.requires_grad_(way == "fine-tuned")
        learns, told_so = lora.learnable(model), seen["found"][way]["learns"]
        if told_so != learns:
            return (
                f"{way}: `learns` is {told_so} and {learns} numbers learn. Count the numbers of "
                "the parameters that require a gradient."
            )
    return None


def do_fresh(attempt, seed):
    return try_build(attempt, seed, 1)


def judge_fresh(seen, seed):
    world, trained = toy_world(seed, 1), trainings(seen)
    if any(before for *_, before in trained):
        return (
            "A model that has learnt is trained again, with another rate or in another way. Each "
            "training starts from a fresh one: call `make(seed)` again."
        )
    number_of = {entry[1]: entry[2] for entry in seen["journal"] if entry[0] == "make"}
    done = {(way, rate, number_of[model]) for _, model, way, rate, _ in trained}
    for way, rates in world.rates.items():
        for rate, number in itertools.product(rates, SEEDS):
            if (way, rate, number) not in done:
                return f"{way} with the rate {rate:g} was not trained for seed {number}."
    return None


def rates_tested(seen, way):
    """With which rates models of this way were trained that were asked for the test rows."""
    trained = {entry[1]: entry[2:4] for entry in trainings(seen)}
    asked = [trained.get(entry[1]) for entry in seen["journal"] if entry[2] == "test"]
    return {rate for own, rate in filter(None, asked) if own == way}


def do_choice(attempt, seed):
    return [try_build(attempt, seed, part) for part in CHOICES]


def by_rates(world, way, split, of=statistics.mean):
    return {rate: of(world.scores[way, rate][split]) for rate in world.rates[way]}


def judge_one_choice(seen, world):
    for way in world.rates:
        found = seen["found"][way]
        means = by_rates(world, way, "validation")
        best = max(means, key=means.get)
        if found["rate"] != best:
            other = by_rates(world, way, "test")
            if len(rates_tested(seen, way)) > 1 and found["rate"] == max(other, key=other.get):
                return (
                    f"{way}: the rate {found['rate']:g} is the best on *test* rows. Test rows "
                    "choose nothing: then their accuracy would flatter."
                )
            for name, of in (("worst", min), ("middle", statistics.median)):
                others = by_rates(world, way, "validation", of)
                if found["rate"] == max(others, key=others.get):
                    return (
                        f"{way}: the rate {found['rate']:g} has the best {name} seed, and the rate "
                        f"{best:g} the best mean over the seeds. Choose by the mean."
                    )
            peaks = by_rates(world, way, "validation", max)
            if found["rate"] == max(peaks, key=peaks.get):
                return (
                    f"{way}: the rate {found['rate']:g} has the best single seed, and the rate "
                    f"{best:g} the best mean over the seeds. Choose by the mean."
                )
            return (
                f"{way}: the rate is {found['rate']:g}; the best on validation rows is {best:g}. "
                "Choose by the mean."
            )
        if abs(found["validation"] - means[best]) > 1e-6:
            return (
                f"{way}: `validation` is {found['validation']:.3f}; the mean over the seeds at the "
                f"chosen rate is {means[best]:.3f}."
            )
    return None


def judge_choice(seen, seed):
    pairs = zip(CHOICES, seen, strict=True)
    found = (judge_one_choice(one, toy_world(seed, part)) for part, one in pairs)
    return next(filter(None, found), None)


def do_test(attempt, seed):
    return try_build(attempt, seed, 3, OTHERS)


def judge_test(seen, seed):
    world = toy_world(seed, 3)
    trained = {entry[1]: entry[2:4] for entry in trainings(seen)}
    asked = [entry[1] for entry in seen["journal"] if entry[0] == "ask" and entry[2] == "test"]
    rates = {tuple(trained[model]) for model in asked if model in trained}
    if len(rates) > len(world.rates):
        return (
            "The test rows were asked of rates that were not chosen. Ask them once, of the models "
            "with the chosen rate."
        )
    if len(asked) != len(set(asked)):
        return "A model was asked twice for the test rows. Once is enough."
    for way in world.rates:
        found = seen["found"][way]
        expected = world.scores[way, found["rate"]]["test"][: len(OTHERS)]
        if len(found["test"]) != len(expected):
            return f"{way}: `test` has {len(found['test'])} numbers; give one for each seed."
        if max(abs(a - b) for a, b in zip(found["test"], expected, strict=True)) > 1e-6:
            said = ", ".join(f"{value:.3f}" for value in found["test"])
            wanted = ", ".join(f"{value:.3f}" for value in expected)
            return f"{way}: `test` is {said}; the models with the chosen rate say {wanted}."
    return None


def do_better(attempt, seed):
    return [try_build(attempt, seed, part) for part in CHOICES]


def judge_better(seen, seed):
    for part, one in zip(CHOICES, seen, strict=True):
        world = toy_world(seed, part)
        best = {way: max(by_rates(world, way, "validation").values()) for way in world.rates}
        tested = {way: statistics.mean(one["found"][way]["test"]) for way in world.rates}
        wanted, given = max(best, key=best.get), one["found"]["better"]
        if given != wanted:
            if given == max(tested, key=tested.get):
                return (
                    f"`better` is {given!r}; validation rows prefer {wanted!r}. Yours is the one "
                    "that the test rows prefer."
                )
            return f"`better` is {given!r}; validation rows prefer {wanted!r}."
    return None


# Right and wrong ways.


def compared(
    frozen=lambda way: way == "probe",
    fresh="always",
    chooses=("validation", statistics.mean),
    asks="chosen",
    better="validation",
    counts=lora.learnable,
):
    """The build with something changed."""

    def found(make, train, ask, rates, seeds=SEEDS):
        answer: dict[str, Any] = {}
        once = [make(seed) for seed in seeds] if fresh == "once" else None
        for way, tried in rates.items():
            of_way = [make(seed) for seed in seeds] if fresh == "by way" else once
            runs = []
            for rate in tried:
                models = of_way or [make(seed) for seed in seeds]
                for model in models:
                    model.encoders.requires_grad_(not frozen(way))
                    train(model, rate)
                split, mean = chooses
                scores = [ask(model, "validation") for model in models]
                by = scores if split == "validation" else [ask(m, split) for m in models]
                everywhere = [ask(m, "test") for m in models] if asks == "all" else None
                runs.append((mean(by), rate, scores, models, everywhere))
            _, rate, scores, models, everywhere = max(runs, key=lambda run: run[0])
            answer[way] = {
                "rate": rate,
                "validation": statistics.mean(scores),
                "test": everywhere or [ask(model, "test") for model in models],
                "learns": counts(models[0]),
            }

        def score(way):
            value = answer[way][better]
            return value if better == "validation" else statistics.mean(value)

        return answer | {"better": max(rates, key=score)}

    return found


def one_seed(make, train, ask, rates, seeds=SEEDS):
    """The first seed alone decides and is tested."""
    return compared()(make, train, ask, rates, seeds[:1])


def always(place):
    """The rate at one place of the list is taken, whatever validation rows say."""

    def found(make, train, ask, rates, seeds=SEEDS):
        def validated(model, split):
            return ask(model, split) if split == "validation" else 0.0

        taken = {way: sorted(tried)[place : place + 1 or None] for way, tried in rates.items()}
        every = compared()(make, train, validated, rates, seeds)
        fixed = compared()(make, train, ask, taken, seeds)
        return every | {way: fixed[way] for way in rates}

    return found


def fixed_better(way):
    return lambda *given: compared()(*given) | {"better": way}


def own_seeds(make, train, ask, rates, seeds=SEEDS):
    return compared()(make, train, ask, rates, SEEDS)


def trained_again(make, train, ask, rates, seeds=SEEDS):
    """Right: the chosen rate is trained once more, from fresh models, before the test."""
    answer = {}
    for way, tried in rates.items():

        def learnt(rate, seed, way=way):
            model = make(seed)
            model.encoders.requires_grad_(way != "probe")
            train(model, rate)
            return model

        means = {rate: statistics.mean(ask(learnt(rate, seed), "validation") for seed in seeds)
                 for rate in tried}  # fmt: skip
        rate = max(means, key=means.get)
        models = [learnt(rate, seed) for seed in seeds]
        answer[way] = {
            "rate": rate,
            "validation": means[rate],
            "test": [ask(model, "test") for model in models],
            "learns": sum(p.numel() for p in models[-1].parameters() if p.requires_grad),
        }
    answer["better"] = max(rates, key=lambda way: answer[way]["validation"])
    return answer


def all_numbers(model):
    return sum(p.numel() for p in model.parameters())


def tensors_that_learn(model):
    return sum(p.requires_grad for p in model.parameters())


probe_or_finetune = Exercise(
    reference=pretrained.probe_or_finetune,
    parts=(
        Part(
            "what learns",
            do_freezing,
            judge_freezing,
            (
                "`model.encoders.requires_grad_(False)` freezes an encoder, and True lets it "
                "learn. The head always learns.",
                "`sum(p.numel() for p in model.parameters() if p.requires_grad)` counts the "
                "numbers that learn.",
            ),
        ),
        Part(
            "fresh starts",
            do_fresh,
            judge_fresh,
            (
                "Three loops: ways, rates, seeds. Where does `make(seed)` belong, so that no model "
                "is trained twice?",
                "In the innermost: make, freeze or not, train. Keep the models of each rate until "
                "you know which rate is chosen.",
            ),
        ),
        Part(
            "the choice",
            do_choice,
            judge_choice,
            (
                "For each rate take the mean of `ask(model, 'validation')` over its seeds. The "
                "largest mean chooses.",
                "Keep `best = (mean, rate, models)` and replace it where a mean is larger; or "
                "collect them in a list and take `max(runs, key=lambda run: run[0])`.",
            ),
        ),
        Part(
            "the test rows",
            do_test,
            judge_test,
            (
                "When the rate is chosen, and not before: `ask(model, 'test')` for its models.",
                "`[ask(model, 'test') for model in models]`, with the models of the chosen rate, "
                "behind the loop over rates.",
            ),
        ),
        Part(
            "the better way",
            do_better,
            judge_better,
            (
                "You have two means of validation rows, one of each way.",
                "`max(rates, key=lambda way: found[way]['validation'])`.",
            ),
        ),
    ),
    also_right=(compared(), trained_again),
    mistakes=(
        Mistake(compared(frozen=lambda way: False), "The encoder of a probe learns as well."),
        Mistake(compared(frozen=lambda way: True), "No encoder learns."),
        Mistake(
            compared(counts=all_numbers),
            "Count the numbers of the parameters that require a gradient.",
        ),
        Mistake(
            compared(counts=tensors_that_learn),
            "Count the numbers of the parameters that require a gradient.",
        ),
        Mistake(compared(fresh="once"), "from a fresh one: call `make(seed)` again."),
        Mistake(compared(fresh="by way"), "from a fresh one: call `make(seed)` again."),
        Mistake(one_seed, "was not trained for seed 1."),
        Mistake(compared(chooses=("test", statistics.mean)), "is the best on *test* rows."),
        Mistake(compared(chooses=("validation", max)), "Choose by the mean."),
        Mistake(compared(chooses=("validation", min)), "Choose by the mean."),
        Mistake(compared(chooses=("validation", statistics.median)), "Choose by the mean."),
        Mistake(always(0), "Choose by the mean."),
        Mistake(always(-1), "Choose by the mean."),
        Mistake(fixed_better("probe"), "validation rows prefer 'fine-tuned'."),
        Mistake(fixed_better("fine-tuned"), "validation rows prefer 'probe'."),
        Mistake(own_seeds, "give it one of `seeds`."),
        Mistake(compared(asks="all"), "The test rows were asked of rates that were not chosen."),
        Mistake(compared(better="test"), "the one that the test rows prefer."),
    ),
)
