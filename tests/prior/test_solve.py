"""The linear model and its adjoint, and the picture that is solved for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spikedeblur.prior.lattice import Lattice
from spikedeblur.prior.photometry import gaussian_blur
from spikedeblur.prior.solve import Estimate, LinearModel, Measurement, joint_solve
from spikedeblur.prior.trajectory import Trajectory
from tests.prior.measured import inner, measurement


def solved(measurements, start, hold, rounds) -> torch.Tensor:
    model = LinearModel(measurements)
    return joint_solve(model, Estimate.begun(start).told(model), hold, rounds).picture


@pytest.mark.parametrize(
    ("size", "plane"),
    [((32, 40), (16, 20)), ((30, 40), (10, 20)), ((24, 24), (24, 24)), ((40, 60), (16, 24))],
)
def test_the_adjoint_is_one(size, plane):
    """<A x, y> = <x, A* y> for any x and y, whatever the ratio of the planes."""
    model = LinearModel([measurement(size, plane), measurement(size, plane, seed=1)])
    random = torch.Generator().manual_seed(2)
    picture = torch.randn(2, 1, *size, generator=random)
    seen = model.seen(picture)
    parts = [torch.randn(part.shape, generator=random) for part in seen]
    left = sum((one.double() * other).sum() for one, other in zip(seen, parts, strict=True))
    right = (picture.double() * model.adjoint(parts)).sum()
    torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-3)


def test_colours_are_seen_as_luminance_is():
    """By the frames, channel by channel."""
    one = measurement((24, 32), (12, 16))
    model = LinearModel([one])
    pictures = torch.rand(2, 2, 24, 32)
    (seen,) = model.colours.seen(pictures)
    adjoint = model.colours.adjoint([seen])
    for channel in range(2):
        frame, bins = model.seen(pictures[:, channel : channel + 1])
        torch.testing.assert_close(seen[:, channel : channel + 1], frame)
        alone = model.adjoint([frame, torch.zeros_like(bins)])
        torch.testing.assert_close(adjoint[:, channel : channel + 1], alone)


def test_cells_hold_the_mean_of_their_pixels():
    picture = torch.full((1, 1, 12, 18), 0.7)
    for cell in ((1, 1), (2, 3), (2.5, 1.8)):
        averaged = Lattice((12, 18), cell, picture).averaged(picture)
        torch.testing.assert_close(averaged, torch.full_like(averaged, 0.7))


def test_the_picture_that_was_measured_is_found():
    size, plane = (48, 64), (24, 32)
    noise = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(3))
    truth = 3 * gaussian_blur(noise - 0.5, 1.0) + 0.5
    one = measurement(size, plane, number=1)
    frame, bins = LinearModel(
        [
            replace(
                one, frame_weight=torch.ones_like(one.frame), bins_weight=torch.ones_like(one.bins)
            )
        ]
    ).seen(truth)
    measured, start = replace(one, frame=frame, bins=bins), torch.full_like(truth, 0.5)
    errors = [
        inner(solved([measured], start, 1.0, rounds) - truth, 6).square().mean()
        for rounds in (0, 3, 40)
    ]
    assert errors[0] > 4 * errors[1] > 8 * errors[2], errors


def test_without_measurements_the_start_stays():
    one = measurement((12, 16), (6, 8))
    blind = replace(one, frame_weight=0 * one.frame_weight, bins_weight=0 * one.bins_weight)
    start = torch.rand(2, 1, 12, 16)
    torch.testing.assert_close(solved([blind], start, 0.07, 4), start)


def test_a_picture_shown_elsewhere_than_it_was_seen_stays_finite():
    """Where a path folds, its inverse is not the way back, and the adjoint is none."""
    one = measurement((24, 32), (12, 16), motion=1.0)
    random = torch.Generator().manual_seed(1)
    shown = 9 * torch.randn(one.shown.coefficients.shape, generator=random)
    torn = replace(one, shown=Trajectory(shown))
    start = torch.full((2, 1, 24, 32), 0.5)
    assert solved([torn], start, 0.07, 40).abs().max() < 1e6


def test_what_is_told_later_counts_as_much():
    """The residue of one measurement and of another add up to that of both."""
    one, other = (measurement((24, 32), (12, 16), seed) for seed in (0, 1))
    start = torch.full((2, 1, 24, 32), 0.5)
    first, second = LinearModel([one]), LinearModel([other])
    begun = joint_solve(first, Estimate.begun(start).told(first), 0.07, 2).told(second)
    at_once = solved([one, other], start, 0.07, 60)
    later = joint_solve(first + second, begun, 0.07, 60).picture
    torch.testing.assert_close(later, at_once, atol=1e-3, rtol=0)


def test_each_exposure_of_a_batch_is_solved_by_itself():
    one = measurement((12, 16), (6, 8))
    alone = Measurement(
        one.frame[:1],
        one.colours[:1],
        one.bins[:1],
        one.times[:1],
        one.instants,
        Trajectory(one.shown.coefficients[:1]),
        Trajectory(one.back.coefficients[:1]),
        one.frame_weight[:1],
        one.bins_weight[:1],
    )
    start = torch.rand(2, 1, 12, 16)
    both, first = solved([one], start, 0.07, 3), solved([alone], start[:1], 0.07, 3)
    torch.testing.assert_close(both[:1], first, atol=1e-4, rtol=0)
