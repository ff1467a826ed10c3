"""From photographs to light: tones, regions, objects."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur.recording.light import relative_luminance, srgb_to_linear
from spikedeblur.simulation.composition import (
    Tone,
    plain_colours,
    random_ground,
    random_view,
    richest_corner,
    textured,
)
from spikedeblur.simulation.motion import PlaneMotion
from tests.training.pictures import noise_photo

NATURAL = Tone(1.0, np.ones(3), gamma_space=False)
ENCODED = Tone(1.0, np.ones(3), gamma_space=True)
AT_REST = PlaneMotion(np.zeros(6), np.zeros((1, 6)), np.ones(1), np.zeros((1, 6)), 50.0, 0.0)


def test_a_natural_tone_is_srgb_and_gamma_space_leaves_it_encoded():
    values = np.arange(256) / 255
    np.testing.assert_allclose(NATURAL.table(), np.tile(srgb_to_linear(values), (3, 1)), rtol=1e-6)
    np.testing.assert_allclose(ENCODED.table(), np.tile(values, (3, 1)), atol=1e-6)


def test_a_brighter_scene_is_clipped_only_where_frames_are_encoded():
    bright = np.full(3, 2.0)
    assert Tone(1.0, bright, gamma_space=False).table().max() == pytest.approx(2)
    assert Tone(1.0, bright, gamma_space=True).table().max() == pytest.approx(1)


def test_a_region_is_cut_out_and_turned_into_light():
    photo = noise_photo(1, 60, 80)
    light, corner, density = textured(photo, (10, 5), (40, 30), 1.0, NATURAL)
    assert (corner, density) == ((10, 5), 1)
    expected = srgb_to_linear(photo[5:35, 10:50] / 255.0).transpose(2, 0, 1)
    np.testing.assert_allclose(light.numpy(), expected, rtol=1e-5)


def test_what_lies_outside_the_photograph_is_left_away():
    light, corner, _ = textured(noise_photo(1, 60, 80), (-10, -5), (200, 30), 1.0, NATURAL)
    assert corner == (0, 0) and light.shape == (3, 25, 80)


def test_a_reduced_region_keeps_more_pixels_than_the_frame():
    light, _, density = textured(noise_photo(1, 100, 100), (0, 0), (100, 100), 0.5, NATURAL)
    assert light.shape == (3, 75, 75) and density == pytest.approx(1.5)


@pytest.mark.parametrize("seed", range(6))
def test_the_ground_covers_the_frame_where_the_photograph_can(seed):
    ground = random_ground(
        noise_photo(2, 120, 160),
        np.random.default_rng(seed),
        AT_REST,
        NATURAL,
        (40, 50),
        np.zeros(1),
        (0.5, 1.0),
    )
    (left, top), (rows, columns) = ground.corner, ground.texture.shape[1:]
    assert left <= -25 and top <= -20
    assert left + columns / ground.density >= 25 and top + rows / ground.density >= 20


def test_of_several_places_the_one_with_most_detail_is_taken():
    photo = np.full((100, 400, 3), 128, np.uint8)
    photo[:, 200:] = noise_photo(3, 100, 200)
    corners = [
        richest_corner(photo, np.random.default_rng(seed), np.array([50, 50]), 8)
        for seed in range(10)
    ]
    assert all(corner[0] > 150 for corner in corners)


def test_views_are_the_photograph_turned():
    photo = noise_photo(4, 20, 30)
    seen = {random_view(photo, np.random.default_rng(seed)).shape for seed in range(20)}
    assert seen == {(20, 30, 3), (30, 20, 3)}
    for seed in range(20):
        view = random_view(photo, np.random.default_rng(seed))
        assert view.base is not None or view is photo or view.shape[2] == 3
        assert np.sort(view, axis=None).tolist() == np.sort(photo, axis=None).tolist()


def test_some_plain_objects_have_the_luminance_of_the_ground():
    ground = random_ground(
        noise_photo(2, 120, 160),
        np.random.default_rng(0),
        AT_REST,
        NATURAL,
        (40, 50),
        np.zeros(1),
        (0.5, 1.0),
    )
    around = relative_luminance(ground.texture.mean(dim=(1, 2)).numpy())
    means = [
        float(
            relative_luminance(
                plain_colours(np.random.default_rng(seed), NATURAL, 24, ground).mean(axis=(1, 2))
            )
        )
        for seed in range(60)
    ]
    alike = sum(abs(mean - around) < 0.05 * around for mean in means)
    assert 8 < alike < 35
