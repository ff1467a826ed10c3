"""Spike streams on disk, in any format: planes of bits by tick, read window by window.

The format of the public spike cameras, and the one that is written, is the headerless .dat: one
bit per pixel and tick, packed least significant bit first, pixels row by row, rows bottom-up, one
plane after the other; a plane whose pixels do not fill its last byte is padded. Files with header
bits among the pixels, folders of .dat files and arrays are read as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import copy
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import UsageError
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.spikes.arrays import check_axes
from spikedeblur.io.spikes.cameras import CAMERAS
from spikedeblur.io.spikes.held import HeldPlanes
from spikedeblur.io.spikes.jumps import Gaps, jumped
from spikedeblur.io.spikes.layouts import packed_symbols
from spikedeblur.io.spikes.packed import StoredPlanes
from spikedeblur.io.spikes.planes import (
    check_crop,
    check_size,
    is_array_file,
    open_planes,
    stored_upside_down,
)
from spikedeblur.io.spikes.settings import Crop, RecordingSettings, merged
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.quantities import RateLike, TimeLike, exact

__all__ = ["SpikeStream", "check_size", "is_array_file", "stored_upside_down", "write_dat"]

BitOrder = Literal["little", "big"]
IN_MEMORY = Path("the array of spikes")


class SpikeStream:
    """A recording, read a window of ticks at a time; never all of it is in memory.

    width, height: pixels (of the crop, if there is one). rate_hz: ticks per second of the video's
    clock (Fraction): what was given, with its drift.
    ticks: planes in the file, as many more as were lost between them. gaps: the ticks of those.
    offset_s: time of tick 0 on the video's clock (Fraction).
    shape: (ticks, height, width). settings: how it was opened, and how it lies to the video.
    """

    def __init__(
        self,
        path: Path,
        planes: StoredPlanes,
        *,
        rate_hz: Fraction,
        flip: bool,
        offset_s: Fraction,
        settings: RecordingSettings,
    ) -> None:
        self.path = path
        self.settings = settings
        self.rate_hz = rate_hz
        self.flip = flip
        self.offset_s = offset_s
        self._stored = planes
        self._number_ticks()
        whole = 0, 0, planes.width, planes.height
        left, top, self.width, self.height = settings.crop or whole
        self._crop = slice(top, top + self.height), slice(left, left + self.width)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        width: int | None = None,
        height: int | None = None,
        rate_hz: RateLike | None = None,
        flip: bool | None = None,
        bit_order: str | None = None,
        offset_s: TimeLike | None = None,
        layout: str | None = None,
        key: str | None = None,
        crop: Crop | None = None,
        bits: int | None = None,
        lenient: bool | None = None,
    ) -> Self:
        """Open a recording: a .dat, a folder of them, or an array in .npy, .npz or .h5.

        What is not given is taken from the sidecar beside it, and so is how it lies to the video.
        width, height: pixels of the sensor, header columns left out; arrays know theirs.
        rate_hz: ticks per second. flip: rows are stored bottom-up (and come out top-down); by
        default what is usual in the format. bit_order, layout: of packed planes, little and plain
        by default, layout a name of `SPIKE_LAYOUTS`. offset_s: of tick 0, by default 0. key: name
        of the array, None for the only one. crop: the part to read. bits: of a pixel at a tick.
        lenient: leave out what is left of a plane at the end.
        Raises UsageError for settings that cannot be, InputError for a file that is missing, empty,
        damaged, or does not hold whole planes of that size.
        """
        settings = RecordingSettings(
            width=width,
            height=height,
            rate_hz=rate_hz,
            flip=flip,
            bit_order=bit_order,
            offset_s=offset_s,
            layout=layout,
            key=key,
            crop=crop,
            bits=bits,
            lenient=lenient,
        )
        known = merged(("option", settings), ("sidecar", find_sidecar(path)))
        return cls.read_as(Path(path), known)

    @classmethod
    def of_array(
        cls, spikes: NDArray[Any], settings: RecordingSettings, duration_s: Fraction | None = None
    ) -> Self:
        """Take spikes in memory, (ticks, height, width) bool or 0 and 1, as a recording.

        duration_s: how long the video lasts, if there is one. Raises UsageError for an array that
        holds none, and where the rate is not known; InputError where the axes are in another order.
        """
        planes = HeldPlanes(spikes, settings.most_a_tick)
        if settings.pixels not in (None, (planes.width, planes.height)):
            given = f"{settings.width}x{settings.height}"
            raise UsageError(
                f"the spikes are planes of {planes.width}x{planes.height} ({given} given) - leave "
                "the size out"
            )
        sizes = (
            [camera.size for camera in CAMERAS] if settings.pixels is None else [settings.pixels]
        )
        least = (duration_s or 0) * (settings.rate_hz or 0)
        check_axes(IN_MEMORY, planes, sizes, float(least))
        return cls._of_planes(IN_MEMORY, planes, settings)

    @classmethod
    def read_as(cls, path: Path, settings: RecordingSettings) -> Self:
        """Open a recording as `open` does. Without an offset, tick 0 lies at 0 s."""
        _check_rate(path, settings)
        return cls._of_planes(path, open_planes(path, settings), settings)

    @classmethod
    def _of_planes(cls, path: Path, planes: StoredPlanes, settings: RecordingSettings) -> Self:
        rate = _check_rate(path, settings)
        try:
            check_crop(settings.crop, planes)
        except UsageError:
            planes.close()
            raise
        flip = planes.flip if settings.flip is None else settings.flip
        offset = settings.offset_s or Fraction(0)
        return cls(path, planes, rate_hz=rate, flip=flip, offset_s=offset, settings=settings)

    def _number_ticks(self) -> None:
        """Give each stored plane the tick that its time asks for."""
        planes, jumps = self._stored, self.settings.offset_jumps
        self.gaps: Gaps = ()
        if jumps:
            numbered = jumped(planes, jumps, self.offset_s, self.rate_hz)
            planes, self.gaps = numbered, numbered.gaps
        self._planes, self.ticks = planes, planes.ticks

    def holds(self, start: int, stop: int) -> bool:
        """Return whether all of the ticks [start, stop) were recorded."""
        lost = any(low < stop and start < high for low, high in self.gaps)
        return start >= 0 and stop <= self.ticks and not lost

    @property
    def shape(self) -> tuple[int, int, int]:
        """(ticks, height, width)."""
        return self.ticks, self.height, self.width

    @property
    def corner(self) -> tuple[int, int]:
        """Left and top, in the sensor, of what is read of it."""
        rows, columns = self._crop
        return columns.start, rows.start

    @property
    def duration_s(self) -> Fraction:
        """Seconds from the beginning of the first tick to the end of the last."""
        return self.ticks / self.rate_hz

    def __len__(self) -> int:
        return self.ticks

    @property
    def most_a_tick(self) -> int:
        """Spikes that a pixel can count in a tick: 1, or more where it has several bits."""
        return self.settings.most_a_tick

    def __getitem__(self, window: slice) -> NDArray[Any]:
        """Ticks [a:b], with NumPy's meaning of missing and negative bounds -> (n, H, W) bool.

        Counts, uint8, where a pixel has several bits.
        """
        if not isinstance(window, slice) or window.step not in (None, 1):
            raise TypeError(f"a spike stream is read by [start:stop], not by {window!r}")
        start, stop, _ = window.indices(self.ticks)
        count = max(stop - start, 0)
        if count == 0:
            return np.zeros(
                (0, self.height, self.width), np.uint8 if self.most_a_tick > 1 else bool
            )
        planes = self._planes.read(start, stop)
        upright = planes[:, ::-1] if self.flip else planes
        return upright[:, self._crop[0], self._crop[1]]

    def between(self, start_s: Fraction | float, stop_s: Fraction | float) -> NDArray[Any]:
        """Every tick that touches [start_s, stop_s), seconds from tick 0 -> (n, H, W) bool."""
        start = max(math.floor(exact(start_s) * self.rate_hz), 0)
        stop = max(math.ceil(exact(stop_s) * self.rate_hz), 0)
        return self[start:stop]

    def part(self, left: int, top: int, width: int, height: int) -> SpikeStream:
        """The same stream, of which only a part of each plane is seen; the two share the file."""
        part = copy(self)
        rows, columns = self._crop
        top, left = rows.start + top, columns.start + left
        part._crop = slice(top, top + height), slice(left, left + width)
        part.width, part.height = width, height
        return part

    def with_settings(self, settings: RecordingSettings) -> SpikeStream:
        """The same stream with other clocks and another place; the two share the file.

        Settings that are not given stay, and so does how its planes are read.
        """
        other = copy(self)
        other.settings = merged(("option", settings), ("option", self.settings))
        other.rate_hz = other.settings.ticks_per_second or self.rate_hz
        if settings.offset_s is not None:
            other.offset_s = settings.offset_s
        other._number_ticks()
        return other

    def with_bit_order(self, bit_order: str) -> SpikeStream | None:
        """The same recording with its bits in another order; None if it is not of packed bits."""
        if self.path == IN_MEMORY or is_array_file(self.path):
            return None
        other = self.with_settings(RecordingSettings(bit_order=bit_order))
        other._stored = open_planes(self.path, other.settings)
        other._number_ticks()
        return other

    def close(self) -> None:
        """Let go of the file."""
        self._planes.close()

    def __enter__(self) -> SpikeStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        planes = f"{self.ticks} ticks of {self.width}x{self.height}"
        return f"SpikeStream({str(self.path)!r}, {planes} at {float(self.rate_hz):g} Hz)"


def write_dat(
    path: str | Path,
    planes: Iterable[NDArray[Any]],
    *,
    flip: bool = True,
    bit_order: BitOrder = "little",
    bits: int = 1,
    overwrite: bool = False,
) -> int:
    """Write blocks of (n, H, W) bool planes, rows top-down, as they come; returns their ticks.

    bits: of a pixel, 1, 2, 4 or 8; with more than one the planes hold counts that these can hold.

    flip stores the rows bottom-up. The file appears under its name only once it is whole.
    Raises OutputError if it exists (unless overwrite) or cannot be written.
    """
    ticks = 0
    with atomic_path(Path(path), overwrite=overwrite) as temporary, temporary.open("wb") as file:
        for block in planes:
            rows = block[:, ::-1] if flip else block
            flat = rows.reshape(len(block), math.prod(rows.shape[1:]))
            file.write(packed_symbols(flat, bits, bit_order).tobytes())
            ticks += len(block)
    return ticks


def _check_rate(path: Path, settings: RecordingSettings) -> Fraction:
    if settings.ticks_per_second is None:
        raise UsageError(f"{path} does not say its rate - give rate_hz, ticks per second")
    return settings.ticks_per_second
