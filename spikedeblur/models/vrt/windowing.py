"""Windows of tokens: roll, padding and partition as one table of row numbers.

Shape legend: N batch, T frames, H, W height and width of the feature map, C channels; P rows of
the flattened token table (N*T*H*W); S slots (windows * tokens per window, padding included);
n tokens per window. `x_PC` is a token table, `x_SC` the same tokens in window order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

Size3 = tuple[int, int, int]

MASKED = -100.0


@dataclass(frozen=True)
class MaskClass:
    """A run of windows [start, stop) that share one attention mask ((n, n), 0 or -100, or None)."""

    start: int
    stop: int
    mask: Tensor | None


@dataclass(frozen=True)
class WindowPlan:
    """The partition of one feature size into windows, for one shift.

    `index` (S,) int32 names the row of each slot, windows sorted by mask class; padding slots
    repeat row 0 and are listed in `padding` (None if there are none). `inverse` (P,) int32 names
    the slot of each row.
    """

    window: Size3
    index: Tensor
    inverse: Tensor
    padding: Tensor | None
    classes: tuple[MaskClass, ...]

    @property
    def tokens(self) -> int:
        """Tokens per window."""
        depth, height, width = self.window
        return depth * height * width

    def partition(self, x_PC: Tensor) -> Tensor:
        """(P, C) rows -> (S, C) slots; padding slots hold anything until `clear_padding`."""
        return _Gather.apply(x_PC, self.index, self.inverse, None)

    def clear_padding(self, x_SC: Tensor) -> Tensor:
        """Set the padding slots to zero (after the norm, so that a pad is an exact zero)."""
        return x_SC if self.padding is None else x_SC.index_fill(0, self.padding, 0)

    def merge(self, x_SC: Tensor) -> Tensor:
        """(S, C) slots -> (P, C) rows: the partition undone, padding dropped."""
        return _Gather.apply(x_SC, self.inverse, self.index, self.padding)


class _Gather(torch.autograd.Function):
    """Row selection whose index is a permutation up to padding: its backward is a selection too.

    The backward of plain `index_select` adds row by row, which costs more than the attention.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, index: Tensor, inverse: Tensor, unused: Tensor | None
    ) -> Tensor:
        ctx.inverse, ctx.unused = inverse, unused
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        grad = grads[0].index_select(0, ctx.inverse)
        if ctx.unused is not None:
            grad.index_fill_(0, ctx.unused, 0)
        return grad, None, None, None


def effective_window(size: Size3, window: Size3, keep_depth: bool = False) -> Size3:
    """Shrink the window to the size of the map on every axis where the map is no larger.

    `keep_depth` leaves the temporal axis alone: mutual attention always works on frame pairs, and
    a single frame is padded to two.
    """
    depth, height, width = (min(s, w) for s, w in zip(size, window, strict=True))
    return (window[0] if keep_depth else depth, height, width)


def window_plan(
    shape: tuple[int, int, int, int], window: Size3, shifted: bool, device: torch.device
) -> WindowPlan:
    """The plan of an (N, T, H, W) map for an effective window, shifted by half of it or not.

    An axis no larger than its window is never shifted.
    """
    size = shape[1:]
    shift = tuple(w // 2 if shifted and s > w else 0 for s, w in zip(size, window, strict=True))
    return _plan(shape, window, shift, device)


@lru_cache(maxsize=32)
def _plan(
    shape: tuple[int, int, int, int], window: Size3, shift: Size3, device: torch.device
) -> WindowPlan:
    # A plan made inside inference mode must still serve a later training step.
    with torch.inference_mode(False), torch.device("cpu"):
        rows_NDHW = _rolled_rows(shape, window, shift)
        slots_Bn, labels_B = _partition(rows_NDHW, window, shift)
        order = torch.argsort(labels_B, stable=True)
        index = slots_Bn[order].flatten()
        is_padding = index < 0
        inverse = torch.empty(int(torch.tensor(shape).prod()), dtype=torch.int32)
        inverse[index[~is_padding].long()] = torch.nonzero(~is_padding).flatten().int()
        padding = torch.nonzero(is_padding).flatten() if bool(is_padding.any()) else None
        return WindowPlan(
            window=window,
            index=index.clamp(min=0).to(device),
            inverse=inverse.to(device),
            padding=None if padding is None else padding.to(device),
            classes=_classes(labels_B, window, shift, device),
        )


def _rolled_rows(shape: tuple[int, int, int, int], window: Size3, shift: Size3) -> Tensor:
    """Row number at each position of the padded and rolled volume, -1 where it is padding."""
    rows = torch.arange(int(torch.tensor(shape).prod()), dtype=torch.int32).view(shape)
    pad: list[int] = []
    for size, extent in reversed(list(zip(shape[1:], window, strict=True))):
        pad += [0, -size % extent]
    padded = torch.nn.functional.pad(rows, pad, value=-1)
    return padded.roll([-s for s in shift], dims=(1, 2, 3))


def _partition(rows: Tensor, window: Size3, shift: Size3) -> tuple[Tensor, Tensor]:
    """(windows, n) row numbers, order batch, depth, height, width; (windows,) mask class labels."""
    batch = rows.shape[0]
    counts = [s // w for s, w in zip(rows.shape[1:], window, strict=True)]
    (nd, nh, nw), (wd, wh, ww) = counts, window
    slots = rows.view(batch, nd, wd, nh, wh, nw, ww).permute(0, 1, 3, 5, 2, 4, 6)
    labels = torch.zeros(batch, nd, nh, nw, dtype=torch.int64)
    for axis, amount in enumerate(shift):
        if amount:  # only the last window along a shifted axis holds tokens from both ends
            labels.select(axis + 1, counts[axis] - 1).add_(1 << axis)
    return slots.reshape(-1, wd * wh * ww), labels.flatten()


def _classes(
    labels: Tensor, window: Size3, shift: Size3, device: torch.device
) -> tuple[MaskClass, ...]:
    """At most eight classes: along each axis a window is the last one of a shifted axis or not."""
    classes, start = [], 0
    for label, count in zip(*(t.tolist() for t in labels.unique(return_counts=True)), strict=True):
        mask = _mask(label, window, shift).to(device) if label else None
        classes.append(MaskClass(start, start + count, mask))
        start += count
    return tuple(classes)


def _mask(label: int, window: Size3, shift: Size3) -> Tensor:
    """(n, n): -100 between tokens that were not neighbours before the roll, else 0."""
    regions = torch.zeros(window, dtype=torch.int64)
    for axis, (extent, amount) in enumerate(zip(window, shift, strict=True)):
        if label >> axis & 1:
            wrapped = torch.arange(extent) >= extent - amount
            regions += (wrapped.long() << axis).view([-1 if a == axis else 1 for a in range(3)])
    flat = regions.flatten()
    return torch.where(flat[:, None] == flat[None, :], 0.0, MASKED)
