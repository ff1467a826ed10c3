"""Exposures: what the spike camera counted while each frame's shutter was open.

From a frame to its voxel grid: time stamps -> ticks (timeline) -> counts (voxel). The spikes come
from a stream, or from voxel grids made beforehand.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.guards.limits import check_pixels, max_pixels
from spikedeblur.io.spikes.settings import RecordingSettings, merged
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.source import SpikeSource, resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.io.voxels import VoxelFile, is_voxel_file
from spikedeblur.quantities import Exposure, exact
from spikedeblur.recording.geometry import placed
from spikedeblur.recording.timeline import Interval, coverage, exposure_interval
from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.recording.voxel_exposures import WHOLE_INTERVAL, VoxelExposures
from spikedeblur.vocabulary import BINS

# Spike planes of one exposure, counted in the largest pictures, a byte to a pixel.
PLANES = 32


@dataclass(frozen=True)
class ExposedFrame:
    """A blurry frame with what the spikes say of its exposure.

    counts: voxel grid (K, Hs, Ws) float32, in spikes per bin; None if nothing of the exposure was
    recorded. coverage: which part of it was, 0 to 1. homography: spike pixel -> video pixel as in
    a sidecar, None for plain scaling. sequence: the same for frames that follow each other in one
    shot. wanted: whether its sharp picture is asked for; else it serves its neighbours only.
    """

    frame: VideoFrame
    counts: np.ndarray | None
    coverage: Fraction
    homography: tuple[float, ...] | None = None
    source: Exposures | None = None
    sequence: int = 0
    wanted: bool = True

    def spikes_around(self, target_time: float) -> tuple[np.ndarray, int]:
        """The spike planes of the exposure, (N, Hs, Ws) bool, and the tick of `target_time`.

        Raises `UsageError` if the source holds counts only.
        """
        if not isinstance(self.source, StreamExposures):
            raise UsageError("tfi needs the spikes themselves - give --spikes as a .dat")
        return self.source.planes(self.frame, target_time)


class Exposures(Protocol):
    """Anything that knows the spikes of a frame's exposure, on a plane of one size."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the spike plane."""

    @property
    def homography(self) -> tuple[float, ...] | None:
        """Spike pixel -> video pixel, row-major; None for plain scaling."""

    @property
    def rig_known(self) -> bool:
        """Whether somebody has said how the cameras lie, also where a part of the frame is seen."""

    def counts(self, frame: VideoFrame) -> tuple[np.ndarray | None, Fraction]:
        """Voxel grid of the frame's exposure (None if nothing is known), and its coverage."""


class StreamExposures:
    """Exposures cut out of a spike stream.

    exposure: shutter time, by default the whole frame interval. exposure_start_s: opening of the
    shutter after the time stamp, by default such that the exposure is centred in the interval.
    homography: spike pixel -> video pixel, row-major; None for plain scaling.
    """

    def __init__(
        self,
        stream: SpikeStream,
        *,
        bins: int = BINS,
        exposure: Exposure = WHOLE_INTERVAL,
        exposure_start_s: Fraction | None = None,
        homography: tuple[float, ...] | None = None,
    ) -> None:
        check_pixels("a voxel grid", stream.path, (bins, stream.width, stream.height))
        self.stream = stream
        self.size = stream.width, stream.height
        self.homography = homography
        self.rig_known = homography is not None
        self._bins = bins
        self._exposure = exposure
        self._start_s = exposure_start_s

    @classmethod
    def of_source(
        cls,
        source: SpikeSource,
        *,
        bins: int = BINS,
        first_pts_s: Fraction = Fraction(0),
        video_size: tuple[int, int] | None = None,
    ) -> StreamExposures:
        """Open a source; without a known offset its tick 0 is at `first_pts_s` seconds.

        video_size: as of `of_stream`.
        """
        return cls.of_stream(source.open(first_pts_s), bins=bins, video_size=video_size)

    @classmethod
    def of_stream(
        cls, stream: SpikeStream, *, bins: int = BINS, video_size: tuple[int, int] | None = None
    ) -> StreamExposures:
        """The exposures of a stream that lies to the video as its settings say.

        video_size: (width, height), onto which the spikes are laid; None where nobody will.
        """
        size, settings = (stream.width, stream.height), stream.settings
        homography = placed(
            size,
            video_size or size,
            crop_start=stream.corner,
            scale=settings.scale,
            homography=settings.homography,
        )
        return cls(
            stream,
            bins=bins,
            exposure=settings.exposure or WHOLE_INTERVAL,
            exposure_start_s=settings.exposure_start_s,
            homography=homography,
        )

    def interval(self, pts_s: Fraction, interval_s: Fraction) -> Interval:
        """The exposure, in ticks, of a frame shown at pts_s for interval_s seconds."""
        return exposure_interval(
            pts_s,
            interval_s,
            self._exposure.seconds(interval_s),
            self.stream.offset_s,
            self.stream.rate_hz,
            self._start_s,
        )

    def counts(self, frame: VideoFrame) -> tuple[np.ndarray | None, Fraction]:
        interval = self.interval(*frame.span)
        covered = coverage(interval, self.stream.ticks)
        if not covered:
            return None, covered
        grid = voxelize_ticks(self.stream, self._bins, interval.start, interval.stop)
        return (grid if covered == 1 else fill_unseen(grid, interval, self.stream.ticks)), covered

    def planes(self, frame: VideoFrame, target_time: float) -> tuple[np.ndarray, int]:
        """The ticks that the frame's exposure touches, and which of them `target_time` falls on."""
        interval = self.interval(*frame.span)
        start = max(math.floor(interval.start), 0)
        stop = min(max(math.ceil(interval.stop), 0), self.stream.ticks)
        pixels = (stop - start) * self.stream.width * self.stream.height
        if pixels > PLANES * max_pixels():
            raise InputError(
                f"the exposure has more spike planes than fit into memory "
                f"({stop - start} ticks seen) - give a shorter --exposure"
            )
        spikes = self.stream[start:stop]
        passed = interval.length * (Fraction(target_time) + Fraction(1, 2))
        tick = math.floor(interval.start + passed)
        return spikes, min(max(tick - start, 0), len(spikes) - 1)

    def shutter(self, frame: VideoFrame) -> tuple[Fraction, Fraction]:
        """Return when the frame's shutter opened and closed, seconds on the video's clock."""
        interval = self.interval(*frame.span)
        began, rate = self.stream.offset_s, self.stream.rate_hz
        return began + interval.start / rate, began + interval.stop / rate

    def ended_before(self, frame: VideoFrame) -> bool:
        """Return whether the stream ends before the frame's exposure begins."""
        return self.interval(*frame.span).start >= self.stream.ticks

    def cropped(self, part: tuple[int, int, int, int], homography: tuple[float, ...]) -> Self:
        """The same for a part of the spike plane, left, top, width and height in its pixels.

        homography: pixel of the part -> video pixel.
        """
        cropped = copy(self)
        cropped.stream = self.stream.part(*part)
        cropped.size = part[2:]
        cropped.homography = homography
        return cropped


def fill_unseen(grid: np.ndarray, interval: Interval, ticks: int) -> np.ndarray:
    """Give the part of each bin that the stream has not seen the mean rate of what it has seen.

    A pixel's rate then stands still where nothing is known, which asks for no change to the blurry
    frame; bins left empty would read as darkness.
    """
    step = interval.length / len(grid)
    edges = [interval.start + step * k for k in range(len(grid) + 1)]
    seen = [Interval(start, stop).clip(ticks) for start, stop in pairwise(edges)]
    share = np.array([float(part.length / step) if part else 0.0 for part in seen], np.float32)
    mean = grid.sum(axis=0) / share.sum()
    filled: np.ndarray = grid + (1 - share)[:, None, None] * mean
    return filled


def expose(
    frame: VideoFrame, exposures: Exposures | None, sequence: int = 0, wanted: bool = True
) -> ExposedFrame:
    """Give a frame its spikes; without any it stands alone and counts as covered."""
    if exposures is None:
        return ExposedFrame(frame, None, Fraction(1), sequence=sequence, wanted=wanted)
    counts, covered = exposures.counts(frame)
    return ExposedFrame(frame, counts, covered, exposures.homography, exposures, sequence, wanted)


def open_exposures(
    spikes: SpikeStream | Exposures | Path | str | np.ndarray,
    options: RecordingSettings,
    *,
    bins: int,
    interval_s: Fraction,
    first_pts_s: Fraction,
    duration_s: Fraction | None,
    video_size: tuple[int, int] | None = None,
) -> Exposures:
    """Open the exposures of a stream, a recording with its sidecar, an array, or a voxel file.

    options: what beats the sidecar, or how a stream was opened. first_pts_s: time of the video's
    first frame, where an unknown tick 0 is taken to lie. interval_s, duration_s: how long a frame
    and the video last, to infer a recording's size and rate. video_size: (width, height) of its
    frames.
    Raises `UsageError` and `InputError` as reading the files does.
    """
    if isinstance(spikes, np.ndarray):
        start = RecordingSettings(offset_s=first_pts_s)
        settings = merged(("option", options), ("default", start))
        stream = SpikeStream.of_array(spikes, settings, duration_s)
        return StreamExposures.of_stream(stream, bins=bins, video_size=video_size)
    if isinstance(spikes, SpikeStream):
        stream = spikes.with_settings(options)
        return StreamExposures.of_stream(stream, bins=bins, video_size=video_size)
    if not isinstance(spikes, str | Path):
        return spikes
    path = Path(spikes)
    if is_voxel_file(path):
        file = VoxelFile(path)
        seconds = file.info.exposure_s
        return VoxelExposures(
            file,
            bins=bins,
            name=str(path),
            homography=file.info.homography,
            exposure=Exposure(exact(seconds)) if seconds else WHOLE_INTERVAL,
        )
    source = resolve_spike_source(
        path, options, find_sidecar(path), duration_s=duration_s, interval_s=interval_s
    )
    return StreamExposures.of_source(
        source, bins=bins, first_pts_s=first_pts_s, video_size=video_size
    )
