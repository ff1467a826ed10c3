"""The stages of VRT: reshape, a run of blocks of one kind, parallel alignment.

Shape legend: N batch, T frames, H, W feature map, C channels. Tokens stay (N, T, H, W, C)
throughout; convolutions see them through permuted views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from spikedeblur.models.linear import Linear
from spikedeblur.models.residual import Residual
from spikedeblur.models.vrt.alignment import DeformableAlignment, align_neighbours
from spikedeblur.models.vrt.layers import GEGLU
from spikedeblur.models.vrt.windowing import Size3


@dataclass(frozen=True)
class StageOptions:
    """Options that all stages of one network share."""

    window_size: Size3
    mul_attn_ratio: float
    mlp_ratio: float
    pa_frames: int
    deformable_groups: int
    use_checkpoint_attn: bool
    use_checkpoint_ffn: bool


@dataclass(frozen=True)
class Run:
    """Blocks of one width in a row: one for each of `rates`, their rates of stochastic depth.

    heads: of attention, for kinds that have any. per_frame: frames do not see each other.
    """

    dim: int
    heads: int
    rates: Sequence[float]
    per_frame: bool = False


class SpaceToChannel(nn.Module):
    """(N, T, H, W, C) -> (N, T, H/2, W/2, 4C); within a 2x2 cell the column is the slow index."""

    def forward(self, x: Tensor) -> Tensor:
        """Merge 2x2 cells into channels."""
        return rearrange(x, "n t (h jy) (w jx) c -> n t h w (jx jy c)", jy=2, jx=2)


class ChannelToSpace(nn.Module):
    """(N, T, H, W, 4C) -> (N, T, 2H, 2W, C): undoes `SpaceToChannel`."""

    def forward(self, x: Tensor) -> Tensor:
        """Spread channels over 2x2 cells."""
        return rearrange(x, "n t h w (jx jy c) -> n t (h jy) (w jx) c", jy=2, jx=2)


def reshape_layers(kind: str, before: int, dim: int) -> nn.Sequential:
    """Change of resolution at the entry of a stage ("none", "down", "up"), `before` -> `dim`."""
    if kind == "none":
        return nn.Sequential(nn.Identity(), nn.LayerNorm(dim))
    step: nn.Module = SpaceToChannel() if kind == "down" else ChannelToSpace()
    merged = 4 * before if kind == "down" else before // 4
    return nn.Sequential(step, nn.LayerNorm(merged), Linear(merged, dim))


class Stage(Residual):
    """One of the stages 1 to 7, run at 1/`scale` of the full resolution.

    A subclass stands for a kind of blocks: it adds them in `add_blocks` and applies them in
    `blocks`, and makes a group of stage 8 of them in `refinement`. `models.vrt.blocks` names it.
    """

    def __init__(self, kind: str, scale: int, before: int, run: Run, options: StageOptions) -> None:
        super().__init__()
        self.scale = scale
        self.reshape = reshape_layers(kind, before, run.dim)
        self.add_blocks(run, options)
        self.has_alignment = options.pa_frames > 0
        if self.has_alignment:
            self.pa_deform = DeformableAlignment(run.dim, options.deformable_groups, 10 / scale)
            self.pa_fuse = GEGLU(3 * run.dim, 3 * run.dim, run.dim)

    @classmethod
    def check_width(cls, dim: int, heads: int) -> None:
        """Raise ValueError for a width that these blocks cannot have."""

    def add_blocks(self, run: Run, options: StageOptions) -> None:
        """Make the blocks, as submodules of this stage."""
        raise NotImplementedError

    def blocks(self, x_NTHWC: Tensor) -> Tensor:
        """Apply the blocks: (N, T, H, W, C) -> the same shape."""
        raise NotImplementedError

    @property
    def needs_whole_window(self) -> bool:
        """Return whether its feature map has to hold one whole attention window."""
        return False

    def last_layers(self) -> Sequence[nn.Module]:
        """None: its blocks stand for themselves."""
        return []  # blocks that stand for themselves

    @classmethod
    def refinement(cls, run: Run, options: StageOptions) -> nn.Module:
        """A group of stage 8 of the same kind of blocks: (N, T, H, W, C) -> the same shape."""
        raise NotImplementedError

    def forward(self, x_NTHWC: Tensor, flows: tuple[Tensor, Tensor] | None) -> Tensor:
        """Everything after `reshape`; `flows` are (backward, forward), (N, T-1, 2, H, W) each."""
        x = self.blocks(x_NTHWC)
        if self.has_alignment and flows is not None:
            x = self.pa_fuse(torch.cat([x, align_neighbours(self.pa_deform, x, *flows)], dim=-1))
        return x
