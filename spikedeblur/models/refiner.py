"""The full-resolution part of the network: it chooses among pictures and adds what they lack.

Shape suffixes: N frames, C channels, P pictures, H and W frame pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikedeblur.prior.chunks import chunks


class ResidualBlock(nn.Module):
    """x + conv(GELU(conv(x))), 3x3; the second convolution starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW + self.conv2(functional.gelu(self.conv1(x_NCHW)))


class FrameRefiner(nn.Module):
    """Pictures (N, P, 3, H, W) and maps (N, M, H, W) -> the sharp frame (N, 3, H, W).

    Two scales of its own, and between them `body`, which sees the features at half the size. At
    every pixel a softmax weighs the pictures, and a residual is added. It starts as the last
    picture nearly alone: the convolution's weights are zero, its bias is for that one.
    """

    PREFERENCE = 3.0  # of the last picture over the others at the start, in logits

    def __init__(self, pictures: int, maps: int, widths: Sequence[int], body_channels: int) -> None:
        super().__init__()
        self.pictures = pictures
        full, half = widths
        self.first = nn.Conv2d(3 * pictures + maps, full, 3, padding=1)
        self.fine = ResidualBlock(full)
        self.down = nn.Conv2d(full, half, 2, stride=2)
        self.coarse = nn.Sequential(ResidualBlock(half), ResidualBlock(half))
        self.from_body = nn.Conv2d(body_channels, half, 1)
        self.merged = ResidualBlock(half)
        self.up = nn.Conv2d(half, 4 * full, 1)
        self.finest = ResidualBlock(full)
        self.last = nn.Conv2d(full, pictures + 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        bias = torch.zeros(pictures + 3)
        bias[pictures - 1] = self.PREFERENCE
        with torch.no_grad():
            self.last.bias.copy_(bias)  # type: ignore[union-attr]

    def forward(
        self, pictures_NP3HW: Tensor, maps_NMHW: Tensor, body: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Restore frames whose sides are even; `body` maps (N, half, H/2, W/2) features.

        Few frames at a time, so that what one convolution writes the next one finds in the cache.
        """
        pieces = list(chunks(len(pictures_NP3HW), pictures_NP3HW.shape[-2:]))
        fine, coarse = [], []
        for piece in pieces:
            x, half = self._enter(pictures_NP3HW[piece], maps_NMHW[piece])
            fine.append(x)
            coarse.append(half)
        y = torch.cat(coarse)
        del coarse, half  # held once from here on
        out = body(y)
        left = [
            self._leave(x, y[piece], out[piece], pictures_NP3HW[piece])
            for piece, x in zip(pieces, fine, strict=True)
        ]
        return torch.cat(left)

    def _enter(self, pictures_NP3HW: Tensor, maps_NMHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return features at full and at half size."""
        inputs = torch.cat([pictures_NP3HW.flatten(1, 2), maps_NMHW], dim=1)
        x = self.fine(self.first(channels_last(inputs)))
        return x, self.coarse(self.down(x))

    def _leave(
        self, x_NCHW: Tensor, y_NChw: Tensor, body_NChw: Tensor, pictures_NP3HW: Tensor
    ) -> Tensor:
        """Return sharp frames: (N, 3, H, W)."""
        y = self.merged(channels_last(y_NChw + self.from_body(body_NChw)))
        x = x_NCHW + functional.pixel_shuffle(self.up(y), 2)
        out = self.last(self.finest(x)).float()
        weights = out[:, : self.pictures].softmax(dim=1)
        chosen = (weights[:, :, None] * pictures_NP3HW).sum(dim=1)
        return chosen + out[:, self.pictures :]


def channels_last(planes_NCHW: Tensor) -> Tensor:
    """Lay out planes as narrow convolutions take half the time for; these keep their input's."""
    return planes_NCHW.contiguous(memory_format=torch.channels_last)
