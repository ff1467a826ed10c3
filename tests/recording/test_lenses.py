"""Lenses against numbers of OpenCV's own, and the maps between planes that are made of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.quantities import Lens, Region
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.geometry import (
    open_sides,
    seen_part,
    spike_to_video,
    tile_coverage,
    tile_to_spike,
)
from spikedeblur.recording.lenses import Lenses, LensMap, backwards, bent, mapped, straight
from spikedeblur.recording.regions import region_exposures

HALF = 0.5  # the centre of the first pixel, of which OpenCV says 0
LENS = Lens(300, 290, 155, 92, -0.25, 0.08, 0.002, -0.0015, -0.01)
PINCUSHION = Lens(200, 200, 79.5, 44.5, 0.2)
VIDEO, SPIKES = (320, 180), (160, 90)
TURNED = (1.96, 0.03, 4.0, -0.02, 2.02, -3.0, 1e-5, -2e-5, 1.0)


def test_points_lie_where_opencv_projects_them():
    """cv2.projectPoints 4.12 of ((x, y) - centre) / focal lengths."""
    x, y = np.array([[0, 0], [319, 0], [0, 179], [319, 179], [160, 90], [40.5, 120.25]]).T
    u, v, shown = bent(LENS, x + HALF, y + HALF)
    wanted = [
        [12.436504, 7.693048],
        [303.953471, 8.571592],
        [11.735337, 172.529939],
        [304.697561, 171.731085],
        [159.999059, 90.000507],
        [44.47964, 119.340889],
    ]
    assert shown.all()
    np.testing.assert_allclose(np.stack([u, v], -1) - HALF, wanted, atol=1e-6)


@given(
    st.floats(-0.4, 0.4),
    st.floats(-0.05, 0.05),
    st.tuples(*[st.floats(-0.01, 0.01)] * 2),
    st.floats(100, 900),
)
def test_straightening_undoes_bending(k1, k2, tangential, focal):
    lens = Lens(focal, 1.1 * focal, 150, 95, k1, k2, *tangential)
    x, y = np.meshgrid(np.linspace(0, 320, 9), np.linspace(0, 180, 7))
    a, b, shown = straight(lens, x, y)
    u, v, again = bent(lens, a, b)
    assert (again >= shown).all()
    assert shown[3, 4]  # near the middle every lens shows something
    np.testing.assert_allclose(u[shown], x[shown], atol=1e-3)
    np.testing.assert_allclose(v[shown], y[shown], atol=1e-3)


def test_what_a_lens_folds_back_into_its_picture_is_not_seen():
    """r (1 - 0.5 r^2) turns back at r = 0.816: what lies beyond would come in a second time."""
    lens = Lens(100, 100, 99.5, 99.5, -0.5)
    x = 100 + 100 * np.array([0.5, 0.8, 0.83, 1.3])
    u, _, shown = bent(lens, x, np.full(4, 100.0))
    assert shown.tolist() == [True, True, False, False]
    np.testing.assert_allclose(u[:2], 100 + 100 * np.array([0.4375, 0.544]))
    to_video = spike_to_video(
        (200, 200), (400, 200), [1, 0, 0, 0, 1, 0, 0, 0, 1], Lenses(None, lens)
    )
    seen = tile_coverage(tile_to_spike(to_video, 0, 0), (200, 400), (200, 200))
    assert seen[100, 100:180].all() and not seen[100, 183:].any()
    assert open_sides(backwards(to_video), (200, 200), (400, 200)) == (True,) * 4


def grid() -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(20, 300, 8)[None], np.linspace(15, 165, 5)[:, None]


def test_a_map_is_lens_matrix_lens_and_back():
    lenses = Lenses(LENS, PINCUSHION)
    to_video = spike_to_video(SPIKES, VIDEO, TURNED, lenses)
    to_spike = tile_to_spike(to_video, 4, 8, 2)
    x, y = grid()
    u, v, depth = mapped(to_spike, (x - 8) / 2, (y - 4) / 2)
    assert (depth > 0).all()
    x, y = np.broadcast_arrays(x, y)
    a, b, _ = straight(LENS, x, y)
    a, b, _ = mapped(np.linalg.inv(spike_to_video(SPIKES, VIDEO, TURNED)), a, b)
    wanted = bent(PINCUSHION, a, b)
    np.testing.assert_allclose([u, v], wanted[:2], atol=1e-6)
    there = mapped(to_video, u, v)
    np.testing.assert_allclose(there[:2], [x, y], atol=1e-3)
    again = mapped(backwards(backwards(to_spike)), (x - 8) / 2, (y - 4) / 2)
    np.testing.assert_allclose(again[:2], [u, v], atol=1e-6)


def test_lenses_that_bend_nothing_are_none():
    straight_one = Lens(300, 300, 160, 90)
    assert Lenses.of(straight_one, None) is None and Lenses.of(None, None) is None
    assert Lenses.of(LENS, straight_one) == Lenses(LENS, None)
    assert not isinstance(spike_to_video(SPIKES, VIDEO, TURNED, None), LensMap)


class Stream:
    """As much of a stream as its exposures ask for."""

    def __init__(self, corner=(0, 0), size=SPIKES):
        self.corner, (self.width, self.height) = corner, size
        self.path = "here"

    def part(self, left, top, width, height):
        return Stream((self.corner[0] + left, self.corner[1] + top), (width, height))


@pytest.mark.parametrize("homography", [TURNED, None], ids=["turned", "plain"])
def test_a_region_of_a_crop_sees_through_the_same_lenses(homography):
    lenses, region = Lenses(LENS, PINCUSHION), Region(100, 60, 130, 70)
    whole = StreamExposures(Stream(), homography=homography, lenses=lenses)
    part = region_exposures(whole, region, VIDEO)
    assert part.size[0] < SPIKES[0] and part.size[1] < SPIKES[1]
    x, y = np.meshgrid(np.linspace(0, 100, 6), np.linspace(0, 60, 5))
    left, top = part.stream.corner
    here = mapped(
        backwards(spike_to_video(part.size, (100, 60), part.homography, part.lenses)), x, y
    )
    there = mapped(backwards(spike_to_video(SPIKES, VIDEO, homography, lenses)), x + 130, y + 70)
    np.testing.assert_allclose(here[0] + left, there[0], atol=1e-3)
    np.testing.assert_allclose(here[1] + top, there[1], atol=1e-3)
    assert (here[0] > 6).all() and (here[0] < part.size[0] - 6).all()  # the margin of eight


def test_the_seen_part_follows_a_bent_border():
    """A pincushion's straight picture bulges in: its corners lie farther out than its sides."""
    lens = replace(PINCUSHION, fx=100, fy=100)
    identity = (1.0, 0, 0, 0, 1, 0, 0, 0, 1)
    part = seen_part((160, 90), (160, 90), identity, 0, Lenses(lens, None))
    x, y, _ = straight(lens, *np.array([[0.0, 80, 160, 80], [45, 0, 45, 90]]))
    assert part[0] == int(x[0]) and part[1] == int(y[1])
    assert part[0] > 5 and part[1] > 0


@pytest.mark.parametrize(
    "lens", [Lens(1e-6, 1e6, 1e8, -1e8, 1e8, -1e8), Lens(1, 1, 0, 0, 9e8, 9e8)]
)
def test_lenses_that_no_glass_is_show_nothing_but_say_nothing_else(lens):
    to_video = spike_to_video(SPIKES, VIDEO, None, Lenses(lens, lens))
    x, y = grid()
    for between in (to_video, backwards(to_video)):
        u, v, depth = mapped(between, x, y)
        assert np.isfinite(u).all() and np.isfinite(v).all() and np.isin(depth, [-1, 1]).all()
