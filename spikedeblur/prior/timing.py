"""How late the spikes are: whether they are those of the frame's own exposure.

Spikes counted from a moment too late miss the light of the exposure's begin and hold that of what
came after its end. So the count differs from the frame's luminance by the light of the last bins
less that of the first, as often as it is late by one bin: one number, by least squares over a clip.

Shape suffixes: T frames of a clip, K bins, h and w pixels of the spike plane.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spikedeblur.prior.evidence import LogStatistics
from spikedeblur.prior.photometry import gaussian_blur

ENDS = 1 / 8  # of the exposure, whose light is taken for that of its begin and of its end
FINEST_STRUCTURE_PX, COARSEST_STRUCTURE_PX = (
    0.8,
    4.0,
)  # spike pixels; structure is what lies between them
MIN_TIMED_SPIKES = 0.5
LEAST_EXPLAINED = 0.05  # of what frame and counts differ by: less is chance
# Parts of the exposure. On 24 clips, spikes of the right time were late by up to 0.02, spikes of
# 4 ms before or after by 0.11 to 0.31 of 16.7 ms.
LATE, TOO_LATE = 0.08, 0.12


def lateness(seen: LogStatistics, light_TKhw: Tensor) -> float:
    """Return by which part of the exposure the spikes of one clip are late, 0 where none is sure.

    seen: what both cameras saw of the T frames, (1, T, h, w) each. light: of their bins.
    """
    bins = light_TKhw.shape[1]
    ends = max(1, round(bins * ENDS))
    later = light_TKhw[:, -ends:].mean(dim=1) - light_TKhw[:, :ends].mean(dim=1)
    later = structure(later * bins / light_TKhw.sum(dim=1).clamp(min=MIN_TIMED_SPIKES))
    exponent = seen.exponent()[:, None, None, None]
    missed = structure((exponent * seen.luminance - seen.count)[0])
    clear = seen.valid[0]
    slope = (clear * later.square()).sum().clamp(min=1e-9)
    late = (clear * missed * later).sum() / slope
    explained = late.square() * slope / (clear * missed.square()).sum().clamp(min=1e-9)
    return float(late) if explained > LEAST_EXPLAINED else 0.0


def in_time(late: float) -> float:
    """Return how much of what spikes say is to be taken, by how late they are: in [0, 1]."""
    return min(max((TOO_LATE - abs(late)) / (TOO_LATE - LATE), 0.0), 1.0)


def structure(planes_Thw: Tensor) -> Tensor:
    """Return planes less their neighbourhood, calmed."""
    calm = gaussian_blur(planes_Thw[:, None], FINEST_STRUCTURE_PX)
    return torch.squeeze(calm - gaussian_blur(calm, COARSEST_STRUCTURE_PX), 1)
