"""The rough position of both planes and clocks, unknown alike: every one is tried.

Which scale and rotation fit does not depend on the clock, as long as each frame may be shifted on
its own. With those fixed, the right time lag is the one at which all frames want the same shift.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spikedeblur.alignment.counting import CumulatedCounts
from spikedeblur.alignment.footage import Footage
from spikedeblur.alignment.matching import MAX_SHIFT_SHARE, Matcher, Placement
from spikedeblur.alignment.state import FEWEST_FRAMES
from spikedeblur.recording.geometry import Matrix, straight_to_video

SEARCHED_SCALES = np.exp(np.arange(np.log(0.36), np.log(1.68), 0.055))
ANGLES = np.deg2rad(np.arange(-6, 6.1, 2.0))
# Quarter turns of the spike camera, each also mirrored, as by a beam splitter; the first is none.
ORIENTATIONS = tuple(
    np.array([[cos, -sin], [sin, cos]]) @ np.diag([side, 1])
    for side in (1, -1)
    for cos, sin in ((1, 0), (0, 1), (-1, 0), (0, -1))
)
GEOMETRY_FRAMES = 4
ASSUMED_EXPOSURE = 0.7  # taken for the exposure, in frame intervals
GEOMETRIES = 6


@dataclass(frozen=True)
class Hypothesis:
    """A rough alignment. matrix: spike point -> video point; lag: offset in frame intervals."""

    matrix: Matrix
    lag: float
    score: float


def shapes(
    spike_size: tuple[int, int],
    video_size: tuple[int, int],
    orientation: np.ndarray = ORIENTATIONS[0],
    *,
    roughly: bool = False,
) -> Iterator[Placement]:
    """Every scale and rotation tried, of the plain scaling and of square pixels.

    orientation: one of `ORIENTATIONS`. roughly: a sixth of them, enough to tell orientations apart.
    """
    (columns, rows), (width, height) = spike_size, video_size
    lying = orientation[0, 0] == 0
    plain = straight_to_video((rows, columns) if lying else spike_size, video_size)
    oriented = np.eye(3)
    oriented[:2, :2] = orientation
    scales, angles = SEARCHED_SCALES, ANGLES
    if roughly:
        scales, angles = scales[::2], angles[1::2]
    bases = [np.diag([plain[0, 0], plain[0, 0], 1.0])]
    if abs(np.log(plain[0, 0] / plain[1, 1])) > 0.02:
        bases.append(plain)
    from_centre = np.array([[1, 0, -columns / 2], [0, 1, -rows / 2], [0, 0, 1]])
    to_centre = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    for base in bases:
        for scale in scales:
            for angle in angles:
                cos, sin = scale * np.cos(angle), scale * np.sin(angle)
                turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
                matrix = to_centre @ turn @ base @ oriented @ from_centre
                yield Placement(matrix)


def search(
    footage: Footage,
    counts: Sequence[CumulatedCounts],
    *,
    spike_size: tuple[int, int],
    rate_hz: float,
    offset_s: float,
    lags: np.ndarray,
    matrix: Matrix | None = None,
) -> list[Hypothesis]:
    """Hypotheses, best first: the best shift for each lag and each of the likeliest shapes.

    lags: offsets to try, frame intervals from offset_s. matrix: the homography, if it is known.
    """
    known = matrix is not None
    matcher = Matcher(footage.light, footage.size, spike_size, 0.0 if known else MAX_SHIFT_SHARE)
    clock = Clock(footage, counts, rate_hz, offset_s)
    chosen = (
        [Placement(matrix)]
        if matrix is not None
        else best_shapes(matcher, clock, spike_size, footage.size)
    )
    found = [each for lag in lags.tolist() for each in at_lag(matcher, chosen, clock, lag)]
    return sorted(found, key=lambda each: -each.score)


class Clock:
    """Pictures of the spikes at the times of the frames, if the lag were this or that."""

    def __init__(
        self, footage: Footage, counts: Sequence[CumulatedCounts], rate_hz: float, offset_s: float
    ) -> None:
        bursts = footage.bursts
        self._counts = counts
        self._interval = footage.interval_s * rate_hz
        self._ticks = np.concatenate([(burst.middles_s - offset_s) * rate_hz for burst in bursts])
        self._owner = np.repeat(np.arange(len(bursts)), [len(burst.light) for burst in bursts])

    def covered(self, lag: float) -> list[int]:
        """The frames that have spikes at this lag."""
        half = ASSUMED_EXPOSURE * self._interval / 2
        middles = self._ticks - lag * self._interval
        return [
            frame
            for frame, middle in enumerate(middles)
            if self._counts[self._owner[frame]].covers(middle - half, middle + half)
        ]

    def pictures(self, frames: Sequence[int], lag: float) -> np.ndarray:
        """Square roots of the rates around the middles of `frames`: (N, h, w) float32."""
        length = ASSUMED_EXPOSURE * self._interval
        pictures = []
        for frame in frames:
            first = self._ticks[frame] - lag * self._interval - length / 2
            ends = np.array([first, first + length])
            opening, closing = self._counts[self._owner[frame]].at(ends)
            pictures.append(((closing - opening).clamp(min=0) / length).sqrt().numpy())
        return np.stack(pictures)


def best_shapes(
    matcher: Matcher, clock: Clock, spike_size: tuple[int, int], video_size: tuple[int, int]
) -> list[Placement]:
    """The shapes in which single frames, each shifted as it likes, agree best with their spikes."""
    frames = clock.covered(0.0)
    if not frames:
        return []
    places = np.linspace(0, len(frames) - 1, GEOMETRY_FRAMES).round().astype(int)
    chosen = [frames[place] for place in places]
    pictures = clock.pictures(chosen, 0.0)

    def score(shape: Placement) -> float:
        spectra = matcher.spectra(pictures, shape)
        values = matcher.correlation(chosen, spectra, together=False)
        return float(values.flatten(1).max(dim=1).values.mean())

    scored = [(score(shape), shape) for shape in shapes(spike_size, video_size)]
    rough = [
        (max(score(shape) for shape in shapes(spike_size, video_size, turned, roughly=True)), place)
        for place, turned in enumerate(ORIENTATIONS[1:], 1)
    ]
    best, place = max(rough)
    if best > max(value for value, _ in scored):
        turned = ORIENTATIONS[place]
        scored += [(score(shape), shape) for shape in shapes(spike_size, video_size, turned)]
    scored.sort(key=lambda each: -each[0])
    return [shape for _, shape in scored[:GEOMETRIES]]


def at_lag(
    matcher: Matcher, chosen: Sequence[Placement], clock: Clock, lag: float
) -> Iterator[Hypothesis]:
    """For each shape the best common shift of all frames."""
    frames = clock.covered(lag)
    if len(frames) < FEWEST_FRAMES:
        return
    pictures = clock.pictures(frames, lag)
    for shape in chosen:
        spectra = matcher.spectra(pictures, shape)
        value, place = matcher.correlation(frames, spectra, together=True).flatten().max(dim=0)
        yield Hypothesis(matcher.shifted(shape, int(place)), lag, float(value))


def distinct(
    hypotheses: Sequence[Hypothesis], video_size: tuple[int, int], most: int
) -> list[Hypothesis]:
    """The best hypotheses that are not neighbours of better ones."""
    kept: list[Hypothesis] = []
    for each in hypotheses:
        if len(kept) == most:
            break
        if all(
            abs(each.lag - other.lag) > 0.6
            or apart(each.matrix, other.matrix, video_size) > 0.05 * video_size[0]
            for other in kept
        ):
            kept.append(each)
    return kept


def apart(one: np.ndarray, other: np.ndarray, video_size: tuple[int, int]) -> float:
    """Measure in pixels how far apart two matrices take the points of the video's middle part."""
    width, height = video_size
    points = np.array([[0.3, 0.7, 0.3, 0.7], [0.3, 0.3, 0.7, 0.7]]) * [[width], [height]]
    moved = other @ np.linalg.inv(one) @ np.vstack([points, np.ones(4)])
    return float(np.linalg.norm(moved[:2] / moved[2] - points, axis=0).mean())
