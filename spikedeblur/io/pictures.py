"""Pictures in memory, or made on the way, read like a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import InputError, UsageError, shown
from spikedeblur.io.closing import Closing
from spikedeblur.io.video_info import VideoFrame, VideoInfo

__all__ = ["IN_TURN", "Pictures", "in_depth"]

IN_TURN = Path("the frames")
"""The name of what has none."""
SIXTEEN_BITS = 65535


class Pictures(Closing):
    """Pictures that come from no file, as a reader of video has them.

    pictures: an array (N, H, W, 3), or (H, W, 3) each of a sequence or of anything to iterate over:
    uint8, uint16, or floats in 0 to 1, sRGB; or `VideoFrame`s, which have times of their own.
    fps: pictures per second; the first is shown at 0 s. dtype: as they were given; floats are read
    as 16 bits, which `in_depth` takes back. repeatable: whether they can be read again.
    Raises UsageError for what holds no pictures, InputError, while reading too, for one unlike the
    first, values beyond 0 to 1, and none at all.
    """

    path = IN_TURN
    damaged = 0

    def __init__(self, pictures: Iterable[Any], fps: Fraction | None = None) -> None:
        if isinstance(pictures, np.ndarray):
            _check_array(pictures)
        self.warnings: list[str] = []
        self.repeatable = isinstance(pictures, np.ndarray | Sequence)
        self._count = len(pictures) if isinstance(pictures, np.ndarray | Sequence) else None
        self._pictures = pictures
        coming = iter(pictures)
        first = next(coming, None)
        if first is None:
            raise InputError("there is no frame (an empty video seen) - give one at least")
        self._timed = isinstance(first, VideoFrame)
        self._coming = chain([first], coming)
        self._opened = False
        self._held: np.dtype[Any] = (first.rgb if self._timed else np.asarray(first)).dtype
        self.dtype = self._held
        if not self._timed and fps is None:
            raise UsageError("frames alone do not say their rate - give fps=, frames per second")
        self._step = first.interval if self._timed else 1 / (fps or Fraction(1))
        shape = _shape(first.rgb if self._timed else np.asarray(first))
        begin = first.span[0] if self._timed else Fraction(0)
        sixteen = self.dtype != np.uint8
        info = VideoInfo.synthetic(
            shape[1], shape[0], 1 / self._step, "gbrp16le" if sixteen else "bgr0"
        )
        self.info = replace(
            info,
            time_base=first.time_base if self._timed else info.time_base,
            frame_count_estimate=self._count,
            begin=begin,
            duration=None if self._count is None else begin + self._count * self._step,
        )

    def opened(self, start: Fraction | None = None, end: Fraction | None = None) -> Pictures:
        """The same from its beginning; start, end: the part to read, in seconds.

        Raises InputError if nothing lies there, UsageError for what would have to be read twice.
        """
        if not self.repeatable:
            if self._opened:
                raise UsageError(
                    "these frames can be read only once, and this needs them twice - give a list "
                    "or an array"
                )
            self._opened = True
            if start is None and end is None:
                return self
        chosen = Pictures(self._between(start, end))
        chosen.dtype, chosen.repeatable = self.dtype, False
        kept = None
        if self._count is not None and not self._timed:
            kept = sum(_lies(number * self._step, start, end) for number in range(self._count))
        chosen.info = replace(
            self.info,
            frame_count_estimate=self._count if start is None and end is None else kept,
            start=start,
            end=end,
        )
        return chosen

    def __iter__(self) -> Iterator[VideoFrame]:
        """Each picture in turn; those that cannot be read again go on where reading ended."""
        coming: Iterable[Any] = self._pictures if self.repeatable else self._coming
        size = self.info.height, self.info.width, 3
        for number, picture in enumerate(coming):
            if isinstance(picture, VideoFrame) != self._timed:
                raise InputError("some frames have times and some have none - make them alike")
            rgb = picture.rgb if self._timed else np.asarray(picture)
            if rgb.shape != size or rgb.dtype != self._held:
                raise InputError(
                    f"frame {number} is {shown(rgb.shape)} {rgb.dtype}, the first one {size} "
                    f"{self._held} - make them alike"
                )
            whole = _integers(rgb, number)
            if not self._timed:
                yield VideoFrame(number, number, self._step, 1, self._step, whole)
            else:
                yield picture if whole is rgb else replace(picture, rgb=whole)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _between(self, start: Fraction | None, end: Fraction | None) -> Iterator[VideoFrame]:
        """The frames of a part, numbered from its first one on."""
        index = 0
        for frame in self:
            if end is not None and frame.time >= end:
                break
            if _lies(frame.time, start, end):
                yield replace(frame, index=index)
                index += 1


def in_depth(rgb: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A picture of 8 or 16 bits as one of `dtype`, as pictures were given: floats in 0 to 1."""
    if dtype.kind != "f":
        return rgb
    highest = np.iinfo(rgb.dtype).max
    return (rgb / np.float64(highest)).astype(dtype)


def _lies(time: Fraction, start: Fraction | None, end: Fraction | None) -> bool:
    return (start is None or time >= start) and (end is None or time < end)


def _check_array(pictures: NDArray[Any]) -> None:
    if pictures.ndim != 4:
        one = " - give frames[None] for a single frame" if pictures.ndim == 3 else ""
        raise UsageError(
            f"not a video (an array of shape {shown(pictures.shape)} seen)"
            + (one or " - give (frames, height, width, 3)")
        )


def _shape(rgb: NDArray[Any]) -> tuple[int, int]:
    """Height and width of a picture. Raises UsageError for what is none."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise UsageError(
            f"not a picture of three colours (shape {shown(rgb.shape)} seen) - give frames of "
            "(height, width, 3), RGB"
        )
    if rgb.dtype not in (np.uint8, np.uint16) and rgb.dtype.kind != "f":
        raise UsageError(
            f"not a picture ({rgb.dtype} seen) - give uint8, uint16, or floats in 0 to 1"
        )
    return rgb.shape[0], rgb.shape[1]


def _integers(rgb: NDArray[Any], number: int) -> NDArray[Any]:
    """Floats in 0 to 1 -> uint16 over the whole scale; others as they are."""
    if rgb.dtype.kind != "f":
        return rgb
    low, high = float(rgb.min()), float(rgb.max())
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"frame {number} has values beyond 0 to 1 ({low:g} to {high:g} seen) - scale them, or "
            "give uint8 or uint16"
        )
    return np.rint(rgb * np.float64(SIXTEEN_BITS)).astype(np.uint16)
