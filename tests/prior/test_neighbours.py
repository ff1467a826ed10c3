"""The motion between two exposures, and how far a neighbour is believed."""

from __future__ import annotations

import pytest
import torch

from spikedeblur.prior.intervals import CumulativeCounts
from spikedeblur.prior.neighbours import (
    disagreement,
    end_velocity,
    mean_light,
    plane_motion_between,
)
from spikedeblur.prior.path import estimate_path
from spikedeblur.prior.timed_light import TimedLight
from spikedeblur.prior.warps import warp
from tests.prior.moving import Moving


def read(moving: Moving, frame: int):
    """Light, path and the light as it stands in the middle, of one exposure."""
    _, counts, _ = moving.seen(range(frame, frame + 1))
    light = TimedLight.of(CumulativeCounts.of(counts))
    path = estimate_path(light)
    return light, path, mean_light(light, path)


@pytest.mark.parametrize("distance", [-1, 1])
def test_the_motion_to_a_neighbour_is_found(distance):
    moving = Moving(10, size=(128, 128))
    (_, path, here), (_, _, there) = read(moving, 1), read(moving, 1 + distance)
    swept = distance * end_velocity(path)
    way = plane_motion_between(here, there, [swept, torch.zeros_like(swept)])
    true = moving.displacement(1.5, 1.5 + distance)
    assert (way[0] - true).norm(dim=0).median() < 0.3
    assert true.norm(dim=0).median() > 3


def test_the_end_velocity_is_the_way_of_the_whole_exposure():
    moving = Moving(10)
    true = moving.displacement(1.5, 2.0) - moving.displacement(1.5, 1.0)
    torch.testing.assert_close(
        end_velocity(read(moving, 1)[1])[0], true.mean(dim=(1, 2)), atol=0.4, rtol=0
    )


def test_a_neighbour_of_another_scene_disagrees():
    moving = Moving(10)
    _, path, here = read(moving, 1)
    _, _, there = read(Moving(10, seed=9), 1)
    _, _, later = read(moving, 2)
    still = torch.zeros_like(end_velocity(path))

    def apart(other):
        starts = [still, end_velocity(path)]
        return disagreement(here, warp(other, plane_motion_between(here, other, starts)))

    assert apart(here).median() < 0.1
    assert apart(later).median() < 1
    assert apart(there).median() > 10
