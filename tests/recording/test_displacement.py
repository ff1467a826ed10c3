"""Displacements and the maps that they make, against shifts that a matrix says."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur.quantities import parse_lens
from spikedeblur.recording.displacement import DisplacedMap, Displacement
from spikedeblur.recording.geometry import from_tile, open_sides, spike_to_video, tile_trust
from spikedeblur.recording.lenses import Lenses, backwards, mapped, straightened

SPIKES, VIDEO = (40, 30), (80, 60)
TURNED = (1.9, 0.1, 3.0, -0.1, 1.9, 4.0, 0.0, 0.0, 1.0)


def constant(across: float, down: float, shape=(6, 8)) -> Displacement:
    way = np.stack([np.full(shape, across), np.full(shape, down)]).astype(np.float32)
    return Displacement(way, np.full(shape, 0.25, np.float32), np.ones(shape, np.float32))


@pytest.mark.parametrize("homography", [None, TURNED])
@pytest.mark.parametrize("lens", [None, "70,70,39.5,29.5,-0.1"])
def test_one_displacement_for_all_is_a_shift(homography, lens):
    lenses = Lenses.of(None if lens is None else parse_lens(lens), None)
    to_spike = backwards(spike_to_video(SPIKES, VIDEO, homography, lenses))
    displaced = from_tile(DisplacedMap(to_spike, constant(5, -3), VIDEO), 8, 16, 2)
    shifted = to_spike @ np.array([[2, 0, 16 + 5], [0, 2, 8 - 3], [0, 0, 1.0]])
    x, y = np.meshgrid(np.arange(12) + 0.5, np.arange(9) + 0.5)
    np.testing.assert_allclose(mapped(displaced, x, y), mapped(shifted, x, y), atol=1e-9)
    about = straightened(to_spike) @ np.array([[2, 0, 16], [0, 2, 8], [0, 0, 1.0]])
    np.testing.assert_allclose(straightened(displaced), about)
    assert (displaced.trust((9, 12)) == np.float32(0.25)).all()


def test_a_slope_is_read_between_its_samples():
    """A way that grows as a straight line is that line everywhere but beyond the last samples."""
    x, y = np.meshgrid((np.arange(8) + 0.5) * 10, (np.arange(6) + 0.5) * 10)
    way = np.stack([0.1 * x + 0.02 * y, 0 * x]).astype(np.float32)
    slope = Displacement(way, np.ones_like(way[0]), np.ones_like(way[0]))
    at = np.array([5.0, 11.3, 40.0, 74.9]), np.array([5.0, 33.3, 12.0, 54.0])
    across, down, _ = slope.at(*at, VIDEO)
    np.testing.assert_allclose(across, 0.1 * at[0] + 0.02 * at[1], atol=1e-5)
    assert not down.any()
    assert slope.at(np.array([-50.0]), np.array([5.0]), VIDEO)[0][0] == pytest.approx(0.6)


def test_what_is_displaced_beyond_the_sensor_is_not_believed():
    to_spike = np.diag([0.5, 0.5, 1.0])
    displaced = DisplacedMap(to_spike, constant(12, 0), VIDEO)
    assert open_sides(to_spike, SPIKES, VIDEO) == (False,) * 4
    sides = open_sides(displaced, SPIKES, VIDEO)
    assert sides == (False, False, True, False)
    trust = tile_trust(from_tile(displaced, 0, 0, 2), (30, 40), SPIKES, sides, 4.0)
    assert (trust[:, -6:] == 0).all() and (trust[:, :30] == 1).all()


def test_there_is_no_way_back():
    with pytest.raises(TypeError, match="no way back"):
        backwards(DisplacedMap(np.eye(3), constant(1, 1), VIDEO))
