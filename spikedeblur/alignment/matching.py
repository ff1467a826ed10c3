"""Matching of spike pictures and video frames, at every shift at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.recording.geometry import Matrix
from spikedeblur.recording.resample import blur, resize_planes

LONG_SIDE = 96
MAX_SHIFT_SHARE = 0.45  # of the video's sides: rig and motion together
LEAST_OVERLAP = 0.35
FINE, COARSE = 1.0, 4.0  # of the band of detail that is compared, in pixels of the search
CHANCE = 3.0  # spreads of a chance correlation that are taken off its value


@dataclass(frozen=True)
class Placement:
    """Spike plane -> video plane but for the shift: centre on centre."""

    matrix: Matrix

    @property
    def pitch(self) -> float:
        """Video pixels per spike pixel, about."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2] / self.matrix[2, 2]))))


class Matcher:
    """Correlates spike pictures with video frames at every shift at once, by FFT.

    The canvas is the frame and what lies within `farthest` (a part of its sides) of it, `reduction`
    video pixels a sample.
    """

    def __init__(
        self,
        light: np.ndarray,
        video_size: tuple[int, int],
        spike_size: tuple[int, int],
        farthest: float = MAX_SHIFT_SHARE,
    ) -> None:
        self.video_size, self.spike_size = video_size, spike_size
        self.reduction = max(video_size) / LONG_SIDE
        shape = (round(video_size[1] / self.reduction), round(video_size[0] / self.reduction))
        self.reach = tuple(int(farthest * side) for side in shape)
        self.canvas = tuple(
            fast_length(side + 2 * reach) for side, reach in zip(shape, self.reach, strict=True)
        )
        detail = band(np.sqrt(resize_planes(light, shape)), 1.0)
        frames = torch.zeros(len(light), *self.canvas)
        (top, left), (height, width) = self.reach, shape
        frames[:, top : top + height, left : left + width] = torch.from_numpy(detail)
        inside = torch.zeros(self.canvas)
        inside[top : top + height, left : left + width] = 1
        self.area = height * width
        self.frames, self.energies = (torch.fft.rfft2(each) for each in (frames, frames**2))
        self.inside = torch.fft.rfft2(inside)

    def spectra(self, spikes: np.ndarray, shape: Placement) -> tuple[torch.Tensor, ...]:
        """Of spike pictures (N, h, w), laid over the canvas: detail, its square, where it is."""
        block = self.spike_size[0] / spikes.shape[2]
        detail = band(spikes, self.reduction / (shape.pitch * block))
        grid, seen = self._grid(shape.matrix)
        laid = (
            F.grid_sample(
                torch.from_numpy(detail)[None], grid, align_corners=False, padding_mode="border"
            )[0]
            * seen
        )
        return torch.fft.rfft2(laid), torch.fft.rfft2(laid**2), torch.fft.rfft2(seen)

    def _grid(self, matrix: Matrix) -> tuple[torch.Tensor, torch.Tensor]:
        """Return where the canvas samples the spike plane (grid_sample); mark those inside it."""
        rows, columns = self.canvas
        y = (np.arange(rows) + 0.5 - self.reach[0]) * self.reduction
        x = (np.arange(columns) + 0.5 - self.reach[1]) * self.reduction
        to_spike = np.linalg.inv(matrix)
        size = np.array(self.spike_size)
        where = (
            to_spike[:2, 0, None, None] * x
            + to_spike[:2, 1, None, None] * y[:, None]
            + to_spike[:2, 2, None, None]
        )
        scaled = np.moveaxis(2 * where / size[:, None, None] - 1, 0, -1).astype(np.float32)
        seen = (np.abs(scaled) < 1).all(axis=-1).astype(np.float32)
        return torch.from_numpy(scaled)[None], torch.from_numpy(seen)

    def correlation(
        self, frames: Sequence[int], spectra: tuple[torch.Tensor, ...], together: bool
    ) -> torch.Tensor:
        """Normalised correlation (N or 1, rows, columns) at shifts of up to `reach` either way.

        Of each frame with its picture, or of all `together`; -1 where they hardly overlap.
        Chance correlates small overlaps better, and is taken off.
        """
        detail, square, seen = spectra
        product = self.frames[frames] * detail.conj()
        video_energy = self.energies[frames] * seen.conj()
        spike_energy = self.inside * square.conj()
        if together:
            product, video_energy, spike_energy = (
                each.sum(dim=0, keepdim=True) for each in (product, video_energy, spike_energy)
            )
        overlap = self._shifts(self.inside * seen.conj())
        product, video_energy, spike_energy = (
            self._shifts(each) for each in (product, video_energy, spike_energy)
        )
        value = product / (video_energy * spike_energy).clamp(min=1e-12).sqrt()
        chance = CHANCE / (overlap.clamp(min=1) / (2 * FINE) ** 2).sqrt()
        least = LEAST_OVERLAP * min(self.area, float(overlap.max()))
        return torch.where(overlap >= least, value - chance, torch.tensor(-1.0))

    def _shifts(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Inverse transform, with shift (0, 0) in the middle of 2 reach + 1 rows and columns."""
        plane = torch.fft.irfft2(spectrum, s=self.canvas)
        (down, across) = self.reach
        rolled = torch.roll(plane, (down, across), dims=(-2, -1))
        return rolled[..., : 2 * down + 1, : 2 * across + 1]

    def shifted(self, shape: Placement, place: int) -> Matrix:
        """The shape's matrix with the shift at a flat index of a correlation."""
        columns = 2 * self.reach[1] + 1
        down, across = divmod(place, columns)
        shift = np.eye(3)
        shift[:2, 2] = (
            (across - self.reach[1]) * self.reduction,
            (down - self.reach[0]) * self.reduction,
        )
        matrix: Matrix = shift @ shape.matrix
        return matrix


def band(pictures: np.ndarray, unit: float) -> np.ndarray:
    """Detail between FINE and COARSE units (pixels) of pictures (N, h, w)."""
    fine = blur(pictures, FINE * unit) if FINE * unit > 0.3 else pictures
    detail: np.ndarray = fine - blur(pictures, COARSE * unit)
    return detail


def fast_length(least: int) -> int:
    """The next length that has only the factors 2, 3 and 5."""

    def rest(number: int) -> int:
        for factor in (2, 3, 5):
            while number % factor == 0:
                number //= factor
        return number

    return next(length for length in range(least, 2 * least + 1) if rest(length) == 1)
