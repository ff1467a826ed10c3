"""`Deblurrer` as it is called from Python: checked keywords, errors that speak of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from numpy.typing import NDArray

from spikedeblur.agreement.verdict import Agreement
from spikedeblur.api.calls import OF_SETTINGS, in_python_terms, method_call, translated
from spikedeblur.api.keywords import FileKeywords, FrameCall, MethodKeywords
from spikedeblur.api.sources import exact_rate, exact_seconds
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video import VideoSelection, VideoSource
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.models.contract import RestorationModel
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.options import OutputOptions
from spikedeblur.quantities import RateLike, Region, TimeLike
from spikedeblur.restoration import pipeline
from spikedeblur.restoration.exposing import Spikes
from spikedeblur.restoration.tiling import OnTile

__all__ = ["Deblurrer"]


class RunKeywords(FileKeywords, total=False):
    """Keywords of `Deblurrer.run`."""

    spike_options: RecordingSettings | None
    start: TimeLike | None
    end: TimeLike | None
    rate: RateLike | None
    strict: bool
    colorspace: str | None
    region: Region | str | None
    instants: Sequence[TimeLike] | NDArray[Any] | None
    segment: int
    on_frame: FrameCall | None
    on_tile: OnTile
    options: OutputOptions | None


class Deblurrer(pipeline.Deblurrer):
    """As of `restoration.pipeline`, whose docstrings it has."""

    @method_call
    def __init__(
        self, model: str | Path | RestorationModel | None = None, **settings: Unpack[MethodKeywords]
    ) -> None:
        super().__init__(model, **settings)

    @method_call
    def run(  # type: ignore[override]  # keywords are named one by one
        self,
        video: str | VideoSource,
        spikes: Spikes | None,
        output: str | Path,
        **settings: Unpack[RunKeywords],
    ) -> FrameCounts:
        """Deblur a video into a file."""
        exact: dict[str, Any] = {**settings}
        for name in ("start", "end"):
            if (moment := settings.get(name)) is not None:
                exact[name] = exact_seconds(moment)  # type: ignore[arg-type]
        if (moments := settings.get("instants")) is not None:
            exact["instants"] = [exact_seconds(each) for each in moments]
        exact["rate"] = exact_rate(settings.get("rate"))
        return super().run(video, spikes, output, **exact)

    @method_call
    def check(
        self,
        video: str | VideoSource,
        spikes: Spikes | None,
        *,
        spike_options: RecordingSettings | None = None,
        selection: VideoSelection | None = None,
    ) -> Agreement | None:
        """Check by a few frames whether spikes and video belong together."""
        found = super().check(video, spikes, spike_options=spike_options, selection=selection)
        return found and replace(found, worded=partial(translated, keywords=OF_SETTINGS))

    def frames(
        self,
        frames: Iterable[VideoFrame],
        spikes: Spikes | None = None,
        *,
        spike_options: RecordingSettings | None = None,
    ) -> Iterator[VideoFrame]:
        """Yield the sharp frames of `frames`."""
        sharp = super().frames(frames, spikes, spike_options=spike_options)
        while True:
            with in_python_terms(OF_SETTINGS):
                try:
                    frame = next(sharp)
                except StopIteration:
                    return
            yield frame


Deblurrer.__doc__ = pipeline.Deblurrer.__doc__
for _name in ("__init__", "run", "check", "frames"):
    getattr(Deblurrer, _name).__doc__ = getattr(pipeline.Deblurrer, _name).__doc__
