"""Spikes of a window where the frame's tiles want them: where geometry is applied to counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spikedeblur.prior.planes import resample, shrink_factors
from spikedeblur.recording.displacement import DisplacedMap, Displacement
from spikedeblur.recording.geometry import (
    from_tile,
    open_sides,
    pixels_per_spike,
    spike_to_video,
    tile_trust,
)
from spikedeblur.recording.lenses import Lenses, Map, backwards
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
    displacements: of each frame, or empty; none of a frame without spikes.
    """

    counts: np.ndarray | Tensor
    homography: tuple[float, ...] | None = None
    lenses: Lenses | None = None
    displacements: tuple[Displacement | None, ...] = ()

    def on_tile(self, tile: Tile, frame_size: tuple[int, int], device: torch.device) -> Tensor:
        """The spikes under a tile, on its own grid: (T, K, tile height / f, tile width / f).

        frame_size: (height, width) of the video. Where the sensor did not look there are no spikes,
        which ask for no change to the blurry frame; towards there every pixel's rate comes to stand
        still, so that no border shows.
        """
        counts = torch.as_tensor(self.counts, device=device)
        spike_size, video_size = (counts.shape[-1], counts.shape[-2]), frame_size[::-1]
        to_video = spike_to_video(spike_size, video_size, self.homography, self.lenses)
        to_spike = backwards(to_video)
        if not any(self.displacements):
            askew = self.homography is not None or self.lenses is not None
            return self._laid(counts, to_video, to_spike, tile, frame_size, askew)
        parts = [
            self._laid(
                counts[number : number + 1],
                to_video,
                to_spike if each is None else DisplacedMap(to_spike, each, video_size),
                tile,
                frame_size,
                askew=True,
            )
            for number, each in enumerate(self.displacements)
        ]
        return torch.cat(parts)

    def _laid(
        self,
        counts: Tensor,
        to_video: Map,
        to_spike: Map,
        tile: Tile,
        frame_size: tuple[int, int],
        askew: bool,
    ) -> Tensor:
        """Frames whose spikes lie in one way. askew: between the pixels of the tile's plane."""
        spike_size, video_size = (counts.shape[-1], counts.shape[-2]), frame_size[::-1]
        apart = pixels_per_spike(to_video, spike_size) * (MEASURED if askew else 1)
        step = plane_step(frame_size, apart, tile)
        to_tile = from_tile(to_spike, tile.y, tile.x, step)
        shape = tile.height // step, tile.width // step
        whole = from_tile(to_spike, 0, 0, step)
        shrink = shrink_factors(whole, (frame_size[0] // step, frame_size[1] // step))
        # Bilinear sampling between the pixels of a plane that lies askew is a blur of its own.
        plane = resample(counts, to_tile, shape, shrink, "bicubic" if askew else "bilinear")
        sides = open_sides(to_spike, spike_size, video_size)
        if not any(sides) and not isinstance(to_tile, DisplacedMap):
            return plane
        believed = tile_trust(to_tile, shape, spike_size, sides, FADE)
        if isinstance(to_tile, DisplacedMap):
            believed = believed * to_tile.trust(shape)
        trust = torch.from_numpy(believed).to(counts.device)
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
