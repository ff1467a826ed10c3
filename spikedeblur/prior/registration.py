"""How far the spike plane lies beside the frames, in the fractions of a pixel a rig is left with.

Over an exposure both cameras gathered the same light, motion and all, so the spikes' long exposure
is the frame, counted through another tone curve. Where the frame's slope is steep, a small shift
brightens one flank and darkens the other; least squares over all slopes of a clip tell the shift
(Lucas & Kanade, IJCAI 1981).

Shape suffixes: B clips, T frames, N = B * T, C channels, h and w pixels of the spike plane.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.prior.evidence import LogStatistics
from spikedeblur.prior.photometry import gaussian_blur
from spikedeblur.prior.planes import central_difference, shifted

REGISTRATION_SMOOTHING_PX = 0.8  # plane pixels; slopes are taken of what is left
MIN_SLOPE = 0.2  # slope of log count over log luminance
SHIFT_STEPS = 2  # of least squares, each from where the one before came to
MAX_SHIFT_PX = 1.5  # plane pixels: more is not what a rig is left with, and cannot be told so
MIN_SHIFT_PX = 0.06  # plane pixels: less costs nothing
LEAST_GAIN = 0.12  # of what the frame leaves unexplained, a shift that is real explains so much
LEAST_CLEAR = 0.1  # share of the plane that must be neither dark nor saturated


def estimate_shift(counted: LogStatistics) -> Tensor:
    """How far beside a spike pixel's place the frames show what it saw: (B, 2), (x, y) pixels.

    Zero where it is less than matters, more than is possible, or explains nothing.
    """
    clips, frames = counted.count.shape[:2]
    count = gaussian_blur(counted.count.flatten(0, 1)[:, None], REGISTRATION_SMOOTHING_PX)
    luminance = gaussian_blur(counted.luminance.flatten(0, 1)[:, None], REGISTRATION_SMOOTHING_PX)
    clear = 1 - functional.max_pool2d(1 - counted.valid.flatten(0, 1)[:, None], 5, 1, 2)
    shift = count.new_zeros(clips, 2)
    step, unexplained = _least_squares(luminance, count, clear, clips)
    left = unexplained
    for _ in range(SHIFT_STEPS):
        shift = shift + step
        there = shifted(luminance, shift.repeat_interleave(frames, dim=0)[:, :, None, None])
        step, left = _least_squares(there, count, clear, clips)
    size = shift.norm(dim=1)
    real = (left < (1 - LEAST_GAIN) * unexplained) & (size > MIN_SHIFT_PX) & (size < MAX_SHIFT_PX)
    real &= clear.reshape(clips, -1).mean(dim=1) > LEAST_CLEAR
    return torch.where(real[:, None], shift, torch.zeros_like(shift))


def _least_squares(
    luminance_N1hw: Tensor, count_N1hw: Tensor, clear_N1hw: Tensor, clips: int
) -> tuple[Tensor, Tensor]:
    """One step towards the shift (B, 2), and what luminance without it leaves of the count (B,)."""
    right, down = central_difference(luminance_N1hw, -1), central_difference(luminance_N1hw, -2)
    terms = torch.stack([torch.ones_like(right), luminance_N1hw, right, down], dim=-1)
    terms = (terms * clear_N1hw[..., None]).reshape(clips, -1, 4).double()
    counted = (count_N1hw * clear_N1hw).reshape(clips, -1, 1).double()
    across = terms.transpose(1, 2)
    normal = across @ terms + 1e-6 * torch.eye(4).to(terms)
    moments = across @ counted
    level = torch.linalg.solve(normal[:, :2, :2], moments[:, :2])
    unexplained = (counted - terms[..., :2] @ level).square().sum(dim=(1, 2))
    flanks = torch.linalg.solve(normal, moments)[..., 0]
    step = flanks[:, 2:] / flanks[:, 1:2].clamp(min=MIN_SLOPE)
    return step.clamp(-1, 1).to(luminance_N1hw), unexplained
