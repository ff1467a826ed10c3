"""The frame of the middle follows the spikes' motion to another instant."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.prior.photometry import to_srgb
from spikedeblur.prior.planes import resize
from spikedeblur.prior.recentring import CompensatedFrames, MotionField, motion
from tests.prior.waves import BINS, SIZE, inner, light


def exposure(velocity):
    """Light of the bins of an exposure whose middle is time 0: (1, BINS, *SIZE)."""
    return light(torch.arange(BINS) + 0.5 - BINS / 2, velocity)[None]


speeds = st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))


@given(velocity=speeds, time=st.floats(-0.4, 0.4))
def test_motion_is_told_in_pixels_a_bin(velocity, time):
    found = motion(exposure(velocity), torch.tensor([time]), torch.tensor([0.1]))
    assert (inner(found) - torch.tensor(velocity)[:, None, None]).abs().median() < 0.03


@given(velocity=speeds, time=st.sampled_from([-0.375, -0.125, 0.3]))
def test_the_middle_is_brought_to_the_target(velocity, time):
    field = MotionField.of(exposure(velocity), torch.tensor([time]))
    middle, target = light(torch.tensor([0.0, time * BINS]), velocity)[:, None, None]
    before, after = (inner(each - target).abs().mean() for each in (middle, field(middle)))
    assert after < max(0.25 * before, 0.03)


def test_the_way_is_scaled_to_the_frames_plane():
    """A frame of twice the size, in closed form."""
    field = MotionField.of(exposure((0.4, -0.2)), torch.tensor([0.375]))
    size = (2 * SIZE[0], 2 * SIZE[1])
    middle, target = light(torch.tensor([0.0, 12.0]), (0.4, -0.2), size, 0.5)[:, None, None]
    before, after = (inner(each - target).abs().mean() for each in (middle, field(middle)))
    assert after < 0.15 * before


def test_light_that_is_only_noise_carries_little():
    noise = torch.rand(1, BINS, *SIZE, generator=torch.Generator().manual_seed(3))
    assert MotionField.of(noise, torch.tensor([0.375])).confidence.mean() < 0.25


@given(x=st.integers(-6, 6), y=st.integers(-6, 6), exponent=st.sampled_from([1 / 2.2, 1.0]))
@settings(deadline=None)  # threads start with the first example
def test_counts_follow_the_frame(x, y, exponent):
    """A scene in pieces as large as spike pixels, moved by whole ones."""
    way = torch.tensor([x, y]).float()[None, :, None, None].expand(1, 2, *SIZE)
    coarse = light(torch.zeros(1), (0, 0))[:, None] / 5
    frame = to_srgb(coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)).expand(-1, 3, -1, -1)
    field = MotionField(way, torch.ones(1, 1, *SIZE))
    compensated = field.of_frames(frame, torch.tensor([exponent]))
    there = compensated.frames()
    torch.testing.assert_close(there, field(frame))
    expected = (torch.roll(coarse, (-y, -x), (-2, -1)) / coarse) ** exponent
    assert (inner(compensated.count_ratio(there, frame) / expected) - 1).abs().max() < 0.05


@given(trust=st.floats(0.05, 0.95), anew=st.floats(0.05, 0.95))
def test_the_trust_can_be_judged_anew(trust, anew):
    """As if the motion had been trusted so from the beginning, frames and counts."""
    original, warped = torch.rand(2, 1, 3, 16, 24, generator=torch.Generator().manual_seed(4))
    exponent = torch.tensor([0.7])

    def at(share):
        return CompensatedFrames(original, warped, torch.full((1, 1, 8, 12), share), exponent)

    more = torch.tensor(anew).logit() - torch.tensor(trust).logit()
    frames, factor = at(trust).with_confidence(more.expand(1, 1, 16, 24))
    torch.testing.assert_close(frames, at(anew).frames())
    counts_then, counts_now = (
        each.count_ratio(each.frames(), original) for each in (at(trust), at(anew))
    )
    torch.testing.assert_close(
        resize(factor, (8, 12)), resize(resize(counts_then / counts_now, (16, 24)), (8, 12))
    )
