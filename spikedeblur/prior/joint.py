"""The joint picture of frames: what explains the frame, its bins and those of its neighbours.

Shape suffixes: N exposures (one, mostly), H and W frame pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikedeblur.prior.measuring import neighbour_measurement, own_measurement
from spikedeblur.prior.parts import model_of
from spikedeblur.prior.photometry import RATIO_FLOOR, grey
from spikedeblur.prior.planes import resize
from spikedeblur.prior.shot import Neighbour, ShotFrames, colours
from spikedeblur.prior.solve import Estimate, Model, joint_solve
from spikedeblur.recording.light import LUMINANCE_WEIGHTS

# Tuned on 48 drawn clips of 112x112 pixels, 4 to 28 px of motion.
HOLD = 0.07  # light that the start is expected to be off by
OWN_ROUNDS, ALL_ROUNDS = 2, 3  # of conjugate gradients: by the frame itself, then with neighbours
COLOUR_HOLD, COLOUR_ROUNDS = 0.05, 2  # as above, for red and blue
UNBELIEVED = 6.0  # chi_square at which half of the change is taken


@dataclass(frozen=True)
class JointPicture:
    """The light of a frame at an instant, by its own measurements and with its neighbours'.

    `own`: the start with its luminance solved for, `joint`: all of it by all frames, (N, 3, H, W).
    (N, 1, H, W) each: what the joint picture leaves of the frame, signed, and of its bins, the root
    mean square of all, over the errors expected; `confidence` in [0, 1], of the path; `length`, px
    of the path.
    """

    own: Tensor
    joint: Tensor
    frame_left: Tensor
    bins_left: Tensor
    confidence: Tensor
    length: Tensor


def joint_picture(
    here: ShotFrames, neighbours: Sequence[Neighbour], start_N3HW: Tensor, reference: float = 0.0
) -> JointPicture:
    """Solve for the light of frames at `reference`, in [-1, 1] of their exposures.

    start: a first estimate, in light.
    """
    path = here.path.seen_from(reference)
    own = model_of([own_measurement(here, path)])
    start = grey(start_N3HW)
    alone = joint_solve(own, Estimate.begun(start).told(own), HOLD, OWN_ROUNDS)
    solved, every = alone, own
    if neighbours:
        others = model_of([neighbour_measurement(here, path, each) for each in neighbours])
        every = own + others  # type: ignore[operator]  # both are of the same kind
        solved = joint_solve(every, alone.told(others), HOLD, ALL_ROUNDS)
    joint = coloured(brightened(start_N3HW, solved.picture), every.colours)
    frame_left, bins_left = own.unexplained(grey(joint)).split(1, dim=1)
    size = here.rgb.shape[-2:]
    wrong = resize(path.chi_square, size)
    ends = path.displacement(path.coefficients.new_tensor([-1.0, 1.0]))
    length = ends.diff(dim=1)[:, 0].square().sum(dim=1, keepdim=True).sqrt()
    confidence = 1 / (1 + (wrong / UNBELIEVED).square())
    length = resize(length, size) * here.scale[0]
    return JointPicture(
        brightened(start_N3HW, alone.picture), joint, frame_left, bins_left, confidence, length
    )


def brightened(light_N3HW: Tensor, luminance_N1HW: Tensor) -> Tensor:
    """Give light another luminance, in its own colours."""
    return (
        light_N3HW * (luminance_N1HW.clamp(min=0) + RATIO_FLOOR) / (grey(light_N3HW) + RATIO_FLOOR)
    )


def coloured(light_N3HW: Tensor, frames: Model) -> Tensor:
    """Solve for the colours of light whose luminance is known."""
    begun = colours(light_N3HW)
    found = joint_solve(frames, Estimate.begun(begun).told(frames), COLOUR_HOLD, COLOUR_ROUNDS)
    red, blue = (found.picture - begun).split(1, dim=1)
    red_share, green_share, blue_share = LUMINANCE_WEIGHTS
    green = -(red_share * red + blue_share * blue) / green_share
    return light_N3HW + torch.cat([red, green, blue], dim=1)
