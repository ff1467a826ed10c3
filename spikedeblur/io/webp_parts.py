"""The container of animated WebP (RIFF; Google's WebP Container Specification), walked by headers.

Only heads of chunks are read, so that no size that a file claims costs memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_HEAD = struct.Struct("<4s4x4s4s4xB3x3s3s")  # RIFF, size, WEBP, VP8X, size, flags, width, height
_ANIMATED, _TRANSPARENT = 0x02, 0x10
_DISPOSED, _REPLACES = 0x01, 0x02
_PART_HEAD = 16
# A part that is shown for no time is shown as long by browsers.
LEAST_MS = 100


@dataclass(frozen=True)
class AnimationPart:
    """One picture: where its bytes begin, how many, which part of the canvas it covers, how.

    ms: how long it is shown. replaces: what is beneath it goes, else it shows through. disposed:
    what it covers is cleared afterwards. lossless: its pixels are kept so.
    """

    at: int
    size: int
    x: int
    y: int
    width: int
    height: int
    ms: int
    replaces: bool
    disposed: bool
    lossless: bool

    @property
    def shown_ms(self) -> int:
        """`ms`, or as long as browsers show what has none."""
        return self.ms or LEAST_MS

    @property
    def covers(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


def is_animated_webp(path: Path) -> bool:
    """Return whether a file is an animated WebP, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return False
    riff, webp, kind, flags, _, _ = _HEAD.unpack(head)
    return (riff, webp, kind) == (b"RIFF", b"WEBP", b"VP8X") and bool(flags & _ANIMATED)


def canvas(file: BinaryIO) -> tuple[int, int, bool]:
    """Width, height, and whether some of it is transparent, by the head of an animated file."""
    flags, width, height = _HEAD.unpack(bytes_at(file, 0, _HEAD.size))[3:]
    return _int(width) + 1, _int(height) + 1, bool(flags & _TRANSPARENT)


def animation_parts(file: BinaryIO) -> Iterator[AnimationPart]:
    """The pictures of an animation, in order; one that is cut off is not among them."""
    for kind, at, size in riff_chunks(file):
        if kind == b"ANMF" and size >= _PART_HEAD + 8:
            head = bytes_at(file, at, _PART_HEAD + 4)
            x, y, width, height, ms = (_int(head[n : n + 3]) for n in range(0, 15, 3))
            yield AnimationPart(
                at=at + _PART_HEAD,
                size=size - _PART_HEAD,
                x=2 * x,
                y=2 * y,
                width=width + 1,
                height=height + 1,
                ms=ms,
                replaces=bool(head[15] & _REPLACES),
                disposed=bool(head[15] & _DISPOSED),
                lossless=head[16:] == b"VP8L",
            )


def still(part: AnimationPart, file: BinaryIO) -> bytes:
    """The bytes of a picture of its own that a part is: its chunks behind a head."""
    sides = (part.width - 1).to_bytes(3, "little") + (part.height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X\x0a\0\0\0" + bytes([_TRANSPARENT, 0, 0, 0]) + sides
    body += bytes_at(file, part.at, part.size)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def loops_in(chunk: bytes) -> int:
    """How often an animation is played by its ANIM chunk, 0 for ever."""
    return _int(chunk[4:6])


def riff_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content begins, its size) of the chunks of a RIFF file that are whole."""
    at, end = 12, file.seek(0, 2)
    while at + 8 <= end:
        kind, size = struct.unpack("<4sI", bytes_at(file, at, 8))
        if at + 8 + size > end:
            return
        yield kind, at + 8, size
        at += 8 + size + size % 2


def bytes_at(file: BinaryIO, at: int, count: int) -> bytes:
    """As many bytes from there on, or as there are."""
    file.seek(at)
    return file.read(count)


def _int(little: bytes) -> int:
    return int.from_bytes(little, "little")
