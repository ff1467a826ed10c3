"""Exposures: each frame gets the spikes of its own shutter time, or what is known of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.io.voxel_writer import write_voxels
from spikedeblur.quantities import parse_exposure
from spikedeblur.recording.exposures import ExposedFrame, StreamExposures, expose, fill_unseen
from spikedeblur.recording.opening import open_exposures
from spikedeblur.recording.timeline import Interval
from spikedeblur.recording.voxel_exposures import VoxelExposures
from tests.recordings import frame_at

RATE_HZ = 1000  # 20 ticks per frame of 1/50 s


@pytest.fixture
def planes() -> np.ndarray:
    return np.random.default_rng(0).random((100, 6, 8)) < 0.4


@pytest.fixture
def stream(planes, tmp_path):
    write_dat(tmp_path / "s.dat", [planes])
    with SpikeStream.open(tmp_path / "s.dat", width=8, height=6, rate_hz=RATE_HZ) as stream:
        yield stream


def blank(index: int):
    return frame_at(index, np.zeros((12, 16, 3), np.uint8))


def test_a_frame_gets_the_count_of_its_interval(stream, planes):
    for index in range(5):
        counts, covered = StreamExposures(stream, bins=7).counts(blank(index))
        assert counts.shape == (7, 6, 8) and covered == 1
        np.testing.assert_allclose(
            counts.sum(0), planes[20 * index : 20 * index + 20].sum(0), rtol=1e-5
        )


def test_exact_times_are_preferred_to_what_the_container_made_of_them(stream, planes):
    """A frame of 1/50 s at tick 20 that a file has at tick 23, for 17 of them."""
    frame = VideoFrame(
        1,
        23,
        Fraction(1, RATE_HZ),
        17,
        Fraction(17, RATE_HZ),
        np.zeros((12, 16, 3), np.uint8),
        Fraction(20, RATE_HZ),
        Fraction(1, 50),
    )
    counts, _ = StreamExposures(stream, bins=5).counts(frame)
    np.testing.assert_allclose(counts.sum(0), planes[20:40].sum(0), rtol=1e-5)
    assert StreamExposures(stream).planes(frame, -0.5)[0].shape[0] == 20


@pytest.mark.parametrize(
    ("exposure", "ticks"),
    [("0.5x", (5, 15)), ("90deg", (7.5, 12.5)), ("0.004", (8, 12)), ("1x", (0, 20))],
)
def test_exposures_are_centred_in_the_interval(stream, exposure, ticks):
    interval = StreamExposures(stream, exposure=parse_exposure(exposure)).interval(
        Fraction(0), Fraction(1, 50)
    )
    assert (interval.start, interval.stop) == ticks


def test_the_shutter_may_open_at_a_known_time(stream):
    exposures = StreamExposures(
        stream, exposure=parse_exposure("0.004"), exposure_start_s=Fraction(3, 1000)
    )
    interval = exposures.interval(Fraction(1, 50), Fraction(1, 50))
    assert (interval.start, interval.stop) == (23, 27)


def test_what_was_not_recorded_gets_the_mean_rate(stream, planes):
    """Frame 4 begins 10 ticks before the end when the stream is 10 ticks late."""
    with SpikeStream.open(
        stream.path, width=8, height=6, rate_hz=RATE_HZ, offset_s=Fraction(-1, 100)
    ) as late:
        counts, covered = StreamExposures(late, bins=20).counts(blank(4))
    assert covered == Fraction(1, 2)
    np.testing.assert_allclose(counts[:10], planes[90:], rtol=1e-6)
    np.testing.assert_allclose(
        counts[10:], np.broadcast_to(planes[90:].mean(0), (10, 6, 8)), rtol=1e-5
    )


def test_filling_keeps_bins_that_were_seen_in_part():
    """Two bins of 4 ticks, 6 ticks seen, one spike a tick: the second bin held 2, and gets 4."""
    grid = np.array([4, 2], np.float32)[:, None, None]
    filled = fill_unseen(grid, Interval(Fraction(0), Fraction(8)), 6)
    np.testing.assert_allclose(filled.ravel(), [4, 4])


def test_frames_beyond_the_stream_have_no_counts(stream):
    exposures = StreamExposures(stream)
    assert exposures.counts(blank(5)) == (None, 0)
    assert exposures.ended_before(blank(5)) and not exposures.ended_before(blank(4))


def test_voxel_grids_belong_to_frames_by_number():
    grids = np.arange(3, dtype=np.float32)[:, None, None, None] * np.ones((3, 4, 6, 8), np.float32)
    exposures = VoxelExposures(grids)
    found = [expose(blank(index), exposures).counts for index in range(4)]
    assert [None if counts is None else counts.mean() for counts in found] == [0, 1, 2, None]
    assert exposures.size == (8, 6)


def test_voxel_grids_of_other_bins_are_refused():
    with pytest.raises(InputError, match="4 bins, the model takes 32"):
        VoxelExposures(np.zeros((3, 4, 6, 8), np.float32), bins=32)
    with pytest.raises(InputError, match="no voxel grid"):
        VoxelExposures(np.zeros((0, 4, 6, 8), np.float32))


def test_tfi_needs_the_spikes_themselves(stream, planes):
    exposed = expose(blank(2), StreamExposures(stream))
    spikes, tick = exposed.spikes_around(0.0)
    np.testing.assert_array_equal(spikes, planes[40:60])
    assert tick == 10 and exposed.spikes_around(0.5)[1] == 19
    with pytest.raises(UsageError, match=r"\.dat"):
        ExposedFrame(blank(0), None, Fraction(1)).spikes_around(0.0)


def test_every_kind_of_spikes_gives_the_same_counts(stream, planes, tmp_path):
    known = {
        "bins": 4,
        "interval_s": Fraction(1, 50),
        "first_pts_s": Fraction(0),
        "duration_s": Fraction(1, 10),
    }
    options = RecordingSettings(size=(8, 6), rate_hz=Fraction(RATE_HZ))
    from_stream = open_exposures(stream, RecordingSettings(), **known)
    expected = [from_stream.counts(blank(index))[0] for index in range(5)]
    write_voxels(tmp_path / "v.tif", expected, (5, 4, 6, 8))
    for spikes in (stream.path, str(stream.path), tmp_path / "v.tif", from_stream):
        exposures = open_exposures(spikes, options, **known)
        for index in range(5):
            np.testing.assert_array_equal(exposures.counts(blank(index))[0], expected[index])


def test_an_unknown_offset_is_the_first_frames_time(stream):
    options = RecordingSettings(size=(8, 6), rate_hz=Fraction(RATE_HZ))
    for given, expected in ((None, Fraction(3)), (Fraction(1), Fraction(1))):
        exposures = open_exposures(
            stream.path,
            replace(options, offset_s=given),
            bins=4,
            interval_s=Fraction(1, 50),
            first_pts_s=Fraction(3),
            duration_s=None,
        )
        assert exposures.stream.offset_s == expected
