"""Simulated rigs, each with one fault: its sidecar makes up for it, and without it is worse."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

import spikedeblur
from spikedeblur.agreement.check import check_spikes
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar, write_sidecar
from spikedeblur.io.video import open_video
from spikedeblur.restoration.exposing import exposed_video
from spikedeblur.sample.picture import draw_street
from tests.training.pictures import write_png

FRAMES = 4
RIG = {
    "frames": FRAMES,
    "size": "128x96",
    "spike_size": "64x48",
    "rate_hz": 20_000,
    "fps": 50,
    "blur_px": 10,
    "seed": 3,
}
FAULTS = {
    "video lens": {"video_lens": "110,110,63.5,47.5,-0.2,0.03"},
    "spike lens": {"spike_lens": "55,55,30,25,0.12,0,0.003,-0.002"},
    "rolling shutter": {"readout_s": 0.01, "exposure": "0.45x"},
    "rolling upwards": {"readout_s": -0.01, "exposure": "0.45x"},
    "linear": {"transfer": "linear"},
    "pq": {"transfer": "pq"},
}
TOLD = {
    "video lens": ("video_lens",),
    "spike lens": ("spike_lens",),
    "rolling shutter": ("readout_s",),
    "rolling upwards": ("readout_s",),
    "linear": ("transfer",),
    "pq": ("transfer",),
}

NOTHING = {
    "drift_ppm": 0,
    "readout_s": 0,
    "transfer": "srgb",
    "video_lens": "110,110,63.5,47.5,0",
    "spike_lens": "55,55,30,25,0",
}


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "wall.png"
    write_png(path, draw_street(seed=0))
    return path


@pytest.fixture(scope="module", params=[None, *FAULTS])
def rig(request, photo, tmp_path_factory):
    """Name of the fault, and the folder of its recording."""
    folder = tmp_path_factory.mktemp("rig")
    spikedeblur.simulate(photo, folder, **RIG, **FAULTS.get(request.param, {}))
    return request.param, folder


def pictures(path) -> np.ndarray:
    with open_video(path) as video:
        return np.stack([frame.rgb for frame in video]).astype(float) / 255


def psnr(folder, **keywords) -> float:
    """Of the inner part of frames restored by `sdm`, to the sharp ones."""
    sharp = pictures(folder / "sharp.mkv")
    made = spikedeblur.deblur(folder / "blurry.mkv", folder / "spikes.dat", **keywords)
    found = np.stack([np.asarray(each) for each in made])
    inner = np.s_[:, 8:-8, 8:-8]
    return float(-10 * np.log10(((found / 255.0 - sharp)[inner] ** 2).mean()))


@pytest.mark.parametrize("method", ["sdm", "joint"])
def test_the_true_values_make_up_for_the_fault(rig, method, tmp_path):
    fault, folder = rig
    true = psnr(folder, method=method)
    if fault is None:
        assert true > 27
        return
    sidecar = folder / "spikes.toml"
    told = read_sidecar(sidecar)
    assert all(getattr(told, name) is not None for name in TOLD[fault])
    try:
        untold = replace(told, **dict.fromkeys(TOLD[fault]))
        write_sidecar(sidecar, untold, overwrite=True)
        without = psnr(folder, method=method)
    finally:
        write_sidecar(sidecar, told, overwrite=True)
    assert true > 26.5
    # Of a video that is light itself joint finds out that it is.
    assert true > without + (-0.2 if (fault, method) == ("linear", "joint") else 0.5)


def test_the_check_sees_through_the_fault(rig):
    _, folder = rig
    with open_video(folder / "blurry.mkv") as reader:
        _, exposures = exposed_video(reader, folder / "spikes.dat", RecordingSettings(), 16)
    agreement = check_spikes(folder / "blurry.mkv", exposures)
    assert agreement.match > 0.99 and agreement.findings == []


def test_faults_of_nothing_cost_no_bit(rig, tmp_path):
    fault, folder = rig
    if fault is not None:
        return
    found = {}
    for name, said in (("absent", {}), ("of nothing", NOTHING)):
        shutil.copy(folder / "spikes.dat", tmp_path / f"{name}.dat")
        known = replace(read_sidecar(folder / "spikes.toml"), **said)
        write_sidecar(tmp_path / f"{name}.toml", known)
        for method in ("sdm", "joint"):
            made = spikedeblur.deblur(
                folder / "blurry.mkv", tmp_path / f"{name}.dat", method=method
            )
            found[name, method] = np.stack([np.asarray(each) for each in made])
    for method in ("sdm", "joint"):
        np.testing.assert_array_equal(found["absent", method], found["of nothing", method])


def test_a_voxel_file_knows_of_lens_and_shutter(rig, tmp_path):
    fault, folder = rig
    if fault in ("linear", "pq"):  # which is the video's, and said to deblur
        return
    blurry, grids = folder / "blurry.mkv", tmp_path / "s.tif"
    spikedeblur.voxelize(folder / "spikes.dat", frames=blurry, output=grids)
    one, other = (
        np.stack([np.asarray(each) for each in spikedeblur.deblur(blurry, spikes, method="sdm")])
        for spikes in (folder / "spikes.dat", grids)
    )
    assert np.abs(one.astype(int) - other).max() <= 1
