"""By how much the spike camera sees everything elsewhere: parallax, and what geometry leaves.

Spikes added up over an exposure and the grey frame are the same blurred picture, so one is found in
the other. What stands at x in the frame is seen by the spikes at x + u(x). Candidates for u are, as
for paths, of a camera before a plane (eight parameters, robust), of a second plane where the first
does not fit, and of every neighbourhood by itself, from coarse to fine; and what held for the frame
before. At each place the one is taken that leaves least.

Shape suffixes: N frames, P candidates, h and w spike pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.prior.neighbours import LEVEL_STEPS, fitted_plane, log_light
from spikedeblur.prior.path import COARSEST_SIDE, SHARPNESS, plane_basis, pooled_step
from spikedeblur.prior.photometry import gaussian_blur
from spikedeblur.prior.planes import central_difference
from spikedeblur.prior.warps import enlarged, inside, pixel_centres, warp

SMOOTHED = 0.8  # spike pixels, before slopes are taken
PLANE_FITS = 2  # that are fitted, each where those before it do not fit
DETAIL = 4.0  # pixels of a level: what is coarser differs by vignettes and black levels, too
OWN_STEPS = (3, 4, 6, 8)  # of every neighbourhood by itself, from the finest level on
AROUND = (-8.0, -4.0, 4.0, 8.0)  # spike pixels
JUDGED_OVER = 1.0  # spike pixels, that candidates are compared over
LIKENESS_OVER = 3.0  # spike pixels
FREE_SHARE, FREE_LEAST = 4.0, 0.1  # of what is left, and of the picture's variance beside it
# Correlation of detail around a place, and of all of it: nothing is known up to the one, all from
# the other on. Spikes of other scenes are brought to 0.28 to 0.76 by all that they are moved; those
# of one scene to 0.945 and more, nearly everywhere.
UNLIKE, LIKE = 0.75, 0.92
OTHER_SCENE, SAME_SCENE = 0.78, 0.9
ALIKE_SHARE = 0.01  # of the variance of the picture, what hardly tells candidates apart


@dataclass(frozen=True)
class FoundWay:
    """`way` (N, 2, h, w), (x, y) spike pixels; `known` and `trust` (N, 1, h, w), in [0, 1].

    `known`: how far the way can be measured here; `trust`: how far the spikes there show what the
    frame does, 0 where only one of the cameras sees something. `alone`: the way that was found
    without any start, as a start for others.
    """

    way: Tensor
    known: Tensor
    trust: Tensor
    alone: Tensor


def find_in_spikes(
    light_N1hw: Tensor, count_N1hw: Tensor, starts: Sequence[Tensor] = ()
) -> FoundWay:
    """Find frames in the spikes of their exposures.

    light: linear, of the frames on the spikes' plane. count: spikes there. starts: ways (N, 2,
    h, w) that may hold here, too, such as that of the frame before; each is taken where it fits.
    """
    levels = detail_pyramid(light_N1hw, count_N1hw)
    still = light_N1hw.new_zeros(len(light_N1hw), 2, *levels[-1].shape[-2:])
    own = free_way(levels, still)
    planes: list[Tensor] = []
    weight = torch.ones_like(light_N1hw)
    for _ in range(PLANE_FITS):
        planes.append(plane_way(levels, typical_way(own, weight), weight))
        left = torch.stack([unexplained(levels[0], way) for way in planes]).amin(dim=0)
        typical = left.flatten(1).median(dim=1).values[:, None, None, None]
        weight = (left / (left + 4 * typical)).square()
    alone = best_way(levels[0], planes, [own, *around(own)])
    way = best_way(levels[0], [alone, *starts]) if starts else alone
    return believed_way(levels[0], way, alone)


def detail_pyramid(light_N1hw: Tensor, count_N1hw: Tensor) -> list[Tensor]:
    """Detail of the logarithms of both at halved sizes, (N, 2, h, w) each, the finest first."""
    planes, levels = torch.cat([log_light(light_N1hw), log_light(count_N1hw)], dim=1), []
    while True:
        smooth = gaussian_blur(planes, SMOOTHED)
        detail = smooth - gaussian_blur(smooth, DETAIL)
        spread = detail.std(dim=(2, 3), keepdim=True).clamp(min=1e-6)
        levels.append(detail * (spread[:, :1] / spread))  # one curve of light for both
        if len(levels) == len(LEVEL_STEPS) or min(planes.shape[-2:]) < COARSEST_SIDE:
            return levels
        planes = functional.avg_pool2d(planes, 2)


def free_way(levels: Sequence[Tensor], way_N2hw: Tensor) -> Tensor:
    """Let every neighbourhood go by itself (Lucas & Kanade), coarse to fine: (N, 2, h, w)."""
    for planes, steps in zip(reversed(levels), reversed(OWN_STEPS[: len(levels)]), strict=True):
        here, there = planes.split(1, dim=1)
        way_N2hw = enlarged(way_N2hw, here.shape[-2:])
        for _ in range(steps):
            moved = warp(there, way_N2hw, "bicubic")
            both = (moved + here) / 2
            across, down = central_difference(both, -1), central_difference(both, -2)
            step = pooled_step(across, down, moved - here)
            way_N2hw = gaussian_blur(way_N2hw + step[:, 0], 1.0)
    return way_N2hw


def typical_way(way_N2hw: Tensor, weight_N1hw: Tensor) -> Tensor:
    """Return the median way of the places that count at least half as much as any: (N, 2)."""
    counts = weight_N1hw >= 0.5 * weight_N1hw.amax(dim=(1, 2, 3), keepdim=True)
    return way_N2hw.masked_fill(~counts, torch.nan).flatten(2).nanmedian(dim=2).values


def plane_way(levels: Sequence[Tensor], start_N2: Tensor, weight_N1hw: Tensor) -> Tensor:
    """Fit a plane before both cameras: (N, 2, h, w). weight: how much each place counts."""
    size = levels[0].shape[-2:]
    parameters = start_N2.new_zeros(len(start_N2), 8)
    parameters[:, 0], parameters[:, 3] = start_N2.unbind(dim=1)
    for level in reversed(range(len(levels))):
        parameters = fitted_plane(levels[level], size[0], parameters, level, weight_N1hw)
    return torch.einsum("nm,mchw->nchw", parameters, plane_basis(size, levels[0]))


def unexplained(planes_N2hw: Tensor, way_N2hw: Tensor) -> Tensor:
    """Return what the spikes leave of the frame's detail, squared; much beyond the border."""
    here, there = planes_N2hw.split(1, dim=1)
    size = here.shape[-2:]
    left = gaussian_blur((warp(there, way_N2hw, "bicubic") - here).square(), JUDGED_OVER)
    beyond = 1 - inside(pixel_centres(size, way_N2hw) + way_N2hw, size)
    return left + 10 * beyond * plane_power(here)


def best_way(planes_N2hw: Tensor, likely: Sequence[Tensor], free: Sequence[Tensor] = ()) -> Tensor:
    """Take at each place the candidate (N, 2, h, w) that leaves least: (N, 2, h, w).

    free: those that can go anywhere, and fit a little better for it where one thing hides another;
    they have to be better by far.
    """
    light = plane_power(planes_N2hw[:, :1])
    lefts = [unexplained(planes_N2hw, way) for way in likely]
    lefts += [FREE_SHARE * unexplained(planes_N2hw, way) + FREE_LEAST * light for way in free]
    left = gaussian_blur(torch.cat(lefts, dim=1), JUDGED_OVER)
    scale = left.min(dim=1, keepdim=True).values + ALIKE_SHARE * light + 1e-9
    share = torch.softmax(-SHARPNESS * left / scale, dim=1)
    return torch.einsum("nphw,npchw->nchw", share, torch.stack([*likely, *free], dim=1))


def around(way_N2hw: Tensor) -> list[Tensor]:
    """Return the ways of places to all four sides, which end where things do."""
    sides = [(far, 0.0) for far in AROUND] + [(0.0, far) for far in AROUND]
    return [
        warp(way_N2hw, way_N2hw.new_tensor(side)[:, None, None].expand_as(way_N2hw))
        for side in sides
    ]


def believed_way(planes_N2hw: Tensor, way_N2hw: Tensor, alone_N2hw: Tensor) -> FoundWay:
    """Say how far a way is known and the spikes there are believed; no way where nothing fits."""
    here, there = planes_N2hw.split(1, dim=1)
    moved = warp(there, way_N2hw, "bicubic")
    products = torch.cat([here * moved, here.square(), moved.square()], dim=1)
    likeness = plane_correlation(gaussian_blur(products, LIKENESS_OVER))
    of_all = plane_correlation(products.mean(dim=(2, 3), keepdim=True))
    found = ((of_all - OTHER_SCENE) / (SAME_SCENE - OTHER_SCENE)).clamp(0, 1)
    known = found * ((likeness - UNLIKE) / (LIKE - UNLIKE)).clamp(0, 1)
    left = unexplained(planes_N2hw, way_N2hw) / plane_power(here).clamp(min=1e-9)
    trust = 1 - found * (1 - 1 / (1 + left.square()))
    return FoundWay(way_N2hw * (found > 0), known, trust, alone_N2hw)


def plane_correlation(products_N3hw: Tensor) -> Tensor:
    """Return that of two planes, of their mean products: (N, 1, h, w)."""
    both, one, other = products_N3hw.split(1, dim=1)
    return both / (one * other).sqrt().clamp(min=1e-9)


def plane_power(planes_N1hw: Tensor) -> Tensor:
    """Return the variance of each plane, of mean zero: (N, 1, 1, 1)."""
    return planes_N1hw.square().mean(dim=(1, 2, 3), keepdim=True)
