"""Subtitles of text, rewritten as the text that another container format holds.

FFmpeg reads any of them as ASS and writes any of them from it. Times are the packets' own.
"""

from __future__ import annotations

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

    def rewritten(self, packet: Packet) -> Packet | None:
        """The packet in the other form, at the same time; None if nothing is shown by it.

        Raises `av.FFmpegError` for a damaged one.
        """
        shown = cast(SubtitleStream, packet.stream).codec_context.decode2(packet)
        if shown is None:
            return None
        text = self.target.codec_context.encode_subtitle(shown)
        text.pts, text.dts = packet.pts, packet.pts
        text.duration, text.time_base = packet.duration, packet.time_base
        return text if text.size else None
