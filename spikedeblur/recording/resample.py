"""Separable resampling of planes: weighted sums of shifted rows, then of shifted columns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["blur", "resize_planes"]

Planes = NDArray[np.float32]


def resize_planes(planes: Planes, shape: tuple[int, int]) -> Planes:
    """Planes (..., H, W) -> (..., *shape) float32, one whole plane onto the other.

    Bilinear where it enlarges; where it shrinks the triangle widens, so that nothing aliases.
    What lies beyond the border has no weight.
    """
    for axis, length in ((-2, shape[0]), (-1, shape[1])):
        if planes.shape[axis] != length:
            planes = _resize_axis(planes, length, axis)
    return planes


def blur(planes: Planes, sigma: float) -> Planes:
    """Gaussian blur of planes (..., H, W) -> same shape; sigma in pixels, border repeated."""
    taps = gaussian_weights(sigma)
    for axis in (-2, -1):
        planes = _blur_axis(planes, taps, axis)
    return planes


def gaussian_weights(sigma: float) -> Planes:
    """The weights of one axis of `blur`, (2 r + 1,) with r = three sigma; they sum to one."""
    radius = math.ceil(3 * sigma)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    normalised: Planes = (taps / taps.sum()).astype(np.float32)
    return normalised


def _blur_axis(planes: Planes, taps: Planes, axis: int) -> Planes:
    radius, length = len(taps) // 2, planes.shape[axis]
    margins = [(0, 0)] * planes.ndim
    margins[axis] = (radius, radius)
    padded = np.moveaxis(np.pad(planes, margins, mode="edge"), axis, 0)
    result = np.empty_like(planes)
    total = np.moveaxis(result, axis, 0)
    np.multiply(padded[radius : radius + length], taps[radius], out=total)
    for shift in range(radius):  # the two taps of one weight at once
        mirrored = padded[shift : shift + length] + padded[2 * radius - shift :][:length]
        total += mirrored * taps[shift]
    return result


def _resize_axis(planes: Planes, length: int, axis: int) -> Planes:
    source = planes.shape[axis]
    scale = source / length
    reach = max(scale, 1.0)
    centres = (np.arange(length) + 0.5) * scale - 0.5
    first = np.ceil(centres - reach).astype(np.intp)
    positions = first[:, None] + np.arange(math.ceil(2 * reach) + 1)
    weights = np.maximum(1 - np.abs(positions - centres[:, None]) / reach, 0)
    weights[(positions < 0) | (positions >= source)] = 0
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    positions = np.clip(positions, 0, source - 1)
    along = (slice(None), None) if axis == -2 else (slice(None),)
    result: Planes | None = None
    for position, weight in zip(positions.T, weights.T, strict=True):
        if weight.any():
            part = np.take(planes, position, axis=axis) * weight[along]
            result = part if result is None else result + part
    assert result is not None
    return result
