"""Two cameras before one moving scene; any matrix lays the spike plane on the video's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from spikedeblur.recording.geometry import spike_to_video, tile_coverage, tile_to_spike
from spikedeblur.recording.light import linear_to_srgb
from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.restoration.spike_planes import SpikePlanes

WALL = 640
MARGIN = 120


@cache
def wall(seed: int = 3) -> np.ndarray:
    """Random light in [0.04, 0.9] with edges of many sizes, (WALL, WALL)."""
    rng = np.random.default_rng(seed)
    light = np.full((WALL, WALL), 0.3)
    for _ in range(1500):
        y, x = rng.integers(0, WALL, 2)
        height, width = rng.integers(3, 30, 2)
        light[y : y + height, x : x + width] = rng.uniform(0.04, 0.9)
    return light


def sampled(light: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear samples of (H, W) at points, pixel centres at whole numbers plus a half."""
    bottom, right = light.shape[0] - 1, light.shape[1] - 1
    x, y = np.clip(x - 0.5, 0, right), np.clip(y - 0.5, 0, bottom)
    left, top = np.minimum(x.astype(int), right - 1), np.minimum(y.astype(int), bottom - 1)
    across, down = x - left, y - top
    upper = light[top, left] * (1 - across) + light[top, left + 1] * across
    lower = light[top + 1, left] * (1 - across) + light[top + 1, left + 1] * across
    return upper * (1 - down) + lower * down


@dataclass(frozen=True)
class Rig:
    """Sizes are (height, width). to_video: spike plane -> video plane, both spanning 0 to width.

    speed: video pixels per exposure, across and down. gain: spikes per tick of full light.
    """

    video: tuple[int, int]
    spikes: tuple[int, int]
    to_video: np.ndarray
    speed: tuple[float, float] = (14.0, 5.0)
    ticks: int = 96
    gain: float = 0.7

    def light(self, tick: float, plane: tuple[int, int], to_video: np.ndarray) -> np.ndarray:
        """The scene's light on a plane, each pixel the mean of 2 x 2 samples."""
        total = np.zeros(plane)
        part = tick / self.ticks - 0.5
        for dy in (0.25, 0.75):
            for dx in (0.25, 0.75):
                x, y = np.meshgrid(np.arange(plane[1]) + dx, np.arange(plane[0]) + dy)
                points = np.stack([x, y, np.ones_like(x)], axis=-1) @ to_video.T
                u, v = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
                total += sampled(
                    wall(), u + MARGIN + self.speed[0] * part, v + MARGIN + self.speed[1] * part
                )
        return total / 4

    def record(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Blurry and sharp frame in linear light (H, W), and the spikes of the exposure."""
        middles = np.arange(self.ticks) + 0.5
        blurry = np.mean([self.light(tick, self.video, np.eye(3)) for tick in middles], axis=0)
        charge, planes = np.random.default_rng(4).random(self.spikes), []
        for tick in middles:
            charge += self.gain * self.light(tick, self.spikes, self.to_video)
            planes.append(charge >= 1)
            charge -= planes[-1]
        return blurry, self.light(self.ticks / 2, self.video, np.eye(3)), np.array(planes)

    @property
    def homography(self) -> tuple[float, ...]:
        """As a sidecar has it: the centre of the first pixel at (0, 0), row-major."""
        there, back = np.eye(3), np.eye(3)
        there[:2, 2], back[:2, 2] = 0.5, -0.5
        return tuple((back @ self.to_video @ there).ravel().tolist())


def turned(
    degrees: float,
    scale: float,
    shift: tuple[float, float],
    spikes: tuple[int, int],
    video: tuple[int, int],
) -> np.ndarray:
    """Spike plane -> video plane: turned and scaled about the middles, then shifted."""
    angle = np.deg2rad(degrees)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    to_middle = np.array([[1, 0, -spikes[1] / 2], [0, 1, -spikes[0] / 2], [0, 0, 1]])
    matrix = np.array(
        [[cos, -sin, video[1] / 2 + shift[0]], [sin, cos, video[0] / 2 + shift[1]], [0, 0, 1]]
    )
    return matrix @ to_middle


VIDEO = (96, 128)
PERSPECTIVE = np.array([[1, 0, 0], [0, 1, 0], [6e-4, -5e-4, 1.0]])
RIGS = {
    "plain": Rig(VIDEO, (48, 64), np.diag([2.0, 2.0, 1.0])),
    "turned": Rig(VIDEO, (48, 64), turned(4, 2.0, (4, -3), (48, 64), VIDEO)),
    "perspective": Rig(VIDEO, (60, 80), PERSPECTIVE @ turned(2, 1.6, (0, 0), (60, 80), VIDEO)),
    "part": Rig(VIDEO, (50, 70), turned(-5, 1.0, (-20, 10), (50, 70), VIDEO)),
    "larger": Rig(VIDEO, (240, 320), turned(2, 0.45, (0, 0), (240, 320), VIDEO), ticks=48),
}


@cache
def recorded(name: str) -> tuple[np.ndarray, np.ndarray, SpikePlanes, np.ndarray]:
    """Blurry and sharp frame, sRGB (H, W, 3); the spikes; where they lie, well inside."""
    rig = RIGS[name]
    blurry, sharp, spikes = rig.record()
    inner = tile_coverage(
        tile_to_spike(spike_to_video(rig.spikes[::-1], VIDEO[::-1], rig.homography), 0, 0),
        VIDEO,
        rig.spikes[::-1],
    )
    frames = (np.repeat(linear_to_srgb(light)[..., None], 3, -1) for light in (blurry, sharp))
    return *frames, SpikePlanes(voxelize_ticks(spikes, 16)[None], rig.homography), inner


def psnr(picture: np.ndarray, sharp: np.ndarray, where: np.ndarray) -> float:
    return float(-10 * np.log10(((picture - sharp)[where] ** 2).mean()))
