"""Spikes counted without stepping, against a pixel that is stepped tick by tick, and statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.simulation.spiking import (
    SpikeSensor,
    bin_counts,
    even_edges,
    random_sensor,
    stepped_spikes,
)

SIZE = (6, 7)


def even_sensor(gain=1.0, dark=0.0, jitter=0.0, size=SIZE):
    return SpikeSensor(
        torch.full(size, gain), torch.full(size, dark), torch.full(size, torch.nan), jitter
    )


def randomness(seed=0):
    return torch.Generator().manual_seed(seed)


def fire_by_hand(light, edges, ticks, phase):
    """Integrate and fire, one tick after the other, with light (M, H, W) between `edges`."""
    charge, planes = phase.copy(), []
    for tick in range(ticks):
        for part in range(len(light)):
            low = tick if part == 0 else max(edges[part], tick)
            high = tick + 1 if part == len(light) - 1 else min(edges[part + 1], tick + 1)
            charge = charge + max(high - low, 0) * light[part]
        fired = charge >= 1
        charge = charge - fired
        planes.append(fired)
    return np.stack(planes), charge


# All numbers are multiples of small powers of two, so that both ways are exact.
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 90),
    st.integers(0, 7),
    st.sampled_from([1, 2, 4, 16, 32]),
)
def test_bins_equal_the_voxels_of_a_stepped_pixel(seed, parts, ticks, begin, bins):
    rng = np.random.default_rng(seed)
    start, stop = begin / 8, begin / 8 + ticks / 2
    light = (rng.integers(0, 257, (parts, *SIZE)) / 256).astype(np.float32)
    phase = (rng.integers(0, 256, SIZE) / 256).astype(np.float32)
    counts, _ = bin_counts(
        even_sensor(),
        torch.from_numpy(light),
        bins=bins,
        start=start,
        stop=stop,
        phase=torch.from_numpy(phase),
        random=randomness(),
    )
    edges = start + (stop - start) * np.arange(parts + 1) / parts
    planes, _ = fire_by_hand(light.astype(float), edges, int(np.ceil(stop)) + 1, phase)
    expected = voxelize_ticks(planes, bins=bins, start=start, stop=stop)
    np.testing.assert_allclose(counts.numpy(), expected, rtol=0, atol=1e-5)


def test_stepping_in_chunks_equals_a_pixel_stepped_by_hand():
    rng = np.random.default_rng(3)
    light = (rng.integers(0, 257, (8, *SIZE)) / 256).astype(np.float32)
    phase = torch.from_numpy((rng.integers(0, 256, SIZE) / 256).astype(np.float32))
    edges = even_edges(8, 0, 50)
    expected, left = fire_by_hand(light.astype(float), edges.numpy(), 50, phase.numpy())
    planes = []
    for first, last in ((0, 1), (1, 17), (17, 50)):
        block, phase = stepped_spikes(
            even_sensor(),
            torch.from_numpy(light),
            edges,
            ticks=range(first, last),
            phase=phase,
            random=randomness(),
        )
        planes.append(block)
    np.testing.assert_array_equal(torch.cat(planes).numpy(), expected)
    np.testing.assert_allclose(phase.numpy(), left, atol=1e-5)


def test_charge_left_over_goes_on_to_the_next_exposure():
    light = torch.full((1, *SIZE), 0.25)
    phase, total = torch.zeros(SIZE), torch.zeros(SIZE)
    for _ in range(7):
        counts, phase = bin_counts(
            even_sensor(), light, bins=3, start=0.0, stop=3.0, phase=phase, random=randomness()
        )
        total += counts.sum(0)
    assert (total == int(7 * 3 * 0.25)).all()


@pytest.mark.parametrize("gain", [0.1, 0.4, 0.8])
def test_mean_rate_is_gain_times_light_and_sums_are_within_a_spike(gain):
    light = torch.rand(4, 40, 40, generator=randomness(1))
    phase = torch.rand(40, 40, generator=randomness(2))
    ticks = 333.0
    counts, _ = bin_counts(
        even_sensor(gain, size=(40, 40)),
        light,
        bins=32,
        start=0.0,
        stop=ticks,
        phase=phase,
        random=randomness(),
    )
    charge = gain * light.mean(0) * ticks
    assert (counts.sum(0) - charge).abs().max() < 1.001
    assert float(counts.sum(0).mean() / ticks) == pytest.approx(
        gain * float(light.mean()), rel=3e-3
    )


def fano(jitter):
    """Variance over mean of the spikes of equal light in an exposure."""
    light = torch.full((1, 100, 100), 0.317)
    phase = torch.rand(100, 100, generator=randomness(5))
    counts, _ = bin_counts(
        even_sensor(jitter=jitter, size=(100, 100)),
        light,
        bins=1,
        start=0.0,
        stop=300.0,
        phase=phase,
        random=randomness(6),
    )
    return float(counts.var() / counts.mean())


def test_counts_vary_far_less_than_poisson_counts():
    assert fano(0.0) < 0.25 / (0.317 * 300) + 1e-3
    # Errors of independent thresholds add up: the spread of n spikes' time is jitter * sqrt(n).
    assert fano(0.2) == pytest.approx(0.2**2, rel=0.15)


def test_jitter_of_stepped_spikes_is_that_of_bins():
    light = torch.full((1, 60, 60), 0.25)
    phase = torch.rand(60, 60, generator=randomness(7))
    planes, _ = stepped_spikes(
        even_sensor(jitter=0.2, size=(60, 60)),
        light,
        torch.tensor([0.0, 400.0]),
        ticks=range(400),
        phase=phase,
        random=randomness(8),
    )
    counts = planes.sum(0).float()
    assert float(counts.mean()) == pytest.approx(100, rel=0.02)
    assert float(counts.var() / counts.mean()) == pytest.approx(0.04, rel=0.5)


def test_saturated_dead_and_hot_pixels():
    sensor = even_sensor(gain=2.0)
    sensor.stuck[0, 0], sensor.stuck[0, 1] = 0, 1
    light = torch.full((3, *SIZE), 0.9)
    light[:, 1] = 0
    counts, _ = bin_counts(
        sensor,
        light,
        bins=32,
        start=0.5,
        stop=20.5,
        phase=torch.rand(SIZE, generator=randomness()),
        random=randomness(),
    )
    total = counts.sum(0)
    assert total[0, 0] == 0
    assert float(total[0, 1]) == pytest.approx(20)
    torch.testing.assert_close(total[2:], torch.full((4, 7), 20.0))
    assert (total[1] == 0).all()


def test_a_random_sensor_has_the_pattern_asked_for():
    rng = np.random.default_rng(0)
    sensor = random_sensor(
        rng, (200, 200), 0.3, fixed_pattern=0.05, dark=0.02, jitter=0.1, stuck=0.01
    )
    assert float(sensor.gain.mean()) == pytest.approx(0.3, rel=0.01)
    assert float(sensor.gain.std()) == pytest.approx(0.015, rel=0.05)
    assert float(sensor.dark.min()) >= 0 and float(sensor.dark.max()) <= 0.02
    stuck = sensor.stuck[~sensor.stuck.isnan()]
    assert len(stuck) / 40000 == pytest.approx(0.01, rel=0.3)
    assert float(stuck.mean()) == pytest.approx(0.5, abs=0.1)
