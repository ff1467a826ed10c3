"""Running a method over its jobs, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
import torch

from spikedeblur.benchmarking.cases import Workload
from spikedeblur.benchmarking.scoring import PictureSource
from spikedeblur.benchmarking.setups import Setup
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.machine.memory import give_back_freed, peak_rss_mb, reset_peak
from spikedeblur.restoration.pipeline import Deblurrer

RUNS = 3
ENOUGH_SECONDS = 10.0  # of running, after which no further run is begun unless it was asked for


@dataclass(frozen=True)
class Plan:
    """Warm-up and repeats of a method over a job.

    warm_up: frames restored before, and timed apart; once for each size of frames.
    repeats: runs; None for three, or fewer where they take longer than ten seconds.
    """

    warm_up: int = 5
    repeats: int | None = None

    def wants_more(self, runs: int, seconds: float) -> bool:
        """Return whether to run again after so many runs that took so long altogether."""
        if self.repeats is not None:
            return runs < self.repeats
        return runs < RUNS and seconds < ENOUGH_SECONDS


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """One method over one job: times in seconds, memory in MB of 10^6 bytes.

    frames: of one run. load_seconds: making the method ready. warm_up_seconds: what ran before,
    None where nothing did. first_frame_seconds: from opening the files to the first restored
    frame, median of the runs. seconds_per_frame: a run over its frames, median, min and max of the
    runs; decoding included, encoding not. peak_rss_mb: largest resident memory of the process
    meanwhile; peak_growth_mb: by how much it grew. peak_gpu_mb: largest memory of tensors on a
    CUDA GPU. device, precision, tile: None for what uses none. Of a finished video, which others
    have made, only the frames are known.
    """

    frames: int
    runs: int
    load_seconds: float | None = None
    warm_up_seconds: float | None = None
    first_frame_seconds: float | None = None
    seconds_per_frame: float | None = None
    seconds_per_frame_min: float | None = None
    seconds_per_frame_max: float | None = None
    frames_per_second: float | None = None
    peak_rss_mb: float | None = None
    peak_growth_mb: float | None = None
    peak_gpu_mb: float | None = None
    threads: int | None = None
    device: str | None = None
    precision: str | None = None
    tile: int | None = None


def timed_runs(
    setup: Setup, jobs: Sequence[Workload], plan: Plan
) -> Iterator[np.ndarray | RunCost]:
    """Yield, for each job: the frames of its first run, (H, W, 3), if it has a truth; its timing.

    What the caller does between two frames is not counted.
    """
    began = time.perf_counter()
    deblurrer = setup.build()
    loading = time.perf_counter() - began
    warm: set[tuple[int, int]] = set()
    for job in jobs:
        warm_up = 0 if job.size in warm else plan.warm_up
        warm.add(job.size)
        memory = _Memory(deblurrer)
        warming = Stopwatch(islice(job.frames(deblurrer), warm_up))
        warming.run_out()
        runs: list[Stopwatch] = []
        while not runs or plan.wants_more(len(runs), sum(run.seconds for run in runs)):
            run = Stopwatch(job.frames(deblurrer))
            if job.has_truth and not runs:
                yield from (frame.rgb for frame in run)
            run.run_out()
            runs.append(run)
        yield RunCost(
            load_seconds=loading,
            warm_up_seconds=warming.seconds if warm_up else None,
            **_times(runs),
            **memory.peaks(),
            **_settings(deblurrer),
        )


def finished_runs(setup: Setup, jobs: Sequence[Workload]) -> Iterator[np.ndarray | RunCost]:
    """Yield what `timed_runs` does, for a finished video: its frames, and a timing without times.

    Raises `InputError` for a video that cannot be read.
    """
    for job in jobs:
        footage = PictureSource(setup.video_of(job))
        if job.has_truth:
            yield from (rgb for _, rgb in footage)
        yield RunCost(frames=footage.frames, runs=0)


class Stopwatch:
    """Iterates over frames and adds up the time it takes to get them."""

    def __init__(
        self, frames: Iterable[VideoFrame], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._frames = iter(frames)
        self._clock = clock
        self.frames = 0
        self.seconds = 0.0
        self.first_seconds = 0.0

    def __iter__(self) -> Iterator[VideoFrame]:
        while True:
            began = self._clock()
            frame = next(self._frames, None)
            self.seconds += self._clock() - began
            if frame is None:
                return
            self.frames += 1
            if self.frames == 1:
                self.first_seconds = self.seconds
            yield frame

    def run_out(self) -> None:
        """Take what frames there still are."""
        for _ in self:
            pass


def _times(runs: Sequence[Stopwatch]) -> dict[str, Any]:
    per_frame = [run.seconds / max(run.frames, 1) for run in runs]
    typical = median(per_frame)
    return {
        "frames": runs[0].frames,
        "runs": len(runs),
        "first_frame_seconds": median(run.first_seconds for run in runs),
        "seconds_per_frame": typical,
        "seconds_per_frame_min": min(per_frame),
        "seconds_per_frame_max": max(per_frame),
        "frames_per_second": 1 / max(typical, 1e-9),
    }


class _Memory:
    """Peaks since it was made."""

    def __init__(self, deblurrer: Deblurrer | None) -> None:
        tiled = deblurrer.tiled if deblurrer is not None else None
        self._gpu = tiled.device if tiled is not None and tiled.device.type == "cuda" else None
        give_back_freed()
        reset_peak()
        self._before = peak_rss_mb()
        if self._gpu is not None:
            torch.cuda.reset_peak_memory_stats(self._gpu)

    def peaks(self) -> dict[str, Any]:
        peak = peak_rss_mb()
        gpu = None if self._gpu is None else torch.cuda.max_memory_allocated(self._gpu) / 1e6
        return {
            "peak_rss_mb": round(peak, 1),
            "peak_growth_mb": round(peak - self._before, 1),
            "peak_gpu_mb": gpu,
        }


def _settings(deblurrer: Deblurrer | None) -> dict[str, Any]:
    tiled = deblurrer.tiled if deblurrer is not None else None
    used: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "device": None,
        "precision": None,
        "tile": None,
    }
    if tiled is not None:
        used |= {"device": str(tiled.device), "precision": tiled.precision, "tile": tiled.tile}
    return used
