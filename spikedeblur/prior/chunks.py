"""Frames that know nothing of each other, a few at a time: many planes of many frames are large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from spikedeblur.machine.side_by_side import SideBySide

EVERY_FRAME = slice(None)
PIECE_PIXELS = 10 * 128 * 128  # of the frames of one piece: a batch of training goes as one


def chunks(frames: int, size: Sequence[int]) -> Iterator[slice]:
    """Slices of `frames` frames of `size` (height, width), each one frame at least.

    One slice where a graph is exported: the size has no value there.
    """
    if torch.compiler.is_exporting():
        return iter([slice(0, frames)])
    step = max(1, PIECE_PIXELS // (size[0] * size[1]))
    return (slice(first, min(first + step, frames)) for first in range(0, frames, step))


def map_chunks(
    function: Callable[[slice], tuple[Tensor, ...]], frames: int, size: Sequence[int]
) -> tuple[Tensor, ...]:
    """What `function` makes of the frames in a slice, (n, ...) tensors, for all frames: (N, ...).

    What it needs in between exists for one slice at a time.
    """
    parts = [function(piece) for piece in chunks(frames, size)]
    return parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))


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

    if len(pieces) == 1:
        return alone(pieces[0])
    if device.type != "cpu":
        return put_together(map(alone, pieces), pieces)
    with SideBySide() as workers:
        return put_together(workers.map(alone, pieces), pieces)


def put_together(
    parts: Iterable[tuple[Tensor, ...]], pieces: Sequence[slice]
) -> tuple[Tensor, ...]:
    """Put the slices' tensors one after the other as they come, so that none is held twice."""
    number, done = sum(piece.stop - piece.start for piece in pieces), 0
    whole: tuple[Tensor, ...] = ()
    for part in parts:
        whole = whole or tuple(each.new_empty(number, *each.shape[1:]) for each in part)
        for all_of_it, each in zip(whole, part, strict=True):
            all_of_it[done : done + len(each)] = each
        done += len(part[0])
        del part
    return whole
