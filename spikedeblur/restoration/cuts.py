"""Hard cuts: where one shot ends and another begins, found in the blurry frames themselves.

A window of frames that reaches over a cut would blend two scenes. What separates a cut from other
quick changes of the picture is that it is a single step between two calm stretches: fast
motion goes on, and a flash goes back. So a step counts if it is large by itself and stands out
from the steps of its shot before it and the one after it, which takes one frame of lookahead.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TypeVar

import numpy as np

AnyFrame = TypeVar("AnyFrame")

THUMBNAIL = 18, 32
SAMPLES_PER_CELL = 4
LARGE_STEP = 0.5
STAND_OUT = 2.0
FLAT = 0.01
"""Contrast (standard deviation, of full scale 1) below which a picture counts as without any."""
OTHER_LIGHT = 0.15
RECENT_STEPS = 4


def in_shots(
    frames: Iterable[AnyFrame], picture: Callable[[AnyFrame], np.ndarray]
) -> Iterator[tuple[AnyFrame, int]]:
    """Yield each frame with the place of its shot's first frame, counted from 0 in `frames`.

    picture: gives a frame's (H, W, 3) uint8 or uint16 array. Holds one frame besides the one that
    is being given out: whether a step is a cut is known when the frame after it is.
    """
    start = 0
    before: deque[float] = deque(maxlen=RECENT_STEPS)
    now: float | None = None
    for place, (frame, after) in enumerate(_with_steps(frames, picture)):
        if now is not None and is_cut(before, now, after):
            start = place
            before.clear()
        elif now is not None:
            before.append(now)
        yield frame, start
        now = after


def step(one: np.ndarray, other: np.ndarray) -> float:
    """Measure how different two thumbnails are: 0 for equal ones, about 1 for unrelated ones.

    One minus their correlation, so that neither a change of the light's strength nor of its colour
    counts, as in a fade or when a lamp goes on. With a picture without contrast, which correlates
    with nothing, a difference of 15 % of full scale makes 1, and less 0.
    """
    centred, other_centred = one - one.mean(0), other - other.mean(0)
    variance = _mean_product(centred, centred)
    other_variance = _mean_product(other_centred, other_centred)
    if min(variance, other_variance) < FLAT**2:
        return float(_mean_product(one - other, one - other) > OTHER_LIGHT**2)
    return 1 - _mean_product(centred, other_centred) / math.sqrt(variance * other_variance)


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    """A small version of a picture, float32 (cells, 3) in [0, 1], row by row of at most 18 x 32
    cells; each is the mean of up to 4x4 samples, so that noise and fine texture hardly count.
    """
    rows, columns = (
        max(length // (cells * SAMPLES_PER_CELL), 1)
        for length, cells in zip(rgb.shape[:2], THUMBNAIL, strict=True)
    )
    samples = rgb[::rows, ::columns]
    down, across = (
        _means(length, min(cells, length))
        for length, cells in zip(samples.shape[:2], THUMBNAIL, strict=True)
    )
    light = samples.astype(np.float32) / np.float32(np.iinfo(rgb.dtype).max)
    narrow = down @ light.reshape(len(light), -1)
    return (across @ narrow.reshape(len(down), -1, 3)).reshape(-1, 3)


@lru_cache
def _means(length: int, cells: int) -> np.ndarray:
    """The matrix (cells, length) that takes the mean of each of `cells` parts of a line."""
    edges = np.arange(cells + 1) * length // cells
    at = np.arange(length)
    inside = (at >= edges[:-1, None]) & (at < edges[1:, None])
    return (inside / np.diff(edges)[:, None]).astype(np.float32)


def _mean_product(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.vdot(one, other)) / one.size


def is_cut(before: Iterable[float], now: float, after: float | None) -> bool:
    """Return whether the step `now` is a cut, given those before it and the one after, if any."""
    calm = max((*before, after or 0.0))
    return now > LARGE_STEP and now > STAND_OUT * calm


def _with_steps(
    frames: Iterable[AnyFrame], picture: Callable[[AnyFrame], np.ndarray]
) -> Iterator[tuple[AnyFrame, float | None]]:
    """(frame, step to the next one), None for the last."""
    coming = iter(frames)
    frame = next(coming, None)
    if frame is None:
        return
    small = thumbnail(picture(frame))
    for following in coming:
        next_small = thumbnail(picture(following))
        yield frame, step(small, next_small)
        frame, small = following, next_small
    yield frame, None
