"""Small recordings made on the spot: a sliding texture seen by a video and a spike camera."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo

WIDTH, HEIGHT = 48, 32
RATE = 50
TICKS = 80  # per frame
SPEED = 10  # pixels per frame


@dataclass(frozen=True)
class Recording:
    """Files of one recording; `sharp` and `blurry` are lossless."""

    folder: Path
    blurry: Path
    sharp: Path
    spikes: Path
    frames: int


def frame_at(index: int, rgb: np.ndarray, rate: int = RATE) -> VideoFrame:
    """Frame number `index` of a video with `rate` frames per second."""
    interval = Fraction(1, rate)
    return VideoFrame(index, index, interval, 1, interval, rgb)


def texture(width: int) -> np.ndarray:
    """Smooth random light of one tint, (HEIGHT, width, 3) in [0, 1]."""
    noise = np.random.default_rng(7).random((HEIGHT + 6, width + 6))
    windows = np.lib.stride_tricks.sliding_window_view(noise, (7, 7))
    light = np.clip((windows.mean((-1, -2)) - 0.5) * 5 + 0.5, 0.05, 1)
    return light[..., None] * np.array([1.0, 0.8, 0.6])


def encode(light: np.ndarray) -> np.ndarray:
    """Linear light -> 8-bit sRGB, by the definition of IEC 61966-2-1."""
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(np.clip(curve, 0, 1) * 255).astype(np.uint8)


def make_recording(folder: Path, frames: int = 7) -> Recording:
    """Write blurry.mkv, sharp.mkv (middle of each exposure), spikes.dat and spikes.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    wall = texture(WIDTH + SPEED * frames + SPEED)
    blurry, sharp, planes = [], [], []
    charge = np.random.default_rng(8).random((HEIGHT // 2, WIDTH // 2))
    for number in range(frames):
        total = np.zeros((HEIGHT, WIDTH, 3))
        for tick in range(TICKS):
            left = number * SPEED + tick * SPEED // TICKS
            view = wall[:, left : left + WIDTH]
            total += view
            if tick == TICKS // 2:
                sharp.append(encode(view))
            charge += 0.7 * view.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean((1, 3, 4))
            fired = charge >= 1
            charge -= fired
            planes.append(fired)
        blurry.append(encode(total / TICKS))
    info = VideoInfo.synthetic(WIDTH, HEIGHT, RATE)
    for name, pictures in (("blurry.mkv", blurry), ("sharp.mkv", sharp)):
        with create_video(folder / name, info) as writer:
            for index, picture in enumerate(pictures):
                writer.write(frame_at(index, picture))
    write_dat(folder / "spikes.dat", [np.array(planes)])
    write_sidecar(
        folder / "spikes.toml",
        RecordingSettings(width=WIDTH // 2, height=HEIGHT // 2, rate_hz=Fraction(RATE * TICKS)),
    )
    return Recording(
        folder, folder / "blurry.mkv", folder / "sharp.mkv", folder / "spikes.dat", frames
    )
