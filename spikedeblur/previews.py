"""Pictures of a recording, to see whether it is read rightly: TFP or TFI in grey, or as film."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikedeblur.classical import tfi, tfp
from spikedeblur.errors import UsageError
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.images import is_image_sequence, write_image
from spikedeblur.io.spikes import SpikeStream
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.voxel import voxelize

__all__ = ["METHODS", "picture_of_grid", "preview_picture", "write_preview"]

METHODS = ("tfp", "tfi")
WINDOW_S = Fraction(1, 250)
MOST_TICKS = 512  # of a window, whatever the rate
BINS = 16
FILM_RATE, MOST_FRAMES = 25, 125
MIDDLE_GREY = 0.46  # sRGB of 18 % light, which the mean of a picture becomes

Picture = NDArray[np.uint8]


def preview_picture(stream: SpikeStream, tick: int, method: str = "tfp") -> Picture:
    """The light around a tick -> (H, W, 3) uint8 grey; the mean of a picture is always the same.

    tfp counts the spikes of 4 ms, tfi measures the interval between two, within the same window.
    """
    length = min(max(int(WINDOW_S * stream.rate_hz), BINS), MOST_TICKS, stream.ticks)
    start = min(max(tick - length // 2, 0), stream.ticks - length)
    if method == "tfp":
        return picture_of_grid(voxelize(stream, BINS, start, start + length),
                               (tick - start) / length - 0.5)
    spikes = stream[start : start + length]
    return _grey(tfi(_blank(spikes.shape[1:]), spikes, min(tick - start, length - 1)))


def picture_of_grid(counts: NDArray[np.float32], target: float = 0.0) -> Picture:
    """A voxel grid (K, H, W) at an instant in [-0.5, 0.5] of its exposure -> (H, W, 3) uint8."""
    return _grey(tfp(_blank(counts.shape[1:]), counts, min(max(target, -0.5), 0.5)))


def write_preview(stream: SpikeStream, path: Path, method: str = "tfp", *,
                  overwrite: bool = False) -> int:
    """Write the middle of a recording as a picture, or all of it as film; returns the frames.

    A film has 25 frames a second and at most 125, spread evenly over the ticks.
    Raises UsageError for an unknown method, OutputError for what cannot be written.
    """
    if method not in METHODS:
        raise UsageError(f"unknown preview ({method!r}) - give {' or '.join(METHODS)}")
    if is_image_sequence(path) and "%" not in path.name:
        with atomic_path(path, overwrite=overwrite) as temporary:
            write_image(temporary, preview_picture(stream, stream.ticks // 2, method))
        return 1
    frames = min(MOST_FRAMES, stream.ticks)
    ticks = ((2 * number + 1) * stream.ticks // (2 * frames) for number in range(frames))
    _write_film((preview_picture(stream, tick, method) for tick in ticks), path,
                (stream.width, stream.height), overwrite)
    return frames


def _write_film(pictures: Iterator[Picture], path: Path, size: tuple[int, int],
                overwrite: bool) -> None:
    interval = Fraction(1, FILM_RATE)
    source = VideoInfo.synthetic(*size, FILM_RATE, pix_fmt="yuv420p")
    with create_video(path, source, overwrite=overwrite) as writer:
        for number, picture in enumerate(pictures):
            writer.write(VideoFrame(number, number, interval, 1, interval, picture))


def _blank(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.full((*shape, 3), MIDDLE_GREY, np.float32)


def _grey(picture: NDArray[np.float32]) -> Picture:
    pixels: Picture = np.rint(picture * 255).astype(np.uint8)
    return pixels
