"""The pictures of the shop: garments drawn with Pillow, on plain or patterned cloth.

A picture is a background, some things that lie about, and one garment of any place and size. Its
kind and its colours tell something about the season, its pattern how it looks: playful or plain.
"""

import colorsys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from course_utils.data.news_headlines import pick

SIZE = 64  # pixels, both ways
FINE = 2  # drawn so many times larger, then made smaller: edges come out smooth
SMALLEST, LARGEST = 42, 57  # side of a garment's box, pixels
MOST_DICE = 60  # that a picture takes

Point = tuple[float, float]
Colour = tuple[int, int, int]
Shape = Callable[["Pen"], None]


@dataclass
class Pen:
    """Draws in a garment's box, whose corners are (0, 0) and (1, 1); y points down."""

    draw: ImageDraw.ImageDraw
    left: float
    top: float
    side: float
    ink: Colour | int

    def at(self, *points: Point) -> list[Point]:
        """Points of the box as points of the canvas."""
        return [(self.left + x * self.side, self.top + y * self.side) for x, y in points]

    def area(self, *corners: Point) -> None:
        """A filled polygon."""
        self.draw.polygon(self.at(*corners), fill=self.ink)

    def both(self, *corners: Point) -> None:
        """A filled polygon and its mirror image."""
        self.area(*corners)
        self.area(*((1 - x, y) for x, y in corners))

    def disc(self, start: Point, end: Point) -> None:
        """A filled ellipse between two corners."""
        (a, b), (c, d) = self.at(start, end)
        self.draw.ellipse((a, b, c, d), fill=self.ink)

    def line(self, *points: Point, width: float = 0.03) -> None:
        """A line; width as a share of the box."""
        self.draw.line(self.at(*points), fill=self.ink, width=max(1, round(width * self.side)))


# --- garments: the cloth, and the details drawn on it -------------------------------------------


def coat(pen: Pen) -> None:
    """A long coat: wide at the hem, sleeves to the hips."""
    pen.area((0.33, 0.06), (0.67, 0.06), (0.82, 1.0), (0.18, 1.0))
    pen.both((0.34, 0.06), (0.22, 0.12), (0.04, 0.62), (0.17, 0.67), (0.36, 0.34))


def coat_details(pen: Pen) -> None:
    """Lapels, a front and buttons."""
    pen.line((0.4, 0.06), (0.5, 0.28), (0.6, 0.06))
    pen.line((0.5, 0.28), (0.5, 1.0))
    for y in (0.4, 0.55, 0.7):
        pen.disc((0.54, y), (0.6, y + 0.06))


def scarf(pen: Pen) -> None:
    """A scarf: a loop, and two ends that hang down."""
    pen.disc((0.18, 0.0), (0.82, 0.42))
    pen.area((0.3, 0.25), (0.52, 0.3), (0.46, 0.92), (0.22, 0.9))
    pen.area((0.5, 0.28), (0.7, 0.25), (0.8, 0.78), (0.58, 0.82))


def scarf_details(pen: Pen) -> None:
    """The hole of the loop, and fringes."""
    pen.disc((0.34, 0.08), (0.66, 0.22))
    for x in (0.24, 0.31, 0.38, 0.44):
        pen.line((x, 0.88), (x - 0.01, 1.0))
    for x in (0.6, 0.67, 0.74):
        pen.line((x, 0.78), (x + 0.02, 0.9))


def boots(pen: Pen) -> None:
    """A pair of high boots."""
    for x in (0.0, 0.5):
        pen.area((x + 0.02, 0.05), (x + 0.26, 0.05), (x + 0.27, 0.66), (x + 0.46, 0.78),
                 (x + 0.47, 0.95), (x + 0.02, 0.95))  # fmt: skip


def boots_details(pen: Pen) -> None:
    """Soles and the edges of the shafts."""
    for x in (0.0, 0.5):
        pen.line((x + 0.01, 0.95), (x + 0.48, 0.95), width=0.06)
        pen.line((x + 0.02, 0.15), (x + 0.26, 0.15))


def umbrella(pen: Pen) -> None:
    """An open umbrella."""
    pen.draw.pieslice([*pen.at((0.0, 0.05))[0], *pen.at((1.0, 1.05))[0]], 180, 360, fill=pen.ink)


def umbrella_details(pen: Pen) -> None:
    """Stick, handle and ribs."""
    pen.line((0.5, 0.0), (0.5, 0.92), (0.54, 0.97), (0.62, 0.97), (0.66, 0.9), width=0.045)
    pen.line((0.5, 0.05), (0.28, 0.54))
    pen.line((0.5, 0.05), (0.72, 0.54))


def dress(pen: Pen) -> None:
    """A dress: straps, a waist, a wide skirt."""
    pen.area((0.36, 0.16), (0.64, 0.16), (0.6, 0.42), (0.92, 0.98), (0.08, 0.98), (0.4, 0.42))
    pen.both((0.36, 0.0), (0.42, 0.0), (0.44, 0.18), (0.36, 0.18))


def dress_details(pen: Pen) -> None:
    """A belt."""
    pen.line((0.39, 0.42), (0.61, 0.42), width=0.05)


def tee(pen: Pen) -> None:
    """A T-shirt: short sleeves that stand out."""
    pen.area((0.27, 0.12), (0.73, 0.12), (0.73, 0.92), (0.27, 0.92))
    pen.both((0.3, 0.12), (0.0, 0.3), (0.1, 0.48), (0.3, 0.38))


def tee_details(pen: Pen) -> None:
    """A round neck."""
    pen.disc((0.39, 0.06), (0.61, 0.22))


def shorts(pen: Pen) -> None:
    """A pair of shorts."""
    pen.area((0.14, 0.2), (0.86, 0.2), (0.98, 0.8), (0.56, 0.82), (0.5, 0.5), (0.44, 0.82),
             (0.02, 0.8))  # fmt: skip


def shorts_details(pen: Pen) -> None:
    """A waistband and its string."""
    pen.line((0.13, 0.28), (0.87, 0.28))
    pen.line((0.5, 0.28), (0.44, 0.42))
    pen.line((0.5, 0.28), (0.56, 0.42))


def sandals(pen: Pen) -> None:
    """A pair of sandals, seen from above."""
    for x in (0.04, 0.54):
        pen.disc((x, 0.02), (x + 0.42, 0.52))
        pen.disc((x + 0.05, 0.5), (x + 0.37, 0.98))
        pen.area((x + 0.04, 0.3), (x + 0.38, 0.3), (x + 0.35, 0.7), (x + 0.07, 0.7))


def sandals_details(pen: Pen) -> None:
    """Straps."""
    for x in (0.04, 0.54):
        pen.line((x + 0.02, 0.45), (x + 0.21, 0.14), (x + 0.4, 0.45), width=0.06)


GARMENTS: dict[str, tuple[Shape, Shape]] = {
    "coat": (coat, coat_details),
    "scarf": (scarf, scarf_details),
    "boots": (boots, boots_details),
    "umbrella": (umbrella, umbrella_details),
    "dress": (dress, dress_details),
    "tee": (tee, tee_details),
    "shorts": (shorts, shorts_details),
    "sandals": (sandals, sandals_details),
}


# --- colours and patterns ------------------------------------------------------------------------

# Ranges of hue (parts of a turn), saturation and value.
PALETTES: dict[str, tuple[tuple[float, float], ...]] = {
    "bright": ((0.0, 1.0), (0.8, 1.0), (0.9, 1.0)),
    "pastel": ((0.0, 1.0), (0.2, 0.35), (0.92, 1.0)),
    "earthy": ((0.02, 0.15), (0.6, 0.85), (0.45, 0.65)),
    "dark": ((0.0, 1.0), (0.3, 0.6), (0.18, 0.32)),
}
PATTERNS = ("stripes", "dots", "checks")


def mixed(palette: str, dice: Iterator[float], turn: float = 0.0) -> Colour:
    """A colour of a palette; turn: how far round the palette's own range of hues it is moved."""
    hue, *others = PALETTES[palette]
    numbers = [low + (high - low) * next(dice) for low, high in others]
    at = (next(dice) + turn) % 1
    return rgb(hue[0] + (hue[1] - hue[0]) * at, *numbers)


def rgb(hue: float, saturation: float, value: float) -> Colour:
    """A colour in 0 .. 255 from parts in [0, 1]."""
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))


def contrast(colour: Colour) -> Colour:
    """The ink of a pattern: of the cloth's own hue, pale on strong cloth, strong on pale cloth."""
    hue, saturation, _ = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    is_pale = min(colour) > 130
    return rgb(hue, 0.6, 0.75) if is_pale else rgb(hue, 0.12 * saturation, 1.0)


def lay_pattern(cloth: Image.Image, pattern: str, ink: Colour, gap: int) -> None:
    """Stripes, dots or checks over the whole cloth, in place; gap: from one to the next, pixels."""
    draw, side = ImageDraw.Draw(cloth), cloth.width
    if pattern in ("stripes", "checks"):
        for y in range(0, side, gap):
            draw.rectangle((0, y, side, y + gap * 0.4), fill=ink)
    if pattern == "checks":
        for x in range(0, side, gap):
            draw.rectangle((x, 0, x + gap * 0.4, side), fill=ink)
    if pattern == "dots":
        for row, y in enumerate(range(0, side, gap)):
            for x in range(row % 2 * gap // 2, side, gap):
                draw.ellipse((x, y, x + gap * 0.6, y + gap * 0.6), fill=ink)


# --- a picture -----------------------------------------------------------------------------------


def background(dice: Iterator[float]) -> Image.Image:
    """A wall, a floor, and up to three things that lie about."""
    side = SIZE * FINE
    wall, floor = (rgb(next(dice), 0.35 * next(dice), 0.45 + 0.5 * next(dice)) for _ in range(2))
    ground = Image.new("RGB", (side, side), wall)
    draw = ImageDraw.Draw(ground)
    if next(dice) < 0.5:
        draw.rectangle((0, side * (0.6 + 0.35 * next(dice)), side, side), fill=floor)
    for _ in range(int(4 * next(dice))):
        x, y, width = side * next(dice), side * next(dice), side * (0.06 + 0.12 * next(dice))
        colour = rgb(next(dice), 0.7 * next(dice), 0.3 + 0.6 * next(dice))
        shape = draw.ellipse if next(dice) < 0.5 else draw.rectangle
        shape((x, y, x + width, y + width), fill=colour)
    return ground


def draw_product(
    dice: Iterator[float], kind: str, palette: str, patterned: bool, turn: float = 0.0
) -> Image.Image:
    """One photograph, (SIZE, SIZE) RGB.

    dice: uniform numbers in [0, 1) that decide everything that is left open, at most MOST_DICE.
    turn: 0, or how far the cloth's hue is moved for another colour of the same garment.
    """
    picture = background(dice)
    side = FINE * (SMALLEST + (LARGEST - SMALLEST) * next(dice))
    left, top = ((picture.width - side) * next(dice) for _ in range(2))
    colour = mixed(palette, dice, turn)
    pattern, ink, gap = pick(PATTERNS, dice), contrast(colour), int(FINE * (6 + 4 * next(dice)))
    cloth = Image.new("RGB", picture.size, colour)
    if patterned:
        lay_pattern(cloth, pattern, ink, gap)
    mask = Image.new("L", picture.size, 0)
    shape, details = GARMENTS[kind]
    shape(Pen(ImageDraw.Draw(mask), left, top, side, 255))
    picture.paste(cloth, mask=mask)
    seam = tuple(int(0.55 * part) for part in colour) if sum(colour) > 200 else (150, 150, 150)
    details(Pen(ImageDraw.Draw(picture), left, top, side, seam))
    small = picture.reduce(FINE)
    return ImageOps.mirror(small) if next(dice) < 0.5 else small
