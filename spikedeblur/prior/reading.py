"""What the network is given of the spikes: read frame by frame, on planes that suit the frames'.

Shape suffixes: B clips, T frames, N = B * T, K bins, h and w pixels of the plane that the spikes
are brought onto, the frames' over a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from spikedeblur.prior.chunks import map_chunks
from spikedeblur.prior.evidence import LogStatistics
from spikedeblur.prior.intervals import CumulativeCounts
from spikedeblur.prior.photometry import luminance
from spikedeblur.prior.planes import resize, shifted, to_frame_grid
from spikedeblur.prior.prior import Candidates, SDMCandidates, relative_rates
from spikedeblur.prior.recentring import CompensatedFrames, MotionField
from spikedeblur.prior.registration import estimate_shift


@dataclass(frozen=True)
class Reading:
    """Of N exposures: their frames as they stand at the target (N, 3, H, W) and spikes
    (N, 1, h, w), None without any; with a prior, what it tells, and how the frames were brought to
    a target off the middle.
    """

    frames: Tensor
    counts: Tensor | None = None
    candidates: Candidates | None = None
    compensated: CompensatedFrames | None = None

    def of(self, frames: slice) -> Reading:
        """Of some of the frames."""
        return Reading(
            self.frames[frames],
            None if self.counts is None else self.counts[frames],
            None if self.candidates is None else self.candidates.of(frames),
            None if self.compensated is None else self.compensated.of(frames),
        )


def read(
    rgb_BT3HW: Tensor,
    voxels_BTKhw: Tensor,
    target_time_N: Tensor,
    *,
    size: tuple[int, int],
    net_size: Sequence[int],
    coarsest: int,
    prior: SDMCandidates | None,
) -> tuple[Reading, Tensor]:
    """Read the spikes of padded frames sRGB in [0, 1], of which `size` (H, W) is not padding.

    `net_size` (H/f, W/f) is the network's plane, `coarsest` what it divides frames by. Returns,
    beside the reading, how each bin's rate differs from the exposure's (N, K, *net_size). With a
    prior the bins are carried to the target as the frames are: so whatever is learnt of the middle
    of an exposure holds for every instant.
    """
    clips, frames, _, height, width = rgb_BT3HW.shape
    place = partial(to_frame_grid, size=size, padded=(height, width), coarsest=coarsest)
    rgb, voxels = rgb_BT3HW.flatten(0, 1), voxels_BTKhw.flatten(0, 1)

    def piece(part: slice) -> tuple[Tensor, ...]:
        # Before any resampling: neighbours' spikes do not fire together.
        charge = CumulativeCounts.of(voxels[part].float()).resampled(place)
        if shift_N2.any():
            way = -shift_N2[part, :, None, None]
            charge = charge.resampled(lambda planes: shifted(planes, way).clamp(min=0))
        light, count = charge.light(), charge.counts.sum(dim=1, keepdim=True)
        if prior is None:
            return count, resize(relative_rates(light), net_size)
        target = target_time_N[part]
        if not target_time_N.any():
            return count, resize(relative_rates(light), net_size), prior(charge, target)
        field = MotionField.of(charge.smoothed_light(), target)
        compensated = field.of_frames(rgb[part], exponent_N[part])
        there = compensated.frames()
        log_ratios = prior(charge, target, compensated.count_ratio(there, rgb[part]))
        return (
            count,
            resize(relative_rates(field(light)), net_size),
            log_ratios,
            there,
            compensated.warped,
            compensated.confidence,
        )

    with torch.autocast(rgb.device.type, enabled=False):
        total = place(voxels.sum(dim=1, keepdim=True).float())
        plane = (total.shape[-2], total.shape[-1])
        (light,) = map_chunks(
            lambda part: (luminance(rgb[part], plane),), len(rgb), (height, width)
        )
        light, total = (each.view(clips, frames, *plane) for each in (light, total))
        rows, columns = (max(1, size[0] * plane[0] // height), max(1, size[1] * plane[1] // width))
        unpadded = LogStatistics.of(light[..., :rows, :columns], total[..., :rows, :columns])
        shift_N2, exponent_N = (
            each.repeat_interleave(frames, dim=0)
            for each in (estimate_shift(unpadded), unpadded.exponent())
        )
        counts, rates, *rest = map_chunks(piece, len(rgb), (height, width))
        if prior is None:
            return Reading(rgb, counts), rates
        log_ratios, *brought = rest
        candidates = prior.build(LogStatistics.of(light, counts.view(light.shape)), log_ratios)
    if not brought:
        return Reading(rgb, counts, candidates), rates
    there, warped, trust = brought
    return Reading(
        there, counts, candidates, CompensatedFrames(rgb, warped, trust, exponent_N)
    ), rates
