"""Random paths are as long as asked for, smooth, and held to what a camera can do."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur.simulation.motion import MOST_TILT, MOST_ZOOM, ZOOM, random_motion, slide
from spikedeblur.simulation.scene import frame_points

STARTS = np.arange(5) + 0.2
STOPS = STARTS + 0.6
POINTS = frame_points((120, 160))


def motion(seed, blur_px=12.0, **options):
    return random_motion(
        np.random.default_rng(seed),
        blur_px=blur_px,
        reach=100.0,
        starts=STARTS,
        stops=STOPS,
        points=POINTS,
        **options,
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("camera", [True, False])
def test_the_path_in_an_exposure_is_as_long_as_asked_for(seed, camera):
    path = motion(seed, camera=camera)
    lengths = slide(path, STARTS, STOPS, POINTS)
    assert lengths.shape == (5, 5)
    # Held-back zoom and tilt take a little away, the curvature of tilt adds or takes a little.
    assert 0.6 * 12 < lengths.mean() < 1.4 * 12


def test_no_motion_is_none():
    matrices = motion(1, blur_px=0.0).matrices(np.linspace(0, 5, 30))
    np.testing.assert_array_equal(matrices, np.tile(np.eye(3), (30, 1, 1)))


@pytest.mark.parametrize("seed", range(10))
def test_zoom_and_tilt_stay_bounded_however_fast_the_motion(seed):
    parts = motion(seed, blur_px=200.0).parts(np.linspace(-5, 10, 500)) / 100.0
    assert np.abs(parts[:, ZOOM]).max() <= MOST_ZOOM + 1e-9
    assert np.abs(parts[:, 4:]).max() <= MOST_TILT + 1e-9


def test_some_paths_bend_within_an_exposure_and_some_do_not():
    def straightness(path):
        times = np.linspace(STARTS[2], STOPS[2], 65)
        places = path.matrices(times)[:, :2, 2]
        return (
            np.linalg.norm(places[-1] - places[0])
            / np.linalg.norm(np.diff(places, axis=0), axis=1).sum()
        )

    values = np.array([straightness(motion(seed)) for seed in range(60)])
    assert (values > 0.97).mean() > 0.2
    assert (values < 0.8).mean() > 0.1


def test_an_object_turns_about_itself_and_a_camera_about_its_axis():
    for camera in (True, False):
        path = motion(3, camera=camera, anchor=(20.0, -10.0) if not camera else (0.0, 0.0))
        matrix = path.matrices(np.array([1.3]))[0]
        shift = path.parts(np.array([1.3]))[0, :2]
        if camera:
            np.testing.assert_allclose(matrix @ [0, 0, 1], [*shift, 1])
        else:
            centre = matrix @ [shift[0] + 20, shift[1] - 10, 1]
            np.testing.assert_allclose(centre, [0, 0, 1], atol=1e-9)
