"""Tiles over a frame, and the weights that put their results together again.

All tiles of an axis have the full size (the last one up to `multiple - 1` pixels less, so that
every tile starts on the network's pooling grid) and are spread evenly, so that neighbours overlap
by at least the overlap asked for. Between two neighbours the results are cross-faded over half of
that overlap, in the middle of what both cover: the outer part of a tile, where the network saw no
surroundings, is discarded. Only seams have ramps; at the border of the frame the weight is full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spikedeblur.errors import UsageError
from spikedeblur.vocabulary import SMALLEST_TILE

MULTIPLE = 16
"""Tiles start at multiples of this: a half-size stem, then three halvings of the pyramid."""

WEIGHT_STEPS = 2048
"""Weights are multiples of 1/2048, so that float32 sums and products of two of them are exact."""


OnTile = Callable[[int, int], None]


def untold(done: int, passes: int) -> None:
    """Take no note of passes, as an `OnTile` does."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of the frame: rows [y, y + height), columns [x, x + width)."""

    y: int
    x: int
    height: int
    width: int

    @property
    def area(self) -> tuple[slice, slice]:
        """The slices that cut this tile from the last two axes of an array."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


def default_overlap(tile: int) -> int:
    """Overlap where none is given: a quarter of the tile, at most 64 pixels."""
    return min(64, tile // 4)


def check_tile(tile: int, overlap: int, multiple: int = MULTIPLE) -> None:
    """Raise `UsageError` for a tile too small to step, or an overlap that leaves no step."""
    least = max(SMALLEST_TILE, 2 * multiple)
    if tile < least:
        raise UsageError(f"the tile is too small (--tile {tile}) - give {least} pixels or more")
    if not 0 <= overlap <= tile // 2:
        raise UsageError(
            f"the overlap must lie between 0 and half the tile of {tile} pixels "
            f"(--overlap {overlap}) - give {default_overlap(tile)} or so"
        )


@dataclass(frozen=True)
class Axis:
    """The tiles along one axis of `length` pixels: where each starts and stops."""

    length: int
    starts: tuple[int, ...]
    stops: tuple[int, ...]
    feather: float

    @classmethod
    def split(cls, length: int, tile: int, overlap: int, multiple: int = MULTIPLE) -> Axis:
        """Cover `length` with the fewest tiles that overlap by at least `overlap`.

        Starts are multiples of `multiple`; tiles are `tile` long, the last one between
        `tile - multiple + 1` and `tile`. A shorter length is covered by one tile of its own.
        """
        if length <= tile:
            return cls(length, (0,), (length,), 0.0)
        step = max((tile - overlap) // multiple * multiple, multiple)
        count = 1 + -(-(length - tile) // step)
        slack = length - tile
        starts = tuple(
            -(-index * slack // ((count - 1) * multiple)) * multiple for index in range(count)
        )
        stops = tuple(min(start + tile, length) for start in starts)
        return cls(length, starts, stops, overlap / 2)

    def weights(self) -> list[np.ndarray]:
        """One float32 array per tile, of the tile's length; over the axis they sum to exactly 1.

        With a rising ramp R_k at the seam between tiles k and k + 1, tile k weighs
        R_(k-1) - R_k: the sum telescopes to one wherever the seams lie.
        """
        ramps = [np.ones(self.length, np.float32)]
        for stop, start in zip(self.stops[:-1], self.starts[1:], strict=True):
            ramps.append(_ramp(self.length, (start + stop) / 2, self.feather))
        ramps.append(np.zeros(self.length, np.float32))
        return [
            (left - right)[start:stop]
            for (left, right), start, stop in zip(
                pairwise(ramps), self.starts, self.stops, strict=True
            )
        ]


def _ramp(length: int, seam: float, feather: float) -> np.ndarray:
    """From 0 to 1 around `seam`, linear over `feather` pixels, in steps of 1 / WEIGHT_STEPS."""
    distance = np.arange(length) + 0.5 - seam
    rise = np.clip(distance / max(feather, 1e-9) + 0.5, 0, 1)
    return (np.rint(rise * WEIGHT_STEPS) / WEIGHT_STEPS).astype(np.float32)


class TileGrid:
    """The tiles of a frame of (height, width) pixels.

    Iterating yields (Tile, weight) with weight float32 (tile height, tile width); the weights of
    all tiles sum to exactly one at every pixel. Raises `UsageError` for an impossible tile.
    """

    def __init__(
        self, height: int, width: int, tile: int, overlap: int, multiple: int = MULTIPLE
    ) -> None:
        check_tile(tile, overlap, multiple)
        self.height, self.width = height, width
        self._rows = Axis.split(height, tile, overlap, multiple)
        self._columns = Axis.split(width, tile, overlap, multiple)

    def __len__(self) -> int:
        return len(self._rows.starts) * len(self._columns.starts)

    def __iter__(self) -> Iterator[tuple[Tile, np.ndarray]]:
        rows, columns = self._rows, self._columns
        for top, bottom, down in zip(rows.starts, rows.stops, rows.weights(), strict=True):
            for left, right, across in zip(
                columns.starts, columns.stops, columns.weights(), strict=True
            ):
                yield Tile(top, left, bottom - top, right - left), down[:, None] * across[None, :]


class OverlapAdd:
    """Adds weighted tiles up to whole frames: float32 (..., height, width), zero at first."""

    def __init__(self, leading: tuple[int, ...], height: int, width: int) -> None:
        self.total = np.zeros((*leading, height, width), np.float32)

    def add(self, tile: Tile, weight: np.ndarray, values: np.ndarray) -> None:
        """Add `values` (..., tile height, tile width) times `weight` at the tile's place."""
        self.total[(..., *tile.area)] += values * weight
