"""TIFF from strangers: one file is opened, and what its parts unpack to is known before they are.

tifffile follows the names that some TIFF dialects hold to other files, and inflates a strip or
tile to any size; here it does neither.
"""

from __future__ import annotations

import logging
import math
import struct
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tifffile

from spikedeblur.errors import InputError, shown
from spikedeblur.io.guards.limits import BYTES_PER_PIXEL, check_pixels, max_pixels

DEFLATE = frozenset({8, 32946})
# Those that only the imagecodecs package unpacks (to no more than is asked for) by their names.
_NEED_IMAGECODECS = {5: "LZW", 50000: "zstd"}
_STORED, _PACKBITS = 1, 32773
# No content becomes smaller than by this factor, so that a short part can neither be a bomb nor
# hold a large picture.
_DEFLATE_RATIO, _PACKBITS_RATIO = 1032, 64
_HARMLESS_BYTES = 1 << 26
_PIECE = 1 << 20

# tifffile logs every oddity of a damaged file; here each becomes one error instead.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a TIFF, as one file. Raises what tifffile does for other files."""
    dialects_of_several_files: dict[str, Any] = {
        "is_ome": False,
        "is_mmstack": False,
        "is_ndtiff": False,
    }
    return tifffile.TiffFile(path, **dialects_of_several_files)


def check_chain(tiff: tifffile.TiffFile) -> None:
    """Raise `InputError` unless the chain of pages ends: tifffile would walk for ever."""
    file, form = tiff.filehandle, tiff.tiff
    file.seek(4 if form.offsetsize == 4 else 8)
    seen: set[int] = set()
    while offset := _number(file.read(form.offsetsize), form.offsetformat):
        if offset in seen:
            raise InputError(
                f"the pages of {file.path} go round in a circle (byte {offset}) - save it again"
            )
        seen.add(offset)
        file.seek(offset)
        tags = _number(file.read(form.tagnosize), form.tagnoformat)
        if offset + tags * form.tagsize > file.size:
            return  # the file ends here, as tifffile sees it too
        file.seek(tags * form.tagsize, 1)


def _number(content: bytes, form: str) -> int:
    """The number that stands there; 0 behind the end of the file."""
    return int(struct.unpack(form, content)[0]) if len(content) == struct.calcsize(form) else 0


def check_page(page: Any, limit: int | None = None) -> None:
    """Raise `InputError` for a page whose picture, or any part of it, takes too much memory.

    page: a `TiffPage` or `TiffFrame`. limit: of pixels, see `limits.max_pixels`.
    """
    path, shape = Path(page.parent.filehandle.path), page.keyframe
    check_pixels("the image", path, (shape.imagewidth, shape.imagelength * shape.imagedepth), limit)
    most = BYTES_PER_PIXEL * (limit or max_pixels())
    part = _part_values(shape) * (shape.dtype.itemsize if shape.dtype is not None else 1)
    if max(shape.nbytes, part) > most:
        raise InputError(
            f"the image takes {max(shape.nbytes, part)} bytes (at most {most}: {path})"
            " - save it as 8 or 16 bits, gray or RGB, or give --max-pixels"
        )
    if sum(page.databytecounts) > page.parent.filehandle.size:
        raise InputError(f"the parts of the image overlap ({path}) - save it again")
    _check_compression(shape.compression, path)
    _check_whole(page, path)
    if shape.compression in DEFLATE:
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            if count * _DEFLATE_RATIO > _HARMLESS_BYTES:
                _check_inflated(page.parent.filehandle, offset, count, part, path)


def _part_values(page: Any) -> int:
    """Values of one strip or tile; a tile at the border is as large as the others."""
    if not page.is_tiled:
        return int(page.size)
    return int(page.tilewidth * page.tilelength * page.tiledepth * page.samplesperpixel)


def _check_compression(compression: int, path: Path) -> None:
    if compression in DEFLATE or compression in (_STORED, _PACKBITS):
        return
    name = _NEED_IMAGECODECS.get(compression)
    if name is None:
        raise InputError(
            f"the image is compressed in a way that is not read here (TIFF code "
            f"{shown(compression)}: {path}) - save it with deflate, or without "
            "compression"
        )
    if find_spec("imagecodecs") is None:
        raise InputError(
            f"the image is compressed with {name} ({path}) - install imagecodecs, or "
            "save it with deflate"
        )


def _check_whole(page: Any, path: Path) -> None:
    """The file has as many parts and bytes as the picture needs: tifffile makes the rest black."""
    shape = page.keyframe
    parts, held = math.prod(shape.chunked), sum(page.databytecounts)
    if shape.compression != _STORED and len(page.dataoffsets) < parts:
        raise InputError(
            f"the image has {len(page.dataoffsets)} of its {parts} parts ({path}) - "
            "the file is damaged"
        )
    ratio = {_STORED: 1, _PACKBITS: _PACKBITS_RATIO}.get(
        shape.compression, _DEFLATE_RATIO if shape.compression in DEFLATE else math.inf
    )
    if held * ratio < shape.nbytes:
        raise InputError(
            f"the image needs more than the {held} bytes that it has ({path}) - the file is damaged"
        )


def _check_inflated(file: Any, offset: int, count: int, most: int, path: Path) -> None:
    """Inflate a part piece by piece, keeping none, until it is over or longer than `most` bytes."""
    file.seek(offset)
    inflater, packed, total = zlib.decompressobj(), file.read(count), 0
    while packed and not inflater.eof:
        total += len(inflater.decompress(packed, _PIECE))
        packed = inflater.unconsumed_tail
        if total > most:
            raise InputError(
                f"the image unpacks to more than it is ({path}) - it may be made to fill the memory"
            )
