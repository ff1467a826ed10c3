"""Frames and spikes as they are read for an instant off the middle of the exposure."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.prior.candidate_features import candidate_features
from spikedeblur.prior.photometry import to_srgb
from spikedeblur.prior.sdm import SDMCandidates
from tests.prior.waves import BINS, SIZE, inner, light

SCALE = 5.0  # light that is white


def exposed(velocity, away: float):
    """A panned scene, `away` bins later: the frame and the voxels of a clip of one exposure."""
    voxels = light(torch.arange(BINS) + 0.5 - BINS / 2 + away, velocity)
    frame = to_srgb(voxels.mean(dim=0) / SCALE).expand(3, -1, -1)
    return frame[None, None], voxels[None, None]


def seen(clip, target: float):
    features, rates = candidate_features(
        *clip,
        torch.tensor([target]),
        size=SIZE,
        net_size=SIZE,
        coarsest=1,
        prior=SDMCandidates((2, 4, 8, 16), (0, 0.7, 1.5)),
    )
    return inner(features.frames), inner(rates)


@given(
    velocity=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    target=st.sampled_from([-0.375, -0.125, 0.375]),
)
@settings(deadline=None)
def test_any_instant_of_a_pan_is_read_like_the_middle_of_one(velocity, target):
    """Frames and the course of each bin's light, as if the exposure had been `target` later."""
    clip, later = exposed(velocity, 0.0), exposed(velocity, target * BINS)
    for brought, untouched, meant in zip(
        seen(clip, target), seen(clip, 0.0), seen(later, 0.0), strict=True
    ):
        left, before = ((each - meant).abs().mean() for each in (brought, untouched))
        assert left < max(0.35 * before, 0.01)
