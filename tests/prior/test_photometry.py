"""Smoothing against the bell's formula, the sRGB curve against published values."""

import numpy as np
import pytest
import torch

from spikedeblur.prior.photometry import gaussian_blur, to_linear, to_srgb


def test_gaussian_blur_of_a_point_is_the_bell():
    plane = torch.zeros(1, 1, 15, 15)
    plane[..., 7, 7] = 1
    blurred = gaussian_blur(plane, 1.5)[0, 0].double()
    y, x = np.mgrid[-7:8, -7:8]
    bell = np.exp(-(x**2 + y**2) / 2 / 1.5**2) * (abs(x) <= 5) * (abs(y) <= 5)
    torch.testing.assert_close(blurred, torch.tensor(bell / bell.sum()), atol=1e-6, rtol=0)


def test_srgb_curve_against_published_values():
    """Values of IEC 61966-2-1: 8-bit 188 is 50 % light, the segments meet at 0.04045."""
    assert to_linear(torch.tensor([0.0, 1.0, 188 / 255])).tolist() == pytest.approx(
        [0.0, 1.0, 0.503], abs=1e-3
    )
    levels = torch.linspace(0, 1.5, 1001, dtype=torch.double)
    torch.testing.assert_close(to_srgb(to_linear(levels)), levels, atol=1e-6, rtol=0)
