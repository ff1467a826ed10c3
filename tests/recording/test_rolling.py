"""Rolling shutters: each spike pixel's exposure is that of the row that it sees."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.quantities import Region
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.geometry import spike_to_video
from spikedeblur.recording.regions import region_exposures
from spikedeblur.recording.rolling import lateness_map, moved_in_time, rolled_planes, rolling_counts
from spikedeblur.recording.timeline import Interval
from spikedeblur.recording.voxel import voxelize_ticks

TICKS, HEIGHT, WIDTH, BINS = 240, 6, 10, 4
TURNED = (1.9, 0.3, 2.0, -0.25, 2.0, -1.0, 0, 0, 1)


@pytest.fixture(scope="module")
def spikes() -> np.ndarray:
    return np.random.default_rng(0).random((TICKS, HEIGHT, WIDTH)) < 0.4


def interval(start: float, stop: float) -> Interval:
    return Interval(Fraction(start), Fraction(stop))


def exposures(spikes: np.ndarray, **said) -> StreamExposures:
    said = {"rate_hz": 1000, "offset_s": 0, "exposure": Fraction(1, 10), **said}
    stream = SpikeStream.of_array(spikes, RecordingSettings(**said))
    return StreamExposures.of_stream(stream, bins=BINS, video_size=(2 * WIDTH, 2 * HEIGHT))


def frame(at_ms: int = 60) -> VideoFrame:
    """One that is shown for 120 ms."""
    base = Fraction(1, 1000)
    return VideoFrame(0, at_ms, base, 120, Fraction(120, 1000), np.zeros((12, 20, 3), np.uint8))


@pytest.mark.parametrize("readout", [18.0, -25.5])
def test_each_row_has_the_counts_of_its_own_interval(spikes, readout):
    to_video = spike_to_video((WIDTH, HEIGHT), (20, 12))
    late = lateness_map(to_video, (WIDTH, HEIGHT), (20, 12), readout)
    grid, covered = rolling_counts(spikes, BINS, interval(70.25, 160.5), late)
    assert covered == 1
    for row in range(HEIGHT):
        shift = Fraction(readout) * (Fraction(2 * row + 1, 2 * HEIGHT) - Fraction(1, 2))
        own = voxelize_ticks(
            spikes[:, row : row + 1], BINS, Fraction(70.25) + shift, Fraction(160.5) + shift
        )
        np.testing.assert_allclose(grid[:, row], own[:, 0], atol=1e-4)


def test_a_readout_of_nothing_changes_no_bit(spikes):
    for said in ({}, {"homography": TURNED}):
        plain, none = exposures(spikes, **said), exposures(spikes, **said, readout_s=0)
        for at in (-80, 60, 180):
            one, other = plain.counts(frame(at)), none.counts(frame(at))
            assert one[1] == other[1]
            np.testing.assert_array_equal(one[0], other[0])
    still, _ = rolling_counts(spikes, BINS, interval(70, 160), np.zeros((HEIGHT, WIDTH)))
    wanted = voxelize_ticks(spikes, BINS, Fraction(70), Fraction(160))
    np.testing.assert_array_equal(still, wanted)


def test_pixels_of_a_turned_sensor_follow_the_rows_that_they_see(spikes):
    to_video = spike_to_video((WIDTH, HEIGHT), (20, 12), TURNED)
    late = lateness_map(to_video, (WIDTH, HEIGHT), (20, 12), 60.0)
    assert np.ptp(late, axis=1).max() > 5  # a row of the sensor sees several of the video
    grid, _ = rolling_counts(spikes, BINS, interval(80, 150), late)
    for row, column in ((0, 0), (2, 7), (5, 9)):
        pixel = spikes[:, row : row + 1, column : column + 1]
        _, y, depth = np.reshape(TURNED, (3, 3)) @ [column, row, 1]
        shift = Fraction(60 * (min(max((y / depth + 0.5) / 12, 0), 1) - 0.5))
        own = voxelize_ticks(pixel, BINS, 80 + shift, 150 + shift)[:, 0, 0]
        np.testing.assert_allclose(grid[:, row, column], own, atol=1.0)  # within half a tick


def test_what_only_some_rows_have_seen_is_covered_in_part(spikes):
    rolling = exposures(spikes, readout_s=0.06)
    late_rows = rolling.counts(frame(120))  # 130 to 230 ms in the middle: the last row ends at 255
    assert 0.9 < late_rows[1] < 1
    assert np.isfinite(late_rows[0]).all()
    expected = exposures(spikes, readout_s=0.06, offset_s=Fraction(-1, 10)).counts(frame(20))
    np.testing.assert_allclose(late_rows[0][:, :4], expected[0][:, :4], atol=1e-4)
    assert rolling.counts(frame(400)) == (None, 0)


def test_which_rows_a_turned_sensor_sees_is_not_guessed(spikes):
    stream = SpikeStream.of_array(
        spikes, RecordingSettings(rate_hz=1000, readout_s=0.01, homography=TURNED)
    )
    with pytest.raises(UsageError, match="readout_s and no video"):
        StreamExposures.of_stream(stream)


def test_a_region_rolls_as_the_whole_does(spikes):
    rolling = exposures(spikes, readout_s=0.05)
    region = region_exposures(rolling, Region(20, 2, 0, 8), (20, 12))
    part, whole = region.counts(frame())[0], rolling.counts(frame())[0]
    np.testing.assert_array_equal(part, whole[:, 4:5])  # rows 8 and 9 of 12 are row 4 of 6
    assert region.grid(interval(70, 160), 3).shape == (3, *part.shape[1:])


def test_tfi_gets_planes_that_are_brought_to_one_time(spikes):
    late = np.repeat(np.array([-5.0, -3, -1, 1, 3, 5])[:, None], WIDTH, axis=1)
    planes, first = rolled_planes(spikes, interval(50, 90), late)
    assert first == 50 and len(planes) == 40
    for row in range(HEIGHT):
        shift = int(late[row, 0])
        np.testing.assert_array_equal(planes[:, row], spikes[50 + shift : 90 + shift, row])
    beyond, _ = rolled_planes(spikes, interval(200, 245), late)
    np.testing.assert_array_equal(beyond[:35, 5], spikes[205:240, 5])
    assert not beyond[35:, 5].any()
    found, tick = exposures(spikes, readout_s=0.01).planes(frame(), 0.0)
    assert len(found) == 100 and tick == 50


def test_planes_are_moved_in_time_pixel_by_pixel():
    planes = np.random.default_rng(1).random((7, 3, 2), np.float32)
    steps = np.array([[0.0, 0.4], [-1.3, 2.0], [-9.0, 9.0]])
    moved = moved_in_time(planes, steps)
    for row, column in np.ndindex(3, 2):
        wanted = np.interp(np.arange(7) + steps[row, column], np.arange(7), planes[:, row, column])
        np.testing.assert_allclose(moved[:, row, column], wanted, rtol=1e-5)
    np.testing.assert_array_equal(moved_in_time(planes[:1], steps), planes[:1])
