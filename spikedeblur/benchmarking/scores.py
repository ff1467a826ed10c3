"""Restored frames against the truth, one after the other; two of them are held."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikedeblur.errors import LOGGER
from spikedeblur.metrics import frame_psnr, frame_ssim, luma, temporal_error

SSIM_SIDE = 11
FIGURES = ("psnr", "ssim", "psnr_y", "ssim_y", "temporal", "lpips")


class Score:
    """Compares the frames of one video with the sharp ones as they come.

    psnr, ssim: over R, G and B. psnr_y, ssim_y: on luma. temporal: `metrics.temporal_error`, from
    the frame before. lpips: where the package lpips is installed.
    """

    def __init__(self) -> None:
        self.frames: list[dict[str, float]] = []
        """The figures of each frame; those that it has not are left out."""
        self._last: tuple[Tensor, Tensor] | None = None

    def add(self, rgb: np.ndarray, sharp: np.ndarray) -> None:
        """Count the next frame beside its truth, both (H, W, 3), uint8 or uint16."""
        one, other = as_tensor(rgb), as_tensor(sharp)
        found = {"psnr": frame_psnr(one, other), "psnr_y": frame_psnr(luma(one), luma(other))}
        if min(one.shape[-2:]) >= SSIM_SIDE:
            found["ssim"] = frame_ssim(one, other)
            found["ssim_y"] = frame_ssim(luma(one), luma(other))
        if self._last is not None:
            before, its_truth = self._last
            found["temporal"] = temporal_error(
                torch.cat([before, one]), torch.cat([its_truth, other])
            )
        if (distance := perceptual_distance()) is not None:
            found["lpips"] = distance(2 * one - 1, 2 * other - 1)
        self.frames.append({name: float(value) for name, value in found.items()})
        self._last = one, other

    def means(self) -> dict[str, Any]:
        """Means over the frames, None where nothing was measured."""
        of_frames = {name: [each[name] for each in self.frames if name in each] for name in FIGURES}
        return {name: fmean(values) if values else None for name, values in of_frames.items()}


def as_tensor(rgb: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 or uint16 -> (1, 3, H, W) float32 in [0, 1]."""
    scaled = rgb.astype(np.float32) / np.float32(np.iinfo(rgb.dtype).max)
    return torch.from_numpy(scaled).permute(2, 0, 1)[None]


@cache
def perceptual_distance() -> Callable[[Tensor, Tensor], Tensor] | None:
    """LPIPS with AlexNet (Zhang et al. 2018) of frames in [-1, 1]; None where it is not installed.

    The package fetches AlexNet when it is first used; where it cannot, there is a warning and None.
    """
    try:
        import lpips
    except ImportError:
        return None
    try:
        network = lpips.LPIPS(net="alex", verbose=False).eval()
    except OSError as error:
        LOGGER.warning("LPIPS is left out: its network cannot be read (%s)", error)
        return None

    def distance(restored: Tensor, sharp: Tensor) -> Tensor:
        with torch.inference_mode():
            found: Tensor = network(restored, sharp)
        return found

    return distance
