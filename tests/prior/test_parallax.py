"""Frames found in their spikes, against the displacement that is known of a simulated scene."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.prior.parallax import find_in_spikes
from tests.parallax import TwoPlanes, two_planes


def errors(planes: TwoPlanes, frame: int, way: torch.Tensor) -> np.ndarray:
    """Of a way, in spike pixels: (h, w)."""
    return np.linalg.norm(way[0].numpy() - planes.true(frame).way / 2, axis=0)


@pytest.mark.parametrize("parallax", [0, 6, 12, 24])
def test_both_planes_are_found_up_to_12_spike_pixels(parallax):
    planes = two_planes(parallax)
    found = find_in_spikes(*planes.views(1))
    wrong, clear = errors(planes, 1, found.way), planes.clear(1)
    assert clear.mean() > 0.15
    assert np.median(wrong[clear]) < 0.06
    assert np.quantile(wrong[clear], 0.9) < 0.12
    assert found.known.numpy()[0, 0][clear].mean() > 0.9
    disc = planes.disc(1)[1::2, 1::2] & clear
    assert np.median(wrong[disc]) < 0.25


def test_hidden_borders_are_believed_less():
    planes = two_planes(24)
    found = find_in_spikes(*planes.views(1))
    clear, trust = planes.clear(1), found.trust[0, 0].numpy()
    assert trust[clear].mean() > 0.97
    assert trust[~clear].mean() < trust[clear].mean() - 0.03


def test_the_way_leads_from_the_frame_to_the_spikes():
    """A picture against itself, drawn 3 pixels to the right and 2 higher: no scene is needed."""
    light = two_planes(0).views(1)[0]
    aside = light.roll((-2, 3), dims=(2, 3))
    found = find_in_spikes(light, aside * 40)
    inner = np.s_[..., 12:-12, 12:-12]
    way = found.way[0][inner]
    assert (way - torch.tensor([3.0, -2.0])[:, None, None]).abs().quantile(0.9) < 0.05


def noise(size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A wall without texture: the noise of both cameras."""
    random = torch.Generator().manual_seed(1)
    light, count = torch.randn(2, 1, 1, *size, generator=random)
    return 0.3 + 0.003 * light, 40 + 2 * count


def test_nothing_is_known_of_other_spikes_nor_without_texture():
    light, count = two_planes(12).views(1)
    for views in ((light, count.flip(-1)), (light, count.flip(-2)), noise(light.shape[-2:])):
        found = find_in_spikes(*views)
        assert found.known.mean() < 0.02
        assert found.way.abs().max() < 0.05
        assert found.trust.min() > 0.95


def test_what_held_before_helps_where_it_still_holds():
    planes = two_planes(24)
    views = planes.views(1)
    true = torch.from_numpy(planes.true(1).way / 2).float()[None]
    alone, helped = find_in_spikes(*views), find_in_spikes(*views, [true])
    far = ~planes.clear(1)
    assert (
        errors(planes, 1, helped.way)[far].mean() < errors(planes, 1, alone.way)[far].mean() - 0.03
    )
    torch.testing.assert_close(helped.alone, alone.alone, rtol=0, atol=0)
    misled = find_in_spikes(*views, [true.flip(1) - 5])
    clear = planes.clear(1)
    assert np.median(errors(planes, 1, misled.way)[clear]) < 0.2
