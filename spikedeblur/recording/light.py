"""Gamma-encoded pixels and the light they stand for (sRGB, IEC 61966-2-1; luma weights, BT.709)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["linear_to_srgb", "mixed_light", "relative_luminance", "srgb_to_linear"]

FloatArray = NDArray[np.floating]
LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)


def srgb_to_linear(encoded: FloatArray) -> FloatArray:
    """sRGB values in [0, 1], any shape -> linear light in [0, 1], same shape and float dtype."""
    slope = encoded / 12.92
    power = ((np.maximum(encoded, 0) + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, slope, power)


def linear_to_srgb(linear: FloatArray) -> FloatArray:
    """Linear light in [0, 1], any shape -> sRGB values in [0, 1], same shape and float dtype."""
    slope = linear * 12.92
    power = 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, slope, power)


def relative_luminance(linear_rgb: FloatArray) -> FloatArray:
    """Linear RGB (..., 3) -> relative luminance (...), same float dtype."""
    luma: FloatArray = linear_rgb @ np.asarray(LUMINANCE_WEIGHTS, dtype=linear_rgb.dtype)
    return luma


def mixed_light(one: FloatArray, other: FloatArray, share: float) -> FloatArray:
    """Mix two sRGB pictures of one shape as light: `share` of the other, the rest of the one.

    Returns sRGB; values are clipped to [0, 1].
    """
    first, second = (srgb_to_linear(np.clip(each, 0, 1)) for each in (one, other))
    return linear_to_srgb(first + (second - first) * np.float32(share))
