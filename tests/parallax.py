"""A disc before a wall, moving differently, seen by two cameras that stand beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.prior.photometry import luminance
from spikedeblur.recording.displacement import Displacement
from spikedeblur.recording.exposures import ExposedFrame, StreamExposures, expose
from spikedeblur.simulation.motion import PlaneMotion
from spikedeblur.simulation.recording import CameraSettings, FramePair, Recorder, sidecar
from spikedeblur.simulation.scene import GROUND_PARALLAX, Layer, Scene
from spikedeblur.simulation.simulation import video_frame
from tests.rigs import WALL, wall

RADIUS = 34.0  # video pixels
SIZE = (160, 120)
FPS = Fraction(50)


def motion(across: float, down: float, camera: bool) -> PlaneMotion:
    """A steady drift, video pixels a frame."""
    drift = np.array([across, down, 0, 0, 0, 0])
    still = np.zeros((1, 6))
    return PlaneMotion(drift, still, np.ones(1), still, 60.0, 1.5, camera=camera)


@dataclass(frozen=True)
class TwoPlanes:
    """parallax: video pixels, of the disc; the wall's is a third. blur: px of motion a frame."""

    parallax: float
    blur: float = 8.0
    frames: int = 2
    exposure: Fraction = Fraction(1)

    @cached_property
    def scene(self) -> Scene:
        side = torch.linspace(-1, 1, 96)
        alpha = ((0.72 - torch.hypot(side, side[:, None])) * 48 + 0.5).clamp(0, 1)
        tint = torch.tensor([1.0, 0.9, 0.8])[:, None, None]
        behind, before = (torch.from_numpy(wall(seed)).float() * tint for seed in (3, 5))
        disc = torch.cat([before[:, :96, :96] * alpha, alpha[None]])
        ground = Layer(behind, (-WALL / 2, -WALL / 2), 1.0, motion(self.blur, 2, camera=True))
        front = Layer(disc, (-48.0, -48.0), 1.0, motion(-0.6 * self.blur, 4, camera=False))
        return Scene((ground, front), SIZE[::-1])

    @cached_property
    def cameras(self) -> CameraSettings:
        return CameraSettings(
            SIZE, (SIZE[0] // 2, SIZE[1] // 2), FPS, exposure=self.exposure, parallax=self.parallax
        )

    @cached_property
    def recorded(self) -> tuple[list[FramePair], SpikeStream]:
        pairs, ticks = [], []
        for pair in Recorder(self.scene, self.cameras).record(range(self.frames)):
            pairs.append(pair)
            ticks += list(pair.spikes)
        return pairs, SpikeStream.of_array(np.concatenate(ticks), sidecar(self.cameras))

    @property
    def video(self) -> list[VideoFrame]:
        pictures = enumerate(pair.blurry for pair in self.recorded[0])
        return [video_frame(picture, number, FPS) for number, picture in pictures]

    @property
    def sharp(self) -> np.ndarray:
        """(T, H, W, 3), sRGB in [0, 1]."""
        return np.stack([pair.sharp for pair in self.recorded[0]]) / 255.0

    def exposed(self, bins: int = 32) -> list[ExposedFrame]:
        exposures = StreamExposures.of_stream(self.recorded[1], bins=bins, video_size=SIZE)
        return [expose(frame, exposures) for frame in self.video]

    def views(self, frame: int) -> tuple[Tensor, Tensor]:
        """Light of a frame and the spikes of its exposure, (1, 1, h, w) each."""
        exposed = self.exposed()[frame]
        rgb = torch.from_numpy(exposed.rgb / np.float32(255)).permute(2, 0, 1)[None]
        count = torch.from_numpy(exposed.counts.sum(axis=0))[None, None]
        return luminance(rgb, count.shape[-2:]), count

    def disc(self, frame: int) -> np.ndarray:
        """Where the disc stands in the middle of a frame's exposure: (H, W) bool."""
        seen = self.scene.layers[1].sampled(
            np.array([frame + 0.5]), SIZE[::-1], (0, SIZE[1], 0, SIZE[0])
        )
        return seen[0, 3].numpy() > 0.5

    def true(self, frame: int) -> Displacement:
        """What is true in the middle of a frame's exposure, on the spikes' plane."""
        near = torch.from_numpy(self.disc(frame))[None, None].float()
        near = functional.avg_pool2d(near, 2)[0, 0].numpy()
        across = self.parallax * (near + (1 - near) * GROUND_PARALLAX)
        all_of_it = np.ones_like(across)
        return Displacement(np.stack([across, 0 * across]), all_of_it, all_of_it)

    def clear(self, frame: int) -> np.ndarray:
        """Where no border hides anything from one of the cameras, on the spikes' plane: bool."""
        disc = torch.from_numpy(self.disc(frame))[None, None].float()
        border = functional.max_pool2d(disc, 3, 1, 1) + functional.max_pool2d(-disc, 3, 1, 1)
        down = int(self.blur)
        across = int(self.parallax * (1 - GROUND_PARALLAX)) + down
        hidden = functional.max_pool2d(border, (2 * down + 1, 2 * across + 1), 1, (down, across))
        hidden[..., SIZE[0] - int(self.parallax) - 1 :] = 1  # beyond the spikes' own border
        return functional.max_pool2d(hidden, 2)[0, 0].numpy() == 0


@cache
def two_planes(parallax: float) -> TwoPlanes:
    """One for all tests of a module, for it takes a while to be recorded."""
    return TwoPlanes(parallax)
