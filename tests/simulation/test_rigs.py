"""Simulated rigs: where and when the spike camera looks, and footage that suits no exposure."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur import SpikeStream, open_video, simulate, voxelize
from spikedeblur.cli.main import main
from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoInfo
from tests.recordings import frame_at
from tests.training.pictures import noise_photo, write_png

SMALL = {"frames": 3, "size": "64x48", "spike_size": "32x24", "rate_hz": "2k", "fps": 50, "seed": 1}


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "street.png"
    write_png(path, noise_photo(3, 96, 128))
    return path


@pytest.fixture(scope="module")
def plain(photo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "case"
    simulate(photo, folder, **SMALL)
    return folder


def spikes(folder) -> np.ndarray:
    return SpikeStream.open(folder / "spikes.dat")[:]


def test_spikes_that_begin_late_are_those_of_later(photo, plain, tmp_path):
    simulate(photo, tmp_path, **SMALL, offset_s="10.2ms")
    sidecar = read_sidecar(tmp_path / "spikes.toml")
    assert sidecar.offset_s == Fraction(10, 1000)  # the nearest tick
    np.testing.assert_array_equal(spikes(tmp_path), spikes(plain)[20:])


@pytest.mark.parametrize("block", [1, 7, 50])
def test_blocks_of_spikes_before_the_first_one_kept_are_left_out(
    photo, plain, tmp_path, block, monkeypatch
):
    """A large sensor's blocks hold few ticks: some of them lie wholly before the first one."""
    monkeypatch.setattr("spikedeblur.simulation.recording.BLOCK_PIXELS", 32 * 24 * block)
    simulate(photo, tmp_path, **SMALL, offset_s="10.2ms")
    assert len(spikes(tmp_path)) == len(spikes(plain)) - 20
    assert 0.05 < spikes(tmp_path).mean() < 0.95


def test_spikes_that_begin_early_have_seen_what_was_before_the_video(photo, tmp_path):
    simulate(photo, tmp_path, **SMALL, offset_s=-0.03)
    assert read_sidecar(tmp_path / "spikes.toml").offset_s == Fraction(-3, 100)
    assert len(spikes(tmp_path)) == 3 * 40 + 60
    with open_video(tmp_path / "blurry.mkv") as video:
        middles = [frame.rgb.astype(float).mean(-1) for frame in video]
    assert len(middles) == 3
    stream = SpikeStream.open(tmp_path / "spikes.dat")

    def likeness(begin: int) -> float:
        """Of all frames and the spikes of their intervals, if the first one began at that tick."""
        found = []
        for number, middle in enumerate(middles):
            counts = voxelize(stream, 1, begin + 40 * number, begin + 40 * (number + 1))[0]
            seen = middle.reshape(24, 2, 32, 2).mean((1, 3))
            found.append(np.corrcoef(counts.ravel(), seen.ravel())[0, 1])
        return float(np.mean(found))

    told = likeness(60)
    assert told > 0.6 and told > max(likeness(0), likeness(20), likeness(40)) + 0.05


def test_a_homography_tells_which_pixels_are_seen(photo, plain, tmp_path):
    """A sensor of the same pixels that looks 8 video pixels further to the right."""
    matrix = np.array([2, 0, 8.5, 0, 2, 0.5, 0, 0, 1])
    simulate(photo, tmp_path, **SMALL, homography=matrix)
    assert read_sidecar(tmp_path / "spikes.toml").homography == tuple(matrix)
    here, there = (spikes(folder).mean(0) for folder in (tmp_path, plain))
    likeness = [
        np.corrcoef(here[:, : 32 - shift].ravel(), there[:, shift:].ravel())[0, 1]
        for shift in range(8)
    ]
    assert np.argmax(likeness) == 4 and likeness[4] > 0.1 + max(likeness[3], likeness[5])


def test_a_camera_beside_sees_other_spikes_of_the_same_video(photo, plain, tmp_path):
    simulate(photo, tmp_path, **SMALL, parallax=6)
    assert read_sidecar(tmp_path / "spikes.toml").parallax is True
    assert read_sidecar(plain / "spikes.toml").parallax is None
    for name in ("blurry.mkv", "sharp.mkv"):
        with open_video(tmp_path / name) as one, open_video(plain / name) as other:
            for frame, same in zip(one, other, strict=True):
                np.testing.assert_array_equal(frame.rgb, same.rgb)
    assert spikes(tmp_path).shape == spikes(plain).shape
    assert (spikes(tmp_path) != spikes(plain)).mean() > 0.05


@pytest.mark.parametrize("parallax", [float("nan"), 1000.0])
def test_no_parallax_is_wider_than_the_frame(photo, tmp_path, parallax):
    with pytest.raises(UsageError, match="wider than the frame"):
        simulate(photo, tmp_path, **SMALL, parallax=parallax)


def test_footage_has_no_depth(footage, tmp_path):
    with pytest.raises(UsageError, match="no depth"):
        simulate(footage, tmp_path, parallax=6)


def test_a_fast_clock_ticks_more_often(photo, tmp_path):
    simulate(photo, tmp_path, **{**SMALL, "rate_hz": 20_000}, drift_ppm=1000)
    told = read_sidecar(tmp_path / "spikes.toml")
    assert told.rate_hz == 20_000 and told.drift_ppm == 1000
    with SpikeStream.open(tmp_path / "spikes.dat") as stream:
        assert stream.rate_hz == 20_020
    assert len(spikes(tmp_path)) == 1201


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    path = tmp_path_factory.mktemp("footage") / "film.mkv"
    with create_video(path, VideoInfo.synthetic(32, 24, 24)) as writer:
        for index in range(24):
            picture = np.roll(noise_photo(9, 24, 32), index, axis=1)
            writer.write(frame_at(index, picture, 24))
    return path


@pytest.mark.parametrize(
    ("args", "warned", "fps", "exposure_s"),
    [
        ([], "exposures are 300 ms at 3 blurry frames a second", 3, 0.3),
        (["--fps", "24"], "made of 0.9 frames", 24, 0.9 / 24),
        (["--source-fps", "240"], None, 30, 0.03),
    ],
)
def test_footage_that_suits_no_exposure_is_warned_of(
    footage, args, warned, fps, exposure_s, tmp_path, capsys
):
    out = tmp_path / "case"
    command = ["simulate", str(footage), "-o", str(out), "--spike-rate", "2000", "--frames", "2"]
    assert main([*command, *args]) == 0
    said = capsys.readouterr().err
    assert ("warning" in said) == (warned is not None) and (warned or "") in said
    with open_video(out / "blurry.mkv") as video:
        assert float(video.info.average_rate) == pytest.approx(fps)
    assert float(read_sidecar(out / "spikes.toml").exposure.value) == pytest.approx(exposure_s)


def test_what_cannot_be_is_said(photo, tmp_path, capsys):
    command = ["simulate", str(photo), "-o", str(tmp_path / "x"), "--homography"]
    assert main([*command, "0,0,0,0,0,0,0,0,0"]) == 2
    assert main([*command, "1,2"]) == 2
    assert "nine numbers" in capsys.readouterr().err
    with pytest.raises(UsageError, match="invertible"):
        simulate(photo, tmp_path / "x", homography=[0] * 9)
    assert not (tmp_path / "x").exists()
