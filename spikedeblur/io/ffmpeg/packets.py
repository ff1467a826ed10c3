"""Packets of the streams beside the video: which are left out, and where in time they lie."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.packet import Packet
from av.stream import Stream

_MOST_AHEAD = 256  # packets that are looked at before one is passed on


def with_decode_times(packets: Iterator[Packet]) -> Iterator[Packet]:
    """Give the first packets of video with reordered frames the decode times that they lack.

    Matroska holds times of display alone. FFmpeg reckons from them when a packet is decoded, but
    only from the packet on by which it knows how far frames are moved; those before are given even
    steps back from there. Raises what reading the packets raises, after those that were read.
    """
    ahead: list[Packet] = []
    untimed: dict[int, list[Packet]] = {}
    known: set[int] = set()
    try:
        for packet in packets:
            ahead.append(packet)
            index = packet.stream.index
            if packet.stream.type == "video" and packet.size and index not in known:
                if packet.dts is None:
                    untimed.setdefault(index, []).append(packet)
                else:
                    known.add(index)
                    _count_back(untimed.pop(index, []), packet.dts)
            if not untimed or len(ahead) >= _MOST_AHEAD:
                untimed.clear()
                yield from ahead
                ahead.clear()
    except (av.FFmpegError, IndexError):
        yield from ahead
        raise
    yield from ahead


def _count_back(packets: list[Packet], dts: int) -> None:
    """Decode packets in even steps, such that the one after them is decoded at `dts`."""
    for packet in reversed(packets):
        dts -= _step(packet)
        packet.dts = dts


def _step(packet: Packet) -> int:
    """The time of one frame in units of the packet's time base."""
    rate = packet.stream.average_rate
    if packet.duration or not rate or not packet.time_base:
        return packet.duration or 1
    return max(round(1 / rate / packet.time_base), 1)


def is_redundant(stream: Stream, chapters: bool) -> bool:
    """Return whether the muxer writes this data stream anyway (chapter titles, timecode)."""
    if stream.type != "data":
        return False
    timecode = "timecode" in stream.metadata
    return timecode or (chapters and stream.name in {"bin_data", "text"})


def is_filler(packet: Packet) -> bool:
    """Return whether this is MP4's empty text between subtitles, which its muxer adds itself."""
    context = packet.stream.codec_context
    return (
        packet.size == 2
        and context is not None
        and context.name == "mov_text"
        and bytes(packet) == b"\0\0"
    )


def move(packet: Packet, slower: int, delay: Fraction) -> None:
    """Move a packet to where it belongs on a slower clock, `delay` seconds late."""
    ticks = round(delay / Fraction(packet.time_base or 1))
    if packet.pts is not None:
        packet.pts = packet.pts * slower + ticks
    if packet.dts is not None:
        packet.dts = packet.dts * slower + ticks
    packet.duration = (packet.duration or 0) * slower


def extent(packet: Packet) -> tuple[Fraction | None, Fraction | None]:
    """Begin and end of a packet in seconds, where it says."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    if stamp is None or packet.time_base is None:
        return None, None
    base = Fraction(packet.time_base)
    return stamp * base, (stamp + max(packet.duration or 0, 1)) * base
