"""One picture in one file: PNG and TIFF of 8 or 16 bits read and written, JPEG read.

What a file says of its size is checked before it is decoded, and of a PNG the decoder is given
only what makes the picture: notes and profiles, which are compressed, may unpack to any size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import av
import numpy as np
import tifffile

from spikedeblur.errors import InputError
from spikedeblur.io.colour_tags import FULL
from spikedeblur.io.guards import limits
from spikedeblur.io.guards.limits import (
    BYTES_PER_PIXEL,
    check_pixels,
    check_regular,
    decoder_options,
)
from spikedeblur.io.guards.tiffs import check_page, open_tiff
from spikedeblur.io.image_notes import NO_NOTES, UNASSOCIATED, ImageNotes, with_chunks

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8"
_PICTURE_CHUNKS = frozenset({b"PLTE", b"tRNS", b"IDAT"})
_SLACK_BYTES = 1 << 20
# (channels, bytes of a sample) -> the pixel formats in the file and in memory.
_PNG_FORMATS = {
    (3, 1): ("rgb24", "rgb24"),
    (3, 2): ("rgb48be", "rgb48le"),
    (4, 1): ("rgba", "rgba"),
    (4, 2): ("rgba64be", "rgba64le"),
}


def read_image(path: Path, max_pixels: int | None = None) -> np.ndarray:
    """Read a PNG or TIFF as (H, W, 3) uint8 or uint16: `read_with_alpha` without the alpha."""
    return read_with_alpha(path, max_pixels)[0]


def read_with_alpha(
    path: Path, max_pixels: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a PNG or TIFF: (H, W, 3) uint8 or uint16, and its alpha (H, W), None without one.

    Gray is repeated. max_pixels: those it may have, by default `limits.max_pixels`.
    Raises `InputError` for what is damaged, too large, or of another type.
    """
    check_regular("image", path)
    try:
        if path.suffix.lower() == ".png":
            return _rgb_and_alpha(decode_picture(path, max_pixels))
        return _read_tiff(path, max_pixels)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            f"the image is too large for the memory ({path}) - scale it down"
        ) from error
    except Exception as error:  # tifffile has no common base for what damaged files raise
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"cannot read the image {path} ({reason}) - it may be damaged") from error


def write_image(path: Path, pixels: np.ndarray, notes: ImageNotes = NO_NOTES) -> None:
    """Write uint8 or uint16 as PNG or TIFF by the suffix, without loss.

    pixels: (H, W, 3), or (H, W, 4) with alpha. notes: what stands beside the pixels.
    """
    if path.suffix.lower() == ".png":
        path.write_bytes(with_chunks(png_bytes(pixels), notes.chunks))
        return
    resolution = notes.resolution
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        compression="zlib",
        predictor=True,
        metadata=None,
        software=False,
        extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
        resolution=resolution and resolution[:2],
        resolutionunit=resolution and resolution[2],
        extratags=notes.tags,
    )


def png_bytes(pixels: np.ndarray) -> bytes:
    """(H, W, 3), or 4 with alpha, uint8 or uint16 as the bytes of a PNG file."""
    stored, given = _PNG_FORMATS[pixels.shape[2], pixels.itemsize]
    context = av.CodecContext.create("png", "w")
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt, context.time_base = stored, Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=given)
    packets = context.encode(frame.reformat(format=context.pix_fmt)) + context.encode(None)
    return b"".join(bytes(packet) for packet in packets)


def decode_picture(path: Path, max_pixels: int | None = None) -> av.VideoFrame:
    """The picture of a PNG or JPEG file, recognised by content, as the decoder gives it.

    Raises `InputError` for another kind and for what is too large; FFmpeg's errors for damage.
    """
    most = max_pixels or limits.max_pixels()
    with path.open("rb") as file:
        magic = file.read(len(_PNG_MAGIC))
        if magic == _PNG_MAGIC:
            codec, data = "png", magic + b"".join(_png_chunks(file, path, most))
        elif magic.startswith(_JPEG_MAGIC):
            codec, data = "mjpeg", magic + _read_at_most(file, path, BYTES_PER_PIXEL * most)
        else:
            raise InputError(f"{path} is neither PNG nor JPEG, whatever its name says - convert it")
    context = cast(av.VideoCodecContext, av.CodecContext.create(codec, "r"))
    context.options = decoder_options(most)
    context.thread_count = 1
    frames = context.decode(av.Packet(data)) + context.decode(None)
    if not frames:
        raise InputError(f"the image {path} is empty or damaged - make it again")
    check_pixels("the image", path, (frames[0].width, frames[0].height), most)
    return frames[0]


def _png_chunks(file: IO[bytes], path: Path, limit: int) -> Iterator[bytes]:
    """The chunks that make the picture, as they stand in the file behind its magic."""
    header = file.read(25)
    if header[:8] != b"\0\0\0\x0dIHDR" or len(header) < 25:
        raise InputError(f"the image {path} has no PNG header - make it again")
    width, height = struct.unpack(">II", header[8:16])
    check_pixels("the image", path, (width, height), limit)
    yield header
    left = BYTES_PER_PIXEL * width * height + height + _SLACK_BYTES
    while len(start := file.read(8)) == 8:
        length, kind = int.from_bytes(start[:4], "big"), start[4:]
        if kind in _PICTURE_CHUNKS:
            left -= length + 12
            if left < 0:
                raise InputError(
                    f"the image {path} holds more than its {width}x{height} pixels - make it again"
                )
            yield start + file.read(length + 4)
        elif kind == b"IEND":
            yield start + file.read(4)
            return
        else:
            file.seek(length + 4, 1)


def _read_at_most(file: IO[bytes], path: Path, most: int) -> bytes:
    content = file.read(most + 1)
    if len(content) > most:
        raise InputError(
            f"the image {path} is larger than any picture (above {most} bytes) - make it again"
        )
    return content


def _rgb_and_alpha(frame: av.VideoFrame) -> tuple[np.ndarray, np.ndarray | None]:
    deep = max(part.bits for part in frame.format.components) > 8
    alpha = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
    _, name = _PNG_FORMATS[3 + alpha, 1 + deep]
    picture = frame.reformat(format=name, dst_color_range=FULL, src_color_range=FULL)
    rgb, opacity = _parted(picture.to_ndarray(), alpha)
    if opacity is not None and frame.format.has_palette and opacity.min() == 255:
        opacity = None  # FFmpeg gives every palette one
    return rgb, opacity


def _parted(pixels: np.ndarray, alpha: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """(H, W, 3) or (H, W, 4) -> the colours, and the alpha if the fourth is one."""
    return np.ascontiguousarray(pixels[..., :3]), pixels[..., 3] if alpha else None


def _read_tiff(path: Path, max_pixels: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    with open_tiff(path) as file:
        page = file.pages.first
        check_page(page, max_pixels)
        pixels = page.asarray(maxworkers=1)
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, 2)
        alpha = UNASSOCIATED in page.extrasamples and pixels.shape[-1] in (2, 4)
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim not in (2, 3):
        raise InputError(
            f"the image {path} holds {pixels.dtype} of shape {pixels.shape} - save it "
            "as 8 or 16 bits, gray or RGB"
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] in (1, 2):
        pixels = np.dstack([*[pixels[..., :1]] * 3, pixels[..., 1:]])
    return _parted(pixels, alpha)
