"""Planes on planes: where a pixel's centre goes, by hand and by property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.errors import UsageError
from spikedeblur.recording.geometry import placed, spike_to_video, tile_coverage, tile_to_spike

TURNED = [0.9, -0.2, 3.0, 0.2, 0.9, -1.0, 1e-4, -2e-4, 1.0]


def apply(matrix, x, y):
    across, down, depth = matrix @ np.array([x, y, 1.0])
    return across / depth, down / depth


def test_plain_scaling_maps_corner_to_corner():
    matrix = spike_to_video((400, 250), (1280, 720))
    assert apply(matrix, 0, 0) == (0, 0)
    assert apply(matrix, 400, 250) == (1280, 720)


def test_a_homography_counts_from_the_centre_of_the_first_pixel():
    double = spike_to_video((4, 4), (8, 8), [2, 0, 0, 0, 2, 0, 0, 0, 1])
    assert apply(double, 0.5, 0.5) == (0.5, 0.5)  # spike pixel 0 lies on video pixel 0
    assert apply(double, 3.5, 1.5) == (6.5, 2.5)  # spike pixel (3, 1) on video pixel (6, 2)
    half_pixel = [2, 0, 0.5, 0, 2, 0.5, 0, 0, 1]  # plain scaling, written as a homography
    scaling = spike_to_video((4, 4), (8, 8))
    np.testing.assert_allclose(spike_to_video((4, 4), (8, 8), half_pixel), scaling)


def test_the_order_of_the_nine_numbers_is_row_major():
    shift = spike_to_video((4, 4), (4, 4), [1, 0, 5, 0, 1, 7, 0, 0, 1])
    assert apply(shift, 1.0, 1.0) == (6.0, 8.0)


class TestPlaced:
    def test_nothing_said_is_the_whole_frame(self):
        assert placed((8, 6), (16, 12)) is None

    def test_a_scale_lays_the_middle_on_the_middle(self):
        matrix = spike_to_video(
            (400, 250), (1280, 720), placed((400, 250), (1280, 720), scale=(2.0, 3.0))
        )
        assert apply(matrix, 200, 125) == (640, 360)
        assert apply(matrix, 201, 126) == (642, 363)

    def test_the_scale_of_the_whole_frame_is_plain_scaling(self):
        rig = placed((400, 250), (1280, 720), scale=(1280 / 400, 720 / 250))
        np.testing.assert_allclose(
            spike_to_video((400, 250), (1280, 720), rig),
            spike_to_video((400, 250), (1280, 720)),
            atol=1e-9,
        )

    def test_a_homography_counts_on_the_whole_sensor(self):
        whole = spike_to_video((40, 30), (90, 80), TURNED)
        part = spike_to_video(
            (20, 10), (90, 80), placed((20, 10), (90, 80), crop_start=(7, 3), homography=TURNED)
        )
        np.testing.assert_allclose(apply(part, 4.5, 5.5), apply(whole, 11.5, 8.5))


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 8), st.integers(0, 9))
def test_a_tile_sample_stands_for_the_centre_of_its_block(y0, x0, step, index):
    matrix = spike_to_video((400, 250), (1280, 720), TURNED)
    in_spike = apply(tile_to_spike(matrix, y0, x0, step), index + 0.5, 0.5)
    in_video = (x0 + (index + 0.5) * step, y0 + 0.5 * step)
    np.testing.assert_allclose(apply(matrix, *in_spike), in_video, atol=1e-6)


def test_coverage_of_a_sensor_on_part_of_the_frame():
    matrix = spike_to_video((4, 3), (20, 20), [1, 0, 5, 0, 1, 7, 0, 0, 1])
    seen = tile_coverage(tile_to_spike(matrix, 0, 0), (20, 20), (4, 3))
    assert np.argwhere(seen).min(axis=0).tolist() == [7, 5]
    assert np.argwhere(seen).max(axis=0).tolist() == [9, 8]
    assert seen.sum() == 12
    assert tile_coverage(tile_to_spike(matrix, 6, 4, 2), (3, 3), (4, 3)).any()


def test_plain_scaling_covers_everything():
    to_spike = tile_to_spike(spike_to_video((7, 5), (31, 17)), 0, 0)
    assert tile_coverage(to_spike, (17, 31), (7, 5)).all()


def test_what_lies_behind_the_camera_is_not_seen():
    horizon = np.array([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1.0]])  # depth is zero at x = 10
    seen = tile_coverage(horizon, (4, 20), (1000, 1000))
    assert seen[:, :9].all() and not seen[:, 11:].any()


@pytest.mark.parametrize("homography", [[1, 0, 0, 2, 0, 0, 0, 0, 1], [float("nan")] * 9])
def test_what_cannot_be_inverted(homography):
    with pytest.raises(UsageError, match="cannot be inverted"):
        spike_to_video((4, 4), (4, 4), homography)
