"""Backward warping, always in float32: half precision cannot hold pixel coordinates.

Shape legend: M images, C channels, H, W height and width; flow_M2HW holds displacements in
pixels of its own resolution, channel 0 horizontal, channel 1 vertical.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

CORNERS = 4  # looked-up pixels per neighbour frame


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Suspend autocast, where the device has it."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def pixel_grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Coordinates x (1, W) and y (H, 1) of the pixels, float32."""
    x = torch.arange(width, device=device, dtype=torch.float32)
    y = torch.arange(height, device=device, dtype=torch.float32)
    return x[None, :], y[:, None]


def flow_warp(x_MCHW: Tensor, flow_M2HW: Tensor, padding_mode: str = "zeros") -> Tensor:
    """Sample `x` bilinearly at pixel + flow; outside is zero, or the border repeated.

    The result is float32, also under autocast.
    """
    with full_precision(x_MCHW.device):
        flow = flow_M2HW.float()
        height, width = flow.shape[-2:]
        x, y = pixel_grid(height, width, flow.device)
        u = 2 * (x + flow[:, 0]) / max(width - 1, 1) - 1
        v = 2 * (y + flow[:, 1]) / max(height - 1, 1) - 1
        return F.grid_sample(
            x_MCHW.float(), torch.stack([u, v], -1), padding_mode=padding_mode, align_corners=True
        )


def corner_positions(flow_M2HW: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Integer neighbours [floor, ceil] of pixel + flow: columns and rows, each (M, H, W) int64."""
    flow = flow_M2HW.float()
    x, y = pixel_grid(flow.shape[-2], flow.shape[-1], flow.device)
    vx, vy = x + flow[:, 0], y + flow[:, 1]
    return [vx.floor().long(), vx.ceil().long()], [vy.floor().long(), vy.ceil().long()]


def nearest_corners(x_MCHW: Tensor, flow_M2HW: Tensor) -> Tensor:
    """(M, 4C, H, W): the four pixels around pixel + flow, unweighted, zero outside the image.

    Order: (left, top), (left, bottom), (right, top), (right, bottom). No gradient to the flow.
    """
    channels, height, width = x_MCHW.shape[1:]
    flat = x_MCHW.flatten(2)
    columns, rows = corner_positions(flow_M2HW)
    looked_up = []
    for column in columns:
        for row in rows:
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            position = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
            index = position.flatten(1)[:, None].expand(-1, channels, -1)
            pixels = flat.gather(2, index).view(-1, channels, *inside.shape[1:])
            looked_up.append(pixels * inside[:, None])
    return torch.cat(looked_up, dim=1)


def neighbour_images(frames_NTCHW: Tensor, backward: Tensor, forward: Tensor) -> Tensor:
    """(N, T, 8C, H, W): four pixels of the next, then of the previous frame, zero where none is."""
    batch, frames = frames_NTCHW.shape[:2]
    corners = CORNERS * frames_NTCHW.shape[2]
    none = frames_NTCHW.new_zeros(batch, 1, corners, *frames_NTCHW.shape[3:])

    def look_up(source: Tensor, flow: Tensor) -> Tensor:
        pixels = nearest_corners(source.flatten(0, 1), flow.flatten(0, 1))
        return pixels.view(batch, frames - 1, *none.shape[2:])

    following = look_up(frames_NTCHW[:, 1:], backward)
    previous = look_up(frames_NTCHW[:, :-1], forward)
    return torch.cat([torch.cat([following, none], 1), torch.cat([none, previous], 1)], dim=2)
