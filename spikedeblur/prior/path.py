"""The path of every point through the exposure, as the spikes alone tell it.

What stands at x at the reference instant r stands at x + u(x, t) at the instant t, with
u(x, t) = sum_j c_j(x) (t^j - r^j) and t from -1 to 1 over the exposure. Each estimate is
Gauss-Newton on the bins' light against the mean of the bins moved by it, from coarse to fine: of a
camera before a plane (eight parameters for all pixels, robust), of a second plane where the first
does not fit, and of every neighbourhood by itself. Per neighbourhood the one along which the bins
agree best is taken.

Shape suffixes: N exposures, K bins, J powers of time, M parameters, h and w spike pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.prior.photometry import gaussian_blur
from spikedeblur.prior.planes import central_difference, resize
from spikedeblur.prior.timed_light import TimedLight
from spikedeblur.prior.trajectory import Trajectory
from spikedeblur.prior.warps import enlarged, gridded, inverse, pixel_centres, warp

# Tuned on 48 drawn clips of 112x112 pixels, 4 to 28 px of motion.
ORDER = 3  # powers of time
PATH_BINS = 8  # that the path is fitted to
PATH_SMOOTHING_PX = 0.8  # spike pixels, before slopes are taken
PATH_POOLING_PX = (
    2.5  # spike pixels that move together where each neighbourhood has a path of its own
)
COARSEST_SIDE = 16  # spike pixels, of the coarsest level of a pyramid
CAMERA_STEPS = (1, 3, 6, 10)
PIXEL_STEPS = (1, 3, 6)
PATH_LOG_FLOOR = 0.1  # of the mean light: added before the logarithm
RELATIVE_VARIANCE, LEAST_VARIANCE = 0.002, 0.002  # of a bin's light that noise explains
CHI_SQUARE_SIGMA_PX = 1.5  # spike pixels over which agreement is judged
SHARPNESS = 6.0  # of the choice between paths


def powers(times: Tensor) -> Tensor:
    """Return t^j for j = 1..J, of times (..., K): (..., J, K)."""
    return torch.stack([times ** (j + 1) for j in range(ORDER)], dim=-2)


@dataclass(frozen=True)
class MotionPath:
    """Displacements of N exposures from a reference instant.

    `coefficients` (N, J, 2, h, w) in spike pixels; `chi_square` (N, 1, h, w), variance of light
    along the path over what noise explains: about 1 or less where the path is right; `reference`
    in [-1, 1].
    """

    coefficients: Tensor
    chi_square: Tensor
    reference: float = 0.0

    @property
    def trajectory(self) -> Trajectory:
        """The same displacements with their constant term."""
        return trajectory(self.coefficients, self.reference)

    def displacement(self, times_K: Tensor) -> Tensor:
        """Return the displacements to instants in [-1, 1]: (N, K, 2, h, w)."""
        return self.trajectory.at(times_K)

    def seen_from(self, reference: float) -> MotionPath:
        """Name the same paths by where their points stand at another instant."""
        if reference == self.reference:
            return self
        to_here = self.back_from(reference)
        carried = warp(self.coefficients.flatten(1, 2), to_here).view_as(self.coefficients)
        return MotionPath(carried, warp(self.chi_square, to_here), reference)

    def back_from(self, instant: float) -> Tensor:
        """Return the way from where points stand at an instant to the reference: (N, 2, h, w)."""
        there = self.displacement(self.coefficients.new_tensor([instant]))
        return inverse(there[:, 0], 5)

    def at(self, frames: Sequence[int] | slice) -> MotionPath:
        """Take some of the exposures."""
        return MotionPath(self.coefficients[frames], self.chi_square[frames], self.reference)


def trajectory(coefficients_NJ2hw: Tensor, reference: float = 0.0) -> Trajectory:
    """Lay out displacements from where points stand at `reference`, with J powers from 1 on."""
    instant = coefficients_NJ2hw.new_tensor([reference])
    constant = -torch.einsum("jk,njchw->nkchw", powers(instant), coefficients_NJ2hw)
    return Trajectory(torch.cat([constant, coefficients_NJ2hw], dim=1))


def along(light: TimedLight, path: Trajectory, mode: str = "bicubic") -> Tensor:
    """Move each bin back along the path to the reference: (N, K, h, w)."""
    grid = path.grid(light.times, light.planes.shape[-2:])
    moved = gridded(light.planes.flatten(0, 1)[:, None], grid.flatten(0, 1), mode)
    return moved.view_as(light.planes)


def estimate_path(light: TimedLight) -> MotionPath:
    """Estimate the path of every point from the light of K bins, from the middle on."""
    light = light.merged(PATH_BINS)
    logs = log_pyramid(light)
    camera = camera_path(logs)
    wrong = chi_square(light, camera)
    second = camera_path(logs, (wrong / (wrong + 2)).square())
    paths = [camera, second, pixel_path(logs)]
    wrongs = [wrong, *(chi_square(light, path) for path in paths[1:])]
    share = share_of_best(torch.cat(wrongs, dim=1))
    coefficients = torch.einsum("nphw,npjchw->njchw", share, torch.stack(paths, dim=1))
    return MotionPath(coefficients, chi_square(light, coefficients))


def share_of_best(chi_square_NPhw: Tensor) -> Tensor:
    """Weigh P paths per neighbourhood by how well the bins agree along them: (N, P, h, w)."""
    wrong = gaussian_blur(chi_square_NPhw, CHI_SQUARE_SIGMA_PX)
    best = wrong.min(dim=1, keepdim=True).values
    return torch.softmax(-SHARPNESS * wrong / (best + 0.3), dim=1)


def chi_square(light: TimedLight, coefficients_NJ2hw: Tensor) -> Tensor:
    """Return the variance along the path over what noise explains: (N, 1, h, w)."""
    smooth = light.of_planes(gaussian_blur(light.planes, 0.7))
    moved = along(smooth, trajectory(coefficients_NJ2hw))
    template = moved.mean(dim=1, keepdim=True)
    left = gaussian_blur((moved - template).square().mean(dim=1, keepdim=True), CHI_SQUARE_SIGMA_PX)
    merged_bins = light.planes.shape[1] / 32  # the variances are those of 32 bins
    expected = RELATIVE_VARIANCE * template.square() + LEAST_VARIANCE / merged_bins**2
    return left / expected


def log_pyramid(light: TimedLight) -> list[TimedLight]:
    """Return the logarithm of light at halved sizes, smoothed; the finest level first."""
    floor = PATH_LOG_FLOOR * light.planes.mean(dim=(1, 2, 3), keepdim=True) + 1e-6
    planes, levels = (light.planes + floor).log(), []
    while True:
        levels.append(light.of_planes(gaussian_blur(planes, PATH_SMOOTHING_PX)))
        if len(levels) == len(CAMERA_STEPS) or min(planes.shape[-2:]) < COARSEST_SIDE:
            return levels
        planes = functional.avg_pool2d(planes, 2)


def plane_basis(size: Sequence[int], like: Tensor) -> Tensor:
    """Return the displacements of a plane before a camera, one for each parameter: (8, 2, h, w).

    Translation, affine and two projective terms, over coordinates in parts of the longer side.
    """
    middle = torch.tensor([size[1] / 2, size[0] / 2], device=like.device)[:, None, None]
    x, y = (pixel_centres(size, like) - middle) / max(size)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    across = torch.stack([one, x, y, zero, zero, zero, x * x, x * y])
    down = torch.stack([zero, zero, zero, one, x, y, x * y, y * y])
    return torch.stack([across, down], dim=1)


def camera_path(pyramid: Sequence[TimedLight], weight_N1hw: Tensor | None = None) -> Tensor:
    """Fit a plane before a moving camera: coefficients (N, J, 2, h, w).

    pyramid: `log_pyramid`. weight: how much each place of the finest level counts.
    """
    finest = pyramid[0].planes
    number, _, rows, _ = finest.shape
    centred = centred_powers(pyramid[0].times)
    gram = (centred @ centred.mT).double()
    parameters = finest.new_zeros(number, ORDER, 8)
    for level in reversed(range(len(pyramid))):
        logs = pyramid[level]
        size = logs.planes.shape[-2:]
        basis = plane_basis(size, finest) * (size[0] / rows)
        told = None if weight_N1hw is None else resize(weight_N1hw, size)
        for _ in range(CAMERA_STEPS[level]):
            coefficients = torch.einsum("njm,mchw->njchw", parameters, basis)
            moved = along(logs, trajectory(coefficients))
            template = moved.mean(dim=1, keepdim=True)
            wrong = moved - template
            weight = robust_weight(wrong.square().mean(dim=1, keepdim=True), CHI_SQUARE_SIGMA_PX)
            weight = weight if told is None else weight * told
            slopes = slope_along(template, basis)
            weighted = slopes * weight.flatten(2)
            normal = torch.einsum("nmp,nqp->nmq", weighted, slopes).double()
            normal = torch.einsum("nij,nmq->nimjq", gram, normal).reshape(number, ORDER * 8, -1)
            error = torch.einsum("njk,nkp->njp", centred, wrong.flatten(2))
            right = torch.einsum("njp,nmp->njm", error, weighted).double().flatten(1)
            parameters = parameters - damped_solve(normal, right, 1e-4).view_as(parameters)
    return torch.einsum("njm,mchw->njchw", parameters, plane_basis(finest.shape[-2:], finest))


def slope_along(planes_N1hw: Tensor, basis_M2hw: Tensor) -> Tensor:
    """Return how planes change as each parameter grows: (N, M, h * w)."""
    across, down = central_difference(planes_N1hw, -1), central_difference(planes_N1hw, -2)
    return (across * basis_M2hw[None, :, 0] + down * basis_M2hw[None, :, 1]).flatten(2)


def robust_weight(squares_N1hw: Tensor, sigma: float, known: Tensor | float = 1.0) -> Tensor:
    """Weigh places by their squared errors over the median: what moves otherwise hardly counts."""
    spread = gaussian_blur(squares_N1hw * known, sigma)
    typical = spread.flatten(1).median(dim=1).values.clamp(min=1e-8)
    return known / (1 + spread / typical[:, None, None, None]).square()


def damped_solve(normal_NMM: Tensor, right_NM: Tensor, damping: float) -> Tensor:
    """Solve normal equations, damped by a part of their diagonal: (N, M) float32."""
    diagonal = normal_NMM.diagonal(dim1=1, dim2=2)
    damped = normal_NMM + torch.diag_embed(damping * diagonal + 1e-6)
    return torch.linalg.solve(damped, right_NM).float()


def centred_powers(times_NK: Tensor) -> Tensor:
    """Return `powers` less their means over the bins, which the template takes up: (N, J, K)."""
    phi = powers(times_NK)
    return phi - phi.mean(dim=2, keepdim=True)


def pixel_path(pyramid: Sequence[TimedLight]) -> Tensor:
    """Fit every neighbourhood by itself (Lucas & Kanade, IJCAI 1981): (N, J, 2, h, w)."""
    number = len(pyramid[0].planes)
    centred = centred_powers(pyramid[0].times)
    fitted = torch.linalg.solve(centred @ centred.mT + 1e-6 * torch.eye(ORDER).to(centred), centred)
    levels = pyramid[: len(PIXEL_STEPS)]
    path = centred.new_zeros(number * ORDER, 2, *levels[-1].planes.shape[-2:])
    for logs, steps in zip(reversed(levels), reversed(PIXEL_STEPS[: len(levels)]), strict=True):
        path = enlarged(path, logs.planes.shape[-2:])
        for _ in range(steps):
            moved = along(logs, trajectory(path.unflatten(0, (number, ORDER))))
            template = moved.mean(dim=1, keepdim=True)
            wrong = torch.einsum("njk,nkhw->njhw", fitted, moved - template)
            step = pooled_step(
                central_difference(template, -1), central_difference(template, -2), wrong
            )
            path = gaussian_blur(path + step.flatten(0, 1), 1.0)
    return path.unflatten(0, (number, ORDER))


def pooled_step(across_N1hw: Tensor, down_N1hw: Tensor, wrong_NJhw: Tensor) -> Tensor:
    """Return the step of each neighbourhood that removes the error `wrong`: (N, J, 2, h, w)."""
    count = wrong_NJhw.shape[1]
    products = [across_N1hw**2, across_N1hw * down_N1hw, down_N1hw**2]
    products += [across_N1hw * wrong_NJhw, down_N1hw * wrong_NJhw]
    pooled = gaussian_blur(torch.cat(products, dim=1), PATH_POOLING_PX)
    xx, xy, yy, bx, by = pooled.split([1, 1, 1, count, count], dim=1)
    floor = 1e-4 + 1e-3 * (xx + yy).mean(dim=(1, 2, 3), keepdim=True)
    xx, yy = xx + floor, yy + floor
    step = torch.stack([xy * by - yy * bx, xy * bx - xx * by], dim=2)
    return (step / (xx * yy - xy.square())[:, :, None]).clamp(-1, 1)
