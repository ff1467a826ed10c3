"""Firing rates of a recording, and pixels that do not follow the light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikedeblur.recording.voxel import TickPlanes, most_a_tick

__all__ = ["FiringRates", "firing_rates", "sampled_blocks"]

SAMPLED_VALUES = 1 << 28
BLOCK_TICKS = 128


@dataclass(frozen=True)
class FiringRates:
    """Firing rates of a recording's pixels, as parts of the `ticks` that were looked at.

    share: (H, W) float64, spikes of every pixel in parts of those that it can count.
    """

    share: NDArray[np.float64]
    ticks: int

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Pixels without a single spike: dead, or darker than so few ticks can tell."""
        silent: NDArray[np.bool_] = self.share == 0
        return silent

    @property
    def always_on(self) -> NDArray[np.bool_]:
        """Pixels that fired at every tick: stuck, or brighter than the camera can count."""
        stuck: NDArray[np.bool_] = self.share == 1
        return stuck

    @property
    def mean(self) -> float:
        """Spikes per pixel and tick."""
        return float(self.share.mean())

    @property
    def extremes(self) -> tuple[float, float]:
        """Lowest and highest share of the pixels that are neither dead nor always on."""
        working = self.share[~self.dead & ~self.always_on]
        return (float(working.min()), float(working.max())) if working.size else (0.0, 0.0)


def firing_rates(spikes: TickPlanes) -> FiringRates:
    """Count the spikes of every pixel, over all ticks or blocks of them spread evenly.

    At most about 2^28 values are read, and a block of 128 ticks is in memory at once.
    """
    _, height, width = spikes.shape
    counts = np.zeros((height, width), np.int64)
    ticks = 0
    for start, stop in sampled_blocks(spikes.shape):
        counts += spikes[start:stop].sum(axis=0, dtype=np.int64)
        ticks += stop - start
    return FiringRates(counts / max(ticks * most_a_tick(spikes), 1), ticks)


def sampled_blocks(
    shape: tuple[int, ...], values: int = SAMPLED_VALUES
) -> Iterator[tuple[int, int]]:
    """Tick ranges [start, stop) of about so many values, spread evenly over a whole recording."""
    ticks, height, width = shape
    blocks = -(-ticks // BLOCK_TICKS)
    taken = min(blocks, max(values // (BLOCK_TICKS * height * width), 1))
    for number in range(taken):
        start = number * blocks // taken * BLOCK_TICKS
        yield start, min(start + BLOCK_TICKS, ticks)
