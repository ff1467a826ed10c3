"""spikedeblur voxelize: a .dat becomes voxel grids, one for each video frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikedeblur.cli.console import Console
from spikedeblur.cli.options import overwrite_option, spike_options
from spikedeblur.cli.values import HERTZ
from spikedeblur.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from spikedeblur.exposures import StreamExposures
    from spikedeblur.io.spike_source import SpikeOptions
    from spikedeblur.timeline import Interval

MAX_FRAMES = 10**7


@click.command("voxelize")
@click.argument("spikes", type=click.Path(path_type=Path))
@spike_options
@click.option("--video", type=click.Path(path_type=Path),
              help="Take the exposures of this video's frames.")
@click.option("--frames-per-second", type=HERTZ, metavar="F",
              help="Take exposures at this rate instead, from time 0 on.")
@click.option("--bins", type=click.IntRange(1, 4096), default=32, show_default=True, metavar="K",
              help="Bins per exposure.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT.tif|.npy|.npz",
              help="What to write.  [default: SPIKES with the suffix .tif]")
@overwrite_option
@click.pass_obj
def command(console: Console, *, spikes: Path, spike_options: SpikeOptions, video: Path | None,
            frames_per_second: Fraction | None, bins: int, output: Path | None,
            overwrite: bool) -> None:
    """Sort spikes into voxel grids, one for each video frame.

    They are counts (T, K, H, W): T a video frame, K a bin of its exposure. A TIFF holds float32
    pages with axes TZYX; its description says what is known of the recording.
    """
    from spikedeblur.io.spike_source import find_sidecar, resolve_spike_source
    from spikedeblur.io.voxels import VoxelInfo, write_voxels

    if (video is None) == (frames_per_second is None):
        raise UsageError("the exposures are not known - give one of --video VIDEO and "
                         "--frames-per-second F")
    output = output or spikes.with_suffix(".tif")
    shown = _frames_of(video) if video is not None else None
    first, duration = (shown[0], _duration(shown)) if shown else ((Fraction(0),) * 2, None)
    source = resolve_spike_source(spikes, spike_options, find_sidecar(spikes),
                                  duration_s=duration, interval_s=first[1])
    from spikedeblur.exposures import StreamExposures

    exposures = StreamExposures.of_source(source, bins=bins, first_pts_s=first[0])
    with exposures.stream as stream:
        if shown is None:
            assert frames_per_second is not None
            shown = _regular(frames_per_second, stream.offset_s + stream.duration_s)
        intervals = [exposures.interval(pts_s, interval_s) for pts_s, interval_s in shown]
        info = VoxelInfo(rate_hz=float(stream.rate_hz),
                         exposure_s=float(intervals[0].length / stream.rate_hz))
        shape = len(intervals), bins, stream.height, stream.width
        write_voxels(output, _grids(exposures, intervals, bins), shape, info, overwrite=overwrite)
    console.note(f"wrote {output}: {shape[0]} frames of {bins} bins, {shape[3]}x{shape[2]} pixels")


def _frames_of(video: Path) -> list[tuple[Fraction, Fraction]]:
    """(time stamp, interval) of every frame, seconds."""
    from spikedeblur.io.video import open_video

    with open_video(video) as reader:
        return [frame.span for frame in reader]


def _duration(shown: list[tuple[Fraction, Fraction]]) -> Fraction:
    (first, _), (last, interval) = shown[0], shown[-1]
    return last + interval - first


def _regular(rate: Fraction, end_s: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Frames at `rate` per second from time 0 on, as many as end before `end_s`."""
    count = math.floor(end_s * rate)
    if count > MAX_FRAMES:
        raise UsageError(f"{count} frames are too many ({float(end_s):g} s at {float(rate):g} per "
                         "second) - give a lower --frames-per-second, or another --offset")
    if count < 1:
        raise InputError(f"the spikes end before the first frame does ({float(end_s):g} s, frames "
                         f"of {float(1 / rate):g} s) - give a higher --frames-per-second")
    return [(number / rate, 1 / rate) for number in range(count)]


def _grids(exposures: StreamExposures, intervals: list[Interval], bins: int
           ) -> Iterator[np.ndarray]:
    from spikedeblur.voxel import voxelize

    for interval in intervals:
        yield voxelize(exposures.stream, bins, interval.start, interval.stop)
