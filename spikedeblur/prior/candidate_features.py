"""What a network that chooses among SDM's candidates is given of a clip, in three steps.

    register    where the spikes lie on the frames, and how light was added up
    integrate   the spikes of an exposure -> the charge behind them, on the frames' grid
    compensate  frames and light carried from the middle of the exposure to the target instant

Shape suffixes: B clips, T frames, N = B * T, K bins, h and w pixels of the plane that the spikes
are brought onto, the frames' over a power of two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from spikedeblur.prior.chunks import map_chunks
from spikedeblur.prior.evidence import LogStatistics
from spikedeblur.prior.intervals import CumulativeCounts
from spikedeblur.prior.photometry import luminance
from spikedeblur.prior.planes import resize, shifted, to_frame_grid
from spikedeblur.prior.recentring import CompensatedFrames, MotionField
from spikedeblur.prior.registration import estimate_shift
from spikedeblur.prior.sdm import Candidates, SDMCandidates, relative_rates


@dataclass(frozen=True)
class CandidateFeatures:
    """Of N exposures: their frames as they stand at the target (N, 3, H, W) and spikes
    (N, 1, h, w), None without any; with a prior, its candidates, and how the frames were brought to
    a target off the middle.
    """

    frames: Tensor
    counts: Tensor | None = None
    candidates: Candidates | None = None
    compensated: CompensatedFrames | None = None

    def of(self, frames: slice) -> CandidateFeatures:
        """Take some of the frames."""
        return CandidateFeatures(
            self.frames[frames],
            None if self.counts is None else self.counts[frames],
            None if self.candidates is None else self.candidates.of(frames),
            None if self.compensated is None else self.compensated.of(frames),
        )


@dataclass(frozen=True)
class Registration:
    """How the spikes of N exposures lie on their frames.

    place: spike planes onto the frames' grid; shift (N, 2), (x, y) pixels by which they lie beside
    it; exponent (N,), of luminance, by which counts rise; luminance (B, T, h, w), linear.
    """

    place: Callable[[Tensor], Tensor]
    shift: Tensor
    exponent: Tensor
    luminance: Tensor

    def of(self, frames: slice) -> Registration:
        """Take some of the frames; the luminance stays that of all."""
        return replace(self, shift=self.shift[frames], exponent=self.exponent[frames])


def candidate_features(
    rgb_BT3HW: Tensor,
    voxels_BTKhw: Tensor,
    target_time_N: Tensor,
    *,
    size: tuple[int, int],
    net_size: Sequence[int],
    coarsest: int,
    prior: SDMCandidates | None,
) -> tuple[CandidateFeatures, Tensor]:
    """Read the spikes of padded frames sRGB in [0, 1], of which `size` (H, W) is not padding.

    `net_size` (H/f, W/f) is the network's plane, `coarsest` what it divides frames by. Returns,
    beside the features, how each bin's rate differs from the exposure's (N, K, *net_size). With a
    prior the bins are carried to the target as the frames are: so what is learnt of the middle of
    an exposure holds for every instant.
    """
    rgb, voxels = rgb_BT3HW.flatten(0, 1), voxels_BTKhw.flatten(0, 1)
    off_middle = prior is not None and bool(target_time_N.any())

    def piece(part: slice) -> tuple[Tensor, ...]:
        here, target = registered.of(part), target_time_N[part]
        charge = integrate(voxels[part], here)
        light, count = charge.light(), charge.counts.sum(dim=1, keepdim=True)
        if not off_middle:
            rates = resize(relative_rates(light), net_size)
            return (count, rates) if prior is None else (count, rates, prior(charge, target))
        assert prior is not None
        field, moved = compensate(rgb[part], charge, target, here.exponent)
        there = moved.frames()
        ratios = prior(charge, target, moved.count_ratio(there, rgb[part]))
        rates = resize(relative_rates(field(light)), net_size)
        return count, rates, ratios, there, moved.warped, moved.confidence

    with torch.autocast(rgb.device.type, enabled=False):
        registered = register(rgb_BT3HW, voxels_BTKhw, size, coarsest)
        counts, rates, *rest = map_chunks(piece, len(rgb), rgb.shape[-2:])
        if prior is None:
            return CandidateFeatures(rgb, counts), rates
        light = registered.luminance
        candidates = prior.build(LogStatistics.of(light, counts.view(light.shape)), rest[0])
    if not off_middle:
        return CandidateFeatures(rgb, counts, candidates), rates
    _, there, warped, confidence = rest
    compensated = CompensatedFrames(rgb, warped, confidence, registered.exponent)
    return CandidateFeatures(there, counts, candidates, compensated), rates


def register(
    rgb_BT3HW: Tensor, voxels_BTKhw: Tensor, size: tuple[int, int], coarsest: int
) -> Registration:
    """Find how the spikes lie on padded frames, from what both cameras saw of each exposure."""
    clips, frames, _, height, width = rgb_BT3HW.shape
    place = partial(to_frame_grid, size=size, padded=(height, width), coarsest=coarsest)
    rgb = rgb_BT3HW.flatten(0, 1)
    total = place(voxels_BTKhw.flatten(0, 1).sum(dim=1, keepdim=True).float())
    plane = (total.shape[-2], total.shape[-1])
    (light,) = map_chunks(lambda part: (luminance(rgb[part], plane),), len(rgb), (height, width))
    light, total = (each.view(clips, frames, *plane) for each in (light, total))
    rows, columns = (max(1, size[0] * plane[0] // height), max(1, size[1] * plane[1] // width))
    unpadded = LogStatistics.of(light[..., :rows, :columns], total[..., :rows, :columns])
    shift, exponent = (
        each.repeat_interleave(frames, dim=0)
        for each in (estimate_shift(unpadded), unpadded.exponent())
    )
    return Registration(place, shift, exponent, light)


def integrate(voxels_NKhw: Tensor, registered: Registration) -> CumulativeCounts:
    """Interpolate the charge of exposures between their spikes, then bring it to the frames."""
    # Before any resampling: neighbours' spikes do not fire together.
    charge = CumulativeCounts.of(voxels_NKhw.float()).resampled(registered.place)
    if not registered.shift.any():
        return charge
    way = -registered.shift[:, :, None, None]
    return charge.resampled(lambda planes: shifted(planes, way).clamp(min=0))


def compensate(
    rgb_N3HW: Tensor, charge: CumulativeCounts, target_time_N: Tensor, exponent_N: Tensor
) -> tuple[MotionField, CompensatedFrames]:
    """Estimate the motion from the middle of exposures to a target; bring their frames there."""
    field = MotionField.of(charge.smoothed_light(), target_time_N)
    return field, field.of_frames(rgb_N3HW, exponent_N)
