"""The frame of a video that is blurred most, as its spikes have it, without decoding the video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.recording.exposures import Exposures, StreamExposures
from spikedeblur.recording.timeline import coverage
from spikedeblur.recording.voxel import voxelize_ticks

__all__ = ["blurriest_time"]

CANDIDATE_FRAMES = 32  # among which it is sought
MOST_VALUES = 1 << 31  # spike pixels that are read for it
BLUR_BLOCK = 4  # spike pixels a side, over which the noise of single spikes is averaged


def blurriest_time(exposures: Exposures, first: VideoFrame, info: VideoInfo) -> Fraction:
    """Return the time of the frame whose light changes most from its first to its last quarter.

    Frames are taken to follow each other at the average rate. Sought among some, spread evenly,
    whose exposures the spikes cover; the first frame's time where they cover none of them.
    """
    count = max(info.frame_count_estimate or 1, 1)
    taken = count if count < CANDIDATE_FRAMES else CANDIDATE_FRAMES
    if isinstance(exposures, StreamExposures):
        ticks = float(exposures.interval(*first.span).length)
        values = ticks / 2 * exposures.size[0] * exposures.size[1]
        taken = min(taken, max(int(MOST_VALUES / values), 4))
    numbers = np.unique(np.linspace(0, count - 1, taken).round().astype(int)).tolist()
    motions = {number: _motion(exposures, first, info, number) for number in numbers}
    best = max(numbers, key=lambda number: motions[number])
    return _time(first, info, best if motions[best] > 0 else 0)


def _time(first: VideoFrame, info: VideoInfo, number: int) -> Fraction:
    return first.span[0] + number / info.average_rate


def _motion(exposures: Exposures, first: VideoFrame, info: VideoInfo, number: int) -> float:
    """Mean change of the counts of blocks, as a part of their mean; -1 where spikes are missing."""
    if isinstance(exposures, StreamExposures):
        interval = exposures.interval(_time(first, info, number), first.span[1])
        if coverage(interval, exposures.stream.ticks, exposures.stream.gaps) < 1:
            return -1.0
        quarter = interval.length / 4
        early = voxelize_ticks(exposures.stream, 1, interval.start, interval.start + quarter)
        late = voxelize_ticks(exposures.stream, 1, interval.stop - quarter, interval.stop)
    else:
        counts, covered = exposures.counts(replace(first, index=number))
        if counts is None or covered < 1:
            return -1.0
        quarter_bins = max(len(counts) // 4, 1)
        early, late = counts[:quarter_bins], counts[-quarter_bins:]
    one, other = _blocks(early.sum(axis=0)), _blocks(late.sum(axis=0))
    return float(np.abs(other - one).mean() / max((one + other).mean(), 1e-6))


def _blocks(plane: np.ndarray) -> np.ndarray:
    """Means over blocks (h, w) of a plane; the plane itself where it is smaller than they are."""
    height, width = (side // BLUR_BLOCK * BLUR_BLOCK for side in plane.shape)
    if not (height and width):
        return plane
    tiles = plane[:height, :width].reshape(
        height // BLUR_BLOCK, BLUR_BLOCK, width // BLUR_BLOCK, BLUR_BLOCK
    )
    means: np.ndarray = tiles.mean(axis=(1, 3))
    return means
