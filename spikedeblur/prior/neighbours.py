"""The motion between the middles of two exposures, and how far a neighbour is believed.

A neighbour saw the same scene from elsewhere. Its picture and its bins say something of this one
where the two agree; where they do not, or where one looks beyond the other's border, nothing.

Shape suffixes: N exposures, K bins, J powers of time, h and w spike pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.prior.path import (
    COARSEST_SIDE,
    PATH_SMOOTHING_PX,
    MotionPath,
    along,
    damped_solve,
    plane_basis,
    robust_weight,
    slope_along,
)
from spikedeblur.prior.photometry import gaussian_blur
from spikedeblur.prior.planes import resize
from spikedeblur.prior.timed_light import TimedLight
from spikedeblur.prior.warps import inside, pixel_centres, warp

LEVEL_STEPS = (3, 5, 8, 10)  # of least squares, from the finest level to the coarsest
RIGID_LEVELS = 2  # of the finest ones turn and tilt; coarser ones shift only
VARIANCE = 2e-3  # of the mean of bins, relative and absolute, that noise explains
LOG_FLOOR = 0.1  # of the mean light: added before the logarithm


def mean_light(light: TimedLight, path: MotionPath) -> Tensor:
    """Return the light of the exposure as it stands at the path's reference: (N, 1, h, w)."""
    moved = along(light, path.trajectory, "bilinear")
    return moved.mean(dim=1, keepdim=True)


def end_velocity(path: MotionPath) -> Tensor:
    """Return how far the exposure moves from its begin to its end, on average: (N, 2)."""
    ends = path.coefficients.new_tensor([-1.0, 1.0])
    there = path.displacement(ends).mean(dim=(3, 4))
    return there[:, 1] - there[:, 0]


def plane_motion_between(here_N1hw: Tensor, there_N1hw: Tensor, starts: Sequence[Tensor]) -> Tensor:
    """Find u (N, 2, h, w) with there(x + u(x)) like here(x), for a plane before a camera.

    here, there: light of both exposures (`mean_light`). starts: shifts (N, 2) to begin from; the
    motion that leaves least on the coarser levels is followed to the finest one.
    """
    levels = [torch.cat([log_light(here_N1hw), log_light(there_N1hw)], dim=1)]
    while len(levels) < len(LEVEL_STEPS) and min(levels[-1].shape[-2:]) >= COARSEST_SIDE:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    number, size = len(here_N1hw), here_N1hw.shape[-2:]
    parameters = here_N1hw.new_zeros(len(starts), number, 8)
    parameters[:, :, 0], parameters[:, :, 3] = torch.stack(list(starts)).unbind(dim=2)
    tries = list(parameters)
    for level in reversed(range(len(levels))):
        if level == 0:
            tries = [best_of(tries, levels[min(1, len(levels) - 1)], size[0])]
        planes = gaussian_blur(levels[level], PATH_SMOOTHING_PX)
        tries = [fitted_plane(planes, size[0], each, level) for each in tries]
    return torch.einsum("nm,mchw->nchw", tries[0], plane_basis(size, here_N1hw))


def best_of(tries: Sequence[Tensor], planes_N2hw: Tensor, rows: int) -> Tensor:
    """Take of each pair of planes the parameters under which they differ least: (N, 8)."""
    size = planes_N2hw.shape[-2:]
    basis = plane_basis(size, planes_N2hw) * (size[0] / rows)
    here, there = planes_N2hw.split(1, dim=1)
    ways = [torch.einsum("nm,mchw->nchw", each, basis) for each in tries]
    missed = torch.stack([typical_miss(here, there, way) for way in ways])
    best = missed.argmin(dim=0)
    return torch.stack(list(tries))[best, torch.arange(len(best), device=best.device)]


def log_light(light_N1hw: Tensor) -> Tensor:
    """Return the logarithm of light, calmed where it is dark."""
    return (light_N1hw + LOG_FLOOR * light_N1hw.mean(dim=(1, 2, 3), keepdim=True) + 1e-6).log()


def typical_miss(here_N1hw: Tensor, there_N1hw: Tensor, way_N2hw: Tensor) -> Tensor:
    """Return the median difference in view, large where little is in view: (N,)."""
    size = here_N1hw.shape[-2:]
    known = inside(pixel_centres(size, way_N2hw) + way_N2hw, size).flatten(1)
    miss = (warp(there_N1hw, way_N2hw) - here_N1hw).abs().flatten(1)
    median = miss.masked_fill(known == 0, torch.nan).nanmedian(dim=1).values
    return torch.where(known.mean(dim=1) > 0.2, median, torch.inf)


def fitted_plane(
    planes_N2hw: Tensor, rows: int, start_N8: Tensor, level: int, weight_N1hw: Tensor | None = None
) -> Tensor:
    """Fit eight parameters on a level of two planes, by robust Gauss-Newton: (N, 8).

    rows: of the finest level, in whose pixels the parameters are. weight: how much each place
    counts, on any plane.
    """
    parameters = start_N8.clone()
    here, there = planes_N2hw.split(1, dim=1)
    size = here.shape[-2:]
    basis, centres = plane_basis(size, here) * (size[0] / rows), pixel_centres(size, here)
    told = 1.0 if weight_N1hw is None else resize(weight_N1hw, size)
    free = slice(None) if level < RIGID_LEVELS else slice(0, 4, 3)
    for _ in range(LEVEL_STEPS[level]):
        way = torch.einsum("nm,mchw->nchw", parameters, basis)
        moved = warp(there, way, "bicubic")
        wrong = moved - here
        weight = robust_weight(wrong.square(), 1.0, inside(centres + way, size)) * told
        slopes = slope_along(moved, basis)[:, free]
        weighted = slopes * weight.flatten(2)
        normal = torch.einsum("nmp,nqp->nmq", weighted, slopes).double()
        right = torch.einsum("np,nmp->nm", wrong.flatten(1), weighted).double()
        parameters[:, free] -= damped_solve(normal, right, 1e-3)
    return parameters


def disagreement(here_N1hw: Tensor, there_N1hw: Tensor) -> Tensor:
    """Return the squared difference of both exposures' light over that of noise: (N, 1, h, w).

    here, there: `mean_light` of both, the latter moved to where the former stands.
    """
    wrong = gaussian_blur(here_N1hw - there_N1hw, 0.7).square()
    return gaussian_blur(wrong, 1.5) / (VARIANCE * (here_N1hw.square() + 1))
