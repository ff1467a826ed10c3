"""The path that spikes tell, against the motion that a wall truly makes."""

from __future__ import annotations

import pytest
import torch

from spikedeblur.prior.intervals import CumulativeCounts
from spikedeblur.prior.path import MotionPath, chi_square, estimate_path, share_of_best, trajectory
from spikedeblur.prior.timed_light import TimedLight
from spikedeblur.prior.trajectory import bin_times
from tests.prior.moving import Moving

TIMES = torch.tensor([-0.9, -0.4, 0.3, 0.9])


def path_of(moving: Moving, reference: float = 0.0) -> MotionPath:
    _, counts, _ = moving.seen(range(1, 2))
    return estimate_path(TimedLight.of(CumulativeCounts.of(counts))).seen_from(reference)


def errors(moving: Moving, path: MotionPath) -> torch.Tensor:
    """How far the path is off at `TIMES`, in spike pixels."""
    start = 1.5 + path.reference / 2
    true = torch.stack([moving.displacement(start, 1.5 + float(time) / 2) for time in TIMES])
    return (path.displacement(TIMES)[0] - true).norm(dim=1)


@pytest.mark.parametrize("reference", [0.0, -0.6])
@pytest.mark.parametrize(("blur", "most"), [(8, 0.06), (16, 0.08), (24, 0.12)])
def test_the_path_of_a_plane_is_right_to_a_fraction_of_a_spike_pixel(blur, most, reference):
    moving = Moving(blur, size=(128, 128))
    assert errors(moving, path_of(moving, reference)).median() <= most


@pytest.mark.parametrize(("blur", "spikes"), [(24, 2000), (24, 400), (24, 200), (16, 97), (8, 56)])
@pytest.mark.parametrize("seed", [3, 5])
def test_few_spikes_and_many_tell_the_path(blur, spikes, seed):
    moving = Moving(blur, size=(128, 128), spikes=spikes, seed=seed)
    assert errors(moving, path_of(moving)).median() <= 0.1


def test_nothing_moves_at_the_reference():
    path = path_of(Moving(12), 0.4)
    still = path.displacement(torch.tensor([0.4]))
    torch.testing.assert_close(still, torch.zeros_like(still), atol=1e-5, rtol=0)


def test_what_stands_still_has_no_path():
    path = path_of(Moving(0))
    assert path.displacement(TIMES).norm(dim=2).median() < 0.1
    assert path.chi_square.median() < 1


def test_bins_disagree_along_a_wrong_path():
    moving = Moving(12)
    _, counts, _ = moving.seen(range(1, 2))
    light = TimedLight.of(CumulativeCounts.of(counts)).merged(16)
    right = estimate_path(light).coefficients
    assert chi_square(light, 0 * right).median() > 3 * chi_square(light, right).median()


def test_the_best_path_of_a_neighbourhood_gets_nearly_all_of_the_weight():
    wrong = torch.ones(1, 3, 8, 8) * torch.tensor([4.0, 0.5, 2.0])[:, None, None]
    share = share_of_best(wrong)
    torch.testing.assert_close(share.sum(dim=1), torch.ones(1, 8, 8))
    assert share[:, 1].min() > 0.95


def test_displacements_are_polynomials_of_time():
    coefficients = torch.zeros(1, 3, 2, 1, 1)
    coefficients[0, :, 0, 0, 0] = torch.tensor([2.0, 1.0, -0.5])
    way = trajectory(coefficients, 0.5).at(bin_times(4, coefficients))[0, :, 0, 0, 0]
    expected = [
        2 * (t - 0.5) + (t**2 - 0.25) - 0.5 * (t**3 - 0.125) for t in (-0.75, -0.25, 0.25, 0.75)
    ]
    torch.testing.assert_close(way, torch.tensor(expected))
