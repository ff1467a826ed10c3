"""Outlines of foreground objects: alpha masks with soft edges."""

from __future__ import annotations

import numpy as np


def _plane(radius: float, density: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates x (1, S) and y (S, 1), in frame pixels, of a mask that covers `radius`."""
    size = max(4, int(np.ceil(2 * radius * density)))
    axis = (np.arange(size, dtype=np.float32) + 0.5) / np.float32(density) - np.float32(radius)
    return axis[None, :], axis[:, None]


def blob(rng: np.random.Generator, radius: float, density: float) -> np.ndarray:
    """Distance to the edge (positive inside) of a round shape with a wavy outline."""
    x, y = _plane(radius * 1.1, density)
    angle, distance = np.arctan2(y, x), np.hypot(x, y)
    outline = np.full_like(angle, radius * 0.7)
    for order in range(1, 5):
        size = radius * 0.25 * rng.uniform(0, 1) / order
        outline += size * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return np.minimum(outline, radius) - distance


def polygon(rng: np.random.Generator, radius: float, density: float) -> np.ndarray:
    """Distance to the edge (positive inside) of a convex polygon of 3 to 7 sides."""
    x, y = _plane(radius * 1.1, density)
    sides = int(rng.integers(3, 8))
    directions = (np.arange(sides) + rng.uniform(-0.3, 0.3, sides)) * 2 * np.pi / sides
    directions += rng.uniform(0, 2 * np.pi)
    inside = radius - np.hypot(x, y)
    for direction, offset in zip(directions, rng.uniform(0.35, 0.8, sides) * radius, strict=True):
        inside = np.minimum(inside, offset - (np.cos(direction) * x + np.sin(direction) * y))
    return inside


def strokes(rng: np.random.Generator, radius: float, density: float, count: int) -> np.ndarray:
    """Distance to the edge (positive inside) of `count` thin straight strokes.

    One makes a wire or a bar across the shape, several something like letters.
    """
    x, y = _plane(radius * 1.1, density)
    inside = np.full((y.size, x.size), -np.inf, dtype=np.float32)
    half_width = float(np.exp(rng.uniform(np.log(0.5), np.log(3.5))))
    for _ in range(count):
        if count == 1:
            direction = rng.uniform(0, np.pi)
            start = np.array([np.cos(direction), np.sin(direction)]) * (radius - half_width)
            stop = -start
        else:
            start, stop = rng.uniform(-0.7, 0.7, (2, 2)) * radius
        along = stop - start
        fraction = (x - start[0]) * along[0] + (y - start[1]) * along[1]
        fraction = np.clip(fraction / max(float(along @ along), 1e-6), 0, 1)
        distance = np.hypot(x - start[0] - fraction * along[0], y - start[1] - fraction * along[1])
        inside = np.maximum(inside, half_width - distance)
    return inside


def random_mask(rng: np.random.Generator, radius: float, density: float) -> np.ndarray:
    """Alpha (S, S) float32 in [0, 1] of a random shape that fits a circle of `radius` frame pixels.

    `density` is mask pixels per frame pixel. Edges are from sharp (0.7 px) to out of focus.
    """
    kind = rng.choice(["blob", "polygon", "stroke", "strokes"], p=[0.35, 0.25, 0.2, 0.2])
    if kind == "blob":
        inside = blob(rng, radius, density)
    elif kind == "polygon":
        inside = polygon(rng, radius, density)
    else:
        inside = strokes(rng, radius, density, 1 if kind == "stroke" else int(rng.integers(3, 9)))
    softness = np.exp(rng.uniform(np.log(0.7), np.log(2.5)))
    return np.clip(inside / softness + 0.5, 0, 1).astype(np.float32)
