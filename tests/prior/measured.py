"""Measurements of random values, for the linear model."""

from __future__ import annotations

import torch

from spikedeblur.prior.solve import Measurement
from spikedeblur.prior.trajectory import Trajectory, bin_times


def measurement(size, plane, seed=0, motion=3.0, number=2) -> Measurement:
    """Random values seen along a random motion, the same everywhere; some weights are zero."""
    random = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=random)

    terms = motion / 4 * (2 * uniform(number, 4, 2, 1, 1) - 1).expand(-1, -1, -1, *plane)
    return Measurement(
        uniform(number, 1, *size),
        uniform(number, 2, *size) - 0.5,
        uniform(number, 4, *plane),
        bin_times(4, terms).expand(number, -1),
        5,
        Trajectory(terms),
        Trajectory(-terms),
        inner(80 * uniform(number, 1, *size), motion * size[0] / plane[0]),
        20 * uniform(number, 4, *plane) * (uniform(number, 4, *plane) > 0.2),
    )


def inner(weight: torch.Tensor, motion: float) -> torch.Tensor:
    """Weigh a border, from where a motion leads out of the picture, with nothing."""
    border, inside = int(motion) + 1, torch.zeros_like(weight)
    inside[..., border:-border, border:-border] = 1
    return weight * inside
