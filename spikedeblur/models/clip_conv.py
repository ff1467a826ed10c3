"""The 3x3 and 3x3x3 convolution over clips that all parts of the network are made of.

Shape suffixes: N batch, T frames, H, W feature map, C channels in.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# torch gives conv3d over one clip to a native kernel, up to four times slower than oneDNN's and
# more so backwards, unless channels x frames x rows exceed this.
NATIVE_UP_TO = 20480


class ClipConv(nn.Conv3d):
    """Convolution of `depth` (1 or 3) x 3 x 3 over (N, C, T, H, W) clips, padded by zeros.

    `stride` is (frames, pixels); sizes are divided by it, rounding up. The same as `nn.Conv3d` in
    value and in state; where that would be slow it is the sum of 2D convolutions over frames.
    """

    def __init__(
        self, in_chans: int, out_chans: int, depth: int = 1, stride: tuple[int, int] = (1, 1)
    ) -> None:
        frames, pixels = stride
        super().__init__(
            in_chans,
            out_chans,
            (depth, 3, 3),
            stride=(frames, pixels, pixels),
            padding=(depth // 2, 1, 1),
        )

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (N, C, T, H, W)."""
        batch, channels, frames, height, _ = input.shape
        depth, step = self.kernel_size[0], self.stride[0]
        if torch.compiler.is_exporting():  # to run elsewhere
            return super().forward(input)
        if depth > 1 and (batch > 1 or channels * frames * height > NATIVE_UP_TO):
            return super().forward(input)
        x_NTCHW = input.transpose(1, 2)
        out = self._on_frames(x_NTCHW[:, ::step], depth // 2, self.bias)
        following = x_NTCHW[:, 1::step]
        preceding = x_NTCHW[:, step - 1 : frames - 1 : step]
        if depth > 1 and frames > 1:
            out[:, : following.shape[1]] += self._on_frames(following, 2, None)
        if depth > 1 and preceding.shape[1]:
            out[:, 1:] += self._on_frames(preceding, 0, None)
        return out.transpose(1, 2)

    def _on_frames(self, x_NTCHW: Tensor, place: int, bias: Tensor | None) -> Tensor:
        """Convolve each frame with one of the kernel's `depth` planes."""
        kernel, stride = self.weight[:, :, place], (self.stride[1], self.stride[2])
        out = functional.conv2d(x_NTCHW.flatten(0, 1), kernel, bias, stride=stride, padding=1)
        return out.unflatten(0, x_NTCHW.shape[:2])
