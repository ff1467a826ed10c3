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
    return functional.grid_sample(
        planes_NChw, normalised(positions_N2hw, planes_NChw), mode=mode, padding_mode="border",
        align_corners=False,
    )  # fmt: skip


def normalised(positions_N2hw: Tensor, planes_NChw: Tensor) -> Tensor:
    """Turn positions in pixels of `planes` into the grid (N, *, *, 2) that torch samples by."""
    height, width = planes_NChw.shape[-2:]
    size = torch.tensor([2 / width, 2 / height], device=positions_N2hw.device)
    return (positions_N2hw.permute(0, 2, 3, 1) * size - 1).to(planes_NChw)


def warp(planes_NChw: Tensor, displacement_N2hw: Tensor, mode: str = "bilinear") -> Tensor:
    """Take each pixel from `displacement` beside it: (N, C, h, w)."""
    centres = pixel_centres(displacement_N2hw.shape[-2:], displacement_N2hw)
    return sample(planes_NChw, centres + displacement_N2hw, mode)


def inverse(displacement_N2hw: Tensor, rounds: int = 4) -> Tensor:
    """Return the displacement that leads back, v(x) = -u(x + v(x)), by fixed-point iteration."""
    back = -displacement_N2hw
    for _ in range(rounds):
        back = -warp(displacement_N2hw, back)
    return back


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
