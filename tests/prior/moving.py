"""A wall that moves before both cameras, with the motion that it truly makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.prior.photometry import to_srgb
from spikedeblur.simulation.motion import PlaneMotion
from spikedeblur.simulation.scene import Layer, Scene
from tests.rigs import WALL, wall

BINS, INSTANTS = 32, 64  # of an exposure


@dataclass(frozen=True)
class Moving:
    """One textured plane, `blur` pixels of motion an exposure; frame f is exposed from f to f + 1.

    spikes: what a pixel of full light fires in an exposure.
    """

    blur: float
    size: tuple[int, int] = (96, 96)
    spikes: float = 160.0
    seed: int = 3

    @property
    def motion(self) -> PlaneMotion:
        """A drift that bends and turns, the same way for every seed."""
        rng = np.random.default_rng(self.seed)
        way = rng.normal(size=2)
        drift = np.array([*(0.85 * way / np.linalg.norm(way)), 0.1, 0, 0, 0]) * self.blur
        swing = rng.normal(size=(1, 6)) * np.array([1, 1, 0.5, 0.3, 0, 0]) * 0.06 * self.blur
        return PlaneMotion(drift, swing, np.array([0.45]), np.zeros((1, 6)), 48.0, 1.5)

    @property
    def scene(self) -> Scene:
        light = torch.from_numpy(wall(self.seed)).float()
        texture = light * torch.tensor([1.0, 0.9, 0.8])[:, None, None]
        return Scene((Layer(texture, (-WALL / 2, -WALL / 2), 1.0, self.motion),), self.size)

    def seen(self, frames: range = range(3)) -> tuple[Tensor, Tensor, Tensor]:
        """Blurry (T, 3, H, W) sRGB, counts (T, K, H/2, W/2), and sharp as it stands in the middle.

        Counts are those of thresholds passed, from a charge that is random at first.
        """
        shape = (self.size[0] // 2, self.size[1] // 2)
        charge = torch.rand(shape, generator=torch.Generator().manual_seed(self.seed))
        blurry, counts, sharp = [], [], []
        for frame in frames:
            times = frame + (np.arange(INSTANTS) + 0.5) / INSTANTS
            light = self.scene.render(times)
            blurry.append(to_srgb(light.mean(dim=0)))
            sharp.append(self.sharp(frame + 0.5))
            grey = functional.avg_pool2d(light, 2).mean(dim=1) * self.spikes / INSTANTS
            total = charge + grey.unflatten(0, (BINS, -1)).sum(dim=1).cumsum(dim=0)
            counts.append(torch.cat([charge[None].floor(), total.floor()]).diff(dim=0))
            charge = total[-1]
        return torch.stack(blurry), torch.stack(counts), torch.stack(sharp)

    def sharp(self, time: float) -> Tensor:
        """The frame of an instant: (3, H, W) sRGB."""
        return to_srgb(self.scene.render(np.array([time]))[0])

    def displacement(self, start: float, stop: float) -> Tensor:
        """How far what stands at each spike pixel at `start` goes until `stop`: (2, h, w), px."""
        height, width = self.size
        then, there = self.motion.matrices(np.array([start, stop]))
        x, y = np.meshgrid(np.arange(1, width, 2) - width / 2, np.arange(1, height, 2) - height / 2)
        points = np.stack([x, y, np.ones_like(x)])
        moved = np.tensordot(np.linalg.inv(there) @ then, points, axes=1)
        return torch.from_numpy((moved[:2] / moved[2] - points[:2]) / 2).float()


def psnr(picture: Tensor, truth: Tensor) -> float:
    return float(-10 * (picture - truth).square().mean().log10())
