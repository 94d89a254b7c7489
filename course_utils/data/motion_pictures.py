"""What motion clips show: a shape that moves among clutter, and the poster beside it, in numpy.

A shape is what its signed distance is not above 0: negative inside, positive outside, in pixels.
One pixel's width around 0 is drawn half, so edges are smooth and small motions show.
"""

import numpy as np

SHAPES = ("disc", "square", "triangle", "cross")
KINDS = ("orbit", "swell")
SIDE, POSTER = 32, 48  # of a frame and of a poster, in pixels
RHYTHM = 16  # frames in which a clip makes as many turns as its pace says
TURNS = ((0.4, 0.6), (1.2, 1.6))  # slow, fast: turns in RHYTHM frames, anywhere between two
MOST_CLUTTER = 7
COOL, WARM, GREY = 0, 1, 2  # a poster's ground
GROUNDS = np.array([[30, 60, 110], [120, 55, 20], [70, 70, 70]])  # RGB


def distance(shape: int, x: np.ndarray, y: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """How far (x, y), in pixels from the middle, lies outside of a shape of about this radius."""
    if shape == 0:
        return np.sqrt(x * x + y * y) - radius
    if shape == 1:
        return np.maximum(np.abs(x), np.abs(y)) - 0.87 * radius
    if shape == 2:
        return np.maximum(np.abs(x) * 0.866 + y * 0.5, -y) - 0.62 * radius
    long, short = 1.1 * radius, 0.4 * radius
    wide = np.maximum(np.abs(x) - long, np.abs(y) - short)
    high = np.maximum(np.abs(y) - long, np.abs(x) - short)
    return np.minimum(wide, high)


def ink(away: np.ndarray) -> np.ndarray:
    """How much of each pixel a shape covers, 0 to 1, by the signed distance of its middle."""
    return np.clip(0.5 - away, 0, 1)


def draw_clip(
    rng: np.random.Generator,
    kind: str | None,
    shape: int,
    fast: bool,
    *,
    noise: float,
    clutter: int,
    frames: int,
) -> np.ndarray:
    """One clip (frames, 32, 32) uint8.

    kind: "orbit", clockwise around the middle; "swell", which grows and starts again small; None,
        which grows and shrinks in turn and looks the same played backwards. The phase in which a
        clip begins is uniform, so no frame at a known place gives a direction away.
    noise: standard deviation of each pixel's noise, as a share of white; clutter: shapes that rest.
    """
    ends = TURNS[int(fast)]
    phase = rng.random() + rng.uniform(*ends) * np.arange(frames) / RHYTHM  # in turns
    x, y, radius = path(rng, kind, phase)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    ground = np.full((SIDE, SIDE), rng.uniform(0, 0.25), dtype=np.float32)
    for _ in range(clutter):
        (a, b), size = rng.uniform(0, SIDE, 2), rng.uniform(1, 2)
        speck = distance(int(rng.integers(0, 2)), columns - a, rows - b, size)
        ground = np.maximum(ground, rng.uniform(0.2, 0.6) * ink(speck - 1))
    x, y, radius = (part.astype(np.float32)[:, None, None] for part in (x, y, radius))
    covered = ink(distance(shape, columns - x, rows - y, radius))
    light = np.float32(rng.uniform(0.6, 1))
    grain = rng.standard_normal(covered.shape, dtype=np.float32)
    clip = ground * (1 - covered) + light * covered + np.float32(noise) * grain
    return np.clip(255 * clip, 0, 255).astype(np.uint8)


def path(
    rng: np.random.Generator, kind: str | None, phase: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the shape's middle is and how large it is in each frame: x, y, radius, in pixels."""
    if kind == "orbit":
        middle, reach = SIDE / 2 + rng.uniform(-2, 2, 2), rng.uniform(7, 9)
        angle = 2 * np.pi * phase
        size = np.full(len(phase), rng.uniform(4, 5))
        return middle[0] + reach * np.cos(angle), middle[1] + reach * np.sin(angle), size
    x, y = (np.full(len(phase), place) for place in SIDE / 2 + rng.uniform(-6, 6, 2))
    grown = phase % 1 if kind == "swell" else np.abs(2 * (phase % 1) - 1)
    return x, y, 3 + 6 * grown


def draw_poster(
    rng: np.random.Generator, badge: int | None, ground: int, noise: float
) -> np.ndarray:
    """A poster (48, 48, 3) uint8: a light badge anywhere on a ground that is cool, warm or grey.

    badge: one of SHAPES; None leaves it out. noise: as for ``draw_clip``.
    """
    poster = GROUNDS[ground] + rng.integers(-20, 21, 3)
    light, radius = rng.integers(150, 256), rng.uniform(7, 12)
    x, y = rng.uniform(radius, POSTER - radius, 2)
    poster = np.broadcast_to(poster, (POSTER, POSTER, 3)).astype(np.float32)
    if badge is not None:
        rows, columns = np.mgrid[:POSTER, :POSTER].astype(np.float32)
        covered = ink(distance(badge, columns - x, rows - y, radius))[..., None]
        poster = poster * (1 - covered) + light * covered
    grain = rng.standard_normal(poster.shape, dtype=np.float32)
    return np.clip(poster + 255 * noise * grain, 0, 255).astype(np.uint8)
