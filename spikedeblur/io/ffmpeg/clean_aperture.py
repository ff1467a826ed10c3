"""The clean aperture of MP4 and MOV: the part of the coded picture that players show.

PyAV has no access to it. It stands in the sample description of a track (ISO/IEC 14496-12, `clap`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from spikedeblur.io.ffmpeg.matroska import FrameGeometry, crop_elements

_MOST_BYTES = 1 << 24  # of the headers that are read
_TO_TABLE = (b"mdia", b"minf", b"stbl", b"stsd")
_HANDLER_KIND, _ENTRY_HEAD = slice(8, 12), 78  # bytes of a handler; of a description of pictures


def clean_aperture(path: Path) -> FrameGeometry | None:
    """Read that of the first video track; None where there is none, or one of the whole picture."""
    try:
        for track in _inside(_movie(path), (b"trak",)):
            kinds = [box[_HANDLER_KIND] for box in _inside(track, (b"mdia", b"hdlr"))]
            if kinds == [b"vide"]:
                return _of_track(track)
    except (OSError, struct.error, ZeroDivisionError):
        pass  # damage is told by who reads the pictures
    return None


def _movie(path: Path) -> bytes:
    """The movie box of a file, at most its first bytes; empty where there is none."""
    with path.open("rb") as file:
        at = 0
        while len(head := file.read(16)) >= 8:
            length, kind = struct.unpack(">I4s", head[:8])
            start = 8
            if length == 1:
                (length,), start = struct.unpack(">Q", head[8:]), 16
            if kind == b"moov":
                file.seek(at + start)
                return file.read(min(length - start, _MOST_BYTES)) if length > start else b""
            if length < start:
                return b""
            at += length
            file.seek(at)
    return b""


def _of_track(track: bytes) -> FrameGeometry | None:
    for table in _inside(track, _TO_TABLE):
        for _, entry in _boxes(table[8:]):
            size = struct.unpack(">HH", entry[24:28])
            for kind, box in _boxes(entry[_ENTRY_HEAD:]):
                if kind == b"clap":
                    return _geometry(size, box)
    return None


def _geometry(size: tuple[int, int], box: bytes) -> FrameGeometry | None:
    """The crop that a clean aperture says: width, height and the shift of its middle."""
    parts = struct.unpack(">IIIIiIiI", box[:32])
    width, height, right, down = (
        Fraction(above, below) for above, below in zip(parts[::2], parts[1::2], strict=True)
    )
    left, top = (size[0] - width) / 2 + right, (size[1] - height) / 2 + down
    edges = {
        "top": round(top),
        "bottom": round(size[1] - height - top),
        "left": round(left),
        "right": round(size[0] - width - left),
    }
    crop = {side: pixels for side, pixels in edges.items() if pixels > 0}
    return FrameGeometry(crop_elements(crop), crop, False, size) if crop else None


def _inside(box: bytes, names: tuple[bytes, ...]) -> Iterator[bytes]:
    """The bodies of all boxes within boxes of these names."""
    for kind, body in _boxes(box):
        if kind == names[0]:
            yield from [body] if len(names) == 1 else _inside(body, names[1:])


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, body) of the boxes that follow each other."""
    at = 0
    while at + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        if length < 8:
            return
        yield kind, content[at + 8 : at + length]
        at += length
