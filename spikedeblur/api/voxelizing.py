"""Voxel grids from Python."""

from __future__ import annotations

from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from spikedeblur.api.calls import python_call
from spikedeblur.api.rigs import RigKeywords, recording_settings
from spikedeblur.api.sources import FramesLike, exact_rate, exact_seconds, video_source
from spikedeblur.errors import CallError
from spikedeblur.io.spikes.settings import RecordingSettings, merged
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.voxel_writer import write_voxels
from spikedeblur.io.voxels import VoxelInfo
from spikedeblur.quantities import RateLike, TimeLike
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.gridding import interval_grids, regular_spans, spans_of
from spikedeblur.recording.lenses import Lenses
from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.vocabulary import BINS

__all__ = ["SpikeInput", "opened_stream", "voxelize"]

SpikeInput = str | Path | NDArray[Any] | SpikeStream


@overload
def voxelize(
    spikes: SpikeInput,
    bins: int = BINS,
    start: TimeLike = 0,
    stop: TimeLike | None = None,
    *,
    frames: FramesLike | None = None,
    fps: RateLike | None = None,
    output: None = None,
    overwrite: bool = False,
    **rig: Unpack[RigKeywords],
) -> NDArray[np.float32]: ...
@overload
def voxelize(
    spikes: SpikeInput,
    bins: int = BINS,
    *,
    frames: FramesLike | None = None,
    fps: RateLike | None = None,
    output: str | Path,
    overwrite: bool = False,
    **rig: Unpack[RigKeywords],
) -> Path: ...
@python_call
def voxelize(
    spikes: SpikeInput,
    bins: int = BINS,
    start: TimeLike = 0,
    stop: TimeLike | None = None,
    *,
    frames: FramesLike | None = None,
    fps: RateLike | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    **rig: Unpack[RigKeywords],
) -> NDArray[np.float32] | Path:
    """Sort spikes into `bins` equal parts of an exposure.

    spikes: an array (ticks, H, W), a `SpikeStream` or a file. start, stop: the exposure in ticks,
    by default all of them -> (bins, H, W) float32; what lies beyond the stream counts nowhere.
    frames: a video, whose exposures are taken in turn; fps: alone, exposures at this rate from time
    0 on -> (T, bins, H, W). output: a .tif, .npy or .npz to write these into instead; gives its
    path. rig: how to read spikes, as of `RigKeywords`. Raises `SpikedeblurError`.
    """
    if frames is None and fps is None:
        if output is not None:
            raise CallError("the exposures are not known - give frames, or fps")
        if isinstance(spikes, str | Path):
            with resolve_spike_source(spikes, recording_settings(spikes, rig)).open() as stream:
                return voxelize_ticks(stream, bins, exact_seconds(start), _ticks(stop))
        return voxelize_ticks(spikes, bins, exact_seconds(start), _ticks(stop))
    spans, size, rate = None, None, exact_rate(fps)
    if frames is not None:
        spans, size = spans_of(video_source(frames, fps))
    first = spans[0] if spans else (Fraction(0), Fraction(0))
    last = sum(spans[-1]) - spans[0][0] if spans else None
    stream = opened_stream(spikes, recording_settings(spikes, rig), first, last)
    with stream if isinstance(spikes, str | Path) else nullcontext():
        exposures = StreamExposures.of_stream(stream, bins=bins, video_size=size)
        if spans is None:
            assert rate is not None
            spans = regular_spans(rate, stream.offset_s + stream.duration_s)
        intervals = [exposures.interval(*span) for span in spans]
        grids = interval_grids(exposures, intervals, bins)
        if output is None:
            return np.stack(list(grids))
        lenses = exposures.lenses or Lenses()
        about = VoxelInfo(
            rate_hz=float(stream.rate_hz),
            exposure_s=float(intervals[0].length / stream.rate_hz),
            homography=exposures.homography,
            video_lens=lenses.video,
            spike_lens=lenses.spikes,
        )
        shape = len(intervals), bins, stream.height, stream.width
        write_voxels(Path(output), grids, shape, about, overwrite=overwrite)
        return Path(output)


def _ticks(value: TimeLike | None) -> Fraction | None:
    return None if value is None else exact_seconds(value)


def opened_stream(
    spikes: SpikeInput,
    options: RecordingSettings,
    first: tuple[Fraction, Fraction],
    duration_s: Fraction | None,
) -> SpikeStream:
    """The stream; where no offset is known tick 0 is at the first frame's time."""
    if isinstance(spikes, SpikeStream):
        return spikes.with_settings(options)
    if isinstance(spikes, np.ndarray):
        start = RecordingSettings(offset_s=first[0])
        settings = merged(("option", options), ("default", start))
        return SpikeStream.of_array(spikes, settings, duration_s)
    source = resolve_spike_source(spikes, options, duration_s=duration_s, interval_s=first[1])
    return source.open(first[0])
