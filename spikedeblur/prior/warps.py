"""Sampling planes beside their pixels, and the way back.

A displacement (N, 2, h, w) holds (x, y) in pixels of its plane. The pixel in column j of row i is a
square with its centre at (j + 0.5, i + 0.5).

Shape suffixes: N planes, C channels, K instants, h and w pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def pixel_centres(size: Sequence[int], like: Tensor) -> Tensor:
    """Return the coordinates (x, y) of the pixels of a plane: (2, h, w)."""
    rows, columns = (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5 for n in size)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y])


def sample(planes_NChw: Tensor, positions_N2hw: Tensor, mode: str = "bilinear") -> Tensor:
    """Read planes at positions (N, 2, *, *) in their own pixels: (N, C, *, *).

    Beyond the border its pixels repeat. Bicubic values may overshoot.
    """
    size = positions_N2hw.new_tensor(planes_NChw.shape[:-3:-1])
    return gridded(planes_NChw, positions_N2hw.permute(0, 2, 3, 1) * (2 / size) - 1, mode)


def warp(planes_NChw: Tensor, displacement_N2hw: Tensor, mode: str = "bilinear") -> Tensor:
    """Take each pixel from `displacement` beside it: (N, C, h, w)."""
    return gridded(planes_NChw, grid_of(displacement_N2hw), mode)


def gridded(planes_NChw: Tensor, grid_Nhw2: Tensor, mode: str = "bilinear") -> Tensor:
    """Read planes at normalised coordinates, repeating the border's pixels beyond it."""
    return functional.grid_sample(
        planes_NChw, grid_Nhw2.to(planes_NChw), mode=mode, padding_mode="border",
        align_corners=False,
    )  # fmt: skip


def grid_of(displacement_N2hw: Tensor, sign: int = 1) -> Tensor:
    """Return the coordinates from -1 to 1 of what lies `displacement` beside: (N, h, w, 2)."""
    size = displacement_N2hw.shape[-2:]
    scale = displacement_N2hw.new_tensor([2 / size[1], 2 / size[0]])[:, None, None] * sign
    still = still_grid(size, displacement_N2hw)
    return torch.addcmul(still, displacement_N2hw, scale).permute(0, 2, 3, 1)


def still_grid(size: Sequence[int], like: Tensor) -> Tensor:
    """Return the coordinates from -1 to 1 of the pixels of a plane: (2, h, w)."""
    rows, columns = (
        (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) * (2 / n) - 1 for n in size
    )
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y])


def inverse(displacement_N2hw: Tensor, rounds: int = 3) -> Tensor:
    """Return the displacement that leads back, v(x) = -u(x + v(x)), by fixed-point iteration."""
    back = displacement_N2hw
    for _ in range(rounds):
        back = gridded(displacement_N2hw, grid_of(back, -1))
    return -back


def enlarged(displacement_N2hw: Tensor, size: Sequence[int]) -> Tensor:
    """Carry the same motion onto a plane of another size, in its pixels: (N, 2, *size)."""
    if displacement_N2hw.shape[-2:] == tuple(size):
        return displacement_N2hw
    rows, columns = (n / m for n, m in zip(size, displacement_N2hw.shape[-2:], strict=True))
    scale = torch.tensor([columns, rows], device=displacement_N2hw.device)[:, None, None]
    return scale * functional.interpolate(
        displacement_N2hw, size=tuple(size), mode="bilinear", align_corners=False
    )


def inside(positions_N2hw: Tensor, size: Sequence[int]) -> Tensor:
    """Mark with 1 the positions on a plane of `size` (h, w), with 0 those beyond: (N, 1, *, *)."""
    limit = torch.tensor([size[1], size[0]], device=positions_N2hw.device)[:, None, None]
    within = (positions_N2hw >= 0) & (positions_N2hw <= limit)
    return within.all(dim=1, keepdim=True).to(positions_N2hw)
