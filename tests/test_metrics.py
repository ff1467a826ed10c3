"""Metrics against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.metrics import frame_psnr, frame_ssim, temporal_error


def test_psnr_is_that_of_the_error():
    sharp = torch.full((3, 3, 16, 16), 0.5)
    noise = torch.tensor([0.1, 0.01, 0.0])[:, None, None, None]
    assert frame_psnr(sharp + noise, sharp).tolist() == pytest.approx([20, 40, 100], abs=1e-3)


def test_ssim_of_a_constant_shift():
    """For flat frames SSIM is the luminance term alone: (2ab + C1) / (a^2 + b^2 + C1)."""
    a, b, c1 = 0.4, 0.6, 0.01**2
    found = frame_ssim(torch.full((2, 3, 32, 32), a), torch.full((2, 3, 32, 32), b))
    assert found.tolist() == pytest.approx([(2 * a * b + c1) / (a * a + b * b + c1)] * 2, rel=1e-3)


def test_ssim_of_equal_frames_is_one():
    frames = torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    assert frame_ssim(frames, frames).tolist() == pytest.approx([1, 1])


def test_temporal_error_sees_flicker_and_not_constant_error():
    sharp = torch.from_numpy(np.random.default_rng(0).random((4, 3, 8, 8)))
    assert temporal_error(sharp + 0.1, sharp).numpy() == pytest.approx(0, abs=1e-12)
    flicker = torch.tensor([0.0, 0.2, 0.0, 0.0])[:, None, None, None]
    assert temporal_error(sharp + flicker, sharp).tolist() == pytest.approx([0.2, 0.2, 0])
