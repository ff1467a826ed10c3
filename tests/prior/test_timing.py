"""How late spikes are, told from what frames and counts differ by."""

from __future__ import annotations

import pytest
import torch

from spikedeblur.prior.features import read_clip
from spikedeblur.prior.timing import in_time, lateness
from tests.prior.moving import Moving


@pytest.mark.parametrize("bins", [-8, -4, 0, 4, 8])
@pytest.mark.parametrize("seed", [3, 5])
def test_it_is_told_to_a_few_hundredths_of_the_exposure(bins, seed):
    blurry, counts, _ = Moving(8, seed=seed).seen()
    shifted = torch.roll(counts.flatten(0, 1), bins, 0).view_as(counts)
    exposure, _, seen = read_clip(blurry[1:2], shifted[1:2])
    assert lateness(seen, exposure.light.planes) == pytest.approx(bins / 32, abs=0.05)


def test_nothing_is_told_of_a_still_scene_or_without_spikes():
    for counts in (Moving(0).seen()[1], torch.zeros(3, 32, 48, 48)):
        exposure, _, seen = read_clip(Moving(0).seen()[0], counts)
        assert lateness(seen, exposure.light.planes) == 0


def test_spikes_are_taken_until_they_are_too_late():
    assert in_time(0.0) == in_time(-0.05) == 1
    assert 0 < in_time(0.1) < 1
    assert in_time(0.2) == in_time(-0.2) == 0
