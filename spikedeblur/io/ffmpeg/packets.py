"""Packets of the streams beside the video: which are left out, and where in time they lie."""

from __future__ import annotations

from fractions import Fraction

from av.packet import Packet
from av.stream import Stream


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
