"""Cumulated counts against the voxel grid's own counting."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from spikedeblur.alignment.counting import CumulatedCounts, block_for, cumulate
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.recording.voxel import voxelize_ticks


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
    exact = voxelize_ticks(stream, 1, Fraction(low), Fraction(high))[0]
    rows, columns = 7 // block * block, 10 // block * block
    small = exact[:rows, :columns].reshape(rows // block, block, columns // block, block)
    np.testing.assert_allclose(found[1] - found[0], small.mean((1, 3)), atol=1e-4)


def test_between_knots_light_is_smooth():
    """Of light 1 + sin, cumulated; straight lines between the knots would be off by 0.008."""
    knots = np.arange(40.0)
    cumulated = torch.from_numpy(knots / 4 + 1 - np.cos(knots / 4))[:, None, None].float()
    places = np.array([2.0, 3.3, 17.5, 20.75, 36.9])
    found = CumulatedCounts(cumulated, 100, 8, 1).at(100 + 8 * places).numpy().ravel()
    np.testing.assert_allclose(found, places / 4 + 1 - np.cos(places / 4), atol=2e-4)


def test_a_steady_rate_is_counted_up_to_the_very_ends():
    counts = CumulatedCounts(torch.arange(5.0)[:, None, None], 10, 2, 1)
    assert counts.at(np.array([9.0, 10, 13, 18, 19])).ravel().tolist() == [0, 0, 1.5, 4, 4]


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
