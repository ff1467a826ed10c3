"""Light between spikes: a naive line through each pixel's spikes, and light that is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spikedeblur.prior.intervals import ROUNDING, CumulativeCounts, running_count, smoothing


def counted(light: np.ndarray, phase: float, ticks: int = 8) -> torch.Tensor:
    """Counts per bin of a pixel that integrates and fires on `light` (K,), in spikes per bin."""
    charge = phase + np.concatenate([[0], np.cumsum(np.repeat(light / ticks, ticks))])
    spikes = np.diff(np.floor(charge))
    counts = spikes.reshape(len(light), ticks).sum(axis=1)
    return torch.from_numpy(counts).float()[None, :, None, None]


def naive_light(counts: np.ndarray) -> np.ndarray:
    """Spikes of a bin evenly placed in it; a line through them, continued at either end."""
    bins = len(counts)
    spikes = np.concatenate([k + (np.arange(n) + 0.5) / n for k, n in enumerate(counts) if n])
    level = np.arange(len(spikes)) + 1.0
    edges = np.arange(bins + 1)
    charge = np.interp(edges, spikes, level)
    inner = [k for k in edges if spikes[0] < k < spikes[-1]]
    for ends, nearest, first in (
        (edges < spikes[0], inner[:1], True),
        (edges > spikes[-1], inner[-1:], False),
    ):
        rate = len(spikes) / bins
        if nearest:
            after = np.searchsorted(spikes, nearest[0])
            rate = 1 / (spikes[after] - spikes[after - 1])
        room = spikes[0] if first else bins - spikes[-1]
        rate = min(rate, 1 / max(room, 1e-3))
        place, start = (spikes[0], level[0]) if first else (spikes[-1], level[-1])
        charge[ends] = start + (edges[ends] - place) * rate
    return np.diff(charge)


@given(counts=arrays.arrays(np.int64, st.integers(1, 20), elements=st.integers(0, 4)))
@settings(max_examples=200, deadline=None)
def test_charge_is_a_line_through_the_spikes(counts):
    if counts.sum() == 0:
        counts[0] = 1
    light = CumulativeCounts.of(torch.from_numpy(counts).float()[None, :, None, None]).light()
    assert light.flatten().numpy() == pytest.approx(naive_light(counts), abs=2e-4)


@pytest.mark.parametrize(("rates", "light", "steadied"), [((0.1, 0.3), 10, 10), ((1, 8), 1, 3)])
def test_steady_light_is_read_as_steady(rates, light, steadied):
    """Mean squared errors of quarters of the exposure: so many times less than that of counts."""
    rng = np.random.default_rng(5)
    errors = np.zeros(3)
    for _ in range(200):
        rate = rng.uniform(*rates)
        counts = counted(np.full(32, rate), rng.random(), ticks=32)
        charge = CumulativeCounts.of(counts)
        for i, read in enumerate((counts, charge.light(), charge.smoothed_light())):
            errors[i] += np.square(read.reshape(4, 8).sum(dim=1).numpy() - 8 * rate).mean() / 200
    assert errors[0] == pytest.approx(1 / 6, rel=0.15)  # the difference of two even remainders
    assert errors[1] < errors[0] / light
    assert errors[2] < errors[0] / steadied


def test_light_is_nearer_the_truth_than_counts():
    rng = np.random.default_rng(3)
    errors = np.zeros(3)
    for _ in range(200):
        course = np.interp(np.arange(32), [0, 10, 16, 31], rng.uniform(0.1, 1.5, 4))
        counts = counted(course, rng.random())
        charge = CumulativeCounts.of(counts)
        for i, read in enumerate((counts, charge.light(), charge.smoothed_light())):
            errors[i] += np.square(read.flatten().numpy() - course).mean() / 200
    assert errors[1] < errors[0] / 4
    assert errors[2] < errors[1] / 1.5


@given(counts=arrays.arrays(np.float32, (2, 12, 1, 3), elements=st.floats(0, 5, width=32)))
@settings(max_examples=100, deadline=None)
def test_light_never_strays_from_the_count(counts):
    """Whole exposures: light by less than a spike at either end; steadied charge within half."""
    given_counts = torch.from_numpy(counts)
    charge = CumulativeCounts.of(given_counts)
    count = given_counts.sum(dim=1)
    assert (charge.light() >= 0).all() and (charge.smoothed_light() >= 0).all()
    assert ((charge.light().sum(dim=1) - count).abs() <= 2.01).all()
    total = charge.smoothed_light().sum(dim=1)
    assert (total >= count - 2 * ROUNDING - 1e-3).all()


def test_steadied_light_stays_inside_the_tube():
    """Where smooth charge leaves the tube of the counts it lies on its wall."""
    counts = torch.zeros(1, 8, 1, 1)
    counts[0, 4] = 100  # a flash: nothing before and after
    steadied = CumulativeCounts.of(counts).smoothed_light().flatten()
    assert steadied.sum().item() == pytest.approx(100, abs=1.01)
    assert steadied[4].item() >= 99 and steadied[:4].sum() <= 1.01 and steadied[5:].sum() <= 1.01


def test_no_spikes_no_light():
    charge = CumulativeCounts.of(torch.zeros(1, 32, 2, 2))
    assert charge.light().abs().max() == 0 and charge.smoothed_light().abs().max() == 0


def test_smoothing_leaves_straight_lines_alone():
    line = torch.linspace(-3, 7, 33, dtype=torch.float64)
    torch.testing.assert_close(smoothing(33) @ line, line)
    assert running_count(torch.ones(1, 3, 1, 1)).flatten().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("spikes", [0.4, 6.3, 16.2, 30.8, 32.7, 150.0])
def test_constant_light_is_steady_and_a_step_is_not(spikes):
    """Counts of a charge that grows evenly: most remainders leave no bin unlike another."""
    remainder = torch.linspace(0, 0.99, 20)[None, None, None]
    edges = torch.linspace(0, 1, 33)[None, :, None, None]
    counts = (remainder + spikes * edges).floor().diff(dim=1)
    charge = CumulativeCounts.of(counts)
    light, swing = charge.steady_light(), charge.smoothed_light()
    ranges = [each.amax(dim=1) - each.amin(dim=1) for each in (light, swing)]
    assert (ranges[0] < 1e-5).float().mean() >= 0.7
    assert (ranges[0] <= ranges[1] + 1e-5).all()
    assert ranges[0].mean() < ranges[1].mean() / 2 + 1e-5
    assert (light.sum(dim=1) - spikes).abs().max() < 1.5  # one spike, and half of its rounding
    step = (remainder + spikes * (edges + (edges - 0.5).clamp(min=0) * 3)).floor().diff(dim=1)
    rise = CumulativeCounts.of(step).steady_light()
    if spikes > 6:
        assert (rise[:, 20:].mean(dim=1) > 2 * rise[:, :12].mean(dim=1)).all()
