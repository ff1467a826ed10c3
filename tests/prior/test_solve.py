"""The linear model and its adjoint, and the picture that is solved for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spikedeblur.prior.photometry import gaussian_blur
from spikedeblur.prior.solve import Lattice, LinearModel, Measurement, joint_solve


def measurement(size, plane, seed=0, motion=3.0, number=2) -> Measurement:
    """Random values seen along a random motion, the same everywhere; some weights are zero."""
    random = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=random)

    shown = motion * (2 * uniform(number, 5, 2, 1, 1) - 1).expand(-1, -1, -1, *plane)
    bins_from = motion * (2 * uniform(number, 4, 2, 1, 1) - 1) + 0.3 * uniform(number, 4, 2, *plane)
    return Measurement(
        uniform(number, 1, *size),
        uniform(number, 4, *plane),
        shown,
        -shown,
        bins_from,
        inner(80 * uniform(number, 1, *size), motion * size[0] / plane[0]),
        20 * uniform(number, 4, *plane) * (uniform(number, 4, *plane) > 0.2),
    )


def inner(weight: torch.Tensor, motion: float) -> torch.Tensor:
    """Weigh a border, from where a motion leads out of the picture, with nothing."""
    border, inside = int(motion) + 1, torch.zeros_like(weight)
    inside[..., border:-border, border:-border] = 1
    return weight * inside


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
    model = LinearModel([one])
    measured, start = model.seen(truth), torch.full_like(truth, 0.5)
    errors = [
        inner(joint_solve(model, measured, start, 1.0, rounds) - truth, 6).square().mean()
        for rounds in (0, 3, 40)
    ]
    assert errors[0] > 4 * errors[1] > 8 * errors[2], errors


def test_without_measurements_the_start_stays():
    one = measurement((12, 16), (6, 8))
    blind = replace(one, frame_weight=0 * one.frame_weight, bins_weight=0 * one.bins_weight)
    start = torch.rand(2, 1, 12, 16)
    solved = joint_solve(LinearModel([blind]), blind.weighted(), start, 0.07, 4)
    torch.testing.assert_close(solved, start)


def test_a_picture_shown_elsewhere_than_it_was_seen_stays_finite():
    """Where a path folds, its inverse is not the way back, and the adjoint is none."""
    one = measurement((24, 32), (12, 16), motion=1.0)
    random = torch.Generator().manual_seed(1)
    torn = replace(one, shown=9 * torch.randn(one.shown.shape, generator=random))
    start = torch.full((2, 1, 24, 32), 0.5)
    solved = joint_solve(LinearModel([torn]), torn.weighted(), start, 0.07, 40)
    assert solved.abs().max() < 1e6


def test_each_exposure_of_a_batch_is_solved_by_itself():
    one = measurement((12, 16), (6, 8))
    alone = Measurement(*(getattr(one, name)[:1] for name in one.__dataclass_fields__))
    start = torch.rand(2, 1, 12, 16)
    both = joint_solve(LinearModel([one]), one.weighted(), start, 0.07, 3)
    first = joint_solve(LinearModel([alone]), alone.weighted(), start[:1], 0.07, 3)
    torch.testing.assert_close(both[:1], first, atol=1e-4, rtol=0)
