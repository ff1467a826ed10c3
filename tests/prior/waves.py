"""Waves of light that slide by, in closed form."""

from __future__ import annotations

import torch

BINS, SIZE = 32, (40, 56)


def light(time, velocity, size=SIZE, scale=1.0):
    """A moving scene in closed form, spikes a bin: (len(time), *size); time in bins."""
    y, x = torch.meshgrid(*((torch.arange(n) + 0.5) * scale for n in size), indexing="ij")
    x = x - velocity[0] * time[:, None, None]
    y = y - velocity[1] * time[:, None, None]
    waves = torch.sin(x / 2.3 + 0.4 * y / 2.7) + torch.cos(y / 3.1 - x / 6.7) + torch.sin(x / 1.7)
    return 2 + 0.55 * waves


def inner(planes):
    return planes[..., 10:-10, 10:-10]
