"""The covers of the music cards: thumbnails drawn with Pillow.

Each genre has a motif of its own style, in any place, of any size, and never quite the same twice.
The colours tell the mood and nothing about the genre: warm and pale, or cold and deep.
"""

from collections.abc import Callable, Iterator

from PIL import Image, ImageDraw

SIZE = 48  # pixels, both ways
SMALLEST, LARGEST = 20, 32  # side of a motif's box, pixels
MOST_DICE = 80  # uniform numbers that one cover takes at most
MOST_CLUTTER = 7

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels
Colour = tuple[int, int, int]
Draw = ImageDraw.ImageDraw
Dice = Iterator[float]

# Paper and ink of a dark cover and of a bright one, about which they vary.
MOODS = (((40, 55, 95), (150, 175, 210)), ((235, 205, 150), (125, 55, 45)))


def draw_portrait(draw: Draw, box: Box, ink: Colour, dice: Dice) -> None:
    """An oval frame with a head and shoulders in it, or with a pair of them."""
    left, top, right, bottom = box
    side = right - left
    draw.ellipse(box, outline=ink, width=2)
    for middle in (0.35, 0.65) if next(dice) < 0.5 else (0.5,):
        x, r = left + middle * side, (0.1 + 0.04 * next(dice)) * side
        y = top + (0.3 + 0.08 * next(dice)) * side
        draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)
        draw.pieslice((x - 1.7 * r, y + r, x + 1.7 * r, bottom + r), 180, 360, fill=ink)


def draw_hills(draw: Draw, box: Box, ink: Colour, dice: Dice) -> None:
    """Two hills with one to three fir trees on them."""
    left, top, right, bottom = box
    side = right - left
    split = left + int((0.4 + 0.2 * next(dice)) * side)
    draw.pieslice((left, bottom - side // 2, split + side // 5, bottom + side // 2), 180, 360,
                  fill=ink)  # fmt: skip
    draw.pieslice((split - side // 5, bottom - side // 3, right, bottom + side // 3), 180, 360,
                  fill=ink)  # fmt: skip
    trees = 1 + int(3 * next(dice))
    for tree in range(trees):
        x = left + (tree + 0.3 + 0.4 * next(dice)) / trees * side
        foot, half = bottom - 0.35 * side, 0.12 * side
        draw.polygon(((x, top), (x - half, foot), (x + half, foot)), fill=ink)


def draw_keys(draw: Draw, box: Box, ink: Colour, dice: Dice) -> None:
    """A piece of a keyboard: white keys in outline, black ones between them."""
    left, top, right, bottom = box
    side = right - left
    high, low = top + side // 5, bottom - side // 5
    keys = 4 + int(3 * next(dice))
    draw.rectangle((left, high, right, low), outline=ink)
    gap = int(keys * next(dice))  # where two white keys have no black one between them
    for key in range(1, keys):
        x = left + key / keys * side
        draw.line((x, high, x, low), fill=ink)
        if key != gap:
            draw.rectangle((x - side // 16, high, x + side // 16, (high + low) // 2), fill=ink)


def draw_lightning(draw: Draw, box: Box, ink: Colour, dice: Dice) -> None:
    """A bolt of lightning, leaning either way."""
    left, top, right, _ = box
    side = right - left
    bolt = ((0.55, 0), (0.1, 0.58), (0.42, 0.58), (0.25, 1), (0.9, 0.38), (0.56, 0.38), (0.8, 0))
    mirrored, lean = next(dice) < 0.5, 0.3 * next(dice) - 0.15
    corners = [(x + lean * (0.5 - y), y) for x, y in bolt]
    corners = [(1 - x if mirrored else x, y) for x, y in corners]
    draw.polygon([(left + x * side, top + y * side) for x, y in corners], fill=ink)


def draw_dots(draw: Draw, box: Box, ink: Colour, dice: Dice) -> None:
    """A grid of dots or of squares, some of them left out."""
    left, top, right, _ = box
    count = 4 + int(2 * next(dice))
    step = (right - left) / count
    shape = draw.ellipse if next(dice) < 0.5 else draw.rectangle
    for row in range(count):
        for column in range(count):
            x, y = left + column * step, top + row * step
            if next(dice) > 0.12:
                shape((x, y, x + 0.6 * step, y + 0.6 * step), fill=ink)


# In the order of music_cards.GENRES.
MOTIFS: tuple[Callable[[Draw, Box, Colour, Dice], None], ...] = (
    draw_portrait,
    draw_hills,
    draw_keys,
    draw_lightning,
    draw_dots,
)


def colours(bright: bool, dice: Dice) -> tuple[Colour, Colour]:
    """Paper and ink of a mood, each value up to 35 steps away from the mood's own."""
    paper, ink = (
        tuple(int(min(255, max(0, value + 70 * next(dice) - 35))) for value in colour)
        for colour in MOODS[bright]
    )
    return paper, ink


def add_clutter(draw: Draw, paper: Colour, shapes: int, dice: Dice) -> None:
    """Small discs and blocks in colours near the paper's that mean nothing."""
    for _ in range(shapes):
        shape = draw.ellipse if next(dice) < 0.5 else draw.rectangle
        x, y, side = SIZE * next(dice), SIZE * next(dice), 3 + 6 * next(dice)
        shade = 120 * next(dice) - 60
        colour = tuple(int(min(255, max(0, value + shade))) for value in paper)
        shape((x, y, x + side, y + side), fill=colour)


def draw_cover(dice: Dice, style: int | None, bright: bool, clutter: int) -> Image.Image:
    """One cover, (SIZE, SIZE) RGB.

    dice: uniform numbers in [0, 1) that decide everything that is left open, at most MOST_DICE.
    style: index into MOTIFS, or None for a cover without a motif. bright: the mood.
    clutter: number of meaningless shapes, at most MOST_CLUTTER.
    """
    paper, ink = colours(bright, dice)
    side = int(SMALLEST + (LARGEST - SMALLEST + 1) * next(dice))
    left, top = (int((SIZE - side) * next(dice)) for _ in range(2))
    picture = Image.new("RGB", (SIZE, SIZE), paper)
    draw = ImageDraw.Draw(picture)
    add_clutter(draw, paper, clutter, dice)
    if style is not None:
        MOTIFS[style](draw, (left, top, left + side, top + side), ink, dice)
    return picture
