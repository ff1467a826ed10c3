"""Several recordings of one rig: one homography for all, an offset each."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.alignment import Alignment, Errors, Known, align_rig
from spikedeblur.alignment.recordings import shared_homography
from spikedeblur.cli.main import main
from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.spikes.source import SpikeSource
from spikedeblur.quantities import Exposure
from tests.alignment.rigs import Rig, mean_distance, record

TRUE = (1.5, 0.02, 3.0, -0.01, 1.6, -2.0, 1e-4, 2e-4, 1.0)


def finding(
    homography: tuple[float, ...], error: float, *, offset: float = 0.0, width: int = 40
) -> Alignment:
    settings = RecordingSettings(
        size=(width, 30), rate_hz=Fraction(1000), exposure=Exposure(Fraction(1, 50))
    )
    return Alignment(
        source=SpikeSource(Path("s.dat"), settings),
        offset_s=offset,
        exposure_s=0.01,
        rate_hz=1000.0,
        homography=homography,
        interval_s=0.02,
        errors=Errors(0.001, 0.001, error),
        correlation=0.9,
        frames=8,
        seen_s=0.0,
    )


def moved(pixels: float) -> tuple[float, ...]:
    """TRUE, and so many video pixels to the right."""
    shift = np.array([[1, 0, pixels], [0, 1, 0], [0, 0, 1]])
    return tuple((shift @ np.reshape(TRUE, (3, 3))).ravel().tolist())


def test_the_shared_homography_is_the_mean_by_certainty():
    """Two that are off by +2 and -1 pixels, the second twice as sure: off by -0.4 on the whole."""
    homography, error = shared_homography([finding(moved(2), 0.2), finding(moved(-1), 0.1)])
    np.testing.assert_allclose(homography, moved(-0.4), rtol=1e-6, atol=1e-9)
    assert error == pytest.approx((1 / 0.2**2 + 1 / 0.1**2) ** -0.5)


def test_planes_of_two_sizes_are_of_no_one_rig():
    with pytest.raises(UsageError, match="30x30 and 40x30"):
        shared_homography([finding(TRUE, 0.1), finding(TRUE, 0.1, width=30)])


@pytest.fixture
def told(monkeypatch) -> list[tuple[Path, Known]]:
    """Calls of a stand-in for `align`: c.mp4 cannot tell by itself, d.mp4 never can."""
    calls: list[tuple[Path, Known]] = []

    def align(video, spikes, options=None, known=None, drift=False, *, progress, on_plan=None):
        calls.append((video, known))
        progress(4, 4)
        if video.stem == "d" or (video.stem == "c" and known.homography is None):
            raise InputError("cannot tell the homography - record more texture")
        offset = ord(video.stem) / 1000
        if known.homography is not None:
            return finding(known.homography, 0.0, offset=offset)
        return finding(moved(8 if video.stem == "z" else 0), 0.1, offset=offset)

    monkeypatch.setattr("spikedeblur.alignment.recordings.align_files", align)
    return calls


def test_those_that_cannot_tell_alone_do_with_the_others(told, caplog):
    names = ["a", "b", "c", "d", "z"]
    steps: list[tuple[int, int]] = []
    found = align_rig(
        [(Path(f"{name}.mp4"), Path(f"{name}.dat")) for name in names],
        progress=lambda *done: steps.append(done),
    )
    assert [isinstance(each, Alignment) for each in found] == [True, True, True, False, True]
    homographies = {each.homography for each in found if isinstance(each, Alignment)}
    assert len(homographies) == 1 and [each.offset_s for each in found[:2]] == [0.097, 0.098]
    assert found[0].errors.homography == pytest.approx(0.1 / 2**0.5)  # of a and b
    assert steps[-1] == (40, 40) and steps == sorted(steps)
    [strange] = [record for record in caplog.records if "same rig" in record.getMessage()]
    assert "z.mp4" in strange.getMessage()


def test_a_known_homography_needs_one_round(told):
    align_rig([(Path("a.mp4"), Path("a.dat"))] * 2, known=Known(homography=TRUE))
    assert len(told) == 2


def test_the_command_writes_a_sidecar_for_each(told, tmp_path, capsys):
    for name in ("a", "b", "d"):
        (tmp_path / f"{name}.dat").write_bytes(b"")
    videos = [str(tmp_path / f"{name}.mp4") for name in ("a", "b", "d")]
    assert main(["align", *videos, "--spikes", str(tmp_path), "--json"]) == 1
    captured = capsys.readouterr()
    *events, done = [json.loads(line) for line in captured.out.splitlines()]
    assert [event["status"] for event in events] == ["done", "done", "failed"]
    assert [event["offset_s"] for event in events[:2]] == [0.097, 0.098]
    assert done["failed"] == videos[2:] and "1 of 3 recordings" in captured.err
    first, second = (read_sidecar(tmp_path / f"{name}.toml") for name in "ab")
    assert first.homography == second.homography and first.offset_s != second.offset_s
    assert not (tmp_path / "d.toml").exists()
    assert main(["align", *videos, "--spikes", str(tmp_path), "-o", "one.toml"]) == 2
    assert main(["align", *videos, "--spikes", str(tmp_path / "a.dat")]) == 2


@pytest.mark.slow
def test_two_recordings_of_a_simulated_rig(tmp_path, capsys):
    """The same rig, other scenes and offsets: each offset is found, and one homography."""
    rig = Rig(
        size=(160, 120),
        spike_size=(96, 72),
        rate_hz=2500,
        frames=10,
        exposure=0.6,
        zoom=0.85,
        angle=3.0,
        shift=(0.06, -0.04),
        blur=8.0,
    )
    rigs = [replace(rig, offset=offset, seed=seed) for offset, seed in ((-1.7, 5), (0.8, 6))]
    for number, each in enumerate(rigs):
        folder = record(each, tmp_path / str(number))
        (folder / "blurry.mkv").rename(tmp_path / f"{number}.mkv")
        (folder / "spikes.dat").rename(tmp_path / f"{number}.dat")
    videos = [str(tmp_path / f"{number}.mkv") for number in range(2)]
    size = ["--spike-size", "96x72", "--spike-rate", "2500"]
    assert main(["align", *videos, "--spikes", str(tmp_path), *size]) == 0
    found = [read_sidecar(tmp_path / f"{number}.toml") for number in range(2)]
    assert found[0].homography == found[1].homography
    for each, sidecar in zip(rigs, found, strict=True):
        assert abs(float(sidecar.offset_s) * each.fps - each.offset) < 0.02
        assert abs(float(sidecar.exposure.value) * each.fps - each.exposure) < 0.02
        assert mean_distance(each, sidecar.homography) < 0.5
    assert capsys.readouterr().out.count("homography") == 2
