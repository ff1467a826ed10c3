"""Animated WebP put together by hand, of pictures that FFmpeg's encoder makes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


@dataclass(frozen=True)
class Piece:
    """A picture (H, W, 4) uint8 at an even place, how long it is shown, and how it is put there."""

    pixels: np.ndarray
    at: tuple[int, int] = (0, 0)
    ms: int = 40
    blends: bool = True
    disposed: bool = False
    payload: bytes | None = None
    lossy: bool = False


def animation(
    path: Path,
    pieces: list[Piece],
    size: tuple[int, int],
    *,
    loops: int = 0,
    transparent: bool = True,
    beside: tuple[tuple[bytes, bytes], ...] = (),
) -> Path:
    """Write the container as Google's specification has it. beside: further chunks."""
    flags = 0x02 | 0x10 * transparent
    body = b"WEBP" + chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _three(size[0] - 1, size[1] - 1))
    body += b"".join(chunk(*each) for each in beside)
    body += chunk(b"ANIM", bytes(4) + loops.to_bytes(2, "little"))
    for piece in pieces:
        height, width = piece.pixels.shape[:2]
        x, y = piece.at
        head = _three(x // 2, y // 2, width - 1, height - 1, piece.ms)
        head += bytes([2 * (not piece.blends) | piece.disposed])
        body += chunk(b"ANMF", head + (piece.payload or payload(piece.pixels, lossy=piece.lossy)))
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    return path


def payload(pixels: np.ndarray, *, lossy: bool = False) -> bytes:
    """The chunks of one picture, without the head of its file."""
    context = av.CodecContext.create("libwebp", "w")
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt, context.time_base = ("yuva420p" if lossy else "bgra"), Fraction(1, 25)
    context.options = {"quality": "95"} if lossy else {"lossless": "1"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgba")
    packets = context.encode(frame.reformat(format=context.pix_fmt)) + context.encode(None)
    still = b"".join(bytes(packet) for packet in packets)
    at = 12
    if still[at : at + 4] == b"VP8X":
        at += 18
    return still[at:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of RIFF, padded to an even length."""
    return kind + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)


def _three(*values: int) -> bytes:
    return b"".join(value.to_bytes(3, "little") for value in values)
