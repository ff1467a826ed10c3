"""Lost planes and lost frames: where a clock jumps, and by how much, against the truth."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.alignment.findings import Known
from spikedeblur.alignment.footage import Burst
from spikedeblur.alignment.jumps import _drifts, _Part
from spikedeblur.alignment.recordings import align_files
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video import create_video, open_video
from spikedeblur.quantities import Exposure
from tests.alignment.rigs import Rig, record

LONG = Rig(
    size=(160, 120),
    spike_size=(96, 72),
    rate_hz=5000,
    frames=80,
    exposure=0.6,
    offset=-0.7,
    zoom=0.85,
    angle=3.0,
    shift=(0.06, -0.04),
    blur=8.0,
    seed=5,
)
SETTINGS = RecordingSettings(size=LONG.spike_size, rate_hz=LONG.rate_hz)


def parts(*lags: float) -> list[_Part]:
    light = np.zeros((2, 2, 2), np.float32)
    return [
        _Part(Burst(light, light > 0, np.array([number, number + 0.1])), lag, 0.001, 1.0)
        for number, lag in enumerate(lags)
    ]


def test_lags_on_a_line_are_a_drift() -> None:
    assert _drifts(parts(0.3, 0.3, 0.3))
    assert _drifts(parts(0.0, 1.5, 3.0))
    assert not _drifts(parts(0.0, 0.0, 0.1))
    assert not _drifts(parts(0.0, 2.0, 2.0))


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(LONG, tmp_path_factory.mktemp("rig"))


def found(folder: Path, known: Known | None = None, within: float = 0.01) -> list[list[float]]:
    alignment = align_files(folder / "blurry.mkv", folder / "spikes.dat", SETTINGS, known)
    assert alignment.offset_s * LONG.fps == pytest.approx(LONG.offset, abs=within)
    return alignment.jumps


@pytest.mark.slow
@pytest.mark.parametrize("at,count", [(4400, 437), (3000, 60)])
def test_planes_that_were_lost(at: int, count: int, intact: Path, tmp_path: Path) -> None:
    width, height = LONG.spike_size
    planes = np.fromfile(intact / "spikes.dat", np.uint8).reshape(-1, width * height // 8)
    np.delete(planes, slice(at, at + count), 0).tofile(tmp_path / "spikes.dat")
    (tmp_path / "blurry.mkv").symlink_to(intact / "blurry.mkv")
    ((time_s, jump_s),) = found(tmp_path)
    frame_s, exposure_s = 1 / LONG.fps, LONG.exposure / LONG.fps
    assert jump_s == pytest.approx(count / LONG.rate_hz, abs=exposure_s / 100)
    assert time_s == pytest.approx(LONG.offset * frame_s + at / LONG.rate_hz, abs=3 * frame_s)


@pytest.mark.slow
def test_frames_that_a_video_lost(intact: Path, tmp_path: Path) -> None:
    """Three of them, of which its times say nothing; the exposure cannot be told beside."""
    settings = EncoderSettings("ffv1")
    with (
        open_video(intact / "blurry.mkv") as reader,
        create_video(tmp_path / "blurry.mkv", reader.info, settings) as writer,
    ):
        for frame in reader:
            if not 40 <= frame.index < 43:
                lost = 3 if frame.index >= 43 else 0
                step = frame.interval / frame.time_base
                writer.write(replace(frame, pts=frame.pts - round(lost * step), decoded=None))
    (tmp_path / "spikes.dat").symlink_to(intact / "spikes.dat")
    known = Known(exposure=Exposure(Fraction(3, 5) / LONG.fps))
    ((time_s, jump_s),) = found(tmp_path, known, within=0.02)
    assert jump_s * LONG.fps == pytest.approx(-3, abs=0.02)
    assert time_s * LONG.fps == pytest.approx(40, abs=3)


@pytest.mark.slow
def test_of_a_whole_recording_nothing_is_said(intact: Path) -> None:
    assert found(intact) == []
