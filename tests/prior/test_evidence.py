"""Linearity and mismatch on scenes of which the answer is known, at any gain of the sensor."""

import pytest
import torch

from spikedeblur.prior.evidence import LogStatistics, linearity, mismatch
from spikedeblur.prior.photometry import gaussian_blur, luminance, to_srgb


def scene(seed: int, height: int = 48, width: int = 64) -> torch.Tensor:
    """Linear light (1, 3, 1, height, width) in [0.02, 0.72] with structure of several sizes."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 3, height, width, generator=generator)
    light = gaussian_blur(noise, 1.5) * 5 + gaussian_blur(noise, 4.0) * 12
    return (0.02 + 0.7 * torch.sigmoid(light))[:, :, None]


def filmed(linear: torch.Tensor) -> torch.Tensor:
    """The grey frames (1, 3, 3, H, W) of linear light."""
    return to_srgb(linear).expand(-1, -1, 3, -1, -1)


def fired(linear: torch.Tensor, mean: float, exponent: float = 1.0) -> torch.Tensor:
    """Counts (1, 3, 4, H, W) of an integrate-and-fire sensor; phases and pixels' gains random."""
    generator = torch.Generator().manual_seed(9)
    phase = torch.rand(linear.shape, generator=generator)
    gain = 1 + 0.05 * torch.randn(linear.shape[-2:], generator=generator)
    light = linear**exponent
    total = (mean * gain * light / light.mean() + phase).floor()
    return (total / 4).expand(-1, -1, 4, -1, -1)


def sightings(rgb: torch.Tensor, counts: torch.Tensor) -> LogStatistics:
    """Of frames (B, T, 3, H, W) and counts (B, T, K, h, w)."""
    count = counts.sum(dim=2)
    return LogStatistics.of(luminance(rgb.flatten(0, 1), count.shape[-2:]).view(count.shape), count)


@pytest.mark.parametrize("mean", [10.0, 160.0])
@pytest.mark.parametrize(("exponent", "expected"), [(1.0, 1), (1 / 2.2, -1)])
def test_linearity_tells_what_spikes_count(mean: float, exponent: float, expected: int) -> None:
    linear = scene(0)
    told = float(linearity(sightings(filmed(linear), fired(linear, mean, exponent))))
    assert told * expected > 0.5
    assert abs(told) <= 1


def test_of_a_flat_frame_nothing_is_known() -> None:
    rgb, counts = torch.full((1, 3, 3, 16, 16), 0.5), torch.rand(1, 3, 4, 8, 8) + 5
    for seen in (sightings(rgb, counts), sightings(rgb, torch.zeros_like(counts))):
        assert abs(float(linearity(seen))) < 0.05
        assert torch.isfinite(mismatch(seen)).all()


@pytest.mark.parametrize("mean", [8.0, 80.0])
@pytest.mark.parametrize("exponent", [1.0, 1 / 2.2])
def test_spikes_of_the_scene_are_believed_and_others_are_not(mean: float, exponent: float) -> None:
    linear, other = scene(0), scene(1)
    rgb = filmed(linear)
    own = mismatch(sightings(rgb, fired(linear, mean, exponent)))
    foreign = mismatch(sightings(rgb, fired(other, mean, exponent)))
    assert own.shape == (3, 1, 48, 64)
    assert own.quantile(0.99) < 0.3
    assert foreign.quantile(0.05) > 0.6
    assert own.min() >= 0 and foreign.max() <= 1


def test_doubt_is_local() -> None:
    """Spikes of another scene in the right half: believed in the left, not in the right."""
    linear, other = scene(0), scene(1)
    counts = fired(linear, 50.0).clone()
    counts[..., 32:] = fired(other, 50.0)[..., 32:]
    told = mismatch(sightings(filmed(linear), counts))
    assert told[..., :20].quantile(0.9) < 0.5
    assert told[..., 44:].quantile(0.1) > 0.5


def test_half_a_spike_pixel_off_is_believed() -> None:
    linear = scene(2, 96, 128)
    pooled = [
        torch.nn.functional.avg_pool2d(part.flatten(0, 1), 2)[None]
        for part in (linear, linear.roll(1, -1))
    ]
    told = mismatch(sightings(filmed(pooled[0]), fired(pooled[1], 50.0)))
    assert told.quantile(0.95) < 0.5
