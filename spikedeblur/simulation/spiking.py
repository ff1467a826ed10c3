"""The spike camera: every pixel adds up light and fires when the sum reaches its threshold.

Charge is counted in thresholds: a pixel's n-th spike falls in the tick in which its charge, since
the start and including what it began with, passes n. What is left over is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class SpikeSensor:
    """Spike pixels as they really are. Maps are (Hs, Ws) float32.

    `gain` is spikes per tick for light of 1, with the fixed pattern in it; `dark` spikes per tick
    without light; `stuck` is 0 for a dead pixel, 1 for one that always fires, NaN for the others.
    `jitter` is the spread of a spike's threshold, as a share of it; `most`: spikes that a pixel
    can count in a tick.
    """

    gain: torch.Tensor
    dark: torch.Tensor
    stuck: torch.Tensor
    jitter: float = 0.0
    most: int = 1

    def rates(self, light: torch.Tensor) -> torch.Tensor:
        """Light (M, Hs, Ws) -> spikes per tick, at most `most`: a brighter pixel is saturated."""
        rates = (light * self.gain + self.dark).clamp_(0, self.most)
        return torch.where(self.stuck.isnan(), rates, self.stuck * self.most)

    def disturbed(
        self, charge: torch.Tensor, ticks: torch.Tensor, random: torch.Generator
    ) -> torch.Tensor:
        """The charge (E, Hs, Ws) gathered by `ticks` (E,), as thresholds that jitter count it.

        The errors of successive spikes add up. No pixel gains or loses more than it may in the
        ticks between two entries, so that still at most `most` spikes fall in a tick.
        """
        if not self.jitter:
            return charge
        steps = charge.diff(dim=0)
        noise = torch.randn(steps.shape, generator=random)
        noisy = steps + self.jitter * steps.clamp(min=0).sqrt() * noise
        at_most = self.most * ticks.diff().float()[:, None, None]
        noisy = torch.minimum(noisy.clamp_(min=0), at_most)
        noisy = torch.where(self.stuck.isnan(), noisy, steps)
        return torch.cat([charge[:1], charge[:1] + noisy.cumsum(dim=0)])


def charge_until(rates: torch.Tensor, edges: torch.Tensor, ticks: torch.Tensor) -> torch.Tensor:
    """Charge (E, H, W) gathered from the first of `ticks` (E,), ascending, until each of them.

    `rates` (M, H, W), spikes per tick, hold between `edges` (M + 1,) in ticks; the first and the
    last also before and after. Exact: charge is linear within each part.
    """
    low, high = edges[:-1].clone().double(), edges[1:].clone().double()
    low[0], high[-1] = -torch.inf, torch.inf
    low = low.clamp(min=float(ticks[0]))
    inside = (torch.minimum(ticks.double()[:, None], high) - low).clamp(min=0)
    return torch.tensordot(inside.to(rates.dtype), rates, dims=1)


def even_edges(bins: int, start: float, stop: float) -> torch.Tensor:
    """The bins + 1 borders of equal parts of [`start`, `stop`), float64."""
    return start + (stop - start) * torch.arange(bins + 1, dtype=torch.float64) / bins


def bin_counts(
    sensor: SpikeSensor,
    light: torch.Tensor,
    *,
    bins: int,
    start: float,
    stop: float,
    phase: torch.Tensor,
    random: torch.Generator,
    late: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Count the spikes of an exposure in `bins` without stepping through its ticks.

    `light` (M, H, W) falls in M equal parts of the exposure, from `start` in [0, 1) to `stop`
    ticks, if the clocks are not `late` ticks apart; `phase` (H, W) in [0, 1) is the charge at
    tick 0. Between whole ticks the count rises
    evenly, so that the (bins, H, W) float32 equal `voxelize` of the stepped stream.
    Returns the counts and the charge (H, W) that is left at `stop`, in [0, 1).
    """
    edges = even_edges(bins, start, stop)
    whole = edges.floor()
    ticks, places = torch.unique(torch.cat([whole, whole + 1]), return_inverse=True)
    charge = charge_until(sensor.rates(light), even_edges(len(light), start, stop) + late, ticks)
    charge = sensor.disturbed(charge, ticks, random) + phase
    fired = charge.floor()
    before, after = places[: bins + 1], places[bins + 1 :]
    share = (edges - whole).to(charge.dtype)[:, None, None]
    counts = torch.lerp(fired[before], fired[after], share)
    left = torch.lerp(charge[before[-1]], charge[after[-1]], share[-1])
    return counts.diff(dim=0).float(), left.frac()


def stepped_spikes(
    sensor: SpikeSensor,
    light: torch.Tensor,
    edges: torch.Tensor,
    *,
    ticks: range,
    phase: torch.Tensor,
    random: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The spikes (n, H, W) of n `ticks`, and the charge (H, W) that is left after them.

    bool, or uint8 counts where the sensor counts to more than one.

    `light` (M, H, W) holds between `edges` (M + 1,) in ticks.
    """
    numbers = torch.arange(ticks.start, ticks.stop + 1)
    charge = charge_until(sensor.rates(light), edges, numbers)
    charge = sensor.disturbed(charge, numbers, random) + phase
    fired = charge.floor().diff(dim=0)
    spikes = fired > 0 if sensor.most == 1 else fired.clamp(0, sensor.most).byte()
    return spikes, charge[-1].frac()


def random_sensor(
    rng: np.random.Generator,
    size: tuple[int, int],
    gain: float,
    *,
    fixed_pattern: float,
    dark: float,
    jitter: float,
    stuck: float,
) -> SpikeSensor:
    """A sensor of `size` (Hs, Ws) with pixels that differ, a share `stuck` of them dead or hot."""
    pattern = 1 + fixed_pattern * rng.standard_normal(size, dtype=np.float32)
    broken = rng.random(size, dtype=np.float32)
    state = np.full(size, np.nan, dtype=np.float32)
    state[broken < stuck] = 0
    state[broken < stuck / 2] = 1
    offset = dark * rng.random(size, dtype=np.float32)
    return SpikeSensor(
        torch.from_numpy(gain * pattern.clip(0.2, 1.8)),
        torch.from_numpy(offset),
        torch.from_numpy(state),
        jitter,
    )


@dataclass(frozen=True)
class IntervalLight:
    """Light (M, Hs, Ws) on the spike plane between `edges` (M + 1,) in ticks."""

    grey: torch.Tensor
    edges: torch.Tensor

    def after(self, earlier: IntervalLight | None) -> IntervalLight:
        """The same, preceded by `earlier` as far back as the tick goes that straddles the two."""
        if earlier is None:
            return self
        needed = earlier.edges[1:] > self.edges[0].floor()
        return IntervalLight(
            torch.cat([earlier.grey[needed], self.grey]),
            torch.cat([earlier.edges[:-1][needed], self.edges]),
        )
