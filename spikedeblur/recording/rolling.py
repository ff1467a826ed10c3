"""Rolling shutters: each row of the video has an exposure of its own, and so has what looks there.

The exposure that is told of a frame is that of its middle row. The row in the middle of which lies
the part y of the frame's height, 0 to 1, opens and closes readout * (y - 1/2) later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spikedeblur.io.spikes.jumps import Gaps
from spikedeblur.recording.lenses import Map, mapped
from spikedeblur.recording.timeline import Interval, coverage
from spikedeblur.recording.voxel import CHUNK_PIXELS, TickPlanes, ticks_as_bytes

__all__ = ["fill_unseen", "lateness_map", "moved_in_time", "rolled_planes", "rolling_counts"]

Late = NDArray[np.floating]
SPREAD = 1.0  # ticks within which pixels of a row are taken to be exposed at once


def lateness_map(
    to_video: Map, spike_size: tuple[int, int], video_size: tuple[int, int], readout: float
) -> Late:
    """How much later than the middle row each spike pixel's row is exposed: (Hs, Ws).

    to_video: spike -> video. readout: from the first row to the last, in ticks, below zero if the
    last row comes first. Beyond the frame its first or last row counts.
    """
    width, height = spike_size
    x, y = np.arange(width)[None] + 0.5, np.arange(height)[:, None] + 0.5
    _, row, depth = mapped(to_video, x, y)
    part = np.clip(np.where(depth > 0, row, 0) / video_size[1], 0, 1)
    late: Late = readout * (np.broadcast_to(part, (height, width)) - 0.5)
    return late


def rolling_counts(
    spikes: TickPlanes, bins: int, interval: Interval, late: Late, gaps: Gaps = ()
) -> tuple[NDArray[np.float32], Fraction]:
    """Voxel grid of an exposure that rolls, (bins, Hs, Ws) float32, and its coverage, 0 to 1.

    interval: of the middle row. gaps: ticks of which nothing was recorded. What the stream has not
    seen is filled in, as by `fill_unseen`.
    """
    ticks, height, width = spikes.shape
    grid = np.zeros((bins, height, width), np.float32)
    covered = Fraction(0)
    blocks = list(_blocks(late))
    length = float(interval.length)
    steps = float(interval.start) + length * np.arange(bins + 1) / bins
    for begin, planes in _chunks(spikes, interval, late):
        for row, columns, shift in blocks:
            until = _until(planes[:, row, columns], steps + shift - begin)
            grid[:, row, columns] += np.diff(until, axis=0)
    for row, columns, shift in blocks:
        own = _later(interval, shift)
        seen = coverage(own, ticks, gaps)
        covered += seen * (columns.stop - columns.start)
        if 0 < seen < 1:
            part = grid[:, row : row + 1, columns]
            part[:] = fill_unseen(part, own, ticks, gaps)
    return grid, covered / (height * width)


def rolled_planes(
    spikes: TickPlanes, interval: Interval, late: Late
) -> tuple[NDArray[np.bool_], int]:
    """The ticks of an exposure that rolls, (N, Hs, Ws) bool, and the number of the first of them.

    interval: of the middle row, to which all others are brought; ticks that were not recorded are
    without spikes.
    """
    first, last = math.floor(interval.start), math.ceil(interval.stop)
    found = np.zeros((last - first, *spikes.shape[1:]), np.bool_)
    for begin, planes in _chunks(spikes, interval, late):
        for row, columns, shift in _blocks(late):
            start = first + round(shift) - begin  # in this chunk
            low, high = max(start, 0), min(start + len(found), len(planes))
            if low < high:
                found[low - start : high - start, row, columns] = planes[low:high, row, columns]
    return found, first


def fill_unseen(grid: np.ndarray, interval: Interval, ticks: int, gaps: Gaps = ()) -> np.ndarray:
    """Give the part of each bin that the stream has not seen the mean rate of what it has seen.

    A pixel's rate then stands still where nothing is known, which asks for no change to the blurry
    frame; bins left empty would read as darkness.
    """
    step = interval.length / len(grid)
    edges = [interval.start + step * k for k in range(len(grid) + 1)]
    seen = [Interval(start, stop).seen(ticks, gaps) for start, stop in pairwise(edges)]
    share = np.array([float(part / step) for part in seen], np.float32)
    mean = grid.sum(axis=0) / share.sum()
    filled: np.ndarray = grid + (1 - share)[:, None, None] * mean
    return filled


def moved_in_time(planes: NDArray[np.float32], steps: Late) -> NDArray[np.float32]:
    """Planes (N, H, W) of times that follow each other, each pixel taken `steps` (H, W) later.

    Between two planes by a straight line; before the first and after the last by these.
    """
    last = len(planes) - 1
    place = np.clip(np.arange(last + 1)[:, None, None] + steps, 0, last)
    low = np.minimum(place.astype(np.intp), max(last - 1, 0))
    share = (place - low).astype(np.float32)
    one, other = (np.take_along_axis(planes, np.minimum(low + n, last), axis=0) for n in (0, 1))
    moved: NDArray[np.float32] = one + share * (other - one)
    return moved


def _later(interval: Interval, shift: float) -> Interval:
    ticks = Fraction(round(shift * 1024), 1024)
    return Interval(interval.start + ticks, interval.stop + ticks)


def _blocks(late: Late) -> Iterator[tuple[int, slice, float]]:
    """Row, columns and lateness of parts of rows that are exposed at once, within a tick."""
    for row, there in enumerate(late):
        parts = max(1, math.ceil(float(there.max() - there.min()) / SPREAD))
        borders = np.linspace(0, len(there), min(parts, len(there)) + 1).round().astype(int)
        for start, stop in pairwise(borders.tolist()):
            yield row, slice(start, stop), float(there[start:stop].mean())


def _chunks(
    spikes: TickPlanes, interval: Interval, late: Late
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """All ticks that any row's exposure touches, as they are read: number of the first, planes."""
    ticks, height, width = spikes.shape
    low = max(math.floor(interval.start + Fraction(float(late.min()))), 0)
    high = min(math.ceil(interval.stop + Fraction(float(late.max()))), ticks)
    step = max(CHUNK_PIXELS // max(height * width, 1), 1)
    for begin in range(low, high, step):
        yield begin, ticks_as_bytes(spikes, begin, min(begin + step, high))


def _until(planes: NDArray[np.uint8], edges: Late) -> NDArray[np.float32]:
    """Spikes of ticks (n, w) before each of `edges` (E,), fractions of a tick counted: (E, w)."""
    total = np.zeros((len(planes) + 1, planes.shape[1]), np.int32)
    np.cumsum(planes, axis=0, dtype=np.int32, out=total[1:])
    place = np.clip(edges, 0, len(planes))
    low = np.minimum(place.astype(np.intp), len(planes) - 1)
    share = (place - low).astype(np.float32)[:, None]
    return total[low] + share * (total[low + 1] - total[low]).astype(np.float32)
