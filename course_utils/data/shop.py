"""A small online shop: a generated world in the form of a stranger's folder.

Each product has a photograph, a title in English or German, a price and a material. Two labels:
``season``, in which it is worn, told partly by each of them; and ``liked``, whether a shopper
liked the advert, which depends on whether the title's mood fits the look of the cloth: a playful
word with a pattern, a sober word with plain cloth. Neither alone tells that.

Some products are listed two or three times, in nearly the same words and pictures. ``family``
says which listings belong together: split by family, or the test rows flatter.

``write`` makes a folder of it with all that a folder has in life: ids in place of file names, no
column of splits, pictures of other sizes and modes, and five broken rows, each of another kind.
"""

import csv
import io
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from course_utils.data.read_dials import read_dials
from course_utils.data.rows import SPLITS, Rows, take
from course_utils.data.shop_pictures import GARMENTS, PALETTES, SIZE, draw_product
from course_utils.data.shop_pictures import MOST_DICE as PICTURE_DICE
from course_utils.data.shop_titles import MATERIAL_WORDS, MOST_OCCASIONS, write_title
from course_utils.data.shop_titles import MOST_DICE as TITLE_DICE

SEASONS = ("fall", "spring", "summer", "winter")
LIKED = ("no", "yes")
TASKS = {"season": SEASONS, "liked": LIKED}  # and what their labels mean
MODALITIES = {"image": "image", "text": "title"}
SAMPLE = {"n": 1200, "seed": 2025}  # of data/shop
COLUMNS = ("id", "title", "price", "material", "season", "liked", "family")
SHARES = (0.7, 0.1, 0.2)  # of the splits
LARGEST_FAMILY = 3

KINDS, COLOURS, MATERIALS = tuple(GARMENTS), tuple(PALETTES), tuple(MATERIAL_WORDS)
PRICES = (8, 15, 25, 40, 65, 100, 160)  # bounds of the price bands, in euros
CENTS = (0, 50, 90, 95, 99)

# What each season's products are like, in proportion: one row a season, in the order of SEASONS.
SEASON_SHARES = np.array([18, 12, 45, 25]) / 100
KIND_SHARES = np.array([
    # coat scarf boots umbrella dress tee shorts sandals
    [14, 6, 38, 34, 4, 2, 1, 1],
    [6, 2, 3, 27, 42, 16, 2, 2],
    [1, 1, 1, 2, 18, 27, 25, 25],
    [42, 40, 13, 2, 1, 1, 0.5, 0.5],
])  # fmt: skip
COLOUR_SHARES = np.array([
    # bright pastel earthy dark
    [6, 4, 72, 18],
    [16, 70, 8, 6],
    [62, 22, 10, 6],
    [7, 11, 14, 68],
])  # fmt: skip
# Warm seasons have more patterns, and spring and winter more playful words: so pattern and mood
# tell something about the season, and next to nothing about each other.
PATTERNED = np.array([0.3, 0.65, 0.65, 0.3])
PLAYFUL = np.array([0.35, 0.75, 0.4, 0.65])
MATERIAL_SHARES = np.array([
    # cotton fleece leather linen viscose wool
    [16, 12, 38, 4, 10, 20],
    [38, 6, 10, 12, 30, 4],
    [36, 2, 8, 35, 17, 2],
    [8, 28, 14, 1, 5, 44],
])  # fmt: skip
PRICE_SHARES = np.array([
    [5, 11, 20, 28, 23, 13],
    [13, 24, 28, 19, 10, 6],
    [26, 29, 22, 12, 7, 4],
    [3, 6, 12, 24, 30, 25],
])  # fmt: skip
OCCASION = 0.43  # chance that one of the two occasions is of the product's own season
WRONG_OCCASION = 0.03  # of each other season

Columns = dict[str, Any]


@dataclass(frozen=True)
class Dials:
    """What can be turned in the shop. All but the first are shares in [0, 1].

    image_noise: standard deviation of the pixels' noise, as a share of white.
    typos: share of the titles' words with two letters swapped.
    named: chance that a title names the garment, and as much again that it names the material.
    empty: share of empty cells in ``price`` and in ``material``.
    twins: chance that a listing is of the same product as the one before it, three at most.
    taste: chance that a shopper likes an advert whose mood fits its look, and dislikes another.
    """

    image_noise: float = 0.02
    typos: float = 0.02
    named: float = 0.3
    empty: float = 0.08
    twins: float = 0.28
    taste: float = 0.9

    def __post_init__(self) -> None:
        noise = self.image_noise
        if not isinstance(noise, Real) or not 0 <= noise < float("inf"):
            raise ValueError(f"image_noise is a number from 0 up, not {noise!r}")
        for name in ("typos", "named", "empty", "twins", "taste"):
            share = getattr(self, name)
            if not isinstance(share, Real) or not 0 <= share <= 1:
                raise ValueError(f"{name} is a share: give a number from 0 to 1, not {share!r}")


# --- making listings ------------------------------------------------------------------------------


def make(n: int, seed: int = 0, **dials: Any) -> Rows:
    """Make n listings of the shop; the same n, seed and dials always give the same ones.

    Listing i does not depend on n, so ``make(100)`` is the beginning of ``make(1000)``.

    Returns Rows as ``read_folder`` gives them of the folder that ``write`` makes: ``image``
    (n, 64, 64, 3) uint8; ``title``, ``price``, ``material``, ``liked``, ``family``, lists of n
    strings, an empty cell as ""; ``season`` and ``label`` (n,) int64, index into SEASONS;
    ``id`` (n,) int64; ``split``, one for each family. And the truth that a model does not see:
    ``kind``, ``colours``, ``cloth`` (the material, also where the cell is empty), lists of
    strings; ``patterned``, ``playful``, ``names_garment``, ``names_material`` (n,) bool; ``band``
    (n,) int64 of the price, also where the cell is empty; ``occasions`` (n, 2) int64, the season
    of each occasion in the title, -1 for none; ``language`` (n,) int64; ``listing`` (n,) int64,
    0 for a family's first.

    Raises ValueError for dials out of range or unknown.
    """
    dial = read_dials(Dials, dials, "shop")
    if n < 0:
        raise ValueError(f"n is the number of listings and cannot be {n}")
    truth = throw(n, seed, dial)
    images = draw_pictures(seed, dial, truth)
    cells = write_cells(seed, dial, truth)
    season = truth.pop("season")
    columns = {"image": images, **cells, "season": season, "label": season, **truth}
    return Rows(columns, SEASONS, modalities=MODALITIES)


def dice_for(seed: int, purpose: int, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform numbers; each purpose has a stream of its own, so no dial shifts another's."""
    return np.random.default_rng([seed, purpose]).random(shape)


def throw(n: int, seed: int, dial: Dials) -> Columns:
    """What the listings are, without their pictures and words; twins share all of it."""
    dice = dice_for(seed, 0, (n, 20))
    first, listing = throw_families(dice[:, 0], dial.twins)
    dice = dice[first].T
    season = drawn(np.tile(SEASON_SHARES, (n, 1)), dice[1])
    patterned, playful = dice[2] < PATTERNED[season], dice[3] < PLAYFUL[season]
    fits = patterned == playful
    likes = np.where(fits, dice[4] < dial.taste, dice[4] >= dial.taste)
    kind, colours, cloth = (
        drawn(shares[season], throws)
        for shares, throws in zip((KIND_SHARES, COLOUR_SHARES, MATERIAL_SHARES), dice[5:8],
                                  strict=True)
    )  # fmt: skip
    about = occasion_shares()[season]
    occasions = [drawn(about, dice[8 + k]) for k in range(MOST_OCCASIONS)]
    return {
        "season": season,
        "liked": [LIKED[int(like)] for like in likes],
        "split": np.array(SPLITS)[drawn(np.tile(SHARES, (n, 1)), dice[10])],
        "family": [f"F{number + 1:04d}" for number in np.cumsum(listing == 0) - 1],
        "listing": listing,
        "patterned": patterned,
        "playful": playful,
        "kind": [KINDS[k] for k in kind],
        "colours": [COLOURS[k] for k in colours],
        "cloth": [MATERIALS[k] for k in cloth],
        "band": drawn(PRICE_SHARES[season], dice[11]),
        "occasions": np.stack(occasions, axis=1) - 1,  # the first share is that of none
        "names_garment": dice[12] < dial.named,
        "names_material": dice[13] < dial.named,
        "language": (2 * dice[14]).astype(int),
    }


def throw_families(dice: np.ndarray, twins: float) -> tuple[np.ndarray, np.ndarray]:
    """Of each listing: the row of its family's first listing, and its number in the family."""
    listing = np.zeros(len(dice), dtype=np.int64)
    for row in range(1, len(dice)):
        grows = dice[row] < twins and listing[row - 1] + 1 < LARGEST_FAMILY
        listing[row] = listing[row - 1] + 1 if grows else 0
    return np.arange(len(dice)) - listing, listing


def drawn(shares: np.ndarray, dice: np.ndarray) -> np.ndarray:
    """One outcome a row: shares (n, K) in proportion, dice (n,) -> (n,) int64."""
    until = np.cumsum(shares, axis=1)
    return (dice[:, None] * until[:, -1:] >= until).sum(axis=1).clip(0, shares.shape[1] - 1)


def occasion_shares() -> np.ndarray:
    """P(an occasion's season | the product's), (4, 5): none, then the seasons."""
    shares = np.full((len(SEASONS), len(SEASONS)), WRONG_OCCASION)
    np.fill_diagonal(shares, OCCASION)
    return np.column_stack([1 - shares.sum(axis=1), shares])


def draw_pictures(seed: int, dial: Dials, truth: Columns) -> np.ndarray:
    """The photographs, (n, SIZE, SIZE, 3) uint8; of twins nearly the same ones."""
    n = len(truth["listing"])
    images = np.empty((n, SIZE, SIZE, 3), dtype=np.uint8)
    dice, changes = dice_for(seed, 1, (n, PICTURE_DICE)), dice_for(seed, 2, (n, 6)).tolist()
    for row, listing in enumerate(truth["listing"]):
        recolour, *edges = changes[row]
        turn = 0.15 + 0.5 * edges[0] if listing and recolour < 0.4 else 0.0
        features = (truth[name][row] for name in ("kind", "colours", "patterned"))
        picture = draw_product(iter(dice[row - listing].tolist()), *features, turn)
        images[row] = np.asarray(cropped(picture, edges[1:]) if listing else picture)
    noise = np.random.default_rng([seed, 3]).standard_normal(images.shape, dtype=np.float32)
    return np.clip(images + 255 * dial.image_noise * noise, 0, 255).astype(np.uint8)


def cropped(picture: Image.Image, dice: list[float]) -> Image.Image:
    """The picture with up to three pixels cut off at each side, at its old size."""
    left, top, right, bottom = (int(4 * number) for number in dice[:4])
    box = (left, top, picture.width - right, picture.height - bottom)
    return picture.resize(picture.size, Image.Resampling.BILINEAR, box)


def write_cells(seed: int, dial: Dials, truth: Columns) -> Columns:
    """The cells of the table that are not labels: ``id``, ``title``, ``price``, ``material``."""
    n = len(truth["listing"])
    dice = dice_for(seed, 4, (n, TITLE_DICE + 4))
    titles, prices, materials = [], [], []
    for row, listing in enumerate(truth["listing"]):
        empty_price, empty_material, euros, cents, *words = dice[row - listing].tolist()
        kind, cloth = (
            truth[what][row] if truth[named][row] else None
            for what, named in (("kind", "names_garment"), ("cloth", "names_material"))
        )
        occasions = [season for season in truth["occasions"][row] if season >= 0]
        titles.append(write_title(iter(words), truth["language"][row], kind, cloth,
                                  int(truth["playful"][row]), occasions, dial.typos,
                                  int(listing)))  # fmt: skip
        low, high = PRICES[truth["band"][row] : truth["band"][row] + 2]
        price = f"{low + int((high - low) * euros)}.{CENTS[int(len(CENTS) * cents)]:02d}"
        prices.append("" if empty_price < dial.empty else price)
        materials.append("" if empty_material < dial.empty else truth["cloth"][row])
    ids = article_numbers(n, seed)
    return {"id": ids, "title": titles, "price": prices, "material": materials}


def article_numbers(n: int, seed: int) -> np.ndarray:
    """Numbers of six digits, (n,), that say nothing of the order."""
    # Modulo a prime no number comes twice before all have come.
    return 100_000 + (np.arange(n) * 377_477 + 7919 * seed) % 899_981


def rows_for(rows: Rows, task: str, split: str | None = None) -> Rows:
    """The rows with one task's column as ``label``; of one split.

    Raises ValueError for an unknown task.
    """
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; there are {' and '.join(TASKS)}")
    if split is not None:
        rows = take(rows, np.asarray(rows["split"]) == split)
    names = TASKS[task]
    label = rows[task] if task == "season" else [names.index(word) for word in rows[task]]
    columns = {**rows, "label": np.array(label, dtype=np.int64)}
    return Rows(columns, names, rows.skipped, rows.modalities)


# --- the folder ----------------------------------------------------------------------------------

BROKEN = ("missing image", "broken image", "wrong number of cells", "broken quote", "empty label")
QUALITY = (82, 74, 66)  # of the JPEG files of a product's first, second and third listing
UPRIGHT_IS_RIGHT = 6  # Exif's orientation of a picture that has to be turned clockwise


def write(
    folder: str | Path, n: int = SAMPLE["n"], seed: int = SAMPLE["seed"], **dials: Any
) -> None:
    """Write a shop's folder: ``products.csv`` and ``photos/<id>.jpg``.

    n: good listings, which are those of ``make(n, seed, **dials)``, in another order. Five more
    are broken, each in another way, as ``BROKEN`` names them.
    """
    folder = Path(folder)
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    rows = make(n + len(BROKEN), seed, **dials)
    lines = []
    for row in range(n + len(BROKEN)):
        fault = BROKEN[row - n] if row >= n else ""
        photo = encoded(Image.fromarray(rows["image"][row]), row, QUALITY[rows["listing"][row]])
        photo = photo[: len(photo) // 2] if fault == "broken image" else photo
        if fault != "missing image":
            (folder / "photos" / f"{rows['id'][row]}.jpg").write_bytes(photo)
        named = {name: rows[name][row] for name in COLUMNS}
        lines.append(written({**named, "season": SEASONS[named["season"]]}, fault))
    order = np.random.default_rng([seed, 5]).permutation(len(lines))
    table = "\n".join([",".join(COLUMNS), *(lines[k] for k in order)]) + "\n"
    (folder / "products.csv").write_text(table, encoding="utf-8", newline="\n")


def written(cells: dict[str, Any], fault: str) -> str:
    """One line of the table, broken where the fault is one of the table."""
    if fault == "empty label":
        cells = {**cells, "season": ""}
    if fault == "wrong number of cells":  # a comma that nobody put in quotes
        return ",".join([*map(str, cells.values())]).replace(
            cells["title"], "Angebot, " + cells["title"]
        )
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells.values())
    if fault == "broken quote":
        return line.getvalue().replace('"', "").replace(cells["title"], f'"{cells["title"]}')
    return line.getvalue()


def encoded(picture: Image.Image, row: int, quality: int) -> bytes:
    """The bytes of a picture's file: JPEG, mostly; a few are what one finds in other folders."""
    settings: dict[str, Any] = {"format": "JPEG", "quality": quality, "optimize": True}
    if row in (10, 11):
        picture = picture.resize((96, 96))
    elif row == 12:
        picture = ImageOps.pad(picture, (80, 64), color=picture.getpixel((0, 0)))
    elif row == 13:
        picture = picture.convert("L")
    elif row == 14:
        picture = picture.convert("CMYK")
    elif row == 15:  # whose name ends in .jpg all the same
        settings = {"format": "PNG"}
    elif row == 16:
        settings["exif"] = Image.Exif()
        settings["exif"][0x0112] = UPRIGHT_IS_RIGHT
        picture = picture.transpose(Image.Transpose.ROTATE_90)
    file = io.BytesIO()
    picture.save(file, **settings)
    return file.getvalue()


# --- the best that can be done --------------------------------------------------------------------


def ceiling(task: str = "season", **dials: Any) -> dict[str, float]:
    """The best accuracy that any model could reach by each reader, on products it has not seen.

    Computed exactly from the generating process: given the season, what is seen is independent,
    so the chances of all that can be seen are products; the chance of the likeliest label is
    added up over them (Bayes' rule). It assumes a reader who recognises every garment and reads
    through typos. ``chance`` is what always naming the commonest label gives; ``both`` are
    picture and title, ``all`` the columns too.

    Raises ValueError for an unknown task or dial.
    """
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; there are {' and '.join(TASKS)}")
    dial = read_dials(Dials, dials, "shop")
    best = {}
    for reader, (factors, look, mood) in seen_by(dial).items():
        chances = joint_chances(task, dial, factors)  # (seen, pattern, mood, label)
        hidden = tuple(axis for axis, seen in ((1, look), (2, mood)) if not seen)
        best[reader] = float(chances.sum(axis=hidden).max(axis=-1).sum())
    chance = float(chances.sum(axis=(0, 1, 2)).max())
    return {"chance": chance, **best}


def seen_by(dial: Dials) -> dict[str, tuple[list[np.ndarray], bool, bool]]:
    """What each reader sees: factors P(outcome | season) (4, K), and whether pattern and mood."""
    kind, colours, cloth, price = map(
        normed, (KIND_SHARES, COLOUR_SHARES, MATERIAL_SHARES, PRICE_SHARES)
    )
    words = [occasion_shares()] * MOST_OCCASIONS
    cell = 1 - dial.empty
    picture = [kind, colours]
    title = [sometimes(kind, dial.named), sometimes(cloth, dial.named), *words]
    columns = [sometimes(cloth, cell), sometimes(price, cell)]
    # Who sees the picture knows the garment, and its name in the title tells nothing more.
    both = [*picture, sometimes(cloth, dial.named), *words]
    either = 1 - (1 - cell) * (1 - dial.named)  # the material stands in its cell or in the title
    everything = [*picture, sometimes(cloth, either), sometimes(price, cell), *words]
    return {
        "image": (picture, True, False),
        "text": (title, False, True),
        "columns": (columns, False, False),
        "both": (both, True, True),
        "all": (everything, True, True),
    }


def joint_chances(task: str, dial: Dials, factors: list[np.ndarray]) -> np.ndarray:
    """P(what is seen, pattern, mood, label), (outcomes, 2, 2, labels)."""
    seen = normed(SEASON_SHARES[None]).T  # (4, 1)
    for factor in factors:
        seen = (seen[:, :, None] * factor[:, None, :]).reshape(len(SEASONS), -1)
    look, mood = (np.column_stack([1 - share, share]) for share in (PATTERNED, PLAYFUL))
    chances = np.einsum("so,sp,sm->opms", seen, look, mood)
    if task == "season":
        return chances
    likes = np.where(np.eye(2), dial.taste, 1 - dial.taste)  # (pattern, mood)
    return chances.sum(axis=-1)[..., None] * np.stack([1 - likes, likes], axis=-1)


def normed(shares: np.ndarray) -> np.ndarray:
    """Rows of sum 1."""
    return shares / shares.sum(axis=1, keepdims=True)


def sometimes(shares: np.ndarray, chance: float) -> np.ndarray:
    """What is seen with this chance, and "nothing" in a last column otherwise."""
    return np.column_stack([chance * shares, np.full(len(shares), 1 - chance)])
