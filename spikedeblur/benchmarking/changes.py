"""What two benchmarks differ by beyond the noise of their runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

TIMED = {
    "seconds_per_frame": ("gflop_worth_per_frame", "runs"),
    "end_to_end_seconds_per_frame": ("end_to_end_gflop_worth_per_frame", "end_to_end_runs"),
}
"""Times: the same per rate of convolution, and the number of runs."""


@dataclass(frozen=True)
class Change:
    """A time that changed by more than the runs of both benchmarks spread together.

    figure: what first and second are of, the medians: seconds_per_frame, or, where both know their
    rate of convolution, gflop_worth_per_frame, seconds times that rate (10^9 operations); both
    also as end_to_end_*. *_spread: the most of its runs minus the least, in the same unit.
    """

    figure: str
    first: float
    second: float
    ratio: float
    first_spread: float
    second_spread: float


def timing_changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Change]:
    """The times of two rows of `benchmark --json` that changed beyond noise.

    |second - first| must exceed the spread of the first's runs plus that of the second's. A single
    run has no spread to exceed, and is left out.
    """
    found = []
    for seconds, (worth, runs) in TIMED.items():
        for figure in (worth, seconds):
            before, after = (_median_and_spread(row, figure, runs) for row in (first, second))
            if before and after:
                if abs(after[0] - before[0]) > before[1] + after[1]:
                    ratio = after[0] / before[0]
                    found.append(Change(figure, before[0], after[0], ratio, before[1], after[1]))
                break
    return found


def untold_times(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """The times that both rows have, but at least one of them from a single run."""
    return [
        figure
        for figure, (_, runs) in TIMED.items()
        if all(figure_of(row, figure) for row in (first, second))
        and not all(_median_and_spread(row, figure, runs) for row in (first, second))
    ]


def figure_of(row: Mapping[str, Any], name: str) -> float | None:
    """A figure of a row from a file; None for what is no number, or not a finite one."""
    value = row.get(name)
    if not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:
        return None


def _median_and_spread(
    row: Mapping[str, Any], figure: str, runs: str
) -> tuple[float, float] | None:
    """Median, and most minus least of the runs; None for one run or none."""
    typical, least, most = (figure_of(row, f"{figure}{end}") for end in ("", "_min", "_max"))
    if not typical or least is None or most is None or (figure_of(row, runs) or 0) < 2:
        return None
    return typical, most - least
