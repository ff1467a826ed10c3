"""Copying what is not the video: sound, subtitles, attachments, chapters and metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from spikedeblur.io.ffmpeg.attachments import attach, is_attachment
from spikedeblur.io.ffmpeg.chapters import copy_chapters
from spikedeblur.io.ffmpeg.containers import (
    BEGIN_TOGETHER,
    MATROSKA,
    MOVIE,
    can_hold,
    codec_name,
    container_advice,
    open_input,
)
from spikedeblur.io.ffmpeg.continuity import Continuity
from spikedeblur.io.ffmpeg.metadata import lasting_metadata
from spikedeblur.io.ffmpeg.packets import extent, is_filler, is_redundant, move, with_decode_times
from spikedeblur.io.ffmpeg.pauses import Pauses
from spikedeblur.io.ffmpeg.subtitles import SubtitleRewriter, text_form
from spikedeblur.io.video_info import VideoInfo

_NOTICED_S = 0.05  # of sound against pictures; less is the packet with which an encoder begins


class StreamCopier:
    """Copies packets of the other streams of `info.path` into `output`, in step with the video.

    The file is opened a second time, so that memory does not depend on how its streams are
    interleaved. Subtitles and chapters follow an output that is slower than its source, sound
    cannot. `warnings` says what the output's format cannot hold, and which can.
    """

    def __init__(
        self,
        info: VideoInfo,
        output: OutputContainer,
        *,
        audio: bool = True,
        subtitles: bool = True,
    ) -> None:
        self.warnings: list[str] = []
        self._info = info
        self._output = output
        self._slower = info.slower
        self._begun: set[int] = set()
        first = info.begin if info.start is None else max(info.begin, info.start)
        self._first_frame = first * info.slower + info.delay
        self._targets: dict[int, Stream] = {}
        self._rewriters: dict[int, SubtitleRewriter] = {}
        self._times: dict[int, Continuity] = {}
        self._pauses: dict[int, Pauses] = {}
        self._pending: Packet | None = None
        self._source = open_input(info.path) if info.path is not None else None
        self._packets: Iterator[Packet] = iter(())
        # Encoders put sound that is not played before time zero. MP4 holds it there, and Matroska
        # what Matroska held; other muxers would shift the video to make room.
        both_matroska = info.container.startswith("matroska") and output.format.name in MATROSKA
        self._zero_is_first = output.format.name not in MOVIE and not both_matroska
        if self._source is None:
            return
        output.metadata.update(self._lasting(self._source.metadata))
        self._chapters, lost = copy_chapters(self._source, output, info)
        self.warnings += lost
        dropped = {
            kind for kind, wanted in (("audio", audio), ("subtitle", subtitles)) if not wanted
        }
        for stream in self._source.streams:
            if stream.index != info.video_index and stream.type not in dropped:
                self._add(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._source is not None:
            self._source.close()

    @property
    def time_bases(self) -> list[Fraction]:
        """Time bases of the copied streams."""
        if self._source is None:
            return []
        bases = (self._source.streams[index].time_base for index in self._targets)
        return [Fraction(base) for base in bases if base is not None]

    @property
    def has_defaults(self) -> bool:
        """Return whether the source says which of its streams are played by default."""
        return self._source is not None and any(
            stream.disposition & Disposition.default for stream in self._source.streams
        )

    @property
    def _is_hidden_before_zero(self) -> bool:
        """Return whether an edit list hides what is before zero, such as AAC's first packet."""
        return self._source is not None and "mov" in self._source.format.name.split(",")

    def begin(self) -> None:
        """Start reading; call when the output's header has been written."""
        if self._source is None or not self._targets:
            return
        for stream in self._source.streams:
            if stream.index not in self._targets:
                stream.discard = av.stream.Discard.all
        if self._info.start is not None and self._info.start > 0:
            try:
                self._source.seek(int(self._info.start * av.time_base), backward=True)
            except av.FFmpegError:
                self._source.close()
                self._source = open_input(self._info.path)  # type: ignore[arg-type]
        wanted = [self._source.streams[index] for index in self._targets]
        self._packets = with_decode_times(self._source.demux(*wanted))

    def copy_until(self, time: Fraction | None) -> None:
        """Write packets that begin before `time` (seconds in the output); `None` for all."""
        while (packet := self._next()) is not None:
            begin, end = extent(packet)
            if self._info.end is not None and begin is not None and begin >= self._info.end:
                continue
            if self._info.start is not None and end is not None and end <= self._info.start:
                continue
            if begin is not None:
                begin = begin * self._slower + self._info.delay
            if self._zero_is_first and begin is not None and begin < 0:
                if end is None or end > 0 or not self._is_hidden_before_zero:
                    self._warn_once(
                        "sound before the clock's zero is left out: "
                        f"{self._output.format.name} has no place"
                    )
                continue
            if time is not None and begin is not None and begin > time:
                self._pending = packet
                return
            self._note_begin(packet, begin)
            move(packet, self._slower, self._info.delay)
            self._write(packet)
        if time is None:
            for rewriter in self._rewriters.values():
                self._put(rewriter.flush(), rewriter.target)
            self.warnings += filter(None, (each.warning for each in self._pauses.values()))

    def _note_begin(self, packet: Packet, begin: Fraction | None) -> None:
        """Say, of the first packet of sound, when its distance from the pictures is lost."""
        index, name = packet.stream.index, self._output.format.name
        if name not in BEGIN_TOGETHER or packet.stream.type != "audio" or index in self._begun:
            return
        self._begun.add(index)
        distance = 0.0 if begin is None else float(begin - self._first_frame)
        if abs(distance) > _NOTICED_S:
            self.warnings.append(
                f"the sound of stream {index} begins {abs(distance):.2f} s "
                f"{'after' if distance > 0 else 'before'} the video, which {name} cannot hold: it "
                "begins with the video; use .mkv or .mp4"
            )

    def _write(self, packet: Packet) -> None:
        """Write a packet into its target, in the target's form."""
        index = packet.stream.index
        packets: Iterable[Packet] = [packet]
        if index in self._rewriters:
            try:
                packets = list(self._rewriters[index].rewritten(packet))
            except av.FFmpegError:
                self._warn_once(f"damaged packets of the subtitle stream {index} are left out")
                return
        elif (pauses := self._pauses.get(index)) is not None:
            packets = pauses.filled(packet)
        self._put(packets, self._targets[index])

    def _put(self, packets: Iterable[Packet], target: Stream) -> None:
        for packet in packets:
            packet.stream = target
            self._output.mux(packet)

    def _next(self) -> Packet | None:
        """The packet put back, else the next one that is not a flush marker."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            return pending
        try:
            for packet in self._packets:
                # Flush markers are empty. A missing dts says nothing: Matroska has real ones.
                if packet.size and not is_filler(packet) and self._follows(packet):
                    return packet
        except (av.FFmpegError, IndexError):
            pass  # the video's reader has met, and counted, the same damage
        return None

    def _follows(self, packet: Packet) -> bool:
        """Return whether a packet's time is after the last one's; move times that start again."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None or packet.time_base is None or packet.stream.type == "subtitle":
            return True
        index = packet.stream.index
        line = self._times.setdefault(index, Continuity(Fraction(packet.time_base)))
        moved = line.moved(stamp)
        if packet.dts is not None:
            packet.dts = moved
        if packet.pts is not None:
            packet.pts += moved - stamp
        if line.note(moved, packet.duration or 1):
            return True
        self._warn_once(f"packets of stream {index} whose times do not increase are left out")
        return False

    def _add(self, stream: Stream) -> None:
        if is_redundant(stream, bool(self._chapters)):
            return
        if stream.type == "audio" and self._slower > 1:
            self.warnings.append(
                f"the audio stream {stream.index} is left out, for it cannot last "
                f"{self._slower} times as long: --slowmo-timing keep keeps it"
            )
            return
        name = self._output.format.name
        if is_attachment(stream, self._output):
            assert self._info.path is not None
            self.warnings += filter(None, [attach(stream, self._info.path, self._output)])
            return
        if stream.type == "video" and not stream.disposition & Disposition.attached_pic:
            self.warnings.append(
                f"the video stream {stream.index} is copied as it is: only the first is deblurred"
            )
        if can_hold(stream, name):
            target = self._output.add_stream_from_template(stream, opaque=True)
            self._take_as(target, stream)
            return
        if (form := text_form(stream, name)) is not None:
            self._rewrite(stream, form)
            return
        self.warnings.append(
            f"the {stream.type} stream {stream.index} ({codec_name(stream)}) is "
            f"not kept in {name}: {container_advice(stream)}"
        )

    def _rewrite(self, stream: Stream, form: str) -> None:
        """Keep the text of subtitles in a format that cannot hold them as they are."""
        rewriter = SubtitleRewriter(stream, self._output, form)
        self._rewriters[stream.index] = rewriter
        self._take_as(rewriter.target, stream)
        self.warnings.append(
            f"the subtitle stream {stream.index} ({codec_name(stream)}) becomes "
            f"{form}, which may lose styling: {container_advice(stream)} "
            "to keep all"
        )

    def _take_as(self, target: Stream, stream: Stream) -> None:
        """Let `target` be what `stream` is: its language, title and marks."""
        name = self._output.format.name
        target.metadata.update(self._lasting(stream.metadata))
        target.disposition = Disposition(stream.disposition)
        marks = Disposition(stream.disposition) & ~Disposition.default
        if marks and stream.type != "video" and name not in MATROSKA | {"mp4"}:
            self.warnings.append(
                f"{name} has no mark for what stream {stream.index} is "
                f"({marks.name}): use .mkv or .mp4"
            )
        self._targets[stream.index] = target
        if (pauses := Pauses.of(stream, name)) is not None:
            self._pauses[stream.index] = pauses

    def _lasting(self, metadata: dict[str, str]) -> dict[str, str]:
        info = self._info
        return lasting_metadata(metadata, self._output.format.name, info.skipped, info.average_rate)

    def _warn_once(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)
