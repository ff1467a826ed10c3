"""Encoding: frames become packets of a stream, at their exact times and in the input's colours."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition

from spikedeblur.errors import OutputError, UsageError
from spikedeblur.io.colour import ColourConverter, copied
from spikedeblur.io.colour_tags import FULL, LIMITED, RGB_MATRIX, PixelLayout
from spikedeblur.io.ffmpeg.containers import CONSTANT_RATE, MATROSKA, MOVIE, MPEG, TIME_GRIDS
from spikedeblur.io.ffmpeg.encoders import EncoderChoice, open_encoder
from spikedeblur.io.ffmpeg.metadata import lasting_metadata
from spikedeblur.io.video_info import VideoFrame, VideoInfo

# libx265 leaves dts uninitialised when the video ends before its reordering has begun.
_FRAMES_OF_REAL_DTS = 3
_GLOBAL_HEADER = 0x40  # AVFMT_GLOBALHEADER
# These count frames of one rate, though the format could hold others.
_CONSTANT_RATE_CODECS = frozenset({"mpeg1video", "mpeg2video", "mpeg4"})


class VideoEncoder:
    """The video stream of `output`: takes frames, gives packets.

    container: the format the packets are for, in which `output` may be a segment. `warnings` says
    what of the input is not kept, as far as is known. `end` is where the last frame ends, counted
    in `time_base` as all times of packets are.
    Raises `UsageError` for what the encoder or the format refuses.
    """

    def __init__(
        self,
        output: OutputContainer,
        container: str,
        path: Path,
        source: VideoInfo,
        choice: EncoderChoice,
    ) -> None:
        self.path = path
        self.warnings = list(choice.warnings)
        self.time_base = source.time_base
        self.end = 0
        self._container = container
        self._info = source
        self._frames = 0
        self._last_place: int | None = None  # in the grid of the format, if it has one
        self._durations: dict[int, int] = {}
        self._inexact = False
        self._grid = self._choose_time_base(choice.codec)
        self._first_time = source.begin * source.slower + source.delay
        self._first_pts = _nearest(self._first_time / self.time_base)
        self.stream = self._add_stream(output, choice)

    @property
    def header(self) -> bytes:
        """Return the decoder's configuration, which equal settings share."""
        return self.stream.codec_context.extradata or b""

    def encode(self, frame: VideoFrame) -> list[Packet]:
        """Encode one frame; its time must follow the last one's."""
        pts = self._exact_pts(frame)
        self._durations[pts] = self._exact_duration(frame)
        self.end = pts + self._durations[pts]
        picture = self._picture(frame)
        picture.colorspace, picture.color_range = self._tags
        picture.pts, picture.time_base = pts, self.time_base
        picture.duration = self._durations[pts]
        self._frames += 1
        return self._packets(picture)

    def _picture(self, frame: VideoFrame) -> av.VideoFrame:
        """The frame in the output's pixel format.

        One that is as it was read keeps the codes it had; of another the luma that RGB cannot hold,
        above white and below black, is what it was, and the change is added to it.
        """
        decoded = frame.decoded
        if (
            decoded is None
            or not self._same_codes
            or decoded.rgb.shape != frame.rgb.shape
            or decoded.frame.format.name != self._pix_fmt
            or decoded.frame.format.has_palette
        ):
            return self._converter.from_rgb(frame.rgb, self._pix_fmt)
        if np.array_equal(frame.rgb, decoded.rgb):
            return copied(decoded.frame)
        beyond = self._converter.beyond(decoded.frame, decoded.rgb)
        return self._converter.from_rgb(frame.rgb, self._pix_fmt, beyond)

    def flush(self) -> list[Packet]:
        """The packets that are left when the last frame is encoded."""
        return self._packets(None) if self._frames else []

    def _packets(self, picture: av.VideoFrame | None) -> list[Packet]:
        packets = [each for each in self.stream.encode(picture) if each.pts is not None]
        for packet in packets:
            packet.duration = self._durations.pop(cast(int, packet.pts), packet.duration or 0)
            if packet.dts is None or (picture is None and self._frames < _FRAMES_OF_REAL_DTS):
                packet.dts = packet.pts
        return packets

    def _choose_time_base(self, codec: str) -> Fraction | None:
        """Return the grid that times are rounded to, or None when they are kept."""
        if self._container in MPEG:
            self.warnings.append("MPEG streams move all times: .mp4 and .mov keep them exactly")
        if self._container in CONSTANT_RATE or codec in _CONSTANT_RATE_CODECS:
            self.time_base = 1 / self._info.average_rate
            return self.time_base
        return TIME_GRIDS.get(self._container)

    def _add_stream(self, output: OutputContainer, choice: EncoderChoice) -> av.VideoStream:
        container = self._container
        try:
            stream = cast(
                av.VideoStream, output.add_stream(choice.codec, rate=self._info.average_rate)
            )
        except ValueError:
            raise UsageError(
                f"the format {container} cannot hold {choice.codec} "
                f"({self.path.name}) - use .mkv, or another --codec"
            ) from None
        context = stream.codec_context
        context.width, context.height = self._info.width, self._info.height
        context.pix_fmt = choice.pix_fmt
        context.time_base = self.time_base
        context.flags |= Flags.frame_duration
        if not av.format.ContainerFormat(container, "w").flags & _GLOBAL_HEADER:
            context.flags &= ~Flags.global_header
        self._set_colour(context, choice.pix_fmt)
        if self._info.sample_aspect_ratio:
            context.sample_aspect_ratio = self._info.sample_aspect_ratio
        if choice.codec == "libx265" and output.format.name in MOVIE:
            context.codec_tag = "hvc1"  # the only tag Apple's players take
        stream.metadata.update(
            lasting_metadata(
                self._info.stream_metadata,
                output.format.name,
                self._info.skipped,
                self._info.average_rate,
            )
        )
        stream.disposition = Disposition(self._info.disposition)
        if self._info.display_matrix is not None:
            stream.set_display_matrix(self._info.display_matrix)
            if container not in MOVIE | MATROSKA:
                self.warnings.append(f"the rotation is not kept in {container}: use .mp4 or .mkv")
        open_encoder(context, choice)
        self._pix_fmt = choice.pix_fmt
        return stream

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
        self._same_codes = full == self._info.full_range

    def _exact_pts(self, frame: VideoFrame) -> int:
        """The frame's time in the output's time base, strictly after the last one."""
        time = frame.time + self._info.delay
        # Reckoned from the first frame, so that equal steps stay equal.
        pts = self._first_pts + _nearest((time - self._first_time) / self.time_base)
        if pts * self.time_base != time or (self._grid and (time / self._grid).denominator != 1):
            self._note_inexact()
        if pts < 0:
            raise OutputError(
                f"a frame at {float(frame.time):.3f} s, before the video's first by its header, "
                f"cannot be written ({self.path}) - give --start {float(self._info.begin):g}"
            )
        place = pts if self._grid is None else _nearest(pts * self.time_base / self._grid)
        if self._last_place is not None and place <= self._last_place:
            raise OutputError(
                f"two frames fall on the same time, {float(frame.time):.6f} s "
                f"({self.path}) - use .mp4 or .mov"
            )
        self._last_place = place
        return pts

    def _exact_duration(self, frame: VideoFrame) -> int:
        """The time until the next frame; MP4 keeps no other duration than that."""
        return max(_nearest(frame.interval / self.time_base), 1)

    def _note_inexact(self) -> None:
        if not self._inexact:
            self._inexact = True
            grid = self._grid or self.time_base
            name = self.stream.codec_context.name
            culprit = name if name in _CONSTANT_RATE_CODECS else self._container
            self.warnings.append(
                f"frame times are rounded to {float(grid) * 1000:g} ms by "
                f"{culprit}: .mp4 and .mov keep them exactly"
            )


def _nearest(ticks: Fraction) -> int:
    """The nearest whole number; halves all go up, where `round` sends every second one down."""
    return math.floor(ticks + Fraction(1, 2))
