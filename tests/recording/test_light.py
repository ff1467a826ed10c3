"""sRGB transfer against values printed in IEC 61966-2-1 and its inverse."""

from __future__ import annotations

import numpy as np

from spikedeblur.recording.light import (
    linear_to_srgb,
    mixed_light,
    relative_luminance,
    srgb_to_linear,
)


def test_known_points():
    encoded = np.array([0.0, 0.04045, 0.5, 1.0])
    linear = np.array([0.0, 0.0031308, 0.2140411, 1.0])
    np.testing.assert_allclose(srgb_to_linear(encoded), linear, atol=1e-7)
    np.testing.assert_allclose(linear_to_srgb(linear), encoded, atol=1e-6)


def test_round_trip_of_every_byte_in_single_precision():
    encoded = (np.arange(256) / 255).astype(np.float32)
    back = linear_to_srgb(srgb_to_linear(encoded))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, encoded, atol=1e-6)


def test_white_has_unit_luminance_and_green_weighs_most():
    light = relative_luminance(np.eye(3, dtype=np.float32))
    np.testing.assert_allclose(light.sum(), 1, atol=1e-6)
    assert light.argmax() == 1 and light.argmin() == 2


def test_mixed_is_the_light_not_the_code():
    """Half of white and half of black is 0.7354 in sRGB; the codes' mean would be 0.5."""
    black, white = np.zeros((2, 3, 3), np.float32), np.ones((2, 3, 3), np.float32)
    np.testing.assert_allclose(mixed_light(black, white, 0.5), 0.735357, atol=1e-6)
    np.testing.assert_allclose(mixed_light(white, black, 0.25), 0.880825, atol=1e-6)
    assert mixed_light(black, 2 * white, 1.0).max() <= 1
