"""Frames from Python as the corridor takes them, and sharp ones as Python takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spikedeblur.api.calls import in_python_terms
from spikedeblur.errors import CallError
from spikedeblur.io.pictures import Pictures, in_depth
from spikedeblur.io.video import Reader, VideoSource
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.quantities import RateLike, TimeLike, exact, parse_rate, parse_seconds
from spikedeblur.restoration.pipeline import Deblurrer

__all__ = ["FrameCall", "FramesLike", "SharpFrames", "exact_rate", "exact_seconds", "video_source"]

FramesLike = str | Path | NDArray[Any] | Iterable[NDArray[Any]] | Iterable[VideoFrame]
"""A file, images (`frames/%05d.png`), an array (T, H, W, 3), or (H, W, 3) arrays one by one."""
FrameCall = Callable[[int, int | None], None]


class SharpFrames(Iterator[NDArray[Any]]):
    """Sharp frames, (H, W, 3) each, made one by one as they are asked for.

    `np.asarray` makes all that are left one array (T, H, W, 3). time_s: when the one given last is
    shown. tally: what became of the frames so far.
    """

    def __init__(
        self,
        reader: Reader,
        frames: Iterator[VideoFrame],
        deblurrer: Deblurrer,
        dtype: np.dtype[Any] | None,
        expected: int | None,
        progress: FrameCall | None,
    ) -> None:
        self.time_s: Fraction | None = None
        self._reader, self._frames, self._deblurrer = reader, frames, deblurrer
        self._dtype, self._expected, self._progress = dtype, expected, progress

    @property
    def tally(self) -> FrameCounts:
        """Counts of the frames so far."""
        return self._deblurrer.tally

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> NDArray[Any]:
        with in_python_terms():
            try:
                frame = next(self._frames)
            except BaseException:
                self.close()
                raise
        self.time_s = frame.time
        if self._progress is not None:
            self._progress(self.tally.written, self._expected)
        return frame.rgb if self._dtype is None else in_depth(frame.rgb, self._dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        first = next(self)
        whole = np.empty((self._expected or 1, *first.shape), first.dtype)
        whole[0] = first
        count = 1
        for frame in self:
            if count == len(whole):  # more than the file said
                whole = np.concatenate([whole, np.empty_like(whole)])
            whole[count] = frame
            count += 1
        return whole[:count] if dtype is None else whole[:count].astype(dtype)

    def close(self) -> None:
        """Let go of the video."""
        self._reader.close()


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
