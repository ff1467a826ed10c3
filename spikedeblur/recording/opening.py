"""Exposures opened: of a stream, a recording with its sidecar, an array, or a voxel file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from spikedeblur.io.spikes.settings import RecordingSettings, merged
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.voxels import VoxelFile, is_voxel_file
from spikedeblur.quantities import Exposure, exact
from spikedeblur.recording.exposures import Exposures, StreamExposures
from spikedeblur.recording.lenses import Lenses
from spikedeblur.recording.voxel_exposures import WHOLE_INTERVAL, VoxelExposures


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
            lenses=Lenses.of(file.info.video_lens, file.info.spike_lens),
            exposure=Exposure(exact(seconds)) if seconds else WHOLE_INTERVAL,
        )
    source = resolve_spike_source(
        path, options, find_sidecar(path), duration_s=duration_s, interval_s=interval_s
    )
    return StreamExposures.of_source(
        source, bins=bins, first_pts_s=first_pts_s, video_size=video_size
    )
