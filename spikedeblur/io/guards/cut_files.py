"""Files that broke off: the size that a container states for itself, against the bytes there are.

Most containers say in their first bytes how far they reach. A download or a recorder that stopped
leaves them as they were, and the demuxer just ends early, without an error.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from spikedeblur.errors import InputError

# Top-level boxes of MP4 and MOV whose loss loses something; padding is not among them.
_BOXES = frozenset({b"ftyp", b"moov", b"moof", b"mdat", b"meta", b"sidx", b"uuid"})
_PADDING = frozenset({b"free", b"skip", b"wide", b"styp", b"emsg", b"prft", b"mfra", b"pnot"})
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MXF_PARTITION = bytes.fromhex("060e2b34020501010d010201")
_Y4M, _Y4M_FRAME = b"YUV4MPEG2 ", b"FRAME\n"
_Y4M_KIND = re.compile(rb"(\d{3}|mono)(?:jpeg|mpeg2|paldv|(alpha))?p?(\d*)")
# How many columns and rows of luma share a sample of chroma.
_Y4M_CHROMA = {b"420": (2, 2), b"422": (2, 1), b"411": (4, 1), b"444": (1, 1)}
_HEAD_BYTES = 1 << 16
_MOST_BOXES = 1 << 20
# RIFF and FLV writers count their own padding and trailer in different ways.
_LOOSE_BYTES = 16


def missing_bytes(path: Path) -> int:
    """Count the bytes a file lacks of what it states; 0 where it states nothing or has them all.

    Reads headers only. Raises `InputError` for what cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            return max(_stated_end(file, size) - size, 0)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}) - check its permissions") from None


def _stated_end(file: BinaryIO, size: int) -> int:
    """The byte after the last one by the file's own account; 0 if it gives none."""
    head = file.read(_HEAD_BYTES)
    if head[4:8] in _BOXES | _PADDING:
        return _end_of_boxes(file, size)
    if head[:4] == _EBML:
        return _end_of_segment(head)
    if head[:4] == b"RIFF":
        return _end_of_riffs(file, size) - _LOOSE_BYTES
    if head[:3] == b"FLV":
        return _stated_by_flv(head) - _LOOSE_BYTES
    if (at := head.find(_ASF_FILE)) >= 0 and len(head) >= at + 48:
        return int(struct.unpack_from("<Q", head, at + 40)[0])
    if (at := head.find(_MXF_PARTITION)) >= 0:
        return _footer_of_mxf(head, at)
    if head.startswith(_Y4M):
        return _end_of_y4m(file, head, size)
    return 0


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Where the last box of MP4 or MOV ends that is no padding."""
    return max((end for kind, _, end in _boxes(file, size) if kind in _BOXES), default=0)


def top_boxes(path: Path) -> list[tuple[bytes, int, int]]:
    """(kind, begin, end) of the top-level boxes of an MP4 or MOV; none of other files."""
    with path.open("rb") as file:
        return list(_boxes(file, path.stat().st_size))


def movies_behind(path: Path) -> int:
    """How many movies of their own stand in an MP4 or MOV behind the first, which nobody plays.

    Files that were joined byte by byte are such. Fragments belong to one movie, whatever index is
    repeated among them.
    """
    kinds = [kind for kind, _, _ in top_boxes(path)]
    return 0 if b"moof" in kinds else max(kinds.count(b"moov") - 1, 0)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Walk the top-level boxes of MP4 or MOV; one of size 0 reaches to the end."""
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > size:
            return
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if kind not in _BOXES | _PADDING or length < 8:
            return
        yield kind, at, at + length
        at += length


def _end_of_segment(head: bytes) -> int:
    """The end of Matroska's one segment; live recordings leave its size open."""
    at = head.find(_SEGMENT)
    if at < 0 or len(head) < at + 12:
        return 0
    first = head[at + 4]
    width = 9 - first.bit_length()
    if first == 0:
        return 0
    value = int.from_bytes(head[at + 4 : at + 4 + width], "big") & ((1 << 7 * width) - 1)
    unknown = value == (1 << 7 * width) - 1
    return 0 if unknown else at + 4 + width + value


def _end_of_riffs(file: BinaryIO, size: int) -> int:
    """AVI is one RIFF, or several where it is above a gigabyte."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or length == 0:
            break
        at += 8 + length + length % 2
    return at


def _stated_by_flv(head: bytes) -> int:
    found = re.search(rb"\x00\x08filesize\x00(.{8})", head, re.DOTALL)
    number = 0.0 if found is None else struct.unpack(">d", found[1])[0]
    return int(number) if 0 <= number < 1 << 62 else 0


def _footer_of_mxf(head: bytes, at: int) -> int:
    """The place of the footer, which is a partition of at least its key; 0 while it is open."""
    body = at + 16
    if len(head) < body + 9:
        return 0
    body += 1 + (head[body] & 0x7F if head[body] & 0x80 else 0)  # the BER length
    if len(head) < body + 32:
        return 0
    footer = int.from_bytes(head[body + 24 : body + 32], "big")
    return footer + 16 if footer else 0


def _end_of_y4m(file: BinaryIO, head: bytes, size: int) -> int:
    """Walk the pictures of YUV4MPEG2, whose size its first line tells; 0 where it does not."""
    line = head.partition(b"\n")[0]
    picture = _y4m_picture(line)
    at = len(line) + 1
    while picture and at < size:
        file.seek(at)
        header = file.readline(_HEAD_BYTES)
        if not header.startswith(_Y4M_FRAME[:5]):  # or it broke off within these five letters
            return at + len(_Y4M_FRAME) + picture if _Y4M_FRAME.startswith(header) else 0
        at += len(header) + picture
    return at if picture else 0


def _y4m_picture(line: bytes) -> int:
    """The bytes of one picture by the first line of YUV4MPEG2; 0 if it does not say."""
    words = {word[:1]: word[1:] for word in line.split()[1:]}
    kind = _Y4M_KIND.fullmatch(words.get(b"C", b"420"))
    try:
        width, height = int(words[b"W"]), int(words[b"H"])
    except (KeyError, ValueError):
        return 0
    if kind is None or (kind[1] != b"mono" and kind[1] not in _Y4M_CHROMA):
        return 0
    samples = width * height * (2 if kind[2] else 1)
    if kind[1] in _Y4M_CHROMA:
        across, down = _Y4M_CHROMA[kind[1]]
        samples += 2 * -(-width // across) * -(-height // down)
    return samples * (2 if int(kind[3] or 8) > 8 else 1)
