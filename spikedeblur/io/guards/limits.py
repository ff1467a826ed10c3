"""Limits on the size of a picture, checked before memory is taken for it.

A file of a few kilobytes can claim, and even hold, a picture of many gigabytes. The limit is one
for the whole process; `open_video` and `read_image` take another for a single file.
"""

from __future__ import annotations

from pathlib import Path

from spikedeblur.errors import InputError, UsageError, shown

DEFAULT_MAX_PIXELS = 8192 * 8192
# RGBA of 16 bits: no picture that is read here has more bytes to a pixel.
BYTES_PER_PIXEL = 8

_max_pixels = DEFAULT_MAX_PIXELS


def max_pixels() -> int:
    """Pixels (width x height) that a picture may have; also values (K x H x W) of a voxel grid."""
    return _max_pixels


def set_max_pixels(pixels: int) -> None:
    """Set the limit, for this process. Raises `UsageError` unless it is above zero."""
    global _max_pixels
    if pixels < 1:
        raise UsageError(f"the largest picture must have a pixel ({pixels} seen) - give more")
    _max_pixels = pixels


def decoder_options(limit: int | None = None) -> dict[str, str]:
    """Return options that bound FFmpeg's decoders, also while streams are probed.

    A little above the limit: they count rows and columns that only alignment adds, and tell
    nothing of the size that they refuse. Who decodes checks the true size.
    """
    most = limit or max_pixels()
    return {"max_pixels": str(most * 5 // 4 + (1 << 20))}


def check_pixels(what: str, path: Path, sides: tuple[int, ...], limit: int | None = None) -> None:
    """Raise `InputError` when what has these sides is larger than the limit, or has no size.

    what: names it in the message. sides: width and height, or those of a voxel grid.
    """
    most, pixels = limit or max_pixels(), 1
    for side in sides:
        pixels *= side
    size = "x".join(map(str, sides))
    if any(side < 1 for side in sides):
        raise InputError(f"{what} has no size ({size}: {path}) - the file is damaged")
    if pixels > most:
        raise InputError(
            f"{what} is too large ({size}, at most {most} pixels: {path}) - "
            "scale it down, or give --max-pixels"
        )


def check_regular(what: str, path: Path) -> None:
    """Raise `InputError` for what is missing, and for pipes and devices, which might never end."""
    try:
        exists = path.exists()
    except OSError as error:  # such as a name that is too long
        raise InputError(
            f"cannot use the {what} {shown(str(path))} ({error.strerror}) - check the name"
        ) from None
    if not exists:
        raise InputError(f"there is no {what} {path} - check the name")
    if path.is_dir():
        raise InputError(f"{what} is a folder ({path}) - name a file in it")
    if not path.is_file():
        raise InputError(f"{what} is a pipe or a device ({path}) - name a file")
