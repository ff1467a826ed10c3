"""Subtitles of text, rewritten as the text that another container format holds.

FFmpeg reads any of them as ASS and writes any of them from it. Times are the packets' own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from spikedeblur.io.ffmpeg.containers import MOVIE, codec_name, codecs_held

_FORMS = {"matroska": "subrip", "webm": "webvtt", **dict.fromkeys(MOVIE, "mov_text")}
_TEXTS = frozenset({"srt", "subrip", "ssa", "ass", "mov_text", "webvtt", "text"})


def text_form(stream: Stream, container: str) -> str | None:
    """The codec in which `container` can hold the text of `stream`; None for none, and pictures."""
    form = _FORMS.get(container)
    if form is None or codec_name(stream) not in _TEXTS or form not in codecs_held(container):
        return None
    return form


class SubtitleRewriter:
    """Rewrites the packets of one stream for `target`, a new stream of `output`."""

    def __init__(self, stream: Stream, output: OutputContainer, form: str) -> None:
        reader = cast(SubtitleStream, stream).codec_context
        reader.open(strict=False)  # which makes its header
        self.target = cast(SubtitleStream, output.add_stream(form))
        writer = self.target.codec_context
        writer.subtitle_header = reader.subtitle_header
        writer.time_base = Fraction(1, 1000)
        writer.open()
        self._queue = OneAtATime() if form == "mov_text" else None

    def rewritten(self, packet: Packet) -> Iterator[Packet]:
        """Return the events complete by now, in the other form, at the times they had.

        Raises `av.FFmpegError` for a damaged packet.
        """
        shown = cast(SubtitleStream, packet.stream).codec_context.decode2(packet)
        text = None if shown is None else self.target.codec_context.encode_subtitle(shown)
        if text is None or not text.size:
            return
        text.pts, text.dts = packet.pts, packet.pts
        text.duration, text.time_base = packet.duration, packet.time_base
        if self._queue is None or text.pts is None or text.time_base is None:
            yield text
        else:
            yield from self._queue.add(text)

    def flush(self) -> Iterator[Packet]:
        """Return the rest after the last packet."""
        return iter(()) if self._queue is None else self._queue.flush()


@dataclass(frozen=True)
class _Event:
    data: bytes
    end: int | None
    time_base: Fraction

    @property
    def words(self) -> bytes:
        """The text of a sample of MP4: its length in two bytes, then it, then its styles."""
        return self.data[2 : 2 + int.from_bytes(self.data[:2], "big")]


class OneAtATime:
    """Events that overlap, as MP4 holds them: one sample at a time, with all that is shown then.

    Its muxer would put an event that begins before another's end behind it.
    """

    def __init__(self) -> None:
        self._active: list[_Event] = []
        self._now = 0

    def add(self, packet: Packet) -> Iterator[Packet]:
        """Take the next event; yield what is shown before it."""
        begin = cast(int, packet.pts)
        base = packet.time_base
        yield from self._until(begin)
        self._now = max(begin, self._now)
        end = begin + packet.duration if packet.duration else None
        if end is None or end > self._now:
            # One of unknown length lasts until the next begins.
            self._active = [event for event in self._active if event.end is not None]
            self._active.append(_Event(bytes(packet), end, base))

    def flush(self) -> Iterator[Packet]:
        """Yield what is left."""
        return self._until(None)

    def _until(self, stop: int | None) -> Iterator[Packet]:
        while self._active and (stop is None or self._now < stop):
            ends = [event.end for event in self._active if event.end is not None]
            until = min(ends if stop is None else [*ends, stop], default=self._now)
            yield self._sample(until)
            self._now = until
            self._active = [
                event for event in self._active if ends and (event.end or stop or 0) > until
            ]

    def _sample(self, until: int) -> Packet:
        """Return the text active from now on; the styles of a single event are kept."""
        data = self._active[0].data
        if len(self._active) > 1:
            words = b"\n".join(event.words for event in self._active)[:65535]
            data = len(words).to_bytes(2, "big") + words
        sample = Packet(data)
        sample.pts = sample.dts = self._now
        sample.duration, sample.time_base = until - self._now, self._active[0].time_base
        return sample
