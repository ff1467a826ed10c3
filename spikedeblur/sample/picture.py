"""A sharp picture drawn by arithmetic: a street with houses, cobbles, trees and signs.

It stands in for a photograph wherever the project shows or measures itself, because a photograph
carries somebody's licence and a drawing of our own does not. Fine texture at every scale, saturated
and dull colours, thin lines and lettering are there because deblurring is judged by them.

Canvases are (H, W, 3) float32, sRGB in [0, 1].
"""

from __future__ import annotations

import numpy as np

from spikedeblur.recording.resample import resize_planes

Canvas = np.ndarray
HORIZON = 0.70  # of the height: where houses meet the street
WALLS = (
    (0.62, 0.30, 0.22),
    (0.80, 0.70, 0.52),
    (0.42, 0.50, 0.56),
    (0.72, 0.44, 0.30),
    (0.84, 0.80, 0.74),
    (0.45, 0.27, 0.24),
    (0.56, 0.62, 0.44),
)
SIGNS = ((0.85, 0.10, 0.12), (0.05, 0.35, 0.70), (0.95, 0.75, 0.05), (0.05, 0.50, 0.25))
LEAVES = ((0.16, 0.34, 0.08), (0.30, 0.46, 0.12), (0.45, 0.55, 0.18), (0.10, 0.22, 0.07))


def draw_street(height: int = 450, width: int = 800, seed: int = 0) -> np.ndarray:
    """The picture, uint8 (2 height, 2 width, 3); a function of its arguments alone.

    It is drawn at half size and enlarged, because no lens shows an edge as sharp as arithmetic.
    """
    rng = np.random.default_rng(seed)
    canvas = sky(height, width, rng)
    ground = int(HORIZON * height)
    left = 0
    while left < width:
        span = int(rng.uniform(0.13, 0.22) * width)
        top = int(rng.uniform(0.08, 0.30) * height)
        house(canvas[top:ground, left : left + span], rng)
        left += span
    canvas[ground:] = cobbles(height - ground, width, rng)
    for place in rng.permutation(np.linspace(0.06, 0.94, 5))[:3]:
        tree(canvas, int(place * width), ground, rng)
    railing(canvas, ground, rng)
    planes = resize_planes(np.clip(canvas, 0, 1).transpose(2, 0, 1), (2 * height, 2 * width))
    return (planes.transpose(1, 2, 0) * 255).round().astype(np.uint8)


def fractal_noise(height: int, width: int, rng: np.random.Generator, finest: int = 1) -> np.ndarray:
    """Smooth noise (height, width) of spread 1 with every octave, fainter as it gets finer."""
    total = np.zeros((height, width), np.float32)
    cell = 2 ** int(np.log2(max(height, width)))
    while cell >= finest:
        rows, columns = height // cell + 2, width // cell + 2
        lattice = rng.standard_normal((rows, columns)).astype(np.float32)
        total += cell**0.8 * _stretch(_stretch(lattice, height, cell).T, width, cell).T
        cell //= 2
    return (total - total.mean()) / total.std()


def _stretch(lattice: np.ndarray, length: int, cell: int) -> np.ndarray:
    """Interpolate rows of a lattice `cell` apart to `length` rows."""
    place = np.arange(length) / cell
    low = place.astype(int)
    share = (place - low)[:, None].astype(np.float32)
    return lattice[low] * (1 - share) + lattice[low + 1] * share


def sky(height: int, width: int, rng: np.random.Generator) -> Canvas:
    """Blue that pales towards the horizon, with clouds."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    blue = (1 - down) * np.array([0.32, 0.53, 0.80]) + down * np.array([0.78, 0.86, 0.92])
    cloud = np.clip(0.5 + 0.6 * fractal_noise(height, width, rng, finest=4), 0, 1)[..., None]
    return (blue * (1 - 0.8 * cloud) + 0.8 * cloud * 0.96).astype(np.float32)


def house(wall: Canvas, rng: np.random.Generator) -> None:
    """Bricks or plaster, a cornice, rows of windows, a shop sign: drawn into `wall`."""
    height, width = wall.shape[:2]
    colour = np.array(WALLS[rng.integers(len(WALLS))], np.float32)
    y, x = np.mgrid[:height, :width]
    wall[:] = colour * (1 + 0.05 * fractal_noise(height, width, rng)[..., None])
    if rng.random() < 0.7:
        course = y // 7
        brick = (x + 8 * (course % 2)) // 16
        shade = rng.standard_normal((height // 7 + 1, width // 16 + 2)).astype(np.float32)
        wall *= 1 + 0.13 * shade[course, brick][..., None]
        mortar = (y % 7 == 0) | ((x + 8 * (course % 2)) % 16 == 0)
        wall[mortar] = 0.6 * wall[mortar] + 0.4 * 0.7
    wall[:6] *= 0.45
    wall[6:12] *= 1.25
    storey, bay = int(rng.uniform(70, 95)), int(rng.uniform(48, 66))
    for top in range(26, height - storey, storey):
        for left in range(14, width - bay + 8, bay):
            window(wall[top : top + storey - 26, left : left + bay - 18], rng)
    shop_sign(wall[height - storey + 14 : height - storey + 44, 10 : width - 10], rng)
    window(wall[height - storey + 50 :, 12 : width - 12], rng)


def window(pane: Canvas, rng: np.random.Generator) -> None:
    """A frame, glass that reflects a slanted light, glazing bars, sometimes a curtain."""
    height, width = pane.shape[:2]
    if min(height, width) < 12:
        return
    y, x = np.mgrid[:height, :width]
    glass = rng.uniform(0.08, 0.35) * np.array([0.8, 0.95, 1.1]) * np.ones_like(pane)
    glass += 0.25 * (((x + y + rng.integers(60)) // 17) % 3 == 0)[..., None]
    if rng.random() < 0.4:
        folds = 0.75 + 0.2 * np.sin(x * rng.uniform(0.8, 1.6))
        curtain = folds[..., None] * rng.uniform(0.5, 1, 3)
        glass = np.where((y < 0.55 * height)[..., None], curtain, glass)
    pane[:] = glass
    bars = (x % max(9, width // 3) < 2) | (y % max(12, height // 2) < 2)
    edge = (x < 3) | (x >= width - 3) | (y < 3) | (y >= height - 4)
    pane[bars | edge] = rng.choice([0.95, 0.88, 0.2])


def shop_sign(board: Canvas, rng: np.random.Generator) -> None:
    """A coloured board with lettering of strokes."""
    height, width = board.shape[:2]
    if height < 20 or width < 40:
        return
    board[:] = SIGNS[rng.integers(len(SIGNS))]
    ink = rng.choice([0.02, 0.98])
    for left in range(8, width - 18, 17):
        if rng.random() < 0.15:
            continue  # a gap between words
        glyph = board[5 : height - 5, left : left + 12]
        tall = glyph.shape[0]
        for _ in range(3):
            if rng.random() < 0.5:
                column = rng.integers(0, 10)
                glyph[:, column : column + 2] = ink
            else:
                row = rng.choice([0, tall // 2, tall - 3])
                glyph[row : row + 3] = ink
    board[:2], board[-2:] = 0.9, 0.1


def cobbles(height: int, width: int, rng: np.random.Generator) -> Canvas:
    """A pavement: each pixel belongs to the nearest of jittered lattice points."""
    cell = 15
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rows, columns = height // cell + 3, width // cell + 3
    jitter = rng.uniform(0.15, 0.85, (2, rows, columns)).astype(np.float32)
    shade = rng.uniform(0.30, 0.62, (rows, columns)).astype(np.float32)
    nearest = np.full((height, width), np.inf, np.float32)
    second, tone = nearest.copy(), np.zeros_like(nearest)
    row, column = (y // cell).astype(int) + 1, (x // cell).astype(int) + 1
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            r, c = row + dy, column + dx
            distance = np.hypot(
                (r - 1 + jitter[0][r, c]) * cell - y, (c - 1 + jitter[1][r, c]) * cell - x
            )
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            tone = np.where(closer, shade[r, c], tone)
            nearest = np.where(closer, distance, nearest)
    gap = np.clip((second - nearest) / 3, 0, 1)
    stone = tone * (1.15 - 0.03 * nearest) * gap + 0.12 * (1 - gap)
    stone *= 1 + 0.08 * fractal_noise(height, width, rng)
    return stone[..., None] * np.array([1.04, 1.0, 0.94], np.float32)


def tree(canvas: Canvas, place: int, ground: int, rng: np.random.Generator) -> None:
    """A trunk with bark, and a crown of some thousand leaves, each a small ellipse."""
    height, width = canvas.shape[:2]
    trunk = canvas[int(0.42 * height) : ground + 12, max(0, place - 9) : place + 9]
    bark = 0.25 + 0.10 * fractal_noise(trunk.shape[0], trunk.shape[1], rng)
    trunk[:] = bark[..., None] * np.array([1.0, 0.8, 0.6])
    y, x = np.mgrid[-5:6, -5:6]
    radius, angles = np.sqrt(rng.random(3600)), rng.uniform(0, 2 * np.pi, 3600)
    radius *= 0.92 + 0.08 * np.sin(5 * angles + rng.uniform(0, 6))
    crown = np.stack([0.20 * height * np.sin(angles), 0.085 * width * np.cos(angles)])
    for down, right in (radius * crown).T + np.array([0.36 * height, place]):
        top, left = int(down) - 5, int(right) - 5
        if not (0 <= top < height - 11 and 0 <= left < width - 11):
            continue
        angle, long, short = rng.uniform(0, np.pi), rng.uniform(2.2, 5), rng.uniform(1, 2.2)
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        leaf = ((u / long) ** 2 + (v / short) ** 2 < 1)[..., None]
        colour = np.array(LEAVES[rng.integers(len(LEAVES))]) * rng.uniform(0.6, 1.5)
        spot = canvas[top : top + 11, left : left + 11]
        spot[:] = np.where(leaf, colour, spot)


def railing(canvas: Canvas, ground: int, rng: np.random.Generator) -> None:
    """Thin iron bars before the houses, and a pole with a striped barrier."""
    width = canvas.shape[1]
    top, bottom = ground - 40, ground + 22
    for left in range(4, width, 13):
        canvas[top:bottom, left : left + 2] = (0.06, 0.09, 0.08)
    for rail in (top, bottom - 8):
        canvas[rail : rail + 3] = (0.06, 0.09, 0.08)
    y, x = np.mgrid[:22, : width // 4]
    left = int(rng.uniform(0.1, 0.6) * width)
    stripes = ((x + y) // 16 % 2 == 0)[..., None]
    barrier = np.where(stripes, np.array([0.90, 0.12, 0.10]), np.array([0.95, 0.95, 0.93]))
    canvas[bottom + 14 : bottom + 36, left : left + width // 4] = barrier
