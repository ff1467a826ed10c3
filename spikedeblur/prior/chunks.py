"""Frames that know nothing of each other, a few at a time: many planes of many frames are large."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

PIECE_PIXELS = 10 * 128 * 128  # of the frames of one piece: a batch of training goes as one


def chunks(frames: int, size: Sequence[int]) -> Iterator[slice]:
    """Slices of `frames` frames of `size` (height, width), each one frame at least."""
    step = max(1, PIECE_PIXELS // (size[0] * size[1]))
    return (slice(first, first + step) for first in range(0, frames, step))


def map_chunks(
    function: Callable[[slice], tuple[Tensor, ...]], frames: int, size: Sequence[int]
) -> tuple[Tensor, ...]:
    """What `function` makes of the frames in a slice, (n, ...) tensors, for all frames: (N, ...).

    What it needs in between exists for one slice at a time.
    """
    parts = [function(piece) for piece in chunks(frames, size)]
    return parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))
