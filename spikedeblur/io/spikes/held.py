"""Spikes in memory, as the planes of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import InputError, UsageError, shown

__all__ = ["HeldPlanes"]


class HeldPlanes:
    """An array (ticks, height, width) of 0 and 1; rows stand the right way up.

    Raises UsageError for an array of another shape or type; reading raises InputError for other
    values.
    """

    flip = False

    def __init__(self, spikes: NDArray[Any]) -> None:
        if spikes.ndim != 3 or 0 in spikes.shape or spikes.dtype.kind not in "bui":
            raise UsageError(
                f"no spikes ({spikes.dtype} of shape {shown(spikes.shape)} seen) - give bool or "
                "uint8 of (ticks, height, width)"
            )
        self.ticks, self.height, self.width = spikes.shape
        self._spikes = spikes

    def read(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Ticks [start, stop) -> (n, height, width)."""
        block = self._spikes[start:stop]
        if block.dtype == np.bool_:
            return block
        fired: NDArray[np.bool_] = block.astype(np.bool_)
        if (strange := block != fired).any():
            raise InputError(
                f"the spikes hold more than 0 and 1 ({block[strange][0]} seen) - give bool, or "
                "voxel grids as a file"
            )
        return fired

    def close(self) -> None:
        """There is nothing to let go of."""
