"""What an estimated alignment, and one that is a pixel off, cost the deblurred video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spikedeblur.cli.main import main
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.video import open_video
from spikedeblur.metrics import frame_psnr
from tests.alignment.rigs import Rig, record

RIGS = [
    Rig(
        size=(160, 120),
        spike_size=(96, 72),
        rate_hz=2500,
        frames=10,
        exposure=0.6,
        offset=-1.7,
        zoom=0.85,
        angle=3.0,
        shift=(0.06, -0.04),
        blur=8.0,
        seed=5,
    ),
    Rig(
        size=(192, 128),
        spike_size=(96, 64),
        rate_hz=8000,
        frames=10,
        exposure=0.9,
        offset=3.2,
        zoom=1.2,
        angle=-4.0,
        shift=(-0.05, 0.02),
        blur=10.0,
        seed=21,
    ),
    Rig(
        size=(192, 128),
        spike_size=(128, 96),
        fps=25,
        rate_hz=4000,
        frames=10,
        exposure=0.45,
        offset=0.4,
        zoom=0.7,
        angle=1.0,
        shift=(0.03, 0.08),
        square=False,
        blur=12.0,
        seed=22,
    ),
]


def frames(path):
    with open_video(path) as reader:
        return torch.from_numpy(np.stack([frame.rgb for frame in reader])).float() / 255


def deblurred(folder, name, method):
    """PSNR of `folder`'s video through the sidecar beside the spikes."""
    out = folder / f"{name}.mkv"
    status = main(
        [
            "deblur",
            str(folder / "blurry.mkv"),
            "--spikes",
            str(folder / "spikes.dat"),
            "--method",
            method,
            "-o",
            str(out),
            "--codec",
            "ffv1",
        ]
    )
    assert status in (0, 3)  # 3: some frames have no spikes
    restored, sharp = (each.movedim(-1, -3) for each in (frames(out), frames(folder / "sharp.mkv")))
    return float(frame_psnr(restored, sharp).mean())


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("rig", "method"), [(RIGS[0], "sdm"), (RIGS[1], "sdm"), (RIGS[2], "sdm"), (RIGS[1], "net")]
)
def test_an_estimated_alignment_is_as_good_as_the_true_one(rig, method, tmp_path):
    """Less than 0.5 dB worse. Planes left a pixel apart cost less than 1 dB."""
    record(rig, tmp_path)
    columns, rows = rig.spike_size
    sidecar = tmp_path / "spikes.toml"
    assert (
        main(
            [
                "align",
                str(tmp_path / "blurry.mkv"),
                "--spikes",
                str(tmp_path / "spikes.dat"),
                "--spike-size",
                f"{columns}x{rows}",
                "--spike-rate",
                str(rig.rate_hz),
            ]
        )
        == 0
    )
    found = deblurred(tmp_path, "found", method)
    write_sidecar(sidecar, rig.sidecar, overwrite=True)
    true = deblurred(tmp_path, "true", method)
    moved = np.array([[1, 0, 1.0], [0, 1, 0], [0, 0, 1]]) @ np.reshape(rig.homography, (3, 3))
    write_sidecar(
        sidecar, replace(rig.sidecar, homography=tuple(moved.ravel().tolist())), overwrite=True
    )
    off = deblurred(tmp_path, "off", method)
    blurry = float(
        frame_psnr(
            *(frames(tmp_path / name).movedim(-1, -3) for name in ("blurry.mkv", "sharp.mkv"))
        ).mean()
    )
    print(f"{method}: blurry {blurry:.2f}, true {true:.2f}, found {found:.2f}, off {off:.2f} dB")
    assert true > blurry
    assert found > true - 0.5
    assert off > true - 1
