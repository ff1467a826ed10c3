"""Pictures of a recording, to see whether it is read rightly: TFP or TFI in grey, or as film."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikedeblur.classical import spike_light, spike_rate
from spikedeblur.errors import UsageError
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.image_files import write_image
from spikedeblur.io.image_names import is_image_sequence
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.recording.filters import without_filters
from spikedeblur.recording.light import linear_to_srgb
from spikedeblur.recording.voxel import check_single_spikes, voxelize_ticks
from spikedeblur.vocabulary import PREVIEW_METHODS

__all__ = ["picture_of_grid", "preview_picture", "previewed", "write_preview"]

WINDOW_S = Fraction(1, 250)
MOST_TICKS = 512  # of a window, at any rate
LEAST_TICKS = 16
FILM_RATE, FILM_FRAMES = Fraction(25), 125
EXTREMES = 1.0, 99.0  # percentiles of the light that become black and white
MIDDLE_GREY = 0.46  # sRGB of 18 % light, of a picture without contrast

Picture = NDArray[np.uint8]


def preview_picture(stream: SpikeStream, tick: int, method: str = "tfp") -> Picture:
    """The light around a tick -> (H, W, 3) uint8 grey, of full contrast.

    tfp counts the spikes of 4 ms, tfi measures the interval between two, within the same window.
    """
    length = min(max(int(WINDOW_S * stream.rate_hz), LEAST_TICKS), MOST_TICKS, stream.ticks)
    start = min(max(tick - length // 2, 0), stream.ticks - length)
    if method == "tfp":
        counts = voxelize_ticks(stream, 1, start, start + length)
        return _stretched(without_filters(counts, stream)[0])
    check_single_spikes(stream)
    light = spike_light(stream[start : start + length], min(tick - start, length - 1))
    return _stretched(without_filters(light[None], stream)[0])


def picture_of_grid(counts: NDArray[np.float32], target: float = 0.0) -> Picture:
    """A voxel grid (K, H, W) at an instant in [-0.5, 0.5] of its exposure -> (H, W, 3) uint8."""
    return _stretched(spike_rate(counts, min(max(target, -0.5), 0.5)))


def write_preview(
    stream: SpikeStream, path: Path, method: str = "tfp", *, overwrite: bool = False
) -> int:
    """Write the middle of a recording as a picture, or all of it as film; returns the frames.

    A film has 25 frames a second and at most 125, spread evenly over the ticks.
    Raises UsageError for an unknown method, OutputError for what cannot be written.
    """
    if method not in PREVIEW_METHODS:
        raise UsageError(f"unknown preview ({method!r}) - give {' or '.join(PREVIEW_METHODS)}")
    if _is_picture(path):
        _write_picture(path, preview_picture(stream, stream.ticks // 2, method), overwrite)
        return 1
    frames = min(FILM_FRAMES, stream.ticks)
    with _film(path, (stream.width, stream.height), FILM_RATE, overwrite) as write:
        for number in range(frames):
            tick = (2 * number + 1) * stream.ticks // (2 * frames)
            write(preview_picture(stream, tick, method))
    return frames


def previewed(
    grids: Iterable[NDArray[np.float32]],
    path: Path,
    frames: int,
    rate: Fraction,
    *,
    overwrite: bool = False,
) -> Iterator[NDArray[np.float32]]:
    """Pass `frames` voxel grids (K, H, W) on, and write what they show on the way.

    The middle one becomes a picture, or each of them a frame of a film with `rate` frames a second;
    the file is there once the last grid has been passed on. Raises OutputError.
    """
    if not _is_picture(path):
        yield from _filmed(grids, path, rate, overwrite)
        return
    for number, grid in enumerate(grids):
        if number == frames // 2:
            _write_picture(path, picture_of_grid(grid), overwrite)
        yield grid


def _filmed(
    grids: Iterable[NDArray[np.float32]], path: Path, rate: Fraction, overwrite: bool
) -> Iterator[NDArray[np.float32]]:
    coming = iter(grids)
    first = next(coming)
    with _film(path, (first.shape[2], first.shape[1]), rate, overwrite) as write:
        for grid in chain([first], coming):
            write(picture_of_grid(grid))
            yield grid


def _is_picture(path: Path) -> bool:
    return is_image_sequence(path) and "%" not in path.name


def _write_picture(path: Path, picture: Picture, overwrite: bool) -> None:
    with atomic_path(path, overwrite=overwrite) as temporary:
        write_image(temporary, picture)


@contextmanager
def _film(
    path: Path, size: tuple[int, int], rate: Fraction, overwrite: bool
) -> Iterator[Callable[[Picture], None]]:
    """Yield a function that adds a picture to a film; the film is kept if all goes well."""
    numbers = count()
    source = VideoInfo.synthetic(*size, rate, pix_fmt="yuv420p")
    with create_video(path, source, overwrite=overwrite) as writer:

        def write(picture: Picture) -> None:
            number = next(numbers)
            writer.write(VideoFrame(number, number, 1 / rate, 1, 1 / rate, picture))

        yield write


def _stretched(light: NDArray[np.float32]) -> Picture:
    """Linear light (H, W) -> (H, W, 3) uint8 sRGB: all but its extremes fill black to white."""
    low, high = np.percentile(light, EXTREMES)
    if high > low:
        shown = linear_to_srgb(np.clip((light - low) / (high - low), 0, 1))
    else:
        shown = np.full(light.shape, MIDDLE_GREY)
    return np.repeat(np.rint(shown * 255).astype(np.uint8)[..., None], 3, axis=-1)
