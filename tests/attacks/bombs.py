"""Small files that claim, or hold, large things; and a canary that tells when it was read."""

from __future__ import annotations

import ctypes
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server, socket
from typing import Any

import pytest

IN_OPEN = 0x20  # <sys/inotify.h>
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


class Runs:
    """Unpickles by calling a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_header(width: int, height: int) -> bytes:
    """8-bit RGB."""
    return PNG_MAGIC + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def deflated_zeros(count: int) -> bytes:
    """That many zero bytes, a thousandth of the size: one deflated piece, again and again."""
    piece, checksum = bytes(1 << 20), 1
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = bytes(count % len(piece))
    for _ in range(count // len(piece)):
        checksum = zlib.adler32(piece, checksum)
    packer = zlib.compressobj(9, wbits=-15)
    end = packer.compress(rest) + packer.flush()
    return (
        b"\x78\xda"
        + packed * (count // len(piece))
        + end
        + zlib.adler32(rest, checksum).to_bytes(4, "big")
    )


def black_png(width: int, height: int) -> bytes:
    """A true picture, all of it black."""
    return (
        png_header(width, height)
        + png_chunk(b"IDAT", deflated_zeros(height * (1 + 3 * width)))
        + png_chunk(b"IEND", b"")
    )


@contextmanager
def nobody_calls() -> Iterator[int]:
    """The port of a server on this machine that nothing may connect to within the block."""
    with create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
        server.settimeout(0.05)
        try:
            caller: socket | None = server.accept()[0]
        except TimeoutError:
            caller = None
        assert caller is None, "the file made the program call a server"


@contextmanager
def nobody_opens(path: Path) -> Iterator[None]:
    """Nothing in this process or another opens the file within the block (Linux tells)."""
    system = ctypes.CDLL(None, use_errno=True)
    watch = system.inotify_init1(os.O_NONBLOCK)
    assert system.inotify_add_watch(watch, os.fsencode(path), IN_OPEN) > 0
    try:
        yield
        with pytest.raises(BlockingIOError):
            os.read(watch, 4096)
    finally:
        os.close(watch)
