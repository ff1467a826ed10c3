"""Glimpses: a few frames as both cameras saw them, on the grid, with the spikes around each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from spikedeblur.agreement.grid import NOISE_GAIN, Plane, SampleGrid, detail
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.recording.exposures import Exposures, StreamExposures
from spikedeblur.recording.filters import without_filters
from spikedeblur.recording.rolling import moved_in_time
from spikedeblur.recording.voxel import summed_planes, ticks_as_bytes

KNOTS = 8  # in an exposure
COMPARED_VALUES = 1 << 28  # of spikes that are read for one comparison, about, at most
FEWEST_TICKS = 4  # of a knot
SEEN_WHOLE = 0.95  # part of an exposure that has to be recorded
POISSON = 0.25  # variance of the square root of a count
ENCODED = 1 / 2.2  # the least power of luminance that a count rises with


@dataclass(frozen=True)
class Look:
    """A frame without its picture, of which there are light and where it counts: (rows, columns).

    clear: 1 where the frame is not clipped and the sensor looks, else 0.
    """

    frame: VideoFrame
    light: Plane
    clear: Plane

    @classmethod
    def at(cls, frame: VideoFrame, grid: SampleGrid) -> Look:
        """Reduce a frame to the grid."""
        light, clear = grid.light(frame.rgb)
        return cls(replace(frame, rgb=frame.rgb[:0]), light, clear * grid.seen)


@dataclass(frozen=True)
class Knots:
    """Spikes around an exposure, in equal parts of time.

    rates: (N, h, w) spikes per tick of each part, reduced as `Grid.reduced` does; nan where nothing
    was recorded. step_s: length of a part. first, count: those that are the exposure. fired: (Hs,
    Ws) spikes of `ticks` ticks of the exposure; of voxel grids, all spikes of one tick so to say.
    """

    rates: Plane
    step_s: float
    first: int
    count: int
    fired: NDArray[np.float32]
    ticks: float

    def rate(self, lag_s: float) -> Plane | None:
        """Spikes per tick over the exposure, if all were `lag_s` later than stated.

        None where less than SEEN_WHOLE of it were recorded.
        """
        begin = self.first - lag_s / self.step_s
        parts = np.arange(len(self.rates))
        share = np.minimum(parts + 1, begin + self.count) - np.maximum(parts, begin)
        share = np.clip(share, 0, 1) * np.isfinite(self.rates[:, 0, 0])
        if share.sum() < SEEN_WHOLE * self.count:
            return None
        used = np.flatnonzero(share)
        weights = (share[used] / share.sum()).astype(np.float32)
        mean: Plane = np.tensordot(weights, self.rates[used], 1)
        return mean


@dataclass(frozen=True)
class Glimpse:
    """A frame and its spikes.

    clear: where both can be compared, (rows, columns). detail: there, of the square root of the
    frame's light. exposure_s: how long its shutter was open. expected: the least likeness that this
    frame and so many spikes of it would have; 0 where either shows nothing.
    """

    look: Look
    knots: Knots
    clear: Plane
    detail: Plane
    exposure_s: float
    expected: float

    @property
    def start_s(self) -> float:
        """The frame's time."""
        return float(self.look.frame.span[0])

    def where(self, trusted: Plane) -> Glimpse:
        """The same, compared only where `trusted` is 1 too."""
        clear = self.clear * trusted
        return replace(self, clear=clear, detail=detail(np.sqrt(self.look.light), clear))


def glimpse(
    look: Look,
    exposures: Exposures,
    grid: SampleGrid,
    reach: float,
    values: int = COMPARED_VALUES,
    trusted: Plane | None = None,
) -> Glimpse | None:
    """Look at the spikes of a frame, and up to `reach` exposures before and after.

    values: of spikes to be read at most, about. trusted: where pixels follow the light, (rows,
    columns); None everywhere. None where nothing of the exposure was recorded.
    """
    if isinstance(exposures, StreamExposures):
        knots = _from_stream(look.frame, exposures, grid, reach, values)
        ticks = float(exposures.interval(*look.frame.span).length)
    else:
        knots, ticks = _from_counts(look.frame, exposures, grid), 1.0
    if knots is None:
        return None
    root = np.sqrt(look.light)
    clear = look.clear if trusted is None else look.clear * trusted
    count = float(knots.fired.mean()) / knots.ticks * ticks
    return Glimpse(
        look,
        knots,
        clear,
        detail(root, clear),
        knots.count * knots.step_s,
        _expected(root, clear, count, grid),
    )


def _expected(root: Plane, clear: Plane, count: float, grid: SampleGrid) -> float:
    """The least likeness of `count` spikes a pixel to a frame, whose light has this square root.

    Counts that rise least with luminance, and scatter as much as counts can.
    """
    area = max(float(clear.sum()), 1.0)
    power = root**ENCODED
    mean = float((power * clear).sum()) / area
    texture = float((detail(power, clear) ** 2).sum()) / area / max(mean, 1e-3) ** 2
    signal, noise = count * texture, POISSON * NOISE_GAIN / grid.block**2
    return math.sqrt(signal / (signal + noise))


def _from_stream(
    frame: VideoFrame, exposures: StreamExposures, grid: SampleGrid, reach: float, values: int
) -> Knots | None:
    stream, interval = exposures.stream, exposures.interval(*frame.span)
    step = float(interval.length) / KNOTS
    around = math.ceil(reach * KNOTS)
    count = 2 * around + KNOTS
    most = max(values // (stream.width * stream.height * count), FEWEST_TICKS)
    fired = np.zeros((stream.height, stream.width), np.float32)
    rates: list[Plane | None] = []
    ticks = 0
    for part in range(count):
        low = float(interval.start) + (part - around) * step
        run = _run(low, low + step, most)
        if not stream.holds(run.start, run.stop):
            rates.append(None)
            continue
        total = summed_planes(ticks_as_bytes(stream, run.start, run.stop), stream.most_a_tick)
        grey = without_filters(total[None], stream)[0]
        rates.append(grid.reduced(grey) / np.float32(len(run)))
        if around <= part < around + KNOTS:
            fired += total
            ticks += len(run) * stream.most_a_tick  # what may fire
    if not ticks:
        return None
    empty = np.full_like(next(each for each in rates if each is not None), np.nan)
    planes = np.stack([empty if each is None else each for each in rates])
    if exposures.late is not None:
        planes = moved_in_time(planes, grid.reduced(exposures.late) / step)
    return Knots(planes, step / float(stream.rate_hz), around, KNOTS, fired, float(ticks))


def _run(low: float, high: float, most: int) -> range:
    """At most so many whole ticks in a row, in the middle of [low, high)."""
    length = min(max(round(high - low), 1), most)
    start = round((low + high - length) / 2)
    return range(start, start + length)


def _from_counts(frame: VideoFrame, exposures: Exposures, grid: SampleGrid) -> Knots | None:
    """Of voxel grids: the exposure itself, and nothing around it."""
    counts, covered = exposures.counts(frame)
    if counts is None or covered < Fraction(SEEN_WHOLE):
        return None
    step_s = float(frame.span[1]) / len(counts)
    return Knots(grid.reduced(counts), step_s, 0, len(counts), counts.sum(axis=0), 1.0)


def glimpses(
    looks: Sequence[Look],
    exposures: Exposures,
    grid: SampleGrid,
    reach: float,
    trusted: Plane | None = None,
) -> Iterator[Glimpse]:
    """Those of `looks` that have spikes; VALUES are read for all of them."""
    for look in looks:
        view = glimpse(look, exposures, grid, reach, COMPARED_VALUES // len(looks), trusted)
        if view is not None:
            yield view
