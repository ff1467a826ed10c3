"""Voxel files read: spike counts (T, K, H, W), T = video frame, K = bin, as .tif, .npy or .npz."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import tifffile
from numpy.typing import NDArray

from spikedeblur.errors import InputError, shown
from spikedeblur.io.guards.limits import check_pixels, check_regular
from spikedeblur.io.guards.tiffs import check_chain, check_page, open_tiff
from spikedeblur.io.npy import StoredArray, first_header, member_names, open_member, open_npy
from spikedeblur.io.spikes.checks import lens_in, parse_homography
from spikedeblur.quantities import Lens

__all__ = ["VoxelFile", "VoxelInfo", "is_voxel_file"]

Grid = NDArray[np.float32]
VoxelShape = tuple[int, int, int, int]

NUMPY_SUFFIXES = (".npy", ".npz")
VOXEL_SUFFIXES = (".tif", ".tiff", *NUMPY_SUFFIXES)
ARRAY_NAME = "voxels"
MAX_INFO_BYTES = 1 << 16


@dataclass(frozen=True)
class VoxelInfo:
    """Notes of a voxel file on its recording; None where it has none.

    rate_hz: ticks per second. exposure_s: shutter time of a frame, seconds, if all are alike.
    homography: pixel of the grids -> video pixel as in a sidecar, if the grids do not show just
    what the frames do. video_lens, spike_lens: of frames and grids, if they distort.
    """

    rate_hz: float | None = None
    exposure_s: float | None = None
    homography: tuple[float, ...] | None = None
    video_lens: Lens | None = None
    spike_lens: Lens | None = None


def is_voxel_file(path: Path | str) -> bool:
    """Return whether a file holds voxel grids: by its suffix, and as an array by its four axes.

    Arrays that cannot be read count as voxel grids.
    """
    path = Path(path)
    if path.suffix.lower() not in NUMPY_SUFFIXES or not path.is_file():
        return path.suffix.lower() in VOXEL_SUFFIXES
    try:
        names, shape = first_header(path)
    except Exception:  # a damaged file makes the libraries raise nearly anything
        return True
    return ARRAY_NAME in names or len(shape) == 4


class VoxelFile:
    """A voxel file, read frame by frame; `file[t]` is the (K, H, W) float32 counts of frame t.

    shape: (T, K, H, W). info: what the file says of its recording.
    """

    def __init__(self, path: Path | str) -> None:
        """Open a voxel file. Raises InputError if it is missing, damaged, or holds no grids."""
        self.path = Path(path)
        self.info = VoxelInfo()
        self._closing = ExitStack()
        self._read: Callable[[int], NDArray[Any]]
        check_regular("voxel file", self.path)
        if self.path.suffix.lower() not in VOXEL_SUFFIXES:
            raise InputError(f"not a voxel file ({self.path}) - give a .tif, .npy or .npz")
        try:
            if self.path.suffix.lower().startswith(".tif"):
                shape = self._open_tiff()
            else:
                shape = self._open_npy()
            self.shape = self._usable(shape)
        except InputError:
            self.close()
            raise
        except Exception as error:  # a damaged file makes the libraries raise nearly anything
            self.close()
            raise self._damaged(error) from None

    @property
    def bins(self) -> int:
        """K, bins per frame."""
        return self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> Grid:
        """Counts of one frame -> (K, H, W) float32. Raises InputError if they are damaged."""
        if not 0 <= frame < len(self):
            raise IndexError(f"frame {frame} of {len(self)}")
        try:
            grid = self._read(frame).reshape(self.shape[1:]).astype(np.float32, copy=False)
        except Exception as error:
            raise self._damaged(error) from None
        if not np.isfinite(grid).all() or grid.min(initial=0) < 0:
            raise InputError(
                f"voxel file {self.path} holds no counts in frame {frame} (negative or not finite"
                " values seen) - voxelize the recording again"
            )
        return grid

    def __iter__(self) -> Iterator[Grid]:
        return (self[frame] for frame in range(len(self)))

    def close(self) -> None:
        """Let go of the file."""
        self._closing.close()

    def __enter__(self) -> VoxelFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_tiff(self) -> tuple[int, ...]:
        tiff = self._closing.enter_context(open_tiff(self.path))
        check_chain(tiff)
        check_page(tiff.pages.first)
        series = tiff.series[0]
        if series.ndim == 4 and series.axes not in ("TZYX", "QQYX", "QQQQ"):
            raise InputError(
                f"voxel file {self.path} has other axes ({series.axes} seen) - it must be TZYX"
            )
        self.info = _info(next(iter(tiff.shaped_metadata or ()), {}))
        self._check_numbers(series.dtype)
        bins = series.shape[1] if series.ndim == 4 else 1
        if series.dataoffset is None:
            self._read = lambda t: _read_pages(tiff, range(t * bins, (t + 1) * bins))
        else:  # stored plain in one piece, with a single directory for all the pages
            file = self._closing.enter_context(self.path.open("rb"))
            dtype = np.dtype(tiff.byteorder + series.dtype.char)
            array = StoredArray(file, series.dataoffset, dtype, series.shape)
            self._read = lambda t: array.rows(t, t + 1)
        return series.shape

    def _open_npy(self) -> tuple[int, ...]:
        file: Any = self._closing.enter_context(self.path.open("rb"))
        if self.path.suffix.lower() == ".npz":
            archive = self._closing.enter_context(zipfile.ZipFile(file))
            arrays = member_names(archive, f"voxel file {self.path}")
            name = ARRAY_NAME if ARRAY_NAME in arrays or len(arrays) != 1 else arrays[0]
            if name not in arrays:
                raise InputError(
                    f"voxel file {self.path} has no array {ARRAY_NAME!r} "
                    f"({', '.join(arrays)[:99]} seen) - name it so"
                )
            if "info" in arrays:
                self.info = _info(_read_json(archive))
            file = self._closing.enter_context(open_member(archive, name))
        array = open_npy(file, f"voxel file {self.path}")
        # An array of Python objects, which is a pickle, goes no further than its type.
        self._check_numbers(array.dtype)
        self._read = lambda t: array.rows(t, t + 1)
        return array.shape

    def _check_numbers(self, dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "fiu":
            raise InputError(f"voxel file {self.path} holds {dtype} values - save float32 counts")

    def _usable(self, shape: tuple[int, ...]) -> VoxelShape:
        if len(shape) != 4 or min(shape) < 1:
            raise InputError(
                f"voxel file {self.path} holds no voxel grids (shape {shown(shape)} seen)"
                " - it must be (frames, bins, height, width)"
            )
        check_pixels("a voxel grid", self.path, shape[1:])
        return shape[0], shape[1], shape[2], shape[3]

    def _damaged(self, error: Exception) -> InputError:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        return InputError(f"voxel file {self.path} is damaged ({reason}) - write it again")


def _read_pages(tiff: tifffile.TiffFile, numbers: range) -> NDArray[Any]:
    """The pages of one frame, each checked before it is unpacked."""
    expected = tiff.pages.first.shape
    for number in numbers:
        check_page(tiff.pages[number])
        if tiff.pages[number].shape != expected:
            raise ValueError(
                f"page {number} of shape {shown(tiff.pages[number].shape)} among "
                f"pages of {shown(expected)}"
            )
    return tiff.asarray(key=slice(numbers.start, numbers.stop), maxworkers=1)


def _read_json(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Read the archive's notes on the recording, a few words of text."""
    if archive.getinfo("info.npy").file_size > MAX_INFO_BYTES:
        return {}
    with archive.open("info.npy") as file:
        metadata = json.loads(np.load(file, allow_pickle=False).item())
    return metadata if isinstance(metadata, dict) else {}


def _info(metadata: dict[str, Any]) -> VoxelInfo:
    """Read the metadata; foreign or broken values are left out."""
    known = {name: metadata.get(name) for name in ("rate_hz", "exposure_s")}
    return VoxelInfo(
        **{name: float(value) for name, value in known.items() if _is_plausible(value)},
        homography=parse_homography(metadata.get("homography")),
        video_lens=lens_in(metadata.get("video_lens")),
        spike_lens=lens_in(metadata.get("spike_lens")),
    )


def _is_plausible(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and 0 < value < 1e12
