"""Runs of one thing, one after the other: their times, their memory, the machine's rate."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median
from typing import Any

import torch

from spikedeblur.machine.memory import give_back_freed, peak_rss_mb, reset_peak


class PeakMemory:
    """Peaks since it was made. device: of the tensors, whose memory counts on a CUDA GPU."""

    def __init__(self, device: torch.device) -> None:
        self._gpu = device if device.type == "cuda" else None
        give_back_freed()
        reset_peak()
        self._before = peak_rss_mb()
        if self._gpu is not None:
            torch.cuda.reset_peak_memory_stats(self._gpu)

    def peaks(self) -> dict[str, Any]:
        """The figures of `RunCost`, in MB of 10^6 bytes."""
        peak = peak_rss_mb()
        gpu = None if self._gpu is None else torch.cuda.max_memory_allocated(self._gpu) / 1e6
        return {
            "peak_rss_mb": round(peak, 1),
            "peak_growth_mb": round(peak - self._before, 1),
            "peak_gpu_mb": gpu,
        }


class RunSeries:
    """Seconds a frame of each run, and with `rates`, what the machine could convolve meanwhile.

    One rate is taken before the first run and one after each. A run is worth its seconds times the
    mean of the rates right before and after it, in 10^9 operations: so a machine that is slower for
    a while, since others use it too, is worth less for as long.
    """

    def __init__(self, rates: Iterator[float] | None = None) -> None:
        self._measured = rates
        self.rates = [] if rates is None else [next(rates)]
        self.seconds: list[float] = []
        self._per_frame: list[float] = []

    def __len__(self) -> int:
        return len(self.seconds)

    def add(self, seconds: float, frames: int) -> None:
        """Add a run right after it has ended."""
        self.seconds.append(seconds)
        self._per_frame.append(seconds / max(frames, 1))
        if self._measured is not None:
            self.rates.append(next(self._measured))

    def figures(self, prefix: str = "") -> dict[str, float]:
        """Median, min and max of the runs: seconds_per_frame, gflop_worth_per_frame."""
        found = {"seconds_per_frame": self._per_frame}
        if self.rates:
            around = map(fmean, zip(self.rates, self.rates[1:], strict=False))
            found["gflop_worth_per_frame"] = [
                seconds * rate for seconds, rate in zip(self._per_frame, around, strict=True)
            ]
        return {
            f"{prefix}{name}{end}": of(values)
            for name, values in found.items()
            for end, of in (("", median), ("_min", min), ("_max", max))
        }
