"""Colour filters before spike pixels: luminance of counts that each saw one colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.recording.light import LUMINANCE_WEIGHTS

__all__ = ["filter_masks", "luminance_counts", "without_filters"]

_Planes = NDArray[np.float32]


def filter_masks(
    cfa: str, shape: tuple[int, int], corner: tuple[int, int] = (0, 0)
) -> NDArray[np.bool_]:
    """Which pixels of `shape` (rows, columns) see red, green and blue: (3, Hs, Ws).

    cfa: filters of 2x2 pixels of the sensor, row by row. corner: left and top of the pixels in it.
    """
    left, top = corner
    rows, columns = (np.arange(shape[0]) + top) % 2, (np.arange(shape[1]) + left) % 2
    filters = np.array([["RGB".index(each) for each in cfa[row : row + 2]] for row in (0, 2)])
    seen = filters[rows[:, None], columns]
    return np.stack([seen == colour for colour in range(3)])


def luminance_counts(counts: _Planes, cfa: str, corner: tuple[int, int] = (0, 0)) -> _Planes:
    """Counts (K, Hs, Ws) behind filters -> those of a grey sensor in the same light, as near as can
    be: each colour is interpolated between the pixels that see it, and weighed as in luminance.
    """
    masks = filter_masks(cfa, counts.shape[1:], corner)
    total = np.zeros_like(counts)
    for mask, weight in zip(masks, LUMINANCE_WEIGHTS, strict=True):
        there = _calmed(mask[None].astype(np.float32))
        total += np.float32(weight) * _calmed(counts * mask) / np.maximum(there, 1e-6)
    return total


def without_filters(planes: _Planes, stream: SpikeStream) -> _Planes:
    """Counts, or rates, of a stream's pixels (K, Hs, Ws) as of a grey sensor; no change to one.

    Interpolated counts are no counts of spikes any more: what reads intervals between them, and
    light by its ratio to a pixel's own exposure, does better with the pixels as they are.
    """
    cfa = stream.settings.cfa
    return planes if cfa is None else luminance_counts(planes, cfa, stream.corner)


def _calmed(planes: _Planes) -> _Planes:
    """Weights 1/4, 1/2, 1/4 across and down; nothing beyond the border."""
    for axis in (1, 2):
        margins = [(0, 0)] * 3
        margins[axis] = (1, 1)
        padded = np.moveaxis(np.pad(planes, margins), axis, 0).astype(np.float32, copy=False)
        calm = padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4
        planes = np.moveaxis(calm, 0, axis).astype(np.float32, copy=False)
    return planes
