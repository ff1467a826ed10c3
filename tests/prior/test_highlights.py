"""Light given back where a frame is clipped: what spikes count of it, in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.prior.highlights import light_given_back

WEIGHTS = torch.tensor([0.2126, 0.7152, 0.0722])
SPIKES = 150.0  # of full light


def scene(seed: int = 0, brightest: float = 3.0) -> torch.Tensor:
    """Light of flat patches of 8x8 pixels, in many colours, up to three times white."""
    rng = np.random.default_rng(seed)
    patches = rng.uniform(0.05, 0.7, (3, 6, 8))
    patches[:, 1, 2] = brightest
    patches[:, 4, 5] = (brightest, 0.3, 0.2)
    patches[:, 3, 1] = (0.2, 0.3, brightest)
    return torch.from_numpy(np.kron(patches, np.ones((8, 8))).astype(np.float32))


def spikes(light: torch.Tensor) -> torch.Tensor:
    """Of 2x2 pixels each."""
    luminance = (light * WEIGHTS[:, None, None]).sum(dim=0)
    return SPIKES * torch.nn.functional.avg_pool2d(luminance[None], 2)[0]


def test_what_was_clipped_is_what_the_spikes_count():
    light = scene()
    held = light.clamp(max=1)
    found = light_given_back(held, held >= 1, spikes(light))
    for patch in (np.s_[:, 10:14, 18:22], np.s_[:, 34:38, 42:46]):  # all white, and red alone
        torch.testing.assert_close(found[patch], light[patch], rtol=1e-3, atol=1e-3)
    blue = np.s_[:, 24:32, 8:16]
    assert torch.equal(found[blue], held[blue])  # too little of it is in the luminance
    elsewhere = (held < 1).all(dim=0)
    assert torch.equal(found[:, elsewhere], held[:, elsewhere])


def test_spikes_that_fire_at_every_tick_give_nothing_back():
    light = scene()
    held, count = light.clamp(max=1), spikes(light).clamp(max=1.5 * SPIKES)
    found = light_given_back(held, held >= 1, count, most=1.5 * SPIKES)
    assert torch.equal(found[:, 8:16, 16:24], held[:, 8:16, 16:24])
    assert float(light_given_back(held, held >= 1, count)[0, 12, 20]) == pytest.approx(1.5, 1e-3)


def test_a_frame_that_spikes_do_not_resemble_is_left_alone():
    held = scene().clamp(max=1)
    assert torch.equal(light_given_back(held, held >= 1, spikes(scene(seed=5))), held)


def test_noise_and_pixels_that_differ_raise_no_white():
    """White that is white, under spikes that are 5 % apart."""
    light = scene(brightest=1.0)
    count = spikes(light)
    count = count * (
        1 + 0.05 * torch.randn(count.shape, generator=torch.Generator().manual_seed(1))
    )
    found = light_given_back(light, light >= 1, count.round())
    assert float((found - light).mean()) < 2e-3


def test_a_frame_without_anything_below_white_is_left_alone():
    held = torch.ones(3, 16, 16)
    assert torch.equal(light_given_back(held, held >= 1, torch.full((8, 8), 300.0)), held)
