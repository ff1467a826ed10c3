"""Spikes in memory, as the planes of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import InputError, UsageError, shown

__all__ = ["HeldPlanes", "counted_spikes", "told_strange"]


class HeldPlanes:
    """An array (ticks, height, width) of spikes, 0 to `most`; rows stand the right way up.

    Raises UsageError for an array of another shape or type; reading raises InputError for other
    values.
    """

    flip = False

    def __init__(self, spikes: NDArray[Any], most: int = 1) -> None:
        if spikes.ndim != 3 or 0 in spikes.shape or spikes.dtype.kind not in "bui":
            raise UsageError(
                f"no spikes ({spikes.dtype} of shape {shown(spikes.shape)} seen) - give bool or "
                "uint8 of (ticks, height, width)"
            )
        self.ticks, self.height, self.width = spikes.shape
        self._spikes, self._most = spikes, most

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Ticks [start, stop) -> (n, height, width)."""
        block = self._spikes[start:stop]
        if block.dtype == np.bool_:
            return block
        counts, strange = counted_spikes(block, self._most)
        if strange.any():
            raise InputError(
                f"the spikes hold {told_strange(self._most)} ({block[strange][0]} seen) - give "
                "bool, or the bits of a pixel, or voxel grids as a file"
            )
        return counts

    def close(self) -> None:
        """There is nothing to let go of."""


def counted_spikes(block: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values as bool, or uint8 where a pixel counts further; and which are no such counts."""
    if most == 1:
        counts = block.astype(np.bool_)
        return counts, np.zeros(
            block.shape, np.bool_
        ) if block.dtype == np.bool_ else block != counts
    counts = np.clip(block, 0, most).astype(np.uint8)
    return counts, block != counts


def told_strange(most: int) -> str:
    """What is wrong with other values, in words."""
    return "more than 0 and 1" if most == 1 else f"other values than 0 to {most}"
