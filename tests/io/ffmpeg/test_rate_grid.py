"""Times that Matroska has rounded to milliseconds are found again, and others are left alone."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.io.ffmpeg.rate_grid import RateGrid
from tests.io.clips import Clip, frames_of, make_clip

MS = Fraction(1, 1000)
RATES = [Fraction(30), Fraction(60), Fraction(240), Fraction(30000, 1001), Fraction(24000, 1001)]


def spans(
    grid: RateGrid, stamps: list[Fraction], last: Fraction
) -> list[tuple[Fraction, Fraction]]:
    followers = [*stamps[1:], None]
    return [
        grid.span(stamp, following, last if following is None else following - stamp)
        for stamp, following in zip(stamps, followers, strict=True)
    ]


@given(st.sampled_from(RATES), st.integers(-100, 10**7), st.integers(1, 20))
def test_rounded_times_become_what_they_were(rate, first, count):
    exact = [k / rate for k in range(first, first + count)]
    stamps = [round(time / MS) * MS for time in exact]
    grid = RateGrid.rounded(rate, MS, stamps[0])
    assert spans(grid, stamps, round(1000 / rate) * MS) == [(time, 1 / rate) for time in exact]


@given(st.sampled_from(RATES), st.fractions(0, 100, max_denominator=10**6))
def test_with_any_start_intervals_are_exact_and_the_start_nearly(rate, start):
    """A start that is no multiple of 1 / rate is known to a tick only, but nothing jitters."""
    exact = [start + k / rate for k in range(30)]
    stamps = [round(time / MS) * MS for time in exact]
    found = spans(RateGrid.rounded(rate, MS, stamps[0]), stamps, round(1000 / rate) * MS)
    # The grid through zero may agree with the first stamp by chance, but then not with all others.
    assert all(abs(time - true) <= MS for (time, _), true in zip(found, exact, strict=True))
    assert all(interval > 0 for _, interval in found)
    ends = [time + interval for time, interval in found[:-1]]
    assert ends == [time for time, _ in found[1:]]


def test_frames_off_the_grid_keep_their_own_times():
    """60 a second, one frame 3 ms late and one missing."""
    grid = RateGrid.rounded(Fraction(60), MS, Fraction(0))
    stamps = [Fraction(ms, 1000) for ms in (0, 17, 36, 50, 83)]
    sixtieth = Fraction(1, 60)
    assert spans(grid, stamps, 17 * MS) == [
        (0, sixtieth),
        (sixtieth, 36 * MS - sixtieth),
        (36 * MS, 50 * MS - 36 * MS),
        (50 * MS, 5 * sixtieth - 50 * MS),
        (5 * sixtieth, sixtieth),
    ]


def test_a_last_frame_that_is_shown_for_long_keeps_its_end():
    grid = RateGrid.rounded(Fraction(60), MS, Fraction(0))
    assert grid.span(17 * MS, None, Fraction(2)) == (Fraction(1, 60), 2)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=50), st.sampled_from(RATES))
def test_variable_rates_never_move_a_frame_by_more_than_the_rounding(steps, rate):
    stamps = [Fraction(int(ms), 1000) for ms in np.cumsum([0, *steps])]
    for stamp, (time, interval) in zip(
        stamps, spans(RateGrid(rate, MS, Fraction(0)), stamps, MS), strict=True
    ):
        assert abs(time - stamp) <= MS / 2 and interval > 0


@pytest.mark.parametrize(
    ("rate", "tick"),
    [(25, MS), (50, MS), (30, Fraction(1, 90000)), (500, MS), (Fraction(2000, 3), MS)],
)
def test_there_is_no_grid_where_nothing_is_rounded_or_nothing_can_be_told(rate, tick):
    assert RateGrid.rounded(Fraction(rate), tick, Fraction(0)) is None


def clip(suffix: str, rate: Fraction, first: int = 0) -> Clip:
    base = 1 / rate
    return Clip(suffix=suffix, rate=rate, time_base=base, times=tuple(range(first, first + 25)))


@pytest.mark.parametrize("rate", [30, 60, 240])
@pytest.mark.parametrize("first", [0, 7])
def test_files_tell_exact_times_for_exposures_and_their_own_for_writing(
    tmp_path: Path, rate: int, first: int
) -> None:
    rate = Fraction(rate)
    frames = frames_of(make_clip(tmp_path, clip(".mkv", rate, first)))
    for number, frame in enumerate(frames):
        exact = (number + first) / rate
        assert frame.span == (exact, 1 / rate)
        assert frame.time == math.floor(exact * 1000 + Fraction(1, 2)) * MS
        assert frame.interval != 1 / rate or number == 24


def test_a_part_has_the_spans_of_the_whole(tmp_path: Path) -> None:
    path = make_clip(tmp_path, clip(".mkv", Fraction(60), 3))
    whole = frames_of(path)
    part = frames_of(path, start=whole[10].time, end=whole[20].time)
    assert [frame.span for frame in part] == [frame.span for frame in whole[10:20]]


def test_mp4_needs_no_grid(tmp_path: Path) -> None:
    for frame in frames_of(make_clip(tmp_path, clip(".mp4", Fraction(60)))):
        assert frame.exact_time is None and frame.span == (frame.time, frame.interval)
