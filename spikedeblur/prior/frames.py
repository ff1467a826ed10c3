"""Frames read one after the other, and what the joint picture makes of each.

What `features` does with a whole clip, for a video of any length: a frame is read once, serves as
neighbour of those beside it, and is restored from no more than these, so that it comes out the same
wherever a video is cut into parts.

Shape suffixes: K bins, H and W frame pixels, h and w spike pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from spikedeblur.prior.evidence import LogStatistics, believed, mismatch
from spikedeblur.prior.features import adds_light, read_clip, start_picture
from spikedeblur.prior.intervals import CumulativeCounts
from spikedeblur.prior.joint import JointPicture, joint_picture
from spikedeblur.prior.path import MotionPath
from spikedeblur.prior.photometry import gaussian_blur
from spikedeblur.prior.planes import resize
from spikedeblur.prior.shot import Neighbour, ShotFrames, encoded
from spikedeblur.prior.timing import in_time, lateness
from spikedeblur.prior.warps import warp

# Frame pixels of a path: up to the first nothing moves, from the second on all does.
STILL, MOVING = 0.2, 0.6
# Of the frame, over the error expected: what is left where half of a joint picture is taken.
MOST_LEFT, LEFT_SIGMA = 3.5, 2.0
BORDER = 4  # spike pixels within which the light of a sensor's border is made to stand still
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ReadFrame:
    """One frame with its path, the light between its spikes, and what both cameras saw.

    in_sight: (1, 1, h, w), 1 where the spike sensor looked, and fired; None where it did all over.
    """

    exposure: ShotFrames
    charge: CumulativeCounts
    seen: LogStatistics
    in_sight: Tensor | None = None

    @classmethod
    @torch.no_grad()
    def of_arrays(cls, frame: Floats, counts: Floats, in_sight: Floats | None = None) -> ReadFrame:
        """Read a frame (H, W, 3) sRGB in [0, 1] and the voxel grid (K, h, w) over the same field.

        in_sight: (h, w), as above.
        """
        rgb = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))
        voxels = torch.from_numpy(np.require(counts, np.float32, ["C", "W"]))
        lit = lit_areas(voxels.sum(dim=0)[None, None])
        if in_sight is not None:
            lit = lit * torch.from_numpy(in_sight)
        return cls(*read_clip(rgb[None], voxels[None]), None if lit.all() else lit)

    def neighbour(self, distance: int, linear: bool) -> Neighbour:
        """Serve a frame `distance` frames before."""
        exposure = replace(self.exposure, linear=linear)
        return Neighbour(exposure, distance, exposure.rgb.new_ones(1))


@torch.no_grad()
def joint_frame(frame: ReadFrame, around: Mapping[int, ReadFrame], target: float) -> Tensor:
    """Restore a frame at an instant of its exposure: (3, H, W) sRGB in [0, 1].

    around: its neighbours by their distance, the one before at -1. target: in [-0.5, 0.5]. As much
    of the joint picture is taken as its path is believed. The frame stays as it is where the spikes
    are of another scene or time, and where nothing moves.
    """
    clip = [frame, *around.values()]
    seen = LogStatistics(
        *(
            torch.cat([getattr(each.seen, name) for each in clip], dim=1)
            for name in ("luminance", "count", "valid")
        )
    )
    linear = adds_light(seen)
    here = replace(frame.exposure, linear=linear)
    start = start_picture(here, frame.charge, target, seen)
    others = [each.neighbour(distance, linear) for distance, each in around.items()]
    joint = joint_picture(here, others, start, 2 * target)
    confidence, size = joint.confidence * explained(joint), here.rgb.shape[-2:]
    if frame.in_sight is not None:
        confidence = confidence * resize(stays_in_sight(frame.in_sight, here.path), size)
    moves = ((joint.length - STILL) / (MOVING - STILL)).clamp(0, 1)
    sharp = encoded(torch.lerp(start, joint.joint, confidence * moves), linear)
    # What certainly stands still was not blurred, whatever few spikes seem to say.
    mismatches = mismatch(seen)
    belief = believed(resize(mismatches[:1], size)) * (1 - confidence * (1 - moves))
    belief = belief * believed(mismatches.mean())  # what fits here and there fits by chance
    light = torch.cat([each.exposure.light.planes for each in clip])
    belief = belief * in_time(lateness(seen, light))
    if frame.in_sight is not None:
        belief = belief * (resize(frame.in_sight, size) == 1)
    return torch.lerp(here.rgb, sharp, belief)[0]


def explained(joint: JointPicture) -> Tensor:
    """Return how well a joint picture explains its own frame, in [0, 1]: (1, 1, H, W).

    Where one thing hides another, no path does; neighbours then show what is not to be seen here.
    """
    left = gaussian_blur(joint.frame_left.square(), LEFT_SIGMA)
    return 1 / (1 + left / MOST_LEFT**2)


def lit_areas(count_N1hw: Tensor) -> Tensor:
    """Return 0 in the areas, of more than a few pixels, without any spike; 1 elsewhere."""
    side = 2 * BORDER + 1
    near_some = functional.max_pool2d((count_N1hw > 0).to(count_N1hw), side, 1, BORDER)
    return 1 - functional.max_pool2d(1 - near_some, side, 1, BORDER)


def stays_in_sight(in_sight_11hw: Tensor, path: MotionPath) -> Tensor:
    """Return 1 where the path of a point stays off the border of what the sensor saw: (1, 1, h, w).

    At the border stands an edge that does not move with the scene.
    """
    border = functional.max_pool2d(1 - in_sight_11hw, 2 * BORDER + 1, 1, BORDER)
    way = path.displacement(path.coefficients.new_tensor([-1.0, -0.5, 0.5, 1.0]))[0]
    met = warp(border.expand(len(way), -1, -1, -1), way).amax(dim=0, keepdim=True)
    return 1 - torch.maximum(border, met)
