"""Resampling against NumPy's own interpolation and the closed forms of the filters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.recording.resample import blur, gaussian_weights, resize_planes

PLANES = np.random.default_rng(5).random((2, 9, 14), dtype=np.float32)


@pytest.mark.parametrize("shape", [(18, 28), (23, 31), (9, 14), (4, 5), (3, 28), (1, 1)])
def test_resize_equals_torch(shape):
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(PLANES)[None], size=shape, mode="bilinear", antialias=True
    )[0]
    np.testing.assert_allclose(resize_planes(PLANES, shape), expected.numpy(), atol=1e-5)


def test_a_plane_twice_as_large_has_no_shift():
    ramp = np.arange(8, dtype=np.float32)[None].repeat(4, axis=0)
    centres = (np.arange(16) + 0.5) / 2 - 0.5
    expected = np.interp(centres, np.arange(8), np.arange(8))
    np.testing.assert_allclose(resize_planes(ramp, (8, 16))[3], expected, atol=1e-6)


def test_a_lone_pixel_blurs_to_the_gaussian():
    plane = np.zeros((21, 31), dtype=np.float32)
    plane[10, 15] = 1
    y, x = np.mgrid[-10:11, -15:16]
    gaussian = np.exp(-(x**2 + y**2) / (2 * 1.5**2)) / (2 * np.pi * 1.5**2)
    np.testing.assert_allclose(blur(plane, 1.5), gaussian, atol=3e-4)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_flat_planes_stay_flat_up_to_the_border(sigma):
    np.testing.assert_allclose(blur(np.full((5, 4), 3, np.float32), sigma), 3, rtol=1e-5)
    assert abs(gaussian_weights(sigma).sum() - 1) < 1e-6
