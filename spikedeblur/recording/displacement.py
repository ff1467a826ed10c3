"""What geometry leaves between both views of a frame: a displacement at every place of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from spikedeblur.recording.lenses import (
    Coordinates,
    CurvedMap,
    Map,
    Matrix,
    Points,
    mapped,
    straightened,
)

__all__ = ["DisplacedMap", "Displacement"]

FieldArray = NDArray[np.float32]


@dataclass(frozen=True)
class Displacement:
    """By how much the spikes of a frame lie beside the place that its rig gives them.

    way: (2, h, w) video pixels (x, y), on a grid over the whole frame; what the video shows at p is
    seen by the spike camera where it looks at p + way(p). trust: (h, w), how far the spikes there
    are believed, in [0, 1]: 0 where only one of the cameras sees something. known: (h, w), how far
    the way could be measured there, in [0, 1].
    """

    way: FieldArray
    trust: FieldArray
    known: FieldArray

    def at(
        self, x: Coordinates, y: Coordinates, video_size: tuple[int, int]
    ) -> tuple[Coordinates, Coordinates, Coordinates]:
        """The way (x, y) and the trust at points of a frame of `video_size` (width, height)."""
        planes = np.concatenate([self.way, self.trust[None]])
        across, down, trust = _sampled(planes, x / video_size[0], y / video_size[1])
        return across, down, trust


def _sampled(planes: FieldArray, x: Coordinates, y: Coordinates) -> NDArray[np.float64]:
    """Planes (N, h, w) at points in parts of their sides, bilinear; the border goes on beyond."""
    rows, columns = planes.shape[1:]
    x = np.clip(x * columns - 0.5, 0, columns - 1)
    y = np.clip(y * rows - 0.5, 0, rows - 1)
    left = np.minimum(x.astype(np.intp), max(columns - 2, 0))
    top = np.minimum(y.astype(np.intp), max(rows - 2, 0))
    right, below = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    across, down = x - left, y - top
    upper = planes[:, top, left] * (1 - across) + planes[:, top, right] * across
    lower = planes[:, below, left] * (1 - across) + planes[:, below, right] * across
    sampled: NDArray[np.float64] = upper * (1 - down) + lower * down
    return sampled


@dataclass(frozen=True)
class DisplacedMap(CurvedMap):
    """A map from the frame to the spike plane, of points that are displaced first.

    base: without displacement. video_size: (width, height). entering: to the frame.
    """

    base: Map
    displacement: Displacement
    video_size: tuple[int, int]
    entering: Matrix = field(default_factory=lambda: np.eye(3))

    def __matmul__(self, matrix: Matrix) -> DisplacedMap:
        return replace(self, entering=self.entering @ matrix)

    @property
    def straightened(self) -> Matrix:
        """The map as it would be without displacement, nor lenses."""
        matrix: Matrix = straightened(self.base) @ self.entering
        return matrix

    def __call__(self, x: Coordinates, y: Coordinates) -> Points:
        """Points, arrays that broadcast, where they lie on the spike plane."""
        u, v, _ = mapped(self.entering, x, y)
        across, down, _ = self.displacement.at(u, v, self.video_size)
        return mapped(self.base, u + across, v + down)

    def trust(self, shape: tuple[int, int]) -> FieldArray:
        """How far the spikes at the samples of a tile of `shape` (rows, columns) are believed."""
        x, y = np.arange(shape[1])[None] + 0.5, np.arange(shape[0])[:, None] + 0.5
        u, v, _ = mapped(self.entering, x, y)
        trust: FieldArray = self.displacement.at(u, v, self.video_size)[2].astype(np.float32)
        return trust
