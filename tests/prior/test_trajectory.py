"""Displacements as polynomials of time, and the way back."""

from __future__ import annotations

import torch
from torch.nn import functional

from spikedeblur.prior.trajectory import Trajectory, bin_times
from spikedeblur.prior.warps import pixel_centres, warp

SIZE = (24, 32)
TIMES = torch.linspace(-1, 1, 9)


def swaying(seed: int = 0) -> Trajectory:
    """Random smooth motion of 2 pixels at most, cubic in time, with a constant term."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(8, 1, 4, 5, generator=random) - 0.5
    smooth = functional.interpolate(coarse, SIZE, mode="bicubic", align_corners=True)
    return Trajectory(smooth.view(1, 4, 2, *SIZE))


def test_the_polynomial_is_the_sum_of_its_powers():
    path = swaying()
    for time in TIMES:
        expected = sum(path.coefficients[:, j] * float(time) ** j for j in range(4))
        torch.testing.assert_close(path.at(time[None])[:, 0], expected, atol=1e-5, rtol=0)


def test_a_grid_reads_what_stands_at_the_displacement():
    """On a plane of the gradient x + 3 y, whatever the size that asks."""
    path, times = swaying(), bin_times(5, TIMES)
    x, y = pixel_centres(SIZE, TIMES)
    plane = (x + 3 * y)[None, None].expand(5, -1, -1, -1)
    grid = path.grid(times, SIZE)[0]
    read = functional.grid_sample(plane, grid, align_corners=False)
    moved = path.at(times)[0]
    expected = plane + moved[:, :1] + 3 * moved[:, 1:]
    inner = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(read[inner], expected[inner], atol=1e-4, rtol=0)
    twice = path.grid(times, (48, 64))[0].movedim(-1, 1)
    halved = functional.avg_pool2d(twice, 2).movedim(1, -1)
    torch.testing.assert_close(halved[:, 2:-2, 2:-2], grid[:, 2:-2, 2:-2], atol=5e-3, rtol=0)


def test_there_and_back_is_where_it_began():
    path = swaying()
    back, known = path.back()
    ways, there = back.at(TIMES)[0], path.at(TIMES)[0]
    missed = (warp(there, ways) + ways).norm(dim=1)[:, 4:-4, 4:-4]
    assert missed.max() < 0.1 and missed.median() < 0.01
    assert known[..., 4:-4, 4:-4].min() == 1 > known.min()


def test_a_way_gone_before_is_added_where_its_points_stand():
    path, way = swaying(), 3 * torch.ones(1, 2, *SIZE)
    both = path.after(way).at(TIMES)[0]
    expected = way[0] + path.at(TIMES)[0].roll((-3, -3), (-2, -1))
    torch.testing.assert_close(both[..., :-3, :-3], expected[..., :-3, :-3], atol=1e-4, rtol=0)


def test_folds_are_not_known():
    fold = torch.zeros(1, 4, 2, *SIZE)
    fold[:, 1, 0, :, 16:] = -6  # the right half runs over the left one
    _, known = Trajectory(fold).back()
    assert known[0, 0, 12, 12:20].min() < 0.6 < known[0, 0, 12, :6].max()
