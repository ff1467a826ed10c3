"""The stages of VRT: reshape, residual groups of blocks, parallel alignment.

Shape legend: N batch, T frames, H, W feature map, C channels. Tokens stay (N, T, H, W, C)
throughout; convolutions see them through permuted views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from spikedeblur.models.vrt.alignment import DeformableAlignment, align_neighbours
from spikedeblur.models.vrt.conv import ConvGroup
from spikedeblur.models.vrt.tmsa import GEGLU, TMSAGroup
from spikedeblur.models.vrt.windowing import Size3


@dataclass(frozen=True)
class StageOptions:
    """What all stages of one network have in common."""

    window_size: Size3
    mul_attn_ratio: float
    mlp_ratio: float
    pa_frames: int
    deformable_groups: int
    use_checkpoint_attn: bool
    use_checkpoint_ffn: bool

    def group(
        self, dim: int, window: Size3, heads: int, rates: Sequence[float], mutual: bool = False
    ) -> TMSAGroup:
        return TMSAGroup(
            dim,
            window,
            heads,
            mutual,
            self.mlp_ratio,
            rates,
            use_checkpoint_attn=self.use_checkpoint_attn,
            use_checkpoint_ffn=self.use_checkpoint_ffn,
        )


class SpaceToChannel(nn.Module):
    """(N, T, H, W, C) -> (N, T, H/2, W/2, 4C); within a 2x2 cell the column is the slow index."""

    def forward(self, x: Tensor) -> Tensor:
        return rearrange(x, "n t (h jy) (w jx) c -> n t h w (jx jy c)", jy=2, jx=2)


class ChannelToSpace(nn.Module):
    """(N, T, H, W, 4C) -> (N, T, 2H, 2W, C): undoes `SpaceToChannel`."""

    def forward(self, x: Tensor) -> Tensor:
        return rearrange(x, "n t h w (jx jy c) -> n t (h jy) (w jx) c", jy=2, jx=2)


def reshape_layers(kind: str, before: int, dim: int) -> nn.Sequential:
    """Change of resolution at the entry of a stage ("none", "down", "up"), `before` -> `dim`."""
    if kind == "none":
        return nn.Sequential(nn.Identity(), nn.LayerNorm(dim))
    step: nn.Module = SpaceToChannel() if kind == "down" else ChannelToSpace()
    merged = 4 * before if kind == "down" else before // 4
    return nn.Sequential(step, nn.LayerNorm(merged), nn.Linear(merged, dim))


class Stage(nn.Module):
    """One of the stages 1 to 7, run at 1/`scale` of the full resolution.

    Mutual attention fills the first `mul_attn_ratio` of the depth, self attention the rest; a
    group without blocks is left out with its linear layer. A "conv" stage has one group only.
    """

    def __init__(
        self,
        kind: str,
        scale: int,
        before: int,
        dim: int,
        depth: int,
        heads: int,
        block: str,
        rates: Sequence[float],
        options: StageOptions,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.reshape = reshape_layers(kind, before, dim)
        self.mutual_depth = int(options.mul_attn_ratio * depth) if block == "tmsa" else 0
        self.self_depth = depth - self.mutual_depth if block == "tmsa" else 0
        self.is_conv = block == "conv"
        if self.is_conv:
            self.residual_group = ConvGroup(dim, False, rates)
        if self.mutual_depth:
            window = (2, *options.window_size[1:])
            first = rates[: self.mutual_depth]
            self.residual_group1 = options.group(dim, window, heads, first, mutual=True)
            self.linear1 = nn.Linear(dim, dim)
        if self.self_depth:
            # The rates restart from the stage's first: official behaviour.
            first = rates[: self.self_depth]
            self.residual_group2 = options.group(dim, options.window_size, heads, first)
            self.linear2 = nn.Linear(dim, dim)
        self.has_alignment = options.pa_frames > 0
        if self.has_alignment:
            self.pa_deform = DeformableAlignment(dim, options.deformable_groups, 10 / scale)
            self.pa_fuse = GEGLU(3 * dim, 3 * dim, dim)

    def forward(self, x_NTHWC: Tensor, flows: tuple[Tensor, Tensor] | None) -> Tensor:
        """Everything after `reshape`; `flows` are (backward, forward), (N, T-1, 2, H, W) each."""
        x = x_NTHWC
        if self.is_conv:
            x = self.residual_group(x)
        if self.mutual_depth:
            x = self.linear1(self.residual_group1(x)) + x
        if self.self_depth:
            x = self.linear2(self.residual_group2(x)) + x
        if self.has_alignment and flows is not None:
            x = self.pa_fuse(torch.cat([x, align_neighbours(self.pa_deform, x, *flows)], dim=-1))
        return x


class ResidualTMSA(nn.Module):
    """x + linear(group(x)): one group of stage 8, self attention only."""

    def __init__(self, group: TMSAGroup, dim: int) -> None:
        super().__init__()
        self.residual_group = group
        self.linear = nn.Linear(dim, dim)

    def forward(self, x_NTHWC: Tensor) -> Tensor:
        return x_NTHWC + self.linear(self.residual_group(x_NTHWC))


class ResidualConv(nn.Module):
    """A group of stage 8 made of convolution blocks."""

    def __init__(self, group: ConvGroup) -> None:
        super().__init__()
        self.residual_group = group

    def forward(self, x_NTHWC: Tensor) -> Tensor:
        return self.residual_group(x_NTHWC)


def refinement(
    before: int,
    dims: Sequence[int],
    depths: Sequence[int],
    heads: Sequence[int],
    per_frame: Sequence[bool],
    block: str,
    rates: Sequence[Sequence[float]],
    options: StageOptions,
) -> nn.ModuleList:
    """Stage 8: a change of width, then groups at full resolution, `per_frame` or across frames."""
    entry = nn.Sequential(nn.Identity(), nn.LayerNorm(before), nn.Linear(before, dims[0]))
    layers = nn.ModuleList([entry])
    for i, dim in enumerate(dims):
        if block == "conv":
            layers.append(ResidualConv(ConvGroup(dim, per_frame[i], rates[i])))
            continue
        depth, height, width = options.window_size
        window = (1 if per_frame[i] else depth, height, width)
        layers.append(ResidualTMSA(options.group(dim, window, heads[i], rates[i]), dim))
    return layers
