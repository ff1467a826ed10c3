"""Randomness without state: every draw is a function of what it is for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

# What a random number is for: the same (seed, epoch, index) must not give the same numbers twice.
CLIP, RATIO, OTHER_SCENE, SPOILING, POOL = range(5)


def stream(*key: int) -> np.random.Generator:
    """A generator that depends on `key` alone."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def spoiled(
    voxels: torch.Tensor, rng: np.random.Generator, other: Callable[[], torch.Tensor]
) -> torch.Tensor:
    """Counts (T, K, Hs, Ws) that tell nothing about the clip of `voxels`.

    None at all (half of the time), those that `other` returns, of another scene, or its own in
    another order.
    """
    kind = rng.choice(["none", "other", "shuffled"], p=[0.5, 0.25, 0.25])
    if kind == "none":
        return torch.zeros_like(voxels)
    if kind == "other":
        return other()
    order = torch.from_numpy(rng.permutation(voxels.shape[0] * voxels.shape[1]))
    return voxels.flatten(0, 1)[order].view_as(voxels)
