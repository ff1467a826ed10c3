"""NumPy's array files (.npy, and the members of an .npz), read a few rows of the first axis at a
time.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import InputError

__all__ = ["StoredArray", "first_header", "member_names", "open_member", "open_npy"]

PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class StoredArray:
    """An array stored plain, in C order, from byte `offset` of a file on."""

    def __init__(
        self, file: BinaryIO, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> None:
        self.dtype, self.shape = dtype, shape
        self._file, self._offset = file, offset
        self._row_bytes = int(np.prod(shape[1:], dtype=object)) * dtype.itemsize

    @property
    def end(self) -> int:
        """Byte after the array."""
        return self._offset + self._row_bytes * self.shape[0]

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Rows [start, stop) of the first axis. Raises EOFError if the file ends before."""
        self._file.seek(self._offset + start * self._row_bytes)
        content = self._file.read((stop - start) * self._row_bytes)
        if len(content) < (stop - start) * self._row_bytes:
            raise EOFError(f"it ends within frame {start + len(content) // self._row_bytes}")
        return np.frombuffer(content, dtype=self.dtype).reshape(stop - start, *self.shape[1:])


def open_npy(file: BinaryIO, name: str) -> StoredArray:
    """The array of an open .npy; `name`: the array in error messages.

    Raises InputError for an array in column order, and what NumPy raises for a damaged header.
    """
    if (version := np.lib.format.read_magic(file)) != (1, 0):
        # The header of another version may be of any length; numpy writes no array so.
        raise InputError(f"{name} is in .npy format {version} - use 1.0")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if by_columns and len(shape) > 1:
        raise InputError(f"{name} is in column order - save it with np.ascontiguousarray")
    return StoredArray(file, file.tell(), dtype, shape)


def member_names(archive: zipfile.ZipFile, name: str) -> list[str]:
    """The names of the arrays in an .npz. Raises InputError for what numpy does not write."""
    # Python unpacks what is packed in any other way without a bound.
    if any(entry.compress_type not in PACKINGS for entry in archive.infolist()):
        raise InputError(f"{name} is packed in an uncommon way - save it with numpy")
    return [name.removesuffix(".npy") for name in archive.namelist()]


def open_member(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    """The .npy of one array of an .npz, opened as a file."""
    return cast(BinaryIO, archive.open(f"{name}.npy"))


def first_header(path: Path) -> tuple[list[str], tuple[int, ...]]:
    """Names of the arrays of a .npy (none) or .npz, and the shape of the first.

    Raises what NumPy and zipfile raise for a damaged file.
    """
    with path.open("rb") as file:
        if path.suffix.lower() == ".npy":
            return [], open_npy(file, str(path)).shape
        with zipfile.ZipFile(file) as archive:
            names = member_names(archive, str(path))
            with open_member(archive, names[0]) as member:
                return names, open_npy(member, str(path)).shape
