"""Temporal mutual self attention (TMSA): blocks of attention and feed-forward, and their groups.

Shape legend: N batch, T frames, H, W feature map, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from spikedeblur.models.linear import Linear
from spikedeblur.models.residual import Block, Residual
from spikedeblur.models.vrt.attention import WindowAttention
from spikedeblur.models.vrt.layers import GEGLU, drop_path
from spikedeblur.models.vrt.stages import Run, Stage, StageOptions
from spikedeblur.models.vrt.traced import traced_plan
from spikedeblur.models.vrt.windowing import Size3, WindowPlan, effective_window, window_plan


class TMSABlock(Block):
    """x + attention(norm1(x)), then x + mlp(norm2(x)); (N, T, H, W, C) -> the same shape."""

    def __init__(
        self,
        dim: int,
        window: Size3,
        heads: int,
        mutual: bool,
        mlp_ratio: float,
        *,
        drop_path_rate: float = 0.0,
        use_checkpoint_attn: bool = False,
        use_checkpoint_ffn: bool = False,
    ) -> None:
        super().__init__()
        self.drop_path_rate = drop_path_rate
        self.use_checkpoint_attn, self.use_checkpoint_ffn = use_checkpoint_attn, use_checkpoint_ffn
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window, heads, mutual)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = GEGLU(dim, int(dim * mlp_ratio), dim)

    def forward(self, x_NTHWC: Tensor, plan: WindowPlan) -> Tensor:
        """Attend within the windows of `plan`: (N, T, H, W, C) -> the same shape."""
        recompute = torch.is_grad_enabled()
        if recompute and self.use_checkpoint_attn:
            branch = checkpoint(self._attention, x_NTHWC, plan, use_reentrant=False)
        else:
            branch = self._attention(x_NTHWC, plan)
        x_NTHWC = x_NTHWC + drop_path(branch, self.drop_path_rate, self.training)
        if recompute and self.use_checkpoint_ffn:
            branch = checkpoint(self._feed_forward, x_NTHWC, use_reentrant=False)
        else:
            branch = self._feed_forward(x_NTHWC)
        return x_NTHWC + drop_path(branch, self.drop_path_rate, self.training)

    def last_layers(self) -> Sequence[nn.Module]:
        """The projections that end attention and feed-forward."""
        return [self.attn.proj, self.mlp.fc2]

    def _attention(self, x_NTHWC: Tensor, plan: WindowPlan) -> Tensor:
        x_PC = x_NTHWC.reshape(-1, x_NTHWC.shape[-1])
        x_SC = plan.clear_padding(self.norm1(plan.partition(x_PC)))
        return plan.merge(self.attn(x_SC, plan)).view(x_NTHWC.shape)

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.mlp(self.norm2(x))


class TMSAGroup(nn.Module):
    """A run of TMSA blocks over one window size; odd blocks shift their windows by half.

    (N, T, H, W, C) -> the same shape, any T, H, W: incomplete windows are padded inside.
    """

    def __init__(
        self,
        dim: int,
        window: Size3,
        heads: int,
        mutual: bool,
        mlp_ratio: float,
        drop_path_rates: Sequence[float],
        *,
        use_checkpoint_attn: bool = False,
        use_checkpoint_ffn: bool = False,
    ) -> None:
        super().__init__()
        self.window, self.mutual = window, mutual
        self.blocks = nn.ModuleList(
            TMSABlock(
                dim,
                window,
                heads,
                mutual,
                mlp_ratio,
                drop_path_rate=rate,
                use_checkpoint_attn=use_checkpoint_attn,
                use_checkpoint_ffn=use_checkpoint_ffn,
            )
            for rate in drop_path_rates
        )

    def forward(self, x_NTHWC: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape; every other block has its windows shifted."""
        batch, frames, height, width, _ = x_NTHWC.shape
        size = (frames, height, width)
        plan_of = window_plan
        if torch.compiler.is_exporting():  # height and width have no value yet
            plan_of, size = traced_plan, (frames, *self.window[1:])
        window = effective_window(size, self.window, keep_depth=self.mutual)
        for i, block in enumerate(self.blocks):
            shape = (batch, frames, height, width)
            x_NTHWC = block(x_NTHWC, plan_of(shape, window, bool(i % 2), x_NTHWC.device))
        return x_NTHWC


class TMSAStage(Stage):
    """Mutual attention fills the first `mul_attn_ratio` of the depth, self attention the rest.

    A group without blocks is left out with its linear layer.
    """

    @classmethod
    def check_width(cls, dim: int, heads: int) -> None:
        """Raise ValueError for a width that heads or position code do not divide."""
        # The position code needs an even width: half for y, half for x.
        if dim % heads or dim % 2:
            raise ValueError(
                f"embed_dims must be even and a multiple of its num_heads, got {dim} and {heads}"
            )

    def add_blocks(self, run: Run, options: StageOptions) -> None:
        """Make the groups of mutual and of self attention, with their linear layers."""
        depth = len(run.rates)
        self.mutual_depth = int(options.mul_attn_ratio * depth)
        self.self_depth = depth - self.mutual_depth
        # The rates of self attention restart from the stage's first: official behaviour.
        if self.mutual_depth:
            window = (2, *options.window_size[1:])
            rates = run.rates[: self.mutual_depth]
            self.residual_group1 = _group(run, window, rates, options, mutual=True)
            self.linear1 = Linear(run.dim, run.dim)
        if self.self_depth:
            rates = run.rates[: self.self_depth]
            self.residual_group2 = _group(run, options.window_size, rates, options)
            self.linear2 = Linear(run.dim, run.dim)

    @property
    def needs_whole_window(self) -> bool:
        """Return whether there is mutual attention, whose windows always hold two frames."""
        return self.mutual_depth > 0

    def blocks(self, x_NTHWC: Tensor) -> Tensor:
        """Apply mutual, then self attention."""
        x = x_NTHWC
        if self.mutual_depth:
            x = self.linear1(self.residual_group1(x)) + x
        if self.self_depth:
            x = self.linear2(self.residual_group2(x)) + x
        return x

    def last_layers(self) -> Sequence[nn.Module]:
        """The linear layer of each group."""
        mutual = [self.linear1] if self.mutual_depth else []
        return [*mutual, self.linear2] if self.self_depth else mutual

    @classmethod
    def refinement(cls, run: Run, options: StageOptions) -> nn.Module:
        """A group of stage 8, of self attention."""
        return ResidualTMSA(run, options)


class ResidualTMSA(Residual):
    """x + linear(group(x)): one group of stage 8, self attention only."""

    def __init__(self, run: Run, options: StageOptions) -> None:
        super().__init__()
        depth, height, width = options.window_size
        window = (1 if run.per_frame else depth, height, width)
        self.residual_group = _group(run, window, run.rates, options)
        self.linear = Linear(run.dim, run.dim)

    def forward(self, x_NTHWC: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape."""
        return x_NTHWC + self.linear(self.residual_group(x_NTHWC))

    def last_layers(self) -> Sequence[nn.Module]:
        """The linear layer."""
        return [self.linear]


def _group(
    run: Run, window: Size3, rates: Sequence[float], options: StageOptions, mutual: bool = False
) -> TMSAGroup:
    return TMSAGroup(
        run.dim,
        window,
        run.heads,
        mutual,
        options.mlp_ratio,
        rates,
        use_checkpoint_attn=options.use_checkpoint_attn,
        use_checkpoint_ffn=options.use_checkpoint_ffn,
    )
