"""Pauses within sound, in formats that give it no times of its own: filled with silence, or said.

Of a recorder that missed some sound, what follows would come early, and stay so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from spikedeblur.io.ffmpeg.containers import MOVIE

_NOTICED_S = Fraction(1, 20)  # less is what containers round times by
_LINEAR = re.compile(r"pcm_[sfu](\d+)(?:le|be)?")
_SILENT_BYTE = {"pcm_u8": b"\x80", "pcm_alaw": b"\xd5", "pcm_mulaw": b"\xff"}


class Pauses:
    """The pauses of one stream of sound on its way into a format that cannot hold them.

    warning: the first of them, and how many there are; None as long as there is none.
    """

    def __init__(self, stream: AudioStream, container: str) -> None:
        self.warning: str | None = None
        self._first, self._count = "", 0
        self._index, self._container = stream.index, container
        context = stream.codec_context
        self._rate, self._channels = context.sample_rate, context.channels
        self._silence = _SILENT_BYTE.get(context.name, b"\0")
        self._sample_bytes = _sample_bytes(context.name)
        self._end: Fraction | None = None

    @classmethod
    def of(cls, stream: Stream, container: str) -> Pauses | None:
        """None where a format keeps the times: MP4 and its like do, but not of PCM."""
        if not isinstance(stream, AudioStream) or not stream.codec_context.sample_rate:
            return None
        untimed = container in MOVIE and _sample_bytes(stream.codec_context.name) > 0
        return cls(stream, container) if untimed or container == "avi" else None

    def filled(self, packet: Packet) -> Iterator[Packet]:
        """The packet, behind as much silence as lies between it and the one before."""
        if packet.pts is None or packet.time_base is None:
            yield packet
            return
        begin = packet.pts * Fraction(packet.time_base)
        pause = Fraction(0) if self._end is None else begin - self._end
        if pause > _NOTICED_S:
            yield from self._fill(packet, begin - pause, pause)
        self._end = begin + self._lasts(packet)
        yield packet

    def _lasts(self, packet: Packet) -> Fraction:
        """Seconds of sound in a packet."""
        if self._sample_bytes:
            samples = packet.size // (self._sample_bytes * self._channels)
            return Fraction(samples, self._rate)
        return (packet.duration or 0) * Fraction(packet.time_base or 1)

    def _fill(self, following: Packet, begin: Fraction, pause: Fraction) -> Iterator[Packet]:
        """Silence of `pause` seconds from `begin` on, a second to a packet; none if not PCM."""
        self._note(begin, pause)
        left = round(pause * self._rate) if self._sample_bytes else 0
        base = Fraction(following.time_base or 1)
        while left > 0:
            samples = min(left, self._rate)
            packet = Packet(self._silence * (samples * self._channels * self._sample_bytes))
            packet.time_base = base
            packet.pts = packet.dts = round(begin / base)
            packet.duration = max(round(Fraction(samples, self._rate) / base), 1)
            yield packet
            begin += Fraction(samples, self._rate)
            left -= samples

    def _note(self, begin: Fraction, pause: Fraction) -> None:
        """Say it, once for all pauses."""
        self._first = self._first or f"{float(pause):.2f} s at {float(begin):.2f} s"
        self._count += 1
        more = f", and {self._count - 1} more" if self._count > 1 else ""
        early = "what follows comes early; use .mkv or .mp4"
        self.warning = (
            f"the sound of stream {self._index} pauses ({self._first}{more}), which "
            f"{self._container} cannot hold: {'silence fills it' if self._sample_bytes else early}"
        )


def _sample_bytes(codec: str) -> int:
    """Bytes of a sample of PCM; 0 of any other codec."""
    if codec in _SILENT_BYTE:
        return 1
    linear = _LINEAR.fullmatch(codec)
    return 0 if linear is None else int(linear[1]) // 8
