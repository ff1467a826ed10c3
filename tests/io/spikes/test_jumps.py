"""Recordings whose clock jumps: each stored plane at the tick that its time asks for."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar, write_sidecar
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.timeline import Interval, coverage

RNG = np.random.default_rng(3)
WHOLE = RNG.random((400, 6, 8)) < 0.3
RATE = 1000


def opened(planes: np.ndarray, jumps: list[list[float]], **more: object) -> SpikeStream:
    settings = RecordingSettings(rate_hz=RATE, offset_s=0.5, offset_jumps=jumps, **more)
    return SpikeStream.of_array(planes, settings)


def test_planes_that_were_lost_are_missing_where_they_were() -> None:
    stream = opened(np.delete(WHOLE, slice(120, 150), 0), [[0.62, 0.03]], flip=False)
    assert (stream.ticks, stream.gaps) == (400, ((120, 150),))
    np.testing.assert_array_equal(stream[:120], WHOLE[:120])
    np.testing.assert_array_equal(stream[150:], WHOLE[150:])
    assert not stream[110:160][10:40].any()
    assert stream.holds(0, 120) and stream.holds(150, 400)
    assert not (stream.holds(119, 121) or stream.holds(149, 160) or stream.holds(390, 401))


def test_planes_of_frames_that_were_lost_are_left_out() -> None:
    stream = opened(WHOLE, [[0.6, -0.04], [0.7, -0.02]], flip=False)
    assert (stream.ticks, stream.gaps) == (340, ())
    expected = np.delete(WHOLE, [*range(100, 140), *range(240, 260)], 0)
    np.testing.assert_array_equal(stream[:], expected)
    np.testing.assert_array_equal(stream[90:230], expected[90:230])


def test_what_is_rounded_does_not_add_up() -> None:
    """Thirty frames a second last no whole number of ticks."""
    third = -1 / 30
    stream = opened(WHOLE, [[0.55, third], [0.6, third], [0.65, third]])
    assert stream.ticks == 300


def test_jumps_before_and_behind_the_recording() -> None:
    stream = opened(WHOLE, [[0.1, 0.025], [9.0, 1.0]], flip=False)
    assert (stream.ticks, stream.gaps) == (425, ((0, 25),))
    np.testing.assert_array_equal(stream[25:], WHOLE)
    assert opened(WHOLE, [[0.1, -0.025]]).ticks == 375


def test_jumps_follow_another_offset() -> None:
    stream = opened(np.delete(WHOLE, slice(120, 150), 0), [[0.62, 0.03]], flip=False)
    moved = stream.with_settings(RecordingSettings(offset_s=0.52))
    assert moved.gaps == ((100, 130),)
    assert stream.part(1, 1, 2, 2).gaps == stream.gaps


def test_a_gap_counts_as_what_was_not_recorded() -> None:
    assert coverage(Interval(Fraction(110), Fraction(130)), 400, ((120, 150),)) == Fraction(1, 2)
    assert coverage(Interval(Fraction(390), Fraction(410)), 400, ((120, 150),)) == Fraction(1, 2)
    assert coverage(Interval(Fraction(125), Fraction(130)), 400, ((120, 150),)) == 0


@pytest.mark.parametrize("rolling", [False, True])
def test_a_frame_with_a_gap_has_the_rate_of_what_is_known(rolling: bool) -> None:
    planes = np.ones((370, 6, 8), bool)
    stream = opened(planes, [[0.62, 0.03]])
    late = np.zeros((6, 8)) if rolling else None
    exposures = StreamExposures(stream, bins=8, late=late)

    class Frame:
        span = Fraction(60, 100), Fraction(40, 1000)

    counts, covered = exposures.counts(Frame())  # type: ignore[arg-type]
    assert covered == Fraction(1, 2)
    np.testing.assert_allclose(counts, 5)
    Frame.span = Fraction(625, 1000), Fraction(20, 1000)
    assert exposures.counts(Frame()) == (None, 0)  # type: ignore[arg-type]


def test_a_sidecar_says_them(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    said = RecordingSettings(offset_jumps=[[0.62, 0.03], [1.5, -0.04]])
    write_sidecar(path, said)
    assert "offset_jumps = [[0.62, 0.03], [1.5, -0.04]]" in path.read_text()
    assert read_sidecar(path) == said


@pytest.mark.parametrize(
    "value", ["[]", "[1, 2]", "[[1]]", "[[1, 0]]", "[[2, 1], [1, 1]]", "[[1, nan]]", "true"]
)
def test_what_cannot_be_is_refused(value: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(f"offset_jumps = {value}\n")
    with pytest.raises(InputError, match="offset_jumps"):
        read_sidecar(path)


def test_a_jump_within_another_is_refused() -> None:
    with pytest.raises(UsageError, match="overlap"):
        opened(WHOLE, [[0.6, 0.1], [0.65, 0.1]])
