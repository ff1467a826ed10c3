"""The two cameras in front of a wall whose brightness changes, against an integral by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from spikedeblur.recording.light import linear_to_srgb
from spikedeblur.simulation.recording import CameraSettings, Recorder
from spikedeblur.simulation.spiking import SpikeSensor, charge_until


class Wall:
    """Grey light 0.1 + 0.2 t at time t (frame intervals), the same over the whole frame."""

    size = (8, 12)

    def render(self, times):
        light = torch.from_numpy(0.1 + 0.2 * np.asarray(times)).float()
        return light[:, None, None, None].expand(len(times), 3, *self.size).contiguous()

    def slide(self, starts, stops):
        return np.full(len(starts), 60.0)


def recorder(**options):
    """Both cameras with nothing random about the spikes: no pattern, no jitter, no charge."""
    plain = {
        "size": (12, 8),
        "spike_size": (6, 4),
        "fps": Fraction(30),
        "rate_hz": Fraction(1000),
        "exposure": Fraction(1, 2),
    }
    both = Recorder(Wall(), CameraSettings(**{**plain, **options}))
    gain = 1 / both.recording.threshold
    both.sensor = SpikeSensor(
        torch.full((4, 6), gain), torch.zeros(4, 6), torch.full((4, 6), torch.nan)
    )
    both._charge = torch.zeros(4, 6)
    return both


def exact_charge(tick, ticks_per_frame):
    """The integral of the wall's light over the first ticks."""
    time = tick / ticks_per_frame
    return ticks_per_frame * (0.1 * time + 0.1 * time**2)


@pytest.mark.parametrize("exposure", [Fraction(1, 5), Fraction(1, 2), Fraction(1)])
def test_no_light_is_lost_or_seen_twice_between_frames(exposure):
    """100 / 3 ticks to a frame: ticks straddle frames, and spikes count the exact integral."""
    both = recorder(exposure=exposure)
    planes = np.concatenate([block for frame in both.record(range(3)) for block in frame.spikes])
    assert planes.shape == (100, 4, 6)
    assert (planes == planes[:, :1, :1]).all()
    counted = planes[:, 0, 0].cumsum()
    exact = np.array([exact_charge(tick + 1, 100 / 3) for tick in range(100)])
    # Light is taken as constant in about sixty parts of the exposure; the sums are what counts.
    assert np.abs(counted - np.floor(exact)).max() <= 1
    assert (counted != np.floor(exact)).mean() < 0.1


def test_ticks_that_straddle_frames_see_both():
    """With few ticks a frame, the light before the border is a large part of a tick."""
    both = recorder(fps=Fraction(400), exposure=Fraction(1))
    (_, _, first), (_, _, second) = both.expose(0), both.expose(1)
    joined = second.after(first)
    assert float(joined.edges[0]) == pytest.approx(2, abs=0.1)
    assert len(joined.edges) == len(joined.grey) + 1
    expected = exact_charge(3, 2.5) - exact_charge(2, 2.5)
    assert charge_until_tick(joined, 2, 3) == pytest.approx(expected, rel=1e-3)


def charge_until_tick(light, start, stop):
    """The charge that light gathers from tick `start` to `stop`."""
    return float(charge_until(light.grey, light.edges, torch.tensor([start, stop]))[1, 0, 0])


def test_blurry_is_the_mean_and_sharp_the_middle_of_the_exposure():
    both = recorder()
    both.camera = replace(both.camera, shot=0.0, read=0.0)
    for number, frame in enumerate(both.record(range(3))):
        middle = float(linear_to_srgb(np.array(0.1 + 0.2 * (number + 0.5)))) * 255
        assert (frame.sharp == round(middle)).all()  # light rises evenly: mean and middle agree
        assert (frame.blurry == round(middle)).all()
        for _ in frame.spikes:
            pass


def test_a_saturated_pixel_fires_at_every_tick():
    both = recorder(threshold=0.05)
    both._charge += 0.5
    for frame in both.record(range(2)):
        assert all(block.all() for block in frame.spikes)
