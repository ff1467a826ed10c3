"""The files that the pages speak of, small, so that their commands can be run as they stand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.sample.picture import draw_street
from tests.recordings import frame_at, make_recording
from tests.training.pictures import noise_photo, write_png

FRAMES = 4
RATE, TICKS = 200, 100  # frames a second, ticks a frame: 20 kHz


def lay_out(folder: Path, *, streets: bool = False) -> None:
    """Write input.mp4 with s.dat (400x250 at 20 kHz, no sidecar), sharp_240fps.mp4, case/, photos/,
    and input.npy with spikes.npy.

    streets: the photographs are those of the bundled sample, slow to draw; else noise.
    """
    rng = np.random.default_rng(0)
    with create_video(folder / "input.mp4", VideoInfo.synthetic(64, 40, RATE, "yuv420p")) as writer:
        for index in range(FRAMES):
            writer.write(frame_at(index, rng.integers(0, 255, (40, 64, 3), dtype=np.uint8), RATE))
    np.save(folder / "input.npy", rng.integers(0, 255, (FRAMES, 40, 64, 3), dtype=np.uint8))
    np.save(folder / "spikes.npy", rng.random((TICKS * FRAMES, 20, 32)) < 0.3)
    (folder / "s.dat").write_bytes(rng.bytes(12_500) * TICKS * FRAMES)
    shutil.copytree(make_recording(folder / "made").folder, folder / "case")
    info = VideoInfo.synthetic(64, 48, 240, "yuv420p")
    with create_video(folder / "sharp_240fps.mp4", info) as writer:
        for index in range(48):
            picture = np.roll(noise_photo(9, 48, 64), index, axis=1)
            writer.write(frame_at(index, picture, 240))
    (folder / "photos").mkdir()
    for number in range(2 if streets else 8):
        photo = draw_street(seed=number) if streets else noise_photo(number, 96, 128)
        write_png(folder / "photos" / f"street{number}.png", photo)
