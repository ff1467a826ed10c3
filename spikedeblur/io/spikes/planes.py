"""The stored planes of a recording, opened by its settings, and checked to suit them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spikedeblur.errors import LOGGER, UsageError
from spikedeblur.io.spikes.arrays import ARRAY_SUFFIXES, ArrayFile, check_axes
from spikedeblur.io.spikes.cameras import layout_named
from spikedeblur.io.spikes.packed import PackedFile, PackedFolder, StoredPlanes
from spikedeblur.io.spikes.settings import Crop, RecordingSettings

__all__ = ["check_crop", "check_size", "is_array_file", "open_planes", "stored_upside_down"]

MAX_PIXELS = 1 << 27


def open_planes(path: Path, settings: RecordingSettings) -> StoredPlanes:
    """Open an array or packed planes. Raises UsageError and InputError as `SpikeStream.open`."""
    return _open_array(path, settings) if is_array_file(path) else _open_packed(path, settings)


def check_size(width: int, height: int) -> None:
    """Raises UsageError unless width x height can be a sensor."""
    if width < 1 or height < 1:
        problem = "must be above zero"
    elif width * height > MAX_PIXELS:
        problem = "is beyond any sensor"
    else:
        return
    raise UsageError(f"spike size {problem} ({width}x{height} seen) - give WIDTHxHEIGHT in pixels")


def is_array_file(path: Path | str) -> bool:
    """Return whether the name is that of an array file, whose size and data type it says itself."""
    return Path(path).suffix.lower() in ARRAY_SUFFIXES


def stored_upside_down(path: Path | str, layout: str | None) -> bool:
    """Return whether such a file stores its rows bottom-up, unless someone says otherwise."""
    return ArrayFile.flip if is_array_file(path) else layout_named(layout).flip


def _open_array(path: Path, settings: RecordingSettings) -> ArrayFile:
    planes = ArrayFile(path, settings.key, settings.most_a_tick)
    held = planes.width, planes.height
    try:
        check_size(*held)
        check_axes(path, planes, [] if settings.pixels is None else [settings.pixels])
        if settings.pixels not in (None, held):
            given = f"{settings.width}x{settings.height}"
            raise UsageError(
                f"{path} holds planes of {held[0]}x{held[1]} ({given} given) - leave the size out"
            )
    except UsageError:
        planes.close()
        raise
    return planes


def _open_packed(path: Path, settings: RecordingSettings) -> StoredPlanes:
    if settings.pixels is None:
        raise UsageError(f"{path} does not say its size - give width and height")
    check_size(*settings.pixels)
    kind = PackedFolder if path.is_dir() else PackedFile
    layout = layout_named(settings.layout)
    if (bits := settings.bits or 1) > 1:
        if layout.header:
            raise UsageError(
                f"an {layout.name} has one bit a pixel ({bits} given) - leave --bits out"
            )
        layout = replace(layout, bits=bits)
    if settings.lenient:
        layout = replace(layout, cut=True)
    planes = kind(path, *settings.pixels, layout, settings.bit_order or "little")
    if settings.lenient and planes.rest:
        LOGGER.warning(
            "%s ends within a plane: its last %s bytes are left out", path, f"{planes.rest:,}"
        )
    return planes


def check_crop(crop: Crop | None, planes: StoredPlanes) -> None:
    """Raises UsageError unless the crop lies in the plane."""
    if crop is None:
        return
    left, top, width, height = crop
    if left + width > planes.width or top + height > planes.height:
        raise UsageError(
            f"the crop is not within the spike plane ({list(crop)} of {planes.width}x"
            f"{planes.height} seen) - give left, top, width and height in its pixels"
        )
