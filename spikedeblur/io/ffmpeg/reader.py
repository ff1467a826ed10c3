"""Reading video: one pass, every frame with its exact time, damage counted and bounded."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.closing import Closing
from spikedeblur.io.colour import ColourConverter
from spikedeblur.io.colour_tags import MATRIX_CODES, PixelLayout
from spikedeblur.io.ffmpeg.decoder import Decoder
from spikedeblur.io.ffmpeg.describe import assumptions, describe
from spikedeblur.io.guards.cut_files import movies_behind
from spikedeblur.io.video_info import Decoded, VideoFrame


class VideoReader(Closing):
    """Iterates over the frames of a video once, in the order and at the times they are shown.

    `info` describes the video. `damaged` counts corrupt packets skipped and frames the decoder had
    to repair; `warnings` says what was assumed. Both are complete when the iteration has ended.
    from_key: begin at the key frame before `start`, which spares decoding what lies between.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        strict: bool = False,
        max_pixels: int | None = None,
        colorspace: str | None = None,
        threads: int = 1,
        from_key: bool = False,
    ) -> None:
        _check_arguments(start, end, colorspace)
        self.path = Path(path)
        self._start, self._end = None if from_key else start, end
        self._decoder = Decoder(self.path, strict=strict, max_pixels=max_pixels, threads=threads)
        try:
            first = self._decoder.first(start)
            self.info = describe(self._decoder, first, start, end, colorspace)
            self.warnings = assumptions(self.info, first, colorspace)
            self._check_whole(first)
        except BaseException:
            self._decoder.close()
            raise
        self._clock = self._decoder.clock
        self._converter = ColourConverter(self.info.matrix, self.info.full_range)
        self._frames = self._read(first)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        strict: bool = False,
        max_pixels: int | None = None,
        colorspace: str | None = None,
        threads: int = 1,
    ) -> VideoReader:
        """Open a video file and decode its first frame.

        `start` and `end` (seconds on the video's clock) choose the frames with
        start <= time < end. `strict` makes any damage an error. `max_pixels` bounds width x height.
        `colorspace` (bt601, bt709, bt2020, ...) overrides the matrix of the tags.
        Raises `InputError` for what is not a readable video, `UsageError` for bad arguments.
        """
        return cls(
            path,
            start=start,
            end=end,
            strict=strict,
            max_pixels=max_pixels,
            colorspace=colorspace,
            threads=threads,
        )

    @property
    def damaged(self) -> int:
        """Corrupt packets skipped, and frames the decoder had to repair, so far."""
        return self._decoder.damaged

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def close(self) -> None:
        """Release the decoder and the file."""
        self._frames.close()
        self._decoder.close()

    def _read(self, first: av.VideoFrame) -> Generator[VideoFrame, None, None]:
        """Yield the frames from start to end, each once the time of its successor is known."""
        index = 0
        last_end: Fraction | None = None
        for decoded, pts, following in self._timed(first):
            time = pts * self._clock.time_base
            if self._start is not None and time < self._start:
                continue
            if self._end is not None and time >= self._end:
                break
            if decoded.is_corrupt:
                self._decoder.count_damage(f"frame at {float(time):.3f} s")
            duration = self._clock.duration(decoded)
            interval = self._clock.interval(pts, following, duration)
            last_end = time + interval
            rgb = self._to_rgb(decoded)
            yield VideoFrame(
                index,
                pts,
                self._clock.time_base,
                duration,
                interval,
                rgb,
                *self._clock.exact(pts, following, interval),
                Decoded(decoded, rgb),
            )
            index += 1
        if index == 0:
            raise InputError(
                f"no frame lies between --start and --end ({self.path}) - {self._extent()}"
            )
        self._finish(last_end)

    def _timed(self, first: av.VideoFrame) -> Iterator[tuple[av.VideoFrame, int, int | None]]:
        """Yield (frame, its pts, the next frame's pts or None)."""
        frame, pts = first, self._clock.pts(first)
        for following in self._decoder.frames:
            next_pts = self._clock.pts(following)
            yield frame, pts, next_pts
            frame, pts = following, next_pts
        yield frame, pts, None

    def _to_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert, and refuse frames that are not like the first one."""
        info = self.info
        if (frame.width, frame.height) != (info.width, info.height):
            self._decoder.check_size(frame.width, frame.height)
            raise InputError(
                f"the frame size changes from {info.width}x{info.height} to "
                f"{frame.width}x{frame.height} ({self.path}) - split the video there"
            )
        if frame.format.name != info.pix_fmt:
            old, new = PixelLayout.of(info.pix_fmt), PixelLayout.of(frame.format.name)
            if (old.family, old.depth) != (new.family, new.depth):
                raise InputError(
                    f"the pixel format changes from {old.name} to {new.name} "
                    f"({self.path}) - split the video there"
                )
        try:
            return self._converter.to_rgb(frame)
        except av.FFmpegError as error:
            raise InputError(
                f"the pixel format {frame.format.name} cannot be read ({self.path}) - "
                "convert the video to 8 to 16 bits first"
            ) from error

    def _check_whole(self, first: av.VideoFrame) -> None:
        """Count, and say, what is missing at the beginning or by the size of the file."""
        decoder = self._decoder
        if count := decoder.skipped(first, self._start):
            problem = f"{count} frames before the first key frame cannot be decoded"
            decoder.count_damage(problem, count=count)
            self.warnings.append(f"{problem}: the video begins without one")
        if lacking := decoder.missing_bytes:
            problem = f"the file ends {lacking:,} bytes before the end that its header states"
            if self._end is None:
                decoder.count_damage(problem)
            self.warnings.append(f"{problem}: it may be truncated")

        if self.info.container.startswith("mov") and (behind := movies_behind(self.path)):
            problem = f"the file holds {behind + 1} movies, one behind the other"
            if self._end is None:
                decoder.count_damage(problem)
            self.warnings.append(
                f"{problem}: only the first is read; split it, or join them by a tool for video"
            )

    def _extent(self) -> str:
        if self.info.duration is None:
            return "choose times inside the video"
        return f"the video ends at {float(self.info.duration):.3f} s"

    def _finish(self, last_end: Fraction | None) -> None:
        """Say what only the whole pass can tell: moved times, and a file that ends too early."""
        self.warnings.extend(self._clock.warnings)
        missing = self._clock.missing_at_end(last_end)
        if self._end is None and missing is not None:
            problem = f"the video ends {float(missing):.2f} s before the length in its header"
            if not self._decoder.missing_bytes:  # else it is counted already
                self._decoder.count_damage(problem)
            self.warnings.append(f"{problem}: the file may be truncated")


def check_span(start: Fraction | None, end: Fraction | None) -> None:
    """Raise `UsageError` unless a part of a video ends after it begins."""
    if start is not None and end is not None and end <= start:
        raise UsageError(
            f"--end ({float(end):g} s) is not after --start ({float(start):g} s) - give a later one"
        )


def _check_arguments(start: Fraction | None, end: Fraction | None, colorspace: str | None) -> None:
    check_span(start, end)
    if colorspace is not None and colorspace not in MATRIX_CODES:
        raise UsageError(
            f"unknown colour matrix ({colorspace}) - choose one of " + ", ".join(MATRIX_CODES)
        )
