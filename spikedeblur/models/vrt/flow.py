"""Optical flow between neighbouring frames: SpyNet (arXiv 1611.00850) and flow composition.

Shape legend: N batch, T frames, M image pairs, H, W height and width; flow_M2HW in pixels of
its own resolution, channel 0 horizontal, channel 1 vertical.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spikedeblur.models.vrt.warping import flow_warp, full_precision

LEVELS = 6  # pyramid levels, the coarsest at 1/32
FLOW_SCALES = 4  # flows returned, at 1, 1/2, 1/4, 1/8
PAIR_PIXELS = 1 << 18  # pairs are taken in chunks of this many pixels, which bounds the memory


class FlowLevel(nn.Module):
    """Five 7x7 convolutions that refine the flow at one pyramid level."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 32, 64, 32, 16, 2)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 7, padding=3), nn.ReLU(inplace=True)]
        self.basic_module = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Two pictures and the flow so far (N, 8, H, W) -> what to add to it (N, 2, H, W)."""
        return self.basic_module(x)


class SpyNet(nn.Module):
    """Coarse-to-fine flow, in float32 under any autocast."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.basic_module = nn.ModuleList(FlowLevel() for _ in range(LEVELS))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, frames_NT3HW: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Flows of all neighbouring frames, as (backward, forward) lists of four scales.

        `frames` in [0, 1]. Entry i is (N, T-1, 2, H / 2^i, W / 2^i). Backward flow t lies on frame
        t and points into frame t+1; forward flow t lies on frame t+1 and points into frame t.
        """
        batch, frames, _, height, width = frames_NT3HW.shape
        first = torch.arange(batch * frames, device=frames_NT3HW.device).view(batch, frames)
        here, after = first[:, :-1].flatten(), first[:, 1:].flatten()
        with full_precision(frames_NT3HW.device):
            pyramid = self._pyramid(frames_NT3HW.float().flatten(0, 1))
            flows = self._pairs(
                pyramid, torch.cat([here, after]), torch.cat([after, here]), (height, width)
            )
        split = [flow.view(2, batch, frames - 1, *flow.shape[1:]) for flow in flows]
        return [flow[0] for flow in split], [flow[1] for flow in split]

    def _pyramid(self, images: Tensor) -> list[Tensor]:
        """Normalised images at LEVELS sizes, coarsest first, the finest a multiple of 32."""
        padded = [-(-size // 32) * 32 for size in images.shape[-2:]]
        images = F.interpolate(images, padded, mode="bilinear", align_corners=False)
        levels = [(images - self.mean) / self.std]
        for _ in range(LEVELS - 1):
            levels.append(F.avg_pool2d(levels[-1], 2))
        return levels[::-1]

    def _pairs(
        self, pyramid: list[Tensor], reference: Tensor, support: Tensor, size: tuple[int, int]
    ) -> list[Tensor]:
        """Flow scales of many (reference, support) pairs of image numbers, in chunks of pairs."""
        if not len(reference):
            shapes = [(0, 2, size[0] >> i, size[1] >> i) for i in range(FLOW_SCALES)]
            return [pyramid[0].new_zeros(shape) for shape in shapes]
        step = max(1, PAIR_PIXELS // pyramid[-1][0, 0].numel())
        chunks = [
            self._estimate([level[r] for level in pyramid], [level[s] for level in pyramid], size)
            for r, s in zip(reference.split(step), support.split(step), strict=True)
        ]
        return [torch.cat(scale) for scale in zip(*chunks, strict=True)]

    def _estimate(
        self, reference: list[Tensor], support: list[Tensor], size: tuple[int, int]
    ) -> list[Tensor]:
        """Flow scales 1, 1/2, 1/4, 1/8 of one chunk of pairs."""
        flow = torch.zeros_like(reference[0][:, :2])
        outputs = []
        for level, refine in enumerate(self.basic_module):
            if level:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            warped = flow_warp(support[level], flow, padding_mode="border")
            flow = refine(torch.cat([reference[level], warped, flow], dim=1)) + flow
            shrink = 1 << (LEVELS - 1 - level)
            if shrink < 1 << FLOW_SCALES:
                outputs.append(_resize_flow(flow, size[0] // shrink, size[1] // shrink))
        return outputs[::-1]


def _resize_flow(flow_M2HW: Tensor, height: int, width: int) -> Tensor:
    """Resize a flow and its displacements with it."""
    ratio = flow_M2HW.new_tensor([width / flow_M2HW.shape[3], height / flow_M2HW.shape[2]])
    resized = F.interpolate(flow_M2HW, (height, width), mode="bilinear", align_corners=False)
    return resized * ratio.view(1, 2, 1, 1)


def compose_flows(backward: Tensor, forward: Tensor) -> tuple[Tensor, Tensor]:
    """Flows between every second frame, out of flows between neighbours.

    Takes and returns (N, pairs, 2, H, W); T frames have T-1 pairs, ceil(T/2) have ceil(T/2)-1.
    """
    pairs = backward.shape[1] // 2  # ceil(T/2) - 1 for T - 1 pairs
    even, odd = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    return (
        _follow(backward[:, even], backward[:, odd]),
        _follow(forward[:, odd], forward[:, even]),
    )


def _follow(step: Tensor, next_step: Tensor) -> Tensor:
    """The displacement of `step`, then of `next_step` from where `step` has led."""
    if not step.shape[1]:
        return step
    carried = flow_warp(next_step.flatten(0, 1), step.flatten(0, 1))
    return step + carried.view(step.shape)


def strided_flows(
    backward: Sequence[Tensor], forward: Sequence[Tensor], scale: int, stride: int
) -> tuple[Tensor, Tensor]:
    """The (backward, forward) flows at one scale between frames `stride` (1, 2, 4, 8) apart."""
    pair = backward[scale], forward[scale]
    while stride > 1:
        pair, stride = compose_flows(*pair), stride // 2
    return pair
