"""Frames from Python as the corridor takes them, and sharp ones as Python takes them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spikedeblur.api.calls import in_python_terms
from spikedeblur.api.keywords import FrameCall
from spikedeblur.io.pictures import in_depth
from spikedeblur.io.video import Reader
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.restoration.pipeline import Deblurrer

__all__ = ["SharpFrames"]


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
