"""Spikes made small: cumulated in time, averaged over blocks of pixels.

The spikes between any two instants are then a difference of two planes, each interpolated in time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.recording.filters import without_filters
from spikedeblur.recording.voxel import CHUNK_PIXELS, summed_planes, ticks_as_bytes


@dataclass(frozen=True)
class CumulatedCounts:
    """Spikes per pixel since tick `start`, at knots `step` ticks apart.

    planes: (K, h, w) float32. Each pixel stands for `block` x `block` pixels of the sensor.
    """

    planes: torch.Tensor
    start: int
    step: int
    block: int

    @property
    def stop(self) -> int:
        """The last knot's tick."""
        return self.start + (len(self.planes) - 1) * self.step

    def covers(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Mark the intervals [low, high] of ticks that lie between the first and the last knot."""
        covered: np.ndarray = (low >= self.start) & (high <= self.stop)
        return covered

    def at(self, ticks: np.ndarray) -> torch.Tensor:
        """Counts up to each of `ticks` (N,), fractions allowed, clamped to the knots: (N, h, w).

        By the cubic through the four knots around (Catmull and Rom, 1974): a straight line would
        smear the ends of an exposure over a knot's length, and make it seem shorter than it is.
        """
        last = len(self.planes) - 1
        place = np.clip((ticks - self.start) / self.step, 0, last)
        low = np.minimum(place.astype(np.int64), last - 1)
        weights = _catmull_rom(place - low).astype(np.float32)
        total = torch.zeros(len(ticks), *self.planes.shape[1:])
        for neighbour, weight in zip(range(-1, 3), torch.from_numpy(weights), strict=True):
            knots = (low + neighbour).clip(0, last)
            total.addcmul_(self.planes[knots], weight[:, None, None])
        return total

    def at_pixels(self, ticks: np.ndarray) -> torch.Tensor:
        """The same where each pixel has ticks of its own, (N, h, w)."""
        last = len(self.planes) - 1
        place = np.clip((ticks - self.start) / self.step, 0, last)
        low = np.minimum(place.astype(np.int64), last - 1)
        weights = torch.from_numpy(_catmull_rom(place - low).astype(np.float32))
        total = torch.zeros(ticks.shape)
        for neighbour, weight in zip(range(-1, 3), weights, strict=True):
            knots = torch.from_numpy((low + neighbour).clip(0, last))
            total.addcmul_(self.planes.gather(0, knots), weight)
        return total


def _catmull_rom(share: np.ndarray) -> np.ndarray:
    """Weights (4, N) of the knots at -1, 0, 1 and 2 for places between 0 and 1."""
    t = share
    return (
        np.stack(
            [
                ((2 - t) * t - 1) * t,
                (3 * t - 5) * t**2 + 2,
                ((4 - 3 * t) * t + 1) * t,
                (t - 1) * t**2,
            ]
        )
        / 2
    )


def block_for(size: tuple[int, int], most_pixels: int) -> int:
    """The side of the blocks that bring a sensor of `size` down to `most_pixels`."""
    return max(1, math.ceil(math.sqrt(size[0] * size[1] / most_pixels)))


def cumulate(
    stream: SpikeStream, first: float, last: float, step: int, block: int
) -> CumulatedCounts | None:
    """Cumulate the ticks [first, last) as far as the stream has them; None if it has too few."""
    start = max(math.floor(first), 0)
    knots = (min(math.ceil(last), stream.ticks) - start) // step
    if knots < 2:
        return None
    height, width = stream.height // block, stream.width // block
    planes = torch.zeros(knots + 1, height, width)
    at_once = max(1, CHUNK_PIXELS // (stream.width * stream.height * step))
    for knot in range(0, knots, at_once):
        count = min(at_once, knots - knot)
        begin = start + knot * step
        spikes = ticks_as_bytes(stream, begin, begin + count * step)
        steps = spikes.reshape(count, step, *spikes.shape[1:])
        summed = summed_planes(steps, stream.most_a_tick, axis=1)
        summed = without_filters(summed, stream)
        cut = summed[:, : height * block, : width * block]
        small = cut.reshape(count, height, block, width, block).mean(axis=(2, 4))
        planes[knot + 1 : knot + count + 1] = torch.from_numpy(small)
    return CumulatedCounts(planes.cumsum_(dim=0), start, step, block)
