"""The prior: windows by a naive sum, candidates on light whose answer is known, blind to gain."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.prior.intervals import CumulativeCounts, rates, window_weights
from spikedeblur.prior.photometry import NEIGHBOURHOOD
from spikedeblur.prior.sdm import (
    NOISE_FACTOR,
    PRIOR_SPIKES,
    STEADIED_VARIANCE,
    SDMCandidates,
    blended_change,
    relative_rates,
)
from spikedeblur.recording.resample import blur


@given(length=st.floats(0.5, 40), target=st.floats(-0.5, 0.5), bins=st.sampled_from([1, 8, 32]))
@settings(max_examples=80, deadline=None)
def test_window_weights_are_the_overlap_of_intervals(length, target, bins):
    weights = window_weights(torch.tensor([length]), bins, torch.tensor([target]))[0, 0].numpy()
    span = min(np.float32(length), bins)
    start = min(max((target + 0.5) * bins - span / 2, 0), bins - span)
    naive = [max(0, min(k + 1, start + span) - max(k, start)) for k in range(bins)]
    assert weights == pytest.approx(naive, abs=2e-5)
    assert weights.sum() == pytest.approx(span, abs=1e-4)


def test_a_pixel_lit_at_the_target_only_is_brighter_by_the_window():
    """All light in the middle 2 of 32 bins: a window of 2 sees it 16 times as bright."""
    counts = torch.zeros(1, 32, 4, 4)
    counts[:, 15:17] = 4000
    prior = SDMCandidates((2, 8, 32), (0,))
    ratios = prior(CumulativeCounts.of(counts), torch.zeros(1))[:, 1:]
    expected = torch.tensor([2.5, float(np.log(4.0)), 0.0])  # log 16 is beyond the clamp of 2.5
    torch.testing.assert_close(ratios[0, :, 0, 0], expected, atol=1e-3, rtol=0)


def test_steady_light_gives_ratio_one_at_any_gain():
    prior = SDMCandidates((1, 4, 16), (0, 1))
    for level in (0.5, 3.0, 40.0):
        pattern = level * (1 + 0.05 * torch.rand(1, 1, 6, 6)).expand(1, 32, 6, 6)
        assert prior(CumulativeCounts.of(pattern), torch.tensor([0.2])).abs().max() < 1e-3


def test_gain_of_the_sensor_cancels():
    """Many spikes or four times fewer (a threshold four times higher): the same light is read."""
    counts = 400 * (0.5 + torch.rand(1, 32, 6, 6))
    prior = SDMCandidates((2, 4, 8, 16), (0, 1))
    for read in (relative_rates, lambda c: prior(CumulativeCounts.of(c), torch.zeros(1))):
        torch.testing.assert_close(read(counts), read(counts / 4), atol=0.01, rtol=0.01)


def test_no_spikes_say_nothing():
    nothing = torch.zeros(2, 32, 3, 3)
    assert relative_rates(nothing).abs().max() == 0
    prior = SDMCandidates((2, 4, 8, 16), (0, 0.7, 1.5))
    assert prior(CumulativeCounts.of(nothing), torch.zeros(2)).abs().max() == 0


def test_blend_weighs_windows_by_their_expected_error():
    """The rule in NumPy: 1 / (variance + what noise does not explain of a difference)."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.cumsum(rng.random((32, 24, 30)), axis=0) % 3).astype(np.float32)
    lengths = np.array([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1])
    changes = [
        counts[16 - n // 2 : 16 + n // 2].sum(axis=0) * 32 / n - counts.sum(axis=0)
        for n in (lengths * 32).astype(int)
    ]
    variances = np.where(lengths < 1, STEADIED_VARIANCE / lengths**2, 0)
    mistrust = NOISE_FACTOR * (1 + 1 / (blur(counts.sum(axis=0), NEIGHBOURHOOD) + PRIOR_SPIKES))
    total, weighted = 0, 0
    for j, change in enumerate(changes):
        excess = [
            blur((change - changes[i]) ** 2, NEIGHBOURHOOD)
            - mistrust * (variances[i] + variances[j])
            for i in range(j)
        ]
        weight = 1 / (np.max([np.zeros_like(change), *excess], axis=0) + variances[j] + 0.001)
        total, weighted = total + weight, weighted + weight * change
    blend = blended_change(
        torch.from_numpy(np.stack(changes))[None],
        torch.from_numpy(counts.sum(axis=0))[None, None],
        torch.from_numpy(lengths).float(),
    )
    expected = weighted / total
    assert np.ptp(expected) > 10
    assert np.abs(blend[0, 0].numpy() - expected).max() < 0.05


def test_windows_of_the_rates_are_sums_of_bins():
    light = torch.arange(32.0)[None, :, None, None].expand(1, 32, 2, 2)
    found = rates(light, torch.tensor([4.0, 64.0]), torch.zeros(1))[0, :, 0, 0]
    assert found.tolist() == pytest.approx([(14 + 15 + 16 + 17) * 8, 496, 496])
