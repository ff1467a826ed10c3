"""MultiScaleTemporalCrossAttnFuse: frames ask, spikes answer, at four scales.

Shape suffixes: B batch, C channels, T frames, H and W pixels of the scale.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from spikedeblur.models.config import FuseConfig
from spikedeblur.models.temporal_attention import FeedForward, TemporalAttention, by_chunks


class TemporalCrossAttnFuse(nn.Module):
    """Cross-attention along T at every pixel of one scale.

    X = Fr + MHA(LN_q(Fr), LN_kv(Fs')); Ff = X + MLP(LN(X)). The T of the two need not agree.
    Both branches start at zero: an untrained fusion returns Fr, bit for bit.
    """

    def __init__(
        self,
        channels: int,
        config: FuseConfig | None = None,
        query_stride: int = 1,
        key_stride: int = 1,
    ) -> None:
        super().__init__()
        self.config = config or FuseConfig()
        self.norm_q = nn.LayerNorm(channels)
        self.norm_kv = nn.LayerNorm(channels)
        self.attention = TemporalAttention(channels, self.config, query_stride, key_stride)
        self.norm = nn.LayerNorm(channels)
        self.mlp = FeedForward(channels, self.config.MLP_RATIO)

    def forward(self, frames_BCTHW: Tensor, spikes_BCTHW: Tensor) -> Tensor:
        """Fr_i (B, C, T, H, W) and Fs'_i (B, C, T', H, W) -> Ff_i, shaped as Fr_i."""
        if frames_BCTHW.shape[3:] != spikes_BCTHW.shape[3:]:
            raise ValueError(
                f"frame features {tuple(frames_BCTHW.shape)} and spike features "
                f"{tuple(spikes_BCTHW.shape)} differ in height or width"
            )
        fused = by_chunks(
            self._block,
            self.config,
            frames_BCTHW.permute(0, 2, 3, 4, 1),
            spikes_BCTHW.permute(0, 2, 3, 4, 1),
        )
        return fused.permute(0, 4, 1, 2, 3)

    def _block(self, frames_BTHWC: Tensor, spikes_BTHWC: Tensor) -> Tensor:
        x = frames_BTHWC + self.attention(self.norm_q(frames_BTHWC), self.norm_kv(spikes_BTHWC))
        return x + self.mlp(self.norm(x))


class MultiScaleTemporalCrossAttnFuse(nn.ModuleList):
    """One TemporalCrossAttnFuse a scale; strides are the frames between two tokens in time."""

    def __init__(
        self,
        channels_per_scale: Sequence[int],
        config: FuseConfig | None = None,
        query_strides: Sequence[int] = (1, 1, 1, 1),
        key_strides: Sequence[int] = (1, 1, 1, 1),
    ) -> None:
        super().__init__(
            TemporalCrossAttnFuse(channels, config, query, key)
            for channels, query, key in zip(
                channels_per_scale, query_strides, key_strides, strict=True
            )
        )

    def forward(self, frames: Sequence[Tensor], spikes: Sequence[Tensor]) -> list[Tensor]:
        """[Fr_1..4], [Fs'_1..4] -> [Ff_1..4]."""
        return [fuse(fr, fs) for fuse, fr, fs in zip(self, frames, spikes, strict=True)]
