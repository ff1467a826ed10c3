"""The video as the refinement compares it: blurred light, its slopes, and where it can be used."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.alignment.footage import Footage
from spikedeblur.alignment.leastsquares import Blur, blurred

PIXEL = 0.29  # spread of a square pixel, in its side
SPOILT = 0.01  # of a neighbourhood, black or clipped: as much as is borne
SPREAD_STEP = 0.05  # in logarithms; the softness makes up for less
BLURS_KEPT = 2


@dataclass(frozen=True)
class Compared:
    """Light and spikes at the same points: P samples of F frames, black squares first, then white.

    rates (2, 3, F, P): spikes per tick over the exposure, at its opening, at its closing.
    tones (2, 2, F, P): what the rates are fitted by, light and its root, as soft as the spikes;
    softer (2, F, P): what a unit of blur adds to them. slopes (2, F, P): of light, per video pixel.
    weights (F, P): zero where they cannot be compared. where (2, P): in the video.
    """

    rates: torch.Tensor
    tones: torch.Tensor
    softer: torch.Tensor
    slopes: torch.Tensor
    weights: torch.Tensor
    where: np.ndarray

    @property
    def basis(self) -> torch.Tensor:
        """(2, F, P, 3): black level, light, root."""
        return torch.stack([torch.ones_like(self.tones[:, 0]), *self.tones.unbind(dim=1)], dim=-1)


class Fields:
    """Fields (F, 4, h, w) of all frames: light, its slopes in x and y per video pixel, usability.

    Blurred as a spike sample blurs it that is seen through a homography. The blurs asked for last
    are kept: hypotheses and levels of detail have them in common.
    """

    def __init__(self, footage: Footage) -> None:
        self.footage = footage
        self._kept: dict[tuple[float, ...], torch.Tensor] = {}

    def blurred(self, matrix: np.ndarray, block: int) -> torch.Tensor:
        """For samples of `block` spike pixels; matrix: spike point -> video point."""
        sides = block * np.linalg.norm(matrix[:2, :2] / matrix[2, 2], axis=1) / self.footage.pitch
        across, down = spreads = tuple(
            math.exp(round(math.log(PIXEL * side) / SPREAD_STEP) * SPREAD_STEP) for side in sides
        )
        if spreads not in self._kept:
            while len(self._kept) >= BLURS_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[spreads] = self._made(across, down)
        return self._kept[spreads]

    def _made(self, across: float, down: float) -> torch.Tensor:
        bursts = self.footage.bursts
        light = self.footage.light
        spoilt = 1 - np.concatenate([burst.usable for burst in bursts]).astype(np.float32)
        shape = light.shape[1:]
        seen = blurred(light, Blur(shape, (down, across)))
        usable = blurred(spoilt, Blur(shape, (4 * down, 4 * across))) <= SPOILT
        slopes_y, slopes_x = np.gradient(seen, *reversed(self.footage.pitch), axis=(1, 2))
        fields = np.stack([seen, slopes_x, slopes_y, usable.astype(np.float32)], axis=1)
        return torch.from_numpy(fields.astype(np.float32, copy=False))


def sample_fields(
    fields: torch.Tensor, where: np.ndarray, video_size: tuple[int, int], shape: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Light and slopes (3, F, *shape) at the places (2, P) in the video, and where there are any.

    The latter (F, *shape) bool: usable, and inside the frame.
    """
    size = np.array(video_size)[:, None]
    grid = torch.from_numpy((2 * where / size - 1).T.astype(np.float32))
    grid = grid.reshape(1, *shape, 2).expand(len(fields), -1, -1, -1)
    values = F.grid_sample(fields, grid, padding_mode="border", align_corners=False)
    inside = torch.from_numpy(((where >= 0) & (where <= size)).all(axis=0)).view(shape)
    return values[:, :3].transpose(0, 1), (values[:, 3] > 0.99) & inside
