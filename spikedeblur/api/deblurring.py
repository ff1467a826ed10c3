"""Deblurring from Python: arrays, files or frames as they come; arrays or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from spikedeblur.api.calls import python_call
from spikedeblur.api.frames import SharpFrames
from spikedeblur.api.keywords import FileKeywords, FrameCall, MethodKeywords
from spikedeblur.api.rigs import RigKeywords, recording_settings
from spikedeblur.api.sources import FramesLike, exact_rate, exact_seconds, video_source
from spikedeblur.errors import CallError, warn_of
from spikedeblur.io.pictures import Pictures
from spikedeblur.io.video import VideoSelection, unused_rate
from spikedeblur.models.contract import RestorationModel
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.options import OutputOptions
from spikedeblur.quantities import RateLike, Region, TimeLike, parse_region
from spikedeblur.restoration.exposing import Spikes
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.restoration.streaming import restored_frames

__all__ = ["deblur"]

HeldFrames = NDArray[Any] | list[NDArray[Any]] | tuple[NDArray[Any], ...]


class DeblurKeywords(RigKeywords, MethodKeywords, FileKeywords, total=False):
    """Keywords of `deblur`: those of `RigKeywords`, of `Deblurrer`, and of its `run`."""

    fps: RateLike | None
    weights: str | Path | RestorationModel | None
    start: TimeLike | None
    end: TimeLike | None
    region: Region | str | None
    instants: Sequence[TimeLike] | NDArray[Any] | None
    colorspace: str | None
    progress: FrameCall | None


OF_A_METHOD = MethodKeywords.__annotations__
OF_A_FILE = FileKeywords.__annotations__


@overload
def deblur(
    frames: FramesLike,
    spikes: Spikes | None = None,
    *,
    output: str | Path,
    **settings: Unpack[DeblurKeywords],
) -> FrameCounts: ...
@overload
def deblur(  # type: ignore[overload-overlap]  # an array is an iterable, too
    frames: HeldFrames,
    spikes: Spikes | None = None,
    *,
    output: None = None,
    **settings: Unpack[DeblurKeywords],
) -> NDArray[Any]: ...
@overload
def deblur(
    frames: FramesLike,
    spikes: Spikes | None = None,
    *,
    output: None = None,
    **settings: Unpack[DeblurKeywords],
) -> SharpFrames: ...
@python_call
def deblur(
    frames: FramesLike,
    spikes: Spikes | None = None,
    *,
    output: str | Path | None = None,
    **settings: Unpack[DeblurKeywords],
) -> FrameCounts | NDArray[Any] | SharpFrames:
    """Deblur frames with the spikes of the same scene.

        sharp = spikedeblur.deblur(frames, spikes, rate_hz=20_000, fps=50)

    frames: an array (T, H, W, 3) or a list of (H, W, 3): uint8, uint16, or floats in 0 to 1, sRGB;
    anything else that gives such frames one by one; or a video file. fps: frames per second, of
    what does not say it. spikes: an array (ticks, Hs, Ws) of bool or 0 and 1, a file with its
    sidecar, a voxel file, or a `SpikeStream`. rate_hz, spike_size, flip, offset_s, exposure,
    homography, rig: as of `RigKeywords`; without an offset tick 0 is at the first frame.
    weights: the model of `Deblurrer`, whose settings are the others up to strength. start, end,
    region, instants, colorspace: as of `Deblurrer.run`. progress: called with (frames done, frames
    expected or None).
    output: a file to write, for which the rest is; gives the tally. Without it, frames in memory
    give an array of their type, all others `SharpFrames`, which makes each as it is asked for.
    Raises `SpikedeblurError`.
    """
    if output is None and (idle := [name for name in OF_A_FILE if name in settings]):
        raise CallError(f"{idle[0]} is for a file, and there is no output - give output, or none")
    chosen = {name: value for name, value in settings.items() if name in OF_A_METHOD}
    deblurrer = Deblurrer(settings.get("weights"), **chosen)  # type: ignore[arg-type]
    options = recording_settings(spikes, settings)
    region, instants = settings.get("region"), settings.get("instants")
    moments = None if instants is None else [exact_seconds(each) for each in instants]
    progress = settings.get("progress")
    source = video_source(frames, settings.get("fps"))
    selection = VideoSelection(
        start=_optional(settings.get("start")),
        end=_optional(settings.get("end")),
        rate=exact_rate(settings.get("fps")),
        colorspace=settings.get("colorspace"),
        region=parse_region(region) if isinstance(region, str) else region,
    )
    warn_of(unused_rate(source, selection.rate))
    if output is not None:
        written = {name: value for name, value in settings.items() if name in OF_A_FILE}
        resume, shard = bool(written.pop("resume", False)), settings.get("shard")
        written.pop("shard", None)
        return deblurrer.run(
            source,
            spikes,
            output,
            spike_options=options,
            start=selection.start,
            end=selection.end,
            rate=selection.rate,
            colorspace=selection.colorspace,
            region=selection.region,
            instants=moments,
            resume=resume,
            shard=shard,
            on_frame=progress,
            options=OutputOptions.of(written),
        )
    selection = deblurrer.prepared.fitted(source, spikes, selection, options)
    reader = selection.open(source)
    expected = reader.info.frame_count_estimate
    expected = len(moments) if moments is not None else expected and expected * _factor(settings)
    found = restored_frames(
        deblurrer, reader, spikes, options, source=source, selection=selection, instants=moments
    )
    dtype = source.dtype if isinstance(source, Pictures) else None
    sharp = SharpFrames(reader, found, deblurrer, dtype, expected, progress)
    return np.asarray(sharp) if isinstance(frames, np.ndarray | list | tuple) else sharp


def _optional(value: TimeLike | None) -> Fraction | None:
    return None if value is None else exact_seconds(value)


def _factor(settings: Mapping[str, Any]) -> int:
    return int(settings.get("slowmo", 1))
