"""Runs beside the rate of convolution, and their memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.benchmarking.run_series import PeakMemory, RunSeries


def test_median_and_spread_of_seconds_a_frame():
    series = RunSeries()
    for seconds in (8.0, 4.0, 6.0, 10.0):
        series.add(seconds, frames=2)
    assert len(series) == 4 and sum(series.seconds) == 28
    assert series.figures("all_") == {
        "all_seconds_per_frame": 3.5,
        "all_seconds_per_frame_min": 2.0,
        "all_seconds_per_frame_max": 5.0,
    }


def test_a_run_is_worth_its_time_at_the_rate_around_it():
    """A machine that is half as fast for a while makes all runs worth the same."""
    series = RunSeries(iter([100.0, 100.0, 50.0, 50.0]))
    for seconds in (2.0, 8 / 3, 4.0):
        series.add(seconds, frames=1)
    found = series.figures()
    assert (found["seconds_per_frame_min"], found["seconds_per_frame_max"]) == (2.0, 4.0)
    for end in ("", "_min", "_max"):
        assert found[f"gflop_worth_per_frame{end}"] == pytest.approx(200.0)
    assert series.rates == [100.0, 100.0, 50.0, 50.0]


def test_memory_is_what_was_taken_since():
    def take(megabytes: int) -> None:
        np.ones(megabytes * 10**6, np.uint8).sum()

    take(120)
    memory = PeakMemory(torch.device("cpu"))
    take(30)
    found = memory.peaks()
    assert 20 < found["peak_growth_mb"] < 60 and found["peak_gpu_mb"] is None
    assert found["peak_rss_mb"] > found["peak_growth_mb"]
