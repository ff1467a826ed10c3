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
from torch import Tensor

FAR = 1e4  # bins: where a spike is placed that never came
ROUNDING = 0.5  # spikes by which a count may differ from the charge that was counted


@dataclass(frozen=True)
class Charge:
    """What N exposures' pixels have gathered until each edge of their bins, in spikes.

    `counts` (N, K, h, w) as they came; `drawn` (N, E, h, w) the charge from spike to spike, up to
    a constant.
    """

    counts: Tensor
    drawn: Tensor

    @classmethod
    def of(cls, counts_NKhw: Tensor) -> Charge:
        """Counts of K bins, fractions allowed -> the charge behind them."""
        return cls(counts_NKhw, _through_spikes(counts_NKhw))

    def on(self, move: Callable[[Tensor], Tensor]) -> Charge:
        """The same on another plane: `move` is linear, (N, C, h, w) -> (N, C, *, *)."""
        return Charge(move(self.counts), move(self.drawn))

    @property
    def bins(self) -> int:
        """K."""
        return self.counts.shape[1]

    def light(self) -> Tensor:
        """Light of each bin in spikes, a real number >= 0: (N, K, h, w)."""
        return self.drawn.diff(dim=1).clamp(min=0)

    def steadied(self) -> Tensor:
        """`light` after a calmer course that the counts allow: (N, K, h, w).

        The charge is smoothed along time, then brought back to within half a spike of the running
        count: dim pixels become steady, and bright ones, known exactly, stay as they are.
        """
        running = running_count(self.counts)
        charge = self.drawn + (running - self.drawn).mean(dim=1, keepdim=True)
        smooth = smoothing(charge.shape[1]).to(charge) @ charge.flatten(2)
        least, most = running - ROUNDING, running + ROUNDING
        return smooth.view_as(charge).maximum(least).minimum(most).diff(dim=1).clamp(min=0)


def running_count(counts_NKhw: Tensor) -> Tensor:
    """Spikes until each edge of the bins, from 0 to the exposure's count: (N, E, h, w)."""
    return torch.cat([torch.zeros_like(counts_NKhw[:, :1]), counts_NKhw.cumsum(dim=1)], dim=1)


def _through_spikes(counts_NKhw: Tensor) -> Tensor:
    """Charge as lines from spike to spike: (N, E, h, w).

    A spike fires where the running count passes the middle of its step. Before the first and
    after the last one the nearest interval's rate goes on, for less than another spike.
    """
    running, bins = running_count(counts_NKhw), counts_NKhw.shape[1]
    edge = torch.arange(bins + 1, device=running.device)[:, None, None].to(running)
    fired = (running + 0.5).floor()
    fires = fired[:, 1:] > fired[:, :-1]
    per_spike = 1 / counts_NKhw.clamp(min=1e-6)
    first = edge[:-1] + (fired[:, :-1] + 0.5 - running[:, :-1]) * per_spike
    last = edge[:-1] + (fired[:, 1:] - 0.5 - running[:, :-1]) * per_spike
    never = torch.full_like(running[:, :1], FAR)
    before = torch.cat([-never, torch.where(fires, last, -FAR).cummax(dim=1).values], dim=1)
    after = torch.where(fires, first, FAR).flip(1).cummin(dim=1).values.flip(1)
    after = torch.cat([after, never], dim=1)
    inside = (before > -FAR) & (after < FAR)
    slope = torch.where(inside, 1 / (after - before), running[:, -1:] / bins)
    start, end = after[:, :1], before[:, -1:]
    slope_first = _first(slope, inside).minimum(1 / start.clamp(min=1e-3))
    slope_last = _first(slope.flip(1), inside.flip(1)).minimum(1 / (bins - end).clamp(min=1e-3))
    since = torch.where(before > -FAR, torch.where(inside, slope * (edge - before),
                                                   slope_last * (edge - end)),
                        1 + slope_first * (edge - start))
    return torch.where(fired[:, -1:] > 0, fired - 0.5 + since, running)


def _first(values_NEhw: Tensor, wanted_NEhw: Tensor) -> Tensor:
    """The first of the values along E that is wanted, or the very first: (N, 1, h, w)."""
    return values_NEhw.gather(1, wanted_NEhw.byte().argmax(dim=1, keepdim=True))


def smoothing(edges: int) -> Tensor:
    """Four passes of the weights 1/4, 1/2, 1/4 along time, ends going on straight: (E, E)."""
    once = torch.zeros(edges, edges, dtype=torch.float64)
    for row in range(1, edges - 1):
        once[row, row - 1 : row + 2] = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    once[0], once[-1] = 2 * once[1] - once[2], 2 * once[-2] - once[-3]
    return torch.linalg.matrix_power(once, 4)
