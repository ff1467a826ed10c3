"""Restored frames against the truth, one after the other; two of them are held."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikedeblur.benchmark.cases import Case
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.metrics import frame_psnr, frame_ssim, luma, temporal_error

LOGGER = logging.getLogger("spikedeblur")
SSIM_SIDE = 11
FIGURES = ("psnr", "ssim", "psnr_y", "ssim_y", "temporal", "lpips")


class Score:
    """Compares the frames of one video with the case's truth as they come.

    psnr, ssim: over R, G and B. psnr_y, ssim_y: on luma. temporal: `metrics.temporal_error`.
    lpips: where the package lpips is installed.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._truth: Iterator[VideoFrame] = case.truth()
        self._last: tuple[Tensor, Tensor] | None = None
        self._values: dict[str, list[float]] = {name: [] for name in FIGURES}

    def add(self, rgb: np.ndarray) -> None:
        """Count the next frame, (H, W, 3). Raises `InputError` if the truth has none like it."""
        sharp = next(self._truth, None)
        if sharp is None or sharp.rgb.shape != rgb.shape:
            raise self._case.unlike()
        one, other = as_tensor(rgb), as_tensor(sharp.rgb)
        self._note("psnr", frame_psnr(one, other))
        self._note("psnr_y", frame_psnr(luma(one), luma(other)))
        if min(one.shape[-2:]) >= SSIM_SIDE:
            self._note("ssim", frame_ssim(one, other))
            self._note("ssim_y", frame_ssim(luma(one), luma(other)))
        if self._last is not None:
            before, its_truth = self._last
            self._note(
                "temporal", temporal_error(torch.cat([before, one]), torch.cat([its_truth, other]))
            )
        if (distance := perceptual_distance()) is not None:
            self._note("lpips", distance(2 * one - 1, 2 * other - 1))
        self._last = one, other

    def _note(self, name: str, value: Tensor) -> None:
        self._values[name].append(float(value))

    def figures(self) -> dict[str, Any]:
        """Means over the frames, None where nothing was measured, and each frame's PSNR.

        Raises `InputError` if the truth goes on.
        """
        if self._values["psnr"] and next(self._truth, None) is not None:
            raise self._case.unlike()
        means = {
            name: sum(values) / len(values) if values else None
            for name, values in self._values.items()
        }
        return {**means, "psnr_of_frames": list(self._values["psnr"])}


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
