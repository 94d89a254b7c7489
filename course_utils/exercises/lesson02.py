"""The exercises of lesson 02, Words to vectors."""

import random
import re
from collections import Counter

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import encoders
from course_utils.data.text import PADDING, UNKNOWN, Vocabulary, tokenize
from course_utils.exercises.core import Exercise, Mistake

# --- build_vocab -----------------------------------------------------------------------------


def build_vocab_reference(splits, fewest=1):
    return Vocabulary.from_texts(splits["train"], fewest).ids


def counted(texts):
    return Counter(word for text in texts for word in tokenize(text))


def by_count(counts):
    """Words, commonest first, then by alphabet."""
    return sorted(counts, key=lambda word: (-counts[word], word))


def numbered(words, specials=(PADDING, UNKNOWN)):
    return {word: number for number, word in enumerate((*specials, *words))}


def often_enough(counts, fewest):
    return Counter({word: times for word, times in counts.items() if times >= fewest})


def build_vocab_in_two_sorts(splits, fewest=1):
    """By alphabet first; a second, stable sort by count keeps the alphabet within ties."""
    counts = counted(splits["train"])
    words = sorted(sorted(counts), key=counts.get, reverse=True)
    ids = {PADDING: 0, UNKNOWN: 1}
    for word in words:
        if counts[word] >= fewest:
            ids[word] = len(ids)
    return ids


def build_vocab_of_sorted_words(splits, fewest=1):
    """`most_common` keeps the order of first appearance within ties, here the alphabet."""
    counts = Counter(sorted(tokenize(" ".join(splits["train"]))))
    kept = [word for word, times in counts.most_common() if times >= fewest]
    return dict(zip([PADDING, UNKNOWN, *kept], range(len(kept) + 2), strict=True))


def of_splits(*names):
    """A vocabulary of these splits together."""

    def build(splits, fewest=1):
        texts = [text for name in names for text in splits[name]]
        return numbered(by_count(often_enough(counted(texts), fewest)))

    return build


def of_all_words(splits, fewest=1):
    return numbered(by_count(counted(splits["train"])))


def vocabulary_of_split_at_spaces(splits, fewest=1):
    counts = Counter(word for text in splits["train"] for word in text.split())
    return numbered(by_count(often_enough(counts, fewest)))


def vocabulary_of_lower_split(splits, fewest=1):
    counts = Counter(word for text in splits["train"] for word in text.lower().split())
    return numbered(by_count(often_enough(counts, fewest)))


def vocabulary_with_capitals(splits, fewest=1):
    counts = Counter(word for text in splits["train"] for word in re.findall(r"\w+", text))
    return numbered(by_count(often_enough(counts, fewest)))


def words_by_id(splits, fewest=1):
    return {number: word for word, number in build_vocab_reference(splits, fewest).items()}


def ties_reversed(counts):
    """Count and word in one key, and the whole of it reversed."""
    return sorted(counts, key=lambda word: (counts[word], word), reverse=True)


def from_training(order=by_count, specials=(PADDING, UNKNOWN), above=0):
    """A way to build it from the training texts that differs in one thing."""

    def build(splits, fewest=1):
        counts = often_enough(counted(splits["train"]), fewest + above)
        return numbered(order(counts), specials)

    return build


def vocabulary_of_characters(splits, fewest=1):
    """What `Counter.update(text)` counts, with `tokenize` forgotten."""
    counts = Counter(letter for text in splits["train"] for letter in text)
    return numbered(by_count(often_enough(counts, fewest)))


def vocabulary_of_a_list(splits, fewest=1):
    return numbered(by_count(often_enough(Counter(tokenize(splits["train"])), fewest)))


def vocabulary_of_lists(splits, fewest=1):
    counts = Counter(tokenize(text) for text in splits["train"])
    return numbered(by_count(often_enough(counts, fewest)))


def vocabulary_of_the_names_of_splits(splits, fewest=1):
    counts = Counter(word for text in splits for word in tokenize(text))
    return numbered(by_count(often_enough(counts, fewest)))


def vocabulary_of_the_last_text(splits, fewest=1):
    """A new Counter for each text, so that only the last is left."""
    return numbered(by_count(often_enough(counted(splits["train"][-1:]), fewest)))


def counted_in_a_plain_dict(splits, fewest=1):
    counts = {}
    for text in splits["train"]:
        for word in tokenize(text):
            counts[word] += 1
    return numbered(by_count(often_enough(counts, fewest)))


def commonest_words_alone(splits, fewest=1):
    counts = counted(splits["train"])
    return numbered(word for word, _ in counts.most_common(fewest))


def special_words_last(splits, fewest=1):
    padding, unknown, *words = build_vocab_reference(splits, fewest)
    return numbered(words, ()) | {padding: len(words), unknown: len(words) + 1}


def rare_words_as_unknown(splits, fewest=1):
    """Rare words are listed too, with the id of UNKNOWN."""
    counts = counted(splits["train"])
    return dict.fromkeys(counts, 1) | build_vocab_reference(splits, fewest)


def counts_for_ids(splits, fewest=1):
    counts = often_enough(counted(splits["train"]), fewest)
    return {PADDING: 0, UNKNOWN: 1, **counts}


def words_in_a_list(splits, fewest=1):
    return list(build_vocab_reference(splits, fewest))


def ids_from(first):
    """Ids of words that start at another number than 2."""

    def build(splits, fewest=1):
        words = list(build_vocab_reference(splits, fewest))[2:]
        return {PADDING: 0, UNKNOWN: 1, **{word: i for i, word in enumerate(words, first)}}

    return build


def vocabulary_by_texts(splits, fewest=1):
    counts = Counter(word for text in splits["train"] for word in set(tokenize(text)))
    return numbered(by_count(often_enough(counts, fewest)))


WORDS = (
    "atom", "bank", "beach", "coach", "fog", "goal", "market", "museum", "rain", "shares", "snow",
    "storm", "team", "train",
)  # fmt: skip


def vocab_cases(rng):
    """Three splits and a limit, such that ties, rare words and words of one split alone occur.

    Then few words, a text without any, splits without texts, and a limit that no word reaches.
    """
    chance = random.Random(int(torch.randint(2**31, (1,), generator=rng)))
    for fewest in (1, 2, 2):
        words = chance.sample(WORDS, len(WORDS))
        often, twice, ties, other, double = (
            words[:2],
            words[2:5],
            words[5:9],
            words[9:13],
            words[13],
        )
        # Ties come in the reverse of the alphabet, so that the order of appearance shows.
        ties, twice = sorted(ties, reverse=True), sorted(twice, reverse=True)
        train = [
            f"{ties[0].title()}, {twice[0]} and {often[0]}!",
            f"{twice[1]} {twice[2]} {often[0]}: {double}, {ties[1]} {double}",
            f"the {often[0]} {twice[0]} {often[1]} {often[0]} again",
            f"The {often[1]} {often[1]} {twice[1]}, {ties[2]} {twice[2]} {ties[3]}.",
        ]
        yield (
            {
                "train": train,
                "validation": [f"{other[0]} and {other[1]} and {twice[0]}"],
                "test": [f"{other[2]} {other[1]} {other[2]} {ties[0]}", f"no {other[3]}"],
            },
            fewest,
        )
    word, other = chance.sample(WORDS, 2)
    yield {"train": [f"{word} 3:1", f"...{other}? {word}'s 3"], "validation": [], "test": []}, 1
    yield {"train": [f"{word} {other} {word}", "", "?!"], "validation": [other], "test": []}, 3
    yield ({"train": [f"{word} {other} {other} {other}", other], "validation": [], "test": []},)


build_vocab = Exercise(
    reference=build_vocab_reference,
    cases=vocab_cases,
    also_right=(build_vocab_in_two_sorts, from_training(), build_vocab_of_sorted_words),
    hints=(
        'Count first: `Counter(word for text in splits["train"] for word in tokenize(text))`. '
        "Which words are left when rare ones go?",
        "Sort the kept words with `key=lambda word: (-counts[word], word)`: a larger count comes "
        "first, and words of equal count stand by alphabet.",
        "Start from `ids = {PADDING: 0, UNKNOWN: 1}` and give each word the number `len(ids)`.",
    ),
    mistakes=(
        Mistake(
            of_splits("train", "validation", "test"),
            "You counted the words of all splits. A word that only test texts have must stay "
            "unknown, as it would be in use: count the training texts alone.",
        ),
        Mistake(
            of_splits("train", "validation"),
            "You counted the validation texts too. They stand for texts that the model has not "
            "seen: count the training texts alone.",
        ),
        Mistake(
            vocabulary_of_characters,
            "You counted letters: a string given to a Counter falls into its letters. Cut each "
            "text into words first, with `tokenize(text)`.",
        ),
        Mistake(
            vocabulary_of_a_list,
            "`tokenize` takes one text, and you gave it the list of all. Call it for each text, "
            "in a loop.",
        ),
        Mistake(
            vocabulary_of_lists,
            "A Counter counts words, and you gave it lists of words, one for each text. Go through "
            "the words of each list too.",
        ),
        Mistake(
            vocabulary_of_the_names_of_splits,
            'A loop over `splits` gives its keys, so you counted the words "train", '
            '"validation" and "test". The texts are in `splits["train"]`.',
        ),
        Mistake(
            vocabulary_of_the_last_text,
            "You counted the last text alone: each text's counts replace those before. Add them "
            "up, with `counts.update(...)`.",
        ),
        Mistake(
            counted_in_a_plain_dict,
            "`counts[word] += 1` asks for the count of a word that a plain dict does not have yet. "
            "A `Counter` starts at 0.",
        ),
        Mistake(
            commonest_words_alone,
            "`most_common(fewest)` keeps that many words. `fewest` is how often a word must occur, "
            "and all that do are kept.",
        ),
        Mistake(
            special_words_last,
            f"The special words come last; they come first: {PADDING!r} is 0 and {UNKNOWN!r} is 1.",
        ),
        Mistake(
            of_all_words,
            "You kept rare words too: leave out those that occur less than `fewest` times.",
        ),
        Mistake(
            rare_words_as_unknown,
            "Rare words are in your vocabulary, as unknown. Leave them out: whoever looks a word "
            "up gives UNKNOWN to all that are not there.",
        ),
        Mistake(
            counts_for_ids,
            "You gave each word its count. An id is its place in the order: 2, 3, 4 and on.",
        ),
        Mistake(
            words_in_a_list,
            "You returned the words in a list; the exercise asks for a dict, {word: id}.",
        ),
        Mistake(
            ids_from(0),
            "Your ids start anew at 0 for the words, so two of them are those of the special "
            "words. The commonest word is 2.",
        ),
        Mistake(
            ids_from(1),
            f"The commonest word has the id 1, which is that of {UNKNOWN!r}. Words start at 2.",
        ),
        Mistake(
            ids_from(3),
            "No word has the id 2: the special words take 0 and 1, and the commonest word comes "
            "next.",
        ),
        Mistake(
            from_training(specials=(PADDING,)),
            f"There is no place for unknown words: give {UNKNOWN!r} the number 1, and let the "
            "words start at 2.",
        ),
        Mistake(
            from_training(specials=(UNKNOWN,)),
            f"There is no place for padding: give {PADDING!r} the number 0, and let the words "
            "start at 2.",
        ),
        Mistake(
            from_training(specials=()),
            f"The two special words are missing: {PADDING!r} is 0 and {UNKNOWN!r} is 1.",
        ),
        Mistake(
            from_training(specials=(UNKNOWN, PADDING)),
            f"The two special words have changed places: {PADDING!r} is 0 and {UNKNOWN!r} is 1.",
        ),
        Mistake(
            from_training(order=lambda counts: [word for word, _ in counts.most_common()]),
            "Words of equal count stand in the order of their first appearance, so other ids come "
            "out when the texts are shuffled. Sort ties by alphabet.",
        ),
        Mistake(
            from_training(order=list),
            "Words stand in the order of their first appearance, so other ids come out when the "
            "texts are shuffled. Sort by count, then by alphabet.",
        ),
        Mistake(
            from_training(order=set),
            "A set has no order: the ids change from one start of Python to the next. Sort by "
            "count, then by alphabet.",
        ),
        Mistake(
            from_training(order=sorted),
            "By alphabet: a stable order, but not the one asked for. The commonest word comes "
            "first; the alphabet decides ties.",
        ),
        Mistake(
            from_training(order=lambda counts: sorted(counts, key=lambda w: (counts[w], w))),
            "The rarest word comes first here; the commonest should. Sort by `-counts[word]`.",
        ),
        Mistake(
            from_training(order=ties_reversed),
            "Ties stand in the reverse of the alphabet: `reverse=True` turned both parts of the "
            "key. Sort by `(-counts[word], word)` without it.",
        ),
        Mistake(
            words_by_id,
            "You returned {id: word}. The exercise asks for {word: id}, because texts come as "
            "words and their ids are looked up.",
        ),
        Mistake(
            from_training(above=1),
            "A word that occurs exactly `fewest` times is missing: keep it.",
        ),
        Mistake(
            vocabulary_of_split_at_spaces,
            "You split at spaces, so `Rain,` and `rain` are two words. Use `tokenize`.",
        ),
        Mistake(
            vocabulary_of_lower_split,
            "You split at spaces, so `rain,` and `rain` are two words. Use `tokenize`, which "
            "leaves punctuation out.",
        ),
        Mistake(
            vocabulary_with_capitals,
            "Your words keep their capitals, so `Rain` and `rain` are two. Use `tokenize`, which "
            "makes small letters.",
        ),
        Mistake(
            vocabulary_by_texts,
            "You counted in how many texts a word occurs; count each time it occurs.",
        ),
    ),
)


# --- masked_mean -----------------------------------------------------------------------------


def mean_by_loop(vectors, text_length):
    rows = zip(vectors, text_length, strict=True)
    return torch.stack([row[:length].mean(dim=0) for row, length in rows])


def mean_by_weights(vectors, text_length):
    real = torch.arange(vectors.shape[1]) < text_length[:, None]
    weights = real / text_length[:, None]
    return (weights[:, None] @ vectors)[:, 0]


def mean_by_running_sums(vectors, text_length):
    rows = torch.arange(len(vectors))
    return vectors.cumsum(dim=1)[rows, text_length - 1] / text_length[:, None]


def mean_in_place(vectors, text_length):
    output = torch.zeros(vectors.shape[0], vectors.shape[2])
    for row, length in enumerate(text_length):
        output[row] = vectors[row, :length].sum(dim=0) / length
    return output


def real_places(vectors, text_length, more=0):
    return (torch.arange(vectors.shape[1]) < text_length[:, None] + more)[..., None]


def masked_by_zeros(vectors, text_length):
    """Takes for padding what is zero, and never looks at the lengths."""
    return vectors.sum(dim=1) / (vectors != 0).sum(dim=1)


def mean_without_new_axis(vectors, text_length):
    return (vectors * real_places(vectors, text_length)).sum(dim=1) / text_length


def mask_without_new_axis(vectors, text_length):
    real = torch.arange(vectors.shape[1]) < text_length[:, None]
    return (vectors * real).sum(dim=1) / text_length[:, None]


def means_of_all_numbers(vectors, text_length):
    rows = zip(vectors, text_length, strict=True)
    return torch.stack([row[:length].mean() for row, length in rows])


def mean_over_all_rows(vectors, text_length):
    return vectors[real_places(vectors, text_length)[..., 0]].mean(dim=0)


def cut_with_a_tensor(vectors, text_length):
    return vectors[:, :text_length].mean(dim=1)


def cut_at_the_longest(vectors, text_length):
    return vectors[:, : text_length.max()].mean(dim=1)


def mean_cases(rng):
    """Lengths from 1 to L; at padding any numbers, and once zeros.

    In the first, rows, places and numbers differ, so that a missing axis raises an error. Then
    one row, one number a word, one word, and no row as long as L.
    """
    vectors, lengths = torch.randn(2, 5, 3, generator=rng), torch.tensor([2, 4])
    yield vectors * real_places(vectors, lengths), lengths
    for rows, places, dim in [(2, 4, 3), (3, 5, 2), (4, 6, 5)]:
        vectors = torch.randn(rows, places, dim, generator=rng)
        middle = torch.randint(2, places, (rows - 2,), generator=rng)
        lengths = torch.cat([torch.tensor([places, 1]), middle])
        yield vectors, lengths
    for places, dim, lengths in [(6, 4, [2]), (5, 1, [1, 4, 3]), (1, 3, [1, 1]), (7, 2, [5, 3])]:
        vectors = 10 * torch.randn(len(lengths), places, dim, generator=rng)
        yield vectors, torch.tensor(lengths)


masked_mean = Exercise(
    reference=encoders.masked_mean,
    cases=mean_cases,
    also_right=(mean_by_loop, mean_by_weights, mean_by_running_sums, mean_in_place),
    hints=(
        "`torch.arange(L) < text_length[:, None]` is True at real words: (B, L).",
        "Give the mask a last axis with `[..., None]`, multiply, add up over the words (axis 1), "
        "and divide by `text_length[:, None]`.",
    ),
    mistakes=(
        Mistake(
            lambda vectors, text_length: vectors.mean(dim=1),
            "You took the plain mean: the vectors at padding are in it.",
        ),
        Mistake(
            masked_by_zeros,
            "You took for padding what is zero. The vectors at padding may be any numbers: only "
            "`text_length` tells which words are real.",
        ),
        Mistake(
            mean_without_new_axis,
            "The sum is (B, dim), and `text_length` is (B,): PyTorch lines up the last axes, and "
            "these do not fit. Divide by `text_length[:, None]`, which is (B, 1).",
        ),
        Mistake(
            mask_without_new_axis,
            "The vectors are (B, L, dim), and your mask ends in (B, L): PyTorch lines up the last "
            "axes, and these do not fit. Give the mask a last axis with `[..., None]`.",
        ),
        Mistake(
            lambda vectors, text_length: (vectors * real_places(vectors, text_length)).mean(dim=1),
            "You left the padding out of the sum, but divided by the padded length L. Divide by "
            "each row's own length.",
        ),
        Mistake(
            lambda vectors, text_length: vectors.sum(dim=1) / text_length[:, None],
            "You divided by the right length, but the sum includes the vectors at padding. That "
            "is right only while they are zeros; mask them.",
        ),
        Mistake(
            lambda vectors, text_length: (vectors * real_places(vectors, text_length)).sum(dim=1),
            "This is the sum of the real words' vectors; divide by each row's length.",
        ),
        Mistake(
            lambda vectors, text_length: (
                (vectors * real_places(vectors, text_length, -1)).sum(dim=1) / text_length[:, None]
            ),
            "Your mask stops one word early: places 0 to length - 1 are real.",
        ),
        Mistake(
            lambda vectors, text_length: (
                (vectors * real_places(vectors, text_length, 1)).sum(dim=1) / text_length[:, None]
            ),
            "Your mask runs one word too far: the place with the number `length` is padding.",
        ),
        Mistake(
            means_of_all_numbers,
            "You took one mean of all numbers of a row, and B numbers came out. The mean runs over "
            "the words alone: `mean(dim=0)` of one row's vectors (length, dim).",
        ),
        Mistake(
            mean_over_all_rows,
            "`vectors[mask]` lays the words of all rows under each other, (words, dim), so your "
            "mean runs over the whole batch. Each row has a mean of its own.",
        ),
        Mistake(
            cut_with_a_tensor,
            "`text_length` has a number for each row, where one is wanted, as in a slice or a "
            "range. Take the rows one by one, or put a mask over the words.",
        ),
        Mistake(
            lambda vectors, text_length: vectors[:, : text_length[0]].mean(dim=1),
            "You cut all rows at the length of the first. Each row has its own length.",
        ),
        Mistake(
            cut_at_the_longest,
            "You cut all rows at the longest length, so that shorter ones keep padding. Each row "
            "has its own length.",
        ),
        Mistake(
            lambda vectors, text_length: (
                (vectors * ~real_places(vectors, text_length)).sum(dim=1) / text_length[:, None]
            ),
            "Your mask is the wrong way round: it keeps the padding and hides the words. Places "
            "with a number less than the length are real.",
        ),
        Mistake(
            lambda vectors, text_length: (
                (vectors * real_places(vectors, text_length)).sum(dim=1) / text_length.sum()
            ),
            "You divided by the sum of all lengths; divide each row by its own.",
        ),
    ),
)


# --- padding_gap -----------------------------------------------------------------------------


def padding_gap_reference(encoder, text, text_length, more):
    with torch.no_grad():
        padded = encoder(F.pad(text, (0, more)), text_length)
        return (padded - encoder(text, text_length)).abs().max().item()


def gap_with_zeros_joined(encoder, text, text_length, more):
    zeros = torch.zeros(len(text), more, dtype=torch.long)
    before = encoder(text, text_length)
    after = encoder(torch.cat([text, zeros], dim=1), text_length)
    return float((after - before).detach().abs().max())


def gap_as_a_tensor(encoder, text, text_length, more):
    return (encoder(F.pad(text, (0, more)), text_length) - encoder(text, text_length)).abs().max()


class LastState(nn.Module):
    """The last state of an LSTM that also reads the padding."""

    def __init__(self, words, dim):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(words, dim), nn.LSTM(dim, dim, batch_first=True)

    def forward(self, text, text_length):
        return self.lstm(self.embed(text))[1][0][-1]


class PlainMean(nn.Module):
    """The mean of all vectors, padding included, scaled by the length."""

    def __init__(self, words, dim):
        super().__init__()
        self.embed = nn.Embedding(words, dim)

    def forward(self, text, text_length):
        return self.embed(text).mean(dim=1) * text_length[:, None]


class MinusPadding(nn.Module):
    """The share of padding, all numbers negative, so that a sign that is dropped shows."""

    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(1, 2, dim))

    def forward(self, text, text_length):
        return -(text == 0).float().mean(dim=1, keepdim=True) * self.weight


def as_number(result, *_):
    """A tensor without axes is a number too."""
    scalar = isinstance(result, torch.Tensor) and result.ndim == 0
    return result.item() if scalar else result


def changed_gap(pad=lambda text, more: F.pad(text, (0, more)), longer=0, measure=None):
    """A way to measure the gap that differs in one thing."""

    def gap(encoder, text, text_length, more):
        with torch.no_grad():
            after = encoder(pad(text, more), text_length + longer * more)
            moved = after - encoder(text, text_length)
        return (measure(moved) if measure else moved.abs().max()).item()

    return gap


def padded_with_floats(text, more):
    """What `torch.zeros` without a dtype leads to: ids that are no whole numbers."""
    return torch.cat([text, torch.zeros(len(text), more)], dim=1)


def gap_with_more_rows(encoder, text, text_length, more):
    longer = F.pad(text, (0, 0, 0, more))
    return (encoder(longer, text_length) - encoder(text, text_length)).abs().max().item()


def gap_without_lengths(encoder, text, text_length, more):
    return (encoder(F.pad(text, (0, more))) - encoder(text)).abs().max().item()


def gap_of_the_largest(encoder, text, text_length, more):
    longer = F.pad(text, (0, more))
    return (encoder(longer, text_length).max() - encoder(text, text_length).max()).abs().item()


def gap_of_sizes(encoder, text, text_length, more):
    longer = F.pad(text, (0, more))
    return (encoder(longer, text_length).abs() - encoder(text, text_length).abs()).max().item()


def gap_in_shares(encoder, text, text_length, more):
    before, after = encoder(text, text_length), encoder(F.pad(text, (0, more)), text_length)
    return ((after - before).abs() / before.abs()).max().item()


def gap_of_each_row(encoder, text, text_length, more):
    longer = F.pad(text, (0, more))
    return (encoder(longer, text_length) - encoder(text, text_length)).abs().max(dim=1).values


class Wave(nn.Module):
    """Another wave of the number of columns in each place, so that some rise and others fall."""

    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(1, 9, dim))

    def forward(self, text, text_length):
        return torch.sin(text.shape[1] * self.weight) * text_length[:, None]


def gap_cases(rng):
    """Encoders that padding moves, up, down and both, and one that it does not.

    One row, one word, one number a row, one column more, and none.
    """
    text = torch.randint(2, 9, (4, 5), generator=rng)
    length = torch.tensor([5, 2, 3, 4])
    text = text * (torch.arange(5) < length[:, None])
    yield LastState(9, 4), text, length, 3
    yield PlainMean(9, 3), text[1:], length[1:], 2
    yield PlainMean(9, 3), text[1:], length[1:], 7
    yield encoders.LSTMEncoder(9, 4, 3), text, length, 3
    yield MinusPadding(3), text, length, 4
    yield Wave(6), text, length, 2
    yield LastState(9, 1), text[:1], length[:1], 1
    yield PlainMean(9, 2), text[:, :1], torch.ones(4, dtype=torch.long), 0


padding_gap = Exercise(
    reference=padding_gap_reference,
    cases=gap_cases,
    also_right=(gap_with_zeros_joined, gap_as_a_tensor),
    unaffected={"detached result": "A gap is measured and printed; nothing is trained through it."},
    observe=as_number,
    atol=1e-6,
    hints=(
        "Call the encoder twice: on `text`, and on `text` with `more` columns of zeros behind it.",
        "`F.pad(text, (0, more))` adds the columns. The lengths stay as they are, because padding "
        "is no word. Then `.abs().max().item()` of the difference.",
    ),
    mistakes=(
        Mistake(
            changed_gap(pad=lambda text, more: F.pad(text, (more, 0))),
            "You put the padding in front of the words. It belongs behind them: "
            "`F.pad(text, (0, more))`.",
        ),
        Mistake(
            changed_gap(pad=lambda text, more: F.pad(text, (0, more), value=1)),
            "You filled up with ones: 1 is the unknown word. Padding is 0.",
        ),
        Mistake(
            changed_gap(pad=padded_with_floats),
            "Your padded text is of floats, and ids must be whole numbers: `torch.zeros` gives "
            "floats unless it is told `dtype=torch.long`.",
        ),
        Mistake(
            changed_gap(pad=lambda text, more: F.pad(text, (more, more))),
            "You padded on both sides. Padding belongs behind the words: `F.pad(text, (0, more))`.",
        ),
        Mistake(
            changed_gap(
                pad=lambda text, more: torch.cat([text, torch.zeros(more, dtype=torch.long)], dim=1)
            ),
            "The zeros that you join lack the rows of the text: (B, more), as in "
            "`torch.zeros(len(text), more, dtype=torch.long)`.",
        ),
        Mistake(
            gap_without_lengths,
            "An encoder takes the lengths too: `encoder(text, text_length)`.",
        ),
        Mistake(
            gap_with_more_rows,
            "You added rows, that is empty headlines. `F.pad` counts axes from the last: "
            "`(0, more)` are columns behind the words.",
        ),
        Mistake(
            changed_gap(pad=lambda text, more: F.pad(text, (0, 1))),
            "You added one column; add `more` of them.",
        ),
        Mistake(
            changed_gap(longer=1),
            "You raised the lengths too, so the padding counts as words. Leave `text_length` as "
            "it is.",
        ),
        Mistake(
            changed_gap(measure=lambda moved: moved.max()),
            "You took the largest signed change, so numbers that fall do not count. Take "
            "`.abs()` before `.max()`.",
        ),
        Mistake(
            changed_gap(measure=lambda moved: moved.max().abs()),
            "You took `.abs()` after `.max()`, so the largest signed change is all you saw. Take "
            "`.abs()` first.",
        ),
        Mistake(
            changed_gap(measure=lambda moved: moved.abs().mean()),
            "This is the mean change; the exercise asks for the largest.",
        ),
        Mistake(
            changed_gap(measure=lambda moved: moved.abs().sum()),
            "This is the sum of all changes; the exercise asks for the largest.",
        ),
        Mistake(
            changed_gap(measure=lambda moved: (moved**2).mean()),
            "This is the mean of the squared changes; the exercise asks for the largest change.",
        ),
        Mistake(
            gap_of_sizes,
            "You took the absolute values before subtracting. Subtract first, then `.abs()`, then "
            "`.max()`.",
        ),
        Mistake(
            gap_of_the_largest,
            "You compared the largest number of one output with the largest of the other, which "
            "may stand elsewhere. Subtract number by number, then take the largest.",
        ),
        Mistake(
            gap_in_shares,
            "You divided each change by the number itself. The exercise asks for the change, not "
            "for its share.",
        ),
        Mistake(
            gap_of_each_row,
            "You gave the largest change of each row; the exercise asks for one number, the "
            "largest of all: `.max()` without `dim`.",
        ),
        Mistake(
            changed_gap(measure=lambda moved: moved.norm()),
            "This is the length of the whole change as one vector; the exercise asks for the "
            "largest change of a single number.",
        ),
    ),
)


# --- lstm_step -------------------------------------------------------------------------------


def gates_of(x, h, W, U, b):
    return (x @ W.T + h @ U.T + b).chunk(4, dim=1)


def lstm_step_reference(x, h, c, W, U, b):
    i, f, g, o = gates_of(x, h, W, U, b)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def step_by_cell(x, h, c, W, U, b):
    cell = nn.LSTMCell(x.shape[1], h.shape[1])
    names = [name for name, _ in cell.named_parameters()]
    weights = dict(zip(names, (W, U, b, torch.zeros_like(b)), strict=True))
    return torch.func.functional_call(cell, weights, (x, (h, c)))


def step_by_four_matrices(x, h, c, W, U, b):
    """The five lines of the formula, with its own sigmoid."""
    parts = zip(W.chunk(4), U.chunk(4), b.chunk(4), strict=True)
    i, f, g, o = (x @ w.T + h @ u.T + bias for w, u, bias in parts)
    i, f, o = (1 / (1 + torch.exp(-gate)) for gate in (i, f, o))
    c = f * c + i * torch.tanh(g)
    return o * torch.tanh(c), c


def step_by_slices(x, h, c, W, U, b):
    dim = h.shape[1]
    sums = torch.cat([x, h], dim=1) @ torch.cat([W, U], dim=1).T + b
    i, f, o = (torch.sigmoid(sums[:, k * dim : (k + 1) * dim]) for k in (0, 1, 3))
    g = torch.tanh(sums[:, 2 * dim : 3 * dim])
    new = f * c + i * g
    return o * torch.tanh(new), new


def step_with_order(order):
    """The step with the four blocks of rows taken in another order, such as "ifog"."""

    def step(x, h, c, W, U, b):
        gate = dict(zip(order, gates_of(x, h, W, U, b), strict=True))
        c = gate["f"].sigmoid() * c + gate["i"].sigmoid() * gate["g"].tanh()
        return gate["o"].sigmoid() * c.tanh(), c

    return step


def step_without_tanh(x, h, c, W, U, b):
    _, c_new = lstm_step_reference(x, h, c, W, U, b)
    return gates_of(x, h, W, U, b)[3].sigmoid() * c_new, c_new


def step_from_old_cell(x, h, c, W, U, b):
    _, c_new = lstm_step_reference(x, h, c, W, U, b)
    return gates_of(x, h, W, U, b)[3].sigmoid() * c.tanh(), c_new


def step_with_sigmoid_candidate(x, h, c, W, U, b):
    i, f, g, o = (part.sigmoid() for part in gates_of(x, h, W, U, b))
    c = f * c + i * g
    return o * c.tanh(), c


def step_that_forgets_nothing(x, h, c, W, U, b):
    i, _, g, o = gates_of(x, h, W, U, b)
    c = c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def step_with_matrix_first(x, h, c, W, U, b):
    i, f, g, o = (W @ x + U @ h + b).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def step_without_transpose(x, h, c, W, U, b):
    i, f, g, o = (x @ W + h @ U + b).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def step_cut_by_rows(x, h, c, W, U, b):
    i, f, g, o = (x @ W.T + h @ U.T + b).chunk(4, dim=0)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def step_with(gate=torch.sigmoid, candidate=torch.tanh):
    """The step with other functions for the three gates and for the candidate."""

    def step(x, h, c, W, U, b):
        i, f, g, o = gates_of(x, h, W, U, b)
        c = gate(f) * c + gate(i) * candidate(g)
        return gate(o) * c.tanh(), c

    return step


def step_with_overflow(x, h, c, W, U, b):
    """A sigmoid that divides inf by inf where its argument is large."""
    return step_with(gate=lambda z: z.exp() / (1 + z.exp()))(x, h, c, W, U, b)


def step_with_pieces_of_four(x, h, c, W, U, b):
    i, f, g, o = (x @ W.T + h @ U.T + b).split(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def step_with_matrix_products(x, h, c, W, U, b):
    i, f, g, o = gates_of(x, h, W, U, b)
    c = f.sigmoid() @ c + i.sigmoid() @ g.tanh()
    return o.sigmoid() @ c.tanh(), c


def step_with_nothing_written(x, h, c, W, U, b):
    _, f, _, o = gates_of(x, h, W, U, b)
    c = f.sigmoid() * c
    return o.sigmoid() * c.tanh(), c


def step_with_squeezed_cell(x, h, c, W, U, b):
    """The tanh of the output line is laid on the cell itself."""
    _, c = lstm_step_reference(x, h, c, W, U, b)
    return gates_of(x, h, W, U, b)[3].sigmoid() * c.tanh(), c.tanh()


def step_with_open_output(x, h, c, W, U, b):
    _, c = lstm_step_reference(x, h, c, W, U, b)
    return gates_of(x, h, W, U, b)[3] * c.tanh(), c


def step_with_gates_in_turns(x, h, c, W, U, b):
    i, f, g, o = (x @ W.T + h @ U.T + b).unflatten(1, (-1, 4)).unbind(dim=2)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def step_with_old_cell_returned(x, h, c, W, U, b):
    return lstm_step_reference(x, h, c, W, U, b)[0], c


def drawn_step(rng, rows, ins, dim):
    sizes = (rows, ins), (rows, dim), (rows, dim), (4 * dim, ins), (4 * dim, dim), (4 * dim,)
    return tuple(torch.randn(*size, generator=rng) for size in sizes)


def step_cases(rng):
    """Input and state sizes that differ, so that a matrix cannot stand in for another.

    Then sizes of 1, the first step of a text, whose states are zeros, and open gates, whose sums
    are large. No number of rows that `chunk` can cut in four parts, so that cutting the batch
    fails alike on every case.
    """
    for rows, ins, dim in [(1, 2, 3), (3, 4, 2), (2, 3, 5), (5, 1, 1), (1, 3, 1)]:
        yield drawn_step(rng, rows, ins, dim)
    x, h, c, *weights = drawn_step(rng, 3, 2, 2)
    yield x, torch.zeros_like(h), torch.zeros_like(c), *weights
    *states, b = drawn_step(rng, 2, 3, 2)
    yield *states, b + 200


lstm_step = Exercise(
    reference=lstm_step_reference,
    cases=step_cases,
    also_right=(step_by_cell, step_by_slices, step_by_four_matrices, step_with_order("ifgo")),
    hints=(
        "`x @ W.T + h @ U.T + b` has the shape (B, 4 D). `.chunk(4, dim=1)` cuts it into i, f, g "
        "and o, in this order.",
        "i, f and o go through `sigmoid`, g through `tanh`. Then the two lines of the formula: "
        "first the new c, and from it the new h.",
    ),
    mistakes=(
        Mistake(
            step_with_matrix_first,
            "`W @ x` does not fit: W is (4 D, d), and x is (B, d), because each row of a batch is "
            "a word. Write `x @ W.T`, which is (B, 4 D).",
        ),
        Mistake(
            step_without_transpose,
            "`x @ W` does not fit: x is (B, d), and W is (4 D, d). Turn W over: `x @ W.T`.",
        ),
        Mistake(
            step_cut_by_rows,
            "You cut the batch in four, not the numbers: `chunk` takes axis 0 unless it is told "
            "another. The gates lie side by side on axis 1: `.chunk(4, dim=1)`.",
        ),
        Mistake(
            step_with_order("ifog"),
            "You took the gates in the order i, f, o, g. PyTorch stacks i, f, g, o.",
        ),
        Mistake(
            step_with_order("figo"),
            "The input gate and the forget gate have changed places: PyTorch stacks i, f, g, o, "
            "and f is what multiplies the old c.",
        ),
        Mistake(
            step_without_tanh,
            "The new h lacks a tanh: it is the output gate times tanh of the new c.",
        ),
        Mistake(
            step_from_old_cell,
            "You made the new h from the old c. Compute the new c first.",
        ),
        Mistake(
            step_with_pieces_of_four,
            "`split(4)` cuts pieces of four numbers; `chunk(4)` cuts four pieces.",
        ),
        Mistake(
            step_with_matrix_products,
            "Gates multiply number by number, with `*`; `@` is the product of matrices.",
        ),
        Mistake(
            step_with_nothing_written,
            "Nothing new is written to the cell: add the input gate times the candidate.",
        ),
        Mistake(
            step_with_squeezed_cell,
            "The new h is right. The new c that you return went through tanh, which belongs to h "
            "alone.",
        ),
        Mistake(
            step_with_open_output,
            "The output gate o lacks its sigmoid.",
        ),
        Mistake(
            step_with_gates_in_turns,
            "You took every fourth number for a gate. The gates lie side by side: first D numbers "
            "of i, then D of f, of g and of o.",
        ),
        Mistake(
            step_with_old_cell_returned,
            "The second thing that you return is the old c; return the new one.",
        ),
        Mistake(
            step_with(gate=lambda z: z),
            "The gates lack their sigmoid, so they are no shares between 0 and 1.",
        ),
        Mistake(
            step_with(gate=torch.tanh),
            "You sent the gates through tanh, so they can be negative. i, f and o go through "
            "sigmoid; g alone goes through tanh.",
        ),
        Mistake(
            step_with(gate=lambda z: z.softmax(dim=1)),
            "You sent the gates through a softmax, so the numbers of a gate share 1 among them. "
            "Each goes through a sigmoid by itself.",
        ),
        Mistake(
            step_with(candidate=lambda z: z),
            "The candidate g lacks its tanh.",
        ),
        Mistake(
            step_with_overflow,
            "Your answer is NaN where a sum is large: e^z is then inf, and inf / inf is NaN. Use "
            "`torch.sigmoid` and `torch.tanh`, or 1 / (1 + e^-z).",
        ),
        Mistake(
            lambda x, h, c, W, U, b: lstm_step_reference(x, h, c, W, U, b)[0],
            "The new h is right; return the new c too, as `h, c`.",
        ),
        Mistake(
            step_with_sigmoid_candidate,
            "You sent g through a sigmoid, so it can only add. It goes through tanh.",
        ),
        Mistake(
            step_that_forgets_nothing,
            "The forget gate is missing: the old c is multiplied by it.",
        ),
        Mistake(
            lambda x, h, c, W, U, b: lstm_step_reference(x, torch.zeros_like(h), c, W, U, b),
            "The old h does not come in: add `h @ U.T`, or each word is read without those "
            "before it.",
        ),
        Mistake(
            lambda x, h, c, W, U, b: lstm_step_reference(x, h, c, W, U, torch.zeros_like(b)),
            "The bias b is missing.",
        ),
        Mistake(
            lambda x, h, c, W, U, b: lstm_step_reference(x, h, c, W, U, b)[::-1],
            "You returned (c, h); the exercise asks for (h, c).",
        ),
    ),
)
