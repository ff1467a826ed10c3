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

from spikedeblur.prior.chunks import map_chunks
from spikedeblur.prior.neighbours import (
    disagreement,
    end_velocity,
    mean_light,
    plane_motion_between,
    through,
)
from spikedeblur.prior.path import MotionPath, bin_times, displacement, estimate_path, merged_bins
from spikedeblur.prior.photometry import grey, to_linear, to_srgb
from spikedeblur.prior.planes import resize
from spikedeblur.prior.solve import LinearModel, Measurement, joint_solve
from spikedeblur.prior.warps import inside, inverse, pixel_centres, warp

# Tuned on 48 drawn clips of 112x112 pixels, 4 to 28 px of motion.
FEWEST_BINS, MOST_BINS = 4, 16  # of an exposure; more tell nothing
BIN_LENGTH = 0.6  # spike pixels that may move within a bin
FEWEST_INSTANTS, MOST_INSTANTS = 3, 7  # at which a frame is added up
MOST_NEIGHBOUR_INSTANTS = 5
INSTANT_LENGTH = 2.5  # frame pixels from one instant to the next
HOLD = 0.07  # light that the start is expected to be off by
OWN_ROUNDS, ALL_ROUNDS = 2, 3  # of conjugate gradients: by the frame itself, then with neighbours
PRIOR_SPIKES = 0.3
SPIKE_ERROR = 0.15  # of a bin's light, in spikes
LIGHT_ERROR = 0.002  # of a bin's light, absolute
FRAME_ERROR = (0.012, 0.004)  # of linear light at 0.2, as the root of light; and absolute
ENCODED_ERROR = 0.014  # of a frame's encoded values
MOST_MISSED = 0.5  # spike pixels between a point and its way there and back
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

        def found(piece: slice) -> tuple[Tensor, ...]:
            path = estimate_path(light[piece])
            return path.coefficients, path.mismatch, mean_light(light[piece], path)

        coefficients, mismatch, middle = map_chunks(found, len(rgb), rgb.shape[-2:])
        return cls(rgb, light, count, linear, MotionPath(coefficients, mismatch), middle)

    def at(self, frames: Sequence[int] | slice) -> ShotFrames:
        """Take some of the frames."""
        parts = (self.rgb, self.light, self.count)
        rgb, light, count = (part[frames] for part in parts)
        return ShotFrames(rgb, light, count, self.linear, self.path.at(frames), self.middle[frames])

    @cached_property
    def luminance(self) -> Tensor:
        """Light of the frame, grey: (N, 1, H, W)."""
        return grey(decoded(self.rgb, self.linear))

    @property
    def scale(self) -> Tensor:
        """Frame pixels per spike pixel, (x, y): (2, 1, 1)."""
        (height, width), (rows, columns) = self.rgb.shape[-2:], self.light.shape[-2:]
        return self.rgb.new_tensor([width / columns, height / rows])[:, None, None]

    def measurement(
        self, bins_NKhw: Tensor, shown: Tensor, bins_shown: Tensor, spread: Tensor
    ) -> Measurement:
        """What it measured of a picture, given where the picture's points stood.

        bins: its light, merged. shown (N, I, 2, h, w) and bins_shown (N, K, 2, h, w): displacements
        of the picture's points at the instants of frame and bins, in spike pixels. spread (N, K or
        1, h, w): relative variance of light beside that of noise, infinite where it says nothing.
        """
        size, plane = self.rgb.shape[-2:], self.light.shape[-2:]
        number = bins_NKhw.shape[1]
        frame_from, bins_from = back(shown), back(bins_shown)
        gain = resize(self.luminance, plane) / (self.count + PRIOR_SPIKES)
        known = (self.count / FEWEST_SPIKES).clamp(max=1)
        bins = bins_NKhw * (gain * number)
        error = (SPIKE_ERROR * number * gain + LIGHT_ERROR).square()
        error = error + spread * bins.mean(1, True).square()
        bins_weight = known * stays_inside(bins_from) * error.rsqrt()
        error = self.frame_error() + resize(spread.mean(1, True), size) * self.luminance.square()
        in_view = (stays_inside(frame_from) * leads_back(shown, frame_from)).mean(1, True)
        in_view = in_view.square() * known
        frame_weight = resize(in_view, size) * (self.luminance < CLIPPED) * error.rsqrt()
        return Measurement(
            self.luminance, bins, shown, frame_from, bins_from, frame_weight, bins_weight
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


def stays_inside(way_NK2hw: Tensor) -> Tensor:
    """Mark what stands within the plane after K displacements: (N, K, h, w)."""
    plane = way_NK2hw.shape[-2:]
    within = inside(pixel_centres(plane, way_NK2hw) + way_NK2hw.flatten(0, 1), plane)
    return within.view(*way_NK2hw.shape[:2], *plane)


def leads_back(way_NK2hw: Tensor, back_NK2hw: Tensor) -> Tensor:
    """Mark where `back` is the inverse of K displacements, which do not fold: (N, K, h, w)."""
    back = back_NK2hw.flatten(0, 1)
    missed = warp(way_NK2hw.flatten(0, 1), back) + back
    return (missed.square().sum(dim=1) < MOST_MISSED**2).to(back).view_as(back_NK2hw[:, :, 0])


@dataclass(frozen=True)
class JointPicture:
    """The luminance of a frame at an instant, by its own measurements and with its neighbours'.

    `start`, `own`, `joint` (N, 1, H, W) light; `confidence` (N, 1, H, W) in [0, 1], of the path;
    `frame_left`, `bins_left` (N, 1, H, W), what of frame and bins the joint picture leaves, over
    the error expected, signed and as a root mean square; `length` (N, 1, H, W), px of the path.
    """

    start: Tensor
    own: Tensor
    joint: Tensor
    confidence: Tensor
    frame_left: Tensor
    bins_left: Tensor
    length: Tensor

    def change(self, luminance_N1HW: Tensor) -> Tensor:
        """Return `luminance` over the start, as what colours are multiplied by."""
        return (luminance_N1HW.clamp(min=0) + DARKEST) / (self.start + DARKEST)


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
    here: ShotFrames, neighbours: Sequence[Neighbour], start_N1HW: Tensor, reference: float = 0.0
) -> JointPicture:
    """Solve for the luminance of frames at `reference`, in [-1, 1] of their exposures.

    start: a first estimate, in light.
    """
    path = here.path.seen_from(reference)
    own = own_measurement(here, path)
    others = [neighbour_measurement(here, path, each) for each in neighbours]
    model = LinearModel([own])
    measured = own.weighted()
    alone = joint_solve(model, measured, start_N1HW, HOLD, OWN_ROUNDS)
    joint = alone
    if others:
        both = [own, *others]
        measured = [part for each in both for part in each.weighted()]
        joint = joint_solve(LinearModel(both), measured, start_N1HW, HOLD, ALL_ROUNDS, alone)
    frame, bins = model.seen(joint)
    size = here.rgb.shape[-2:]
    wrong = resize(path.mismatch, size)
    bins_left = (measured[1] - bins).square().mean(dim=1, keepdim=True).sqrt()
    ends = path.displacement(path.coefficients.new_tensor([-1.0, 1.0]))
    length = ends.diff(dim=1)[:, 0].square().sum(dim=1, keepdim=True).sqrt()
    return JointPicture(
        start=start_N1HW,
        own=alone,
        joint=joint,
        confidence=1 / (1 + (wrong / UNBELIEVED).square()),
        frame_left=measured[0] - frame,
        bins_left=resize(bins_left, size),
        length=resize(length, size) * here.scale[0],
    )


def own_measurement(here: ShotFrames, path: MotionPath) -> Measurement:
    """What a frame and its bins measured of the picture at the path's reference."""
    bins = merged_bins(here.light, enough_bins(path))
    times = bin_times(bins.shape[1], bins)
    instants = bin_times(enough_instants(path, here.scale), bins)
    doubtful = PATH_ERROR * (path.mismatch - 1).clamp(min=0)
    late = (times - path.reference).square()[:, None, None]
    return here.measurement(
        bins, path.displacement(instants), path.displacement(times), doubtful * late
    )


def neighbour_measurement(here: ShotFrames, path: MotionPath, neighbour: Neighbour) -> Measurement:
    """What neighbouring exposures measured of the pictures."""
    other = neighbour.exposure
    picture = mean_light(here.light, path) if path.reference else here.middle
    swept = neighbour.distance * end_velocity(path)
    way = plane_motion_between(picture, other.middle, [swept, torch.zeros_like(swept)])
    bins = merged_bins(other.light, enough_bins(other.path))
    instants = enough_instants(other.path, here.scale, MOST_NEIGHBOUR_INSTANTS)
    shown = through(way, other.path, bin_times(instants, bins))
    bins_shown = through(way, other.path, bin_times(bins.shape[1], bins))
    wrong = disagreement(picture, warp(other.middle, way))
    to_here = inverse(way)
    believed = neighbour.known[:, None, None, None] * stays_inside(to_here[:, None])
    believed = believed / (1 + warp(wrong, to_here))
    measured = other.measurement(bins, shown, bins_shown, torch.zeros_like(believed))
    return replace(
        measured,
        frame_weight=measured.frame_weight * resize(believed, here.rgb.shape[-2:]),
        bins_weight=measured.bins_weight * believed,
    )


def typical_length(path: MotionPath) -> float:
    """Return how far nearly all points move within the exposure, at most: spike pixels."""
    some = path.coefficients[..., ::4, ::4]
    steps = displacement(some, some.new_tensor([-1.0, 0.0, 1.0]), path.reference).diff(dim=1)
    lengths = steps.square().sum(dim=2).sqrt().sum(dim=1).flatten(1)
    return float(lengths.quantile(0.95, dim=1).max())


def enough_bins(path: MotionPath) -> int:
    """Return into how many bins an exposure is cut, so that little moves within one."""
    return min(max(math.ceil(typical_length(path) / BIN_LENGTH), FEWEST_BINS), MOST_BINS)


def enough_instants(path: MotionPath, scale: Tensor, most: int = MOST_INSTANTS) -> int:
    """Return at how many instants a frame's picture is added up."""
    length = typical_length(path) * float(scale.max())
    return min(max(math.ceil(length / INSTANT_LENGTH) + 1, FEWEST_INSTANTS), most)


def back(way_NK2hw: Tensor) -> Tensor:
    """Invert K displacements: (N, K, 2, h, w)."""
    return inverse(way_NK2hw.flatten(0, 1)).view_as(way_NK2hw)
