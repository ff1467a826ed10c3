"""Times and settings of runs, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import pytest

from spikedeblur.benchmarking import runs
from spikedeblur.benchmarking.made_up import MadeUp, MadeUpClip, write_clip
from spikedeblur.benchmarking.runs import Plan, RunCost, Stopwatch, timed_runs
from spikedeblur.benchmarking.setups import Setup
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.restoration.pipeline import Deblurrer
from tests.recordings import frame_at


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Slow:
    """Frames that take given seconds each, another list for every run."""

    clock: Clock
    seconds: list[list[float]]
    name: str = "slow"
    group: str = ""
    size: tuple[int, int] = (4, 4)
    has_truth: bool = False
    clip: MadeUpClip | None = None
    begun: list[int] = field(default_factory=list)

    def frames(self, deblurrer: object) -> Iterator[VideoFrame]:
        run = self.seconds[len(self.begun)]
        self.begun.append(len(run))
        for number, seconds in enumerate(run):
            self.clock.now += seconds
            yield frame_at(number, np.zeros((4, 4, 3), np.uint8))


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(runs.time, "perf_counter", clock)
    monkeypatch.setattr(Stopwatch.__init__, "__defaults__", (clock,))
    return clock


def test_medians_and_spread_of_the_runs_without_the_warm_up(clock):
    job = Slow(clock, [[5, 5, 5], [2, 1, 1], [9, 3, 3], [3, 2, 2]])
    [timing] = timed_runs(Setup("blurry", "blurry"), [job], Plan(warm_up=2, repeats=3))
    assert isinstance(timing, RunCost)
    assert timing.warm_up_seconds == 10
    assert (timing.runs, timing.frames, timing.first_frame_seconds) == (3, 3, 3)
    assert timing.seconds_per_frame == pytest.approx(7 / 3)
    assert timing.seconds_per_frame_min == pytest.approx(4 / 3)
    assert timing.seconds_per_frame_max == pytest.approx(15 / 3)
    assert timing.frames_per_second == pytest.approx(3 / 7)


def test_what_is_done_with_a_frame_is_not_counted(clock):
    job = Slow(clock, [[1, 1, 1]], has_truth=True)
    for item in timed_runs(Setup("blurry", "blurry"), [job], Plan(warm_up=0, repeats=1)):
        clock.now += 100
        if isinstance(item, RunCost):
            assert item.seconds_per_frame == 1 and item.warm_up_seconds is None


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, 3), (6.0, 2), (60.0, 1)])
def test_slow_methods_run_less_often(clock, seconds, expected):
    job = Slow(clock, [[seconds]] * 4)
    [timing] = timed_runs(Setup("blurry", "blurry"), [job], Plan(warm_up=0))
    assert timing.runs == expected


def test_each_frame_size_is_warmed_up_once(clock):
    jobs = [Slow(clock, [[1, 1]] * 2, size=size) for size in ((4, 4), (4, 4), (8, 4))]
    timings = list(timed_runs(Setup("blurry", "blurry"), jobs, Plan(warm_up=1, repeats=1)))
    assert [timing.warm_up_seconds for timing in timings] == [1, None, 1]


def test_what_a_method_ran_with_is_reported(tiny_weights):
    setup = Setup("tiny", "net", str(tiny_weights), device="cpu", threads=1, tile=48)
    [timing] = timed_runs(setup, [MadeUp((64, 48), 2)], Plan(warm_up=0, repeats=1))
    assert (timing.device, timing.precision, timing.tile, timing.threads) == ("cpu", "fp32", 48, 1)
    assert timing.frames == 2 and timing.load_seconds > 0
    assert timing.peak_gpu_mb is None and 0 < timing.peak_growth_mb < timing.peak_rss_mb
    [timing] = timed_runs(Setup("sdm", "sdm"), [MadeUp((64, 48), 2)], Plan(warm_up=0, repeats=1))
    assert (timing.device, timing.precision, timing.tile) == (None, None, None)


@pytest.mark.usefixtures("small_convolution")
def test_a_clip_is_timed_from_file_to_file_too(tmp_path):
    job = MadeUp((32, 32), 2, write_clip(tmp_path, (32, 32), 3))
    [timing] = timed_runs(Setup("sdm", "sdm"), [job], Plan(warm_up=0, repeats=2))
    assert (timing.frames, timing.runs, timing.end_to_end_runs) == (2, 2, 2)
    assert (timing.pixels, timing.codec) == (1024, job.clip.codec)
    assert len(list(open_video(job.clip.output))) == 3
    assert timing.conv3d_gflops > 0 and timing.end_to_end_peak_rss_mb > 0
    for kind in ("", "end_to_end_"):
        for figure in ("seconds_per_frame", "gflop_worth_per_frame"):
            least, median, most = (
                getattr(timing, f"{kind}{figure}{end}") for end in ("_min", "", "_max")
            )
            assert 0 < least <= median <= most


def test_seconds_from_file_to_file_are_of_the_run_over_its_frames(clock, tmp_path, monkeypatch):
    """The clip takes 6 s for 3 frames, then 12 s; a convolution takes no time by this clock."""

    class SlowClip(MadeUpClip):
        def restore(self, deblurrer: Deblurrer, end: object = None) -> int:
            clock.now += 6 if self not in seen else 12
            seen.append(self)
            return 3

    made = write_clip(tmp_path, (8, 8), 1)
    clip, seen = SlowClip(made.video, made.spikes, made.output), []
    job = Slow(clock, [[1.0]] * 2, size=(8, 8), clip=clip)
    monkeypatch.setattr(runs, "convolution_rates", lambda *_: repeat(50.0))
    [timing] = timed_runs(Setup("sdm", "sdm"), [job], Plan(warm_up=0, repeats=2))
    assert timing.end_to_end_seconds_per_frame == 3.0
    assert timing.end_to_end_seconds_per_frame_min == 2.0
    assert timing.end_to_end_seconds_per_frame_max == 4.0
    assert timing.seconds_per_frame == 1.0
    assert (timing.conv3d_gflops, timing.gflop_worth_per_frame) == (50.0, 50.0)
    assert timing.end_to_end_gflop_worth_per_frame == 150.0
