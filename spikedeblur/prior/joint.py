"""The joint picture of a frame: what explains the frame, its bins and those of its neighbours.

An `ShotFrames` is one frame with its spikes, and the path that they tell; it serves as neighbour of
several others, so it is made once. `joint_picture` solves for one of them.

Shape suffixes: N exposures (one, mostly), K bins, H and W frame pixels, h and w spike pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from spikedeblur.prior.neighbours import (
    disagreement,
    end_velocity,
    mean_light,
    plane_motion_between,
)
from spikedeblur.prior.path import MotionPath, estimate_path, merged_bins
from spikedeblur.prior.photometry import grey, to_linear, to_srgb
from spikedeblur.prior.planes import resize
from spikedeblur.prior.solve import Estimate, FrameModel, LinearModel, Measurement, joint_solve
from spikedeblur.prior.trajectory import Trajectory, bin_times, stays_inside
from spikedeblur.prior.warps import inverse, warp
from spikedeblur.recording.light import LUMINANCE_WEIGHTS

# Tuned on 48 drawn clips of 112x112 pixels, 4 to 28 px of motion.
FEWEST_BINS, MOST_BINS = 4, 16  # of an exposure; more tell nothing
BIN_LENGTH = 0.6  # spike pixels that may move within a bin
FEWEST_INSTANTS, MOST_INSTANTS = 3, 7  # at which a frame is added up
MOST_NEIGHBOUR_INSTANTS = 5
INSTANT_LENGTH = 2.5  # frame pixels from one instant to the next
HOLD = 0.07  # light that the start is expected to be off by
OWN_ROUNDS, ALL_ROUNDS = 2, 3  # of conjugate gradients: by the frame itself, then with neighbours
COLOUR_HOLD, COLOUR_ROUNDS = 0.05, 2  # as above, for red and blue
PRIOR_SPIKES = 0.3
SPIKE_ERROR = 0.15  # of a bin's light, in spikes
LIGHT_ERROR = 0.01  # of a bin's light, absolute: noise, and what the lattice does not hold
FRAME_ERROR = (0.012, 0.004)  # of linear light at 0.2, as the root of light; and absolute
ENCODED_ERROR = 0.014  # of a frame's encoded values
CLIPPED = 0.98  # of white: a pixel that says only how bright it is at least
PATH_ERROR = 0.02  # relative variance of light for every unit of mismatch above 1
UNBELIEVED = 6.0  # mismatch at which half of the change is taken
FEWEST_SPIKES = 2.0  # in an exposure, below which nothing is known of the path
DARKEST = 0.003  # light added where luminances are divided


@dataclass(frozen=True)
class ShotFrames:
    """Frames of one shot, sRGB (N, 3, H, W), with the light of their bins and what it tells.

    `light` (N, K, h, w) in spikes; `count` (N, 1, h, w), spikes of the exposure; `linear`: light
    was added up, not encoded values; `path` from the middle of each exposure, `middle` (N, 1, h, w)
    its light as it stands there.
    """

    rgb: Tensor
    light: Tensor
    count: Tensor
    linear: bool
    path: MotionPath
    middle: Tensor

    @classmethod
    def of(cls, rgb: Tensor, light: Tensor, count: Tensor, linear: bool) -> ShotFrames:
        """Find the paths of frames and their spikes."""
        path = estimate_path(light)
        return cls(rgb, light, count, linear, path, mean_light(light, path))

    def at(self, frames: Sequence[int] | slice) -> ShotFrames:
        """Take some of the frames."""
        parts = (self.rgb, self.light, self.count)
        rgb, light, count = (part[frames] for part in parts)
        return ShotFrames(rgb, light, count, self.linear, self.path.at(frames), self.middle[frames])

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
        (height, width), (rows, columns) = self.rgb.shape[-2:], self.light.shape[-2:]
        return self.rgb.new_tensor([width / columns, height / rows])[:, None, None]

    def measurement(
        self, bins_NKhw: Tensor, instants: int, shown: Trajectory, spread: Tensor
    ) -> Measurement:
        """What it measured of a picture, given where the picture's points stood.

        bins: its light, merged. instants: at how many the frame is added up. spread (N, K or 1, h,
        w): relative variance of light beside that of noise, infinite where it says nothing.
        """
        size, plane = self.rgb.shape[-2:], self.light.shape[-2:]
        number = bins_NKhw.shape[1]
        back, in_view = shown.back()
        gain = resize(self.luminance, plane) / (self.count + PRIOR_SPIKES)
        known = (self.count / FEWEST_SPIKES).clamp(max=1)
        bins = bins_NKhw * (gain * number)
        error = (SPIKE_ERROR * number * gain + LIGHT_ERROR).square()
        error = error + spread * bins.mean(1, True).square()
        bins_weight = known * stays_inside(back.at(bin_times(number, bins))) * error.rsqrt()
        error = self.frame_error() + resize(spread.mean(1, True), size) * self.luminance.square()
        in_view = in_view.square() * known
        frame_weight = resize(in_view, size) * (self.luminance < CLIPPED) * error.rsqrt()
        return Measurement(
            self.luminance, self.colours, bins, instants, shown, back, frame_weight, bins_weight
        )

    def frame_error(self) -> Tensor:
        """Return the variance of the frame's light, noise and all that is not modelled."""
        if not self.linear:
            return torch.full_like(self.luminance, ENCODED_ERROR**2)
        of_light, least = FRAME_ERROR
        return (of_light * (self.luminance.clamp(min=0.01) / 0.2).sqrt() + least).square()


def decoded(rgb: Tensor, linear: bool) -> Tensor:
    """Turn sRGB values into what the cameras added up."""
    return to_linear(rgb) if linear else rgb


def encoded(light: Tensor, linear: bool) -> Tensor:
    """Turn light into sRGB values in [0, 1]."""
    return (to_srgb(light.clamp(0, 1)) if linear else light).clamp(0, 1)


@dataclass(frozen=True)
class JointPicture:
    """The light of a frame at an instant, by its own measurements and with its neighbours'.

    `own`: the start with its luminance solved for, `joint`: all of it by all frames, (N, 3, H, W);
    `confidence` (N, 1, H, W) in [0, 1], of the path; `length` (N, 1, H, W), px of the path;
    `measured`: by the frame and its bins.
    """

    own: Tensor
    joint: Tensor
    confidence: Tensor
    length: Tensor
    measured: LinearModel

    def left(self) -> tuple[Tensor, Tensor]:
        """Return what of frame and bins the joint picture leaves: (N, 1, H, W) each.

        Over the error expected: signed, and the root mean square of all bins.
        """
        frame, bins = self.measured.left(grey(self.joint))
        of_bins = bins.square().mean(dim=1, keepdim=True).sqrt()
        return frame, resize(of_bins, frame.shape[-2:])


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


def joint_picture(
    here: ShotFrames, neighbours: Sequence[Neighbour], start_N3HW: Tensor, reference: float = 0.0
) -> JointPicture:
    """Solve for the light of frames at `reference`, in [-1, 1] of their exposures.

    start: a first estimate, in light.
    """
    path = here.path.seen_from(reference)
    own = LinearModel([own_measurement(here, path)])
    start = grey(start_N3HW)
    alone = joint_solve(own, Estimate.begun(start).told(own), HOLD, OWN_ROUNDS)
    joint, every = alone, own
    if neighbours:
        others = LinearModel([neighbour_measurement(here, path, each) for each in neighbours])
        every = own + others
        joint = joint_solve(every, alone.told(others), HOLD, ALL_ROUNDS)
    size = here.rgb.shape[-2:]
    wrong = resize(path.mismatch, size)
    ends = path.displacement(path.coefficients.new_tensor([-1.0, 1.0]))
    length = ends.diff(dim=1)[:, 0].square().sum(dim=1, keepdim=True).sqrt()
    return JointPicture(
        own=brightened(start_N3HW, alone.picture),
        joint=coloured(brightened(start_N3HW, joint.picture), every.colours),
        confidence=1 / (1 + (wrong / UNBELIEVED).square()),
        length=resize(length, size) * here.scale[0],
        measured=own,
    )


def brightened(light_N3HW: Tensor, luminance_N1HW: Tensor) -> Tensor:
    """Give light another luminance, in its own colours."""
    return light_N3HW * (luminance_N1HW.clamp(min=0) + DARKEST) / (grey(light_N3HW) + DARKEST)


def coloured(light_N3HW: Tensor, frames: FrameModel) -> Tensor:
    """Solve for the colours of light whose luminance is known."""
    begun = colours(light_N3HW)
    found = joint_solve(frames, Estimate.begun(begun).told(frames), COLOUR_HOLD, COLOUR_ROUNDS)
    red, blue = (found.picture - begun).split(1, dim=1)
    red_share, green_share, blue_share = LUMINANCE_WEIGHTS
    green = -(red_share * red + blue_share * blue) / green_share
    return light_N3HW + torch.cat([red, green, blue], dim=1)


def colours(light_N3HW: Tensor) -> Tensor:
    """Return by how much red and blue are more than the luminance: (N, 2, H, W)."""
    return light_N3HW[:, ::2] - grey(light_N3HW)


def own_measurement(here: ShotFrames, path: MotionPath) -> Measurement:
    """What a frame and its bins measured of the picture at the path's reference."""
    bins = merged_bins(here.light, enough_bins(path))
    doubtful = PATH_ERROR * (path.mismatch - 1).clamp(min=0)
    late = (bin_times(bins.shape[1], bins) - path.reference).square()[:, None, None]
    instants = enough_instants(path, here.scale)
    return here.measurement(bins, instants, path.trajectory, doubtful * late)


def neighbour_measurement(here: ShotFrames, path: MotionPath, neighbour: Neighbour) -> Measurement:
    """What neighbouring exposures measured of the pictures."""
    other = neighbour.exposure
    picture = mean_light(here.light, path) if path.reference else here.middle
    swept = neighbour.distance * end_velocity(path)
    way = plane_motion_between(picture, other.middle, [swept, torch.zeros_like(swept)])
    bins = merged_bins(other.light, enough_bins(other.path))
    instants = enough_instants(other.path, here.scale, MOST_NEIGHBOUR_INSTANTS)
    shown = other.path.trajectory.after(way)
    wrong = disagreement(picture, warp(other.middle, way))
    to_here = inverse(way)
    believed = neighbour.known[:, None, None, None] * stays_inside(to_here[:, None])
    believed = believed / (1 + warp(wrong, to_here).square())
    measured = other.measurement(bins, instants, shown, torch.zeros_like(believed))
    return replace(
        measured,
        frame_weight=measured.frame_weight * resize(believed, here.rgb.shape[-2:]),
        bins_weight=measured.bins_weight * believed,
    )


def typical_length(path: MotionPath) -> float:
    """Return how far nearly all points move within the exposure, at most: spike pixels."""
    some = Trajectory(path.trajectory.coefficients[..., ::4, ::4])
    steps = some.at(some.coefficients.new_tensor([-1.0, 0.0, 1.0])).diff(dim=1)
    lengths = steps.square().sum(dim=2).sqrt().sum(dim=1).flatten(1)
    return float(lengths.quantile(0.95, dim=1).max())


def enough_bins(path: MotionPath) -> int:
    """Return into how many bins an exposure is cut, so that little moves within one."""
    return min(max(math.ceil(typical_length(path) / BIN_LENGTH), FEWEST_BINS), MOST_BINS)


def enough_instants(path: MotionPath, scale: Tensor, most: int = MOST_INSTANTS) -> int:
    """Return at how many instants a frame's picture is added up."""
    length = typical_length(path) * float(scale.max())
    return min(max(math.ceil(length / INSTANT_LENGTH) + 1, FEWEST_INSTANTS), most)
