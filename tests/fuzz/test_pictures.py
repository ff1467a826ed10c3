"""Pictures and voxel grids with bytes changed: an array of the right kind, or one `InputError`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import example, given
from hypothesis import strategies as st

from spikedeblur.errors import InputError
from spikedeblur.inspection.files import inspect
from spikedeblur.io.image_files import read_image, write_image
from spikedeblur.io.voxel_writer import write_voxels
from spikedeblur.io.voxels import VoxelFile, VoxelInfo
from spikedeblur.simulation.photos import read_photo
from tests.fuzz.examples import fuzzed
from tests.fuzz.mutations import CHANGES, spoilt, write
from tests.hostile import check_message

MEGABYTES = 200
PICTURE = np.random.default_rng(1).integers(0, 60_000, (9, 13, 3), np.uint16)
GRIDS = np.random.default_rng(2).integers(0, 9, (2, 3, 5, 7)).astype(np.float32)


def check_picture(path: Path) -> None:
    """What `read_image` and `info` make of it."""
    try:
        picture = read_image(path)
        assert picture.shape[2] == 3 and picture.dtype in (np.uint8, np.uint16)
        assert inspect(path)["kind"] in ("video", "voxels")
    except InputError as error:
        check_message(error)


def test_png(tmp_path: Path) -> None:
    path, wholes = tmp_path / "1.png", []
    for picture in (PICTURE, (PICTURE >> 8).astype(np.uint8)):
        write_image(path, picture)
        wholes.append(path.read_bytes())

    @fuzzed(200)
    @given(st.sampled_from(wholes), CHANGES)
    def check(whole: bytes, changes: bytes) -> None:
        write(path, spoilt(whole, changes))
        check_picture(path)
        try:
            assert read_photo(path).dtype == np.uint8
        except InputError as error:
            check_message(error)

    check()


def test_tiff(tmp_path: Path) -> None:
    path = tmp_path / "1.tif"
    write_image(path, PICTURE)  # with a predictor
    wholes = [path.read_bytes()]
    for compression, tile in ((None, None), ("zlib", None), ("zlib", (16, 16))):
        tifffile.imwrite(path, PICTURE, photometric="rgb", tile=tile, compression=compression)
        wholes.append(path.read_bytes())

    @fuzzed(200)
    @given(st.sampled_from(wholes), CHANGES)
    @example(wholes[0], bytes.fromhex("0000001e00000000000033000000"))  # 51 kinds of compression
    def check(whole: bytes, changes: bytes) -> None:
        write(path, spoilt(whole, changes))
        check_picture(path)

    check()


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".npz"])
def test_voxel_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    write_voxels(path, GRIDS, (2, 3, 5, 7), VoxelInfo(20_000.0, 0.01))
    whole = path.read_bytes()

    @fuzzed(200)
    @given(CHANGES)
    @example(bytes.fromhex("0195c031000000"))  # a TIFF of 127 kinds of compression
    @example(bytes.fromhex("f7aff82e6ec54b"))  # a TIFF with one page of a gigabyte
    def check(changes: bytes) -> None:
        write(path, spoilt(whole, changes))
        try:
            with VoxelFile(path) as file:
                for number in range(min(len(file), 5)):
                    grid = file[number]
                    assert grid.shape == file.shape[1:] and grid.dtype == np.float32
            assert inspect(path)["kind"] == "voxels"
        except InputError as error:
            check_message(error)

    check()
