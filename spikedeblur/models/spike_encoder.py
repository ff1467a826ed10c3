"""SpikeEncoder3D: voxel grids of spikes -> a pyramid of features at 1, 1/2, 1/4 and 1/8.

Shape suffixes: B batch, T frames, K bins, C channels, H and W the network's plane.
Tensors are (B, C, T, H, W) in channels_last_3d memory, so that a view as tokens is free.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikedeblur.models.clip_conv import ClipConv
from spikedeblur.models.residual import Block
from spikedeblur.vocabulary import BINS


class ResidualBlock3D(Block):
    """Conv3d 3x3x3 - ReLU - Conv3d 3x3x3 - add - ReLU, without normalisation.

    The second convolution starts at zero, so that a deep pyramid starts as its strided
    convolutions alone and the first training steps stay small.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ClipConv(channels, channels, depth=3)
        self.conv2 = ClipConv(channels, channels, depth=3)
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)

    def last_layers(self) -> Sequence[nn.Module]:
        """The second convolution."""
        return [self.conv2]

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """(B, C, T, H, W) -> the same shape."""
        inner = functional.relu(self.conv1(x_BCTHW), inplace=True)
        return functional.relu(self.conv2(inner) + x_BCTHW, inplace=True)


def _residual_pair(channels: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock3D(channels), ResidualBlock3D(channels))


class SpikeEncoder3D(nn.Module):
    """3D-convolutional pyramid over voxel grids.

    `forward` takes (B, T, K, H, W) and returns four features Fs_i of shape
    (B, channels_per_scale[i], T_i, H_i, W_i): the first at the size of the input, each next one
    divided (rounding up) by its temporal and spatial stride.
    """

    def __init__(
        self,
        in_bins: int = BINS,
        channels_per_scale: Sequence[int] = (96, 96, 96, 96),
        temporal_strides: Sequence[int] = (1, 1, 1),
        spatial_strides: Sequence[int] = (2, 2, 2),
    ) -> None:
        super().__init__()
        c0, *wider = channels_per_scale
        self.in_proj = ClipConv(in_bins, c0, depth=3)
        self.res0 = _residual_pair(c0)
        narrow = c0
        strides = zip(wider, temporal_strides, spatial_strides, strict=True)
        for i, (wide, t, s) in enumerate(strides, 1):
            self.add_module(f"down{i}", ClipConv(narrow, wide, depth=3, stride=(t, s)))
            self.add_module(f"res{i}", _residual_pair(wide))
            narrow = wide
        self.scales = 1 + len(wider)

    def forward(self, voxels_BTKHW: Tensor) -> list[Tensor]:
        """(B, T, K, H, W) -> a feature (B, C_i, T_i, H_i, W_i) for each scale."""
        x = voxels_BTKHW.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)
        features = [self.res0(functional.relu(self.in_proj(x)))]
        for i in range(1, self.scales):
            down, residual = self.get_submodule(f"down{i}"), self.get_submodule(f"res{i}")
            features.append(residual(functional.relu(down(features[-1]))))
        return features
