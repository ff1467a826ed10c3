"""Packed spike planes on disk: one file, or a folder of files that follow each other."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.cameras import Camera, fitting_cameras
from spikedeblur.io.spikes.layouts import Layout

__all__ = ["PackedFile", "PackedFolder", "StoredPlanes", "are_parts", "dat_files", "file_bytes"]


class StoredPlanes(Protocol):
    """Spike planes as they are stored, (ticks, height, width), read a part at a time.

    flip: whether such a file stores its rows bottom-up.
    """

    width: int
    height: int
    ticks: int
    flip: bool

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Ticks [start, stop), both in [0, ticks] -> (n, height, width), rows as stored.

        bool, or uint8 where a pixel counts more than one spike a tick.
        """

    def close(self) -> None:
        """Let go of what is open."""


class PackedFile:
    """A .dat, read through np.memmap; never all of it is in memory.

    rest: bytes after the last whole plane, which only a layout that may be cut has.
    """

    def __init__(self, path: Path, width: int, height: int, layout: Layout, bit_order: str) -> None:
        self.path = path
        self.width, self.height, self.flip = width, height, layout.flip
        self._layout, self._bit_order = layout, bit_order
        self._plane_bytes = layout.plane_bytes(width, height)
        self._start, self.ticks, self.rest = _extent(path, width, height, layout, bit_order)
        self._file = _open(path)
        finalize(self, self._file.close)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        # Mapped anew for each window: pages of one long mapping would pile up in resident memory.
        packed = np.memmap(
            self._file,
            dtype=np.uint8,
            mode="r",
            offset=self._start + start * self._plane_bytes,
            shape=(stop - start, self._plane_bytes),
        )
        whole = self._layout.check(packed, self._bit_order)
        if not whole.all():
            raise InputError(
                f"{self.path} loses its step at tick {start + int(whole.argmin())} (no headers"
                " of a plane there) - record or copy it again"
            )
        return self._layout.unpack(packed, self.width, self.height, self._bit_order)

    def close(self) -> None:
        self._file.close()


class PackedFolder:
    """A folder of .dat files in the order of their names, each a number of whole planes.

    rest: see `PackedFile`, of all files together.
    """

    def __init__(self, path: Path, width: int, height: int, layout: Layout, bit_order: str) -> None:
        self.width, self.height, self.flip = width, height, layout.flip
        self._how = (width, height, layout, bit_order)
        self._files = dat_files(path)
        extents = [_extent(file, width, height, layout, bit_order) for file in self._files]
        self._starts = list(accumulate((ticks for _, ticks, _ in extents), initial=0))
        self.rest = sum(rest for *_, rest in extents)
        self.ticks = self._starts[-1]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        parts = []
        number = bisect_right(self._starts, start) - 1
        while start < stop:
            first, end = self._starts[number], min(self._starts[number + 1], stop)
            # Opened one after the other: there may be more files than a process may hold open.
            file = PackedFile(self._files[number], *self._how)
            parts.append(file.read(start - first, end - first))
            file.close()
            start, number = end, number + 1
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def close(self) -> None:
        pass


def dat_files(folder: Path) -> list[Path]:
    """The .dat files of a folder, 9.dat before 10.dat. Raises InputError if there are none."""
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() == ".dat"]
    except OSError as error:
        raise _unreadable(folder, error) from None
    if not files:
        raise InputError(
            f"no .dat files in the spike folder ({folder}) - give the folder that holds them"
        )
    return sorted(
        files,
        key=lambda path: [
            int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)
        ],
    )


def are_parts(files: Sequence[Path]) -> bool:
    """Return whether files are named as parts of one recording: alike but for numbers."""
    return len({re.sub(r"\d+", "#", path.name) for path in files}) == 1


def file_bytes(path: Path) -> int:
    """Size of a spike file. Raises InputError if it is missing, a folder, unreadable or empty."""
    try:
        if path.is_dir():
            raise InputError(f"spike file is a folder ({path}) - give the .dat file inside it")
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"spike file is a pipe or a device ({path}) - give a file")
    except FileNotFoundError:
        raise InputError(f"spike file not found ({path}) - check the path") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if path.suffix.lower() == ".mat":
        raise InputError(
            f"MATLAB files are not read ({path}) - save the spikes as .npy, uint8 of shape "
            "(ticks, height, width), by scipy.io.loadmat or h5py"
        )
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


def _extent(
    path: Path, width: int, height: int, layout: Layout, bit_order: str
) -> tuple[int, int, int]:
    """First byte of the first plane, number of planes, bytes after them. Raises InputError."""
    size = file_bytes(path)
    if layout.size not in (None, (width, height)):
        only = "{}x{}".format(*layout.size)
        raise UsageError(
            f"an {layout.name} has {only} pixels ({width}x{height} seen) - give that size, or"
            " another --spike-layout"
        )
    if rest := size % layout.unit:
        raise InputError(
            f"{path} holds {size:,} bytes, but an {layout.name} writes {layout.unit} at a time"
            f" ({rest} bytes more seen) - copy the file again"
        )
    start = layout.first_plane(path, bit_order)
    if start is None:
        raise InputError(
            f"no plane of an {layout.name} begins in {path} ({size:,} bytes; none of its headers"
            " seen) - give another --spike-layout"
        )
    ticks = layout.ticks(size - start, width, height)
    if ticks is None:
        raise InputError(_not_whole(path, size, (width, height), layout))
    if ticks == 0:
        raise InputError(f"{path} holds no whole plane ({size:,} bytes) - record or copy it again")
    return start, ticks, size - start - ticks * layout.plane_bytes(width, height)


def _not_whole(path: Path, size: int, wanted: tuple[int, int], layout: Layout) -> str:
    """Return the error for a file that does not hold whole planes."""
    plane = layout.plane_bytes(*wanted)
    ticks, rest = divmod(size, plane)
    amiss = f"{rest:,} too many" if rest <= plane / 2 else f"{plane - rest:,} short"
    with_headers = f" with {layout.description}" if layout.header else ""
    width, height = wanted
    stored_too = Camera(width - layout.runs * layout.header, height, (), "", layout)
    if same := [camera for camera in fitting_cameras(size) if camera.size == wanted]:
        advice = f"give --spike-layout {same[0].layout.name}, whose planes fill it"
    elif layout.header and stored_too.width > 0 and stored_too.fills(size):
        advice = (
            f"give the pixels alone, --spike-size {stored_too.width}x{height}: "
            "its header columns are left out by themselves"
        )
    elif others := fitting_cameras(size):
        fitting = ", ".join(str(camera) for camera in others)
        advice = f"give the true size with --spike-size WxH (known sizes that fit: {fitting})"
    else:
        advice = (
            "copy the file again if it was cut, or give --lenient to read the whole planes, or the "
            "true size with --spike-size WxH"
        )
    return (
        f"{path} holds {size:,} bytes, not a whole number of {width}x{height} planes{with_headers}"
        f" of {plane:,} bytes ({ticks:,} and {amiss}) - {advice}"
    )
