"""Temporal mutual self attention (TMSA): blocks of attention and feed-forward, and their groups.

Shape legend: N batch, T frames, H, W feature map, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from spikedeblur.models.vrt.attention import WindowAttention, tokens_at_once
from spikedeblur.models.vrt.windowing import Size3, WindowPlan, effective_window, window_plan


class GEGLU(nn.Module):
    """fc2(GELU(fc11(x)) * fc12(x)): the gated feed-forward of VRT, on the channel axis."""

    def __init__(self, channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.fc11 = nn.Linear(channels, hidden)
        self.fc12 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        runs = x.reshape(-1, x.shape[-1]).split(tokens_at_once(x.device))
        parts = [self.fc2(F.gelu(self.fc11(run)) * self.fc12(run)) for run in runs]
        return torch.cat(parts).view(*x.shape[:-1], -1)


def drop_path(branch: Tensor, rate: float, training: bool) -> Tensor:
    """Stochastic depth: leave a residual branch out, per sample, with probability `rate`."""
    if not training or rate == 0:
        return branch
    keep = branch.new_empty(branch.shape[0], *[1] * (branch.ndim - 1)).bernoulli_(1 - rate)
    return branch * keep / (1 - rate)


class TMSABlock(nn.Module):
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
        batch, frames, height, width, _ = x_NTHWC.shape
        size = (frames, height, width)
        window = effective_window(size, self.window, keep_depth=self.mutual)
        for i, block in enumerate(self.blocks):
            plan = window_plan((batch, *size), window, bool(i % 2), x_NTHWC.device)
            x_NTHWC = block(x_NTHWC, plan)
        return x_NTHWC
