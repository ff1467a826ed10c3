"""The engine around the network over long videos and large recordings: memory, cost and seams."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import spikedeblur
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.models.checkpoint import load_model
from spikedeblur.recording.voxel_exposures import VoxelExposures
from spikedeblur.restoration.inference import TiledModel
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.restoration.spike_planes import SpikePlanes
from tests.networks import Network
from tests.recordings import frame_at

pytestmark = pytest.mark.slow

PACKAGE_PARENT = Path(spikedeblur.__file__).resolve().parents[1]
HOUR = 108_000  # frames at 30 per second


@Network
def identity(rgb, voxels, target_time):
    return rgb


class SameGrid:
    """One voxel grid for each of `count` frames, holding one only."""

    def __init__(self, grid: np.ndarray, count: int) -> None:
        self._grid, self._count = grid, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int, /) -> np.ndarray:
        return self._grid


def resident_mb() -> float:
    """Memory in use, without what the allocator keeps for later (which wavers by a megabyte)."""
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def write_hour(path: Path) -> None:
    """64x48 at 30 frames per second, with sound."""
    pictures = np.random.default_rng(0).integers(100, 130, (8, 48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.options = {"preset": "ultrafast", "crf": "30"}
        sound = output.add_stream("pcm_s16le", rate=8000)
        sound.codec_context.layout = "mono"
        for number in range(HOUR):
            frame = av.VideoFrame.from_ndarray(pictures[number % 8])
            frame.pts, frame.time_base = number, Fraction(1, 30)
            output.mux(video.encode(frame))
            if number % 30 == 0:
                second = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
                second.sample_rate, second.time_base = 8000, Fraction(1, 8000)
                second.pts = number // 30 * 8000
                output.mux(sound.encode(second))
        output.mux(video.encode(None))
        output.mux(sound.encode(None))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory in use is not known")
@pytest.mark.timeout(1800)
def test_an_hour_of_video_needs_no_more_memory_than_its_first_minutes(tmp_path):
    write_hour(tmp_path / "hour.mkv")
    done, resident = [], []

    def note(written: int, expected: int | None) -> None:
        if written % 1000 == 0:
            done.append(written)
            resident.append(resident_mb())

    began = time.process_time()  # of all threads: no less than a machine with time for it takes
    tally = Deblurrer(identity).run(
        tmp_path / "hour.mkv",
        VoxelExposures(SameGrid(np.ones((32, 12, 16), np.float32), HOUR)),
        tmp_path / "out.mkv",
        on_frame=note,
        preset="ultrafast",
    )
    assert time.process_time() - began < 300
    assert (tally.read, tally.written) == (HOUR, HOUR)
    slope = np.polyfit(done[10:], resident[10:], 1)[0]
    assert slope * 100_000 < 1, f"{slope * 100_000:.2f} MB per 100,000 frames"
    with open_video(tmp_path / "out.mkv") as reader:
        assert sum(1 for _ in reader) == HOUR


MEASURE = """
import sys
from fractions import Fraction
from spikedeblur import SpikeStream
from spikedeblur.machine.memory import peak_rss_mb
from spikedeblur.recording.voxel import voxelize_ticks
from tests.networks import Network
with SpikeStream.open(sys.argv[1], width=400, height=250, rate_hz=20000) as stream:
    for number in range(40):
        start = stream.ticks // 40 * number
        voxelize_ticks(stream, 32, start, start + min(400, stream.ticks // 40))
print(peak_rss_mb())
"""


def test_ten_gigabytes_of_spikes_need_the_memory_of_a_few(tmp_path):
    peaks = []
    for ticks in (16_000, 800_000):
        path = tmp_path / f"{ticks}.dat"
        with path.open("wb") as file:
            file.truncate(ticks * 12_500)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path)],
            check=True,
            text=True,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)},
        )
        peaks.append(float(done.stdout))
    assert peaks[1] < 1.02 * peaks[0] + 1


def test_the_engine_costs_little_beside_the_network():
    """Thread time of 640x360 frames with a model that does nothing, and with the shipped one."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (360, 640, 3), dtype=np.uint8)
    grid = rng.poisson(2, (32, 180, 320)).astype(np.float32)

    def seconds_per_frame(model, count: int) -> float:
        deblurrer = Deblurrer(model, tile=640, overlap=64)
        frames = (frame_at(index, rgb) for index in range(count))
        began = time.process_time()
        for _ in deblurrer.frames(frames, VoxelExposures(SameGrid(grid, count))):
            pass
        return (time.process_time() - began) / count

    seconds_per_frame(identity, 5)
    engine, whole = seconds_per_frame(identity, 20), seconds_per_frame(None, 8)
    assert engine < 0.1 * (whole - engine), f"{engine:.3f} s of {whole:.3f} s"


@pytest.fixture(scope="module")
def shipped() -> torch.nn.Module:
    return load_model()


def scene(
    height: int, width: int, frames: int, speed: int, noise: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A textured wall that slides by `speed` pixels a frame, as frames (T, H, W, 3) uint8 of
    averaged light and as voxel grids (T, 32, H/2, W/2) of Poisson counts.
    """
    rng = np.random.default_rng(seed)
    wall = np.zeros((height, width + speed * (frames + 1), 3))
    for cell in (2, 5, 13, 34):
        coarse = rng.random((height // cell + 1, wall.shape[1] // cell + 1, 3))
        wall += coarse.repeat(cell, 0).repeat(cell, 1)[:height, : wall.shape[1]] / 4
    rgb = np.empty((frames, height, width, 3), np.uint8)
    counts = np.empty((frames, 32, height // 2, width // 2), np.float32)
    for frame in range(frames):
        views = np.stack(
            [
                wall[:, left : left + width]
                for left in (frame * speed + k * speed // 32 for k in range(32))
            ]
        )
        rgb[frame] = np.clip(rng.normal(views.mean(0) * 255, noise), 0, 255)
        grey = views.mean(-1).reshape(32, height // 2, 2, width // 2, 2).mean((2, 4))
        counts[frame] = rng.poisson(4 * grey)
    return rgb, counts


def test_no_seam_shows_between_tiles(shipped):
    """The step across a border, against the same step without tiles, as anywhere else."""
    torch.set_num_threads(1)
    tiled_steps, whole_steps, seams = [], [], []
    for seed in range(3):
        rgb, counts = scene(160, 224, 5, 6, 2.0, seed)
        (whole,) = TiledModel(shipped, tile=224, overlap=32)(rgb, SpikePlanes(counts))
        model = TiledModel(shipped, tile=96, overlap=32)
        (tiled,) = model(rgb, SpikePlanes(counts))
        tiled_steps.append(np.abs(np.diff(tiled, axis=-1)).mean((0, 1, 2)))
        whole_steps.append(np.abs(np.diff(whole, axis=-1)).mean((0, 1, 2)))
        seams = sorted(
            {
                edge - 1
                for tile, weight in model.grid(160, 224, 96)
                for edge in blended(tile, weight)
            }
        )
    ratio = np.mean(tiled_steps, axis=0) / np.mean(whole_steps, axis=0)
    inside = np.delete(ratio, seams).mean()
    assert len(seams) > 2 and ratio[seams].mean() < 1.02 * inside, (ratio[seams], inside)


def blended(tile, weight) -> Iterator[int]:
    """Columns at which the share of a tile in the result changes."""
    columns = np.asarray(weight).reshape(-1, tile.width)[tile.height // 2]
    yield from (tile.x + at + 1 for at in np.flatnonzero(np.diff(columns)))


def test_nothing_flickers_at_the_borders_of_windows(shipped):
    """A still scene with noise: the change from frame to frame, where one window takes over from
    another and elsewhere.
    """
    torch.set_num_threads(1)
    rgb, counts = scene(64, 64, 35, 0, 4.0)
    frames = (frame_at(index, picture) for index, picture in enumerate(rgb))
    sharp: list[VideoFrame] = list(
        Deblurrer(shipped, window=5, stride=3).frames(frames, VoxelExposures(counts))
    )
    pictures = np.stack([frame.rgb for frame in sharp]).astype(float)
    change = np.abs(np.diff(pictures, axis=0)).mean((1, 2, 3))
    number = np.arange(len(change))
    inner = (number > 2) & (number < len(change) - 3)
    border = inner & (number % 3 == 0)  # from frame 3 to 4, 6 to 7 ...: both windows share them
    assert change[border].mean() < 1.02 * change[inner & ~border].mean(), change
