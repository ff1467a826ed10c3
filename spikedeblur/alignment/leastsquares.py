"""Weighted least squares over pictures: robust weights, normal equations, blur by matrices."""

from __future__ import annotations

import numpy as np
import torch

from spikedeblur.recording.resample import gaussian_weights

TOLERANCE = 9.0  # times the usual error, squared, at which a neighbourhood is mistrusted


class Blur:
    """Gaussian blur of planes (..., h, w) of one shape, nothing beyond the border.

    As products with banded matrices, which for many small planes is faster than a convolution.
    """

    def __init__(self, shape: tuple[int, ...], sigmas: tuple[float, float]) -> None:
        """shape: (h, w). sigmas: down and across."""
        self._rows, self._columns = (_band(*each) for each in zip(shape, sigmas, strict=True))

    def __call__(self, planes: torch.Tensor) -> torch.Tensor:
        """Blur planes (..., h, w)."""
        return self._rows @ (planes @ self._columns)


def blurred(planes: np.ndarray, blur: Blur) -> np.ndarray:
    """Planes (F, h, w), blurred by what lies within the border."""
    there = blur(torch.ones(planes.shape[1:]))
    blurred: np.ndarray = (blur(torch.from_numpy(planes)) / there).numpy()
    return blurred


def _band(side: int, sigma: float) -> torch.Tensor:
    taps = gaussian_weights(sigma)
    radius = len(taps) // 2
    near = np.subtract.outer(np.arange(side), np.arange(side)) + radius
    inside = (near >= 0) & (near < len(taps))
    return torch.from_numpy(np.where(inside, taps[near.clip(0, len(taps) - 1)], np.float32(0)))


def robust_weights(
    spikes: torch.Tensor,
    basis: torch.Tensor,
    weights: torch.Tensor,
    shape: tuple[int, int],
    blur: Blur,
) -> tuple[torch.Tensor, float, torch.Tensor]:
    """Weights (F, P) that shun what does not fit, what is left elsewhere, and the fit (F, n).

    They go by the errors of the neighbourhood in the frames before and after (Geman and McClure,
    1987). A pixel's own errors would prefer noise of black squares that cancels that of white
    ones, which biases exposures.
    """

    def around(values: torch.Tensor) -> torch.Tensor:
        near = blur(values.reshape(-1, *shape)).flatten(1)
        return near.roll(1, dims=0) + near.roll(-1, dims=0)

    robust, usual, there = weights, 0.0, around(weights).clamp(min=1e-3)
    for _ in range(3):
        solution = solve(basis, robust, spikes[..., None])
        energy = around((spikes - (basis @ solution)[..., 0]) ** 2 * weights) / there
        usual = float(energy[weights > 0].median()) + 1e-12
        robust = weights / (1 + energy / (TOLERANCE * usual)) ** 2
    return robust, usual**0.5, solution[..., 0]


def normal_equations(
    columns: torch.Tensor, rate: torch.Tensor, basis: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Information (n, n) and scores (P, n) of a frame, with the tone that fits best.

    columns (2, P, n), rate (2, P) and basis (2, P, m) of black and of white squares: one's errors
    meet the other's derivatives.
    """
    wanted = torch.cat([columns, rate[..., None]], dim=-1)
    wanted = wanted - basis @ solve(basis, weights, wanted)
    jacobian, errors = wanted[..., :-1], wanted[..., -1:]
    weighted = jacobian * weights[:, None]
    product = weighted[0].T @ jacobian[1]
    scores = (weighted[0] * errors[1] + weighted[1] * errors[0]) / 2
    return (product + product.T) / 2, scores


def solve(basis: torch.Tensor, weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Weighted least squares: basis (..., P, m), weights (..., P), values (..., P, n)."""
    weighted = (basis * weights[..., None]).transpose(-1, -2)
    normal = (weighted @ basis).double()
    size = normal.diagonal(dim1=-2, dim2=-1).sum(dim=-1)[..., None, None]
    held = normal + (1e-7 * size + 1e-9) * torch.eye(basis.shape[-1])  # a plain wall is singular
    return torch.linalg.solve(held, (weighted @ values).double()).to(values.dtype)


def correlation_of(spikes: torch.Tensor, video: torch.Tensor, weights: torch.Tensor) -> float:
    """Weighted correlation within frames, over all of them."""
    product, one, two = correlation_terms(spikes, video, weights).sum(dim=0)
    return float(product / (one * two).sqrt().clamp(min=1e-12))  # a plain wall is like nothing


def correlation_terms(
    spikes: torch.Tensor, video: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Of each frame the weighted product of both and the energy of each, (F, 3)."""
    total = weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    one, two = (
        each - (each * weights).sum(dim=1, keepdim=True) / total for each in (spikes, video)
    )
    products = (one * two, one**2, two**2)
    return torch.stack([(each * weights).sum(dim=1) for each in products], dim=1)
