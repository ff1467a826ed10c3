"""Window attention of VRT: self attention with relative bias, and mutual attention of frame pairs.

Shape legend: B windows, n tokens per window, m = n / 2 tokens per frame of a pair, h heads,
d channels per head, C = h * d channels; `x_SC` tokens in window order, S = B * n.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from spikedeblur.models.attend import attend
from spikedeblur.models.linear import Linear
from spikedeblur.models.vrt.windowing import Size3, WindowPlan

TOKENS_AT_ONCE = 1 << 13


def in_runs(x: Tensor, rows: int = 1) -> tuple[Tensor, ...]:
    """Cut tokens, or windows of `rows` tokens each, into runs to take through a layer.

    An exported graph takes all as one: it does not know how many there are.
    """
    if torch.compiler.is_exporting():
        return (x,)
    return x.split(max(1, tokens_at_once(x.device) // rows))


def tokens_at_once(device: torch.device) -> int:
    """Choose how many tokens to take through a layer: few keep results in a processor's cache."""
    return TOKENS_AT_ONCE if device.type == "cpu" else TOKENS_AT_ONCE << 5


class WindowAttention(nn.Module):
    """Attention inside windows of nominal size (depth, height, width) (VRT, equations 1 to 4).

    With `mutual`, each frame of a pair also asks the other one, and both answers are projected
    together. `forward` takes and returns (S, C) tokens in the order of a `WindowPlan`.
    """

    relative_position_index: Tensor
    position_bias: Tensor

    def __init__(self, dim: int, window: Size3, heads: int, mutual: bool) -> None:
        super().__init__()
        self.window, self.heads, self.mutual = window, heads, mutual
        depth, height, width = window
        offsets = (2 * depth - 1) * (2 * height - 1) * (2 * width - 1)
        self.relative_position_bias_table = nn.Parameter(torch.empty(offsets, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", relative_position_index(window))
        self.qkv_self = Linear(dim, 3 * dim)
        self.proj = Linear(2 * dim if mutual else dim, dim)
        if mutual:
            self.register_buffer("position_bias", sine_position_code(height, width, dim))
            self.qkv_mut = Linear(dim, 3 * dim)

    def forward(self, x_SC: Tensor, plan: WindowPlan) -> Tensor:
        """Attend within each window of `plan`: (S, C) -> (S, C)."""
        bias_hnn = self._relative_bias(plan.window)
        parts = []
        for group in plan.classes:
            x_BnC = x_SC[group.start * plan.tokens : group.stop * plan.tokens]
            x_BnC = x_BnC.view(-1, plan.tokens, x_SC.shape[-1])
            bias = bias_hnn if group.mask is None else bias_hnn + group.mask
            for run in in_runs(x_BnC, plan.tokens):
                parts.append(self._run(run, bias, group.mask))
        return torch.cat(parts).view(x_SC.shape)

    def _run(self, x_BnC: Tensor, bias_hnn: Tensor, mask_nn: Tensor | None) -> Tensor:
        """Windows that share one mask; `bias_hnn` holds the mask already."""
        q, k, v = self._heads(self.qkv_self(x_BnC))
        attended = _attend(q, k, v, bias_hnn)
        if self.mutual:
            attended = torch.cat([self._mutual(x_BnC, mask_nn), attended], dim=-1)
        return self.proj(attended)

    def _mutual(self, x_BnC: Tensor, mask_nn: Tensor | None) -> Tensor:
        """Each frame of a pair asks the other; the answer takes the place of the frame asked."""
        frame = x_BnC.shape[1] // 2
        z = x_BnC.view(-1, 2, frame, x_BnC.shape[-1]) + self.position_bias
        q, k, v = self._heads(self.qkv_mut(z))
        # The mask of the first frame serves both: a wrap in time is not masked here.
        mask = None if mask_nn is None else mask_nn[..., :frame, :frame]
        first = _attend(q[:, 1], k[:, 0], v[:, 0], mask)
        second = _attend(q[:, 0], k[:, 1], v[:, 1], mask)
        return torch.cat([first, second], dim=1)

    def _heads(self, qkv: Tensor) -> tuple[Tensor, ...]:
        """(..., n, 3C) -> query, key, value, each (..., h, n, d)."""
        dim = qkv.shape[-1] // 3
        parts = qkv.unflatten(-1, (3, self.heads, dim // self.heads))
        return tuple(part.transpose(-3, -2) for part in parts.unbind(-3))

    def _relative_bias(self, window: Size3) -> Tensor:
        """(h, n, n) bias of an effective window, which may be smaller than the nominal one."""
        depth, height, width = window
        index = self.relative_position_index.view(*self.window, *self.window)
        index = index[:depth, :height, :width, :depth, :height, :width]
        tokens = depth * height * width
        bias = self.relative_position_bias_table.index_select(0, index.reshape(-1))
        # Rows of keys must lie together, or the fused kernel copies the bias for every window.
        return bias.t().contiguous().view(self.heads, tokens, tokens)


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """(B, h, n, d) each -> (B, n, C); `bias` (h, n, n) or (n, n) is added to the logits."""
    if bias is not None:
        bias = bias.to(q.dtype).expand(q.shape[0], q.shape[1], -1, -1)
    return attend(q, k, v, bias).transpose(1, 2).flatten(2)


def relative_position_index(window: Size3) -> Tensor:
    """(n, n) int64: row of the bias table for each (query, key) pair of a window, d-major.

    Equal windows share one tensor: a network has a hundred of them, each with the square of the
    window's positions.
    """
    return _position_index(window, torch.get_default_device())


@lru_cache(maxsize=32)
def _position_index(window: Size3, device: torch.device) -> Tensor:
    # An index made inside inference mode must still serve a model that is made outside.
    with torch.inference_mode(False):
        axes = torch.meshgrid(*(torch.arange(extent) for extent in window), indexing="ij")
        index = torch.zeros(1, dtype=torch.int64)
        for extent, axis in zip(window, axes, strict=True):
            position = axis.flatten()
            offset = position[:, None] - position[None, :] + extent - 1
            index = index * (2 * extent - 1) + offset
        return index


def sine_position_code(height: int, width: int, channels: int) -> Tensor:
    """(1, height * width, channels) float32: half the channels code y, half x (one-based)."""
    features = channels // 2
    pair = torch.div(torch.arange(features), 2, rounding_mode="floor")
    divisor = 10000 ** (2 * pair / features)
    is_sine = torch.arange(features) % 2 == 0

    def code(extent: int) -> Tensor:
        angle = 2 * math.pi * torch.arange(1, extent + 1) / (extent + 1e-6)
        phase = angle[:, None] / divisor
        return torch.where(is_sine, phase.sin(), phase.cos())

    rows = code(height)[:, None].expand(height, width, features)
    columns = code(width)[None, :].expand(height, width, features)
    return torch.cat([rows, columns], dim=-1).reshape(1, height * width, 2 * features)
