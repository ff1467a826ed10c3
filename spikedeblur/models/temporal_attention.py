"""Attention along time at every pixel: the shared core, and SpikeTemporalSA.

Every pixel is one sequence of T tokens, so a feature map of H x W pixels is H*W short sequences.
Shape suffixes: B batch, T frames, H and W pixels, C channels, P = B*H*W sequences, N heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from einops import rearrange
from torch import Tensor, nn

from spikedeblur.models.attend import attend
from spikedeblur.models.config import ChunkConfig, TemporalAttentionConfig
from spikedeblur.models.linear import Linear

# Periods of the time code run from 2 pi frames to this many times as long: windows are short.
LONGEST_PERIOD = 64.0
ASPECT = 1.25  # of "wide" and "tall" chunks


def time_code(length: int, stride: int, channels: int, like: Tensor) -> Tensor:
    """Sine and cosine code (length, 1, 1, channels) of the times 0, stride, 2 stride, ... frames.

    Attention over T without it cannot tell before from after (Vaswani et al. 2017, sec. 3.5).
    """
    half = (channels + 1) // 2
    rates = LONGEST_PERIOD ** -(torch.arange(half, device=like.device) / half)
    angles = stride * torch.arange(length, device=like.device)[:, None] * rates
    code = torch.cat([angles.sin(), angles.cos()], dim=-1)[:, :channels]
    return code[:, None, None].to(like.dtype)


def chunk_rectangles(
    height: int, width: int, batch: int, config: ChunkConfig
) -> Iterator[list[tuple[slice, slice]]]:
    """Yield rows of rectangles that cover a feature map.

    No rectangle of all `batch` maps together holds more than MAX_BATCH_TOKENS sequences, nor a
    single one more than CHUNK_SIZE^2 pixels: a square, or 1.25:1 wide or tall.
    """
    pixels = height * width
    if config.ADAPTIVE_CHUNK:
        pixels = max(1, min(config.MAX_BATCH_TOKENS // batch, config.CHUNK_SIZE**2))
    if pixels >= height * width:
        yield [(slice(0, height), slice(0, width))]
        return
    aspect = {"square": 1.0, "wide": ASPECT, "tall": 1 / ASPECT}[config.CHUNK_SHAPE]
    columns = min(max(1, int(math.sqrt(pixels * aspect))), pixels)
    rows = max(1, pixels // columns)
    for top in range(0, height, rows):
        yield [
            (slice(top, top + rows), slice(left, left + columns))
            for left in range(0, width, columns)
        ]


def by_chunks(function: Callable[..., Tensor], config: ChunkConfig, *maps_BTHWC: Tensor) -> Tensor:
    """Apply `function` to matching rectangles of the maps; equal to applying it to the whole.

    An exported graph applies it to the whole: maps have no size there.
    """
    if torch.compiler.is_exporting():
        return function(*maps_BTHWC)
    batch, _, height, width, _ = maps_BTHWC[0].shape
    rows = []
    for row in chunk_rectangles(height, width, batch, config):
        parts = [function(*(x[:, :, ys, xs] for x in maps_BTHWC)) for ys, xs in row]
        rows.append(parts[0] if len(parts) == 1 else torch.cat(parts, dim=3))
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=2)


def zero_(linear: nn.Linear) -> nn.Linear:
    """Start a residual branch at zero, so that the block starts as identity."""
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


class TemporalAttention(nn.Module):
    """Multi-head attention along T at every pixel; queries and keys may differ in T.

    `query_stride` and `key_stride` are the frames between two neighbouring tokens, for the code
    of time. The output projection starts at zero.
    """

    def __init__(
        self,
        channels: int,
        config: TemporalAttentionConfig,
        query_stride: int = 1,
        key_stride: int = 1,
    ) -> None:
        super().__init__()
        if channels % config.HEADS:
            raise ValueError(f"{channels} channels do not divide into {config.HEADS} heads")
        self.heads, self.dropout, self.timed = config.HEADS, config.DROPOUT, config.TIME_POSITION
        self.query_stride, self.key_stride = query_stride, key_stride
        self.q = Linear(channels, channels)
        self.kv = Linear(channels, 2 * channels)
        self.proj = zero_(Linear(channels, channels))

    def forward(self, query_BTHWC: Tensor, keys_BTHWC: Tensor) -> Tensor:
        """(B, T, H, W, C) and keys (B, T', H, W, C) -> (B, T, H, W, C)."""
        if self.timed:
            query_BTHWC = query_BTHWC + self._code(query_BTHWC, self.query_stride)
            keys_BTHWC = keys_BTHWC + self._code(keys_BTHWC, self.key_stride)
        batch, _, height, width, _ = query_BTHWC.shape
        q = rearrange(self.q(query_BTHWC), "b t h w (n c) -> (b h w) n t c", n=self.heads)
        kv = self.kv(keys_BTHWC)
        k, v = rearrange(kv, "b t h w (z n c) -> z (b h w) n t c", z=2, n=self.heads)
        dropout = self.dropout if self.training else 0.0
        out = attend(q, k, v, dropout=dropout)
        out = rearrange(out, "(b h w) n t c -> b t h w (n c)", b=batch, h=height, w=width)
        return self.proj(out)

    @staticmethod
    def _code(tokens_BTHWC: Tensor, stride: int) -> Tensor:
        return time_code(tokens_BTHWC.shape[1], stride, tokens_BTHWC.shape[-1], tokens_BTHWC)


class FeedForward(nn.Sequential):
    """Linear(C, rC) - GELU - Linear(rC, C), the last one starting at zero."""

    def __init__(self, channels: int, ratio: float) -> None:
        hidden = int(channels * ratio)
        super().__init__(Linear(channels, hidden), nn.GELU(), zero_(Linear(hidden, channels)))


class SpikeTemporalSA(nn.Module):
    """Self-attention along T at every pixel of one scale: Fs_i -> Fs'_i, (B, C, T, H, W)."""

    def __init__(
        self, channels: int, config: TemporalAttentionConfig | None = None, stride: int = 1
    ) -> None:
        super().__init__()
        self.config = config or TemporalAttentionConfig()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = TemporalAttention(channels, self.config, stride, stride)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = FeedForward(channels, self.config.MLP_RATIO)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """(B, C, T, H, W) -> the same shape, in chunks."""
        x_BTHWC = by_chunks(self._block, self.config, x_BCTHW.permute(0, 2, 3, 4, 1))
        return x_BTHWC.permute(0, 4, 1, 2, 3)

    def _block(self, x_BTHWC: Tensor) -> Tensor:
        normed = self.norm1(x_BTHWC)
        x_BTHWC = x_BTHWC + self.attention(normed, normed)
        return x_BTHWC + self.mlp(self.norm2(x_BTHWC))
