"""Where the points of a picture stand at any instant, as polynomials of time, and the way back.

Shape suffixes: N exposures, K instants, J + 1 powers of time from 0 on, h and w spike pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.prior.warps import inside, inverse, pixel_centres, still_grid, warp

MOST_MISSED = 0.5  # spike pixels between a point and its way there and back


def bin_times(bins: int, like: Tensor) -> Tensor:
    """Return the middles of `bins` bins on the scale from -1 to 1: (K,)."""
    return (2 * torch.arange(bins, device=like.device, dtype=like.dtype) + 1) / bins - 1


@dataclass(frozen=True)
class Trajectory:
    """Displacements of points, u(x, t) = sum_j c_j(x) t^j with t from -1 to 1 over the exposure.

    `coefficients` (N, J + 1, 2, h, w), (x, y) in spike pixels.
    """

    coefficients: Tensor

    def at(self, times_K: Tensor) -> Tensor:
        """Evaluate the displacements at instants (K,), or (N, K): (N, K, 2, h, w)."""
        return self._evaluated(times_K, self.coefficients)

    def grid(self, times_K: Tensor, size: Sequence[int], field: Tensor | None = None) -> Tensor:
        """Return where the pixels of a plane of `size` are displaced to: (N, K, *size, 2).

        In coordinates from -1 to 1, as `functional.grid_sample` takes them. field (2,): how much
        of the plane that is read the displaced one covers, (x, y); all of it by default.
        """
        rows, columns = self.coefficients.shape[-2:]
        ways = self.coefficients.flatten(0, 1)
        if tuple(size) != (rows, columns):
            ways = functional.interpolate(ways, size=size, mode="bilinear", align_corners=False)
        scale = ways.new_tensor([2 / columns, 2 / rows])
        still = still_grid(size, ways)
        if field is not None:
            scale, still = scale * field, still * field[:, None, None]
        ways = (ways * scale[:, None, None]).unflatten(0, self.coefficients.shape[:2])
        ways[:, 0] += still
        return self._evaluated(times_K, ways).movedim(2, -1)

    def after(self, way_N2hw: Tensor) -> Trajectory:
        """Go another way first, to where these points stand."""
        carried = warp(self.coefficients.flatten(1, 2), way_N2hw).view_as(self.coefficients)
        carried[:, 0] += way_N2hw
        return Trajectory(carried)

    def back(self) -> tuple[Trajectory, Tensor]:
        """Return the way from where points stand at an instant to them, and how far it is known.

        The latter (N, 1, h, w) is the share of the exposure in which a point stands within the
        plane, and the way there and back ends where it began. Exact at as many instants as there
        are coefficients, and interpolated between these (Chebyshev's nodes).
        """
        terms = self.coefficients.shape[1]
        nodes = [math.cos(math.pi * (2 * k + 1) / (2 * terms)) for k in range(terms)]
        times = self.coefficients.new_tensor(nodes)
        there = self.at(times)
        back = inverse(there.flatten(0, 1))
        missed = warp(there.flatten(0, 1), back) + back
        known = (missed.square().sum(dim=1) < MOST_MISSED**2).to(back).view_as(there[:, :, 0])
        back = back.view_as(there)
        known = known * stays_inside(back)
        from_values = torch.linalg.inv(torch.linalg.vander(times.double())).to(times)
        coefficients = torch.einsum("jk,nkchw->njchw", from_values, back)
        return Trajectory(coefficients), known.mean(dim=1, keepdim=True)

    def _evaluated(self, times_K: Tensor, terms_NJchw: Tensor) -> Tensor:
        powers = torch.linalg.vander(times_K, N=terms_NJchw.shape[1])
        one_for_each = powers.expand(len(terms_NJchw), *powers.shape[-2:])
        return torch.einsum("nkj,njchw->nkchw", one_for_each, terms_NJchw)


def stays_inside(way_NK2hw: Tensor) -> Tensor:
    """Mark what stands within the plane after K displacements: (N, K, h, w)."""
    plane = way_NK2hw.shape[-2:]
    within = inside(pixel_centres(plane, way_NK2hw) + way_NK2hw.flatten(0, 1), plane)
    return within.view(*way_NK2hw.shape[:2], *plane)
