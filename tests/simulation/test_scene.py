"""Rendering against arrays shifted by hand, and occlusion against compositing by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.simulation.motion import PlaneMotion
from spikedeblur.simulation.scene import Layer, Scene
from spikedeblur.simulation.shapes import random_mask


def pan(speed=(0.0, 0.0), anchor=(0.0, 0.0), camera=True):
    """Motion at `speed` pixels per frame interval, at rest at time 0."""
    drift = np.array([*speed, 0, 0, 0, 0], dtype=float)
    nothing = np.zeros((1, 6))
    return PlaneMotion(drift, nothing, np.ones(1), nothing, 50.0, 0.0, anchor, camera)


def ground(speed=(0.0, 0.0), texture=None, size=(20, 30)):
    if texture is None:
        texture = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0))
    height, width = texture.shape[1:]
    return Scene((Layer(texture, (-width / 2, -height / 2), 1.0, pan(speed)),), size)


def test_whole_pixels_are_copied():
    scene = ground((3.0, -2.0))
    texture = scene.layers[0].texture
    for time, view in zip((0, 1, 4), scene.render(np.array([0.0, 1, 4])), strict=True):
        top, left = 20 - 2 * time, 25 + 3 * time
        torch.testing.assert_close(
            view, texture[:, top : top + 20, left : left + 30], atol=2e-5, rtol=0
        )


def test_half_pixels_are_averaged():
    scene = ground((0.5, 0.0))
    texture = scene.layers[0].texture
    both = (texture[:, 20:40, 25:55] + texture[:, 20:40, 26:56]) / 2
    torch.testing.assert_close(scene.render(np.array([1.0]))[0], both, atol=2e-5, rtol=0)


def test_the_ground_is_mirrored_beyond_the_photograph():
    texture = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(1))
    scene = ground((5.0, 0.0), texture)
    mirrored = np.pad(texture.numpy(), ((0, 0), (0, 0), (0, 5)), mode="symmetric")[:, :, 5:]
    np.testing.assert_allclose(scene.render(np.array([1.0]))[0].numpy(), mirrored, atol=1e-5)


def square(colour, side, speed=(0.0, 0.0), anchor=(0.0, 0.0), alpha=1.0):
    texture = torch.full((4, side, side), alpha)
    texture[:3] = torch.tensor(colour)[:, None, None] * alpha
    return Layer(texture, (-side / 2, -side / 2), 1.0, pan(speed, anchor, camera=False))


def test_objects_cover_what_is_behind_them_where_they_are():
    back = ground()
    first = square((0.1, 0.2, 0.3), 6, speed=(2.0, 0.0))
    second = square((0.9, 0.8, 0.7), 4, anchor=(3.0, 1.0), alpha=0.5)
    scene = Scene((*back.layers, first, second), (20, 30))
    expected = back.render(np.array([2.0]))[0]
    expected[:, 7:13, 16:22] = torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    region = expected[:, 9:13, 16:20]
    region += 0.5 * (torch.tensor([0.9, 0.8, 0.7])[:, None, None] - region)
    torch.testing.assert_close(scene.render(np.array([2.0]))[0], expected, atol=2e-5, rtol=0)


def test_an_object_out_of_sight_changes_nothing():
    back = ground()
    scene = Scene((*back.layers, square((1, 1, 1), 6, anchor=(200.0, 0.0))), (20, 30))
    torch.testing.assert_close(scene.render(np.zeros(1)), back.render(np.zeros(1)))


def test_the_longest_way_is_that_of_the_fastest_layer():
    scene = Scene((*ground((3.0, 4.0)).layers, square((1, 1, 1), 6, speed=(20.0, 0.0))), (20, 30))
    ways = scene.slide(np.array([0.0, 0.5]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(ways, [20, 10], rtol=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_masks_are_soft_and_fit_their_circle(seed):
    rng = np.random.default_rng(seed)
    mask = random_mask(rng, 20.0, 1.5)
    assert mask.dtype == np.float32 and mask.shape[0] == mask.shape[1]
    assert mask.min() == 0 and 0.3 < mask.max() <= 1
    assert ((mask > 0) & (mask < 1)).any()
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0
