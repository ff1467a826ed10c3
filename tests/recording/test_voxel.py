"""Voxel grids against a double-precision loop written from the definition, and by property."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.errors import UsageError
from spikedeblur.recording import voxel
from spikedeblur.recording.voxel import voxelize_ticks

MIXED = np.random.default_rng(7).random((23, 5, 4)) < 0.4
ticks_and_parts = st.fractions(min_value=-5, max_value=30, max_denominator=12)


def by_definition(spikes, bins, start, stop):
    grid = np.zeros((bins, *spikes.shape[1:]))
    for k in range(bins):
        left = start + (stop - start) * k / bins
        right = start + (stop - start) * (k + 1) / bins
        for n, plane in enumerate(spikes):
            grid[k] += float(max(min(right, n + 1) - max(left, n), 0)) * plane
    return grid


@given(ticks_and_parts, ticks_and_parts, st.integers(1, 40))
def test_equals_the_definition(one, other, bins):
    start, stop = sorted((one, other))
    expected = by_definition(MIXED, bins, start, stop)
    np.testing.assert_allclose(voxelize_ticks(MIXED, bins, start, stop), expected, atol=1e-5)


@given(st.integers(0, 23), st.integers(0, 23), st.integers(1, 50))
def test_bins_of_whole_ticks_sum_to_their_spikes(one, other, bins):
    start, stop = sorted((one, other))
    total = voxelize_ticks(MIXED, bins, start, stop).sum(axis=0)
    np.testing.assert_allclose(total, MIXED[start:stop].sum(axis=0), atol=1e-5)


@given(ticks_and_parts, ticks_and_parts, ticks_and_parts)
def test_adjacent_intervals_add_up(first, second, third):
    start, middle, stop = sorted((first, second, third))
    parts = voxelize_ticks(MIXED, 1, start, middle) + voxelize_ticks(MIXED, 1, middle, stop)
    np.testing.assert_allclose(voxelize_ticks(MIXED, 1, start, stop), parts, atol=1e-5)


def test_fewer_ticks_than_bins_leave_no_bin_empty():
    grid = voxelize_ticks(np.ones((10, 2, 3), dtype=bool), bins=32)
    np.testing.assert_allclose(grid, 10 / 32, rtol=1e-6)


def test_spikes_outside_the_interval_count_nowhere():
    spikes = np.ones((20, 2, 2), dtype=bool)
    spikes[6:14] = False
    assert not voxelize_ticks(spikes, 4, start=6, stop=14).any()


def test_beyond_the_stream_counts_nothing():
    spikes = np.ones((4, 2, 2), dtype=bool)
    np.testing.assert_array_equal(voxelize_ticks(spikes, 4, -4, 12)[:, 0, 0], [0, 4, 0, 0])
    assert not voxelize_ticks(spikes, 2, 4, 9).any()


def test_long_runs_do_not_overflow_a_byte():
    assert voxelize_ticks(np.ones((1000, 1, 1), dtype=bool), bins=1).item() == 1000


def test_chunks_do_not_show(monkeypatch):
    arguments = MIXED, 6, Fraction(3, 7), Fraction(65, 3)
    whole = voxelize_ticks(*arguments)
    monkeypatch.setattr(voxel, "CHUNK_PIXELS", 3 * MIXED[0].size)
    np.testing.assert_allclose(voxelize_ticks(*arguments), whole, atol=1e-5)


def test_an_empty_interval_holds_nothing():
    assert not voxelize_ticks(MIXED, 3, 5, 5).any()


@pytest.mark.parametrize(("bins", "start", "stop"), [(0, 0, 5), (4, 5, 2)])
def test_impossible_grids_are_refused(bins, start, stop):
    with pytest.raises(UsageError, match="give at least one bin"):
        voxelize_ticks(MIXED, bins, start, stop)
