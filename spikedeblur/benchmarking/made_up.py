"""Made-up inputs of `benchmark --speed`: frames with counts in memory, and a recording on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.recording.light import linear_to_srgb
from spikedeblur.recording.voxel_exposures import VoxelExposures
from spikedeblur.restoration.pipeline import Deblurrer

NOISE_SEED = 0
MADE_UP_FRAMES = 5  # a window of the shipped network
FPS, RATE_HZ = 50, 20_000
MOTION = 8  # spike pixels in a frame interval, all of which the shutter is open
PATCH = 4  # spike pixels: the side of the squares that the wall is painted with


@dataclass(frozen=True)
class MadeUpClip:
    """A recording on disk: a video, a .dat with its sidecar, and where restored video goes."""

    video: Path
    spikes: Path
    output: Path

    @property
    def codec(self) -> str:
        """The codec of the video, as FFmpeg calls it."""
        with open_video(self.video) as reader:
            return reader.info.codec

    def restore(self, deblurrer: Deblurrer, end: Fraction | None = None) -> int:
        """Restore the clip, or its part before `end` seconds, into a file; return its frames."""
        done = deblurrer.run(self.video, self.spikes, self.output, end=end, overwrite=True)
        return done.written


@dataclass(frozen=True)
class MadeUp:
    """Frames of noise with made-up voxel grids of half their size, the same every time.

    A run over them is everything that `deblur` does but reading and writing: windows, tiles,
    merging. clip: a recording of as many frames of this size, to be restored from file to file.
    """

    size: tuple[int, int]
    count: int = MADE_UP_FRAMES
    clip: MadeUpClip | None = None
    has_truth = False
    group = ""
    protocol = ""

    @property
    def name(self) -> str:
        """WxH."""
        return f"{self.size[0]}x{self.size[1]}"

    def truth(self) -> Iterator[VideoFrame]:
        """None."""
        return iter(())

    def frames(self, deblurrer: Deblurrer | None) -> Iterator[VideoFrame]:
        """Yield the frames as `deblurrer` restores them, or the blurry ones without one."""
        width, height = self.size
        rng = np.random.default_rng(NOISE_SEED)
        rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        made_up = (_frame(index, rgb) for index in range(self.count))
        if deblurrer is None:
            yield from made_up
            return
        columns, rows = _spike_size(self.size)
        grid = rng.poisson(2.0, (deblurrer.bins, rows, columns))
        exposures = VoxelExposures([grid.astype(np.float32)] * self.count)
        yield from deblurrer.frames(made_up, exposures)


def write_clip(folder: Path, size: tuple[int, int], count: int = MADE_UP_FRAMES) -> MadeUpClip:
    """Record a painted wall that slides by: a video of `count` frames, spikes of half its size.

    The video is what .mp4 gets by default: H.264 where there is an encoder for it. Raises
    `OutputError` where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clip = MadeUpClip(folder / "blurry.mp4", folder / "spikes.dat", folder / "sharp.mp4")
    columns, rows = _spike_size(size)
    walls = _views(columns, rows, count)
    width, height = size
    across, down = np.arange(width) * columns // width, np.arange(height) * rows // height
    info = VideoInfo.synthetic(width, height, FPS, "yuv420p")
    with create_video(clip.video, info) as writer:
        for index in range(count):
            light = np.mean(walls[index * MOTION : (index + 1) * MOTION], axis=0)[down][:, across]
            grey = np.rint(255 * linear_to_srgb(light)).astype(np.uint8)
            writer.write(_frame(index, np.repeat(grey[..., None], 3, axis=2)))
    write_dat(clip.spikes, _spikes(walls))
    rig = RecordingSettings(width=columns, height=rows, rate_hz=Fraction(RATE_HZ))
    write_sidecar(clip.spikes.with_suffix(".toml"), rig)
    return clip


def _views(columns: int, rows: int, count: int) -> list[NDArray[np.float32]]:
    """Light (rows, columns) below 1 on the spike plane, moved by a pixel from one to the next."""
    rng = np.random.default_rng(NOISE_SEED)
    length = columns + count * MOTION
    patches = rng.uniform(0.1, 0.9, (-(-rows // PATCH), -(-length // PATCH)))
    wall = np.kron(patches, np.ones((PATCH, PATCH)))[:rows].astype(np.float32)
    return [wall[:, left : left + columns] for left in range(count * MOTION)]


def _spikes(views: list[NDArray[np.float32]]) -> Iterator[NDArray[np.bool_]]:
    """Blocks (n, rows, columns) of ticks: a pixel fires whenever its light has added up to 1."""
    ticks = np.arange(1 + RATE_HZ // FPS // MOTION, dtype=np.float32)[:, None, None]
    charge = np.random.default_rng(NOISE_SEED).random(views[0].shape, dtype=np.float32)
    for view in views:
        added = charge + ticks * view
        yield np.diff(np.floor(added), axis=0) > 0
        charge = added[-1] % 1


def _frame(index: int, rgb: NDArray[np.uint8]) -> VideoFrame:
    interval = Fraction(1, FPS)
    return VideoFrame(index, index, interval, 1, interval, rgb)


def _spike_size(size: tuple[int, int]) -> tuple[int, int]:
    """Half a frame's (width, height)."""
    return max(size[0] // 2, 1), max(size[1] // 2, 1)
