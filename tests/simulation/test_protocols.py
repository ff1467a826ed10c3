"""The validation set: its blur, its protocols, its reproducibility."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.video import open_video
from spikedeblur.simulation import protocols
from spikedeblur.simulation.protocols import PROTOCOLS, record_validation_set
from tests.training.pictures import photo_folder


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("validation")
    photos = sorted(photo_folder(folder / "photos", 2).iterdir())
    return record_validation_set(photos, folder / "set", 1)


def pictures(path: Path) -> np.ndarray:
    with open_video(path) as video:
        return np.stack([frame.rgb for frame in video]).astype(np.float64) / 255


def test_a_case_for_each_protocol(cases: list[Path]) -> None:
    assert [case.parent.name for case in cases] == [protocol.name for protocol in PROTOCOLS]


def test_the_middle_frame_is_blurred_as_much_as_it_should_be(cases: list[Path]) -> None:
    for case in cases:
        blurry, sharp = pictures(case / "blurry.mkv"), pictures(case / "sharp.mkv")
        middle = len(sharp) // 2
        psnr = -10 * np.log10(np.mean((blurry[middle] - sharp[middle]) ** 2))
        assert 21.8 < psnr < 26.2  # the camera's noise comes on top


def test_spikes_are_as_the_protocol_says(cases: list[Path]) -> None:
    for case, protocol in zip(cases, PROTOCOLS, strict=True):
        sidecar = read_sidecar(case / "spikes.toml")
        width, height = (round(side * protocol.ratio) for side in protocols.CLIP_SIZE)
        assert (sidecar.width, sidecar.height) == (width, height)
        planes = (case / "spikes.dat").stat().st_size * 8 // (width * height)
        assert planes // protocols.CLIP_FRAMES in protocol.ticks
        exposed = sidecar.exposure.value * sidecar.rate_hz * protocols.CLIP_FRAMES / planes
        assert float(exposed) == pytest.approx(float(protocol.exposure[0]), rel=0.5)


def test_a_case_is_the_same_when_made_again(cases: list[Path], tmp_path: Path) -> None:
    photos = sorted((cases[0].parents[2] / "photos").iterdir())
    [again] = record_validation_set(photos, tmp_path, 1, protocols=PROTOCOLS[1:2])
    assert (again / "spikes.dat").read_bytes() == (cases[1] / "spikes.dat").read_bytes()
