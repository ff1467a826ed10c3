"""The prior: windows by a naive sum, candidates on light whose answer is known, blind to gain."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.classical import spike_rate
from spikedeblur.models.config import PriorConfig
from spikedeblur.models.prior import (
    PRIOR_SPIKES,
    CandidateHead,
    SpikePrior,
    gaussian_blur,
    linearity,
    relative_rates,
    to_linear,
    to_srgb,
    window_weights,
)
from spikedeblur.resample import blur


@given(
    length=st.floats(0.5, 40), target=st.floats(-0.5, 0.5), bins=st.sampled_from([1, 8, 32]),
)
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
    prior = SpikePrior(PriorConfig(WINDOWS=(2, 8, 32), SMOOTHINGS=(0,)))
    ratios = prior(counts, torch.zeros(1))[:, 1:]
    expected = torch.tensor([2.5, float(np.log(4.0)), 0.0])  # log 16 is beyond the clamp of 2.5
    torch.testing.assert_close(ratios[0, :, 0, 0], expected, atol=1e-3, rtol=0)


def test_steady_light_gives_ratio_one_at_any_gain():
    prior = SpikePrior(PriorConfig(WINDOWS=(1, 4, 16), SMOOTHINGS=(0, 1)))
    for level in (0.5, 3.0, 40.0):
        pattern = level * (1 + 0.05 * torch.rand(1, 1, 6, 6)).expand(1, 32, 6, 6)
        assert prior(pattern, torch.tensor([0.2])).abs().max() < 1e-5


def test_gain_of_the_sensor_cancels():
    """Many spikes or four times fewer (a threshold four times higher): the same light is read."""
    counts = 200 * torch.rand(1, 32, 6, 6)
    prior = SpikePrior(PriorConfig(SMOOTHINGS=(0, 1)))
    for read in (relative_rates, lambda c: prior(c, torch.zeros(1))):
        torch.testing.assert_close(read(counts), read(counts / 4), atol=0.01, rtol=0.01)


def test_no_spikes_say_nothing():
    nothing = torch.zeros(2, 32, 3, 3)
    assert relative_rates(nothing).abs().max() == 0
    assert SpikePrior(PriorConfig())(nothing, torch.zeros(2)).abs().max() == 0


def test_gaussian_blur_of_a_point_is_the_bell():
    plane = torch.zeros(1, 1, 15, 15)
    plane[..., 7, 7] = 1
    blurred = gaussian_blur(plane, 1.5)[0, 0].double()
    y, x = np.mgrid[-7:8, -7:8]
    bell = np.exp(-(x**2 + y**2) / 2 / 1.5**2) * (abs(x) <= 5) * (abs(y) <= 5)
    torch.testing.assert_close(blurred, torch.tensor(bell / bell.sum()), atol=1e-6, rtol=0)


def test_srgb_curve_against_published_values():
    """Values of IEC 61966-2-1: 8-bit 188 is 50 % light, the segments meet at 0.04045."""
    assert to_linear(torch.tensor([0.0, 1.0, 188 / 255])).tolist() == pytest.approx(
        [0.0, 1.0, 0.503], abs=1e-3
    )
    levels = torch.linspace(0, 1.5, 1001, dtype=torch.double)
    torch.testing.assert_close(to_srgb(to_linear(levels)), levels, atol=1e-6, rtol=0)


def test_blend_agrees_with_the_method_without_weights():
    """The first candidate is what `classical.spike_rate` finds, written in another way."""
    rng = np.random.default_rng(0)
    light = np.cumsum(rng.random((32, 24, 30)), axis=0) % 3
    counts = rng.poisson(light).astype(np.float32)
    prior = SpikePrior(PriorConfig(WINDOWS=(2, 4, 8, 16), SMOOTHINGS=(0,)))
    ratio = prior(torch.from_numpy(counts)[None], torch.tensor([0.1]))[0, 0].exp().numpy()
    mean = blur(counts.sum(axis=0), 0.5)
    expected = (spike_rate(counts, 0.1) + PRIOR_SPIKES) / (mean + PRIOR_SPIKES)
    assert np.ptp(expected) > 0.5
    assert np.abs(ratio - expected).max() < 0.02


def test_head_starts_as_the_blend_and_takes_another_candidate_when_told():
    head = CandidateHead(8, 2, stem=2)
    blurry, features = torch.rand(1, 3, 8, 8), torch.randn(1, 8, 4, 4)
    ratios = torch.stack([torch.full((8, 8), 0.7), torch.full((8, 8), -0.4)])[None]
    lit = to_srgb(to_linear(blurry) * float(np.exp(0.7)))
    torch.testing.assert_close(head(features, blurry, ratios), lit, atol=0.1, rtol=0)
    with torch.no_grad():
        head.conv.bias.view(-1, 4)[1] = 100.0  # the second candidate wins everywhere
        head.conv.bias.view(-1, 4)[4] = 100.0  # in linear light alone
    expected = to_srgb(to_linear(blurry) * float(np.exp(-0.4)))
    torch.testing.assert_close(head(features, blurry, ratios), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("gain", [0.5, 8.0])
@pytest.mark.parametrize(("exponent", "expected"), [(1.0, 1), (1 / 2.2, -1)])
def test_linearity_tells_what_spikes_count(exponent: float, gain: float, expected: int) -> None:
    torch.manual_seed(0)
    linear = torch.rand(1, 3, 1, 24, 32) * 0.7 + 0.02
    rgb = to_srgb(linear).expand(-1, -1, 3, -1, -1)
    counts = (gain * 20 * linear**exponent / 4).expand(-1, -1, 4, -1, -1)
    told = float(linearity(rgb, counts))
    assert told * expected > 0.5
    assert abs(told) <= 1


def test_linearity_of_a_flat_frame_is_unknown() -> None:
    rgb, counts = torch.full((1, 3, 3, 16, 16), 0.5), torch.rand(1, 3, 4, 8, 8) + 5
    assert abs(float(linearity(rgb, counts))) < 0.05
    assert abs(float(linearity(rgb, torch.zeros_like(counts)))) < 0.05


def test_the_head_leans_towards_what_linearity_tells() -> None:
    head = CandidateHead(channels=4, candidates=1, stem=1)
    features, blurry = torch.zeros(2, 4, 8, 8), torch.full((2, 3, 8, 8), 0.4)
    ratios = torch.full((2, 1, 8, 8), 0.5)
    sharp = head(features, blurry, ratios, torch.tensor([1.0, -1.0]))
    ratio = (ratios[0].exp() * math.exp(head.BLEND_BIAS) + 1) / (math.exp(head.BLEND_BIAS) + 1)
    in_linear, in_gamma = to_srgb(to_linear(blurry[0]) * ratio), blurry[0] * ratio
    for picture, told in zip(sharp, (1, -1), strict=True):
        gate = 1 / (1 + math.exp(-head.LINEAR_BIAS - told * head.LINEARITY_GAIN))
        torch.testing.assert_close(picture, gate * in_linear + (1 - gate) * in_gamma)
