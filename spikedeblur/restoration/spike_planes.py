"""Spikes of a window where the frame's tiles want them: where geometry is applied to counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spikedeblur.prior.planes import resample, shrink_factors
from spikedeblur.recording.geometry import (
    open_sides,
    pixels_per_spike,
    spike_to_video,
    tile_to_spike,
    tile_trust,
)
from spikedeblur.recording.lenses import Lenses
from spikedeblur.restoration.tiling import Tile

FADE = 4.0
"""Spike pixels from where the sensor's sight ends to where its spikes count fully."""
MEASURED = 1.03
"""By how much a measured scale may fall short of a whole number of pixels and be meant so: spikes
brought to a plane twice as fine for the sake of a hundredth would be blurred by it."""


@dataclass(frozen=True)
class SpikePlanes:
    """Voxel grids of a window, (T, K, Hs, Ws) float32, on the host or a device; where they lie.

    homography: as in a sidecar, None for plain scaling. lenses: None without distortion.
    """

    counts: np.ndarray | Tensor
    homography: tuple[float, ...] | None = None
    lenses: Lenses | None = None

    def on_tile(self, tile: Tile, frame_size: tuple[int, int], device: torch.device) -> Tensor:
        """The spikes under a tile, on its own grid: (T, K, tile height / f, tile width / f).

        frame_size: (height, width) of the video. Where the sensor did not look there are no spikes,
        which ask for no change to the blurry frame; towards there every pixel's rate comes to stand
        still, so that no border shows.
        """
        spike_size = self.counts.shape[-1], self.counts.shape[-2]
        video_size = frame_size[1], frame_size[0]
        to_video = spike_to_video(spike_size, video_size, self.homography, self.lenses)
        askew = self.homography is not None or self.lenses is not None
        apart = pixels_per_spike(to_video, spike_size) * (MEASURED if askew else 1)
        step = plane_step(frame_size, apart, tile)
        to_spike = tile_to_spike(to_video, tile.y, tile.x, step)
        shape = tile.height // step, tile.width // step
        whole = tile_to_spike(to_video, 0, 0, step)
        shrink = shrink_factors(whole, (frame_size[0] // step, frame_size[1] // step))
        # Bilinear sampling between the pixels of a plane that lies askew is a blur of its own.
        mode = "bicubic" if askew else "bilinear"
        counts = torch.as_tensor(self.counts, device=device)
        plane = resample(counts, to_spike, shape, shrink, mode)
        sides = open_sides(to_video, spike_size, video_size)
        if not any(sides):
            return plane
        trust = torch.from_numpy(tile_trust(to_spike, shape, spike_size, sides, FADE)).to(device)
        mean = plane.mean(dim=1, keepdim=True)
        return torch.where(trust > 0, torch.lerp(mean, plane, trust), torch.zeros_like(plane))

    def on_frame(self, frame_size: tuple[int, int]) -> np.ndarray:
        """The same under all of a frame: (T, K, height / f, width / f), on the CPU."""
        whole = Tile(0, 0, *frame_size)
        planes: np.ndarray = self.on_tile(whole, frame_size, torch.device("cpu")).numpy()
        return planes


def plane_step(frame_size: tuple[int, int], pixels_per_spike: float, tile: Tile) -> int:
    """Frame pixels per pixel of the tile's spike plane: the largest of 1, 2, 4 that loses nothing.

    The plane stays at least as fine as the spikes, which lie `pixels_per_spike` frame pixels apart.
    Frame and tile must be divisible, so that planes of all tiles lie on one grid and the frame in
    one tile has the same.
    """
    sides = (*frame_size, tile.height, tile.width)
    fitting = [
        step
        for step in (4, 2)
        if step <= pixels_per_spike * (1 + 1e-9) and all(side % step == 0 for side in sides)
    ]
    return fitting[0] if fitting else 1
