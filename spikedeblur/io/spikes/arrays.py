"""Spikes decoded beforehand: arrays (ticks, height, width) of 0 and 1 in .npy, .npz or .h5."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import InputError, UsageError, shown
from spikedeblur.io.guards.limits import check_pixels
from spikedeblur.io.npy import member_names, open_member, open_npy
from spikedeblur.io.spikes.held import HeldPlanes, counted_spikes, told_strange
from spikedeblur.io.spikes.packed import file_bytes

__all__ = ["ARRAY_SUFFIXES", "ArrayFile", "check_axes"]

H5_SUFFIXES = (".h5", ".hdf5")
ARRAY_SUFFIXES = (".npy", ".npz", *H5_SUFFIXES)
BLOCK_VALUES = 1 << 22
MAX_CHUNK_BYTES = 1 << 30


class _Array(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...


class ArrayFile:
    """An array file, read block by block; rows stand the right way up, as in any picture.

    key: name of the array in an .npz or .h5; None for the only one, or the only one of three axes.
    most: spikes that a pixel can count in a tick.
    """

    flip = False

    def __init__(self, path: Path, key: str | None = None, most: int = 1) -> None:
        """Open it. Raises InputError for what is missing, damaged or no spikes; UsageError for a
        key that does not fit, and where h5py is needed but not installed.
        """
        self.path, self._most = path, most
        self._closing = ExitStack()
        finalize(self, self._closing.close)
        self._rows: Callable[[int, int], NDArray[Any]]
        file_bytes(path)
        try:
            array = self._opened(key)
        except (InputError, UsageError):
            self.close()
            raise
        except Exception as error:  # a damaged file makes the libraries raise nearly anything
            self.close()
            raise self._damaged(error) from None
        self.ticks, self.height, self.width = array.shape

    def read(self, start: int, stop: int) -> NDArray[Any]:
        fired = np.dtype(np.uint8 if self._most > 1 else np.bool_)
        spikes = np.empty((stop - start, self.height, self.width), fired)
        step = max(BLOCK_VALUES // (self.height * self.width), 1)
        for first in range(start, stop, step):
            last = min(first + step, stop)
            try:
                block = self._rows(first, last)
            except Exception as error:
                raise self._damaged(error) from None
            counts, strange = counted_spikes(block, self._most)
            if strange.any():
                raise InputError(
                    f"{self.path} holds {told_strange(self._most)} ({block[strange][0]} seen at "
                    f"tick {first + int(strange.any((1, 2)).argmax())}) - give spikes, or --bits "
                    "of a pixel; packed bits belong into a .dat"
                )
            spikes[first - start : last - start] = counts
        return spikes

    def close(self) -> None:
        self._closing.close()

    def _opened(self, key: str | None) -> _Array:
        suffix = self.path.suffix.lower()
        if suffix in H5_SUFFIXES:
            return self._open_h5(key)
        file: Any = self._closing.enter_context(self.path.open("rb"))
        if suffix == ".npz":
            archive = self._closing.enter_context(zipfile.ZipFile(file))
            name = self._chosen(
                member_names(archive, str(self.path)),
                key,
                lambda name: len(_shape_in(archive, name)),
            )
            file = self._closing.enter_context(open_member(archive, name))
        elif key is not None:
            raise UsageError(
                f"a .npy holds one array without a name (key {key!r} given for "
                f"{self.path}) - leave --spike-key out"
            )
        array = open_npy(file, f"spike file {self.path}")
        self._check(array)
        if suffix == ".npy" and (over := self.path.stat().st_size - array.end):
            amiss = f"{over:,} bytes follow" if over > 0 else f"{-over:,} bytes are missing from"
            raise InputError(f"{self.path} is damaged ({amiss} its array) - save it again")
        self._rows = array.rows
        return array

    def _open_h5(self, key: str | None) -> _Array:
        try:
            h5py = import_module("h5py")
        except ImportError:
            raise UsageError(
                f"reading {self.path} needs h5py (not installed) - pip install 'spikedeblur[h5]'"
            ) from None
        file = self._closing.enter_context(h5py.File(self.path, "r"))
        names: list[str] = []
        file.visititems(
            lambda name, each: names.append(name) if isinstance(each, h5py.Dataset) else None
        )
        dataset = file[self._chosen(names, key, lambda name: len(file[name].shape or ()))]
        self._check(dataset)
        # A slice takes the memory of every chunk that it touches.
        if math.prod(dataset.chunks or (1,)) * dataset.dtype.itemsize > MAX_CHUNK_BYTES:
            raise InputError(
                f"{self.path} is stored in chunks too large to read by parts "
                f"({dataset.chunks} seen) - save it with smaller ones"
            )
        if dataset.external or dataset.is_virtual:
            raise InputError(f"the spikes of {self.path} are in other files - copy them into one")
        self._rows = lambda start, stop: dataset[start:stop]
        array: _Array = dataset
        return array

    def _chosen(self, names: list[str], key: str | None, axes: Callable[[str], int]) -> str:
        """The array of that name; without one the only array, or the only one of three axes."""
        listed = ", ".join(names)[:99] or "none"
        if key is None:
            found = names if len(names) == 1 else [name for name in names if axes(name) == 3]
            if len(found) == 1:
                return found[0]
            raise UsageError(
                f"{self.path} does not hold one array of three axes ({listed} seen) - name the "
                "spikes with --spike-key"
            )
        if key.strip("/") not in names:
            raise UsageError(
                f"{self.path} has no array {key!r} ({listed} seen) - give one of "
                "them as --spike-key"
            )
        return key.strip("/")

    def _check(self, array: _Array) -> None:
        if array.dtype.kind not in "biuf":
            raise InputError(
                f"{self.path} holds {array.dtype} values - save the spikes as bool "
                "or uint8, 0 and 1"
            )
        if len(array.shape) != 3 or min(array.shape) < 1:
            raise InputError(
                f"{self.path} holds no spikes (shape {shown(tuple(array.shape))} seen)"
                " - they must be (ticks, height, width)"
            )
        check_pixels("a spike plane", self.path, tuple(array.shape[1:]))

    def _damaged(self, error: Exception) -> InputError:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        return InputError(f"{self.path} is damaged ({reason}) - save it again")


def _shape_in(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """The shape of an array in an .npz; () for what is none."""
    try:
        with open_member(archive, name) as file:
            return open_npy(file, name).shape
    except (InputError, ValueError, KeyError, EOFError):
        return ()


def check_axes(
    path: Path,
    array: ArrayFile | HeldPlanes,
    sizes: Collection[tuple[int, int]],
    least_ticks: float = 0,
) -> None:
    """Raise `InputError` where ticks are not the first axis of an array, as far as that shows.

    path: what it is called. sizes: (width, height) that its planes may have; where none of them
    fits, an array whose last axis alone is as long as `least_ticks`, what the video takes, has its
    ticks there.
    """
    shape = array.ticks, array.height, array.width
    if (shape[2], shape[1]) in sizes:
        return
    orders = [(2, 0, 1), (2, 1, 0)]
    fits = [axes for axes in orders if (shape[axes[2]], shape[axes[1]]) in sizes]
    if 0 < least_ticks <= shape[2] and shape[0] < least_ticks / 2:
        fits.append(orders[0])
    if not fits or shape[fits[0][0]] != max(shape):
        return
    meant = "x".join(str(shape[axis]) for axis in fits[0])
    do = "save" if isinstance(array, ArrayFile) else "give"
    raise InputError(
        f"the axes of {path} are in another order ({shown(shape)} seen, ticks x height x width "
        f"would be {meant}) - {do} spikes.transpose{fits[0]}, or give --spike-size "
        f"{shape[2]}x{shape[1]} if they are right"
    )
