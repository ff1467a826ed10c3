"""Colour filters before spike pixels: luminance in closed form, and recordings by such sensors."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

import spikedeblur
from spikedeblur import SpikeStream
from spikedeblur.agreement.check import check_spikes
from spikedeblur.cli.main import main
from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar, write_sidecar
from spikedeblur.io.video import open_video
from spikedeblur.recording.filters import filter_masks, luminance_counts
from spikedeblur.restoration.exposing import exposed_video
from spikedeblur.vocabulary import CFAS
from tests.street import STREET_RIG, street_photo

WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


def test_the_filters_of_the_first_pixels():
    seen = filter_masks("GRBG", (2, 4))
    letters = np.array(list("RGB"))[seen.argmax(axis=0)]
    assert ["".join(row) for row in letters] == ["GRGR", "BGBG"]
    moved = filter_masks("GRBG", (2, 4), corner=(1, 1))
    assert ["".join(row) for row in np.array(list("RGB"))[moved.argmax(axis=0)]] == ["GBGB", "RGRG"]


@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (3, 5)])
@pytest.mark.parametrize("cfa", CFAS)
def test_a_flat_coloured_scene_has_its_luminance(cfa, corner):
    light = np.array([0.7, 0.2, 0.45])
    behind = np.tensordot(light, filter_masks(cfa, (7, 9), corner), 1)
    counts = (100 * behind[None] * np.array([1, 2, 0.5])[:, None, None]).astype(np.float32)
    expected = 100 * (WEIGHTS @ light) * np.array([1, 2, 0.5])[:, None, None]
    found = luminance_counts(counts, cfa, corner)
    np.testing.assert_allclose(found, np.broadcast_to(expected, (3, 7, 9)), rtol=1e-5)


def test_a_slope_of_grey_light_is_kept():
    """But at the border, beyond which nothing is known."""
    slope = (np.arange(12)[:, None] + 2 * np.arange(16)).astype(np.float32)[None]
    found = luminance_counts(slope, "RGGB")
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], slope[:, 1:-1, 1:-1], rtol=1e-5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same scene before a grey sensor and before a filtered one."""
    photo = street_photo(tmp_path_factory.mktemp("photo"))
    grey, filtered = (tmp_path_factory.mktemp(name) for name in ("grey", "filtered"))
    spikedeblur.simulate(photo, grey, **STREET_RIG)
    spikedeblur.simulate(photo, filtered, **STREET_RIG, cfa="GBRG")
    return grey, filtered


def psnr(folder, method: str) -> float:
    with open_video(folder / "sharp.mkv") as video:
        sharp = np.stack([frame.rgb for frame in video]) / 255.0
    made = spikedeblur.deblur(folder / "blurry.mkv", folder / "spikes.dat", method=method)
    found = np.stack([np.asarray(each) for each in made]) / 255.0
    return float(-10 * np.log10(((found - sharp) ** 2).mean()))


def test_each_pixel_counts_what_its_filter_lets_pass(folders):
    """The mean of each colour's pixels is that of the sharp frames in that colour."""
    _, filtered = folders
    assert read_sidecar(filtered / "spikes.toml").cfa == "GBRG"
    with SpikeStream.open(filtered / "spikes.dat") as stream:
        rate = stream[:].mean(axis=0)
    with open_video(filtered / "blurry.mkv") as video:
        seen = np.mean([(frame.rgb / 255.0) ** 2.2 for frame in video], axis=(0, 1, 2))
    found = [rate[mask].mean() for mask in filter_masks("GBRG", (32, 48))]
    np.testing.assert_allclose(found, seen, rtol=0.1)


@pytest.mark.parametrize("method", ["sdm", "joint"])
def test_filtered_spikes_restore_nearly_as_well(folders, method):
    grey, filtered = folders
    assert psnr(filtered, method) > psnr(grey, method) - 1.0


def test_playback_shows_no_mosaic(folders, tmp_path):
    _, filtered = folders
    energy = {}
    known = read_sidecar(filtered / "spikes.toml")
    for name, cfa in (("said", "GBRG"), ("unsaid", None)):
        shutil.copy(filtered / "spikes.dat", tmp_path / f"{name}.dat")
        write_sidecar(tmp_path / f"{name}.toml", replace(known, cfa=cfa))
        made = spikedeblur.deblur(filtered / "blurry.mkv", tmp_path / f"{name}.dat", method="tfp")
        picture = np.asarray(next(iter(made))).astype(float)[::2, ::2, 0]
        energy[name] = np.abs(np.diff(picture, axis=0)).mean()
    assert energy["said"] < 0.7 * energy["unsaid"]


def test_the_check_knows_of_the_filters(folders):
    _, filtered = folders
    with open_video(filtered / "blurry.mkv") as reader:
        _, exposures = exposed_video(reader, filtered / "spikes.dat", RecordingSettings(), 16)
    agreement = check_spikes(filtered / "blurry.mkv", exposures)
    assert agreement.match > 0.95 and agreement.findings == []


def test_no_such_filters(folders, capsys):
    with pytest.raises(UsageError, match="RGGB"):
        RecordingSettings(cfa="RGBW")
    files = [str(folders[1] / "blurry.mkv"), "--spikes", str(folders[1] / "spikes.dat")]
    assert main(["deblur", *files, "--cfa", "RGBW"]) == 2
    assert "RGGB" in capsys.readouterr().err
