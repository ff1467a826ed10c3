"""Frames that know nothing of each other, a few at a time: many planes of many frames are large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from spikedeblur.machine.side_by_side import SideBySide

EVERY_FRAME = slice(None)
PIECE_PIXELS = 10 * 128 * 128  # of the frames of one piece: a batch of training goes as one


def chunks(frames: int, size: Sequence[int]) -> Iterator[slice]:
    """Slices of `frames` frames of `size` (height, width), each one frame at least."""
    step = max(1, PIECE_PIXELS // (size[0] * size[1]))
    return (slice(first, min(first + step, frames)) for first in range(0, frames, step))


def map_chunks(
    function: Callable[[slice], tuple[Tensor, ...]], frames: int, size: Sequence[int]
) -> tuple[Tensor, ...]:
    """What `function` makes of the frames in a slice, (n, ...) tensors, for all frames: (N, ...).

    What it needs in between exists for one slice at a time.
    """
    return joined(map(function, chunks(frames, size)))


def map_at_once(
    function: Callable[[slice], tuple[Tensor, ...]], pieces: Sequence[slice], device: torch.device
) -> tuple[Tensor, ...]:
    """What `function` makes of the frames in each slice, on a CPU of one for each core at once.

    Without gradients.
    """
    unrecorded = torch.inference_mode if torch.is_inference_mode_enabled() else torch.no_grad

    def alone(piece: slice) -> tuple[Tensor, ...]:
        with unrecorded():  # which holds for a thread
            return function(piece)

    if len(pieces) == 1 or device.type != "cpu":
        return joined(map(alone, pieces))
    with SideBySide() as workers:
        return joined(workers.map(alone, pieces))


def joined(parts: Iterable[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Put the slices' tensors one after the other."""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))
