"""Small recordings of a wall that moves about, made in a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoInfo
from tests.recordings import encode, frame_at
from tests.rigs import wall

WIDTH, HEIGHT, RATE, TICKS = 96, 64, 50, 40  # the shutter is open for all of an interval
TURN = 2.3  # radians that the motion turns by from frame to frame, so that no shift is like a delay


@dataclass(frozen=True)
class Wall:
    """A recording: light of every frame (F, H, W) linear, spikes (F * TICKS, H / 2, W / 2) bool."""

    frames: np.ndarray
    spikes: np.ndarray

    def write(
        self,
        folder: Path,
        change: Callable[[np.ndarray], np.ndarray] = lambda spikes: spikes,
        codec: str = "ffv1",
        pix_fmt: str = "bgr0",
        **said: object,
    ) -> tuple[Path, Path]:
        """Write v.mkv, s.dat and s.toml; change: what is wrong with the spikes. said: sidecar."""
        folder.mkdir(parents=True, exist_ok=True)
        video, spikes = folder / "v.mkv", folder / "s.dat"
        info = VideoInfo.synthetic(WIDTH, HEIGHT, RATE, pix_fmt)
        with create_video(video, info, EncoderSettings(codec), overwrite=True) as writer:
            for number, light in enumerate(self.frames):
                rgb = encode(np.repeat(light[..., None], 3, -1))
                if pix_fmt != "bgr0":
                    rgb = rgb.astype(np.uint16) * 257
                writer.write(frame_at(number, rgb))
        planes = np.ascontiguousarray(change(self.spikes))
        write_dat(spikes, [planes], overwrite=True)
        sidecar = {"size": planes.shape[:0:-1], "rate_hz": Fraction(RATE * TICKS), **said}
        write_sidecar(folder / "s.toml", RecordingSettings(**sidecar), overwrite=True)
        return video, spikes


def moving(
    frames: int = 12, speed: float = 9.0, seed: int = 3, light: np.ndarray | None = None
) -> Wall:
    """A wall that moves by `speed` pixels a frame, in a direction that turns. light: (640, 640)."""
    scene = wall(seed) if light is None else light
    place = np.array([300.0, 280.0])
    charge = np.random.default_rng(seed).random((HEIGHT // 2, WIDTH // 2))
    blurry, planes = [], []
    for number in range(frames):
        step = speed / TICKS * np.array([np.cos(TURN * number), np.sin(TURN * number)])
        total = np.zeros((HEIGHT, WIDTH))
        for _ in range(TICKS):
            place = place + step
            down, across = np.round(place).astype(int)
            view = scene[down : down + HEIGHT, across : across + WIDTH]
            total += view
            charge += 0.8 * view.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean((1, 3))
            planes.append(charge >= 1)
            charge = charge - planes[-1]
        blurry.append(total / TICKS)
    return Wall(np.array(blurry), np.array(planes))
