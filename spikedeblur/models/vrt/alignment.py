"""Parallel alignment: both neighbours of every frame, warped to it by deformable convolution.

Shape legend: N batch, T frames, M frame pairs, H, W feature map, C channels, G offset groups,
K = 9 kernel taps; flow_M2HW in pixels, channel 0 horizontal, channel 1 vertical.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spikedeblur.models.vrt.warping import flow_warp, full_precision, pixel_grid

PIXELS_AT_ONCE = 1 << 14  # frame pairs are taken in chunks of this many pixels


def deform_conv(
    x_MCHW: Tensor, offset: Tensor, mask: Tensor, weight_OCkk: Tensor, bias: Tensor
) -> Tensor:
    """Modulated deformable 3x3 convolution, stride 1, padding 1 (arXiv 1811.11168).

    `offset` (M, 18G, H, W) float32 holds (vertical, horizontal) pairs per group and tap, `mask`
    (M, 9G, H, W) multiplies each sample; outside the map samples are zero. Returns (M, O, H, W).
    """
    images, channels, height, width = x_MCHW.shape
    groups = mask.shape[1] // 9
    with full_precision(x_MCHW.device):
        grid = _sampling_grid(offset.float().view(images * groups, 9, 2, height, width))
        source = x_MCHW.float().reshape(images * groups, channels // groups, height, width)
        taps = F.grid_sample(source, grid, align_corners=True)
        taps = taps.view(images, groups, channels // groups, 9, height, width)
        taps = taps * mask.float().view(images, groups, 1, 9, height, width)
    kernel = weight_OCkk.flatten(1)[:, :, None, None]
    return F.conv2d(taps.view(images, channels * 9, height, width), kernel, bias)


def _sampling_grid(offset_B92HW: Tensor) -> Tensor:
    """(B, 9H, W, 2) normalised sampling points of the nine taps."""
    height, width = offset_B92HW.shape[-2:]
    x, y = pixel_grid(height, width, offset_B92HW.device)
    tap = torch.arange(9, device=offset_B92HW.device)[:, None, None]
    px = offset_B92HW[:, :, 1] + (tap % 3 - 1) + x
    py = offset_B92HW[:, :, 0] + (torch.div(tap, 3, rounding_mode="floor") - 1) + y
    grid = torch.stack([2 * px / max(width - 1, 1) - 1, 2 * py / max(height - 1, 1) - 1], dim=-1)
    return grid.view(-1, 9 * height, width, 2)


class DeformableAlignment(nn.Module):
    """Flow-guided deformable convolution: offsets are the flow plus a bounded learnt residue."""

    def __init__(self, dim: int, groups: int, max_residue: float) -> None:
        super().__init__()
        self.max_residue = max_residue
        self.weight = nn.Parameter(torch.empty(dim, dim, 3, 3))
        self.bias = nn.Parameter(torch.zeros(dim))
        bound = 1 / math.sqrt(9 * dim)
        nn.init.uniform_(self.weight, -bound, bound)
        self.conv_offset = nn.Sequential(
            nn.Conv2d(2 * dim + 2, dim, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(dim, dim, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(dim, dim, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(dim, 27 * groups, 3, padding=1),
        )
        # Start from the plain flow with every mask at one half.
        for parameter in self.conv_offset[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, source_MCHW: Tensor, target_MCHW: Tensor, flow_M2HW: Tensor) -> Tensor:
        """`source` aligned to `target` along the flow (on target's grid): (M, C, H, W)."""
        warped = flow_warp(source_MCHW, flow_M2HW)
        condition = torch.cat([warped, target_MCHW.float(), flow_M2HW], dim=1)
        raw = self.conv_offset(condition).float()
        taps = raw.shape[1] // 3  # 9G
        offset = self.max_residue * raw[:, : 2 * taps].tanh()
        offset = offset + flow_M2HW.flip(1).repeat(1, taps, 1, 1)
        return deform_conv(
            source_MCHW, offset, raw[:, 2 * taps :].sigmoid(), self.weight, self.bias
        )


def align_neighbours(
    deform: DeformableAlignment, x_NTHWC: Tensor, backward: Tensor, forward: Tensor
) -> Tensor:
    """(N, T, H, W, 2C): the next and the previous frame of each frame, aligned to it.

    `backward` and `forward` are (N, T-1, 2, H, W) flows. A missing neighbour is zero.
    """
    batch, frames, height, width, channels = x_NTHWC.shape
    if frames == 1:
        return x_NTHWC.new_zeros(batch, frames, height, width, 2 * channels)
    images = x_NTHWC.flatten(0, 1).permute(0, 3, 1, 2)
    number = torch.arange(batch * frames, device=x_NTHWC.device).view(batch, frames)
    here, after = number[:, :-1].flatten(), number[:, 1:].flatten()
    source, target = torch.cat([after, here]), torch.cat([here, after])
    flow = torch.cat([backward.flatten(0, 1), forward.flatten(0, 1)])
    step = max(1, PIXELS_AT_ONCE // (height * width))
    results = [
        deform(images[s], images[t], f)
        for s, t, f in zip(source.split(step), target.split(step), flow.split(step), strict=True)
    ]
    pairs = torch.cat(results).permute(0, 2, 3, 1)
    from_next, from_previous = pairs.view(2, batch, frames - 1, height, width, channels)
    none = from_next.new_zeros(batch, 1, height, width, channels)
    return torch.cat([torch.cat([from_next, none], 1), torch.cat([none, from_previous], 1)], dim=-1)
