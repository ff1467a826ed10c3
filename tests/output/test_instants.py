"""Instants and the exposures that they lie in, by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.errors import UsageError
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.output.instants import Instants

# Frames every 40 ms, the shutter open for the middle 20 ms.
SHUTTERS = [
    (number, (Fraction(40 * number + 10, 1000), Fraction(40 * number + 30, 1000)))
    for number in range(20)
]


def test_each_lies_in_its_exposure():
    wanted = [Fraction("0.055"), Fraction("0.02"), Fraction("0.05"), Fraction("0.02")]
    placed = Instants.placed(wanted, SHUTTERS)
    assert placed.targets == {0: [0.0], 1: [-0.5, -0.25]}
    assert placed.times == {0: [Fraction("0.02")], 1: [Fraction("0.05"), Fraction("0.055")]}
    assert placed.time_base == Fraction(1, 200)


def test_the_border_of_two_exposures_belongs_to_the_later_one():
    whole = [(n, (Fraction(n), Fraction(n + 1))) for n in range(3)]
    assert Instants.placed([Fraction(1), Fraction(3)], whole).targets == {1: [-0.5], 2: [0.5]}


def test_no_more_is_read_than_the_last_one_needs():
    read = []
    shutters = (read.append(each[0]) or each for each in SHUTTERS)
    Instants.placed([Fraction("0.06")], shutters)
    assert read == [0, 1, 2]


@pytest.mark.parametrize("outside", ["0.005", "0.035", "5"])
def test_an_instant_in_no_exposure_is_told_those_there_are(outside):
    with pytest.raises(UsageError) as raised:
        Instants.placed([Fraction("0.02"), Fraction(outside)], SHUTTERS[:3])
    message = str(raised.value)
    assert f"at {outside} s" in message
    if outside == "5":
        assert "0.01 to 0.03 s, 0.05 to 0.07 s, 0.09 to 0.11 s" in message
    else:
        assert "0.01 to 0.03 s" in message


def test_of_many_exposures_the_nearest_are_told():
    with pytest.raises(UsageError, match=r"the nearest exposures: 0\.25 to 0\.27 s") as raised:
        Instants.placed([Fraction("0.4"), Fraction("9")], SHUTTERS)
    assert str(raised.value).count(" to ") == 8 and len(str(raised.value)) < 300


def test_none_at_all():
    with pytest.raises(UsageError, match="no instant is given"):
        Instants.placed([], SHUTTERS)


def test_frames_are_shown_from_their_instant_to_the_next():
    placed = Instants.placed([Fraction("0.02"), Fraction(1, 18), Fraction("0.06")], SHUTTERS)
    rgb = np.zeros((2, 2, 3), np.uint8)
    blurry = VideoFrame(1, 4, Fraction(1, 100), 4, Fraction(1, 25), rgb)
    one, other = placed.frames(blurry, [rgb, rgb + 1])
    assert (one.index, one.time, one.interval) == (1, Fraction(1, 18), Fraction("0.06") - one.time)
    assert (other.index, other.time, other.interval) == (2, Fraction("0.06"), Fraction(1, 25))
    assert (other.rgb == 1).all()
    info = placed.info(VideoInfo.synthetic(2, 2, 25))
    assert info.frame_count_estimate == 3 and one.time / info.time_base % 1 == 0


def test_times_that_no_clock_counts_are_rounded_to_nanoseconds():
    placed = Instants.placed([Fraction(1, 50) + Fraction(1, 10**12)], SHUTTERS)
    [frame] = placed.frames(
        VideoFrame(0, 0, Fraction(1), 1, Fraction(1, 25), np.zeros((2, 2, 3), np.uint8)), [1]
    )
    assert frame.time == Fraction("0.02") and placed.time_base == Fraction(1, 10**9)
