"""Convolutions over clips, and the convolutional stand-in for TMSA in small networks.

Shape legend: N batch, T frames, H, W feature map, C channels in, O channels out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spikedeblur.models.vrt.tmsa import drop_path


class ClipConv(nn.Conv3d):
    """3x3 convolution over (N, C, T, H, W) clips, `depth` (1 or 3) frames deep, same size out.

    The same as `nn.Conv3d` with zero padding, in value and in state. torch gives conv3d over a
    single small clip to a native kernel, four times slower than oneDNN's and more so backwards;
    a clip seen as a batch of frames does not meet that rule.
    """

    def __init__(self, in_chans: int, out_chans: int, depth: int = 1) -> None:
        super().__init__(in_chans, out_chans, (depth, 3, 3), padding=(depth // 2, 1, 1))

    def forward(self, input: Tensor) -> Tensor:
        batch, _, frames = input.shape[:3]
        depth = self.kernel_size[0]
        if depth > 1 and batch > 1:
            return super().forward(input)
        kernel = self.weight.transpose(1, 2).flatten(1, 2)  # (O, depth * C, 3, 3)
        x_NTCHW = input.transpose(1, 2)
        if depth > 1:
            padded = F.pad(x_NTCHW, (0, 0, 0, 0, 0, 0, 1, 1))
            x_NTCHW = torch.cat([padded[:, i : i + frames] for i in range(depth)], dim=2)
        out = F.conv2d(x_NTCHW.flatten(0, 1), kernel, self.bias, padding=1)
        return out.unflatten(0, (batch, frames)).transpose(1, 2)


class ConvBlock(nn.Module):
    """x + conv(1,3,3)(GELU(conv(3,3,3)(x))); (N, T, H, W, C) -> the same shape.

    With `per_frame` the first kernel is (1,3,3) too, so that frames do not mix.
    """

    def __init__(self, dim: int, per_frame: bool, drop_path_rate: float) -> None:
        super().__init__()
        self.drop_path_rate = drop_path_rate
        self.conv1 = ClipConv(dim, dim, depth=1 if per_frame else 3)
        self.conv2 = ClipConv(dim, dim)

    def forward(self, x_NTHWC: Tensor) -> Tensor:
        x = x_NTHWC.permute(0, 4, 1, 2, 3)  # free: the tokens are a channels_last_3d tensor
        branch = self.conv2(F.gelu(self.conv1(x))).permute(0, 2, 3, 4, 1)
        return x_NTHWC + drop_path(branch, self.drop_path_rate, self.training)


class ConvGroup(nn.Sequential):
    """A run of convolution blocks."""

    def __init__(self, dim: int, per_frame: bool, drop_path_rates: Sequence[float]) -> None:
        super().__init__(*(ConvBlock(dim, per_frame, rate) for rate in drop_path_rates))
