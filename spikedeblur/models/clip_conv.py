"""The 3x3 and 3x3x3 convolution over clips that all parts of the network are made of.

Shape suffixes: N batch, T frames, H, W feature map, C channels in.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ClipConv(nn.Conv3d):
    """Convolution of `depth` (1 or 3) x 3 x 3 over (N, C, T, H, W) clips, padded by zeros.

    `stride` is (frames, pixels); sizes are divided by it, rounding up. The same as `nn.Conv3d` in
    value and in state. torch gives conv3d over a single small clip to a native kernel, four times
    slower than oneDNN's and more so backwards; a clip seen as a batch of frames does not meet that
    rule.
    """

    def __init__(
        self, in_chans: int, out_chans: int, depth: int = 1, stride: tuple[int, int] = (1, 1)
    ) -> None:
        frames, pixels = stride
        super().__init__(in_chans, out_chans, (depth, 3, 3), stride=(frames, pixels, pixels),
                         padding=(depth // 2, 1, 1))

    def forward(self, input: Tensor) -> Tensor:
        batch, _, frames = input.shape[:3]
        depth, step = self.kernel_size[0], self.stride[0]
        if batch > 1 and depth > 1:
            return super().forward(input)
        kernel = self.weight.transpose(1, 2).flatten(1, 2)  # (O, depth * C, 3, 3)
        x_NTCHW = input.transpose(1, 2)
        if depth > 1:
            padded = functional.pad(x_NTCHW, (0, 0, 0, 0, 0, 0, 1, 1))
            x_NTCHW = torch.cat([padded[:, i : i + frames : step] for i in range(depth)], dim=2)
        elif step > 1:
            x_NTCHW = x_NTCHW[:, ::step]
        out = functional.conv2d(
            x_NTCHW.flatten(0, 1), kernel, self.bias, stride=self.stride[1:], padding=1
        )
        return out.unflatten(0, (batch, -1)).transpose(1, 2)
