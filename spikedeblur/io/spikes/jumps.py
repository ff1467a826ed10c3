"""Clocks that jump: planes that the spike camera lost, frames that the video lost.

Ticks are numbered anew, such that one offset holds for all of them: where planes were lost, as many
are there without a spike, and `gaps` tells; where the video lost frames, what was recorded
meanwhile is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.packed import StoredPlanes
from spikedeblur.quantities import exact

__all__ = ["Gaps", "JumpedPlanes", "jumped"]

Gaps = tuple[tuple[int, int], ...]
"""First tick, and the one after the last, of each run of ticks that nothing was recorded of."""


class JumpedPlanes:
    """Stored planes, by the numbers that their ticks have when jumps are counted.

    jumps: (tick, count), by these numbers: from the tick on `count` planes were lost; below zero,
    so many that are stored are left out. Raises UsageError where they overlap.
    """

    def __init__(self, planes: StoredPlanes, jumps: Sequence[tuple[int, int]]) -> None:
        self.width, self.height, self.flip = planes.width, planes.height, planes.flip
        self._planes = planes
        self._runs: list[tuple[int, int, int]] = []  # first, behind the last, the first as stored
        gaps, tick, stored = [], 0, 0
        for at, count in jumps:
            start = max(at, 0)
            if start < tick:
                raise UsageError(
                    f"offset_jumps overlap (one within the {tick - start} lost ticks of another) - "
                    "give them as one"
                )
            length = min(start - tick, planes.ticks - stored)
            self._runs.append((tick, tick + length, stored))
            tick, stored = tick + length, stored + length
            if stored == planes.ticks:
                break
            if count > 0:
                gaps.append((tick, tick + count))
                tick += count
            stored = min(stored - min(count, 0), planes.ticks)
        rest = planes.ticks - stored
        self._runs.append((tick, tick + rest, stored))
        self.ticks = tick + rest
        self.gaps: Gaps = tuple(gaps)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Ticks [start, stop), both in [0, ticks] -> (n, height, width), rows as stored."""
        found = None
        for first, end, stored in self._runs:
            low, high = max(first, start), min(end, stop)
            if low < high:
                part = self._planes.read(stored + low - first, stored + high - first)
                if low == start and high == stop:
                    return part
                if found is None:
                    found = self._silence(stop - start, part.dtype)
                found[low - start : high - start] = part
        return (
            self._silence(stop - start, self._planes.read(0, 1).dtype) if found is None else found
        )

    def _silence(self, ticks: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.zeros((ticks, self.height, self.width), dtype)

    def close(self) -> None:
        """Let go of what is open."""
        self._planes.close()


def jumped(
    planes: StoredPlanes,
    jumps: Sequence[tuple[float, float]],
    offset_s: Fraction,
    rate_hz: Fraction,
) -> JumpedPlanes:
    """Planes whose clock jumps at (time, seconds), see `RecordingSettings`, by the rate."""
    found, counted, passed = [], 0, Fraction(0)
    for time_s, jump_s in jumps:
        passed += exact(jump_s)  # so that what is rounded does not add up
        count = round(passed * rate_hz) - counted
        counted += count
        found.append((round((exact(time_s) - offset_s) * rate_hz), count))
    return JumpedPlanes(planes, found)
