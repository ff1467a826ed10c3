"""Rolling shutters and lenses of simulated rigs: found without a word of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import spikedeblur
from spikedeblur.io.spikes.sidecar import read_sidecar, write_sidecar
from spikedeblur.recording.lenses import bent
from spikedeblur.sample.picture import draw_street
from tests.training.pictures import write_png

UNTOLD = ("offset_s", "exposure", "readout_s", "video_lens")
RIG = {
    "frames": 14,
    "size": "192x144",
    "spike_size": "96x72",
    "fps": 50,
    "exposure": "0.45x",
    "blur_px": 8,
    "seed": 3,
}


def aligned(folder, **fault):
    """What `align` found of a rig, and what is true of it."""
    write_png(folder / "street.png", draw_street(seed=0))
    spikedeblur.simulate(folder / "street.png", folder / "rig", **RIG, **fault)
    sidecar = folder / "rig" / "spikes.toml"
    true = read_sidecar(sidecar)
    write_sidecar(sidecar, replace(true, **dict.fromkeys(UNTOLD)), overwrite=True)
    found = spikedeblur.align(folder / "rig" / "blurry.mkv", folder / "rig" / "spikes.dat")
    assert abs(found.offset_s) < 0.0002
    assert found.exposure_s == pytest.approx(0.009, abs=0.0002)
    return found, true


@pytest.mark.slow
def test_the_readout_of_a_rolling_shutter_is_found(tmp_path):
    found, true = aligned(tmp_path, readout_s=-0.008)
    assert found.readout_s == pytest.approx(float(true.readout_s), abs=0.0002)
    assert found.video_lens is None
    assert float(found.sidecar().readout_s) == pytest.approx(found.readout_s, abs=1e-6)


@pytest.mark.slow
def test_the_lens_of_the_video_is_found(tmp_path):
    found, true = aligned(tmp_path, video_lens="163.2,163.2,95.5,71.5,-0.15,0.02")
    assert found.readout_s is None
    matrix = np.reshape(found.homography, (3, 3))
    x, y = np.meshgrid(np.linspace(8, 88, 6), np.linspace(8, 64, 5))
    u, v, depth = np.einsum("ij,jhw->ihw", matrix, np.stack([x, y, np.ones_like(x)]))
    seen = bent(found.sidecar().video_lens, u / depth + 0.5, v / depth + 0.5)
    wanted = bent(true.video_lens, 2 * x + 1, 2 * y + 1)  # plain scaling by two
    np.testing.assert_allclose(seen[:2], wanted[:2], atol=0.4)
