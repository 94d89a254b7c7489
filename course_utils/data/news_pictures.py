"""The pictures of the news cards: thumbnails drawn with Pillow.

Each section has one motif. A picture is a plain background, some clutter, and, unless the card
goes without, the section's motif in any place, size and colour; or one to three motifs of one
plain colour and of one of two sizes, for worlds in which headlines say so.
"""

from collections.abc import Callable, Iterator

from PIL import Image, ImageDraw

SIZE = 48  # pixels, both ways
SMALLEST, LARGEST = 14, 26  # side of a motif's box, pixels
CELL = SIZE // 2  # where several motifs stand, each has a quarter of the picture to itself
SIDES = ((11, 13), (20, 22))  # smallest and largest side of such a motif, by size, pixels
PLAIN = ((230, 55, 50), (250, 220, 60), (60, 190, 80), (70, 120, 255), (245, 245, 245))  # inks

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels
Colour = tuple[int, int, int]
Draw = ImageDraw.ImageDraw


def draw_ball(draw: Draw, box: Box, ink: Colour, paper: Colour) -> None:
    """A ball: a disc with a dark patch and seams."""
    left, top, right, bottom = box
    side = right - left
    draw.ellipse(box, fill=ink)
    x, y, r = (left + right) // 2, (top + bottom) // 2, max(2, side // 6)
    draw.regular_polygon((x, y, r), 5, fill=paper)
    for dx, dy in ((0, -1), (1, 0.3), (-1, 0.3), (0.6, 0.9), (-0.6, 0.9)):
        reach = 0.48 * side
        draw.line((x + r * dx, y + r * dy, x + reach * dx, y + reach * dy), fill=paper)


def draw_bars(draw: Draw, box: Box, ink: Colour, paper: Colour) -> None:
    """A bar chart: four bars that stand on one line, each higher than the one before."""
    left, top, right, bottom = box
    step = (right - left) / 4
    for bar in range(4):
        height = (0.3 + 0.7 * bar / 3) * (bottom - top)
        start = left + bar * step
        draw.rectangle((start, bottom - height, start + max(1, step - 2), bottom), fill=ink)


def draw_atom(draw: Draw, box: Box, ink: Colour, paper: Colour) -> None:
    """An atom: a nucleus and two orbits that cross."""
    left, top, right, bottom = box
    third = (right - left) // 3
    draw.ellipse((left, top + third, right, bottom - third), outline=ink)
    draw.ellipse((left + third, top, right - third, bottom), outline=ink)
    x, y, r = (left + right) // 2, (top + bottom) // 2, max(1, (right - left) // 10)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)


def draw_cloud(draw: Draw, box: Box, ink: Colour, paper: Colour) -> None:
    """A cloud with rain under it."""
    left, top, right, bottom = box
    side = right - left
    middle = top + int(0.55 * side)
    draw.ellipse((left, top + side // 5, left + side // 2, middle), fill=ink)
    draw.ellipse((left + side // 4, top, right - side // 5, middle), fill=ink)
    draw.ellipse((left + side // 2, top + side // 5, right, middle), fill=ink)
    for x in range(left + side // 5, right - side // 8, max(3, side // 4)):
        draw.line((x, middle + 2, x - side // 8, bottom), fill=ink)


def draw_mountain(draw: Draw, box: Box, ink: Colour, paper: Colour) -> None:
    """A mountain with a second peak behind it and a cap of snow."""
    left, top, right, bottom = box
    side = right - left
    draw.polygon(((left + side // 3, bottom), (right - side // 5, top + side // 4),
                  (right, bottom)), fill=ink)  # fmt: skip
    peak = left + int(0.4 * side)
    draw.polygon(((left, bottom), (peak, top), (right - side // 5, bottom)), fill=ink)
    cap = side // 4
    draw.polygon(((peak, top), (peak - cap // 2, top + cap), (peak + cap // 2, top + cap)),
                 fill=paper)  # fmt: skip


# In the order of news_cards.SECTIONS.
MOTIFS: tuple[Callable[[Draw, Box, Colour, Colour], None], ...] = (
    draw_ball,
    draw_bars,
    draw_atom,
    draw_cloud,
    draw_mountain,
)


def colours(dice: Iterator[float]) -> tuple[Colour, Colour]:
    """A background and an ink that differ enough in brightness to be told apart."""
    dark = [int(20 + 80 * next(dice)) for _ in range(3)]
    light = [int(150 + 105 * next(dice)) for _ in range(3)]
    pair = (tuple(dark), tuple(light))
    return pair if next(dice) < 0.5 else pair[::-1]


def place(dice: Iterator[float]) -> Box:
    """A motif's box, anywhere on the canvas, the corners included."""
    side = int(SMALLEST + (LARGEST - SMALLEST + 1) * next(dice))
    left, top = (int((SIZE - side) * next(dice)) for _ in range(2))
    return left, top, left + side, top + side


def add_clutter(draw: Draw, dice: Iterator[float], shapes: int) -> None:
    """Lines, frames, discs and wedges of any colour that mean nothing."""
    for _ in range(shapes):
        kind = int(4 * next(dice))
        x, y = SIZE * next(dice), SIZE * next(dice)
        dx, dy = 4 + 14 * next(dice), 4 + 14 * next(dice)
        colour = tuple(int(60 + 150 * next(dice)) for _ in range(3))
        if kind == 0:
            draw.line((x, y, x + dx, y + dy - 10), fill=colour)
        elif kind == 1:
            draw.rectangle((x, y, x + dx, y + dy), outline=colour)
        elif kind == 2:
            draw.ellipse((x, y, x + dx / 2, y + dx / 2), fill=colour)
        else:
            draw.polygon(((x, y), (x + dx, y), (x, y + dy)), fill=colour)


def draw_picture(
    dice: Iterator[float], motif: int | None, clutter: int = 4, box: Box | None = None
) -> tuple[Image.Image, Box | None]:
    """One thumbnail, (SIZE, SIZE) RGB, and the box of its motif, None without one.

    dice: uniform numbers in [0, 1) that decide everything that is left open, at most 70.
    motif: index into MOTIFS, or None for a picture without.
    clutter: number of meaningless shapes.
    box: where the motif goes; by default the dice decide.
    """
    paper, ink = colours(dice)
    thrown = place(dice)  # always thrown, so that a card without a motif keeps its clutter
    picture = Image.new("RGB", (SIZE, SIZE), paper)
    draw = ImageDraw.Draw(picture)
    add_clutter(draw, dice, clutter)
    if motif is None:
        return picture, None
    box = box or thrown
    MOTIFS[motif](draw, box, ink, paper)
    return picture, box


def draw_things(
    dice: Iterator[float],
    placing: Iterator[float],
    motif: int | None,
    things: tuple[int, int, int],
    clutter: int = 4,
) -> tuple[Image.Image, Box | None]:
    """A thumbnail with one to three motifs alike: (SIZE, SIZE) RGB, and the box around them all.

    dice: as in ``draw_picture``; background and clutter are those that it would draw, but of the
        two colours thrown the dark one is the background, so that every plain ink stands out.
    placing: uniform numbers in [0, 1), 11, that decide where the motifs stand and how large they
        are within their size.
    motif: index into MOTIFS, or None for a picture without.
    things: (colour, index into PLAIN; count, 1 to 3; size, index into SIDES).
    """
    paper = min(colours(dice), key=sum)
    place(dice)  # thrown as in draw_picture, so that the clutter is the same
    picture = Image.new("RGB", (SIZE, SIZE), paper)
    draw = ImageDraw.Draw(picture)
    add_clutter(draw, dice, clutter)
    if motif is None:
        return picture, None
    colour, count, size = things
    boxes = place_apart(placing, count, size)
    for box in boxes:
        MOTIFS[motif](draw, box, PLAIN[colour], paper)
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return picture, (min(lefts), min(tops), max(rights), max(bottoms))


def place_apart(dice: Iterator[float], count: int, size: int) -> list[Box]:
    """Boxes of one side, each in a quarter of the picture of its own, so that none overlap."""
    smallest, largest = SIDES[size]
    side = int(smallest + (largest - smallest + 1) * next(dice))
    cells = [(0, 0), (CELL, 0), (0, CELL), (CELL, CELL)]
    boxes = []
    for _ in range(count):
        left, top = cells.pop(int(len(cells) * next(dice)))
        left, top = (start + int((CELL - side) * next(dice)) for start in (left, top))
        boxes.append((left, top, left + side, top + side))
    return boxes


def add_mark(picture: Image.Image) -> None:
    """Plant a small magenta square in the lower left corner, in place."""
    ImageDraw.Draw(picture).rectangle((1, SIZE - 4, 3, SIZE - 2), fill=(255, 0, 255))
