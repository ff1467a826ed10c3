"""Frames of one shot with the light of their bins, the paths that it tells, and their neighbours.

Shape suffixes: N exposures (one, mostly), K bins, H and W frame pixels, h and w spike pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from spikedeblur.prior.neighbours import mean_light
from spikedeblur.prior.path import MotionPath, estimate_path
from spikedeblur.prior.photometry import grey, to_linear, to_srgb
from spikedeblur.prior.timed_light import TimedLight


@dataclass(frozen=True)
class ShotFrames:
    """Frames of one shot, sRGB (N, 3, H, W), with the light of their bins and what it tells.

    `light` of their bins; `count` (N, 1, h, w), spikes of the exposure; `linear`: light
    was added up, not encoded values; `path` from the middle of each exposure, `middle` (N, 1, h, w)
    its light as it stands there.
    """

    rgb: Tensor
    light: TimedLight
    count: Tensor
    linear: bool
    path: MotionPath
    middle: Tensor

    @classmethod
    def of(cls, rgb: Tensor, light: TimedLight, count: Tensor, linear: bool) -> ShotFrames:
        """Find the paths of frames and their spikes."""
        path = estimate_path(light)
        return cls(rgb, light, count, linear, path, mean_light(light, path))

    def at(self, frames: Sequence[int] | slice) -> ShotFrames:
        """Take some of the frames."""
        rgb, count, middle = (part[frames] for part in (self.rgb, self.count, self.middle))
        light, path = self.light.at(frames), self.path.at(frames)
        return ShotFrames(rgb, light, count, self.linear, path, middle)

    @cached_property
    def luminance(self) -> Tensor:
        """Light of the frame, grey: (N, 1, H, W)."""
        return grey(decoded(self.rgb, self.linear))

    @cached_property
    def colours(self) -> Tensor:
        """By how much red and blue are more than `luminance`: (N, 2, H, W)."""
        return colours(decoded(self.rgb, self.linear))

    @property
    def scale(self) -> Tensor:
        """Frame pixels per spike pixel, (x, y): (2, 1, 1)."""
        (height, width), (rows, columns) = self.rgb.shape[-2:], self.count.shape[-2:]
        return self.rgb.new_tensor([width / columns, height / rows])[:, None, None]


def decoded(rgb: Tensor, linear: bool) -> Tensor:
    """Turn sRGB values into what the cameras added up."""
    return to_linear(rgb) if linear else rgb


def encoded(light: Tensor, linear: bool) -> Tensor:
    """Turn light into sRGB values in [0, 1]."""
    return (to_srgb(light.clamp(0, 1)) if linear else light).clamp(0, 1)


def colours(light_N3HW: Tensor) -> Tensor:
    """Return by how much red and blue are more than the luminance: (N, 2, H, W)."""
    return light_N3HW[:, ::2] - grey(light_N3HW)


@dataclass(frozen=True)
class Neighbour:
    """Exposures `distance` frames away, one a frame; `known` (N,) is 0 where there is none."""

    exposure: ShotFrames
    distance: int
    known: Tensor


def neighbours_of(shot: ShotFrames, frames: range, reach: int) -> list[Neighbour]:
    """Find the neighbours of `frames` within a shot, to both sides."""
    last, around = len(shot.rgb) - 1, []
    for distance in (step for n in range(1, reach + 1) for step in (-n, n)):
        places = [frame + distance for frame in frames]
        known = shot.rgb.new_tensor([float(0 <= place <= last) for place in places])
        if known.any():
            held = [min(max(place, 0), last) for place in places]
            around.append(Neighbour(shot.at(held), distance, known))
    return around
