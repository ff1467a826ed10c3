"""Spike streams on disk: the headerless .dat bit stream of the public spike cameras.

One bit per pixel and tick, packed least significant bit first, pixels row by row, rows bottom-up,
one plane after the other; a plane whose pixels do not fill its last byte is padded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.cameras import fitting_sizes
from spikedeblur.quantities import exact

__all__ = ["BitOrder", "SpikeStream", "fitting_sizes", "plane_bytes", "write_dat"]

BitOrder = Literal["little", "big"]
BIT_ORDERS = ("little", "big")
MAX_PIXELS = 1 << 27


def plane_bytes(width: int, height: int) -> int:
    """Bytes of one tick: one bit per pixel, padded to whole bytes."""
    return -(-width * height // 8)


class SpikeStream:
    """A .dat file, read through np.memmap window by window; never all of it is in memory.

    width, height: pixels. rate_hz: ticks per second (Fraction). ticks: planes in the file.
    offset_s: time of tick 0 on the video's clock (Fraction). shape: (ticks, height, width).
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        rate_hz: Fraction,
        flip: bool,
        bit_order: BitOrder,
        offset_s: Fraction,
    ) -> None:
        self.path = path
        self.width = width
        self.height = height
        self.rate_hz = rate_hz
        self.flip = flip
        self.bit_order: BitOrder = bit_order
        self.offset_s = offset_s
        self.plane_bytes = plane_bytes(width, height)
        self.ticks = _whole_planes(path, width, height)
        self._file = _open(path)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        width: int,
        height: int,
        rate_hz: Fraction | float | int,
        flip: bool = True,
        bit_order: str = "little",
        offset_s: Fraction | float | int = 0,
    ) -> SpikeStream:
        """Open a .dat file whose planes are width x height pixels, at rate_hz ticks per second.

        flip: rows are stored bottom-up (and come out top-down).
        Raises UsageError for a size, rate or bit order that cannot be, InputError for a file that
        is missing, empty, or does not hold whole planes of that size.
        """
        check_size(width, height)
        rate = exact(rate_hz)
        if rate <= 0:
            raise UsageError(
                f"spike rate must be above zero ({float(rate):g} Hz seen) - give ticks per second"
            )
        if bit_order not in BIT_ORDERS:
            raise UsageError(f"unknown bit order ({bit_order!r}) - give little or big")
        return cls(
            Path(path),
            width=width,
            height=height,
            rate_hz=rate,
            flip=flip,
            bit_order=cast(BitOrder, bit_order),
            offset_s=exact(offset_s),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(ticks, height, width)."""
        return self.ticks, self.height, self.width

    @property
    def duration_s(self) -> Fraction:
        """Seconds from the beginning of the first tick to the end of the last."""
        return self.ticks / self.rate_hz

    def __len__(self) -> int:
        return self.ticks

    def __getitem__(self, window: slice) -> NDArray[np.bool_]:
        """Ticks [a:b], with NumPy's meaning of missing and negative bounds -> (n, H, W) bool."""
        if not isinstance(window, slice) or window.step not in (None, 1):
            raise TypeError(f"a spike stream is read by [start:stop], not by {window!r}")
        start, stop, _ = window.indices(self.ticks)
        count = max(stop - start, 0)
        if count == 0:
            return np.zeros((0, self.height, self.width), dtype=np.bool_)
        # Mapped anew for each window: pages of one long mapping would pile up in resident memory.
        packed = np.memmap(
            self._file,
            dtype=np.uint8,
            mode="r",
            offset=start * self.plane_bytes,
            shape=(count, self.plane_bytes),
        )
        pixels = self.width * self.height
        bits = np.unpackbits(packed, axis=1, count=pixels, bitorder=self.bit_order)
        planes = bits.view(np.bool_).reshape(count, self.height, self.width)
        return planes[:, ::-1] if self.flip else planes

    def between(self, start_s: Fraction | float, stop_s: Fraction | float) -> NDArray[np.bool_]:
        """Every tick that touches [start_s, stop_s), seconds from tick 0 -> (n, H, W) bool."""
        start = max(math.floor(exact(start_s) * self.rate_hz), 0)
        stop = max(math.ceil(exact(stop_s) * self.rate_hz), 0)
        return self[start:stop]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> SpikeStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        planes = f"{self.ticks} ticks of {self.width}x{self.height}"
        return f"SpikeStream({str(self.path)!r}, {planes} at {float(self.rate_hz):g} Hz)"


def write_dat(
    path: str | Path,
    planes: Iterable[NDArray[np.bool_]],
    *,
    flip: bool = True,
    bit_order: BitOrder = "little",
    overwrite: bool = False,
) -> int:
    """Write blocks of (n, H, W) bool planes, rows top-down, as they come; returns their ticks.

    flip stores the rows bottom-up. The file appears under its name only once it is whole.
    Raises OutputError if it exists (unless overwrite) or cannot be written.
    """
    ticks = 0
    with atomic_path(Path(path), overwrite=overwrite) as temporary, temporary.open("wb") as file:
        for block in planes:
            rows = block[:, ::-1] if flip else block
            flat = rows.reshape(len(block), -1).astype(np.bool_, copy=False)
            file.write(np.packbits(flat, axis=1, bitorder=bit_order).tobytes())
            ticks += len(block)
    return ticks


def check_size(width: int, height: int) -> None:
    """Raises UsageError unless width x height can be a sensor."""
    if width < 1 or height < 1:
        problem = "must be above zero"
    elif width * height > MAX_PIXELS:
        problem = "is beyond any sensor"
    else:
        return
    raise UsageError(f"spike size {problem} ({width}x{height} seen) - give WIDTHxHEIGHT in pixels")


def file_bytes(path: Path) -> int:
    """Size of a spike file. Raises InputError if it is missing, a folder, unreadable or empty."""
    try:
        if path.is_dir():
            raise InputError(f"spike file is a folder ({path}) - give the .dat file inside it")
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"spike file not found ({path}) - check the path") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if size == 0:
        raise InputError(f"spike file is empty ({path}) - record or copy it again")
    return size


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot read spike file ({path}: {error.strerror}) - check its permissions")


def _whole_planes(path: Path, width: int, height: int) -> int:
    size = file_bytes(path)
    plane = plane_bytes(width, height)
    if size % plane == 0:
        return size // plane
    fitting = ", ".join(f"{w}x{h}" for w, h in fitting_sizes(size))
    raise InputError(
        f"{path} holds {size:,} bytes, not a whole number of {width}x{height} planes"
        f" of {plane:,} bytes - give the true size with --spike-size WxH "
        + (f"(known sizes that fit: {fitting})" if fitting else "or copy the file again if cut")
    )
