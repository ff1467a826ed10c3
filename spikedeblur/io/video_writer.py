"""Writing video: every frame at its exact time, everything else of the input beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
import numpy as np
from av.codec.context import Flags

from spikedeblur.errors import OutputError, SpikedeblurError, UsageError
from spikedeblur.io.colour import FULL, LIMITED, RGB_MATRIX, ColourConverter, PixelLayout
from spikedeblur.io.containers import (
    CONSTANT_RATE,
    MATROSKA,
    MOVIE,
    TIME_GRIDS,
    container_of,
    reason,
)
from spikedeblur.io.encoders import EncoderSettings, choose_encoder, open_encoder
from spikedeblur.io.pipes import PIPE_CONTAINER, destination, is_pipe
from spikedeblur.io.streams import StreamCopier, lasting_metadata
from spikedeblur.io.video_info import VideoFrame, VideoInfo

_HIGHEST_TIMESCALE = 2**31 - 1
# libx265 leaves dts uninitialised when the video ends before its reordering has begun.
_FRAMES_OF_REAL_DTS = 3


class VideoWriter:
    """Encodes frames into one file that appears, whole, when the `with` block ends well.

    `warnings` says what of the input could not be kept, and which format could keep it; it is
    complete when the block has ended. Nothing stands at the path when the block raises. The path
    `-` is standard output: Matroska, written as it is made.
    """

    def __init__(self, path: Path | str, source: VideoInfo, *, codec: str | None = None,
                 crf: float | None = None, preset: str | None = None, pix_fmt: str = "auto",
                 encoder_options: Mapping[str, str] | None = None, audio: bool = True,
                 subtitles: bool = True, width: int | None = None, height: int | None = None,
                 time_base: Fraction | None = None, overwrite: bool = False) -> None:
        """Open the encoder for video like `source`.

        `width`, `height` and `time_base` replace those of `source`; the other arguments are the
        command line's. Raises `UsageError` for settings the encoder or the format refuses, and
        `OutputError` for a path that cannot be written.
        """
        self.path = Path(path)
        self._warnings: list[str] = []
        self.frames = 0
        self._info = source
        self._size = (width or source.width, height or source.height)
        self._time_base = time_base or source.time_base
        self._settings = EncoderSettings(codec, crf, preset, pix_fmt, encoder_options)
        self._last_pts: int | None = None
        self._first: tuple[int, int] | None = None
        self._end = 0
        self._durations: dict[int, int] = {}
        self._inexact = False
        self._closed = False
        self._container = PIPE_CONTAINER if is_pipe(path) else container_of(self.path)
        _refuse_input(self.path, source.path)
        with ExitStack() as stack:
            stack.enter_context(_output_errors(self.path))
            target = stack.enter_context(destination(self.path, overwrite))
            self._open(target, audio, subtitles, stack)
            self._stack = stack.pop_all()

    @property
    def warnings(self) -> list[str]:
        """What of the input is not kept, as far as is known."""
        return self._warnings + self._copier.warnings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._closed:
            return
        self._closed = True
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def write(self, frame: VideoFrame) -> None:
        """Encode one frame; its `rgb` must have the output's size, its time follow the last one's.

        uint8 and uint16 (whole scale) arrays are both taken, whatever the depth of the output.
        """
        if frame.rgb.shape != (self._size[1], self._size[0], 3):
            raise ValueError(f"frame of shape {frame.rgb.shape}, output {self._size}")
        pts = self._exact_pts(frame)
        self._durations[pts] = self._exact_duration(frame)
        self._end = pts + self._durations[pts]
        with _output_errors(self.path):
            picture = self._picture(frame.rgb)
            picture.pts, picture.time_base = pts, self._time_base
            picture.duration = self._durations[pts]
            self._copier.copy_until(frame.time)
            self._mux(picture)
        self.frames += 1

    def _open(self, target: str, audio: bool, subtitles: bool, stack: ExitStack) -> None:
        self._output = av.open(target, "w", format=self._container,
                               metadata_errors="surrogateescape")
        stack.push(self._abandon)
        self._grid = self._choose_time_base()
        self._add_video()
        self._copier = stack.enter_context(
            StreamCopier(self._info, self._output, audio=audio, subtitles=subtitles))
        if self._container in MOVIE:
            self._output.container_options.update(self._movie_options())
        self._output.start_encoding()
        self._copier.begin()

    def _choose_time_base(self) -> Fraction | None:
        """Return the grid the format rounds times to, or None when it keeps them."""
        if self._container in CONSTANT_RATE:
            self._time_base = 1 / self._info.average_rate
            return self._time_base
        if self._container == "mpegts":
            self._warnings.append("MPEG-TS moves all times: .mp4 and .mov keep them exactly")
        return TIME_GRIDS.get(self._container)

    def _add_video(self) -> None:
        container = self._container
        choice = choose_encoder(self._settings, self._info, self._size, container,
                                self._output.supported_codecs)
        self._warnings += choice.warnings
        try:
            stream = cast(av.VideoStream, self._output.add_stream(
                choice.codec, rate=self._info.average_rate))
        except ValueError:
            raise UsageError(f"the format {container} cannot hold {choice.codec} "
                             f"({self.path.name}) - use .mkv, or another --codec") from None
        context = stream.codec_context
        context.width, context.height = self._size
        context.pix_fmt = choice.pix_fmt
        context.time_base = self._time_base
        context.flags |= Flags.frame_duration
        self._set_colour(context, choice.pix_fmt)
        if self._info.sample_aspect_ratio:
            context.sample_aspect_ratio = self._info.sample_aspect_ratio
        if choice.codec == "libx265" and container in MOVIE:
            context.codec_tag = "hvc1"  # the only tag Apple's players take
        stream.metadata.update(lasting_metadata(self._info.stream_metadata))
        if self._info.display_matrix is not None:
            stream.set_display_matrix(self._info.display_matrix)
            if container not in MOVIE | MATROSKA:
                self._warnings.append(f"the rotation is not kept in {container}: use .mp4 or .mkv")
        open_encoder(context, choice)
        self._stream = stream
        self._pix_fmt = choice.pix_fmt

    def _set_colour(self, context: av.VideoCodecContext, pix_fmt: str) -> None:
        """Give the encoder the input's tags; only a change between RGB and YUV needs other ones."""
        tags, layout = self._info.colour, PixelLayout.of(pix_fmt)
        source = PixelLayout.of(self._info.pix_fmt).family
        was_rgb = source == "rgb"
        matrix, span = tags.matrix, tags.range
        full = self._info.full_range
        if layout.family == "rgb":
            full = True
            if not was_rgb:
                matrix, span = RGB_MATRIX, FULL
        elif was_rgb:
            full = layout.full_range
            matrix, span = self._info.matrix, FULL if full else LIMITED
        elif layout.full_range and not full:
            full, span = True, FULL
        elif source == "gray" and layout.family == "yuv":
            full = span == FULL  # untagged gray is full, untagged YUV is not
        self._tags = (matrix, FULL if layout.full_range else span)
        context.colorspace, context.color_range = self._tags
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        self._converter = ColourConverter(self._info.matrix, full)

    def _movie_options(self) -> dict[str, str]:
        """Options of the MP4 muxer that keep starts exact and tags that iTunes does not know."""
        scales = [self._time_base.denominator]
        scales += [base.denominator for base in self._copier.time_bases]
        scale = math.lcm(*scales)
        options = {"movie_timescale": str(scale if scale <= _HIGHEST_TIMESCALE else scales[0])}
        if any("." in key for key in self._output.metadata):
            options["movflags"] = "+use_metadata_tags"
        return options

    def _picture(self, rgb: np.ndarray) -> av.VideoFrame:
        picture = self._converter.from_rgb(rgb, self._pix_fmt)
        picture.colorspace, picture.color_range = self._tags
        return picture

    def _exact_pts(self, frame: VideoFrame) -> int:
        """The frame's time in the output's time base, strictly after the last one."""
        ticks = frame.time / self._time_base
        pts = round(ticks)
        if pts != ticks or (self._grid and (frame.time / self._grid).denominator != 1):
            self._note_inexact()
        if pts < 0:
            raise OutputError(f"a frame at {float(frame.time):.3f} s, before the clock's zero, "
                              f"cannot be written ({self.path}) - give --start 0")
        if self._last_pts is not None and pts <= self._last_pts:
            raise OutputError(f"two frames fall on the same time, {float(frame.time):.6f} s "
                              f"({self.path}) - use .mp4 or .mkv")
        self._last_pts = pts
        return pts

    def _exact_duration(self, frame: VideoFrame) -> int:
        """The time until the next frame; MP4 keeps no other duration than that."""
        return max(round(frame.interval / self._time_base), 1)

    def _note_inexact(self) -> None:
        if not self._inexact:
            self._inexact = True
            grid = self._grid or self._time_base
            self._warnings.append(f"frame times are rounded to {float(grid) * 1000:g} ms by "
                                 f"{self._output.format.name}: .mp4 and .mov keep them exactly")

    def _mux(self, picture: av.VideoFrame | None) -> None:
        """Encode and write; the very last packet is given what is left of the video's length."""
        packets = self._stream.encode(picture)
        for packet in packets:
            if packet.pts is None:
                continue
            packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
            if packet.dts is None or (picture is None and self.frames < _FRAMES_OF_REAL_DTS):
                packet.dts = packet.pts
            if self._first is None:
                self._first = packet.pts, packet.dts
            if self._container in MOVIE and picture is None and packet is packets[-1]:
                # MP4 adds up durations in decoding order; the sum must be that of the display.
                first_pts, first_dts = self._first
                length = self._end - first_pts
                packet.duration = max(length - (packet.dts - first_dts), 1)
        self._output.mux(packets)

    def _finish(self) -> None:
        """Flush the encoder, copy what is left, and write the trailer."""
        if self.frames == 0:
            raise OutputError(f"no frame was written ({self.path}) - nothing to keep")
        with _output_errors(self.path):
            self._mux(None)
            self._copier.copy_until(None)
            self._output.close()
    def _abandon(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the container, whatever it says: a full disk makes it raise a second time."""
        try:
            self._output.close()
        except (av.FFmpegError, OSError):
            if error is None:
                raise


class _output_errors:
    """Turns FFmpeg's errors, which are no plain OSErrors, into `OutputError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if isinstance(error, (SpikedeblurError, BrokenPipeError)):
            return  # already said, or nobody is left to read the output
        if isinstance(error, (av.FFmpegError, OSError)):
            raise OutputError(f"cannot write {self._path} ({reason(error)}) - check space, "
                              "permissions and the format") from error


def _refuse_input(path: Path, source: Path | None) -> None:
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise OutputError(f"the output is the input ({path}) - choose another -o")
