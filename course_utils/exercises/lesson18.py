"""The exercises of lesson 18, A picture in, words out."""

import math
from numbers import Real

import torch
from torch import nn

from course_utils import seeing
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit

# --- project_tokens --------------------------------------------------------------------------


def map_cases(rng):
    """Maps (B, C, H, W), wide, high and of one channel; a norm with weights of its own."""
    for (batch, channels, high, wide), side in (
        ((2, 4, 6, 6), 3),
        ((1, 3, 4, 4), 2),
        ((3, 5, 4, 8), 2),
        ((2, 4, 2, 2), 2),
        ((2, 3, 6, 6), 1),
        ((2, 4, 8, 4), 4),
    ):
        norm = nn.LayerNorm(channels)
        norm.weight.data = 0.5 + torch.rand(channels, generator=rng)
        norm.bias.data = torch.randn(channels, generator=rng)
        linear = nn.Linear(channels, 5)
        linear.weight.data = torch.randn(5, channels, generator=rng)
        yield torch.randn(batch, channels, high, wide, generator=rng), norm, linear, side


def tokens_by_unfold(maps, norm, linear, side):
    high, wide = maps.shape[2] // side, maps.shape[3] // side
    places = maps.unfold(2, high, high).unfold(3, wide, wide).mean(dim=(4, 5))
    return linear(norm(places.permute(0, 2, 3, 1).flatten(1, 2)))


def tokens_by_loop(maps, norm, linear, side):
    high, wide = maps.shape[2] // side, maps.shape[3] // side
    found = []
    for row in range(side):
        for column in range(side):
            part = maps[:, :, row * high : (row + 1) * high, column * wide : (column + 1) * wide]
            found.append(linear(norm(part.mean(dim=(2, 3)))))
    return torch.stack(found, dim=1)


def places_of(maps, side):
    return nn.functional.adaptive_avg_pool2d(maps, side)


project_tokens = Exercise(
    reference=seeing.project_tokens,
    cases=map_cases,
    also_right=(tokens_by_unfold, tokens_by_loop),
    hints=(
        "Three steps: fewer places, places as a row of vectors, then norm and linear, in this "
        "order. What is the last axis when `norm` and `linear` are called?",
        "`nn.functional.adaptive_avg_pool2d(maps, side)` is (B, C, side, side); "
        "`.flatten(start_dim=2)` puts the places in a row, `.transpose(1, 2)` puts C last.",
    ),
    mistakes=(
        Mistake(
            lambda maps, norm, linear, side: linear(
                norm(places_of(maps, side).reshape(len(maps), side * side, -1))
            ),
            "You reshaped (B, C, side, side) to (B, places, C). That mixes channels with places: "
            "put the places in a row, then `transpose`.",
        ),
        Mistake(
            lambda maps, norm, linear, side: linear(
                places_of(maps, side).flatten(start_dim=2).transpose(1, 2)
            ),
            "The norm is missing: call `norm` on the vectors, then `linear`.",
        ),
        Mistake(
            lambda maps, norm, linear, side: linear(
                norm(nn.functional.adaptive_max_pool2d(maps, side).flatten(2).transpose(1, 2))
            ),
            "You took the largest number of each place. Here it is the mean: "
            "`adaptive_avg_pool2d`.",
        ),
        Mistake(
            lambda maps, norm, linear, side: linear(
                norm(places_of(maps, side).transpose(2, 3).flatten(2).transpose(1, 2))
            ),
            "Your places go column by column. They should go row by row, as `flatten` puts them.",
        ),
        Mistake(
            lambda maps, norm, linear, side: (
                nn.functional.adaptive_avg_pool2d(
                    linear(norm(maps.permute(0, 2, 3, 1))).permute(0, 3, 1, 2), side
                )
                .flatten(2)
                .transpose(1, 2)
            ),
            "You normalised and projected first, and averaged at the end. Average first: the norm "
            "reads the vectors that become tokens.",
        ),
        Mistake(
            lambda maps, norm, linear, side: linear(norm(maps.flatten(2).transpose(1, 2))),
            "Every place of the map is a token. Average to side × side places first.",
        ),
        Mistake(
            lambda maps, norm, linear, side: linear(
                norm(places_of(maps, side).flatten(2).transpose(1, 2))
            ).mean(dim=1, keepdim=True),
            "You averaged all tokens into one. Each of the side × side places keeps its own.",
        ),
    ),
)


# --- prefix_mask -----------------------------------------------------------------------------


def mask_cases(rng):
    """Image tokens more and fewer than words, one of each, none at all."""
    yield from ((3, 4), (5, 2), (1, 1), (2, 2), (0, 3), (4, 1), (0, 1))


def blocked(seen, words):
    """The mask in four blocks."""
    top = torch.cat([torch.zeros(seen, seen), torch.full((seen, words), -torch.inf)], dim=1)
    later = torch.full((words, words), -torch.inf).triu(diagonal=1)
    return torch.cat([top, torch.cat([torch.zeros(words, seen), later], dim=1)])


def by_places(seen, words):
    place = torch.arange(seen + words)
    may = (place[None] <= place[:, None]) | (place[None] < seen) & (place[:, None] < seen)
    return torch.zeros(seen + words, seen + words).masked_fill(~may, -torch.inf)


def changed_mask(change):
    def attempt(seen, words):
        mask = seeing.prefix_mask(seen, words)
        return change(mask, seen, words)

    return attempt


def fill(mask, rows, columns, value):
    mask[rows, columns] = value
    return mask


prefix_mask = Exercise(
    reference=seeing.prefix_mask,
    cases=mask_cases,
    also_right=(blocked, by_places),
    hints=(
        "Begin with the causal mask over all S + L places: who has to see more than it allows?",
        "`mask = causal_mask(seen + words)`; then the block of the first `seen` rows and the first "
        "`seen` columns becomes 0.",
    ),
    mistakes=(
        Mistake(
            lambda seen, words: seeing.prefix_mask(0, seen + words),
            "This is the plain causal mask. Image tokens see each other in both directions: their "
            "block is all 0.",
        ),
        Mistake(
            lambda seen, words: torch.zeros(seen + words, seen + words),
            "Nothing is hidden, so each word sees the word that it is to guess.",
        ),
        Mistake(
            changed_mask(lambda m, s, w: fill(m, slice(0, s), slice(0, None), 0)),
            "Your image tokens see the words. They would then know the answer, and words look at "
            "them: hide the words from them.",
        ),
        Mistake(
            changed_mask(lambda m, s, w: fill(m, slice(s, None), slice(0, s), -torch.inf)),
            "Your words do not see the image tokens: their columns are 0 in every row.",
        ),
        Mistake(
            changed_mask(lambda m, s, w: m.T.contiguous()),
            "The mask is turned round: a row says what its own place may look at.",
        ),
        Mistake(
            changed_mask(lambda m, s, w: (m == 0).float()),
            "You gave 1 where one may look and 0 elsewhere. The mask is *added* to the scores: 0 "
            "where one may look, -inf where not.",
        ),
        Mistake(
            changed_mask(
                lambda m, s, w: fill(m, torch.arange(s, s + w), torch.arange(s, s + w), -torch.inf)
            ),
            "Your words do not see themselves. A word reads itself and guesses the next one.",
        ),
        Mistake(
            lambda seen, words: seeing.prefix_mask(words, seen),
            "Image tokens stand first, the words behind them: the first `seen` rows and columns "
            "are the picture's.",
        ),
    ),
)


# --- answer_loss_mask ------------------------------------------------------------------------


def answer_cases(rng):
    """Answers of one word and more, rows with and without padding, a lone row."""
    for rows in (4, 1, 6):
        start = torch.randint(1, 5, (rows,), generator=rng)
        length = start + torch.randint(2, 5, (rows,), generator=rng)
        longest = int(length.max()) + int(torch.randint(2, 4, (1,), generator=rng))
        yield start, length, longest
    yield torch.tensor([2, 3]), torch.tensor([5, 5]), 6


def mask_by_loop(start, length, longest):
    mask = torch.zeros(len(start), longest, dtype=torch.bool)
    for row, (first, end) in enumerate(zip(start.tolist(), length.tolist(), strict=True)):
        mask[row, first:end] = True
    return mask


def between(low, high):
    """A mask between two borders, each made of (start, length)."""

    def attempt(start, length, longest):
        place = torch.arange(longest)
        return (place >= low(start, length)[:, None]) & (place < high(start, length)[:, None])

    return attempt


answer_loss_mask = Exercise(
    reference=seeing.answer_loss_mask,
    cases=answer_cases,
    also_right=(mask_by_loop, between(lambda s, n: s, lambda s, n: n)),
    hints=(
        "Compare each place, 0 to longest - 1, with two numbers of its row. `start[:, None]` is "
        "(B, 1) and compares with `torch.arange(longest)` to (B, longest).",
        "`place = torch.arange(longest)`; True where `place >= start` and `place < length`.",
    ),
    mistakes=(
        Mistake(
            between(lambda s, n: torch.zeros_like(s), lambda s, n: n),
            "The question counts too. The learner is not to guess what was asked: begin at "
            "`start`.",
        ),
        Mistake(
            lambda start, length, longest: torch.arange(longest) >= start[:, None],
            "Padding counts too. End at `length`.",
        ),
        Mistake(
            between(lambda s, n: s, lambda s, n: n - 1),
            "The end word is left out. Without it the model never learns to stop.",
        ),
        Mistake(
            between(lambda s, n: s + 1, lambda s, n: n),
            "The answer's first word is left out: it stands at `start` itself.",
        ),
        Mistake(
            between(lambda s, n: s - 1, lambda s, n: n - 1),
            "Your mask marks the places that *guess*, one before the words. Mark the words that "
            "are to be guessed; `next_word_loss` does the shift.",
        ),
        Mistake(
            between(lambda s, n: s - 1, lambda s, n: n),
            "Your mask begins one place too early, at the word that only says that an answer "
            "begins.",
        ),
        Mistake(
            lambda start, length, longest: ~seeing.answer_loss_mask(start, length, longest),
            "Your mask is turned round: True stands where nothing is to be learnt.",
        ),
        Mistake(
            lambda start, length, longest: (
                (torch.arange(longest) >= start[:, None])
                & (torch.arange(longest) <= length[:, None])
            ),
            "Your mask ends one place too late: `length` counts the words, and the first stands at "
            "place 0.",
        ),
    ),
)


# --- hallucination_rate ----------------------------------------------------------------------


def yes_cases(rng):
    """What was said and what is there, (n,) bool, with both in each of four ways."""
    for n, yes, here in ((40, 0.6, 0.5), (30, 0.2, 0.7), (25, 0.8, 0.3)):
        said = torch.rand(n, generator=rng) < yes
        there = torch.rand(n, generator=rng) < here
        said[:5] = torch.tensor([True, True, False, False, True])
        there[:5] = torch.tensor([True, False, True, False, False])
        yield said, there
    yield torch.tensor([True, False, False]), torch.tensor([False, False, False])


def rate_by_loop(said_yes, there):
    asked = wrong = 0
    for said, here in zip(said_yes.tolist(), there.tolist(), strict=True):
        asked += not here
        wrong += said and not here
    return wrong / asked


hallucination_rate = Exercise(
    reference=seeing.hallucination_rate,
    cases=yes_cases,
    also_right=(
        rate_by_loop,
        lambda said_yes, there: ((said_yes & ~there).sum() / (~there).sum()).item(),
    ),
    hints=(
        "A hallucination is a yes to what is not there. Of which questions is it a share?",
        "`said_yes[~there]` holds what was said where nothing is there; the mean of it, as "
        "`.double().mean().item()`.",
    ),
    mistakes=(
        Mistake(
            lambda said_yes, there: (said_yes & ~there).double().mean().item(),
            "You divided by all questions. Divide by those where the thing is *not* there: a test "
            "with few of them would flatter.",
        ),
        Mistake(
            lambda said_yes, there: (
                (said_yes & ~there).sum() / said_yes.sum().clamp(min=1)
            ).item(),
            "You divided by how often it said yes. Divide by how often the thing is not there.",
        ),
        Mistake(
            lambda said_yes, there: (said_yes != there).double().mean().item(),
            "This is the share of wrong answers. A no to what is there is an error of another "
            "kind: count the yes alone.",
        ),
        Mistake(
            lambda said_yes, there: said_yes.double().mean().item(),
            "This is how often it says yes at all. Look only where the thing is not there.",
        ),
        Mistake(
            lambda said_yes, there: (~said_yes)[~there].double().mean().item(),
            "You counted the right noes. A hallucination is a *yes* to what is not there.",
        ),
        Mistake(
            lambda said_yes, there: float((said_yes & ~there).sum()),
            "You counted the hallucinations. Give a share: divide by how often the thing is not "
            "there.",
        ),
        Mistake(
            lambda said_yes, there: said_yes[there].double().mean().item() if there.any() else -1.0,
            "You looked where the thing *is* there. Take the others: `~there`.",
        ),
    ),
)


# --- praised_blind: break this claim -----------------------------------------------------------

_DIALS = ("yes", "says_yes")
LEAST_RIGHT, MOST_INVENTED = 0.8, 0.1
FEWEST, MOST = 0.05, 0.95  # share of yes that a test may have


def blind_is_praised(dials, seed):
    """Whether a model that never looks passes the test with these dials; exact, by reckoning."""
    if problem := other_names(dials, *_DIALS):
        return problem
    for name, value in dials.items():
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:
            return f"{name} is {value!r}; a share is a number from 0 to 1."
    yes, says = (float(dials[name]) for name in _DIALS)
    if not FEWEST <= yes <= MOST:
        return f"A test needs questions of both kinds: `yes` from {FEWEST} to {MOST}, not {yes:g}."
    right = yes * says + (1 - yes) * (1 - says)
    numbers = f"a model that never looks is right in {right:.2f} and hallucinates in {says:.2f}"
    if right > LEAST_RIGHT and says < MOST_INVENTED:
        return Broken(numbers)
    return f"Not yet: {numbers}. You win above {LEAST_RIGHT} and below {MOST_INVENTED}."


praised_blind = Exercise(
    verify=blind_is_praised,
    exact=True,
    right_dials={"yes": 0.1, "says_yes": 0.0},
    wrong_dials=(
        {"yes": 0.5, "says_yes": 0.0},
        {"yes": 0.5, "says_yes": 0.5},
        {"yes": 0.9, "says_yes": 1.0},
        {"yes": 0.0, "says_yes": 0.0},
        {"yes": 0.1, "says_yes": 0.1},
        {"yes": 0.1},
        {"yes": "0.1", "says_yes": 0.0},
        {"yes": 0.1, "says_yes": math.nan},
        {"yes": 10, "says_yes": 0.0},
        {"yes": True, "says_yes": 0.0},
    ),
    hints=(
        "A model that never looks can still say no to everything. When is that mostly right?",
        "Its hallucination rate is how often it says yes. Its accuracy then is the share of "
        "questions whose answer is no: make `yes` small.",
    ),
)


# --- generate: a build -------------------------------------------------------------------------

_WORDS, _BEGIN, _END = 12, 10, 11


class Scripted(nn.Module):
    """A decoder made by hand: each row's picture says which words it writes, one after the other.

    maps (B, answers): the words of each row's answer, in order, 0 behind. A word is read off where
    the *last real word* of a text stands, and depends on how many words were written since
    ``_BEGIN``. At every other place it says a word that no answer holds, so that whoever reads
    the logits of the wrong place, or counts padding, writes that.
    """

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, maps, text):
        self.calls += 1
        logits = torch.zeros(*text.shape, _WORDS)
        began = (text == _BEGIN).int().cumsum(dim=1) > 0  # (B, L)
        written = began.int().cumsum(dim=1) - 1
        for row in range(len(text)):
            for place in range(text.shape[1]):
                if text[row, place] == 0:
                    word = 9  # said at padding
                elif not began[row, place]:
                    word = 8  # said inside the question
                else:
                    script = maps[row] if maps is not None else torch.tensor([7, _END])
                    at = min(int(written[row, place]), len(script) - 1)
                    word = int(script[at]) or 6
                logits[row, place, word] = 5.0
                logits[row, place, (word + 3) % _WORDS] = 4.0
        return logits


class Counting(nn.Module):
    """A decoder whose next word depends on all words before: their sum, and how many there are."""

    def forward(self, maps, text):
        total = text.cumsum(dim=1) + 3 * torch.arange(text.shape[1]) + maps[:, :1]
        return nn.functional.one_hot(1 + total % (_WORDS - 2), _WORDS).float()


def prompts(seed, rows):
    """Questions of different length, each with the word that begins an answer: text, length."""
    rng = torch.Generator().manual_seed(1000 + seed)
    length = torch.randperm(rows, generator=rng) + 2
    text = torch.randint(1, 6, (rows, int(length.max())), generator=rng)
    place = torch.arange(text.shape[1])
    text[place == length[:, None] - 1] = _BEGIN
    return text.masked_fill(place >= length[:, None], 0), length


def called(attempt, model, maps, text, length, most):
    """What an attempt returns, as plain lists without what stands behind each row's end."""
    before = text.clone(), length.clone()
    with torch.no_grad():
        found = attempt(model, maps, text, length, _END, most)
    if not isinstance(found, tuple) or len(found) != 2:
        raise Unfit("`generate` should return two things: the texts and their lengths.")
    wrote, ends = found
    if not torch.is_tensor(wrote) or not torch.is_tensor(ends):
        raise Unfit("`generate` should return two tensors: the texts and their lengths.")
    if wrote.ndim != 2 or ends.shape != (len(text),) or len(wrote) != len(text):
        raise Unfit(
            f"The texts should be ({len(text)}, words) and the lengths ({len(text)},); yours are "
            f"{tuple(wrote.shape)} and {tuple(ends.shape)}."
        )
    if not torch.equal(text, before[0]) or not torch.equal(length, before[1]):
        raise Unfit("Your function changed the texts or lengths that it was given: write in a "
                    "copy.")  # fmt: skip
    if wrote.dtype != torch.long or ends.dtype != torch.long:
        raise Unfit(f"Texts and lengths are whole numbers, torch.long; yours are {wrote.dtype} and "
                    f"{ends.dtype}.")  # fmt: skip
    return wrote.tolist(), ends.tolist()


def expected_rows(model, maps, text, length, most):
    wrote, ends = seeing.generate(model, maps, text, length, _END, most)
    return wrote.tolist(), ends.tolist()


def answers_of(wrote, ends, start):
    return [row[first:end] for row, first, end in zip(wrote, start, ends, strict=True)]


def one_row(seed):
    """One question without padding, an answer of three words and the end word."""
    text, length = prompts(seed, 3)
    row = seed % 3
    words = torch.randint(1, 6, (3,), generator=torch.Generator().manual_seed(seed))
    maps = torch.cat([words, torch.tensor([_END])])[None]
    return Scripted(), maps, text[row : row + 1, : length[row]], length[row : row + 1], 6


def several(seed):
    """Questions of different length, answers that end at different times."""
    text, length = prompts(seed, 4)
    maps = torch.zeros(4, 5, dtype=torch.long)
    rng = torch.Generator().manual_seed(seed)
    for row, words in enumerate(torch.randperm(4, generator=rng).tolist()):
        maps[row, : words + 1] = torch.randint(1, 6, (words + 1,), generator=rng)
        maps[row, words] = _END
    return Scripted(), maps, text, length, 6


def cut_short(seed):
    """Answers that would go on: no more words than ``most``."""
    model, maps, text, length, _ = several(seed)
    return model, maps.masked_fill(maps == _END, 5), text, length, 3


def reads_all(seed):
    """A model for which every word before counts."""
    text, length = prompts(seed, 3)
    return Counting(), torch.tensor([[seed], [seed + 4], [seed + 7]]), text, length, 5


def blind_case(seed):
    """No picture at all: maps is None."""
    text, length = prompts(seed, 2)
    return Scripted(), None, text, length, 4


def do_with(make):
    return lambda attempt, seed: called(attempt, *make(seed))


def judged(make, told):
    """A judge that names the first row whose answer differs, and what ``told`` says of it."""

    def judge(seen, seed):
        case = make(seed)
        text, length = case[2], case[3]
        wrote, ends = seen
        right, right_ends = expected_rows(*case)
        start = length.tolist()
        for row, first in enumerate(start):
            if wrote[row][:first] != text[row, :first].tolist():
                return f"Row {row}'s question has changed: write behind it, at place {first}."
        said, wanted = (answers_of(*pair, start) for pair in ((wrote, ends), (right, right_ends)))
        for row, (mine, its) in enumerate(zip(said, wanted, strict=True)):
            if mine != its:
                return told(row, mine, its, case)
        for row, end in enumerate(ends):
            if any(wrote[row][end:]):
                return (f"Row {row} has ended, and words stand behind its end: "
                        f"{wrote[row][end:]}. Leave padding, 0, there.")  # fmt: skip
        return None

    return judge


def wrong_words(row, mine, its, case):
    if not mine:
        return f"Nothing is written behind row {row}."
    if len(mine) < len(its) and mine == its[: len(mine)]:
        if its[-1] == _END and len(mine) == len(its) - 1:
            return (f"Row {row} stops before its end word {_END}: write it, and count it in the "
                    "length.")  # fmt: skip
        return f"Row {row} stops after {mine}; it should go on to {its}."
    if len(mine) > len(its) and mine[: len(its)] == its:
        if its[-1] == _END:
            return f"Row {row} writes {mine}, not {its}: stop at the end word."
        return f"Row {row} writes {len(mine)} words, not {len(its)}: `most` is the most."
    if 9 in mine and 9 not in its:
        return (f"Row {row} writes {mine} in place of {its}: it asked the model at padding. Each "
                "row goes on behind its *own* last word, at place length - 1.")  # fmt: skip
    if 8 in mine and 8 not in its:
        return (f"Row {row} writes {mine} in place of {its}: it asked the model inside the "
                "question. What follows a text is said at its last word, length - 1.")  # fmt: skip
    if len(mine) > 1 and len(set(mine[:-1])) == 1 and mine[0] == its[0]:
        return f"Row {row} writes {mine}, not {its}: ask the model anew for each word."
    return f"Row {row} writes {mine}; it should be {its}."


generate_parts = (
    Part(
        "one question",
        do_with(one_row),
        judged(one_row, wrong_words),
        (
            "Make room first: `nn.functional.pad(text, (0, most))`, a copy with zeros behind. Then "
            "ask the model, take the likeliest word at place `length - 1`, write it at place "
            "`length`, and go on.",
            "`logits = model(maps, text)`; `word = logits[row, length - 1].argmax(dim=-1)` with "
            "`row = torch.arange(len(text))`; `text[row, length] = word`.",
        ),
    ),
    Part(
        "questions of different length",
        do_with(several),
        judged(several, wrong_words),
        (
            "Each row has its own place to write at, and its own end. Keep a tensor `going` (B,) "
            "bool.",
            "`text[row[going], length[going]] = word[going]`; `length = length + going`; then "
            "`going = going & (word != end)`, and stop where no row is going.",
        ),
    ),
    Part(
        "an answer that does not end",
        do_with(cut_short),
        judged(cut_short, wrong_words),
        ("The loop runs `most` times and no more: `for _ in range(most)`.",),
    ),
    Part(
        "a model that reads all words before",
        do_with(reads_all),
        judged(reads_all, wrong_words),
        ("Ask the model anew for each word, with what was written so far.",),
    ),
    Part(
        "no picture",
        do_with(blind_case),
        judged(blind_case, wrong_words),
        ("Hand `maps` on to the model as it is; None is allowed.",),
    ),
)


def written(at=0, keep=True, count_end=True, own_place=True, again=True, more=0, freeze=True):
    """Greedy decoding with something changed."""

    def attempt(model, maps, text, length, end, most=8):
        text = nn.functional.pad(text, (0, most + 1 + more))
        length, row = length.clone(), torch.arange(len(text))
        going = torch.ones(len(text), dtype=torch.bool)
        logits = None
        for _ in range(most + more):
            if logits is None or again:
                logits = model(maps, text[:, : int(length.max())])
            place = length - 1 + at if own_place else torch.full_like(length, logits.shape[1] - 1)
            word = logits[row, place.clamp(0, logits.shape[1] - 1)].argmax(dim=-1)
            write = going & (word != end) if not count_end else going
            text[row[write], length[write]] = word[write]
            length = length + write
            going = going & (word != end) if freeze else going
            if not going.any():
                break
        return text[:, : int(length.max())], length

    return attempt


def one_by_one(model, maps, text, length, end, most=8):
    """Right: each row alone, then padded together."""
    rows = []
    for row in range(len(text)):
        words = text[row, : int(length[row])].tolist()
        picture = None if maps is None else maps[row : row + 1]
        for _ in range(most):
            words.append(int(model(picture, torch.tensor([words]))[0, -1].argmax()))
            if words[-1] == end:
                break
        rows.append(words)
    ends = torch.tensor([len(words) for words in rows])
    found = torch.zeros(len(rows), int(ends.max()), dtype=torch.long)
    for row, words in enumerate(rows):
        found[row, : len(words)] = torch.tensor(words)
    return found, ends


def wide(model, maps, text, length, end, most=8):
    """Right too: the texts keep the columns that nobody needed."""
    found, ends = seeing.generate(model, maps, text, length, end, most)
    return nn.functional.pad(found, (0, 2)), ends


generate = Exercise(
    reference=seeing.generate,
    parts=generate_parts,
    also_right=(one_by_one, wide),
    mistakes=(
        Mistake(written(own_place=False), "*own* last word, at place length - 1."),
        Mistake(written(at=-1), "What follows a text is said at its last word, length - 1."),
        Mistake(written(count_end=False), "write it, and count it in the length."),
        Mistake(written(freeze=False), "stop at the end word."),
        Mistake(written(more=1), "`most` is the most."),
        Mistake(written(again=False), "ask the model anew for each word."),
        Mistake(
            lambda model, maps, text, length, end, most=8: (text, length),
            "Nothing is written behind row 0.",
        ),
    ),
)
