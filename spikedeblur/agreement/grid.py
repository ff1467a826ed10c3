"""The grid on which frames and spikes are compared: on the video's plane, small."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from spikedeblur.prior.planes import resample
from spikedeblur.recording.geometry import (
    Matrix,
    pixels_per_spike,
    spike_to_video,
    tile_coverage,
    tile_to_spike,
)
from spikedeblur.recording.lenses import Lenses, Map, backwards
from spikedeblur.recording.light import relative_luminance, srgb_to_linear
from spikedeblur.recording.resample import blur, resize_planes
from spikedeblur.recording.transfer import Transfer

Plane = NDArray[np.float32]


GRID_SIDE = 144  # samples
FEWEST = 16  # along the long side, however coarse the spikes are
FINE, COARSE = 1.0, 4.0  # samples; what lies between them is compared
CLIPPED_LEVEL = 0.95  # of the encoded scale
NOISE_GAIN = 0.066  # of the variance of white noise, what is left between FINE and COARSE


class SampleGrid:
    """Samples `step` video pixels apart, no finer than a spike pixel, and where both cameras look.

    spike_size, video_size: (width, height). homography: as in a sidecar, None for plain scaling.
    corner: left and top of what is compared in the frames of the video. lenses: of both, None
    without distortion. transfer: the video's curve, None for sRGB.
    shape: (rows, columns). seen: (rows, columns) float32, 1 where the sensor looks, else 0.
    """

    def __init__(
        self,
        spike_size: tuple[int, int],
        video_size: tuple[int, int],
        homography: tuple[float, ...] | None,
        corner: tuple[int, int] = (0, 0),
        lenses: Lenses | None = None,
        transfer: Transfer | None = None,
    ) -> None:
        width, height = self.video_size = video_size
        self.spike_size = spike_size
        self.corner = corner
        self.transfer = transfer
        to_video = spike_to_video(spike_size, video_size, homography, lenses)
        pitch = pixels_per_spike(to_video, spike_size)
        longest = max(video_size)
        self.step = max(longest / GRID_SIDE, 1.0, min(pitch, longest / FEWEST))
        self.shape = max(1, round(height / self.step)), max(1, round(width / self.step))
        scaled = np.diag([width / self.shape[1], height / self.shape[0], 1.0])
        self._to_spike = tile_to_spike(to_video, 0, 0) @ scaled
        self.block = max(1, int(self.step / pitch + 1e-9))
        self._to_block: Map = np.diag([1 / self.block] * 2 + [1.0]) @ self._to_spike
        self.seen = tile_coverage(self._to_spike, self.shape, spike_size).astype(np.float32)

    def reduced(self, planes: NDArray[np.generic]) -> Plane:
        """Spike planes (..., Hs, Ws) -> means over blocks of pixels, as fine as samples are."""
        block = self.block
        rows, columns = planes.shape[-2] // block, planes.shape[-1] // block
        cut = planes[..., : rows * block, : columns * block]
        parts = cut.reshape(*planes.shape[:-2], rows, block, columns, block)
        means: Plane = parts.mean(axis=(-3, -1), dtype=np.float32)
        return means

    def laid(self, reduced: Plane, shift: tuple[float, float] = (0.0, 0.0)) -> Plane:
        """One plane of `reduced` on the grid, moved by (down, across) samples: (rows, columns)."""
        moved: Matrix = np.array([[1, 0, -shift[1]], [0, 1, -shift[0]], [0, 0, 1]])
        return _sampled(reduced, self._to_block @ moved, self.shape)

    def on_spikes(self, samples: Plane) -> Plane:
        """Samples (rows, columns) as every pixel of the spike plane sees them: (Hs, Ws)."""
        columns, rows = self.spike_size
        return _sampled(samples, backwards(self._to_spike), (rows, columns))

    def light(self, rgb: NDArray[np.integer]) -> tuple[Plane, Plane]:
        """Linear luminance of a frame (H, W, 3), and where it is not clipped: (rows, columns)."""
        height, width = rgb.shape[:2]
        rgb = rgb if self.transfer is None else self.transfer.decoded(rgb)
        least = max(1, min(height // self.shape[0], width // self.shape[1]) // 2)
        cut = rgb[: height // least * least, : width // least * least]
        parts = cut.reshape(height // least, least, width // least, least, 3)
        encoded = parts.mean(axis=(1, 3), dtype=np.float32) / np.float32(np.iinfo(rgb.dtype).max)
        clipped = (encoded.max(axis=-1) > CLIPPED_LEVEL).astype(np.float32)
        linear = relative_luminance(srgb_to_linear(encoded)).astype(np.float32)
        clear = (resize_planes(clipped, self.shape) < 0.5).astype(np.float32)
        return resize_planes(linear, self.shape), clear


def _sampled(plane: Plane, matrix: Map, shape: tuple[int, int]) -> Plane:
    """A plane at the pixels of another of `shape`, by the map that takes these to it."""
    planes = torch.from_numpy(np.require(plane, requirements=["C", "W"]))[None, None]
    sampled: Plane = resample(planes, matrix, shape)[0, 0].numpy()
    return sampled


def detail(plane: Plane, where: Plane) -> Plane:
    """Return the part of a plane between FINE and COARSE samples, where `where` is 1; else 0."""
    fine, weight = blur(np.stack([plane * where, where]), FINE)
    coarse, around = blur(np.stack([plane * where, where]), COARSE)
    band: Plane = fine / np.maximum(weight, 1e-3) - coarse / np.maximum(around, 1e-3)
    return band * where
