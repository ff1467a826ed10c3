"""The blurry frame brought from the middle of its exposure to another instant.

A blurry frame shows everything about where it stood in the middle, so what is restored from it is
best there and worse towards the ends, by as much as the frame itself is. Spikes do not blur: their
motion, taken from how light changes where it has a slope (Lucas & Kanade, IJCAI 1981), tells where
each pixel of the target instant stood in the middle. Where that motion carries the light of the
middle to the target better than it resembles it unmoved, the frame follows it.

Shape suffixes: N exposures, K bins, C channels, H and W pixels of the frame, h and w of the spike
plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikedeblur.prior.intervals import rates
from spikedeblur.prior.photometry import RATIO_FLOOR, gaussian_blur, grey, luminance
from spikedeblur.prior.planes import central_difference, resize, shifted

MOTION_SMOOTHING_PX = 1.0  # spike pixels; slopes are taken of what is left
MOTION_POOLING_PX = 2.0  # spike pixels that are taken to move together
MOTION_LOG_FLOOR = 0.1  # of the mean light: added before the logarithm
MIN_SQUARED_SLOPE = 1e-4  # squared slope of log light a bin, below which nothing is taken to move
MIN_SPREAD_BINS = 3.0  # bins; the motion is that of so many, or of the way from target to middle
MAX_SPEED_PX_PER_BIN = 2.0  # spike pixels a bin
COMPARED = 0.25  # of the exposure: light around the two instants
CONFIDENCE_SIGMA_PX = 0.8  # spike pixels over which it is compared
NOISE = 0.05  # of light, in spikes squared, below which nothing is told
LEAST_TRUST = 0.01  # and the most is 1 less that, where trust is reconsidered


@dataclass(frozen=True)
class MotionField:
    """Where each pixel of the target instant stood in the middle of the exposure.

    `displacement` (N, 2, h, w), (x, y) in pixels of the plane; `confidence` (N, 1, h, w) in [0, 1].
    """

    displacement: Tensor
    confidence: Tensor

    @classmethod
    def of(
        cls, light_NKhw: Tensor, target_time_N: Tensor, way_N2hw: Tensor | None = None
    ) -> MotionField:
        """From each bin's light; target times in [-0.5, 0.5] of the exposure, 0 the middle.

        way: the displacements from the target to the middle where they are known.
        """
        bins = light_NKhw.shape[1]
        if way_N2hw is None:
            bins_away = (target_time_N * bins)[:, None, None, None]
            way_N2hw = -bins_away * motion(light_NKhw, target_time_N / 2, target_time_N.abs() / 2)
        way = way_N2hw
        window = torch.tensor([COMPARED * bins], device=way.device)
        there, mean = rates(light_NKhw, window, target_time_N).split(1, dim=1)
        middle = rates(light_NKhw, window, torch.zeros_like(target_time_N))[:, :1]
        misses = torch.cat([there - shifted(middle, way), there - mean, there - middle], dim=1)
        warped, *original = gaussian_blur(misses.square(), CONFIDENCE_SIGMA_PX).split(1, dim=1)
        left = torch.maximum(*original)
        return cls(way, ((left - warped - NOISE) / (left + NOISE)).clamp(0, 1))

    def __call__(self, planes_NChw: Tensor) -> Tensor:
        """Planes of the middle, on any plane of the same field, as they stand at the target."""
        return between(planes_NChw, self._warped(planes_NChw), self.confidence)

    def _warped(self, planes_NChw: Tensor) -> Tensor:
        size = planes_NChw.shape[-2:]
        rows, columns = (n / m for n, m in zip(size, self.displacement.shape[-2:], strict=True))
        scale = torch.tensor([columns, rows], device=self.displacement.device)[:, None, None]
        return shifted(planes_NChw, scale * resize(self.displacement, size))

    def of_frames(self, rgb_N3HW: Tensor, exponent_N: Tensor) -> CompensatedFrames:
        """Frames sRGB in [0, 1] brought to the target.

        A count is a power of luminance, `exponent_N` its exponent (`LogStatistics.exponent`).
        """
        return CompensatedFrames(rgb_N3HW, self._warped(rgb_N3HW), self.confidence, exponent_N)


@dataclass(frozen=True)
class CompensatedFrames:
    """Frames sRGB in [0, 1] between where they stood in the middle and where motion carries them.

    `original` and `warped` (N, 3, H, W); `confidence` (N, 1, h, w) in the latter; `exponent` (N,).
    """

    original: Tensor
    warped: Tensor
    confidence: Tensor
    exponent: Tensor

    def of(self, frames: slice) -> CompensatedFrames:
        """Some of the frames."""
        return CompensatedFrames(
            self.original[frames],
            self.warped[frames],
            self.confidence[frames],
            self.exponent[frames],
        )

    def frames(self) -> Tensor:
        """The frames as they stand at the target, as far as the motion is trusted: (N, 3, H, W)."""
        return between(self.original, self.warped, self.confidence)

    def count_ratio(self, now_N3HW: Tensor, before_N3HW: Tensor) -> Tensor:
        """The counts of frames as they are now over those of before: (N, 1, h, w).

        To carry the counts themselves would misplace their borders by what a coarse plane cannot
        tell.
        """
        plane = self.confidence.shape[-2:]
        now, before = (luminance(rgb, plane) + RATIO_FLOOR for rgb in (now_N3HW, before_N3HW))
        return (now / before) ** self.exponent[:, None, None, None]

    def luma_differences(self) -> Tensor:
        """How much brighter either end of the trust is than the frames: (N, 2, H, W)."""
        frames = grey(self.frames())
        return torch.cat([grey(self.original) - frames, grey(self.warped) - frames], dim=1)

    def with_confidence(self, confidence_logit_N1HW: Tensor) -> tuple[Tensor, Tensor]:
        """The frames under another trust, and what becomes of a ratio that was to multiply them.

        `confidence_logit_N1HW` is added to the trust's logit. Returns (N, 3, H, W) and a factor
        (N, 1, H, W) for ratios sharp / blurry of `frames()`.
        """
        size = self.original.shape[-2:]
        trust = (resize(self.confidence, size).logit(LEAST_TRUST) + confidence_logit_N1HW).sigmoid()
        now = between(self.original, self.warped, trust)
        return now, resize(self.count_ratio(self.frames(), now), size)


def between(unmoved_NChw: Tensor, followed_NChw: Tensor, trust_N1hw: Tensor) -> Tensor:
    """Planes >= 0 as far on the way from the first to the second as the trust in the second."""
    trust = resize(trust_N1hw, unmoved_NChw.shape[-2:])
    return torch.lerp(unmoved_NChw, followed_NChw, trust).clamp(min=0)


def motion(light_NKhw: Tensor, time_N: Tensor, reach_N: Tensor) -> Tensor:
    """Motion around an instant, in pixels a bin: (N, 2, h, w), (x, y).

    `time_N` in [-0.5, 0.5] of the exposure, `reach_N` how much of it on either side is looked at.
    Least squares over a neighbourhood: what moves keeps its light.
    """
    bins = light_NKhw.shape[1]
    mean = light_NKhw.mean(dim=(1, 2, 3), keepdim=True)
    light = (
        gaussian_blur(light_NKhw, MOTION_SMOOTHING_PX) + MOTION_LOG_FLOOR * mean.clamp(min=1e-6)
    ).log()
    right, down, later = (
        central_difference(light, -1),
        central_difference(light, -2),
        central_difference(light, 1),
    )
    centre, spread = (time_N + 0.5) * bins - 0.5, (reach_N * bins).clamp(min=MIN_SPREAD_BINS)
    away = (torch.arange(bins).to(centre) - centre[:, None]) / spread[:, None]
    weight = torch.exp(-0.5 * away.square())[:, :, None, None]

    def pooled(one: Tensor, other: Tensor) -> Tensor:
        return (weight * one * other).sum(dim=1, keepdim=True)

    products = torch.cat(
        [
            pooled(right, right),
            pooled(right, down),
            pooled(down, down),
            pooled(right, later),
            pooled(down, later),
        ],
        dim=1,
    )
    xx, xy, yy, xt, yt = gaussian_blur(products, MOTION_POOLING_PX).split(1, dim=1)
    flattest = MIN_SQUARED_SLOPE * weight.sum(dim=1, keepdim=True)
    xx, yy = xx + flattest, yy + flattest
    across = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1)
    return (across / (xx * yy - xy.square())).clamp(-MAX_SPEED_PX_PER_BIN, MAX_SPEED_PX_PER_BIN)
