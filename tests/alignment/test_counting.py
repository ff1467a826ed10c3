"""Cumulated counts against the voxel grid's own counting."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from spikedeblur.alignment.counting import CumulatedCounts, block_for, cumulate
from spikedeblur.io.spikes import SpikeStream, write_dat
from spikedeblur.voxel import voxelize


@pytest.fixture
def stream(tmp_path):
    planes = np.random.default_rng(0).random((700, 7, 10)) < 0.4
    write_dat(tmp_path / "s.dat", [planes])
    with SpikeStream.open(tmp_path / "s.dat", width=10, height=7, rate_hz=1000) as opened:
        yield opened


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("step", [1, 5, 300])
def test_between_two_knots_lie_as_many_spikes_as_voxelize_counts(stream, block, step):
    counts = cumulate(stream, 20.3, 650.2, step, block)
    assert counts.start == 20 and counts.stop <= 651 and counts.stop > 651 - step
    low, high = counts.start + step, counts.start + 2 * step
    found = counts.at(np.array([low, high], float))
    exact = voxelize(stream, 1, Fraction(low), Fraction(high))[0]
    rows, columns = 7 // block * block, 10 // block * block
    small = exact[:rows, :columns].reshape(rows // block, block, columns // block, block)
    np.testing.assert_allclose(found[1] - found[0], small.mean((1, 3)), atol=1e-4)


def test_fractions_of_a_tick_count_in_part(stream):
    counts = cumulate(stream, 0, 700, 1, 1)
    found = counts.at(np.array([33.25, 57.75]))
    exact = voxelize(stream, 1, Fraction(133, 4), Fraction(231, 4))[0]
    np.testing.assert_allclose(found[1] - found[0], exact, atol=1e-4)


def test_what_the_stream_does_not_have(stream):
    assert cumulate(stream, -500, -10, 4, 1) is None
    assert cumulate(stream, 699, 900, 4, 1) is None
    late = cumulate(stream, 600, 900, 4, 1)
    assert (late.start, late.stop) == (600, 700)
    covered = late.covers(np.array([600, 599, 650.5]), np.array([700, 650, 700.5]))
    assert covered.tolist() == [True, False, False]


def test_blocks_bring_a_sensor_down():
    assert block_for((400, 250), 100_000) == 1
    assert block_for((400, 250), 99_999) == 2
    assert block_for((1000, 1000), 60_000) == 5


def test_long_steps_do_not_overflow_a_byte(tmp_path):
    write_dat(tmp_path / "s.dat", [np.ones((1200, 2, 4), bool)])
    with SpikeStream.open(tmp_path / "s.dat", width=4, height=2, rate_hz=1000) as stream:
        counts = cumulate(stream, 0, 1200, 600, 1)
    assert isinstance(counts, CumulatedCounts)
    assert torch.equal(counts.planes[:, 0, 0], torch.tensor([0.0, 600, 1200]))
