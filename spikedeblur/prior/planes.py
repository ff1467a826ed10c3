"""Bringing planes onto each other: the spike plane onto the frame's, and any size onto a multiple.

Shape suffixes: N planes, K channels, h and w pixels. Coordinates are continuous, (x, y), with the
centre of the first pixel at (0.5, 0.5), so that plain scaling moves no pixel by half.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.recording.lenses import CurvedMap, Map, mapped, straightened


def scaling_matrix(source_hw: tuple[float, float], target_hw: tuple[float, float]) -> Tensor:
    """3x3 float64: target coordinates -> source coordinates when both show the same field."""
    sy, sx = source_hw[0] / target_hw[0], source_hw[1] / target_hw[1]
    return torch.diag(torch.tensor([sx, sy, 1.0], dtype=torch.float64))


def resample(
    grid_NKhw: Tensor,
    matrix: Tensor | Map,
    size: tuple[int, int],
    shrink: tuple[int, int] | None = None,
    mode: str = "bilinear",
) -> Tensor:
    """Sample planes at the pixels of another: (N, K, Hs, Ws) -> (N, K, *size).

    `matrix` (3x3, homogeneous, or a map that bends) takes a pixel of the target plane to the
    source plane. Where the target is coarser than the source the source is first averaged over
    whole pixels, so that no spike is skipped. Beyond the source's border its last pixels are
    repeated. mode: "bilinear", or "bicubic", which softens less; counts are then kept from falling
    below zero.
    `shrink` (rows, columns) says how many pixels are averaged, so that tiles of one plane agree;
    by default it is what suits the middle of the target.
    """
    shrink = shrink or shrink_factors(matrix, size)
    if isinstance(matrix, CurvedMap):
        return _sampled(*_through_curves(grid_NKhw, matrix, size, shrink), mode)
    matrix = torch.as_tensor(matrix, dtype=torch.float64, device="cpu")
    height, width = size
    if _is_identity(matrix) and grid_NKhw.shape[-2:] == (height, width):
        return grid_NKhw
    if shrink != (1, 1):
        grid_NKhw = _shrunk(grid_NKhw, shrink)
        finer = torch.diag(torch.tensor([1 / shrink[1], 1 / shrink[0], 1.0], dtype=torch.float64))
        matrix = finer @ matrix
    ys = torch.arange(height, dtype=torch.float64) + 0.5
    xs = torch.arange(width, dtype=torch.float64) + 0.5
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    u, v, scale = (matrix @ points).reshape(3, height, width)
    return _sampled(grid_NKhw, torch.stack([u / scale, v / scale], dim=-1), mode)


def _through_curves(
    grid_NKhw: Tensor, matrix: CurvedMap, size: tuple[int, int], shrink: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The source, shrunk, and the points of it that the target's pixels see."""
    rows, columns = size
    u, v, _ = mapped(matrix, np.arange(columns)[None] + 0.5, np.arange(rows)[:, None] + 0.5)
    points = torch.from_numpy(np.stack([u / shrink[1], v / shrink[0]], axis=-1))
    return _shrunk(grid_NKhw, shrink) if shrink != (1, 1) else grid_NKhw, points


def _shrunk(grid_NKhw: Tensor, shrink: tuple[int, int]) -> Tensor:
    """Means over whole pixels; those at the border over what there is."""
    return functional.avg_pool2d(grid_NKhw, shrink, ceil_mode=True, count_include_pad=False)


def _sampled(grid_NKhw: Tensor, points_HW2: Tensor, mode: str) -> Tensor:
    """Planes at points of their own pixels, float64 (x, y)."""
    extent = torch.tensor(grid_NKhw.shape[:-3:-1], dtype=torch.float64)  # (width, height)
    normalised = 2 * points_HW2 / extent - 1
    locations = normalised.to(grid_NKhw).expand(grid_NKhw.shape[0], -1, -1, -1)
    sampled = functional.grid_sample(
        grid_NKhw, locations, mode=mode, padding_mode="border", align_corners=False
    )
    return sampled.clamp_(min=0) if mode == "bicubic" else sampled


def _is_identity(matrix: Tensor) -> bool:
    return torch.equal(matrix, torch.eye(3, dtype=torch.float64))


def shrink_factors(matrix: Tensor | Map, size: tuple[int, int]) -> tuple[int, int]:
    """Source pixels per target pixel at the target's centre, rounded down, at least 1: (y, x)."""
    if isinstance(matrix, CurvedMap):
        matrix = straightened(matrix)
    matrix = torch.as_tensor(matrix, dtype=torch.float64, device="cpu")
    height, width = size
    centre = torch.tensor([width / 2, height / 2, 1.0], dtype=torch.float64)

    def project(step: tuple[float, float]) -> Tensor:
        point = matrix @ (centre + torch.tensor([*step, 0.0], dtype=torch.float64))
        return point[:2] / point[2]

    across = (project((1.0, 0.0)) - project((0.0, 0.0))).norm()
    down = (project((0.0, 1.0)) - project((0.0, 0.0))).norm()
    return max(1, int(down + 1e-6)), max(1, int(across + 1e-6))


def mirrored_index(size: int, padded: int, device: torch.device | None = None) -> Tensor:
    """Indices that extend an axis of `size` to `padded`: mirrored once, then the last repeated.

    A mirror reaches at most size - 1 pixels; beyond it the end stays what it is.
    """
    index = torch.arange(padded, device=device)
    mirrored = torch.where(index < size, index, 2 * (size - 1) - index)
    return mirrored.clamp(0, size - 1)


def pad_bottom_right(planes: Tensor, height: int, width: int) -> Tensor:
    """Extend the last two axes to (height, width) by mirroring; never by zeros."""
    rows, columns = planes.shape[-2:]
    if rows < height:
        below = planes[..., mirrored_index(rows, height, planes.device)[rows:], :]
        planes = torch.cat([planes, below], dim=-2)
    if columns < width:
        beside = planes[..., mirrored_index(columns, width, planes.device)[columns:]]
        planes = torch.cat([planes, beside], dim=-1)
    return planes


def resize(planes_Nchw: Tensor, size: Sequence[int], up: str = "bilinear") -> Tensor:
    """Averaging down, bilinear or bicubic up, both about pixel centres."""
    height, width = planes_Nchw.shape[-2:]
    smaller = (min(height, size[0]), min(width, size[1]))
    if smaller != (height, width):
        planes_Nchw = functional.adaptive_avg_pool2d(planes_Nchw, smaller)
    if smaller == tuple(size):
        return planes_Nchw
    return functional.interpolate(planes_Nchw, size=tuple(size), mode=up, align_corners=False)


def shifted(planes_NChw: Tensor, way_N2hw: Tensor) -> Tensor:
    """Each pixel taken from `way`, (x, y) pixels, beside it; beyond the border its pixels repeat.

    `way` may be (N, 2, 1, 1), one for all pixels. Bicubic: values may overshoot.
    """
    height, width = planes_NChw.shape[-2:]
    still = torch.eye(2, 3, device=way_N2hw.device).expand(len(planes_NChw), 2, 3)
    grid = functional.affine_grid(still, [len(planes_NChw), 1, height, width], align_corners=False)
    size = torch.tensor([width, height], device=way_N2hw.device)
    grid = grid + 2 * way_N2hw.permute(0, 2, 3, 1) / size
    return functional.grid_sample(
        planes_NChw,
        grid.to(planes_NChw),
        mode="bicubic",
        padding_mode="border",
        align_corners=False,
    )


def central_difference(planes_NChw: Tensor, axis: int) -> Tensor:
    """Central differences along an axis, borders repeated."""
    last = planes_NChw.shape[axis] - 1
    ahead = torch.cat([planes_NChw.narrow(axis, 1, last), planes_NChw.narrow(axis, last, 1)], axis)
    behind = torch.cat([planes_NChw.narrow(axis, 0, 1), planes_NChw.narrow(axis, 0, last)], axis)
    return (ahead - behind) / 2


def to_frame_grid(
    planes_NChw: Tensor, size: tuple[int, int], padded: tuple[int, int], coarsest: int
) -> Tensor:
    """A spike plane of any size onto the frame's, padded, over the power of two nearest above.

    `size` (H, W) is the frame's without padding, `coarsest` the network's greatest divisor. A
    plane is never made coarser than the spikes are, up to the network's own plane.
    """
    plane = (planes_NChw.shape[-2], planes_NChw.shape[-1])
    factor = coarsest
    while factor > 1 and (size[0] < plane[0] * factor or size[1] < plane[1] * factor):
        factor //= 2
    target = (padded[0] // factor, padded[1] // factor)
    if (plane[0] * factor, plane[1] * factor) == size:
        return pad_bottom_right(planes_NChw, *target)
    matrix = scaling_matrix(plane, (size[0] / factor, size[1] / factor))
    return resample(planes_NChw, matrix, target)
