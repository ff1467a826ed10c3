"""A change counts where it exceeds what the runs of both benchmarks spread."""

from __future__ import annotations

import pytest

from spikedeblur.benchmarking.changes import Change, figure_of, timing_changes, untold_times


def row(figure: str, median: float, least: float, most: float, runs: int = 3) -> dict[str, object]:
    return {
        figure: median,
        f"{figure}_min": least,
        f"{figure}_max": most,
        "runs": runs,
        "end_to_end_runs": runs,
    }


BEFORE = row("seconds_per_frame", 1.0, 0.95, 1.05)


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        ((1.0, 0.95, 1.05), False),
        ((1.19, 1.15, 1.25), False),  # 0.19 against 0.1 + 0.1, though no two runs are alike
        ((1.21, 1.15, 1.25), True),
        ((0.81, 0.75, 0.85), False),
        ((0.79, 0.75, 0.85), True),
        ((1.5, 0.9, 1.6), False),
        ((1.12, 1.12, 1.12), True),
    ],
)
def test_the_medians_differ_by_more_than_both_spreads(after, counts):
    second = row("seconds_per_frame", *after)
    found = timing_changes(BEFORE, second)
    if not counts:
        assert found == []
        return
    [change] = found
    assert (change.figure, change.first, change.second) == ("seconds_per_frame", 1.0, after[0])
    assert change.ratio == pytest.approx(after[0])
    assert change.first_spread == pytest.approx(0.1)
    assert change.second_spread == pytest.approx(after[2] - after[1])


def test_times_are_compared_at_the_rate_of_convolution():
    """Twice the time on a machine half as fast is no change; the same time there is one."""
    worth = row("end_to_end_gflop_worth_per_frame", 100.0, 99.0, 101.0)
    fast = {**worth, **row("end_to_end_seconds_per_frame", 1.0, 0.99, 1.01)}
    slow = {**worth, **row("end_to_end_seconds_per_frame", 2.0, 1.98, 2.02)}
    assert timing_changes(fast, slow) == []
    better = {**fast, **row("end_to_end_gflop_worth_per_frame", 50.0, 49.5, 50.5)}
    assert timing_changes(fast, better) == [
        Change("end_to_end_gflop_worth_per_frame", 100.0, 50.0, 0.5, 2.0, 1.0)
    ]


def test_seconds_count_where_only_one_has_a_rate():
    rated = {**BEFORE, **row("gflop_worth_per_frame", 100.0, 99.0, 101.0)}
    [change] = timing_changes(rated, row("seconds_per_frame", 2.0, 2.0, 2.0))
    assert change.figure == "seconds_per_frame"


def test_one_run_has_no_noise_to_exceed():
    once = row("seconds_per_frame", 9.0, 9.0, 9.0, runs=1)
    assert timing_changes(BEFORE, once) == [] == timing_changes(once, BEFORE)
    assert untold_times(BEFORE, once) == ["seconds_per_frame"] == untold_times(once, BEFORE)
    assert untold_times(BEFORE, BEFORE) == [] == untold_times(BEFORE, {})


@pytest.mark.parametrize("value", ["1", None, float("nan"), float("inf"), 10**400, [1]])
def test_what_is_no_figure_is_not_compared(value):
    assert figure_of({"a": value}, "a") is None
    assert timing_changes(BEFORE, {**BEFORE, "seconds_per_frame": value}) == []
