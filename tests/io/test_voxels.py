"""Voxel files: round trips, reading by other libraries, and damage of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tifffile

from spikedeblur.errors import InputError, OutputError, UsageError
from spikedeblur.io.voxel_writer import write_voxels
from spikedeblur.io.voxels import VoxelFile, VoxelInfo

GRIDS = np.random.default_rng(3).random((3, 4, 5, 7), dtype=np.float32) * 9
INFO = VoxelInfo(rate_hz=20000.0, exposure_s=0.0166)
SUFFIXES = [".tif", ".tiff", ".npy", ".npz"]


@pytest.fixture(params=SUFFIXES)
def written(request, tmp_path):
    path = tmp_path / f"v{request.param}"
    write_voxels(path, iter(GRIDS), GRIDS.shape, INFO)
    return path


def test_reads_back_equal_in_any_order(written):
    with VoxelFile(written) as file:
        assert file.shape == GRIDS.shape and len(file) == 3 and file.bins == 4
        for frame in (2, 0, 1, 1):
            assert file[frame].dtype == np.float32
            np.testing.assert_array_equal(file[frame], GRIDS[frame])
        np.testing.assert_array_equal(np.stack(list(file)), GRIDS)
        assert file.info == (VoxelInfo() if written.suffix == ".npy" else INFO)
        with pytest.raises(IndexError):
            file[3]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("shape", [(1, 4, 5, 7), (3, 1, 5, 7), (1, 1, 1, 1), (2, 2, 1, 3)])
def test_single_frames_bins_and_pixels(tmp_path, suffix, shape):
    path = tmp_path / f"v{suffix}"
    grids = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    write_voxels(path, grids, shape)
    with VoxelFile(path) as file:
        assert file.shape == shape and file.info == VoxelInfo()
        np.testing.assert_array_equal(np.stack(list(file)), grids)


def test_other_programs_read_it(tmp_path):
    for suffix in SUFFIXES:
        write_voxels(tmp_path / f"v{suffix}", GRIDS, GRIDS.shape, INFO)
    with tifffile.TiffFile(tmp_path / "v.tif") as tiff:
        assert (tiff.series[0].axes, tiff.series[0].shape) == ("TZYX", GRIDS.shape)
        assert tiff.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        described = json.loads(tiff.pages[0].description)
    assert described["rate_hz"] == 20000.0 and described["exposure_s"] == 0.0166
    assert [described[key] for key in ("bins", "width", "height")] == [4, 7, 5]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "v.tif"), GRIDS)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), GRIDS)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npz")["voxels"], GRIDS)


def test_tiff_needs_no_codec_library(tmp_path):
    script = (
        "import sys; sys.modules['imagecodecs'] = None\n"
        "import numpy as np\n"
        "from spikedeblur.io.voxel_writer import write_voxels\n"
        "from spikedeblur.io.voxels import VoxelFile\n"
        "grids = np.ones((2, 3, 4, 5), np.float32)\n"
        "write_voxels(sys.argv[1], grids, grids.shape)\n"
        "assert (np.stack(list(VoxelFile(sys.argv[1]))) == 1).all()\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "v.tif")], check=True)


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "u1", ">i4"])
def test_foreign_number_types(tmp_path, dtype):
    counts = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(dtype)
    np.save(tmp_path / "v.npy", counts)
    np.savez_compressed(tmp_path / "v.npz", anything=counts)
    tifffile.imwrite(tmp_path / "v.tif", counts, photometric="minisblack")
    for suffix in (".npy", ".npz", ".tif"):
        with VoxelFile(tmp_path / f"v{suffix}") as file:
            np.testing.assert_array_equal(file[1], counts[1].astype(np.float32))


def test_writing_is_refused_or_whole(tmp_path):
    path = tmp_path / "v.tif"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        write_voxels(path, GRIDS, GRIDS.shape)
    with pytest.raises(UsageError, match="too few"):
        write_voxels(path, GRIDS[:2], GRIDS.shape, overwrite=True)
    with pytest.raises(UsageError, match="make them fit"):
        write_voxels(path, GRIDS[:, :3], GRIDS.shape, overwrite=True)
    assert path.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1
    write_voxels(path, GRIDS, GRIDS.shape, overwrite=True)
    assert len(VoxelFile(path)) == 3
    with pytest.raises(UsageError, match="unknown voxel format"):
        write_voxels(tmp_path / "v.mat", GRIDS, GRIDS.shape)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (GRIDS[0], r"shape \(4, 5, 7\) seen"),
        (GRIDS[:0], "no voxel grids"),
        (GRIDS.astype(complex), "complex64|complex128"),
        (np.asfortranarray(GRIDS), "column order"),
        (np.array([["spikes"]]), "<U6 values"),
    ],
)
def test_arrays_that_are_no_voxel_grids(tmp_path, array, message):
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(InputError, match=message):
        VoxelFile(tmp_path / "v.npy")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_values_that_are_no_counts(tmp_path, value):
    bad = GRIDS.copy()
    bad[1, 2, 3, 4] = value
    write_voxels(tmp_path / "v.tif", bad, bad.shape)
    with VoxelFile(tmp_path / "v.tif") as file:
        file[0]
        with pytest.raises(InputError, match="no counts in frame 1"):
            file[1]


def test_other_axes_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "v.tif", GRIDS, photometric="minisblack", metadata={"axes": "ZCYX"})
    with pytest.raises(InputError, match="ZCYX seen"):
        VoxelFile(tmp_path / "v.tif")


def test_the_array_of_an_archive_must_be_known(tmp_path):
    np.savez(tmp_path / "v.npz", a=GRIDS, b=GRIDS)
    with pytest.raises(InputError, match=r"no array 'voxels' \(a, b seen"):
        VoxelFile(tmp_path / "v.npz")
    with zipfile.ZipFile(tmp_path / "none.npz", "w"):
        pass
    with pytest.raises(InputError, match="no array 'voxels'"):
        VoxelFile(tmp_path / "none.npz")


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="there is no voxel file"):
        VoxelFile(tmp_path / "none.tif")
    (tmp_path / "v.dat").write_bytes(b"1")
    with pytest.raises(InputError, match="not a voxel file"):
        VoxelFile(tmp_path / "v.dat")
    for suffix in SUFFIXES:
        for content in (b"", b"text renamed", bytes(400)):
            (tmp_path / f"v{suffix}").write_bytes(content)
            with pytest.raises(InputError, match="damaged") as raised:
                VoxelFile(tmp_path / f"v{suffix}")
            assert "\n" not in str(raised.value)
