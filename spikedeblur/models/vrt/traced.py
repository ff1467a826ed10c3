"""Windows of tokens in a graph for any height and width: what `windowing` does for one size.

Nothing here is a table made beforehand: the rows of each window are computed with the map, by
operators that a graph holds. Time has one length, that of the clip.

Shape legend: N batch, T frames, H, W height and width of the feature map, C channels; P rows of the
flattened token table (N*T*H*W); B windows, n tokens per window, S = B * n slots.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from spikedeblur.models.vrt.windowing import MASKED, MaskClass, Size3, WindowPlan

ABSENT = -1e9  # added to the logit of a key that no query may see


@dataclass(frozen=True)
class TracedPlan(WindowPlan):
    """A plan whose padding is known slot by slot: `kept` (S,) is 0 there, else 1."""

    kept: Tensor

    def clear_padding(self, x_SC: Tensor) -> Tensor:
        """Set the padding slots to zero."""
        return x_SC * self.kept[:, None].to(x_SC.dtype)

    def partition(self, x_PC: Tensor) -> Tensor:
        """(P, C) rows -> (S, C) slots."""
        return x_PC.index_select(0, self.index)

    def merge(self, x_SC: Tensor) -> Tensor:
        """(S, C) slots -> (P, C) rows."""
        return x_SC.index_select(0, self.inverse)


@dataclass(frozen=True)
class _Axis:
    """One axis of a map in windows, `count` of `window` places each; all but `row` (count, window).

    source: the place before padding and roll. kept: whether it is no padding. wrapped: whether the
    roll took it from the axis's other end. absent: whether no query may see it. row: for each
    place of the map, where it lies among those of the windows.
    """

    count: int
    window: int
    source: Tensor
    kept: Tensor
    wrapped: Tensor
    absent: Tensor
    row: Tensor

    @classmethod
    def of(
        cls, size: int, window: int, shifted: bool, shrinks: bool, device: torch.device
    ) -> _Axis:
        """Pad an axis to whole windows and roll it by half a window, if it is larger than one.

        A window that `shrinks` to an axis that is smaller has its padding absent, not zero.
        """
        count = (size + window - 1) // window  # other programs divide negative numbers otherwise
        padded = count * window
        rolled, inside = torch.arange(padded, device=device), torch.arange(size, device=device)
        shift = (inside >= window).any().long() * (window // 2 if shifted else 0)
        source = _turned(rolled + shift, padded)
        kept = source < size
        smaller = (rolled >= size).any() & (rolled < window).all()
        return cls(
            count,
            window,
            source=source.clamp(max=size - 1).view(count, window),
            kept=kept.view(count, window),
            wrapped=(rolled >= padded - shift).view(count, window),
            absent=(smaller & ~kept).view(count, window) & shrinks,
            row=_turned(inside - shift, padded),
        )


def _turned(places: Tensor, size: int) -> Tensor:
    """Bring places that are less than `size` outside [0, size) back into it."""
    places = torch.where(places >= size, places - size, places)
    return torch.where(places < 0, places + size, places)


def traced_plan(
    shape: tuple[int, int, int, int], window: Size3, shifted: bool, device: torch.device
) -> WindowPlan:
    """The plan of an (N, T, H, W) map, as part of a graph.

    `window` has its effective depth, but its nominal height and width.
    """
    batch, *sizes = shape
    axes = [
        _Axis.of(size, extent, shifted, axis > 0, device)
        for axis, (size, extent) in enumerate(zip(sizes, window, strict=True))
    ]
    tokens, count = math.prod(window), math.prod(axis.count for axis in axes)
    clip = torch.arange(batch, device=device)

    def per_window(parts: list[Tensor], join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """(B, n) of all clips: what is known along each axis, joined."""
        return reduce(join, map(_in_windows, parts, range(3))).reshape(-1, tokens).repeat(batch, 1)

    strides = (sizes[1] * sizes[2], sizes[2], 1)
    rows = per_window([a.source * s for a, s in zip(axes, strides, strict=True)], torch.add)
    kept = per_window([a.kept for a in axes], torch.logical_and)
    label = per_window([a.wrapped.long() << n for n, a in enumerate(axes)], torch.add)
    absent = per_window([a.absent for a in axes], torch.logical_or)
    mask = torch.where(label[:, :, None] == label[:, None], 0.0, MASKED)
    mask = mask + absent[:, None] * ABSENT
    first = clip.repeat_interleave(count)[:, None] * math.prod(sizes)
    return TracedPlan(
        window=window,
        index=(rows + first).flatten(),
        inverse=_slots(axes, clip, tokens),
        padding=None,
        classes=(MaskClass(0, batch * count, mask[:, None]),),
        kept=kept.flatten(),
    )


def _in_windows(part: Tensor, axis: int) -> Tensor:
    """(count, window) along an axis, to be broadcast to (counts of all axes, windows of all)."""
    shape = [1] * 6
    shape[axis], shape[3 + axis] = part.shape
    return part.view(shape)


def _slots(axes: list[_Axis], clip: Tensor, tokens: int) -> Tensor:
    """(P,) the slot of each row."""
    places = [axis.row.view([-1 if a == b else 1 for b in range(3)]) for a, axis in enumerate(axes)]
    window, place = torch.zeros_like(places[0]), torch.zeros_like(places[0])
    for axis, at in zip(axes, places, strict=True):
        window = window * axis.count + torch.div(at, axis.window, rounding_mode="floor")
        place = place * axis.window + at % axis.window
    of_clip = window * tokens + place
    per_clip = math.prod(axis.count for axis in axes) * tokens
    return (clip[:, None] * per_clip + of_clip.flatten()).flatten()
