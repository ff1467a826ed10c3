"""What exposures measured of a picture: light, where it was seen, and the errors expected.

Shape suffixes: N exposures (one, mostly), K bins, H and W frame pixels, h and w spike pixels.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from spikedeblur.prior.neighbours import (
    disagreement,
    end_velocity,
    mean_light,
    plane_motion_between,
)
from spikedeblur.prior.path import MotionPath
from spikedeblur.prior.planes import resize
from spikedeblur.prior.shot import Neighbour, ShotFrames
from spikedeblur.prior.solve import Measurement
from spikedeblur.prior.timed_light import TimedLight
from spikedeblur.prior.trajectory import Trajectory, stays_inside
from spikedeblur.prior.warps import inverse, warp
from spikedeblur.vocabulary import PRIOR_SPIKES

# Tuned on 48 drawn clips of 112x112 pixels, 4 to 28 px of motion.
LEAST_BINS, MOST_BINS = 4, 16  # of an exposure; more tell nothing
BIN_LENGTH = 0.6  # spike pixels that may move within a bin
FEWEST_INSTANTS, MOST_INSTANTS = 3, 7  # at which a frame is added up
MOST_NEIGHBOUR_INSTANTS = 5
INSTANT_LENGTH = 2.5  # frame pixels from one instant to the next
SPIKE_ERROR = 0.1  # of a bin's light, in spikes
LIGHT_ERROR = 0.008  # of a bin's light, absolute: noise, and what the lattice does not hold
FRAME_ERROR = (0.012, 0.004)  # of linear light at 0.2, as the root of light; and absolute
ENCODED_ERROR = 0.014  # of a frame's encoded values
CLIPPED = 0.98  # of white: a pixel that says only how bright it is at least
PATH_ERROR = 0.02  # relative variance of light for every unit of chi_square above 1
MIN_PATH_SPIKES = 2.0  # in an exposure, below which nothing is known of the path


def measurement(
    shot: ShotFrames, light: TimedLight, instants: int, shown: Trajectory, spread: Tensor
) -> Measurement:
    """What frames measured of a picture, given where the picture's points stood.

    light: of their bins, merged. instants: at how many a frame is added up. spread (N, K or 1, h,
    w): relative variance of light beside that of noise, infinite where it says nothing.
    """
    luminance, count = shot.luminance, shot.count
    size, plane = luminance.shape[-2:], count.shape[-2:]
    number = light.planes.shape[1]
    back, in_view = shown.back()
    gain = resize(luminance, plane) / (count + PRIOR_SPIKES)
    known = (count / MIN_PATH_SPIKES).clamp(max=1)
    bins = light.planes * (gain * number)
    error = (SPIKE_ERROR * number * gain + LIGHT_ERROR).square()
    error = error + spread * bins.mean(1, True).square()
    bins_weight = known * stays_inside(back.at(light.times)) * error.rsqrt()
    error = frame_error(shot) + resize(spread.mean(1, True), size) * luminance.square()
    in_view = in_view.square() * known
    frame_weight = resize(in_view, size) * (luminance < CLIPPED) * error.rsqrt()
    return Measurement(
        luminance, shot.colours, bins, light.times, instants, shown, back, frame_weight, bins_weight
    )


def frame_error(shot: ShotFrames) -> Tensor:
    """Return the variance of frames' light, noise and all that is not modelled: (N, 1, H, W)."""
    if not shot.linear:
        return torch.full_like(shot.luminance, ENCODED_ERROR**2)
    of_light, least = FRAME_ERROR
    return (of_light * (shot.luminance.clamp(min=0.01) / 0.2).sqrt() + least).square()


def own_measurement(here: ShotFrames, path: MotionPath) -> Measurement:
    """What a frame and its bins measured of the picture at the path's reference."""
    light = here.light.merged(enough_bins(path))
    path_error = PATH_ERROR * (path.chi_square - 1).clamp(min=0)
    late = (light.times - path.reference).square()[:, :, None, None]
    instants = enough_instants(path, here.scale)
    return measurement(here, light, instants, path.trajectory, path_error * late)


def neighbour_measurement(here: ShotFrames, path: MotionPath, neighbour: Neighbour) -> Measurement:
    """What neighbouring exposures measured of the pictures."""
    other = neighbour.exposure
    picture = mean_light(here.light, path) if path.reference else here.middle
    swept = neighbour.distance * end_velocity(path)
    way = plane_motion_between(picture, other.middle, [swept, torch.zeros_like(swept)])
    light = other.light.merged(enough_bins(other.path))
    instants = enough_instants(other.path, here.scale, MOST_NEIGHBOUR_INSTANTS)
    shown = other.path.trajectory.after(way)
    wrong = disagreement(picture, warp(other.middle, way))
    to_here = inverse(way)
    believed = neighbour.known[:, None, None, None] * stays_inside(to_here[:, None])
    believed = believed / (1 + warp(wrong, to_here).square())
    measured = measurement(other, light, instants, shown, torch.zeros_like(believed))
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
    return min(max(math.ceil(typical_length(path) / BIN_LENGTH), LEAST_BINS), MOST_BINS)


def enough_instants(path: MotionPath, scale: Tensor, most: int = MOST_INSTANTS) -> int:
    """Return at how many instants a frame's picture is added up."""
    length = typical_length(path) * float(scale.max())
    return min(max(math.ceil(length / INSTANT_LENGTH) + 1, FEWEST_INSTANTS), most)
