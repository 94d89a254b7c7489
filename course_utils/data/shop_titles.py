"""The titles of the shop, in English or German: a noun, a mood, and now and then more.

A title has one word for the mood (playful or sober), up to two for an occasion, which point to a
season, and names the garment or its material now and then. All other words tell nothing.
"""

from collections.abc import Iterator, Sequence

from course_utils.data.news_headlines import misspell, pick

LANGUAGES = ("English", "German")
MOST_OCCASIONS = 2
MOST_DICE = 40  # that a title takes
LONGEST = 9  # words

# For each language; the seasons in the order of shop.SEASONS.
OCCASIONS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("harvest", "october", "woodland", "fog"), ("easter", "blossom", "april", "tulips"),
     ("beach", "holiday", "festival", "pool"), ("snow", "skiing", "christmas", "frost")),
    (("Herbstlaub", "Pilze", "Nebel", "Kastanien"), ("Ostern", "Frühling", "Blüten", "Tulpen"),
     ("Strand", "Urlaub", "Badesee", "Hitze"), ("Schnee", "Skihütte", "Weihnachten", "Kälte")),
)  # fmt: skip
# Sober, playful.
MOODS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("classic", "timeless", "elegant"), ("playful", "cheerful", "funny")),
    (("klassisch", "zeitlos", "schlicht"), ("verspielt", "fröhlich", "süß")),
)
GARMENT_WORDS: dict[str, tuple[str, str]] = {
    "coat": ("coat", "Mantel"),
    "scarf": ("scarf", "Schal"),
    "boots": ("boots", "Stiefel"),
    "umbrella": ("umbrella", "Schirm"),
    "dress": ("dress", "Kleid"),
    "tee": ("tee", "Shirt"),
    "shorts": ("shorts", "Kurzhose"),
    "sandals": ("sandals", "Sandalen"),
}
MATERIAL_WORDS: dict[str, tuple[str, str]] = {
    "cotton": ("cotton", "Baumwolle"),
    "fleece": ("fleece", "Vlies"),
    "leather": ("leather", "Leder"),
    "linen": ("linen", "Leinen"),
    "viscose": ("viscose", "Viskose"),
    "wool": ("wool", "Wolle"),
}
ANY_GARMENT = (("piece", "item", "favourite"), ("Teil", "Stück", "Begleiter"))
SMALL_TALK = (("new", "sale", "unisex"), ("neu", "Angebot", "Größe", "großzügig"))
BRANDS = ("Mavora", "Kleewald", "Tondero", "Brisella")
LINKS = (("in", "for", "and"), ("aus", "für", "und"))


def write_title(
    dice: Iterator[float],
    language: int,
    kind: str | None,
    material: str | None,
    mood: int,
    occasions: Sequence[int],
    typos: float,
    other: int = 0,
) -> str:
    """A title of 3 to LONGEST words.

    dice: uniform numbers in [0, 1), at most MOST_DICE.
    language: index into LANGUAGES. kind, material: to be named, or None.
    mood: 0 sober, 1 playful. occasions: the season of each occasion that is named.
    typos: share of words with two letters swapped.
    other: 0, or the number of another listing of this product, which differs in one idle word.
    """
    idle = [*BRANDS, *SMALL_TALK[language]]  # words that tell nothing
    which = int(len(idle) * next(dice)) + other
    noun = pick(ANY_GARMENT[language], dice)
    noun = GARMENT_WORDS[kind][language] if kind else noun
    feeling = pick(MOODS[language][mood], dice)
    of, to, also = LINKS[language]
    goods = [noun, of, MATERIAL_WORDS[material][language]] if material else [noun]
    named = f" {also} ".join(choose_occasions(dice, language, occasions)).split()
    order, brand_first = next(dice), next(dice) < 0.5
    goal = [to, *named] if named else []
    if order < 0.5:  # playful dress in linen for beach
        words = [feeling, *goods, *goal]
    elif order < 0.8:  # dress in linen for beach, playful
        words = [*goods, *goal, ",", feeling]
    else:  # beach and pool, playful dress in linen
        words = [*named, ",", feeling, *goods] if named else [feeling, *goods]
    brand = [idle[which % len(idle)]]
    words = brand + words if brand_first else words + brand
    words = [spelt(word, dice, typos) for word in words]
    title = " ".join(words).replace(" ,", ",")
    return title[0].upper() + title[1:] if next(dice) < 0.7 else title


def spelt(word: str, dice: Iterator[float], typos: float) -> str:
    """The word, or, with the chance ``typos``, the word with two letters swapped."""
    wrong, where = next(dice) < typos, next(dice)
    return misspell(word, iter([where])) if wrong else word


def choose_occasions(dice: Iterator[float], language: int, seasons: Sequence[int]) -> list[str]:
    """A word for each season named; two of one season are two different words."""
    chosen: list[str] = []
    for season in seasons:
        left = [word for word in OCCASIONS[language][season] if word not in chosen]
        chosen.append(pick(left, dice))
    return chosen
