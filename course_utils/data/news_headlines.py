"""The headlines of the news cards: nouns in a row, joined by words that mean nothing here.

A headline is a chain of nouns: section words, distractors from other sections, and neutral
nouns, in any order, with linking words between them and adjectives before some. Only the nouns
tell anything about a section, and only by how many of each section there are, which is what
makes the ceiling of ``news_cards`` exact.
"""

from collections.abc import Iterator, Sequence

# Nouns of each section, in the order of news_cards.SECTIONS.
SECTION_WORDS: tuple[tuple[str, ...], ...] = (
    ("goal", "coach", "league", "match", "stadium", "striker", "referee", "trophy", "penalty",
     "tournament", "athlete", "sprint"),
    ("profit", "shares", "market", "bank", "merger", "startup", "tariff", "investor", "budget",
     "inflation", "retailer", "loan"),
    ("atom", "laboratory", "telescope", "genome", "physicist", "experiment", "molecule", "fossil",
     "vaccine", "satellite", "theory", "microscope"),
    ("storm", "rain", "forecast", "flood", "heatwave", "drought", "thunder", "snowfall",
     "hurricane", "frost", "humidity", "drizzle"),
    ("hotel", "airport", "beach", "tourist", "passport", "island", "cruise", "luggage", "hiker",
     "museum", "resort", "itinerary"),
)  # fmt: skip
NEUTRAL_WORDS = (
    "city", "council", "crowd", "plan", "report", "family", "village", "minister", "student",
    "neighbour", "leader", "question", "answer", "morning", "street", "group", "letter", "garden",
    "teacher", "bridge", "song", "phone", "kitchen", "story",
)  # fmt: skip
LINKS = (
    "after", "before", "and", "meets", "without", "near", "over", "against", "follows", "behind",
    "surprises", "for", "with", "changes", "needs",
)  # fmt: skip
ADJECTIVES = (
    "new", "late", "quiet", "big", "first", "young", "final", "local", "strange", "famous",
    "small", "early",
)  # fmt: skip
# Said of what a picture shows, in this order; COLOURS in the order of news_pictures.PLAIN.
COUNTS = ("one", "two", "three")
SIZES = ("tiny", "huge")
COLOURS = ("red", "yellow", "green", "blue", "white")

SHORTEST, LONGEST = 5, 12  # words, without those for count, size and colour
MOST_DISTRACTORS = 2
MOST_SECTION_WORDS = 3


def pick(options: Sequence, dice: Iterator[float]):
    """One of the options, by one throw."""
    return options[int(len(options) * next(dice))]


def misspell(word: str, dice: Iterator[float]) -> str:
    """The word with two neighbouring letters swapped, the first letter kept."""
    if len(word) < 4:
        return word
    at = 1 + int((len(word) - 2) * next(dice))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def write_headline(
    dice: Iterator[float], nouns: Sequence[str], section_words: int, typos: float
) -> str:
    """A headline of SHORTEST to LONGEST words around the given nouns.

    dice: uniform numbers in [0, 1), at most 80.
    nouns: section words and distractors; neutral nouns fill the rest of the chain.
    section_words: the dial; sets how long chains are, whatever the nouns at hand.
    typos: share of words with two letters swapped.

    The length does not depend on the nouns given, so it tells nothing about them.
    """
    fewest = section_words + MOST_DISTRACTORS
    chain = list(nouns)
    length = fewest + int((max(5, fewest) - fewest + 1) * next(dice))
    while len(chain) < length:
        chain.append(pick(NEUTRAL_WORDS, dice))
    for last in range(length - 1, 0, -1):  # Fisher and Yates' shuffle
        other = int((last + 1) * next(dice))
        chain[last], chain[other] = chain[other], chain[last]
    words, spare = [], LONGEST - (2 * length - 1)
    for position, noun in enumerate(chain):
        if position:
            words.append(pick(LINKS, dice))
        if spare and next(dice) < 0.4:
            words.append(pick(ADJECTIVES, dice))
            spare -= 1
        words.append(noun)
    return " ".join(misspell(word, dice) if next(dice) < typos else word for word in words)
