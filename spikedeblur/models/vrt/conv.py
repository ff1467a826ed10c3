"""The convolutional stand-in for TMSA in small networks.

Shape legend: N batch, T frames, H, W feature map, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from spikedeblur.models.clip_conv import ClipConv
from spikedeblur.models.residual import Block
from spikedeblur.models.vrt.layers import drop_path
from spikedeblur.models.vrt.stages import Run, Stage, StageOptions


class ConvBlock(Block):
    """x + conv(1,3,3)(GELU(conv(3,3,3)(x))); (N, T, H, W, C) -> the same shape.

    With `per_frame` the first kernel is (1,3,3) too, so that frames do not mix.
    """

    def __init__(self, dim: int, per_frame: bool, drop_path_rate: float) -> None:
        super().__init__()
        self.drop_path_rate = drop_path_rate
        self.conv1 = ClipConv(dim, dim, depth=1 if per_frame else 3)
        self.conv2 = ClipConv(dim, dim)

    def forward(self, x_NTHWC: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape."""
        x = x_NTHWC.permute(0, 4, 1, 2, 3)  # free: the tokens are a channels_last_3d tensor
        branch = self.conv2(F.gelu(self.conv1(x))).permute(0, 2, 3, 4, 1)
        return x_NTHWC + drop_path(branch, self.drop_path_rate, self.training)

    def last_layers(self) -> Sequence[nn.Module]:
        """The second convolution."""
        return [self.conv2]


class ConvGroup(nn.Sequential):
    """A run of convolution blocks."""

    def __init__(self, dim: int, per_frame: bool, drop_path_rates: Sequence[float]) -> None:
        super().__init__(*(ConvBlock(dim, per_frame, rate) for rate in drop_path_rates))


class ConvStage(Stage):
    """One group of convolution blocks."""

    def add_blocks(self, run: Run, options: StageOptions) -> None:
        """Make the one group, `residual_group`."""
        self.residual_group = ConvGroup(run.dim, run.per_frame, run.rates)

    def blocks(self, x_NTHWC: Tensor) -> Tensor:
        """Apply the group."""
        return self.residual_group(x_NTHWC)

    @classmethod
    def refinement(cls, run: Run, options: StageOptions) -> nn.Module:
        """A group of stage 8, of convolutions."""
        return ResidualConv(run)


class ResidualConv(nn.Module):
    """A group of stage 8."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.residual_group = ConvGroup(run.dim, run.per_frame, run.rates)

    def forward(self, x_NTHWC: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape."""
        return self.residual_group(x_NTHWC)
