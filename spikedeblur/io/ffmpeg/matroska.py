"""Elements of Matroska that PyAV has no access to: pixel aspect, crop, projection.

They are children of the track's Video element (RFC 9559). FFmpeg's muxer writes none of them here,
so room is reserved in the track's name, and what belongs there is put in when the file is closed.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_SEGMENT, _TRACKS, _ENTRY, _CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675
_KIND, _NAME, _VIDEO = 0x83, 0x536E, 0xE0
_VIDEO_KIND = 1
_WIDTH, _HEIGHT, _DISPLAY_WIDTH, _DISPLAY_HEIGHT = 0xB0, 0xBA, 0x54B0, 0x54BA
_CROPS = {0x54BB: "top", 0x54AA: "bottom", 0x54CC: "left", 0x54DD: "right"}
_PROJECTION, _PROJECTION_TYPE = 0x7670, 0x7671
_DISPLAY_UNIT, _ASPECT_TYPE = 0x54B2, 0x54B3
_COPIED = {_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _ASPECT_TYPE, _PROJECTION, *_CROPS}
_HEAD_BYTES = 1 << 20
_FILLER, _SPARE = "\x7f", 4
_SMALLEST = 2  # bytes of an element


@dataclass(frozen=True)
class FrameGeometry:
    """The frame geometry in a Matroska file's first video track.

    elements: as they are stored. crop: hidden pixels by side. projection: whether it has one.
    size: (width, height) stored.
    """

    elements: bytes
    crop: dict[str, int]
    projection: bool
    size: tuple[int, int]

    @property
    def has_shape(self) -> bool:
        """Whether the elements say the size to show, and so the shape of pixels."""
        kinds = (kind for kind, *_ in _children(self.elements, 0, len(self.elements)))
        return _DISPLAY_WIDTH in kinds

    @property
    def cropped_size(self) -> tuple[int, int]:
        """(width, height) that are shown."""
        across = self.crop.get("left", 0) + self.crop.get("right", 0)
        down = self.crop.get("top", 0) + self.crop.get("bottom", 0)
        return self.size[0] - across, self.size[1] - down

    def words(self) -> str:
        """List in words what other formats lose of it; empty for nothing."""
        sides = ", ".join(f"{pixels} {side}" for side, pixels in self.crop.items())
        return "; ".join(
            filter(None, [f"crop ({sides})" if sides else "", "projection" * self.projection])
        )


def frame_geometry(path: Path) -> FrameGeometry | None:
    """Read it from a Matroska file; None where there is nothing, or nothing that can be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        video = next(_videos(head))
    except (OSError, IndexError, StopIteration):
        return None
    children = list(_children(head, *video))
    kept = b"".join(head[start:end] for kind, start, _, end in children if kind in _COPIED)
    number = {kind: _number(head[body:end]) for kind, _, body, end in children if end - body <= 8}
    crop = {side: number[kind] for kind, side in _CROPS.items() if number.get(kind)}
    projection = any(
        _number(head[b:e]) > 0  # 0 is a plain picture, which may be turned
        for kind, _, body, end in children
        if kind == _PROJECTION
        for inner, _, b, e in _children(head, body, end)
        if inner == _PROJECTION_TYPE
    )
    size = number.get(_WIDTH, 0), number.get(_HEIGHT, 0)
    return FrameGeometry(kept, crop, projection, size) if kept else None


def display_elements(size: tuple[int, int], aspect: Fraction) -> bytes:
    """DisplayWidth and DisplayHeight that say exactly a pixel `aspect` of frames of `size`."""
    shape = Fraction(size[0], size[1]) * aspect
    times = max(round(size[1] / shape.denominator), 1)
    sides = (_DISPLAY_WIDTH, shape.numerator * times), (_DISPLAY_HEIGHT, shape.denominator * times)
    return b"".join(_element(kind, _minimal(value)) for kind, value in sides)


def crop_elements(crop: dict[str, int]) -> bytes:
    """The elements that hide so many pixels of each side."""
    return b"".join(
        _element(kind, _minimal(crop[side])) for kind, side in _CROPS.items() if side in crop
    )


def filler(elements: bytes) -> str:
    """Return what to write behind the name of a video track, to make room for `elements`."""
    return _FILLER * (len(elements) + _SPARE)


def put_in(path: Path, elements: bytes, title: str) -> bool:
    """Exchange the `filler` in the name of the video track for `elements` of its frame.

    title: the track's true name. Returns whether they are in; the filler is gone in any case.
    """
    with path.open("r+b") as file:
        head = bytearray(file.read(_HEAD_BYTES))
        for tracks, body, end, entry in _entries(head):
            renewed = _renewed(bytes(head), *entry, elements, title.encode())
            if renewed is None:
                continue
            head[entry[0] : entry[1]] = renewed
            if head[body : body + 2] == b"\xbf\x84":  # its check sum
                head[body + 2 : body + 6] = zlib.crc32(head[body + 6 : end]).to_bytes(4, "little")
            file.seek(tracks)
            file.write(head[tracks:end])
            return elements in renewed
    return False


def _renewed(head: bytes, body: int, end: int, elements: bytes, title: bytes) -> bytes | None:
    """A video track's entry of the same length with the filler exchanged; None for another."""
    children = list(_children(head, body, end))
    name = next((each for each in children if each[0] == _NAME), None)
    if name is None or not head[name[2] : name[3]].endswith(filler(elements).encode()):
        return None
    mine = {kind for kind, *_ in _children(elements, 0, len(elements))}
    if _DISPLAY_WIDTH in mine:
        mine.add(_DISPLAY_UNIT)  # the muxer's says that the shape is not known
    for into_video in (True, False):  # the second, if sizes took all the room
        parts = []
        for kind, start, inner, stop in children:
            part = head[start:stop]
            if kind == _NAME:
                part = _element(_NAME, title) if title else b""
            elif kind == _VIDEO and into_video:
                others = _children(head, inner, stop)
                kept = b"".join(head[s:e] for each, s, _, e in others if each not in mine)
                part = _element(_VIDEO, kept + elements)
            parts.append(part)
        room = end - body - sum(map(len, parts))
        if room == 0 or room >= _SMALLEST:
            return b"".join(parts) + (_void(room) if room else b"")
    return None


def _videos(head: bytes) -> Iterator[tuple[int, int]]:
    """Body and end of the Video element of each video track."""
    for *_, (body, end) in _entries(head):
        children = list(_children(head, body, end))
        kinds = [_number(head[b:e]) for kind, _, b, e in children if kind == _KIND]
        if kinds == [_VIDEO_KIND]:
            yield from ((b, e) for kind, _, b, e in children if kind == _VIDEO)


def _entries(head: bytes | bytearray) -> Iterator[tuple[int, int, int, tuple[int, int]]]:
    """Of each track: begin, body and end of Tracks, and body and end of its own entry."""
    for kind, _, body, end in _children(head, 0, len(head)):
        if kind != _SEGMENT:
            continue
        for inner, start, b, e in _children(head, body, min(end, len(head))):
            if inner == _CLUSTER:
                return
            if inner == _TRACKS and e <= len(head):
                for entry, _, first, last in _children(head, b, e):
                    if entry == _ENTRY:
                        yield start, b, e, (first, last)


def _children(head: bytes | bytearray, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(ID, begin, body, end) of the elements from `begin` on; one of open length takes the rest."""
    while begin + 2 <= end:
        id_bytes = 9 - head[begin].bit_length()
        if id_bytes > 4 or begin + id_bytes >= end:
            return
        at = begin + id_bytes
        size_bytes = 9 - head[at].bit_length()
        if size_bytes > 8 or at + size_bytes > end:
            return
        size = int.from_bytes(head[at : at + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        body = at + size_bytes
        stop = end if size == (1 << 7 * size_bytes) - 1 else body + size
        yield int.from_bytes(head[begin:at], "big"), begin, body, stop
        begin = stop


def _element(kind: int, body: bytes) -> bytes:
    width = max(math.ceil((len(body) + 2).bit_length() / 7), 1)
    size = len(body) | 1 << 7 * width
    return _minimal(kind) + size.to_bytes(width, "big") + body


def _void(length: int) -> bytes:
    """An element of that many bytes, 2 to 128, that says nothing."""
    return b"\xec" + bytes([0x80 | length - 2]) + bytes(length - 2)


def _minimal(number: int) -> bytes:
    return number.to_bytes(max((number.bit_length() + 7) // 8, 1), "big")


def _number(body: bytes | bytearray) -> int:
    return int.from_bytes(body, "big")
