"""Writing video: every frame at its exact time, everything else of the input beside it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from av.packet import Packet

from spikedeblur.errors import OutputError
from spikedeblur.io.ffmpeg.containers import (
    MATROSKA,
    MOVIE,
    codecs_held,
    container_of,
    open_output,
    output_errors,
    pipe_container,
)
from spikedeblur.io.ffmpeg.encoder import VideoEncoder
from spikedeblur.io.ffmpeg.encoders import AS_INPUT, EncoderChoice, EncoderSettings, choose_encoder
from spikedeblur.io.ffmpeg.losses import layouts_of, losses, tags_of
from spikedeblur.io.ffmpeg.matroska import display_elements, filler, put_in
from spikedeblur.io.ffmpeg.metadata import needs_key_list
from spikedeblur.io.ffmpeg.streams import StreamCopier
from spikedeblur.io.pipes import is_pipe
from spikedeblur.io.video_info import VideoFrame, VideoInfo

# Encoders whose packets say the shape of pixels themselves.
_ASPECT_INSIDE = frozenset({"libx264", "libx264rgb", "libx265", "mpeg2video", "mpeg4"})
_HIGHEST_TIMESCALE = 2**31 - 1


class VideoWriter:
    """Encodes frames into one file that appears, whole, when the `with` block ends well.

    `warnings` says what of the input could not be kept, and which format could keep it; it is
    complete when the block has ended. Nothing stands at the path when the block raises. The path
    `-` is standard output: Matroska, written as it is made; or `-.y4m`, `-.nut`, `-.ts`.
    """

    def __init__(
        self,
        path: Path | str,
        source: VideoInfo,
        settings: EncoderSettings = AS_INPUT,
        *,
        overwrite: bool = False,
    ) -> None:
        """Open the encoder for video like `source`.

        Raises `UsageError` for settings the encoder or the format refuses, and `OutputError` for a
        path that cannot be written.
        """
        self.path = Path(path)
        self.frames = 0
        self._warnings: list[str] = []
        self._info = source
        self._size = source.width, source.height
        self._first: tuple[int, int] | None = None
        self._newest: Packet | None = None
        self._end = 0
        self._closed = False
        self._container = (pipe_container if is_pipe(path) else container_of)(self.path)
        _refuse_input(self.path, source.path)
        if self.path.is_symlink():
            self._warnings.append(f"{path} is a link: {os.path.realpath(path)} is written")
        with ExitStack() as stack:
            choice = choose_encoder(settings, source, self._container, codecs_held(self._container))
            self._output = stack.enter_context(
                open_output(self.path, self._container, overwrite, self._complete)
            )
            self._open(choice, settings, stack)
            self._stack = stack.pop_all()

    @property
    def warnings(self) -> list[str]:
        """Warnings of what is lost of the input, as far as is known; new ones come at the end."""
        for warning in self._encoder.warnings + self._copier.warnings:
            if warning not in self._warnings:
                self._warnings.append(warning)
        return list(self._warnings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._closed:
            return
        self._closed = True
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()
        if not is_pipe(self.path):
            self._warnings += losses(
                self.path,
                self._tags,
                self._layouts,
                self._encoder.stream,
                self._info.sample_aspect_ratio,
                self._container,
            )

    def write(self, frame: VideoFrame) -> None:
        """Encode one frame; its `rgb` must have the output's size, its time follow the last one's.

        uint8 and uint16 (whole scale) arrays are both taken, for any depth of the output.
        """
        if frame.rgb.shape != (self._size[1], self._size[0], 3):
            raise ValueError(f"frame of shape {frame.rgb.shape}, output {self._size}")
        with output_errors(self.path):
            packets = self._encoder.encode(frame)
            self._copier.copy_until(frame.time)
            self._mux(packets)
        self._end = self._encoder.end
        self.frames += 1

    def append(self, packets: Iterable[Packet], end: int) -> None:
        """Copy what an encoder of the same settings made, timed in `time_base` and in order.

        end: where the last frame of `packets` ends, in the same unit. Frames given to `write` and
        packets do not go into one file.
        """
        with output_errors(self.path):
            for packet in packets:
                self._copier.copy_until(cast(int, packet.dts) * self.time_base)
                packet.stream = self._encoder.stream
                self._mux([packet])
                self.frames += 1
        self._end = end

    @property
    def time_base(self) -> Fraction:
        """The unit of the packets' times, seconds."""
        return self._encoder.time_base

    @property
    def header(self) -> bytes:
        """The encoder's, see `VideoEncoder`."""
        return self._encoder.header

    def _open(self, choice: EncoderChoice, settings: EncoderSettings, stack: ExitStack) -> None:
        self._encoder = VideoEncoder(self._output, self._container, self.path, self._info, choice)
        self._copier = stack.enter_context(
            StreamCopier(
                self._info, self._output, audio=settings.audio, subtitles=settings.subtitles
            )
        )
        if self._container in MOVIE:
            self._output.container_options.update(self._movie_options())
        if self._container in MATROSKA and self._copier.has_defaults:
            self._output.container_options["default_mode"] = "passthrough"
        if self._info.notes.words:
            words = ", ".join(self._info.notes.words)
            self._warnings.append(f"not kept in a video: {words} of the images - use .png")
        if self._container == "yuv4mpegpipe":
            self._output.container_options["strict"] = "-1"  # its depths above 8 are an extension
        if self._container == "gif" and (loops := gif_loops(self._info)) is not None:
            self._output.container_options["loop"] = str(loops)
        self._tags, self._layouts = tags_of(self._output), layouts_of(self._output)
        self._reserve()
        self._output.start_encoding()
        self._copier.begin()

    def _movie_options(self) -> dict[str, str]:
        """Options of the MP4 muxer that keep starts exact and tags that iTunes does not know."""
        scales = [self._encoder.time_base.denominator]
        scales += [base.denominator for base in self._copier.time_bases]
        scale = math.lcm(*scales)
        options = {"movie_timescale": str(scale if scale <= _HIGHEST_TIMESCALE else scales[0])}
        if needs_key_list(self._output.metadata, self._container):
            options["movflags"] = "+use_metadata_tags"
        return options

    def _reserve(self) -> None:
        """Make room in Matroska for what its muxer does not write of the frame."""
        self._geometry = b""
        source, size = self._info.geometry, (self._info.width, self._info.height)
        aspect = self._info.sample_aspect_ratio or Fraction(1)
        if self._container not in MATROSKA or is_pipe(self.path):
            self._note_geometry()
            codec = self._encoder.stream.codec_context.codec.name
            lone = self._container == "yuv4mpegpipe" or codec not in _ASPECT_INSIDE
            if is_pipe(self.path) and aspect != 1 and lone:
                self._warnings.append(
                    f"the pixel aspect {aspect} is not kept by {codec} in a pipe: write a file"
                )
        elif source is not None and source.size == size:
            self._geometry = source.elements
            if aspect != 1 and not source.has_shape:
                self._geometry += display_elements(source.cropped_size, aspect)
        elif aspect != 1:
            self._geometry = display_elements(size, aspect)
        if self._geometry:
            tags = self._encoder.stream.metadata
            tags["title"] = tags.get("title", "") + filler(self._geometry)

    def _note_geometry(self) -> None:
        if self._info.geometry is not None and (words := self._info.geometry.words()):
            self._warnings.append(f"{words} of the container is not kept: use .mkv")

    def _complete(self, path: Path) -> None:
        """Put into the finished file what the muxer does not write."""
        title = self._tags[self._encoder.stream.index].get("title", "")
        if self._geometry and not put_in(path, self._geometry, title):
            self._note_geometry()

    def _mux(self, packets: Iterable[Packet]) -> None:
        """Write packets; the newest waits, for the very last one is treated apart."""
        for packet in packets:
            if self._first is None:
                self._first = cast(int, packet.pts), cast(int, packet.dts)
            if self._container == "avi":
                # Whose first frame is at zero, and which fills what lies before the second.
                packet.pts = cast(int, packet.pts) - self._first[1]
                packet.dts = cast(int, packet.dts) - self._first[1]
            if self._newest is not None:
                self._output.mux(self._newest)
            self._newest = packet

    def _mux_last(self) -> None:
        """Give the last packet what is left of the video's length."""
        if self._newest is None or self._first is None:
            return
        if self._container in MOVIE:
            # MP4 adds up durations in decoding order; the sum must be that of the display.
            first_pts, first_dts = self._first
            length = self._end - first_pts
            self._newest.duration = max(length - (cast(int, self._newest.dts) - first_dts), 1)
        self._output.mux(self._newest)

    def _finish(self) -> None:
        """Flush the encoder, copy what is left, and write the trailer."""
        if self.frames == 0:
            raise OutputError(f"no frame was written ({self.path}) - nothing to keep")
        with output_errors(self.path):
            self._mux(self._encoder.flush())
            self._mux_last()
            self._copier.copy_until(None)


def gif_loops(info: VideoInfo) -> int | None:
    """Return an animation's loops as FFmpeg's muxer takes them: 0 for ever, -1 once, else how often
    it is played again; None for what is no animation.
    """
    if info.loops is not None:
        return info.loops - 1 if info.loops > 1 else -info.loops
    if info.container != "gif" or info.path is None:
        return None
    with info.path.open("rb") as file:
        head = file.read(1024)
    found = head.find(b"NETSCAPE2.0\x03\x01")
    return -1 if found < 0 else int.from_bytes(head[found + 13 : found + 15], "little")


def _refuse_input(path: Path, source: Path | None) -> None:
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise OutputError(f"the output is the input ({path}) - choose another -o")
