"""Frames, times and rates from Python as the corridor takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spikedeblur.errors import CallError
from spikedeblur.io.pictures import Pictures
from spikedeblur.io.video import Reader, VideoSource
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.quantities import RateLike, TimeLike, exact, parse_rate, parse_seconds

__all__ = ["FramesLike", "exact_rate", "exact_seconds", "video_source"]

FramesLike = str | Path | NDArray[Any] | Iterable[NDArray[Any]] | Iterable[VideoFrame]
"""A file, images (`frames/%05d.png`), an array (T, H, W, 3), or (H, W, 3) arrays one by one."""


def video_source(frames: FramesLike, fps: RateLike | None) -> VideoSource:
    """A file, or pictures with their rate, as the corridor takes them. Raises `CallError`."""
    if isinstance(frames, str | Path):
        return Path(frames)
    if isinstance(frames, bytes | Mapping) or not isinstance(frames, Iterable):
        raise CallError(
            f"frames cannot be {type(frames).__name__} - give a file, an array (T, H, W, 3), or "
            "frames one by one"
        )
    if isinstance(frames, Reader):
        return Pictures(frames)
    return Pictures(frames, exact_rate(fps))


def exact_rate(value: RateLike | None) -> Fraction | None:
    """So many a second, above zero, exactly. Raises `UsageError`."""
    if value is None or isinstance(value, str):
        return None if value is None else parse_rate(value)
    return parse_rate(str(exact(value)))


def exact_seconds(value: TimeLike) -> Fraction:
    """Seconds, exactly. Raises `UsageError`."""
    return parse_seconds(value) if isinstance(value, str) else exact(value)
