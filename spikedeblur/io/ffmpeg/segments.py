"""Parts of a video, each encoded into its own file, that are joined without encoding again.

A segment holds pictures only. It is a NUT file, which holds the packets of nearly every encoder as
they are and which FFmpeg's players, mpv and VLC play. The times in it are for those who look at it;
a whole is joined by the exact ones, which are kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
from av.packet import Packet

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.ffmpeg.containers import (
    codecs_held,
    container_of,
    open_input,
    open_output,
    output_errors,
)
from spikedeblur.io.ffmpeg.encoder import VideoEncoder
from spikedeblur.io.ffmpeg.encoders import AS_INPUT, EncoderSettings, choose_encoder
from spikedeblur.io.video_info import VideoFrame, VideoInfo

_FORMATS = "nut", "mov"  # the second for ProRes and DNxHD, which NUT has no names for


class SegmentWriter:
    """Encodes frames into a segment of the video `whole`; it appears when the block ends well.

    settings: those of `whole`; sound and subtitles belong there.
    After the block `times` holds the pts of each packet, in decoding order, and `end` where the
    last frame ends, counted in the time base of `whole`.
    """

    def __init__(
        self, path: Path, whole: Path, source: VideoInfo, settings: EncoderSettings = AS_INPUT
    ) -> None:
        self.path = path
        self.times: list[int] = []
        self.end = 0
        container = container_of(whole)
        choice = choose_encoder(settings, source, container, codecs_held(container))
        form = segment_format(choice.codec)
        if form is None:
            raise UsageError(
                f"{choice.codec} cannot be written in segments ({whole}) - choose another --codec"
            )
        with ExitStack() as stack:
            self._output = stack.enter_context(open_output(path, form, overwrite=True))
            self._encoder = VideoEncoder(self._output, container, whole, source, choice)
            self._output.start_encoding()
            self._stack = stack.pop_all()

    @property
    def warnings(self) -> list[str]:
        """Warnings of what is lost of the input, as far as is known."""
        return self._encoder.warnings

    @property
    def header(self) -> bytes:
        """The encoder's, see `VideoEncoder`."""
        return self._encoder.header

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._mux(self._encoder.flush())

    def write(self, frame: VideoFrame) -> None:
        """Encode one frame, as `VideoWriter.write` does."""
        with output_errors(self.path):
            self._mux(self._encoder.encode(frame))
        self.end = self._encoder.end

    def _mux(self, packets: Sequence[Packet]) -> None:
        self.times += [cast(int, packet.pts) for packet in packets]
        self._output.mux(packets)


def segment_format(codec: str) -> str | None:
    """The format of a segment for packets of an encoder; None if there is none."""
    return next((each for each in _FORMATS if codec in codecs_held(each)), None)


def delay_of(times: Sequence[int]) -> int:
    """Return the delay from decoding a frame to showing it, in units of `times`.

    times: pts in decoding order. The frame decoded as number i is shown no earlier than `delay`
    before the one that is shown as number i.
    """
    return max((shown - pts for shown, pts in zip(sorted(times), times, strict=True)), default=0)


def timed_packets(
    path: Path, times: Sequence[int], end: int, delay: int, time_base: Fraction
) -> Iterator[Packet]:
    """The packets of a segment at the times they have in the whole.

    delay: the largest of all segments; dts is the time that is due in the order of display, less
    it, so that it increases and is never after pts. Raises `InputError` when packets are missing.
    """
    shown = sorted(times)
    durations = {pts: following - pts for pts, following in pairwise([*shown, end])}
    found = 0
    with open_input(path) as container:
        for packet in _packets(container, path):
            if found < len(times):
                packet.time_base = time_base
                packet.pts, packet.dts = times[found], shown[found] - delay
                packet.duration = max(durations[times[found]], 1)
                yield packet
            found += 1
    if found != len(times):
        raise InputError(
            f"the segment {path} holds {found} frames in place of {len(times)} - "
            "remove it, then give --resume"
        )


def _packets(container: av.container.InputContainer, path: Path) -> Iterator[Packet]:
    """Those of the video; flush markers are empty."""
    try:
        yield from (packet for packet in container.demux(video=0) if packet.size)
    except av.FFmpegError as error:
        raise InputError(
            f"the segment {path} is damaged ({error}) - remove it, then give --resume"
        ) from error
