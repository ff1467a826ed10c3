"""Decoding one file's main video stream: where to begin, what is damaged, what is too large."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition

from spikedeblur.errors import InputError
from spikedeblur.io.ffmpeg.clock import FrameClock
from spikedeblur.io.ffmpeg.containers import error_text, open_input
from spikedeblur.io.guards import limits
from spikedeblur.io.guards.cut_files import missing_bytes

MAX_DAMAGED_IN_A_ROW = 8
COLOUR_TAGS = "colorspace", "color_range", "color_primaries", "color_trc"
# A seek that lands after the wanted frame is tried again from further back, then not at all.
_SEEK_MARGINS_S = (0, 10)


class Decoder:
    """Yields the decoded frames of the first real video stream of a file, one at a time.

    `damaged` counts packets that could not be decoded; `strict` makes the first one an error.
    `colour`: the container's tags, by `COLOUR_TAGS`. `missing_bytes`: how many the file lacks of
    what its header states.
    """

    def __init__(self, path: Path, *, strict: bool, max_pixels: int | None, threads: int) -> None:
        self.path = path
        self._strict = strict
        self._max_pixels = max_pixels or limits.max_pixels()
        self._threads = threads
        self.missing_bytes = missing_bytes(path) if path.is_file() else 0
        self._open()

    def close(self) -> None:
        """Release the decoder and the file."""
        self.container.close()

    def skipped(self, first: av.VideoFrame, start: Fraction | None) -> int:
        """Frames from `start` on that come before `first`, which nothing can decode."""
        if self._sought or self.clock.counting or first.pts is None:
            return 0
        low = None if start is None else start / self.clock.time_base
        early = {pts for pts in self._before if pts < first.pts and (low is None or pts >= low)}
        return len(early)

    def first(self, start: Fraction | None) -> av.VideoFrame:
        """Return the first frame; when `start` is given, one at or before it, by seeking.

        `frames` goes on behind it. Raises `InputError` when nothing can be decoded.
        """
        # Of Ogg files that were joined, a seek can end in any one of them.
        if start is not None and not self.clock.counting and self.container.format.name != "ogg":
            for margin in _SEEK_MARGINS_S:
                frame = self._try_seek(start, start - margin)
                if frame is not None:
                    self.check_size(frame.width, frame.height)
                    return frame
                self.container.close()
                self._open()
        frame = next(self.frames, None)
        if frame is None:
            self._refuse_unknown_size()
            raise InputError(
                f"no frame of the video can be decoded ({self.path}) - check that it "
                "plays; the file may be truncated"
            )
        self.check_size(frame.width, frame.height)
        return frame

    def check_size(self, width: int, height: int) -> None:
        """Raise `InputError` for frames of more than `max_pixels` pixels."""
        limits.check_pixels("the video", self.path, (width, height), self._max_pixels)

    def count_damage(self, what: str, in_a_row: int = 1, count: int = 1) -> None:
        """Count damaged packets or frames; raise `InputError` when that is one too many."""
        self.damaged += count
        if self._strict:
            raise InputError(
                f"the video is damaged ({self.path}: {what}) - repair or copy it "
                "again, or leave out --strict"
            )
        if in_a_row > MAX_DAMAGED_IN_A_ROW:
            self._refuse_unknown_size()
            raise InputError(
                f"{in_a_row} damaged packets in a row ({self.path}: {what}) - the "
                "file is too damaged to go on"
            )

    def _open(self) -> None:
        """Open the file at its beginning, with a fresh decoder, and forget what was counted."""
        self.container: InputContainer = open_input(self.path, self._max_pixels)
        self.stream = _main_video(self.container, self.path)
        self._before: list[int] = []
        self._sought = False
        context = self.stream.codec_context
        if not self._size_unknown():
            self.check_size(context.width, context.height)
        # Read before a decoder runs, which puts what the stream says itself in their place.
        self.colour = tuple(int(getattr(context, name)) for name in COLOUR_TAGS)
        # Given to the decoder as well: a header may promise less than the frames need.
        context.options = limits.decoder_options(self._max_pixels)
        context.thread_count = self._threads
        self.clock = FrameClock(self.stream, self.container, cut=self.missing_bytes > 0)
        self.damaged = 0
        self.frames: Iterator[av.VideoFrame] = self._decode()

    def _size_unknown(self) -> bool:
        """Return whether the header leaves it open, or the decoder refused it as too large."""
        return 0 in (self.stream.codec_context.width, self.stream.codec_context.height)

    def _refuse_unknown_size(self) -> None:
        """Say why there may be no frames, where that is a reason."""
        if self._size_unknown():
            raise InputError(
                f"the frames have more than {self._max_pixels} pixels, or cannot be "
                f"decoded ({self.path}) - give --max-pixels, or check that it plays"
            )

    def _decode(self) -> Iterator[av.VideoFrame]:
        packets = self.container.demux(self.stream)
        in_a_row = 0
        begun = seen_key = ended = False
        while True:
            packet = None
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                seen_key = seen_key or packet.is_keyframe
                if not begun and packet.pts is not None and not packet.is_discard:
                    self._before.append(packet.pts)
                self.clock.decoding(packet)
                # Theora repeats the last picture by a packet without bytes: it lasts longer. The
                # packet without a time is the end.
                if not packet.size and packet.dts is not None:
                    continue
                if packet.has_sidedata("encryption_info"):
                    raise InputError(f"the video is encrypted ({self.path}) - decrypt it first")
                frames = packet.decode()
            except (EOFError, IndexError):
                # PyAV ends with an IndexError, the decoder flushed, where damage made it see a
                # stream more than at the beginning.
                return
            except (av.FFmpegError, MemoryError) as error:
                if seen_key:  # what comes before is counted by `skipped`
                    in_a_row += 1
                    self.count_damage(error_text(error), in_a_row)
                # A decoder that never opened refuses the empty packet of the end, too: without
                # end, since each new generator brings one more.
                if ended and packet is not None and not packet.size:
                    return
                ended = packet is not None and not packet.size
                # A generator that raised has ended; the container goes on where it stood.
                packets = self.container.demux(self.stream)
                continue
            for frame in frames:
                in_a_row, begun = 0, True
                yield frame

    def _try_seek(self, start: Fraction, target: Fraction) -> av.VideoFrame | None:
        """Seek to `target`, and return the frame reached if it is not after `start`."""
        time_base = self.clock.time_base
        self._sought = True
        try:
            self.container.seek(int(target // time_base), stream=self.stream, backward=True)
        except av.FFmpegError:
            return None
        frame = next(self.frames, None)
        if frame is None or frame.pts is None or frame.pts * time_base > start:
            return None
        return frame


def _main_video(container: InputContainer, path: Path) -> av.VideoStream:
    """The first video stream that is played by default, or else the first that is no picture.

    Cameras put the small pictures of a film strip, which no player shows, before the film.
    """
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    films = [stream for stream in container.streams.video if not stream.disposition & pictures]
    default = (stream for stream in films if stream.disposition & Disposition.default)
    if (chosen := next(default, films[0] if films else None)) is not None:
        if chosen.codec_context is None:
            raise InputError(f"there is no decoder for the video in {path} - convert it first")
        return chosen
    kinds = {"a cover" if stream.type == "video" else stream.type for stream in container.streams}
    container.close()
    raise InputError(
        f"no video stream in {path} (it holds: {', '.join(sorted(kinds)) or 'nothing'}) - give a "
        "video file"
    )
