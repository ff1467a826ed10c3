"""The spikes of a part of a frame are those that looked there."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.quantities import Region
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.geometry import spike_to_video
from spikedeblur.recording.regions import MARGIN, region_exposures, region_grid
from spikedeblur.recording.voxel_exposures import VoxelExposures

SPIKES, VIDEO = (60, 40), (180, 120)
REGION = Region(45, 31, 33, 54)
FRAME = VideoFrame(0, 0, Fraction(1, 50), 1, Fraction(1, 50), np.zeros((31, 45, 3), np.uint8))
ASKEW = (2.9, 0.2, 4.0, -0.1, 3.1, -7.0, 1e-4, 2e-4, 1.0)


@pytest.fixture
def stream(tmp_path):
    planes = np.random.default_rng(0).random((50, SPIKES[1], SPIKES[0])) < 0.4
    write_dat(tmp_path / "s.dat", [planes])
    with SpikeStream.open(tmp_path / "s.dat", width=60, height=40, rate_hz=2500) as opened:
        yield opened


@pytest.mark.parametrize("homography", [None, ASKEW])
def test_every_spike_pixel_looks_at_the_same_point_of_the_scene(stream, homography):
    whole = StreamExposures(stream, homography=homography)
    cut = region_exposures(whole, REGION, VIDEO)
    left, top = MARGIN_START if homography is None else part_start(whole, cut)
    for x, y in ((0, 0), (3.5, 2.5), (10, 12)):  # of the part that is read
        seen = spike_to_video(cut.size, (45, 31), cut.homography) @ [x, y, 1]
        true = spike_to_video(SPIKES, VIDEO, homography) @ [x + left, y + top, 1]
        np.testing.assert_allclose(
            seen[:2] / seen[2] + [REGION.left, REGION.top], true[:2] / true[2], atol=1e-9
        )


# The region begins at 33 / 3 = 11 and 54 / 3 = 18 spike pixels.
MARGIN_START = 11 - MARGIN, 18 - MARGIN


def part_start(whole, cut) -> tuple[int, int]:
    """Where the counts of the part lie in those of the whole plane."""
    big, small = whole.counts(FRAME)[0], cut.counts(FRAME)[0]
    (height, width), found = small.shape[1:], []
    for top in range(big.shape[1] - height + 1):
        for left in range(big.shape[2] - width + 1):
            if np.array_equal(big[:, top : top + height, left : left + width], small):
                found.append((left, top))
    [place] = found
    return place


def test_only_what_looks_there_is_counted(stream):
    whole = StreamExposures(stream)
    cut = region_exposures(whole, REGION, VIDEO)
    left, top = part_start(whole, cut)
    assert (left, top) == MARGIN_START
    # 31 rows end at (54 + 31) / 3 = 28.3, so at 29 and the margin.
    assert cut.size == (15 + 2 * MARGIN, 29 + MARGIN - top)
    assert cut.counts(FRAME)[1] == 1
    spikes, tick = cut.planes(FRAME, 0.0)
    assert spikes.shape == (50, cut.size[1], cut.size[0]) and tick == 25
    assert stream.width == 60  # the caller's stream is as it was


def test_a_region_of_a_cropped_stream(tmp_path, stream):
    path = stream.path
    with SpikeStream.open(path, width=60, height=40, rate_hz=2500, crop=(10, 5, 40, 30)) as cropped:
        part = cropped.part(3, 4, 7, 6)
        np.testing.assert_array_equal(part[:], stream[:][:, 9:15, 13:20])
        assert part.shape == (50, 6, 7)


def test_a_region_that_no_spike_pixel_looks_at(stream):
    half = (1.5, 0, 0, 0, 1.5, 0, 0, 0, 1)  # the sensor sees 90x60 of 180x120
    exposures = StreamExposures(stream, homography=half)
    region_exposures(exposures, Region(40, 40, 60, 30), VIDEO)
    with pytest.raises(UsageError, match=r"does not see the region \(40x40\+120\+30 seen\)"):
        region_exposures(exposures, Region(40, 40, 120, 30), VIDEO)


def test_voxel_grids_follow_too():
    grids = [np.random.default_rng(1).random((4, 40, 60)).astype(np.float32)]
    cut = region_exposures(VoxelExposures(grids), REGION, VIDEO)
    np.testing.assert_array_equal(cut.counts(FRAME)[0], grids[0])
    corner = spike_to_video(SPIKES, (45, 31), cut.homography) @ [11, 18, 1]
    np.testing.assert_allclose(corner, [0, 0, 1], atol=1e-12)


def test_regions_on_the_grid_cut_no_spike_pixel(stream):
    """180x120 by 60x40 spikes: 3 frame pixels to a spike pixel, so steps of 48."""
    whole = StreamExposures(stream)
    assert region_grid(whole, VIDEO) == (48, 48)
    assert region_grid(StreamExposures(stream, homography=ASKEW), VIDEO) == (16, 16)
    assert region_grid(whole, (61, 100)) == (
        976,
        80,
    )  # 61 pixels lie on no common line but the sides
    cut = region_exposures(whole, Region(84, 72, 96, 48), VIDEO)
    assert cut.homography is None and cut.size == (28, 24)
    np.testing.assert_array_equal(cut.counts(FRAME)[0], whole.counts(FRAME)[0][:, 16:, 32:])


def test_grids_of_counts_are_not_cut():
    grids = VoxelExposures([np.zeros((4, 40, 60), np.float32)])
    assert region_grid(grids, VIDEO) == VIDEO
