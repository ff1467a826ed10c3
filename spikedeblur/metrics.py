"""Distances of restored frames from sharp ones."""

from __future__ import annotations

import torch
from torch import Tensor

HIGHEST_PSNR = 100.0


def frame_psnr(restored: Tensor, sharp: Tensor) -> Tensor:
    """PSNR (N,) in dB of frames (N, C, H, W) in [0, 1]; at most 100."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    value = peak_signal_noise_ratio(
        restored, sharp, data_range=1.0, reduction="none", dim=(1, 2, 3)
    )
    return value.clamp_max(HIGHEST_PSNR)


def frame_ssim(restored: Tensor, sharp: Tensor) -> Tensor:
    """SSIM (N,) of frames (N, C, H, W) in [0, 1], Gaussian window of sigma 1.5 (Wang et al. 2004).

    Frames need at least 11 pixels a side, the window's size.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    value = structural_similarity_index_measure(
        restored, sharp, gaussian_kernel=True, sigma=1.5, data_range=1.0, reduction="none"
    )
    assert isinstance(value, Tensor)
    return value.reshape(-1)


def luma(frames: Tensor) -> Tensor:
    """Y (N, 1, H, W) of RGB frames (N, 3, H, W) in [0, 1], over 16 to 235 of 255 (ITU-R BT.601).

    The convention of the field's tables, for any matrix of the video.
    """
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=frames.dtype, device=frames.device)
    return (torch.einsum("nchw,c->nhw", frames, weights)[:, None] + 16) / 255


def temporal_error(restored: Tensor, sharp: Tensor) -> Tensor:
    """Flicker (N - 1,): how far each step from frame to frame is from the sharp video's own step.

    Mean absolute difference over frames (N, 3, H, W) in [0, 1]; 0 for a video that moves as the
    sharp one does, with any constant error.
    """
    steps = restored.diff(dim=0) - sharp.diff(dim=0)
    return steps.abs().mean(dim=(1, 2, 3))
