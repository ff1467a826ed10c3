"""Voxel and spike files that would run code, read other files, fill the memory or never end."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from spikedeblur.cli.main import main
from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.voxel_writer import write_voxels
from spikedeblur.io.voxels import VoxelFile
from spikedeblur.recording.exposures import StreamExposures
from tests.attacks.bombs import Runs, nobody_opens
from tests.hostile import memory_below, refused

GRIDS = np.ones((2, 3, 4, 5), np.float32)


def npy_header(shape: object, kind: str = "<f4", version: int = 1) -> bytes:
    """That of a .npy file, whatever it says."""
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("packed", [True, False])
def test_arrays_of_objects_are_not_unpickled(packed: bool, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    content = npy_header((1, 1, 1, 1), "|O") + pickle.dumps([Runs(os.mkdir, str(marker))])
    path = tmp_path / "v.npy"
    path.write_bytes(content)
    if packed:
        path = tmp_path / "v.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("voxels.npy", content)
    with refused(InputError, "object values"):
        VoxelFile(path)
    assert not marker.exists()


def test_what_an_archive_says_of_itself_is_no_pickle(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "v.npz"
    write_voxels(path, GRIDS, GRIDS.shape)
    with zipfile.ZipFile(path) as archive:
        voxels = archive.read("voxels.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("voxels.npy", voxels)
        archive.writestr(
            "info.npy", npy_header((), "|O") + pickle.dumps(Runs(os.mkdir, str(marker)))
        )
    with refused(InputError, "v.npz"):
        VoxelFile(path)
    assert not marker.exists()


def zipped(path: Path, header: bytes, zeros: int, how: int) -> Path:
    with (
        zipfile.ZipFile(path, "w", how) as archive,
        archive.open("voxels.npy", "w", force_zip64=True) as file,
    ):
        file.write(header)
        for _ in range(zeros >> 20):
            file.write(bytes(1 << 20))
    return path


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 10**9), (1, 10**9, 1, 1), (1, 10**30, 1, 1), (1, 1 << 13, 1 << 13, 2)]
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_grids_larger_than_the_limit(shape: tuple[int, ...], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"v{suffix}"
    if suffix == ".npy":
        path.write_bytes(npy_header(shape))
        os.truncate(path, 10**10)
    else:
        zipped(path, npy_header(shape), 64 << 20, zipfile.ZIP_DEFLATED)
        assert path.stat().st_size < 100_000
    with refused(InputError, "too large", megabytes=20):
        VoxelFile(path)


def test_a_header_without_an_end(tmp_path: Path) -> None:
    """Its length has four bytes in later versions of the format: 2 GB of them, packed."""
    long = b"\x93NUMPY\x02\0" + struct.pack("<I", 2**31 - 1)
    path = zipped(tmp_path / "v.npz", long, 64 << 20, zipfile.ZIP_DEFLATED)
    with refused(InputError, "format", megabytes=20):
        VoxelFile(path)


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_python_unpacks_without_a_bound(how: int, tmp_path: Path) -> None:
    path = zipped(tmp_path / "v.npz", npy_header((1, 1, 1, 1)), 32 << 20, how)
    assert path.stat().st_size < 100_000
    with refused(InputError, "uncommon", megabytes=20):
        VoxelFile(path)


@pytest.mark.parametrize(
    "name", ["../voxels.npy", "/etc/passwd.npy", "a\x1b[2J.npy", "x" * 60_000 + ".npy"]
)
def test_names_in_an_archive_are_no_paths(name: str, tmp_path: Path) -> None:
    path = tmp_path / "in" / "v.npz"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for each in (name, "other.npy"):
            archive.writestr(each, npy_header((1, 1, 1, 1)) + bytes(4))
    with refused(InputError, "no array"):
        VoxelFile(path)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["in", "v.npz"]


def test_numbers_of_the_recording_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "v.npz"
    buffer = io.BytesIO()
    np.save(buffer, np.array('{"rate_hz": Infinity, "exposure_s": 1e999}'))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("voxels.npy", npy_header((1, 1, 1, 1)) + bytes(4))
        archive.writestr("info.npy", buffer.getvalue())
    assert main(["info", "--json", str(path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rate_hz"], said["exposure_s"]) == (None, None)


def test_pages_that_go_round_in_a_circle(tmp_path: Path) -> None:
    """Found by changing bytes: tifffile went round in it for ever."""
    path = tmp_path / "v.tif"
    write_voxels(path, GRIDS, GRIDS.shape)
    with tifffile.TiffFile(path) as file:
        offsets = [page.offset for page in file.pages]
        end = offsets[-1] + 2 + 12 * len(file.pages[-1].aspage().tags)
    for back in (offsets[0], offsets[3], offsets[-1]):
        with path.open("r+b") as file:
            file.seek(end)
            file.write(struct.pack("<I", back))
        with refused(InputError, "circle", megabytes=20):
            VoxelFile(path)


def test_other_files_that_a_tiff_names_are_left_alone(tmp_path: Path) -> None:
    """OME-TIFF spreads a series over files."""
    other, path = tmp_path / "other.ome.tif", tmp_path / "v.ome.tif"
    tifffile.imwrite(other, GRIDS, photometric="minisblack", metadata={"axes": "TZYX"}, ome=True)
    with tifffile.TiffFile(other) as file:
        said = file.ome_metadata
    assert said is not None
    said = said.replace(said[said.index("urn:uuid:") :][:45], "urn:uuid:" + "0" * 36, 1)
    said = said.replace(
        "<TiffData ",
        '<TiffData FirstT="0" IFD="0"><UUID FileName="other.ome.tif">'
        "urn:uuid:" + "1" * 36 + "</UUID></TiffData><TiffData ",
    )
    tifffile.imwrite(path, GRIDS[0, 0], photometric="minisblack", description=said, metadata=None)
    with nobody_opens(other), refused(InputError, "v.ome.tif"):
        VoxelFile(path)


def test_a_plane_as_large_as_the_file(tmp_path: Path) -> None:
    """One bit a pixel becomes 32 bins of four bytes: a thousand times the file."""
    path = tmp_path / "s.dat"
    path.touch()
    os.truncate(path, 1 << 24)
    with (
        SpikeStream.open(path, width=1 << 13, height=1 << 14, rate_hz=1000) as stream,
        refused(InputError, "too large", megabytes=20),
    ):
        StreamExposures(stream, bins=32)


@pytest.mark.parametrize(
    ("size", "megabytes"), [((10**9, 10**9), 20), ((2**31, 2**31), 20), ((1 << 14, 1 << 14), 20)]
)
def test_sizes_of_no_sensor(size: tuple[int, int], megabytes: float, tmp_path: Path) -> None:
    path = tmp_path / "s.dat"
    path.touch()
    os.truncate(path, 10**12)  # nothing of it is on the disk
    with refused(UsageError, str(size[0]), megabytes):
        SpikeStream.open(path, width=size[0], height=size[1], rate_hz=1000)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.toml")
    os.mkfifo(tmp_path / "s.dat")
    os.mkfifo(tmp_path / "v.npz")
    with refused(InputError, "s.toml"):
        find_sidecar(tmp_path / "s.dat")
    with refused(InputError, "v.npz"):
        VoxelFile(tmp_path / "v.npz")
    with refused(InputError, "s.dat"):
        resolve_spike_source(tmp_path / "s.dat", RecordingSettings())
    (tmp_path / "s.toml").unlink()
    with refused(InputError, "s.dat"):
        SpikeStream.open(tmp_path / "s.dat", width=4, height=4, rate_hz=9)
    assert main(["info", str(tmp_path / "s.dat")]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 8000, "not valid TOML"),
        ("a = " + "[" * 8000, "not valid TOML"),
        ("width = " + "9" * 8000, "not valid TOML"),
        ("width = 0x" + "f" * 8000, "bad width"),
        ("x." * 4000 + "y = 1", "unknown key"),
        ("x." * 30_000 + "y = 1", "8,192 bytes"),
        ("# " + "x" * 9000, "8,192 bytes"),
        ("[" + "x." * 4000 + "y]", "unknown key"),
        (f"homography = [{'1e300,' * 1200}]", "bad homography"),
        ("width = 1e999\n", "bad width"),
        ("rate_hz = 5e-324", "bad rate_hz"),
        ('"\\u001b[2J" = 1', "unknown key"),
        ("width = 1\nwidth = 2", "not valid TOML"),
        ("\x00", "not valid TOML"),
        ("\n".join(f"[a{n}.b]" for n in range(800)), "unknown key"),
    ],
)
def test_hostile_sidecars(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(text)
    with refused(InputError, said, megabytes=80):
        find_sidecar(tmp_path / "s.dat")


def test_bins_without_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.dat").write_bytes(bytes(100))
    how = ["voxelize", str(tmp_path / "s.dat"), "--spike-size", "1x1", "--spike-rate", "100"]
    with memory_below(20):
        assert main([*how, "--fps", "1", "--bins", "1000000000"]) == 2
        assert main([*how, "--fps", "99999999999"]) == 2
        assert main([*how, "--fps", "1000", "--offset", "99999999"]) == 2
    assert "--fps" in capsys.readouterr().err
