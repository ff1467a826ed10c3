"""Voxel files written: spike counts (T, K, H, W) as .tif, .npy or .npz.

The TIFF has one float32 page per bin, `axes: TZYX` and what is known of the recording in the JSON
of its description. It is deflated, for that needs no codec beyond Python's own wherever it is read.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from spikedeblur.errors import UsageError
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.voxels import ARRAY_NAME, Grid, VoxelInfo, VoxelShape

__all__ = ["write_voxels"]


def write_voxels(
    path: Path | str,
    grids: Iterable[Grid],
    shape: VoxelShape,
    info: VoxelInfo | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write T grids (K, H, W) float32 as they come; the format follows the suffix.

    shape: (T, K, H, W), known beforehand. Raises OutputError if the file exists (unless
    overwrite) or cannot be written, UsageError for another suffix or grids of another shape.
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise UsageError(f"unknown voxel format ({path.name} seen) - use .tif, .npy or .npz")
    with atomic_path(path, overwrite=overwrite) as temporary:
        write(temporary, _checked(grids, shape), shape, info or VoxelInfo())


def _checked(grids: Iterable[Grid], shape: VoxelShape) -> Iterator[Grid]:
    """The grids as C-ordered float32. Raises UsageError unless they are T of (K, H, W)."""
    count = 0
    for grid in grids:
        count += 1
        if grid.shape != shape[1:] or count > shape[0]:
            raise UsageError(f"voxel grid {count} is {grid.shape}, not of {shape} - make them fit")
        yield np.ascontiguousarray(grid, dtype=np.float32)
    if count < shape[0]:
        raise UsageError(f"too few voxel grids ({count} of {shape[0]} seen) - give them all")


def _metadata(shape: VoxelShape, info: VoxelInfo) -> dict[str, object]:
    known = {name: value for name, value in asdict(info).items() if value is not None}
    return {"bins": shape[1], "width": shape[3], "height": shape[2], **known}


def _write_tiff(path: Path, grids: Iterator[Grid], shape: VoxelShape, info: VoxelInfo) -> None:
    large = 4 * int(np.prod(shape, dtype=object)) > 1 << 31
    with tifffile.TiffWriter(path, bigtiff=large) as tiff:
        tiff.write(
            (page for grid in grids for page in grid),
            shape=shape,
            dtype=np.float32,
            photometric="minisblack",
            compression="zlib",
            compressionargs={"level": 1},
            metadata={"axes": "TZYX", **_metadata(shape, info)},
            maxworkers=1,
            buffersize=4 * shape[2] * shape[3],
        )


def _write_npy(path: Path, grids: Iterator[Grid], shape: VoxelShape, _: VoxelInfo) -> None:
    with path.open("wb") as file:
        _write_array(file, grids, shape)


def _write_npz(path: Path, grids: Iterator[Grid], shape: VoxelShape, info: VoxelInfo) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(f"{ARRAY_NAME}.npy", "w", force_zip64=True) as file:
            _write_array(file, grids, shape)
        with archive.open("info.npy", "w") as file:
            np.save(file, np.array(json.dumps(_metadata(shape, info))))


def _write_array(file: Any, grids: Iterator[Grid], shape: VoxelShape) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for grid in grids:
        file.write(grid.astype("<f4", copy=False).tobytes())


_WRITERS: dict[str, Callable[[Path, Iterator[Grid], VoxelShape, VoxelInfo], None]] = {
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".npy": _write_npy,
    ".npz": _write_npz,
}
