"""What a video will cost, from a small part of one window that is restored on trial."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from spikedeblur.errors import SpikedeblurError
from spikedeblur.io.pipes import is_pipe
from spikedeblur.io.video import VideoSelection, create_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.machine.memory import peak_rss_mb, resident_mb
from spikedeblur.output.options import OutputOptions
from spikedeblur.quantities import Region
from spikedeblur.recording.exposures import Exposures
from spikedeblur.recording.regions import region_exposures

if TYPE_CHECKING:
    from spikedeblur.restoration.pipeline import Deblurrer

SIDE = 128  # pixels of the part that is tried first
# Less time than this is no measurement, with and without tiles: a larger part is tried.
BRIEF_TRIAL_S = 0.5, 1.0
LONG_TRIAL_S = 4.0  # what takes this long is not tried once more, though what runs first is slower
LEAST_SHARE = 0.75  # of a part's time goes with its pixels
FIRST_USE_MB = 60.0  # that libraries take when they are used first
LONE = 3  # frames on trial at least, of methods that know no windows
PART_MULTIPLE = 32  # pixels that the part's place and size are multiples of


@dataclass(frozen=True)
class Trial:
    """Costs of one frame that is read, in seconds of the machine as it is now.

    compute_s: restoring all of its pixels once; compute_cpu_s: of all threads together. read_s:
    decoding it and counting its spikes. write_s: encoding what is made of it. output_bytes: what
    that takes. peak_mb: largest resident memory so far, of 10^6 bytes. bytes_per_pixel: by which it
    grows with the pixels of a frame. tried_pixels: of each frame in the trial. spent_s: on it.
    """

    compute_s: float
    compute_cpu_s: float
    read_s: float
    write_s: float
    output_bytes: float
    peak_mb: float
    bytes_per_pixel: float
    tried_pixels: int
    spent_s: float

    def seconds(self, frames: int, cores: int) -> float:
        """All frames: reading, restoring and writing go on at the same time, given the cores."""
        beside = self.read_s + self.write_s
        if cores == 1:
            return frames * (self.compute_s + beside)
        return frames * max(self.compute_s, beside, (self.compute_cpu_s + beside) / cores)


def try_part(
    deblurrer: Deblurrer,
    video: Path,
    selection: VideoSelection,
    exposures: Exposures | None,
    window: int | None,
    source: VideoInfo,
    output: Path,
    options: OutputOptions,
) -> Trial | None:
    """Try the first frames of a selection; None where they are not to be had or restored.

    window: frames of one pass of the network, None without one. source: what is written.
    """
    started = time.perf_counter()
    try:
        with selection.open(video) as reader:
            info = reader.info
            frames = list(islice(reader, window or lone_frames()))
        decoded = time.perf_counter()
        for frame in frames:
            if exposures is not None:
                exposures.counts(frame)
        expose_s = (time.perf_counter() - decoded) / len(frames)
        compute, growth, pixels = _tried(deblurrer, frames, exposures, info, expose_s)
        write_s, output_bytes = _written(
            [frame.cut(info.kept) for frame in frames], source, output, options
        )
    except (SpikedeblurError, OSError):
        return None
    factor = deblurrer.slow_motion.factor
    return Trial(
        *compute,
        (decoded - started) / len(frames) + expose_s,
        factor * write_s,
        factor * output_bytes,
        peak_rss_mb(),
        growth,
        pixels,
        time.perf_counter() - started,
    )


def lone_frames() -> int:
    """Frames on trial of methods that know no windows: the same number for each thread."""
    threads = torch.get_num_threads()
    return threads * -(-LONE // threads)


def _tried(
    deblurrer: Deblurrer,
    frames: list[VideoFrame],
    exposures: Exposures | None,
    info: VideoInfo,
    expose_s: float,
) -> tuple[tuple[float, float], float, int]:
    """Restore a part of the frames: (seconds, bytes a pixel, pixels tried).

    seconds: of the clock and of all threads, to restore all of one frame, without what counting its
    spikes takes. What runs first is slower, so it is done twice; and the part grows until it takes
    BRIEF_TRIAL_S, for where there are no tiles small parts take more a pixel, and two sizes tell
    how memory grows.
    """
    most = max(info.width, info.height)
    if deblurrer.tiled is not None:
        most = min(deblurrer.tiled.tile or most, most)
    brief_s = BRIEF_TRIAL_S[deblurrer.tiled is None]
    side, warm, before = min(SIDE, most), False, resident_mb()
    peaks: dict[int, float] = {}
    costs: dict[int, tuple[float, float]] = {}
    while True:
        region = _middle(info.width, info.height, side)
        part = [frame.cut(region) for frame in frames]
        seen = exposures
        whole = (region.width, region.height) == (info.width, info.height)
        if exposures is not None and not whole:
            seen = region_exposures(exposures, region, (info.width, info.height))
        began, began_cpu = time.perf_counter(), time.process_time()
        for _ in deblurrer.frames(part, seen):
            pass
        took, busy = time.perf_counter() - began, time.process_time() - began_cpu
        pixels = region.width * region.height
        peaks.setdefault(pixels, peak_rss_mb())
        aside = expose_s if seen else 0.0
        clock, cpu = (max(each / len(part) - aside, 1e-4) for each in (took, busy))
        costs[pixels] = clock, cpu
        # On a machine that others share the clock runs on: what counts is what was done.
        work = min(took, busy)
        enough = work > brief_s and (deblurrer.tiled is not None or len(peaks) > 1)
        if work > LONG_TRIAL_S or (warm and (whole or side >= most or enough)):
            break
        if warm:
            side = min(2 * side, most)
        warm = True
    frame, shared = info.width * info.height, deblurrer.tiled is None
    clock, cpu = (_of_frame({n: c[at] for n, c in costs.items()}, frame, shared) for at in (0, 1))
    return (clock, cpu), _growth(before, peaks), pixels


def _of_frame(costs: dict[int, float], frame: int, shared: bool) -> float:
    """Seconds of a frame of so many pixels, by those of its parts.

    shared: what a part takes whatever its size is needed once for the frame, not for each tile.
    """
    (least, short), (most, long) = [(0, 0.0), *costs.items()][-2:]
    pixel = long / most
    if shared and least:
        pixel = min(max((long - short) / (most - least), LEAST_SHARE * pixel), pixel)
    return long + pixel * (frame - most)


def _growth(before: float, peaks: dict[int, float]) -> float:
    """Bytes by which memory grows with a pixel, by the peaks (MB) with the last two sizes of part.

    before: MB in use at first; of one part alone, what the first use of all takes is left out.
    """
    (least, low), (most, high) = [(0, before + FIRST_USE_MB), *peaks.items()][-2:]
    return max(high - low, 0.0) * 1e6 / (most - least)


def _middle(width: int, height: int, side: int) -> Region:
    """The middle of a frame, at most `side` pixels long each way."""
    size = [
        length if length <= side + PART_MULTIPLE else side // PART_MULTIPLE * PART_MULTIPLE
        for length in (width, height)
    ]
    left, top = (
        (whole - part) // 2 // PART_MULTIPLE * PART_MULTIPLE
        for whole, part in zip((width, height), size, strict=True)
    )
    return Region(size[0], size[1], left, top)


def _written(
    frames: list[VideoFrame], source: VideoInfo, output: Path, options: OutputOptions
) -> tuple[float, float]:
    """Seconds and bytes of one frame as it will be encoded, without sound or what else there is."""
    if is_pipe(output):
        output = Path(f"x{output.suffix or '.mkv'}")
    alone = replace(source, path=None)
    with TemporaryDirectory() as folder:
        path = Path(folder) / output.name
        began = time.perf_counter()
        with create_video(path, alone, options) as writer:
            for frame in frames:
                writer.write(frame)
        seconds = (time.perf_counter() - began) / len(frames)
        size = sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())
    return seconds, size / len(frames)
