"""Voxel grids of all frames of a video, or of exposures that follow each other evenly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.video import VideoSource, open_video
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.timeline import Interval

__all__ = ["Span", "interval_grids", "regular_spans", "spans_of"]

MAX_FRAMES = 10**7
Span = tuple[Fraction, Fraction]
"""Time stamp of a frame, and for how long it is shown, seconds."""


def spans_of(video: VideoSource) -> tuple[list[Span], tuple[int, int]]:
    """The span of every frame, and (width, height). Raises what reading the video raises."""
    with open_video(video) as reader:
        return [frame.span for frame in reader], (reader.info.width, reader.info.height)


def regular_spans(rate: Fraction, end_s: Fraction) -> list[Span]:
    """Frames at `rate` per second from time 0 on, as many as end before `end_s`.

    Raises UsageError for too many, InputError for none.
    """
    count = math.floor(end_s * rate)
    if count > MAX_FRAMES:
        raise UsageError(
            f"{count} frames are too many ({float(end_s):g} s at {float(rate):g} per "
            "second) - give a lower --fps, or another --offset"
        )
    if count < 1:
        raise InputError(
            f"the spikes end before the first frame does ({float(end_s):g} s, frames "
            f"of {float(1 / rate):g} s) - give a higher --fps"
        )
    return [(number / rate, 1 / rate) for number in range(count)]


def interval_grids(
    exposures: StreamExposures,
    intervals: Sequence[Interval],
    bins: int,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Yield the voxel grid (bins, H, W) of each interval. progress: called with (done, of all)."""
    for done, interval in enumerate(intervals, 1):
        yield exposures.grid(interval, bins)
        if progress is not None:
            progress(done, len(intervals))
