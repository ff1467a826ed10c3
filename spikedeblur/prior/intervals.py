"""Light between spikes: what counts per bin say when read through the intervals of the spikes.

An integrate-and-fire pixel fires when its charge has grown by one threshold. Between two spikes
exactly one threshold of light came in, at whatever instants bins begin and end; the count of a
short bin is mostly the rounding of that. So charge is drawn as a line from spike to spike (as
texture from inter-spike intervals does; Zhu et al., ICME 2019), and a bin's light is its rise.

Shape suffixes: N exposures, K bins, E = K + 1 their edges, h and w pixels of the spike plane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import einsum
from torch import Tensor

FAR = 1e4  # bins: where a spike is placed that never came
ROUNDING = 0.5  # spikes by which a count may differ from the charge that was counted
STRAIGHT = (1.0, 1.1)  # spikes from the lowest to the highest point of a line's error


@dataclass(frozen=True)
class CumulativeCounts:
    """What N exposures' pixels have gathered until each edge of their bins, in spikes.

    `counts` (N, K, h, w) as they came; `interpolated` (N, E, h, w) the charge from spike
    to spike, up to a constant.
    """

    counts: Tensor
    interpolated: Tensor

    @classmethod
    def of(cls, counts_NKhw: Tensor) -> CumulativeCounts:
        """Counts of K bins, fractions allowed -> the charge behind them."""
        return cls(counts_NKhw, _through_spikes(counts_NKhw))

    def resampled(self, move: Callable[[Tensor], Tensor]) -> CumulativeCounts:
        """The same on another plane: `move` is linear, (N, C, h, w) -> (N, C, *, *)."""
        return CumulativeCounts(move(self.counts), move(self.interpolated))

    def at(self, exposures: slice) -> CumulativeCounts:
        """Take some of the exposures."""
        return CumulativeCounts(self.counts[exposures], self.interpolated[exposures])

    @property
    def bins(self) -> int:
        """K."""
        return self.counts.shape[1]

    def light(self) -> Tensor:
        """Light of each bin in spikes, a real number >= 0: (N, K, h, w)."""
        return self.interpolated.diff(dim=1).clamp(min=0)

    def smoothed_light(self) -> Tensor:
        """`light` after a calmer course that the counts allow: (N, K, h, w).

        The charge is smoothed along time, then brought back to within half a spike of the running
        count: dim pixels become steady, and bright ones, known exactly, stay as they are.
        """
        running = running_count(self.counts)
        charge = self.interpolated + (running - self.interpolated).mean(dim=1, keepdim=True)
        smooth = smoothing(charge.shape[1]).to(charge) @ charge.flatten(2)
        least, most = running - ROUNDING, running + ROUNDING
        return smooth.view_as(charge).maximum(least).minimum(most).diff(dim=1).clamp(min=0)

    def steady_light(self) -> Tensor:
        """`smoothed_light`, constant wherever a constant light fires the same: (N, K, h, w).

        Charge that grows evenly stays within half a spike of the running count. Where a line does,
        change is nothing but the rounding of counts, which is largest near a spike a bin.
        """
        count = self.counts.sum(dim=1, keepdim=True)
        roundings = (-ROUNDING, 0.0, ROUNDING)  # of the exposure's count
        off = torch.zeros_like(count)  # running count less what the line through both ends says
        least = [torch.zeros_like(count) for _ in roundings]
        most = [torch.zeros_like(count) for _ in roundings]
        for k in range(self.bins):  # several times faster than `aminmax` across planes
            off = off + self.counts[:, k : k + 1] - count / self.bins
            for rounding, low, high in zip(roundings, least, most, strict=True):
                here = off - rounding * ((k + 1) / self.bins)
                torch.minimum(low, here, out=low)
                torch.maximum(high, here, out=high)
        apart, rate = torch.full_like(count, torch.inf), count
        for rounding, low, high in zip(roundings, least, most, strict=True):
            closer = high - low < apart
            rate = torch.where(closer, count + rounding, rate)
            apart = torch.where(closer, high - low, apart)
        steady = ((STRAIGHT[1] - apart) / (STRAIGHT[1] - STRAIGHT[0])).clamp(0, 1)
        return torch.lerp(self.smoothed_light(), rate.clamp(min=0) / self.bins, steady)


def running_count(counts_NKhw: Tensor) -> Tensor:
    """Spikes until each edge of the bins, from 0 to the exposure's count: (N, E, h, w)."""
    bins = counts_NKhw.shape[1]
    running = counts_NKhw.new_zeros(len(counts_NKhw), bins + 1, *counts_NKhw.shape[2:])
    for k in range(bins):  # several times faster than `cumsum` across planes
        torch.add(running[:, k], counts_NKhw[:, k], out=running[:, k + 1])
    return running


def _through_spikes(counts_NKhw: Tensor) -> Tensor:
    """CumulativeCounts as lines from spike to spike: (N, E, h, w).

    Before the first spike and after the last one the nearest interval's rate goes on, for less
    than another spike: as if one had come an interval away, outside of the exposure.
    """
    running, bins = running_count(counts_NKhw), counts_NKhw.shape[1]
    fired = (running + 0.5).floor()
    before, after = _spikes_around(counts_NKhw, running, fired)
    seen, all_fired = fired.clamp(max=1), fired[:, -1:]
    to_come = (all_fired - fired).clamp_(max=1)
    mean = bins / running[:, -1:]
    # Edges between two spikes: the first one that has a spike before, the last one with one after.
    first = _interval(before, after, bins + 1 - seen.sum(dim=1, keepdim=True), mean)
    last = _interval(before, after, to_come.sum(dim=1, keepdim=True) - 1, mean)
    start, end = after[:, :1] - first, before[:, -1:] + last
    before.clamp_(min=start.clamp(max=0))
    after.clamp_(max=end.clamp(min=bins))
    drawn = fired - 0.5
    for e in range(bins + 1):
        drawn[:, e] += (e - before[:, e]).div_(after[:, e] - before[:, e])
    return torch.where(all_fired > 0, drawn, running)


def _spikes_around(
    counts_NKhw: Tensor, running_NEhw: Tensor, fired_NEhw: Tensor
) -> tuple[Tensor, Tensor]:
    """Instants in bins of the last spike until each edge and of the next one: (N, E, h, w) each.

    A spike fires where the running count passes the middle of its step; where there is none it is
    `FAR` away. One bin after the other: that is several times faster than `cummax` across planes.
    """
    before, after = torch.full_like(running_NEhw, -FAR), torch.full_like(running_NEhw, FAR)
    bins = counts_NKhw.shape[1]
    for k in range(bins):
        fires = (fired_NEhw[:, k + 1] - fired_NEhw[:, k]).clamp_(max=1)
        per_spike = counts_NKhw[:, k].clamp(min=1e-6).reciprocal_()
        first = (fired_NEhw[:, k] + 0.5 - running_NEhw[:, k]).mul_(per_spike).add_(k)
        last = (fired_NEhw[:, k + 1] - 0.5 - running_NEhw[:, k]).mul_(per_spike).add_(k)
        after[:, k].lerp_(first, fires)
        before[:, k + 1].lerp_(last, fires).clamp_(min=before[:, k])
    for k in reversed(range(bins)):
        after[:, k].clamp_(max=after[:, k + 1])
    return before, after


def _interval(before_NEhw: Tensor, after_NEhw: Tensor, edge_N1hw: Tensor, mean: Tensor) -> Tensor:
    """Bins between the spikes around an edge, `mean` where one of them is missing: (N, 1, h, w)."""
    edge = edge_N1hw.long().clamp_(0, before_NEhw.shape[1] - 1)
    interval = after_NEhw.gather(1, edge) - before_NEhw.gather(1, edge)
    return torch.where(interval < FAR / 2, interval, mean)


def smoothing(edges: int) -> Tensor:
    """Four passes of the weights 1/4, 1/2, 1/4 along time, ends going on straight: (E, E)."""
    once = torch.zeros(edges, edges, dtype=torch.float64)
    for row in range(1, edges - 1):
        once[row, row - 1 : row + 2] = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    once[0], once[-1] = 2 * once[1] - once[2], 2 * once[-2] - once[-3]
    return torch.linalg.matrix_power(once, 4)


def window_weights(windows: Tensor, bins: int, target_time_N: Tensor) -> Tensor:
    """Overlap of each bin with windows around the target time: (N, len(windows), bins).

    `windows` are lengths in bins, `target_time_N` the instants in [-0.5, 0.5] of the exposure. A
    window that would leave the exposure is moved inside. Rows sum to the length of the window.
    """
    length = windows.clamp(max=bins)[None, :, None]
    centre = ((target_time_N + 0.5) * bins)[:, None, None]
    start = torch.minimum((centre - length / 2).clamp(min=0), bins - length)
    left = torch.arange(bins, device=target_time_N.device)
    overlap = torch.minimum(left + 1, start + length) - torch.maximum(left.to(start), start)
    return overlap.clamp(min=0)


def rates(light_NKhw: Tensor, windows: Tensor, target_time_N: Tensor) -> Tensor:
    """Light in windows and, last, in the whole exposure, per exposure: (N, M + 1, h, w).

    `windows` (M,) are lengths in bins.
    """
    bins = light_NKhw.shape[1]
    weights = window_weights(windows, bins, target_time_N)
    weights = weights * (bins / windows.clamp(max=bins))[:, None]
    windowed = einsum(weights.to(light_NKhw), light_NKhw, "n m k, n k h w -> n m h w")
    return torch.cat([windowed, light_NKhw.sum(dim=1, keepdim=True)], dim=1)
