"""VRT: a video restoration transformer (arXiv 2201.12288), for deblurring.

Written from a description of its behaviour and state dict; loads official weights strictly.

Shape legend: N batch, T frames, H, W height and width, C channels; `x_NTCHW` a clip as callers
hold it, `x_NTHWC` tokens. Stages 1 to 4 halve the resolution, 5 to 7 restore it, stage 8 refines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from spikedeblur.models.clip_conv import ClipConv
from spikedeblur.models.linear import Linear
from spikedeblur.models.residual import Residual
from spikedeblur.models.vrt.blocks import BLOCKS
from spikedeblur.models.vrt.checks import check_options
from spikedeblur.models.vrt.flow import SpyNet, strided_flows
from spikedeblur.models.vrt.stages import Run, Stage, StageOptions
from spikedeblur.models.vrt.warping import CORNERS, neighbour_images
from spikedeblur.models.vrt.windowing import Size3

Fuse = Callable[[int, Tensor], Tensor]

STAGE_KINDS = ("none", "down", "down", "down", "up", "up", "up")
STAGE_SCALES = (1, 2, 4, 8, 4, 2, 1)


class VRT(nn.Module):
    """Clip in, restored clip of the same size out.

    Args:
        upscale: only 1 (restoration at the same size).
        in_chans, out_chans: channels of the clip and of the result.
        img_size: training clip size; kept for official configurations, without effect.
        window_size: nominal attention window (T, H, W).
        depths, embed_dims, num_heads: 7 entries for the stages, then one per group of stage 8.
        indep_reconsts: entries whose windows hold a single frame.
        mul_attn_ratio: share of each stage's blocks with mutual attention; 0 for none.
        pa_frames: 2 aligns both neighbours along SpyNet flows; 0 has no flows and no alignment.
        deformable_groups: offset groups of the alignment.
        blocks: a kind of `BLOCKS` for each of the stages 1 to 7 and for stage 8.
        temporal_strides: 1 or 2 for stages 2, 3, 4: keep every frame, or every second.
        use_checkpoint_attn, use_checkpoint_ffn: recompute these parts in the backward pass.
        zero_init: start the last layer of each residual branch at zero.
        drop_path_rate: stochastic depth of the deepest block (training only).

    Raises:
        ValueError: options that do not fit together, or a clip of unusable size.
    """

    def __init__(
        self,
        upscale: int = 1,
        in_chans: int = 3,
        out_chans: int = 3,
        img_size: Sequence[int] = (6, 64, 64),
        window_size: Sequence[int] = (6, 8, 8),
        depths: Sequence[int] = (8, 8, 8, 8, 8, 8, 8, 4, 4, 4, 4),
        indep_reconsts: Sequence[int] = (9, 10),
        embed_dims: Sequence[int] = (96, 96, 96, 96, 96, 96, 96, 120, 120, 120, 120),
        num_heads: Sequence[int] = (6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6),
        mul_attn_ratio: float = 0.75,
        mlp_ratio: float = 2,
        pa_frames: int = 2,
        deformable_groups: int = 16,
        *,
        blocks: Sequence[str] = ("tmsa",) * 8,
        temporal_strides: Sequence[int] = (1, 1, 1),
        use_checkpoint_attn: bool = False,
        use_checkpoint_ffn: bool = False,
        zero_init: bool = False,
        drop_path_rate: float = 0.0,
    ) -> None:
        check_options(
            upscale, pa_frames, window_size, depths, embed_dims, num_heads, deformable_groups,
            blocks, temporal_strides,
        )  # fmt: skip
        super().__init__()
        self.in_chans, self.out_chans, self.pa_frames = in_chans, out_chans, pa_frames
        self.temporal_strides = tuple(temporal_strides)
        self.window_size: Size3 = (window_size[0], window_size[1], window_size[2])
        options = StageOptions(
            self.window_size, mul_attn_ratio, mlp_ratio, pa_frames, deformable_groups,
            use_checkpoint_attn, use_checkpoint_ffn,
        )  # fmt: skip
        rates = torch.linspace(0, drop_path_rate, sum(depths), device="cpu").split(list(depths))
        first, dims = len(STAGE_KINDS), embed_dims
        runs = [
            Run(dim, heads, part.tolist(), per_frame=i >= first and i in indep_reconsts)
            for i, (dim, heads, part) in enumerate(zip(dims, num_heads, rates, strict=True))
        ]
        warped = 2 * 3 * CORNERS if pa_frames else 0
        self.conv_first = ClipConv(in_chans + warped, dims[0])
        if pa_frames:
            self.spynet = SpyNet()
        for i, (kind, scale) in enumerate(zip(STAGE_KINDS, STAGE_SCALES, strict=True)):
            stage = BLOCKS[blocks[i]](kind, scale, dims[max(i - 1, 0)], runs[i], options)
            setattr(self, f"stage{i + 1}", stage)
        before, dim = dims[first - 1], dims[first]
        self.stage8 = nn.ModuleList(
            [
                nn.Sequential(nn.Identity(), nn.LayerNorm(before), Linear(before, dim)),
                *(BLOCKS[blocks[first]].refinement(run, options) for run in runs[first:]),
            ]
        )
        self.norm = nn.LayerNorm(dims[-1])
        self.conv_after_body = Linear(dims[-1], dims[0])
        self.conv_last = ClipConv(dims[0], out_chans)
        if zero_init:
            self._zero_residual_branches()

    def forward(self, x: Tensor, fuse: Fuse | None = None) -> Tensor:
        """(N, T, in_chans, H, W) in [0, 1] -> (N, T, out_chans, H, W), not clamped.

        T >= 1; H and W multiples of 8 and large enough for mutual attention. The result is added
        to the first `out_chans` channels of `x`. `fuse`: see `features`.
        """
        if self.out_chans > self.in_chans:
            raise ValueError(
                f"the result is added to the clip, which has {self.in_chans} channels and not "
                f"{self.out_chans}: use `features`"
            )
        y = self.features(x, fuse).permute(0, 4, 1, 2, 3)
        return self.conv_last(y).transpose(1, 2) + x[:, :, : self.out_chans]

    def features(self, x: Tensor, fuse: Fuse | None = None, guide: Tensor | None = None) -> Tensor:
        """(N, T, H, W, E0) features, as `conv_last` receives them.

        `fuse(s, x_NTHWC)` may replace the output of encoder stage s = 1..4 by one of equal shape;
        the next stage and the skip connections receive it. `guide` (N, T, 3, H, W) are the images
        that flows are estimated on and that are warped; by default the first 3 channels of `x`.
        """
        self._check_clip(x)
        flows: tuple[list[Tensor], list[Tensor]] | None = None
        if self.pa_frames:
            guide = x[:, :, :3] if guide is None else guide
            if guide.shape != (*x.shape[:2], 3, *x.shape[3:]):
                raise ValueError(
                    f"guide must be (N, T, 3, H, W) images of a clip {tuple(x.shape)}, "
                    f"got {tuple(guide.shape)}"
                )
            flows = self.spynet(guide)
            x = torch.cat([x, neighbour_images(guide, flows[0][0], flows[1][0])], dim=2)
        first = self.conv_first(x.transpose(1, 2)).permute(0, 2, 3, 4, 1).contiguous()
        del x  # the widest of all
        y = self._body(first, flows, fuse)
        for layer in self.stage8:
            y = layer(y)
        return first + self.conv_after_body(self.norm(y))

    def _body(
        self, x: Tensor, flows: tuple[list[Tensor], list[Tensor]] | None, fuse: Fuse | None
    ) -> Tensor:
        """Stages 1 to 7 with their skip connections."""
        strides = (1, *self.temporal_strides)
        reached = [math.prod(strides[: s + 1]) for s in range(4)]
        skips: list[Tensor] = []
        for s in range(4):
            stage = self._stage(s + 1)
            x = stage.reshape(x)[:, :: strides[s]]
            x = stage(x, _stage_flows(flows, s, reached[s]))
            x = x if fuse is None else fuse(s + 1, x)
            skips.append(x)
        for s in (2, 1, 0):
            stage = self._stage(7 - s)
            x = stage.reshape(x).repeat_interleave(strides[s + 1], dim=1)[:, : skips[s].shape[1]]
            x = stage(x, _stage_flows(flows, s, reached[s]))
            x = x + skips[s]
        return x

    def _stage(self, number: int) -> Stage:
        stage = getattr(self, f"stage{number}")
        assert isinstance(stage, Stage)
        return stage

    @property
    def min_size(self) -> tuple[int, int]:
        """Least height and width of a clip: mutual attention needs one whole window per stage."""
        stages = map(self._stage, range(1, 8))
        scale = max((stage.scale for stage in stages if stage.needs_whole_window), default=0)
        return max(8, scale * self.window_size[1]), max(8, scale * self.window_size[2])

    def _check_clip(self, x: Tensor) -> None:
        if x.ndim != 5 or x.shape[2] != self.in_chans:
            raise ValueError(f"clip must be (N, T, {self.in_chans}, H, W), got {tuple(x.shape)}")
        height, width = x.shape[-2:]
        if height % 8 or width % 8:
            raise ValueError(f"height and width must be multiples of 8, got {height} x {width}")
        least = self.min_size
        if height < least[0] or width < least[1]:
            raise ValueError(
                f"clip must be at least {least[0]} x {least[1]} pixels, so that mutual attention "
                f"has a whole window at every scale, got {height} x {width}"
            )

    def _zero_residual_branches(self) -> None:
        """Zero the last layer of each residual branch, so that the first steps are small.

        `conv_after_body` keeps its start: were it zero as well as `conv_last`, no gradient at all
        would reach the body in the first step.
        """
        last: list[nn.Module] = [self.conv_last]
        for module in self.modules():
            if isinstance(module, Residual):
                last += module.last_layers()
        for layer in last:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)


def _stage_flows(
    flows: tuple[list[Tensor], list[Tensor]] | None, scale: int, stride: int
) -> tuple[Tensor, Tensor] | None:
    return None if flows is None else strided_flows(*flows, scale, stride)
