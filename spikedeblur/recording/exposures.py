"""Exposures: what the spike camera counted while each frame's shutter was open.

From a frame to its voxel grid: time stamps -> ticks (timeline) -> counts (voxel). The spikes come
from a stream, or from voxel grids made beforehand.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol, Self

import numpy as np

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.guards.limits import check_pixels, max_pixels
from spikedeblur.io.spikes.source import SpikeSource
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.quantities import Exposure
from spikedeblur.recording.displacement import Displacement
from spikedeblur.recording.filters import without_filters
from spikedeblur.recording.geometry import placed, spike_to_video
from spikedeblur.recording.lenses import Lenses
from spikedeblur.recording.rolling import fill_unseen, lateness_map, rolled_planes, rolling_counts
from spikedeblur.recording.timeline import Interval, coverage, exposure_interval
from spikedeblur.recording.transfer import Transfer
from spikedeblur.recording.voxel import check_single_spikes, voxelize_ticks
from spikedeblur.recording.voxel_exposures import WHOLE_INTERVAL
from spikedeblur.vocabulary import BINS

# Spike planes of one exposure, counted in the largest pictures, a byte to a pixel.
PLANES = 32


@dataclass(frozen=True)
class ExposedFrame:
    """A blurry frame with what the spikes say of its exposure.

    counts: voxel grid (K, Hs, Ws) float32, in spikes per bin; None if nothing of the exposure was
    recorded. coverage: which part of it was, 0 to 1. homography: spike pixel -> video pixel as in
    a sidecar, None for plain scaling. lenses: of both planes, None without distortion. sequence:
    the same for frames that follow each other in one shot. wanted: whether its sharp picture is
    asked for; else it serves its neighbours only. transfer: the frame's curve, None for sRGB.
    displacement: by how much the spikes lie beside where homography and lenses lay them.
    """

    frame: VideoFrame
    counts: np.ndarray | None
    coverage: Fraction
    homography: tuple[float, ...] | None = None
    source: Exposures | None = None
    sequence: int = 0
    wanted: bool = True
    lenses: Lenses | None = None
    transfer: Transfer | None = None
    displacement: Displacement | None = None

    @cached_property
    def rgb(self) -> np.ndarray:
        """The frame in sRGB, (H, W, 3) uint8 or uint16 over the whole scale."""
        return self.frame.rgb if self.transfer is None else self.transfer.decoded(self.frame.rgb)

    @property
    def plain(self) -> bool:
        """Whether the spike plane is just scaled onto the frame."""
        return self.homography is None and self.lenses is None and self.displacement is None

    def grey(self, planes: np.ndarray) -> np.ndarray:
        """Counts or rates (K, Hs, Ws) of its spike pixels as of a sensor without filters."""
        stream = self.source.stream if isinstance(self.source, StreamExposures) else None
        return planes if stream is None else without_filters(planes, stream)

    def spikes_around(self, target_time: float) -> tuple[np.ndarray, int]:
        """The spike planes of the exposure, (N, Hs, Ws) bool, and the tick of `target_time`.

        Raises `UsageError` if the source holds counts only.
        """
        if not isinstance(self.source, StreamExposures):
            raise UsageError("tfi needs the spikes themselves - give --spikes as a .dat")
        return self.source.planes(self.frame, target_time)


class Exposures(Protocol):
    """Anything that knows the spikes of a frame's exposure, on a plane of one size."""

    size: tuple[int, int]
    """(width, height) of the spike plane."""
    homography: tuple[float, ...] | None
    """Spike pixel -> video pixel, row-major; None for plain scaling."""
    lenses: Lenses | None
    """The lenses of spike plane and frame; None where neither distorts."""
    transfer: Transfer | None
    """What the numbers of the video stand for; None for sRGB."""
    parallax: bool
    """Whether frames are to be found in their spikes: the views are displaced."""

    @property
    def rig_known(self) -> bool:
        """Whether somebody has said how the cameras lie, also where a part of the frame is seen."""

    def counts(self, frame: VideoFrame) -> tuple[np.ndarray | None, Fraction]:
        """Voxel grid of the frame's exposure (None if nothing is known), and its coverage."""


class StreamExposures:
    """Exposures cut out of a spike stream.

    exposure: shutter time, by default the whole frame interval. exposure_start_s: opening of the
    shutter after the time stamp, by default such that the exposure is centred in the interval.
    homography: spike pixel -> video pixel, row-major; None for plain scaling. lenses: of the two
    planes, None without distortion. late: of a rolling shutter, how many ticks after the middle row
    the one is exposed that each spike pixel sees, (Hs, Ws).
    """

    def __init__(
        self,
        stream: SpikeStream,
        *,
        bins: int = BINS,
        exposure: Exposure = WHOLE_INTERVAL,
        exposure_start_s: Fraction | None = None,
        homography: tuple[float, ...] | None = None,
        lenses: Lenses | None = None,
        late: np.ndarray | None = None,
    ) -> None:
        check_pixels("a voxel grid", stream.path, (bins, stream.width, stream.height))
        self.stream = stream
        self.size = stream.width, stream.height
        self.homography = homography
        self.lenses = lenses
        self.rig_known = homography is not None or lenses is not None
        self._bins = bins
        self._exposure = exposure
        self._start_s = exposure_start_s
        self.late = late
        self.transfer: Transfer | None = None
        self.parallax = False

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
        lenses = Lenses.of(settings.video_lens, settings.spike_lens)
        lenses = lenses and lenses.cropped(*stream.corner)
        late = None
        if settings.readout_s:
            if video_size is None and (homography is not None or lenses is not None):
                raise UsageError(
                    "which rows the spikes see is not known (readout_s and no video seen) - "
                    "give the video"
                )
            to_video = spike_to_video(size, video_size or size, homography, lenses)
            readout = float(settings.readout_s * stream.rate_hz)
            late = lateness_map(to_video, size, video_size or size, readout)
        return cls(
            stream,
            bins=bins,
            exposure=settings.exposure or WHOLE_INTERVAL,
            exposure_start_s=settings.exposure_start_s,
            homography=homography,
            lenses=lenses,
            late=late,
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
        ticks, gaps = self.stream.ticks, self.stream.gaps
        if self.late is not None:
            rolling, covered = rolling_counts(self.stream, self._bins, interval, self.late, gaps)
            return (rolling if covered else None), covered
        covered = coverage(interval, ticks, gaps)
        if not covered:
            return None, covered
        grid = voxelize_ticks(self.stream, self._bins, interval.start, interval.stop)
        return (grid if covered == 1 else fill_unseen(grid, interval, ticks, gaps)), covered

    def grid(self, interval: Interval, bins: int) -> np.ndarray:
        """Voxel grid (bins, Hs, Ws) of an exposure in ticks; what was not recorded is empty."""
        if self.late is not None:
            return rolling_counts(self.stream, bins, interval, self.late)[0]
        return voxelize_ticks(self.stream, bins, interval.start, interval.stop)

    def most_spikes(self, frame: VideoFrame) -> float:
        """Return how often a pixel can fire in the frame's exposure."""
        return float(self.interval(*frame.span).length) * self.stream.most_a_tick

    def planes(self, frame: VideoFrame, target_time: float) -> tuple[np.ndarray, int]:
        """The ticks that the frame's exposure touches, and which of them `target_time` falls on."""
        check_single_spikes(self.stream)
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
        if self.late is not None:
            spikes, start = rolled_planes(self.stream, interval, self.late)
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

    def cropped(
        self,
        part: tuple[int, int, int, int],
        homography: tuple[float, ...] | None,
        lenses: Lenses | None = None,
    ) -> Self:
        """The same for a part of the spike plane, left, top, width and height in its pixels.

        homography: pixel of the part -> video pixel, None for plain scaling. lenses: of the part
        and the video.
        """
        cropped = copy(self)
        cropped.stream = self.stream.part(*part)
        cropped.size = part[2:]
        cropped.homography, cropped.lenses = homography, lenses
        if self.late is not None:
            left, top, width, height = part
            cropped.late = self.late[top : top + height, left : left + width]
        return cropped


def expose(
    frame: VideoFrame, exposures: Exposures | None, sequence: int = 0, wanted: bool = True
) -> ExposedFrame:
    """Give a frame its spikes; without any it stands alone and counts as covered."""
    if exposures is None:
        return ExposedFrame(frame, None, Fraction(1), sequence=sequence, wanted=wanted)
    counts, covered = exposures.counts(frame)
    return ExposedFrame(
        frame,
        counts,
        covered,
        exposures.homography,
        exposures,
        sequence,
        wanted,
        exposures.lenses,
        exposures.transfer,
    )
