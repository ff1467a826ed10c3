"""A rig in memory, aligned and deblurred from Python, against the truth."""

from __future__ import annotations

import numpy as np
import pytest

import spikedeblur
from spikedeblur import RecordingSettings, SpikeStream, open_video
from spikedeblur.io.spikes.sidecar import read_sidecar
from tests.alignment.rigs import Rig, mean_distance, record

RIG = Rig(
    size=(160, 120), spike_size=(96, 72), rate_hz=2500, frames=10, exposure=0.6, offset=-1.7, seed=5
)


@pytest.mark.slow
def test_arrays_are_aligned_and_what_is_found_is_a_rig(tmp_path):
    folder = record(RIG, tmp_path)
    with open_video(folder / "blurry.mkv") as video:
        frames = np.stack([frame.rgb for frame in video])
    stored = RecordingSettings(size=RIG.spike_size, rate_hz=RIG.rate_hz)
    with SpikeStream.read_as(folder / "spikes.dat", stored) as stream:
        spikes = stream[:]
    written = tmp_path / "found.toml"
    found = spikedeblur.align(frames, spikes, fps=RIG.fps, rate_hz=RIG.rate_hz, output=written)
    said = read_sidecar(written)
    assert abs(float(said.offset_s) * RIG.fps - RIG.offset) < 0.02
    assert abs(float(said.exposure.value) * RIG.fps - RIG.exposure) < 0.02
    assert mean_distance(RIG, said.homography) < 0.5
    sharp = spikedeblur.deblur(frames, spikes, fps=RIG.fps, method="sdm", rig=found.sidecar())
    assert sharp.shape == frames.shape and not np.array_equal(sharp, frames)
