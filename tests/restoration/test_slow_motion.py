"""Slow motion: every frame shows its own instant, at its own time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.errors import UsageError
from spikedeblur.io.image_files import write_image
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.output.slow_motion import SlowMotion
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.sample.picture import draw_street
from spikedeblur.simulation.camera import as_srgb
from spikedeblur.simulation.recording import CameraSettings, Recorder, as_bytes
from spikedeblur.simulation.simulation import photo_scene, write_recording

FRAMES, FACTOR = 3, 4
CAMERAS = CameraSettings((192, 112), (96, 56), Fraction(50), exposure=Fraction(9, 10), seed=4)
BLUR = 24.0  # pixels; of gentle motion the blurry frame itself shows the middle best


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> tuple[Path, np.ndarray, np.ndarray]:
    """A simulated case, and the truth at the middles of quarters and of the whole exposure.

    The truths are uint8 (FRAMES, FACTOR, H, W, 3) and (FRAMES, H, W, 3).
    """
    folder = tmp_path_factory.mktemp("filmed")
    photos = folder / "photos"
    photos.mkdir()
    for seed in range(2):
        write_image(photos / f"{seed}.png", draw_street(seed=seed))
    scene = photo_scene(photos, CAMERAS, FRAMES, blur_px=BLUR)
    write_recording(
        Recorder(scene, CAMERAS).record(range(FRAMES)),
        CAMERAS,
        folder / "case",
        False,
        lambda frames: None,
    )

    def seen(parts: int) -> np.ndarray:
        return np.stack(
            [
                [
                    as_bytes(as_srgb(scene.render(np.array([time])), False))
                    for time in instants(frame, parts)
                ]
                for frame in range(FRAMES)
            ]
        )

    return folder / "case", seen(FACTOR), seen(1)[:, 0]


def instants(frame: int, parts: int) -> list[float]:
    """Middles of equal parts of the exposure of `frame`, in frame intervals."""
    opens, closes = CAMERAS.shutter(frame)
    return [opens + (closes - opens) * (part + 0.5) / parts for part in range(parts)]


def deblurred(case: Path, method: str, slowmo: int) -> list[VideoFrame]:
    deblurrer = Deblurrer(method=method, slowmo=slowmo)
    with open_video(case / "blurry.mkv") as blurry:
        return list(deblurrer.frames(*deblurrer.open_spikes(blurry, case / "spikes.dat")))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = (one.astype(float) - other)[..., 4:-4, 4:-4, :] / 255
    return float(-10 * np.log10((error**2).mean()))


@pytest.mark.parametrize("method", ["sdm", "net"])
def test_each_frame_shows_its_own_instant_nearly_as_well_as_the_middle_one(filmed, method):
    case, truths, middles = filmed
    middle = psnr(np.stack([frame.rgb for frame in deblurred(case, method, 1)]), middles)
    slow = deblurred(case, method, FACTOR)
    assert [frame.time for frame in slow] == [
        Fraction(n, 50 * FACTOR) for n in range(FRAMES * FACTOR)
    ]
    pictures = np.stack([frame.rgb for frame in slow]).reshape(truths.shape)
    table = np.array(
        [
            [psnr(pictures[:, shown], truths[:, meant]) for meant in range(FACTOR)]
            for shown in range(FACTOR)
        ]
    )
    assert np.abs(table.diagonal() - middle).max() < 1
    # Reversed or repeated frames would be nearer to another instant than to their own.
    assert (table.argmax(axis=1) == range(FACTOR)).all()


@pytest.mark.parametrize("timing", ["keep", "stretch"])
def test_frames_share_the_interval_evenly_on_either_clock(timing):
    """A frame shown from 0.3 s for 0.1 s, in a time base that thirds of it do not fit."""
    blurry = VideoFrame(3, 9, Fraction(1, 30), 3, Fraction(1, 10), np.zeros((2, 2, 3), np.uint8))
    pictures = [np.full((2, 2, 3), number, np.uint8) for number in range(4)]
    frames = list(SlowMotion(4, timing).frames(blurry, pictures))
    slower = 4 if timing == "stretch" else 1
    assert [frame.time for frame in frames] == [
        slower * (Fraction(3, 10) + Fraction(number, 40)) for number in range(4)
    ]
    assert [frame.interval for frame in frames] == [Fraction(slower, 40)] * 4
    assert [frame.index for frame in frames] == [12, 13, 14, 15]
    assert [frame.rgb[0, 0, 0] for frame in frames] == [0, 1, 2, 3]


def test_a_stretched_video_keeps_its_rate():
    source = VideoInfo.synthetic(16, 16, 25)
    assert SlowMotion(4, "keep").info(source).average_rate == 100
    assert SlowMotion(4, "stretch").info(source).average_rate == 25


@pytest.mark.parametrize("settings", [(0, "keep"), (-2, "keep"), (2, "faster")])
def test_what_cannot_be_is_refused(settings):
    with pytest.raises(UsageError):
        SlowMotion(*settings)
