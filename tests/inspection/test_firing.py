"""Firing rates against counting, and which ticks stand for a long recording."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.inspection.firing import firing_rates, sampled_blocks


def test_rates_and_pixels_that_do_not_follow_the_light():
    spikes = np.random.default_rng(0).random((300, 5, 7)) < 0.2
    spikes[:, 1, 2], spikes[:, 3, 3:5] = True, False
    found = firing_rates(spikes)
    np.testing.assert_allclose(found.share, spikes.mean(0))
    assert found.ticks == 300 and np.isclose(found.mean, spikes.mean())
    assert np.argwhere(found.always_on).tolist() == [[1, 2]]
    assert np.argwhere(found.dead).tolist() == [[3, 3], [3, 4]]
    others = np.delete(spikes.mean(0).ravel(), [9, 24, 25])
    np.testing.assert_allclose(found.extremes, (others.min(), others.max()))


def test_nothing_that_works():
    assert firing_rates(np.zeros((4, 2, 2), bool)).extremes == (0, 0)


@given(st.integers(1, 3000), st.integers(1, 200_000))
def test_blocks_are_spread_over_all_ticks(ticks, values):
    blocks = list(sampled_blocks((ticks, 3, 5), values))
    assert all(0 <= start < stop <= ticks and stop - start <= 128 for start, stop in blocks)
    assert all(stop <= start for (_, stop), (start, _) in pairwise(blocks))
    assert sum(stop - start for start, stop in blocks) * 15 <= max(values, 128 * 15)
    if ticks * 15 + 128 * 15 <= values:
        assert sum(stop - start for start, stop in blocks) == ticks
    gaps = np.diff([0, *(start for start, _ in blocks), ticks])
    assert gaps.max() <= -(-ticks // len(blocks)) + 128
