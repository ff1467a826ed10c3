"""Running a method over its jobs, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import prod
from statistics import median
from typing import Any

import numpy as np
import torch

from spikedeblur.benchmarking.cases import Workload
from spikedeblur.benchmarking.isolation import in_own_process
from spikedeblur.benchmarking.made_up import FPS, MadeUpClip
from spikedeblur.benchmarking.operations import convolution_rates
from spikedeblur.benchmarking.run_series import PeakMemory, RunSeries
from spikedeblur.benchmarking.scoring import PictureSource
from spikedeblur.benchmarking.setups import Setup
from spikedeblur.io.video_info import VideoFrame
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
            return runs < max(self.repeats, 1)
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

    Where there is a clip: end_to_end_*, of restoring it from file to file as `deblur` does, all
    from opening to closing; codec: of both files. conv3d_gflops: rate of the 32-channel convolution
    in fp32 (10^9 operations a second), median of what was measured before and after each run.
    gflop_worth_per_frame: seconds a frame times that rate, as of `RunSeries`: what the machine
    could have convolved meanwhile, much the same on a slower one. pixels: of a frame.
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
    pixels: int | None = None
    end_to_end_runs: int | None = None
    end_to_end_seconds_per_frame: float | None = None
    end_to_end_seconds_per_frame_min: float | None = None
    end_to_end_seconds_per_frame_max: float | None = None
    end_to_end_peak_rss_mb: float | None = None
    codec: str | None = None
    conv3d_gflops: float | None = None
    gflop_worth_per_frame: float | None = None
    gflop_worth_per_frame_min: float | None = None
    gflop_worth_per_frame_max: float | None = None
    end_to_end_gflop_worth_per_frame: float | None = None
    end_to_end_gflop_worth_per_frame_min: float | None = None
    end_to_end_gflop_worth_per_frame_max: float | None = None


def timed_runs(
    setup: Setup, jobs: Sequence[Workload], plan: Plan, isolated: bool = False
) -> Iterator[np.ndarray | RunCost]:
    """Yield, for each job: the frames of its first run, (H, W, 3), if it has a truth; its timing.

    What the caller does between two frames is not counted. isolated: this process is the method's
    own, and the rate of convolution is measured in another, whose memory does not count.
    """
    began = time.perf_counter()
    deblurrer = setup.build()
    loading = time.perf_counter() - began
    warm: set[tuple[int, int]] = set()
    device = _device(deblurrer)
    rate_of = (str(device), torch.get_num_threads())
    rates = in_own_process(convolution_rates, *rate_of) if isolated else convolution_rates(*rate_of)
    for job in jobs:
        warm_up = 0 if job.size in warm else plan.warm_up
        warm.add(job.size)
        memory = PeakMemory(device)
        warming = Stopwatch(islice(job.frames(deblurrer), warm_up))
        warming.run_out()
        firsts: list[float] = []
        runs = RunSeries(rates if job.clip else None)
        while plan.wants_more(len(runs), sum(runs.seconds)):
            run = Stopwatch(job.frames(deblurrer))
            if job.has_truth and not firsts:
                yield from (frame.rgb for frame in run)
            run.run_out()
            runs.add(run.seconds, run.frames)
            firsts.append(run.first_seconds)
        costs: dict[str, Any] = {**runs.figures(), **memory.peaks(), **_settings(deblurrer)}
        if job.clip and deblurrer is not None:
            if warm_up:
                job.clip.restore(deblurrer, end=Fraction(1, FPS))  # loads what is used first here
            files = RunSeries(rates)
            costs |= _end_to_end(deblurrer, job.clip, plan, files)
            costs["conv3d_gflops"] = median([*runs.rates, *files.rates])
        yield RunCost(
            frames=run.frames,
            runs=len(runs),
            pixels=prod(job.size),
            load_seconds=loading,
            warm_up_seconds=warming.seconds if warm_up else None,
            first_frame_seconds=median(firsts),
            frames_per_second=1 / max(costs["seconds_per_frame"], 1e-9),
            **costs,
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


def _end_to_end(
    deblurrer: Deblurrer, clip: MadeUpClip, plan: Plan, runs: RunSeries
) -> dict[str, Any]:
    """Restore a clip from file to file, time and again; return the figures of it."""
    memory = PeakMemory(_device(deblurrer))
    while plan.wants_more(len(runs), sum(runs.seconds)):
        began = time.perf_counter()
        frames = clip.restore(deblurrer)
        runs.add(time.perf_counter() - began, frames)
    return {
        "end_to_end_runs": len(runs),
        "end_to_end_peak_rss_mb": memory.peaks()["peak_rss_mb"],
        "codec": clip.codec,
        **runs.figures("end_to_end_"),
    }


def _device(deblurrer: Deblurrer | None) -> torch.device:
    tiled = deblurrer.tiled if deblurrer is not None else None
    return torch.device("cpu") if tiled is None else tiled.device


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
