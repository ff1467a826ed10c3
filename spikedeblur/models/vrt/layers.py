"""Layers that more than one kind of block uses: the gated feed-forward and stochastic depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spikedeblur.models.linear import Linear
from spikedeblur.models.vrt.attention import in_runs


class GEGLU(nn.Module):
    """fc2(GELU(fc11(x)) * fc12(x)): the gated feed-forward of VRT, on the channel axis."""

    def __init__(self, channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.fc11 = Linear(channels, hidden)
        self.fc12 = Linear(channels, hidden)
        self.fc2 = Linear(hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(..., channels) -> (..., out_channels), some tokens at a time."""
        runs = in_runs(x.reshape(-1, x.shape[-1]))
        parts = [self.fc2(F.gelu(self.fc11(run)) * self.fc12(run)) for run in runs]
        return torch.cat(parts).view(*x.shape[:-1], -1)


def drop_path(branch: Tensor, rate: float, training: bool) -> Tensor:
    """Stochastic depth: leave a residual branch out, per sample, with probability `rate`."""
    if not training or rate == 0:
        return branch
    keep = branch.new_empty(branch.shape[0], *[1] * (branch.ndim - 1)).bernoulli_(1 - rate)
    return branch * keep / (1 - rate)
