"""Light of an exposure's bins, and the instants that it shows.

A bin's light is read between spikes and smoothed along time. Amid the exposure that takes as much
from before as from after. At its ends it cannot: before the first spike and after the last one the
nearest interval's light goes on, and smoothing goes on straight. So the first and the last bins
show the scene as it was further inside the exposure.

Shape suffixes: N exposures, K bins, h and w spike pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from spikedeblur.prior.intervals import CumulativeCounts, smoothing
from spikedeblur.prior.trajectory import bin_times
from spikedeblur.vocabulary import PRIOR_SPIKES

FEWEST_BINS = 8  # fewer are smoothed into each other, and show no instant
STRONG_SPIKES = 12.0  # in a bin, with which half of what smoothing would change is left to it
LONGEST_INTERVAL = 0.25  # of the exposure, between spikes: darker pixels hardly tell motion


@dataclass(frozen=True)
class TimedLight:
    """Light of N exposures' bins in spikes, and the instants that it shows.

    `planes` (N, K, h, w); `times` (N, K) from -1 to 1 over the exposure.
    """

    planes: Tensor
    times: Tensor

    @classmethod
    def of(cls, charge: CumulativeCounts) -> TimedLight:
        """Smooth the light between spikes, and tell when it fell."""
        rate = charge.counts.sum(dim=1).flatten(1) + PRIOR_SPIKES
        interval = (1 / rate).clamp(max=LONGEST_INTERVAL).median(dim=1).values
        return cls(charge.smoothed_light(), shown_times(charge.bins, interval))

    @classmethod
    def even(cls, light_NKhw: Tensor) -> TimedLight:
        """Take light that shows the middle of each bin."""
        times = bin_times(light_NKhw.shape[1], light_NKhw)
        return cls(light_NKhw, times.expand(len(light_NKhw), -1))

    def at(self, frames: Sequence[int] | slice) -> TimedLight:
        """Take some of the exposures."""
        return TimedLight(self.planes[frames], self.times[frames])

    def of_planes(self, planes_NKhw: Tensor) -> TimedLight:
        """Give the same instants to other planes."""
        return replace(self, planes=planes_NKhw)

    def merged(self, wanted: int) -> TimedLight:
        """Add up neighbouring bins until about `wanted` are left."""
        bins = self.planes.shape[1]
        kept = next(n for n in range(min(wanted, bins), bins + 1) if bins % n == 0)
        return TimedLight(
            self.planes.unflatten(1, (kept, -1)).sum(dim=2),
            self.times.unflatten(1, (kept, -1)).mean(dim=2),
        )


def shown_times(bins: int, interval_N: Tensor) -> Tensor:
    """Return the mean instants that the smoothed light of bins shows: (N, K), from -1 to 1.

    interval: mean time between spikes, in parts of the exposure. Where spikes fall by chance, what
    is drawn less than an interval from an end shows the scene of an interval from it, on average.
    Where there are many, edges are known too well to be smoothed: by how much was found on walls
    that move before 30 to 600 spikes.
    """
    if bins < FEWEST_BINS:
        return bin_times(bins, interval_N).expand(len(interval_N), -1)
    even = (torch.arange(bins, device=interval_N.device, dtype=interval_N.dtype) + 0.5) / bins
    least = interval_N[:, None]
    drawn = torch.minimum(torch.maximum(even, least), 1 - least)
    smoothed = drawn @ smoothing_of_light(bins).to(drawn).T
    share = 1 / (1 + 1 / (STRONG_SPIKES * bins * least))
    return 2 * torch.lerp(drawn, smoothed, share) - 1


@lru_cache(maxsize=8)
def smoothing_of_light(bins: int) -> Tensor:
    """How much of each bin's light smoothing puts into each bin: (K, K), rows summing to 1."""
    of_charge = smoothing(bins + 1)
    return of_charge.diff(dim=0).flip(1).cumsum(dim=1).flip(1)[:, 1:]
