"""A rig's last fractions of a pixel are found from what both cameras saw."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.prior.evidence import LogStatistics
from spikedeblur.prior.photometry import luminance, to_srgb
from spikedeblur.prior.planes import shifted
from spikedeblur.prior.registration import estimate_shift

FRAMES, SIZE = 3, (48, 64)


def light(x, y, phase=0.0):
    """A scene in closed form, between 0.08 and 0.6, at the points given."""
    waves = torch.sin(x / 3.1 + 0.4 * y / 2.7 + phase) + torch.cos(y / 4.3 - x / 9.7 + 2 * phase)
    return 0.34 + 0.13 * waves


def plane(right=0.0, down=0.0, phase=0.0):
    """The scene at the centres of a plane's pixels, shifted: (FRAMES, *SIZE)."""
    y, x = torch.meshgrid(torch.arange(SIZE[0]) + 0.5, torch.arange(SIZE[1]) + 0.5, indexing="ij")
    return torch.stack([light(x + right + 5 * n, y + down, phase) for n in range(FRAMES)])


def frames(linear=True, **where):
    seen = plane(**where)
    return (to_srgb(seen) if linear else seen)[None, :, None].expand(1, FRAMES, 3, *SIZE)


def found(rgb, spikes):
    """The shift (B, 2) of frames (B, T, 3, h, w) and spikes (B, T, 1, h, w)."""
    count = spikes[:, :, 0]
    return estimate_shift(
        LogStatistics.of(luminance(rgb.flatten(0, 1), SIZE).view(count.shape), count)
    )


def counts(gain=60.0, **where):
    return gain * plane(**where)[None, :, None]


@given(
    right=st.floats(-0.9, 0.9),
    down=st.floats(-0.9, 0.9),
    gain=st.floats(20, 400),
    linear=st.booleans(),
)
def test_a_shift_is_found_whatever_the_gain_and_the_encoding(right, down, gain, linear):
    shift = found(frames(linear), counts(gain, right=right, down=down))[0]
    if (right**2 + down**2) ** 0.5 > 0.1:
        assert shift.tolist() == pytest.approx([right, down], abs=0.08)
    else:
        assert shift.norm() < 0.15


def test_planes_that_lie_right_are_not_moved_at_all():
    noisy = (
        counts() + torch.rand(counts().shape, generator=torch.Generator().manual_seed(1)) - 0.5
    ).round()
    assert found(frames(), noisy).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    "unrelated", [counts(phase=1.9), torch.full_like(counts(), 20.0), torch.zeros_like(counts())]
)
def test_spikes_that_do_not_tell_move_nothing(unrelated):
    assert found(frames(), unrelated).tolist() == [[0, 0]]


def test_each_clip_has_its_own_shift():
    both = found(frames().repeat(2, 1, 1, 1, 1), torch.cat([counts(), counts(right=0.5)]))
    assert both[0].tolist() == [0, 0]
    assert both[1].tolist() == pytest.approx([0.5, 0], abs=0.04)


@given(right=st.floats(-2, 2), down=st.floats(-2, 2))
def test_moved_takes_each_pixel_from_beside_it(right, down):
    """Against the scene in closed form, away from the border."""
    way = torch.tensor([[right, down]] * FRAMES)[:, :, None, None]
    taken = shifted(plane()[:, None], way)[:, 0]
    error = (taken - plane(right=right, down=down))[:, 4:-4, 4:-4]
    assert error.abs().max() < 0.004
