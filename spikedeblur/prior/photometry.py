"""Light and its encoding, and the smoothing of planes: what all that reads spikes shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spikedeblur.prior.bands import Band, along_both
from spikedeblur.prior.planes import resize
from spikedeblur.recording.light import LUMINANCE_WEIGHTS

GAMMA = 2.4
# An integrate-and-fire count between two instants is off by the difference of two remainders,
# each uniform in [0, 1).
COUNT_VARIANCE = 1 / 6
RATIO_FLOOR = 0.003  # linear, of 1: added where luminances are divided
NEIGHBOURHOOD = 2.5  # spike pixels over which noise and change are told apart


def to_linear(srgb: Tensor) -> Tensor:
    """sRGB in [0, 1] -> linear light (IEC 61966-2-1)."""
    curve = ((srgb.clamp(min=0) + 0.055) / 1.055) ** GAMMA
    return torch.where(srgb <= 0.04045, srgb / 12.92, curve)


def to_srgb(linear: Tensor) -> Tensor:
    """Linear light >= 0 -> sRGB (IEC 61966-2-1); not clamped above."""
    low = linear.clamp(min=1e-6)  # the power's slope is infinite at 0
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * low ** (1 / GAMMA) - 0.055)


def grey(rgb_N3hw: Tensor) -> Tensor:
    """Luma of sRGB frames with BT.709 weights: (N, 1, h, w)."""
    weights = torch.tensor(LUMINANCE_WEIGHTS, device=rgb_N3hw.device, dtype=rgb_N3hw.dtype)
    return (rgb_N3hw * weights[:, None, None]).sum(dim=1, keepdim=True)


def luminance(rgb_N3HW: Tensor, size: Sequence[int]) -> Tensor:
    """Linear luminance of frames sRGB in [0, 1], on a plane that divides theirs: (N, 1, *size)."""
    return resize(grey(to_linear(rgb_N3HW)), size)


def gaussian_taps(sigma: float) -> Tensor:
    """Weights of one axis of a Gaussian, three sigma to either side; they sum to one."""
    radius = math.ceil(3 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    return taps / taps.sum()


def gaussian_blur(planes_Nchw: Tensor, sigma: float) -> Tensor:
    """Separable Gaussian over the last two axes, borders repeated."""
    taps = gaussian_taps(sigma).to(planes_Nchw)
    beside = torch.arange(len(taps), device=taps.device) - len(taps) // 2
    rows, columns = (
        Band(
            (torch.arange(n, device=taps.device)[:, None] + beside).clamp(0, n - 1),
            taps.expand(n, -1),
        )
        for n in planes_Nchw.shape[-2:]
    )
    return along_both(planes_Nchw, rows, columns)
