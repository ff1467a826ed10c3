"""A few frames spread over a video, found in little time however long it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

from spikedeblur.agreement.glimpses import Look
from spikedeblur.agreement.grid import SampleGrid
from spikedeblur.io.video import VideoSelection, VideoSource
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.recording.exposures import Exposures, StreamExposures

FRAMES = 6
ENOUGH = 3
READ_THROUGH = 48  # frames: so many are read one after the other, more are sought
PATIENCE_S, LONGEST_S = 1.0, 4.0  # of work, and of the clock on a machine that others share


class Patience:
    """How long frames are looked for."""

    def __init__(self) -> None:
        self._began = time.monotonic(), time.process_time()

    @property
    def is_over(self) -> bool:
        """Return whether those found have to do."""
        passed, worked = time.monotonic() - self._began[0], time.process_time() - self._began[1]
        return passed > LONGEST_S or min(passed, worked) > PATIENCE_S


def sampled_views(
    video: VideoSource,
    selection: VideoSelection,
    info: VideoInfo,
    first: VideoFrame,
    exposures: Exposures,
    grid: SampleGrid,
) -> list[Look]:
    """Frames spread over the part of a video that has spikes, fewer where reading takes long.

    info, first: of the same selection, its first frame.
    """
    patience = Patience()
    count = info.frame_count_estimate
    looks: list[Look] = []
    if count is not None and count > READ_THROUGH and isinstance(exposures, StreamExposures):
        last = first.span[0] + count / info.average_rate
        looks = list(_sought(video, selection, (first.span[0], last), exposures, grid, patience))
    if len(looks) < ENOUGH:
        looks = list(_read_through(video, selection, count, exposures, grid, patience))
    return looks


def _read_through(
    video: VideoSource,
    selection: VideoSelection,
    count: int | None,
    exposures: Exposures,
    grid: SampleGrid,
    patience: Patience,
) -> Iterator[Look]:
    """Of the first frames that have spikes."""
    every = max(min(count or READ_THROUGH, READ_THROUGH) // FRAMES, 1)
    found = 0
    with selection.open(video) as reader:
        for place, frame in enumerate(reader):
            if place >= READ_THROUGH or found == FRAMES:
                return
            if patience.is_over and found >= ENOUGH:
                return
            if place % every == every // 2 and _has_spikes(frame, exposures):
                found += 1
                yield Look.at(frame, grid)


def _has_spikes(frame: VideoFrame, exposures: Exposures) -> bool:
    if not isinstance(exposures, StreamExposures):
        return True
    return exposures.interval(*frame.span).clip(exposures.stream.ticks) is not None


def _sought(
    video: VideoSource,
    selection: VideoSelection,
    extent: tuple[Fraction, Fraction],
    exposures: StreamExposures,
    grid: SampleGrid,
    patience: Patience,
) -> Iterator[Look]:
    """Key frames, each the last one before one of the places that have spikes."""
    stream = exposures.stream
    begin = max(extent[0], stream.offset_s)
    end = min(extent[1], stream.offset_s + stream.duration_s)
    seen: set[int] = set()
    for place in range(FRAMES):
        if patience.is_over and len(seen) >= ENOUGH:
            return
        wanted = begin + (end - begin) * Fraction(2 * place + 1, 2 * FRAMES)
        with selection.open_at(video, wanted) as found:
            frame = next(iter(found), None)
        if frame is None or frame.pts in seen or not begin <= frame.time < end:
            continue
        seen.add(frame.pts)
        yield Look.at(frame, grid)
