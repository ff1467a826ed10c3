"""What a network is given of a clip: pictures to choose among, and what speaks for each.

None of it depends on weights, so that clips can be read once and trained on often.

Shape suffixes: B clips, T frames, N = B * T, K bins, P pictures, M maps, H and W frame pixels, h
and w spike pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikedeblur.prior.chunks import EVERY_FRAME, chunks, map_at_once
from spikedeblur.prior.evidence import LogStatistics, linearity, mismatch
from spikedeblur.prior.intervals import CumulativeCounts
from spikedeblur.prior.joint import JointPicture, joint_picture
from spikedeblur.prior.path import MotionPath
from spikedeblur.prior.photometry import grey, luminance
from spikedeblur.prior.planes import resize, shifted
from spikedeblur.prior.recentring import MotionField
from spikedeblur.prior.registration import estimate_shift
from spikedeblur.prior.sdm import log_count, relative_rates, sdm_ratio
from spikedeblur.prior.shot import ShotFrames, decoded, encoded, neighbours_of
from spikedeblur.prior.timed_light import TimedLight

PICTURES = ("blurry", "sdm", "own", "joint")
MAPS = ("confidence", "frame_left", "bins_left", "length", "mismatch", "count", "linearity")
WINDOWS = (1 / 16, 1 / 8, 1 / 4, 1 / 2)  # of the exposure, that SDM blends
LEAST_LINEARITY = -0.05  # below it, encoded values were added up
REACH = 1  # frames to either side that serve as neighbours


@dataclass(frozen=True)
class PriorFeatures:
    """Of N frames: `pictures` (N, P, 3, H, W) sRGB in [0, 1], `maps` (N, M, H, W), `rates`
    (N, K, h, w), each bin's light over the exposure's mean, less 1, times the frame's grey value.
    """

    pictures: Tensor
    maps: Tensor
    rates: Tensor

    @property
    def mismatch(self) -> Tensor:
        """How little the spikes have to do with the frame: (N, 1, H, W) in [0, 1]."""
        place = MAPS.index("mismatch")
        return self.maps[:, place : place + 1]


@torch.no_grad()
def prior_features(
    rgb_BT3HW: Tensor, voxels_BTKhw: Tensor, target_B: Tensor, kept: slice = EVERY_FRAME
) -> PriorFeatures:
    """Read clips: frames sRGB in [0, 1], spike counts, target times in [-0.5, 0.5].

    kept: of which frames; the others are their neighbours only.
    """
    clips = [
        clip_features(rgb.float(), voxels.float(), float(target), kept)
        for rgb, voxels, target in zip(rgb_BT3HW, voxels_BTKhw, target_B, strict=True)
    ]
    return PriorFeatures(
        *(torch.cat([getattr(c, name) for c in clips]) for name in ("pictures", "maps", "rates"))
    )


def clip_features(
    rgb_T3HW: Tensor, voxels_TKhw: Tensor, target: float, kept: slice = EVERY_FRAME
) -> PriorFeatures:
    """Read one clip, whose frames are each other's neighbours, and tell of those that are kept."""
    shot, charge, stats = read_clip(rgb_T3HW, voxels_TKhw)
    mismatches = mismatch(stats)

    def told(piece: slice) -> tuple[Tensor, ...]:
        here, counted = shot.at(piece), charge.at(piece)
        start = start_picture(here, counted, target, stats)
        around = neighbours_of(shot, range(piece.start, piece.stop), REACH)
        joint = joint_picture(here, around, start, 2 * target)
        return frame_features(here, counted, start, joint, mismatches[piece])

    first, stop, _ = kept.indices(len(rgb_T3HW))
    own = chunks(stop - first, rgb_T3HW.shape[-2:])
    pieces = [slice(first + piece.start, first + piece.stop) for piece in own]
    return PriorFeatures(*map_at_once(told, pieces, rgb_T3HW.device))


def read_clip(
    rgb_T3HW: Tensor, voxels_TKhw: Tensor
) -> tuple[ShotFrames, CumulativeCounts, LogStatistics]:
    """Read the spikes of a clip where they lie on its frames, and how light was added up."""
    plane = (voxels_TKhw.shape[-2], voxels_TKhw.shape[-1])
    lit = torch.cat([luminance(frame[None], plane)[0] for frame in rgb_T3HW])
    stats = LogStatistics.of(lit[None], voxels_TKhw.sum(dim=1)[None])
    linear, shift = adds_light(stats), estimate_shift(stats)

    def read(piece: slice) -> tuple[Tensor, ...]:
        charge = CumulativeCounts.of(voxels_TKhw[piece])
        if shift.any():
            way = -shift[:, :, None, None].expand(len(charge.counts), -1, -1, -1)
            charge = charge.resampled(lambda x: shifted(x, way).clamp(min=0))
        count = charge.counts.sum(dim=1, keepdim=True)
        shot = ShotFrames.of(rgb_T3HW[piece], TimedLight.of(charge), count, linear)
        light = (charge.counts, charge.interpolated, shot.light.planes, shot.light.times)
        return *light, count, shot.path.coefficients, shot.path.chi_square, shot.middle

    pieces = list(chunks(len(rgb_T3HW), rgb_T3HW.shape[-2:]))
    counts, interpolated, planes, times, count, coefficients, wrong, middle = map_at_once(
        read, pieces, lit.device
    )
    path, light = MotionPath(coefficients, wrong), TimedLight(planes, times)
    shot = ShotFrames(rgb_T3HW, light, count, linear, path, middle)
    return shot, CumulativeCounts(counts, interpolated), stats


def adds_light(stats: LogStatistics) -> bool:
    """Tell whether the frames of one clip add up light; else they add up encoded values."""
    return bool(linearity(stats) > LEAST_LINEARITY)


def start_picture(
    exposure: ShotFrames, charge: CumulativeCounts, target: float, stats: LogStatistics
) -> Tensor:
    """Restore frames by SDM, in the light that was added up: (N, 3, H, W)."""
    rgb = exposure.rgb
    time = rgb.new_full((len(rgb),), target)
    count_ratio: Tensor | float = 1.0
    frames = rgb
    if target:
        compensated = MotionField.of(
            exposure.light.planes, time, exposure.path.back_from(2 * target)
        ).of_frames(rgb, stats.exponent().expand(len(rgb)))
        frames = compensated.frames()
        count_ratio = compensated.count_ratio(frames, rgb)
    windows = torch.tensor([part * charge.bins for part in WINDOWS], device=rgb.device)
    ratio = sdm_ratio(charge, windows, time, count_ratio).log()
    ratio = resize(ratio, rgb.shape[-2:], up="bicubic").exp()
    return (decoded(frames, exposure.linear) * ratio).clamp(0, 1)


def frame_features(
    exposure: ShotFrames,
    charge: CumulativeCounts,
    start: Tensor,
    joint: JointPicture,
    mismatches: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Lay out what is known of frames: pictures, maps, rates."""
    size, linear = exposure.rgb.shape[-2:], exposure.linear
    lights = (start, joint.own, joint.joint)
    pictures = [exposure.rgb, *(encoded(each, linear) for each in lights)]
    maps = [
        joint.confidence,
        joint.frame_left.clamp(-3, 3),
        joint.bins_left.clamp(max=3),
        (joint.length + 1).log() / 3,
        resize(mismatches, size),
        resize(log_count(charge.counts), size),
        torch.full_like(joint.confidence, 1.0 if linear else -1.0),
    ]
    rates = relative_rates(charge.light()) * grey(resize(exposure.rgb, charge.counts.shape[-2:]))
    return torch.stack(pictures, dim=1), torch.cat(maps, dim=1), rates
