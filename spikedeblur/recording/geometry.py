"""Spike plane <-> video plane: 3 x 3 homographies between two pixel grids, and lenses before them.

In every matrix here the pixel in column j of row i is a square whose centre is (j + 0.5, i + 0.5),
so that a plane w pixels wide spans 0 to w and scaling one plane onto another has no half-pixel
shift. A sidecar's homography counts otherwise, as OpenCV does: the centre of the first pixel is
(0, 0). `spike_to_video` is where the one becomes the other. Sizes are (width, height). Where a lens
distorts, a `LensMap` takes the place of a matrix, and where the views are displaced a
`DisplacedMap`: everything here takes any of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import UsageError
from spikedeblur.quantities import Region
from spikedeblur.recording.lenses import (
    CurvedMap,
    Lenses,
    LensMap,
    Map,
    Matrix,
    backwards,
    mapped,
    straightened,
)

__all__ = [
    "Matrix",
    "from_tile",
    "homography_of",
    "moved_to_region",
    "open_sides",
    "pixels_per_spike",
    "placed",
    "seen_part",
    "spike_to_video",
    "tile_coverage",
    "tile_to_spike",
    "tile_trust",
]


def spike_to_video(
    spike_size: tuple[int, int],
    video_size: tuple[int, int],
    homography: Sequence[float] | None = None,
    lenses: Lenses | None = None,
) -> Map:
    """Map from points of the spike plane to points of the video plane; a matrix without lenses.

    homography: nine numbers, row-major, spike pixel -> video pixel as in a sidecar; None scales
    the whole of one plane onto the whole of the other. lenses: of these planes; the homography is
    then that of the pictures without distortion.
    Raises UsageError if the homography cannot be inverted.
    """
    matrix = straight_to_video(spike_size, video_size, homography)
    if lenses is None:
        return matrix
    return LensMap(np.eye(3), lenses.spikes, matrix, lenses.video, np.eye(3))


def straight_to_video(
    spike_size: tuple[int, int],
    video_size: tuple[int, int],
    homography: Sequence[float] | None = None,
) -> Matrix:
    """The matrix of `spike_to_video`."""
    if homography is None:
        (spike_width, spike_height), (width, height) = spike_size, video_size
        scales = [width / spike_width, height / spike_height, 1]
        return np.diag(np.array(scales, dtype=np.float64))
    matrix = np.asarray(homography, dtype=np.float64).reshape(3, 3)
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < 3:
        raise UsageError(f"homography cannot be inverted ({list(homography)} seen) - correct it")
    to_centre = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    from_centre = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    centred: Matrix = to_centre @ matrix @ from_centre
    in_front = centred[2] @ [spike_size[0] / 2, spike_size[1] / 2, 1] > 0
    return centred if in_front else -centred  # both are the same homography


def placed(
    size: tuple[int, int],
    video_size: tuple[int, int],
    *,
    crop_start: tuple[int, int] = (0, 0),
    scale: tuple[float, float] | None = None,
    homography: Sequence[float] | None = None,
) -> tuple[float, ...] | None:
    """Homography of a rig for the crop that is read: its pixel -> video pixel, as in a sidecar.

    size: of the crop. crop_start: left and top of it in the sensor. scale: video pixels per spike
    pixel, middle on middle. homography: sensor pixel -> video pixel.
    None if neither is given: the crop is then scaled onto the whole frame.
    """
    if homography is not None:
        shift = np.array([[1, 0, crop_start[0]], [0, 1, crop_start[1]], [0, 0, 1]])
        return tuple((np.asarray(homography).reshape(3, 3) @ shift).ravel().tolist())
    if scale is None:
        return None
    starts = [
        (video - 1) / 2 - factor * (spikes - 1) / 2
        for video, spikes, factor in zip(video_size, size, scale, strict=True)
    ]
    return scale[0], 0.0, starts[0], 0.0, scale[1], starts[1], 0.0, 0.0, 1.0


def moved_to_region(
    size: tuple[int, int],
    video_size: tuple[int, int],
    region: Region,
    homography: Sequence[float] | None = None,
) -> tuple[float, ...]:
    """Homography, as in a sidecar, of a spike plane onto a part of the frame.

    size: of the spike plane. video_size: of the whole frame, which homography is for; without one
    the plane is scaled onto it.
    """
    if homography is None:
        scale = video_size[0] / size[0], video_size[1] / size[1]
        homography = placed(size, video_size, scale=scale)
    shift = np.array([[1, 0, -region.left], [0, 1, -region.top], [0, 0, 1]])
    return tuple((shift @ np.asarray(homography, np.float64).reshape(3, 3)).ravel().tolist())


def seen_part(
    size: tuple[int, int],
    video_size: tuple[int, int],
    homography: Sequence[float],
    margin: int,
    lenses: Lenses | None = None,
) -> tuple[int, int, int, int] | None:
    """The part of a spike plane (left, top, width, height) that looks at a frame, and a margin.

    margin: spike pixels more on each side, as far as there are any. All of the plane where the
    frame reaches behind it; None where no spike pixel looks at the frame.
    """
    to_spike = backwards(spike_to_video(size, video_size, homography, lenses))
    x, y, depth = _outline(to_spike, video_size)
    if (depth <= 0).any():
        return 0, 0, *size
    bounds = []
    for points, side in ((x, size[0]), (y, size[1])):
        if points.max() <= 0 or points.min() >= side:
            return None
        start = max(math.floor(points.min()) - margin, 0)
        bounds.append((start, min(math.ceil(points.max()) + margin, side) - start))
    (left, width), (top, height) = bounds
    return left, top, width, height


def homography_of(matrix: Matrix, crop_start: tuple[int, int] = (0, 0)) -> tuple[float, ...]:
    """Return what a sidecar says of a crop's matrix: sensor pixel -> video pixel, row-major.

    matrix: crop point -> video point, the first pixel centred on (0.5, 0.5); in a sidecar it is
    centred on (0, 0). crop_start: left and top of the crop in the sensor.
    """
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    into_crop = np.array([[1, 0, -crop_start[0]], [0, 1, -crop_start[1]], [0, 0, 1.0]])
    moved = np.linalg.inv(half) @ matrix @ half @ into_crop
    return tuple((moved / moved[2, 2]).ravel().tolist())


def _outline(to_spike: Map, video_size: tuple[int, int]) -> tuple[Matrix, Matrix, Matrix]:
    """Where the frame's border lies on the spike plane, (N,) each; by a matrix, its corners."""
    along = np.linspace(0, 1, 33 if isinstance(to_spike, CurvedMap) else 2)
    places = [(a, b) for a in along for b in along if {a, b} & {0.0, 1.0}]
    x, y = (np.array(places) * video_size).T[:, None]
    u, v, depth = mapped(to_spike, x, y)
    return u[0], v[0], depth[0]


def tile_to_spike(to_video: Map, y0: int, x0: int, step: int = 1) -> Map:
    """Map from points of a tile to points of the spike plane.

    to_video: spike -> video. y0, x0: the tile's first video pixel. step: video pixels per tile
    sample; each sample stands for the centre of its step x step block.
    """
    return from_tile(backwards(to_video), y0, x0, step)


def from_tile(to_spike: Map, y0: int, x0: int, step: int = 1) -> Map:
    """The same, made of a map from points of the video to those of the spike plane."""
    tile_to_video = np.array([[step, 0, x0], [0, step, y0], [0, 0, 1]], dtype=np.float64)
    moved: Map = to_spike @ tile_to_video
    return moved


def tile_coverage(
    to_spike: Map, shape: tuple[int, int], spike_size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Mark the samples of a tile of `shape` (rows, columns) that the spike sensor sees.

    to_spike: tile -> spike plane, from `tile_to_spike`.
    """
    x, y, depth = _mapped(to_spike, shape)
    width, height = spike_size
    return (depth > 0) & (x >= 0) & (x <= width) & (y >= 0) & (y <= height)


def open_sides(
    to_spike: Map, spike_size: tuple[int, int], video_size: tuple[int, int]
) -> tuple[bool, bool, bool, bool]:
    """Beyond which sides of the spike plane (left, top, right, bottom) the frame goes on.

    to_spike: video -> spike. A spike pixel more is no border that anyone would see.
    """
    x, y, depth = _outline(to_spike, video_size)
    if (depth <= 0).any():
        return True, True, True, True
    (width, height) = spike_size
    return (
        bool(x.min() < -1),
        bool(y.min() < -1),
        bool(x.max() > width + 1),
        bool(y.max() > height + 1),
    )


def pixels_per_spike(to_video: Map, spike_size: tuple[int, int]) -> float:
    """Video pixels along a spike pixel in the middle of its plane, where they are fewest.

    to_video: spike -> video.
    """
    matrix = straightened(to_video)
    centre = np.array([spike_size[0] / 2, spike_size[1] / 2, 1.0])
    across, down, depth = matrix @ centre
    steps = (matrix[:2, :2] - np.outer([across, down], matrix[2, :2]) / depth) / depth
    return float(np.linalg.svd(steps, compute_uv=False)[-1])


def tile_trust(
    to_spike: Map,
    shape: tuple[int, int],
    spike_size: tuple[int, int],
    sides: tuple[bool, bool, bool, bool],
    fade: float,
) -> NDArray[np.float32]:
    """Weigh the spikes at each sample of a tile: 1 inside, 0 beyond -> (rows, columns).

    It rises from 0 to 1 over `fade` spike pixels from each of the open sides on; beyond the other
    sides the border is taken to go on.
    """
    x, y, depth = _mapped(to_spike, shape)
    width, height = spike_size
    distances = zip(sides, (x, y, width - x, height - y), strict=True)
    trust = np.where(depth > 0, np.float32(1), np.float32(0))
    for is_open, distance in distances:
        if is_open:
            trust = np.minimum(trust, np.clip(distance / fade, 0, 1).astype(np.float32))
    return trust


def _mapped(to_spike: Map, shape: tuple[int, int]) -> tuple[Matrix, Matrix, Matrix]:
    """Spike-plane x and y of every sample's centre, and its depth (not above zero: behind it)."""
    rows, columns = shape
    return mapped(to_spike, np.arange(columns)[None] + 0.5, np.arange(rows)[:, None] + 0.5)
