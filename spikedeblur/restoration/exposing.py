"""The spikes of a video: opened beside it, and checked to belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spikedeblur.agreement.check import check_spikes
from spikedeblur.agreement.verdict import Agreement
from spikedeblur.errors import LOGGER, InputError, UsageError
from spikedeblur.io.pictures import IN_TURN, Pictures
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video import Reader, VideoSelection, VideoSource, open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.recording.exposures import ExposedFrame, Exposures, StreamExposures, expose
from spikedeblur.recording.opening import open_exposures
from spikedeblur.recording.regions import region_exposures
from spikedeblur.recording.transfer import Transfer, curve_name, transfer_of
from spikedeblur.recording.voxel_exposures import VoxelExposures
from spikedeblur.restoration.parallax import Displacing, Remembered
from spikedeblur.restoration.restorers import Restorer
from spikedeblur.restoration.selection import Selection
from spikedeblur.vocabulary import AUTO_TRANSFER

TOLERATED = Fraction(102, 100)  # of the frame interval: what rounding does to an exposure
Spikes = str | Path | SpikeStream | Exposures | NDArray[Any]


def exposed_video(
    reader: Reader, spikes: Spikes, options: RecordingSettings, bins: int
) -> tuple[Iterator[VideoFrame], Exposures]:
    """The frames of `reader`, and the exposures, in `bins` bins, that `spikes` gives them.

    options: what beats the sidecar of a recording. Raises `UsageError` for a voxel file beside a
    part of a video, `InputError` for spikes that end before the first frame, and what opening
    them does.
    """
    frames = iter(reader)
    first = next(frames)
    began, duration = _first_time(reader, first), reader.info.duration
    exposures = open_exposures(
        spikes,
        options,
        bins=bins,
        interval_s=first.span[1],
        first_pts_s=began,
        duration_s=None if duration is None else duration - began,
        video_size=reader.info.whole_size,
    )
    if isinstance(exposures, VoxelExposures) and reader.info.start is not None:
        raise UsageError(
            "a voxel file belongs to the whole video (--start given) - give the "
            ".dat, or leave --start out"
        )
    if isinstance(exposures, StreamExposures) and exposures.ended_before(first):
        raise InputError(
            "the spikes end before the first frame is exposed "
            f"({float(exposures.stream.duration_s):.3f} s of spikes from "
            f"{float(exposures.stream.offset_s):.3f} s on) - check --offset"
        )
    if isinstance(exposures, StreamExposures):
        _check_exposure(exposures, first, reader.info.average_rate)
    if isinstance(exposures, StreamExposures | VoxelExposures):
        exposures.transfer = _transfer(exposures, options, reader)
        exposures.parallax = bool(_settings(exposures, options).parallax)
    info = reader.info
    if info.region is not None:  # an error where no spike pixel looks at what is wanted
        region_exposures(exposures, info.region, info.whole_size)
    if info.surroundings is not None:
        exposures = region_exposures(exposures, info.surroundings, info.whole_size)
    return chain([first], frames), exposures


def exposed_frames(
    restorer: Restorer,
    frames: Iterable[VideoFrame],
    exposures: Exposures | None,
    selection: Selection,
) -> Iterator[ExposedFrame]:
    """Give the frames that are needed their spikes, and mark which of them belong together."""
    shots = Remembered(restorer.in_shots(frames))
    displacing = Displacing(exposures) if exposures is not None and exposures.parallax else None
    for needed in selection.of(shots):
        exposed = expose(needed.frame, exposures, needed.sequence, needed.wanted)
        yield exposed if displacing is None else displacing.displaced(exposed, shots.before)


def warned_agreement(
    video: VideoSource, exposures: Exposures | None, selection: VideoSelection
) -> Agreement | None:
    """Return whether spikes and video belong together, with a warning for all that is wrong.

    None without spikes, and for frames that can be read only once.
    """
    if exposures is None or (isinstance(video, Pictures) and not video.repeatable):
        return None
    agreement = check_spikes(video, exposures, selection)
    for finding in agreement.findings:
        LOGGER.warning("%s", finding.text, extra={"event": finding.event})
    if agreement.untold:
        LOGGER.info("cannot tell whether the spikes are of this video: %s", agreement.untold)
    return agreement


def _settings(
    exposures: StreamExposures | VoxelExposures, options: RecordingSettings
) -> RecordingSettings:
    """All that is said of a recording; of a voxel file no more than was said beside it."""
    return exposures.stream.settings if isinstance(exposures, StreamExposures) else options


def _transfer(
    exposures: StreamExposures | VoxelExposures, options: RecordingSettings, reader: Reader
) -> Transfer | None:
    """The video's curve, which is told unless it is sRGB."""
    how = _settings(exposures, options).transfer
    found = transfer_of(how, reader.info.colour)
    if found is not None:
        because = "its tag says" if how in (None, AUTO_TRANSFER) else "was said"
        LOGGER.info("the video's curve is %s, as %s", curve_name(found), because)
    return found


def _check_exposure(exposures: StreamExposures, first: VideoFrame, rate: Fraction) -> None:
    """Raise `UsageError` for a shutter that would be open for longer than a frame lasts."""
    start, interval = first.span
    exposure = exposures.interval(start, interval).length / exposures.stream.rate_hz
    longest = max(interval, 1 / rate)
    if exposure > longest * TOLERATED:
        raise UsageError(
            f"the exposure is longer than a frame lasts ({float(exposure):.6g} s of "
            f"{float(longest):.6g} s) - give --exposure in seconds, or a part such as 0.9x"
        )


def _first_time(reader: Reader, first: VideoFrame) -> Fraction:
    """Time of the video's first frame, also when reading starts later."""
    if reader.info.start is None:
        return first.span[0]
    if reader.path == IN_TURN:
        return reader.info.begin
    with open_video(reader.path, rate=reader.info.average_rate) as whole:
        return next(iter(whole)).span[0]
