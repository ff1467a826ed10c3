"""Exposure intervals: exact times from time stamps."""

from __future__ import annotations

from fractions import Fraction as F  # noqa: N817 - short, for there are many

import pytest

from spikedeblur.errors import UsageError
from spikedeblur.recording.timeline import Interval, coverage, exposure_interval, frame_intervals


def test_the_whole_interval_by_default_geometry():
    got = exposure_interval(F(2, 25), F(1, 25), F(1, 25), F(0), F(20000))
    assert got == Interval(F(1600), F(2400))


def test_a_short_exposure_is_centred():
    got = exposure_interval(F(0), F(1, 25), F(1, 100), F(0), F(20000))
    assert (got.start + got.stop) / 2 == 400
    assert got.length == 200


def test_an_exposure_may_open_where_the_sidecar_says():
    got = exposure_interval(F(1), F(1, 25), F(1, 100), F(1, 2), F(1000), start_s=F(1, 1000))
    assert got == Interval(F(501), F(511))


def test_offset_moves_the_stream_on_the_clock_of_the_video():
    late = exposure_interval(F(1), F(1, 25), F(1, 25), F(3, 4), F(1000))
    assert late.start == 250


def test_an_hour_of_ntsc_frames_does_not_drift():
    interval = F(1001, 30000)
    frame = 107_892
    got = exposure_interval(frame * interval, interval, interval, F(0), F(20000))
    assert got.start == frame * F(1001, 30000) * 20000
    assert got.length == F(2002, 3)


@pytest.mark.parametrize("position", [2, 3, 4, 5])
def test_nothing_lasts_no_time(position):
    values = [F(0), F(0), F(1, 25), F(1, 25), F(0), F(1000)]
    arguments = [values[0], F(1, 25), F(1, 25), F(0), F(1000)]
    index = {2: 1, 3: 2, 4: 4, 5: 4}[position]
    arguments[index] = F(0) if position != 5 else F(-1)
    with pytest.raises(UsageError, match="above zero"):
        exposure_interval(*arguments)


@pytest.mark.parametrize(
    ("start", "stop", "part", "clipped"),
    [
        (0, 100, F(1), Interval(F(0), F(100))),
        (-50, 50, F(1, 2), Interval(F(0), F(50))),
        (75, 125, F(1, 2), Interval(F(75), F(100))),
        (-100, 300, F(1, 4), Interval(F(0), F(100))),
        (100, 200, F(0), None),
        (-20, 0, F(0), None),
    ],
)
def test_coverage(start, stop, part, clipped):
    interval = Interval(F(start), F(stop))
    assert coverage(interval, 100) == part
    assert interval.clip(100) == clipped


def test_a_frame_lasts_until_the_next_and_the_last_as_long_as_it_says():
    stamps = [(F(0), F(1, 10)), (F(3, 10), F(1, 10)), (F(4, 10), F(2, 10))]
    assert list(frame_intervals(stamps)) == [
        (F(0), F(3, 10)),
        (F(3, 10), F(1, 10)),
        (F(4, 10), F(2, 10)),
    ]


def test_a_last_frame_without_duration_repeats_the_interval_before_it():
    assert [i for _, i in frame_intervals([(F(0), None), (F(1, 50), None)])] == [F(1, 50)] * 2
    assert [i for _, i in frame_intervals([(F(5), None)])] == [F(1, 25)]
    assert list(frame_intervals([])) == []


def test_equal_time_stamps_fall_back_on_the_duration():
    assert next(iter(frame_intervals([(F(1), F(1, 25)), (F(1), None)])))[1] == F(1, 25)
