"""Ticks -> voxel grid: the one place where spikes are sorted into time bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import UsageError
from spikedeblur.vocabulary import BINS

__all__ = ["TickPlanes", "most_a_tick", "summed_planes", "ticks_as_bytes", "voxelize_ticks"]

CHUNK_PIXELS = 1 << 25


class TickPlanes(Protocol):
    """Spike planes by tick, (N, H, W): a bool array, or a SpikeStream that reads as it goes."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, window: slice, /) -> NDArray[Any]: ...


def voxelize_ticks(
    spikes: TickPlanes,
    bins: int = BINS,
    start: Fraction | float = 0,
    stop: Fraction | float | None = None,
) -> NDArray[np.float32]:
    """Spike counts of `bins` equal parts of [start, stop) ticks -> (bins, H, W) float32.

    Tick n occupies [n, n + 1) and its spikes are shared among the bins by exact overlap, so the
    bins always sum to the overlap-weighted spike count of the interval, and no bin is empty only
    because there are fewer ticks than bins. What lies outside [start, stop), or outside the
    stream, counts nowhere. stop: end of the stream by default.
    Raises UsageError if bins < 1 or stop < start.
    """
    ticks, height, width = spikes.shape
    first, last = Fraction(start), Fraction(ticks if stop is None else stop)
    if bins < 1 or last < first:
        raise UsageError(
            f"no voxel grid of {bins} bins over ticks {float(first):g} to {float(last):g}"
            " - give at least one bin and an interval that does not end before it begins"
        )
    grid = np.zeros((bins, height, width), dtype=np.float32)
    edges = [first + (last - first) * k / bins for k in range(bins + 1)]
    low, high = max(math.floor(first), 0), min(math.ceil(last), ticks)
    step = max(CHUNK_PIXELS // max(height * width, 1), 1)
    for begin in range(low, high, step):
        end = min(begin + step, high)
        _add_planes(grid, ticks_as_bytes(spikes, begin, end), begin, edges, most_a_tick(spikes))
    return grid


def most_a_tick(spikes: TickPlanes) -> int:
    """Spikes that a pixel can count in a tick."""
    most: int = getattr(spikes, "most_a_tick", 1)
    return most


def check_single_spikes(spikes: TickPlanes) -> None:
    """Raise `UsageError` for planes that do not tell spikes one by one."""
    if (most := most_a_tick(spikes)) > 1:
        raise UsageError(
            f"tfi needs spikes one by one (a pixel counts up to {most} a tick) - give tfp, or "
            "another method"
        )


def ticks_as_bytes(spikes: TickPlanes, begin: int, end: int) -> NDArray[np.uint8]:
    """Ticks [begin, end) as bytes, of which NumPy adds 16 to 64 at a time: bools it would widen."""
    planes = np.asarray(spikes[begin:end])
    return planes.astype(np.bool_ if most_a_tick(spikes) == 1 else np.uint8, copy=False).view(
        np.uint8
    )


def summed_planes(planes: NDArray[np.uint8], most: int, axis: int = 0) -> NDArray[np.float32]:
    """Sum bytes of which none is above `most` along an axis, as many at once as fill a byte."""
    taken = [slice(None)] * planes.ndim
    total = np.zeros(planes.shape[:axis] + planes.shape[axis + 1 :], np.float32)
    step = 255 // most
    for at in range(0, planes.shape[axis], step):
        taken[axis] = slice(at, at + step)
        total += np.add.reduce(planes[tuple(taken)], axis=axis, dtype=np.uint8)
    return total


def _add_planes(
    grid: NDArray[np.float32],
    planes: NDArray[np.uint8],
    begin: int,
    edges: Sequence[Fraction],
    most: int,
) -> None:
    """Add the ticks [begin, begin + len(planes)) to every bin of the grid they overlap."""
    end = begin + len(planes)
    for counts, (left, right) in zip(grid, pairwise(edges), strict=True):
        low, high = max(left, Fraction(begin)), min(right, Fraction(end))
        if low >= high:
            continue
        whole_from, whole_to = math.ceil(low), math.floor(high)
        if whole_from > whole_to:  # the bin lies inside a single tick
            counts += planes[whole_to - begin] * np.float32(high - low)
            continue
        if whole_from > low:
            counts += planes[whole_from - 1 - begin] * np.float32(whole_from - low)
        if whole_to < high:
            counts += planes[whole_to - begin] * np.float32(high - whole_to)
        counts += summed_planes(planes[whole_from - begin : whole_to - begin], most)
