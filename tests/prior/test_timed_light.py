"""When the light of bins fell, against pixels that integrate and fire under a light that grows."""

from __future__ import annotations

import pytest
import torch

from spikedeblur.prior.intervals import CumulativeCounts
from spikedeblur.prior.timed_light import TimedLight, shown_times

BINS, PIXELS = 32, 1000


def fired(mean: float, slope: float) -> torch.Tensor:
    """Count spikes (1, K, 1, pixels) of pixels in all phases; light is mean * (1 + slope * t)."""
    time = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)
    charge = mean * (time + slope * time * (time - 1) / 2)
    phases = (torch.arange(PIXELS) + 0.5) / PIXELS
    return (charge[:, None] + phases).floor().diff(dim=0).float()[None, :, None]


@pytest.mark.parametrize("means", [(4, 8), (8, 14), (14, 22)])
def test_the_ends_show_the_scene_as_it_was_further_inside(means):
    """Light that grows evenly tells by how much of it is seen when it was seen."""
    slope, seen = 0.3, torch.zeros(BINS)
    rates = torch.linspace(*means, 25).tolist()
    for mean in rates:
        up, down = (
            CumulativeCounts.of(fired(mean, sign * slope)).smoothed_light().mean(dim=3)[0, :, 0]
            for sign in (1, -1)
        )  # light is mean * (1 + slope * (t - 1 / 2))
        seen += (up - down) / (up + down) * (2 / slope / len(rates))
    times = shown_times(BINS, torch.tensor([2 / sum(means)]))[0]
    torch.testing.assert_close(times, seen, atol=0.025, rtol=0)
    assert times[0] > (1 - BINS) / BINS + 0.07  # where the first bin lies


def test_times_are_those_of_each_exposure():
    counts = torch.rand(3, BINS, 6, 8) * torch.tensor([0.4, 1.0, 4.0])[:, None, None, None]
    together = TimedLight.of(CumulativeCounts.of(counts))
    for n in range(3):
        alone = TimedLight.of(CumulativeCounts.of(counts[n : n + 1]))
        torch.testing.assert_close(alone.times, together.times[n : n + 1])
        torch.testing.assert_close(alone.planes, together.planes[n : n + 1])
    torch.testing.assert_close(together.times, -together.times.flip(1), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("bins", "kept"), [(32, 16), (16, 16), (24, 24), (40, 20), (10, 10), (7, 7)]
)
def test_bins_are_merged_evenly(bins, kept):
    light = TimedLight.even(torch.rand(2, bins, 3, 4))
    merged = light.merged(16)
    assert merged.planes.shape == (2, kept, 3, 4)
    torch.testing.assert_close(merged.planes.sum(dim=1), light.planes.sum(dim=1))
    middles = (2 * torch.arange(kept) + 1) / kept - 1
    torch.testing.assert_close(merged.times, middles.expand(2, -1))
